//! What do the two commonest things cost, beside the least they could cost: counting once, and writing one sample?

use std::hint::black_box;
use std::sync::atomic::AtomicU64;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use openmetrics::format::{Format, encode};
use openmetrics::{Counter, Family, LabelSet, Registry};
use openmetrics_benches::limits;

#[derive(LabelSet)]
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    code: u16,
}

fn count(c: &mut Criterion) {
    let registry = Registry::new();
    let alone = registry.counter("app_jobs", "Jobs done.").expect("the name is valid and new");
    let family: Family<Request<'static>, Counter> =
        registry.counter_family("app_requests", "Requests served.").expect("the name is valid and new");
    let handle = family.handle(Request { method: "GET", path: "/", code: 200 });
    let cell = AtomicU64::new(0);
    let mut group = c.benchmark_group("count");
    group.bench_function("limit: fetch_add", |b| b.iter(|| limits::fetch_add(black_box(&cell))));
    group.bench_function("counter", |b| b.iter(|| black_box(&alone).inc()));
    group.bench_function("handle of a labelled counter", |b| b.iter(|| black_box(&handle).inc()));
    group.finish();
}

fn write(c: &mut Criterion) {
    const SERIES: usize = 100_000;
    let registry = Registry::new();
    let family: Family<Request<'static>, Counter> =
        registry.counter_family("app_requests", "Requests served.").expect("the name is valid and new");
    for i in 0..SERIES {
        let path = format!("/api/v2/tenants/tenant/objects/{i}");
        family.with(Request { method: "GET", path: &path, code: 200 }).inc_by(i as u64);
    }
    let mut page = Vec::new();
    encode(&registry, Format::OPENMETRICS_1_0, &mut page);
    let whole = page.clone();
    let mut copy = Vec::with_capacity(whole.len());
    let mut group = c.benchmark_group("write 100,000 counters, per sample");
    group.throughput(Throughput::Elements(SERIES as u64));
    group.sample_size(20);
    group.bench_function("limit: copy", |b| b.iter(|| limits::copy(&whole, &mut copy)));
    group.bench_function("OpenMetrics 1.0 text", |b| {
        b.iter(|| {
            page.clear();
            encode(&registry, Format::OPENMETRICS_1_0, &mut page)
        });
    });
    group.finish();
}

criterion_group!(benches, count, write);
criterion_main!(benches);
