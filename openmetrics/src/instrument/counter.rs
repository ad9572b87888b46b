//! Counters: what only rises.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::number::CounterNumber;
use super::slot::Slot;
use super::{Cell, Options, handle};
use crate::error::Error;
use crate::model::{FamilyEmitter, Labels, MetricType, Point, Timestamp};

/// A value that only rises: requests served, bytes sent
/// ([counter](https://prometheus.io/docs/specs/om/open_metrics_spec/#counter)).
///
/// Counts in `u64`, or in `f64` for things like seconds: `Counter<f64>`.
///
/// ```
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let requests = registry.counter("app_requests", "Requests served.")?;
/// requests.inc();
/// requests.inc_by(2);
/// assert_eq!(requests.get(), 3);
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct Counter<N: CounterNumber = u64>(Slot<CounterCell<N>>);

handle!(Counter<N: CounterNumber>, CounterCell<N>, MetricType::Counter);

impl<N: CounterNumber> Counter<N> {
    /// A counter that no registry shows; for tests, or to attach it later.
    pub fn new() -> Self {
        Self(Slot::alone(CounterCell { value: AtomicU64::new(0), number: PhantomData }))
    }

    /// Back to zero, counting from now.
    pub fn reset(&self) {
        self.0.entry().cell.clear();
        self.0.entry().start_now();
    }
}

impl<N: CounterNumber> Default for Counter<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: CounterNumber + fmt::Debug> fmt::Debug for Counter<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.get()).finish()
    }
}

/// What a [`Counter`] counts in.
pub struct CounterCell<N> {
    value: AtomicU64,
    number: PhantomData<N>,
}

impl<N: CounterNumber> CounterCell<N> {
    /// Adds `by`. A negative number or NaN is ignored: a counter cannot fall, and counting never stops a program.
    /// An integer that overflows begins again at zero.
    #[inline]
    pub fn inc_by(&self, by: N) {
        if by.is_rise() {
            by.add_to(&self.value);
        }
    }

    /// What was counted so far.
    pub fn get(&self) -> N {
        N::from_word(self.value.load(Ordering::Relaxed))
    }
}

impl CounterCell<u64> {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1);
    }
}

impl CounterCell<f64> {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1.0);
    }
}

impl<N: CounterNumber> Cell for CounterCell<N> {
    type Shape = ();
    type Reading = N;

    fn shape(options: &Options) -> Result<(), Error> {
        options.no_buckets()
    }

    fn new((): &()) -> Self {
        Self { value: AtomicU64::new(0), number: PhantomData }
    }

    fn clear(&self) {
        self.value.store(N::default().to_word(), Ordering::Relaxed);
    }

    fn read(&self, into: &mut N) {
        *into = self.get();
    }

    #[inline]
    fn emit(value: &N, start: Option<Timestamp>, labels: &Labels<'_>, out: &mut FamilyEmitter<'_>) {
        out.point(*labels, Point::from((*value).into()).started(start));
    }
}
