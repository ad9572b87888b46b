//! The labels of rows: indexes read from names, and what lookups find in other columns.

use std::rc::Rc;
use std::sync::Arc;

use openmetrics::model::{LabelTable, Labels};

use crate::config::{Index, IndexType, Lookup, Metric, TextType};
use crate::index::{kind_of, read};
use crate::message::Value;
use crate::oid::Oid;
use crate::rows::{Column, column_of};
use crate::value;

/// The labels of rows, for all metrics that make them the same way.
pub(crate) struct Table<'m> {
    indexes: &'m [Index],
    lookups: &'m [Lookup],
    /// By index.
    known: Vec<(Box<[u32]>, Option<RowLabels>)>,
    hint: usize,
    /// Where each lookup's row was found last.
    lookup_hints: Vec<usize>,
    /// The labels that rows have and no other row has.
    pub(crate) labels: LabelTable,
}

/// The labels of one row.
#[derive(Clone, Debug)]
pub(crate) enum RowLabels {
    /// Those of this row of [`Table::labels`].
    Row(usize),
    /// Others: those that another row has as well, or whose names are not classic.
    Odd(Rc<[(Box<str>, Box<str>)]>),
}

impl<'m> Table<'m> {
    pub(crate) fn new(metric: &'m Metric) -> Self {
        Self {
            indexes: &metric.indexes,
            lookups: &metric.lookups,
            known: Vec::new(),
            hint: 0,
            lookup_hints: vec![0; metric.lookups.len()],
            labels: LabelTable::default(),
        }
    }

    /// Whether rows have a label of this name.
    pub(crate) fn has_label(&self, name: &str) -> bool {
        let mut has = self.indexes.iter().any(|index| *index.labelname == *name);
        for lookup in self.lookups.iter().filter(|lookup| *lookup.labelname == *name) {
            has = is_found(lookup);
        }
        has
    }

    /// The labels of a row; `None` if its index cannot be.
    pub(crate) fn row(&mut self, index: &[u32], columns: &[Arc<Column>]) -> Option<RowLabels> {
        for at in [self.hint, self.hint + 1, 0] {
            if let Some((known, labels)) = self.known.get(at)
                && known[..] == *index
            {
                self.hint = at;
                return labels.clone();
            }
        }
        let at = self.known.partition_point(|(known, _)| known[..] < *index);
        self.hint = at;
        if let Some((known, labels)) = self.known.get(at)
            && known[..] == *index
        {
            return labels.clone();
        }
        let labels = self.make(index, columns);
        self.known.insert(at, (index.into(), labels.clone()));
        labels
    }

    fn make(&mut self, index: &[u32], columns: &[Arc<Column>]) -> Option<RowLabels> {
        let mut labels: Vec<(&str, String)> = Vec::with_capacity(self.indexes.len() + self.lookups.len());
        let mut arcs: Vec<(&str, Vec<u32>)> = Vec::with_capacity(labels.capacity());
        let mut rest = index;
        for part in self.indexes {
            let found =
                read(rest, &part.index_type, part.fixed_size as usize, part.implied, &part.enum_values)
                    .ok()?;
            rest = rest.get(found.used..).unwrap_or_default();
            set(&mut labels, &part.labelname, found.text);
            set(&mut arcs, &part.labelname, found.arcs);
        }
        for (lookup, hint) in self.lookups.iter().zip(&mut self.lookup_hints) {
            let Some(oid) = lookup.oid.as_ref().filter(|_| is_found(lookup)) else {
                labels.retain(|(name, _)| *name != &*lookup.labelname);
                continue;
            };
            let mut row = Vec::new();
            for label in &lookup.labels {
                let of_label = arcs.iter().find(|(name, _)| *name == &**label);
                row.extend(of_label.map(|(_, arcs)| &arcs[..]).unwrap_or_default());
            }
            let found = find(columns, oid, &row, hint);
            let text =
                found.map_or_else(String::new, |value| lookup_text(lookup, oid, &row, &value, columns));
            set(&mut labels, &lookup.labelname, text);
            if let Some(value) = found {
                let integer = u32::try_from(value::integer(&value)).unwrap_or(u32::MAX);
                set(&mut arcs, &lookup.labelname, vec![integer]);
            }
        }
        // A label without text is no label.
        labels.retain(|(_, text)| !text.is_empty());
        let pairs: Vec<(&str, &str)> = labels.iter().map(|(name, text)| (*name, &**text)).collect();
        Some(match self.labels.push(&Labels::new(&pairs)) {
            Ok(row) => RowLabels::Row(row),
            Err(_) => {
                RowLabels::Odd(pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect())
            }
        })
    }

    /// The names and texts of a row's labels.
    pub(crate) fn pairs(&self, labels: &RowLabels) -> Vec<(Box<str>, Box<str>)> {
        match labels {
            RowLabels::Odd(pairs) => pairs.to_vec(),
            RowLabels::Row(row) => {
                let labels = self.labels.row(*row).unwrap_or_default();
                labels.iter().map(|(name, text)| (name.into(), text.into())).collect()
            }
        }
    }
}

/// Whether a lookup finds a label's text; one without a column or labels to go by takes the label away.
fn is_found(lookup: &Lookup) -> bool {
    lookup.oid.is_some() && !lookup.labels.is_empty()
}

fn set<'n, T>(list: &mut Vec<(&'n str, T)>, name: &'n str, value: T) {
    match list.iter_mut().find(|(known, _)| *known == name) {
        Some((_, place)) => *place = value,
        None => list.push((name, value)),
    }
}

/// The value of a column's row.
fn find<'c>(columns: &'c [Arc<Column>], oid: &Oid, row: &[u32], hint: &mut usize) -> Option<Value<'c>> {
    let name = oid.child(row);
    let column = column_of(columns, &name)?;
    let at = column.find(name.get(column.prefix().len()..)?, hint)?;
    Some(column.value(at))
}

fn lookup_text(
    lookup: &Lookup,
    oid: &Oid,
    row: &[u32],
    value: &Value<'_>,
    columns: &[Arc<Column>],
) -> String {
    if lookup.text_type == Some(TextType::EnumAsInfo) && !lookup.enum_values.is_empty() {
        let number = value::integer(value);
        return lookup.enum_values.get(&number).map_or_else(|| number.to_string(), ToString::to_string);
    }
    let known = lookup.text_type.as_ref().and_then(|text_type| combined(text_type, oid, row, columns));
    let text_type = match known {
        Some(Some(found)) => Some(found),
        _ => lookup.text_type.clone(),
    };
    value::text(value, text_type.as_ref(), lookup.display_hint.as_deref())
}

/// For a type that the column before decides: the type, if that column has one that is known.
#[allow(clippy::option_option)] // not such a type; such a type, but not told; told
pub(crate) fn combined(
    text_type: &TextType,
    oid: &Oid,
    row: &[u32],
    columns: &[Arc<Column>],
) -> Option<Option<TextType>> {
    let index_type = match text_type {
        TextType::InetAddress => IndexType::InetAddress,
        TextType::InetAddressMissingSize => IndexType::InetAddressMissingSize,
        TextType::LldpPortId => IndexType::LldpPortId,
        _ => return None,
    };
    let kind = previous(oid)
        .and_then(|before| find(columns, &before, row, &mut 0).map(|kind| value::integer(&kind)));
    Some(match kind.and_then(|kind| kind_of(&index_type, kind)) {
        Some(IndexType::InetAddressIPv4) => Some(TextType::InetAddressIPv4),
        Some(IndexType::InetAddressIPv6) => Some(TextType::InetAddressIPv6),
        Some(IndexType::DisplayString) => Some(TextType::DisplayString),
        Some(IndexType::PhysAddress48) => Some(TextType::PhysAddress48),
        _ => None,
    })
}

/// The column before, which says of what kind the values of this one are.
pub(crate) fn previous(oid: &Oid) -> Option<Oid> {
    let (last, parent) = oid.split_last()?;
    Some(Oid::from(parent).child(&[last.checked_sub(1)?]))
}
