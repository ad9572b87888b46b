//! The schema as prost has it, and properties that compare our codec with prost's.

use prost::Message;
use quickcheck::{Arbitrary, Gen, quickcheck};

use super::super::visit::{Family, Finding, Place, Visitor};
use super::{decode, decode_lenient, schema, walk};
use crate::Error;
use crate::format::arbitrary::{ValidSet, text};
use crate::format::{Escaping, Format, encode};
use crate::model::{
    Exemplar, LabelName, LabelSet, Labels, MetricName, MetricPoint, MetricSet, MetricType, MetricValue,
    Number, Point, Timestamp,
};

/// `proto/openmetrics_data_model.proto`, proto3.
mod pb {
    use prost::{Message, Oneof};

    macro_rules! messages {
        ($($name:ident { $($field:ident: $kind:ty => [$($attr:tt)*]),* $(,)? })*) => {$(
            #[derive(Clone, PartialEq, Message)]
            pub(super) struct $name {
                $(#[prost($($attr)*)] pub(super) $field: $kind,)*
            }
        )*};
    }
    messages! {
        MetricSet { metric_families: Vec<MetricFamily> => [message, repeated, tag = "1"] }
        MetricFamily {
            name: String => [string, tag = "1"],
            metric_type: i32 => [int32, tag = "2"],
            unit: String => [string, tag = "3"],
            help: String => [string, tag = "4"],
            metrics: Vec<Metric> => [message, repeated, tag = "5"],
        }
        Metric {
            labels: Vec<Label> => [message, repeated, tag = "1"],
            metric_points: Vec<MetricPoint> => [message, repeated, tag = "2"],
        }
        Label { name: String => [string, tag = "1"], value: String => [string, tag = "2"] }
        Stamp { seconds: i64 => [int64, tag = "1"], nanos: i32 => [int32, tag = "2"] }
        MetricPoint {
            value: Option<Value> => [oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7"],
            timestamp: Option<Stamp> => [message, optional, tag = "8"],
        }
        GaugeValue { value: Option<Number> => [oneof = "Number", tags = "1, 2"] }
        CounterValue {
            total: Option<Total> => [oneof = "Total", tags = "1, 2"],
            created: Option<Stamp> => [message, optional, tag = "3"],
            exemplar: Option<Exemplar> => [message, optional, tag = "4"],
        }
        HistogramValue {
            sum: Option<Number> => [oneof = "Number", tags = "1, 2"],
            count: u64 => [uint64, tag = "3"],
            created: Option<Stamp> => [message, optional, tag = "4"],
            buckets: Vec<Bucket> => [message, repeated, tag = "5"],
        }
        Bucket {
            count: u64 => [uint64, tag = "1"],
            upper_bound: f64 => [double, tag = "2"],
            exemplar: Option<Exemplar> => [message, optional, tag = "3"],
        }
        Exemplar {
            value: f64 => [double, tag = "1"],
            timestamp: Option<Stamp> => [message, optional, tag = "2"],
            label: Vec<Label> => [message, repeated, tag = "3"],
        }
        StateSetValue { states: Vec<State> => [message, repeated, tag = "1"] }
        State { enabled: bool => [bool, tag = "1"], name: String => [string, tag = "2"] }
        InfoValue { info: Vec<Label> => [message, repeated, tag = "1"] }
        SummaryValue {
            sum: Option<Number> => [oneof = "Number", tags = "1, 2"],
            count: u64 => [uint64, tag = "3"],
            created: Option<Stamp> => [message, optional, tag = "4"],
            quantile: Vec<Quantile> => [message, repeated, tag = "5"],
        }
        Quantile { quantile: f64 => [double, tag = "1"], value: f64 => [double, tag = "2"] }
    }

    #[derive(Clone, PartialEq, Oneof)]
    pub(super) enum Value {
        #[prost(message, tag = "1")]
        Unknown(GaugeValue),
        #[prost(message, tag = "2")]
        Gauge(GaugeValue),
        #[prost(message, tag = "3")]
        Counter(CounterValue),
        #[prost(message, tag = "4")]
        Histogram(HistogramValue),
        #[prost(message, tag = "5")]
        StateSet(StateSetValue),
        #[prost(message, tag = "6")]
        Info(InfoValue),
        #[prost(message, tag = "7")]
        Summary(SummaryValue),
    }

    #[derive(Clone, Copy, PartialEq, Oneof)]
    pub(super) enum Number {
        #[prost(double, tag = "1")]
        Double(f64),
        #[prost(int64, tag = "2")]
        Int(i64),
    }

    #[derive(Clone, Copy, PartialEq, Oneof)]
    pub(super) enum Total {
        #[prost(double, tag = "1")]
        Double(f64),
        #[prost(uint64, tag = "2")]
        Int(u64),
    }
}

// ---- the model as messages, by the plainest code there is

fn labels(set: &LabelSet) -> Vec<pb::Label> {
    set.iter().map(|l| pb::Label { name: l.name.to_string(), value: l.value.to_string() }).collect()
}

fn stamp(timestamp: Timestamp) -> pb::Stamp {
    pb::Stamp { seconds: timestamp.seconds(), nanos: timestamp.subsec_nanos() as i32 }
}

fn exemplar(exemplar: &Exemplar) -> pb::Exemplar {
    pb::Exemplar {
        value: exemplar.value.as_f64(),
        timestamp: exemplar.timestamp.map(stamp),
        label: labels(&exemplar.labels),
    }
}

fn number(number: Number) -> pb::Number {
    match number {
        Number::Unsigned(v) => pb::Number::Int(i64::try_from(v).unwrap()),
        Number::Signed(v) => pb::Number::Int(v),
        Number::Float(v) => pb::Number::Double(v),
    }
}

fn value(metric_type: MetricType, point: &MetricPoint) -> pb::Value {
    let created = point.start.map(stamp);
    match (&point.value, metric_type) {
        (MetricValue::Number(total), MetricType::Counter) => pb::Value::Counter(pb::CounterValue {
            total: Some(match *total {
                Number::Float(v) => pb::Total::Double(v),
                whole => pb::Total::Int(whole.as_u64().unwrap()),
            }),
            created,
            exemplar: point.exemplars.last().map(exemplar),
        }),
        (MetricValue::Number(v), MetricType::Gauge) => {
            pb::Value::Gauge(pb::GaugeValue { value: Some(number(*v)) })
        }
        (MetricValue::Number(v), _) => pb::Value::Unknown(pb::GaugeValue { value: Some(number(*v)) }),
        (MetricValue::StateSet(states), _) => pb::Value::StateSet(pb::StateSetValue {
            states: states
                .iter()
                .map(|(name, on)| pb::State { enabled: *on, name: name.to_string() })
                .collect(),
        }),
        (MetricValue::Info(facts), _) => pb::Value::Info(pb::InfoValue { info: labels(facts) }),
        (MetricValue::Histogram(h), _) => {
            let mut below = f64::NEG_INFINITY;
            let mut bucket = |bound: f64, count: Number| {
                let held = |e: &&Exemplar| below < e.value.as_f64() && e.value.as_f64() <= bound;
                let last = point.exemplars.iter().rev().find(held);
                below = bound;
                pb::Bucket {
                    count: count.as_u64().unwrap(),
                    upper_bound: bound,
                    exemplar: last.map(exemplar),
                }
            };
            let mut buckets: Vec<_> =
                h.classic.iter().flatten().map(|b| bucket(b.upper_bound, b.count)).collect();
            buckets.push(bucket(f64::INFINITY, h.count));
            let count = h.count.as_u64().unwrap();
            pb::Value::Histogram(pb::HistogramValue { sum: h.sum.map(number), count, created, buckets })
        }
        (MetricValue::Summary(s), _) => pb::Value::Summary(pb::SummaryValue {
            sum: s.sum.map(number),
            count: s.count.and_then(Number::as_u64).unwrap_or(0),
            created,
            quantile: s
                .quantiles
                .iter()
                .map(|q| pb::Quantile { quantile: q.quantile, value: q.value.as_f64() })
                .collect(),
        }),
    }
}

fn message(set: &MetricSet) -> pb::MetricSet {
    let family = |family: &crate::model::MetricFamily| pb::MetricFamily {
        name: family.descriptor.name().to_string(),
        metric_type: schema::type_number(family.descriptor.metric_type()) as i32,
        unit: family.descriptor.unit().map(ToString::to_string).unwrap_or_default(),
        help: family.descriptor.help().to_owned(),
        metrics: family
            .metrics
            .iter()
            .map(|metric| pb::Metric {
                labels: labels(&metric.labels),
                metric_points: metric
                    .points
                    .iter()
                    .map(|point| pb::MetricPoint {
                        value: Some(value(family.descriptor.metric_type(), point)),
                        timestamp: point.timestamp.map(stamp),
                    })
                    .collect(),
            })
            .collect(),
    };
    pb::MetricSet { metric_families: set.families.iter().map(family).collect() }
}

/// What this format can say of a set: classic names, whole counts, integers of 63 bits, no native buckets.
fn sayable(mut set: MetricSet) -> MetricSet {
    let classic = |set: &LabelSet| {
        LabelSet::new(set.iter().map(|label| {
            let name = Escaping::Underscores.label_name(label.name.as_str()).into_owned();
            crate::model::Label { name: LabelName::new(name).unwrap(), value: label.value.clone() }
        }))
        .unwrap()
    };
    let double = |number: &mut Number| *number = Number::Float(number.as_f64());
    let whole = |number: &mut Number| *number = Number::Unsigned(number.as_f64() as u64);
    let short = |number: &mut Number| {
        if matches!(number, Number::Unsigned(v) if i64::try_from(*v).is_err()) {
            double(number);
        }
    };
    for family in &mut set.families {
        let name = Escaping::Underscores.metric_name(family.descriptor.name().as_str()).into_owned();
        family.descriptor = family.descriptor.clone().with_name(MetricName::new(name).unwrap());
        let counts = family.descriptor.metric_type() == MetricType::Counter;
        for metric in &mut family.metrics {
            metric.labels = classic(&metric.labels);
            for point in &mut metric.points {
                for exemplar in &mut point.exemplars {
                    double(&mut exemplar.value);
                    exemplar.labels = classic(&exemplar.labels);
                }
                match &mut point.value {
                    MetricValue::Number(number) if !counts => short(number),
                    MetricValue::Info(facts) => *facts = classic(facts),
                    MetricValue::Histogram(h) => {
                        h.native = None;
                        let buckets = h.classic.get_or_insert_default();
                        buckets.iter_mut().map(|bucket| &mut bucket.count).for_each(whole);
                        whole(&mut h.count);
                        h.sum.iter_mut().for_each(short);
                    }
                    MetricValue::Summary(s) => {
                        s.sum.iter_mut().for_each(short);
                        s.quantiles.iter_mut().map(|q| &mut q.value).for_each(double);
                    }
                    _ => {}
                }
            }
        }
    }
    set
}

fn encoded(set: &MetricSet) -> Vec<u8> {
    let mut out = Vec::new();
    let report = encode(set, Format::OPENMETRICS_PROTOBUF, &mut out);
    assert!(report.is_clean(), "{report:?}");
    out
}

/// Sees only whether the bytes are messages of the schema at all.
struct OnlyWire(bool);
impl Visitor for OnlyWire {
    fn family(&mut self, _: &Family<'_>) -> Result<(), Error> {
        Ok(())
    }
    fn point(&mut self, _: &Labels<'_>, _: &Point<'_>, _: Place) -> Result<(), Error> {
        Ok(())
    }
    fn finding(&mut self, finding: Finding) -> Result<(), Error> {
        self.0 &= !matches!(finding.rule, "OM1-PB-02" | "OM1-PB-03");
        Ok(())
    }
}

fn is_wire(bytes: &[u8]) -> bool {
    let mut seen = OnlyWire(true);
    walk(bytes, &mut seen).unwrap();
    seen.0
}

/// Any message at all, mostly invalid by the rules.
#[derive(Clone, Debug)]
struct AnySet(pb::MetricSet);

impl Arbitrary for AnySet {
    fn arbitrary(g: &mut Gen) -> Self {
        fn some<T>(g: &mut Gen, make: impl FnOnce(&mut Gen) -> T) -> Option<T> {
            bool::arbitrary(g).then(|| make(g))
        }
        fn few<T>(g: &mut Gen, make: impl Fn(&mut Gen) -> T) -> Vec<T> {
            (0..u8::arbitrary(g) % 3).map(|_| make(g)).collect()
        }
        let labels = |g: &mut Gen| few(g, |g| pb::Label { name: text(g), value: text(g) });
        let stamp = |g: &mut Gen| pb::Stamp { seconds: i64::arbitrary(g), nanos: i32::arbitrary(g) };
        let exemplar = |g: &mut Gen| pb::Exemplar {
            value: f64::arbitrary(g),
            timestamp: some(g, stamp),
            label: labels(g),
        };
        let number = |g: &mut Gen| {
            if bool::arbitrary(g) {
                pb::Number::Double(f64::arbitrary(g))
            } else {
                pb::Number::Int(i64::arbitrary(g))
            }
        };
        let bucket = |g: &mut Gen| pb::Bucket {
            count: u64::arbitrary(g),
            upper_bound: f64::arbitrary(g),
            exemplar: some(g, exemplar),
        };
        let value = |g: &mut Gen| match u8::arbitrary(g) % 7 {
            0 => pb::Value::Unknown(pb::GaugeValue { value: some(g, number) }),
            1 => pb::Value::Gauge(pb::GaugeValue { value: some(g, number) }),
            2 => pb::Value::Counter(pb::CounterValue {
                total: some(g, |g| pb::Total::Int(u64::arbitrary(g))),
                created: some(g, stamp),
                exemplar: some(g, exemplar),
            }),
            3 => pb::Value::Histogram(pb::HistogramValue {
                sum: some(g, number),
                count: u64::arbitrary(g),
                created: some(g, stamp),
                buckets: few(g, bucket),
            }),
            4 => pb::Value::StateSet(pb::StateSetValue {
                states: few(g, |g| pb::State { enabled: bool::arbitrary(g), name: text(g) }),
            }),
            5 => pb::Value::Info(pb::InfoValue { info: labels(g) }),
            _ => pb::Value::Summary(pb::SummaryValue {
                sum: some(g, number),
                count: u64::arbitrary(g),
                created: some(g, stamp),
                quantile: few(g, |g| pb::Quantile { quantile: f64::arbitrary(g), value: f64::arbitrary(g) }),
            }),
        };
        let point = |g: &mut Gen| pb::MetricPoint { value: some(g, value), timestamp: some(g, stamp) };
        let family = |g: &mut Gen| pb::MetricFamily {
            name: text(g),
            metric_type: i32::arbitrary(g) % 9,
            unit: text(g),
            help: text(g),
            metrics: few(g, |g| pb::Metric { labels: labels(g), metric_points: few(g, point) }),
        };
        Self(pb::MetricSet { metric_families: few(g, family) })
    }
}

quickcheck! {
    fn prost_reads_what_we_write(set: ValidSet) -> bool {
        let set = sayable(set.0);
        let read = pb::MetricSet::decode(encoded(&set).as_slice()).unwrap();
        // NaN is not equal to itself, so messages are compared as prost prints them.
        format!("{read:?}") == format!("{:?}", message(&set))
    }

    fn we_read_what_prost_writes(set: ValidSet) -> bool {
        let set = sayable(set.0);
        decode(&message(&set).encode_to_vec()).unwrap() == set
    }

    fn what_we_write_comes_back(set: ValidSet) -> bool {
        let set = sayable(set.0);
        decode(&encoded(&set)).unwrap() == set
    }

    fn what_we_accept_is_written_again(any: AnySet) -> bool {
        let bytes = any.0.encode_to_vec();
        let (set, _) = decode_lenient(&bytes);
        let Ok(strict) = decode(&bytes) else { return true };
        strict == set && decode(&encoded(&strict)).unwrap() == strict
    }

    fn damaged_messages_are_refused_where_prost_refuses_them(
        any: AnySet, damage: Vec<(u16, u8)>, cut: u16
    ) -> bool {
        let mut bytes = any.0.encode_to_vec();
        for (at, byte) in damage {
            let len = bytes.len().max(1);
            if let Some(slot) = bytes.get_mut(usize::from(at) % len) {
                *slot = byte;
            }
        }
        if cut % 4 == 0 {
            bytes.truncate(usize::from(cut / 4) % bytes.len().max(1));
        }
        let _ = decode_lenient(&bytes);
        is_wire(&bytes) == pb::MetricSet::decode(bytes.as_slice()).is_ok()
    }

    fn bytes_of_any_kind_are_refused_where_prost_refuses_them(bytes: Vec<u8>) -> bool {
        is_wire(&bytes) == pb::MetricSet::decode(bytes.as_slice()).is_ok()
    }
}

fn gauge(value: f64) -> pb::Value {
    pb::Value::Gauge(pb::GaugeValue { value: Some(pb::Number::Double(value)) })
}

fn counter(total: f64) -> pb::CounterValue {
    pb::CounterValue { total: Some(pb::Total::Double(total)), ..Default::default() }
}

fn point(value: pb::Value) -> pb::MetricPoint {
    pb::MetricPoint { value: Some(value), timestamp: None }
}

fn metric(labels: &[(&str, &str)], value: pb::Value) -> pb::Metric {
    let label = |&(name, value): &(&str, &str)| pb::Label { name: name.to_owned(), value: value.to_owned() };
    pb::Metric { labels: labels.iter().map(label).collect(), metric_points: vec![point(value)] }
}

fn of_type(metric_type: MetricType, metrics: Vec<pb::Metric>) -> pb::MetricFamily {
    let metric_type = schema::type_number(metric_type) as i32;
    pb::MetricFamily { name: "f".to_owned(), metric_type, metrics, ..Default::default() }
}

const INF: f64 = f64::INFINITY;

fn rules(families: Vec<pb::MetricFamily>) -> Vec<&'static str> {
    let bytes = pb::MetricSet { metric_families: families }.encode_to_vec();
    let (_, findings) = decode_lenient(&bytes);
    let found: Vec<_> = findings.first.iter().map(|finding| finding.rule).collect();
    // A strict reader stops at the first of them.
    assert_eq!(decode(&bytes).err().and_then(|error| error.rule()), found.first().copied());
    found
}

/// The rules found in a family of this one value.
fn found(metric_type: MetricType, value: pb::Value) -> Vec<&'static str> {
    rules(vec![of_type(metric_type, vec![metric(&[], value)])])
}

#[test]
fn broken_families_and_metrics_are_named() {
    use MetricType::{Counter, Gauge, Info, StateSet};
    let one = |labels: &[(&str, &str)]| rules(vec![of_type(Gauge, vec![metric(labels, gauge(1.0))])]);
    assert_eq!(one(&[("a", "")]), [""; 0]);
    assert_eq!(one(&[("a", "1"), ("b", "1"), ("a", "2")]), ["OM1-LAB-02"]);
    assert_eq!(one(&[("", "1")]), ["OM1-PB-06"]);
    assert_eq!(one(&[("1a", "1")]), ["OM1-SYN-08"]);
    assert_eq!(one(&[("__name__", "1")]), ["OM1-LAB-01"]);
    let family = |change: fn(&mut pb::MetricFamily)| {
        let mut family = of_type(Gauge, vec![metric(&[], gauge(1.0))]);
        change(&mut family);
        rules(vec![family])
    };
    assert_eq!(family(|f| f.name.clear()), ["OM1-PB-06"]);
    assert_eq!(family(|f| f.name = "1f".to_owned()), ["OM1-SYN-07"]);
    assert_eq!(family(|f| f.unit = "seconds".to_owned()), ["OM1-FAM-11"]);
    assert_eq!(
        family(|f| f.metric_type = 8),
        ["OM1-PB-05", "OM1-PB-05"],
        "no such type, and then no such value"
    );
    assert_eq!(family(|f| f.metric_type = 2), ["OM1-PB-05"]);
    assert_eq!(family(|f| f.metrics[0].metric_points.clear()), ["OM1-PB-06"]);
    assert_eq!(family(|f| f.metrics[0].metric_points[0].value = None), ["OM1-PB-06"]);
    assert_eq!(family(|f| f.metrics.push(f.metrics[0].clone())), ["OM1-LAB-04"]);
    assert_eq!(rules(vec![of_type(Gauge, vec![]), of_type(Gauge, vec![])]), ["OM1-FAM-01"]);
    let total = pb::MetricFamily { name: "f_total".to_owned(), ..of_type(Gauge, vec![]) };
    assert_eq!(rules(vec![of_type(Counter, vec![]), total]), ["OM1-FAM-04"]);
    let nothing = pb::Value::Gauge(pb::GaugeValue { value: None });
    assert_eq!(found(Gauge, nothing), ["OM1-PB-06"]);
    let united = |metric_type| pb::MetricFamily { unit: "f".to_owned(), ..of_type(metric_type, vec![]) };
    assert_eq!(rules(vec![united(Info)]), ["OM1-INF-03"]);
    assert_eq!(rules(vec![united(StateSet)]), ["OM1-SS-06"]);
}

#[test]
fn times_are_judged() {
    let at = |times: &[Option<(i64, i32)>]| {
        let point = |time: &Option<(i64, i32)>| pb::MetricPoint {
            value: Some(gauge(1.0)),
            timestamp: time.map(|(seconds, nanos)| pb::Stamp { seconds, nanos }),
        };
        let metric_points = times.iter().map(point).collect();
        rules(vec![of_type(MetricType::Gauge, vec![pb::Metric { labels: vec![], metric_points }])])
    };
    assert_eq!(at(&[Some((1, 0)), Some((1, 1))]), [""; 0]);
    assert_eq!(at(&[Some((1, 0)), Some((1, 0))]), [""; 0], "the first of the two is taken");
    assert_eq!(at(&[Some((1, 1)), Some((1, 0))]), ["OM1-TS-04"]);
    assert_eq!(at(&[None, None]), ["OM1-TS-04"]);
    assert_eq!(at(&[Some((1, 1_000_000_000))]), ["OM1-PB-04"]);
    assert_eq!(at(&[Some((1, -1))]), ["OM1-PB-04"]);
}

#[test]
fn broken_values_are_named() {
    use MetricType::{Counter, GaugeHistogram, Histogram, Info, StateSet, Summary};
    let with_exemplar = |labels: &[(&str, &str)], nanos| {
        let label = metric(labels, gauge(0.0)).labels;
        let exemplar = pb::Exemplar { value: 1.0, timestamp: Some(pb::Stamp { seconds: 1, nanos }), label };
        pb::Value::Counter(pb::CounterValue { exemplar: Some(exemplar), ..counter(1.0) })
    };
    assert_eq!(found(Counter, with_exemplar(&[("a", "1")], 0)), [""; 0]);
    assert_eq!(found(Counter, with_exemplar(&[("a", "1"), ("a", "2")], 0)), ["OM1-EX-04"]);
    assert_eq!(found(Counter, with_exemplar(&[("a", &"é".repeat(127))], 0)), [""; 0]);
    assert_eq!(found(Counter, with_exemplar(&[("a", &"é".repeat(128))], 0)), ["OM1-EX-03"]);
    assert_eq!(found(Counter, with_exemplar(&[], -5)), ["OM1-PB-04"]);
    assert_eq!(found(Counter, pb::Value::Counter(counter(f64::NAN))), ["OM1-CNT-03"]);
    assert_eq!(found(Counter, pb::Value::Counter(counter(-1.0))), ["OM1-CNT-04"]);
    assert_eq!(found(Counter, pb::Value::Counter(pb::CounterValue::default())), ["OM1-PB-06"]);

    let buckets = |buckets: &[(f64, u64)], count: u64, sum: Option<f64>| {
        let bucket = |&(upper_bound, count): &(f64, u64)| pb::Bucket { count, upper_bound, exemplar: None };
        pb::Value::Histogram(pb::HistogramValue {
            sum: sum.map(pb::Number::Double),
            count,
            created: None,
            buckets: buckets.iter().map(bucket).collect(),
        })
    };
    for (value, histogram, gauge_histogram) in [
        (buckets(&[(1.0, 1), (INF, 2)], 2, Some(1.0)), None, None),
        (buckets(&[(1.0, 1), (INF, 2)], 0, None), None, None),
        (buckets(&[], 2, Some(1.0)), Some("OM1-HIS-01"), Some("OM1-GHI-01")),
        (buckets(&[(1.0, 1)], 1, Some(1.0)), Some("OM1-HIS-02"), Some("OM1-GHI-01")),
        (buckets(&[(INF, 2), (1.0, 2)], 2, Some(1.0)), Some("OM1-HIS-05"), Some("OM1-GHI-02")),
        (buckets(&[(1.0, 1), (INF, 2)], 3, Some(1.0)), Some("OM1-HIS-12"), Some("OM1-GHI-06")),
        (buckets(&[(1.0, 1), (INF, 2)], 0, Some(1.0)), Some("OM1-HIS-12"), Some("OM1-GHI-06")),
        (buckets(&[(1.0, 1), (1.0, 1), (INF, 2)], 2, Some(1.0)), Some("OM1-HIS-04"), Some("OM1-HIS-04")),
        (buckets(&[(f64::NAN, 1), (INF, 2)], 2, Some(1.0)), Some("OM1-HIS-07"), Some("OM1-HIS-07")),
        (buckets(&[(1.0, 3), (INF, 2)], 2, Some(1.0)), Some("OM1-HIS-03"), Some("OM1-HIS-03")),
        (buckets(&[(INF, 2)], 2, Some(-1.0)), Some("OM1-HIS-09"), Some("OM1-GHI-05")),
        (buckets(&[(INF, 2)], 2, Some(f64::NAN)), Some("OM1-HIS-09"), Some("OM1-GHI-04")),
        (buckets(&[(-1.0, 1), (INF, 2)], 2, Some(1.0)), Some("OM1-HIS-10"), None),
    ] {
        assert_eq!(found(Histogram, value.clone()).first().copied(), histogram, "{value:?}");
        assert_eq!(found(GaugeHistogram, value.clone()).first().copied(), gauge_histogram, "{value:?}");
    }
    let mut above = buckets(&[(1.0, 1), (INF, 2)], 2, Some(1.0));
    if let pb::Value::Histogram(histogram) = &mut above {
        histogram.buckets[0].exemplar = Some(pb::Exemplar { value: 1.5, ..Default::default() });
    }
    assert_eq!(found(Histogram, above), ["OM1-EX-05"]);

    let summary = |count, sum: f64, quantile: f64, value: f64| {
        let quantile = vec![pb::Quantile { quantile, value }];
        pb::Value::Summary(pb::SummaryValue {
            sum: Some(pb::Number::Double(sum)),
            count,
            quantile,
            ..Default::default()
        })
    };
    assert_eq!(found(Summary, summary(1, 1.0, 0.5, f64::NAN)), [""; 0]);
    assert_eq!(found(Summary, summary(1, -1.0, 0.5, 1.0)), ["OM1-SUM-02"]);
    assert_eq!(found(Summary, summary(1, 1.0, 1.5, 1.0)), ["OM1-SUM-05"]);
    assert_eq!(found(Summary, summary(1, 1.0, 0.5, -1.0)), ["OM1-SUM-06"]);

    let states = |names: &[&str]| {
        let states = names.iter().map(|name| pb::State { enabled: true, name: (*name).to_owned() }).collect();
        pb::Value::StateSet(pb::StateSetValue { states })
    };
    assert_eq!(found(StateSet, states(&["a", "b"])), [""; 0]);
    assert_eq!(found(StateSet, states(&["a", "b", "a"])), ["OM1-SS-03"]);
    let named = of_type(StateSet, vec![metric(&[("f", "1")], states(&["a"]))]);
    assert_eq!(rules(vec![named]), ["OM1-SS-05"]);
    let info =
        |labels: &[(&str, &str)]| pb::Value::Info(pb::InfoValue { info: metric(labels, gauge(0.0)).labels });
    assert_eq!(found(Info, info(&[("a", "1"), ("a", "2")])), ["OM1-LAB-02"]);
    let both = of_type(Info, vec![metric(&[("a", "1")], info(&[("a", "1")]))]);
    assert_eq!(rules(vec![both]), ["OM1-INF-04"]);
}

#[test]
fn the_last_of_several_values_counts() {
    let gauge = pb::MetricPoint { value: Some(gauge(1.5)), timestamp: None }.encode_to_vec();
    let counter =
        pb::MetricPoint { value: Some(pb::Value::Counter(counter(2.0))), timestamp: None }.encode_to_vec();
    let point = [counter, gauge].concat();
    let metric = [&[0x12, point.len() as u8], point.as_slice()].concat();
    let family = [b"\x0a\x01f\x10\x01\x2a", [metric.len() as u8].as_slice(), &metric].concat();
    let set = decode(&[&[0x0a, family.len() as u8], family.as_slice()].concat()).unwrap();
    assert_eq!(set.families[0].metrics[0].points[0].value, MetricValue::Number(1.5.into()));
}

#[test]
fn what_openmetrics_1_cannot_say_is_refused_or_becomes_something_near() {
    use crate::model::{Collected, Collector, Descriptor, Emitter, Naming, Value};
    struct Odd;
    impl Collector for Odd {
        fn collect(&self, out: &mut Emitter<'_>) -> Collected {
            let counter = |name| Descriptor::literal(name, MetricType::Counter, "");
            out.value(&counter("negative"), -1_i64);
            out.value(&counter("ifHCInOctets").with_naming(Naming::Verbatim), 5_u64);
            out.value(
                &Descriptor::literal("build", MetricType::Info, "").with_naming(Naming::Verbatim),
                Value::Info(Labels::new(&[("version", "1")])),
            );
            Ok(())
        }
    }
    let mut out = Vec::new();
    let report = encode(&Odd, Format::OPENMETRICS_PROTOBUF, &mut out);
    assert_eq!(report.refusals().iter().map(crate::model::Refusal::rule).collect::<Vec<_>>(), ["OM1-CNT-04"]);
    let set = decode(&out).unwrap();
    let types: Vec<_> = set.families.iter().map(|f| f.descriptor.metric_type()).collect();
    assert_eq!(types, [MetricType::Counter, MetricType::Unknown, MetricType::Gauge]);
    assert_eq!(set.families[2].metrics[0].labels.to_string(), r#"{version="1"}"#);
}
