//! Any bytes get a verdict, in every output; what is repaired once needs no second repair.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| openmetrics_conformance::fuzzing::judge(data));
