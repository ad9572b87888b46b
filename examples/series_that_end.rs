//! Series that end: one for each job that runs, removed when the job is done, so that a page never has more than what is
//! there now.
//!
//!     cargo run --example series_that_end -p openmetrics-examples -- --a-second 1000
//!     curl http://127.0.0.1:9000/metrics
//!
//! Labels whose values never come back cost memory for ever, here and in the database behind the scraper; a series that
//! is removed when its subject ends costs only what the database keeps.

use std::thread;
use std::time::{Duration, Instant};

use openmetrics::registry::Registry;
use openmetrics::{Counter, Family, Gauge, LabelSet, Metrics};

#[derive(Metrics)]
#[metrics(prefix = "jobs")]
struct Jobs {
    /// Jobs done.
    done: Counter,
    /// How far each job is that runs, from 0 to 1.
    progress: Family<Job<'static>, Gauge<f64>>,
}

#[derive(LabelSet)]
struct Job<'a> {
    id: &'a str,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let jobs = Jobs::register(&registry)?;
    let a_second: u32 = argument("--a-second").unwrap_or("10".to_owned()).parse()?;
    let listen = argument("--listen").unwrap_or("127.0.0.1:9000".to_owned());
    let server = openmetrics::http::serve_collector(listen, registry)?;
    println!("metrics: http://{}/metrics", server.address());
    work(&jobs, a_second);
    Ok(())
}

/// Begins that many jobs each second and ends those of the second before.
fn work(jobs: &Jobs, a_second: u32) {
    let mut running: Vec<String> = Vec::new();
    for second in 0_u64.. {
        let began = Instant::now();
        let ids: Vec<String> = (0..a_second).map(|job| format!("{second}-{job}")).collect();
        for id in &ids {
            jobs.progress.with(Job { id }).set(0.5);
        }
        for id in running.drain(..) {
            jobs.progress.remove(&Job { id: &id });
            jobs.done.inc();
        }
        running = ids;
        thread::sleep(Duration::from_secs(1).saturating_sub(began.elapsed()));
    }
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
