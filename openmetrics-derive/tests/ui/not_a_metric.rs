use openmetrics::instrument::Info;
use openmetrics::Metrics;

#[derive(Metrics)]
struct Bad {
    /// A version.
    build: Info,
}

#[derive(Metrics)]
enum Enum {}

fn main() {}
