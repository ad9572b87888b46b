//! Metrics of tokio runtimes (feature `tokio`): how busy their workers are, and what waits for them.
//!
//! ```
//! use openmetrics::{Registry, runtime::TokioRuntimes};
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! let registry = Registry::new();
//! TokioRuntimes::new().with("main", runtime.handle()).register(&registry)?;
//! # #[cfg(feature = "testing")]
//! openmetrics::assert_metric!(registry, "tokio_workers{runtime=\"main\"}" == 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use tokio::runtime::{Handle, RuntimeMetrics};

use crate::error::Error;
use crate::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricType, Number, Unit};
use crate::registry::{CollectorId, Registry};

/// What runtimes say of themselves, read at each scrape; nothing is counted in between, and no task is wrapped.
///
/// | metric, each with the label `runtime` | what it says |
/// |---|---|
/// | `tokio_workers` | threads that run tasks |
/// | `tokio_tasks_alive` | tasks that were spawned and have not ended |
/// | `tokio_global_queue_tasks` | tasks that wait for any worker; if it stays above zero, there are too few, or they are blocked |
/// | `tokio_worker_busy_seconds_total{worker}` | time that a worker ran tasks; its rate is how busy it is, and one at 1 may be blocked |
/// | `tokio_worker_parks_total{worker}` | times that a worker had nothing to do |
///
/// They are those that tokio calls stable.
#[derive(Clone, Debug, Default)]
pub struct TokioRuntimes(Vec<(String, RuntimeMetrics)>);

static WORKERS: Descriptor =
    Descriptor::literal("tokio_workers", MetricType::Gauge, "Threads of the runtime that run tasks.");
static TASKS: Descriptor = Descriptor::literal(
    "tokio_tasks_alive",
    MetricType::Gauge,
    "Tasks of the runtime that were spawned and have not ended.",
);
static QUEUE: Descriptor = Descriptor::literal(
    "tokio_global_queue_tasks",
    MetricType::Gauge,
    "Tasks that wait for any worker of the runtime.",
);
static BUSY: Descriptor = Descriptor::literal(
    "tokio_worker_busy_seconds",
    MetricType::Counter,
    "Time that a worker of the runtime ran tasks.",
);
static PARKS: Descriptor = Descriptor::literal(
    "tokio_worker_parks",
    MetricType::Counter,
    "Times that a worker of the runtime had nothing to do and slept.",
);

impl TokioRuntimes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// And the one that this is a handle of; inside it, `Handle::current()`. A name that is there already is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, runtime: &Handle) -> Self {
        let name = name.into();
        self.0.retain(|(other, _)| *other != name);
        self.0.push((name, runtime.metrics()));
        self
    }

    /// Has a registry show them.
    ///
    /// # Errors
    ///
    /// If there is something of these names already, such as other runtimes (OM1-FAM-01).
    pub fn register(self, registry: &Registry) -> Result<CollectorId, Error> {
        registry.register_collector("tokio runtimes", self)
    }

    fn each(&self, descriptor: &Descriptor, out: &mut Emitter<'_>, value: impl Fn(&RuntimeMetrics) -> usize) {
        let mut family = out.family(descriptor);
        for (name, runtime) in &self.0 {
            family.point(Labels::new(&[("runtime", name)]), Number::from(value(runtime) as u64));
        }
    }

    #[cfg(target_has_atomic = "64")]
    fn each_worker(
        &self,
        descriptor: &Descriptor,
        out: &mut Emitter<'_>,
        value: impl Fn(&RuntimeMetrics, usize) -> Number,
    ) {
        let mut family = out.family(descriptor);
        for (name, runtime) in &self.0 {
            for worker in 0..runtime.num_workers() {
                let labels = [("runtime", &**name), ("worker", &*worker.to_string())];
                family.point(Labels::new(&labels), value(runtime, worker));
            }
        }
    }
}

impl Collector for TokioRuntimes {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        self.each(&WORKERS, out, RuntimeMetrics::num_workers);
        self.each(&TASKS, out, RuntimeMetrics::num_alive_tasks);
        self.each(&QUEUE, out, RuntimeMetrics::global_queue_depth);
        #[cfg(target_has_atomic = "64")]
        {
            let busy = BUSY.clone().with_unit(Unit::SECONDS);
            self.each_worker(&busy, out, |runtime, worker| {
                runtime.worker_total_busy_duration(worker).as_secs_f64().into()
            });
            self.each_worker(&PARKS, out, |runtime, worker| runtime.worker_park_count(worker).into());
        }
        Ok(())
    }

    fn describe(&self, families: &mut dyn FnMut(&Descriptor)) {
        [&WORKERS, &TASKS, &QUEUE, &BUSY, &PARKS].into_iter().for_each(families);
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::Samples;

    #[test]
    fn two_runtimes_beside_each_other() {
        let runtimes = [1, 2].map(|workers| {
            tokio::runtime::Builder::new_multi_thread().worker_threads(workers).build().unwrap()
        });
        let [one, two] = &runtimes;
        let registry = Registry::new();
        let both = TokioRuntimes::new().with("one", one.handle()).with("two", two.handle());
        both.clone().register(&registry).unwrap();
        assert!(both.register(&registry).is_err(), "once is enough");
        let (ended, hold) = std::sync::mpsc::channel::<()>();
        let task = one.spawn(async move { hold.recv() });
        let samples = Samples::of(&registry);
        assert_eq!(samples.get(r#"tokio_workers{runtime="one"}"#), Some(1.0));
        assert_eq!(samples.get(r#"tokio_workers{runtime="two"}"#), Some(2.0));
        assert_eq!(samples.get(r#"tokio_tasks_alive{runtime="one"}"#), Some(1.0));
        assert!(samples.get(r#"tokio_worker_parks_total{runtime="one",worker="0"}"#).is_some());
        drop(ended);
        assert!(one.block_on(task).unwrap().is_err(), "nobody sends");
        let busy = Samples::of(&registry).get(r#"tokio_worker_busy_seconds_total{runtime="one",worker="0"}"#);
        assert!(busy.is_some_and(|seconds| seconds >= 0.0), "{busy:?}");
    }
}
