//! The metrics of a service beside its own pages, in a server that is there already: here hyper's.
//!
//!     cargo run --example hyper_service -p openmetrics-examples -- --listen 127.0.0.1:8080
//!     curl http://127.0.0.1:8080/metrics
//!
//! Times for heads, for idling and for writing are the business of the server. `openmetrics::serve` has them all, so
//! metrics that strangers can reach are better off at a port of their own, see `quickstart`.

use std::convert::Infallible;
use std::io;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use openmetrics::http::Handler;
use openmetrics::instrument::Counter;
use openmetrics::registry::Registry;
use tokio::net::TcpListener;

/// What each connection gets a copy of.
#[derive(Clone)]
struct App {
    greetings: Counter,
    metrics: Handler,
}

impl App {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        if request.uri().path() == "/metrics" {
            return Ok(self.metrics.handle(&request).await);
        }
        self.greetings.inc();
        Ok(Response::new(Full::from("Hello!\n")))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let greetings = registry.counter("greetings", "Greetings given.")?;
    let app = App { greetings, metrics: Handler::new(registry) };

    let listen = std::env::args().skip_while(|argument| argument != "--listen").nth(1);
    let listener = TcpListener::bind(listen.unwrap_or("127.0.0.1:8080".to_owned())).await?;
    println!("http://{}/metrics", listener.local_addr()?);
    loop {
        serve(listener.accept().await?.0, app.clone());
    }
}

fn serve(stream: tokio::net::TcpStream, app: App) {
    tokio::spawn(async move {
        let service = service_fn(|request| app.clone().answer(request));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.await {
            eprintln!("a connection ended: {}", io::Error::other(error));
        }
    });
}
