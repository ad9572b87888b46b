//! The command line's part of receiving traps.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use crate::access::AllowList;
use crate::bridge::Bridge;
use crate::traps::{Receiver, listen};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// Adds the flags that have traps received.
pub(crate) fn add_flags(command: Command) -> Command {
    let arg = |name: &'static str| Arg::new(name).long(name).help_heading("Traps");
    command
        .arg(
            arg("traps.listen-address")
                .value_name("ADDRESS:PORT")
                .action(ArgAction::Append)
                .value_parser(value_parser!(Address))
                .help(
                    "Receive and count traps and informs here, such as at :162; communities and users are those of \
                     the configuration (repeatable; none are received if not given)",
                ),
        )
        .arg(
            arg("traps.max-series")
                .value_name("N")
                .default_value("1000")
                .value_parser(value_parser!(u32))
                .help("How many notifications are told apart by kind and source; others are counted together"),
        )
}

/// Where to listen: every address of this machine, or one.
#[derive(Clone, Copy, Debug)]
struct Address {
    host: Option<SocketAddr>,
    port: u16,
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no address; one looks like :162, 192.0.2.1:162 or [2001:db8::1]:162");
        if let Some(port) = text.strip_prefix(':') {
            return Ok(Self { host: None, port: port.parse().map_err(|_| wrong())? });
        }
        let address: SocketAddr = text.parse().map_err(|_| wrong())?;
        Ok(Self { host: Some(address), port: address.port() })
    }
}

impl Address {
    fn bind(self) -> Result<UdpSocket, String> {
        let Self { host, port } = self;
        let bound = match host {
            Some(address) => UdpSocket::bind(address),
            // A socket of IPv6 takes IPv4 as well; where there is no IPv6, IPv4 is all there is.
            None => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))
                .or_else(|_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))),
        };
        bound.map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::AddrInUse => "another process does; find it with `ss -lnup`".to_owned(),
                io::ErrorKind::PermissionDenied => {
                    format!("{error}; ports below 1024 are for root and for who has CAP_NET_BIND_SERVICE")
                }
                _ => error.to_string(),
            };
            let place = host.map_or_else(|| format!(":{port}"), |address| address.to_string());
            format!("cannot receive traps at {place}: {what}")
        })
    }
}

/// Where traps are received, and who counts them.
pub(crate) struct Receiving {
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Receives traps if the command line asks for it, each address on a thread of its own.
pub(crate) fn start(
    matches: &ArgMatches,
    bridge: &Arc<Bridge>,
    allowed: AllowList,
) -> Result<Option<Receiving>, String> {
    let wanted: Vec<Address> =
        matches.get_many("traps.listen-address").into_iter().flatten().copied().collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let series = matches.get_one::<u32>("traps.max-series").map_or(0, |most| *most as usize);
    let receiver = Arc::new(Receiver::new(series, allowed));
    let mut addresses = Vec::new();
    for address in wanted {
        let socket = address.bind()?;
        addresses.push(socket.local_addr().map_err(|error| format!("traps: {error}"))?);
        let (receiver, bridge) = (receiver.clone(), bridge.clone());
        let thread = std::thread::Builder::new().name("traps".into());
        thread
            .spawn(move || listen(&receiver, &socket, &bridge))
            .map_err(|error| format!("traps: {error}"))?;
    }
    Ok(Some(Receiving { receiver, addresses }))
}
