//! Why a walk cannot go on.

use std::fmt;

use crate::message::ErrorStatus;
use crate::oid::Oid;

/// Why a walk cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device said so of this name.
    Status(ErrorStatus, Oid),
    /// A name that is not after the one asked for.
    NotIncreasing(Oid, Oid),
    /// A name that came before.
    Again(Oid),
    /// Replies without variables.
    Empty(Oid),
    /// A name after this one that is none: too many arcs, or too large ones.
    Unreadable(Oid),
    /// More rows, or larger ones, than a walk may have.
    TooMuch(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, oid) => write!(f, "the device answers {status} at {oid}"),
            Self::NotIncreasing(before, oid) => write!(
                f,
                "the device goes back from {before} to {oid}; allow_nonincreasing_oids in the module lets it, if its rows end"
            ),
            Self::Again(oid) => write!(f, "the device goes in circles: it told {oid} before"),
            Self::Empty(oid) => write!(f, "the device answers without variables at {oid}"),
            Self::Unreadable(oid) => write!(f, "the device tells a name after {oid} that is none"),
            Self::TooMuch(rows) => {
                write!(
                    f,
                    "the device tells more than a scrape may hold; it was stopped after {rows} rows (--snmp.max-rows, --snmp.max-bytes)"
                )
            }
        }
    }
}
