//! `snmp-bridge demo`: a switch in memory and a bridge that asks it, so that everything can be seen without a device.

mod switch;

use std::net::{Ipv4Addr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;

use crate::access::Allowed;
use crate::agent::{self, Agent};
use crate::bridge::{Bridge, Options};
use crate::config::Config;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use openmetrics_exporter_toolkit::{Log, Web};

use crate::program::serve::{self, Example, Served};

/// What the switch is asked.
const CONFIG: &str = include_str!("snmp.yml");
/// Its modules in the order to read them in.
const MODULES: [&str; 3] = ["system", "if_mib", "entity_sensor"];

/// The command.
pub(crate) fn command() -> Command {
    let command = Command::new("demo")
        .about("Play a small switch and serve its metrics: no device and no configuration needed")
        .long_about(
            "Play a small switch and serve its metrics: no device and no configuration needed.\n\n\
             The switch answers SNMP 2c at a free UDP port of 127.0.0.1 with the community public, to the bridge and to \
             any other program, such as snmpwalk. It ends with Ctrl-C.",
        );
    Log::add_flags(Web::add_flags(command, "127.0.0.1:9116"))
}

/// Runs it.
pub(crate) fn run(all: &ArgMatches, matches: &ArgMatches) -> ExitCode {
    match start(all, matches) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(all: &ArgMatches, matches: &ArgMatches) -> Result<ExitCode, String> {
    let port = play().map_err(|error| format!("the switch cannot be played: {error}"))?;
    let config = configuration()?;
    let example = Example {
        target: format!("127.0.0.1:{port}"),
        auth: "public_v2".into(),
        modules: MODULES.map(str::to_owned).to_vec(),
        is_there: true,
    };
    let bridge = Arc::new(Bridge::new(config, options()));
    let mut web = Web::from_matches(matches);
    // The same flag means the same in front of the word and after it.
    if all.value_source("web.listen-address") == Some(ValueSource::CommandLine) {
        web.listen = Web::from_matches(all).listen;
    }
    let notes = vec![
        format!(
            "the switch is played at udp://127.0.0.1:{port}: snmpwalk -v2c -c public 127.0.0.1:{port} system"
        ),
        "Ctrl-C ends both".to_owned(),
    ];
    Ok(serve::run(&web, Served { bridge, example, traps: None }, notes, configuration))
}

/// Nothing but the switch is asked.
fn options() -> Options {
    let here = "127.0.0.1".parse::<Allowed>();
    Options { wrap: true, allowed: here.into_iter().collect(), ..Options::default() }
}

/// The configuration that is built in.
pub(super) fn configuration() -> Result<Config, String> {
    Config::parse(CONFIG).map_err(|error| error.to_string())
}

/// Plays the switch on a thread of its own, and tells at which port.
fn play() -> std::io::Result<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = socket.local_addr()?.port();
    let agent = Agent { community: "public".into(), ..Agent::default() };
    let playing = std::thread::Builder::new().name("switch".into());
    playing.spawn(move || {
        if let Err(error) = agent::serve(&agent, &socket, switch::variables) {
            tracing::error!(%error, "the switch is played no longer");
        }
    })?;
    Ok(port)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::asked::Asked;
    use openmetrics::format::{Format, encode};

    use super::*;

    #[test]
    fn the_switch_tells_what_the_modules_ask_for() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = socket.local_addr().unwrap().to_string();
        let agent = Agent { community: "public".into(), ..Agent::default() };
        std::thread::spawn(move || agent::serve(&agent, &socket, |_| switch::variables(Duration::ZERO)));
        let config = configuration().unwrap();
        let modules = MODULES.map(str::to_owned).to_vec();
        let bridge = Bridge::new(config, options());
        let asked = Asked { target, auth: "public_v2".into(), modules, context: None, engine: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(bridge.scrape(asked, Duration::from_secs(60))).unwrap();
        let mut page = Vec::new();
        encode(&bridge.page(&found), Format::TEXT_0_0_4, &mut page);
        let page = String::from_utf8(page).unwrap();
        for line in [
            r#"sysName{sysName="demo-switch"} 1"#,
            "sysUpTime 293760000",
            r#"ifHighSpeed{ifIndex="7",ifName="Te1/1/1",ifDescr="TenGigabitEthernet1/1/1",ifAlias="uplink to the core"} 10000"#,
            r#"ifOperStatus{ifIndex="6",ifName="Gi1/0/6",ifDescr="GigabitEthernet1/0/6"} 2"#,
            r#"entPhySensorType_info{entPhysicalIndex="1001",entPhysicalName="inlet temperature",entPhySensorType="celsius"} 1"#,
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        assert_eq!(page.lines().filter(|line| line.starts_with("ifHCInOctets{")).count(), 8);
        assert!(!page.contains("snmp_scrape_errors"), "{page}");
    }

    #[test]
    fn counters_of_the_switch_only_rise() {
        let counters = |seconds: u64| {
            let all = switch::variables(Duration::from_secs(seconds)).into_iter();
            all.filter(|(_, datum)| matches!(datum, agent::Datum::Counter64(_))).collect::<Vec<_>>()
        };
        let number =
            |datum: &agent::Datum| if let agent::Datum::Counter64(value) = datum { *value } else { 0 };
        for second in 0..400 {
            for ((name, before), (_, after)) in counters(second).iter().zip(&counters(second + 1)) {
                assert!(number(before) <= number(after), "{name} after {second} seconds");
            }
        }
    }
}
