//! Neighbours known by ARP, from netlink, or from `/proc/net/arp`:
//!
//! ```text
//! IP address       HW type     Flags       HW address            Mask     Device
//! 192.168.1.1      0x1         0x2         cc:aa:dd:ee:aa:bb     *        eth0
//! ```

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use openmetrics::model::{Descriptor, Labels};
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

use super::{NodeCollector, Setup, Spec};
use crate::families::gauge;
use crate::flags::{Filter, Flag};
use crate::host::{Error, Host, KeptFile};
use crate::netlink::{self, Route};
use crate::page::Page;
use crate::text;

const INCLUDE: Flag =
    Flag::text("collector.arp.device-include", "", "Regular expression of interfaces to tell, and no others");
const EXCLUDE: Flag =
    Flag::text("collector.arp.device-exclude", "", "Regular expression of interfaces to leave out");
const NETLINK: Flag = Flag::switch("collector.arp.netlink", true, "Read from netlink instead of /proc/net/arp");

pub(super) static SPEC: Spec = Spec {
    name: "arp",
    enabled: true,
    about: "entries of the ARP table by interface",
    flags: &[INCLUDE, EXCLUDE, NETLINK],
    build: |setup| Ok(Box::new(Arp::new(setup)?)),
};

static ENTRIES: Descriptor = gauge("node_arp_entries", "Neighbours in the ARP table.");

struct Arp {
    source: Source,
    filter: Filter,
    entries: BTreeMap<String, u64>,
}

enum Source {
    Netlink(Route, Option<OwnedFd>),
    File(KeptFile),
}

impl Arp {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let source = if setup.options.switch(&NETLINK) {
            Source::Netlink(Route::default(), None)
        } else {
            Source::File(KeptFile::new(setup.host.proc("net/arp")))
        };
        let filter = Filter::new(setup.options, &EXCLUDE, &INCLUDE)?;
        Ok(Self { source, filter, entries: BTreeMap::new() })
    }
}

impl NodeCollector for Arp {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.entries.clear();
        match &mut self.source {
            Source::Netlink(route, socket) => {
                for (index, count) in count_neighbours(route)? {
                    // An interface may go between the two questions.
                    if let Some(name) = interface_name(socket, index)? {
                        self.entries.insert(name, count);
                    }
                }
            }
            Source::File(file) => {
                let path = file.path().to_owned();
                for line in file.text()?.lines() {
                    match parse(line) {
                        Line::Entry(device) => *self.entries.entry(device.to_owned()).or_default() += 1,
                        Line::Other => {}
                        Line::Bad => host.note(Error::parse(&path, "an ARP entry of six columns", line)),
                    }
                }
            }
        }
        self.entries.retain(|device, _| self.filter.keeps(device));
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let mut family = out.family(&ENTRIES);
        for (device, count) in &self.entries {
            family.point(Labels::new(&[("device", device)]), *count);
        }
    }
}

const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const AF_INET: u8 = 2;
/// A neighbour that needs no ARP, such as on a loopback; the file does not have it either.
const NUD_NOARP: u16 = 0x40;

/// IPv4 neighbours by the number of their interface.
fn count_neighbours(route: &mut Route) -> Result<BTreeMap<u32, u64>, Error> {
    let mut counts = BTreeMap::new();
    let ndmsg = [AF_INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]; // struct ndmsg: family, padding, interface, state...
    route.dump(RTM_GETNEIGH, &ndmsg, |kind, message| {
        if let (Some(index), Some(state)) = (netlink::u32_at(message, 4), netlink::u16_at(message, 8))
            && kind == RTM_NEWNEIGH
            && state & NUD_NOARP == 0
        {
            *counts.entry(index).or_default() += 1;
        }
    })?;
    Ok(counts)
}

fn interface_name(socket: &mut Option<OwnedFd>, index: u32) -> Result<Option<String>, Error> {
    if socket.is_none() {
        let open = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
        *socket = Some(open.map_err(|e| Error::io(Path::new("socket"), e))?);
    }
    let name = socket.as_ref().and_then(|socket| netdevice::index_to_name(socket, index).ok());
    Ok(name)
}

#[derive(Debug, PartialEq)]
enum Line<'t> {
    Entry(&'t str),
    /// The names, or an empty line.
    Other,
    Bad,
}

fn parse(line: &str) -> Line<'_> {
    match text::words(line).collect::<Vec<_>>().as_slice() {
        [] => Line::Other,
        [_, _, flags, hardware, _, device] => {
            let is_address = hardware.split(':').all(|byte| byte.len() == 2 && text::hex(byte).is_some());
            let is_entry = is_address && text::based(flags).is_some_and(|flags| (0..256).contains(&flags));
            if is_entry { Line::Entry(device) } else { Line::Bad }
        }
        words if words.len() == 9 => Line::Other,
        _ => Line::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_file() {
        assert_eq!(parse("IP address       HW type     Flags       HW address            Mask     Device"), Line::Other);
        assert_eq!(parse("192.168.1.1    0x1         0x2         cc:aa:dd:ee:aa:bb     *        eth0"), Line::Entry("eth0"));
        assert_eq!(parse(""), Line::Other);
        assert_eq!(parse("192.168.1.1    0x1         0x2         cc:aa"), Line::Bad);
        assert_eq!(parse("192.168.1.1    0x1         0x2         hello     *        eth0"), Line::Bad);
    }
}
