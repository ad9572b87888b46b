//! Memory, from `/proc/meminfo`:
//!
//! ```text
//! MemTotal:        3742148 kB
//! Active(anon):      63856 kB
//! HugePages_Total:       0
//! ```

use openmetrics::model::Descriptor;

use super::{NodeCollector, Setup, Spec};
use crate::families::gauge;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "meminfo",
    enabled: true,
    about: "memory and swap in use, by kind",
    flags: &[],
    build: |setup| Ok(Box::new(Meminfo::new(setup))),
};

/// A field of the file and its family.
struct Field {
    key: &'static str,
    family: Descriptor,
}

const fn field(key: &'static str, name: &'static str, help: &'static str) -> Field {
    Field { key, family: gauge(name, help) }
}

static FIELDS: [Field; 51] = [
    field("Active", "node_memory_Active_bytes", "Memory used recently, reclaimed last."),
    field("Active(anon)", "node_memory_Active_anon_bytes", "Anonymous memory used recently."),
    field("Active(file)", "node_memory_Active_file_bytes", "Page cache used recently."),
    field("AnonHugePages", "node_memory_AnonHugePages_bytes", "Anonymous memory in transparent huge pages."),
    field("AnonPages", "node_memory_AnonPages_bytes", "Anonymous memory mapped into processes."),
    field("Bounce", "node_memory_Bounce_bytes", "Bounce buffers of block devices."),
    field("Buffers", "node_memory_Buffers_bytes", "Cache of raw disk blocks."),
    field("Cached", "node_memory_Cached_bytes", "Page cache, shared memory included, swap cache not."),
    field("CmaFree", "node_memory_CmaFree_bytes", "Free pages of the contiguous memory allocator."),
    field("CmaTotal", "node_memory_CmaTotal_bytes", "Pages of the contiguous memory allocator."),
    field("CommitLimit", "node_memory_CommitLimit_bytes", "What may be committed under strict overcommit."),
    field("Committed_AS", "node_memory_Committed_AS_bytes", "What processes have been promised."),
    field("DirectMap1G", "node_memory_DirectMap1G_bytes", "Memory mapped by the kernel in 1 GiB pages."),
    field("DirectMap2M", "node_memory_DirectMap2M_bytes", "Memory mapped by the kernel in 2 MiB pages."),
    field("DirectMap4k", "node_memory_DirectMap4k_bytes", "Memory mapped by the kernel in 4 KiB pages."),
    field("Dirty", "node_memory_Dirty_bytes", "Memory waiting to be written to disk."),
    field(
        "HardwareCorrupted",
        "node_memory_HardwareCorrupted_bytes",
        "Memory set aside because it is defective.",
    ),
    field("HugePages_Free", "node_memory_HugePages_Free", "Huge pages of the pool not allocated."),
    field("HugePages_Rsvd", "node_memory_HugePages_Rsvd", "Huge pages promised and not yet allocated."),
    field("HugePages_Surp", "node_memory_HugePages_Surp", "Huge pages above the size of the pool."),
    field("HugePages_Total", "node_memory_HugePages_Total", "Huge pages in the pool."),
    field("Hugepagesize", "node_memory_Hugepagesize_bytes", "Size of a huge page."),
    field("Inactive", "node_memory_Inactive_bytes", "Memory not used recently, reclaimed first."),
    field("Inactive(anon)", "node_memory_Inactive_anon_bytes", "Anonymous memory not used recently."),
    field("Inactive(file)", "node_memory_Inactive_file_bytes", "Page cache not used recently."),
    field("KernelStack", "node_memory_KernelStack_bytes", "Kernel stacks of all tasks."),
    field("Mapped", "node_memory_Mapped_bytes", "Files mapped into processes."),
    field("MemAvailable", "node_memory_MemAvailable_bytes", "What new programs can have without swapping."),
    field("MemFree", "node_memory_MemFree_bytes", "Memory not used at all."),
    field("MemTotal", "node_memory_MemTotal_bytes", "Usable memory of the machine."),
    field("Mlocked", "node_memory_Mlocked_bytes", "Memory locked with mlock."),
    field("NFS_Unstable", "node_memory_NFS_Unstable_bytes", "NFS pages sent and not yet committed."),
    field("PageTables", "node_memory_PageTables_bytes", "Page tables of user space."),
    field("Percpu", "node_memory_Percpu_bytes", "Per-CPU allocations."),
    field("SReclaimable", "node_memory_SReclaimable_bytes", "Slab memory that can be reclaimed."),
    field("SUnreclaim", "node_memory_SUnreclaim_bytes", "Slab memory that cannot be reclaimed."),
    field("Shmem", "node_memory_Shmem_bytes", "Shared memory and tmpfs."),
    field("ShmemHugePages", "node_memory_ShmemHugePages_bytes", "Shared memory in huge pages."),
    field("ShmemPmdMapped", "node_memory_ShmemPmdMapped_bytes", "Shared memory mapped with huge pages."),
    field("Slab", "node_memory_Slab_bytes", "Caches of kernel objects."),
    field("SwapCached", "node_memory_SwapCached_bytes", "Memory read back from swap that is still there too."),
    field("SwapFree", "node_memory_SwapFree_bytes", "Swap not used."),
    field("SwapTotal", "node_memory_SwapTotal_bytes", "Swap there is."),
    field("Unevictable", "node_memory_Unevictable_bytes", "Memory that cannot be reclaimed."),
    field("VmallocChunk", "node_memory_VmallocChunk_bytes", "Largest free block of the vmalloc area."),
    field("VmallocTotal", "node_memory_VmallocTotal_bytes", "Size of the vmalloc area."),
    field("VmallocUsed", "node_memory_VmallocUsed_bytes", "Used part of the vmalloc area."),
    field("Writeback", "node_memory_Writeback_bytes", "Memory being written to disk."),
    field("WritebackTmp", "node_memory_WritebackTmp_bytes", "FUSE buffers being written back."),
    field("Zswap", "node_memory_Zswap_bytes", "Memory that compressed swap takes."),
    field("Zswapped", "node_memory_Zswapped_bytes", "Memory held in compressed swap, before compression."),
];

struct Meminfo {
    file: KeptFile,
    /// In the order of `FIELDS`.
    values: Vec<Option<u64>>,
    /// Which of `FIELDS` each line had in the last reading; mostly it has the same again.
    lines: Vec<Option<usize>>,
}

impl Meminfo {
    fn new(setup: &Setup<'_>) -> Self {
        Self { file: KeptFile::single(setup.host.proc("meminfo")), values: vec![None; FIELDS.len()], lines: Vec::new() }
    }
}

impl NodeCollector for Meminfo {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.values.fill(None);
        let path = self.file.path().to_owned();
        for (at, line) in text::lines(self.file.text()?).enumerate() {
            match parse(line) {
                Some((key, value)) => {
                    let is_it = |field: &usize| FIELDS.get(*field).is_some_and(|field| field.key == key);
                    let known = self.lines.get(at).copied().flatten().filter(is_it);
                    let field = known.or_else(|| (0..FIELDS.len()).find(is_it));
                    if known.is_none() {
                        self.lines.resize(self.lines.len().max(at + 1), None);
                        self.lines.get_mut(at).into_iter().for_each(|line| *line = field);
                    }
                    if let Some(slot) = field.and_then(|field| self.values.get_mut(field)) {
                        *slot = Some(value);
                    }
                }
                None => host.note(Error::parse(&path, "a name, a number and perhaps kB", line)),
            }
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for (field, value) in FIELDS.iter().zip(&self.values) {
            if let Some(value) = value {
                out.value(&field.family, *value);
            }
        }
    }
}

/// `Name:   123 kB` or `Name:   123`, as name and bytes.
fn parse(line: &str) -> Option<(&str, u64)> {
    let mut words = text::words(line);
    let key = words.next()?.strip_suffix(':')?;
    let value = text::unsigned(words.next()?)?;
    match (words.next(), words.next()) {
        (None, None) => Some((key, value)),
        (Some("kB"), None) => Some((key, value.wrapping_mul(1024))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_a_unit() {
        assert_eq!(parse("MemTotal:        3742148 kB"), Some(("MemTotal", 3_831_959_552)));
        assert_eq!(parse("HugePages_Total:       0"), Some(("HugePages_Total", 0)));
        for bad in ["", "MemTotal:", "MemTotal: x kB", "MemTotal: 1 MB", "MemTotal: 1 kB more", "MemTotal 1 kB"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
