//! What the machine can do at best: nothing that counts, copies or scans is quicker than these.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

/// One relaxed `fetch_add` on an atomic that everybody shares: the floor of a shared counter.
#[inline]
pub fn fetch_add(cell: &AtomicU64) {
    cell.fetch_add(1, Ordering::Relaxed);
}

/// A plain load and store on an atomic that one thread owns: the floor of a thread's own counter.
#[inline]
pub fn load_store(cell: &AtomicU64) {
    cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// The same for a floating-point number, which an addition has to wait for: the floor of a thread's own `f64`.
#[inline]
pub fn load_store_float(cell: &AtomicU64) {
    let sum = f64::from_bits(cell.load(Ordering::Relaxed)) + 0.5;
    cell.store(sum.to_bits(), Ordering::Relaxed);
}

/// Copies a text: the floor of writing it.
#[inline]
pub fn copy(from: &[u8], to: &mut Vec<u8>) {
    to.clear();
    to.extend_from_slice(black_box(from));
}

/// Counts the line ends of a text: the floor of splitting it.
#[inline]
pub fn scan(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', black_box(text)).count()
}

/// Checks that a text is UTF-8: part of reading one.
#[inline]
pub fn check_utf8(text: &[u8]) -> bool {
    std::str::from_utf8(black_box(text)).is_ok()
}
