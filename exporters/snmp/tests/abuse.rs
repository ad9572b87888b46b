//! What strangers and broken scrapers do, in brief; `cargo xtask abuse` has it in full.

use std::path::Path;

#[test]
fn the_snmp_bridge_under_abuse() {
    xtask::abuse::in_brief(xtask::abuse::Kind::Snmp, Path::new(env!("CARGO_BIN_EXE_snmp-bridge")));
}
