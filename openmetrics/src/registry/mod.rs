//! Where metrics are registered, checked and collected.
//!
//! What is wrong with a name, a label or a unit is an error here, when the program starts, and never a broken page
//! later: see [`Definition::register`].

mod at_first_use;
mod default;
mod definition;
mod metrics;

#[doc(hidden)]
pub use at_first_use::at_first_use;
pub(crate) use at_first_use::once;
pub use default::default_registry;
pub use definition::Definition;
use definition::Overflow;
pub use metrics::Metrics;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::ThreadId;

use crate::error::{Error, Kind};
use crate::instrument::{Counter, Family, Gauge, Histogram, Info};
use crate::model::{
    Claims, Collected, Collector, Descriptor, Emitter, LabelSet, Labels, MetricName, MetricType, Text,
    reserved_label,
};
use crate::sync::{Mutex, MutexGuard};

/// A set of metrics that are shown together.
///
/// Cheap to clone; clones are the same registry. Libraries take a `&Registry` and register what they have, in a scope
/// of their own if they like:
///
/// ```
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let requests = registry.counter("app_requests", "Requests served.")?;
/// requests.inc();
///
/// let db = registry.scope("db").with_labels([("shard", "7")])?;
/// let open = db.gauge("connections", "Open connections.")?; // db_connections{shard="7"}
/// open.set(3);
///
/// assert!(registry.counter("app_requests", "Again.").is_err());
/// # Ok::<(), openmetrics::Error>(())
/// ```
///
/// It is a [`Collector`] of everything registered in it, through whatever scope. A collector in it that panics or
/// fails leaves a gap in the page, is noted in the [`Report`](crate::model::Report), and from then on is counted in
/// `openmetrics_collector_failures`.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
    scope: Arc<Scope>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Threads that are collecting: a registry that is registered in itself is noticed by it.
    collecting: Mutex<Vec<ThreadId>>,
}

#[derive(Default)]
struct State {
    claims: Claims,
    /// Shared with the collections that run, so that one of them takes no copy.
    members: Arc<Vec<Arc<Member>>>,
    last_id: u64,
}

impl State {
    /// Claims what the members have, and nothing else. Names cannot be given back one by one, and this is rare.
    fn claim_again(&mut self) {
        self.claims = Claims::default();
        for family in self.members.iter().flat_map(|member| &member.families) {
            // None clashed before, so none does now.
            let _ = self.claims.claim(family);
        }
    }
}

/// What every name and label registered through it gets.
#[derive(Clone, Default)]
struct Scope {
    prefix: String,
    labels: LabelSet,
}

/// A collector and what the registry knows of it.
struct Member {
    id: CollectorId,
    /// For messages: the family, or the name that the collector was registered with.
    name: String,
    scope: Arc<Scope>,
    /// What it said it would emit, with the names it will have.
    families: Vec<Descriptor>,
    collector: Box<dyn Collector + Send + Sync>,
    /// Reads how many look-ups were beyond the family's limit of series, if it has one.
    overflow: Option<Overflow>,
    failures: AtomicU64,
}

/// Which collector: what [`Registry::register_collector`] gives and [`Registry::unregister_collector`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CollectorId(u64);

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self { inner: Arc::default(), scope: Arc::default() }
    }

    /// The same registry, with `prefix` and an underscore before every name that is registered through it.
    #[must_use]
    pub fn scope(&self, prefix: &str) -> Self {
        let mut scope = Scope::clone(&self.scope);
        scope.prefix = scope.name(prefix);
        Self { inner: Arc::clone(&self.inner), scope: Arc::new(scope) }
    }

    /// The same registry, with these labels on every metric that is registered through it.
    ///
    /// A label that the scope has already is an error (OM1-LAB-02), as is a name that no label can have.
    pub fn with_labels<N: Into<Text>, V: Into<Text>>(
        &self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        let labels = LabelSet::from_pairs(labels)?;
        for label in &labels {
            if let Some((rule, reason)) = reserved_label(label.name.as_str(), MetricType::Unknown) {
                return Err(refused(rule, format!("label {:?} {reason}", label.name.as_str())));
            }
        }
        let labels = self.scope.labels.union(&labels)?;
        let scope = Scope { prefix: self.scope.prefix.clone(), labels };
        Ok(Self { inner: Arc::clone(&self.inner), scope: Arc::new(scope) })
    }

    /// Begins to define a metric; see [`Definition`] for what can be said of it.
    pub fn metric(&self, name: impl Into<Text>, help: impl Into<Text>) -> Definition<'_> {
        Definition::new(self, name.into(), help.into())
    }

    /// Registers a [`Counter`]. The name is given without or with `_total`; the formats that want it add it.
    pub fn counter(&self, name: impl Into<Text>, help: impl Into<Text>) -> Result<Counter, Error> {
        self.metric(name, help).register()
    }

    /// Registers a [`Gauge`].
    pub fn gauge(&self, name: impl Into<Text>, help: impl Into<Text>) -> Result<Gauge, Error> {
        self.metric(name, help).register()
    }

    /// Registers a [`Histogram`].
    pub fn histogram(&self, name: impl Into<Text>, help: impl Into<Text>) -> Result<Histogram, Error> {
        self.metric(name, help).register()
    }

    /// Registers a [`Counter`] for each label set.
    pub fn counter_family<L: crate::instrument::LabelSet + 'static>(
        &self,
        name: impl Into<Text>,
        help: impl Into<Text>,
    ) -> Result<Family<L, Counter>, Error> {
        self.metric(name, help).register()
    }

    /// Registers a [`Gauge`] for each label set.
    pub fn gauge_family<L: crate::instrument::LabelSet + 'static>(
        &self,
        name: impl Into<Text>,
        help: impl Into<Text>,
    ) -> Result<Family<L, Gauge>, Error> {
        self.metric(name, help).register()
    }

    /// Registers a [`Histogram`] for each label set.
    pub fn histogram_family<L: crate::instrument::LabelSet + 'static>(
        &self,
        name: impl Into<Text>,
        help: impl Into<Text>,
    ) -> Result<Family<L, Histogram>, Error> {
        self.metric(name, help).register()
    }

    /// Registers an [`Info`] with these facts. The name is given without or with `_info`.
    pub fn info<N: Into<Text>, V: Into<Text>>(
        &self,
        name: impl Into<Text>,
        help: impl Into<Text>,
        facts: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Info, Error> {
        self.metric(name, help).info(LabelSet::from_pairs(facts)?)
    }

    /// Registers something that reads its metrics when it is asked; `name` stands for it in messages.
    ///
    /// The families that it describes are checked and reserved now, the others at each scrape.
    pub fn register_collector(
        &self,
        name: impl Into<String>,
        collector: impl Collector + Send + Sync + 'static,
    ) -> Result<CollectorId, Error> {
        let mut families = Vec::new();
        let mut bad_name = None;
        collector.describe(&mut |descriptor| match self.scope.metric_name(descriptor.name().as_str()) {
            Ok(name) => families.push(descriptor.clone().with_name(name)),
            Err(error) => bad_name = Some(error),
        });
        match bad_name {
            Some(error) => Err(error),
            None => self.add(name.into(), Arc::clone(&self.scope), families, Box::new(collector), None),
        }
    }

    /// Takes a collector out; `false` if it is not there.
    pub fn unregister_collector(&self, id: CollectorId) -> bool {
        self.remove(|member| member.id == id)
    }

    /// Takes a metric family out, by the name it was registered with in this scope; `false` if there is none.
    ///
    /// Handles to it go on working; what they count is not shown any more.
    pub fn unregister(&self, name: &str) -> bool {
        let name = self.scope.name(name);
        self.remove(|member| {
            name.strip_prefix(&*member.name).is_some_and(|rest| matches!(rest, "" | "_total" | "_info"))
                && matches!(&*member.families, [family] if family.name() == &*member.name)
        })
    }

    fn remove(&self, is_it: impl Fn(&Member) -> bool) -> bool {
        let mut state = self.lock();
        let Some(at) = state.members.iter().position(|member| is_it(member)) else { return false };
        let member = Arc::make_mut(&mut state.members).remove(at);
        state.claim_again();
        drop(state);
        drop(member); // may be somebody's code
        true
    }

    /// Reserves the families' names and adds a member.
    fn add(
        &self,
        name: String,
        scope: Arc<Scope>,
        families: Vec<Descriptor>,
        collector: Box<dyn Collector + Send + Sync>,
        overflow: Option<Overflow>,
    ) -> Result<CollectorId, Error> {
        let mut state = self.lock();
        for family in &families {
            if let Err(refusal) = state.claims.claim(family) {
                state.claim_again();
                let message = format!("family {:?}: {}", family.name().as_str(), refusal.message());
                return Err(refused(refusal.rule(), message));
            }
        }
        state.last_id += 1;
        let id = CollectorId(state.last_id);
        Arc::make_mut(&mut state.members).push(Arc::new(Member {
            id,
            name,
            scope,
            families,
            collector,
            overflow,
            failures: AtomicU64::new(0),
        }));
        Ok(id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let names = state.members.iter().map(|member| &*member.name).collect::<Vec<_>>();
        f.debug_struct("Registry")
            .field("prefix", &self.scope.prefix)
            .field("members", &names)
            .finish_non_exhaustive()
    }
}

impl Scope {
    fn name(&self, name: &str) -> String {
        match (&*self.prefix, name) {
            ("", name) => name.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, name) => format!("{prefix}_{name}"),
        }
    }

    fn metric_name(&self, name: &str) -> Result<MetricName, Error> {
        MetricName::utf8(self.name(name))
    }
}

fn refused(rule: &'static str, message: String) -> Error {
    Error::new(Kind::Refused { rule, message })
}

static FAILURES: Descriptor = Descriptor::literal(
    "openmetrics_collector_failures",
    MetricType::Counter,
    "Times that a collector of this registry failed or panicked.",
);

static OVERFLOWS: Descriptor = Descriptor::literal(
    "openmetrics_series_overflow",
    MetricType::Counter,
    "Look-ups of label sets beyond the limit of a family, which were counted in its series for what overflows.",
);

impl Collector for Registry {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let _guard = Collecting::begin(&self.inner)?;
        let members = Arc::clone(&self.lock().members);
        for member in members.iter() {
            if let Err(error) = member.collect(out) {
                member.failures.fetch_add(1, Ordering::Relaxed);
                out.fail(&member.name, &*error);
            }
        }
        let mut failed = members
            .iter()
            .map(|member| (&*member.name, member.failures.load(Ordering::Relaxed)))
            .filter(|&(_, failures)| failures > 0)
            .peekable();
        if failed.peek().is_some() {
            let mut family = out.family(&FAILURES);
            for (name, failures) in failed {
                family.point(Labels::new(&[("collector", name)]), failures);
            }
        }
        let mut limited =
            members.iter().filter_map(|member| Some((&*member.name, member.overflow.as_ref()?()))).peekable();
        if limited.peek().is_some() {
            let mut family = out.family(&OVERFLOWS);
            for (name, overflowed) in limited {
                family.point(Labels::new(&[("family", name)]), overflowed);
            }
        }
        Ok(())
    }

    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        let members = Arc::clone(&self.lock().members);
        for family in members.iter().flat_map(|member| &member.families) {
            families(family);
        }
    }
}

impl Member {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        // What stands around this registry, if it is registered in another one, comes first.
        let prefix = match (out.prefix(), &*self.scope.prefix) {
            ("", inner) => inner.to_owned(),
            (outer, "") => outer.to_owned(),
            (outer, inner) => format!("{outer}_{inner}"),
        };
        let labels = out.labels().union(&self.scope.labels)?;
        let mut out = out.scoped(&prefix, &labels);
        // A collector that panicked is asked again next time: whether it still makes sense is its own affair.
        match catch_unwind(AssertUnwindSafe(|| self.collector.collect(&mut out))) {
            Ok(collected) => collected,
            Err(panic) => Err(match panic.downcast::<String>() {
                Ok(message) => format!("panicked: {message}").into(),
                Err(panic) => match panic.downcast::<&'static str>() {
                    Ok(message) => format!("panicked: {message}").into(),
                    Err(_) => "panicked".into(),
                },
            }),
        }
    }
}

/// Notes that a thread collects a registry, until it is dropped.
struct Collecting<'a>(&'a Inner);

impl<'a> Collecting<'a> {
    fn begin(inner: &'a Inner) -> Result<Self, &'static str> {
        let me = std::thread::current().id();
        let mut collecting = inner.collecting.lock().unwrap_or_else(PoisonError::into_inner);
        if collecting.contains(&me) {
            return Err("a registry is registered in itself");
        }
        collecting.push(me);
        Ok(Self(inner))
    }
}

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        let me = std::thread::current().id();
        self.0.collecting.lock().unwrap_or_else(PoisonError::into_inner).retain(|&thread| thread != me);
    }
}
