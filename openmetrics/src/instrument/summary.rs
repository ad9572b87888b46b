//! Summaries: how many events, and how much in all.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::distribution::{Distribution, Reading, Shape};
use super::slot::Slot;
use super::{Cell, Metric, Options, handle};
use crate::error::Error;
use crate::model::{FamilyEmitter, Labels, MetricType, Number, Point, SummaryValue, Timestamp, Value};

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
pub struct SummaryCell(Distribution);

impl SummaryCell {
    /// Counts one event of this size.
    #[inline]
    pub fn observe(&self, value: f64) {
        self.0.observe(value);
    }

    /// Counts one event of this many seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// How many events there were.
    pub fn count(&self) -> u64 {
        self.0.count_and_sum().0
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.0.count_and_sum().1
    }
}

/// What a summary said at one moment.
#[derive(Default)]
pub struct SummaryReading(Reading);

/// What all summaries of a family have in common.
#[derive(Clone)]
pub struct SummaryShape(Arc<Shape>);

impl Cell for SummaryCell {
    type Shape = SummaryShape;
    type Reading = SummaryReading;

    fn shape(options: &Options) -> Result<Self::Shape, Error> {
        options.no_buckets()?;
        // One bucket for everything counts the events.
        Ok(SummaryShape(Arc::new(Shape::new(options, Some(&[]), None)?)))
    }

    fn new(shape: &Self::Shape) -> Self {
        Self(Distribution::new(&shape.0))
    }

    fn clear(&self) {
        self.0.reset(None);
    }

    fn read(&self, into: &mut SummaryReading) {
        self.0.read(&mut into.0);
    }

    fn emit(
        SummaryReading(reading): &SummaryReading,
        start: Option<Timestamp>,
        labels: &Labels<'_>,
        out: &mut FamilyEmitter<'_>,
    ) {
        let value = SummaryValue::new(Some(reading.count.into()), Some(Number::Float(reading.sum)), &[]);
        out.point(*labels, Point::from(Value::Summary(&value)).started(start));
    }
}
