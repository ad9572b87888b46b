//! A second look at an exposition, for what its specification recommends and what practice has taught.
//!
//! The library's reader says what is wrong; here is what could be better. One pass over the lines, with memory for one
//! family and what is small of the others.

mod composite;
mod family;
mod name;
mod number;
mod page;

use openmetrics::format::assemble::Checker;
use openmetrics::format::entries::{ByteSpan, Dialect, Entries, Entry, LineSpan};

use crate::finding::{Finding, Place};
use crate::judge::from_text;
use crate::subject::Spec;

/// All findings of a text: what the reader finds wrong, and what could be better.
pub(crate) fn text(bytes: &[u8], spec: Spec, dialect: Dialect) -> Vec<Finding> {
    let mut findings = Findings { all: Vec::new() };
    let mut page = page::Page::new(spec);
    let mut open: Option<family::Family> = None;
    let mut checker = Checker::new(bytes, dialect);
    loop {
        let line = NextLine::after(checker.line());
        match checker.next_entry() {
            Some(Ok(Entry::Metadata(metadata))) => {
                let name = metadata.name.unescape();
                let at = line.place(metadata.name.span());
                let family = family::Family::switch(&mut open, spec, &name, at, &mut findings, &mut page);
                family.metadata(&metadata, at, &mut findings);
            }
            Some(Ok(Entry::Sample(sample))) => {
                let name = sample.name().unescape();
                let at = line.place(sample.name().span());
                let family = family::Family::switch(&mut open, spec, &name, at, &mut findings, &mut page);
                family.sample(sample, &name, line, &mut findings);
                page.sample(sample, line);
            }
            Some(Ok(_) | Err(_)) => {}
            None => break,
        }
    }
    if let Some(family) = open {
        family.finish(&mut findings, &mut page);
    }
    page.finish(&mut findings);
    if spec != Spec::Prometheus && bytes.ends_with(b"# EOF") {
        let line = NextLine { number: checker.line().number, start: bytes.len() - b"# EOF".len() };
        let end = line.place(ByteSpan::new(bytes.len(), bytes.len()));
        findings.push("OM1-DOC-06", "no line feed follows `# EOF`".to_owned(), end, "");
    }
    let mut all: Vec<Finding> = checker.finish().iter().filter_map(from_text).collect();
    all.append(&mut findings.all);
    all
}

/// The series of a text as they are written, in order.
pub(crate) fn series(bytes: &[u8], spec: Spec) -> Vec<String> {
    let Some(dialect) = crate::judge::dialect(spec) else { return Vec::new() };
    let mut entries = Entries::new(bytes, dialect);
    let mut series = Vec::new();
    while let Some(entry) = entries.next_entry() {
        if let Ok(Entry::Sample(sample)) = entry {
            series.push(sample.series().to_owned());
        }
    }
    series
}

/// The findings so far.
struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    /// Notes a finding of the rule with this id, which one of the tables has.
    fn push(&mut self, id: &'static str, message: String, at: Place, metric: &str) {
        if let Some(rule) = crate::rules::find(id) {
            let finding = Finding::new(rule, message).at(at);
            self.all.push(if metric.is_empty() { finding } else { finding.of(metric) });
        }
    }
}

/// Where the line that is read next begins. A sample borrows the reader, which can then not be asked.
#[derive(Clone, Copy)]
struct NextLine {
    number: u64,
    start: usize,
}

impl NextLine {
    fn after(line: LineSpan) -> Self {
        let start = if line.number == 0 { 0 } else { line.span.end + 1 };
        Self { number: line.number + 1, start }
    }

    fn place(self, span: ByteSpan) -> Place {
        Place {
            offset: span.start,
            length: span.len(),
            line: self.number,
            column: span.start.saturating_sub(self.start) as u64 + 1,
        }
    }
}
