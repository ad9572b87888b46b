//! What machines with AVX2 do at once: 64 bytes are looked at in two steps, and a number is read as a whole.

use std::arch::x86_64::{
    _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16,
    _mm_maddubs_epi16, _mm_min_epu8, _mm_movemask_epi8, _mm_packus_epi32, _mm_set1_epi8, _mm_setr_epi8,
    _mm_setr_epi16, _mm_shuffle_epi8, _mm_sub_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
};

use super::{Decimal, Machine, SIZE, WINDOW, Work};

/// A machine that was found to have AVX2, BMI 1 and 2; there is no other way to one of these, so who has it may use them.
///
/// Instructions of theirs are put into their callers only where these are compiled for such a machine as well. So
/// whatever is handed to [`Machine::run`] has to be inlined as a whole, or is slow, though right.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Wide(());

impl Wide {
    pub(in super::super) fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        has_all.then_some(Self(()))
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
unsafe fn run<W: Work>(work: W) -> W::Output {
    work.run()
}

#[allow(clippy::inline_always)] // see `Wide`
impl Machine for Wide {
    #[inline(always)]
    fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: the machine has what this is compiled for.
        unsafe { run(work) }
    }

    #[inline(always)]
    fn specials(self, window: &[u8; WINDOW]) -> u32 {
        // SAFETY: the reference vouches for the 32 bytes that are read, and the load wants no alignment; the machine has
        // AVX2.
        unsafe {
            let bytes = _mm256_loadu_si256(window.as_ptr().cast());
            let quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'"' as i8));
            let backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
            let line_feeds = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\n' as i8));
            let any = _mm256_or_si256(_mm256_or_si256(quotes, backslashes), line_feeds);
            _mm256_movemask_epi8(any) as u32
        }
    }

    #[inline(always)]
    fn differences(self, left: &[u8; WINDOW], right: &[u8; WINDOW]) -> u32 {
        // SAFETY: as above.
        unsafe {
            let left = _mm256_loadu_si256(left.as_ptr().cast());
            let right = _mm256_loadu_si256(right.as_ptr().cast());
            !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(left, right)) as u32)
        }
    }

    #[inline(always)]
    fn decimal(self, bytes: &[u8; SIZE]) -> Option<Decimal> {
        // SAFETY: the reference vouches for the sixteen bytes, and the load wants no alignment; all else touches nothing
        // but registers, and the machine has SSSE3 and SSE4.1, which AVX2 comes after.
        unsafe {
            let text = _mm_loadu_si128(bytes.as_ptr().cast());
            let digits = _mm_sub_epi8(text, _mm_set1_epi8(b'0' as i8));
            let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
            let others = !(_mm_movemask_epi8(is_digit) as u32) & 0xffff;
            // Of a number as long as this the end is not seen.
            let first = others.trailing_zeros();
            let has_point = *bytes.get(first as usize)? == b'.';
            let end = if has_point { (others & (others - 1)).trailing_zeros() } else { first };
            if end >= SIZE as u32 {
                return None;
            }
            // Each digit goes so far to the right that the last one is in the last place; those before the point go one
            // further. What comes from before the first one is zero.
            let places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let from = _mm_add_epi8(places, _mm_set1_epi8(end as i8 - SIZE as i8));
            let split = if has_point { first as i8 } else { -1 };
            let is_after = _mm_cmpgt_epi8(from, _mm_set1_epi8(split));
            let from = _mm_sub_epi8(_mm_sub_epi8(from, _mm_set1_epi8(1)), is_after);
            let digits = _mm_shuffle_epi8(digits, from);
            // Neighbours are brought together: two digits, four, eight.
            let tens = _mm_setr_epi8(10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1);
            let hundreds = _mm_setr_epi16(100, 1, 100, 1, 100, 1, 100, 1);
            let ten_thousands = _mm_setr_epi16(10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1);
            let fours = _mm_madd_epi16(_mm_maddubs_epi16(digits, tens), hundreds);
            let eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), ten_thousands);
            let both = _mm_cvtsi128_si64(eights) as u64;
            let mantissa = (both & 0xffff_ffff) * 100_000_000 + (both >> 32);
            let (point, end) = (first as usize, end as usize);
            let fraction = if has_point { end - point - 1 } else { 0 };
            Some(Decimal { mantissa, has_point, fraction, end })
        }
    }
}
