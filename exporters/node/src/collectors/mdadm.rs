//! Software RAID, from `/proc/mdstat`:
//!
//! ```text
//! Personalities : [raid1] [raid6]
//! md6 : active raid1 sdb2[2](F) sdc[1](S) sda2[0]
//!       195310144 blocks [2/1] [U_]
//!       [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec
//! ```
//!
//! and, for the disks that are missing, from `/sys/block/mdN/md/{level,raid_disks,degraded}`.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "mdadm",
    enabled: true,
    about: "software RAID: states, disks, synchronisation",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static STATE: Descriptor = gauge("node_md_state", "Which state the array is in.");
static DISKS: Descriptor = gauge("node_md_disks", "Disks of the array by their state.");
static REQUIRED: Descriptor = gauge("node_md_disks_required", "Disks that the array should have.");
static BLOCKS: Descriptor = gauge("node_md_blocks", "Blocks of the array.");
static SYNCED: Descriptor = gauge("node_md_blocks_synced", "Blocks of the array that are synchronised.");
static RAID_DISKS: Descriptor = gauge("node_md_raid_disks", "Disks that the array is made for.");
static DEGRADED: Descriptor = gauge("node_md_degraded", "Disks that are missing from the array.");

/// The values of the label `state`, and what an array in it is said to be.
const STATES: [(&str, &str); 5] = [
    ("active", "active"),
    ("inactive", "inactive"),
    ("recovering", "recovering"),
    ("resync", "resyncing"),
    ("check", "checking"),
];

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("mdstat");
    let text = host.text(&path).map_err(|error| error.or_no_data("there is no software RAID"))?;
    for array in parse(&text, |line| host.note(Error::parse(&path, "an array and its state", line))) {
        let device = ("device", array.name);
        out.point(&REQUIRED, &[device], array.total);
        for (state, disks) in [("active", array.active), ("failed", array.failed), ("spare", array.spare)] {
            out.point(&DISKS, &[device, ("state", state)], disks);
        }
        for (label, state) in STATES {
            out.point(&STATE, &[device, ("state", label)], array.state == state);
        }
        out.point(&BLOCKS, &[device], array.blocks);
        out.point(&SYNCED, &[device], array.synced);
    }
    read_sysfs(host, out);
    Ok(())
}

fn read_sysfs(host: &mut Host, out: &mut Gathered) {
    let block = host.sys("block");
    for name in host.list(&block).unwrap_or_default() {
        let folder = block.join(&name).join("md");
        if !name.starts_with("md") || !folder.is_dir() {
            continue;
        }
        let level = match host.line(&folder.join("level")) {
            Ok(level) => level,
            Err(error) => {
                host.note(error);
                continue;
            }
        };
        // Containers of other arrays have no disks of their own.
        if !["", "container", "imsm", "ddf"].contains(&level.as_str()) {
            match host.line(&folder.join("raid_disks")) {
                // `11 (10)` while the array is made larger.
                Ok(disks) => {
                    if let Some(disks) = text::words(&disks).next().and_then(text::unsigned) {
                        out.point(&RAID_DISKS, &[("device", &name)], disks);
                    }
                }
                Err(error) => host.note(error),
            }
        }
        let degraded = if ["raid1", "raid4", "raid5", "raid6", "raid10"].contains(&level.as_str()) {
            host.unsigned(&folder.join("degraded"))
        } else {
            Ok(0)
        };
        match degraded {
            Ok(degraded) => out.point(&DEGRADED, &[("device", &name)], degraded),
            Err(error) => host.note(error),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Array<'t> {
    name: &'t str,
    state: &'t str,
    active: u64,
    total: u64,
    failed: u64,
    spare: u64,
    blocks: u64,
    synced: u64,
}

/// The arrays in mdstat; lines of arrays that cannot be understood are handed on.
fn parse<'t>(text: &'t str, mut bad: impl FnMut(&'t str)) -> Vec<Array<'t>> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut arrays = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let skipped = ["Personalities :", "unused", " "].iter().any(|begin| line.starts_with(begin));
        if skipped || line.trim().is_empty() {
            continue;
        }
        let next = lines.get(i + 1..).unwrap_or_default();
        match parse_array(line, next) {
            Some(array) => arrays.push(array),
            None => bad(line),
        }
    }
    arrays
}

fn parse_array<'t>(line: &'t str, next: &[&'t str]) -> Option<Array<'t>> {
    let [name, _, state] = text::first_words(line)?;
    let [status, second, third, ..] = next else { return None };
    let blocks = text::words(status).next().and_then(text::unsigned)?;
    let count = |mark: &str| line.matches(mark).count() as u64;
    let (active, total) = if line.contains("raid0") || line.contains("linear") {
        (count("["), count("["))
    } else if line.contains("inactive") {
        (0, 0)
    } else {
        disks(status)?
    };
    let sync = if second.contains("bitmap") { third } else { second };
    let action = [("recovery", "recovering"), ("reshape", "reshaping"), ("check", "checking"), ("resync", "resyncing")];
    let action = action.iter().find(|(word, _)| sync.contains(word));
    let synced = match action {
        None => blocks,
        Some(_) if sync.contains("PENDING") || sync.contains("DELAYED") => 0,
        Some(_) => progress(sync)?,
    };
    let state = action.map_or(state, |(_, state)| state);
    Some(Array { name, state, active, total, failed: count("(F)"), spare: count("(S)"), blocks, synced })
}

/// `[4/3] [U_UU]`: how many disks there should be and how many there are; the first number is told second.
fn disks(status: &str) -> Option<(u64, u64)> {
    let words: Vec<&str> = text::words(status).collect();
    words.windows(2).rev().find_map(|pair| {
        let [counts, marks] = pair else { return None };
        let (total, active) = counts.strip_prefix('[')?.strip_suffix(']')?.split_once('/')?;
        let marks = marks.strip_prefix('[')?.strip_suffix(']')?;
        let good = !marks.is_empty() && marks.chars().all(|c| matches!(c, 'U' | '_'));
        Some((text::unsigned(active)?, text::unsigned(total)?)).filter(|_| good)
    })
}

/// `(16775552/195310144) finish=17.0min speed=259783K/sec`: the blocks done.
fn progress(line: &str) -> Option<u64> {
    let (done, all) = line.split_once('(')?.1.split_once(')')?.0.split_once('/')?;
    text::unsigned(all)?;
    text::unsigned(done).filter(|_| line.contains("finish=") && line.contains("speed="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_in_all_states() {
        let text = "\
Personalities : [linear] [raid0] [raid1]

md6 : active raid1 sdb2[2](F) sdc[1](S) sda2[0]
      195310144 blocks [2/1] [U_]
      [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec

md9 : active raid1 sdc2[2] sdd2[3]
      523968 blocks super 1.2 [2/2] [UU]
      bitmap: 0/30 pages [0KB], 65536KB chunk
      resync=DELAYED

md10 : active raid0 sda1[0] sdb1[1]
      314159265 blocks 64k chunks

md219 : inactive sdb[2](S) sdc[1](S)
        7932 blocks super external:imsm

md11 : active raid1 sdb2[0]
      oops

unused devices: <none>
";
        let mut bad = Vec::new();
        let arrays = parse(text, |line| bad.push(line));
        assert_eq!(bad, ["md11 : active raid1 sdb2[0]"]);
        let array = |name, state, (active, total), (failed, spare), (blocks, synced)| Array {
            name, state, active, total, failed, spare, blocks, synced,
        };
        assert_eq!(
            arrays,
            [
                array("md6", "recovering", (1, 2), (1, 1), (195_310_144, 16_775_552)),
                array("md9", "resyncing", (2, 2), (0, 0), (523_968, 0)),
                array("md10", "active", (2, 2), (0, 0), (314_159_265, 314_159_265)),
                array("md219", "inactive", (0, 0), (0, 2), (7932, 7932)),
            ]
        );
        assert!(parse("md1 : active raid1 sda[0]", |_| ()).is_empty(), "a cut file");
    }
}
