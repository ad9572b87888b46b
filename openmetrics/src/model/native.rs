//! Native histograms: exponential buckets that need no choosing
//! ([native histograms](https://prometheus.io/docs/specs/native_histograms/), rules NH-01 to NH-33).
//!
//! Counts here are absolute and belong to one bucket each; deltas are some formats' way of writing them.

use std::fmt;

use super::value::Number;
use crate::error::{Error, Kind};

/// The resolution of native buckets: a bucket's bounds are `2^(2^-schema)` apart. Also the one for custom bounds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schema(i8);

impl Schema {
    /// The coarsest: each bucket is 65,536 times the one before.
    pub const MIN: Self = Self(-4);
    /// The finest: each bucket is 1.0027 times the one before.
    pub const MAX: Self = Self(8);
    /// Bounds of the user's own, converted from classic buckets; never written in an exposition (NH-24).
    pub const CUSTOM: Self = Self(-53);

    /// An exponential schema in [-4, 8] (NH-01).
    pub const fn exponential(schema: i32) -> Option<Self> {
        if schema >= -4 && schema <= 8 { Some(Self(schema as i8)) } else { None }
    }

    /// The schema with this number in an exposition: exponential or custom.
    pub fn from_number(schema: i32) -> Result<Self, Error> {
        match schema {
            -53 => Ok(Self::CUSTOM),
            _ => Self::exponential(schema).ok_or_else(|| Error::new(Kind::Schema { schema })),
        }
    }

    /// The number that formats write.
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// Whether bounds are given instead of computed.
    pub const fn is_custom(self) -> bool {
        self.0 == -53
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.0)
    }
}
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A run of neighbouring buckets: how far after the last run it begins, and how long it is.
///
/// The first span's offset is the index of its first bucket; later offsets count the buckets left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Buckets left out before it, or for the first span the index it begins at.
    pub offset: i32,
    /// How many buckets it has.
    pub length: u32,
}

/// The counts of the buckets in the spans, one each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Counts<'a> {
    /// Whole numbers, as counted.
    Integer(&'a [u64]),
    /// Results of arithmetic.
    Float(&'a [f64]),
}

impl Counts<'_> {
    /// How many counts there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Integer(counts) => counts.len(),
            Self::Float(counts) => counts.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The count at a place.
    #[inline]
    pub fn get(&self, at: usize) -> Option<Number> {
        match self {
            Self::Integer(counts) => counts.get(at).map(|&c| Number::Unsigned(c)),
            Self::Float(counts) => counts.get(at).map(|&c| Number::Float(c)),
        }
    }
}

impl Default for Counts<'_> {
    fn default() -> Self {
        Self::Integer(&[])
    }
}

/// The buckets on one side of zero, borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SideRef<'a> {
    /// Where there are buckets.
    pub spans: &'a [Span],
    /// Their counts.
    pub counts: Counts<'a>,
}

impl<'a> SideRef<'a> {
    /// Index and count of every bucket in the spans. Stops where an index leaves the range of `i32` or the
    /// counts run out, so hostile spans cost nothing.
    pub fn buckets(self) -> impl Iterator<Item = (i32, Number)> + 'a {
        let mut start = 0_i32;
        let mut at = 0_usize;
        self.spans
            .iter()
            .map_while(move |span| {
                let first = start.checked_add(span.offset)?;
                let after = first.checked_add(i32::try_from(span.length).ok()?)?;
                start = after;
                Some(first..after)
            })
            .flatten()
            .map_while(move |index| {
                let count = self.counts.get(at)?;
                at += 1;
                Some((index, count))
            })
    }
}

/// Native buckets, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeBucketsRef<'a> {
    /// The resolution.
    pub schema: Schema,
    /// Values up to this far from zero are counted in the zero bucket; not negative.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: Number,
    /// Buckets above zero.
    pub positive: SideRef<'a>,
    /// Buckets below zero, by the distance from it.
    pub negative: SideRef<'a>,
    /// The upper bounds of schema [`Schema::CUSTOM`], rising; empty for the exponential ones.
    pub custom_bounds: &'a [f64],
}

impl NativeBucketsRef<'_> {
    /// An owned copy.
    pub fn to_owned(&self) -> NativeBuckets {
        NativeBuckets {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            positive: self.positive.into(),
            negative: self.negative.into(),
            custom_bounds: self.custom_bounds.to_vec(),
        }
    }
}

/// Counts, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum CountsBuf {
    /// Whole numbers, as counted.
    Integer(Vec<u64>),
    /// Results of arithmetic.
    Float(Vec<f64>),
}

impl Default for CountsBuf {
    fn default() -> Self {
        Self::Integer(Vec::new())
    }
}

/// The buckets on one side of zero, owned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// Where there are buckets.
    pub spans: Vec<Span>,
    /// Their counts.
    pub counts: CountsBuf,
}

impl Side {
    /// The borrowed form.
    pub fn borrow(&self) -> SideRef<'_> {
        let counts = match &self.counts {
            CountsBuf::Integer(counts) => Counts::Integer(counts),
            CountsBuf::Float(counts) => Counts::Float(counts),
        };
        SideRef { spans: &self.spans, counts }
    }
}

impl From<SideRef<'_>> for Side {
    fn from(side: SideRef<'_>) -> Self {
        let counts = match side.counts {
            Counts::Integer(counts) => CountsBuf::Integer(counts.to_vec()),
            Counts::Float(counts) => CountsBuf::Float(counts.to_vec()),
        };
        Self { spans: side.spans.to_vec(), counts }
    }
}

/// Native buckets, owned.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeBuckets {
    /// The resolution.
    pub schema: Schema,
    /// Values up to this far from zero are counted in the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: Number,
    /// Buckets above zero.
    pub positive: Side,
    /// Buckets below zero.
    pub negative: Side,
    /// The upper bounds of schema [`Schema::CUSTOM`].
    pub custom_bounds: Vec<f64>,
}

impl NativeBuckets {
    /// The borrowed form.
    pub fn borrow(&self) -> NativeBucketsRef<'_> {
        NativeBucketsRef {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            positive: self.positive.borrow(),
            negative: self.negative.borrow(),
            custom_bounds: &self.custom_bounds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_say_where_the_buckets_are() {
        let spans = [Span { offset: -2, length: 2 }, Span { offset: 3, length: 1 }];
        let side = SideRef { spans: &spans, counts: Counts::Integer(&[1, 2, 3]) };
        let found: Vec<_> = side.buckets().map(|(i, n)| (i, n.as_f64())).collect();
        assert_eq!(found, [(-2, 1.0), (-1, 2.0), (3, 3.0)]);
    }

    #[test]
    fn hostile_spans_end() {
        let spans = [Span { offset: 0, length: u32::MAX }, Span { offset: i32::MAX, length: 5 }];
        let side = SideRef { spans: &spans, counts: Counts::Integer(&[1]) };
        assert_eq!(side.buckets().count(), 0);
        let spans = [Span { offset: 0, length: 2_000_000_000 }];
        assert_eq!(SideRef { spans: &spans, counts: Counts::Integer(&[1]) }.buckets().count(), 1);
    }

    #[test]
    fn schemas() {
        assert_eq!(Schema::from_number(-53).unwrap(), Schema::CUSTOM);
        assert!(Schema::from_number(9).is_err());
        assert_eq!(Schema::from_number(-5).unwrap_err().rule(), Some("NH-01"));
    }
}
