//! Expositions: every format that Prometheus and OpenMetrics know, negotiated, written and read.
//!
//! | format | media type and version | says | text |
//! |---|---|---|---|
//! | [`Format::TEXT_0_0_4`] | `text/plain; version=0.0.4` | counter, gauge, classic histogram, summary | [Prometheus text](https://prometheus.io/docs/instrumenting/exposition_formats/#prometheus-text-format) |
//! | [`Format::TEXT_1_0_0`] | `text/plain; version=1.0.0` | the same, UTF-8 names quoted | the same |
//! | [`Format::OPENMETRICS_1_0`] | `application/openmetrics-text; version=1.0.0` | all eight types, units, exemplars, created; no native buckets | [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/) |
//! | [`Format::OPENMETRICS_2_0`] | `application/openmetrics-text; version=2.0.0` | all of the model | [OpenMetrics 2.0-rc0](https://prometheus.io/docs/specs/om/open_metrics_spec_2_0/) |
//! | [`Format::PROMETHEUS_PROTOBUF`] | `application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited` | counter, gauge, unknown, summary, classic and native histograms | [Prometheus protobuf](https://prometheus.io/docs/instrumenting/exposition_formats/#prometheus-protobuf-format), see [`protobuf::prometheus`] |
//! | [`Format::OPENMETRICS_PROTOBUF`] | `application/openmetrics-protobuf; version=1.0.0` | as OpenMetrics 1.0 text | [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/#protobuf-format), see [`protobuf::openmetrics`] |
//! | `Format::JSON`, a feature | `application/json`, never negotiated | all of the model | `format::json` |
//!
//! [`encode`] writes any [`Collector`] in any of them; [`negotiate()`] finds the one that a scraper asks for.

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(feature = "parse")]
mod convert;
pub mod escape;
#[cfg(feature = "gzip")]
pub mod gzip;
#[cfg(feature = "json")]
pub mod json;
mod native;
pub mod negotiate;
mod pen;
pub mod protobuf;
mod text;
#[cfg(feature = "zstd")]
pub mod zstd;

use std::fmt;

#[cfg(feature = "parse")]
pub use convert::{Loss, Lost, convert, losses};
pub use escape::Escaping;
pub use negotiate::{Coding, negotiate, negotiate_coding};
pub use text::Dialect;
#[cfg(feature = "parse")]
pub use text::{assemble, entries};

use crate::model::{Collector, Report, collect_into};

/// A format of expositions: media type, version, and how names outside the classic grammar are written.
///
/// ```
/// use openmetrics::format::{Escaping, Format};
///
/// let format = Format::OPENMETRICS_1_0.with_escaping(Escaping::AllowUtf8);
/// assert_eq!(
///     format.content_type(),
///     "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
/// );
/// assert_eq!(Format::TEXT_0_0_4.content_type(), "text/plain; version=0.0.4; charset=utf-8");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    wire: Wire,
    escaping: Escaping,
}

/// What the bytes look like, names aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wire {
    Text0,
    Text1,
    /// The draft that came before OpenMetrics 1.0: the same text under its own number, as old scrapers ask for it.
    OpenMetrics0,
    OpenMetrics1,
    OpenMetrics2,
    PrometheusProtobuf,
    OpenMetricsProtobuf,
    #[cfg(feature = "json")]
    Json,
}

impl Format {
    /// The formats that endpoints serve, texts first: what is to hold for each is asked of all.
    pub const SERVED: [Self; 6] = [
        Self::TEXT_0_0_4,
        Self::TEXT_1_0_0,
        Self::OPENMETRICS_1_0,
        Self::OPENMETRICS_2_0,
        Self::PROMETHEUS_PROTOBUF,
        Self::OPENMETRICS_PROTOBUF,
    ];
    /// Prometheus text 0.0.4, what everything understands; the fallback of every negotiation.
    ///
    /// ```text
    /// # HELP requests_total Requests served.
    /// # TYPE requests_total counter
    /// requests_total{code="200"} 17
    /// ```
    ///
    /// Not in it, and what is written instead:
    ///
    /// * infos and statesets: gauges of 1 and 0, the state in a label called like the family;
    /// * gauge histograms: a histogram of the buckets, and gauges `_gcount` and `_gsum` after it;
    /// * unknown: `untyped`; units, exemplars, integers told from floats: nothing;
    /// * native histograms: classic buckets with powers of two as bounds, see below;
    /// * timestamps finer than milliseconds: rounded down; start timestamps: only as an [option](Options).
    ///
    /// When not to use it: where a scraper can have [OpenMetrics](Format::OPENMETRICS_1_0) or
    /// [protobuf](Format::PROMETHEUS_PROTOBUF), which say all of that. Negotiation finds out.
    ///
    /// # Native histograms in formats without them
    ///
    /// Classic buckets of the histogram's own are written if it has them. Otherwise native buckets are merged, exactly, until
    /// each bound is twice the one before (or 4, 16, 256, 65,536 times, while there are more than 32 on one side of zero).
    /// All bounds between the lowest and highest in use appear. The zero bucket ends at its threshold; infinite and NaN
    /// observations are in `+Inf` only; an observation of exactly a negative bucket's upper bound counts one bucket higher.
    pub const TEXT_0_0_4: Self = Self::of(Wire::Text0, Escaping::Underscores);
    /// Prometheus text 1.0.0: as [0.0.4](Format::TEXT_0_0_4), with UTF-8 names in quotes.
    ///
    /// ```text
    /// # TYPE "http.requests_total" counter
    /// {"http.requests_total","service.name"="a"} 17
    /// ```
    ///
    /// When not to use it: for scrapers older than Prometheus 3, which cannot read the quotes.
    pub const TEXT_1_0_0: Self = Self::of(Wire::Text1, Escaping::AllowUtf8);
    /// OpenMetrics 1.0 text.
    ///
    /// ```text
    /// # TYPE requests counter
    /// # HELP requests Requests served.
    /// requests_total{code="200"} 17 # {trace_id="4bf92f35"} 1 1520879607.789
    /// # EOF
    /// ```
    ///
    /// Not in it, and what is written instead:
    ///
    /// * native histograms: classic buckets, by the rule of [0.0.4](Format::TEXT_0_0_4);
    /// * counters and infos whose name is [verbatim](crate::model::Naming::Verbatim) and lacks `_total` or `_info`: unknowns
    ///   and gauges;
    /// * a unit that the name does not end in (OM1-FAM-11), an exemplar of more than 128 characters (OM1-EX-03), all but the
    ///   last exemplar of a counter or bucket, a sum beside bounds below zero (OM1-HIS-10): left out;
    /// * counters that are NaN or negative, sums that are (OM1-HIS-09), histogram counts that are no integers, histograms of
    ///   unknown type: refused, by the rule's id in the [`Report`].
    ///
    /// With [`Escaping::AllowUtf8`] names are quoted as in text 1.0.0, which Prometheus 3 asks for though the
    /// specification of 1.0 does not know it.
    ///
    /// When not to use it: for readers that know 0.0.4 only, and for native histograms.
    pub const OPENMETRICS_1_0: Self = Self::of(Wire::OpenMetrics1, Escaping::Underscores);
    /// OpenMetrics 2.0-rc0 text. Still a draft, so negotiation gives it only to who asks for the version.
    ///
    /// ```text
    /// # TYPE latency_seconds histogram
    /// # UNIT latency_seconds seconds
    /// latency_seconds {count:17,sum:3.5,bucket:[0.1:8,1.0:17,+Inf:17]} st@1520430000.123
    /// # EOF
    /// ```
    ///
    /// It says all of the model, with these exceptions: exemplars without timestamp are left out (OM2-EX-01); histograms and
    /// summaries without sum or count (OM2-HIS-02, OM2-SUM-01) and counters that are NaN or negative are refused; native
    /// buckets of custom bounds are written as the classic ones that they are (NH-24).
    ///
    /// When not to use it: in production, until scrapers ask for it.
    pub const OPENMETRICS_2_0: Self = Self::of(Wire::OpenMetrics2, Escaping::AllowUtf8);
    /// Prometheus protobuf: delimited `MetricFamily` messages, with native histograms.
    ///
    /// Not in it, and what is written instead: infos and statesets are gauges, numbers are doubles, timestamps are whole
    /// milliseconds, native buckets of custom bounds are the classic ones that they are (NH-24). Refused are classic buckets
    /// whose bounds do not rise or whose counts fall (PPB-06, PPB-07), and native ones that break the rules of these.
    ///
    /// When not to use it: for people to read, and for readers other than Prometheus and its like.
    pub const PROMETHEUS_PROTOBUF: Self = Self::of(Wire::PrometheusProtobuf, Escaping::AllowUtf8);
    /// OpenMetrics 1.0 as protobuf: one `MetricSet` message.
    pub const OPENMETRICS_PROTOBUF: Self = Self::of(Wire::OpenMetricsProtobuf, Escaping::Underscores);

    /// The model as [JSON](json), for tools: nothing lost, never negotiated. A feature, `json`.
    ///
    /// ```json
    /// {"families":[{"name":"up","type":"gauge","metrics":[{"labels":{},"points":[{"value":{"number":1}}]}]}]}
    /// ```
    #[cfg(feature = "json")]
    pub const JSON: Self = Self::of(Wire::Json, Escaping::AllowUtf8);

    const fn of(wire: Wire, escaping: Escaping) -> Self {
        Self { wire, escaping }
    }

    /// The same format with names written another way.
    #[must_use]
    pub const fn with_escaping(mut self, escaping: Escaping) -> Self {
        self.escaping = escaping;
        self
    }

    /// How names outside the classic grammar are written.
    pub const fn escaping(self) -> Escaping {
        self.escaping
    }

    /// The value of `Content-Type`: media type, version, charset, and the escaping where the format has a choice.
    pub fn content_type(self) -> String {
        let row = self.wire.row();
        // 0.0.4 was there before the schemes; its readers take names that are escaped without being told.
        if self.wire == Wire::Text0 && self.escaping == Escaping::Underscores {
            return row.content_type.to_owned();
        }
        #[cfg(feature = "json")]
        if self.wire == Wire::Json {
            return row.content_type.to_owned(); // JSON escapes in its own way
        }
        format!("{}; escaping={}", row.content_type, self.escaping)
    }
}

impl fmt::Display for Format {
    /// The content type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.content_type())
    }
}

/// One line of the table of formats; negotiation and `Content-Type` read it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) wire: Wire,
    pub(crate) content_type: &'static str,
    /// Media type in lower case.
    pub(crate) media_type: &'static str,
    /// The `version` parameter.
    pub(crate) version: &'static str,
    /// Whether a range without version means this row.
    pub(crate) unversioned: bool,
    /// Other parameters that a range has to have, in lower case.
    pub(crate) required: &'static [(&'static str, &'static str)],
    /// Whether `*/*` and `type/*` may give it.
    pub(crate) by_wildcard: bool,
    /// Whether the `escaping` of another range counts where its own has none. Prometheus says it beside its text
    /// formats only, and means protobuf as well.
    pub(crate) escaping_from_others: bool,
}

/// JSON's row, which is none of those that are negotiated.
#[cfg(feature = "json")]
static JSON: Row = Row {
    wire: Wire::Json,
    content_type: "application/json",
    media_type: "application/json",
    version: "",
    unversioned: true,
    required: &[],
    by_wildcard: false,
    escaping_from_others: false,
};

/// Every format that scrapers ask for, the preferred ones first where a header leaves the choice.
pub(crate) static ROWS: &[Row] = &[
    Row {
        wire: Wire::Text0,
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        media_type: "text/plain",
        version: "0.0.4",
        unversioned: true,
        required: &[],
        by_wildcard: true,
        escaping_from_others: false,
    },
    Row {
        wire: Wire::OpenMetrics1,
        content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
        media_type: "application/openmetrics-text",
        version: "1.0.0",
        unversioned: true,
        required: &[],
        by_wildcard: true,
        escaping_from_others: false,
    },
    Row {
        wire: Wire::Text1,
        content_type: "text/plain; version=1.0.0; charset=utf-8",
        media_type: "text/plain",
        version: "1.0.0",
        unversioned: false,
        required: &[],
        by_wildcard: true,
        escaping_from_others: false,
    },
    Row {
        wire: Wire::OpenMetrics0,
        content_type: "application/openmetrics-text; version=0.0.1; charset=utf-8",
        media_type: "application/openmetrics-text",
        version: "0.0.1",
        unversioned: false,
        required: &[],
        by_wildcard: false,
        escaping_from_others: false,
    },
    Row {
        wire: Wire::OpenMetrics2,
        content_type: "application/openmetrics-text; version=2.0.0; charset=utf-8",
        media_type: "application/openmetrics-text",
        version: "2.0.0",
        unversioned: false,
        required: &[],
        by_wildcard: false,
        escaping_from_others: false,
    },
    Row {
        wire: Wire::PrometheusProtobuf,
        content_type: "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        media_type: "application/vnd.google.protobuf",
        version: "",
        unversioned: false,
        required: &[("proto", "io.prometheus.client.metricfamily"), ("encoding", "delimited")],
        by_wildcard: false,
        escaping_from_others: true,
    },
    Row {
        wire: Wire::OpenMetricsProtobuf,
        content_type: "application/openmetrics-protobuf; version=1.0.0",
        media_type: "application/openmetrics-protobuf",
        version: "1.0.0",
        unversioned: true,
        required: &[],
        by_wildcard: false,
        escaping_from_others: true,
    },
];

impl Wire {
    fn row(self) -> &'static Row {
        #[cfg(feature = "json")]
        if self == Self::Json {
            return &JSON;
        }
        ROWS.iter().find(|row| row.wire == self).expect("every wire has its row, as a test shows")
    }
}

/// Reads a whole exposition, strictly: whatever breaks a rule is an error, with the rule's id and the place.
///
/// For all that is wrong, and for what can be read nevertheless, see [`assemble`]; for line after line without copies,
/// [`entries`].
///
/// ```
/// use openmetrics::format::{Format, decode};
///
/// let set = decode(b"# TYPE a counter\na_total 1\n# EOF\n", Format::OPENMETRICS_1_0)?;
/// assert_eq!(set.family("a").unwrap().metrics.len(), 1);
/// let error = decode(b"# TYPE a counter\na_total -1\n# EOF\n", Format::OPENMETRICS_1_0).unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 9: a counter is not negative [OM1-CNT-04]");
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[cfg(feature = "parse")]
pub fn decode(bytes: &[u8], format: Format) -> Result<crate::model::MetricSet, crate::Error> {
    match format.wire {
        Wire::PrometheusProtobuf => protobuf::prometheus::decode(bytes),
        Wire::OpenMetricsProtobuf => {
            protobuf::openmetrics::decode_with(bytes, format.escaping == Escaping::AllowUtf8)
        }
        Wire::Text0 | Wire::Text1 => assemble::decode(bytes, Dialect::Prometheus),
        Wire::OpenMetrics0 | Wire::OpenMetrics1 if format.escaping == Escaping::AllowUtf8 => {
            assemble::Checker::new(bytes, Dialect::OpenMetrics1).with_quoted_names().decode()
        }
        Wire::OpenMetrics0 | Wire::OpenMetrics1 => assemble::decode(bytes, Dialect::OpenMetrics1),
        Wire::OpenMetrics2 => assemble::decode(bytes, Dialect::OpenMetrics2),
        #[cfg(feature = "json")]
        Wire::Json => json::from_slice(bytes),
    }
}

/// What a writer may leave out or add. All are off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Whether text formats write start timestamps as samples of their own, `x_created`. They cost a line for each
    /// counter, histogram and summary, and Prometheus stores them as series unless told otherwise. OpenMetrics 2.0 and
    /// protobuf have a place for them and always say them.
    pub created_samples: bool,
}

impl Options {
    /// With `x_created` samples in text formats.
    #[must_use]
    pub const fn with_created_samples(mut self, created: bool) -> Self {
        self.created_samples = created;
        self
    }
}

/// Appends a whole exposition of what `collector` has now, and says what the format could not take.
///
/// ```
/// use openmetrics::format::{Format, encode};
/// use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricType};
///
/// struct Requests;
/// static REQUESTS: Descriptor = Descriptor::literal("requests", MetricType::Counter, "Requests served.");
/// impl Collector for Requests {
///     fn collect(&self, out: &mut Emitter<'_>) -> Collected {
///         out.family(&REQUESTS).point(Labels::new(&[("code", "200")]), 17_u64);
///         Ok(())
///     }
/// }
/// let mut page = Vec::new();
/// let report = encode(&Requests, Format::OPENMETRICS_1_0, &mut page);
/// assert!(report.is_clean());
/// assert_eq!(
///     String::from_utf8(page)?,
///     "# TYPE requests counter\n# HELP requests Requests served.\nrequests_total{code=\"200\"} 17\n# EOF\n"
/// );
/// # Ok::<(), std::string::FromUtf8Error>(())
/// ```
pub fn encode(collector: &dyn Collector, format: Format, out: &mut Vec<u8>) -> Report {
    encode_with(collector, format, Options::default(), out)
}

/// The same with [`Options`].
pub fn encode_with(collector: &dyn Collector, format: Format, options: Options, out: &mut Vec<u8>) -> Report {
    let dialect = match format.wire {
        Wire::Text0 | Wire::Text1 => text::Dialect::Prometheus,
        Wire::OpenMetrics0 | Wire::OpenMetrics1 => text::Dialect::OpenMetrics1,
        Wire::OpenMetrics2 => text::Dialect::OpenMetrics2,
        #[cfg(feature = "json")]
        Wire::Json => {
            let (set, report) = crate::model::MetricSet::collect_from(collector);
            json::append(&set, out);
            return report;
        }
        Wire::PrometheusProtobuf => {
            let mut encoder = protobuf::prometheus::Encoder::new(out, format.escaping);
            let report = collect_into(collector, &mut encoder);
            encoder.finish();
            return report;
        }
        Wire::OpenMetricsProtobuf => {
            let mut encoder = protobuf::openmetrics::Encoder::new(out, format.escaping);
            let report = collect_into(collector, &mut encoder);
            encoder.finish();
            return report;
        }
    };
    let mut encoder = text::Encoder::new(out, dialect, format.escaping, options);
    let report = collect_into(collector, &mut encoder);
    encoder.finish();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wire_has_a_row_and_says_its_content_type() {
        use Wire::{
            OpenMetrics0, OpenMetrics1, OpenMetrics2, OpenMetricsProtobuf, PrometheusProtobuf, Text0, Text1,
        };
        let shown =
            [Text0, Text1, OpenMetrics0, OpenMetrics1, OpenMetrics2, PrometheusProtobuf, OpenMetricsProtobuf]
                .map(|wire| Format::of(wire, Escaping::Underscores).to_string());
        assert_eq!(
            shown,
            [
                "text/plain; version=0.0.4; charset=utf-8",
                "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
                "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores",
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
                "application/openmetrics-text; version=2.0.0; charset=utf-8; escaping=underscores",
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; \
                 escaping=underscores",
                "application/openmetrics-protobuf; version=1.0.0; escaping=underscores",
            ]
        );
        assert_eq!(ROWS.len(), shown.len());
    }

    #[test]
    fn what_a_format_is_called_asks_for_it() {
        for row in ROWS {
            let format = Format::of(row.wire, Escaping::Values);
            assert_eq!(negotiate(Some(&format.content_type())), format);
        }
    }
}
