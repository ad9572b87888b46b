//! Points: what a metric measured at one time.
//!
//! The shape follows a *sample* of OpenMetrics 2.0, the richest of the formats: a value, which may be composite,
//! a timestamp, a start timestamp and exemplars, whatever the type. Each format writes what it can say of it.
//! [`Point`] borrows, for the way out; [`MetricPoint`] owns, for what has been read.

use super::label::{LabelSet, Labels};
use super::native::{NativeBuckets, NativeBucketsRef};
use super::value::{Exemplar, ExemplarRef, Number, Timestamp};
use super::{MetricType, text::Text};

/// One point, borrowed. Collectors make it on the stack and hand it to an [`Emitter`](super::Emitter).
///
/// ```
/// use openmetrics::model::{Point, Timestamp, Value};
///
/// let point = Point::from(Value::from(17_u64)).started(Timestamp::from_seconds(1_520_430_000));
/// assert_eq!(point.timestamp, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point<'a> {
    /// What was measured.
    pub value: Value<'a>,
    /// When, if that is not "now"; expositions should do without (OM1-TS-03).
    pub timestamp: Option<Timestamp>,
    /// Since when a counter, histogram or summary counts.
    #[doc(alias = "created")]
    pub start: Option<Timestamp>,
    /// References to what caused it. A format with room for one of a counter, or of a bucket, takes the last
    /// one here that fits.
    pub exemplars: &'a [ExemplarRef<'a>],
}

impl<'a> Point<'a> {
    /// A point of this value and nothing else.
    #[inline]
    pub const fn new(value: Value<'a>) -> Self {
        Self { value, timestamp: None, start: None, exemplars: &[] }
    }

    /// With a start timestamp.
    #[inline]
    #[must_use]
    pub fn started(mut self, start: impl Into<Option<Timestamp>>) -> Self {
        self.start = start.into();
        self
    }

    /// With an explicit timestamp.
    #[inline]
    #[must_use]
    pub fn at(mut self, timestamp: impl Into<Option<Timestamp>>) -> Self {
        self.timestamp = timestamp.into();
        self
    }

    /// With exemplars.
    #[inline]
    #[must_use]
    pub fn with_exemplars(mut self, exemplars: &'a [ExemplarRef<'a>]) -> Self {
        self.exemplars = exemplars;
        self
    }
}

impl<'a, V: Into<Value<'a>>> From<V> for Point<'a> {
    #[inline]
    fn from(value: V) -> Self {
        Self::new(value.into())
    }
}

/// The value of a [`Point`]. Its shape has to fit the family's type, see [`Value::fits`]. The large ones are
/// behind references, so that the many points that are numbers stay small.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Of a gauge, a counter or an unknown.
    Number(Number),
    /// Of a stateset: every state and whether it is on.
    StateSet(&'a [State<'a>]),
    /// Of an info: its facts. Facts may as well stand among the metric's labels; text cannot tell them apart.
    Info(Labels<'a>),
    /// Of a histogram or gauge histogram.
    Histogram(&'a HistogramValue<'a>),
    /// Of a summary.
    Summary(&'a SummaryValue<'a>),
}

impl Value<'_> {
    /// Whether a family of this type can have such a value. An unknown may be a number or, as OpenMetrics 2.0
    /// has it, a histogram or summary (OM2-UNK-01).
    #[inline]
    pub const fn fits(&self, metric_type: MetricType) -> bool {
        matches!(
            (self, metric_type),
            (Self::Number(_), MetricType::Gauge | MetricType::Counter | MetricType::Unknown)
                | (Self::StateSet(_), MetricType::StateSet)
                | (Self::Info(_), MetricType::Info)
                | (
                    Self::Histogram(_),
                    MetricType::Histogram | MetricType::GaugeHistogram | MetricType::Unknown
                )
                | (Self::Summary(_), MetricType::Summary | MetricType::Unknown)
        )
    }

    /// The kind of value in words, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Number(_) => "number",
            Self::StateSet(_) => "stateset",
            Self::Info(_) => "info",
            Self::Histogram(_) => "histogram",
            Self::Summary(_) => "summary",
        }
    }
}

impl<N: Into<Number>> From<N> for Value<'_> {
    #[inline]
    fn from(number: N) -> Self {
        Self::Number(number.into())
    }
}

/// One state of a stateset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// The state's name, any text.
    pub name: &'a str,
    /// Whether it is on.
    pub enabled: bool,
}

/// A distribution with classic buckets, native buckets, both, or neither
/// ([histogram](https://prometheus.io/docs/specs/om/open_metrics_spec_2_0/#histogram)).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HistogramValue<'a> {
    /// How many observations.
    pub count: Number,
    /// Their sum. Absent where negative observations would make it fall (OpenMetrics 1.0).
    pub sum: Option<Number>,
    /// The classic buckets below `+Inf`, in rising order; `+Inf` itself holds `count`. `None`: only native ones.
    pub classic: Option<&'a [ClassicBucket]>,
    /// The native buckets.
    pub native: Option<NativeBucketsRef<'a>>,
}

impl<'a> HistogramValue<'a> {
    /// A histogram with neither kind of bucket.
    pub fn new(count: impl Into<Number>, sum: Option<Number>) -> Self {
        Self { count: count.into(), sum, classic: None, native: None }
    }

    /// With classic buckets, those below `+Inf`.
    #[must_use]
    pub fn with_classic(mut self, buckets: &'a [ClassicBucket]) -> Self {
        self.classic = Some(buckets);
        self
    }

    /// With native buckets.
    #[must_use]
    pub fn with_native(mut self, buckets: NativeBucketsRef<'a>) -> Self {
        self.native = Some(buckets);
        self
    }
}

/// One classic bucket: how many observations were at or below a bound.
///
/// Counts include the lower buckets. All formats say it so, and for counts that are not integers the differences
/// could not be added up again exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassicBucket {
    /// The bound, inclusive; finite in practice, never NaN.
    #[doc(alias = "le")]
    pub upper_bound: f64,
    /// Observations at or below it.
    pub count: Number,
}

/// Count, sum and quantiles computed by the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SummaryValue<'a> {
    /// How many observations.
    pub count: Option<Number>,
    /// Their sum.
    pub sum: Option<Number>,
    /// The quantiles in rising order.
    pub quantiles: &'a [Quantile],
}

impl<'a> SummaryValue<'a> {
    /// A summary of these.
    pub const fn new(count: Option<Number>, sum: Option<Number>, quantiles: &'a [Quantile]) -> Self {
        Self { count, sum, quantiles }
    }
}

/// One quantile of a summary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// Which, in [0, 1].
    pub quantile: f64,
    /// Its value; NaN when there was nothing to compute it from.
    pub value: Number,
}

/// A [`Point`] that owns what it holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MetricPoint {
    /// What was measured.
    pub value: MetricValue,
    /// When, if the exposition said so.
    pub timestamp: Option<Timestamp>,
    /// Since when a counter, histogram or summary counts.
    pub start: Option<Timestamp>,
    /// References to what caused it.
    pub exemplars: Vec<Exemplar>,
}

/// A [`Value`] that owns what it holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MetricValue {
    /// Of a gauge, a counter or an unknown.
    Number(Number),
    /// Of a stateset: names of states and whether they are on.
    StateSet(Vec<(Text, bool)>),
    /// Of an info.
    Info(LabelSet),
    /// Of a histogram or gauge histogram. It is large and most values are numbers, so it has a place of its own.
    Histogram(Box<Histogram>),
    /// Of a summary.
    Summary(Summary),
}

/// A [`HistogramValue`] that owns its buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// How many observations.
    pub count: Number,
    /// Their sum.
    pub sum: Option<Number>,
    /// The classic buckets below `+Inf`.
    pub classic: Option<Vec<ClassicBucket>>,
    /// The native buckets.
    pub native: Option<NativeBuckets>,
}

/// A [`SummaryValue`] that owns its quantiles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// How many observations.
    pub count: Option<Number>,
    /// Their sum.
    pub sum: Option<Number>,
    /// The quantiles in rising order.
    pub quantiles: Vec<Quantile>,
}

impl MetricPoint {
    /// A point of this value and nothing else.
    pub fn new(value: MetricValue) -> Self {
        Self { value, timestamp: None, start: None, exemplars: Vec::new() }
    }

    /// Calls `f` with the borrowed form. (A borrowed point needs slices of borrowed parts, which live on the
    /// stack of this function.)
    pub fn with_borrowed<R>(&self, f: impl FnOnce(Point<'_>) -> R) -> R {
        let (states, histogram, summary): (Vec<State<'_>>, HistogramValue<'_>, SummaryValue<'_>);
        let value = match &self.value {
            MetricValue::Number(number) => Value::Number(*number),
            MetricValue::StateSet(set) => {
                states = set.iter().map(|(name, enabled)| State { name, enabled: *enabled }).collect();
                Value::StateSet(&states)
            }
            MetricValue::Info(labels) => Value::Info(Labels::from(labels)),
            MetricValue::Histogram(h) => {
                histogram = HistogramValue {
                    count: h.count,
                    sum: h.sum,
                    classic: h.classic.as_deref(),
                    native: h.native.as_ref().map(NativeBuckets::borrow),
                };
                Value::Histogram(&histogram)
            }
            MetricValue::Summary(s) => {
                summary = SummaryValue { count: s.count, sum: s.sum, quantiles: &s.quantiles };
                Value::Summary(&summary)
            }
        };
        let exemplars: Vec<ExemplarRef<'_>> = self.exemplars.iter().map(Exemplar::borrow).collect();
        f(Point { value, timestamp: self.timestamp, start: self.start, exemplars: &exemplars })
    }
}

impl Point<'_> {
    /// An owned copy; `None` if a label set among its parts repeats a name.
    pub fn to_owned(&self) -> Option<MetricPoint> {
        let value = match &self.value {
            Value::Number(number) => MetricValue::Number(*number),
            Value::StateSet(states) => {
                MetricValue::StateSet(states.iter().map(|s| (Text::from(s.name), s.enabled)).collect())
            }
            Value::Info(labels) => MetricValue::Info(labels.to_set().ok()?),
            Value::Histogram(h) => MetricValue::Histogram(Box::new(Histogram {
                count: h.count,
                sum: h.sum,
                classic: h.classic.map(<[_]>::to_vec),
                native: h.native.map(|native| native.to_owned()),
            })),
            Value::Summary(s) => {
                MetricValue::Summary(Summary { count: s.count, sum: s.sum, quantiles: s.quantiles.to_vec() })
            }
        };
        let exemplars: Option<Vec<_>> = self
            .exemplars
            .iter()
            .map(|e| {
                Some(Exemplar { labels: e.labels.to_set().ok()?, value: e.value, timestamp: e.timestamp })
            })
            .collect();
        Some(MetricPoint { value, timestamp: self.timestamp, start: self.start, exemplars: exemplars? })
    }
}
