//! Looking for bytes sixteen at a time.
//!
//! What is looked for is told by plain functions on slices, which give what a loop over the bytes would give. Every
//! x86-64 machine has the instructions that are used here (SSE2), so nothing has to be detected; other machines look at
//! eight bytes at a time, or one. The tests compare both with a loop.
//!
//! This module is allowed `unsafe`, for one thing only: those instructions, on sixteen bytes that a reference vouches
//! for. No pointer leaves it and none is computed.
#![allow(unsafe_code)]

use machine::Block;
#[cfg(not(target_arch = "x86_64"))]
use plain as machine;

/// Where the special bytes of a text are: quotes, backslashes and line feeds. They are found 64 bytes at a time, and each
/// byte is looked at about once, however short the strings and lines are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Specials {
    /// Where the 64 bytes begin that were looked at last, and a bit for each of them that is special.
    start: usize,
    bits: u64,
}

/// How many bytes [`Specials`] looks at together.
const WINDOW: usize = 64;

impl Specials {
    /// The first special byte from `i` on. The text has to be the same in every call.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8], i: usize) -> Option<usize> {
        let from = i.wrapping_sub(self.start);
        if from < WINDOW {
            let bits = self.bits >> from;
            if bits != 0 {
                return Some(i + bits.trailing_zeros() as usize);
            }
        }
        self.look(bytes, i)
    }

    /// The same in the windows that follow.
    #[inline(never)]
    fn look(&mut self, bytes: &[u8], mut i: usize) -> Option<usize> {
        let from = i.wrapping_sub(self.start);
        if from < WINDOW && self.bits != 0 {
            i = self.start + WINDOW; // there are none before
        }
        loop {
            let rest = bytes.get(i..).filter(|rest| !rest.is_empty())?;
            self.start = i;
            self.bits = match rest.first_chunk() {
                Some(window) => specials(window),
                None => last_specials(rest),
            };
            if self.bits != 0 {
                return Some(i + self.bits.trailing_zeros() as usize);
            }
            i += WINDOW;
        }
    }
}

/// The special bytes of what is left at the end of a text.
#[cold]
fn last_specials(rest: &[u8]) -> u64 {
    let mut window = [0; WINDOW];
    window.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    specials(&window)
}

/// A bit for each special byte, the first byte's lowest.
#[inline]
fn specials(window: &[u8; WINDOW]) -> u64 {
    let blocks = window.chunks_exact(SIZE).filter_map(|block| block.first_chunk());
    let bits = |block| u64::from(Block::new(block).specials());
    blocks.zip([0, 16, 32, 48]).fold(0, |all, (block, shift)| all | bits(block) << shift)
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

/// How many bytes two slices have in common at their beginnings.
#[inline]
pub(super) fn common(left: &[u8], right: &[u8]) -> usize {
    let mut i = 0;
    while let (Some(a), Some(b)) = (chunk(left, i), chunk(right, i)) {
        if let Some(at) = Block::new(a).difference(Block::new(b)) {
            return i + at;
        }
        i += SIZE;
    }
    let rest = left.iter().zip(right).skip(i);
    i + rest.take_while(|(a, b)| a == b).count()
}

/// Whether as many bytes from `left` on are those from `right` on.
#[inline]
pub(super) fn same(bytes: &[u8], mut left: usize, mut right: usize, mut length: usize) -> bool {
    while let (Some(a), Some(b)) = (chunk(bytes, left), chunk(bytes, right)) {
        let same = Block::new(a).difference(Block::new(b)).unwrap_or(SIZE);
        if length <= SIZE || same < SIZE {
            return same >= length;
        }
        (left, right, length) = (left + SIZE, right + SIZE, length - SIZE);
    }
    match (bytes.get(left..left + length), bytes.get(right..right + length)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

/// Whether `length` bytes from `i` on, at most sixteen, are those at the beginning of a block. Not told at the end of
/// the text.
#[inline]
pub(super) fn begins(bytes: &[u8], i: usize, block: &[u8; SIZE], length: usize) -> bool {
    chunk(bytes, i)
        .is_some_and(|chunk| Block::new(chunk).difference(Block::new(block)).unwrap_or(SIZE) >= length)
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
        pub(super) fn difference(self, other: Self) -> Option<usize> {
            first(self.equals(other).bits() ^ 0xffff)
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
        pub(super) fn difference(self, other: Self) -> Option<usize> {
            let [left, right] = [self, other].map(|block| u128::from_le_bytes(block.0));
            let differ = left ^ right;
            (differ != 0).then(|| (differ.trailing_zeros() / 8) as usize)
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    /// Bytes among which those looked for are common, at the length given.
    fn of(picks: &[u8]) -> Vec<u8> {
        let alphabet = b"abzABZ019_:@[`{/;\"\\\n =\x80\xff\0";
        picks.iter().map(|pick| alphabet.get(usize::from(*pick)).copied().unwrap_or(b'a')).collect()
    }

    fn is_special(byte: u8) -> bool {
        matches!(byte, b'"' | b'\\' | b'\n')
    }

    fn is_name(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')
    }

    quickcheck! {
        fn found_as_by_a_loop(picks: Vec<u8>, from: usize) -> bool {
            let bytes = of(&picks);
            let from = from % (bytes.len() + 2);
            let expected = |is: fn(u8) -> bool| (from..bytes.len()).find(|at| bytes.get(*at).is_some_and(|b| is(*b)));
            let mut specials = Specials::default();
            let mut found = vec![];
            while let Some(at) = specials.next(&bytes, found.last().map_or(0, |at| at + 1)) {
                found.push(at);
            }
            let all: Vec<_> = (0..bytes.len()).filter(|at| is_special(bytes[*at])).collect();
            found == all
                && specials.next(&bytes, from) == expected(is_special)
                && other_than_name(&bytes, from) == expected(|byte| !is_name(byte))
        }

        fn common_as_by_a_loop(picks: Vec<u8>, change: Option<usize>, cut: usize) -> bool {
            let left = of(&picks);
            let mut right = left.clone();
            if let Some(byte) = change.and_then(|at| right.get_mut(at % left.len().max(1))) {
                *byte = byte.wrapping_add(1);
            }
            let both = [left.as_slice(), &right, b"a"].concat();
            let agrees = same(&both, 0, left.len(), left.len()) == (left == right)
                && !same(&both, 0, left.len(), left.len() + 2);
            right.truncate(cut % (right.len() + 1));
            agrees && common(&left, &right) == left.iter().zip(&right).take_while(|(a, b)| a == b).count()
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
                let differs = (byte != b'a').then_some(at);
                assert_eq!(block.difference(machine::Block::new(&[b'a'; SIZE])), differs, "{byte}");
                assert_eq!(twin.difference(plain::Block::new(&[b'a'; SIZE])), differs, "{byte}");
            }
        }
    }
}
