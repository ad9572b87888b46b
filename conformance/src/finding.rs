//! What was found wrong, and where.

use crate::rule::{Level, Rule};
use crate::subject::Spec;

/// One rule broken at one place.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The rule.
    pub(crate) rule: &'static Rule,
    /// How much it matters: as the rule says, or less where it is open whether the rule is broken at all.
    pub(crate) level: Level,
    /// Wider rules that it breaks as well.
    pub(crate) also: Vec<&'static Rule>,
    /// What was found and what was expected.
    pub(crate) message: String,
    /// Where; nowhere for what is missing as a whole or is no text.
    pub(crate) place: Option<Place>,
    /// Another place that explains it, such as where a family was declared.
    pub(crate) second: Option<(Place, String)>,
    /// Whether strict readers refuse the exposition for it; established ones let some broken rules pass.
    pub(crate) fatal: bool,
    /// The family it is about, for suppression by metric.
    pub(crate) metric: Option<String>,
}

/// A stretch of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Bytes before it.
    pub(crate) offset: usize,
    /// How many bytes it has.
    pub(crate) length: usize,
    /// Line, from 1; 0 in formats without lines.
    pub(crate) line: u64,
    /// Column in bytes, from 1; 0 in formats without lines.
    pub(crate) column: u64,
}

impl Finding {
    pub(crate) fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        let (level, also, message) = (rule.level, Vec::new(), message.into());
        Self { rule, level, also, message, place: None, second: None, fatal: true, metric: None }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(crate) fn of(mut self, metric: &str) -> Self {
        self.metric = Some(metric.to_owned());
        self
    }

    /// Whether every established reader lets it pass, though the specification forbids it, and the public corpora hold it
    /// for readable: metrics of Prometheus text in several groups, a raw quote in a help text. Such a finding does not
    /// fail a run.
    pub(crate) fn is_tolerated(&self, spec: Spec) -> bool {
        let is_known = matches!(self.rule.id, "OM1-SYN-05" | "P4-06" | "P4-18");
        !self.fatal && is_known && spec != Spec::OpenMetrics2
    }
}

/// The judgement on one exposition.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What it was taken for.
    pub(crate) spec: Spec,
    /// Whether it could be read at all: text that is UTF-8, protobuf that is whole.
    pub(crate) readable: bool,
    /// What was found, in the order of the input.
    pub(crate) findings: Vec<Finding>,
    /// Findings beyond the cap of their rule, which are only counted.
    pub(crate) capped: Vec<(&'static Rule, u64)>,
    /// The worst of all findings, for the exit status; what is tolerated is no worse than a "should".
    worst: Option<Level>,
}

impl Verdict {
    /// Keeps at most `cap` findings of each rule and counts the others; sorts by place, the more specific rule
    /// first where several have one place.
    ///
    /// `more` are findings that were only counted before.
    pub(crate) fn new(
        spec: Spec,
        readable: bool,
        mut findings: Vec<Finding>,
        more: Vec<(&'static Rule, u64)>,
        cap: usize,
    ) -> Self {
        let level = |finding: &Finding| {
            if finding.is_tolerated(spec) { finding.level.min(Level::Should) } else { finding.level }
        };
        let worst = findings.iter().map(level).max();
        findings.sort_by_key(|f| f.place.map_or(usize::MAX, |p| p.offset));
        let mut counts: std::collections::HashMap<&'static str, usize> = std::collections::HashMap::new();
        let mut capped = more;
        findings.retain(|finding| {
            let count = counts.entry(finding.rule.id).or_default();
            *count += 1;
            if *count > cap {
                match capped.iter_mut().find(|(rule, _)| rule.id == finding.rule.id) {
                    Some((_, more)) => *more += 1,
                    None => capped.push((finding.rule, 1)),
                }
            }
            *count <= cap
        });
        Self { spec, readable, findings, capped, worst }
    }

    /// Whether something at or above `level` was found that is not tolerated.
    pub(crate) fn fails(&self, level: Level) -> bool {
        self.worst.is_some_and(|worst| worst >= level)
    }
}
