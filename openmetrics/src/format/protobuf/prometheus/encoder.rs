//! Writing `io.prometheus.client.MetricFamily`.

use std::borrow::Cow;
use std::cell::Cell;

use super::super::check_label_names;
use super::super::wire::{self, Block, Frame, Short};
use super::schema::{self, metric_family};
use crate::format::text::{
    Dialect, Heading, check_summary, claim_written, from_native, place_exemplars, repeated,
};
use crate::format::{Escaping, native};
use crate::model::{
    Claims, ClassicBucket, Counts, Descriptor, Drawing, ExemplarRef, HistogramValue, Labels, MetricType,
    NativeBucketsRef, Number, Point, Refusal, Rows, SideRef, Sink, Span, State, SummaryValue, Timestamp,
    Value, render_protobuf, render_protobuf_label, render_protobuf_renamed,
};

/// Writes families as they come, each message behind its length; [`finish`](Encoder::finish) closes the last one.
pub(crate) struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    escaping: Escaping,
    /// The open family.
    family: Option<Frame>,
    metric_type: MetricType,
    /// The names taken, as they are written: escaping may make one of two (ESC-07).
    claims: Claims,
    /// The open family's name where it is a label's name as well, that of a stateset.
    state_label: String,
    /// The room the last metric's length took: the next one is likely to take the same.
    room: usize,
    /// Exemplars by the classic bucket they fall in.
    placed: Vec<(usize, usize)>,
    /// Classic buckets made from custom bounds.
    classic: Vec<ClassicBucket>,
    /// Room for a family's name.
    name: String,
}

/// What an encoder leaves behind for the next one of the same thread: room that is empty or written anew.
#[derive(Default)]
struct Kept {
    claims: Claims,
    state_label: String,
    placed: Vec<(usize, usize)>,
    classic: Vec<ClassicBucket>,
    name: String,
}

thread_local! {
    static KEPT: Cell<Kept> = Cell::default();
}

impl<'o> Encoder<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>, escaping: Escaping) -> Self {
        let Kept { claims, state_label, placed, classic, name } =
            KEPT.try_with(Cell::take).unwrap_or_default();
        Self {
            out,
            escaping,
            family: None,
            metric_type: MetricType::Unknown,
            claims,
            state_label,
            room: 1,
            placed,
            classic,
            name,
        }
    }

    /// Puts in the length of the last family.
    pub(crate) fn finish(mut self) {
        self.close();
        let Self { mut claims, state_label, placed, classic, name, .. } = self;
        claims.clear();
        let _ = KEPT.try_with(|kept| kept.set(Kept { claims, state_label, placed, classic, name }));
    }

    fn close(&mut self) {
        if let Some(frame) = self.family.take() {
            frame.close(self.out);
        }
    }

    /// One metric message: labels, what `value` writes, and the timestamp.
    #[inline]
    fn metric(
        &mut self,
        labels: &Labels<'_>,
        more: impl FnOnce(&mut Vec<u8>),
        timestamp: Option<Timestamp>,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        let out = &mut *self.out;
        let escaping = self.escaping;
        out.push(wire::key(metric_family::METRIC, wire::BYTES) as u8);
        let frame = Frame::open(self.room, out);
        if escaping == Escaping::AllowUtf8 {
            render_protobuf_renamed(labels, Cow::Borrowed, out);
        } else {
            render_protobuf_renamed(labels, |name| escaping.label_name(name), out);
        }
        more(out);
        value(out);
        if let Some(timestamp) = timestamp {
            wire::int(schema::metric::TIMESTAMP_MS, timestamp.as_millis(), out);
        }
        self.room = frame.close(out);
        if let Some(family) = &mut self.family {
            family.widen(out);
        }
    }

    fn number(&mut self, labels: &Labels<'_>, point: &Point<'_>, number: Number) {
        let (number, escaping) = (number.as_f64(), self.escaping);
        if self.metric_type == MetricType::Counter {
            let exemplar = point.exemplars.last();
            self.metric(labels, nothing, point.timestamp, |out| {
                if exemplar.is_none() {
                    return put_counter(number, point.start, out);
                }
                wire::message(schema::metric::COUNTER, out, |out| {
                    wire::double(schema::counter::VALUE, number, out);
                    if let Some(exemplar) = exemplar {
                        put_exemplar(schema::counter::EXEMPLAR, exemplar, escaping, out);
                    }
                    put_timestamp(schema::counter::CREATED, point.start, out);
                });
            });
        } else {
            let field = match self.metric_type {
                MetricType::Gauge => schema::metric::GAUGE,
                _ => schema::metric::UNTYPED,
            };
            self.metric(labels, nothing, point.timestamp, |out| put_number(field, number, out));
        }
    }

    fn histogram(
        &mut self,
        labels: &Labels<'_>,
        point: &Point<'_>,
        histogram: &HistogramValue<'_>,
    ) -> Result<(), Refusal> {
        let (mut classic, mut native) = (histogram.classic, histogram.native);
        if let Some(buckets) = &native {
            native::check(buckets, histogram.count, histogram.sum)
                .map_err(|(rule, message)| Refusal::new(rule, message))?;
        }
        // A bucket for +Inf is the count, whoever gives it.
        if let Some((last, below)) = classic.and_then(<[_]>::split_last) {
            if last.upper_bound == f64::INFINITY {
                classic = Some(below);
            }
        }
        // Custom bounds are never exposed; the classic buckets they came from are (NH-24).
        let mut made = std::mem::take(&mut self.classic);
        if let Some(custom) = native.filter(|native| native.schema.is_custom()) {
            native = None;
            if classic.is_none() {
                from_native(&custom, &mut made)?;
                classic = Some(&made);
            }
        }
        let written = check_classic(classic.unwrap_or_default(), histogram.count).map(|()| {
            let mut placed = std::mem::take(&mut self.placed);
            if let Some(classic) = classic {
                place_exemplars(point.exemplars, classic, |_| true, &mut placed);
            }
            let exemplars = Placed { all: point.exemplars, by_bucket: &placed, escaping: self.escaping };
            self.metric(labels, nothing, point.timestamp, |out| {
                wire::message(schema::metric::HISTOGRAM, out, |out| {
                    put_histogram(histogram, classic, native.as_ref(), point.start, &exemplars, out);
                });
            });
            self.placed = placed;
        });
        self.classic = made;
        written
    }

    fn stateset(
        &mut self,
        labels: &Labels<'_>,
        states: &[State<'_>],
        timestamp: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        if labels.get(&self.state_label).is_some() {
            let message = "a label has the family's name, which is that of the states";
            return Err(Refusal::new("OM1-SS-05", message));
        }
        if let Some(state) = repeated(states.iter().map(|state| state.name)) {
            return Err(Refusal::new("OM1-SS-03", format!("state {state:?} is given twice")));
        }
        let name = std::mem::take(&mut self.state_label);
        for state in states {
            let label = |out: &mut Vec<u8>| render_protobuf_label(&name, state.name, out);
            let value = if state.enabled { 1.0 } else { 0.0 };
            self.metric(labels, label, timestamp, |out| put_number(schema::metric::GAUGE, value, out));
        }
        self.state_label = name;
        Ok(())
    }

    fn info(
        &mut self,
        labels: &Labels<'_>,
        facts: &Labels<'_>,
        timestamp: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let escaping = self.escaping;
        let names = labels.iter().chain(facts.iter()).map(|(name, _)| escaping.label_name(name));
        if let Some(name) = repeated(names) {
            return Err(Refusal::new("OM1-INF-04", format!("label {name:?} is given twice")));
        }
        let facts = |out: &mut Vec<u8>| render_protobuf_renamed(facts, |name| escaping.label_name(name), out);
        self.metric(labels, facts, timestamp, |out| put_number(schema::metric::GAUGE, 1.0, out));
        Ok(())
    }

    fn summary(
        &mut self,
        labels: &Labels<'_>,
        point: &Point<'_>,
        summary: &SummaryValue<'_>,
    ) -> Result<(), Refusal> {
        check_summary(Dialect::Prometheus, summary)?;
        let count = match summary.count {
            Some(count) => Some(count.as_u64().ok_or_else(|| {
                Refusal::new("OM1-SUM-03", format!("the count {} is not a whole number", count.as_f64()))
            })?),
            None => None,
        };
        self.metric(labels, nothing, point.timestamp, |out| {
            wire::message(schema::metric::SUMMARY, out, |out| {
                if let Some(count) = count {
                    wire::uint(schema::summary::SAMPLE_COUNT, count, out);
                }
                if let Some(sum) = summary.sum {
                    wire::double(schema::summary::SAMPLE_SUM, sum.as_f64(), out);
                }
                for quantile in summary.quantiles {
                    wire::fixed_message(schema::summary::QUANTILE, 2 * DOUBLE_FIELD, out);
                    wire::double(schema::quantile::QUANTILE, quantile.quantile, out);
                    wire::double(schema::quantile::VALUE, quantile.value.as_f64(), out);
                }
                put_timestamp(schema::summary::CREATED, point.start, out);
            });
        });
        Ok(())
    }
}

impl Sink for Encoder<'_> {
    fn wants_protobuf(&self) -> bool {
        true
    }

    fn rows(&mut self, rows: &mut Rows<'_>) -> usize {
        let field = match self.metric_type {
            MetricType::Counter => schema::metric::COUNTER,
            MetricType::Gauge => schema::metric::GAUGE,
            MetricType::Unknown => schema::metric::UNTYPED,
            _ => return 0,
        };
        let out = &mut *self.out;
        let list = rows.list();
        let (slots, image) = rows.image(field, |rows, drawing| draw(field, rows, drawing));
        let begin = out.len();
        out.extend_from_slice(image);
        // In the copy, which the processor has at hand; the image stays as it is, and need not be stored again.
        let page = out.get_mut(begin..).unwrap_or_default();
        for (row, at) in list.iter().zip(slots) {
            if let Some(slot) = page.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *slot = row.value.as_f64().to_le_bytes();
            }
        }
        if let Some(family) = &mut self.family {
            family.widen(out);
        }
        list.len()
    }

    fn family(&mut self, descriptor: &Descriptor) -> Result<(), Refusal> {
        self.close();
        let Heading { metric_type, family: name, .. } =
            Dialect::Prometheus.heading(descriptor, self.escaping, &mut self.name);
        if self.escaping != Escaping::AllowUtf8 {
            claim_written(&mut self.claims, name, Dialect::Prometheus.suffixes(metric_type))?;
        }
        if metric_type == MetricType::StateSet {
            self.state_label.clear();
            self.state_label.push_str(&self.escaping.label_name(descriptor.name().as_str()));
        }
        self.metric_type = metric_type;
        let out = &mut *self.out;
        // Two bytes are the length of 128 to 16,383 others, which is most families.
        let frame = Frame::open(2, out);
        wire::string(metric_family::NAME, name, out);
        if !descriptor.help().is_empty() {
            wire::string(metric_family::HELP, descriptor.help(), out);
        }
        wire::uint(metric_family::TYPE, schema::type_number(metric_type), out);
        // Before the metrics, out of the order of numbers: so a reader knows all of the family when they come.
        if let Some(unit) = descriptor.unit() {
            wire::string(metric_family::UNIT, unit.as_str(), out);
        }
        self.family = Some(frame);
        Ok(())
    }

    #[inline]
    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) -> Result<(), Refusal> {
        check_label_names(labels, self.escaping)?;
        match (&point.value, self.metric_type) {
            (Value::Number(number), MetricType::Counter | MetricType::Gauge | MetricType::Unknown) => {
                self.number(labels, point, *number);
            }
            (Value::Histogram(histogram), MetricType::Histogram | MetricType::GaugeHistogram) => {
                self.histogram(labels, point, histogram)?;
            }
            (Value::Summary(summary), MetricType::Summary) => self.summary(labels, point, summary)?,
            (Value::StateSet(states), MetricType::StateSet) => {
                self.stateset(labels, states, point.timestamp)?;
            }
            (Value::Info(facts), MetricType::Info) => self.info(labels, facts, point.timestamp)?,
            (value, metric_type) => {
                let message =
                    format!("this format has no {} in a family of type {metric_type}", value.kind());
                return Err(Refusal::new("PPB-05", message));
            }
        }
        Ok(())
    }
}

/// Writes a metric for each row, with a value of zero in this field. The field is the kind of the image.
fn draw(field: u32, rows: &Rows<'_>, drawing: &mut Drawing) {
    let Drawing { bytes, slots } = drawing;
    let mut labels = Vec::new();
    for row in rows.list() {
        labels.clear();
        render_protobuf(&rows.labels(row), &mut labels);
        let mut created = Block::default();
        if let Some((seconds, nanos)) = row.start() {
            created = wire::short_timestamp(schema::counter::CREATED, seconds, nanos);
        }
        let value = DOUBLE_FIELD + created.len();
        wire::fixed_message(metric_family::METRIC, labels.len() + 2 + value, bytes);
        bytes.extend_from_slice(&labels);
        wire::fixed_message(field, value, bytes);
        wire::double(schema::counter::VALUE, 0.0, bytes);
        slots.push((bytes.len() - 8) as u32);
        created.push_to(bytes);
    }
}

/// The bytes of a double with its key.
const DOUBLE_FIELD: usize = 9;

fn nothing(_: &mut Vec<u8>) {}

/// Gauge and Untyped: a message of one double.
#[inline]
fn put_number(field: u32, number: f64, out: &mut Vec<u8>) {
    let mut short = Short::default();
    short.message(field, DOUBLE_FIELD);
    short.double(schema::gauge::VALUE, number);
    out.extend_from_slice(short.as_bytes());
}

/// A counter without exemplar.
#[inline]
fn put_counter(number: f64, start: Option<Timestamp>, out: &mut Vec<u8>) {
    let mut short = Short::default();
    let created = start.map_or(0, |start| 2 + wire::timestamp_len(start));
    short.message(schema::metric::COUNTER, DOUBLE_FIELD + created);
    short.double(schema::counter::VALUE, number);
    if let Some(start) = start {
        short.timestamp(schema::counter::CREATED, start);
    }
    out.extend_from_slice(short.as_bytes());
}

fn put_timestamp(field: u32, timestamp: Option<Timestamp>, out: &mut Vec<u8>) {
    if let Some(timestamp) = timestamp {
        wire::timestamp(field, timestamp, out);
    }
}

fn put_exemplar(field: u32, exemplar: &ExemplarRef<'_>, escaping: Escaping, out: &mut Vec<u8>) {
    wire::message(field, out, |out| {
        render_protobuf_renamed(&exemplar.labels, |name| escaping.label_name(name), out);
        wire::double(schema::exemplar::VALUE, exemplar.value.as_f64(), out);
        put_timestamp(schema::exemplar::TIMESTAMP, exemplar.timestamp, out);
    });
}

/// The exemplars of a histogram, and the classic bucket of each.
struct Placed<'a> {
    all: &'a [ExemplarRef<'a>],
    by_bucket: &'a [(usize, usize)],
    escaping: Escaping,
}

fn put_histogram(
    histogram: &HistogramValue<'_>,
    classic: Option<&[ClassicBucket]>,
    native: Option<&NativeBucketsRef<'_>>,
    start: Option<Timestamp>,
    exemplars: &Placed<'_>,
    out: &mut Vec<u8>,
) {
    use schema::histogram as field;
    let integer = native.is_none_or(|native| is_integer(native, histogram.count));
    let count = if integer { histogram.count } else { Number::Float(histogram.count.as_f64()) };
    if let Number::Unsigned(count) = count {
        wire::uint(field::SAMPLE_COUNT, count, out);
    }
    if let Some(sum) = histogram.sum {
        wire::double(field::SAMPLE_SUM, sum.as_f64(), out);
    }
    if let Some(classic) = classic {
        put_classic(classic, count, exemplars, out);
    }
    if !matches!(count, Number::Unsigned(_)) {
        wire::double(field::SAMPLE_COUNT_FLOAT, count.as_f64(), out);
    }
    if let Some(native) = native {
        put_native(native, integer, out);
    }
    put_timestamp(field::CREATED, start, out);
    if native.is_some() {
        // Those of native histograms have to have a timestamp (NH-18).
        for exemplar in exemplars.all.iter().filter(|exemplar| exemplar.timestamp.is_some()) {
            put_exemplar(field::EXEMPLARS, exemplar, exemplars.escaping, out);
        }
    }
}

/// The buckets below `+Inf`. That one goes without saying, unless it has an exemplar or nothing else would show
/// that the histogram is a classic one.
fn put_classic(classic: &[ClassicBucket], count: Number, exemplars: &Placed<'_>, out: &mut Vec<u8>) {
    use schema::bucket as field;
    let mut placed = exemplars.by_bucket;
    let infinite = ClassicBucket { upper_bound: f64::INFINITY, count };
    for (at, bucket) in classic.iter().chain([&infinite]).enumerate() {
        let mut exemplar = None;
        while let Some((&(bucket, index), rest)) = placed.split_first() {
            if bucket != at {
                break;
            }
            exemplar = exemplars.all.get(index);
            placed = rest;
        }
        if at == classic.len() && exemplar.is_none() && at > 0 {
            return;
        }
        wire::message(schema::histogram::BUCKET, out, |out| {
            if let Number::Unsigned(count) = bucket.count {
                wire::uint(field::CUMULATIVE_COUNT, count, out);
            }
            wire::double(field::UPPER_BOUND, bucket.upper_bound, out);
            if let Some(exemplar) = exemplar {
                put_exemplar(field::EXEMPLAR, exemplar, exemplars.escaping, out);
            }
            if !matches!(bucket.count, Number::Unsigned(_)) {
                wire::double(field::CUMULATIVE_COUNT_FLOAT, bucket.count.as_f64(), out);
            }
        });
    }
}

/// Schema, zero bucket, then both sides; whole numbers as differences, others as they are (NH-08, NH-09).
fn put_native(native: &NativeBucketsRef<'_>, integer: bool, out: &mut Vec<u8>) {
    use schema::histogram as field;
    wire::sint(field::SCHEMA, native.schema.number().into(), out);
    wire::double(field::ZERO_THRESHOLD, native.zero_threshold, out);
    match native.zero_count {
        Number::Unsigned(count) if integer => wire::uint(field::ZERO_COUNT, count, out),
        count => wire::double(field::ZERO_COUNT_FLOAT, count.as_f64(), out),
    }
    let [negative, positive] = [
        (native.negative, field::NEGATIVE_SPAN, field::NEGATIVE_DELTA, field::NEGATIVE_COUNT),
        (native.positive, field::POSITIVE_SPAN, field::POSITIVE_DELTA, field::POSITIVE_COUNT),
    ];
    for (side, span_field, delta_field, count_field) in [negative, positive] {
        for span in side.spans {
            put_span(span_field, *span, out);
        }
        put_counts(side, integer, delta_field, count_field, out);
        // The no-op span that tells a native histogram without buckets from a classic one (NH-17).
        if span_field == field::POSITIVE_SPAN && side.spans.is_empty() && native.negative.spans.is_empty() {
            put_span(span_field, Span { offset: 0, length: 0 }, out);
        }
    }
}

fn put_span(number: u32, span: Span, out: &mut Vec<u8>) {
    wire::message(number, out, |out| {
        wire::sint(schema::span::OFFSET, span.offset.into(), out);
        wire::uint(schema::span::LENGTH, span.length.into(), out);
    });
}

/// Not packed: the schema is of protobuf's second version, where that is the default, and every reader takes it.
fn put_counts(side: SideRef<'_>, integer: bool, delta_field: u32, count_field: u32, out: &mut Vec<u8>) {
    match side.counts {
        Counts::Integer(counts) if integer => {
            let mut before = 0_u64;
            for &count in counts {
                wire::sint(delta_field, count.wrapping_sub(before) as i64, out);
                before = count;
            }
        }
        Counts::Integer(counts) => {
            for &count in counts {
                wire::double(count_field, count as f64, out);
            }
        }
        Counts::Float(counts) => {
            for &count in counts {
                wire::double(count_field, count, out);
            }
        }
    }
}

/// Whether a native histogram holds whole numbers only; if not, all of them are written as doubles.
fn is_integer(native: &NativeBucketsRef<'_>, count: Number) -> bool {
    let whole = |side: SideRef<'_>| side.counts.is_empty() || matches!(side.counts, Counts::Integer(_));
    // A difference of counts has 63 bits; no bucket holds more than all.
    matches!((count, native.zero_count), (Number::Unsigned(count), Number::Unsigned(_)) if i64::try_from(count).is_ok())
        && whole(native.positive)
        && whole(native.negative)
}

/// Bounds rise and counts do not fall, up to the count of all (PPB-06, PPB-07).
fn check_classic(buckets: &[ClassicBucket], count: Number) -> Result<(), Refusal> {
    if let Some(bucket) = buckets.iter().find(|bucket| bucket.upper_bound.is_nan()) {
        return Err(Refusal::new("PPB-06", format!("a bucket's upper bound is {}", bucket.upper_bound)));
    }
    let mut below: Option<ClassicBucket> = None;
    for &bucket in buckets.iter().chain([&ClassicBucket { upper_bound: f64::INFINITY, count }]) {
        if let Some(below) = below.filter(|below| below.upper_bound >= bucket.upper_bound) {
            let message = format!("bucket {} follows bucket {}", bucket.upper_bound, below.upper_bound);
            return Err(Refusal::new("PPB-06", message));
        }
        let least = below.map_or(0.0, |below| below.count.as_f64());
        if bucket.count.is_nan() || bucket.count.as_f64() < least {
            let message = format!("bucket {} holds less than the one below it", bucket.upper_bound);
            return Err(Refusal::new("PPB-07", message));
        }
        below = Some(bucket);
    }
    Ok(())
}
