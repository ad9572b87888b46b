//! Any bytes as OpenMetrics protobuf: no panic, strict and lenient agree, and what is accepted is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ::openmetrics::format::protobuf::openmetrics;
use ::openmetrics::format::{Format, encode};

fuzz_target!(|bytes: &[u8]| {
    let (lenient, findings) = openmetrics::decode_lenient(bytes);
    match openmetrics::decode(bytes) {
        Ok(set) => {
            assert!(findings.is_empty(), "{findings:?}");
            assert_eq!(set, lenient);
            let mut out = Vec::new();
            // What the format allows and the model does not, such as samples of two families with one name, is refused.
            if encode(&set, Format::OPENMETRICS_PROTOBUF, &mut out).is_clean() {
                assert_eq!(openmetrics::decode(&out).expect("our own page"), set);
            }
        }
        Err(error) => {
            assert_eq!(error.rule(), findings.first.first().map(|finding| finding.rule));
            assert!(error.offset().is_some_and(|offset| offset <= bytes.len() as u64));
        }
    }
});
