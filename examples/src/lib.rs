//! One short program for each concept; each says how to run it, and most end with the output they have. Tests
//! run them all and compare.
//!
//! The code in the README runs as a test of this crate:
#![doc = include_str!("../../README.md")]
