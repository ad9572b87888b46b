//! The program `node-exporter`.

use std::process::ExitCode;

use openmetrics::model::{Collected, Collector, Emitter, MetricSet};
use openmetrics_node_exporter::args;
use openmetrics_node_exporter::scrape::{Node, Outcome, Selection};

fn main() -> ExitCode {
    let args = args::parse();
    match Node::new(&args.options, args.roots, &args.enabled) {
        Ok(node) => {
            examine(&node);
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            for error in wrong {
                eprintln!("error: {error}");
            }
            ExitCode::from(2)
        }
    }
}

/// Reads the host once and says how each collector fared.
fn examine(node: &Node) {
    struct Once<'a>(&'a Node, std::cell::RefCell<Vec<Outcome>>);
    impl Collector for Once<'_> {
        fn collect(&self, out: &mut Emitter<'_>) -> Collected {
            *self.1.borrow_mut() = self.0.scrape(&Selection::default(), out);
            Ok(())
        }
    }
    let once = Once(node, std::cell::RefCell::default());
    let (_, report) = MetricSet::collect_from(&once);
    for outcome in once.1.into_inner() {
        match outcome.problems.as_slice() {
            [] => println!("{:20} ok", outcome.name),
            problems => problems.iter().for_each(|problem| println!("{:20} {problem}", outcome.name)),
        }
    }
    for refusal in report.refusals() {
        println!("refused: {refusal}");
    }
    println!("{} samples", report.points());
}
