//! One scrape: the chosen collectors read the host, those that hang are given up on, and the others tell what they
//! found.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openmetrics::http::{Ask, Source, Unavailable};
use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels};
use openmetrics_exporter_toolkit::{CollectorState, Condition, Round, State as Ended, Supervisor, Task};

use crate::collectors::{self, NodeCollector, Setup, Spec};
use crate::families::{counter, gauge};
use crate::flags::Options;
use crate::host::{Error, Host, Roots, Shared};
use crate::page::Page;

static DURATION: Descriptor =
    gauge("node_scrape_collector_duration_seconds", "How long a collector took to read the host.");
static SUCCESS: Descriptor =
    gauge("node_scrape_collector_success", "Whether a collector could read all that it should.");
static ERRORS: Descriptor = counter(
    "node_scrape_collector_errors_total",
    "Lines, files and readings that a collector had to leave out; only collectors that had any.",
);

/// The collectors that are on.
#[derive(Debug)]
pub struct Node {
    slots: Vec<Slot>,
    supervisor: Supervisor,
    /// Whether scrapes have to wait, and who is told when they need not.
    held: (Mutex<bool>, Condvar),
    /// What a thread that may hang is reading.
    here: Mutex<Option<Arc<Round>>>,
    /// What collectors share within a scrape.
    host: Arc<Shared>,
    /// How long a reading is told to other scrapes as well.
    share_within: Duration,
    /// What the last scrape asked for, and when it began.
    shared: Mutex<Option<(Selection, Instant, Vec<Outcome>)>>,
}

/// A collector, its reading half as a task, and how it fared.
#[derive(Debug)]
struct Slot {
    spec: &'static Spec,
    state: Arc<Mutex<State>>,
    task: Arc<Task>,
    errors: AtomicU64,
    last: Mutex<Option<Outcome>>,
}

/// What the reading half works on. It is locked while it reads; who finds it locked has given up on it.
struct State {
    collector: Box<dyn NodeCollector>,
    host: Host,
    /// Why the last reading ended early.
    ended: Option<Error>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// How one collector fared in one scrape.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The collector's name.
    pub name: &'static str,
    /// How long its reading took, or takes by now.
    pub duration: Duration,
    /// What it could not read, in words; empty if all went well.
    pub problems: Vec<String>,
    /// What was wrong and does not count as a failure, in words.
    pub asides: Vec<String>,
    /// How many problems there were; not all are kept in words, and "the host has nothing of the sort" is none.
    pub errors: u64,
    /// Whether it has not come back yet. Then there is nothing to tell.
    pub late: bool,
}

/// Which collectors a scrape asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
        let shared_host = Arc::new(Shared::default());
        let (mut slots, mut wrong) = (Vec::new(), Vec::new());
        for spec in collectors::ALL.iter().filter(|spec| enabled.contains(&spec.name)) {
            let host = Host::new(Arc::clone(&roots)).sharing(Arc::clone(&shared_host));
            match (spec.build)(&Setup { options, host: &host, enabled }) {
                Ok(collector) => slots.push(Slot::new(spec, collector, host)),
                Err(error) => wrong.push(error),
            }
        }
        if wrong.is_empty() {
            Ok(Self {
                slots,
                supervisor: Supervisor::for_emergencies(),
                held: Default::default(),
                here: Mutex::default(),
                host: shared_host,
                share_within: Duration::ZERO,
                shared: Mutex::default(),
            })
        } else {
            Err(wrong)
        }
    }

    /// The same node, where scrapes that ask for the same within this time are told the same.
    #[must_use]
    pub fn sharing_within(mut self, time: Duration) -> Self {
        self.share_within = time;
        self
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
        if !collect.is_empty() && !exclude.is_empty() {
            return Err("collect[] and exclude[] cannot be combined in one request".to_owned());
        }
        let mut names = Vec::new();
        for wanted in collect.iter().map(AsRef::as_ref) {
            match self.names().find(|name| *name == wanted) {
                Some(name) => names.push(name),
                None if collectors::ALL.iter().any(|spec| spec.name == wanted) => {
                    return Err(format!(
                        "collect[]={wanted}: this collector is off; --collector.{wanted} turns it on"
                    ));
                }
                None => return Err(format!("collect[]={wanted}: there is no such collector")),
            }
        }
        if !exclude.is_empty() {
            names.extend(self.names().filter(|name| !exclude.iter().any(|e| e.as_ref() == *name)));
        }
        // Whoever excludes all of them gets all, as from node_exporter.
        Ok(Selection(Some(names).filter(|names| !names.is_empty())))
    }

    /// Reads the host until `deadline` at most, and keeps what was found in a [`Reading`].
    pub fn read(&self, selection: &Selection, deadline: Instant) -> Reading<'_> {
        self.finish(selection, &self.begin(selection), deadline)
    }

    /// The same on this thread alone, which saves the switch to another and back; that is felt in what a scrape costs.
    /// `None` if [`take_over`](Self::take_over) was called meanwhile, because this thread did not come back.
    fn read_here(&self, selection: &Selection, deadline: Instant) -> Option<Reading<'_>> {
        self.wait_until_let_go(deadline);
        let round = self.begin(selection);
        *lock(&self.here) = Some(Arc::clone(&round));
        round.work();
        lock(&self.here).take_if(|here| Arc::ptr_eq(here, &round))?;
        Some(self.finish(selection, &round, deadline))
    }

    /// Reads what the thread that is away in [`read_here`](Self::read_here), for the same selection, has not come to;
    /// `None` if there is none.
    fn take_over(&self, selection: &Selection, deadline: Instant) -> Option<Reading<'_>> {
        let round = lock(&self.here).take()?;
        Some(self.finish(selection, &round, deadline))
    }

    /// Has scrapes wait until what is returned is dropped. Two readings at once would each find collectors that the other
    /// one is at, and tell them as late; so whoever reads beside scrapes holds them back, as a reading at the start does.
    pub fn hold_scrapes(self: &Arc<Self>) -> Held {
        *lock(&self.held.0) = true;
        Held(Arc::clone(self))
    }

    fn wait_until_let_go(&self, deadline: Instant) {
        let (held, let_go) = &self.held;
        let mut held = lock(held);
        while *held {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            held = let_go.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn begin(&self, selection: &Selection) -> Arc<Round> {
        self.host.begin();
        Round::new(self.slots(selection).map(|slot| Arc::clone(&slot.task)).collect())
    }

    fn finish(&self, selection: &Selection, round: &Arc<Round>, deadline: Instant) -> Reading<'_> {
        let ends = self.supervisor.finish(round, deadline);
        let told = self.slots(selection).zip(ends);
        Reading { told: told.map(|(slot, end)| (slot, slot.outcome(end.duration, &end.state))).collect() }
    }

    fn slots(&self, selection: &Selection) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| selection.has(slot.spec.name))
    }

    /// Reads the host here, or tells what the last reading found, if it was for the same and is recent enough to be
    /// shared.
    fn read_or_share(&self, selection: &Selection, deadline: Instant) -> Option<Reading<'_>> {
        if self.share_within.is_zero() {
            return self.read_here(selection, deadline);
        }
        let begin = Instant::now();
        if let Some((of, since, outcomes)) = &*lock(&self.shared)
            && of == selection
            && since.elapsed() < self.share_within
        {
            return Some(Reading { told: self.slots(selection).zip(outcomes.iter().cloned()).collect() });
        }
        let reading = self.read_here(selection, deadline)?;
        *lock(&self.shared) = Some((selection.clone(), begin, reading.outcomes().cloned().collect()));
        Some(reading)
    }

    /// How the collectors fared last, and which are off.
    pub fn states(&self) -> Vec<CollectorState> {
        let state = |spec: &Spec| {
            let Some(slot) = self.slots.iter().find(|slot| slot.spec.name == spec.name) else {
                return (Condition::Off, None);
            };
            match &*lock(&slot.last) {
                None => (Condition::Waiting, None),
                Some(last) if last.late => (Condition::Late, Some(last.duration)),
                Some(last) if last.problems.is_empty() => (Condition::Fine, Some(last.duration)),
                Some(last) if last.errors == 0 => {
                    (Condition::Absent(last.problems.join("; ")), Some(last.duration))
                }
                Some(last) => (Condition::Failed(last.problems.join("; ")), Some(last.duration)),
            }
        };
        let all = collectors::ALL.iter().map(|spec| (spec.name, state(spec)));
        all.map(|(name, (condition, duration))| CollectorState { name: name.to_owned(), condition, duration })
            .collect()
    }
}

/// Holds scrapes back; see [`Node::hold_scrapes`].
#[derive(Debug)]
pub struct Held(Arc<Node>);

impl Drop for Held {
    fn drop(&mut self) {
        let (held, let_go) = &self.0.held;
        *lock(held) = false;
        let_go.notify_all();
    }
}

impl Slot {
    fn new(spec: &'static Spec, collector: Box<dyn NodeCollector>, host: Host) -> Self {
        let state = Arc::new(Mutex::new(State { collector, host, ended: None }));
        let read = Arc::clone(&state);
        let task = Task::new(spec.name, move || {
            let State { collector, host, ended } = &mut *lock(&read);
            *ended = None;
            *ended = collector.update(host).err();
            Ok(())
        });
        Self { spec, state, task, errors: AtomicU64::new(0), last: Mutex::new(None) }
    }

    /// What is to be said of a reading that ended like this.
    fn outcome(&self, duration: Duration, end: &Ended) -> Outcome {
        let late = *end == Ended::Late;
        let (mut problems, mut asides, mut errors) = (Vec::new(), Vec::new(), 0);
        if let Ended::Failed(why) = end {
            (problems, errors) = (vec![why.clone()], 1);
        }
        // A lock that is taken belongs to a reading that was given up on just now.
        if let (false, Ok(mut state)) = (late, self.state.try_lock()) {
            let found = state.host.take_problems();
            errors += found.count;
            problems.extend(found.notes.iter().map(ToString::to_string));
            asides.extend(found.asides.iter().map(ToString::to_string));
            if let Some(error) = state.ended.take() {
                errors += u64::from(!error.is_no_data());
                problems.push(error.to_string());
            }
        }
        if late {
            (problems, errors) = (vec!["has not come back yet".to_owned()], 1);
        }
        self.errors.fetch_add(errors, Ordering::Relaxed);
        let outcome = Outcome { name: self.spec.name, duration, problems, asides, errors, late };
        let before = lock(&self.last).replace(outcome.clone());
        if before
            .is_none_or(|before| (&before.problems, &before.asides) != (&outcome.problems, &outcome.asides))
        {
            outcome.log();
        }
        outcome
    }
}

impl Outcome {
    /// Why there is less to tell than there could be; nothing if all went well.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().chain(&self.asides).map(String::as_str)
    }

    /// Says what is wrong once, when it changes, and not on every scrape.
    fn log(&self) {
        let collector = self.name;
        let reasons: Vec<&str> = self.reasons().collect();
        match (reasons.as_slice(), self.errors) {
            ([], _) => tracing::debug!(collector, "fine"),
            ([reason], 0) => tracing::debug!(collector, reason, "nothing to tell"),
            (reasons, errors) => {
                tracing::warn!(collector, errors, reason = reasons.join("; "), "not all could be read");
            }
        }
    }
}

/// What was read in one scrape.
#[derive(Debug)]
pub struct Reading<'n> {
    told: Vec<(&'n Slot, Outcome)>,
}

impl Reading<'_> {
    /// How each collector fared.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.told.iter().map(|(_, outcome)| outcome)
    }
}

impl Collector for Reading<'_> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let mut page = Page::new(out);
        for (slot, outcome) in &self.told {
            if let (false, Ok(state)) = (outcome.late, slot.state.try_lock()) {
                state.collector.emit(&mut page);
            }
        }
        let mut family = page.family(&DURATION);
        for outcome in self.outcomes() {
            family.point(Labels::new(&[("collector", outcome.name)]), outcome.duration.as_secs_f64());
        }
        let mut family = page.family(&SUCCESS);
        for outcome in self.outcomes() {
            family.point(Labels::new(&[("collector", outcome.name)]), outcome.problems.is_empty());
        }
        let mut family = page.family(&ERRORS);
        for (slot, outcome) in &self.told {
            let errors = slot.errors.load(Ordering::Relaxed);
            if errors > 0 {
                family.point(Labels::new(&[("collector", outcome.name)]), errors);
            }
        }
        Ok(())
    }
}

/// What `/metrics` tells.
#[derive(Debug)]
pub struct Metrics(pub Arc<Node>);

impl Metrics {
    fn selection(&self, ask: &Ask) -> Result<Selection, Unavailable> {
        let collect: Vec<&str> = ask.values("collect[]").collect();
        let exclude: Vec<&str> = ask.values("exclude[]").collect();
        self.0.select(&collect, &exclude).map_err(Unavailable::bad_request)
    }
}

impl Source for Metrics {
    fn gather<'a>(&'a self, ask: &'a Ask) -> Result<Box<dyn Collector + 'a>, Unavailable> {
        match self.0.read_or_share(&self.selection(ask)?, ask.deadline) {
            Some(reading) => Ok(Box::new(reading)),
            None => Err(Unavailable::taken_over()),
        }
    }

    fn take_over<'a>(&'a self, ask: &'a Ask) -> Option<Result<Box<dyn Collector + 'a>, Unavailable>> {
        let reading = self.0.take_over(&self.selection(ask).ok()?, ask.deadline)?;
        Some(Ok(Box::new(reading)))
    }
}

/// A panic while a lock was held left nothing half done that the next reading does not begin anew.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;
    use openmetrics::format::{Format, encode};
    use openmetrics_exporter_toolkit::{Exporter, Web};
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::{Receiver, channel};

    /// Hangs as a dead mount does, until its channel is closed.
    struct Hangs {
        until: Receiver<()>,
        begun: Arc<AtomicUsize>,
    }

    impl NodeCollector for Hangs {
        fn update(&mut self, _: &mut Host) -> Result<(), Error> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            let _ = self.until.recv();
            Ok(())
        }

        fn emit(&self, _: &mut Page<'_, '_>) {}
    }

    static HANGS: Spec = Spec {
        name: "hangs",
        enabled: true,
        about: "nothing",
        flags: &[],
        build: |_| Err("made by the test".into()),
    };

    /// What a scrape that has five seconds is told.
    fn scrape(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nX-Prometheus-Scrape-Timeout-Seconds: 5\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }

    #[test]
    fn a_collector_that_hangs_costs_a_scrape_only_what_it_would_have_told() {
        let tree = Tree::new("hangs", &[("proc/loadavg", "1 2 3 1/2 3\n")]);
        let roots = tree.host().roots().clone();
        let mut node = Node::new(&Options::default(), roots, &["loadavg", "uname"]).unwrap();
        let (release, until) = channel::<()>();
        let begun = Arc::new(AtomicUsize::new(0));
        let hangs = Hangs { until, begun: Arc::clone(&begun) };
        // The others come after it.
        node.slots.insert(0, Slot::new(&HANGS, Box::new(hangs), tree.host()));
        let exporter = Exporter::new("node_exporter", "1").metrics(Metrics(Arc::new(node)));

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = exporter.start(&Web::at("127.0.0.1:0")).unwrap();
            let address = running.addresses()[0];
            let client = tokio::task::spawn_blocking(move || {
                let succeeded = |page: &str, name: &str| {
                    let line = format!("node_scrape_collector_success{{collector=\"{name}\"}} ");
                    page.lines().find_map(|l| l.strip_prefix(&line)).map(|value| value == "1")
                };
                for _ in 0..3 {
                    let page = scrape(address);
                    let found = ["hangs", "loadavg", "uname"].map(|name| succeeded(&page, name));
                    assert_eq!(found, [Some(false), Some(true), Some(true)], "{page}");
                    assert!(
                        page.contains("\nnode_load1 1\n") && page.contains("\nprocess_threads "),
                        "{page}"
                    );
                }
                assert_eq!(begun.load(Ordering::SeqCst), 1, "it is not begun again");
                drop(release);
                let is_back = (0..500).any(|_| {
                    std::thread::sleep(Duration::from_millis(2));
                    succeeded(&scrape(address), "hangs") == Some(true)
                });
                assert!(is_back, "it is asked again once it has come back");
            });
            client.await.unwrap();
            running.stop().await;
        });
    }

    #[test]
    fn a_scrape_waits_for_the_reading_at_the_start() {
        let tree = Tree::new("held", &[("proc/loadavg", "1 2 3 1/2 3\n")]);
        let node = Arc::new(
            Node::new(&Options::default(), tree.host().roots().clone(), &["loadavg", "uname"]).unwrap(),
        );
        let held = node.hold_scrapes();
        let scraped = Arc::clone(&node);
        let scrape = std::thread::spawn(move || {
            let end = Instant::now() + Duration::from_secs(60);
            let reading = scraped.read_or_share(&Selection::default(), end);
            reading.is_some_and(|reading| reading.outcomes().all(|outcome| !outcome.late))
        });
        node.read(&Selection::default(), Instant::now() + Duration::from_secs(60));
        assert!(!scrape.is_finished());
        drop(held);
        assert!(scrape.join().unwrap());
    }

    #[test]
    fn scrapes_of_a_pair_of_servers_share_a_reading() {
        let tree = Tree::new("sharing", &[("proc/loadavg", "1 2 3 1/2 3\n")]);
        let path = tree.host().proc("loadavg");
        let node = |within| {
            let roots = tree.host().roots().clone();
            Node::new(&Options::default(), roots, &["loadavg", "uname"]).unwrap().sharing_within(within)
        };
        let load = |node: &Node, collect: &[&str]| {
            let selection = node.select(collect, &[""; 0]).unwrap();
            let mut page = Vec::new();
            let reading = node.read_or_share(&selection, Instant::now() + Duration::from_secs(60)).unwrap();
            let _ = encode(&reading, Format::TEXT_0_0_4, &mut page);
            let page = String::from_utf8(page).unwrap();
            page.lines().find_map(|line| line.strip_prefix("node_load1 ").map(str::to_owned)).unwrap()
        };
        let (shares, alone) = (node(Duration::from_secs(600)), node(Duration::ZERO));
        assert_eq!((load(&shares, &[]), load(&alone, &[])), ("1".into(), "1".into()));
        std::fs::write(&path, "7 2 3 1/2 3\n").unwrap();
        assert_eq!((load(&shares, &[]), load(&alone, &[])), ("1".into(), "7".into()));
        assert_eq!(load(&shares, &["loadavg"]), "7", "another selection is another reading");
        assert_eq!(load(&shares, &[]), "7");
    }
}
