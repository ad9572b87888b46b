//! Reading: a cursor over a message that believes no length it has not checked.

use super::{BYTES, FIXED32, FIXED64, GROUP, GROUP_END, VARINT};

/// A place where the bytes are no protobuf, or not the one expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Bytes before it in the whole input.
    pub(crate) offset: usize,
    /// What is wrong there.
    pub(crate) what: &'static str,
}

impl Fault {
    /// Text that is no UTF-8, which has a rule of its own.
    pub(crate) const NOT_UTF8: &'static str = "text is not valid UTF-8";
}

/// A cursor over the fields of one message, and where it lies in the whole input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    rest: &'a [u8],
    /// The offset of its end in the whole input.
    end: usize,
}

/// Groups in groups that a reader follows while skipping a field; as many as other readers do.
const MAX_GROUPS: usize = 100;

impl<'a> Message<'a> {
    /// The whole input.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, end: bytes.len() }
    }

    /// Where the cursor is in the whole input.
    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// How many bytes are left.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// A fault here.
    #[cold]
    pub(crate) fn fault(&self, what: &'static str) -> Fault {
        Fault { offset: self.offset(), what }
    }

    /// The key of the next field, `None` at the end.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Option<u32>, Fault> {
        match self.rest.split_first() {
            None => Ok(None),
            // Field numbers 1 to 15, as nearly all are.
            Some((&first, rest)) if (8..0x80).contains(&first) => {
                self.rest = rest;
                Ok(Some(first.into()))
            }
            Some(_) => self.long_key().map(Some),
        }
    }

    #[inline(never)]
    fn long_key(&mut self) -> Result<u32, Fault> {
        let before = *self;
        let number = self.varint()?;
        match u32::try_from(number) {
            Ok(key) if key >= 8 => Ok(key),
            Ok(_) => Err(before.fault("field number 0 does not exist")),
            Err(_) => Err(before.fault("a field number is too large")),
        }
    }

    /// Passes over so many bytes; `false` if there are fewer.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) -> bool {
        let rest = self.rest.get(bytes..);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Whether the next byte is this key of one byte; if so, it is taken.
    #[inline]
    pub(crate) fn next_is(&mut self, key: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == key => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// A varint, at most ten bytes.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        match *self.rest {
            [low, ref rest @ ..] if low < 0x80 => {
                self.rest = rest;
                Ok(low.into())
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    /// A varint that has one byte or two, nobody knows which: [`varint`](Message::varint) guesses, and is quicker where
    /// most are of one length.
    #[inline]
    pub(crate) fn mixed_varint(&mut self) -> Result<u64, Fault> {
        let Some(&[low, high]) = self.rest.first_chunk::<2>() else { return self.varint() };
        let goes_on = low >> 7;
        if goes_on & high >> 7 != 0 {
            return self.long_varint();
        }
        self.rest = self.rest.get(1 + usize::from(goes_on)..).unwrap_or_default();
        Ok(u64::from(low & 0x7f) | u64::from(high & goes_on.wrapping_neg()) << 7)
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for (at, &byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                // The tenth byte has room for one bit.
                if at == 9 && byte > 1 {
                    break;
                }
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(number);
            }
        }
        Err(self.fault(if self.rest.len() < 10 {
            "the input ends inside a number"
        } else {
            "a number is longer than 64 bits"
        }))
    }

    /// A double.
    #[inline]
    pub(crate) fn double(&mut self) -> Result<f64, Fault> {
        match self.rest.split_first_chunk() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(f64::from_le_bytes(*bytes))
            }
            None => Err(self.fault("the input ends inside a double")),
        }
    }

    /// A message, or packed numbers, behind a length.
    #[inline]
    pub(crate) fn message(&mut self) -> Result<Message<'a>, Fault> {
        let before = *self;
        let len = self.varint()?;
        let taken = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        match taken {
            Some((body, rest)) => {
                self.rest = rest;
                Ok(Message { rest: body, end: self.offset() })
            }
            None => Err(before.fault("a length goes beyond the end of what holds it")),
        }
    }

    /// A text behind a length, checked to be UTF-8.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a str, Fault> {
        let body = self.message()?;
        std::str::from_utf8(body.rest)
            .map_err(|error| Fault { offset: body.offset() + error.valid_up_to(), what: Fault::NOT_UTF8 })
    }

    /// Passes over the value of a field that is not known. `known` are the numbers of those that are, as bits:
    /// a key of theirs that comes here has the wrong kind of value.
    pub(crate) fn skip(&mut self, key: u32, known: u32) -> Result<(), Fault> {
        let number = key >> 3;
        if number < 32 && known >> number & 1 == 1 {
            return Err(self.fault("a field has a value of another kind than its definition says"));
        }
        if key & 7 != GROUP {
            return self.skip_value(key);
        }
        // The numbers of the open groups, each to be closed by its own.
        let mut open = [0_u32; MAX_GROUPS];
        let mut depth = 0_usize;
        let mut key = key;
        loop {
            match key & 7 {
                GROUP => {
                    let Some(slot) = open.get_mut(depth) else {
                        return Err(self.fault("groups are nested too deep"));
                    };
                    *slot = key >> 3;
                    depth += 1;
                }
                GROUP_END => {
                    depth = depth.saturating_sub(1);
                    if open.get(depth) != Some(&(key >> 3)) {
                        return Err(self.fault("a group is closed that is not open"));
                    }
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.skip_value(key)?,
            }
            key = self.key()?.ok_or_else(|| self.fault("the input ends inside a group"))?;
        }
    }

    fn skip_value(&mut self, key: u32) -> Result<(), Fault> {
        let fixed = match key & 7 {
            VARINT => return self.varint().map(drop),
            BYTES => return self.message().map(drop),
            FIXED64 => 8,
            FIXED32 => 4,
            GROUP_END => return Err(self.fault("a group is closed that is not open")),
            _ => return Err(self.fault("a field has a kind of value that does not exist")),
        };
        self.rest = self.rest.get(fixed..).ok_or_else(|| self.fault("the input ends inside a value"))?;
        Ok(())
    }
}

/// A signed number from protobuf's zigzag form: 0, -1, 1, -2, 2, ...
#[inline]
pub(crate) const fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::super::key;
    use super::*;

    fn fault(
        bytes: &[u8],
        read: impl FnOnce(&mut Message<'_>) -> Result<(), Fault>,
    ) -> (usize, &'static str) {
        let Fault { offset, what } = read(&mut Message::new(bytes)).unwrap_err();
        (offset, what)
    }

    #[test]
    fn lengths_are_checked_before_they_are_believed() {
        let outer = b"\x0a\x03\x0a\x05ab";
        let mut message = Message::new(outer);
        assert_eq!(message.key(), Ok(Some(key(1, BYTES))));
        // Three bytes are claimed and there; the five inside are not.
        let mut inner = message.message().unwrap();
        assert_eq!(inner.offset(), 2);
        assert_eq!(inner.key(), Ok(Some(key(1, BYTES))));
        assert_eq!(inner.string().unwrap_err().offset, 3);
        let huge = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(
            fault(huge, |m| m.message().map(drop)),
            (0, "a length goes beyond the end of what holds it")
        );
    }

    #[test]
    fn numbers_end_within_ten_bytes() {
        assert_eq!(Message::new(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").varint(), Ok(u64::MAX));
        assert_eq!(Message::new(b"\x80\x80\x80\x00").varint(), Ok(0), "longer than need be, but right");
        for bytes in [&b"\x05"[..], b"\x05\xff", b"\x85\x01", b"\x85\x7f\x01", b"\x85\x80\x01", b"\x85", b""]
        {
            let (mut one, mut other) = (Message::new(bytes), Message::new(bytes));
            assert_eq!(one.varint(), other.mixed_varint(), "{bytes:?}");
            assert_eq!(one.as_bytes(), other.as_bytes());
        }
        let long = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
        assert_eq!(fault(long, |m| m.varint().map(drop)), (0, "a number is longer than 64 bits"));
        assert_eq!(fault(b"\xff\xff", |m| m.varint().map(drop)), (0, "the input ends inside a number"));
        assert_eq!(fault(b"", |m| m.varint().map(drop)), (0, "the input ends inside a number"));
        assert_eq!(fault(b"\x07", |m| m.key().map(drop)), (0, "field number 0 does not exist"));
    }

    #[test]
    fn unknown_fields_of_every_kind_are_skipped() {
        for value in
            [&b"\x05"[..], b"\x01\x02\x03\x04\x05\x06\x07\x08", b"\x02ab", b"", b"", b"\x01\x02\x03\x04"]
                .iter()
                .zip(0_u32..)
                .filter(|&(_, kind)| kind != GROUP && kind != GROUP_END)
        {
            let (bytes, kind) = value;
            let mut message = Message::new(bytes);
            assert_eq!(message.skip(key(20, kind), 0), Ok(()));
            assert!(message.is_empty());
            let cut = bytes.get(..bytes.len() - 1).unwrap();
            assert!(Message::new(cut).skip(key(20, kind), 0).is_err());
            assert!(Message::new(bytes).skip(key(20, kind), 1 << 20).is_err(), "known, so of the wrong kind");
        }
        assert!(Message::new(b"").skip(key(20, 6), 0).is_err());
    }

    #[test]
    fn groups_are_followed_by_a_counter() {
        let start = |number: u8| number << 3 | 3;
        let end = |number: u8| number << 3 | 4;
        let group = [start(2), 0x08, 1, end(2), end(1), 9];
        let mut message = Message::new(&group);
        assert_eq!(message.skip(key(1, GROUP), 0), Ok(()));
        assert_eq!(message.as_bytes(), [9]);
        assert!(Message::new(&[end(2)]).skip(key(1, GROUP), 0).is_err(), "closed by another number");
        assert!(Message::new(&[end(1)]).skip(key(1, GROUP_END), 0).is_err());
        let deep = [start(1); 1000];
        assert_eq!(fault(&deep, |m| m.skip(key(1, GROUP), 0)).1, "groups are nested too deep");
    }

    #[test]
    fn texts_are_utf8_or_a_fault_at_the_first_bad_byte() {
        assert_eq!(Message::new("\u{3}é!".as_bytes()).string(), Ok("é!"));
        assert_eq!(fault(b"\x03a\xff!", |m| m.string().map(drop)), (2, Fault::NOT_UTF8));
    }

    #[test]
    fn zigzag_alternates() {
        assert_eq!([0, 1, 2, 3, u64::MAX, u64::MAX - 1].map(zigzag), [0, -1, 1, -2, i64::MIN, i64::MAX]);
    }
}
