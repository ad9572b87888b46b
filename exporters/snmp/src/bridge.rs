//! A scrape from its parameters to its page.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::access::{self, AllowList};
use crate::asked::{Asked, Failure, parse_target};
use crate::auto::Chosen;
use crate::config::{Config, DEFAULT_AUTH, Module};
use crate::mapping::{allowed, filtered, targets};
use crate::metrics::Metrics;
use crate::oid::Oid;
use crate::page::Page;
use crate::rows::Column;
use crate::session::{Devices, Effort, Figures, Limits, Manner, Session, Transport, Way};
use crate::walk::{Target, TargetKind};

/// What one scrape found.
#[derive(Debug)]
pub struct Found {
    config: Arc<Config>,
    modules: Vec<FoundModule>,
    /// Modules that told nothing, where the others are told all the same.
    failed: Vec<String>,
}

impl Found {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.modules.iter().map(FoundModule::rows).sum()
    }

    /// The modules that were asked for, how many rows each has, and how long that took.
    pub fn modules(&self) -> impl Iterator<Item = (&str, usize, Duration)> {
        self.modules.iter().map(|module| (&*module.name, module.rows(), module.walked))
    }
}

#[derive(Debug)]
pub(crate) struct FoundModule {
    pub(crate) name: String,
    columns: Vec<Arc<Column>>,
    pub(crate) effort: Effort,
    pub(crate) walked: Duration,
}

impl FoundModule {
    pub(crate) fn rows(&self) -> usize {
        self.columns.iter().map(|column| column.len()).sum()
    }
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
    /// How much one device may cost.
    pub limits: Limits,
    /// Tell what some modules found where others failed.
    pub partial: bool,
    /// Log what is sent and received.
    pub dump: bool,
}

/// Everything that scrapes share.
#[derive(Debug)]
pub struct Bridge {
    config: RwLock<Arc<Config>>,
    options: Options,
    devices: Devices,
    pub(crate) figures: Figures,
    running: Mutex<HashMap<(Asked, usize), Weak<Shared>>>,
    pub(crate) chosen: Mutex<Chosen>,
    pub(crate) own: Own,
}

type Shared = OnceCell<Result<Arc<Found>, Failure>>;

/// The bridge's own figures.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(crate) errors: AtomicU64,
    pub(crate) in_flight: AtomicI64,
    pub(crate) dropped: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) durations: Mutex<BTreeMap<String, Distribution>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Distribution {
    pub(crate) counts: [u64; 12],
    pub(crate) sum: f64,
}

/// The usual buckets of Prometheus' clients, which `snmp_exporter` has.
pub(crate) const DURATIONS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

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
        let Options { source, limits, dump, .. } = self.options;
        let way = Way { address, transport, any_source, source, limits, dump };
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
        let (mut failed, mut failure) = (Vec::new(), String::new());
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
                    if self.options.partial && asked.modules.len() > 1 {
                        failed.push(name.clone());
                        failure = error.to_string();
                        continue;
                    }
                    return Err(Failure::Scrape(format!("target {}, module {name}: {error}", asked.target)));
                }
            }
        }
        if found.is_empty() && !failed.is_empty() {
            return Err(Failure::Scrape(format!("target {}, all modules: {failure}", asked.target)));
        }
        Ok(Arc::new(Found { config: config.clone(), modules: found, failed }))
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
    pub fn page<'a>(&'a self, found: &'a Found) -> Page<'a> {
        let mut metrics = Metrics::new(self.options.wrap);
        for module in &found.modules {
            if let Some(config) = found.config.modules.get(&module.name) {
                metrics.add(config, found.config.naming_of(config), &module.columns);
            }
        }
        Page { own: &self.own, metrics, modules: &found.modules, failed: &found.failed }
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
