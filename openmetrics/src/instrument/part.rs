//! A part of a histogram: what one thread counts at a time.

use super::buckets::{Bucket, Buckets, add, add_up};
use super::lines::Lines;
use super::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::model::{Schema, finest_index, merged_bucket};

/// Sum and buckets that one thread writes at a time, and others read whole.
///
/// The writer makes `seq` odd, writes, and makes it even again; a reader that finds the same even number before and after
/// has read what belongs together. Who the writer is, is settled outside: the thread that owns the part
/// ([`begin_owned`](Part::begin_owned)), or the one that got it ([`try_begin`](Part::try_begin)).
#[repr(align(128))]
pub(crate) struct Part {
    seq: AtomicU64,
    sum: AtomicU64,
    /// The version of the layout that the part conforms to, from 1.
    version: AtomicU64,
    native: Buckets,
    classic: Lines<AtomicU64>,
    /// Observations in the zero bucket, and those that were NaN, which no native bucket has.
    zero: AtomicU64,
    nan: AtomicU64,
    /// How many times neighbours of schema 8 were merged.
    halvings: AtomicU32,
    /// The zero threshold.
    threshold: AtomicU64,
    /// The layout's generation.
    generation: AtomicU64,
}

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
    pub(crate) native: Vec<Bucket>,
}

impl Part {
    /// A part that conforms to no layout yet, with so many classic buckets.
    pub(crate) fn new(classic: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            seq: zero(),
            sum: zero(),
            version: zero(),
            native: Buckets::new(),
            classic: Lines::new(classic, zero),
            zero: zero(),
            nan: zero(),
            halvings: AtomicU32::new(0),
            threshold: zero(),
            generation: zero(),
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

    /// Makes the writer look again at what the part is to conform to, and at whether it is the one to write. Of anybody.
    pub(crate) fn unsettle(&self) {
        self.version.store(0, Ordering::Relaxed);
    }

    /// Brings it to a layout: of another generation, it begins anew. With more than `max_buckets`, each observation is looked
    /// at twice. Of the writer.
    #[cold]
    pub(crate) fn conform(&self, layout: Layout, version: u64, max_buckets: u32) {
        let mut buckets = Vec::new();
        if self.generation.load(Ordering::Relaxed) == layout.generation {
            self.native.read(&mut buckets);
            let halvings = layout.halvings.saturating_sub(self.halvings.load(Ordering::Relaxed));
            buckets.retain_mut(|(_, index, count)| {
                *index = merged_bucket(*index, halvings);
                let is_covered = layout.covers(*index);
                if is_covered {
                    add(&self.zero, *count);
                }
                !is_covered
            });
        } else {
            for cell in self.classic.iter().chain([&self.sum, &self.nan, &self.zero]) {
                cell.store(0, Ordering::Relaxed);
            }
        }
        add_up(&mut buckets);
        self.native.lay_out(&buckets, layout.schema(), layout.threshold, max_buckets);
        self.halvings.store(layout.halvings, Ordering::Relaxed);
        self.threshold.store(layout.threshold.to_bits(), Ordering::Relaxed);
        self.generation.store(layout.generation, Ordering::Relaxed);
        self.version.store(version, Ordering::Relaxed);
    }

    /// Counts a value in these cells. Of the writer, as all that follow.
    #[inline(always)]
    pub(crate) fn count(&self, cells: &[&AtomicU64], value: f64) {
        self.add_sum(value);
        for cell in cells {
            add(cell, 1);
        }
    }

    #[inline(always)]
    pub(crate) fn add_sum(&self, value: f64) {
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
        self.sum.store((sum + value).to_bits(), Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn classic_cell(&self, bucket: usize) -> Option<&AtomicU64> {
        self.classic.get(bucket)
    }

    /// See [`Buckets::plain`].
    #[inline(always)]
    pub(crate) fn plain_native_cell(&self, value: f64) -> Option<&AtomicU64> {
        self.native.plain(value)
    }

    /// Counts a value in its native bucket. Afterwards there may be one more.
    pub(crate) fn add_native(&self, value: f64) {
        let magnitude = value.abs();
        if magnitude <= f64::from_bits(self.threshold.load(Ordering::Relaxed)) {
            add(&self.zero, 1);
        } else if magnitude.is_nan() {
            add(&self.nan, 1);
        } else {
            let index = merged_bucket(finest_index(magnitude), self.halvings.load(Ordering::Relaxed));
            self.native.add(value < 0.0, index, 1);
        }
    }

    /// How many native buckets there are.
    pub(crate) fn len(&self) -> u32 {
        self.native.len()
    }

    /// The lowest index on either side.
    pub(crate) fn lowest(&self) -> Option<i32> {
        let mut buckets = Vec::new();
        self.native.read(&mut buckets);
        buckets.into_iter().map(|(_, index, _)| index).min()
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
        to.classic.extend(self.classic.iter().map(|cell| cell.load(Ordering::Relaxed)));
        self.native.read(&mut to.native);
    }
}

impl Layout {
    /// Whether a bucket, at this layout's schema, lies wholly in the zero bucket.
    pub(crate) fn covers(&self, index: i32) -> bool {
        self.schema().upper_bound(index) <= self.threshold
    }

    pub(crate) fn schema(&self) -> Schema {
        Schema::exponential(8 - self.halvings as i32).unwrap_or(Schema::MIN)
    }
}
