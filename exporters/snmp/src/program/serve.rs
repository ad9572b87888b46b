//! The paths of the bridge, and what they answer.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use crate::asked::{Asked, Failure};
use crate::auto::AUTO;
use crate::bridge::Bridge;
use crate::config::Config;
use crate::traps::Receiver;
use crate::workers::Workers;
use openmetrics::http::{Unavailable, render, reply};
use openmetrics::model::{Collected, Collector, Emitter};
use openmetrics_exporter_toolkit::{Call, Exporter, Field, Form, Job, Route, Web};

/// Pages with more points than this are made on another thread, so that other scrapes go on meanwhile.
const LARGE: usize = 2_000;

/// A device to show in links and in the job for Prometheus, and how it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) target: String,
    pub(crate) auth: String,
    pub(crate) modules: Vec<String>,
    /// Whether the device answers, and is not the documentation's.
    pub(crate) is_there: bool,
}

impl Example {
    /// An address of documentation, asked in a way that this configuration has.
    pub(crate) fn of(config: &Config) -> Self {
        fn choose<V>(usual: &str, from: &BTreeMap<String, V>) -> String {
            let first = from.keys().next().map_or(usual, String::as_str);
            if from.contains_key(usual) { usual } else { first }.to_owned()
        }
        Self {
            target: "192.0.2.1".into(),
            auth: choose("public_v2", &config.auths),
            modules: vec![choose("if_mib", &config.modules)],
            is_there: false,
        }
    }

    /// What Prometheus needs to know to scrape the device.
    pub(crate) fn job(&self) -> Job {
        Job::new("snmp", "/snmp")
            .param("auth", [&self.auth])
            .param("module", &self.modules)
            .targets([&self.target])
    }
}

/// What is served.
pub(crate) struct Served {
    pub(crate) bridge: Arc<Bridge>,
    pub(crate) example: Example,
    /// Traps, if they are received.
    pub(crate) traps: Option<Arc<Receiver>>,
}

/// The figures of the bridge itself.
struct Own {
    bridge: Arc<Bridge>,
    traps: Option<Arc<Receiver>>,
}

impl Collector for Own {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        self.bridge.collect(out)?;
        self.traps.as_ref().map_or(Ok(()), |traps| traps.collect(out))
    }
}

/// Serves a bridge until it is told to stop. `load` reads the configuration again.
pub(crate) fn run(
    web: &Web,
    served: Served,
    notes: Vec<String>,
    load: impl Fn() -> Result<Config, String> + Send + Sync + 'static,
) -> ExitCode {
    let Served { bridge, example, traps } = served;
    let job = example.job();
    let asking = format!("target={}&auth={}", example.target, example.auth);
    let (scrapes, workers) = (bridge.clone(), Arc::new(Workers::default()));
    let scrape = Route::new("/snmp", "metrics of a device", move |call| {
        let (workers, scrapes) = (workers.clone(), scrapes.clone());
        async move {
            let answered = workers.run(answer(scrapes, call)).await;
            answered.unwrap_or_else(|| {
                Unavailable::failed("the scrape broke off; the log says more").into_response()
            })
        }
    })
    .example(format!("{asking}&module={}", example.modules.join(",")));
    let offered = bridge.clone();
    let scrape = scrape.form(move || form(&offered.config(), &example));
    let looking = bridge.clone();
    let discover = Route::new("/discover", "the modules that a device has rows for", move |call| {
        suiting(looking.clone(), call)
    })
    .example(asking);
    let configured = bridge.clone();
    let config = Route::new("/config", "the configuration, secrets hidden", move |_| {
        let yaml = configured.config().to_yaml();
        async move { reply::text(http::StatusCode::OK, &yaml) }
    });
    let reloaded = bridge.clone();
    let reload = Arc::new(move || match load() {
        Ok(config) => {
            tracing::info!(modules = config.modules.len(), "the configuration was read again");
            reloaded.set_config(config);
            Ok(())
        }
        Err(error) => {
            tracing::error!(%error, "the configuration was not read again; the one before stays");
            Err(error)
        }
    });
    let by_request = reload.clone();
    let reload_route = Route::new("/-/reload", "POST reads the configuration again", move |call: Call| {
        let response = if matches!(call.method, http::Method::POST | http::Method::PUT) {
            match by_request() {
                Ok(()) => reply::text(http::StatusCode::OK, "the configuration was read again"),
                Err(error) => reply::text(http::StatusCode::INTERNAL_SERVER_ERROR, &error),
            }
        } else {
            reply::text(http::StatusCode::BAD_REQUEST, "send a POST to read the configuration again")
        };
        async move { response }
    });
    hang_up(move || drop(reload()));
    let exporter = Exporter::new("snmp_bridge", env!("CARGO_PKG_VERSION"))
        .about("Metrics of devices that speak SNMP.")
        .metrics(Own { bridge, traps })
        .route(scrape)
        .route(discover)
        .route(config)
        .route(reload_route)
        .job(job);
    notes.into_iter().fold(exporter, Exporter::note).run(web)
}

/// What a person would write into a scrape's query. Auths are named, and their secrets are not told.
fn form(config: &Config, example: &Example) -> Form {
    let modules = std::iter::once(AUTO).chain(config.modules.keys().map(String::as_str));
    Form::new("Show the metrics")
        .field(
            Field::text("target", "Address or name, and the port if it is not 161", &example.target)
                .filled(example.is_there),
        )
        .field(Field::choice("module", "Modules; auto takes all that suit", modules).chosen(AUTO).several())
        .field(
            Field::choice("auth", "Auth: how the device is asked", config.auths.keys()).chosen(&example.auth),
        )
        .button("/discover", "Which modules suit?")
}

/// Does something whenever the process is hung up.
fn hang_up(act: impl Fn() + Send + 'static) {
    // A thread of its own: the event loop is the exporter's, and is not there yet.
    let waiting = std::thread::Builder::new().name("reload".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
            let Ok(mut signal) = signal else { return };
            while signal.recv().await.is_some() {
                act();
            }
        });
    });
    if let Err(error) = waiting {
        tracing::warn!(%error, "SIGHUP will not be heard");
    }
}

/// Answers which modules a device has rows for, one a line.
async fn suiting(bridge: Arc<Bridge>, call: Call) -> openmetrics::http::Response {
    let found = match Asked::new(&call.parameters) {
        Ok(asked) => bridge.discover(&asked, call.scrape.time).await,
        Err(failure) => Err(failure),
    };
    match found {
        Ok(found) => {
            let mut lines = found.modules.join("\n");
            lines.push('\n');
            reply::text(http::StatusCode::OK, &lines)
        }
        Err(Failure::Request(message)) => Unavailable::bad_request(message).into_response(),
        Err(Failure::Scrape(message)) => Unavailable::failed(message).into_response(),
    }
}

/// Answers one request for a device's metrics.
async fn answer(bridge: Arc<Bridge>, call: Call) -> openmetrics::http::Response {
    let found = match Asked::new(&call.parameters) {
        Ok(asked) => bridge.scrape(asked, call.scrape.time).await,
        Err(failure) => Err(failure),
    };
    let found = match found {
        Ok(found) => found,
        Err(Failure::Request(message)) => return Unavailable::bad_request(message).into_response(),
        Err(Failure::Scrape(message)) => return Unavailable::failed(message).into_response(),
    };
    let large = found.rows() > LARGE;
    let scrape = call.scrape;
    let make = move || render(&bridge.page(&found), scrape.rendering, scrape.coding).0.into_response();
    if large {
        let made = tokio::task::spawn_blocking(make).await;
        made.unwrap_or_else(|_| Unavailable::failed("the page could not be made").into_response())
    } else {
        make()
    }
}
