//! `cargo xtask sanitize`: the stress programs under the address and the thread sanitizer.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{self, Steps};
use crate::workspace::{Package, cargo, packages, root};

pub(crate) const HELP: &str = "\
Runs the stress programs under the address sanitizer and the thread sanitizer.

Usage: cargo xtask sanitize

They are the programs and examples of the workspace whose names begin with `stress`. They end by themselves, and
fail if they lose anything. Plain programs and not tests, because the test harness talks through parts
of the standard library that the thread sanitizer cannot see into.
";

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// A sanitizer, what rustc calls it, and its options when running.
const SANITIZERS: &[(&str, &str, &str)] = &[
    ("address", "ASAN_OPTIONS", "halt_on_error=1:detect_leaks=1"),
    ("thread", "TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1"),
];

pub(crate) fn run() -> Result<(), String> {
    let packages = packages()?;
    let programs: Vec<(&Package, &str, &str)> = packages
        .iter()
        .flat_map(|package| {
            package.programs.iter().map(move |(kind, name)| (package, kind.as_str(), name.as_str()))
        })
        .filter(|(_, _, name)| name.starts_with("stress"))
        .collect();
    if programs.is_empty() {
        return Err("there is no stress program in the workspace".to_owned());
    }
    let mut steps = Steps::default();
    for (sanitizer, options, value) in SANITIZERS {
        for (package, kind, name) in &programs {
            steps.step(format!("{name} under the {sanitizer} sanitizer"), || {
                steps::run(&mut build(package, kind, name, sanitizer))?;
                let folder = if *kind == "example" { "release/examples" } else { "release" };
                let mut program = Command::new(target_folder(sanitizer).join(TRIPLE).join(folder).join(name));
                program.env(options, format!("{value}{}", suppressions(sanitizer)));
                steps::run(&mut program)
            });
        }
    }
    steps.finish()
}

fn build(package: &Package, kind: &str, name: &str, sanitizer: &str) -> Command {
    let mut command = cargo(["build", "--release", "--target", TRIPLE, "--package", &package.name]);
    command.arg(format!("--{kind}={name}")).arg("--target-dir").arg(target_folder(sanitizer));
    // Sanitizers are unstable options; RUSTC_BOOTSTRAP lets the installed compiler have them. The standard library as it
    // is shipped is not built with them, which the compiler would refuse but for the second flag.
    command.env("RUSTC_BOOTSTRAP", "1");
    let flags =
        format!("-Zsanitizer={sanitizer} -Cunsafe-allow-abi-mismatch=sanitizer --cfg sanitize_{sanitizer}");
    command.env("RUSTFLAGS", flags).env("CARGO_PROFILE_RELEASE_LTO", "off");
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only").env("CARGO_PROFILE_RELEASE_STRIP", "none");
    command
}

/// The sanitizers' builds are kept apart from each other and from ours.
fn target_folder(sanitizer: &str) -> PathBuf {
    root().join("target/sanitize").join(sanitizer)
}

/// Reports that are known to be about the standard library's own insides.
fn suppressions(sanitizer: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{sanitizer}.suppressions"));
    if file.is_file() { format!(":suppressions={}", file.display()) } else { String::new() }
}
