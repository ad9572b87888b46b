//! The native buckets of one part of a histogram.

use super::lines::Lines;
use super::sync::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use crate::model::{FINEST_RAISE, Schema, finest_index, merged_bucket, raised_finest_index};
use crate::sync::OnceLock;

/// Counts by bucket, of one writer at a time.
///
/// Most buckets are above zero and lie close together: these are in a [`Window`], and counting is an addition in an array.
/// The others are [`Far`]. Each bucket is in one place; where that is changes when there is a new bucket that the window does
/// not reach. Others may read at any time, and then have to find out whether the writer came in between.
pub(crate) struct Buckets {
    near: Window,
    far: OnceLock<Box<Far>>,
    /// How many buckets there are.
    len: AtomicU32,
}

/// Whether below zero, index, count.
pub(crate) type Bucket = (bool, i32, u64);

/// More buckets than this are never kept, whatever the limit: half of the last table of those far away.
pub(crate) const BUCKETS_MAX: u32 = (SMALLEST << (TABLES - 1)) as u32 / 2 - 16;

/// Adds to a cell that nobody else writes.
#[inline]
pub(crate) fn add(cell: &AtomicU64, by: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// Sorts buckets, and makes one of those that are the same.
pub(crate) fn add_up(buckets: &mut Vec<Bucket>) {
    buckets.sort_unstable_by_key(|&(is_negative, index, _)| (is_negative, index));
    buckets.dedup_by(|next, kept| {
        let same = (next.0, next.1) == (kept.0, kept.1);
        if same {
            kept.2 += next.2;
        }
        same
    });
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self { near: Window::new(), far: OnceLock::new(), len: AtomicU32::new(0) }
    }

    /// The count of the bucket that a value belongs to, if there is no doubt about it: it is near and has counted before.
    #[inline(always)]
    pub(crate) fn plain(&self, value: f64) -> Option<&AtomicU64> {
        self.near.plain(value.to_bits()).filter(|count| count.load(Ordering::Relaxed) != 0)
    }

    /// Adds to a bucket wherever it is.
    pub(crate) fn add(&self, is_negative: bool, index: i32, count: u64) {
        let near = self.near.cell(is_negative, index);
        let known = near.filter(|cell| cell.load(Ordering::Relaxed) != 0);
        if let Some(cell) = known.or_else(|| self.far.get()?.find(is_negative, index)) {
            add(cell, count);
            return;
        }
        self.len.store(self.len() + 1, Ordering::Relaxed);
        if let Some(cell) = near {
            cell.store(count, Ordering::Relaxed);
            return;
        }
        // Not each time, as this takes longer the more buckets there are.
        if (self.far.get().map_or(0, |far| far.len()) + 1).is_power_of_two() {
            let mut all = Vec::new();
            self.read(&mut all);
            all.push((is_negative, index, count));
            add_up(&mut all);
            self.place(&all);
        } else {
            self.far.get_or_init(Box::default).insert(is_negative, index, count);
        }
    }

    /// These buckets, [added up](add_up), in place of those that are there; from now on at this schema. What is not above
    /// `threshold` belongs to none. If they are more than there may be, there is doubt about every value.
    pub(crate) fn lay_out(&self, all: &[Bucket], schema: Schema, threshold: f64, max: u32) {
        let halvings = (Schema::MAX.number() - schema.number()) as u32;
        self.near.conform(halvings, schema.index_of(threshold.max(f64::MIN_POSITIVE)) + 1);
        self.place(all);
        if self.len() > max {
            self.near.close();
        }
    }

    fn place(&self, all: &[Bucket]) {
        self.near.clear();
        self.far.get().into_iter().for_each(|far| far.clear());
        self.len.store(all.len() as u32, Ordering::Relaxed);
        let above = all.partition_point(|&(is_negative, ..)| !is_negative);
        self.near.place(all.get(..above).unwrap_or_default());
        for &(is_negative, index, count) in all {
            match self.near.cell(is_negative, index) {
                Some(cell) => cell.store(count, Ordering::Relaxed),
                None => self.far.get_or_init(Box::default).insert(is_negative, index, count),
            }
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len.load(Ordering::Relaxed)
    }

    /// Replaces what is in `to` by all buckets, in no order.
    pub(crate) fn read(&self, to: &mut Vec<Bucket>) {
        to.clear();
        to.extend(self.near.counts().map(|(index, count)| (false, index, count)));
        to.extend(self.far.get().into_iter().flat_map(|far| far.counts()));
    }
}

/// An array of neighbouring buckets above zero.
///
/// It reaches only buckets of which no value is in doubt: above the zero bucket and subnormal numbers, and below the last
/// one, since infinity has the bits of a number in it. So what an index is computed from need not be looked at.
struct Window {
    /// What takes the [`raised_finest_index`] to the place in the array, see [`Window::plain`].
    offset: AtomicI64,
    halvings: AtomicU32,
    /// Which of `sizes` is in use.
    size: AtomicU32,
    sizes: [OnceLock<Lines<AtomicU64>>; SIZES.len()],
    /// The index of the first one.
    first: AtomicU32,
    /// The least index that it may reach.
    least: AtomicU32,
}

/// How many buckets a window has, and how many have to be in use for that, so that few that are far apart take little memory.
const SIZES: [(u32, usize); 4] = [(SMALLEST_WINDOW, 0), (256, 0), (2048, 32), (16_384, 512)];
/// The models read every cell in every order.
const SMALLEST_WINDOW: u32 = if cfg!(all(loom, test)) { 16 } else { 32 };

/// An offset that leads nowhere.
const CLOSED: i64 = i64::MIN / 2;

impl Window {
    fn new() -> Self {
        Self {
            offset: AtomicI64::new(CLOSED),
            halvings: AtomicU32::new(0),
            size: AtomicU32::new(0),
            sizes: [const { OnceLock::new() }; SIZES.len()],
            first: AtomicU32::new(0),
            least: AtomicU32::new(0),
        }
    }

    #[inline(always)]
    fn cells(&self) -> Option<&Lines<AtomicU64>> {
        self.sizes[self.size.load(Ordering::Relaxed) as usize % SIZES.len()].get()
    }

    /// The cell of the value with these bits; zero if there is none. Negative, infinite and NaN are too high, zero and
    /// subnormal too low.
    #[inline(always)]
    fn plain(&self, bits: u64) -> Option<&AtomicU64> {
        let index = raised_finest_index(bits) + self.offset.load(Ordering::Relaxed);
        self.cells()?.get((index >> self.halvings.load(Ordering::Relaxed)) as usize)
    }

    fn cell(&self, is_negative: bool, index: i32) -> Option<&AtomicU64> {
        let at = index.checked_sub(self.first.load(Ordering::Relaxed) as i32)?;
        self.cells()?.iter().as_slice().get(usize::try_from(at).ok()?).filter(|_| !is_negative)
    }

    fn clear(&self) {
        for cell in self.cells().into_iter().flat_map(Lines::iter) {
            cell.store(0, Ordering::Relaxed);
        }
    }

    /// Index and count of each bucket that is in use.
    fn counts(&self) -> impl Iterator<Item = (i32, u64)> {
        let first = self.first.load(Ordering::Relaxed) as i32;
        let cells = self.cells().into_iter().flat_map(Lines::iter).zip(0..);
        cells
            .map(move |(cell, at)| (first.wrapping_add(at), cell.load(Ordering::Relaxed)))
            .filter(|&(_, count)| count != 0)
    }

    fn conform(&self, halvings: u32, least: i32) {
        self.halvings.store(halvings, Ordering::Relaxed);
        self.least.store(least as u32, Ordering::Relaxed);
    }

    fn close(&self) {
        self.offset.store(CLOSED, Ordering::Relaxed);
    }

    /// Goes where it has most of these buckets, sorted by index, in the smallest size that has as many. It is empty before
    /// and afterwards.
    fn place(&self, side: &[Bucket]) {
        let halvings = self.halvings.load(Ordering::Relaxed);
        let least = self.least.load(Ordering::Relaxed) as i32;
        let beyond = merged_bucket(finest_index(f64::MAX), halvings);
        let below = |limit: i32| side.partition_point(|&(_, index, _)| index < limit);
        let side = side.get(below(least)..below(beyond)).unwrap_or_default();
        let mut best: (&[Bucket], usize, i32) = (&[], 0, 0);
        for (size, &(cells, needed)) in SIZES.iter().enumerate() {
            let here = most_within(side, cells);
            if cells as i32 <= beyond - least && side.len() >= needed && here.len() > best.0.len() {
                best = (here, size, cells as i32);
            }
        }
        let (within, size, cells) = best;
        let (Some(&(_, lowest, _)), Some(&(_, highest, _))) = (within.first(), within.last()) else {
            self.first.store(i32::MAX as u32, Ordering::Relaxed);
            return self.close();
        };
        // As much room before them as behind.
        let first = (lowest - (cells - 1 - (highest - lowest)) / 2).clamp(least, beyond - cells);
        self.first.store(first as u32, Ordering::Relaxed);
        self.sizes[size].get_or_init(|| Lines::new(cells as usize, || AtomicU64::new(0)));
        self.size.store(size as u32, Ordering::Relaxed);
        // (raised + offset) >> halvings is merged_bucket(raised - FINEST_RAISE, halvings) - first.
        let offset = (1_i64 << halvings) - 1 - i64::from(FINEST_RAISE) - (i64::from(first) << halvings);
        self.offset.store(offset, Ordering::Relaxed);
    }
}

/// The most of these buckets, sorted by index, that so many neighbouring cells have room for.
fn most_within(side: &[Bucket], cells: u32) -> &[Bucket] {
    let (mut most, mut from) = (0..0, 0);
    for (to, &(_, last, _)) in side.iter().enumerate() {
        while side[from].1.abs_diff(last) >= cells {
            from += 1;
        }
        if to + 1 - from > most.len() {
            most = from..to + 1;
        }
    }
    &side[most]
}

/// Buckets in open addressing.
#[derive(Default)]
struct Far {
    /// Each is twice the one before.
    tables: [OnceLock<Box<[Place]>>; TABLES],
    /// The table in use, and how many buckets are in it.
    table: AtomicU32,
    len: AtomicU32,
}

/// A bucket and its count; the bucket is 0 while there is none.
#[derive(Default)]
struct Place(AtomicU64, AtomicU64);

const TABLES: usize = 11;
const SMALLEST: usize = 16;

const fn key_of(is_negative: bool, index: i32) -> u64 {
    1 << 33 | (is_negative as u64) << 32 | index as u32 as u64
}
const fn bucket_of(key: u64) -> (bool, i32) {
    (key >> 32 & 1 == 1, key as u32 as i32)
}

impl Far {
    fn len(&self) -> u32 {
        self.len.load(Ordering::Relaxed)
    }

    fn places(&self) -> &[Place] {
        self.tables
            .get(self.table.load(Ordering::Relaxed) as usize)
            .and_then(OnceLock::get)
            .map_or(&[], |t| t)
    }

    fn clear(&self) {
        self.len.store(0, Ordering::Relaxed);
        self.places().iter().for_each(|place| place.0.store(0, Ordering::Relaxed));
    }

    fn counts(&self) -> impl Iterator<Item = Bucket> {
        let places = self.places().iter().map(|Place(key, count)| {
            let (is_negative, index) = bucket_of(key.load(Ordering::Relaxed));
            (key, (is_negative, index, count.load(Ordering::Relaxed)))
        });
        places.filter(|(key, _)| key.load(Ordering::Relaxed) != 0).map(|(_, bucket)| bucket)
    }

    fn find(&self, is_negative: bool, index: i32) -> Option<&AtomicU64> {
        let Place(key, count) = probe(self.places(), key_of(is_negative, index))?;
        (key.load(Ordering::Relaxed) != 0).then_some(count)
    }

    /// Adds a bucket that is not there.
    fn insert(&self, is_negative: bool, index: i32, count: u64) {
        let (table, len) = (self.table.load(Ordering::Relaxed) as usize, self.len());
        let make = |table: usize| {
            &**self.tables[table].get_or_init(|| (0..SMALLEST << table).map(|_| Place::default()).collect())
        };
        let mut places = make(table);
        if len as usize * 2 >= places.len() && table + 1 < TABLES {
            let larger = make(table + 1);
            for Place(key, count) in places.iter().filter(|place| place.0.load(Ordering::Relaxed) != 0) {
                put(larger, key.load(Ordering::Relaxed), count.load(Ordering::Relaxed));
                key.store(0, Ordering::Relaxed);
            }
            self.table.store(table as u32 + 1, Ordering::Relaxed);
            places = larger;
        }
        put(places, key_of(is_negative, index), count);
        self.len.store(len + 1, Ordering::Relaxed);
    }
}

/// The place of a key, or the empty one that it would have; there always is one.
fn probe(places: &[Place], key: u64) -> Option<&Place> {
    let mask = places.len().wrapping_sub(1);
    let home = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize;
    (home..home + places.len())
        .filter_map(|at| places.get(at & mask))
        .find(|place| matches!(place.0.load(Ordering::Relaxed), found if found == 0 || found == key))
}

fn put(places: &[Place], key: u64, count: u64) {
    if let Some(place) = probe(places, key) {
        place.0.store(key, Ordering::Relaxed);
        place.1.store(count, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeMap;

    /// Values of each bucket of schema 8, and one of a bucket.
    fn value_of(is_negative: bool, index: i32) -> f64 {
        let bound = Schema::MAX.upper_bound(index);
        if is_negative { -bound } else { bound }
    }

    fn empty(schema: Schema, threshold: f64) -> Buckets {
        let buckets = Buckets::new();
        buckets.lay_out(&[], schema, threshold, BUCKETS_MAX);
        buckets
    }

    /// The simple twin: a map.
    fn agrees(schema: Schema, threshold: f64, values: impl IntoIterator<Item = f64>) -> bool {
        let buckets = empty(schema, threshold);
        let mut model = BTreeMap::new();
        for value in values {
            let known = value.abs() > threshold && !value.is_nan();
            let bucket = (value < 0.0, schema.index_of(value.abs()));
            match buckets.plain(value) {
                Some(cell) => add(cell, 1),
                None if known => buckets.add(bucket.0, bucket.1, 1),
                None => {}
            }
            if known {
                *model.entry(bucket).or_insert(0) += 1;
            }
        }
        let mut all = Vec::new();
        buckets.read(&mut all);
        add_up(&mut all);
        buckets.len() as usize == model.len()
            && all.into_iter().eq(model.into_iter().map(|((is_negative, index), n)| (is_negative, index, n)))
    }

    #[test]
    fn in_every_size_of_a_window() {
        for (n, step) in [(10, 1), (300, 1), (3000, -1), (700, 20), (200, -500)] {
            let values = (0..2 * n).map(|i| value_of(i % 3 == 0, i % n * step - 1000));
            assert!(agrees(Schema::MAX, 0.0, values), "{n} buckets {step} apart");
        }
        assert!(agrees(Schema::MAX, 0.0, (0..20_000).map(|i| value_of(false, i % 8000))));
    }

    #[test]
    fn at_the_ends_of_numbers() {
        let ends =
            [0.0, 5e-324, f64::MIN_POSITIVE, 2_f64.powi(-1021), 1e-128, 1.0, 1e300, f64::MAX, f64::INFINITY];
        let ends =
            ends.into_iter().flat_map(|end| [end, end.next_up(), end.next_down(), -end, f64::NAN, -f64::NAN]);
        for schema in (-4..=8).filter_map(Schema::exponential) {
            for threshold in ends.clone().filter(|end| *end >= 0.0 && end.is_finite()) {
                let values = ends.clone().chain(ends.clone());
                assert!(agrees(schema, threshold, values), "{schema}, {threshold:e}");
            }
        }
    }

    #[test]
    fn what_begins_far_away_gets_near() {
        let buckets = empty(Schema::MAX, 0.0);
        buckets.add(false, -200_000, 1);
        (0..100).for_each(|index| buckets.add(false, index, 1));
        assert!((0..100).all(|index| buckets.plain(value_of(false, index)).is_some()));
        assert!(buckets.plain(value_of(false, -200_000)).is_none());
    }

    #[test]
    fn of_too_many_all_are_in_doubt() {
        let buckets = Buckets::new();
        buckets.lay_out(&[(false, 0, 1), (false, 1, 1)], Schema::MAX, 0.0, 1);
        assert!(buckets.plain(1.0).is_none());
    }

    quickcheck! {
        fn it_is_a_map(schema: u8, threshold: f64, values: Vec<f64>, close: Vec<(i16, u8)>) -> bool {
            let schema = Schema::exponential(i32::from(schema % 13) - 4).unwrap();
            let threshold = if threshold.is_finite() { threshold.abs() } else { 0.0 };
            // Many that are close together, some far away.
            let close = close.into_iter().map(|(value, scale)| f64::from(value) * (f64::from(scale) * 0.1).exp2());
            let values: Vec<_> = close.chain(values).collect();
            agrees(schema, threshold.min(1.0), values.iter().chain(&values).copied())
                && agrees(schema, threshold, values)
        }
    }
}
