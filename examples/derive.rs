//! The metrics of a program as a struct: fields are families, comments are help, and mistakes are compile errors.
//!
//!     cargo run --example derive -p openmetrics-examples

use openmetrics::format::{Format, encode};
use openmetrics::{Counter, Family, Gauge, Histogram, LabelSet, LabelValue, Metrics, Registry};

#[derive(Clone, Copy, LabelValue)]
#[label(rename_all = "snake_case")]
enum Outcome {
    Delivered,
    MailboxFull,
}

#[derive(LabelSet)]
struct Delivery<'a> {
    domain: &'a str,
    outcome: Outcome,
}

#[derive(Metrics)]
#[metrics(prefix = "mail")]
struct Mail {
    /// Letters that came to an end.
    deliveries: Family<Delivery<'static>, Counter>,
    /// Sizes of letters.
    #[metric(unit = "bytes", buckets = [1024, 65536])]
    letter: Histogram,
    /// Letters that wait.
    waiting: Gauge,
    #[metrics(flatten, prefix = "disk")]
    disk: Disk,
}

/// A group of its own, which others may use as well.
#[derive(Metrics)]
struct Disk {
    /// Times that it had to be waited for.
    stalls: Counter,
}

fn main() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();
    let mail = Mail::register(&registry)?;

    let domain = String::from("example.org"); // borrowed for as long as the call
    mail.deliveries.with(Delivery { domain: &domain, outcome: Outcome::Delivered }).inc_by(2);
    mail.deliveries.with(Delivery { domain: &domain, outcome: Outcome::MailboxFull }).inc();
    mail.letter.observe(5_000.0);
    mail.waiting.set(7);
    mail.disk.stalls.inc();

    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    print!("{}", String::from_utf8_lossy(&page));
    Ok(())
}

// Output:
// # TYPE mail_deliveries counter
// # HELP mail_deliveries Letters that came to an end.
// mail_deliveries_total{domain="example.org",outcome="delivered"} 2
// mail_deliveries_total{domain="example.org",outcome="mailbox_full"} 1
// # TYPE mail_letter_bytes histogram
// # UNIT mail_letter_bytes bytes
// # HELP mail_letter_bytes Sizes of letters.
// mail_letter_bytes_bucket{le="1024.0"} 0
// mail_letter_bytes_bucket{le="65536.0"} 1
// mail_letter_bytes_bucket{le="+Inf"} 1
// mail_letter_bytes_count 1
// mail_letter_bytes_sum 5000.0
// # TYPE mail_waiting gauge
// # HELP mail_waiting Letters that wait.
// mail_waiting 7
// # TYPE mail_disk_stalls counter
// # HELP mail_disk_stalls Times that it had to be waited for.
// mail_disk_stalls_total 1
// # EOF
