//! The `metrics` facade recorded in a registry (feature `metrics`): libraries that use its macros are on the same page as everything
//! else.
//!
//! ```
//! use openmetrics::{Registry, facade::Recorder};
//!
//! let registry = Registry::new();
//! let recorder = Recorder::new(&registry)?;
//! # metrics::with_local_recorder(&recorder, || {
//! metrics::describe_counter!("jobs_total", "Jobs done.");
//! metrics::counter!("jobs_total", "kind" => "mail").increment(2);
//! # });
//! // recorder.install()?; in a program, before the first of these
//! # #[cfg(feature = "testing")]
//! openmetrics::assert_metric!(registry, "jobs_total{kind=\"mail\"}" == 2);
//! # Ok::<(), openmetrics::Error>(())
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, SharedString};

use crate::error::Error;
use crate::format::Escaping;
use crate::instrument::{Counter, DynamicFamily, Gauge, Histogram, Instrument, Options};
use crate::model::{
    Collected, Collector, Descriptor, Emitter, LabelSet, Labels, MetricName, MetricType, Unit, unit_is_suffix,
};
use crate::registry::Registry;

/// What the facade's macros record into; made once in a program, and [installed](Recorder::install).
///
/// * **Names** are those of the call sites. What no exposition format can say as it is, such as the dots of `http.requests`, becomes
///   underscores, in names and in labels. `_total` at the end of a counter is taken as what the text formats write.
/// * **Units** of descriptions are told if the name ends in them: `bytes_sent` has none, `sent_bytes` described as `Unit::Bytes` has.
/// * **Histograms** are histograms, native and classic; [`with_buckets`](Recorder::with_buckets) chooses the classic buckets of one.
/// * **Labels** may differ from call to call. Who records with handles, `let jobs = counter!("jobs_total")`, finds them once.
///
/// A name that two types want stays the first one's; the other is in the report of each scrape.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    families: Mutex<Families>,
    buckets: Mutex<HashMap<String, Vec<f64>>>,
}

#[derive(Default)]
struct Families {
    /// In the order in which they were first recorded.
    all: Vec<Recorded>,
    places: HashMap<(String, Kind), usize>,
    descriptions: HashMap<(String, Kind), (Option<Unit>, String)>,
}

struct Recorded {
    name: MetricName,
    kind: Kind,
    /// What the facade calls it, for its description.
    given: String,
    metrics: Metrics,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

enum Metrics {
    Counters(DynamicFamily<Counter>),
    Gauges(DynamicFamily<Gauge<f64>>),
    Histograms(DynamicFamily<Histogram>),
}

impl Recorder {
    /// A recorder whose metrics are on the registry's page.
    ///
    /// # Errors
    ///
    /// None as yet; a registry may refuse a collector.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let recorder = Self { inner: Arc::default() };
        registry.register_collector("the metrics facade", recorder.clone())?;
        Ok(recorder)
    }

    /// Gives the histogram of this name classic buckets with these upper bounds; for histograms that nobody has recorded yet.
    #[must_use]
    pub fn with_buckets(self, histogram: &str, bounds: impl Into<Vec<f64>>) -> Self {
        let mut buckets = self.inner.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.insert(histogram.to_owned(), bounds.into());
        drop(buckets);
        self
    }

    /// Makes it the recorder of the whole program: what the macros record from now on is recorded here.
    ///
    /// # Errors
    ///
    /// If the program has a recorder already.
    pub fn install(self) -> Result<(), metrics::SetRecorderError<Self>> {
        metrics::set_global_recorder(self)
    }

    fn families(&self) -> MutexGuard<'_, Families> {
        self.inner.families.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, kind: Kind, key: &KeyName, unit: Option<metrics::Unit>, description: SharedString) {
        let said = (unit.and_then(unit_of), description.into_owned());
        self.families().descriptions.insert((key.as_str().to_owned(), kind), said);
    }

    /// Calls `with` with the family of this name and kind, made if it is not there; `None` if its name can be none.
    fn family<R>(&self, kind: Kind, key: &Key, with: impl FnOnce(&Metrics) -> Option<R>) -> Option<R> {
        let mut families = self.families();
        let known = families.places.get(&(key.name().to_owned(), kind)).copied();
        let place = if let Some(place) = known {
            place
        } else {
            let metrics = self.make(kind, key.name())?;
            let name = MetricName::new(metric_name(key.name(), kind)).ok()?;
            families.all.push(Recorded { name, kind, given: key.name().to_owned(), metrics });
            let place = families.all.len() - 1;
            families.places.insert((key.name().to_owned(), kind), place);
            place
        };
        with(&families.all.get(place)?.metrics)
    }

    fn make(&self, kind: Kind, name: &str) -> Option<Metrics> {
        let (options, constant) = (Options::new(), LabelSet::default());
        Some(match kind {
            Kind::Counter => Metrics::Counters(DynamicFamily::create(&options, &constant).ok()?),
            Kind::Gauge => Metrics::Gauges(DynamicFamily::create(&options, &constant).ok()?),
            Kind::Histogram => {
                let buckets = self.inner.buckets.lock().unwrap_or_else(PoisonError::into_inner);
                let options = match buckets.get(name) {
                    Some(bounds) => options.buckets(bounds.clone()),
                    None => options,
                };
                Metrics::Histograms(DynamicFamily::create(&options, &constant).ok()?)
            }
        })
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("families", &self.families().all.len()).finish_non_exhaustive()
    }
}

/// The name as every format can say it.
fn metric_name(given: &str, kind: Kind) -> String {
    let name = Escaping::Underscores.metric_name(given);
    let name = match kind {
        Kind::Counter => name.strip_suffix("_total").filter(|name| !name.is_empty()).unwrap_or(&name),
        _ => &name,
    };
    // An underscore at the beginning is kept for others (OM1-FAM-02).
    if name.starts_with('_') { format!("m{name}") } else { name.to_owned() }
}

/// The units that are base units of the specification; the others would say something else of the same number.
fn unit_of(unit: metrics::Unit) -> Option<Unit> {
    match unit {
        metrics::Unit::Seconds => Some(Unit::SECONDS),
        metrics::Unit::Bytes => Some(Unit::BYTES),
        _ => None,
    }
}

/// Calls `with` with the labels of a key, in names that every format can say.
fn with_labels<R>(key: &Key, with: impl FnOnce(&[(&str, &str)]) -> R) -> R {
    let names: Vec<_> = key.labels().map(|label| Escaping::Underscores.label_name(label.key())).collect();
    let labels: Vec<_> =
        names.iter().map(|name| &**name).zip(key.labels().map(metrics::Label::value)).collect();
    with(&labels)
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<metrics::Unit>, description: SharedString) {
        self.describe(Kind::Counter, &key, unit, description);
    }
    fn describe_gauge(&self, key: KeyName, unit: Option<metrics::Unit>, description: SharedString) {
        self.describe(Kind::Gauge, &key, unit, description);
    }
    fn describe_histogram(&self, key: KeyName, unit: Option<metrics::Unit>, description: SharedString) {
        self.describe(Kind::Histogram, &key, unit, description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let counter = self.family(Kind::Counter, key, |metrics| match metrics {
            Metrics::Counters(family) => with_labels(key, |labels| family.handle(labels)).ok(),
            _ => None,
        });
        counter.map_or_else(metrics::Counter::noop, |counter| {
            metrics::Counter::from_arc(Arc::new(RecordedCounter { counter, absolute: Mutex::new(()) }))
        })
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let gauge = self.family(Kind::Gauge, key, |metrics| match metrics {
            Metrics::Gauges(family) => with_labels(key, |labels| family.handle(labels)).ok(),
            _ => None,
        });
        gauge.map_or_else(metrics::Gauge::noop, |gauge| {
            metrics::Gauge::from_arc(Arc::new(RecordedGauge(gauge)))
        })
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let histogram = self.family(Kind::Histogram, key, |metrics| match metrics {
            Metrics::Histograms(family) => with_labels(key, |labels| family.handle(labels)).ok(),
            _ => None,
        });
        histogram.map_or_else(metrics::Histogram::noop, |histogram| {
            metrics::Histogram::from_arc(Arc::new(RecordedHistogram(histogram)))
        })
    }
}

struct RecordedCounter {
    counter: Counter,
    /// Held while the counter is brought to a number.
    absolute: Mutex<()>,
}

impl CounterFn for RecordedCounter {
    fn increment(&self, value: u64) {
        self.counter.inc_by(value);
    }

    fn absolute(&self, value: u64) {
        let _alone = self.absolute.lock().unwrap_or_else(PoisonError::into_inner);
        self.counter.inc_by(value.saturating_sub(self.counter.get()));
    }
}

struct RecordedGauge(Gauge<f64>);

impl GaugeFn for RecordedGauge {
    fn increment(&self, value: f64) {
        self.0.inc_by(value);
    }
    fn decrement(&self, value: f64) {
        self.0.dec_by(value);
    }
    fn set(&self, value: f64) {
        self.0.set(value);
    }
}

struct RecordedHistogram(Histogram);

impl HistogramFn for RecordedHistogram {
    fn record(&self, value: f64) {
        self.0.observe(value);
    }
}

impl Collector for Recorder {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let families = self.families();
        for family in &families.all {
            let metric_type = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut descriptor = Descriptor::new(family.name.clone(), metric_type);
            if let Some((unit, help)) = families.descriptions.get(&(family.given.clone(), family.kind)) {
                descriptor = descriptor.with_help(help.clone());
                if let Some(unit) =
                    unit.clone().filter(|unit| unit_is_suffix(family.name.as_str(), unit.as_str()))
                {
                    descriptor = descriptor.with_unit(unit);
                }
            }
            let mut out = out.family(&descriptor);
            match &family.metrics {
                Metrics::Counters(family) => family.emit(&mut out, &Labels::EMPTY),
                Metrics::Gauges(family) => family.emit(&mut out, &Labels::EMPTY),
                Metrics::Histograms(family) => family.emit(&mut out, &Labels::EMPTY),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, encode};

    fn page(registry: &Registry) -> String {
        let mut page = Vec::new();
        encode(registry, Format::OPENMETRICS_1_0, &mut page);
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn everything_that_the_facade_has() {
        let registry = Registry::new();
        let recorder =
            Recorder::new(&registry.scope("app")).unwrap().with_buckets("took_seconds", [0.1, 1.0]);
        metrics::with_local_recorder(&recorder, || {
            metrics::describe_histogram!("took_seconds", metrics::Unit::Seconds, "Time it took.");
            metrics::describe_gauge!("queue.depth", metrics::Unit::Bytes, "Jobs that wait.");
            metrics::counter!("jobs_total", "kind" => "a").increment(2);
            metrics::counter!("jobs_total").absolute(7);
            metrics::counter!("jobs_total").absolute(5);
            metrics::counter!("jobs_total").increment(1);
            metrics::gauge!("queue.depth", "queue.name" => "mail").set(3.0);
            metrics::gauge!("queue.depth", "queue.name" => "mail").increment(1.5);
            metrics::gauge!("queue.depth", "queue.name" => "mail").decrement(0.5);
            metrics::histogram!("took_seconds").record_many(0.5, 2);
        });
        assert_eq!(
            page(&registry),
            "# TYPE app_jobs counter\n\
             app_jobs_total 8\n\
             app_jobs_total{kind=\"a\"} 2\n\
             # TYPE app_queue_depth gauge\n\
             # HELP app_queue_depth Jobs that wait.\n\
             app_queue_depth{queue_name=\"mail\"} 4.0\n\
             # TYPE app_took_seconds histogram\n\
             # UNIT app_took_seconds seconds\n\
             # HELP app_took_seconds Time it took.\n\
             app_took_seconds_bucket{le=\"0.1\"} 0\n\
             app_took_seconds_bucket{le=\"1.0\"} 2\n\
             app_took_seconds_bucket{le=\"+Inf\"} 2\n\
             app_took_seconds_count 2\n\
             app_took_seconds_sum 1.0\n\
             # EOF\n"
        );
    }

    #[test]
    fn names_that_no_format_can_say_or_two_types_want() {
        let registry = Registry::new();
        let recorder = Recorder::new(&registry).unwrap();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("_private").increment(1);
            metrics::counter!("").increment(1);
            metrics::counter!("taken").increment(1);
            metrics::gauge!("taken").set(2.0);
            metrics::counter!("bad", "__label" => "x").increment(1);
            metrics::counter!("twice", "a.b" => "1", "a_b" => "2").increment(1);
        });
        let mut page = Vec::new();
        let report = encode(&registry, Format::TEXT_0_0_4, &mut page);
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("\nm_private_total 1\n"), "{page}");
        assert!(page.contains("\ntaken_total 1\n"), "{page}");
        assert_eq!(
            report.refusals().iter().map(crate::model::Refusal::family).collect::<Vec<_>>(),
            ["taken"]
        );
    }
}
