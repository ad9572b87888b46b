//! How names outside the classic grammar travel
//! ([escaping schemes](https://prometheus.io/docs/instrumenting/escaping_schemes/), rules ESC-01 to ESC-07).
//!
//! A name such as `http.server.duration` either stays as it is, in quotes, or is rewritten with classic characters.
//! Scrapers ask for one way or the other with `escaping=` in `Accept`.

use std::borrow::Cow;
use std::fmt;

use crate::model::{is_classic_label_name, is_classic_metric_name};

/// A way of writing names that have other characters than classic ones.
///
/// ```
/// use openmetrics::format::Escaping;
///
/// assert_eq!(Escaping::Underscores.escape("http.status"), "http_status");
/// assert_eq!(Escaping::Dots.escape("http.status_code"), "http_dot_status__code");
/// assert_eq!(Escaping::Values.escape("http.status"), "U__http_2E_status");
/// assert_eq!(Escaping::Values.unescape("U__http_2E_status"), "http.status");
/// ```
///
/// Formats escape only names that need it: a classic name stays as it is under every scheme, as in Prometheus'
/// own libraries. Where the published text and those libraries differ, this follows the text: `dots` makes one
/// underscore of a foreign character (they make two), `values` writes hexadecimal digits in upper case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Escaping {
    /// Names stay as they are, quoted where they have to be.
    AllowUtf8,
    /// Every foreign character becomes an underscore. Cannot be undone.
    #[default]
    Underscores,
    /// `.` becomes `_dot_`, `_` becomes `__`, every other foreign character an underscore.
    Dots,
    /// `U__` in front, `_` becomes `__`, every foreign character its code point, as in `_2E_`. Can be undone.
    Values,
}

impl Escaping {
    /// All schemes.
    pub const ALL: [Self; 4] = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    /// The word for it in `Accept` and `Content-Type`, such as `allow-utf-8`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// The scheme with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == word)
    }

    /// A metric name under this scheme. The empty name stays empty.
    pub fn escape(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::AllowUtf8 => Cow::Borrowed(name),
            Self::Underscores | Self::Values if is_classic_metric_name(name) => Cow::Borrowed(name),
            _ => Cow::Owned(self.rewrite(name, true)),
        }
    }

    /// The name that [`escape`](Escaping::escape) made this from, as far as that can be told; a name that this
    /// scheme cannot have made stays as it is.
    pub fn unescape(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::AllowUtf8 | Self::Underscores => Cow::Borrowed(name),
            Self::Dots if !name.contains('_') => Cow::Borrowed(name),
            Self::Dots => Cow::Owned(undo_dots(name)),
            Self::Values => {
                name.strip_prefix("U__").and_then(undo_values).map_or(Cow::Borrowed(name), Cow::Owned)
            }
        }
    }

    /// The metric name as it stands in an exposition: classic ones as they are.
    pub(crate) fn metric_name(self, name: &str) -> Cow<'_, str> {
        if is_classic_metric_name(name) { Cow::Borrowed(name) } else { self.escape(name) }
    }

    /// The label name as it stands in an exposition. Colons are foreign here.
    pub(crate) fn label_name(self, name: &str) -> Cow<'_, str> {
        if self == Self::AllowUtf8 || is_classic_label_name(name) {
            Cow::Borrowed(name)
        } else {
            Cow::Owned(self.rewrite(name, false))
        }
    }

    fn rewrite(self, name: &str, colon: bool) -> String {
        use fmt::Write;
        let mut out = String::with_capacity(name.len() + 8);
        if self == Self::Values && !name.is_empty() {
            out.push_str("U__");
        }
        for c in name.chars() {
            // A digit cannot come first; behind `U__` it does not.
            let classic = c.is_ascii_alphabetic()
                || c.is_ascii_digit() && !out.is_empty()
                || c == ':' && colon
                || c == '_' && self == Self::Underscores;
            match (self, c) {
                _ if classic => out.push(c),
                (Self::Dots | Self::Values, '_') => out.push_str("__"),
                (Self::Dots, '.') => out.push_str("_dot_"),
                (Self::Values, c) => {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "_{:X}_", u32::from(c));
                }
                _ => out.push('_'),
            }
        }
        out
    }
}

/// `_dot_` is a dot, two underscores are one.
fn undo_dots(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('_') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (plain, tail) = if let Some(tail) = from.strip_prefix("_dot_") {
            ('.', tail)
        } else {
            ('_', from.strip_prefix("__").or(from.strip_prefix('_')).unwrap_or_default())
        };
        out.push(plain);
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// What follows `U__`: two underscores are one, digits between two are a character.
fn undo_values(escaped: &str) -> Option<String> {
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, tail)) = rest.split_once('_') {
        out.push_str(before);
        let (code, tail) = tail.split_once('_')?;
        if code.is_empty() {
            out.push('_');
        } else if code.len() <= 6 && code.bytes().all(|b| b.is_ascii_hexdigit()) {
            out.push(u32::from_str_radix(code, 16).ok().and_then(char::from_u32)?);
        } else {
            return None;
        }
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}

impl fmt::Display for Escaping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    /// The examples of the published text, and what its rules make of harder names.
    #[test]
    fn names_under_every_scheme() {
        for (name, underscores, dots, values) in [
            ("", "", "", ""),
            ("no:escaping", "no:escaping", "no:escaping", "no:escaping"),
            ("under_score", "under_score", "under__score", "under_score"),
            (
                "metric.name/with/slashes",
                "metric_name_with_slashes",
                "metric_dot_name_with_slashes",
                "U__metric_2E_name_2F_with_2F_slashes",
            ),
            (
                "metric.name.with.dots",
                "metric_name_with_dots",
                "metric_dot_name_dot_with_dot_dots",
                "U__metric_2E_name_2E_with_2E_dots",
            ),
            ("metric.name", "metric_name", "metric_dot_name", "U__metric_2E_name"),
            ("a_b.c", "a_b_c", "a__b_dot_c", "U__a__b_2E_c"),
            ("1st", "_st", "_st", "U__1st"),
            ("größe", "gr__e", "gr__e", "U__gr_F6__DF_e"),
            ("a😀", "a_", "a_", "U__a_1F600_"),
            (" ", "_", "_", "U___20_"),
        ] {
            assert_eq!(Escaping::AllowUtf8.escape(name), name);
            assert_eq!(Escaping::Underscores.escape(name), underscores);
            assert_eq!(Escaping::Dots.escape(name), dots);
            assert_eq!(Escaping::Values.escape(name), values);
        }
        assert_eq!(Escaping::Underscores.label_name("a:b"), "a_b");
        assert_eq!(Escaping::Values.label_name("a:b"), "U__a_3A_b");
        assert_eq!(Escaping::Dots.metric_name("a_b"), "a_b", "classic names are not escaped in expositions");
    }

    #[test]
    fn names_that_no_scheme_made_stay() {
        for name in
            ["U__a_", "U__a_zz_", "U__a_1234567_", "U__a_D800_", "U__a_110000_", "U__a_2E", "x_2E_", "U_a"]
        {
            assert_eq!(Escaping::Values.unescape(name), name);
        }
        assert_eq!(Escaping::Values.unescape("U__a_2e_b"), "a.b", "small digits are read too");
        assert_eq!(Escaping::Dots.unescape("a_dot_b__c_d"), "a.b_c_d");
        assert_eq!(Escaping::Underscores.unescape("a_b"), "a_b");
    }

    quickcheck! {
        fn values_can_be_undone(name: String) -> bool {
            Escaping::Values.unescape(&Escaping::Values.escape(&name)) == name
                || name.starts_with("U__") // such a classic name cannot be told from an escaped one
        }
        fn dots_can_be_undone_for_dotted_names(parts: Vec<u8>) -> bool {
            let name: String = parts.iter().map(|b| ['a', '.', '_', 'd'][usize::from(b % 4)]).collect();
            Escaping::Dots.unescape(&Escaping::Dots.escape(&name)) == name
        }
        fn what_is_escaped_is_classic(name: String) -> bool {
            name.is_empty() || [Escaping::Underscores, Escaping::Dots, Escaping::Values].iter().all(|scheme| {
                is_classic_metric_name(&scheme.escape(&name)) && is_classic_label_name(&scheme.label_name(&name))
            })
        }
    }

    #[test]
    fn words() {
        for scheme in Escaping::ALL {
            assert_eq!(Escaping::from_word(scheme.as_str()), Some(scheme));
        }
        assert_eq!(Escaping::from_word("ALLOW-UTF-8"), None);
    }
}
