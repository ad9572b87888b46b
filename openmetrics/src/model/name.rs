//! Names of metric families and labels, and the one place that knows which of them are valid.
//!
//! Two grammars exist. The *classic* one is what OpenMetrics 1.0 and Prometheus text 0.0.4 can write; names
//! outside it (any other non-empty UTF-8) have to be quoted or escaped, which `format` takes care of.
//! See the [ABNF of OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/#abnf) (rules
//! OM1-SYN-07 and OM1-SYN-08) and the quoted names of
//! [OpenMetrics 2.0](https://prometheus.io/docs/specs/om/open_metrics_spec_2_0/#abnf) (OM2-UTF-01 to 06).

use std::fmt;

use super::text::Text;
use crate::error::{Error, Kind};

/// Whether `name` is a classic metric name: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub const fn is_classic_metric_name(name: &str) -> bool {
    is_classic(name.as_bytes(), true)
}

/// Whether `name` is a classic label name: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub const fn is_classic_label_name(name: &str) -> bool {
    is_classic(name.as_bytes(), false)
}

/// Looks at every byte without leaving early: the compiler then takes sixteen at a time, and nearly all names are good.
const fn is_classic(name: &[u8], colon: bool) -> bool {
    let mut good = !name.is_empty() && !name[0].is_ascii_digit();
    let mut i = 0;
    while i < name.len() {
        let byte = name[i];
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        good &= letter || digit || byte == b'_' || (colon && byte == b':');
        i += 1;
    }
    good
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $classic:ident, $what:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            #[doc = concat!("A classic ", $what, "; anything else is an error (", $rule, ").")]
            pub fn new(name: impl Into<Text>) -> Result<Self, Error> {
                let name = name.into();
                if $classic(&name) { Ok(Self(name)) } else { Err(Error::new(Kind::Name { what: $what, name: name.to_string(), rule: $rule })) }
            }

            #[doc = concat!("A ", $what, " of any UTF-8 characters; only the empty name is an error (OM2-UTF-03).")]
            ///
            /// Formats without quoted names write it escaped.
            pub fn utf8(name: impl Into<Text>) -> Result<Self, Error> {
                let name = name.into();
                if name.is_empty() { Err(Error::new(Kind::Name { what: $what, name: String::new(), rule: "OM2-UTF-03" })) } else { Ok(Self(name)) }
            }

            #[doc = concat!("A classic ", $what, " from a literal, checked at compile time when used in a constant.")]
            ///
            /// # Panics
            ///
            #[doc = concat!("If the text is not a classic ", $what, ".")]
            pub const fn from_static(name: &'static str) -> Self {
                assert!($classic(name), concat!("not a classic ", $what));
                Self(Text::from_static(name))
            }

            /// The name itself.
            #[inline]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// Whether every format can write this name as it is.
            pub fn is_classic(&self) -> bool {
                $classic(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

name_type! {
    /// The name of a metric family, without the suffixes that formats add (`_total`, `_info`, `_bucket`).
    ///
    /// ```
    /// use openmetrics::model::MetricName;
    ///
    /// const REQUESTS: MetricName = MetricName::from_static("app_requests");
    /// assert!(MetricName::new("app requests").is_err());
    /// assert!(!MetricName::utf8("app.requests")?.is_classic());
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    MetricName, is_classic_metric_name, "metric name", "OM1-SYN-07"
}
name_type! {
    /// The name of a label.
    ///
    /// ```
    /// use openmetrics::model::LabelName;
    ///
    /// assert_eq!(LabelName::new("method")?, "method");
    /// assert!(LabelName::new("1st").is_err());
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    LabelName, is_classic_label_name, "label name", "OM1-SYN-08"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_names() {
        for name in ["a", "_", ":", "a:b", "A9_z"] {
            assert!(MetricName::new(name).is_ok(), "{name:?}");
        }
        for name in ["", "9", "a-b", "a.b", "é", "a b", "a\n"] {
            assert!(MetricName::new(name).is_err(), "{name:?}");
        }
        assert!(LabelName::new("a:b").is_err());
        assert_eq!(LabelName::new("a:b").unwrap_err().rule(), Some("OM1-SYN-08"));
    }

    #[test]
    fn utf8_names() {
        assert!(MetricName::utf8("").is_err());
        assert!(!MetricName::utf8("http.server.duration").unwrap().is_classic());
        assert!(MetricName::utf8("plain").unwrap().is_classic());
    }
}
