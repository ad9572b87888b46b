//! How a function fares: calls, errors, time, and how many are under way.

use std::future::Future;
use std::time::Instant;

use crate::error::Error;
use crate::instrument::{Counter, Family, Gauge, Histogram, InFlight, LabelEnum, LabelSet, LabelWriter};
use crate::model::Unit;
use crate::registry::{Metrics, Registry, default_registry, once};

/// What is worth knowing of a function, a query or a job: how often it ended and how, how long it took, how many are under way.
///
/// `#[measured]` on a function does all of this. A group of metrics, as a struct that derives [`Metrics`](crate::Metrics) is one:
///
/// * `calls`, a counter by `outcome`: `ok`, `error`, or `abandoned` for a panic or a future that was dropped;
/// * `call_duration_seconds`, a histogram;
/// * `calls_in_flight`, a gauge.
///
/// ```
/// use openmetrics::{Calls, Metrics, Registry};
///
/// let registry = Registry::new();
/// let queries = Calls::register(&registry.scope("db"))?; // db_calls, db_call_duration_seconds, db_calls_in_flight
///
/// let parsed: Result<u32, _> = queries.count(|| "12".parse());
/// let failed: Result<u32, _> = queries.count(|| "twelve".parse());
/// assert_eq!((queries.ok(), queries.errors()), (1, 1));
///
/// // Or with a guard, where there is no result to look at.
/// let call = queries.begin();
/// call.end_ok();
/// assert_eq!(queries.ok(), 2);
/// # assert!(parsed.is_ok() && failed.is_err());
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Calls {
    ended: Family<Ended, Counter>,
    duration: Histogram,
    in_flight: Gauge,
}

/// How a call ended.
#[derive(Clone, Copy)]
enum Outcome {
    Ok,
    Error,
    Abandoned,
}

impl LabelEnum for Outcome {
    const NAMES: &'static [&'static str] = &["ok", "error", "abandoned"];
    fn index(self) -> usize {
        self as usize
    }
}
crate::label_value_from_enum!(Outcome);

struct Ended {
    outcome: Outcome,
}

impl LabelSet for Ended {
    type Owner = Self;
    const NAMES: &'static [&'static str] = &["outcome"];
    const CARDINALITY: Option<usize> = Some(<Outcome as LabelEnum>::NAMES.len());
    fn ordinal(&self) -> usize {
        self.outcome.index()
    }
    fn write(&self, to: &mut LabelWriter) {
        to.text(self.outcome.name());
    }
}

impl Metrics for Calls {
    fn register(registry: &Registry) -> Result<Self, Error> {
        let ended: Family<Ended, Counter> =
            registry.metric("calls", "Calls that have ended, by how they did.").register()?;
        for outcome in [Outcome::Ok, Outcome::Error, Outcome::Abandoned] {
            ended.handle(Ended { outcome }); // from zero, so that the first of each is seen as a rise
        }
        let duration = registry
            .metric("call_duration_seconds", "Time from the beginning of a call to its end.")
            .unit(Unit::SECONDS)
            .register()?;
        let in_flight = registry.gauge("calls_in_flight", "Calls that have begun and not ended.")?;
        Ok(Self { ended, duration, in_flight })
    }
}

impl Calls {
    /// Begins a call; how it ends, the guard is told. If nobody tells it, the call was abandoned.
    pub fn begin(&self) -> Call<'_> {
        Call {
            calls: self,
            begun: Instant::now(),
            outcome: Outcome::Abandoned,
            in_panic: std::thread::panicking(),
            _in_flight: self.in_flight.in_flight(),
        }
    }

    /// Begins a call of something that cannot fail: it ended well unless it panics.
    ///
    /// ```
    /// use openmetrics::{Calls, Metrics, Registry};
    ///
    /// let calls = Calls::register(&Registry::new().scope("sweep"))?;
    /// {
    ///     let _call = calls.begin_infallible();
    ///     // whatever takes its time
    /// }
    /// assert_eq!(calls.ok(), 1);
    /// # Ok::<(), openmetrics::Error>(())
    /// ```
    pub fn begin_infallible(&self) -> Call<'_> {
        let mut call = self.begin();
        call.outcome = Outcome::Ok;
        call
    }

    /// The calls of this prefix in the default registry, registered now if nobody asked for them before; behind `measured`.
    #[doc(hidden)]
    pub fn at_first_use(place: &str, prefix: &'static str) -> Self {
        let register = || Self::register(&default_registry().scope(prefix));
        let calls = once(place, prefix, &[], register, || Self::register(&Registry::new()));
        calls.expect("names without a prefix are right, and nobody else is in a new registry")
    }

    /// Runs `f` as a call that ends with its result.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn count<T, E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let call = self.begin();
        let result = f();
        call.end(&result);
        result
    }

    /// Awaits `future` as a call that ends with its result; dropped before, it is abandoned.
    ///
    /// # Errors
    ///
    /// Those of `future`.
    pub async fn count_async<T, E>(&self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let call = self.begin();
        let result = future.await;
        call.end(&result);
        result
    }

    /// How many calls ended well.
    pub fn ok(&self) -> u64 {
        self.ended.with(Ended { outcome: Outcome::Ok }).get()
    }

    /// How many calls ended with an error.
    pub fn errors(&self) -> u64 {
        self.ended.with(Ended { outcome: Outcome::Error }).get()
    }

    /// How many calls neither ended well nor with an error: a panic, or a future that was dropped.
    pub fn abandoned(&self) -> u64 {
        self.ended.with(Ended { outcome: Outcome::Abandoned }).get()
    }
}

/// A call under way, made by [`Calls::begin`]. It may be held across an `await` and sent to another thread.
#[must_use = "a call that is dropped is abandoned"]
pub struct Call<'a> {
    calls: &'a Calls,
    begun: Instant,
    outcome: Outcome,
    /// Whether it began while the thread panicked already: then that is no fault of this call.
    in_panic: bool,
    _in_flight: InFlight,
}

impl Call<'_> {
    /// It ended well.
    pub fn end_ok(mut self) {
        self.outcome = Outcome::Ok;
    }

    /// It ended with an error.
    pub fn end_error(mut self) {
        self.outcome = Outcome::Error;
    }

    /// It ended with this result.
    pub fn end<T, E>(self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.end_ok(),
            Err(_) => self.end_error(),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.calls.duration.observe_duration(self.begun.elapsed());
        // What cannot fail is told nothing when it ends.
        let outcome = match self.outcome {
            Outcome::Ok if std::thread::panicking() && !self.in_panic => Outcome::Abandoned,
            outcome => outcome,
        };
        self.calls.ended.with(Ended { outcome }).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn calls_end_in_three_ways() {
        let registry = Registry::new();
        let calls = Calls::register(&registry.scope("db")).unwrap();
        assert_eq!(calls.count(|| Ok::<_, ()>(7)), Ok(7));
        assert_eq!(calls.count(|| Err::<(), _>("no")), Err("no"));
        let panicked =
            catch_unwind(AssertUnwindSafe(|| calls.count(|| -> Result<(), ()> { panic!("on purpose") })));
        assert!(panicked.is_err());
        assert_eq!((calls.ok(), calls.errors(), calls.abandoned()), (1, 1, 1));
        assert_eq!((calls.duration.count(), calls.in_flight.get()), (3, 0));
    }

    #[test]
    fn a_future_counts_when_it_ends_or_is_dropped() {
        let registry = Registry::new();
        let calls = Calls::register(&registry).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(calls.count_async(async { Ok::<_, ()>(()) })).poll(&mut context).is_ready());
        {
            let mut endless = pin!(calls.count_async(std::future::pending::<Result<(), ()>>()));
            assert!(endless.as_mut().poll(&mut context).is_pending());
            assert_eq!(calls.in_flight.get(), 1);
        }
        assert_eq!((calls.ok(), calls.errors(), calls.abandoned(), calls.in_flight.get()), (1, 0, 1, 0));
    }
}
