//! Instruments under everything at once, for the sanitizers and for long runs: threads that come and go, series that do,
//! exemplars, histograms, and somebody who scrapes all the time.
//!
//! `cargo xtask sanitize` runs it. It ends by itself, and fails if an event is lost or a scrape is not of one piece.
//! INCREMENTS (400,000) and SCRAPES (300) say how much:
//! `INCREMENTS=1000000000 SCRAPES=10000 cargo run --release -p openmetrics-sdk --example stress_instruments`

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use openmetrics::instrument::{Family, Histogram, SpanContext};
use openmetrics::model::{MetricSet, MetricValue, Number};
use openmetrics::{Counter, Registry};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const THREADS: u64 = 8;
/// How many threads follow each other, each counting on where the one before it ended.
const GENERATIONS: u64 = 5;
const WRITERS: u64 = 3;

fn main() -> ExitCode {
    let [increments, scrapes] = [("INCREMENTS", 400_000), ("SCRAPES", 300)].map(|(name, default)| {
        std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok()).unwrap_or(default)
    });
    match counters(increments).and_then(|()| histograms(scrapes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn counters(increments: u64) -> Result<()> {
    let registry = Registry::new();
    let own: Counter = registry.metric("own", "A cell of each thread's own.").exemplars(true).register()?;
    let plain: Counter = registry.metric("plain", "The same without exemplars.").register()?;
    let shared: Counter = registry.metric("shared", "One atomic.").thread_owned(false).register()?;
    let family: Family<[&str; 1], Counter> =
        registry.metric("series", "Series.").labels(["name"]).register()?;
    let each = increments / THREADS / GENERATIONS;
    let done = AtomicBool::new(false);
    let count = |thread: u64| {
        let _span = SpanContext::new([1; 16], [2; 8]).map(SpanContext::enter);
        for i in 0..each {
            plain.inc();
            if i % 16 == 0 {
                own.inc();
                shared.inc();
                family.with(["kept"]).inc();
            }
            if i % 256 == 0 {
                let name = format!("{thread}-{}", i / 256 % 40);
                family.with([&name]).inc();
                family.remove([&name]);
            }
        }
    };
    let scrapes = thread::scope(|scope| -> Result<u64> {
        let scraper = scope.spawn(|| {
            let mut scrapes = 0;
            while !done.load(Ordering::Relaxed) {
                MetricSet::collect_from(&registry);
                scrapes += 1;
            }
            scrapes
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let count = &count;
                scope.spawn(move || {
                    for _ in 0..GENERATIONS {
                        thread::scope(|scope| scope.spawn(move || count(thread)).join().is_ok());
                    }
                })
            })
            .collect();
        let all_ended = workers.into_iter().all(|worker| worker.join().is_ok());
        done.store(true, Ordering::Relaxed);
        if all_ended {
            scraper.join().map_err(|_| "the scraper panicked".into())
        } else {
            Err("a thread panicked".into())
        }
    })?;
    let (all, some) = (each * THREADS * GENERATIONS, each.div_ceil(16) * THREADS * GENERATIONS);
    let counted =
        [(plain.get(), all), (own.get(), some), (shared.get(), some), (family.with(["kept"]).get(), some)];
    for (counted, expected) in counted {
        if counted != expected {
            return Err(format!("{counted} of {expected} events were counted").into());
        }
    }
    println!("{all} events on {THREADS} threads beside {scrapes} scrapes, 0 lost");
    Ok(())
}

fn histograms(scrapes: u64) -> Result<()> {
    let registry = Registry::new();
    let own: Histogram = registry.metric("own", "").buckets([1.0]).register()?;
    let shared: Histogram = registry.metric("shared", "").buckets([1.0]).thread_owned(false).register()?;
    let done = AtomicBool::new(false);
    let written = thread::scope(|scope| -> Result<u64> {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut written = 0_u64;
                    while !done.load(Ordering::Relaxed) {
                        // Ones, and now and then other powers of two.
                        let other = f64::from(1 << (written / 64 % 12));
                        for histogram in [&own, &shared] {
                            histogram.observe(if written % 8 == 0 { other } else { 1.0 });
                        }
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        let mut result = Ok(());
        for _ in 0..scrapes {
            result = MetricSet::collect_from(&registry).0.families.iter().try_for_each(|family| {
                family
                    .metrics
                    .iter()
                    .flat_map(|metric| &metric.points)
                    .try_for_each(|point| is_whole(&point.value))
            });
            if result.is_err() {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        let written = writers.into_iter().map(|writer| writer.join().unwrap_or_default()).sum();
        result.map(|()| written)
    })?;
    for histogram in [&own, &shared] {
        if histogram.count() != written {
            return Err(format!("{} of {written} observations were counted", histogram.count()).into());
        }
    }
    println!(
        "{written} observations of {WRITERS} threads beside {scrapes} scrapes, 0 lost, all of one piece"
    );
    Ok(())
}

/// Whether count, classic and native buckets and sum are of the same observations.
fn is_whole(value: &MetricValue) -> Result<()> {
    let MetricValue::Histogram(histogram) = value else { return Err("no histogram".into()) };
    let native = histogram.native.as_ref().ok_or("no native buckets")?.borrow();
    let buckets = || native.positive.buckets();
    let in_buckets = native.zero_count.as_f64() + buckets().map(|(_, count)| count.as_f64()).sum::<f64>();
    let count = histogram.count.as_f64();
    // Powers of two are upper bounds at every resolution from 0 on, so the native buckets say what the sum is.
    let sum: f64 = buckets().map(|(index, count)| native.schema.upper_bound(index) * count.as_f64()).sum();
    let found = histogram.sum.map_or(f64::NAN, Number::as_f64);
    let classic =
        histogram.classic.as_ref().and_then(|classic| classic.last()).ok_or("no classic buckets")?;
    if in_buckets != count || sum != found || classic.count.as_f64() > count {
        return Err(
            format!("count {count}, in native buckets {in_buckets}, sum {found} and not {sum}").into()
        );
    }
    Ok(())
}
