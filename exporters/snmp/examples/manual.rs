//! Writes the man page and the completions of `snmp-bridge` into a folder:
//! `cargo run -p openmetrics-snmp-bridge --example manual -- target/manual`

fn main() -> std::io::Result<()> {
    openmetrics_exporter_toolkit::write_manual(openmetrics_snmp_bridge::program::command())
}
