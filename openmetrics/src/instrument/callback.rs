//! Values that are read when somebody asks.

use std::fmt;
use std::sync::Arc;

use crate::model::Number;

/// A value that a function reads at each scrape: the length of a queue, the age of a file.
///
/// Made by [`Definition::callback`](crate::registry::Definition::callback). For several values that are read at
/// once, implement [`Collector`](crate::model::Collector).
#[derive(Clone)]
pub(crate) struct Callback(Arc<dyn Fn() -> Number + Send + Sync>);

impl Callback {
    pub(crate) fn new<N: Into<Number>>(read: impl Fn() -> N + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || read().into()))
    }

    pub(crate) fn read(&self) -> Number {
        (self.0)()
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}
