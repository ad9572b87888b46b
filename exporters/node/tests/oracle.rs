//! What the procfs crate reads of this host's files is what the exporter tells of the same files.
//!
//! The files are copied first, since they say something else a moment later.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use procfs_core::net::InterfaceDeviceStatus;
use procfs_core::{
    CpuPressure, DiskStats, ExplicitSystemInfo, FromRead, FromReadSI, IoPressure, KernelStats, LoadAverage,
    Meminfo, MemoryPressure, PressureRecord, VmStat,
};

const FILES: [&str; 9] = [
    "meminfo",
    "stat",
    "loadavg",
    "diskstats",
    "vmstat",
    "net/dev",
    "pressure/cpu",
    "pressure/memory",
    "pressure/io",
];

/// The files of procfs as they were at one moment, and what the exporter tells of them.
struct Copied {
    folder: PathBuf,
    told: HashMap<String, f64>,
}

impl Copied {
    fn now() -> Self {
        let folder = std::env::temp_dir().join(format!("node-exporter-oracle-{}", std::process::id()));
        for file in FILES {
            let to = folder.join(file);
            fs::create_dir_all(to.parent().expect("it is below the folder"))
                .expect("temporary files can be made");
            // A kernel may do without some of them.
            if let Ok(text) = fs::read(Path::new("/proc").join(file)) {
                fs::write(to, text).expect("temporary files can be made");
            }
        }
        let page = Command::new(env!("CARGO_BIN_EXE_node-exporter"))
            .arg(format!("--path.procfs={}", folder.display()))
            .args(["--dry-run", "--collector.diskstats.device-exclude=^$", "--no-collector.netdev.netlink"])
            .args(["--collector.vmstat.fields=.*", "--log.level=error"])
            .output()
            .expect("it runs")
            .stdout;
        let page = String::from_utf8(page).expect("a page is UTF-8");
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        let told = samples.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Self { told: told.collect(), folder }
    }

    /// A file as the crate reads it; `None` if this kernel has none.
    fn read<T: FromRead>(&self, file: &str) -> Option<T> {
        let path = self.folder.join(file);
        path.exists().then(|| T::from_file(path).expect("the crate reads it"))
    }

    #[track_caller]
    fn tells(&self, series: &str, value: f64) {
        let found = self.told.get(series).unwrap_or_else(|| panic!("{series} is missing"));
        assert!(
            (found - value).abs() <= value.abs() * 1e-12,
            "{series}: {found}, and the crate reads {value}"
        );
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn both_read_the_same() {
    let host = Copied::now();
    memory(&host);
    processor(&host);
    devices(&host);
    pressure(&host);
}

fn memory(host: &Copied) {
    let memory: Meminfo = host.read("meminfo").expect("Linux has it");
    for (name, value) in [
        ("MemTotal_bytes", Some(memory.mem_total)),
        ("MemFree_bytes", Some(memory.mem_free)),
        ("MemAvailable_bytes", memory.mem_available),
        ("Buffers_bytes", Some(memory.buffers)),
        ("Cached_bytes", Some(memory.cached)),
        ("Active_anon_bytes", memory.active_anon),
        ("Dirty_bytes", Some(memory.dirty)),
        ("Slab_bytes", Some(memory.slab)),
        ("Committed_AS_bytes", Some(memory.committed_as)),
        ("HugePages_Total", memory.hugepages_total),
        ("Hugepagesize_bytes", memory.hugepagesize),
    ] {
        if let Some(value) = value {
            host.tells(&format!("node_memory_{name}"), value as f64);
        }
    }
    let counters: VmStat = host.read("vmstat").expect("Linux has it");
    assert!(counters.0.len() > 50, "a kernel counts a lot");
    for (name, value) in &counters.0 {
        host.tells(&format!("node_vmstat_{name}"), *value as f64);
    }
}

fn processor(host: &Copied) {
    const TICKS: u32 = 100; // a second, in all that the kernel tells programs
    let machine = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: TICKS.into(),
        page_size: 4096,
        is_little_endian: true,
    };
    let path = host.folder.join("stat");
    let stat = KernelStats::from_file(&path, &machine).expect("the crate reads it");
    // The crate leaves out the numbers of CPUs, of which some may be off.
    let text = fs::read_to_string(path).expect("it is there");
    let lines =
        text.lines().filter_map(|line| line.strip_prefix("cpu")).filter(|rest| !rest.starts_with(' '));
    let numbers: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(numbers.len(), stat.cpu_time.len());
    for (number, cpu) in numbers.into_iter().zip(&stat.cpu_time) {
        for (mode, ticks) in [
            ("user", Some(cpu.user)),
            ("nice", Some(cpu.nice)),
            ("system", Some(cpu.system)),
            ("idle", Some(cpu.idle)),
            ("iowait", cpu.iowait),
            ("irq", cpu.irq),
            ("softirq", cpu.softirq),
            ("steal", cpu.steal),
        ] {
            let series = format!("node_cpu_seconds_total{{cpu=\"{number}\",mode=\"{mode}\"}}");
            host.tells(&series, ticks.unwrap_or_default() as f64 / f64::from(TICKS));
        }
    }
    host.tells("node_boot_time_seconds", stat.btime as f64);
    host.tells("node_context_switches_total", stat.ctxt as f64);
    host.tells("node_forks_total", stat.processes as f64);
    host.tells("node_procs_running", stat.procs_running.unwrap_or_default().into());
    host.tells("node_procs_blocked", stat.procs_blocked.unwrap_or_default().into());
    let load: LoadAverage = host.read("loadavg").expect("Linux has it");
    for (name, value) in [("load1", load.one), ("load5", load.five), ("load15", load.fifteen)] {
        // The crate has it with less precision than the file.
        let found = host.told[&format!("node_{name}")];
        assert!((found - f64::from(value)).abs() < 1e-4, "{name}: {found} and {value}");
    }
}

fn devices(host: &Copied) {
    let disks: DiskStats = host.read("diskstats").expect("Linux has it");
    for disk in &disks.0 {
        let tells = |name: &str, value: f64| {
            host.tells(&format!("node_disk_{name}{{device=\"{}\"}}", disk.name), value);
        };
        tells("reads_completed_total", disk.reads as f64);
        tells("read_bytes_total", disk.sectors_read as f64 * 512.0);
        tells("read_time_seconds_total", disk.time_reading as f64 / 1000.0);
        tells("writes_completed_total", disk.writes as f64);
        tells("written_bytes_total", disk.sectors_written as f64 * 512.0);
        tells("io_now", disk.in_progress as f64);
        tells("io_time_seconds_total", disk.time_in_progress as f64 / 1000.0);
        if let Some(flushes) = disk.flushes {
            tells("flush_requests_total", flushes as f64);
        }
    }
    let interfaces: InterfaceDeviceStatus = host.read("net/dev").expect("Linux has it");
    assert!(interfaces.0.contains_key("lo"));
    for (name, status) in &interfaces.0 {
        let tells = |family: &str, value: u64| {
            host.tells(&format!("node_network_{family}_total{{device=\"{name}\"}}"), value as f64);
        };
        tells("receive_bytes", status.recv_bytes);
        tells("receive_packets", status.recv_packets);
        tells("receive_errs", status.recv_errs);
        tells("receive_drop", status.recv_drop);
        tells("transmit_bytes", status.sent_bytes);
        tells("transmit_colls", status.sent_colls);
        tells("transmit_carrier", status.sent_carrier);
    }
}

fn pressure(host: &Copied) {
    let tells = |family: &str, record: &PressureRecord| {
        host.tells(&format!("node_pressure_{family}_seconds_total"), record.total as f64 / 1e6);
    };
    if let Some(cpu) = host.read::<CpuPressure>("pressure/cpu") {
        tells("cpu_waiting", &cpu.some);
    }
    if let Some(memory) = host.read::<MemoryPressure>("pressure/memory") {
        tells("memory_waiting", &memory.some);
        tells("memory_stalled", &memory.full);
    }
    if let Some(io) = host.read::<IoPressure>("pressure/io") {
        tells("io_waiting", &io.some);
        tells("io_stalled", &io.full);
    }
}
