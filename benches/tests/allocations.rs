//! What a scrape of numbers takes from the allocator. The only test of its program, all of which is counted.

use openmetrics::format::{Escaping, Format, encode};
use openmetrics::instrument::{Counter, Family, Gauge};
use openmetrics::registry::Registry;
use openmetrics_benches::allocated;

#[test]
fn a_page_takes_nothing_after_the_first() {
    let registry = registry().expect("the definitions are right");
    for format in [
        Format::TEXT_0_0_4,
        Format::TEXT_1_0_0,
        Format::OPENMETRICS_1_0,
        Format::OPENMETRICS_1_0.with_escaping(Escaping::AllowUtf8),
        Format::OPENMETRICS_2_0,
        Format::PROMETHEUS_PROTOBUF,
        Format::OPENMETRICS_PROTOBUF,
    ] {
        let mut page = Vec::new();
        let mut scrape = || {
            page.clear();
            encode(&registry, format, &mut page).is_clean()
        };
        assert!(scrape() && scrape());
        // The thread that runs the tests may take something meanwhile, so the best of several pages counts.
        let calls = (0..20).map(|_| allocated(&mut scrape).1.calls).min();
        assert_eq!(calls, Some(0), "{format}");
    }
}

fn registry() -> Result<Registry, openmetrics::Error> {
    let registry = Registry::new();
    let requests: Family<[String; 2], Counter> =
        registry.metric("requests", "Requests served.").labels(["method", "path"]).register()?;
    let busy: Family<[String; 1], Counter<f64>> =
        registry.metric("busy_seconds", "Time spent.").labels(["worker"]).register()?;
    let depth: Family<[String; 1], Gauge> = registry.metric("depth", "").labels(["queue"]).register()?;
    for at in 0..300 {
        requests.with(["GET".to_owned(), format!("/{at}")]).inc();
        busy.with([at.to_string()]).inc_by(f64::from(at) / 7.0);
        depth.with([format!("\"{at}\"")]).set(at.into());
    }
    let up: Gauge = registry.metric("up", "Whether it runs.").register()?;
    up.set(1);
    Ok(registry)
}
