//! The schema as prost has it, and properties that compare our codec with prost's.

use prost::Message;
use quickcheck::{Arbitrary, Gen, quickcheck};

use super::super::visit::{Family, Finding, Place, Visitor};
use super::{decode, decode_lenient, walk};
use crate::Error;
use crate::format::arbitrary::{ValidSet, text};
use crate::format::{Format, encode};
use crate::model::{
    CountsBuf, Labels, MetricPoint, MetricSet, MetricType, MetricValue, NativeBuckets, Number, Point,
    Timestamp,
};

/// `io/prometheus/client/metrics.proto`, proto2: everything optional, nothing packed.
/// (`Packed` has the repeated numbers as writers of the third version pack them.)
mod pb {
    use prost::Message;

    macro_rules! messages {
        ($($name:ident { $($field:ident: $kind:ty => [$($attr:tt)*]),* $(,)? })*) => {$(
            #[derive(Clone, PartialEq, Message)]
            pub(super) struct $name {
                $(#[prost($($attr)*)] pub(super) $field: $kind,)*
            }
        )*};
    }
    type Numbers<T> = Vec<T>;
    messages! {
        LabelPair {
            name: Option<String> => [string, optional, tag = "1"],
            value: Option<String> => [string, optional, tag = "2"],
        }
        Stamp { seconds: i64 => [int64, tag = "1"], nanos: i32 => [int32, tag = "2"] }
        Exemplar {
            label: Vec<LabelPair> => [message, repeated, tag = "1"],
            value: Option<f64> => [double, optional, tag = "2"],
            timestamp: Option<Stamp> => [message, optional, tag = "3"],
        }
        Gauge { value: Option<f64> => [double, optional, tag = "1"] }
        Counter {
            value: Option<f64> => [double, optional, tag = "1"],
            exemplar: Option<Exemplar> => [message, optional, tag = "2"],
            created: Option<Stamp> => [message, optional, tag = "3"],
        }
        Quantile {
            quantile: Option<f64> => [double, optional, tag = "1"],
            value: Option<f64> => [double, optional, tag = "2"],
        }
        Summary {
            sample_count: Option<u64> => [uint64, optional, tag = "1"],
            sample_sum: Option<f64> => [double, optional, tag = "2"],
            quantile: Vec<Quantile> => [message, repeated, tag = "3"],
            created: Option<Stamp> => [message, optional, tag = "4"],
        }
        Bucket {
            cumulative_count: Option<u64> => [uint64, optional, tag = "1"],
            upper_bound: Option<f64> => [double, optional, tag = "2"],
            exemplar: Option<Exemplar> => [message, optional, tag = "3"],
            cumulative_count_float: Option<f64> => [double, optional, tag = "4"],
        }
        BucketSpan {
            offset: Option<i32> => [sint32, optional, tag = "1"],
            length: Option<u32> => [uint32, optional, tag = "2"],
        }
        Histogram {
            sample_count: Option<u64> => [uint64, optional, tag = "1"],
            sample_sum: Option<f64> => [double, optional, tag = "2"],
            bucket: Vec<Bucket> => [message, repeated, tag = "3"],
            sample_count_float: Option<f64> => [double, optional, tag = "4"],
            schema: Option<i32> => [sint32, optional, tag = "5"],
            zero_threshold: Option<f64> => [double, optional, tag = "6"],
            zero_count: Option<u64> => [uint64, optional, tag = "7"],
            zero_count_float: Option<f64> => [double, optional, tag = "8"],
            negative_span: Vec<BucketSpan> => [message, repeated, tag = "9"],
            negative_delta: Numbers<i64> => [sint64, repeated, packed = "false", tag = "10"],
            negative_count: Numbers<f64> => [double, repeated, packed = "false", tag = "11"],
            positive_span: Vec<BucketSpan> => [message, repeated, tag = "12"],
            positive_delta: Numbers<i64> => [sint64, repeated, packed = "false", tag = "13"],
            positive_count: Numbers<f64> => [double, repeated, packed = "false", tag = "14"],
            created: Option<Stamp> => [message, optional, tag = "15"],
            exemplars: Vec<Exemplar> => [message, repeated, tag = "16"],
        }
        Metric {
            label: Vec<LabelPair> => [message, repeated, tag = "1"],
            gauge: Option<Gauge> => [message, optional, tag = "2"],
            counter: Option<Counter> => [message, optional, tag = "3"],
            summary: Option<Summary> => [message, optional, tag = "4"],
            untyped: Option<Gauge> => [message, optional, tag = "5"],
            timestamp_ms: Option<i64> => [int64, optional, tag = "6"],
            histogram: Option<Histogram> => [message, optional, tag = "7"],
        }
        MetricFamily {
            name: Option<String> => [string, optional, tag = "1"],
            help: Option<String> => [string, optional, tag = "2"],
            metric_type: Option<i32> => [int32, optional, tag = "3"],
            metric: Vec<Metric> => [message, repeated, tag = "4"],
            unit: Option<String> => [string, optional, tag = "5"],
        }
        Packed {
            negative_delta: Numbers<i64> => [sint64, repeated, tag = "10"],
            positive_delta: Numbers<i64> => [sint64, repeated, tag = "13"],
            negative_count: Numbers<f64> => [double, repeated, tag = "11"],
            positive_count: Numbers<f64> => [double, repeated, tag = "14"],
        }
    }
}

// ---- the model as messages, by the plainest code there is

fn labels(set: &crate::model::LabelSet) -> Vec<pb::LabelPair> {
    let pair = |l: &crate::model::Label| pb::LabelPair {
        name: Some(l.name.to_string()),
        value: Some(l.value.to_string()),
    };
    set.iter().map(pair).collect()
}

fn stamp(timestamp: Timestamp) -> pb::Stamp {
    pb::Stamp { seconds: timestamp.seconds(), nanos: timestamp.subsec_nanos() as i32 }
}

fn exemplar(exemplar: &crate::model::Exemplar) -> pb::Exemplar {
    pb::Exemplar {
        label: labels(&exemplar.labels),
        value: Some(exemplar.value.as_f64()),
        timestamp: exemplar.timestamp.map(stamp),
    }
}

fn deltas(counts: &CountsBuf) -> Vec<i64> {
    let CountsBuf::Integer(counts) = counts else { return Vec::new() };
    let before = [0].into_iter().chain(counts.iter().copied());
    counts.iter().zip(before).map(|(now, before)| *now as i64 - before as i64).collect()
}

fn floats(counts: &CountsBuf) -> Vec<f64> {
    let CountsBuf::Float(counts) = counts else { return Vec::new() };
    counts.clone()
}

fn whole(number: Number) -> Option<u64> {
    if let Number::Unsigned(number) = number { Some(number) } else { None }
}

fn float(number: Number) -> Option<f64> {
    if let Number::Float(number) = number { Some(number) } else { None }
}

fn spans(side: &crate::model::Side) -> Vec<pb::BucketSpan> {
    let span = |s: &crate::model::Span| pb::BucketSpan { offset: Some(s.offset), length: Some(s.length) };
    side.spans.iter().map(span).collect()
}

fn histogram(h: &crate::model::Histogram, point: &MetricPoint) -> pb::Histogram {
    let infinite = crate::model::ClassicBucket { upper_bound: f64::INFINITY, count: h.count };
    let mut bucket = Vec::new();
    if let Some(classic) = &h.classic {
        let mut below = f64::NEG_INFINITY;
        for b in classic.iter().chain([&infinite]) {
            let held =
                |e: &&crate::model::Exemplar| below < e.value.as_f64() && e.value.as_f64() <= b.upper_bound;
            let last = point.exemplars.iter().rev().find(held);
            below = b.upper_bound;
            if below == f64::INFINITY && last.is_none() && !classic.is_empty() {
                break;
            }
            bucket.push(pb::Bucket {
                cumulative_count: whole(b.count),
                upper_bound: Some(b.upper_bound),
                exemplar: last.map(exemplar),
                cumulative_count_float: float(b.count),
            });
        }
    }
    let mut message = pb::Histogram {
        sample_count: whole(h.count),
        sample_count_float: float(h.count),
        sample_sum: h.sum.map(Number::as_f64),
        bucket,
        created: point.start.map(stamp),
        ..Default::default()
    };
    if let Some(NativeBuckets { schema, zero_threshold, zero_count, positive, negative, .. }) = &h.native {
        message.schema = Some(schema.number());
        message.zero_threshold = Some(*zero_threshold);
        message.zero_count = whole(*zero_count);
        message.zero_count_float = float(*zero_count);
        (message.negative_span, message.positive_span) = (spans(negative), spans(positive));
        (message.negative_delta, message.positive_delta) =
            (deltas(&negative.counts), deltas(&positive.counts));
        (message.negative_count, message.positive_count) =
            (floats(&negative.counts), floats(&positive.counts));
        if positive.spans.is_empty() && negative.spans.is_empty() {
            message.positive_span.push(pb::BucketSpan { offset: Some(0), length: Some(0) });
        }
        message.exemplars = point.exemplars.iter().map(exemplar).collect();
    }
    message
}

fn messages(set: &MetricSet) -> Vec<pb::MetricFamily> {
    set.families
        .iter()
        .map(|family| {
            let descriptor = &family.descriptor;
            let suffix = if descriptor.metric_type() == MetricType::Counter { "_total" } else { "" };
            let metric = |labels_of: &crate::model::LabelSet, point: &MetricPoint| {
                let mut metric = pb::Metric {
                    label: labels(labels_of),
                    timestamp_ms: point.timestamp.map(Timestamp::as_millis),
                    ..Default::default()
                };
                let gauge = |number: &Number| Some(pb::Gauge { value: Some(number.as_f64()) });
                match (&point.value, descriptor.metric_type()) {
                    (MetricValue::Number(number), MetricType::Counter) => {
                        metric.counter = Some(pb::Counter {
                            value: Some(number.as_f64()),
                            exemplar: point.exemplars.last().map(exemplar),
                            created: point.start.map(stamp),
                        });
                    }
                    (MetricValue::Number(number), MetricType::Gauge) => metric.gauge = gauge(number),
                    (MetricValue::Number(number), _) => metric.untyped = gauge(number),
                    (MetricValue::Histogram(h), _) => metric.histogram = Some(histogram(h, point)),
                    (MetricValue::Summary(s), _) => {
                        let quantile = |q: &crate::model::Quantile| pb::Quantile {
                            quantile: Some(q.quantile),
                            value: Some(q.value.as_f64()),
                        };
                        metric.summary = Some(pb::Summary {
                            sample_count: s.count.and_then(whole),
                            sample_sum: s.sum.map(Number::as_f64),
                            quantile: s.quantiles.iter().map(quantile).collect(),
                            created: point.start.map(stamp),
                        });
                    }
                    (value, metric_type) => panic!("{metric_type} with {value:?} is not for this oracle"),
                }
                metric
            };
            pb::MetricFamily {
                name: Some(format!("{}{suffix}", descriptor.name())),
                help: Some(descriptor.help()).filter(|help| !help.is_empty()).map(str::to_owned),
                metric_type: Some(match descriptor.metric_type() {
                    MetricType::Counter => 0,
                    MetricType::Summary => 2,
                    MetricType::Unknown => 3,
                    MetricType::Histogram => 4,
                    MetricType::GaugeHistogram => 5,
                    _ => 1,
                }),
                metric: family
                    .metrics
                    .iter()
                    .flat_map(|m| m.points.iter().map(|point| metric(&m.labels, point)))
                    .collect(),
                unit: descriptor.unit().map(ToString::to_string),
            }
        })
        .collect()
}

/// What this format can say of a set: doubles, milliseconds, and no infos and statesets.
fn sayable(mut set: MetricSet) -> MetricSet {
    set.families.retain(|f| !matches!(f.descriptor.metric_type(), MetricType::Info | MetricType::StateSet));
    let double = |number: &mut Number| *number = Number::Float(number.as_f64());
    for point in set.families.iter_mut().flat_map(|f| &mut f.metrics).flat_map(|m| &mut m.points) {
        point.timestamp = point.timestamp.map(|t| Timestamp::from_millis(t.as_millis()));
        point.exemplars.iter_mut().for_each(|e| double(&mut e.value));
        match &mut point.value {
            MetricValue::Number(number) => double(number),
            MetricValue::Histogram(h) => h.sum.iter_mut().for_each(double),
            MetricValue::Summary(s) => {
                s.sum.iter_mut().chain(s.quantiles.iter_mut().map(|q| &mut q.value)).for_each(double);
            }
            _ => {}
        }
    }
    set
}

fn encoded(set: &MetricSet) -> Vec<u8> {
    let mut out = Vec::new();
    let report = encode(set, Format::PROMETHEUS_PROTOBUF, &mut out);
    assert!(report.is_clean(), "{report:?}");
    out
}

fn prost_encoded(families: &[pb::MetricFamily]) -> Vec<u8> {
    families.iter().flat_map(Message::encode_length_delimited_to_vec).collect()
}

fn prost_decoded(mut bytes: &[u8]) -> Result<Vec<pb::MetricFamily>, prost::DecodeError> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(pb::MetricFamily::decode_length_delimited(&mut bytes)?);
    }
    Ok(families)
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
        self.0 &= !matches!(finding.rule, "PPB-02" | "PPB-03" | "PPB-04");
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
struct AnyFamilies(Vec<pb::MetricFamily>);

impl Arbitrary for AnyFamilies {
    fn arbitrary(g: &mut Gen) -> Self {
        fn some<T>(g: &mut Gen, make: impl FnOnce(&mut Gen) -> T) -> Option<T> {
            bool::arbitrary(g).then(|| make(g))
        }
        fn few<T>(g: &mut Gen, make: impl Fn(&mut Gen) -> T) -> Vec<T> {
            (0..u8::arbitrary(g) % 3).map(|_| make(g)).collect()
        }
        let labels = |g: &mut Gen| few(g, |g| pb::LabelPair { name: some(g, text), value: some(g, text) });
        let stamp = |g: &mut Gen| pb::Stamp { seconds: i64::arbitrary(g), nanos: i32::arbitrary(g) };
        let exemplar = |g: &mut Gen| pb::Exemplar {
            label: labels(g),
            value: Option::arbitrary(g),
            timestamp: some(g, stamp),
        };
        let span = |g: &mut Gen| pb::BucketSpan {
            offset: Option::arbitrary(g),
            length: some(g, |g| u32::arbitrary(g) % 4),
        };
        let gauge = |g: &mut Gen| pb::Gauge { value: Option::arbitrary(g) };
        let counter = |g: &mut Gen| pb::Counter {
            value: Option::arbitrary(g),
            exemplar: some(g, exemplar),
            created: some(g, stamp),
        };
        let summary = |g: &mut Gen| pb::Summary {
            sample_count: Option::arbitrary(g),
            sample_sum: Option::arbitrary(g),
            quantile: few(g, |g| pb::Quantile {
                quantile: Option::arbitrary(g),
                value: Option::arbitrary(g),
            }),
            created: some(g, stamp),
        };
        let bucket = |g: &mut Gen| pb::Bucket {
            cumulative_count: Option::arbitrary(g),
            upper_bound: Option::arbitrary(g),
            exemplar: some(g, exemplar),
            cumulative_count_float: Option::arbitrary(g),
        };
        let histogram = |g: &mut Gen| pb::Histogram {
            sample_count: Option::arbitrary(g),
            sample_sum: Option::arbitrary(g),
            bucket: few(g, bucket),
            sample_count_float: Option::arbitrary(g),
            schema: some(g, |g| i32::arbitrary(g) % 10),
            zero_threshold: Option::arbitrary(g),
            zero_count: Option::arbitrary(g),
            zero_count_float: Option::arbitrary(g),
            negative_span: few(g, span),
            negative_delta: few(g, Arbitrary::arbitrary),
            negative_count: few(g, Arbitrary::arbitrary),
            positive_span: few(g, span),
            positive_delta: few(g, Arbitrary::arbitrary),
            positive_count: few(g, Arbitrary::arbitrary),
            created: some(g, stamp),
            exemplars: few(g, exemplar),
        };
        let family = |g: &mut Gen| pb::MetricFamily {
            name: some(g, text),
            help: some(g, text),
            metric_type: some(g, |g| i32::arbitrary(g) % 7),
            metric: few(g, |g| pb::Metric {
                label: labels(g),
                gauge: some(g, gauge),
                counter: some(g, counter),
                summary: some(g, summary),
                untyped: some(g, gauge),
                timestamp_ms: Option::arbitrary(g),
                histogram: some(g, histogram),
            }),
            unit: some(g, text),
        };
        Self(few(g, family))
    }
}

quickcheck! {
    fn prost_reads_what_we_write(set: ValidSet) -> bool {
        let set = sayable(set.0);
        // NaN is not equal to itself, so messages are compared as prost prints them.
        format!("{:?}", prost_decoded(&encoded(&set)).unwrap()) == format!("{:?}", messages(&set))
    }

    fn we_read_what_prost_writes(set: ValidSet) -> bool {
        let set = sayable(set.0);
        decode(&prost_encoded(&messages(&set))).unwrap() == set
    }

    fn what_we_write_comes_back(set: ValidSet) -> bool {
        let set = sayable(set.0);
        decode(&encoded(&set)).unwrap() == set
    }

    fn what_we_accept_is_written_again(families: AnyFamilies) -> bool {
        let bytes = prost_encoded(&families.0);
        let (set, _) = decode_lenient(&bytes);
        let Ok(strict) = decode(&bytes) else { return true };
        strict == set && decode(&encoded(&strict)).unwrap() == strict
    }

    fn any_message_is_well_formed(families: AnyFamilies) -> bool {
        is_wire(&prost_encoded(&families.0))
    }

    fn damaged_messages_are_refused_where_prost_refuses_them(
        families: AnyFamilies, damage: Vec<(u16, u8)>, cut: u16
    ) -> bool {
        let mut bytes = prost_encoded(&families.0);
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
        is_wire(&bytes) == prost_decoded(&bytes).is_ok()
    }

    fn bytes_of_any_kind_are_refused_where_prost_refuses_them(bytes: Vec<u8>) -> bool {
        is_wire(&bytes) == prost_decoded(&bytes).is_ok()
    }
}

#[test]
fn packed_and_unpacked_numbers_are_the_same() {
    let deltas = vec![3_i64, 2, -5, 100];
    let native = pb::Histogram {
        sample_count: Some(109 - 1),
        positive_span: vec![pb::BucketSpan { offset: Some(0), length: Some(4) }],
        ..Default::default()
    };
    let family = |histogram: Vec<u8>| {
        let metric = [&[0x3a, histogram.len() as u8], histogram.as_slice()].concat();
        let body = [b"\x0a\x01h\x18\x04\x22".as_slice(), &[metric.len() as u8], &metric].concat();
        [&[body.len() as u8], body.as_slice()].concat()
    };
    let unpacked = pb::Histogram { positive_delta: deltas.clone(), ..native.clone() };
    let packed = pb::Packed { positive_delta: deltas, ..Default::default() };
    let packed = [native.encode_to_vec(), packed.encode_to_vec()].concat();
    let set = decode(&family(packed)).unwrap();
    assert_eq!(set, decode(&family(unpacked.encode_to_vec())).unwrap());
    let MetricValue::Histogram(histogram) = &set.families[0].metrics[0].points[0].value else { panic!() };
    assert_eq!(histogram.native.as_ref().unwrap().positive.counts, CountsBuf::Integer(vec![3, 5, 0, 100]));
}

/// The definitions that the structs above are checked against, as facts: message, field, label, type, number.
#[test]
fn numbers_are_those_of_the_definition() {
    use super::schema;
    use schema::{
        bucket, counter, exemplar, gauge, histogram, metric, metric_family, quantile, span, summary,
    };
    for (ours, numbers) in [
        (metric_family::KNOWN, 1..=5),
        (metric::KNOWN, 1..=7),
        (gauge::KNOWN, 1..=1),
        (counter::KNOWN, 1..=3),
        (summary::KNOWN, 1..=4),
        (quantile::KNOWN, 1..=2),
        (histogram::KNOWN, 1..=16),
        (bucket::KNOWN, 1..=4),
        (span::KNOWN, 1..=2),
        (exemplar::KNOWN, 1..=3),
    ] {
        assert_eq!(ours, numbers.fold(0, |bits, number| bits | 1 << number));
    }
    for metric_type in MetricType::ALL {
        let number = schema::type_number(metric_type) as i32;
        let back = schema::type_of(number);
        let gauge = matches!(metric_type, MetricType::Info | MetricType::StateSet);
        assert_eq!(back, Some(if gauge { MetricType::Gauge } else { metric_type }));
    }
    assert_eq!(schema::type_of(6), None);
}

fn gauge(value: f64) -> pb::Metric {
    pb::Metric { gauge: Some(pb::Gauge { value: Some(value) }), ..Default::default() }
}

fn of_type(metric_type: i32, metric: Vec<pb::Metric>) -> pb::MetricFamily {
    let name = Some("f".to_owned());
    pb::MetricFamily { name, metric_type: Some(metric_type), metric, ..Default::default() }
}

fn label(name: &str, value: &str) -> pb::LabelPair {
    pb::LabelPair { name: Some(name.to_owned()), value: Some(value.to_owned()) }
}

fn classic(buckets: &[(u64, f64)], count: u64) -> pb::Histogram {
    let bucket = |&(count, bound): &(u64, f64)| pb::Bucket {
        cumulative_count: Some(count),
        upper_bound: Some(bound),
        ..Default::default()
    };
    let bucket = buckets.iter().map(bucket).collect();
    pb::Histogram { sample_count: Some(count), sample_sum: Some(1.0), bucket, ..Default::default() }
}

/// Three observations in two buckets above zero.
fn native() -> pb::Histogram {
    pb::Histogram {
        sample_count: Some(3),
        sample_sum: Some(1.0),
        schema: Some(3),
        zero_threshold: Some(0.001),
        zero_count: Some(0),
        positive_span: vec![pb::BucketSpan { offset: Some(1), length: Some(2) }],
        positive_delta: vec![1, 1],
        ..Default::default()
    }
}

/// What is found in a histogram family of this one histogram: all rules that a lenient reader names.
fn found(histogram: pb::Histogram) -> Vec<&'static str> {
    let metric = pb::Metric { histogram: Some(histogram), ..Default::default() };
    rules(&[of_type(4, vec![metric])])
}

fn rules(families: &[pb::MetricFamily]) -> Vec<&'static str> {
    let bytes = prost_encoded(families);
    let (_, findings) = decode_lenient(&bytes);
    let found: Vec<_> = findings.first.iter().map(|finding| finding.rule).collect();
    // A strict reader stops at the first of them.
    assert_eq!(decode(&bytes).err().and_then(|error| error.rule()), found.first().copied());
    found
}

#[test]
fn broken_families_and_metrics_are_named() {
    let labelled = |labels: &[(&str, &str)]| pb::Metric {
        label: labels.iter().map(|(name, value)| label(name, value)).collect(),
        ..gauge(1.0)
    };
    assert_eq!(rules(&[of_type(1, vec![gauge(1.0)])]), [""; 0]);
    assert_eq!(rules(&[pb::MetricFamily { name: None, ..of_type(1, vec![]) }]), ["PPB-11"]);
    assert_eq!(rules(&[of_type(1, vec![]), of_type(3, vec![])]), ["PPB-11"], "one name, two families");
    let summed = pb::MetricFamily { name: Some("f_sum".to_owned()), ..of_type(1, vec![]) };
    assert_eq!(rules(&[of_type(4, vec![]), summed]), ["PPB-11"], "the sum of histogram f");
    assert_eq!(rules(&[of_type(0, vec![gauge(1.0)])]), ["PPB-05"], "a counter is no gauge");
    assert_eq!(rules(&[of_type(6, vec![gauge(1.0)])]), [""; 0], "a type of later days");
    assert_eq!(rules(&[of_type(1, vec![pb::Metric::default()])]), ["PPB-05"]);
    assert_eq!(rules(&[of_type(1, vec![labelled(&[("a", "1"), ("b", ""), ("a", "2")])])]), ["PPB-11"]);
    assert_eq!(rules(&[of_type(1, vec![labelled(&[("", "1")])])]), ["PPB-11"]);
    let same = [labelled(&[("a", "1"), ("b", "2")]), labelled(&[("b", "2"), ("a", "1")])];
    assert_eq!(rules(&[of_type(1, same.to_vec())]), ["PPB-11"], "label order does not matter");
    let at = |ms| pb::Metric { timestamp_ms: Some(ms), ..gauge(1.0) };
    assert_eq!(rules(&[of_type(1, vec![at(1), at(2)])]), [""; 0], "one metric at two times");
    assert_eq!(rules(&[of_type(1, vec![at(2), at(1)])]), ["PPB-11"]);
    let created = |nanos| pb::Metric {
        counter: Some(pb::Counter { created: Some(pb::Stamp { seconds: 1, nanos }), ..Default::default() }),
        ..Default::default()
    };
    assert_eq!(rules(&[of_type(0, vec![created(999_999_999)])]), [""; 0]);
    assert_eq!(rules(&[of_type(0, vec![created(1_000_000_000)])]), ["PPB-12"]);
    assert_eq!(rules(&[of_type(0, vec![created(-1)])]), ["PPB-12"]);
}

#[test]
fn a_family_of_undefined_type_is_what_its_values_are() {
    let type_of = |metric| {
        let set = decode(&prost_encoded(&[of_type(77, vec![metric])])).unwrap();
        assert_eq!(decode(&encoded(&set)).unwrap(), set, "and can be written again");
        set.families[0].descriptor.metric_type()
    };
    let exemplar = pb::Exemplar { value: Some(1.0), ..Default::default() };
    let counter = pb::Counter { value: Some(1.0), exemplar: Some(exemplar), ..Default::default() };
    let [untyped, counter, summary, histogram] = [
        pb::Metric { untyped: Some(pb::Gauge { value: Some(1.0) }), ..Default::default() },
        pb::Metric { counter: Some(counter), ..Default::default() },
        pb::Metric { summary: Some(pb::Summary::default()), ..Default::default() },
        pb::Metric { histogram: Some(classic(&[(1, 0.5)], 3)), ..Default::default() },
    ];
    assert_eq!(type_of(gauge(1.0)), MetricType::Unknown);
    assert_eq!(type_of(untyped), MetricType::Unknown);
    assert_eq!(type_of(counter), MetricType::Counter);
    assert_eq!(type_of(summary.clone()), MetricType::Summary);
    assert_eq!(type_of(histogram), MetricType::Histogram);
    assert_eq!(rules(&[of_type(77, vec![])]), [""; 0]);
    assert_eq!(rules(&[of_type(77, vec![summary, gauge(1.0)])]), ["PPB-05"], "but only one of them");
}

#[test]
fn broken_classic_buckets_are_named() {
    assert_eq!(found(classic(&[(1, 0.5), (2, 1.0)], 3)), [""; 0]);
    assert_eq!(found(classic(&[(1, 0.5), (3, f64::INFINITY)], 3)), [""; 0]);
    assert_eq!(found(classic(&[(1, 1.0), (2, 0.5)], 3)), ["PPB-06"]);
    assert_eq!(found(classic(&[(1, 1.0), (2, 1.0)], 3)), ["PPB-06"]);
    assert_eq!(found(classic(&[(1, f64::NAN)], 3)), ["PPB-06"]);
    assert_eq!(found(classic(&[(2, 0.5), (1, 1.0)], 3)), ["PPB-07"]);
    assert_eq!(found(classic(&[(4, 0.5)], 3)), ["PPB-07"]);
    assert_eq!(found(classic(&[(1, 0.5), (2, f64::INFINITY)], 3)), ["P4-21"]);
    // A count as a double is the one that counts, if it is above zero.
    let mut histogram = classic(&[(4, 0.5)], 3);
    histogram.sample_count_float = Some(4.5);
    assert_eq!(found(histogram), [""; 0]);
}

#[test]
fn quantiles_rise() {
    let found = |quantiles: &[f64]| {
        let quantile = |&q: &f64| pb::Quantile { quantile: Some(q), value: Some(f64::NAN) };
        let summary =
            Some(pb::Summary { quantile: quantiles.iter().map(quantile).collect(), ..Default::default() });
        rules(&[of_type(2, vec![pb::Metric { summary, ..Default::default() }])])
    };
    assert_eq!(found(&[0.5, 0.9]), [""; 0]);
    assert_eq!(found(&[0.9, 0.5]), ["P4-23"]);
    assert_eq!(found(&[0.5, 0.5]), ["P4-23"]);
    assert_eq!(found(&[f64::NAN]), ["P4-23"]);
}

#[test]
fn broken_native_buckets_are_named() {
    let with = |change: fn(&mut pb::Histogram)| {
        let mut histogram = native();
        change(&mut histogram);
        found(histogram)
    };
    assert_eq!(with(|_| ()), [""; 0]);
    assert_eq!(with(|h| h.schema = Some(9)), ["NH-02", "NH-01"]);
    assert_eq!(with(|h| h.schema = Some(100)), ["NH-01"]);
    let bare =
        pb::Histogram { schema: Some(0), sample_count: Some(0), sample_sum: Some(0.0), ..Default::default() };
    assert_eq!(found(bare.clone()), ["NH-17"]);
    let span = pb::BucketSpan { offset: Some(0), length: Some(0) };
    assert_eq!(found(pb::Histogram { positive_span: vec![span], ..bare }), [""; 0]);
    assert_eq!(with(|h| h.schema = Some(-53)), ["NH-24"]);
    assert_eq!(with(|h| h.positive_delta = vec![1, -2]), ["NH-08"]);
    assert_eq!(with(|h| h.positive_count = vec![1.0, 2.0]), ["NH-09"]);
    assert_eq!(with(|h| (h.positive_delta, h.positive_count) = (vec![], vec![-1.0, 4.0])), ["NH-09"]);
    assert_eq!(with(|h| h.positive_span.push(pb::BucketSpan { offset: Some(-3), length: None })), ["NH-10"]);
    assert_eq!(with(|h| h.positive_delta = vec![3]), ["NH-11"]);
    assert_eq!(with(|h| h.positive_span[0].length = Some(u32::MAX)), ["NH-11"]);
    assert_eq!(with(|h| h.positive_span[0].offset = Some(8192)), [""; 0]);
    assert_eq!(with(|h| h.positive_span[0].offset = Some(8193)), ["NH-07"]);
    assert_eq!(with(|h| h.zero_threshold = Some(-1.0)), ["NH-14"]);
    assert_eq!(with(|h| h.zero_threshold = Some(2.0)), ["NH-16"]);
    assert_eq!(with(|h| h.sample_count = Some(4)), ["NH-20"]);
    assert_eq!(with(|h| (h.sample_count, h.sample_sum) = (Some(4), Some(f64::NAN))), [""; 0]);
    assert_eq!(with(|h| h.exemplars.push(pb::Exemplar::default())), ["NH-18"]);
}

#[test]
fn faults_have_their_place() {
    let place = |bytes: &[u8]| {
        let (_, findings) = decode_lenient(bytes);
        findings.first.iter().map(|finding| (finding.rule, finding.offset)).collect::<Vec<_>>()
    };
    assert_eq!(place(b"\x05\x0a\x01f\x18"), [("PPB-02", 0)], "five bytes claimed, four there");
    assert_eq!(place(b"\x05\x0a\x04f\x18\x01"), [("PPB-03", 2)], "four bytes claimed, three there");
    assert_eq!(place(b"\x04\x0a\x02f\xff"), [("PPB-04", 4)]);
    assert_eq!(place(b"\x05\x0a\x01f\x1a\x00"), [("PPB-03", 5)], "a type that is text");
    // The metric is broken, the family goes on.
    let two = b"\x0d\x0a\x01f\x18\x01\x22\x02\x12\x05\x22\x02\x12\x00";
    assert_eq!(place(two), [("PPB-03", 9)]);
    assert_eq!(decode_lenient(two).0.families[0].metrics.len(), 1);
    let error = decode(two).unwrap_err().to_string();
    assert_eq!(error, "byte 9: a length goes beyond the end of what holds it [PPB-03]");
}

#[test]
fn names_are_escaped_and_may_not_clash_then() {
    use crate::format::Escaping;
    use crate::model::{Descriptor, Metric, MetricFamily, MetricName};
    let family = |name: &'static str| MetricFamily {
        descriptor: Descriptor::new(MetricName::utf8(name).unwrap(), MetricType::Counter),
        metrics: vec![Metric {
            labels: crate::model::LabelSet::new([crate::model::Label::new(
                crate::model::LabelName::utf8("http.status").unwrap(),
                "200",
            )])
            .unwrap(),
            points: vec![MetricPoint::new(MetricValue::Number(1.5.into()))],
        }],
    };
    let set = MetricSet { families: vec![family("a.b"), family("a_b")] };
    let mut out = Vec::new();
    let report = encode(&set, Format::PROMETHEUS_PROTOBUF.with_escaping(Escaping::Underscores), &mut out);
    assert_eq!(report.refused(), 1);
    let families = prost_decoded(&out).unwrap();
    assert_eq!(families.len(), 1);
    assert_eq!(families[0].name.as_deref(), Some("a_b_total"));
    assert_eq!(families[0].metric[0].label[0].name.as_deref(), Some("http_status"));
    assert_eq!(prost_decoded(&encoded(&set)).unwrap()[0].name.as_deref(), Some("a.b_total"));
}

#[test]
fn infos_and_statesets_are_gauges() {
    use crate::model::{Collected, Collector, Descriptor, Emitter, Labels, State, Value};
    struct Both;
    impl Collector for Both {
        fn collect(&self, out: &mut Emitter<'_>) -> Collected {
            out.value(
                &Descriptor::literal("build", MetricType::Info, ""),
                Value::Info(Labels::new(&[("version", "1.0")])),
            );
            out.value(
                &Descriptor::literal("light", MetricType::StateSet, ""),
                Value::StateSet(&[
                    State { name: "on", enabled: true },
                    State { name: "off", enabled: false },
                ]),
            );
            Ok(())
        }
    }
    let mut out = Vec::new();
    assert!(encode(&Both, Format::PROMETHEUS_PROTOBUF, &mut out).is_clean());
    let named = |name: &str, metric| pb::MetricFamily { name: Some(name.to_owned()), ..of_type(1, metric) };
    let with = |name, value, is: f64| pb::Metric { label: vec![label(name, value)], ..gauge(is) };
    assert_eq!(
        prost_decoded(&out).unwrap(),
        [
            named("build_info", vec![with("version", "1.0", 1.0)]),
            named("light", vec![with("light", "on", 1.0), with("light", "off", 0.0)]),
        ]
    );
}

#[test]
fn labels_kept_rendered_are_those_of_their_series() {
    use crate::{Counter, Family as Metrics, Registry};
    let registry = Registry::new();
    let family: Metrics<[&str; 2], Counter> =
        registry.metric("requests", "").labels(["method", "path"]).register().unwrap();
    let check = || {
        let (mut expected, _) = MetricSet::collect_from(&registry);
        expected = sayable(expected);
        for point in expected.families.iter_mut().flat_map(|f| &mut f.metrics).flat_map(|m| &mut m.points) {
            point.exemplars.clear();
        }
        // Twice: the first time the labels are rendered, the second time they are there.
        for _ in 0..2 {
            let mut out = Vec::new();
            assert!(encode(&registry, Format::PROMETHEUS_PROTOBUF, &mut out).is_clean());
            assert_eq!(decode(&out).unwrap(), expected);
        }
    };
    let path = |at: u32| format!("/\"\\\n{at}");
    for at in 0..200 {
        family.with(["GET", &path(at)]).inc_by(u64::from(at) + 1);
    }
    check();
    for at in (0..200).step_by(3) {
        family.remove(["GET", &path(at)]);
    }
    check();
    for at in 1000..1100 {
        family.with(["PUT", &path(at)]).inc();
    }
    check();
}
