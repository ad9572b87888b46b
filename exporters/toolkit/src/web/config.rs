//! The web configuration file: what Prometheus' exporters take, field for field
//! ([web configuration](https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md)).
//!
//! Where we are stricter, because serving something else than what was asked for would be worse than an error:
//! TLS 1.0 and 1.1 are not spoken, so a `max_version` of them is refused; a client CA without a certificate in it is
//! refused; verifying client certificates needs a client CA. Of the ciphers and curves that Go has, those that rustls
//! does not have (CBC, P-521) are accepted by name and not offered.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::place::{Mistake, Placed};
use super::secret::Secret;

/// The whole file.
#[allow(clippy::struct_field_names)] // the names are those of the file
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) tls_server_config: Placed<Tls>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) http_server_config: Http,
    pub(crate) basic_auth_users: Users,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) rate_limit: RateLimit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) cert: Placed<String>,
    pub(crate) key: Placed<Secret>,
    pub(crate) client_ca: Placed<String>,
    pub(crate) cert_file: Placed<String>,
    pub(crate) key_file: Placed<String>,
    pub(crate) client_auth_type: Placed<String>,
    pub(crate) client_ca_file: Placed<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) client_allowed_sans: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) cipher_suites: Vec<Placed<String>>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) curve_preferences: Vec<Placed<String>>,
    pub(crate) min_version: Placed<Oldest>,
    pub(crate) max_version: Placed<Newest>,
    pub(crate) prefer_server_cipher_suites: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            cert: Placed::default(),
            key: Placed::default(),
            client_ca: Placed::default(),
            cert_file: Placed::default(),
            key_file: Placed::default(),
            client_auth_type: Placed::default(),
            client_ca_file: Placed::default(),
            client_allowed_sans: Vec::new(),
            cipher_suites: Vec::new(),
            curve_preferences: Vec::new(),
            min_version: Placed::default(),
            max_version: Placed::default(),
            prefer_server_cipher_suites: true,
        }
    }
}

impl Tls {
    /// Whether TLS is asked for at all.
    pub(crate) fn is_enabled(&self) -> bool {
        let Self { cert, cert_file, key_file, client_ca, client_ca_file, client_auth_type, .. } = self;
        let fields = [cert, cert_file, key_file, client_ca, client_ca_file, client_auth_type];
        fields.iter().any(|field| !field.is_empty()) || !self.key.reveal().is_empty()
    }
}

/// A version of TLS, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Version {
    #[serde(rename = "TLS10")]
    Tls10,
    #[serde(rename = "TLS11")]
    Tls11,
    #[serde(rename = "TLS12")]
    Tls12,
    #[serde(rename = "TLS13")]
    Tls13,
}

/// The oldest version that is spoken, TLS 1.2 unless it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Oldest(pub(crate) Version);

impl Default for Oldest {
    fn default() -> Self {
        Self(Version::Tls12)
    }
}

/// The newest version that is spoken, TLS 1.3 unless it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Newest(pub(crate) Version);

impl Default for Newest {
    fn default() -> Self {
        Self(Version::Tls13)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    pub(crate) http2: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) headers: BTreeMap<String, Placed<String>>,
}

impl Default for Http {
    fn default() -> Self {
        Self { http2: true, headers: BTreeMap::new() }
    }
}

/// Users and the hashes of their passwords.
#[derive(Debug, Default)]
pub(crate) struct Users(pub(crate) BTreeMap<String, Placed<Secret>>);

impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Users;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a user and a bcrypt hash on each line")
            }
            // Serde's own message would repeat the text, which may be a password.
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Users, E> {
                Err(E::custom(
                    "basic_auth_users has a text where a user and a hash on each line were expected",
                ))
            }
            fn visit_unit<E>(self) -> Result<Users, E> {
                Ok(Users::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Users, A::Error> {
                let mut users = BTreeMap::new();
                while let Some((user, hash)) = map.next_entry::<String, Placed<Secret>>()? {
                    users.insert(user, hash);
                }
                Ok(Users(users))
            }
        }
        deserializer.deserialize_any(Map)
    }
}

/// At most one request an interval, and some at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RateLimit {
    #[serde(deserialize_with = "go_duration")]
    pub(crate) interval: Duration,
    pub(crate) burst: u32,
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// `1s`, `1h15m`, `250ms`; a number without unit is nanoseconds, as in Go.
fn go_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    if text.is_empty() {
        return Ok(Duration::ZERO);
    }
    parse_duration(&text).ok_or_else(|| {
        de::Error::custom("the interval is no duration: numbers with units were expected, such as 1m30s")
    })
}

fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(nanos) = text.parse::<u64>() {
        return Some(Duration::from_nanos(nanos));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * unit;
        rest = tail;
    }
    Duration::try_from_secs_f64(sum).ok()
}

/// Headers that a configuration may set, and their values where only some make sense.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

impl Config {
    /// Reads the text of a file; errors say the line and the column.
    pub(crate) fn parse(text: &str) -> Result<Self, Mistake> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str::<Option<Self>>(text).map(Option::unwrap_or_default).map_err(|error| {
            let message = error.without_snippet().to_string();
            Mistake::at(error.location(), without_values(&message))
        })
    }

    /// The headers to set, checked.
    pub(crate) fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Mistake> {
        let mut headers = Vec::new();
        for (name, value) in &self.http_server_config.headers {
            let Some((_, allowed)) = HEADERS.iter().find(|(known, _)| known == name) else {
                let names: Vec<_> = HEADERS.iter().map(|(name, _)| *name).collect();
                let message = format!("header {name:?} cannot be set; these can: {}", names.join(", "));
                return Err(value.mistake(message));
            };
            if !allowed.is_empty() && !allowed.contains(&value.as_str()) {
                let message = format!("header {name} is {value:?}; it can be {}", allowed.join(" or "));
                return Err(value.mistake(message));
            }
            // An empty value means that the header is not set.
            if value.is_empty() {
                continue;
            }
            let bad = |_| value.mistake(format!("header {name} has a value with control characters"));
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|e| value.mistake(e.to_string()))?;
            headers.push((header, HeaderValue::from_str(value).map_err(bad)?));
        }
        Ok(headers)
    }
}

/// An error's message without the values it quotes: they may be secrets in the wrong place.
fn without_values(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    for kind in ["string \"", "invalid value: string \""] {
        if let Some((before, after)) = rest.split_once(kind) {
            out.push_str(before);
            out.push_str("a text");
            rest = after.rsplit_once('"').map_or("", |(_, after)| after);
        }
    }
    out.push_str(rest);
    out
}

/// A path of the configuration; relative ones are relative to its folder.
pub(crate) fn resolve(config: &Path, file: &str) -> PathBuf {
    config.parent().map_or_else(|| PathBuf::from(file), |folder| folder.join(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_changes_nothing() {
        for text in
            ["", "\n# nothing\n", "tls_server_config:\nbasic_auth_users:\nrate_limit:\nhttp_server_config:\n"]
        {
            let config = Config::parse(text).unwrap();
            assert!(!config.tls_server_config.is_enabled() && config.http_server_config.http2, "{text:?}");
        }
    }

    #[test]
    fn all_fields_are_taken() {
        let config = Config::parse(
            "tls_server_config:\n  cert_file: a.crt\n  key: |\n    SECRET\n  client_ca: ca\n  client_auth_type: RequireAnyClientCert\n  \
             client_allowed_sans: [a.example, 10.0.0.1]\n  min_version: TLS13\n  max_version: TLS13\n  cipher_suites:\n  - A\n  \
             curve_preferences: [X25519]\n  prefer_server_cipher_suites: false\nhttp_server_config:\n  http2: false\n  headers:\n    \
             X-Frame-Options: deny\nbasic_auth_users:\n  alice: $2y$10$abc\n  123: x\nrate_limit:\n  interval: 1m30s\n  burst: 20\n",
        )
        .unwrap();
        let tls = &config.tls_server_config;
        assert_eq!((tls.cert_file.as_str(), tls.key.reveal()), ("a.crt", "SECRET\n"));
        assert_eq!(tls.client_allowed_sans, ["a.example", "10.0.0.1"]);
        assert_eq!((tls.min_version.0, tls.prefer_server_cipher_suites), (Version::Tls13, false));
        assert_eq!(config.headers().unwrap().len(), 1);
        assert_eq!(config.basic_auth_users.0.keys().collect::<Vec<_>>(), ["123", "alice"]);
        assert_eq!(config.rate_limit, RateLimit { interval: Duration::from_secs(90), burst: 20 });
        assert!(!format!("{config:?}").contains("SECRET") && !format!("{config:?}").contains("$2y$"));
    }

    #[test]
    fn mistakes_have_their_place_and_show_no_values() {
        for (text, place, part) in [
            ("basic_auth_users:\n  a: b\nbogus: 1\n", "3:", "bogus"),
            ("tls_server_config:\n  certfile: x\n", "2:", "certfile"),
            ("tls_server_config:\n  min_version: TLS14\n", "2:", "TLS"),
            ("http_server_config:\n  http2: maybe\n", "2:", ""),
            ("rate_limit:\n  interval: soon\n", "2:", "duration"),
            ("rate_limit:\n  burst: hunter2\n", "2:", ""),
            ("basic_auth_users: hunter2\n", "1:", "basic_auth_users"),
            ("hunter2\n", "1:", ""),
            ("tls_server_config: [hunter2]\n", "1:", ""),
            ("basic_auth_users:\n  a: b\n  a: c\n", "3:", "a"),
            ("tls_server_config:\n\tcert: x\n", "2:", ""),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains(part), "{text:?}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn only_some_headers_can_be_set() {
        let headers = |text: &str| {
            Config::parse(&format!("http_server_config:\n  headers:\n    {text}\n")).unwrap().headers()
        };
        let mistake = headers("X-Frame-Options: ALLOW").unwrap_err().to_string();
        assert!(mistake.starts_with("3:22: ") && mistake.contains("deny or sameorigin"), "{mistake}");
        assert!(headers("Server: x").unwrap_err().to_string().contains("cannot be set"));
        assert!(headers("Strict-Transport-Security: ''").unwrap().is_empty());
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos) in
            [("1s", 1_000_000_000), ("1m30s", 90_000_000_000), ("1.5ms", 1_500_000), ("7", 7), ("0", 0)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in ["1", "s", "1x", "-1s", "1s2"] {
            assert!(text == "1" || parse_duration(text).is_none(), "{text}");
        }
    }

    quickcheck::quickcheck! {
        fn no_text_panics(text: String) -> bool {
            let _ = Config::parse(&text).map(|config| config.headers());
            let _ = parse_duration(&text);
            true
        }
    }
}
