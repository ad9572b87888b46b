//! Cells that belong to threads, so that counting costs a load and a store.
//!
//! Every thread has an [`Arena`]: a cell for each metric that counts this way. Only its thread writes it, so an
//! increment needs no read-modify-write, and no other thread's counting takes the cache line away. A scrape adds up
//! what all arenas have. All of it is safe code: cells are atomics, and arenas are never freed but handed on.
//!
//! # Who may do what
//!
//! * A cell is written by the thread that has its arena, with relaxed loads and stores, and read by everybody.
//! * A thread takes an arena under the lock of [`ARENAS`], when it first counts, and gives it back under the same lock
//!   when it ends; the next thread that begins takes it over and counts on. So nothing is lost when threads end, there
//!   are as many arenas as there ever were threads at once, and whoever has an arena sees what his predecessor wrote.
//! * While a thread ends, after its arena is given back, it counts in [`SHARED`] with read-modify-writes.
//! * Cells are set to zero when their metric is gone, by whoever dropped the last handle. What others wrote before is
//!   seen by him, since handles are counted with `Release` and `Acquire`; and whoever gets the cell later has it from him.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lines::Lines;
use crate::sync::{Mutex, MutexGuard, OnceLock};

/// The cells of one thread, in chunks that never move: 2048, 4096, 8192, ... cells.
#[repr(align(128))]
struct Arena {
    first: FirstChunk,
    /// Those behind the first one.
    chunks: [OnceLock<Lines<AtomicU64>>; CHUNKS],
    /// From 1; [`SHARED`] has 0.
    number: u32,
}

/// An array, so that where it is says all: reaching a cell of it is one load and one comparison with a constant.
type FirstChunk = [AtomicU64; FIRST_CHUNK as usize];

const CHUNKS: usize = 11;
const FIRST_CHUNK: u32 = 2048;

impl Arena {
    const fn new(number: u32) -> Self {
        let first = [const { AtomicU64::new(0) }; FIRST_CHUNK as usize];
        Self { first, chunks: [const { OnceLock::new() }; CHUNKS], number }
    }

    #[inline]
    fn cell(&self, id: CellId) -> Option<&AtomicU64> {
        let Some(chunk) = id.chunk().checked_sub(1) else { return self.first.get(id.number() as usize) };
        self.chunks.get(chunk)?.get()?.get(id.within())
    }

    fn make_cell(&self, id: CellId) -> Option<&AtomicU64> {
        if let Some(chunk) = id.chunk().checked_sub(1) {
            let cells = (FIRST_CHUNK as usize) << id.chunk();
            self.chunks.get(chunk)?.get_or_init(|| Lines::new(cells, || AtomicU64::new(0)));
        }
        self.cell(id)
    }
}

/// Where threads count that are about to end, or when there are more cells or threads than arenas have room for.
static SHARED: Arena = Arena::new(0);

struct Arenas {
    all: Vec<&'static Arena>,
    /// Those without a thread.
    idle: Vec<&'static Arena>,
    /// The next cell to be given out, and those that came back.
    cells: u32,
    free: Vec<CellId>,
}

static ARENAS: Mutex<Arenas> =
    Mutex::new(Arenas { all: Vec::new(), idle: Vec::new(), cells: 1, free: Vec::new() });

fn arenas() -> MutexGuard<'static, Arenas> {
    ARENAS.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The thread's arena.
    static MINE: Cell<Option<&'static Arena>> = const { Cell::new(None) };
    /// The first chunk of the thread's arena, `None` while it has none. No destructor, and nothing to follow: reaching one
    /// of the first cells is a few instructions.
    static FIRST_OF_MINE: Cell<Option<&'static FirstChunk>> = const { Cell::new(None) };
    /// The number of the thread's arena, 0 while it has none.
    static NUMBER: Cell<u32> = const { Cell::new(0) };
    /// Gives it back when the thread ends.
    static GUARD: Guard = const { Guard };
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(arena) = MINE.take() {
            FIRST_OF_MINE.set(None);
            NUMBER.set(0);
            arenas().idle.push(arena);
        }
    }
}

/// The thread's arena, taken now if it has none; `None` while the thread ends.
#[cold]
#[inline(never)]
fn take_arena() -> Option<&'static Arena> {
    // Registers the destructor; fails after it ran.
    GUARD.try_with(|_| ()).ok()?;
    if let Some(mine) = MINE.get() {
        return Some(mine);
    }
    let mut arenas = arenas();
    let arena = arenas.idle.pop().unwrap_or_else(|| {
        let arena: &'static Arena = Box::leak(Box::new(Arena::new(arenas.all.len() as u32 + 1)));
        arenas.all.push(arena);
        arena
    });
    MINE.set(Some(arena));
    NUMBER.set(arena.number);
    FIRST_OF_MINE.set(Some(&arena.first));
    Some(arena)
}

/// [`thread_number`] if the thread has one already, else 0.
#[inline(always)]
pub(crate) fn known_thread_number() -> u32 {
    NUMBER.get()
}

/// The number of the thread, from 1: no two threads have the same at one time, and numbers are used again, so they
/// stay small. 0 while the thread ends: several may be there then.
#[inline]
pub(crate) fn thread_number() -> u32 {
    match NUMBER.get() {
        0 => take_arena().map_or(0, |arena| arena.number),
        number => number,
    }
}

/// Which cell, in every arena. From 1, so that a metric that has perhaps one takes no more room for it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CellId(NonZeroU32);

impl CellId {
    /// The cell with this number; `None` beyond the last chunk.
    fn new(number: u32) -> Option<Self> {
        let id = Self(NonZeroU32::new(number)?);
        (number < u32::MAX - FIRST_CHUNK && id.chunk() <= CHUNKS).then_some(id)
    }

    fn number(self) -> u32 {
        self.0.get()
    }

    fn chunk(self) -> usize {
        ((self.number() + FIRST_CHUNK).ilog2() - FIRST_CHUNK.ilog2()) as usize
    }

    /// The place in its chunk.
    fn within(self) -> usize {
        (self.number() + FIRST_CHUNK - (FIRST_CHUNK << self.chunk())) as usize
    }
}

/// The quick way to where a handle counts: the number of a cell, or none. Of use only as long as the [`OwnedCell`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Near(u32);

impl Near {
    /// Only the metric knows.
    pub(crate) const NONE: Self = Self(u32::MAX);
    /// All threads add to the metric's one number. To look there first would fetch its cache line twice while others add to it.
    pub(crate) const SHARED: Self = Self(u32::MAX - 1);

    /// Replaces the thread's own part by what `change` makes of it, if that is in the first chunk of an arena that the
    /// thread has already; `false`, and nothing is done, if not.
    #[inline(always)]
    pub(crate) fn update(self, change: impl Fn(u64) -> u64) -> bool {
        match FIRST_OF_MINE.get().and_then(|first| first.get(self.0 as usize)) {
            Some(cell) => {
                cell.store(change(cell.load(Ordering::Relaxed)), Ordering::Relaxed);
                true
            }
            None => false,
        }
    }
}

/// A cell in every thread's arena: a number that many threads add to without waiting for each other.
pub(crate) struct OwnedCell(CellId);

impl OwnedCell {
    /// A new one, zero everywhere; `None` if all are taken.
    pub(crate) fn new() -> Option<Self> {
        let mut arenas = arenas();
        if let Some(id) = arenas.free.pop() {
            return Some(Self(id));
        }
        let id = CellId::new(arenas.cells)?;
        arenas.cells += 1;
        Some(Self(id))
    }

    /// What a handle may keep to reach it quickly.
    pub(crate) fn near(&self) -> Near {
        Near(self.0.number())
    }

    /// Replaces the thread's own part by what `change` makes of it.
    #[inline]
    pub(crate) fn update(&self, change: impl Fn(u64) -> u64) {
        if !self.near().update(&change) {
            self.update_elsewhere(change);
        }
    }

    #[inline(never)]
    fn update_elsewhere(&self, change: impl Fn(u64) -> u64) {
        let mine = MINE.get().or_else(take_arena);
        if let Some(cell) = mine.and_then(|arena| arena.cell(self.0).or_else(|| arena.make_cell(self.0))) {
            cell.store(change(cell.load(Ordering::Relaxed)), Ordering::Relaxed);
        } else if let Some(cell) = SHARED.make_cell(self.0) {
            let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| Some(change(old)));
        }
    }

    /// Calls `add` with the part of each thread.
    pub(crate) fn read(&self, mut add: impl FnMut(u64)) {
        let arenas = arenas();
        for cell in arenas.all.iter().copied().chain([&SHARED]).filter_map(|arena| arena.cell(self.0)) {
            add(cell.load(Ordering::Relaxed));
        }
    }
}

impl Drop for OwnedCell {
    fn drop(&mut self) {
        let mut arenas = arenas();
        for cell in arenas.all.iter().copied().chain([&SHARED]).filter_map(|arena| arena.cell(self.0)) {
            cell.store(0, Ordering::Relaxed);
        }
        arenas.free.push(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(cell: &OwnedCell) -> u64 {
        let mut sum = 0;
        cell.read(|part| sum += part);
        sum
    }

    #[test]
    fn cells_follow_each_other() {
        let mut expected = (0, 1);
        for number in 1..10_000 {
            let id = CellId::new(number).unwrap();
            let within = id.within();
            if within == 0 {
                assert_eq!(expected.1, (FIRST_CHUNK as usize) << expected.0);
                expected = (expected.0 + 1, 0);
            }
            assert_eq!((id.chunk(), within), expected);
            expected.1 += 1;
        }
        assert!(CellId::new(u32::MAX).is_none() && CellId::new(0).is_none());
    }

    #[test]
    fn nothing_is_lost_when_threads_end() {
        let cell = OwnedCell::new().unwrap();
        for _ in 0..3 {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..1000).for_each(|_| cell.update(|n| n + 1)));
                }
            });
        }
        assert_eq!(sum(&cell), 12_000);
    }

    /// A destructor of a thread-local value that runs when the arena is given back already.
    struct Late(&'static OwnedCell);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.update(|n| n + 1);
        }
    }
    thread_local! {
        static LATE: Cell<Option<Late>> = const { Cell::new(None) };
    }

    #[test]
    fn threads_count_while_they_end() {
        let cell: &'static OwnedCell = Box::leak(Box::new(OwnedCell::new().unwrap()));
        for _ in 0..2 {
            // In either order of the destructors.
            std::thread::spawn(move || {
                LATE.set(Some(Late(cell)));
                cell.update(|n| n + 1);
            })
            .join()
            .unwrap();
            std::thread::spawn(move || {
                cell.update(|n| n + 1);
                LATE.set(Some(Late(cell)));
            })
            .join()
            .unwrap();
        }
        assert_eq!(sum(cell), 8);
    }

    #[test]
    fn cells_are_used_again_and_begin_at_zero() {
        let cell = OwnedCell::new().unwrap();
        cell.update(|n| n + 7);
        drop(cell);
        let cells: Vec<_> = (0..3000).map(|_| OwnedCell::new().unwrap()).collect();
        for cell in &cells {
            assert_eq!(sum(cell), 0);
            cell.update(|n| n + 1);
        }
        assert!(cells.iter().all(|cell| sum(cell) == 1));
    }
}
