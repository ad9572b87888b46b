//! `cargo xtask lint`: formatting, clippy and documentation with warnings as errors, every feature alone.

use crate::steps::Steps;
use crate::workspace::{Package, cargo, packages};

/// The benches' features bring rival libraries, which are only worth building together.
const ONLY_WHOLE: &[&str] = &["openmetrics-benches"];

pub(crate) const HELP: &str = "\
Formatting, clippy and documentation with warnings as errors; every package with features without them, with the
default ones, and with each one alone. `cargo deny` too, where it is installed.

Usage: cargo xtask lint
";

pub(crate) fn run() -> Result<(), String> {
    let packages = packages()?;
    let mut steps = Steps::default();
    steps.command("Cargo.lock is up to date", {
        let mut command = cargo(["metadata", "--locked", "--format-version=1"]);
        command.stdout(std::process::Stdio::null());
        command
    });
    steps.command("formatting", cargo(["fmt", "--all", "--check"]));
    steps.command("clippy, all features", clippy(&["--workspace", "--all-features"]));
    for combination in combinations(&packages) {
        let arguments: Vec<&str> = combination.iter().map(String::as_str).collect();
        steps.command(format!("clippy, {}", arguments.join(" ")), clippy(&arguments));
    }
    let mut doc = cargo(["doc", "--workspace", "--all-features", "--no-deps", "--quiet"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    steps.command("documentation", doc);
    if cargo(["deny", "--version"]).output().is_ok_and(|output| output.status.success()) {
        // Advisories need a download and can turn up any day; they are for a person to look at.
        steps.command("what is brought in", cargo(["deny", "check", "bans", "licenses", "sources"]));
    } else {
        println!("\nleft out: `cargo deny check`, since cargo-deny is not installed");
    }
    steps.finish()
}

fn clippy(selection: &[&str]) -> std::process::Command {
    let mut command = cargo(["clippy", "--quiet", "--all-targets"]);
    command.args(selection).args(["--", "-D", "warnings"]);
    command
}

/// For each package with features: none of them, the default ones, and each one alone.
fn combinations(packages: &[Package]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for Package { name, features, .. } in packages {
        if features.is_empty() || ONLY_WHOLE.contains(&name.as_str()) {
            continue;
        }
        let with = |more: &[&str]| ["-p", name].iter().chain(more).map(|&s| s.to_owned()).collect();
        all.push(with(&["--no-default-features"]));
        all.push(with(&[]));
        for feature in features {
            all.push(with(&["--no-default-features", "--features", feature]));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_built_alone() {
        let package = |name: &str, features: &[&str]| Package {
            name: name.to_owned(),
            folder: name.into(),
            programs: Vec::new(),
            features: features.iter().map(|&f| f.to_owned()).collect(),
        };
        let packages =
            [package("a", &["http", "parse"]), package("b", &[]), package(ONLY_WHOLE[0], &["peers"])];
        let shown: Vec<String> = combinations(&packages).iter().map(|c| c.join(" ")).collect();
        assert_eq!(
            shown,
            [
                "-p a --no-default-features",
                "-p a",
                "-p a --no-default-features --features http",
                "-p a --no-default-features --features parse",
            ]
        );
    }
}
