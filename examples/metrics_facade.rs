//! Libraries that use the `metrics` facade are on the same page as everything else.
//!
//!     cargo run --example metrics_facade -p openmetrics-examples

use openmetrics::Registry;
use openmetrics::facade::Recorder;
use openmetrics::format::{Format, encode};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let ours = registry.counter("app_starts", "Times that the program was started.")?;
    Recorder::new(&registry)?.with_buckets("db.query_seconds", [0.01, 0.1]).install()?;

    ours.inc();
    some_library();

    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    print!("{}", String::from_utf8_lossy(&page));
    Ok(())
}

/// Knows nothing of OpenMetrics.
fn some_library() {
    metrics::describe_histogram!("db.query_seconds", metrics::Unit::Seconds, "Time that a query takes.");
    metrics::counter!("db.queries_total", "table" => "users").increment(2);
    metrics::gauge!("db.connections").set(5.0);
    metrics::histogram!("db.query_seconds").record(0.05);
}

// Output:
// # TYPE app_starts counter
// # HELP app_starts Times that the program was started.
// app_starts_total 1
// # TYPE db_queries counter
// db_queries_total{table="users"} 2
// # TYPE db_connections gauge
// db_connections 5.0
// # TYPE db_query_seconds histogram
// # UNIT db_query_seconds seconds
// # HELP db_query_seconds Time that a query takes.
// db_query_seconds_bucket{le="0.01"} 0
// db_query_seconds_bucket{le="0.1"} 1
// db_query_seconds_bucket{le="+Inf"} 1
// db_query_seconds_count 1
// db_query_seconds_sum 0.05
// # EOF
