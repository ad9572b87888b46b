//! What drivers of network interfaces count on their own, and what they say of themselves and of the link, asked by the
//! ioctl `SIOCETHTOOL`. Interfaces are those in `/sys/class/net`.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};

use openmetrics::model::{Descriptor, MetricType};
use regex_lite::Regex;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::{Setup, Spec};
use crate::families::{gauge, info, sanitize};
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::kernel::{Ethtool as Command, EthtoolBuffer, ethtool};
use crate::netlink::{text, u32_at, u64_at};

const INCLUDE: Flag = Flag::text(
    "collector.ethtool.device-include",
    "",
    "Regular expression of interfaces to tell, and no others; not with the next",
);
const EXCLUDE: Flag = Flag::text(
    "collector.ethtool.device-exclude",
    "",
    "Regular expression of interfaces to leave out",
);
const METRICS_INCLUDE: Flag =
    Flag::text("collector.ethtool.metrics-include", ".*", "Regular expression of the drivers' counters to tell");

pub(super) static SPEC: Spec = Spec {
    name: "ethtool",
    enabled: false,
    about: "what drivers of network interfaces count, and links can do",
    flags: &[INCLUDE, EXCLUDE, METRICS_INCLUDE],
    build: |setup| {
        let mut reader = Interfaces::new(setup)?;
        Ok(Reader::boxed(move |host, out| reader.read(host, out)))
    },
};

static DRIVER: Descriptor = info("node_ethtool_info", "What the driver says of itself.");
static PORT: Descriptor = info("node_network_supported_port_info", "Kinds of ports that the interface has.");
static AUTONEGOTIATE: Descriptor =
    gauge("node_network_autonegotiate", "Whether the link's speed is negotiated.");
/// Of what the interface can do, and of what it offers to its peer.
static OF_LINK: [[Descriptor; 4]; 2] = [
    [
        gauge("node_network_supported_speed_bytes", "Speeds that the interface can have, in bytes per second."),
        gauge("node_network_autonegotiate_supported", "Whether the interface can negotiate."),
        gauge("node_network_pause_supported", "Whether the interface can pause."),
        gauge("node_network_asymmetricpause_supported", "Whether the interface can pause one way."),
    ],
    [
        gauge("node_network_advertised_speed_bytes", "Speeds that the interface offers, in bytes per second."),
        gauge("node_network_autonegotiate_advertised", "Whether the interface offers to negotiate."),
        gauge("node_network_pause_advertised", "Whether the interface offers to pause."),
        gauge("node_network_asymmetricpause_advertised", "Whether the interface offers to pause one way."),
    ],
];

/// Bits of `ethtool_link_mode_bit_indices`; the old command tells the first 32.
const AUTONEG: u32 = 6;
const PAUSE: u32 = 13;
const ASYMMETRIC_PAUSE: u32 = 14;
const PORTS: [(u32, &str); 6] = [(7, "TP"), (8, "AUI"), (9, "MII"), (10, "FIBRE"), (11, "BNC"), (16, "Backplane")];
/// Bit, Mbit/s, duplex, and what stands after `base` in the name.
const SPEEDS: [(u32, u32, &str, &str); 22] = [
    (0, 10, "half", "T"),
    (1, 10, "full", "T"),
    (2, 100, "half", "T"),
    (3, 100, "full", "T"),
    (4, 1000, "half", "T"),
    (5, 1000, "full", "T"),
    (12, 10_000, "full", "T"),
    (17, 1000, "full", "KX"),
    (18, 10_000, "full", "KX4"),
    (19, 10_000, "full", "KR"),
    (20, 10_000, "full", "R_FEC"),
    (21, 20_000, "full", "MLD2"),
    (22, 20_000, "full", "KR2"),
    (23, 40_000, "full", "KR4"),
    (24, 40_000, "full", "CR4"),
    (25, 40_000, "full", "SR4"),
    (26, 40_000, "full", "LR4"),
    (27, 56_000, "full", "KR4"),
    (28, 56_000, "full", "CR4"),
    (29, 56_000, "full", "SR4"),
    (30, 56_000, "full", "LR4"),
    (31, 25_000, "full", "CR"),
];
/// The set of names that is asked for (`ETH_SS_STATS`).
const OF_STATISTICS: u32 = 1;
/// Counters that have names of their own.
const COMMON: [(&str, &str); 7] = [
    ("rx_bytes", "node_ethtool_received_bytes_total"),
    ("rx_dropped", "node_ethtool_received_dropped_total"),
    ("rx_errors", "node_ethtool_received_errors_total"),
    ("rx_packets", "node_ethtool_received_packets_total"),
    ("tx_bytes", "node_ethtool_transmitted_bytes_total"),
    ("tx_errors", "node_ethtool_transmitted_errors_total"),
    ("tx_packets", "node_ethtool_transmitted_packets_total"),
];

struct Interfaces {
    filter: Filter,
    metrics: Regex,
    socket: Option<OwnedFd>,
}

/// What `ETHTOOL_GDRVINFO` tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Driver {
    words: [String; 5],
    statistics: u32,
}

impl Interfaces {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let pattern = setup.options.text(&METRICS_INCLUDE);
        Ok(Self {
            filter: Filter::new(setup.options, &EXCLUDE, &INCLUDE)?,
            metrics: Regex::new(pattern)
                .map_err(|e| format!("--{}={pattern}: not a regular expression: {e}", METRICS_INCLUDE.name))?,
            socket: None,
        })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        let folder = host.sys("class/net");
        let devices = match host.folders(&folder) {
            Ok(devices) => devices,
            Err(error) if error.is_denied() => return Err(Error::no_data(error.to_string())),
            Err(error) => return Err(error.or_no_data("there are no network interfaces")),
        };
        if devices.is_empty() {
            return Err(Error::failed(&folder, "has no network interfaces"));
        }
        if self.socket.is_none() {
            let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
            self.socket = Some(socket.map_err(|errno| Error::other(format!("a socket: {errno}")))?);
        }
        let Some(socket) = &self.socket else { return Ok(()) };
        let mut buffer = EthtoolBuffer::new();
        for device in devices.iter().filter(|device| self.filter.keeps(device)) {
            let mut ask = |host: &mut Host, command, words: &[u32], length: usize| {
                words.iter().enumerate().for_each(|(at, word)| buffer.set(at + 1, *word));
                match ethtool(socket.as_fd(), device, command, &mut buffer) {
                    Ok(()) => Some(buffer.bytes(length)),
                    Err(error) => {
                        // Most virtual devices have no driver that answers.
                        if error.raw_os_error() != Some(Errno::OPNOTSUPP.raw_os_error()) {
                            host.aside(Error::other(format!("{device}: {command:?}: {error}")));
                        }
                        None
                    }
                }
            };
            if let Some(settings) = ask(host, Command::Settings, &[], 44) {
                tell_link(device, &settings, out);
            }
            let Some(driver) = ask(host, Command::Driver, &[], 196).map(|answer| parse_driver(&answer)) else {
                continue;
            };
            tell_driver(device, &driver, out);
            let count = driver.statistics;
            if count == 0 || count as usize > EthtoolBuffer::MOST_STATISTICS {
                continue;
            }
            let names = ask(host, Command::Names, &[OF_STATISTICS, count], 12 + 32 * count as usize);
            let values = ask(host, Command::Statistics, &[count], 8 + 8 * count as usize);
            if let (Some(names), Some(values)) = (names, values) {
                for (name, value) in statistics(&names, &values, &self.metrics) {
                    let family = COMMON.iter().find(|(common, _)| *common == name);
                    let full = family.map_or_else(|| full_name(&name), |(_, full)| (*full).to_owned());
                    let help = || format!("Counter {name} of the driver.");
                    out.named(&full, MetricType::Unknown, help, &[("device", device)], value);
                }
            }
        }
        Ok(())
    }
}

fn tell_driver(device: &str, driver: &Driver, out: &mut Gathered) {
    let [name, version, firmware, bus, rom] = &driver.words;
    let labels = [
        ("bus_info", bus.as_str()),
        ("device", device),
        ("driver", name),
        ("expansion_rom_version", rom),
        ("firmware_version", firmware),
        ("version", version),
    ];
    out.point(&DRIVER, &labels, 1_u64);
}

/// `struct ethtool_cmd`: command, supported, advertised, speed, duplex, port, PHY, transceiver, negotiation.
fn tell_link(device: &str, settings: &[u8], out: &mut Gathered) {
    const BYTES_OF_MBIT: f64 = 1_000_000.0 / 8.0;
    let (Some(supported), Some(advertised), Some(negotiates)) =
        (u32_at(settings, 4), u32_at(settings, 8), settings.get(18))
    else {
        return;
    };
    let by_device = ("device", device);
    for (modes, [speed, autonegotiate, pause, asymmetric]) in [supported, advertised].into_iter().zip(&OF_LINK) {
        let has = |bit: u32| modes >> bit & 1 == 1;
        for (_, mbits, duplex, phy) in SPEEDS.iter().filter(|(bit, ..)| has(*bit)) {
            let labels = [by_device, ("duplex", *duplex), ("mode", &format!("{mbits}base{phy}"))];
            out.point(speed, &labels, f64::from(*mbits) * BYTES_OF_MBIT);
        }
        let flags = [(autonegotiate, AUTONEG), (pause, PAUSE), (asymmetric, ASYMMETRIC_PAUSE)];
        for (family, bit) in flags {
            out.point(family, &[by_device], u64::from(has(bit)));
        }
    }
    for (bit, port) in PORTS {
        if supported >> bit & 1 == 1 {
            out.point(&PORT, &[by_device, ("type", port)], 1_u64);
        }
    }
    out.point(&AUTONEGOTIATE, &[by_device], u64::from(*negotiates));
}

/// `struct ethtool_drvinfo`: five texts of 32 bytes, and numbers of which we want one.
fn parse_driver(answer: &[u8]) -> Driver {
    let word = |nth: usize| text(answer.get(4 + 32 * nth..4 + 32 * (nth + 1)).unwrap_or_default());
    Driver { words: [0, 1, 2, 3, 4].map(word), statistics: u32_at(answer, 180).unwrap_or_default() }
}

/// Names (`struct ethtool_gstrings`) and values (`struct ethtool_stats`) as pairs, by full name; of counters whose names
/// are the same once they are made valid, the first is not told either, as from node_exporter.
fn statistics(names: &[u8], values: &[u8], wanted: &Regex) -> Vec<(String, u64)> {
    let names = names.get(12..).unwrap_or_default().chunks_exact(32).map(text);
    let values = values.get(8..).unwrap_or_default().chunks_exact(8).map(|value| u64_at(value, 0).unwrap_or_default());
    let mut raw: BTreeMap<String, u64> = BTreeMap::new();
    for (name, value) in names.zip(values).filter(|(name, _)| !name.is_empty()) {
        raw.insert(name, value);
    }
    let mut found: BTreeMap<String, Option<(String, u64)>> = BTreeMap::new();
    for (name, value) in raw {
        let name = sanitize(&name);
        if wanted.is_match(&name) {
            found.entry(full_name(&name)).and_modify(|pair| *pair = None).or_insert(Some((name, value)));
        }
    }
    found.into_values().flatten().collect()
}

/// `rx_over_errors` to `node_ethtool_received_over_errors`.
fn full_name(name: &str) -> String {
    let lower = name.to_lowercase();
    let name = replace(&replace(lower.trim_start_matches('_'), "rx", "received"), "tx", "transmitted");
    format!("node_ethtool_{name}")
}

/// Replaces a word. Of two that follow each other only the first is, since node_exporter's pattern takes the underscore
/// between them with it.
fn replace(name: &str, from: &str, to: &str) -> String {
    let mut before = false;
    let words = name.split('_').map(|word| {
        before = word == from && !before;
        if before { to } else { word }
    });
    words.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        let mut settings = [0_u32, 1 << 5 | 1 << 6 | 1 << 7, 1 << 6 | 1 << 13].map(u32::to_ne_bytes).concat();
        settings.resize(44, 0);
        settings[18] = 1;
        let mut out = Gathered::default();
        tell_link("eth0", &settings, &mut out);
        assert_eq!(
            out.told(),
            [
                r#"node_network_supported_speed_bytes{device="eth0",duplex="full",mode="1000baseT"} 125000000"#,
                r#"node_network_autonegotiate_supported{device="eth0"} 1"#,
                r#"node_network_pause_supported{device="eth0"} 0"#,
                r#"node_network_asymmetricpause_supported{device="eth0"} 0"#,
                r#"node_network_autonegotiate_advertised{device="eth0"} 1"#,
                r#"node_network_pause_advertised{device="eth0"} 1"#,
                r#"node_network_asymmetricpause_advertised{device="eth0"} 0"#,
                r#"node_network_supported_port{device="eth0",type="TP"} 1"#,
                r#"node_network_autonegotiate{device="eth0"} 1"#,
            ]
        );
    }

    #[test]
    fn drivers() {
        let mut answer = vec![0; 196];
        for (nth, word) in ["e1000e", "6.1", "0.5-4", "0000:00:1f.6", ""].iter().enumerate() {
            answer[4 + 32 * nth..][..word.len()].copy_from_slice(word.as_bytes());
        }
        answer[180..184].copy_from_slice(&7_u32.to_ne_bytes());
        let driver = parse_driver(&answer);
        assert_eq!(driver.words, ["e1000e", "6.1", "0.5-4", "0000:00:1f.6", ""]);
        assert_eq!(driver.statistics, 7);
        assert_eq!(parse_driver(&[]), Driver::default());
    }

    #[test]
    fn counters_by_name() {
        let names = ["rx_bytes", "tx-0.drops", "", "a b", "a.b", "rx"];
        let mut text = vec![0; 12];
        for name in names {
            let at = text.len();
            text.resize(at + 32, 0);
            text[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        let mut values = vec![0; 8];
        (1_u64..=6).for_each(|n| values.extend(n.to_ne_bytes()));
        let all = statistics(&text, &values, &Regex::new(".*").unwrap());
        assert_eq!(all, [("rx".into(), 6), ("rx_bytes".into(), 1), ("tx_0_drops".into(), 2)]);
        assert_eq!(full_name("tx_0_drops"), "node_ethtool_transmitted_0_drops");
        assert_eq!(full_name("__Rx_txq_rx"), "node_ethtool_received_txq_received");
        assert_eq!(full_name("tx_tx_timeouts"), "node_ethtool_transmitted_tx_timeouts");
        assert_eq!(statistics(&text, &values, &Regex::new("^tx").unwrap()).len(), 1);
        assert_eq!(statistics(&[], &[], &Regex::new(".*").unwrap()), []);
    }

    #[test]
    fn the_kernel_answers() {
        let mut reader = Interfaces {
            filter: Filter::default(),
            metrics: Regex::new(".*").unwrap(),
            socket: None,
        };
        let roots = crate::host::Roots {
            proc: "/proc".into(),
            sys: "/sys".into(),
            rootfs: "/".into(),
            udev: "/run/udev/data".into(),
        };
        let mut host = Host::new(std::sync::Arc::new(roots));
        let mut out = Gathered::default();
        if let Err(error) = reader.read(&mut host, &mut out) {
            println!("note: this machine tells nothing: {error}");
        }
        assert_eq!(host.take_problems().notes.len(), 0);
    }
}
