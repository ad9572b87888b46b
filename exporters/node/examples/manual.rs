//! Writes the man page and the completions of `node-exporter` into a folder:
//! `cargo run -p openmetrics-node-exporter --example manual -- target/manual`

fn main() -> std::io::Result<()> {
    openmetrics_exporter_toolkit::write_manual(openmetrics_node_exporter::args::command())
}
