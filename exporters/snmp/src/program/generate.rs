//! `snmp-bridge generate`: what a configuration names, resolved and written as an `snmp.yml`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{Config, Module, Naming};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::{Deserialize, Serialize};

use super::mibs;

/// The command.
pub(crate) fn command() -> Command {
    Command::new("generate")
        .about("Write the snmp.yml that a configuration with names stands for")
        .long_about(
            "Write the snmp.yml that a configuration with names stands for.\n\n\
             The configuration is one of snmp-bridge, or a generator.yml of snmp_exporter. Nobody has to run this: \
             snmp-bridge resolves names when it starts. The file is for snmp_exporter, and for those who want to see.",
        )
        .arg(
            Arg::new("input")
                .short('g')
                .long("generator-path")
                .visible_alias("config")
                .value_name("FILE")
                .help("The configuration with names; --config.file if not given"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output-path")
                .visible_alias("output")
                .value_name("FILE")
                .default_value("-")
                .help("Where to write; - is standard output"),
        )
        .arg(Arg::new("fail-on-parse-errors").long("fail-on-parse-errors").action(ArgAction::SetTrue).hide(true))
        .arg(Arg::new("no-fail").long("no-fail-on-parse-errors").action(ArgAction::SetTrue).hide(true))
}

/// Runs it.
pub(crate) fn run(matches: &ArgMatches) -> ExitCode {
    match generate(matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate(matches: &ArgMatches) -> Result<(), String> {
    let inputs: Vec<PathBuf> = match matches.get_one::<String>("input") {
        Some(input) => vec![input.into()],
        None => matches.get_many::<String>("config.file").into_iter().flatten().map(PathBuf::from).collect(),
    };
    let mut auths = BTreeMap::new();
    let mut config = Config::default();
    for input in &inputs {
        let in_file = |error: String| format!("{}: {error}", input.display());
        let text = std::fs::read_to_string(input).map_err(|error| in_file(error.to_string()))?;
        let read = Config::parse(&text).map_err(|error| in_file(error.to_string()))?;
        config.modules.extend(read.modules);
        config.naming = read.naming.or(config.naming);
        auths.extend(written_auths(&text).map_err(in_file)?);
    }
    mibs::complete(matches, &mut config)?;
    let out = Out { naming: config.naming, auths, modules: &config.modules };
    let yaml = serde_saphyr::to_string(&out).map_err(|error| error.to_string())?;
    let yaml = format!("# Written by snmp-bridge generate; change what it was made from, not this.\n{yaml}");
    match matches.get_one::<String>("output").map_or("-", String::as_str) {
        "-" => print!("{yaml}"),
        output => std::fs::write(output, yaml).map_err(|error| format!("{output}: {error}"))?,
    }
    Ok(())
}

#[derive(Serialize)]
struct Out<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    naming: Option<Naming>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    auths: BTreeMap<String, BTreeMap<String, Scalar>>,
    modules: &'a BTreeMap<String, Module>,
}

/// What stands behind a key of an auth. Secrets stay as they are written: this file is where they come from.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Scalar {
    Number(i64),
    Text(String),
}

fn written_auths(text: &str) -> Result<BTreeMap<String, BTreeMap<String, Scalar>>, String> {
    #[derive(Deserialize)]
    struct Written {
        #[serde(default)]
        auths: Option<BTreeMap<String, BTreeMap<String, Scalar>>>,
    }
    let written: Written = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    Ok(written.auths.unwrap_or_default())
}
