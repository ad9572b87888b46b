//! What each unit of systemd uses, from its control group (version 2) under `/sys/fs/cgroup`: services and scopes in
//! slices, at any depth. node_exporter has nothing of the sort.
//!
//! `cpu.stat` and `memory.events` have lines of a name and a number, `io.stat` a line for each device, and `*.pressure`
//! two lines:
//!
//! ```text
//! 8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0
//! some avg10=0.00 avg60=0.00 avg300=0.00 total=14036781
//! ```

use std::path::Path;

use openmetrics::model::Descriptor;
use regex_lite::Regex;

use super::{Setup, Spec};
use crate::families::{counter, gauge};
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

const INCLUDE: Flag = Flag::text(
    "collector.cgroup_units.unit-include",
    ".+",
    "Regular expression of units to tell; the whole name has to match",
);
const EXCLUDE: Flag = Flag::text(
    "collector.cgroup_units.unit-exclude",
    "",
    "Regular expression of units to leave out; the whole name has to match",
);

pub(super) static SPEC: Spec = Spec {
    name: "cgroup_units",
    enabled: false,
    about: "CPU, memory, I/O and pressure of each unit of systemd",
    flags: &[INCLUDE, EXCLUDE],
    build: |setup| {
        let mut units = Units::new(setup)?;
        Ok(Reader::boxed(move |host, out| units.read(host, out)))
    },
};

static CPU: Descriptor = counter("node_cgroup_unit_cpu_seconds_total", "CPU time of the unit, by mode.");
static THROTTLED: Descriptor =
    counter("node_cgroup_unit_cpu_throttled_seconds_total", "Time that the unit waited for its CPU quota.");
static MEMORY: Descriptor = gauge("node_cgroup_unit_memory_bytes", "Memory of the unit, its page cache included.");
static SWAP: Descriptor = gauge("node_cgroup_unit_swap_bytes", "Swap space that the unit uses.");
static OOM_KILLS: Descriptor =
    counter("node_cgroup_unit_oom_kills_total", "Processes of the unit killed for want of memory.");
static TASKS: Descriptor = gauge("node_cgroup_unit_tasks", "Processes and threads of the unit.");
static IO_BYTES: Descriptor = counter("node_cgroup_unit_io_bytes_total", "Bytes read and written, of all devices.");
static IO_OPERATIONS: Descriptor =
    counter("node_cgroup_unit_io_operations_total", "Reads and writes, of all devices.");
static WAITING: Descriptor = counter(
    "node_cgroup_unit_pressure_waiting_seconds_total",
    "Time that some tasks of the unit waited for a resource.",
);
static STALLED: Descriptor = counter(
    "node_cgroup_unit_pressure_stalled_seconds_total",
    "Time that all tasks of the unit waited for a resource.",
);

/// More than any host has; control groups can be made without end.
const MOST_UNITS: usize = 10_000;
/// Slices within slices.
const DEEPEST: usize = 16;

struct Units {
    filter: Filter,
}

impl Units {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let whole = |flag: &Flag| match setup.options.text(flag) {
            "" => Ok(None),
            pattern => Regex::new(&format!("^(?:{pattern})$"))
                .map(Some)
                .map_err(|error| format!("--{}={pattern}: not a regular expression: {error}", flag.name)),
        };
        Ok(Self { filter: Filter::from_patterns(whole(&EXCLUDE)?, whole(&INCLUDE)?) })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        let root = host.sys("fs/cgroup");
        if let Err(error) = host.text(&root.join("cgroup.controllers")) {
            return Err(error.or_no_data("control groups of version 2 are not mounted"));
        }
        let (mut units, mut slices) = (0, vec![String::new()]);
        while let Some(slice) = slices.pop() {
            // A slice may go while we read.
            for name in host.folders(&root.join(&slice)).unwrap_or_default() {
                let below = if slice.is_empty() { name.clone() } else { format!("{slice}/{name}") };
                let kind = name.rsplit_once('.').map(|(_, kind)| kind);
                if kind == Some("slice") && below.matches('/').count() < DEEPEST {
                    slices.push(below);
                } else if matches!(kind, Some("service" | "scope" | "socket" | "mount" | "swap"))
                    && self.filter.keeps(&name)
                {
                    units += 1;
                    if units > MOST_UNITS {
                        return Err(Error::failed(&root, format!("has more than {MOST_UNITS} units")));
                    }
                    tell(host, &root.join(&below), &[("slice", &slice), ("unit", &name)], out);
                }
            }
        }
        Ok(())
    }
}

/// The text of a file of the unit; `None` if its controller is off, or the unit has gone.
fn file(host: &mut Host, folder: &Path, name: &str) -> Option<String> {
    match host.text(&folder.join(name)) {
        Ok(text) => Some(text),
        // Reading fails so where pressure is not counted.
        Err(error) if error.is_not_found() || error.is_errno(rustix::io::Errno::OPNOTSUPP) => None,
        Err(error) => {
            host.note(error);
            None
        }
    }
}

fn tell(host: &mut Host, folder: &Path, unit: &[(&'static str, &str); 2], out: &mut Gathered) {
    let [slice, name] = *unit;
    if let Some(stat) = file(host, folder, "cpu.stat") {
        let seconds = |key| value(&stat, key).map(|micros| micros as f64 / 1e6);
        for (mode, key) in [("user", "user_usec"), ("system", "system_usec")] {
            if let Some(seconds) = seconds(key) {
                out.point(&CPU, &[slice, name, ("mode", mode)], seconds);
            }
        }
        if let Some(seconds) = seconds("throttled_usec") {
            out.point(&THROTTLED, unit, seconds);
        }
    }
    let numbers = [("memory.current", &MEMORY), ("memory.swap.current", &SWAP), ("pids.current", &TASKS)];
    for (path, family) in numbers {
        let Some(text) = file(host, folder, path) else { continue };
        match text::unsigned(text.trim()) {
            Some(number) => out.point(family, unit, number),
            None => host.note(Error::parse(&folder.join(path), "an unsigned integer", text.trim())),
        }
    }
    if let Some(kills) = file(host, folder, "memory.events").and_then(|events| value(&events, "oom_kill")) {
        out.point(&OOM_KILLS, unit, kills);
    }
    if let Some(stat) = file(host, folder, "io.stat") {
        for (operation, bytes, operations) in [("read", "rbytes=", "rios="), ("write", "wbytes=", "wios=")] {
            let labels = [slice, name, ("operation", operation)];
            out.point(&IO_BYTES, &labels, sum(&stat, bytes));
            out.point(&IO_OPERATIONS, &labels, sum(&stat, operations));
        }
    }
    for resource in ["cpu", "memory", "io"] {
        let Some(pressure) = file(host, folder, &format!("{resource}.pressure")) else { continue };
        for (line, family) in [("some", &WAITING), ("full", &STALLED)] {
            let line = pressure.lines().find_map(|l| l.strip_prefix(line));
            let total = line.and_then(|line| text::unsigned(line.rsplit_once("total=")?.1.trim()));
            if let Some(micros) = total {
                out.point(family, &[slice, name, ("resource", resource)], micros as f64 / 1e6);
            }
        }
    }
}

/// The number in the line of `key`.
fn value(lines: &str, key: &str) -> Option<u64> {
    lines.lines().find_map(|line| {
        let (name, number) = line.split_once(' ')?;
        (name == key).then(|| text::unsigned(number.trim()))?
    })
}

/// The sum over all devices of the field that begins with `key`.
fn sum(lines: &str, key: &str) -> u64 {
    let fields = lines.lines().flat_map(text::words).filter_map(|word| text::unsigned(word.strip_prefix(key)?));
    fields.fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn units_in_slices() {
        let a = "sys/fs/cgroup/system.slice/a.service";
        let b = "sys/fs/cgroup/user.slice/user-0.slice/session-1.scope";
        let files: Vec<(String, &str)> = [
            ("sys/fs/cgroup/cgroup.controllers".to_owned(), "cpu io memory pids\n"),
            (format!("{a}/cpu.stat"), "usage_usec 3500000\nuser_usec 2500000\nsystem_usec 1000000\nthrottled_usec 7\n"),
            (format!("{a}/memory.current"), "4096\n"),
            (format!("{a}/memory.events"), "low 0\noom_kill 2\n"),
            (format!("{a}/io.stat"), "8:0 rbytes=5 wbytes=1 rios=2 wios=1\n8:16 rbytes=7 wbytes=0 rios=1 wios=0\n"),
            (format!("{a}/io.pressure"), "some avg10=0.00 total=1500000\nfull avg10=0.00 total=500000\n"),
            (format!("{b}/pids.current"), "many\n"),
            (format!("{b}/memory.current"), "1\n"),
            ("sys/fs/cgroup/system.slice/no-unit/cpu.stat".to_owned(), "user_usec 1\n"),
        ]
        .into();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let tree = Tree::new("cgroup-units", &files);
        let mut units = Units { filter: Filter::default() };
        let (mut told, problems) = tree.read(|host, out| units.read(host, out));
        told.sort();
        let one = r#"slice="system.slice",unit="a.service""#;
        assert_eq!(
            told,
            [
                format!(r#"node_cgroup_unit_cpu_seconds{{{one},mode="system"}} 1"#),
                format!(r#"node_cgroup_unit_cpu_seconds{{{one},mode="user"}} 2.5"#),
                format!("node_cgroup_unit_cpu_throttled_seconds{{{one}}} 0.000007"),
                format!(r#"node_cgroup_unit_io_bytes{{{one},operation="read"}} 12"#),
                format!(r#"node_cgroup_unit_io_bytes{{{one},operation="write"}} 1"#),
                format!(r#"node_cgroup_unit_io_operations{{{one},operation="read"}} 3"#),
                format!(r#"node_cgroup_unit_io_operations{{{one},operation="write"}} 1"#),
                format!("node_cgroup_unit_memory_bytes{{{one}}} 4096"),
                r#"node_cgroup_unit_memory_bytes{slice="user.slice/user-0.slice",unit="session-1.scope"} 1"#.into(),
                format!("node_cgroup_unit_oom_kills{{{one}}} 2"),
                format!(r#"node_cgroup_unit_pressure_stalled_seconds{{{one},resource="io"}} 0.5"#),
                format!(r#"node_cgroup_unit_pressure_waiting_seconds{{{one},resource="io"}} 1.5"#),
            ]
        );
        assert_eq!(
            problems,
            ["sys/fs/cgroup/user.slice/user-0.slice/session-1.scope/pids.current: expected an unsigned integer, found \"many\""]
        );
    }

    #[test]
    fn hosts_without_version_two() {
        let tree = Tree::new("cgroup-none", &[("sys/fs/cgroup/cpu/tasks", "")]);
        let mut units = Units { filter: Filter::default() };
        let (told, problems) = tree.read(|host, out| units.read(host, out));
        assert_eq!((told.len(), problems), (0, vec!["sys/fs/cgroup/cgroup.controllers: control groups of version 2 are not mounted".to_owned()]));
    }
}
