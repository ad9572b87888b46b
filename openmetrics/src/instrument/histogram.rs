//! Histograms: how events are distributed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::distribution::{Distribution, Reading, Shape};
use super::exemplar::{Kept, Place};
use super::options::{Native, refused};
use super::own::Own;
use super::slot::Slot;
use super::timer::Timer;
use super::{Cell, Metric, Options, handle};
use crate::error::Error;
use crate::model::{
    FamilyEmitter, HistogramValue, Labels, MetricType, NativeBucketsRef, Number, Point, Timestamp, Value,
};
use crate::sync::OnceLock;

/// How events are distributed: latencies, sizes
/// ([histogram](https://prometheus.io/docs/specs/om/open_metrics_spec/#histogram)).
///
/// It has [`Native`] buckets, which need no choosing, and classic ones beside them, for formats and servers that know no
/// other: those given with [`Options::buckets`](super::Options::buckets), or else ones for latencies in seconds.
///
/// ```
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
    /// Counts one event of this size.
    ///
    /// NaN counts, and makes the sum NaN for good, but is in no native bucket (NH-22); infinities are in the last ones.
    #[inline]
    pub fn observe(&self, value: f64) {
        if !self.0.near().as_ref().is_some_and(|own| own.observe(value)) {
            self.0.entry().cell.observe_any(value);
        }
    }

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
    values: Distribution,
    takes_spans: bool,
    /// For each classic bucket one.
    exemplars: OnceLock<Box<[Place]>>,
}

impl HistogramCell {
    /// Counts one event of this size.
    ///
    /// NaN counts, and makes the sum NaN for good, but is in no native bucket (NH-22); infinities are in the last ones.
    #[inline]
    pub fn observe(&self, value: f64) {
        if self.takes_spans {
            self.observe_any(value);
        } else {
            self.values.observe(value);
        }
    }

    #[inline(never)]
    fn observe_any(&self, value: f64) {
        self.values.observe(value);
        if let Some(place) = self.takes_spans.then(|| self.exemplar_of(value)).flatten() {
            place.take_span(value);
        }
    }

    /// Counts one event of this size, with labels of an exemplar: what this event refers to, such as a trace.
    ///
    /// Of each classic bucket, the first exemplar after each scrape is kept. Labels of more than 128 code points in all, or
    /// that not every format can say, are left out; the event counts nonetheless
    /// ([OM1-EX-03](https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars)).
    ///
    /// ```
    /// # use openmetrics::registry::Registry;
    /// # let registry = Registry::new();
    /// let latency = registry.histogram("latency_seconds", "Time to first byte.")?;
    /// latency.observe_with_exemplar(0.7, &[("trace_id", "0af7651916cd43dd8448eb211c80319c")]);
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    #[inline]
    pub fn observe_with_exemplar(&self, value: f64, labels: &[(&str, &str)]) {
        if let Some(place) = self.exemplar_of(value) {
            place.take_labels(value, labels);
        }
        self.observe(value);
    }

    /// The place of the exemplar of this value's bucket; what is no number has none.
    #[inline]
    fn exemplar_of(&self, value: f64) -> Option<&Place> {
        let places =
            self.exemplars.get_or_init(|| (0..self.values.classic_buckets()).map(|_| Place::new()).collect());
        if value.is_nan() { None } else { places.get(self.values.classic_bucket_of(value)) }
    }

    /// Counts one event of this many seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// How many events there were.
    pub fn count(&self) -> u64 {
        self.values.count_and_sum().0
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.values.count_and_sum().1
    }
}

/// What a histogram said at one moment.
#[derive(Default)]
pub struct HistogramReading {
    values: Reading,
    exemplars: Vec<Kept>,
}

/// What all histograms of a family have in common.
#[derive(Clone)]
pub struct HistogramShape {
    values: Arc<Shape>,
    takes_spans: bool,
}

impl Cell for HistogramCell {
    type Shape = HistogramShape;
    type Reading = HistogramReading;
    type Near = Option<Arc<Own>>;

    fn shape(options: &Options) -> Result<Self::Shape, Error> {
        // Classic buckets beside native ones are for formats and servers that know no native ones.
        let bounds = options.buckets.as_deref().unwrap_or(&DEFAULT_BUCKETS);
        check_bounds(bounds)?;
        let native = options.native.clone().or_else(|| (!options.without_native).then(Native::default));
        let values = Arc::new(Shape::new(options, Some(bounds), native.as_ref())?);
        Ok(HistogramShape { values, takes_spans: options.exemplars })
    }

    fn new(shape: &Self::Shape) -> Self {
        Self {
            values: Distribution::new(&shape.values),
            takes_spans: shape.takes_spans,
            exemplars: OnceLock::new(),
        }
    }

    fn clear(&self) {
        self.values.reset(None);
        self.exemplars.get().into_iter().flatten().for_each(Place::clear);
    }

    fn near(&self) -> Self::Near {
        self.values.own().filter(|_| !self.takes_spans).cloned()
    }

    fn read(&self, into: &mut HistogramReading) {
        self.values.read(&mut into.values);
        into.values.lay_out();
        let places = self.exemplars.get().map_or(&[][..], |places| places);
        into.exemplars.resize_with(places.len(), Kept::default);
        for (place, kept) in places.iter().zip(&mut into.exemplars) {
            place.read(kept);
        }
    }

    fn emit(
        HistogramReading { values: reading, exemplars }: &HistogramReading,
        start: Option<Timestamp>,
        labels: &Labels<'_>,
        out: &mut FamilyEmitter<'_>,
    ) {
        let mut histogram = HistogramValue::new(reading.count, Some(Number::Float(reading.sum)));
        if reading.has_classic {
            histogram = histogram.with_classic(&reading.classic);
        }
        if reading.has_native {
            histogram = histogram.with_native(NativeBucketsRef {
                schema: reading.layout.schema(),
                zero_threshold: reading.layout.threshold,
                zero_count: reading.zero.into(),
                positive: reading.positive.borrow(),
                negative: reading.negative.borrow(),
                custom_bounds: &[],
            });
        } else if let Some(custom) = &reading.custom {
            histogram = histogram.with_native(custom.borrow());
        }
        let start = reading.start.or(start);
        let point = Point::from(Value::Histogram(&histogram)).started(start);
        if exemplars.is_empty() {
            return out.point(*labels, point);
        }
        let exemplars: Vec<_> = exemplars.iter().filter_map(Kept::borrow).collect();
        out.point(*labels, point.with_exemplars(&exemplars));
    }
}

/// Whether these can be the upper bounds of classic buckets.
pub(crate) fn check_bounds(bounds: &[f64]) -> Result<(), Error> {
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
        Some(bound) => Err(refused("OM1-HIS-01", format!("a bucket bound is {bound}; +Inf is there anyway"))),
        None => Ok(()),
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
