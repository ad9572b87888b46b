//! The command line's part of looking up names in MIBs.

use std::path::PathBuf;

use crate::config::Config;
use crate::mib::{Mibs, Options};
use clap::{Arg, ArgAction, ArgMatches, Command};

/// Where MIBs are if nobody says.
const FOLDERS: [&str; 3] = ["mibs", "/usr/share/snmp/mibs", "/var/lib/mibs"];

/// Adds the flags that say where MIBs are and what is made of them.
pub(crate) fn add_flags(command: Command) -> Command {
    let words = Arg::new("mib.enum-labels").long("mib.enum-labels").global(true).action(ArgAction::SetTrue).help(
        "Labels show the words that MIBs have for numbers, as snmp_exporter does after 0.30, which cannot read such a file",
    );
    command.arg(words).arg(
        Arg::new("mib.dir")
            .short('m')
            .long("mib.dir")
            .alias("mibs-dir")
            .value_name("FOLDER")
            .global(true)
            .action(ArgAction::Append)
            .value_parser(clap::value_parser!(PathBuf))
            .help(
                "Where MIBs are, folders in it included, for modules that name what they walk (repeatable); \
                 mibs, /usr/share/snmp/mibs and /var/lib/mibs if not given",
            ),
    )
}

/// Finds all that a configuration's modules name; MIBs are looked at only if one names something.
pub(crate) fn complete(matches: &ArgMatches, config: &mut Config) -> Result<(), String> {
    let modules = config.modules.iter();
    let named: Vec<_> = modules.filter_map(|(name, module)| Some((name, module.named.as_ref()?))).collect();
    if named.is_empty() {
        return Ok(());
    }
    let mut needs =
        named.iter().filter_map(|(module, named)| Some(((*module).clone(), named.needs()?.to_owned())));
    let needs = needs.next();
    let mut folders: Vec<PathBuf> = matches.get_many("mib.dir").into_iter().flatten().cloned().collect();
    if folders.is_empty() {
        folders = FOLDERS.into_iter().map(PathBuf::from).filter(|folder| folder.is_dir()).collect();
        match needs {
            Some((module, name)) if folders.is_empty() => {
                return Err(format!(
                    "module {module} names {name}, and there are no MIBs to look it up in; --mib.dir says where they are"
                ));
            }
            // Identifiers alone, without metrics, are walked for nothing, as they always were.
            None => {
                for module in config.modules.values_mut() {
                    module.named = None;
                }
                return Ok(());
            }
            Some(_) => {}
        }
    }
    let options = Options { enum_labels: matches.get_flag("mib.enum-labels") };
    let mibs = Mibs::open(&folders, options).map_err(|error| format!("--mib.dir: {error}"))?;
    for warning in mibs.complete(config).map_err(|error| error.to_string())? {
        tracing::warn!(module = warning.module, "{}", warning.message);
    }
    Ok(())
}
