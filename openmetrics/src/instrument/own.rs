//! The parts of a histogram that belong to threads.

use std::sync::Arc;

use super::cells::{known_thread_number, thread_number};
use super::distribution::Shape;
use super::part::{Part, PartCopy};
use super::sync::{AtomicBool, AtomicU64, Ordering, spin_loop, yield_now};
use super::table::Segments;
use crate::sync::OnceLock;

/// A stripe for each thread, by its number; up to 4,080 threads at once.
pub struct Own {
    shape: Arc<Shape>,
    /// What [`Part::conform`] is told; begins at 1, which no new part conforms to.
    pub(crate) version: AtomicU64,
    /// Those with the lowest numbers are reached with one load, and most programs have no more at a time.
    first: [OnceLock<Box<Stripe>>; FIRST_STRIPES],
    further: Segments<Box<[OnceLock<Box<Stripe>>]>, 32>,
}

const FIRST_STRIPES: usize = 32;

impl Own {
    pub(crate) fn new(shape: &Arc<Shape>) -> Self {
        Self {
            shape: Arc::clone(shape),
            version: AtomicU64::new(1),
            first: [const { OnceLock::new() }; FIRST_STRIPES],
            further: Segments::new(),
        }
    }

    /// Counts a value, if the thread has a part that conforms and nothing else is to do than to add; `false`, and nothing is
    /// done, if not. Everything is looked at before anything is written, so that this calls nothing and is short.
    #[inline(always)]
    pub(crate) fn observe(&self, value: f64) -> bool {
        let stripe = self.first.get(known_thread_number() as usize).and_then(OnceLock::get);
        let Some(part) = stripe.map(|stripe| &stripe.first) else { return false };
        part.conforms_to(self.version.load(Ordering::Acquire))
            && self.shape.count_plainly(part, value, |cells| {
                let begun = part.begin_owned();
                part.count(cells, value);
                part.end_owned(begun);
            })
    }

    /// The part that the thread is to write; `None` for a thread that is about to end, or is one of very many.
    pub(crate) fn part(&self) -> Option<&Part> {
        Some(self.stripe()?.part())
    }

    fn stripe(&self) -> Option<&Stripe> {
        let number = thread_number();
        if number == 0 {
            return None; // several threads may have it
        }
        let make = || Box::new(Stripe::new(&self.shape));
        if let Some(stripe) = self.first.get(number as usize) {
            return Some(stripe.get_or_init(make));
        }
        let make_some = |len| (0..len).map(|_| OnceLock::new()).collect();
        let (stripes, within) = self.further.get_or_make(number, make_some)?;
        Some(stripes.get(within)?.get_or_init(make))
    }

    pub(crate) fn stripes(&self) -> impl Iterator<Item = &Stripe> {
        let further = self.further.iter().flat_map(|stripes| stripes.iter());
        self.first.iter().chain(further).filter_map(|stripe| stripe.get().map(|stripe| &**stripe))
    }
}

/// What one thread has: two parts, of which it writes the first.
///
/// A part that is written without pause is never found quiet. So the reader, after he has read the second one, which is,
/// turns the thread to that until he has read the first. What the thread counts there is for the next scrape. The thread
/// waits for nobody, and sees that it was turned by what it looks at anyway: whether the first part conforms.
pub(crate) struct Stripe {
    is_turned: AtomicBool,
    pub(crate) first: Part,
    second: OnceLock<Box<Part>>,
    make: Arc<Shape>,
}

impl Stripe {
    pub(crate) fn new(shape: &Arc<Shape>) -> Self {
        let make = Arc::clone(shape);
        Self { is_turned: AtomicBool::new(false), first: shape.part(), second: OnceLock::new(), make }
    }

    /// The part that its thread is to write.
    pub(crate) fn part(&self) -> &Part {
        if self.is_turned.load(Ordering::Acquire) { self.second() } else { &self.first }
    }

    fn second(&self) -> &Part {
        self.second.get_or_init(|| Box::new(self.make.part()))
    }

    /// Reads both parts. By one reader at a time.
    pub(crate) fn read(&self, first: &mut PartCopy, second: &mut PartCopy) {
        match self.second.get() {
            Some(part) => until(|| part.try_read(second)), // who was turned to it has been turned back
            None => *second = PartCopy::default(),
        }
        if !(0..4).any(|_| self.first.try_read(first)) {
            self.read_turned(|part| part.try_read(first));
        }
    }

    /// Reads the first part while the thread writes the second.
    pub(crate) fn read_turned(&self, mut try_read: impl FnMut(&Part) -> bool) {
        self.second();
        self.is_turned.store(true, Ordering::Release);
        until(|| {
            self.first.unsettle(); // each time, since the thread may just have settled it
            try_read(&self.first)
        });
        self.is_turned.store(false, Ordering::Release);
    }
}

/// Tries until it works, and lets others run meanwhile.
pub(crate) fn until(mut attempt: impl FnMut() -> bool) {
    let mut tries = 0_u32;
    while !attempt() {
        tries += 1;
        if tries % 64 == 0 {
            yield_now();
        } else {
            spin_loop();
        }
    }
}
