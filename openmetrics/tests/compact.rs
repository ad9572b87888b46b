//! Compact families: the same as others in all but memory.

use openmetrics::format::{Format, encode};
use openmetrics::{Counter, Family, Gauge, Histogram, Registry};
use quickcheck::{Arbitrary, Gen, quickcheck};

/// Values that need escapes, are empty, of exactly one or two words, or begin alike.
const VALUES: [&str; 9] = [
    "",
    "a",
    "b\\\"\n",
    "12345678",
    "1234567",
    "1234567890123456",
    "/api/v1/items/4711?a=b&c=d",
    "ü→😀",
    "overflow",
];

#[derive(Clone, Debug)]
enum Step {
    Add(usize, usize),
    Remove(usize, usize),
    RemoveMatching(usize),
    Guard(usize, usize),
    Unguard,
    Clear,
    Scrape,
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut value = || usize::arbitrary(g) % VALUES.len();
        let (a, b) = (value(), value());
        match u8::arbitrary(g) % 16 {
            0..=6 => Self::Add(a, b),
            7..=10 => Self::Remove(a, b),
            11 => Self::RemoveMatching(a),
            12 => Self::Guard(a, b),
            13 => Self::Unguard,
            14 if a == 0 => Self::Clear,
            _ => Self::Scrape,
        }
    }
}

/// The lines of two formats and the bytes of a third, sorted, since places differ.
fn pages(registry: &Registry) -> Vec<Vec<u8>> {
    let text = [Format::TEXT_1_0_0, Format::OPENMETRICS_1_0].map(|format| {
        let mut page = Vec::new();
        encode(registry, format, &mut page);
        let mut lines: Vec<_> = page.split(|&byte| byte == b'\n').collect();
        lines.sort_unstable();
        lines.join(&b'\n')
    });
    let mut protobuf = Vec::new();
    encode(registry, Format::PROMETHEUS_PROTOBUF, &mut protobuf);
    protobuf.sort_unstable();
    text.into_iter().chain([protobuf]).collect()
}

fn behaves_as_others(steps: &[Step], max_series: Option<usize>) -> bool {
    let registries = [false, true].map(|compact| {
        let registry = Registry::new();
        let scope = registry.scope("app").with_labels([("zone", "eu")]).unwrap();
        let family: Family<[&str; 2], Gauge> = scope
            .metric("hits", "Hits.")
            .labels(["a", "b"])
            .max_series(max_series)
            .compact(compact)
            .register()
            .unwrap();
        let mut guards = Vec::new();
        let mut seen = Vec::new();
        for step in steps {
            match *step {
                Step::Add(a, b) => family.with([VALUES[a], VALUES[b]]).inc(),
                Step::Remove(a, b) => seen.push(vec![u8::from(family.remove([VALUES[a], VALUES[b]]))]),
                Step::RemoveMatching(a) => {
                    let removed =
                        family.remove_matching(|labels| labels.get("a").as_deref() == Some(VALUES[a]));
                    seen.push(removed.to_be_bytes().to_vec());
                }
                Step::Guard(a, b) => guards.push(family.guard([VALUES[a], VALUES[b]])),
                Step::Unguard => drop(guards.pop()),
                Step::Clear => family.clear(),
                Step::Scrape => seen.extend(pages(&registry)),
            }
        }
        seen.extend(pages(&registry));
        drop(guards);
        seen.extend(pages(&registry));
        seen.push(family.len().to_be_bytes().to_vec());
        seen
    });
    registries[0] == registries[1]
}

quickcheck! {
    fn they_behave_as_others(steps: Vec<Step>) -> bool {
        behaves_as_others(&steps, None)
    }

    fn also_at_a_limit(steps: Vec<Step>, max: u8) -> bool {
        behaves_as_others(&steps, Some(usize::from(max % 5)))
    }
}

#[test]
fn values_that_come_and_go_leave_nothing() {
    let registry = Registry::new();
    let family: Family<[&str; 2], Counter> =
        registry.metric("hits", "Hits.").labels(["id", "kind"]).compact(true).register().unwrap();
    for id in 0..20_000_u32 {
        let id = id.to_string();
        let _guard = family.guard([&*id, "of many"]);
    }
    family.with(["20000", "of many"]).inc();
    let mut page = Vec::new();
    encode(&registry, Format::TEXT_0_0_4, &mut page);
    assert!(String::from_utf8(page).unwrap().ends_with("hits_total{id=\"20000\",kind=\"of many\"} 1\n"));
    assert_eq!(family.len(), 1);
}

#[test]
fn histograms_and_families_without_labels() {
    let registry = Registry::new();
    let sizes: Family<[&str; 0], Histogram> =
        registry.metric("sizes", "Sizes.").native(None).buckets([1.0]).compact(true).register().unwrap();
    sizes.with([""; 0]).observe(0.5);
    sizes.handle([""; 0]).observe(2.0);
    let mut page = Vec::new();
    encode(&registry, Format::TEXT_0_0_4, &mut page);
    let expected = "# HELP sizes Sizes.\n# TYPE sizes histogram\nsizes_bucket{le=\"1\"} 1\n\
        sizes_bucket{le=\"+Inf\"} 2\nsizes_sum 2.5\nsizes_count 2\n";
    assert_eq!(String::from_utf8(page).unwrap(), expected);
}

/// Threads find, make and remove series of few labels while somebody scrapes: at the end what was counted since is there.
#[test]
fn threads_share_a_family() {
    let registry = Registry::new();
    let family: Family<[u32; 2], Counter> =
        registry.metric("hits", "Hits.").labels(["thread", "n"]).compact(true).register().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3_u32 {
            let family = &family;
            scope.spawn(move || {
                for n in 0..5_000_u32 {
                    family.with([thread, 0]).inc();
                    family.with([9, n % 7]).inc();
                    family.remove([9, n % 5]);
                }
            });
        }
        for _ in 0..20 {
            assert!(encode(&registry, Format::OPENMETRICS_1_0, &mut Vec::new()).is_clean());
        }
    });
    assert!((0..3).all(|thread| family.with([thread, 0]).get() == 5_000));
}
