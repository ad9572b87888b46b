//! What this host does as an NFS server, from `/proc/net/rpc/nfsd`:
//!
//! ```text
//! rc 0 6 18622
//! fh 0 0 0 0 0
//! io 157286400 72864
//! th 8 0 0.000 0.000
//! proc4ops 72 0 0 0 1098 2
//! ```

use openmetrics::model::Descriptor;

use super::nfs::{Lines, V2, V3, is_counted};
use super::Spec;
use crate::families::{counter, gauge};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};

pub(super) static SPEC: Spec = Spec {
    name: "nfsd",
    enabled: true,
    about: "requests to this host as an NFS server",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

/// Families without labels: the line, the place in it, the family.
static SINGLES: [(&str, usize, Descriptor); 11] = [
    ("rc", 0, counter("node_nfsd_reply_cache_hits_total", "Requests answered from the reply cache.")),
    ("rc", 1, counter("node_nfsd_reply_cache_misses_total", "Requests that were kept in the reply cache.")),
    ("rc", 2, counter("node_nfsd_reply_cache_nocache_total", "Requests that need not be kept.")),
    ("fh", 0, counter("node_nfsd_file_handles_stale_total", "Stale file handles that were presented.")),
    ("io", 0, counter("node_nfsd_disk_bytes_read_total", "Bytes read from disks.")),
    ("io", 1, counter("node_nfsd_disk_bytes_written_total", "Bytes written to disks.")),
    ("th", 0, gauge("node_nfsd_server_threads", "Threads of the server.")),
    ("ra", 0, gauge("node_nfsd_read_ahead_cache_size_blocks", "Size of the read-ahead cache in blocks.")),
    ("ra", 11, counter("node_nfsd_read_ahead_cache_not_found_total", "Look-ups that the read-ahead cache missed.")),
    ("net", 3, counter("node_nfsd_connections_total", "TCP connections accepted.")),
    ("rpc", 0, counter("node_nfsd_server_rpcs_total", "Calls received.")),
];

static PACKETS: Descriptor = counter("node_nfsd_packets_total", "Packets to and from clients.");
static RPC_ERRORS: Descriptor = counter("node_nfsd_rpc_errors_total", "Calls that were faulty, by fault.");
static REQUESTS: Descriptor = counter("node_nfsd_requests_total", "Procedures called, by version of the protocol.");

/// The operations of NFS version 4 that are told, from the fourth on; `None` is not told.
const V4: [Option<&str>; 37] = [
    Some("Access"), Some("Close"), Some("Commit"), Some("Create"), Some("DelegPurge"), Some("DelegReturn"),
    Some("GetAttr"), Some("GetFH"), Some("Link"), Some("Lock"), Some("Lockt"), Some("Locku"), Some("Lookup"),
    Some("LookupRoot"), Some("Nverify"), Some("Open"), Some("OpenAttr"), Some("OpenConfirm"), Some("OpenDgrd"),
    Some("PutFH"), None, None, Some("Read"), Some("ReadDir"), Some("ReadLink"), Some("Remove"), Some("Rename"),
    Some("Renew"), Some("RestoreFH"), Some("SaveFH"), Some("SecInfo"), Some("SetAttr"), Some("SetClientID"),
    Some("SetClientIDConfirm"), Some("Verify"), Some("Write"), Some("RelLockOwner"),
];

const WORDS: [&str; 12] = [
    "rc", "fh", "io", "th", "ra", "net", "rpc", "proc2", "proc3", "proc4", "proc4ops", "wdeleg_getattr",
];

fn fits(word: &str, numbers: &[u64]) -> bool {
    match word {
        "rc" => numbers.len() == 3,
        "fh" | "rpc" => numbers.len() == 5,
        "io" | "th" => numbers.len() == 2,
        "ra" => numbers.len() == 12,
        "net" => numbers.len() == 4,
        "proc2" => is_counted(numbers, V2.len()),
        "proc3" => is_counted(numbers, V3.len()),
        "proc4" => is_counted(numbers, 2),
        "proc4ops" => is_counted(numbers, 39),
        _ => true,
    }
}

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("net/rpc/nfsd");
    let text = host.text(&path).map_err(|error| error.or_no_data("this host serves no NFS"))?;
    let lines = Lines::parse(&text, &WORDS, fits, |line| {
        host.note(Error::parse(&path, "a known word and its numbers", line));
    });
    for (word, place, family) in &SINGLES {
        if let Some(value) = lines.at(word, *place) {
            out.point(family, &[], value);
        }
    }
    let mut told = |family: &'static Descriptor, labels: &[(&'static str, &str)], value: Option<u64>| {
        if let Some(value) = value {
            out.point(family, labels, value);
        }
    };
    told(&PACKETS, &[("proto", "udp")], lines.at("net", 1));
    told(&PACKETS, &[("proto", "tcp")], lines.at("net", 2));
    for (place, fault) in [(2, "fmt"), (3, "auth"), (4, "cInt")] {
        told(&RPC_ERRORS, &[("error", fault)], lines.at("rpc", place));
    }
    for (word, version, methods) in [("proc2", "2", &V2[..]), ("proc3", "3", &V3)] {
        for (i, method) in methods.iter().enumerate().skip(1) {
            told(&REQUESTS, &[("proto", version), ("method", method)], lines.at(word, i + 1));
        }
    }
    for (i, method) in V4.iter().enumerate() {
        if let Some(method) = method {
            told(&REQUESTS, &[("proto", "4"), ("method", method)], lines.at("proc4ops", i + 4));
        }
    }
    told(&REQUESTS, &[("proto", "4"), ("method", "WdelegGetattr")], lines.at("wdeleg_getattr", 0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn lines_of_a_server() {
        let text = "rc 0 6 18622\nth 8 0 0.000 0.000\nio 1\nwdeleg_getattr 15\n";
        let (told, problems) = Tree::new("nfsd", &[("proc/net/rpc/nfsd", text)]).read(read);
        assert_eq!(problems, ["proc/net/rpc/nfsd: expected a known word and its numbers, found \"io 1\""]);
        for line in [
            "node_nfsd_reply_cache_nocache 18622",
            "node_nfsd_server_threads 8",
            r#"node_nfsd_requests{proto="4",method="WdelegGetattr"} 15"#,
            r#"node_nfsd_requests{proto="4",method="RelLockOwner"} 0"#,
        ] {
            assert!(told.iter().any(|told| told == line), "{line}");
        }
        assert!(!told.iter().any(|told| told.starts_with("node_nfsd_disk_bytes")));
    }
}
