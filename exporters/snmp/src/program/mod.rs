//! The program `snmp-bridge`: its command line, and what each command does.

mod demo;
mod generate;
mod mibs;
mod receiving;
mod serve;
mod try_device;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::access::{AllowList, Allowed};
use crate::bridge::{Bridge, Options};
use crate::config::Config;
use crate::session::Limits;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use openmetrics_exporter_toolkit::{Level, Log, Web};

/// The configuration if nothing else is said.
const CONFIG_FILE: &str = "snmp.yml";

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let is_given = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    let is_trying = matches.subcommand_name() == Some("try");
    let dump = matches.get_flag("snmp.debug-packets");
    let mut log = Log::from_matches(&matches);
    if is_trying && !is_given("log.level") && !dump {
        log.level = Level::Warn; // whoever tries something is told what came of it anyway
    }
    log.init();
    if let Some(("generate", matches_of_it)) = matches.subcommand() {
        return generate::run(matches_of_it);
    }
    if let Some(("demo", matches_of_it)) = matches.subcommand() {
        return demo::run(&matches, matches_of_it);
    }
    let loaded = if is_trying && !is_given("config.file") && !Path::new(CONFIG_FILE).exists() {
        eprintln!("# There is no {CONFIG_FILE} here; the modules that are built in are tried.");
        demo::configuration()
    } else {
        load(&matches)
    };
    let config = match loaded {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if config.modules.is_empty() || config.auths.is_empty() {
        let missing = if config.modules.is_empty() { "modules" } else { "auths" };
        eprintln!(
            "error: the configuration has no {missing}; --config.file names files that do not exist or are of an old \
             form (`snmp-bridge demo` and `snmp-bridge try HOST` do without)"
        );
        return ExitCode::FAILURE;
    }
    let overview = format!("{} auths, {} modules", config.auths.len(), config.modules.len());
    if matches.get_flag("dry-run") {
        println!("{overview}, all valid");
        return ExitCode::SUCCESS;
    }
    let allowed: AllowList =
        matches.get_many::<Allowed>("snmp.allow-target").into_iter().flatten().cloned().collect();
    let limit = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or(u64::MAX);
    let options = Options {
        source: matches.get_one("snmp.source-address").copied(),
        wrap: matches.get_one::<bool>("snmp.wrap-large-counters").copied().unwrap_or(true)
            && !matches.get_flag("no-snmp.wrap-large-counters"),
        allowed: allowed.clone(),
        limits: Limits {
            packets: limit("snmp.max-packets"),
            rows: limit("snmp.max-rows") as usize,
            octets: limit("snmp.max-bytes") as usize,
        },
        partial: matches.get_flag("snmp.partial-answers"),
        dump,
    };
    let bridge = Bridge::new(config, options);
    if let Some(("try", matches)) = matches.subcommand() {
        return try_device::run(&bridge, matches);
    }
    let bridge = Arc::new(bridge);
    let traps = match receiving::start(&matches, &bridge, allowed) {
        Ok(traps) => traps,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut notes = vec![overview];
    if let Some(traps) = &traps {
        notes.extend(traps.addresses.iter().map(|address| format!("traps are received at udp://{address}")));
    }
    let served = serve::Served {
        example: serve::Example::of(&bridge.config()),
        bridge,
        traps: traps.map(|traps| traps.receiver),
    };
    serve::run(&Web::from_matches(&matches), served, notes, move || load(&matches))
}

fn load(matches: &ArgMatches) -> Result<Config, String> {
    let files: Vec<String> = matches.get_many("config.file").into_iter().flatten().cloned().collect();
    let loaded = Config::load(&files, matches.get_flag("config.expand-environment-variables"));
    let (mut config, without) = loaded.map_err(|error| error.to_string())?;
    mibs::complete(matches, &mut config)?;
    for pattern in without {
        tracing::warn!(pattern, "no configuration file matches");
    }
    Ok(config)
}

/// The command line: what `--help` shows, and what the man page and the completions are made from.
pub fn command() -> Command {
    let arg = |name: &'static str| Arg::new(name).long(name);
    let command = Command::new("snmp-bridge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Metrics of devices that speak SNMP, from snmp_exporter's configuration")
        .arg(
            arg("config.file")
                .value_name("PATTERN")
                .global(true)
                .action(ArgAction::Append)
                .default_value(CONFIG_FILE)
                .help("The configuration; a pattern such as '/etc/snmp/*.yml' (repeatable)"),
        )
        .arg(
            arg("config.expand-environment-variables")
                .action(ArgAction::SetTrue)
                .help("Let $NAME in user names and passwords stand for a variable of the environment"),
        )
        .arg(arg("dry-run").action(ArgAction::SetTrue).help("Check the configuration and end"))
        .arg(
            arg("snmp.allow-target")
                .value_name("NETWORK|NAME")
                .action(ArgAction::Append)
                .value_parser(|text: &str| text.parse::<Allowed>())
                .help(
                    "Ask devices in this network or of this name only, such as 10.0.0.0/8 or *.switches.example \
                     (repeatable); then loopback, link-local and metadata addresses are refused unless listed as such",
                ),
        )
        .args(limits())
        .arg(
            arg("snmp.debug-packets")
                .action(ArgAction::SetTrue)
                .help("Log every packet that is sent or received, in words and without secrets"),
        )
        .arg(arg("no-snmp.debug-packets").action(ArgAction::SetTrue).hide(true))
        .arg(
            arg("snmp.partial-answers")
                .action(ArgAction::SetTrue)
                .help("Where a module fails, tell what the request's others found, and snmp_scrape_error for it"),
        )
        .arg(
            arg("snmp.source-address")
                .value_name("ADDRESS:PORT")
                .value_parser(|text: &str| source_address(text))
                .help("Where packets come from; port 0 for any"),
        )
        .arg(
            arg("snmp.wrap-large-counters")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .default_value("true")
                .value_parser(clap::value_parser!(bool))
                .help("Let 64-bit counters wrap at 2^53, where doubles stop being exact"),
        )
        .arg(arg("no-snmp.wrap-large-counters").action(ArgAction::SetTrue).hide(true))
        .arg(
            arg("snmp.module-concurrency")
                .value_name("N")
                .value_parser(clap::value_parser!(u32))
                .hide(true)
                .help("Taken for compatibility; columns of one module are asked for side by side"),
        );
    let command = receiving::add_flags(mibs::add_flags(command));
    let command = command.subcommands([demo::command(), try_device::command(), generate::command()]);
    Log::add_flags(Web::add_flags(command, ":9116"))
}

/// How much one device may cost.
fn limits() -> impl Iterator<Item = Arg> {
    let limits = Limits::default();
    [
        ("snmp.max-packets", limits.packets, "The most packets of one scrape"),
        ("snmp.max-rows", limits.rows as u64, "The most rows of one module of one device"),
        ("snmp.max-bytes", limits.octets as u64, "The most memory that these rows may take"),
    ]
    .into_iter()
    .map(|(name, usual, help)| {
        let number = clap::value_parser!(u64).range(1..);
        Arg::new(name)
            .long(name)
            .value_name("N")
            .value_parser(number)
            .default_value(usual.to_string())
            .help(help)
    })
}

fn source_address(text: &str) -> Result<std::net::SocketAddr, String> {
    let text = if text.ends_with(':') { format!("{text}0") } else { text.to_owned() };
    text.parse().map_err(|_| format!("{text:?} is no address; one looks like 192.0.2.1:0 or [2001:db8::1]:0"))
}
