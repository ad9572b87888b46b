//! What only rises is a counter, what goes up and down is a gauge, and what can be read at a scrape needs neither.
//!
//!     cargo run --example counters_and_gauges -p openmetrics-examples

use std::sync::{Arc, Mutex};

use openmetrics::format::{Format, encode};
use openmetrics::instrument::{Counter, Gauge};
use openmetrics::model::Unit;
use openmetrics::registry::Registry;

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();

    // A name comes without `_total`: that is how some formats write a counter, not what it is called.
    let jobs = registry.counter("jobs", "Jobs done.")?;
    jobs.inc();
    jobs.inc_by(41);

    // Counters and gauges count in integers unless told otherwise. With a unit, the name has to end in it.
    let busy: Counter<f64> =
        registry.metric("busy_seconds", "Time spent on jobs.").unit(Unit::SECONDS).register()?;
    busy.inc_by(0.25);

    let temperature: Gauge<f64> = registry.metric("temperature_celsius", "Of the room.").register()?;
    temperature.set(20.5);

    // A guard counts as long as it lives, whichever way the function is left.
    let running = registry.gauge("jobs_running", "Jobs being done now.")?;
    let job = running.in_flight();

    // Read when somebody asks, so it cannot be out of date.
    let queue = Arc::new(Mutex::new(vec!["a", "b", "c"]));
    let seen = Arc::clone(&queue);
    let length = move || seen.lock().map_or(0, |queue| queue.len() as u64);
    registry.metric("queue_jobs", "Jobs that wait.").gauge_callback(length)?;

    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    print!("{}", String::from_utf8_lossy(&page));
    drop(job);
    Ok(())
}

// Output:
// # TYPE jobs counter
// # HELP jobs Jobs done.
// jobs_total 42
// # TYPE busy_seconds counter
// # UNIT busy_seconds seconds
// # HELP busy_seconds Time spent on jobs.
// busy_seconds_total 0.25
// # TYPE temperature_celsius gauge
// # HELP temperature_celsius Of the room.
// temperature_celsius 20.5
// # TYPE jobs_running gauge
// # HELP jobs_running Jobs being done now.
// jobs_running 1
// # TYPE queue_jobs gauge
// # HELP queue_jobs Jobs that wait.
// queue_jobs 3
// # EOF
