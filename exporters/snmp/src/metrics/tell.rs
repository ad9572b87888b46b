//! Points of a family, told in the shape of its type.

use std::rc::Rc;

use openmetrics::model::{FamilyEmitter, Labels, MetricType, Number, State, Text, Value};

use super::Family;
use crate::labels::{RowLabels, Table};

/// A number to be told.
pub(super) struct Point {
    pub table: usize,
    pub labels: RowLabels,
    /// One more label, such as a state.
    pub more: Option<(Text, Box<str>)>,
    pub value: Number,
}

/// Tells a family's points, and how many that were: as a column of a table if they are all the labels of the same one,
/// else one by one, or the states of each row at once.
pub(super) fn tell(
    points: &[Point],
    tables: &[Table<'_>],
    family: &Family<'_>,
    mut out: FamilyEmitter<'_>,
) -> u64 {
    let family_type = family.descriptor.metric_type();
    if family_type == MetricType::StateSet {
        return tell_states(points, tables, out);
    }
    let row = |point: &Point| match point.labels {
        RowLabels::Row(row) if point.more.is_none() && family_type != MetricType::Info => Some(row),
        _ => None,
    };
    let all = points.len() as u64;
    let Some(source) = family.sources.first() else { return all };
    let one_table = family.sources.iter().all(|other| other.table == source.table);
    if let Some(table) = tables.get(source.table).filter(|_| one_table)
        && points.iter().all(|point| row(point).is_some())
    {
        out.column(&table.labels, points.iter().filter_map(|point| Some((row(point)?, point.value))));
        return all;
    }
    for point in points {
        let more = point.more.iter().filter(|(_, text)| !text.is_empty());
        let more: Option<(&str, &str)> = more.map(|(name, text)| (name.as_str(), &**text)).next();
        let value = match family_type {
            MetricType::Info => Value::Info(Labels::EMPTY),
            _ => Value::Number(point.value),
        };
        point.with_labels(tables, more.as_slice(), |labels| out.point(labels, value));
    }
    all
}

/// Tells statesets, and how many: points of one row follow each other, one for each state.
fn tell_states(points: &[Point], tables: &[Table<'_>], mut out: FamilyEmitter<'_>) -> u64 {
    let mut told = 0;
    let mut states: Vec<State<'_>> = Vec::new();
    for row in points.chunk_by(Point::is_of_row) {
        states.clear();
        for point in row {
            let name = point.more.as_ref().map_or("", |(_, text)| &**text);
            let enabled = point.value != Number::ZERO;
            // Two numbers can mean the same.
            match states.iter_mut().find(|state| state.name == name) {
                Some(state) => state.enabled |= enabled,
                None if name.is_empty() => {} // what has no name is no state
                None => states.push(State { name, enabled }),
            }
        }
        told += 1;
        if let Some(point) = row.first() {
            point.with_labels(tables, &[], |labels| out.point(labels, Value::StateSet(&states)));
        }
    }
    told
}

impl Point {
    /// Whether both are labelled as one row.
    fn is_of_row(&self, other: &Self) -> bool {
        let same_labels = match (&self.labels, &other.labels) {
            (RowLabels::Row(one), RowLabels::Row(other)) => one == other,
            (RowLabels::Odd(one), RowLabels::Odd(other)) => Rc::ptr_eq(one, other),
            _ => false,
        };
        same_labels && self.table == other.table
    }

    /// Hands on its row's labels, and `more` after them.
    fn with_labels(&self, tables: &[Table<'_>], more: &[(&str, &str)], hand: impl FnOnce(Labels<'_>)) {
        match &self.labels {
            RowLabels::Odd(own) => {
                let own = own.iter().map(|(name, text)| (&**name, &**text));
                let pairs: Vec<(&str, &str)> = own.chain(more.iter().copied()).collect();
                hand(Labels::new(&pairs));
            }
            RowLabels::Row(row) => {
                let own = tables.get(self.table).and_then(|table| table.labels.row(*row));
                hand(Labels::new(more).after(own.unwrap_or_default()));
            }
        }
    }
}
