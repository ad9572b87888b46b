//! Numbers and words of the kernel's text files, read as node_exporter reads them.

use std::borrow::Cow;

use openmetrics::model::Number;

/// Bytes as text; each run of bytes that are not UTF-8 becomes one `U+FFFD`.
pub fn valid(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let after_another = chunk.valid().is_empty() && text.ends_with(char::REPLACEMENT_CHARACTER);
        if !chunk.invalid().is_empty() && !after_another {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Cow::Owned(text)
}

/// The lines of a text, as [`str::lines`] has them, found faster where there are hundreds.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut begin = 0;
    let rest = (!text.is_empty() && !text.ends_with('\n')).then_some(text.len());
    memchr::memchr_iter(b'\n', text.as_bytes()).chain(rest).filter_map(move |end| {
        let line = text.get(begin..end)?;
        begin = end + 1;
        Some(if end < text.len() { line.strip_suffix('\r').unwrap_or(line) } else { line })
    })
}

/// Digits only, as `ParseUint` takes them.
pub fn unsigned(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Digits with an optional sign.
pub fn signed(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// An integer as Go's parser takes it when it guesses the base: `0x20`, `017`, `-1`.
pub fn based(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_str() {
        d if d.starts_with("0x") => (16, d.get(2..)?),
        d if d.starts_with("0b") => (2, d.get(2..)?),
        d if d.starts_with("0o") => (8, d.get(2..)?),
        d if d.starts_with('0') && d.len() > 1 => (8, d.get(1..)?),
        d => (10, d),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, base).ok()?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Hexadecimal digits without a prefix.
pub fn hex(text: &str) -> Option<u64> {
    if text.starts_with('+') { None } else { u64::from_str_radix(text, 16).ok() }
}

/// A double, `None` also for what overflows it.
pub fn float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let named = |b: u8| b.is_ascii_alphabetic() && !b.eq_ignore_ascii_case(&b'e');
    (value.is_finite() || text.bytes().any(named)).then_some(value)
}

/// A number; integers stay integers.
pub fn number(text: &str) -> Option<Number> {
    unsigned(text).map(Number::from).or_else(|| float(text).map(Number::from))
}

/// The words of a line.
pub fn words(line: &str) -> std::str::SplitAsciiWhitespace<'_> {
    line.split_ascii_whitespace()
}

/// The words of a line as an array, `None` if there are fewer; more are left out.
pub fn first_words<const N: usize>(line: &str) -> Option<[&str; N]> {
    let mut words = words(line);
    let mut found = [""; N];
    for slot in &mut found {
        *slot = words.next()?;
    }
    Some(found)
}

/// Numbers such as `0,2-4,6`, the kernel's lists of CPUs, in order; at most a million.
pub fn ranges(text: &str) -> Option<Vec<u64>> {
    let mut all = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (unsigned(from)?, unsigned(to)?);
        if to.checked_sub(from)? > 1_000_000 {
            return None;
        }
        all.extend(from..=to);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_standard_library() {
        for text in
            ["", "\n", "a", "a\n", "a\nb", "a\r\nb\r", "\n\na\n\n", "\r\n", "a\rb\nc\r\n", "é\n\u{fffd}"]
        {
            assert!(lines(text).eq(text.lines()), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_read_as_the_peer_reads_them() {
        assert_eq!(unsigned("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "+1", "-1", " 1", "1 ", "0x1", "1.0", "18446744073709551616"] {
            assert_eq!(unsigned(bad), None, "{bad:?}");
        }
        assert_eq!(number("18446744073709551616"), Some(Number::Float(18_446_744_073_709_551_616.0)));
        assert_eq!(number("1.50"), Some(Number::Float(1.5)));
        assert_eq!(number("-3"), Some(Number::Float(-3.0)));
        assert!(number("NaN").is_some_and(Number::is_nan));
        assert_eq!(number("1e999"), None, "overflow is an error there");
        assert_eq!(number("-Inf"), Some(Number::Float(f64::NEG_INFINITY)));
        assert_eq!(number(""), None);
    }

    #[test]
    fn bases_are_guessed() {
        assert_eq!(
            ["0x20", "017", "0", "-0x1", "12", "0b11"].map(based),
            [Some(32), Some(15), Some(0), Some(-1), Some(12), Some(3)]
        );
        assert_eq!(["", "0x", "0xhello", "-", "9223372036854775808", "0x-1", "1_000"].map(based), [None; 7]);
        assert_eq!((hex("0000588a"), hex("+1"), hex("x")), (Some(0x588a), None, None));
    }

    #[test]
    fn bytes_become_valid_text() {
        assert_eq!(valid(b"caf\xc3\xa9"), "café");
        assert_eq!(valid(b"a\xff\xfe\x80b\xff"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn lists_of_cpus() {
        assert_eq!(ranges("0,2-4,6\n"), Some(vec![0, 2, 3, 4, 6]));
        assert_eq!(ranges("\n"), Some(vec![]));
        assert_eq!(ranges("4-2"), None);
        assert_eq!(ranges("0-99999999999"), None, "a list is not believed before it is checked");
        assert_eq!(ranges("a"), None);
    }
}
