//! Numbers and timestamps from their text, once a grammar has found where they are.

use super::blocks::{Any, Decimal, Machine, Text};
use crate::model::{Number, Timestamp};

/// The value of a `number`: an integer where it is written as one and fits 64 bits, else the nearest double.
pub(crate) fn number(text: &str) -> Number {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        if let Ok(value) = text.parse::<u64>() {
            return Number::Unsigned(value);
        }
        if let Ok(value) = text.parse::<i64>() {
            return Number::from(value);
        }
    }
    // The grammar's numbers are a part of what `f64` parses; NaN stands for "cannot happen".
    Number::Float(text.parse().unwrap_or(f64::NAN))
}

/// The number that the whole of a label's value is, such as an upper bound.
pub(crate) fn parse(text: &str) -> Option<Number> {
    match scan(Any, Text::new(text), 0) {
        Some(found) if found.end == text.len() => Some(found.number()),
        _ => super::grammar::is_number(text).then(|| number(text)),
    }
}

/// A number that was found, in parts: these stay in registers, where a [`Number`] that comes from one of several places
/// is written to memory and read back at once in another width, which processors wait for.
#[derive(Clone, Copy)]
pub(super) struct Scanned {
    kind: Kind,
    bits: u64,
    pub(super) end: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Unsigned,
    Signed,
    Float,
}

impl Scanned {
    #[inline]
    pub(super) fn new(number: Number, end: usize) -> Self {
        let (kind, bits) = match number {
            Number::Unsigned(value) => (Kind::Unsigned, value),
            Number::Signed(value) => (Kind::Signed, value as u64),
            Number::Float(value) => (Kind::Float, value.to_bits()),
        };
        Self { kind, bits, end }
    }

    #[inline]
    pub(super) fn number(self) -> Number {
        match self.kind {
            Kind::Unsigned => Number::Unsigned(self.bits),
            Kind::Signed => Number::Signed(self.bits as i64),
            Kind::Float => Number::Float(f64::from_bits(self.bits)),
        }
    }
}

/// The decimal number at `start` and where it ends: as much of the text as the grammar would take. `None` leaves it to
/// the grammar: words such as `NaN`, and what is no number at all.
#[allow(clippy::inline_always)] // a number handed on through memory costs more than reading it
#[inline(always)]
pub(super) fn scan(machine: impl Machine, text: Text<'_>, start: usize) -> Option<Scanned> {
    let at = |i: usize| text.byte(i).unwrap_or_default();
    let negative = at(start) == b'-';
    let first = start + usize::from(matches!(at(start), b'-' | b'+'));
    let Decimal { mantissa, has_point, fraction, end } = decimal(machine, text, first);
    // Beyond 19 digits the mantissa wrapped, and is not used.
    let mut count = end - usize::from(has_point);
    let mut scale = -(fraction as i64);
    let is_whole = !has_point;
    let mut i = first + end;
    if count == 0 {
        return None;
    }
    let has_exponent = matches!(at(i), b'e' | b'E');
    if has_exponent {
        let falls = at(i + 1) == b'-';
        let first = i + 1 + usize::from(matches!(at(i + 1), b'-' | b'+'));
        let (exponent, end) = digits(text, first, 0);
        if end == first {
            return None;
        }
        if end - first > 6 {
            count = usize::MAX; // for the slow way
        }
        scale += if falls { -(exponent as i64) } else { exponent as i64 };
        i = end;
    }
    if count > 19 {
        return Some(Scanned::new(number(text.as_str().get(start..i)?), i));
    }
    if is_whole && !has_exponent && count <= 18 {
        let below_zero = negative && mantissa != 0;
        let kind = if below_zero { Kind::Signed } else { Kind::Unsigned };
        let bits = if below_zero { mantissa.wrapping_neg() } else { mantissa };
        return Some(Scanned { kind, bits, end: i });
    }
    // Both the mantissa and the power of ten are exact as doubles, so what they come to is the nearest.
    let power = POWERS.get(usize::try_from(scale.unsigned_abs()).ok()?);
    match power {
        Some(power) if mantissa <= 1 << 53 && (has_exponent || !is_whole) => {
            let value = if scale < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
            let value = if negative { -value } else { value };
            Some(Scanned { kind: Kind::Float, bits: value.to_bits(), end: i })
        }
        _ => Some(Scanned::new(number(text.as_str().get(start..i)?), i)),
    }
}

/// The digits from `first` on, perhaps none, with a point or without. The mantissa wraps beyond 19 digits.
#[allow(clippy::inline_always)] // as above
#[inline(always)]
pub(super) fn decimal(machine: impl Machine, text: Text<'_>, first: usize) -> Decimal {
    if let Some(found) = text.window(first).and_then(|window| machine.decimal(window)) {
        return found;
    }
    let (mantissa, end) = digits(text, first, 0);
    if text.byte(end) != Some(b'.') {
        return Decimal { mantissa, has_point: false, fraction: 0, end: end - first };
    }
    let point = end;
    let (mantissa, end) = digits(text, point + 1, mantissa);
    Decimal { mantissa, has_point: true, fraction: end - point - 1, end: end - first }
}

/// Digits from `i` on, added to `value`; gives what they come to and their end. The sum wraps beyond 19 digits.
#[allow(clippy::inline_always)] // a number handed on through memory costs more than reading it
#[inline(always)]
pub(super) fn digits(text: Text<'_>, mut i: usize, mut value: u64) -> (u64, usize) {
    while let Some(chunk) = text.window(i) {
        let (digits, count) = eight_digits(u64::from_le_bytes(*chunk));
        value = value.wrapping_mul(*WHOLE_POWERS.get(count).unwrap_or(&1)).wrapping_add(digits);
        i += count;
        if count < 8 {
            return (value, i);
        }
    }
    while let Some(digit) = text.byte(i).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        i += 1;
    }
    (value, i)
}

pub(super) const WHOLE_POWERS: [u64; 10] =
    [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// The digits at the beginning of eight bytes, the first of them lowest: what they come to and how many there are. All
/// at once, since how many there are is hard to foresee, and a branch that is not foreseen costs more than all of this.
#[allow(clippy::inline_always)] // as above
#[inline(always)]
fn eight_digits(bytes: u64) -> (u64, usize) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let digits = bytes ^ (EACH * u64::from(b'0'));
    // The highest bit of each byte that is more than nine.
    let others = (((digits & (EACH * 0x7f)) + EACH * 0x76) | digits) & (EACH * 0x80);
    let count = others.trailing_zeros() / 8;
    // Zeros in front; shifted in two steps, since no shift is by all 64 bits.
    let digits = (digits << (32 - 4 * count)) << (32 - 4 * count);
    // Neighbours are brought together: two digits, four, eight.
    let pairs = (digits * 10) + (digits >> 8);
    let pair = 0xff | (0xff << 32);
    let high = (pairs & pair).wrapping_mul(100 + (1_000_000 << 32));
    let low = ((pairs >> 16) & pair).wrapping_mul(1 + (10_000 << 32));
    (high.wrapping_add(low) >> 32, count as usize)
}

/// Powers of ten that are doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Whether text that is finite as decimals left the range of doubles (OM1-NUM-05).
pub(crate) fn overflows(text: &str, value: Number) -> bool {
    value.as_f64().is_infinite() && text.bytes().any(|b| b.is_ascii_digit())
}

/// The whole number a composite value holds (a schema, an offset, a length); the ends of the range where it
/// does not fit, which no rule allows anyway.
pub(crate) fn integer(text: &str) -> i64 {
    let negative = text.starts_with('-');
    text.parse().unwrap_or(if negative { i64::MIN } else { i64::MAX })
}

const NANO_DIGITS: i64 = 9;

/// Seconds since the epoch from a `realnumber`, by decimal arithmetic: exact, rounded to the nanosecond where
/// there are more digits. What lies outside 64 bits of seconds becomes the end of that range.
pub(crate) fn seconds(text: &str) -> Timestamp {
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, integer(exponent)),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction_digits = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    // value = digits * 10^scale nanoseconds
    let mut scale = exponent.saturating_sub(fraction_digits).saturating_add(NANO_DIGITS);
    let mut digits: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        // Thirty digits are more than the range has; the rest only moves the point.
        if digits < 10_i128.pow(30) {
            digits = digits * 10 + i128::from(digit - b'0');
        } else {
            scale = scale.saturating_add(1);
        }
    }
    let nanos = if digits == 0 {
        0
    } else if scale >= 0 {
        u32::try_from(scale)
            .ok()
            .and_then(|scale| 10_i128.checked_pow(scale))
            .and_then(|factor| digits.checked_mul(factor))
            .unwrap_or(i128::MAX)
    } else {
        u32::try_from(-scale)
            .ok()
            .and_then(|scale| 10_i128.checked_pow(scale))
            .map_or(0, |divisor| (digits + divisor / 2) / divisor)
    };
    nanoseconds(if negative { -nanos } else { nanos })
}

fn nanoseconds(nanos: i128) -> Timestamp {
    const SECOND: i128 = 1_000_000_000;
    let seconds = nanos.div_euclid(SECOND);
    match i64::try_from(seconds) {
        Ok(seconds) => Timestamp::new(seconds, nanos.rem_euclid(SECOND) as u32),
        Err(_) if nanos > 0 => Timestamp::new(i64::MAX, 999_999_999),
        Err(_) => Timestamp::new(i64::MIN, 0),
    }
    .unwrap_or(Timestamp::from_seconds(0)) // not reached: the nanoseconds are below a second
}

#[cfg(test)]
mod tests {
    use super::super::blocks::Wide;
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn integers_stay_integers() {
        for (text, value) in [
            ("0", Number::Unsigned(0)),
            ("007", Number::Unsigned(7)),
            ("+7", Number::Unsigned(7)),
            ("-7", Number::Signed(-7)),
            ("18446744073709551615", Number::Unsigned(u64::MAX)),
            ("18446744073709551616", Number::Float(18_446_744_073_709_551_616.0)),
            ("-9223372036854775808", Number::Signed(i64::MIN)),
            ("-9223372036854775809", Number::Float(-9_223_372_036_854_775_808.0)),
            ("5.", Number::Float(5.0)),
            (".5", Number::Float(0.5)),
            ("1E3", Number::Float(1000.0)),
            ("+iNf", Number::Float(f64::INFINITY)),
            ("-infinity", Number::Float(f64::NEG_INFINITY)),
            ("nAn", Number::Float(f64::NAN)),
        ] {
            assert_eq!(number(text), value, "{text}");
        }
        assert!(overflows("1e309", number("1e309")));
        assert!(!overflows("+Inf", number("+Inf")));
    }

    #[test]
    fn seconds_are_exact() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.5", "-0.5"),
            ("1.1", "1.1"),
            ("-1.1", "-1.1"),
            ("1604676851.123456789", "1604676851.123456789"),
            ("1604676851.1234567894", "1604676851.123456789"),
            ("1604676851.1234567895", "1604676851.12345679"),
            ("1.5e3", "1500"),
            ("1500e-3", "1.5"),
            ("00000000000000000000000000000000000000000000001.5", "1.5"),
            ("1e-400", "0"),
            ("0e99999999999999999999", "0"),
            ("1e99999999999999999999", "9223372036854775807.999999999"),
            ("-1e40", "-9223372036854775808"),
            ("12345678901234567890.1234567890", "9223372036854775807.999999999"),
            ("9007199254740993.000000001", "9007199254740993.000000001"),
        ] {
            assert_eq!(seconds(text).to_string(), expected, "{text}");
        }
    }

    quickcheck! {
        fn decimals_are_what_the_standard_library_reads(whole: u64, fraction: Option<u32>, exponent: Option<i8>, sign: bool) -> bool {
            let sign = if sign { "-" } else { "" };
            let fraction = fraction.map_or(String::new(), |fraction| format!(".{fraction}"));
            let exponent = exponent.map_or(String::new(), |exponent| format!("e{exponent}"));
            let text = format!("{sign}{whole}{fraction}{exponent}");
            let expected = number(&text);
            let line = format!("{text} 1 {:70}", "");
            let is_so = |found: Option<Scanned>| found.is_some_and(|f| f.number() == expected && f.end == text.len());
            is_so(scan(Any, Text::new(&line), 0)) && Wide::detect().is_none_or(|wide| is_so(scan(wide, Text::new(&line), 0)))
        }

        fn numbers_are_those_of_the_grammar(text: String, picks: Vec<u8>) -> bool {
            let made: String = picks.iter().map(|pick| char::from(b"0123456789+-.eE "[usize::from(pick % 16)])).collect();
            [text, made].iter().all(|text| {
                let expected = super::super::grammar::is_number(text).then(|| number(text));
                parse(text) == expected
            })
        }

        fn a_timestamp_survives_its_text(whole: i64, nanos: u32) -> bool {
            let timestamp = Timestamp::new(whole, nanos % 1_000_000_000).unwrap();
            seconds(&timestamp.to_string()) == timestamp
        }
    }
}
