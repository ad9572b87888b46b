//! The vocabulary that everything here speaks: plain data, no atomics, no input or output.
//!
//! | word | type |
//! |---|---|
//! | metric family: name, type, help, unit | [`Descriptor`], owned with its metrics [`MetricFamily`] |
//! | metric: a label set within a family | [`Labels`] (borrowed), [`LabelSet`] (owned), [`Metric`] |
//! | point: what a metric measured at one time | [`Point`] (borrowed), [`MetricPoint`] (owned) |
//! | exposition: all families of a target | [`MetricSet`] |
//!
//! Data flows out of a [`Collector`] through an [`Emitter`], which checks it, into a [`Sink`], such as an encoder.
//! A [`MetricSet`] is a collector and [`MetricSet::collect_from`] a sink, so what was read can be written again.
//!
//! No wire format's words are in here: `_total` and `_bucket`, deltas and end markers belong to `format`.

#![allow(dead_code, unused_imports)]

mod claims;
mod emit;
mod family;
mod label;
mod name;
mod native;
mod point;
mod recall;
mod report;
mod rows;
mod table;
mod text;
pub mod units;
mod value;

pub use emit::{Collected, Collector, Emitter, FamilyEmitter, Sink, collect_into};
pub use family::{Descriptor, Metric, MetricFamily, MetricSet, MetricType, Naming, Unit};
pub use label::{Iter as LabelsIter, Label, LabelSet, Labels};
pub use name::{LabelName, MetricName, is_classic_label_name, is_classic_metric_name};
pub use native::{Counts, CountsBuf, NativeBuckets, NativeBucketsRef, Schema, Side, SideRef, Span};
pub use point::{
    ClassicBucket, Histogram, HistogramValue, MetricPoint, MetricValue, Point, Quantile, State, Summary,
    SummaryValue, Value,
};
pub use report::{Refusal, Report};
#[doc(hidden)]
pub use rows::Rows;
pub use table::LabelTable;
pub use text::Text;
pub use value::{Exemplar, ExemplarRef, Number, Timestamp};

pub(crate) use claims::Claims;
pub(crate) use emit::reserved_label;
pub(crate) use family::unit_is_suffix;
pub(crate) use label::{
    Part, Rendered, escape, render, render_protobuf, render_protobuf_label, render_protobuf_renamed, varint,
    varint_len,
};
pub(crate) use native::{FINEST_RAISE, finest_index, merged_bucket, raised_finest_index};
pub(crate) use rows::{Drawing, Image, Place, Row};
