//! Verdicts for people and for programs.

mod github;
mod human;
mod json;
mod junit;
mod sarif;

use std::io::{self, Write};

use crate::finding::Verdict;

/// How verdicts are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For reading: the line with a caret, the reason, what to do.
    #[default]
    Human,
    /// One line a finding: `file:line:column: level: message [rule]`.
    Concise,
    /// One JSON document.
    Json,
    /// One JSON object a finding.
    Jsonl,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports.
    Junit,
    /// Commands of GitHub Actions, which show as annotations.
    Github,
}

/// A judged input.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Its name in reports.
    pub(crate) file: String,
    /// Its bytes, for showing lines.
    pub(crate) bytes: Vec<u8>,
    pub(crate) verdict: Verdict,
}

/// Writes all verdicts.
pub(crate) fn write(output: Output, colour: bool, all: &[Judged], to: &mut dyn Write) -> io::Result<()> {
    match output {
        Output::Human => human::write(all, colour, to),
        Output::Concise => human::write_concise(all, to),
        Output::Json => json::write(all, to),
        Output::Jsonl => json::write_lines(all, to),
        Output::Sarif => sarif::write(all, to),
        Output::Junit => junit::write(all, to),
        Output::Github => github::write(all, to),
    }
}

/// Control characters made visible, so that an input cannot steer the terminal or break a line format.
pub(crate) fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    if text.chars().any(char::is_control) {
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect::<String>()
            .into()
    } else {
        text.into()
    }
}
