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
    image: &'a mut Option<Box<Image>>,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    from: u32,
    length: u32,
    pub(crate) value: Number,
    /// Nanoseconds since the epoch.
    pub(crate) start: Option<NonZeroU64>,
}

impl Row {
    /// Nothing yet, to make lists of.
    pub(crate) const NONE: Self = Self { from: 0, length: 0, value: Number::Unsigned(0), start: None };

    /// A metric whose labels are at this place of the text. `start` is in nanoseconds since the epoch.
    #[inline]
    pub(crate) fn new(from: u32, length: u32, value: Number, start: u64) -> Self {
        Self { from, length, value, start: NonZeroU64::new(start) }
    }

    /// Where its labels stand in the text.
    #[inline]
    pub(crate) fn text(&self) -> Range<usize> {
        self.from as usize..self.from as usize + self.length as usize
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
    /// What kind it is, as the sinks that make them have agreed.
    pub(crate) kind: u32,
    pub(crate) mask: u64,
    pub(crate) bytes: Vec<u8>,
    /// Where each row's value stands in `bytes`, and the start that was written with it.
    pub(crate) slots: Vec<(u32, Option<NonZeroU64>)>,
}

impl<'a> Rows<'a> {
    /// `text` has the labels of all rows in it.
    pub(crate) fn new(text: &'a str, list: &'a [Row], mask: u64, image: &'a mut Option<Box<Image>>) -> Self {
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

    /// The image of these very rows, made by `make` if there is none of this kind.
    pub(crate) fn image(&mut self, kind: u32, make: impl FnOnce(&Self, &mut Image)) -> &mut Image {
        let is_right = |image: &Image| image.kind == kind && image.mask == self.mask;
        let mut image = self.image.take().filter(|image| is_right(image)).unwrap_or_default();
        let starts = image.slots.iter().map(|slot| slot.1);
        if !starts.eq(self.list.iter().map(|row| row.start)) {
            (image.kind, image.mask) = (kind, self.mask);
            image.bytes.clear();
            image.slots.clear();
            make(self, &mut image);
            image.bytes.shrink_to_fit();
            image.slots.shrink_to_fit();
        }
        self.image.insert(image)
    }
}
