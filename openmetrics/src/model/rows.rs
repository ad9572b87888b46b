//! Many numbers of one family at once: the short way from a table of counters to an encoder.

use std::num::NonZeroU64;
use std::ops::Range;

use super::{Labels, Number, Point, Timestamp};

/// Numbers of one family with labels that are rendered, see `render` and `render_protobuf` in this
/// module's folder. A sink that takes them whole saves a call and a point for each; to
/// all others they come as points.
#[derive(Debug, Default)]
pub struct Rows {
    /// The labels of all rows, and [`PADDING`] after them.
    text: String,
    protobuf: Vec<u8>,
    list: Vec<Row>,
}

/// One metric.
#[derive(Debug)]
pub(crate) struct Row {
    text: Range<u32>,
    protobuf: Range<u32>,
    pub(crate) value: Number,
    /// Nanoseconds since the epoch.
    start: Option<NonZeroU64>,
}

/// Labels are copied in blocks of this many bytes, which may reach beyond their end.
const BLOCK: usize = 32;
const PADDING: &str = "                                ";

const NANOS: u64 = 1_000_000_000;

impl Row {
    /// Since when it counts: seconds and nanoseconds.
    #[inline]
    pub(crate) fn start(&self) -> Option<(u64, u32)> {
        self.start.map(|start| (start.get() / NANOS, (start.get() % NANOS) as u32))
    }

    fn timestamp(&self) -> Option<Timestamp> {
        self.start().and_then(|(seconds, nanos)| Timestamp::new(seconds as i64, nanos))
    }
}

impl Rows {
    /// Forgets all rows and takes the labels of others.
    pub(crate) fn set(&mut self, text: &str, protobuf: &[u8]) {
        self.list.clear();
        self.text.clear();
        self.text.push_str(text);
        self.text.push_str(PADDING);
        self.protobuf.clear();
        self.protobuf.extend_from_slice(protobuf);
        self.protobuf.extend_from_slice(PADDING.as_bytes());
    }

    /// Adds a row, whose labels are those at these places. `start` is in nanoseconds since the epoch.
    #[inline]
    pub(crate) fn push(&mut self, text: Range<u32>, protobuf: Range<u32>, value: Number, start: Option<u64>) {
        self.list.push(Row { text, protobuf, value, start: start.and_then(NonZeroU64::new) });
    }

    /// The rows from one on.
    #[inline]
    pub(crate) fn from(&self, at: usize) -> std::slice::Iter<'_, Row> {
        self.list.get(at..).unwrap_or_default().iter()
    }

    /// How many bytes the labels have as text.
    #[inline]
    pub(crate) fn text_len(row: &Row) -> usize {
        row.text.len()
    }

    /// Appends the labels as text.
    #[inline]
    pub(crate) fn push_text(&self, row: &Row, out: &mut Vec<u8>) {
        push_blocks(self.text.as_bytes(), &row.text, out);
    }

    /// How many bytes the labels have as protobuf.
    #[inline]
    pub(crate) fn protobuf_len(row: &Row) -> usize {
        row.protobuf.len()
    }

    /// Appends the labels as protobuf.
    #[inline]
    pub(crate) fn push_protobuf(&self, row: &Row, out: &mut Vec<u8>) {
        push_blocks(&self.protobuf, &row.protobuf, out);
    }

    /// A row as everybody else has it.
    pub(crate) fn point(&self, row: &Row) -> (Labels<'_>, Point<'static>) {
        let text = self.text.get(row.text.start as usize..row.text.end as usize).unwrap_or_default();
        let protobuf =
            self.protobuf.get(row.protobuf.start as usize..row.protobuf.end as usize).unwrap_or_default();
        (Labels::rendered(text, protobuf), Point::from(row.value).started(row.timestamp()))
    }
}

/// Copies in whole blocks and drops what was too much, which is quicker than a copy of a few bytes of unknown number.
#[inline]
fn push_blocks(from: &[u8], place: &Range<u32>, out: &mut Vec<u8>) {
    let length = place.len();
    let end = out.len() + length;
    let blocks = from.get(place.start as usize..).unwrap_or_default().chunks_exact(BLOCK);
    for block in blocks.take(length.div_ceil(BLOCK)) {
        out.extend_from_slice(block);
    }
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_they_were_made_of() {
        for length in [1_u32, 31, 32, 33, 64, 100] {
            let labels = format!("a=\"{}\"", "x".repeat(length as usize));
            let len = labels.len() as u32;
            let mut rows = Rows::default();
            rows.set(&format!("{labels}{labels}"), labels.as_bytes());
            rows.push(0..len, 0..len, 1_u64.into(), None);
            rows.push(len..2 * len, 0..len, 2_u64.into(), Some(1_500_000_000));
            let mut list = rows.from(1);
            let row = list.next().unwrap();
            assert!(list.next().is_none());
            let (mut text, mut protobuf) = (b"before".to_vec(), Vec::new());
            rows.push_text(row, &mut text);
            rows.push_protobuf(row, &mut protobuf);
            assert_eq!(text, format!("before{labels}").as_bytes());
            assert_eq!(protobuf, labels.as_bytes());
            let (labels, point) = rows.point(row);
            assert_eq!(labels.get("a").unwrap().len(), length as usize);
            assert_eq!(point, Point::from(2_u64).started(Timestamp::from_millis(1500)));
        }
    }
}
