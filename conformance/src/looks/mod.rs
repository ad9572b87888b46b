//! A second look at an exposition, for what its specification recommends and what practice has taught.
//!
//! The library's reader says what is wrong; here is what could be better. One pass over the lines, with memory for one
//! family and what is small of the others.

mod composite;
mod family;
mod name;
mod native;
mod number;
mod page;
mod points;

use std::collections::HashMap;

use openmetrics::format::assemble::{self, Checker};
use openmetrics::format::entries::{ByteSpan, Dialect, Entries, Entry, LineSpan};
use openmetrics::format::{self, Format, Options};
use openmetrics::model::MetricSet;

use crate::finding::{Finding, Place};
use crate::judge::from_text;
use crate::rule::{Level, Rule};
use crate::subject::Spec;

/// All findings of a text: what the reader finds wrong, and what could be better.
pub(crate) fn text(bytes: &[u8], spec: Spec, dialect: Dialect) -> Findings {
    let mut findings = Findings::default();
    let mut page = page::Page::new(spec);
    let mut open: Option<family::Family> = None;
    let reader = assemble::Findings::keeping(KEPT);
    let mut checker = Checker::with_findings(bytes, dialect, reader);
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
    findings.take(&checker.finish());
    findings.lone_carriage_returns(bytes, spec);
    findings
}

/// What could be better in an exposition that is no text.
pub(crate) fn set(set: &MetricSet, spec: Spec) -> Findings {
    let mut findings = Findings::default();
    native::look(set, &mut findings);
    // The rules are about the model; written as text, the set meets the same eyes. What the text would have by its
    // own says nothing of it.
    let (format, spec) = match spec {
        Spec::OpenMetricsProtobuf => (Format::OPENMETRICS_1_0, Spec::OpenMetrics1),
        _ => (Format::TEXT_1_0_0, Spec::Prometheus),
    };
    let Some(dialect) = crate::judge::dialect(spec) else { return findings };
    let mut written = Vec::new();
    let options = Options::default().with_created_samples(spec == Spec::OpenMetrics1);
    format::encode_with(set, format, options, &mut written);
    let seen = text(&written, spec, dialect);
    for mut finding in seen.all {
        if finding.level < Level::Must {
            (finding.place, finding.second) = (None, None);
            if let Some(metric) =
                finding.metric.as_deref().filter(|metric| !finding.message.contains(*metric))
            {
                finding.message = format!("`{metric}`: {}", finding.message);
            }
            findings.all.push(finding);
        }
    }
    findings.more = seen.more.into_iter().filter(|(rule, _)| rule.level < Level::Must).collect();
    findings
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

/// How many findings of each rule are kept; hostile input has millions.
const KEPT: u64 = 1000;

/// The findings so far.
#[derive(Default)]
pub(crate) struct Findings {
    /// The first of each rule.
    pub(crate) all: Vec<Finding>,
    /// How many more there were.
    pub(crate) more: Vec<(&'static Rule, u64)>,
    counts: HashMap<&'static str, u64>,
}

impl From<Vec<Finding>> for Findings {
    fn from(all: Vec<Finding>) -> Self {
        Self { all, ..Self::default() }
    }
}

impl Findings {
    /// Takes what the library's reader found.
    fn take(&mut self, reader: &assemble::Findings) {
        let own = std::mem::take(&mut self.all);
        self.all = reader.iter().filter_map(from_text).chain(own).collect();
        for (id, count) in reader.counts() {
            self.count_more(id, count.saturating_sub(KEPT));
        }
    }

    /// Lines that end in carriage returns alone are one line to every reader, which stumbles over what stands in it.
    fn lone_carriage_returns(&mut self, bytes: &[u8], spec: Spec) {
        let id = if spec == Spec::Prometheus { "P4-01" } else { "OM1-DOC-03" };
        if bytes.contains(&b'\n') || self.all.iter().any(|finding| finding.rule.id == id) {
            return;
        }
        let Some(offset) = bytes.iter().position(|&b| b == b'\r') else { return };
        let Some(rule) = crate::rules::find(id) else { return };
        let place = Place { offset, length: 1, line: 1, column: offset as u64 + 1 };
        self.all.insert(0, Finding::new(rule, "a carriage return alone does not end a line").at(place));
    }

    fn count_more(&mut self, id: &str, by: u64) {
        let Some(rule) = crate::rules::find(id).filter(|_| by > 0) else { return };
        match self.more.iter_mut().find(|(known, _)| known.id == rule.id) {
            Some((_, more)) => *more += by,
            None => self.more.push((rule, by)),
        }
    }

    /// Notes a finding of the rule with this id, which one of the tables has.
    fn push(&mut self, id: &'static str, message: impl Into<String>, at: Place, metric: &str) {
        if let Some(rule) = crate::rules::find(id) {
            let finding = Finding::new(rule, message).at(at);
            self.add(if metric.is_empty() { finding } else { finding.of(metric) });
        }
    }

    /// Notes what a strict reading of a "must" forbids and another one allows.
    fn push_as_should(&mut self, id: &'static str, message: impl Into<String>, at: Place, metric: &str) {
        if let Some(rule) = crate::rules::find(id) {
            let finding = Finding::new(rule, message).at(at).of(metric);
            self.add(Finding { level: Level::Should, ..finding });
        }
    }

    fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.rule.id).or_default();
        *count += 1;
        if *count <= KEPT {
            self.all.push(finding);
        } else {
            self.count_more(finding.rule.id, 1);
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
