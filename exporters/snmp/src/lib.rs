//! Metrics of devices that speak SNMP.

pub mod ber;
pub mod config;
pub mod message;
pub mod oid;
pub mod secret;
pub mod usm;
