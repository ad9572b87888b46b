//! The program `node-exporter`.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openmetrics::format::{Format, encode};
use openmetrics_exporter_toolkit::Exporter;
use openmetrics_node_exporter::args::{self, Task};
use openmetrics_node_exporter::doctor::Findings;
use openmetrics_node_exporter::scrape::{Metrics, Node, Outcome, Selection};
use openmetrics_node_exporter::{give_back_what_the_start_took, share_one_heap};

/// How long the host may take to be read when nobody waits but a person.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    share_one_heap();
    let args = args::parse();
    if args.task != Task::Doctor {
        args.log.init(); // what it would say the doctor does
    }
    let node = match Node::new(&args.options, args.roots, &args.enabled) {
        Ok(node) => Arc::new(node.sharing_within(args.share_within)),
        Err(wrong) => {
            for error in wrong {
                eprintln!("error: {error}");
            }
            return ExitCode::from(2);
        }
    };
    match args.task {
        Task::DryRun => return dry_run(&node),
        Task::Doctor => return doctor(&node),
        Task::Serve => {}
    }
    let (told, states) = (Arc::clone(&node), Arc::clone(&node));
    let held = node.hold_scrapes();
    Exporter::new("node_exporter", env!("CARGO_PKG_VERSION"))
        .about("Everything this Linux host can tell.")
        .metrics(Metrics(node))
        .left_out(move || {
            let lines = skipped(&told);
            give_back_what_the_start_took();
            drop(held);
            lines
        })
        .states(move || states.states())
        .run(&args.web)
}

/// What the collectors that are on cannot tell of this host, and why.
fn skipped(node: &Node) -> Vec<String> {
    let reading = node.read(&Selection::default(), Instant::now() + Duration::from_millis(500));
    let silent = reading.outcomes().filter(|outcome| outcome.reasons().next().is_some());
    let line =
        |outcome: &Outcome| format!("{}: {}", outcome.name, outcome.reasons().collect::<Vec<_>>().join("; "));
    silent.map(line).collect()
}

/// Reads the host once, prints the page, and says on the side how each collector fared.
fn dry_run(node: &Node) -> ExitCode {
    let reading = node.read(&Selection::default(), Instant::now() + PATIENCE);
    let mut page = Vec::new();
    let report = encode(&reading, Format::TEXT_0_0_4, &mut page);
    let written = std::io::stdout().write_all(&page);
    for outcome in reading.outcomes() {
        if outcome.reasons().next().is_none() {
            eprintln!("{:20} ok", outcome.name);
        }
        outcome.reasons().for_each(|why| eprintln!("{:20} {why}", outcome.name));
    }
    for refusal in report.refusals() {
        eprintln!("left out: {refusal}");
    }
    eprintln!("{} samples", report.points());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads the host once, and says how each collector fares; whether all is well is the exit code.
fn doctor(node: &Node) -> ExitCode {
    let reading = node.read(&Selection::default(), Instant::now() + PATIENCE);
    let report = encode(&reading, Format::TEXT_0_0_4, &mut Vec::new());
    let found = Findings::new(reading.outcomes(), report.points());
    let written = std::io::stdout().write_all(found.to_string().as_bytes());
    if written.is_ok() && found.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
