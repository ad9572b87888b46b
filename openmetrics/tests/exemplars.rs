//! Exemplars of live metrics, from the event to the page of every format that has them.

#![cfg(feature = "parse")]

use openmetrics::format::{Format, decode, encode};
use openmetrics::instrument::SpanContext;
use openmetrics::model::MetricSet;
use openmetrics::{Counter, Family, Histogram, Registry};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn page(registry: &Registry, format: Format) -> Vec<u8> {
    let mut page = Vec::new();
    encode(registry, format, &mut page);
    page
}

fn read(registry: &Registry, format: Format) -> MetricSet {
    decode(&page(registry, format), format).expect("what we write can be read")
}

/// The exemplars of the family called `name`: labels and value.
fn exemplars(set: &MetricSet, name: &str) -> Vec<String> {
    let family =
        set.families.iter().find(|family| family.descriptor.name().as_str() == name).expect("it is there");
    let points = family.metrics.iter().flat_map(|metric| &metric.points);
    let exemplars = points.flat_map(|point| &point.exemplars);
    exemplars
        .map(|exemplar| {
            assert!(
                exemplar.timestamp.is_some(),
                "Prometheus takes no exemplar of a native histogram without"
            );
            format!("{} {}", exemplar.labels, exemplar.value.as_f64())
        })
        .collect()
}

#[test]
fn every_format_that_has_exemplars_has_these() {
    let registry = Registry::new();
    let jobs = registry.counter("jobs", "Jobs done.").unwrap();
    let latency: Histogram =
        registry.metric("latency", "Time it took.").buckets([1.0, 2.0]).exemplars(true).register().unwrap();
    let by_kind: Family<[&str; 1], Counter> =
        registry.metric("kinds", "By kind.").labels(["kind"]).exemplars(true).register().unwrap();

    jobs.inc_by_with_exemplar(3, &[("job", "a")]);
    latency.observe(0.5); // in no span
    latency.observe_with_exemplar(1.5, &[("job", "b")]);
    let span = SpanContext::from_hex(TRACE, "00f067aa0ba902b7").unwrap();
    {
        let _entered = span.enter();
        latency.observe(1.25); // its bucket has one already
        latency.observe(7.0);
        by_kind.with(["new"]).inc();
    }
    let of_span = |value: &str| format!("{{span_id=\"00f067aa0ba902b7\",trace_id=\"{TRACE}\"}} {value}");
    for format in [Format::OPENMETRICS_1_0, Format::OPENMETRICS_2_0, Format::PROMETHEUS_PROTOBUF] {
        let set = read(&registry, format);
        assert_eq!(exemplars(&set, "jobs"), [r#"{job="a"} 3"#], "{format:?}");
        assert_eq!(exemplars(&set, "latency"), [r#"{job="b"} 1.5"#.to_owned(), of_span("7")], "{format:?}");
        assert_eq!(exemplars(&set, "kinds"), [of_span("1")], "{format:?}");
    }
    let text = String::from_utf8(page(&registry, Format::OPENMETRICS_1_0)).unwrap();
    assert!(text.contains("latency_bucket{le=\"2.0\"} 3 # {job=\"b\"} 1.5 "), "{text}");
    let plain = String::from_utf8(page(&registry, Format::TEXT_0_0_4)).unwrap();
    assert!(!plain.contains(TRACE), "the old text format has no exemplars");
}

#[test]
fn a_series_that_takes_the_place_of_another_has_none_of_its_exemplars() {
    let registry = Registry::new();
    let kinds: Family<[&str; 1], Counter> =
        registry.metric("kinds", "By kind.").labels(["kind"]).register().unwrap();
    for n in 0..100 {
        let kind = n.to_string();
        kinds.with([&kind]).inc_by_with_exemplar(1, &[("n", &kind)]);
        assert_eq!(
            exemplars(&read(&registry, Format::OPENMETRICS_1_0), "kinds"),
            [format!("{{n=\"{n}\"}} 1")]
        );
        kinds.remove([&kind]);
        kinds.with(["plain"]).inc();
        assert_eq!(exemplars(&read(&registry, Format::OPENMETRICS_1_0), "kinds"), [""; 0]);
        kinds.remove(["plain"]);
    }
}

#[test]
fn a_reset_forgets_exemplars() {
    let registry = Registry::new();
    let jobs = registry.counter("jobs", "Jobs done.").unwrap();
    let latency = registry.histogram("latency", "Time it took.").unwrap();
    jobs.inc_by_with_exemplar(1, &[("job", "a")]);
    latency.observe_with_exemplar(1.5, &[("job", "a")]);
    jobs.reset();
    latency.reset();
    let set = read(&registry, Format::PROMETHEUS_PROTOBUF);
    assert_eq!(exemplars(&set, "jobs"), [""; 0]);
    assert_eq!(exemplars(&set, "latency"), [""; 0]);
}
