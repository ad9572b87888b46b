//! What strangers and broken scrapers do to an endpoint: crowds, half requests, slow readers, things that hang.
//!
//! `cargo xtask abuse` puts every program of ours to all of it; the tests of the programs use the brief forms.

mod client;
mod crowds;
mod endings;
mod hung;
mod requests;
mod slow;
mod soak;
mod subject;
mod timing;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

pub use subject::{Kind, Subject};

/// How much is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// How long a program is watched while it is scraped every second.
    pub soak: Duration,
    /// Fewer at once, for less time, and with more patience: what a test can do on a machine that is busy.
    pub brief: bool,
}

impl Scale {
    /// The first figure in full, the second in brief.
    fn of<T>(self, full: T, brief: T) -> T {
        if self.brief { brief } else { full }
    }

    /// A time that must not be exceeded; ten times as much in brief.
    fn patience(self, full: Duration) -> Duration {
        full * self.of(1, 10)
    }
}

/// One kind of abuse.
#[derive(Debug)]
pub struct Case {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is to be seen.
    pub bar: &'static str,
    /// Whether it loads the machine, so that nothing else can be measured meanwhile.
    pub loud: bool,
    run: fn(&Subject, Scale) -> Verdict,
}

/// The figures that were seen, or what went wrong; `None` where a program has nothing of the sort.
pub type Verdict = Option<Result<String, String>>;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        name: "half-open",
        bar: "500 unfinished requests: all cut within 12 s, every scrape succeeds, 8 KiB a connection",
        loud: false,
        run: |s, scale| Some(crowds::half_open(s, scale)),
    },
    Case {
        name: "slow-readers",
        bar: "60 readers of a byte a second: no scrape fails, nothing held for them after 60 s",
        loud: false,
        run: |s, _| Some(crowds::slow_readers(s)),
    },
    Case {
        name: "hung",
        bar: "each answer within its deadline, the second within 1 s, no thread more after 50 scrapes",
        loud: false,
        run: hung::run,
    },
    Case {
        name: "soak",
        bar: "from minute 2 on memory grows by 1 MiB at most, file descriptors and threads do not",
        loud: false,
        run: |s, scale| Some(soak::run(s, scale)),
    },
    Case {
        name: "requests",
        bar: "the right answer to each malformed request",
        loud: true,
        run: |s, _| Some(requests::run(s)),
    },
    Case {
        name: "crowd",
        bar: "200 connections with gzip for 10 s: 2,000 answers/s, no error, p99 250 ms, 16 MiB",
        loud: true,
        run: |s, scale| Some(crowds::crowd(s, scale)),
    },
    Case {
        name: "few-files",
        bar: "64 file descriptors, 200 connections: a scraper keeps whole bodies, recovery in 1 s, CPU under 5 %",
        loud: true,
        run: |s, scale| Some(crowds::few_files(s, scale)),
    },
    Case {
        name: "stop",
        bar: "8 scrapes in flight at SIGTERM: none lost, exit 0, within 5 s",
        loud: true,
        run: |s, scale| Some(endings::stop(s, scale)),
    },
    Case {
        name: "timing",
        bar: "a wrong password takes as long for a user that is not there, within 5 %",
        loud: true,
        run: timing::run,
    },
];

impl Case {
    /// Puts a program to it. A panic, such as of a program that does not start, is what went wrong.
    pub fn run(&self, subject: &Subject, scale: Scale) -> Verdict {
        if !subject.kind.is_for(self.name) {
            return None;
        }
        catch_unwind(AssertUnwindSafe(|| (self.run)(subject, scale))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Some(Err(text.unwrap_or_else(|| "panicked".to_owned())))
        })
    }
}

/// Puts a built program to the brief forms of what a test has the time for, one after the other.
///
/// # Panics
///
/// When one of them goes wrong.
pub fn in_brief(kind: Kind, path: &Path) {
    let subject = Subject::new(kind, path.to_owned());
    let scale = Scale { soak: Duration::from_secs(3), brief: true };
    // Slow readers are cut by the clock of the server; the library's own tests have that with shorter limits.
    for case in CASES.iter().filter(|case| !["slow-readers", "timing"].contains(&case.name)) {
        // A machine that stands still for a while, as those of CI do, is no fault of ours; twice is.
        for is_last in [false, true] {
            let start = Instant::now();
            match case.run(&subject, scale) {
                Some(Ok(figures)) => {
                    println!("{}: {figures}, in {:.1} s", case.name, start.elapsed().as_secs_f64());
                }
                Some(Err(why)) if is_last => panic!("{}: {why}", case.name),
                Some(Err(why)) => {
                    eprintln!("{}: {why}; once more", case.name);
                    continue;
                }
                None => {}
            }
            break;
        }
    }
}
