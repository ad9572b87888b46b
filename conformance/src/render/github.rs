//! Workflow commands of GitHub Actions.

use std::io::{self, Write};

use super::Judged;
use crate::rule::Level;

pub(super) fn write(all: &[Judged], to: &mut dyn Write) -> io::Result<()> {
    for judged in all {
        for finding in &judged.verdict.findings {
            let command = match finding.level {
                Level::Must => "error",
                Level::Should => "warning",
                Level::Advice => "notice",
            };
            write!(to, "::{command} file={}", property(&judged.file))?;
            if let Some(place) = finding.place.filter(|place| place.line > 0) {
                write!(to, ",line={},col={}", place.line, place.column)?;
            }
            let title = format!("{} {}", finding.rule.id, finding.rule.name);
            writeln!(to, ",title={}::{}", property(&title), message(&finding.message))?;
        }
    }
    Ok(())
}

/// A message may have line ends and percent signs only encoded.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property may not have the separators either.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
