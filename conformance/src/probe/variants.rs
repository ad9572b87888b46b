//! What scrapers send, and what they should get.

use super::media::Kind::{self, OpenMetrics0, OpenMetrics1, OpenMetrics2, PrometheusProtobuf, Text0, Text1};
use super::response::MARK;
use crate::exchange::Ask;

/// An `Accept` header, and the formats that it prefers, best first.
pub(super) struct Variant {
    pub(super) ask: Ask,
    pub(super) prefers: &'static [Kind],
    /// The rule that is broken when a supported format further ahead was passed over.
    pub(super) rule: &'static str,
}

/// One format alone, as only tools ask: shows what is supported.
pub(super) const ALONE: [(Kind, &str); 7] = [
    (Text0, "text/plain;version=0.0.4"),
    (Text1, "text/plain;version=1.0.0;escaping=allow-utf-8"),
    (OpenMetrics0, "application/openmetrics-text;version=0.0.1"),
    (OpenMetrics1, "application/openmetrics-text;version=1.0.0"),
    (OpenMetrics2, "application/openmetrics-text;version=2.0.0;escaping=allow-utf-8"),
    (
        PrometheusProtobuf,
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
    ),
    (Kind::OpenMetricsProtobuf, "application/openmetrics-protobuf;version=1.0.0"),
];

/// All variants, but those of one format alone.
pub(super) fn all() -> Vec<Variant> {
    let variant = |who, accept: &'static str, prefers, rule| Variant {
        ask: Ask::get(who).accepting(accept),
        prefers,
        rule,
    };
    vec![
        Variant { ask: Ask::get("a request without Accept"), prefers: &[], rule: "OM1-HTTP-03" },
        variant("`*/*`", "*/*", &[], "OM1-HTTP-03"),
        variant(
            "a browser",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            &[],
            "OM1-HTTP-03",
        ),
        variant("a format that no endpoint has", "application/vnd.example.nothing", &[Text0], "CN-02"),
        variant(
            "Prometheus 2.30",
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            &[OpenMetrics0, Text0],
            "CN-01",
        ),
        variant(
            "Prometheus 2.55",
            "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            &[OpenMetrics1, OpenMetrics0, Text0],
            "CN-01",
        ),
        variant(
            "Prometheus 3",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            &[OpenMetrics1, OpenMetrics0, Text1, Text0],
            "CN-01",
        ),
        variant(
            "Prometheus 3 with native histograms",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            &[PrometheusProtobuf, OpenMetrics1, OpenMetrics0, Text1, Text0],
            "CN-01",
        ),
        variant("VictoriaMetrics", "text/plain;version=0.0.4;q=1,*/*;q=0.1", &[Text0], "CN-01"),
        variant(
            "a scraper that likes text better, and says so last",
            "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.9",
            &[Text0],
            "CN-01",
        ),
        variant(
            "a scraper that likes OpenMetrics better, and says so last",
            "text/plain;version=0.0.4;q=0.3,application/openmetrics-text;version=1.0.0;q=0.6",
            &[OpenMetrics1, Text0],
            "CN-01",
        ),
        variant(
            "q=0 for OpenMetrics",
            "application/openmetrics-text;version=1.0.0;q=0,text/plain;version=0.0.4;q=0.1",
            &[Text0],
            "CN-15",
        ),
        variant(
            "OpenMetrics without q, which is 1",
            "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0",
            &[OpenMetrics1, Text0],
            "CN-15",
        ),
        variant(
            "OpenMetrics in capitals and with blanks",
            "Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.9 , text/plain;version=0.0.4;q=0.1",
            &[OpenMetrics1, Text0],
            "LINT-18",
        ),
        variant(
            "OpenMetrics of no version",
            "application/openmetrics-text",
            &[OpenMetrics1, OpenMetrics0, Text0],
            "OM1-HTTP-05",
        ),
        variant(
            "OpenMetrics of a version to come",
            "application/openmetrics-text;version=99.0.0",
            &[],
            "OM1-HTTP-05",
        ),
    ]
}

/// Requests whose answers are judged by their headers alone.
pub(super) fn headers_only() -> Vec<Ask> {
    let openmetrics = |who, escaping: &str| {
        Ask::get(who).accepting(format!("application/openmetrics-text;version=1.0.0;escaping={escaping}"))
    };
    vec![
        openmetrics("escaping=underscores", "underscores"),
        openmetrics("escaping=dots", "dots"),
        openmetrics("escaping=values", "values"),
        openmetrics("escaping=allow-utf-8", "allow-utf-8"),
        openmetrics("an unknown escaping scheme", MARK),
        Ask::get("words that are no business of Content-Type").accepting(format!(
            "text/plain;version=0.0.4;charset={MARK};{MARK}={MARK},application/openmetrics-text;version={MARK};q=0.5"
        )),
        Ask::get("an Accept that is no list of formats").accepting(format!(";;,{MARK}/,\"{MARK},=;q=x")),
        Ask::get("a request that accepts gzip").coding("gzip"),
        Ask::get("a request that accepts gzip and more").coding("gzip, deflate, br"),
        Ask::get("a request that refuses gzip").coding("gzip;q=0"),
        Ask::get("a request that accepts no coding").coding("identity"),
        Ask::get("a request with an unknown coding").coding("omtool-coding"),
    ]
}
