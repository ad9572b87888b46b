//! Which classic bucket a value belongs to.

/// Upper bounds, and a table that leads close to the right one: for each eighth of an octave the first bound that is not
/// below its beginning, so that a comparison or two are left.
pub(crate) struct Bounds {
    upper: Box<[f64]>,
    /// Empty where the bounds do not suit it: if they begin at or below zero, or lie very far apart.
    first: Box<[u16]>,
    /// The eighth of an octave that the table begins with.
    begin: i64,
}

const EIGHTHS: u32 = 3;
/// What the table may take: bounds over 2^512 times fit in.
const TABLE_MAX: i64 = 4096;

const fn eighth(value: f64) -> i64 {
    (value.to_bits() >> (52 - EIGHTHS)) as i64
}

impl Bounds {
    /// From rising, finite bounds.
    pub(crate) fn new(upper: &[f64]) -> Self {
        let (begin, end) = match (upper.first(), upper.last()) {
            (Some(&first), Some(&last)) if first > 0.0 => (eighth(first), eighth(last)),
            _ => (0, -1),
        };
        let eighths = if end - begin < TABLE_MAX { end - begin + 1 } else { 0 };
        let first = (begin..begin + eighths)
            .map(|eighth| {
                let beginning = f64::from_bits((eighth as u64) << (52 - EIGHTHS));
                upper.partition_point(|&bound| bound < beginning) as u16
            })
            .collect();
        Self { upper: upper.into(), first, begin }
    }

    pub(crate) fn upper(&self) -> &[f64] {
        &self.upper
    }

    /// The first bucket whose bound `value` is not above; the one behind all bounds for what is above all, and for NaN.
    #[inline]
    pub(crate) fn index_of(&self, value: f64) -> usize {
        match self.upper.last() {
            Some(&last) if value <= last => {}
            _ => return self.upper.len(),
        }
        if self.first.is_empty() {
            return self.upper.partition_point(|&bound| bound < value);
        }
        // Negative values have large bits, but belong to the first bucket.
        let slot = if value > 0.0 { (eighth(value) - self.begin).max(0) } else { 0 };
        let mut index = self.first.get(slot as usize).map_or(0, |&first| usize::from(first));
        while self.upper.get(index).is_some_and(|&bound| bound < value) {
            index += 1;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn agrees(bounds: &[f64], value: f64) -> bool {
        let simple = bounds.iter().position(|&bound| value <= bound).unwrap_or(bounds.len());
        Bounds::new(bounds).index_of(value) == simple
    }

    #[test]
    fn at_every_bound() {
        let wide: Vec<f64> = (0..100).map(|i| 10_f64.powi(i * 6 - 300)).collect();
        let hundred: Vec<f64> = (1..=100).map(|i| f64::from(i) * 0.1).collect();
        for bounds in [
            &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0][..],
            &hundred,
            &wide,
            &[-1.0, 0.0, 1.0],
            &[],
        ] {
            for value in bounds.iter().flat_map(|b| [*b, b.next_up(), b.next_down(), -b]) {
                assert!(agrees(bounds, value), "{value:e} in {bounds:?}");
            }
            for value in [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324] {
                assert!(agrees(bounds, value), "{value:e} in {bounds:?}");
            }
        }
    }

    quickcheck! {
        fn anywhere(bounds: Vec<f64>, values: Vec<f64>) -> bool {
            let mut bounds: Vec<f64> = bounds.into_iter().filter(|b| b.is_finite()).collect();
            bounds.sort_by(f64::total_cmp);
            bounds.dedup();
            values.iter().chain(&bounds).all(|&value| agrees(&bounds, value))
        }
    }
}
