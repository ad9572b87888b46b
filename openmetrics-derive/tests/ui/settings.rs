use openmetrics::{Counter, Family, Gauge, Histogram, LabelSet, Metrics};

#[derive(LabelSet)]
struct Request<'a> {
    path: &'a str,
}

#[derive(Metrics)]
struct Bad {
    /// Narrow buckets.
    #[metric(native(factor = 1, max_buckets = 0, min_reset = 60, max_size = 3))]
    narrow: Histogram,
    /// Counters have no buckets.
    #[metric(native(factor = 1.5), max_series = 0, nmae = "x", exemplars)]
    counter: Counter,
    /// Not a family.
    #[metric(max_series = 10, idle_expiry = "soon", labels = ["a"])]
    alone: Gauge,
    /// Gauges have no exemplars.
    #[metric(exemplars)]
    gauge: Family<Request<'static>, Gauge>,
    /// Labels without names.
    unnamed: Family<[&'static str; 2], Counter>,
    /// Labels with bad names.
    #[metric(labels = ["le", "a-b", "a", "a"])]
    misnamed: Family<[&'static str; 3], Counter>,
    #[metrics(skip)]
    #[metric(native = false, idle_expiry = std::time::Duration::from_secs(60))]
    skipped: u8,
}

fn main() {}
