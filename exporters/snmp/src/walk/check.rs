//! A device that skips rows, noticed: the columns of a table have the same rows, or the device is asked why not.
//!
//! Columns with gaps are common and mostly true: not every interface has every counter. So a few of the rows that a
//! column lacks and its neighbours have are got by name. If one of them is there, all of them are got.

use super::{Target, TargetKind, Task, Walk};
use crate::oid::Oid;
use crate::rows::Column;

/// How far a walk has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Checked {
    /// Not at all.
    Not,
    /// Some of the missing rows were asked for.
    Some,
    /// There is nothing more to ask.
    Whole,
}

/// How many rows of a table are asked for to see whether gaps are gaps.
const PROBES: usize = 16;
/// The same over version 1, where each row that is not there costs a request of its own.
const PROBES_V1: usize = 2;
/// How many rows that a device skipped are got one by one.
const MOST: usize = 50_000;

impl Walk {
    /// Once all is walked: asks for rows that are missing. `false` if there is nothing to ask.
    pub(super) fn check(&mut self) -> bool {
        if self.style.any_order || self.checked == Checked::Whole {
            return false;
        }
        let probing = self.checked == Checked::Not;
        self.checked = if probing { Checked::Some } else { Checked::Whole };
        let probes = if self.style.version == crate::message::Version::V1 { PROBES_V1 } else { PROBES };
        let mut missing: Vec<(usize, Oid)> = Vec::new();
        for table in 0..self.tables.len() {
            if !probing && !self.skipped.contains(&table) {
                continue;
            }
            let of_table: Vec<usize> =
                (0..self.tasks.len()).filter(|id| self.is_column(*id, table)).collect();
            let columns: Vec<&Column> =
                of_table.iter().filter_map(|id| self.tasks.get(*id)).map(|task| &task.column).collect();
            let gaps = gaps(&columns);
            // The ends of gaps first: where a table was cut, and where the first row was skipped.
            let most = if probing { probes } else { MOST - missing.len().min(MOST) };
            let each = most.checked_div(gaps.len()).unwrap_or(0).max(2) / 2;
            let mut names = Vec::new();
            for (column, rows) in &gaps {
                let (Some(&id), Some(found)) = (of_table.get(*column), columns.get(*column)) else {
                    continue;
                };
                let all = !probing || rows.len() <= each * 2;
                let last = rows.len() - each.min(rows.len());
                let chosen = rows.iter().enumerate().filter(|(at, _)| all || *at < each || *at >= last);
                names.extend(chosen.map(|(_, row)| (id, found.prefix().child(row))));
            }
            names.truncate(most);
            missing.extend(names);
        }
        let known: std::collections::HashSet<Oid> = self
            .tasks
            .iter()
            .filter(|task| task.fills.is_some())
            .map(|task| task.target.oid.clone())
            .collect();
        for (column, oid) in missing.into_iter().filter(|(_, oid)| !known.contains(oid)) {
            let table = self.tasks.get(column).map_or(0, |task| task.table);
            let target = Target { oid, kind: TargetKind::Variable };
            self.gets.push_back(self.tasks.len());
            self.tasks.push(Task { fills: Some(column), ..Task::new(target, table) });
        }
        !self.gets.is_empty()
    }

    fn is_column(&self, id: usize, table: usize) -> bool {
        self.tasks.get(id).is_some_and(|task| {
            let column = matches!(task.target.kind, TargetKind::Column { .. });
            column && task.table == table && !task.column.is_empty()
        })
    }

    /// A row that was missing is there.
    pub(super) fn skipped_by_device(&mut self, id: usize) {
        if let Some(task) = self.tasks.get(id)
            && task.fills.is_some()
        {
            self.skipped.insert(task.table);
        }
    }

    /// How many rows the device had skipped.
    pub fn skipped(&self) -> usize {
        self.tasks.iter().filter(|task| task.fills.is_some() && !task.column.is_empty()).count()
    }

    /// Puts what was skipped in its place.
    pub(super) fn fill(&mut self) {
        let first = self.tasks.iter().position(|task| task.fills.is_some()).unwrap_or(self.tasks.len());
        let filling = self.tasks.split_off(first);
        let mut of_column: std::collections::BTreeMap<usize, Vec<Task>> = std::collections::BTreeMap::new();
        for task in filling.into_iter().filter(|task| !task.column.is_empty()) {
            of_column.entry(task.fills.unwrap_or_default()).or_default().push(task);
        }
        for (id, found) in of_column {
            let Some(task) = self.tasks.get_mut(id) else { continue };
            let prefix = task.column.prefix().len();
            let mut rows: Vec<(&[u32], crate::message::Value<'_>)> =
                (0..task.column.len()).map(|row| (task.column.arcs(row), task.column.value(row))).collect();
            rows.extend(
                found.iter().filter_map(|one| Some((one.target.oid.get(prefix..)?, one.column.value(0)))),
            );
            rows.sort_by(|a, b| a.0.cmp(b.0));
            let mut whole = Column::new(task.column.prefix().clone());
            for (index, value) in rows {
                whole.push(index, value);
            }
            task.column = whole;
        }
    }
}

/// For each column that lacks rows which another one has: its place, and those rows.
fn gaps<'c>(columns: &[&'c Column]) -> Vec<(usize, Vec<&'c [u32]>)> {
    let Some(longest) = columns.iter().max_by_key(|column| column.len()) else { return Vec::new() };
    let rows = |column: &'c Column| (0..column.len()).map(move |row| column.arcs(row));
    let others: Vec<&Column> = columns.iter().copied().filter(|column| !column.same_rows(longest)).collect();
    if others.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<&[u32]> = rows(longest).collect();
    for other in others {
        all.extend(rows(other));
    }
    all.sort_unstable();
    all.dedup();
    let mut found = Vec::new();
    for (at, column) in columns.iter().enumerate().filter(|(_, column)| column.len() < all.len()) {
        let mut have = rows(column).peekable();
        let missing = all.iter().filter(|row| have.next_if_eq(*row).is_none()).copied().collect();
        found.push((at, missing));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Value;

    #[test]
    fn gaps_are_what_neighbours_have() {
        let column = |rows: &[u32]| {
            let mut column = Column::new("1.3.6".parse().unwrap());
            for row in rows {
                column.push(&[*row], Value::Null);
            }
            column
        };
        let (whole, holes, end) = (column(&[1, 2, 3, 4]), column(&[2, 4]), column(&[1, 2, 5]));
        let missing = |columns: &[&Column]| -> Vec<(usize, Vec<u32>)> {
            gaps(columns).into_iter().map(|(at, rows)| (at, rows.concat())).collect()
        };
        assert_eq!(missing(&[&whole, &holes]), [(1, vec![1, 3])]);
        assert_eq!(missing(&[&whole, &whole]), []);
        assert_eq!(missing(&[&whole, &end]), [(0, vec![5]), (1, vec![3, 4])]);
        assert_eq!(missing(&[]), []);
    }
}
