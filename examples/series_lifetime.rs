//! How long series live: a limit, expiry of idle ones, and guards.
//!
//!     cargo run --example series_lifetime -p openmetrics-examples

use std::time::Duration;

use openmetrics::format::{Format, encode};
use openmetrics::{Counter, Family, Gauge, Registry};

fn show(title: &str, registry: &Registry) {
    let mut page = Vec::new();
    encode(registry, Format::TEXT_0_0_4, &mut page);
    println!("{title}:");
    for line in String::from_utf8_lossy(&page).lines().filter(|line| !line.starts_with('#')) {
        println!("  {line}");
    }
}

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();

    // Labels that come from outside need a limit. What is beyond is counted together.
    let jobs: Family<[&str; 1], Counter> =
        registry.metric("jobs", "Jobs done.").labels(["tenant"]).max_series(2).register()?;
    for tenant in ["ann", "ben", "cem", "dot", "ann"] {
        jobs.with([tenant]).inc();
    }
    show("at most two tenants", &registry);
    jobs.clear();

    // A series that belongs to something ends with it.
    let open: Family<[&str; 1], Gauge> =
        registry.metric("connection_requests", "Requests under way.").labels(["peer"]).register()?;
    let connection = open.guard(["198.51.100.7:443"]);
    connection.set(2);
    show("while it is connected", &registry);
    drop(connection);
    show("after", &registry);

    // What nobody looks up goes by itself. An hour, usually; here, whatever was idle from one scrape to the next.
    let seen: Family<[&str; 1], Counter> =
        registry.metric("mails", "Mails sent.").labels(["domain"]).idle_expiry(Duration::ZERO).register()?;
    let kept = seen.handle(["example.net"]); // held, it stays
    kept.inc();
    seen.with(["example.org"]).inc();
    show("one is looked up, one is held", &registry);
    show("a scrape later", &registry);
    Ok(())
}

// Output:
// at most two tenants:
//   jobs_total{tenant="ann"} 2
//   jobs_total{tenant="ben"} 1
//   jobs_total{tenant="overflow"} 2
//   openmetrics_series_overflow_total{family="jobs"} 2
// while it is connected:
//   connection_requests{peer="198.51.100.7:443"} 2
//   openmetrics_series_overflow_total{family="jobs"} 2
// after:
//   openmetrics_series_overflow_total{family="jobs"} 2
// one is looked up, one is held:
//   mails_total{domain="example.net"} 1
//   mails_total{domain="example.org"} 1
//   openmetrics_series_overflow_total{family="jobs"} 2
// a scrape later:
//   mails_total{domain="example.net"} 1
//   openmetrics_series_overflow_total{family="jobs"} 2
