//! The looks on the exposition as a whole.

use openmetrics::format::entries::Sample;
use openmetrics::model::MetricType;

use super::family::FEW_LABELS;
use super::{Findings, NextLine};
use crate::finding::Place;
use crate::subject::Spec;

/// What is remembered over all families.
pub(super) struct Page {
    spec: Spec,
    families: u64,
    metrics: u64,
    /// The label pairs, as written, that every sample so far has.
    everywhere: Vec<(String, String)>,
    first: Option<Place>,
    /// The labels of info `target`, as written.
    target: Vec<(String, String)>,
}

impl Page {
    pub(super) fn new(spec: Spec) -> Self {
        Self { spec, families: 0, metrics: 0, everywhere: Vec::new(), first: None, target: Vec::new() }
    }

    pub(super) fn sample(&mut self, sample: &Sample<'_>, line: NextLine) {
        self.metrics += 1;
        let name = sample.name().raw();
        if name == "target_info" {
            let pairs = sample.labels().take(FEW_LABELS);
            self.target =
                pairs.map(|label| (label.name.raw().to_owned(), label.value.raw().to_owned())).collect();
            return;
        }
        if self.first.is_none() {
            self.first = Some(line.place(sample.series_span()));
            let pairs = sample
                .labels()
                .take(FEW_LABELS)
                .map(|label| (label.name.raw().to_owned(), label.value.raw().to_owned()));
            self.everywhere = pairs.collect();
        } else {
            self.everywhere.retain(|(name, value)| {
                sample.labels().any(|label| label.name.raw() == name && label.value.raw() == value)
            });
        }
    }

    pub(super) fn family(
        &mut self,
        name: &str,
        kind: Option<MetricType>,
        at: Place,
        findings: &mut Findings,
    ) {
        self.families += 1;
        let is_target = kind == Some(MetricType::Info) && matches!(name, "target" | "target_info");
        if is_target && self.families > 1 {
            findings.push("OM1-FAM-20", "info `target` comes after other families".to_owned(), at, name);
        }
    }

    pub(super) fn finish(self, findings: &mut Findings) {
        // One family may well have one value of a label only; more of them show that it belongs to the target.
        let Some(at) = self.first.filter(|_| self.families > 1 && self.spec != Spec::Prometheus) else {
            return;
        };
        for (name, value) in self.everywhere {
            let pair = (name, value);
            let is_target = self.target.contains(&pair);
            let (name, value) = pair;
            if is_target {
                let message =
                    format!("label `{name}=\"{value}\"` of info `target` stands on every other sample too");
                findings.push("OM1-HTTP-14", message, at, "");
                continue;
            }
            let message =
                format!("label `{name}=\"{value}\"` stands on every sample; it belongs to the target");
            findings.push("OM1-LAB-06", message, at, "");
        }
    }
}
