//! The values of OpenMetrics 2.0 that have fields: `{count:2,sum:1.5,bucket:[0.5:1,+Inf:2]} st@1520430000.123`.

use super::checks::check_summary;
use super::classic;
use super::encoder::Encoder;
use super::line::Line;
use super::number::{Style, push_float, push_number, push_seconds, push_unsigned};
use crate::format::native;
use crate::model::{
    ClassicBucket, HistogramValue, Labels, MetricType, NativeBucketsRef, Number, Point, Refusal, SummaryValue,
};

const STYLE: Style = Style::OpenMetrics;

impl Encoder<'_> {
    /// What follows a value: timestamp, `st@` and exemplars (OM2-ST-01, OM2-ST-02), and the line's end.
    pub(super) fn end_composite(&mut self, point: &Point<'_>, exemplars: bool) {
        self.push_time(point.timestamp);
        let starts = matches!(
            self.family.metric_type,
            MetricType::Counter | MetricType::Histogram | MetricType::Summary | MetricType::Unknown
        );
        if let Some(start) = point.start.filter(|_| starts) {
            self.out.extend_from_slice(b" st@");
            push_seconds(self.out, start);
        }
        for exemplar in point.exemplars.iter().filter(|_| exemplars) {
            if self.fits(exemplar) {
                self.push_exemplar(exemplar);
            }
        }
        self.out.push(b'\n');
    }

    fn begin_composite(&mut self, labels: &Labels<'_>) {
        let mut line = Line::begin(self.out, self.escaping, &self.family.sample, "");
        line.labels(labels);
        line.end_labels();
    }

    pub(super) fn composite_summary(
        &mut self,
        labels: &Labels<'_>,
        summary: &SummaryValue<'_>,
        point: &Point<'_>,
    ) -> Result<(), Refusal> {
        check_summary(self.dialect, summary)?;
        let (Some(count), Some(sum)) = (summary.count, summary.sum) else {
            return Err(Refusal::new("OM2-SUM-01", "a summary needs both count and sum"));
        };
        self.begin_composite(labels);
        let out = &mut *self.out;
        out.extend_from_slice(b"{count:");
        push_number(out, count.as_u64().map_or(count, Number::Unsigned), STYLE);
        out.extend_from_slice(b",sum:");
        push_number(out, sum, STYLE);
        out.extend_from_slice(b",quantile:[");
        list(out, summary.quantiles.iter(), |out, quantile| {
            push_float(out, quantile.quantile, STYLE);
            out.push(b':');
            push_number(out, quantile.value, STYLE);
        });
        out.extend_from_slice(b"]}");
        self.end_composite(point, false);
        Ok(())
    }

    pub(super) fn composite_histogram(
        &mut self,
        labels: &Labels<'_>,
        histogram: &HistogramValue<'_>,
        point: &Point<'_>,
    ) -> Result<(), Refusal> {
        let gauge = self.family.metric_type == MetricType::GaugeHistogram;
        let Some(sum) = histogram.sum else {
            return Err(Refusal::new("OM2-HIS-02", "a histogram needs a sum"));
        };
        // Custom bounds are classic ones on the wire (NH-24).
        let native = histogram.native.filter(|native| !native.schema.is_custom());
        let mut derived = Vec::new();
        let classic = if histogram.classic.is_some() || native.is_none() {
            let buckets = Self::classic_buckets(histogram, &mut derived)?;
            classic::check(self.dialect, gauge, buckets, histogram)?;
            Some(buckets)
        } else {
            None
        };
        if let Some(native) = &native {
            check_native(native, histogram, gauge)?;
        }
        self.begin_composite(labels);
        let out = &mut *self.out;
        out.extend_from_slice(if gauge { b"{gcount:" } else { b"{count:" });
        push_number(out, histogram.count, STYLE);
        out.extend_from_slice(if gauge { b",gsum:" } else { b",sum:" });
        push_number(out, sum, STYLE);
        if let Some(native) = native {
            push_native(out, &native);
        }
        if let Some(buckets) = classic {
            out.extend_from_slice(b",bucket:[");
            let infinite = ClassicBucket { upper_bound: f64::INFINITY, count: histogram.count };
            list(out, buckets.iter().chain([&infinite]), |out, bucket| {
                push_float(out, bucket.upper_bound, STYLE);
                out.push(b':');
                push_number(out, bucket.count, STYLE);
            });
            out.push(b']');
        }
        out.push(b'}');
        self.end_composite(point, true);
        Ok(())
    }
}

/// Items with commas between.
fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut push: impl FnMut(&mut Vec<u8>, T)) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, item);
    }
}

/// `,schema:3,zero_threshold:1e-128,zero_count:2,...`: the sides that have buckets, negative first.
fn push_native(out: &mut Vec<u8>, native: &NativeBucketsRef<'_>) {
    out.extend_from_slice(b",schema:");
    push_number(out, Number::from(native.schema.number()), STYLE);
    out.extend_from_slice(b",zero_threshold:");
    push_float(out, native.zero_threshold, STYLE);
    out.extend_from_slice(b",zero_count:");
    push_number(out, native.zero_count, STYLE);
    for (word, side) in [("negative", native.negative), ("positive", native.positive)] {
        if side.counts.is_empty() {
            continue;
        }
        out.push(b',');
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"_spans:[");
        list(out, side.spans.iter(), |out, span| {
            push_number(out, Number::from(span.offset), STYLE);
            out.push(b':');
            push_unsigned(out, span.length.into());
        });
        out.extend_from_slice(b"],");
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"_buckets:[");
        list(out, (0..side.counts.len()).filter_map(|at| side.counts.get(at)), |out, count| {
            push_number(out, count, STYLE);
        });
        out.push(b']');
    }
}

/// What a reader would reject in native buckets.
fn check_native(
    native: &NativeBucketsRef<'_>,
    histogram: &HistogramValue<'_>,
    gauge: bool,
) -> Result<(), Refusal> {
    if native.zero_threshold.is_nan() || native.zero_threshold < 0.0 || native.zero_threshold.is_infinite() {
        return Err(Refusal::new("OM2-NH-08", "the zero threshold is no number from zero up"));
    }
    for (side, sign) in [(native.negative, "negative"), (native.positive, "positive")] {
        native::check_spans(native, side, sign).map_err(|(rule, message)| {
            let rule = match rule {
                "NH-11" => "OM2-NH-05",
                "NH-10" => "OM2-NH-06",
                _ => "OM2-NH-10",
            };
            Refusal::new(rule, message)
        })?;
        let mut counts = (0..side.counts.len()).filter_map(|at| side.counts.get(at));
        if !gauge && counts.any(Number::is_negative) {
            return Err(Refusal::new("OM2-HIS-07", "a bucket's count is negative"));
        }
    }
    if !gauge && (native.zero_count.is_negative() || histogram.count.is_negative()) {
        return Err(Refusal::new("OM2-HIS-07", "a count is negative"));
    }
    // What may be negative need not add up to anything.
    match native::check_count(native, histogram.count, histogram.sum) {
        Err(("NH-20", message)) => Err(Refusal::new("OM2-NH-09", message)),
        _ => Ok(()),
    }
}
