//! The fast path: sample lines as programs write them, without blanks to spare.
//!
//! It reads a line from its first byte to its line feed in one go and fills the same buffers as the reference grammar.
//! Whatever it does not know (other dialects' extras, unusual numbers, anything wrong) it leaves to the grammar, which
//! reads the line anew; so it may say "no" freely, but where it says "yes" both have to agree on every part. A test and
//! a fuzz target compare them.

use super::Dialect;
use super::entries::{ByteSpan, ExemplarParts, LabelParts, Located, Part, Sample};
use super::numeral;
use crate::model::{Number, Timestamp};

const LABEL_START: u8 = 1;
const LABEL: u8 = 2;
const NAME_START: u8 = 4;
const NAME: u8 = 8;

/// What each byte may be in a name.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => LABEL_START | LABEL | NAME_START | NAME,
            b'0'..=b'9' => LABEL | NAME,
            b':' => NAME_START | NAME,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

#[inline]
fn is(byte: u8, class: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|c| c & class != 0)
}

/// Reads the sample line that begins at `at`. Gives where its line feed is.
#[inline]
pub(super) fn sample<'a>(
    dialect: Dialect,
    text: &'a str,
    base: usize,
    at: usize,
    out: &mut Sample<'a>,
) -> Option<usize> {
    let reader = Reader { bytes: text.as_bytes(), base, prometheus: dialect == Dialect::Prometheus };
    let name_end = reader.name(at, NAME_START, NAME)?;
    out.labels.clear();
    let mut i = name_end;
    if reader.at(i)? == b'{' {
        i = reader.labels(i + 1, &mut out.labels)?;
    }
    let series_end = i;
    if reader.at(i)? != b' ' {
        return None;
    }
    let (value, end) = reader.number(i + 1, text)?;
    out.text = text;
    out.base = base;
    out.name = Part { start: base + at, end: base + name_end, quoted: false, escaped: false };
    out.series = ByteSpan::new(base + at, base + series_end);
    out.value = Located { value, span: ByteSpan::new(base + i + 1, base + end) };
    out.is_composite = false;
    (out.timestamp, out.start, out.exemplar_fault) = (None, None, None);
    out.exemplars.clear();
    out.exemplar_labels.clear();
    if reader.at(end)? == b'\n' {
        return Some(end);
    }
    reader.tail(end, text, dialect, out)
}

struct Reader<'t> {
    bytes: &'t [u8],
    base: usize,
    prometheus: bool,
}

impl Reader<'_> {
    #[inline]
    fn at(&self, i: usize) -> Option<u8> {
        self.bytes.get(i).copied()
    }

    /// A name that begins at `i`; gives its end.
    #[inline]
    fn name(&self, i: usize, first: u8, rest: u8) -> Option<usize> {
        if !is(self.at(i)?, first) {
            return None;
        }
        let mut i = i + 1;
        while is(self.at(i)?, rest) {
            i += 1;
        }
        Some(i)
    }

    /// Labels from after the brace to after the closing one.
    #[inline]
    fn labels(&self, mut i: usize, out: &mut Vec<LabelParts>) -> Option<usize> {
        if self.at(i)? == b'}' {
            return Some(i + 1);
        }
        loop {
            let name_end = self.name(i, LABEL_START, LABEL)?;
            if self.bytes.get(name_end..name_end + 2)? != b"=\"" {
                return None;
            }
            if self.prometheus && self.bytes.get(i..name_end)? == b"__name__" {
                return None;
            }
            let start = name_end + 2;
            let (end, escaped) = self.string(start)?;
            out.push(LabelParts {
                name: Part { start: self.base + i, end: self.base + name_end, quoted: false, escaped: false },
                value: Part { start: self.base + start, end: self.base + end, quoted: true, escaped },
            });
            match self.at(end + 1)? {
                b',' => i = end + 2,
                b'}' => return Some(end + 2),
                _ => return None,
            }
        }
    }

    /// The end of a string, which is at its closing quote, and whether it has a backslash.
    #[inline]
    fn string(&self, mut i: usize) -> Option<(usize, bool)> {
        let mut escaped = false;
        loop {
            i = self.special(i)?;
            match self.at(i)? {
                b'"' => return Some((i, escaped)),
                b'\\' => {
                    escaped = true;
                    match self.at(i + 1)? {
                        b'\n' => return None,
                        b'n' | b'"' | b'\\' => {}
                        _ if self.prometheus => return None,
                        _ => {}
                    }
                    i += 2;
                }
                _ => return None, // a line feed
            }
        }
    }

    /// The next quote, backslash or line feed, eight bytes at a time.
    #[inline]
    fn special(&self, mut i: usize) -> Option<usize> {
        const LOW: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        // The lowest byte that is marked is a zero byte; those above it may be marked in error.
        let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
        while let Some(chunk) = self.bytes.get(i..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            let found = zeros(word ^ (LOW * u64::from(b'"')))
                | zeros(word ^ (LOW * u64::from(b'\\')))
                | zeros(word ^ (LOW * u64::from(b'\n')));
            if found != 0 {
                return Some(i + (found.trailing_zeros() / 8) as usize);
            }
            i += 8;
        }
        let rest = self.bytes.get(i..)?;
        rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\n')).map(|at| i + at)
    }

    /// Digits from `i` on, added to `value`; gives what they come to and their end. The sum wraps beyond 19 digits.
    #[inline]
    fn digits(&self, mut i: usize, mut value: u64) -> Option<(u64, usize)> {
        loop {
            let digit = self.at(i)?.wrapping_sub(b'0');
            if digit > 9 {
                return Some((value, i));
            }
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            i += 1;
        }
    }

    /// A number that ends before a space or line feed; gives its end.
    #[inline]
    fn number(&self, i: usize, text: &str) -> Option<(Number, usize)> {
        let negative = self.at(i)? == b'-';
        let first = i + usize::from(negative);
        let (whole, whole_end) = self.digits(first, 0)?;
        let whole_digits = whole_end - first;
        let next = self.at(whole_end)?;
        if matches!(next, b' ' | b'\n') && (1..=18).contains(&whole_digits) {
            let number = if negative { Number::from(-(whole as i64)) } else { Number::Unsigned(whole) };
            return Some((number, whole_end));
        }
        if next == b'.' && whole_digits > 0 {
            let (mantissa, end) = self.digits(whole_end + 1, whole)?;
            let scale = end - whole_end - 1;
            // Both the mantissa and the power of ten are exact as doubles, so their quotient is the nearest.
            if whole_digits + scale <= 18 && mantissa <= 1 << 53 && matches!(self.at(end)?, b' ' | b'\n') {
                let value = mantissa as f64 / POWERS.get(scale).copied()?;
                return Some((Number::Float(if negative { -value } else { value }), end));
            }
        }
        self.unusual_number(i, text)
    }

    /// Other numbers: as the grammar has them.
    #[cold]
    fn unusual_number(&self, i: usize, text: &str) -> Option<(Number, usize)> {
        let length = self.bytes.get(i..)?.iter().position(|byte| matches!(byte, b' ' | b'\n'))?;
        let number = numeral::parse(text.get(i..i + length)?)?;
        Some((number, i + length))
    }

    /// Seconds with up to nine digits after the point.
    #[inline]
    fn seconds(&self, i: usize) -> Option<(Timestamp, usize)> {
        let (whole, end) = self.digits(i, 0)?;
        if !(1..=18).contains(&(end - i)) {
            return None;
        }
        if self.at(end)? != b'.' {
            return Some((Timestamp::from_seconds(whole as i64), end));
        }
        let (fraction, fraction_end) = self.digits(end + 1, 0)?;
        let scale = 9_usize.checked_sub(fraction_end - end - 1)?;
        let nanos = fraction * 10_u64.pow(scale as u32);
        Some((Timestamp::new(whole as i64, nanos as u32)?, fraction_end))
    }

    /// What follows a value: a timestamp, an exemplar.
    fn tail(&self, mut i: usize, text: &str, dialect: Dialect, out: &mut Sample<'_>) -> Option<usize> {
        match dialect {
            Dialect::Prometheus => return self.millis(i, out),
            Dialect::OpenMetrics1 => {}
            Dialect::OpenMetrics2 => return None,
        }
        if self.at(i + 1)? != b'#' {
            let (value, end) = self.seconds(i + 1)?;
            out.timestamp = Some(Located { value, span: ByteSpan::new(self.base + i + 1, self.base + end) });
            i = end;
            match self.at(i)? {
                b'\n' => return Some(i),
                b' ' => {}
                _ => return None,
            }
        }
        if self.bytes.get(i + 1..i + 4)? != b"# {" {
            return None;
        }
        let hash = i + 1;
        i = self.labels(i + 4, &mut out.exemplar_labels)?;
        if self.at(i)? != b' ' {
            return None;
        }
        let (value, mut end) = self.number(i + 1, text)?;
        let value = Located { value, span: ByteSpan::new(self.base + i + 1, self.base + end) };
        let mut timestamp = None;
        if self.at(end)? == b' ' {
            let (time, time_end) = self.seconds(end + 1)?;
            timestamp =
                Some(Located { value: time, span: ByteSpan::new(self.base + end + 1, self.base + time_end) });
            end = time_end;
        }
        if self.at(end)? != b'\n' {
            return None;
        }
        out.exemplars.push(ExemplarParts {
            span: ByteSpan::new(self.base + hash, self.base + end),
            labels_end: out.exemplar_labels.len(),
            value,
            timestamp,
        });
        Some(end)
    }

    /// A timestamp of the Prometheus formats.
    fn millis(&self, i: usize, out: &mut Sample<'_>) -> Option<usize> {
        let start = i + 1;
        let negative = self.at(start)? == b'-';
        let first = start + usize::from(negative);
        let (value, end) = self.digits(first, 0)?;
        if !(1..=18).contains(&(end - first)) || self.at(end)? != b'\n' {
            return None;
        }
        let millis = if negative { -(value as i64) } else { value as i64 };
        let span = ByteSpan::new(self.base + start, self.base + end);
        out.timestamp = Some(Located { value: Timestamp::from_millis(millis), span });
        Some(end)
    }
}

const POWERS: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];
