//! Zones of memory, from `/proc/zoneinfo`:
//!
//! ```text
//! Node 0, zone      DMA
//!   pages free     3952
//!         min      33
//!         protection: (0, 2877, 7826, 7826, 7826)
//!       nr_free_pages 3952
//! ```

use openmetrics::model::{Descriptor, MetricType};

use super::Spec;
use crate::families::{counter, gauge};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "zoneinfo",
    enabled: false,
    about: "zones of memory",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

/// The first words of lines and their families.
static FAMILIES: [(&str, Descriptor); 34] = [
    ("nr_free_pages", gauge("node_zoneinfo_nr_free_pages", "Free pages.")),
    ("min", gauge("node_zoneinfo_min_pages", "Free pages below which only the kernel gets more.")),
    ("low", gauge("node_zoneinfo_low_pages", "Free pages below which reclaiming begins.")),
    ("high", gauge("node_zoneinfo_high_pages", "Free pages above which reclaiming ends.")),
    ("scanned", gauge("node_zoneinfo_scanned_pages", "Pages scanned since the last reclaiming.")),
    ("spanned", gauge("node_zoneinfo_spanned_pages", "Pages that the zone spans, holes included.")),
    ("present", gauge("node_zoneinfo_present_pages", "Pages that are there.")),
    ("managed", gauge("node_zoneinfo_managed_pages", "Pages that can be allocated.")),
    ("nr_active_anon", gauge("node_zoneinfo_nr_active_anon_pages", "Anonymous pages used recently.")),
    ("nr_inactive_anon", gauge("node_zoneinfo_nr_inactive_anon_pages", "Anonymous pages not used recently.")),
    ("nr_isolated_anon", gauge("node_zoneinfo_nr_isolated_anon_pages", "Anonymous pages taken off the lists for a moment.")),
    ("nr_anon_pages", gauge("node_zoneinfo_nr_anon_pages", "Anonymous pages.")),
    ("nr_anon_transparent_hugepages", gauge("node_zoneinfo_nr_anon_transparent_hugepages", "Transparent huge pages.")),
    ("nr_active_file", gauge("node_zoneinfo_nr_active_file_pages", "Pages of files used recently.")),
    ("nr_inactive_file", gauge("node_zoneinfo_nr_inactive_file_pages", "Pages of files not used recently.")),
    ("nr_isolated_file", gauge("node_zoneinfo_nr_isolated_file_pages", "Pages of files taken off the lists for a moment.")),
    ("nr_file_pages", gauge("node_zoneinfo_nr_file_pages", "Pages of files.")),
    ("nr_slab_reclaimable", gauge("node_zoneinfo_nr_slab_reclaimable_pages", "Pages of kernel objects that can be reclaimed.")),
    ("nr_slab_unreclaimable", gauge("node_zoneinfo_nr_slab_unreclaimable_pages", "Pages of kernel objects that cannot be reclaimed.")),
    ("nr_mlock_stack", gauge("node_zoneinfo_nr_mlock_stack_pages", "Locked pages taken off the lists.")),
    ("nr_kernel_stack", gauge("node_zoneinfo_nr_kernel_stacks", "Kernel stacks.")),
    ("nr_mapped", gauge("node_zoneinfo_nr_mapped_pages", "Pages mapped into processes.")),
    ("nr_dirty", gauge("node_zoneinfo_nr_dirty_pages", "Pages that wait to be written.")),
    ("nr_writeback", gauge("node_zoneinfo_nr_writeback_pages", "Pages being written.")),
    ("nr_unevictable", gauge("node_zoneinfo_nr_unevictable_pages", "Pages that cannot be reclaimed.")),
    ("nr_shmem", gauge("node_zoneinfo_nr_shmem_pages", "Pages of shared memory.")),
    ("nr_dirtied", counter("node_zoneinfo_nr_dirtied_total", "Pages made dirty since boot.")),
    ("nr_written", counter("node_zoneinfo_nr_written_total", "Pages written since boot.")),
    ("numa_hit", counter("node_zoneinfo_numa_hit_total", "Allocations from the node that was meant.")),
    ("numa_miss", counter("node_zoneinfo_numa_miss_total", "Allocations that were meant for another node.")),
    ("numa_foreign", counter("node_zoneinfo_numa_foreign_total", "Allocations meant for this node that went to another.")),
    ("numa_interleave", counter("node_zoneinfo_numa_interleave_total", "Interleaved allocations from the node that was meant.")),
    ("numa_local", counter("node_zoneinfo_numa_local_total", "Allocations by CPUs of this node.")),
    ("numa_other", counter("node_zoneinfo_numa_other_total", "Allocations by CPUs of other nodes.")),
];

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    gather(&host.text(&host.proc("zoneinfo"))?, out);
    Ok(())
}

fn gather(text: &str, out: &mut Gathered) {
    let (mut node, mut zone) = ("", "");
    for line in text.lines() {
        if let Some((found_node, found_zone)) = parse_head(line) {
            (node, zone) = (found_node, found_zone);
            continue;
        }
        let Some([word, value]) = text::first_words(line) else { continue };
        let labels = [("node", node), ("zone", zone)];
        if word == "protection:" {
            for (i, value) in parse_protection(line).into_iter().flatten().enumerate() {
                let name = format!("node_zoneinfo_protection_{i}");
                let help = || format!("Pages kept from allocations that could use zone {i}.");
                out.named(&name, MetricType::Gauge, help, &labels, value);
            }
        } else if let Some((_, family)) = FAMILIES.iter().find(|(known, _)| *known == word) {
            // What is no number counts as zero, as node_exporter has it.
            out.point(family, &labels, text::based(value).unwrap_or(0));
        }
    }
}

/// `Node 0, zone      DMA`
fn parse_head(line: &str) -> Option<(&str, &str)> {
    let (node, zone) = line.strip_prefix("Node ")?.split_once(", zone")?;
    Some((node.trim(), zone.trim()))
}

/// `protection: (0, 2877, 7826)`
fn parse_protection(line: &str) -> Option<Vec<i64>> {
    let (_, list) = line.split_once(':')?;
    let list = list.trim().strip_prefix('(')?.strip_suffix(')')?;
    list.split(", ").map(text::signed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_of_nodes() {
        let mut out = Gathered::default();
        gather(
            "Node 0, zone      DMA\n  per-node stats\n      nr_dirtied   189097\n  pages free     3952\n        min      33\n\
             \x20       protection: (0, 2877)\nNode 1, zone   Normal\n        min      x\n        high: 4\n",
            &mut out,
        );
        assert_eq!(
            out.told(),
            [
                r#"node_zoneinfo_nr_dirtied{node="0",zone="DMA"} 189097"#,
                r#"node_zoneinfo_min_pages{node="0",zone="DMA"} 33"#,
                r#"node_zoneinfo_min_pages{node="1",zone="Normal"} 0"#,
                r#"node_zoneinfo_protection_0{node="0",zone="DMA"} 0"#,
                r#"node_zoneinfo_protection_1{node="0",zone="DMA"} 2877"#,
            ]
        );
    }
}
