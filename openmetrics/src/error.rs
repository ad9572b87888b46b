//! The library's one error.

use std::fmt;

/// What went wrong, in words, with the place and the broken rule where there are such.
///
/// The text says what was found and what was expected. Rules are those of the inventory that the conformance
/// tool explains, such as `OM1-SYN-07`.
///
/// ```
/// let error = openmetrics::model::MetricName::new("app requests").unwrap_err();
/// assert_eq!(error.rule(), Some("OM1-SYN-07"));
/// assert_eq!(error.to_string(), r#""app requests" is not a metric name: ' ' at byte 3 is not allowed [OM1-SYN-07]"#);
/// ```
pub struct Error(Box<Kind>);

/// A place in a text that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// Line, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: u64,
    /// Bytes before it in the whole input.
    pub offset: u64,
}

impl Position {
    /// The place at these numbers: line and column from 1, offset from 0.
    pub const fn new(line: u64, column: u64, offset: u64) -> Self {
        Self { line, column, offset }
    }
}

#[derive(Debug)]
pub(crate) enum Kind {
    Name {
        what: &'static str,
        name: String,
        rule: &'static str,
    },
    DuplicateLabel {
        name: String,
    },
    Unit {
        unit: String,
    },
    Schema {
        schema: i32,
    },
    /// A registration that would break the page; the message is complete.
    Refused {
        rule: &'static str,
        message: String,
    },
    Protobuf {
        rule: &'static str,
        offset: u64,
        message: String,
    },
    #[cfg(feature = "json")]
    Json {
        message: String,
    },
    /// What is wrong with a text that was read.
    #[cfg_attr(not(feature = "parse"), allow(dead_code))]
    Finding {
        rule: &'static str,
        position: Position,
        message: String,
    },
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }

    /// The id of the rule that was broken.
    pub fn rule(&self) -> Option<&'static str> {
        Some(match &*self.0 {
            Kind::Name { rule, .. }
            | Kind::Protobuf { rule, .. }
            | Kind::Refused { rule, .. }
            | Kind::Finding { rule, .. } => rule,
            Kind::DuplicateLabel { .. } => "OM1-LAB-02",
            Kind::Unit { .. } => "OM1-SYN-11",
            Kind::Schema { .. } => "NH-01",
            #[cfg(feature = "json")]
            Kind::Json { .. } => return None,
        })
    }

    /// How many bytes stand before the place in what was read, text or protobuf.
    pub fn offset(&self) -> Option<u64> {
        match &*self.0 {
            Kind::Finding { position, .. } => Some(position.offset),
            Kind::Protobuf { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    /// Where in the text that was read, if that is where the error was found.
    pub fn position(&self) -> Option<Position> {
        match &*self.0 {
            Kind::Finding { position, .. } => Some(*position),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Name { what, name, .. } if name.is_empty() => write!(f, "a {what} is empty")?,
            Kind::Name { what, name, .. } => {
                write!(f, "{name:?} is not a {what}: ")?;
                match foreign_character(what, name) {
                    Some((0, c)) => write!(f, "it begins with {c:?}")?,
                    Some((at, c)) => write!(f, "{c:?} at byte {at} is not allowed")?,
                    None => f.write_str("it is not in the grammar")?,
                }
            }
            Kind::DuplicateLabel { name } => write!(f, "label {name:?} is given twice in one label set")?,
            Kind::Unit { unit } if unit.is_empty() => f.write_str("a unit is empty; leave it out instead")?,
            Kind::Unit { unit } => {
                write!(f, "{unit:?} is not a unit: only letters, digits, '_' and ':' are allowed")?;
            }
            Kind::Schema { schema } => {
                write!(f, "schema {schema} of a native histogram is neither in -4..=8 nor -53")?;
            }
            Kind::Protobuf { offset, message, .. } => write!(f, "byte {offset}: {message}")?,
            #[cfg(feature = "json")]
            Kind::Json { message } => f.write_str(message)?,
            Kind::Refused { message, .. } => f.write_str(message)?,
            Kind::Finding { position, message, .. } => {
                write!(f, "line {}, column {}: {message}", position.line, position.column)?;
            }
        }
        self.rule().map_or(Ok(()), |rule| write!(f, " [{rule}]"))
    }
}

/// The first character that a classic name cannot have, and where.
fn foreign_character(what: &str, name: &str) -> Option<(usize, char)> {
    name.char_indices().find(|&(at, c)| {
        !(c.is_ascii_alphabetic()
            || c == '_'
            || at > 0 && c.is_ascii_digit()
            || what == "metric name" && c == ':')
    })
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}
