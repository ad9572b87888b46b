//! Families whose label names are known only when a program runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

use super::lifetime::OVERFLOW;
use super::options::refused;
use super::slot::Slot;
use super::{Cell, Instrument, Metric, Options};
use crate::error::Error;
use crate::model::{self, FamilyEmitter, Label, LabelName, LabelSet, Labels, MetricType, reserved_label};
use crate::sync::{Mutex, MutexGuard};

/// A metric for each label set, whose names are not known when the program is compiled: labels of a configuration, or of a
/// facade.
///
/// Where they are known, use a [`Family`](super::Family): it finds its metrics without a lock and without allocation, and a misspelt
/// label is an error of the compiler. Here a look-up takes a lock; keep the handles.
///
/// ```
/// use openmetrics::instrument::{Counter, DynamicFamily};
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let hits: DynamicFamily<Counter> = registry.metric("hits", "Hits, by whatever labels.").register()?;
/// hits.handle(&[("path", "/"), ("host", "a")])?.inc();
/// hits.handle(&[("host", "a"), ("path", "/")])?.inc();
/// hits.handle(&[("code", "200")])?.inc();
/// assert_eq!(hits.len(), 2);
/// assert!(hits.handle(&[("__reserved", "x")]).is_err());
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct DynamicFamily<M: Metric> {
    inner: Arc<Inner<M>>,
}

struct Inner<M: Metric> {
    shape: <M::Cell as Cell>::Shape,
    constant: LabelSet,
    max_series: usize,
    series: Mutex<Series<M>>,
}

struct Series<M> {
    by_labels: BTreeMap<LabelSet, M>,
    overflowed: u64,
}

impl<M: Metric> Clone for DynamicFamily<M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<M: Metric> fmt::Debug for DynamicFamily<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicFamily").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<M: Metric> DynamicFamily<M> {
    /// A handle to the metric with these labels, made if it is not there. The order of the labels does not matter.
    ///
    /// Beyond the [limit](crate::registry::Definition::max_series) it is the metric with the one label `overflow="true"`.
    ///
    /// # Errors
    ///
    /// If a label name is empty or reserved (OM1-LAB-01, OM2-HIS-08, OM2-SUM-05, OM2-UTF-03), given twice, or a constant label's
    /// (OM1-LAB-02). Names outside the classic grammar are written by newer formats as they are, and escaped by the others.
    pub fn handle(&self, labels: &[(&str, &str)]) -> Result<M, Error> {
        let labels = self.inner.check(labels)?;
        let mut series = self.inner.lock();
        if let Some(metric) = series.by_labels.get(&labels) {
            return Ok(metric.clone());
        }
        let overflow = LabelSet::from_pairs([(OVERFLOW, "true")])?;
        let regular = series.by_labels.len() - usize::from(series.by_labels.contains_key(&overflow));
        let labels = if regular < self.inner.max_series {
            labels
        } else {
            series.overflowed += 1;
            overflow
        };
        let make = || M::from_slot(Slot::alone(M::Cell::new(&self.inner.shape)));
        Ok(series.by_labels.entry(labels).or_insert_with(make).clone())
    }

    /// Removes the metric with these labels; `false` if there was none. Handles go on working, and nobody sees what they count.
    pub fn remove(&self, labels: &[(&str, &str)]) -> bool {
        let Ok(labels) = self.inner.check(labels) else { return false };
        self.inner.lock().by_labels.remove(&labels).is_some()
    }

    /// Removes the metrics whose labels `is_unwanted` accepts, and says how many.
    pub fn remove_matching(&self, mut is_unwanted: impl FnMut(&LabelSet) -> bool) -> usize {
        let mut series = self.inner.lock();
        let before = series.by_labels.len();
        series.by_labels.retain(|labels, _| !is_unwanted(labels));
        before - series.by_labels.len()
    }

    /// Removes all metrics.
    pub fn clear(&self) {
        self.inner.lock().by_labels.clear();
    }

    /// How many metrics there are.
    pub fn len(&self) -> usize {
        self.inner.lock().by_labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<M: Metric> Inner<M> {
    fn lock(&self) -> MutexGuard<'_, Series<M>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, labels: &[(&str, &str)]) -> Result<LabelSet, Error> {
        let labels = labels.iter().map(|&(name, value)| {
            let wrong = if self.constant.get(name).is_some() {
                Some(("OM1-LAB-02", "is a constant label already"))
            } else {
                reserved_label(name, M::TYPE)
            };
            match wrong {
                Some((rule, reason)) => Err(refused(rule, format!("label {name:?} {reason}"))),
                None => Ok(Label::new(LabelName::utf8(name.to_owned())?, value.to_owned())),
            }
        });
        LabelSet::new(labels.collect::<Result<Vec<_>, Error>>()?)
    }
}

impl<M: Metric> Instrument for DynamicFamily<M> {
    const TYPE: MetricType = M::TYPE;

    fn label_names(options: &Options) -> Result<Vec<LabelName>, Error> {
        if !options.labels.is_empty() || options.idle_expiry.is_some() || options.compact {
            let message =
                "label names, expiry or compact series are given for a family whose labels are dynamic";
            return Err(refused("OM1-LAB-02", message));
        }
        Ok(Vec::new())
    }

    fn create(options: &Options, constant: &model::LabelSet) -> Result<Self, Error> {
        let inner = Inner {
            shape: M::Cell::shape(&options.decided(false))?,
            constant: constant.clone(),
            max_series: options.max_series.unwrap_or(usize::MAX),
            series: Mutex::new(Series { by_labels: BTreeMap::new(), overflowed: 0 }),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn overflowed(&self) -> Option<u64> {
        (self.inner.max_series < usize::MAX).then(|| self.inner.lock().overflowed)
    }

    fn emit(&self, out: &mut FamilyEmitter<'_>, constant: &Labels<'_>) {
        let all: Vec<(LabelSet, M)> = self
            .inner
            .lock()
            .by_labels
            .iter()
            .map(|(labels, metric)| (labels.clone(), metric.clone()))
            .collect();
        let mut reading = Default::default();
        for (labels, metric) in all {
            let entry = metric.slot().entry();
            entry.cell.read(&mut reading);
            let own = Labels::from(&labels);
            M::Cell::emit(&reading, entry.start(), &own.after(*constant), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, encode};
    use crate::instrument::{Counter, Histogram};
    use crate::registry::Registry;

    fn page(registry: &Registry) -> Vec<String> {
        let mut page = Vec::new();
        let report = encode(registry, Format::TEXT_1_0_0, &mut page);
        assert!(report.is_clean(), "{report:?}");
        let page = String::from_utf8(page).unwrap();
        page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn labels_of_any_names_beside_constant_ones() {
        let registry = Registry::new();
        let scope = registry.scope("app").with_labels([("zone", "eu")]).unwrap();
        let hits: DynamicFamily<Counter> = scope.metric("hits", "Hits.").register().unwrap();
        hits.handle(&[("b", "2"), ("a", "1")]).unwrap().inc();
        hits.handle(&[("a", "1"), ("b", "2")]).unwrap().inc();
        hits.handle(&[("http.method", "GET")]).unwrap().inc();
        hits.handle(&[]).unwrap().inc();
        assert_eq!(
            page(&registry),
            [
                r#"app_hits_total{zone="eu"} 1"#,
                r#"app_hits_total{zone="eu",a="1",b="2"} 2"#,
                r#"app_hits_total{zone="eu","http.method"="GET"} 1"#,
            ]
        );
        for labels in [&[("zone", "us")][..], &[("a", "1"), ("a", "2")], &[("", "1")], &[("__a", "1")]] {
            assert!(hits.handle(labels).is_err(), "{labels:?}");
        }
        assert!(hits.remove(&[("b", "2"), ("a", "1")]));
        assert!(!hits.remove(&[("b", "2"), ("a", "1")]));
        assert_eq!(hits.remove_matching(|labels| labels.get("http.method").is_some()), 1);
        assert_eq!(page(&registry), [r#"app_hits_total{zone="eu"} 1"#]);
    }

    #[test]
    fn a_limit_holds_here_too() {
        let registry = Registry::new();
        let hits: DynamicFamily<Counter> = registry.metric("hits", "Hits.").max_series(1).register().unwrap();
        for path in ["/a", "/b", "/c"] {
            hits.handle(&[("path", path)]).unwrap().inc();
        }
        assert_eq!(
            page(&registry),
            [
                r#"hits_total{overflow="true"} 2"#,
                r#"hits_total{path="/a"} 1"#,
                r#"openmetrics_series_overflow_total{family="hits"} 2"#,
            ]
        );
    }

    #[test]
    fn words_of_a_type_are_its_own() {
        let registry = Registry::new();
        let sizes: DynamicFamily<Histogram> = registry.metric("sizes", "Sizes.").register().unwrap();
        assert_eq!(sizes.handle(&[("le", "1")]).unwrap_err().rule(), Some("OM2-HIS-08"));
        assert!(registry.metric("a", "").labels(["x"]).register::<DynamicFamily<Counter>>().is_err());
    }
}
