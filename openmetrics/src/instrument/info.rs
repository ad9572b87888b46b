//! Facts about the program.

use std::sync::{Arc, PoisonError};

use crate::model::LabelSet;
use crate::sync::Mutex;

/// Facts about the program as labels: version, commit, configuration
/// ([info](https://prometheus.io/docs/specs/om/open_metrics_spec/#info)).
///
/// ```
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// registry.info("app_build", "How this program was built.", [("version", env!("CARGO_PKG_VERSION"))])?;
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Info(Arc<Mutex<LabelSet>>);

impl Info {
    pub(crate) fn new(facts: LabelSet) -> Self {
        Self(Arc::new(Mutex::new(facts)))
    }

    /// Takes other facts, for the rare ones that change while the program runs.
    pub fn set(&self, facts: LabelSet) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }

    /// The facts now.
    pub fn facts(&self) -> LabelSet {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
