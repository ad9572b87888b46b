//! The fast path: samples and metadata as programs write them, without blanks to spare.
//!
//! It reads a line from its first byte to its line feed in one go and fills the same buffers as the reference grammar.
//! Whatever it does not know (other dialects' extras, unusual numbers, anything wrong) it leaves to the grammar, which
//! reads the line anew; so it may say "no" freely, but where it says "yes" both have to agree on every part. A test and
//! a fuzz target compare them.

use super::Dialect;
use super::blocks::{self, Specials};
use super::entries::{
    ByteSpan, ExemplarParts, LabelParts, Likeness, Located, Metadata, MetadataKind, Part, Sample, Written,
};
use super::grammar::type_of_word;
use super::numeral::{self, Scanned};
use crate::model::Timestamp;

/// What is kept from line to line: the names of the labels, since the next line mostly has them again.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Whether it is that of the sample before.
    is_of_last: bool,
    specials: Specials,
    names: Vec<LabelName>,
    exemplar_names: Vec<LabelName>,
}

/// The name of a label as far as it is compared, and what stands behind it: `="`.
#[derive(Clone, Copy, Debug)]
struct LabelName {
    text: [u8; blocks::SIZE],
    length: usize,
}

/// The longest name that is kept.
const LONGEST: usize = blocks::SIZE - 2;

impl Shape {
    /// Another text comes.
    pub(super) fn restart(&mut self) {
        self.is_of_last = false;
        self.specials = Specials::default();
    }

    /// Another reader is at work.
    pub(super) fn forget(&mut self) {
        self.is_of_last = false;
    }

    /// The line has so many labels; whether there were not more in the line before.
    fn labels(&mut self, count: usize) -> bool {
        let same = self.names.len() == count;
        self.names.truncate(count);
        same
    }
}

/// Reads the sample line that begins at `at`. Gives where its line feed is.
///
/// Lines are mostly like the one before: the same name, the same names of labels. So these are compared with what they
/// probably are before they are looked at byte by byte.
#[inline(never)]
pub(super) fn sample<'a>(
    dialect: Dialect,
    text: &'a str,
    base: usize,
    at: usize,
    shape: &mut Shape,
    before: &Sample<'a>,
    out: &mut Sample<'a>,
) -> Option<usize> {
    let reader = Reader { bytes: text.as_bytes(), base, prometheus: dialect == Dialect::Prometheus };
    out.labels.clear();
    let known = std::mem::take(&mut shape.is_of_last);
    let mut likeness = Likeness { canonical: true, labels: known, ..Likeness::default() };
    let old_name = before.name.end - before.name.start;
    // What stands behind the name is the same as well.
    likeness.name = known && blocks::same(reader.bytes, before.name.start - base, at, old_name + 1);
    let name_end = if likeness.name { at + old_name } else { reader.metric_name(at)? };
    let mut i = name_end;
    if reader.at(i)? == b'{' {
        i = reader.labels(i + 1, &mut shape.specials, &mut shape.names, &mut out.labels, &mut likeness)?;
    }
    likeness.labels &= shape.labels(out.labels.len());
    if reader.at(i)? != b' ' {
        return None;
    }
    let number = reader.number(i + 1, text)?;
    let end = number.end;
    out.text = text;
    out.base = base;
    out.name = Part { start: base + at, end: base + name_end, quoted: false, escaped: false };
    out.series = ByteSpan::new(base + at, base + i);
    out.value = Located { value: number.number(), span: ByteSpan::new(base + i + 1, base + end) };
    out.is_composite = false;
    out.likeness = likeness;
    (out.timestamp, out.start, out.exemplar_fault) = (None, None, None);
    out.exemplars.clear();
    out.exemplar_labels.clear();
    out.likeness.bare = reader.at(end)? == b'\n';
    let end = if out.likeness.bare { end } else { reader.tail(end, text, dialect, shape, out)? };
    shape.is_of_last = true;
    Some(end)
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

    /// Labels from `i`, which is after the opening brace, to after the closing one.
    #[inline]
    fn labels(
        &self,
        mut i: usize,
        specials: &mut Specials,
        names: &mut Vec<LabelName>,
        out: &mut Vec<LabelParts>,
        likeness: &mut Likeness,
    ) -> Option<usize> {
        if self.at(i)? == b'}' {
            return Some(i + 1);
        }
        let mut at = 0;
        loop {
            let name_end = match names.get(at) {
                Some(name) if blocks::begins(self.bytes, i, &name.text, name.length + 2) => i + name.length,
                _ => {
                    likeness.labels = false;
                    self.other_name(i, at, names)?
                }
            };
            at += 1;
            let start = name_end + 2;
            let mut end = specials.next(self.bytes, start)?;
            let escaped = self.at(end)? != b'"';
            if escaped {
                likeness.escaped = true;
                end = self.escaped_end(end, specials)?;
            }
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

    /// The end of the label name that begins at `i`, which is not the one expected there. It is from now on.
    #[inline(never)]
    fn other_name(&self, i: usize, at: usize, names: &mut Vec<LabelName>) -> Option<usize> {
        names.truncate(at);
        let end = self.metric_name(i)?;
        let name = self.bytes.get(i..end)?;
        let is_reserved = self.prometheus && name == b"__name__";
        let is_label = !name.contains(&b':') && !is_reserved;
        if !is_label || self.bytes.get(end..end + 2)? != b"=\"" {
            return None;
        }
        let known = self.bytes.get(i..).and_then(|rest| rest.first_chunk()).filter(|_| name.len() <= LONGEST);
        match known {
            Some(text) => names.push(LabelName { text: *text, length: name.len() }),
            None => names.push(LabelName { text: [0; blocks::SIZE], length: blocks::SIZE }), // never found
        }
        Some(end)
    }

    /// The end of a string, which is at its closing quote, with something special in it at `i`.
    #[inline(never)]
    fn escaped_end(&self, mut i: usize, specials: &mut Specials) -> Option<usize> {
        loop {
            match (self.at(i)?, self.at(i + 1)) {
                (b'"', _) => return Some(i),
                (b'\\', Some(b'\n')) => return None,
                (b'\\', Some(b'n' | b'"' | b'\\')) => {}
                (b'\\', Some(_)) if !self.prometheus => {}
                _ => return None, // among others, a line feed
            }
            i = specials.next(self.bytes, i + 2)?;
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
    fn tail(
        &self,
        mut i: usize,
        text: &str,
        dialect: Dialect,
        shape: &mut Shape,
        out: &mut Sample<'_>,
    ) -> Option<usize> {
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
        let Shape { specials, exemplar_names, .. } = shape;
        let likeness = &mut Likeness::default();
        i = self.labels(i + 4, specials, exemplar_names, &mut out.exemplar_labels, likeness)?;
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
