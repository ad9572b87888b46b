//! Metrics about the process itself, with the names that every client library has for them
//! ([standard metrics](https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics)).
//!
//! Linux only: elsewhere [`Process`] has nothing to tell. [`Build`] works everywhere.

mod build;
mod stat;

pub use build::Build;

use std::fs;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use crate::model::{Collected, Collector, Descriptor, Emitter, MetricType, Unit};
use crate::sync::{Mutex, OnceLock};
use stat::{NetDev, Stat, boot_time};

/// Processor time, memory, open files, threads, network bytes and start time of one process.
///
/// What cannot be read is left out; so is everything on systems other than Linux.
///
/// ```
/// use openmetrics::model::MetricSet;
/// use openmetrics::process::Process;
///
/// let (set, report) = MetricSet::collect_from(&Process::current());
/// assert!(report.is_clean());
/// # #[cfg(target_os = "linux")]
/// assert!(set.families.iter().any(|family| family.descriptor.name() == &"process_resident_memory_bytes"));
/// ```
#[derive(Clone, Debug)]
pub struct Process {
    proc: PathBuf,
    pid: String,
    /// Whether it is this process, of which the kernel tells some things without files.
    is_current: bool,
    units: Units,
    /// Its files that are read for every page.
    stat: Kept,
    network: Kept,
    /// When the system started; asked for once, since the file that says so is long and does not change in this.
    boot_time: OnceLock<Option<u64>>,
}

/// What the kernel counts in.
#[derive(Clone, Copy, Debug)]
struct Units {
    ticks_per_second: u64,
    page_size: u64,
}

static CPU: Descriptor = Descriptor::literal_with_unit(
    "process_cpu_seconds",
    MetricType::Counter,
    Unit::SECONDS,
    "Processor time that the process has used, in user and system mode.",
);
static OPEN_FILES: Descriptor =
    Descriptor::literal("process_open_fds", MetricType::Gauge, "File descriptors that are open.");
static MAX_FILES: Descriptor = Descriptor::literal(
    "process_max_fds",
    MetricType::Gauge,
    "File descriptors that may be open before the process is refused more.",
);
static VIRTUAL: Descriptor = Descriptor::literal_with_unit(
    "process_virtual_memory_bytes",
    MetricType::Gauge,
    Unit::BYTES,
    "Address space in use.",
);
static VIRTUAL_MAX: Descriptor = Descriptor::literal_with_unit(
    "process_virtual_memory_max_bytes",
    MetricType::Gauge,
    Unit::BYTES,
    "Address space that the process may use; as good as infinite where there is no limit.",
);
static RESIDENT: Descriptor = Descriptor::literal_with_unit(
    "process_resident_memory_bytes",
    MetricType::Gauge,
    Unit::BYTES,
    "Memory of the process that is in RAM.",
);
static START: Descriptor = Descriptor::literal_with_unit(
    "process_start_time_seconds",
    MetricType::Gauge,
    Unit::SECONDS,
    "When the process started, in seconds since the Unix epoch.",
);
static THREADS: Descriptor =
    Descriptor::literal("process_threads", MetricType::Gauge, "Threads of the process.");
static RECEIVED: Descriptor = Descriptor::literal_with_unit(
    "process_network_receive_bytes",
    MetricType::Counter,
    Unit::BYTES,
    "Bytes that the network interfaces the process sees have received, loopback included.",
);
static SENT: Descriptor = Descriptor::literal_with_unit(
    "process_network_transmit_bytes",
    MetricType::Counter,
    Unit::BYTES,
    "Bytes that the network interfaces the process sees have sent, loopback included.",
);

const ALL: [&Descriptor; 10] =
    [&CPU, &OPEN_FILES, &MAX_FILES, &VIRTUAL, &VIRTUAL_MAX, &RESIDENT, &START, &THREADS, &RECEIVED, &SENT];

impl Process {
    /// This process.
    pub fn current() -> Self {
        Self { is_current: true, ..Self::read_from("/proc", "self") }
    }

    /// The process `pid` of the proc file system that is mounted at `proc`.
    pub fn read_from(proc: impl Into<PathBuf>, pid: impl Into<String>) -> Self {
        Self {
            proc: proc.into(),
            pid: pid.into(),
            is_current: false,
            units: Units::of_kernel(),
            stat: Kept::default(),
            network: Kept::default(),
            boot_time: OnceLock::new(),
        }
    }

    /// How many files are open. Since Linux 6.2 it is the size of the folder, which takes no listing of it.
    fn open_files(&self) -> Option<u64> {
        let folder = self.path("fd");
        #[cfg(target_os = "linux")]
        if self.is_current
            && let Ok(about) = fs::metadata(&folder)
            && about.len() > 0
        {
            return Some(about.len());
        }
        let open = fs::read_dir(folder).map(Iterator::count).ok()? as u64;
        // The list of descriptors is read through one more of them.
        Some(open.saturating_sub(u64::from(self.pid == "self")))
    }

    /// How many files and how many bytes of addresses it may have.
    fn limits(&self) -> [Option<u64>; 2] {
        #[cfg(target_os = "linux")]
        if self.is_current {
            use rustix::process::{Resource, getrlimit};
            let limit = |resource| Some(getrlimit(resource).current.unwrap_or(u64::MAX));
            return [limit(Resource::Nofile), limit(Resource::As)];
        }
        let limits = read(&self.path("limits")).unwrap_or_default();
        ["Max open files", "Max address space"].map(|name| stat::limit(&limits, name))
    }

    /// Reads a file, which is kept open if it is one of this process: they do not go away before it does.
    fn read(&self, kept: &Kept, file: &str) -> io::Result<String> {
        let path = self.path(file);
        if self.is_current { kept.read(&path) } else { read(&path) }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.proc.join(&self.pid).join(file)
    }
}

impl Collector for Process {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let stat = match self.read(&self.stat, "stat") {
            Err(_) if !self.proc.is_dir() => return Ok(()),
            other => other?,
        };
        let stat = Stat::parse(&stat).ok_or_else(|| unexpected(&self.path("stat")))?;
        let boot_time =
            self.boot_time.get_or_init(|| read(&self.proc.join("stat")).ok().as_deref().and_then(boot_time));
        let open_files = self.open_files();
        let [most_files, most_addresses] = self.limits();
        let network = self.read(&self.network, "net/dev").ok().map(|text| NetDev::parse(&text));
        let Units { ticks_per_second, page_size } = self.units;

        let ticks = stat.user_ticks.saturating_add(stat.system_ticks);
        out.value(&CPU, ticks as f64 / ticks_per_second as f64);
        if let Some(open) = open_files {
            out.value(&OPEN_FILES, open);
        }
        if let Some(most) = most_files {
            out.value(&MAX_FILES, most);
        }
        out.value(&VIRTUAL, stat.virtual_bytes);
        if let Some(most) = most_addresses {
            out.value(&VIRTUAL_MAX, most);
        }
        out.value(&RESIDENT, stat.resident_pages.saturating_mul(page_size));
        if let Some(boot) = boot_time {
            out.value(&START, *boot as f64 + stat.start_ticks as f64 / ticks_per_second as f64);
        }
        out.value(&THREADS, stat.threads);
        if let Some(network) = network {
            out.value(&RECEIVED, network.received);
            out.value(&SENT, network.sent);
        }
        Ok(())
    }

    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        ALL.into_iter().for_each(families);
    }
}

#[cfg(target_os = "linux")]
impl Units {
    fn of_kernel() -> Self {
        Self {
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            page_size: rustix::param::page_size() as u64,
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Units {
    fn of_kernel() -> Self {
        Self { ticks_per_second: 100, page_size: 4096 }
    }
}

/// Files of `/proc` are small; this is far above the largest of those read here.
const LARGEST: u64 = 4 << 20;

fn read(path: &Path) -> io::Result<String> {
    let open = || fs::File::open(path).and_then(|mut file| read_text(&mut file));
    open().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn read_text(file: &mut fs::File) -> io::Result<String> {
    let mut text = Vec::with_capacity(4096); // most are shorter, and are then read at once
    file.take(LARGEST).read_to_end(&mut text)?;
    // A process may call itself anything; its name is all that can be other than ASCII here.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A file that stays open, since the kernel makes it anew for whoever reads it from the start; and the process that
/// opened it, for a child that is forked has files of its own.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<(u32, fs::File)>>);

impl Kept {
    fn read(&self, path: &Path) -> io::Result<String> {
        let process = std::process::id();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = kept.as_mut().filter(|(of, _)| *of == process) {
            if let Ok(text) = file.rewind().and_then(|()| read_text(file)) {
                return Ok(text);
            }
        }
        let text = read(path)?;
        *kept = fs::File::open(path).ok().map(|file| (process, file));
        Ok(text)
    }
}

impl Clone for Kept {
    /// A clone opens the file for itself.
    fn clone(&self) -> Self {
        Self::default()
    }
}

fn unexpected(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}: not the fields that were expected", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MetricSet, MetricValue, Number};

    fn value(set: &MetricSet, name: &str) -> Option<f64> {
        let family = set.families.iter().find(|family| family.descriptor.name() == name)?;
        match family.metrics.first()?.points.first()?.value {
            MetricValue::Number(number) => Some(Number::as_f64(number)),
            _ => None,
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_looks_as_it_should() {
        let (set, report) = MetricSet::collect_from(&Process::current());
        assert!(report.is_clean(), "{report:?}");
        assert!(value(&set, "process_resident_memory_bytes").unwrap() > 500_000.0);
        assert!(value(&set, "process_virtual_memory_bytes").unwrap() > 500_000.0);
        assert!(value(&set, "process_open_fds").unwrap() >= 3.0);
        assert!(value(&set, "process_max_fds").unwrap() >= value(&set, "process_open_fds").unwrap());
        assert!(value(&set, "process_threads").unwrap() >= 1.0);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let start = value(&set, "process_start_time_seconds").unwrap();
        // The boot time is a whole second, and shifts when the clock is set; a day is beyond both.
        assert!((now - 86_400.0..now + 2.0).contains(&start), "started at {start}, now {now}");
    }

    #[test]
    fn a_process_is_read_from_any_proc() {
        let dir = std::env::temp_dir().join(format!("openmetrics-process-{}", std::process::id()));
        fs::create_dir_all(dir.join("7/net")).unwrap();
        fs::create_dir_all(dir.join("7/fd/0")).unwrap();
        fs::create_dir_all(dir.join("7/fd/1")).unwrap();
        let mut process = Process::read_from(&dir, "7");
        process.units = Units { ticks_per_second: 100, page_size: 4096 };
        fs::write(dir.join("7/stat"), stat::tests::STAT).unwrap();
        fs::write(dir.join("7/limits"), stat::tests::LIMITS).unwrap();
        fs::write(dir.join("7/net/dev"), stat::tests::NET_DEV).unwrap();
        fs::write(dir.join("stat"), "cpu  1 2 3\nbtime 1700000000\nprocesses 7\n").unwrap();
        let (set, report) = MetricSet::collect_from(&process);
        fs::remove_dir_all(&dir).unwrap();
        assert!(report.is_clean(), "{report:?}");
        for (name, expected) in [
            ("process_cpu_seconds", 17.35),
            ("process_open_fds", 2.0),
            ("process_max_fds", 1024.0),
            ("process_virtual_memory_bytes", 56_274_944.0),
            ("process_virtual_memory_max_bytes", 18_446_744_073_709_551_615.0),
            ("process_resident_memory_bytes", 1981.0 * 4096.0),
            ("process_start_time_seconds", 1_700_000_820.29),
            ("process_threads", 3.0),
            ("process_network_receive_bytes", 3000.0),
            ("process_network_transmit_bytes", 60.0),
        ] {
            assert_eq!(value(&set, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_system_without_proc_has_nothing_to_tell() {
        let (set, report) = MetricSet::collect_from(&Process::read_from("/nowhere/proc", "self"));
        assert!(report.is_clean() && set.families.is_empty());
    }
}
