//! The fast path: samples and metadata as programs write them, without blanks to spare.
//!
//! It reads a line from its first byte to its line feed in one go and fills the same buffers as the reference grammar.
//! Whatever it does not know (other dialects' extras, unusual numbers, anything wrong) it leaves to the grammar, which
//! reads the line anew; so it may say "no" freely, but where it says "yes" both have to agree on every part. A test and
//! a fuzz target compare them.

use super::entries::{
    ByteSpan, ExemplarParts, LabelParts, Likeness, Located, Metadata, MetadataKind, Part, Sample, Written,
};
use super::grammar::type_of_word;
use super::numeral::{self, Scanned};
use super::{Dialect, blocks};
use crate::model::Timestamp;

/// Reads the sample line that begins at `at`. Gives where its line feed is.
///
/// Lines are mostly like the one before: the same name, the same names of labels, some of the same values. What has the
/// same bytes as a part of that line has been looked at there, so those parts are taken over, and the rest is compared
/// with what it probably is before it is looked at byte by byte.
#[inline(never)]
pub(super) fn sample<'a>(
    dialect: Dialect,
    text: &'a str,
    base: usize,
    at: usize,
    before: &Sample<'a>,
    out: &mut Sample<'a>,
) -> Option<usize> {
    let reader = Reader { bytes: text.as_bytes(), base, prometheus: dialect == Dialect::Prometheus };
    out.labels.clear();
    let mut likeness = Likeness { canonical: true, ..Likeness::default() };
    let name_end;
    let series_end;
    let known = before.likeness.canonical && before.base == base && std::ptr::eq(before.text, text);
    let old = if known { before.labels.as_slice() } else { &[] };
    let same = if known { reader.same_as(before.series, at) } else { 0 };
    let old_name = before.name.end - before.name.start;
    if same > old_name {
        // Name and opening brace are there.
        name_end = at + old_name;
        likeness.name = true;
        let moved = base + at - before.series.start;
        let same_until = before.series.start + same;
        let mut i = name_end + 1;
        for label in old.iter().take_while(|label| label.value.end < same_until) {
            let label = label.moved(moved);
            likeness.escaped |= label.value.escaped;
            i = label.value.end - base + 1;
            out.labels.push(label);
        }
        likeness.values = out.labels.len();
        series_end = reader.more_labels(i, likeness.values > 0, old, &mut out.labels, &mut likeness)?;
    } else {
        name_end = reader.metric_name(at)?;
        series_end = match reader.at(name_end)? {
            b'{' => reader.more_labels(name_end + 1, false, old, &mut out.labels, &mut likeness)?,
            _ => name_end,
        };
        likeness.name = known && same == old_name && name_end - at == old_name;
    }
    likeness.labels = known && likeness.labels && out.labels.len() == old.len();
    let i = series_end;
    if reader.at(i)? != b' ' {
        return None;
    }
    let number = reader.number(i + 1, text)?;
    let end = number.end;
    out.text = text;
    out.base = base;
    out.name = Part { start: base + at, end: base + name_end, quoted: false, escaped: false };
    out.series = ByteSpan::new(base + at, base + series_end);
    out.value = Located { value: number.number(), span: ByteSpan::new(base + i + 1, base + end) };
    out.is_composite = false;
    out.likeness = likeness;
    (out.timestamp, out.start, out.exemplar_fault) = (None, None, None);
    out.exemplars.clear();
    out.exemplar_labels.clear();
    if reader.at(end)? == b'\n' {
        return Some(end);
    }
    reader.tail(end, text, dialect, out)
}

/// Reads the metadata line that begins at `at` if it has no escapes and nothing unusual. Gives where its line feed is.
pub(super) fn metadata(
    dialect: Dialect,
    text: &str,
    base: usize,
    at: usize,
) -> Option<(Metadata<'_>, usize)> {
    let reader = Reader { bytes: text.as_bytes(), base, prometheus: dialect == Dialect::Prometheus };
    let keyword = reader.bytes.get(at..at + 7)?;
    let name_start = at + 7;
    let name_end = reader.metric_name(name_start)?;
    if reader.at(name_end)? != b' ' {
        return None;
    }
    let start = name_end + 1;
    let end = start + memchr::memchr(b'\n', reader.bytes.get(start..)?)?;
    let said = text.get(start..end)?;
    let kind = match keyword {
        b"# TYPE " => MetadataKind::Type(type_of_word(dialect, said)?),
        b"# HELP " => {
            // Blanks before it belong to it in some dialects only.
            let is_plain = memchr::memchr3(b'\\', b'"', b'\r', said.as_bytes()).is_none();
            if !is_plain || said.starts_with([' ', '\t']) || said.is_empty() {
                return None;
            }
            MetadataKind::Help
        }
        b"# UNIT "
            if !reader.prometheus
                && !said.is_empty()
                && blocks::other_than_name(said.as_bytes(), 0).is_none() =>
        {
            MetadataKind::Unit
        }
        _ => return None,
    };
    let part = |start, end| Part { start: base + start, end: base + end, quoted: false, escaped: false };
    let name = Written::new(text.get(name_start..name_end)?, part(name_start, name_end));
    Some((Metadata { kind, name, text: Written::new(said, part(start, end)) }, end))
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

    /// The end of the metric name that begins at `i`.
    #[inline]
    fn metric_name(&self, i: usize) -> Option<usize> {
        let end = blocks::other_than_name(self.bytes, i)?;
        (end > i && !self.at(i)?.is_ascii_digit()).then_some(end)
    }

    /// The end of the label name that begins at `i`.
    #[inline]
    fn label_name(&self, i: usize) -> Option<usize> {
        let end = self.metric_name(i)?;
        let has_colon = || self.bytes.get(i..end).is_some_and(|name| name.contains(&b':'));
        (!has_colon()).then_some(end)
    }

    /// How many bytes from `at` on are those of a stretch of the text before.
    #[inline]
    fn same_as(&self, span: ByteSpan, at: usize) -> usize {
        let before = self.bytes.get(span.start - self.base..span.end - self.base).unwrap_or_default();
        let here = self.bytes.get(at..).unwrap_or_default();
        blocks::common(before, here)
    }

    /// Labels from `i` on, to after the closing brace; whether there were some before. `old` are those of the line
    /// before, whose names are expected again.
    #[inline]
    fn more_labels(
        &self,
        mut i: usize,
        mut follows: bool,
        old: &[LabelParts],
        out: &mut Vec<LabelParts>,
        likeness: &mut Likeness,
    ) -> Option<usize> {
        likeness.labels = true;
        if !follows && self.at(i)? == b'}' {
            return Some(i + 1);
        }
        loop {
            if follows {
                match self.at(i)? {
                    b',' => i += 1,
                    b'}' => return Some(i + 1),
                    _ => return None,
                }
            }
            follows = true;
            let expected = old.get(out.len()).and_then(|label| self.expected_name(i, label.name));
            let name_end = if let Some(end) = expected {
                end
            } else {
                likeness.labels = false;
                let end = self.label_name(i)?;
                if self.bytes.get(end..end + 2)? != b"=\""
                    || self.prometheus && self.bytes.get(i..end)? == b"__name__"
                {
                    return None;
                }
                end
            };
            let start = name_end + 2;
            let (end, escaped) = self.string(start)?;
            likeness.escaped |= escaped;
            out.push(LabelParts {
                name: Part { start: self.base + i, end: self.base + name_end, quoted: false, escaped: false },
                value: Part { start: self.base + start, end: self.base + end, quoted: true, escaped },
            });
            i = end + 1;
        }
    }

    /// The end of the name at `i`, if that is the one in another place, with what stands behind it.
    #[inline]
    fn expected_name(&self, i: usize, name: Part) -> Option<usize> {
        let length = name.end - name.start + 2; // `="`
        let from = name.start - self.base;
        let same = blocks::same(self.bytes, from, i, length);
        same.then_some(i + length - 2)
    }

    /// Labels from after the brace to after the closing one.
    #[inline]
    fn labels(&self, mut i: usize, out: &mut Vec<LabelParts>) -> Option<usize> {
        if self.at(i)? == b'}' {
            return Some(i + 1);
        }
        loop {
            let name_end = self.label_name(i)?;
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
            i = blocks::special(self.bytes, i)?;
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

    /// Digits from `i` on; gives what they come to and their end. The sum wraps beyond 19 digits.
    #[inline]
    fn digits(&self, i: usize) -> Option<(u64, usize)> {
        let (value, end) = numeral::digits(self.bytes, i, 0);
        (end < self.bytes.len()).then_some((value, end))
    }

    /// A number that ends before a space or line feed.
    #[allow(clippy::inline_always)] // a number handed on through memory costs more than reading it
    #[inline(always)]
    fn number(&self, i: usize, text: &str) -> Option<Scanned> {
        match numeral::scan(text, i) {
            Some(found) if matches!(self.at(found.end)?, b' ' | b'\n') => Some(found),
            _ => self.unusual_number(i, text),
        }
    }

    /// Other numbers: as the grammar has them.
    #[cold]
    #[inline(never)]
    fn unusual_number(&self, i: usize, text: &str) -> Option<Scanned> {
        let length = self.bytes.get(i..)?.iter().position(|byte| matches!(byte, b' ' | b'\n'))?;
        let number = numeral::parse(text.get(i..i + length)?)?;
        Some(Scanned::new(number, i + length))
    }

    /// Seconds with up to nine digits after the point.
    #[inline]
    fn seconds(&self, i: usize) -> Option<(Timestamp, usize)> {
        let (whole, end) = self.digits(i)?;
        if !(1..=18).contains(&(end - i)) {
            return None;
        }
        if self.at(end)? != b'.' {
            return Some((Timestamp::from_seconds(whole as i64), end));
        }
        let (fraction, fraction_end) = self.digits(end + 1)?;
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
        let number = self.number(i + 1, text)?;
        let mut end = number.end;
        let value =
            Located { value: number.number(), span: ByteSpan::new(self.base + i + 1, self.base + end) };
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
        let (value, end) = self.digits(first)?;
        if !(1..=18).contains(&(end - first)) || self.at(end)? != b'\n' {
            return None;
        }
        let millis = if negative { -(value as i64) } else { value as i64 };
        let span = ByteSpan::new(self.base + start, self.base + end);
        out.timestamp = Some(Located { value: Timestamp::from_millis(millis), span });
        Some(end)
    }
}
