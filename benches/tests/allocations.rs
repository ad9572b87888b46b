//! What a scrape takes from the allocator. The only test of its program, all of which is counted.

use std::time::Duration;

use openmetrics::format::{Escaping, Format, encode};
use openmetrics::instrument::{
    Counter, Family, Gauge, GaugeHistogram, Histogram, LabelEnum, Native, StateSet, Summary,
};
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

#[derive(Clone, Copy)]
enum Mode {
    Slow,
    Fast,
}
impl LabelEnum for Mode {
    const NAMES: &'static [&'static str] = &["slow", "fast"];
    fn index(self) -> usize {
        self as usize
    }
}

fn registry() -> Result<Registry, openmetrics::Error> {
    let registry = Registry::new();
    let requests: Family<[String; 2], Counter> =
        registry.metric("requests", "Requests served.").labels(["method", "path"]).register()?;
    let busy: Family<[String; 1], Counter<f64>> =
        registry.metric("busy_seconds", "Time spent.").labels(["worker"]).register()?;
    let depth: Family<[String; 1], Gauge> = registry.metric("depth", "").labels(["queue"]).register()?;
    let latency: Family<[String; 1], Histogram> =
        registry.metric("latency_seconds", "Time to first byte.").labels(["path"]).register()?;
    let size: Family<[String; 1], Histogram> =
        registry.metric("size_bytes", "Sent.").labels(["path"]).native(Native::default()).register()?;
    let waited: Family<[String; 1], Summary> = registry
        .metric("waited_minutes", "Time in queues.")
        .labels(["queue"])
        .quantiles([0.5, 0.99], Duration::from_mins(10))
        .register()?;
    for at in 0..300 {
        requests.with(["GET".to_owned(), format!("/{at}")]).inc();
        busy.with([at.to_string()]).inc_by(f64::from(at) / 7.0);
        depth.with([format!("\"{at}\"")]).set(at.into());
    }
    for at in 0..100 {
        for value in [0.02, 0.3, f64::from(at)] {
            latency.with([at.to_string()]).observe(value);
            size.with([at.to_string()]).observe(1000.0 * value);
            waited.with([at.to_string()]).observe(value);
        }
    }
    let alone: Histogram = registry.metric("alone_seconds", "Time.").native(Native::default()).register()?;
    alone.observe(0.3);
    let age: GaugeHistogram =
        registry.metric("age_seconds", "Of what waits.").buckets([0.1, 1.0]).register()?;
    age.add(0.3);
    let mode: StateSet<Mode> = registry.metric("mode", "Of work.").register()?;
    mode.set(Mode::Slow);
    mode.set(Mode::Fast);
    registry.info("build", "Build.", [("version", "1.2.3")])?;
    let up: Gauge = registry.metric("up", "Whether it runs.").register()?;
    up.set(1);
    Ok(registry)
}
