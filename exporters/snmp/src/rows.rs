//! What a device told: columns of rows, kept compactly, since a switch has hundreds of thousands of values.

use std::cmp::Ordering;

use crate::message::Value;
use crate::oid::Oid;

/// The rows below one object identifier.
#[derive(Debug, Default)]
pub struct Column {
    prefix: Oid,
    /// The arcs after the prefix of all rows, one row after the other.
    arcs: Vec<u32>,
    /// The octets of all texts.
    octets: Vec<u8>,
    rows: Vec<Row>,
    /// Whether the rows came in order, as they should.
    unsorted: bool,
    unreadable: u64,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// Where the row's arcs end; they begin where those of the row before end.
    arcs_end: u32,
    value: Kept,
}

/// A value without its octets.
#[derive(Clone, Copy, Debug)]
enum Kept {
    Integer(i64),
    Unsigned(u64),
    Counter64(u64),
    Float(f32),
    Double(f64),
    IpAddress([u8; 4]),
    Octets(u32, u32),
    Oid(u32, u32),
    Null,
    Malformed(u8),
}

impl Column {
    /// A column without rows.
    pub fn new(prefix: Oid) -> Self {
        Self { prefix, ..Self::default() }
    }

    /// What the names of all rows begin with.
    pub fn prefix(&self) -> &Oid {
        &self.prefix
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// About how many octets of memory the rows take.
    pub fn memory(&self) -> usize {
        self.arcs.len() * 4 + self.octets.len() + self.rows.len() * size_of::<Row>()
    }

    /// Adds a row: its arcs after the prefix, and its value. Exceptions are no values and are not kept.
    pub fn push(&mut self, index: &[u32], value: Value<'_>) {
        let value = match value {
            Value::Integer(v) => Kept::Integer(v),
            Value::Unsigned(v) => Kept::Unsigned(v),
            Value::Counter64(v) => Kept::Counter64(v),
            Value::Float(v) => Kept::Float(v),
            Value::Double(v) => Kept::Double(v),
            Value::IpAddress(v) => Kept::IpAddress(v),
            Value::Octets(v) => self.keep(v).map_or(Kept::Malformed(4), |(from, to)| Kept::Octets(from, to)),
            Value::Oid(v) => self.keep(v).map_or(Kept::Malformed(6), |(from, to)| Kept::Oid(from, to)),
            Value::Null => Kept::Null,
            Value::Malformed(tag) => Kept::Malformed(tag),
            Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => return,
        };
        if let Some(last) = self.len().checked_sub(1) {
            self.unsorted |= self.arcs(last) >= index;
        }
        let Ok(arcs_end) = u32::try_from(self.arcs.len() + index.len()) else { return };
        self.arcs.extend_from_slice(index);
        self.rows.push(Row { arcs_end, value });
    }

    /// Counts a row whose name is none.
    pub fn push_unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// How many rows there were whose name is none.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Whether both have the same rows, in the same order.
    pub fn same_rows(&self, other: &Self) -> bool {
        let ends = |column: &Self| column.rows.last().map(|row| row.arcs_end);
        self.len() == other.len()
            && ends(self) == ends(other)
            && self.arcs == other.arcs
            && self.rows.iter().zip(&other.rows).all(|(a, b)| a.arcs_end == b.arcs_end)
    }

    fn keep(&mut self, octets: &[u8]) -> Option<(u32, u32)> {
        let from = u32::try_from(self.octets.len()).ok()?;
        let to = u32::try_from(self.octets.len() + octets.len()).ok()?;
        self.octets.extend_from_slice(octets);
        Some((from, to))
    }

    /// The arcs of a row after the prefix.
    pub fn arcs(&self, row: usize) -> &[u32] {
        let end = |row: usize| self.rows.get(row).map_or(0, |row| row.arcs_end as usize);
        let begin = row.checked_sub(1).map_or(0, end);
        self.arcs.get(begin..end(row)).unwrap_or_default()
    }

    /// The value of a row.
    pub fn value(&self, row: usize) -> Value<'_> {
        let octets = |from: u32, to: u32| self.octets.get(from as usize..to as usize).unwrap_or_default();
        match self.rows.get(row).map_or(Kept::Null, |row| row.value) {
            Kept::Integer(v) => Value::Integer(v),
            Kept::Unsigned(v) => Value::Unsigned(v),
            Kept::Counter64(v) => Value::Counter64(v),
            Kept::Float(v) => Value::Float(v),
            Kept::Double(v) => Value::Double(v),
            Kept::IpAddress(v) => Value::IpAddress(v),
            Kept::Octets(from, to) => Value::Octets(octets(from, to)),
            Kept::Oid(from, to) => Value::Oid(octets(from, to)),
            Kept::Null => Value::Null,
            Kept::Malformed(tag) => Value::Malformed(tag),
        }
    }

    /// The row with this index. `hint` is where it was found last time; rows are mostly asked for in order.
    pub fn find(&self, index: &[u32], hint: &mut usize) -> Option<usize> {
        for row in [*hint, *hint + 1] {
            if row < self.len() && self.arcs(row) == index {
                *hint = row;
                return Some(row);
            }
        }
        let found = if self.unsorted {
            (0..self.len()).rev().find(|row| self.arcs(*row) == index)
        } else {
            let (mut low, mut high) = (0, self.len());
            loop {
                if low >= high {
                    break None;
                }
                let middle = low.midpoint(high);
                match self.arcs(middle).cmp(index) {
                    Ordering::Less => low = middle + 1,
                    Ordering::Greater => high = middle,
                    Ordering::Equal => break Some(middle),
                }
            }
        };
        if let Some(row) = found {
            *hint = row;
        }
        found
    }
}

/// The column among sorted ones, none of which is below another, that has a name or would have it.
pub fn column_of<'c, C: std::borrow::Borrow<Column>>(columns: &'c [C], name: &[u32]) -> Option<&'c Column> {
    let after = columns.partition_point(|column| column.borrow().prefix()[..] <= *name);
    let column = columns.get(after.checked_sub(1)?)?.borrow();
    name.starts_with(column.prefix()).then_some(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(prefix: &str, rows: &[(&[u32], Value<'_>)]) -> Column {
        let mut column = Column::new(prefix.parse().unwrap());
        for (index, value) in rows {
            column.push(index, *value);
        }
        column
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let rows: [(&[u32], Value<'_>); 6] = [
            (&[1], Value::Integer(-1)),
            (&[1, 2], Value::Octets(b"text")),
            (&[2], Value::Counter64(u64::MAX)),
            (&[3], Value::Oid(&[0x2b])),
            (&[4], Value::Null),
            (&[5], Value::Malformed(9)),
        ];
        let column = column("1.3.6", &rows);
        for (at, (index, value)) in rows.iter().enumerate() {
            assert_eq!((column.arcs(at), column.value(at)), (*index, *value));
            for mut hint in [0, 3, 99] {
                assert_eq!(column.find(index, &mut hint), Some(at));
            }
        }
        assert_eq!(column.find(&[7], &mut 0), None);
    }

    #[test]
    fn rows_out_of_order_are_found_and_the_last_counts() {
        let column =
            column("1.3.6", &[(&[5], Value::Null), (&[1], Value::Integer(1)), (&[1], Value::Integer(2))]);
        assert_eq!(column.find(&[1], &mut 9), Some(2));
        assert_eq!(column.find(&[5], &mut 9), Some(0));
    }

    #[test]
    fn the_column_of_a_name() {
        let columns = [column("1.3.6.1", &[]), column("1.3.6.10", &[]), column("1.3.6.2", &[])];
        let mut sorted: Vec<&Column> = columns.iter().collect();
        sorted.sort_by(|a, b| a.prefix().cmp(b.prefix()));
        let of = |name: &[u32]| column_of(&sorted, name).map(|column| column.prefix().to_string());
        assert_eq!(of(&[1, 3, 6, 2, 7]).as_deref(), Some("1.3.6.2"));
        assert_eq!(of(&[1, 3, 6, 10]).as_deref(), Some("1.3.6.10"));
        assert_eq!(of(&[1, 3, 6, 3]), None);
        assert_eq!(of(&[1]), None);
    }
}
