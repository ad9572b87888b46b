//! Programs of other projects that the tests run against ours: who they are, where they come from, how they are
//! started and asked.
//!
//! A test that needs one begins with [`find`]. On a bare machine that returns `None`, prints why, and the test ends
//! there; where [`REQUIRE`] is set, as `cargo xtask test` does, a missing peer is a failure.

mod browser;
mod program;
mod prometheus;
mod promtool;

use std::env;
use std::io::Write;
use std::path::PathBuf;

pub use browser::Browser;
pub use program::{Program, Response, get};
pub use prometheus::{Options, Prometheus, Protocol, Sample, Version};
pub use promtool::check_metrics;

/// Set to `1`, it turns a missing peer from a skipped test into a failed one.
pub const REQUIRE: &str = "OPENMETRICS_REQUIRE_PEERS";

/// A foreign program that tests use.
#[derive(Debug)]
pub struct Peer {
    /// The name of the executable.
    pub program: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
    /// What it does for us.
    pub purpose: &'static str,
}

/// Every peer. What stands here is installed by `cargo xtask test` where it may.
pub const PEERS: &[Peer] = &[
    Peer {
        program: "prometheus",
        package: "prometheus",
        purpose: "scrapes the node exporter and the quickstart",
    },
    Peer {
        program: "chromium",
        package: "chromium",
        purpose: "shows the pages for people, and runs their script",
    },
    Peer { program: "promtool", package: "prometheus", purpose: "checks expositions and configurations" },
];

/// Where `program` is, or `None` after saying on standard error that a test is skipped.
///
/// # Panics
///
/// When it is missing and [`REQUIRE`] says that it must not be.
pub fn find(program: &str) -> Option<PathBuf> {
    if let Some(path) = on_path(program) {
        return Some(path);
    }
    let package = PEERS.iter().find(|p| p.program == program).map_or(program, |p| p.package);
    assert!(
        !required(),
        "{program} is not installed, and {REQUIRE} is set; on Debian: apt-get install {package}"
    );
    say_skipped(&format!(
        "{program} is not installed (`cargo xtask test` sets it up; on Debian: apt-get install {package})"
    ));
    None
}

/// Says on standard error that a test is skipped, in a way that the test harness does not keep for itself.
pub fn say_skipped(why: &str) {
    let test = std::thread::current();
    let _ = writeln!(std::io::stderr(), "skipped: {}: {why}", test.name().unwrap_or("a test"));
}

/// Whether a missing peer is a failure.
pub fn required() -> bool {
    env::var_os(REQUIRE).is_some_and(|value| value == "1")
}

/// The first executable of that name on `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}
