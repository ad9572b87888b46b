//! Which label sets a family has had, at a few bytes a metric.
//!
//! Most expositions are sorted: while the metrics of a family rise, with the same label names in the same order and no
//! escapes, no two can be the same, and nothing is kept but the last. When that order breaks, the lines of the family so
//! far are read once more to see whether they have another one, see [`Turns`]; else they are noted in a table: first by
//! their text, and when that stops to say all (other names, another order, escapes) by a hash that knows no order. Each
//! line is read again at most three times, so time stays linear.
//!
//! The table is one for the whole exposition and holds 32 bits of a keyed hash and the offset of a line; whatever
//! looks equal is confirmed by reading that line again. Offsets beyond 4 GiB are not told apart from that limit, so
//! duplicates there may go unseen.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::super::Dialect;
use super::super::entries::{ByteSpan, Entries, Entry, LabelParts, LineSpan, RawLabel, Sample};
use super::findings::Place;
use super::judge::is_grouped;
use super::metric::Saved;
use super::names::role;
use crate::model::MetricType;

/// How a sample's labels compare with those of the sample before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// The same labels: the same metric.
    Same,
    /// The same names in the same order, and values that come later by their bytes.
    Rises,
    /// Something else; may still be the same metric.
    Other,
}

/// Where a sample's labels differ from those of the sample before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    /// The first byte in the input that does.
    pub(super) at: usize,
    /// Whether the value there comes later by its bytes.
    pub(super) rises: bool,
}

/// Whether a label set was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    New,
    /// It is the metric being read, written another way.
    Current,
    /// It is another metric of the family, first in the line at this offset.
    Before(usize),
}

/// How the metrics of the open family are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Sorted,
    InTurns,
    ByText,
    ByHash,
}

#[derive(Clone, Copy)]
struct Noted {
    hash: u32,
    offset: u32,
}

/// The family whose label sets are looked up.
#[derive(Clone, Copy)]
pub(super) struct Of<'n> {
    pub(super) id: u32,
    pub(super) name: &'n str,
    pub(super) metric_type: MetricType,
}

#[allow(clippy::struct_excessive_bools)] // each stands for itself; there is no state machine in them
pub(super) struct Seen<'a> {
    input: &'a [u8],
    dialect: Dialect,
    quoted_names: bool,
    hasher: RandomState,
    table: HashTable<Noted>,
    mode: Mode,
    turns: Turns<'a>,
    /// Whether there was a sample in this family.
    has_last: bool,
    /// Which label of it was not the metric's.
    last_special: Option<usize>,
    /// Whether the metric's labels of the sample just compared have the names of the one before, which have been looked
    /// at.
    pub(super) same_names: bool,
    /// Whether the labels of the sample just compared have the names of the one before and no escapes.
    alike: bool,
    /// Where the metric being read began.
    current: usize,
    /// Metrics whose samples may come back, in the Prometheus formats.
    saved: Vec<Saved>,
    saved_by_hash: HashTable<u32>,
    current_saved: Option<u32>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(input: &'a [u8], dialect: Dialect) -> Self {
        Self {
            input,
            dialect,
            quoted_names: false,
            hasher: RandomState::default(),
            table: HashTable::new(),
            mode: Mode::Sorted,
            turns: Turns::default(),
            has_last: false,
            last_special: None,
            same_names: false,
            alike: false,
            current: usize::MAX,
            saved: Vec::new(),
            saved_by_hash: HashTable::new(),
            current_saved: None,
        }
    }

    /// Takes names in quotes whatever the dialect.
    pub(super) fn allow_quoted_names(&mut self) {
        self.quoted_names = true;
    }

    /// A reader of some lines again.
    fn entries<'l>(&self, lines: &'l [u8]) -> Entries<'l> {
        let entries = Entries::new(lines, self.dialect);
        if self.quoted_names { entries.with_quoted_names() } else { entries }
    }

    /// Another family begins, or one that had been left, whose label sets are in the table.
    pub(super) fn begin(&mut self, tabled: bool) {
        self.mode = if tabled { Mode::ByHash } else { Mode::Sorted };
        self.has_last = false;
        self.current = usize::MAX;
        self.current_saved = None;
    }

    pub(super) fn is_sorted(&self) -> bool {
        self.mode == Mode::Sorted
    }

    pub(super) fn is_in_turns(&self) -> bool {
        self.mode == Mode::InTurns
    }

    /// Whether a sample of the names of the one before, without escapes, comes after all before it in a family that has
    /// its metrics in turns.
    #[inline]
    pub(super) fn takes_turn(&mut self, before: &Sample<'a>, sample: &Sample<'a>) -> bool {
        self.turns.take(before, sample)
    }

    /// Whether the open family's label sets are in the table, by their hash.
    pub(super) fn is_tabled(&self) -> bool {
        self.mode == Mode::ByHash
    }

    /// Which label is not the metric's: where it stood before if the labels are the same, else whatever `find` says.
    #[inline]
    pub(super) fn special(&self, sample: &Sample<'a>, find: impl FnOnce() -> Option<usize>) -> Option<usize> {
        if self.has_last && sample.likeness.labels { self.last_special } else { find() }
    }

    /// How a sample compares with the one before, if the fast path has seen that both have the same names of labels, and
    /// no escapes are in them: the texts differ first where the values do.
    #[inline]
    pub(super) fn difference(&self, before: &Sample<'a>, sample: &Sample<'a>) -> Option<Difference> {
        let likeness = &sample.likeness;
        let is_told = self.has_last && likeness.name && likeness.labels;
        if !is_told || likeness.escaped || before.likeness.escaped {
            return None;
        }
        let byte = |of: &Sample<'a>| {
            let at = of.series.start + likeness.common;
            of.text.as_bytes().get(at.wrapping_sub(of.base)).copied().filter(|_| at < of.series.end)
        };
        let (old, new) = (byte(before)?, byte(sample)?);
        // Where a value ends the other one goes on, and comes later.
        let rises = old == b'"' || (new != b'"' && new > old);
        Some(Difference { at: sample.series.start + likeness.common, rises })
    }

    /// The label that was not the metric's in the sample before.
    #[inline]
    pub(super) fn last_special(&self) -> Option<usize> {
        self.last_special
    }

    /// Compares with the sample before.
    #[inline]
    pub(super) fn relate(
        &mut self,
        before: &Sample<'a>,
        sample: &Sample<'a>,
        special: Option<usize>,
    ) -> Relation {
        let relation = if self.has_last && sample.likeness.labels && special == self.last_special {
            self.compare_alike(before, sample, special)
        } else {
            self.compare(before, sample, special)
        };
        self.has_last = true;
        self.last_special = special;
        relation
    }

    /// Compares labels that have the same names in the same order.
    #[inline]
    fn compare_alike(
        &mut self,
        before: &Sample<'a>,
        sample: &Sample<'a>,
        special: Option<usize>,
    ) -> Relation {
        let mut at = 0;
        let mut order = std::cmp::Ordering::Equal;
        while let (Some(label), Some(other)) = (sample.labels.get(at), before.labels.get(at)) {
            if Some(at) != special {
                order = sample.bytes_of(label.value).cmp(before.bytes_of(other.value));
                if order.is_ne() {
                    break;
                }
            }
            at += 1;
        }
        let escaped = sample.likeness.escaped || before.likeness.escaped;
        self.same_names = true;
        self.alike = order.is_ne() && !escaped;
        match order {
            std::cmp::Ordering::Equal => Relation::Same,
            std::cmp::Ordering::Greater if !escaped => Relation::Rises,
            _ => Relation::Other,
        }
    }

    fn compare(&mut self, before: &Sample<'a>, sample: &Sample<'a>, special: Option<usize>) -> Relation {
        let count =
            |of: &Sample<'_>, special: Option<usize>| of.labels.len() - usize::from(special.is_some());
        self.alike = false;
        self.same_names = false;
        if !self.has_last || count(sample, special) != count(before, self.last_special) {
            return Relation::Other;
        }
        let own = |special| move |(at, _): &(usize, &LabelParts)| Some(*at) != special;
        let last = before.labels.iter().enumerate().filter(own(self.last_special));
        let mut order = std::cmp::Ordering::Equal;
        let mut escaped = false;
        for ((_, label), (_, other)) in sample.labels.iter().enumerate().filter(own(special)).zip(last) {
            if sample.bytes_of(label.name) != before.bytes_of(other.name) {
                return Relation::Other;
            }
            escaped |= label.name.escaped | label.value.escaped | other.value.escaped;
            if order.is_eq() {
                order = sample.bytes_of(label.value).cmp(before.bytes_of(other.value));
            }
        }
        self.same_names = true;
        if order.is_eq() {
            return Relation::Same;
        }
        self.alike = !escaped;
        if order.is_gt() && !escaped { Relation::Rises } else { Relation::Other }
    }

    /// Looks a metric up among those of its family, and notes it. `stretch` are the family's lines up to this one.
    pub(super) fn look_up(
        &mut self,
        (before, sample): (&Sample<'a>, &Sample<'a>),
        special: Option<usize>,
        of: Of<'_>,
        stretch: ByteSpan,
        line: LineSpan,
    ) -> Found {
        let offset = line.span.start;
        if is_grouped(self.dialect, of.metric_type) {
            let hash = self.hash(of.id, sample, special);
            if self.dialect == Dialect::Prometheus {
                return self.look_up_saved(hash, sample, special, of, line);
            }
            return self.find_or_note(hash, sample, special, of, offset);
        }
        let is_plain = self.alike && is_canonical(sample);
        if self.mode == Mode::Sorted {
            if self.current == usize::MAX {
                self.current = offset;
                return Found::New;
            }
            if is_plain && self.are_in_turns(stretch) {
                self.mode = Mode::InTurns;
            }
        }
        if self.mode == Mode::InTurns && is_plain && self.turns.take(before, sample) {
            self.current = offset;
            return Found::New;
        }
        let noted = match self.mode {
            Mode::Sorted | Mode::InTurns => false,
            Mode::ByText => is_plain,
            Mode::ByHash => true,
        };
        if !noted {
            let was_noted = self.mode == Mode::ByText;
            self.mode = if is_plain && !was_noted { Mode::ByText } else { Mode::ByHash };
            self.note_stretch(of, stretch);
        }
        let hash = if self.mode == Mode::ByText {
            self.hash_text(of.id, sample)
        } else {
            self.hash(of.id, sample, special)
        };
        self.find_or_note(hash, sample, special, of, offset)
    }

    /// Notes that the next metric is another one, without keeping it.
    pub(super) fn pass(&mut self, offset: usize) {
        self.current = offset;
    }

    fn find_or_note(
        &mut self,
        hash: u32,
        sample: &Sample<'a>,
        special: Option<usize>,
        of: Of<'_>,
        offset: usize,
    ) -> Found {
        match self.noted(hash, sample, special, of) {
            Some(at) if at == self.current => Found::Current,
            Some(at) => {
                self.current = at;
                Found::Before(at)
            }
            None => {
                self.current = offset;
                self.note(hash, offset);
                Found::New
            }
        }
    }

    /// Where the metric was first, if it is in the table.
    fn noted(&self, hash: u32, sample: &Sample<'_>, special: Option<usize>, of: Of<'_>) -> Option<usize> {
        let is_it =
            |noted: &Noted| noted.hash == hash && self.is_same(noted.offset as usize, sample, special, of);
        self.table.find(spread(hash), is_it).map(|noted| noted.offset as usize)
    }

    fn note(&mut self, hash: u32, offset: usize) {
        let noted = Noted { hash, offset: u32::try_from(offset).unwrap_or(u32::MAX) };
        self.table.insert_unique(spread(hash), noted, |noted| spread(noted.hash));
    }

    /// Whether the lines of the family so far, which are sorted, have their metrics in turns.
    fn are_in_turns(&mut self, stretch: ByteSpan) -> bool {
        let Some(lines) = self.input.get(stretch.start..stretch.end) else { return false };
        let mut entries = self.entries(lines);
        self.turns.clear();
        while let Some(entry) = entries.next_entry() {
            let is_sample = matches!(entry, Ok(Entry::Sample(_)));
            if is_sample && !self.turns.take(entries.before(), entries.sample()) {
                return false;
            }
        }
        true
    }

    /// Notes the metrics of lines that have been looked at, each by its first line.
    fn note_stretch(&mut self, of: Of<'_>, stretch: ByteSpan) {
        let Some(lines) = self.input.get(stretch.start..stretch.end) else { return };
        let mut entries = self.entries(lines);
        let mut last = None;
        while let Some(entry) = entries.next_entry() {
            let Ok(Entry::Sample(sample)) = entry else { continue };
            let hash = if self.mode == Mode::ByText {
                self.hash_text(of.id, sample)
            } else {
                self.hash(of.id, sample, None)
            };
            if last.replace(hash) == Some(hash) {
                continue; // a further sample of the same metric
            }
            // The line is where its series begins, but for blanks.
            if self.noted(hash, sample, None, of).is_none() {
                self.note(hash, stretch.start + sample.series.start);
            }
        }
    }

    /// Notes the metrics of a family that was left and has come back.
    pub(super) fn table(&mut self, of: Of<'_>, stretch: ByteSpan) {
        self.mode = Mode::ByHash;
        if !is_grouped(self.dialect, of.metric_type) {
            self.note_stretch(of, stretch);
        }
    }

    // -- metrics that may come back

    fn look_up_saved(
        &mut self,
        hash: u32,
        sample: &Sample<'a>,
        special: Option<usize>,
        of: Of<'_>,
        line: LineSpan,
    ) -> Found {
        let found = self
            .saved_by_hash
            .find(spread(hash), |at| {
                self.saved.get(*at as usize).is_some_and(|saved| {
                    saved.hash == hash
                        && saved.family == of.id
                        && self.is_same(saved.offset as usize, sample, special, of)
                })
            })
            .copied();
        if let Some(at) = found {
            if self.current_saved == Some(at) {
                return Found::Current;
            }
            self.current_saved = Some(at);
            return Found::Before(self.saved.get(at as usize).map_or(0, |saved| saved.offset as usize));
        }
        let at = u32::try_from(self.saved.len()).unwrap_or(u32::MAX);
        let offset = u32::try_from(line.span.start).unwrap_or(u32::MAX);
        let number = u32::try_from(line.number).unwrap_or(u32::MAX);
        self.saved.push(Saved::new(hash, of.id, offset, number));
        let saved = &self.saved;
        self.saved_by_hash.insert_unique(spread(hash), at, |at| {
            spread(saved.get(*at as usize).map_or(0, |saved| saved.hash))
        });
        self.current_saved = Some(at);
        Found::New
    }

    /// What is known of the metric that was looked up last.
    pub(super) fn saved(&mut self) -> Option<&mut Saved> {
        self.current_saved.and_then(|at| self.saved.get_mut(at as usize))
    }

    pub(super) fn all_saved(&self) -> &[Saved] {
        &self.saved
    }

    // -- equality of label sets

    /// A hash of family and label set that does not depend on the order of the labels.
    fn hash(&self, family: u32, sample: &Sample<'_>, special: Option<usize>) -> u32 {
        let mut sum = self.hasher.hash_one(family);
        for (at, label) in sample.labels().enumerate() {
            if Some(at) == special {
                continue;
            }
            let mut hasher = self.hasher.build_hasher();
            hasher.write(label.name.unescape().as_bytes());
            hasher.write_u8(0xff); // in no UTF-8
            hasher.write(label.value.unescape().as_bytes());
            sum = sum.wrapping_add(hasher.finish());
        }
        fold(sum)
    }

    /// A hash of family and the text of the labels; meets no hash of the other kind but by chance.
    fn hash_text(&self, family: u32, sample: &Sample<'_>) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(!family);
        hasher.write(sample.text(ByteSpan::new(sample.name.end, sample.series.end)).as_bytes());
        fold(hasher.finish())
    }

    /// Whether the line at `offset` has a sample of this family with the same labels, in any order.
    fn is_same(&self, offset: usize, sample: &Sample<'_>, special: Option<usize>, of: Of<'_>) -> bool {
        let Some(rest) = self.input.get(offset..) else { return false };
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let mut entries = self.entries(rest.get(..length).unwrap_or_default());
        let Some(Ok(Entry::Sample(other))) = entries.next_entry() else { return false };
        let name = other.name().unescape();
        let ours =
            name.strip_prefix(of.name).is_some_and(|s| role(self.dialect, of.metric_type, s).is_some());
        if !ours {
            return false;
        }
        let special_name = special_name(of);
        let special_of_other =
            special_name.and_then(|name| other.labels().position(|l| l.name.unescape() == name));
        same_labels(own_labels(sample, special), own_labels(other, special_of_other))
    }

    /// The series in the line at `offset`, for findings to point at.
    pub(super) fn place_of(&self, offset: usize) -> Place {
        let before = self.input.get(..offset).unwrap_or_default();
        let number = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let rest = self.input.get(offset..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let mut entries = self.entries(rest.get(..length).unwrap_or_default());
        let series = match entries.next_entry() {
            Some(Ok(Entry::Sample(sample))) => sample.series_span(),
            _ => ByteSpan::new(0, length),
        };
        Place::new(
            LineSpan { number, span: ByteSpan::new(start, offset + length) },
            ByteSpan::new(offset + series.start, offset + series.end),
        )
    }
}

/// An order that families have which are not sorted, such as those of processors by number with their modes in some
/// fixed order: whenever labels before the last one change, they rise, by their bytes or by length and bytes (as numbers
/// do); and until they do, values of the last label come in the order in which they were first seen, whatever it is.
/// Metrics in such an order are all different.
#[derive(Default)]
struct Turns<'a> {
    /// Values of the last label as they were first seen.
    values: Vec<&'a [u8]>,
    /// Which of them the last sample has.
    at: usize,
    /// Whether these rise by length and bytes.
    values_rise: bool,
    /// Whether what comes before rose so far, by bytes or by length and bytes.
    rises: bool,
    rises_by_length: bool,
}

/// So many values are kept; with more, the table is quicker.
const VALUES_KEPT: usize = 64;

impl<'a> Turns<'a> {
    fn clear(&mut self) {
        self.values.clear();
        (self.at, self.values_rise, self.rises, self.rises_by_length) = (0, true, true, true);
    }

    /// Takes the next sample, which has the names of the one before; `false` if it breaks the order.
    fn take(&mut self, before: &Sample<'a>, sample: &Sample<'a>) -> bool {
        let Some((last, others)) = sample.labels.split_last() else { return false };
        let value = sample.bytes_of(last.value);
        if self.values.is_empty() {
            self.values.push(value);
            return true;
        }
        let pairs = others.iter().zip(&before.labels);
        let mut pairs = pairs.map(|(new, old)| (sample.bytes_of(new.value), before.bytes_of(old.value)));
        let next = match pairs.find(|(new, old)| new != old) {
            Some((new, old)) => {
                self.rises &= new > old;
                self.rises_by_length &= by_length(new) > by_length(old);
                0
            }
            None => self.at + 1,
        };
        (self.rises || self.rises_by_length) && self.turn(value, next)
    }

    /// Finds a value among those from `next` on, or adds it to them if it is new.
    fn turn(&mut self, value: &'a [u8], next: usize) -> bool {
        let (passed, ahead) = self.values.split_at_checked(next).unwrap_or((&self.values, &[]));
        if let Some(at) = ahead.iter().position(|known| *known == value) {
            self.at = next + at;
            return true;
        }
        let is_highest = self.values.last().is_some_and(|last| by_length(value) > by_length(last));
        let is_new = (self.values_rise && is_highest) || !passed.contains(&value);
        if !is_new || self.values.len() >= VALUES_KEPT {
            return false;
        }
        self.values_rise &= is_highest;
        self.at = self.values.len();
        self.values.push(value);
        true
    }
}

fn by_length(value: &[u8]) -> (usize, &[u8]) {
    (value.len(), value)
}

/// The name of the label that is not the metric's in families of this type.
pub(super) fn special_name(of: Of<'_>) -> Option<&str> {
    match of.metric_type {
        MetricType::Histogram | MetricType::GaugeHistogram => Some("le"),
        MetricType::Summary => Some("quantile"),
        MetricType::StateSet => Some(of.name),
        _ => None,
    }
}

fn own_labels<'s, 'a>(
    sample: &'s Sample<'a>,
    special: Option<usize>,
) -> impl Iterator<Item = RawLabel<'a>> + Clone + use<'s, 'a> {
    sample.labels().enumerate().filter(move |(at, _)| Some(*at) != special).map(|(_, label)| label)
}

fn same_labels<'l, 'r>(
    left: impl Iterator<Item = RawLabel<'l>>,
    right: impl Iterator<Item = RawLabel<'r>>,
) -> bool {
    fn sorted<'a>(labels: impl Iterator<Item = RawLabel<'a>>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        let mut labels: Vec<_> =
            labels.map(|label| (label.name.unescape(), label.value.unescape())).collect();
        labels.sort_unstable();
        labels
    }
    sorted(left) == sorted(right)
}

/// Whether the text of the labels is all there is to them: no blanks, no comma at the end, no quotes around names, no
/// `{}` that could as well be left out.
fn is_canonical(sample: &Sample<'_>) -> bool {
    if sample.likeness.canonical {
        return !sample.labels.is_empty();
    }
    let labels: usize =
        sample.labels.iter().map(|l| l.name.end - l.name.start + l.value.end - l.value.start + 4).sum();
    // `{`, `}` and the commas between, one less than labels
    !sample.labels.is_empty() && sample.name.end + labels + 1 == sample.series.end
}

pub(super) fn fold(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// Table hashes use the top bits as well as the low ones.
pub(super) fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Write;

    use super::*;
    use crate::format::assemble::{Finding, check};
    use quickcheck::quickcheck;

    /// Whether a family with these labels is found to repeat itself exactly if it does.
    fn judged_rightly(labels: &[(&str, &str)]) -> bool {
        let mut text = "# TYPE g gauge\n".to_owned();
        for (cpu, mode) in labels {
            writeln!(text, "g{{cpu=\"{cpu}\",mode=\"{mode}\"}} 1").unwrap();
        }
        text.push_str("# EOF\n");
        let repeats = labels.iter().collect::<HashSet<_>>().len() < labels.len();
        let findings = check(text.as_bytes(), Dialect::OpenMetrics1);
        findings.iter().all(|finding| finding.rule == "OM1-LAB-04") && findings.is_empty() != repeats
    }

    #[test]
    fn whatever_repeats_often_is_told_to_repeat_its_first_line() {
        let mut text = "# TYPE g gauge\n".to_owned();
        for _ in 0..10_000 {
            text.push_str("g{a=\"1\"} 1\ng{a=\"0\"} 1\n");
        }
        // From here on a hash of the text is not enough; the lines before get another one.
        text.push_str("g{b=\"\\n\"} 1\ng{a=\"1\"} 1\n# EOF\n");
        let findings = check(text.as_bytes(), Dialect::OpenMetrics1);
        assert_eq!(findings.counts(), [("OM1-LAB-04", 19_999)]);
        let lines = |f: &Finding| (f.position.line, f.related.as_ref().map(|related| related.position.line));
        let expected = (4..104).map(|line| (line, Some(2 + line % 2)));
        assert!(findings.iter().map(lines).eq(expected));
    }

    quickcheck! {
        fn what_repeats_is_found_whatever_the_order(runs: u8, changes: Vec<(usize, u8, u8)>) -> bool {
            const CPUS: [&str; 12] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
            const MODES: [&str; 6] = ["user", "idle", "a", "a b", "", "system"];
            let mut labels: Vec<_> = (0..usize::from(runs) % 13)
                .flat_map(|cpu| MODES.iter().skip(cpu % 3).map(move |mode| (cpu, *mode)))
                .filter_map(|(cpu, mode)| Some((*CPUS.get(cpu)?, mode)))
                .collect();
            let nested = judged_rightly(&labels);
            for (at, cpu, mode) in changes {
                let change = (CPUS[usize::from(cpu) % 12], MODES[usize::from(mode) % 6]);
                match at % 3 {
                    0 => labels.push(change),
                    1 => labels.insert(at % (labels.len() + 1), change),
                    _ if labels.is_empty() => {}
                    _ => drop(labels.remove(at % labels.len())),
                }
            }
            nested && judged_rightly(&labels)
        }
    }
}
