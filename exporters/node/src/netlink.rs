//! Routing netlink: the network interfaces with all their counters in one or two system calls, where sysfs takes
//! thirty files for each.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
    sockopt,
};

use crate::host::Error;

/// A connection to the kernel, to routing netlink unless something else is said, opened when it is first used and kept.
#[derive(Debug, Default)]
pub struct Route {
    /// `None`: routing netlink, the protocol of number 0.
    protocol: Option<Protocol>,
    socket: Option<OwnedFd>,
    buffer: Vec<u8>,
    sequence: u32,
}

/// What the kernel fills at most with one message of a dump.
const MESSAGE_SIZE: usize = 32 << 10;
/// A dump ends; one that does not is not believed.
const MOST_MESSAGES: usize = 100_000;
/// The kernel answers at once or, while its configuration is locked, a little later.
const PATIENCE: Duration = Duration::from_secs(5);

const HEADER: usize = 16; // struct nlmsghdr
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;

impl Route {
    /// A connection that tells of sockets instead of interfaces.
    pub fn of_sockets() -> Self {
        Self { protocol: Some(netlink::SOCK_DIAG), ..Self::default() }
    }

    /// A connection to generic netlink, where drivers have families of messages by name; see [`family`].
    pub fn generic() -> Self {
        Self { protocol: Some(netlink::GENERIC), ..Self::default() }
    }

    /// Asks for all objects of a kind and hands each one's message (type and payload) to `each`. `request` is what
    /// follows the header.
    pub fn dump(&mut self, kind: u16, request: &[u8], mut each: impl FnMut(u16, &[u8])) -> Result<(), Error> {
        let result = self.try_dump(kind, request, &mut each);
        if result.is_err() {
            self.socket = None; // answers to this request must not be taken for answers to the next
        }
        result.map_err(|errno| Error::io(Path::new("netlink"), errno))
    }

    fn try_dump(&mut self, kind: u16, request: &[u8], each: &mut dyn FnMut(u16, &[u8])) -> Result<(), Errno> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => open(self.protocol)?,
        };
        let socket = self.socket.insert(socket);
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = Vec::with_capacity(HEADER + request.len());
        message.extend(((HEADER + request.len()) as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((REQUEST | DUMP).to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend(0_u32.to_ne_bytes());
        message.extend(request);
        send(&*socket, &message, SendFlags::empty())?;
        for _ in 0..MOST_MESSAGES {
            self.buffer.clear();
            self.buffer.reserve(MESSAGE_SIZE);
            let spare: &mut [MaybeUninit<u8>] = self.buffer.spare_capacity_mut();
            let received = loop {
                match recv(&*socket, &mut *spare, RecvFlags::empty()) {
                    Err(Errno::INTR) => {}
                    other => break other?.0.0,
                }
            };
            if walk(received, self.sequence, each)? {
                return Ok(());
            }
        }
        Err(Errno::OVERFLOW)
    }
}

fn open(protocol: Option<Protocol>) -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

/// Hands the messages in one datagram on; whether the dump is done with it.
fn walk(datagram: &[u8], sequence: u32, each: &mut dyn FnMut(u16, &[u8])) -> Result<bool, Errno> {
    let mut rest = datagram;
    while let (Some(length), Some(kind), Some(number)) = (u32_at(rest, 0), u16_at(rest, 4), u32_at(rest, 8)) {
        let length = length as usize;
        let Some(payload) = rest.get(HEADER..length) else { return Err(Errno::BADMSG) };
        match kind {
            _ if number != sequence => {}
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let errno = u32_at(payload, 0).map_or(0, |n| (n as i32).wrapping_neg());
                return if errno == 0 { Ok(true) } else { Err(Errno::from_raw_os_error(errno)) };
            }
            kind => each(kind, payload),
        }
        rest = rest.get(align(length)..).unwrap_or_default();
    }
    Ok(false)
}

/// The length with its padding.
pub const fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// The attributes in a message, as pairs of type and value; cut ones end the walk.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & 0x3fff; // without the flags for nesting and byte order
        let value = rest.get(4..length)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Two bytes in the host's order.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_ne_bytes(*chunk))
}

/// Four bytes in the host's order.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_ne_bytes(*chunk))
}

/// Eight bytes in the host's order.
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_ne_bytes(*chunk))
}

/// Text up to the first zero byte.
pub fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    crate::text::valid(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// What stands before the attributes of a generic message (`struct genlmsghdr`).
pub const GENERIC_HEAD: usize = 4;

/// A request of a generic family: the command, and attributes with values of four bytes.
pub fn generic_request(command: u8, attributes: &[(u16, u32)]) -> Vec<u8> {
    let mut request = vec![command, 1, 0, 0];
    for (kind, value) in attributes {
        request.extend(8_u16.to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend(value.to_ne_bytes());
    }
    request
}

/// The number of a family of generic messages, such as `nl80211`; `None` if no driver has it.
pub fn family(route: &mut Route, name: &str) -> Result<Option<u16>, Error> {
    const CONTROLLER: u16 = 16; // GENL_ID_CTRL
    const GET_FAMILY: u8 = 3;
    const FAMILY_ID: u16 = 1;
    const FAMILY_NAME: u16 = 2;
    let mut found = None;
    route.dump(CONTROLLER, &generic_request(GET_FAMILY, &[]), |_, message| {
        let (mut id, mut named) = (None, false);
        for (kind, value) in attributes(message.get(GENERIC_HEAD..).unwrap_or_default()) {
            match kind {
                FAMILY_ID => id = u16_at(value, 0),
                FAMILY_NAME => named = text(value) == name,
                _ => {}
            }
        }
        found = found.or(id.filter(|_| named));
    })?;
    Ok(found)
}

/// An address as six pairs of hexadecimal digits, or however many it has.
pub fn hardware_address(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// The kind of message that asks for interfaces, and that brings one.
pub const RTM_GETLINK: u16 = 18;
const RTM_NEWLINK: u16 = 16;
/// What follows the header of a request for all interfaces: `struct ifinfomsg`, zero.
const ALL_LINKS: [u8; IFINFOMSG] = [0; IFINFOMSG];
const IFINFOMSG: usize = 16;

/// Attributes of an interface (`IFLA_...`).
pub mod ifla {
    #![allow(missing_docs)] // the kernel's names, linux/if_link.h
    pub const ADDRESS: u16 = 1;
    pub const BROADCAST: u16 = 2;
    pub const IFNAME: u16 = 3;
    pub const MTU: u16 = 4;
    pub const LINK: u16 = 5;
    pub const STATS: u16 = 7;
    pub const TXQLEN: u16 = 13;
    pub const OPERSTATE: u16 = 16;
    pub const LINKMODE: u16 = 17;
    pub const IFALIAS: u16 = 20;
    pub const STATS64: u16 = 23;
    pub const GROUP: u16 = 27;
    pub const CARRIER: u16 = 33;
    pub const CARRIER_CHANGES: u16 = 35;
    pub const CARRIER_UP_COUNT: u16 = 47;
    pub const CARRIER_DOWN_COUNT: u16 = 48;
    pub const PROP_LIST: u16 = 52;
    pub const ALT_IFNAME: u16 = 53;
}

/// The head of an interface's message (`struct ifinfomsg`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkHead {
    /// The kind of hardware (`ARPHRD_...`).
    pub kind: u16,
    /// The interface's number.
    pub index: i32,
    /// The flags (`IFF_...`).
    pub flags: u32,
}

/// All interfaces of our network namespace: head and attributes of each.
pub fn links(route: &mut Route, mut each: impl FnMut(LinkHead, &[u8])) -> Result<(), Error> {
    route.dump(RTM_GETLINK, &ALL_LINKS, |kind, payload| {
        if kind == RTM_NEWLINK
            && let (Some(kind), Some(index), Some(flags)) =
                (u16_at(payload, 2), u32_at(payload, 4), u32_at(payload, 8))
        {
            let head = LinkHead { kind, index: index as i32, flags };
            each(head, payload.get(IFINFOMSG..).unwrap_or_default());
        }
    })
}

/// What tests of collectors make messages with.
#[cfg(test)]
pub(crate) mod for_tests {
    /// An attribute, with its padding.
    pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(super::align(bytes.len()), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER + payload.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(0_u16.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(align(bytes.len()), 0);
        bytes
    }

    #[test]
    fn messages_until_done() {
        let datagram =
            [message(16, 1, b"abc"), message(16, 9, b"of another request"), message(3, 1, &[0; 4])].concat();
        let mut seen = Vec::new();
        let done = walk(&datagram, 1, &mut |kind, payload| seen.push((kind, payload.to_vec())));
        assert_eq!((done, seen), (Ok(true), vec![(16, b"abc".to_vec())]));
    }

    #[test]
    fn lengths_are_checked_before_they_are_believed() {
        let mut datagram = message(16, 1, b"abcd");
        datagram[0] = 200;
        assert_eq!(walk(&datagram, 1, &mut |_, _| ()), Err(Errno::BADMSG));
        datagram[0] = 3;
        assert_eq!(walk(&datagram, 1, &mut |_, _| ()), Err(Errno::BADMSG));
        assert_eq!(attributes(&[3, 0, 1, 0, 9]).count(), 0);
        assert_eq!(attributes(&[200, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[]).count(), 0);
    }

    #[test]
    fn families_are_found_by_name() {
        // Every kernel has the family that tells of families.
        let mut route = Route::generic();
        assert_eq!(family(&mut route, "nlctrl").unwrap(), Some(16));
        assert_eq!(family(&mut route, "no such family").unwrap(), None);
        assert_eq!(hardware_address(&[0xaa, 1]), "aa:01");
        assert_eq!(generic_request(5, &[]), [5, 1, 0, 0]);
    }

    #[test]
    fn an_error_is_the_kernels() {
        let datagram = message(2, 1, &(-1_i32).to_ne_bytes());
        assert_eq!(walk(&datagram, 1, &mut |_, _| ()), Err(Errno::PERM));
    }

    #[test]
    fn attributes_in_order() {
        let bytes = [
            &7_u16.to_ne_bytes()[..],
            &3_u16.to_ne_bytes(),
            b"lo\0",
            &[0],
            &4_u16.to_ne_bytes(),
            &9_u16.to_ne_bytes(),
        ];
        let found: Vec<_> = attributes(&bytes.concat()).map(|(kind, value)| (kind, value.to_vec())).collect();
        assert_eq!(found, [(3, b"lo\0".to_vec()), (9, vec![])]);
        assert_eq!(text(b"lo\0junk"), "lo");
    }
}
