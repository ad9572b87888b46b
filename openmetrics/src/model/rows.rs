//! Many numbers of one family at once: the short way from a table of counters to an encoder.

use std::num::NonZeroU64;
use std::ops::Range;

use super::{Labels, Number, Point, Timestamp};

/// Numbers of neighbouring metrics of one family, whose labels are rendered, see `render` in this module's folder. A
/// sink that takes them whole saves a call and a point for each; all others get them as points.
#[derive(Debug)]
pub struct Rows<'a> {
    text: &'a str,
    list: &'a [Row],
    /// Which of the metrics of a page these are, a bit each.
    mask: u64,
    image: &'a mut Image,
}

/// Where the labels of one metric of a page stand in the page's text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) from: u32,
    pub(crate) len: u32,
}

impl Place {
    #[inline]
    pub(crate) fn range(self) -> Range<usize> {
        self.from as usize..self.from as usize + self.len as usize
    }

    pub(crate) fn text(self, page: &str) -> &str {
        page.get(self.range()).unwrap_or_default()
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its labels.
    place: Place,
    pub(crate) value: Number,
    /// Nanoseconds since the epoch.
    pub(crate) start: Option<NonZeroU64>,
}

impl Row {
    /// Nothing yet, to make lists of.
    pub(crate) const NONE: Self =
        Self { place: Place { from: 0, len: 0 }, value: Number::Unsigned(0), start: None };

    /// A metric with the labels at this place of the text. `start` is in nanoseconds since the epoch.
    #[inline]
    pub(crate) fn new(place: Place, value: Number, start: u64) -> Self {
        Self { place, value, start: NonZeroU64::new(start) }
    }

    /// Where its labels stand in the text.
    #[inline]
    pub(crate) fn text(&self) -> Range<usize> {
        self.place.range()
    }

    /// Since when it counts: seconds and nanoseconds.
    #[inline]
    pub(crate) fn start(&self) -> Option<(u64, u32)> {
        self.start.map(|start| (start.get() / NANOS, (start.get() % NANOS) as u32))
    }
}

const NANOS: u64 = 1_000_000_000;

/// What a sink wrote of some rows, kept beside them for the next time: all but the values is the same then.
///
/// Whoever owns the rows drops it when their labels change. The sink sees to the rest: that it is one of its own, and
/// that the rows and their starts are those it was made of.
#[derive(Debug, Default)]
pub(crate) struct Image {
    /// What kind it is, as the sinks that make them have agreed; 0 if there is none.
    kind: u32,
    mask: u64,
    /// For each row its start, in eight bytes, and where its value stands, in four; then what was written. All in one,
    /// so that a scrape reads it from one end to the other.
    all: Vec<u8>,
}

/// An image that is being made.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    pub(crate) bytes: Vec<u8>,
    /// Where each row's value stands.
    pub(crate) slots: Vec<u32>,
}

impl Image {
    /// The starts and slots of so many rows, and what was written.
    fn parts(&self, rows: usize) -> (impl Iterator<Item = &[u8; 8]>, impl Iterator<Item = &[u8; 4]>, &[u8]) {
        let (starts, rest) = self.all.split_at_checked(rows * 8).unwrap_or_default();
        let (slots, bytes) = rest.split_at_checked(rows * 4).unwrap_or_default();
        let starts = starts.chunks_exact(8).filter_map(<[u8]>::first_chunk);
        let slots = slots.chunks_exact(4).filter_map(<[u8]>::first_chunk);
        (starts, slots, bytes)
    }
}

impl<'a> Rows<'a> {
    /// `text` has the labels of all rows in it.
    pub(crate) fn new(text: &'a str, list: &'a [Row], mask: u64, image: &'a mut Image) -> Self {
        Self { text, list, mask, image }
    }

    #[inline]
    pub(crate) fn list(&self) -> &'a [Row] {
        self.list
    }

    /// The labels of all rows, see [`Row::text`].
    #[inline]
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The labels of one row.
    pub(crate) fn labels(&self, row: &Row) -> Labels<'a> {
        Labels::rendered(self.text.get(row.text()).unwrap_or_default(), &[])
    }

    /// The image of these very rows, made by `make` if there is none of this kind: where the value of each stands, and
    /// what was written.
    pub(crate) fn image(
        &mut self,
        kind: u32,
        make: impl FnOnce(&Self, &mut Drawing),
    ) -> (impl Iterator<Item = usize>, &[u8]) {
        let rows = self.list.len();
        let starts = self.list.iter().map(|row| row.start.map_or(0, NonZeroU64::get).to_le_bytes());
        let is_right = self.image.kind == kind
            && self.image.mask == self.mask
            && self.image.parts(rows).0.copied().eq(starts.clone());
        if !is_right {
            let mut drawing = Drawing::default();
            make(self, &mut drawing);
            let mut all = Vec::with_capacity(rows * (8 + 4) + drawing.bytes.len());
            starts.for_each(|start| all.extend_from_slice(&start));
            drawing.slots.iter().for_each(|slot| all.extend_from_slice(&slot.to_le_bytes()));
            all.extend_from_slice(&drawing.bytes);
            *self.image = Image { kind, mask: self.mask, all };
        }
        let (_, slots, bytes) = self.image.parts(rows);
        (slots.map(|slot| u32::from_le_bytes(*slot) as usize), bytes)
    }
}
