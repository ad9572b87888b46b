//! The looks on native histograms, which the reader hands out as they were written.

use std::collections::BTreeSet;

use openmetrics::model::{Exemplar, Histogram, MetricSet, MetricValue, NativeBuckets, Number, Side};

use super::Findings;
use crate::finding::Finding;

pub(super) fn look(set: &MetricSet, findings: &mut Findings) {
    for family in &set.families {
        let name = family.descriptor.name().as_str();
        let mut told = BTreeSet::new();
        for point in family.metrics.iter().flat_map(|metric| &metric.points) {
            let MetricValue::Histogram(histogram) = &point.value else { continue };
            let Some(native) = &histogram.native else { continue };
            let sum = histogram.sum.map_or(0.0, Number::as_f64);
            let observed = (!sum.is_finite())
                .then(|| ("NH-32", format!("its sum is {sum}, so NaN or infinity was observed")));
            let found = odd(native).into_iter().chain(observed).chain(spread(histogram, &point.exemplars));
            for (id, message) in found {
                if let Some(rule) = crate::rules::find(id).filter(|_| told.insert(id)) {
                    findings.add(Finding::new(rule, format!("`{name}`: {message}")).of(name));
                }
            }
        }
    }
}

/// What is allowed and says nothing.
fn odd(native: &NativeBuckets) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let sides = || [&native.negative, &native.positive].into_iter();
    if sides().any(|side| side.spans.iter().any(|span| span.length == 0)) {
        found.push(("NH-12", "a span is empty".to_owned()));
    }
    let touches = |side: &Side| side.spans.iter().skip(1).any(|span| span.offset == 0);
    if sides().any(touches) {
        found.push(("NH-13", "a span begins where the one before it ends".to_owned()));
    }
    let threshold = native.zero_threshold;
    if threshold > 0.0 && !native.schema.is_custom() {
        let bound = native.schema.upper_bound(native.schema.index_of(threshold));
        if bound != threshold {
            found.push(("NH-15", format!("the zero threshold {threshold} is not the bound of a bucket")));
        }
    }
    found
}

/// Exemplars that all stand for one bucket, or are more than the histogram itself.
fn spread(histogram: &Histogram, exemplars: &[Exemplar]) -> Option<(&'static str, String)> {
    let native = histogram.native.as_ref()?;
    let index = |value: f64| (value < 0.0, native.schema.index_of(value.abs()));
    let buckets = native.negative.borrow().buckets().chain(native.positive.borrow().buckets());
    let populated = buckets.filter(|(_, count)| count.as_f64() > 0.0).count();
    let covered: BTreeSet<(bool, i32)> =
        exemplars.iter().map(|exemplar| index(exemplar.value.as_f64())).collect();
    if exemplars.len() > 2 && covered.len() == 1 && populated > 1 {
        return Some(("NH-31", format!("all {} exemplars are of one bucket", exemplars.len())));
    }
    let label = |exemplar: &Exemplar| -> usize {
        exemplar.labels.iter().map(|l| l.name.as_str().len() + l.value.as_str().len()).sum()
    };
    let size: usize = exemplars.iter().map(label).sum();
    // A bucket takes a few bytes, the rest of a histogram some more.
    let rest = 64 + 8 * populated + 16 * histogram.classic.as_ref().map_or(0, Vec::len);
    (exemplars.len() > 2 && size > 4 * rest)
        .then(|| ("NH-31", format!("the labels of its exemplars have {size} bytes, more than all the rest")))
}
