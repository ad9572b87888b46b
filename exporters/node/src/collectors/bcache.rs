//! bcache, from `/sys/fs/bcache/UUID/`, a number in each file, written for people (`1.5M`), in folders `bdevN` for
//! what is cached and `cacheN` for what caches; and `bdevN/writeback_rate_debug`:
//!
//! ```text
//! rate:           1.1M/sec
//! target:         20.4G
//! proportional:   -100.7M
//! ```

use std::path::Path;

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{counter, gauge};
use crate::flags::Flag;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

const PRIORITY: Flag =
    Flag::switch("collector.bcache.priorityStats", false, "Tell statistics of priorities, which are costly to read");

pub(super) static SPEC: Spec = Spec {
    name: "bcache",
    enabled: true,
    about: "bcache: hits, dirty data, writeback",
    flags: &[PRIORITY],
    build: |setup| {
        let mut bcache = Bcache { with_priority: setup.options.switch(&PRIORITY), files: KeptFiles::default() };
        Ok(Reader::boxed(move |host, out| bcache.read(host, out)))
    },
};

static SET: [(&str, Descriptor); 9] = [
    ("average_key_size", gauge("node_bcache_average_key_size_sectors", "Average data of a key, in sectors.")),
    ("btree_cache_size", gauge("node_bcache_btree_cache_size_bytes", "Memory of the cache of the tree.")),
    ("cache_available_percent", gauge("node_bcache_cache_available_percent", "Part of the cache that is not dirty.")),
    ("congested", gauge("node_bcache_congested", "How congested the cache is.")),
    ("root_usage_percent", gauge("node_bcache_root_usage_percent", "Used part of the tree's root.")),
    ("tree_depth", gauge("node_bcache_tree_depth", "Depth of the tree.")),
    ("internal/active_journal_entries", gauge("node_bcache_active_journal_entries", "Entries of the journal not in the tree.")),
    ("internal/btree_nodes", gauge("node_bcache_btree_nodes", "Nodes of the tree.")),
    ("internal/cache_read_races", counter("node_bcache_cache_read_races_total", "Reads whose data was replaced meanwhile.")),
];
static BTREE_READ: Descriptor =
    gauge("node_bcache_btree_read_average_duration_seconds", "Average time to read a node of the tree.");
static DIRTY: Descriptor = gauge("node_bcache_dirty_data_bytes", "Data that waits to be written to the disk.");
static HITS: [(&str, Descriptor); 7] = [
    ("bypassed", counter("node_bcache_bypassed_bytes_total", "Bytes that went past the cache.")),
    ("cache_hits", counter("node_bcache_cache_hits_total", "Reads and writes that the cache served.")),
    ("cache_misses", counter("node_bcache_cache_misses_total", "Reads and writes that the cache did not serve.")),
    ("cache_bypass_hits", counter("node_bcache_cache_bypass_hits_total", "Hits of what should go past the cache.")),
    ("cache_bypass_misses", counter("node_bcache_cache_bypass_misses_total", "Misses of what should go past the cache.")),
    ("cache_miss_collisions", counter("node_bcache_cache_miss_collisions_total", "Misses whose data was written meanwhile.")),
    (READAHEADS, counter("node_bcache_cache_readaheads_total", "Reads ahead.")),
];
/// Told only if there were any: newer kernels do not count them.
const READAHEADS: &str = "cache_readaheads";
/// Lines of `writeback_rate_debug`.
static WRITEBACK: [(&str, Descriptor); 5] = [
    ("target", gauge("node_bcache_dirty_target_bytes", "Dirty data that there should be.")),
    ("rate", gauge("node_bcache_writeback_rate", "Bytes written back a second.")),
    ("proportional", gauge("node_bcache_writeback_rate_proportional_term", "Proportional part of the rate.")),
    ("integral", gauge("node_bcache_writeback_rate_integral_term", "Integral part of the rate.")),
    ("change", gauge("node_bcache_writeback_change", "Last change of the rate.")),
];
static CACHE: [(&str, Descriptor); 3] = [
    ("io_errors", gauge("node_bcache_io_errors", "Errors of the cache, older ones counting less.")),
    ("metadata_written", counter("node_bcache_metadata_written_bytes_total", "Bytes written that are no data.")),
    ("written", counter("node_bcache_written_bytes_total", "Bytes of data written to the cache.")),
];
/// Lines of `priority_stats`.
static PRIORITIES: [(&str, Descriptor); 2] = [
    ("Unused", gauge("node_bcache_priority_stats_unused_percent", "Part of the cache without data.")),
    ("Metadata", gauge("node_bcache_priority_stats_metadata_percent", "Part of the cache that is no data.")),
];

struct Bcache {
    with_priority: bool,
    files: KeptFiles,
}

impl Bcache {
    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        self.files.begin();
        let all = host.sys("fs/bcache");
        for uuid in host.folders(&all).unwrap_or_default().iter().filter(|name| name.contains('-')) {
            let folder = all.join(uuid);
            let by_uuid = ("uuid", uuid.as_str());
            for (file, family) in &SET {
                self.tell(host, &folder.join(file), family, &[by_uuid], out);
            }
            if let Some(nanos) = self.value(host, &folder.join("internal/btree_read_average_duration_us")) {
                out.point(&BTREE_READ, &[by_uuid], nanos as f64 * 1e-9);
            }
            for name in host.folders(&folder).unwrap_or_default() {
                let numbered = |prefix: &str| {
                    name.strip_prefix(prefix).is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
                };
                if numbered("bdev") {
                    self.read_backing(host, &folder.join(&name), &[by_uuid, ("backing_device", &name)], out);
                } else if numbered("cache") {
                    self.read_cache(host, &folder.join(&name), &[by_uuid, ("cache_device", &name)], out);
                }
            }
        }
        Ok(())
    }

    fn read_backing(&mut self, host: &mut Host, folder: &Path, labels: &[(&'static str, &str)], out: &mut Gathered) {
        self.tell(host, &folder.join("dirty_data"), &DIRTY, labels, out);
        let path = folder.join("writeback_rate_debug");
        match self.files.line(&path) {
            Ok(text) => {
                for (key, family) in &WRITEBACK {
                    match last_word(&text, key) {
                        Some(word) => match signed(word.trim_end_matches("/sec")) {
                            Some(value) => out.point(family, labels, value),
                            None => host.note(Error::parse(&path, "a size", word)),
                        },
                        None => out.point(family, labels, 0_u64),
                    }
                }
            }
            Err(error) => host.note(error),
        }
        for (file, family) in &HITS {
            let value = self.value(host, &folder.join("stats_total").join(file));
            if let Some(value) = value.filter(|value| *file != READAHEADS || *value != 0) {
                out.point(family, labels, value);
            }
        }
    }

    fn read_cache(&mut self, host: &mut Host, folder: &Path, labels: &[(&'static str, &str)], out: &mut Gathered) {
        for (file, family) in &CACHE {
            self.tell(host, &folder.join(file), family, labels, out);
        }
        if !self.with_priority {
            return;
        }
        let path = folder.join("priority_stats");
        match self.files.line(&path) {
            Ok(text) => {
                for (key, family) in &PRIORITIES {
                    let word = last_word(&text, key).unwrap_or("0%");
                    match text::unsigned(word.trim_end_matches('%')) {
                        Some(value) => out.point(family, labels, value),
                        None => host.note(Error::parse(&path, "a percentage", word)),
                    }
                }
            }
            Err(error) => host.note(error),
        }
    }

    fn tell(
        &mut self,
        host: &mut Host,
        path: &Path,
        family: &'static Descriptor,
        labels: &[(&'static str, &str)],
        out: &mut Gathered,
    ) {
        if let Some(value) = self.value(host, path) {
            out.point(family, labels, value);
        }
    }

    /// The number in a file; zero if it is not there, nothing if it makes no sense.
    fn value(&mut self, host: &mut Host, path: &Path) -> Option<u64> {
        match self.files.line(path) {
            Ok(line) => {
                let value = size(&line);
                if value.is_none() {
                    host.note(Error::parse(path, "a number or a size", &line));
                }
                value
            }
            Err(error) if error.is_not_found() => Some(0),
            Err(error) => {
                host.note(error);
                None
            }
        }
    }
}

/// The last word of the line that begins with `key` and a colon.
fn last_word<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let line = text.lines().find(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))?;
    text::words(line).last()
}

fn signed(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => Some((size(rest)? as i64).wrapping_neg()),
        None => size(text).map(|value| value as i64),
    }
}

/// `1.5M` and the like. What follows the point is no decimal fraction: the kernel writes a number from 0 to 1023,
/// divided by 100.
fn size(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let Some(power) = "kMGTPEZY".find(unit) else { return text::float(text).map(|value| value as u64) };
    let number = text.strip_suffix(unit)?;
    let mantissa = match number.split_once('.') {
        Some((whole, part)) => text::float(whole)? + text::float(part)? / 10.24,
        None => text::float(number)?,
    };
    Some((mantissa * 1024_f64.powi(power as i32 + 1)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_the_kernel_writes_them() {
        assert_eq!([size("546"), size("2.0M"), size("1k")], [Some(546), Some(2 << 20), Some(1024)]);
        assert_eq!(size("1.1k"), Some(1124), "a tenth is 1/10.24");
        assert_eq!([size(""), size("k"), size("x")], [None; 3]);
        assert_eq!(signed("-100k"), Some(-102_400));
    }

    #[test]
    fn lines_of_writeback() {
        let text = "rate:\t\t1.1M/sec\ntarget:\t\t20.4G\nnext io:\t-30ms\n";
        assert_eq!((last_word(text, "rate"), last_word(text, "target"), last_word(text, "dirty")), (Some("1.1M/sec"), Some("20.4G"), None));
    }
}
