//! Runs a task step by step: says what it does, goes on after a failure, and sums up at the end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The steps of one task, as they are done.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
    tests: Counts,
}

struct Step {
    name: String,
    took: Duration,
    failure: Option<String>,
}

/// What the test runner counted, all runs added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Steps {
    /// Does one step; a failure is kept for the end.
    pub(crate) fn step(&mut self, name: impl Into<String>, work: impl FnOnce() -> Result<(), String>) {
        let name = name.into();
        println!("\n==> {name}");
        let _ = std::io::stdout().flush();
        let start = Instant::now();
        let failure = work().err();
        if let Some(message) = &failure {
            println!("--> failed: {message}");
        }
        self.done.push(Step { name, took: start.elapsed(), failure });
    }

    /// Runs a command as a step; its output goes where ours goes.
    pub(crate) fn command(&mut self, name: impl Into<String>, mut command: Command) {
        self.step(name, || run(&mut command));
    }

    /// Runs `cargo test` as a step and adds up what it counts.
    pub(crate) fn tests(&mut self, name: impl Into<String>, mut command: Command) {
        let mut counts = Counts::default();
        self.step(name, || run_counting(&mut command, &mut counts));
        self.tests.passed += counts.passed;
        self.tests.failed += counts.failed;
        self.tests.ignored += counts.ignored;
    }

    /// How many tests have passed so far.
    pub(crate) fn passed(&self) -> u64 {
        self.tests.passed
    }

    /// Sums up: a line a step, for tests the count of all, and an error if anything failed.
    pub(crate) fn finish(self) -> Result<(), String> {
        println!("\n==> summary");
        for Step { name, took, failure } in &self.done {
            let verdict = if failure.is_some() { "FAILED" } else { "ok" };
            println!("{verdict:>6}  {:>7.1} s  {name}", took.as_secs_f64());
        }
        let Counts { passed, failed, ignored } = self.tests;
        if self.tests != Counts::default() {
            println!("\n{passed} passed, {failed} failed, {ignored} skipped");
        }
        let failed: Vec<&str> =
            self.done.iter().filter(|s| s.failure.is_some()).map(|s| s.name.as_str()).collect();
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join("; "))) }
    }
}

/// Runs a command to its end, after showing it; an error unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    println!("    {}", shown(command));
    run_quietly(command)
}

/// The same without showing it.
pub(crate) fn run_quietly(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| not_started(command, &e))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command))) }
}

/// The same, passing standard output on line by line and counting the test results in it.
fn run_counting(command: &mut Command, counts: &mut Counts) -> Result<(), String> {
    println!("    {}", shown(command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| not_started(command, &e))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|e| format!("reading the output of {}: {e}", shown(command)))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(result) = test_result(&line) {
                counts.passed += result.passed;
                counts.failed += result.failed;
                counts.ignored += result.ignored;
            }
        }
    }
    let status = child.wait().map_err(|e| not_started(command, &e))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command))) }
}

/// `test result: ok. 25 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.12s`
fn test_result(line: &str) -> Option<Counts> {
    let (_, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| {
        counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse().ok()).unwrap_or(0)
    };
    Some(Counts { passed: count("passed"), failed: count("failed"), ignored: count("ignored") })
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("{} did not start: {error}", shown(command))
}

/// A command as a person would type it.
fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={:?} ", name.to_string_lossy(), value?.to_string_lossy()))
    });
    let program = std::path::Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    let arguments = command.get_args().map(|a| format!(" {}", a.to_string_lossy()));
    variables.chain([program]).chain(arguments).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_test_runner() {
        let line = "test result: FAILED. 25 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.12s";
        assert_eq!(test_result(line), Some(Counts { passed: 25, failed: 2, ignored: 1 }));
        assert_eq!(test_result("running 25 tests"), None);
    }

    #[test]
    fn a_failed_step_fails_the_task_and_the_next_one_still_runs() {
        let mut steps = Steps::default();
        let mut ran = false;
        steps.step("first", || Err("broken".to_owned()));
        steps.step("second", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert_eq!(steps.finish(), Err("failed: first".to_owned()));
    }

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(shown(&command), r#"RUSTDOCFLAGS="-D warnings" cargo doc --no-deps"#);
    }
}
