//! One file for each subcommand.

pub(crate) mod check;
pub(crate) mod corpus;
pub(crate) mod explain;
pub(crate) mod probe;
