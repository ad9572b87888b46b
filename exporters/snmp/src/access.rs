//! Which devices may be asked: not every address that a request names.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Instant;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A network, as an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The network of one address.
    const fn of(address: IpAddr) -> Self {
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether all of it is in another one.
    fn is_within(&self, other: &Self) -> bool {
        self.bits >= other.bits && other.contains(self.address)
    }

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

/// Something that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Addresses.
    Network(Network),
    /// Hosts asked for by a name like this: `*.switches.example`, or a whole name.
    Name(Box<str>),
}

impl Allowed {
    /// How closely this describes a host and an address that it stands for; `None` if it does not.
    ///
    /// Special addresses are only meant by networks that have nothing else: neither a name nor `0.0.0.0/0` means them.
    fn fit(&self, host: &str, address: IpAddr) -> Option<usize> {
        let asked = Network::of(address.to_canonical());
        let special = SPECIAL.iter().any(|range| asked.is_within(range));
        match self {
            Self::Network(network) => {
                let meant = !special || SPECIAL.iter().any(|range| network.is_within(range));
                (meant && network.contains(address)).then_some(network.bits.into())
            }
            Self::Name(name) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let fits = match name.strip_prefix('*') {
                    Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
                    None => **name == *host,
                };
                (fits && !special).then_some(128 + name.len()) // closer than any network
            }
        }
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let not_a_network = match text.parse() {
            Ok(network) => return Ok(Self::Network(network)),
            Err(error) => error,
        };
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_name = name.contains(|c: char| c.is_ascii_alphabetic())
            && name.split('.').all(|label| {
                !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            });
        if is_name {
            Ok(Self::Name(text.to_ascii_lowercase().into()))
        } else {
            Err(format!(
                "{not_a_network}, and no name either; one looks like switch.example or *.switches.example"
            ))
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => write!(f, "{}/{}", network.address, network.bits),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Allowed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Allowed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const fn v4(octets: [u8; 4], bits: u8) -> Network {
    let [a, b, c, d] = octets;
    Network { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

const fn v6([first, second]: [u16; 2], last: u16, bits: u8) -> Network {
    Network { address: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, last)), bits }
}

/// Addresses that are not a device's but this machine's, its link's or its cloud's.
const SPECIAL: [Network; 12] = [
    v4([0, 0, 0, 0], 8),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16), // link-local, and most clouds' metadata
    v4([100, 100, 100, 200], 32),
    v4([168, 63, 129, 16], 32),
    v4([224, 0, 0, 0], 4),
    v4([255, 255, 255, 255], 32),
    v6([0, 0], 0, 128),
    v6([0, 0], 1, 128),
    v6([0xfe80, 0], 0, 10),
    v6([0xff00, 0], 0, 8),
    v6([0xfd00, 0xec2], 0, 32), // a cloud's metadata over IPv6
];

/// What may be asked; without anything listed, everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct AllowList(Vec<Allowed>);

impl AllowList {
    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address that a host stands for may be asked.
    pub fn allows(&self, host: &str, address: IpAddr) -> bool {
        self.is_empty() || self.fit(host, address).is_some()
    }

    /// How closely something listed describes a host and its address.
    pub fn fit(&self, host: &str, address: IpAddr) -> Option<usize> {
        self.0.iter().filter_map(|allowed| allowed.fit(host, address)).max()
    }
}

impl FromIterator<Allowed> for AllowList {
    fn from_iter<I: IntoIterator<Item = Allowed>>(allowed: I) -> Self {
        Self(allowed.into_iter().collect())
    }
}

/// The addresses of a host. To be asked is the very address that was checked; a name is never resolved twice.
pub async fn resolve(host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let lookup = tokio::net::lookup_host((host, port));
    let found = tokio::time::timeout_at(deadline.into(), lookup).await;
    Ok(found.map_err(|_| io::Error::other("it was not resolved in time"))??.collect())
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

    fn list(listed: &str) -> AllowList {
        listed.split_whitespace().map(|one| one.parse().unwrap()).collect()
    }

    #[test]
    fn without_a_list_everything_is_allowed() {
        assert!(AllowList::default().allows("localhost", "127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_listed_is_allowed() {
        let allows =
            |listed: &str, host: &str, address: &str| list(listed).allows(host, address.parse().unwrap());
        assert!(allows("10.0.0.0/8", "10.1.2.3", "10.1.2.3") && !allows("10.0.0.0/8", "x", "192.0.2.1"));
        assert!(
            allows("*.example", "A.Example.", "192.0.2.1") && !allows("*.example", "example", "192.0.2.1")
        );
        assert!(!allows("*.example", "an-example", "192.0.2.1") && allows("sw1", "sw1", "192.0.2.1"));
        assert!(allows("3com.example", "3com.example", "192.0.2.1"));
        for wrong in ["", "*", "*.", "a*b", "10.0.0.0/33", "10.0.0", "a/b", "a..b", "a:161"] {
            assert!(wrong.parse::<Allowed>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn special_addresses_are_listed_as_such_or_refused() {
        let allows =
            |listed: &str, host: &str, address: &str| list(listed).allows(host, address.parse().unwrap());
        for special in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::ffff:127.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
        ] {
            assert!(!allows(
                "0.0.0.0/0 0.0.0.0/1 126.0.0.0/7 ::/0 ::/127 fe00::/7 *.example",
                special,
                special
            ));
            assert!(!allows("*.example", "a.example", special), "{special}");
            assert!(allows(special.trim_start_matches("::ffff:"), special, special), "{special}");
        }
        assert!(allows("127.0.0.0/8", "x", "127.0.0.1") && allows("fe80::/10", "x", "fe80::1"));
    }

    #[tokio::test]
    async fn addresses_need_no_resolver() {
        let found = resolve("2001:db8::1", 161, Instant::now()).await.unwrap();
        assert_eq!(found, ["[2001:db8::1]:161".parse().unwrap()]);
    }
}
