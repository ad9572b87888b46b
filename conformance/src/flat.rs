//! Sets as lists of numbers, for whatever compares or counts them.

use std::fmt::Write as _;

use openmetrics::model::{
    LabelSet, MetricFamily, MetricPoint, MetricSet, MetricType, MetricValue, Number, SideRef,
};

/// One number of an exposition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Name, labels and what part of the point it is: `a_bucket{le="1"}`, `a{x="1"} start`.
    pub(crate) series: String,
    pub(crate) value: Number,
    /// Whether it only rises.
    pub(crate) is_counter: bool,
}

/// All numbers of a set, in order.
pub(crate) fn samples(set: &MetricSet) -> Vec<Sample> {
    set.families.iter().flat_map(of_family).collect()
}

/// The numbers of a family.
pub(crate) fn of_family(family: &MetricFamily) -> Vec<Sample> {
    let mut all = Vec::new();
    for metric in &family.metrics {
        let several = metric.points.len() > 1;
        for point in &metric.points {
            let at = point.timestamp.filter(|_| several).map_or(String::new(), |time| format!(" @{time}"));
            of_point(family, &metric.labels, point, &at, &mut all);
        }
    }
    all
}

fn of_point(family: &MetricFamily, labels: &LabelSet, point: &MetricPoint, at: &str, all: &mut Vec<Sample>) {
    let name = family.descriptor.name().as_str();
    let kind = family.descriptor.metric_type();
    let is_counter = matches!(kind, MetricType::Counter | MetricType::Histogram | MetricType::Summary);
    let mut add = |suffix: &str, extra: Option<(&str, &str)>, part: &str, value: Number, is_counter: bool| {
        let series = format!("{name}{suffix}{}{part}{at}", with(labels, extra));
        all.push(Sample { series, value, is_counter });
    };
    match &point.value {
        MetricValue::Number(number) => add("", None, "", *number, is_counter),
        MetricValue::StateSet(states) => {
            for (state, on) in states {
                add("", Some((name, state.as_str())), "", Number::from(*on), false);
            }
        }
        MetricValue::Info(facts) => {
            let all_labels = labels.union(facts).unwrap_or_else(|_| labels.clone());
            let series = format!("{name}{}{at}", with(&all_labels, None));
            all.push(Sample { series, value: Number::from(true), is_counter: false });
        }
        MetricValue::Histogram(histogram) => {
            add("_count", None, "", histogram.count, is_counter);
            if let Some(sum) = histogram.sum {
                add("_sum", None, "", sum, is_counter);
            }
            for bucket in histogram.classic.iter().flatten() {
                let bound = bucket.upper_bound.to_string();
                add("_bucket", Some(("le", &bound)), "", bucket.count, is_counter);
            }
            if let Some(native) = &histogram.native {
                let schema = native.schema.number();
                add("", None, " zero bucket", native.zero_count, is_counter);
                for (word, side) in [("positive", &native.positive), ("negative", &native.negative)] {
                    let side: SideRef<'_> = side.borrow();
                    for (index, count) in side.buckets() {
                        add(
                            "",
                            None,
                            &format!(" {word} bucket {index} of schema {schema}"),
                            count,
                            is_counter,
                        );
                    }
                }
            }
        }
        MetricValue::Summary(summary) => {
            for (suffix, value) in [("_count", summary.count), ("_sum", summary.sum)] {
                if let Some(value) = value {
                    add(suffix, None, "", value, is_counter);
                }
            }
            for quantile in &summary.quantiles {
                let text = quantile.quantile.to_string();
                add("", Some(("quantile", &text)), "", quantile.value, false);
            }
        }
        _ => {}
    }
    if let Some(start) = point.start {
        all.push(Sample {
            series: format!("{name}{} start{at}", with(labels, None)),
            value: Number::Float(start.as_f64()),
            is_counter: false,
        });
    }
}

fn with(labels: &LabelSet, extra: Option<(&str, &str)>) -> String {
    let mut out = String::new();
    let all = labels.iter().map(|label| (label.name.as_str(), label.value.as_str()));
    for (name, value) in all.chain(extra) {
        let _ = write!(out, "{}{name}={value:?}", if out.is_empty() { '{' } else { ',' });
    }
    if !out.is_empty() {
        out.push('}');
    }
    out
}
