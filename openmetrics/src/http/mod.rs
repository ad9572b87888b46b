//! Serving metrics over HTTP: one core for applications and exporters.
//!
//! An application needs one line:
//!
//! ```
//! let server = openmetrics::serve("127.0.0.1:0")?;
//! println!("metrics on http://{}/metrics", server.address());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! One that has an HTTP server already mounts a [`Handler`] there. Exporters build on the same parts through the
//! toolkit, which adds TLS, authentication and pages:
//!
//! | part | what it does |
//! |---|---|
//! | [`Scrape`], [`render`] | a request's method and headers to a plan, a collector to a page; pure |
//! | [`Gatherer`] | one gathering at a time; scrapes that come meanwhile share it |
//! | [`head::Reader`] | the strict reader of HTTP/1 heads; pure |
//! | [`connection::serve`] | one connection, within the [`Limits`] of its [`gate`] |
//! | [`listen`] | accepts connections until the server is told to stop |
//!
//! Requests have no bodies here and answers are whole buffers, so HTTP/1 is spoken by a reader and a writer of our own:
//! what hyper leaves to its user (time for a whole head, for idling and for writing, 8 KiB a connection, strict
//! framing) is most of the work, and all of it is needed. HTTP/2, which the toolkit offers over TLS, is hyper's.

mod civil;
pub mod connection;
pub mod gate;
mod gather;
mod handler;
pub mod head;
mod limits;
pub mod reply;
mod scrape;
mod server;
mod shared;
mod workers;

use std::future::Future;
use std::net::IpAddr;

use bytes::Bytes;

pub use civil::CivilTime;
pub use gather::{Ask, Gatherer, Parameters, Source, Unavailable};
pub use handler::Handler;
pub use limits::Limits;
pub use scrape::{Page, Plan, Rendering, Scrape, View, render, respond};
pub use server::{Accept, Serving, into_tokio, listen, serve, serve_collector, serve_with};

/// A request as services see it: without a body, and with the address of who made it.
#[derive(Debug)]
pub struct Request {
    /// Method, target and headers.
    pub head: http::request::Parts,
    /// Whose connection it came over, where that has an address.
    pub peer: Option<IpAddr>,
}

/// An answer: a whole buffer, shared and never copied.
pub type Response = http::Response<Bytes>;

/// What answers requests. Only methods that it [takes](Service::takes) come here; others have had their 405.
pub trait Service: Send + Sync + 'static {
    /// Whether requests of this method are for the service: GET, HEAD and OPTIONS, unless it says otherwise.
    fn takes(&self, method: &http::Method) -> bool {
        matches!(*method, http::Method::GET | http::Method::HEAD | http::Method::OPTIONS)
    }

    /// Answers one request. Of an answer to HEAD only the head is sent.
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send;
}
