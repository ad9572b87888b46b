//! Network interfaces' counters, from netlink, or from `/proc/net/dev`:
//!
//! ```text
//! Inter-|   Receive                                                |  Transmit
//!  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
//!   eth0: 68210035552 520993275 0 42 0 0 0 0 9315587528 43451486 0 0 0 0 0 0
//! ```
//!
//! Netlink tells more; unless asked for the details, its counters are summed up to those of the file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use openmetrics::model::{Descriptor, Labels};

use super::{NodeCollector, Setup, Spec};
use crate::families::{INFO, counter, info};
use crate::flags::{Filter, Flag};
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::netlink::{self, Route, ifla};
use crate::text;

const INCLUDE: Flag =
    Flag::text("collector.netdev.device-include", "", "Regular expression of interfaces to tell, and no others")
        .formerly(&["collector.netdev.device-whitelist"]);
const EXCLUDE: Flag =
    Flag::text("collector.netdev.device-exclude", "", "Regular expression of interfaces to leave out")
        .formerly(&["collector.netdev.device-blacklist"]);
const ADDRESSES: Flag = Flag::switch("collector.netdev.address-info", false, "Tell the addresses of interfaces");
const DETAILED: Flag = Flag::switch(
    "collector.netdev.enable-detailed-metrics",
    false,
    "Tell every counter by itself, under other names",
);
const NETLINK: Flag =
    Flag::switch("collector.netdev.netlink", true, "Read from netlink instead of /proc/net/dev");
const IFALIAS: Flag = Flag::switch("collector.netdev.label-ifalias", false, "Add the interface's alias as a label");

pub(super) static SPEC: Spec = Spec {
    name: "netdev",
    enabled: true,
    about: "bytes, packets, errors and drops by network interface",
    flags: &[INCLUDE, EXCLUDE, ADDRESSES, DETAILED, NETLINK, IFALIAS],
    build: |setup| Ok(Box::new(Netdev::new(setup)?)),
};

/// The counters that netlink tells, in the order of `struct rtnl_link_stats64`.
pub(super) type Counters = [u64; 24];

// Places in `Counters`, and, from /proc/net/dev, where its columns go.
const RX_PACKETS: usize = 0;
const TX_PACKETS: usize = 1;
const RX_BYTES: usize = 2;
const TX_BYTES: usize = 3;
const RX_ERRORS: usize = 4;
const TX_ERRORS: usize = 5;
const RX_DROPPED: usize = 6;
const TX_DROPPED: usize = 7;
const MULTICAST: usize = 8;
const COLLISIONS: usize = 9;
const RX_LENGTH: usize = 10;
const RX_OVER: usize = 11;
const RX_CRC: usize = 12;
const RX_FRAME: usize = 13;
const RX_FIFO: usize = 14;
const RX_MISSED: usize = 15;
const TX_ABORTED: usize = 16;
const TX_CARRIER: usize = 17;
const TX_FIFO: usize = 18;
const TX_HEARTBEAT: usize = 19;
const TX_WINDOW: usize = 20;
const RX_COMPRESSED: usize = 21;
const TX_COMPRESSED: usize = 22;
const RX_NOHANDLER: usize = 23;

/// The columns of `/proc/net/dev`.
const COLUMNS: [usize; 16] = [
    RX_BYTES, RX_PACKETS, RX_ERRORS, RX_DROPPED, RX_FIFO, RX_FRAME, RX_COMPRESSED, MULTICAST, TX_BYTES, TX_PACKETS,
    TX_ERRORS, TX_DROPPED, TX_FIFO, COLLISIONS, TX_CARRIER, TX_COMPRESSED,
];

/// A family and the counters that add up to it.
type Family = (Descriptor, &'static [usize]);

/// What is told unless asked for details, whatever the source. The last one is netlink's alone.
static SUMMED: [Family; 17] = [
    (counter("node_network_receive_bytes_total", "Bytes received."), &[RX_BYTES]),
    (counter("node_network_receive_compressed_total", "Compressed packets received."), &[RX_COMPRESSED]),
    (counter("node_network_receive_drop_total", "Packets received and dropped."), &[RX_DROPPED, RX_MISSED]),
    (counter("node_network_receive_errs_total", "Packets received with an error."), &[RX_ERRORS]),
    (counter("node_network_receive_fifo_total", "Overruns of the receive buffer."), &[RX_FIFO]),
    (
        counter("node_network_receive_frame_total", "Packets received with a broken frame."),
        &[RX_FRAME, RX_LENGTH, RX_OVER, RX_CRC],
    ),
    (counter("node_network_receive_multicast_total", "Multicast packets received."), &[MULTICAST]),
    (counter("node_network_receive_packets_total", "Packets received."), &[RX_PACKETS]),
    (counter("node_network_transmit_bytes_total", "Bytes sent."), &[TX_BYTES]),
    (
        counter("node_network_transmit_carrier_total", "Packets not sent because the line failed."),
        &[TX_CARRIER, TX_ABORTED, TX_HEARTBEAT, TX_WINDOW],
    ),
    (counter("node_network_transmit_colls_total", "Collisions."), &[COLLISIONS]),
    (counter("node_network_transmit_compressed_total", "Compressed packets sent."), &[TX_COMPRESSED]),
    (counter("node_network_transmit_drop_total", "Packets dropped instead of sent."), &[TX_DROPPED]),
    (counter("node_network_transmit_errs_total", "Packets not sent because of an error."), &[TX_ERRORS]),
    (counter("node_network_transmit_fifo_total", "Overruns of the send buffer."), &[TX_FIFO]),
    (counter("node_network_transmit_packets_total", "Packets sent."), &[TX_PACKETS]),
    (
        counter("node_network_receive_nohandler_total", "Packets received that no protocol took."),
        &[RX_NOHANDLER],
    ),
];

/// What is told of netlink when asked for details.
static DETAILS: [Family; 24] = [
    (counter("node_network_receive_packets_total", "Packets received."), &[RX_PACKETS]),
    (counter("node_network_transmit_packets_total", "Packets sent."), &[TX_PACKETS]),
    (counter("node_network_receive_bytes_total", "Bytes received."), &[RX_BYTES]),
    (counter("node_network_transmit_bytes_total", "Bytes sent."), &[TX_BYTES]),
    (counter("node_network_receive_errors_total", "Packets received with an error."), &[RX_ERRORS]),
    (counter("node_network_transmit_errors_total", "Packets not sent because of an error."), &[TX_ERRORS]),
    (counter("node_network_receive_dropped_total", "Packets received and dropped."), &[RX_DROPPED]),
    (counter("node_network_transmit_dropped_total", "Packets dropped instead of sent."), &[TX_DROPPED]),
    (counter("node_network_multicast_total", "Multicast packets received."), &[MULTICAST]),
    (counter("node_network_collisions_total", "Collisions."), &[COLLISIONS]),
    (counter("node_network_receive_length_errors_total", "Packets received of a bad length."), &[RX_LENGTH]),
    (counter("node_network_receive_over_errors_total", "Packets longer than the buffer."), &[RX_OVER]),
    (counter("node_network_receive_crc_errors_total", "Packets received with a bad checksum."), &[RX_CRC]),
    (counter("node_network_receive_frame_errors_total", "Packets received that were misaligned."), &[RX_FRAME]),
    (counter("node_network_receive_fifo_errors_total", "Overruns of the receive buffer."), &[RX_FIFO]),
    (counter("node_network_receive_missed_errors_total", "Packets missed for want of buffers."), &[RX_MISSED]),
    (counter("node_network_transmit_aborted_errors_total", "Packets whose sending was aborted."), &[TX_ABORTED]),
    (counter("node_network_transmit_carrier_errors_total", "Packets lost with the carrier."), &[TX_CARRIER]),
    (counter("node_network_transmit_fifo_errors_total", "Overruns of the send buffer."), &[TX_FIFO]),
    (counter("node_network_transmit_heartbeat_errors_total", "Heartbeats missed."), &[TX_HEARTBEAT]),
    (counter("node_network_transmit_window_errors_total", "Late collisions."), &[TX_WINDOW]),
    (counter("node_network_receive_compressed_total", "Compressed packets received."), &[RX_COMPRESSED]),
    (counter("node_network_transmit_compressed_total", "Compressed packets sent."), &[TX_COMPRESSED]),
    (
        counter("node_network_receive_nohandler_total", "Packets received that no protocol took."),
        &[RX_NOHANDLER],
    ),
];

/// What is told of `/proc/net/dev` when asked for details.
static FILE_DETAILS: [Family; 16] = [
    (counter("node_network_receive_bytes_total", "Bytes received."), &[RX_BYTES]),
    (counter("node_network_receive_packets_total", "Packets received."), &[RX_PACKETS]),
    (counter("node_network_receive_errors_total", "Packets received with an error."), &[RX_ERRORS]),
    (counter("node_network_receive_dropped_total", "Packets received and dropped."), &[RX_DROPPED]),
    (counter("node_network_receive_fifo_total", "Overruns of the receive buffer."), &[RX_FIFO]),
    (counter("node_network_receive_frame_total", "Packets received with a broken frame."), &[RX_FRAME]),
    (counter("node_network_receive_compressed_total", "Compressed packets received."), &[RX_COMPRESSED]),
    (counter("node_network_receive_multicast_total", "Multicast packets received."), &[MULTICAST]),
    (counter("node_network_transmit_bytes_total", "Bytes sent."), &[TX_BYTES]),
    (counter("node_network_transmit_packets_total", "Packets sent."), &[TX_PACKETS]),
    (counter("node_network_transmit_errors_total", "Packets not sent because of an error."), &[TX_ERRORS]),
    (counter("node_network_transmit_dropped_total", "Packets dropped instead of sent."), &[TX_DROPPED]),
    (counter("node_network_transmit_fifo_total", "Overruns of the send buffer."), &[TX_FIFO]),
    (counter("node_network_transmit_colls_total", "Collisions."), &[COLLISIONS]),
    (counter("node_network_transmit_carrier_total", "Packets lost with the carrier."), &[TX_CARRIER]),
    (counter("node_network_transmit_compressed_total", "Compressed packets sent."), &[TX_COMPRESSED]),
];

static ADDRESS: Descriptor = info("node_network_address_info", "Addresses of network interfaces.");

struct Netdev {
    source: Source,
    families: &'static [Family],
    filter: Filter,
    interfaces: Vec<Interface>,
    with_alias: bool,
    addresses: Option<Addresses>,
}

enum Source {
    Netlink(Route),
    File(KeptFile),
}

#[derive(Debug, PartialEq)]
struct Interface {
    name: String,
    alias: Option<String>,
    counters: Counters,
}

impl Netdev {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let options = setup.options;
        let netlink = options.switch(&NETLINK);
        let families: &[Family] = match (options.switch(&DETAILED), netlink) {
            (false, true) => &SUMMED,
            (false, false) => SUMMED.split_last().map_or(&SUMMED[..], |(_, rest)| rest),
            (true, true) => &DETAILS,
            (true, false) => &FILE_DETAILS,
        };
        let file = setup.host.proc("net/dev");
        Ok(Self {
            source: if netlink { Source::Netlink(Route::default()) } else { Source::File(KeptFile::new(file)) },
            families,
            filter: Filter::new(options, &EXCLUDE, &INCLUDE)?,
            interfaces: Vec::new(),
            with_alias: options.switch(&IFALIAS),
            addresses: options.switch(&ADDRESSES).then(Addresses::default),
        })
    }
}

impl NodeCollector for Netdev {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        let Self { source, filter, interfaces, .. } = self;
        interfaces.clear();
        match source {
            Source::Netlink(route) => host.links(route, |_, attributes| {
                let interface = parse_link(attributes).filter(|interface| filter.keeps(&interface.name));
                interfaces.extend(interface);
            })?,
            Source::File(file) => {
                let path = file.path().to_owned();
                for line in file.text()?.lines().skip(2) {
                    match parse_line(line) {
                        Some(interface) if filter.keeps(&interface.name) => interfaces.push(interface),
                        Some(_) => {}
                        None => host.note(Error::parse(&path, "a name, a colon and 16 counts", line)),
                    }
                }
            }
        }
        if self.with_alias {
            for interface in &mut self.interfaces {
                interface.alias = host.line(&host.sys("class/net").join(&interface.name).join("ifalias")).ok();
            }
        }
        if let Some(addresses) = &mut self.addresses {
            addresses.update(&mut self.filter)?;
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for (family, counters) in self.families {
            let mut family = out.family(family);
            for Interface { name, alias, counters: all } in &self.interfaces {
                let value: u64 =
                    counters.iter().filter_map(|at| all.get(*at)).fold(0, |sum, one| sum.wrapping_add(*one));
                match alias {
                    Some(alias) => family.point(Labels::new(&[("device", name), ("ifalias", alias)]), value),
                    None => family.point(Labels::new(&[("device", name)]), value),
                }
            }
        }
        if let Some(addresses) = &self.addresses {
            addresses.emit(out);
        }
    }
}

/// The counters among an interface's attributes, those of 64 bits if it has both kinds.
fn parse_link(attributes: &[u8]) -> Option<Interface> {
    let (mut name, mut wide, mut narrow) = (None, None, None);
    for (kind, value) in netlink::attributes(attributes) {
        match kind {
            ifla::IFNAME => name = Some(netlink::text(value)),
            ifla::STATS64 => wide = Some(parse_counters(value)),
            ifla::STATS => {
                narrow = Some(std::array::from_fn(|i| netlink::u32_at(value, i * 4).map_or(0, u64::from)));
            }
            _ => {}
        }
    }
    Some(Interface { name: name?, alias: None, counters: wide.or(narrow)? })
}

/// Counters of 64 bits; old kernels have fewer.
pub(super) fn parse_counters(bytes: &[u8]) -> Counters {
    std::array::from_fn(|i| netlink::u64_at(bytes, i * 8).unwrap_or(0))
}

/// Tells every counter by itself.
pub(super) fn emit_details<'i, I: Iterator<Item = (&'i str, &'i Counters)>>(
    out: &mut Page<'_, '_>,
    interfaces: impl Fn() -> I,
) {
    for (family, counters) in &DETAILS {
        let mut family = out.family(family);
        for (name, all) in interfaces() {
            if let Some(value) = counters.first().and_then(|at| all.get(*at)) {
                family.point(Labels::new(&[("device", name)]), *value);
            }
        }
    }
}

fn parse_line(line: &str) -> Option<Interface> {
    let (name, rest) = line.rsplit_once(':')?;
    let name = name.trim();
    let mut counters = Counters::default();
    for (at, word) in COLUMNS.iter().zip(text::first_words::<16>(rest)?) {
        *counters.get_mut(*at)? = text::unsigned(word)?;
    }
    (!name.is_empty()).then(|| Interface { name: name.to_owned(), alias: None, counters })
}

/// Addresses of interfaces, from netlink.
#[derive(Default)]
struct Addresses {
    route: Route,
    found: Vec<Address>,
}

#[derive(Debug, PartialEq)]
struct Address {
    device: String,
    ip: IpAddr,
    prefix: u8,
}

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFADDRMSG: usize = 8; // struct ifaddrmsg
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

impl Addresses {
    fn update(&mut self, filter: &mut Filter) -> Result<(), Error> {
        self.found.clear();
        let mut names = Vec::new();
        netlink::links(&mut self.route, |head, attributes| {
            let name = netlink::attributes(attributes).find(|(kind, _)| *kind == ifla::IFNAME);
            names.extend(name.map(|(_, name)| (head.index as u32, netlink::text(name))));
        })?;
        let Self { route, found } = self;
        route.dump(RTM_GETADDR, &[0; IFADDRMSG], |kind, message| {
            let named = || {
                let (index, address, prefix) = (kind == RTM_NEWADDR).then(|| parse_address(message))??;
                let (_, device) = names.iter().find(|(i, _)| *i == index)?;
                Some(Address { device: device.clone(), ip: address, prefix })
            };
            found.extend(named().filter(|address| filter.keeps(&address.device)));
        })
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let mut family = out.family(&ADDRESS);
        for Address { device, ip, prefix } in &self.found {
            let labels = [
                ("device", device.as_str()),
                ("address", &ip.to_string()),
                ("netmask", &prefix.to_string()),
                ("scope", scope(ip)),
            ];
            family.point(Labels::new(&labels), INFO);
        }
    }
}

/// The number of the interface, the address and the length of its prefix. The local address is what counts; the
/// other one may be that of a peer.
fn parse_address(message: &[u8]) -> Option<(u32, IpAddr, u8)> {
    let [_, prefix, ..] = *message else { return None };
    let index = netlink::u32_at(message, 4)?;
    let find = |wanted| netlink::attributes(message.get(IFADDRMSG..)?).find(|(kind, _)| *kind == wanted);
    let (_, bytes) = find(IFA_LOCAL).or_else(|| find(IFA_ADDRESS))?;
    let address = match <[u8; 4]>::try_from(bytes) {
        Ok(four) => Ipv4Addr::from(four).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
    };
    Some((index, address, prefix))
}

/// How far an address reaches.
fn scope(address: &IpAddr) -> &'static str {
    let (link, interface) = match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            (v4.is_link_local() || (a, b, c) == (224, 0, 0), false)
        }
        IpAddr::V6(v6) => {
            let [first, ..] = v6.segments();
            (v6.is_unicast_link_local() || first & 0xff0f == 0xff02, first & 0xff0f == 0xff01)
        }
    };
    let broadcast = *address == IpAddr::V4(Ipv4Addr::BROADCAST);
    match () {
        () if address.is_loopback() || link => "link-local",
        () if interface => "interface-local",
        () if !address.is_unspecified() && !address.is_multicast() && !broadcast => "global",
        () => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::for_tests::attribute;

    #[test]
    fn a_line_of_the_file() {
        let found = parse_line("  eth0:10  2 3 4 5 6 7 8 9 10 11 12 13 14 15 16").unwrap();
        assert_eq!(found.name, "eth0");
        assert_eq!((found.counters[RX_BYTES], found.counters[RX_PACKETS], found.counters[TX_COMPRESSED]), (10, 2, 16));
        let alias = parse_line("eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16").unwrap();
        assert_eq!(alias.name, "eth0:1");
        assert_eq!(parse_line("eth0: 1 2 3"), None);
        assert_eq!(parse_line(" : 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), None);
    }

    #[test]
    fn wide_counters_go_before_narrow_ones() {
        let name = attribute(ifla::IFNAME, b"lo\0");
        let narrow = attribute(ifla::STATS, &7_u32.to_ne_bytes());
        let wide = attribute(ifla::STATS64, &(1_u64 << 40).to_ne_bytes());
        let found = parse_link(&[name.clone(), narrow.clone(), wide].concat()).unwrap();
        assert_eq!(found.counters[RX_PACKETS], 1 << 40);
        assert_eq!(parse_link(&[name.clone(), narrow].concat()).unwrap().counters[RX_PACKETS], 7);
        assert_eq!(parse_link(&name), None);
    }

    #[test]
    fn addresses_and_their_scopes() {
        let mut message = vec![2, 24, 0, 0];
        message.extend(3_u32.to_ne_bytes());
        for (kind, last) in [(IFA_ADDRESS, 1), (IFA_LOCAL, 2)] {
            message.extend(8_u16.to_ne_bytes());
            message.extend(kind.to_ne_bytes());
            message.extend([10, 0, 0, last]);
        }
        assert_eq!(parse_address(&message), Some((3, "10.0.0.2".parse().unwrap(), 24)));
        for (address, expected) in [
            ("127.0.0.1", "link-local"),
            ("169.254.0.1", "link-local"),
            ("10.0.0.1", "global"),
            ("255.255.255.255", ""),
            ("fe80::1", "link-local"),
            ("::1", "link-local"),
            ("2001:db8::1", "global"),
            ("ff01::1", "interface-local"),
            ("0.0.0.0", ""),
        ] {
            assert_eq!(scope(&address.parse().unwrap()), expected, "{address}");
        }
    }
}
