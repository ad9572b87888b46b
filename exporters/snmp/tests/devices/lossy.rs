//! Ways that lose packets, and devices that take their time.

use std::time::Duration;

use openmetrics_snmp_bridge::bridge::Options;

use super::agent::{self, Agent, Table};
use super::{AUTHS, MODULES, bridge, samples, scrape};

const ROWS: u32 = 300;

/// A device that answers 20 variables at once, and how many packets it takes to be told whole; of 100 packets to it,
/// `lost` are lost.
fn packets(lost: u64, seed: u64) -> usize {
    let table = Table::new(2, ROWS);
    let mut random = seed;
    let agent = Agent::new(move |octets| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if (random >> 33) % 100 < lost {
            return Vec::new();
        }
        let asked = agent::Asked::read(octets).unwrap();
        vec![asked.response(0, 0, &table.variables(&asked, 20))]
    });
    // Patience enough for any luck.
    let modules = MODULES.replace("retries: 2", "retries: 100");
    let bridge = bridge(&[AUTHS, &modules].concat(), Options::default());
    let page = scrape(&bridge, &agent.address.to_string()).unwrap();
    assert_eq!(samples(&page), 2 * ROWS as usize);
    agent.received()
}

#[test]
fn what_is_lost_is_sent_again_and_no_more() {
    let sound = packets(0, 0);
    for seed in 1..=4 {
        // A fifth is lost, so five packets are sent where four were needed, and a few more on a busy machine. Had
        // requests become smaller, there would be many times as many.
        let lossy = packets(20, seed);
        assert!(lossy < sound * 3, "seed {seed}: {lossy} packets in place of {sound}");
    }
}

#[test]
fn a_device_that_takes_its_time_is_waited_for() {
    let table = Table::new(2, 40);
    let agent = Agent::new(move |octets| {
        std::thread::sleep(Duration::from_millis(60));
        let asked = agent::Asked::read(octets).unwrap();
        vec![asked.response(0, 0, &table.variables(&asked, 20))]
    });
    let modules = MODULES.replace("timeout: 300ms", "timeout: 20s");
    let bridge = bridge(&[AUTHS, &modules].concat(), Options::default());
    let page = scrape(&bridge, &agent.address.to_string()).unwrap();
    assert_eq!(samples(&page), 80);
    // An answer tells which of several packets it answers, so the round trip is learned from the first one.
    assert!(agent.received() <= 20, "{}", agent.received());
}
