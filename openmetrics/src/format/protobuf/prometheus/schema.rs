//! The numbers of the fields, as `io/prometheus/client/metrics.proto` of `prometheus/client_model` has them.

use crate::format::protobuf::wire::fields;
use crate::model::MetricType;

fields! {
    metric_family { NAME = 1, HELP = 2, TYPE = 3, METRIC = 4, UNIT = 5 }
    metric { LABEL = 1, GAUGE = 2, COUNTER = 3, SUMMARY = 4, UNTYPED = 5, TIMESTAMP_MS = 6, HISTOGRAM = 7 }
    /// `Untyped` is the same.
    gauge { VALUE = 1 }
    counter { VALUE = 1, EXEMPLAR = 2, CREATED = 3 }
    summary { SAMPLE_COUNT = 1, SAMPLE_SUM = 2, QUANTILE = 3, CREATED = 4 }
    quantile { QUANTILE = 1, VALUE = 2 }
    histogram {
        SAMPLE_COUNT = 1, SAMPLE_SUM = 2, BUCKET = 3, SAMPLE_COUNT_FLOAT = 4, SCHEMA = 5, ZERO_THRESHOLD = 6,
        ZERO_COUNT = 7, ZERO_COUNT_FLOAT = 8, NEGATIVE_SPAN = 9, NEGATIVE_DELTA = 10, NEGATIVE_COUNT = 11,
        POSITIVE_SPAN = 12, POSITIVE_DELTA = 13, POSITIVE_COUNT = 14, CREATED = 15, EXEMPLARS = 16,
    }
    bucket { CUMULATIVE_COUNT = 1, UPPER_BOUND = 2, EXEMPLAR = 3, CUMULATIVE_COUNT_FLOAT = 4 }
    span { OFFSET = 1, LENGTH = 2 }
    exemplar { LABEL = 1, VALUE = 2, TIMESTAMP = 3 }
}

/// The numbers of `MetricType`. Info and stateset have none of their own and are gauges here.
pub(super) const fn type_number(metric_type: MetricType) -> u64 {
    match metric_type {
        MetricType::Counter => 0,
        MetricType::Gauge | MetricType::Info | MetricType::StateSet => 1,
        MetricType::Summary => 2,
        MetricType::Unknown => 3,
        MetricType::Histogram => 4,
        MetricType::GaugeHistogram => 5,
    }
}

/// The type with this number, if one is defined.
pub(super) const fn type_of(number: i32) -> Option<MetricType> {
    Some(match number {
        0 => MetricType::Counter,
        1 => MetricType::Gauge,
        2 => MetricType::Summary,
        3 => MetricType::Unknown,
        4 => MetricType::Histogram,
        5 => MetricType::GaugeHistogram,
        _ => return None,
    })
}

/// The field of `Metric` that has the value of this type (PPB-05).
pub(super) const fn value_field(metric_type: MetricType) -> u32 {
    match metric_type {
        MetricType::Counter => metric::COUNTER,
        MetricType::Gauge | MetricType::Info | MetricType::StateSet => metric::GAUGE,
        MetricType::Summary => metric::SUMMARY,
        MetricType::Unknown => metric::UNTYPED,
        MetricType::Histogram | MetricType::GaugeHistogram => metric::HISTOGRAM,
    }
}
