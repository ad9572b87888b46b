//! A switch that does not exist: eight interfaces with traffic that rises and falls, a fan, two power supplies and
//! two temperatures. Everything it tells is a function of the time since it started.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::agent::{Datum, Variables};

const SYSTEM: [u32; 7] = [1, 3, 6, 1, 2, 1, 1];
const IF_ENTRY: [u32; 9] = [1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_X_ENTRY: [u32; 10] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1];
const PHYSICAL_NAME: [u32; 11] = [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1];
const SENSOR_ENTRY: [u32; 10] = [1, 3, 6, 1, 2, 1, 99, 1, 1, 1];

/// How long it was up before anybody asked: a counter that begins at zero looks as if it had just been reset.
const EARLIER: Duration = Duration::from_secs(34 * 86_400);

struct Interface {
    name: &'static str,
    alias: &'static str,
    /// Millions of bits a second.
    speed: u32,
    up: bool,
    /// The part of the speed that is used on average, in and out.
    load: (f64, f64),
}

const fn interface(
    name: &'static str,
    alias: &'static str,
    speed: u32,
    up: bool,
    load: (f64, f64),
) -> Interface {
    Interface { name, alias, speed, up, load }
}

const INTERFACES: [Interface; 8] = [
    interface("Gi1/0/1", "reception", 1_000, true, (0.01, 0.04)),
    interface("Gi1/0/2", "printer, second floor", 100, true, (0.002, 0.01)),
    interface("Gi1/0/3", "access point, lobby", 1_000, true, (0.06, 0.25)),
    interface("Gi1/0/4", "camera, entrance", 100, true, (0.08, 0.001)),
    interface("Gi1/0/5", "backup server", 1_000, true, (0.55, 0.05)),
    interface("Gi1/0/6", "", 1_000, false, (0.0, 0.0)),
    interface("Te1/1/1", "uplink to the core", 10_000, true, (0.12, 0.09)),
    interface("Te1/1/2", "uplink to the core, spare", 10_000, true, (0.001, 0.001)),
];

/// What is measured: the sensor's name, `EntitySensorDataType`, digits after the point, the value and how far it swings.
const SENSORS: [(&str, i64, i64, f64, f64); 5] = [
    ("inlet temperature", 8, 1, 24.5, 2.0),
    ("processor temperature", 8, 1, 51.0, 6.0),
    ("fan 1", 10, 0, 5_400.0, 350.0),
    ("power supply 1", 6, 1, 62.0, 9.0),
    ("power supply 2", 6, 1, 60.5, 9.0),
];

/// Everything that the switch tells, that long after its start.
pub(super) fn variables(passed: Duration) -> Variables {
    let seconds = (EARLIER + passed).as_secs_f64();
    let ticks = (seconds * 100.0) as u32;
    let mut all = Variables::new();
    let text = |text: &str| Datum::Octets(text.as_bytes().to_vec());
    for (arc, datum) in [
        (1, text("A switch in the memory of snmp-bridge demo, 8 ports")),
        (2, Datum::Oid([1, 3, 6, 1, 4, 1, 32_473, 1][..].into())), // the enterprise of examples, RFC 5612
        (3, Datum::TimeTicks(ticks)),
        (4, text("noc@example.org")),
        (5, text("demo-switch")),
        (6, text("nowhere, rack 1")),
    ] {
        all.insert([&SYSTEM[..], &[arc, 0]].concat()[..].into(), datum);
    }
    for (index, interface) in (1..).zip(&INTERFACES) {
        let mut add = |entry: &[u32], column: u32, datum: Datum| {
            all.insert([entry, &[column, index]].concat()[..].into(), datum);
        };
        let speed = f64::from(interface.speed) * 1e6;
        let octets_in = octets(seconds, speed * interface.load.0, index);
        let octets_out = octets(seconds, speed * interface.load.1, index + 3);
        let few = |share: f64| Datum::Counter32((octets_in as f64 * share) as u64 as u32);
        let status = Datum::Integer(if interface.up { 1 } else { 2 });
        for (column, datum) in [
            (1, Datum::Integer(index.into())),
            (2, text(&interface.name.replace("Gi", "GigabitEthernet").replace("Te", "TenGigabitEthernet"))),
            (3, Datum::Integer(6)),
            (4, Datum::Integer(1500)),
            (5, Datum::Gauge32((speed as u64).min(u32::MAX.into()) as u32)),
            (6, Datum::Octets(vec![0x02, 0, 0x5e, 0, 0x53, index as u8])),
            (7, Datum::Integer(1)),
            (8, status),
            (9, Datum::TimeTicks(4_711 * index)),
            (10, Datum::Counter32(octets_in as u32)),
            (13, few(1e-11)),
            (14, few(4e-12)),
            (16, Datum::Counter32(octets_out as u32)),
            (19, few(3e-12)),
            (20, Datum::Counter32(0)),
        ] {
            add(&IF_ENTRY, column, datum);
        }
        for (column, datum) in [
            (1, text(interface.name)),
            (6, Datum::Counter64(octets_in)),
            (7, Datum::Counter64(octets_in / 870)),
            (10, Datum::Counter64(octets_out)),
            (11, Datum::Counter64(octets_out / 640)),
            (15, Datum::Gauge32(interface.speed)),
            (18, text(interface.alias)),
        ] {
            add(&IF_X_ENTRY, column, datum);
        }
    }
    for (index, (name, kind, digits, mean, swing)) in (1001..).zip(SENSORS) {
        let value = mean + swing * wave(seconds, 600.0, index);
        let scaled = (value * 10_f64.powi(digits as i32)).round() as i64;
        all.insert([&PHYSICAL_NAME[..], &[7, index]].concat()[..].into(), text(name));
        for (column, value) in [(1, kind), (2, 9), (3, digits), (4, scaled), (5, 1)] {
            let name = [&SENSOR_ENTRY[..], &[column, index]].concat();
            all.insert(name[..].into(), Datum::Integer(value));
        }
    }
    all
}

/// Between -1 and 1, at another place of its way for each `which`.
fn wave(seconds: f64, period: f64, which: u32) -> f64 {
    (TAU * (seconds / period + f64::from(which) * 0.37)).sin()
}

/// The octets after this many seconds at so many bits a second on average. The rate rises and falls by eight tenths
/// of itself, so that the sum never falls.
fn octets(seconds: f64, bits: f64, which: u32) -> u64 {
    const PERIOD: f64 = 180.0;
    let swing = 0.8 * PERIOD / TAU * (1.0 + wave(seconds, PERIOD, which));
    (bits / 8.0 * (seconds + swing)) as u64
}
