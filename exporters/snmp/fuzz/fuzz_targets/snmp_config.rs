//! Any text as a configuration; what can be read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openmetrics_snmp_bridge::config::Config;

fuzz_target!(|text: &str| {
    if let Ok(config) = Config::parse(text) {
        let _ = config.to_yaml();
    }
});
