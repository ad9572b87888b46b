//! Families of the model from lines that the judge has put where they belong.

use super::super::Dialect;
use super::super::entries::{
    Composite, CompositeKind, Metadata, MetadataKind, RawExemplar, RawLabel, RawSide, Sample,
};
use super::judge::{Judge, Placed};
use super::names::Role;
use crate::model::{
    ClassicBucket, CountsBuf, Descriptor, Exemplar, Histogram, Label, LabelName, LabelSet, Metric,
    MetricFamily, MetricName, MetricPoint, MetricSet, MetricType, MetricValue, Naming, NativeBuckets, Number,
    Quantile, Schema, Side, Span, Summary, Text, Timestamp, Unit,
};

/// Collects families while lines come by.
#[derive(Default)]
pub(super) struct Builder {
    families: Vec<Family>,
    /// Family and place in it of every metric, by its number.
    metrics: Vec<(u32, u32)>,
}

/// Small, since hostile input may have a family a line.
#[derive(Default)]
struct Family {
    /// Its help text and unit.
    said: Option<Box<(Text, Option<Unit>)>>,
    metrics: Vec<Metric>,
}

impl Builder {
    fn family(&mut self, id: u32) -> Option<&mut Family> {
        let at = id as usize;
        if self.families.len() <= at {
            self.families.resize_with(at + 1, Family::default);
        }
        self.families.get_mut(at)
    }

    /// Takes a metadata line; the type is the judge's to know.
    pub(super) fn metadata(&mut self, id: u32, metadata: &Metadata<'_>) {
        let Some(family) = self.family(id) else { return };
        let text = metadata.text.unescape();
        if matches!(metadata.kind, MetadataKind::Type(_)) || text.is_empty() {
            return;
        }
        let (help, unit) = &mut **family.said.get_or_insert_default();
        match metadata.kind {
            MetadataKind::Help if help.is_empty() => *help = Text::from(&*text),
            MetadataKind::Unit if unit.is_none() => *unit = Unit::new(&*text).ok(),
            _ => {}
        }
    }

    /// Takes a sample.
    pub(super) fn sample(&mut self, sample: &Sample<'_>, placed: &Placed, metric_type: MetricType) {
        let Some(metric) = self.metric(sample, placed) else { return };
        let Some(point) = point_of(metric, sample, placed, metric_type) else { return };
        let number = sample.number().unwrap_or_default();
        if let Some(composite) = sample.composite() {
            point.value = value_of(composite);
        }
        match (placed.role, &mut point.value) {
            (Role::Created, _) => point.start = Timestamp::from_f64(number.as_f64()),
            (_, MetricValue::Number(value)) if sample.composite().is_none() => *value = number,
            (Role::State, MetricValue::StateSet(states)) => {
                if let Some(label) = placed.special.and_then(|at| sample.label(at)) {
                    states.push((Text::from(&*label.value.unescape()), number.as_f64() != 0.0));
                }
            }
            (Role::Count, MetricValue::Histogram(histogram)) => histogram.count = number,
            (Role::Sum, MetricValue::Histogram(histogram)) => histogram.sum = Some(number),
            (Role::Bucket, MetricValue::Histogram(histogram)) => bucket(histogram, placed.bound, number),
            (Role::Count, MetricValue::Summary(summary)) => summary.count = Some(number),
            (Role::Sum, MetricValue::Summary(summary)) => summary.sum = Some(number),
            (Role::Quantile, MetricValue::Summary(summary)) if !placed.bound.is_nan() => {
                summary.quantiles.push(Quantile { quantile: placed.bound, value: number });
            }
            _ => {}
        }
        if let Some(start) = sample.start() {
            point.start = Some(start.value);
        }
        point.exemplars.extend(sample.exemplars().map(|exemplar| exemplar_of(&exemplar)));
    }

    /// The metric of a sample; a new one gets its labels.
    fn metric(&mut self, sample: &Sample<'_>, placed: &Placed) -> Option<&mut Metric> {
        let number = placed.metric as usize;
        if number >= self.metrics.len() {
            let labels = sample.labels().enumerate().filter(|(at, _)| Some(*at) != placed.special);
            let labels = label_set(labels.map(|(_, label)| label));
            let family = self.family(placed.family)?;
            let at = u32::try_from(family.metrics.len()).ok()?;
            if at == 0 {
                family.metrics.reserve_exact(1); // many families have one
            }
            family.metrics.push(Metric { labels, points: Vec::with_capacity(1) });
            self.metrics.resize(number + 1, (placed.family, at));
        }
        let (family, at) = *self.metrics.get(number)?;
        self.families.get_mut(family as usize)?.metrics.get_mut(at as usize)
    }

    /// The families, with the names and types that the judge has for them.
    pub(super) fn finish(self, judge: &Judge<'_>, dialect: Dialect) -> MetricSet {
        drop(self.metrics);
        let mut set = MetricSet { families: Vec::with_capacity(self.families.len()) };
        for (id, family) in self.families.into_iter().enumerate() {
            let id = u32::try_from(id).unwrap_or(u32::MAX);
            let Some(descriptor) = descriptor(judge, dialect, id) else { continue };
            let (help, unit) = family.said.map_or_else(Default::default, |said| *said);
            let mut descriptor = descriptor.with_help(help);
            if let Some(unit) = unit {
                descriptor = descriptor.with_unit(unit);
            }
            set.families.push(MetricFamily { descriptor, metrics: family.metrics });
        }
        set
    }
}

/// Name, type and naming of a family. Where the format has the suffix of counters and infos in the family's name, the
/// model has not, unless another family is called so.
fn descriptor(judge: &Judge<'_>, dialect: Dialect, id: u32) -> Option<Descriptor> {
    let metric_type = judge.family(id)?.metric_type;
    let written = judge.family_name(id);
    let suffix = match metric_type {
        MetricType::Counter => "_total",
        MetricType::Info => "_info",
        _ => "",
    };
    let (name, naming) = if suffix.is_empty() || dialect == Dialect::OpenMetrics1 {
        (&*written, Naming::Standard)
    } else {
        match written.strip_suffix(suffix) {
            Some(stem) if !stem.is_empty() && !judge.has_family(stem) => (stem, Naming::Standard),
            _ => (&*written, Naming::Verbatim),
        }
    };
    let name = MetricName::utf8(name).ok()?;
    Some(Descriptor::new(name, metric_type).with_naming(naming))
}

/// The point a sample belongs to; a new one has the empty value of its type.
fn point_of<'m>(
    metric: &'m mut Metric,
    sample: &Sample<'_>,
    placed: &Placed,
    metric_type: MetricType,
) -> Option<&'m mut MetricPoint> {
    let timestamp = sample.timestamp().map(|t| t.value);
    if placed.role == Role::State && !metric.points.is_empty() {
        // OpenMetrics 2.0 has the times of a state together, the model the states of a time.
        let found = metric.points.binary_search_by(|point| point.timestamp.cmp(&timestamp));
        return match found {
            Ok(at) => metric.points.get_mut(at),
            Err(at) => {
                metric.points.insert(at, empty_point(metric_type, timestamp));
                metric.points.get_mut(at)
            }
        };
    }
    if placed.new_point || metric.points.is_empty() {
        metric.points.push(empty_point(metric_type, timestamp));
    }
    let point = metric.points.last_mut()?;
    if timestamp.is_some() {
        point.timestamp = point.timestamp.max(timestamp);
    }
    Some(point)
}

fn empty_point(metric_type: MetricType, timestamp: Option<Timestamp>) -> MetricPoint {
    let value = match metric_type {
        MetricType::Gauge | MetricType::Counter | MetricType::Unknown => MetricValue::Number(Number::ZERO),
        MetricType::StateSet => MetricValue::StateSet(Vec::new()),
        MetricType::Info => MetricValue::Info(LabelSet::EMPTY),
        MetricType::Histogram | MetricType::GaugeHistogram => MetricValue::Histogram(Box::default()),
        MetricType::Summary => MetricValue::Summary(Summary::default()),
    };
    let mut point = MetricPoint::new(value);
    point.timestamp = timestamp;
    point
}

fn bucket(histogram: &mut Histogram, bound: f64, count: Number) {
    if bound.is_nan() {
        return;
    }
    let buckets = histogram.classic.get_or_insert_with(Vec::new);
    if bound == f64::INFINITY {
        histogram.count = count;
    } else {
        buckets.push(ClassicBucket { upper_bound: bound, count });
    }
}

/// An owned set; of labels with one name, which is a finding, the first stays.
fn label_set<'a>(labels: impl Iterator<Item = RawLabel<'a>>) -> LabelSet {
    let mut set: Vec<Label> = labels
        .filter_map(|label| {
            let name = LabelName::utf8(&*label.name.unescape()).ok()?;
            Some(Label::new(name, &*label.value.unescape()))
        })
        .collect();
    set.sort_by(|a, b| a.name.cmp(&b.name));
    set.dedup_by(|later, earlier| later.name == earlier.name);
    LabelSet::new(set).unwrap_or(LabelSet::EMPTY)
}

fn exemplar_of(exemplar: &RawExemplar<'_, '_>) -> Exemplar {
    Exemplar {
        labels: label_set(exemplar.labels()),
        value: exemplar.value().value,
        timestamp: exemplar.timestamp().map(|t| t.value),
    }
}

fn value_of(composite: &Composite) -> MetricValue {
    let (count, sum) = (composite.count.value, Some(composite.sum.value));
    if composite.kind == CompositeKind::Summary {
        let quantiles = composite.quantiles.iter();
        let quantiles = quantiles.map(|(q, v)| Quantile { quantile: q.value, value: v.value }).collect();
        return MetricValue::Summary(Summary { count: Some(count), sum, quantiles });
    }
    let classic = composite.buckets.as_ref().map(|buckets| {
        let below = buckets.iter().filter(|(bound, _)| bound.value != f64::INFINITY);
        below.map(|(bound, count)| ClassicBucket { upper_bound: bound.value, count: count.value }).collect()
    });
    let native = composite.native.as_ref().and_then(|native| {
        Some(NativeBuckets {
            schema: Schema::exponential(i32::try_from(native.schema.value).ok()?)?,
            zero_threshold: native.zero_threshold.value,
            zero_count: native.zero_count.value,
            positive: native.positive.as_ref().map_or_else(Side::default, side_of),
            negative: native.negative.as_ref().map_or_else(Side::default, side_of),
            custom_bounds: Vec::new(),
        })
    });
    MetricValue::Histogram(Box::new(Histogram { count, sum, classic, native }))
}

fn side_of(side: &RawSide) -> Side {
    let spans = side.spans.iter().map(|(offset, length)| Span {
        offset: offset.value.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
        length: u32::try_from(length.value).unwrap_or(u32::MAX),
    });
    let whole: Option<Vec<u64>> = side
        .buckets
        .iter()
        .map(|count| if let Number::Unsigned(count) = count.value { Some(count) } else { None })
        .collect();
    let counts = match whole {
        Some(counts) => CountsBuf::Integer(counts),
        None => CountsBuf::Float(side.buckets.iter().map(|count| count.value.as_f64()).collect()),
    };
    Side { spans: spans.collect(), counts }
}
