//! The program `node-exporter`.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openmetrics::format::{Format, encode};
use openmetrics_exporter_toolkit::Exporter;
use openmetrics_node_exporter::scrape::{Metrics, Node, Selection};
use openmetrics_node_exporter::{args, give_back_what_the_start_took, share_one_heap};

/// How long the host may take to be read when nobody waits but a person.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    share_one_heap();
    let args = args::parse();
    args.log.init();
    let node = match Node::new(&args.options, args.roots, &args.enabled) {
        Ok(node) => Arc::new(node.sharing_within(args.share_within)),
        Err(wrong) => {
            for error in wrong {
                eprintln!("error: {error}");
            }
            return ExitCode::from(2);
        }
    };
    if args.dry_run {
        return dry_run(&node);
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
    let silent = reading.outcomes().filter(|outcome| !outcome.problems.is_empty());
    silent.map(|outcome| format!("{}: {}", outcome.name, outcome.problems.join("; "))).collect()
}

/// Reads the host once, prints the page, and says on the side how each collector fared.
fn dry_run(node: &Node) -> ExitCode {
    let reading = node.read(&Selection::default(), Instant::now() + PATIENCE);
    let mut page = Vec::new();
    let report = encode(&reading, Format::TEXT_0_0_4, &mut page);
    let written = std::io::stdout().write_all(&page);
    for outcome in reading.outcomes() {
        match outcome.problems.as_slice() {
            [] => eprintln!("{:20} ok", outcome.name),
            problems => problems.iter().for_each(|problem| eprintln!("{:20} {problem}", outcome.name)),
        }
    }
    for refusal in report.refusals() {
        eprintln!("left out: {refusal}");
    }
    eprintln!("{} samples", report.points());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
