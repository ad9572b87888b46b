//! `snmp-bridge`: the program. See the library for what it does.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use openmetrics_snmp_bridge::config::Config;

fn main() -> ExitCode {
    let matches = command().get_matches();
    let files: Vec<String> = matches.get_many("config.file").into_iter().flatten().cloned().collect();
    match Config::load(&files, matches.get_flag("config.expand-environment-variables")) {
        Ok((config, without)) => {
            for pattern in without {
                eprintln!("warning: no file matches {pattern}");
            }
            println!("{} auths and {} modules, all valid", config.auths.len(), config.modules.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    Command::new("snmp-bridge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Checks the configuration of metrics of devices that speak SNMP")
        .arg(
            Arg::new("config.file")
                .long("config.file")
                .value_name("PATTERN")
                .action(ArgAction::Append)
                .default_value("snmp.yml")
                .help("The configuration; a pattern such as /etc/snmp/*.yml (repeatable)"),
        )
        .arg(
            Arg::new("config.expand-environment-variables")
                .long("config.expand-environment-variables")
                .action(ArgAction::SetTrue)
                .help("Let $NAME in user names and passwords stand for a variable of the environment"),
        )
}
