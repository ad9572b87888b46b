//! What counting costs: instruments alone and by label, on one thread and two, beside the machine's limits.
//!
//! `cargo run --release -p openmetrics-benches --bin instruments`, with `--features peers` beside other libraries; names of tables
//! (`counters`, `lookups`, ..) print only these.

use std::hint::black_box;
use std::sync::atomic::AtomicU64;

use openmetrics::format::{Format, encode};
use openmetrics::instrument::{
    Counter, Family, Gauge, Histogram, LabelEnum, LabelSet, LabelValue, LabelWriter, SpanContext,
    linear_buckets,
};
use openmetrics::label_value_from_enum;
use openmetrics::registry::{Definition, Registry};
use openmetrics_benches::{Random, Table, allocated, limits, nanoseconds, nanoseconds_on_threads};

#[cfg(feature = "peers")]
mod peers;

const CALLS: u32 = 50_000;

type Tables = (&'static str, fn());
const TABLES: [Tables; 6] = [
    ("counters", counters),
    ("gauges", gauges),
    ("histograms", histograms),
    ("lookups", lookups),
    ("memory", memory),
    ("scrapes", scrapes),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for (name, print) in TABLES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            print();
        }
    }
}

fn registered<I: openmetrics::instrument::Instrument>(
    define: impl FnOnce(Definition<'_>) -> Definition<'_>,
) -> I {
    let registry = Registry::new();
    match define(registry.metric("bench", "")).register() {
        Ok(metric) => metric,
        Err(error) => panic!("{error}"),
    }
}

/// One row for one thread and one for two that do the same at once.
fn both(tables: &mut [Table; 2], name: &str, work: impl Fn() + Sync) {
    for (threads, table) in [1, 2].into_iter().zip(tables) {
        table.row(name, nanoseconds_on_threads(threads, CALLS, |_| &work));
    }
}

fn two_tables(title: &str) -> [Table; 2] {
    ["one thread", "two threads"].map(|threads| Table::new(format!("{title}, {threads}"), "ns"))
}

fn print(tables: &[Table]) {
    for table in tables {
        println!("{table}");
    }
}

fn counters() {
    let own: Counter = registered(|d| d);
    let floats: Counter<f64> = registered(|d| d);
    let shared: Counter = registered(|d| d.thread_owned(false));
    let family: Family<[&str; 1], Counter> = registered(|d| d.labels(["path"]));
    let handle = family.handle(["/"]);
    let raw = AtomicU64::new(0);
    let mut tables = two_tables("counter, add one");
    both(&mut tables, "a cell for each thread", || black_box(&own).inc());
    both(&mut tables, "a cell for each thread, f64", || black_box(&floats).inc_by(0.5));
    both(&mut tables, "shared", || black_box(&shared).inc());
    both(&mut tables, "shared, a family's handle", || black_box(&handle).inc());
    #[cfg(feature = "peers")]
    peers::counters(&mut tables);
    both(&mut tables, "limit: fetch_add", || limits::fetch_add(black_box(&raw)));
    let (own, own_float) = (AtomicU64::new(0), AtomicU64::new(0));
    let load_store = nanoseconds_on_threads(1, CALLS, |_| || limits::load_store(black_box(&own)));
    tables[0].row("limit: load and store", load_store);
    let load_store = nanoseconds_on_threads(1, CALLS, |_| || limits::load_store_float(black_box(&own_float)));
    tables[0].row("limit: load and store, f64", load_store);
    print(&tables);
}

fn gauges() {
    let gauge: Gauge = registered(|d| d);
    let floats: Gauge<f64> = registered(|d| d);
    let mut tables = two_tables("gauge");
    both(&mut tables, "set", || black_box(&gauge).set(black_box(7)));
    both(&mut tables, "set, f64", || black_box(&floats).set(black_box(7.5)));
    both(&mut tables, "add one", || black_box(&gauge).inc());
    #[cfg(feature = "peers")]
    peers::gauges(&mut tables);
    print(&tables);
}

/// Latencies between a tenth of a millisecond and ten seconds, mostly small ones.
fn latencies() -> Vec<f64> {
    let mut random = Random::new(7);
    (0..4096).map(|_| (random.fraction() * 17.0 - 13.0).exp2()).collect()
}

fn histograms() {
    let values = latencies();
    let mut tables = two_tables("histogram, observe");
    let mut observe = |name: &str, histogram: Histogram| {
        observations(&mut tables, name, &values, |value| {
            black_box(&histogram).observe(value);
        });
    };
    observe("native", registered(|d| d.buckets([])));
    observe("native, 11 classic buckets", registered(|d| d));
    observe("11 classic buckets", registered(|d| d.native(None)));
    observe("100 classic buckets", registered(|d| d.native(None).buckets(linear_buckets(0.1, 0.1, 100))));
    observe("native, shared", registered(|d| d.buckets([]).thread_owned(false)));
    observe("native, 11 classic buckets, shared", registered(|d| d.thread_owned(false)));
    observe("11 classic buckets, shared", registered(|d| d.native(None).thread_owned(false)));
    let span = SpanContext::new([7; 16], [7; 8]);
    let spans: Histogram = registered(|d| d.exemplars(true));
    observations(&mut tables, "native, the current span as exemplar", &values, |value| {
        let _entered = span.map(SpanContext::enter);
        black_box(&spans).observe(value);
    });
    let given: Histogram = registered(|d| d);
    let labels = [("trace_id", "0af7651916cd43dd8448eb211c80319c")];
    observations(&mut tables, "native, an exemplar given", &values, |value| {
        black_box(&given).observe_with_exemplar(value, black_box(&labels));
    });
    #[cfg(feature = "peers")]
    peers::histograms(&mut tables, &values);
    print(&tables);
    let ((), allocations) = allocated(|| given.observe_with_exemplar(0.5, &labels));
    println!("an observation with an exemplar: {} allocations\n", allocations.calls);
}

/// One row in each table for observing these values.
fn observations(tables: &mut [Table; 2], name: &str, values: &[f64], observe: impl Fn(f64) + Sync) {
    for (threads, table) in [1, 2].into_iter().zip(tables) {
        let figure = nanoseconds_on_threads(threads, CALLS, |thread| {
            let mut at = thread as usize * 1000;
            let observe = &observe;
            move || {
                at += 1;
                observe(values[at % 4096]);
            }
        });
        table.row(name, figure);
    }
}

#[derive(Clone, Copy)]
enum Method {
    Get,
    Put,
}
impl LabelEnum for Method {
    const NAMES: &'static [&'static str] = &["GET", "PUT"];
    fn index(self) -> usize {
        self as usize
    }
}
label_value_from_enum!(Method);

struct Cached {
    method: Method,
    hit: bool,
}
impl LabelSet for Cached {
    type Owner = Self;
    const NAMES: &'static [&'static str] = &["method", "hit"];
    const CARDINALITY: Option<usize> = Some(4);
    fn ordinal(&self) -> usize {
        self.method.ordinal() * 2 + self.hit.ordinal()
    }
    fn write(&self, to: &mut LabelWriter) {
        self.method.write(to);
        self.hit.write(to);
    }
}

/// Label values as an HTTP service has them; other ones for another version of its interface.
fn requests(series: usize, version: &str) -> Vec<[String; 3]> {
    (0..series)
        .map(|i| {
            let method = ["GET", "PUT", "POST", "DELETE"][i % 4];
            let status = ["200", "404", "500"][i / 4 % 3];
            [method.to_owned(), format!("/api/{version}/items/{i}"), status.to_owned()]
        })
        .collect()
}

fn requests_by_labels(compact: bool) -> Family<[&'static str; 3], Counter> {
    registered(|d| d.labels(["method", "path", "status"]).compact(compact))
}

fn lookups() {
    let mut table = Table::new("lookup by labels and add one", "ns");
    for series in [1, 1_000, 100_000] {
        let mut keys = requests(series, "v2");
        let mut random = Random::new(3);
        for i in (1..keys.len()).rev() {
            keys.swap(i, random.below(i as u64 + 1) as usize);
        }
        for (name, compact) in [("three texts", false), ("three texts, compact", true)] {
            let family = requests_by_labels(compact);
            let all = |family: &Family<[&'static str; 3], Counter>| {
                nanoseconds(keys.len() as u64, || {
                    for [a, b, c] in &keys {
                        family.with([a, b, c]).inc();
                    }
                })
            };
            let before = all(&family);
            let ((), allocations) = allocated(|| family.with(["GET", "/api/v2/items/0", "200"]).inc());
            let remark = format!("{} allocations", allocations.calls);
            table.row_with(format!("{name}, {series} series"), before, remark);
            family.with(["x", "y", "z"]).inc();
            family.remove(["x", "y", "z"]);
            table.row(format!("{name}, {series} series, after a removal"), all(&family));
        }
        #[cfg(feature = "peers")]
        peers::lookups(&mut table, &keys);
    }
    let family: Family<Cached, Counter> = registered(|d| d);
    let key = || Cached { method: black_box(Method::Put), hit: black_box(true) };
    table.row("two enums", nanoseconds(1, || family.with(key()).inc()));
    let get = || Cached { method: black_box(Method::Get), hit: black_box(false) };
    table.row("two enums, another", nanoseconds(1, || family.with(get()).inc()));
    print(&[table]);
}

fn memory() {
    const SERIES: usize = 100_000;
    // Some peers have one registry a process, so these are series that no other table made.
    let keys = requests(SERIES, "v3");
    let mut table = Table::new("memory of a series, three labels, 100,000 series", "bytes");
    for (name, compact) in [("counter", false), ("counter, compact", true)] {
        let (family, taken) = allocated(|| {
            let family = requests_by_labels(compact);
            for [a, b, c] in &keys {
                family.with([a, b, c]).inc();
            }
            family
        });
        table.row(name, taken.bytes_kept as f64 / SERIES as f64);
        drop(family);
    }
    #[cfg(feature = "peers")]
    peers::memory(&mut table, &keys);
    print(&[table]);
}

fn scrapes() {
    let mut table = Table::new("scrape to OpenMetrics text, a sample", "ns");
    for (series, compact) in [(1_000, false), (100_000, false), (100_000, true)] {
        let registry = Registry::new();
        let define = registry.metric("bench", "").labels(["method", "path", "status"]).compact(compact);
        let family: Family<[&str; 3], Counter> = match define.register() {
            Ok(family) => family,
            Err(error) => panic!("{error}"),
        };
        for ([a, b, c], i) in requests(series, "v2").iter().zip(0_u64..) {
            family.with([a, b, c]).inc_by(i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40);
        }
        let mut out = Vec::new();
        let ns = nanoseconds(series as u64, || {
            out.clear();
            encode(&registry, Format::OPENMETRICS_1_0, &mut out)
        });
        let (_, allocations) = allocated(|| {
            out.clear();
            encode(&registry, Format::OPENMETRICS_1_0, &mut out)
        });
        let name = if compact { "compact counters" } else { "counters" };
        table.row_with(format!("{series} {name}"), ns, format!("{} allocations in all", allocations.calls));
        let mut copy = Vec::new();
        table.row("limit: copying the text", nanoseconds(series as u64, || limits::copy(&out, &mut copy)));
    }
    print(&[table]);
}
