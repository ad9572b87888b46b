//! Histograms: how events are distributed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::number::Bits as _;
use super::options::refused;
use super::slot::Slot;
use super::timer::Timer;
use super::{Cell, Metric, Options, handle};
use crate::error::Error;
use crate::model::{
    ClassicBucket, FamilyEmitter, HistogramValue, Labels, MetricType, Number, Point, Timestamp, Value,
};

/// How events are distributed: latencies, sizes
/// ([histogram](https://prometheus.io/docs/specs/om/open_metrics_spec/#histogram)).
///
/// ```
/// use openmetrics::model::Unit;
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let latency = registry.histogram("app_latency_seconds", "Time to first byte.")?;
/// latency.observe(0.25);
/// {
///     let _timer = latency.start_timer(); // observes when dropped
/// }
/// assert_eq!(latency.count(), 2);
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct Histogram(Slot<HistogramCell>);

handle!(Histogram, HistogramCell, MetricType::Histogram);

impl Histogram {
    /// Measures until the guard is dropped, and observes the seconds.
    pub fn start_timer(&self) -> Timer {
        Timer::new(self.clone())
    }

    /// Runs `f` and observes how many seconds it took.
    pub fn time<R>(&self, f: impl FnOnce() -> R) -> R {
        let _timer = self.start_timer();
        f()
    }

    /// Back to nothing, counting from now.
    pub fn reset(&self) {
        self.slot().entry().cell.clear();
        self.slot().entry().start_now();
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram").field("count", &self.count()).field("sum", &self.sum()).finish()
    }
}

/// What a [`Histogram`] counts in.
pub struct HistogramCell {
    bounds: Arc<[f64]>,
    /// One more than there are bounds.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl HistogramCell {
    /// Counts one event of this size.
    #[inline]
    pub fn observe(&self, value: f64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        value.add_to(&self.sum);
        // NaN is not above any bound, but it is in no bucket except the last.
        let bucket = if value.is_nan() { self.bounds.len() } else { bucket };
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts one event of this many seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// How many events there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        f64::from_word(self.sum.load(Ordering::Relaxed))
    }
}

/// What a histogram said at one moment.
#[derive(Default)]
pub struct HistogramReading {
    count: u64,
    sum: f64,
    classic: Vec<ClassicBucket>,
}

impl Cell for HistogramCell {
    type Shape = Arc<[f64]>;
    type Reading = HistogramReading;

    fn shape(options: &Options) -> Result<Self::Shape, Error> {
        let bounds = options.buckets.clone().unwrap_or_else(|| DEFAULT_BUCKETS.to_vec());
        for pair in bounds.windows(2) {
            if let [a, b] = pair {
                if a >= b {
                    return Err(refused(
                        "OM1-HIS-01",
                        format!("bucket bounds have to rise, but {b} follows {a}"),
                    ));
                }
            }
        }
        match bounds.iter().find(|bound| !bound.is_finite()) {
            Some(bound) if bound.is_nan() => Err(refused("OM1-HIS-01", "a bucket bound is NaN")),
            Some(bound) => {
                Err(refused("OM1-HIS-01", format!("a bucket bound is {bound}; +Inf is there anyway")))
            }
            None => Ok(bounds.into()),
        }
    }

    fn new(bounds: &Self::Shape) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    fn clear(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Ordering::Relaxed);
        }
        self.sum.store(0, Ordering::Relaxed);
    }

    fn read(&self, into: &mut HistogramReading) {
        into.sum = self.sum();
        into.classic.clear();
        into.count = 0;
        for (i, bucket) in self.buckets.iter().enumerate() {
            into.count += bucket.load(Ordering::Relaxed);
            if let Some(&upper_bound) = self.bounds.get(i) {
                into.classic.push(ClassicBucket { upper_bound, count: into.count.into() });
            }
        }
    }

    fn emit(
        reading: &HistogramReading,
        start: Option<Timestamp>,
        labels: &Labels<'_>,
        out: &mut FamilyEmitter<'_>,
    ) {
        let histogram = HistogramValue::new(reading.count, Some(Number::Float(reading.sum)))
            .with_classic(&reading.classic);
        out.point(*labels, Point::from(Value::Histogram(&histogram)).started(start));
    }
}

/// Bounds for latencies in seconds, from 5 ms to 10 s.
pub(crate) const DEFAULT_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// `count` bounds, the first at `start`, each `width` above the one before.
///
/// ```
/// use openmetrics::instrument::linear_buckets;
/// assert_eq!(linear_buckets(1.0, 0.5, 3), [1.0, 1.5, 2.0]);
/// ```
pub fn linear_buckets(start: f64, width: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| width.mul_add(i as f64, start)).collect()
}

/// `count` bounds, the first at `start`, each `factor` times the one before.
///
/// ```
/// use openmetrics::instrument::exponential_buckets;
/// assert_eq!(exponential_buckets(1.0, 2.0, 4), [1.0, 2.0, 4.0, 8.0]);
/// ```
pub fn exponential_buckets(start: f64, factor: f64, count: usize) -> Vec<f64> {
    std::iter::successors(Some(start), |bound| Some(bound * factor)).take(count).collect()
}
