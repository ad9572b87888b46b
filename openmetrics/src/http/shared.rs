//! Work that is shared by all who want it while it is done: the rules of joining, without threads, time or a runtime.
//!
//! The protocol, on two kinds of locks taken in this order: that of the [`Board`], then that of one [`Work`].
//!
//! - A work is *open* from [`join`](Board::join), which puts it on the board, until it is closed; only then is it off
//!   the board. Both change under both locks, so whoever finds a work on the board finds it open.
//! - Who joins adds what it wants under both locks. Whoever does the work asks for what is [`next`](Board::next) and
//!   closes the work under the same two locks when there is nothing: what was added before is seen, and nothing can be
//!   added after. So everything that is wanted is made, or the work has failed.
//! - What is done, and a failure, are put in place before the doer tells those who wait; who waits looks again after
//!   every word. Telling is the business of the tag that a work carries.
//!
//! The models at the end try every interleaving of that, and see a closing in two steps fail.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

#[cfg(all(loom, test))]
use loom::sync::{Mutex, MutexGuard};
use std::sync::PoisonError;

#[cfg(not(all(loom, test)))]
use crate::sync::{Mutex, MutexGuard};

/// What is shared.
pub(super) trait Sharing {
    /// What a work is about.
    type Key: Eq + Hash;
    /// One thing that may be wanted of it.
    type Wanted: Copy + PartialEq;
    /// That thing, made.
    type Made: Clone;
    /// Why nothing was made.
    type Failure: Clone;
    /// What the users of a work need to know of it, and how those that wait are told.
    type Tag;
}

/// The works that are open, by what they are about.
pub(super) struct Board<S: Sharing> {
    open: Mutex<HashMap<S::Key, Arc<Work<S>>>>,
}

/// One piece of work.
pub(super) struct Work<S: Sharing> {
    pub(super) tag: S::Tag,
    state: Mutex<State<S>>,
}

struct State<S: Sharing> {
    wanted: Vec<S::Wanted>,
    made: Vec<(S::Wanted, S::Made)>,
    /// An end without what was wanted: the same for all.
    failed: Option<S::Failure>,
    closed: bool,
}

/// What came of wanting to join.
pub(super) enum Joined<W> {
    /// Somebody does it already.
    Running(W),
    /// It is the caller's to have it done.
    New(W),
}

impl<S: Sharing> Board<S> {
    pub(super) fn new() -> Self {
        Self { open: Mutex::new(HashMap::new()) }
    }

    /// How many works are open.
    pub(super) fn open(&self) -> usize {
        lock(&self.open).len()
    }

    /// Joins the work that is open for `key`, unless `may_join` has something against it, or begins a new one with a
    /// tag that `begin` makes from the tags of those that are open.
    pub(super) fn join<Refusal>(
        &self,
        key: S::Key,
        wanted: S::Wanted,
        may_join: impl FnOnce(&S::Tag) -> Result<(), Refusal>,
        begin: impl FnOnce(&mut dyn Iterator<Item = &S::Tag>) -> Result<S::Tag, Refusal>,
    ) -> Result<Joined<Arc<Work<S>>>, Refusal> {
        let mut open = lock(&self.open);
        if let Some(work) = open.get(&key) {
            may_join(&work.tag)?;
            let mut state = lock(&work.state);
            if !state.wanted.contains(&wanted) {
                state.wanted.push(wanted);
            }
            return Ok(Joined::Running(Arc::clone(work)));
        }
        let tag = begin(&mut open.values().map(|work| &work.tag))?;
        let state = State { wanted: vec![wanted], made: Vec::new(), failed: None, closed: false };
        let work = Arc::new(Work { tag, state: Mutex::new(state) });
        open.insert(key, Arc::clone(&work));
        Ok(Joined::New(work))
    }

    /// Something that is wanted and not made yet. When there is nothing the work is closed: nobody joins it any more.
    pub(super) fn next(&self, key: &S::Key, work: &Work<S>) -> Option<S::Wanted> {
        let mut open = lock(&self.open);
        let mut state = lock(&work.state);
        let next = state.next();
        if next.is_none() {
            state.close(&mut open, key);
        }
        next
    }

    /// Closes the work if it is still open, with a failure if there is one.
    pub(super) fn end(&self, key: &S::Key, work: &Work<S>, failed: Option<S::Failure>) {
        let mut open = lock(&self.open);
        let mut state = lock(&work.state);
        state.close(&mut open, key);
        state.failed = failed;
    }
}

impl<S: Sharing> Work<S> {
    /// Puts in place what was wanted.
    pub(super) fn done(&self, wanted: S::Wanted, made: S::Made) {
        lock(&self.state).made.push((wanted, made));
    }

    /// What came of it, if anything has.
    pub(super) fn look(&self, wanted: S::Wanted) -> Option<Result<S::Made, S::Failure>> {
        let state = lock(&self.state);
        let made = state.made.iter().find(|(w, _)| *w == wanted).map(|(_, made)| Ok(made.clone()));
        made.or_else(|| state.failed.clone().map(Err))
    }
}

impl<S: Sharing> State<S> {
    fn next(&self) -> Option<S::Wanted> {
        self.wanted.iter().find(|wanted| !self.made.iter().any(|(made, _)| made == *wanted)).copied()
    }

    fn close(&mut self, open: &mut HashMap<S::Key, Arc<Work<S>>>, key: &S::Key) {
        // Once it is closed, the board may have another work under the same key.
        if !std::mem::replace(&mut self.closed, true) {
            open.remove(key);
        }
    }
}

/// No code that holds one of these locks panics half way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(loom, test))]
mod loom_models {
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::sync::{Condvar, Mutex as LoomMutex};
    use loom::thread;

    use super::*;

    /// Counts what was made; told after each.
    struct Told {
        count: LoomMutex<usize>,
        changed: Condvar,
    }

    impl Told {
        fn new() -> Self {
            Self { count: LoomMutex::new(0), changed: Condvar::new() }
        }

        fn tell(&self) {
            *self.count.lock().unwrap() += 1;
            self.changed.notify_all();
        }

        fn wait_beyond(&self, seen: usize) -> usize {
            let mut count = self.count.lock().unwrap();
            while *count == seen {
                count = self.changed.wait(count).unwrap();
            }
            *count
        }
    }

    /// Pages in formats that are numbers, with the number of their gathering.
    struct Pages;

    impl Sharing for Pages {
        type Key = ();
        type Wanted = u8;
        type Made = (usize, u8);
        type Failure = &'static str;
        type Tag = Told;
    }

    type Gathering = Work<Pages>;

    struct Endpoint {
        board: Board<Pages>,
        turn: LoomMutex<()>,
        gatherings: AtomicUsize,
        at_once: AtomicUsize,
        next: fn(&Board<Pages>, &Gathering) -> Option<u8>,
        fails: bool,
    }

    impl Endpoint {
        fn new(next: fn(&Board<Pages>, &Gathering) -> Option<u8>, fails: bool) -> Arc<Self> {
            Arc::new(Self {
                board: Board::new(),
                turn: LoomMutex::new(()),
                gatherings: AtomicUsize::new(0),
                at_once: AtomicUsize::new(0),
                next,
                fails,
            })
        }

        /// What `Gatherer` does for one scrape; who begins a gathering does it here and now.
        fn scrape(&self, format: u8) -> Result<(usize, u8), &'static str> {
            let joined = self.board.join((), format, |_| Ok::<_, ()>(()), |_| Ok(Told::new()));
            let work = match joined.unwrap_or_else(|()| unreachable!()) {
                Joined::Running(work) => work,
                Joined::New(work) => {
                    self.gather(&work);
                    work
                }
            };
            let mut seen = 0;
            loop {
                // Counted before looking, as `watch` does: what comes in between is a reason to look again.
                let told = *work.tag.count.lock().unwrap();
                seen = seen.max(told);
                if let Some(result) = work.look(format) {
                    return result;
                }
                seen = work.tag.wait_beyond(seen);
            }
        }

        fn gather(&self, work: &Gathering) {
            let _turn = self.turn.lock().unwrap();
            assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0, "one gathering at a time");
            let number = self.gatherings.fetch_add(1, Ordering::SeqCst);
            if self.fails {
                self.board.end(&(), work, Some("failed"));
            } else {
                let mut made = Vec::new();
                while let Some(format) = (self.next)(&self.board, work) {
                    assert!(!made.contains(&format), "encoded once");
                    made.push(format);
                    work.done(format, (number, format));
                    work.tag.tell();
                }
                self.board.end(&(), work, None);
            }
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            work.tag.tell();
        }
    }

    fn scrapes(formats: &'static [u8], next: fn(&Board<Pages>, &Gathering) -> Option<u8>, fails: bool) {
        loom::model(move || {
            let endpoint = Endpoint::new(next, fails);
            let threads: Vec<_> = formats
                .iter()
                .map(|&format| {
                    let endpoint = endpoint.clone();
                    thread::spawn(move || endpoint.scrape(format))
                })
                .collect();
            for (thread, &format) in threads.into_iter().zip(formats) {
                match thread.join().unwrap() {
                    Ok((_, made)) => assert!(!fails && made == format),
                    Err(_) => assert!(fails),
                }
            }
            assert_eq!(endpoint.board.open(), 0, "nothing is left open");
            assert!(endpoint.gatherings.load(Ordering::SeqCst) <= formats.len());
        });
    }

    fn next(board: &Board<Pages>, work: &Gathering) -> Option<u8> {
        board.next(&(), work)
    }

    #[test]
    fn every_scrape_gets_its_page() {
        scrapes(&[1, 2], next, false);
        scrapes(&[1, 1], next, false);
    }

    #[test]
    fn three_scrapes_share_and_follow() {
        scrapes(&[1, 2, 1], next, false);
    }

    #[test]
    fn every_scrape_is_told_of_a_failure() {
        scrapes(&[1, 2], next, true);
    }

    /// The planted mistake: to see that nothing is wanted, and to close only then. Who joins in between waits for ever.
    fn next_in_two_steps(board: &Board<Pages>, work: &Gathering) -> Option<u8> {
        let next = lock(&work.state).next();
        if next.is_none() {
            let mut open = lock(&board.open);
            lock(&work.state).close(&mut open, &());
        }
        next
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn a_closing_in_two_steps_forgets_somebody() {
        scrapes(&[1, 2], next_in_two_steps, false);
    }

    /// The other planted mistake: to tell before what was made is in place, and not after.
    #[test]
    #[should_panic(expected = "deadlock")]
    fn telling_too_early_leaves_somebody_waiting() {
        loom::model(|| {
            let work: Arc<Gathering> = Arc::new(Work {
                tag: Told::new(),
                state: Mutex::new(State { wanted: vec![1], made: Vec::new(), failed: None, closed: false }),
            });
            let doer = work.clone();
            let thread = thread::spawn(move || {
                doer.tag.tell();
                doer.done(1, (0, 1));
            });
            let mut seen = 0;
            while work.look(1).is_none() {
                seen = work.tag.wait_beyond(seen);
            }
            thread.join().unwrap();
        });
    }
}
