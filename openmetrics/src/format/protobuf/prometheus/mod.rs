//! Prometheus' protobuf format: one `io.prometheus.client.MetricFamily` after the other, each behind its length
//! ([text](https://prometheus.io/docs/instrumenting/exposition_formats/#prometheus-protobuf-format),
//! [schema](https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto)).
//!
//! The one format that carries native histograms to every Prometheus that takes them.
//!
//! What it cannot say: numbers are doubles, so integers beyond 2^53 are rounded; timestamps of points have
//! milliseconds; infos and statesets are gauges; exemplars of native histograms need a timestamp, those of classic
//! ones are one a bucket. Histograms of schema -53 are written as the classic buckets they came from (NH-24).
//!
//! When not to use it: where people read the page, and where nothing but counters and gauges is exposed, which text
//! and gzip carry as well.

mod encoder;
#[cfg(test)]
mod oracle;
mod schema;
mod walk;

pub use walk::walk;

use super::assemble::{Assembler, Findings, Rules};
use crate::Error;
use crate::model::MetricSet;

pub(crate) use encoder::Encoder;

const RULES: Rules = Rules {
    family_name: Some("PPB-11"),
    label_set: "PPB-11",
    time: "PPB-11",
    unit: "PPB-11",
    joins_metrics: true,
};

/// Reads a whole exposition. The first broken rule is an error, with the byte where it was broken.
///
/// ```
/// use openmetrics::format::protobuf::prometheus;
///
/// let set = prometheus::decode(b"\x0a\x0a\x02up\x18\x01\x22\x02\x12\x00")?;
/// assert_eq!(set.families[0].descriptor.name(), &"up");
/// let error = prometheus::decode(b"\x0a\x0a\x02up").unwrap_err();
/// assert_eq!(error.rule(), Some("PPB-02"));
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<MetricSet, Error> {
    let mut assembler = Assembler::strict(&RULES);
    walk(bytes, &mut assembler)?;
    Ok(assembler.finish().0)
}

/// Reads what can be read and says what is wrong with the rest.
///
/// ```
/// use openmetrics::format::protobuf::prometheus;
///
/// let (set, findings) = prometheus::decode_lenient(b"\x06\x0a\x02up\x18\x01\x09");
/// assert_eq!(set.families.len(), 1);
/// assert_eq!(findings.first[0].rule, "PPB-02");
/// ```
pub fn decode_lenient(bytes: &[u8]) -> (MetricSet, Findings) {
    let mut assembler = Assembler::lenient(&RULES);
    // A lenient assembler returns no error.
    let _ = walk(bytes, &mut assembler);
    assembler.finish()
}
