//! `quickcheck` as this project runs it: the same cases everywhere, others when asked for.
//!
//! A property that fails on one machine in a thousand runs tells the wrong person at the wrong time. So every property begins
//! from a seed made of its own name: what passed here passes in CI. `QUICKCHECK_SEED=random` (or a number) looks elsewhere, and
//! `QUICKCHECK_TESTS=20000` looks longer; a failure prints the seed that brings it back.
//!
//! The workspace knows this crate by the name `quickcheck`, so that a test reads as everybody's tests read:
//!
//! ```
//! quickcheck::quickcheck! {
//!     fn twice_reversed_is_the_same(bytes: Vec<u8>) -> bool {
//!         bytes.iter().rev().rev().eq(bytes.iter())
//!     }
//! }
//! # fn main() {}
//! ```

use std::{
    env,
    hash::{BuildHasher, RandomState},
};

pub use quickcheck::{Arbitrary, Gen, TestResult, Testable};

/// The environment variable that chooses the cases: a number, or `random`.
pub const SEED: &str = "QUICKCHECK_SEED";

/// How large what is generated may become, as in quickcheck itself.
const SIZE: usize = 100;

/// Makes a test of every function in it: the property must hold for whatever arguments.
#[macro_export]
macro_rules! quickcheck {
    (@as_items $($item:item)*) => { $($item)* };
    {
        $(
            $(#[$meta:meta])*
            fn $name:ident($($argument:ident : $type:ty),* $(,)?) -> $verdict:ty { $($code:tt)* }
        )*
    } => {
        $crate::quickcheck! {
            @as_items
            $(
                #[test]
                $(#[$meta])*
                fn $name() {
                    fn property($($argument: $type),*) -> $verdict { $($code)* }
                    $crate::hold(concat!(module_path!(), "::", stringify!($name)), property as fn($($type),*) -> $verdict);
                }
            )*
        }
    };
}

/// Runs the property `name` on its cases.
///
/// # Panics
///
/// With the arguments and the seed, if it does not hold for some; and if [`SEED`] is no number and not `random`.
pub fn hold<A: Testable>(name: &str, property: A) {
    let seed = match env::var(SEED) {
        Err(_) => fnv1a(name),
        Ok(word) if word == "random" => RandomState::new().hash_one(name),
        Ok(number) => number
            .parse()
            .unwrap_or_else(|_| panic!("{SEED} is {number:?}: a number is expected, or \"random\"")),
    };
    let size = env::var("QUICKCHECK_GENERATOR_SIZE").ok().and_then(|size| size.parse().ok()).unwrap_or(SIZE);
    eprintln!("{SEED}={seed}"); // shown only if the test fails
    quickcheck::QuickCheck::new().rng(Gen::from_size_and_seed(size, seed)).quickcheck(property);
}

/// A hash that is the same everywhere and in every version, unlike the standard library's.
fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, thread_local};

    use super::{fnv1a, hold};

    thread_local! {
        static SEEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }

    fn seen(name: &str) -> Vec<u64> {
        fn remember(number: u64) -> bool {
            SEEN.with_borrow_mut(|seen| seen.push(number));
            true
        }
        hold(name, remember as fn(u64) -> bool);
        SEEN.take()
    }

    #[test]
    fn a_property_has_cases_of_its_own_that_stay_the_same() {
        if std::env::var_os(super::SEED).is_some() {
            eprintln!("{} is set: every property has the same cases, or others each time", super::SEED);
            return;
        }
        assert_eq!(seen("one"), seen("one"));
        assert_ne!(seen("one"), seen("another"));
    }

    #[test]
    #[should_panic(expected = "[quickcheck] TEST FAILED")]
    fn what_does_not_hold_fails() {
        fn is_small(number: u64) -> bool {
            number < 1 << 60
        }
        hold("small", is_small as fn(u64) -> bool);
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }
}
