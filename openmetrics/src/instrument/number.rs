//! Numbers in atomics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::Number;

mod sealed {
    pub trait Sealed {}
    impl Sealed for u64 {}
    impl Sealed for i64 {}
    impl Sealed for f64 {}
}

/// A number in 64 bits of an atomic. Sealed.
pub trait Bits: sealed::Sealed + Copy + Default + Into<Number> + PartialOrd + Send + Sync + 'static {
    #[doc(hidden)]
    fn to_word(self) -> u64;
    #[doc(hidden)]
    fn from_word(word: u64) -> Self;
    #[doc(hidden)]
    fn add_to(self, word: &AtomicU64);
}

/// A number that a [`Counter`](super::Counter) can count in: `u64` or `f64`. Sealed.
pub trait CounterNumber: Bits {
    /// Whether a counter may rise by this: not below zero, and finite.
    #[doc(hidden)]
    fn is_rise(self) -> bool;
    #[doc(hidden)]
    #[must_use]
    fn plus(self, other: Self) -> Self;
    #[doc(hidden)]
    #[must_use]
    fn minus(self, other: Self) -> Self;
}

/// A number that a [`Gauge`](super::Gauge) can hold: `i64`, `u64` or `f64`. Sealed.
pub trait GaugeNumber: Bits {
    #[doc(hidden)]
    const ONE: Self;
    #[doc(hidden)]
    fn subtract_from(self, word: &AtomicU64);
}

macro_rules! integer {
    ($type:ty) => {
        impl Bits for $type {
            #[inline]
            fn to_word(self) -> u64 {
                self as u64
            }
            #[inline]
            fn from_word(word: u64) -> Self {
                word as Self
            }
            #[inline]
            fn add_to(self, word: &AtomicU64) {
                word.fetch_add(self as u64, Ordering::Relaxed);
            }
        }
        impl GaugeNumber for $type {
            const ONE: Self = 1;
            #[inline]
            fn subtract_from(self, word: &AtomicU64) {
                word.fetch_sub(self as u64, Ordering::Relaxed);
            }
        }
    };
}
integer!(u64);
integer!(i64);

impl Bits for f64 {
    #[inline]
    fn to_word(self) -> u64 {
        self.to_bits()
    }
    #[inline]
    fn from_word(word: u64) -> Self {
        f64::from_bits(word)
    }
    #[inline]
    fn add_to(self, word: &AtomicU64) {
        let mut old = word.load(Ordering::Relaxed);
        loop {
            let new = (f64::from_bits(old) + self).to_bits();
            match word.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }
}
impl GaugeNumber for f64 {
    const ONE: Self = 1.0;
    #[inline]
    fn subtract_from(self, word: &AtomicU64) {
        (-self).add_to(word);
    }
}

impl CounterNumber for u64 {
    #[inline]
    fn is_rise(self) -> bool {
        true
    }
    #[inline]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
}
impl CounterNumber for f64 {
    #[inline]
    fn is_rise(self) -> bool {
        self >= 0.0 && self.is_finite()
    }
    #[inline]
    fn plus(self, other: Self) -> Self {
        self + other
    }
    #[inline]
    fn minus(self, other: Self) -> Self {
        self - other
    }
}
