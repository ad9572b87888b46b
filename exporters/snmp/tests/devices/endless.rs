//! Devices that have no end, or more than anybody wants to hold.

use openmetrics_snmp_bridge::ber;
use openmetrics_snmp_bridge::session::Limits;

use super::agent::{Agent, Asked, COUNTER32, Variable};
use super::cases::{Case, Outcome, judge};

/// A device that makes the next name from each name it is asked about, and has this value at all of them.
fn endless(next: fn(&mut Vec<u32>), value: (u8, Vec<u8>)) -> Agent {
    Agent::new(move |octets| {
        let asked = Asked::read(octets).unwrap();
        let mut cursors = asked.names.clone();
        let mut variables: Vec<Variable> = Vec::new();
        // As many as an Ethernet frame holds, but at least one row.
        let room = (1400 / (value.1.len() + 30)).max(cursors.len());
        while variables.len() < room {
            for cursor in &mut cursors {
                next(cursor);
                variables.push((cursor.clone(), value.clone()));
            }
        }
        vec![asked.response(0, 0, &variables)]
    })
}

/// The next row, of the first column or of the second.
fn next_row(name: &mut Vec<u32>) {
    match name.get_mut(10) {
        Some(row) => *row += 1,
        None => name.push(1),
    }
}

#[test]
fn what_has_no_end_is_ended() {
    use Outcome::Fails;
    let usual = Limits::default();
    let counter = || (COUNTER32, vec![1]);
    let cases = [
        ("rows", endless(next_row, counter()), Limits { rows: 5_000, ..usual }, Fails("after 50")),
        (
            "octets",
            endless(next_row, (ber::OCTET_STRING, vec![b'x'; 30_000])),
            Limits { octets: 8 << 20, ..usual },
            Fails("--snmp.max-bytes"),
        ),
        (
            "packets",
            endless(next_row, counter()),
            Limits { packets: 50, ..usual },
            Fails("--snmp.max-packets"),
        ),
        // No variable, but a name all the same.
        (
            "gaps",
            endless(next_row, (0x81, vec![])),
            Limits { rows: 5_000, ..usual },
            Fails("--snmp.max-rows"),
        ),
        ("longer and longer names", endless(|name| name.push(1), counter()), usual, Fails("that is none")),
        ("one name", endless(|name| name.resize(11, 1), counter()), usual, Fails("goes back")),
        (
            "names that go back",
            endless(
                |name| match name.get_mut(10) {
                    Some(row) => *row -= 1,
                    None => name.push(1_000_000),
                },
                counter(),
            ),
            usual,
            Fails("goes back"),
        ),
    ];
    judge(&cases.map(|(name, agent, limits, outcome)| Case {
        limits: Some(limits),
        ..Case::udp(name, agent, outcome)
    }));
}
