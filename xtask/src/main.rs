//! `cargo xtask`: the project's own tools behind one command.

mod abuse_task;
mod arguments;
mod fuzz;
mod judge;
mod lint;
mod loom;
mod sanitize;
mod setup;
mod steps;
mod test;
mod workspace;

use std::env;
use std::fmt::Write as _;
use std::process::ExitCode;

use arguments::Arguments;

/// One thing that `cargo xtask` does.
struct Task {
    name: &'static str,
    /// A line in the list of tasks.
    summary: &'static str,
    /// What `cargo xtask TASK --help` prints.
    help: &'static str,
    run: fn(&[String]) -> Result<(), String>,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        summary: "Set up what the tests need, then run all of them: units, properties, documentation, peers",
        help: test::HELP,
        run: |arguments| Arguments::new(arguments).finish().and_then(|()| test::run()),
    },
    Task {
        name: "lint",
        summary: "Formatting, clippy and documentation with warnings as errors, every feature alone",
        help: lint::HELP,
        run: |arguments| Arguments::new(arguments).finish().and_then(|()| lint::run()),
    },
    Task {
        name: "setup",
        summary: "Only the set-up: on Debian, install the packages that the peer tests use",
        help: setup::HELP,
        run: |arguments| Arguments::new(arguments).finish().and_then(|()| setup::run()),
    },
    Task {
        name: "judge",
        summary: "omtool on all that the project serves; part of test",
        help: judge::HELP,
        run: |arguments| Arguments::new(arguments).finish().and_then(|()| judge::run()),
    },
    Task {
        name: "loom",
        summary: "The models of the lock-free parts, every interleaving of them",
        help: loom::HELP,
        run: |arguments| Arguments::new(arguments).finish().and_then(|()| loom::run()),
    },
    Task {
        name: "sanitize",
        summary: "The stress programs under the address and the thread sanitizer",
        help: sanitize::HELP,
        run: |arguments| Arguments::new(arguments).finish().and_then(|()| sanitize::run()),
    },
    Task {
        name: "fuzz",
        summary: "Every fuzz target for some seconds each, and a table of what came out",
        help: fuzz::HELP,
        run: fuzz::run,
    },
    Task {
        name: "abuse",
        summary: "What strangers and broken scrapers do to an endpoint, against each of our programs",
        help: abuse_task::HELP,
        run: abuse_task::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nerror: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<(), String> {
    let is_help = |word: &String| ["help", "--help", "-h"].contains(&word.as_str());
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", help());
        return Ok(());
    };
    if is_help(name) {
        print!("{}", rest.first().and_then(|name| task(name)).map_or_else(help, |task| task.help.to_owned()));
        return Ok(());
    }
    let task = task(name).ok_or(format!("there is no task {name:?}; `cargo xtask help` lists them"))?;
    if rest.iter().any(is_help) {
        print!("{}", task.help);
        return Ok(());
    }
    (task.run)(rest)
}

fn task(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.name == name)
}

fn help() -> String {
    let mut tasks = String::new();
    for Task { name, summary, .. } in TASKS {
        let _ = writeln!(tasks, "  {name:<10}{summary}");
    }
    format!(
        "The project's own tools.\n\nUsage: cargo xtask <TASK>\n\nTasks:\n{tasks}\n\
         `cargo xtask TASK --help` says more about one of them.\n\n\
         Plain `cargo test` works as well; tests whose peers are missing then say so and are skipped.\n"
    )
}
