//! Which series an exposition has, in words that are the same in all formats.

use std::collections::BTreeSet;

use openmetrics::format::Escaping;
use openmetrics::model::{LabelSet, MetricSet, MetricType, MetricValue};

/// The series of an exposition, comparable between formats.
///
/// Formats differ in what they can say: types, suffixes, native buckets, start timestamps as samples, names outside the
/// classic grammar. So a histogram or summary is one series here, whatever its buckets; names have no suffix of a
/// type and are escaped with underscores; start timestamps are no series.
pub(super) fn of(set: &MetricSet) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for family in &set.families {
        let kind = family.descriptor.metric_type();
        let name = Escaping::Underscores.escape(family.descriptor.name().as_str()).into_owned();
        let plain =
            matches!(kind, MetricType::Gauge | MetricType::Unknown | MetricType::Counter | MetricType::Info);
        // What other formats say beside the value itself, where this one has a gauge for it.
        if plain && ["_created", "_gcount", "_gsum"].iter().any(|suffix| name.ends_with(suffix)) {
            continue;
        }
        let stem = ["_total", "_info"].iter().find_map(|suffix| name.strip_suffix(suffix).filter(|_| plain));
        let stem = stem.unwrap_or(&name);
        for metric in &family.metrics {
            let labels = labels(&metric.labels);
            match metric.points.last().map(|point| &point.value) {
                Some(MetricValue::StateSet(states)) => {
                    for (state, _) in states {
                        all.insert(series(stem, labels.clone(), Some((&name, state.as_str()))));
                    }
                }
                Some(MetricValue::Info(facts)) => {
                    let mut labels = labels;
                    labels.extend(self::labels(facts));
                    all.insert(series(stem, labels, None));
                }
                _ => {
                    all.insert(series(stem, labels, None));
                }
            }
        }
    }
    all
}

fn labels(labels: &LabelSet) -> BTreeSet<(String, String)> {
    labels
        .iter()
        // An empty value is no label (OM1-LAB-03).
        .filter(|label| !label.value.as_str().is_empty())
        .map(|label| {
            let name = Escaping::Underscores.escape(label.name.as_str()).replace(':', "_");
            (name, label.value.as_str().to_owned())
        })
        .collect()
}

fn series(name: &str, mut labels: BTreeSet<(String, String)>, state: Option<(&str, &str)>) -> String {
    if let Some((name, state)) = state {
        labels.insert((name.to_owned(), state.to_owned()));
    }
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmetrics::format::{Format, decode, encode};

    #[test]
    fn all_formats_of_one_set_have_the_same_series() {
        let text = "# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 1\n# TYPE b histogram\n\
            b_bucket{le=\"1.0\"} 1\nb_bucket{le=\"+Inf\"} 2\nb_count 2\nb_sum 3\n# TYPE c stateset\n\
            c{c=\"on\"} 1\nc{c=\"off\"} 0\n# TYPE d info\nd_info{v=\"1\"} 1\n# TYPE e gaugehistogram\n\
            e_bucket{le=\"+Inf\"} 2\ne_gcount 2\ne_gsum 1\n# TYPE f summary\nf{quantile=\"0.5\"} 1\nf_sum 1\nf_count 1\n# EOF\n";
        let set = decode(text.as_bytes(), Format::OPENMETRICS_1_0).unwrap();
        let wanted = of(&set);
        assert_eq!(
            wanted.iter().map(String::as_str).collect::<Vec<_>>(),
            ["a{x=\"1\"}", "b", "c{c=\"off\"}", "c{c=\"on\"}", "d{v=\"1\"}", "e", "f"]
        );
        for format in [
            Format::TEXT_0_0_4,
            Format::TEXT_1_0_0,
            Format::OPENMETRICS_2_0,
            Format::PROMETHEUS_PROTOBUF,
            Format::OPENMETRICS_PROTOBUF,
        ] {
            let mut out = Vec::new();
            encode(&set, format, &mut out);
            assert_eq!(of(&decode(&out, format).unwrap()), wanted, "{format}");
        }
    }
}
