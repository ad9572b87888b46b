//! A hash table that readers read without a lock, and segments whose elements never move.

use super::sync::{AtomicU32, AtomicU64, Ordering};

use crate::sync::OnceLock;

/// Hash bits and places, in open addressing.
///
/// Readers probe without a lock while a writer, alone under the family's lock, inserts, removes or moves
/// slots about. So a reader may miss what is there, and may find a place that is not, or no longer, his. Both are
/// harmless: what is found is compared with the whole key, and who found nothing looks again under the lock.
pub(crate) struct Table {
    /// Tables of 16, 32, 64, ... slots; smaller ones stay for readers that are still in them.
    sizes: [OnceLock<Box<[AtomicU64]>>; SIZES],
    /// The one in use.
    current: AtomicU32,
}

/// The largest table has 2^(4+SIZES-1) slots.
const SIZES: usize = 26;
const SMALLEST: usize = 16;

/// Slots are full to at most 3/4, so a probe ends.
const fn is_full(len: usize, slots: usize) -> bool {
    len >= slots / 4 * 3
}

/// A slot: the hash's upper half and the place plus one; zero is an empty slot.
const fn slot(hash: u64, place: u32) -> u64 {
    hash & !0xffff_ffff | (place as u64 + 1)
}
const fn place(slot: u64) -> u32 {
    slot as u32 - 1
}
/// Where a slot belongs, before it has to make way.
const fn home(slot_or_hash: u64, mask: usize) -> usize {
    (slot_or_hash >> 32) as usize & mask
}

impl Table {
    pub(crate) fn new() -> Self {
        let table = Self { sizes: [const { OnceLock::new() }; SIZES], current: AtomicU32::new(0) };
        table.size(0);
        table
    }

    fn size(&self, size: usize) -> &[AtomicU64] {
        let size = size.min(SIZES - 1);
        self.sizes[size].get_or_init(|| (0..SMALLEST << size).map(|_| AtomicU64::new(0)).collect())
    }

    #[inline(always)]
    fn slots(&self) -> &[AtomicU64] {
        let current = self.current.load(Ordering::Acquire) as usize;
        self.sizes.get(current).and_then(OnceLock::get).map_or(&[], |slots| slots)
    }

    /// The first place with this hash that `is_it` accepts.
    #[inline(always)]
    pub(crate) fn find<T>(&self, hash: u64, mut is_it: impl FnMut(u32) -> Option<T>) -> Option<T> {
        let slots = self.slots();
        let mask = slots.len().wrapping_sub(1);
        // Not endless even if a writer moves slots before us all the time.
        for at in (home(hash, mask)..).take(slots.len()) {
            let found = slots.get(at & mask)?.load(Ordering::Acquire);
            if found == 0 {
                return None;
            }
            if (found ^ hash) >> 32 == 0 {
                if let Some(it) = is_it(place(found)) {
                    return Some(it);
                }
            }
        }
        None
    }

    /// Adds a place; `len` are there already. Under the family's lock. `false` if there is no room at all.
    pub(crate) fn insert(&self, hash: u64, place: u32, len: usize) -> bool {
        let mut slots = self.slots();
        if is_full(len, slots.len()) {
            let next = self.current.load(Ordering::Relaxed) as usize + 1;
            if next == SIZES {
                return false;
            }
            let larger = self.size(next);
            for old in slots.iter().map(|s| s.load(Ordering::Relaxed)).filter(|&s| s != 0) {
                put(larger, old);
            }
            self.current.store(next as u32, Ordering::Release);
            slots = larger;
        }
        put(slots, slot(hash, place));
        true
    }

    /// Takes a place out, and closes the gap so that probes still find what stood behind it. Under the family's lock.
    pub(crate) fn remove(&self, hash: u64, place: u32) {
        let slots = self.slots();
        let mask = slots.len().wrapping_sub(1);
        let wanted = slot(hash, place);
        let mut gap = home(hash, mask);
        loop {
            match slots[gap].load(Ordering::Relaxed) {
                0 => return,
                found if found == wanted => break,
                _ => gap = (gap + 1) & mask,
            }
        }
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let next = slots[at].load(Ordering::Relaxed);
            if next == 0 {
                break;
            }
            // It may move into the gap unless its home lies behind the gap.
            let distance = at.wrapping_sub(home(next, mask)) & mask;
            if distance >= at.wrapping_sub(gap) & mask {
                slots[gap].store(next, Ordering::Release);
                gap = at;
            }
        }
        slots[gap].store(0, Ordering::Release);
    }
}

fn put(slots: &[AtomicU64], new: u64) {
    let mask = slots.len().wrapping_sub(1);
    let mut at = home(new, mask);
    while slots[at].load(Ordering::Relaxed) != 0 {
        at = (at + 1) & mask;
    }
    slots[at].store(new, Ordering::Release);
}

/// A growing array whose elements never move, so that readers need no lock: segments, each a quarter of the
/// power of two it lies in, so that at most a fifth is unused.
pub(crate) struct Segments<T, const N: usize = SEGMENTS>([OnceLock<T>; N]);

/// The first segments have this many elements.
const FIRST: usize = 4;
const SEGMENTS: usize = 4 * 24; // 2^28 elements

impl<T, const N: usize> Default for Segments<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Segments<T, N> {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; N])
    }

    /// The segment of an element and where in it the element is.
    #[inline(always)]
    fn locate(at: usize) -> (usize, usize) {
        // Segment sizes are 4, 4, 4, 4, then 4 each of 4, 8, 16, ...: with 16 added, the highest bit is the group
        // and the next two bits are the segment in it.
        let shifted = at + 4 * FIRST;
        let group = (shifted.ilog2() - 4) as usize;
        let within = group + 2; // bits of the place in the segment
        (group * 4 + ((shifted >> within) & 3), shifted & ((1 << within) - 1))
    }

    /// The segments that were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(OnceLock::get)
    }

    /// Where in its segment an element is.
    pub(crate) fn within(at: u32) -> usize {
        Self::locate(at as usize).1
    }

    /// How many elements segment `segment` has.
    fn len_of(segment: usize) -> usize {
        FIRST << (segment / 4)
    }

    /// The segment of an element, if it was made, and the place in it.
    #[inline(always)]
    pub(crate) fn get(&self, at: u32) -> Option<(&T, usize)> {
        let (segment, within) = Self::locate(at as usize);
        Some((self.0.get(segment)?.get()?, within))
    }

    /// The same, making the segment with `make(length)` where it is missing; `None` beyond the last.
    pub(crate) fn get_or_make(&self, at: u32, make: impl FnOnce(usize) -> T) -> Option<(&T, usize)> {
        let (segment, within) = Self::locate(at as usize);
        Some((self.0.get(segment)?.get_or_init(|| make(Self::len_of(segment))), within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::HashMap;

    #[test]
    fn segments_follow_each_other() {
        let mut expected = (0, 0);
        for at in 0..100_000 {
            let (segment, within) = Segments::<()>::locate(at);
            if within == 0 && at > 0 {
                assert_eq!(expected.1, Segments::<()>::len_of(expected.0), "segment {} is full", expected.0);
                expected = (expected.0 + 1, 0);
            }
            assert_eq!((segment, within), expected, "{at}");
            expected.1 += 1;
        }
        assert!(Segments::<()>::locate(u32::MAX as usize).0 >= SEGMENTS, "beyond the last is no segment");
    }

    quickcheck! {
        /// Few hashes, so that slots collide, wrap around and make way for each other.
        fn it_is_a_map(steps: Vec<(u8, bool)>) -> bool {
            let table = Table::new();
            let mut model: HashMap<u8, u32> = HashMap::new();
            let hash = |key: u8| u64::from(key % 40) << 32;
            for (n, (key, insert)) in steps.into_iter().enumerate() {
                if insert {
                    if model.contains_key(&key) { continue; }
                    table.insert(hash(key), n as u32, model.len());
                    model.insert(key, n as u32);
                } else if let Some(place) = model.remove(&key) {
                    table.remove(hash(key), place);
                }
                let found = |(&key, &place): (&u8, &u32)| {
                    table.find(hash(key), |p| (p == place).then_some(())).is_some()
                };
                if !model.iter().all(found) { return false; }
            }
            (0..=255).all(|key| model.contains_key(&key)
                || table.find(hash(key), |p| (!model.values().any(|&v| v == p)).then_some(())).is_none())
        }
    }
}
