//! Descriptors under the names that node_exporter's users know.
//!
//! Names are written as its pages show them, `_total` and `_info` included; what of that is the type's own suffix
//! goes to the format, and the unit is read off the end of the name.

use std::collections::HashMap;

use openmetrics::model::{Descriptor, Labels, MetricName, MetricType, Naming, Number, Unit, Value};

use crate::page::Page;

/// A counter. A name without `_total` stays as it is in every format.
pub const fn counter(name: &'static str, help: &'static str) -> Descriptor {
    match strip_suffix(name, "_total") {
        Some(base) => with_unit_of(base, MetricType::Counter, help),
        None => with_unit_of(name, MetricType::Counter, help).with_naming(Naming::Verbatim),
    }
}

/// A gauge.
pub const fn gauge(name: &'static str, help: &'static str) -> Descriptor {
    with_unit_of(name, MetricType::Gauge, help)
}

/// Facts as labels, always 1; the name ends in `_info`. Its points are [`INFO`].
///
/// # Panics
///
/// If it does not; in a static that is a compile error.
pub const fn info(name: &'static str, help: &'static str) -> Descriptor {
    match strip_suffix(name, "_info") {
        Some(base) => Descriptor::literal(base, MetricType::Info, help),
        None => panic!("the name of an info ends in _info"),
    }
}

/// The value of every info: its facts are among the labels.
pub const INFO: Value<'static> = Value::Info(Labels::EMPTY);

/// A value of which the kernel does not say whether it only rises.
pub const fn unknown(name: &'static str, help: &'static str) -> Descriptor {
    Descriptor::literal(name, MetricType::Unknown, help)
}

/// A family whose name comes from the host; characters that a name cannot have become `_`.
pub fn named(name: &str, metric_type: MetricType, help: String) -> Option<Descriptor> {
    let (name, naming) = match metric_type {
        MetricType::Counter => match name.strip_suffix("_total") {
            Some(base) => (base, Naming::Standard),
            None => (name, Naming::Verbatim),
        },
        _ => (name, Naming::Standard),
    };
    let descriptor = Descriptor::new(MetricName::new(name).ok()?, metric_type);
    Some(descriptor.with_naming(naming).with_help(help))
}

/// Values without labels whose names come from the host, each a family of its own.
///
/// Families are made once; [`begin`](Singles::begin) takes only their values away.
#[derive(Debug, Default)]
pub struct Singles {
    known: HashMap<String, usize>,
    families: Vec<(Option<Descriptor>, Option<Number>)>,
}

/// How many families are remembered; more than any kernel has.
const FAMILIES_KEPT: usize = 10_000;

impl Singles {
    /// Begins a new reading.
    pub fn begin(&mut self) {
        if self.families.len() > FAMILIES_KEPT {
            self.known.clear();
            self.families.clear();
        }
        for (_, value) in &mut self.families {
            *value = None;
        }
    }

    /// The place of the family that is made of `name` by `make`; the same until the next `begin` at least.
    pub fn place(&mut self, name: &str, make: impl FnOnce(&str) -> Option<Descriptor>) -> usize {
        if let Some(place) = self.known.get(name) {
            return *place;
        }
        let place = self.families.len();
        self.families.push((make(name), None));
        self.known.insert(name.to_owned(), place);
        place
    }

    /// Sets the value of the family at a place; the last one counts.
    pub fn set(&mut self, place: usize, value: impl Into<Number>) {
        if let Some((_, slot)) = self.families.get_mut(place) {
            *slot = Some(value.into());
        }
    }

    /// Whether places that were given out are still good.
    pub fn holds(&self, place: usize) -> bool {
        place < self.families.len()
    }

    /// The values as lines, for tests.
    #[cfg(test)]
    pub(crate) fn told(&self) -> Vec<String> {
        let told =
            self.families.iter().filter_map(|(family, value)| Some((family.as_ref()?.name(), (*value)?)));
        told.map(|(name, value)| match value {
            Number::Unsigned(v) => format!("{name} {v}"),
            other => format!("{name} {}", other.as_f64()),
        })
        .collect()
    }

    /// Tells all values.
    pub fn emit(&self, out: &mut Page<'_, '_>) {
        for (family, value) in &self.families {
            if let (Some(family), Some(value)) = (family, value) {
                out.value(family, *value);
            }
        }
    }
}

/// Names that lines of a file begin with, which mostly stay the same while the kernel runs, and where the values of
/// those that are told go.
#[derive(Debug, Default)]
pub struct NamedLines(Vec<(String, Option<usize>)>);

impl NamedLines {
    /// Splits the line that is the `at`th into its name's place and what stands after the name; `None` if nothing does.
    /// `place` is asked where the value of a name goes that the line did not have in the last reading.
    pub fn split<'t>(
        &mut self,
        at: usize,
        line: &'t str,
        values: &mut Singles,
        place: impl FnOnce(&str, &mut Singles) -> Option<usize>,
    ) -> Option<(Option<usize>, &'t str)> {
        if let Some((name, place)) = self.0.get(at)
            && place.is_none_or(|place| values.holds(place))
            && let Some(rest) =
                line.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix([' ', '\t']))
        {
            return Some((*place, rest));
        }
        let (name, rest) = line.split_once([' ', '\t'])?;
        let place = place(name, values);
        self.0.truncate(at);
        if self.0.len() == at {
            self.0.push((name.to_owned(), place));
        }
        Some((place, rest))
    }
}

/// A name made of what a metric name can have: runs of anything else, and the underscores around them, become one
/// underscore.
pub fn sanitize(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    let mut rest = name;
    let foreign = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    while let Some(at) = rest.find(foreign) {
        let (before, after) = rest.split_at(at);
        clean.push_str(before.trim_end_matches('_'));
        clean.push('_');
        rest = after.trim_start_matches(foreign).trim_start_matches('_');
    }
    clean.push_str(rest);
    clean
}

const fn with_unit_of(name: &'static str, metric_type: MetricType, help: &'static str) -> Descriptor {
    const UNITS: [&str; 9] =
        ["seconds", "bytes", "celsius", "ratio", "volts", "amperes", "joules", "hertz", "watts"];
    let mut i = 0;
    while i < UNITS.len() {
        if let Some(base) = strip_suffix(name, UNITS[i])
            && strip_suffix(base, "_").is_some()
        {
            return Descriptor::literal_with_unit(name, metric_type, Unit::from_static(UNITS[i]), help);
        }
        i += 1;
    }
    Descriptor::literal(name, metric_type, help)
}

const fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (t, s) = (text.as_bytes(), suffix.as_bytes());
    if t.len() < s.len() {
        return None;
    }
    let mut i = 0;
    while i < s.len() {
        if t[t.len() - s.len() + i] != s[i] {
            return None;
        }
        i += 1;
    }
    Some(text.split_at(t.len() - s.len()).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_type_and_unit() {
        let d = counter("node_cpu_seconds_total", "");
        assert_eq!((d.name().as_str(), d.naming()), ("node_cpu_seconds", Naming::Standard));
        assert_eq!(d.unit(), Some(&Unit::SECONDS));
        let d = counter("node_xfs_allocation_btree_lookups", "");
        assert_eq!((d.name().as_str(), d.naming()), ("node_xfs_allocation_btree_lookups", Naming::Verbatim));
        assert_eq!(info("node_uname_info", "").name().as_str(), "node_uname");
        assert_eq!(gauge("seconds", "").unit(), None);
    }

    #[test]
    fn names_from_the_host_are_made_valid() {
        assert_eq!(sanitize("a.b"), "a_b");
        assert_eq!(sanitize("__a__.-__b_"), "__a_b_");
        assert_eq!(sanitize("é"), "_");
    }
}
