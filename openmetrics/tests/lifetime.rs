//! How long series live: limits, expiry and guards.

#![cfg(feature = "derive")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openmetrics::format::{Format, encode};
use openmetrics::instrument::SeriesGuard;
use openmetrics::{Counter, Family, Gauge, LabelSet, LabelValue, Registry};

type Requests = Family<[&'static str; 2], Counter>;

fn scrape(registry: &Registry) -> BTreeMap<String, u64> {
    let mut page = Vec::new();
    let report = encode(registry, Format::TEXT_0_0_4, &mut page);
    assert_eq!(report.refusals().len(), 0, "{report:?}");
    let page = String::from_utf8(page).unwrap();
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn what_is_beyond_the_limit_is_counted_together() {
    for compact in [false, true] {
        let registry = Registry::new();
        let requests: Requests = registry
            .scope("app")
            .metric("requests", "Requests.")
            .labels(["host", "path"])
            .compact(compact)
            .max_series(2)
            .register()
            .unwrap();
        for path in ["/a", "/b", "/c", "/d", "/a", "/c"] {
            requests.with(["x", path]).inc();
        }
        requests.with(["overflow", "overflow"]).inc_by(10);
        let expected = [
            (r#"app_requests_total{host="overflow",path="overflow"}"#, 13),
            (r#"app_requests_total{host="x",path="/a"}"#, 2),
            (r#"app_requests_total{host="x",path="/b"}"#, 1),
            (r#"openmetrics_series_overflow_total{family="app_requests"}"#, 4),
        ];
        assert_eq!(scrape(&registry), expected.map(|(series, value)| (series.to_owned(), value)).into());
        assert_eq!(requests.len(), 2);

        // There is room again.
        requests.remove(["x", "/a"]);
        requests.with(["x", "/c"]).inc();
        assert_eq!(scrape(&registry)[r#"app_requests_total{host="x",path="/c"}"#], 1);
        requests.clear();
        assert_eq!(requests.len(), 0);
        requests.with(["x", "/d"]).inc();
        requests.with(["x", "/e"]).inc();
        requests.with(["x", "/f"]).inc_by(3);
        assert_eq!(requests.len(), 2);
        assert_eq!(scrape(&registry)[r#"app_requests_total{host="overflow",path="overflow"}"#], 3);
    }
}

#[derive(LabelValue, Clone, Copy)]
enum Kind {
    New,
    Old,
}

#[derive(LabelSet)]
struct OfKind {
    kind: Kind,
}

#[test]
fn enums_have_a_limit_of_their_own() {
    let registry = Registry::new();
    let kinds: Family<OfKind, Counter> = registry.metric("kinds", "").max_series(1).register().unwrap();
    kinds.with(OfKind { kind: Kind::New }).inc();
    kinds.with(OfKind { kind: Kind::Old }).inc();
    assert_eq!(kinds.len(), 2);
}

#[test]
fn limits_are_for_families() {
    let registry = Registry::new();
    let error = registry.metric("a", "").max_series(1).register::<Counter>().unwrap_err();
    assert!(
        error.to_string().contains("a limit of series is given for a metric that has no labels"),
        "{error}"
    );
    let error = registry.metric("a", "").compact(true).register::<Gauge>().unwrap_err();
    assert!(error.to_string().contains("compact series are given"), "{error}");
    let error = registry.metric("a", "").idle_expiry(Duration::ZERO).register::<Gauge>().unwrap_err();
    assert!(error.to_string().contains("an expiry of idle series is given"), "{error}");
}

#[test]
fn idle_series_go_and_those_in_use_stay() {
    for compact in [false, true] {
        let registry = Registry::new();
        let requests: Requests = registry
            .metric("requests", "Requests.")
            .labels(["host", "path"])
            .compact(compact)
            .idle_expiry(Duration::ZERO) // every scrape is long enough
            .register()
            .unwrap();
        let kept = requests.handle(["x", "/handle"]);
        let guarded = requests.guard(["x", "/guard"]);
        requests.with(["x", "/once"]).inc();
        let now = || scrape(&registry).into_keys().collect::<Vec<_>>();
        let series = |path: &str| format!("requests_total{{host=\"x\",path=\"/{path}\"}}");
        now();
        requests.with(["x", "/busy"]).inc();
        assert_eq!(
            now(),
            ["busy", "guard", "handle"].map(series),
            "once was not looked up since the last scrape"
        );
        requests.with(["x", "/busy"]).inc();
        assert_eq!(now(), ["busy", "guard", "handle"].map(series));
        assert_eq!(now(), ["guard", "handle"].map(series));
        drop((kept, guarded));
        now();
        assert_eq!(now(), [""; 0]);
        requests.with(["x", "/once"]).inc();
        assert_eq!(scrape(&registry)[&series("once")], 1, "a series that comes back begins anew");
    }
}

#[test]
fn idle_series_go_though_nobody_scrapes() {
    for compact in [false, true] {
        let registry = Registry::new();
        let requests: Family<[u64; 1], Counter> = registry
            .metric("requests", "Requests.")
            .labels(["id"])
            .compact(compact)
            .idle_expiry(Duration::ZERO)
            .register()
            .unwrap();
        for id in 0..10_000 {
            requests.with([id]).inc();
            assert!(requests.len() <= 3, "{}", requests.len());
        }
    }
}

#[test]
fn the_last_guard_takes_the_series_with_it() {
    for compact in [false, true] {
        let registry = Registry::new();
        let open: Family<[&str; 1], Gauge> =
            registry.metric("open", "Open files.").labels(["peer"]).compact(compact).register().unwrap();
        let guard: SeriesGuard<Gauge> = open.guard(["a"]);
        let other = open.guard(["a"]);
        guard.inc();
        other.inc();
        assert_eq!(open.with(["a"]).get(), 2);
        drop(guard);
        assert_eq!(open.len(), 1);

        // Removed and made anew by somebody else, it is not the guard's any more.
        open.remove(["a"]);
        open.with(["a"]).set(7);
        drop(other);
        assert_eq!(open.get(["a"]).map(|gauge| gauge.get()), Some(7));
    }
}

#[test]
fn guards_of_what_overflows_leave_it() {
    for compact in [false, true] {
        let registry = Registry::new();
        let open: Family<[&str; 1], Gauge> = registry
            .metric("open", "Open files.")
            .labels(["peer"])
            .compact(compact)
            .max_series(1)
            .register()
            .unwrap();
        let _first = open.guard(["a"]);
        drop(open.guard(["b"]));
        assert_eq!(scrape(&registry)[r#"open{peer="overflow"}"#], 0);
    }
}

/// Threads make, guard, count in and expire series of one limited family, while it is scraped: at the end what was counted is there,
/// and only that.
#[test]
fn lives_end_while_others_begin() {
    for compact in [false, true] {
        let registry = Registry::new();
        let requests: Family<[u64; 1], Counter> = registry
            .metric("requests", "Requests.")
            .labels(["id"])
            .compact(compact)
            .idle_expiry(Duration::ZERO)
            .max_series(20)
            .register()
            .unwrap();
        let steady = requests.handle([0]);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let counting: Vec<_> = (1..=3_u64)
                .map(|thread| {
                    let (requests, steady) = (requests.clone(), steady.clone());
                    scope.spawn(move || {
                        for n in 0..20_000 {
                            requests.with([thread * 1000 + n % 30]).inc();
                            let guard = requests.guard([n % 5 + 1]);
                            guard.inc();
                            steady.inc();
                        }
                    })
                })
                .collect();
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    scrape(&registry);
                }
            });
            for thread in counting {
                thread.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(steady.get(), 60_000);
        assert_eq!(scrape(&registry)[r#"requests_total{id="0"}"#], 60_000);
        scrape(&registry);
        assert_eq!(requests.len(), 1, "all guards are gone, and all others idle");
    }
}
