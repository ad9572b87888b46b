//! What a sample says: its value, its time, its exemplars.

use super::{
    Context, Dialect, Judge, LineSpan, Located, Place, Role, Sample, Time, composite, numeral, repeated_name,
};
use crate::model::{MetricType, Number, Timestamp};

impl<'a> Judge<'a> {
    /// Compares the timestamp with the one before in the metric.
    #[inline]
    pub(super) fn time(&mut self, sample: &Sample<'a>, line: LineSpan, role: Role) -> Time {
        let timestamp = sample.timestamp();
        if !self.point.begun {
            self.point.begun = true;
            self.point.time = timestamp.map(|t| t.value);
            return Time::New;
        }
        if self.is_prometheus() || self.dialect == Dialect::OpenMetrics2 && role == Role::State {
            return Time::Same; // no rule, or a rule for each state by itself
        }
        if timestamp.is_none() && self.point.time.is_none() {
            return Time::Same;
        }
        self.later(timestamp, sample, line, role)
    }

    /// A further sample of a metric, where timestamps are.
    pub(super) fn later(
        &mut self,
        timestamp: Option<Located<Timestamp>>,
        sample: &Sample<'a>,
        line: LineSpan,
        role: Role,
    ) -> Time {
        let Some(group) = self.group else { return Time::New };
        let om2 = self.dialect == Dialect::OpenMetrics2;
        let Some(timestamp) = timestamp.filter(|_| group.has_timestamps) else {
            let place = Place::new(line, timestamp.map_or(sample.series_span(), |t| t.span));
            let rule = if om2 { "OM2-VAL-03" } else { "OM1-TS-05" };
            let related = (group.first, "the metric begins here");
            self.findings.add_related(
                rule,
                place,
                related,
                true,
                || "the points of a metric have timestamps, or none of them has one",
            );
            self.end_point();
            self.point.next_time(timestamp.map(|t| t.value));
            return Time::New;
        };
        let place = Place::new(line, timestamp.span);
        match self.point.time {
            Some(last) if timestamp.value < last => {
                let back = self.grouped_now() || role == Role::Created;
                let interleaved = back && self.point.had_time(timestamp.value);
                let rule = if interleaved { "OM1-FAM-18" } else { self.rules.time_order };
                self.findings.add(rule, place, || "the timestamp lies before that of the point before");
                Time::Astray
            }
            Some(last) if timestamp.value == last => {
                if om2 {
                    self.findings.add("OM2-VAL-03", place, || "the timestamp is that of the sample before");
                    return Time::Astray;
                }
                // Two points of a plain metric at one time are tolerated, as the public corpus has it.
                if !self.grouped_now() && self.point.has(role) && role != Role::Created {
                    self.end_point();
                    self.point.next_time(Some(timestamp.value));
                    return Time::New;
                }
                Time::Same
            }
            _ => {
                self.end_point();
                self.point.next_time(Some(timestamp.value));
                Time::New
            }
        }
    }

    /// Checks the value against the type and what the metric has had so far. Gives what `le` or `quantile` says.
    #[inline]
    pub(super) fn value(
        &mut self,
        role: Role,
        sample: &Sample<'a>,
        line: LineSpan,
        special: Option<usize>,
    ) -> f64 {
        let metric_type = self.open.as_ref().map_or(MetricType::Unknown, |open| open.metric_type);
        let Some(number) = sample.number() else {
            composite::check(&mut self.findings, metric_type, sample, line);
            return f64::NAN;
        };
        if number.as_f64().is_infinite() {
            self.check_range(Located { value: number, span: sample.value_span() }, sample, line);
        }
        if self.dialect == Dialect::OpenMetrics2 && composite::is_for(metric_type) {
            composite::missing(&mut self.findings, metric_type, sample, line);
        }
        if role == Role::Bucket {
            if let Some(bound) = self.point.next_bucket(sample, special, number) {
                return bound;
            }
        }
        let first = self.group.map_or(Place::new(line, sample.series_span()), |group| group.first);
        let mut cx = Context {
            findings: &mut self.findings,
            dialect: self.dialect,
            duplicate: self.rules.duplicate,
            metric_type,
            sample,
            line,
            special,
            first,
        };
        self.point.take(role, number, &mut cx)
    }

    pub(super) fn check_range(&mut self, number: Located<Number>, sample: &Sample<'a>, line: LineSpan) {
        if numeral::overflows(sample.text(number.span), number.value) {
            self.findings.add(
                self.rules.range,
                Place::new(line, number.span),
                || "the number is beyond the range of doubles",
            );
        }
    }

    pub(super) fn exemplars(
        &mut self,
        sample: &Sample<'a>,
        line: LineSpan,
        role: Role,
        metric_type: MetricType,
        bound: f64,
    ) {
        let om1 = self.dialect == Dialect::OpenMetrics1;
        for exemplar in sample.exemplars() {
            let place = Place::new(line, exemplar.span());
            if om1 && !matches!(role, Role::Total | Role::Bucket) {
                self.findings.add("OM1-EX-01", place, || {
                    format!("exemplars are for counters' totals and buckets only; this is a {metric_type}")
                });
            }
            let labels = exemplar.labels();
            if om1 {
                let length: usize = labels
                    .clone()
                    .map(|l| l.name.unescape().chars().count() + l.value.unescape().chars().count())
                    .sum();
                if length > 128 {
                    self.findings.add("OM1-EX-03", place, || {
                        format!("the exemplar's labels have {length} characters, of at most 128")
                    });
                }
                if role == Role::Bucket && exemplar.value().value.as_f64() > bound {
                    self.findings.add("OM1-EX-05", Place::new(line, exemplar.value().span), || {
                        format!("the exemplar's value is above the bucket's bound {bound}")
                    });
                }
            }
            self.check_range(exemplar.value(), sample, line);
            if om1 {
                self.check_labels(labels.clone(), labels.len(), line, "OM1-EX-04", true);
            } else if let Some((first, second)) = repeated_name(labels.clone(), labels.len()) {
                // An exemplar's faults are its own (OM2-DOC-03).
                let related = (Place::new(line, first.name.span()), "it is first here");
                self.findings.add_related(
                    "OM1-EX-04",
                    Place::new(line, second.name.span()),
                    related,
                    false,
                    || format!("label {:?} is given twice", second.name.raw()),
                );
            }
        }
    }
}
