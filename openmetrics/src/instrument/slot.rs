//! Where metrics live: slots that handles point to, reused when a series is gone.

use std::sync::Arc;

use super::Cell;
use super::sync::{AtomicU32, AtomicU64, Ordering};
use crate::model::Timestamp;

/// Set in [`Entry::state`] while the entry belongs to no series.
const DEAD: u32 = 1 << 31;

/// Set in [`Entry::state`] when the entry's series was looked up since somebody last asked.
const TOUCHED: u32 = 1 << 30;

/// How many words of a key stand beside the metric; the rest is in the family's spill area.
pub(crate) const KEY_WORDS: usize = 5;

/// One metric.
///
/// # Who may use an entry
///
/// Memory of entries lives as long as anything points at it. What the state guards is *reuse* for another series:
/// a handle counts in the state's low bits; the entry of a removed series is marked dead and waits until nobody counts.
/// Only then, under the family's lock, is it given to another series: first everything is written, last the mark
/// is taken off with `Release`. Whoever counts himself in with `Acquire` and sees no mark therefore sees the key of
/// the series that the entry belongs to, and it keeps belonging to it until he counts himself out.
pub(crate) struct Entry<C> {
    pub(crate) cell: C,
    /// Since when it counts, in nanoseconds since the epoch.
    start: AtomicU64,
    /// [`DEAD`], [`TOUCHED`] and the number of handles.
    state: AtomicU32,
    /// How many times the family had been read when the series began. Under the family's lock.
    born: AtomicU32,
}

/// What a family's lookup reads of a metric besides its entry.
pub(crate) struct KeptKey {
    pub(crate) len: AtomicU32,
    /// Where in the spill area the rest of the key stands, in words.
    pub(crate) spill: AtomicU32,
    pub(crate) spill_capacity: AtomicU32,
    pub(crate) words: [AtomicU64; KEY_WORDS],
}

impl KeptKey {
    /// One that no series has yet.
    pub(crate) fn new() -> Self {
        Self {
            len: AtomicU32::new(0),
            spill: AtomicU32::new(0),
            spill_capacity: AtomicU32::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

/// Neighbouring entries, which handles keep alive together, and their keys, if these are kept here.
pub(crate) struct Entries<C> {
    entries: Arc<[Entry<C>]>,
    keys: Box<[KeptKey]>,
}

impl<C> Entries<C> {
    /// So many dead entries.
    pub(crate) fn new(len: usize, cell: impl Fn() -> C, has_keys: bool) -> Self {
        let keys = if has_keys { len } else { 0 };
        Self {
            entries: (0..len).map(|_| Entry::dead(cell())).collect(),
            keys: (0..keys).map(|_| KeptKey::new()).collect(),
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&Entry<C>> {
        self.entries.get(at)
    }

    #[inline(always)]
    pub(crate) fn key(&self, at: usize) -> Option<&KeptKey> {
        self.keys.get(at)
    }
}

impl<C> Entry<C> {
    /// An entry that no series has yet.
    pub(crate) fn dead(cell: C) -> Self {
        Self { cell, start: AtomicU64::new(0), state: AtomicU32::new(DEAD), born: AtomicU32::new(0) }
    }

    /// Counts the caller in; `false`, and not counted, if the entry belongs to no series.
    #[inline]
    pub(crate) fn hold(&self) -> bool {
        match self.state.fetch_add(1, Ordering::Acquire) & (DEAD | TOUCHED) {
            TOUCHED => true,
            0 => {
                // Once after each asking, so that a busy series does not pay for it.
                self.state.fetch_or(TOUCHED, Ordering::Relaxed);
                true
            }
            _ => {
                self.release();
                false
            }
        }
    }

    /// Counts the caller in once more: he is counted already, or the entry is one that is never reused.
    #[inline]
    pub(crate) fn hold_again(&self) {
        self.state.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the caller out.
    #[inline]
    pub(crate) fn release(&self) {
        self.state.fetch_sub(1, Ordering::Release);
    }

    /// The series is gone. Under the family's lock.
    pub(crate) fn bury(&self) {
        self.state.fetch_or(DEAD, Ordering::AcqRel);
    }

    /// Whether nobody can reach the metric any more: dead and no handles. A lookup that races may still count
    /// itself in for a moment, but touches nothing before it has seen the mark. Under the family's lock.
    pub(crate) fn is_free(&self) -> bool {
        self.state.load(Ordering::Acquire) & !TOUCHED == DEAD
    }

    /// Whether the entry belongs to a series. Under the family's lock, or counted in.
    pub(crate) fn is_alive(&self) -> bool {
        self.state.load(Ordering::Acquire) & DEAD == 0
    }

    /// Whether the entry belongs to a series that began before this reading of the family. Under the family's lock.
    pub(crate) fn is_of(&self, reading: u32) -> bool {
        self.is_alive() && self.born.load(Ordering::Relaxed) <= reading
    }

    /// Whether the series is idle: nobody has it, and nobody looked it up since this was asked before. It is then dead.
    /// Under the family's lock.
    pub(crate) fn bury_if_idle(&self) -> bool {
        // Whoever counts himself in meanwhile changes the state, and the series lives.
        let idle = self.state.compare_exchange(0, DEAD, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !idle {
            self.state.fetch_and(!TOUCHED, Ordering::Relaxed);
        }
        idle
    }

    /// Gives the entry to a series, after everything else of it was written; `reading` is the family's last one. Under the
    /// family's lock.
    pub(crate) fn revive(&self, reading: u32) {
        self.born.store(reading, Ordering::Relaxed);
        self.state.fetch_and(!(DEAD | TOUCHED), Ordering::AcqRel);
    }

    pub(crate) fn start(&self) -> Option<Timestamp> {
        let nanos = self.start.load(Ordering::Relaxed);
        Timestamp::new((nanos / NANOS) as i64, (nanos % NANOS) as u32)
    }

    /// The same in nanoseconds since the epoch.
    #[inline]
    pub(crate) fn start_nanos(&self) -> u64 {
        self.start.load(Ordering::Relaxed)
    }

    pub(crate) fn start_now(&self) {
        let now = Timestamp::now();
        let seconds = u64::try_from(now.seconds()).unwrap_or(0);
        let nanos = seconds.saturating_mul(NANOS).saturating_add(u64::from(now.subsec_nanos()));
        self.start.store(nanos, Ordering::Relaxed);
    }
}

const NANOS: u64 = 1_000_000_000;

/// A counted reference to one metric. What [`Counter`](super::Counter) and its like are made of.
pub struct Slot<C: Cell> {
    entries: Arc<[Entry<C>]>,
    at: u32,
    /// Here, so that what is the thread's own is reached without following references.
    near: C::Near,
}

impl<C: Cell> Slot<C> {
    /// A metric of its own, in no family.
    pub(crate) fn alone(cell: C) -> Self {
        let entry = Entry::dead(cell);
        entry.start_now();
        entry.revive(0);
        entry.hold();
        Self { near: entry.cell.near(), entries: Arc::new([entry]), at: 0 }
    }

    /// A reference to an entry, the one at this place among these, that the caller has counted himself in to, which is handed
    /// over.
    pub(crate) fn held(entry: &Entry<C>, entries: &Entries<C>, at: u32) -> Self {
        Self { near: entry.cell.near(), entries: Arc::clone(&entries.entries), at }
    }

    /// See [`Cell::near`].
    #[inline(always)]
    pub(crate) fn near(&self) -> &C::Near {
        &self.near
    }

    #[inline]
    pub(crate) fn entry(&self) -> &Entry<C> {
        // `at` is within from the beginning, and a slice does not shrink.
        &self.entries[self.at as usize]
    }
}

impl<C: Cell> Clone for Slot<C> {
    fn clone(&self) -> Self {
        // The caller is counted, so a dead entry stays his, too: its writes go nowhere, which is right.
        self.entry().hold_again();
        Self { entries: Arc::clone(&self.entries), at: self.at, near: self.near.clone() }
    }
}

impl<C: Cell> Drop for Slot<C> {
    fn drop(&mut self) {
        self.entry().release();
    }
}
