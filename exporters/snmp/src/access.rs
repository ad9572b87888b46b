//! Which devices may be asked: not every address that a request names.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Instant;

/// A network, as an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether an address is in the network. IPv4 within IPv6 is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits(), 128),
            _ => return false,
        };
        (ours ^ theirs).checked_shr(width - u32::from(self.bits)).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no network; one looks like 192.0.2.0/24, 192.0.2.7 or 2001:db8::/32");
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

/// The networks that may be asked; without any, all of them.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The networks.
    pub networks: Vec<Network>,
}

/// Why a target is not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its name has no address.
    Unknown,
    /// Its addresses may not be asked.
    Forbidden,
    /// Its name took too long.
    Late,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the name has no address",
            Self::Forbidden => {
                "this device may not be asked from here; --snmp.allow-target lists those that may"
            }
            Self::Late => "the name was not resolved in time",
        })
    }
}

impl Access {
    /// Whether an address may be asked.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(address))
    }

    /// The address of a host that may be asked. The name is resolved once, and the address that was checked is the
    /// one to talk to.
    pub async fn resolve(&self, host: &str, port: u16, deadline: Instant) -> Result<SocketAddr, Refused> {
        let found: Vec<SocketAddr> = if let Ok(address) = host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, port)]
        } else {
            let lookup = tokio::net::lookup_host((host, port));
            let found = tokio::time::timeout_at(deadline.into(), lookup).await.map_err(|_| Refused::Late)?;
            found.map_err(|_| Refused::Unknown)?.collect()
        };
        if found.is_empty() {
            return Err(Refused::Unknown);
        }
        found.into_iter().find(|address| self.allows(address.ip())).ok_or(Refused::Forbidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_addresses() {
        let contains = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("192.0.2.0/24", "192.0.2.255") && !contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.6"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "::1") && contains("2001:db8::/32", "2001:db8:1::"));
        assert!(contains("192.0.2.0/24", "::ffff:192.0.2.1"), "IPv4 in IPv6's clothes");
        for wrong in ["", "x", "192.0.2.0/33", "192.0.2.0/", "::/129", "192.0.2/24"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_networks_everything_is_allowed() {
        let here = "127.0.0.1".parse().unwrap();
        assert!(Access::default().allows(here));
        assert!(!Access { networks: vec!["10.0.0.0/8".parse().unwrap()] }.allows(here));
    }
}
