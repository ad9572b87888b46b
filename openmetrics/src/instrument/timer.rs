//! How long something takes.

use std::time::{Duration, Instant};

use super::histogram::Histogram;

/// Observes in a [`Histogram`] how many seconds it lived; made by [`Histogram::start_timer`].
#[must_use = "it observes when it is dropped"]
#[derive(Debug)]
pub struct Timer {
    histogram: Option<Histogram>,
    start: Instant,
}

impl Timer {
    pub(crate) fn new(histogram: Histogram) -> Self {
        Self { histogram: Some(histogram), start: Instant::now() }
    }

    /// Observes now, and says how long it was.
    pub fn stop(mut self) -> Duration {
        let elapsed = self.start.elapsed();
        if let Some(histogram) = self.histogram.take() {
            histogram.observe_duration(elapsed);
        }
        elapsed
    }

    /// Observes nothing; for what should not count, such as a request that was cancelled.
    pub fn discard(mut self) {
        self.histogram = None;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(histogram) = self.histogram.take() {
            histogram.observe_duration(self.start.elapsed());
        }
    }
}
