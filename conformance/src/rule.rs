//! What a rule is: one constant that documents, checks and tests itself.

use std::fmt;

use crate::subject::Spec;

/// One rule of a specification, or one lint of ours.
///
/// The examples are its documentation (`omtool explain`) and its test: every good one passes without a finding of
/// this rule, every bad one has a finding of it.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its name for ever, such as `OM1-CNT-03`.
    pub(crate) id: &'static str,
    /// What it catches, so that "allow NAME" reads well.
    pub(crate) name: &'static str,
    /// How much breaking it matters.
    pub(crate) level: Level,
    /// What is needed to see it broken.
    pub(crate) scope: Scope,
    /// Where the specification says so.
    pub(crate) section: &'static str,
    /// The rule in one line.
    pub(crate) summary: &'static str,
    /// Why, and what to do instead.
    pub(crate) explain: &'static str,
    /// What finds it.
    pub(crate) check: Check,
    /// Inputs that keep it.
    pub(crate) good: &'static [Example],
    /// Inputs that break it.
    pub(crate) bad: &'static [Example],
}

/// How much breaking a rule matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub(crate) enum Level {
    /// Taste and practice, beyond the specifications.
    Advice,
    /// The specification says "should".
    Should,
    /// The specification says "must": readers may refuse the whole exposition.
    Must,
}

impl Level {
    /// The word in reports and options.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Should => "should",
            Self::Must => "must",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is needed to check a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    /// One exposition.
    File,
    /// One answer with its headers.
    Response,
    /// Several requests.
    Http,
    /// Two expositions of one target.
    Sequence,
    /// A reader, which has to be fed: `omtool corpus` does.
    Reader,
    /// The program that writes; nothing in an exposition shows it.
    Writer,
}

/// What finds a broken rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// The library's reader, while it reads.
    Reader,
    /// A look at the lines and families of one exposition (see `lints`).
    Exposition,
    /// A comparison of two expositions (see `sequence`).
    Sequence,
    /// A look at one answer (see `probe`).
    Response,
    /// Several requests (see `probe`).
    Http,
    /// Nothing, for this reason: the ledger of what cannot be checked here.
    Ledger(&'static str),
}

/// A text in a format, or two in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Example {
    /// Its format.
    pub(crate) spec: Spec,
    /// The successive expositions; nearly always one.
    pub(crate) texts: &'static [&'static [u8]],
}

/// An example in OpenMetrics 1.0.
pub(crate) const fn om1(texts: &'static [&'static [u8]]) -> Example {
    Example { spec: Spec::OpenMetrics1, texts }
}
/// An example in OpenMetrics 2.0.
pub(crate) const fn om2(texts: &'static [&'static [u8]]) -> Example {
    Example { spec: Spec::OpenMetrics2, texts }
}
/// An example in Prometheus text.
pub(crate) const fn prom(texts: &'static [&'static [u8]]) -> Example {
    Example { spec: Spec::Prometheus, texts }
}
/// An example in OpenMetrics 1.0 protobuf.
pub(crate) const fn omproto(texts: &'static [&'static [u8]]) -> Example {
    Example { spec: Spec::OpenMetricsProtobuf, texts }
}
/// An example in Prometheus protobuf.
pub(crate) const fn promproto(texts: &'static [&'static [u8]]) -> Example {
    Example { spec: Spec::PrometheusProtobuf, texts }
}
