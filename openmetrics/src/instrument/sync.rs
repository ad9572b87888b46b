//! What the lock-free parts are made of: atomics and locks as everywhere, or their twins of loom in its models.

#[cfg(not(all(loom, test)))]
pub(crate) use crate::sync::{Mutex, MutexGuard};
#[cfg(all(loom, test))]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering, fence},
};
#[cfg(all(loom, test))]
pub(crate) use loom::thread::{yield_now, yield_now as spin_loop};
#[cfg(not(all(loom, test)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(all(loom, test)))]
pub(crate) use std::{hint::spin_loop, thread::yield_now};
