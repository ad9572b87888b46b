//! A native histogram: buckets that nobody has to choose, as many as are in use, in one series.
//!
//!     cargo run --example native_histogram -p openmetrics-examples

use openmetrics::format::{Format, encode};
use openmetrics::instrument::Native;
use openmetrics::{Histogram, Registry};

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();
    let latency: Histogram = registry
        .metric("latency_seconds", "Time to first byte.")
        .native(Native::new().with_factor(2.0).with_max_buckets(8)) // coarse, so that the page is short
        .buckets([0.1, 1.0]) // for whoever can read no native buckets
        .register()?;
    for value in [0.03, 0.04, 0.2, 0.21, 0.5, 3.0] {
        latency.observe(value);
    }
    show(&registry);

    // More buckets than the limit: the resolution gives way, and nothing is lost.
    for exponent in -20..20 {
        latency.observe(2_f64.powi(exponent));
    }
    show(&registry);
    Ok(())
}

fn show(registry: &Registry) {
    for format in [Format::OPENMETRICS_2_0, Format::OPENMETRICS_1_0] {
        let mut page = Vec::new();
        encode(registry, format, &mut page);
        let page = String::from_utf8_lossy(&page);
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            println!("{}", without_start(line));
        }
    }
    println!();
}

/// Since when it counts, which is now, at the end of a line of OpenMetrics 2.0.
fn without_start(line: &str) -> &str {
    line.split_once(" st@").map_or(line, |(sample, _)| sample)
}

// Output:
// latency_seconds {count:6,sum:3.98,schema:0,zero_threshold:2.938735877055719e-39,zero_count:0,positive_spans:[-5:8],positive_buckets:[1,1,0,2,1,0,0,1],bucket:[0.1:2,1.0:5,+Inf:6]}
// latency_seconds_bucket{le="0.1"} 2
// latency_seconds_bucket{le="1.0"} 5
// latency_seconds_bucket{le="+Inf"} 6
// latency_seconds_count 6
// latency_seconds_sum 3.98
//
// latency_seconds {count:46,sum:1.0485799799990463e+06,schema:-3,zero_threshold:2.938735877055719e-39,zero_count:0,positive_spans:[-2:6],positive_buckets:[5,8,13,9,8,3],bucket:[0.1:19,1.0:26,+Inf:46]}
// latency_seconds_bucket{le="0.1"} 19
// latency_seconds_bucket{le="1.0"} 26
// latency_seconds_bucket{le="+Inf"} 46
// latency_seconds_count 46
// latency_seconds_sum 1.0485799799990463e+06
//
