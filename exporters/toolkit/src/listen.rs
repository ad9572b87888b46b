//! Addresses to listen at, as flags have them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// Listens at `:9100` (every address, IPv6 and IPv4), `127.0.0.1:9100`, `[::1]:9100` or `name:9100`.
pub(crate) fn bind(address: &str) -> io::Result<TcpListener> {
    if let Some(port) = address.strip_prefix(':') {
        let port: u16 = port.parse().map_err(|_| not_an_address(address))?;
        // A host without IPv6 refuses the first; on others it takes IPv4 as well.
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
            .or_else(|first| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map_err(|_| first))
    } else {
        let addresses = address.to_socket_addrs().map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => not_an_address(address),
            _ => error,
        })?;
        TcpListener::bind(addresses.collect::<Vec<SocketAddr>>().as_slice())
    }
}

fn not_an_address(address: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{address:?} is no address to listen at: host:port was expected, or :port for every address"),
    )
}

/// An address that a person on this machine can open.
pub(crate) fn for_people(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_flags() {
        for address in ["127.0.0.1:0", "localhost:0", ":0"] {
            assert!(bind(address).unwrap().local_addr().unwrap().port() > 0, "{address}");
        }
        for address in ["", "9100", ":http", "127.0.0.1", ":70000", "127.0.0.1:x"] {
            let error = bind(address).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}: {error}");
        }
        assert_eq!(for_people("0.0.0.0:9100".parse().unwrap()), "localhost:9100");
        assert_eq!(for_people("[::1]:9100".parse().unwrap()), "[::1]:9100");
    }
}
