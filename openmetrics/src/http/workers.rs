//! Threads for work that may block, kept for a while after it.
//!
//! tokio has such threads too. It keeps them for less than the time between two scrapes, so that each scrape would make
//! a new one, and has two where a scrape follows another at once.

use std::io;
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Arc, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crate::sync::{Mutex, MutexGuard};

/// How long a thread waits for more work: longer than from one scrape to the next.
const KEPT: Duration = Duration::from_secs(150);

type Job = Box<dyn FnOnce(Free) + Send>;
/// What a thread is sent: a job, and the way to send it the next one.
struct Parcel(Job, Sender<Parcel>);
type Idle = Mutex<Vec<Sender<Parcel>>>;

/// Threads that have nothing to do, and those that are made when there are none.
#[derive(Default)]
pub(super) struct Workers(Arc<Idle>);

/// The thread that runs a job: free again when this is dropped, which is best done just before the end of the job is
/// told, so that whoever hears of it finds the thread.
pub(super) struct Free {
    thread: Sender<Parcel>,
    idle: Weak<Idle>,
}

impl Workers {
    /// Has a thread run a job; an error if there is none and none can be made.
    pub(super) fn run(&self, job: impl FnOnce(Free) + Send + 'static) -> io::Result<()> {
        let mut job: Job = Box::new(job);
        while let Some(thread) = lock(&self.0).pop() {
            match thread.send(Parcel(job, thread.clone())) {
                Ok(()) => return Ok(()),
                // It had waited long enough.
                Err(SendError(Parcel(back, _))) => job = back,
            }
        }
        let idle = Arc::downgrade(&self.0);
        thread::Builder::new().name("gathering".into()).spawn(move || {
            let (thread, jobs) = channel();
            let mut next = Some(Parcel(job, thread));
            while let Some(Parcel(job, thread)) = next {
                job(Free { thread, idle: idle.clone() });
                next = jobs.recv_timeout(KEPT).ok();
            }
        })?;
        Ok(())
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        if let Some(idle) = self.idle.upgrade() {
            lock(&idle).push(self.thread.clone());
        }
    }
}

/// No code that holds the lock panics.
fn lock(idle: &Idle) -> MutexGuard<'_, Vec<Sender<Parcel>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_free_takes_the_next_job_and_one_that_is_not_leaves_it_to_another() {
        let workers = Workers::default();
        let (told, hear) = channel();
        let mut threads = Vec::new();
        for _ in 0..100 {
            let told = told.clone();
            let job = move |free: Free| {
                drop(free);
                let _ = told.send(thread::current().id());
            };
            workers.run(job).unwrap();
            threads.push(hear.recv().unwrap());
        }
        threads.dedup();
        assert_eq!(threads.len(), 1);
        let (release, held) = channel::<()>();
        workers.run(move |_free| held.recv().unwrap_or(())).unwrap();
        let told = told.clone();
        workers.run(move |_free| told.send(thread::current().id()).unwrap_or(())).unwrap();
        assert_ne!(hear.recv().unwrap(), threads[0]);
        drop(release);
    }
}
