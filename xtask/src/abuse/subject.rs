//! The programs that are put to the test, and what the kernel says of them.

use std::fs;
use std::path::{Path, PathBuf};

use super::client::{self, Answer};
use crate::peers::Program;

/// What a program is, so that it is started and abused in a way that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The node exporter.
    Node,
    /// The SNMP bridge.
    Snmp,
    /// An application that serves its metrics at `--listen`.
    Application,
    /// An application whose series come and go: it is only watched.
    Churn,
}

impl Kind {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Node => &["--web.listen-address=127.0.0.1:0"],
            Self::Snmp => &[
                "--web.listen-address=127.0.0.1:0",
                concat!("--config.file=", env!("CARGO_MANIFEST_DIR"), "/src/abuse/snmp.yml"),
            ],
            Self::Application => &["--listen", "127.0.0.1:0"],
            Self::Churn => &["--listen", "127.0.0.1:0", "--a-second", "1000"],
        }
    }

    /// Whether a case is for programs of this kind.
    pub(super) fn is_for(self, case: &str) -> bool {
        self != Self::Churn || case == "soak"
    }
}

/// A built program, to be started as often as needed.
#[derive(Debug)]
pub struct Subject {
    pub(super) kind: Kind,
    path: PathBuf,
}

impl Subject {
    /// The program at `path`.
    pub fn new(kind: Kind, path: PathBuf) -> Self {
        Self { kind, path }
    }

    /// Starts it for whoever has other plans with it than a case of abuse.
    pub fn start_alone(&self) -> Program {
        Program::start(&self.path, self.kind.arguments())
    }

    pub(super) fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// The same with more arguments.
    pub(super) fn start_with(&self, more: &[&str]) -> Running {
        let arguments = [self.kind.arguments(), more].concat();
        Running(Program::start(&self.path, &arguments))
    }

    /// The same after a script of the shell, in which it is `exec "$0" "$@"`.
    pub(super) fn start_by(&self, shell: &[&str], script: &str, more: &[&str]) -> Running {
        let path = self.path.display().to_string();
        let program = shell.first().copied().unwrap_or("sh");
        let mut arguments = shell.get(1..).unwrap_or_default().to_vec();
        arguments.extend(["-c", script, &path]);
        arguments.extend(self.kind.arguments().iter().chain(more));
        Running(Program::start(Path::new(program), &arguments))
    }

    /// The same with a limit on open files.
    pub(super) fn start_with_files(&self, limit: u32) -> Running {
        self.start_by(&["sh"], &format!("ulimit -n {limit} && exec \"$0\" \"$@\""), &[])
    }
}

/// A running subject.
pub(super) struct Running(pub(super) Program);

impl Running {
    pub(super) fn address(&self) -> &str {
        self.0.address()
    }

    /// One whole scrape over a connection of its own.
    pub(super) fn scrape(&self) -> Result<Answer, String> {
        client::scrape(self.address())
    }

    /// Resident memory in KiB.
    pub(super) fn memory_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Whose threads these are: all of the process.
    pub(super) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// How many files and sockets it has open.
    pub(super) fn files(&self) -> usize {
        fs::read_dir(self.proc("fd")).map_or(0, Iterator::count)
    }

    /// How many connections to it the kernel has on its side, those included that the program has closed already and that
    /// still have something to deliver.
    pub(super) fn connections(&self) -> usize {
        // sl  local_address rem_address   st ...
        //  0: 0100007F:1F90 0100007F:D431 01 ...
        const LISTENING: &str = "0A";
        const WAITING_FOR_STRAYS: &str = "06"; // TIME_WAIT has nothing to deliver
        let port =
            self.address().rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).unwrap_or(0);
        let port = format!(":{port:04X}");
        let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let is_one = |line: &&str| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, state) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
            local.ends_with(&port) && state != LISTENING && state != WAITING_FOR_STRAYS
        };
        table.lines().skip(1).filter(is_one).count()
    }

    /// Processor time so far, in seconds.
    pub(super) fn processor_seconds(&self) -> f64 {
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
