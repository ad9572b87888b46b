//! Any bytes as any format: what is accepted is written in every format, and read again from each;
//! a second round changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openmetrics::format::{Format, decode, encode};

const FORMATS: [Format; 7] = [
    Format::TEXT_0_0_4,
    Format::TEXT_1_0_0,
    Format::OPENMETRICS_1_0,
    Format::OPENMETRICS_2_0,
    Format::PROMETHEUS_PROTOBUF,
    Format::OPENMETRICS_PROTOBUF,
    Format::JSON,
];

fuzz_target!(|input: (u8, &[u8])| {
    let (from, bytes) = input;
    let from = FORMATS[usize::from(from) % FORMATS.len()];
    let Ok(set) = decode(bytes, from) else { return };
    for format in FORMATS {
        let mut once = Vec::new();
        encode(&set, format, &mut once);
        let read = match decode(&once, format) {
            Ok(read) => read,
            Err(error) => panic!("{from} to {format}: {error}\n{}", String::from_utf8_lossy(&once)),
        };
        let mut twice = Vec::new();
        let report = encode(&read, format, &mut twice);
        if report.is_clean() {
            assert_eq!(once, twice, "{from} to {format}");
        }
    }
});
