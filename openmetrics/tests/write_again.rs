//! What a thread remembers from page to page changes nothing: each page is what a thread that never wrote one makes of it.

use openmetrics::format::{Escaping, Format, encode};
use openmetrics::instrument::{self, GaugeHistogram, Histogram, Native, Summary};
use openmetrics::model::{
    Collected, Collector, Descriptor, Emitter, LabelSet, Labels, MetricName, MetricType, Number, State,
    Timestamp, Unit, Value,
};
use openmetrics::registry::{Definition, Registry};
use quickcheck::{Arbitrary, Gen, quickcheck};
use std::time::Duration;

/// A family and its points: which labels, which value, and whether it has a time.
#[derive(Clone, Debug)]
struct Family {
    name: &'static str,
    metric_type: MetricType,
    help: &'static str,
    unit: bool,
    scoped: bool,
    points: Vec<(usize, i64, bool)>,
}

const LABELS: &[&[(&str, &str)]] = &[
    &[],
    &[("a", "1")],
    &[("a", "2")],
    &[("a", "1"), ("b", "x\"y\\z\n")],
    &[("b", "x\"y\\z\n"), ("a", "1")],
    &[("a", "1\",b=\"2")],
    &[("a", "1"), ("b", "2")],
    &[("a", "1"), ("a", "2")],
    &[("a.b", "1")],
    &[("a_b", "1")],
    &[("a.b", "1"), ("a_b", "2")],
    &[("le", "1")],
    &[("quantile", "1")],
    &[("__a", "1")],
    &[("_a", "1")],
    &[("", "1")],
    &[("zone", "here")],
    &[("é", "1")],
];

impl Arbitrary for Family {
    fn arbitrary(g: &mut Gen) -> Self {
        let labels: Vec<usize> = (0..LABELS.len()).collect();
        let usual: &[usize] = &[0, 1, 2, 3, 6];
        let usual_only = u8::arbitrary(g) % 4 > 0;
        let mut point = |_| {
            let of = if usual_only { usual } else { &labels };
            (*g.choose(of).unwrap(), i64::from(i8::arbitrary(g)), u8::arbitrary(g) % 16 == 0)
        };
        let points = (0..4).map(&mut point).collect();
        Self {
            name: g.choose(&["a", "a_total", "b", "b.c", "b_c", "_d", "e:f", "g_seconds"]).unwrap(),
            metric_type: *g.choose(&MetricType::ALL).unwrap(),
            help: g.choose(&["", "Help.", "With \"quotes\", \\ and\nlines.", "Carriage.\r"]).unwrap(),
            unit: bool::arbitrary(g),
            scoped: u8::arbitrary(g) % 8 == 0,
            points,
        }
    }
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let (family, before) = (self.clone(), self.points.clone());
        Box::new(before.shrink().map(move |points| Self { points, ..family.clone() }))
    }
}

struct Page<'p>(&'p [Family]);

impl Collector for Page<'_> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let (zone, none) = (LabelSet::from_pairs([("zone", "here")])?, LabelSet::EMPTY);
        for family in self.0 {
            let mut descriptor =
                Descriptor::new(MetricName::utf8(family.name)?, family.metric_type).with_help(family.help);
            if family.unit {
                descriptor = descriptor.with_unit(Unit::SECONDS);
            }
            let (prefix, labels) = if family.scoped { ("scope", &zone) } else { ("", &none) };
            let mut scope = out.scoped(prefix, labels);
            let mut points = scope.family(&descriptor);
            for &(labels, number, timed) in &family.points {
                let labels = Labels::new(LABELS[labels]);
                let states = [State { name: "on", enabled: number > 0 }];
                let number = Number::Signed(number);
                let value = match family.metric_type {
                    MetricType::StateSet => Value::StateSet(&states),
                    MetricType::Info => Value::Info(Labels::new(&[("version", "1")])),
                    _ => Value::Number(number),
                };
                let point = openmetrics::model::Point::new(value);
                points.point(labels, point.at(timed.then(|| Timestamp::from_seconds(7))));
            }
        }
        Ok(())
    }
}

const FORMATS: [Format; 7] = [
    Format::TEXT_0_0_4,
    Format::TEXT_1_0_0,
    Format::OPENMETRICS_1_0,
    Format::OPENMETRICS_2_0,
    Format::PROMETHEUS_PROTOBUF,
    Format::OPENMETRICS_PROTOBUF,
    Format::OPENMETRICS_1_0.with_escaping(Escaping::AllowUtf8),
];

/// The page in a format, and what was refused of it.
fn page(families: &[Family], format: Format) -> (Vec<u8>, Vec<String>) {
    let mut page = Vec::new();
    let report = encode(&Page(families), format, &mut page);
    (page, report.refusals().iter().map(ToString::to_string).collect())
}

/// The same by a thread that remembers nothing.
fn fresh_page(families: &[Family], format: Format) -> (Vec<u8>, Vec<String>) {
    std::thread::scope(|scope| scope.spawn(|| page(families, format)).join()).expect("it does not panic")
}

fn gauge(name: &'static str, labels: &[usize]) -> Family {
    let points = labels.iter().map(|&labels| (labels, 1, false)).collect();
    Family { name, metric_type: MetricType::Gauge, help: "Help.", unit: false, scoped: false, points }
}

#[test]
fn what_turns_bad_later_is_refused_then() {
    let good = [gauge("a", &[1, 2]), gauge("a_total", &[0])];
    let clash = [Family { metric_type: MetricType::Counter, ..gauge("a", &[1, 2]) }, good[1].clone()];
    let later: [(&[Family], &[&str]); 5] = [
        (&good, &[]),
        (
            &[gauge("a", &[1, 13])],
            &["a: label name \"__a\" begins with underscores, which are reserved [OM1-LAB-01]"],
        ),
        (&[gauge("a", &[1, 2, 1])], &["a: labels {a=\"1\"} are those of another metric [OM1-LAB-04]"]),
        (
            &[gauge("a", &[1, 14])],
            &["a: label names that begin with an underscore, as \"_a\", are reserved [OM1-LAB-01]"],
        ),
        (&clash, &["a_total: its sample name \"a_total\" clashes with family \"a\" [OM1-FAM-04]"]),
    ];
    for (families, refused) in later {
        for _ in 0..2 {
            assert!(page(&good, Format::OPENMETRICS_1_0).1.is_empty());
        }
        assert_eq!(page(families, Format::OPENMETRICS_1_0).1, refused);
    }
}

/// What was read of one distribution is read into again for the next one, which is of another kind.
#[test]
fn distributions_leave_nothing_to_each_other() -> Result<(), openmetrics::Error> {
    let registry = Registry::new();
    let minutes = Duration::from_secs(600);
    let shapes: [fn(Definition<'_>) -> Definition<'_>; 5] = [
        |of| of.buckets([0.1, 1.0]),
        |of| of.native(Native::default()),
        |of| of.buckets([0.5, 5.0, 50.0]).native(None),
        |of| of.custom_buckets([0.2, 2.0]),
        |of| of,
    ];
    let many: Vec<instrument::Family<[String; 1], Histogram>> = (shapes.iter().enumerate())
        .map(|(at, shape)| shape(registry.metric(format!("many_{at}"), "").labels(["a"])).register())
        .collect::<Result<_, _>>()?;
    let alone: Vec<Histogram> = (shapes.iter().enumerate())
        .map(|(at, shape)| shape(registry.metric(format!("alone_{at}"), "")).register())
        .collect::<Result<_, _>>()?;
    let places: Vec<GaugeHistogram> = (shapes.iter().enumerate())
        .map(|(at, shape)| shape(registry.metric(format!("place_{at}"), "")).register())
        .collect::<Result<_, _>>()?;
    let quantiles: Summary = registry.metric("quantiles", "").quantiles([0.5], minutes).register()?;
    let plain: Summary = registry.metric("plain", "").register()?;
    for value in 1..20_u32 {
        let value = f64::from(value * value) / 7.0;
        for (at, family) in many.iter().enumerate() {
            for label in 0..=at {
                family.with([label.to_string()]).observe(value);
            }
        }
        for (one, place) in alone.iter().zip(&places) {
            one.observe(value);
            place.add(-value);
        }
        quantiles.observe(value);
        plain.observe(value);
    }
    for format in FORMATS.into_iter().chain(FORMATS) {
        let page = || {
            let mut page = Vec::new();
            encode(&registry, format, &mut page);
            page
        };
        assert!(!page().is_empty());
        let fresh: Vec<u8> = std::thread::scope(|scope| scope.spawn(page).join()).expect("it does not panic");
        assert_eq!(page(), fresh, "{format}");
    }
    Ok(())
}

quickcheck! {
    /// Families and points that come again, are new, are gone, or change places, in one format after the other.
    fn a_page_is_what_it_is_without_the_pages_before(steps: Vec<(u8, usize, usize, Family, u8)>) -> bool {
        let mut families: Vec<Family> = Vec::new();
        steps.iter().take(12).all(|(step, at, other, family, format)| {
            let len = families.len();
            match step % 8 {
                0..=2 => families.insert(at % (len + 1), family.clone()),
                3 if len > 0 => { families.remove(at % len); }
                4 if len > 0 => families.swap(at % len, other % len),
                5 if len > 0 => families[at % len].points = family.points.clone(),
                6 if len > 0 => { families[at % len].points.pop(); }
                _ => {}
            }
            let format = FORMATS[usize::from(*format) % if *at % 3 == 0 { FORMATS.len() } else { 1 }];
            page(&families, format) == fresh_page(&families, format)
                && page(&families, format) == fresh_page(&families, format)
        })
    }
}
