//! Gauges: what goes up and down.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::number::GaugeNumber;
use super::slot::Slot;
use super::{Cell, Options, handle};
use crate::error::Error;
use crate::model::{FamilyEmitter, Labels, MetricType, Number, Timestamp};

/// A value that goes up and down: queue length, temperature, bytes in use
/// ([gauge](https://prometheus.io/docs/specs/om/open_metrics_spec/#gauge)).
///
/// Holds an `i64`, or `u64` or `f64`: `Gauge<f64>`. For a value that can be read when it is asked for, see
/// [`gauge_callback`](crate::registry::Definition::gauge_callback).
///
/// ```
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let queued = registry.gauge("app_queued_jobs", "Jobs that wait.")?;
/// queued.set(5);
/// queued.dec();
/// assert_eq!(queued.get(), 4);
///
/// let running = registry.gauge("app_running_jobs", "Jobs under way.")?;
/// {
///     let _job = running.in_flight();
///     assert_eq!(running.get(), 1);
/// }
/// assert_eq!(running.get(), 0);
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct Gauge<N: GaugeNumber = i64>(Slot<GaugeCell<N>>);

handle!(Gauge<N: GaugeNumber>, GaugeCell<N>, MetricType::Gauge);

impl<N: GaugeNumber> Gauge<N> {
    /// A gauge that no registry shows; for tests, or to attach it later.
    pub fn new() -> Self {
        Self(Slot::alone(GaugeCell { value: AtomicU64::new(0), number: PhantomData }))
    }

    /// Adds one until the guard is dropped: for things that are under way.
    pub fn in_flight(&self) -> InFlight<N> {
        self.inc();
        InFlight(self.clone())
    }
}

impl<N: GaugeNumber> Default for Gauge<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: GaugeNumber + fmt::Debug> fmt::Debug for Gauge<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauge").field(&self.get()).finish()
    }
}

/// Keeps a [`Gauge`] one higher while it lives.
#[must_use = "the gauge falls again when this is dropped"]
pub struct InFlight<N: GaugeNumber = i64>(Gauge<N>);

impl<N: GaugeNumber> Drop for InFlight<N> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl<N: GaugeNumber> fmt::Debug for InFlight<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

/// What a [`Gauge`] holds its value in.
pub struct GaugeCell<N> {
    value: AtomicU64,
    number: PhantomData<N>,
}

impl<N: GaugeNumber> GaugeCell<N> {
    /// Takes this value.
    #[inline]
    pub fn set(&self, value: N) {
        self.value.store(value.to_word(), Ordering::Relaxed);
    }

    /// Adds `by`.
    #[inline]
    pub fn inc_by(&self, by: N) {
        by.add_to(&self.value);
    }

    /// Subtracts `by`.
    #[inline]
    pub fn dec_by(&self, by: N) {
        by.subtract_from(&self.value);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(N::ONE);
    }

    /// Subtracts one.
    #[inline]
    pub fn dec(&self) {
        self.dec_by(N::ONE);
    }

    /// Takes this value if it is larger: a high-water mark.
    pub fn set_max(&self, value: N) {
        let larger = |now: u64| (N::from_word(now) < value).then(|| value.to_word());
        // An error says that the value is as large already.
        let _ = self.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, larger);
    }

    /// The value now.
    #[inline]
    pub fn get(&self) -> N {
        N::from_word(self.value.load(Ordering::Relaxed))
    }
}

impl GaugeCell<f64> {
    /// Takes the current time, in seconds since the epoch.
    pub fn set_to_current_time(&self) {
        self.set(Timestamp::now().as_f64());
    }
}

impl<N: GaugeNumber> Cell for GaugeCell<N> {
    type Shape = ();
    type Reading = N;
    type Near = ();

    fn shape(options: &Options) -> Result<(), Error> {
        options.no_buckets()
    }

    fn new((): &()) -> Self {
        Self { value: AtomicU64::new(0), number: PhantomData }
    }

    fn clear(&self) {
        self.set(N::default());
    }

    fn near(&self) {}

    fn read(&self, into: &mut N) {
        *into = self.get();
    }

    #[inline]
    fn number(&self) -> Option<Number> {
        Some(self.get().into())
    }

    #[inline]
    fn emit(value: &N, _: Option<Timestamp>, labels: &Labels<'_>, out: &mut FamilyEmitter<'_>) {
        out.point(*labels, (*value).into());
    }
}
