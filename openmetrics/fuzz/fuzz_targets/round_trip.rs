//! Any bytes as any format: what is accepted is written in every format, and read again from each;
//! a second round changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openmetrics::format::{Format, decode, encode};

fuzz_target!(|input: (u8, &[u8])| {
    let (from, bytes) = input;
    let formats = || Format::SERVED.into_iter().chain([Format::JSON]);
    let Some(from) = formats().cycle().nth(from.into()) else { return };
    let Ok(set) = decode(bytes, from) else { return };
    for format in formats() {
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
