//! Typed labels: what a call site hands to a family.

use std::fmt::{self, Write as _};

/// A set of labels with names known from its type; usually derived.
///
/// A call site borrows: `Request<'a>` names the family's type by [`Owner`](LabelSet::Owner), so that a family declared
/// with `Request<'static>` takes a `Request` that borrows from a connection.
///
/// ```
/// use openmetrics::instrument::{LabelSet, LabelValue, LabelWriter};
///
/// struct Request<'a> { path: &'a str, status: u16 }
///
/// impl LabelSet for Request<'_> {
///     type Owner = Request<'static>;
///     const NAMES: &'static [&'static str] = &["path", "status"];
///     fn write(&self, to: &mut LabelWriter) {
///         self.path.write(to);
///         self.status.write(to);
///     }
/// }
/// ```
///
/// Arrays of strings are label sets as well; their names are given at registration, see
/// [`Options::labels`](super::Options::labels).
pub trait LabelSet {
    /// The type that a family of such labels is declared with: this one, with `'static` for its lifetimes.
    type Owner: 'static;

    /// The label names; empty if they are given at registration.
    const NAMES: &'static [&'static str];

    /// How many labels there are.
    const ARITY: usize = Self::NAMES.len();

    /// How many different sets there are, if all values are of few, known kinds. Families then need no hashing.
    const CARDINALITY: Option<usize> = None;

    /// Which of [`CARDINALITY`](LabelSet::CARDINALITY) sets this is, from 0.
    fn ordinal(&self) -> usize {
        0
    }

    /// Writes every value, in the order of the names.
    fn write(&self, to: &mut LabelWriter);
}

/// A type whose values can be label values; usually a string, an integer or a derived enum.
pub trait LabelValue {
    /// How many different values there are, if they are few and known, as those of an enum.
    const CARDINALITY: Option<usize> = None;

    /// Which of [`CARDINALITY`](LabelValue::CARDINALITY) values this is, from 0.
    fn ordinal(&self) -> usize {
        0
    }

    /// Writes the value: one call of one of the writer's methods.
    fn write(&self, to: &mut LabelWriter);
}

/// An enum without fields whose variants are label values, or the states of a stateset; usually derived.
///
/// ```
/// use openmetrics::instrument::LabelEnum;
///
/// #[derive(Clone, Copy)]
/// enum State { Starting, Running }
///
/// impl LabelEnum for State {
///     const NAMES: &'static [&'static str] = &["starting", "running"];
///     fn index(self) -> usize { self as usize }
/// }
/// openmetrics::label_value_from_enum!(State);
/// ```
pub trait LabelEnum: Copy + Send + Sync + 'static {
    /// The text of each variant.
    const NAMES: &'static [&'static str];

    /// Which of [`NAMES`](LabelEnum::NAMES) this is.
    fn index(self) -> usize;

    /// The text of this variant.
    #[inline]
    fn name(self) -> &'static str {
        Self::NAMES.get(self.index()).copied().unwrap_or_default()
    }
}

/// Whether a label is among these; for what the derives check at compile time.
#[doc(hidden)]
pub const fn has_label(names: &[&str], label: &str) -> bool {
    let mut at = 0;
    while at < names.len() {
        if same(names[at].as_bytes(), label.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

/// `==`, which a constant cannot use yet.
const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// Implements [`LabelValue`](crate::instrument::LabelValue) for types that are
/// [`LabelEnum`](crate::instrument::LabelEnum)s, without allocation or hashing.
#[macro_export]
macro_rules! label_value_from_enum {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::instrument::LabelValue for $type {
            const CARDINALITY: ::core::option::Option<usize> =
                ::core::option::Option::Some(<$type as $crate::instrument::LabelEnum>::NAMES.len());
            #[inline]
            fn ordinal(&self) -> usize {
                $crate::instrument::LabelEnum::index(*self)
            }
            #[inline]
            fn write(&self, to: &mut $crate::instrument::LabelWriter) {
                to.text($crate::instrument::LabelEnum::name(*self));
            }
        }
    )+};
}

/// How many words of a label set are written without allocation.
const INLINE: usize = 16;

/// Takes the values of a label set, one after the other. Families make it.
///
/// The values become words of eight bytes: each value's bytes, then one that no text has, then zeros to the next
/// word. So different sets are different words, and a set is hashed and compared a word at a time.
pub struct LabelWriter {
    inline: [u64; INLINE],
    len: usize,
    /// Everything, once it is more than fits inline.
    heap: Vec<u64>,
}

/// Stands behind every value; UTF-8 has no such byte.
const END: u8 = 0xff;

impl LabelWriter {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { inline: [0; INLINE], len: 0, heap: Vec::new() }
    }

    /// A value that is text already.
    #[inline]
    pub fn text(&mut self, value: &str) {
        let chunks = value.as_bytes().chunks_exact(8);
        let rest = chunks.remainder();
        for chunk in chunks {
            self.word(chunk.try_into().map_or(0, u64::from_le_bytes));
        }
        self.word(last_word(rest));
    }

    /// A value that formats itself.
    pub fn display(&mut self, value: &dyn fmt::Display) {
        let mut text = String::new();
        // Formatting into a string fails only if `value` does; then it is what was written before.
        let _ = write!(text, "{value}");
        self.text(&text);
    }

    #[inline]
    fn word(&mut self, word: u64) {
        match self.inline.get_mut(self.len) {
            Some(to) => {
                *to = word;
                self.len += 1;
            }
            None => self.spill(word),
        }
    }

    #[cold]
    fn spill(&mut self, word: u64) {
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.inline);
        }
        self.heap.push(word);
    }

    /// The whole set.
    #[inline]
    pub(crate) fn words(&self) -> &[u64] {
        if self.heap.is_empty() { self.inline.get(..self.len).unwrap_or_default() } else { &self.heap }
    }
}

/// Fewer than eight bytes and the end behind them. Read as two overlapping halves where there are enough.
#[inline]
fn last_word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let text = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << ((len - 4) * 8)
        }
        _ => match *bytes {
            [] => 0,
            [a] => u64::from(a),
            [a, b] => u64::from(a) | u64::from(b) << 8,
            [a, b, c, ..] => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
        },
    };
    text | u64::from(END) << (len * 8)
}

impl fmt::Debug for LabelWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(values(self.words())).finish()
    }
}

/// The words of each value in what a [`LabelWriter`] wrote.
pub(crate) fn split(words: &[u64]) -> impl Iterator<Item = &[u64]> {
    words.split_inclusive(|word| word.to_le_bytes().contains(&END))
}

/// Whether these words are this one value.
pub(crate) fn is_text(words: &[u64], text: &str) -> bool {
    let chunks = text.as_bytes().chunks_exact(8);
    let last = last_word(chunks.remainder());
    let word = |chunk: &[u8]| chunk.try_into().map_or(0, u64::from_le_bytes);
    words.iter().copied().eq(chunks.map(word).chain([last]))
}

/// The values in what a [`LabelWriter`] wrote.
pub(crate) fn values(words: &[u64]) -> Vec<String> {
    let mut values = Vec::new();
    let mut value = Vec::new();
    for word in words {
        let bytes = word.to_le_bytes();
        match bytes.iter().position(|&byte| byte == END) {
            None => value.extend_from_slice(&bytes),
            Some(end) => {
                value.extend_from_slice(bytes.get(..end).unwrap_or_default());
                values.push(String::from_utf8_lossy(&value).into_owned());
                value.clear();
            }
        }
    }
    values
}

macro_rules! text_values {
    ($($type:ty),*) => {$(
        impl LabelValue for $type {
            #[inline]
            fn write(&self, to: &mut LabelWriter) {
                to.text(self);
            }
        }
    )*};
}
text_values!(str, String, crate::model::Text, Box<str>, std::sync::Arc<str>, std::borrow::Cow<'_, str>);

macro_rules! integer_values {
    ($($type:ty),*) => {$(
        impl LabelValue for $type {
            #[inline]
            fn write(&self, to: &mut LabelWriter) {
                to.text(itoa::Buffer::new().format(*self));
            }
        }
    )*};
}
integer_values!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl<V: LabelValue + ?Sized> LabelValue for &V {
    const CARDINALITY: Option<usize> = V::CARDINALITY;
    #[inline]
    fn ordinal(&self) -> usize {
        (**self).ordinal()
    }
    #[inline]
    fn write(&self, to: &mut LabelWriter) {
        (**self).write(to);
    }
}

impl LabelEnum for bool {
    const NAMES: &'static [&'static str] = &["false", "true"];
    #[inline]
    fn index(self) -> usize {
        usize::from(self)
    }
}
label_value_from_enum!(bool);

/// A value that may be absent; absent and empty are the same to the formats (OM1-LAB-03).
impl<V: LabelValue> LabelValue for Option<V> {
    const CARDINALITY: Option<usize> = match V::CARDINALITY {
        Some(n) => n.checked_add(1),
        None => None,
    };
    #[inline]
    fn ordinal(&self) -> usize {
        self.as_ref().map_or(0, |value| value.ordinal() + 1)
    }
    #[inline]
    fn write(&self, to: &mut LabelWriter) {
        match self {
            Some(value) => value.write(to),
            None => to.text(""),
        }
    }
}

impl<S: LabelSet> LabelSet for &S {
    type Owner = S::Owner;
    const NAMES: &'static [&'static str] = S::NAMES;
    const ARITY: usize = S::ARITY;
    const CARDINALITY: Option<usize> = S::CARDINALITY;
    #[inline]
    fn ordinal(&self) -> usize {
        (**self).ordinal()
    }
    #[inline]
    fn write(&self, to: &mut LabelWriter) {
        (**self).write(to);
    }
}

impl<V: LabelValue, const N: usize> LabelSet for [V; N] {
    type Owner = [&'static str; N];
    const NAMES: &'static [&'static str] = &[];
    const ARITY: usize = N;
    #[inline]
    fn write(&self, to: &mut LabelWriter) {
        for value in self {
            value.write(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn written(labels: &impl LabelSet) -> Vec<String> {
        let mut writer = LabelWriter::new();
        labels.write(&mut writer);
        values(writer.words())
    }

    #[test]
    fn values_of_many_types() {
        let mut to = LabelWriter::new();
        "GET".write(&mut to);
        404_u16.write(&mut to);
        (-1_i64).write(&mut to);
        true.write(&mut to);
        None::<u8>.write(&mut to);
        to.display(&1.5);
        assert_eq!(values(to.words()), ["GET", "404", "-1", "true", "", "1.5"]);
        assert_eq!((Option::<bool>::CARDINALITY, Some(true).ordinal()), (Some(3), 2));
    }

    quickcheck! {
        fn nothing_is_lost_at_any_length(a: String, b: usize, c: String) -> bool {
            let b = "x".repeat(b % 40_000);
            written(&[a.as_str(), &b, &c]) == [a.as_str(), &b, &c]
        }
    }
}
