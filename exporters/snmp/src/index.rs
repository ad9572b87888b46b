//! Arcs and octets to the text of labels.
//!
//! An index is arcs and a value is octets, but both are read alike: an octet is an arc below 256.

use std::fmt::Write as _;

use crate::config::{EnumValues, IndexType};
use crate::oid::MAX_ARCS;

/// An index that says it is longer than an object identifier can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// A part of an index, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the label says.
    pub text: String,
    /// The arcs it took; those that were missing are zero, since some devices leave zeros at the end out.
    pub arcs: Vec<u32>,
    /// How many of the arcs given were used.
    pub used: usize,
}

/// Takes arcs from the front, and zeros where there are none.
struct Arcs<'a> {
    given: &'a [u32],
    taken: Vec<u32>,
}

impl Arcs<'_> {
    fn take(&mut self, count: usize) -> Result<Vec<u32>, TooLong> {
        let begin = self.taken.len();
        if count > MAX_ARCS || begin + count > 2 * MAX_ARCS {
            return Err(TooLong);
        }
        for at in begin..begin + count {
            self.taken.push(self.given.get(at).copied().unwrap_or(0));
        }
        Ok(self.taken.get(begin..).unwrap_or_default().to_vec())
    }

    fn one(&mut self) -> Result<u32, TooLong> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }
}

/// Reads the next part of an index.
pub fn read(
    given: &[u32],
    index_type: &IndexType,
    fixed_size: usize,
    implied: bool,
    enum_values: &EnumValues,
) -> Result<Part, TooLong> {
    let mut arcs = Arcs { given, taken: Vec::new() };
    // The kind of some addresses stands before them.
    let (index_type, fixed_size, implied) = match index_type {
        IndexType::InetAddress | IndexType::LldpPortId => {
            let kind = arcs.one()?;
            let length = arcs.one()? as usize;
            if let Some(known) = kind_of(index_type, kind.into()) {
                (known, 0, false)
            } else {
                arcs.taken.clear();
                (IndexType::OctetString, length.saturating_add(2), false)
            }
        }
        IndexType::InetAddressMissingSize => {
            let kind = arcs.one()?;
            if let Some(known) = kind_of(index_type, kind.into()) {
                (known, 0, false)
            } else {
                arcs.taken.clear();
                (IndexType::OctetString, 0, true)
            }
        }
        other => (other.clone(), fixed_size, implied),
    };
    let text = match index_type {
        IndexType::OctetString | IndexType::DisplayString | IndexType::DateAndTime | IndexType::Bits => {
            let left = given.len().saturating_sub(arcs.taken.len());
            let length = match (implied, fixed_size) {
                (true, _) if left > 0 => left,
                (false, size) if size > 0 => size,
                _ => arcs.one()? as usize,
            };
            let octets: Vec<u8> = arcs.take(length)?.iter().map(|arc| *arc as u8).collect();
            if index_type == IndexType::DisplayString { lossy(&octets) } else { hexadecimal(&octets) }
        }
        IndexType::PhysAddress48 => joined(&arcs.take(6)?, ":", |out, arc| write!(out, "{arc:02X}")),
        IndexType::InetAddressIPv4 => joined(&arcs.take(4)?, ".", |out, arc| write!(out, "{arc}")),
        IndexType::InetAddressIPv6 => {
            let mut text = String::with_capacity(39);
            for (at, arc) in arcs.take(16)?.iter().enumerate() {
                let colon = if at > 0 && at % 2 == 0 { ":" } else { "" };
                let _ = write!(text, "{colon}{arc:02X}");
            }
            text
        }
        IndexType::EnumAsInfo => {
            let number = arcs.one()?;
            enum_values.get(&i64::from(number)).map_or_else(|| number.to_string(), ToString::to_string)
        }
        _ => arcs.one()?.to_string(),
    };
    let used = arcs.taken.len().min(given.len());
    Ok(Part { text, arcs: arcs.taken, used })
}

/// What an address or a port's name is, by the number before it.
pub fn kind_of(index_type: &IndexType, kind: i64) -> Option<IndexType> {
    Some(match (index_type, kind) {
        (IndexType::InetAddress | IndexType::InetAddressMissingSize, 1) => IndexType::InetAddressIPv4,
        (IndexType::InetAddress | IndexType::InetAddressMissingSize, 2) => IndexType::InetAddressIPv6,
        (IndexType::LldpPortId, 1 | 2 | 5 | 7) => IndexType::DisplayString,
        (IndexType::LldpPortId, 3) => IndexType::PhysAddress48,
        _ => return None,
    })
}

fn joined(arcs: &[u32], between: &str, each: impl Fn(&mut String, u32) -> std::fmt::Result) -> String {
    let mut text = String::with_capacity(arcs.len() * 4);
    for (at, arc) in arcs.iter().enumerate() {
        if at > 0 {
            text.push_str(between);
        }
        let _ = each(&mut text, *arc);
    }
    text
}

/// `0x0A1B`; nothing for no octets.
pub fn hexadecimal(octets: &[u8]) -> String {
    let mut text = String::with_capacity(2 + octets.len() * 2);
    for octet in octets {
        if text.is_empty() {
            text.push_str("0x");
        }
        let _ = write!(text, "{octet:02X}");
    }
    text
}

/// Text of octets; one replacement character stands for each run of octets that are no UTF-8.
pub fn lossy(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut replaced = false;
    for chunk in octets.utf8_chunks() {
        if !chunk.valid().is_empty() {
            text.push_str(chunk.valid());
            replaced = false;
        }
        if !chunk.invalid().is_empty() && !replaced {
            text.push(char::REPLACEMENT_CHARACTER);
            replaced = true;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(given: &[u32], index_type: &IndexType, fixed: usize, implied: bool) -> (String, usize) {
        let part = read(given, index_type, fixed, implied, &EnumValues::new()).unwrap();
        (part.text, part.used)
    }

    #[test]
    fn every_type() {
        use IndexType::*;
        for (given, index_type, fixed, implied, expected, used) in [
            (&[7, 8][..], Integer, 0, false, "7", 1),
            (&[], Integer, 0, false, "0", 0),
            (&[3, 97, 98, 99, 9], DisplayString, 0, false, "abc", 4),
            (&[97, 98], DisplayString, 0, true, "ab", 2),
            (&[9, 97, 98], DisplayString, 0, false, "ab\0\0\0\0\0\0\0", 3),
            (&[1, 2, 254], OctetString, 2, false, "0x0102", 2),
            (&[0, 5], OctetString, 0, false, "", 1),
            (&[0, 17, 34, 51, 68, 255, 3], PhysAddress48, 0, false, "00:11:22:33:44:FF", 6),
            (&[192, 0, 2, 1], InetAddressIPv4, 0, false, "192.0.2.1", 4),
            (&[1, 4, 192, 0, 2, 9, 1], InetAddress, 0, false, "192.0.2.9", 6),
            (&[16, 3, 97, 98, 99, 3], InetAddress, 0, false, "0x1003616263", 5),
            (&[1, 192, 0, 2, 10], InetAddressMissingSize, 0, false, "192.0.2.10", 5),
            (&[4, 1, 2, 3], InetAddressMissingSize, 0, false, "0x04010203", 4),
            (&[3, 6, 0, 1, 2, 3, 4, 5], LldpPortId, 0, false, "00:01:02:03:04:05", 8),
            (&[77], EnumAsInfo, 0, false, "77", 1),
            (&[7, 8], Counter, 0, false, "7", 1),
            (&[2, 192, 0, 9], Bits, 0, false, "0xC000", 3),
            (&[8, 7, 232, 5, 1, 13, 30, 15, 0, 9], DateAndTime, 0, false, "0x07E805010D1E0F00", 9),
        ] {
            let (found, took) = text(given, &index_type, fixed, implied);
            assert_eq!((found.as_str(), took), (expected, used), "{given:?} {index_type}");
        }
        let v6: Vec<u32> = (240..256).collect();
        assert_eq!(text(&v6, &InetAddressIPv6, 0, false).0, "F0F1:F2F3:F4F5:F6F7:F8F9:FAFB:FCFD:FEFF");
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for given in [&[20_000_000, 1][..], &[129, 1]] {
            assert_eq!(read(given, &IndexType::DisplayString, 0, false, &EnumValues::new()), Err(TooLong));
        }
        assert_eq!(read(&[9, u32::MAX], &IndexType::InetAddress, 0, false, &EnumValues::new()), Err(TooLong));
    }

    #[test]
    fn a_run_of_wrong_octets_is_one_character() {
        assert_eq!(lossy(b"a\xff\xfe\xe6\x97b\xff"), "a\u{fffd}b\u{fffd}");
        assert_eq!(lossy("日本".as_bytes()), "日本");
    }
}
