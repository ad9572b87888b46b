//! Numbers and timestamps as the text formats write them.
//!
//! Floats have the fewest digits that read back as the same double, laid out as Go's `strconv` form `g` does it:
//! exponents from -4 to 5 written out, all others as `1.5e+06`. OpenMetrics adds `.0` where neither point nor
//! exponent would tell a float from an integer (OM1-NUM-04, OM1-NUM-09).

use crate::format::pen::Put;
use crate::model::{Number, Timestamp};

/// How a float without fraction looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Like an integer: `1`.
    Go,
    /// Unlike one: `1.0`.
    OpenMetrics,
}

/// Appends a number; integers keep every digit.
#[inline]
pub(crate) fn push_number(out: &mut impl Put, number: Number, style: Style) {
    match number {
        Number::Unsigned(v) => push_unsigned(out, v),
        Number::Signed(v) => {
            if v < 0 {
                out.put_byte(b'-');
            }
            push_unsigned(out, v.unsigned_abs());
        }
        Number::Float(v) => push_float(out, v, style),
    }
}

/// Appends an integer.
#[inline]
pub(crate) fn push_unsigned(out: &mut impl Put, v: u64) {
    if v < 100_000_000 {
        let digits = eight_digits(v) | 1 << 63; // the last digit counts even if it is zero
        let leading = digits.trailing_zeros() / 8;
        let text = ((eight_digits(v) | ZEROS) >> (leading * 8)).to_le_bytes();
        out.put_start(&text, 8 - leading as usize);
    } else if v < 10_000_000_000_000_000 {
        let digits = sixteen_digits(v);
        out.put_start(&digits.text.to_le_bytes(), digits.length);
    } else {
        out.put(itoa::Buffer::new().format(v).as_bytes());
    }
}

const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// The eight decimal digits of a number below 1e8, a byte each, the highest in the lowest byte: halves, quarters and
/// digits are split off in all lanes at once.
#[inline]
const fn eight_digits(v: u64) -> u64 {
    let halves = (v / 10_000) | ((v % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x7f_0000_007f; // n / 100 for n below 10,000
    let pairs = hundreds | (halves - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f; // n / 10 for n below 100
    tens | (pairs - tens * 10) << 8
}

/// Digits in text, without leading zeros.
struct Digits {
    /// The first one in the lowest byte.
    text: u128,
    /// At least one.
    length: usize,
}

/// The digits of a number below 1e16.
#[inline]
const fn sixteen_digits(v: u64) -> Digits {
    let bytes = eight_digits(v / 100_000_000) as u128 | (eight_digits(v % 100_000_000) as u128) << 64;
    let leading = (bytes | 1 << 127).trailing_zeros() / 8;
    let text = (bytes | (ZEROS as u128) << 64 | ZEROS as u128) >> (leading * 8);
    Digits { text, length: 16 - leading as usize }
}

/// Every integer up to here is a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Appends a float.
#[inline]
pub(crate) fn push_float(out: &mut impl Put, v: f64, style: Style) {
    if !(1e-3..1e6).contains(&v) || !push_thousandths(out, v, style) {
        push_any_float(out, v, style);
    }
}

#[inline(never)]
fn push_any_float(out: &mut impl Put, v: f64, style: Style) {
    if v.is_nan() {
        return out.put(b"NaN");
    }
    if v.is_sign_negative() {
        out.put_byte(b'-');
    } else if v.is_infinite() {
        out.put_byte(b'+');
    }
    let v = v.abs();
    if v.is_infinite() {
        return out.put(b"Inf");
    }
    // An integer's own digits without the zeros at the end are the shortest: any shorter number is another integer.
    // (Conversions through i64 because baseline x86-64 has an instruction for them and none for `trunc`.)
    if v < EXACT && v as i64 as f64 == v {
        if v < 1e6 {
            push_unsigned(out, v as i64 as u64);
            if style == Style::OpenMetrics {
                out.put(b".0");
            }
            return;
        }
        let digits = sixteen_digits(v as i64 as u64);
        let text = digits.text.to_le_bytes();
        let significant = trim_zeros(text.get(..digits.length).unwrap_or_default());
        return push_scientific(out, significant, digits.length as i32 - 1);
    }
    push_shortest(out, zmij::Buffer::new().format_finite(v).as_bytes(), v);
}

/// Appends a float between 1e-3 and 1e6 that is so many thousandths, as most that people measure are; `false` if it is
/// not.
///
/// There are at most nine digits, and no two decimals of up to 15 digits read as the same double: whoever reads back as
/// `v` is the shortest one that does, but for zeros at its end.
#[inline]
fn push_thousandths(out: &mut impl Put, v: f64, style: Style) -> bool {
    // Where doubles are the integers, an addition rounds, and the sum's low bits are the integer.
    const INTEGERS: f64 = 4_503_599_627_370_496.0; // 2^52
    let sum = v * 1000.0 + INTEGERS;
    if (sum - INTEGERS) / 1000.0 != v {
        return false;
    }
    let thousandths = sum.to_bits() & 0xffff_ffff;
    // Six digits of the whole and the first two of the fraction; its third is by itself.
    let (digits, last) = (eight_digits(thousandths / 10), thousandths % 10);
    let text = digits | ZEROS;
    let leading = (digits | 1 << 47).trailing_zeros() / 8; // the last one of the whole stays
    out.put_start(&(text >> (leading * 8)).to_le_bytes(), 6 - leading as usize);
    // Counted without branches, which would be taken at random.
    let thirds = usize::from(last != 0);
    let seconds = thirds | usize::from(digits >> 56 != 0);
    let firsts = seconds | usize::from(digits >> 48 != 0);
    if firsts != 0 {
        let fraction = u64::from(b'.') | text >> 48 << 8 | (last | u64::from(b'0')) << 24;
        out.put_start(&(fraction as u32).to_le_bytes(), 1 + firsts + seconds + thirds);
    } else if style == Style::OpenMetrics {
        out.put(b".0");
    }
    true
}

/// Lays out what zmij printed, which is neither an integer below 1e6 nor has a sign: `12345678.9`, `0.00123`, `1.5e-7`.
fn push_shortest(out: &mut impl Put, printed: &[u8], v: f64) {
    // Here both write alike.
    if (1e-4..1e6).contains(&v) {
        return out.put(printed);
    }
    if let Some(at) = memchr::memchr(b'e', printed) {
        let (mantissa, exponent) = printed.split_at_checked(at).unwrap_or((printed, b"e0"));
        let exponent = exponent.get(1..).and_then(|e| std::str::from_utf8(e).ok()?.parse().ok());
        out.put(mantissa);
        push_exponent(out, exponent.unwrap_or(0));
    } else {
        // Between 1e-5 and 1e-4, or from 1e6 on.
        let (digits, length, exponent) = significant(printed);
        push_scientific(out, digits.get(..length).unwrap_or_default(), exponent);
    }
}

/// The significant digits of a decimal, how many they are, and the power of ten of the first one.
fn significant(printed: &[u8]) -> ([u8; 24], usize, i32) {
    let mut digits = [0; 24];
    let mut length = 0;
    let mut exponent = -1;
    let mut past_point = false;
    for &byte in printed {
        match byte {
            b'.' => past_point = true,
            b'0' if length == 0 => exponent -= i32::from(past_point),
            _ => {
                exponent += i32::from(!past_point);
                if let Some(place) = digits.get_mut(length) {
                    *place = byte;
                    length += 1;
                }
            }
        }
    }
    let length = trim_zeros(digits.get(..length).unwrap_or_default()).len();
    (digits, length, exponent)
}

fn trim_zeros(mut digits: &[u8]) -> &[u8] {
    while let [head @ .., b'0'] = digits {
        digits = head;
    }
    digits
}

/// `1.25e+07`
fn push_scientific(out: &mut impl Put, digits: &[u8], exponent: i32) {
    if let Some((first, rest)) = digits.split_first() {
        out.put_byte(*first);
        if !rest.is_empty() {
            out.put_byte(b'.');
            out.put(rest);
        }
    }
    push_exponent(out, exponent);
}

/// `e+07`: sign and at least two digits.
fn push_exponent(out: &mut impl Put, exponent: i32) {
    out.put(if exponent < 0 { b"e-" } else { b"e+" });
    let exponent = exponent.unsigned_abs();
    if exponent < 10 {
        out.put_byte(b'0');
    }
    push_unsigned(out, exponent.into());
}

/// Appends seconds with as many decimals as it takes: `1520879607.789`, exact to the nanosecond (OM1-TS-02).
pub(crate) fn push_seconds(out: &mut impl Put, time: Timestamp) {
    let (seconds, nanos) = match (time.seconds(), time.subsec_nanos()) {
        // Counted forward from -2 s, -1.5 s is -2 s and half a second; written it is minus one and a half.
        (seconds, nanos) if seconds < 0 && nanos > 0 => {
            out.put_byte(b'-');
            ((seconds + 1).unsigned_abs(), 1_000_000_000 - nanos)
        }
        (seconds, nanos) => {
            if seconds < 0 {
                out.put_byte(b'-');
            }
            (seconds.unsigned_abs(), nanos)
        }
    };
    push_time(out, seconds, nanos);
}

/// The same from parts, which both count up.
#[inline]
pub(crate) fn push_time(out: &mut impl Put, seconds: u64, nanos: u32) {
    push_unsigned(out, seconds);
    if nanos > 0 {
        // The leading one keeps the zeros after the point, which then takes its place.
        let digits = sixteen_digits(1_000_000_000 + u64::from(nanos));
        let mut text = digits.text.to_le_bytes();
        text[0] = b'.';
        let length = trim_zeros(text.get(..digits.length).unwrap_or_default()).len();
        out.put_start(&text, length);
    }
}

/// Appends whole milliseconds, rounded down.
pub(crate) fn push_millis(out: &mut impl Put, time: Timestamp) {
    out.put(itoa::Buffer::new().format(time.as_millis()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn text(push: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }
    fn go(v: f64) -> String {
        text(|out| push_float(out, v, Style::Go))
    }
    fn open_metrics(v: f64) -> String {
        text(|out| push_float(out, v, Style::OpenMetrics))
    }

    /// What Go's `strconv.FormatFloat(v, 'g', -1, 64)` prints.
    #[test]
    fn floats_are_those_of_go() {
        for (v, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (0.5, "0.5"),
            (100_000.0, "100000"),
            (999_999.0, "999999"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (4_200_722.46, "4.20072246e+06"),
            (123_456.789, "123456.789"),
            (1e-4, "0.0001"),
            (1.5e-4, "0.00015"),
            (0.001_234, "0.001234"),
            (1e-5, "1e-05"),
            (1.234_5e-7, "1.2345e-07"),
            (1e21, "1e+21"),
            (1e22, "1e+22"),
            (1e23, "1e+23"),
            (1e100, "1e+100"),
            (1e-100, "1e-100"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1.0 / 3.0, "0.3333333333333333"),
            (2.0 / 3.0, "0.6666666666666666"),
            (5e-324, "5e-324"),
            (2.225_073_858_507_201_4e-308, "2.2250738585072014e-308"),
            (1_081_477_483_927_449.0 / 8.0, "1.3518468549093112e+14"),
            (1_453_629_101_734_433.0 / 8.0, "1.8170363771680412e+14"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MAX, "-1.7976931348623157e+308"),
            (0.001, "0.001"),
            (0.01, "0.01"),
            (0.1, "0.1"),
            (0.25, "0.25"),
            (999.999, "999.999"),
            (1_000_000.5, "1.0000005e+06"),
            (12_345_678.9, "1.23456789e+07"),
            (999_999_999_999.999, "9.99999999999999e+11"),
            (0.000_012_5, "1.25e-05"),
            (9_007_199_254_740_991.0, "9.007199254740991e+15"),
            (9_007_199_254_740_992.0, "9.007199254740992e+15"),
            (9_007_199_254_740_994.0, "9.007199254740994e+15"),
            (18_446_744_073_709_551_616.0, "1.8446744073709552e+19"),
            (1_605_281_325.0, "1.605281325e+09"),
            (1_520_430_000.123, "1.520430000123e+09"),
            (2.0_f64.powi(-128), "2.938735877055719e-39"),
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(go(v), expected, "{v:e}");
        }
    }

    /// The canonical numbers that OpenMetrics lists.
    #[test]
    fn open_metrics_tells_floats_from_integers() {
        for (v, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (10.0, "10.0"),
            (0.001, "0.001"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1e-5, "1e-05"),
            (1e10, "1e+10"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(open_metrics(v), expected);
        }
        for (number, expected) in [
            (Number::from(0_u64), "0"),
            (Number::from(u64::MAX), "18446744073709551615"),
            (Number::from(i64::MIN), "-9223372036854775808"),
            (Number::from(99_999_999_u64), "99999999"),
            (Number::from(100_000_000_u64), "100000000"),
            (Number::from(9_999_999_999_999_999_u64), "9999999999999999"),
            (Number::from(10_000_000_000_000_000_u64), "10000000000000000"),
        ] {
            assert_eq!(text(|out| push_number(out, number, Style::OpenMetrics)), expected);
        }
    }

    /// Digits as `std` finds them (`{:e}` prints the shortest), laid out by the rule in Go's source, naively.
    fn naive(v: f64) -> String {
        let printed = format!("{v:e}");
        let (mantissa, exponent) = printed.split_once('e').unwrap();
        let exponent: i32 = exponent.parse().unwrap();
        if (-4..6).contains(&exponent) {
            format!("{v}")
        } else {
            format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
    }

    /// Whether two texts are the two numbers next to a double that lies in the middle of them. Go takes the one with the
    /// even digit, `std` the upper one.
    fn is_a_tie(even: &str, upper: &str) -> bool {
        let digits = |text: &str| text.split('e').next().unwrap_or_default().replace('.', "").parse::<u64>();
        let (Ok(even_digits), Ok(upper_digits)) =
            (digits(even.trim_matches('-')), digits(upper.trim_matches('-')))
        else {
            return false;
        };
        even.parse::<f64>() == upper.parse() && even_digits + 1 == upper_digits && even_digits % 2 == 0
    }

    quickcheck! {
        fn decimals_of_few_digits_are_those_of_go(n: u32) -> bool {
            [10.0, 100.0, 1000.0, 10_000.0].into_iter().all(|scale| {
                let v = f64::from(n) / scale;
                go(v) == naive(v) && go(-v) == naive(-v)
            })
        }

        fn any_float_is_as_the_naive_rule_has_it(bits: u64) -> bool {
            let v = f64::from_bits(bits);
            !v.is_finite() || go(v) == naive(v) || is_a_tie(&go(v), &naive(v))
        }
        fn any_integral_float_too(v: i64, shift: u8) -> bool {
            let v = (v >> (shift % 64)) as f64;
            go(v) == naive(v) && open_metrics(v).parse() == Ok(v)
        }
        fn any_integer_as_std_prints_it(v: u64, shift: u8) -> bool {
            let v = v >> (shift % 64);
            text(|out| push_unsigned(out, v)) == v.to_string()
        }
        fn any_decimal_too(v: i32, places: u8) -> bool {
            let v = f64::from(v) / 10_f64.powi((places % 12).into());
            go(v) == naive(v) && open_metrics(v).parse() == Ok(v) && open_metrics(v).contains(['.', 'e'])
        }
        fn seconds_are_exact(seconds: i64, nanos: u32) -> bool {
            let time = Timestamp::new(seconds, nanos % 1_000_000_000).unwrap();
            text(|out| push_seconds(out, time)) == time.to_string()
        }
    }

    #[test]
    fn times() {
        let time = |s, n| Timestamp::new(s, n).unwrap();
        for (t, seconds, millis) in [
            (time(0, 0), "0", "0"),
            (time(-2, 500_000_000), "-1.5", "-1500"),
            (time(-1, 999_999_999), "-0.000000001", "-1"),
            (time(1_604_676_851, 123_456_789), "1604676851.123456789", "1604676851123"),
            (time(1, 1_000_000), "1.001", "1001"),
        ] {
            assert_eq!(text(|out| push_seconds(out, t)), seconds);
            assert_eq!(text(|out| push_millis(out, t)), millis);
        }
    }
}
