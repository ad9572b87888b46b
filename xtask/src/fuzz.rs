//! `cargo xtask fuzz`: every fuzz target of the project for some seconds each, and a table of what came out.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::steps;
use crate::workspace::{self, cargo, root};

pub(crate) const HELP: &str = "\
Runs every fuzz target of the project and prints a table; fails if any has a finding.

Usage: cargo xtask fuzz [--seconds N] [--target WORD] [--jobs N]

Options:
  --seconds N    How long each target runs (30)
  --target WORD  Only targets whose name contains WORD
  --jobs N       How many run at a time (one a core)

Fuzz crates are the folders named `fuzz` beside a crate's sources. What they find is kept in target/fuzz, and
so is the corpus, which the next run goes on from; a folder seeds/TARGET in the fuzz crate is read as well.
";

/// The most time that one input may take, in seconds.
const INPUT_SECONDS: u32 = 1;
/// The most memory that one allocation may ask for, in MiB.
const ALLOCATION_MIB: u32 = 256;
/// The most memory that the process may take, in MiB: what an input may need, and as much again for the
/// address sanitizer and the corpus.
const PROCESS_MIB: u32 = 1024;
/// How long after its time a target is ended from outside.
const GRACE: Duration = Duration::from_secs(30);

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

struct Target {
    name: String,
    /// The fuzz crate's folder.
    folder: PathBuf,
}

struct Outcome {
    name: String,
    executions: u64,
    a_second: u64,
    peak_mib: u64,
    finding: Option<String>,
}

pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut arguments = Arguments::new(arguments);
    let seconds: u64 = arguments.option("--seconds")?.unwrap_or(30);
    let wanted: String = arguments.option("--target")?.unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs: usize = arguments.option("--jobs")?.unwrap_or(cores).max(1);
    arguments.finish()?;

    let targets: Vec<Target> =
        discover()?.into_iter().filter(|target| target.name.contains(&wanted)).collect();
    if targets.is_empty() {
        return Err("there is no fuzz target of that name".to_owned());
    }
    install_cargo_fuzz()?;
    let mut folders: Vec<&Path> = targets.iter().map(|t| t.folder.as_path()).collect();
    folders.dedup();
    for folder in folders {
        println!("\n==> building {}", shown(folder));
        steps::run(&mut cargo_fuzz(
            &["build", "--target-dir", &out().display().to_string(), "--fuzz-dir"],
            folder,
        ))?;
    }

    println!("\n==> {} targets, {seconds} s each, {jobs} at a time", targets.len());
    let outcomes = fuzz_all(&targets, seconds, jobs);
    println!("\n{:<28} {:>12} {:>10} {:>9}  finding", "target", "executions", "a second", "peak MiB");
    for Outcome { name, executions, a_second, peak_mib, finding } in &outcomes {
        let finding = finding.as_deref().unwrap_or("none");
        println!("{name:<28} {executions:>12} {a_second:>10} {peak_mib:>9}  {finding}");
    }
    let found: Vec<&str> = outcomes.iter().filter(|o| o.finding.is_some()).map(|o| o.name.as_str()).collect();
    if found.is_empty() { Ok(()) } else { Err(format!("findings in {}", found.join(", "))) }
}

/// The fuzz targets of all fuzz crates: the programs that their manifests declare.
fn discover() -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    for package in workspace::packages()? {
        let folder = package.folder.join("fuzz");
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        for name in workspace::programs_of(&folder)? {
            targets.push(Target { name, folder: folder.clone() });
        }
    }
    Ok(targets)
}

fn install_cargo_fuzz() -> Result<(), String> {
    if cargo(["fuzz", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    println!("\n==> installing cargo-fuzz");
    steps::run(&mut cargo(["install", "--locked", "cargo-fuzz"]))
}

/// Sanitizers and coverage are unstable options; `RUSTC_BOOTSTRAP` lets the installed compiler have them.
fn cargo_fuzz(arguments: &[&str], folder: &Path) -> Command {
    let mut command = cargo(["fuzz"]);
    command.args(arguments).arg(folder).env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Where fuzzing keeps everything: builds, corpora, findings, logs.
fn out() -> PathBuf {
    root().join("target/fuzz")
}

fn fuzz_all(targets: &[Target], seconds: u64, jobs: usize) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(targets.len()) {
            scope.spawn(|| {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = fuzz(target, seconds).unwrap_or_else(|message| Outcome {
                        name: target.name.clone(),
                        executions: 0,
                        a_second: 0,
                        peak_mib: 0,
                        finding: Some(message),
                    });
                    println!(
                        "    {}: {}",
                        outcome.name,
                        outcome.finding.as_deref().unwrap_or("nothing found")
                    );
                    let _ = std::io::stdout().flush();
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    outcomes
}

fn fuzz(target: &Target, seconds: u64) -> Result<Outcome, String> {
    let Target { name, folder } = target;
    let corpus = out().join("corpus").join(name);
    let findings = out().join("findings").join(name);
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let log = out().join(format!("{name}.log"));
    let file = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let mut command = Command::new(out().join(TRIPLE).join("release").join(name));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-malloc_limit_mb={ALLOCATION_MIB}"))
        .arg(format!("-rss_limit_mb={PROCESS_MIB}"))
        .arg("-print_final_stats=1")
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .arg(&corpus)
        // Freed memory is held back to catch its use; a little of it is enough, and the limits stay meaningful.
        .env("ASAN_OPTIONS", "quarantine_size_mb=16:detect_odr_violation=0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file);
    let seeds = folder.join("seeds").join(name);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let mut child = command.spawn().map_err(|e| format!("{name} did not start: {e}"))?;
    let end = Instant::now() + Duration::from_secs(seconds) + GRACE;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            break Some(status);
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let text = fs::read(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let finding = match status {
        Some(status) if status.success() => None,
        Some(_) => Some(format!("{} (see {})", reason(&text), shown(&log))),
        None => Some(format!("did not end in time (see {})", shown(&log))),
    };
    let executions = stat(&text, "number_of_executed_units");
    Ok(Outcome {
        name: name.clone(),
        executions,
        a_second: stat(&text, "average_exec_per_sec"),
        peak_mib: stat(&text, "peak_rss_mb"),
        finding,
    })
}

/// `stat::peak_rss_mb:              81`
fn stat(log: &str, name: &str) -> u64 {
    let number =
        |line: &str| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok();
    log.lines().find_map(number).unwrap_or(0)
}

/// What libFuzzer, the sanitizer or the panic message says it was; a panic's words stand in the next line.
fn reason(log: &str) -> String {
    let mut lines = log.lines();
    let telling =
        |line: &&str| ["panicked at", "ERROR: ", "SUMMARY: "].iter().any(|word| line.contains(word));
    match lines.find(telling) {
        Some(line) if line.contains("panicked at") => {
            format!("{} {}", line.trim(), lines.next().unwrap_or_default().trim())
        }
        Some(line) => line.trim().to_owned(),
        None => "ended with an error".to_owned(),
    }
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_reasons_are_read_from_the_log() {
        let log =
            "Done 1024 runs in 2 second(s)\nstat::number_of_executed_units: 1024\nstat::peak_rss_mb:   81\n";
        assert_eq!(stat(log, "number_of_executed_units"), 1024);
        assert_eq!(stat(log, "peak_rss_mb"), 81);
        assert_eq!(stat(log, "peak"), 0);
        let log =
            "INFO: seed\n==1== ERROR: libFuzzer: timeout after 1 seconds\nSUMMARY: libFuzzer: timeout\n";
        assert_eq!(reason(log), "==1== ERROR: libFuzzer: timeout after 1 seconds");
        let log = "thread '<unnamed>' panicked at src/lib.rs:2:1:\nindex out of bounds\n";
        assert_eq!(reason(log), "thread '<unnamed>' panicked at src/lib.rs:2:1: index out of bounds");
    }
}
