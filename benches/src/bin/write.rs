//! What a scrape costs: counters with three labels in every format, by us, by others (feature `peers`), and the limits
//! of the machine: a copy of the page, the formatting of the values alone. Each row says how often it asks the allocator
//! for memory, from the second page on. With an argument, only the rows whose name has it in it.

use std::hint::black_box;

use openmetrics::format::gzip::Compressor;
use openmetrics::format::{Format, encode};
use openmetrics::instrument::{Counter, Family};
use openmetrics::registry::Registry;
use openmetrics_benches::{Random, Table, allocated, is_wanted, nanoseconds};

fn main() {
    for series in [1000, 100_000] {
        for fractions in [false, true] {
            table(series, fractions);
        }
    }
}

const NAMES: [&str; 3] = ["method", "route", "status"];
const HELP: &str = "Requests served, by route.";

/// The labels and value of every series.
fn data(series: u64, fractions: bool) -> impl Iterator<Item = ([String; 3], f64)> {
    let mut random = Random::new(7);
    (0..series).map(move |at| {
        let value = random.below(1 << 24);
        let route = format!("/api/v2/tenants/tenant/objects/{at}");
        let labels = ["GET".to_owned(), route, "200".to_owned()];
        (labels, if fractions { value as f64 / 100.0 } else { value as f64 })
    })
}

fn table(series: u64, fractions: bool) {
    let kind = if fractions { "decimals" } else { "whole numbers" };
    let mut table = Table::new(format!("{series} counters of three labels, {kind}"), "ns/sample");
    let ours = registry(series, fractions);
    for (name, format) in [
        ("ours, OpenMetrics 1.0 text", Format::OPENMETRICS_1_0),
        ("ours, OpenMetrics 2.0 text", Format::OPENMETRICS_2_0),
        ("ours, text 0.0.4", Format::TEXT_0_0_4),
        ("ours, Prometheus protobuf", Format::PROMETHEUS_PROTOBUF),
        ("ours, OpenMetrics protobuf", Format::OPENMETRICS_PROTOBUF),
    ] {
        let mut page = Vec::new();
        let scrape = || {
            page.clear();
            encode(&ours, format, &mut page);
            page.len()
        };
        row(&mut table, name, series, scrape);
    }
    gzip(&mut table, &ours, series);
    churn(&mut table, series, fractions);
    #[cfg(feature = "peers")]
    if peers::ROWS.iter().any(|name| is_wanted(name)) {
        peers::rows(&mut table, series, fractions);
    }
    let (mut page, mut copy) = (Vec::new(), Vec::new());
    encode(&ours, Format::OPENMETRICS_1_0, &mut page);
    row(&mut table, "limit: a copy of the OpenMetrics page", series, || {
        copy.clear();
        copy.extend_from_slice(&page);
        copy.len()
    });
    let values: Vec<f64> = data(series, fractions).map(|(_, value)| value).collect();
    let mut text = String::new();
    row(&mut table, "limit: the values alone, by std's formatting", series, || {
        use std::fmt::Write;
        text.clear();
        for value in &values {
            let _ = write!(text, "{value}");
        }
        text.len()
    });
    println!("{table}");
}

/// The page and its compression, beside the page alone and what an ordinary compressor takes.
fn gzip(table: &mut Table, ours: &Registry, series: u64) {
    let (mut page, mut zipped) = (Vec::new(), Vec::new());
    let mut compressor = Compressor::new();
    encode(ours, Format::OPENMETRICS_1_0, &mut page);
    let plain = page.clone();
    let level_6 = |out: &mut Vec<u8>| {
        let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(6));
        std::io::Write::write_all(&mut encoder, &plain).is_ok() && encoder.finish().is_ok()
    };
    compressor.compress(&page, &mut zipped);
    let ours_len = zipped.len();
    zipped.clear();
    level_6(&mut zipped);
    let ratio = ours_len as f64 / zipped.len() as f64;
    row(table, &format!("ours, OpenMetrics 1.0 text and gzip, {ratio:.2} x level 6's size"), series, || {
        page.clear();
        zipped.clear();
        encode(ours, Format::OPENMETRICS_1_0, &mut page);
        compressor.compress(&page, &mut zipped);
        zipped.len()
    });
    row(table, "gzip alone: flate2 with zlib-rs, level 6", series, || {
        zipped.clear();
        level_6(&mut zipped)
    });
}

/// Compression alone, of pages with the same series and of pages where one of a hundred is another than the page before.
fn churn(table: &mut Table, series: u64, fractions: bool) {
    let registry = Registry::new();
    let family: Family<[&str; 3], Counter<f64>> =
        registry.metric("http_requests", HELP).labels(NAMES).register().expect("a new registry");
    let mut alive: std::collections::VecDeque<_> = data(series * 2, fractions).collect();
    let later = alive.split_off(series as usize);
    let add = |(labels, value): &([String; 3], f64)| {
        family.with(labels.each_ref().map(String::as_str)).inc_by(*value);
    };
    alive.iter().for_each(&add);
    let page = || {
        let mut page = Vec::new();
        encode(&registry, Format::OPENMETRICS_1_0, &mut page);
        page
    };
    let same = [page()];
    let mut later = later.into_iter();
    let churned: Vec<_> = (0..PAGES)
        .map(|_| {
            for born in later.by_ref().take(series as usize / 100) {
                if let Some((labels, _)) = alive.pop_front() {
                    family.remove(labels.each_ref().map(String::as_str));
                }
                add(&born);
                alive.push_back(born);
            }
            page()
        })
        .collect();
    for (name, pages) in [
        ("ours, gzip alone, the same series each time", &same[..]),
        ("ours, gzip alone, 1 % of the series new each time", &churned),
    ] {
        let mut compressor = Compressor::new();
        let mut zipped = Vec::new();
        let mut pages = pages.iter().cycle();
        let next = || {
            zipped.clear();
            compressor.compress(pages.next().map_or(&[], |page| page), &mut zipped);
            zipped.len()
        };
        row(table, name, series, next);
    }
}

/// After so many pages the first one comes again, where as many series are others.
const PAGES: usize = 20;

fn registry(series: u64, fractions: bool) -> Registry {
    let registry = Registry::new();
    let metric = registry.metric("http_requests", HELP);
    if fractions {
        let family: Family<[&str; 3], Counter<f64>> =
            metric.labels(NAMES).register().expect("a new registry");
        for (labels, value) in data(series, true) {
            family.with(labels.each_ref().map(String::as_str)).inc_by(value);
        }
    } else {
        let family: Family<[&str; 3], Counter> = metric.labels(NAMES).register().expect("a new registry");
        for (labels, value) in data(series, false) {
            family.with(labels.each_ref().map(String::as_str)).inc_by(value as u64);
        }
    }
    registry
}

fn row<R>(table: &mut Table, name: &str, series: u64, mut work: impl FnMut() -> R) {
    if !is_wanted(name) {
        return;
    }
    black_box(work());
    let (second, allocations) = allocated(&mut work);
    black_box(second);
    let time = nanoseconds(series, || black_box(work()));
    table.row_with(name, time, format!("{} allocations a page", allocations.calls));
}

#[cfg(feature = "peers")]
mod peers {
    use super::{HELP, NAMES, Table, data, row};

    pub(super) const ROWS: [&str; 4] = [
        "prometheus-client, OpenMetrics text",
        "prometheus-client, OpenMetrics protobuf",
        "prometheus, text 0.0.4",
        "prometheus, Prometheus protobuf",
    ];

    pub(super) fn rows(table: &mut Table, series: u64, fractions: bool) {
        prometheus_client_rows(table, series, fractions);
        prometheus_rows(table, series, fractions);
    }

    fn prometheus_client_rows(table: &mut Table, series: u64, fractions: bool) {
        use prometheus_client::encoding::text::encode;
        use prometheus_client::metrics::{counter::Counter, family::Family};
        use prometheus_client::registry::Registry;
        use std::sync::atomic::AtomicU64;

        type Labels = Vec<(&'static str, String)>;
        let pairs = |labels: [String; 3]| NAMES.into_iter().zip(labels).collect::<Labels>();
        let mut registry = Registry::default();
        if fractions {
            let family = Family::<Labels, Counter<f64, AtomicU64>>::default();
            registry.register("http_requests", HELP, family.clone());
            for (labels, value) in data(series, true) {
                family.get_or_create(&pairs(labels)).inc_by(value);
            }
        } else {
            let family = Family::<Labels, Counter>::default();
            registry.register("http_requests", HELP, family.clone());
            for (labels, value) in data(series, false) {
                family.get_or_create(&pairs(labels)).inc_by(value as u64);
            }
        }
        let mut page = String::new();
        row(table, ROWS[0], series, || {
            page.clear();
            encode(&mut page, &registry).is_ok()
        });
        row(table, ROWS[1], series, || {
            use prost::Message;
            // Superseded by its Prometheus protobuf, but what it has for OpenMetrics.
            #[expect(deprecated, reason = "the format is what is compared")]
            prometheus_client::encoding::openmetrics_protobuf::encode(&registry)
                .map(|set| set.encode_to_vec().len())
        });
    }

    fn prometheus_rows(table: &mut Table, series: u64, fractions: bool) {
        use prometheus::{CounterVec, Encoder, ProtobufEncoder, Registry, TextEncoder};

        let registry = Registry::new();
        let options = prometheus::Opts::new("http_requests_total", HELP);
        let family = CounterVec::new(options, &NAMES).expect("the names are valid");
        registry.register(Box::new(family.clone())).expect("a new registry");
        for (labels, value) in data(series, fractions) {
            family.with_label_values(&labels.each_ref().map(String::as_str)).inc_by(value);
        }
        let mut page = Vec::new();
        row(table, ROWS[2], series, || {
            page.clear();
            TextEncoder::new().encode(&registry.gather(), &mut page).is_ok()
        });
        row(table, ROWS[3], series, || {
            page.clear();
            ProtobufEncoder::new().encode(&registry.gather(), &mut page).is_ok()
        });
    }
}
