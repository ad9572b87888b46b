//! BER, the part of it that SNMP uses ([X.690](https://www.itu.int/rec/T-REC-X.690), RFC 3417 section 8): tags,
//! definite lengths, integers, octet strings, object identifiers.
//!
//! The reader believes no length before it has seen that many octets, and nothing here recurses: a caller opens
//! as many levels as its message has, whatever the octets say. Not read are lengths of the indefinite form and
//! tags above 30, which SNMP never has.

use std::fmt;

use crate::oid::MAX_ARCS;

/// INTEGER.
pub const INTEGER: u8 = 0x02;
/// BIT STRING; an early draft's, some agents still send it.
pub const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// NULL.
pub const NULL: u8 = 0x05;
/// OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// A counter of 32 bits (RFC 2578, section 2, as the tags after it).
pub const COUNTER32: u8 = 0x41;
/// A gauge, or an unsigned number, of 32 bits.
pub const GAUGE32: u8 = 0x42;
/// A time in hundredths of a second.
pub const TIME_TICKS: u8 = 0x43;
/// A counter of 64 bits.
pub const COUNTER64: u8 = 0x46;

/// Octets that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What was expected.
    pub expected: &'static str,
    /// Where, counted in octets from the beginning of the message.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} at octet {}", self.expected, self.at)
    }
}
impl std::error::Error for Malformed {}

/// Reads values one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of a message from its first octet.
    pub const fn new(message: &'a [u8]) -> Self {
        Self { rest: message, at: 0 }
    }

    /// Whether everything is read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Where the next value begins, in octets from the beginning of the message.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// The octets not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// An error at this place.
    pub const fn expected(&self, expected: &'static str) -> Malformed {
        Malformed { expected, at: self.at }
    }

    /// The next value of whatever tag, and a reader of its content.
    #[inline]
    pub fn any(&mut self) -> Result<(u8, Reader<'a>), Malformed> {
        let wrong = self.expected("value");
        let (&tag, rest) = self.rest.split_first().ok_or(wrong)?;
        let (&first, mut rest) = rest.split_first().ok_or(wrong)?;
        let mut header = 2;
        let mut length = usize::from(first);
        if first >= 0x80 {
            // The long form: the low bits say how many octets the length takes. None is the indefinite form.
            let octets = usize::from(first & 0x7f);
            if octets == 0 || octets > 8 {
                return Err(self.expected("length of a definite form"));
            }
            let (digits, after) = rest.split_at_checked(octets).ok_or(wrong)?;
            length = 0;
            for &digit in digits {
                length = length.checked_mul(256).ok_or(wrong)? | usize::from(digit);
            }
            rest = after;
            header += octets;
        }
        let too_long = Malformed { expected: "as many octets as the length says", at: self.at };
        let (content, after) = rest.split_at_checked(length).ok_or(too_long)?;
        let content = Reader { rest: content, at: self.at + header };
        self.rest = after;
        self.at = content.at + length;
        Ok((tag, content))
    }

    /// The content of the next value, which has to have this tag.
    pub fn value(&mut self, tag: u8, expected: &'static str) -> Result<Reader<'a>, Malformed> {
        let wrong = self.expected(expected);
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(wrong),
        }
    }

    /// An INTEGER of at most 64 bits.
    pub fn integer(&mut self, expected: &'static str) -> Result<i64, Malformed> {
        let wrong = self.expected(expected);
        integer(self.value(INTEGER, expected)?.rest).ok_or(wrong)
    }

    /// An INTEGER of at most 32 bits.
    pub fn integer32(&mut self, expected: &'static str) -> Result<i32, Malformed> {
        let wrong = self.expected(expected);
        i32::try_from(self.integer(expected)?).map_err(|_| wrong)
    }

    /// An OCTET STRING.
    pub fn octets(&mut self, expected: &'static str) -> Result<&'a [u8], Malformed> {
        Ok(self.value(OCTET_STRING, expected)?.rest)
    }
}

/// The content of an INTEGER: two's complement, 1 to 8 octets.
pub fn integer(content: &[u8]) -> Option<i64> {
    let (&first, _) = content.split_first()?;
    if content.len() > 8 {
        return None;
    }
    let sign = if first >= 0x80 { -1 } else { 0 };
    Some(content.iter().fold(sign, |value, &octet| value << 8 | i64::from(octet)))
}

/// The content of a counter or gauge: 1 to 8 octets and a zero in front of them.
///
/// Some agents leave the zero out, so the first bit is no sign.
pub fn unsigned(content: &[u8]) -> Option<u64> {
    let digits = match content {
        [] => return None,
        [0, rest @ ..] => rest,
        all => all,
    };
    if digits.len() > 8 {
        return None;
    }
    Some(digits.iter().fold(0, |value, &octet| value << 8 | u64::from(octet)))
}

/// Appends the arcs in the content of an OBJECT IDENTIFIER; `None` if they are not whole, larger than 32 bits or
/// too many. No octets at all are `0.0`, as some agents write it.
#[inline]
pub fn arcs(content: &[u8], out: &mut Vec<u32>) -> Option<()> {
    let begin = out.len();
    let mut number = 0_u32;
    let mut open = false;
    for &octet in content {
        if number > u32::MAX >> 7 {
            return None;
        }
        number = number << 7 | u32::from(octet & 0x7f);
        open = octet >= 0x80;
        if open {
            continue;
        }
        if out.len() == begin {
            let first = (number / 40).min(2);
            out.push(first);
            out.push(number - first * 40);
        } else {
            if out.len() - begin == MAX_ARCS {
                return None;
            }
            out.push(number);
        }
        number = 0;
    }
    if out.len() == begin && !open {
        out.extend([0, 0]);
    }
    if open { None } else { Some(()) }
}

/// Writes values from the last to the first, so that every length is known when it is written.
///
/// ```
/// use openmetrics_snmp_bridge::ber::{SEQUENCE, Writer};
///
/// let mut out = Writer::new();
/// out.within(SEQUENCE, |out| {
///     out.octets(b"b");
///     out.integer(1);
/// });
/// assert_eq!(out.finish(), [0x30, 6, 2, 1, 1, 4, 1, b'b']);
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    /// The octets in reverse.
    reversed: Vec<u8>,
}

impl Writer {
    /// A writer with nothing in it.
    pub const fn new() -> Self {
        Self { reversed: Vec::new() }
    }

    /// How many octets there are so far, from the end of the message.
    pub fn len(&self) -> usize {
        self.reversed.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.reversed.is_empty()
    }

    /// The message.
    pub fn finish(mut self) -> Vec<u8> {
        self.reversed.reverse();
        self.reversed
    }

    /// Octets that are encoded already.
    pub fn raw(&mut self, octets: &[u8]) {
        self.reversed.extend(octets.iter().rev());
    }

    /// A value of this tag around what `content` writes.
    pub fn within(&mut self, tag: u8, content: impl FnOnce(&mut Self)) {
        let end = self.reversed.len();
        content(self);
        self.header(tag, self.reversed.len() - end);
    }

    /// A value of this tag and content.
    pub fn value(&mut self, tag: u8, content: &[u8]) {
        self.raw(content);
        self.header(tag, content.len());
    }

    /// An OCTET STRING.
    pub fn octets(&mut self, content: &[u8]) {
        self.value(OCTET_STRING, content);
    }

    /// A counter, a gauge or a time: a number without a sign.
    pub fn unsigned(&mut self, tag: u8, value: u64) {
        let octets = [&[0], &value.to_be_bytes()[..]].concat();
        // One zero in front, and only if the number would look negative without it.
        let zeros = octets.windows(2).take_while(|pair| matches!(pair, [0, 0..0x80])).count();
        self.value(tag, octets.get(zeros..).unwrap_or_default());
    }

    /// An INTEGER.
    pub fn integer(&mut self, value: i64) {
        let mut rest = value;
        let mut length = 0;
        loop {
            let octet = rest as u8;
            self.reversed.push(octet);
            length += 1;
            rest >>= 8;
            // Done when the sign of the last octet says all that is left.
            if (rest == 0 && octet < 0x80) || (rest == -1 && octet >= 0x80) {
                break;
            }
        }
        self.header(INTEGER, length);
    }

    /// An OBJECT IDENTIFIER of at least two arcs; of fewer, the missing ones are written as zero.
    pub fn oid(&mut self, arcs: &[u32]) {
        let end = self.reversed.len();
        let first = arcs.first().copied().unwrap_or(0);
        let second = arcs.get(1).copied().unwrap_or(0);
        for &arc in arcs.get(2..).unwrap_or_default().iter().rev() {
            self.arc(u64::from(arc));
        }
        self.arc(u64::from(first) * 40 + u64::from(second));
        self.header(OBJECT_IDENTIFIER, self.reversed.len() - end);
    }

    fn arc(&mut self, mut number: u64) {
        self.reversed.push(number as u8 & 0x7f);
        number >>= 7;
        while number > 0 {
            self.reversed.push(number as u8 & 0x7f | 0x80);
            number >>= 7;
        }
    }

    fn header(&mut self, tag: u8, length: usize) {
        if length < 0x80 {
            self.reversed.push(length as u8);
        } else {
            let mut rest = length;
            let mut octets = 0;
            while rest > 0 {
                self.reversed.push(rest as u8);
                rest >>= 8;
                octets += 1;
            }
            self.reversed.push(0x80 | octets);
        }
        self.reversed.push(tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut out = Writer::new();
        write(&mut out);
        out.finish()
    }

    fn decoded(content: &[u8]) -> Option<Vec<u32>> {
        let mut out = Vec::new();
        arcs(content, &mut out).map(|()| out)
    }

    #[test]
    fn integers_take_the_fewest_octets() {
        for (value, octets) in [
            (0_i64, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (-1, &[2, 1, 255]),
            (-128, &[2, 1, 128]),
            (-129, &[2, 2, 255, 127]),
            (i64::MIN, &[2, 8, 128, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(written(|w| w.integer(value)), octets);
            assert_eq!(Reader::new(octets).integer("number"), Ok(value));
        }
        assert_eq!(integer(&[]), None);
        assert_eq!(integer(&[0; 9]), None);
    }

    #[test]
    fn counters_take_the_fewest_octets() {
        for value in [0, 1, 127, 128, 255, 256, 1 << 31, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let octets = written(|out| out.unsigned(COUNTER64, value));
            let content = Reader::new(&octets).value(COUNTER64, "counter").unwrap().rest();
            assert_eq!(unsigned(content), Some(value));
            assert_eq!(integer(content).is_none(), value > i64::MAX as u64, "no sign");
            assert!(!matches!(content, [0, 0..0x80, ..]), "{content:?}");
        }
    }

    #[test]
    fn counters_have_no_sign() {
        assert_eq!(unsigned(&[0xff, 0xff, 0xff, 0xff]), Some(u64::from(u32::MAX)));
        assert_eq!(unsigned(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Some(u64::MAX));
        assert_eq!(unsigned(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(unsigned(&[]), None);
    }

    #[test]
    fn object_identifiers() {
        // X.690, 8.19.5: {2 999 3} is 06 03 88 37 03.
        assert_eq!(written(|w| w.oid(&[2, 999, 3])), [6, 3, 0x88, 0x37, 3]);
        assert_eq!(decoded(&[0x88, 0x37, 3]), Some(vec![2, 999, 3]));
        assert_eq!(decoded(&[0x2b, 6, 1]), Some(vec![1, 3, 6, 1]));
        assert_eq!(decoded(&[0]), Some(vec![0, 0]));
        assert_eq!(decoded(&[]), Some(vec![0, 0]));
        assert_eq!(decoded(&[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f]), Some(vec![1, 3, u32::MAX]));
        assert_eq!(decoded(&[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00]), None, "2^32");
        assert_eq!(decoded(&[0x2b, 0x81]), None, "an arc that does not end");
        assert_eq!(decoded(&[1; MAX_ARCS - 1]).map(|arcs| arcs.len()), Some(MAX_ARCS));
        assert_eq!(decoded(&[1; MAX_ARCS]), None);
    }

    #[test]
    fn lengths_are_checked_before_they_are_believed() {
        let fails = |octets: &[u8]| Reader::new(octets).any().unwrap_err();
        assert_eq!(fails(&[]).to_string(), "no value at octet 0");
        assert_eq!(fails(&[0x30]).expected, "value");
        assert_eq!(fails(&[0x30, 1]).expected, "as many octets as the length says");
        assert_eq!(fails(&[0x30, 0x80, 0, 0]).expected, "length of a definite form");
        assert_eq!(
            fails(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0]).expected,
            "as many octets as the length says"
        );
        assert_eq!(
            fails(&[0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255]).expected,
            "as many octets as the length says"
        );
        assert_eq!(fails(&[0x30, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0]).expected, "length of a definite form");
        // More octets than needed are allowed.
        let (tag, content) = Reader::new(&[4, 0x84, 0, 0, 0, 1, 7, 9]).any().unwrap();
        assert_eq!((tag, content.rest(), content.position()), (4, &[7][..], 6));
        let mut sequence = Reader::new(&[0x30, 3, 2, 1, 5]);
        let mut inside = sequence.value(SEQUENCE, "sequence").unwrap();
        assert_eq!(inside.octets("name"), Err(Malformed { expected: "name", at: 2 }));
    }

    #[test]
    fn long_contents_have_long_lengths() {
        for length in [0, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let out = written(|w| w.octets(&content));
            assert_eq!(Reader::new(&out).octets("text"), Ok(&content[..]));
        }
        assert_eq!(written(|w| w.octets(&[7; 200])).get(..3), Some(&[4, 0x81, 200][..]));
    }

    quickcheck! {
        fn oids_come_back(head: u8, second: u8, tail: Vec<u32>) -> bool {
            let first = u32::from(head % 3);
            let mut oid = vec![first, u32::from(second % 40)];
            oid.extend(tail.iter().take(MAX_ARCS - 2));
            let out = written(|w| w.oid(&oid));
            let mut reader = Reader::new(&out);
            reader.value(OBJECT_IDENTIFIER, "oid").ok().and_then(|content| decoded(content.rest())) == Some(oid)
        }

        fn integers_come_back(value: i64) -> bool {
            Reader::new(&written(|w| w.integer(value))).integer("number") == Ok(value)
        }

        fn any_octets_end(octets: Vec<u8>) -> bool {
            let mut reader = Reader::new(&octets);
            let mut values = 0;
            while reader.any().is_ok() {
                values += 1;
            }
            values <= octets.len() / 2
        }
    }
}
