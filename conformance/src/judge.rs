//! From bytes to a verdict.

use openmetrics::format::assemble::{self, Related};
use openmetrics::format::entries::Dialect;
use openmetrics::format::protobuf;
use openmetrics::model::MetricSet;

use crate::config::Config;
use crate::finding::{Finding, Place, Verdict};
use crate::render::Judged;
use crate::subject::{Spec, Subject, varint};
use crate::{looks, rules, sequence, wider};

/// Judges one exposition.
pub(crate) fn one(subject: Subject, config: &Config, cap: usize) -> Judged {
    let findings = findings(&subject);
    finish(subject, findings, config, cap)
}

/// Judges successive expositions of one target, each also against the one before.
pub(crate) fn sequence(subjects: Vec<Subject>, config: &Config, cap: usize) -> Vec<Judged> {
    let mut before: Option<Scrape> = None;
    let mut first: Option<Scrape> = None;
    let mut all = Vec::new();
    for subject in subjects {
        let mut findings = findings(&subject);
        let now = Scrape::of(&subject);
        if let Some(before) = &before {
            findings.all.extend(between(before, &now));
            let first = first.as_ref().filter(|first| first.spec == now.spec);
            findings
                .all
                .extend(first.and_then(|first| sequence::left_out(&first.set, &before.set, &now.set)));
        }
        first = before.replace(now);
        all.push(finish(subject, findings, config, cap));
    }
    all
}

/// What is kept of an exposition until the next one comes.
pub(crate) struct Scrape {
    spec: Spec,
    set: MetricSet,
    series: Vec<String>,
}

impl Scrape {
    pub(crate) fn of(subject: &Subject) -> Self {
        let Subject { bytes, spec, .. } = subject;
        Self { spec: *spec, set: read(bytes, *spec), series: looks::series(bytes, *spec) }
    }

    pub(crate) fn set(&self) -> &MetricSet {
        &self.set
    }
}

/// What two successive expositions show that neither does alone.
pub(crate) fn between(before: &Scrape, now: &Scrape) -> Vec<Finding> {
    let mut findings = sequence::compare(now.spec, &before.set, &now.set);
    findings.extend(sequence::label_order(&before.series, &now.series));
    findings.extend(sequence::stale(&before.set, &now.set));
    if now.spec == Spec::Prometheus {
        findings.extend(sequence::order(&before.series, &now.series));
    }
    findings
}

/// What can be read of an exposition, whatever is wrong with the rest.
pub(crate) fn read(bytes: &[u8], spec: Spec) -> MetricSet {
    match dialect(spec) {
        Some(dialect) => assemble::read(bytes, dialect).0,
        None if spec == Spec::PrometheusProtobuf => protobuf::prometheus::decode_lenient(bytes).0,
        None => protobuf::openmetrics::decode_lenient(bytes).0,
    }
}

/// The dialect of a text format.
pub(crate) const fn dialect(spec: Spec) -> Option<Dialect> {
    match spec {
        Spec::OpenMetrics1 => Some(Dialect::OpenMetrics1),
        Spec::OpenMetrics2 => Some(Dialect::OpenMetrics2),
        Spec::Prometheus => Some(Dialect::Prometheus),
        Spec::PrometheusProtobuf | Spec::OpenMetricsProtobuf => None,
    }
}

fn findings(subject: &Subject) -> looks::Findings {
    if let Some(dialect) = dialect(subject.spec) {
        return looks::text(&subject.bytes, subject.spec, dialect);
    }
    let (set, found) = if subject.spec == Spec::PrometheusProtobuf {
        protobuf::prometheus::decode_lenient(&subject.bytes)
    } else {
        protobuf::openmetrics::decode_lenient(&subject.bytes)
    };
    let mut findings = looks::set(&set, subject.spec);
    findings.all.splice(0..0, found.first.iter().filter_map(from_protobuf));
    if subject.spec == Spec::PrometheusProtobuf && !found.first.is_empty() && is_bare_family(&subject.bytes) {
        let message = "the first message has no length before it";
        findings
            .all
            .splice(0..0, rules::find("PPB-02").map(|rule| Finding::new(rule, message).at(Place::default())));
    }
    if let (Some(last), Some(more)) = (found.first.last(), found.count.checked_sub(found.first.len() as u64))
    {
        // Of which rules they are is not kept; most such files break one rule all over.
        findings.more.extend(rules::find(last.rule).filter(|_| more > 0).map(|rule| (rule, more)));
    }
    findings
}

/// Whether the bytes as a whole are one `MetricFamily`: fields of the numbers and kinds that it has, up to the end.
fn is_bare_family(mut bytes: &[u8]) -> bool {
    const NAME: u8 = 0x0a;
    const TYPE: u8 = 0x18;
    let mut fields = 0;
    while let Some((&key, rest)) = bytes.split_first() {
        let Some((number, at)) = varint(rest) else { return false };
        let length = match key {
            NAME | 0x12 | 0x22 | 0x2a => number,
            TYPE if number <= 5 => 0,
            _ => return false,
        };
        let Some(after) = at.checked_add(length).and_then(|end| rest.get(end..)) else { return false };
        bytes = after;
        fields += 1;
    }
    fields > 1
}

fn from_protobuf(found: &protobuf::Finding) -> Option<Finding> {
    let place = Place { offset: found.offset, ..Place::default() };
    Some(Finding::new(rules::find(found.rule)?, found.message.clone()).at(place))
}

/// A finding of the library's reader, with the rule it names.
pub(crate) fn from_text(found: &assemble::Finding) -> Option<Finding> {
    let place = |position: openmetrics::Position, length| Place {
        offset: usize::try_from(position.offset).unwrap_or(usize::MAX),
        length,
        line: position.line,
        column: position.column,
    };
    let mut finding =
        Finding::new(rules::find(found.rule)?, found.message.clone()).at(place(found.position, found.length));
    finding.fatal = found.fatal;
    finding.second = found
        .related
        .as_ref()
        .map(|Related { position, length, label, .. }| (place(*position, *length), (*label).to_owned()));
    Some(finding)
}

/// Rules that say the bytes are no exposition at all.
const UNREADABLE: [&str; 5] = ["OM1-DOC-01", "PPB-02", "PPB-04", "OM1-PB-02", "OM1-PB-03"];

fn is_unreadable(spec: Spec, finding: &Finding) -> bool {
    UNREADABLE.contains(&finding.rule.id) || spec == Spec::Prometheus && finding.message.contains("UTF-8")
}

/// The verdict, without what is accepted.
pub(crate) fn finish(subject: Subject, findings: looks::Findings, config: &Config, cap: usize) -> Judged {
    let looks::Findings { all, more, .. } = findings;
    let readable = !all.iter().any(|finding| is_unreadable(subject.spec, finding));
    let mut all: Vec<Finding> = all.into_iter().filter(|finding| !config.ignores(finding)).collect();
    for finding in &mut all {
        finding.also = wider::of(finding, subject.spec, &subject.bytes);
        finding.also.retain(|rule| !config.ignores_all_of(rule));
    }
    let more = more.into_iter().filter(|(rule, _)| !config.ignores_all_of(rule)).collect();
    let verdict = Verdict::new(subject.spec, readable, all, more, cap);
    Judged { file: subject.name, bytes: subject.bytes, verdict }
}
