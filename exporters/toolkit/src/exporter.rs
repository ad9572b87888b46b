//! Starting, announcing and stopping an exporter.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use openmetrics::http::gate::Gate;
use openmetrics::http::{Ask, Limits, Source, Unavailable, connection, into_tokio, listen};
use openmetrics::model::{Collected, Collector, Descriptor, Emitter, MetricName, MetricSet, MetricType};
use openmetrics::process::{Build, Process};

use crate::args::Web;
use crate::landing::CollectorState;
use crate::listen::{bind, for_people};
use crate::site::{Endpoint, Site, States};

/// An exporter: its name, what it gathers, and how it is served.
pub struct Exporter {
    name: String,
    version: String,
    about: String,
    build: Vec<(String, String)>,
    notes: Vec<String>,
    limits: Limits,
    main: Box<dyn Source>,
    endpoints: Vec<Endpoint>,
    states: Option<States>,
    job: String,
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
            limits: Limits::default(),
            main: Box::new(MetricSet::default()),
            endpoints: Vec::new(),
            states: None,
            job,
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

    /// A line for the first screen, such as what was skipped and why.
    #[must_use]
    pub fn note(mut self, line: impl Into<String>) -> Self {
        self.notes.push(line.into());
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
    pub fn run(self, web: &Web) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("error: the event loop could not be started: {error}");
                return ExitCode::FAILURE;
            }
        };
        let code = runtime.block_on(async {
            match self.start(web) {
                Ok(running) => {
                    // Before anybody can know that we are there: who reads the screen may stop us at once.
                    let told_to_stop = told_to_stop();
                    // Whoever started this may have closed standard output.
                    let _ = io::stdout().write_all(running.first_screen().as_bytes());
                    let signal = told_to_stop.await;
                    tracing::info!(signal, "stopping");
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
        if web.listen.is_empty() {
            return Err(StartError("there is no address to listen at".into()));
        }
        let mut listeners = Vec::new();
        for address in &web.listen {
            let listener = bind(address).and_then(into_tokio);
            let listener = listener.map_err(|error| StartError(explain(address, &error)))?;
            let bound = listener.local_addr().map_err(|error| StartError(explain(address, &error)))?;
            tracing::info!(address = %bound, "listening");
            listeners.push((listener, bound));
        }
        let addresses: Vec<SocketAddr> = listeners.iter().map(|(_, address)| *address).collect();
        if addresses.iter().any(|address| !address.ip().is_loopback()) {
            tracing::warn!("listening beyond this machine without TLS or authentication");
        }
        let mut limits = self.limits;
        if web.max_requests > 0 {
            limits.in_flight = web.max_requests;
        }
        let gate = Gate::new(limits);
        let own =
            Own::new(&self.name, &self.version, &self.build, gate.clone(), !web.disable_exporter_metrics);
        let main = Whole { main: self.main, own };
        let path = web.telemetry_path.clone();
        let screen = first_screen(
            &self.name,
            &self.version,
            &self.job,
            &path,
            &self.endpoints,
            &addresses,
            &self.notes,
        );
        let mut endpoints = vec![Endpoint::new(path, "metrics", main)];
        endpoints.extend(self.endpoints);
        let site = Arc::new(Site {
            name: self.name,
            version: self.version,
            about: self.about,
            endpoints,
            states: self.states,
            gate: gate.clone(),
        });
        let accepting = listeners.into_iter().map(|(listener, _)| {
            let site = site.clone();
            tokio::spawn(listen(listener, gate.clone(), move |io, peer, slot| {
                let site = site.clone();
                async move { connection::serve(io, peer, &*site, &slot).await }
            }))
        });
        Ok(Running { accepting: accepting.collect(), addresses, gate, screen })
    }
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
#[derive(Debug)]
pub struct Running {
    accepting: Vec<tokio::task::JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
    gate: Gate,
    screen: String,
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

/// Catches signals to stop from now on; the future waits for one, and says which.
#[cfg(unix)]
fn told_to_stop() -> impl Future<Output = &'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let caught = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async {
        let (Ok(mut term), Ok(mut int)) = caught else {
            tracing::warn!("signals cannot be caught; a stop will be abrupt");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> &'static str {
    // Without a way to be told, the process runs until it is killed.
    if tokio::signal::ctrl_c().await.is_err() { std::future::pending().await } else { "ctrl-c" }
}

fn first_screen(
    name: &str,
    version: &str,
    job: &str,
    path: &str,
    endpoints: &[Endpoint],
    addresses: &[SocketAddr],
    notes: &[String],
) -> String {
    let mut screen = format!("{name} {version}\n");
    for address in addresses {
        let _ = writeln!(screen, "  http://{}{path}", for_people(*address));
        for endpoint in endpoints {
            let query = endpoint.example.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
            let _ = writeln!(screen, "  http://{}{}{query}", for_people(*address), endpoint.path);
        }
    }
    for note in notes {
        let _ = writeln!(screen, "  {note}");
    }
    let target = addresses.first().map(|address| for_people(*address)).unwrap_or_default();
    let _ = write!(screen, "\nFor prometheus.yml:\n\nscrape_configs:\n  - job_name: {job}\n");
    if path != "/metrics" {
        let _ = writeln!(screen, "    metrics_path: {path}");
    }
    let _ = writeln!(screen, "    static_configs:\n      - targets: [\"{target}\"]\n");
    screen
}

/// The main endpoint: what the exporter gathers, and the exporter itself.
struct Whole {
    main: Box<dyn Source>,
    own: Own,
}

impl Source for Whole {
    fn gather<'a>(&'a self, ask: &'a Ask) -> Result<Box<dyn Collector + 'a>, Unavailable> {
        let main = self.main.gather(ask)?;
        Ok(Box::new(Both { main, own: &self.own }))
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
}

/// `NAME_http_*`.
struct ServerFamilies {
    connections: Descriptor,
    in_flight: Descriptor,
    refused: Descriptor,
}

impl Own {
    fn new(name: &str, version: &str, labels: &[(String, String)], gate: Gate, more: bool) -> Self {
        let mut build = Build::new(name, version).ok();
        for (label, value) in labels {
            build = build.and_then(|build| build.clone().with(label, value).ok().or(Some(build)));
        }
        let more = more.then(|| ServerFamilies::new(name)).flatten();
        Self { build, more: more.map(|families| (Process::current(), families)), gate }
    }
}

impl ServerFamilies {
    /// `None` if `name` is not the beginning of a metric name.
    fn new(name: &str) -> Option<Self> {
        let family = |suffix: &str, metric_type, help: &'static str| {
            let name = MetricName::new(format!("{name}_http_{suffix}")).ok()?;
            Some(Descriptor::new(name, metric_type).with_help(help))
        };
        Some(Self {
            connections: family("connections", MetricType::Gauge, "Connections that are open.")?,
            in_flight: family("requests_in_flight", MetricType::Gauge, "Requests that are being answered.")?,
            refused: family(
                "refused",
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
        process.collect(out)
    }
}
