//! What is judged: bytes and the format they are taken for.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A specification that an exposition is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Spec {
    /// OpenMetrics 1.0 text.
    #[value(name = "om1", alias = "openmetrics")]
    OpenMetrics1,
    /// OpenMetrics 2.0-rc0 text.
    #[value(name = "om2")]
    OpenMetrics2,
    /// Prometheus text 0.0.4 and 1.0.0.
    #[value(name = "prom", alias = "prometheus")]
    Prometheus,
    /// Prometheus protobuf: `MetricFamily` messages, each after its length.
    #[value(name = "prom-protobuf")]
    PrometheusProtobuf,
    /// OpenMetrics 1.0 protobuf: one MetricSet message.
    #[value(name = "om-protobuf")]
    OpenMetricsProtobuf,
}

impl Spec {
    /// The word in options and reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OpenMetrics1 => "om1",
            Self::OpenMetrics2 => "om2",
            Self::Prometheus => "prom",
            Self::PrometheusProtobuf => "prom-protobuf",
            Self::OpenMetricsProtobuf => "om-protobuf",
        }
    }

    /// The name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::OpenMetrics1 => "OpenMetrics 1.0 text",
            Self::OpenMetrics2 => "OpenMetrics 2.0-rc0 text",
            Self::Prometheus => "Prometheus text",
            Self::PrometheusProtobuf => "Prometheus protobuf",
            Self::OpenMetricsProtobuf => "OpenMetrics 1.0 protobuf",
        }
    }

    /// The specification that a `Content-Type` names.
    pub(crate) fn from_content_type(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        let media_type = parts.next()?.to_ascii_lowercase();
        let parameters: Vec<(String, &str)> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
            .collect();
        let parameter =
            |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        match media_type.as_str() {
            "application/openmetrics-text" => {
                let two = parameter("version").is_some_and(|version| version.starts_with("2."));
                Some(if two { Self::OpenMetrics2 } else { Self::OpenMetrics1 })
            }
            "application/openmetrics-protobuf" => Some(Self::OpenMetricsProtobuf),
            "application/vnd.google.protobuf" => (parameter("encoding") == Some("delimited")
                && parameter("proto") == Some("io.prometheus.client.MetricFamily"))
            .then_some(Self::PrometheusProtobuf),
            "text/plain" => Some(Self::Prometheus),
            _ => None,
        }
    }

    /// A guess from the bytes: an end marker makes it OpenMetrics, `st@` or a composite value its second version,
    /// control characters at the beginning one of the protobufs.
    pub(crate) fn sniff(bytes: &[u8]) -> Self {
        let head = bytes.get(..bytes.len().min(64)).unwrap_or_default();
        // Every protobuf begins with a length or the tag of field 1, and names follow soon; text has neither.
        let control = |b: &u8| b.is_ascii_control() && !matches!(b, b'\n' | b'\r' | b'\t');
        if head.iter().any(control) && !head.starts_with(b"#") {
            // MetricSet: tag 0x0a of its families first. Delimited: a length, then tag 0x0a of the name.
            let delimited = varint(bytes).is_some_and(|(len, at)| {
                bytes.get(at) == Some(&0x0a) && at.checked_add(len).is_some_and(|end| end <= bytes.len())
            });
            return if delimited && !is_metric_set(bytes) {
                Self::PrometheusProtobuf
            } else {
                Self::OpenMetricsProtobuf
            };
        }
        let ends = |end: &[u8]| bytes.ends_with(end);
        if !(ends(b"# EOF\n") || ends(b"# EOF") || ends(b"# EOF\r\n")) {
            return Self::Prometheus;
        }
        let second = bytes.split(|&b| b == b'\n').any(|line| {
            !line.starts_with(b"#")
                && (line.windows(4).any(|w| w == b" st@")
                    || line.windows(8).any(|w| w == b" {count:")
                    || line.windows(9).any(|w| w == b" {gcount:")
                    || line.starts_with(b"{\""))
        });
        if second { Self::OpenMetrics2 } else { Self::OpenMetrics1 }
    }
}

/// A length and where the bytes after it begin.
pub(crate) fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            return Some((value, at + 1));
        }
    }
    None
}

/// Whether the bytes are a row of length-delimited fields of number 1 and nothing else, as a MetricSet is.
fn is_metric_set(mut bytes: &[u8]) -> bool {
    while let Some((0x0a, rest)) = bytes.split_first() {
        let Some(after) = varint(rest).and_then(|(len, at)| rest.get(at.checked_add(len)?..)) else {
            return false;
        };
        bytes = after;
    }
    bytes.is_empty()
}

/// One exposition and its name in reports.
#[derive(Debug)]
pub(crate) struct Subject {
    /// A path, an address, or `-` for standard input.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) spec: Spec,
}

/// The most bytes an input may have.
pub(crate) const MAX_INPUT: u64 = 1 << 30;
/// The most bytes an input may have after it is unpacked: a few of them can stand for a thousand times as many.
const MAX_UNPACKED: u64 = 1 << 28;

impl Subject {
    /// Reads a file or, for `-`, standard input. What begins like gzip is unpacked.
    pub(crate) fn read(path: &str, spec: Option<Spec>) -> io::Result<Self> {
        let bytes = if path == "-" {
            read_all(io::stdin().lock())?
        } else {
            if Path::new(path).is_dir() {
                return Err(io::Error::other("it is a directory; name the files in it"));
            }
            read_all(File::open(path)?)?
        };
        Self::new(path, bytes, spec)
    }

    /// Bytes that came from elsewhere.
    pub(crate) fn new(name: &str, mut bytes: Vec<u8>, spec: Option<Spec>) -> io::Result<Self> {
        if bytes.starts_with(&[0x1f, 0x8b]) {
            bytes = unpack(&bytes)?;
        }
        let spec = spec.unwrap_or_else(|| Spec::sniff(&bytes));
        Ok(Self { name: name.to_owned(), bytes, spec })
    }
}

/// What is packed with gzip.
pub(crate) fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    read_at_most(MAX_UNPACKED, flate2::read::MultiGzDecoder::new(bytes))
        .map_err(|error| io::Error::new(error.kind(), format!("it begins like gzip, but: {error}")))
}

fn read_all(from: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(MAX_INPUT, from)
}

fn read_at_most(most: u64, from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is larger than {} MiB", most >> 20)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_bytes() {
        for (bytes, spec) in [
            (&b"# TYPE a gauge\na 1\n"[..], Spec::Prometheus),
            (b"", Spec::Prometheus),
            (b"# EOF\n", Spec::OpenMetrics1),
            (b"a 1\n# EOF", Spec::OpenMetrics1),
            (b"# TYPE a_total counter\na_total 1 st@5\n# EOF\n", Spec::OpenMetrics2),
            (b"a {count:1,sum:1,quantile:[]}\n# EOF\n", Spec::OpenMetrics2),
            (b"\x07\x0a\x01a\x18\x01\x22\x00", Spec::PrometheusProtobuf),
            (b"\x0a\x05\x0a\x01a\x10\x01", Spec::OpenMetricsProtobuf),
        ] {
            assert_eq!(Spec::sniff(bytes), spec, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn formats_are_known_by_their_content_type() {
        for (content_type, spec) in [
            ("text/plain; version=0.0.4; charset=utf-8", Some(Spec::Prometheus)),
            ("application/openmetrics-text; version=1.0.0", Some(Spec::OpenMetrics1)),
            ("Application/OpenMetrics-Text;version=\"2.0.0\"", Some(Spec::OpenMetrics2)),
            (
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
                Some(Spec::PrometheusProtobuf),
            ),
            ("text/html", None),
        ] {
            assert_eq!(Spec::from_content_type(content_type), spec, "{content_type}");
        }
    }
}
