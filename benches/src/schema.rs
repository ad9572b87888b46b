//! `io.prometheus.client` as prost has it, to stand beside our reader.

macro_rules! messages {
    ($($name:ident { $($field:ident: $kind:ty => [$($attr:tt)*]),* $(,)? })*) => {$(
        #[doc = concat!("The message `", stringify!($name), "`.")]
        #[derive(Clone, PartialEq, prost::Message)]
        pub struct $name {
            $(#[doc = concat!("The field `", stringify!($field), "`.")] #[prost($($attr)*)] pub $field: $kind,)*
        }
    )*};
}

messages! {
    LabelPair {
        name: Option<String> => [string, optional, tag = "1"],
        value: Option<String> => [string, optional, tag = "2"],
    }
    Stamp { seconds: i64 => [int64, tag = "1"], nanos: i32 => [int32, tag = "2"] }
    Exemplar {
        label: Vec<LabelPair> => [message, repeated, tag = "1"],
        value: Option<f64> => [double, optional, tag = "2"],
        timestamp: Option<Stamp> => [message, optional, tag = "3"],
    }
    Gauge { value: Option<f64> => [double, optional, tag = "1"] }
    Counter {
        value: Option<f64> => [double, optional, tag = "1"],
        exemplar: Option<Exemplar> => [message, optional, tag = "2"],
        created_timestamp: Option<Stamp> => [message, optional, tag = "3"],
    }
    Bucket {
        cumulative_count: Option<u64> => [uint64, optional, tag = "1"],
        upper_bound: Option<f64> => [double, optional, tag = "2"],
        exemplar: Option<Exemplar> => [message, optional, tag = "3"],
    }
    BucketSpan {
        offset: Option<i32> => [sint32, optional, tag = "1"],
        length: Option<u32> => [uint32, optional, tag = "2"],
    }
    Histogram {
        sample_count: Option<u64> => [uint64, optional, tag = "1"],
        sample_sum: Option<f64> => [double, optional, tag = "2"],
        bucket: Vec<Bucket> => [message, repeated, tag = "3"],
        schema: Option<i32> => [sint32, optional, tag = "5"],
        zero_threshold: Option<f64> => [double, optional, tag = "6"],
        zero_count: Option<u64> => [uint64, optional, tag = "7"],
        positive_span: Vec<BucketSpan> => [message, repeated, tag = "12"],
        positive_delta: Vec<i64> => [sint64, repeated, packed = "false", tag = "13"],
        created_timestamp: Option<Stamp> => [message, optional, tag = "15"],
        exemplars: Vec<Exemplar> => [message, repeated, tag = "16"],
    }
    Metric {
        label: Vec<LabelPair> => [message, repeated, tag = "1"],
        gauge: Option<Gauge> => [message, optional, tag = "2"],
        counter: Option<Counter> => [message, optional, tag = "3"],
        histogram: Option<Histogram> => [message, optional, tag = "7"],
    }
    MetricFamily {
        name: Option<String> => [string, optional, tag = "1"],
        help: Option<String> => [string, optional, tag = "2"],
        metric_type: Option<i32> => [int32, optional, tag = "3"],
        metric: Vec<Metric> => [message, repeated, tag = "4"],
    }
}

/// Reads a whole exposition into a tree.
pub fn decode(mut bytes: &[u8]) -> Result<Vec<MetricFamily>, prost::DecodeError> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(prost::Message::decode_length_delimited(&mut bytes)?);
    }
    Ok(families)
}
