//! The rules about composite values of OpenMetrics 2.0.

use super::super::entries::{
    ByteSpan, Composite, CompositeKind, LineSpan, Located, RawNative, RawSide, Sample,
};
use super::super::numeral;
use super::findings::{Findings, Place};
use crate::model::{MetricType, Number};

/// Whether values of this type are composite (OM2-VAL-01).
pub(super) fn is_for(metric_type: MetricType) -> bool {
    matches!(metric_type, MetricType::Histogram | MetricType::GaugeHistogram | MetricType::Summary)
}

/// A number where a composite value belongs.
pub(super) fn missing(findings: &mut Findings, metric_type: MetricType, sample: &Sample<'_>, line: LineSpan) {
    findings.add("OM2-VAL-01", Place::new(line, sample.value_span()), || {
        format!("the value of a {metric_type} is composite, as in {{count:1,sum:2,...}}")
    });
}

/// Checks a composite value.
pub(super) fn check(findings: &mut Findings, metric_type: MetricType, sample: &Sample<'_>, line: LineSpan) {
    let Some(value) = sample.composite() else { return };
    let mut judge = Judge { findings, line, sample, gauge: value.kind == CompositeKind::GaugeHistogram };
    let place = sample.value_span();
    match (metric_type, value.kind) {
        (MetricType::Histogram, CompositeKind::Histogram)
        | (MetricType::GaugeHistogram, CompositeKind::GaugeHistogram)
        | (MetricType::Summary, CompositeKind::Summary)
        | (MetricType::Unknown, _) => {}
        (MetricType::Histogram, CompositeKind::GaugeHistogram)
        | (MetricType::GaugeHistogram, CompositeKind::Histogram) => {
            judge.add("OM2-GHI-01", place, "gauge histograms have gcount and gsum, histograms count and sum");
        }
        (MetricType::Summary, _) => judge.add("OM2-SUM-01", place, "a summary has count, sum and quantile"),
        (MetricType::Histogram | MetricType::GaugeHistogram, CompositeKind::Summary) => {
            judge.add("OM2-HIS-01", place, "a histogram has buckets, not quantiles");
        }
        _ => {
            let message = format!("the value of a {metric_type} is a number");
            judge.add("OM2-VAL-02", place, message);
        }
    }
    match value.kind {
        CompositeKind::Summary => judge.summary(value),
        _ => judge.histogram(value),
    }
}

struct Judge<'c, 'a> {
    findings: &'c mut Findings,
    line: LineSpan,
    sample: &'c Sample<'a>,
    gauge: bool,
}

impl Judge<'_, '_> {
    fn add(
        &mut self,
        rule: &'static str,
        span: ByteSpan,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) {
        self.findings.add(rule, Place::new(self.line, span), || message);
    }

    /// What strict reading lets pass: the specification says "should not".
    fn advise(&mut self, rule: &'static str, span: ByteSpan, message: &'static str) {
        self.findings.tolerate(rule, Place::new(self.line, span), || message);
    }

    fn range(&mut self, number: Located<Number>) {
        if numeral::overflows(self.sample.text(number.span), number.value) {
            self.add("OM1-NUM-05", number.span, "the number is beyond the range of doubles");
        }
    }

    /// The label on the metric that would clash with the value's own.
    fn no_label(&mut self, name: &str, rule: &'static str) {
        if let Some(label) = self.sample.labels().find(|label| label.name.unescape() == name) {
            let message = format!("label {name:?} is the value's own");
            self.add(rule, label.name.span(), message);
        }
    }

    fn summary(&mut self, value: &Composite) {
        let count = value.count.value.as_f64();
        if count.is_nan() || count < 0.0 {
            self.add("OM2-SUM-04", value.count.span, "the count of a summary is not NaN and not negative");
        } else if count.is_infinite() || count.trunc() != count {
            self.add("OM2-SUM-04", value.count.span, "the count of a summary is a whole number");
        }
        if value.sum.value.is_nan() || value.sum.value.is_negative() {
            self.add("OM2-SUM-04", value.sum.span, "the sum of a summary is not NaN and not negative");
        }
        self.range(value.count);
        self.range(value.sum);
        let mut last = f64::NEG_INFINITY;
        for (quantile, at) in &value.quantiles {
            if !(0.0..=1.0).contains(&quantile.value) {
                self.add("OM2-SUM-03", quantile.span, "a quantile lies from 0 to 1");
            } else if quantile.value <= last {
                self.add("OM2-SUM-02", quantile.span, "quantiles rise");
            }
            if at.value.is_negative() {
                self.add("OM2-SUM-03", at.span, "the value of a quantile is not negative");
            }
            self.range(*at);
            last = quantile.value;
        }
        self.no_label("quantile", "OM2-SUM-05");
    }

    fn histogram(&mut self, value: &Composite) {
        self.count(value.count, "OM2-HIS-07");
        self.range(value.sum);
        if let Some(native) = &value.native {
            self.native(native, value);
        }
        let Some(buckets) = &value.buckets else { return };
        let mut last: Option<(f64, f64)> = None;
        for (bound, count) in buckets {
            self.count(*count, "OM2-HIS-07");
            if let Some((below, counted)) = last {
                if bound.value <= below {
                    self.add("OM2-HIS-06", bound.span, "upper bounds are different and rise");
                } else if count.value.as_f64() < counted && !self.gauge {
                    let message = format!(
                        "the bucket counts less than the {counted} of a lower bound; buckets are cumulative"
                    );
                    self.add("OM2-HIS-07", count.span, message);
                }
            }
            last = Some((bound.value, count.value.as_f64()));
        }
        if let Some((_, infinity)) = buckets.last() {
            if !infinity.value.same_value(value.count.value) {
                self.add("OM2-HIS-05", infinity.span, "the +Inf bucket is not equal to the count");
            }
        }
        self.no_label("le", "OM2-HIS-08");
    }

    /// A count or the value of a bucket. Those of gauge histograms are gauges, so anything goes, if not well.
    fn count(&mut self, count: Located<Number>, rule: &'static str) {
        self.range(count);
        let value = count.value.as_f64();
        if self.gauge {
            if !value.is_finite() || value < 0.0 {
                self.advise("OM2-GHI-02", count.span, "counts should be finite and not negative");
            }
        } else if value < 0.0 {
            self.add(rule, count.span, "a count is not negative");
        } else if !value.is_finite() {
            self.advise("OM2-HIS-04", count.span, "a count should be finite");
        } else if value.trunc() != value {
            self.advise("OM2-HIS-04", count.span, "a count should be a whole number");
        }
    }

    fn native(&mut self, native: &RawNative, value: &Composite) {
        let schema = native.schema;
        if !(-4..=8).contains(&schema.value) {
            self.add("OM2-NH-04", schema.span, "a schema lies from -4 to 8");
        }
        if native.zero_threshold.value < 0.0 {
            self.add("OM2-NH-08", native.zero_threshold.span, "a zero threshold is not negative");
        }
        self.count(native.zero_count, "OM2-HIS-07");
        let mut total = Total::new(native.zero_count.value);
        for side in [&native.negative, &native.positive].into_iter().flatten() {
            self.side(side, schema.value);
            for bucket in &side.buckets {
                total.add(bucket.value);
            }
        }
        let fits =
            total.equals(value.count.value) || value.sum.value.is_nan() && total.is_below(value.count.value);
        if !fits && value.count.value.as_f64().is_finite() {
            let message = format!("the buckets add up to {}, not to the count", total.as_f64());
            self.add("OM2-NH-09", value.count.span, message);
        }
    }

    fn side(&mut self, side: &RawSide, schema: i64) {
        for bucket in &side.buckets {
            self.count(*bucket, "OM2-HIS-07");
        }
        let buckets = i64::try_from(side.buckets.len()).unwrap_or(i64::MAX);
        let lengths = side.spans.iter().fold(0_i64, |sum, (_, length)| sum.saturating_add(length.value));
        if lengths != buckets {
            let message = format!("the spans have room for {lengths} buckets, and there are {buckets}");
            self.add("OM2-NH-05", side.span, message);
            return;
        }
        let mut end = 0_i64;
        for (offset, length) in &side.spans {
            end = end.saturating_add(offset.value).saturating_add(length.value);
            if length.value > 0 && end - 1 > last_bucket(schema) {
                let span = ByteSpan::new(offset.span.start, length.span.end);
                self.add("OM2-NH-10", span, "no bucket lies beyond the one for infinity");
                return;
            }
        }
    }
}

/// The index of the bucket for infinity, the one after that which holds the largest double (NH-06): 2^1024 is
/// `base^(1024 * 2^schema)`.
fn last_bucket(schema: i64) -> i64 {
    match schema {
        0..=8 => (1024 << schema) + 1,
        -4..=-1 => (1024 >> -schema) + 1,
        _ => i64::MAX,
    }
}

/// A sum of counts: exact while they are whole numbers.
struct Total {
    whole: Option<u128>,
    float: f64,
    terms: f64,
}

impl Total {
    fn new(first: Number) -> Self {
        let mut total = Self { whole: Some(0), float: 0.0, terms: 0.0 };
        total.add(first);
        total
    }

    fn add(&mut self, number: Number) {
        self.whole = match (self.whole, number.as_u64()) {
            (Some(sum), Some(n)) => sum.checked_add(u128::from(n)),
            _ => None,
        };
        self.float += number.as_f64();
        self.terms += 1.0;
    }

    fn as_f64(&self) -> f64 {
        self.float
    }

    fn equals(&self, count: Number) -> bool {
        if let (Some(sum), Some(count)) = (self.whole, count.as_u64()) {
            return sum == u128::from(count);
        }
        // Within what rounding may have done to each term.
        let slack = self.terms * f64::EPSILON * self.float.abs().max(count.as_f64().abs());
        (self.float - count.as_f64()).abs() <= slack || self.float.is_nan() || count.is_nan()
    }

    fn is_below(&self, count: Number) -> bool {
        self.float < count.as_f64()
    }
}
