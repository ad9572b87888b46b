use openmetrics::{Counter, Family, LabelSet, Metrics};

#[derive(LabelSet)]
struct Request<'a> {
    path: &'a str,
    zone: &'a str,
}

#[derive(Metrics)]
#[metrics(labels(zone = "eu"))]
struct Clash {
    /// Requests served.
    requests: Family<Request<'static>, Counter>,
}

fn main() {}
