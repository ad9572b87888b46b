//! One pass over the lines: whose each sample is, and which rules it breaks.

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::super::Dialect;
use super::super::entries::{
    ByteSpan, Fault, LineSpan, Located, Metadata, MetadataKind, RawLabel, Sample, Written,
};
use super::super::numeral;
use super::composite;
use super::findings::{Findings, Place};
use super::metric::{Context, Point};
use super::names::{Families, Record, Role, SUFFIXES, role, split_suffix};
use super::seen::{Difference, Found, Of, Relation, Seen, special_name};
use crate::model::{MetricType, Number};

mod metadata;
mod values;

/// Where a sample belongs: what whoever builds families needs to know beside the sample itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) family: u32,
    pub(super) role: Role,
    /// The number of its metric, counted over the whole exposition.
    pub(super) metric: u32,
    /// Whether the sample begins a further point of the metric.
    pub(super) new_point: bool,
    /// The label that belongs to the sample and not to the metric: `le`, `quantile`, the state.
    pub(super) special: Option<usize>,
    /// What `le` or `quantile` says.
    pub(super) bound: f64,
}

/// The family whose lines are being read.
pub(super) struct Open<'a> {
    pub(super) id: u32,
    pub(super) name: Cow<'a, str>,
    pub(super) metric_type: MetricType,
    pub(super) has_samples: bool,
    /// The lines of its samples, from the first on that is not in the table of those seen.
    samples: ByteSpan,
    /// Whether samples of another family came before, so that what follows here is out of place already.
    reopened: bool,
    first: Place,
    type_line: Option<Place>,
    help_line: Option<Place>,
    unit_line: Option<(Place, Written<'a>)>,
}

/// How a sample's timestamp compares with those of its metric.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    /// It belongs to the point being read.
    Same,
    /// It begins another one.
    New,
    /// It is out of order, which is a finding; its value is looked at no further.
    Astray,
}

/// The metric whose samples are being read.
#[derive(Clone, Copy)]
struct Group {
    number: u32,
    first: Place,
    has_timestamps: bool,
    /// The metric was left and has come back, which is a finding already; what is missing in it is then no other.
    broken: bool,
}

/// The rules about one thing, by dialect.
struct Rules {
    duplicate: &'static str,
    family_twice: &'static str,
    family_interleaved: &'static str,
    metric_interleaved: &'static str,
    late_metadata: &'static str,
    second_metadata: &'static str,
    label_twice: &'static str,
    label_reserved: &'static str,
    family_reserved: &'static str,
    range: &'static str,
    time_order: &'static str,
}

const OM1: Rules = Rules {
    duplicate: "OM1-LAB-04",
    family_twice: "OM1-FAM-01",
    family_interleaved: "OM1-FAM-16",
    metric_interleaved: "OM1-FAM-17",
    late_metadata: "OM1-FAM-07",
    second_metadata: "OM1-FAM-08",
    label_twice: "OM1-LAB-02",
    label_reserved: "OM1-LAB-01",
    family_reserved: "OM1-FAM-02",
    range: "OM1-NUM-05",
    time_order: "OM1-TS-04",
};
const OM2: Rules = Rules {
    family_twice: "OM2-FAM-01",
    family_interleaved: "OM2-FAM-01",
    metric_interleaved: "OM2-SS-02",
    late_metadata: "OM2-FAM-01",
    second_metadata: "OM2-FAM-03",
    label_reserved: "OM2-NAME-03",
    family_reserved: "OM2-NAME-03",
    time_order: "OM2-VAL-03",
    ..OM1
};
const P4: Rules = Rules {
    duplicate: "P4-19",
    family_twice: "P4-18",
    family_interleaved: "P4-18",
    late_metadata: "P4-18",
    second_metadata: "P4-07",
    label_twice: "P4-13",
    range: "P4-16",
    ..OM1
};
static RULES: [Rules; 3] = [P4, OM1, OM2];

pub(super) struct Judge<'a> {
    input: &'a [u8],
    dialect: Dialect,
    rules: &'static Rules,
    pub(super) findings: Findings,
    families: Families,
    pub(super) open: Option<Open<'a>>,
    seen: Seen<'a>,
    group: Option<Group>,
    point: Point<'a>,
    /// Whether the last sample took the short way, so that its metric has nothing else in it.
    one_number: bool,
    metrics: u32,
    /// Name and role of the last sample: most samples are called as the one before.
    last_name: &'a str,
    last_role: Role,
}

impl<'a> Judge<'a> {
    pub(super) fn new(input: &'a [u8], dialect: Dialect, findings: Findings) -> Self {
        let rules = match dialect {
            Dialect::Prometheus => &RULES[0],
            Dialect::OpenMetrics1 => &RULES[1],
            Dialect::OpenMetrics2 => &RULES[2],
        };
        Self {
            input,
            dialect,
            rules,
            findings,
            families: Families::new(),
            open: None,
            seen: Seen::new(input, dialect),
            group: None,
            point: Point::default(),
            one_number: false,
            metrics: 0,
            last_name: "",
            last_role: Role::Value,
        }
    }

    fn is_prometheus(&self) -> bool {
        self.dialect == Dialect::Prometheus
    }

    pub(super) fn allow_quoted_names(&mut self) {
        self.seen.allow_quoted_names();
    }

    /// The family with this number, as it is at the end.
    pub(super) fn family(&self, id: u32) -> Option<&Record> {
        self.families.get(id)
    }

    /// The name of the family with this number.
    pub(super) fn family_name(&self, id: u32) -> Cow<'a, str> {
        self.families.name(self.input, id)
    }

    /// Whether there is a family of this name.
    pub(super) fn has_family(&self, name: &str) -> bool {
        self.families.find(self.input, name).is_some()
    }

    /// A line that is not in the grammar. Of composite values the grammar knows the fields and not whose they should
    /// be, so it names the rules of histograms.
    pub(super) fn fault(&mut self, fault: &Fault) {
        let of_type = match (self.open.as_ref().map(|open| open.metric_type), fault.rule()) {
            (Some(MetricType::Summary), "OM2-HIS-01" | "OM2-HIS-02" | "OM2-HIS-03") => {
                fault.of_rule("OM2-SUM-01")
            }
            (Some(MetricType::GaugeHistogram), "OM2-HIS-02") => fault.of_rule("OM2-GHI-01"),
            (Some(MetricType::Unknown), "OM1-SYN-12" | "OM1-SYN-13") if self.is_of_declared(fault) => {
                fault.of_rule("OM2-UNK-01")
            }
            _ => *fault,
        };
        self.findings.fault(&of_type, true);
    }

    /// Whether the line is one of the open family of OpenMetrics 2.0, which said its type.
    fn is_of_declared(&self, fault: &Fault) -> bool {
        let Some(open) = self.open.as_ref().filter(|open| open.type_line.is_some()) else { return false };
        let position = fault.position();
        let line = (position.offset + 1).saturating_sub(position.column);
        let rest = usize::try_from(line).ok().and_then(|line| self.input.get(line..)).unwrap_or_default();
        let after = rest.strip_prefix(open.name.as_bytes()).unwrap_or_default();
        self.dialect == Dialect::OpenMetrics2 && matches!(after.first(), Some(b' ' | b'{'))
    }

    /// A comment; those of the Prometheus formats that look like metadata without saying any are a finding.
    pub(super) fn comment(&mut self, text: &str, line: LineSpan) {
        let words = text.trim_start_matches([' ', '\t']).strip_prefix('#').unwrap_or_default();
        let mut words = words.split([' ', '\t']).filter(|word| !word.is_empty());
        let rule = match words.next() {
            Some("HELP") => "P4-06",
            Some("TYPE") => "P4-08",
            _ => return,
        };
        if words.next().is_none() {
            self.findings.tolerate(
                rule,
                Place::new(line, line.span),
                || "metadata without a metric name; readers take it for a comment",
            );
        }
    }

    // -- metadata

    // -- families

    /// The place where a family was first, for findings to point at.
    fn declared(&self, id: u32) -> (Place, &'static str) {
        let place = self.families.get(id).map_or(
            Place::new(LineSpan { number: 1, span: ByteSpan::default() }, ByteSpan::default()),
            |record| Place::new(record.line_span(self.input), record.name),
        );
        (place, "it is first here")
    }

    fn open_new(&mut self, name: Cow<'a, str>, written: Written<'a>, place: Place) {
        self.close();
        let record = Record::new(written.span(), written.is_escaped(), place.line.number);
        if self.dialect == Dialect::OpenMetrics1 {
            self.check_clash_of_name(&name, place);
        }
        if name.starts_with('_') && !self.is_prometheus() {
            self.findings.add(self.rules.family_reserved, place, || {
                format!("names that begin with an underscore, as {name:?}, are reserved")
            });
        }
        let id = self.families.insert(&name, record);
        self.open = Some(Open {
            id,
            name,
            metric_type: MetricType::Unknown,
            has_samples: false,
            samples: ByteSpan::new(place.line.span.start, place.line.span.start),
            reopened: false,
            first: place,
            type_line: None,
            help_line: None,
            unit_line: None,
        });
    }

    /// Makes a family that was closed the open one again.
    fn switch_to(&mut self, id: u32, place: Place) {
        self.close();
        let name = self.families.name(self.input, id);
        let Some(record) = self.families.get_mut(id) else { return };
        let metric_type = record.metric_type;
        let (has_samples, samples) = (record.has_samples, record.untabled);
        if !record.tabled {
            record.tabled = true;
            let of = Of { id, name: &name, metric_type };
            self.seen.table(of, record.untabled);
        }
        self.seen.begin(true);
        self.open = Some(Open {
            id,
            name,
            metric_type,
            has_samples,
            samples,
            reopened: true,
            first: place,
            type_line: None,
            help_line: None,
            unit_line: None,
        });
    }

    /// Ends the open family: its last metric is checked.
    fn close(&mut self) {
        self.keep_metric();
        self.end_metric();
        self.last_name = "";
        if let Some(open) = self.open.take() {
            if let Some(record) = self.families.get_mut(open.id) {
                record.has_samples |= open.has_samples;
                record.untabled = open.samples;
                record.tabled |= self.seen.is_tabled();
            }
        }
        self.seen.begin(false);
    }

    /// Finds the family of a sample by its name, and opens it if it is not open.
    #[inline]
    fn place(&mut self, sample: &Sample<'a>, line: LineSpan) -> Role {
        let is_last = !self.last_name.is_empty();
        if is_last && sample.likeness.name {
            return self.last_role;
        }
        let written = sample.name();
        if is_last && written.raw() == self.last_name {
            return self.last_role;
        }
        let role = self.find_family(written, line, sample);
        self.last_name = written.raw();
        self.last_role = role;
        role
    }

    fn find_family(&mut self, written: Written<'a>, line: LineSpan, sample: &Sample<'a>) -> Role {
        let name = written.unescape();
        let place = Place::new(line, written.span());
        if let Some(open) = &self.open {
            if let Some(suffix) = name.strip_prefix(&*open.name) {
                if let Some(role) = role(self.dialect, open.metric_type, suffix) {
                    return role;
                }
                if suffix.is_empty() {
                    let metric_type = open.metric_type;
                    let rule = match metric_type {
                        _ if self.is_prometheus() => "P4-20",
                        MetricType::Counter => "OM1-CNT-01",
                        MetricType::Info => "OM1-INF-01",
                        _ => "OM1-FAM-19",
                    };
                    self.findings.add(rule, place, || {
                        format!("a sample of a {metric_type} has a suffix: {}", suffixes_of(metric_type))
                    });
                    return Role::Value;
                }
                self.hint_at_suffix(suffix, place, sample);
            }
        }
        // Exactly so called, or with a suffix; the exact name comes first.
        let found = self.families.find(self.input, &name).map(|id| (id, "")).or_else(|| {
            let (stem, suffix) = split_suffix(&name)?;
            let id = self.families.find(self.input, stem)?;
            let record = self.families.get(id)?;
            role(self.dialect, record.metric_type, suffix)?;
            Some((id, suffix))
        });
        let Some((id, suffix)) = found else {
            self.open_new(name, written, place);
            return Role::Value;
        };
        let related = self.declared(id);
        self.switch_to(id, place);
        let fatal = !self.is_prometheus();
        self.findings.add_related(
            self.rules.family_interleaved,
            place,
            related,
            fatal,
            || "the lines of a family are not one group: others came between",
        );
        let metric_type = self.families.get(id).map_or(MetricType::Unknown, |record| record.metric_type);
        role(self.dialect, metric_type, suffix).unwrap_or(Role::Value)
    }

    /// A declared family, and then a sample of its name with the suffix of another type: legal for a reader, since any
    /// other name is another family, but no writer means it.
    fn hint_at_suffix(&mut self, suffix: &str, place: Place, sample: &Sample<'a>) {
        let Some(open) = &self.open else { return };
        if open.type_line.is_none() {
            return;
        }
        let metric_type = open.metric_type;
        let is_suffix = SUFFIXES.contains(&suffix);
        match self.dialect {
            Dialect::OpenMetrics2
                if !open.has_samples && role(Dialect::OpenMetrics1, metric_type, suffix).is_some() =>
            {
                self.findings.tolerate(
                    "OM2-NAME-01",
                    place,
                    || "samples are called as their family, without suffix, in OpenMetrics 2.0",
                );
            }
            Dialect::OpenMetrics1 => {
                let is_state = || sample.labels().any(|label| label.name.raw() == open.name);
                let rule = match metric_type {
                    MetricType::StateSet if is_suffix || is_state() => "OM1-SS-07",
                    _ if !is_suffix => return,
                    MetricType::Gauge => "OM1-GAU-01",
                    MetricType::Unknown => "OM1-UNK-01",
                    MetricType::Info => "OM1-INF-01",
                    MetricType::Summary => "OM1-SUM-01",
                    _ => "OM1-FAM-19",
                };
                let allowed = suffixes_of(metric_type);
                let message = || format!("{suffix:?} is no suffix of a {metric_type}, which has {allowed}");
                self.findings.tolerate(rule, place, message);
            }
            _ => {}
        }
    }

    // -- samples

    /// A sample: finds its family, metric and point, and checks all that can be checked by now.
    #[inline]
    pub(super) fn sample(&mut self, before: &Sample<'a>, sample: &Sample<'a>, line: LineSpan) -> Placed {
        if let Some(placed) = self.next(before, sample, line) {
            return placed;
        }
        let role = self.place(sample, line);
        let Self { open: Some(open), .. } = self else {
            // Not reached: placing a sample opens a family.
            return Placed { family: 0, role, metric: 0, new_point: true, special: None, bound: f64::NAN };
        };
        let (family, metric_type) = (open.id, open.metric_type);
        if !open.has_samples {
            open.has_samples = true;
            open.samples = ByteSpan::new(line.span.start, line.span.start);
            if let Some(record) = self.families.get_mut(family) {
                record.has_samples = true;
            }
            self.seen.begin(open.reopened);
        }
        let grouped = is_grouped(self.dialect, metric_type);
        let special = self.seen.special(sample, || self.special_label(grouped, sample));
        let relation = self.seen.relate(before, sample, special);
        if relation != Relation::Same {
            let found = self.find_metric(relation, (before, sample), line, special);
            if found == Found::New && self.is_plain_number(role, metric_type, sample) {
                if let Some(placed) = self.next_number(role, sample, line) {
                    return placed;
                }
            }
            self.one_number = false;
            if found != Found::Current {
                self.enter_metric(found, role, sample, line);
            }
        }
        self.one_number = false;
        if let Some(open) = &mut self.open {
            open.samples.end = line.span.end + 1;
        }
        if role == Role::Value && has_suffixes_only(metric_type) && self.dialect != Dialect::OpenMetrics2 {
            // A name that the type does not have, which is a finding already; there is no point to look at.
            if let Some(group) = &mut self.group {
                group.broken = true;
            }
        }
        let time = self.time(sample, line, role);
        let bound = if time == Time::Astray { f64::NAN } else { self.value(role, sample, line, special) };
        if sample.exemplars().len() > 0 {
            self.exemplars(sample, line, role, metric_type, bound);
        }
        if let Some(fault) = sample.exemplar_fault() {
            self.findings.fault(fault, false);
        }
        let metric = self.group.map_or(0, |group| group.number);
        Placed { family, role, metric, new_point: time != Time::Same, special, bound }
    }

    /// The short way for samples that are like the one before, as most are: a number of the next metric, or the next
    /// bucket. `None`, and nothing done, if there is more to look at.
    #[inline]
    fn next(&mut self, before: &Sample<'a>, sample: &Sample<'a>, line: LineSpan) -> Option<Placed> {
        let is_like = sample.likeness.bare && !self.last_name.is_empty();
        if !is_like {
            return None;
        }
        let difference = self.seen.difference(before, sample)?;
        if self.last_role == Role::Bucket {
            return self.next_bucket(difference, sample, line);
        }
        let metric_type = self.open.as_ref()?.metric_type;
        if !self.one_number || !self.is_plain_number(self.last_role, metric_type, sample) {
            return None;
        }
        let is_next = if self.seen.is_in_turns() {
            self.seen.takes_turn(before, sample)
        } else {
            self.seen.is_sorted() && difference.rises
        };
        if !is_next {
            return None;
        }
        self.seen.pass(line.span.start);
        self.next_number(self.last_role, sample, line)
    }

    /// A bucket after one of the same metric.
    #[inline]
    fn next_bucket(&mut self, difference: Difference, sample: &Sample<'a>, line: LineSpan) -> Option<Placed> {
        let special = self.seen.last_special()?;
        let is_last = special + 1 == sample.labels.len();
        let is_same = is_last && difference.at >= sample.labels.get(special)?.value.start;
        if !is_same || !self.point.begun || self.point.time.is_some() {
            return None;
        }
        let open = self.open.as_mut()?;
        let metric = self.group.as_ref()?.number;
        let bound = self.point.next_bucket(sample, Some(special), sample.number()?)?;
        open.samples.end = line.span.end + 1;
        let family = open.id;
        Some(Placed { family, role: Role::Bucket, metric, new_point: false, special: Some(special), bound })
    }

    /// Whether a sample is a number that breaks no rule, and nothing else.
    #[inline]
    fn is_plain_number(&self, role: Role, metric_type: MetricType, sample: &Sample<'a>) -> bool {
        let Some(value) = sample.number().map(Number::as_f64) else { return false };
        let is_fine = match (role, metric_type) {
            (Role::Value, MetricType::Gauge | MetricType::Unknown) => !value.is_infinite(),
            (Role::Total, _) => value.is_finite() && (value >= 0.0 || self.is_prometheus()),
            _ => false,
        };
        let is_bare = || {
            sample.timestamp().is_none() && sample.exemplars().len() == 0 && sample.exemplar_fault().is_none()
        };
        is_fine && (sample.likeness.bare || is_bare())
    }

    /// The short way for most samples there are: a plain number, the only one of a metric that is new.
    #[inline]
    fn next_number(&mut self, role: Role, sample: &Sample<'a>, line: LineSpan) -> Option<Placed> {
        if !self.one_number {
            self.end_metric();
            self.one_number = true;
        }
        self.point.is_one(role);
        let first = Place::new(line, sample.series_span());
        let number = self.metrics;
        self.metrics = self.metrics.saturating_add(1);
        self.group = Some(Group { number, first, has_timestamps: false, broken: false });
        let open = self.open.as_mut()?;
        open.samples.end = line.span.end + 1;
        Some(Placed {
            family: open.id,
            role,
            metric: number,
            new_point: true,
            special: None,
            bound: f64::NAN,
        })
    }

    /// The label that tells samples of one metric apart.
    #[inline]
    fn special_label(&self, grouped: bool, sample: &Sample<'a>) -> Option<usize> {
        if !grouped {
            return None;
        }
        let name = special_name(self.of()?)?;
        sample.labels().position(|label| {
            label.name.raw() == name || label.name.is_escaped() && label.name.unescape() == name
        })
    }

    /// The open family, as the table of label sets wants it.
    fn of(&self) -> Option<Of<'_>> {
        self.open.as_ref().map(|open| Of { id: open.id, name: &open.name, metric_type: open.metric_type })
    }

    /// The sample's labels are not those of the sample before: checks their names, if those may be others, and finds out
    /// whether they were there earlier.
    #[inline]
    fn find_metric(
        &mut self,
        relation: Relation,
        (before, sample): (&Sample<'a>, &Sample<'a>),
        line: LineSpan,
        special: Option<usize>,
    ) -> Found {
        if !self.seen.same_names {
            self.check_labels(sample.labels(), sample.label_count(), line, self.rules.label_twice, true);
        }
        let Some(open) = &self.open else { return Found::New };
        let grouped = is_grouped(self.dialect, open.metric_type);
        if relation == Relation::Rises && self.seen.is_sorted() && !grouped {
            self.seen.pass(line.span.start);
            return Found::New;
        }
        if grouped {
            self.keep_metric();
        }
        let Some(open) = &self.open else { return Found::New };
        let of = Of { id: open.id, name: &open.name, metric_type: open.metric_type };
        self.seen.look_up((before, sample), special, of, open.samples, line)
    }

    /// Another metric begins, or one that was there before goes on.
    fn enter_metric(&mut self, found: Found, role: Role, sample: &Sample<'a>, line: LineSpan) {
        let place = Place::new(line, sample.series_span());
        let grouped = self.grouped_now();
        self.end_metric();
        let number = self.metrics;
        let has_timestamps = sample.timestamp().is_some();
        self.group = Some(Group { number, first: place, has_timestamps, broken: false });
        if let (true, Some(saved)) = (self.is_prometheus() && grouped, self.seen.saved()) {
            // Their samples may come in any order: what was known of the metric is taken up again.
            if saved.metric == u32::MAX {
                saved.metric = number;
                self.metrics = self.metrics.saturating_add(1);
            }
            saved.restore(&mut self.point);
            self.group = Some(Group { number: saved.metric, first: place, has_timestamps, broken: false });
            return;
        }
        self.metrics = self.metrics.saturating_add(1);
        if let Found::Before(offset) = found {
            self.group = Some(Group { number, first: place, has_timestamps, broken: true });
            self.returned(offset, place, role, grouped, has_timestamps);
        }
    }

    /// A metric that had been left is back.
    fn returned(&mut self, offset: usize, place: Place, role: Role, grouped: bool, has_timestamp: bool) {
        let related = self.seen.place_of(offset);
        let interleaved = grouped || role == Role::Created || has_timestamp;
        if interleaved && self.open.as_ref().is_some_and(|open| open.reopened) {
            return; // so is the whole family, which is a finding already
        }
        if interleaved && !self.is_prometheus() {
            self.findings.add_related(
                self.rules.metric_interleaved,
                place,
                (related, "it begins here"),
                true,
                || "the samples of a metric are not one group: others came between",
            );
        } else {
            self.findings.add_related(
                self.rules.duplicate,
                place,
                (related, "it is first here"),
                true,
                || "a second sample of the same name and labels",
            );
        }
    }

    /// Checks that label names are there once, and are not reserved.
    fn check_labels(
        &mut self,
        labels: impl Iterator<Item = RawLabel<'a>> + Clone,
        count: usize,
        line: LineSpan,
        twice: &'static str,
        reserved: bool,
    ) {
        if let Some((first, second)) = repeated_name(labels.clone(), count) {
            let related = (Place::new(line, first.name.span()), "it is first here");
            self.findings.add_related(twice, Place::new(line, second.name.span()), related, true, || {
                format!("label {:?} is given twice", second.name.raw())
            });
        }
        if reserved && !self.is_prometheus() {
            for label in labels {
                let name = label.name.raw();
                let excepted =
                    self.dialect == Dialect::OpenMetrics2 && matches!(name, "__type__" | "__unit__");
                if name.starts_with('_') && !excepted {
                    self.findings.add(self.rules.label_reserved, Place::new(line, label.name.span()), || {
                        format!("label names that begin with an underscore, as {name:?}, are reserved")
                    });
                }
            }
        }
    }

    fn grouped_now(&self) -> bool {
        self.open.as_ref().is_some_and(|open| is_grouped(self.dialect, open.metric_type))
    }

    // -- the ends of things

    /// Keeps what is known of a metric whose samples may come back.
    fn keep_metric(&mut self) {
        if self.is_prometheus() && self.grouped_now() {
            if let Some(saved) = self.seen.saved() {
                saved.keep(&self.point);
            }
        }
    }

    /// Ends the metric being read.
    fn end_metric(&mut self) {
        if self.group.is_some() {
            // With the Prometheus formats, it ends with the exposition: more of its samples may come.
            if !(self.is_prometheus() && self.grouped_now()) {
                self.end_point();
            }
        }
        self.group = None;
        self.point.clear();
    }

    /// Checks what a point has to have.
    fn end_point(&mut self) {
        let (Some(group), Some(open)) = (self.group, &self.open) else { return };
        if !group.broken {
            let metadata = [open.type_line.is_some(), open.help_line.is_some(), open.unit_line.is_some()];
            let before = metadata.into_iter().map(u64::from).sum::<u64>();
            let is_first = group.first.line.number == open.first.line.number + before;
            self.point.end(&mut self.findings, self.dialect, open.metric_type, group.first, is_first);
        }
    }

    /// After the last line: checks what can be checked only now.
    pub(super) fn finish(&mut self) {
        self.close();
        let mut point = Point::default();
        for saved in self.seen.all_saved() {
            if let Some(record) = self.families.get(saved.family) {
                saved.restore(&mut point);
                let first = saved.place(self.input);
                point.end(&mut self.findings, self.dialect, record.metric_type, first, false);
            }
        }
        self.findings.sort();
    }
}

/// Whether a metric of this type has several samples a point.
pub(super) fn is_grouped(dialect: Dialect, metric_type: MetricType) -> bool {
    match metric_type {
        MetricType::StateSet => true,
        MetricType::Histogram | MetricType::GaugeHistogram | MetricType::Summary => {
            dialect != Dialect::OpenMetrics2
        }
        _ => false,
    }
}

/// Whether samples of this type have names with suffixes only.
fn has_suffixes_only(metric_type: MetricType) -> bool {
    matches!(metric_type, MetricType::Histogram | MetricType::GaugeHistogram)
}

/// The first double quote without a backslash before it.
fn raw_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let found = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

fn suffixes_of(metric_type: MetricType) -> &'static str {
    match metric_type {
        MetricType::Counter => "_total or _created",
        MetricType::Info => "_info",
        MetricType::GaugeHistogram => "_bucket, _gcount or _gsum",
        MetricType::Summary => "_count, _sum or _created",
        MetricType::Gauge | MetricType::StateSet | MetricType::Unknown => "none",
        MetricType::Histogram => "_bucket, _count, _sum or _created",
    }
}

/// The first two labels of the same name.
fn repeated_name<'a>(
    labels: impl Iterator<Item = RawLabel<'a>> + Clone,
    count: usize,
) -> Option<(RawLabel<'a>, RawLabel<'a>)> {
    if count <= 16 {
        let mut rest = labels;
        while let Some(first) = rest.next() {
            let name = first.name.unescape();
            if let Some(second) = rest.clone().find(|other| other.name.unescape() == name) {
                return Some((first, second));
            }
        }
        return None;
    }
    // A line may have millions of them: of each a hash is kept, and two of one hash are looked at again.
    let hasher = RandomState::default();
    let hash = |label: RawLabel<'a>| hasher.hash_one(&*label.name.unescape());
    let mut hashes: Vec<(u64, usize)> = labels.clone().map(hash).zip(0..).collect();
    hashes.sort_unstable();
    let mut from = 0;
    loop {
        let pairs = hashes.windows(2).filter_map(|pair| match pair {
            [(a, first), (b, second)] if a == b && *second >= from => Some((*second, *first)),
            _ => None,
        });
        let (second, first) = pairs.min()?;
        let (first, other) = (labels.clone().nth(first)?, labels.clone().nth(second)?);
        if first.name.unescape() == other.name.unescape() {
            return Some((first, other));
        }
        from = second + 1;
    }
}
