//! Any two expositions can be compared.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| openmetrics_conformance::fuzzing::sequence(data));
