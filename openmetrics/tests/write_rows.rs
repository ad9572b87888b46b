//! Families are written page by page, partly from what the scrape before left there: whatever happens to them in between,
//! the page is that of their points, one by one.

use openmetrics::format::{Escaping, Format, encode};
use openmetrics::instrument::{Counter, Family, Gauge};
use openmetrics::model::MetricSet;
use openmetrics::registry::Registry;
use quickcheck::quickcheck;

const FORMATS: [Format; 6] = [
    Format::TEXT_0_0_4,
    Format::OPENMETRICS_1_0,
    Format::OPENMETRICS_2_0,
    Format::PROMETHEUS_PROTOBUF,
    Format::PROMETHEUS_PROTOBUF.with_escaping(Escaping::Underscores),
    Format::OPENMETRICS_PROTOBUF,
];

type Families = (Family<[String; 2], Counter>, Family<[String; 2], Counter<f64>>, Family<[String; 2], Gauge>);

fn register(registry: &Registry) -> Result<Families, openmetrics::Error> {
    Ok((
        registry.metric("jobs", "Jobs.").labels(["kind", "queue"]).register()?,
        registry.metric("waited_seconds", "Waited.").labels(["kind", "queue"]).register()?,
        registry.metric("depth", "Jobs that wait.").labels(["kind", "queue"]).register()?,
    ))
}

/// Something happens to one of 90 series, which fill more than one page.
fn change((jobs, waited, depth): &Families, what: u8, which: u8) {
    let labels = || [format!("k{}", which % 3), format!("\"{}\"\n", which % 90)];
    let handle = (jobs.handle(labels()), waited.handle(labels()), depth.handle(labels()));
    match what % 12 {
        0 => _ = jobs.remove(labels()),
        1 => _ = waited.remove(labels()) | depth.remove(labels()),
        2 => handle.0.reset(),
        3 => handle.0.inc_by_with_exemplar(2, &[("trace_id", "7")]),
        4 => _ = jobs.remove_matching(|found| found.get("kind").as_deref() == Some("k1")),
        what => {
            handle.0.inc_by(u64::from(what) << (which % 50));
            handle.1.inc_by(f64::from(which) / 8.0);
            handle.2.set(i64::from(which) - 100);
        }
    }
}

quickcheck! {
    fn a_page_from_rows_is_that_from_points(rounds: Vec<(u8, Vec<(u8, u8)>)>) -> bool {
        let registry = Registry::new();
        let Ok(families) = register(&registry) else { return false };
        (0..70).for_each(|which| change(&families, 5, which));
        rounds.iter().take(4).all(|(format, changes)| {
            changes.iter().take(30).for_each(|&(what, which)| change(&families, what, which));
            let format = FORMATS[usize::from(*format) % FORMATS.len()];
            let (set, _) = MetricSet::collect_from(&registry);
            let (mut rows, mut points) = (Vec::new(), Vec::new());
            let reports = (encode(&registry, format, &mut rows), encode(&set, format, &mut points));
            rows == points && reports.0.is_clean() && reports.0.points() == reports.1.points()
        })
    }
}
