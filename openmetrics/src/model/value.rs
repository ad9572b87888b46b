//! Numbers, timestamps and exemplars.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::label::{LabelSet, Labels};

/// A value of a sample: an integer stays an integer to the last line, everything else is a double
/// ([numbers](https://prometheus.io/docs/specs/om/open_metrics_spec/#values), OM1-NUM-03 and OM1-NUM-04).
///
/// Two numbers are equal when they are written alike: `Unsigned(5)` is not `Float(5.0)`, and NaN equals NaN.
/// [`same_value`](Number::same_value) compares what they mean.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// An integer from zero up.
    Unsigned(u64),
    /// An integer below zero. Made with `From`, a value of zero or more becomes `Unsigned`.
    Signed(i64),
    /// A double.
    Float(f64),
}

impl Number {
    /// Zero, as an integer.
    pub const ZERO: Self = Self::Unsigned(0);

    /// The nearest double.
    #[inline]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Unsigned(v) => v as f64,
            Self::Signed(v) => v as f64,
            Self::Float(v) => v,
        }
    }

    /// The value as an unsigned integer, if it is one exactly, whichever way it is held.
    pub fn as_u64(self) -> Option<u64> {
        match self {
            Self::Unsigned(v) => Some(v),
            Self::Signed(v) => u64::try_from(v).ok(),
            // 2^64 itself is out of range; every integral double below it converts exactly.
            Self::Float(v) if (0.0..18_446_744_073_709_551_616.0).contains(&v) && v.trunc() == v => {
                Some(v as u64)
            }
            Self::Float(_) => None,
        }
    }

    /// Whether it is below zero (minus zero is not).
    pub fn is_negative(self) -> bool {
        match self {
            Self::Unsigned(_) => false,
            Self::Signed(v) => v < 0,
            Self::Float(v) => v < 0.0,
        }
    }

    /// Whether it is not a number.
    pub fn is_nan(self) -> bool {
        matches!(self, Self::Float(v) if v.is_nan())
    }

    /// Whether both mean the same value, exactly, whichever way they are held; NaN is the same as NaN.
    pub fn same_value(self, other: Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a == b || a.is_nan() && b.is_nan(),
            (Self::Float(f), int) | (int, Self::Float(f)) => {
                let exact = i128::from_float(f);
                exact.is_some() && exact == int.as_i128()
            }
            (a, b) => a.as_i128() == b.as_i128(),
        }
    }

    fn as_i128(self) -> Option<i128> {
        match self {
            Self::Unsigned(v) => Some(v.into()),
            Self::Signed(v) => Some(v.into()),
            Self::Float(_) => None,
        }
    }
}

trait FromFloat: Sized {
    fn from_float(f: f64) -> Option<Self>;
}
impl FromFloat for i128 {
    fn from_float(f: f64) -> Option<i128> {
        // Doubles beyond 2^65 equal no u64 or i64.
        (f.trunc() == f && f.abs() < 36_893_488_147_419_103_232.0).then_some(f as i128)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (Self::Float(_), _) | (_, Self::Float(_)) => false,
            (a, b) => a.as_i128() == b.as_i128(),
        }
    }
}
impl From<u64> for Number {
    #[inline]
    fn from(v: u64) -> Self {
        Self::Unsigned(v)
    }
}
impl From<u32> for Number {
    #[inline]
    fn from(v: u32) -> Self {
        Self::Unsigned(v.into())
    }
}
impl From<i64> for Number {
    #[inline]
    fn from(v: i64) -> Self {
        u64::try_from(v).map_or(Self::Signed(v), Self::Unsigned)
    }
}
impl From<i32> for Number {
    #[inline]
    fn from(v: i32) -> Self {
        i64::from(v).into()
    }
}
impl From<usize> for Number {
    #[inline]
    fn from(v: usize) -> Self {
        Self::Unsigned(v as u64)
    }
}
impl From<f64> for Number {
    #[inline]
    fn from(v: f64) -> Self {
        Self::Float(v)
    }
}
impl From<bool> for Number {
    /// Booleans are 1 and 0 (OM1-NUM-06).
    #[inline]
    fn from(v: bool) -> Self {
        Self::Unsigned(v.into())
    }
}
impl Default for Number {
    fn default() -> Self {
        Self::ZERO
    }
}

const NANOS: u32 = 1_000_000_000;

/// A moment as seconds and nanoseconds since the Unix epoch, exact; may lie before it
/// ([timestamps](https://prometheus.io/docs/specs/om/open_metrics_spec/#timestamps)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32, // in [0, 1e9), counted forward also before the epoch
}

impl Timestamp {
    /// `seconds` since the epoch and `nanos` after that; `None` if `nanos` is a second or more.
    pub const fn new(seconds: i64, nanos: u32) -> Option<Self> {
        if nanos < NANOS { Some(Self { seconds, nanos }) } else { None }
    }

    /// Whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// Milliseconds since the epoch, as Prometheus' own formats count.
    pub const fn from_millis(millis: i64) -> Self {
        Self { seconds: millis.div_euclid(1000), nanos: millis.rem_euclid(1000) as u32 * 1_000_000 }
    }

    /// The current time of the system's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`seconds`](Timestamp::seconds), below 1e9.
    pub const fn subsec_nanos(self) -> u32 {
        self.nanos
    }

    /// Milliseconds since the epoch, rounded down; the ends of the range where it does not fit.
    pub const fn as_millis(self) -> i64 {
        let millis = self.seconds as i128 * 1000 + (self.nanos / 1_000_000) as i128;
        if millis > i64::MAX as i128 {
            i64::MAX
        } else if millis < i64::MIN as i128 {
            i64::MIN
        } else {
            millis as i64
        }
    }

    /// The nearest double of seconds; exact nanoseconds may not survive it.
    pub fn as_f64(self) -> f64 {
        self.seconds as f64 + f64::from(self.nanos) / 1e9
    }

    /// The nearest nanosecond to a double of seconds; `None` for what is no time or out of range.
    pub fn from_f64(seconds: f64) -> Option<Self> {
        // i64::MAX as a double is 2^63, one beyond the range.
        if !seconds.is_finite() || seconds.abs() >= 9_223_372_036_854_775_808.0 {
            return None;
        }
        let whole = seconds.floor();
        let nanos = ((seconds - whole) * 1e9).round() as u32;
        if nanos >= NANOS {
            Self::new((whole as i64).checked_add(1)?, 0)
        } else {
            Self::new(whole as i64, nanos)
        }
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self { seconds: after.as_secs() as i64, nanos: after.subsec_nanos() },
            Err(before) => {
                let before: Duration = before.duration();
                match before.subsec_nanos() {
                    0 => Self { seconds: -(before.as_secs() as i64), nanos: 0 },
                    nanos => Self { seconds: -(before.as_secs() as i64) - 1, nanos: NANOS - nanos },
                }
            }
        }
    }
}
impl fmt::Display for Timestamp {
    /// Decimal seconds with as many digits as are needed: `-0.5`, `1520879607.789`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, seconds, nanos) = if self.seconds < 0 && self.nanos > 0 {
            ("-", (self.seconds + 1).unsigned_abs(), NANOS - self.nanos)
        } else if self.seconds < 0 {
            ("-", self.seconds.unsigned_abs(), 0)
        } else {
            ("", self.seconds as u64, self.nanos)
        };
        if nanos == 0 {
            return write!(f, "{sign}{seconds}");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{sign}{seconds}.{}", fraction.trim_end_matches('0'))
    }
}

/// A reference from a point to something outside, such as the trace that caused it
/// ([exemplars](https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars)).
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// What it refers to, usually `trace_id` and `span_id`.
    pub labels: LabelSet,
    /// The value observed with it.
    pub value: Number,
    /// When that was.
    pub timestamp: Option<Timestamp>,
}

impl Exemplar {
    /// The borrowed form.
    pub fn borrow(&self) -> ExemplarRef<'_> {
        ExemplarRef { labels: Labels::from(&self.labels), value: self.value, timestamp: self.timestamp }
    }
}

/// An [`Exemplar`] that borrows its labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExemplarRef<'a> {
    /// What it refers to, usually `trace_id` and `span_id`.
    pub labels: Labels<'a>,
    /// The value observed with it.
    pub value: Number,
    /// When that was.
    pub timestamp: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_when_written_alike_and_the_same_when_they_mean_the_same() {
        assert_eq!(Number::from(5_i64), Number::from(5_u64));
        assert_ne!(Number::from(5_u64), Number::from(5.0));
        assert!(Number::from(5_u64).same_value(5.0.into()));
        assert_eq!(Number::from(f64::NAN), Number::from(-f64::NAN));
        assert_ne!(Number::from(0.0), Number::from(-0.0));
        assert!(Number::from(0.0).same_value((-0.0).into()));
        assert!(!Number::from(u64::MAX).same_value((u64::MAX as f64).into()), "2^64-1 is not 2^64");
        assert!(!Number::from(0.5).same_value(0_u64.into()));
        assert_eq!(Number::from(9_007_199_254_740_992.0).as_u64(), Some(1 << 53));
        assert_eq!(Number::from(-1.0).as_u64(), None);
    }

    #[test]
    fn timestamps_are_exact_to_the_nanosecond() {
        for (seconds, nanos, text) in [
            (0, 0, "0"),
            (1, 500_000_000, "1.5"),
            (-1, 500_000_000, "-0.5"),
            (-2, 0, "-2"),
            (-2, 1, "-1.999999999"),
            (1_520_879_607, 789_000_000, "1520879607.789"),
        ] {
            assert_eq!(Timestamp::new(seconds, nanos).unwrap().to_string(), text);
        }
        assert_eq!(Timestamp::from_millis(-1).to_string(), "-0.001");
        for millis in [-1, 0, 999, i64::MIN, i64::MIN + 1, i64::MAX] {
            assert_eq!(Timestamp::from_millis(millis).as_millis(), millis);
        }
        assert_eq!(Timestamp::from_seconds(i64::MIN).as_millis(), i64::MIN);
        assert_eq!(Timestamp::from_seconds(i64::MAX).as_millis(), i64::MAX);
        assert_eq!(Timestamp::new(0, NANOS), None);
        assert_eq!(Timestamp::from_f64(-0.5), Timestamp::new(-1, 500_000_000));
        assert_eq!(Timestamp::from_f64(0.999_999_999_9), Timestamp::new(1, 0));
        assert_eq!(Timestamp::from_f64(f64::NAN), None);
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_millis(1)).to_string(), "-0.001");
        assert_eq!(Timestamp::new(i64::MIN, 0).unwrap().to_string(), "-9223372036854775808");
    }
}
