//! Metric families: what describes them, and the owned snapshot of a whole exposition.

use std::fmt;

use super::label::{LabelSet, Labels};
use super::name::MetricName;
use super::point::MetricPoint;
use super::text::Text;
use super::{Collected, Collector, Emitter};
use crate::error::{Error, Kind};

/// The type of a metric family
/// ([metric types](https://prometheus.io/docs/specs/om/open_metrics_spec/#metric-types)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricType {
    /// A value that goes up and down.
    Gauge,
    /// A value that only rises, until it is reset.
    Counter,
    /// A set of named booleans, such as an enum's states.
    StateSet,
    /// Facts as labels, such as a version.
    Info,
    /// A distribution of events.
    #[doc(alias = "sparse")]
    Histogram,
    /// A distribution of what is there now, such as queue items by age.
    GaugeHistogram,
    /// Count, sum and quantiles computed by the process itself.
    Summary,
    /// Not known; for values from systems that do not say.
    #[default]
    #[doc(alias = "untyped")]
    Unknown,
}

impl MetricType {
    /// All types.
    pub const ALL: [Self; 8] = [
        Self::Gauge,
        Self::Counter,
        Self::StateSet,
        Self::Info,
        Self::Histogram,
        Self::GaugeHistogram,
        Self::Summary,
        Self::Unknown,
    ];

    /// The word OpenMetrics has for it, such as `gaugehistogram`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::StateSet => "stateset",
            Self::Info => "info",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Unknown => "unknown",
        }
    }

    /// The type with this OpenMetrics word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == word)
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The unit of a family's values, such as `seconds`; names end in it
/// ([units](https://prometheus.io/docs/specs/om/open_metrics_spec/#units-and-base-units), OM1-FAM-11).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit(Text);

impl Unit {
    /// Time.
    pub const SECONDS: Self = Self::from_static("seconds");
    /// Sizes.
    pub const BYTES: Self = Self::from_static("bytes");
    /// Parts of a whole, 0 to 1.
    pub const RATIO: Self = Self::from_static("ratio");
    /// Temperatures.
    pub const CELSIUS: Self = Self::from_static("celsius");
    /// Lengths.
    pub const METERS: Self = Self::from_static("meters");
    /// Electric potential.
    pub const VOLTS: Self = Self::from_static("volts");
    /// Electric current.
    pub const AMPERES: Self = Self::from_static("amperes");
    /// Energy.
    pub const JOULES: Self = Self::from_static("joules");
    /// Mass.
    pub const GRAMS: Self = Self::from_static("grams");

    /// A unit of metric-name characters (OM1-SYN-11); the empty text is no unit.
    pub fn new(unit: impl Into<Text>) -> Result<Self, Error> {
        let unit = unit.into();
        if is_unit(&unit) { Ok(Self(unit)) } else { Err(Error::new(Kind::Unit { unit: unit.to_string() })) }
    }

    /// A unit from a literal, checked at compile time when used in a constant.
    ///
    /// # Panics
    ///
    /// If the text has other than metric-name characters or is empty.
    pub const fn from_static(unit: &'static str) -> Self {
        assert!(is_unit(unit), "not a unit");
        Self(Text::from_static(unit))
    }

    /// The unit itself.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Metric-name characters; unlike a name, a unit may begin with a digit.
const fn is_unit(unit: &str) -> bool {
    let bytes = unit.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if !(bytes[i].is_ascii_alphanumeric() || bytes[i] == b'_' || bytes[i] == b':') {
            return false;
        }
        i += 1;
    }
    !unit.is_empty()
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// How the name of a counter or info family becomes the name of its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Naming {
    /// Formats add the type's suffix: counter `app_requests` is written `app_requests_total`.
    #[default]
    Standard,
    /// The name is written as it is, whatever the format, as systems with names of their own need it
    /// (`ifHCInOctets`). OpenMetrics 1.0 cannot say "counter" of such a name, so there it becomes `unknown`.
    Verbatim,
}

/// What is the same for all metrics of a family: name, type, help and unit.
///
/// ```
/// use openmetrics::model::{Descriptor, MetricType, Unit};
///
/// static LATENCY: Descriptor = Descriptor::literal_with_unit(
///     "app_latency_seconds", MetricType::Histogram, Unit::SECONDS, "Time to first byte.");
/// assert_eq!(LATENCY.help(), "Time to first byte.");
/// assert_eq!(LATENCY.unit(), Some(&Unit::SECONDS));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    name: MetricName,
    metric_type: MetricType,
    naming: Naming,
    help: Text,
    unit: Option<Unit>,
}

impl Descriptor {
    /// A family without help and unit.
    pub const fn new(name: MetricName, metric_type: MetricType) -> Self {
        Self { name, metric_type, naming: Naming::Standard, help: Text::from_static(""), unit: None }
    }

    /// A family from literals, for statics.
    ///
    /// # Panics
    ///
    /// If the name is not a classic metric name; in a static that is a compile error.
    pub const fn literal(name: &'static str, metric_type: MetricType, help: &'static str) -> Self {
        let name = MetricName::from_static(name);
        Self { name, metric_type, naming: Naming::Standard, help: Text::from_static(help), unit: None }
    }

    /// A family with a unit from literals, for statics. The name has to end in the unit (OM1-FAM-11).
    ///
    /// # Panics
    ///
    /// If the name is not a classic metric name; in a static that is a compile error.
    pub const fn literal_with_unit(
        name: &'static str,
        metric_type: MetricType,
        unit: Unit,
        help: &'static str,
    ) -> Self {
        let name = MetricName::from_static(name);
        Self { name, metric_type, naming: Naming::Standard, help: Text::from_static(help), unit: Some(unit) }
    }

    /// With this help, a sentence for people.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<Text>) -> Self {
        self.help = help.into();
        self
    }

    /// With this unit, which the name has to end in (OM1-FAM-11).
    #[must_use]
    pub fn with_unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// With names written as they are or with the type's suffix.
    #[must_use]
    pub const fn with_naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// With another name, such as one with a prefix.
    #[must_use]
    pub fn with_name(mut self, name: MetricName) -> Self {
        self.name = name;
        self
    }

    /// The family's name, without the suffixes that formats add.
    #[inline]
    pub fn name(&self) -> &MetricName {
        &self.name
    }

    /// The type.
    #[inline]
    pub fn metric_type(&self) -> MetricType {
        self.metric_type
    }

    /// How sample names come from the name.
    #[inline]
    pub fn naming(&self) -> Naming {
        self.naming
    }

    /// The help text; empty if there is none.
    #[inline]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The unit.
    #[inline]
    pub fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }
}

/// A whole family, owned.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricFamily {
    /// Name, type, help and unit.
    pub descriptor: Descriptor,
    /// The metrics, each with label set of its own.
    pub metrics: Vec<Metric>,
}

/// A label set within a family and its points, nearly always one.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The labels; unique in the family.
    pub labels: LabelSet,
    /// The points, in the order of their timestamps.
    pub points: Vec<MetricPoint>,
}

/// A whole exposition, owned: what a reader returns, what tests and tools compare and convert.
///
/// It is a [`Collector`], so whatever has been read can be written in any format.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricSet {
    /// The families in order.
    pub families: Vec<MetricFamily>,
}

impl MetricSet {
    /// The family called `name`.
    pub fn family(&self, name: &str) -> Option<&MetricFamily> {
        self.families.iter().find(|family| family.descriptor.name() == name)
    }
}

impl Collector for MetricSet {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        for family in &self.families {
            let mut to = out.family(&family.descriptor);
            for metric in &family.metrics {
                for point in &metric.points {
                    point.with_borrowed(|point| to.point(Labels::from(&metric.labels), point));
                }
            }
        }
        Ok(())
    }
}

/// Whether the unit is the end of the name, after an underscore.
pub(crate) fn unit_is_suffix(name: &str, unit: &str) -> bool {
    name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_end_names() {
        assert!(unit_is_suffix("a_seconds", "seconds"));
        assert!(!unit_is_suffix("aseconds", "seconds"));
        assert!(!unit_is_suffix("seconds", "seconds"));
        assert!(Unit::new("a b").is_err());
        assert!(Unit::new("").is_err());
    }

    #[test]
    fn every_type_has_its_word() {
        for t in MetricType::ALL {
            assert_eq!(MetricType::from_word(t.as_str()), Some(t));
        }
        assert_eq!(MetricType::from_word("untyped"), None, "OpenMetrics has no such word");
    }
}
