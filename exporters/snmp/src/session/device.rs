//! What is known of devices from one scrape to the next: how long they take, how much they can take, and their engines.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Transport;
use crate::secret::Secret;
use crate::usm::Keys;

/// What is known of devices from earlier scrapes.
#[derive(Debug, Default)]
pub struct Devices(Mutex<HashMap<(SocketAddr, Transport), Known>>);

type Known = Arc<Mutex<Device>>;

/// How many devices are remembered.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Device {
    /// The smoothed round trip and its variation.
    pub trip: Option<(Duration, Duration)>,
    /// The most repetitions and names that it is asked for, if fewer than usual.
    pub limits: (Option<u32>, Option<u32>),
    pub engine: Option<Engine>,
}

impl Device {
    /// Takes a round trip into account (RFC 6298, section 2).
    pub(super) fn add(&mut self, trip: Duration) {
        self.trip = Some(match self.trip {
            None => (trip, trip / 2),
            Some((smooth, variation)) => {
                ((smooth * 7 + trip) / 8, (variation * 3 + smooth.abs_diff(trip)) / 4)
            }
        });
    }
}

/// An engine of version 3, and how its clock stands to ours.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub id: Vec<u8>,
    pub boots: i32,
    pub time: i32,
    pub at: Instant,
    pub keys: HashMap<Secret, Keys>,
}

impl Engine {
    pub(super) fn time_now(&self) -> i32 {
        let passed = i32::try_from(self.at.elapsed().as_secs()).unwrap_or(i32::MAX);
        self.time.saturating_add(passed)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Devices {
    pub(super) fn device(&self, address: SocketAddr, transport: Transport) -> Arc<Mutex<Device>> {
        let mut devices = lock(&self.0);
        if devices.len() >= REMEMBERED && !devices.contains_key(&(address, transport)) {
            devices.clear(); // learning anew costs a few packets a device
        }
        devices.entry((address, transport)).or_default().clone()
    }
}

/// What a device is asked for at most the next time, after a walk that began with one limit and ended with another; `None`
/// for as much as is configured. What had to be made smaller stays so, and grows by an eighth with every walk that had
/// not: a way that loses packets must not make a device slow for ever.
pub(super) fn next_limit(began: u32, ended: u32, configured: u32) -> Option<u32> {
    let next = if ended < began { ended } else { began.saturating_add(began / 8 + 1) };
    (next < configured).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_were_learned_grow_again() {
        assert_eq!(next_limit(25, 25, 25), None, "nothing to learn");
        assert_eq!(next_limit(25, 12, 25), Some(12), "what it could take");
        assert_eq!((next_limit(12, 12, 25), next_limit(1, 1, 25)), (Some(14), Some(2)), "a little more");
        assert_eq!((next_limit(24, 24, 25), next_limit(u32::MAX, u32::MAX, u32::MAX)), (None, None));
        let mut limit = Some(1);
        let walks = std::iter::from_fn(|| {
            limit = next_limit(limit?, limit?, 25);
            Some(())
        });
        assert_eq!(walks.count(), 14, "1 to 8 one by one, then 10, 12, 14, 16, 19, 22");
    }
}
