//! For reading: each finding with its line, a caret, the reason and what to do.

use std::fmt::Write as _;
use std::io::{self, Write};

use annotate_snippets::{AnnotationKind, Group, Level as Title, Renderer, Snippet};

use super::{Judged, printable};
use crate::finding::{Finding, Place};
use crate::rule::Level;

/// How much of a long line is shown around a finding, in bytes before and after it.
const AROUND: usize = 60;

pub(super) fn write(all: &[Judged], colour: bool, to: &mut dyn Write) -> io::Result<()> {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut counts = [0_u64; 3];
    for judged in all {
        for finding in &judged.verdict.findings {
            count(&mut counts, finding.level, 1);
            writeln!(to, "{}\n", show(&renderer, judged, finding))?;
        }
        for &(rule, more) in &judged.verdict.capped {
            count(&mut counts, rule.level, more);
            writeln!(to, "{}: {more} more of {} ({})\n", printable(&judged.file), rule.id, rule.name)?;
        }
        if !judged.verdict.readable {
            writeln!(to, "{}: not readable as {}\n", printable(&judged.file), judged.verdict.spec.title())?;
        }
    }
    let [must, should, advice] = counts;
    match all {
        [one] if counts == [0; 3] => {
            writeln!(to, "{}: no finding ({})", printable(&one.file), one.verdict.spec.title())
        }
        _ if counts == [0; 3] => writeln!(to, "{} inputs: no finding", all.len()),
        _ => {
            writeln!(
                to,
                "{must} must, {should} should, {advice} advice. `omtool explain RULE` says more about a rule."
            )
        }
    }
}

fn count(counts: &mut [u64; 3], level: Level, by: u64) {
    let [must, should, advice] = counts;
    *match level {
        Level::Must => must,
        Level::Should => should,
        Level::Advice => advice,
    } += by;
}

fn show(renderer: &Renderer, judged: &Judged, finding: &Finding) -> String {
    let title = match finding.level {
        Level::Must => Title::ERROR,
        Level::Should => Title::WARNING,
        Level::Advice => Title::NOTE,
    };
    let message = format!("{} [{} {}]", printable(&finding.message), finding.rule.id, finding.rule.name);
    let help = finding.rule.explain;
    let excerpts: Vec<Excerpt> = [finding.place, finding.second.as_ref().map(|(place, _)| *place)]
        .into_iter()
        .flatten()
        .filter(|place| place.line > 0)
        .map(|place| Excerpt::of(&judged.bytes, place))
        .collect();
    let labels = [None, finding.second.as_ref().map(|(_, message)| printable(message))];
    let file = printable(&judged.file);
    let mut first = Group::with_title(title.primary_title(message.as_str()));
    for ((excerpt, label), kind) in
        excerpts.iter().zip(&labels).zip([AnnotationKind::Primary, AnnotationKind::Context])
    {
        let mut annotation = kind.span(excerpt.from..excerpt.to);
        if let Some(label) = label {
            annotation = annotation.label(&**label);
        }
        first = first.element(
            Snippet::source(excerpt.text.as_str())
                .line_start(usize::try_from(excerpt.line).unwrap_or(usize::MAX))
                .path(&*file)
                .fold(false)
                .annotation(annotation),
        );
    }
    if excerpts.is_empty() {
        let at =
            finding.place.map_or_else(|| file.to_string(), |place| format!("{file}, byte {}", place.offset));
        first = first.element(Title::NOTE.message(at));
    }
    first = first.element(Title::HELP.message(help));
    let also: Vec<String> = finding.also.iter().map(|rule| format!("{} {}", rule.id, rule.name)).collect();
    if !also.is_empty() {
        first = first.element(Title::NOTE.message(format!("breaks {} as well", also.join(" and "))));
    }
    if finding.is_tolerated(judged.verdict.spec) {
        first =
            first.element(Title::NOTE.message("all readers let this pass, so it does not fail the check"));
    }
    renderer.render(&[first])
}

/// The part of a line that is shown, and the finding in it.
struct Excerpt {
    line: u64,
    text: String,
    from: usize,
    to: usize,
}

impl Excerpt {
    fn of(bytes: &[u8], place: Place) -> Self {
        let start = place.offset.saturating_sub(usize::try_from(place.column).unwrap_or(1).saturating_sub(1));
        let rest = bytes.get(start..).unwrap_or_default();
        let line =
            rest.get(..rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())).unwrap_or_default();
        let at = (place.offset - start).min(line.len());
        let end = at.saturating_add(place.length.max(1)).min(line.len());
        let left = at.saturating_sub(AROUND);
        let right = at.saturating_add(place.length.min(AROUND)).saturating_add(AROUND).min(line.len());
        let piece = |from: usize, to: usize| visible(line.get(from..to).unwrap_or_default());
        let before = format!("{}{}", if left > 0 { "\u{2026}" } else { "" }, piece(left, at));
        let marked = piece(at, end.min(right));
        let after =
            format!("{}{}", piece(end.min(right), right), if right < line.len() { "\u{2026}" } else { "" });
        let from = before.len();
        // A finding at the end of a line points behind its last character.
        let (marked, after) = if marked.is_empty() { (" ".to_owned(), after) } else { (marked, after) };
        let to = from + marked.len();
        Self { line: place.line, text: format!("{before}{marked}{after}"), from, to }
    }
}

/// A piece of a line, foreign bytes and control characters escaped.
fn visible(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&printable(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

pub(super) fn write_concise(all: &[Judged], to: &mut dyn Write) -> io::Result<()> {
    for judged in all {
        for finding in &judged.verdict.findings {
            write!(to, "{}", printable(&judged.file))?;
            if let Some(place) = finding.place.filter(|place| place.line > 0) {
                write!(to, ":{}:{}", place.line, place.column)?;
            }
            writeln!(to, ": {}: {} [{}]", finding.level, printable(&finding.message), finding.rule.id)?;
        }
    }
    Ok(())
}
