//! Object identifiers: the names of SNMP's variables.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// The most arcs an object identifier can have (RFC 3416, section 4.1).
pub const MAX_ARCS: usize = 128;

/// An object identifier, ordered as agents order their variables.
///
/// ```
/// use openmetrics_snmp_bridge::oid::Oid;
///
/// let column: Oid = "1.3.6.1.2.1.2.2.1.10".parse()?;
/// assert_eq!(column.to_string(), "1.3.6.1.2.1.2.2.1.10");
/// assert_eq!(column.last(), Some(&10));
/// # Ok::<(), openmetrics_snmp_bridge::oid::NotAnOid>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Box<[u32]>);

impl Oid {
    /// This identifier followed by more arcs.
    #[must_use]
    pub fn child(&self, arcs: &[u32]) -> Self {
        Self([self, arcs].concat().into())
    }

    /// The identifier without its last arc; of a column, that is the table's entry.
    pub fn parent(&self) -> &[u32] {
        self.split_last().map_or(&[], |(_, parent)| parent)
    }
}

impl Deref for Oid {
    type Target = [u32];
    fn deref(&self) -> &[u32] {
        &self.0
    }
}

impl std::borrow::Borrow<[u32]> for Oid {
    fn borrow(&self) -> &[u32] {
        &self.0
    }
}

impl From<&[u32]> for Oid {
    fn from(arcs: &[u32]) -> Self {
        Self(arcs.into())
    }
}

impl FromStr for Oid {
    type Err = NotAnOid;

    /// Reads `1.3.6.1.2.1.1`, with or without a dot in front.
    fn from_str(text: &str) -> Result<Self, NotAnOid> {
        let fail = || NotAnOid(text.to_owned());
        let arcs: Result<Vec<u32>, _> =
            text.strip_prefix('.').unwrap_or(text).split('.').map(str::parse).collect();
        let arcs = arcs.map_err(|_| fail())?;
        // BER packs the first two arcs into one number, so an identifier has at least these two.
        let encodable = match arcs.as_slice() {
            [0 | 1, second, ..] => *second < 40,
            [2, second, ..] => *second <= u32::MAX - 80,
            _ => false,
        };
        if encodable && arcs.len() <= MAX_ARCS { Ok(Self(arcs.into())) } else { Err(fail()) }
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Dotted(self).fmt(f)
    }
}
impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Arcs, displayed with dots between them.
#[derive(Clone, Copy, Debug)]
pub struct Dotted<'a>(pub &'a [u32]);

impl fmt::Display for Dotted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, arc) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            write!(f, "{arc}")?;
        }
        Ok(())
    }
}

/// A text that is no object identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnOid(String);

impl fmt::Display for NotAnOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no object identifier; one looks like 1.3.6.1.2.1.1", self.0)
    }
}
impl std::error::Error for NotAnOid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, arcs) in [
            ("1.3.6.1", vec![1, 3, 6, 1]),
            (".1.3", vec![1, 3]),
            ("2.999.4294967295", vec![2, 999, u32::MAX]),
        ] {
            assert_eq!(text.parse::<Oid>().unwrap()[..], arcs[..]);
        }
        for wrong in
            ["", ".", "1", "1.", "1..3", "3.1", "1.40", "1.3.-1", "1.3.4294967296", "ifTable", "2.4294967295"]
        {
            assert!(wrong.parse::<Oid>().is_err(), "{wrong}");
        }
        let long = vec!["1"; MAX_ARCS + 1].join(".");
        assert!(long.parse::<Oid>().is_err());
        assert_eq!(
            "x".parse::<Oid>().unwrap_err().to_string(),
            r#""x" is no object identifier; one looks like 1.3.6.1.2.1.1"#
        );
    }

    #[test]
    fn order_is_that_of_the_arcs_not_of_the_text() {
        let oid = |text: &str| text.parse::<Oid>().unwrap();
        assert!(oid("1.3.9") < oid("1.3.10"));
        assert!(oid("1.3") < oid("1.3.0"));
        assert_eq!(oid("1.3").child(&[6, 1]), oid("1.3.6.1"));
        assert_eq!(oid("1.3.6").parent(), &[1, 3]);
    }
}
