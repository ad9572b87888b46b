//! A scrape from its parameters to its page.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use openmetrics::model::{
    ClassicBucket, Collected, Collector, Descriptor, Emitter, HistogramValue, Labels, MetricType, Number,
    Value,
};
use tokio::sync::OnceCell;

use crate::access::{self, AllowList};
use crate::asked::{Asked, Failure, parse_target};
use crate::auto::Chosen;
use crate::config::{Config, DEFAULT_AUTH, Module};
use crate::mapping::{Metrics, allowed, filtered, targets};
use crate::oid::Oid;
use crate::rows::Column;
use crate::session::{Devices, Effort, Figures, Manner, Session, Transport, Way};
use crate::walk::{Target, TargetKind};

/// What one scrape found.
#[derive(Debug)]
pub struct Found {
    config: Arc<Config>,
    modules: Vec<FoundModule>,
}

impl Found {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.modules.iter().flat_map(|module| &module.columns).map(|column| column.len()).sum()
    }
}

#[derive(Debug)]
struct FoundModule {
    name: String,
    columns: Vec<Arc<Column>>,
    effort: Effort,
    walked: Duration,
}

/// What the program was told about all scrapes.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where packets come from.
    pub source: Option<SocketAddr>,
    /// Let 64-bit counters wrap where doubles stop being exact.
    pub wrap: bool,
    /// Which devices may be asked.
    pub allowed: AllowList,
}

/// Everything that scrapes share.
#[derive(Debug)]
pub struct Bridge {
    config: RwLock<Arc<Config>>,
    options: Options,
    devices: Devices,
    figures: Figures,
    running: Mutex<HashMap<(Asked, usize), Weak<Shared>>>,
    pub(crate) chosen: Mutex<Chosen>,
    own: Own,
}

type Shared = OnceCell<Result<Arc<Found>, Failure>>;

/// The bridge's own figures.
#[derive(Debug, Default)]
struct Own {
    errors: AtomicU64,
    in_flight: AtomicI64,
    dropped: Mutex<BTreeMap<&'static str, u64>>,
    durations: Mutex<BTreeMap<String, Distribution>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Distribution {
    counts: [u64; 12],
    sum: f64,
}

/// The usual buckets of Prometheus' clients, which `snmp_exporter` has.
const DURATIONS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl Bridge {
    /// A bridge with this configuration.
    pub fn new(config: Config, options: Options) -> Self {
        let bridge = Self {
            config: RwLock::default(),
            options,
            devices: Devices::default(),
            figures: Figures::default(),
            running: Mutex::default(),
            chosen: Mutex::default(),
            own: Own::default(),
        };
        bridge.set_config(config);
        bridge
    }

    /// The configuration.
    pub fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another configuration; scrapes that run keep theirs.
    pub fn set_config(&self, config: Config) {
        let mut durations = lock(&self.own.durations);
        for name in config.modules.keys() {
            durations.entry(name.clone()).or_default();
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Asks a device, or joins a scrape that asks it the same at this moment.
    pub async fn scrape(&self, asked: Asked, time: Duration) -> Result<Arc<Found>, Failure> {
        let config = self.config();
        let result = match self.with_modules(&config, asked, time).await {
            Ok(asked) => self.scrape_with(&config, asked, time).await,
            Err(failure) => Err(failure),
        };
        if let Err(Failure::Request(_)) = result {
            self.own.errors.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    async fn scrape_with(
        &self,
        config: &Arc<Config>,
        asked: Asked,
        time: Duration,
    ) -> Result<Arc<Found>, Failure> {
        let known = |name: &str| config.auths.contains_key(name);
        match asked.auth.as_str() {
            "" if known(DEFAULT_AUTH) || config.has_target_lists() => {}
            "" => {
                return Err(Failure::Request(format!(
                    "the parameter auth is missing, and there is no auth {DEFAULT_AUTH:?}"
                )));
            }
            name if known(name) => {}
            name => return Err(Failure::Request(format!("there is no auth {name:?}"))),
        }
        if let Some(unknown) = asked.modules.iter().find(|name| !config.modules.contains_key(*name)) {
            return Err(Failure::Request(format!("there is no module {unknown:?}")));
        }
        // Scrapes join only under the same configuration, told by where it is.
        let key = (asked, Arc::as_ptr(config) as usize);
        let shared = {
            let mut running = lock(&self.running);
            running.retain(|_, shared| shared.strong_count() > 0);
            let known = running.get(&key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let shared = Arc::new(Shared::new());
                running.insert(key.clone(), Arc::downgrade(&shared));
                shared
            })
        };
        let asked = &key.0;
        shared.get_or_init(|| self.ask(config, asked, Instant::now() + time)).await.clone()
    }

    /// Opens the way to a device.
    pub(crate) async fn open<'a>(
        &'a self,
        config: &'a Config,
        asked: &Asked,
        deadline: Instant,
    ) -> Result<Session<'a>, Failure> {
        let place = parse_target(&asked.target)?;
        let begin = Instant::now();
        match self.open_at(config, asked, place, deadline).await {
            Ok(session) => Ok(session),
            Err(why) => Err(self.unanswered(config, asked, begin, deadline, &why).await),
        }
    }

    async fn open_at<'a>(
        &'a self,
        config: &'a Config,
        asked: &Asked,
        (transport, host, port): (Transport, &str, u16),
        deadline: Instant,
    ) -> Result<Session<'a>, String> {
        let found = access::resolve(host, port, deadline).await;
        let mut found = found.map_err(|error| format!("the name has no address: {error}"))?;
        found.retain(|address| self.options.allowed.allows(host, address.ip()));
        if found.is_empty() {
            return Err("--snmp.allow-target does not list it".into());
        }
        let with_auth = |address: SocketAddr| {
            config.auth_for(&asked.auth, host, address.ip()).map(|auth| (address, auth))
        };
        let Some((address, auth)) = found.into_iter().find_map(with_auth) else {
            return Err(match asked.auth.as_str() {
                "" => "no auth's targets list it".into(),
                auth => format!("the targets of auth {auth:?} do not list it"),
            });
        };
        let any_source = asked
            .modules
            .iter()
            .filter_map(|name| config.modules.get(name))
            .any(|module| module.params().any_source);
        let way = Way { address, transport, any_source, source: self.options.source };
        let opened = Session::open(way, auth, &self.devices, &self.figures, deadline);
        let session = opened.await.map_err(|error| error.to_string())?;
        Ok(session.within(asked.context.as_deref(), asked.engine.clone()))
    }

    /// The failure of a device that did not say a word. Where lists say what may be asked, strangers shall not learn
    /// what is behind them: what is refused, what does not exist and what is silent look alike and take the same time.
    pub(crate) async fn unanswered(
        &self,
        config: &Config,
        asked: &Asked,
        begin: Instant,
        deadline: Instant,
        why: &(dyn fmt::Display + Sync),
    ) -> Failure {
        tracing::info!(target = asked.target, auth = asked.auth, %why, "nothing was told");
        if self.options.allowed.is_empty() && !config.has_target_lists() {
            return Failure::Scrape(format!("target {}: {why}", asked.target));
        }
        let module = asked.modules.first().and_then(|name| config.modules.get(name));
        let patience = module.map_or_else(|| Module::default().params(), Module::params).patience();
        tokio::time::sleep_until((begin + patience).min(deadline).into()).await;
        Failure::Scrape(format!(
            "target {}: no answer; is it reachable, may it be asked from here (--snmp.allow-target, the auth's targets), \
             and are version and community or user right? The log says more",
            asked.target
        ))
    }

    async fn ask(
        &self,
        config: &Arc<Config>,
        asked: &Asked,
        deadline: Instant,
    ) -> Result<Arc<Found>, Failure> {
        let begin = Instant::now();
        let mut session = self.open(config, asked, deadline).await?;
        let mut known: HashMap<Oid, Arc<Column>> = HashMap::new();
        let mut found = Vec::with_capacity(asked.modules.len());
        for name in &asked.modules {
            let Some(module) = config.modules.get(name) else { continue };
            let walking = Instant::now();
            let _in_flight = InFlight::new(&self.own.in_flight);
            let (columns, effort) = walk_module(&mut session, module, deadline, &mut known).await;
            let walked = walking.elapsed();
            self.took(name, walked);
            match columns {
                Ok(columns) => found.push(FoundModule { name: name.clone(), columns, effort, walked }),
                Err(error) if found.is_empty() && error.is_silence() => {
                    return Err(self.unanswered(config, asked, begin, deadline, &error).await);
                }
                Err(error) => {
                    tracing::info!(target = asked.target, module = name, %error, "a scrape failed");
                    return Err(Failure::Scrape(format!("target {}, module {name}: {error}", asked.target)));
                }
            }
        }
        Ok(Arc::new(Found { config: config.clone(), modules: found }))
    }

    fn took(&self, module: &str, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let mut durations = lock(&self.own.durations);
        let distribution = durations.entry(module.to_owned()).or_default();
        let at = DURATIONS.iter().position(|bound| seconds <= *bound).unwrap_or(DURATIONS.len());
        if let Some(count) = distribution.counts.get_mut(at) {
            *count += 1;
        }
        distribution.sum += seconds;
    }

    /// The metrics of what was found.
    pub fn page(&self, found: &Found) -> Page {
        let begin = Instant::now();
        let mut metrics = Metrics::default();
        let mut modules = Vec::with_capacity(found.modules.len());
        for module in &found.modules {
            if let Some(config) = found.config.modules.get(&module.name) {
                metrics.add(config, &module.columns, self.options.wrap);
            }
            let rows = module.columns.iter().map(|column| column.len()).sum();
            modules.push((module.name.clone(), module.effort, module.walked, rows));
        }
        let mut dropped = lock(&self.own.dropped);
        for (why, count) in &metrics.dropped {
            *dropped.entry(why.word()).or_default() += count;
        }
        Page { metrics, modules, read: begin.elapsed() }
    }
}

/// Walks what a module needs and was not walked in this scrape yet.
async fn walk_module(
    session: &mut Session<'_>,
    module: &Module,
    deadline: Instant,
    known: &mut HashMap<Oid, Arc<Column>>,
) -> (Result<Vec<Arc<Column>>, crate::session::SessionError>, Effort) {
    let manner = Manner { params: module.params(), deadline };
    let mut effort = Effort::default();
    let mut let_through = Vec::new();
    for filter in &module.filters {
        let target = Target { oid: filter.oid.clone(), kind: TargetKind::Column { exact: true } };
        let (columns, took) = session.walk(vec![target], &manner).await;
        effort.packets += took.packets;
        effort.retries += took.retries;
        match columns {
            Ok(columns) => {
                let indexes = columns.iter().flat_map(|column| allowed(filter, column)).collect();
                let_through.push((filter, indexes));
            }
            Err(error) if error.is_silence() => return (Err(error), effort),
            // Without its column a filter filters nothing.
            Err(error) => tracing::info!(oid = %filter.oid, %error, "a filter could not be evaluated"),
        }
    }
    let (walk, get) = if let_through.is_empty() {
        (module.walk.clone(), module.get.clone())
    } else {
        filtered(module, &let_through)
    };
    let wanted = targets(module, &walk, &get);
    let missing = wanted.iter().filter(|target| !known.contains_key(&target.oid)).cloned().collect();
    let (columns, took) = session.walk(missing, &manner).await;
    effort.packets += took.packets;
    effort.retries += took.retries;
    match columns {
        Ok(columns) => {
            known.extend(columns.into_iter().map(|column| (column.prefix().clone(), Arc::new(column))));
            let mut mine: Vec<Arc<Column>> =
                wanted.iter().filter_map(|target| known.get(&target.oid).cloned()).collect();
            mine.sort_by(|a, b| a.prefix().cmp(b.prefix()));
            (Ok(mine), effort)
        }
        Err(error) => (Err(error), effort),
    }
}

/// Counts a walk while it runs, also if it is given up.
struct InFlight<'a>(&'a AtomicI64);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicI64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answer to a scrape.
#[derive(Debug)]
pub struct Page {
    metrics: Metrics,
    modules: Vec<(String, Effort, Duration, usize)>,
    read: Duration,
}

impl Page {
    /// How many points it has, about.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether no module told anything.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }
}

static WALKED: Descriptor = Descriptor::literal(
    "snmp_scrape_walk_duration_seconds",
    MetricType::Gauge,
    "Time that walking and getting took.",
);
static PACKETS: Descriptor = Descriptor::literal(
    "snmp_scrape_packets_sent",
    MetricType::Gauge,
    "Packets sent to the device, those sent again included.",
);
static RETRIES: Descriptor = Descriptor::literal(
    "snmp_scrape_packets_retried",
    MetricType::Gauge,
    "Packets sent to the device again.",
);
static ROWS: Descriptor =
    Descriptor::literal("snmp_scrape_pdus_returned", MetricType::Gauge, "Variables that the device told.");
static DURATION: Descriptor = Descriptor::literal(
    "snmp_scrape_duration_seconds",
    MetricType::Gauge,
    "Time that walking took, and reading what was found.",
);
static ERRORS: Descriptor = Descriptor::literal(
    "snmp_scrape_errors",
    MetricType::Gauge,
    "Rows that were left out: malformed on the wire, an impossible index, bits that are none, labels that another row has.",
);

impl Collector for Page {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let before = out.points();
        self.metrics.collect(out)?;
        let refused = self.metrics.len() as u64 - (out.points() - before);
        for (descriptor, value) in [
            (&WALKED, (|m| m.2.as_secs_f64().into()) as fn(&(String, Effort, Duration, usize)) -> Number),
            (&PACKETS, |m| m.1.packets.into()),
            (&RETRIES, |m| m.1.retries.into()),
            (&ROWS, |m| m.3.into()),
        ] {
            let mut family = out.family(descriptor);
            for module in &self.modules {
                family.point(Labels::new(&[("module", &module.0)]), value(module));
            }
        }
        let mut family = out.family(&DURATION);
        for module in &self.modules {
            family.point(Labels::new(&[("module", &module.0)]), (module.2 + self.read).as_secs_f64());
        }
        let faults = self
            .metrics
            .dropped
            .iter()
            .filter(|(why, _)| why.is_fault())
            .map(|(why, count)| (why.word(), *count));
        let faults: Vec<_> = faults.chain((refused > 0).then_some(("duplicate", refused))).collect();
        if !faults.is_empty() {
            let mut family = out.family(&ERRORS);
            for (reason, count) in faults {
                family.point(Labels::new(&[("reason", reason)]), count);
            }
        }
        Ok(())
    }
}

static REQUEST_ERRORS: Descriptor =
    Descriptor::literal("snmp_request_errors", MetricType::Counter, "Requests that could not be understood.");
static UNEXPECTED: Descriptor = Descriptor::literal(
    "snmp_unexpected_pdu_type",
    MetricType::Counter,
    "Values that are none of their type.",
);
static ALL_PACKETS: Descriptor =
    Descriptor::literal("snmp_packets", MetricType::Counter, "Packets sent, those sent again included.");
static ALL_RETRIES: Descriptor =
    Descriptor::literal("snmp_packet_retries", MetricType::Counter, "Packets sent again.");
static FOREIGN: Descriptor = Descriptor::literal(
    "snmp_packets_dropped",
    MetricType::Counter,
    "Packets that could not be read or answered nothing that was asked.",
);
static DROPPED: Descriptor =
    Descriptor::literal("snmp_rows_dropped", MetricType::Counter, "Rows that became no metric, by reason.");
static IN_FLIGHT: Descriptor =
    Descriptor::literal("snmp_request_in_flight", MetricType::Gauge, "Walks that run.");
static TRIPS: Descriptor = Descriptor::literal(
    "snmp_packet_duration_seconds",
    MetricType::Histogram,
    "From sending a packet to its answer.",
);
static COLLECTIONS: Descriptor =
    Descriptor::literal("snmp_collection_duration_seconds", MetricType::Histogram, "How long modules take.");

impl Collector for Bridge {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let count = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let dropped = lock(&self.own.dropped).clone();
        out.value(&REQUEST_ERRORS, count(&self.own.errors));
        out.value(&UNEXPECTED, dropped.get("malformed").copied().unwrap_or(0));
        out.value(&ALL_PACKETS, count(&self.figures.packets));
        out.value(&ALL_RETRIES, count(&self.figures.retries));
        out.value(&FOREIGN, count(&self.figures.foreign));
        out.value(&IN_FLIGHT, self.own.in_flight.load(Ordering::Relaxed));
        let mut family = out.family(&DROPPED);
        for (reason, count) in &dropped {
            family.point(Labels::new(&[("reason", reason)]), *count);
        }
        let trips: Vec<u64> = self.figures.trips.iter().map(count).collect();
        let sum = count(&self.figures.trip_nanos) as f64 / 1e9;
        histogram(&mut out.family(&TRIPS), Labels::EMPTY, &Figures::BOUNDS, &trips, sum);
        let mut family = out.family(&COLLECTIONS);
        for (module, distribution) in &*lock(&self.own.durations) {
            let labels = [("module", module.as_str())];
            histogram(&mut family, Labels::new(&labels), &DURATIONS, &distribution.counts, distribution.sum);
        }
        Ok(())
    }
}

fn histogram(
    family: &mut openmetrics::model::FamilyEmitter<'_>,
    labels: Labels<'_>,
    bounds: &[f64],
    counts: &[u64],
    sum: f64,
) {
    let mut total = 0;
    let mut buckets = Vec::with_capacity(bounds.len());
    for (upper_bound, count) in bounds.iter().zip(counts) {
        total += count;
        buckets.push(ClassicBucket { upper_bound: *upper_bound, count: total.into() });
    }
    let all: u64 = counts.iter().sum();
    let value = HistogramValue::new(all, Some(sum.into())).with_classic(&buckets);
    family.point(labels, Value::Histogram(&value));
}
