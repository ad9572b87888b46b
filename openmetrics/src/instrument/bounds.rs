//! Which classic bucket a value belongs to.

/// Upper bounds, and a table that leads to the right one: the range of numbers is cut where their bits change, so finely
/// that at most one bound lies within each piece, and one comparison with it is left. The bits of positive numbers are in the
/// order of the numbers.
pub(crate) struct Bounds {
    upper: Box<[f64]>,
    /// Empty where the bounds do not suit it: if they begin at or below zero, or some lie very close for how far apart all
    /// are.
    pieces: Box<[Piece]>,
    /// How many bits of a number do not matter to which piece it is in.
    shift: u32,
    /// The bits of the first piece, without these.
    begin: u64,
    /// What is outside these is in the same bucket as they: the least bound, and what is just above the greatest.
    lowest: f64,
    highest: f64,
}

/// The bits of the first bound that is not below a piece's beginning, and the place of it. Where there is none, the bits of
/// zero, which all are above, and the place before.
struct Piece {
    bound: u64,
    index: usize,
}

/// How many bits the mantissa of an `f64` has.
const MANTISSA_BITS: u32 = 52;
/// What the table may take: ten bounds from a millisecond to a minute take 17 pieces, a hundred of equal width 850.
const PIECES_MAX: u64 = 2048;

impl Bounds {
    /// From rising, finite bounds.
    pub(crate) fn new(upper: &[f64]) -> Self {
        let lowest = *upper.first().unwrap_or(&1.0);
        let highest = f64::from_bits(upper.last().unwrap_or(&1.0).to_bits() + 1);
        let shift = Self::shift(upper).filter(|shift| {
            lowest > 0.0 && (highest.to_bits() >> shift) - (lowest.to_bits() >> shift) < PIECES_MAX
        });
        let pieces = shift.map(|shift| {
            let pieces = lowest.to_bits() >> shift..=highest.to_bits() >> shift;
            pieces.map(move |piece| {
                let index = upper.partition_point(|&bound| bound < f64::from_bits(piece << shift));
                match upper.get(index) {
                    Some(bound) => Piece { bound: bound.to_bits(), index },
                    None => Piece { bound: 0, index: index.wrapping_sub(1) },
                }
            })
        });
        let shift = shift.unwrap_or(0);
        Self {
            upper: upper.into(),
            pieces: pieces.into_iter().flatten().collect(),
            shift,
            begin: lowest.to_bits() >> shift,
            lowest,
            highest,
        }
    }

    /// The most bits that all bounds differ without.
    fn shift(upper: &[f64]) -> Option<u32> {
        let differ = |shift| {
            upper
                .windows(2)
                .all(|pair| pair.iter().map(|bound| bound.to_bits() >> shift).is_sorted_by(|a, b| a < b))
        };
        (0..=MANTISSA_BITS).rev().find(|&shift| differ(shift))
    }

    pub(crate) fn upper(&self) -> &[f64] {
        &self.upper
    }

    /// The first bucket whose bound `value` is not above; the one behind all bounds for what is above all, and for NaN.
    pub(crate) fn index_of(&self, value: f64) -> usize {
        match self.plain_index_of(value) {
            Some(index) => index,
            None => self.upper.partition_point(|&bound| bound < value || value.is_nan()),
        }
    }

    /// The same from the table alone, if there is one.
    #[inline(always)]
    pub(crate) fn plain_index_of(&self, value: f64) -> Option<usize> {
        // Written so that these are instructions of their own: values come in no order, and to choose would be to guess. NaN
        // is as what is above all.
        let within = if value < self.highest { value } else { self.highest };
        let within = if within > self.lowest { within } else { self.lowest }.to_bits();
        let piece = self.pieces.get((within >> self.shift).wrapping_sub(self.begin) as usize)?;
        Some(piece.index.wrapping_add(usize::from(within > piece.bound)))
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
