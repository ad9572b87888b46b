//! The programs that are put to the test, and what the kernel says of them.

use std::fs;
use std::path::{Path, PathBuf};

use xtask::peers::Program;

use super::client::{self, Answer};
use crate::steps;
use crate::workspace::{cargo, root};

/// A program of ours that serves metrics.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    /// Which of the package's programs it is, as `cargo build` takes it.
    selection: &'static [&'static str],
    /// Where the built program is, from `target/release`.
    path: &'static str,
    arguments: &'static [&'static str],
}

pub(crate) const SUBJECTS: &[Source] = &[
    Source {
        name: "node-exporter",
        package: "openmetrics-node-exporter",
        selection: &["--bin", "node-exporter"],
        path: "node-exporter",
        arguments: &["--web.listen-address=127.0.0.1:0"],
    },
    Source {
        name: "snmp-bridge",
        package: "openmetrics-snmp-bridge",
        selection: &["--bin", "snmp-bridge"],
        path: "snmp-bridge",
        arguments: &["--web.listen-address=127.0.0.1:0"],
    },
    Source {
        name: "quickstart",
        package: "openmetrics-examples",
        selection: &["--example", "quickstart"],
        path: "examples/quickstart",
        arguments: &["--listen", "127.0.0.1:0"],
    },
];

/// A built program, to be started as often as needed.
pub(crate) struct Subject {
    path: PathBuf,
    arguments: &'static [&'static str],
}

impl Source {
    pub(crate) fn build(&self) -> Result<Subject, String> {
        let mut command = cargo(["build", "--quiet", "--release", "--package", self.package]);
        command.args(self.selection);
        steps::run(&mut command)?;
        Ok(Subject { path: root().join("target/release").join(self.path), arguments: self.arguments })
    }
}

impl Subject {
    pub(crate) fn start(&self) -> Running {
        Running(Program::start(&self.path, self.arguments))
    }

    /// The same with a limit on open files.
    pub(crate) fn start_with_files(&self, limit: u32) -> Running {
        let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
        let path = self.path.display().to_string();
        let mut arguments = vec!["-c", &script, &path];
        arguments.extend(self.arguments);
        Running(Program::start(Path::new("sh"), &arguments))
    }
}

/// A running subject.
pub(crate) struct Running(pub(crate) Program);

impl Running {
    pub(crate) fn address(&self) -> &str {
        self.0.address()
    }

    /// One whole scrape over a connection of its own.
    pub(crate) fn scrape(&self) -> Result<Answer, String> {
        client::scrape(self.address())
    }

    /// Resident memory in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Whose threads these are: all of the process.
    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// How many files and sockets it has open.
    pub(crate) fn files(&self) -> usize {
        fs::read_dir(self.proc("fd")).map_or(0, Iterator::count)
    }

    /// Processor time so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> f64 {
        // pid (name) state ppid ... with utime and stime as the 14th and 15th; the name may have spaces in it
        let stat = fs::read_to_string(self.proc("stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks: u64 = after_name.split(' ').skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
        ticks as f64 / 100.0 // the kernel reports in hundredths on every machine that we know
    }

    /// `VmRSS:     4132 kB`, with a tab
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(self.proc("status")).unwrap_or_default();
        let number = |line: &str| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok();
        status.lines().find_map(number).unwrap_or(0)
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.0.pid().to_string()).join(file)
    }
}
