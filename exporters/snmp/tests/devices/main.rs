//! The bridge against devices in this process: sound ones, broken ones and hostile ones.

mod access;
mod agent;
mod cases;
mod endless;
mod hostile;
mod late;
mod lossy;
mod secured;
mod shapes;
mod streams;

use std::time::{Duration, Instant};

use openmetrics::format::{Format, encode};
use openmetrics_snmp_bridge::asked::{Asked, Failure};
use openmetrics_snmp_bridge::bridge::{Bridge, Options};
use openmetrics_snmp_bridge::config::Config;

use self::agent::{Agent, Table};

/// Two columns of one table; patience is for devices that are silent in the end.
const MODULES: &str = "
modules:
  table:
    walk: [1.3.6.1.4.1.99999.1.1]
    metrics:
    - {name: one, oid: 1.3.6.1.4.1.99999.1.1.1, type: counter, indexes: [{labelname: row, type: gauge}]}
    - {name: two, oid: 1.3.6.1.4.1.99999.1.1.2, type: counter, indexes: [{labelname: row, type: gauge}]}
    timeout: 300ms
    retries: 2
";

const AUTHS: &str = "
auths:
  public_v2: {version: 2, community: hunter2}
";

fn bridge(config: &str, options: Options) -> Bridge {
    Bridge::new(Config::parse(config).unwrap(), options)
}

fn sound(rows: u32) -> Agent {
    let table = Table::new(2, rows);
    Agent::new(move |octets| {
        let asked = agent::Asked::read(octets).unwrap();
        vec![asked.response(0, 0, &table.variables(&asked, 100))]
    })
}

/// The page of a scrape, or why there is none.
fn scrape_for(bridge: &Bridge, query: &[(&str, &str)], time: Duration) -> Result<String, Failure> {
    let parameters: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(bridge.scrape(Asked::new(&parameters)?, time))?;
    let mut page = Vec::new();
    encode(&bridge.page(&found), Format::TEXT_0_0_4, &mut page);
    Ok(String::from_utf8(page).unwrap())
}

fn scrape(bridge: &Bridge, target: &str) -> Result<String, Failure> {
    scrape_for(bridge, &[("target", target), ("module", "table")], Duration::from_secs(60))
}

/// How many of the two columns' samples a page has, each with its own value.
fn samples(page: &str) -> usize {
    let is_right = |line: &&str| {
        let (name, column) = if line.starts_with("one{") { ("one", 1) } else { ("two", 2) };
        let row = |text: &str| text.parse::<u32>().ok();
        line.strip_prefix(name)
            .and_then(|line| line.strip_prefix("{row=\""))
            .and_then(|line| line.split_once("\"} "))
            .is_some_and(|(index, value)| row(index).map(|row| row + column * 100_000) == row(value))
    };
    page.lines().filter(is_right).count()
}

#[test]
fn a_sound_device_is_told_whole() {
    let agent = sound(50);
    let page = scrape(&bridge(&[AUTHS, MODULES].concat(), Options::default()), &agent.address.to_string());
    assert_eq!(samples(&page.unwrap()), 100);
    assert!(agent.received() < 10);
}

/// A failure's words and how long they took.
fn failure(bridge: &Bridge, target: &str) -> (String, Duration) {
    let begin = Instant::now();
    match scrape(bridge, target) {
        Err(Failure::Scrape(words)) => (words, begin.elapsed()),
        other => panic!("{target}: {other:?}"),
    }
}
