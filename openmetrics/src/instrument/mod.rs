//! Live metrics: what a program counts with.
//!
//! | to measure | use |
//! |---|---|
//! | what only rises: requests, bytes sent | [`Counter`] |
//! | what goes up and down: queue length, temperature | [`Gauge`], or a [callback](crate::registry::Definition::gauge_callback) that reads it at a scrape |
//! | how events are distributed: latencies, sizes | [`Histogram`] |
//! | how the things that are here now are distributed: sizes of cached files | [`GaugeHistogram`] |
//! | only count and sum of events | [`Summary`] |
//! | facts about the program: version, commit | [`Info`] |
//! | which of a few states something is in | [`StateSet`] |
//! | what somebody else measured and did not say what it is | [`Unknown`] |
//! | any of these by label | [`Family`]; [`DynamicFamily`] if label names come from a configuration |
//!
//! Counters and histograms take [exemplars](SpanContext): from a number to one of the events that it counted.
//!
//! All of them are handles: cheap to clone, shared between threads, and what one clone counts all clones have.
//! A [`Registry`](crate::registry::Registry) makes them and shows them.

// A lookup is a few calls deep and takes 20 ns; without this, half as much again goes into passing results through memory.
#![allow(clippy::inline_always)]

mod bounds;
mod buckets;
mod callback;
mod cells;
mod counter;
mod distribution;
mod dynamic;
pub(crate) mod exemplar;
mod family;
mod gauge;
mod gauge_histogram;
mod histogram;
mod info;
mod interned;
mod keys;
mod labels;
mod lifetime;
mod lines;
#[cfg(all(loom, test))]
mod loom_models;
mod number;
mod options;
mod own;
mod page;
mod part;
mod reading;
mod slot;
mod stateset;
mod store;
mod summary;
mod sync;
mod table;
mod timer;
mod unknown;
mod window;

pub(crate) use callback::Callback;
pub use counter::{Counter, CounterCell};
pub use dynamic::DynamicFamily;
pub use exemplar::{Entered, SpanContext, set_span_source};
pub use family::Family;
pub use gauge::{Gauge, GaugeCell, InFlight};
pub use gauge_histogram::{GaugeHistogram, GaugeHistogramCell};
pub use histogram::{Histogram, HistogramCell, exponential_buckets, linear_buckets};
pub use info::Info;
#[doc(hidden)]
pub use labels::has_label;
pub use labels::{LabelEnum, LabelSet, LabelValue, LabelWriter};
pub use lifetime::{OVERFLOW, SeriesGuard};
pub use number::{CounterNumber, GaugeNumber};
pub use options::{Native, Options};
pub use stateset::{StateSet, StateSetCell};
pub use store::Borrowed;
pub use summary::{Summary, SummaryCell};
pub use timer::Timer;
pub use unknown::Unknown;

use crate::error::Error;
use crate::model::{self, FamilyEmitter, Labels, MetricType, Number, Timestamp};
use reading::PageCopy;
use slot::Slot;

/// What a registry can make and show: every metric of this module, alone or as a [`Family`]. Sealed; to show
/// something else, implement [`Collector`](model::Collector).
pub trait Instrument: Clone + Send + Sync + Sized + 'static {
    /// The type of its family.
    const TYPE: MetricType;

    /// The names of its labels.
    #[doc(hidden)]
    fn label_names(options: &Options) -> Result<Vec<model::LabelName>, Error>;

    /// A new one; `constant` are labels that it has besides its own.
    #[doc(hidden)]
    fn create(options: &Options, constant: &model::LabelSet) -> Result<Self, Error>;

    /// How many look-ups were beyond its limit of series; `None` if it has none.
    #[doc(hidden)]
    fn overflowed(&self) -> Option<u64> {
        None
    }

    /// Emits its points. A metric without labels of its own has those in `constant`.
    #[doc(hidden)]
    fn emit(&self, out: &mut FamilyEmitter<'_>, constant: &Labels<'_>);
}

/// A metric that can be one of a [`Family`]. Sealed.
pub trait Metric: Clone + Send + Sync + Sized + 'static {
    /// The type of its family.
    const TYPE: MetricType;

    /// What it counts in; has the same methods as its handle.
    type Cell: Cell;

    #[doc(hidden)]
    fn from_slot(slot: Slot<Self::Cell>) -> Self;

    #[doc(hidden)]
    fn slot(&self) -> &Slot<Self::Cell>;
}

/// The state of one metric. Everything in it is atomic, so that it can be cleared and used for another series.
pub trait Cell: Send + Sync + Sized + 'static {
    /// What is the same for all metrics of a family, such as the bounds of buckets.
    type Shape: Clone + Send + Sync + 'static;

    /// What it says at a moment; kept from one to the next so that nothing is allocated for each.
    type Reading: Default;

    /// What a handle keeps of it, to count in what is the thread's own.
    type Near: Clone + Send + Sync + 'static;

    #[doc(hidden)]
    fn shape(options: &Options) -> Result<Self::Shape, Error>;

    #[doc(hidden)]
    fn new(shape: &Self::Shape) -> Self;

    /// Back to the beginning.
    #[doc(hidden)]
    fn clear(&self);

    #[doc(hidden)]
    fn read(&self, into: &mut Self::Reading);

    /// What handles keep.
    #[doc(hidden)]
    fn near(&self) -> Self::Near;

    /// What it says, if that is a number and nothing else.
    #[doc(hidden)]
    #[inline]
    fn number(&self) -> Option<Number> {
        None
    }

    #[doc(hidden)]
    fn emit(
        reading: &Self::Reading,
        start: Option<Timestamp>,
        labels: &Labels<'_>,
        out: &mut FamilyEmitter<'_>,
    );
}

impl<M: Metric> Instrument for M {
    const TYPE: MetricType = M::TYPE;

    fn label_names(options: &Options) -> Result<Vec<model::LabelName>, Error> {
        options.no_label_names()
    }

    fn create(options: &Options, _: &model::LabelSet) -> Result<Self, Error> {
        Ok(M::from_slot(Slot::alone(M::Cell::new(&M::Cell::shape(&options.decided(true))?))))
    }

    fn emit(&self, out: &mut FamilyEmitter<'_>, constant: &Labels<'_>) {
        let entry = self.slot().entry();
        let mut emit = |reading: &mut _| {
            entry.cell.read(reading);
            M::Cell::emit(reading, entry.start(), constant, out);
        };
        if std::mem::needs_drop::<<M::Cell as Cell>::Reading>() {
            let mut copy = PageCopy::<M>::of_this_thread();
            emit(copy.one());
            copy.keep();
        } else {
            emit(&mut Default::default()); // takes nothing from the allocator that could be kept
        }
    }
}

/// Implements [`Metric`] for a handle around a slot, and makes the handle look like its cell.
macro_rules! handle {
    ($name:ident $(<$n:ident: $bound:path>)?, $cell:ty, $type:expr) => {
        impl$(<$n: $bound>)? $crate::instrument::Metric for $name$(<$n>)? {
            const TYPE: $crate::model::MetricType = $type;
            type Cell = $cell;
            fn from_slot(slot: $crate::instrument::slot::Slot<$cell>) -> Self {
                Self(slot)
            }
            fn slot(&self) -> &$crate::instrument::slot::Slot<$cell> {
                &self.0
            }
        }
        impl$(<$n: $bound>)? Clone for $name$(<$n>)? {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }
        impl$(<$n: $bound>)? std::ops::Deref for $name$(<$n>)? {
            type Target = $cell;
            #[inline]
            fn deref(&self) -> &$cell {
                &self.0.entry().cell
            }
        }
    };
}
pub(crate) use handle;
