//! Numbers and timestamps as the text formats write them.
//!
//! Floats have the fewest digits that read back as the same double, laid out as Go's `strconv` form `g` does it:
//! exponents from -4 to 5 written out, all others as `1.5e+06`. OpenMetrics adds `.0` where neither point nor
//! exponent would tell a float from an integer (OM1-NUM-04, OM1-NUM-09).

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
pub(crate) fn push_number(out: &mut Vec<u8>, number: Number, style: Style) {
    match number {
        Number::Unsigned(v) => push_unsigned(out, v),
        Number::Signed(v) => out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes()),
        Number::Float(v) => push_float(out, v, style),
    }
}

/// Appends an integer.
#[inline]
pub(crate) fn push_unsigned(out: &mut Vec<u8>, v: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes());
}

/// Every integer up to here is a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Appends a float.
pub(crate) fn push_float(out: &mut Vec<u8>, v: f64, style: Style) {
    if v.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if v.is_sign_negative() {
        out.push(b'-');
    } else if v.is_infinite() {
        out.push(b'+');
    }
    let v = v.abs();
    if v.is_infinite() {
        return out.extend_from_slice(b"Inf");
    }
    if v < EXACT && v.trunc() == v {
        // An integer's own digits without the zeros at the end are the shortest: any shorter number is another integer.
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(v as u64).as_bytes();
        if v < 1e6 {
            out.extend_from_slice(digits);
            if style == Style::OpenMetrics {
                out.extend_from_slice(b".0");
            }
            return;
        }
        let exponent = digits.len() as i32 - 1;
        return push_scientific(out, trim_zeros(digits), exponent);
    }
    let mut buffer = zmij::Buffer::new();
    let (digits, length, exponent) = significant(buffer.format_finite(v).as_bytes());
    let digits = digits.get(..length).unwrap_or_default();
    if !(-4..6).contains(&exponent) {
        return push_scientific(out, digits, exponent);
    }
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(b"000".get(..(-1 - exponent) as usize).unwrap_or_default());
        return out.extend_from_slice(digits);
    }
    // Not an integer, so digits stay behind the point.
    let (whole, fraction) = digits.split_at_checked(exponent as usize + 1).unwrap_or((digits, b"0"));
    out.extend_from_slice(whole);
    out.push(b'.');
    out.extend_from_slice(fraction);
}

/// The significant digits of a printed float, how many they are, and the power of ten of the first one.
#[inline]
fn significant(printed: &[u8]) -> ([u8; 24], usize, i32) {
    let mut digits = [0; 24];
    let mut length = 0;
    let mut exponent = -1; // of the digit after the next one, while before the point
    let mut rest = printed.iter();
    let mut past_point = false;
    while let Some(&byte) = rest.next() {
        match byte {
            b'.' => past_point = true,
            b'e' => {
                let text = std::str::from_utf8(rest.as_slice()).unwrap_or_default();
                exponent += text.parse::<i32>().unwrap_or_default();
                break;
            }
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

/// `1.25e+07`: the exponent has at least two digits.
fn push_scientific(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    if let Some((first, rest)) = digits.split_first() {
        out.push(*first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let exponent = exponent.unsigned_abs();
    if exponent < 10 {
        out.push(b'0');
    }
    push_unsigned(out, exponent.into());
}

/// Appends seconds with as many decimals as it takes: `1520879607.789`, exact to the nanosecond (OM1-TS-02).
pub(crate) fn push_seconds(out: &mut Vec<u8>, time: Timestamp) {
    let (seconds, nanos) = match (time.seconds(), time.subsec_nanos()) {
        // Counted forward from -2 s, -1.5 s is -2 s and half a second; written it is minus one and a half.
        (seconds, nanos) if seconds < 0 && nanos > 0 => {
            out.push(b'-');
            ((seconds + 1).unsigned_abs(), 1_000_000_000 - nanos)
        }
        (seconds, nanos) => {
            if seconds < 0 {
                out.push(b'-');
            }
            (seconds.unsigned_abs(), nanos)
        }
    };
    push_unsigned(out, seconds);
    if nanos > 0 {
        // The leading one keeps the zeros after the point.
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(1_000_000_000 + nanos).as_bytes();
        out.push(b'.');
        out.extend_from_slice(trim_zeros(digits.get(1..).unwrap_or_default()));
    }
}

/// Appends whole milliseconds, rounded down.
pub(crate) fn push_millis(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(itoa::Buffer::new().format(time.as_millis()).as_bytes());
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
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MAX, "-1.7976931348623157e+308"),
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

    quickcheck! {
        fn any_float_is_as_the_naive_rule_has_it(bits: u64) -> bool {
            let v = f64::from_bits(bits);
            !v.is_finite() || go(v) == naive(v)
        }
        fn any_integral_float_too(v: i64, shift: u8) -> bool {
            let v = (v >> (shift % 64)) as f64;
            go(v) == naive(v) && open_metrics(v).parse() == Ok(v)
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
