//! The flags that all exporters have, spelled as Prometheus' exporters spell them.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// How an exporter is served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Web {
    /// Addresses to listen at: `:9100`, `127.0.0.1:9100`, `[::1]:9100`, `vsock://:9100`.
    pub listen: Vec<String>,
    /// Listen at the sockets that systemd opened instead.
    pub systemd_socket: bool,
    /// The file with TLS, users, headers and a rate limit.
    pub config_file: Option<PathBuf>,
    /// Where the metrics are.
    pub telemetry_path: String,
    /// How many scrapes are answered at once; 0 for as many as there are connections.
    pub max_requests: usize,
    /// Leave out the metrics about the exporter itself.
    pub disable_exporter_metrics: bool,
}

impl Web {
    /// Served at `address`, everything else by default.
    pub fn at(address: impl Into<String>) -> Self {
        Self {
            listen: vec![address.into()],
            systemd_socket: false,
            config_file: None,
            telemetry_path: "/metrics".into(),
            max_requests: 0,
            disable_exporter_metrics: false,
        }
    }

    /// Adds the `--web.*` flags to a command line; `default` is the address without any, such as `:9100`.
    pub fn add_flags(command: Command, default: &str) -> Command {
        let arg = |name: &'static str| Arg::new(name).long(name).help_heading("Server");
        command
            .arg(
                arg("web.listen-address")
                    .value_name("ADDRESS")
                    .action(ArgAction::Append)
                    .default_value(default.to_owned())
                    .help("Where to listen: HOST:PORT, :PORT for every address, vsock://:PORT (repeatable)"),
            )
            .arg(
                arg("web.systemd-socket")
                    .action(ArgAction::SetTrue)
                    .help("Listen at the sockets that systemd opened (socket activation) instead"),
            )
            // Switches have an opposite in the other exporters, which is how a start line undoes a file of defaults.
            .args(["web.systemd-socket", "web.disable-exporter-metrics"].map(|name| {
                let opposite = format!("no-{name}");
                Arg::new(opposite.clone()).long(opposite).action(ArgAction::SetTrue).conflicts_with(name).hide(true)
            }))
            .arg(
                arg("web.config.file")
                    .value_name("FILE")
                    .help("TLS, users, headers and a rate limit, in the format of Prometheus' exporters; read again when it changes"),
            )
            .arg(
                arg("web.telemetry-path")
                    .value_name("PATH")
                    .default_value("/metrics")
                    .value_parser(parse_path)
                    .help("Where the metrics are"),
            )
            .arg(
                arg("web.max-requests")
                    .value_name("N")
                    .default_value("0")
                    .value_parser(value_parser!(u32))
                    .help("Scrapes answered at once, 503 beyond; 0 for as many as there are connections"),
            )
            .arg(
                arg("web.disable-exporter-metrics")
                    .action(ArgAction::SetTrue)
                    .help("Leave out the metrics about the exporter itself (process_*, *_http_*)"),
            )
    }

    /// What was asked for by the flags of [`add_flags`](Web::add_flags).
    pub fn from_matches(matches: &ArgMatches) -> Self {
        let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
        Self {
            listen: matches.get_many("web.listen-address").into_iter().flatten().cloned().collect(),
            systemd_socket: matches.get_flag("web.systemd-socket"),
            // An empty name is no file, as scripts write it.
            config_file: Some(text("web.config.file")).filter(|file| !file.is_empty()).map(PathBuf::from),
            telemetry_path: text("web.telemetry-path"),
            max_requests: matches.get_one::<u32>("web.max-requests").map_or(0, |&n| n as usize),
            disable_exporter_metrics: matches.get_flag("web.disable-exporter-metrics"),
        }
    }
}

fn parse_path(text: &str) -> Result<String, String> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    if text.len() > 1 && text.starts_with('/') && text.bytes().all(valid) && !text.starts_with("/-/") {
        Ok(text.to_owned())
    } else {
        Err("a path begins with a slash, is not / alone nor under /-/, and has letters, digits and -._~ only"
            .into())
    }
}

/// How an exporter logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Log {
    /// What is worth a line.
    pub level: Level,
    /// How lines look.
    pub format: LogFormat,
}

/// From which severity on events are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Everything, every refused request included.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `time=... level=INFO msg="..." key=value`
    #[default]
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl Log {
    /// Adds the `--log.*` flags to a command line.
    pub fn add_flags(command: Command) -> Command {
        let arg = |name: &'static str| Arg::new(name).long(name).help_heading("Log");
        command
            .arg(
                arg("log.level")
                    .value_name("LEVEL")
                    .default_value("info")
                    .value_parser(["debug", "info", "warn", "error"])
                    .help("Log from this severity on"),
            )
            .arg(
                arg("log.format")
                    .value_name("FORMAT")
                    .default_value("logfmt")
                    .value_parser(["logfmt", "json"])
                    .help("How lines of the log look"),
            )
    }

    /// What was asked for by the flags of [`add_flags`](Log::add_flags).
    pub fn from_matches(matches: &ArgMatches) -> Self {
        let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
        Self {
            level: match text("log.level") {
                Some("debug") => Level::Debug,
                Some("warn") => Level::Warn,
                Some("error") => Level::Error,
                _ => Level::Info,
            },
            format: if text("log.format") == Some("json") { LogFormat::Json } else { LogFormat::Logfmt },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<(Web, Log), String> {
        let command = Log::add_flags(Web::add_flags(Command::new("test"), ":9100"));
        command.clone().debug_assert();
        let matches = command.try_get_matches_from(std::iter::once(&"test").chain(arguments));
        let matches = matches.map_err(|error| error.to_string())?;
        Ok((Web::from_matches(&matches), Log::from_matches(&matches)))
    }

    #[test]
    fn flags_have_the_usual_defaults() {
        let (web, log) = parse(&[]).unwrap();
        assert_eq!(web.listen, [":9100"]);
        assert_eq!(web.telemetry_path, "/metrics");
        assert_eq!(log, Log { level: Level::Info, format: LogFormat::Logfmt });
    }

    #[test]
    fn flags_are_taken() {
        let (web, log) = parse(&[
            "--web.listen-address=127.0.0.1:1",
            "--web.listen-address=[::1]:2",
            "--web.telemetry-path=/probe/all",
            "--web.max-requests=7",
            "--web.systemd-socket",
            "--web.config.file=/etc/web.yml",
            "--web.disable-exporter-metrics",
            "--log.level=warn",
            "--log.format=json",
        ])
        .unwrap();
        assert_eq!(web.listen, ["127.0.0.1:1", "[::1]:2"]);
        assert_eq!((web.telemetry_path.as_str(), web.max_requests), ("/probe/all", 7));
        assert!(web.disable_exporter_metrics && web.systemd_socket);
        assert_eq!(web.config_file, Some(PathBuf::from("/etc/web.yml")));
        assert_eq!(parse(&["--web.config.file="]).unwrap().0.config_file, None);
        assert!(!parse(&["--no-web.systemd-socket"]).unwrap().0.systemd_socket);
        assert!(parse(&["--no-web.systemd-socket", "--web.systemd-socket"]).is_err(), "a contradiction");
        assert_eq!(log, Log { level: Level::Warn, format: LogFormat::Json });
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for argument in
            ["--web.telemetry-path=metrics", "--web.telemetry-path=/", "--web.telemetry-path=/-/ready"]
        {
            assert!(parse(&[argument]).unwrap_err().contains("a path begins with a slash"));
        }
        assert!(parse(&["--log.level=chatty"]).unwrap_err().contains("debug, info, warn, error"));
    }
}
