//! The collectors, one file each.
//!
//! # How to write one
//!
//! 1. Make `src/collectors/NAME.rs` and put `NAME` into the `collectors!` list below. That is all the wiring there
//!    is: flags, `collect[]`, `--help`, durations, deadlines and isolation follow from the list.
//! 2. The file's doc opens with what the source looks like: the lines of the file in procfs, quoted.
//! 3. `pub static SPEC: Spec` names it, says whether it is on by default, declares its flags ([`Flag`] constants,
//!    spelled as node_exporter spells them) and builds it from what was given ([`Setup`]).
//! 4. Descriptors are statics made by [`families`](crate::families): `counter("node_x_total", "...")`, names as
//!    they stand on node_exporter's page, help in our own words. Families whose names come from the host are made
//!    with [`families::named`](crate::families::named) and kept between scrapes.
//! 5. A pure parser turns text into rows; [`text`](crate::text) reads words and numbers. It is tested on literal
//!    text.
//! 6. [`NodeCollector::update`] reads, which may fail or block, and keeps rows in `self`; clear them first. It goes
//!    on past a bad line and notes it with [`Host::note`]; it returns an error when there is nothing to go on with.
//!    Files that are read on every scrape are [`KeptFile`](crate::host::KeptFile)s.
//!    Where node_exporter reports success, we do too: what it ignores in silence is not noted.
//! 7. [`NodeCollector::emit`] tells what was kept, one family after the other. It cannot fail and does not read.
//!    It also runs after an `update` that failed, so what was read before the failure is told.
//!
//! A collector that is off by default, or has little to tell, is shortest as one function with
//! [`Reader::boxed`](crate::gathered::Reader::boxed), which gathers points by family; `zfs.rs` is an example. Where every scrape of
//! every host pays for it, files are kept and rows have a shape of their own; `diskstats.rs` is an example.
//!
//! Values equal node_exporter's doubles bit for bit: same constants, same order of operations (`x * 0.001` and
//! `x / 1000.0` differ).

use crate::flags::{Flag, Options};
use crate::host::{Error, Host};
use crate::page::Page;

/// Declares the modules and the list from one line a collector.
macro_rules! collectors {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every collector, in the order of the page.
        pub static ALL: &[&Spec] = &[$(&$name::SPEC),*];
    };
}

collectors! {
    arp,
    bcache,
    bcachefs,
    bonding,
    btrfs,
    buddyinfo,
    cgroup_units,
    cgroups,
    conntrack,
    cpu,
    cpu_vulnerabilities,
    cpufreq,
    diskstats,
    dmi,
    dmmultipath,
    drbd,
    drm,
    edac,
    entropy,
    ethtool,
    fibrechannel,
    filefd,
    filesystem,
    hwmon,
    infiniband,
    interrupts,
    ipvs,
    kernel_hung,
    ksmd,
    lnstat,
    loadavg,
    logind,
    mdadm,
    meminfo,
    meminfo_numa,
    mountstats,
    netclass,
    netdev,
    netstat,
    network_route,
    nfs,
    nfsd,
    nvme,
    nvmesubsystem,
    os,
    pcidevice,
    perf,
    powersupplyclass,
    pressure,
    processes,
    qdisc,
    rapl,
    schedstat,
    selinux,
    slabinfo,
    sockstat,
    softirqs,
    softnet,
    stat,
    swap,
    sysctl,
    systemd,
    tapestats,
    tcpstat,
    textfile,
    thermal_zone,
    time,
    timex,
    udp_queues,
    uname,
    vmstat,
    watchdog,
    wifi,
    xfrm,
    xfs,
    zfs,
    zoneinfo,
}

/// What is known of a collector before it runs.
#[derive(Debug)]
pub struct Spec {
    /// The name in `--collector.NAME`, `collect[]=NAME` and the label `collector`.
    pub name: &'static str,
    /// Whether it is on unless asked otherwise.
    pub enabled: bool,
    /// What it tells, in a few words.
    pub about: &'static str,
    /// Its own flags, beyond `--collector.NAME`.
    pub flags: &'static [Flag],
    /// Makes it; an error is about the flags given and is meant for the person who gave them.
    pub build: fn(&Setup<'_>) -> Result<Box<dyn NodeCollector>, String>,
}

/// What a collector is made from.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The flags that were given.
    pub options: &'a Options,
    /// The host it will read; only its paths are of use here.
    pub host: &'a Host,
    /// The names of the collectors that are on.
    pub enabled: &'a [&'static str],
}

/// A reader of one part of the host.
///
/// It is split in two so that a reader that blocks can be given up on: nothing has been emitted by then.
pub trait NodeCollector: Send {
    /// Reads the host and keeps what it found.
    fn update(&mut self, host: &mut Host) -> Result<(), Error>;

    /// Tells what the last update kept.
    fn emit(&self, out: &mut Page<'_, '_>);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_flags_are_unique_and_sorted() {
        assert!(ALL.is_sorted_by_key(|spec| spec.name));
        let mut names = HashSet::new();
        for spec in ALL {
            assert!(names.insert(format!("collector.{}", spec.name)));
            for flag in spec.flags {
                for name in [flag.name].iter().chain(flag.formerly) {
                    assert!(name.starts_with("collector."), "{name}");
                    assert!(names.insert((*name).to_owned()), "{name} is declared twice");
                }
            }
        }
    }
}
