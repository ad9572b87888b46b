//! What this host asks of NFS servers, from `/proc/net/rpc/nfs`:
//!
//! ```text
//! net 70 70 69 45
//! rpc 1218785755 374636 1218815394
//! proc2 18 16 57 74 52 71 73 45 86 0 52 83 61 17 53 50 23 70 82
//! ```
//!
//! The first number of a line `proc` says how many follow, one for each procedure of that version.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::counter;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "nfs",
    enabled: true,
    about: "requests of this host to NFS servers",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static PACKETS: Descriptor = counter("node_nfs_packets_total", "Packets to and from servers.");
static CONNECTIONS: Descriptor = counter("node_nfs_connections_total", "TCP connections made.");
static RPCS: Descriptor = counter("node_nfs_rpcs_total", "Calls made.");
static RETRANSMISSIONS: Descriptor = counter("node_nfs_rpc_retransmissions_total", "Calls made again.");
static REFRESHES: Descriptor =
    counter("node_nfs_rpc_authentication_refreshes_total", "Credentials that were renewed.");
static REQUESTS: Descriptor = counter("node_nfs_requests_total", "Procedures called, by version of the protocol.");

/// The procedures of NFS version 2 in the order of their numbers.
pub(super) const V2: [&str; 18] = [
    "Null", "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read", "WrCache", "Write", "Create", "Remove",
    "Rename", "Link", "SymLink", "MkDir", "RmDir", "ReadDir", "FsStat",
];
/// The procedures of NFS version 3.
pub(super) const V3: [&str; 22] = [
    "Null", "GetAttr", "SetAttr", "Lookup", "Access", "ReadLink", "Read", "Write", "Create", "MkDir", "SymLink",
    "MkNod", "Remove", "RmDir", "Rename", "Link", "ReadDir", "ReadDirPlus", "FsStat", "FsInfo", "PathConf", "Commit",
];
/// The client's procedures of NFS version 4.
const V4: [&str; 59] = [
    "Null", "Read", "Write", "Commit", "Open", "OpenConfirm", "OpenNoattr", "OpenDowngrade", "Close", "Setattr",
    "FsInfo", "Renew", "SetClientID", "SetClientIDConfirm", "Lock", "Lockt", "Locku", "Access", "Getattr", "Lookup",
    "LookupRoot", "Remove", "Rename", "Link", "Symlink", "Create", "Pathconf", "StatFs", "ReadLink", "ReadDir",
    "ServerCaps", "DelegReturn", "GetACL", "SetACL", "FsLocations", "ReleaseLockowner", "Secinfo", "FsidPresent",
    "ExchangeID", "CreateSession", "DestroySession", "Sequence", "GetLeaseTime", "ReclaimComplete", "GetDeviceInfo",
    "LayoutGet", "LayoutCommit", "LayoutReturn", "SecinfoNoName", "TestStateID", "FreeStateID", "GetDeviceList",
    "BindConnToSession", "DestroyClientID", "Seek", "Allocate", "DeAllocate", "LayoutStats", "Clone",
];

/// A line's numbers, by the word that it begins with; zeros if it is not there, nothing if it is broken.
pub(super) struct Lines(Vec<(&'static str, Option<Vec<u64>>)>);

impl Lines {
    /// Reads the lines that begin with these words, of as many numbers as `fits` likes; others are handed on.
    pub(super) fn parse<'t>(
        text: &'t str,
        words: &[&'static str],
        fits: impl Fn(&str, &[u64]) -> bool,
        mut bad: impl FnMut(&'t str),
    ) -> Self {
        let mut lines: Vec<_> = words.iter().map(|word| (*word, Some(Vec::new()))).collect();
        for line in text.lines() {
            let mut parts = text::words(line);
            let slot = parts.next().and_then(|word| lines.iter_mut().find(|(known, _)| *known == word));
            let Some((word, slot)) = slot else {
                bad(line);
                continue;
            };
            // The threads' line has other numbers after the two that count.
            let most = if *word == "th" { 2 } else { usize::MAX };
            let numbers: Option<Vec<u64>> = parts.take(most).map(text::unsigned).collect();
            *slot = numbers.filter(|numbers| !numbers.is_empty() && fits(word, numbers));
            if slot.is_none() {
                bad(line);
            }
        }
        Self(lines)
    }

    /// The number at a place in a line; `None` if the line is broken.
    pub(super) fn at(&self, word: &str, place: usize) -> Option<u64> {
        let (_, numbers) = self.0.iter().find(|(known, _)| *known == word)?;
        numbers.as_ref().map(|numbers| numbers.get(place).copied().unwrap_or_default())
    }
}

/// Whether the first number says how many follow.
pub(super) fn is_counted(numbers: &[u64], at_least: usize) -> bool {
    let following = numbers.len() - 1;
    numbers.first() == Some(&(following as u64)) && following >= at_least
}

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("net/rpc/nfs");
    let text = host.text(&path).map_err(|error| error.or_no_data("NFS is not used here"))?;
    let fits = |word: &str, numbers: &[u64]| match word {
        "net" => numbers.len() == 4,
        "rpc" => numbers.len() == 3,
        "proc2" => is_counted(numbers, V2.len()),
        "proc3" => is_counted(numbers, V3.len()),
        _ => is_counted(numbers, 0),
    };
    let lines = Lines::parse(&text, &["net", "rpc", "proc2", "proc3", "proc4"], fits, |line| {
        host.note(Error::parse(&path, "a known word and its numbers", line));
    });
    let mut told = |family: &'static Descriptor, labels: &[(&'static str, &str)], value: Option<u64>| {
        if let Some(value) = value {
            out.point(family, labels, value);
        }
    };
    told(&PACKETS, &[("protocol", "udp")], lines.at("net", 1));
    told(&PACKETS, &[("protocol", "tcp")], lines.at("net", 2));
    told(&CONNECTIONS, &[], lines.at("net", 3));
    told(&RPCS, &[], lines.at("rpc", 0));
    told(&RETRANSMISSIONS, &[], lines.at("rpc", 1));
    told(&REFRESHES, &[], lines.at("rpc", 2));
    for (word, version, methods) in [("proc2", "2", &V2[..]), ("proc3", "3", &V3), ("proc4", "4", &V4)] {
        for (i, method) in methods.iter().enumerate() {
            told(&REQUESTS, &[("proto", version), ("method", method)], lines.at(word, i + 1));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn a_broken_line_costs_only_itself_and_a_missing_one_counts_as_zero() {
        let text = "net 70 70 69 45\nrpc 1 x 3\nproc4 3 48 98 51\nproc9 1 2\n";
        let (told, problems) = Tree::new("nfs", &[("proc/net/rpc/nfs", text)]).read(read);
        assert_eq!(problems.len(), 2, "{problems:?}");
        for line in [
            r#"node_nfs_packets{protocol="tcp"} 69"#,
            "node_nfs_connections 45",
            r#"node_nfs_requests{proto="2",method="Null"} 0"#,
            r#"node_nfs_requests{proto="4",method="Write"} 51"#,
            r#"node_nfs_requests{proto="4",method="Clone"} 0"#,
        ] {
            assert!(told.iter().any(|told| told == line), "{line}");
        }
        assert!(!told.iter().any(|told| told.starts_with("node_nfs_rpcs")));
    }
}
