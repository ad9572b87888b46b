//! How the metrics of a family are read: page by page, so that nobody waits long for the lock.

use std::any::Any;
use std::cell::RefCell;

use super::page::{PAGE, Protobuf};
use super::store::Inner;
use super::{Cell, Metric};
use crate::model::{FamilyEmitter, MetricType, Place, Row, Rows, Timestamp};

/// What one page was at one moment; reused from page to page, and from scrape to scrape of a thread.
pub(crate) struct PageCopy<M: Metric> {
    pub(crate) text: String,
    /// Empty unless asked for.
    pub(crate) protobuf: Protobuf,
    pub(crate) series: Vec<Series<M>>,
    pub(crate) len: usize,
}

pub(crate) struct Series<M: Metric> {
    pub(crate) at: u32,
    pub(crate) place: Place,
    pub(crate) start: Option<Timestamp>,
    pub(crate) reading: <M::Cell as Cell>::Reading,
}

impl<M: Metric> Default for Series<M> {
    fn default() -> Self {
        Self { at: 0, place: Place::default(), start: None, reading: Default::default() }
    }
}

impl<M: Metric> Default for PageCopy<M> {
    fn default() -> Self {
        Self { text: String::new(), protobuf: Protobuf::default(), series: Vec::new(), len: 0 }
    }
}

thread_local! {
    /// A copy for each kind of metric that the thread has read.
    static COPIES: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

impl<M: Metric> PageCopy<M> {
    /// The copy that this thread has read into before, for what it has allocated.
    pub(crate) fn of_this_thread() -> Box<Self> {
        let kept = COPIES.try_with(|copies| {
            let mut copies = copies.try_borrow_mut().ok()?;
            let at = copies.iter().position(|copy| copy.is::<Self>())?;
            copies.swap_remove(at).downcast().ok()
        });
        kept.ok().flatten().unwrap_or_default()
    }

    /// Keeps it for the thread's next scrape.
    pub(crate) fn keep(self: Box<Self>) {
        let _ = COPIES.try_with(|copies| {
            // One of a scrape within a scrape is one too many.
            if let Some(mut copies) =
                copies.try_borrow_mut().ok().filter(|all| !all.iter().any(|one| one.is::<Self>()))
            {
                copies.push(self);
            }
        });
    }

    /// Room for what a single metric says.
    pub(crate) fn one(&mut self) -> &mut <M::Cell as Cell>::Reading {
        if self.series.is_empty() {
            self.series.push(Series::default());
        }
        &mut self.series[0].reading
    }

    pub(crate) fn series(&self) -> impl Iterator<Item = (&Series<M>, &str)> {
        self.series.iter().take(self.len).map(|series| (series, series.place.text(&self.text)))
    }
}

impl<M: Metric> Inner<M> {
    /// Begins to read everything. What it returns says which series there are then: one that is removed and made anew while a
    /// scrape goes on is not shown twice.
    pub(crate) fn begin_reading(&self) -> u32 {
        let mut state = self.lock();
        self.sweep(&mut state);
        let reading = state.readings;
        state.readings = reading.saturating_add(1);
        reading
    }

    /// Hands on the metrics of a page as rows, as far as they are numbers and somebody takes them, and says which place
    /// the first one has that is still to be shown. `None` after the last page.
    pub(crate) fn give_rows(&self, number: u32, reading: u32, out: &mut FamilyEmitter<'_>) -> Option<u32> {
        if !matches!(M::TYPE, MetricType::Counter | MetricType::Gauge) || !out.takes_rows() {
            return Some(0);
        }
        let mut state = self.lock();
        let (page, places) = self.page(&mut state, number)?;
        let mut rows = [const { Row::NONE }; PAGE as usize];
        let (mut len, mut mask, mut end) = (0, 0_u64, PAGE);
        let entries = self.entries_from(number * PAGE);
        for ((within, place), entry) in places.iter().enumerate().zip(entries) {
            if !entry.is_of(reading) {
                continue;
            }
            let (Some(value), Some(row)) = (entry.cell.number(), rows.get_mut(len)) else {
                end = within as u32;
                break;
            };
            let start = if M::TYPE == MetricType::Counter { entry.start_nanos() } else { 0 };
            *row = Row::new(*place, value, start);
            len += 1;
            mask |= 1 << within;
        }
        let list = rows.get(..len).unwrap_or_default();
        let taken = out.rows(&mut Rows::new(&page.labels.text, list, mask, &mut page.image));
        (0..taken).for_each(|_| mask &= mask - 1); // clears the lowest bit
        Some(mask.trailing_zeros().min(end))
    }

    /// Copies a page and what its metrics say now, without those that began later than this reading; `false` after the last
    /// page.
    pub(crate) fn copy_page(&self, number: u32, reading: u32, protobuf: bool, to: &mut PageCopy<M>) -> bool {
        to.text.clear();
        to.len = 0;
        let mut state = self.lock();
        let Some((page, places)) = self.page(&mut state, number) else { return false };
        to.text.push_str(&page.labels.text);
        to.protobuf.bytes.clear();
        to.protobuf.ends.fill(0);
        if protobuf {
            let rendered = match page.protobuf.take() {
                Some(rendered) => rendered,
                None => Box::new(Protobuf::of(page, places)),
            };
            to.protobuf.bytes.extend_from_slice(&rendered.bytes);
            to.protobuf.ends = rendered.ends;
            page.protobuf = Some(rendered);
        }
        let from = number * PAGE;
        let places = places.iter().zip(from..);
        for ((place, at), entry) in places.zip(self.entries_from(from)) {
            if !entry.is_of(reading) {
                continue;
            }
            if to.series.len() == to.len {
                to.series.push(Series::default());
            }
            let series = &mut to.series[to.len];
            (series.at, series.place) = (at, *place);
            series.start = entry.start();
            entry.cell.read(&mut series.reading);
            to.len += 1;
        }
        true
    }
}
