//! The same with other libraries, as their documentation says it is done.

use std::hint::black_box;
use std::sync::OnceLock;

use fastmetrics::metrics as fast;
use foundations::telemetry::metrics as foundation;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use openmetrics_benches::{Table, allocated, nanoseconds};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use prometheus_client::metrics as client;

use super::{both, observations};

const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

fn made<M, E: std::fmt::Display>(metric: Result<M, E>) -> M {
    match metric {
        Ok(metric) => metric,
        Err(error) => panic!("{error}"),
    }
}

/// The exporter of the `metrics` facade, which a process installs once.
fn facade() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| made(made(PrometheusBuilder::new().set_buckets(&BOUNDS)).install_recorder()))
}

/// A meter of OpenTelemetry whose metrics the registry of `prometheus` would show.
fn meter() -> Meter {
    let exporter = opentelemetry_prometheus::exporter().with_registry(prometheus::Registry::new());
    let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder();
    provider.with_reader(made(exporter.build())).build().meter("bench")
}

/// The metrics of `foundations`, which are functions.
#[foundation::metrics]
mod service {
    /// Bench.
    pub(super) fn calls() -> foundation::Counter;
    /// Bench.
    pub(super) fn level() -> foundation::Gauge;
    /// Bench.
    #[ctor = foundation::HistogramBuilder { buckets: &super::BOUNDS }]
    pub(super) fn latency() -> foundation::TimeHistogram;
    /// Bench.
    pub(super) fn requests(method: &String, path: &String, status: &String) -> foundation::Counter;
}

pub(super) fn counters(tables: &mut [Table; 2]) {
    let counter: client::counter::Counter = client::counter::Counter::default();
    both(tables, "prometheus-client", || {
        black_box(&counter).inc();
    });
    let counter = made(prometheus::IntCounter::new("bench", "Bench."));
    both(tables, "prometheus", || black_box(&counter).inc());
    facade();
    let counter = metrics::counter!("bench_counter");
    both(tables, "metrics, a handle", || black_box(&counter).increment(1));
    let counter = measured::Counter::new();
    both(tables, "measured", || black_box(&counter).inc());
    let counter: fast::counter::Counter = fast::counter::Counter::default();
    both(tables, "fastmetrics", || {
        black_box(&counter).inc();
    });
    let counter = meter().u64_counter("bench").build();
    both(tables, "opentelemetry-prometheus", || black_box(&counter).add(1, &[]));
    both(tables, "foundations", || {
        service::calls().inc();
    });
}

pub(super) fn gauges(tables: &mut [Table; 2]) {
    let gauge: client::gauge::Gauge = client::gauge::Gauge::default();
    both(tables, "prometheus-client, set", || {
        black_box(&gauge).set(black_box(7));
    });
    let gauge = made(prometheus::IntGauge::new("bench", "Bench."));
    both(tables, "prometheus, set", || black_box(&gauge).set(black_box(7)));
    let gauge = metrics::gauge!("bench_gauge");
    both(tables, "metrics, a handle, set", || black_box(&gauge).set(black_box(7.0)));
    let gauge = measured::Gauge::new();
    both(tables, "measured, set", || black_box(&gauge).get_metric().set(black_box(7)));
    let gauge: fast::gauge::Gauge = fast::gauge::Gauge::default();
    both(tables, "fastmetrics, set", || black_box(&gauge).set(black_box(7)));
    let gauge = meter().i64_gauge("bench").build();
    both(tables, "opentelemetry-prometheus, set", || black_box(&gauge).record(black_box(7), &[]));
    both(tables, "foundations, set", || {
        service::level().set(black_box(7));
    });
}

pub(super) fn histograms(tables: &mut [Table; 2], values: &[f64]) {
    let histogram = client::histogram::Histogram::new(BOUNDS);
    observations(tables, "prometheus-client, 11 classic buckets", values, |value| {
        black_box(&histogram).observe(value);
    });
    let options = prometheus::HistogramOpts::new("bench", "Bench.").buckets(BOUNDS.to_vec());
    let histogram = made(prometheus::Histogram::with_opts(options));
    observations(tables, "prometheus, 11 classic buckets", values, |value| {
        black_box(&histogram).observe(value);
    });
    // Its samples wait until somebody scrapes, and take memory until then.
    let histogram = metrics::histogram!("bench_histogram");
    observations(tables, "metrics, a handle, 11 classic buckets", values, |value| {
        black_box(&histogram).record(value);
    });
    facade().run_upkeep();
    let thresholds = measured::metric::histogram::Thresholds::with_buckets(BOUNDS);
    let histogram = measured::Histogram::with_metadata(thresholds);
    observations(tables, "measured, 11 classic buckets", values, |value| {
        black_box(&histogram).get_metric().observe(value);
    });
    let histogram = fast::histogram::Histogram::new(BOUNDS);
    observations(tables, "fastmetrics, 11 classic buckets", values, |value| {
        black_box(&histogram).observe(value);
    });
    let histogram = meter().f64_histogram("bench").with_boundaries(BOUNDS.to_vec()).build();
    observations(tables, "opentelemetry-prometheus, 11 classic buckets", values, |value| {
        black_box(&histogram).record(value, &[]);
    });
    observations(tables, "foundations, 11 classic buckets", values, |value| {
        service::latency().observe((value * 1e9) as u64);
    });
}

/// A family of counters of each library: hands over its name and how a series of three texts counts one.
fn families(mut each: impl FnMut(&str, &dyn Fn(&[String; 3]))) {
    let family = client::family::Family::<Vec<(String, String)>, client::counter::Counter>::default();
    each("prometheus-client", &|[a, b, c]| {
        let pair = |name: &str, value: &String| (name.to_owned(), value.clone());
        let labels = vec![pair("method", a), pair("path", b), pair("status", c)];
        family.get_or_create(&labels).inc();
    });
    let options = prometheus::Opts::new("bench", "Bench.");
    let vec = made(prometheus::IntCounterVec::new(options, &["method", "path", "status"]));
    each("prometheus", &|[a, b, c]| vec.with_label_values(&[a, b, c]).inc());
    facade();
    each("metrics", &|[a, b, c]| {
        let labels = [("method", a.clone()), ("path", b.clone()), ("status", c.clone())];
        metrics::counter!("bench_family", &labels).increment(1);
    });
    let vec = measured::CounterVec::<RequestSet>::new();
    each("measured", &|[a, b, c]| vec.inc(Request { method: a, path: b, status: c }));
    let family = fast::family::Family::<Labels, fast::counter::Counter>::default();
    each("fastmetrics", &|[a, b, c]| {
        let labels = Labels { method: a.clone(), path: b.clone(), status: c.clone() };
        family.with_or_new(&labels, |counter| {
            counter.inc();
        });
    });
    let counter = meter().u64_counter("bench").build();
    each("opentelemetry-prometheus (2,000 series at most)", &|[a, b, c]| {
        let pair = |name, value: &String| KeyValue::new(name, value.clone());
        counter.add(1, &[pair("method", a), pair("path", b), pair("status", c)]);
    });
    each("foundations", &|[a, b, c]| {
        service::requests(a, b, c).inc();
    });
}

/// Labels of `measured`, kept by an interner.
#[derive(Clone, Copy, measured::LabelGroup)]
#[label(set = RequestSet)]
struct Request<'a> {
    #[label(dynamic_with = measured::lasso::ThreadedRodeo, default)]
    method: &'a str,
    #[label(dynamic_with = measured::lasso::ThreadedRodeo, default)]
    path: &'a str,
    #[label(dynamic_with = measured::lasso::ThreadedRodeo, default)]
    status: &'a str,
}

/// Labels of `fastmetrics`.
#[derive(Clone, PartialEq, Eq, Hash, fastmetrics::derive::LabelSet)]
struct Labels {
    method: String,
    path: String,
    status: String,
}

pub(super) fn lookups(table: &mut Table, keys: &[[String; 3]]) {
    families(|name, inc| {
        keys.iter().for_each(inc);
        let figure = nanoseconds(keys.len() as u64, || keys.iter().for_each(inc));
        let ((), allocations) = allocated(|| keys.iter().take(1).for_each(inc));
        let remark = format!("{} allocations", allocations.calls);
        table.row_with(format!("{name}, three texts, {} series", keys.len()), figure, remark);
    });
}

pub(super) fn memory(table: &mut Table, keys: &[[String; 3]]) {
    families(|name, inc| {
        let ((), taken) = allocated(|| keys.iter().for_each(inc));
        table.row(name, taken.bytes_kept as f64 / keys.len() as f64);
    });
}
