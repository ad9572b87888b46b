//! The command line: node_exporter's flags, spelled alike, made from the list of collectors.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use openmetrics_exporter_toolkit::{Log, Web};

use crate::collectors;
use crate::config;
use crate::flags::{Flag, Kind, Options};
use crate::host::Roots;

const PROCFS: Flag = Flag::text("path.procfs", "/proc", "Where procfs is mounted");
const SYSFS: Flag = Flag::text("path.sysfs", "/sys", "Where sysfs is mounted");
const ROOTFS: Flag = Flag::text("path.rootfs", "/", "Where the host's root folder is found");
const UDEV_DATA: Flag = Flag::text("path.udev.data", "/run/udev/data", "Where udev keeps its data");
const DISABLE_DEFAULTS: Flag = Flag::switch(
    "collector.disable-defaults",
    false,
    "Turn off all collectors that are not asked for by name",
);
const DRY_RUN: Flag =
    Flag::switch("dry-run", false, "Read the host once, print the page and what could not be read, and end");

const CONFIG_FILE: Flag =
    Flag::text("config.file", "", "A file with flags by their names, in YAML; the command line counts more");
const SHARE_WITHIN: Flag = Flag::duration(
    "scrape.share-within",
    Duration::ZERO,
    "Scrapes that begin within this of another are told what it read, such as those of a pair of servers",
);

const OWN: [Flag; 8] =
    [PROCFS, SYSFS, ROOTFS, UDEV_DATA, DISABLE_DEFAULTS, DRY_RUN, CONFIG_FILE, SHARE_WITHIN];

/// The word that asks how the collectors fare.
const DOCTOR: &str = "doctor";

/// What the command line asks for.
#[derive(Debug)]
pub struct Args {
    /// How it is served.
    pub web: Web,
    /// How it logs.
    pub log: Log,
    /// The flags of the collectors.
    pub options: Options,
    /// Where the host is.
    pub roots: Roots,
    /// The collectors that are on.
    pub enabled: Vec<&'static str>,
    /// What to do.
    pub task: Task,
    /// How long what was read is told to other scrapes as well.
    pub share_within: Duration,
}

/// What the process is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// To be scraped.
    Serve,
    /// To read the host once, and print the page.
    DryRun,
    /// To read the host once, and say how the collectors fared.
    Doctor,
}

/// Reads the command line and the config file that it names; ends the process with a message if they make no sense,
/// and after `--help`.
pub fn parse() -> Args {
    let mut command = command();
    match read(&mut command, std::env::args_os()) {
        Ok(args) => args,
        Err(error) => error.exit(),
    }
}

fn read(command: &mut Command, arguments: impl Iterator<Item = OsString>) -> Result<Args, clap::Error> {
    let arguments = expand(arguments).map_err(|message| command.error(ErrorKind::Io, message))?;
    let matches = command.try_get_matches_from_mut(&arguments)?;
    let file = matches.get_one::<String>(CONFIG_FILE.name).filter(|file| !file.is_empty()).cloned();
    let Some(file) = file else {
        return interpret(&matches).map_err(|why| command.error(ErrorKind::ValueValidation, why));
    };
    let settings = config::read(Path::new(&file)).map_err(|message| command.error(ErrorKind::Io, message))?;
    let program = arguments.first().cloned().unwrap_or_default();
    let mut all = vec![program];
    for setting in settings {
        let given = |name: &str| {
            let source = matches.try_contains_id(name).is_ok().then(|| matches.value_source(name)).flatten();
            source == Some(ValueSource::CommandLine)
        };
        if !given(&setting.name) && !given(&format!("no-{}", setting.name)) {
            all.extend(setting.arguments().into_iter().map(OsString::from));
        }
    }
    // Alone first, so that what is wrong in the file is not looked for on the command line.
    if let Err(error) = command.try_get_matches_from_mut(&all) {
        return Err(command.error(error.kind(), format!("{file}: {}", first_line(&error))));
    }
    all.extend(arguments.into_iter().skip(1));
    let matches = command.try_get_matches_from_mut(all)?;
    interpret(&matches).map_err(|why| command.error(ErrorKind::ValueValidation, why))
}

/// What an error says, without the usage that follows.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("Usage:"));
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    match lines.next().filter(|line| line.starts_with("tip:")) {
        Some(tip) => format!("{first} ({tip})"),
        None => first,
    }
}

fn interpret(matches: &ArgMatches) -> Result<Args, String> {
    let mut options = Options::default();
    for flag in collectors::ALL.iter().flat_map(|spec| spec.flags).chain(&OWN) {
        match flag.kind {
            Kind::Switch(_) => set_switch(&mut options, matches, flag.name),
            _ => {
                if let Some(values) = matches.get_many::<String>(flag.name) {
                    options.set(flag.name, values.cloned().collect());
                }
            }
        }
    }
    for spec in collectors::ALL {
        set_switch(&mut options, matches, &format!("collector.{}", spec.name));
    }
    let defaults_off = options.switch(&DISABLE_DEFAULTS);
    let enabled = collectors::ALL
        .iter()
        .filter(|spec| options.collector(spec.name).unwrap_or(spec.enabled && !defaults_off))
        .map(|spec| spec.name)
        .collect();
    let roots = Roots {
        proc: options.text(&PROCFS).into(),
        sys: options.text(&SYSFS).into(),
        rootfs: options.text(&ROOTFS).into(),
        udev: options.text(&UDEV_DATA).into(),
    };
    let task = match (matches.contains_id(DOCTOR), options.switch(&DRY_RUN)) {
        (true, _) => Task::Doctor,
        (false, true) => Task::DryRun,
        (false, false) => Task::Serve,
    };
    let share_within = options.duration(&SHARE_WITHIN)?;
    Ok(Args {
        web: Web::from_matches(matches),
        log: Log::from_matches(matches),
        options,
        roots,
        enabled,
        task,
        share_within,
    })
}

fn set_switch(options: &mut Options, matches: &ArgMatches, name: &str) {
    for (id, value) in [(name.to_owned(), "true"), (format!("no-{name}"), "false")] {
        if matches.get_flag(&id) {
            options.set(name, vec![value.to_owned()]);
        }
    }
}

/// Replaces `@FILE` by the lines of the file; empty lines and those that begin with `#` are left out.
fn expand(arguments: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, String> {
    let mut expanded = Vec::new();
    for (i, argument) in arguments.enumerate() {
        match argument.to_str().and_then(|text| text.strip_prefix('@')) {
            Some(path) if i > 0 => {
                let text = std::fs::read_to_string(path).map_err(|e| format!("@{path}: {e}"))?;
                let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
                expanded.extend(lines.map(OsString::from));
            }
            _ => expanded.push(argument),
        }
    }
    Ok(expanded)
}

/// The command line: what `--help` shows, and what the man page and the completions are made from.
pub fn command() -> Command {
    let command = Command::new("node-exporter")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Tells Prometheus everything about this Linux host")
        .after_help(collector_table())
        .max_term_width(110)
        .disable_version_flag(true)
        .arg(Arg::new("version").long("version").short('V').action(ArgAction::Version).help("Print version"))
        .args(
            ["help-long", "help-man"].map(|name| {
                Arg::new(name).long(name).action(ArgAction::HelpLong).hide(true).help("Print help")
            }),
        );
    let doctor = Arg::new(DOCTOR)
        .value_name(DOCTOR)
        .value_parser([DOCTOR])
        .hide_possible_values(true)
        .conflicts_with(DRY_RUN.name);
    let command =
        command.arg(doctor.help("Say what each collector can and cannot read here and why, and end"));
    let mut command = Log::add_flags(Web::add_flags(command, ":9100"));
    for flag in &OWN {
        command = add(command, flag, "Host");
    }
    for spec in collectors::ALL {
        let name = format!("collector.{}", spec.name);
        command = add_switch(command, &name, spec.about, true, "Collectors");
        for flag in spec.flags {
            command = add(command, flag, "Settings of collectors");
        }
    }
    for (name, flags) in ABSENT {
        let refuse = move |_: &str| -> Result<String, String> {
            Err(format!(
                "node_exporter's collector {name} is deprecated there and left out here: {}",
                instead_of(name)
            ))
        };
        let on = format!("collector.{name}");
        let arg = |id: String| Arg::new(id.clone()).long(id).hide(true);
        // A switch that refuses to be set, with a reason: its value is given by itself.
        let on =
            arg(on).num_args(0..=1).default_missing_value("true").require_equals(true).value_parser(refuse);
        command = command.arg(on).arg(arg(format!("no-collector.{name}")).action(ArgAction::SetTrue));
        for flag in flags {
            let ignored = arg(format!("collector.{name}.{flag}")).num_args(0..=1).require_equals(true);
            command = command.arg(ignored);
            if *flag == "server-is-local" {
                command = command.arg(arg(format!("no-collector.{name}.{flag}")).action(ArgAction::SetTrue));
            }
        }
    }
    // Of the Go runtime, which is not here.
    command.arg(
        Arg::new("runtime.gomaxprocs")
            .long("runtime.gomaxprocs")
            .value_name("N")
            .help("Taken for node_exporter's sake; there is no Go runtime here")
            .hide(true),
    )
}

/// Collectors of node_exporter that this exporter leaves out, and their flags: it calls them deprecated itself. Start
/// lines that turn them off keep working; one that turns them on is an error, since it asks for what would be missing
/// from the page.
const ABSENT: [(&str, &[&str]); 3] = [
    (
        "ntp",
        &[
            "server",
            "server-port",
            "protocol-version",
            "server-is-local",
            "ip-ttl",
            "max-distance",
            "local-offset-tolerance",
        ],
    ),
    ("runit", &["servicedir"]),
    ("supervisord", &["url"]),
];

/// What to do without a collector of [`ABSENT`].
fn instead_of(name: &str) -> &'static str {
    match name {
        "ntp" => "the collector timex tells how the clock is disciplined, and chrony and ntpd have exporters",
        "runit" => "a script can write its services into a text file for --collector.textfile.directory",
        _ => "supervisord has exporters of its own",
    }
}

fn add(command: Command, flag: &Flag, heading: &'static str) -> Command {
    let arg = Arg::new(flag.name)
        .long(flag.name)
        .aliases(flag.formerly)
        .help_heading(heading)
        .hide(flag.hidden)
        .allow_hyphen_values(true);
    match flag.kind {
        Kind::Switch(default) => {
            let help = if default {
                format!("{} [on; --no-{} turns it off]", flag.help, flag.name)
            } else {
                flag.help.into()
            };
            add_switch(command, flag.name, &help, flag.hidden, heading)
        }
        Kind::Text(default) => command.arg(arg.value_name("TEXT").help(with_default(flag.help, default))),
        Kind::Texts => command.arg(
            arg.value_name("TEXT").action(ArgAction::Append).help(format!("{} (repeatable)", flag.help)),
        ),
        Kind::Duration(default) => {
            command.arg(arg.value_name("DURATION").help(with_default(flag.help, &format!("{default:?}"))))
        }
        Kind::Number(default) => {
            command.arg(arg.value_name("N").help(with_default(flag.help, &default.to_string())))
        }
    }
}

fn with_default(help: &str, default: &str) -> String {
    if default.is_empty() { help.to_owned() } else { format!("{help} [{default}]") }
}

/// `--name` and its opposite; giving both is a contradiction.
fn add_switch(command: Command, name: &str, help: &str, hidden: bool, heading: &'static str) -> Command {
    let off = format!("no-{name}");
    let arg = |id: &str| {
        Arg::new(id.to_owned()).long(id.to_owned()).action(ArgAction::SetTrue).help_heading(heading)
    };
    command.arg(arg(name).help(help.to_owned()).hide(hidden).conflicts_with(&off)).arg(arg(&off).hide(true))
}

/// All collectors in two lists, which read better than two lines of help for each.
fn collector_table() -> String {
    let width = collectors::ALL.iter().map(|spec| spec.name.len()).max().unwrap_or_default();
    let mut table = String::new();
    for (enabled, title) in [
        (true, "Collectors that are on; --no-collector.NAME turns one off:"),
        (false, "Collectors that are off; --collector.NAME turns one on:"),
    ] {
        if !table.is_empty() {
            table.push('\n');
        }
        let _ = writeln!(table, "{title}");
        for spec in collectors::ALL.iter().filter(|spec| spec.enabled == enabled) {
            let _ = writeln!(table, "  {:width$}  {}", spec.name, spec.about);
        }
    }
    table.push_str("\n@FILE among the arguments stands for the arguments in FILE, one a line.");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Args, String> {
        let all = std::iter::once(&"node-exporter").chain(arguments).map(OsString::from);
        read(&mut command(), all).map_err(|e| e.to_string())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn collectors_are_turned_on_and_off() {
        let by_default = parse(&[]).unwrap().enabled;
        assert!(by_default.contains(&"cpu"));
        assert!(!parse(&["--no-collector.cpu"]).unwrap().enabled.contains(&"cpu"));
        assert_eq!(parse(&["--collector.disable-defaults", "--collector.cpu"]).unwrap().enabled, ["cpu"]);
    }

    #[test]
    fn collectors_that_are_not_here_may_be_turned_off() {
        for (name, flags) in ABSENT {
            assert!(collectors::ALL.iter().all(|spec| spec.name != name), "{name} is here");
            assert!(parse(&[&format!("--no-collector.{name}")]).is_ok());
            let error = parse(&[&format!("--collector.{name}")]).err().unwrap();
            assert!(error.contains(instead_of(name)), "{error}");
            for flag in flags {
                assert!(parse(&[&format!("--collector.{name}.{flag}=x")]).is_ok(), "{flag}");
            }
        }
        assert!(parse(&["--runtime.gomaxprocs=1"]).is_ok());
    }

    #[test]
    fn what_it_is_started_for() {
        assert_eq!(parse(&[]).unwrap().task, Task::Serve);
        assert_eq!(parse(&["--dry-run"]).unwrap().task, Task::DryRun);
        assert_eq!(parse(&["--path.procfs=/p", "doctor"]).unwrap().task, Task::Doctor);
        let error = parse(&["docter"]).err().unwrap();
        assert!(error.contains("[possible values: doctor]"), "{error}");
    }

    #[test]
    fn values_with_and_without_an_equals_sign() {
        for arguments in [&["--path.procfs=/host/proc"][..], &["--path.procfs", "/host/proc"]] {
            assert_eq!(parse(arguments).unwrap().roots.proc.to_str(), Some("/host/proc"));
        }
    }

    #[test]
    fn mistakes_come_with_a_hint() {
        let error = parse(&["--colector.cpu"]).err().unwrap();
        assert!(error.contains("--collector.cpu"), "{error}");
        let error = parse(&["--collector.cpu", "--no-collector.cpu"]).err().unwrap();
        assert!(error.contains("cannot be used with"), "{error}");
    }

    #[test]
    fn the_config_file_counts_less_than_the_command_line() {
        let path = std::env::temp_dir().join(format!("node-exporter-config-{}.yml", std::process::id()));
        std::fs::write(
            &path,
            "path.procfs: /host/proc\npath.sysfs: /host/sys\ncollector.cpu: false\ncollector.arp: false\n\
             web.listen-address: ['127.0.0.1:1', '127.0.0.1:2']\nscrape.share-within: 2s\n",
        )
        .unwrap();
        let at = format!("--config.file={}", path.display());
        let args = parse(&[&at, "--path.procfs=/p", "--collector.cpu"]).unwrap();
        assert_eq!((args.roots.proc.to_str(), args.roots.sys.to_str()), (Some("/p"), Some("/host/sys")));
        assert!(args.enabled.contains(&"cpu") && !args.enabled.contains(&"arp"));
        assert_eq!(args.web.listen, ["127.0.0.1:1", "127.0.0.1:2"]);
        assert_eq!(args.share_within, Duration::from_secs(2));
        assert_eq!(parse(&[&at, "--web.listen-address=:3"]).unwrap().web.listen, [":3"]);
        std::fs::write(&path, "colector.cpu: true\n").unwrap();
        let error = parse(&[&at]).err().unwrap();
        assert!(error.contains("unexpected argument '--colector.cpu' found (tip: "), "{error}");
        std::fs::write(&path, "scrape.share-within: soon\n").unwrap();
        let error = parse(&[&at]).err().unwrap();
        assert!(error.contains("--scrape.share-within=soon: expected a duration"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert!(parse(&[&at]).err().unwrap().contains("No such file"));
    }

    #[test]
    fn files_of_arguments() {
        let path = std::env::temp_dir().join(format!("node-exporter-args-{}", std::process::id()));
        std::fs::write(&path, "# hosts\n--no-collector.cpu\n\n--path.sysfs=/host/sys\n").unwrap();
        let at = OsString::from(format!("@{}", path.display()));
        let expanded = expand([OsString::from("node-exporter"), at].into_iter()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            expanded,
            ["node-exporter", "--no-collector.cpu", "--path.sysfs=/host/sys"].map(OsString::from)
        );
        let missing = [OsString::from("node-exporter"), OsString::from("@/nowhere")];
        assert!(expand(missing.into_iter()).unwrap_err().starts_with("@/nowhere: "));
    }
}
