//! Metrics for Rust services, written as every OpenMetrics and Prometheus format has it.
//!
#![cfg_attr(feature = "derive", doc = "```")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! use openmetrics::{Counter, Gauge, Metrics, Registry};
//!
//! #[derive(Metrics)]
//! #[metrics(prefix = "mill")]
//! struct Mill {
//!     /// Sacks of flour made.
//!     sacks: Counter,
//!     /// Speed of the wheel, in turns a minute.
//!     speed: Gauge<f64>,
//! }
//!
//! let registry = Registry::new();
//! let mill = Mill::register(&registry)?;
//! mill.sacks.inc();
//! mill.speed.set(11.5);
//! # Ok::<(), openmetrics::Error>(())
//! ```
//!
//! # Where things are
//!
//! * [`instrument`]: counters, gauges, histograms and families of them, which a program counts with;
//! * [`registry`]: where they are registered, checked and collected;
//! * [`format`](mod@format): the wire formats, negotiated, written and read;
//! * [`model`]: the vocabulary between those, plain data, for collectors and tools of your own;
//! * `http` (feature): an endpoint, `openmetrics::serve`, and a handler for applications that have a server;
//! * `process` (feature): metrics of the process itself;
//! * `facade` (feature `metrics`): a recorder for libraries that use the `metrics` facade;
//! * `otel` (feature `opentelemetry`): what is measured with OpenTelemetry, on a registry's page;
//! * `runtime` (feature `tokio`): metrics of tokio runtimes;
//! * `spans` (feature `tracing`): exemplars from the spans of `tracing`;
//! * `testing` (feature): `assert_metric!`, what a block of code changed, and whether a registry is in good shape;
//! * `tower` (feature): a layer that measures services built with tower, such as those of axum;
#![cfg_attr(
    doc,
    doc = "* [`guide`]: pages to read: which type, which name, which labels; and how to move here from another crate."
)]
//!
//! # Features
//!
//! `derive` is on by default: `#[derive(Metrics, LabelSet, LabelValue)]` and `#[measured]`. All others only add: `http`, `json`, `parse`,
//! `process`, `gzip`, `metrics`, `opentelemetry`, `testing`, `tokio`, `tower`, `tracing`, `zstd`.

mod calls;
mod error;
#[cfg(feature = "metrics")]
pub mod facade;
pub mod format;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(feature = "http")]
pub mod http;
pub mod instrument;
pub mod model;
#[cfg(feature = "opentelemetry")]
pub mod otel;
#[cfg(feature = "process")]
pub mod process;
pub mod registry;
#[cfg(feature = "tokio")]
pub mod runtime;
#[cfg(feature = "tracing")]
pub mod spans;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tower")]
pub mod tower;
// The models of loom cannot have tokio, so the part of `http` that they are about stands alone there.
#[cfg(all(loom, test, not(feature = "http")))]
#[path = "http/shared.rs"]
mod shared;

pub use calls::{Call, Calls};
pub use error::{Error, Position};
#[cfg(feature = "http")]
pub use http::serve;
pub use instrument::{Counter, Family, Gauge, Histogram, LabelSet, LabelValue};
#[cfg(feature = "derive")]
pub use openmetrics_derive::{LabelSet, LabelValue, Metrics, measured};
pub use registry::{Metrics, Registry};
