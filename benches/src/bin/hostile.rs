//! What input costs that was made to be costly: whether time and memory stay in proportion to its length.
//!
//! One run each, in milliseconds; the remark has the memory still held by what was read, as a multiple of the input.

use std::fmt::Write;
use std::time::Instant;

use openmetrics::format::assemble::{check, read};
use openmetrics::format::entries::Dialect;
use openmetrics::format::protobuf::{openmetrics as om_protobuf, prometheus};
use openmetrics_benches::{Random, Table, allocated, is_wanted};

fn main() {
    let mut table = Table::new("hostile text", "ms");
    for (name, text) in texts() {
        for dialect in [Dialect::OpenMetrics1, Dialect::OpenMetrics2, Dialect::Prometheus] {
            row(&mut table, &format!("{name}, {dialect:?}, all rules"), text.len(), || {
                check(text.as_bytes(), dialect)
            });
            row(&mut table, &format!("{name}, {dialect:?}, families"), text.len(), || {
                read(text.as_bytes(), dialect)
            });
        }
    }
    println!("{table}");
    let mut table = Table::new("hostile protobuf", "ms");
    for (name, bytes) in messages() {
        row(&mut table, &format!("{name}, Prometheus"), bytes.len(), || prometheus::decode_lenient(&bytes));
        row(&mut table, &format!("{name}, OpenMetrics"), bytes.len(), || om_protobuf::decode_lenient(&bytes));
    }
    println!("{table}");
}

const MANY: usize = 200_000;
const LONG: usize = 16 << 20;

fn row<R>(table: &mut Table, name: &str, len: usize, work: impl FnOnce() -> R) {
    if !is_wanted(name) {
        return;
    }
    let start = Instant::now();
    let (kept, allocated) = allocated(work);
    let time = start.elapsed();
    drop(kept);
    let times = allocated.bytes_kept as f64 / len as f64;
    table.row_with(
        name,
        time.as_secs_f64() * 1e3,
        format!("{:.1} MB, kept {times:.1} x, {} allocations", len as f64 / 1e6, allocated.calls),
    );
}

/// `count` lines, each made of its number.
fn lines(head: &str, count: usize, line: impl Fn(&mut String, usize)) -> String {
    let mut text = head.to_owned();
    for at in 0..count {
        line(&mut text, at);
        text.push('\n');
    }
    text + "# EOF\n"
}

fn texts() -> Vec<(&'static str, String)> {
    let long = |byte: &str| byte.repeat(LONG / byte.len());
    let series = |text: &mut String, at: usize| {
        let value = Random::new(at as u64).number();
        write!(text, "a{{b=\"{value:x}\"}} 1").expect("a string takes all");
    };
    let put = |text: &mut String, arguments: std::fmt::Arguments<'_>| {
        text.write_fmt(arguments).expect("a string takes all");
    };
    let mut labels = "a{".to_owned();
    (0..MANY).for_each(|at| put(&mut labels, format_args!("l{at}=\"\",")));
    let mut buckets = "# TYPE h histogram\nh {count:1,sum:1,bucket:[".to_owned();
    (0..MANY).for_each(|at| put(&mut buckets, format_args!("{at}:1,")));
    let mut spans =
        "# TYPE h histogram\nh {count:1,sum:1,schema:0,zero_threshold:0,zero_count:0,positive_spans:["
            .to_owned();
    (0..MANY).for_each(|_| spans.push_str("1:1,"));
    vec![
        ("a long value", format!("a{{b=\"{}\"}} 1\n# EOF\n", long("x"))),
        ("a long value of escapes", format!("a{{b=\"{}\"}} 1\n# EOF\n", long("\\\\"))),
        ("a long name", format!("{} 1\n# EOF\n", long("x"))),
        ("a long number", format!("a {}\n# EOF\n", long("1"))),
        ("a long fraction", format!("a 0.{}\n# EOF\n", long("1"))),
        ("a long help", format!("# HELP a {}\n# EOF\n", long("\\n"))),
        ("a long line of nothing", long(" ")),
        ("empty lines", long("\n")),
        ("braces", long("{")),
        ("quotes", long("\"")),
        ("comments", long("#\n")),
        ("many labels", labels + "} 1\n# EOF\n"),
        ("many series", lines("", MANY, series)),
        ("many series twice", lines("", MANY, |text, at| series(text, at / 2))),
        ("many families", lines("", MANY, |text, at| put(text, format_args!("a{at}_total 1")))),
        (
            "families in turn",
            lines("", MANY, |text, at| put(text, format_args!("a{}{{b=\"{at}\"}} 1", at % 2))),
        ),
        (
            "many buckets",
            lines("# TYPE h histogram\n", MANY, |text, at| {
                put(text, format_args!("h_bucket{{le=\"{at}\"}} 1"));
            }),
        ),
        (
            "many quantiles, falling",
            lines("# TYPE s summary\n", MANY, |text, at| {
                put(text, format_args!("s{{quantile=\"0.{}\"}} 1", 999_999 - at));
            }),
        ),
        (
            "many states",
            lines("# TYPE s stateset\n", MANY, |text, at| put(text, format_args!("s{{s=\"{at}\"}} 1"))),
        ),
        (
            "histograms of one bucket",
            lines("# TYPE h histogram\n", MANY, |text, at| {
                put(text, format_args!("h_bucket{{a=\"{}\",le=\"+Inf\"}} 1", at * 7 % MANY));
            }),
        ),
        ("points of one metric", lines("", MANY, |text, at| put(text, format_args!("a 1 {at}")))),
        ("a composite value of many buckets", buckets + "+Inf:1]}\n# EOF\n"),
        ("a composite value of many spans", spans + "1:1],positive_buckets:[1]}\n# EOF\n"),
        ("bytes that are no text", lines("", MANY, |text, _| text.push('\u{fffd}'))),
    ]
}

/// A field of bytes.
fn field(number: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    length(body.len(), &mut out);
    out.extend_from_slice(body);
    out
}

fn length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Messages that both formats read, the one as families behind their lengths, the other as a set of them.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let label = |at: usize| {
        let pair = [field(1, format!("l{at}").as_bytes()), field(2, b"v")].concat();
        field(1, &pair)
    };
    let gauge = field(2, &[0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    let family = |name: &str, metrics: &[u8]| {
        field(1, &[field(1, name.as_bytes()), vec![0x18, 1], metrics.to_vec()].concat())
    };
    let metric = |body: Vec<u8>| field(4, &body);
    let many_labels: Vec<u8> = (0..MANY).flat_map(label).collect();
    let many_metrics: Vec<u8> =
        (0..MANY).flat_map(|at| metric([label(at), gauge.clone()].concat())).collect();
    let many_families: Vec<u8> =
        (0..MANY).flat_map(|at| family(&format!("a{at}"), &metric(gauge.clone()))).collect();
    let buckets: Vec<u8> = (0..MANY)
        .flat_map(|at| field(3, &[vec![0x08, 1, 0x11], (at as f64).to_le_bytes().to_vec()].concat()))
        .collect();
    let histogram = [field(1, b"h"), vec![0x18, 4], metric(field(7, &buckets))].concat();
    vec![
        ("many labels", family("a", &metric([many_labels, gauge].concat()))),
        ("many metrics", family("a", &many_metrics)),
        ("many families", many_families),
        ("many buckets", field(1, &histogram)),
        ("groups that open", vec![0x0b; LONG]),
        ("lengths of all that is left", (0..MANY).flat_map(|_| [0x0a, 0xff, 0xff, 0x7f]).collect()),
        ("zeros", vec![0; LONG]),
        ("numbers without end", vec![0xff; LONG]),
    ]
}
