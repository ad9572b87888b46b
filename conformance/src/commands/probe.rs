//! `omtool probe`.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::check::ReportArguments;
use crate::cli::{Failure, Outcome};
use crate::client::{Client, ConnectArguments, is_address};
use crate::{probe, tls};

/// Which endpoint, and how long it is watched.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Addresses of endpoints, such as `http://localhost:9100/metrics`.
    #[arg(required = true, value_name = "URL")]
    addresses: Vec<String>,
    /// Seconds between scrapes.
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    interval: f64,
    /// Scrapes apart in time, each compared with the one before.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Scrapes at the same time.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    #[command(flatten)]
    report: ReportArguments,
    #[command(flatten)]
    connect: ConnectArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let config = arguments.report.config()?;
    let client = Client::new(&arguments.connect)?;
    let interval = Duration::try_from_secs_f64(arguments.interval)
        .map_err(|_| Failure::new("--interval: seconds, such as 15 or 0.5"))?;
    let talks = std::io::stderr().is_terminal();
    let progress = |what: &str| {
        if talks {
            // Back to the beginning of the line, and clear it.
            let _ = write!(std::io::stderr(), "\r\x1b[Komtool: {what}");
        }
    };
    let mut all = Vec::new();
    for address in &arguments.addresses {
        if !is_address(address) {
            return Err(Failure::new(format!(
                "{address}: an address begins with http:// or https://, as http://{address}"
            )));
        }
        let plan = probe::Plan {
            address,
            count: arguments.count,
            interval,
            parallel: usize::from(arguments.parallel),
            tls13: tls::offers_tls13(address),
            wait: &std::thread::sleep,
            progress: &progress,
        };
        let probed = probe::run(&client.at(address), &plan, &config, arguments.report.cap);
        if talks {
            eprint!("\r\x1b[K");
        }
        let probed = probed.map_err(|error| Failure::new(format!("{address}: {error}")))?;
        eprintln!("omtool: {address}: {}", probed.summary);
        all.extend(probed.judged);
    }
    arguments.report.report(all)
}
