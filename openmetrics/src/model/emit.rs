//! The way out: collectors write through an emitter into a sink.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use super::claims::Claims;
use super::family::{Descriptor, Metric, MetricFamily, MetricSet, MetricType};
use super::label::{LabelSet, Labels, render, render_protobuf};
use super::name::MetricName;
use super::point::{Point, Value};
use super::recall::Recall;
use super::report::{Refusal, Report};
use super::rows::Rows;
use super::table::{LabelSets, LabelTable};
use super::value::{Number, Timestamp};

/// Something that has metrics to tell: an instrument family, a registry, a reader of `/proc`, a whole
/// [`MetricSet`]. Open for everyone to implement.
///
/// Read first, emit after: reading may fail, emitting cannot, so no half of a family ever leaves the process.
///
/// ```
/// use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricSet, MetricType};
///
/// struct Sensors;
/// static TEMPERATURE: Descriptor = Descriptor::literal("room_temperature_celsius", MetricType::Gauge, "Air.");
///
/// impl Collector for Sensors {
///     fn collect(&self, out: &mut Emitter<'_>) -> Collected {
///         let (kitchen, cellar) = (20.5, 11.0); // reading may fail here
///         let mut family = out.family(&TEMPERATURE);
///         family.point(Labels::new(&[("room", "kitchen")]), kitchen);
///         family.point(Labels::new(&[("room", "cellar")]), cellar);
///         Ok(())
///     }
/// }
/// let (set, report) = MetricSet::collect_from(&Sensors);
/// assert!(report.is_clean());
/// assert_eq!(set.families[0].metrics.len(), 2);
/// ```
pub trait Collector {
    /// Emits every family it has now.
    ///
    /// An error says that nothing, or not everything, could be read; what was emitted before stays.
    fn collect(&self, out: &mut Emitter<'_>) -> Collected;

    /// Names the families that [`collect`](Collector::collect) will emit, as far as they are known before, so
    /// that a registry can refuse a clash at registration instead of at a scrape.
    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        let _ = families;
    }
}

/// What [`Collector::collect`] returns: an error of any kind.
pub type Collected = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl<C: Collector + ?Sized> Collector for &C {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        (**self).collect(out)
    }
    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        (**self).describe(families);
    }
}
impl<C: Collector + ?Sized> Collector for std::sync::Arc<C> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        (**self).collect(out)
    }
    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        (**self).describe(families);
    }
}

/// Where families and points go: an encoder, a snapshot, a test's recorder. Open for everyone to implement.
///
/// The [`Emitter`] before it has checked names, labels, types and duplicates. All points of a family follow its
/// `family` call, before the next one.
pub trait Sink {
    /// A family begins. An error refuses it whole; its points are then not handed over.
    fn family(&mut self, descriptor: &Descriptor) -> Result<(), Refusal>;

    /// A point of the family that began last. An error means that nothing of it was taken.
    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) -> Result<(), Refusal>;

    /// Whether this sink writes labels as protobuf has them, so that whoever keeps them rendered can keep that form
    /// too. Only a hint.
    #[doc(hidden)]
    fn wants_protobuf(&self) -> bool {
        false
    }

    /// Takes numbers of the family that began last, and says how many from the first one on. The others come as points.
    ///
    /// Whoever has the rows may be locked meanwhile, so that a sink of somebody else's gets points only.
    #[doc(hidden)]
    fn rows(&mut self, rows: &mut Rows<'_>) -> usize {
        let _ = rows;
        0
    }
}

/// Runs `collector` into `sink` and says what was left out.
pub fn collect_into(collector: &dyn Collector, sink: &mut dyn Sink) -> Report {
    let mut ledger = LEDGER.try_with(Cell::take).unwrap_or_default();
    let mut emitter = Emitter { sink, ledger: &mut ledger, prefix: "", labels: &LabelSet::EMPTY };
    if let Err(error) = collector.collect(&mut emitter) {
        emitter.fail("", &*error);
    }
    let report = ledger.end();
    let _ = LEDGER.try_with(|kept| kept.set(ledger));
    report
}

thread_local! {
    /// The ledger of the thread's last collection, whose room the next one uses again.
    static LEDGER: Cell<Ledger> = Cell::default();
}

/// What collectors write through: it adds the scope's prefix and constant labels, and refuses what would break
/// the page. Made by [`collect_into`] and the encoders' front doors.
pub struct Emitter<'a> {
    sink: &'a mut dyn Sink,
    ledger: &'a mut Ledger,
    prefix: &'a str,
    labels: &'a LabelSet,
}

impl fmt::Debug for Emitter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("prefix", &self.prefix)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl Emitter<'_> {
    /// Begins a family; its points go through what is returned.
    ///
    /// A family whose sample names another one has taken (OM1-FAM-01, OM1-FAM-04) is refused whole.
    pub fn family<'e>(&'e mut self, descriptor: &'e Descriptor) -> FamilyEmitter<'e> {
        let descriptor = self.prefixed(descriptor);
        let accepted =
            match self.ledger.claims.claim(&descriptor).and_then(|()| self.sink.family(&descriptor)) {
                Ok(()) => true,
                Err(refusal) => {
                    self.ledger.report.refuse(&descriptor, refusal);
                    false
                }
            };
        self.ledger.begin_family(self.labels);
        let Self { sink, ledger, labels, .. } = self;
        FamilyEmitter { sink: &mut **sink, ledger, labels, descriptor, accepted, unique: false }
    }

    /// A family with one point and no labels.
    pub fn value<'p>(&mut self, descriptor: &Descriptor, point: impl Into<Point<'p>>) {
        self.family(descriptor).point(Labels::EMPTY, point);
    }

    /// An emitter that puts `prefix` and an underscore before every name, and `labels` before every label.
    /// `labels` has to hold those of the scope around it as well, see [`Emitter::labels`].
    pub fn scoped<'e>(&'e mut self, prefix: &'e str, labels: &'e LabelSet) -> Emitter<'e> {
        Emitter { sink: &mut *self.sink, ledger: self.ledger, prefix, labels }
    }

    /// The prefix of this scope, without the underscore that follows it.
    pub fn prefix(&self) -> &str {
        self.prefix
    }

    /// The constant labels of this scope.
    pub fn labels(&self) -> &LabelSet {
        self.labels
    }

    /// Notes that a collector failed; the page goes on without what it did not emit.
    pub fn fail(&mut self, collector: &str, error: &dyn std::error::Error) {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        self.ledger.report.fail(collector, message);
    }

    /// How many points got through so far.
    pub fn points(&self) -> u64 {
        self.ledger.report.points()
    }

    fn prefixed<'e>(&self, descriptor: &'e Descriptor) -> Cow<'e, Descriptor> {
        if self.prefix.is_empty() {
            return Cow::Borrowed(descriptor);
        }
        let name = MetricName::utf8(format!("{}_{}", self.prefix, descriptor.name()));
        match name {
            Ok(name) => Cow::Owned(descriptor.clone().with_name(name)),
            Err(_) => Cow::Borrowed(descriptor), // not reached: the name has at least an underscore
        }
    }
}

/// Takes the points of one family.
pub struct FamilyEmitter<'a> {
    sink: &'a mut dyn Sink,
    ledger: &'a mut Ledger,
    labels: &'a LabelSet,
    descriptor: Cow<'a, Descriptor>,
    accepted: bool,
    unique: bool,
}

impl fmt::Debug for FamilyEmitter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FamilyEmitter").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}

impl<'a> FamilyEmitter<'a> {
    /// Hands on one point.
    ///
    /// Refused, and noted in the report, are: a value that does not fit the type, label names that repeat, are
    /// empty or reserved (OM1-LAB-01, OM1-LAB-02), and labels that another metric of the family has (OM1-LAB-04).
    #[inline]
    pub fn point<'p>(&mut self, labels: Labels<'_>, point: impl Into<Point<'p>>) {
        if self.accepted {
            self.take(&labels, &point.into());
        }
    }

    /// Hands on the numbers of a table's rows, and ends the family. The same as a [`point`](FamilyEmitter::point) for
    /// each of them, but quicker: the table has looked at the labels already, once for all its columns.
    ///
    /// Refused are a row that is given twice or that the table does not have, and what [`point`](FamilyEmitter::point)
    /// refuses of values.
    pub fn column(mut self, table: &LabelTable, values: impl IntoIterator<Item = (usize, Number)>) {
        if !self.accepted {
            return;
        }
        let numbers = Value::Number(Number::Unsigned(0)).fits(self.descriptor.metric_type());
        self.unique = numbers && self.labels.is_empty() && self.ledger.last.is_none();
        let mut given = vec![false; if self.unique { table.len() } else { 0 }];
        for (row, value) in values {
            let Some(labels) = table.row(row) else {
                let message = format!("the table of its labels has no row {row}");
                self.ledger.report.refuse(&self.descriptor, Refusal::new("OM1-LAB-04", message));
                continue;
            };
            match given.get_mut(row) {
                Some(true) => self.ledger.report.refuse(&self.descriptor, seen_before(&labels)),
                Some(given) => {
                    *given = true;
                    self.take(&labels, &value.into());
                }
                None => self.take(&labels, &value.into()),
            }
        }
    }

    /// Hands on numbers at once, and says how many of them were taken; the others have to come as points.
    pub(crate) fn rows(&mut self, rows: &mut Rows<'_>) -> usize {
        if !self.takes_rows() {
            return 0;
        }
        let taken = self.sink.rows(rows);
        self.ledger.report.take(taken as u64);
        taken
    }

    /// Whether [`rows`](FamilyEmitter::rows) may be taken: nothing has to be looked at or added, point by point.
    pub(crate) fn takes_rows(&self) -> bool {
        self.accepted && self.unique && self.labels.is_empty()
    }

    /// Says that the points that follow have labels known to be valid and different, because a table made them.
    #[must_use]
    pub(crate) fn unique(mut self) -> FamilyEmitter<'a> {
        self.unique = true;
        self
    }

    /// Whether the sink writes labels as protobuf has them.
    pub(crate) fn wants_protobuf(&self) -> bool {
        self.sink.wants_protobuf()
    }

    /// Whether points are taken; `false` after the family was refused, so costly reading can be saved.
    pub fn is_accepted(&self) -> bool {
        self.accepted
    }

    fn take(&mut self, labels: &Labels<'_>, point: &Point<'_>) {
        let known = if self.unique { Ok(None) } else { self.check(labels, point) };
        let taken = known.and_then(|known| {
            let labels = known.and_then(|at| self.ledger.recall.labels(at)).unwrap_or(*labels);
            if self.labels.is_empty() {
                self.sink.point(&labels, point)
            } else {
                self.sink.point(&labels.after(self.ledger.scope(self.labels)), point)
            }
        });
        match taken {
            Ok(()) => self.ledger.report.take(1),
            Err(refusal) => self.ledger.report.refuse(&self.descriptor, refusal),
        }
    }

    /// Whether the point may be handed on, and which of the labels that are remembered it has.
    fn check(&mut self, labels: &Labels<'_>, point: &Point<'_>) -> Result<Option<usize>, Refusal> {
        let metric_type = self.descriptor.metric_type();
        if !point.value.fits(metric_type) {
            let message = format!("a {} is no value of a {metric_type}", point.value.kind());
            return Err(Refusal::new(shape_rule(metric_type), message));
        }
        let is_timed = point.timestamp.is_some();
        let known = self.ledger.recall(labels, self.labels, metric_type, is_timed);
        if known.is_none() {
            check_label_names(labels, self.labels, metric_type)?;
            self.ledger.see(labels, point.timestamp)?;
            self.ledger.recall.learn(labels, is_timed);
        }
        Ok(known)
    }
}

/// The rule that says what the values of a type are.
fn shape_rule(metric_type: MetricType) -> &'static str {
    match metric_type {
        MetricType::Gauge => "OM1-GAU-01",
        MetricType::Counter => "OM1-CNT-01",
        MetricType::StateSet => "OM1-SS-01",
        MetricType::Info => "OM1-INF-01",
        MetricType::Histogram => "OM1-HIS-01",
        MetricType::GaugeHistogram => "OM1-GHI-01",
        MetricType::Summary => "OM1-SUM-01",
        MetricType::Unknown => "OM1-UNK-01",
    }
}

pub(super) fn check_label_names(
    labels: &Labels<'_>,
    scope: &LabelSet,
    metric_type: MetricType,
) -> Result<(), Refusal> {
    let mut rest = labels.iter();
    while let Some((name, _)) = rest.next() {
        if let Some((rule, reason)) = reserved_label(name, metric_type) {
            return Err(Refusal::new(rule, format!("label name {name:?} {reason}")));
        }
        if rest.clone().any(|(other, _)| other == name) || scope.get(name).is_some() {
            return Err(Refusal::new("OM1-LAB-02", format!("label {name:?} is given twice")));
        }
    }
    Ok(())
}

/// Why a metric of this type cannot have a label of this name, and by which rule.
pub(crate) fn reserved_label(name: &str, metric_type: MetricType) -> Option<(&'static str, &'static str)> {
    match (name, metric_type) {
        ("", _) => Some(("OM2-UTF-03", "is empty")),
        ("le", MetricType::Histogram | MetricType::GaugeHistogram) => {
            Some(("OM2-HIS-08", "is reserved for buckets"))
        }
        ("quantile", MetricType::Summary) => Some(("OM2-SUM-05", "is reserved for quantiles")),
        _ if name.starts_with("__") => Some(("OM1-LAB-01", "begins with underscores, which are reserved")),
        _ => None,
    }
}

/// What one collection has seen: the names taken, the labels of the open family, and what was refused.
#[derive(Default)]
struct Ledger {
    claims: Claims,
    /// The label sets of the open family.
    seen: LabelSets,
    /// The label sets of the page before, and whether the open family has one of them.
    recall: Recall,
    recalls: bool,
    /// The last label set and its timestamp: points of one metric may follow each other in time.
    last: Option<(u64, Option<Timestamp>)>,
    /// The scope's constant labels, rendered once a family instead of once a point.
    scope_text: String,
    scope_protobuf: Vec<u8>,
    report: Report,
}

impl Ledger {
    fn begin_family(&mut self, scope: &LabelSet) {
        self.seen.clear();
        self.recalls = false;
        self.last = None;
        self.scope_text.clear();
        self.scope_protobuf.clear();
        if !scope.is_empty() && scope.iter().all(|label| label.name.is_classic()) {
            render(&Labels::from(scope), &mut self.scope_text);
            render_protobuf(&Labels::from(scope), &mut self.scope_protobuf);
        }
    }

    /// Ends a collection. What is left is as good as new, and room that is not very large is kept.
    fn end(&mut self) -> Report {
        let report = std::mem::take(&mut self.report);
        self.begin_family(&LabelSet::EMPTY);
        if self.seen.room() > ROOM_KEPT {
            *self = Self::default();
        }
        self.claims.clear();
        self.recall.end_page();
        report
    }

    /// The labels of the scope, rendered if their names allow it.
    fn scope<'a>(&'a self, labels: &'a LabelSet) -> Labels<'a> {
        if self.scope_text.is_empty() {
            Labels::from(labels)
        } else {
            Labels::rendered(&self.scope_text, &self.scope_protobuf)
        }
    }

    /// Which label set of the page before this is. From the first one on that is none of them, all are compared with each
    /// other, as well as with those that were recognized before.
    #[inline]
    fn recall(
        &mut self,
        labels: &Labels<'_>,
        scope: &LabelSet,
        metric_type: MetricType,
        is_timed: bool,
    ) -> Option<usize> {
        if !self.recalls {
            self.recall.begin_family(metric_type, scope);
            self.recalls = true;
        }
        let known = if is_timed { None } else { self.recall.recognize(labels) };
        if known.is_some() {
            self.last = Some((0, None)); // nothing follows a point without time
        } else {
            self.recall.diverge(|known| {
                self.seen.insert(&known);
            });
        }
        known
    }

    /// Notes a label set of the open family; an error if it was there before, in any order of its labels.
    fn see(&mut self, labels: &Labels<'_>, timestamp: Option<Timestamp>) -> Result<(), Refusal> {
        let (hash, is_new) = self.seen.insert(labels);
        if !is_new {
            let follows = matches!((self.last, timestamp), (Some((h, Some(before))), Some(now)) if h == hash && before < now);
            if !follows {
                return Err(seen_before(labels));
            }
        }
        self.last = Some((hash, timestamp));
        Ok(())
    }
}

/// The refusal of labels that another metric of the family has.
pub(super) fn seen_before(labels: &Labels<'_>) -> Refusal {
    Refusal::new("OM1-LAB-04", format!("labels {labels} are those of another metric"))
}

/// The label sets of a family take more bytes than this only if it is a large one; that room is given back.
const ROOM_KEPT: usize = 1 << 20;

impl MetricSet {
    /// Runs `collector` and keeps what it emits.
    pub fn collect_from(collector: &dyn Collector) -> (Self, Report) {
        let mut recorder = Recorder::default();
        let report = collect_into(collector, &mut recorder);
        (recorder.0, report)
    }
}

/// The sink behind [`MetricSet::collect_from`].
#[derive(Default)]
struct Recorder(MetricSet);

impl Sink for Recorder {
    fn family(&mut self, descriptor: &Descriptor) -> Result<(), Refusal> {
        self.0.families.push(MetricFamily { descriptor: descriptor.clone(), metrics: Vec::new() });
        Ok(())
    }

    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>) -> Result<(), Refusal> {
        let labels = labels.to_set().map_err(|e| Refusal::new("OM1-LAB-02", e.to_string()))?;
        let Some(point) = point.to_owned() else {
            return Err(Refusal::new("OM1-LAB-02", "a label is given twice in an exemplar or info"));
        };
        if let Some(family) = self.0.families.last_mut() {
            match family.metrics.last_mut() {
                Some(metric) if metric.labels == labels => metric.points.push(point),
                _ => family.metrics.push(Metric { labels, points: vec![point] }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    struct From<F>(F);
    impl<F: Fn(&mut Emitter<'_>)> Collector for From<F> {
        fn collect(&self, out: &mut Emitter<'_>) -> Collected {
            (self.0)(out);
            Ok(())
        }
    }
    fn refusals(f: impl Fn(&mut Emitter<'_>)) -> (MetricSet, Vec<String>) {
        let (set, report) = MetricSet::collect_from(&From(f));
        (set, report.refusals().iter().map(ToString::to_string).collect())
    }

    static UP: Descriptor = Descriptor::literal("up", MetricType::Gauge, "Up.");
    static REQUESTS: Descriptor = Descriptor::literal("requests", MetricType::Counter, "Requests.");
    static REQUESTS_TOTAL: Descriptor = Descriptor::literal("requests_total", MetricType::Gauge, "");

    #[test]
    fn families_that_clash_are_refused_whole() {
        let (set, refused) = refusals(|out| {
            out.value(&REQUESTS, 1_u64);
            out.value(&REQUESTS_TOTAL, 2_u64);
            out.value(&UP, 1_u64);
            out.value(&REQUESTS, 3_u64);
        });
        assert_eq!(set.families.len(), 2);
        assert_eq!(
            refused,
            [
                "requests_total: its sample name \"requests_total\" clashes with family \"requests\" [OM1-FAM-04]",
                "requests: there is a family \"requests\" already [OM1-FAM-01]",
            ]
        );
    }

    #[test]
    fn bad_points_are_refused_one_by_one() {
        let (set, refused) = refusals(|out| {
            let mut up = out.family(&UP);
            up.point(Labels::new(&[("a", "1"), ("b", "2")]), 1_u64);
            up.point(Labels::new(&[("b", "2"), ("a", "1")]), 2_u64);
            up.point(Labels::new(&[("a", "1"), ("a", "2")]), 3_u64);
            up.point(Labels::new(&[("__name__", "1")]), 4_u64);
            up.point(Labels::EMPTY, Value::StateSet(&[]));
            up.point(Labels::new(&[("a", "2")]), 5_u64);
        });
        assert_eq!(set.families[0].metrics.len(), 2);
        assert_eq!(
            refused,
            [
                r#"up: labels {b="2",a="1"} are those of another metric [OM1-LAB-04]"#,
                r#"up: label "a" is given twice [OM1-LAB-02]"#,
                r#"up: label name "__name__" begins with underscores, which are reserved [OM1-LAB-01]"#,
                "up: a stateset is no value of a gauge [OM1-GAU-01]",
            ]
        );
    }

    #[test]
    fn points_of_one_metric_follow_each_other_in_time() {
        let at = |s| Point::from(1_u64).at(Timestamp::from_seconds(s));
        let (set, refused) = refusals(|out| {
            let mut up = out.family(&UP);
            up.point(Labels::EMPTY, at(1));
            up.point(Labels::EMPTY, at(2));
            up.point(Labels::EMPTY, at(2));
        });
        assert_eq!(set.families[0].metrics[0].points.len(), 2);
        assert_eq!(refused.len(), 1);
    }

    #[test]
    fn scopes_add_a_prefix_and_labels() {
        let consts = LabelSet::from_pairs([("zone", "z1")]).unwrap();
        let (set, refused) = refusals(|out| {
            let mut scope = out.scoped("app", &consts);
            scope.value(&UP, 1_u64);
            scope.family(&REQUESTS).point(Labels::new(&[("zone", "z2")]), 1_u64);
        });
        assert_eq!(set.families[0].descriptor.name(), &"app_up");
        assert_eq!(set.families[0].metrics[0].labels, consts);
        assert_eq!(refused, [r#"app_requests: label "zone" is given twice [OM1-LAB-02]"#]);
    }

    #[test]
    fn a_metric_set_is_a_collector_and_loses_nothing() {
        let (set, _) = refusals(|out| {
            out.value(&UP, 1.5);
            out.family(&REQUESTS).point(
                Labels::new(&[("code", "200")]),
                Point::from(7_u64).started(Timestamp::from_seconds(3)),
            );
        });
        let (again, report) = MetricSet::collect_from(&set);
        assert_eq!(again, set);
        assert!(report.is_clean());
        assert_eq!(report.points(), 2);
    }
}
