//! `cargo xtask abuse`: what strangers and broken scrapers do to an endpoint, against each of our programs.

mod client;
mod crowds;
mod endings;
mod requests;
mod slow;
mod soak;
mod subject;

use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::workspace::packages;
use subject::{SUBJECTS, Subject};

pub(crate) const HELP: &str = "\
Treats our programs as strangers and broken scrapers do, and prints what they made of it. Everything runs on loopback,
bounded in count and time, against programs that it builds in release mode, starts, and ends itself.

Usage: cargo xtask abuse [--subject WORD] [--case WORD] [--soak SECONDS]

Options:
  --subject WORD   Only programs whose name contains WORD
  --case WORD      Only cases whose name contains WORD
  --soak SECONDS   How long each program is watched while it is scraped every second (60)
";

/// One kind of abuse. It answers with the figures it saw, or with what went wrong.
struct Case {
    name: &'static str,
    /// What is to be seen, for the table.
    bar: &'static str,
    run: fn(&Subject, Duration) -> Result<String, String>,
}

const CASES: &[Case] = &[
    Case {
        name: "requests",
        bar: "the right answer to each malformed request",
        run: |s, _| requests::run(s),
    },
    Case {
        name: "half-open",
        bar: "500 unfinished requests: all cut within 12 s, every scrape succeeds, 8 KB a connection",
        run: |s, _| crowds::half_open(s),
    },
    Case {
        name: "crowd",
        bar: "200 connections for 10 s: 2,000 answers/s, no error, p99 250 ms, 16 MiB",
        run: |s, _| crowds::crowd(s),
    },
    Case {
        name: "slow-readers",
        bar: "60 readers of a byte a second: no scrape fails, nothing held for them after 60 s",
        run: |s, _| crowds::slow_readers(s),
    },
    Case {
        name: "few-files",
        bar: "64 file descriptors, 200 connections: a scraper keeps whole bodies, recovery in 1 s, CPU under 5 %",
        run: |s, _| crowds::few_files(s),
    },
    Case {
        name: "stop",
        bar: "8 scrapes in flight at SIGTERM: none lost, exit 0, within 5 s",
        run: |s, _| endings::stop(s),
    },
    Case {
        name: "soak",
        bar: "memory grows at most 1 MiB a minute, file descriptors do not",
        run: soak::run,
    },
];

pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut arguments = Arguments::new(arguments);
    let wanted_subject: String = arguments.option("--subject")?.unwrap_or_default();
    let wanted_case: String = arguments.option("--case")?.unwrap_or_default();
    let soak = Duration::from_secs(arguments.option("--soak")?.unwrap_or(60));
    arguments.finish()?;

    let present = packages()?;
    let mut failures = 0;
    let mut rows = Vec::new();
    for program in SUBJECTS.iter().filter(|s| s.name.contains(&wanted_subject)) {
        if !present.iter().any(|package| package.name == program.package) {
            continue;
        }
        println!("\n==> building {}", program.name);
        let subject = program.build()?;
        for case in CASES.iter().filter(|c| c.name.contains(&wanted_case)) {
            println!("    {}: {} ...", program.name, case.name);
            let start = Instant::now();
            let (verdict, figures) = match (case.run)(&subject, soak) {
                Ok(figures) => ("ok", figures),
                Err(failure) => ("FAILED", failure),
            };
            failures += usize::from(verdict == "FAILED");
            println!("    {verdict} in {:.1} s: {figures}", start.elapsed().as_secs_f64());
            rows.push((program.name, case.name, verdict, figures, case.bar));
        }
    }
    if rows.is_empty() {
        return Err("there is no such program or case".to_owned());
    }
    println!();
    for (subject, case, verdict, figures, bar) in rows {
        println!("{verdict:>6}  {subject:<14} {case:<13} {figures}\n        bar: {bar}");
    }
    if failures == 0 { Ok(()) } else { Err(format!("{failures} failed")) }
}
