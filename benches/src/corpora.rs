//! Expositions made up from seeded numbers, each like a kind of page that is met in practice.

use openmetrics::model::{
    ClassicBucket, CountsBuf, Descriptor, Exemplar, Histogram, LabelSet, Metric, MetricFamily, MetricName,
    MetricPoint, MetricSet, MetricType, MetricValue, NativeBuckets, Number, Schema, Side, Span, Timestamp,
};

use crate::Random;

/// A page like a node exporter's: many families, few metrics in each, short labels, values of every size.
pub fn node() -> MetricSet {
    let mut random = Random::new(1);
    let families = (0..300)
        .map(|at| {
            let metric_type = if at % 3 == 0 { MetricType::Counter } else { MetricType::Gauge };
            let name = format!("node_{}_{}_{at}", WORDS[at % 8], WORDS[at / 8 % 8]);
            let series = if at % 10 == 0 { 64 } else { 1 + at % 5 };
            let metrics = (0..series).map(|n| {
                let labels = match series {
                    1 => LabelSet::EMPTY,
                    64 => set(&[("cpu", &(n / 8).to_string()), ("mode", WORDS[n % 8])]),
                    _ => set(&[("device", &format!("eth{n}"))]),
                };
                let value: Number = if random.below(2) == 0 {
                    random.below(1 << 40).into()
                } else {
                    ((random.fraction() * 1e7).round() / 100.0).into()
                };
                metric(labels, MetricPoint::new(MetricValue::Number(value)))
            });
            family(&name, metric_type, metrics.collect())
        })
        .collect();
    MetricSet { families }
}

/// A page like that of kube-state-metrics: ten families of a thousand metrics with six labels.
pub fn label_rich() -> MetricSet {
    let mut random = Random::new(2);
    let families = (0..10)
        .map(|at| {
            let metrics = (0..1000).map(|n| {
                let pod =
                    format!("{}-{:08x}-{:05x}", WORDS[n % 8], random.below(1 << 32), random.below(1 << 20));
                let labels = set(&[
                    ("namespace", &format!("team-{}", n % 37)),
                    ("pod", &pod),
                    ("uid", &format!("{:016x}-{:016x}", random.number(), random.number())),
                    ("container", WORDS[n / 8 % 8]),
                    ("node", &format!("ip-10-0-{}-{}.eu-central-1.compute.internal", n % 13, n % 251)),
                    ("phase", ["Pending", "Running", "Succeeded", "Failed"][n % 4]),
                ]);
                metric(labels, MetricPoint::new(MetricValue::Number(random.below(2).into())))
            });
            family(&format!("kube_pod_{}_{at}", WORDS[at % 8]), MetricType::Gauge, metrics.collect())
        })
        .collect();
    MetricSet { families }
}

/// Request durations: twenty families of fifty histograms with fifteen classic buckets.
pub fn histograms() -> MetricSet {
    let mut random = Random::new(3);
    MetricSet { families: (0..20).map(|at| histogram_family(&mut random, at, 50, false)).collect() }
}

/// Counters and histograms with an exemplar wherever there may be one.
pub fn exemplars() -> MetricSet {
    let mut random = Random::new(4);
    let mut families: Vec<_> = (0..10).map(|at| histogram_family(&mut random, at, 20, true)).collect();
    families.extend((0..10).map(|at| {
        let metrics = (0..200).map(|n| {
            let mut point = MetricPoint::new(MetricValue::Number(random.below(1 << 30).into()));
            point.exemplars.push(exemplar(&mut random, 1.0));
            metric(set(&[("route", &format!("/api/v1/{}/{n}", WORDS[n % 8]))]), point)
        });
        family(&format!("app_{}_{at}", WORDS[at % 8]), MetricType::Counter, metrics.collect())
    }));
    MetricSet { families }
}

/// Native histograms of schema 3, about eighty buckets in some ten spans each.
pub fn native() -> MetricSet {
    let mut random = Random::new(5);
    let families = (0..10)
        .map(|at| {
            let metrics = (0..100).map(|n| {
                let mut spans = Vec::new();
                let mut counts = Vec::new();
                for span in 0..10 {
                    let length = 4 + random.below(9) as u32;
                    let offset = if span == 0 { -40 } else { 1 + random.below(4) as i32 };
                    spans.push(Span { offset, length });
                    counts.extend((0..length).map(|_| random.below(300)));
                }
                let count: u64 = counts.iter().sum();
                let native = NativeBuckets {
                    schema: Schema::exponential(3).unwrap_or(Schema::MAX),
                    zero_threshold: 2.0_f64.powi(-128),
                    zero_count: Number::ZERO,
                    positive: Side { spans, counts: CountsBuf::Integer(counts) },
                    negative: Side::default(),
                    custom_bounds: Vec::new(),
                };
                let sum = Some((random.fraction() * 1e6).into());
                let value = Histogram { count: count.into(), sum, classic: None, native: Some(native) };
                let mut point = MetricPoint::new(MetricValue::Histogram(Box::new(value)));
                point.start = Some(Timestamp::from_seconds(1_700_000_000));
                metric(set(&[("route", &format!("/api/v1/{}/{n}", WORDS[n % 8]))]), point)
            });
            family(&format!("app_{}_seconds_{at}", WORDS[at % 8]), MetricType::Histogram, metrics.collect())
        })
        .collect();
    MetricSet { families }
}

const WORDS: [&str; 8] = ["idle", "system", "user", "iowait", "memory", "network", "disk", "queue"];

fn histogram_family(random: &mut Random, at: usize, series: usize, with_exemplars: bool) -> MetricFamily {
    let metrics = (0..series).map(|n| {
        let mut count = 0;
        let mut exemplars = Vec::new();
        let classic = (0..15)
            .map(|bucket| {
                count += random.below(1000);
                let upper_bound = 0.001 * 2.0_f64.powi(bucket);
                if with_exemplars {
                    exemplars.push(exemplar(random, upper_bound));
                }
                ClassicBucket { upper_bound, count: count.into() }
            })
            .collect();
        let sum = Some((random.fraction() * 1e6).into());
        let value = Histogram { count: (count + 3).into(), sum, classic: Some(classic), native: None };
        let mut point = MetricPoint::new(MetricValue::Histogram(Box::new(value)));
        point.exemplars = exemplars;
        metric(
            set(&[("method", ["GET", "PUT"][n % 2]), ("route", &format!("/api/v1/{}/{n}", WORDS[n % 8]))]),
            point,
        )
    });
    family(&format!("http_{}_seconds_{at}", WORDS[at % 8]), MetricType::Histogram, metrics.collect())
}

fn exemplar(random: &mut Random, value: f64) -> Exemplar {
    Exemplar {
        labels: set(&[("trace_id", &format!("{:016x}{:016x}", random.number(), random.number()))]),
        value: value.into(),
        timestamp: Some(Timestamp::from_millis(1_700_000_000_000 + random.below(1 << 30) as i64)),
    }
}

fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied()).expect("the names are valid and differ")
}

fn metric(labels: LabelSet, point: MetricPoint) -> Metric {
    Metric { labels, points: vec![point] }
}

fn family(name: &str, metric_type: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let name = MetricName::new(name).expect("the name is valid");
    let descriptor = Descriptor::new(name, metric_type).with_help("What it is, in a few words of its own.");
    MetricFamily { descriptor, metrics }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmetrics::format::{Format, encode};

    #[test]
    fn every_format_takes_every_corpus() {
        for (set, points) in [
            (node(), 2790),
            (label_rich(), 10_000),
            (histograms(), 1000),
            (exemplars(), 2200),
            (native(), 1000),
        ] {
            for format in [
                Format::TEXT_0_0_4,
                Format::OPENMETRICS_1_0,
                Format::OPENMETRICS_2_0,
                Format::PROMETHEUS_PROTOBUF,
                Format::OPENMETRICS_PROTOBUF,
            ] {
                let report = encode(&set, format, &mut Vec::new());
                assert!(report.is_clean(), "{format}: {report:?}");
                assert_eq!(report.points(), points, "{format}");
            }
        }
    }
}
