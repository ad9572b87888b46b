//! Merging of equal pages, from `/sys/kernel/mm/ksm/`, a number in each file.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{counter, gauge};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};

pub(super) static SPEC: Spec = Spec {
    name: "ksmd",
    enabled: false,
    about: "merging of equal pages of memory",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static FILES: [(&str, Descriptor); 10] = [
    ("full_scans", counter("node_ksmd_full_scans_total", "How often all memory was scanned.")),
    ("general_profit", gauge("node_ksmd_general_profit_bytes", "Bytes saved by merging, its cost taken off.")),
    ("merge_across_nodes", gauge("node_ksmd_merge_across_nodes", "Whether pages of different NUMA nodes are merged.")),
    ("pages_shared", gauge("node_ksmd_pages_shared", "Pages that stand for merged ones.")),
    ("pages_sharing", gauge("node_ksmd_pages_sharing", "Pages saved by merging.")),
    ("pages_to_scan", gauge("node_ksmd_pages_to_scan", "Pages scanned before each sleep.")),
    ("pages_unshared", gauge("node_ksmd_pages_unshared", "Pages checked that no other is equal to.")),
    ("pages_volatile", gauge("node_ksmd_pages_volatile", "Pages that change too fast to be merged.")),
    ("run", gauge("node_ksmd_run", "Whether merging runs: 0 stopped, 1 runs, 2 undoes.")),
    ("sleep_millisecs", gauge("node_ksmd_sleep_seconds", "Time slept between scans.")),
];

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let folder = host.sys("kernel/mm/ksm");
    for (file, family) in &FILES {
        match host.unsigned(&folder.join(file)) {
            Ok(value) if *file == "sleep_millisecs" => out.point(family, &[], value as f64 / 1000.0),
            Ok(value) => out.point(family, &[], value),
            Err(error) if error.is_not_found() => {} // not all kernels have all files
            Err(error) => host.note(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn files_that_are_there() {
        let tree = Tree::new("ksmd", &[("sys/kernel/mm/ksm/sleep_millisecs", "20\n"), ("sys/kernel/mm/ksm/run", "x")]);
        let (told, problems) = tree.read(read);
        assert_eq!(told, ["node_ksmd_sleep_seconds 0.02"]);
        assert_eq!(problems, ["sys/kernel/mm/ksm/run: expected an unsigned integer, found \"x\""]);
    }
}
