//! Locks and cells: the standard library's.
//!
//! The thread sanitizer sees only what was compiled for it, and the standard library comes compiled. With it, the same
//! names are locks and cells of crates that are compiled along, so that it knows what is ordered by them.

#[cfg(not(sanitize_thread))]
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

#[cfg(sanitize_thread)]
pub(crate) use instrumented::{Mutex, MutexGuard, OnceLock};

#[cfg(sanitize_thread)]
mod instrumented {
    use std::sync::{PoisonError, TryLockError};

    pub(crate) use once_cell::sync::OnceCell as OnceLock;
    pub(crate) use parking_lot::MutexGuard;

    /// A lock with the standard library's signatures; it is never poisoned.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(parking_lot::const_mutex(value))
        }

        #[allow(clippy::unnecessary_wraps)] // as the standard library has it
        pub(crate) fn lock(&self) -> Result<MutexGuard<'_, T>, PoisonError<MutexGuard<'_, T>>> {
            Ok(self.0.lock())
        }

        pub(crate) fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
            self.0.try_lock().ok_or(TryLockError::WouldBlock)
        }
    }
}
