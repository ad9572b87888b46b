//! How something is distributed: latencies with a timer, sizes by hand.
//!
//!     cargo run --example histogram_and_timer -p openmetrics-examples

use openmetrics::format::{Format, encode};
use openmetrics::instrument::{Histogram, exponential_buckets};
use openmetrics::model::Unit;
use openmetrics::registry::Registry;

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();

    let sizes: Histogram = registry
        .metric("upload_bytes", "Sizes of uploads.")
        .unit(Unit::BYTES)
        .buckets(exponential_buckets(1024.0, 16.0, 4))
        .register()?;
    for size in [100.0, 2_000.0, 30_000.0, 400_000.0] {
        sizes.observe(size);
    }

    // A minute and an hour are the bounds that matter to us here; durations are measured in seconds.
    let latency: Histogram = registry
        .metric("job_duration_seconds", "How long jobs take.")
        .unit(Unit::SECONDS)
        .buckets([60.0, 3600.0])
        .register()?;

    let timer = latency.start_timer(); // observes when it is dropped, or here:
    timer.stop();
    let answer = latency.time(|| 6 * 7);
    let cancelled = latency.start_timer();
    cancelled.discard(); // what should not count does not
    assert_eq!((answer, latency.count()), (42, 2));

    // The sum of the timings is another one at each run, so only the sizes are shown.
    registry.unregister("job_duration_seconds");
    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    print!("{}", String::from_utf8_lossy(&page));
    Ok(())
}

// Output:
// # TYPE upload_bytes histogram
// # UNIT upload_bytes bytes
// # HELP upload_bytes Sizes of uploads.
// upload_bytes_bucket{le="1024.0"} 1
// upload_bytes_bucket{le="16384.0"} 2
// upload_bytes_bucket{le="262144.0"} 3
// upload_bytes_bucket{le="4.194304e+06"} 4
// upload_bytes_bucket{le="+Inf"} 4
// upload_bytes_count 4
// upload_bytes_sum 432100.0
// # EOF
