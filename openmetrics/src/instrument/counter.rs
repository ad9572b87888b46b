//! Counters: what only rises.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cells::OwnedCell;
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
        Self(Slot::alone(CounterCell::new(&true)))
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
///
/// Either one atomic that all threads share, or a cell of each thread's own: quicker, and no slower when many threads
/// count, but eight bytes for each thread. Metrics without labels and those whose labels are enums have the latter.
pub struct CounterCell<N> {
    /// What was counted; or with `owned`, what its cells had when it was reset last.
    value: AtomicU64,
    owned: Option<OwnedCell>,
    number: PhantomData<N>,
}

impl<N: CounterNumber> CounterCell<N> {
    /// Adds `by`. What is negative or not finite is ignored: a counter cannot fall, and counting never stops a program.
    /// An integer that overflows begins again at zero.
    #[inline]
    pub fn inc_by(&self, by: N) {
        if by.is_rise() {
            match &self.owned {
                Some(owned) => owned.update(|word| N::from_word(word).plus(by).to_word()),
                None => by.add_to(&self.value),
            }
        }
    }

    /// What was counted so far.
    pub fn get(&self) -> N {
        let value = N::from_word(self.value.load(Ordering::Relaxed));
        match &self.owned {
            Some(owned) => Self::sum(owned).minus(value),
            None => value,
        }
    }

    fn sum(owned: &OwnedCell) -> N {
        let mut sum = N::default();
        owned.read(|word| sum = sum.plus(N::from_word(word)));
        sum
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
    /// Whether threads have cells of their own.
    type Shape = bool;
    type Reading = N;

    fn shape(options: &Options) -> Result<bool, Error> {
        options.no_buckets()?;
        Ok(options.is_hot)
    }

    fn new(is_hot: &bool) -> Self {
        let owned = if *is_hot { OwnedCell::new() } else { None };
        Self { value: AtomicU64::new(0), owned, number: PhantomData }
    }

    fn clear(&self) {
        // Other threads' cells are theirs alone, so they go on, and are counted from here.
        let now = self.owned.as_ref().map_or(N::default(), Self::sum);
        self.value.store(now.to_word(), Ordering::Relaxed);
    }

    fn read(&self, into: &mut N) {
        *into = self.get();
    }

    #[inline]
    fn emit(value: &N, start: Option<Timestamp>, labels: &Labels<'_>, out: &mut FamilyEmitter<'_>) {
        out.point(*labels, Point::from((*value).into()).started(start));
    }
}
