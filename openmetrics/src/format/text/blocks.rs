//! Looking for bytes sixteen at a time, and more where the machine can.
//!
//! What is looked for is told by plain functions on slices, which give what a loop over the bytes would give. Every
//! x86-64 machine has the instructions that most of it takes (SSE2), so nothing has to be detected; other machines look
//! at eight bytes at a time, or one. What machines with AVX2 do better, and most have it, is behind [`Machine`]. The
//! tests compare all with a loop.
//!
//! This module is allowed `unsafe`, for one thing only: those instructions, on bytes that a reference vouches for. No
//! pointer leaves it.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod wide;

use machine::Block;
#[cfg(not(target_arch = "x86_64"))]
use plain as machine;
#[cfg(target_arch = "x86_64")]
pub(super) use wide::Wide;

/// What depends on the machine.
pub(super) trait Machine: Copy {
    /// Runs what asks this machine for more than others have.
    fn run<W: Work>(self, work: W) -> W::Output;

    /// A bit for each special byte, the first byte's lowest.
    fn specials(self, window: &[u8; WINDOW]) -> u32;

    /// A bit for each byte that is another one in both.
    fn differences(self, left: &[u8; WINDOW], right: &[u8; WINDOW]) -> u32;

    /// The digits at the beginning, perhaps none, with a point before, among or after them. `None` if their end is not
    /// seen, or the machine has no quick way.
    fn decimal(self, bytes: &[u8; SIZE]) -> Option<Decimal>;
}

/// What is compiled for a machine by itself. (A closure cannot be told that it has to be inlined.)
pub(super) trait Work {
    type Output;

    fn run(self) -> Self::Output;
}

/// Digits without a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// What they come to without the point.
    pub(super) mantissa: u64,
    pub(super) has_point: bool,
    /// How many come after the point.
    pub(super) fraction: usize,
    /// How many bytes it has, the point included.
    pub(super) end: usize,
}

/// Every machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Any;

impl Machine for Any {
    #[inline]
    fn run<W: Work>(self, work: W) -> W::Output {
        work.run()
    }

    #[inline]
    fn specials(self, window: &[u8; WINDOW]) -> u32 {
        match (window.first_chunk(), window.last_chunk()) {
            (Some(first), Some(last)) => {
                u32::from(Block::new(first).specials()) | u32::from(Block::new(last).specials()) << SIZE
            }
            _ => 0, // not reached: the window is twice as long
        }
    }

    #[inline]
    fn differences(self, left: &[u8; WINDOW], right: &[u8; WINDOW]) -> u32 {
        let blocks = |of: &[u8; WINDOW]| Some([*of.first_chunk()?, *of.last_chunk()?]);
        match (blocks(left), blocks(right)) {
            (Some([a, b]), Some([c, d])) => {
                let bits = |left, right| u32::from(Block::new(left).differences(Block::new(right)));
                bits(&a, &c) | bits(&b, &d) << SIZE
            }
            _ => 0, // not reached: a window is two blocks
        }
    }

    #[inline]
    fn decimal(self, _: &[u8; SIZE]) -> Option<Decimal> {
        None
    }
}

/// Machines that are none of those with more.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub(super) enum Wide {}

#[cfg(not(target_arch = "x86_64"))]
impl Wide {
    pub(super) fn detect() -> Option<Self> {
        None
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Machine for Wide {
    fn run<W: Work>(self, _: W) -> W::Output {
        match self {}
    }

    fn specials(self, _: &[u8; WINDOW]) -> u32 {
        match self {}
    }

    fn differences(self, _: &[u8; WINDOW], _: &[u8; WINDOW]) -> u32 {
        match self {}
    }

    fn decimal(self, _: &[u8; SIZE]) -> Option<Decimal> {
        match self {}
    }
}

/// How many bytes a [`Machine`] looks at together.
pub(super) const WINDOW: usize = 32;

/// A text of which windows of bytes are asked for.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    text: &'t str,
    /// Behind the last place from which a whole window can be read.
    windows: usize,
}

#[allow(clippy::inline_always)] // see `Machine`
impl<'t> Text<'t> {
    #[inline(always)]
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, windows: (text.len() + 1).saturating_sub(WINDOW) }
    }

    #[inline(always)]
    pub(super) fn as_str(self) -> &'t str {
        self.text
    }

    #[inline(always)]
    pub(super) fn as_bytes(self) -> &'t [u8] {
        self.text.as_bytes()
    }

    #[inline(always)]
    pub(super) fn byte(self, i: usize) -> Option<u8> {
        self.as_bytes().get(i).copied()
    }

    /// So many bytes from `i` on, at most [`WINDOW`]. None are told where less than that are left.
    ///
    /// Whatever is read, one comparison says that it is there; a slice of a slice takes three.
    #[inline(always)]
    pub(super) fn window<const LENGTH: usize>(self, i: usize) -> Option<&'t [u8; LENGTH]> {
        const { assert!(LENGTH <= WINDOW) };
        if i >= self.windows {
            return None;
        }
        // SAFETY: `i` lies so far before the end of the text that `WINDOW` bytes follow, and arrays of bytes want no
        // alignment.
        Some(unsafe { &*self.text.as_ptr().add(i).cast() })
    }
}

/// The first special byte from `i` on: a quote, a backslash or a line feed. Not told at the end of the text.
#[allow(clippy::inline_always)] // see `Machine`
#[inline(always)]
pub(super) fn special(machine: impl Machine, text: Text<'_>, mut i: usize) -> Option<usize> {
    loop {
        let bits = machine.specials(text.window(i)?);
        if bits != 0 {
            return Some(i + bits.trailing_zeros() as usize);
        }
        i += WINDOW;
    }
}

/// The first byte from `i` on that is none of `A-Za-z0-9_:`.
#[inline]
pub(super) fn other_than_name(bytes: &[u8], mut i: usize) -> Option<usize> {
    while let Some(chunk) = chunk(bytes, i) {
        if let Some(at) = Block::new(chunk).other_than_name() {
            return Some(i + at);
        }
        i += SIZE;
    }
    let rest = bytes.get(i..)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    rest.iter().position(|byte| !is_name(byte)).map(|at| i + at)
}

/// How many bytes from the two places on are the same in both; those beyond `enough` may be left out of it. Not told at
/// the end of the text.
#[allow(clippy::inline_always)] // see `Machine`
#[inline(always)]
pub(super) fn common(
    machine: impl Machine,
    text: Text<'_>,
    (left, right): (usize, usize),
    enough: usize,
) -> Option<usize> {
    let mut done = 0;
    while done < enough {
        let bits = machine.differences(text.window(left + done)?, text.window(right + done)?);
        if bits != 0 {
            return Some(done + bits.trailing_zeros() as usize);
        }
        done += WINDOW;
    }
    Some(done)
}

/// Whether both windows begin with the same bytes, so many of them, which have to be fewer than there are.
#[allow(clippy::inline_always)] // see `Machine`
#[inline(always)]
pub(super) fn begin_alike(
    machine: impl Machine,
    left: &[u8; WINDOW],
    right: &[u8; WINDOW],
    length: usize,
) -> bool {
    length < WINDOW && machine.differences(left, right) & ((1 << length) - 1) == 0
}

/// How many bytes are looked at together.
pub(super) const SIZE: usize = 16;

#[inline]
fn chunk(bytes: &[u8], i: usize) -> Option<&[u8; SIZE]> {
    bytes.get(i..)?.first_chunk()
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    use super::SIZE;

    /// Sixteen bytes of a text. Its questions are about the first byte of a kind.
    #[derive(Clone, Copy)]
    pub(super) struct Block(__m128i);

    impl Block {
        #[inline]
        pub(super) fn new(bytes: &[u8; SIZE]) -> Self {
            // SAFETY: the reference vouches for the sixteen bytes that are read, and the load wants no alignment. SSE2
            // is part of x86-64.
            Self(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
        }

        #[inline]
        pub(super) fn specials(self) -> u16 {
            self.is(b'"').or(self.is(b'\\')).or(self.is(b'\n')).bits() as u16
        }

        #[inline]
        pub(super) fn other_than_name(self) -> Option<usize> {
            // The colon comes after the digits. A letter with this bit set is the small one.
            let small = self.or(Self::all(0x20));
            let is_name = small.is_from(b'a', b'z').or(self.is_from(b'0', b':')).or(self.is(b'_'));
            first(is_name.bits() ^ 0xffff)
        }

        #[inline]
        pub(super) fn differences(self, other: Self) -> u16 {
            !self.equals(other).bits() as u16
        }

        #[inline]
        fn all(byte: u8) -> Self {
            // SAFETY: SSE2 is part of x86-64; nothing but registers is touched, here and below.
            Self(unsafe { _mm_set1_epi8(byte as i8) })
        }

        #[inline]
        fn or(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm_or_si128(self.0, other.0) })
        }

        /// All bits set in each byte that is the same in both.
        #[inline]
        fn equals(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm_cmpeq_epi8(self.0, other.0) })
        }

        #[inline]
        fn is(self, byte: u8) -> Self {
            self.equals(Self::all(byte))
        }

        /// All bits set in each byte between the two, these included.
        #[inline]
        fn is_from(self, low: u8, high: u8) -> Self {
            // SAFETY: as above.
            let above = Self(unsafe { _mm_sub_epi8(self.0, Self::all(low).0) });
            // SAFETY: as above.
            let at_most = Self(unsafe { _mm_min_epu8(above.0, Self::all(high - low).0) });
            at_most.equals(above)
        }

        /// A bit of each byte, the first lowest.
        #[inline]
        fn bits(self) -> u32 {
            // SAFETY: as above.
            unsafe { _mm_movemask_epi8(self.0) as u32 }
        }
    }

    #[inline]
    fn first(bits: u32) -> Option<usize> {
        (bits != 0).then(|| bits.trailing_zeros() as usize)
    }
}

/// The same for machines without those instructions, eight bytes at a time.
#[cfg(any(not(target_arch = "x86_64"), test))]
#[cfg_attr(target_arch = "x86_64", allow(dead_code))]
mod plain {
    use super::SIZE;

    #[derive(Clone, Copy)]
    pub(super) struct Block([u8; SIZE]);

    impl Block {
        #[inline]
        pub(super) fn new(bytes: &[u8; SIZE]) -> Self {
            Self(*bytes)
        }

        #[inline]
        pub(super) fn specials(self) -> u16 {
            const ONES: u64 = 0x7f7f_7f7f_7f7f_7f7f;
            let zeros = |word: u64| !(((word & ONES) + ONES) | word | ONES);
            let is = |word: u64, byte: u8| zeros(word ^ (0x0101_0101_0101_0101 * u64::from(byte)));
            // The highest bit of each byte that is special; a multiplication brings them together.
            let bits = |word: u64| {
                let marks = is(word, b'"') | is(word, b'\\') | is(word, b'\n');
                ((marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u16
            };
            let both = u128::from_le_bytes(self.0);
            bits(both as u64) | bits((both >> 64) as u64) << 8
        }

        #[inline]
        pub(super) fn other_than_name(self) -> Option<usize> {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
            self.0.iter().position(|byte| !is_name(*byte))
        }

        #[inline]
        pub(super) fn differences(self, other: Self) -> u16 {
            let bits = self.0.iter().zip(other.0).rev();
            bits.fold(0, |bits, (left, right)| bits << 1 | u16::from(*left != right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    /// A text in which the bytes looked for are common, of at least the length given, and enough behind it that all of
    /// that is told.
    fn of(picks: &[u8]) -> String {
        let alphabet: Vec<_> = "abzABZ019_:@[`{/;\"\\\n =\u{80}\u{7ff}\0".chars().collect();
        let picked = picks.iter().map(|pick| alphabet.get(usize::from(*pick)).copied().unwrap_or('a'));
        picked.chain(std::iter::repeat_n('"', 2 * WINDOW)).collect()
    }

    fn on_both<R: PartialEq + std::fmt::Debug>(any: R, wide: impl FnOnce(Wide) -> R) -> R {
        if let Some(machine) = Wide::detect() {
            assert_eq!(any, wide(machine));
        }
        any
    }

    fn is_special(byte: u8) -> bool {
        matches!(byte, b'"' | b'\\' | b'\n')
    }

    fn is_name(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')
    }

    quickcheck! {
        fn found_as_by_a_loop(picks: Vec<u8>, from: usize) -> bool {
            let text = of(&picks);
            let bytes = text.as_bytes();
            let from = from % (bytes.len() + 2);
            let expected = |is: fn(u8) -> bool| (from..bytes.len()).find(|at| bytes.get(*at).is_some_and(|b| is(*b)));
            let found = on_both(special(Any, Text::new(&text), from), |wide| special(wide, Text::new(&text), from));
            let is_told = from + WINDOW <= bytes.len();
            found == expected(is_special).filter(|_| is_told)
                && other_than_name(bytes, from) == expected(|byte| !is_name(byte))
        }

        fn common_as_by_a_loop(picks: Vec<u8>, change: Option<usize>) -> bool {
            let left = of(&picks);
            let mut right = left.clone();
            if let Some((at, c)) = change.and_then(|at| left.char_indices().nth(at % left.len())) {
                let end = at + c.len_utf8();
                right.replace_range(at..end, "x");
            }
            let both = [&*left, &*right].concat();
            let pairs = left.bytes().zip(right.bytes());
            let expected = pairs.take_while(|(a, b)| a == b).count();
            let (text, places) = (Text::new(&both), (0, left.len()));
            let enough = left.len() - WINDOW;
            let found = on_both(common(Any, text, places, enough), |wide| common(wide, text, places, enough));
            found == Some(expected) || expected >= enough && found.is_some_and(|found| found >= enough)
        }

        fn names_begin_alike_or_not(picks: Vec<u8>, length: usize) -> bool {
            let (left, right) = (of(&picks), of(picks.get(1..).unwrap_or_default()));
            let window = |of: &str| *Text::new(of).window::<WINDOW>(0).unwrap_or(&[0; WINDOW]);
            let (a, b, length) = (window(&left), window(&right), length % (WINDOW + 3));
            let alike = on_both(begin_alike(Any, &a, &b, length), |wide| begin_alike(wide, &a, &b, length));
            alike == (length < WINDOW && a.get(..length) == b.get(..length))
        }
    }

    #[test]
    fn every_byte_at_every_place_of_a_block_on_both_machines() {
        for at in 0..SIZE {
            for byte in 0..=u8::MAX {
                let mut bytes = [b'a'; SIZE];
                bytes[at] = byte;
                let block = machine::Block::new(&bytes);
                let twin = plain::Block::new(&bytes);
                let found = (block.specials(), block.other_than_name());
                assert_eq!(
                    found,
                    (u16::from(is_special(byte)) << at, (!is_name(byte)).then_some(at)),
                    "{byte}"
                );
                assert_eq!(found, (twin.specials(), twin.other_than_name()), "{byte}");
                let differs = u16::from(byte != b'a') << at;
                assert_eq!(block.differences(machine::Block::new(&[b'a'; SIZE])), differs, "{byte}");
                assert_eq!(twin.differences(plain::Block::new(&[b'a'; SIZE])), differs, "{byte}");
            }
        }
    }
}
