//! What a format can say, asked before anything is written; the protobuf writers ask the same.

use super::Dialect;
use crate::format::Escaping;
use crate::model::{Claims, ClassicBucket, ExemplarRef, Number, Quantile, Refusal, SummaryValue};

/// Takes names as they are written. The emitter took them as they are, so if they clash it is their writing (ESC-07).
pub(crate) fn claim_written(
    claims: &mut Claims,
    family: &str,
    suffixes: &'static [&'static str],
) -> Result<(), Refusal> {
    claims
        .claim_names(family, suffixes)
        .map_err(|refusal| Refusal::new("ESC-07", format!("as this format writes it, {}", refusal.message())))
}

/// A counter is a number from zero up; Prometheus text does not mind.
#[inline]
pub(crate) fn check_counter(number: Number, dialect: Dialect) -> Result<(), Refusal> {
    if dialect == Dialect::Prometheus || !(number.is_nan() || number.is_negative()) {
        return Ok(());
    }
    let (rule, what) = match (dialect, number.is_nan()) {
        (Dialect::OpenMetrics2, true) => ("OM2-CNT-02", "NaN"),
        (Dialect::OpenMetrics2, false) => ("OM2-CNT-02", "negative"),
        (_, true) => ("OM1-CNT-03", "NaN"),
        (_, false) => ("OM1-CNT-04", "negative"),
    };
    Err(Refusal::new(rule, format!("a counter cannot be {what}")))
}

/// Sum and count from zero up, quantiles rising within 0 to 1.
pub(crate) fn check_summary(dialect: Dialect, summary: &SummaryValue<'_>) -> Result<(), Refusal> {
    let refuse = |om1, om2, message| {
        Err(Refusal::new(if dialect == Dialect::OpenMetrics2 { om2 } else { om1 }, message))
    };
    let rising = rising(summary.quantiles);
    if !rising && dialect == Dialect::Prometheus {
        return Err(Refusal::new("P4-23", "quantiles do not rise"));
    }
    if dialect == Dialect::Prometheus {
        return Ok(());
    }
    if !rising {
        return refuse("OM1-SUM-05", "OM2-SUM-02", "quantiles do not rise");
    }
    if summary.quantiles.iter().any(|q| !(0.0..=1.0).contains(&q.quantile)) {
        return refuse("OM1-SUM-05", "OM2-SUM-03", "a quantile is not within 0 and 1");
    }
    if summary.quantiles.iter().any(|q| q.value.is_negative()) {
        return refuse("OM1-SUM-06", "OM2-SUM-03", "a quantile's value is negative");
    }
    if [summary.count, summary.sum].into_iter().flatten().any(|n| n.is_nan() || n.is_negative()) {
        return refuse("OM1-SUM-02", "OM2-SUM-04", "sum or count is negative or NaN");
    }
    if summary.count.is_some_and(|count| count.as_u64().is_none()) {
        return refuse("OM1-SUM-03", "OM2-SUM-04", "the count is no integer");
    }
    Ok(())
}

/// Whether quantiles rise, and so none of them is NaN or there twice.
pub(crate) fn rising(quantiles: &[Quantile]) -> bool {
    quantiles.is_sorted_by(|a, b| a.quantile < b.quantile) && quantiles.iter().all(|q| !q.quantile.is_nan())
}

/// Whether a dialect can say an exemplar.
pub(crate) fn exemplar_fits(dialect: Dialect, escaping: Escaping, exemplar: &ExemplarRef<'_>) -> bool {
    let room = match dialect {
        Dialect::Prometheus => false,
        Dialect::OpenMetrics1 => {
            let length = exemplar.labels.iter().map(|(n, v)| n.chars().count() + v.chars().count());
            length.sum::<usize>() <= 128 // OM1-EX-03
                && dialect.check_labels(&exemplar.labels, escaping).is_ok()
        }
        Dialect::OpenMetrics2 => exemplar.timestamp.is_some(), // OM2-EX-01
    };
    room && repeated(exemplar.labels.iter().map(|(name, _)| escaping.label_name(name))).is_none()
}

/// Finds the classic bucket of each exemplar that fits, by its value: (bucket, exemplar) in that order, so that the
/// last one of those that share a bucket comes last. `buckets` are those below `+Inf`, which comes after them.
pub(crate) fn place_exemplars(
    exemplars: &[ExemplarRef<'_>],
    buckets: &[ClassicBucket],
    fits: impl Fn(&ExemplarRef<'_>) -> bool,
    placed: &mut Vec<(usize, usize)>,
) {
    placed.clear();
    for (at, exemplar) in exemplars.iter().enumerate() {
        let value = exemplar.value.as_f64();
        if !value.is_nan() && fits(exemplar) {
            placed.push((buckets.partition_point(|bucket| bucket.upper_bound < value), at));
        }
    }
    placed.sort_unstable();
}

/// The first item that has been there before. Few are compared with each other, many are sorted.
pub(crate) fn repeated<T: AsRef<str>>(items: impl Iterator<Item = T> + Clone) -> Option<T> {
    if items.clone().take(17).count() <= 16 {
        let mut rest = items;
        while let Some(item) = rest.next() {
            if rest.clone().any(|other| other.as_ref() == item.as_ref()) {
                return Some(item);
            }
        }
        return None;
    }
    let mut sorted: Vec<T> = items.collect();
    sorted.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    let at = sorted.windows(2).position(|pair| matches!(pair, [a, b] if a.as_ref() == b.as_ref()))?;
    Some(sorted.swap_remove(at))
}
