//! Time and allocations.

use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// Counts what every program and bench of this crate allocates.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long one round runs at least: long against the clock's steps, and so short that a busy machine leaves some alone.
const ROUND: Duration = Duration::from_millis(2);
/// How many rounds are run at least, and how long together; the quickest counts.
const ROUNDS: usize = 9;
const ALL_ROUNDS: Duration = Duration::from_millis(200);
/// The same for rounds of several threads, which are short: so many, or how many there are in this time.
const THREAD_ROUNDS: usize = 100;
const THREAD_ROUNDS_MAX: Duration = Duration::from_secs(10);

/// Nanoseconds an item, when one call of `work` does so many `items`.
///
/// The quickest of all rounds: whatever disturbs a round only makes it longer.
pub fn nanoseconds<R>(items: u64, mut work: impl FnMut() -> R) -> f64 {
    let mut calls = 1_u32;
    // Twice as many calls until a round is long enough; this warms up as well.
    while round(calls, &mut work) < ROUND && calls < u32::MAX / 2 {
        calls *= 2;
    }
    let start = Instant::now();
    let rounds = (0..).take_while(|&n| n < ROUNDS || start.elapsed() < ALL_ROUNDS);
    let best = rounds.map(|_| round(calls, &mut work)).min().unwrap_or_default();
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
    // Who is done before another has begun has had the machine to himself.
    let start = Instant::now();
    let rounds = std::iter::repeat_with(|| round_on_threads(threads, calls, &prepare));
    let rounds = rounds.take_while(|_| start.elapsed() < THREAD_ROUNDS_MAX);
    let together = rounds.filter(|(longest, apart)| *apart * 10 < *longest).take(THREAD_ROUNDS);
    let best = together.map(|(longest, _)| longest).min();
    best.map_or(f64::NAN, |best| best.as_secs_f64() * 1e9 / f64::from(calls))
}

/// How long the slowest thread took, and how long after the first the last one began. Who is done goes on until all are.
fn round_on_threads<W: FnMut()>(
    threads: u32,
    calls: u32,
    prepare: &(impl Fn(u32) -> W + Sync),
) -> (Duration, Duration) {
    let (missing, busy) = (AtomicU32::new(threads), AtomicU32::new(threads));
    let times: Vec<(Instant, Duration)> = std::thread::scope(|scope| {
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
                    (start, taken)
                })
            })
            .collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let starts = || times.iter().map(|(start, _)| *start);
    let apart = starts().max().zip(starts().min()).map(|(last, first)| last - first);
    (times.iter().map(|(_, taken)| *taken).max().unwrap_or_default(), apart.unwrap_or_default())
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
