//! `cargo xtask test`: sets up what the tests need, then runs all of them.

use std::env;

use xtask::peers;

use crate::judge;
use crate::setup;
use crate::steps::Steps;
use crate::workspace::{cargo, packages};

pub(crate) const HELP: &str = "\
Sets up what the tests need, then runs all of them: units, properties, documentation, peers. At last
`omtool` judges what our programs serve.

Usage: cargo xtask test

On Debian, as root or with a sudo that asks for no password, it installs the packages that the peer tests use and
that are missing; services in them are not started. Elsewhere it says what it leaves out and goes on. With CI set in the
environment a missing peer is a failure.
";

pub(crate) fn run() -> Result<(), String> {
    let present = |name: &str| packages().map(|all| all.iter().any(|p| p.name == name));
    let (benches, library) = (present("openmetrics-benches")?, present("openmetrics-sdk")?);
    let mut steps = Steps::default();

    let mut missing = Vec::new();
    steps.step("set-up", || {
        missing = setup::install_peers();
        Ok(())
    });
    // Where they could be set up they have to be used; on CI there is no excuse.
    let require = missing.is_empty() || env::var_os("CI").is_some();
    let cargo_test = |arguments: &[&str]| {
        let mut command = cargo(["test", "--no-fail-fast"]);
        command.args(arguments);
        if require {
            command.env(peers::REQUIRE, "1");
        }
        command
    };

    // The benches' features bring rival libraries; clippy has seen that they build, and no test needs them.
    steps.tests(
        "everything, all features",
        cargo_test(&["--workspace", "--exclude", "openmetrics-benches", "--all-features"]),
    );
    if library {
        steps.tests("the library, default features", cargo_test(&["-p", "openmetrics-sdk"]));
    }
    if benches {
        steps.tests("the benches", cargo_test(&["-p", "openmetrics-benches", "--lib", "--bins"]));
    }
    judge::add_to(&mut steps)?;
    steps.finish()?;
    for peer in missing {
        println!("left out: what needs {} ({})", peer.program, peer.purpose);
    }
    Ok(())
}
