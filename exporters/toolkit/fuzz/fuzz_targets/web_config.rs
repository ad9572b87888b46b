//! Any text as a web configuration: no panic, and a mistake has its place.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = openmetrics_exporter_toolkit::check_web_config_text(text) {
        assert!(!error.is_empty());
    }
});
