//! How values are distributed: what is behind histograms and summaries.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::bounds::Bounds;
use super::buckets::{BUCKETS_MAX, Bucket, add, add_up};
use super::cells::thread_number;
use super::options::{Native, Options, refused};
use super::own::{Own, until};
use super::part::{Layout, Part, PartCopy};
use super::sync::{AtomicU32, AtomicU64, Ordering};
use crate::error::Error;
use crate::model::{
    ClassicBucket, Counts, NativeBucketsRef, Number, Schema, SideRef, Span, Timestamp, merged_bucket,
};
use crate::sync::{Mutex, MutexGuard, OnceLock};

/// What all distributions of a family have in common.
pub(crate) struct Shape {
    /// None are counted if native buckets are, and there are no bounds.
    classic: Option<Bounds>,
    has_classic: bool,
    native: Option<NativeShape>,
    /// Whether the classic buckets are shown as native ones, too.
    is_custom: bool,
    is_hot: bool,
}

struct NativeShape {
    start: Layout,
    max_threshold: f64,
    max_buckets: u32,
    min_reset: Option<Duration>,
}

impl Shape {
    pub(crate) fn new(
        options: &Options,
        classic: Option<&[f64]>,
        native: Option<&Native>,
    ) -> Result<Self, Error> {
        let native = native.map(|native| {
            let schema = Schema::for_factor(native.factor).ok_or_else(|| {
                refused("NH-26", format!("buckets cannot grow by a factor of {}", native.factor))
            })?;
            let (threshold, max_threshold) = (native.zero_threshold, native.max_zero_threshold);
            if !(threshold >= 0.0
                && threshold.is_finite()
                && max_threshold >= 0.0
                && max_threshold.is_finite())
            {
                let message = format!(
                    "zero thresholds {threshold} and {max_threshold} are not both finite and positive or zero"
                );
                return Err(refused("NH-14", message));
            }
            Ok(NativeShape {
                start: Layout { generation: 0, halvings: (8 - schema.number()) as u32, threshold },
                max_threshold,
                max_buckets: native.max_buckets.unwrap_or(BUCKETS_MAX).min(BUCKETS_MAX),
                min_reset: native.min_reset,
            })
        });
        let native = native.transpose()?;
        let counted = classic.filter(|bounds| native.is_none() || !bounds.is_empty());
        Ok(Self {
            classic: counted.map(Bounds::new),
            has_classic: classic.is_some(),
            native,
            is_custom: options.custom_buckets,
            is_hot: options.is_hot,
        })
    }

    fn max_buckets(&self) -> u32 {
        self.native.as_ref().map_or(0, |native| native.max_buckets)
    }

    /// Calls `count` with the cells that a value is counted in, if they all have counted before; `false`, and nothing is done,
    /// if not. Of the part's writer.
    #[inline(always)]
    pub(crate) fn count_plainly(&self, part: &Part, value: f64, count: impl Fn(&[&AtomicU64])) -> bool {
        let classic = |bounds: &Bounds| part.classic_cell(bounds.plain_index_of(value)?);
        match (&self.classic, &self.native) {
            (Some(bounds), None) => classic(bounds).map(|classic| count(&[classic])),
            (None, Some(_)) => part.plain_native_cell(value).map(|native| count(&[native])),
            (Some(bounds), Some(_)) => classic(bounds)
                .zip(part.plain_native_cell(value))
                .map(|(classic, native)| count(&[classic, native])),
            (None, None) => None,
        }
        .is_some()
    }

    pub(crate) fn part(&self) -> Part {
        Part::new(self.classic.as_ref().map_or(0, |bounds| bounds.upper().len() + 1))
    }
}

/// Count, sum and buckets of values.
///
/// # Who writes what
///
/// Everything is counted in [`Part`]s, each of which has one writer at a time and can be read whole: so what a scrape
/// shows belongs together, and adding up parts that each do gives a whole that does. With `own`, each thread has a
/// [`Stripe`] to itself, under its number; without, threads share up to four parts, which they get with one
/// compare-and-swap, and more than one only after they got in each other's way.
///
/// Where buckets are is the [`Layout`]'s business. It changes under the lock, together with `version`; each part is
/// brought to it by its writer, before he counts the next value, and a reader brings what he has read to it himself. So
/// nothing is lost when resolution is halved or the zero bucket widened; and a reset, which is a new generation, is at
/// one moment for all: parts of an older generation do not count.
pub(crate) struct Distribution {
    shape: Arc<Shape>,
    /// See [`Own::version`], which it is where there are parts of threads' own.
    version: AtomicU64,
    steering: Mutex<Steering>,
    /// Held while somebody reads, since readers turn stripes.
    reading: Mutex<()>,
    /// Only where threads have parts of their own.
    own: Option<Arc<Own>>,
    shared: [OnceLock<Box<Part>>; SHARED],
    /// How many of `shared` are in use.
    spread: AtomicU32,
}

const SHARED: usize = 4;

struct Steering {
    layout: Layout,
    /// Since when everything counts, if there was a reset.
    start: Option<Timestamp>,
    last_reset: Instant,
    /// Something gave way to the limit, to be undone by a reset when the time has come.
    reset_is_due: bool,
}

impl Distribution {
    pub(crate) fn new(shape: &Arc<Shape>) -> Self {
        let layout =
            shape.native.as_ref().map_or(Layout { generation: 0, halvings: 0, threshold: 0.0 }, |n| n.start);
        Self {
            shape: Arc::clone(shape),
            version: AtomicU64::new(1),
            steering: Mutex::new(Steering {
                layout,
                start: None,
                last_reset: Instant::now(),
                reset_is_due: false,
            }),
            reading: Mutex::new(()),
            own: shape.is_hot.then(|| Arc::new(Own::new(shape))),
            shared: [const { OnceLock::new() }; SHARED],
            spread: AtomicU32::new(1),
        }
    }

    #[inline]
    pub(crate) fn observe(&self, value: f64) {
        if !self.own.as_ref().is_some_and(|own| own.observe(value)) {
            self.observe_any(value);
        }
    }

    /// The same, whatever it takes.
    #[inline(never)]
    pub(crate) fn observe_any(&self, value: f64) {
        let Some(part) = self.own.as_ref().and_then(|own| own.part()) else {
            return self.observe_shared(value);
        };
        let begun = part.begin_owned();
        self.add(part, value);
        part.end_owned(begun);
    }

    fn observe_shared(&self, value: f64) {
        let mut at = thread_number();
        let mut tries = 0_u32;
        loop {
            let spread = self.spread.load(Ordering::Relaxed);
            // `spread` is a power of two.
            let part = &self.shared[(at & (spread - 1)) as usize % SHARED];
            let part = part.get_or_init(|| Box::new(self.shape.part()));
            if part.try_begin() {
                self.add(part, value);
                part.end();
                return;
            }
            at = at.wrapping_add(1);
            tries += 1;
            if tries == spread {
                self.spread.store((spread * 2).min(SHARED as u32), Ordering::Relaxed);
            } else if tries % 64 == 0 {
                std::thread::yield_now();
            }
        }
    }

    /// What is shared with nobody who counts, for handles to keep.
    pub(crate) fn own(&self) -> Option<&Arc<Own>> {
        self.own.as_ref()
    }

    /// Changes with `steering`, but is only read by writers.
    fn version(&self) -> &AtomicU64 {
        self.own.as_ref().map_or(&self.version, |own| &own.version)
    }

    /// Counts a value in a part that this thread is the writer of.
    fn add(&self, part: &Part, value: f64) {
        if !part.conforms_to(self.version().load(Ordering::Acquire)) {
            self.conform(part);
        }
        if !self.shape.count_plainly(part, value, |cells| part.count(cells, value)) {
            self.record(part, value);
        }
    }

    /// The same, whatever it takes.
    #[inline(never)]
    fn record(&self, part: &Part, value: f64) {
        part.add_sum(value);
        if let Some(bounds) = &self.shape.classic {
            part.classic_cell(bounds.index_of(value)).into_iter().for_each(|cell| add(cell, 1));
        }
        if let Some(native) = &self.shape.native {
            part.add_native(value);
            if part.len() > native.max_buckets {
                self.limit(part, native, value);
            }
        }
    }

    #[cold]
    fn conform(&self, part: &Part) {
        let steering = self.steering();
        part.conform(steering.layout, self.version().load(Ordering::Relaxed), self.shape.max_buckets());
    }

    /// One step towards fewer buckets: a reset if the last one is long ago, else a wider zero bucket, else half the
    /// resolution (NH-27).
    #[cold]
    #[inline(never)]
    fn limit(&self, part: &Part, native: &NativeShape, value: f64) {
        let mut steering = self.steering();
        if !part.conforms_to(self.version().load(Ordering::Relaxed)) {
            // Somebody else has changed the layout, which may be enough.
            part.conform(steering.layout, self.version().load(Ordering::Relaxed), native.max_buckets);
            return;
        }
        if let Some(min_reset) = native.min_reset {
            if !steering.reset_is_due && steering.last_reset.elapsed() >= min_reset {
                self.reset_to(&mut steering, native.start, Some(Timestamp::now()));
                drop(steering);
                // The value that was one too many is the first of the new ones.
                self.add(part, value);
                return;
            }
            steering.reset_is_due = true;
        }
        let layout = &mut steering.layout;
        let wider = part.lowest().map(|lowest| layout.schema().upper_bound(lowest));
        match wider.filter(|&wider| layout.threshold < native.max_threshold && wider <= native.max_threshold)
        {
            Some(wider) => layout.threshold = wider,
            None if layout.halvings < 12 => layout.halvings += 1,
            None => return,
        }
        let version = self.version().fetch_add(1, Ordering::Release) + 1;
        part.conform(steering.layout, version, native.max_buckets);
    }

    fn reset_to(&self, steering: &mut Steering, layout: Layout, start: Option<Timestamp>) {
        steering.layout = Layout { generation: steering.layout.generation + 1, ..layout };
        steering.start = start;
        steering.last_reset = Instant::now();
        steering.reset_is_due = false;
        self.version().fetch_add(1, Ordering::Release);
    }

    /// Everything begins anew, at one moment for all threads. `start` is when that was, if nobody else knows.
    pub(crate) fn reset(&self, start: Option<Timestamp>) {
        let mut steering = self.steering();
        let layout = self.shape.native.as_ref().map_or(steering.layout, |native| native.start);
        self.reset_to(&mut steering, layout, start);
    }

    fn steering(&self) -> MutexGuard<'_, Steering> {
        self.steering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything that was counted.
    pub(crate) fn read(&self, to: &mut Reading) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let layout = loop {
            let before = self.steering().layout;
            self.read_parts(to);
            // A reset in between would leave out some parts and not others.
            if self.steering().layout.generation == before.generation {
                break before;
            }
        };
        to.merge(&self.shape, layout);
        self.after_read(to);
    }

    fn read_parts(&self, to: &mut Reading) {
        to.used = 0;
        for part in self.shared.iter().filter_map(OnceLock::get) {
            let copy = to.copy(0);
            // As its writer, so that the others cannot keep the reader waiting; they take another part meanwhile.
            until(|| part.try_begin());
            part.read(copy);
            part.end();
            to.used += 1;
        }
        let Some(own) = &self.own else { return };
        for stripe in own.stripes() {
            to.copy(1);
            if let [.., first, second] = to.parts.get_mut(..to.used + 2).unwrap_or_default() {
                stripe.read(first, second);
                to.used += 2;
            }
        }
    }

    /// Limits what several threads have together, and begins anew if that was due.
    fn after_read(&self, read: &mut Reading) {
        let Some(native) = &self.shape.native else { return };
        let mut steering = self.steering();
        read.start = steering.start;
        if steering.layout.generation != read.layout.generation {
            return;
        }
        // One part alone has taken the steps that it should, one for each value.
        let parts = read.parts.iter().take(read.used).filter(|part| !part.native.is_empty());
        if parts.count() > 1 && read.buckets.len() > native.max_buckets as usize {
            while read.buckets.len() > native.max_buckets as usize && read.layout.halvings < 12 {
                read.halve();
            }
            steering.layout.halvings = steering.layout.halvings.max(read.layout.halvings);
            steering.reset_is_due = native.min_reset.is_some();
            self.version().fetch_add(1, Ordering::Release);
        }
        if steering.reset_is_due && native.min_reset.is_some_and(|min| steering.last_reset.elapsed() >= min) {
            // What was read is shown; what comes from now on is new.
            self.reset_to(&mut steering, native.start, Some(Timestamp::now()));
        }
    }

    /// How many classic buckets there are, that of `+Inf` among them.
    pub(crate) fn classic_buckets(&self) -> usize {
        self.shape.classic.as_ref().map_or(1, |bounds| bounds.upper().len() + 1)
    }

    /// The classic bucket that a value falls into.
    #[inline]
    pub(crate) fn classic_bucket_of(&self, value: f64) -> usize {
        self.shape.classic.as_ref().map_or(0, |bounds| bounds.index_of(value))
    }

    /// How many values there were, and their sum.
    pub(crate) fn count_and_sum(&self) -> (u64, f64) {
        let mut reading = Reading::default();
        self.read(&mut reading);
        (reading.count, reading.sum)
    }
}

/// What a distribution said at one moment; kept from one to the next, so that nothing is allocated for each.
pub(crate) struct Reading {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// Since when, if there was a reset.
    pub(crate) start: Option<Timestamp>,
    /// With counts of the lower buckets in each.
    pub(crate) classic: Vec<ClassicBucket>,
    pub(crate) has_classic: bool,
    pub(crate) has_native: bool,
    pub(crate) layout: Layout,
    pub(crate) zero: u64,
    pub(crate) positive: SideReading,
    pub(crate) negative: SideReading,
    pub(crate) custom: Option<Custom>,
    /// Added up.
    buckets: Vec<Bucket>,
    parts: Vec<PartCopy>,
    used: usize,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0.0,
            start: None,
            classic: Vec::new(),
            has_classic: false,
            has_native: false,
            layout: Layout { generation: 0, halvings: 0, threshold: 0.0 },
            zero: 0,
            positive: SideReading::default(),
            negative: SideReading::default(),
            custom: None,
            buckets: Vec::new(),
            parts: Vec::new(),
            used: 0,
        }
    }
}

/// The buckets on one side of zero, as the model has them.
#[derive(Default)]
pub(crate) struct SideReading {
    pub(crate) spans: Vec<Span>,
    pub(crate) counts: Vec<u64>,
}

impl SideReading {
    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.counts.clear();
    }

    pub(crate) fn borrow(&self) -> SideRef<'_> {
        SideRef { spans: &self.spans, counts: Counts::Integer(&self.counts) }
    }

    /// Adds a bucket above those that are there; `next` is the index after the last one. Gaps of one or two become empty
    /// buckets, which take less room than a span.
    pub(crate) fn push(&mut self, index: i32, count: u64, next: &mut i32) {
        let gap = index - *next;
        match self.spans.last_mut() {
            Some(span) if gap <= 2 => {
                span.length += gap as u32 + 1;
                self.counts.extend((0..gap).map(|_| 0));
            }
            _ => self.spans.push(Span { offset: gap, length: 1 }),
        }
        self.counts.push(count);
        *next = index + 1;
    }
}

/// Classic buckets once more, as native ones whose bounds were chosen (schema -53).
#[derive(Default)]
pub(crate) struct Custom {
    bounds: Vec<f64>,
    counts: SideReading,
}

impl Custom {
    /// `counts` are of each bucket by itself; there is one more than bounds.
    pub(crate) fn read(&mut self, bounds: &[f64], counts: impl IntoIterator<Item = u64>) {
        self.bounds.clear();
        self.bounds.extend_from_slice(bounds);
        self.counts.clear();
        let mut next = 0;
        for (index, count) in (0..).zip(counts).filter(|&(_, count)| count != 0) {
            self.counts.push(index, count, &mut next);
        }
    }

    /// There is no zero bucket, and values below zero are in the buckets of their bounds (NH-23).
    pub(crate) fn borrow(&self) -> NativeBucketsRef<'_> {
        NativeBucketsRef {
            schema: Schema::CUSTOM,
            zero_threshold: 0.0,
            zero_count: Number::ZERO,
            positive: self.counts.borrow(),
            negative: SideRef { spans: &[], counts: Counts::Integer(&[]) },
            custom_bounds: &self.bounds,
        }
    }
}

impl Reading {
    /// A copy to read into, the one that is `further` behind those in use.
    fn copy(&mut self, further: usize) -> &mut PartCopy {
        let at = self.used + further;
        if self.parts.len() <= at {
            self.parts.resize_with(at + 1, PartCopy::default);
        }
        &mut self.parts[at]
    }

    /// Adds up the parts, at the coarsest layout among them.
    fn merge(&mut self, shape: &Shape, layout: Layout) {
        let parts = self.parts.get(..self.used).unwrap_or_default();
        let parts = || parts.iter().filter(|part| part.generation == layout.generation);
        self.layout = layout;
        for part in parts() {
            self.layout.halvings = self.layout.halvings.max(part.halvings);
            self.layout.threshold = self.layout.threshold.max(part.threshold);
        }
        self.has_classic = shape.has_classic;
        self.has_native = shape.native.is_some();
        self.sum = parts().map(|part| part.sum).sum::<f64>() + 0.0; // an empty sum is minus zero
        self.start = None;
        self.classic.clear();
        self.buckets.clear();
        self.count = 0;
        if !shape.is_custom {
            self.custom = None;
        }
        if let Some(bounds) = &shape.classic {
            let of = |n: usize| parts().filter_map(|part| part.classic.get(n)).sum::<u64>();
            if shape.is_custom {
                let custom = self.custom.get_or_insert_default();
                custom.read(bounds.upper(), (0..=bounds.upper().len()).map(of));
            }
            for (n, &upper_bound) in bounds.upper().iter().chain([&f64::INFINITY]).enumerate() {
                self.count += of(n);
                if upper_bound.is_finite() {
                    self.classic.push(ClassicBucket { upper_bound, count: self.count.into() });
                }
            }
        }
        if shape.native.is_none() {
            return;
        }
        self.zero = parts().map(|part| part.zero).sum();
        for part in parts() {
            for &(is_negative, index, count) in &part.native {
                let index = merged_bucket(index, self.layout.halvings - part.halvings);
                if part.threshold < self.layout.threshold && self.layout.covers(index) {
                    self.zero += count;
                } else {
                    self.buckets.push((is_negative, index, count));
                }
            }
        }
        let nan: u64 = parts().map(|part| part.nan).sum();
        self.count = self.zero + nan + self.buckets.iter().map(|bucket| bucket.2).sum::<u64>();
        add_up(&mut self.buckets);
    }

    fn halve(&mut self) {
        self.layout.halvings += 1;
        for bucket in &mut self.buckets {
            bucket.1 = merged_bucket(bucket.1, 1);
        }
        add_up(&mut self.buckets);
    }

    /// Lays the buckets out in spans.
    pub(crate) fn lay_out(&mut self) {
        self.positive.clear();
        self.negative.clear();
        let (mut above, mut below) = (0, 0);
        for &(is_negative, index, count) in &self.buckets {
            if is_negative {
                self.negative.push(index, count, &mut below);
            } else {
                self.positive.push(index, count, &mut above);
            }
        }
    }
}
