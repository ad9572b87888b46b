//! Whether a registry is in good shape: what practice recommends and no rule demands.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{Collector, MetricFamily, MetricSet, MetricType, units};

/// Something about a metric that will annoy somebody; its text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lint {
    /// The family.
    pub family: String,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.family, self.message)
    }
}

/// Looks at names, units, help and labels of everything that a collector says now; in a test, after it was used.
///
/// What is against a rule is refused already when it is registered; `omtool check` looks at whole pages.
///
/// ```
/// use openmetrics::{Registry, testing::lint};
///
/// let registry = Registry::new();
/// registry.gauge("queueWaitMs", "")?;
/// let found: Vec<String> = lint(&registry).iter().map(|lint| lint.to_string()).collect();
/// assert_eq!(found, [
///     "queueWaitMs: it has no help; say what is counted, when, and what is not",
///     "queueWaitMs: the name is not in snake_case: queue_wait_ms",
///     "queueWaitMs: its unit is ms; use seconds, the base unit, and a name that ends in it",
/// ]);
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub fn lint(collector: &dyn Collector) -> Vec<Lint> {
    let (set, _) = MetricSet::collect_from(collector);
    let mut lints = Vec::new();
    for family in &set.families {
        let name = family.descriptor.name().as_str();
        let mut add = |message: String| lints.push(Lint { family: name.to_owned(), message });
        help(family, &mut add);
        self::name(name, &mut add);
        unit(name, &mut add);
        labels(family, &mut add);
    }
    lints
}

fn help(family: &MetricFamily, add: &mut impl FnMut(String)) {
    if family.descriptor.help().trim().is_empty() {
        add("it has no help; say what is counted, when, and what is not".into());
    }
}

fn name(name: &str, add: &mut impl FnMut(String)) {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        add(format!("the name is not in snake_case: {}", snake_case(name)));
    }
    for kind in MetricType::ALL {
        let kind = kind.as_str();
        if kind != "info" && name.split('_').next_back() == Some(kind) {
            add(format!("the name ends in its type; without _{kind} it says as much"));
        }
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn unit(name: &str, add: &mut impl FnMut(String)) {
    let snake = snake_case(name);
    let Some(last) = snake.split('_').next_back() else { return };
    if let Some(base) = units::base_of(last).or_else(|| units::base_of_short(last)) {
        add(format!("its unit is {last}; use {base}, the base unit, and a name that ends in it"));
    }
}

/// From how many series on a family is worth a word.
const MANY: usize = 1000;

fn labels(family: &MetricFamily, add: &mut impl FnMut(String)) {
    if family.metrics.len() > MANY {
        add(format!(
            "it has {} series; which label multiplies them, and has it an end?",
            family.metrics.len()
        ));
    }
    let mut unlike: BTreeMap<&str, &str> = BTreeMap::new();
    for label in family.metrics.iter().flat_map(|metric| metric.labels.iter()) {
        if looks_unique(&label.value) {
            unlike.entry(label.name.as_str()).or_insert(&label.value);
        }
    }
    for (name, value) in unlike {
        add(format!(
            "label {name} has values such as {value:?}, each a series for ever; an exemplar can have them"
        ));
    }
}

/// Whether a value looks like something that is never seen twice: an id, an address of e-mail, a long number.
fn looks_unique(value: &str) -> bool {
    let is_uuid = value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    let is_digest = value.len() >= 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = value.len() >= 10 && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_mail = value.split_once('@').is_some_and(|(who, host)| !who.is_empty() && host.contains('.'));
    is_uuid || is_digest || is_number || is_mail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counter, Family, Registry};

    fn found(registry: &Registry) -> Vec<String> {
        lint(registry).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_shape_is_silent() {
        let registry = Registry::new();
        registry.counter("http_requests", "Requests served.").unwrap();
        registry.histogram("http_latency_seconds", "Time to first byte.").unwrap();
        registry.gauge("queue_terms", "Terms.").unwrap();
        let paths: Family<[&str; 1], Counter> =
            registry.metric("paths", "By path.").labels(["path"]).register().unwrap();
        for path in ["/orders/{id}", "2026-11-24", "200", "eth0"] {
            paths.with([path]).inc();
        }
        assert_eq!(found(&registry), [""; 0]);
    }

    #[test]
    fn labels_that_never_end() {
        let registry = Registry::new();
        let users: Family<[&str; 1], Counter> =
            registry.metric("users", "By user.").labels(["user"]).register().unwrap();
        users.with(["0af76519-16cd-43dd-8448-eb211c80319c"]).inc();
        users.with(["ada@example.com"]).inc();
        let [lint] = &*found(&registry) else { panic!("one label is one lint") };
        assert!(lint.starts_with("users: label user has values such as \"0af76519-"), "{lint}");
        for n in 0..MANY {
            users.with([&n.to_string()]).inc();
        }
        assert!(found(&registry)[0].starts_with("users: it has 1002 series"), "{:?}", found(&registry));
    }

    #[test]
    fn names_say_neither_type_nor_odd_units() {
        let registry = Registry::new();
        registry.gauge("load_percent", "Load.").unwrap();
        registry.gauge("load_gauge", "Load.").unwrap();
        let found = found(&registry);
        assert_eq!(
            found[0],
            "load_percent: its unit is percent; use ratio, the base unit, and a name that ends in it"
        );
        assert_eq!(found[1], "load_gauge: the name ends in its type; without _gauge it says as much");
    }
}
