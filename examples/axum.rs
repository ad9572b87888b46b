//! A service built with axum, measured by one layer, with its metrics among its own routes.
//!
//!     cargo run --release --example axum -p openmetrics-examples -- --listen 127.0.0.1:8080
//!     curl -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' http://127.0.0.1:8080/users/7
//!     curl -H 'Accept: application/openmetrics-text' http://127.0.0.1:8080/metrics
//!
//! The label `route` is `/users/{id}` and never a path that somebody typed. axum leaves times for heads, for idling and
//! for writing to others; where strangers can reach the metrics, `openmetrics::serve` has them all.

use axum::Router;
use axum::extract::{MatchedPath, Path};
use axum::http::Extensions;
use axum::routing::get;
use openmetrics::Registry;
use openmetrics::http::Handler;
use openmetrics::tower::HttpMetrics;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

fn app(registry: &Registry) -> Result<Router, openmetrics::Error> {
    let measured = HttpMetrics::register(registry, route)?.trust_traceparent();
    Ok(Router::new()
        .route("/", get(|| async { "Hello!\n" }))
        .route("/users/{id}", get(|Path(id): Path<u64>| async move { format!("user {id}\n") }))
        .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "There is nothing here.\n") })
        .layer(measured)
        // Behind the layer, so that scrapes are not measured.
        .route_service("/metrics", Handler::new(registry.clone())))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = app(&Registry::new())?;
    let listen = std::env::args().skip_while(|argument| argument != "--listen").nth(1);
    let listener = TcpListener::bind(listen.unwrap_or("127.0.0.1:8080".to_owned())).await?;
    println!("http://{}/metrics", listener.local_addr()?);
    let mut told_to_stop = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = told_to_stop.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}
