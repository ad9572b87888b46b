//! `cargo xtask abuse`: builds our programs, and puts each to everything that strangers and broken scrapers do.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use xtask::abuse::{CASES, Case, Kind, Scale, Subject};

use crate::arguments::Arguments;
use crate::steps;
use crate::workspace::{cargo, packages, root};

pub(crate) const HELP: &str = "\
Treats our programs as strangers and broken scrapers do, and prints what they made of it. Everything runs on loopback,
bounded in count and time, against programs that it builds in release mode, starts, and ends itself. What only waits is
done at the same time; what loads the machine is done alone.

Usage: cargo xtask abuse [--subject WORD] [--case WORD] [--soak SECONDS]

Options:
  --subject WORD   Only programs whose name contains WORD
  --case WORD      Only cases whose name contains WORD
  --soak SECONDS   How long each program is watched while it is scraped every second (60)
";

/// A program of ours.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    kind: Kind,
    pub(crate) package: &'static str,
    /// Which of the package's programs it is, as `cargo build` takes it.
    selection: [&'static str; 2],
    /// Where the built program is, from the folder of the build.
    path: &'static str,
}

pub(crate) const SOURCES: &[Source] = &[
    Source {
        name: "node-exporter",
        kind: Kind::Node,
        package: "openmetrics-node-exporter",
        selection: ["--bin", "node-exporter"],
        path: "node-exporter",
    },
    Source {
        name: "snmp-bridge",
        kind: Kind::Snmp,
        package: "openmetrics-snmp-bridge",
        selection: ["--bin", "snmp-bridge"],
        path: "snmp-bridge",
    },
    Source {
        name: "quickstart",
        kind: Kind::Application,
        package: "openmetrics-examples",
        selection: ["--example", "quickstart"],
        path: "examples/quickstart",
    },
    Source {
        name: "churn",
        kind: Kind::Churn,
        package: "openmetrics-examples",
        selection: ["--example", "series_that_end"],
        path: "examples/series_that_end",
    },
];

/// A line of the table.
struct Row {
    subject: &'static str,
    case: &'static Case,
    seen: Result<String, String>,
    took: Duration,
}

pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut arguments = Arguments::new(arguments);
    let wanted_subject: String = arguments.option("--subject")?.unwrap_or_default();
    let wanted_case: String = arguments.option("--case")?.unwrap_or_default();
    let soak = Duration::from_secs(arguments.option("--soak")?.unwrap_or(60));
    arguments.finish()?;

    let present = packages()?;
    let mut subjects = Vec::new();
    for source in SOURCES.iter().filter(|s| s.name.contains(&wanted_subject)) {
        if present.iter().any(|package| package.name == source.package) {
            println!("\n==> building {}", source.name);
            subjects.push((source.name, source.build(Build::Release)?));
        }
    }
    let scale = Scale { soak, brief: false };
    let cases = || CASES.iter().filter(|case| case.name.contains(&wanted_case));
    println!("\n==> what only waits, at the same time");
    let mut rows: Vec<Row> = thread::scope(|scope| {
        let quiet = cases().filter(|case| !case.loud);
        let runs: Vec<_> = quiet
            .flat_map(|case| subjects.iter().map(move |(name, subject)| (*name, subject, case)))
            .map(|(name, subject, case)| scope.spawn(move || attempt(name, subject, case, scale)))
            .collect();
        runs.into_iter().filter_map(|run| run.join().ok().flatten()).collect()
    });
    println!("\n==> what loads the machine, alone");
    for (name, subject) in &subjects {
        rows.extend(cases().filter(|case| case.loud).filter_map(|case| attempt(name, subject, case, scale)));
    }
    if rows.is_empty() {
        return Err("there is no such program or case".to_owned());
    }
    print_table(&rows);
    let failures = rows.iter().filter(|row| row.seen.is_err()).count();
    if failures == 0 { Ok(()) } else { Err(format!("{failures} of {} failed", rows.len())) }
}

fn attempt(name: &'static str, subject: &Subject, case: &'static Case, scale: Scale) -> Option<Row> {
    let start = Instant::now();
    let seen = case.run(subject, scale)?;
    let row = Row { subject: name, case, seen, took: start.elapsed() };
    println!("{}", row.line());
    let _ = std::io::stdout().flush();
    Some(row)
}

impl Row {
    fn line(&self) -> String {
        let (verdict, figures) = match &self.seen {
            Ok(figures) => ("ok", figures),
            Err(why) => ("FAILED", why),
        };
        let seconds = self.took.as_secs_f64();
        format!("{verdict:>6}  {:<14} {:<13} {seconds:>5.1} s  {figures}", self.subject, self.case.name)
    }
}

fn print_table(rows: &[Row]) {
    println!("\n==> summary");
    for case in CASES {
        let mut of_case = rows.iter().filter(|row| row.case.name == case.name).peekable();
        if of_case.peek().is_some() {
            println!("\n{}: {}", case.name, case.bar);
            of_case.for_each(|row| println!("{}", row.line()));
        }
    }
}

/// How a program is built: to be measured, or as its tests have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    Release,
    Dev,
}

impl Source {
    /// Whether its page is one to be judged: that of the one which makes series and drops them is not.
    pub(crate) fn is_judged(&self) -> bool {
        self.kind != Kind::Churn
    }

    pub(crate) fn build(&self, build: Build) -> Result<Subject, String> {
        let mut command = cargo(["build", "--quiet", "--package", self.package]);
        command.args(self.selection);
        let folder = match build {
            Build::Release => {
                command.arg("--release");
                "target/release"
            }
            Build::Dev => "target/debug",
        };
        steps::run(&mut command)?;
        Ok(Subject::new(self.kind, root().join(folder).join(self.path)))
    }
}
