//! Routes of the routing tables, from netlink: those to a single destination (`RTN_UNICAST`), IPv4 and IPv6.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::Error;
use crate::netlink::{align, Route, attributes, ifla, links, text, u16_at, u32_at};

pub(super) static SPEC: Spec = Spec {
    name: "network_route",
    enabled: false,
    about: "routes, one by one and how many by interface",
    flags: &[],
    build: |_| {
        let mut route = Route::default();
        Ok(Reader::boxed(move |_, out| read(&mut route, out)))
    },
};

static ROUTE: Descriptor = info("node_network_route_info", "Routes.");
static ROUTES: Descriptor = gauge("node_network_routes", "Routes by the interface they go through.");

const RTM_GETROUTE: u16 = 26;
const RTM_NEWROUTE: u16 = 24;
const RTMSG: usize = 12;
const RTN_UNICAST: u8 = 1;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTNEXTHOP: usize = 8;

/// One way that a route takes.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Hop {
    interface: u32,
    source: String,
    destination: String,
    gateway: String,
    priority: u32,
    protocol: u8,
    /// Only where a route has many ways.
    weight: Option<u32>,
}

fn read(route: &mut Route, out: &mut Gathered) -> Result<(), Error> {
    let mut names = HashMap::new();
    links(route, |head, attrs| {
        if let Some((_, name)) = attributes(attrs).find(|(kind, _)| *kind == ifla::IFNAME) {
            names.insert(head.index as u32, text(name));
        }
    })?;
    let mut hops = Vec::new();
    route.dump(RTM_GETROUTE, &[0; RTMSG], |kind, message| {
        if kind == RTM_NEWROUTE {
            parse(message, &mut hops);
        }
    })?;
    tell(&hops, &names, out);
    Ok(())
}

fn tell(hops: &[Hop], names: &HashMap<u32, String>, out: &mut Gathered) {
    let mut by_device: BTreeMap<&str, u64> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for hop in hops {
        let device = names.get(&hop.interface).map_or("", String::as_str);
        *by_device.entry(device).or_default() += 1;
        // Tables may hold the same route twice; a series stands once on the page.
        if told.insert(hop) {
            let weight = hop.weight.map(|weight| weight.to_string()).unwrap_or_default();
            let labels = [
                ("device", device),
                ("src", &hop.source),
                ("dest", &hop.destination),
                ("gw", &hop.gateway),
                ("priority", &hop.priority.to_string()),
                ("proto", protocol(hop.protocol)),
                ("weight", &weight),
            ];
            out.point(&ROUTE, &labels, 1_u64);
        }
    }
    for (device, routes) in by_device {
        out.point(&ROUTES, &[("device", device)], routes);
    }
}

/// A route (`struct rtmsg` and attributes), one hop for each way it has.
fn parse(message: &[u8], hops: &mut Vec<Hop>) {
    let (Some(&[_, length, _, _, _, protocol, _, kind]), Some(attrs)) =
        (message.first_chunk::<8>(), message.get(RTMSG..))
    else {
        return;
    };
    if kind != RTN_UNICAST {
        return;
    }
    let mut hop = Hop { protocol, destination: "default".into(), ..Hop::default() };
    let mut ways: &[u8] = &[];
    for (kind, value) in attributes(attrs) {
        match kind {
            RTA_DST if length > 0 => hop.destination = format!("{}/{length}", address(value)),
            RTA_PREFSRC => hop.source = address(value),
            RTA_GATEWAY => hop.gateway = address(value),
            RTA_OIF => hop.interface = u32_at(value, 0).unwrap_or_default(),
            RTA_PRIORITY => hop.priority = u32_at(value, 0).unwrap_or_default(),
            RTA_MULTIPATH => ways = value,
            _ => {}
        }
    }
    if ways.is_empty() {
        hops.push(hop);
        return;
    }
    // struct rtnexthop: length, flags, hops, interface; then attributes.
    while let (Some(length), Some(weight), Some(interface)) = (u16_at(ways, 0), ways.get(3), u32_at(ways, 4)) {
        let length = usize::from(length);
        let Some(attrs) = ways.get(RTNEXTHOP..length) else { return };
        let gateway = attributes(attrs).find(|(kind, _)| *kind == RTA_GATEWAY);
        hops.push(Hop {
            interface,
            gateway: gateway.map(|(_, value)| address(value)).unwrap_or_default(),
            weight: Some(u32::from(*weight) + 1),
            ..hop.clone()
        });
        ways = ways.get(align(length)..).unwrap_or_default();
    }
}

fn address(bytes: &[u8]) -> String {
    let address = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(four), _) => IpAddr::V4(Ipv4Addr::from(four)),
        (_, Ok(sixteen)) => IpAddr::V6(Ipv6Addr::from(sixteen)).to_canonical(),
        _ => return String::new(),
    };
    address.to_string()
}

/// Who made a route (`RTPROT_...`).
fn protocol(number: u8) -> &'static str {
    match number {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        17 => "mrouted",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::for_tests::attribute;

    #[test]
    fn routes_with_one_way_and_with_many() {
        let mut simple = vec![2, 24, 0, 0, 254, 2, 253, RTN_UNICAST, 0, 0, 0, 0];
        simple.extend(attribute(RTA_DST, &[10, 1, 2, 0]));
        simple.extend(attribute(RTA_PREFSRC, &[10, 1, 2, 3]));
        simple.extend(attribute(RTA_OIF, &2_u32.to_ne_bytes()));
        let mut many = vec![10, 0, 0, 0, 254, 16, 0, RTN_UNICAST, 0, 0, 0, 0];
        let gateway = attribute(RTA_GATEWAY, &Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).octets());
        let mut way = ((RTNEXTHOP + gateway.len()) as u16).to_ne_bytes().to_vec();
        way.extend([0, 4]);
        way.extend(3_u32.to_ne_bytes());
        way.extend(gateway);
        many.extend(attribute(RTA_PRIORITY, &100_u32.to_ne_bytes()));
        many.extend(attribute(RTA_MULTIPATH, &way));
        let mut local = simple.clone();
        local[7] = 2;
        let mut hops = Vec::new();
        for message in [&simple, &many, &local, &simple] {
            parse(message, &mut hops);
        }
        let names = HashMap::from([(2, "eth0".to_owned())]);
        let mut out = Gathered::default();
        tell(&hops, &names, &mut out);
        assert_eq!(
            out.told(),
            [
                r#"node_network_route{device="eth0",src="10.1.2.3",dest="10.1.2.0/24",gw="",priority="0",proto="kernel",weight=""} 1"#,
                r#"node_network_route{device="",src="",dest="default",gw="fe80::1",priority="100",proto="dhcp",weight="5"} 1"#,
                r#"node_network_routes{device=""} 1"#,
                r#"node_network_routes{device="eth0"} 2"#,
            ]
        );
    }

    #[test]
    fn cut_messages_tell_less() {
        let mut message = vec![2, 0, 0, 0, 254, 2, 253, RTN_UNICAST, 0, 0, 0, 0];
        message.extend(attribute(RTA_MULTIPATH, &[200, 0, 0, 0, 1, 0, 0, 0]));
        for length in 0..message.len() {
            parse(&message[..length], &mut Vec::new());
        }
        let mut hops = Vec::new();
        parse(&message, &mut hops);
        assert_eq!(hops, [], "a length that is a lie");
    }
}
