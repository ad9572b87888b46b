//! The command line: what can be asked, and how a run ends.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{check, convert, corpus, diff, explain, fmt, probe, serve, shell, stats, watch};

/// The judge of every endpoint: checks expositions of OpenMetrics and Prometheus formats.
#[derive(Debug, Parser)]
#[command(name = "omtool", version, max_term_width = 100, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Exit status: 0 no finding at or above --fail-on, 1 findings, 2 usage or input/output, 3 an input that cannot be read at all. The few broken rules that every
reader lets pass count as \"should\".

Examples:
  omtool check metrics.txt                        what is wrong with a file
  curl -s localhost:9100/metrics | omtool check -
  omtool probe http://localhost:9100/metrics      what is wrong with an endpoint
  omtool explain OM1-CNT-03                       what a rule says and why";

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge expositions: every rule that is broken, where, and what to do.
    Check(check::Arguments),
    /// Judge an endpoint: formats for every kind of scraper, headers, compression, methods, load, time.
    Probe(probe::Arguments),
    /// Say what a rule means, with examples.
    Explain(explain::ExplainArguments),
    /// List all rules.
    Rules(explain::RulesArguments),
    /// Write an exposition in another format; what that cannot say is told on standard error.
    Convert(convert::Arguments),
    /// Say what differs between two expositions, whatever their formats; status 1 if anything does.
    Diff(diff::Arguments),
    /// Count families, metrics, samples, labels and bytes.
    Stats(stats::Arguments),
    /// Write expositions anew, in one spelling.
    Fmt(fmt::Arguments),
    /// Show an endpoint's numbers and how fast they change.
    Watch(watch::Arguments),
    /// Be an endpoint that replays expositions.
    Serve(serve::Arguments),
    /// Try omtool, or any other program, on inputs whose verdict is known.
    Corpus(corpus::Arguments),
    /// Print completions for a shell.
    Completions(shell::CompletionsArguments),
    /// Print the manual page.
    Man,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing at or above the level that fails.
    Clean,
    /// Findings.
    Findings,
    /// An input that cannot be read at all.
    Unreadable,
}

/// Runs what was asked and turns the outcome into an exit status.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Rules(arguments) => explain::list(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Stats(arguments) => stats::run(&arguments),
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man => shell::man(),
        Command::Corpus(arguments) => corpus::run(&arguments),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Ok(Outcome::Unreadable) => ExitCode::from(3),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omtool: {error}");
            ExitCode::from(if error.unreadable { 3 } else { 2 })
        }
    }
}

/// What keeps a command from answering: usage, files, sockets.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    closed_pipe: bool,
    unreadable: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), closed_pipe: false, unreadable: false }
    }

    /// An input that no command can work with; it ends with the status of such.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self { unreadable: true, ..Self::new(message) }
    }

    /// Whether the reader of our output went away, as `head` does; no reason to complain.
    fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let closed_pipe = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self { closed_pipe, ..Self::new(error.to_string()) }
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    /// Whether standard output gets colours.
    pub(crate) fn is_wanted(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !refused && std::io::stdout().is_terminal()
            }
        }
    }
}
