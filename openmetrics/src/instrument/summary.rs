//! Summaries: how many events, and how much in all.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::distribution::{Distribution, Reading, Shape};
use super::options::refused;
use super::own::Own;
use super::slot::Slot;
use super::window::{Found, Window};
use super::{Cell, Metric, Options, handle};
use crate::error::Error;
use crate::model::{
    FamilyEmitter, Labels, MetricType, Number, Point, Quantile, SummaryValue, Timestamp, Value,
};

/// How many events there were, and their sum: enough for averages, at two samples a metric
/// ([summary](https://prometheus.io/docs/specs/om/open_metrics_spec/#summary)). Quantiles of several processes cannot be
/// put together; for quantiles take a [`Histogram`](super::Histogram).
///
/// ```
/// use openmetrics::instrument::Summary;
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let sent: Summary = registry.metric("app_sent_bytes", "Sizes of responses.").register()?;
/// sent.observe(512.0);
/// sent.observe(1024.0);
/// assert_eq!((sent.count(), sent.sum()), (2, 1536.0));
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct Summary(Slot<SummaryCell>);

handle!(Summary, SummaryCell, MetricType::Summary);

impl Summary {
    /// Counts one event of this size.
    #[inline]
    pub fn observe(&self, value: f64) {
        if !self.0.near().as_ref().is_some_and(|own| own.observe(value)) {
            self.0.entry().cell.observe(value);
        }
    }

    /// Back to nothing, counting from now.
    pub fn reset(&self) {
        self.slot().entry().cell.clear();
        self.slot().entry().start_now();
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary").field("count", &self.count()).field("sum", &self.sum()).finish()
    }
}

/// What a [`Summary`] counts in.
pub struct SummaryCell {
    values: Distribution,
    window: Option<(Arc<[f64]>, Mutex<Window>)>,
}

impl SummaryCell {
    /// Counts one event of this size.
    #[inline]
    pub fn observe(&self, value: f64) {
        if let Some((_, window)) = &self.window {
            window.lock().unwrap_or_else(PoisonError::into_inner).add(value, Instant::now());
        }
        self.values.observe(value);
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

/// What a summary said at one moment.
#[derive(Default)]
pub struct SummaryReading {
    values: Reading,
    found: Found,
    quantiles: Vec<Quantile>,
}

/// What all summaries of a family have in common.
#[derive(Clone)]
pub struct SummaryShape {
    values: Arc<Shape>,
    /// Which quantiles, and of how long.
    quantiles: Option<(Arc<[f64]>, Duration)>,
}

impl Cell for SummaryCell {
    type Shape = SummaryShape;
    type Reading = SummaryReading;
    type Near = Option<Arc<Own>>;

    fn shape(options: &Options) -> Result<Self::Shape, Error> {
        options.no_buckets()?;
        let quantiles = options.quantiles.as_ref().map(|(quantiles, window)| {
            let mut quantiles = quantiles.clone();
            if let Some(wrong) = quantiles.iter().find(|quantile| !(0.0..=1.0).contains(*quantile)) {
                return Err(refused("OM1-SUM-02", format!("quantile {wrong} is not between 0 and 1")));
            }
            quantiles.sort_by(f64::total_cmp);
            quantiles.dedup();
            Ok((quantiles.into(), *window))
        });
        // One bucket for everything counts the events.
        let values = Arc::new(Shape::new(options, Some(&[]), None)?);
        Ok(SummaryShape { values, quantiles: quantiles.transpose()? })
    }

    fn new(shape: &Self::Shape) -> Self {
        let window = shape.quantiles.as_ref().map(|(quantiles, length)| {
            (Arc::clone(quantiles), Mutex::new(Window::new(*length, Instant::now())))
        });
        Self { values: Distribution::new(&shape.values), window }
    }

    fn clear(&self) {
        self.values.reset(None);
        if let Some((_, window)) = &self.window {
            window.lock().unwrap_or_else(PoisonError::into_inner).clear(Instant::now());
        }
    }

    fn near(&self) -> Self::Near {
        self.values.own().filter(|_| self.window.is_none()).cloned()
    }

    fn read(&self, into: &mut SummaryReading) {
        self.values.read(&mut into.values);
        into.quantiles.clear();
        if let Some((quantiles, window)) = &self.window {
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            window.quantiles(quantiles, Instant::now(), &mut into.found);
            let found = quantiles.iter().zip(&into.found.values);
            into.quantiles
                .extend(found.map(|(&quantile, &value)| Quantile { quantile, value: value.into() }));
        }
    }

    fn emit(
        SummaryReading { values: reading, quantiles, .. }: &SummaryReading,
        start: Option<Timestamp>,
        labels: &Labels<'_>,
        out: &mut FamilyEmitter<'_>,
    ) {
        let value =
            SummaryValue::new(Some(reading.count.into()), Some(Number::Float(reading.sum)), quantiles);
        out.point(*labels, Point::from(Value::Summary(&value)).started(start));
    }
}
