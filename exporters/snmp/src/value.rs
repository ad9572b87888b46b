//! Values to numbers and texts.

mod date;
mod hint;

pub use date::{date_and_time, ntp_timestamp, parse_date};
pub use hint::apply as apply_hint;

use openmetrics::model::Number;

use crate::ber;
use crate::config::{EnumValues, IndexType, TextType};
use crate::index::{hexadecimal, lossy, read};
use crate::message::Value;
use crate::oid::Dotted;

/// Doubles hold integers exactly below this; counters wrap here by default, so that rates stay exact.
const WRAP: u64 = 1 << 53;

/// The number in a value; 0 for what is no number.
pub fn number(value: &Value<'_>, wrap: bool) -> Number {
    match *value {
        Value::Integer(v) => Number::from(v),
        Value::Unsigned(v) => Number::from(v),
        Value::Counter64(v) => Number::from(if wrap { v % WRAP } else { v }),
        Value::Float(v) => Number::from(f64::from(v)),
        Value::Double(v) => Number::from(v),
        _ => Number::ZERO,
    }
}

/// Whether a value is a number.
pub const fn is_number(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Integer(_) | Value::Unsigned(_) | Value::Counter64(_) | Value::Float(_) | Value::Double(_)
    )
}

/// The integer in a value; 0 for what is none. Enumerations and indexes are these.
pub fn integer(value: &Value<'_>) -> i64 {
    match *value {
        Value::Integer(v) => v,
        Value::Unsigned(v) | Value::Counter64(v) => v as i64,
        _ => 0,
    }
}

/// The text of a value: octets as `text_type` or `hint` says, everything else as itself.
pub fn text(value: &Value<'_>, text_type: Option<&TextType>, hint: Option<&str>) -> String {
    match *value {
        Value::Integer(v) => v.to_string(),
        Value::Unsigned(v) | Value::Counter64(v) => v.to_string(),
        Value::Float(v) => v.to_string(),
        Value::Double(v) => v.to_string(),
        Value::IpAddress([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
        Value::Oid(content) => {
            let mut arcs = Vec::new();
            ber::arcs(content, &mut arcs).map_or_else(String::new, |()| Dotted(&arcs).to_string())
        }
        Value::Octets(octets) => text_of_octets(octets, text_type, hint),
        _ => String::new(),
    }
}

fn text_of_octets(octets: &[u8], text_type: Option<&TextType>, hint: Option<&str>) -> String {
    let index_type = match text_type {
        None | Some(TextType::OctetString | TextType::Other(_)) => {
            if let Some(written) = hint.and_then(|hint| apply_hint(hint, octets)) {
                return lossy(&written);
            }
            return hexadecimal(octets);
        }
        Some(TextType::DisplayString) => return lossy(octets),
        Some(TextType::Integer) => IndexType::Integer,
        Some(TextType::PhysAddress48) => IndexType::PhysAddress48,
        Some(TextType::InetAddressIPv4) => IndexType::InetAddressIPv4,
        Some(TextType::InetAddressIPv6) => IndexType::InetAddressIPv6,
        Some(TextType::InetAddress) => IndexType::InetAddress,
        Some(TextType::InetAddressMissingSize) => IndexType::InetAddressMissingSize,
        Some(TextType::LldpPortId) => IndexType::LldpPortId,
        Some(TextType::EnumAsInfo) => IndexType::EnumAsInfo,
    };
    let arcs: Vec<u32> = octets.iter().map(|octet| u32::from(*octet)).collect();
    read(&arcs, &index_type, 0, false, &EnumValues::new())
        .map_or_else(|_| hexadecimal(octets), |part| part.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number(&Value::Counter64(WRAP + 1), true), Number::from(1_u64));
        assert_eq!(number(&Value::Counter64(u64::MAX), false), Number::from(u64::MAX));
        assert_eq!(number(&Value::Integer(-5), true), Number::from(-5_i64));
        assert_eq!(number(&Value::Float(-0.1), true), Number::from(-0.100_000_001_490_116_12));
        assert_eq!(number(&Value::Octets(b"17"), true), Number::ZERO);
    }

    #[test]
    fn texts() {
        for (value, text_type, hint, expected) in [
            (Value::Octets(b"caf\xc3\xa9"), Some(TextType::DisplayString), None, "café"),
            (Value::Octets(b"\x01\xff"), Some(TextType::OctetString), None, "0x01FF"),
            (Value::Octets(b"\x01\xff"), None, Some("1x:"), "01:FF"),
            (Value::Octets(b"\x01\xff"), None, Some("x"), "0x01FF"),
            (Value::Octets(b"\x01\xff"), Some(TextType::PhysAddress48), None, "01:FF:00:00:00:00"),
            (Value::Octets(b"\x07x"), Some(TextType::Integer), None, "7"),
            (Value::Octets(&[1, 4, 192, 0, 2, 1]), Some(TextType::InetAddress), None, "192.0.2.1"),
            (Value::IpAddress([192, 0, 2, 1]), None, None, "192.0.2.1"),
            (Value::Oid(&[0x2b, 6]), None, None, "1.3.6"),
            (Value::Integer(-1), Some(TextType::DisplayString), None, "-1"),
            (Value::Null, None, None, ""),
        ] {
            assert_eq!(text(&value, text_type.as_ref(), hint), expected, "{value:?}");
        }
    }
}
