//! `snmp-bridge try HOST`: what a device tells, and what to write into Prometheus' configuration for it.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::asked::{Asked, Failure};
use crate::auto::AUTO;
use crate::bridge::Bridge;
use clap::{Arg, ArgAction, ArgMatches, Command};
use openmetrics::format::Format;

use super::serve::Example;

/// Where the bridge listens if nothing else is said.
const HERE: &str = "127.0.0.1:9116";

/// The command.
pub(crate) fn command() -> Command {
    Command::new("try")
        .about("Ask a device, choose modules, show its metrics and what Prometheus' configuration needs")
        .after_help(
            "Without a configuration, the modules system, if_mib and entity_sensor are tried, which are built in.",
        )
        .arg(Arg::new("target").value_name("HOST").required(true).help("The device: 192.0.2.1, switch:1161"))
        .arg(
            Arg::new("module")
                .long("module")
                .value_name("NAME")
                .action(ArgAction::Append)
                .help("A module to use, in place of all that suit (repeatable)"),
        )
        .arg(
            Arg::new("auth")
                .long("auth")
                .value_name("NAME")
                .default_value("public_v2")
                .help("Which auth of the configuration to use"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .default_value("20")
                .value_parser(clap::value_parser!(u16).range(1..))
                .help("How long this may take"),
        )
}

/// Runs it.
pub(crate) fn run(bridge: &Bridge, matches: &ArgMatches) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let tried = match runtime {
        Ok(runtime) => runtime.block_on(ask(bridge, matches)),
        Err(error) => Err(error.to_string()),
    };
    match tried {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(bridge: &Bridge, matches: &ArgMatches) -> Result<(), String> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let time = Duration::from_secs(matches.get_one::<u16>("timeout").copied().unwrap_or(20).into());
    let mut modules: Vec<String> = matches.get_many("module").into_iter().flatten().cloned().collect();
    let chosen_by_hand = !modules.is_empty();
    if !chosen_by_hand {
        modules.push(AUTO.to_owned());
    }
    let asked = Asked { target: text("target"), auth: text("auth"), modules, context: None, engine: None };
    let words = |failure| match failure {
        Failure::Request(message) | Failure::Scrape(message) => message,
    };
    let config = bridge.config();
    known("auth", &asked.auth, config.auths.keys())?;
    for module in asked.modules.iter().filter(|name| *name != AUTO) {
        known("module", module, config.modules.keys())?;
    }
    let begin = Instant::now();
    let found = bridge.discover(&asked, time).await.map_err(words)?;
    let modules = if chosen_by_hand { asked.modules.clone() } else { found.best() };
    let scraped = bridge.scrape(asked.clone(), time).await.map_err(words)?;
    let took = begin.elapsed();
    let mut metrics = Vec::new();
    let report = openmetrics::format::encode(&bridge.page(&scraped), Format::TEXT_0_0_4, &mut metrics);
    let others: Vec<&str> =
        found.modules.iter().filter(|name| !modules.contains(name)).map(String::as_str).collect();
    let description = found.description.as_deref().unwrap_or("says nothing about itself");
    let mut out = io::stdout().lock();
    let show = || -> io::Result<()> {
        out.write_all(&metrics)?;
        writeln!(out, "\n# {}: {}", asked.target, description.trim_end().replace('\n', "\n#   "))?;
        if let Some(kind) = &found.kind {
            writeln!(out, "# sysObjectID {kind}")?;
        }
        writeln!(out, "# {} samples in {:.2} s, by module:", report.points(), took.as_secs_f64())?;
        for (name, rows, took) in scraped.modules() {
            writeln!(out, "#   {name:24} {rows:>7} variables {:>7.3} s", took.as_secs_f64())?;
        }
        if !others.is_empty() {
            let why = if chosen_by_hand { "" } else { ", all of it in the modules above" };
            writeln!(out, "# It has something for these as well{why}: {}", others.join(", "))?;
        }
        writeln!(out, "\n# Into prometheus.yml, below scrape_configs; {HERE} is where snmp-bridge listens:")?;
        let (target, auth) = (asked.target.clone(), asked.auth.clone());
        write!(out, "{}", Example { target, auth, modules, is_there: true }.job().through(HERE))
    };
    // A reader that has seen enough and closed the pipe is no error.
    match show() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Whether there is something of this name; if not, what there is.
fn known<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    /// How many names are told.
    const MOST: usize = 60;
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.contains(&name) {
        return Ok(());
    }
    let more = if names.len() > MOST { " ..." } else { "" };
    let told = names.get(..MOST).unwrap_or(&names).join(", ");
    Err(format!("there is no {what} {name:?}; there are {told}{more}"))
}
