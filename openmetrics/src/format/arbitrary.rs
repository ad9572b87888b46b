//! Random values of the model for properties of the formats, all of them valid by every rule.
//!
//! A format that cannot say everything takes them through a function of its own first, which makes of them what it
//! can say.

use quickcheck::{Arbitrary, Gen};

use crate::model::{
    ClassicBucket, CountsBuf, Descriptor, Exemplar, Histogram, Label, LabelName, LabelSet, Metric,
    MetricFamily, MetricName, MetricPoint, MetricSet, MetricType, MetricValue, NativeBuckets, Number,
    Quantile, Schema, Side, Span, Summary, Text, Timestamp, Unit,
};

/// Metric sets whose families, names, labels, values and times are all valid, names beyond the classic grammar among
/// them.
#[derive(Clone, Debug)]
pub(crate) struct ValidSet(pub(crate) MetricSet);

impl Arbitrary for ValidSet {
    fn arbitrary(g: &mut Gen) -> Self {
        let families = (0..below(g, 6)).map(|at| family(g, at)).collect();
        Self(MetricSet { families })
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let families = self.0.families.clone();
        let fewer = families.clone().into_iter().enumerate().flat_map(move |(at, family)| {
            let mut without = families.clone();
            without.remove(at);
            let mut sets = vec![without];
            for gone in 0..family.metrics.len() {
                let mut with = families.clone();
                with[at].metrics.remove(gone);
                sets.push(with);
            }
            for (metric, gone) in family.metrics.iter().enumerate().flat_map(|(m, metric)| {
                (0..metric.points.len()).filter(|_| metric.points.len() > 1).map(move |p| (m, p))
            }) {
                let mut with = families.clone();
                with[at].metrics[metric].points.remove(gone);
                sets.push(with);
            }
            sets
        });
        Box::new(fewer.map(|families| Self(MetricSet { families })))
    }
}

fn below(g: &mut Gen, end: u32) -> u32 {
    u32::arbitrary(g) % end
}

fn one_in(g: &mut Gen, n: u32) -> bool {
    below(g, n) == 0
}

fn pick<T: Copy>(g: &mut Gen, of: &[T]) -> T {
    of[below(g, of.len() as u32) as usize]
}

/// Text of every kind that is a trap for somebody.
pub(crate) fn text(g: &mut Gen) -> String {
    if one_in(g, 3) {
        return pick(g, &["", " ", "\"", "\\", "\n", "a\\nb", "{}=,#", "ünïcödé", "\0", "名", "# EOF"])
            .to_owned();
    }
    String::arbitrary(g)
}

fn family(g: &mut Gen, at: u32) -> MetricFamily {
    let metric_type = pick(g, &MetricType::ALL);
    let has_unit = one_in(g, 3) && !matches!(metric_type, MetricType::Info | MetricType::StateSet);
    let unit = has_unit.then(|| pick(g, &["seconds", "bytes", "ratio"]));
    // A stateset's name is a label's as well, which has no colons.
    let colon = if metric_type == MetricType::StateSet { '_' } else { ':' };
    let stem = if one_in(g, 4) {
        format!("f{at}.ü b")
    } else {
        format!("f{at}{colon}x_{}", pick(g, &["a", "B", "9"]))
    };
    let name = unit.map_or(stem.clone(), |unit| format!("{stem}_{unit}"));
    let mut descriptor = Descriptor::new(MetricName::utf8(name).unwrap(), metric_type).with_help(text(g));
    if let Some(unit) = unit {
        descriptor = descriptor.with_unit(Unit::new(unit).unwrap());
    }
    let metrics = (0..below(g, 4))
        .map(|at| {
            let mut labels = label_set(g, 2);
            labels.push(Label::new(LabelName::from_static("n"), at.to_string()));
            metric(g, metric_type, LabelSet::new(labels).unwrap())
        })
        .collect();
    MetricFamily { descriptor, metrics }
}

fn label_set(g: &mut Gen, most: u32) -> Vec<Label> {
    (0..below(g, most + 1))
        .map(|at| {
            let name = if one_in(g, 4) { format!("l{at}.ü b") } else { format!("l{at}_A") };
            Label::new(LabelName::utf8(name).unwrap(), text(g))
        })
        .collect()
}

fn metric(g: &mut Gen, metric_type: MetricType, labels: LabelSet) -> Metric {
    let first = timestamp(g);
    let points = if one_in(g, 4) { 1 + below(g, 3) } else { 1 };
    // The states of a stateset are those of all its points.
    let states: Vec<Text> = (0..below(g, 4)).map(|at| format!("{at}{}", text(g)).into()).collect();
    let timed = points > 1 || one_in(g, 4);
    let points = (0..points)
        .map(|at| {
            let mut point = point(g, metric_type, &states);
            point.timestamp =
                timed.then(|| Timestamp::new(first.seconds() + i64::from(at), first.subsec_nanos()).unwrap());
            point
        })
        .collect();
    Metric { labels, points }
}

fn timestamp(g: &mut Gen) -> Timestamp {
    let seconds = pick(g, &[0, 1, -1, 1_520_879_607, -3_000_000_000, 4_102_444_800]);
    Timestamp::new(seconds, pick(g, &[0, 1, 500_000_000, 789_000_000, 999_999_999])).unwrap()
}

fn point(g: &mut Gen, metric_type: MetricType, states: &[Text]) -> MetricPoint {
    let value = match metric_type {
        MetricType::Gauge | MetricType::Unknown => MetricValue::Number(number(g)),
        MetricType::Counter => MetricValue::Number(count(g)),
        MetricType::StateSet => {
            MetricValue::StateSet(states.iter().map(|state| (state.clone(), bool::arbitrary(g))).collect())
        }
        MetricType::Info => {
            let facts = label_set(g, 2)
                .into_iter()
                .map(|l| Label::new(LabelName::utf8(format!("i{}", l.name)).unwrap(), l.value));
            MetricValue::Info(LabelSet::new(facts).unwrap())
        }
        MetricType::Histogram | MetricType::GaugeHistogram => MetricValue::Histogram(Box::new(histogram(g))),
        MetricType::Summary => MetricValue::Summary(Summary {
            count: Some(u64::from(u32::arbitrary(g)).into()),
            sum: Some(count(g)),
            quantiles: (0..below(g, 3))
                .map(|at| Quantile {
                    quantile: f64::from(at) / 4.0,
                    value: if one_in(g, 4) { f64::NAN.into() } else { count(g) },
                })
                .collect(),
        }),
    };
    let mut point = MetricPoint::new(value);
    let starts = matches!(metric_type, MetricType::Counter | MetricType::Histogram | MetricType::Summary);
    point.start = (starts && one_in(g, 2)).then(|| timestamp(g));
    point.exemplars = match &point.value {
        MetricValue::Number(_) if metric_type == MetricType::Counter => {
            (0..below(g, 2)).map(|_| exemplar(g, None)).collect()
        }
        // One in every second bucket, rising.
        MetricValue::Histogram(h) => {
            let bounds: Vec<f64> = h.classic.iter().flatten().map(|b| b.upper_bound).collect();
            let bounds = if bounds.is_empty() { vec![1.0] } else { bounds };
            bounds
                .iter()
                .step_by(2)
                .filter(|_| one_in(g, 2))
                .copied()
                .collect::<Vec<_>>()
                .into_iter()
                .map(|bound| exemplar(g, Some(bound)))
                .collect()
        }
        _ => Vec::new(),
    };
    point
}

fn exemplar(g: &mut Gen, value: Option<f64>) -> Exemplar {
    let mut labels = label_set(g, 1);
    labels.retain(|label| label.value.chars().count() < 100);
    Exemplar {
        labels: LabelSet::new(labels).unwrap(),
        value: value.map_or_else(|| count(g), Number::Float),
        timestamp: Some(timestamp(g)),
    }
}

/// Any number.
fn number(g: &mut Gen) -> Number {
    match below(g, 4) {
        0 => i64::arbitrary(g).into(),
        1 => u64::arbitrary(g).into(),
        2 => f64::arbitrary(g).into(),
        _ => pick(g, &[0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 1e21]).into(),
    }
}

/// A number from zero up.
fn count(g: &mut Gen) -> Number {
    match number(g) {
        Number::Float(v) if v.is_nan() => Number::ZERO,
        Number::Float(v) => v.abs().into(),
        Number::Signed(v) => v.unsigned_abs().into(),
        Number::Unsigned(v) => v.into(),
    }
}

fn histogram(g: &mut Gen) -> Histogram {
    let native = one_in(g, 2).then(|| native(g));
    let count = native.as_ref().map(|(_, count)| *count);
    let (classic, count) = if native.is_some() && one_in(g, 2) { (None, count) } else { classic(g, count) };
    Histogram {
        count: count.unwrap_or_default(),
        sum: Some(self::count(g)),
        classic,
        native: native.map(|(native, _)| native),
    }
}

/// Classic buckets that rise to `count`, or to a count of their own.
fn classic(g: &mut Gen, count: Option<Number>) -> (Option<Vec<ClassicBucket>>, Option<Number>) {
    let mut held = 0_u64;
    let mut bounds: Vec<f64> = (0..below(g, 5)).map(|at| f64::from(at) * 0.25 + 0.1).collect();
    bounds.dedup();
    let most = count.map_or(u64::MAX, |count| count.as_f64() as u64);
    let is_float = matches!(count, Some(Number::Float(_)));
    let buckets: Vec<_> = bounds
        .into_iter()
        .map(|upper_bound| {
            held = (held + u64::from(below(g, 100))).min(most);
            let count = if is_float { Number::Float(held as f64) } else { held.into() };
            ClassicBucket { upper_bound, count }
        })
        .collect();
    (Some(buckets), Some(count.unwrap_or_else(|| (held + u64::from(below(g, 3))).into())))
}

/// Native buckets and their count, of whole numbers or of others.
fn native(g: &mut Gen) -> (NativeBuckets, Number) {
    let is_float = one_in(g, 3);
    let mut total = 0_u64;
    let mut side = |g: &mut Gen| {
        let mut spans = Vec::new();
        let mut counts = Vec::new();
        for at in 0..below(g, 3) {
            let length = 1 + below(g, 3);
            let offset = if at == 0 { below(g, 40) as i32 - 20 } else { 1 + below(g, 9) as i32 };
            spans.push(Span { offset, length });
            counts.extend((0..length).map(|_| u64::from(below(g, 50))));
        }
        total += counts.iter().sum::<u64>();
        let counts = if is_float {
            CountsBuf::Float(counts.into_iter().map(|count| count as f64 / 2.0).collect())
        } else {
            CountsBuf::Integer(counts)
        };
        Side { spans, counts }
    };
    let (positive, negative) = (side(g), side(g));
    let zero = u64::from(below(g, 4));
    total += zero;
    let whole = |n: u64| if is_float { Number::Float(n as f64 / 2.0) } else { n.into() };
    let native = NativeBuckets {
        schema: Schema::exponential(below(g, 13) as i32 - 4).unwrap(),
        // Below every bucket that is made here.
        zero_threshold: pick(g, &[0.0, 5e-324]),
        zero_count: whole(zero),
        positive,
        negative,
        custom_bounds: Vec::new(),
    };
    (native, whole(total))
}
