//! `snmp-bridge`: the program. See the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    openmetrics_snmp_bridge::program::main()
}
