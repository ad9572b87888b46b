#![no_main]

use libfuzzer_sys::fuzz_target;
use openmetrics::format::Format;
use openmetrics::format::entries::Dialect;

mod text;

fuzz_target!(|input: &[u8]| text::all(input, Dialect::OpenMetrics2, Format::OPENMETRICS_2_0));
