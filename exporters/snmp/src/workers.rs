//! Threads for scrapes, each with an event loop of its own: what one scrape does, from the socket to the page, happens
//! in one place, and the loop that takes requests only takes requests.

use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

/// More loops than this gain nothing: devices are waited for, not computed with.
const MOST: usize = 8;

/// The threads; they are started when there is something to do for the first time.
#[derive(Debug, Default)]
pub struct Workers {
    loops: OnceLock<Vec<Handle>>,
    next: AtomicUsize,
}

impl Workers {
    /// Does some work in one of the threads, or here if there are none. `None` if it panicked. Whoever stops waiting
    /// stops the work.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let loops = self.loops.get_or_init(start);
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(loops.len());
        let here = Handle::current();
        let chosen = turn.and_then(|turn| loops.get(turn)).unwrap_or(&here);
        let mut running = Running(chosen.spawn(work));
        (&mut running.0).await.ok()
    }
}

/// Work that ends when nobody waits for it any more.
struct Running<T>(JoinHandle<T>);

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn start() -> Vec<Handle> {
    let count = std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
    let started: io::Result<Vec<Handle>> = (0..count).map(|_| start_one()).collect();
    started.unwrap_or_else(|error| {
        tracing::warn!(%error, "threads for scrapes could not be started; scrapes share the one for requests");
        Vec::new()
    })
}

fn start_one() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("scrapes".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_a_panic_stays_there() {
        let workers = Workers::default();
        let here = std::thread::current().id();
        let there = workers.run(async { std::thread::current().id() }).await;
        assert!(there.is_some_and(|there| there != here));
        assert_eq!(workers.run(async { "x".parse::<i32>().unwrap() }).await, None);
        assert_eq!(workers.run(async { 7 }).await, Some(7));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        let workers = Workers::default();
        let held = Arc::new(());
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let theirs = held.clone();
        let work = async move {
            let _ = begun.send(());
            std::future::pending::<()>().await;
            drop(theirs);
        };
        tokio::select! {
            () = async { has_begun.await.unwrap() } => {}
            _ = workers.run(work) => unreachable!("it never ends by itself"),
        }
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
