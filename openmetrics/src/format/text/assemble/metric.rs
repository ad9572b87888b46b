//! One metric: what its samples said so far, and the rules between them.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::super::Dialect;
use super::super::entries::{ByteSpan, LineSpan, Located, Sample, Written};
use super::super::numeral;
use super::findings::{Findings, Place};
use super::names::Role;
use crate::model::{MetricType, Number, Timestamp};

/// What the rules look at in a sample.
pub(super) struct Context<'c, 'a> {
    pub(super) findings: &'c mut Findings,
    pub(super) dialect: Dialect,
    pub(super) duplicate: &'static str,
    pub(super) metric_type: MetricType,
    pub(super) sample: &'c Sample<'a>,
    pub(super) line: LineSpan,
    /// The label that is not the metric's: `le`, `quantile`, the state.
    pub(super) special: Option<usize>,
    /// Where the metric begins.
    pub(super) first: Place,
}

impl<'a> Context<'_, 'a> {
    fn value(&self) -> Place {
        Place::new(self.line, self.sample.value_span())
    }

    fn series(&self) -> Place {
        Place::new(self.line, self.sample.series_span())
    }

    fn special(&self) -> Option<Written<'a>> {
        self.sample.label(self.special?).map(|label| label.value)
    }

    fn is_prometheus(&self) -> bool {
        self.dialect == Dialect::Prometheus
    }
}

/// The samples of the point being read, as far as rules speak of them.
#[derive(Default)]
pub(super) struct Point<'a> {
    /// Whether there has been a sample.
    pub(super) begun: bool,
    pub(super) time: Option<Timestamp>,
    first_time: Option<Timestamp>,
    bits: u16,
    /// The last upper bound or quantile, and the count there.
    bound: f64,
    below: f64,
    infinity: Option<f64>,
    count: Option<f64>,
    sum: Option<(f64, Place)>,
    states: Members<'a>,
    state: Option<Written<'a>>,
    /// The quantiles so far, and how many of them are in the table.
    quantiles: Vec<u64>,
    quantiles_tabled: usize,
    quantile_table: HashTable<u64>,
    /// Whether a summary had a sample without suffix and quantile.
    bare: bool,
    /// The upper bounds of the last histogram as they were written, and what they are: those of the next one are mostly
    /// the same.
    bounds: Vec<(&'a str, f64)>,
    /// Which of them comes next.
    next_bound: usize,
}

/// As many bounds are kept; further ones are read each time.
const BOUNDS_KEPT: usize = 1000;

const BUCKET: u16 = 1 << 8;
const NEGATIVE_BOUND: u16 = 1 << 9;
const INFINITY: u16 = 1 << 10;

fn bit(role: Role) -> u16 {
    match role {
        Role::Value => 1,
        Role::Total => 1 << 1,
        Role::Created => 1 << 2,
        Role::Info => 1 << 3,
        Role::Count => 1 << 4,
        Role::Sum => 1 << 5,
        Role::Bucket => BUCKET,
        Role::State => 1 << 6,
        Role::Quantile => 1 << 7,
    }
}

impl<'a> Point<'a> {
    /// Forgets all: another metric begins.
    pub(super) fn clear(&mut self) {
        self.begun = false;
        self.time = None;
        self.first_time = None;
        self.next();
    }

    /// Another point of the metric begins.
    fn next(&mut self) {
        self.bits = 0;
        self.next_bound = 0;
        self.bound = f64::NEG_INFINITY;
        self.below = f64::NEG_INFINITY;
        (self.infinity, self.count, self.sum, self.state) = (None, None, None, None);
        self.states.clear();
        self.quantiles.clear();
        self.quantiles_tabled = 0;
        clear(&mut self.quantile_table);
        self.bare = false;
    }

    pub(super) fn next_time(&mut self, time: Option<Timestamp>) {
        if self.first_time.is_none() {
            self.first_time = self.time;
        }
        self.next();
        self.time = time;
    }

    /// A metric of one sample that breaks no rule; all else was cleared before.
    #[inline]
    pub(super) fn is_one(&mut self, role: Role) {
        self.begun = true;
        self.bits = bit(role);
    }

    /// A bucket that comes after the one before it, breaks no rule, and whose bound was read before; `None`, and nothing
    /// done, for others. [`bucket`](Point::bucket) does the same.
    #[inline]
    pub(super) fn next_bucket(
        &mut self,
        sample: &Sample<'a>,
        special: Option<usize>,
        number: Number,
    ) -> Option<f64> {
        let &(text, bound) = self.bounds.get(self.next_bound)?;
        let label = sample.label(special?)?;
        let Number::Unsigned(count) = number else { return None };
        let count = count as f64;
        let rises = self.bits & INFINITY == 0 && bound > self.bound && count >= self.below;
        if label.value.raw() != text || label.value.is_escaped() || !rises {
            return None;
        }
        self.next_bound += 1;
        self.bits |= BUCKET;
        if bound < 0.0 {
            self.bits |= NEGATIVE_BOUND;
        }
        (self.bound, self.below) = (bound, count);
        if bound == f64::INFINITY {
            self.bits |= INFINITY;
            self.infinity = Some(count);
        }
        Some(bound)
    }

    /// Keeps a bound that breaks no rule.
    fn keep_bound(&mut self, le: Written<'a>, bound: f64) {
        if !le.is_escaped() && self.next_bound < BOUNDS_KEPT {
            self.bounds.truncate(self.next_bound);
            self.bounds.push((le.raw(), bound));
            self.next_bound += 1;
        }
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.bits & bit(role) != 0
    }

    /// Whether the metric may have had a point at this time.
    pub(super) fn had_time(&self, time: Timestamp) -> bool {
        self.first_time.is_some_and(|first| time >= first)
    }

    /// Notes a sample of which a point has one.
    fn once(&mut self, role: Role, cx: &mut Context<'_, 'a>) {
        if self.bits & bit(role) != 0 {
            let rule = match (cx.dialect, role, cx.metric_type) {
                (Dialect::OpenMetrics1, Role::Count | Role::Sum, MetricType::Histogram) => "OM1-HIS-11",
                (Dialect::OpenMetrics1, Role::Count | Role::Sum, MetricType::GaugeHistogram) => "OM1-GHI-06",
                _ => cx.duplicate,
            };
            let first = (cx.first, "the metric begins here");
            cx.findings.add_related(
                rule,
                cx.series(),
                first,
                true,
                || "a second sample of the same name and labels",
            );
        }
        self.bits |= bit(role);
    }

    /// Takes a sample. Gives what `le` or `quantile` says.
    #[inline]
    pub(super) fn take(&mut self, role: Role, number: Number, cx: &mut Context<'_, 'a>) -> f64 {
        match role {
            Role::Value => self.once(role, cx),
            Role::Total => self.total(number, cx),
            Role::Info => self.info(number, cx),
            Role::Created => self.created(cx),
            Role::State => self.state(number, cx),
            Role::Count => self.count(number, cx),
            Role::Sum => self.sum(number, cx),
            Role::Bucket => return self.bucket(number, cx),
            Role::Quantile => return self.quantile(number, cx),
        }
        f64::NAN
    }

    fn total(&mut self, number: Number, cx: &mut Context<'_, 'a>) {
        self.once(Role::Total, cx);
        let (nan, negative) = match cx.dialect {
            Dialect::Prometheus => return, // no rule
            Dialect::OpenMetrics1 => ("OM1-CNT-03", "OM1-CNT-04"),
            Dialect::OpenMetrics2 => ("OM2-CNT-02", "OM2-CNT-02"),
        };
        if number.is_nan() {
            cx.findings.add(nan, cx.value(), || "a counter is not NaN");
        } else if number.is_negative() {
            cx.findings.add(negative, cx.value(), || "a counter is not negative");
        }
    }

    fn info(&mut self, number: Number, cx: &mut Context<'_, 'a>) {
        self.once(Role::Info, cx);
        if number.as_f64() != 1.0 {
            let rule = if cx.dialect == Dialect::OpenMetrics2 { "OM2-INF-02" } else { "OM1-INF-02" };
            cx.findings.add(rule, cx.value(), || "the value of an info is 1");
        }
    }

    fn created(&mut self, cx: &mut Context<'_, 'a>) {
        self.once(Role::Created, cx);
        Self::no_special(cx);
    }

    /// Samples that are not a bucket's or quantile's have no label for it.
    fn no_special(cx: &mut Context<'_, 'a>) {
        let (Some(at), Dialect::OpenMetrics1) = (cx.special, cx.dialect) else { return };
        let rule = match cx.metric_type {
            MetricType::Histogram => "OM1-HIS-14",
            MetricType::GaugeHistogram => "OM1-GHI-07",
            MetricType::Summary => "OM1-SUM-07",
            _ => return,
        };
        let Some(label) = cx.sample.label(at) else { return };
        let place = Place::new(cx.line, ByteSpan::new(label.name.span().start, label.value.span().end));
        cx.findings
            .add(rule, place, || format!("label {:?} is for buckets and quantiles only", label.name.raw()));
    }

    fn state(&mut self, number: Number, cx: &mut Context<'_, 'a>) {
        let om2 = cx.dialect == Dialect::OpenMetrics2;
        if !matches!(number.as_f64(), 0.0 | 1.0) {
            let rule = if om2 { "OM2-SS-01" } else { "OM1-SS-02" };
            cx.findings.add(rule, cx.value(), || "the value of a state is 0 or 1");
        }
        let Some(state) = cx.special() else {
            let rule = if om2 { "OM2-SS-01" } else { "OM1-SS-01" };
            cx.findings.add(rule, cx.series(), || "the state stands in a label that is called as the family");
            return;
        };
        let same = self.state.is_some_and(|last| last.unescape() == state.unescape());
        if om2 && same {
            self.state_again(cx);
            return;
        }
        self.state = Some(state);
        if om2 {
            self.time = cx.sample.timestamp().map(|t| t.value);
        }
        if !self.states.insert(state) {
            let interleaved = om2 && cx.sample.timestamp().is_some();
            let rule = match (om2, interleaved) {
                (true, true) => "OM2-SS-02",
                (true, false) => "OM2-SS-01",
                _ => "OM1-SS-03",
            };
            let first = (cx.first, "the states begin here");
            cx.findings.add_related(rule, cx.series(), first, true, || {
                format!("a second sample of state {:?}", state.raw())
            });
        }
    }

    /// A further sample of the same state, which has a later time in OpenMetrics 2.0.
    fn state_again(&mut self, cx: &mut Context<'_, 'a>) {
        let time = cx.sample.timestamp();
        match (self.time, time) {
            (Some(last), Some(Located { value, .. })) if value > last => {}
            (None, None) => {
                let first = (cx.first, "the states begin here");
                cx.findings.add_related(
                    "OM2-SS-01",
                    cx.series(),
                    first,
                    true,
                    || "a second sample of the same state",
                );
            }
            _ => {
                let place = time.map_or(cx.series(), |t| Place::new(cx.line, t.span));
                cx.findings.add(
                    "OM2-VAL-03",
                    place,
                    || "the timestamp is not after that of the sample before",
                );
            }
        }
        self.time = time.map(|t| t.value);
    }

    fn count(&mut self, number: Number, cx: &mut Context<'_, 'a>) {
        self.once(Role::Count, cx);
        Self::no_special(cx);
        let value = number.as_f64();
        self.count = Some(value);
        if cx.is_prometheus() {
            return;
        }
        let rule = match cx.metric_type {
            MetricType::Summary if number.is_nan() || number.is_negative() => "OM1-SUM-02",
            MetricType::Summary => "OM1-SUM-03",
            MetricType::GaugeHistogram => "OM1-GHI-02",
            _ => "OM1-HIS-13",
        };
        if !is_count(value) {
            cx.findings.add(rule, cx.value(), || "a count is a whole number, zero or more");
        }
    }

    fn sum(&mut self, number: Number, cx: &mut Context<'_, 'a>) {
        self.once(Role::Sum, cx);
        Self::no_special(cx);
        self.sum = Some((number.as_f64(), cx.value()));
        if cx.is_prometheus() {
            return;
        }
        let rule = match cx.metric_type {
            MetricType::Histogram => "OM1-HIS-09",
            MetricType::Summary => "OM1-SUM-02",
            _ => "OM1-GHI-04",
        };
        if number.is_nan() {
            cx.findings.add(rule, cx.value(), || "a sum is not NaN");
        } else if number.is_negative()
            && cx.metric_type != MetricType::GaugeHistogram
            // Beside a negative bound no sum is right, see OM1-HIS-10.
            && self.bits & NEGATIVE_BOUND == 0
        {
            cx.findings.add(rule, cx.value(), || "a sum is not negative, since it is a counter");
        }
    }

    fn bucket(&mut self, number: Number, cx: &mut Context<'_, 'a>) -> f64 {
        self.bits |= BUCKET;
        let ids = BucketRules::of(cx);
        let Some(le) = cx.special() else {
            cx.findings.add(ids.label, cx.series(), || "a bucket has its upper bound in label \"le\"");
            return f64::NAN;
        };
        let le_place = Place::new(cx.line, le.span());
        let text = le.unescape();
        let Some(bound) = numeral::parse(&text).map(Number::as_f64) else {
            cx.findings.add(ids.label, le_place, || format!("the upper bound {text:?} is not a number"));
            return f64::NAN;
        };
        if bound.is_nan() {
            cx.findings.add(ids.nan, le_place, || "an upper bound is not NaN");
            return f64::NAN;
        }
        if bound == f64::INFINITY && text != "+Inf" && !cx.is_prometheus() {
            cx.findings.add("OM1-NUM-08", le_place, || format!("infinity is written +Inf, not {text}"));
        } else {
            self.keep_bound(le, bound);
        }
        let value = number.as_f64();
        if let Some(rule) = ids.value {
            if !is_count(value) {
                cx.findings.add(rule, cx.value(), || "the value of a bucket is a whole number, zero or more");
            }
        }
        if self.bits & INFINITY != 0 || bound <= self.bound && self.bound != f64::NEG_INFINITY {
            // Buckets that begin anew at another time are a second point, and a series has one line (P4-19).
            let again = cx.is_prometheus() && cx.sample.timestamp().map(|t| t.value) != self.time;
            let rule = if bound == self.bound || again { ids.unique } else { ids.order };
            let last = self.bound;
            cx.findings.add(rule, le_place, || {
                if bound == last {
                    format!("a second bucket with the upper bound {bound}")
                } else {
                    format!("the upper bound {bound} comes after {last}; they have to rise")
                }
            });
        } else if value < self.below {
            if let Some(rule) = ids.cumulative {
                let below = self.below;
                cx.findings.add(rule, cx.value(), || {
                    format!("the bucket counts {value}, less than the {below} of a lower bound; buckets are cumulative")
                });
            }
        }
        if bound < 0.0 {
            self.bits |= NEGATIVE_BOUND;
        }
        self.bound = bound;
        self.below = value;
        if bound == f64::INFINITY {
            self.bits |= INFINITY;
            self.infinity = Some(value);
        }
        bound
    }

    fn quantile(&mut self, number: Number, cx: &mut Context<'_, 'a>) -> f64 {
        self.bits |= bit(Role::Quantile);
        let prometheus = cx.is_prometheus();
        let Some(label) = cx.special() else {
            if !prometheus {
                cx.findings.add(
                    "OM1-SUM-04",
                    cx.series(),
                    || "a sample without suffix has a label \"quantile\"",
                );
            } else if std::mem::replace(&mut self.bare, true) {
                cx.findings.add(cx.duplicate, cx.series(), || "a second sample of the same name and labels");
            }
            return f64::NAN;
        };
        let place = Place::new(cx.line, label.span());
        let text = label.unescape();
        let quantile = numeral::parse(&text).map_or(f64::NAN, Number::as_f64);
        if !prometheus && number.is_negative() {
            cx.findings.add("OM1-SUM-06", cx.value(), || "the value of a quantile is not negative");
        }
        if prometheus && quantile.is_nan() || !prometheus && !(0.0..=1.0).contains(&quantile) {
            let rule = if prometheus { "P4-23" } else { "OM1-SUM-05" };
            cx.findings.add(rule, place, || format!("the quantile {text:?} is not a number from 0 to 1"));
            return f64::NAN;
        }
        let bits = (quantile + 0.0).to_bits(); // minus zero is zero
        let rises = quantile > self.bound || self.bound == f64::NEG_INFINITY;
        if !rises {
            let repeated = if prometheus { quantile == self.bound } else { self.has_quantile(bits) };
            if repeated {
                cx.findings
                    .add(cx.duplicate, place, || format!("a second sample of the quantile {quantile}"));
            } else if prometheus {
                let last = self.bound;
                cx.findings.add("P4-23", place, || {
                    format!("the quantile {quantile} comes after {last}; they have to rise")
                });
            }
        }
        if !prometheus {
            self.quantiles.push(bits);
        }
        self.bound = if rises || prometheus { quantile } else { self.bound };
        quantile
    }

    /// Whether a quantile was there. While they rise nobody asks; the table is filled when somebody does.
    fn has_quantile(&mut self, bits: u64) -> bool {
        let Self { states: Members { hasher, .. }, quantiles, quantiles_tabled, quantile_table, .. } = self;
        for bits in quantiles.get(*quantiles_tabled..).unwrap_or_default() {
            quantile_table.insert_unique(hasher.hash_one(bits), *bits, |bits| hasher.hash_one(bits));
        }
        *quantiles_tabled = quantiles.len();
        quantile_table.find(hasher.hash_one(bits), |other| *other == bits).is_some()
    }

    /// Checks what the point has to have, at its end. `is_first` says whether its metric is the first of the family.
    pub(super) fn end(
        &self,
        findings: &mut Findings,
        dialect: Dialect,
        metric_type: MetricType,
        first: Place,
        is_first: bool,
    ) {
        if !self.begun {
            return;
        }
        match (dialect, metric_type) {
            (Dialect::OpenMetrics1, MetricType::Counter)
                if !self.has(Role::Total) && self.has(Role::Created) =>
            {
                // Beside other metrics it has the wrong labels; alone it lacks what it is the start of.
                if is_first {
                    findings.add("OM1-CNT-01", first, || "a counter's point without a _total");
                }
                findings.add("OM1-CNT-02", first, || "a _created sample without a _total of the same labels");
                if !is_first {
                    findings.add("OM1-CNT-01", first, || "a counter's point without a _total");
                }
            }
            (Dialect::OpenMetrics1, MetricType::Histogram | MetricType::GaugeHistogram) => {
                self.end_histogram(findings, metric_type, first);
            }
            (Dialect::Prometheus, MetricType::Histogram) => {
                let Some(infinity) = self.infinity else {
                    findings.add("P4-20", first, || "the histogram has no +Inf bucket");
                    return;
                };
                if let Some(count) = self.count.filter(|count| *count != infinity && !count.is_nan()) {
                    findings.add("P4-21", first, || format!("_count is {count}, the +Inf bucket {infinity}"));
                }
            }
            _ => {}
        }
    }

    fn end_histogram(&self, findings: &mut Findings, metric_type: MetricType, first: Place) {
        let gauge = metric_type == MetricType::GaugeHistogram;
        let pick = |histogram, gauge_histogram| if gauge { gauge_histogram } else { histogram };
        if !self.has(Role::Bucket) {
            findings.add(pick("OM1-HIS-01", "OM1-GHI-01"), first, || "the histogram has no bucket");
        } else if self.bits & INFINITY == 0 {
            findings.add(pick("OM1-HIS-02", "OM1-GHI-01"), first, || "the histogram has no +Inf bucket");
        }
        if self.has(Role::Count) != self.has(Role::Sum) {
            let (there, missing) = match (gauge, self.has(Role::Count)) {
                (false, true) => ("_count", "_sum"),
                (false, false) => ("_sum", "_count"),
                (true, true) => ("_gcount", "_gsum"),
                (true, false) => ("_gsum", "_gcount"),
            };
            findings.add(pick("OM1-HIS-11", "OM1-GHI-06"), first, || {
                format!("the histogram has {there} but no {missing}")
            });
        }
        if let (Some(count), Some(infinity)) = (self.count, self.infinity) {
            // What is no count is a finding already.
            if count != infinity && is_count(count) && !infinity.is_nan() {
                findings.add(pick("OM1-HIS-12", "OM1-GHI-06"), first, || {
                    format!("the count is {count}, the +Inf bucket {infinity}")
                });
            }
        }
        if let Some((sum, place)) = self.sum {
            let negative_bound = self.bits & NEGATIVE_BOUND != 0;
            if !gauge && negative_bound {
                findings.add("OM1-HIS-10", place, || "a histogram with a negative upper bound has no sum");
            } else if gauge && sum < 0.0 && !negative_bound {
                findings.add("OM1-GHI-05", place, || "a negative sum needs a negative upper bound");
            }
        }
    }
}

/// The rules about buckets, by dialect and type; `None` where there is no such rule.
struct BucketRules {
    label: &'static str,
    nan: &'static str,
    unique: &'static str,
    order: &'static str,
    cumulative: Option<&'static str>,
    value: Option<&'static str>,
}

impl BucketRules {
    fn of(cx: &Context<'_, '_>) -> Self {
        match (cx.dialect, cx.metric_type) {
            (Dialect::Prometheus, _) => Self {
                label: "P4-22",
                nan: "P4-22",
                unique: "P4-19",
                order: "P4-22",
                cumulative: None,
                value: None,
            },
            (_, MetricType::GaugeHistogram) => Self {
                label: "OM1-GHI-02",
                nan: "OM1-GHI-02",
                unique: "OM1-GHI-02",
                order: "OM1-GHI-02",
                cumulative: Some("OM1-GHI-02"),
                value: Some("OM1-GHI-02"),
            },
            _ => Self {
                label: "OM1-HIS-06",
                nan: "OM1-HIS-07",
                unique: "OM1-HIS-04",
                order: "OM1-HIS-05",
                cumulative: Some("OM1-HIS-03"),
                value: Some("OM1-HIS-08"),
            },
        }
    }
}

/// Whether a value counts something: whole, finite, not negative.
fn is_count(value: f64) -> bool {
    value >= 0.0 && value.is_finite() && value.trunc() == value
}

/// Clearing a table costs what it has room for; one that was large once is given up instead.
fn clear<T>(table: &mut HashTable<T>) {
    if table.capacity() > 4 * table.len() + 64 {
        *table = HashTable::new();
    } else {
        table.clear();
    }
}

/// The states of a point.
#[derive(Default)]
struct Members<'a> {
    hasher: RandomState,
    table: HashTable<Written<'a>>,
}

impl<'a> Members<'a> {
    fn clear(&mut self) {
        clear(&mut self.table);
    }

    /// Adds one; `false` if it was there.
    fn insert(&mut self, state: Written<'a>) -> bool {
        let name = state.unescape();
        let Self { hasher, table } = self;
        let hash = hasher.hash_one(&*name);
        if table.find(hash, |other| other.unescape() == name).is_some() {
            return false;
        }
        table.insert_unique(hash, state, |other| hasher.hash_one(&*other.unescape()));
        true
    }
}

/// What is kept of a histogram or summary of the Prometheus formats, whose samples may come in any order, with those of
/// other metrics between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saved {
    pub(super) hash: u32,
    pub(super) family: u32,
    pub(super) metric: u32,
    /// The line it begins in.
    pub(super) offset: u32,
    pub(super) line: u32,
    bits: u16,
    bare: bool,
    bound: f64,
    infinity: f64,
    count: f64,
}

impl Saved {
    /// A metric of which nothing is known but where it begins.
    pub(super) fn new(hash: u32, family: u32, offset: u32, line: u32) -> Self {
        Self {
            hash,
            family,
            metric: u32::MAX,
            offset,
            line,
            bits: 0,
            bare: false,
            bound: f64::NEG_INFINITY,
            infinity: f64::NAN,
            count: f64::NAN,
        }
    }

    /// The series it begins with.
    pub(super) fn place(&self, input: &[u8]) -> Place {
        let start = self.offset as usize;
        let rest = input.get(start..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let span = ByteSpan::new(start, start + length);
        Place::new(LineSpan { number: self.line.into(), span }, span)
    }

    pub(super) fn keep(&mut self, point: &Point<'_>) {
        self.bits = point.bits;
        self.bare = point.bare;
        self.bound = point.bound;
        self.infinity = point.infinity.unwrap_or(f64::NAN);
        self.count = point.count.unwrap_or(f64::NAN);
    }

    pub(super) fn restore(&self, point: &mut Point<'_>) {
        point.clear();
        point.begun = self.bits != 0;
        point.bits = self.bits;
        point.bare = self.bare;
        point.bound = self.bound;
        point.infinity = (!self.infinity.is_nan()).then_some(self.infinity);
        point.count = (!self.count.is_nan()).then_some(self.count);
    }
}
