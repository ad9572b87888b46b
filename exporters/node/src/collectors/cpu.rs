//! CPU time by mode, from `/proc/stat`, in ticks of 10 ms:
//!
//! ```text
//! cpu0 44490 19 21045 1087069 220 1 3410 2 0 0
//! ```
//!
//! the columns being user, nice, system, idle, iowait, irq, softirq, steal, guest and guest_nice; older kernels have
//! fewer. Throttling, isolation and being online come from `/sys/devices/system/cpu`, and, if asked for, what kind of
//! CPU it is from `/proc/cpuinfo`.

use std::path::{Path, PathBuf};

use openmetrics::model::{Descriptor, Labels};
use regex_lite::Regex;

use super::{NodeCollector, Setup, Spec};
use crate::families::{INFO, counter, gauge, info};
use crate::flags::Flag;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

const GUEST: Flag = Flag::switch("collector.cpu.guest", true, "Tell the time spent in guests");
const CPU_INFO: Flag = Flag::switch("collector.cpu.info", false, "Tell what kind of CPU each one is");
const FLAGS_INCLUDE: Flag = Flag::text(
    "collector.cpu.info.flags-include",
    "",
    "Regular expression of the CPU flags to tell; sets --collector.cpu.info",
);
const BUGS_INCLUDE: Flag = Flag::text(
    "collector.cpu.info.bugs-include",
    "",
    "Regular expression of the CPU bugs to tell; sets --collector.cpu.info",
);

pub(super) static SPEC: Spec = Spec {
    name: "cpu",
    enabled: true,
    about: "CPU time by mode, throttling, kinds of CPU",
    flags: &[GUEST, CPU_INFO, FLAGS_INCLUDE, BUGS_INCLUDE],
    build: |setup| Ok(Box::new(Cpu::new(setup)?)),
};

static SECONDS: Descriptor = counter("node_cpu_seconds_total", "Time that CPUs spent in each mode.");
static GUEST_SECONDS: Descriptor =
    counter("node_cpu_guest_seconds_total", "Time that CPUs spent in guests, which is also part of user and nice.");
static CORE_THROTTLES: Descriptor =
    counter("node_cpu_core_throttles_total", "How often a core was slowed down because it was too hot.");
static PACKAGE_THROTTLES: Descriptor =
    counter("node_cpu_package_throttles_total", "How often a package was slowed down because it was too hot.");
static ISOLATED: Descriptor = gauge("node_cpu_isolated", "CPUs kept out of scheduling, by isolcpus.");
static ONLINE: Descriptor = gauge("node_cpu_online", "Whether a CPU is in use.");
static KIND: Descriptor = info("node_cpu_info", "What /proc/cpuinfo says of each CPU.");
static FREQUENCY: Descriptor = gauge("node_cpu_frequency_hertz", "Frequency that /proc/cpuinfo tells.");
static FLAG: Descriptor = info("node_cpu_flag_info", "Features of the first CPU.");
static BUG: Descriptor = info("node_cpu_bug_info", "Known faults of the first CPU.");

/// Modes of `node_cpu_seconds_total`, in the order of the columns; two columns for guests follow.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
const IDLE: usize = 3;
const COLUMNS: usize = 10;
/// The kernel's unit of these columns on every architecture that counts (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;
/// A counter of idle time that falls by this much has started anew; by less, it only wavers.
const RESTART_SECONDS: f64 = 3.0;

struct Cpu {
    times: Vec<Times>,
    with_guest: bool,
    details: Option<Details>,
    folder: PathBuf,
    isolated_file: KeptFile,
    isolated: Vec<u64>,
    cpus: Vec<Sysfs>,
    throttles: Throttles,
}

/// The time of one CPU, as told last.
#[derive(Debug, Clone, PartialEq)]
struct Times {
    cpu: i64,
    label: String,
    seconds: [f64; COLUMNS],
    /// Whether the last reading had this CPU.
    seen: bool,
}

impl Cpu {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let flags = setup.options.regex(&FLAGS_INCLUDE)?;
        let bugs = setup.options.regex(&BUGS_INCLUDE)?;
        let wanted = setup.options.switch(&CPU_INFO) || flags.is_some() || bugs.is_some();
        let folder = setup.host.sys("devices/system/cpu");
        Ok(Self {
            times: Vec::new(),
            with_guest: setup.options.switch(&GUEST),
            details: wanted.then(|| Details {
                file: KeptFile::new(setup.host.proc("cpuinfo")),
                with_frequency: setup.enabled.contains(&"cpufreq"),
                flags,
                bugs,
                cpus: Vec::new(),
            }),
            isolated_file: KeptFile::new(folder.join("isolated")),
            folder,
            isolated: Vec::new(),
            cpus: Vec::new(),
            throttles: Throttles::default(),
        })
    }

    fn update_times(&mut self, host: &mut Host) -> Result<(), Error> {
        host.stat(|host, path, text| {
            for times in &mut self.times {
                times.seen = false;
            }
            for line in text.lines().filter(|line| line.starts_with("cpu")) {
                match parse_times(line) {
                    Some(Line::Cpu(cpu, read)) => merge(&mut self.times, cpu, &read),
                    Some(Line::All) => {}
                    None => host.note(Error::parse(path, "cpuN and its times", line)),
                }
            }
            self.times.retain(|times| times.seen);
        })
    }

    fn update_sysfs(&mut self, host: &mut Host) -> Result<(), Error> {
        self.isolated.clear();
        let path = self.isolated_file.path().to_owned();
        if let Ok(text) = self.isolated_file.text() {
            // (Not all kernels have the file.)
            self.isolated = text::ranges(text).ok_or_else(|| Error::parse(&path, "a list of CPUs", text))?;
        }
        let names = host.list(&self.folder).unwrap_or_default();
        let names: Vec<&str> = names.iter().filter_map(|name| number_of(name)).collect();
        if !self.cpus.iter().map(|cpu| cpu.number.as_str()).eq(names.iter().copied()) {
            self.cpus = names.iter().map(|number| Sysfs::new(&self.folder, number)).collect();
        }
        self.throttles.update(&mut self.cpus);
        for (i, cpu) in self.cpus.iter_mut().enumerate() {
            let online = cpu.files.online.text().map(|text| text.trim() == "1");
            // Where the first CPU cannot be taken offline, none can, or the kernel does not tell.
            if i == 0 && online.as_ref().is_err_and(Error::is_not_found) {
                break;
            }
            cpu.online = Some(online.unwrap_or(false));
        }
        Ok(())
    }
}

/// The number in `cpu0` and the like.
fn number_of(name: &str) -> Option<&str> {
    name.strip_prefix("cpu").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

impl NodeCollector for Cpu {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        if let Some(details) = &mut self.details
            && let Err(error) = details.update(host)
        {
            host.note(error);
        }
        let times = self.update_times(host);
        if times.is_err() {
            self.times.clear();
        }
        self.update_sysfs(host)?;
        times
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        if let Some(details) = &self.details {
            details.emit(out);
        }
        let mut family = out.family(&SECONDS);
        for Times { label, seconds, .. } in &self.times {
            for (mode, value) in MODES.iter().zip(seconds) {
                family.point(Labels::new(&[("cpu", label), ("mode", mode)]), *value);
            }
        }
        if self.with_guest {
            let mut family = out.family(&GUEST_SECONDS);
            for Times { label, seconds, .. } in &self.times {
                for (mode, value) in ["user", "nice"].iter().zip(seconds.iter().skip(MODES.len())) {
                    family.point(Labels::new(&[("cpu", label), ("mode", mode)]), *value);
                }
            }
        }
        let mut family = out.family(&ISOLATED);
        for cpu in &self.isolated {
            family.point(Labels::new(&[("cpu", &cpu.to_string())]), 1_u64);
        }
        self.throttles.emit(out);
        let mut family = out.family(&ONLINE);
        for cpu in &self.cpus {
            if let Some(online) = cpu.online {
                family.point(Labels::new(&[("cpu", &cpu.number)]), online);
            }
        }
    }
}

enum Line {
    /// The line `cpu`, the sum of all.
    All,
    Cpu(i64, [f64; COLUMNS]),
}

fn parse_times(line: &str) -> Option<Line> {
    let mut words = text::words(line);
    let name = words.next()?.strip_prefix("cpu")?;
    let mut seconds = [0.0; COLUMNS];
    for (column, word) in seconds.iter_mut().zip(words) {
        *column = text::float(word)? / TICKS_PER_SECOND;
    }
    if name.is_empty() { Some(Line::All) } else { Some(Line::Cpu(text::signed(name)?, seconds)) }
}

/// Takes new readings of a CPU, none of which may fall: the kernel's counters waver, and a counter that falls reads
/// as a restart to Prometheus. Only when idle time falls far has the CPU been offline and counts anew.
fn merge(all: &mut Vec<Times>, cpu: i64, read: &[f64; COLUMNS]) {
    match all.iter_mut().find(|times| times.cpu == cpu) {
        None => all.push(Times { cpu, label: cpu.to_string(), seconds: *read, seen: true }),
        Some(times) => {
            times.seen = true;
            let idle = |seconds: &[f64; COLUMNS]| seconds.get(IDLE).copied().unwrap_or_default();
            if idle(&times.seconds) - idle(read) >= RESTART_SECONDS {
                times.seconds = *read;
            }
            for (told, read) in times.seconds.iter_mut().zip(read) {
                if *read >= *told {
                    *told = *read;
                }
            }
        }
    }
}

/// A folder `cpuN` in sysfs.
struct Sysfs {
    number: String,
    /// Package and core, which do not change; `None` until they could be read, which takes a CPU that is online.
    place: Option<(u64, u64)>,
    /// Whether the CPU counts throttles; virtual ones do not.
    counts: bool,
    /// `None` where the kernel does not tell.
    online: Option<bool>,
    files: SysfsFiles,
}

struct SysfsFiles {
    online: KeptFile,
    package: KeptFile,
    core: KeptFile,
    core_throttles: KeptFile,
    package_throttles: KeptFile,
}

impl Sysfs {
    fn new(folder: &Path, number: &str) -> Self {
        let folder = folder.join(format!("cpu{number}"));
        let file = |path: &str| KeptFile::new(folder.join(path));
        let files = SysfsFiles {
            online: file("online"),
            package: file("topology/physical_package_id"),
            core: file("topology/core_id"),
            core_throttles: file("thermal_throttle/core_throttle_count"),
            package_throttles: file("thermal_throttle/package_throttle_count"),
        };
        Self { number: number.to_owned(), place: None, counts: true, online: None, files }
    }

    /// Package and core.
    fn place(&mut self) -> Option<(u64, u64)> {
        if self.place.is_none() {
            self.place = Some((self.files.package.unsigned().ok()?, self.files.core.unsigned().ok()?));
            self.counts = true;
        }
        self.place
    }
}

/// How often cores and packages were throttled.
#[derive(Default)]
struct Throttles {
    /// Package, core and count; one row for each core, however many CPUs it has.
    cores: Vec<(u64, u64, Option<u64>)>,
    packages: Vec<(u64, Option<u64>)>,
}

impl Throttles {
    fn update(&mut self, cpus: &mut [Sysfs]) {
        self.cores.clear();
        self.packages.clear();
        for cpu in cpus {
            let Some((package, core)) = cpu.place() else { continue };
            if !cpu.counts {
                continue;
            }
            let mut absent = 0;
            let mut count = |file: &mut KeptFile| {
                file.unsigned().inspect_err(|error| absent += i32::from(error.is_not_found())).ok()
            };
            if !self.cores.iter().any(|&(p, c, count)| (p, c) == (package, core) && count.is_some()) {
                self.cores.push((package, core, count(&mut cpu.files.core_throttles)));
            }
            if !self.packages.iter().any(|&(p, count)| p == package && count.is_some()) {
                self.packages.push((package, count(&mut cpu.files.package_throttles)));
            }
            cpu.counts = absent < 2;
        }
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let mut family = out.family(&CORE_THROTTLES);
        for (package, core, count) in &self.cores {
            if let Some(count) = count {
                let (package, core) = (package.to_string(), core.to_string());
                family.point(Labels::new(&[("package", &package), ("core", &core)]), *count);
            }
        }
        let mut family = out.family(&PACKAGE_THROTTLES);
        for (package, count) in &self.packages {
            if let Some(count) = count {
                family.point(Labels::new(&[("package", &package.to_string())]), *count);
            }
        }
    }
}

/// What kinds of CPU there are.
struct Details {
    file: KeptFile,
    with_frequency: bool,
    flags: Option<Regex>,
    bugs: Option<Regex>,
    cpus: Vec<Kind>,
}

/// One block of `/proc/cpuinfo`.
#[derive(Debug, Default, PartialEq)]
struct Kind {
    processor: String,
    /// In the order of `KIND_LABELS`.
    facts: [String; 9],
    megahertz: f64,
    flags: String,
    bugs: String,
}

/// The labels of `node_cpu_info` and the keys of `/proc/cpuinfo` that they come from.
const KIND_LABELS: [(&str, &[&str]); 9] = [
    ("package", &["physical id"]),
    ("core", &["core id"]),
    ("vendor", &["vendor_id", "vendor"]),
    ("family", &["cpu family"]),
    ("model", &["model"]),
    ("model_name", &["model name"]),
    ("microcode", &["microcode"]),
    ("stepping", &["stepping"]),
    ("cachesize", &["cache size"]),
];

impl Details {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.cpus.clear();
        let path = self.file.path().to_owned();
        self.cpus = parse_kinds(self.file.text()?, |line| {
            host.note(Error::parse(&path, "a key and its value", line));
        });
        if self.cpus.is_empty() {
            return Err(Error::failed(&path, "has no processor in it"));
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let mut family = out.family(&KIND);
        for cpu in &self.cpus {
            let mut labels = [("cpu", cpu.processor.as_str()); 10];
            for ((label, (name, _)), fact) in labels.iter_mut().skip(1).zip(&KIND_LABELS).zip(&cpu.facts) {
                *label = (name, fact);
            }
            family.point(Labels::new(&labels), INFO);
        }
        if self.with_frequency {
            let mut family = out.family(&FREQUENCY);
            for cpu in &self.cpus {
                let [package, core, ..] = &cpu.facts;
                let labels = [("package", package.as_str()), ("core", core), ("cpu", &cpu.processor)];
                family.point(Labels::new(&labels), cpu.megahertz * 1e6);
            }
        }
        let Some(first) = self.cpus.first() else { return };
        for (family, label, filter, all) in
            [(&FLAG, "flag", &self.flags, &first.flags), (&BUG, "bug", &self.bugs, &first.bugs)]
        {
            if let Some(filter) = filter {
                let mut family = out.family(family);
                for word in text::words(all).filter(|word| filter.is_match(word)) {
                    family.point(Labels::new(&[(label, word)]), INFO);
                }
            }
        }
    }
}

/// Blocks of `key : value` lines, each beginning with `processor`. Lines without a colon are passed over, as are keys
/// that nothing is told of.
fn parse_kinds<'t>(text: &'t str, mut bad: impl FnMut(&'t str)) -> Vec<Kind> {
    let mut cpus: Vec<Kind> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim(), value.strip_prefix(' ').unwrap_or(value));
        if key == "processor" {
            match text::unsigned(value) {
                Some(number) => cpus.push(Kind { processor: number.to_string(), ..Kind::default() }),
                None => bad(line),
            }
            continue;
        }
        let Some(cpu) = cpus.last_mut() else { continue };
        match key {
            "cpu MHz" => match text::float(value) {
                Some(megahertz) => cpu.megahertz = megahertz,
                None => bad(line),
            },
            "flags" => value.clone_into(&mut cpu.flags),
            "bugs" => value.clone_into(&mut cpu.bugs),
            _ => {
                let fact = KIND_LABELS.iter().zip(&mut cpu.facts).find(|((_, keys), _)| keys.contains(&key));
                if let Some((_, fact)) = fact {
                    value.clone_into(fact);
                }
            }
        }
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(line: &str) -> [f64; COLUMNS] {
        match parse_times(line) {
            Some(Line::Cpu(_, seconds)) => seconds,
            _ => panic!("{line}"),
        }
    }

    #[test]
    fn times_of_old_and_new_kernels() {
        let read = seconds("cpu0 44490 19 21045 1087069 220 1 3410 2 0 0");
        assert_eq!(read, [444.9, 0.19, 210.45, 10870.69, 2.2, 0.01, 34.1, 0.02, 0.0, 0.0]);
        assert_eq!(seconds("cpu12 1 2 3 4"), [0.01, 0.02, 0.03, 0.04, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(matches!(parse_times("cpu 1 2 3 4"), Some(Line::All)));
        assert!(parse_times("cpux 1 2").is_none());
        assert!(parse_times("cpu1 1 x").is_none());
    }

    #[test]
    fn counters_that_waver_do_not_fall_and_those_that_restart_do() {
        let mut all = Vec::new();
        merge(&mut all, 0, &seconds("cpu0 100 0 0 1000 50"));
        merge(&mut all, 0, &seconds("cpu0 110 0 0 900 40"));
        assert_eq!(all[0].seconds[..5], [1.1, 0.0, 0.0, 10.0, 0.5], "one second less is wavering");
        merge(&mut all, 0, &seconds("cpu0 10 0 0 200 4"));
        assert_eq!(all[0].seconds[..5], [0.1, 0.0, 0.0, 2.0, 0.04], "eight are a restart");
    }

    #[test]
    fn blocks_of_cpuinfo() {
        let text = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu MHz\t\t: 799.998\nflags\t\t: fpu aes\n\n\
                    processor\t: 1\ncore id\t\t: 5\ncpu MHz\t\t: fast\npower management:\n";
        let mut bad = Vec::new();
        let cpus = parse_kinds(text, |line| bad.push(line));
        assert_eq!(bad, ["cpu MHz\t\t: fast"]);
        assert_eq!((cpus[0].facts[2].as_str(), cpus[0].megahertz, cpus[0].flags.as_str()), ("GenuineIntel", 799.998, "fpu aes"));
        assert_eq!((cpus[1].processor.as_str(), cpus[1].facts[1].as_str()), ("1", "5"));
    }
}
