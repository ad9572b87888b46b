//! What has to hold of native buckets in whatever format they travel
//! ([data model](https://prometheus.io/docs/specs/native_histograms/#data-model)).
//!
//! Writers and readers ask the same check: a scraper that finds one of these broken drops the whole scrape, so a
//! histogram that breaks them is better left out.

use crate::model::{Counts, NativeBucketsRef, Number, Schema, SideRef};

/// The first rule that is broken, and how.
pub(crate) type Broken = (&'static str, String);

/// Checks NH-07, NH-09 to NH-11, NH-14, NH-16, NH-20 and NH-23 against the count and sum of the histogram.
pub(crate) fn check(native: &NativeBucketsRef<'_>, count: Number, sum: Option<Number>) -> Result<(), Broken> {
    if native.zero_threshold.is_nan() || native.zero_threshold < 0.0 {
        return Err(("NH-14", format!("the zero threshold is {}", native.zero_threshold)));
    }
    for (side, sign) in [(native.positive, "positive"), (native.negative, "negative")] {
        check_spans(native, side, sign)?;
        let wrong = match side.counts {
            Counts::Float(counts) => counts.iter().find(|count| count.is_nan() || **count < 0.0),
            Counts::Integer(_) => None,
        };
        if let Some(wrong) = wrong {
            return Err(("NH-09", format!("a {sign} bucket holds {wrong} observations")));
        }
    }
    if native.schema.is_custom() {
        check_custom(native)?;
    } else if native.zero_threshold > 0.0 {
        check_zero_bucket(native)?;
    }
    check_count(native, count, sum)
}

/// Spans have as many buckets as there are counts (NH-11), none goes back (NH-10), and none beyond the last (NH-07).
pub(crate) fn check_spans(
    native: &NativeBucketsRef<'_>,
    side: SideRef<'_>,
    sign: &str,
) -> Result<(), Broken> {
    let buckets: u64 = side.spans.iter().map(|span| u64::from(span.length)).sum();
    if buckets != side.counts.len() as u64 {
        let message =
            format!("the {sign} spans have {buckets} buckets, but there are {} counts", side.counts.len());
        return Err(("NH-11", message));
    }
    if let Some(span) = side.spans.iter().skip(1).find(|span| span.offset < 0) {
        let message = format!("a {sign} span after the first has offset {}", span.offset);
        return Err(("NH-10", message));
    }
    let end: i64 = side.spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
    let last = overflow_index(native);
    if buckets > 0 && end - 1 > last {
        let rule = if native.schema.is_custom() { "NH-23" } else { "NH-07" };
        let message =
            format!("the last {sign} bucket has index {}, beyond the overflow bucket {last}", end - 1);
        return Err((rule, message));
    }
    Ok(())
}

/// The index of the bucket that ends at infinity.
fn overflow_index(native: &NativeBucketsRef<'_>) -> i64 {
    // Bucket 1024 * 2^schema ends at 2^1024 and so holds the largest double; the next one is for infinity.
    match native.schema.number() {
        _ if native.schema.is_custom() => native.custom_bounds.len() as i64,
        schema if schema < 0 => (1024 >> -schema) + 1,
        schema => (1024 << schema) + 1,
    }
}

fn check_custom(native: &NativeBucketsRef<'_>) -> Result<(), Broken> {
    let rising = native.custom_bounds.windows(2).all(|pair| pair.first() < pair.last());
    let broken = if !rising || native.custom_bounds.iter().any(|bound| !bound.is_finite()) {
        "custom bounds are not finite and rising"
    } else if !native.negative.spans.is_empty() || native.zero_count.as_f64() != 0.0 {
        "custom bounds go with neither negative buckets nor a zero bucket"
    } else if native.positive.spans.first().is_some_and(|span| span.offset < 0) {
        "an index into custom bounds is negative"
    } else {
        return Ok(());
    };
    Err(("NH-23", broken.to_owned()))
}

/// No bucket that holds observations lies within the zero bucket. Bounds rise, so the lowest such bucket of a side
/// decides.
fn check_zero_bucket(native: &NativeBucketsRef<'_>) -> Result<(), Broken> {
    for (side, sign) in [(native.positive, "positive"), (native.negative, "negative")] {
        let lowest = side.buckets().find(|(_, count)| count.as_f64() > 0.0);
        let within =
            lowest.filter(|&(index, _)| surely_upper_bound(native.schema, index) <= native.zero_threshold);
        if let Some((index, _)) = within {
            let message = format!(
                "the {sign} bucket {index} holds observations but lies within the zero threshold {}",
                native.zero_threshold
            );
            return Err(("NH-16", message));
        }
    }
    Ok(())
}

/// The upper bound of a bucket, exact for powers of two and else a little too large rather than too small.
fn surely_upper_bound(schema: Schema, index: i32) -> f64 {
    let exponent = f64::from(index) * f64::from(-schema.number()).exp2();
    let bound = exponent.exp2();
    if exponent.fract() == 0.0 { bound } else { bound * (1.0 + 1e-12) }
}

/// The buckets hold all observations that are numbers (NH-20), if none of them holds less than nothing (NH-09).
pub(crate) fn check_count(
    native: &NativeBucketsRef<'_>,
    count: Number,
    sum: Option<Number>,
) -> Result<(), Broken> {
    let has_nan = sum.is_some_and(Number::is_nan);
    let words = |held: &dyn std::fmt::Display| {
        format!("the buckets hold {held} observations, but the count is {}", count.as_f64())
    };
    match (native.positive.counts, native.negative.counts, native.zero_count, count) {
        (
            Counts::Integer(positive),
            Counts::Integer(negative),
            Number::Unsigned(zero),
            Number::Unsigned(count),
        ) => {
            let sum = |counts: &[u64]| {
                let short = counts.iter().try_fold(0_u64, |sum, &n| sum.checked_add(n));
                short.map_or_else(|| counts.iter().map(|&n| u128::from(n)).sum(), u128::from)
            };
            let held = u128::from(zero) + sum(positive) + sum(negative);
            let count = u128::from(count);
            if held == count || held < count && has_nan { Ok(()) } else { Err(("NH-20", words(&held))) }
        }
        (positive, negative, zero, count) => {
            let (zero, count) = (zero.as_f64(), count.as_f64());
            if !(zero >= 0.0 && count >= 0.0) {
                return Err(("NH-09", format!("the zero bucket holds {zero} of {count} observations")));
            }
            let held = zero + total(positive) + total(negative);
            // Adding up doubles rounds; a thousand million buckets would not reach this.
            let rounding = 1e-6 * count.max(held);
            let fine = (held - count).abs() <= rounding || held < count && has_nan || held == count;
            if fine { Ok(()) } else { Err(("NH-20", words(&held))) }
        }
    }
}

fn total(counts: Counts<'_>) -> f64 {
    match counts {
        Counts::Integer(counts) => counts.iter().map(|&n| n as f64).sum(),
        Counts::Float(counts) => counts.iter().sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;

    const GOOD: NativeBucketsRef<'static> = NativeBucketsRef {
        schema: Schema::MIN,
        zero_threshold: 0.001,
        zero_count: Number::Unsigned(1),
        positive: SideRef {
            spans: &[Span { offset: -1, length: 1 }, Span { offset: 2, length: 1 }],
            counts: Counts::Integer(&[0, 3]),
        },
        negative: SideRef { spans: &[Span { offset: 0, length: 1 }], counts: Counts::Integer(&[2]) },
        custom_bounds: &[],
    };

    fn broken(change: impl FnOnce(&mut NativeBucketsRef<'static>)) -> &'static str {
        let mut native = GOOD;
        change(&mut native);
        check(&native, Number::Unsigned(6), Some(Number::Float(1.0)))
            .map_or_else(|(rule, _)| rule, |()| "fine")
    }

    #[test]
    fn each_rule_has_its_words() {
        assert_eq!(broken(|_| ()), "fine");
        assert_eq!(broken(|n| n.zero_threshold = -0.5), "NH-14");
        assert_eq!(broken(|n| n.zero_threshold = f64::NAN), "NH-14");
        assert_eq!(broken(|n| n.zero_count = Number::Unsigned(0)), "NH-20");
        assert_eq!(broken(|n| n.positive.spans = &[Span { offset: 0, length: 3 }]), "NH-11");
        assert_eq!(
            broken(|n| n.positive.spans = &[Span { offset: 5, length: 1 }, Span { offset: -1, length: 1 }]),
            "NH-10"
        );
        assert_eq!(broken(|n| n.positive.spans = &[Span { offset: 64, length: 2 }]), "fine");
        assert_eq!(broken(|n| n.positive.spans = &[Span { offset: 65, length: 2 }]), "NH-07");
        assert_eq!(broken(|n| n.negative.counts = Counts::Float(&[-2.0])), "NH-09");
        assert_eq!(broken(|n| n.zero_threshold = 1.0), "NH-16", "bucket 0 of the negative side ends at -1");
        assert_eq!(broken(|n| n.schema = Schema::CUSTOM), "NH-23");
    }

    #[test]
    fn only_observed_nan_may_be_missing_from_the_buckets() {
        let nan = Some(Number::Float(f64::NAN));
        assert!(check(&GOOD, Number::Unsigned(7), nan).is_ok());
        assert!(check(&GOOD, Number::Unsigned(5), nan).is_err());
        assert!(check(&GOOD, Number::Unsigned(7), None).is_err());
    }

    #[test]
    fn float_counts_may_be_rounded() {
        let native = NativeBucketsRef {
            zero_count: Number::Float(0.1),
            positive: SideRef { spans: &[Span { offset: 1, length: 1 }], counts: Counts::Float(&[0.2]) },
            negative: SideRef::default(),
            ..GOOD
        };
        assert!(check(&native, Number::Float(0.3), None).is_ok());
        assert!(check(&native, Number::Float(0.4), None).is_err());
    }

    #[test]
    fn bounds_of_whole_powers_are_exact() {
        assert_eq!(surely_upper_bound(Schema::MIN, 2), 4_294_967_296.0);
        let finest = Schema::MAX;
        assert_eq!(surely_upper_bound(finest, -128 * 256), (-128.0_f64).exp2());
        assert!(surely_upper_bound(finest, -128 * 256 + 1) > (-128.0_f64).exp2());
    }
}
