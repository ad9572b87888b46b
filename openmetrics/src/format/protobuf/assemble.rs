//! From what a walk hands out to families of one's own, each name and label set once.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::visit::{Family, Finding, Place, Visitor};
use crate::Error;
use crate::model::{
    Claims, Descriptor, Labels, Metric, MetricFamily, MetricName, MetricSet, MetricType, Naming, Point, Unit,
};

/// The rules that a format has for what only the whole shows.
pub(super) struct Rules {
    /// A family's samples are called as those of one before it. `None`: as all formats of OpenMetrics have it, with
    /// names that a family might have counted in (OM1-FAM-01, OM1-FAM-04).
    pub(super) family_name: Option<&'static str>,
    /// A label set is there before in its family.
    pub(super) label_set: &'static str,
    /// The points of a metric are not in the order of time.
    pub(super) time: &'static str,
    /// A unit is no unit.
    pub(super) unit: &'static str,
    /// Whether metrics of the same labels that follow each other with rising timestamps are one metric.
    pub(super) joins_metrics: bool,
}

/// Builds a [`MetricSet`]. Strict, it stops at the first finding; lenient, it notes them and leaves out what does
/// not fit.
pub(super) struct Assembler {
    rules: &'static Rules,
    set: MetricSet,
    findings: Option<Findings>,
    hasher: RandomState,
    /// The names that samples of the families before have.
    names: Claims,
    /// The label sets of the open family by hash, and their places among its metrics.
    seen: HashTable<(u64, usize)>,
    /// Whether the open family is taken.
    open: bool,
}

/// What a lenient reader found: the first ones word for word, all of them by number.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Findings {
    /// The first thousand.
    pub first: Vec<Finding>,
    /// How many there were.
    pub count: u64,
}

const FINDINGS_KEPT: usize = 1000;

impl Assembler {
    pub(super) fn strict(rules: &'static Rules) -> Self {
        Self {
            rules,
            set: MetricSet::default(),
            findings: None,
            hasher: RandomState::default(),
            names: Claims::default(),
            seen: HashTable::new(),
            open: false,
        }
    }

    pub(super) fn lenient(rules: &'static Rules) -> Self {
        Self { findings: Some(Findings::default()), ..Self::strict(rules) }
    }

    pub(super) fn finish(self) -> (MetricSet, Findings) {
        (self.set, self.findings.unwrap_or_default())
    }

    /// Takes the names that a family's samples have; one that is taken already is a finding.
    fn claim(&mut self, family: &Family<'_>, descriptor: &Descriptor) -> Result<bool, Error> {
        let (rule, claimed) = match self.rules.family_name {
            None => (None, self.names.claim(descriptor)),
            Some(rule) => {
                let suffixes: &[&str] = match (family.metric_type, family.naming) {
                    (MetricType::Histogram | MetricType::GaugeHistogram, _) => {
                        &["", "_bucket", "_count", "_sum"]
                    }
                    (MetricType::Summary, _) => &["", "_count", "_sum"],
                    (MetricType::Counter, Naming::Standard) => &["_total"],
                    _ => &[""],
                };
                (Some(rule), self.names.claim_names(family.name, suffixes))
            }
        };
        let Err(refusal) = claimed else { return Ok(true) };
        let message = format!("family {:?}: {}", family.name, refusal.message());
        self.finding(Finding::new(rule.unwrap_or(refusal.rule()), family.offset, message))?;
        Ok(false)
    }

    fn descriptor(&mut self, family: &Family<'_>) -> Result<Option<Descriptor>, Error> {
        let Ok(name) = MetricName::utf8(family.name) else { return Ok(None) };
        let mut descriptor = Descriptor::new(name, family.metric_type).with_naming(family.naming);
        if !family.help.is_empty() {
            descriptor = descriptor.with_help(family.help);
        }
        if !family.unit.is_empty() {
            match Unit::new(family.unit) {
                Ok(unit) => descriptor = descriptor.with_unit(unit),
                Err(error) => {
                    let message = format!("family {:?}: {error}", family.name);
                    self.finding(Finding::new(self.rules.unit, family.offset, message))?;
                }
            }
        }
        Ok(Some(descriptor))
    }
}

impl Visitor for Assembler {
    fn family(&mut self, family: &Family<'_>) -> Result<(), Error> {
        self.open = false;
        // A table that was large once is not cleared for every small family that follows.
        if self.seen.capacity() > 4096 {
            self.seen = HashTable::new();
        } else {
            self.seen.clear();
        }
        let Some(descriptor) = self.descriptor(family)? else { return Ok(()) };
        if self.claim(family, &descriptor)? {
            self.set.families.push(MetricFamily { descriptor, metrics: Vec::new() });
            self.open = true;
        }
        Ok(())
    }

    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>, place: Place) -> Result<(), Error> {
        let Some(family) = self.set.families.last_mut().filter(|_| self.open) else { return Ok(()) };
        // The walk has told of label names that repeat.
        let (Ok(labels), Some(owned)) = (labels.to_set(), point.to_owned()) else { return Ok(()) };
        let hash = self.hasher.hash_one(&labels);
        let metrics = &mut family.metrics;
        let found = self.seen.find(hash, |&(h, at)| {
            h == hash && metrics.get(at).is_some_and(|metric| metric.labels == labels)
        });
        let Some(&(_, at)) = found else {
            self.seen.insert_unique(hash, (hash, metrics.len()), |&(h, _)| h);
            metrics.push(Metric { labels, points: vec![owned] });
            return Ok(());
        };
        let is_last = at + 1 == metrics.len();
        let Some(metric) = metrics.get_mut(at) else { return Ok(()) };
        let before = metric.points.last().and_then(|before| before.timestamp);
        let rises = matches!((before, point.timestamp), (Some(before), Some(now)) if before < now);
        if place.continues && before.is_some() && before == point.timestamp {
            return Ok(()); // of two points at one time the first one is taken (OM1-TS-06)
        }
        let (rule, message) = if place.continues || self.rules.joins_metrics && is_last && rises {
            if rises {
                metric.points.push(owned);
                return Ok(());
            }
            (self.rules.time, format!("points of metric {labels} do not follow each other in time"))
        } else {
            (self.rules.label_set, format!("labels {labels} are those of another metric"))
        };
        self.finding(Finding::new(rule, place.offset, describe(&family_name(&self.set), &message)))
    }

    fn finding(&mut self, finding: Finding) -> Result<(), Error> {
        let Some(findings) = &mut self.findings else { return Err(finding.into()) };
        findings.count += 1;
        if findings.first.len() < FINDINGS_KEPT {
            findings.first.push(finding);
        }
        Ok(())
    }
}

fn family_name(set: &MetricSet) -> String {
    set.families.last().map_or_else(String::new, |family| family.descriptor.name().to_string())
}

fn describe(family: &str, message: &str) -> String {
    format!("family {family:?}: {message}")
}

impl Findings {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
