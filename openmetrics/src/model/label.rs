//! Labels: owned sets for keeping, borrowed views for passing on.

use std::borrow::Cow;
use std::fmt;

use super::name::LabelName;
use super::text::Text;
use crate::error::{Error, Kind};

/// One label: a name and a value of any UTF-8 text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The label's name.
    pub name: LabelName,
    /// The label's value; an empty value counts as no label ([OM1-LAB-03]).
    ///
    /// [OM1-LAB-03]: https://prometheus.io/docs/specs/om/open_metrics_spec/#label
    pub value: Text,
}

impl Label {
    /// A label from its parts.
    pub fn new(name: LabelName, value: impl Into<Text>) -> Self {
        Self { name, value: value.into() }
    }
}

/// An owned set of labels, sorted by name, each name once.
///
/// ```
/// use openmetrics::model::LabelSet;
///
/// let labels = LabelSet::from_pairs([("path", "/"), ("method", "GET")])?;
/// assert_eq!(labels.get("method"), Some("GET"));
/// assert_eq!(labels.to_string(), r#"{method="GET",path="/"}"#);
/// assert!(LabelSet::from_pairs([("a", "1"), ("a", "2")]).is_err());
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelSet(Vec<Label>);

impl LabelSet {
    /// The set without labels.
    pub const EMPTY: Self = Self(Vec::new());

    /// Sorts `labels`; a name given twice is an error (OM1-LAB-02).
    pub fn new(labels: impl IntoIterator<Item = Label>) -> Result<Self, Error> {
        let mut labels: Vec<_> = labels.into_iter().collect();
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        match labels.windows(2).find_map(|w| match w {
            [a, b] if a.name == b.name => Some(a.name.to_string()),
            _ => None,
        }) {
            Some(name) => Err(Error::new(Kind::DuplicateLabel { name })),
            None => Ok(Self(labels)),
        }
    }

    /// A set from classic names and values.
    pub fn from_pairs<N: Into<Text>, V: Into<Text>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        let labels: Result<Vec<_>, Error> =
            pairs.into_iter().map(|(name, value)| Ok(Label::new(LabelName::new(name)?, value))).collect();
        Self::new(labels?)
    }

    /// The value of the label called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|label| label.name.as_str().cmp(name)).ok()?;
        self.0.get(at).map(|label| label.value.as_str())
    }

    /// The labels in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels of both sets; a name in both is an error (OM1-LAB-02).
    pub fn union(&self, other: &Self) -> Result<Self, Error> {
        Self::new(self.iter().chain(other).cloned())
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
impl IntoIterator for LabelSet {
    type Item = Label;
    type IntoIter = std::vec::IntoIter<Label>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Labels::from(self), f)
    }
}
impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A borrowed view of labels, cheap to copy: what collectors hand to an `Emitter` and sinks receive.
///
/// A view is a short chain of parts (the constant labels of a scope, then a metric's own), so adding labels
/// on the way out copies nothing. A part may carry its labels already rendered, which formats copy whole.
///
/// ```
/// use openmetrics::model::Labels;
///
/// let labels = Labels::new(&[("device", "eth0")]);
/// let all = labels.after(Labels::new(&[("host", "a")]));
/// assert_eq!(all.to_string(), r#"{host="a",device="eth0"}"#);
/// ```
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    first: Part<'a>,
    rest: Option<&'a Labels<'a>>,
}

/// One part of a [`Labels`] view; a sink that wants to be fast looks at these.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    Pairs(&'a [(&'a str, &'a str)]),
    Set(&'a [Label]),
    Rendered(Rendered<'a>),
}

/// Labels with classic names, rendered once for many scrapes.
#[derive(Clone, Copy)]
pub(crate) struct Rendered<'a> {
    /// As the text formats write them between the braces: `name="value",...`, values escaped; by [`render`]. Empty if
    /// that was not done, which text formats see to that it was.
    pub(crate) text: &'a str,
    /// As both protobuf formats write them in a metric, by [`render_protobuf`]; empty if that was not done.
    pub(crate) protobuf: &'a [u8],
}

impl<'a> Labels<'a> {
    /// No labels.
    pub const EMPTY: Labels<'static> = Labels { first: Part::Pairs(&[]), rest: None };

    /// A view of names and values in this order.
    #[inline]
    pub const fn new(pairs: &'a [(&'a str, &'a str)]) -> Self {
        Self { first: Part::Pairs(pairs), rest: None }
    }

    /// Labels whose names are classic and that are rendered already: by [`render`] unless `text` is empty, by
    /// [`render_protobuf`] unless `protobuf` is.
    #[inline]
    pub(crate) const fn rendered(text: &'a str, protobuf: &'a [u8]) -> Self {
        Self { first: Part::Rendered(Rendered { text, protobuf }), rest: None }
    }

    /// These labels after those of `before`; only the first part of `before` is taken.
    #[inline]
    #[must_use]
    pub fn after(&'a self, before: Labels<'a>) -> Labels<'a> {
        debug_assert!(before.rest.is_none(), "one part is put before a chain");
        Labels { first: before.first, rest: Some(self) }
    }

    #[inline]
    pub(crate) fn parts(&self) -> Parts<'a> {
        Parts { next: Some(*self) }
    }

    /// Whether all of it is rendered.
    #[inline]
    pub(crate) fn is_rendered(&self) -> bool {
        matches!(self.first, Part::Rendered(_)) && self.rest.is_none_or(Labels::is_rendered)
    }

    /// Names and values in order. A value is borrowed unless its rendered form is all there is and had escapes.
    #[inline]
    pub fn iter(&self) -> Iter<'a> {
        Iter { part: self.first, rest: self.rest }
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.parts().all(|part| match part {
            Part::Pairs(pairs) => pairs.is_empty(),
            Part::Set(set) => set.is_empty(),
            Part::Rendered(rendered) => rendered.text.is_empty() && rendered.protobuf.is_empty(),
        })
    }

    /// The value of the label called `name`.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find_map(|(n, value)| (n == name).then_some(value))
    }

    /// An owned, sorted copy. Names outside the classic grammar are kept; a repeated name is an error.
    pub fn to_set(&self) -> Result<LabelSet, Error> {
        let labels: Result<Vec<_>, Error> =
            self.iter().map(|(name, value)| Ok(Label::new(LabelName::utf8(name)?, &*value))).collect();
        LabelSet::new(labels?)
    }
}

impl<'a> From<&'a LabelSet> for Labels<'a> {
    fn from(set: &'a LabelSet) -> Self {
        Self { first: Part::Set(&set.0), rest: None }
    }
}
impl<'a> IntoIterator for &Labels<'a> {
    type Item = (&'a str, Cow<'a, str>);
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
impl<'a> IntoIterator for Labels<'a> {
    type Item = (&'a str, Cow<'a, str>);
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
impl Default for Labels<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}
impl PartialEq for Labels<'_> {
    /// Equal labels in equal order.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        render(self, &mut text);
        write!(f, "{{{text}}}")
    }
}
impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) struct Parts<'a> {
    next: Option<Labels<'a>>,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;
    #[inline]
    fn next(&mut self) -> Option<Part<'a>> {
        let labels = self.next?;
        self.next = labels.rest.copied();
        Some(labels.first)
    }
}

/// Iterator over the names and values of [`Labels`].
#[derive(Clone)]
pub struct Iter<'a> {
    part: Part<'a>,
    rest: Option<&'a Labels<'a>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, Cow<'a, str>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let found = match &mut self.part {
                Part::Pairs(pairs) => pairs.split_first().map(|(&(name, value), tail)| {
                    *pairs = tail;
                    (name, Cow::Borrowed(value))
                }),
                Part::Set(set) => set.split_first().map(|(label, tail)| {
                    *set = tail;
                    (label.name.as_str(), Cow::Borrowed(label.value.as_str()))
                }),
                Part::Rendered(rendered) => rendered.split_first(),
            };
            if found.is_some() {
                return found;
            }
            let next = self.rest.take()?;
            self.part = next.first;
            self.rest = next.rest;
        }
    }
}

impl<'a> Rendered<'a> {
    /// The names, for whom values need not be unescaped.
    pub(crate) fn names(mut self) -> impl Iterator<Item = &'a str> {
        std::iter::from_fn(move || self.split_raw().map(|(name, ..)| name))
    }

    fn split_first(&mut self) -> Option<(&'a str, Cow<'a, str>)> {
        let (name, value, is_escaped) = self.split_raw()?;
        Some((name, if is_escaped { Cow::Owned(unescape(value)) } else { Cow::Borrowed(value) }))
    }

    /// Takes `name="value"` and a comma off the front, and says whether the value has escapes. Only [`render`] makes such
    /// texts, so a text of another shape just ends the iteration.
    fn split_raw(&mut self) -> Option<(&'a str, &'a str, bool)> {
        if self.text.is_empty() {
            let (label, rest) = split_field(0x0a, self.protobuf)?;
            self.protobuf = rest;
            let (name, value) = split_field(0x0a, label)?;
            let (value, _) = split_field(0x12, value)?;
            return Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?, false));
        }
        let end = memchr::memchr(b'=', self.text.as_bytes())?;
        let (name, tail) = (self.text.get(..end)?, self.text.get(end + 2..)?);
        let bytes = tail.as_bytes();
        let mut from = 0;
        let end = loop {
            let at = from + memchr::memchr2(b'"', b'\\', bytes.get(from..)?)?;
            if bytes.get(at) == Some(&b'"') {
                break at;
            }
            from = at + 2;
        };
        let value = tail.get(..end)?;
        let tail = tail.get(end + 1..)?;
        self.text = tail.strip_prefix(',').unwrap_or(tail);
        if self.text.is_empty() {
            self.protobuf = &[]; // which has the same labels
        }
        Some((name, value, from > 0))
    }
}

/// A field of this key and as many bytes as its length says, and what follows it.
fn split_field(key: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let (mut length, mut shift) = (0_usize, 0);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    (first == key).then(|| rest.split_at_checked(length))?
}

/// Appends `name="value",...` in order, values escaped as every text format does it:
/// backslash, double quote and line feed get a backslash ([OM1-SYN-05]).
///
/// [OM1-SYN-05]: https://prometheus.io/docs/specs/om/open_metrics_spec/#escaping
pub(crate) fn render(labels: &Labels<'_>, out: &mut String) {
    for part in labels.parts() {
        if let Part::Rendered(rendered) = part {
            if !rendered.text.is_empty() {
                comma(out);
                out.push_str(rendered.text);
                continue;
            }
        }
        for (name, value) in (Labels { first: part, rest: None }) {
            comma(out);
            if super::name::is_classic_label_name(name) {
                out.push_str(name);
            } else {
                out.push('"');
                escape(name, out);
                out.push('"');
            }
            out.push_str("=\"");
            escape(&value, out);
            out.push('"');
        }
    }
}

/// Appends the labels in order as fields of a protobuf metric. In both protobuf formats a metric's labels are its
/// field 1, and a label's name and value the fields 1 and 2 of that.
pub(crate) fn render_protobuf(labels: &Labels<'_>, out: &mut Vec<u8>) {
    render_protobuf_renamed(labels, Cow::Borrowed, out);
}

/// The same with every name that is not rendered yet, and so may not be classic, passed through `rename`.
#[inline]
pub(crate) fn render_protobuf_renamed<'a>(
    labels: &Labels<'a>,
    rename: impl Fn(&'a str) -> Cow<'a, str>,
    out: &mut Vec<u8>,
) {
    for part in labels.parts() {
        match part {
            Part::Rendered(rendered) if !rendered.protobuf.is_empty() => {
                out.extend_from_slice(rendered.protobuf);
            }
            part => {
                for (name, value) in (Labels { first: part, rest: None }) {
                    render_protobuf_label(&rename(name), &value, out);
                }
            }
        }
    }
}

/// Appends one label as [`render_protobuf`] does.
#[inline]
pub(crate) fn render_protobuf_label(name: &str, value: &str, out: &mut Vec<u8>) {
    let (name_len, value_len) = (name.len() as u64, value.len() as u64);
    let len = 2 + varint_len(name_len) + name.len() + varint_len(value_len) + value.len();
    out.push(0x0a);
    varint(len as u64, out);
    out.push(0x0a);
    varint(name_len, out);
    out.extend_from_slice(name.as_bytes());
    out.push(0x12);
    varint(value_len, out);
    out.extend_from_slice(value.as_bytes());
}

/// What follows this label where [`render_protobuf_label`] wrote it; `None` if it is another one.
#[inline]
pub(super) fn strip_protobuf_label<'b>(bytes: &'b [u8], name: &str, value: &str) -> Option<&'b [u8]> {
    // Nearly all labels are so short that each length is one byte.
    if let [0x0a, ..0x80, 0x0a, length, rest @ ..] = bytes {
        let rest = rest.strip_prefix(name.as_bytes()).filter(|_| usize::from(*length) == name.len())?;
        let [0x12, length, rest @ ..] = rest else { return None };
        return rest.strip_prefix(value.as_bytes()).filter(|_| usize::from(*length) == value.len());
    }
    let (label, rest) = split_field(0x0a, bytes)?;
    let (known_name, label) = split_field(0x0a, label)?;
    let (known_value, _) = split_field(0x12, label)?;
    (known_name == name.as_bytes() && known_value == value.as_bytes()).then_some(rest)
}

/// Appends a number as protobuf's varint: seven bits a byte, the lowest first.
#[inline]
pub(crate) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many bytes [`varint`] takes for a number: 1 to 10.
#[inline]
pub(crate) const fn varint_len(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

/// Between two labels; what is rendered always ends in a quote, what stands before the first never does.
fn comma(out: &mut String) {
    if out.ends_with('"') {
        out.push(',');
    }
}

/// Appends `value` with backslash, double quote and line feed escaped.
pub(crate) fn escape(value: &str, out: &mut String) {
    let mut done = 0;
    for at in memchr::memchr3_iter(b'\\', b'"', b'\n', value.as_bytes()) {
        out.push_str(value.get(done..at).unwrap_or_default());
        out.push('\\');
        out.push(match value.as_bytes().get(at) {
            Some(b'\n') => 'n',
            Some(b'"') => '"',
            _ => '\\',
        });
        done = at + 1;
    }
    out.push_str(value.get(done..).unwrap_or_default());
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn a_set_is_sorted_and_unique() {
        let set = LabelSet::from_pairs([("b", "2"), ("a", "1")]).unwrap();
        assert_eq!(set.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(LabelSet::from_pairs([("a", "1"), ("a", "1")]).unwrap_err().rule(), Some("OM1-LAB-02"));
        assert_eq!(LabelSet::from_pairs([("é", "1")]).unwrap_err().rule(), Some("OM1-SYN-08"));
    }

    #[test]
    fn chains_keep_their_order() {
        let own = Labels::rendered(r#"path="/\"x\\",code="200""#, &[]);
        let consts = LabelSet::from_pairs([("zone", "z\n1")]).unwrap();
        let all = own.after(Labels::from(&consts));
        let pairs: Vec<_> = all.iter().map(|(n, v)| (n.to_owned(), v.into_owned())).collect();
        assert_eq!(
            pairs,
            [("zone", "z\n1"), ("path", r#"/"x\"#), ("code", "200")].map(|(n, v)| (n.into(), v.into()))
        );
        assert_eq!(all.to_string(), "{zone=\"z\\n1\",path=\"/\\\"x\\\\\",code=\"200\"}");
        assert!(!all.is_empty());
        assert_eq!(all.get("code").as_deref(), Some("200"));
    }

    #[test]
    fn protobuf_labels_are_the_same_from_whatever_part() {
        let pairs = [("path", "/\"x\\"), ("code", "200")];
        let mut from_pairs = Vec::new();
        render_protobuf(&Labels::new(&pairs), &mut from_pairs);
        assert_eq!(from_pairs, b"\x0a\x0c\x0a\x04path\x12\x04/\"x\\\x0a\x0b\x0a\x04code\x12\x03200");
        let text = r#"path="/\"x\\",code="200""#;
        for labels in [Labels::rendered(text, &[]), Labels::rendered(text, &from_pairs)] {
            let mut out = Vec::new();
            render_protobuf(&labels, &mut out);
            assert_eq!(out, from_pairs);
        }
    }

    #[test]
    fn varints_have_seven_bits_a_byte() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let mut out = Vec::new();
            varint(number, &mut out);
            assert_eq!(out.len(), varint_len(number), "{number}");
            let back = out.iter().rev().fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
            assert_eq!(back, number);
        }
    }

    quickcheck! {
        fn rendering_loses_nothing(pairs: Vec<(u8, String)>) -> bool {
            let names: Vec<String> = (0..pairs.len()).map(|i| format!("l{i}")).collect();
            let pairs: Vec<(&str, &str)> = names.iter().zip(&pairs).map(|(n, (_, v))| (n.as_str(), v.as_str())).collect();
            let mut text = String::new();
            render(&Labels::new(&pairs), &mut text);
            let mut protobuf = Vec::new();
            render_protobuf(&Labels::new(&pairs), &mut protobuf);
            let rest = pairs.iter().try_fold(&*protobuf, |rest, (name, value)| strip_protobuf_label(rest, name, value));
            rest == Some(&[]) && [(&*text, &[][..]), ("", &protobuf), (&text, &protobuf)].into_iter().all(|(text, protobuf)| {
                let labels = Labels::rendered(text, protobuf);
                let mut again = String::new();
                render(&labels, &mut again);
                labels.iter().eq(pairs.iter().map(|&(n, v)| (n, Cow::Borrowed(v))))
                    && labels.is_empty() == pairs.is_empty()
                    && (text.is_empty() || again == text)
            })
        }
    }
}
