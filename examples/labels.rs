//! A family has one metric for each label set. The call site borrows: nothing is allocated to find a metric.
//!
//!     cargo run --example labels -p openmetrics-examples

use openmetrics::format::{Format, encode};
use openmetrics::{Counter, Family, LabelSet, LabelValue, Registry};

/// Few and known: found by number, without hashing.
#[derive(Clone, Copy, LabelValue)]
#[label(rename_all = "UPPERCASE")]
enum Method {
    Get,
    Put,
}

/// The labels of a request.
#[derive(LabelSet)]
struct Request<'a> {
    method: Method,
    path: &'a str,
    status: u16,
}

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();
    let requests: Family<Request<'static>, Counter> =
        registry.metric("http_requests", "Requests served.").register()?;

    let path = String::from("/items");
    requests.with(Request { method: Method::Get, path: &path, status: 200 }).inc();
    requests.with(Request { method: Method::Put, path: &path, status: 201 }).inc_by(2);

    // A handle costs at each use what a metric without labels costs; for loops and for hot paths.
    let home = requests.handle(Request { method: Method::Get, path: "/", status: 200 });
    for _ in 0..1000 {
        home.inc();
    }

    // Arrays are label sets too, when a type of its own is too much; then the names are given here.
    let cache: Family<[&str; 1], Counter> =
        registry.metric("cache_lookups", "Lookups in the cache.").labels(["result"]).register()?;
    cache.with(["hit"]).inc_by(3);
    cache.with(["miss"]).inc();

    // What is gone should not be shown for ever.
    requests.remove(Request { method: Method::Put, path: &path, status: 201 });
    cache.remove_matching(|labels| labels.get("result").as_deref() == Some("miss"));

    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    print!("{}", String::from_utf8_lossy(&page));
    Ok(())
}

// Output:
// # TYPE http_requests counter
// # HELP http_requests Requests served.
// http_requests_total{method="GET",path="/items",status="200"} 1
// http_requests_total{method="GET",path="/",status="200"} 1000
// # TYPE cache_lookups counter
// # HELP cache_lookups Lookups in the cache.
// cache_lookups_total{result="hit"} 3
// # EOF
