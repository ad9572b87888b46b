//! The program `node-exporter`.

use std::cell::RefCell;
use std::io::Write as _;
use std::process::ExitCode;

use openmetrics::format::{Format, encode};
use openmetrics::model::{Collected, Collector, Emitter};
use openmetrics_node_exporter::args;
use openmetrics_node_exporter::scrape::{Node, Outcome, Selection};

fn main() -> ExitCode {
    let args = args::parse();
    match Node::new(&args.options, args.roots, &args.enabled) {
        Ok(node) => dry_run(&node),
        Err(wrong) => {
            for error in wrong {
                eprintln!("error: {error}");
            }
            ExitCode::from(2)
        }
    }
}

/// Reads the host once, prints the page, and says on the side how each collector fared.
fn dry_run(node: &Node) -> ExitCode {
    struct Once<'a>(&'a Node, RefCell<Vec<Outcome>>);
    impl Collector for Once<'_> {
        fn collect(&self, out: &mut Emitter<'_>) -> Collected {
            *self.1.borrow_mut() = self.0.scrape(&Selection::default(), out);
            Ok(())
        }
    }
    let once = Once(node, RefCell::default());
    let mut page = Vec::new();
    let report = encode(&once, Format::TEXT_0_0_4, &mut page);
    let written = std::io::stdout().write_all(&page);
    for outcome in once.1.into_inner() {
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
