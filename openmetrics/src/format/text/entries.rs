//! Expositions line by line: borrowed, lossless, every part with its place.
//!
//! [`Entries`] reads any text format and gives one [`Entry`] a line: metadata, a sample, a comment, the end. Nothing is
//! copied: names, label values and help texts stay as they are written, escapes included, until somebody asks for
//! [`Written::unescape`]. The labels of a sample live in a buffer that the next line reuses. A line that is not in the
//! format's grammar gives a [`Fault`] that says where and what was expected, and reading goes on after it.
//!
//! What belongs together, and whether it makes sense, is the business of [`assemble`](super::assemble).
//!
//! ```
//! use openmetrics::format::entries::{Dialect, Entries, Entry};
//!
//! let text = b"# TYPE up gauge\nup{job=\"a b\"} 1\nup{job=c} 1\n# EOF\n";
//! let mut entries = Entries::new(text, Dialect::OpenMetrics1);
//! let mut seen = Vec::new();
//! while let Some(entry) = entries.next_entry() {
//!     seen.push(match entry {
//!         Ok(Entry::Sample(sample)) => format!("{} = {:?}", sample.series(), sample.number()),
//!         Ok(Entry::Metadata(line)) => format!("{:?} of {}", line.kind, line.name.raw()),
//!         Ok(other) => format!("{other:?}"),
//!         Err(fault) => format!("line {}: {fault}", fault.position().line),
//!     });
//! }
//! assert_eq!(
//!     seen,
//!     [
//!         "Type(Gauge) of up",
//!         "up{job=\"a b\"} = Some(Unsigned(1))",
//!         "line 3: expected a label value in double quotes, found 'c' [OM1-SYN-04]",
//!         "Eof",
//!     ]
//! );
//! ```

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memrchr};

pub use super::Dialect;
use super::blocks::{Any, Machine, Wide};
use super::fast;
use super::grammar::{self, Line};
use crate::error::Position;
use crate::model::{MetricType, Number, Timestamp};

/// A run of bytes in the input: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ByteSpan {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl ByteSpan {
    /// The bytes from `start` to before `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// How many bytes there are.
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// One line of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSpan {
    /// Its number, from 1.
    pub number: u64,
    /// Its bytes, without the line feed.
    pub span: ByteSpan,
}

impl LineSpan {
    /// Line, column and offset of a byte of this line.
    pub fn position(self, offset: usize) -> Position {
        let column = offset.saturating_sub(self.span.start) as u64 + 1;
        Position::new(self.number, column, offset as u64)
    }
}

/// What a line says.
#[derive(Debug)]
#[non_exhaustive]
pub enum Entry<'a, 'e> {
    /// A `TYPE`, `HELP` or `UNIT` line.
    Metadata(Metadata<'a>),
    /// A line with a value.
    Sample(&'e Sample<'a>),
    /// A comment, which only the Prometheus formats have: its text, number sign included.
    Comment(&'a str),
    /// An empty line, which only the Prometheus formats have.
    Blank,
    /// `# EOF`.
    Eof,
}

/// A `TYPE`, `HELP` or `UNIT` line.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metadata<'a> {
    /// Which of the three, and the type if it is that.
    pub kind: MetadataKind,
    /// The family's name.
    pub name: Written<'a>,
    /// What is said: the word of the type, the unit, or the help text with its escapes.
    pub text: Written<'a>,
}

/// Which metadata a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataKind {
    /// The family's type.
    Type(MetricType),
    /// The family's help text.
    Help,
    /// The family's unit.
    Unit,
}

impl MetadataKind {
    /// The keyword of such lines.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Type(_) => "TYPE",
            Self::Help => "HELP",
            Self::Unit => "UNIT",
        }
    }
}

/// A name or text as the input has it, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<'a> {
    raw: &'a str,
    start: usize,
    quoted: bool,
    escaped: bool,
}

impl<'a> Written<'a> {
    pub(super) const fn new(raw: &'a str, part: Part) -> Self {
        Self { raw, start: part.start, quoted: part.quoted, escaped: part.escaped }
    }

    /// The text as it stands there, without quotes around it, escapes and all.
    #[inline]
    pub const fn raw(self) -> &'a str {
        self.raw
    }

    /// Where [`raw`](Written::raw) is.
    #[inline]
    pub const fn span(self) -> ByteSpan {
        ByteSpan::new(self.start, self.start + self.raw.len())
    }

    /// Whether quotes stand around it. Label values always have them.
    #[inline]
    pub const fn is_quoted(self) -> bool {
        self.quoted
    }

    /// Whether a backslash is in it, so that what it means is another text.
    #[inline]
    pub const fn is_escaped(self) -> bool {
        self.escaped
    }

    /// What it means. A backslash before other than `n`, a quote or a backslash means itself (OM1-SYN-06).
    #[inline]
    pub fn unescape(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some('n') => out.push('\n'),
            Some(c @ ('"' | '\\')) => out.push(c),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

/// Where a [`Written`] is in the whole input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
    pub(super) escaped: bool,
}

/// Name and value of a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LabelParts {
    pub(super) name: Part,
    pub(super) value: Part,
}

impl Part {
    #[inline]
    fn shifted(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by, ..self }
    }
}

impl LabelParts {
    /// The same so many bytes later.
    #[inline]
    pub(super) fn shifted(self, by: usize) -> Self {
        Self { name: self.name.shifted(by), value: self.value.shifted(by) }
    }
}

/// A label as the input has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawLabel<'a> {
    /// Its name.
    pub name: Written<'a>,
    /// Its value.
    pub value: Written<'a>,
}

/// A number of the input, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Located<T> {
    /// What it says.
    pub value: T,
    /// Where it says so.
    pub span: ByteSpan,
}

/// A line with a value. Its parts are those of [`Entries`], overwritten by the next line.
#[derive(Debug, Default)]
pub struct Sample<'a> {
    /// The stretch of valid text around the line, and where it begins in the input.
    pub(super) text: &'a str,
    pub(super) base: usize,
    pub(super) series: ByteSpan,
    pub(super) name: Part,
    pub(super) labels: Vec<LabelParts>,
    /// The value; zero where it is composite.
    pub(super) value: Located<Number>,
    pub(super) is_composite: bool,
    pub(super) composite: Composite,
    pub(super) timestamp: Option<Located<Timestamp>>,
    pub(super) start: Option<Located<Timestamp>>,
    pub(super) exemplars: Vec<ExemplarParts>,
    pub(super) exemplar_labels: Vec<LabelParts>,
    /// What is wrong with its exemplars, in formats where that spoils nothing else (OM2-DOC-03).
    pub(super) exemplar_fault: Option<Fault>,
    /// How it compares with the sample before it.
    pub(super) likeness: Likeness,
}

/// What the fast path sees of a sample beside the one before, and nobody then has to compare again. Nothing of it has to
/// be said: the reference grammar leaves all at its default.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each stands for itself; there is no state machine in them
pub(super) struct Likeness {
    /// The line has no blanks, quotes and commas to spare, so what has the same text has the same parts.
    pub(super) canonical: bool,
    /// How many bytes at the beginning are the same, at least up to the end of its series or of the other one.
    pub(super) common: usize,
    /// The name is the same.
    pub(super) name: bool,
    /// The labels have the same names in the same order.
    pub(super) labels: bool,
    /// Some value of its labels has an escape. (Where nothing is known, all may have.)
    pub(super) escaped: bool,
    /// Nothing stands behind its value, which is a number.
    pub(super) bare: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ExemplarParts {
    pub(super) span: ByteSpan,
    /// One past its labels in the buffer; they begin where those of the one before end.
    pub(super) labels_end: usize,
    pub(super) value: Located<Number>,
    pub(super) timestamp: Option<Located<Timestamp>>,
}

impl<'a> Sample<'a> {
    /// The text of a part of this line.
    #[inline]
    pub fn text(&self, span: ByteSpan) -> &'a str {
        self.text
            .get(span.start.wrapping_sub(self.base)..span.end.wrapping_sub(self.base))
            .unwrap_or_default()
    }

    /// The bytes of a part of this line.
    #[inline]
    pub(super) fn bytes_of(&self, part: Part) -> &'a [u8] {
        let text = self.text.as_bytes();
        text.get(part.start.wrapping_sub(self.base)..part.end.wrapping_sub(self.base)).unwrap_or_default()
    }

    #[inline]
    fn written(&self, part: Part) -> Written<'a> {
        Written::new(self.text(ByteSpan::new(part.start, part.end)), part)
    }

    /// The name; it has quotes around it where it stands among the labels.
    #[inline]
    pub fn name(&self) -> Written<'a> {
        self.written(self.name)
    }

    /// Name and labels as the input has them: equal text is the same series. (Another order of labels or other
    /// escapes is the same series too, but other text.)
    #[inline]
    pub fn series(&self) -> &'a str {
        self.text(self.series)
    }

    /// Where [`series`](Sample::series) is.
    #[inline]
    pub fn series_span(&self) -> ByteSpan {
        self.series
    }

    /// The labels in their order.
    #[inline]
    pub fn labels(&self) -> impl ExactSizeIterator<Item = RawLabel<'a>> + Clone {
        self.labels.iter().map(|label| self.label_of(*label))
    }

    /// How many labels there are.
    #[inline]
    pub fn label_count(&self) -> usize {
        self.labels.len()
    }

    /// The label at a place.
    #[inline]
    pub fn label(&self, at: usize) -> Option<RawLabel<'a>> {
        self.labels.get(at).map(|label| self.label_of(*label))
    }

    #[inline]
    fn label_of(&self, label: LabelParts) -> RawLabel<'a> {
        RawLabel { name: self.written(label.name), value: self.written(label.value) }
    }

    /// The value, if it is a number.
    #[inline]
    pub fn number(&self) -> Option<Number> {
        (!self.is_composite).then_some(self.value.value)
    }

    /// The value, if it is composite (OpenMetrics 2.0).
    #[inline]
    pub fn composite(&self) -> Option<&Composite> {
        self.is_composite.then_some(&self.composite)
    }

    /// Where the value is.
    #[inline]
    pub fn value_span(&self) -> ByteSpan {
        self.value.span
    }

    /// The timestamp.
    #[inline]
    pub fn timestamp(&self) -> Option<Located<Timestamp>> {
        self.timestamp
    }

    /// The start timestamp, `st@` (OpenMetrics 2.0).
    #[inline]
    pub fn start(&self) -> Option<Located<Timestamp>> {
        self.start
    }

    /// The exemplars: at most one in OpenMetrics 1.0, none in the Prometheus formats.
    pub fn exemplars(&self) -> impl ExactSizeIterator<Item = RawExemplar<'a, '_>> {
        let mut first = 0;
        self.exemplars.iter().map(move |parts| {
            let labels = self.exemplar_labels.get(first..parts.labels_end).unwrap_or_default();
            first = parts.labels_end;
            RawExemplar { sample: self, parts: *parts, labels }
        })
    }

    /// What is wrong with the exemplars, where the format says that this spoils nothing else (OM2-DOC-03). They are
    /// left out then.
    pub fn exemplar_fault(&self) -> Option<&Fault> {
        self.exemplar_fault.as_ref()
    }
}

/// An exemplar as the input has it.
#[derive(Clone, Copy, Debug)]
pub struct RawExemplar<'a, 's> {
    sample: &'s Sample<'a>,
    parts: ExemplarParts,
    labels: &'s [LabelParts],
}

impl<'a, 's> RawExemplar<'a, 's> {
    /// The labels in their order.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = RawLabel<'a>> + Clone + use<'a, 's> {
        let sample = self.sample;
        self.labels.iter().map(move |label| sample.label_of(*label))
    }

    /// The value.
    pub fn value(&self) -> Located<Number> {
        self.parts.value
    }

    /// The timestamp; OpenMetrics 2.0 wants one.
    pub fn timestamp(&self) -> Option<Located<Timestamp>> {
        self.parts.timestamp
    }

    /// From the number sign to the end.
    pub fn span(&self) -> ByteSpan {
        self.parts.span
    }
}

/// A composite value of OpenMetrics 2.0 as the input has it
/// ([composite values](https://prometheus.io/docs/specs/om/open_metrics_spec_2_0/#compositevalues)).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Composite {
    /// What it is.
    pub kind: CompositeKind,
    /// `count` or `gcount`.
    pub count: Located<Number>,
    /// `sum` or `gsum`.
    pub sum: Located<Number>,
    /// `schema`, `zero_threshold` and what follows, in histograms with native buckets.
    pub native: Option<RawNative>,
    /// `bucket`: upper bounds and counts up to `+Inf`; `None` if there is no such field.
    pub buckets: Option<Vec<(Located<f64>, Located<Number>)>>,
    /// `quantile`: quantiles and values, of a summary.
    pub quantiles: Vec<(Located<f64>, Located<Number>)>,
}

/// What a [`Composite`] value is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompositeKind {
    /// A histogram.
    #[default]
    Histogram,
    /// A gauge histogram.
    GaugeHistogram,
    /// A summary.
    Summary,
}

/// The native buckets of a [`Composite`] value.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RawNative {
    /// `schema`.
    pub schema: Located<i64>,
    /// `zero_threshold`.
    pub zero_threshold: Located<f64>,
    /// `zero_count`.
    pub zero_count: Located<Number>,
    /// `negative_spans` and `negative_buckets`.
    pub negative: Option<RawSide>,
    /// `positive_spans` and `positive_buckets`.
    pub positive: Option<RawSide>,
}

/// One side of [`RawNative`] buckets.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RawSide {
    /// Offsets and lengths.
    pub spans: Vec<(Located<i64>, Located<i64>)>,
    /// Counts.
    pub buckets: Vec<Located<Number>>,
    /// Both fields.
    pub span: ByteSpan,
}

/// Why a line is not in the grammar, or the input not an exposition: the rule, the place, what was expected there and
/// what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    rule: &'static str,
    expected: &'static str,
    found: Found,
    position: Position,
}

/// What stands where something else was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Char(char),
    Byte(u8),
    EndOfLine,
    EndOfInput,
}

impl Fault {
    pub(super) const fn new(
        rule: &'static str,
        expected: &'static str,
        found: Found,
        position: Position,
    ) -> Self {
        Self { rule, expected, found, position }
    }

    pub(super) const fn moved(mut self, position: Position) -> Self {
        self.position = position;
        self
    }

    /// The same fault by another rule.
    pub(super) const fn of_rule(mut self, rule: &'static str) -> Self {
        self.rule = rule;
        self
    }

    /// The id of the rule that is broken.
    pub const fn rule(&self) -> &'static str {
        self.rule
    }

    /// Where.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// How many bytes what was found has; none at the end of a line.
    pub const fn len(&self) -> usize {
        match self.found {
            Found::Char(c) => c.len_utf8(),
            Found::Byte(_) => 1,
            Found::EndOfLine | Found::EndOfInput => 0,
        }
    }

    /// Whether the line ends where something was expected.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was expected and what was found, without the rule.
    pub fn message(&self) -> String {
        let expected = self.expected;
        match self.found {
            Found::Char(c) => format!("expected {expected}, found {c:?}"),
            Found::Byte(byte) => format!("expected {expected}, found byte 0x{byte:02x}"),
            Found::EndOfLine => format!("expected {expected}, found the end of the line"),
            Found::EndOfInput => format!("expected {expected}, found the end of the input"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message(), self.rule)
    }
}

impl std::error::Error for Fault {}

/// Reads an exposition line by line.
///
/// Memory stays that of one line's parts. Time is linear in the input.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // each stands for itself; there is no state machine in them
pub struct Entries<'a> {
    input: &'a [u8],
    dialect: Dialect,
    /// The stretch of valid UTF-8 being read, which begins at `base` and ends after a line feed or with the input.
    text: &'a str,
    base: usize,
    /// The next line, in `text`.
    at: usize,
    /// Whether the last sample was read by the fast path, from this text.
    known: bool,
    /// Whether the machine can do more than others.
    wide: Option<Wide>,
    line: LineSpan,
    end: End,
    /// The last sample and the one before it; which is which says `second`.
    samples: [Sample<'a>; 2],
    /// Whether the last sample is the second of the two.
    second: bool,
    reference: bool,
    quoted_names: bool,
}

/// How far the end of the input has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Lines follow, as far as is known.
    Ahead,
    /// The last line has no line feed.
    NoLineFeed,
    /// `# EOF` was read.
    Marked,
    /// Nothing more to tell.
    Told,
}

impl<'a> Entries<'a> {
    /// A reader of this input.
    pub fn new(input: &'a [u8], dialect: Dialect) -> Self {
        Self {
            input,
            dialect,
            text: "",
            base: 0,
            at: 0,
            known: false,
            wide: Wide::detect(),
            line: LineSpan { number: 0, span: ByteSpan::default() },
            end: End::Ahead,
            samples: Default::default(),
            second: false,
            reference: false,
            quoted_names: dialect != Dialect::OpenMetrics1,
        }
    }

    /// A reader that asks the reference grammar about every line, which is slow and for those who test: it has to
    /// give the same as [`Entries::new`] on every input.
    pub fn reference(input: &'a [u8], dialect: Dialect) -> Self {
        Self { reference: true, ..Self::new(input, dialect) }
    }

    /// A reader that has no more from the machine than any other would give, for those who test or measure that: it has
    /// to give the same as [`Entries::new`] on every input.
    pub fn portable(input: &'a [u8], dialect: Dialect) -> Self {
        Self { wide: None, ..Self::new(input, dialect) }
    }

    /// Takes names in quotes also where the grammar of the dialect has none: OpenMetrics 1.0 that was asked for with
    /// `escaping=allow-utf-8`, as Prometheus does it.
    #[must_use]
    pub fn with_quoted_names(mut self) -> Self {
        self.quoted_names = true;
        self
    }

    /// The dialect it reads.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The line of the last entry or fault.
    pub fn line(&self) -> LineSpan {
        self.line
    }

    /// The next line, or what is wrong with it; `None` at the end. After a fault reading goes on with the line after it.
    ///
    /// It lends the sample out of its buffers, which no `Iterator` can.
    #[inline]
    pub fn next_entry(&mut self) -> Option<Result<Entry<'a, '_>, Fault>> {
        if self.plain_sample() {
            return Some(Ok(Entry::Sample(self.sample())));
        }
        match self.step()? {
            Ok(line) => Some(Ok(self.entry(line))),
            Err(fault) => Some(Err(fault)),
        }
    }

    /// The line just read, for lending out.
    #[inline]
    pub(super) fn entry(&self, line: Line<'a>) -> Entry<'a, '_> {
        match line {
            Line::Sample => Entry::Sample(self.sample()),
            Line::Metadata(metadata) => Entry::Metadata(metadata),
            Line::Comment(text) => Entry::Comment(text),
            Line::Blank => Entry::Blank,
            Line::Eof => Entry::Eof,
        }
    }

    /// The sample just read.
    #[inline]
    pub(super) fn sample(&self) -> &Sample<'a> {
        let [first, second] = &self.samples;
        if self.second { second } else { first }
    }

    /// The sample before that.
    #[inline]
    pub(super) fn before(&self) -> &Sample<'a> {
        let [first, second] = &self.samples;
        if self.second { first } else { second }
    }

    /// Reads the next line into the buffers if it is a sample as programs write them; `false`, and nothing read, for
    /// others. ([`step`](Entries::step) does it too. But here is nothing large to be handed on through memory, which
    /// takes as long as reading a short line.)
    #[inline]
    pub(super) fn plain_sample(&mut self) -> bool {
        if self.end != End::Ahead || self.reference {
            return false;
        }
        let Self { dialect, text, base, at, known, wide, samples: [first, second], .. } = self;
        if matches!(text.as_bytes().get(*at), None | Some(b'#')) {
            return false;
        }
        // What is read next takes the place of the sample before the last one.
        let (before, out) = if self.second { (&*second, first) } else { (&*first, second) };
        let (dialect, text, base, at) = (*dialect, *text, *base, *at);
        let known = std::mem::take(known);
        let end = match *wide {
            Some(machine) => machine.run(fast::Line { machine, dialect, text, base, at, known, before, out }),
            None => Any.run(fast::Line { machine: Any, dialect, text, base, at, known, before, out }),
        };
        let Some(end) = end else { return false };
        self.known = true;
        self.second = !self.second;
        self.pass(end);
        true
    }

    /// Goes on behind a line that ends there in the text.
    #[inline]
    fn pass(&mut self, end: usize) {
        let start = self.base + self.at;
        self.at = end + 1;
        self.line = LineSpan { number: self.line.number + 1, span: ByteSpan::new(start, self.base + end) };
    }

    /// Reads the next line into the buffers.
    pub(super) fn step(&mut self) -> Option<Result<Line<'a>, Fault>> {
        if self.plain_sample() {
            return Some(Ok(Line::Sample));
        }
        if self.end != End::Ahead {
            return self.tell_end().map(Err);
        }
        if self.at >= self.text.len() {
            match self.refill() {
                Refill::Text => {}
                Refill::End => return self.tell_end().map(Err),
                Refill::Fault(fault) => return Some(Err(fault)),
            }
            if self.plain_sample() {
                return Some(Ok(Line::Sample));
            }
        }
        if !self.reference {
            if self.dialect == Dialect::Prometheus && self.text.as_bytes().get(self.at) == Some(&b'\n') {
                self.known = false;
                self.pass(self.at);
                return Some(Ok(Line::Blank));
            }
            if let Some((metadata, end)) = fast::metadata(self.dialect, self.text, self.base, self.at) {
                self.pass(end);
                return Some(Ok(Line::Metadata(metadata)));
            }
        }
        Some(self.slow_step())
    }

    /// Reads the next line by the reference grammar.
    fn slow_step(&mut self) -> Result<Line<'a>, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (line, next) = if let Some(length) = memchr(b'\n', rest.as_bytes()) {
            (rest.get(..length).unwrap_or_default(), self.at + length + 1)
        } else {
            self.end = End::NoLineFeed;
            (rest, self.text.len())
        };
        let start = self.base + self.at;
        self.at = next;
        self.line = LineSpan { number: self.line.number + 1, span: ByteSpan::new(start, start + line.len()) };
        let [first, second] = &mut self.samples;
        let next = if self.second { first } else { second };
        next.text = self.text;
        next.base = self.base;
        next.likeness = Likeness { escaped: true, ..Likeness::default() };
        self.known = false;
        let parsed = grammar::line(self.dialect, self.quoted_names, line, self.line, next);
        if matches!(parsed, Ok(Line::Sample)) {
            self.second = !self.second;
        }
        if matches!(parsed, Ok(Line::Eof)) {
            self.end = End::Marked;
        }
        parsed
    }

    /// Finds the next stretch of valid text. A line with other bytes is a fault of its own.
    #[cold]
    fn refill(&mut self) -> Refill {
        let start = self.base + self.text.len();
        let rest = self.input.get(start..).unwrap_or_default();
        if rest.is_empty() {
            self.end = if self.dialect == Dialect::Prometheus { End::Told } else { End::NoLineFeed };
            return Refill::End;
        }
        let bad = match std::str::from_utf8(rest) {
            Ok(text) => {
                self.read_on(text, start);
                return Refill::Text;
            }
            Err(error) => error.valid_up_to(),
        };
        let valid = rest.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let lines = memrchr(b'\n', valid.as_bytes()).map_or(0, |at| at + 1);
        if lines > 0 {
            self.read_on(valid.get(..lines).unwrap_or_default(), start);
            return Refill::Text;
        }
        let length = bad + memchr(b'\n', rest.get(bad..).unwrap_or_default()).unwrap_or(rest.len() - bad);
        // An empty text at the next line: the next call looks on from there.
        self.read_on("", start + (length + 1).min(rest.len()));
        self.line = LineSpan { number: self.line.number + 1, span: ByteSpan::new(start, start + length) };
        let rule = if self.dialect == Dialect::Prometheus { "P4-01" } else { "OM1-DOC-01" };
        let found = rest.get(bad).map_or(Found::EndOfInput, |byte| Found::Byte(*byte));
        Refill::Fault(Fault::new(rule, "valid UTF-8", found, self.line.position(start + bad)))
    }

    fn read_on(&mut self, text: &'a str, base: usize) {
        (self.text, self.base, self.at) = (text, base, 0);
        self.known = false;
    }

    /// What there is to say at the end.
    #[cold]
    fn tell_end(&mut self) -> Option<Fault> {
        let end = self.input.len();
        match self.end {
            End::NoLineFeed => {
                self.end = End::Told;
                let (rule, expected) = match self.dialect {
                    Dialect::Prometheus => ("P4-02", "a line feed after the last line"),
                    _ => ("OM1-DOC-05", "`# EOF` as the last line"),
                };
                let position = match self.input.last() {
                    Some(b'\n') | None => Position::new(self.line.number + 1, 1, end as u64),
                    Some(_) => self.line.position(end),
                };
                Some(Fault::new(rule, expected, Found::EndOfInput, position))
            }
            End::Marked => {
                self.end = End::Told;
                let at = self.base + self.at;
                let after = *self.input.get(at)?;
                self.line = LineSpan {
                    number: self.line.number + 1,
                    span: ByteSpan::new(at, at + memchr(b'\n', self.input.get(at..)?).unwrap_or(end - at)),
                };
                let found = match after {
                    b'\n' => Found::EndOfLine,
                    ascii @ 0..=0x7f => Found::Char(char::from(ascii)),
                    other => Found::Byte(other),
                };
                Some(Fault::new("OM1-DOC-07", "nothing after `# EOF`", found, self.line.position(at)))
            }
            End::Ahead | End::Told => None,
        }
    }
}

enum Refill {
    Text,
    End,
    Fault(Fault),
}
