//! Counters: what only rises.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cells::{Near, OwnedCell};
use super::exemplar::{Kept, Place};
use super::number::CounterNumber;
use super::slot::Slot;
use super::{Cell, Options, handle};
use crate::error::Error;
use crate::model::{FamilyEmitter, Labels, MetricType, Number, Point, Timestamp};
use crate::sync::OnceLock;

/// A value that only rises: requests served, bytes sent
/// ([counter](https://prometheus.io/docs/specs/om/open_metrics_spec/#counter)).
///
/// Counts in `u64`, or in `f64` for things like seconds: `Counter<f64>`.
///
/// ```
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let requests = registry.counter("app_requests", "Requests served.")?;
/// requests.inc();
/// requests.inc_by(2);
/// assert_eq!(requests.get(), 3);
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct Counter<N: CounterNumber = u64>(Slot<CounterCell<N>>);

handle!(Counter<N: CounterNumber>, CounterCell<N>, MetricType::Counter);

impl<N: CounterNumber> Counter<N> {
    /// A counter that no registry shows; for tests, or to attach it later.
    pub fn new() -> Self {
        Self(Slot::alone(CounterCell::new(&CounterShape { is_hot: true, takes_spans: false })))
    }

    /// Adds `by`. What is negative or not finite is ignored: a counter cannot fall, and counting never stops a program.
    /// An integer that overflows begins again at zero.
    #[inline]
    pub fn inc_by(&self, by: N) {
        // Most counters count in a cell of the thread's own or in one for all, and take no spans: then this is all.
        let near = self.0.near();
        if !by.is_rise() || near.update(|word| N::from_word(word).plus(by).to_word()) {
            return;
        }
        let cell = &self.0.entry().cell;
        if *near == Near::SHARED {
            by.add_to(&cell.value);
        } else {
            cell.inc_by_any(by);
        }
    }

    /// Back to zero, counting from now.
    pub fn reset(&self) {
        self.0.entry().cell.clear();
        self.0.entry().start_now();
    }
}

impl Counter<u64> {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1);
    }
}

impl Counter<f64> {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1.0);
    }
}

impl<N: CounterNumber> Default for Counter<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: CounterNumber + fmt::Debug> fmt::Debug for Counter<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.get()).finish()
    }
}

/// What a [`Counter`] counts in.
///
/// Either one atomic that all threads share, or a cell of each thread's own: quicker, and no slower when many threads
/// count, but eight bytes for each thread. Metrics without labels and those whose labels are enums have the latter.
pub struct CounterCell<N> {
    /// What was counted; or with `owned`, what its cells had when it was reset last.
    value: AtomicU64,
    owned: Option<OwnedCell>,
    takes_spans: bool,
    exemplar: OnceLock<Box<Place>>,
    number: PhantomData<N>,
}

impl<N: CounterNumber> CounterCell<N> {
    /// Adds `by`. What is negative or not finite is ignored: a counter cannot fall, and counting never stops a program.
    /// An integer that overflows begins again at zero.
    #[inline]
    pub fn inc_by(&self, by: N) {
        if by.is_rise() {
            match &self.owned {
                Some(owned) => owned.update(|word| N::from_word(word).plus(by).to_word()),
                None => by.add_to(&self.value),
            }
            if self.takes_spans {
                self.exemplar().take_span(by);
            }
        }
    }

    /// The same, for calls that are to be short because of what else is at hand.
    #[inline(never)]
    fn inc_by_any(&self, by: N) {
        self.inc_by(by);
    }

    /// Adds `by`, with labels of an exemplar: what this event refers to, such as a trace.
    ///
    /// The first exemplar after each scrape is kept. Labels of more than 128 code points in all, or that not every format
    /// can say, are left out; the increment counts nonetheless
    /// ([OM1-EX-03](https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars)).
    ///
    /// ```
    /// # use openmetrics::registry::Registry;
    /// # let registry = Registry::new();
    /// let failures = registry.counter("failures", "Jobs that failed.")?;
    /// failures.inc_by_with_exemplar(1, &[("job", "4711")]);
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    #[inline]
    pub fn inc_by_with_exemplar(&self, by: N, labels: &[(&str, &str)]) {
        if by.is_rise() {
            self.exemplar().take_labels(by, labels);
        }
        self.inc_by(by);
    }

    #[inline]
    fn exemplar(&self) -> &Place {
        self.exemplar.get_or_init(|| Box::new(Place::new()))
    }

    /// What was counted so far.
    pub fn get(&self) -> N {
        let value = N::from_word(self.value.load(Ordering::Relaxed));
        match &self.owned {
            Some(owned) => Self::sum(owned).minus(value),
            None => value,
        }
    }

    fn sum(owned: &OwnedCell) -> N {
        let mut sum = N::default();
        owned.read(|word| sum = sum.plus(N::from_word(word)));
        sum
    }
}

impl CounterCell<u64> {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1);
    }
}

impl CounterCell<f64> {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1.0);
    }
}

/// What all counters of a family have in common.
#[derive(Clone)]
pub struct CounterShape {
    /// Whether threads have cells of their own.
    is_hot: bool,
    takes_spans: bool,
}

/// What a counter said at one moment.
#[derive(Default)]
pub struct CounterReading<N> {
    value: N,
    exemplar: Kept,
}

impl<N: CounterNumber> Cell for CounterCell<N> {
    type Shape = CounterShape;
    type Reading = CounterReading<N>;
    type Near = Near;

    fn shape(options: &Options) -> Result<CounterShape, Error> {
        options.no_buckets()?;
        Ok(CounterShape { is_hot: options.is_hot, takes_spans: options.exemplars })
    }

    fn new(shape: &CounterShape) -> Self {
        Self {
            value: AtomicU64::new(0),
            owned: if shape.is_hot { OwnedCell::new() } else { None },
            takes_spans: shape.takes_spans,
            exemplar: OnceLock::new(),
            number: PhantomData,
        }
    }

    fn clear(&self) {
        // Other threads' cells are theirs alone, so they go on, and are counted from here.
        let now = self.owned.as_ref().map_or(N::default(), Self::sum);
        self.value.store(now.to_word(), Ordering::Relaxed);
        if let Some(exemplar) = self.exemplar.get() {
            exemplar.clear();
        }
    }

    fn near(&self) -> Near {
        match &self.owned {
            _ if self.takes_spans => Near::NONE,
            Some(owned) => owned.near(),
            None => Near::SHARED,
        }
    }

    fn read(&self, into: &mut CounterReading<N>) {
        into.value = self.get();
        match self.exemplar.get() {
            Some(exemplar) => exemplar.read(&mut into.exemplar),
            None => into.exemplar.clear(),
        }
    }

    /// Not one with an exemplar, which is more than a number.
    #[inline]
    fn number(&self) -> Option<Number> {
        self.exemplar.get().is_none().then(|| self.get().into())
    }

    #[inline]
    fn emit(
        reading: &CounterReading<N>,
        start: Option<Timestamp>,
        labels: &Labels<'_>,
        out: &mut FamilyEmitter<'_>,
    ) {
        let point = Point::from(reading.value.into()).started(start);
        match reading.exemplar.borrow() {
            Some(exemplar) => out.point(*labels, point.with_exemplars(&[exemplar])),
            None => out.point(*labels, point),
        }
    }
}
