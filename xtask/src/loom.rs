//! `cargo xtask loom`: the models of the lock-free parts, every interleaving of them.

use std::fs;

use crate::steps::Steps;
use crate::workspace::{cargo, packages};

pub(crate) const HELP: &str = "\
Runs the loom models: small tests of the lock-free parts, in every order that the memory model allows.

Usage: cargo xtask loom

They are the tests with `loom` in their path, in the packages whose manifest has dependencies for `cfg(loom)`.
LOOM_MAX_PREEMPTIONS (3) bounds how often a thread is interrupted; see the documentation of the crate loom.
";

pub(crate) fn run() -> Result<(), String> {
    let mut steps = Steps::default();
    for package in packages()? {
        let manifest = package.folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
        if !text.contains("cfg(loom)") {
            continue;
        }
        // A build folder of its own: the flag would have everything built anew, here and when next tested.
        let mut command = cargo(["test", "--release", "--target-dir=target/loom", "--lib", "--package"]);
        command.args([&package.name, "loom"]).env("RUSTFLAGS", rustflags());
        if std::env::var_os("LOOM_MAX_PREEMPTIONS").is_none() {
            command.env("LOOM_MAX_PREEMPTIONS", "3");
        }
        command.env("CARGO_PROFILE_RELEASE_LTO", "off");
        steps.tests(format!("models of {}", package.name), command);
    }
    if steps.passed() == 0 {
        return Err("no loom model was run".to_owned());
    }
    steps.finish()
}

fn rustflags() -> String {
    let before = std::env::var("RUSTFLAGS").unwrap_or_default();
    format!("{before} --cfg loom").trim_start().to_owned()
}
