//! Which of a few states something is in.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::labels::LabelEnum;
use super::options::refused;
use super::slot::Slot;
use super::{Cell, Options, handle};
use crate::error::Error;
use crate::model::{FamilyEmitter, Labels, MetricType, State, Timestamp, Value};

/// Which of an enum's states something is in; or several of them, as flags
/// ([stateset](https://prometheus.io/docs/specs/om/open_metrics_spec/#stateset)). At most 64 states.
///
/// ```
/// use openmetrics::instrument::{LabelEnum, StateSet};
/// use openmetrics::registry::Registry;
///
/// #[derive(Clone, Copy, PartialEq)]
/// enum Phase { Starting, Serving, Draining }
/// impl LabelEnum for Phase {
///     const NAMES: &'static [&'static str] = &["starting", "serving", "draining"];
///     fn index(self) -> usize { self as usize }
/// }
///
/// let registry = Registry::new();
/// let phase: StateSet<Phase> = registry.metric("app_phase", "What the program does.").register()?;
/// phase.set(Phase::Serving);
/// assert!(phase.is(Phase::Serving) && !phase.is(Phase::Starting));
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct StateSet<E: LabelEnum>(Slot<StateSetCell<E>>);

handle!(StateSet<E: LabelEnum>, StateSetCell<E>, MetricType::StateSet);

impl<E: LabelEnum> fmt::Debug for StateSet<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = self.0.entry().cell.on.load(Ordering::Relaxed);
        let names = E::NAMES.iter().enumerate().filter(|(i, _)| on >> i & 1 == 1);
        f.debug_set().entries(names.map(|(_, name)| name)).finish()
    }
}

/// What a [`StateSet`] holds its states in.
pub struct StateSetCell<E> {
    /// One bit a state.
    on: AtomicU64,
    states: PhantomData<fn(E)>,
}

const fn bit(index: usize) -> u64 {
    if index < 64 { 1 << index } else { 0 }
}

impl<E: LabelEnum> StateSetCell<E> {
    /// Is in this state and in no other.
    #[inline]
    pub fn set(&self, state: E) {
        self.on.store(bit(state.index()), Ordering::Relaxed);
    }

    /// Turns one state on or off and leaves the others, for states that are flags.
    #[inline]
    pub fn enable(&self, state: E, on: bool) {
        if on {
            self.on.fetch_or(bit(state.index()), Ordering::Relaxed);
        } else {
            self.on.fetch_and(!bit(state.index()), Ordering::Relaxed);
        }
    }

    /// Whether this state is on.
    pub fn is(&self, state: E) -> bool {
        self.on.load(Ordering::Relaxed) & bit(state.index()) != 0
    }
}

impl<E: LabelEnum> Cell for StateSetCell<E> {
    type Shape = ();
    type Reading = u64;
    type Near = ();

    fn shape(options: &Options) -> Result<(), Error> {
        match E::NAMES.len() {
            1..=64 => options.no_buckets(),
            n => Err(refused("OM1-SS-01", format!("a stateset has 1 to 64 states, not {n}"))),
        }
    }

    fn new((): &()) -> Self {
        Self { on: AtomicU64::new(0), states: PhantomData }
    }

    fn clear(&self) {
        self.on.store(0, Ordering::Relaxed);
    }

    fn near(&self) {}

    fn read(&self, into: &mut u64) {
        *into = self.on.load(Ordering::Relaxed);
    }

    fn emit(on: &u64, _: Option<Timestamp>, labels: &Labels<'_>, out: &mut FamilyEmitter<'_>) {
        let mut states = [State { name: "", enabled: false }; 64];
        let mut len = 0;
        for ((to, &name), i) in states.iter_mut().zip(E::NAMES).zip(0..) {
            *to = State { name, enabled: on & bit(i) != 0 };
            len += 1;
        }
        out.point(*labels, Value::StateSet(states.get(..len).unwrap_or_default()));
    }
}
