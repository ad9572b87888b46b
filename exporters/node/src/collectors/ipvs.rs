//! IPVS, from `/proc/net/ip_vs_stats`, whose third line has totals in hexadecimal, and `/proc/net/ip_vs`:
//!
//! ```text
//! IP Virtual Server version 1.2.1 (size=4096)
//! Prot LocalAddress:Port Scheduler Flags
//!   -> RemoteAddress:Port Forward Weight ActiveConn InActConn
//! TCP  C0A80016:0CEA wlc
//!   -> C0A85216:0CEA      Tunnel  100    248        2
//! FWM  10001000 wlc
//!   -> C0A82115:0CEA      Route   0      0          1
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use openmetrics::model::Descriptor;

use super::{Setup, Spec};
use crate::families::{counter, gauge};
use crate::flags::Flag;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFile};
use crate::text;

const LABELS: Flag = Flag::text(
    "collector.ipvs.backend-labels",
    "local_address,local_port,remote_address,remote_port,proto,local_mark",
    "Labels of backends, separated by commas; those that agree in them are summed up",
);

pub(super) static SPEC: Spec = Spec {
    name: "ipvs",
    enabled: true,
    about: "IPVS: traffic, connections of backends",
    flags: &[LABELS],
    build: |setup| {
        let mut ipvs = Ipvs::new(setup)?;
        Ok(Reader::boxed(move |host, out| ipvs.read(host, out)))
    },
};

/// In the order of their columns.
static TOTALS: [Descriptor; 5] = [
    counter("node_ipvs_connections_total", "Connections."),
    counter("node_ipvs_incoming_packets_total", "Packets received."),
    counter("node_ipvs_outgoing_packets_total", "Packets sent."),
    counter("node_ipvs_incoming_bytes_total", "Bytes received."),
    counter("node_ipvs_outgoing_bytes_total", "Bytes sent."),
];
/// In the order of their columns.
static BACKENDS: [Descriptor; 3] = [
    gauge("node_ipvs_backend_weight", "Weight of a backend."),
    gauge("node_ipvs_backend_connections_active", "Active connections of a backend."),
    gauge("node_ipvs_backend_connections_inactive", "Connections of a backend that are not active."),
];
/// All labels, in the order in which they are told.
const ALL: [&str; 6] = ["local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"];

struct Ipvs {
    totals: KeptFile,
    backends: KeptFile,
    /// Which of all labels are told.
    told: [bool; ALL.len()],
}

impl Ipvs {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self {
            totals: KeptFile::new(setup.host.proc("net/ip_vs_stats")),
            backends: KeptFile::new(setup.host.proc("net/ip_vs")),
            told: chosen(setup.options.text(&LABELS))?,
        })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        let path = self.totals.path().to_owned();
        let text = self.totals.text().map_err(|error| error.or_no_data("there is no IPVS"))?;
        match totals(text) {
            Some(values) => {
                for (family, value) in TOTALS.iter().zip(values) {
                    out.point(family, &[], value);
                }
            }
            None => host.note(Error::parse(&path, "five hexadecimal numbers in the third line", text)),
        }
        let path = self.backends.path().to_owned();
        let text = self.backends.text()?;
        for (keys, values) in backends(text, self.told, |line| host.note(Error::parse(&path, "a backend", line))) {
            let labels: Vec<(&'static str, &str)> = ALL
                .into_iter()
                .zip(&keys)
                .zip(self.told)
                .filter_map(|((name, value), told)| told.then_some((name, value.as_str())))
                .collect();
            for (family, value) in BACKENDS.iter().zip(values) {
                out.point(family, &labels, value);
            }
        }
        Ok(())
    }
}

fn chosen(names: &str) -> Result<[bool; ALL.len()], String> {
    let mut unknown: Vec<_> = names.split(',').filter(|name| !name.is_empty() && !ALL.contains(name)).collect();
    unknown.sort_unstable();
    if unknown.is_empty() {
        Ok(ALL.map(|known| names.split(',').any(|name| name == known)))
    } else {
        let known = ALL.join(", ");
        Err(format!("--{}: unknown labels {}; there are {known}", LABELS.name, unknown.join(", ")))
    }
}

fn totals(text: &str) -> Option<[u64; 5]> {
    let line = text.lines().nth(2)?;
    let numbers: Vec<u64> = text::words(line).map(text::hex).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

type Keys = [String; ALL.len()];

/// Backends by the labels that are told (the others are empty), with weights and connections summed up.
fn backends<'t>(text: &'t str, told: [bool; ALL.len()], mut bad: impl FnMut(&'t str)) -> Vec<(Keys, [u64; 3])> {
    let mut all: Vec<(Keys, [u64; 3])> = Vec::new();
    let mut service: Option<[String; 4]> = None;
    for line in text.lines() {
        let words: Vec<&str> = text::words(line).collect();
        match words.as_slice() {
            ["IP" | "Prot", ..] | [_, "RemoteAddress:Port", ..] => {}
            [proto @ ("TCP" | "UDP" | "SCTP"), at, ..] => {
                service = address(at).map(|(ip, port)| [(*proto).to_owned(), String::new(), ip, port.to_string()]);
                if service.is_none() {
                    bad(line);
                }
            }
            ["FWM", mark, ..] => {
                service = Some(["FWM".to_owned(), (*mark).to_owned(), String::new(), "0".to_owned()]);
            }
            ["->", at, _, numbers @ ..] if numbers.len() >= 3 => {
                let values: Option<Vec<u64>> = numbers.iter().take(3).map(|word| text::unsigned(word)).collect();
                let values: Option<[u64; 3]> = values.and_then(|values| values.try_into().ok());
                let (Some([proto, mark, ip, port]), Some((remote, remote_port)), Some(values)) =
                    (&service, address(at), values)
                else {
                    bad(line);
                    continue;
                };
                let mut keys =
                    [ip.clone(), port.clone(), remote, remote_port.to_string(), proto.clone(), mark.clone()];
                for (key, _) in keys.iter_mut().zip(told).filter(|(_, told)| !told) {
                    key.clear();
                }
                match all.iter_mut().find(|(known, _)| *known == keys) {
                    Some((_, sums)) => {
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = sum.wrapping_add(value);
                        }
                    }
                    None => all.push((keys, values)),
                }
            }
            _ => {}
        }
    }
    all
}

/// `C0A80016:0CEA` or `[2620:0000:0000:0000:0000:0000:0000:0001]:0CEA`.
fn address(text: &str) -> Option<(String, u16)> {
    let (ip, port) = text.rsplit_once(':')?;
    let ip = match ip.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.to_string(),
        None if ip.len() == 8 => Ipv4Addr::from_bits(u32::try_from(text::hex(ip)?).ok()?).to_string(),
        None => return None,
    };
    Some((ip, u16::try_from(text::hex(port).filter(|_| port.len() == 4)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "IP Virtual Server version 1.2.1 (size=4096)\n\
        Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n\
        TCP  C0A80016:0CEA wlc\n  -> C0A85216:0CEA      Tunnel  100    248        2\n  -> x Tunnel 1 2 3\n\
        TCP  [2620:0000:0000:0000:0000:0000:0000:0001]:0050 sh\n\
        -> [2620:0000:0000:0000:0000:0000:0000:0002]:0050      Route   1      5          1\n\
        FWM  10001000 wlc\n  -> C0A82115:0CEA      Route   0      0          1\n";

    #[test]
    fn backends_of_all_kinds() {
        let mut bad = 0;
        let all = backends(TEXT, [true; 6], |_| bad += 1);
        assert_eq!((all.len(), bad), (3, 1));
        assert_eq!(all[0], (["192.168.0.22", "3306", "192.168.82.22", "3306", "TCP", ""].map(str::to_owned), [100, 248, 2]));
        assert_eq!(all[1].0[2], "2620::2");
        assert_eq!(all[2].0, ["", "0", "192.168.33.21", "3306", "FWM", "10001000"].map(str::to_owned));
    }

    #[test]
    fn those_that_agree_are_summed_up() {
        let told = chosen("proto").expect("a label");
        let all = backends("TCP C0A80016:0CEA wlc\n-> C0A85216:0CEA Tunnel 1 2 3\n-> C0A85217:0CEA Tunnel 1 2 3\n", told, |_| ());
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].1, [2, 4, 6]);
        assert!(chosen("proto,color").is_err_and(|why| why.contains("color")));
    }

    #[test]
    fn totals_are_hexadecimal() {
        assert_eq!(totals("a\nb\n 1 2 A F 10\n\n"), Some([1, 2, 10, 15, 16]));
        assert_eq!([totals(""), totals("a\nb\n1 2 3\n"), totals("a\nb\nx 2 3 4 5\n")], [None; 3]);
    }
}
