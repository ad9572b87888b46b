//! XFS, from `/sys/fs/xfs/DEVICE/stats/stats`:
//!
//! ```text
//! extent_alloc 1 872 0 0
//! abt 0 0 0 0
//! rw 28 0
//! ```

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::counter;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "xfs",
    enabled: true,
    about: "XFS: extents, inodes, folders, trees",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

/// The first word of a line, a place among its numbers, and the family of that. What is not there counts as zero.
static FAMILIES: [(&str, usize, Descriptor); 39] = [
    ("extent_alloc", 0, counter("node_xfs_extent_allocation_extents_allocated_total", "Extents allocated.")),
    ("extent_alloc", 1, counter("node_xfs_extent_allocation_blocks_allocated_total", "Blocks allocated.")),
    ("extent_alloc", 2, counter("node_xfs_extent_allocation_extents_freed_total", "Extents freed.")),
    ("extent_alloc", 3, counter("node_xfs_extent_allocation_blocks_freed_total", "Blocks freed.")),
    ("abt", 0, counter("node_xfs_allocation_btree_lookups_total", "Look-ups in the tree of free space.")),
    ("abt", 1, counter("node_xfs_allocation_btree_compares_total", "Comparisons in the tree of free space.")),
    ("abt", 2, counter("node_xfs_allocation_btree_records_inserted_total", "Records put into the tree of free space.")),
    ("abt", 3, counter("node_xfs_allocation_btree_records_deleted_total", "Records taken out of the tree of free space.")),
    ("blk_map", 0, counter("node_xfs_block_mapping_reads_total", "Mappings of blocks for reading.")),
    ("blk_map", 1, counter("node_xfs_block_mapping_writes_total", "Mappings of blocks for writing.")),
    ("blk_map", 2, counter("node_xfs_block_mapping_unmaps_total", "Mappings of blocks taken away.")),
    ("blk_map", 3, counter("node_xfs_block_mapping_extent_list_insertions_total", "Extents put into lists.")),
    ("blk_map", 4, counter("node_xfs_block_mapping_extent_list_deletions_total", "Extents taken out of lists.")),
    ("blk_map", 5, counter("node_xfs_block_mapping_extent_list_lookups_total", "Look-ups of extents in lists.")),
    ("blk_map", 6, counter("node_xfs_block_mapping_extent_list_compares_total", "Comparisons of extents in lists.")),
    ("bmbt", 0, counter("node_xfs_block_map_btree_lookups_total", "Look-ups in trees of mappings.")),
    ("bmbt", 1, counter("node_xfs_block_map_btree_compares_total", "Comparisons in trees of mappings.")),
    ("bmbt", 2, counter("node_xfs_block_map_btree_records_inserted_total", "Records put into trees of mappings.")),
    ("bmbt", 3, counter("node_xfs_block_map_btree_records_deleted_total", "Records taken out of trees of mappings.")),
    ("dir", 0, counter("node_xfs_directory_operation_lookup_total", "Names looked up in folders.")),
    ("dir", 1, counter("node_xfs_directory_operation_create_total", "Names added to folders.")),
    ("dir", 2, counter("node_xfs_directory_operation_remove_total", "Names removed from folders.")),
    ("dir", 3, counter("node_xfs_directory_operation_getdents_total", "Folders listed.")),
    ("ig", 0, counter("node_xfs_inode_operation_attempts_total", "Inodes looked for in the cache.")),
    ("ig", 1, counter("node_xfs_inode_operation_found_total", "Inodes found in the cache.")),
    ("ig", 2, counter("node_xfs_inode_operation_recycled_total", "Inodes found in the cache while they were given back.")),
    ("ig", 3, counter("node_xfs_inode_operation_missed_total", "Inodes not found in the cache.")),
    ("ig", 4, counter("node_xfs_inode_operation_duplicates_total", "Inodes that somebody else had put into the cache meanwhile.")),
    ("ig", 5, counter("node_xfs_inode_operation_reclaims_total", "Inodes taken out of the cache.")),
    ("ig", 6, counter("node_xfs_inode_operation_attribute_changes_total", "Changes of attributes of inodes.")),
    ("rw", 1, counter("node_xfs_read_calls_total", "Reads of files.")),
    ("rw", 0, counter("node_xfs_write_calls_total", "Writes of files.")),
    ("vnodes", 0, counter("node_xfs_vnode_active_total", "Inodes of the kernel in use.")),
    ("vnodes", 1, counter("node_xfs_vnode_allocate_total", "Inodes of the kernel allocated.")),
    ("vnodes", 2, counter("node_xfs_vnode_get_total", "Inodes of the kernel asked for.")),
    ("vnodes", 3, counter("node_xfs_vnode_hold_total", "Inodes of the kernel held.")),
    ("vnodes", 4, counter("node_xfs_vnode_release_total", "Inodes of the kernel let go.")),
    ("vnodes", 5, counter("node_xfs_vnode_reclaim_total", "Inodes of the kernel taken back.")),
    ("vnodes", 6, counter("node_xfs_vnode_remove_total", "Inodes of the kernel removed.")),
];

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("fs/xfs");
    for device in host.list(&all).unwrap_or_default() {
        let path = all.join(&device).join("stats/stats");
        let text = match files.line(&path) {
            Ok(text) => text,
            Err(error) => {
                // There are folders that are no devices.
                if !error.is_not_found() && !error.is_errno(rustix::io::Errno::NOTDIR) {
                    host.note(error);
                }
                continue;
            }
        };
        let lines = parse(&text, |line| host.note(Error::parse(&path, "a name and numbers", line)));
        for (word, place, family) in &FAMILIES {
            let numbers = lines.iter().rev().find(|(known, _)| known == word).map(|(_, numbers)| numbers);
            let value = numbers.and_then(|numbers| numbers.get(*place)).copied().unwrap_or_default();
            out.point(family, &[("device", &device)], value);
        }
    }
    Ok(())
}

/// The numbers of lines by their first words.
fn parse<'t>(text: &'t str, mut bad: impl FnMut(&'t str)) -> Vec<(&'t str, Vec<u64>)> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut words = text::words(line);
        let Some(name) = words.next().filter(|name| FAMILIES.iter().any(|(known, _, _)| known == name)) else {
            continue;
        };
        match words.map(text::unsigned).collect() {
            Some(numbers) => lines.push((name, numbers)),
            None => bad(line),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn lines_of_a_device() {
        let tree = Tree::new("xfs", &[("sys/fs/xfs/sda1/stats/stats", "extent_alloc 1 872 0 0\nrw 28 3\nabt x\nqm 0\n")]);
        let mut files = KeptFiles::default();
        let (told, problems) = tree.read(|host, out| read(host, &mut files, out));
        assert_eq!(problems.len(), 1);
        for line in [
            r#"node_xfs_extent_allocation_blocks_allocated{device="sda1"} 872"#,
            r#"node_xfs_read_calls{device="sda1"} 3"#,
            r#"node_xfs_write_calls{device="sda1"} 28"#,
            r#"node_xfs_vnode_active{device="sda1"} 0"#,
        ] {
            assert!(told.iter().any(|told| told == line), "{line}");
        }
    }
}
