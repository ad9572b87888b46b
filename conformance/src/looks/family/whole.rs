//! The looks on a family as a whole, when its last line has been read: its name, its metadata, what its samples lack.

use openmetrics::model::{MetricType, units};

use super::super::name;
use super::{Family, Findings, LONG_HELP, Spec};

impl Family {
    pub(super) fn family_name(&mut self, findings: &mut Findings) {
        let (at, name) = (self.place, self.name.clone());
        let om = self.spec != Spec::Prometheus;
        if om && name.contains(':') {
            self.tell(
                findings,
                self.id("OM1-FAM-03", "OM2-NAME-04"),
                at,
                format!("`{name}` has a colon, which marks results of rules"),
            );
        }
        if om && !name::is_snake_case(&name) {
            self.tell(findings, "OM1-FAM-06", at, format!("`{name}` is not in snake_case"));
        }
        let suffix = name::TYPE_SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix));
        if let Some((suffix, whose)) = suffix {
            match self.spec {
                Spec::OpenMetrics1 if self.kind.is_some() => {
                    self.tell(
                        findings,
                        "OM1-FAM-05",
                        at,
                        format!("`{name}` ends in `{suffix}`, the suffix of {whose}"),
                    );
                }
                Spec::OpenMetrics2
                    if matches!(*suffix, "_count" | "_sum" | "_gcount" | "_gsum" | "_bucket") =>
                {
                    self.tell(
                        findings,
                        "OM2-NAME-02",
                        at,
                        format!("`{name}` ends in `{suffix}`, the suffix of {whose} in older formats"),
                    );
                }
                _ => {}
            }
            if *suffix == "_total"
                && self.kind.is_some_and(|kind| !matches!(kind, MetricType::Counter | MetricType::Unknown))
            {
                self.tell(findings, "LINT-11", at, format!("`{name}` ends in `_total` and is no counter"));
            }
        }
        if self.spec == Spec::OpenMetrics2
            && self.kind == Some(MetricType::Counter)
            && !name.ends_with("_total")
        {
            self.tell(findings, "OM2-CNT-01", at, format!("counter `{name}` does not end in `_total`"));
        }
        let stem = name.strip_suffix("_total").unwrap_or(&name);
        let word = name::last_word(stem);
        if matches!(word, "gauge" | "counter" | "histogram" | "summary") && word != stem {
            self.tell(findings, "LINT-02", at, format!("`{name}` says its type"));
        }
        if let Some(unit) = units::base_of_short(word).filter(|_| word != stem) {
            self.tell(
                findings,
                "LINT-04",
                at,
                format!("`{word}` is short for a unit of {unit}; write `{unit}`"),
            );
        }
        let unit = self.unit.clone();
        let short = unit.as_deref().and_then(units::base_of_short);
        let unit = unit.as_deref().unwrap_or(word);
        if let Some(base) = units::base_of(unit).or(short).filter(|_| om) {
            self.tell(findings, "OM1-FAM-22", at, format!("`{unit}` is no base unit; use `{base}`"));
        }
        if self.unit.is_none() && om && units::BASE.contains(&word) && word != stem && self.kind.is_some() {
            self.tell(
                findings,
                self.id("OM1-FAM-12", "OM1-FAM-12"),
                at,
                format!("`{name}` ends in a unit, but there is no UNIT line"),
            );
        }
        if !stem.contains('_') && self.kind.is_some() && !matches!(stem, "up" | "target" | "target_info") {
            self.tell(findings, "LINT-01", at, format!("`{name}` has no prefix that says whose it is"));
        }
    }

    pub(super) fn family_metadata(&mut self, findings: &mut Findings) {
        let at = self.place;
        if self.spec == Spec::OpenMetrics1 || self.spec == Spec::OpenMetrics2 {
            let id = self.id("OM1-FAM-14", "OM2-FAM-04");
            match self.help.as_deref() {
                None | Some("") if self.samples > 0 => {
                    self.tell(findings, id, at, "there is no HELP text".to_owned());
                }
                Some(help) if help.len() > LONG_HELP => {
                    let message = format!("the HELP text has {} bytes; it should fit a tooltip", help.len());
                    self.tell(findings, "OM1-FAM-14", at, message);
                }
                _ => {}
            }
        }
        if let Some(help) = &self.help {
            let plain = |text: &str| -> String {
                text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
            };
            if !help.is_empty() && plain(help) == plain(&self.name) {
                self.tell(findings, "LINT-05", at, "the HELP text only repeats the name".to_owned());
            }
        }
        if let (Spec::OpenMetrics2, Some(unit)) = (self.spec, self.unit.clone()) {
            let stem = self.name.strip_suffix("_total").unwrap_or(&self.name);
            if !stem.strip_suffix(unit.as_str()).is_some_and(|rest| rest.ends_with('_')) {
                let message = format!("unit `{unit}` is not the end of `{}`", self.name);
                self.tell(findings, "OM2-FAM-06", at, message);
            }
        }
    }

    /// Samples that should be there, and types that should not.
    pub(super) fn recommended_samples(&mut self, findings: &mut Findings) {
        if self.spec != Spec::OpenMetrics1 || self.samples == 0 {
            return;
        }
        let at = self.place;
        let no_created = !self.has.created;
        match self.kind {
            Some(MetricType::Unknown) => {
                self.tell(findings, "OM1-UNK-02", at, "the type is unknown".to_owned());
            }
            Some(MetricType::Counter) if no_created => {
                self.tell(findings, "OM1-CNT-07", at, "there is no `_created`".to_owned());
            }
            Some(MetricType::Histogram) => {
                if !self.has.sum {
                    self.tell(findings, "OM1-HIS-15", at, "there is no `_sum`".to_owned());
                }
                if no_created {
                    self.tell(findings, "OM1-HIS-16", at, "there is no `_created`".to_owned());
                }
            }
            Some(MetricType::GaugeHistogram) if !self.has.sum => {
                self.tell(findings, "OM1-GHI-03", at, "there is no `_gsum`".to_owned());
            }
            Some(MetricType::Summary) => {
                if self.has.quantile {
                    self.tell(
                        findings,
                        "OM1-SUM-11",
                        at,
                        "quantiles cannot be added up over instances; a histogram can".to_owned(),
                    );
                }
                if no_created && (self.has.sum || self.has.value && !self.has.quantile) {
                    self.tell(findings, "OM1-SUM-09", at, "there is no `_created`".to_owned());
                }
            }
            _ => {}
        }
    }
}
