//! Which label sets a family has had, at a few bytes a metric.
//!
//! Most expositions are sorted: while the metrics of a family rise, with the same label names in the same order and no
//! escapes, no two can be the same, and nothing is kept but the last. When the order breaks, the lines of the family so
//! far are read once more and noted in a table: first by their text, and when that stops to say all (other names,
//! another order, escapes) by a hash that knows no order. Each line is read again at most twice, so time stays linear.
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

    /// Whether the open family's label sets are in the table, by their hash.
    pub(super) fn is_tabled(&self) -> bool {
        self.mode == Mode::ByHash
    }

    /// Which label is not the metric's: where it stood before if the labels are the same, else whatever `find` says.
    #[inline]
    pub(super) fn special(&self, sample: &Sample<'a>, find: impl FnOnce() -> Option<usize>) -> Option<usize> {
        if self.has_last && sample.likeness.labels { self.last_special } else { find() }
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
        sample: &Sample<'a>,
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
        if self.mode == Mode::Sorted {
            if self.current == usize::MAX {
                self.current = offset;
                return Found::New;
            }
            self.mode = if self.alike && is_canonical(sample) { Mode::ByText } else { Mode::ByHash };
            self.note_stretch(of, stretch);
        } else if self.mode == Mode::ByText && !(self.alike && is_canonical(sample)) {
            self.mode = Mode::ByHash;
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
        let spread = spread(hash);
        let found = self
            .table
            .find(spread, |noted| {
                noted.hash == hash && self.is_same(noted.offset as usize, sample, special, of)
            })
            .map(|noted| noted.offset as usize);
        match found {
            Some(at) if at == self.current => Found::Current,
            Some(at) => {
                self.current = at;
                Found::Before(at)
            }
            None => {
                self.current = offset;
                let noted = Noted { hash, offset: u32::try_from(offset).unwrap_or(u32::MAX) };
                self.table.insert_unique(spread, noted, |noted| self::spread(noted.hash));
                Found::New
            }
        }
    }

    /// Notes the metrics of lines that are known to have each one once.
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
            let offset = stretch.start + sample.series.start;
            let noted = Noted { hash, offset: u32::try_from(offset).unwrap_or(u32::MAX) };
            self.table.insert_unique(spread(hash), noted, |noted| spread(noted.hash));
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
