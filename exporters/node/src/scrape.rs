//! One scrape: the chosen collectors read one after the other, then each tells what it found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels};

use crate::collectors::{self, NodeCollector, Setup, Spec};
use crate::families::{counter, gauge};
use crate::flags::Options;
use crate::host::{Error, Host, Roots};
use crate::page::Page;

static DURATION: Descriptor =
    gauge("node_scrape_collector_duration_seconds", "How long a collector took to read the host.");
static SUCCESS: Descriptor =
    gauge("node_scrape_collector_success", "Whether a collector could read all that it should.");
static ERRORS: Descriptor = counter(
    "node_scrape_collector_errors_total",
    "Lines, files and readings that a collector had to leave out.",
);

/// The collectors that are on.
pub struct Node {
    slots: Vec<Slot>,
}

/// A collector and how it fared.
struct Slot {
    spec: &'static Spec,
    state: Mutex<State>,
    errors: AtomicU64,
}

struct State {
    collector: Box<dyn NodeCollector>,
    host: Host,
}

/// How one collector fared in one scrape.
#[derive(Debug)]
pub struct Outcome {
    /// The collector's name.
    pub name: &'static str,
    /// How long its reading took.
    pub duration: Duration,
    /// What it could not read; empty if all went well.
    pub problems: Vec<Error>,
}

/// Which collectors a scrape asks.
#[derive(Debug, Clone, Default)]
pub struct Selection(Option<Vec<&'static str>>);

impl Selection {
    fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(&name))
    }
}

impl Node {
    /// Makes the collectors that are on. All that is wrong with the flags comes back at once.
    pub fn new(options: &Options, roots: Roots, enabled: &[&'static str]) -> Result<Self, Vec<String>> {
        let roots = Arc::new(roots);
        let (mut slots, mut wrong) = (Vec::new(), Vec::new());
        for spec in collectors::ALL.iter().filter(|spec| enabled.contains(&spec.name)) {
            let host = Host::new(Arc::clone(&roots));
            match (spec.build)(&Setup { options, host: &host, enabled }) {
                Ok(collector) => {
                    let state = Mutex::new(State { collector, host });
                    slots.push(Slot { spec, state, errors: AtomicU64::new(0) });
                }
                Err(error) => wrong.push(error),
            }
        }
        if wrong.is_empty() { Ok(Self { slots }) } else { Err(wrong) }
    }

    /// The names of the collectors that are on.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.slots.iter().map(|slot| slot.spec.name)
    }

    /// The collectors that `collect[]` and `exclude[]` of a request ask for; an error is the answer to a request
    /// that makes no sense.
    pub fn select(
        &self,
        collect: &[impl AsRef<str>],
        exclude: &[impl AsRef<str>],
    ) -> Result<Selection, String> {
        if collect.is_empty() && exclude.is_empty() {
            return Ok(Selection(None));
        }
        if !collect.is_empty() && !exclude.is_empty() {
            return Err("collect[] and exclude[] cannot be combined in one request".to_owned());
        }
        let mut names = Vec::new();
        for wanted in collect.iter().map(AsRef::as_ref) {
            match self.names().find(|name| *name == wanted) {
                Some(name) => names.push(name),
                None if collectors::ALL.iter().any(|spec| spec.name == wanted) => {
                    return Err(format!(
                        "collect[]={wanted}: this collector is off; start with --collector.{wanted}"
                    ));
                }
                None => return Err(format!("collect[]={wanted}: there is no such collector")),
            }
        }
        if !exclude.is_empty() {
            names.extend(self.names().filter(|name| !exclude.iter().any(|e| e.as_ref() == *name)));
        }
        Ok(Selection(Some(names)))
    }

    /// Reads the host and tells all of it.
    pub fn scrape(&self, selection: &Selection, out: &mut Emitter<'_>) -> Vec<Outcome> {
        let mut page = Page::new(out);
        let out = &mut page;
        let chosen: Vec<&Slot> = self.slots.iter().filter(|slot| selection.has(slot.spec.name)).collect();
        let outcomes: Vec<Outcome> = chosen.iter().map(|slot| slot.run(out)).collect();
        let mut family = out.family(&DURATION);
        for outcome in &outcomes {
            family.point(Labels::new(&[("collector", outcome.name)]), outcome.duration.as_secs_f64());
        }
        let mut family = out.family(&SUCCESS);
        for outcome in &outcomes {
            family.point(Labels::new(&[("collector", outcome.name)]), outcome.problems.is_empty());
        }
        let mut family = out.family(&ERRORS);
        for slot in &chosen {
            let errors = slot.errors.load(Ordering::Relaxed);
            if errors > 0 {
                family.point(Labels::new(&[("collector", slot.spec.name)]), errors);
            }
        }
        outcomes
    }
}

impl Slot {
    fn run(&self, out: &mut Page<'_, '_>) -> Outcome {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { collector, host } = &mut *state;
        let begin = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| collector.update(host)))
            .unwrap_or_else(|panic| Err(Error::other(format!("panicked: {}", reason(&*panic)))));
        let duration = begin.elapsed();
        let (mut problems, mut count) = host.take_problems();
        if let Err(error) = result {
            count += u64::from(!error.is_no_data());
            problems.push(error);
        }
        if catch_unwind(AssertUnwindSafe(|| collector.emit(out))).is_err() {
            count += 1;
            problems.push(Error::other("panicked while it told what it found"));
        }
        self.errors.fetch_add(count, Ordering::Relaxed);
        Outcome { name: self.spec.name, duration, problems }
    }
}

fn reason(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

impl Collector for Node {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        self.scrape(&Selection::default(), out);
        Ok(())
    }
}
