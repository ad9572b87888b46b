//! What can this machine do at best?

use std::hint::black_box;
use std::sync::atomic::AtomicU64;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use openmetrics_benches::limits;

fn counting(c: &mut Criterion) {
    let mut group = c.benchmark_group("limits/count");
    let cell = AtomicU64::new(0);
    group.bench_function("fetch_add", |b| b.iter(|| limits::fetch_add(black_box(&cell))));
    group.bench_function("load_store", |b| b.iter(|| limits::load_store(black_box(&cell))));
    group.finish();
}

fn text(c: &mut Criterion) {
    let line = "http_requests_total{method=\"GET\",path=\"/api/v1/items\",code=\"200\"} 123456\n";
    let page = line.repeat(10_000).into_bytes();
    let mut copy = Vec::with_capacity(page.len());
    let mut group = c.benchmark_group("limits/page");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("copy", |b| b.iter(|| limits::copy(&page, &mut copy)));
    group.bench_function("scan", |b| b.iter(|| limits::scan(&page)));
    group.bench_function("check_utf8", |b| b.iter(|| limits::check_utf8(&page)));
    group.finish();
}

criterion_group!(benches, counting, text);
criterion_main!(benches);
