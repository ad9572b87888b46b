//! `snmp-bridge`: the program. See the library for what it does.

mod generate;
mod mibs;
mod try_device;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use openmetrics::http::{Unavailable, render, reply};
use openmetrics_exporter_toolkit::{Call, Exporter, Log, Route, Web};
use openmetrics_snmp_bridge::access::{AllowList, Allowed};
use openmetrics_snmp_bridge::asked::{Asked, Failure};
use openmetrics_snmp_bridge::bridge::{Bridge, Options};
use openmetrics_snmp_bridge::config::Config;

/// Pages with more points than this are made on another thread, so that other scrapes go on meanwhile.
const LARGE: usize = 2_000;

fn main() -> ExitCode {
    let matches = command().get_matches();
    Log::from_matches(&matches).init();
    if let Some(("generate", matches_of_it)) = matches.subcommand() {
        return generate::run(matches_of_it);
    }
    let config = match load(&matches) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if config.modules.is_empty() || config.auths.is_empty() {
        let missing = if config.modules.is_empty() { "modules" } else { "auths" };
        eprintln!(
            "error: the configuration has no {missing}; --config.file names files that do not exist or are of an old form"
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
    let options = Options {
        source: matches.get_one("snmp.source-address").copied(),
        wrap: matches.get_one::<bool>("snmp.wrap-large-counters").copied().unwrap_or(true)
            && !matches.get_flag("no-snmp.wrap-large-counters"),
        allowed,
    };
    let bridge = Bridge::new(config, options);
    if let Some(("try", matches)) = matches.subcommand() {
        return try_device::run(&bridge, matches);
    }
    serve(&matches, Arc::new(bridge), &overview)
}

fn load(matches: &ArgMatches) -> Result<Config, String> {
    let files: Vec<String> = matches.get_many("config.file").into_iter().flatten().cloned().collect();
    let loaded = Config::load(&files, matches.get_flag("config.expand-environment-variables"));
    let (mut config, without) = loaded.map_err(|error| error.to_string())?;
    mibs::complete(matches, &mut config, openmetrics_snmp_bridge::mib::Options::default())?;
    for pattern in without {
        tracing::warn!(pattern, "no configuration file matches");
    }
    Ok(config)
}

fn serve(matches: &ArgMatches, bridge: Arc<Bridge>, overview: &str) -> ExitCode {
    let scrapes = bridge.clone();
    let scrape = Route::new("/snmp", "metrics of a device", move |call| answer(scrapes.clone(), call))
        .example("target=192.0.2.1&auth=public_v2&module=if_mib");
    let looking = bridge.clone();
    let discover = Route::new("/discover", "the modules that a device has rows for", move |call| {
        suiting(looking.clone(), call)
    })
    .example("target=192.0.2.1&auth=public_v2");
    let configured = bridge.clone();
    let config = Route::new("/config", "the configuration, secrets hidden", move |_| {
        let yaml = configured.config().to_yaml();
        async move { reply::text(http::StatusCode::OK, &yaml) }
    });
    let (reloaded, asked) = (bridge.clone(), matches.clone());
    let reload = Arc::new(move || match load(&asked) {
        Ok(config) => {
            tracing::info!(modules = config.modules.len(), "the configuration was read again");
            reloaded.set_config(config);
            Ok(())
        }
        Err(error) => {
            tracing::error!(%error, "the configuration was not read again; the one before stays");
            Err(error)
        }
    });
    let by_request = reload.clone();
    let reload_route = Route::new("/-/reload", "POST reads the configuration again", move |call: Call| {
        let response = if matches!(call.method, http::Method::POST | http::Method::PUT) {
            match by_request() {
                Ok(()) => reply::text(http::StatusCode::OK, "the configuration was read again"),
                Err(error) => reply::text(http::StatusCode::INTERNAL_SERVER_ERROR, &error),
            }
        } else {
            reply::text(http::StatusCode::BAD_REQUEST, "send a POST to read the configuration again")
        };
        async move { response }
    });
    hang_up(move || drop(reload()));
    Exporter::new("snmp_bridge", env!("CARGO_PKG_VERSION"))
        .about("Metrics of devices that speak SNMP.")
        .metrics(bridge)
        .route(scrape)
        .route(discover)
        .route(config)
        .route(reload_route)
        .note(overview.to_owned())
        .run(&Web::from_matches(matches))
}

/// Does something whenever the process is hung up.
fn hang_up(act: impl Fn() + Send + 'static) {
    // A thread of its own: the event loop is the exporter's, and is not there yet.
    let waiting = std::thread::Builder::new().name("reload".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
            let Ok(mut signal) = signal else { return };
            while signal.recv().await.is_some() {
                act();
            }
        });
    });
    if let Err(error) = waiting {
        tracing::warn!(%error, "SIGHUP will not be heard");
    }
}

/// Answers which modules a device has rows for, one a line.
async fn suiting(bridge: Arc<Bridge>, call: Call) -> openmetrics::http::Response {
    let found = match Asked::new(&call.parameters) {
        Ok(asked) => bridge.discover(&asked, call.scrape.time).await,
        Err(failure) => Err(failure),
    };
    match found {
        Ok(found) => {
            let mut lines = found.modules.join("\n");
            lines.push('\n');
            reply::text(http::StatusCode::OK, &lines)
        }
        Err(Failure::Request(message)) => Unavailable::bad_request(message).into_response(),
        Err(Failure::Scrape(message)) => Unavailable::failed(message).into_response(),
    }
}

/// Answers one request for a device's metrics.
async fn answer(bridge: Arc<Bridge>, call: Call) -> openmetrics::http::Response {
    let found = match Asked::new(&call.parameters) {
        Ok(asked) => bridge.scrape(asked, call.scrape.time).await,
        Err(failure) => Err(failure),
    };
    let found = match found {
        Ok(found) => found,
        Err(Failure::Request(message)) => return Unavailable::bad_request(message).into_response(),
        Err(Failure::Scrape(message)) => return Unavailable::failed(message).into_response(),
    };
    let large = found.rows() > LARGE;
    let scrape = call.scrape;
    let make = move || render(&bridge.page(&found), scrape.rendering, scrape.coding).0.into_response();
    if large {
        let made = tokio::task::spawn_blocking(make).await;
        made.unwrap_or_else(|_| Unavailable::failed("the page could not be made").into_response())
    } else {
        make()
    }
}

fn command() -> Command {
    let arg = |name: &'static str| Arg::new(name).long(name);
    let command = Command::new("snmp-bridge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Metrics of devices that speak SNMP, from snmp_exporter's configuration")
        .arg(
            arg("config.file")
                .value_name("PATTERN")
                .global(true)
                .action(ArgAction::Append)
                .default_value("snmp.yml")
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
    let command = mibs::add_flags(command).subcommand(generate::command()).subcommand(try_device::command());
    Log::add_flags(Web::add_flags(command, ":9116"))
}

fn source_address(text: &str) -> Result<std::net::SocketAddr, String> {
    let text = if text.ends_with(':') { format!("{text}0") } else { text.to_owned() };
    text.parse().map_err(|_| format!("{text:?} is no address; one looks like 192.0.2.1:0 or [2001:db8::1]:0"))
}
