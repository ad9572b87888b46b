//! The fast path: samples and metadata as programs write them, without blanks to spare.
//!
//! It reads a line from its first byte to its line feed in one go and fills the same buffers as the reference grammar.
//! Whatever it does not know (other dialects' extras, unusual numbers, anything wrong, the last few bytes of a text) it
//! leaves to the grammar, which reads the line anew; so it may say "no" freely, but where it says "yes" both have to
//! agree on every part. A test and a fuzz target compare them.

use super::Dialect;
use super::blocks::{self, Any, Decimal, Machine, Text, Work};
use super::entries::{
    ByteSpan, ExemplarParts, LabelParts, Likeness, Located, Metadata, MetadataKind, Part, Sample, Written,
};
use super::grammar::type_of_word;
use super::numeral::{self, Scanned};
use crate::model::Timestamp;

/// A sample line to be read.
pub(super) struct Line<'s, 'a, M> {
    pub(super) machine: M,
    pub(super) dialect: Dialect,
    /// The text, and where it begins in the input.
    pub(super) text: &'a str,
    pub(super) base: usize,
    /// Where the line begins.
    pub(super) at: usize,
    /// Whether the sample before was read here, from the same text.
    pub(super) known: bool,
    pub(super) before: &'s Sample<'a>,
    pub(super) out: &'s mut Sample<'a>,
}

impl<M: Machine> Work for Line<'_, '_, M> {
    type Output = Option<usize>;

    /// Gives where the line feed is.
    ///
    /// Lines are mostly like the one before: they begin with the same bytes, and where they stop to, the labels are
    /// called the same. So what is the same is taken over, and names are compared with what they probably are before they
    /// are looked at byte by byte.
    #[allow(clippy::inline_always)] // as all that runs on a machine which has more
    #[inline(always)]
    fn run(self) -> Option<usize> {
        let Self { machine, dialect, text, base, at, known, before, out } = self;
        let reader = Reader { machine, text: Text::new(text), base, dialect };
        let (mut common, mut old_name, mut old_labels, mut shift) = (0, 0, &[][..], 0);
        if known {
            let old_at = before.series.start - base;
            let length = before.series.end - before.series.start + 1;
            common = blocks::common(machine, reader.text, (old_at, at), length)?;
            old_name = before.name.end - before.name.start;
            old_labels = &before.labels;
            shift = at - old_at;
        }
        // What stands behind the name is the same as well.
        let same_name = common > old_name;
        let (name_end, seam) = if same_name {
            (at + old_name, before.series.start + common)
        } else {
            (reader.metric_name(at)?, 0)
        };
        let mut labels = Labels { end: name_end, same: known && old_labels.is_empty(), escaped: false };
        if reader.text.byte(name_end)? == b'{' {
            labels = reader.labels(name_end + 1, old_labels, seam, shift, &mut out.labels)?;
            labels.same &= known;
        } else {
            out.labels.clear();
        }
        let series_end = labels.end;
        if reader.text.byte(series_end)? != b' ' {
            return None;
        }
        let number = reader.number(series_end + 1)?;
        let end = number.end;
        let bare = reader.text.byte(end)? == b'\n';
        out.text = text;
        out.base = base;
        out.name = Part { start: base + at, end: base + name_end, quoted: false, escaped: false };
        out.series = ByteSpan::new(base + at, base + series_end);
        out.value =
            Located { value: number.number(), span: ByteSpan::new(base + series_end + 1, base + end) };
        out.is_composite = false;
        out.likeness = Likeness {
            canonical: true,
            common,
            name: same_name,
            labels: labels.same,
            escaped: labels.escaped,
            bare,
        };
        (out.timestamp, out.start, out.exemplar_fault) = (None, None, None);
        out.exemplars.clear();
        if bare {
            out.exemplar_labels.clear();
            return Some(end);
        }
        tail(Tail { reader, at: end, known, before, out })
    }
}

/// What follows a value: a timestamp, an exemplar.
struct Tail<'s, 'a, M> {
    reader: Reader<'a, M>,
    /// Where the value ends.
    at: usize,
    known: bool,
    before: &'s Sample<'a>,
    out: &'s mut Sample<'a>,
}

#[inline(never)]
fn tail<M: Machine>(tail: Tail<'_, '_, M>) -> Option<usize> {
    tail.reader.machine.run(tail)
}

impl<M: Machine> Work for Tail<'_, '_, M> {
    type Output = Option<usize>;

    #[allow(clippy::inline_always)] // as above
    #[inline(always)]
    fn run(self) -> Option<usize> {
        let Self { reader, at: mut i, known, before, out } = self;
        match reader.dialect {
            Dialect::Prometheus => {
                out.exemplar_labels.clear();
                return reader.millis(i, out);
            }
            Dialect::OpenMetrics1 => {}
            Dialect::OpenMetrics2 => return None,
        }
        let base = reader.base;
        if reader.text.byte(i + 1)? != b'#' {
            let (value, end) = reader.seconds(i + 1)?;
            out.timestamp = Some(Located { value, span: ByteSpan::new(base + i + 1, base + end) });
            i = end;
            match reader.text.byte(i)? {
                b'\n' => {
                    out.exemplar_labels.clear();
                    return Some(i);
                }
                b' ' => {}
                _ => return None,
            }
        }
        if reader.text.window(i)? != b" # {" {
            return None;
        }
        let hash = i + 1;
        let old = if known { &*before.exemplar_labels } else { &[] };
        i = reader.labels(i + 4, old, 0, 0, &mut out.exemplar_labels)?.end;
        if reader.text.byte(i)? != b' ' {
            return None;
        }
        let number = reader.number(i + 1)?;
        let mut end = number.end;
        let value = Located { value: number.number(), span: ByteSpan::new(base + i + 1, base + end) };
        let mut timestamp = None;
        if reader.text.byte(end)? == b' ' {
            let (time, time_end) = reader.seconds(end + 1)?;
            timestamp = Some(Located { value: time, span: ByteSpan::new(base + end + 1, base + time_end) });
            end = time_end;
        }
        if reader.text.byte(end)? != b'\n' {
            return None;
        }
        out.exemplars.push(ExemplarParts {
            span: ByteSpan::new(base + hash, base + end),
            labels_end: out.exemplar_labels.len(),
            value,
            timestamp,
        });
        Some(end)
    }
}

/// Reads the metadata line that begins at `at` if it has no escapes and nothing unusual. Gives where its line feed is.
pub(super) fn metadata(
    dialect: Dialect,
    text: &str,
    base: usize,
    at: usize,
) -> Option<(Metadata<'_>, usize)> {
    let bytes = text.as_bytes();
    let reader = Reader { machine: Any, text: Text::new(text), base, dialect };
    let keyword = bytes.get(at..at + 7)?;
    let name_start = at + 7;
    let name_end = reader.metric_name(name_start)?;
    if reader.text.byte(name_end)? != b' ' {
        return None;
    }
    let start = name_end + 1;
    let end = start + memchr::memchr(b'\n', bytes.get(start..)?)?;
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
            if dialect != Dialect::Prometheus
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

#[derive(Clone, Copy)]
struct Reader<'t, M> {
    machine: M,
    text: Text<'t>,
    base: usize,
    dialect: Dialect,
}

/// What was read of labels besides themselves.
#[derive(Clone, Copy)]
struct Labels {
    /// Behind the closing brace.
    end: usize,
    /// Whether they are called as the old ones.
    same: bool,
    escaped: bool,
}

#[allow(clippy::inline_always)] // as above
impl<M: Machine> Reader<'_, M> {
    /// The end of the metric name that begins at `i`.
    #[inline]
    fn metric_name(self, i: usize) -> Option<usize> {
        let end = blocks::other_than_name(self.text.as_bytes(), i)?;
        (end > i && !self.text.byte(i)?.is_ascii_digit()).then_some(end)
    }

    /// Labels from `i` on, which is after the opening brace. They are probably called as the old ones; those of these
    /// that end before `seam` in the input are there again, later by `shift`.
    #[inline(always)]
    fn labels(
        self,
        mut i: usize,
        old: &[LabelParts],
        seam: usize,
        shift: usize,
        out: &mut Vec<LabelParts>,
    ) -> Option<Labels> {
        if out.len() < old.len() {
            make_room(out, old.len());
        }
        let all = old.len();
        let mut count = 0;
        let mut escaped = false;
        for (slot, old) in out.iter_mut().zip(old) {
            let end = if old.value.end < seam {
                *slot = old.shifted(shift);
                escaped |= old.value.escaped;
                slot.value.end - self.base
            } else {
                let length = old.name.end - old.name.start;
                let new_name = self.text.window(i)?;
                let old_name = self.text.window(old.name.start - self.base)?;
                // The equals sign and the quote are behind both.
                if !blocks::begin_alike(self.machine, new_name, old_name, length + 2) {
                    break;
                }
                let start = i + length + 2;
                let end = blocks::special(self.machine, self.text, start)?;
                if self.text.byte(end)? != b'"' {
                    break;
                }
                *slot = self.label(i, i + length, end, false);
                end
            };
            count += 1;
            i = end + 2;
            match self.text.byte(end + 1)? {
                b',' => {}
                b'}' => {
                    let same = count == all;
                    out.truncate(count);
                    return Some(Labels { end: i, same, escaped });
                }
                _ => return None,
            }
        }
        out.truncate(count);
        self.other_labels(i, escaped, out)
    }

    /// Labels from `i` on, after those that are known; none if the brace is closed there.
    #[inline(never)]
    fn other_labels(self, mut i: usize, mut escaped: bool, out: &mut Vec<LabelParts>) -> Option<Labels> {
        if out.is_empty() && self.text.byte(i)? == b'}' {
            return Some(Labels { end: i + 1, same: false, escaped });
        }
        loop {
            let name_end = self.metric_name(i)?;
            let name = self.text.as_bytes().get(i..name_end)?;
            let is_reserved = self.dialect == Dialect::Prometheus && name == b"__name__";
            if name.contains(&b':') || is_reserved || self.text.window(name_end)? != b"=\"" {
                return None;
            }
            let special = blocks::special(Any, self.text, name_end + 2)?;
            let is_escaped = self.text.byte(special)? != b'"';
            let end = if is_escaped { self.escaped_end(special)? } else { special };
            escaped |= is_escaped;
            out.push(self.label(i, name_end, end, is_escaped));
            i = end + 2;
            match self.text.byte(end + 1)? {
                b',' => {}
                b'}' => return Some(Labels { end: i, same: false, escaped }),
                _ => return None,
            }
        }
    }

    /// The label whose name and value are there, with nothing but `="` between.
    #[inline(always)]
    fn label(self, name: usize, name_end: usize, value_end: usize, escaped: bool) -> LabelParts {
        let (name, name_end, value_end) = (self.base + name, self.base + name_end, self.base + value_end);
        LabelParts {
            name: Part { start: name, end: name_end, quoted: false, escaped: false },
            value: Part { start: name_end + 2, end: value_end, quoted: true, escaped },
        }
    }

    /// The end of a string, which is at its closing quote, with something special in it at `i`.
    #[inline(never)]
    fn escaped_end(self, mut i: usize) -> Option<usize> {
        loop {
            match (self.text.byte(i)?, self.text.byte(i + 1)?) {
                (b'"', _) => return Some(i),
                (b'\\', b'\n') => return None,
                (b'\\', b'n' | b'"' | b'\\') => {}
                (b'\\', _) if self.dialect != Dialect::Prometheus => {}
                _ => return None, // among others, a line feed
            }
            i = blocks::special(Any, self.text, i + 2)?;
        }
    }

    /// A number that ends before a space or line feed.
    #[inline(always)]
    fn number(self, i: usize) -> Option<Scanned> {
        match numeral::scan(self.machine, self.text, i) {
            Some(found) if matches!(self.text.byte(found.end)?, b' ' | b'\n') => Some(found),
            _ => self.unusual_number(i),
        }
    }

    /// Other numbers: as the grammar has them.
    #[cold]
    #[inline(never)]
    fn unusual_number(self, i: usize) -> Option<Scanned> {
        let rest = self.text.as_str().get(i..)?;
        let length = rest.bytes().position(|byte| matches!(byte, b' ' | b'\n'))?;
        let number = numeral::parse(rest.get(..length)?)?;
        Some(Scanned::new(number, i + length))
    }

    /// Seconds with up to nine digits after the point, and nineteen in all.
    #[inline(always)]
    fn seconds(self, i: usize) -> Option<(Timestamp, usize)> {
        let Decimal { mantissa, has_point, fraction, end } = numeral::decimal(self.machine, self.text, i);
        let digits = end - usize::from(has_point);
        if fraction >= digits || digits > 19 {
            return None;
        }
        let second = *numeral::WHOLE_POWERS.get(fraction)?;
        let nanos = mantissa % second * numeral::WHOLE_POWERS.get(9 - fraction)?;
        Some((Timestamp::new((mantissa / second) as i64, nanos as u32)?, i + end))
    }

    /// A timestamp of the Prometheus formats.
    fn millis(self, i: usize, out: &mut Sample<'_>) -> Option<usize> {
        let start = i + 1;
        let negative = self.text.byte(start)? == b'-';
        let first = start + usize::from(negative);
        let (value, end) = numeral::digits(self.text, first, 0);
        if !(1..=18).contains(&(end - first)) || self.text.byte(end)? != b'\n' {
            return None;
        }
        let millis = if negative { -(value as i64) } else { value as i64 };
        let span = ByteSpan::new(self.base + start, self.base + end);
        out.timestamp = Some(Located { value: Timestamp::from_millis(millis), span });
        Some(end)
    }
}

#[cold]
#[inline(never)]
fn make_room(labels: &mut Vec<LabelParts>, count: usize) {
    labels.resize(count, LabelParts::default());
}
