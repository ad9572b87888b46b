//! Which devices may be asked, and what strangers learn of the others.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::Duration;

use openmetrics_snmp_bridge::access::{AllowList, Allowed};
use openmetrics_snmp_bridge::asked::Failure;
use openmetrics_snmp_bridge::bridge::Options;

use super::{AUTHS, MODULES, bridge, failure, samples, scrape, scrape_for, sound};

fn listed(list: &[&str]) -> Options {
    let allowed: AllowList = list.iter().map(|one| one.parse::<Allowed>().unwrap()).collect();
    Options { allowed, ..Options::default() }
}

#[test]
fn only_what_is_listed_is_asked() {
    let agent = sound(3);
    let here = agent.address.to_string();
    let config = [AUTHS, MODULES].concat();
    assert_eq!(samples(&scrape(&bridge(&config, Options::default()), &here).unwrap()), 6);
    assert_eq!(samples(&scrape(&bridge(&config, listed(&["127.0.0.0/8"])), &here).unwrap()), 6);
    let so_far = agent.received();
    for list in ["192.0.2.0/24", "0.0.0.0/0", "localhost", "*.example"] {
        let refusing = bridge(&config.replace("300ms", "10ms"), listed(&[list]));
        let by_name = format!("localhost:{}", agent.address.port());
        for target in [&here, &by_name, &format!("[::ffff:127.0.0.1]:{}", agent.address.port())] {
            failure(&refusing, target);
        }
    }
    assert_eq!(agent.received(), so_far, "not a packet to what is not listed");
}

#[test]
fn refused_and_silent_look_alike() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let bridge = bridge(&[AUTHS, MODULES].concat(), listed(&["127.0.0.1"]));
    let targets = [
        silent.local_addr().unwrap().to_string(),
        closed.to_string(),
        format!("tcp://{closed}"),
        "192.0.2.1".to_owned(),
        "127.0.0.2".to_owned(),
        "169.254.169.254:80".to_owned(),
        "no-such-host.invalid".to_owned(),
    ];
    let ask = |target: &str| {
        let (words, took) = failure(&bridge, target);
        let words = words.strip_prefix(&format!("target {target}: ")).unwrap();
        assert!(words.starts_with("no answer; is it reachable, may it be asked from here"), "{words}");
        // As long as a silent device takes with this module.
        assert!(took.as_millis() >= 900, "{target}: {took:?}");
    };
    std::thread::scope(|scope| {
        for target in &targets {
            scope.spawn(|| ask(target));
        }
    });
}

#[test]
fn the_scrape_timeout_bounds_a_refusal() {
    let bridge = bridge(&[AUTHS, &MODULES.replace("300ms", "1h")].concat(), listed(&["192.0.2.1"]));
    let query = [("target", "127.0.0.1"), ("module", "table")];
    let refused = scrape_for(&bridge, &query, Duration::from_millis(50));
    assert!(matches!(refused, Err(Failure::Scrape(_))));
}

#[test]
fn without_lists_a_failure_says_what_it_is() {
    let bridge = bridge(&[AUTHS, MODULES].concat(), Options::default());
    assert!(failure(&bridge, "no-such-host.invalid").0.contains("the name has no address"));
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let words = failure(&bridge, &silent.local_addr().unwrap().to_string()).0;
    assert!(words.contains("no answer about 1.3.6.1.4.1.99999.1.1.1, asked "), "{words}");
}

#[test]
fn an_auth_goes_to_its_targets_only() {
    let agent = sound(3);
    let here = agent.address.to_string();
    let auths = "
auths:
  here: {version: 2, community: a, targets: [127.0.0.0/8]}
  there: {version: 2, community: hunter2, targets: [192.0.2.0/24, '*.example']}
";
    let bridge = bridge(&[auths, MODULES].concat(), Options::default());
    let with = |auth: &str| {
        let query = [("target", here.as_str()), ("module", "table"), ("auth", auth)];
        scrape_for(&bridge, &query, Duration::from_secs(60))
    };
    assert_eq!(samples(&with("here").unwrap()), 6);
    assert_eq!(samples(&scrape(&bridge, &here).unwrap()), 6, "found by the address");
    let so_far = agent.received();
    let Err(Failure::Scrape(words)) = with("there") else { panic!("asked with an auth of others") };
    assert!(words.contains("no answer") && !words.contains("hunter2"), "{words}");
    assert_eq!(agent.received(), so_far);
    let Err(Failure::Request(words)) = with("nobody") else { panic!("asked with no auth") };
    assert_eq!(words, "there is no auth \"nobody\"");
}
