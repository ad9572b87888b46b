//! Who may be connected: how many at once, whom to let go for a newcomer, and the way to a stop.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Limits;
use crate::sync::{Mutex, MutexGuard};

/// The door of a server. Every connection holds a [`Slot`] of it; clones share the same door.
///
/// When all slots are taken, a newcomer takes the place of a connection that waits for a request: one that has never
/// made any before one that has, the one that waits longest first. So a crowd of idle or half-open connections
/// locks nobody out. A connection whose answer is being made, or written and taken, is never cut.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    limits: Limits,
    capacity: usize,
    next: AtomicU64,
    in_flight: AtomicUsize,
    refused: AtomicU64,
    slots: Mutex<HashMap<u64, Entry>>,
    draining: watch::Sender<bool>,
    /// Told whenever a slot is given back.
    left: Notify,
}

/// One connection, as the gate sees it.
struct Entry {
    cut: Arc<Notify>,
    waiting: Option<Waiting>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    /// Whether the connection has had an answer; those that have not go first.
    served: bool,
    since: Instant,
}

impl Gate {
    /// A gate with these limits; its capacity also follows the limit on open files of the process, read here.
    pub fn new(limits: Limits) -> Self {
        let capacity = limits.connections_that_fit();
        Self(Arc::new(Inner {
            limits,
            capacity,
            next: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            slots: Mutex::default(),
            draining: watch::Sender::new(false),
            left: Notify::new(),
        }))
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// How many connections it lets in at once.
    pub fn capacity(&self) -> usize {
        self.0.capacity
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.0.slots().len()
    }

    /// How many requests are being answered.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Relaxed)
    }

    /// How many connections and requests were refused for overload so far.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// A slot for a new connection; `None` when all are busy answering.
    pub fn enter(&self) -> Option<Slot> {
        let mut slots = self.0.slots();
        if slots.len() >= self.0.capacity {
            let longest = slots.iter().filter_map(|(&id, entry)| Some((entry.waiting?, id))).min();
            let Some(entry) = longest.and_then(|(_, id)| slots.remove(&id)) else {
                self.0.refused.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            entry.cut.notify_one();
        }
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let cut = Arc::new(Notify::new());
        let waiting = Some(Waiting { served: false, since: Instant::now() });
        slots.insert(id, Entry { cut: cut.clone(), waiting });
        Some(Slot { id, gate: self.0.clone(), cut, draining: self.0.draining.subscribe() })
    }

    /// Whether the server is on its way to a stop.
    pub fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    /// Begins the stop: connections end after the answer they are at.
    pub fn drain(&self) {
        self.0.draining.send_replace(true);
    }

    /// Waits for [`drain`](Gate::drain).
    pub async fn draining(&self) {
        let mut draining = self.0.draining.subscribe();
        // The sender lives as long as `self`, so waiting ends only with `true`.
        let _ = draining.wait_for(|&draining| draining).await;
    }

    /// Waits until all connections have ended, at most for `limit`; then cuts the rest and says how many they were.
    pub async fn emptied(&self, limit: Duration) -> usize {
        let empty = async {
            loop {
                let left = self.0.left.notified();
                if self.connections() == 0 {
                    return;
                }
                left.await;
            }
        };
        if tokio::time::timeout(limit, empty).await.is_ok() {
            return 0;
        }
        let slots = std::mem::take(&mut *self.0.slots());
        for entry in slots.values() {
            entry.cut.notify_one();
        }
        slots.len()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("capacity", &self.capacity())
            .field("connections", &self.connections())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn slots(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        // No code that holds the lock panics half way through a change.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place at a [`Gate`], given back when it is dropped.
pub struct Slot {
    id: u64,
    gate: Arc<Inner>,
    cut: Arc<Notify>,
    draining: watch::Receiver<bool>,
}

impl Slot {
    /// The limits of the gate.
    pub fn limits(&self) -> &Limits {
        &self.gate.limits
    }

    /// Resolves when the connection has to go at once.
    pub async fn cut(&self) {
        self.cut.notified().await;
    }

    /// Whether the server is on its way to a stop.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Resolves when the server begins to stop.
    pub async fn draining(&self) {
        let mut draining = self.draining.clone();
        let _ = draining.wait_for(|&draining| draining).await;
    }

    /// Notes that the connection waits for a request, and may be cut for a newcomer.
    pub fn waits(&self) {
        self.note(Some(Waiting { served: true, since: Instant::now() }));
    }

    /// Notes that the client takes nothing of its answer, and may be cut for a newcomer.
    pub fn stalls(&self) {
        self.note(Some(Waiting { served: false, since: Instant::now() }));
    }

    /// Notes that a request is complete: the connection is no longer cut for a newcomer.
    pub fn busy(&self) {
        self.note(None);
    }

    fn note(&self, waiting: Option<Waiting>) {
        if let Some(entry) = self.gate.slots().get_mut(&self.id) {
            entry.waiting = waiting;
        }
    }

    /// A place among the requests that are answered at once; `None` when they are too many.
    pub fn begin(&self) -> Option<InFlight> {
        let before = self.gate.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = InFlight(self.gate.clone());
        if before < self.gate.limits.in_flight {
            return Some(place);
        }
        self.gate.refused.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.gate.slots().remove(&self.id);
        self.gate.left.notify_waiters();
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A request that is being answered; dropping it gives its place back.
#[must_use]
pub struct InFlight(Arc<Inner>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(connections: usize) -> Gate {
        Gate::new(Limits { connections, in_flight: 2, ..Limits::default() })
    }

    fn is_cut(slot: &Slot) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(slot.cut()).poll(&mut context).is_ready()
    }

    #[test]
    fn a_newcomer_takes_the_place_of_who_waits_longest_and_was_never_served() {
        let gate = gate(3);
        let served = gate.enter().unwrap();
        served.busy();
        served.waits();
        let first = gate.enter().unwrap();
        let second = gate.enter().unwrap();
        let newcomer = gate.enter().unwrap();
        assert!(is_cut(&first));
        assert!(!is_cut(&served) && !is_cut(&second) && !is_cut(&newcomer));
        second.busy();
        newcomer.busy();
        let last = gate.enter().unwrap();
        assert!(is_cut(&served), "only one that was served waits");
        last.busy();
        assert!(gate.enter().is_none(), "all are busy");
        assert_eq!(gate.refused(), 1);
        drop(second);
        assert!(gate.enter().is_some());
    }

    #[test]
    fn requests_in_flight_are_counted_and_limited() {
        let gate = gate(3);
        let slot = gate.enter().unwrap();
        let places = (slot.begin().unwrap(), slot.begin().unwrap());
        assert!(slot.begin().is_none());
        assert_eq!(gate.in_flight(), 2);
        drop(places);
        assert!(slot.begin().is_some());
        assert_eq!(gate.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn draining_waits_for_the_last_connection_but_not_for_ever() {
        let gate = gate(3);
        let slot = gate.enter().unwrap();
        gate.drain();
        slot.draining().await;
        assert_eq!(gate.emptied(Duration::from_secs(5)).await, 1);
        assert!(is_cut(&slot));
        assert_eq!(gate.emptied(Duration::from_secs(5)).await, 0);
    }
}
