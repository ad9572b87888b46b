//! `omtool`: the judge of every endpoint. Checks expositions of OpenMetrics and Prometheus formats against the rules of
//! their specifications, and explains its verdicts.
//!
//! `rule` and `rules` hold what is known of each rule; the library's readers find most of what is broken, `looks` what
//! could be better, `sequence` what shows over time. `commands` has one file for each subcommand, `render` the outputs.

mod cli;
mod client;
mod commands;
mod config;
#[cfg(test)]
mod examples;
mod exchange;
mod finding;
mod fix;
mod flat;
mod judge;
mod looks;
mod probe;
mod render;
mod rule;
mod rules;
mod sequence;
mod subject;
mod tls;
mod wider;

#[cfg(fuzzing)]
pub mod fuzzing;

/// The program `omtool`: reads its command line, does what was asked, and says how that ended.
pub fn run() -> std::process::ExitCode {
    cli::run()
}
