//! How a metric is defined, checked and registered.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Registry, refused};
use crate::error::Error;
use crate::instrument::{Callback, Info, Instrument, Native, Options};
use crate::model::{
    Collected, Collector, Descriptor, Emitter, LabelName, LabelSet, Labels, MetricName, MetricType, Naming,
    Number, Text, Unit, Value, reserved_label, unit_is_suffix,
};

/// A metric that is about to be registered; made by [`Registry::metric`].
///
/// ```
/// use openmetrics::instrument::{Counter, Family, Histogram};
/// use openmetrics::{model::Unit, registry::Registry};
///
/// let registry = Registry::new();
/// let latency: Histogram = registry
///     .metric("app_latency_seconds", "Time to first byte.")
///     .unit(Unit::SECONDS)
///     .buckets([0.01, 0.1, 1.0])
///     .register()?;
/// let busy: Family<[&str; 1], Counter<f64>> =
///     registry.metric("app_busy_seconds", "Time spent.").unit(Unit::SECONDS).labels(["worker"]).register()?;
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[must_use = "it is not registered yet"]
pub struct Definition<'r> {
    registry: &'r Registry,
    name: Text,
    help: Text,
    unit: Option<Unit>,
    utf8: bool,
    naming: Naming,
    options: Options,
}

impl<'r> Definition<'r> {
    pub(super) fn new(registry: &'r Registry, name: Text, help: Text) -> Self {
        let (naming, options) = (Naming::default(), Options::default());
        Self { registry, name, help, unit: None, utf8: false, naming, options }
    }

    /// The unit of its values. The name has to end in it (OM1-FAM-11).
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// The names of the labels, for label sets that do not know them, such as arrays of strings.
    pub fn labels<N: Into<Text>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.options = self.options.labels(names);
        self
    }

    /// The upper bounds of a histogram's classic buckets, rising, without `+Inf`.
    pub fn buckets(mut self, bounds: impl Into<Vec<f64>>) -> Self {
        self.options = self.options.buckets(bounds);
        self
    }

    /// How a histogram's native buckets are made; `None` for none.
    pub fn native(mut self, native: impl Into<Option<Native>>) -> Self {
        self.options = self.options.native(native);
        self
    }

    /// The upper bounds of a histogram's native buckets, see [`Options::custom_buckets`].
    pub fn custom_buckets(mut self, bounds: impl Into<Vec<f64>>) -> Self {
        self.options = self.options.custom_buckets(bounds);
        self
    }

    /// Whether every thread counts in cells of its own, see [`Options::thread_owned`].
    pub fn thread_owned(mut self, own: bool) -> Self {
        self.options = self.options.thread_owned(own);
        self
    }

    /// Whether events take the current span as their exemplar, see [`Options::exemplars`].
    pub fn exemplars(mut self, take: bool) -> Self {
        self.options = self.options.exemplars(take);
        self
    }

    /// Which quantiles a summary shows, and of how long, see [`Options::quantiles`].
    ///
    /// ```
    /// # use openmetrics::{instrument::Summary, registry::Registry};
    /// # let registry = Registry::new();
    /// let minutes = std::time::Duration::from_secs(10 * 60);
    /// let latency: Summary =
    ///     registry.metric("latency_seconds", "Time to answer.").quantiles([0.5, 0.99], minutes).register()?;
    /// latency.observe(0.25);
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    pub fn quantiles(mut self, quantiles: impl Into<Vec<f64>>, window: Duration) -> Self {
        self.options = self.options.quantiles(quantiles, window);
        self
    }

    /// How many metrics a family may have, see [`Options::max_series`].
    pub fn max_series(mut self, max: impl Into<Option<usize>>) -> Self {
        self.options = self.options.max_series(max);
        self
    }

    /// Removes a family's metrics that were idle for so long, see [`Options::idle_expiry`].
    pub fn idle_expiry(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.options = self.options.idle_expiry(after);
        self
    }

    /// Whether a family of very many metrics takes as little memory as it can, see [`Options::compact`].
    ///
    /// ```
    /// # use openmetrics::{instrument::{Counter, Family}, registry::Registry};
    /// # let registry = Registry::new();
    /// let sent: Family<[&str; 2], Counter> =
    ///     registry.metric("sent_bytes", "Bytes sent.").labels(["tenant", "zone"]).compact(true).register()?;
    /// sent.with(["t4711", "eu"]).inc_by(1500);
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    pub fn compact(mut self, compact: bool) -> Self {
        self.options = self.options.compact(compact);
        self
    }

    /// What else can be chosen; replaces what was chosen before.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Allows names that only newer formats can write as they are, such as `http.server.duration`; the others
    /// write them escaped.
    pub fn utf8_name(mut self) -> Self {
        self.utf8 = true;
        self
    }

    /// Has the name written as it is in every format, without `_total` or `_info`.
    pub fn verbatim(mut self) -> Self {
        self.naming = Naming::Verbatim;
        self
    }

    /// Makes the metric and registers it.
    ///
    /// # Errors
    ///
    /// Each says which rule is broken, see [`Error::rule`](crate::Error::rule):
    ///
    /// * the name is no metric name (OM1-SYN-07), begins with an underscore (OM1-FAM-02), or does not end in the unit
    ///   (OM1-FAM-11);
    /// * a family of this name is there (OM1-FAM-01), or one whose samples would have the same names, such as counter
    ///   `a` beside gauge `a_total` (OM1-FAM-04);
    /// * a label name is none (OM1-SYN-08), reserved (OM1-LAB-01, OM2-HIS-08, OM2-SUM-05) or given twice (OM1-LAB-02);
    /// * what the metric's own [`Options`] say is wrong.
    pub fn register<I: Instrument>(self) -> Result<I, Error> {
        let metric = I::create(&self.options, &self.registry.scope.labels)?;
        self.attach(&metric)?;
        Ok(metric)
    }

    /// Registers a metric that was made before. The errors are those of [`register`](Definition::register).
    pub fn attach<I: Instrument>(self, metric: &I) -> Result<(), Error> {
        let label_names = I::label_names(&self.options)?;
        let descriptor = self.check(I::TYPE, &label_names)?;
        self.registry.add_source(descriptor, metric.clone())
    }

    /// Registers a gauge whose value `read` gives at each scrape.
    ///
    /// ```
    /// # use openmetrics::registry::Registry;
    /// # let registry = Registry::new();
    /// let queue = std::sync::Arc::new(std::sync::Mutex::new(vec![1, 2, 3]));
    /// let seen = queue.clone();
    /// registry.metric("app_queue_jobs", "Jobs that wait.").gauge_callback(move || seen.lock().unwrap().len())?;
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    pub fn gauge_callback<N: Into<Number>>(
        self,
        read: impl Fn() -> N + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.callback(MetricType::Gauge, Callback::new(read))
    }

    /// Registers a counter whose value `read` gives at each scrape. It must never fall.
    pub fn counter_callback<N: Into<Number>>(
        self,
        read: impl Fn() -> N + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.callback(MetricType::Counter, Callback::new(read))
    }

    fn callback(self, metric_type: MetricType, callback: Callback) -> Result<(), Error> {
        let descriptor = self.check(metric_type, &self.options.no_label_names()?)?;
        self.registry.add_source(descriptor, callback)
    }

    /// Registers an info with these facts.
    pub fn info(self, facts: LabelSet) -> Result<Info, Error> {
        self.options.no_label_names()?;
        let names: Vec<_> = facts.iter().map(|fact| fact.name.clone()).collect();
        let descriptor = self.check(MetricType::Info, &names)?;
        let info = Info::new(facts);
        self.registry.add_source(descriptor, info.clone())?;
        Ok(info)
    }

    /// The descriptor, if names, labels and unit are right.
    fn check(&self, metric_type: MetricType, labels: &[LabelName]) -> Result<Descriptor, Error> {
        let scope = &self.registry.scope;
        let given = scope.name(&self.name);
        let suffix = match (metric_type, self.naming) {
            (MetricType::Counter, Naming::Standard) => "_total",
            (MetricType::Info, Naming::Standard) => "_info",
            _ => "",
        };
        let name = given.strip_suffix(suffix).filter(|name| !name.is_empty()).unwrap_or(&given);
        let name = if self.utf8 { MetricName::utf8(name)? } else { MetricName::new(name.to_owned())? };
        if name.as_str().starts_with('_') {
            let message =
                format!("family name {:?} begins with an underscore, which is reserved", name.as_str());
            return Err(refused("OM1-FAM-02", message));
        }
        if let Some(unit) = &self.unit {
            if !unit_is_suffix(name.as_str(), unit.as_str()) {
                let (name, unit) = (name.as_str(), unit.as_str());
                let message =
                    format!("family {name:?} has unit {unit:?}, so its name has to end in it: {name}_{unit}");
                return Err(refused("OM1-FAM-11", message));
            }
        }
        let of_scope = || scope.labels.iter().map(|label| &label.name);
        for (at, label) in labels.iter().chain(of_scope()).enumerate() {
            let wrong = if labels.iter().chain(of_scope()).take(at).any(|before| before == label) {
                Some(("OM1-LAB-02", "is given twice"))
            } else {
                reserved_label(label.as_str(), metric_type)
            };
            if let Some((rule, reason)) = wrong {
                let message = format!("family {:?}: label {:?} {reason}", name.as_str(), label.as_str());
                return Err(refused(rule, message));
            }
        }
        let descriptor =
            Descriptor::new(name, metric_type).with_help(self.help.clone()).with_naming(self.naming);
        Ok(match &self.unit {
            Some(unit) => descriptor.with_unit(unit.clone()),
            None => descriptor,
        })
    }
}

impl fmt::Debug for Definition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Something that was registered here, its descriptor with the full name, and the scope's labels.
struct Registered<S> {
    descriptor: Descriptor,
    labels: LabelSet,
    source: S,
}

/// What gives a family its points.
trait Source: Send + Sync + 'static {
    fn emit(&self, descriptor: &Descriptor, labels: &LabelSet, out: &mut Emitter<'_>);

    /// Reads how many look-ups were beyond its limit of series, if it has one.
    fn overflow(&self) -> Option<Overflow> {
        None
    }
}

pub(super) type Overflow = Box<dyn Fn() -> u64 + Send + Sync>;

impl<I: Instrument> Source for I {
    fn emit(&self, descriptor: &Descriptor, labels: &LabelSet, out: &mut Emitter<'_>) {
        // Labels that were added around this registry may have any name, so then every point is checked.
        let alone = out.labels().is_empty();
        let family = out.family(descriptor);
        if family.is_accepted() {
            let mut family = if alone { family.unique() } else { family };
            Instrument::emit(self, &mut family, &Labels::from(labels));
        }
    }

    fn overflow(&self) -> Option<Overflow> {
        self.overflowed()?;
        let this = self.clone();
        Some(Box::new(move || this.overflowed().unwrap_or_default()))
    }
}

impl Source for Callback {
    fn emit(&self, descriptor: &Descriptor, labels: &LabelSet, out: &mut Emitter<'_>) {
        // Read first: if it panics, there is no family without a value.
        let value = self.read();
        out.family(descriptor).point(Labels::from(labels), value);
    }
}

impl Source for Info {
    fn emit(&self, descriptor: &Descriptor, labels: &LabelSet, out: &mut Emitter<'_>) {
        let facts = self.shared();
        out.family(descriptor).point(Labels::from(labels), Value::Info(Labels::from(&*facts)));
    }
}

impl<S: Source> Collector for Registered<S> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        self.source.emit(&self.descriptor, &self.labels, out);
        Ok(())
    }
}

impl Registry {
    fn add_source(&self, descriptor: Descriptor, source: impl Source) -> Result<(), Error> {
        let name = descriptor.name().to_string();
        let labels = self.scope.labels.clone();
        let overflow = source.overflow();
        let collector = Box::new(Registered { descriptor: descriptor.clone(), labels, source });
        // Name and labels are those of the scope already.
        self.add(name, Arc::default(), vec![descriptor], collector, overflow).map(|_| ())
    }
}
