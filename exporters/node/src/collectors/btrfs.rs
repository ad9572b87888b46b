//! Btrfs, from `/sys/fs/btrfs/UUID/`: `label`, `allocation/KIND/` with sizes by layout, `devices/`, and `commit_stats`:
//!
//! ```text
//! commits 258051
//! last_commit_ms 1000
//! ```
//!
//! What is free on each device and how often it failed is told by ioctls to a mount point, where we may open one.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use openmetrics::model::Descriptor;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Spec, filesystem};
use crate::families::{counter, gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFile, KeptFiles};
use crate::kernel::{self, BtrfsQuestion};
use crate::netlink::{text as text_of, u64_at};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "btrfs",
    enabled: true,
    about: "Btrfs: space by kind and layout, commits, devices",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        let mut mounts: Option<KeptFile> = None;
        Ok(Reader::boxed(move |host, out| {
            let mounts = mounts.get_or_insert_with(|| KeptFile::new(host.proc("self/mountinfo")));
            read(host, &mut files, mounts, out)
        }))
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
static DEVICE_UNUSED: Descriptor =
    gauge("node_btrfs_device_unused_bytes", "What of the device is not allocated to anything.");
static DEVICE_ERRORS: Descriptor = counter("node_btrfs_device_errors_total", "Faults of the device, by kind.");
const ERRORS: [&str; 5] = ["write", "read", "flush", "corruption", "generation"];

/// What a device tells by ioctl.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Device {
    name: String,
    uuid: String,
    size: u64,
    used: u64,
    /// In the order of [`ERRORS`].
    errors: [u64; 5],
}

/// Devices by the file system's UUID, without dashes.
type Devices = HashMap<String, Vec<Device>>;

fn read(
    host: &mut Host,
    files: &mut KeptFiles,
    mounts: &mut KeptFile,
    out: &mut Gathered,
) -> Result<(), Error> {
    files.begin();
    let all = host.sys("fs/btrfs");
    let mut names = host.folders(&all).unwrap_or_default();
    names.retain(|name| name.contains('-')); // the folder has others in it
    if names.is_empty() {
        return Ok(());
    }
    let devices = ask_mounts(host, mounts);
    for name in names {
        read_filesystem(host, files, &all.join(&name), &name, &devices, out);
    }
    Ok(())
}

/// Asks the first mount point of each file system that lets us.
fn ask_mounts(host: &Host, mounts: &mut KeptFile) -> Devices {
    let mut found = Devices::new();
    let mut asked: Vec<&[u8]> = Vec::new();
    for line in mounts.bytes().unwrap_or_default().split(|b| *b == b'\n') {
        let Some(mount) = filesystem::parse(line).filter(|mount| mount.fs_type == b"btrfs") else { continue };
        if asked.contains(&mount.source) {
            continue;
        }
        let point = host.rootfs(Path::new(OsStr::from_bytes(&mount.mount_point)));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // What cannot be asked here is perhaps mounted elsewhere, too; and sysfs tells sizes as well.
        if let Ok(folder) = rustix::fs::open(&point, flags, Mode::empty())
            && let Ok((id, devices)) = ask(&folder)
        {
            asked.push(mount.source);
            found.entry(id).or_insert(devices);
        }
    }
    found
}

/// The file system's UUID and its devices.
fn ask(folder: &OwnedFd) -> io::Result<(String, Vec<Device>)> {
    const MOST_DEVICES: u64 = 4096;
    let mut about = [0; 1024]; // struct btrfs_ioctl_fs_info_args: highest number, devices, UUID
    kernel::btrfs(folder, BtrfsQuestion::FileSystem, &mut about)?;
    let (highest, count) = (u64_at(&about, 0).unwrap_or_default(), u64_at(&about, 8).unwrap_or_default());
    let id = hex(about.get(16..32).unwrap_or_default());
    let mut devices = Vec::new();
    // Numbers begin anywhere and have gaps.
    for number in 0..=highest.min(MOST_DEVICES) {
        let mut about = [0; 4096]; // struct btrfs_ioctl_dev_info_args: number, UUID, used, size, ..., path
        about.iter_mut().zip(number.to_ne_bytes()).for_each(|(slot, byte)| *slot = byte);
        match kernel::btrfs(folder, BtrfsQuestion::Device, &mut about) {
            Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => continue,
            other => other?,
        }
        let mut errors = [0; 1032]; // struct btrfs_ioctl_get_dev_stats: number, how many values, flags, values
        let head = [number, ERRORS.len() as u64].map(u64::to_ne_bytes).concat();
        errors.iter_mut().zip(head).for_each(|(slot, byte)| *slot = byte);
        kernel::btrfs(folder, BtrfsQuestion::Errors, &mut errors)?;
        devices.push(parse_device(&about, &errors));
        if devices.len() as u64 == count {
            break;
        }
    }
    Ok((id, devices))
}

fn parse_device(about: &[u8], errors: &[u8]) -> Device {
    let path = text_of(about.get(3072..).unwrap_or_default());
    Device {
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        uuid: hex(about.get(8..24).unwrap_or_default()),
        used: u64_at(about, 24).unwrap_or_default(),
        size: u64_at(about, 32).unwrap_or_default(),
        errors: [24, 32, 40, 48, 56].map(|at| u64_at(errors, at).unwrap_or_default()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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

fn read_filesystem(
    host: &mut Host,
    files: &mut KeptFiles,
    folder: &Path,
    name: &str,
    asked: &Devices,
    out: &mut Gathered,
) {
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
    if let Some(devices) = asked.get(&by_uuid.1.replace('-', "")) {
        for device in devices {
            let by_device = [by_uuid, ("device", device.name.as_str()), ("btrfs_dev_uuid", device.uuid.as_str())];
            out.point(&DEVICE_SIZE, &by_device, device.size);
            out.point(&DEVICE_UNUSED, &by_device, device.size.wrapping_sub(device.used));
            for (kind, errors) in ERRORS.iter().zip(device.errors) {
                let [uuid, name, id] = by_device;
                out.point(&DEVICE_ERRORS, &[uuid, ("type", kind), name, id], errors);
            }
        }
        return;
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
    fn what_a_device_tells() {
        let mut about = vec![0; 4096];
        about[8..24].copy_from_slice(&[0xab; 16]);
        about[24..32].copy_from_slice(&7_u64.to_ne_bytes());
        about[32..40].copy_from_slice(&9_u64.to_ne_bytes());
        about[3072..3080].copy_from_slice(b"/dev/sda");
        let errors = [1_u64, 5, 0, 10, 20, 30, 40, 50].map(u64::to_ne_bytes).concat();
        let expected = Device {
            name: "sda".into(),
            uuid: "ab".repeat(16),
            size: 9,
            used: 7,
            errors: [10, 20, 30, 40, 50],
        };
        assert_eq!(parse_device(&about, &errors), expected);
        assert_eq!(parse_device(&[], &[]), Device::default());
    }

    #[test]
    fn commits_and_ratios() {
        assert_eq!(parse_commits("commits 3\nlast_commit_ms 1000\nnew 1\n"), Some([3, 1000, 0, 0]));
        assert_eq!(parse_commits(""), Some([0; 4]));
        assert_eq!(parse_commits("commits\n"), None);
        assert_eq!([ratio("raid5", 4.0), ratio("raid6", 4.0), ratio("dup", 1.0)], [4.0 / 3.0, 2.0, 2.0]);
    }
}
