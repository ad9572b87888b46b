//! Any octets as MIBs, and a module that names all that is in them; what comes of it can be written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openmetrics_snmp_bridge::config::Config;
use openmetrics_snmp_bridge::mib::{Mibs, Options};

/// Everything is walked; labels come from columns that the seeds have, and one is an index of another.
const NAMES: &str = "modules: {m: {walk: [iso], lookups: [{source_indexes: [index], lookup: name}, \
    {source_indexes: [name], lookup: state}, {source_indexes: [a, b], lookup: address, drop_source_indexes: true}], \
    overrides: {state: {type: EnumAsStateSet}, name: {display_hint: '@mib'}}, \
    filters: {static: [{targets: [name], indices: ['1']}]}}}";

fuzz_target!(|text: &[u8]| {
    let Ok(mut config) = Config::parse(NAMES) else { panic!("the names are a configuration") };
    let wrong = Mibs::complete_from(text, &mut config, Options::default());
    assert!(wrong.is_err() || config.to_yaml().starts_with("auths"), "{wrong:?}");
});
