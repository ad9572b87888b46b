//! Metrics in other shapes than scrapers ask for: `?format=` of the metrics' address.

mod html;
mod protobuf_text;

use openmetrics::format::{Format, encode, json};
use openmetrics::http::{Rendering, View};
use openmetrics::model::{Collector, MetricSet, Report};

/// What `?format=NAME` shows.
static VIEWS: [(&str, Rendering); 5] = [
    ("text", Rendering::Format(Format::TEXT_0_0_4)),
    ("openmetrics", Rendering::Format(Format::OPENMETRICS_1_0)),
    ("protobuf-text", Rendering::View(PROTOBUF_TEXT)),
    ("json", Rendering::View(JSON)),
    ("html", Rendering::View(HTML)),
];

const JSON: View = View {
    name: "json",
    content_type: "application/json",
    render: |collector| owned(collector, json::to_string),
};
const PROTOBUF_TEXT: View = View {
    name: "protobuf-text",
    content_type: "text/plain; charset=utf-8",
    render: |collector| {
        let mut page = Vec::new();
        let report = encode(collector, Format::PROMETHEUS_PROTOBUF, &mut page);
        (protobuf_text::show(&page).into_bytes(), report)
    },
};
pub(crate) const HTML: View = View {
    name: "html",
    content_type: "text/html; charset=utf-8",
    render: |collector| owned(collector, html::page),
};

pub(crate) fn by_name(name: &str) -> Option<Rendering> {
    VIEWS.iter().find(|(known, _)| *known == name).map(|(_, rendering)| *rendering)
}

/// All names, for an error.
pub(crate) fn names() -> String {
    VIEWS.map(|(name, _)| name).join(", ")
}

fn owned(collector: &dyn Collector, render: fn(&MetricSet) -> String) -> (Vec<u8>, Report) {
    let (set, report) = MetricSet::collect_from(collector);
    (render(&set).into_bytes(), report)
}

/// The content security policy of the HTML view.
pub(crate) fn policy() -> String {
    html::policy()
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmetrics::model::{
        Descriptor, Exemplar, LabelSet, Metric, MetricFamily, MetricPoint, MetricType, MetricValue, Timestamp,
    };

    pub(super) fn set() -> MetricSet {
        let mut point = MetricPoint::new(MetricValue::Number(7_u64.into()));
        point.exemplars.push(Exemplar {
            labels: LabelSet::from_pairs([("trace_id", "<i>")]).unwrap(),
            value: 0.5.into(),
            timestamp: Some(Timestamp::from_seconds(1)),
        });
        let labels = LabelSet::from_pairs([("path", "</script><script>alert(1)")]).unwrap();
        let descriptor = Descriptor::literal("hits", MetricType::Counter, "Hits & <b>misses</b>.");
        let many = Descriptor::literal("many", MetricType::Gauge, "");
        let metric = |n: usize| Metric {
            labels: LabelSet::from_pairs([("n", n.to_string())]).unwrap(),
            points: vec![MetricPoint::new(MetricValue::Number(n.into()))],
        };
        MetricSet {
            families: vec![
                MetricFamily { descriptor, metrics: vec![Metric { labels, points: vec![point] }] },
                MetricFamily { descriptor: many, metrics: (0..300).map(metric).collect() },
            ],
        }
    }

    #[test]
    fn every_name_has_its_view() {
        for name in ["text", "openmetrics", "protobuf-text", "json", "html"] {
            assert!(by_name(name).is_some(), "{name}");
        }
        assert!(by_name("xml").is_none());
        let Some(Rendering::View(view)) = by_name("protobuf-text") else { panic!("a view") };
        let text = String::from_utf8((view.render)(&set()).0).unwrap();
        assert!(
            text.starts_with(
                "name: \"hits_total\"\nhelp: \"Hits & <b>misses</b>.\"\ntype: COUNTER\nmetric {\n  label {\n    name: \"path\""
            ) || text.starts_with("name: \"hits\""),
            "{text}"
        );
        assert!(text.contains("  counter {\n    value: 7\n    exemplar {\n"), "{text}");
    }
}
