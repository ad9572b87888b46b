//! What can be chosen about an instrument when it is made.

use crate::error::{Error, Kind};
use crate::model::{LabelName, Text};

/// What can be chosen about an instrument besides name, help and unit; the default fits most.
///
/// Usually set through [`Definition`](crate::registry::Definition). What does not apply to an instrument is refused
/// when it is made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) labels: Vec<Text>,
    pub(crate) buckets: Option<Vec<f64>>,
    pub(crate) thread_owned: Option<bool>,
    /// What `thread_owned` comes to: set by whoever knows what it is for.
    pub(crate) is_hot: bool,
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of the labels, for label sets that do not know them, such as arrays of strings.
    #[must_use]
    pub fn labels<N: Into<Text>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.labels = names.into_iter().map(Into::into).collect();
        self
    }

    /// The upper bounds of a histogram's classic buckets, rising, without `+Inf`.
    #[must_use]
    pub fn buckets(mut self, bounds: impl Into<Vec<f64>>) -> Self {
        self.buckets = Some(bounds.into());
        self
    }

    /// Whether every thread counts in cells of its own, which a scrape adds up, or all in one.
    ///
    /// Counting in one's own cell takes a nanosecond or less however many threads count, but each metric then takes
    /// memory for each thread. The default is `true` for metrics without labels and families whose labels are all
    /// enums, and `false` for other families, which may have very many metrics.
    #[must_use]
    pub fn thread_owned(mut self, own: bool) -> Self {
        self.thread_owned = Some(own);
        self
    }

    /// The same, `thread_owned` decided.
    pub(crate) fn decided(&self, default: bool) -> Self {
        Self { is_hot: self.thread_owned.unwrap_or(default), ..self.clone() }
    }

    pub(crate) fn label_names(&self) -> Result<Vec<LabelName>, Error> {
        self.labels.iter().map(|name| LabelName::new(name.clone())).collect()
    }

    pub(crate) fn no_label_names(&self) -> Result<Vec<LabelName>, Error> {
        if self.labels.is_empty() {
            return Ok(Vec::new());
        }
        Err(refused("OM1-LAB-02", "label names are given for a metric that has no labels; make it a family"))
    }

    /// For instruments without buckets.
    pub(crate) fn no_buckets(&self) -> Result<(), Error> {
        match self.buckets {
            Some(_) => Err(refused("OM1-HIS-01", "buckets are given for a metric that is no histogram")),
            None => Ok(()),
        }
    }
}

pub(crate) fn refused(rule: &'static str, message: impl Into<String>) -> Error {
    Error::new(Kind::Refused { rule, message: message.into() })
}
