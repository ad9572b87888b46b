//! From bytes to a verdict.

use openmetrics::format::{self, Format};
use openmetrics::model::MetricSet;

use crate::config::Config;
use crate::finding::{Finding, Place, Verdict};
use crate::render::Judged;
use crate::subject::{Spec, Subject};
use crate::{looks, rules, sequence};

/// Judges one exposition.
pub(crate) fn one(subject: Subject, config: &Config, cap: usize) -> Judged {
    let reading = read(&subject);
    finish(subject, reading.readable, reading.findings, config, cap)
}

/// Judges successive expositions of one target, each also against the one before.
pub(crate) fn sequence(subjects: Vec<Subject>, config: &Config, cap: usize) -> Vec<Judged> {
    let mut before: Option<MetricSet> = None;
    let mut all = Vec::new();
    for subject in subjects {
        let mut reading = read(&subject);
        if let Some(before) = &before {
            reading.findings.extend(sequence::compare(subject.spec, before, &reading.set));
        }
        if subject.spec == Spec::OpenMetrics1 || subject.spec == Spec::OpenMetrics2 || subject.spec == Spec::Prometheus {
            // The order of labels is lost in the model, so the texts are compared.
            reading.findings.extend(all.last().and_then(|earlier: &Judged| {
                looks::label_order(&earlier.bytes, &subject.bytes, subject.spec)
            }));
        }
        before = Some(reading.set);
        all.push(finish(subject, reading.readable, reading.findings, config, cap));
    }
    all
}

struct Reading {
    set: MetricSet,
    findings: Vec<Finding>,
    readable: bool,
}

fn finish(subject: Subject, readable: bool, findings: Vec<Finding>, config: &Config, cap: usize) -> Judged {
    let findings = findings.into_iter().filter(|finding| !config.ignores(finding)).collect();
    let verdict = Verdict::new(subject.spec, readable, findings, cap);
    Judged { file: subject.name, bytes: subject.bytes, verdict }
}
