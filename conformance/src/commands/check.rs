//! `omtool check`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::fmt::replace;
use super::input::Reader;
use crate::cli::{Colour, Failure, Outcome};
use crate::client::{ConnectArguments, is_address};
use crate::config::{Config, DEFAULT_FILE, Ignore};
use crate::render::{self, Judged, Output};
use crate::rule::Level;
use crate::subject::{Spec, Subject};
use crate::{fix, judge};

/// What to judge and how to say it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files, `-` for standard input, http:// or https:// addresses. Gzip is unpacked.
    #[arg(required = true)]
    inputs: Vec<String>,
    /// The format; found from Content-Type or content if not given.
    #[arg(long)]
    spec: Option<Spec>,
    #[command(flatten)]
    report: ReportArguments,
    /// Take the inputs for successive expositions of one target, in this order, and compare them too.
    #[arg(long)]
    sequence: bool,
    /// Repair the files first where that cannot change their meaning: line ends, blanks, comments, the order of metadata.
    #[arg(long)]
    fix: bool,
    #[command(flatten)]
    connect: ConnectArguments,
}

/// How findings are chosen and written; the same for all commands that have findings.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArguments {
    /// How to write the findings.
    #[arg(long, default_value = "human")]
    pub(crate) output: Output,
    /// The lowest level that makes the exit status 1.
    #[arg(long, default_value = "must", value_name = "LEVEL")]
    pub(crate) fail_on: Level,
    /// The lowest level that is shown; everything if not given, in the human output from `should` on.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) show: Option<Level>,
    /// Accept findings of a rule, or of a rule for some metrics (`*` stands for any characters). Repeatable.
    #[arg(long, value_name = "RULE[:METRIC]", value_parser = Ignore::from_option)]
    pub(crate) ignore: Vec<Ignore>,
    /// The most findings of each rule to show of one input; the others are counted.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) cap: usize,
    /// A file with findings to ignore [default: omtool.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// When to use colours.
    #[arg(long, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: Colour,
}

impl ReportArguments {
    /// The settings of the file and the command line together.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let mut config = match &self.config {
            Some(path) => Config::read(path).map_err(Failure::new)?,
            None if Path::new(DEFAULT_FILE).is_file() => {
                Config::read(Path::new(DEFAULT_FILE)).map_err(Failure::new)?
            }
            None => Config::default(),
        };
        config.ignore.extend(self.ignore.iter().cloned());
        Ok(config)
    }

    /// Writes the verdicts and says how the run ends.
    pub(crate) fn report(&self, mut all: Vec<Judged>) -> Result<Outcome, Failure> {
        let fails = all.iter().any(|judged| judged.verdict.fails(self.fail_on));
        let unreadable = all.iter().any(|judged| !judged.verdict.readable);
        let default = if self.output == Output::Human { Level::Should } else { Level::Advice };
        let lowest = self.show.unwrap_or(default).min(self.fail_on);
        for judged in &mut all {
            judged.verdict.findings.retain(|finding| finding.level >= lowest);
            judged.verdict.capped.retain(|(rule, _)| rule.level >= lowest);
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        render::write(self.output, self.color.is_wanted(), &all, &mut out)?;
        out.flush()?;
        Ok(match (unreadable, fails) {
            (true, _) => Outcome::Unreadable,
            (_, true) => Outcome::Findings,
            _ => Outcome::Clean,
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let config = arguments.report.config()?;
    let reader = Reader::new(&arguments.connect)?;
    let mut subjects = Vec::new();
    for input in &arguments.inputs {
        let mut subject = reader.subject(input, arguments.spec)?;
        if arguments.fix {
            repair(&mut subject)?;
        }
        subjects.push(subject);
    }
    let judged = if arguments.sequence {
        judge::sequence(subjects, &config, arguments.report.cap)
    } else {
        subjects.into_iter().map(|subject| judge::one(subject, &config, arguments.report.cap)).collect()
    };
    arguments.report.report(judged)
}

/// Repairs a file where it lies.
fn repair(subject: &mut Subject) -> Result<(), Failure> {
    if subject.name == "-" || is_address(&subject.name) {
        return Err(Failure::new(format!("{}: --fix is for files", subject.name)));
    }
    if let Some(fixed) = fix::fix(&subject.bytes, subject.spec) {
        replace(&subject.name, &fixed)?;
        eprintln!("omtool: {}: repaired", subject.name);
        subject.bytes = fixed;
    }
    Ok(())
}
