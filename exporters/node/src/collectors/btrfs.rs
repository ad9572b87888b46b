//! Btrfs, from `/sys/fs/btrfs/UUID/`: `label`, `allocation/KIND/` with sizes by layout, `devices/`, and `commit_stats`:
//!
//! ```text
//! commits 258051
//! last_commit_ms 1000
//! ```

use std::path::Path;

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{counter, gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "btrfs",
    enabled: true,
    about: "Btrfs: space by kind and layout, commits, devices",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static FILESYSTEM: Descriptor = info("node_btrfs_info", "File systems.");
static RESERVE: Descriptor = gauge("node_btrfs_global_rsv_size_bytes", "Space kept for the file system itself.");
static COMMITS: Descriptor = counter("node_btrfs_commits_total", "Commits.");
static LAST_COMMIT: Descriptor = gauge("node_btrfs_last_commit_seconds", "Time that the last commit took.");
static MAX_COMMIT: Descriptor = gauge("node_btrfs_max_commit_seconds", "Time that the slowest commit took.");
static COMMIT_TIME: Descriptor = counter("node_btrfs_commit_seconds_total", "Time that all commits took.");
static RESERVED: Descriptor = gauge("node_btrfs_reserved_bytes", "Space reserved, by kind of data.");
static USED: Descriptor = gauge("node_btrfs_used_bytes", "Space used, by kind of data and layout.");
static SIZE: Descriptor = gauge("node_btrfs_size_bytes", "Space allocated, by kind of data and layout.");
static RATIO: Descriptor =
    gauge("node_btrfs_allocation_ratio", "Space on devices for a byte of data, by kind of data and layout.");
static DEVICE_SIZE: Descriptor = gauge("node_btrfs_device_size_bytes", "Size of the device.");

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("fs/btrfs");
    for name in host.folders(&all).unwrap_or_default() {
        // The folder has others in it.
        if name.contains('-') {
            read_filesystem(host, files, &all.join(&name), &name, out);
        }
    }
    Ok(())
}

/// The line in a file; nothing if it is not there.
fn line(host: &mut Host, files: &mut KeptFiles, path: &Path) -> String {
    match files.line(path) {
        Ok(line) => line,
        Err(error) => {
            if !error.is_not_found() {
                host.note(error);
            }
            String::new()
        }
    }
}

fn read_filesystem(host: &mut Host, files: &mut KeptFiles, folder: &Path, name: &str, out: &mut Gathered) {
    let devices = match host.list(&folder.join("devices")) {
        Ok(devices) => devices,
        Err(error) => {
            host.note(error);
            return;
        }
    };
    let label = line(host, files, &folder.join("label"));
    let uuid = line(host, files, &folder.join("metadata_uuid"));
    let by_uuid = ("uuid", if uuid.is_empty() { name } else { &uuid });
    // What is no number counts as zero, as node_exporter has it.
    let number = |host: &mut Host, files: &mut KeptFiles, path: &str| {
        text::unsigned(&line(host, files, &folder.join(path))).unwrap_or(0)
    };
    out.point(&FILESYSTEM, &[by_uuid, ("label", &label)], 1_u64);
    out.point(&RESERVE, &[by_uuid], number(host, files, "allocation/global_rsv_size"));
    let commits = parse_commits(&line(host, files, &folder.join("commit_stats")));
    match commits {
        Some([commits, last, max, total]) => {
            out.point(&COMMITS, &[by_uuid], commits);
            for (family, millis) in [(&LAST_COMMIT, last), (&MAX_COMMIT, max), (&COMMIT_TIME, total)] {
                out.point(family, &[by_uuid], millis as f64 / 1000.0);
            }
        }
        None => host.note(Error::failed(&folder.join("commit_stats"), "expected lines of a name and a number")),
    }
    for kind in ["data", "metadata", "system"] {
        let by_kind = ("block_group_type", kind);
        let path = format!("allocation/{kind}");
        out.point(&RESERVED, &[by_uuid, by_kind], number(host, files, &format!("{path}/bytes_reserved")));
        let layouts = match host.folders(&folder.join(&path)) {
            Ok(layouts) => layouts,
            Err(error) => {
                host.note(error);
                continue;
            }
        };
        for layout in layouts {
            let labels = [by_uuid, by_kind, ("mode", &*layout)];
            out.point(&USED, &labels, number(host, files, &format!("{path}/{layout}/used_bytes")));
            out.point(&SIZE, &labels, number(host, files, &format!("{path}/{layout}/total_bytes")));
            out.point(&RATIO, &labels, ratio(&layout, devices.len() as f64));
        }
    }
    for device in &devices {
        let sectors = number(host, files, &format!("devices/{device}/size"));
        out.point(&DEVICE_SIZE, &[by_uuid, ("device", device)], sectors.wrapping_mul(512));
    }
}

/// Commits, and milliseconds of the last, of the slowest and of all; zeros if the kernel does not count.
fn parse_commits(text: &str) -> Option<[u64; 4]> {
    let mut found = [0; 4];
    for line in text.lines() {
        let words: Vec<&str> = text::words(line).collect();
        let [key, value] = words.as_slice() else { return None };
        let value = text::unsigned(value)?;
        let keys = ["commits", "last_commit_ms", "max_commit_ms", "total_commit_ms"];
        if let Some((_, slot)) = keys.iter().zip(&mut found).find(|(known, _)| *known == key) {
            *slot = value;
        }
    }
    Some(found)
}

fn ratio(layout: &str, devices: f64) -> f64 {
    match layout {
        "single" | "raid0" => 1.0,
        "dup" | "raid1" | "raid10" => 2.0,
        "raid1c3" => 3.0,
        "raid1c4" => 4.0,
        "raid5" => devices / (devices - 1.0),
        "raid6" => devices / (devices - 2.0),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_and_ratios() {
        assert_eq!(parse_commits("commits 3\nlast_commit_ms 1000\nnew 1\n"), Some([3, 1000, 0, 0]));
        assert_eq!(parse_commits(""), Some([0; 4]));
        assert_eq!(parse_commits("commits\n"), None);
        assert_eq!([ratio("raid5", 4.0), ratio("raid6", 4.0), ratio("dup", 1.0)], [4.0 / 3.0, 2.0, 2.0]);
    }
}
