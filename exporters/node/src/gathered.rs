//! What a collector keeps between reading and telling, in the simplest form: points by family.
//!
//! For collectors that need nothing better; those that run on every host and have many rows keep tables of their own.

use std::borrow::Cow;
use std::collections::HashMap;

use openmetrics::model::{Descriptor, Labels, MetricType, Number};

use crate::collectors::NodeCollector;
use crate::families::{self, INFO};
use crate::host::{Error, Host};
use crate::page::Page;

/// Points by family, families in the order in which they first had one.
#[derive(Debug, Default)]
pub struct Gathered {
    families: Vec<Family>,
    by_name: HashMap<String, usize>,
}

#[derive(Debug)]
struct Family {
    /// `None`: the host's name for it makes no metric name.
    descriptor: Option<Cow<'static, Descriptor>>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    labels: Vec<(&'static str, String)>,
    value: Number,
}

/// How many families are remembered; more than any host has.
const FAMILIES_KEPT: usize = 10_000;

impl Gathered {
    /// Takes all points away, for a new reading.
    pub fn begin(&mut self) {
        if self.families.len() > FAMILIES_KEPT {
            self.families.clear();
            self.by_name.clear();
        }
        for family in &mut self.families {
            family.rows.clear();
        }
    }

    /// Adds a point to a family. The value of an info does not matter.
    pub fn point(
        &mut self,
        family: &'static Descriptor,
        labels: &[(&'static str, &str)],
        value: impl Into<Number>,
    ) {
        let at = self.place(family.name().as_str(), || Some(Cow::Borrowed(family)));
        self.add(at, labels, value.into());
    }

    /// Adds a point to a family whose name comes from the host.
    pub fn named(
        &mut self,
        name: &str,
        metric_type: MetricType,
        help: impl FnOnce() -> String,
        labels: &[(&'static str, &str)],
        value: impl Into<Number>,
    ) {
        let at = self.place(name, || families::named(name, metric_type, help()).map(Cow::Owned));
        self.add(at, labels, value.into());
    }

    fn place(&mut self, name: &str, make: impl FnOnce() -> Option<Cow<'static, Descriptor>>) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        let at = self.families.len();
        self.families.push(Family { descriptor: make(), rows: Vec::new() });
        self.by_name.insert(name.to_owned(), at);
        at
    }

    fn add(&mut self, at: usize, labels: &[(&'static str, &str)], value: Number) {
        if let Some(family) = self.families.get_mut(at) {
            let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            family.rows.push(Row { labels, value });
        }
    }

    /// Tells all points.
    pub fn emit(&self, out: &mut Page<'_, '_>) {
        for Family { descriptor, rows } in &self.families {
            let Some(descriptor) = descriptor else { continue };
            let is_info = descriptor.metric_type() == MetricType::Info;
            let mut family = out.family(descriptor);
            for row in rows {
                let labels: Vec<(&str, &str)> =
                    row.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                if is_info {
                    family.point(Labels::new(&labels), INFO);
                } else {
                    family.point(Labels::new(&labels), row.value);
                }
            }
        }
    }

    /// The points as lines, for tests: families by their names in the model, labels in their order.
    #[cfg(test)]
    pub(crate) fn told(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Family { descriptor, rows } in &self.families {
            let Some(descriptor) = descriptor else { continue };
            for row in rows {
                let labels: Vec<String> = row.labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
                let labels =
                    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
                let value = match row.value {
                    Number::Unsigned(v) => v.to_string(),
                    other => other.as_f64().to_string(),
                };
                lines.push(format!("{}{labels} {value}", descriptor.name()));
            }
        }
        lines
    }
}

/// A collector that is one function from the host to points.
pub struct Reader<F> {
    read: F,
    gathered: Gathered,
}

impl<F: FnMut(&mut Host, &mut Gathered) -> Result<(), Error> + Send + 'static> Reader<F> {
    /// A collector that reads by `read`.
    pub fn boxed(read: F) -> Box<dyn NodeCollector> {
        Box::new(Self { read, gathered: Gathered::default() })
    }
}

impl<F: FnMut(&mut Host, &mut Gathered) -> Result<(), Error> + Send> NodeCollector for Reader<F> {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.gathered.begin();
        (self.read)(host, &mut self.gathered)
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        self.gathered.emit(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::gauge;

    #[test]
    fn points_stand_by_family_and_go_with_the_next_reading() {
        static A: Descriptor = gauge("a", "");
        let mut gathered = Gathered::default();
        gathered.point(&A, &[("x", "1")], 1_u64);
        gathered.named("b", MetricType::Gauge, String::new, &[], 0.5);
        gathered.named("1b", MetricType::Gauge, String::new, &[], 0.5);
        gathered.point(&A, &[("x", "2")], 2_u64);
        assert_eq!(gathered.told(), [r#"a{x="1"} 1"#, r#"a{x="2"} 2"#, "b 0.5"]);
        gathered.begin();
        assert!(gathered.told().is_empty());
    }
}
