//! `cargo xtask`: the project's own tools behind one command.

mod lint;
mod setup;
mod steps;
mod test;
mod workspace;

use std::env;
use std::process::ExitCode;

const HELP: &str = "\
The project's own tools.

Usage: cargo xtask <TASK>

Tasks:
  test    Set up what the tests need, then run all of them: units, properties, documentation, peers
  lint    Formatting, clippy and documentation with warnings as errors, every feature alone
  setup   Only the set-up: on Debian, install the packages that the peer tests use
  help    This text

Plain `cargo test --workspace` works as well; tests whose peers are missing then say so and are skipped.
";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let task = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let outcome = match (task.as_deref(), rest.as_slice()) {
        (Some("test"), []) => test::run(),
        (Some("lint"), []) => lint::run(),
        (Some("setup"), []) => setup::run(),
        (None | Some("help" | "--help" | "-h"), _) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        (Some("test" | "lint" | "setup"), [argument, ..]) => {
            Err(format!("it takes no arguments, found {argument:?}"))
        }
        (Some(task), _) => Err(format!("there is no task {task:?}; `cargo xtask help` lists them")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nerror: {message}");
            ExitCode::FAILURE
        }
    }
}
