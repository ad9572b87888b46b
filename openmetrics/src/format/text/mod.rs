//! The text formats: line by line, for people and for scrapers.

#[cfg(feature = "parse")]
pub mod assemble;
#[cfg(feature = "parse")]
mod blocks;
mod checks;
mod classic;
mod composite;
mod encoder;
#[cfg(feature = "parse")]
pub mod entries;
#[cfg(feature = "parse")]
mod fast;
#[cfg(feature = "parse")]
mod grammar;
mod line;
mod number;
#[cfg(feature = "parse")]
mod numeral;

pub(crate) use checks::{
    check_counter, check_summary, claim_written, exemplar_fits, place_exemplars, repeated, rising,
};
pub(crate) use classic::{check as check_classic, from_native};
pub(crate) use encoder::Encoder;

use std::borrow::Cow;

use super::Escaping;
use crate::model::{Descriptor, Labels, MetricType, Naming, Part, Refusal};
use number::Style;

/// What differs between the text formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// 0.0.4 and 1.0.0, which differ in their escaping only.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics1,
    /// OpenMetrics 2.0-rc0.
    OpenMetrics2,
}

/// How a family is called and typed in a dialect.
pub(crate) struct Heading<'n> {
    /// The type as written.
    pub(crate) metric_type: MetricType,
    /// The family's name in its metadata, escaped.
    pub(crate) family: &'n str,
    /// What follows it in samples that are plain numbers.
    pub(crate) suffix: &'static str,
}

impl Dialect {
    pub(crate) const fn style(self) -> Style {
        match self {
            Self::Prometheus => Style::Go,
            Self::OpenMetrics1 | Self::OpenMetrics2 => Style::OpenMetrics,
        }
    }

    /// The word for a type in a `TYPE` line. What Prometheus text has no word for is written as what comes nearest.
    pub(crate) const fn type_word(self, metric_type: MetricType) -> &'static str {
        match (self, metric_type) {
            (Self::Prometheus, MetricType::Info | MetricType::StateSet) => "gauge",
            (Self::Prometheus, MetricType::GaugeHistogram) => "histogram",
            (Self::Prometheus, MetricType::Unknown) => "untyped",
            (_, metric_type) => metric_type.as_str(),
        }
    }

    /// What samples of a family may be called, after its name as metadata has it.
    pub(crate) const fn suffixes(self, metric_type: MetricType) -> &'static [&'static str] {
        match (self, metric_type) {
            (Self::OpenMetrics2, _) => &[""],
            (Self::OpenMetrics1, MetricType::Counter) => &["", "_total", "_created"],
            (Self::OpenMetrics1, MetricType::Info) => &["", "_info"],
            (_, MetricType::Histogram) => &["", "_bucket", "_count", "_sum", "_created"],
            (_, MetricType::GaugeHistogram) => &["", "_bucket", "_gcount", "_gsum"],
            (_, MetricType::Summary) => &["", "_count", "_sum", "_created"],
            _ => &[""],
        }
    }

    /// Name and type of a family here. `full` is room for the name.
    ///
    /// Names are escaped with the suffix that makes them those of a counter or an info, as Prometheus' libraries do it;
    /// what a histogram's samples add comes after. OpenMetrics 1.0 takes that suffix off the metadata again. There a
    /// [`Naming::Verbatim`] counter or info without such a suffix turns into an unknown or gauge.
    pub(crate) fn heading<'n>(
        self,
        descriptor: &Descriptor,
        escaping: Escaping,
        full: &'n mut String,
    ) -> Heading<'n> {
        let metric_type = descriptor.metric_type();
        let suffix = match metric_type {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            _ => "",
        };
        descriptor.name().as_str().clone_into(full);
        if descriptor.naming() == Naming::Standard {
            full.push_str(suffix);
        }
        if let Cow::Owned(escaped) = escaping.metric_name(full) {
            *full = escaped;
        }
        if self != Self::OpenMetrics1 || suffix.is_empty() {
            return Heading { metric_type, family: full, suffix: "" };
        }
        match full.strip_suffix(suffix) {
            Some(family) if !family.is_empty() => Heading { metric_type, family, suffix },
            _ if metric_type == MetricType::Info => {
                Heading { metric_type: MetricType::Gauge, family: full, suffix: "" }
            }
            _ => Heading { metric_type: MetricType::Unknown, family: full, suffix: "" },
        }
    }

    /// Refuses what OpenMetrics keeps for itself: names of families that begin with an underscore as they are written
    /// (OM1-FAM-02, OM2-NAME-03), and statesets whose name as written is not that of a label (OM1-SS-01, OM2-SS-01),
    /// such as one with a colon, unless label names may be quoted.
    pub(crate) fn check_name(
        self,
        heading: &Heading<'_>,
        descriptor: &Descriptor,
        escaping: Escaping,
    ) -> Result<(), Refusal> {
        let (reserved, state) = match self {
            Self::Prometheus => return Ok(()),
            Self::OpenMetrics1 => ("OM1-FAM-02", "OM1-SS-01"),
            Self::OpenMetrics2 => ("OM2-NAME-03", "OM2-SS-01"),
        };
        let name = heading.family;
        if name.starts_with('_') {
            let message = format!("names that begin with an underscore, as {name:?}, are reserved");
            return Err(Refusal::new(reserved, message));
        }
        if heading.metric_type == MetricType::StateSet
            && *escaping.label_name(descriptor.name().as_str()) != *name
        {
            let message = format!("a stateset's name is that of a label as well, and {name:?} cannot be one");
            return Err(Refusal::new(state, message));
        }
        Ok(())
    }

    /// Refuses label names that begin with an underscore as they are written, which OpenMetrics keeps for itself
    /// (OM1-LAB-01, OM2-NAME-03).
    #[inline]
    pub(crate) fn check_labels(self, labels: &Labels<'_>, escaping: Escaping) -> Result<(), Refusal> {
        let rule = match self {
            Self::Prometheus => return Ok(()),
            Self::OpenMetrics1 => "OM1-LAB-01",
            Self::OpenMetrics2 => "OM2-NAME-03",
        };
        match reserved_label(labels, escaping) {
            Some(name) => {
                let message = format!("label names that begin with an underscore, as {name:?}, are reserved");
                Err(Refusal::new(rule, message))
            }
            None => Ok(()),
        }
    }

    /// The unit to write, if any: where the format has units, for types that may have one, and in OpenMetrics 1.0 only
    /// where the name ends in it (OM1-FAM-11).
    pub(crate) fn unit<'d>(self, descriptor: &'d Descriptor, heading: &Heading<'_>) -> Option<&'d str> {
        let unit = descriptor.unit()?.as_str();
        let unitless = matches!(descriptor.metric_type(), MetricType::Info | MetricType::StateSet);
        let allowed = match self {
            Self::Prometheus => false,
            Self::OpenMetrics1 => crate::model::unit_is_suffix(heading.family, unit),
            Self::OpenMetrics2 => true,
        };
        (allowed && !unitless).then_some(unit)
    }
}

/// A label whose name begins with an underscore as it is written.
#[inline]
fn reserved_label<'a>(labels: &Labels<'a>, escaping: Escaping) -> Option<&'a str> {
    let is_reserved = |name: &str| match name.as_bytes().first() {
        Some(b'a'..=b'z' | b'A'..=b'Z') => false,
        Some(b'_') => true,
        _ => escaping != Escaping::AllowUtf8 && escaping.label_name(name).starts_with('_'),
    };
    labels.parts().find_map(|part| match part {
        Part::Pairs(pairs) => pairs.iter().map(|(name, _)| *name).find(|name| is_reserved(name)),
        Part::Set(set) => set.iter().map(|label| label.name.as_str()).find(|name| is_reserved(name)),
        Part::Rendered(rendered) => rendered.names().find(|name| is_reserved(name)),
    })
}
