//! Native histograms beside Prometheus' Go client: the observations of its published test table (`client_golang`,
//! `prometheus/histogram_test.go`, `TestNativeHistogram`) lead to the same schema, zero bucket, spans and counts.
//!
//! Those of its cases that need a clock are not here; what a reset does is shown in `histograms.rs`.

use openmetrics::instrument::{Histogram, Native};
use openmetrics::model::{MetricSet, MetricValue, Number, Side, Span};
use openmetrics::registry::Registry;

/// Offset and length of each span, and the counts of all buckets in them.
type Spans = (&'static [(i32, u32)], &'static [u64]);

/// The zero threshold where none is set.
const TWO_TO_MINUS_128: f64 = 1.0 / (1_u128 << 127) as f64 / 2.0;

struct Case {
    name: &'static str,
    values: &'static [f64],
    factor: f64,
    zero_threshold: Option<f64>,
    max_buckets: Option<u32>,
    max_zero_threshold: f64,
    count: u64,
    sum: f64,
    schema: i32,
    threshold: f64,
    zero_count: u64,
    positive: Spans,
    negative: Spans,
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "no observations", values: &[], factor: 1.1, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 0, sum: 0.0, schema: 3, threshold: TWO_TO_MINUS_128, zero_count: 0, positive: (&[], &[]), negative: (&[], &[]) },
    Case { name: "no observations and zero threshold of zero resulting in no-op span", values: &[], factor: 1.1, zero_threshold: Some(0.0), max_buckets: None, max_zero_threshold: 0.0, count: 0, sum: 0.0, schema: 3, threshold: 0.0, zero_count: 0, positive: (&[], &[]), negative: (&[], &[]) },
    Case { name: "factor 1.1 results in schema 3", values: &[0.0, 1.0, 2.0, 3.0], factor: 1.1, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 4, sum: 6.0, schema: 3, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[(0, 1), (7, 1), (4, 1)], &[1, 1, 1]), negative: (&[], &[]) },
    Case { name: "factor 1.2 results in schema 2", values: &[0.0, 1.0, 1.2, 1.4, 1.8, 2.0], factor: 1.2, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 6, sum: 7.4, schema: 2, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[(0, 5)], &[1, 0, 2, 0, 2]), negative: (&[], &[]) },
    Case { name: "factor 4 results in schema -1", values: &[0.015_625_1, 0.0625, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 3.5, 5.0, 6.0, 7.0, 33.33], factor: 4.0, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 14, sum: 63.258_125_1, schema: -1, threshold: TWO_TO_MINUS_128, zero_count: 0, positive: (&[(-2, 6)], &[2, 2, 2, 4, 3, 1]), negative: (&[], &[]) },
    Case { name: "factor 17 results in schema -2", values: &[0.015_625_1, 0.0625, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 3.5, 5.0, 6.0, 7.0, 33.33], factor: 17.0, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 14, sum: 63.258_125_1, schema: -2, threshold: TWO_TO_MINUS_128, zero_count: 0, positive: (&[(-1, 4)], &[2, 4, 7, 1]), negative: (&[], &[]) },
    Case { name: "negative buckets", values: &[0.0, -1.0, -1.2, -1.4, -1.8, -2.0], factor: 1.2, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 6, sum: -7.4, schema: 2, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[], &[]), negative: (&[(0, 5)], &[1, 0, 2, 0, 2]) },
    Case { name: "negative and positive buckets", values: &[0.0, -1.0, -1.2, -1.4, -1.8, -2.0, 1.0, 1.2, 1.4, 1.8, 2.0], factor: 1.2, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 11, sum: 0.0, schema: 2, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[(0, 5)], &[1, 0, 2, 0, 2]), negative: (&[(0, 5)], &[1, 0, 2, 0, 2]) },
    Case { name: "wide zero bucket", values: &[0.0, -1.0, -1.2, -1.4, -1.8, -2.0, 1.0, 1.2, 1.4, 1.8, 2.0], factor: 1.2, zero_threshold: Some(1.4), max_buckets: None, max_zero_threshold: 0.0, count: 11, sum: 0.0, schema: 2, threshold: 1.4, zero_count: 7, positive: (&[(4, 1)], &[2]), negative: (&[(4, 1)], &[2]) },
    Case { name: "NaN observation", values: &[0.0, 1.0, 1.2, 1.4, 1.8, 2.0, f64::NAN], factor: 1.2, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 7, sum: f64::NAN, schema: 2, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[(0, 5)], &[1, 0, 2, 0, 2]), negative: (&[], &[]) },
    Case { name: "+Inf observation", values: &[0.0, 1.0, 1.2, 1.4, 1.8, 2.0, f64::INFINITY], factor: 1.2, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 7, sum: f64::INFINITY, schema: 2, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[(0, 5), (4092, 1)], &[1, 0, 2, 0, 2, 1]), negative: (&[], &[]) },
    Case { name: "-Inf observation", values: &[0.0, 1.0, 1.2, 1.4, 1.8, 2.0, f64::NEG_INFINITY], factor: 1.2, zero_threshold: None, max_buckets: None, max_zero_threshold: 0.0, count: 7, sum: f64::NEG_INFINITY, schema: 2, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[(0, 5)], &[1, 0, 2, 0, 2]), negative: (&[(4097, 1)], &[1]) },
    Case { name: "limited buckets but nothing triggered", values: &[0.0, 1.0, 1.2, 1.4, 1.8, 2.0], factor: 1.2, zero_threshold: None, max_buckets: Some(4), max_zero_threshold: 0.0, count: 6, sum: 7.4, schema: 2, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[(0, 5)], &[1, 0, 2, 0, 2]), negative: (&[], &[]) },
    Case { name: "buckets limited by halving resolution", values: &[0.0, 1.0, 1.1, 1.2, 1.4, 1.8, 2.0, 3.0], factor: 1.2, zero_threshold: None, max_buckets: Some(4), max_zero_threshold: 0.0, count: 8, sum: 11.5, schema: 1, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[(0, 5)], &[1, 3, 2, 0, 1]), negative: (&[], &[]) },
    Case { name: "buckets limited by widening the zero bucket", values: &[0.0, 1.0, 1.1, 1.2, 1.4, 1.8, 2.0, 3.0], factor: 1.2, zero_threshold: None, max_buckets: Some(4), max_zero_threshold: 1.2, count: 8, sum: 11.5, schema: 2, threshold: 1.0, zero_count: 2, positive: (&[(1, 7)], &[1, 2, 0, 2, 0, 0, 1]), negative: (&[], &[]) },
    Case { name: "buckets limited by widening the zero bucket twice", values: &[0.0, 1.0, 1.1, 1.2, 1.4, 1.8, 2.0, 3.0, 4.0], factor: 1.2, zero_threshold: None, max_buckets: Some(4), max_zero_threshold: 1.2, count: 9, sum: 15.5, schema: 2, threshold: 1.189_207_115_002_721, zero_count: 3, positive: (&[(2, 7)], &[2, 0, 2, 0, 0, 1, 1]), negative: (&[], &[]) },
    Case { name: "limited buckets but nothing triggered, negative observations", values: &[0.0, -1.0, -1.2, -1.4, -1.8, -2.0], factor: 1.2, zero_threshold: None, max_buckets: Some(4), max_zero_threshold: 0.0, count: 6, sum: -7.4, schema: 2, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[], &[]), negative: (&[(0, 5)], &[1, 0, 2, 0, 2]) },
    Case { name: "buckets limited by halving resolution, negative observations", values: &[0.0, -1.0, -1.1, -1.2, -1.4, -1.8, -2.0, -3.0], factor: 1.2, zero_threshold: None, max_buckets: Some(4), max_zero_threshold: 0.0, count: 8, sum: -11.5, schema: 1, threshold: TWO_TO_MINUS_128, zero_count: 1, positive: (&[], &[]), negative: (&[(0, 5)], &[1, 3, 2, 0, 1]) },
    Case { name: "buckets limited by widening the zero bucket, negative observations", values: &[0.0, -1.0, -1.1, -1.2, -1.4, -1.8, -2.0, -3.0], factor: 1.2, zero_threshold: None, max_buckets: Some(4), max_zero_threshold: 1.2, count: 8, sum: -11.5, schema: 2, threshold: 1.0, zero_count: 2, positive: (&[], &[]), negative: (&[(1, 7)], &[1, 2, 0, 2, 0, 0, 1]) },
    Case { name: "buckets limited by widening the zero bucket twice, negative observations", values: &[0.0, -1.0, -1.1, -1.2, -1.4, -1.8, -2.0, -3.0, -4.0], factor: 1.2, zero_threshold: None, max_buckets: Some(4), max_zero_threshold: 1.2, count: 9, sum: -15.5, schema: 2, threshold: 1.189_207_115_002_721, zero_count: 3, positive: (&[], &[]), negative: (&[(2, 7)], &[2, 0, 2, 0, 0, 1, 1]) },
];

fn is(side: &Side, (spans, counts): Spans) -> bool {
    let spans = spans.iter().map(|&(offset, length)| Span { offset, length });
    let found = side.borrow();
    found.spans.iter().copied().eq(spans)
        && (0..counts.len())
            .all(|at| found.counts.get(at).and_then(Number::as_u64) == counts.get(at).copied())
        && found.counts.len() == counts.len()
}

#[test]
fn the_same_as_the_go_client() {
    for case in CASES {
        let mut native = Native::new()
            .with_factor(case.factor)
            .with_max_buckets(case.max_buckets)
            .with_max_zero_threshold(case.max_zero_threshold);
        if let Some(threshold) = case.zero_threshold {
            native = native.with_zero_threshold(threshold);
        }
        // In parts of threads' own, and in those that they share.
        for own in [true, false] {
            let registry = Registry::new();
            let definition = registry.metric("h", "").native(native.clone()).thread_owned(own);
            let histogram: Histogram = definition.register().unwrap();
            case.values.iter().for_each(|&value| histogram.observe(value));

            let (set, _) = MetricSet::collect_from(&registry);
            let MetricValue::Histogram(found) = &set.families[0].metrics[0].points[0].value else {
                panic!("{}: no histogram", case.name);
            };
            let sum = found.sum.unwrap().as_f64();
            let native = found.native.as_ref().unwrap();
            assert_eq!(found.count.as_u64(), Some(case.count), "{}", case.name);
            assert!(sum == case.sum || sum.is_nan() && case.sum.is_nan(), "{}: sum {sum}", case.name);
            assert_eq!(native.schema.number(), case.schema, "{}", case.name);
            assert_eq!(native.zero_threshold, case.threshold, "{}", case.name);
            assert_eq!(native.zero_count.as_u64(), Some(case.zero_count), "{}", case.name);
            assert!(is(&native.positive, case.positive), "{}: {:?}", case.name, native.positive);
            assert!(is(&native.negative, case.negative), "{}: {:?}", case.name, native.negative);
        }
    }
}
