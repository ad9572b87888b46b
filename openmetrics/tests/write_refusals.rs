//! What each format cannot say: refused by the id of a rule, or written as something that it can say. A column a format.
#![cfg(feature = "parse")]

use openmetrics::format::{Format, encode};
use openmetrics::model::{
    ClassicBucket, Collected, Collector, Counts, Descriptor, Emitter, HistogramValue, Labels, MetricName,
    MetricType, NativeBucketsRef, Number, Quantile, Refusal, Schema, SideRef, Span, State, SummaryValue,
    Value,
};

/// The columns.
const FORMATS: [Format; 5] = [
    Format::TEXT_0_0_4,
    Format::OPENMETRICS_1_0,
    Format::OPENMETRICS_2_0,
    Format::PROMETHEUS_PROTOBUF,
    Format::OPENMETRICS_PROTOBUF,
];

/// A collector made of a function.
struct From<F>(F);
impl<F: Fn(&mut Emitter<'_>)> Collector for From<F> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        (self.0)(out);
        Ok(())
    }
}

/// The rule of the first refusal in each format, or nothing. What is refused leaves nothing behind: the format's own
/// reader takes the page.
fn refusals(emit: impl Fn(&mut Emitter<'_>)) -> [&'static str; FORMATS.len()] {
    FORMATS.map(|format| {
        let mut page = Vec::new();
        let report = encode(&From(&emit), format, &mut page);
        if let Err(error) = openmetrics::format::decode(&page, format) {
            panic!("{format}: {error}\n{}", String::from_utf8_lossy(&page));
        }
        report.refusals().first().map_or("", Refusal::rule)
    })
}

fn one(metric_type: MetricType, value: Value<'_>) -> [&'static str; FORMATS.len()] {
    let family = Descriptor::literal("x", metric_type, "");
    refusals(|out| out.value(&family, value))
}

type Buckets<'a> = &'a [(f64, Number)];

fn classic(
    metric_type: MetricType,
    buckets: Buckets<'_>,
    count: Number,
    sum: Option<f64>,
) -> [&'static str; FORMATS.len()] {
    let buckets: Vec<_> =
        buckets.iter().map(|&(upper_bound, count)| ClassicBucket { upper_bound, count }).collect();
    let histogram = HistogramValue::new(count, sum.map(Number::from)).with_classic(&buckets);
    one(metric_type, Value::Histogram(&histogram))
}

fn histogram(buckets: Buckets<'_>, count: Number, sum: Option<f64>) -> [&'static str; FORMATS.len()] {
    classic(MetricType::Histogram, buckets, count, sum)
}

fn gauge_histogram(buckets: Buckets<'_>, count: Number, sum: Option<f64>) -> [&'static str; FORMATS.len()] {
    classic(MetricType::GaugeHistogram, buckets, count, sum)
}

fn summary(count: Option<f64>, sum: Option<f64>, quantiles: &[(f64, f64)]) -> [&'static str; FORMATS.len()] {
    let quantiles: Vec<_> =
        quantiles.iter().map(|&(quantile, value)| Quantile { quantile, value: value.into() }).collect();
    let value = SummaryValue::new(count.map(Number::from), sum.map(Number::from), &quantiles);
    one(MetricType::Summary, Value::Summary(&value))
}

fn native(buckets: NativeBucketsRef<'_>, count: u64) -> [&'static str; FORMATS.len()] {
    let histogram = HistogramValue::new(count, Some(1.0.into())).with_native(buckets);
    one(MetricType::Histogram, Value::Histogram(&histogram))
}

fn n(v: u64) -> Number {
    v.into()
}

fn f(v: f64) -> Number {
    v.into()
}

const NAN: f64 = f64::NAN;
const TAKEN: [&str; FORMATS.len()] = [""; FORMATS.len()];

/// In the order of [`FORMATS`]: text 0.0.4, OpenMetrics 1.0, 2.0, Prometheus protobuf, OpenMetrics protobuf.
#[test]
fn numbers() {
    use MetricType::{Counter, Gauge, Unknown};
    assert_eq!(one(Counter, NAN.into()), ["", "OM1-CNT-03", "OM2-CNT-02", "", "OM1-CNT-03"]);
    assert_eq!(one(Counter, (-1_i64).into()), ["", "OM1-CNT-04", "OM2-CNT-02", "", "OM1-CNT-04"]);
    assert_eq!(one(Counter, f64::INFINITY.into()), TAKEN);
    assert_eq!(one(Gauge, NAN.into()), TAKEN);
    assert_eq!(one(Unknown, f64::NEG_INFINITY.into()), TAKEN);
}

#[test]
fn histograms() {
    let nan_bound = histogram(&[(NAN, n(1))], n(1), Some(1.0));
    assert_eq!(nan_bound, ["P4-22", "OM1-HIS-07", "OM2-HIS-06", "PPB-06", "OM1-HIS-07"]);
    let bounds_fall = histogram(&[(2.0, n(1)), (1.0, n(1))], n(1), Some(1.0));
    assert_eq!(bounds_fall, ["P4-22", "OM1-HIS-05", "OM2-HIS-06", "PPB-06", "OM1-HIS-05"]);
    let bound_twice = histogram(&[(1.0, n(1)), (1.0, n(1))], n(1), Some(1.0));
    assert_eq!(bound_twice, ["P4-22", "OM1-HIS-04", "OM2-HIS-06", "PPB-06", "OM1-HIS-04"]);

    let counts_fall = histogram(&[(1.0, n(2)), (2.0, n(1))], n(2), Some(1.0));
    assert_eq!(counts_fall, ["", "OM1-HIS-03", "OM2-HIS-07", "PPB-07", "OM1-HIS-03"]);
    let more_than_all = histogram(&[(1.0, n(2))], n(1), Some(1.0));
    assert_eq!(more_than_all, ["", "OM1-HIS-03", "OM2-HIS-07", "PPB-07", "OM1-HIS-03"]);
    for wrong in [f(-1.0), f(NAN)] {
        let bucket = histogram(&[(1.0, wrong)], n(1), Some(1.0));
        assert_eq!(bucket, ["", "OM1-HIS-08", "OM2-HIS-07", "PPB-07", "OM1-HIS-08"]);
    }
    let count = |count| histogram(&[], count, Some(1.0));
    assert_eq!(count(f(-1.0)), ["", "OM1-HIS-08", "OM2-HIS-07", "PPB-07", "OM1-HIS-08"]);
    assert_eq!(count(f(NAN)), ["P4-21", "OM1-HIS-08", "OM2-HIS-07", "PPB-07", "OM1-HIS-08"]);
    let fraction = histogram(&[(1.0, f(0.5))], n(1), Some(1.0));
    assert_eq!(fraction, ["", "OM1-HIS-08", "", "", "OM1-HIS-08"]);
    assert_eq!(histogram(&[(1.0, f(1.0))], f(1.0), Some(1.0)), TAKEN, "integers may be held as floats");

    for sum in [-1.0, NAN] {
        assert_eq!(histogram(&[], n(1), Some(sum)), ["", "OM1-HIS-09", "", "", "OM1-HIS-09"]);
    }
    assert_eq!(histogram(&[(-1.0, n(1))], n(1), Some(-1.0)), TAKEN, "OpenMetrics 1.0 leaves the sum out");
    assert_eq!(histogram(&[], n(1), None), ["", "", "OM2-HIS-02", "", ""]);
}

#[test]
fn gauge_histograms() {
    let bounds_fall = gauge_histogram(&[(2.0, n(1)), (1.0, n(1))], n(1), Some(1.0));
    assert_eq!(bounds_fall, ["P4-22", "OM1-HIS-05", "OM2-HIS-06", "PPB-06", "OM1-HIS-05"]);
    // In OpenMetrics 2.0 they may say anything of what is now.
    let counts_fall = gauge_histogram(&[(1.0, n(2)), (2.0, n(1))], n(2), Some(1.0));
    assert_eq!(counts_fall, ["", "OM1-HIS-03", "", "PPB-07", "OM1-HIS-03"]);
    let nan = gauge_histogram(&[], f(NAN), Some(1.0));
    assert_eq!(nan, ["P4-21", "OM1-HIS-08", "", "PPB-07", "OM1-HIS-08"]);
    assert_eq!(gauge_histogram(&[], n(1), Some(-1.0)), ["", "OM1-GHI-05", "", "", "OM1-GHI-05"]);
    assert_eq!(gauge_histogram(&[], n(1), Some(NAN)), ["", "OM1-GHI-04", "", "", "OM1-GHI-04"]);
    assert_eq!(gauge_histogram(&[(-1.0, n(1))], n(1), Some(-1.0)), TAKEN);
    assert_eq!(gauge_histogram(&[], n(1), None), ["", "", "OM2-HIS-02", "", ""]);
}

#[test]
fn summaries() {
    let quantiles = |quantiles| summary(Some(1.0), Some(1.0), quantiles);
    for falling in [&[(0.5, 1.0), (0.1, 1.0)][..], &[(0.5, 1.0), (0.5, 1.0)], &[(NAN, 1.0)]] {
        assert_eq!(quantiles(falling), ["P4-23", "OM1-SUM-05", "OM2-SUM-02", "P4-23", "OM1-SUM-05"]);
    }
    assert_eq!(quantiles(&[(1.5, 1.0)]), ["", "OM1-SUM-05", "OM2-SUM-03", "", "OM1-SUM-05"]);
    assert_eq!(quantiles(&[(0.5, -1.0)]), ["", "OM1-SUM-06", "OM2-SUM-03", "", "OM1-SUM-06"]);
    assert_eq!(quantiles(&[(0.5, NAN)]), TAKEN, "nothing was observed");
    let fraction = summary(Some(0.5), Some(1.0), &[]);
    assert_eq!(fraction, ["", "OM1-SUM-03", "OM2-SUM-04", "OM1-SUM-03", "OM1-SUM-03"]);
    for count in [-1.0, NAN] {
        let rules = summary(Some(count), Some(1.0), &[]);
        assert_eq!(rules, ["", "OM1-SUM-02", "OM2-SUM-04", "OM1-SUM-03", "OM1-SUM-02"]);
    }
    for sum in [-1.0, NAN] {
        assert_eq!(summary(Some(1.0), Some(sum), &[]), ["", "OM1-SUM-02", "OM2-SUM-04", "", "OM1-SUM-02"]);
    }
    for (count, sum) in [(None, Some(1.0)), (Some(1.0), None), (None, None)] {
        assert_eq!(summary(count, sum, &[]), ["", "", "OM2-SUM-01", "", ""]);
    }
}

#[test]
fn statesets_infos_and_unknowns() {
    use MetricType::{Info, StateSet, Unknown};
    let twice = [State { name: "a", enabled: true }; 2];
    assert_eq!(one(StateSet, Value::StateSet(&twice)), ["OM1-SS-03"; 5]);
    let own = Descriptor::literal("x", StateSet, "");
    let labelled = |out: &mut Emitter<'_>| {
        let states = [State { name: "a", enabled: true }];
        out.family(&own).point(Labels::new(&[("x", "b")]), Value::StateSet(&states));
    };
    assert_eq!(refusals(labelled), ["OM1-SS-05"; 5]);
    let facts = Descriptor::literal("x", Info, "");
    let same_name = |out: &mut Emitter<'_>| {
        let value = Value::Info(Labels::new(&[("a", "1")]));
        out.family(&facts).point(Labels::new(&[("a", "2")]), value);
    };
    assert_eq!(refusals(same_name), ["OM1-INF-04"; 5]);
    let both = SummaryValue::new(Some(n(1)), Some(n(1)), &[]);
    let summary = one(Unknown, Value::Summary(&both));
    assert_eq!(summary, ["OM1-UNK-01", "OM1-UNK-01", "", "PPB-05", "OM1-UNK-01"]);
}

#[test]
fn names() {
    let gauge = |name| Descriptor::new(MetricName::utf8(name).unwrap(), MetricType::Gauge);
    let clash = |out: &mut Emitter<'_>| {
        out.value(&gauge("a.b"), 1_u64);
        out.value(&gauge("a_b"), 2_u64);
    };
    assert_eq!(refusals(clash), ["ESC-07", "ESC-07", "", "", "ESC-07"]);
    let same = |out: &mut Emitter<'_>| {
        out.value(&gauge("a"), 1_u64);
        out.value(&gauge("a"), 2_u64);
    };
    assert_eq!(refusals(same), ["OM1-FAM-01"; 5]);
    let x = gauge("x");
    let labels = |pairs: &'static [(&'static str, &'static str)]| {
        refusals(|out| out.family(&x).point(Labels::new(pairs), 1_u64))
    };
    assert_eq!(labels(&[("a.b", "1"), ("a_b", "2")]), ["ESC-07", "ESC-07", "", "", "ESC-07"]);
    assert_eq!(labels(&[("a", "1"), ("a", "2")]), ["OM1-LAB-02"; 5]);
    assert_eq!(labels(&[("__a", "1")]), ["OM1-LAB-01"; 5]);
    assert_eq!(labels(&[("_a", "1")]), ["", "OM1-LAB-01", "OM2-NAME-03", "", "OM1-LAB-01"]);
    let reserved = |out: &mut Emitter<'_>| out.value(&gauge("_x"), 1_u64);
    assert_eq!(refusals(reserved), ["", "OM1-FAM-02", "OM2-NAME-03", "", "OM1-FAM-02"]);
}

#[test]
fn native_histograms() {
    let one_bucket = [Span { offset: 0, length: 1 }];
    let buckets = |spans, counts: &'static [u64], zero_threshold| NativeBucketsRef {
        schema: Schema::exponential(0).unwrap(),
        zero_threshold,
        zero_count: n(0),
        positive: SideRef { spans, counts: Counts::Integer(counts) },
        negative: SideRef::default(),
        custom_bounds: &[],
    };
    assert_eq!(native(buckets(&one_bucket, &[1], 0.0), 1), TAKEN);
    // Classic buckets are made of what there is.
    assert_eq!(native(buckets(&one_bucket, &[1, 2], 0.0), 3), ["", "", "OM2-NH-05", "NH-11", ""]);
    for threshold in [NAN, -1.0] {
        assert_eq!(native(buckets(&one_bucket, &[1], threshold), 1), ["", "", "OM2-NH-08", "NH-14", ""]);
    }
    let too_many = native(buckets(&one_bucket, &[2], 0.0), 1);
    assert_eq!(too_many, ["", "OM1-HIS-03", "OM2-NH-09", "NH-20", "OM1-HIS-03"]);
    let beyond = native(buckets(&[Span { offset: i32::MAX, length: 1 }], &[1], 0.0), 1);
    assert_eq!(beyond, ["", "", "OM2-NH-10", "NH-07", ""]);
    let back = [Span { offset: 0, length: 1 }, Span { offset: -2, length: 1 }];
    assert_eq!(native(buckets(&back, &[1, 1], 0.0), 2), ["", "", "OM2-NH-06", "NH-10", ""]);
}
