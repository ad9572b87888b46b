//! Reading what both formats have in common: labels, timestamps, exemplars.

use std::collections::HashSet;

use super::visit::Finding;
use super::wire::{BYTES, FIXED64, Fault, Message, VARINT, key};
use crate::Error;
use crate::model::{ExemplarRef, Labels, MetricType, Number, Timestamp, reserved_label};

/// A label's name and value.
pub(super) type Pair<'a> = (&'a str, &'a str);

/// Reads a label: its name is field 1, its value field 2.
#[inline]
pub(super) fn label(mut message: Message<'_>) -> Result<Pair<'_>, Fault> {
    const NAME: u32 = key(1, BYTES);
    const VALUE: u32 = key(2, BYTES);
    let (mut name, mut value) = ("", "");
    while let Some(key) = message.key()? {
        match key {
            NAME => name = message.string()?,
            VALUE => value = message.string()?,
            other => message.skip(other, 0b110)?,
        }
    }
    Ok((name, value))
}

/// Takes a row of labels off the front of a metric, where each label is field 1 of it and shorter than 128 bytes, as
/// nearly all are. Says `false`, and takes nothing, if there is something else about them, or wrong with them.
///
/// Keys and lengths are then bytes below 128, and so characters of their own between those of the names and values:
/// the whole row is valid UTF-8 if and only if each of them is, and is checked in one go.
#[inline]
pub(super) fn label_row<'a>(message: &mut Message<'a>, labels: &mut Vec<Pair<'a>>) -> bool {
    let bytes = message.as_bytes();
    let mut end = 0;
    while let Some(&[0x0a, len @ 0..0x80, ..]) = bytes.get(end..) {
        end += 2 + usize::from(len);
    }
    let row = bytes.get(..end).and_then(|row| std::str::from_utf8(row).ok());
    let taken = row.and_then(|mut row| {
        while !row.is_empty() {
            let (label, rest) = short_label(row)?;
            labels.push(label);
            row = rest;
        }
        Some(())
    });
    if taken.is_none() {
        labels.clear();
        return false;
    }
    message.advance(end)
}

/// `0a LEN 0a LEN name 12 LEN value`, and what follows.
#[inline]
fn short_label(row: &str) -> Option<(Pair<'_>, &str)> {
    let &[_, len, 0x0a, name_len @ 0..0x80, ..] = row.as_bytes() else { return None };
    let name_end = 4 + usize::from(name_len);
    let &[0x12, value_len @ 0..0x80, ..] = row.as_bytes().get(name_end..)? else { return None };
    let value_start = name_end + 2;
    let end = value_start + usize::from(value_len);
    if end != 2 + usize::from(len) {
        return None;
    }
    Some(((row.get(4..name_end)?, row.get(value_start..end)?), row.get(end..)?))
}

/// A `google.protobuf.Timestamp` as it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamp {
    seconds: i64,
    nanos: i32,
    offset: usize,
}

impl Stamp {
    /// Reads one over what was read before, as a message that is given twice is merged.
    pub(super) fn read(mut message: Message<'_>, into: &mut Option<Self>) -> Result<(), Fault> {
        const SECONDS: u32 = key(1, VARINT);
        const NANOS: u32 = key(2, VARINT);
        let stamp = into.get_or_insert_default();
        stamp.offset = message.offset();
        while let Some(key) = message.key()? {
            match key {
                SECONDS => stamp.seconds = message.varint()? as i64,
                NANOS => stamp.nanos = message.varint()? as i32,
                other => message.skip(other, 0b110)?,
            }
        }
        Ok(())
    }

    /// The moment it means; nanoseconds count forward within a second.
    pub(super) fn timestamp(self, rule: &'static str) -> Result<Timestamp, Finding> {
        u32::try_from(self.nanos).ok().and_then(|nanos| Timestamp::new(self.seconds, nanos)).ok_or_else(
            || {
                let message = format!("{} nanoseconds of a timestamp are not in 0..=999999999", self.nanos);
                Finding::new(rule, self.offset, message)
            },
        )
    }
}

/// The rules that a format has for the parts of exemplars.
pub(super) struct ExemplarRules {
    pub(super) timestamp: &'static str,
    pub(super) labels: &'static str,
    /// The labels are longer than 128 characters, if that is forbidden.
    pub(super) length: Option<&'static str>,
}

/// The keys of an exemplar's fields, which differ between the formats.
pub(super) struct ExemplarKeys {
    pub(super) label: u32,
    pub(super) value: u32,
    pub(super) timestamp: u32,
    /// The fields as bits.
    pub(super) known: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawExemplar<'a> {
    /// Where its labels are among all.
    labels: (usize, usize),
    value: f64,
    stamp: Option<Stamp>,
    /// The message, to tell equal exemplars.
    body: &'a [u8],
    offset: usize,
    of: Owner,
}

/// What an exemplar belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A native histogram as a whole.
    Native,
    /// A counter or a classic bucket.
    Value,
}

/// The exemplars of one point, in buffers used again for the next.
#[derive(Debug, Default)]
pub(super) struct Exemplars<'a> {
    labels: Vec<Pair<'a>>,
    list: Vec<RawExemplar<'a>>,
    spare: Vec<ExemplarRef<'static>>,
}

impl<'a> Exemplars<'a> {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.labels.clear();
        self.list.clear();
    }

    /// Reads one, as a further one or merged into the last.
    pub(super) fn read(
        &mut self,
        mut message: Message<'a>,
        keys: &ExemplarKeys,
        of: Owner,
        merge: bool,
    ) -> Result<(), Fault> {
        let end = self.labels.len();
        let mut exemplar = match self.list.last() {
            Some(&last) if merge => last,
            _ => RawExemplar {
                labels: (end, end),
                value: 0.0,
                stamp: None,
                body: message.as_bytes(),
                offset: message.offset(),
                of,
            },
        };
        while let Some(key) = message.key()? {
            if key == keys.label {
                self.labels.push(label(message.message()?)?);
            } else if key == keys.value {
                exemplar.value = message.double()?;
            } else if key == keys.timestamp {
                Stamp::read(message.message()?, &mut exemplar.stamp)?;
            } else {
                message.skip(key, keys.known)?;
            }
        }
        exemplar.labels.1 = self.labels.len();
        if merge {
            self.list.pop();
        }
        self.list.push(exemplar);
        Ok(())
    }

    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The value of the last one.
    pub(super) fn last_value(&self) -> Option<f64> {
        self.list.last().map(|exemplar| exemplar.value)
    }

    /// Puts those of the native histogram first, and of the others keeps what is not there already: a histogram of
    /// both kinds says the same exemplars twice.
    pub(super) fn unite(&mut self) {
        let native = self.list.iter().filter(|exemplar| exemplar.of == Owner::Native).count();
        if native == 0 || native == self.list.len() {
            return;
        }
        self.list.sort_unstable_by_key(|exemplar| (exemplar.of, exemplar.offset));
        let said: HashSet<&[u8]> = self.list.iter().take(native).map(|exemplar| exemplar.body).collect();
        self.list.retain(|exemplar| exemplar.of == Owner::Native || !said.contains(exemplar.body));
    }

    /// What is wrong with them, each in turn.
    pub(super) fn findings(
        &self,
        rules: &ExemplarRules,
        names: &mut Vec<&'a str>,
        mut take: impl FnMut(Finding) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for exemplar in &self.list {
            match exemplar.stamp {
                Some(stamp) => {
                    if let Err(finding) = stamp.timestamp(rules.timestamp) {
                        take(finding)?;
                    }
                }
                None if exemplar.of == Owner::Native => {
                    let message = "an exemplar of a native histogram has no timestamp";
                    take(Finding::new("NH-18", exemplar.offset, message))?;
                }
                None => {}
            }
            let labels = self.labels_of(exemplar);
            if let Some(name) = repeated_name(labels, names) {
                let message = format!("label {name:?} of an exemplar is given twice");
                take(Finding::new(rules.labels, exemplar.offset, message))?;
            }
            if labels.iter().any(|(name, _)| name.is_empty()) {
                take(Finding::new(rules.labels, exemplar.offset, "a label of an exemplar has no name"))?;
            }
            let length = || labels.iter().map(|(n, v)| n.chars().count() + v.chars().count()).sum::<usize>();
            if let Some(rule) = rules.length.filter(|_| length() > 128) {
                let message = "the labels of an exemplar are longer than 128 characters";
                take(Finding::new(rule, exemplar.offset, message))?;
            }
        }
        Ok(())
    }

    fn labels_of(&self, exemplar: &RawExemplar<'a>) -> &[Pair<'a>] {
        self.labels.get(exemplar.labels.0..exemplar.labels.1).unwrap_or_default()
    }

    /// Hands out the exemplars as the model has them, without timestamps that are none.
    pub(super) fn with_refs<R>(&mut self, f: impl FnOnce(&[ExemplarRef<'_>]) -> R) -> R {
        if self.list.is_empty() {
            return f(&[]);
        }
        let mut refs = renew(std::mem::take(&mut self.spare));
        refs.extend(self.list.iter().map(|exemplar| ExemplarRef {
            labels: Labels::new(self.labels_of(exemplar)),
            value: Number::Float(exemplar.value),
            timestamp: exemplar.stamp.and_then(|stamp| stamp.timestamp("").ok()),
        }));
        let result = f(&refs);
        self.spare = renew(refs);
        result
    }
}

/// An empty vector for another lifetime. The standard library collects into the same allocation.
#[expect(clippy::unnecessary_filter_map, reason = "a filter could not change the lifetime")]
fn renew<'b>(mut refs: Vec<ExemplarRef<'_>>) -> Vec<ExemplarRef<'b>> {
    refs.clear();
    refs.into_iter().filter_map(|_| None).collect()
}

/// What is wrong with the names of a metric's labels, if anything. `spare` is a buffer for label sets that are
/// neither in order nor small.
pub(super) fn check_label_names<'a>(
    labels: &[Pair<'a>],
    metric_type: MetricType,
    spare: &mut Vec<&'a str>,
) -> Option<String> {
    for (name, _) in labels {
        if let Some((_, reason)) = reserved_label(name, metric_type) {
            return Some(format!("label name {name:?} {reason}"));
        }
    }
    repeated_name(labels, spare).map(|name| format!("label {name:?} is given twice"))
}

/// A name that two of the labels have.
pub(super) fn repeated_name<'a>(labels: &[Pair<'a>], spare: &mut Vec<&'a str>) -> Option<&'a str> {
    if labels.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a < b)) {
        return None;
    }
    spare.clear();
    spare.extend(labels.iter().map(|(name, _)| *name));
    spare.sort_unstable();
    spare.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some(*a),
        _ => None,
    })
}

/// The keys of the exemplars of either format.
pub(super) const fn exemplar_keys(label: u32, value: u32, timestamp: u32, known: u32) -> ExemplarKeys {
    ExemplarKeys {
        label: key(label, BYTES),
        value: key(value, FIXED64),
        timestamp: key(timestamp, BYTES),
        known,
    }
}
