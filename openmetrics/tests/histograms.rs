//! Histograms beside a simple twin: the same buckets whatever happens, nothing lost, and every scrape of one piece.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use openmetrics::format::{Format, encode};
use openmetrics::instrument::{Counter, Family, GaugeHistogram, Histogram, Instrument, Native};
use openmetrics::model::{self, MetricSet, MetricValue, Number, Schema, Side};
use openmetrics::registry::Registry;
use quickcheck::{TestResult, quickcheck};

fn read(registry: &Registry) -> model::Histogram {
    let (set, report) = MetricSet::collect_from(registry);
    assert!(report.is_clean(), "{report:?}");
    match &set.families[0].metrics[0].points[0].value {
        MetricValue::Histogram(histogram) => (**histogram).clone(),
        other => panic!("{other:?}"),
    }
}

fn buckets(side: &Side) -> BTreeMap<i32, u64> {
    side.borrow()
        .buckets()
        .map(|(index, count)| (index, count.as_u64().unwrap()))
        .filter(|&(_, count)| count > 0)
        .collect()
}

/// What the limit's rules say, with maps: a bucket too many widens the zero bucket to the lowest bucket, if it may, or
/// merges all neighbours.
struct Twin {
    schema: i32,
    threshold: f64,
    max_threshold: f64,
    max_buckets: usize,
    zero: u64,
    sides: [BTreeMap<i32, u64>; 2],
}

impl Twin {
    fn schema(&self) -> Schema {
        Schema::exponential(self.schema).unwrap()
    }

    fn observe(&mut self, value: f64) {
        if value.abs() <= self.threshold {
            self.zero += 1;
        } else {
            let index = self.schema().index_of(value.abs());
            *self.sides[usize::from(value < 0.0)].entry(index).or_default() += 1;
        }
        if self.sides.iter().map(BTreeMap::len).sum::<usize>() <= self.max_buckets {
            return;
        }
        let lowest = self.sides.iter().filter_map(|side| side.keys().next()).min().copied().unwrap();
        let wider = self.schema().upper_bound(lowest);
        if self.threshold < self.max_threshold && wider <= self.max_threshold {
            self.threshold = wider;
            self.zero += self.sides.iter_mut().filter_map(|side| side.remove(&lowest)).sum::<u64>();
        } else if self.schema > -4 {
            self.schema -= 1;
            for side in &mut self.sides {
                let mut merged = BTreeMap::new();
                for (index, count) in std::mem::take(side) {
                    *merged.entry((index + 1).div_euclid(2)).or_default() += count;
                }
                *side = merged;
            }
        }
    }
}

fn agrees_with_the_twin(values: &[f64], factor: f64, max_buckets: u32, max_threshold: f64, own: bool) {
    let registry = Registry::new();
    let native = Native::new()
        .with_factor(factor)
        .with_max_buckets(max_buckets)
        .with_max_zero_threshold(max_threshold);
    let schema = Schema::for_factor(factor).unwrap();
    let mut twin = Twin {
        schema: schema.number(),
        threshold: native.zero_threshold,
        max_threshold,
        max_buckets: max_buckets as usize,
        zero: 0,
        sides: Default::default(),
    };
    let histogram: Histogram = registry.metric("h", "").native(native).thread_owned(own).register().unwrap();
    for &value in values {
        histogram.observe(value);
        twin.observe(value);
    }
    let found = read(&registry);
    let native = found.native.unwrap();
    assert_eq!(native.schema, twin.schema());
    assert_eq!(native.zero_threshold, twin.threshold);
    assert_eq!(native.zero_count, Number::from(twin.zero));
    assert_eq!([buckets(&native.positive), buckets(&native.negative)], twin.sides);
    assert_eq!(found.count, Number::from(values.len()));
    for side in [&native.positive, &native.negative] {
        let gaps = side.spans.iter().skip(1).map(|span| span.offset);
        assert!(gaps.min().unwrap_or(3) > 2, "small gaps are filled: {side:?}");
    }
}

/// Seeded numbers from 0 up to 1.
fn fractions(mut seed: u64) -> impl FnMut() -> f64 {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn the_same_buckets_in_many_distributions() {
    for seed in 0..20_u32 {
        let mut fraction = fractions(seed.into());
        let spread = f64::from(seed * seed) / 4.0 + 1.0;
        let values: Vec<f64> = (0..10_000)
            .map(|_| {
                let value = match seed % 4 {
                    // All magnitudes alike, a long tail, a bell around a number, and bounds of buckets.
                    0 => (fraction() * spread - spread / 2.0).exp2(),
                    1 => -(1.0 - fraction()).ln() * spread,
                    2 => spread * 10.0 + (0..12).map(|_| fraction()).sum::<f64>() - 6.0,
                    _ => (fraction() * spread - spread / 2.0).round().exp2(),
                };
                if seed % 3 == 0 && fraction() < 0.3 { -value } else { value }
            })
            .collect();
        for (factor, max_buckets, max_threshold) in
            [(1.1, 160, 0.0), (1.01, 20, 0.0), (1.1, 10, 1e-3), (1.002, 100, 0.1), (2.0, 3, 1.0)]
        {
            agrees_with_the_twin(&values, factor, max_buckets, max_threshold, seed % 2 == 0);
        }
    }
}

quickcheck! {
    fn the_same_buckets_for_any_values(values: Vec<f64>, max_buckets: u8) -> TestResult {
        if values.iter().any(|value| !value.is_finite()) {
            return TestResult::discard();
        }
        agrees_with_the_twin(&values, 1.1, max_buckets.into(), 1.0, true);
        TestResult::passed()
    }
}

#[test]
fn what_is_no_ordinary_number() {
    let registry = Registry::new();
    let histogram = registry.histogram("h", "").unwrap();
    for value in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, f64::NAN] {
        histogram.observe(value);
    }
    let found = read(&registry);
    assert_eq!(found.count, Number::from(7_u64));
    assert!(found.sum.unwrap().is_nan());
    let native = found.native.unwrap();
    assert_eq!(native.zero_count, Number::from(3_u64));
    let last = native.schema.index_of(f64::MAX);
    assert_eq!(buckets(&native.positive), [(last, 1), (last + 1, 1)].into());
    assert_eq!(buckets(&native.negative), [(last + 1, 1)].into());
    let classic = found.classic.unwrap();
    assert_eq!(classic.last().unwrap().count, Number::from(4_u64), "NaN and what is above are only in +Inf");
}

#[test]
fn resets_begin_anew_and_say_so() {
    let registry = Registry::new();
    let native = Native::new().with_max_buckets(2).with_min_reset(std::time::Duration::ZERO);
    let histogram: Histogram = registry.metric("h", "").native(native).register().unwrap();
    for value in [1.0, 2.0, 4.0] {
        histogram.observe(value);
    }
    let found = read(&registry);
    assert_eq!(
        (found.count, found.sum),
        (Number::from(1_u64), Some(Number::from(4.0))),
        "the third was one too many"
    );
    histogram.reset();
    assert_eq!((histogram.count(), histogram.sum()), (0, 0.0));
    histogram.observe(3.0);
    assert_eq!((histogram.count(), histogram.sum()), (1, 3.0));
}

#[test]
fn settings_that_make_no_sense() {
    let registry = Registry::new();
    for (native, rule) in [
        (Native::new().with_factor(1.0), "NH-26"),
        (Native::new().with_factor(f64::NAN), "NH-26"),
        (Native::new().with_zero_threshold(-1.0), "NH-14"),
        (Native::new().with_max_zero_threshold(f64::INFINITY), "NH-14"),
    ] {
        let refused = registry.metric("h", "").native(native).register::<Histogram>().unwrap_err();
        assert_eq!(refused.rule(), Some(rule));
    }
}

/// Writers observe ones and thousands alternately while somebody reads: in every reading count, buckets and sum are of
/// the same observations, and in the end none is missing.
fn every_reading_is_of_one_piece(registry: &Registry, histogram: &Histogram) {
    const WRITERS: u64 = 3;
    const EACH: u64 = 60_000;
    let done = AtomicBool::new(false);
    let (done, check) = (&done, &|| {
        let found = read(registry);
        let count = found.count.as_u64().unwrap();
        let native = found.native.unwrap();
        let in_buckets: Vec<u64> = buckets(&native.positive).into_values().collect();
        assert_eq!(in_buckets.iter().sum::<u64>() + native.zero_count.as_u64().unwrap(), count);
        let classic = found.classic.unwrap();
        let ones = classic.iter().find(|bucket| bucket.upper_bound == 1.0).unwrap().count.as_u64().unwrap();
        let sum = found.sum.unwrap().as_f64();
        assert_eq!(sum, ones as f64 + (count - ones) as f64 * 1000.0, "the sum is of the same observations");
        count
    });
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    for i in 0..EACH {
                        histogram.observe(if i % 2 == 0 { 1.0 } else { 1000.0 });
                    }
                })
            })
            .collect();
        let reader = scope.spawn(move || {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let count = check();
                assert!(count >= last, "counts never fall");
                last = count;
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(check(), WRITERS * EACH);
}

#[test]
fn every_reading_of_parts_of_threads_is_of_one_piece() {
    let registry = Registry::new();
    every_reading_is_of_one_piece(&registry, &registry.histogram("h", "").unwrap());
}

#[test]
fn every_reading_of_shared_parts_is_of_one_piece() {
    let registry = Registry::new();
    let family: Family<[&str; 1], Histogram> = registry.metric("h", "").labels(["k"]).register().unwrap();
    every_reading_is_of_one_piece(&registry, &family.handle(["v"]));
}

#[test]
fn nothing_is_lost_while_the_resolution_gives_way() {
    let registry = Registry::new();
    let native = Native::new().with_factor(1.002).with_max_buckets(12).with_max_zero_threshold(1e-6);
    let histogram: Histogram = registry.metric("h", "").native(native).register().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|seed| {
                let histogram = &histogram;
                scope.spawn(move || {
                    let mut fraction = fractions(seed);
                    for i in 0..20_000 {
                        histogram.observe((fraction() * f64::from(i % 60) - 20.0).exp2());
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let found = read(&registry);
                let native = found.native.unwrap();
                let positive = buckets(&native.positive);
                assert!(positive.len() <= 12, "{positive:?}");
                let all = positive.values().sum::<u64>() + native.zero_count.as_u64().unwrap();
                assert_eq!(found.count, Number::from(all));
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(histogram.count(), 60_000);
}

fn page_without_start(registry: &Registry, format: Format) -> String {
    let mut page = Vec::new();
    let report = encode(registry, format, &mut page);
    assert!(report.is_clean(), "{report:?}");
    let page = String::from_utf8(page).unwrap();
    page.lines().map(|line| line.split(" st@").next().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn custom_buckets_are_native_in_the_program_and_classic_on_the_wire() {
    fn both<I: Instrument>() -> [(Registry, I); 2] {
        [true, false].map(|custom| {
            let registry = Registry::new();
            let define = registry.metric("sizes", "Sizes.");
            let bounds = [-1.0, 0.0, 2.5, 10.0];
            let define =
                if custom { define.custom_buckets(bounds) } else { define.buckets(bounds).native(None) };
            let metric = define.register().unwrap();
            (registry, metric)
        })
    }
    let values = [-3.0, -1.0, 2.0, 2.5, 11.0, f64::INFINITY, f64::NEG_INFINITY];
    let histograms = both::<Histogram>();
    let here = both::<GaugeHistogram>();
    for value in values {
        for ((_, histogram), (_, here)) in histograms.iter().zip(&here) {
            histogram.observe(value);
            here.add(value);
        }
    }
    for [custom, classic] in [histograms.each_ref().map(|(r, _)| r), here.each_ref().map(|(r, _)| r)] {
        let (read, simple) = (read(custom), read(classic));
        let native = read.native.as_ref().unwrap();
        assert_eq!((native.schema, &*native.custom_bounds), (Schema::CUSTOM, &[-1.0, 0.0, 2.5, 10.0][..]));
        assert_eq!(buckets(&native.positive), [(0, 3), (2, 2), (4, 2)].into());
        assert!(native.negative.spans.is_empty() && native.zero_count.same_value(Number::ZERO));
        assert_eq!((read.count, read.classic), (simple.count, simple.classic));
        assert!(simple.native.is_none());
        for format in [Format::TEXT_0_0_4, Format::TEXT_1_0_0, Format::OPENMETRICS_2_0] {
            let [custom, classic] = [custom, classic].map(|registry| page_without_start(registry, format));
            assert_eq!(custom, classic, "{format}");
            assert!(!custom.contains("schema"), "{custom}");
        }
    }
    let registry = Registry::new();
    let wrong = registry.metric("a", "").custom_buckets([2.0, 1.0]).register::<Histogram>().unwrap_err();
    assert_eq!(wrong.rule(), Some("OM1-HIS-01"));
    assert!(registry.metric("a", "").custom_buckets([1.0]).register::<Counter>().is_err());
}
