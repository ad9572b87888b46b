//! What a walk over protobuf hands out, whichever of the two formats it is.

use std::fmt;

use super::wire::Fault;
use crate::Error;
use crate::error::Kind;
use crate::model::{Labels, MetricType, Naming, Point};

/// Takes what a walk finds, borrowed from the input and from the walk's own buffers. Open for everyone to implement;
/// an error from any method ends the walk.
pub trait Visitor {
    /// A family begins; its points follow before the next one.
    fn family(&mut self, family: &Family<'_>) -> Result<(), Error>;

    /// A point of the family that began last.
    fn point(&mut self, labels: &Labels<'_>, point: &Point<'_>, place: Place) -> Result<(), Error>;

    /// A rule is broken. By default that is an error; a visitor that returns `Ok` gets on: as much as can be said
    /// is still handed out.
    fn finding(&mut self, finding: Finding) -> Result<(), Error> {
        Err(finding.into())
    }
}

/// What is the same for all metrics of a family, borrowed from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Family<'a> {
    /// The name without the suffix that [`Naming::Standard`] adds.
    pub name: &'a str,
    /// The type.
    pub metric_type: MetricType,
    /// Whether the name had the suffix of its type.
    pub naming: Naming,
    /// The help text; empty if there is none.
    pub help: &'a str,
    /// The unit; empty if there is none.
    pub unit: &'a str,
    /// Bytes before its message in the input.
    pub offset: usize,
}

/// Where a point stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Bytes before the metric's message in the input.
    pub offset: usize,
    /// Whether it belongs to the same metric as the point before it.
    pub continues: bool,
}

/// A broken rule: which, where, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The id of the rule.
    pub rule: &'static str,
    /// Bytes before the place in the input.
    pub offset: usize,
    /// What was found, and what was expected.
    pub message: String,
}

impl Finding {
    pub(super) fn new(rule: &'static str, offset: usize, message: impl Into<String>) -> Self {
        Self { rule, offset, message: message.into() }
    }

    /// A fault of the wire: text has a rule of its own.
    pub(super) fn from_fault(fault: Fault, malformed: &'static str, not_utf8: &'static str) -> Self {
        let rule = if fault.what == Fault::NOT_UTF8 { not_utf8 } else { malformed };
        Self::new(rule, fault.offset, fault.what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {} [{}]", self.offset, self.message, self.rule)
    }
}

impl From<Finding> for Error {
    fn from(Finding { rule, offset, message }: Finding) -> Self {
        Error::new(Kind::Protobuf { rule, offset: offset as u64, message })
    }
}
