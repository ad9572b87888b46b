//! Disks, from `/proc/diskstats`:
//!
//! ```text
//! 8 0 sda 25354637 34367663 1003346126 18492372 28444756 11134226 505697032 63877960 0 9653880 82621804
//! ```
//!
//! which is major and minor number, name, and then up to 17 counts (see `COLUMNS`); sectors have 512 bytes whatever
//! the disk says. What kind of disk it is comes from udev's data, `b8:0` in its folder, of which the lines
//! `E:KEY=value` count.

use std::collections::HashMap;
use std::path::PathBuf;

use openmetrics::model::{Descriptor, Labels, Number};

use super::{NodeCollector, Setup, Spec};
use crate::families::{INFO, counter, gauge, info};
use crate::flags::{Filter, Flag};
use crate::host::{Error, Host, KeptFile, Stamp};
use crate::page::Page;
use crate::text;

const EXCLUDE: Flag = Flag::text(
    "collector.diskstats.device-exclude",
    r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$",
    "Regular expression of disks to leave out",
)
.formerly(&["collector.diskstats.ignored-devices"]);
const INCLUDE: Flag =
    Flag::text("collector.diskstats.device-include", "", "Regular expression of disks to tell, and no others");

pub(super) static SPEC: Spec = Spec {
    name: "diskstats",
    enabled: true,
    about: "reads, writes and time spent by disk; kinds of disk",
    flags: &[EXCLUDE, INCLUDE],
    build: |setup| Ok(Box::new(Diskstats::new(setup)?)),
};

/// How a column becomes a value.
#[derive(Clone, Copy)]
enum Scale {
    Plain,
    /// Sectors of 512 bytes.
    Sectors,
    Milliseconds,
}

impl Scale {
    fn apply(self, column: u64) -> Number {
        match self {
            Self::Plain => column.into(),
            Self::Sectors => (column as f64 * 512.0).into(),
            Self::Milliseconds => (column as f64 * (1.0 / 1000.0)).into(),
        }
    }
}

/// The columns after the name; kernels before 4.18 have 11 of them, before 5.5 15.
static COLUMNS: [(Scale, Descriptor); 17] = {
    use Scale::{Milliseconds, Plain, Sectors};
    [
        (Plain, counter("node_disk_reads_completed_total", "Reads completed.")),
        (Plain, counter("node_disk_reads_merged_total", "Reads that were merged into others.")),
        (Sectors, counter("node_disk_read_bytes_total", "Bytes read.")),
        (Milliseconds, counter("node_disk_read_time_seconds_total", "Time spent by all reads.")),
        (Plain, counter("node_disk_writes_completed_total", "Writes completed.")),
        (Plain, counter("node_disk_writes_merged_total", "Writes that were merged into others.")),
        (Sectors, counter("node_disk_written_bytes_total", "Bytes written.")),
        (Milliseconds, counter("node_disk_write_time_seconds_total", "Time spent by all writes.")),
        (Plain, gauge("node_disk_io_now", "Requests in flight.")),
        (Milliseconds, counter("node_disk_io_time_seconds_total", "Time in which the disk was busy.")),
        (
            Milliseconds,
            counter("node_disk_io_time_weighted_seconds_total", "Time busy, times the requests in flight."),
        ),
        (Plain, counter("node_disk_discards_completed_total", "Discards completed.")),
        (Plain, counter("node_disk_discards_merged_total", "Discards that were merged into others.")),
        (Plain, counter("node_disk_discarded_sectors_total", "Sectors discarded.")),
        (Milliseconds, counter("node_disk_discard_time_seconds_total", "Time spent by all discards.")),
        (Plain, counter("node_disk_flush_requests_total", "Flushes completed.")),
        (Milliseconds, counter("node_disk_flush_requests_time_seconds_total", "Time spent by all flushes.")),
    ]
};
/// How many words a line has to have: numbers, name and the eleven oldest columns.
const FEWEST_WORDS: usize = 14;

static DISK: Descriptor = info("node_disk_info", "What kind of disk it is.");
static FILESYSTEM: Descriptor = info("node_disk_filesystem_info", "The file system that udev found on a disk.");
static DEVICE_MAPPER: Descriptor =
    info("node_disk_device_mapper_info", "Which logical volume a device mapper disk is.");
static ATA: [(&str, Descriptor); 3] = [
    ("ID_ATA_WRITE_CACHE", gauge("node_disk_ata_write_cache", "Whether the disk has a write cache.")),
    (
        "ID_ATA_WRITE_CACHE_ENABLED",
        gauge("node_disk_ata_write_cache_enabled", "Whether the write cache of the disk is on."),
    ),
    (
        "ID_ATA_ROTATION_RATE_RPM",
        gauge("node_disk_ata_rotation_rate_rpm", "Turns a minute; 0 for a disk without moving parts."),
    ),
];

struct Diskstats {
    file: KeptFile,
    filter: Filter,
    disks: Vec<Disk>,
    known: HashMap<String, Known>,
    udev: PathBuf,
}

/// A line of the file.
#[derive(Debug, PartialEq)]
struct Disk {
    major: u32,
    minor: u32,
    name: String,
    columns: Vec<u64>,
}

/// What is kept of a disk between scrapes, because it hardly ever changes.
struct Known {
    numbers: (u32, u32),
    stamp: Option<Stamp>,
    udev: HashMap<String, String>,
    rotational: KeptFile,
    rotates: bool,
    seen: bool,
}

impl Known {
    fn property(&self, key: &str) -> &str {
        self.udev.get(key).map_or("", String::as_str)
    }

    /// The first of these properties that is there.
    fn first_property(&self, keys: &[&str]) -> &str {
        keys.iter().map(|key| self.property(key)).find(|value| !value.is_empty()).unwrap_or_default()
    }
}

impl Diskstats {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self {
            file: KeptFile::of_records(setup.host.proc("diskstats"), 512),
            filter: Filter::new(setup.options, &EXCLUDE, &INCLUDE)?,
            disks: Vec::new(),
            known: HashMap::new(),
            udev: setup.host.udev(""),
        })
    }

    /// Reads what is known of the disks anew where it changed, and forgets disks that are gone.
    fn update_known(&mut self, host: &mut Host) {
        for known in self.known.values_mut() {
            known.seen = false;
        }
        for disk in &self.disks {
            let numbers = (disk.major, disk.minor);
            let known = match self.known.get_mut(&disk.name) {
                Some(known) if known.numbers == numbers => known,
                _ => {
                    let rotational = host.sys("block").join(&disk.name).join("queue/rotational");
                    let known = Known {
                        numbers,
                        stamp: None,
                        udev: HashMap::new(),
                        rotational: KeptFile::new(rotational),
                        rotates: false,
                        seen: false,
                    };
                    self.known.entry(disk.name.clone()).insert_entry(known).into_mut()
                }
            };
            known.seen = true;
            // Partitions and the like have no queue of their own.
            known.rotates = known.rotational.unsigned().is_ok_and(|rotates| rotates == 1);
            let path = self.udev.join(format!("b{}:{}", disk.major, disk.minor));
            let stamp = Stamp::of(&path).ok();
            if stamp != known.stamp {
                known.udev = host.text(&path).map(|text| parse_udev(&text)).unwrap_or_default();
                known.stamp = stamp;
            }
        }
        self.known.retain(|_, known| known.seen);
    }
}

impl NodeCollector for Diskstats {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.disks.clear();
        let path = self.file.path().to_owned();
        for line in self.file.text()?.lines() {
            if text::words(line).count() < FEWEST_WORDS {
                continue; // a partition of a very old kernel
            }
            match parse(line) {
                Some(disk) if self.filter.keeps(&disk.name) => self.disks.push(disk),
                Some(_) => {}
                None => host.note(Error::parse(&path, "two numbers, a name and counts", line)),
            }
        }
        self.update_known(host);
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let known = || self.disks.iter().filter_map(|disk| Some((disk, self.known.get(&disk.name)?)));
        let mut family = out.family(&DISK);
        for (disk, known) in known() {
            let labels = [
                ("device", disk.name.as_str()),
                ("major", &disk.major.to_string()),
                ("minor", &disk.minor.to_string()),
                ("path", known.property("ID_PATH")),
                ("wwn", known.property("ID_WWN")),
                ("model", known.property("ID_MODEL")),
                // What is printed on the disk, or else the next best.
                ("serial", known.first_property(&["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"])),
                ("revision", known.property("ID_REVISION")),
                ("rotational", if known.rotates { "1" } else { "0" }),
            ];
            family.point(Labels::new(&labels), INFO);
        }
        for (i, (scale, family)) in COLUMNS.iter().enumerate() {
            let mut family = out.family(family);
            for disk in &self.disks {
                if let Some(column) = disk.columns.get(i) {
                    family.point(Labels::new(&[("device", &disk.name)]), scale.apply(*column));
                }
            }
        }
        let mut family = out.family(&FILESYSTEM);
        for (disk, known) in known().filter(|(_, known)| !known.property("ID_FS_TYPE").is_empty()) {
            let labels = [
                ("device", disk.name.as_str()),
                ("type", known.property("ID_FS_TYPE")),
                ("usage", known.property("ID_FS_USAGE")),
                ("uuid", known.property("ID_FS_UUID")),
                ("version", known.property("ID_FS_VERSION")),
            ];
            family.point(Labels::new(&labels), INFO);
        }
        let mut family = out.family(&DEVICE_MAPPER);
        for (disk, known) in known().filter(|(_, known)| !known.property("DM_NAME").is_empty()) {
            let labels = [
                ("device", disk.name.as_str()),
                ("name", known.property("DM_NAME")),
                ("uuid", known.property("DM_UUID")),
                ("vg_name", known.property("DM_VG_NAME")),
                ("lv_name", known.property("DM_LV_NAME")),
                ("lv_layer", known.property("DM_LV_LAYER")),
            ];
            family.point(Labels::new(&labels), INFO);
        }
        for (property, family) in &ATA {
            let mut family = out.family(family);
            for (disk, known) in known().filter(|(_, known)| !known.property("ID_ATA").is_empty()) {
                if let Some(value) = text::number(known.property(property)) {
                    family.point(Labels::new(&[("device", &disk.name)]), value);
                }
            }
        }
    }
}

/// A line with all the columns that there are, up to the first that is no number.
fn parse(line: &str) -> Option<Disk> {
    let mut words = text::words(line);
    let major = words.next()?.parse().ok()?;
    let minor = words.next()?.parse().ok()?;
    let name = words.next()?.to_owned();
    let columns: Option<Vec<u64>> = words.take(COLUMNS.len()).map(text::unsigned).collect();
    Some(Disk { major, minor, name, columns: columns? })
}

/// The properties in a file of udev's: lines `E:KEY=value` among others.
fn parse_udev(text: &str) -> HashMap<String, String> {
    let properties = text.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
    properties.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_old_and_new_kernels() {
        let disk = parse("   8       0 sda 1 2 3 4 5 6 7 8 9 10 11").unwrap();
        assert_eq!((disk.major, disk.minor, disk.name.as_str(), disk.columns.len()), (8, 0, "sda", 11));
        let disk = parse("259 0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18").unwrap();
        assert_eq!(disk.columns.last(), Some(&17), "columns to come are left out");
        assert_eq!(parse("8 0 sda 1 x"), None);
        assert_eq!(parse("8 0"), None);
    }

    #[test]
    fn values_are_the_doubles_that_the_peer_tells() {
        assert_eq!(Scale::Milliseconds.apply(52), Number::Float(0.052_000_000_000_000_005));
        assert_eq!(Scale::Sectors.apply(3), Number::Float(1536.0));
    }

    #[test]
    fn properties_of_udev() {
        let found = parse_udev("S:disk/by-id/x\nE:ID_MODEL=A=B\nE:ID_EMPTY=\nE:BROKEN\n");
        assert_eq!(found.get("ID_MODEL").map(String::as_str), Some("A=B"));
        assert_eq!(found.len(), 2);
    }
}
