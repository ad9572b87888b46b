//! `cargo xtask judge`: all that the project serves, before its own judge.

use std::process::Command;

use crate::abuse_task::{Build, SOURCES};
use crate::steps::{self, Steps};
use crate::workspace::{cargo, packages, root};

pub(crate) const HELP: &str = "\
Builds our programs and omtool, starts each of them on loopback, and has `omtool check` and `omtool probe` judge what it
serves: in every format, for every kind of scraper, over two scrapes. Any finding of level \"must\" is a failure.

Usage: cargo xtask judge
";

pub(crate) fn run() -> Result<(), String> {
    let mut steps = Steps::default();
    add_to(&mut steps)?;
    steps.finish()
}

/// A step for each program.
pub(crate) fn add_to(steps: &mut Steps) -> Result<(), String> {
    let present = packages()?;
    let has = |name: &str| present.iter().any(|package| package.name == name);
    if !has("openmetrics-conformance") {
        return Ok(());
    }
    let mut build = cargo(["build", "--quiet", "--package", "openmetrics-conformance"]);
    steps.step("building omtool", || steps::run(&mut build));
    for source in SOURCES.iter().filter(|source| source.is_judged() && has(source.package)) {
        steps.step(format!("omtool judges {}", source.name), || {
            let program = source.build(Build::Dev)?.start_alone();
            let address = format!("http://{}/metrics", program.address());
            for spec in ["prom", "om1", "om2", "prom-protobuf", "om-protobuf"] {
                omtool(&["check", "--spec", spec, &address])?;
            }
            omtool(&["probe", &address])
        });
    }
    Ok(())
}

fn omtool(arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(root().join("target/debug/omtool"));
    command.args(arguments).args(["--show", "must"]);
    steps::run(&mut command)
}
