//! What every exporter needs around its collectors.
//!
//! An exporter names itself, says what is gathered for a scrape, and runs:
//!
//! ```no_run
//! use clap::Command;
//! use openmetrics::model::MetricSet;
//! use openmetrics_exporter_toolkit::{Exporter, Log, Web};
//!
//! fn main() -> std::process::ExitCode {
//!     let matches = Log::add_flags(Web::add_flags(Command::new("demo"), ":9999")).get_matches();
//!     Log::from_matches(&matches).init();
//!     Exporter::new("demo_exporter", env!("CARGO_PKG_VERSION"))
//!         .about("Shows how little an exporter has to do.")
//!         .metrics(MetricSet::default())
//!         .run(&Web::from_matches(&matches))
//! }
//! ```
//!
//! What it gets for that: `/metrics` in every format, a landing page, `/-/healthy` and `/-/ready`, the guards of
//! [`openmetrics::http`], a graceful stop, the usual flags, logs, and a first screen that says where to look and what
//! to put into the configuration of Prometheus. [`Supervisor`] runs collectors that may hang; an [`Endpoint`] with a
//! source of its own is the multi-target pattern.

mod args;
mod exporter;
mod form;
mod guarded;
mod job;
mod landing;
mod listen;
mod log;
#[cfg(feature = "manual")]
mod manual;
mod query;
mod site;
mod supervise;
mod systemd;
mod views;
mod web;

pub use args::{Level, Log, LogFormat, Web};
pub use exporter::{Exporter, Running, StartError};
pub use form::{Field, Form};
pub use job::Job;
pub use landing::{CollectorState, Condition};
#[cfg(feature = "manual")]
pub use manual::write_manual;
pub use site::{Call, Endpoint, Route};
pub use supervise::{Outcome, Round, State, Supervisor, Task};
pub use web::{Secret, check_web_config, check_web_config_text};
