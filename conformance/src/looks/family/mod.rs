//! The looks on one family.

mod exemplars;
mod whole;

use std::collections::BTreeSet;

use openmetrics::format::entries::{Metadata, MetadataKind, RawLabel, Sample};
use openmetrics::model::{MetricType, Number, Timestamp};

use super::page::Page;
use super::points::{Fall, Points};
use super::{Findings, NextLine, name, number};
use crate::finding::Place;
use crate::subject::Spec;

/// More metrics than this in one family are worth a word.
const MANY_METRICS: u64 = 1_000;
/// More classic buckets than this in one histogram are worth a word.
const MANY_BUCKETS: usize = 50;
/// A HELP text longer than this is no tooltip.
const LONG_HELP: usize = 400;
/// Seconds since the epoch beyond this (the year 5138) are most likely milliseconds.
const MILLISECONDS: f64 = 1e11;
/// How many seconds the clocks of a writer and ours may differ.
const CLOCK_SKEW: f64 = 86_400.0;
/// Metrics with more labels are not compared with others.
pub(super) const FEW_LABELS: usize = 64;

/// A family whose lines are being read.
pub(super) struct Family {
    spec: Spec,
    name: String,
    place: Place,
    kind: Option<MetricType>,
    /// The metadata lines in their order.
    order: Vec<MetadataKind>,
    unit: Option<String>,
    help: Option<String>,
    metadata_quoted: Option<bool>,
    samples: u64,
    metrics: u64,
    /// The labels of the current metric as written, without those of buckets and quantiles.
    current: String,
    /// A buffer for the labels of the next sample.
    key: String,
    label_names: Option<BTreeSet<String>>,
    has: Has,
    /// The thresholds of the first metric and of the current one.
    layout: (Option<Vec<u64>>, Vec<u64>),
    exemplar_style: Option<(BTreeSet<String>, bool)>,
    /// The points of the current metric, of counters with timestamps.
    points: Points,
    /// States of the current stateset metric that are on, of how many.
    states: (u64, u64),
    /// The leading labels of the groups of a stateset so far.
    leading: Leading,
    told: BTreeSet<&'static str>,
}

/// What kinds of samples were there; any of them may be.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four facts, not states of one thing")]
struct Has {
    value: bool,
    created: bool,
    sum: bool,
    quantile: bool,
}

/// The first labels, as written, of the groups of a stateset: all of them, and the last one.
#[derive(Default)]
struct Leading {
    seen: BTreeSet<String>,
    last: String,
}

impl Leading {
    /// Whether this one was there before and another one since.
    fn comes_back(&mut self, first: String) -> bool {
        if first == self.last {
            return false;
        }
        let is_new = self.seen.insert(first.clone());
        self.last = first;
        !is_new
    }
}

impl Family {
    fn new(spec: Spec, name: &str, place: Place) -> Self {
        Self {
            spec,
            name: name.to_owned(),
            place,
            kind: None,
            order: Vec::new(),
            unit: None,
            help: None,
            metadata_quoted: None,
            samples: 0,
            metrics: 0,
            current: String::new(),
            key: String::new(),
            label_names: None,
            has: Has::default(),
            layout: (None, Vec::new()),
            exemplar_style: None,
            points: Points::default(),
            states: (0, 0),
            leading: Leading::default(),
            told: BTreeSet::new(),
        }
    }

    /// The family that a line of this name belongs to: the open one or, after that is finished, a new one.
    pub(super) fn switch<'f>(
        open: &'f mut Option<Self>,
        spec: Spec,
        name: &str,
        place: Place,
        findings: &mut Findings,
        page: &mut Page,
    ) -> &'f mut Self {
        if let Some(done) = open.take_if(|family| !family.owns(name)) {
            done.finish(findings, page);
        }
        open.get_or_insert_with(|| Self::new(spec, name, place))
    }

    /// Whether a sample or metadata line of this name belongs to it.
    fn owns(&self, name: &str) -> bool {
        let Some(suffix) = name.strip_prefix(self.name.as_str()) else { return false };
        if suffix.is_empty() {
            return true;
        }
        if self.spec == Spec::OpenMetrics2 {
            return false;
        }
        match self.kind {
            Some(MetricType::Counter) => {
                self.spec == Spec::OpenMetrics1 && matches!(suffix, "_total" | "_created")
            }
            Some(MetricType::Histogram) => matches!(suffix, "_bucket" | "_count" | "_sum" | "_created"),
            Some(MetricType::GaugeHistogram) => matches!(suffix, "_bucket" | "_gcount" | "_gsum"),
            Some(MetricType::Summary) => matches!(suffix, "_count" | "_sum" | "_created"),
            Some(MetricType::Info) => suffix == "_info",
            _ => false,
        }
    }

    /// Notes a finding of this family, at most one of each rule: the second line of the same mistake says nothing new.
    fn tell(&mut self, findings: &mut Findings, id: &'static str, at: Place, message: String) {
        if self.told.insert(id) {
            findings.push(id, message, at, &self.name);
        }
    }

    /// The id for this specification.
    fn id(&self, om1: &'static str, om2: &'static str) -> &'static str {
        if self.spec == Spec::OpenMetrics2 { om2 } else { om1 }
    }

    pub(super) fn metadata(&mut self, metadata: &Metadata<'_>, at: Place, findings: &mut Findings) {
        let text = metadata.text.unescape();
        self.metadata_quoted = Some(metadata.name.is_quoted());
        let rank = |kind: &MetadataKind| match kind {
            MetadataKind::Type(_) => 0,
            MetadataKind::Unit => 1,
            _ => 2,
        };
        if self.spec != Spec::Prometheus
            && self.order.iter().any(|before| rank(before) > rank(&metadata.kind))
        {
            let message = format!(
                "{} comes after {}",
                metadata.kind.keyword(),
                self.order.last().map_or("", |k| k.keyword())
            );
            self.tell(findings, self.id("OM1-FAM-09", "OM2-FAM-04"), at, message);
        }
        self.order.push(metadata.kind);
        if self.spec != Spec::Prometheus && has_undefined_escape(metadata.text.raw()) {
            self.tell(
                findings,
                "OM1-SYN-06",
                at,
                "a backslash that escapes nothing is better written twice".to_owned(),
            );
        }
        match metadata.kind {
            MetadataKind::Type(kind) => self.kind = Some(kind),
            MetadataKind::Unit if !text.is_empty() => self.unit = Some(text.into_owned()),
            MetadataKind::Help => self.help = Some(text.into_owned()),
            _ => {}
        }
    }

    pub(super) fn sample(
        &mut self,
        sample: &Sample<'_>,
        name: &str,
        line: NextLine,
        findings: &mut Findings,
    ) {
        self.samples += 1;
        let at = line.place(sample.name().span());
        let suffix = name.strip_prefix(self.name.as_str()).unwrap_or_default().to_owned();
        let is_value = !matches!(suffix.as_str(), "_created");
        match suffix.as_str() {
            "_created" => {
                self.has.created = true;
                self.created(sample, line, findings);
            }
            "_sum" | "_gsum" => self.has.sum = true,
            _ => self.has.value = true,
        }
        let quoted = sample.name().is_quoted();
        if self.spec == Spec::OpenMetrics2 && self.metadata_quoted.is_some_and(|metadata| metadata != quoted)
        {
            let message = "the name is quoted in one place and not in the other".to_owned();
            self.tell(findings, "OM2-UTF-07", at, message);
        }
        self.numbers(sample, line, findings);
        self.labels(sample, &suffix, line, findings);
        self.point(sample, &suffix, line, findings);
        if is_value {
            self.start(sample, at, findings);
        }
        self.exemplars(sample, line, findings);
        if let Some(composite) = sample.composite() {
            super::composite::look(self.spec, &self.name, composite, at, findings);
        }
    }

    /// Values and timestamps.
    fn numbers(&mut self, sample: &Sample<'_>, line: NextLine, findings: &mut Findings) {
        let at = line.place(sample.value_span());
        let written = sample.text(sample.value_span());
        let overflows = matches!(sample.number(), Some(Number::Float(v)) if v.is_infinite());
        if overflows && written.bytes().any(|b| b.is_ascii_digit()) {
            self.tell(
                findings,
                "OM1-NUM-05",
                at,
                format!("{written} is beyond the range of a double, so it reads as infinity"),
            );
        }
        if let Some(timestamp) = sample.timestamp() {
            let at = line.place(timestamp.span);
            if self.spec != Spec::Prometheus {
                if timestamp.value.as_f64().abs() > MILLISECONDS {
                    self.tell(
                        findings,
                        "OM1-TS-01",
                        at,
                        "the timestamp looks like milliseconds; it is in seconds".to_owned(),
                    );
                }
                if self.spec == Spec::OpenMetrics1 && sample.text(timestamp.span).contains(['e', 'E']) {
                    let message = "an exponent stands in the timestamp, where digits may be lost".to_owned();
                    self.tell(findings, "OM1-TS-02", at, message);
                }
                self.tell(findings, "OM1-TS-03", at, "the sample has an explicit timestamp".to_owned());
            }
        }
    }

    /// Points of counters, where one exposition has several.
    fn point(&mut self, sample: &Sample<'_>, suffix: &str, line: NextLine, findings: &mut Findings) {
        let (Some(MetricType::Counter), Some(time)) = (self.kind, sample.timestamp()) else { return };
        let Some(number) = sample.number().filter(|_| self.spec != Spec::Prometheus) else { return };
        let fall = if suffix == "_created" {
            self.points.take(time.value, None, Timestamp::from_f64(number.as_f64()))
        } else {
            let start = sample.start().map(|start| start.value);
            self.points.take(time.value, Some((number, line.place(sample.value_span()))), start)
        };
        self.fall(fall, findings);
    }

    fn fall(&mut self, fall: Option<Fall>, findings: &mut Findings) {
        let Some(Fall { at, message, start_stays }) = fall else { return };
        let om1 = if start_stays { "OM1-CNT-06" } else { "OM1-CNT-05" };
        self.tell(findings, self.id(om1, "OM2-CNT-03"), at, message);
    }

    fn created(&mut self, sample: &Sample<'_>, line: NextLine, findings: &mut Findings) {
        let seconds = sample.number().map_or(f64::NAN, Number::as_f64);
        if !(0.0..=MILLISECONDS).contains(&seconds) {
            let message =
                format!("`_created` is {}, which is no time in seconds", sample.text(sample.value_span()));
            self.tell(findings, "OM1-CNT-08", line.place(sample.value_span()), message);
        } else if seconds > Timestamp::now().as_f64() + CLOCK_SKEW {
            let message = "`_created` lies in the future".to_owned();
            self.tell(findings, "OM1-CNT-08", line.place(sample.value_span()), message);
        }
    }

    fn labels(&mut self, sample: &Sample<'_>, suffix: &str, line: NextLine, findings: &mut Findings) {
        let own = |label: &RawLabel<'_>| !is_structural(self.kind, suffix, label.name.raw(), &self.name);
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        for label in sample.labels().filter(own) {
            key.extend([label.name.raw(), "=", label.value.raw(), ","]);
        }
        let structural = sample.labels().find(|label| !own(label));
        let is_new = self.metrics == 0 || key != self.current;
        self.key = if is_new { std::mem::replace(&mut self.current, key) } else { key };
        if is_new {
            self.finish_metric(findings);
            self.metrics += 1;
            let names: BTreeSet<String> = sample
                .labels()
                .take(FEW_LABELS)
                .filter(|l| !is_structural(self.kind, suffix, l.name.raw(), &self.name))
                .map(|l| l.name.unescape().into_owned())
                .collect();
            match &self.label_names {
                None => self.label_names = Some(names),
                Some(first) if *first != names => {
                    let list = |names: &BTreeSet<String>| {
                        names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
                    };
                    let message = format!(
                        "labels ({}) here, ({}) on the first metric of the family",
                        list(&names),
                        list(first)
                    );
                    let at = line.place(sample.name().span());
                    self.tell(findings, "OM1-LAB-05", at, message);
                }
                Some(_) => {}
            }
            self.group_of_states(sample, line, findings);
        }
        if let Some(label) = structural {
            self.structural(sample, label, suffix, line, findings);
        }
        for label in sample.labels() {
            let at = line.place(label.name.span());
            let label_name = label.name.unescape();
            let value = label.value.unescape();
            if label_name.chars().any(char::is_uppercase) {
                self.tell(findings, "LINT-08", at, format!("label `{label_name}` has capital letters"));
            }
            let at = line.place(label.value.span());
            if self.spec != Spec::Prometheus && has_undefined_escape(label.value.raw()) {
                let message = "a backslash that escapes nothing is better written twice".to_owned();
                self.tell(findings, "OM1-SYN-06", at, message);
            }
            if value.trim() != value {
                self.tell(
                    findings,
                    "LINT-10",
                    at,
                    format!("the value of label `{label_name}` has blanks around it"),
                );
            }
            if value.len() > 1024 {
                self.tell(
                    findings,
                    "LINT-12",
                    at,
                    format!("the value of label `{label_name}` has {} bytes", value.len()),
                );
            }
            if self.kind != Some(MetricType::Info) && name::looks_unbounded(&value) {
                self.tell(
                    findings,
                    "LINT-07",
                    at,
                    format!("label `{label_name}` looks like an identifier that has no end of values"),
                );
            }
            if self.name.strip_suffix(&*label_name).is_some_and(|rest| rest.ends_with("_by_")) {
                self.tell(
                    findings,
                    "LINT-03",
                    self.place,
                    format!("the name repeats its label `{label_name}`"),
                );
            }
        }
    }

    /// The specification has an example with groups that it calls interleaved: each of them stands together, but those
    /// that begin with the same label do not. No sentence of it says so much, so this is told as less than a must.
    fn group_of_states(&mut self, sample: &Sample<'_>, line: NextLine, findings: &mut Findings) {
        if self.spec != Spec::OpenMetrics2 || self.kind != Some(MetricType::StateSet) {
            return;
        }
        let mut labels = sample.labels().filter(|label| label.name.raw() != self.name);
        let (Some(first), Some(_)) = (labels.next(), labels.next()) else { return };
        let (name, value) = (first.name.raw(), first.value.raw());
        if self.leading.comes_back(format!("{name}=\"{value}\"")) && self.told.insert("OM2-SS-02") {
            let message = format!("other groups stand between those of {name}=\"{value}\"");
            findings.push_as_should("OM2-SS-02", message, line.place(first.name.span()), &self.name);
        }
    }

    /// A threshold, quantile or state.
    fn structural(
        &mut self,
        sample: &Sample<'_>,
        label: RawLabel<'_>,
        suffix: &str,
        line: NextLine,
        findings: &mut Findings,
    ) {
        let written = label.value.raw();
        match label.name.raw() {
            "le" | "quantile" if self.spec == Spec::OpenMetrics1 => {
                let at = line.place(label.value.span());
                for (nth, (id, wanted)) in number::odd_spelling(written).enumerate() {
                    let message = format!("\"{written}\" is better written \"{wanted}\"");
                    // Beside a recommendation, which readers must not insist on, it weighs no more than that.
                    if nth == 0 {
                        self.tell(findings, id, at, message);
                    } else if self.told.insert(id) {
                        findings.push_as_should(id, message, at, &self.name);
                    }
                }
            }
            _ => {}
        }
        match (label.name.raw(), suffix) {
            ("le", "_bucket") => self.layout.1.push(written.parse::<f64>().unwrap_or(f64::NAN).to_bits()),
            ("quantile", "") => self.has.quantile = true,
            _ if self.kind == Some(MetricType::StateSet) => {
                self.states.1 += 1;
                self.states.0 += u64::from(sample.number().is_some_and(|n| n.as_f64() == 1.0));
            }
            _ => {}
        }
    }

    /// All lines of a metric have been read.
    fn finish_metric(&mut self, findings: &mut Findings) {
        let fall = self.points.end();
        self.fall(fall, findings);
        let layout = std::mem::take(&mut self.layout.1);
        if !layout.is_empty() {
            if layout.len() > MANY_BUCKETS {
                let message = format!("a histogram has {} buckets", layout.len());
                self.tell(findings, "LINT-09", self.place, message);
            }
            match &self.layout.0 {
                None => self.layout.0 = Some(layout),
                Some(first) if *first != layout => {
                    self.tell(
                        findings,
                        "OM1-HIS-19",
                        self.place,
                        "its metrics have different thresholds".to_owned(),
                    );
                }
                Some(_) => {}
            }
        }
        let (on, of) = std::mem::take(&mut self.states);
        if of > 0 && on != 1 {
            let id = self.id("OM1-SS-04", "OM2-SS-03");
            self.tell(findings, id, self.place, format!("{on} of {of} states are on; of an enum it is one"));
        }
    }

    /// The start timestamp of OpenMetrics 2.0.
    fn start(&mut self, sample: &Sample<'_>, at: Place, findings: &mut Findings) {
        if self.spec != Spec::OpenMetrics2 {
            return;
        }
        let wants =
            matches!(self.kind, Some(MetricType::Counter | MetricType::Histogram | MetricType::Summary));
        match sample.start() {
            None if wants => {
                self.tell(findings, "OM2-ST-03", at, "there is no start timestamp, `st@`".to_owned());
            }
            Some(_) if self.kind == Some(MetricType::GaugeHistogram) => {
                self.tell(findings, "OM2-ST-03", at, "a gauge histogram has no start timestamp".to_owned());
            }
            _ => {}
        }
    }

    /// All lines have been read.
    pub(super) fn finish(mut self, findings: &mut Findings, page: &mut Page) {
        self.finish_metric(findings);
        self.family_name(findings);
        self.family_metadata(findings);
        self.recommended_samples(findings);
        if self.metrics > MANY_METRICS {
            let message = format!("{} metrics", self.metrics);
            self.tell(findings, "LINT-06", self.place, message);
        }
        page.family(&self.name, self.kind, self.place, findings);
    }
}

/// Whether a label tells parts of one metric apart: thresholds, quantiles, states.
fn is_structural(kind: Option<MetricType>, suffix: &str, label: &str, family: &str) -> bool {
    match kind {
        Some(MetricType::Histogram | MetricType::GaugeHistogram) => label == "le" && suffix == "_bucket",
        Some(MetricType::Summary) => label == "quantile" && suffix.is_empty(),
        Some(MetricType::StateSet) => label == family,
        _ => false,
    }
}

/// Whether a backslash stands before another character than `n`, a quote or a backslash.
fn has_undefined_escape(raw: &str) -> bool {
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && !matches!(chars.next(), Some('n' | '"' | '\\')) {
            return true;
        }
    }
    false
}
