//! Metrics that are registered where they are first used, for small programs.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::default_registry;
use crate::error::Error;
use crate::instrument::{Instrument, Options};
use crate::model::LabelSet;

/// What was registered, by its type, name and labels.
static KNOWN: LazyLock<Mutex<HashMap<Key, Box<dyn Any + Send>>>> = LazyLock::new(Mutex::default);

type Key = (TypeId, &'static str, &'static [&'static str]);

/// What `register` made when it was first asked for by this name: places that say the same share a metric.
///
/// Counting never stops a program: if it cannot be registered, the reason is printed on standard error, and it is what `unseen` makes,
/// whose figures are shown nowhere.
pub(crate) fn once<T: Any + Clone + Send>(
    place: &str,
    name: &'static str,
    labels: &'static [&'static str],
    register: impl FnOnce() -> Result<T, Error>,
    unseen: impl FnOnce() -> Result<T, Error>,
) -> Option<T> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (TypeId::of::<T>(), name, labels);
    if let Some(metric) = known.get(&key).and_then(|metric| metric.downcast_ref::<T>()) {
        return Some(metric.clone());
    }
    let registered = register().or_else(|error| {
        eprintln!("{place}: {name} cannot be registered, so nobody sees what it counts: {error}");
        unseen()
    });
    let metric = registered.ok()?;
    known.insert(key, Box::new(metric.clone()));
    Some(metric)
}

/// The metric of this name in the default registry, registered now if it is not there; behind [`counter!`](crate::counter) and
/// its like.
#[doc(hidden)]
pub fn at_first_use<I: Instrument>(
    place: &str,
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Option<I> {
    let options = Options::new().labels(labels.iter().copied());
    once(
        place,
        name,
        labels,
        || default_registry().metric(name, help).options(options.clone()).register(),
        || I::create(&options, &LabelSet::default()),
    )
}

/// A counter in the default registry, registered where it is first used.
///
/// For small programs; a struct that derives [`Metrics`](crate::Metrics) has its names in one place, checks them when it is registered, and
/// costs less. Labels are given with their values, which are text: a look-up each time.
///
/// ```
/// use openmetrics::counter;
///
/// fn serve(path: &str) {
///     counter!("app_requests", "Requests served.").inc();
///     counter!("app_paths", "Requests by path.", method = "GET", path = path).inc();
/// }
/// serve("/");
/// serve("/");
/// assert_eq!(counter!("app_requests", "Requests served.").get(), 2);
/// ```
///
/// The name is checked when this is compiled:
///
/// ```compile_fail
/// openmetrics::counter!("app.requests", "Requests served.").inc();
/// ```
#[macro_export]
macro_rules! counter {
    ($($definition:tt)+) => { $crate::__at_first_use!($crate::Counter, $($definition)+) };
}

/// A gauge in the default registry, registered where it is first used; see [`counter!`](crate::counter).
///
/// ```
/// openmetrics::gauge!("app_queue_jobs", "Jobs that wait.", queue = "mail").set(3);
/// ```
#[macro_export]
macro_rules! gauge {
    ($($definition:tt)+) => { $crate::__at_first_use!($crate::Gauge, $($definition)+) };
}

/// A histogram in the default registry, registered where it is first used; see [`counter!`](crate::counter).
///
/// ```
/// openmetrics::histogram!("app_answer_seconds", "Time to answer.").observe(0.25);
/// ```
#[macro_export]
macro_rules! histogram {
    ($($definition:tt)+) => { $crate::__at_first_use!($crate::Histogram, $($definition)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __at_first_use {
    ($metric:ty, $name:literal, $help:literal $(,)?) => {{
        const _: () = ::std::assert!(
            $crate::model::is_classic_metric_name($name),
            "a metric name begins with a letter, and has letters, digits and underscores"
        );
        static METRIC: ::std::sync::LazyLock<::std::option::Option<$metric>> = ::std::sync::LazyLock::new(|| {
            $crate::registry::at_first_use(::std::concat!(::std::file!(), ":", ::std::line!()), $name, $help, &[])
        });
        METRIC.as_ref().expect("a metric without labels can be made")
    }};
    ($metric:ty, $name:literal, $help:literal, $($label:ident = $value:expr),+ $(,)?) => {{
        const _: () = ::std::assert!(
            $crate::model::is_classic_metric_name($name),
            "a metric name begins with a letter, and has letters, digits and underscores"
        );
        const LABELS: &[&str] = &[$(::std::stringify!($label)),+];
        static FAMILY: ::std::sync::LazyLock<
            ::std::option::Option<$crate::Family<[&'static str; LABELS.len()], $metric>>,
        > = ::std::sync::LazyLock::new(|| {
            $crate::registry::at_first_use(::std::concat!(::std::file!(), ":", ::std::line!()), $name, $help, LABELS)
        });
        let family = FAMILY.as_ref().expect("a family of as many labels as names can be made");
        family.with([$(::std::convert::AsRef::<str>::as_ref(&$value)),+])
    }};
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use crate::instrument::Counter;
    use crate::registry::default_registry;
    use crate::testing::Samples;

    #[test]
    fn two_places_share_a_metric() {
        let here = crate::counter!("at_first_use_shared", "Here.");
        here.inc();
        crate::counter!("at_first_use_shared", "There.").inc();
        assert_eq!(here.get(), 2);
        for kind in [String::from("a"), String::from("b")] {
            crate::counter!("at_first_use_kinds", "By kind.", kind = kind, of = "test").inc_by(2);
        }
        crate::gauge!("at_first_use_open", "Open.", kind = "a").set(-3);
        crate::histogram!("at_first_use_seconds", "Time.").observe(2.0);
        let samples = Samples::of(default_registry());
        assert_eq!(samples.get("at_first_use_shared_total"), Some(2.0));
        assert_eq!(samples.get(r#"at_first_use_kinds_total{kind="b",of="test"}"#), Some(2.0));
        assert_eq!(samples.get(r#"at_first_use_open{kind="a"}"#), Some(-3.0));
        assert_eq!(samples.get("at_first_use_seconds_sum"), Some(2.0));
    }

    #[test]
    fn a_name_that_is_taken_stops_nobody() {
        let taken: Counter = default_registry().counter("at_first_use_taken", "By somebody else.").unwrap();
        crate::gauge!("at_first_use_taken", "Not to be had.").set(7);
        assert_eq!(taken.get(), 0);
        assert_eq!(Samples::of(default_registry()).get("at_first_use_taken_total"), Some(0.0));
    }
}
