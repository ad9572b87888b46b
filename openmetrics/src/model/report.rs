//! What did not get through a collection, and why.

use std::borrow::Cow;
use std::fmt;

use super::family::Descriptor;

/// Why a sink or an emitter did not take something: the rule and the reason.
#[derive(Debug)]
pub struct Refusal(Box<Reason>);

#[derive(Debug)]
struct Reason {
    rule: &'static str,
    family: String,
    message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal by this rule, for this reason.
    #[cold]
    pub fn new(rule: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Reason { rule, family: String::new(), message: message.into() }))
    }

    /// The id of the rule.
    pub fn rule(&self) -> &'static str {
        self.0.rule
    }

    /// The family it was about.
    pub fn family(&self) -> &str {
        &self.0.family
    }

    /// The reason in words.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reason { rule, family, message } = &*self.0;
        write!(f, "{family}: {message} [{rule}]")
    }
}

/// What did not get through one collection, and why.
#[derive(Debug, Default)]
pub struct Report {
    refusals: Vec<Refusal>,
    refused: u64,
    failures: Vec<Failure>,
    points: u64,
}

/// A collector that failed or panicked.
#[derive(Debug)]
struct Failure {
    collector: String,
    message: String,
}

/// How many refusals a report keeps word for word; the rest are counted.
const REFUSALS_KEPT: usize = 100;

impl Report {
    /// Whether everything got through.
    pub fn is_clean(&self) -> bool {
        self.refused == 0 && self.failures.is_empty()
    }

    /// The refusals, the first hundred of them.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// How many families and points were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The collectors that failed, each with its message.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.failures.iter().map(|f| (f.collector.as_str(), f.message.as_str()))
    }

    /// How many points got through.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// Notes points that got through.
    #[inline]
    pub(super) fn take(&mut self, points: u64) {
        self.points += points;
    }

    /// Notes a collector that failed.
    pub(super) fn fail(&mut self, collector: &str, message: String) {
        self.failures.push(Failure { collector: collector.to_owned(), message });
    }

    /// Notes what was refused of a family.
    pub(super) fn refuse(&mut self, family: &Descriptor, mut refusal: Refusal) {
        self.refused += 1;
        if self.refusals.len() < REFUSALS_KEPT {
            refusal.0.family = family.name().to_string();
            self.refusals.push(refusal);
        }
    }
}
