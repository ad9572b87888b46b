//! The sink that writes text: metadata, then a line for each sample.

use std::cell::Cell;
use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::checks::{check_counter, check_summary, claim_written, exemplar_fits, place_exemplars, repeated};
use super::line::{Line, Name, push_escaped, push_escaped_outside_quotes};
use super::number::{push_float, push_millis, push_number, push_seconds, push_time};
use super::{Dialect, Heading, classic};
use crate::format::pen::{Pen, Put};
use crate::format::{Escaping, Options};
use crate::model::{
    Claims, ClassicBucket, Descriptor, ExemplarRef, HistogramValue, LabelSet, Labels, MetricType, Number,
    Part, Point, Refusal, Rows, Sink, State, SummaryValue, Timestamp, Value, is_classic_label_name,
};

/// Writes one exposition, of any text dialect, to the end of a buffer.
pub(crate) struct Encoder<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) dialect: Dialect,
    pub(super) escaping: Escaping,
    created: bool,
    /// Whether start timestamps are written in one way or the other.
    writes_starts: bool,
    /// The names taken, as they are written: escaping may make one of two (ESC-07).
    claims: Claims,
    /// The open family.
    pub(super) family: Family,
    /// Those of the page before that did not come yet, then those of this page before the open one.
    families: VecDeque<Family>,
    /// How many families have begun.
    begun: usize,
    samples: Samples,
    /// Samples that Prometheus text has as gauges of their own, after the family.
    tails: [Tail; 3],
    /// Classic buckets made of native ones.
    derived: Vec<ClassicBucket>,
    /// Which bucket gets which exemplar.
    placed: Vec<(usize, usize)>,
    /// The series of the last point with a timestamp, where a series has one line only.
    last_timed: Option<LabelSet>,
    /// The states of a metric whose points may go on, each with its lines: they stand together in OpenMetrics 2.0.
    states: Vec<(String, Vec<u8>)>,
    /// The labels of that metric.
    states_of: String,
    /// Room for a family's name.
    name: String,
}

/// What an encoder leaves behind for the next one of the same thread: room that is empty or written anew, and the
/// families of the page.
#[derive(Default)]
struct Kept {
    claims: Claims,
    families: VecDeque<Family>,
    tails: [Vec<u8>; 3],
    derived: Vec<ClassicBucket>,
    placed: Vec<(usize, usize)>,
    name: String,
}

thread_local! {
    static KEPT: Cell<Kept> = Cell::default();
}

/// How a family is written, which depends on nothing but what it was made for: it is kept for the next page, which most
/// likely has the same family in the same place.
#[derive(Default)]
pub(super) struct Family {
    made_for: Option<(Descriptor, Dialect, Escaping)>,
    pub(super) metric_type: MetricType,
    /// The name in metadata.
    name: String,
    /// The name of samples that are plain numbers.
    pub(super) sample: Name,
    /// The same with an opening brace, and zeros up to a whole block.
    head: Vec<u8>,
    head_len: usize,
    /// What `_bucket`, `_created` and the like are added to.
    base: Name,
    /// Its lines of metadata.
    metadata: Vec<u8>,
}

impl Family {
    /// Makes it that of this descriptor, unless it is already.
    fn make(
        &mut self,
        descriptor: &Descriptor,
        dialect: Dialect,
        escaping: Escaping,
        room: &mut String,
    ) -> Result<(), Refusal> {
        let is_made = matches!(&self.made_for, Some((known, d, e)) if *d == dialect && *e == escaping && known == descriptor);
        if is_made {
            return Ok(());
        }
        let heading = dialect.heading(descriptor, escaping, room);
        dialect.check_name(&heading, descriptor, escaping)?;
        self.made_for = Some((descriptor.clone(), dialect, escaping));
        self.metric_type = heading.metric_type;
        heading.family.clone_into(&mut self.name);
        self.sample.set(heading.family, heading.suffix);
        self.head.clear();
        self.sample.push("", &mut self.head);
        self.head.push(b'{');
        self.head_len = self.head.len();
        self.head.resize(self.head_len.next_multiple_of(BLOCK), 0);
        let stem = match (heading.metric_type, heading.suffix) {
            (MetricType::Counter, "") => heading.family.strip_suffix("_total").unwrap_or(heading.family),
            _ => heading.family,
        };
        self.base.set(stem, "");
        self.metadata.clear();
        self.write_metadata(&heading, dialect, help(descriptor), dialect.unit(descriptor, &heading));
        Ok(())
    }

    fn write_metadata(&mut self, heading: &Heading<'_>, dialect: Dialect, help: &str, unit: Option<&str>) {
        let Self { metadata: out, sample, base, .. } = self;
        let name = if heading.suffix.is_empty() { sample } else { base };
        let begin = |out: &mut Vec<u8>, keyword: &str| {
            out.extend_from_slice(keyword.as_bytes());
            name.push("", out);
            out.push(b' ');
        };
        // Prometheus text has help first by custom, OpenMetrics last by OM1-FAM-09.
        if dialect == Dialect::Prometheus && !help.is_empty() {
            begin(out, "# HELP ");
            push_escaped_outside_quotes(out, help);
            out.push(b'\n');
        }
        begin(out, "# TYPE ");
        out.extend_from_slice(dialect.type_word(heading.metric_type).as_bytes());
        out.push(b'\n');
        if let Some(unit) = unit {
            begin(out, "# UNIT ");
            out.extend_from_slice(unit.as_bytes());
            out.push(b'\n');
        }
        if dialect != Dialect::Prometheus && !help.is_empty() {
            begin(out, "# HELP ");
            push_escaped(out, help);
            out.push(b'\n');
        }
    }

    /// The name unescaped, which is the label of a stateset's states.
    fn label(&self) -> &str {
        self.made_for.as_ref().map_or("", |(descriptor, ..)| descriptor.name().as_str())
    }

    fn help(&self) -> &str {
        self.made_for.as_ref().map_or("", |(descriptor, ..)| help(descriptor))
    }
}

/// A carriage return before the line feed would be a line end of another kind (OM1-DOC-04).
fn help(descriptor: &Descriptor) -> &str {
    descriptor.help().trim_end_matches('\r')
}

/// What is known of the samples of the open family.
#[derive(Default)]
struct Samples {
    /// Where they begin.
    from: usize,
    /// Whether it takes no more than the family's head to begin one: no quotes, and no names to be compared.
    plain: bool,
    /// Whether the names in rendered labels, which are the same for all metrics of a family, were looked at.
    names_checked: bool,
    /// Label names as written and what they stand for, from the first one on that had to be escaped.
    escaped: Option<HashMap<String, String, RandomState>>,
}

/// Samples called by the family's name and this suffix.
struct Tail {
    suffix: &'static str,
    lines: Vec<u8>,
}
const CREATED: usize = 0;
const GCOUNT: usize = 1;
const GSUM: usize = 2;

impl<'o> Encoder<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>, dialect: Dialect, escaping: Escaping, options: Options) -> Self {
        let Kept { claims, families, tails, derived, placed, name } =
            KEPT.try_with(Cell::take).unwrap_or_default();
        let [created, gcount, gsum] = tails;
        let tail = |suffix, lines| Tail { suffix, lines };
        Self {
            out,
            dialect,
            escaping,
            created: options.created_samples,
            writes_starts: options.created_samples || dialect == Dialect::OpenMetrics2,
            claims,
            family: Family::default(),
            families,
            begun: 0,
            samples: Samples::default(),
            tails: [tail("_created", created), tail("_gcount", gcount), tail("_gsum", gsum)],
            derived,
            placed,
            last_timed: None,
            states: Vec::new(),
            states_of: String::new(),
            name,
        }
    }

    /// Ends the exposition.
    pub(crate) fn finish(mut self) {
        self.flush_states();
        self.flush_tails();
        if self.dialect != Dialect::Prometheus {
            self.out.extend_from_slice(b"# EOF\n");
        }
        let Self { mut claims, family, mut families, begun, tails, derived, placed, name, .. } = self;
        claims.clear();
        families.push_back(family);
        families.drain(..families.len().saturating_sub(begun));
        families.truncate(FAMILIES_KEPT);
        let tails = tails.map(|tail| if tail.lines.capacity() > TAIL_KEPT { Vec::new() } else { tail.lines });
        let _ = KEPT.try_with(|kept| kept.set(Kept { claims, families, tails, derived, placed, name }));
    }

    /// Writes the gauges that were put aside while the family before was open.
    fn flush_tails(&mut self) {
        let Self { out, tails, family, .. } = self;
        for tail in tails.iter_mut().filter(|tail| !tail.lines.is_empty()) {
            if !family.help().is_empty() {
                out.extend_from_slice(b"# HELP ");
                family.base.push(tail.suffix, out);
                out.push(b' ');
                push_escaped_outside_quotes(out, family.help());
                out.push(b'\n');
            }
            out.extend_from_slice(b"# TYPE ");
            family.base.push(tail.suffix, out);
            out.extend_from_slice(b" gauge\n");
            out.append(&mut tail.lines);
        }
    }

    /// Makes what comes next ready for this family and takes its names as this dialect writes them, then opens it.
    fn begin_family(&mut self, descriptor: &Descriptor) -> Result<(), Refusal> {
        let of_this_page = self.begun.saturating_sub(1);
        let mut next = match self.families.pop_front() {
            Some(next) if self.families.len() >= of_this_page => next,
            Some(of_this_page) => {
                self.families.push_front(of_this_page);
                Family::default()
            }
            None => Family::default(),
        };
        let made = next.make(descriptor, self.dialect, self.escaping, &mut self.name).and_then(|()| {
            if self.escaping == Escaping::AllowUtf8 && self.dialect != Dialect::OpenMetrics1 {
                return Ok(()); // the emitter has claimed the very same names
            }
            claim_written(&mut self.claims, &next.name, self.dialect.suffixes(next.metric_type))
        });
        if made.is_err() {
            self.families.push_front(next);
            return made;
        }
        let before = std::mem::replace(&mut self.family, next);
        if self.begun > 0 {
            self.families.push_back(before);
        }
        self.begun += 1;
        self.last_timed = None;
        self.out.extend_from_slice(&self.family.metadata);
        let plain = !self.family.sample.is_quoted();
        self.samples = Samples { from: self.out.len(), plain, ..Samples::default() };
        Ok(())
    }

    /// Refuses labels whose names, escaped, are those of other labels in this family (ESC-07): two metrics that differ
    /// only so would be one.
    fn check_escaped<'l>(&mut self, names: impl Iterator<Item = &'l str> + Clone) -> Result<(), Refusal> {
        let escaping = self.escaping;
        self.samples.plain = false;
        let map = self.samples.escaped.get_or_insert_with(|| {
            let lines = self.out.get(self.samples.from..).unwrap_or_default();
            label_names(lines).map(|name| (name.to_owned(), name.to_owned())).collect()
        });
        if let Some(name) = repeated(names.clone().map(|name| escaping.label_name(name))) {
            return Err(Refusal::new("ESC-07", format!("two labels are called {name:?} after escaping")));
        }
        for name in names.clone() {
            if let Some(other) = map.get(&*escaping.label_name(name)).filter(|other| *other != name) {
                let message = format!("label {name:?} and another metric's {other:?} are one after escaping");
                return Err(Refusal::new("ESC-07", message));
            }
        }
        for name in names {
            map.entry_ref(&*escaping.label_name(name)).or_insert_with(|| name.to_owned());
        }
        Ok(())
    }

    /// Whether label names have to be compared as they are written.
    #[inline]
    fn escapes(&self, labels: &Labels<'_>) -> bool {
        self.escaping != Escaping::AllowUtf8 && (self.samples.escaped.is_some() || has_foreign_names(labels))
    }

    /// Whether label names of this family were looked at and need nothing done. Rendered labels come from one table, so
    /// those of all its metrics have the same names.
    fn knows_names_of(&mut self, labels: &Labels<'_>) -> bool {
        if !self.samples.names_checked {
            self.samples.names_checked =
                self.dialect.check_labels(labels, self.escaping).is_ok() && !self.escapes(labels);
        }
        self.samples.names_checked
    }

    /// A line of rendered labels and a number, as nearly all lines are. [`number`](Self::number) writes the same.
    #[inline]
    fn rendered_number(&mut self, labels: &Labels<'_>, number: Number) -> Result<(), Refusal> {
        let Self { out, family, dialect, .. } = self;
        if family.metric_type == MetricType::Counter && !matches!(number, Number::Unsigned(_)) {
            check_counter(number, *dialect)?;
        }
        let before = out.len();
        out.extend_from_slice(family.head.get(..family.head_len).unwrap_or_default());
        let none = out.len();
        for part in labels.parts() {
            if let Part::Rendered(rendered) = part {
                if out.len() > none && !rendered.text.is_empty() {
                    out.push(b',');
                }
                out.extend_from_slice(rendered.text.as_bytes());
            }
        }
        if out.len() > none {
            out.extend_from_slice(b"} ");
        } else {
            out.truncate(before);
            family.sample.push("", out);
            out.push(b' ');
        }
        push_number(&mut **out, number, dialect.style());
        out.push(b'\n');
        Ok(())
    }

    fn number(&mut self, labels: &Labels<'_>, number: Number, point: &Point<'_>) -> Result<(), Refusal> {
        let counts = self.family.metric_type == MetricType::Counter;
        if counts {
            check_counter(number, self.dialect)?;
        }
        let Self { out, family, escaping, dialect, .. } = self;
        let mut line = Line::begin(out, *escaping, &family.sample, "");
        line.labels(labels);
        let out = line.end_labels();
        push_number(out, number, dialect.style());
        if point.timestamp.is_none() && point.start.is_none() && point.exemplars.is_empty() {
            out.push(b'\n');
            return Ok(());
        }
        self.end_sample(point);
        if counts {
            self.created_sample(labels, point);
        }
        Ok(())
    }

    /// What may follow the value of a number, and the line's end.
    fn end_sample(&mut self, point: &Point<'_>) {
        let counts = self.family.metric_type == MetricType::Counter;
        match self.dialect {
            Dialect::OpenMetrics2 => self.end_composite(point, counts),
            Dialect::OpenMetrics1 if counts => {
                self.push_time(point.timestamp);
                if let Some(exemplar) = point.exemplars.iter().rev().find(|e| self.fits(e)) {
                    self.push_exemplar(exemplar);
                }
                self.out.push(b'\n');
            }
            _ => self.end_line(point.timestamp),
        }
    }

    pub(super) fn end_line(&mut self, timestamp: Option<Timestamp>) {
        self.push_time(timestamp);
        self.out.push(b'\n');
    }

    pub(super) fn push_time(&mut self, timestamp: Option<Timestamp>) {
        let Some(time) = timestamp else { return };
        self.out.push(b' ');
        match self.dialect {
            Dialect::Prometheus => push_millis(self.out, time),
            Dialect::OpenMetrics1 | Dialect::OpenMetrics2 => push_seconds(self.out, time),
        }
    }

    /// ` # {trace_id="1"} 0.5 1520879607.789`
    pub(super) fn push_exemplar(&mut self, exemplar: &ExemplarRef<'_>) {
        self.out.extend_from_slice(b" # ");
        let mut line = Line::nameless(self.out, self.escaping);
        line.labels(&exemplar.labels);
        push_number(line.end_braced(), exemplar.value, self.dialect.style());
        if let Some(time) = exemplar.timestamp {
            self.out.push(b' ');
            push_seconds(self.out, time);
        }
    }

    /// Whether the dialect can say an exemplar. One that it cannot is left out; the sample stays.
    pub(super) fn fits(&self, exemplar: &ExemplarRef<'_>) -> bool {
        exemplar_fits(self.dialect, self.escaping, exemplar)
    }

    /// A sample called by the family's name and a suffix, with one more label perhaps.
    fn sample(
        &mut self,
        suffix: &str,
        labels: &Labels<'_>,
        bound: Option<(&str, f64)>,
        value: Number,
        timestamp: Option<Timestamp>,
    ) {
        self.open_sample(suffix, labels, bound, value, timestamp);
        self.out.push(b'\n');
    }

    fn open_sample(
        &mut self,
        suffix: &str,
        labels: &Labels<'_>,
        bound: Option<(&str, f64)>,
        value: Number,
        timestamp: Option<Timestamp>,
    ) {
        let style = self.dialect.style();
        let mut line = Line::begin(self.out, self.escaping, &self.family.base, suffix);
        line.labels(labels);
        if let Some((name, bound)) = bound {
            line.plain_label(name, |out| push_float(out, bound, style));
        }
        push_number(line.end_labels(), value, style);
        self.push_time(timestamp);
    }

    /// A sample that Prometheus text has in a family of its own.
    fn tail(
        &mut self,
        tail: usize,
        labels: &Labels<'_>,
        timestamp: Option<Timestamp>,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(Tail { suffix, lines }) = self.tails.get_mut(tail) else { return };
        let aside = self.dialect == Dialect::Prometheus;
        let out = if aside { lines } else { &mut *self.out };
        let mut line = Line::begin(out, self.escaping, &self.family.base, suffix);
        line.labels(labels);
        let out = line.end_labels();
        value(out);
        if let Some(time) = timestamp {
            out.push(b' ');
            if aside { push_millis(out, time) } else { push_seconds(out, time) }
        }
        out.push(b'\n');
    }

    fn created_sample(&mut self, labels: &Labels<'_>, point: &Point<'_>) {
        let wanted = self.created && self.dialect != Dialect::OpenMetrics2;
        if let Some(start) = point.start.filter(|_| wanted) {
            self.tail(CREATED, labels, point.timestamp, |out| push_seconds(out, start));
        }
    }

    fn structured(&mut self, labels: &Labels<'_>, point: &Point<'_>) -> Result<(), Refusal> {
        match &point.value {
            Value::Number(number) => self.number(labels, *number, point),
            Value::StateSet(states) => self.stateset(labels, states, point.timestamp),
            Value::Info(facts) => self.info(labels, facts, point.timestamp),
            Value::Histogram(histogram) if self.dialect == Dialect::OpenMetrics2 => {
                self.composite_histogram(labels, histogram, point)
            }
            Value::Summary(summary) if self.dialect == Dialect::OpenMetrics2 => {
                self.composite_summary(labels, summary, point)
            }
            _ if self.family.metric_type == MetricType::Unknown => {
                let message = format!("an unknown is a number in this format, not a {}", point.value.kind());
                Err(Refusal::new("OM1-UNK-01", message))
            }
            Value::Histogram(histogram) => self.histogram(labels, histogram, point),
            Value::Summary(summary) => self.summary(labels, summary, point),
        }
    }

    fn stateset(
        &mut self,
        labels: &Labels<'_>,
        states: &[State<'_>],
        timestamp: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let label = self.escaping.label_name(self.family.label());
        if labels.iter().any(|(name, _)| self.escaping.label_name(name) == label) {
            return Err(Refusal::new(
                "OM1-SS-05",
                "a label has the family's name, which is that of the states",
            ));
        }
        if let Some(state) = repeated(states.iter().map(|state| state.name)) {
            return Err(Refusal::new("OM1-SS-03", format!("state {state:?} is given twice")));
        }
        if let (Dialect::OpenMetrics2, Some(time)) = (self.dialect, timestamp) {
            self.timed_states(labels, states, time);
            return Ok(());
        }
        self.flush_states();
        for state in states {
            push_state(self.out, self.escaping, &self.family, labels, *state);
            self.end_line(timestamp);
        }
        Ok(())
    }

    /// Puts the states of one time beside those of the times before: in OpenMetrics 2.0 each state is a metric, and its
    /// samples stand together (OM2-SS-02).
    fn timed_states(&mut self, labels: &Labels<'_>, states: &[State<'_>], time: Timestamp) {
        let labels_text = labels.to_string();
        if labels_text != self.states_of {
            self.flush_states();
            self.states_of = labels_text;
        }
        for (at, state) in states.iter().enumerate() {
            // The states of a metric are the same from point to point, and mostly in the same order.
            let at = match self.states.get(at) {
                Some((name, _)) if name == state.name => at,
                _ => self.states.iter().position(|(name, _)| name == state.name).unwrap_or_else(|| {
                    self.states.push((state.name.to_owned(), Vec::new()));
                    self.states.len() - 1
                }),
            };
            let Some((_, lines)) = self.states.get_mut(at) else { continue };
            push_state(lines, self.escaping, &self.family, labels, *state);
            lines.push(b' ');
            push_seconds(lines, time);
            lines.push(b'\n');
        }
    }

    /// Writes the states that were waiting for further points.
    fn flush_states(&mut self) {
        for (_, lines) in self.states.drain(..) {
            self.out.extend_from_slice(&lines);
        }
        self.states_of.clear();
    }

    /// Refuses a further point of the metric before: a series has one line here (P4-19). Further points have timestamps,
    /// as the emitter has seen to.
    fn check_series(&mut self, labels: &Labels<'_>, value: &Value<'_>) -> Result<(), Refusal> {
        let mut series = labels.to_set();
        if let (Ok(labels), Value::Info(facts)) = (&series, value) {
            series = facts.to_set().and_then(|facts| labels.union(&facts));
        }
        let series = series.ok(); // a name that repeats is told by those who write it
        if series.is_some() && series == self.last_timed {
            let message = format!("a second point of {labels}; this format has one line for a series");
            return Err(Refusal::new("P4-19", message));
        }
        self.last_timed = series;
        Ok(())
    }

    fn info(
        &mut self,
        labels: &Labels<'_>,
        facts: &Labels<'_>,
        timestamp: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        if let Some(name) = repeated(labels.iter().chain(facts.iter()).map(|(name, _)| name)) {
            return Err(Refusal::new("OM1-INF-04", format!("label {name:?} is given twice")));
        }
        self.dialect.check_labels(facts, self.escaping)?;
        if self.escapes(labels) || self.escapes(facts) {
            self.check_escaped(labels.iter().chain(facts.iter()).map(|(name, _)| name))?;
        }
        let mut line = Line::begin(self.out, self.escaping, &self.family.sample, "");
        line.labels(labels);
        line.labels(facts);
        line.end_labels().push(b'1');
        self.end_line(timestamp);
        Ok(())
    }

    fn histogram(
        &mut self,
        labels: &Labels<'_>,
        histogram: &HistogramValue<'_>,
        point: &Point<'_>,
    ) -> Result<(), Refusal> {
        let mut derived = std::mem::take(&mut self.derived);
        let written = Self::classic_buckets(histogram, &mut derived).and_then(|buckets| {
            let gauge = self.family.metric_type == MetricType::GaugeHistogram;
            let (count, sum) = classic::check(self.dialect, gauge, buckets, histogram)?;
            self.buckets(labels, buckets, count, point);
            let timestamp = point.timestamp;
            match (gauge, self.dialect) {
                (true, dialect) => {
                    // OpenMetrics has both or none (OM1-GHI-06).
                    if sum.is_some() || dialect == Dialect::Prometheus {
                        self.tail(GCOUNT, labels, timestamp, |out| push_number(out, count, dialect.style()));
                    }
                    if let Some(sum) = sum {
                        self.tail(GSUM, labels, timestamp, |out| push_number(out, sum, dialect.style()));
                    }
                }
                (false, Dialect::Prometheus) => {
                    if let Some(sum) = sum {
                        self.sample("_sum", labels, None, sum, timestamp);
                    }
                    self.sample("_count", labels, None, count, timestamp);
                }
                (false, _) => {
                    // Both or none (OM1-HIS-11).
                    if let Some(sum) = sum {
                        self.sample("_count", labels, None, count, timestamp);
                        self.sample("_sum", labels, None, sum, timestamp);
                    }
                }
            }
            if !gauge {
                self.created_sample(labels, point);
            }
            Ok(())
        });
        self.derived = derived;
        written
    }

    /// The classic buckets below `+Inf` to write: the histogram's own, or those made of its native ones.
    pub(super) fn classic_buckets<'b>(
        histogram: &HistogramValue<'b>,
        derived: &'b mut Vec<ClassicBucket>,
    ) -> Result<&'b [ClassicBucket], Refusal> {
        let buckets = match (histogram.classic, &histogram.native) {
            (Some(buckets), _) => buckets,
            (None, Some(native)) => {
                classic::from_native(native, derived)?;
                derived
            }
            (None, None) => &[],
        };
        // A bucket for +Inf is the count, whoever gives it.
        Ok(match buckets.split_last() {
            Some((last, below)) if last.upper_bound == f64::INFINITY => below,
            _ => buckets,
        })
    }

    fn buckets(&mut self, labels: &Labels<'_>, buckets: &[ClassicBucket], count: Number, point: &Point<'_>) {
        let mut placed = std::mem::take(&mut self.placed);
        place_exemplars(point.exemplars, buckets, |exemplar| self.fits(exemplar), &mut placed);
        let infinite = ClassicBucket { upper_bound: f64::INFINITY, count };
        let mut next = placed.iter().peekable();
        for (at, bucket) in buckets.iter().chain([&infinite]).enumerate() {
            let bound = Some(("le", bucket.upper_bound));
            self.open_sample("_bucket", labels, bound, bucket.count, point.timestamp);
            // The last one of a bucket stays (OM1-EX-06).
            let mut exemplar = None;
            while let Some(&(_, found)) = next.next_if(|(bucket, _)| *bucket == at) {
                exemplar = point.exemplars.get(found);
            }
            if let Some(exemplar) = exemplar {
                self.push_exemplar(exemplar);
            }
            self.out.push(b'\n');
        }
        self.placed = placed;
    }

    fn summary(
        &mut self,
        labels: &Labels<'_>,
        summary: &SummaryValue<'_>,
        point: &Point<'_>,
    ) -> Result<(), Refusal> {
        check_summary(self.dialect, summary)?;
        for quantile in summary.quantiles {
            self.sample("", labels, Some(("quantile", quantile.quantile)), quantile.value, point.timestamp);
        }
        if let Some(sum) = summary.sum {
            self.sample("_sum", labels, None, sum, point.timestamp);
        }
        if let Some(count) = summary.count {
            let integer = count.as_u64().filter(|_| self.dialect == Dialect::OpenMetrics1);
            self.sample("_count", labels, None, integer.map_or(count, Number::Unsigned), point.timestamp);
        }
        self.created_sample(labels, point);
        Ok(())
    }
}

impl Sink for Encoder<'_> {
    fn rows(&mut self, rows: &mut Rows<'_>) -> usize {
        let Some(first) = rows.list().first() else { return 0 };
        // All rows have the same names, so the first one stands for them.
        if !self.samples.plain || self.created || !self.knows_names_of(&rows.labels(first)) {
            return 0;
        }
        let Self { out, family, dialect, .. } = self;
        let begin = out.len();
        let around = family.head_len + NUMBER + if *dialect == Dialect::OpenMetrics2 { STAMP } else { 0 };
        out.resize(begin + rows.text().len() + rows.list().len() * around + BLOCK, 0);
        let mut pen = Pen::new(out.get_mut(begin..).unwrap_or_default());
        let taken = push_rows(&mut pen, family, *dialect, rows);
        let (written, is_full) = (pen.written(), pen.is_full());
        if is_full {
            out.truncate(begin); // not reached: there is room for all
            return 0;
        }
        out.truncate(begin + written);
        taken
    }

    fn family(&mut self, descriptor: &Descriptor) -> Result<(), Refusal> {
        self.flush_states();
        self.flush_tails();
        self.begin_family(descriptor)
    }

    #[inline]
    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) -> Result<(), Refusal> {
        if let Value::Number(number) = point.value {
            let bare = point.timestamp.is_none()
                && point.exemplars.is_empty()
                && (point.start.is_none() || !self.writes_starts);
            if bare && self.samples.plain && labels.is_rendered() && self.knows_names_of(labels) {
                return self.rendered_number(labels, number);
            }
        }
        self.dialect.check_labels(labels, self.escaping)?;
        // Rendered labels come from one table, so those of the next point have the same names.
        self.samples.names_checked |= labels.is_rendered();
        if self.escapes(labels) {
            self.check_escaped(labels.iter().map(|(name, _)| name))?;
        }
        if self.dialect == Dialect::Prometheus && point.timestamp.is_some() {
            self.check_series(labels, &point.value)?;
        }
        if !self.states.is_empty() && !matches!(point.value, Value::StateSet(_)) {
            self.flush_states();
        }
        if let Value::Number(number) = point.value {
            return self.number(labels, number, point); // checked before anything is written
        }
        let before = self.out.len();
        let tails = self.tails.each_ref().map(|tail| tail.lines.len());
        self.structured(labels, point).inspect_err(|_| {
            self.out.truncate(before);
            for (tail, length) in self.tails.iter_mut().zip(tails) {
                tail.lines.truncate(length);
            }
        })
    }
}

/// Lines of rendered labels and a number; says how many.
fn push_rows(pen: &mut Pen<'_>, family: &Family, dialect: Dialect, rows: &Rows<'_>) -> usize {
    let counts = family.metric_type == MetricType::Counter;
    let starts = counts && dialect == Dialect::OpenMetrics2;
    let style = dialect.style();
    let text = rows.text().as_bytes();
    let mut taken = 0;
    for row in rows.list() {
        let place = row.text();
        let is_whole = matches!(row.value, Number::Unsigned(_));
        if place.is_empty() || counts && !is_whole && check_counter(row.value, dialect).is_err() {
            break;
        }
        match family.head.first_chunk::<BLOCK>() {
            Some(head) if family.head_len <= BLOCK => pen.put_start(head, family.head_len),
            _ => pen.put(family.head.get(..family.head_len).unwrap_or_default()),
        }
        pen.put(text.get(place).unwrap_or_default());
        pen.put_start(b"} ", 2);
        push_number(pen, row.value, style);
        if let Some((seconds, nanos)) = row.start().filter(|_| starts) {
            pen.put(b" st@");
            push_time(pen, seconds, nanos);
        }
        pen.put_byte(b'\n');
        taken += 1;
    }
    taken
}

/// One state's sample, up to its value.
fn push_state(out: &mut Vec<u8>, escaping: Escaping, family: &Family, labels: &Labels<'_>, state: State<'_>) {
    let mut line = Line::begin(out, escaping, &family.sample, "");
    line.labels(labels);
    line.label(family.label(), state.name);
    line.end_labels().push(if state.enabled { b'1' } else { b'0' });
}

/// Samples that wait for the end of their family take more bytes than this only if it is large; that room is given back.
const TAIL_KEPT: usize = 1 << 20;

/// So many families of a page are kept for the next one: a few MiB at most, with texts of usual length.
const FAMILIES_KEPT: usize = 10_000;

/// The head of a line is copied as a block of this many bytes if it is not longer.
const BLOCK: usize = 32;

/// The longest number, with what stands around it: `} -1.7976931348623157e+308` and the line's end.
const NUMBER: usize = 32;

/// The longest ` st@`: ten digits of seconds at the time of writing, twenty at most, and nine decimals.
const STAMP: usize = 36;

fn has_foreign_names(labels: &Labels<'_>) -> bool {
    labels.parts().any(|part| match part {
        Part::Rendered(_) => false,
        Part::Pairs(pairs) => pairs.iter().any(|(name, _)| !is_classic_label_name(name)),
        Part::Set(set) => set.iter().any(|label| !label.name.is_classic()),
    })
}

/// The label names in lines that this encoder wrote with classic names only.
fn label_names(lines: &[u8]) -> impl Iterator<Item = &str> {
    let lines = std::str::from_utf8(lines).unwrap_or_default();
    let labelled =
        lines.lines().filter_map(|line| line.split_once('{').filter(|(name, _)| !name.contains(' ')));
    labelled.flat_map(|(_, labels)| {
        // What follows the labels has no name in front of its first quote.
        let labels = Labels::rendered(labels, &[]);
        labels.iter().map(|(name, _)| name).take_while(|name| is_classic_label_name(name))
    })
}
