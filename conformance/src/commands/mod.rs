//! One file for each subcommand.

pub(crate) mod check;
pub(crate) mod convert;
pub(crate) mod corpus;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod fmt;
mod input;
pub(crate) mod probe;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod stats;
pub(crate) mod watch;
