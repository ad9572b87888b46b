//! Network interfaces' settings, from sysfs, `/sys/class/net/INTERFACE/`: some twenty files with a number or a word
//! each.
//!
//! Netlink tells most of them with two system calls for all interfaces together, and where sysfs shows the interfaces
//! of our own network namespace, so it is asked and only the rest is read. What is told is the same either way.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use openmetrics::model::{Descriptor, Labels};

use super::{NodeCollector, Setup, Spec, netdev};
use crate::families::{INFO, counter, gauge, info};
use crate::flags::{Filter, Flag};
use crate::host::{Error, Host, KeptFile};
use crate::netlink::{self, LinkHead, Route, ifla};
use crate::page::Page;
use crate::text;

const IGNORED: Flag =
    Flag::text("collector.netclass.ignored-devices", "^$", "Regular expression of interfaces to leave out");
const INVALID_SPEED: Flag = Flag::switch(
    "collector.netclass.ignore-invalid-speed",
    false,
    "Leave out speeds that are not known, which are negative",
);
const NETLINK: Flag = Flag::switch(
    "collector.netclass.netlink",
    false,
    "Read from netlink also where sysfs shows other interfaces, and tell alternative names",
);
const WITH_STATS: Flag = Flag::switch(
    "collector.netclass_rtnl.with-stats",
    false,
    "With --collector.netclass.netlink, tell the counters of netdev as well",
);

pub(super) static SPEC: Spec = Spec {
    name: "netclass",
    enabled: true,
    about: "state, speed and settings of network interfaces",
    flags: &[IGNORED, INVALID_SPEED, NETLINK, WITH_STATS],
    build: |setup| Ok(Box::new(Netclass::new(setup)?)),
};

static UP: Descriptor = gauge("node_network_up", "Whether the interface's state is up.");
static FACTS: Descriptor = info("node_network_info", "Addresses and states of the interface.");
static ALTNAMES: Descriptor = info("node_network_altnames_info", "Alternative names of the interface.");
static SPEED: Descriptor = gauge("node_network_speed_bytes", "Speed of the interface in bytes a second.");

/// Files with a number and their families.
static NUMBERS: [(&str, Descriptor); 16] = [
    ("addr_assign_type", gauge("node_network_address_assign_type", "How the interface got its address.")),
    ("carrier", gauge("node_network_carrier", "Whether the line is there.")),
    ("carrier_changes", counter("node_network_carrier_changes_total", "How often the line came or went.")),
    ("carrier_up_count", counter("node_network_carrier_up_changes_total", "How often the line came.")),
    ("carrier_down_count", counter("node_network_carrier_down_changes_total", "How often the line went.")),
    ("dev_id", gauge("node_network_device_id", "Tells interfaces apart that share an address.")),
    ("dormant", gauge("node_network_dormant", "Whether the interface waits for an event from outside.")),
    ("flags", gauge("node_network_flags", "The interface's flags (IFF_...).")),
    ("ifindex", gauge("node_network_iface_id", "The interface's number.")),
    ("iflink", gauge("node_network_iface_link", "The number of the interface below this one.")),
    ("link_mode", gauge("node_network_iface_link_mode", "How the state follows the line.")),
    ("mtu", gauge("node_network_mtu_bytes", "The largest packet.")),
    ("name_assign_type", gauge("node_network_name_assign_type", "Who named the interface.")),
    ("netdev_group", gauge("node_network_net_dev_group", "The group of the interface.")),
    ("tx_queue_len", gauge("node_network_transmit_queue_length", "Packets that may wait to be sent.")),
    ("type", gauge("node_network_protocol_type", "The kind of interface (ARPHRD_...).")),
];
/// Files with a word: the labels of `node_network_info`, and what they are called in sysfs.
const WORDS: [&str; 5] = ["address", "broadcast", "duplex", "operstate", "ifalias"];

struct Netclass {
    folder: PathBuf,
    filter: Filter,
    with_invalid_speed: bool,
    /// Whether netlink is asked whatever sysfs shows.
    forced: bool,
    with_stats: bool,
    route: Route,
    interfaces: Vec<Interface>,
    /// What netlink does not tell, kept open: by name and number of the interface.
    rest: Vec<Rest>,
}

#[derive(Debug, Default, PartialEq)]
struct Interface {
    name: String,
    /// In the order of `WORDS`; empty if there is none.
    words: [String; 5],
    /// In the order of `NUMBERS`.
    numbers: [Option<i64>; 16],
    /// In megabits a second.
    speed: Option<i64>,
    altnames: Vec<String>,
    counters: Option<netdev::Counters>,
}

impl Netclass {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let options = setup.options;
        let forced = options.switch(&NETLINK);
        Ok(Self {
            folder: setup.host.sys("class/net"),
            filter: Filter::excluding(options, &IGNORED)?,
            with_invalid_speed: !options.switch(&INVALID_SPEED),
            forced,
            with_stats: forced && options.switch(&WITH_STATS),
            route: Route::default(),
            interfaces: Vec::new(),
            rest: Vec::new(),
        })
    }

    /// Asks netlink. `false` if it tells of other interfaces than sysfs has.
    fn update_from_netlink(&mut self, host: &Host, names: Option<&[String]>) -> Result<bool, Error> {
        let Self { route, interfaces, filter, rest, folder, with_stats, .. } = self;
        let mut told = Vec::new();
        host.links(route, |head, attributes| {
            told.extend(parse_link(head, attributes).map(|interface| (head.index, interface)));
        })?;
        if let Some(names) = names {
            let known = |name: &String| told.iter().any(|(_, interface)| interface.name == *name);
            if names.len() != told.len() || !names.iter().all(known) {
                return Ok(false);
            }
        }
        rest.retain(|rest| told.iter().any(|(index, i)| (*index, &i.name) == (rest.index, &rest.name)));
        for (index, mut interface) in told {
            let found = rest.iter().position(|rest| (rest.index, &rest.name) == (index, &interface.name));
            let at = match found {
                Some(at) => at,
                None => {
                    let new = Rest::new(folder, &interface.name, index);
                    // Interfaces of another namespace may have the same names, hardly the same numbers.
                    if names.is_some() && new.number() != Some(i64::from(index)) {
                        return Ok(false);
                    }
                    rest.push(new);
                    rest.len() - 1
                }
            };
            if !filter.keeps(&interface.name) {
                continue;
            }
            if let Some(rest) = rest.get_mut(at) {
                rest.add_to(&mut interface);
            }
            interface.counters = interface.counters.filter(|_| *with_stats);
            interfaces.push(interface);
        }
        Ok(true)
    }

    fn update_from_sysfs(&mut self, host: &mut Host, names: Vec<String>) {
        for name in names {
            if !self.filter.keeps(&name) {
                continue;
            }
            let folder = self.folder.join(&name);
            let mut interface = Interface { name, ..Interface::default() };
            let mut read = |file: &str| match host.line(&folder.join(file)) {
                Ok(text) => Some(text),
                Err(error) => {
                    if !may_fail(&error) {
                        host.note(error);
                    }
                    None
                }
            };
            for (word, file) in interface.words.iter_mut().zip(WORDS) {
                *word = read(file).unwrap_or_default();
            }
            for (number, (file, _)) in interface.numbers.iter_mut().zip(&NUMBERS) {
                *number = read(file).map(|text| as_number(&text));
            }
            interface.speed = read("speed").map(|text| as_number(&text));
            self.interfaces.push(interface);
        }
    }
}

/// What is no number counts as zero, as node_exporter has it.
fn as_number(text: &str) -> i64 {
    text::based(text).unwrap_or(0)
}

/// Not all interfaces have all files, and drivers refuse those that make no sense now.
fn may_fail(error: &Error) -> bool {
    use rustix::io::Errno;
    [Errno::NOENT, Errno::ACCESS, Errno::PERM, Errno::INVAL, Errno::OPNOTSUPP].iter().any(|e| error.is_errno(*e))
}

impl NodeCollector for Netclass {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.interfaces.clear();
        if self.forced {
            return self.update_from_netlink(host, None).map(|_| ());
        }
        let names = host.folders(&self.folder).map_err(|error| error.or_no_data("sysfs shows no interfaces"))?;
        if !matches!(self.update_from_netlink(host, Some(&names)), Ok(true)) {
            self.interfaces.clear();
            self.rest.clear();
            self.update_from_sysfs(host, names);
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let mut family = out.family(&UP);
        for interface in &self.interfaces {
            let [_, _, _, state, _] = &interface.words;
            family.point(Labels::new(&[("device", &interface.name)]), state == "up");
        }
        let mut family = out.family(&FACTS);
        for interface in &self.interfaces {
            let [address, broadcast, duplex, state, alias] = &interface.words;
            let labels = [
                ("device", interface.name.as_str()),
                ("address", address),
                ("broadcast", broadcast),
                ("duplex", duplex),
                ("operstate", state),
                ("adminstate", interface.admin_state()),
                ("ifalias", alias),
            ];
            family.point(Labels::new(&labels), INFO);
        }
        for (i, (_, family)) in NUMBERS.iter().enumerate() {
            let mut family = out.family(family);
            for interface in &self.interfaces {
                if let Some(Some(value)) = interface.numbers.get(i) {
                    family.point(Labels::new(&[("device", &interface.name)]), *value);
                }
            }
        }
        let mut family = out.family(&SPEED);
        for interface in &self.interfaces {
            if let Some(speed) = interface.speed.filter(|speed| *speed >= 0 || self.with_invalid_speed) {
                let bytes = speed.wrapping_mul(1_000_000) / 8;
                family.point(Labels::new(&[("device", &interface.name)]), bytes);
            }
        }
        let mut family = out.family(&ALTNAMES);
        for interface in self.interfaces.iter().filter(|_| self.forced) {
            for name in &interface.altnames {
                family.point(Labels::new(&[("altname", name), ("device", &interface.name)]), INFO);
            }
        }
        if self.with_stats {
            netdev::emit_details(out, || {
                self.interfaces.iter().filter_map(|i| Some((i.name.as_str(), i.counters.as_ref()?)))
            });
        }
    }
}

const IFF_UP: i64 = 1;
const IFF_DORMANT: u32 = 0x2_0000;

impl Interface {
    fn set(&mut self, file: &str, value: impl Into<i64>) {
        if let Some(slot) = NUMBERS.iter().position(|(f, _)| *f == file).and_then(|i| self.numbers.get_mut(i)) {
            *slot = Some(value.into());
        }
    }

    /// Whether somebody wants it to be up.
    fn admin_state(&self) -> &'static str {
        let flags = NUMBERS.iter().position(|(file, _)| *file == "flags").and_then(|i| self.numbers.get(i));
        match flags {
            Some(Some(flags)) if flags & IFF_UP != 0 => "up",
            Some(Some(_)) => "down",
            _ => "unknown",
        }
    }
}

/// The names of operational states, by their numbers (RFC 2863).
const STATES: [&str; 7] = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"];

/// What netlink tells, as sysfs would.
fn parse_link(head: LinkHead, attributes: &[u8]) -> Option<Interface> {
    let mut interface = Interface::default();
    let up = i64::from(head.flags) & IFF_UP != 0;
    interface.set("ifindex", head.index);
    interface.set("iflink", head.index);
    interface.set("type", head.kind);
    if up {
        interface.set("dormant", i64::from(head.flags & IFF_DORMANT != 0));
    }
    for (kind, value) in netlink::attributes(attributes) {
        let number = || netlink::u32_at(value, 0).map_or(0, i64::from);
        let byte = || value.first().copied().map_or(0, i64::from);
        let [address, broadcast, _, state, alias] = &mut interface.words;
        match kind {
            ifla::IFNAME => interface.name = netlink::text(value),
            ifla::ADDRESS => *address = hardware_address(value),
            ifla::BROADCAST => *broadcast = hardware_address(value),
            ifla::IFALIAS => netlink::text(value).trim().clone_into(alias),
            ifla::OPERSTATE => {
                STATES.get(byte() as usize).copied().unwrap_or("unknown").clone_into(state);
            }
            ifla::MTU => interface.set("mtu", number()),
            ifla::LINK => interface.set("iflink", number()),
            ifla::TXQLEN => interface.set("tx_queue_len", number()),
            ifla::LINKMODE => interface.set("link_mode", byte()),
            ifla::GROUP => interface.set("netdev_group", number()),
            // Without power there is no telling.
            ifla::CARRIER if up => interface.set("carrier", byte()),
            ifla::CARRIER_CHANGES => interface.set("carrier_changes", number()),
            ifla::CARRIER_UP_COUNT => interface.set("carrier_up_count", number()),
            ifla::CARRIER_DOWN_COUNT => interface.set("carrier_down_count", number()),
            ifla::PROP_LIST => {
                let names = netlink::attributes(value).filter(|(kind, _)| *kind == ifla::ALT_IFNAME);
                interface.altnames = names.map(|(_, name)| netlink::text(name)).collect();
            }
            ifla::STATS64 => interface.counters = Some(netdev::parse_counters(value)),
            _ => {}
        }
    }
    (!interface.name.is_empty()).then_some(interface)
}

fn hardware_address(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let colon = if text.is_empty() { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}

/// What the files of an interface say that netlink has no word for.
struct Rest {
    folder: PathBuf,
    name: String,
    index: i32,
    /// What changes only with the name and the address, and the address that it is of.
    fixed: Option<(String, [Option<i64>; 3])>,
    flags: KeptFile,
    speed: KeptFile,
    duplex: KeptFile,
}

/// Files that are read anew only when the interface has another address.
const FIXED: [&str; 3] = ["addr_assign_type", "dev_id", "name_assign_type"];

impl Rest {
    fn new(folder: &Path, name: &str, index: i32) -> Self {
        let folder = folder.join(name);
        let [flags, speed, duplex] = ["flags", "speed", "duplex"].map(|file| KeptFile::new(folder.join(file)));
        Self { folder, name: name.to_owned(), index, fixed: None, flags, speed, duplex }
    }

    fn read(&self, file: &str) -> Option<i64> {
        read_number(&mut KeptFile::new(self.folder.join(file)))
    }

    /// The interface's number, as sysfs has it.
    fn number(&self) -> Option<i64> {
        self.read("ifindex")
    }

    fn add_to(&mut self, interface: &mut Interface) {
        let [address, _, duplex, _, _] = &mut interface.words;
        let fixed = match &self.fixed {
            Some((of, numbers)) if of == address => *numbers,
            _ => {
                let numbers = FIXED.map(|file| self.read(file));
                self.fixed = Some((address.clone(), numbers));
                numbers
            }
        };
        self.duplex.text().map_or("", str::trim).clone_into(duplex);
        let flags = read_number(&mut self.flags);
        for (file, value) in FIXED.into_iter().zip(fixed).chain([("flags", flags)]) {
            if let Some(value) = value {
                interface.set(file, value);
            }
        }
        interface.speed = read_number(&mut self.speed);
    }
}

/// Files that cannot be read are passed over: netlink told that the interface is there.
fn read_number(file: &mut KeptFile) -> Option<i64> {
    file.text().ok().map(|text| as_number(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::for_tests::attribute;

    #[test]
    fn netlink_as_sysfs_would_tell_it() {
        let attributes = [
            attribute(ifla::IFNAME, b"eth0\0"),
            attribute(ifla::ADDRESS, &[2, 0, 0, 0xab, 0, 1]),
            attribute(ifla::OPERSTATE, &[6]),
            attribute(ifla::MTU, &1500_u32.to_ne_bytes()),
            attribute(ifla::CARRIER, &[1]),
            attribute(ifla::PROP_LIST, &attribute(ifla::ALT_IFNAME, b"enp0s1\0")),
        ]
        .concat();
        let head = LinkHead { kind: 1, index: 2, flags: 0x1_1043 };
        let mut found = parse_link(head, &attributes).unwrap();
        assert_eq!(found.name, "eth0");
        assert_eq!(found.words, ["02:00:00:ab:00:01", "", "", "up", ""].map(str::to_owned));
        assert_eq!(found.altnames, ["enp0s1"]);
        let number = |found: &Interface, file| found.numbers[NUMBERS.iter().position(|(f, _)| *f == file).unwrap()];
        assert_eq!(["mtu", "carrier", "dormant", "iflink", "type"].map(|f| number(&found, f)), [1500, 1, 0, 2, 1].map(Some));
        assert_eq!((number(&found, "flags"), found.admin_state()), (None, "unknown"));
        found.set("flags", 0x1003);
        assert_eq!(found.admin_state(), "up");
        let down = parse_link(LinkHead { flags: 0, ..head }, &attributes).unwrap();
        assert_eq!((number(&down, "carrier"), number(&down, "dormant")), (None, None));
    }

    #[test]
    fn what_is_no_number_is_zero() {
        assert_eq!([as_number("0x20"), as_number("-1"), as_number("")], [32, -1, 0]);
    }
}
