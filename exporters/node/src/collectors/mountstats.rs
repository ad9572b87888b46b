//! What each NFS mount does, from `/proc/self/mountstats`:
//!
//! ```text
//! device 192.168.1.1:/srv/test mounted on /mnt/nfs/test with fstype nfs4 statvers=1.1
//!         age:    13968
//!         events: 52 226 0 0 1 13 398 0 0 331 0 47 0 0 77 0 0 77 0 0 0 0 0 0 0 0 0
//!         bytes:  1207640230 0 0 0 1210214218 0 295483 0
//!         xprt:   tcp 832 0 1 0 11 6428 6428 0 12154 0 24 26 5726
//!         per-op statistics
//!                 READ: 1298 1298 0 207680 1210292152 6 79386 79407
//! ```
//!
//! The address of the server stands in the same place of `/proc/self/mountinfo`.

use std::collections::HashSet;

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{counter, gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "mountstats",
    enabled: false,
    about: "NFS mounts: bytes, operations, transports",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static MOUNT: Descriptor = info("node_mountstats_nfs_mountpoint_info", "Where exports are mounted.");
static AGE: Descriptor = counter("node_mountstats_nfs_age_seconds_total", "How long the export is mounted.");

/// The numbers of the line `bytes`.
static BYTES: [Descriptor; 8] = [
    counter("node_mountstats_nfs_read_bytes_total", "Bytes that programs read."),
    counter("node_mountstats_nfs_write_bytes_total", "Bytes that programs wrote."),
    counter("node_mountstats_nfs_direct_read_bytes_total", "Bytes that programs read past the cache."),
    counter("node_mountstats_nfs_direct_write_bytes_total", "Bytes that programs wrote past the cache."),
    counter("node_mountstats_nfs_total_read_bytes_total", "Bytes read from the server."),
    counter("node_mountstats_nfs_total_write_bytes_total", "Bytes written to the server."),
    counter("node_mountstats_nfs_read_pages_total", "Pages read by mapped files."),
    counter("node_mountstats_nfs_write_pages_total", "Pages written by mapped files."),
];

/// The numbers of the line `events`, but for the nineteenth, which the kernel does not use.
static EVENTS: [Option<Descriptor>; 27] = [
    Some(counter("node_mountstats_nfs_event_inode_revalidate_total", "Inodes asked for anew.")),
    Some(counter("node_mountstats_nfs_event_dnode_revalidate_total", "Directory entries asked for anew.")),
    Some(counter("node_mountstats_nfs_event_data_invalidate_total", "Inodes whose cached data was dropped.")),
    Some(counter("node_mountstats_nfs_event_attribute_invalidate_total", "Inodes whose cached attributes were dropped.")),
    Some(counter("node_mountstats_nfs_event_vfs_open_total", "Files and folders opened.")),
    Some(counter("node_mountstats_nfs_event_vfs_lookup_total", "Names looked up.")),
    Some(counter("node_mountstats_nfs_event_vfs_access_total", "Permissions checked.")),
    Some(counter("node_mountstats_nfs_event_vfs_update_page_total", "Pages updated or about to be written.")),
    Some(counter("node_mountstats_nfs_event_vfs_read_page_total", "Pages read one by one.")),
    Some(counter("node_mountstats_nfs_event_vfs_read_pages_total", "Groups of pages read.")),
    Some(counter("node_mountstats_nfs_event_vfs_write_page_total", "Pages written one by one.")),
    Some(counter("node_mountstats_nfs_event_vfs_write_pages_total", "Groups of pages written.")),
    Some(counter("node_mountstats_nfs_event_vfs_getdents_total", "Folders listed.")),
    Some(counter("node_mountstats_nfs_event_vfs_setattr_total", "Attributes set.")),
    Some(counter("node_mountstats_nfs_event_vfs_flush_total", "Waiting writes sent to the server.")),
    Some(counter("node_mountstats_nfs_event_vfs_fsync_total", "Files and folders synchronised.")),
    Some(counter("node_mountstats_nfs_event_vfs_lock_total", "Locks asked for.")),
    Some(counter("node_mountstats_nfs_event_vfs_file_release_total", "Files closed for the last time.")),
    None,
    Some(counter("node_mountstats_nfs_event_truncation_total", "Files cut.")),
    Some(counter("node_mountstats_nfs_event_write_extension_total", "Files made longer by a write beyond their end.")),
    Some(counter("node_mountstats_nfs_event_silly_rename_total", "Files removed while they were open.")),
    Some(counter("node_mountstats_nfs_event_short_read_total", "Reads that brought less than was asked for.")),
    Some(counter("node_mountstats_nfs_event_short_write_total", "Writes of which the server took less than was sent.")),
    Some(counter("node_mountstats_nfs_event_jukebox_delay_total", "Requests that the server asked to make later.")),
    Some(counter("node_mountstats_nfs_event_pnfs_read_total", "Reads by parallel NFS.")),
    Some(counter("node_mountstats_nfs_event_pnfs_write_total", "Writes by parallel NFS.")),
];

/// Families of a transport and their places in [`Transport::numbers`].
static TRANSPORT: [(usize, Descriptor); 10] = [
    (1, counter("node_mountstats_nfs_transport_bind_total", "Connections begun from nothing.")),
    (2, counter("node_mountstats_nfs_transport_connect_total", "TCP connections made.")),
    (4, gauge("node_mountstats_nfs_transport_idle_time_seconds", "Time since the last call.")),
    (5, counter("node_mountstats_nfs_transport_sends_total", "Calls sent.")),
    (6, counter("node_mountstats_nfs_transport_receives_total", "Answers received.")),
    (7, counter("node_mountstats_nfs_transport_bad_transaction_ids_total", "Answers to calls that nobody made.")),
    (9, counter("node_mountstats_nfs_transport_backlog_queue_total", "Calls waiting for a slot, added up at each call.")),
    (10, gauge("node_mountstats_nfs_transport_maximum_rpc_slots", "Most calls under way at once.")),
    (11, counter("node_mountstats_nfs_transport_sending_queue_total", "Calls waiting to be sent, added up at each call.")),
    (12, counter("node_mountstats_nfs_transport_pending_queue_total", "Calls waiting for an answer, added up at each call.")),
];

/// The numbers of an operation; the last three are in milliseconds.
static OPERATION: [Descriptor; 8] = [
    counter("node_mountstats_nfs_operations_requests_total", "Requests, by operation."),
    counter("node_mountstats_nfs_operations_transmissions_total", "Transmissions, by operation."),
    counter("node_mountstats_nfs_operations_major_timeouts_total", "Requests given up on for a while, by operation."),
    counter("node_mountstats_nfs_operations_sent_bytes_total", "Bytes sent, by operation."),
    counter("node_mountstats_nfs_operations_received_bytes_total", "Bytes received, by operation."),
    counter("node_mountstats_nfs_operations_queue_time_seconds_total", "Time waited to be sent, by operation."),
    counter("node_mountstats_nfs_operations_response_time_seconds_total", "Time waited for answers, by operation."),
    counter("node_mountstats_nfs_operations_request_time_seconds_total", "Time from request to result, by operation."),
];
const MILLISECONDS_FROM: usize = 5;

/// Integers from here on are no exact doubles; node_exporter begins anew there.
const EXACT: u64 = 1 << 53;

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("self/mountstats");
    let text = host.text(&path)?;
    let mounts = parse(&text, |line| host.note(Error::parse(&path, "statistics of a mount", line)));
    let infos = host.text(&host.proc("self/mountinfo"))?;
    let addresses: Vec<&str> = infos.lines().map(address).collect();
    let (mut told, mut shown) = (HashSet::new(), HashSet::new());
    for (i, mount) in mounts.iter().enumerate() {
        let Some(stats) = &mount.stats else { continue };
        let address = addresses.get(i).copied().unwrap_or_default();
        for transport in &stats.transports {
            let labels = [("export", mount.device), ("protocol", transport.protocol), ("mountaddr", address)];
            if shown.insert((labels, mount.point)) {
                let [export, protocol, address] = labels;
                out.point(&MOUNT, &[export, protocol, address, ("mountpoint", mount.point)], 1_u64);
            }
            // Mounted in several places, an export still has one set of counters.
            if !told.insert(labels) {
                break;
            }
            tell(out, stats, labels);
        }
    }
    Ok(())
}

fn tell(out: &mut Gathered, stats: &Stats<'_>, labels: [(&'static str, &str); 3]) {
    out.point(&AGE, &labels, stats.age);
    for (family, value) in BYTES.iter().zip(stats.bytes) {
        out.point(family, &labels, value);
    }
    for (family, value) in EVENTS.iter().zip(stats.events) {
        if let Some(family) = family {
            out.point(family, &labels, value);
        }
    }
    let [export, protocol, address] = labels;
    for (i, transport) in stats.transports.iter().enumerate() {
        let labels = [export, protocol, address, ("transport", &i.to_string())];
        for (place, family) in &TRANSPORT {
            let value = transport.numbers.get(*place).copied().unwrap_or_default();
            out.point(family, &labels, if *place == 4 { value % EXACT } else { value });
        }
    }
    for (operation, numbers) in &stats.operations {
        let labels = [export, protocol, address, ("operation", operation)];
        for (i, (family, value)) in OPERATION.iter().zip(numbers).enumerate() {
            if i < MILLISECONDS_FROM {
                out.point(family, &labels, *value);
            } else {
                out.point(family, &labels, (value % EXACT) as f64 / 1000.0);
            }
        }
    }
}

/// The value of `addr=` in the last field of a line of mountinfo.
fn address(line: &str) -> &str {
    let options = line.rsplit(' ').next().unwrap_or_default();
    options.split(',').find_map(|option| option.strip_prefix("addr=")).unwrap_or_default()
}

#[derive(Debug)]
struct Mount<'t> {
    device: &'t str,
    point: &'t str,
    stats: Option<Stats<'t>>,
}

#[derive(Debug, Default)]
struct Stats<'t> {
    age: f64,
    bytes: [u64; 8],
    events: [u64; 27],
    transports: Vec<Transport<'t>>,
    operations: Vec<(&'t str, [u64; 8])>,
}

#[derive(Debug)]
struct Transport<'t> {
    protocol: &'t str,
    /// As TCP has them; what another protocol does not have is zero.
    numbers: Vec<u64>,
}

fn parse<'t>(text: &'t str, mut bad: impl FnMut(&'t str)) -> Vec<Mount<'t>> {
    let mut mounts: Vec<Mount<'t>> = Vec::new();
    let mut version = "";
    for line in text.lines() {
        let mut words = text::words(line);
        let Some(first) = words.next() else { continue };
        if first == "device" {
            match parse_device(line) {
                Some((mount, statvers)) => {
                    version = statvers;
                    mounts.push(mount);
                }
                None => bad(line),
            }
            continue;
        }
        let Some(stats) = mounts.last_mut().and_then(|mount| mount.stats.as_mut()) else { continue };
        if parse_line(line, first, version, stats).is_none() {
            bad(line);
        }
    }
    mounts
}

/// `device DEVICE mounted on POINT with fstype TYPE [statvers=VERSION]`
fn parse_device(line: &str) -> Option<(Mount<'_>, &str)> {
    let words = text::first_words::<8>(line)?;
    let [_, device, mounted, on, point, with, fstype, kind] = words;
    let version = text::words(line).nth(8);
    let fits = (mounted, on, with, fstype) == ("mounted", "on", "with", "fstype")
        && (version.is_none() || kind == "nfs" || kind == "nfs4");
    let version = version.map(|word| word.strip_prefix("statvers=").unwrap_or(word));
    let mount = Mount { device, point, stats: version.map(|_| Stats::default()) };
    fits.then_some((mount, version.unwrap_or_default()))
}

fn parse_line<'t>(line: &'t str, first: &'t str, version: &str, stats: &mut Stats<'t>) -> Option<()> {
    let words = || text::words(line).skip(1);
    let numbers = || words().map(text::unsigned).collect::<Option<Vec<u64>>>();
    match first {
        "age:" => stats.age = text::float(words().next()?)?,
        "bytes:" => stats.bytes = numbers()?.try_into().ok()?,
        "events:" => stats.events = numbers()?.try_into().ok()?,
        "xprt:" => {
            let protocol = words().next()?;
            let numbers: Option<Vec<u64>> = words().skip(1).map(text::unsigned).collect();
            let mut numbers = numbers?;
            let fits = match (version, protocol, numbers.len()) {
                ("1.0", "tcp", 10) | ("1.0", "udp", 7) | ("1.1", "tcp", 13) | ("1.1", "udp", 10) => true,
                ("1.1", "rdma", count) => count >= 20,
                _ => false,
            };
            // UDP has no connections, RDMA no queues.
            match protocol {
                "udp" if fits => drop(numbers.splice(2..2, [0; 3])),
                "rdma" if fits => drop(numbers.splice(10..10, [0; 3])),
                _ => {}
            }
            return fits.then(|| stats.transports.push(Transport { protocol, numbers }));
        }
        // Lines after `per-op statistics`, with the operation's name in capitals.
        name if name.ends_with(':') && name.starts_with(|c: char| c.is_ascii_uppercase()) => {
            let numbers = numbers()?;
            stats.operations.push((name.trim_end_matches(':'), *numbers.first_chunk()?));
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_with_and_without_statistics() {
        let text = "\
device rootfs mounted on / with fstype rootfs
device 192.168.1.1:/srv mounted on /mnt with fstype nfs4 statvers=1.1
\topts:\trw,vers=4.0
\tage:\t13968
\tevents:\t52 226 0 0 1 13 398 0 0 331 0 47 0 0 77 0 0 77 0 0 0 0 0 0 0 0 0
\tbytes:\t1207640230 0 0 0 1210214218 0 295483
\txprt:\tudp 832 0 6428 6428 0 12154 0 24 26 5726
\tper-op statistics
\t        READ: 1298 1298 0 207680 1210292152 6 79386 79407
\t       WRITE: 0 0
";
        let mut bad = Vec::new();
        let mounts = parse(text, |line| bad.push(line.trim()));
        assert_eq!(bad, ["bytes:\t1207640230 0 0 0 1210214218 0 295483", "WRITE: 0 0"]);
        assert!(mounts[0].stats.is_none());
        let stats = mounts[1].stats.as_ref().unwrap();
        assert_eq!((stats.age, stats.events[0], stats.operations[0].1[7]), (13968.0, 52, 79407));
        assert_eq!(stats.transports[0].numbers, [832, 0, 0, 0, 0, 6428, 6428, 0, 12154, 0, 24, 26, 5726]);
        assert_eq!(address("1 2 0:5 / /mnt rw - nfs4 x rw,addr=192.168.1.1,port=0"), "192.168.1.1");
    }
}
