//! Walks of devices that are a table in memory.

use super::*;
use crate::ber::{Reader, Writer};
use quickcheck::quickcheck;

/// A device in memory, and how it misbehaves.
#[derive(Default)]
struct Device {
    rows: BTreeMap<Vec<u32>, i64>,
    /// How many variables a reply holds.
    room: usize,
    /// More repetitions than this are too many.
    repetitions: Option<u32>,
    /// Asked for anything below this, it fails.
    broken: Option<Vec<u32>>,
    /// At this name it goes back to the first one.
    circle: Option<Vec<u32>>,
    version1: bool,
    /// Asked for several rows at once, it leaves this one out.
    skips: Option<Vec<u32>>,
    /// Asked for rows that are not there by name, it fails.
    strict: bool,
}

impl Device {
    fn with(names: &[&str]) -> Self {
        let rows = names
            .iter()
            .zip(1..)
            .map(|(name, value)| (name.parse::<Oid>().unwrap().to_vec(), value))
            .collect();
        Self { rows, room: 50, ..Self::default() }
    }

    fn after(&self, name: &[u32]) -> Option<(&Vec<u32>, i64)> {
        if self.circle.as_deref() == Some(name) {
            return self.rows.iter().next().map(|(name, value)| (name, *value));
        }
        let found =
            self.rows.range::<[u32], _>((std::ops::Bound::Excluded(name), std::ops::Bound::Unbounded)).next();
        found.map(|(name, value)| (name, *value))
    }

    /// A response as it is on the wire.
    fn answer(&self, ask: &Ask) -> Vec<u8> {
        let mut found: Vec<(Vec<u32>, Option<i64>)> = Vec::new();
        let (mut status, mut index) = (0, 0);
        let fails = |name: &Oid| self.broken.as_ref().is_some_and(|broken| name.starts_with(broken));
        if ask.names.iter().any(fails) {
            status = 5;
        } else if self.repetitions.is_some_and(|most| ask.repetitions > most) {
            status = 1;
        } else if ask.kind == PduKind::Get
            && self.strict
            && ask.names.iter().any(|name| !self.rows.contains_key(&name[..]))
        {
            status = 5;
        } else if ask.kind == PduKind::Get {
            found = ask.names.iter().map(|name| (name.to_vec(), self.rows.get(&name[..]).copied())).collect();
        } else {
            let mut cursors: Vec<Vec<u32>> = ask.names.iter().map(|name| name.to_vec()).collect();
            for _ in 0..ask.repetitions.max(1) {
                for cursor in &mut cursors {
                    let skip = |name: &[u32]| ask.repetitions > 1 && self.skips.as_deref() == Some(name);
                    let next = self.after(cursor);
                    match next.and_then(|next| if skip(next.0) { self.after(next.0) } else { Some(next) }) {
                        Some((name, value)) => {
                            cursor.clone_from(name);
                            found.push((name.clone(), Some(value)));
                        }
                        None => found.push((cursor.clone(), None)),
                    }
                }
            }
            found.truncate(self.room);
        }
        if self.version1
            && let Some(at) = found.iter().position(|(_, value)| value.is_none())
        {
            (status, index) = (2, at as i64 + 1);
        }
        let mut out = Writer::new();
        out.within(PduKind::Response as u8, |out| {
            out.within(ber::SEQUENCE, |out| {
                for (name, value) in found.iter().rev().filter(|_| status == 0) {
                    out.within(ber::SEQUENCE, |out| {
                        match value {
                            Some(value) => out.integer(*value),
                            None => out.value(0x82, &[]),
                        }
                        out.oid(name);
                    });
                }
            });
            out.integer(index);
            out.integer(status);
            out.integer(1);
        });
        out.finish()
    }

    fn walk(&self, targets: Vec<Target>, any_order: bool) -> (Result<Vec<Column>, Fault>, usize) {
        let version = if self.version1 { Version::V1 } else { Version::V2c };
        let style = Style {
            version,
            max_repetitions: 25,
            max_names: 60,
            window: 3,
            any_order,
            max_rows: 10_000,
            max_octets: 1 << 20,
        };
        let mut walk = Walk::new(targets, style);
        let mut requests = 0;
        // All that may be sent is sent; answers come in the order of the requests.
        let mut flying = VecDeque::new();
        loop {
            while flying.len() < style.window {
                let Some(ask) = walk.next_ask() else { break };
                requests += 1;
                assert!(requests < 20_000, "it does not end");
                flying.push_back(ask);
            }
            let Some(ask) = flying.pop_front() else { return (Ok(walk.finish()), requests) };
            let octets = self.answer(&ask);
            let pdu = Pdu::read(&mut Reader::new(&octets)).unwrap();
            let variables: Vec<_> = pdu.variables().map(Result::unwrap).collect();
            if let Err(fault) = walk.answer(ask.key, &pdu, &variables, octets.len()) {
                return (Err(fault), requests);
            }
        }
    }

    /// What a walk of `root` has to find: everything below it, or itself.
    fn below(&self, root: &Oid) -> Vec<(Vec<u32>, i64)> {
        let inside = |name: &Vec<u32>| name.starts_with(root) && name.len() > root.len();
        let below: Vec<_> =
            self.rows.iter().filter(|(name, _)| inside(name)).map(|(n, v)| (n.clone(), *v)).collect();
        match self.rows.get(&root[..]) {
            Some(value) if below.is_empty() => vec![(root.to_vec(), *value)],
            _ => below,
        }
    }
}

fn column(oid: &str) -> Target {
    Target { oid: oid.parse().unwrap(), kind: TargetKind::Column { exact: true } }
}

fn rows(column: &Column) -> Vec<(Vec<u32>, i64)> {
    (0..column.len())
        .map(|row| {
            let Value::Integer(value) = column.value(row) else { panic!("an integer") };
            ([&column.prefix()[..], column.arcs(row)].concat(), value)
        })
        .collect()
}

fn finds_all(device: &Device, targets: &[Target]) -> bool {
    let columns = device.walk(targets.to_vec(), false).0.unwrap();
    columns.iter().all(|column| rows(column) == device.below(column.prefix()))
}

#[test]
fn a_table_is_walked_several_columns_at_once() {
    let mut names = Vec::new();
    for column in 1..=10 {
        names.extend((1..=40).map(|row| format!("1.3.6.1.2.{column}.{row}")));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let targets: Vec<Target> = (1..=10).map(|at| column(&format!("1.3.6.1.2.{at}"))).collect();
    for room in [50, 3, 1] {
        let device = Device { room, ..Device::with(&names) };
        assert!(finds_all(&device, &targets), "room {room}");
    }
    let (found, requests) = Device::with(&names).walk(targets, false);
    assert_eq!(found.unwrap().iter().map(Column::len).sum::<usize>(), 400);
    assert!(requests <= 20, "{requests} requests for 400 variables");
}

#[test]
fn what_is_too_big_is_asked_for_in_smaller_pieces() {
    let names: Vec<String> = (1..=60).map(|row| format!("1.3.6.1.2.{row}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let device = Device { repetitions: Some(3), ..Device::with(&names) };
    assert!(finds_all(&device, &[column("1.3.6.1.2")]));
}

#[test]
fn a_variable_is_found_by_its_own_name() {
    let device = Device::with(&["1.3.6.1.1.0", "1.3.6.1.2.0", "1.3.6.1.3.0"]);
    let found = device.walk(vec![column("1.3.6.1.2.0"), column("1.3.6.1.9")], false).0.unwrap();
    assert_eq!(found.iter().map(Column::len).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn version_1_ends_with_an_error_that_is_none() {
    let device = Device { version1: true, ..Device::with(&["1.3.6.1.1.1", "1.3.6.1.1.2", "1.3.6.1.2.1"]) };
    assert!(finds_all(&device, &[column("1.3.6.1.1"), column("1.3.6.1.2"), column("1.3.6.1.3")]));
}

#[test]
fn a_device_that_fails_is_an_error_with_the_name() {
    let broken = "1.3.6.1.2".parse::<Oid>().unwrap();
    let device = Device { broken: Some(broken.to_vec()), ..Device::with(&["1.3.6.1.1.1", "1.3.6.1.2.1"]) };
    let fault = device.walk(vec![column("1.3.6.1.1"), column("1.3.6.1.2")], false).0.unwrap_err();
    assert_eq!(fault, Fault::Status(ErrorStatus::GEN_ERR, broken));
    assert_eq!(fault.to_string(), "the device answers genErr at 1.3.6.1.2");
}

#[test]
fn rows_that_were_skipped_are_found() {
    let names: Vec<String> =
        [2, 3].iter().flat_map(|at| (1..=40).map(move |row| format!("1.3.6.1.{at}.{row}"))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let targets = [column("1.3.6.1.2"), column("1.3.6.1.3")];
    for skipped in ["1.3.6.1.2.1", "1.3.6.1.2.20", "1.3.6.1.3.40"] {
        let skips = Some(skipped.parse::<Oid>().unwrap().to_vec());
        let device = Device { skips, ..Device::with(&names) };
        assert!(finds_all(&device, &targets), "{skipped}");
        // A column alone has nothing to be compared with.
        let alone = targets.iter().map(|one| device.walk(vec![one.clone()], false).0.unwrap()[0].len());
        assert_eq!(alone.sum::<usize>(), 79, "{skipped}");
    }
}

#[test]
fn gaps_stay_gaps_whatever_the_device_says_of_them() {
    let names = ["1.3.6.1.2.1", "1.3.6.1.2.2", "1.3.6.1.2.3", "1.3.6.1.3.2", "1.3.6.1.4.1"];
    let targets = [column("1.3.6.1.2"), column("1.3.6.1.3"), column("1.3.6.1.4")];
    for strict in [false, true] {
        assert!(finds_all(&Device { strict, ..Device::with(&names) }, &targets));
    }
    assert!(finds_all(&Device { version1: true, ..Device::with(&names) }, &targets));
}

#[test]
fn circles_end() {
    let circle = Some("1.3.6.1.1.3".parse::<Oid>().unwrap().to_vec());
    let device = Device { circle, ..Device::with(&["1.3.6.1.1.1", "1.3.6.1.1.2", "1.3.6.1.1.3"]) };
    let fault = |any_order| device.walk(vec![column("1.3.6.1.1")], any_order).0.unwrap_err();
    assert!(matches!(fault(false), Fault::NotIncreasing(..)));
    assert!(matches!(fault(true), Fault::Again(..)));
}

#[test]
fn replies_without_variables_end_the_walk() {
    let device = Device { room: 0, ..Device::with(&["1.3.6.1.1.1"]) };
    let fault = device.walk(vec![column("1.3.6.1.1")], false).0.unwrap_err();
    assert_eq!(fault, Fault::Empty("1.3.6.1.1".parse().unwrap()));
}

#[test]
fn too_many_rows_end_the_walk() {
    let rows = (0..20_000).map(|row| (vec![1, 3, 6, row], 1)).collect();
    let device = Device { rows, room: 50, ..Device::default() };
    assert!(matches!(device.walk(vec![column("1.3.6")], false).0, Err(Fault::TooMuch(_))));
}

quickcheck! {
    /// Whatever rows there are, and however small replies are, a walk finds what a look into the device finds.
    fn nothing_is_lost(names: Vec<(u8, u8)>, roots: Vec<u8>, room: u8, version1: bool) -> bool {
        let rows = names.iter().map(|(a, b)| (vec![1, 3, u32::from(a % 8), u32::from(*b)], 1)).collect();
        let room = usize::from(room % 40) + 1;
        let device = Device { rows, room: if version1 { 60 } else { room }, version1, ..Device::default() };
        let roots: std::collections::BTreeSet<u8> = roots.iter().map(|root| root % 8).collect();
        let targets: Vec<Target> = roots.iter().map(|root| column(&format!("1.3.{root}"))).collect();
        finds_all(&device, &targets)
    }
}
