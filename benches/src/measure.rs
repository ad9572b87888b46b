//! Time and allocations.

use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// Counts what every program and bench of this crate allocates.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long one round runs at least: long against the clock's steps and the caches' warming up.
const ROUND: Duration = Duration::from_millis(20);
/// How many rounds are run; the quickest counts.
const ROUNDS: usize = 9;
/// The same for rounds of several threads, which are short.
const THREAD_ROUNDS: usize = 100;

/// Nanoseconds an item, when one call of `work` does so many `items`.
///
/// The quickest of nine rounds: whatever disturbs a round only makes it longer.
pub fn nanoseconds<R>(items: u64, mut work: impl FnMut() -> R) -> f64 {
    let mut calls = 1_u32;
    // Twice as many calls until a round is long enough; this warms up as well.
    while round(calls, &mut work) < ROUND && calls < u32::MAX / 2 {
        calls *= 2;
    }
    let best = (0..ROUNDS).map(|_| round(calls, &mut work)).min().unwrap_or_default();
    best.as_secs_f64() * 1e9 / f64::from(calls) / items as f64
}

fn round<R>(calls: u32, work: &mut impl FnMut() -> R) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(work());
    }
    start.elapsed()
}

/// Nanoseconds a call as each of several threads sees it, when all of them call at once. `prepare` makes each thread's
/// work, from the thread's number; `calls` is how often each does it in a round: so often that a round is long against the
/// clock's steps, and so rarely that most rounds end before a busy machine gives the processor to somebody else.
pub fn nanoseconds_on_threads<W: FnMut()>(
    threads: u32,
    calls: u32,
    prepare: impl Fn(u32) -> W + Sync,
) -> f64 {
    let best =
        (0..THREAD_ROUNDS).map(|_| round_on_threads(threads, calls, &prepare)).min().unwrap_or_default();
    best.as_secs_f64() * 1e9 / f64::from(calls)
}

/// How long the slowest thread took. None begins before all are running, and who is done goes on until all are: else one of
/// them might have had the machine to itself.
fn round_on_threads<W: FnMut()>(threads: u32, calls: u32, prepare: &(impl Fn(u32) -> W + Sync)) -> Duration {
    let (missing, busy) = (AtomicU32::new(threads), AtomicU32::new(threads));
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (missing, busy) = (&missing, &busy);
                scope.spawn(move || {
                    let mut work = prepare(thread);
                    missing.fetch_sub(1, Ordering::AcqRel);
                    while missing.load(Ordering::Acquire) > 0 {
                        std::hint::spin_loop(); // who waits for a lock is woken later than others
                    }
                    let start = Instant::now();
                    for _ in 0..calls {
                        work();
                    }
                    let taken = start.elapsed();
                    busy.fetch_sub(1, Ordering::AcqRel);
                    while busy.load(Ordering::Acquire) > 0 {
                        (0..100).for_each(|_| work());
                    }
                    taken
                })
            })
            .collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).max().unwrap_or_default()
    })
}

/// What some work took from the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocated {
    /// How many times memory was asked for, growing in place included.
    pub calls: usize,
    /// How many bytes are still held afterwards, net of what was given back.
    pub bytes_kept: isize,
}

/// Runs `work` and counts what the whole process allocates meanwhile.
pub fn allocated<R>(work: impl FnOnce() -> R) -> (R, Allocated) {
    let region = Region::new(ALLOCATOR);
    let result = work();
    let change = region.change();
    // What grew or shrank in place is in both sums already.
    let bytes_kept = change.bytes_allocated as isize - change.bytes_deallocated as isize;
    (result, Allocated { calls: change.allocations + change.reallocations, bytes_kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_counted() {
        // Other tests may allocate meanwhile, so these are lower bounds.
        let (kept, allocated) = allocated(|| vec![0_u8; 1 << 20]);
        assert!(allocated.calls >= 1 && allocated.bytes_kept >= 1 << 19, "{allocated:?}");
        drop(kept);
    }
}
