//! The looks on exemplars.

use std::collections::BTreeSet;

use openmetrics::format::entries::{Sample, Written};

use super::{FEW_LABELS, Family, Findings, NextLine, Spec, has_undefined_escape};

/// Exemplars with more characters carry more than a reference; OpenMetrics 1.0 forbids them.
const LARGE_EXEMPLAR: usize = 128;

impl Family {
    pub(super) fn exemplars(&mut self, sample: &Sample<'_>, line: NextLine, findings: &mut Findings) {
        for exemplar in sample.exemplars() {
            let at = line.place(exemplar.span());
            let names: BTreeSet<String> =
                exemplar.labels().take(FEW_LABELS).map(|l| l.name.unescape().into_owned()).collect();
            let style = (names, exemplar.timestamp().is_some());
            match &self.exemplar_style {
                None => self.exemplar_style = Some(style),
                Some(first) if *first != style => {
                    let id = self.id("OM1-EX-07", "OM2-EX-05");
                    self.tell(
                        findings,
                        id,
                        at,
                        "this exemplar has other labels or timestamps than the one before".to_owned(),
                    );
                }
                Some(_) => {}
            }
            if exemplar.labels().any(|label| has_undefined_escape(label.value.raw())) {
                let message = "a backslash that escapes nothing is better written twice".to_owned();
                self.tell(findings, "OM1-SYN-06", at, message);
            }
            if let [.., below, _] = self.layout.1.as_slice() {
                let value = exemplar.value().value.as_f64();
                if value <= f64::from_bits(*below) {
                    let message = format!("the exemplar's value {value} belongs to a lower bucket");
                    self.tell(findings, "OM1-EX-09", at, message);
                }
            }
            if self.spec != Spec::OpenMetrics2 {
                continue;
            }
            let characters = |text: Written<'_>| text.unescape().chars().count();
            let size: usize = exemplar.labels().map(|l| characters(l.name) + characters(l.value)).sum();
            let odd = exemplar.labels().map(|l| l.name.unescape()).find(|n| {
                let plain: String =
                    n.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
                matches!(plain.as_str(), "traceid" | "spanid") && !matches!(&**n, "trace_id" | "span_id")
            });
            if size > LARGE_EXEMPLAR {
                self.tell(findings, "OM2-EX-04", at, format!("the exemplar's labels have {size} characters"));
            } else if let Some(odd) = odd {
                self.tell(
                    findings,
                    "OM2-EX-04",
                    at,
                    format!("label `{odd}` is usually `trace_id` or `span_id`"),
                );
            }
            let repeated = exemplar
                .labels()
                .take(FEW_LABELS)
                .find(|l| sample.labels().take(FEW_LABELS).any(|own| own.name.raw() == l.name.raw()));
            if let Some(label) = repeated {
                let message = format!("the exemplar repeats label `{}` of the metric", label.name.raw());
                self.tell(findings, "OM2-EX-02", at, message);
            }
            if let Some(time) = exemplar.timestamp() {
                let early = sample.start().is_some_and(|start| time.value < start.value);
                let late = sample.timestamp().is_some_and(|timestamp| time.value > timestamp.value);
                if early || late {
                    let message = format!(
                        "the exemplar is from {} the sample's time",
                        if early { "before" } else { "after" }
                    );
                    self.tell(findings, "OM2-EX-03", at, message);
                }
            }
        }
    }
}
