//! Metrics for Rust services, written as every OpenMetrics and Prometheus format has it.

mod error;
pub mod format;
#[cfg(feature = "http")]
pub mod http;
pub mod instrument;
pub mod model;
#[cfg(feature = "process")]
pub mod process;
pub mod registry;

pub use error::{Error, Position};
#[cfg(feature = "http")]
pub use http::serve;
