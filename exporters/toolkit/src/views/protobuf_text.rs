//! Prometheus' protobuf format as text, for people: what is on the wire, with the names of its fields
//! ([metrics.proto](https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto)).

use std::fmt::Write as _;

/// A message: its fields by number. Messages hold messages to a depth that these tables bound.
struct Message(&'static [(u64, &'static str, Kind)]);

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Double,
    Unsigned,
    Signed,
    ZigZag,
    /// `type` of a family.
    Type,
    Message(&'static Message),
}

use Kind::{Double, Message as Of, Signed, Text, Type, Unsigned, ZigZag};

const FAMILY: Message = Message(&[
    (1, "name", Text),
    (2, "help", Text),
    (3, "type", Type),
    (4, "metric", Of(&METRIC)),
    (5, "unit", Text),
]);
const METRIC: Message = Message(&[
    (1, "label", Of(&LABEL)),
    (2, "gauge", Of(&VALUE)),
    (3, "counter", Of(&COUNTER)),
    (4, "summary", Of(&SUMMARY)),
    (5, "untyped", Of(&VALUE)),
    (6, "timestamp_ms", Signed),
    (7, "histogram", Of(&HISTOGRAM)),
]);
const LABEL: Message = Message(&[(1, "name", Text), (2, "value", Text)]);
const VALUE: Message = Message(&[(1, "value", Double)]);
const COUNTER: Message = Message(&[
    (1, "value", Double),
    (2, "exemplar", Of(&EXEMPLAR)),
    (3, "created_timestamp", Of(&TIMESTAMP)),
]);
const QUANTILE: Message = Message(&[(1, "quantile", Double), (2, "value", Double)]);
const SUMMARY: Message = Message(&[
    (1, "sample_count", Unsigned),
    (2, "sample_sum", Double),
    (3, "quantile", Of(&QUANTILE)),
    (4, "created_timestamp", Of(&TIMESTAMP)),
]);
const HISTOGRAM: Message = Message(&[
    (1, "sample_count", Unsigned),
    (2, "sample_sum", Double),
    (3, "bucket", Of(&BUCKET)),
    (4, "sample_count_float", Double),
    (5, "schema", ZigZag),
    (6, "zero_threshold", Double),
    (7, "zero_count", Unsigned),
    (8, "zero_count_float", Double),
    (9, "negative_span", Of(&SPAN)),
    (10, "negative_delta", ZigZag),
    (11, "negative_count", Double),
    (12, "positive_span", Of(&SPAN)),
    (13, "positive_delta", ZigZag),
    (14, "positive_count", Double),
    (15, "created_timestamp", Of(&TIMESTAMP)),
    (16, "exemplars", Of(&EXEMPLAR)),
]);
const BUCKET: Message = Message(&[
    (1, "cumulative_count", Unsigned),
    (2, "upper_bound", Double),
    (3, "exemplar", Of(&EXEMPLAR)),
    (4, "cumulative_count_float", Double),
]);
const SPAN: Message = Message(&[(1, "offset", ZigZag), (2, "length", Unsigned)]);
const EXEMPLAR: Message =
    Message(&[(1, "label", Of(&LABEL)), (2, "value", Double), (3, "timestamp", Of(&TIMESTAMP))]);
const TIMESTAMP: Message = Message(&[(1, "seconds", Signed), (2, "nanos", Signed)]);

const TYPES: [&str; 6] = ["COUNTER", "GAUGE", "SUMMARY", "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM"];

/// Shows a page of families, each after its length. What does not fit the tables ends it.
pub(crate) fn show(mut page: &[u8]) -> String {
    let mut out = String::new();
    while !page.is_empty() {
        let shown = varint(&mut page).and_then(|length| take(&mut page, length)).and_then(|family| {
            message(family, &FAMILY, 0, &mut out)?;
            out.push('\n');
            Some(())
        });
        if shown.is_none() {
            break;
        }
    }
    out
}

fn message(mut bytes: &[u8], fields: &Message, depth: usize, out: &mut String) -> Option<()> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let known = fields.0.iter().find(|(number, ..)| *number == tag >> 3);
        match (tag & 7, known) {
            (0, known) => {
                let value = varint(&mut bytes)?;
                if let Some((_, name, kind)) = known {
                    scalar(name, *kind, value, depth, out);
                }
            }
            (1, known) => {
                let value = u64::from_le_bytes(take(&mut bytes, 8)?.try_into().ok()?);
                if let Some((_, name, kind)) = known {
                    scalar(name, *kind, value, depth, out);
                }
            }
            (2, known) => {
                let length = varint(&mut bytes)?;
                let mut content = take(&mut bytes, length)?;
                match known {
                    Some((_, name, Of(fields))) => {
                        let _ = writeln!(out, "{:1$}{name} {{", "", depth * 2);
                        message(content, fields, depth + 1, out)?;
                        let _ = writeln!(out, "{:1$}}}", "", depth * 2);
                    }
                    Some((_, name, Text)) => {
                        let _ = writeln!(
                            out,
                            "{:2$}{name}: {:?}",
                            "",
                            String::from_utf8_lossy(content),
                            depth * 2
                        );
                    }
                    // Numbers in a row.
                    Some((_, name, kind)) => {
                        while !content.is_empty() {
                            let value = match kind {
                                Double => u64::from_le_bytes(take(&mut content, 8)?.try_into().ok()?),
                                _ => varint(&mut content)?,
                            };
                            scalar(name, *kind, value, depth, out);
                        }
                    }
                    None => {}
                }
            }
            (5, _) => {
                take(&mut bytes, 4)?;
            }
            _ => return None,
        }
    }
    Some(())
}

fn scalar(name: &str, kind: Kind, value: u64, depth: usize, out: &mut String) {
    let _ = write!(out, "{:1$}{name}: ", "", depth * 2);
    let _ = match kind {
        Double => writeln!(out, "{}", f64::from_bits(value)),
        Signed => writeln!(out, "{}", value as i64),
        ZigZag => writeln!(out, "{}", (value >> 1) as i64 ^ -((value & 1) as i64)),
        Type => writeln!(out, "{}", TYPES.get(value as usize).copied().unwrap_or("UNTYPED")),
        _ => writeln!(out, "{value}"),
    };
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_names() {
        let page = b"\x1f\x0a\x01a\x12\x02b\n\x18\x04\x22\x14\x0a\x06\x0a\x01l\x12\x01v\x3a\x0a\x08\x03\x28\x05\x62\x04\x08\x02\x10\x01";
        assert_eq!(
            show(page),
            "name: \"a\"\nhelp: \"b\\n\"\ntype: HISTOGRAM\nmetric {\n  label {\n    name: \"l\"\n    value: \"v\"\n  }\n  \
             histogram {\n    sample_count: 3\n    schema: -3\n    positive_span {\n      offset: 1\n      length: 1\n    }\n  }\n}\n\n"
        );
    }

    quickcheck::quickcheck! {
        fn no_bytes_panic(bytes: Vec<u8>) -> bool {
            let _ = show(&bytes);
            true
        }
    }
}
