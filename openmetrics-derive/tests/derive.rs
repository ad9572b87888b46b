//! What derived groups register and derived labels write.

use std::time::Duration;

use openmetrics::format::{Format, encode};
use openmetrics::instrument::{LabelEnum, SpanContext, StateSet};
use openmetrics::model::{MetricSet, MetricValue};
use openmetrics::{Counter, Family, Gauge, Histogram, LabelSet, LabelValue, Metrics, Registry};

#[derive(Clone, Copy, Debug, PartialEq, LabelValue)]
enum Outcome {
    Ok,
    NotFound,
    #[label(rename = "5xx")]
    ServerError,
}

#[derive(Clone, Copy, LabelValue)]
#[label(rename_all = "kebab-case")]
enum Phase {
    WarmUp,
    Running,
}

#[derive(LabelSet)]
struct Call<'a> {
    #[label(rename = "rpc")]
    method: &'a str,
    outcome: Outcome,
    retry: bool,
}

#[derive(LabelSet)]
struct Dense {
    phase: Phase,
    outcome: Outcome,
}

#[derive(LabelSet)]
#[label(rename_all = "camelCase")]
struct Generic<T> {
    some_value: T,
}

#[derive(Metrics)]
#[metrics(prefix = "app", labels(zone = "eu"))]
struct App {
    /// Calls made.
    ///
    /// This second paragraph is for readers of the code.
    calls: Family<Call<'static>, Counter>,
    /// Jobs that
    /// wait.
    #[metric(name = "queue_jobs")]
    queue: Gauge,
    #[metric(help = "Time a job takes.", unit = "seconds", buckets = [1, 2.5])]
    job: Histogram,
    /// Bytes read.
    #[metric(unit = "bytes")]
    read_bytes: Counter,
    /// What it does now.
    phase: StateSet<Phase>,
    #[metrics(flatten, prefix = "db")]
    db: Db,
    #[metrics(skip)]
    name: String,
}

#[derive(Metrics)]
struct Db {
    /// Queries sent.
    queries: Counter,
    #[metric(help = "Rows in a reply.", buckets = vec![10.0])]
    rows: Histogram,
}

#[test]
fn a_group_registers_every_field() {
    let registry = Registry::new();
    let app = App::register(&registry).unwrap();
    let method = String::from("Get");
    app.calls.with(Call { method: &method, outcome: Outcome::NotFound, retry: false }).inc();
    app.queue.set(-2);
    app.job.observe(2.0);
    app.read_bytes.inc_by(7);
    app.phase.set(Phase::WarmUp);
    app.db.queries.inc();
    app.db.rows.observe(11.0);
    assert_eq!(app.name, "");
    let mut page = Vec::new();
    assert!(encode(&registry, Format::OPENMETRICS_1_0, &mut page).is_clean());
    assert_eq!(
        String::from_utf8(page).unwrap(),
        "\
# TYPE app_calls counter
# HELP app_calls Calls made.
app_calls_total{zone=\"eu\",rpc=\"Get\",outcome=\"not_found\",retry=\"false\"} 1
# TYPE app_queue_jobs gauge
# HELP app_queue_jobs Jobs that wait.
app_queue_jobs{zone=\"eu\"} -2
# TYPE app_job_seconds histogram
# UNIT app_job_seconds seconds
# HELP app_job_seconds Time a job takes.
app_job_seconds_bucket{zone=\"eu\",le=\"1.0\"} 0
app_job_seconds_bucket{zone=\"eu\",le=\"2.5\"} 1
app_job_seconds_bucket{zone=\"eu\",le=\"+Inf\"} 1
app_job_seconds_count{zone=\"eu\"} 1
app_job_seconds_sum{zone=\"eu\"} 2.0
# TYPE app_read_bytes counter
# UNIT app_read_bytes bytes
# HELP app_read_bytes Bytes read.
app_read_bytes_total{zone=\"eu\"} 7
# TYPE app_phase stateset
# HELP app_phase What it does now.
app_phase{zone=\"eu\",app_phase=\"warm-up\"} 1
app_phase{zone=\"eu\",app_phase=\"running\"} 0
# TYPE app_db_queries counter
# HELP app_db_queries Queries sent.
app_db_queries_total{zone=\"eu\"} 1
# TYPE app_db_rows histogram
# HELP app_db_rows Rows in a reply.
app_db_rows_bucket{zone=\"eu\",le=\"10.0\"} 0
app_db_rows_bucket{zone=\"eu\",le=\"+Inf\"} 1
app_db_rows_count{zone=\"eu\"} 1
app_db_rows_sum{zone=\"eu\"} 11.0
# EOF
"
    );
}

#[test]
fn enums_are_dense() {
    assert_eq!(<Outcome as LabelEnum>::NAMES, ["ok", "not_found", "5xx"]);
    assert_eq!(Outcome::ServerError.ordinal(), 2);
    assert_eq!(Dense::CARDINALITY, Some(6));
    let all = [Phase::WarmUp, Phase::Running].map(|phase| {
        [Outcome::Ok, Outcome::NotFound, Outcome::ServerError]
            .map(|outcome| Dense { phase, outcome }.ordinal())
    });
    assert_eq!(all, [[0, 1, 2], [3, 4, 5]]);
    assert_eq!(Call::CARDINALITY, None, "text has no end of values");
}

#[test]
fn label_sets_may_be_generic() {
    assert_eq!(<Generic<u8> as openmetrics::LabelSet>::NAMES, ["someValue"]);
    assert_eq!(Generic { some_value: true }.ordinal(), 1);
}

#[derive(Metrics)]
struct Settings {
    /// Calls by tenant.
    #[metric(labels = ["tenant"], max_series = 2, idle_expiry = "15m", compact)]
    calls: Family<[&'static str; 1], Counter>,
    /// Sizes.
    #[metric(native(factor = 2, max_buckets = 100, zero_threshold = 0.5, min_reset = Duration::from_secs(60)))]
    sizes: Histogram,
    /// Without native buckets.
    #[metric(native = false, buckets = [1], thread_owned = false)]
    plain: Histogram,
    /// With exemplars of the span.
    #[metric(exemplars)]
    traced: Counter,
}

#[test]
fn settings_reach_their_metrics() {
    let registry = Registry::new();
    let settings = Settings::register(&registry).unwrap();
    for tenant in ["a", "b", "c", "d"] {
        settings.calls.with([tenant]).inc();
    }
    assert_eq!(settings.calls.with(["e"]).get(), 2, "c and d, beyond the limit");
    for value in [0.25, 3.0] {
        settings.sizes.observe(value);
        settings.plain.observe(value);
    }
    let span = SpanContext::from_hex("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7").unwrap();
    let entered = span.enter();
    settings.traced.inc();
    drop(entered);

    let (set, report) = MetricSet::collect_from(&registry);
    assert!(report.is_clean());
    let point = |name: &str| &set.family(name).unwrap().metrics[0].points[0];
    let MetricValue::Histogram(sizes) = &point("sizes").value else { panic!("no histogram") };
    let native = sizes.native.as_ref().expect("it has native buckets");
    assert_eq!((native.schema.number(), native.zero_threshold), (0, 0.5));
    assert_eq!(native.zero_count.as_u64(), Some(1));
    let MetricValue::Histogram(plain) = &point("plain").value else { panic!("no histogram") };
    assert_eq!(plain.native, None);
    assert_eq!(plain.classic.as_ref().map(Vec::len), Some(1));
    assert_eq!(point("traced").exemplars[0].labels.get("span_id"), Some("00f067aa0ba902b7"));
}

#[test]
fn a_clash_is_an_error_with_its_rule() {
    let registry = Registry::new();
    registry.gauge("app_calls_total", "In the way.").unwrap();
    let error = App::register(&registry).map(|_| ()).unwrap_err();
    assert_eq!(error.rule(), Some("OM1-FAM-04"));
}
