//! From a number to an event that it counted: exemplars, given by hand or taken from the span that a thread is in.
//!
//!     cargo run --example exemplars -p openmetrics-examples

use openmetrics::format::{Format, encode};
use openmetrics::instrument::SpanContext;
use openmetrics::{Counter, Histogram, Registry};

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();
    let failures: Counter = registry.counter("jobs_failed", "Jobs that failed.")?;
    let latency: Histogram = registry
        .metric("latency_seconds", "Time to first byte.")
        .buckets([0.1, 1.0])
        .exemplars(true) // takes the current span
        .register()?;

    // By hand, where the event is known.
    failures.inc_by_with_exemplar(1, &[("job", "backup-4711")]);

    // From the span. A tracing library enters it (feature `tracing`), or `set_span_source` says where it is found.
    let span = SpanContext::from_hex("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let entered = span.map(SpanContext::enter);
    latency.observe(0.7);
    latency.observe(0.8); // one exemplar a bucket and a scrape is enough, so this one costs nothing more
    drop(entered);
    latency.observe(0.05); // in no span

    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    for line in String::from_utf8_lossy(&page).lines() {
        // The time at the end is now.
        match line.split_once(" # ") {
            Some((sample, exemplar)) => {
                println!(
                    "{sample} # {}",
                    exemplar.rsplit_once(' ').map_or(exemplar, |(exemplar, _)| exemplar)
                );
            }
            None => println!("{line}"),
        }
    }
    Ok(())
}

// Output:
// # TYPE jobs_failed counter
// # HELP jobs_failed Jobs that failed.
// jobs_failed_total 1 # {job="backup-4711"} 1
// # TYPE latency_seconds histogram
// # HELP latency_seconds Time to first byte.
// latency_seconds_bucket{le="0.1"} 1
// latency_seconds_bucket{le="1.0"} 3 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736",span_id="00f067aa0ba902b7"} 0.7
// latency_seconds_bucket{le="+Inf"} 3
// latency_seconds_count 3
// latency_seconds_sum 1.55
// # EOF
