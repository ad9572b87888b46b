//! What can be chosen about an instrument when it is made.

use std::time::Duration;

use crate::error::{Error, Kind};
use crate::model::{LabelName, Text};

/// What can be chosen about an instrument besides name, help and unit; the default fits most.
///
/// Usually set through [`Definition`](crate::registry::Definition). What does not apply to an instrument is refused
/// when it is made.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a choice of its own
pub struct Options {
    pub(crate) labels: Vec<Text>,
    pub(crate) buckets: Option<Vec<f64>>,
    pub(crate) native: Option<Native>,
    pub(crate) without_native: bool,
    /// Whether `buckets` are native ones as well.
    pub(crate) custom_buckets: bool,
    pub(crate) thread_owned: Option<bool>,
    pub(crate) exemplars: bool,
    pub(crate) quantiles: Option<(Vec<f64>, Duration)>,
    pub(crate) max_series: Option<usize>,
    pub(crate) idle_expiry: Option<Duration>,
    pub(crate) compact: bool,
    /// What `thread_owned` comes to: set by whoever knows what it is for.
    pub(crate) is_hot: bool,
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of the labels, for label sets that do not know them, such as arrays of strings.
    #[must_use]
    pub fn labels<N: Into<Text>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.labels = names.into_iter().map(Into::into).collect();
        self
    }

    /// The upper bounds of a histogram's classic buckets, rising, without `+Inf`.
    #[must_use]
    pub fn buckets(mut self, bounds: impl Into<Vec<f64>>) -> Self {
        self.buckets = Some(bounds.into());
        self
    }

    /// How a histogram's native buckets are made; `None` for none.
    #[must_use]
    pub fn native(mut self, native: impl Into<Option<Native>>) -> Self {
        self.native = native.into();
        self.without_native = self.native.is_none();
        self.custom_buckets = false;
        self
    }

    /// The upper bounds of a histogram's native buckets, rising, without `+Inf`: custom buckets, schema -53, in place of those
    /// that grow by a factor. For bounds that mean something, such as an objective or the sizes of a pool.
    ///
    /// No exposition format has a place for such bounds (NH-24): on the wire these are classic buckets, and a server makes
    /// custom ones of them again where it is told to (Prometheus: `convert_classic_histograms_to_nhcb`). What is read in
    /// the program, [`MetricSet`](crate::model::MetricSet) and its JSON, has them as they are.
    #[doc(alias = "nhcb")]
    #[must_use]
    pub fn custom_buckets(mut self, bounds: impl Into<Vec<f64>>) -> Self {
        self.buckets = Some(bounds.into());
        (self.native, self.without_native, self.custom_buckets) = (None, true, true);
        self
    }

    /// Whether every thread counts in cells of its own, which a scrape adds up, or all in one.
    ///
    /// Counting in one's own cell takes a nanosecond or less however many threads count, but each metric then takes
    /// memory for each thread. The default is `true` for metrics without labels and families whose labels are all
    /// enums, and `false` for other families, which may have very many metrics.
    #[must_use]
    pub fn thread_owned(mut self, own: bool) -> Self {
        self.thread_owned = Some(own);
        self
    }

    /// Whether events of a counter or a histogram take the [current span](super::SpanContext) as their exemplar, the first
    /// after each scrape. The default is `false`; exemplars that are given with the event need no choice.
    #[must_use]
    pub fn exemplars(mut self, take: bool) -> Self {
        self.exemplars = take;
        self
    }

    /// Which quantiles a summary shows, from 0 to 1, and of how long: the values of the last ten minutes, for example. Each is within
    /// 1 per cent of the value.
    ///
    /// Quantiles of several processes cannot be put together, and observing takes a lock and a clock; a
    /// [`Histogram`](super::Histogram) has neither fault.
    #[must_use]
    pub fn quantiles(mut self, quantiles: impl Into<Vec<f64>>, window: Duration) -> Self {
        self.quantiles = Some((quantiles.into(), window));
        self
    }

    /// How many metrics a family may have. Label sets beyond are counted together in one more, whose labels all have the value
    /// [`OVERFLOW`](super::OVERFLOW), until there is room again; how often that happened is in
    /// `openmetrics_series_overflow_total` of the registry.
    ///
    /// A family whose labels are all enums has its own limit, which is how many values they have.
    #[must_use]
    pub fn max_series(mut self, max: impl Into<Option<usize>>) -> Self {
        self.max_series = max.into();
        self
    }

    /// Removes a family's metrics that nobody looked up for so long, and that nobody has a handle of. They go between
    /// once and twice this time after the last look-up: at a scrape, or when a metric is made, so that memory is
    /// bounded also when nobody scrapes.
    #[must_use]
    pub fn idle_expiry(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.idle_expiry = after.into();
        self
    }

    /// Whether a family takes as little memory as it can: each label value is kept once, and a series is a few numbers. A
    /// counter with three labels then takes about 115 bytes instead of 225, or 75 if many series share each value.
    ///
    /// It is for families of very many series: looking for one takes a lock, and two to four times as long, and labels are
    /// rendered anew for every scrape. Handles are as quick as those of other families. Families whose labels are all enums
    /// take little as they are.
    #[must_use]
    pub fn compact(mut self, compact: bool) -> Self {
        self.compact = compact;
        self
    }

    /// The same, `thread_owned` decided.
    pub(crate) fn decided(&self, default: bool) -> Self {
        Self { is_hot: self.thread_owned.unwrap_or(default), ..self.clone() }
    }

    pub(crate) fn label_names(&self) -> Result<Vec<LabelName>, Error> {
        self.labels.iter().map(|name| LabelName::new(name.clone())).collect()
    }

    pub(crate) fn no_label_names(&self) -> Result<Vec<LabelName>, Error> {
        let given = match (&*self.labels, self.max_series, self.idle_expiry, self.compact) {
            ([], None, None, false) => return Ok(Vec::new()),
            ([], Some(_), ..) => "a limit of series is",
            ([], _, Some(_), _) => "an expiry of idle series is",
            ([], _, _, true) => "compact series are",
            _ => "label names are",
        };
        let message = format!("{given} given for a metric that has no labels; make it a family");
        Err(refused("OM1-LAB-02", message))
    }

    /// For instruments without buckets.
    pub(crate) fn no_buckets(&self) -> Result<(), Error> {
        match (&self.buckets, &self.native, self.without_native) {
            (None, None, false) => Ok(()),
            _ => Err(refused("OM1-HIS-01", "buckets are given for a metric that is no histogram")),
        }
    }
}

/// How native buckets are made, and what happens when they become too many
/// ([NH-26, NH-27](https://prometheus.io/docs/specs/native_histograms/)).
///
/// More than [`max_buckets`](Native::max_buckets) are brought down in steps, one for each value that makes a bucket too
/// many: a reset, if the last one is [`min_reset`](Native::min_reset) ago; else a wider zero bucket, as far as
/// [`max_zero_threshold`](Native::max_zero_threshold) goes; else half the resolution. The latter two are undone by a
/// reset when its time has come, after a scrape. Only a reset forgets, and the start timestamp says so.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Native {
    /// How much wider each bucket is than the one before, at most. 1.1, the default, gives schema 3: an error of quantiles
    /// of at most 4.4 %, where eight buckets cover a factor of two.
    pub factor: f64,
    /// Values up to this far from zero are in the zero bucket. The default, 2^-128, is a bound of every schema and below
    /// anything that is measured.
    pub zero_threshold: f64,
    /// How far the zero bucket may be widened; the default, 0, is not at all, since what is small may matter.
    pub max_zero_threshold: f64,
    /// How many buckets there may be, 160 by default, which covers a factor of a million at the default resolution;
    /// `None` for as many as memory is set aside for, some thousands.
    pub max_buckets: Option<u32>,
    /// How long after the last reset there may be another one; `None`, the default, is never: only the resolution
    /// gives way.
    pub min_reset: Option<Duration>,
}

impl Default for Native {
    fn default() -> Self {
        Self {
            factor: 1.1,
            zero_threshold: 2.938_735_877_055_719e-39, // 2^-128
            max_zero_threshold: 0.0,
            max_buckets: Some(160),
            min_reset: None,
        }
    }
}

impl Native {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this [`factor`](Native::factor), above 1.
    #[must_use]
    pub fn with_factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// With this [`zero_threshold`](Native::zero_threshold).
    #[must_use]
    pub fn with_zero_threshold(mut self, threshold: f64) -> Self {
        self.zero_threshold = threshold;
        self
    }

    /// With this [`max_zero_threshold`](Native::max_zero_threshold).
    #[must_use]
    pub fn with_max_zero_threshold(mut self, threshold: f64) -> Self {
        self.max_zero_threshold = threshold;
        self
    }

    /// With this limit, see [`max_buckets`](Native::max_buckets).
    #[must_use]
    pub fn with_max_buckets(mut self, max: impl Into<Option<u32>>) -> Self {
        self.max_buckets = max.into();
        self
    }

    /// With resets this far apart at least, see [`min_reset`](Native::min_reset).
    #[must_use]
    pub fn with_min_reset(mut self, min: impl Into<Option<Duration>>) -> Self {
        self.min_reset = min.into();
        self
    }
}

pub(crate) fn refused(rule: &'static str, message: impl Into<String>) -> Error {
    Error::new(Kind::Refused { rule, message: message.into() })
}
