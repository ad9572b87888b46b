//! Helpers for tests of programs that measure (feature `testing`): what a metric says, what a block of code changed, and
//! whether a registry is in good shape.
//!
//! Metrics are named as the text formats write them, `requests_total{code="200"}`, labels in any order.
//!
//! ```
//! use openmetrics::{Registry, assert_metric, testing};
//!
//! let registry = Registry::new();
//! let jobs = registry.counter("jobs", "Jobs done.")?;
//!
//! let (_, changes) = testing::changes(&registry, || jobs.inc_by(2));
//! assert_eq!(changes.to_string(), "jobs_total: 0 -> 2\n");
//! assert_metric!(registry, "jobs_total" == 2);
//! assert!(testing::lint(&registry).is_empty());
//! # Ok::<(), openmetrics::Error>(())
//! ```

mod lint;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::format::{Format, encode};
use crate::model::Collector;

pub use lint::{Lint, lint};

/// What a collector says at a moment: every sample as the text format has it, in the order of names and labels.
///
/// Its text is the page sorted, without HELP and TYPE; so two of them are compared with `assert_eq!`, or one with a text in a test.
/// Native buckets, exemplars and timestamps are not in it.
#[derive(Clone, PartialEq, Default)]
pub struct Samples(BTreeMap<Series, String>);

/// Name and labels, however they were written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

impl Samples {
    /// Reads all samples of a registry or any other collector.
    pub fn of(collector: &dyn Collector) -> Self {
        let mut page = Vec::new();
        encode(collector, Format::TEXT_1_0_0, &mut page);
        let page = String::from_utf8_lossy(&page);
        let samples = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, rest) = Series::parse(line).ok()?;
            Some((series, rest.split_whitespace().next()?.to_owned()))
        });
        Self(samples.collect())
    }

    /// The value of a sample, if it is there.
    ///
    /// # Panics
    ///
    /// If `series` is not written as the text formats write one.
    pub fn get(&self, series: &str) -> Option<f64> {
        let series = match Series::parse(series) {
            Ok((series, "")) => series,
            Ok((_, rest)) => panic!("{rest:?} stands after the series in {series:?}"),
            Err(wrong) => panic!("{series:?} is not a series: {wrong}"),
        };
        self.0.get(&series).map(|value| parse_value(value))
    }

    /// What is different in `later`.
    pub fn changes_to(&self, later: &Self) -> Changes {
        let all = self.0.keys().chain(later.0.keys().filter(|series| !self.0.contains_key(series)));
        let mut changes: Vec<_> = all
            .map(|series| Change {
                series: series.clone(),
                before: self.0.get(series).cloned(),
                after: later.0.get(series).cloned(),
            })
            .filter(|change| change.before != change.after)
            .collect();
        changes.sort_by(|a, b| a.series.cmp(&b.series));
        Changes(changes)
    }

    /// What [`assert_metric!`](crate::assert_metric) says of a sample that is not as it should be.
    #[doc(hidden)]
    pub fn complaint(&self, series: &str, wanted: &str) -> String {
        let mut text = match self.get(series) {
            Some(value) => format!("{series} is {value}, wanted: {wanted}"),
            None => format!("there is no {series}, wanted: {wanted}"),
        };
        let Ok((wanted, _)) = Series::parse(series) else { return text };
        let is_family = |name: &str| name == wanted.name;
        let is_near = |name: &str| name.contains(&*wanted.name) || wanted.name.contains(name);
        let mut near: Vec<_> = self.0.iter().filter(|(other, _)| is_family(&other.name)).collect();
        if near.is_empty() {
            near = self.0.iter().filter(|(other, _)| is_near(&other.name)).collect();
        }
        if near.is_empty() {
            near = self.0.iter().collect();
        }
        let more = near.len().saturating_sub(SHOWN);
        text.push_str("\nthere are:\n");
        for (series, value) in near.into_iter().take(SHOWN) {
            let _ = writeln!(text, "  {series} {value}");
        }
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
        text
    }
}

/// How many samples a message shows.
const SHOWN: usize = 10;

fn parse_value(text: &str) -> f64 {
    // Rust reads what the formats write: `+Inf`, `-Inf`, `NaN` and numbers.
    text.parse().unwrap_or(f64::NAN)
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(series, value)| writeln!(f, "{series} {value}"))
    }
}

impl fmt::Debug for Samples {
    /// One sample a line, so that `assert_eq!` can be read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

/// What is different between two [`Samples`], a line each: `jobs_total: 0 -> 2`; `none` stands for what is not there.
#[derive(Clone, PartialEq)]
pub struct Changes(Vec<Change>);

#[derive(Clone, PartialEq)]
struct Change {
    series: Series,
    before: Option<String>,
    after: Option<String>,
}

impl Changes {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By how much a sample rose or fell; what was not there before, or is not there after, counts as zero.
    ///
    /// # Panics
    ///
    /// If `series` is not written as the text formats write one.
    pub fn of(&self, series: &str) -> f64 {
        let (wanted, _) =
            Series::parse(series).unwrap_or_else(|wrong| panic!("{series:?} is not a series: {wrong}"));
        let value = |text: &Option<String>| text.as_deref().map_or(0.0, parse_value);
        let change = self.0.iter().find(|change| change.series == wanted);
        change.map_or(0.0, |change| value(&change.after) - value(&change.before))
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|Change { series, before, after }| {
            let [before, after] = [before, after].map(|text| text.as_deref().unwrap_or("none"));
            writeln!(f, "{series}: {before} -> {after}")
        })
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

/// Runs `block`, and says what it changed.
///
/// With metrics that other tests count in at the same time, their events are among the changes; give each test a registry of its own.
pub fn changes<R>(collector: &dyn Collector, block: impl FnOnce() -> R) -> (R, Changes) {
    let before = Samples::of(collector);
    let result = block();
    (result, before.changes_to(&Samples::of(collector)))
}

/// Asserts what a sample is: `assert_metric!(registry, "requests_total{code=\"200\"}" == 3)`. Also with `!=`, `<`, `<=`,
/// `>` and `>=`; the message shows what there is beside it.
///
/// ```
/// use openmetrics::{Registry, assert_metric};
///
/// let registry = Registry::new();
/// let size = registry.histogram("size", "How large.")?;
/// size.observe(0.4);
/// assert_metric!(registry, "size_count" == 1);
/// assert_metric!(registry, "size_bucket{le=\"0.25\"}" == 0);
/// assert_metric!(registry, "size_sum" < 0.5, "after {} observations", 1);
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[macro_export]
macro_rules! assert_metric {
    ($collector:expr, $series:literal $relation:tt $value:expr $(,)?) => {
        $crate::assert_metric!($collector, $series $relation $value, "")
    };
    ($collector:expr, $series:literal $relation:tt $value:expr, $($message:tt)+) => {{
        let samples = $crate::testing::Samples::of(&$collector);
        let value = $value;
        #[allow(clippy::cast_precision_loss, clippy::cast_lossless, clippy::float_cmp)]
        let holds = samples.get($series).is_some_and(|found| found $relation (value as f64));
        if !holds {
            let wanted = format!("{} {value}", stringify!($relation));
            let message = format!($($message)+);
            let separator = if message.is_empty() { "" } else { ": " };
            panic!("{message}{separator}{}", samples.complaint($series, &wanted));
        }
    }};
}

impl Series {
    /// The series that a line begins with, and the rest.
    fn parse(text: &str) -> Result<(Self, &str), &'static str> {
        let end = text.find(['{', ' ']).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let mut series = Self { name: name.to_owned(), labels: BTreeMap::new() };
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside.trim_start();
            loop {
                if let Some(after) = rest.strip_prefix('}') {
                    rest = after;
                    break;
                }
                let (label, after) = if let Some(quoted) = rest.strip_prefix('"') {
                    unquote(quoted)?
                } else {
                    let end = rest.find(['=', ',', '}', ' ']).ok_or("a label has no value")?;
                    (rest[..end].to_owned(), &rest[end..])
                };
                rest = after.trim_start();
                if let Some(value) = rest.strip_prefix('=') {
                    let quoted =
                        value.trim_start().strip_prefix('"').ok_or("a label's value is not quoted")?;
                    let (value, after) = unquote(quoted)?;
                    series.labels.insert(label, value);
                    rest = after.trim_start();
                } else if series.name.is_empty() {
                    series.name = label; // a name that had to be quoted
                } else {
                    return Err("a label has no value");
                }
                rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
        }
        if series.name.is_empty() { Err("it has no name") } else { Ok((series, rest)) }
    }
}

/// A quoted text without its escapes, and what stands after it; the opening quote is taken off already.
fn unquote(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some(escaped) => value.push(escaped),
                None => break,
            },
            _ => value.push(c),
        }
    }
    Err("a quote is not closed")
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let mut before = "{";
        for (label, value) in &self.labels {
            write!(f, "{before}{label}={value:?}")?;
            before = ",";
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counter, Family, Registry};

    fn requests() -> (Registry, Family<[&'static str; 2], Counter>) {
        let registry = Registry::new();
        let requests =
            registry.metric("requests", "Requests.").labels(["code", "path"]).register().expect("it is new");
        (registry, requests)
    }

    #[test]
    fn samples_are_found_however_they_are_written() {
        let (registry, requests) = requests();
        requests.with(["200", "a \"b\"\\\n}"]).inc_by(3);
        let samples = Samples::of(&registry);
        assert_eq!(samples.get(r#"requests_total{code="200",path="a \"b\"\\\n}"}"#), Some(3.0));
        assert_eq!(samples.get(r#"requests_total{ path="a \"b\"\\\n}", code="200", }"#), Some(3.0));
        assert_eq!(samples.get(r#"requests_total{code="200"}"#), None);
        registry.metric("http.size", "Bytes.").utf8_name().gauge_callback(|| 7_u64).unwrap();
        assert_eq!(Samples::of(&registry).get(r#"{"http.size"}"#), Some(7.0));
    }

    #[test]
    #[should_panic(expected = "is not a series: a quote is not closed")]
    fn what_is_no_series_is_no_sample_that_is_missing() {
        Samples::default().get("a{b=\"c}");
    }

    #[test]
    fn messages_show_what_there_is() {
        let (registry, requests) = requests();
        requests.with(["404", "/"]).inc();
        let samples = Samples::of(&registry);
        assert_eq!(
            samples.complaint(r#"requests_total{code="200",path="/"}"#, "== 1"),
            "there is no requests_total{code=\"200\",path=\"/\"}, wanted: == 1\nthere are:\n  \
             requests_total{code=\"404\",path=\"/\"} 1\n"
        );
        assert_eq!(
            samples.complaint(r#"requests_total{code="404",path="/"}"#, "== 2").lines().next(),
            Some(r#"requests_total{code="404",path="/"} is 1, wanted: == 2"#)
        );
        assert!(
            samples.complaint("requests", "== 1").contains("requests_total"),
            "a name that is nearly right"
        );
    }

    #[test]
    fn changes_are_what_became_different() {
        let (registry, requests) = requests();
        requests.with(["200", "/"]).inc();
        requests.with(["200", "/b"]).inc();
        let ((), changes) = changes(&registry, || {
            requests.with(["200", "/"]).inc_by(4);
            requests.remove(["200", "/b"]);
            requests.with(["500", "/"]).inc();
        });
        assert_eq!(
            changes.to_string(),
            "requests_total{code=\"200\",path=\"/\"}: 1 -> 5\n\
             requests_total{code=\"200\",path=\"/b\"}: 1 -> none\n\
             requests_total{code=\"500\",path=\"/\"}: none -> 1\n"
        );
        assert_eq!(changes.of(r#"requests_total{code="200",path="/"}"#), 4.0);
        assert_eq!(changes.of("nothing"), 0.0);
    }

    #[test]
    #[should_panic(expected = "while starting: jobs_total is 1, wanted: >= 2")]
    fn a_sample_that_is_not_as_it_should_be() {
        let registry = Registry::new();
        registry.counter("jobs", "Jobs.").unwrap().inc();
        assert_metric!(registry, "jobs_total" == 1);
        assert_metric!(registry, "jobs_total" >= 2, "while {}", "starting");
    }
}
