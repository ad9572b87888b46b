//! The metrics of a family: found without a lock, made, removed and read.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::PoisonError;

use super::interned::Interned;
use super::keys::{Key, Way};
use super::labels::{LabelSet, LabelWriter, values};
use super::lifetime::{Lifetime, Lives, OVERFLOW};
use super::page::{Page, Pages};
use super::slot::{Entries, Entry, Slot};
use super::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering};
use super::table::{Segments, Table};
use super::{Cell, Metric};
use crate::model::{self, Labels, Place};
use crate::sync::OnceLock;

/// Label sets of at most this many kinds have an array instead of a hash table.
pub(crate) const DENSE_MAX: usize = 4096;

/// The place of what is in no place of a family.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// At most this many metrics in a family: what the table and the segments hold.
const SERIES_MAX: u32 = 1 << 27;

/// A family's metric, found and not counted: borrow it for a moment, or make a handle of it.
///
/// It dereferences to the metric's cell, which has the same methods as the handle. Keeping it keeps the memory of a
/// removed metric from being used again, nothing else.
pub struct Borrowed<'a, M: Metric> {
    entry: &'a Entry<M::Cell>,
    /// The segment that the entry is in, for handles.
    entries: &'a Entries<M::Cell>,
    /// Its place in the family, or [`NOWHERE`].
    pub(crate) at: u32,
    /// Whether it counts in the entry's state.
    counted: bool,
}

impl<M: Metric> Borrowed<'_, M> {
    /// Whether it is still in the family. Under the family's lock.
    pub(crate) fn is_alive(&self) -> bool {
        self.entry.is_alive()
    }

    /// See [`Entry::bury_if_idle`]. Under the family's lock.
    pub(crate) fn bury_if_idle(&self) -> bool {
        self.entry.bury_if_idle()
    }

    /// A handle to keep.
    pub fn to_handle(&self) -> M {
        self.entry.hold_again();
        let within = if self.at == NOWHERE { 0 } else { Segments::<()>::within(self.at) };
        M::from_slot(Slot::held(self.entry, self.entries, within as u32))
    }
}

impl<M: Metric> Deref for Borrowed<'_, M> {
    type Target = M::Cell;
    #[inline]
    fn deref(&self) -> &M::Cell {
        &self.entry.cell
    }
}

impl<M: Metric> Drop for Borrowed<'_, M> {
    #[inline]
    fn drop(&mut self) {
        if self.counted {
            self.entry.release();
        }
    }
}

impl<M: Metric> fmt::Debug for Borrowed<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrowed").finish_non_exhaustive()
    }
}

/// # Who does what
///
/// Lookups read `dense`, `table`, `entries` and `spill` without a lock; everybody who changes them holds `state`.
/// Until the first removal a lookup takes what it finds as it is: no entry that was there before is ever given to
/// another series ([`State::reusable_from`]). After it, lookups count themselves in to the entry and then compare
/// ([`Entry`]). They cannot miss the change: `removable` is set before any entry that may be reused is published, with
/// `Release` and under the lock, and read after the place of the entry, with `Acquire`.
pub(crate) struct Inner<M: Metric> {
    pub(crate) names: Box<[model::LabelName]>,
    /// The constant labels, rendered.
    consts: String,
    shape: <M::Cell as Cell>::Shape,
    /// Of the hashes; nobody outside knows it, so nobody can choose labels that collide.
    pub(crate) seed: [u64; 2],
    pub(crate) table: Table,
    /// Place plus one for each ordinal, where label sets have one.
    pub(crate) dense: Box<[AtomicU32]>,
    /// Whether keys are [`Interned`], and everybody who looks for a metric takes the lock.
    pub(crate) is_compact: bool,
    pub(crate) entries: Segments<Entries<M::Cell>>,
    /// Ends of long keys.
    pub(crate) spill: Segments<Box<[AtomicU64]>>,
    /// What is counted where there is no room any more.
    lost: OnceLock<Entries<M::Cell>>,
    removable: AtomicBool,
    pub(crate) lifetime: Lifetime,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Entries that were ever given to a series.
    pub(crate) used: u32,
    /// Metrics there are now.
    pub(crate) len: usize,
    /// How many times everything was read.
    pub(crate) readings: u32,
    /// Dead entries, which are free once nobody holds them.
    dead: VecDeque<u32>,
    /// Entries before this one are never given to another series.
    reusable_from: u32,
    /// Words of the spill area that are given out.
    pub(crate) spilled: u32,
    pub(crate) pages: Pages,
    /// In place of pages and of keys beside entries, where memory is to be saved.
    pub(crate) interned: Option<Box<Interned>>,
    pub(crate) lives: Lives,
}

impl<M: Metric> Inner<M> {
    pub(crate) fn new(
        names: Box<[model::LabelName]>,
        consts: String,
        shape: <M::Cell as Cell>::Shape,
        dense: Option<usize>,
        lifetime: Lifetime,
        is_compact: bool,
    ) -> Self {
        let seed = [0, 1].map(|n| RandomState::new().hash_one(n));
        let interned = is_compact.then(|| Box::new(Interned::new(seed, names.len())));
        Self {
            names,
            consts,
            shape,
            seed,
            is_compact,
            table: Table::new(),
            dense: dense.map(|n| (0..n).map(|_| AtomicU32::new(0)).collect()).unwrap_or_default(),
            entries: Segments::new(),
            spill: Segments::new(),
            lost: OnceLock::new(),
            removable: AtomicBool::new(lifetime.expires()),
            lifetime,
            state: Mutex::new(State { interned, ..State::default() }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics half way; and whatever happened, counting goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline(always)]
    pub(crate) fn borrow(&self, at: u32) -> Option<Borrowed<'_, M>> {
        let (entries, within) = self.entries.get(at)?;
        Some(Borrowed { entry: entries.get(within)?, entries, at, counted: false })
    }

    pub(crate) fn entry(&self, at: u32) -> Option<&Entry<M::Cell>> {
        let (entries, within) = self.entries.get(at)?;
        entries.get(within)
    }

    /// See [`Entry::is_of`].
    pub(crate) fn is_of(&self, at: u32, reading: u32) -> bool {
        self.entry(at).is_some_and(|entry| entry.is_of(reading))
    }

    /// Entries from a place on, as far as there are any.
    pub(crate) fn entries_from(&self, mut at: u32) -> impl Iterator<Item = &Entry<M::Cell>> {
        let mut next: Option<(&Entries<M::Cell>, usize)> = None;
        std::iter::from_fn(move || {
            let (entries, within) = match next {
                Some((entries, within)) if entries.get(within).is_some() => (entries, within),
                _ => self.entries.get(at)?, // the next segment
            };
            next = Some((entries, within + 1));
            at += 1;
            entries.get(within)
        })
    }

    /// The metric at a place if it is the one, see [`Inner`]. `is_it` is told where it is, and whether the place may have been
    /// another's.
    #[inline(always)]
    pub(crate) fn confirm(
        &self,
        at: u32,
        is_it: impl FnOnce(&Entries<M::Cell>, usize, bool) -> bool,
    ) -> Option<Borrowed<'_, M>> {
        let (entries, within) = self.entries.get(at)?;
        let mut found = Borrowed { entry: entries.get(within)?, entries, at, counted: false };
        let is_reusable = self.removable.load(Ordering::Acquire);
        if is_reusable {
            found.counted = found.entry.hold();
            if !found.counted {
                return None;
            }
        }
        is_it(entries, within, is_reusable).then_some(found)
    }

    /// Counts the caller in, if places may become others'. Under the lock, by which the metric is there.
    pub(crate) fn count_in<'a>(&self, mut found: Borrowed<'a, M>) -> Borrowed<'a, M> {
        found.counted = self.removable.load(Ordering::Relaxed) && found.entry.hold();
        found
    }

    /// The metric with these labels, made if it is not there.
    #[cold]
    #[inline(never)]
    pub(crate) fn make(&self, labels: &impl LabelSet) -> Borrowed<'_, M> {
        let made = self.with_key(labels, |key| {
            let mut state = self.lock();
            if let Some(found) = self.find(&mut state, key) {
                return Some(found);
            }
            self.sweep(&mut state);
            // Who has the labels of what overflows shares its series.
            let is_beyond = state.len >= self.lifetime.max_series
                || self.lifetime.is_limited() && key.words == self.overflow_labels().words();
            if is_beyond { self.overflow(&mut state) } else { self.insert(&mut state, key) }
        });
        if let Some(made) = made {
            return made;
        }
        let lost = || Entries::new(1, || M::Cell::new(&self.shape), false);
        let entries = self.lost.get_or_init(lost);
        let Some(entry) = entries.get(0) else { unreachable!("one was made just now") };
        Borrowed { entry, entries, at: NOWHERE, counted: false }
    }

    /// The metric for what is beyond the limit.
    fn overflow(&self, state: &mut State) -> Option<Borrowed<'_, M>> {
        state.lives.overflowed += 1;
        if let Some(at) = state.lives.overflow {
            return Some(self.count_in(self.borrow(at)?));
        }
        let labels = self.overflow_labels();
        let made = self.insert(state, Key { words: labels.words(), way: Way::Unsought })?;
        state.lives.overflow = Some(made.at);
        state.len -= 1; // it is none of those that are limited
        Some(made)
    }

    fn overflow_labels(&self) -> LabelWriter {
        let mut labels = LabelWriter::new();
        self.names.iter().for_each(|_| labels.text(OVERFLOW));
        labels
    }

    /// A metric for labels that have none; `None` if there is no room for more.
    fn insert(&self, state: &mut State, key: Key<'_>) -> Option<Borrowed<'_, M>> {
        let at = self.vacancy(state)?;
        let made = self.borrow(at)?;
        self.write_key(state, at, key)?;
        made.entry.cell.clear();
        made.entry.start_now();
        made.entry.revive(state.readings);
        let made = self.count_in(made);
        state.len += 1;
        self.publish(state, at, key);
        Some(made)
    }

    /// An entry that nobody has.
    fn vacancy(&self, state: &mut State) -> Option<u32> {
        let is_free = |at: u32| self.borrow(at).is_some_and(|found| found.entry.is_free());
        // Those removed first are free first. A few are enough to look at, unless there is no other room.
        let looks = if state.used < SERIES_MAX { 8 } else { state.dead.len() };
        for _ in 0..looks.min(state.dead.len()) {
            let at = state.dead.pop_front()?;
            if is_free(at) {
                return Some(at);
            }
            state.dead.push_back(at);
        }
        if state.used >= SERIES_MAX {
            return None;
        }
        let at = state.used;
        let cell = || M::Cell::new(&self.shape);
        self.entries.get_or_make(at, |len| Entries::new(len, cell, !self.is_compact))?;
        state.used += 1;
        Some(at)
    }

    /// The constant labels and these, rendered.
    pub(crate) fn render(&self, words: &[u64]) -> String {
        let values = values(words);
        let names = self.names.iter().map(model::LabelName::as_str);
        let pairs: Vec<_> = names.zip(values.iter().map(String::as_str)).collect();
        let mut text = self.consts.clone();
        model::render(&Labels::new(&pairs), &mut text);
        text
    }

    /// The rendered labels of a page's metrics, and where they stand; `None` after the last page. Under the lock.
    pub(crate) fn page<'a>(&self, state: &'a mut State, number: u32) -> Option<(&'a mut Page, &'a [Place])> {
        match &mut state.interned {
            Some(interned) => interned.render(number, &self.names, &self.consts),
            None => state.pages.get(number),
        }
    }

    /// Takes the metric at a place out.
    pub(crate) fn remove(&self, state: &mut State, at: u32) {
        if !self.removable.swap(true, Ordering::Release) {
            state.reusable_from = state.used;
        }
        let Some(entry) = self.entry(at) else { return };
        if state.lives.overflow == Some(at) {
            state.lives.overflow = None;
            state.len += 1; // it is not among those counted
        }
        self.forget_key(state, at);
        entry.bury();
        state.len -= 1;
        if at >= state.reusable_from {
            state.dead.push_back(at);
        }
    }
}
