//! Events that CPUs and the kernel count (`perf_event_open`), for all processes, by CPU. An event that is not there is
//! not told.
//!
//! Each one is a file that is kept open and read as `value, time enabled, time running`. Which CPUs there are is read
//! from `/sys/devices/system/cpu/online`, what tracepoints are called from `/sys/kernel/tracing/events`.

use std::os::fd::OwnedFd;

use openmetrics::model::{Descriptor, MetricType};

use super::{Setup, Spec};
use crate::families::counter;
use crate::flags::{Flag, Options};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::kernel;
use crate::netlink::u64_at;
use crate::text;

const CPUS: Flag = Flag::text("collector.perf.cpus", "", "CPUs to count on, such as 0-5,8 or 0-10:5; all if empty");
const TRACEPOINT: Flag = Flag::texts("collector.perf.tracepoint", "Tracepoint to count, such as sched:sched_switch");
const NO_HARDWARE: Flag =
    Flag::switch("collector.perf.disable-hardware-profilers", false, "Leave out what CPUs count");
const HARDWARE: Flag =
    Flag::texts("collector.perf.hardware-profilers", "What CPUs count to tell, such as CpuCycles; all if not given");
const NO_SOFTWARE: Flag =
    Flag::switch("collector.perf.disable-software-profilers", false, "Leave out what the kernel counts");
const SOFTWARE: Flag =
    Flag::texts("collector.perf.software-profilers", "What the kernel counts to tell, such as PageFault");
const NO_CACHE: Flag =
    Flag::switch("collector.perf.disable-cache-profilers", false, "Leave out what caches count");
const CACHE: Flag =
    Flag::texts("collector.perf.cache-profilers", "What caches count to tell, such as L1DataReadHit");

pub(super) static SPEC: Spec = Spec {
    name: "perf",
    enabled: false,
    about: "cycles, cache misses, page faults, tracepoints by CPU",
    flags: &[CPUS, TRACEPOINT, NO_HARDWARE, HARDWARE, NO_SOFTWARE, SOFTWARE, NO_CACHE, CACHE],
    build: |setup| {
        let mut perf = Perf::new(setup)?;
        Ok(Reader::boxed(move |host, out| perf.read(host, out)))
    },
};

const KIND_HARDWARE: u32 = 0;
const KIND_SOFTWARE: u32 = 1;
const KIND_TRACEPOINT: u32 = 2;
const KIND_CACHE: u32 = 3;

/// The name in flags, the kernel's number, and the family.
type Event = (&'static str, u64, Descriptor);

static HARDWARE_EVENTS: [Event; 9] = [
    ("CpuCycles", 0, counter("node_perf_cpucycles_total", "Cycles, as many as the frequency gives.")),
    ("CpuInstr", 1, counter("node_perf_instructions_total", "Instructions.")),
    ("CacheRef", 2, counter("node_perf_cache_refs_total", "Look-ups in the last cache.")),
    ("CacheMisses", 3, counter("node_perf_cache_misses_total", "Look-ups in the last cache that failed.")),
    ("BranchInstr", 4, counter("node_perf_branch_instructions_total", "Branches.")),
    ("BranchMisses", 5, counter("node_perf_branch_misses_total", "Branches foretold wrongly.")),
    (
        "StalledCyclesFrontend",
        7,
        counter("node_perf_stalled_cycles_frontend_total", "Cycles waited for instructions."),
    ),
    ("StalledCyclesBackend", 8, counter("node_perf_stalled_cycles_backend_total", "Cycles waited for results.")),
    ("RefCpuCycles", 9, counter("node_perf_ref_cpucycles_total", "Cycles at the nominal frequency.")),
];

static SOFTWARE_EVENTS: [Event; 5] = [
    ("PageFault", 2, counter("node_perf_page_faults_total", "Page faults.")),
    ("ContextSwitch", 3, counter("node_perf_context_switches_total", "Switches from task to task.")),
    ("CpuMigration", 4, counter("node_perf_cpu_migrations_total", "Tasks that moved to another CPU.")),
    ("MinorFault", 5, counter("node_perf_minor_faults_total", "Page faults that needed no disk.")),
    ("MajorFault", 6, counter("node_perf_major_faults_total", "Page faults that needed a disk.")),
];

/// Which cache, what is done, and how it ended.
const fn cache(which: u64, write: bool, miss: bool) -> u64 {
    which | (write as u64) << 8 | (miss as u64) << 16
}
const L1_DATA: u64 = 0;
const L1_INSTRUCTIONS: u64 = 1;
const LAST_LEVEL: u64 = 2;
const TLB_DATA: u64 = 3;
const TLB_INSTRUCTIONS: u64 = 4;
const BRANCHES: u64 = 5;

static CACHE_EVENTS: [Event; 16] = [
    (
        "L1DataReadHit",
        cache(L1_DATA, false, false),
        counter("node_perf_cache_l1d_read_hits_total", "Reads of the L1 data cache."),
    ),
    (
        "L1DataReadMiss",
        cache(L1_DATA, false, true),
        counter("node_perf_cache_l1d_read_misses_total", "Reads of the L1 data cache that failed."),
    ),
    (
        "L1DataWriteHit",
        cache(L1_DATA, true, false),
        counter("node_perf_cache_l1d_write_hits_total", "Writes to the L1 data cache."),
    ),
    (
        "L1InstrReadMiss",
        cache(L1_INSTRUCTIONS, false, true),
        counter("node_perf_cache_l1_instr_read_misses_total", "Reads of the L1 instruction cache that failed."),
    ),
    (
        "InstrTLBReadHit",
        cache(TLB_INSTRUCTIONS, false, false),
        counter("node_perf_cache_tlb_instr_read_hits_total", "Look-ups of instructions' addresses."),
    ),
    (
        "InstrTLBReadMiss",
        cache(TLB_INSTRUCTIONS, false, true),
        counter("node_perf_cache_tlb_instr_read_misses_total", "Look-ups of instructions' addresses that failed."),
    ),
    (
        "DataTLBReadHit",
        cache(TLB_DATA, false, false),
        counter("node_perf_cache_tlb_data_read_hits_total", "Look-ups of addresses to read."),
    ),
    (
        "DataTLBReadMiss",
        cache(TLB_DATA, false, true),
        counter("node_perf_cache_tlb_data_read_misses_total", "Look-ups of addresses to read that failed."),
    ),
    (
        "DataTLBWriteHit",
        cache(TLB_DATA, true, false),
        counter("node_perf_cache_tlb_data_write_hits_total", "Look-ups of addresses to write."),
    ),
    (
        "DataTLBWriteMiss",
        cache(TLB_DATA, true, true),
        counter("node_perf_cache_tlb_data_write_misses_total", "Look-ups of addresses to write that failed."),
    ),
    (
        "LLReadHit",
        cache(LAST_LEVEL, false, false),
        counter("node_perf_cache_ll_read_hits_total", "Reads of the last cache."),
    ),
    (
        "LLReadMiss",
        cache(LAST_LEVEL, false, true),
        counter("node_perf_cache_ll_read_misses_total", "Reads of the last cache that failed."),
    ),
    (
        "LLWriteHit",
        cache(LAST_LEVEL, true, false),
        counter("node_perf_cache_ll_write_hits_total", "Writes to the last cache."),
    ),
    (
        "LLWriteMiss",
        cache(LAST_LEVEL, true, true),
        counter("node_perf_cache_ll_write_misses_total", "Writes to the last cache that failed."),
    ),
    (
        "BPUReadHit",
        cache(BRANCHES, false, false),
        counter("node_perf_cache_bpu_read_hits_total", "Look-ups of where a branch goes."),
    ),
    (
        "BPUReadMiss",
        cache(BRANCHES, false, true),
        counter("node_perf_cache_bpu_read_misses_total", "Look-ups of where a branch goes that failed."),
    ),
];

/// What is counted, and under which name it is told.
#[derive(Clone)]
enum Counted {
    Known(&'static Descriptor),
    /// Subsystem and event.
    Tracepoint(String, String),
}

struct Perf {
    cpus: Option<Vec<u64>>,
    wanted: Vec<(u32, u64, &'static Descriptor)>,
    tracepoints: Vec<(String, String)>,
    /// Opened at the first reading and kept: what is counted begins there.
    counters: Option<Vec<(String, Counted, OwnedFd)>>,
}

impl Perf {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let options = setup.options;
        let mut wanted = Vec::new();
        let groups: [(&Flag, &Flag, u32, &'static [Event]); 3] = [
            (&NO_HARDWARE, &HARDWARE, KIND_HARDWARE, &HARDWARE_EVENTS),
            (&NO_SOFTWARE, &SOFTWARE, KIND_SOFTWARE, &SOFTWARE_EVENTS),
            (&NO_CACHE, &CACHE, KIND_CACHE, &CACHE_EVENTS),
        ];
        for (off, names, kind, events) in groups {
            if !options.switch(off) {
                wanted.extend(chosen(options, names, events)?.map(|(_, config, family)| (kind, *config, family)));
            }
        }
        let tracepoints = options.texts(&TRACEPOINT).iter().map(|name| {
            let found = name.split_once(':').filter(|(a, b)| is_word(a) && is_word(b));
            found.map(|(subsystem, event)| (subsystem.to_owned(), event.to_owned())).ok_or_else(|| {
                format!("--{}={name}: expected a subsystem and an event, such as sched:sched_switch", TRACEPOINT.name)
            })
        });
        let list = options.text(&CPUS);
        let cpus = match list {
            "" => None,
            list => Some(parse_cpus(list).ok_or_else(|| {
                format!("--{}={list}: expected CPUs such as 0-5,8 or 0-10:5", CPUS.name)
            })?),
        };
        Ok(Self { cpus, wanted, tracepoints: tracepoints.collect::<Result<_, _>>()?, counters: None })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        if self.counters.is_none() {
            self.counters = Some(self.open(host)?);
        }
        for (cpu, counted, file) in self.counters.iter().flatten() {
            let mut answer = [0; 24];
            match rustix::io::read(file, &mut answer) {
                Ok(read) if read >= 8 => {}
                Ok(_) => continue, // the CPU has gone
                Err(errno) => {
                    host.note(Error::other(format!("CPU {cpu}: {errno}")));
                    continue;
                }
            }
            let (value, labels) = (u64_at(&answer, 0).unwrap_or_default(), [("cpu", cpu.as_str())]);
            match counted {
                Counted::Known(family) => out.point(family, &labels, value),
                Counted::Tracepoint(subsystem, event) => out.named(
                    &format!("node_perf_{subsystem}_{event}"),
                    MetricType::Counter,
                    || format!("How often the tracepoint {subsystem}:{event} was passed."),
                    &labels,
                    value,
                ),
            }
        }
        Ok(())
    }

    /// Opens all that there is; an error if there is nothing at all.
    fn open(&self, host: &mut Host) -> Result<Vec<(String, Counted, OwnedFd)>, Error> {
        let online = host.sys("devices/system/cpu/online");
        let cpus = match &self.cpus {
            Some(cpus) => cpus.clone(),
            None => {
                let list = host.line(&online)?;
                text::ranges(&list).ok_or_else(|| Error::parse(&online, "a list of CPUs", &list))?
            }
        };
        let mut wanted: Vec<(u32, u64, Counted)> =
            self.wanted.iter().map(|(kind, config, family)| (*kind, *config, Counted::Known(family))).collect();
        for (subsystem, event) in &self.tracepoints {
            let place = |root: &str| format!("kernel/{root}/events/{subsystem}/{event}/id");
            let id = host.unsigned(&host.sys(place("tracing"))).or_else(|first| {
                host.unsigned(&host.sys(place("debug/tracing"))).map_err(|_| first)
            });
            match id {
                Ok(id) => {
                    wanted.push((KIND_TRACEPOINT, id, Counted::Tracepoint(subsystem.clone(), event.clone())));
                }
                Err(error) => host.note(error),
            }
        }
        let (mut open, mut refused) = (Vec::new(), None);
        for (kind, config, counted) in &wanted {
            for cpu in &cpus {
                match kernel::count_event(*kind, *config, u32::try_from(*cpu).unwrap_or(u32::MAX)) {
                    Ok(file) => open.push((cpu.to_string(), counted.clone(), file)),
                    Err(error) => refused = Some(error),
                }
            }
        }
        match refused {
            Some(error) if open.is_empty() => Err(Error::no_data(format!(
                "no event can be counted: {error}; kernel.perf_event_paranoid has to be 0 or less, or CAP_PERFMON given"
            ))),
            _ => Ok(open),
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The events that a flag names; all if it was not given.
fn chosen<'e>(
    options: &Options,
    flag: &Flag,
    events: &'static [Event],
) -> Result<impl Iterator<Item = &'static Event> + use<'e>, String> {
    let names = options.texts(flag).to_vec();
    if let Some(unknown) = names.iter().find(|name| !events.iter().any(|(known, ..)| known == name)) {
        let known: Vec<&str> = events.iter().map(|(name, ..)| *name).collect();
        return Err(format!("--{}={unknown}: expected one of {}", flag.name, known.join(", ")));
    }
    Ok(events.iter().filter(move |(name, ..)| names.is_empty() || names.iter().any(|wanted| wanted == name)))
}

/// `0-5,8`, or `0-10:5` for 0, 5 and 10; at most as many as any machine has.
fn parse_cpus(list: &str) -> Option<Vec<u64>> {
    const MOST: u64 = 1 << 16;
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (range, stride) = match part.split_once(':') {
            Some((range, stride)) => (range, text::unsigned(stride).filter(|stride| *stride > 0)?),
            None => (part, 1),
        };
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to) = (text::unsigned(from)?, text::unsigned(to).filter(|to| *to < MOST)?);
        cpus.extend((from..=to).step_by(usize::try_from(stride).ok()?));
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn cpus_as_flags_have_them() {
        assert_eq!(parse_cpus("0-2,8"), Some(vec![0, 1, 2, 8]));
        assert_eq!(parse_cpus("1-10:5"), Some(vec![1, 6]));
        assert_eq!(parse_cpus("5-3"), Some(vec![]));
        assert_eq!(["", "a", "1-", "1-99999999", "1-2:0"].map(parse_cpus), [const { None }; 5]);
    }

    fn new(options: &[(&Flag, &str)]) -> Result<Perf, String> {
        let tree = Tree::new("perf-flags", &[]);
        let mut given = Options::default();
        for (flag, value) in options {
            given.set(flag.name, vec![(*value).to_owned()]);
        }
        Perf::new(&Setup { options: &given, host: &tree.host(), enabled: &[] })
    }

    #[test]
    fn events_by_name() {
        assert_eq!(new(&[]).unwrap().wanted.len(), 30);
        let some = new(&[(&NO_HARDWARE, "true"), (&NO_CACHE, "true"), (&SOFTWARE, "MajorFault")]).unwrap();
        assert_eq!(some.wanted.iter().map(|(kind, config, _)| (*kind, *config)).collect::<Vec<_>>(), [(1, 6)]);
        let error = new(&[(&SOFTWARE, "Faults")]).err().unwrap();
        assert!(error.starts_with("--collector.perf.software-profilers=Faults: expected one of PageFault, "), "{error}");
        for bad in ["sched", "a:", "a:b/../c"] {
            assert!(new(&[(&TRACEPOINT, bad)]).err().unwrap().contains("such as sched:sched_switch"), "{bad}");
        }
    }

    #[test]
    fn the_kernel_counts() {
        let mut perf = new(&[(&NO_HARDWARE, "true"), (&NO_CACHE, "true")]).unwrap();
        let tree = Tree::new("perf", &[("sys/devices/system/cpu/online", "0\n")]);
        let (told, problems) = tree.read(|host, out| perf.read(host, out));
        match problems.as_slice() {
            [] => assert!(told.iter().any(|line| line.starts_with("node_perf_page_faults{cpu=\"0\"} ")), "{told:?}"),
            [one] => {
                assert!(one.starts_with("no event can be counted: "), "{one}");
                println!("note: {one}");
            }
            more => panic!("{more:?}"),
        }
    }
}
