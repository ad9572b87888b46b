//! A part of a histogram: what one thread counts at a time.

use super::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::model::merged_bucket;
use crate::sync::OnceLock;

/// Sum and buckets that one thread writes at a time, and others read whole.
///
/// The writer makes `seq` odd, writes, and makes it even again; a reader that finds the same even number before and after
/// has read what belongs together. Who the writer is, is settled outside: the thread that owns the part
/// ([`begin_owned`](Part::begin_owned)), or the one that got it ([`try_begin`](Part::try_begin)).
#[repr(align(128))]
pub(crate) struct Part {
    seq: AtomicU64,
    sum: AtomicU64,
    /// Observations that were NaN, which no native bucket has.
    nan: AtomicU64,
    zero: AtomicU64,
    /// How many times neighbours of schema 8 were merged.
    halvings: AtomicU32,
    /// The zero threshold.
    threshold: AtomicU64,
    /// The version of the layout that the part conforms to, and the layout's generation then.
    version: AtomicU64,
    generation: AtomicU64,
    classic: Box<[AtomicU64]>,
    /// Native buckets in open addressing: key and count in turn. Each table is twice the one before.
    tables: [OnceLock<Box<[AtomicU64]>>; TABLES],
    /// The table in use, and how many buckets are in it.
    table: AtomicU32,
    len: AtomicU32,
}

const TABLES: usize = 11;
const SMALLEST: usize = 16;
/// More buckets than this are never kept, whatever the limit: half of the last table.
pub(crate) const BUCKETS_MAX: u32 = (SMALLEST << (TABLES - 1)) as u32 / 2 - 16;

/// Where the part's buckets are: what all parts of a histogram are brought to.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Layout {
    /// Counts up when everything begins anew.
    pub(crate) generation: u64,
    pub(crate) halvings: u32,
    pub(crate) threshold: f64,
}

/// What a part said at one moment.
#[derive(Default)]
pub(crate) struct PartCopy {
    pub(crate) generation: u64,
    pub(crate) halvings: u32,
    pub(crate) threshold: f64,
    pub(crate) sum: f64,
    pub(crate) nan: u64,
    pub(crate) zero: u64,
    pub(crate) classic: Vec<u64>,
    /// Whether below zero, index, count.
    pub(crate) native: Vec<(bool, i32, u64)>,
}

#[inline]
fn add(cell: &AtomicU64, by: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// A bucket as a key; never 0, which is an empty place.
#[inline]
fn key_of(is_negative: bool, index: i32) -> u64 {
    1 << 33 | u64::from(is_negative) << 32 | u64::from(index as u32)
}
const fn bucket_of(key: u64) -> (bool, i32) {
    (key >> 32 & 1 == 1, key as u32 as i32)
}

/// Where a key belongs: eight neighbours stay neighbours, as histograms are mostly of neighbours.
#[inline]
fn home(key: u64) -> usize {
    let spread = (key >> 3).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (spread << 3 | (key & 7)) as usize
}

impl Part {
    /// A part that conforms to no layout yet, with so many classic buckets.
    pub(crate) fn new(classic: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            seq: zero(),
            sum: zero(),
            nan: zero(),
            zero: zero(),
            halvings: AtomicU32::new(0),
            threshold: zero(),
            version: zero(),
            generation: zero(),
            classic: (0..classic).map(|_| zero()).collect(),
            tables: [const { OnceLock::new() }; TABLES],
            table: AtomicU32::new(0),
            len: AtomicU32::new(0),
        }
    }

    /// Begins to write a part that is the thread's own. What it returns is for [`end_owned`](Part::end_owned): reading
    /// back what was just stored would be waiting for it.
    #[inline]
    pub(crate) fn begin_owned(&self) -> u64 {
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq + 1, Ordering::Relaxed);
        fence(Ordering::Release); // the odd number is seen before what follows
        seq
    }

    /// For the models: whether nobody writes.
    #[cfg(all(loom, test))]
    pub(crate) fn is_quiet(&self) -> bool {
        self.seq.load(Ordering::Relaxed) & 1 == 0
    }

    #[inline]
    pub(crate) fn end_owned(&self, begun: u64) {
        self.seq.store(begun + 2, Ordering::Release);
    }

    /// Begins to write a part that everybody may, if nobody else does.
    #[inline]
    pub(crate) fn try_begin(&self) -> bool {
        let seq = self.seq.load(Ordering::Relaxed);
        let got = seq & 1 == 0
            && self.seq.compare_exchange(seq, seq + 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if got {
            fence(Ordering::Release);
        }
        got
    }

    #[inline]
    pub(crate) fn end(&self) {
        self.seq.store(self.seq.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Whether it conforms to the layout of this version. Of the writer.
    #[inline]
    pub(crate) fn conforms_to(&self, version: u64) -> bool {
        self.version.load(Ordering::Relaxed) == version
    }

    /// Brings it to a layout: of another generation, it begins anew. Of the writer.
    #[cold]
    pub(crate) fn conform(&self, layout: Layout, version: u64) {
        let is_old = self.generation.load(Ordering::Relaxed) != layout.generation;
        let mut buckets = Vec::new();
        self.buckets(&mut buckets);
        for cell in self
            .tables
            .get(self.table.load(Ordering::Relaxed) as usize)
            .and_then(OnceLock::get)
            .into_iter()
            .flatten()
        {
            cell.store(0, Ordering::Relaxed);
        }
        self.len.store(0, Ordering::Relaxed);
        if is_old {
            for cell in self.classic.iter().chain([&self.sum, &self.nan, &self.zero]) {
                cell.store(0, Ordering::Relaxed);
            }
        } else {
            let halvings = layout.halvings.saturating_sub(self.halvings.load(Ordering::Relaxed));
            for (is_negative, index, count) in buckets {
                let index = merged_bucket(index, halvings);
                if layout.covers(index) {
                    add(&self.zero, count);
                } else {
                    self.add_bucket(is_negative, index, count);
                }
            }
        }
        self.halvings.store(layout.halvings, Ordering::Relaxed);
        self.threshold.store(layout.threshold.to_bits(), Ordering::Relaxed);
        self.generation.store(layout.generation, Ordering::Relaxed);
        self.version.store(version, Ordering::Relaxed);
    }

    /// Adds to the sum. Of the writer, as all that follow.
    #[inline]
    pub(crate) fn add_sum(&self, value: f64) {
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
        self.sum.store((sum + value).to_bits(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn add_classic(&self, bucket: usize) {
        if let Some(cell) = self.classic.get(bucket) {
            add(cell, 1);
        }
    }

    /// Counts a value in its native bucket.
    #[inline]
    pub(crate) fn add_native(&self, value: f64, finest_index: impl FnOnce(f64) -> i32) {
        let magnitude = value.abs();
        if magnitude <= f64::from_bits(self.threshold.load(Ordering::Relaxed)) {
            add(&self.zero, 1);
        } else if magnitude.is_nan() {
            add(&self.nan, 1);
        } else {
            let index = merged_bucket(finest_index(magnitude), self.halvings.load(Ordering::Relaxed));
            self.add_bucket(value < 0.0, index, 1);
        }
    }

    #[inline]
    fn add_bucket(&self, is_negative: bool, index: i32, count: u64) {
        let key = key_of(is_negative, index);
        if let Some(table) =
            self.tables.get(self.table.load(Ordering::Relaxed) as usize).and_then(OnceLock::get)
        {
            if let Some(cell) = find(table, key) {
                add(cell, count);
                return;
            }
        }
        self.insert(key, count);
    }

    #[cold]
    fn insert(&self, key: u64, count: u64) {
        let now = self.table.load(Ordering::Relaxed);
        let len = self.len.load(Ordering::Relaxed);
        let make = |table: u32| {
            let table = (table as usize).min(TABLES - 1);
            &**self.tables[table]
                .get_or_init(|| (0..(2 * SMALLEST) << table).map(|_| AtomicU64::new(0)).collect())
        };
        let mut table = make(now);
        if len as usize * 4 >= table.len() && (now as usize) < TABLES - 1 {
            let larger = make(now + 1);
            for pair in table.chunks_exact(2) {
                if let [old, count] = pair {
                    if old.load(Ordering::Relaxed) != 0 {
                        put(larger, old.load(Ordering::Relaxed), count.load(Ordering::Relaxed));
                    }
                }
            }
            self.table.store(now + 1, Ordering::Relaxed);
            table = larger;
        }
        put(table, key, count);
        self.len.store(len + 1, Ordering::Relaxed);
    }

    /// How many native buckets there are.
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Ordering::Relaxed)
    }

    /// The lowest index on either side.
    pub(crate) fn lowest(&self) -> Option<i32> {
        let mut buckets = Vec::new();
        self.buckets(&mut buckets);
        buckets.into_iter().map(|(_, index, _)| index).min()
    }

    fn buckets(&self, to: &mut Vec<(bool, i32, u64)>) {
        to.clear();
        let table = self.tables.get(self.table.load(Ordering::Relaxed) as usize).and_then(OnceLock::get);
        for pair in table.into_iter().flat_map(|table| table.chunks_exact(2)) {
            if let [key, count] = pair {
                let key = key.load(Ordering::Relaxed);
                if key != 0 {
                    let (is_negative, index) = bucket_of(key);
                    to.push((is_negative, index, count.load(Ordering::Relaxed)));
                }
            }
        }
    }

    /// Copies what belongs together; `false` if the writer came in between.
    pub(crate) fn try_read(&self, to: &mut PartCopy) -> bool {
        let before = self.seq.load(Ordering::Acquire);
        if before & 1 == 1 {
            return false;
        }
        self.read(to);
        fence(Ordering::Acquire); // what was read is read before the number is again
        self.seq.load(Ordering::Relaxed) == before
    }

    /// Copies everything. Of the writer.
    pub(crate) fn read(&self, to: &mut PartCopy) {
        to.generation = self.generation.load(Ordering::Relaxed);
        to.halvings = self.halvings.load(Ordering::Relaxed);
        to.threshold = f64::from_bits(self.threshold.load(Ordering::Relaxed));
        to.sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
        to.nan = self.nan.load(Ordering::Relaxed);
        to.zero = self.zero.load(Ordering::Relaxed);
        to.classic.clear();
        to.classic.extend(self.classic.iter().map(|bucket| bucket.load(Ordering::Relaxed)));
        self.buckets(&mut to.native);
    }
}

impl Layout {
    /// Whether a bucket, at this layout's schema, lies wholly in the zero bucket.
    pub(crate) fn covers(&self, index: i32) -> bool {
        self.schema().upper_bound(index) <= self.threshold
    }

    pub(crate) fn schema(&self) -> crate::model::Schema {
        crate::model::Schema::exponential(8 - self.halvings as i32).unwrap_or(crate::model::Schema::MIN)
    }
}

#[inline]
fn find(table: &[AtomicU64], key: u64) -> Option<&AtomicU64> {
    let mask = table.len() / 2 - 1;
    let mut at = home(key) & mask;
    // There is always an empty place.
    loop {
        let [kept, count] = table.get(2 * at..2 * at + 2)? else { return None };
        match kept.load(Ordering::Relaxed) {
            0 => return None,
            found if found == key => return Some(count),
            _ => at = (at + 1) & mask,
        }
    }
}

fn put(table: &[AtomicU64], key: u64, count: u64) {
    let mask = table.len() / 2 - 1;
    let mut at = home(key) & mask;
    while let Some([kept, to]) = table.get(2 * at..2 * at + 2) {
        if kept.load(Ordering::Relaxed) == 0 {
            kept.store(key, Ordering::Relaxed);
            to.store(count, Ordering::Relaxed);
            return;
        }
        at = (at + 1) & mask;
    }
}
