//! Quantiles of the last minutes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::model::{Schema, merged_bucket};

/// Values of a window of time, in parts that age: each part counts values in buckets that grow by 2 per cent, so a quantile is off
/// by 1 per cent at most, whatever the values are.
pub(crate) struct Window {
    part_length: Duration,
    /// The newest is at `newest`; it began at `began`.
    parts: [Part; PARTS],
    newest: usize,
    began: Instant,
}

/// A value leaves the window between four fifths and the whole of it after it came.
const PARTS: usize = 5;

/// More buckets than this in a part, which are values over 2^32 times apart, halve its resolution.
const BUCKETS_MAX: usize = 1024;

const SCHEMA: i32 = 5;

#[derive(Default)]
struct Part {
    /// How many times neighbours were merged.
    halvings: u32,
    /// By sign and index, rising: first those below zero.
    buckets: BTreeMap<(Sign, i32), u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Negative,
    Zero,
    Positive,
}

impl Part {
    fn add(&mut self, value: f64) {
        let schema = Schema::exponential(SCHEMA).unwrap_or(Schema::MAX);
        let index = |sign: Sign| {
            let index = merged_bucket(schema.index_of(value.abs()), self.halvings);
            // What is far below zero comes first.
            if sign == Sign::Negative { -index } else { index }
        };
        let place = match value {
            0.0 => (Sign::Zero, 0),
            _ if value < 0.0 => (Sign::Negative, index(Sign::Negative)),
            _ => (Sign::Positive, index(Sign::Positive)),
        };
        *self.buckets.entry(place).or_default() += 1;
        while self.buckets.len() > BUCKETS_MAX && self.halvings < 16 {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.halvings += 1;
        let mut merged = BTreeMap::new();
        for (&(sign, index), &count) in &self.buckets {
            let index = match sign {
                Sign::Negative => -merged_bucket(-index, 1),
                Sign::Zero => 0,
                Sign::Positive => merged_bucket(index, 1),
            };
            *merged.entry((sign, index)).or_default() += count;
        }
        self.buckets = merged;
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The middle of a bucket, as a factor's middle is.
fn middle(sign: Sign, index: i32, halvings: u32) -> f64 {
    // Half a bucket below its upper bound, in logarithms.
    let octaves = (-f64::from(SCHEMA - halvings as i32)).exp2();
    let magnitude = |index: i32| ((f64::from(index) - 0.5) * octaves).exp2();
    match sign {
        Sign::Negative => -magnitude(-index),
        Sign::Zero => 0.0,
        Sign::Positive => magnitude(index),
    }
}

/// What was found in a window; reused from scrape to scrape.
#[derive(Default)]
pub(crate) struct Found {
    /// The buckets of all parts, in rising order.
    buckets: Vec<((Sign, i32), u64)>,
    /// The value of each quantile that was asked for.
    pub(crate) values: Vec<f64>,
}

impl Window {
    pub(crate) fn new(length: Duration, now: Instant) -> Self {
        Self { part_length: length / PARTS as u32, parts: Default::default(), newest: 0, began: now }
    }

    /// Counts a value; what is no finite number is in no quantile.
    pub(crate) fn add(&mut self, value: f64, now: Instant) {
        self.age(now);
        if value.is_finite() {
            if let Some(part) = self.parts.get_mut(self.newest) {
                part.add(value);
            }
        }
    }

    /// Lets go of what is older than the window.
    fn age(&mut self, now: Instant) {
        let mut steps = 0;
        while now.saturating_duration_since(self.began) >= self.part_length && steps < PARTS {
            self.newest = (self.newest + 1) % PARTS;
            if let Some(part) = self.parts.get_mut(self.newest) {
                part.clear();
            }
            self.began += self.part_length;
            steps += 1;
        }
        if steps == PARTS {
            self.began = now; // nothing came for the whole window
        }
    }

    /// The value of each quantile; NaN if the window is empty. `quantiles` rise.
    pub(crate) fn quantiles(&mut self, quantiles: &[f64], now: Instant, found: &mut Found) {
        self.age(now);
        let Found { buckets: all, values } = found;
        all.clear();
        values.clear();
        let halvings = self.parts.iter().map(|part| part.halvings).max().unwrap_or_default();
        for part in &self.parts {
            let further = halvings - part.halvings;
            for (&(sign, index), count) in &part.buckets {
                let index = match sign {
                    Sign::Negative => -merged_bucket(-index, further),
                    Sign::Zero => 0,
                    Sign::Positive => merged_bucket(index, further),
                };
                all.push(((sign, index), *count));
            }
        }
        all.sort_unstable_by_key(|&(bucket, _)| bucket);
        let count: u64 = all.iter().map(|&(_, count)| count).sum();
        let mut buckets = all.iter();
        let (mut below, mut value) = (0_u64, f64::NAN);
        for quantile in quantiles {
            // The value that so many of all are not above.
            let rank = ((quantile * count as f64).ceil() as u64).max(1);
            while below < rank {
                let Some(&((sign, index), in_bucket)) = buckets.next() else { break };
                below += in_bucket;
                value = middle(sign, index, halvings);
            }
            values.push(value);
        }
    }

    pub(crate) fn clear(&mut self, now: Instant) {
        self.parts.iter_mut().for_each(Part::clear);
        self.began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn all_of(window: &mut Window, quantiles: &[f64], now: Instant) -> Vec<f64> {
        let mut found = Found::default();
        window.quantiles(quantiles, now, &mut found);
        found.values
    }

    quickcheck! {
        /// The judge is the sorted list.
        fn quantiles_are_within_two_per_cent(values: Vec<f64>) -> bool {
            let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
            let now = Instant::now();
            let mut window = Window::new(Duration::from_secs(60), now);
            for &value in &values {
                window.add(value, now);
            }
            values.sort_by(f64::total_cmp);
            let quantiles = [0.0, 0.1, 0.5, 0.9, 1.0];
            all_of(&mut window, &quantiles, now).into_iter().zip(quantiles).all(|(found, quantile)| {
                let rank = ((quantile * values.len() as f64).ceil() as usize).max(1);
                match values.get(rank - 1) {
                    None => found.is_nan(),
                    // Subnormal numbers have buckets wider than they are.
                    Some(&exact) => (found - exact).abs() <= exact.abs() * 0.02 + 1e-300,
                }
            })
        }
    }

    #[test]
    fn values_leave_with_their_part() {
        let start = Instant::now();
        let second = Duration::from_secs;
        let mut window = Window::new(second(50), start);
        for n in 0..5 {
            window.add(f64::from(1 << n), start + second(10 * u64::from(n as u32)));
        }
        let largest_and_smallest = |window: &mut Window, at| {
            let values = all_of(window, &[0.0, 1.0], start + second(at));
            (values[0].round(), values[1].round())
        };
        assert_eq!(largest_and_smallest(&mut window, 49), (1.0, 16.0));
        assert_eq!(largest_and_smallest(&mut window, 50), (2.0, 16.0));
        assert_eq!(largest_and_smallest(&mut window, 75), (8.0, 16.0));
        assert!(all_of(&mut window, &[0.5], start + second(1000))[0].is_nan());
        window.add(3.0, start + second(2000));
        assert_eq!(largest_and_smallest(&mut window, 2001), (3.0, 3.0));
    }

    #[test]
    fn values_far_apart_take_bounded_memory() {
        let now = Instant::now();
        let mut window = Window::new(Duration::from_secs(60), now);
        for exponent in -1000..1000 {
            for mantissa in 0..40 {
                window.add((1.0 + f64::from(mantissa) / 40.0) * f64::from(exponent).exp2(), now);
            }
        }
        assert!(window.parts.iter().all(|part| part.buckets.len() <= BUCKETS_MAX));
        assert!(all_of(&mut window, &[0.5], now)[0].abs().log2().abs() < 2.0);
    }
}
