//! How long series live: at most so many, removed when idle, or as long as a guard.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::store::{Inner, NOWHERE, State};
use super::{Metric, Options};

/// The value of all labels of the series in which a family counts what is beyond its
/// [limit](crate::registry::Definition::max_series).
pub const OVERFLOW: &str = "overflow";

/// What a family's [`Options`] say of its series' lives.
pub(crate) struct Lifetime {
    pub(crate) max_series: usize,
    idle_expiry: Option<Duration>,
}

impl Lifetime {
    pub(crate) fn new(options: &Options, is_dense: bool) -> Self {
        // Label sets that are enums have their own limit.
        let max_series = options.max_series.filter(|_| !is_dense).unwrap_or(usize::MAX);
        Self { max_series, idle_expiry: options.idle_expiry }
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.max_series < usize::MAX
    }

    /// Whether series go without anybody removing them.
    pub(crate) fn expires(&self) -> bool {
        self.idle_expiry.is_some()
    }
}

/// What a family's state has for it.
#[derive(Default)]
pub(crate) struct Lives {
    /// The place of the series for what is beyond the limit.
    pub(crate) overflow: Option<u32>,
    /// How many look-ups ended there.
    pub(crate) overflowed: u64,
    /// When idle series were looked for.
    swept: Option<Instant>,
    /// How many guards a place has. They have handles, so that it is no other series' before they are gone.
    guards: HashMap<u32, usize>,
}

impl<M: Metric> Inner<M> {
    /// Removes what was idle since the last time this was done, if it is time.
    pub(crate) fn sweep(&self, state: &mut State) {
        let Some(idle) = self.lifetime.idle_expiry else { return };
        let now = Instant::now();
        match state.lives.swept {
            Some(swept) if now.duration_since(swept) < idle => return,
            Some(_) => {}
            None => {
                // Everything there is was made just now.
                state.lives.swept = Some(now);
                return;
            }
        }
        state.lives.swept = Some(now);
        for at in 0..state.used {
            let is_idle = !state.lives.guards.contains_key(&at)
                && self.borrow(at).is_some_and(|found| found.bury_if_idle());
            if is_idle {
                self.remove(state, at);
            }
        }
    }

    fn unguard(&self, at: u32) {
        let mut state = self.lock();
        let Some(guards) = state.lives.guards.get_mut(&at) else { return };
        *guards -= 1;
        if *guards == 0 {
            state.lives.guards.remove(&at);
            if self.borrow(at).is_some_and(|found| found.is_alive()) {
                self.remove(&mut state, at);
            }
        }
    }

    /// A guard for the series at a place.
    pub(crate) fn guard(self: &Arc<Self>, state: &mut State, at: u32, metric: M) -> SeriesGuard<M> {
        // What overflows shares its series with others, and it stays.
        let at = if state.lives.overflow == Some(at) { NOWHERE } else { at };
        if at != NOWHERE {
            *state.lives.guards.entry(at).or_insert(0) += 1;
        }
        SeriesGuard { metric, inner: Arc::clone(self), at }
    }

    /// How many look-ups were beyond the limit; `None` without a limit.
    pub(crate) fn overflowed(&self) -> Option<u64> {
        self.lifetime.is_limited().then(|| self.lock().lives.overflowed)
    }
}

/// A metric whose series lives as long as this, made by [`Family::guard`](super::Family::guard); it dereferences to the
/// metric's handle.
///
/// With several guards of the same labels, it lives until the last one is dropped.
pub struct SeriesGuard<M: Metric> {
    metric: M,
    inner: Arc<Inner<M>>,
    /// [`NOWHERE`] if it is not to be removed.
    at: u32,
}

impl<M: Metric> Deref for SeriesGuard<M> {
    type Target = M;
    fn deref(&self) -> &M {
        &self.metric
    }
}

impl<M: Metric> Drop for SeriesGuard<M> {
    fn drop(&mut self) {
        self.inner.unguard(self.at);
    }
}

impl<M: Metric + fmt::Debug> fmt::Debug for SeriesGuard<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SeriesGuard").field(&self.metric).finish()
    }
}
