//! Values of which nobody knows whether they rise.

use std::fmt;

use super::gauge::GaugeCell;
use super::handle;
use super::number::GaugeNumber;
use super::slot::Slot;
use crate::model::MetricType;

/// A value of which nobody knows what it is, taken over from somewhere that does not say
/// ([unknown](https://prometheus.io/docs/specs/om/open_metrics_spec/#unknown)). What you measure yourself is a
/// [`Counter`](super::Counter) or a [`Gauge`](super::Gauge).
///
/// ```
/// use openmetrics::instrument::Unknown;
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let reading: Unknown<f64> = registry.metric("device_register_7", "As the device has it.").register()?;
/// reading.set(21.5);
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct Unknown<N: GaugeNumber = f64>(Slot<GaugeCell<N>>);

handle!(Unknown<N: GaugeNumber>, GaugeCell<N>, MetricType::Unknown);

impl<N: GaugeNumber + fmt::Debug> fmt::Debug for Unknown<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unknown").field(&self.get()).finish()
    }
}
