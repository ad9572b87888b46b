//! From any format to any other: reading gives a `MetricSet`, and that is a collector like any other. What is wrong with a
//! text is said with its place, and what a format cannot say with its rule.
//!
//!     cargo run --example convert -p openmetrics-examples

use openmetrics::format::{Format, decode, encode};

const PAGE: &[u8] = b"\
# TYPE queue_jobs gauge
# HELP queue_jobs Jobs that wait.
queue_jobs{queue=\"mail\"} 3
# TYPE request_seconds histogram
# UNIT request_seconds seconds
request_seconds_bucket{le=\"0.5\"} 2
request_seconds_bucket{le=\"+Inf\"} 3 # {trace_id=\"8a3c60f7d188f8fa\"} 2.5
request_seconds_count 3
request_seconds_sum 3.1
# TYPE door stateset
door{door=\"open\"} 0
door{door=\"shut\"} 1
# EOF
";

fn main() -> Result<(), openmetrics::Error> {
    let set = decode(PAGE, Format::OPENMETRICS_1_0)?;
    println!("{} families", set.families.len());

    let mut text = Vec::new();
    let report = encode(&set, Format::TEXT_0_0_4, &mut text);
    print!("{}", String::from_utf8_lossy(&text));
    for refusal in report.refusals() {
        println!("left out: {refusal}");
    }

    let mut protobuf = Vec::new();
    encode(&set, Format::PROMETHEUS_PROTOBUF, &mut protobuf);
    let again = decode(&protobuf, Format::PROMETHEUS_PROTOBUF)?;
    println!("{} bytes of protobuf with {} families", protobuf.len(), again.families.len());

    let broken = decode(b"# TYPE jobs counter\njobs_total{queue=\"mail} 1\n# EOF\n", Format::OPENMETRICS_1_0);
    println!("{}", broken.expect_err("a quote is missing"));
    Ok(())
}

// Output:
// 3 families
// # HELP queue_jobs Jobs that wait.
// # TYPE queue_jobs gauge
// queue_jobs{queue="mail"} 3
// # TYPE request_seconds histogram
// request_seconds_bucket{le="0.5"} 2
// request_seconds_bucket{le="+Inf"} 3
// request_seconds_sum 3.1
// request_seconds_count 3
// # TYPE door gauge
// door{door="open"} 0
// door{door="shut"} 1
// 234 bytes of protobuf with 3 families
// line 2, column 26: expected a closing double quote, found the end of the line [OM1-SYN-04]
