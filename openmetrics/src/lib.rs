//! Metrics for Rust services, written as every OpenMetrics and Prometheus format has it.

mod error;
pub mod format;
pub mod model;

pub use error::{Error, Position};
