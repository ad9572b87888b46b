//! A registry for programs that need only one. Nothing in the library requires it.

use std::sync::LazyLock;

use super::Registry;

/// The process-wide registry, for small programs and for metrics in statics.
///
/// Libraries should take a `&Registry` instead, so that their users decide.
///
/// ```
/// use openmetrics::registry::default_registry;
///
/// let jobs = default_registry().counter("app_jobs", "Jobs done.")?;
/// jobs.inc();
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub fn default_registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);
    &REGISTRY
}
