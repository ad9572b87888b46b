//! What instruments and registries show, text against text, and what they refuse.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openmetrics::format::{Format, encode};
use openmetrics::instrument::{
    Counter, Family, Gauge, Histogram, LabelEnum, LabelSet, LabelValue, LabelWriter, StateSet, Summary,
};
use openmetrics::model::{
    Collected, Collector, Descriptor, Emitter, Labels, MetricPoint, MetricSet, MetricType, MetricValue, Unit,
};
use openmetrics::registry::Registry;
use openmetrics::{Error, label_value_from_enum};
use quickcheck::{Arbitrary, Gen, quickcheck};

fn text(registry: &Registry) -> String {
    let mut out = Vec::new();
    let report = encode(registry, Format::TEXT_0_0_4, &mut out);
    assert!(report.is_clean(), "{report:?}");
    String::from_utf8(out).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    Get,
    Put,
}
impl LabelEnum for Method {
    const NAMES: &'static [&'static str] = &["GET", "PUT"];
    fn index(self) -> usize {
        self as usize
    }
}
label_value_from_enum!(Method);

struct Request<'a> {
    method: Method,
    path: &'a str,
    status: u16,
}
impl LabelSet for Request<'_> {
    type Owner = Request<'static>;
    const NAMES: &'static [&'static str] = &["method", "path", "status"];
    fn write(&self, to: &mut LabelWriter) {
        self.method.write(to);
        self.path.write(to);
        self.status.write(to);
    }
}

struct Cached {
    method: Method,
    hit: bool,
}
impl LabelSet for Cached {
    type Owner = Self;
    const NAMES: &'static [&'static str] = &["method", "hit"];
    const CARDINALITY: Option<usize> = Some(4);
    fn ordinal(&self) -> usize {
        self.method.ordinal() * 2 + self.hit.ordinal()
    }
    fn write(&self, to: &mut LabelWriter) {
        self.method.write(to);
        self.hit.write(to);
    }
}

#[test]
fn a_page_of_everything() -> Result<(), Error> {
    let registry = Registry::new();
    registry.counter("app_requests", "Requests served.")?.inc_by(3);
    let busy: Counter<f64> =
        registry.metric("app_busy_seconds_total", "Time spent.").unit(Unit::SECONDS).register()?;
    busy.inc_by(0.5);
    busy.inc_by(-1.0);
    busy.inc_by(f64::NAN);
    registry.gauge("app_queued", "Jobs that wait.")?.dec();
    let air: Gauge<f64> = registry.metric("app_air_celsius", "Air.").unit(Unit::CELSIUS).register()?;
    air.set(20.5);
    air.set_max(19.0);
    let latency: Histogram =
        registry.metric("app_latency_seconds", "Latency.").buckets([0.1, 1.0]).register()?;
    latency.observe(0.1);
    latency.observe(0.5);
    latency.observe_duration(Duration::from_secs(2));
    registry.info("app_build_info", "Build.", [("version", "1.2.3")])?;
    let phase: StateSet<Method> = registry.metric("app_method", "Method in use.").register()?;
    phase.set(Method::Put);
    registry.metric("app_answer", "Of everything.").gauge_callback(|| 42_u64)?;

    let scope = registry.scope("db").with_labels([("shard", "7")])?;
    let requests: Family<Request<'static>, Counter> = scope.counter_family("requests", "By request.")?;
    let path = String::from("/a\"b");
    requests.with(Request { method: Method::Get, path: &path, status: 200 }).inc();
    requests.handle(Request { method: Method::Put, path: "/", status: 404 }).inc_by(2);
    let cached: Family<Cached, Gauge> = scope.gauge_family("cached", "By enum.")?;
    cached.with(Cached { method: Method::Put, hit: true }).set(7);

    let expected = r#"# HELP app_requests_total Requests served.
# TYPE app_requests_total counter
app_requests_total 3
# HELP app_busy_seconds_total Time spent.
# TYPE app_busy_seconds_total counter
app_busy_seconds_total 0.5
# HELP app_queued Jobs that wait.
# TYPE app_queued gauge
app_queued -1
# HELP app_air_celsius Air.
# TYPE app_air_celsius gauge
app_air_celsius 20.5
# HELP app_latency_seconds Latency.
# TYPE app_latency_seconds histogram
app_latency_seconds_bucket{le="0.1"} 1
app_latency_seconds_bucket{le="1"} 2
app_latency_seconds_bucket{le="+Inf"} 3
app_latency_seconds_sum 2.6
app_latency_seconds_count 3
# HELP app_build_info Build.
# TYPE app_build_info gauge
app_build_info{version="1.2.3"} 1
# HELP app_method Method in use.
# TYPE app_method gauge
app_method{app_method="GET"} 0
app_method{app_method="PUT"} 1
# HELP app_answer Of everything.
# TYPE app_answer gauge
app_answer 42
# HELP db_requests_total By request.
# TYPE db_requests_total counter
db_requests_total{shard="7",method="GET",path="/a\"b",status="200"} 1
db_requests_total{shard="7",method="PUT",path="/",status="404"} 2
# HELP db_cached By enum.
# TYPE db_cached gauge
db_cached{shard="7",method="PUT",hit="true"} 7
"#;
    assert_eq!(text(&registry), expected.replace("a\"b", "a\\\"b"));
    Ok(())
}

#[test]
fn registration_says_which_rule_is_broken() {
    let registry = Registry::new();
    registry.counter("a", "").unwrap();
    registry.gauge("b_total", "").unwrap();
    let scope = registry.with_labels([("zone", "z")]).unwrap();
    let family = |labels: &'static [&'static str]| {
        registry
            .metric("c", "")
            .labels(labels.iter().copied())
            .register::<Family<[&str; 2], Histogram>>()
            .map(|_| ())
    };
    let cases: Vec<(Result<(), Error>, &str)> = vec![
        (
            registry.counter("a b", "").map(|_| ()),
            r#""a b" is not a metric name: ' ' at byte 1 is not allowed [OM1-SYN-07]"#,
        ),
        (registry.gauge("", "").map(|_| ()), "a metric name is empty [OM1-SYN-07]"),
        (
            registry.gauge("_a", "").map(|_| ()),
            r#"family name "_a" begins with an underscore, which is reserved [OM1-FAM-02]"#,
        ),
        (
            registry.counter("a_total", "").map(|_| ()),
            r#"family "a": there is a family "a" already [OM1-FAM-01]"#,
        ),
        (
            registry.counter("b", "").map(|_| ()),
            r#"family "b": its sample name "b_total" clashes with family "b_total" [OM1-FAM-04]"#,
        ),
        (
            registry.metric("lag", "").unit(Unit::SECONDS).register::<Gauge>().map(|_| ()),
            r#"family "lag" has unit "seconds", so its name has to end in it: lag_seconds [OM1-FAM-11]"#,
        ),
        (family(&["x"]), "1 label names are given for 2 label values [OM1-LAB-02]"),
        (family(&["x", "x"]), r#"family "c": label "x" is given twice [OM1-LAB-02]"#),
        (family(&["x", "le"]), r#"family "c": label "le" is reserved for buckets [OM2-HIS-08]"#),
        (
            family(&["x", "__y"]),
            r#"family "c": label "__y" begins with underscores, which are reserved [OM1-LAB-01]"#,
        ),
        (family(&["x", "y-z"]), r#""y-z" is not a label name: '-' at byte 1 is not allowed [OM1-SYN-08]"#),
        (
            scope.metric("d", "").labels(["zone"]).register::<Family<[&str; 1], Counter>>().map(|_| ()),
            r#"family "d": label "zone" is given twice [OM1-LAB-02]"#,
        ),
        (
            scope.info("d", "", [("zone", "y")]).map(|_| ()),
            r#"family "d": label "zone" is given twice [OM1-LAB-02]"#,
        ),
        (
            scope.with_labels([("zone", "y")]).map(|_| ()),
            r#"label "zone" is given twice in one label set [OM1-LAB-02]"#,
        ),
        (
            registry.metric("e", "").buckets([1.0, 1.0]).register::<Histogram>().map(|_| ()),
            "bucket bounds have to rise, but 1 follows 1 [OM1-HIS-01]",
        ),
        (
            registry.metric("e", "").buckets([1.0, f64::INFINITY]).register::<Histogram>().map(|_| ()),
            "a bucket bound is inf; +Inf is there anyway [OM1-HIS-01]",
        ),
        (
            registry.metric("e", "").buckets([1.0]).register::<Counter>().map(|_| ()),
            "buckets are given for a metric that is no histogram [OM1-HIS-01]",
        ),
        (
            registry.metric("e", "").labels(["x"]).register::<Counter>().map(|_| ()),
            "label names are given for a metric that has no labels; make it a family [OM1-LAB-02]",
        ),
    ];
    for (result, expected) in cases {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
    assert_eq!(
        registry.metric("a.b", "").utf8_name().register::<Gauge>().map(|_| ()).map_err(|e| e.to_string()),
        Ok(())
    );
}

#[test]
fn unregistered_names_are_free_again() {
    let registry = Registry::new();
    let first = registry.counter("a", "").unwrap();
    assert!(registry.unregister("a_total"));
    assert!(!registry.unregister("a"));
    first.inc();
    assert_eq!(text(&registry), "");
    registry.gauge("a_total", "").unwrap();
    assert!(!registry.unregister("a"));
}

struct Broken(AtomicBool);
static SEEN: Descriptor = Descriptor::literal("seen", MetricType::Gauge, "");
impl Collector for Broken {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        out.value(&SEEN, 1_u64);
        assert!(!self.0.load(Ordering::Relaxed), "no {}", "disk");
        Err("no network".into())
    }
    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        families(&SEEN);
    }
}

#[test]
fn a_broken_collector_leaves_the_rest_alone() {
    let registry = Registry::new();
    registry.counter("before", "").unwrap();
    let id = registry.scope("x").register_collector("broken", Broken(AtomicBool::new(true))).unwrap();
    registry.register_collector("failing", Broken(AtomicBool::new(false))).unwrap();
    registry.metric("asked", "").gauge_callback(|| -> u64 { panic!("nobody knows") }).unwrap();
    registry.counter("after", "").unwrap();
    assert_eq!(
        registry.gauge("x_seen", "").unwrap_err().rule(),
        Some("OM1-FAM-01"),
        "described names are taken"
    );

    let (set, report) = MetricSet::collect_from(&registry);
    let names: Vec<_> = set.families.iter().map(|f| f.descriptor.name().as_str()).collect();
    assert_eq!(names, ["before", "x_seen", "seen", "after", "openmetrics_collector_failures"]);
    let failures: Vec<_> = report.failures().collect();
    assert_eq!(
        failures,
        [("broken", "panicked: no disk"), ("failing", "no network"), ("asked", "panicked: nobody knows")]
    );
    let counted = &set.families[4].metrics;
    assert_eq!(
        counted.iter().map(|m| m.labels.get("collector").unwrap()).collect::<Vec<_>>(),
        ["broken", "failing", "asked"]
    );

    assert!(registry.unregister_collector(id));
    assert!(registry.gauge("x_seen", "").is_ok());
}

#[test]
fn registries_nest_but_not_in_themselves() {
    let inner = Registry::new();
    inner.scope("db").with_labels([("shard", "1")]).unwrap().counter("queries", "").unwrap().inc();
    let outer = Registry::new();
    let scope = outer.scope("app").with_labels([("zone", "z")]).unwrap();
    scope.register_collector("inner", inner.clone()).unwrap();
    assert_eq!(
        text(&outer),
        "# TYPE app_db_queries_total counter\napp_db_queries_total{zone=\"z\",shard=\"1\"} 1\n"
    );
    let looping = Registry::new();
    looping.register_collector("itself", looping.clone()).unwrap();
    let (_, report) = MetricSet::collect_from(&looping);
    assert_eq!(report.failures().collect::<Vec<_>>(), [("itself", "a registry is registered in itself")]);
}

/// What somebody does to a family.
#[derive(Clone, Debug)]
enum Step {
    Inc(u8, bool),
    Keep(u8),
    IncKept(u8),
    Remove(u8),
    RemoveOdd,
    Clear,
}
impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let key = u8::arbitrary(g) % 100;
        match u8::arbitrary(g) % 40 {
            0 => Self::Clear,
            1 => Self::RemoveOdd,
            2..=8 => Self::Remove(key),
            9..=12 => Self::Keep(key),
            13..=16 => Self::IncKept(key),
            _ => Self::Inc(key, bool::arbitrary(g)),
        }
    }
}

fn key_text(key: u8) -> String {
    format!("{key}-{}", "x".repeat(usize::from(key) * 3))
}

quickcheck! {
    /// Beside a map: whatever is removed and made anew, nothing is mixed up and kept handles stay what they were.
    fn a_family_is_a_map(steps: Vec<Step>) -> bool {
        let registry = Registry::new();
        let family: Family<[&str; 2], Counter> = registry.metric("a", "").labels(["k", "odd"]).register().unwrap();
        let mut model: BTreeMap<u8, u64> = BTreeMap::new();
        let mut kept: BTreeMap<u8, (Counter, u64, bool)> = BTreeMap::new();
        let odd = |key: u8| if key % 2 == 1 { "y" } else { "n" };
        for step in steps {
            match step {
                Step::Inc(key, by_handle) => {
                    let text = key_text(key);
                    if by_handle { family.handle([&*text, odd(key)]).inc(); } else { family.with([&*text, odd(key)]).inc(); }
                    *model.entry(key).or_default() += 1;
                    if let Some((_, count, true)) = kept.get_mut(&key) { *count += 1; }
                }
                Step::Keep(key) => {
                    let handle = family.handle([&*key_text(key), odd(key)]);
                    let count = *model.entry(key).or_default();
                    kept.insert(key, (handle, count, true));
                }
                Step::IncKept(key) => if let Some((handle, count, alive)) = kept.get_mut(&key) {
                    handle.inc();
                    *count += 1;
                    if *alive { *model.get_mut(&key).unwrap() += 1; }
                }
                Step::Remove(key) => {
                    assert_eq!(family.remove([&*key_text(key), odd(key)]), model.remove(&key).is_some());
                    if let Some((_, _, alive)) = kept.get_mut(&key) { *alive = false; }
                }
                Step::RemoveOdd => {
                    let removed = family.remove_matching(|labels| labels.get("odd").as_deref() == Some("y"));
                    let before = model.len();
                    model.retain(|key, _| key % 2 == 0);
                    assert_eq!(removed, before - model.len());
                    for (key, (_, _, alive)) in &mut kept { *alive &= key % 2 == 0; }
                }
                Step::Clear => {
                    family.clear();
                    model.clear();
                    for (_, _, alive) in kept.values_mut() { *alive = false; }
                }
            }
            assert!(kept.values().all(|(handle, count, _)| handle.get() == *count));
        }
        assert_eq!(family.len(), model.len());
        let (set, report) = MetricSet::collect_from(&registry);
        assert!(report.is_clean());
        let shown: BTreeMap<String, u64> = set.families[0].metrics.iter().map(|metric| {
            let MetricPoint { value: MetricValue::Number(number), .. } = &metric.points[0] else { panic!() };
            (metric.labels.get("k").unwrap().to_owned(), number.as_u64().unwrap())
        }).collect();
        shown == model.into_iter().map(|(key, count)| (key_text(key), count)).collect()
    }
}

#[test]
fn nothing_is_lost_while_series_come_and_go() {
    // As many as a build without optimisation does in a second; for a longer run, in release, INCREMENTS says how many.
    let per_thread: u64 = std::env::var("INCREMENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let registry = Registry::new();
    let requests: Family<[&str; 1], Counter> = registry.metric("a", "").labels(["k"]).register().unwrap();
    let dense: Family<Cached, Counter> = registry.counter_family("b", "").unwrap();
    let latency: Histogram = registry.metric("c", "").buckets([0.5, 1.5]).register().unwrap();
    let kept = requests.handle(["kept"]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4_u64)
            .map(|worker| {
                let (requests, dense, latency, kept) = (&requests, &dense, &latency, &kept);
                scope.spawn(move || {
                    for i in 0..per_thread {
                        requests.with(["found"]).inc();
                        kept.inc();
                        dense.with(Cached { method: Method::Put, hit: true }).inc();
                        latency.observe((i % 3) as f64);
                        if i % 64 == 0 {
                            let name = format!("{worker}-{}", i / 64 % 50);
                            requests.with([&name]).inc();
                            requests.remove([&name]);
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let (set, report) = MetricSet::collect_from(&registry);
                assert!(report.is_clean(), "{report:?}");
                for metric in
                    set.families[0].metrics.iter().filter(|m| m.labels.get("k").unwrap().contains('-'))
                {
                    let MetricValue::Number(count) = &metric.points[0].value else { panic!() };
                    assert!(count.as_f64() <= 1.0, "a series that is counted once is never another one");
                }
                let MetricValue::Histogram(histogram) = &set.families[2].metrics[0].points[0].value else {
                    panic!()
                };
                let last = histogram.classic.as_ref().unwrap().last().unwrap();
                assert!(last.count.as_f64() <= histogram.count.as_f64());
                let native = histogram.native.as_ref().unwrap().borrow();
                let sides = native.positive.buckets().chain(native.negative.buckets());
                let counted: f64 = sides.map(|(_, count)| count.as_f64()).sum();
                assert_eq!(counted + native.zero_count.as_f64(), histogram.count.as_f64());
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(requests.with(["found"]).get(), 4 * per_thread);
    assert_eq!(kept.get(), 4 * per_thread);
    assert_eq!(dense.with(Cached { method: Method::Put, hit: true }).get(), 4 * per_thread);
    assert_eq!(latency.count(), 4 * per_thread);
    assert_eq!(requests.len(), 2);
    let mut seen = 0;
    requests.remove_matching(|labels: &Labels<'_>| {
        seen += 1;
        labels.get("k").as_deref() == Some("found")
    });
    assert_eq!((seen, requests.len()), (2, 1));
}

#[test]
fn quantiles_of_a_window() {
    let registry = Registry::new();
    let minutes = Duration::from_secs(600);
    let latency: Summary =
        registry.metric("latency", "Time.").quantiles([0.99, 0.5, 0.5], minutes).register().unwrap();
    let empty = text(&registry);
    assert!(empty.contains("latency{quantile=\"0.5\"} NaN\nlatency{quantile=\"0.99\"} NaN\n"), "{empty}");
    for n in 1..=100 {
        latency.observe(f64::from(n));
    }
    let (set, _) = MetricSet::collect_from(&registry);
    let MetricValue::Summary(summary) = &set.families[0].metrics[0].points[0].value else {
        panic!("no summary")
    };
    for (found, (quantile, exact)) in summary.quantiles.iter().zip([(0.5, 50.0), (0.99, 99.0)]) {
        assert_eq!(found.quantile, quantile);
        assert!((found.value.as_f64() - exact).abs() <= 0.02 * exact, "{found:?}");
    }
    assert_eq!((latency.count(), latency.sum()), (100, 5050.0));
    latency.reset();
    assert!(text(&registry).contains("latency{quantile=\"0.5\"} NaN"));
    assert!(registry.metric("other", "").quantiles([1.5], minutes).register::<Summary>().is_err());
}
