//! Many numbers at once, as the encoder writes them one by one.

use super::super::wire::{self, Block};
use super::encoder::as_i64;
use super::schema::{self, metric, metric_family};
use crate::format::pen::{Pen, Put};
use crate::format::text::{Dialect, check_counter};
use crate::model::{Drawing, MetricType, Number, Row, Rows, render_protobuf};

/// Appends a metric for each row, and says how many rows were taken: those before the first one that is refused.
pub(super) fn push(rows: &mut Rows<'_>, metric_type: MetricType, out: &mut Vec<u8>) -> usize {
    let field = schema::value_field(metric_type);
    let list = rows.list();
    let (slots, image) = rows.image(IMAGE + field, draw);
    let begin = out.len();
    out.resize(begin + image.len() + list.len() * AROUND + SPARE, 0);
    let mut pen = Pen::new(out.get_mut(begin..).unwrap_or_default());
    let (mut taken, mut from) = (0, 0);
    for (row, slot) in list.iter().zip(slots) {
        let number = match metric_type {
            MetricType::Counter if check_counter(row.value, Dialect::OpenMetrics1).is_err() => break,
            MetricType::Counter => total(row.value),
            _ => gauge(row.value),
        };
        let labels = image.get(from..slot).unwrap_or_default();
        let created = image.get(slot..).unwrap_or_default();
        let created = created.get(..created_len(row, created)).unwrap_or_default();
        from = slot + created.len();
        // No more than 11 and 16 bytes, so the lengths of value and point are a byte each.
        let value = number.len() + created.len();
        let mut point = Block::message(metric::POINTS, 2 + value);
        point.append(Block::message(field, value));
        point.append(number);
        let head = Block::message(metric_family::METRICS, labels.len() + 4 + value);
        pen.put_start(&head.bytes(), head.len());
        pen.put(labels);
        pen.put_start(&point.bytes(), point.len());
        pen.put(created);
        taken += 1;
    }
    let (written, is_full) = (pen.written(), pen.is_full());
    // Never full: there is room for all.
    out.truncate(begin + if is_full { 0 } else { written });
    if is_full { 0 } else { taken }
}

/// Writes what is the same from page to page of each row: its labels, and when it began, between which its value
/// stands.
fn draw(rows: &Rows<'_>, Drawing { bytes, slots }: &mut Drawing) {
    for row in rows.list() {
        render_protobuf(&rows.labels(row), bytes);
        slots.push(bytes.len() as u32);
        if let Some((seconds, nanos)) = row.start() {
            wire::short_timestamp(schema::counter::CREATED, seconds, nanos).push_to(bytes);
        }
    }
}

/// How long the message is that says since when a row counts, at the beginning of these bytes.
#[inline]
fn created_len(row: &Row, bytes: &[u8]) -> usize {
    // Its key, and its length, which is below 128.
    match (row.start, bytes) {
        (Some(_), [_, len, ..]) => 2 + usize::from(*len),
        _ => 0,
    }
}

/// `int_value` or `double_value` of a counter.
#[inline]
fn total(number: Number) -> Block {
    match number {
        Number::Unsigned(number) => Block::uint(schema::counter::INT, number),
        number => Block::double(schema::counter::DOUBLE, number.as_f64()),
    }
}

/// The same of gauges and unknowns.
#[inline]
fn gauge(number: Number) -> Block {
    match as_i64(number) {
        Some(number) => Block::uint(schema::gauge::INT, number as u64),
        None => Block::double(schema::gauge::DOUBLE, number.as_f64()),
    }
}

/// Tells images of this format from those of the other one, whose kind is the field alone.
const IMAGE: u32 = 1 << 16;

/// What stands around a row's labels and start at most: a key and a length, then a block.
const AROUND: usize = 6 + 16;

/// A block is copied whole, with what is behind its end.
const SPARE: usize = 16;
