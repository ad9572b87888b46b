//! An HTTP service, instrumented in a few lines: see `Measured`, and the lines that use it.
//!
//!     cargo run --release --example quickstart -p openmetrics-examples -- --service 127.0.0.1:8080
//!     curl http://127.0.0.1:8080/hello      # the service
//!     curl http://127.0.0.1:9000/metrics    # what it measures
//!
//! `--listen ADDR` chooses where the metrics are. The service takes any free port if it is not told one.

use std::convert::Infallible;
use std::io;
use std::sync::LazyLock;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use openmetrics::registry::default_registry;
use openmetrics::{Counter, Family, Gauge, Histogram, LabelSet, Metrics};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// What the service measures: names from the fields, help from the comments.
#[derive(Metrics)]
#[metrics(prefix = "app")]
struct Measured {
    /// Requests answered.
    requests: Family<Answer, Counter>,
    /// Time from a request to its answer.
    #[metric(unit = "seconds")]
    request_duration: Histogram,
    /// Requests being answered now.
    requests_in_flight: Gauge,
}

#[derive(LabelSet)]
struct Answer {
    route: &'static str,
    status: u16,
}

static MEASURED: LazyLock<Measured> = LazyLock::new(|| {
    Measured::register(default_registry()).expect("these names are valid and registered once")
});

/// The service itself. Its labels are a route and a status out of a few, never what a stranger typed.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let _in_flight = MEASURED.requests_in_flight.in_flight();
    let _timer = MEASURED.request_duration.start_timer();
    let (route, status, body) = match request.uri().path() {
        "/hello" => ("/hello", StatusCode::OK, "Hello!\n"),
        _ => ("other", StatusCode::NOT_FOUND, "There is /hello.\n"),
    };
    MEASURED.requests.with(Answer { route, status: status.as_u16() }).inc();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    Ok(response)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    LazyLock::force(&MEASURED); // so that the first scrape shows zeros, and not nothing
    let mut told_to_stop = signal(SignalKind::terminate())?;
    let metrics = openmetrics::serve(argument("--listen").unwrap_or("127.0.0.1:9000".to_owned()))?;
    println!("metrics: http://{}/metrics", metrics.address());

    let service = TcpListener::bind(argument("--service").unwrap_or("127.0.0.1:0".to_owned())).await?;
    println!("service: http://{}/hello", service.local_addr()?);
    loop {
        tokio::select! {
            connection = service.accept() => {
                let (stream, _) = connection?;
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            }
            _ = told_to_stop.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    metrics.stop(); // scrapes that are under way get their answers
    Ok(())
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
