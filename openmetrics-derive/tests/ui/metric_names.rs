use openmetrics::{Counter, Gauge, Histogram, Metrics};

#[derive(Metrics)]
#[metrics(prefix = "my-app")]
struct Bad {
    /// Requests.
    requests_total: Counter,
    /// Again.
    #[metric(name = "requests")]
    served: Counter,
    /// And again.
    requests: Counter,
    /// Spaces.
    #[metric(name = "open files")]
    files: Gauge,
    /// No unit at the end.
    #[metric(name = "latency", unit = "seconds")]
    latency: Histogram,
    no_help: Gauge,
}

fn main() {}
