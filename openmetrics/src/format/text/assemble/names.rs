//! Which families there are, and whose a sample is by its name.

use std::borrow::Cow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::super::Dialect;
use super::super::entries::{ByteSpan, LineSpan};
use super::seen::{fold, spread};
use crate::model::MetricType;

/// What a sample is of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The value itself, or a composite one.
    Value,
    Total,
    Created,
    Info,
    State,
    Bucket,
    Count,
    Sum,
    Quantile,
}

/// The suffixes of sample names, with what a sample of a type is by its suffix. No suffix here ends in another one.
pub(super) const SUFFIXES: [&str; 8] =
    ["_total", "_created", "_info", "_bucket", "_count", "_sum", "_gcount", "_gsum"];

/// What a sample called after the family and `suffix` is in a family of this type; `None` if it is none of its.
pub(super) fn role(dialect: Dialect, metric_type: MetricType, suffix: &str) -> Option<Role> {
    use MetricType::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
    if dialect == Dialect::OpenMetrics2 {
        return suffix.is_empty().then_some(match metric_type {
            StateSet => Role::State,
            Info => Role::Info,
            Counter => Role::Total,
            _ => Role::Value,
        });
    }
    match (metric_type, suffix) {
        (Gauge | Unknown, "") => Some(Role::Value),
        (StateSet, "") => Some(Role::State),
        (Counter, "") if dialect == Dialect::Prometheus => Some(Role::Total),
        (Counter, "_total") if dialect == Dialect::OpenMetrics1 => Some(Role::Total),
        (Counter | Histogram | Summary, "_created") if dialect == Dialect::OpenMetrics1 => {
            Some(Role::Created)
        }
        (Info, "_info") => Some(Role::Info),
        (Histogram | GaugeHistogram, "_bucket") => Some(Role::Bucket),
        (Histogram | Summary, "_count") | (GaugeHistogram, "_gcount") => Some(Role::Count),
        (Histogram | Summary, "_sum") | (GaugeHistogram, "_gsum") => Some(Role::Sum),
        (Summary, "") => Some(Role::Quantile),
        _ => None,
    }
}

/// Splits one of the [`SUFFIXES`] off a name.
pub(super) fn split_suffix(name: &str) -> Option<(&str, &'static str)> {
    SUFFIXES.into_iter().find_map(|suffix| Some((name.strip_suffix(suffix)?, suffix)))
}

/// What is kept of a family when another one is open. Small, since hostile input may have a family a line.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)] // each stands for itself; there is no state machine in them
pub(super) struct Record {
    /// Where its name was first, and how long it is there.
    pub(super) name: ByteSpan,
    /// The line of that.
    pub(super) line: u64,
    /// The lines of its samples whose label sets are not in the table of those seen.
    pub(super) untabled: ByteSpan,
    pub(super) metric_type: MetricType,
    pub(super) escaped: bool,
    pub(super) has_type: bool,
    pub(super) has_help: bool,
    pub(super) has_unit: bool,
    pub(super) has_samples: bool,
    pub(super) tabled: bool,
}

/// All families by name.
pub(super) struct Families {
    hasher: RandomState,
    records: Vec<Record>,
    by_name: HashTable<Named>,
    /// Families whose names end in a suffix, by what stands before it: `a_total` is a sample name of counter `a` too.
    by_stem: HashTable<Named>,
}

/// A family, and the hash of its name or stem.
#[derive(Clone, Copy)]
struct Named {
    hash: u32,
    id: u32,
}

impl Named {
    /// The hash that tables have, of which this keeps a part.
    fn spread(self) -> u64 {
        spread(self.hash)
    }
}

impl Families {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            records: Vec::new(),
            by_name: HashTable::new(),
            by_stem: HashTable::new(),
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<&Record> {
        self.records.get(id as usize)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Record> {
        self.records.get_mut(id as usize)
    }

    /// The name of a family, from where it stands in the input.
    pub(super) fn name<'i>(&self, input: &'i [u8], id: u32) -> Cow<'i, str> {
        let Some(record) = self.get(id) else { return Cow::Borrowed("") };
        record.name_in(input)
    }

    pub(super) fn find(&self, input: &[u8], name: &str) -> Option<u32> {
        let hash = fold(self.hasher.hash_one(name));
        let is_it = |named: &Named| {
            named.hash == hash && self.get(named.id).is_some_and(|record| record.is_called(input, name))
        };
        self.by_name.find(spread(hash), is_it).map(|named| named.id)
    }

    /// The first family whose name is `stem` and a suffix that `matches`.
    pub(super) fn find_suffixed(
        &self,
        input: &[u8],
        stem: &str,
        matches: impl Fn(&str) -> bool,
    ) -> Option<u32> {
        if self.by_stem.is_empty() {
            return None;
        }
        let hash = fold(self.hasher.hash_one(stem));
        let is_it = |named: &&Named| {
            let name = self.name(input, named.id);
            named.hash == hash && split_suffix(&name).is_some_and(|(s, suffix)| s == stem && matches(suffix))
        };
        // The table's order is another one each time.
        self.by_stem.iter_hash(spread(hash)).filter(is_it).map(|named| named.id).min()
    }

    /// Adds a family that is not there yet.
    pub(super) fn insert(&mut self, name: &str, record: Record) -> u32 {
        let id = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.records.push(record);
        let Self { hasher, by_name, by_stem, .. } = self;
        let named = |text: &str| Named { hash: fold(hasher.hash_one(text)), id };
        let of_name = named(name);
        by_name.insert_unique(of_name.spread(), of_name, |named| named.spread());
        if let Some((stem, _)) = split_suffix(name) {
            let of_stem = named(stem);
            by_stem.insert_unique(of_stem.spread(), of_stem, |named| named.spread());
        }
        id
    }
}

impl Record {
    pub(super) fn new(name: ByteSpan, escaped: bool, line: u64) -> Self {
        Self {
            name,
            line,
            untabled: ByteSpan::default(),
            metric_type: MetricType::Unknown,
            escaped,
            has_type: false,
            has_help: false,
            has_unit: false,
            has_samples: false,
            tabled: false,
        }
    }

    fn name_in<'i>(&self, input: &'i [u8]) -> Cow<'i, str> {
        let raw = input
            .get(self.name.start..self.name.end)
            .and_then(|name| std::str::from_utf8(name).ok())
            .unwrap_or_default();
        if self.escaped { Cow::Owned(super::super::entries::unescape(raw)) } else { Cow::Borrowed(raw) }
    }

    fn is_called(&self, input: &[u8], name: &str) -> bool {
        if self.escaped {
            self.name_in(input) == name
        } else {
            input.get(self.name.start..self.name.end) == Some(name.as_bytes())
        }
    }

    /// The line of its name, for findings that point there.
    pub(super) fn line_span(&self, input: &[u8]) -> LineSpan {
        let before = input.get(..self.name.start).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        LineSpan { number: self.line, span: ByteSpan::new(start, self.name.end) }
    }
}
