//! JSON: one document, or one object a finding. Scripts rely on its shape, so fields are only ever added.

use std::io::{self, Write};

use serde::Serialize;

use super::Judged;
use crate::finding::Finding;
use crate::subject::Spec;

#[derive(Serialize)]
struct Document<'a> {
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the field is called so in the documents")]
struct File<'a> {
    file: &'a str,
    spec: &'static str,
    readable: bool,
    findings: Vec<Entry<'a>>,
    /// Findings beyond the cap, by rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more: Vec<More>,
}

#[derive(Serialize)]
struct More {
    rule: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    rule: &'static str,
    name: &'static str,
    level: &'static str,
    line: Option<u64>,
    column: Option<u64>,
    offset: Option<usize>,
    length: Option<usize>,
    message: &'a str,
    /// Every established reader lets it pass, so it does not fail a run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tolerated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    second: Option<Second<'a>>,
    section: &'static str,
}

#[derive(Serialize)]
struct Second<'a> {
    line: u64,
    column: u64,
    offset: usize,
    length: usize,
    message: &'a str,
}

impl<'a> Entry<'a> {
    /// The finding by its own rule, and by the wider ones that it breaks as well.
    fn all(file: Option<&'a str>, spec: Spec, finding: &'a Finding) -> impl Iterator<Item = Self> {
        let rules = std::iter::once(finding.rule).chain(finding.also.iter().copied());
        rules.map(move |rule| Self {
            rule: rule.id,
            name: rule.name,
            section: rule.section,
            ..Self::new(file, spec, finding)
        })
    }

    fn new(file: Option<&'a str>, spec: Spec, finding: &'a Finding) -> Self {
        let place = finding.place;
        // Formats without lines have none to tell.
        let lines = place.filter(|place| place.line > 0);
        Self {
            file,
            rule: finding.rule.id,
            name: finding.rule.name,
            level: finding.level.as_str(),
            line: lines.map(|place| place.line),
            column: lines.map(|place| place.column),
            offset: place.map(|place| place.offset),
            length: place.map(|place| place.length),
            message: &finding.message,
            tolerated: finding.is_tolerated(spec),
            metric: finding.metric.as_deref(),
            second: finding.second.as_ref().map(|(place, message)| Second {
                line: place.line,
                column: place.column,
                offset: place.offset,
                length: place.length,
                message,
            }),
            section: finding.rule.section,
        }
    }
}

/// What breaks a "must" before what could be better, each in the order of the input.
fn worst_first(judged: &Judged) -> impl Iterator<Item = &Finding> {
    let mut findings: Vec<&Finding> = judged.verdict.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings.into_iter()
}

pub(super) fn write(all: &[Judged], to: &mut dyn Write) -> io::Result<()> {
    let files = all
        .iter()
        .map(|judged| File {
            file: &judged.file,
            spec: judged.verdict.spec.as_str(),
            readable: judged.verdict.readable,
            findings: worst_first(judged)
                .flat_map(|finding| Entry::all(None, judged.verdict.spec, finding))
                .collect(),
            more: judged.verdict.capped.iter().map(|&(rule, count)| More { rule: rule.id, count }).collect(),
        })
        .collect();
    serde_json::to_writer_pretty(&mut *to, &Document { files })?;
    writeln!(to)
}

pub(super) fn write_lines(all: &[Judged], to: &mut dyn Write) -> io::Result<()> {
    for judged in all {
        for finding in worst_first(judged) {
            for entry in Entry::all(Some(&judged.file), judged.verdict.spec, finding) {
                serde_json::to_writer(&mut *to, &entry)?;
                writeln!(to)?;
            }
        }
    }
    Ok(())
}
