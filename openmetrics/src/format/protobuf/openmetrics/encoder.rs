//! Writing a `MetricSet`.

use std::cell::Cell;

use super::super::wire::{self, Frame};
use super::rows;
use super::schema::{self, metric, metric_family, metric_point, metric_set};
use crate::format::Escaping;
use crate::format::text::{
    Dialect, Heading, check_classic, check_counter, check_summary, claim_written, exemplar_fits, from_native,
    place_exemplars, repeated,
};
use crate::model::{
    Claims, ClassicBucket, Descriptor, ExemplarRef, HistogramValue, Labels, MetricType, Number, Point,
    Refusal, Rows, Sink, State, SummaryValue, Timestamp, Value, render_protobuf_renamed,
};

/// Writes families as they come; [`finish`](Encoder::finish) closes the last one.
pub(crate) struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    escaping: Escaping,
    family: Option<Frame>,
    metric_type: MetricType,
    name: String,
    /// Whether the names in rendered labels, which are the same for all metrics of a family, were looked at.
    names_checked: bool,
    /// The names taken, as they are written: escaping may make one of two (ESC-07).
    claims: Claims,
    /// The last metric, if it may go on: points of one metric stand in one message.
    last: Option<Last>,
    /// Its labels as they are written.
    last_labels: Vec<u8>,
    placed: Vec<(usize, usize)>,
    classic: Vec<ClassicBucket>,
    /// Room for a family's name.
    written: String,
}

/// What an encoder leaves behind for the next one of the same thread: room that is empty or written anew.
#[derive(Default)]
struct Kept {
    name: String,
    claims: Claims,
    last_labels: Vec<u8>,
    placed: Vec<(usize, usize)>,
    classic: Vec<ClassicBucket>,
    written: String,
}

thread_local! {
    static KEPT: Cell<Kept> = Cell::default();
}

/// Where the last metric is, counted from the end of the output, as the beginning may have moved.
#[derive(Clone, Copy)]
struct Last {
    len: usize,
    room: usize,
}

impl<'o> Encoder<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>, escaping: Escaping) -> Self {
        let Kept { name, claims, last_labels, placed, classic, written } =
            KEPT.try_with(Cell::take).unwrap_or_default();
        Self {
            out,
            escaping,
            family: None,
            metric_type: MetricType::Unknown,
            name,
            names_checked: false,
            claims,
            last: None,
            last_labels,
            placed,
            classic,
            written,
        }
    }

    /// Puts in the length of the last family.
    pub(crate) fn finish(mut self) {
        self.close();
        let Self { name, mut claims, last_labels, placed, classic, written, .. } = self;
        claims.clear();
        let kept = Kept { name, claims, last_labels, placed, classic, written };
        let _ = KEPT.try_with(|place| place.set(kept));
    }

    fn close(&mut self) {
        self.last = None;
        if let Some(frame) = self.family.take() {
            frame.close(self.out);
        }
    }

    /// One point, in a metric of its own or in the last one if that has the same labels.
    fn metric(
        &mut self,
        labels: [&Labels<'_>; 2],
        timestamp: Option<Timestamp>,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        let Self { out, escaping, last, last_labels, .. } = self;
        let start = out.len();
        out.push(wire::key(metric_family::METRICS, wire::BYTES) as u8);
        let mut frame = Frame::open(1, out);
        let from = out.len();
        for labels in labels {
            render_protobuf_renamed(labels, |name| escaping.label_name(name), out);
        }
        // Only points with a time of their own can follow one another.
        if timestamp.is_some() {
            let rendered = out.get(from..).unwrap_or_default();
            match last {
                Some(Last { len, room }) if rendered == last_labels.as_slice() => {
                    out.truncate(start);
                    frame = Frame::reopen(start - *len, *room);
                }
                _ => {
                    last_labels.clear();
                    last_labels.extend_from_slice(rendered);
                }
            }
        }
        wire::message(metric::POINTS, out, |out| {
            value(out);
            put_timestamp(metric_point::TIMESTAMP, timestamp, out);
        });
        let room = frame.close(out);
        let body = frame.body() + room - frame.room();
        *last = timestamp.map(|_| Last { len: out.len() - body, room });
        if let Some(family) = &mut self.family {
            family.widen(out);
        }
    }

    /// Whether the names of these labels can be written.
    fn check_names(&mut self, labels: &Labels<'_>) -> Result<(), Refusal> {
        if !(self.names_checked && labels.is_rendered()) {
            super::super::check_label_names(labels, self.escaping)?;
            Dialect::OpenMetrics1.check_labels(labels, self.escaping)?;
            // Rendered labels come from one table, so those of the next point have the same names.
            self.names_checked = true;
        }
        Ok(())
    }

    fn number(&mut self, labels: &Labels<'_>, point: &Point<'_>, number: Number) -> Result<(), Refusal> {
        if self.metric_type != MetricType::Counter {
            let field = schema::value_field(self.metric_type);
            self.metric([labels, &Labels::EMPTY], point.timestamp, |out| put_gauge(field, number, out));
            return Ok(());
        }
        check_counter(number, Dialect::OpenMetrics1)?;
        let escaping = self.escaping;
        let exemplar =
            point.exemplars.iter().rev().find(|e| exemplar_fits(Dialect::OpenMetrics1, escaping, e));
        self.metric([labels, &Labels::EMPTY], point.timestamp, |out| {
            wire::message(metric_point::COUNTER, out, |out| {
                match number {
                    Number::Unsigned(total) => wire::uint(schema::counter::INT, total, out),
                    total => wire::double(schema::counter::DOUBLE, total.as_f64(), out),
                }
                put_timestamp(schema::counter::CREATED, point.start, out);
                if let Some(exemplar) = exemplar {
                    put_exemplar(schema::counter::EXEMPLAR, exemplar, escaping, out);
                }
            });
        });
        Ok(())
    }

    fn stateset(
        &mut self,
        labels: &Labels<'_>,
        states: &[State<'_>],
        timestamp: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        if labels.get(&self.name).is_some() {
            let message = "a label has the family's name, which is that of the states";
            return Err(Refusal::new("OM1-SS-05", message));
        }
        if let Some(state) = repeated(states.iter().map(|state| state.name)) {
            return Err(Refusal::new("OM1-SS-03", format!("state {state:?} is given twice")));
        }
        self.metric([labels, &Labels::EMPTY], timestamp, |out| {
            wire::message(metric_point::STATE_SET, out, |out| {
                for state in states {
                    wire::message(schema::state_set::STATES, out, |out| {
                        if state.enabled {
                            wire::uint(schema::state::ENABLED, 1, out);
                        }
                        wire::string(schema::state::NAME, state.name, out);
                    });
                }
            });
        });
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
        Dialect::OpenMetrics1.check_labels(facts, escaping)?;
        if self.metric_type != MetricType::Info {
            // An info whose name has no `_info`, which is a gauge of the same labels here.
            let one = Number::Unsigned(1);
            self.metric([labels, facts], timestamp, |out| put_gauge(metric_point::GAUGE, one, out));
            return Ok(());
        }
        self.metric([labels, &Labels::EMPTY], timestamp, |out| {
            wire::message(metric_point::INFO, out, |out| {
                render_protobuf_renamed(facts, |name| escaping.label_name(name), out);
            });
        });
        Ok(())
    }

    fn histogram(
        &mut self,
        labels: &Labels<'_>,
        point: &Point<'_>,
        histogram: &HistogramValue<'_>,
    ) -> Result<(), Refusal> {
        let mut derived = std::mem::take(&mut self.classic);
        let written = self.write_histogram(labels, point, histogram, &mut derived);
        self.classic = derived;
        written
    }

    fn write_histogram(
        &mut self,
        labels: &Labels<'_>,
        point: &Point<'_>,
        histogram: &HistogramValue<'_>,
        derived: &mut Vec<ClassicBucket>,
    ) -> Result<(), Refusal> {
        let buckets = match (histogram.classic, &histogram.native) {
            (Some(buckets), _) => buckets,
            (None, Some(native)) => {
                from_native(native, derived)?;
                derived
            }
            (None, None) => &[],
        };
        // A bucket for +Inf is the count, whoever gives it.
        let buckets = match buckets.split_last() {
            Some((last, below)) if last.upper_bound == f64::INFINITY => below,
            _ => buckets,
        };
        let gauge = self.metric_type == MetricType::GaugeHistogram;
        let (count, sum) = check_classic(Dialect::OpenMetrics1, gauge, buckets, histogram)?;
        let escaping = self.escaping;
        let mut placed = std::mem::take(&mut self.placed);
        let fits = |exemplar: &ExemplarRef<'_>| exemplar_fits(Dialect::OpenMetrics1, escaping, exemplar);
        place_exemplars(point.exemplars, buckets, fits, &mut placed);
        self.metric([labels, &Labels::EMPTY], point.timestamp, |out| {
            wire::message(metric_point::HISTOGRAM, out, |out| {
                use schema::{bucket, histogram};
                put_sum(sum, out);
                put_count(histogram::COUNT, count, out);
                put_timestamp(histogram::CREATED, point.start, out);
                let infinite = ClassicBucket { upper_bound: f64::INFINITY, count };
                let mut placed = placed.iter().peekable();
                for (at, one) in buckets.iter().chain([&infinite]).enumerate() {
                    wire::message(histogram::BUCKETS, out, |out| {
                        put_count(bucket::COUNT, one.count, out);
                        wire::double(bucket::UPPER_BOUND, one.upper_bound, out);
                        // The last one of a bucket stays (OM1-EX-06).
                        let mut exemplar = None;
                        while let Some(&(_, found)) = placed.next_if(|(bucket, _)| *bucket == at) {
                            exemplar = point.exemplars.get(found);
                        }
                        if let Some(exemplar) = exemplar {
                            put_exemplar(bucket::EXEMPLAR, exemplar, escaping, out);
                        }
                    });
                }
            });
        });
        self.placed = placed;
        Ok(())
    }

    fn summary(
        &mut self,
        labels: &Labels<'_>,
        point: &Point<'_>,
        summary: &SummaryValue<'_>,
    ) -> Result<(), Refusal> {
        check_summary(Dialect::OpenMetrics1, summary)?;
        self.metric([labels, &Labels::EMPTY], point.timestamp, |out| {
            wire::message(metric_point::SUMMARY, out, |out| {
                use schema::{quantile, summary as field};
                put_sum(summary.sum, out);
                put_count(field::COUNT, summary.count.unwrap_or_default(), out);
                put_timestamp(field::CREATED, point.start, out);
                for one in summary.quantiles {
                    wire::message(field::QUANTILE, out, |out| {
                        wire::double(quantile::QUANTILE, one.quantile, out);
                        wire::double(quantile::VALUE, one.value.as_f64(), out);
                    });
                }
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
        let Some(first) = rows.list().first() else { return 0 };
        if self.check_names(&rows.labels(first)).is_err() {
            return 0; // as points, each is told
        }
        self.last = None;
        let taken = rows::push(rows, self.metric_type, self.out);
        if let Some(family) = &mut self.family {
            family.widen(self.out);
        }
        taken
    }

    fn family(&mut self, descriptor: &Descriptor) -> Result<(), Refusal> {
        self.close();
        let heading = Dialect::OpenMetrics1.heading(descriptor, self.escaping, &mut self.written);
        let Heading { metric_type, family, .. } = heading;
        if metric_type != MetricType::StateSet {
            Dialect::OpenMetrics1.check_name(&heading, descriptor, self.escaping)?;
        } // whose states have no label here
        claim_written(&mut self.claims, family, Dialect::OpenMetrics1.suffixes(metric_type))?;
        self.metric_type = metric_type;
        self.names_checked = false;
        descriptor.name().as_str().clone_into(&mut self.name);
        let out = &mut *self.out;
        out.push(wire::key(metric_set::FAMILIES, wire::BYTES) as u8);
        let frame = Frame::open(2, out);
        wire::string(metric_family::NAME, family, out);
        if metric_type != MetricType::Unknown {
            wire::uint(metric_family::TYPE, schema::type_number(metric_type), out);
        }
        if let Some(unit) = Dialect::OpenMetrics1.unit(descriptor, &heading) {
            wire::string(metric_family::UNIT, unit, out);
        }
        if !descriptor.help().is_empty() {
            wire::string(metric_family::HELP, descriptor.help(), out);
        }
        self.family = Some(frame);
        Ok(())
    }

    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) -> Result<(), Refusal> {
        self.check_names(labels)?;
        match &point.value {
            Value::Number(number) => self.number(labels, point, *number),
            Value::StateSet(states) => self.stateset(labels, states, point.timestamp),
            Value::Info(facts) => self.info(labels, facts, point.timestamp),
            _ if self.metric_type == MetricType::Unknown => {
                let message = format!("an unknown is a number in this format, not a {}", point.value.kind());
                Err(Refusal::new("OM1-UNK-01", message))
            }
            Value::Histogram(histogram) => self.histogram(labels, point, histogram),
            Value::Summary(summary) => self.summary(labels, point, summary),
        }
    }
}

/// `GaugeValue` and `UnknownValue`: integers as integers as far as they have 63 bits.
fn put_gauge(field: u32, number: Number, out: &mut Vec<u8>) {
    wire::message(field, out, |out| match as_i64(number) {
        Some(int) => wire::int(schema::gauge::INT, int, out),
        None => wire::double(schema::gauge::DOUBLE, number.as_f64(), out),
    });
}

#[inline]
pub(super) fn as_i64(number: Number) -> Option<i64> {
    match number {
        Number::Unsigned(number) => i64::try_from(number).ok(),
        Number::Signed(number) => Some(number),
        Number::Float(_) => None,
    }
}

/// The `sum` of histogram and summary, which is field 1 or 2 in both.
fn put_sum(sum: Option<Number>, out: &mut Vec<u8>) {
    match sum.map(|sum| (as_i64(sum), sum)) {
        Some((Some(int), _)) => wire::int(schema::histogram::SUM_INT, int, out),
        Some((None, sum)) => wire::double(schema::histogram::SUM_DOUBLE, sum.as_f64(), out),
        None => {}
    }
}

/// A count that has been checked to be whole; zero goes without saying.
fn put_count(field: u32, count: Number, out: &mut Vec<u8>) {
    if let Some(count) = count.as_u64().filter(|&count| count > 0) {
        wire::uint(field, count, out);
    }
}

fn put_timestamp(field: u32, timestamp: Option<Timestamp>, out: &mut Vec<u8>) {
    if let Some(timestamp) = timestamp {
        wire::timestamp(field, timestamp, out);
    }
}

fn put_exemplar(field: u32, exemplar: &ExemplarRef<'_>, escaping: Escaping, out: &mut Vec<u8>) {
    wire::message(field, out, |out| {
        wire::double(schema::exemplar::VALUE, exemplar.value.as_f64(), out);
        put_timestamp(schema::exemplar::TIMESTAMP, exemplar.timestamp, out);
        for (name, value) in exemplar.labels {
            wire::message(schema::exemplar::LABEL, out, |out| {
                wire::string(LABEL_NAME, &escaping.label_name(name), out);
                wire::string(LABEL_VALUE, &value, out);
            });
        }
    });
}

const LABEL_NAME: u32 = 1;
const LABEL_VALUE: u32 = 2;
