//! The numbers of the fields, as `proto/openmetrics_data_model.proto` of `prometheus/OpenMetrics` has them.

use crate::format::protobuf::wire::fields;
use crate::model::MetricType;

fields! {
    metric_set { FAMILIES = 1 }
    metric_family { NAME = 1, TYPE = 2, UNIT = 3, HELP = 4, METRICS = 5 }
    metric { LABELS = 1, POINTS = 2 }
    metric_point {
        UNKNOWN = 1, GAUGE = 2, COUNTER = 3, HISTOGRAM = 4, STATE_SET = 5, INFO = 6, SUMMARY = 7, TIMESTAMP = 8,
    }
    /// `UnknownValue` is the same.
    gauge { DOUBLE = 1, INT = 2 }
    counter { DOUBLE = 1, INT = 2, CREATED = 3, EXEMPLAR = 4 }
    histogram { SUM_DOUBLE = 1, SUM_INT = 2, COUNT = 3, CREATED = 4, BUCKETS = 5 }
    bucket { COUNT = 1, UPPER_BOUND = 2, EXEMPLAR = 3 }
    exemplar { VALUE = 1, TIMESTAMP = 2, LABEL = 3 }
    state_set { STATES = 1 }
    state { ENABLED = 1, NAME = 2 }
    info { INFO = 1 }
    summary { SUM_DOUBLE = 1, SUM_INT = 2, COUNT = 3, CREATED = 4, QUANTILE = 5 }
    quantile { QUANTILE = 1, VALUE = 2 }
}

/// The numbers of `MetricType`.
pub(super) const fn type_number(metric_type: MetricType) -> u64 {
    match metric_type {
        MetricType::Unknown => 0,
        MetricType::Gauge => 1,
        MetricType::Counter => 2,
        MetricType::StateSet => 3,
        MetricType::Info => 4,
        MetricType::Histogram => 5,
        MetricType::GaugeHistogram => 6,
        MetricType::Summary => 7,
    }
}

/// The type with this number, if one is defined.
pub(super) fn type_of(number: i32) -> Option<MetricType> {
    MetricType::ALL.into_iter().find(|&metric_type| u64::try_from(number) == Ok(type_number(metric_type)))
}

/// The field of `MetricPoint` that has the value of this type (OM1-PB-05).
pub(super) const fn value_field(metric_type: MetricType) -> u32 {
    match metric_type {
        MetricType::Unknown => metric_point::UNKNOWN,
        MetricType::Gauge => metric_point::GAUGE,
        MetricType::Counter => metric_point::COUNTER,
        MetricType::StateSet => metric_point::STATE_SET,
        MetricType::Info => metric_point::INFO,
        MetricType::Histogram | MetricType::GaugeHistogram => metric_point::HISTOGRAM,
        MetricType::Summary => metric_point::SUMMARY,
    }
}
