//! Metrics of devices that speak SNMP.

pub mod access;
pub mod agent;
pub mod asked;
pub mod auto;
pub mod ber;
pub mod bridge;
pub mod config;
mod dump;
pub mod engine;
pub mod index;
mod labels;
pub mod mapping;
pub mod message;
pub mod metrics;
pub mod mib;
mod naming;
pub mod oid;
pub mod page;
pub mod program;
pub mod rows;
pub mod secret;
pub mod session;
pub mod traps;
pub mod usm;
pub mod value;
pub mod walk;
pub mod workers;
