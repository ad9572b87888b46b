//! The parts of an X.509 certificate that are compared with a configuration: alternative names and validity
//! ([RFC 5280](https://www.rfc-editor.org/rfc/rfc5280)). Signatures and chains are rustls' business.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What a certificate says of its subject.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    /// DNS names, e-mail addresses, URIs and IP addresses, as texts.
    pub(super) names: Vec<String>,
    /// From when it is valid and until when, in seconds since the Unix epoch.
    pub(super) valid: (u64, u64),
}

const SEQUENCE: u8 = 0x30;
const EXTENSIONS: u8 = 0xa3;
const OCTET_STRING: u8 = 0x04;
/// 2.5.29.17, subjectAltName
const ALTERNATIVE_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];

impl Certificate {
    /// Reads a certificate; `None` for what is none.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let (SEQUENCE, certificate, _) = element(der)? else { return None };
        let (SEQUENCE, mut fields, _) = element(certificate)? else { return None };
        let mut parsed = Self::default();
        // The validity is the only sequence of two times; counting fields would have to know which are optional.
        while let Some((tag, content, rest)) = element(fields) {
            fields = rest;
            match tag {
                SEQUENCE => {
                    if let Some(valid) = validity(content) {
                        parsed.valid = valid;
                    }
                }
                EXTENSIONS => parsed.names = alternative_names(content)?,
                _ => {}
            }
        }
        Some(parsed)
    }
}

/// The first element: its tag, its content, and what follows it. Lengths are checked against what is there.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        let count = usize::from(first & 0x7f); // in [1, 4]
        if !(1..=4).contains(&count) {
            return None;
        }
        let digits = rest.get(..count)?;
        rest = rest.get(count..)?;
        digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit))
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

fn validity(content: &[u8]) -> Option<(u64, u64)> {
    let (tag, from, rest) = element(content)?;
    let from = time(tag, from)?;
    let (tag, until, rest) = element(rest)?;
    rest.is_empty().then_some((from, time(tag, until)?))
}

/// `230102150405Z` (before 2050) or `20500102150405Z`
fn time(tag: u8, text: &[u8]) -> Option<u64> {
    let digits = text.strip_suffix(b"Z")?;
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    let (year, rest) = match (tag, digits.len()) {
        (0x17, 12) => {
            let year = number(digits.get(..2)?)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        (0x18, 14) => (number(digits.get(..4)?)?, digits.get(4..)?),
        _ => return None,
    };
    let field = |at: usize| number(rest.get(at..at + 2)?);
    let (month, day) = (field(0)?, field(2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1 {
        return None;
    }
    // Days from 1 March of year 0, as `CivilTime` counts them the other way round.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // Before 1970 is as good as the epoch here.
    let seconds = days.saturating_sub(719_468) * 86_400;
    Some(seconds + field(4)? * 3600 + field(6)? * 60 + field(8)?)
}

fn alternative_names(content: &[u8]) -> Option<Vec<String>> {
    let (SEQUENCE, mut extensions, _) = element(content)? else { return None };
    let mut names = Vec::new();
    while let Some((_, extension, rest)) = element(extensions) {
        extensions = rest;
        let (_, oid, mut parts) = element(extension)?;
        if oid != ALTERNATIVE_NAMES {
            continue;
        }
        // A boolean, critical, may stand before the value.
        while let Some((tag, value, rest)) = element(parts) {
            parts = rest;
            if tag == OCTET_STRING {
                let (SEQUENCE, mut general_names, _) = element(value)? else { return None };
                while let Some((tag, name, rest)) = element(general_names) {
                    general_names = rest;
                    names.extend(general_name(tag, name));
                }
            }
        }
    }
    Some(names)
}

fn general_name(tag: u8, name: &[u8]) -> Option<String> {
    match (tag, name.len()) {
        // rfc822Name, dNSName, uniformResourceIdentifier
        (0x81 | 0x82 | 0x86, _) => Some(std::str::from_utf8(name).ok()?.to_owned()),
        (0x87, 4) => Some(Ipv4Addr::from(<[u8; 4]>::try_from(name).ok()?).to_string()),
        (0x87, 16) => Some(Ipv6Addr::from(<[u8; 16]>::try_from(name).ok()?).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0x17, b"700101000000Z"), Some(0));
        assert_eq!(time(0x17, b"231114221320Z"), Some(1_700_000_000));
        assert_eq!(time(0x18, b"20500229000000Z"), time(0x18, b"20500301000000Z"), "no leap day in 2050");
        assert_eq!(time(0x18, b"20231114221320Z"), Some(1_700_000_000));
        for (tag, text) in
            [(0x17, "2311142213Z"), (0x17, "231314221320Z"), (0x18, "x0231114221320Z"), (4, "231114221320Z")]
        {
            assert_eq!(time(tag, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn names_of_all_kinds() {
        let wrap = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let names = [
            wrap(0x82, b"a.example"),
            wrap(0x81, b"a@b.example"),
            wrap(0x86, b"spiffe://a/b"),
            wrap(0x87, &[10, 0, 0, 1]),
            wrap(0x87, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            wrap(0x84, b"a directory name"),
        ]
        .concat();
        let extension =
            [wrap(6, &ALTERNATIVE_NAMES), wrap(1, &[0xff]), wrap(4, &wrap(0x30, &names))].concat();
        let content = wrap(0x30, &wrap(0x30, &extension));
        assert_eq!(
            alternative_names(&content).unwrap(),
            ["a.example", "a@b.example", "spiffe://a/b", "10.0.0.1", "::1"]
        );
    }

    quickcheck::quickcheck! {
        fn no_bytes_panic(bytes: Vec<u8>) -> bool {
            let _ = Certificate::parse(&bytes);
            let mut certificate = vec![0x30, 0x84, 0, 0, 0, bytes.len() as u8, 0x30, 0x80];
            certificate.extend(bytes);
            let _ = Certificate::parse(&certificate);
            true
        }
    }
}
