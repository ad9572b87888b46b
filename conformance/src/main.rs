//! The program `omtool`; all of it is in the library of this package, where fuzzing gets at it.

fn main() -> std::process::ExitCode {
    openmetrics_conformance::run()
}
