use openmetrics::{Counter, Family, Metrics};

#[derive(Metrics)]
struct Db {
    /// Queries sent.
    queries: Counter,
}

#[derive(Metrics)]
#[metrics(labels(zone = "eu", zone = "us", le = "x"), prefix = "app_")]
struct Twins {
    #[metrics(flatten, prefix = "db")]
    first: Db,
    #[metrics(flatten, prefix = "db")]
    second: Db,
    /// A label that every metric has.
    #[metric(labels = ["zone"])]
    calls: Family<[&'static str; 1], Counter>,
}

fn main() {}
