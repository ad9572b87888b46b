//! Wireless interfaces and their stations, from `nl80211` over generic netlink.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use openmetrics::model::{Descriptor, Number};
use serde_json::Value;

use super::{Setup, Spec};
use crate::families::{counter, gauge, info};
use crate::flags::Flag;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::netlink::{
    GENERIC_HEAD, Route, attributes, family, generic_request, hardware_address, text, u16_at, u32_at, u64_at,
};

const FIXTURES: Flag = Flag::text(
    "collector.wifi.fixtures",
    "",
    "A folder with interfaces.json and the like to take for the kernel's answers, for tests",
)
.hidden();

pub(super) static SPEC: Spec = Spec {
    name: "wifi",
    enabled: false,
    about: "wireless interfaces and stations",
    flags: &[FIXTURES],
    build: |setup| {
        let mut wifi = Wifi::new(setup);
        Ok(Reader::boxed(move |host, out| wifi.read(host, out)))
    },
};

static FREQUENCY: Descriptor =
    gauge("node_wifi_interface_frequency_hertz", "Frequency that the interface is at.");
static NETWORK: Descriptor = info("node_wifi_station_info", "The network that the interface is in.");
/// Of each station, in the order of [`Station::values`].
static OF_STATION: [Descriptor; 12] = [
    counter("node_wifi_station_connected_seconds_total", "Time that the station has been connected."),
    gauge("node_wifi_station_inactive_seconds", "Time since the station was last heard or spoken to."),
    gauge("node_wifi_station_receive_bits_per_second", "Rate at which we receive from the station."),
    gauge("node_wifi_station_transmit_bits_per_second", "Rate at which we send to the station."),
    counter("node_wifi_station_receive_bytes_total", "Bytes received from the station."),
    counter("node_wifi_station_transmit_bytes_total", "Bytes sent to the station."),
    gauge("node_wifi_station_signal_dbm", "Strength of the station's signal, in dBm."),
    counter("node_wifi_station_transmit_retries_total", "Packets that were sent again."),
    counter("node_wifi_station_transmit_failed_total", "Packets that could not be sent."),
    counter("node_wifi_station_beacon_loss_total", "Beacons that did not come."),
    counter("node_wifi_station_transmitted_packets_total", "Packets sent to the station."),
    counter("node_wifi_station_received_packets_total", "Packets received from the station."),
];

/// Commands and attributes of `linux/nl80211.h`.
mod nl80211 {
    pub(super) const GET_INTERFACE: u8 = 5;
    pub(super) const GET_STATION: u8 = 17;
    pub(super) const GET_SCAN: u8 = 32;
    pub(super) const IFINDEX: u16 = 3;
    pub(super) const IFNAME: u16 = 4;
    pub(super) const MAC: u16 = 6;
    pub(super) const STA_INFO: u16 = 21;
    pub(super) const WIPHY_FREQ: u16 = 38;
    pub(super) const BSS: u16 = 47;
    pub(super) const BSS_BSSID: u16 = 1;
    pub(super) const BSS_INFORMATION_ELEMENTS: u16 = 6;
    pub(super) const BSS_STATUS: u16 = 9;
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Interface {
    index: u32,
    /// Some virtual devices have none; nothing is told of them.
    name: String,
    megahertz: u64,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Network {
    id: String,
    name: String,
    /// `NL80211_BSS_STATUS_...`
    status: u32,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Station {
    address: String,
    connected_seconds: f64,
    inactive_seconds: f64,
    signal: f64,
    /// Receiving and sending.
    bits_per_second: [u64; 2],
    bytes: [u64; 2],
    packets: [u64; 2],
    retries: u64,
    failed: u64,
    beacons_lost: u64,
}

impl Station {
    fn values(&self) -> [Number; 12] {
        [
            self.connected_seconds.into(),
            self.inactive_seconds.into(),
            self.bits_per_second[0].into(),
            self.bits_per_second[1].into(),
            self.bytes[0].into(),
            self.bytes[1].into(),
            self.signal.into(),
            self.retries.into(),
            self.failed.into(),
            self.beacons_lost.into(),
            self.packets[1].into(),
            self.packets[0].into(),
        ]
    }
}

struct Wifi {
    source: Source,
}

/// Who answers.
enum Source {
    Kernel { route: Route, family: Option<u16> },
    Files(PathBuf),
}

impl Wifi {
    fn new(setup: &Setup<'_>) -> Self {
        let source = match setup.options.text(&FIXTURES) {
            "" => Source::Kernel { route: Route::generic(), family: None },
            folder => Source::Files(folder.into()),
        };
        Self { source }
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        for interface in self.source.interfaces(host)? {
            if interface.name.is_empty() {
                continue;
            }
            let device = ("device", interface.name.as_str());
            out.point(&FREQUENCY, &[device], interface.megahertz as f64 * 1000.0 * 1000.0);
            match self.source.network(host, &interface) {
                Ok(Some(network)) => {
                    let mode = match network.status {
                        0 | 1 => "client",
                        2 => "ad-hoc",
                        _ => "unknown",
                    };
                    let labels = [device, ("bssid", &network.id), ("ssid", &network.name), ("mode", mode)];
                    out.point(&NETWORK, &labels, 1_u64);
                }
                Ok(None) => {}
                Err(error) => host.note(error),
            }
            match self.source.stations(host, &interface) {
                Ok(stations) => {
                    for station in stations {
                        let labels = [device, ("mac_address", station.address.as_str())];
                        for (family, value) in OF_STATION.iter().zip(station.values()) {
                            out.point(family, &labels, value);
                        }
                    }
                }
                Err(error) => host.note(error),
            }
        }
        Ok(())
    }
}

impl Source {
    fn interfaces(&mut self, host: &mut Host) -> Result<Vec<Interface>, Error> {
        let mut found = Vec::new();
        match self {
            Self::Files(folder) => {
                let path = folder.join("interfaces.json");
                for object in objects(host, &path)?.unwrap_or_default() {
                    found.push(Interface {
                        index: 0,
                        name: word(&object, "name"),
                        megahertz: number(&object, "frequency").as_f64() as u64,
                    });
                }
            }
            Self::Kernel { route, family: id } => {
                if id.is_none() {
                    *id = family(route, "nl80211")?;
                }
                let Some(id) = *id else {
                    return Err(Error::no_data("the kernel knows no wireless interfaces (nl80211)"));
                };
                route.dump(id, &generic_request(nl80211::GET_INTERFACE, &[]), |_, message| {
                    let mut interface = Interface::default();
                    for (kind, value) in attributes(message.get(GENERIC_HEAD..).unwrap_or_default()) {
                        match kind {
                            nl80211::IFINDEX => interface.index = u32_at(value, 0).unwrap_or_default(),
                            nl80211::IFNAME => interface.name = text(value),
                            nl80211::WIPHY_FREQ => {
                                interface.megahertz = u32_at(value, 0).map(u64::from).unwrap_or_default();
                            }
                            _ => {}
                        }
                    }
                    found.push(interface);
                })?;
            }
        }
        Ok(found)
    }

    /// The network that an interface is in, if it is in one.
    fn network(&mut self, host: &mut Host, interface: &Interface) -> Result<Option<Network>, Error> {
        match self {
            Self::Files(folder) => {
                let path = folder.join(&interface.name).join("bss.json");
                let first = objects(host, &path)?.and_then(|objects| objects.into_iter().next());
                Ok(first.map(|object| Network {
                    id: address(&object, "bssid"),
                    name: word(&object, "ssid"),
                    status: match number(&object, "status").as_f64() as u32 {
                        // Here is a number more than the kernel has: that of those who have not joined yet.
                        2 => u32::MAX,
                        3 => 2,
                        status => status,
                    },
                }))
            }
            Self::Kernel { route, family } => {
                let mut network = None;
                let request = generic_request(nl80211::GET_SCAN, &[(nl80211::IFINDEX, interface.index)]);
                route.dump(family.unwrap_or_default(), &request, |_, message| {
                    network = network.take().or_else(|| parse_network(message));
                })?;
                Ok(network)
            }
        }
    }

    fn stations(&mut self, host: &mut Host, interface: &Interface) -> Result<Vec<Station>, Error> {
        match self {
            Self::Files(folder) => {
                let path = folder.join(&interface.name).join("stationinfo.json");
                Ok(objects(host, &path)?.unwrap_or_default().iter().map(station).collect())
            }
            Self::Kernel { route, family } => {
                let mut stations = Vec::new();
                let request = generic_request(nl80211::GET_STATION, &[(nl80211::IFINDEX, interface.index)]);
                route.dump(family.unwrap_or_default(), &request, |_, message| {
                    stations.extend(parse_station(message));
                })?;
                Ok(stations)
            }
        }
    }
}

/// The network in a message of a scan, if we are in it: only then it has a status.
fn parse_network(message: &[u8]) -> Option<Network> {
    let (_, bss) = attributes(message.get(GENERIC_HEAD..)?).find(|(kind, _)| *kind == nl80211::BSS)?;
    let (mut network, mut ours) = (Network::default(), false);
    for (kind, value) in attributes(bss) {
        match kind {
            nl80211::BSS_BSSID => network.id = hardware_address(value),
            nl80211::BSS_INFORMATION_ELEMENTS => network.name = ssid(value),
            nl80211::BSS_STATUS => {
                network.status = u32_at(value, 0)?;
                ours = true;
            }
            _ => {}
        }
    }
    ours.then_some(network)
}

/// The name of a network among its information elements, which are a number, a length, and as many bytes.
fn ssid(mut elements: &[u8]) -> String {
    while let (Some(id), Some(length)) = (elements.first(), elements.get(1)) {
        let Some(value) = elements.get(2..2 + usize::from(*length)) else { break };
        if *id == 0 {
            return String::from_utf8_lossy(value).into_owned();
        }
        elements = elements.get(2 + usize::from(*length)..).unwrap_or_default();
    }
    String::new()
}

fn parse_station(message: &[u8]) -> Option<Station> {
    let mut station = Station::default();
    let mut facts: Option<&[u8]> = None;
    for (kind, value) in attributes(message.get(GENERIC_HEAD..)?) {
        match kind {
            nl80211::MAC => station.address = hardware_address(value),
            nl80211::STA_INFO => facts = Some(value),
            _ => {}
        }
    }
    for (kind, value) in attributes(facts?) {
        let word = || u32_at(value, 0).map(u64::from).unwrap_or_default();
        let wide = || u64_at(value, 0).unwrap_or_default();
        match kind {
            1 => station.inactive_seconds = seconds(word().saturating_mul(1_000_000)),
            // The kernel sends the wide counters as well where it has them, and cuts them off in these two.
            2 => station.bytes[0] = station.bytes[0].max(word()),
            3 => station.bytes[1] = station.bytes[1].max(word()),
            7 => station.signal = value.first().map_or(0.0, |byte| f64::from(*byte as i8)),
            8 => station.bits_per_second[1] = rate(value),
            9 => station.packets[0] = word(),
            10 => station.packets[1] = word(),
            11 => station.retries = word(),
            12 => station.failed = word(),
            14 => station.bits_per_second[0] = rate(value),
            16 => station.connected_seconds = word() as f64,
            18 => station.beacons_lost = word(),
            23 => station.bytes[0] = wide(),
            24 => station.bytes[1] = wide(),
            _ => {}
        }
    }
    Some(station)
}

/// A rate in the kernel's units of 100 kbit/s: two bytes, or four for fast ones.
fn rate(nested: &[u8]) -> u64 {
    let (mut narrow, mut wide) = (0, 0);
    for (kind, value) in attributes(nested) {
        match kind {
            1 => narrow = u16_at(value, 0).map(u64::from).unwrap_or_default(),
            5 => wide = u32_at(value, 0).map(u64::from).unwrap_or_default(),
            _ => {}
        }
    }
    let rate = if wide > 0 { wide } else { narrow };
    rate * 100_000
}

/// Seconds of nanoseconds, added up as Go does it.
fn seconds(nanoseconds: u64) -> f64 {
    (nanoseconds / 1_000_000_000) as f64 + (nanoseconds % 1_000_000_000) as f64 / 1e9
}

/// The object or the array of objects in a file; `None` if it is not there.
fn objects(host: &mut Host, path: &Path) -> Result<Option<Vec<Value>>, Error> {
    let text = match host.text(path) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    match serde_json::from_str(&text) {
        Ok(Value::Array(values)) => Ok(Some(values)),
        Ok(value) => Ok(Some(vec![value])),
        Err(error) => Err(Error::failed(path, format!("no JSON: {error}"))),
    }
}

/// A field of an object, whatever its capitals.
fn field<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn word(object: &Value, name: &str) -> String {
    field(object, name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(object: &Value, name: &str) -> Number {
    let found = field(object, name);
    let whole = found.and_then(Value::as_u64).map(Number::from);
    whole.or_else(|| found.and_then(Value::as_f64).map(Number::from)).unwrap_or(Number::from(0_u64))
}

/// Bytes, which JSON has in base 64.
fn address(object: &Value, name: &str) -> String {
    let bytes = base64::engine::general_purpose::STANDARD.decode(word(object, name));
    hardware_address(&bytes.unwrap_or_default())
}

fn station(object: &Value) -> Station {
    let count = |name: &str| field(object, name).and_then(Value::as_u64).unwrap_or_default();
    Station {
        address: address(object, "hardwareaddr"),
        connected_seconds: seconds(count("connected")),
        inactive_seconds: seconds(count("inactive")),
        signal: number(object, "signal").as_f64(),
        bits_per_second: [count("receivebitrate"), count("transmitbitrate")],
        bytes: [count("receivedbytes"), count("transmittedbytes")],
        packets: [count("receivedpackets"), count("transmittedpackets")],
        retries: count("transmitretries"),
        failed: count("transmitfailed"),
        beacons_lost: count("beaconloss"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;
    use crate::netlink::for_tests::attribute;

    #[test]
    fn a_message_of_a_station() {
        let facts = [
            attribute(1, &1500_u32.to_ne_bytes()),
            attribute(2, &7_u32.to_ne_bytes()),
            attribute(23, &5_000_000_000_u64.to_ne_bytes()),
            attribute(7, &[-52_i8 as u8]),
            attribute(8, &attribute(1, &650_u16.to_ne_bytes())),
            attribute(14, &[attribute(1, &1_u16.to_ne_bytes()), attribute(5, &70_000_u32.to_ne_bytes())].concat()),
            attribute(16, &60_u32.to_ne_bytes()),
        ]
        .concat();
        let message =
            [vec![0; GENERIC_HEAD], attribute(nl80211::MAC, &[1, 2, 3, 4, 5, 6]), attribute(nl80211::STA_INFO, &facts)]
                .concat();
        let expected = Station {
            address: "01:02:03:04:05:06".into(),
            connected_seconds: 60.0,
            inactive_seconds: 1.5,
            signal: -52.0,
            bits_per_second: [7_000_000_000, 65_000_000],
            bytes: [5_000_000_000, 0],
            ..Station::default()
        };
        assert_eq!(parse_station(&message), Some(expected));
        for length in 0..message.len() {
            let _ = parse_station(&message[..length]); // cut anywhere
        }
    }

    #[test]
    fn a_message_of_a_network() {
        let elements = [&[1, 1, 9][..], &[0, 3], b"ab\xff", &[3, 200]].concat();
        let bss = |status: bool| {
            let mut bss = [attribute(1, &[0xaa; 6]), attribute(6, &elements)].concat();
            if status {
                bss.extend(attribute(9, &1_u32.to_ne_bytes()));
            }
            [vec![0; GENERIC_HEAD], attribute(nl80211::BSS, &bss)].concat()
        };
        let expected = Network { id: "aa:aa:aa:aa:aa:aa".into(), name: "ab\u{fffd}".into(), status: 1 };
        assert_eq!(parse_network(&bss(true)), Some(expected));
        assert_eq!(parse_network(&bss(false)), None, "a neighbour's");
    }

    #[test]
    fn files_for_tests() {
        let tree = Tree::new(
            "wifi",
            &[
                ("root/interfaces.json", r#"[{"name": "wlan0", "frequency": 2412}, {"type": 10}, {"name": "wlan1"}]"#),
                ("root/wlan0/bss.json", r#"{"ssid": "Example", "bssid": "ABEiM0RV", "status": 3}"#),
                ("root/wlan0/stationinfo.json", r#"[{"HardwareAddr": "qrvM3e7/", "inactive": 400000000}]"#),
                ("root/wlan1/bss.json", ""),
            ],
        );
        let folder = tree.host().rootfs("/");
        let mut wifi = Wifi { source: Source::Files(folder) };
        let (told, problems) = tree.read(|host, out| wifi.read(host, out));
        assert_eq!(
            told.get(..5).unwrap_or_default(),
            [
                r#"node_wifi_interface_frequency_hertz{device="wlan0"} 2412000000"#,
                r#"node_wifi_interface_frequency_hertz{device="wlan1"} 0"#,
                r#"node_wifi_station{device="wlan0",bssid="00:11:22:33:44:55",ssid="Example",mode="ad-hoc"} 1"#,
                r#"node_wifi_station_connected_seconds{device="wlan0",mac_address="aa:bb:cc:dd:ee:ff"} 0"#,
                r#"node_wifi_station_inactive_seconds{device="wlan0",mac_address="aa:bb:cc:dd:ee:ff"} 0.4"#,
            ]
        );
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("root/wlan1/bss.json: no JSON: "), "{problems:?}");
    }
}
