//! Reading `io.prometheus.client.MetricFamily`: a walk over the bytes that borrows from them and builds no tree.

use super::super::parts::{self, ExemplarKeys, ExemplarRules, Exemplars, Owner, Pair, Stamp};
use super::super::visit::{Family, Finding, Place, Visitor};
use super::super::wire::{BYTES, FIXED64, Fault, Message, VARINT, key, zigzag};
use super::schema::{
    self, bucket, counter, exemplar, gauge, histogram, metric, metric_family, quantile, span, summary,
};
use crate::Error;
use crate::format::native;
use crate::format::text::rising;
use crate::model::{
    ClassicBucket, Counts, HistogramValue, Labels, MetricType, Naming, NativeBucketsRef, Number, Point,
    Quantile, Schema, SideRef, Span, SummaryValue, Timestamp, Value,
};

/// Walks over a whole exposition, every message behind its length, and hands what it finds to `visitor`.
///
/// Nothing is kept and nothing allocated per sample, so this is the way in for scrapers that have a store of their
/// own. Lengths, UTF-8 and the rules of a single point are checked (PPB-02 to PPB-13, NH-01 to NH-23); that
/// families and label sets are unique is for the visitor, as [`decode`](super::decode) does it.
///
/// ```
/// use openmetrics::Error;
/// use openmetrics::format::protobuf::{Family, Place, Visitor, prometheus};
/// use openmetrics::model::{Labels, Point};
///
/// struct Count(usize);
/// impl Visitor for Count {
///     fn family(&mut self, _: &Family<'_>) -> Result<(), Error> { Ok(()) }
///     fn point(&mut self, _: &Labels<'_>, _: &Point<'_>, _: Place) -> Result<(), Error> { self.0 += 1; Ok(()) }
/// }
/// let mut count = Count(0);
/// prometheus::walk(b"\x0a\x0a\x02up\x18\x01\x22\x02\x12\x00", &mut count)?;
/// assert_eq!(count.0, 1);
/// # Ok::<(), Error>(())
/// ```
pub fn walk<V: Visitor + ?Sized>(bytes: &[u8], visitor: &mut V) -> Result<(), Error> {
    let mut walker = Walker { visitor, buffers: Buffers::default() };
    let mut input = Message::new(bytes);
    while !input.is_empty() {
        let offset = input.offset();
        match input.message() {
            Ok(body) => walker.family(body, offset)?,
            // Without this length there is no next one.
            Err(fault) => return walker.visitor.finding(Finding::new("PPB-02", fault.offset, fault.what)),
        }
    }
    Ok(())
}

struct Walker<'a, 'v, V: ?Sized> {
    visitor: &'v mut V,
    buffers: Buffers<'a>,
}

const EXEMPLAR: ExemplarKeys =
    parts::exemplar_keys(exemplar::LABEL, exemplar::VALUE, exemplar::TIMESTAMP, exemplar::KNOWN);
const EXEMPLAR_RULES: ExemplarRules = ExemplarRules { timestamp: "PPB-12", labels: "PPB-11", length: None };

fn fault_finding(fault: Fault) -> Finding {
    Finding::from_fault(fault, "PPB-03", "PPB-04")
}

impl<'a, V: Visitor + ?Sized> Walker<'a, '_, V> {
    fn family(&mut self, body: Message<'a>, offset: usize) -> Result<(), Error> {
        const METRIC: u32 = key(metric_family::METRIC, BYTES);
        let head = match Head::read(body) {
            Ok(head) => head,
            Err(fault) => return self.visitor.finding(fault_finding(fault)),
        };
        let family = head.family(offset);
        // Without a name its metrics are only looked at for faults.
        let is_named = !family.name.is_empty();
        if is_named {
            self.visitor.family(&family)?;
        } else {
            self.visitor.finding(Finding::new("PPB-11", offset, "a family has no name"))?;
        }
        let mut rest = body;
        // Its keys and lengths have been seen to be right.
        while let Ok(Some(key)) = rest.key() {
            let place = rest.offset();
            if key != METRIC {
                if rest.skip(key, 0).is_err() {
                    break;
                }
            } else if let Ok(message) = rest.message() {
                self.buffers.clear();
                match self.buffers.metric(message) {
                    Ok(raw) if is_named => self.metric(&family, head.values, &raw, place)?,
                    Ok(_) => {}
                    Err(fault) => self.visitor.finding(fault_finding(fault))?,
                }
            }
        }
        Ok(())
    }

    fn metric(
        &mut self,
        family: &Family<'_>,
        values: u32,
        raw: &RawMetric,
        offset: usize,
    ) -> Result<(), Error> {
        let Self {
            visitor,
            buffers: Buffers { labels, names, exemplars, quantiles, classic, positive, negative },
        } = self;
        let sides = [&*positive, &*negative];
        let at = |rule, message: String| Finding::new(rule, offset, message);
        let wrong_label = parts::check_label_names(labels, family.metric_type, names);
        if let Some(message) = wrong_label {
            visitor.finding(at("PPB-11", message))?;
        }
        if raw.values & values == 0 || raw.values.count_ones() != 1 {
            let message = format!(
                "a metric of a {} family needs the field of that type and no other",
                family.metric_type
            );
            return visitor.finding(at("PPB-05", message));
        }
        let start = match raw.created.map(|stamp| stamp.timestamp("PPB-12")) {
            Some(Err(finding)) => {
                visitor.finding(finding)?;
                None
            }
            Some(Ok(start)) => Some(start),
            None => None,
        };
        if !exemplars.is_empty() {
            exemplars.unite();
            exemplars.findings(&EXEMPLAR_RULES, names, |finding| visitor.finding(finding))?;
        }
        let (histogram, summary);
        let value = if raw.values & (1 << metric::HISTOGRAM) != 0 {
            raw.check_histogram(classic, offset, *visitor)?;
            let native = if raw.is_native(sides) {
                let Some(native) = raw.native(sides, offset, *visitor)? else { return Ok(()) };
                Some(native)
            } else {
                if raw.schema.is_some() && !raw.has_buckets {
                    let message =
                        "a histogram with a schema and without buckets needs the span (0, 0) to be native";
                    visitor.finding(at("NH-17", message.to_owned()))?;
                }
                None
            };
            let classic = raw.has_buckets.then_some(classic.as_slice());
            let mut value = HistogramValue::new(raw.count(), raw.sum.map(Number::Float));
            (value.classic, value.native) = (classic, native);
            histogram = value;
            Value::Histogram(&histogram)
        } else if raw.values & (1 << metric::SUMMARY) != 0 {
            if !rising(quantiles) {
                visitor.finding(at("P4-23", "quantiles do not rise".to_owned()))?;
                return Ok(());
            }
            let count = raw.count.0.map(Number::Unsigned);
            summary = SummaryValue::new(count, raw.sum.map(Number::Float), quantiles);
            Value::Summary(&summary)
        } else {
            Value::Number(Number::Float(raw.number))
        };
        let labels = Labels::new(labels);
        let place = Place { offset, continues: false };
        let point = Point::new(value).at(raw.timestamp_ms.map(Timestamp::from_millis)).started(start);
        exemplars.with_refs(|refs| visitor.point(&labels, &point.with_exemplars(refs), place))
    }
}

/// What a family says of itself.
#[derive(Default)]
struct Head<'a> {
    name: &'a str,
    help: &'a str,
    unit: &'a str,
    metric_type: MetricType,
    /// The fields that a metric's value may be in, as bits.
    values: u32,
}

impl<'a> Head<'a> {
    /// Reads all but the metrics, which it passes over. (The unit usually stands behind them, and anything may.)
    fn read(mut body: Message<'a>) -> Result<Self, Fault> {
        const NAME: u32 = key(metric_family::NAME, BYTES);
        const HELP: u32 = key(metric_family::HELP, BYTES);
        const TYPE: u32 = key(metric_family::TYPE, VARINT);
        const METRIC: u32 = key(metric_family::METRIC, BYTES);
        const UNIT: u32 = key(metric_family::UNIT, BYTES);
        let (mut head, mut type_number, mut first_metric) = (Self::default(), 0, None);
        while let Some(key) = body.key()? {
            match key {
                METRIC => {
                    let metric = body.message()?;
                    first_metric.get_or_insert(metric);
                }
                NAME => head.name = body.string()?,
                HELP => head.help = body.string()?,
                TYPE => type_number = body.varint()? as i32,
                UNIT => head.unit = body.string()?,
                other => body.skip(other, metric_family::KNOWN)?,
            }
        }
        (head.metric_type, head.values) = match schema::type_of(type_number) {
            Some(metric_type) => (metric_type, 1 << schema::value_field(metric_type)),
            None => undefined_type(first_metric),
        };
        Ok(head)
    }

    fn family(&self, offset: usize) -> Family<'a> {
        let &Self { name, help, unit, metric_type, .. } = self;
        let counter = name.strip_suffix("_total").filter(|rest| !rest.is_empty());
        let (name, naming) = match (metric_type, counter) {
            (MetricType::Counter, Some(name)) => (name, Naming::Standard),
            (MetricType::Counter, None) => (name, Naming::Verbatim),
            _ => (name, Naming::Standard),
        };
        Family { name, metric_type, naming, help, unit, offset }
    }
}

/// What a family is whose type is not defined (yet), and the fields of its values: what the first of them shows.
/// Mere numbers are of type unknown; whatever has more parts is what has these parts, or they could not be said.
fn undefined_type(first_metric: Option<Message<'_>>) -> (MetricType, u32) {
    let mut metric = first_metric.unwrap_or(Message::new(&[]));
    // What is wrong with it is told when it is read.
    while let Ok(Some(key)) = metric.key() {
        let metric_type = match key >> 3 {
            metric::COUNTER => MetricType::Counter,
            metric::SUMMARY => MetricType::Summary,
            metric::HISTOGRAM => MetricType::Histogram,
            _ if metric.skip(key, 0).is_ok() => continue,
            _ => break,
        };
        return (metric_type, 1 << schema::value_field(metric_type));
    }
    (MetricType::Unknown, 1 << metric::GAUGE | 1 << metric::UNTYPED)
}

/// What the parts of one metric are collected in; used again for the next.
#[derive(Default)]
struct Buffers<'a> {
    labels: Vec<Pair<'a>>,
    names: Vec<&'a str>,
    exemplars: Exemplars<'a>,
    quantiles: Vec<Quantile>,
    classic: Vec<ClassicBucket>,
    positive: SideBuffer,
    negative: SideBuffer,
}

/// One side of native buckets.
#[derive(Default)]
struct SideBuffer {
    spans: Vec<Span>,
    /// From differences added up.
    integers: Vec<u64>,
    floats: Vec<f64>,
    /// Where a sum of differences left the range of counts.
    overflow: Option<usize>,
}

/// The single values of one metric, before they are judged.
#[derive(Default)]
struct RawMetric {
    /// The numbers of the value fields that are there, as bits.
    values: u32,
    number: f64,
    timestamp_ms: Option<i64>,
    created: Option<Stamp>,
    count: Count,
    sum: Option<f64>,
    has_buckets: bool,
    /// The count of the bucket `+Inf`, which the model does not keep.
    infinite: Option<Number>,
    /// The count of the last bucket, and its bound.
    count_below: Number,
    bound_below: f64,
    /// The first place where the buckets are out of order.
    disorder: Option<(&'static str, usize)>,
    schema: Option<i32>,
    zero_threshold: f64,
    zero_count: Count,
}

/// A count that may be said as a whole number and as a double.
#[derive(Clone, Copy, Default)]
struct Count(Option<u64>, Option<f64>);

impl Count {
    /// The double counts if it is above zero (PPB-08), or if it is all there is.
    fn number(self) -> Number {
        match self {
            Self(_, Some(float)) if float > 0.0 => Number::Float(float),
            Self(Some(whole), _) => Number::Unsigned(whole),
            Self(None, Some(float)) => Number::Float(float),
            Self(None, None) => Number::ZERO,
        }
    }

    fn is_float(self) -> bool {
        matches!(self.number(), Number::Float(_))
    }
}

/// More buckets than this on one side lie beyond every schema, which makes 270,000 of all doubles above one and as
/// many below (NH-07); the rest is not kept.
const MAX_BUCKETS: usize = 1 << 20;

impl<'a> Buffers<'a> {
    #[inline]
    fn clear(&mut self) {
        self.labels.clear();
        self.exemplars.clear();
        self.quantiles.clear();
        self.classic.clear();
        self.positive.clear();
        self.negative.clear();
    }

    fn metric(&mut self, mut message: Message<'a>) -> Result<RawMetric, Fault> {
        const LABEL: u32 = key(metric::LABEL, BYTES);
        const GAUGE: u32 = key(metric::GAUGE, BYTES);
        const COUNTER: u32 = key(metric::COUNTER, BYTES);
        const SUMMARY: u32 = key(metric::SUMMARY, BYTES);
        const UNTYPED: u32 = key(metric::UNTYPED, BYTES);
        const TIMESTAMP_MS: u32 = key(metric::TIMESTAMP_MS, VARINT);
        const HISTOGRAM: u32 = key(metric::HISTOGRAM, BYTES);
        let mut raw = RawMetric::default();
        // All labels come first in a row from every writer; whatever is left is read below.
        parts::label_row(&mut message, &mut self.labels);
        while let Some(key) = message.key()? {
            match key {
                LABEL => {
                    self.labels.push(parts::label(message.message()?)?);
                    continue;
                }
                TIMESTAMP_MS => {
                    raw.timestamp_ms = Some(message.varint()? as i64);
                    continue;
                }
                GAUGE | UNTYPED => number(message.message()?, &mut raw)?,
                COUNTER => self.counter(message.message()?, &mut raw)?,
                HISTOGRAM => self.histogram(message.message()?, &mut raw)?,
                SUMMARY => self.summary(message.message()?, &mut raw)?,
                other => {
                    message.skip(other, metric::KNOWN)?;
                    continue;
                }
            }
            raw.values |= 1 << (key >> 3);
        }
        Ok(raw)
    }

    fn counter(&mut self, mut message: Message<'a>, raw: &mut RawMetric) -> Result<(), Fault> {
        const VALUE: u32 = key(counter::VALUE, FIXED64);
        const EXEMPLAR_FIELD: u32 = key(counter::EXEMPLAR, BYTES);
        const CREATED: u32 = key(counter::CREATED, BYTES);
        while let Some(key) = message.key()? {
            match key {
                VALUE => raw.number = message.double()?,
                EXEMPLAR_FIELD => {
                    let merge = !self.exemplars.is_empty();
                    self.exemplars.read(message.message()?, &EXEMPLAR, Owner::Value, merge)?;
                }
                CREATED => Stamp::read(message.message()?, &mut raw.created)?,
                other => message.skip(other, counter::KNOWN)?,
            }
        }
        Ok(())
    }

    fn summary(&mut self, mut message: Message<'a>, raw: &mut RawMetric) -> Result<(), Fault> {
        const SAMPLE_COUNT: u32 = key(summary::SAMPLE_COUNT, VARINT);
        const SAMPLE_SUM: u32 = key(summary::SAMPLE_SUM, FIXED64);
        const QUANTILE: u32 = key(summary::QUANTILE, BYTES);
        const CREATED: u32 = key(summary::CREATED, BYTES);
        while let Some(key) = message.key()? {
            match key {
                SAMPLE_COUNT => raw.count.0 = Some(message.varint()?),
                SAMPLE_SUM => raw.sum = Some(message.double()?),
                QUANTILE => self.quantiles.push(read_quantile(message.message()?)?),
                CREATED => Stamp::read(message.message()?, &mut raw.created)?,
                other => message.skip(other, summary::KNOWN)?,
            }
        }
        Ok(())
    }

    fn histogram(&mut self, mut message: Message<'a>, raw: &mut RawMetric) -> Result<(), Fault> {
        const SAMPLE_COUNT: u32 = key(histogram::SAMPLE_COUNT, VARINT);
        const SAMPLE_SUM: u32 = key(histogram::SAMPLE_SUM, FIXED64);
        const BUCKET: u32 = key(histogram::BUCKET, BYTES);
        const SAMPLE_COUNT_FLOAT: u32 = key(histogram::SAMPLE_COUNT_FLOAT, FIXED64);
        const SCHEMA: u32 = key(histogram::SCHEMA, VARINT);
        const ZERO_THRESHOLD: u32 = key(histogram::ZERO_THRESHOLD, FIXED64);
        const ZERO_COUNT: u32 = key(histogram::ZERO_COUNT, VARINT);
        const ZERO_COUNT_FLOAT: u32 = key(histogram::ZERO_COUNT_FLOAT, FIXED64);
        const NEGATIVE_SPAN: u32 = key(histogram::NEGATIVE_SPAN, BYTES);
        const POSITIVE_SPAN: u32 = key(histogram::POSITIVE_SPAN, BYTES);
        const NEGATIVE_DELTA: u32 = key(histogram::NEGATIVE_DELTA, VARINT);
        const POSITIVE_DELTA: u32 = key(histogram::POSITIVE_DELTA, VARINT);
        const NEGATIVE_DELTAS: u32 = key(histogram::NEGATIVE_DELTA, BYTES);
        const POSITIVE_DELTAS: u32 = key(histogram::POSITIVE_DELTA, BYTES);
        const NEGATIVE_COUNT: u32 = key(histogram::NEGATIVE_COUNT, FIXED64);
        const POSITIVE_COUNT: u32 = key(histogram::POSITIVE_COUNT, FIXED64);
        const NEGATIVE_COUNTS: u32 = key(histogram::NEGATIVE_COUNT, BYTES);
        const POSITIVE_COUNTS: u32 = key(histogram::POSITIVE_COUNT, BYTES);
        const CREATED: u32 = key(histogram::CREATED, BYTES);
        const EXEMPLARS: u32 = key(histogram::EXEMPLARS, BYTES);
        while let Some(key) = message.key()? {
            match key {
                BUCKET => self.bucket_row(&mut message, raw)?,
                POSITIVE_DELTA => self.positive.delta_row(key, &mut message)?,
                NEGATIVE_DELTA => self.negative.delta_row(key, &mut message)?,
                POSITIVE_SPAN => self.positive.span_row(key, &mut message)?,
                NEGATIVE_SPAN => self.negative.span_row(key, &mut message)?,
                POSITIVE_DELTAS => self.positive.packed_deltas(message.message()?)?,
                NEGATIVE_DELTAS => self.negative.packed_deltas(message.message()?)?,
                POSITIVE_COUNT => self.positive.float(message.double()?),
                NEGATIVE_COUNT => self.negative.float(message.double()?),
                POSITIVE_COUNTS => self.positive.packed_floats(message.message()?)?,
                NEGATIVE_COUNTS => self.negative.packed_floats(message.message()?)?,
                SAMPLE_COUNT => raw.count.0 = Some(message.varint()?),
                SAMPLE_SUM => raw.sum = Some(message.double()?),
                SAMPLE_COUNT_FLOAT => raw.count.1 = Some(message.double()?),
                SCHEMA => raw.schema = Some(zigzag(u64::from(message.varint()? as u32)) as i32),
                ZERO_THRESHOLD => raw.zero_threshold = message.double()?,
                ZERO_COUNT => raw.zero_count.0 = Some(message.varint()?),
                ZERO_COUNT_FLOAT => raw.zero_count.1 = Some(message.double()?),
                CREATED => Stamp::read(message.message()?, &mut raw.created)?,
                EXEMPLARS => self.exemplars.read(message.message()?, &EXEMPLAR, Owner::Native, false)?,
                other => message.skip(other, histogram::KNOWN)?,
            }
        }
        Ok(())
    }

    /// A row of buckets, as writers make them: the same key before each.
    #[inline(never)] // in a function of its own it has the registers it needs, and others have theirs
    fn bucket_row(&mut self, message: &mut Message<'a>, raw: &mut RawMetric) -> Result<(), Fault> {
        loop {
            if self.plain_buckets(message, raw) {
                return Ok(());
            }
            self.bucket(message.message()?, raw)?;
            if !message.next_is(BUCKET_KEY) {
                return Ok(());
            }
        }
    }

    /// The buckets from here on that have nothing unusual and rise; `true` if the row ends with them. ([`bucket`] would
    /// do the same with each. Here all stays in registers.)
    ///
    /// [`bucket`]: Self::bucket
    fn plain_buckets(&mut self, message: &mut Message<'a>, raw: &mut RawMetric) -> bool {
        let bytes = message.as_bytes();
        let (mut bound_below, mut count_below) = match raw.count_below {
            Number::Unsigned(count) if raw.has_buckets => (raw.bound_below, count),
            _ if raw.has_buckets => return false,
            _ => (f64::NEG_INFINITY, 0),
        };
        let (mut done, mut at, mut ends) = (0, 0, false);
        while let Some(&length @ 0..0x80) = bytes.get(at) {
            let body = at + 1;
            let end = body + usize::from(length);
            let Some((count, upper_bound)) = bytes.get(body..end).and_then(plain_bucket) else { break };
            if !(upper_bound > bound_below && upper_bound < f64::INFINITY && count >= count_below) {
                break;
            }
            self.classic.push(ClassicBucket { upper_bound, count: Number::Unsigned(count) });
            (bound_below, count_below) = (upper_bound, count);
            (done, at) = (end, end + 1);
            if bytes.get(end) != Some(&BUCKET_KEY) {
                ends = true;
                break;
            }
        }
        if done > 0 {
            raw.has_buckets = true;
            (raw.bound_below, raw.count_below) = (bound_below, Number::Unsigned(count_below));
            message.advance(if ends { done } else { at });
        }
        ends
    }

    #[inline(never)]
    fn bucket(&mut self, mut message: Message<'a>, raw: &mut RawMetric) -> Result<(), Fault> {
        const CUMULATIVE_COUNT: u32 = key(bucket::CUMULATIVE_COUNT, VARINT);
        const UPPER_BOUND: u32 = key(bucket::UPPER_BOUND, FIXED64);
        const EXEMPLAR_FIELD: u32 = key(bucket::EXEMPLAR, BYTES);
        const CUMULATIVE_COUNT_FLOAT: u32 = key(bucket::CUMULATIVE_COUNT_FLOAT, FIXED64);
        let offset = message.offset();
        let (mut count, mut upper_bound, mut merge) = (Count::default(), 0.0, false);
        while let Some(key) = message.key()? {
            match key {
                CUMULATIVE_COUNT => count.0 = Some(message.varint()?),
                UPPER_BOUND => upper_bound = message.double()?,
                EXEMPLAR_FIELD => {
                    self.exemplars.read(message.message()?, &EXEMPLAR, Owner::Value, merge)?;
                    merge = true;
                }
                CUMULATIVE_COUNT_FLOAT => count.1 = Some(message.double()?),
                other => message.skip(other, bucket::KNOWN)?,
            }
        }
        self.push_bucket(count.number(), upper_bound, offset, raw);
        Ok(())
    }

    #[inline]
    fn push_bucket(&mut self, count: Number, upper_bound: f64, offset: usize, raw: &mut RawMetric) {
        if upper_bound.is_nan() || upper_bound <= raw.bound_below && raw.has_buckets {
            raw.disorder.get_or_insert(("PPB-06", offset));
        } else if falls(raw.count_below, count) {
            raw.disorder.get_or_insert(("PPB-07", offset));
        } else if upper_bound == f64::INFINITY {
            raw.infinite = Some(count);
        } else {
            self.classic.push(ClassicBucket { upper_bound, count });
        }
        raw.has_buckets = true;
        (raw.bound_below, raw.count_below) = (upper_bound, count);
    }
}

/// The key before each bucket.
const BUCKET_KEY: u8 = key(histogram::BUCKET, BYTES) as u8;

/// Whether a bucket holds less than the one below it, or no number at all.
#[inline]
fn falls(below: Number, count: Number) -> bool {
    match (below, count) {
        (Number::Unsigned(below), Number::Unsigned(count)) => count < below,
        (below, count) => count.is_nan() || count.as_f64() < below.as_f64(),
    }
}

/// A bucket of just a whole count and a bound, in that order, as most are: `08 COUNT 11 BOUND`.
#[inline]
fn plain_bucket(body: &[u8]) -> Option<(u64, f64)> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let &[0x08, count @ ..] = body.first_chunk::<9>()? else { return None };
    let &[0x11, bound @ ..] = body.last_chunk::<9>()? else { return None };
    // As many bytes as the count has, at most eight. All but its last one go on.
    let length = body.len().checked_sub(10).filter(|length| (1..=8).contains(length))?;
    let count = u64::from_le_bytes(count) & (u64::MAX >> (64 - 8 * length));
    if count & (EACH * 0x80) != (EACH * 0x80) & (u64::MAX >> (64 - 8 * length) >> 8) {
        return None;
    }
    // Seven bits of each byte; neighbours are brought together.
    let count = count & (EACH * 0x7f);
    let count = count & 0x007f_007f_007f_007f | (count & 0x7f00_7f00_7f00_7f00) >> 1;
    let count = count & 0x0000_3fff_0000_3fff | (count & 0x3fff_0000_3fff_0000) >> 2;
    let count = count & 0x0fff_ffff | (count & 0x0fff_ffff_0000_0000) >> 4;
    Some((count, f64::from_le_bytes(bound)))
}

/// Gauge and Untyped.
fn number(mut message: Message<'_>, raw: &mut RawMetric) -> Result<(), Fault> {
    const VALUE: u32 = key(gauge::VALUE, FIXED64);
    while let Some(key) = message.key()? {
        match key {
            VALUE => raw.number = message.double()?,
            other => message.skip(other, gauge::KNOWN)?,
        }
    }
    Ok(())
}

fn read_quantile(mut message: Message<'_>) -> Result<Quantile, Fault> {
    const QUANTILE: u32 = key(quantile::QUANTILE, FIXED64);
    const VALUE: u32 = key(quantile::VALUE, FIXED64);
    let (mut quantile, mut value) = (0.0, 0.0);
    while let Some(key) = message.key()? {
        match key {
            QUANTILE => quantile = message.double()?,
            VALUE => value = message.double()?,
            other => message.skip(other, quantile::KNOWN)?,
        }
    }
    Ok(Quantile { quantile, value: Number::Float(value) })
}

impl SideBuffer {
    #[inline]
    fn clear(&mut self) {
        self.spans.clear();
        self.integers.clear();
        self.floats.clear();
        self.overflow = None;
    }

    /// A row of unpacked differences, as writers make them: the same key before each.
    #[inline]
    fn delta_row(&mut self, key: u32, message: &mut Message<'_>) -> Result<(), Fault> {
        let mut count = self.integers.last().copied().unwrap_or_default();
        loop {
            let offset = message.offset();
            count = self.delta(count, message.mixed_varint()?, offset);
            if !message.next_is(key as u8) {
                return Ok(());
            }
        }
    }

    fn packed_deltas(&mut self, mut message: Message<'_>) -> Result<(), Fault> {
        self.integers.reserve(message.len().min(MAX_BUCKETS));
        let mut count = self.integers.last().copied().unwrap_or_default();
        while !message.is_empty() {
            let offset = message.offset();
            count = self.delta(count, message.mixed_varint()?, offset);
        }
        Ok(())
    }

    /// The next count from the one before it and the difference in zigzag form (NH-08).
    #[inline]
    fn delta(&mut self, before: u64, difference: u64, offset: usize) -> u64 {
        let count = before.checked_add_signed(zigzag(difference)).unwrap_or_else(|| {
            self.overflow.get_or_insert(offset);
            0
        });
        if self.integers.len() < MAX_BUCKETS {
            self.integers.push(count);
        }
        count
    }

    #[inline]
    fn float(&mut self, count: f64) {
        if self.floats.len() < MAX_BUCKETS {
            self.floats.push(count);
        }
    }

    fn packed_floats(&mut self, mut message: Message<'_>) -> Result<(), Fault> {
        while !message.is_empty() {
            let count = message.double()?;
            self.float(count);
        }
        Ok(())
    }

    /// A row of spans, as writers make them: the same key before each.
    #[inline]
    fn span_row(&mut self, key: u32, message: &mut Message<'_>) -> Result<(), Fault> {
        loop {
            // Nearly all are that short.
            if let &[4, 0x08, offset @ 0..0x80, 0x10, length @ 0..0x80, ..] = message.as_bytes() {
                let offset = zigzag(offset.into()) as i32;
                self.spans.push(Span { offset, length: length.into() });
                message.advance(5);
            } else {
                self.span(message.message()?)?;
            }
            if !message.next_is(key as u8) {
                return Ok(());
            }
        }
    }

    fn span(&mut self, mut message: Message<'_>) -> Result<(), Fault> {
        const OFFSET: u32 = key(span::OFFSET, VARINT);
        const LENGTH: u32 = key(span::LENGTH, VARINT);
        let mut span = Span { offset: 0, length: 0 };
        while let Some(key) = message.key()? {
            match key {
                OFFSET => span.offset = zigzag(u64::from(message.varint()? as u32)) as i32,
                LENGTH => span.length = message.varint()? as u32,
                other => message.skip(other, span::KNOWN)?,
            }
        }
        self.spans.push(span);
        Ok(())
    }

    /// Without the span that only says "native" (NH-17).
    fn borrow(&self, is_float: bool) -> SideRef<'_> {
        let spans = match *self.spans {
            [Span { offset: 0, length: 0 }] => &[],
            _ => self.spans.as_slice(),
        };
        let counts = if is_float { Counts::Float(&self.floats) } else { Counts::Integer(&self.integers) };
        SideRef { spans, counts }
    }
}

impl RawMetric {
    fn count(&self) -> Number {
        self.count.number()
    }

    /// Whether anything tells it from a classic histogram.
    fn is_native(&self, sides: [&SideBuffer; 2]) -> bool {
        let side = |side: &SideBuffer| {
            !(side.spans.is_empty() && side.integers.is_empty() && side.floats.is_empty())
        };
        sides.into_iter().any(side) || self.zero_threshold != 0.0 || self.zero_count.number().as_f64() != 0.0
    }

    fn check_histogram<V: Visitor + ?Sized>(
        &self,
        classic: &[ClassicBucket],
        offset: usize,
        visitor: &mut V,
    ) -> Result<(), Error> {
        if let Some((rule, offset)) = self.disorder {
            let message = if rule == "PPB-06" {
                "a bucket's upper bound is not above that of the bucket before it"
            } else {
                "a bucket holds less than the one before it, though buckets hold all below them"
            };
            return visitor.finding(Finding::new(rule, offset, message));
        }
        let count = self.count();
        if let Some(infinite) = self.infinite.filter(|infinite| !infinite.same_value(count)) {
            let (infinite, count) = (infinite.as_f64(), count.as_f64());
            let message = format!("bucket +Inf holds {infinite} observations, but the count is {count}");
            if infinite > count {
                visitor.finding(Finding::new("PPB-07", offset, message.clone()))?;
            }
            return visitor.finding(Finding::new("P4-21", offset, message));
        }
        let most = classic.last().map_or(0.0, |bucket| bucket.count.as_f64());
        if count.is_nan() || count.as_f64() < most {
            let message = format!("a bucket holds {most} observations, but the count is {}", count.as_f64());
            return visitor.finding(Finding::new("PPB-07", offset, message));
        }
        Ok(())
    }

    /// The native buckets, `None` if they cannot be said at all.
    fn native<'b, V: Visitor + ?Sized>(
        &self,
        sides: [&'b SideBuffer; 2],
        offset: usize,
        visitor: &mut V,
    ) -> Result<Option<NativeBucketsRef<'b>>, Error> {
        let finding = |rule, message: String| Finding::new(rule, offset, message);
        let number = self.schema.unwrap_or_default();
        let schema = match Schema::from_number(number) {
            Ok(schema) if !schema.is_custom() => schema,
            Ok(_) => {
                let below = sides.get(1).is_some_and(|side| !side.spans.is_empty());
                if below || self.zero_count.number().as_f64() > 0.0 {
                    let message = "custom buckets have neither a zero bucket nor a negative side".to_owned();
                    visitor.finding(finding("NH-23", message))?;
                }
                let message = "schema -53 has no place for its bounds in this format".to_owned();
                visitor.finding(finding("NH-24", message))?;
                return Ok(None);
            }
            Err(_) => {
                if matches!(number, -9..=52) {
                    let message =
                        format!("schema {number} is reserved; readers that know it may be there one day");
                    visitor.finding(finding("NH-02", message))?;
                }
                visitor.finding(finding("NH-01", format!("schema {number} is not in -4..=8")))?;
                return Ok(None);
            }
        };
        let overflow = sides.iter().find_map(|side| side.overflow);
        if let Some(offset) = overflow {
            let message = "the differences up to here make a count below zero or above 64 bits";
            visitor.finding(Finding::new("NH-08", offset, message))?;
        }
        let has_integers = sides.iter().any(|side| !side.integers.is_empty());
        let has_floats = sides.iter().any(|side| !side.floats.is_empty());
        if has_integers && (has_floats || self.count.is_float() || self.zero_count.is_float()) {
            let message = "counts are given both as differences of whole numbers and as doubles".to_owned();
            visitor.finding(finding("NH-09", message))?;
            return Ok(None);
        }
        let [positive, negative] = sides;
        let is_float = has_floats || self.count.is_float() || self.zero_count.is_float();
        let zero_count = self.zero_count.number();
        let native = NativeBucketsRef {
            schema,
            zero_threshold: self.zero_threshold,
            zero_count: if is_float { Number::Float(zero_count.as_f64()) } else { zero_count },
            positive: positive.borrow(is_float),
            negative: negative.borrow(is_float),
            custom_bounds: &[],
        };
        if overflow.is_some() {
            return Ok(Some(native)); // what its buckets add up to is not known
        }
        if let Err((rule, message)) = native::check(&native, self.count(), self.sum.map(Number::Float)) {
            visitor.finding(finding(rule, message))?;
        }
        Ok(Some(native))
    }
}
