//! bcachefs, from `/sys/fs/bcachefs/UUID/`: `btree_cache_size`, tables such as `compression_stats`, `btree_write_stats` and
//! `errors`, a file for each counter in `counters/`, and a folder `dev-N` for each device. Sizes are for people: `4.5M`.

use std::path::Path;

use openmetrics::model::{Descriptor, MetricType};

use super::Spec;
use crate::families::{counter, gauge, info, sanitize};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "bcachefs",
    enabled: true,
    about: "bcachefs: counters, compression, devices",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static FILESYSTEM: Descriptor = info("node_bcachefs_info", "File systems.");
static BTREE_CACHE: Descriptor = gauge("node_bcachefs_btree_cache_size_bytes", "Memory of the cache of B-tree nodes.");
static COMPRESSED: Descriptor =
    gauge("node_bcachefs_compression_compressed_bytes", "Compressed data, as it is stored.");
static UNCOMPRESSED: Descriptor =
    gauge("node_bcachefs_compression_uncompressed_bytes", "Compressed data, before compression.");
static ERRORS: Descriptor = counter("node_bcachefs_errors_total", "Errors found, by kind.");
static BTREE_WRITES: Descriptor = counter("node_bcachefs_btree_writes_total", "Writes of B-tree nodes, by cause.");
static BTREE_WRITE_SIZE: Descriptor =
    gauge("node_bcachefs_btree_write_average_size_bytes", "Average size of writes of B-tree nodes, by cause.");
static DEVICE: Descriptor = info("node_bcachefs_device_info", "Devices of the file system.");
static BUCKET_SIZE: Descriptor = gauge("node_bcachefs_device_bucket_size_bytes", "Size of a bucket of the device.");
static BUCKETS: Descriptor = gauge("node_bcachefs_device_buckets", "Buckets of the device.");
static DURABILITY: Descriptor = gauge("node_bcachefs_device_durability", "How many copies one on this device counts for.");
static IO_DONE: Descriptor =
    counter("node_bcachefs_device_io_done_bytes_total", "Bytes read and written, by kind of data.");
static IO_ERRORS: Descriptor = counter("node_bcachefs_device_io_errors_total", "Errors of the device, by kind.");

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    const ABSENT: &str = "there are no bcachefs file systems";
    let all = host.sys("fs/bcachefs");
    let names = host.folders(&all).map_err(|error| error.or_no_data(ABSENT))?;
    if names.is_empty() {
        return Err(Error::no_data(ABSENT));
    }
    for uuid in names {
        read_filesystem(host, &all.join(&uuid), &uuid, out);
    }
    Ok(())
}

/// The text of a file that need not be there.
fn optional(host: &mut Host, path: &Path) -> Option<String> {
    match host.text(path) {
        Ok(text) => Some(text),
        Err(error) => {
            if !error.is_not_found() {
                host.note(error);
            }
            None
        }
    }
}

/// Hands on name and values of each row after the headlines; rows with fewer values are passed over.
fn table(
    host: &mut Host,
    path: &Path,
    headlines: usize,
    fewest: usize,
    mut take: impl FnMut(&str, &[&str]) -> Option<()>,
) {
    let text = optional(host, path).unwrap_or_default();
    for line in text.lines().skip(headlines) {
        let words: Vec<&str> = text::words(line).collect();
        let Some((name, values)) = words.split_first().filter(|(_, values)| values.len() >= fewest) else {
            continue;
        };
        if take(name.trim_end_matches(':'), values).is_none() {
            host.note(Error::parse(path, "a name and numbers", line));
        }
    }
}

fn read_filesystem(host: &mut Host, folder: &Path, uuid: &str, out: &mut Gathered) {
    let by_uuid = ("uuid", uuid);
    out.point(&FILESYSTEM, &[by_uuid], 1_u64);
    let path = folder.join("btree_cache_size");
    let size = optional(host, &path);
    match size.as_deref().map(|size| (size, bytes(size))) {
        Some((size, None)) if !size.trim().is_empty() => host.note(Error::parse(&path, "a size", size)),
        size => out.point(&BTREE_CACHE, &[by_uuid], size.and_then(|(_, size)| size).unwrap_or(0)),
    }
    table(host, &folder.join("compression_stats"), 1, 2, |algorithm, values| {
        let [compressed, uncompressed, ..] = values else { return Some(()) };
        let labels = [by_uuid, ("algorithm", algorithm)];
        let (compressed, uncompressed) = (bytes(compressed)?, bytes(uncompressed)?);
        out.point(&COMPRESSED, &labels, compressed);
        out.point(&UNCOMPRESSED, &labels, uncompressed);
        Some(())
    });
    table(host, &folder.join("errors"), 0, 1, |kind, values| {
        out.point(&ERRORS, &[by_uuid, ("error_type", kind)], text::unsigned(values.first()?)?);
        Some(())
    });
    table(host, &folder.join("btree_write_stats"), 1, 2, |kind, values| {
        let [count, size, ..] = values else { return Some(()) };
        let labels = [by_uuid, ("type", kind)];
        let (count, size) = (text::unsigned(count)?, bytes(size)?);
        out.point(&BTREE_WRITES, &labels, count);
        out.point(&BTREE_WRITE_SIZE, &labels, size);
        Some(())
    });
    let counters = folder.join("counters");
    for name in host.list(&counters).unwrap_or_default() {
        let path = counters.join(&name);
        if path.is_dir() {
            continue;
        }
        let value = match host.text(&path) {
            Ok(text) => parse_counter(&text).ok_or_else(|| Error::parse(&path, "since filesystem creation: and a size", &text)),
            // A file that is named and not there stands for nothing, as the others of this file system do.
            Err(error) if error.is_not_found() => Ok(0),
            Err(error) => Err(error),
        };
        match value {
            Ok(value) => {
                let family = format!("node_bcachefs_{}_total", sanitize(&name));
                let help = || format!("Counter {name} since the file system was made.");
                out.named(&family, MetricType::Counter, help, &[by_uuid], value);
            }
            Err(error) => host.note(error),
        }
    }
    for name in host.folders(folder).unwrap_or_default() {
        if let Some(device) = name.strip_prefix("dev-") {
            read_device(host, &folder.join(&name), [by_uuid, ("device", device)], out);
        }
    }
}

fn read_device(host: &mut Host, folder: &Path, labels: [(&'static str, &str); 2], out: &mut Gathered) {
    let [uuid, device] = labels;
    let label = host.line(&folder.join("label")).unwrap_or_default();
    let state = host.line(&folder.join("state")).unwrap_or_default();
    out.point(&DEVICE, &[uuid, device, ("label", &label), ("state", &state)], 1_u64);
    let size = host.line(&folder.join("bucket_size")).unwrap_or_default();
    match bytes(&size) {
        None if !size.is_empty() => host.note(Error::parse(&folder.join("bucket_size"), "a size", &size)),
        size => out.point(&BUCKET_SIZE, &labels, size.unwrap_or(0)),
    }
    for (file, family) in [("nbuckets", &BUCKETS), ("durability", &DURABILITY)] {
        match host.unsigned(&folder.join(file)) {
            Ok(value) => out.point(family, &labels, value),
            Err(error) if error.is_not_found() => out.point(family, &labels, 0_u64),
            Err(error) => host.note(error),
        }
    }
    let path = folder.join("io_done");
    let text = optional(host, &path).unwrap_or_default();
    for (operation, kind, value) in io_done(&text) {
        match value {
            Some(value) => {
                out.point(&IO_DONE, &[uuid, device, ("operation", operation), ("data_type", kind)], value);
            }
            None => host.note(Error::parse(&path, "a number", kind)),
        }
    }
    let path = folder.join("io_errors");
    let text = optional(host, &path).unwrap_or_default();
    for (kind, value) in io_errors(&text) {
        match value {
            Some(value) => out.point(&IO_ERRORS, &[uuid, device, ("type", kind)], value),
            None => host.note(Error::parse(&path, "a number", kind)),
        }
    }
}

/// `4.5M` and the like, in steps of 1024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let power = "kmgtpe".find(unit.to_ascii_lowercase());
    let number = if power.is_some() { text.strip_suffix(unit)? } else { text };
    let factor = 1024_f64.powi(power.map_or(0, |power| power as i32 + 1));
    Some((text::float(number.trim())? * factor) as u64)
}

/// The number after `since filesystem creation:`; zero if there is only that since the mount.
fn parse_counter(text: &str) -> Option<u64> {
    let (mut since_creation, mut since_mount) = (None, None);
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("since filesystem creation:") {
            since_creation = Some(bytes(value)?);
        } else if let Some(value) = line.strip_prefix("since mount:") {
            since_mount = Some(bytes(value)?);
        }
    }
    since_creation.or(since_mount.map(|_| 0))
}

/// Lines `kind : number` under `read:` and `write:`.
fn io_done(text: &str) -> impl Iterator<Item = (&str, &str, Option<u64>)> {
    let mut operation = None;
    text.lines().map(str::trim).filter_map(move |line| {
        if line == "read:" || line == "write:" {
            operation = line.strip_suffix(':');
            return None;
        }
        let (kind, value) = line.split_once(':')?;
        Some((operation?, kind.trim(), text::unsigned(value.trim())))
    })
}

/// Lines `kind: number` under the headline about the time since the file system was made.
fn io_errors(text: &str) -> impl Iterator<Item = (&str, Option<u64>)> {
    let lines = text.lines().skip_while(|line| !line.starts_with("IO errors since filesystem creation")).skip(1);
    lines
        .take_while(|line| !line.starts_with("IO errors since "))
        .filter_map(|line| line.split_once(':'))
        .map(|(kind, value)| (kind.trim(), text::unsigned(value.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        assert_eq!(["720", "1.5k", "2M\n", "0"].map(bytes), [Some(720), Some(1536), Some(2 << 20), Some(0)]);
        assert_eq!(["", "M", "x"].map(bytes), [None; 3]);
    }

    #[test]
    fn counters_and_tables() {
        assert_eq!(parse_counter("since mount: 1\nsince filesystem creation: 2k\n"), Some(2048));
        assert_eq!(parse_counter("nothing"), None);
        let done: Vec<_> = io_done("read:\n  sb : 5\nwrite:\n  btree: x\n").collect();
        assert_eq!(done, [("read", "sb", Some(5)), ("write", "btree", None)]);
        let errors = "IO errors since filesystem creation\n  read:    1\n  write: 2\nIO errors since 3 y ago\n  read: 9\n";
        assert_eq!(io_errors(errors).collect::<Vec<_>>(), [("read", Some(1)), ("write", Some(2))]);
    }
}
