use openmetrics::{Counter, Histogram, Metrics};

#[derive(Metrics)]
#[metrics(prefx = "app")]
struct Bad {
    /// Bounds.
    #[metric(buckets = [0.1, 1, 0.5])]
    falling: Histogram,
    /// Infinite.
    #[metric(buckets = [])]
    empty: Histogram,
    /// Counters have none.
    #[metric(buckets = [1.0])]
    counter: Counter,
    /// Unknown.
    #[metric(nmae = "x")]
    unknown: Counter,
    /// Unit.
    #[metric(unit = "m/s")]
    unit: Counter,
    #[metric(flatten)]
    group: Counter,
    #[metrics(skip)]
    #[metric(help = "Nothing.")]
    skipped: u8,
}

fn main() {}
