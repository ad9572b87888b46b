//! `Content-Type` headers: which format they name.

use crate::subject::Spec;

/// The formats that scrapers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Text0,
    Text1,
    OpenMetrics0,
    OpenMetrics1,
    OpenMetrics2,
    PrometheusProtobuf,
    OpenMetricsProtobuf,
}

impl Kind {
    /// What its bytes are held against.
    pub(super) const fn spec(self) -> Spec {
        match self {
            Self::Text0 | Self::Text1 => Spec::Prometheus,
            Self::OpenMetrics0 | Self::OpenMetrics1 => Spec::OpenMetrics1,
            Self::OpenMetrics2 => Spec::OpenMetrics2,
            Self::PrometheusProtobuf => Spec::PrometheusProtobuf,
            Self::OpenMetricsProtobuf => Spec::OpenMetricsProtobuf,
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Text0 => "Prometheus text 0.0.4",
            Self::Text1 => "Prometheus text 1.0.0",
            Self::OpenMetrics0 => "OpenMetrics text 0.0.1",
            Self::OpenMetrics1 => "OpenMetrics 1.0 text",
            Self::OpenMetrics2 => "OpenMetrics 2.0 text",
            Self::PrometheusProtobuf => "Prometheus protobuf",
            Self::OpenMetricsProtobuf => "OpenMetrics 1.0 protobuf",
        }
    }

    pub(super) const fn is_text(self) -> bool {
        !matches!(self, Self::PrometheusProtobuf | Self::OpenMetricsProtobuf)
    }

    /// Whether the header has to say how names are escaped.
    pub(super) const fn has_escaping(self) -> bool {
        matches!(self, Self::Text1 | Self::OpenMetrics1 | Self::OpenMetrics2)
    }
}

/// A `Content-Type`, taken apart.
#[derive(Debug)]
pub(super) struct MediaType {
    /// In lower case.
    pub(super) essence: String,
    /// Names in lower case, values without their quotes.
    pub(super) parameters: Vec<(String, String)>,
}

impl MediaType {
    /// `None` for what is no media type.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split(';');
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let is_token = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        };
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parameters = Vec::new();
        for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            let value = value.trim();
            let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            if !is_token(name.trim()) || quoted.is_none() && !is_token(value) {
                return None;
            }
            parameters.push((name.trim().to_ascii_lowercase(), quoted.unwrap_or(value).to_owned()));
        }
        Some(Self { essence, parameters })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The format, if it is one that readers know. Text without a version is the oldest of its kind, as readers
    /// take it.
    pub(super) fn kind(&self) -> Option<Kind> {
        let version = self.parameter("version");
        Some(match (self.essence.as_str(), version) {
            ("text/plain", None | Some("0.0.4")) => Kind::Text0,
            ("text/plain", Some("1.0.0")) => Kind::Text1,
            ("application/openmetrics-text", Some("0.0.1")) => Kind::OpenMetrics0,
            ("application/openmetrics-text", None | Some("1.0.0")) => Kind::OpenMetrics1,
            ("application/openmetrics-text", Some("2.0.0")) => Kind::OpenMetrics2,
            ("application/vnd.google.protobuf", _) => Kind::PrometheusProtobuf,
            ("application/openmetrics-protobuf", _) => Kind::OpenMetricsProtobuf,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for (header, kind) in [
            ("text/plain; version=0.0.4; charset=utf-8", Some(Kind::Text0)),
            ("Text/Plain", Some(Kind::Text0)),
            ("application/openmetrics-text;version=\"2.0.0\"", Some(Kind::OpenMetrics2)),
            ("application/openmetrics-text;version=3.0.0", None),
            ("application/json", None),
        ] {
            assert_eq!(MediaType::parse(header).and_then(|media| media.kind()), kind, "{header}");
        }
        for header in
            ["", "text", "text/", "text/plain;version", "text/plain;version=a b", "text/plain,text/html"]
        {
            assert!(MediaType::parse(header).is_none(), "{header}");
        }
    }
}
