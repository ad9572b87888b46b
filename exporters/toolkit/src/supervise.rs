//! Running collectors that may hang or panic.

use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Something that reads, may take its time and may fail: a collector's reading half.
///
/// A task never runs twice at once, so what it reads into can be behind a lock that nobody else holds for long.
pub struct Task {
    name: String,
    work: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Since when it runs.
    running: Mutex<Option<Instant>>,
}

impl Task {
    /// A task from a name for reports and the work itself. An error is told in words for people.
    pub fn new(
        name: impl Into<String>,
        work: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { name: name.into(), work: Box::new(work), running: Mutex::new(None) })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Since when the task runs, if it does.
    pub fn running_since(&self) -> Option<Instant> {
        *lock(&self.running)
    }

    /// Runs the work unless it runs already.
    fn run(&self) -> Outcome {
        let begin = Instant::now();
        {
            let mut running = lock(&self.running);
            if let Some(since) = *running {
                return Outcome::late(since);
            }
            *running = Some(begin);
        }
        let result = catch_unwind(AssertUnwindSafe(&self.work));
        *lock(&self.running) = None;
        let state = match result {
            Ok(Ok(())) => State::Done,
            Ok(Err(error)) => State::Failed(error),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().copied();
                let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                State::Failed(format!("panicked: {}", text.unwrap_or("without a message")))
            }
        };
        Outcome { duration: begin.elapsed(), state }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How a task fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How long it ran, or runs by now.
    pub duration: Duration,
    /// What came of it.
    pub state: State,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// All went well.
    Done,
    /// It failed or panicked, for this reason.
    Failed(String),
    /// It was given up on and still runs, or was never begun for want of time. What it reads into must not be looked
    /// at.
    Late,
}

impl Outcome {
    fn late(since: Instant) -> Self {
        Self { duration: since.elapsed(), state: State::Late }
    }
}

/// Has tasks run, and gives up on those that are late.
///
/// All tasks of a round run one after the other on one thread: the caller's own, if it calls [`Round::work`] and somebody
/// else can take over, or one that is kept. A task that does not come back for a while gets its thread to itself, and
/// another thread takes on the rest. Since a task that still runs is not begun again, there are never more threads than
/// tasks that hang, and one.
#[derive(Clone, Debug)]
pub struct Supervisor {
    idle: Arc<Mutex<Vec<Sender<Arc<Round>>>>>,
    keeps_a_thread: bool,
}

/// How long a task may run before the others stop waiting for it; less when little time is left.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tasks that are run together, once, and how they fared.
#[derive(Debug)]
pub struct Round {
    tasks: Vec<Arc<Task>>,
    state: Mutex<RoundState>,
    /// Told when the last task has come back.
    finished: Condvar,
}

#[derive(Debug)]
struct RoundState {
    /// The tasks that nobody has begun.
    waiting: Range<usize>,
    outcomes: Vec<Option<Outcome>>,
    missing: usize,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Supervisor {
    /// A supervisor without threads; they are made when needed, and one is kept for the next round.
    pub fn new() -> Self {
        Self { idle: Arc::default(), keeps_a_thread: true }
    }

    /// The same for rounds that mostly are [worked](Round::work) on by those who begin them: no thread is kept.
    pub fn for_emergencies() -> Self {
        Self { keeps_a_thread: false, ..Self::new() }
    }

    /// Runs all tasks on other threads until `deadline` at most, and says how each fared, in their order.
    pub fn run(&self, tasks: Vec<Arc<Task>>, deadline: Instant) -> Vec<Outcome> {
        self.finish(&Round::new(tasks), deadline)
    }

    /// Has other threads run what is left of a round, waits for what runs until `deadline` at most, and says how each
    /// task fared, in their order.
    pub fn finish(&self, round: &Arc<Round>, deadline: Instant) -> Vec<Outcome> {
        let mut state = lock(&round.state);
        let mut moves = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !moves && !state.waiting.is_empty() {
                drop(state);
                self.lend_a_thread(round);
                state = lock(&round.state);
            }
            if state.missing == 0 || left.is_zero() {
                break;
            }
            let begun = state.waiting.start;
            let patience = PATIENCE.min(left / 4).max(Duration::from_millis(1));
            let waited = round.finished.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            moves = state.waiting.start != begun;
        }
        state.waiting.start = state.waiting.end;
        let outcomes = std::mem::take(&mut state.outcomes);
        drop(state);
        let late = |task: &Arc<Task>| Outcome {
            duration: task.running_since().map_or(Duration::ZERO, |since| since.elapsed()),
            state: State::Late,
        };
        let told = outcomes.into_iter().zip(&round.tasks);
        told.map(|(outcome, task)| outcome.unwrap_or_else(|| late(task))).collect()
    }

    /// Puts a thread on `round`: one that is idle, or a new one.
    fn lend_a_thread(&self, round: &Arc<Round>) {
        while let Some(thread) = lock(&self.idle).pop() {
            if thread.send(round.clone()).is_ok() {
                return;
            }
        }
        let first = round.clone();
        let idle = if self.keeps_a_thread { Arc::downgrade(&self.idle) } else { Weak::new() };
        let spawned = std::thread::Builder::new().name("collector".into()).spawn(move || {
            first.work();
            // Parked until the next round, or until the supervisor is dropped and the pool with it.
            while let Some(rounds) = park(&idle) {
                let Ok(round) = rounds.recv() else { return };
                round.work();
            }
        });
        if let Err(error) = spawned {
            // The tasks are then late, and reported so.
            tracing::error!(%error, "a thread for collectors could not be started");
        }
    }
}

/// Where a thread that is done waits for rounds; `None` if it is not needed. One thread is kept at most, those that made up for
/// tasks that hung are not.
fn park(idle: &Weak<Mutex<Vec<Sender<Arc<Round>>>>>) -> Option<Receiver<Arc<Round>>> {
    let idle = idle.upgrade()?;
    let mut idle = lock(&idle);
    let (sender, rounds) = channel();
    idle.is_empty().then(|| {
        idle.push(sender);
        rounds
    })
}

impl Round {
    /// A round of these tasks, of which none is begun.
    pub fn new(tasks: Vec<Arc<Task>>) -> Arc<Self> {
        let state =
            RoundState { waiting: 0..tasks.len(), outcomes: vec![None; tasks.len()], missing: tasks.len() };
        Arc::new(Self { tasks, state: Mutex::new(state), finished: Condvar::new() })
    }

    /// Runs waiting tasks on this thread until there are none: for whoever may hang, because another thread then calls
    /// [`Supervisor::finish`].
    pub fn work(&self) {
        loop {
            let next = lock(&self.state).waiting.next();
            let Some((index, task)) = next.and_then(|index| Some((index, self.tasks.get(index)?))) else {
                return;
            };
            let outcome = task.run();
            let mut state = lock(&self.state);
            // After the deadline there are no places for outcomes any more.
            if let Some(place) = state.outcomes.get_mut(index) {
                *place = Some(outcome);
            }
            state.missing -= 1;
            let last = state.missing == 0;
            // Whoever is woken while the lock is held falls asleep again over it.
            drop(state);
            if last {
                self.finished.notify_all();
            }
        }
    }
}

/// No code that holds one of these locks panics half way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn soon(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    fn states(outcomes: &[Outcome]) -> Vec<State> {
        outcomes.iter().map(|outcome| outcome.state.clone()).collect()
    }

    #[test]
    fn tasks_run_in_order_and_report_how_they_fared() {
        let supervisor = Supervisor::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        let task = |name: &'static str, result: Result<(), String>| {
            let order = order.clone();
            Task::new(name, move || {
                lock(&order).push(name);
                result.clone()
            })
        };
        let tasks = [
            task("a", Ok(())),
            task("b", Err("no such file".into())),
            Task::new("c", || panic!("index {} is out of range", 7)),
            task("d", Ok(())),
        ];
        for _ in 0..3 {
            let outcomes = supervisor.run(tasks.to_vec(), soon(5_000));
            assert_eq!(
                states(&outcomes),
                [
                    State::Done,
                    State::Failed("no such file".into()),
                    State::Failed("panicked: index 7 is out of range".into()),
                    State::Done
                ]
            );
        }
        assert_eq!(*lock(&order), ["a", "b", "d"].repeat(3));
        assert_eq!(supervisor.run(Vec::new(), soon(10)), []);
    }

    #[test]
    fn a_task_that_hangs_holds_up_nobody_and_is_not_begun_again() {
        let supervisor = Supervisor::new();
        let (release, gate) = channel::<()>();
        let (gate, begun) = (Mutex::new(gate), Arc::new(AtomicUsize::new(0)));
        let count = begun.clone();
        let hangs = Task::new("hangs", move || {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = lock(&gate).recv();
            Ok(())
        });
        let tasks = [Task::new("a", || Ok(())), hangs.clone(), Task::new("b", || Ok(()))];
        let outcomes = supervisor.run(tasks.to_vec(), soon(400));
        assert_eq!(states(&outcomes), [State::Done, State::Late, State::Done]);
        assert!(outcomes[1].duration >= Duration::from_millis(100));
        for _ in 0..50 {
            let began = Instant::now();
            let outcomes = supervisor.run(tasks.to_vec(), soon(5_000));
            assert_eq!(states(&outcomes), [State::Done, State::Late, State::Done]);
            assert!(began.elapsed() < Duration::from_secs(1), "known to hang, not waited for");
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        drop(release);
        let back = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(2));
            supervisor.run(tasks.to_vec(), soon(5_000))[1].state == State::Done
        });
        assert!(back, "it runs again once it has come back");
        assert!(hangs.running_since().is_none());
    }

    #[test]
    fn others_finish_what_a_thread_began_and_did_not_come_back_from() {
        let (release, gate) = channel::<()>();
        let gate = Mutex::new(gate);
        let (told, hear) = channel();
        let hangs = Task::new("hangs", move || {
            let _ = told.send(());
            let _ = lock(&gate).recv();
            Ok(())
        });
        let round = Round::new(vec![Task::new("a", || Ok(())), hangs, Task::new("b", || Ok(()))]);
        let here = round.clone();
        let worker = std::thread::spawn(move || here.work());
        hear.recv().unwrap();
        let outcomes = Supervisor::new().finish(&round, soon(1_000));
        assert_eq!(states(&outcomes), [State::Done, State::Late, State::Done]);
        drop(release);
        worker.join().unwrap();
    }

    #[test]
    fn several_that_hang_leave_time_for_the_rest() {
        let supervisor = Supervisor::new();
        let (release, gate) = channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let mut tasks: Vec<_> = (0..4)
            .map(|n| {
                let gate = gate.clone();
                Task::new(format!("hangs {n}"), move || {
                    let _ = lock(&gate).recv();
                    Ok(())
                })
            })
            .collect();
        tasks.push(Task::new("fine", || Ok(())));
        let outcomes = supervisor.run(tasks.clone(), soon(1_000));
        assert_eq!(outcomes[4].state, State::Done);
        assert!(outcomes[..4].iter().all(|outcome| outcome.state == State::Late));
        drop(release);
    }

    #[test]
    fn no_time_means_late() {
        let (release, hold) = channel::<()>();
        let hold = Mutex::new(hold);
        let task = Task::new("a", move || {
            let _ = hold.lock().unwrap().recv(); // until the test lets go, however quick the thread is
            Ok(())
        });
        let outcomes = Supervisor::new().run(vec![task], Instant::now());
        assert_eq!(states(&outcomes), [State::Late]);
        drop(release);
    }
}
