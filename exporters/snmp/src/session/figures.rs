//! What sessions count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Figures of all sessions.
#[derive(Debug, Default)]
pub struct Figures {
    /// Packets sent, those sent again included.
    pub packets: AtomicU64,
    /// Packets sent again.
    pub retries: AtomicU64,
    /// Messages that did not belong or could not be read.
    pub foreign: AtomicU64,
    /// Round trips: how many took up to each of [`Figures::BOUNDS`], then all of them.
    pub trips: [AtomicU64; 16],
    /// The sum of round trips in nanoseconds.
    pub trip_nanos: AtomicU64,
}

impl Figures {
    /// Upper bounds in seconds, each twice the one before.
    pub const BOUNDS: [f64; 15] = [
        0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.0256, 0.0512, 0.1024, 0.2048,
        0.4096, 0.8192, 1.6384,
    ];

    pub(super) fn trip(&self, trip: Duration) {
        let seconds = trip.as_secs_f64();
        let at = Self::BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(Self::BOUNDS.len());
        if let Some(count) = self.trips.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.trip_nanos.fetch_add(trip.as_nanos() as u64, Ordering::Relaxed);
    }
}
