//! Families: one metric for each label set.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::labels::LabelSet;
use super::lifetime::{Lifetime, SeriesGuard};
use super::page::PAGE;
use super::reading::PageCopy;
use super::store::{Borrowed, DENSE_MAX, Inner, NOWHERE};
use super::{Cell, Instrument, Metric, Options};
use crate::error::{Error, Kind};
use crate::model::{self, FamilyEmitter, Labels, MetricType};

/// A metric for each label set: `requests.with(Request { method, path }).inc()`.
///
/// Clones are the same family. A metric begins when its labels are first used, and stays until it is removed.
///
/// Three ways to a metric, from the quickest to write to the quickest to run:
///
/// * [`with`](Family::with) finds it each time: no allocation, and no lock for labels that were used before;
/// * [`handle`](Family::handle) gives a handle to keep, which costs what an unlabelled metric costs;
/// * labels that are all enums are found without hashing, by [`LabelValue::CARDINALITY`](super::LabelValue::CARDINALITY).
///
/// A handle to a removed metric goes on working; what it counts is not shown any more.
///
/// ```
/// use openmetrics::instrument::{Counter, Family};
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let requests: Family<[&str; 2], Counter> =
///     registry.metric("app_requests", "Requests served.").labels(["method", "path"]).register()?;
/// requests.with(["GET", "/"]).inc();
///
/// let path = String::from("/upload");
/// let uploads = requests.handle(["PUT", &path]);
/// uploads.inc_by(2);
/// assert_eq!(requests.with(["PUT", &path]).get(), 2);
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct Family<L, M: Metric> {
    inner: Arc<Inner<M>>,
    labels: PhantomData<fn(L)>,
}

impl<L, M: Metric> Clone for Family<L, M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), labels: PhantomData }
    }
}

impl<L, M: Metric> fmt::Debug for Family<L, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("labels", &self.inner.names).field("len", &self.len()).finish()
    }
}

impl<L: LabelSet, M: Metric> Family<L, M> {
    /// The metric with these labels, made if it is not there.
    #[inline(always)]
    pub fn with<Q: LabelSet<Owner = L::Owner>>(&self, labels: Q) -> Borrowed<'_, M> {
        self.inner.with(&labels)
    }

    /// A handle to the metric with these labels, to keep and to clone.
    pub fn handle<Q: LabelSet<Owner = L::Owner>>(&self, labels: Q) -> M {
        self.inner.with(&labels).to_handle()
    }

    /// A handle to the metric with these labels, if it is there.
    pub fn get<Q: LabelSet<Owner = L::Owner>>(&self, labels: Q) -> Option<M> {
        self.inner.with_key(&labels, |key| {
            let mut state = self.inner.lock();
            Some(self.inner.find(&mut state, key)?.to_handle())
        })
    }

    /// The metric with these labels, for as long as the guard: this series lives as long as this connection.
    ///
    /// ```
    /// # use openmetrics::{instrument::{Family, Gauge}, registry::Registry};
    /// # let registry = Registry::new();
    /// let sent: Family<[&str; 1], Gauge> =
    ///     registry.metric("connection_queue_bytes", "Bytes that wait to be sent.").labels(["peer"]).register()?;
    /// {
    ///     let queue = sent.guard(["198.51.100.7:443"]);
    ///     queue.set(1500);
    ///     assert_eq!(sent.len(), 1);
    /// }
    /// assert_eq!(sent.len(), 0);
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    pub fn guard<Q: LabelSet<Owner = L::Owner>>(&self, labels: Q) -> SeriesGuard<M> {
        loop {
            let found = self.inner.with(&labels);
            let metric = found.to_handle();
            let mut state = self.inner.lock();
            if found.at == NOWHERE || found.is_alive() {
                return self.inner.guard(&mut state, found.at, metric);
            }
            // Somebody removed it in between.
        }
    }

    /// Removes the metric with these labels; `false` if there was none.
    pub fn remove<Q: LabelSet<Owner = L::Owner>>(&self, labels: Q) -> bool {
        self.inner.with_key(&labels, |key| {
            let mut state = self.inner.lock();
            let Some(at) = self.inner.find(&mut state, key).map(|found| found.at) else { return false };
            self.inner.remove(&mut state, at);
            true
        })
    }

    /// Removes the metrics whose labels `is_unwanted` accepts, and says how many.
    ///
    /// ```
    /// # use openmetrics::{instrument::{Counter, Family}, registry::Registry};
    /// # let registry = Registry::new();
    /// # let requests: Family<[&str; 1], Counter> = registry.metric("a", "").labels(["tenant"]).register()?;
    /// # requests.with(["t1"]).inc();
    /// let removed = requests.remove_matching(|labels| labels.get("tenant").as_deref() == Some("t1"));
    /// assert_eq!(removed, 1);
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    pub fn remove_matching(&self, mut is_unwanted: impl FnMut(&Labels<'_>) -> bool) -> usize {
        let mut removed = 0;
        let mut page = PageCopy::<M>::default();
        let reading = self.inner.begin_reading();
        for number in 0.. {
            // `is_unwanted` may use this family, so it is called without the lock.
            if !self.inner.copy_page(number, reading, false, &mut page) {
                break;
            }
            let unwanted = page.series().filter(|(_, text)| is_unwanted(&labels_of(text)));
            let unwanted: Vec<u32> = unwanted.map(|(series, _)| series.at).collect();
            if unwanted.is_empty() {
                continue;
            }
            let mut state = self.inner.lock();
            for at in unwanted {
                if self.inner.is_of(at, reading) {
                    self.inner.remove(&mut state, at);
                    removed += 1;
                }
            }
        }
        removed
    }
}

impl<L, M: Metric> Family<L, M> {
    /// Removes all metrics.
    pub fn clear(&self) {
        let mut state = self.inner.lock();
        for at in 0..state.used {
            if self.inner.is_of(at, u32::MAX) {
                self.inner.remove(&mut state, at);
            }
        }
    }

    /// How many metrics there are.
    pub fn len(&self) -> usize {
        self.inner.lock().len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<L: LabelSet + 'static, M: Metric> Instrument for Family<L, M> {
    const TYPE: MetricType = M::TYPE;

    fn label_names(options: &Options) -> Result<Vec<model::LabelName>, Error> {
        let names = if L::NAMES.is_empty() {
            options.label_names()?
        } else {
            L::NAMES.iter().map(|&name| model::LabelName::new(name)).collect::<Result<_, _>>()?
        };
        if names.len() == L::ARITY {
            return Ok(names);
        }
        let (given, arity) = (names.len(), L::ARITY);
        Err(Error::new(Kind::Refused {
            rule: "OM1-LAB-02",
            message: format!("{given} label names are given for {arity} label values"),
        }))
    }

    fn create(options: &Options, constant: &model::LabelSet) -> Result<Self, Error> {
        let names = Self::label_names(options)?;
        let mut consts = String::new();
        model::render(&Labels::from(constant), &mut consts);
        let dense = L::CARDINALITY.filter(|&n| n <= DENSE_MAX);
        let lifetime = Lifetime::new(options, dense.is_some());
        let inner = Inner::new(
            names.into(),
            consts,
            M::Cell::shape(&options.decided(dense.is_some()))?,
            dense,
            lifetime,
            options.compact && dense.is_none(),
        );
        Ok(Self { inner: Arc::new(inner), labels: PhantomData })
    }

    fn overflowed(&self) -> Option<u64> {
        self.inner.overflowed()
    }

    fn emit(&self, out: &mut FamilyEmitter<'_>, _: &Labels<'_>) {
        let reading = self.inner.begin_reading();
        let mut page = PageCopy::<M>::of_this_thread();
        for number in 0.. {
            let Some(given) = self.inner.give_rows(number, reading, out) else { break };
            if given == PAGE {
                continue;
            }
            if !self.inner.copy_page(number, reading, out.wants_protobuf(), &mut page) {
                break;
            }
            for (series, text) in page.series().filter(|(series, _)| series.at % PAGE >= given) {
                let protobuf = page.protobuf.series((series.at % PAGE) as usize);
                M::Cell::emit(&series.reading, series.start, &Labels::rendered(text, protobuf), out);
            }
        }
        page.keep();
    }
}

fn labels_of(text: &str) -> Labels<'_> {
    Labels::rendered(text, &[])
}
