//! Label sets, told apart: those of a family that is being written, and those of a table for all its columns.

use std::fmt;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::emit::{check_label_names, seen_before};
use super::family::MetricType;
use super::label::{LabelSet, Labels, render};
use super::name::is_classic_label_name;
use super::report::Refusal;

/// Label sets that were seen, in any order of their labels.
#[derive(Default)]
pub(super) struct LabelSets {
    hasher: RandomState,
    /// Hash, and where they stand in `octets`.
    seen: HashTable<(u64, usize, usize)>,
    octets: Vec<u8>,
}

impl LabelSets {
    /// Notes a label set, and says its hash and whether it is new.
    pub(super) fn insert(&mut self, labels: &Labels<'_>) -> (u64, bool) {
        // Adding up makes the hash independent of the order; the hasher is keyed, and equal sums are confirmed below.
        let hash = labels.iter().fold(0_u64, |sum, pair| sum.wrapping_add(self.hasher.hash_one(&pair)));
        let Self { seen, octets, .. } = self;
        let known =
            |&(h, from, to): &(u64, usize, usize)| h == hash && same_labels(labels, octets.get(from..to));
        if seen.find(hash, known).is_some() {
            return (hash, false);
        }
        let from = octets.len();
        for (name, value) in labels {
            octets.extend_from_slice(name.as_bytes());
            octets.push(BETWEEN);
            octets.extend_from_slice(value.as_bytes());
            octets.push(BETWEEN);
        }
        seen.insert_unique(hash, (hash, from, octets.len()), |&(h, _, _)| h);
        (hash, true)
    }

    /// Forgets all. Clearing takes as long as the table is large. After many sets a new one is cheaper, or each of a
    /// thousand families with few that come after would pay again.
    pub(super) fn clear(&mut self) {
        if self.seen.capacity() > 8 * self.seen.len().max(128) {
            self.seen = HashTable::new();
        } else {
            self.seen.clear();
        }
        self.octets.clear();
    }

    /// How many bytes of memory the sets may take.
    pub(super) fn room(&self) -> usize {
        self.octets.capacity()
    }
}

/// Ends every name and value in [`LabelSets::octets`]; UTF-8 has no such byte.
const BETWEEN: u8 = 0xff;

/// Whether `labels` are those kept in `set`, in any order. Names are unique in both.
fn same_labels(labels: &Labels<'_>, set: Option<&[u8]>) -> bool {
    let kept = || set.unwrap_or_default().split(|&b| b == BETWEEN);
    let pairs = || kept().step_by(2).zip(kept().skip(1).step_by(2));
    labels.iter().count() == pairs().count()
        && labels
            .iter()
            .all(|(name, value)| pairs().any(|(n, v)| n == name.as_bytes() && v == value.as_bytes()))
}

/// The labels of a table's rows: looked at and rendered once, for all the families that are its columns.
///
/// A switch has forty counters for each of its ports: here the labels of a port are made once, not forty times.
///
/// ```
/// use openmetrics::model::{Collected, Collector, Descriptor, Emitter, LabelTable, Labels, MetricType, Number};
///
/// static SENT: Descriptor = Descriptor::literal("port_sent_bytes", MetricType::Counter, "Sent.");
/// static RECEIVED: Descriptor = Descriptor::literal("port_received_bytes", MetricType::Counter, "Received.");
///
/// struct Ports(LabelTable);
///
/// impl Collector for Ports {
///     fn collect(&self, out: &mut Emitter<'_>) -> Collected {
///         out.family(&SENT).column(&self.0, [(0, Number::from(7_u64)), (1, Number::from(8_u64))]);
///         out.family(&RECEIVED).column(&self.0, [(1, Number::from(9_u64))]);
///         Ok(())
///     }
/// }
///
/// let mut table = LabelTable::default();
/// assert_eq!(table.push(&Labels::new(&[("port", "1")])).ok(), Some(0));
/// assert_eq!(table.push(&Labels::new(&[("port", "2")])).ok(), Some(1));
/// let mut page = Vec::new();
/// openmetrics::format::encode(&Ports(table), openmetrics::format::Format::TEXT_0_0_4, &mut page);
/// assert!(page.ends_with(b"port_received_bytes_total{port=\"2\"} 9\n"));
/// ```
#[derive(Default)]
pub struct LabelTable {
    text: String,
    /// Where each row ends in the text; it begins where the one before ends.
    ends: Vec<usize>,
    sets: LabelSets,
}

impl LabelTable {
    /// Adds the labels of a row, and says which one it is.
    ///
    /// # Errors
    ///
    /// Labels that another row has, in any order (OM1-LAB-04); names that repeat or are empty, reserved or not classic
    /// (OM1-LAB-01, OM1-LAB-02).
    pub fn push(&mut self, labels: &Labels<'_>) -> Result<usize, Refusal> {
        check_label_names(labels, &LabelSet::EMPTY, MetricType::Unknown)?;
        if let Some((name, _)) = labels.iter().find(|(name, _)| !is_classic_label_name(name)) {
            return Err(Refusal::new("OM1-LAB-01", format!("label name {name:?} is not classic")));
        }
        if !self.sets.insert(labels).1 {
            return Err(seen_before(labels));
        }
        let mut text = String::new();
        render(labels, &mut text);
        self.text.push_str(&text);
        self.ends.push(self.text.len());
        Ok(self.len() - 1)
    }

    /// The labels of a row.
    pub fn row(&self, row: usize) -> Option<Labels<'_>> {
        let begin = row.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        let text = self.text.get(begin..*self.ends.get(row)?)?;
        Some(if text.is_empty() { Labels::EMPTY } else { Labels::rendered(text, &[]) })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl fmt::Debug for LabelTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.len()).filter_map(|row| self.row(row))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, encode};
    use crate::model::{Collected, Collector, Descriptor, Emitter, Number};
    use quickcheck::quickcheck;

    static FAMILY: Descriptor = Descriptor::literal("family", MetricType::Gauge, "Help.");

    /// Numbers of a table's rows, as a column or as a point each.
    struct Table<'t> {
        labels: &'t LabelTable,
        values: &'t [(usize, Number)],
        as_column: bool,
        scope: LabelSet,
    }

    impl Collector for Table<'_> {
        fn collect(&self, out: &mut Emitter<'_>) -> Collected {
            let mut out = out.scoped("", &self.scope);
            let mut family = out.family(&FAMILY);
            if self.as_column {
                family.column(self.labels, self.values.iter().copied());
            } else {
                for (row, value) in self.values {
                    family.point(self.labels.row(*row).unwrap(), *value);
                }
            }
            Ok(())
        }
    }

    #[test]
    fn rows_are_refused_for_what_their_labels_are() {
        let mut table = LabelTable::default();
        let mut push =
            |pairs: &[(&str, &str)]| table.push(&Labels::new(pairs)).map_err(|e| e.rule().to_owned());
        assert_eq!(push(&[("a", "1"), ("b", "2")]), Ok(0));
        assert_eq!(push(&[("b", "2"), ("a", "1")]), Err("OM1-LAB-04".into()));
        assert_eq!(push(&[("a", "1"), ("a", "2")]), Err("OM1-LAB-02".into()));
        assert_eq!(push(&[("__a", "1")]), Err("OM1-LAB-01".into()));
        assert_eq!(push(&[("a.b", "1")]), Err("OM1-LAB-01".into()));
        assert_eq!(push(&[]), Ok(1));
        assert_eq!(format!("{table:?}"), r#"[{a="1",b="2"}, {}]"#);
        assert!(table.row(2).is_none());
    }

    #[test]
    fn a_row_that_is_missing_or_comes_twice_is_refused() {
        let mut labels = LabelTable::default();
        assert!(labels.push(&Labels::new(&[("a", "1")])).is_ok());
        let values = [(0, 1_u64.into()), (0, 2_u64.into()), (1, 3_u64.into())];
        let table = Table { labels: &labels, values: &values, as_column: true, scope: LabelSet::EMPTY };
        let (set, report) = crate::model::MetricSet::collect_from(&table);
        assert_eq!((set.families[0].metrics.len(), report.refused(), report.points()), (1, 2, 1));
    }

    quickcheck! {
        /// A column is what its points are, in every format, with and without labels of a scope.
        fn a_column_is_its_points(rows: Vec<(u8, String)>, order: Vec<(usize, i64)>, scoped: bool) -> bool {
            let mut labels = LabelTable::default();
            for (kind, value) in &rows {
                let names = [[("a", value.as_str()), ("b", "x")], [("b", value.as_str()), ("le", "1")]];
                // Repeated ones are none of this test's business.
                let _ = labels.push(&Labels::new(&names[usize::from(*kind % 2)]));
            }
            let mut values: Vec<(usize, Number)> = Vec::new();
            for (row, value) in order.iter().filter(|_| !labels.is_empty()) {
                let row = row % labels.len();
                if values.iter().all(|(known, _)| *known != row) {
                    values.push((row, Number::from(*value)));
                }
            }
            let pairs: &[(&str, &str)] = if scoped { &[("b", "scope")] } else { &[] };
            let scope = LabelSet::from_pairs(pairs.iter().copied()).unwrap();
            let page = |as_column, format| {
                let table = Table { labels: &labels, values: &values, as_column, scope: scope.clone() };
                let mut page = Vec::new();
                encode(&table, format, &mut page);
                page
            };
            [Format::TEXT_0_0_4, Format::OPENMETRICS_1_0, Format::PROMETHEUS_PROTOBUF]
                .into_iter()
                .all(|format| page(true, format) == page(false, format))
        }
    }
}
