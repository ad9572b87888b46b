//! A scrape from its parameters to its page.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use openmetrics::model::{
    ClassicBucket, Collected, Collector, Descriptor, Emitter, HistogramValue, Labels, MetricType, Number,
    Value,
};
use tokio::sync::OnceCell;

use crate::access::Access;
use crate::auto::Chosen;
use crate::config::{Config, Module};
use crate::mapping::{Metrics, allowed, filtered, targets};
use crate::oid::Oid;
use crate::rows::Column;
use crate::session::{Devices, Effort, Figures, Manner, Session, Transport, Way};
use crate::walk::{Target, TargetKind};

/// What a scrape asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// `192.0.2.1`, `switch.example:161`, `tcp://[2001:db8::1]:1161`.
    pub target: String,
    /// The auth's name.
    pub auth: String,
    /// The modules' names, each once.
    pub modules: Vec<String>,
    /// The context, in place of the auth's.
    pub context: Option<String>,
    /// The context's engine, in place of the device's own.
    pub engine: Option<Vec<u8>>,
}

/// Why a request was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request is at fault.
    Request(String),
    /// The device, or the way to it.
    Scrape(String),
}

impl Asked {
    /// Reads a request's parameters, as `snmp_exporter` does.
    pub fn new(parameters: &[(String, String)]) -> Result<Self, Failure> {
        let values = |name: &str| {
            parameters.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
        };
        let one = |name: &str| -> Result<Option<String>, Failure> {
            let values: Vec<&str> = values(name);
            match values[..] {
                [] => Ok(None),
                [value] => Ok(Some(value).filter(|value| !value.is_empty()).map(str::to_owned)),
                _ => Err(Failure::Request(format!("the parameter {name} is given more than once"))),
            }
        };
        let target = one("target")?.ok_or_else(|| {
            Failure::Request("the parameter target is missing: /snmp?target=192.0.2.1".into())
        })?;
        let mut names: Vec<&str> = values("module");
        if names.is_empty() {
            names.push("if_mib");
        }
        let mut modules: Vec<String> = Vec::new();
        for name in names.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty()) {
            if !modules.iter().any(|known| known == name) {
                modules.push(name.to_owned());
            }
        }
        if modules.is_empty() {
            return Err(Failure::Request("the parameter module names no module".into()));
        }
        let engine = one("snmp_engineid")?.map(|text| {
            unhex(&text)
                .ok_or_else(|| Failure::Request("the parameter snmp_engineid is not hexadecimal".into()))
        });
        Ok(Self {
            target,
            auth: one("auth")?.unwrap_or_else(|| "public_v2".into()),
            modules,
            context: one("snmp_context")?,
            engine: engine.transpose()?,
        })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    text.chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// Host, port and transport of a target.
pub fn parse_target(target: &str) -> Result<(Transport, &str, u16), Failure> {
    let wrong = || {
        Failure::Request(format!(
            "{target:?} is no target; one looks like 192.0.2.1, switch:1161 or tcp://[::1]:161"
        ))
    };
    let (transport, rest) = match target.split_once("://") {
        None => (Transport::Udp, target),
        Some(("udp" | "udp4" | "udp6", rest)) => (Transport::Udp, rest),
        Some(("tcp" | "tcp4" | "tcp6", rest)) => (Transport::Tcp, rest),
        Some(_) => return Err(wrong()),
    };
    let (host, port) = if let Some(bracketed) = rest.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or_else(wrong)?;
        (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("161")).ok_or_else(wrong)?)
    } else {
        match rest.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, port),
            _ => (rest, "161"), // a name, or an IPv6 address without brackets
        }
    };
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || host.len() > 255 { Err(wrong()) } else { Ok((transport, host, port)) }
}

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
#[derive(Clone, Debug)]
pub struct Options {
    /// Where packets come from.
    pub source: Option<SocketAddr>,
    /// Let 64-bit counters wrap where doubles stop being exact.
    pub wrap: bool,
    /// Which devices may be asked.
    pub access: Access,
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
        if !config.auths.contains_key(&asked.auth) {
            return Err(Failure::Request(format!("there is no auth {:?}", asked.auth)));
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
        let failed =
            |error: &dyn std::fmt::Display| Failure::Scrape(format!("target {}: {error}", asked.target));
        let Some(auth) = config.auths.get(&asked.auth) else {
            return Err(Failure::Request(format!("there is no auth {:?}", asked.auth)));
        };
        let (transport, host, port) = parse_target(&asked.target)?;
        let address = self.options.access.resolve(host, port, deadline).await;
        let address = address.map_err(|error| failed(&error))?;
        let any_source = asked
            .modules
            .iter()
            .filter_map(|name| config.modules.get(name))
            .any(|module| module.params().any_source);
        let way = Way { address, transport, any_source, source: self.options.source };
        let opened = Session::open(way, auth, &self.devices, &self.figures, deadline);
        let session = opened.await.map_err(|error| failed(&error))?;
        Ok(session.within(asked.context.as_deref(), asked.engine.clone()))
    }

    async fn ask(
        &self,
        config: &Arc<Config>,
        asked: &Asked,
        deadline: Instant,
    ) -> Result<Arc<Found>, Failure> {
        let mut session = self.open(config, asked, deadline).await?;
        let mut known: HashMap<Oid, Arc<Column>> = HashMap::new();
        let mut found = Vec::with_capacity(asked.modules.len());
        for name in &asked.modules {
            let Some(module) = config.modules.get(name) else { continue };
            let begin = Instant::now();
            let _in_flight = InFlight::new(&self.own.in_flight);
            let (columns, effort) = walk_module(&mut session, module, deadline, &mut known).await;
            let walked = begin.elapsed();
            self.took(name, walked);
            let columns = columns.map_err(|error| {
                tracing::info!(target = asked.target, module = name, %error, "a scrape failed");
                Failure::Scrape(format!("target {}, module {name}: {error}", asked.target))
            })?;
            found.push(FoundModule { name: name.clone(), columns, effort, walked });
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
    let params = module.params();
    let manner = Manner {
        max_repetitions: params.max_repetitions,
        retries: params.retries,
        timeout: params.timeout.max(Duration::from_millis(1)),
        any_order: params.any_order,
        deadline,
    };
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
