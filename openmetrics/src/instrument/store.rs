//! The metrics of a family: found without a lock, made, removed and read.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use super::labels::{LabelSet, LabelWriter, values};
use super::lifetime::{Lifetime, Lives, OVERFLOW};
use super::page::{PAGE, Page, PageCopy, Places, Protobuf, Series};
use super::slot::{Entry, KEY_WORDS, Slot};
use super::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering};
use super::table::{Segments, Table};
use super::{Cell, Metric};
use crate::model::{self, FamilyEmitter, Labels, MetricType, Row, Rows};
use crate::sync::OnceLock;

/// Label sets of at most this many kinds have an array instead of a hash table.
pub(crate) const DENSE_MAX: usize = 4096;

/// At most this many metrics in a family: what the table and the segments hold.
const SERIES_MAX: u32 = 1 << 27;

/// A family's metric, found and not counted: borrow it for a moment, or make a handle of it.
///
/// It dereferences to the metric's cell, which has the same methods as the handle. Keeping it keeps the memory of a
/// removed metric from being used again, nothing else.
pub struct Borrowed<'a, M: Metric> {
    entry: &'a Entry<M::Cell>,
    /// The segment that the entry is in, for handles.
    entries: &'a Arc<[Entry<M::Cell>]>,
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
        let within = if self.at == u32::MAX { 0 } else { Segments::<()>::within(self.at) };
        M::from_slot(Slot::held(Arc::clone(self.entries), within as u32))
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

/// What a lookup looks for.
#[derive(Clone, Copy)]
pub(crate) enum Key<'a> {
    /// The ordinal of a label set that the array has room for.
    Dense(u32),
    /// The label set in words, and its hash.
    Hashed(u64, &'a [u64]),
    /// What is beyond the limit, which nobody looks for.
    Overflow,
}

/// The hash of a label set under a secret seed: two words at a time, each step a multiplication whose halves are folded
/// together.
#[inline]
fn hash(seed: [u64; 2], words: &[u64]) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let mut hash = seed[0];
    let pairs = words.chunks_exact(2);
    let last = pairs.remainder().first().copied().unwrap_or(words.len() as u64);
    for pair in pairs {
        if let [a, b] = *pair {
            hash = fold(a ^ hash, b ^ seed[1]);
        }
    }
    fold(last ^ hash, seed[1])
}

/// Stands for the length of the key where the key is an ordinal.
const IS_ORDINAL: u32 = u32::MAX;

/// Stands for the length of the key where the series is that of what overflows.
const IS_OVERFLOW: u32 = u32::MAX - 1;

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
    seed: [u64; 2],
    table: Table,
    /// Place plus one for each ordinal, where label sets have one.
    dense: Box<[AtomicU32]>,
    entries: Segments<Arc<[Entry<M::Cell>]>>,
    /// Ends of long keys.
    spill: Segments<Box<[AtomicU64]>>,
    /// What is counted where there is no room any more.
    lost: OnceLock<Arc<[Entry<M::Cell>]>>,
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
    /// Counts series up, from 1: two series at one place differ in it.
    pub(crate) births: u64,
    /// Dead entries, which are free once nobody holds them.
    dead: VecDeque<u32>,
    /// Entries before this one are never given to another series.
    reusable_from: u32,
    /// Words of the spill area that are given out.
    spilled: u32,
    pages: Vec<Page>,
    places: Places,
    pub(crate) lives: Lives,
}

impl State {
    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// When the series at this place began, counted in series; `None` if there is none.
    pub(crate) fn birth(&self, at: u32) -> Option<u64> {
        self.places.birth(at)
    }
}

impl<M: Metric> Inner<M> {
    pub(crate) fn new(
        names: Box<[model::LabelName]>,
        consts: String,
        shape: <M::Cell as Cell>::Shape,
        dense: Option<usize>,
        lifetime: Lifetime,
    ) -> Self {
        Self {
            names,
            consts,
            shape,
            seed: [0, 1].map(|n| RandomState::new().hash_one(n)),
            table: Table::new(),
            dense: dense.map(|n| (0..n).map(|_| AtomicU32::new(0)).collect()).unwrap_or_default(),
            entries: Segments::new(),
            spill: Segments::new(),
            lost: OnceLock::new(),
            removable: AtomicBool::new(lifetime.expires()),
            lifetime,
            state: Mutex::new(State::default()),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics half way; and whatever happened, counting goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline(always)]
    pub(crate) fn with(&self, labels: &impl LabelSet) -> Borrowed<'_, M> {
        if !self.dense.is_empty() {
            let ordinal = labels.ordinal();
            return match self.find_dense(ordinal) {
                Some(found) => found,
                None => self.make(labels),
            };
        }
        let mut to = LabelWriter::new();
        labels.write(&mut to);
        match self.find_hashed(hash(self.seed, to.words()), to.words()) {
            Some(found) => found,
            None => self.make(labels),
        }
    }

    /// Calls `look` with the key of these labels.
    pub(crate) fn with_key<R>(&self, labels: &impl LabelSet, look: impl FnOnce(Key<'_>) -> R) -> R {
        if !self.dense.is_empty() {
            let ordinal = labels.ordinal();
            if ordinal < self.dense.len() {
                return look(Key::Dense(ordinal as u32));
            }
        }
        let mut to = LabelWriter::new();
        labels.write(&mut to);
        let words = to.words();
        look(Key::Hashed(hash(self.seed, words), words))
    }

    #[inline(always)]
    pub(crate) fn borrow(&self, at: u32) -> Option<Borrowed<'_, M>> {
        let (entries, within) = self.entries.get(at)?;
        let entry = entries.get(within)?;
        Some(Borrowed { entry, entries, at, counted: false })
    }

    /// The metric with this key. Without the lock it may miss one that is there.
    pub(crate) fn find(&self, key: Key<'_>) -> Option<Borrowed<'_, M>> {
        match key {
            Key::Dense(ordinal) => self.find_dense(ordinal as usize),
            Key::Overflow => None,
            Key::Hashed(hash, words) => self.find_hashed(hash, words),
        }
    }

    #[inline(always)]
    fn find_dense(&self, ordinal: usize) -> Option<Borrowed<'_, M>> {
        let at = self.dense.get(ordinal)?.load(Ordering::Acquire).checked_sub(1)?;
        self.confirm(at, |entry, is_reusable| {
            // Places that are never given to others need no second look.
            !is_reusable
                || entry.key_len.load(Ordering::Relaxed) == IS_ORDINAL
                    && entry.key[0].load(Ordering::Relaxed) == ordinal as u64
        })
    }

    #[inline(always)]
    fn find_hashed(&self, hash: u64, words: &[u64]) -> Option<Borrowed<'_, M>> {
        self.table.find(hash, |at| self.confirm(at, |entry, _| self.has_key(entry, words)))
    }

    #[inline(always)]
    fn has_key(&self, entry: &Entry<M::Cell>, words: &[u64]) -> bool {
        if entry.key_len.load(Ordering::Relaxed) as usize != words.len() {
            return false;
        }
        let here = words.iter().zip(&entry.key).all(|(&word, kept)| word == kept.load(Ordering::Relaxed));
        here && (words.len() <= KEY_WORDS
            || words.iter().skip(KEY_WORDS).copied().eq(self.spilled(entry).take(words.len() - KEY_WORDS)))
    }

    /// The metric at a place if it is the one, see [`Inner`]. `is_it` is told whether the place may have been another's.
    #[inline(always)]
    fn confirm(&self, at: u32, is_it: impl FnOnce(&Entry<M::Cell>, bool) -> bool) -> Option<Borrowed<'_, M>> {
        let mut found = self.borrow(at)?;
        let is_reusable = self.removable.load(Ordering::Acquire);
        if is_reusable {
            found.counted = found.entry.hold();
            if !found.counted {
                return None;
            }
        }
        is_it(found.entry, is_reusable).then_some(found)
    }

    /// The words of an entry's key that stand in the spill area, and after them whatever stands there.
    fn spilled<'a>(&'a self, entry: &'a Entry<M::Cell>) -> impl Iterator<Item = u64> + 'a {
        (entry.spill.load(Ordering::Relaxed)..).map_while(|at| {
            let (words, within) = self.spill.get(at)?;
            Some(words.get(within)?.load(Ordering::Relaxed))
        })
    }

    #[cold]
    #[inline(never)]
    fn make(&self, labels: &impl LabelSet) -> Borrowed<'_, M> {
        let made = self.with_key(labels, |key| {
            let mut state = self.lock();
            if let Some(found) = self.find(key) {
                return Some(found);
            }
            self.sweep(&mut state);
            if state.len >= self.lifetime.max_series {
                return self.overflow(&mut state);
            }
            let text = match key {
                Key::Hashed(_, words) => self.render(values(words).iter().map(String::as_str)),
                _ => self.render_labels(labels),
            };
            if self.lifetime.is_limited() && text == self.render_overflow() {
                return self.overflow(&mut state); // who has such labels shares the series
            }
            self.insert(&mut state, key, &text)
        });
        if let Some(made) = made {
            return made;
        }
        let lost = || [Entry::dead(M::Cell::new(&self.shape))].into();
        let entries = self.lost.get_or_init(lost);
        Borrowed { entry: &entries[0], entries, at: u32::MAX, counted: false } // of one, made above
    }

    /// The metric for what is beyond the limit.
    fn overflow(&self, state: &mut State) -> Option<Borrowed<'_, M>> {
        state.lives.overflowed += 1;
        if let Some(at) = state.lives.overflow {
            let mut found = self.borrow(at)?;
            if self.removable.load(Ordering::Relaxed) {
                found.counted = found.entry.hold();
            }
            return Some(found);
        }
        let text = self.render_overflow();
        let made = self.insert(state, Key::Overflow, &text)?;
        state.lives.overflow = Some(made.at);
        state.len -= 1; // it is none of those that are limited
        Some(made)
    }

    /// A metric for labels that have none; `None` if there is no room for more.
    fn insert(&self, state: &mut State, key: Key<'_>, text: &str) -> Option<Borrowed<'_, M>> {
        let at = self.vacancy(state)?;
        let mut made = self.borrow(at)?;
        let entry = made.entry;
        match key {
            Key::Dense(ordinal) => {
                entry.key_len.store(IS_ORDINAL, Ordering::Relaxed);
                entry.key[0].store(u64::from(ordinal), Ordering::Relaxed);
            }
            Key::Overflow => entry.key_len.store(IS_OVERFLOW, Ordering::Relaxed),
            Key::Hashed(_, words) => self.write_key(state, entry, words)?,
        }
        entry.cell.clear();
        entry.start_now();
        entry.revive();
        if self.removable.load(Ordering::Relaxed) {
            made.counted = made.entry.hold();
        }
        state.len += 1;
        state.births += 1;
        let page = (at / PAGE) as usize;
        if state.pages.len() <= page {
            state.pages.resize_with(page + 1, Page::default);
        }
        state.pages[page].set(&mut state.places, at, text, state.births);
        match key {
            Key::Dense(ordinal) => self.dense[ordinal as usize].store(at + 1, Ordering::Release),
            Key::Overflow => {}
            Key::Hashed(hash, _) => {
                self.table.insert(hash, at, state.len);
            }
        }
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
        self.entries
            .get_or_make(at, |len| (0..len).map(|_| Entry::dead(M::Cell::new(&self.shape))).collect())?;
        state.used += 1;
        Some(at)
    }

    fn write_key(&self, state: &mut State, entry: &Entry<M::Cell>, words: &[u64]) -> Option<()> {
        let len = words.len();
        let beyond = len.saturating_sub(KEY_WORDS) as u32;
        let capacity = entry.spill_capacity.load(Ordering::Relaxed);
        if beyond > capacity {
            // Twice as much each time, so what long keys leave behind is less than what they have.
            let capacity = beyond.max(capacity.saturating_mul(2));
            entry.spill.store(state.spilled, Ordering::Relaxed);
            entry.spill_capacity.store(capacity, Ordering::Relaxed);
            state.spilled = state.spilled.checked_add(capacity)?;
        }
        let from = entry.spill.load(Ordering::Relaxed);
        for (n, &word) in words.iter().enumerate() {
            if let Some(here) = entry.key.get(n) {
                here.store(word, Ordering::Relaxed);
                continue;
            }
            let at = from + (n - KEY_WORDS) as u32;
            let make = |len| (0..len).map(|_| AtomicU64::new(0)).collect();
            let (words, within) = self.spill.get_or_make(at, make)?;
            words.get(within)?.store(word, Ordering::Relaxed);
        }
        entry.key_len.store(len as u32, Ordering::Relaxed);
        Some(())
    }

    fn render_labels(&self, labels: &impl LabelSet) -> String {
        let mut written = LabelWriter::new();
        labels.write(&mut written);
        self.render(values(written.words()).iter().map(String::as_str))
    }

    fn render_overflow(&self) -> String {
        self.render(self.names.iter().map(|_| OVERFLOW))
    }

    fn render<'a>(&'a self, values: impl Iterator<Item = &'a str>) -> String {
        let names = self.names.iter().map(model::LabelName::as_str);
        let pairs: Vec<_> = names.zip(values).collect();
        let mut text = self.consts.clone();
        model::render(&Labels::new(&pairs), &mut text);
        text
    }

    /// Takes the metric at a place out.
    pub(crate) fn remove(&self, state: &mut State, at: u32) {
        if !self.removable.swap(true, Ordering::Release) {
            state.reusable_from = state.used;
        }
        let Some(found) = self.borrow(at) else { return };
        let entry = found.entry;
        let key_len = entry.key_len.load(Ordering::Relaxed);
        if key_len == IS_OVERFLOW {
            state.lives.overflow = None;
            state.len += 1; // it is not among those counted
        } else if key_len == IS_ORDINAL {
            let ordinal = entry.key[0].load(Ordering::Relaxed) as usize;
            if let Some(place) = self.dense.get(ordinal) {
                place.store(0, Ordering::Release);
            }
        } else {
            let len = key_len as usize;
            let here = entry.key.iter().map(|word| word.load(Ordering::Relaxed));
            let key: Vec<u64> = here.chain(self.spilled(entry)).take(len).collect();
            self.table.remove(hash(self.seed, &key), at);
        }
        entry.bury();
        state.len -= 1;
        if let Some(page) = state.pages.get_mut((at / PAGE) as usize) {
            page.unset(&mut state.places, at);
        }
        if at >= state.reusable_from {
            state.dead.push_back(at);
        }
    }

    /// Hands on the metrics of a page as rows, as far as they are numbers and somebody takes them, and says which place
    /// the first one has that is still to be shown. `None` after the last page.
    pub(crate) fn give_rows(&self, number: u32, latest: u64, out: &mut FamilyEmitter<'_>) -> Option<u32> {
        if !matches!(M::TYPE, MetricType::Counter | MetricType::Gauge) || !out.takes_rows() {
            return Some(0);
        }
        let mut state = self.lock();
        let State { pages, places, .. } = &mut *state;
        let page = pages.get_mut(number as usize)?;
        let mut rows = [const { Row::NONE }; PAGE as usize];
        let (mut len, mut mask, mut end) = (0, 0_u64, PAGE);
        // The entries up to the end of their segment.
        let mut entries: &[Entry<M::Cell>] = &[];
        let born = page.born_until(latest, places, number);
        for (within, place) in places.of(number).iter().enumerate() {
            if entries.is_empty() {
                let segment = self.entries.get(number * PAGE + within as u32);
                entries = segment.and_then(|(entries, first)| entries.get(first..)).unwrap_or_default();
            }
            let Some((entry, others)) = entries.split_first() else { break };
            entries = others;
            if born >> within & 1 == 0 {
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
        let taken = out.rows(&mut Rows::new(&page.text, list, mask, &mut page.image));
        (0..taken).for_each(|_| mask &= mask - 1); // clears the lowest bit
        Some(mask.trailing_zeros().min(end))
    }

    /// Copies a page and what its metrics say now, without those born after `latest`; `false` after the last page.
    ///
    /// Series are told apart by birth: one that was removed and made anew while a scrape goes on is not shown twice.
    pub(crate) fn copy_page(&self, number: u32, latest: u64, protobuf: bool, to: &mut PageCopy<M>) -> bool {
        to.text.clear();
        to.len = 0;
        let mut state = self.lock();
        let State { pages, places, .. } = &mut *state;
        let Some(page) = pages.get_mut(number as usize) else { return false };
        to.text.push_str(&page.text);
        to.protobuf.bytes.clear();
        to.protobuf.ends.fill(0);
        if protobuf {
            let rendered = match page.protobuf.take() {
                Some(rendered) => rendered,
                None => Box::new(Protobuf::of(page, places.of(number))),
            };
            to.protobuf.bytes.extend_from_slice(&rendered.bytes);
            to.protobuf.ends = rendered.ends;
            page.protobuf = Some(rendered);
        }
        let born = page.born_until(latest, places, number);
        let of_page = places.of(number).iter().enumerate();
        for (within, place) in of_page.filter(|(within, _)| born >> within & 1 != 0) {
            let at = number * PAGE + within as u32;
            let Some(found) = self.borrow(at) else { continue };
            let entry = found.entry;
            if to.series.len() == to.len {
                to.series.push(Series {
                    at,
                    birth: 0,
                    place: *place,
                    start: None,
                    reading: Default::default(),
                });
            }
            let series = &mut to.series[to.len];
            (series.at, series.birth, series.place) = (at, places.birth(at).unwrap_or(0), *place);
            series.start = entry.start();
            entry.cell.read(&mut series.reading);
            to.len += 1;
        }
        true
    }
}
