//! Starting, announcing and stopping an exporter.

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use openmetrics::http::gate::Gate;
use openmetrics::http::{Ask, Limits, Source, Unavailable};
use openmetrics::model::{
    Collected, Collector, Descriptor, Emitter, MetricName, MetricSet, MetricType, Unit,
};
use openmetrics::process::{Build, Process};

use crate::args::Web;
use crate::guarded::Guarded;
use crate::job::Job;
use crate::landing::CollectorState;
use crate::listen::{Listener, for_people};
use crate::site::{Endpoint, Route, Site, States};
use crate::systemd;
use crate::web::Current;

/// An exporter: its name, what it gathers, and how it is served.
pub struct Exporter {
    name: String,
    version: String,
    about: String,
    build: Vec<(String, String)>,
    notes: Vec<String>,
    left_out: Option<Box<dyn FnOnce() -> Vec<String> + Send>>,
    limits: Limits,
    main: Box<dyn Source>,
    endpoints: Vec<Endpoint>,
    routes: Vec<Route>,
    states: Option<States>,
    job: String,
    jobs: Vec<Job>,
}

impl Exporter {
    /// An exporter called `name`, such as `node_exporter`: the beginning of its own metrics' names.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        let name = name.into();
        let job = name.strip_suffix("_exporter").unwrap_or(&name).to_owned();
        Self {
            name,
            version: version.into(),
            about: String::new(),
            build: Vec::new(),
            notes: Vec::new(),
            left_out: None,
            limits: Limits::default(),
            main: Box::new(MetricSet::default()),
            endpoints: Vec::new(),
            routes: Vec::new(),
            states: None,
            job,
            jobs: Vec::new(),
        }
    }

    /// What it is for, in a sentence.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// What `/metrics` tells, beside the figures of the exporter itself.
    ///
    /// The query parameters of the request, such as `collect[]`, are in the [`Ask`]; so is the deadline.
    #[must_use]
    pub fn metrics(mut self, source: impl Source) -> Self {
        self.main = Box::new(source);
        self
    }

    /// One more path with metrics.
    #[must_use]
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// One more path, which answers for itself.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// How the collectors fare, asked for whenever the landing page is shown.
    #[must_use]
    pub fn states(mut self, states: impl Fn() -> Vec<CollectorState> + Send + Sync + 'static) -> Self {
        self.states = Some(Arc::new(states));
        self
    }

    /// One more label of `NAME_build_info`, such as the revision; one that is no label name is left out.
    #[must_use]
    pub fn build_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.build.push((name.into(), value.into()));
        self
    }

    /// A line for the first screen.
    #[must_use]
    pub fn note(mut self, line: impl Into<String>) -> Self {
        self.notes.push(line.into());
        self
    }

    /// What cannot be told here, and why, a line each: found once the exporter serves, and printed after the first screen.
    #[must_use]
    pub fn left_out(mut self, find: impl FnOnce() -> Vec<String> + Send + 'static) -> Self {
        self.left_out = Some(Box::new(find));
        self
    }

    /// One more job that the first screen shows: asking this exporter about targets.
    #[must_use]
    pub fn job(mut self, job: Job) -> Self {
        self.jobs.push(job);
        self
    }

    /// Limits other than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves until the process is told to stop (SIGTERM, SIGINT), then lets answers on their way be finished.
    ///
    /// What goes wrong at the start is said on standard error, and the exit code is 1.
    pub fn run(mut self, web: &Web) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("error: the event loop could not be started: {error}");
                return ExitCode::FAILURE;
            }
        };
        let code = runtime.block_on(async {
            let signals = Signals::catch();
            let left_out = self.left_out.take();
            match self.start(web) {
                Ok(running) => {
                    // Whoever started this may have closed standard output.
                    let _ = io::stdout().write_all(running.first_screen().as_bytes());
                    if let Some(find) = left_out {
                        // A thread of its own, since it may wait for the host. Without one, nobody is told.
                        let told = std::thread::Builder::new().name("left out".into());
                        let _ = told.spawn(move || tell_left_out(&find()));
                    }
                    let signal = signals.until_told_to_stop(&running).await;
                    tracing::info!(signal, "stopping");
                    systemd::stopping();
                    running.stop().await;
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    eprintln!("error: {error}");
                    ExitCode::FAILURE
                }
            }
        });
        // A collector that hangs must not hold up the end.
        runtime.shutdown_background();
        code
    }

    /// Starts serving on the current tokio runtime.
    pub fn start(self, web: &Web) -> Result<Running, StartError> {
        let current = match &web.config_file {
            Some(file) => Some(Arc::new(Current::new(file).map_err(StartError)?)),
            None => None,
        };
        let has_tls = current.as_ref().is_some_and(|current| current.has_tls());
        let has_auth = current.as_ref().is_some_and(|current| current.has_auth());
        let listeners = listeners(web)?;
        for listener in &listeners {
            tracing::info!(address = %listener, tls = has_tls, "listening");
        }
        let addresses: Vec<SocketAddr> = listeners.iter().filter_map(Listener::address).collect();
        if addresses.iter().any(|address| !address.ip().is_loopback()) && !(has_tls || has_auth) {
            tracing::warn!(
                "anybody who reaches this machine can read the metrics: --web.config.file can ask for TLS and users"
            );
        }
        let mut limits = self.limits;
        if web.max_requests > 0 {
            limits.in_flight = web.max_requests;
        }
        let gate = Gate::new(limits);
        let families = ServerFamilies::new(&self.name).filter(|_| !web.disable_exporter_metrics);
        let own = Own {
            build: build(&self.name, &self.version, &self.build),
            more: families.map(|families| (Process::current(), families)),
            gate: gate.clone(),
            web: current.clone(),
        };
        let main = Whole { main: self.main, own };
        let path = web.telemetry_path.clone();
        let screen = FirstScreen {
            name: &self.name,
            version: &self.version,
            job: &self.job,
            path: &path,
            endpoints: &self.endpoints,
            addresses: &addresses,
            notes: &self.notes,
            jobs: &self.jobs,
            routes: &self.routes,
            has_tls,
            has_auth,
        }
        .to_string();
        let mut endpoints = vec![Endpoint::new(path, "metrics", main)];
        endpoints.extend(self.endpoints);
        let site = Site {
            name: self.name,
            version: self.version,
            about: self.about,
            endpoints,
            routes: self.routes,
            states: self.states,
            gate: gate.clone(),
        };
        let site = Arc::new(Guarded { site, web: current.clone() });
        let accepting =
            listeners.into_iter().map(|listener| listener.accept(gate.clone(), site.clone())).collect();
        Ok(Running { accepting, addresses, gate, screen, web: current })
    }
}

fn tell_left_out(lines: &[String]) {
    if !lines.is_empty() {
        let _ = io::stdout().write_all(
            format!("Left out here, in whole or in part:\n  {}\n\n", lines.join("\n  ")).as_bytes(),
        );
    }
}

/// Binds what the flags ask for.
fn listeners(web: &Web) -> Result<Vec<Listener>, StartError> {
    let found = if web.systemd_socket {
        let sockets = Listener::from_systemd();
        sockets.map_err(|error| StartError(format!("the sockets that systemd opened: {error}")))?
    } else {
        let bind =
            |address: &String| Listener::bind(address).map_err(|error| StartError(explain(address, &error)));
        web.listen.iter().map(bind).collect::<Result<_, _>>()?
    };
    if found.is_empty() {
        let why = if web.systemd_socket {
            "systemd has opened no sockets for this process; start it by its socket unit, or leave out --web.systemd-socket"
        } else {
            "there is no address to listen at"
        };
        return Err(StartError(why.into()));
    }
    Ok(found)
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Why an exporter did not start, in words for who started it.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for StartError {}

fn explain(address: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "cannot listen at {address}: another process does; find it with `ss -ltnp`, or choose another address with \
             --web.listen-address"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("cannot listen at {address}: {error}; ports below 1024 are for root")
        }
        io::ErrorKind::InvalidInput => error.to_string(),
        _ => format!("cannot listen at {address}: {error}"),
    }
}

/// An exporter that is being served.
pub struct Running {
    accepting: Vec<tokio::task::JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
    gate: Gate,
    screen: String,
    web: Option<Arc<Current>>,
}

impl Running {
    /// The addresses that are listened at, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What a person who started it wants to read first.
    pub fn first_screen(&self) -> &str {
        &self.screen
    }

    /// Stops: `/-/ready` says so, nobody new is let in, answers on their way are finished.
    pub async fn stop(self) {
        self.gate.drain();
        for accepting in self.accepting {
            // A task that panicked has nothing to finish.
            let _ = accepting.await;
        }
        let cut = self.gate.emptied(self.gate.limits().drain).await;
        if cut > 0 {
            tracing::warn!(connections = cut, "connections were cut: they did not end in time");
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("addresses", &self.addresses)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

/// The signals that an exporter minds.
#[cfg(unix)]
struct Signals {
    stop: [io::Result<tokio::signal::unix::Signal>; 2],
    reload: io::Result<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// Catches them from now on: before anybody can know that we are there, and stop us.
    fn catch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            stop: [signal(SignalKind::terminate()), signal(SignalKind::interrupt())],
            reload: signal(SignalKind::hangup()),
        }
    }

    /// Waits for a signal to stop, and says which. Meanwhile SIGHUP has the web configuration read again, and systemd
    /// is told that all is well.
    async fn until_told_to_stop(self, running: &Running) -> &'static str {
        systemd::ready(running.screen.lines().next().unwrap_or_default());
        let ([Ok(mut term), Ok(mut int)], Ok(mut hup)) = (self.stop, self.reload) else {
            tracing::warn!("signals cannot be caught; a stop will be abrupt");
            return std::future::pending().await;
        };
        let mut watchdog = std::pin::pin!(systemd::keep_telling());
        loop {
            tokio::select! {
                _ = term.recv() => return "SIGTERM",
                _ = int.recv() => return "SIGINT",
                _ = hup.recv() => {
                    if let Some(web) = running.web.clone() {
                        // It catches nothing that could panic.
                        let _ = tokio::task::spawn_blocking(move || web.look(true)).await;
                    }
                }
                () = &mut watchdog => {}
            }
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> Self {
        Self
    }

    async fn until_told_to_stop(self, _: &Running) -> &'static str {
        // Without a way to be told, the process runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() { std::future::pending().await } else { "ctrl-c" }
    }
}

/// What a person who started an exporter wants to read first.
struct FirstScreen<'a> {
    name: &'a str,
    version: &'a str,
    job: &'a str,
    path: &'a str,
    endpoints: &'a [Endpoint],
    addresses: &'a [SocketAddr],
    notes: &'a [String],
    jobs: &'a [Job],
    routes: &'a [Route],
    has_tls: bool,
    has_auth: bool,
}

impl fmt::Display for FirstScreen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, job, path, endpoints, addresses, notes, jobs, routes, has_tls, has_auth } =
            self;
        let scheme = if *has_tls { "https" } else { "http" };
        writeln!(f, "{name} {version}")?;
        for address in *addresses {
            let address = for_people(*address);
            if !routes.is_empty() {
                writeln!(f, "  {scheme}://{address}/")?;
            }
            writeln!(f, "  {scheme}://{address}{path}")?;
            for endpoint in *endpoints {
                let query = endpoint.example.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
                writeln!(f, "  {scheme}://{address}{}{query}", endpoint.path)?;
            }
            for route in *routes {
                if let Some(query) = &route.example {
                    writeln!(f, "  {scheme}://{address}{}?{query}", route.path)?;
                }
            }
        }
        for note in *notes {
            writeln!(f, "  {note}")?;
        }
        let Some(target) = addresses.first().map(|address| for_people(*address)) else { return Ok(()) };
        let own = Job::new(*job, *path).targets([target.clone()]);
        write!(f, "\nFor prometheus.yml:\n\nscrape_configs:\n{}", own.reached(*has_tls, *has_auth))?;
        for job in *jobs {
            write!(f, "{}", job.clone().through(target.clone()).reached(*has_tls, *has_auth))?;
        }
        writeln!(f)
    }
}

/// The main endpoint: what the exporter gathers, and the exporter itself.
struct Whole {
    main: Box<dyn Source>,
    own: Own,
}

impl Source for Whole {
    fn gather<'a>(&'a self, ask: &'a Ask) -> Result<Box<dyn Collector + 'a>, Unavailable> {
        self.with_own(self.main.gather(ask))
    }

    fn take_over<'a>(&'a self, ask: &'a Ask) -> Option<Result<Box<dyn Collector + 'a>, Unavailable>> {
        Some(self.with_own(self.main.take_over(ask)?))
    }
}

impl Whole {
    fn with_own<'a>(
        &'a self,
        main: Result<Box<dyn Collector + 'a>, Unavailable>,
    ) -> Result<Box<dyn Collector + 'a>, Unavailable> {
        Ok(Box::new(Both { main: main?, own: &self.own }))
    }
}

struct Both<'a> {
    main: Box<dyn Collector + 'a>,
    own: &'a Own,
}

impl Collector for Both<'_> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let result = self.main.collect(out);
        self.own.collect(out)?;
        result
    }
}

/// The exporter's own figures.
struct Own {
    build: Option<Build>,
    more: Option<(Process, ServerFamilies)>,
    gate: Gate,
    web: Option<Arc<Current>>,
}

/// `NAME_http_*` and `NAME_web_config_*`.
struct ServerFamilies {
    reloaded: Descriptor,
    reload_time: Descriptor,
    connections: Descriptor,
    in_flight: Descriptor,
    refused: Descriptor,
}

/// `NAME_build_info`, with the labels that are label names.
fn build(name: &str, version: &str, labels: &[(String, String)]) -> Option<Build> {
    let mut build = Build::new(name, version).ok()?;
    for (label, value) in labels {
        build = build.clone().with(label, value).unwrap_or(build);
    }
    Some(build)
}

impl ServerFamilies {
    /// `None` if `name` is not the beginning of a metric name.
    fn new(name: &str) -> Option<Self> {
        let family = |suffix: &str, metric_type, help: &'static str| {
            let name = MetricName::new(format!("{name}_{suffix}")).ok()?;
            Some(Descriptor::new(name, metric_type).with_help(help))
        };
        Some(Self {
            reloaded: family(
                "web_config_last_reload_successful",
                MetricType::Gauge,
                "Whether the web configuration was good when it was read last; if not, the one before is in force.",
            )?,
            reload_time: family(
                "web_config_last_reload_success_timestamp_seconds",
                MetricType::Gauge,
                "When the web configuration in force was read.",
            )?
            .with_unit(Unit::SECONDS),
            connections: family("http_connections", MetricType::Gauge, "Connections that are open.")?,
            in_flight: family(
                "http_requests_in_flight",
                MetricType::Gauge,
                "Requests that are being answered.",
            )?,
            refused: family(
                "http_refused",
                MetricType::Counter,
                "Connections and requests that were told to come again because there were too many.",
            )?,
        })
    }
}

impl Collector for Own {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        if let Some(build) = &self.build {
            build.collect(out)?;
        }
        let Some((process, families)) = &self.more else { return Ok(()) };
        out.value(&families.connections, self.gate.connections());
        out.value(&families.in_flight, self.gate.in_flight());
        out.value(&families.refused, self.gate.refused());
        if let Some(web) = &self.web {
            let (good, since) = web.state();
            out.value(&families.reloaded, good);
            out.value(&families.reload_time, since.as_f64());
        }
        process.collect(out)
    }
}
