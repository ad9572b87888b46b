//! What reading costs: each corpus by us, by others (feature `peers`), and what the machine does at best.
//!
//! Figures are nanoseconds a kilobyte, so less is better; the remark has GB/s and allocations. With an argument, only
//! the rows whose name has it in it; with a second one, only such corpora.

use std::hint::black_box;

use openmetrics::Error;
use openmetrics::format::entries::{Dialect, Entries, Entry};
use openmetrics::format::protobuf::{Family, Place, Visitor, openmetrics as om_protobuf, prometheus};
use openmetrics::format::{Format, assemble::check, decode, encode};
use openmetrics::model::{Labels, MetricSet, Number, Point, Value};
use openmetrics_benches::{Table, allocated, corpora, is_wanted, limits, nanoseconds};

fn main() {
    for (name, set) in [
        ("node exporter", corpora::node()),
        ("label-rich", corpora::label_rich()),
        ("classic histograms", corpora::histograms()),
        ("exemplars", corpora::exemplars()),
        ("native histograms", corpora::native()),
    ] {
        if std::env::args().nth(2).is_none_or(|part| name.contains(&part)) {
            text(name, &set);
            protobuf(name, &set);
        }
    }
}

/// Adds up what it is handed, so that nothing is optimised away.
#[derive(Default)]
struct Sum {
    points: u64,
    total: f64,
}

impl Visitor for Sum {
    fn family(&mut self, _: &Family<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn point(&mut self, _: &Labels<'_>, point: &Point<'_>, _: Place) -> Result<(), Error> {
        self.points += 1;
        self.total += match point.value {
            Value::Number(number) => number.as_f64(),
            Value::Histogram(histogram) => histogram.count.as_f64(),
            _ => 1.0,
        };
        Ok(())
    }
}

fn text(name: &str, set: &MetricSet) {
    let mut bytes = Vec::new();
    encode(set, Format::OPENMETRICS_1_0, &mut bytes);
    let mut table = Table::new(format!("{name}, OpenMetrics 1.0 text, {} kB", bytes.len() / 1000), "ns/kB");
    row(&mut table, "ours, line by line, borrowed, every byte validated", bytes.len(), || {
        let mut entries = Entries::new(&bytes, Dialect::OpenMetrics1);
        let (mut samples, mut total) = (0_u64, 0.0);
        while let Some(entry) = entries.next_entry() {
            if let Ok(Entry::Sample(sample)) = entry {
                samples += 1;
                total += sample.number().map_or(0.0, Number::as_f64);
            }
        }
        (samples, total)
    });
    row(&mut table, "ours, checked by all rules", bytes.len(), || {
        let findings = check(&bytes, Dialect::OpenMetrics1);
        assert!(findings.is_empty(), "the corpus is valid");
    });
    row(&mut table, "ours, a whole MetricSet, all rules", bytes.len(), || {
        decode(&bytes, Format::OPENMETRICS_1_0)
    });
    #[cfg(feature = "peers")]
    if is_wanted("openmetrics-parser, once") {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // It takes seconds for large pages, so the time is that of one run.
        let start = std::time::Instant::now();
        let (read, allocations) =
            allocated(|| openmetrics_parser::openmetrics::parse_openmetrics(&text).is_ok());
        let time = start.elapsed().as_secs_f64() * 1e9 / bytes.len() as f64;
        let remark = format!("{:.3} GB/s, {} allocations, accepts it: {read}", 1.0 / time, allocations.calls);
        table.row_with("openmetrics-parser, once", time * 1000.0, remark);
    }
    machine(&mut table, &bytes);
    row(&mut table, "limit: checking that it is UTF-8", bytes.len(), || limits::check_utf8(&bytes));
    println!("{table}");
}

fn protobuf(name: &str, set: &MetricSet) {
    let mut bytes = Vec::new();
    encode(set, Format::PROMETHEUS_PROTOBUF, &mut bytes);
    let mut table = Table::new(format!("{name}, Prometheus protobuf, {} kB", bytes.len() / 1000), "ns/kB");
    row(&mut table, "ours, borrowing walk, all rules of a point", bytes.len(), || {
        let mut sum = Sum::default();
        prometheus::walk(&bytes, &mut sum).expect("the corpus is valid");
        sum
    });
    row(&mut table, "ours, a whole MetricSet, all rules", bytes.len(), || prometheus::decode(&bytes));
    #[cfg(feature = "peers")]
    row(&mut table, "prost, a tree", bytes.len(), || openmetrics_benches::schema::decode(&bytes));
    machine(&mut table, &bytes);
    println!("{table}");

    let mut bytes = Vec::new();
    encode(set, Format::OPENMETRICS_PROTOBUF, &mut bytes);
    let mut table = Table::new(format!("{name}, OpenMetrics protobuf, {} kB", bytes.len() / 1000), "ns/kB");
    row(&mut table, "ours, borrowing walk, all rules of a point", bytes.len(), || {
        let mut sum = Sum::default();
        om_protobuf::walk(&bytes, &mut sum).expect("the corpus is valid");
        sum
    });
    row(&mut table, "ours, a whole MetricSet, all rules", bytes.len(), || om_protobuf::decode(&bytes));
    machine(&mut table, &bytes);
    println!("{table}");
}

fn machine(table: &mut Table, bytes: &[u8]) {
    let mut copy = Vec::new();
    row(table, "limit: copying it", bytes.len(), || {
        limits::copy(bytes, &mut copy);
        copy.len()
    });
    row(table, "limit: finding line feeds", bytes.len(), || limits::scan(bytes));
}

fn row<R>(table: &mut Table, name: &str, len: usize, mut work: impl FnMut() -> R) {
    if !is_wanted(name) {
        return;
    }
    let (first, allocations) = allocated(&mut work);
    black_box(first);
    let time = nanoseconds(len as u64, || black_box(work()));
    table.row_with(name, time * 1000.0, format!("{:.2} GB/s, {} allocations", 1.0 / time, allocations.calls));
}
