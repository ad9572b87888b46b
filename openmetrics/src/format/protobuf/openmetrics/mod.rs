//! OpenMetrics 1.0 as protobuf: one `MetricSet` message
//! ([text](https://prometheus.io/docs/specs/om/open_metrics_spec/#protobuf-format),
//! [schema](https://github.com/prometheus/OpenMetrics/blob/main/proto/openmetrics_data_model.proto)).
//!
//! All eight types as OpenMetrics 1.0 knows them, integers as integers, times to the nanosecond.
//!
//! What it cannot say: native buckets (classic ones are made of them), counters and infos whose name is to be taken
//! verbatim (they are written as unknown and gauge), integers above 2^63 other than those of counters (doubles), an
//! unknown that is a histogram or summary. A summary's count of zero and none at all are one.
//!
//! When not to use it: with Prometheus, which reads [its own protobuf](super::prometheus) and not this.

mod encoder;
#[cfg(test)]
mod oracle;
mod rows;
mod schema;
mod walk;

pub use walk::walk;

use super::assemble::{Assembler, Findings, Rules};
use crate::Error;
use crate::model::MetricSet;

pub(crate) use encoder::Encoder;

const RULES: Rules = Rules {
    family_name: None,
    label_set: "OM1-LAB-04",
    time: "OM1-TS-04",
    unit: "OM1-SYN-11",
    joins_metrics: false,
};

/// Reads a whole exposition. The first broken rule is an error, with the byte where it was broken.
///
/// ```
/// use openmetrics::format::protobuf::openmetrics;
///
/// let set = openmetrics::decode(b"\x0a\x0e\x0a\x02up\x10\x01\x2a\x06\x12\x04\x12\x02\x10\x01")?;
/// assert_eq!(set.families[0].descriptor.name(), &"up");
/// let error = openmetrics::decode(b"\x0a\x02\x10\x01").unwrap_err();
/// assert_eq!(error.rule(), Some("OM1-PB-06"));
/// # Ok::<(), ::openmetrics::Error>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<MetricSet, Error> {
    decode_with(bytes, false)
}

/// The same, with names of any characters if they are allowed.
pub(crate) fn decode_with(bytes: &[u8], utf8_names: bool) -> Result<MetricSet, Error> {
    let mut assembler = Assembler::strict(&RULES);
    walk::walk_with(bytes, utf8_names, &mut assembler)?;
    Ok(assembler.finish().0)
}

/// Reads what can be read and says what is wrong with the rest.
pub fn decode_lenient(bytes: &[u8]) -> (MetricSet, Findings) {
    let mut assembler = Assembler::lenient(&RULES);
    // A lenient assembler returns no error.
    let _ = walk(bytes, &mut assembler);
    assembler.finish()
}
