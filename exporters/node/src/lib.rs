//! The node exporter: everything a Linux host can tell, under the names that node_exporter's users know.
//!
//! | module | what it is about |
//! |---|---|
//! | [`args`], [`config`] | the command line, made from the list of collectors, and the config file |
//! | [`host`] | reads that carry their path, are bounded and never wait on a pipe |
//! | [`collectors`] | one file for each part of the host, and how to write another |
//! | [`scrape`] | one scrape: which collectors run, how they fared |
//! | [`gathered`], [`page`], [`families`], [`flags`], [`text`] | what collectors are written with: descriptors, flags and filters, numbers and words |
//! | [`netlink`] | the kernel's routing tables without a file for each number |
//! | [`doctor`] | how the collectors fare here, for a person |
//! | [`dbus`] | questions to systemd and logind |

#![allow(clippy::doc_markdown)] // the kernel's words, of which the docs are full, look like code to this lint
#![allow(clippy::unnecessary_wraps)] // all readers of collectors have one signature
#![allow(clippy::single_match_else)] // two arms side by side read better than an if with a pattern

pub mod args;
pub mod collectors;
pub mod config;
pub mod dbus;
pub mod doctor;
pub mod families;
pub mod flags;
pub mod gathered;
pub mod host;
mod kernel;
pub mod netlink;
pub mod page;
pub mod scrape;
pub mod text;

pub use kernel::{give_back_what_the_start_took, share_one_heap};
