//! TYPE, HELP and UNIT: whose they are, what they say, and what they come too late for.

use super::{
    ByteSpan, Dialect, Judge, LineSpan, Metadata, MetadataKind, Place, raw_quote, role, split_suffix,
};
use crate::model::MetricType;

impl<'a> Judge<'a> {
    /// A metadata line. Gives the number of its family.
    pub(in super::super) fn metadata(&mut self, metadata: &Metadata<'a>, line: LineSpan) -> Option<u32> {
        if self.is_prometheus() && metadata.kind == MetadataKind::Help && metadata.text.raw().is_empty() {
            return None; // as if it were not there
        }
        let place = Place::new(line, metadata.name.span());
        let name = metadata.name.unescape();
        let is_open = self.open.as_ref().is_some_and(|open| open.name == name);
        if !is_open {
            match self.families.find(self.input, &name) {
                Some(id) => self.reopen_for_metadata(id, metadata, place),
                None => self.open_new(name, metadata.name, place),
            }
        } else if self.open.as_ref().is_some_and(|open| open.has_samples) {
            self.late_metadata(metadata, place);
        }
        self.take_metadata(metadata, line, place);
        self.open.as_ref().map(|open| open.id)
    }

    /// Metadata of a family that had lines before, and others after them.
    pub(super) fn reopen_for_metadata(&mut self, id: u32, metadata: &Metadata<'a>, place: Place) {
        let record = self.families.get(id).copied();
        let related = self.declared(id);
        self.switch_to(id, place);
        let Some(record) = record else { return };
        let second = match metadata.kind {
            MetadataKind::Type(_) => record.has_type,
            MetadataKind::Help => record.has_help,
            MetadataKind::Unit => record.has_unit,
        };
        if self.is_prometheus() {
            if !second && matches!(metadata.kind, MetadataKind::Type(_)) && record.has_samples {
                self.findings.add_related(
                    "P4-11",
                    place,
                    related,
                    true,
                    || "TYPE after samples of the metric",
                );
            } else if !second {
                self.findings.add_related(
                    "P4-18",
                    place,
                    related,
                    false,
                    || "the lines of a metric are not one group",
                );
            }
            return;
        }
        if !second || record.has_samples {
            self.findings.add_related(
                self.rules.family_twice,
                place,
                related,
                true,
                || "the family was there before; all its lines have to be one group",
            );
        }
    }

    pub(super) fn late_metadata(&mut self, metadata: &Metadata<'a>, place: Place) {
        let Some(open) = &self.open else { return };
        let repeats = match metadata.kind {
            MetadataKind::Type(_) => open.type_line.is_some(),
            MetadataKind::Help => open.help_line.is_some(),
            MetadataKind::Unit => open.unit_line.is_some(),
        };
        if repeats {
            return; // the more telling finding follows
        }
        let keyword = metadata.kind.keyword();
        let (rule, fatal) = match (self.dialect, metadata.kind) {
            (Dialect::Prometheus, MetadataKind::Type(_)) => ("P4-11", true),
            (Dialect::Prometheus, _) => ("P4-18", false),
            _ => (self.rules.late_metadata, true),
        };
        let related = (open.first, "the family begins here");
        self.findings
            .add_related(rule, place, related, fatal, || format!("{keyword} after samples of its family"));
    }

    /// Keeps what a metadata line says and checks it against what is known.
    pub(super) fn take_metadata(&mut self, metadata: &Metadata<'a>, line: LineSpan, place: Place) {
        let Self { open: Some(open), families, findings, rules, dialect, .. } = self else { return };
        let earlier = match metadata.kind {
            MetadataKind::Type(_) => open.type_line,
            MetadataKind::Help => open.help_line,
            MetadataKind::Unit => open.unit_line.map(|(place, _)| place),
        };
        let Some(record) = families.get_mut(open.id) else { return };
        let seen = match metadata.kind {
            MetadataKind::Type(_) => &mut record.has_type,
            MetadataKind::Help => &mut record.has_help,
            MetadataKind::Unit => &mut record.has_unit,
        };
        if std::mem::replace(seen, true) {
            let rule = match (*dialect, metadata.kind) {
                (Dialect::Prometheus, MetadataKind::Type(_)) => "P4-10",
                _ => rules.second_metadata,
            };
            let keyword = metadata.kind.keyword();
            let message = || format!("a second {keyword} line for {:?}", open.name);
            match earlier {
                Some(earlier) => {
                    findings.add_related(rule, place, (earlier, "the first is here"), true, message);
                }
                None => findings.add(rule, place, message),
            }
            if matches!(metadata.kind, MetadataKind::Type(_)) {
                open.type_line = None; // of which of the two types the samples are is not known
            }
            return;
        }
        match metadata.kind {
            MetadataKind::Type(metric_type) => {
                open.type_line = Some(place);
                if record.has_samples {
                    return; // too late to count
                }
                record.metric_type = metric_type;
                open.metric_type = metric_type;
                self.last_name = "";
                if *dialect == Dialect::OpenMetrics2
                    && metric_type == MetricType::Info
                    && !open.name.ends_with("_info")
                {
                    findings.add("OM2-INF-01", place, || "the name of an info ends in _info");
                }
                self.check_clash_of_type(place);
            }
            MetadataKind::Help => {
                open.help_line = Some(place);
                if *dialect != Dialect::Prometheus {
                    if let Some(at) = raw_quote(metadata.text.raw()) {
                        let at = metadata.text.span().start + at;
                        findings.tolerate(
                            "OM1-SYN-05",
                            Place::new(line, ByteSpan::new(at, at + 1)),
                            || "a double quote in a help text is written `\\\"`",
                        );
                    }
                }
                if *dialect != Dialect::Prometheus && metadata.text.raw().ends_with('\r') {
                    let end = line.span.end;
                    let place = Place::new(line, ByteSpan::new(end.saturating_sub(1), end));
                    findings.add(
                        "OM1-DOC-04",
                        place,
                        || "the line ends in a carriage return and a line feed",
                    );
                }
                return;
            }
            MetadataKind::Unit => {
                let unit = metadata.text;
                if unit.raw().is_empty() {
                    return; // as if it were not there
                }
                open.unit_line = Some((place, unit));
                if *dialect == Dialect::OpenMetrics1 && !crate::model::unit_is_suffix(&open.name, unit.raw())
                {
                    findings.add("OM1-FAM-11", Place::new(line, unit.span()), || {
                        format!("the name {:?} does not end in _{}", open.name, unit.raw())
                    });
                }
            }
        }
        self.check_unitless();
    }

    /// Info and stateset families have no unit.
    pub(super) fn check_unitless(&mut self) {
        let Some(open) = &self.open else { return };
        let Some((place, unit)) = open.unit_line else { return };
        let rule = match (self.dialect, open.metric_type) {
            (Dialect::OpenMetrics2, MetricType::Info | MetricType::StateSet) => "OM2-FAM-07",
            (_, MetricType::Info) => "OM1-INF-03",
            (_, MetricType::StateSet) => "OM1-SS-06",
            _ => return,
        };
        let metric_type = open.metric_type;
        self.findings.add(rule, Place::new(place.line, unit.span()), || {
            format!("families of type {metric_type} have no unit")
        });
    }

    /// Whether another family's samples may be called as this family is (OM1-FAM-04).
    pub(super) fn check_clash_of_name(&mut self, name: &str, place: Place) {
        let Some((stem, suffix)) = split_suffix(name) else { return };
        let Some(id) = self.families.find(self.input, stem) else { return };
        let Some(other) = self.families.get(id).copied() else { return };
        if role(self.dialect, other.metric_type, suffix).is_some() {
            let related = self.declared(id);
            self.findings.add_related("OM1-FAM-04", place, related, true, || {
                format!("a sample of {} {stem:?} may be called {name:?} too", other.metric_type)
            });
        }
    }

    /// Whether this family's samples may be called as another family is (OM1-FAM-04). If that has no metadata, its samples
    /// are most likely of this one, and came too early.
    pub(super) fn check_clash_of_type(&mut self, place: Place) {
        let Some(open) = &self.open else { return };
        if self.dialect == Dialect::OpenMetrics2 {
            return;
        }
        let (dialect, metric_type) = (self.dialect, open.metric_type);
        let matches = |suffix: &str| role(dialect, metric_type, suffix).is_some();
        let Some(id) = self.families.find_suffixed(self.input, &open.name, matches) else { return };
        let related = self.declared(id);
        let other = self.families.name(self.input, id);
        if self.families.get(id).is_some_and(|other| !(other.has_type || other.has_help || other.has_unit)) {
            let rule = if self.is_prometheus() { "P4-11" } else { self.rules.late_metadata };
            self.findings.add_related(rule, place, related, !self.is_prometheus(), || {
                format!("TYPE after {other:?}, which is called as a sample of this {metric_type}")
            });
        }
        if self.dialect == Dialect::OpenMetrics1 {
            self.findings.add_related("OM1-FAM-04", place, related, true, || {
                format!("a sample of this {metric_type} may be called {other:?} as that family is")
            });
        }
    }
}
