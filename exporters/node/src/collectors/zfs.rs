//! ZFS, from `/proc/spl/kstat/zfs/`: files of its own counters, and a folder for each pool with `io`, `state` and
//! `objset-...` for its datasets. Most have the lines
//!
//! ```text
//! name                            type data
//! hits                            4    8772612
//! ```
//!
//! of which those of type 3 (signed) and 4 (unsigned) count.

use std::path::Path;

use openmetrics::model::{Descriptor, MetricType, Number};

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "zfs",
    enabled: true,
    about: "ZFS: cache, pools, datasets",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static STATE: Descriptor = gauge("node_zfs_zpool_state", "Which state the pool is in.");
const STATES: [&str; 7] = ["online", "degraded", "faulted", "offline", "removed", "unavail", "suspended"];

/// Files and the beginning of their families' names.
const FILES: [(&str, &str); 11] = [
    ("abdstats", "zfs_abd"),
    ("arcstats", "zfs_arc"),
    ("dbufstats", "zfs_dbuf"),
    ("dmu_tx", "zfs_dmu_tx"),
    ("dnodestats", "zfs_dnode"),
    ("fm", "zfs_fm"),
    ("vdev_cache_stats", "zfs_vdev_cache"),
    ("vdev_mirror_stats", "zfs_vdev_mirror"),
    ("xuio_stats", "zfs_xuio"),
    ("zfetchstats", "zfs_zfetch"),
    ("zil", "zfs_zil"),
];

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let folder = host.proc("spl/kstat/zfs");
    let names = host.list(&folder).map_err(|error| error.or_no_data("ZFS is not loaded"))?;
    for (file, subsystem) in FILES {
        let path = folder.join(file);
        // Files came with versions.
        let Ok(text) = host.text(&path) else { continue };
        let found = read_table(host, &path, &text, |name, value| {
            let name = format!("node_{subsystem}_{}", name.replace('-', "_"));
            out.named(&name, MetricType::Unknown, || format!("Counter of ZFS in the file {file}."), &[], value);
        });
        if !found {
            host.note(Error::failed(&path, "there is no table in it"));
        }
    }
    for pool in &names {
        let folder = folder.join(pool);
        // Whatever is no pool is no folder.
        let Ok(files) = host.list(&folder) else { continue };
        for file in &files {
            let path = folder.join(file);
            let objset = file.starts_with("objset-");
            if !objset && file != "io" && file != "state" {
                continue;
            }
            // A pool that is exported takes its files away.
            let Ok(text) = host.text(&path) else { continue };
            match file.as_str() {
                "io" => read_io(host, &path, pool, &text, out),
                "state" => {
                    let current = text.lines().next().unwrap_or_default().to_lowercase();
                    for state in STATES {
                        out.point(&STATE, &[("zpool", pool), ("state", state)], current == state);
                    }
                }
                _ => read_objset(host, &path, pool, &text, out),
            }
        }
    }
    Ok(())
}

/// The lines after the names of the columns, as name, type and the rest.
fn table(text: &str) -> Option<impl Iterator<Item = (&str, &str, &str)>> {
    let mut lines = text.lines();
    lines.find(|line| text::words(line).eq(["name", "type", "data"]))?;
    Some(lines.filter_map(|line| {
        let (name, rest) = line.trim_start().split_once(char::is_whitespace)?;
        let (kind, data) = rest.trim_start().split_once(char::is_whitespace)?;
        Some((name, kind, data.trim()))
    }))
}

/// Hands on numbers; `false` if there is no table.
fn read_table(host: &mut Host, path: &Path, text: &str, mut take: impl FnMut(&str, Number)) -> bool {
    let Some(lines) = table(text) else { return false };
    for (name, kind, data) in lines {
        let word = text::words(data).next().unwrap_or_default();
        let value = match kind {
            "3" => text::signed(word).map(Number::from),
            "4" => text::unsigned(word).map(Number::from),
            _ => continue,
        };
        match value {
            Some(value) => take(name, value),
            None => host.note(Error::parse(path, "an integer", data)),
        }
    }
    true
}

/// A line of names that begins with `nread`, and one of numbers.
fn read_io(host: &mut Host, path: &Path, pool: &str, text: &str, out: &mut Gathered) {
    let mut lines = text.lines();
    let names = lines.by_ref().find(|line| {
        let mut words = text::words(line);
        words.next() == Some("nread") && words.count() >= 11
    });
    let Some(names) = names else { return };
    for line in lines {
        let mut values = text::words(line);
        for name in text::words(names) {
            match values.next().and_then(text::unsigned) {
                Some(value) => {
                    let family = format!("node_zfs_zpool_{}", name.replace('-', "_"));
                    let help = || format!("Counter {name} of the pool's IO.");
                    out.named(&family, MetricType::Unknown, help, &[("zpool", pool)], value);
                }
                None => {
                    host.note(Error::parse(path, "as many numbers as names", line));
                    break;
                }
            }
        }
    }
}

fn read_objset(host: &mut Host, path: &Path, pool: &str, text: &str, out: &mut Gathered) {
    let Some(lines) = table(text) else {
        host.note(Error::failed(path, "there is no table in it"));
        return;
    };
    let mut dataset = "";
    for (name, kind, data) in lines {
        if name == "dataset_name" {
            dataset = data;
        } else if kind == "4" {
            let Some(value) = text::words(data).next().and_then(text::unsigned) else {
                host.note(Error::parse(path, "an integer", data));
                continue;
            };
            let family = format!("node_zfs_zpool_dataset_{}", name.replace('-', "_"));
            let help = || format!("Counter {name} of the dataset.");
            out.named(&family, MetricType::Unknown, help, &[("zpool", pool), ("dataset", dataset)], value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn counters_pools_and_datasets() {
        let tree = Tree::new("zfs", &[
            ("proc/spl/kstat/zfs/arcstats", "6 1 0x01 91 4368 5266997922 97951858082072\nname type data\nhits 4 8772612\nmemory_available_bytes 3 -922337203685477580\nname_text 7 x\nbad 4 x\n"),
            ("proc/spl/kstat/zfs/tank/io", "12 3 0x00 1 80 79205351707403 395818011156865\nnread nwritten reads writes wtime wlentime wupdate rtime rlentime rupdate wcnt rcnt\n1 2 3 4 5 6 7 8 9 10 11 12\n"),
            ("proc/spl/kstat/zfs/tank/state", "DEGRADED\n"),
            ("proc/spl/kstat/zfs/tank/objset-0x1", "36 1 0x01 7 2160 1 2\nname type data\ndataset_name 7 tank/a b\nwrites 4 5\n"),
        ]);
        let (told, problems) = tree.read(read);
        assert_eq!(problems, ["proc/spl/kstat/zfs/arcstats: expected an integer, found \"x\""]);
        assert!(told.contains(&"node_zfs_arc_memory_available_bytes -922337203685477600".to_owned()), "{told:?}");
        assert!(told.contains(&r#"node_zfs_zpool_nwritten{zpool="tank"} 2"#.to_owned()));
        assert!(told.contains(&r#"node_zfs_zpool_state{zpool="tank",state="degraded"} 1"#.to_owned()));
        assert!(told.contains(&r#"node_zfs_zpool_state{zpool="tank",state="online"} 0"#.to_owned()));
        assert!(told.contains(&r#"node_zfs_zpool_dataset_writes{zpool="tank",dataset="tank/a b"} 5"#.to_owned()));
    }

    #[test]
    fn no_zfs_is_no_fault() {
        let tree = Tree::new("no-zfs", &[]);
        assert_eq!(tree.read(read).1, ["proc/spl/kstat/zfs: ZFS is not loaded"]);
    }
}
