//! Classic buckets out of native ones, for formats that cannot say native.
//!
//! # The rule
//!
//! A histogram with native buckets only is written with classic ones whose bounds are powers of two:
//!
//! * Buckets are merged down to schema 0 (each bound twice the one before), and further (4, 16, 256 and 65,536 times)
//!   while there would be more than [`MOST`] on one side of zero. Coarser schemas merge exactly, so every count is exact.
//! * All bounds between the lowest and the highest bucket in use appear, so that the layout grows at its ends only while
//!   the resolution stays.
//! * The zero bucket ends at its threshold, and appears if it counted something or there are buckets below it.
//! * Native buckets below zero hold their upper bound's neighbour: an observation of exactly such a bound is counted one
//!   bucket higher than a classic histogram would have it.
//! * Observations of infinity, and of NaN, are counted in `+Inf` only.
//! * Custom bounds (schema -53) are classic bounds already and stay as they are (NH-24).

use super::Dialect;
use crate::model::{ClassicBucket, HistogramValue, NativeBucketsRef, Number, Refusal, Schema, SideRef};

/// Bounds on one side of zero, at most.
const MOST: i64 = 32;

/// Fills `out` with the classic form of `native`, cumulative, `+Inf` left out.
pub(crate) fn from_native(
    native: &NativeBucketsRef<'_>,
    out: &mut Vec<ClassicBucket>,
) -> Result<(), Refusal> {
    out.clear();
    let mut total = Total::default();
    if native.schema.is_custom() {
        let mut buckets = native.positive.buckets().peekable();
        for (at, &upper_bound) in native.custom_bounds.iter().enumerate() {
            while let Some((_, count)) = buckets.next_if(|&(index, _)| i64::from(index) <= at as i64) {
                total.add(count);
            }
            if upper_bound < f64::INFINITY {
                out.push(ClassicBucket { upper_bound, count: total.number() });
            }
        }
        return Ok(());
    }
    // Below zero the highest index comes first and each bucket ends where the next one begins.
    if let Some(below) = Coarse::of(native.schema, native.negative)? {
        let mut buckets: Vec<_> = native.negative.buckets().collect();
        buckets.reverse();
        let mut buckets = buckets.into_iter().peekable();
        for index in (below.first..=below.last).rev() {
            while let Some((_, count)) = buckets.next_if(|&(fine, _)| below.index(fine) >= index) {
                total.add(count);
            }
            out.push(ClassicBucket { upper_bound: -below.upper_bound(index - 1), count: total.number() });
        }
    }
    if !out.is_empty() || !native.zero_count.same_value(Number::ZERO) {
        total.add(native.zero_count);
        out.push(ClassicBucket { upper_bound: native.zero_threshold, count: total.number() });
    }
    if let Some(above) = Coarse::of(native.schema, native.positive)? {
        let mut buckets = native.positive.buckets().peekable();
        for index in above.first..=above.last {
            while let Some((_, count)) = buckets.next_if(|&(fine, _)| above.index(fine) <= index) {
                total.add(count);
            }
            let upper_bound = above.upper_bound(index);
            if upper_bound < f64::INFINITY {
                out.push(ClassicBucket { upper_bound, count: total.number() });
            }
        }
    }
    Ok(())
}

/// One side, merged: bounds are `2^(index << doublings)`.
struct Coarse {
    /// How many schemas down.
    steps: u32,
    /// Binary logarithm of the binary logarithm of the factor between bounds, in [0, 4].
    doublings: u32,
    first: i64,
    last: i64,
}

impl Coarse {
    /// `None` if the side has no buckets; an error if it has some that no float can fall in (NH-07).
    fn of(schema: Schema, side: SideRef<'_>) -> Result<Option<Self>, Refusal> {
        let mut indexes = side.buckets().map(|(index, _)| index);
        let Some(lowest) = indexes.next() else { return Ok(None) };
        let highest = indexes.last().unwrap_or(lowest);
        let schema = schema.number();
        let mut coarse = Self {
            steps: schema.max(0).unsigned_abs(),
            doublings: schema.min(0).unsigned_abs(),
            first: 0,
            last: 0,
        };
        loop {
            coarse.first = coarse.index(lowest);
            coarse.last = coarse.index(highest);
            if coarse.last - coarse.first < MOST || coarse.doublings == 4 {
                break;
            }
            coarse.steps += 1;
            coarse.doublings += 1;
        }
        // Doubles lie within 2^-1074 and 2^1024; the bucket after the last bound holds infinity.
        let (lowest, highest) = (coarse.first << coarse.doublings, (coarse.last - 1) << coarse.doublings);
        if lowest < -1074 || highest > 1024 {
            return Err(Refusal::new("NH-07", "a native bucket lies beyond all floats"));
        }
        Ok(Some(coarse))
    }

    /// The merged bucket of a fine one: bucket `i` ends at `i`, so halving rounds up.
    fn index(&self, fine: i32) -> i64 {
        ((i64::from(fine) - 1) >> self.steps) + 1
    }

    fn upper_bound(&self, index: i64) -> f64 {
        match index << self.doublings {
            1024 => f64::MAX, // NH-06: the bucket of the largest float ends at it
            exponent if exponent > 1024 => f64::INFINITY,
            exponent => power_of_two(exponent as i32),
        }
    }
}

/// Exact, also where the result is subnormal.
fn power_of_two(exponent: i32) -> f64 {
    if exponent >= -1022 {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    } else {
        f64::from_bits(1_u64.checked_shl((exponent + 1074).max(0).unsigned_abs()).unwrap_or(0))
    }
}

/// A running sum that stays an integer as long as it can.
#[derive(Default)]
struct Total {
    integers: u64,
    floats: f64,
    inexact: bool,
}

impl Total {
    fn add(&mut self, count: Number) {
        match (count, self.inexact) {
            (Number::Unsigned(v), false) => match self.integers.checked_add(v) {
                Some(sum) => self.integers = sum,
                None => self.add_float(v as f64),
            },
            (count, _) => self.add_float(count.as_f64()),
        }
    }

    fn add_float(&mut self, v: f64) {
        if !self.inexact {
            self.floats = self.integers as f64;
            self.inexact = true;
        }
        self.floats += v;
    }

    fn number(&self) -> Number {
        if self.inexact { Number::Float(self.floats) } else { Number::Unsigned(self.integers) }
    }
}

/// Checks classic buckets and the values beside them against what the dialect can say, and returns count and sum as
/// they are to be written.
///
/// OpenMetrics 1.0 has integers only, and no sum together with bounds below zero: there the sum is left out
/// (OM1-HIS-10).
pub(crate) fn check(
    dialect: Dialect,
    gauge: bool,
    buckets: &[ClassicBucket],
    histogram: &HistogramValue<'_>,
) -> Result<(Number, Option<Number>), Refusal> {
    let rule = |prometheus, om1, om2| match dialect {
        Dialect::Prometheus => prometheus,
        Dialect::OpenMetrics1 => om1,
        Dialect::OpenMetrics2 => om2,
    };
    if buckets.iter().any(|bucket| bucket.upper_bound.is_nan()) {
        return Err(Refusal::new(rule("P4-22", "OM1-HIS-07", "OM2-HIS-06"), "a bucket's bound is NaN"));
    }
    if !buckets.is_sorted_by(|a, b| a.upper_bound < b.upper_bound) {
        let is_twice = |pair: &[ClassicBucket]| matches!(pair, [a, b] if a.upper_bound == b.upper_bound);
        let om1 = if buckets.windows(2).any(is_twice) { "OM1-HIS-04" } else { "OM1-HIS-05" };
        return Err(Refusal::new(rule("P4-22", om1, "OM2-HIS-06"), "the buckets' bounds do not rise"));
    }
    if dialect == Dialect::Prometheus && histogram.count.is_nan() {
        return Err(Refusal::new("P4-21", "a count of NaN equals no bucket"));
    }
    if dialect == Dialect::Prometheus || dialect == Dialect::OpenMetrics2 && gauge {
        return Ok((histogram.count, histogram.sum));
    }
    let mut before = Number::ZERO;
    for count in buckets.iter().map(|bucket| bucket.count).chain([histogram.count]) {
        let integer = count.as_u64().is_some();
        if count.is_nan() || count.is_negative() || !integer && dialect == Dialect::OpenMetrics1 {
            let message = format!("{count:?} is no count of observations");
            return Err(Refusal::new(rule("", "OM1-HIS-08", "OM2-HIS-07"), message));
        }
        let falls = match (before.as_u64(), count.as_u64()) {
            (Some(before), Some(count)) => count < before,
            _ => count.as_f64() < before.as_f64(),
        };
        if falls {
            return Err(Refusal::new(
                rule("", "OM1-HIS-03", "OM2-HIS-07"),
                "a bucket counts less than the one before",
            ));
        }
        before = count;
    }
    if dialect == Dialect::OpenMetrics2 {
        return Ok((histogram.count, histogram.sum));
    }
    let count = histogram.count.as_u64().map_or(histogram.count, Number::Unsigned);
    let negative_bounds = buckets.first().is_some_and(|bucket| bucket.upper_bound < 0.0);
    let sum = match histogram.sum {
        Some(sum) if sum.is_nan() => {
            let rule = if gauge { "OM1-GHI-04" } else { "OM1-HIS-09" };
            return Err(Refusal::new(rule, "the sum is NaN"));
        }
        Some(_) if negative_bounds && !gauge => None,
        Some(sum) if sum.is_negative() && !negative_bounds => {
            let rule = if gauge { "OM1-GHI-05" } else { "OM1-HIS-09" };
            return Err(Refusal::new(rule, "the sum is negative and no bucket is below zero"));
        }
        sum => sum,
    };
    Ok((count, sum))
}
