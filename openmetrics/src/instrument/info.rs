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
pub struct Info(Arc<Mutex<Arc<LabelSet>>>);

impl Info {
    pub(crate) fn new(facts: LabelSet) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(facts))))
    }

    /// Takes other facts, for the rare ones that change while the program runs.
    pub fn set(&self, facts: LabelSet) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(facts);
    }

    /// The facts now.
    pub fn facts(&self) -> LabelSet {
        LabelSet::clone(&self.shared())
    }

    pub(crate) fn shared(&self) -> Arc<LabelSet> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
