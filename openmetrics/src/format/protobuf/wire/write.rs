//! Writing straight into the output: lengths are put in when they are known, no tree is built.

use super::{BYTES, FIXED64, VARINT, key};
use crate::model::{Timestamp, varint, varint_len};

/// Writes a key.
#[inline]
fn put_key(number: u32, kind: u32, out: &mut Vec<u8>) {
    varint(key(number, kind).into(), out);
}

/// An unsigned number, or one of an enum.
#[inline]
pub(crate) fn uint(number: u32, value: u64, out: &mut Vec<u8>) {
    put_key(number, VARINT, out);
    varint(value, out);
}

/// A signed number in two's complement: ten bytes when negative.
#[inline]
pub(crate) fn int(number: u32, value: i64, out: &mut Vec<u8>) {
    uint(number, value as u64, out);
}

/// A signed number in zigzag form.
#[inline]
pub(crate) fn sint(number: u32, value: i64, out: &mut Vec<u8>) {
    uint(number, (value << 1 ^ value >> 63) as u64, out);
}

/// A double.
#[inline]
pub(crate) fn double(number: u32, value: f64, out: &mut Vec<u8>) {
    put_key(number, FIXED64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A text.
#[inline]
pub(crate) fn string(number: u32, value: &str, out: &mut Vec<u8>) {
    put_key(number, BYTES, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value.as_bytes());
}

/// A message of whatever `body` writes. Its length goes before it when that is known; bodies of 128 bytes and more
/// are moved for it, which for the sizes of points is cheaper than adding up lengths first.
#[inline]
pub(crate) fn message(number: u32, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    put_key(number, BYTES, out);
    let frame = Frame::open(1, out);
    body(out);
    frame.close(out);
}

/// A `google.protobuf.Timestamp`: seconds and nanoseconds, zeros left out as everyone does for that message.
pub(crate) fn timestamp(number: u32, timestamp: Timestamp, out: &mut Vec<u8>) {
    let mut short = Short::default();
    short.timestamp(number, timestamp);
    out.extend_from_slice(short.as_bytes());
}

/// A few fields put together on the stack and appended at once, which spares the output's checks of its room. What
/// would not fit is left out, so it is for what always fits.
pub(crate) struct Short {
    bytes: [u8; 64],
    len: usize,
}

impl Default for Short {
    fn default() -> Self {
        Self { bytes: [0; 64], len: 0 }
    }
}

impl Short {
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    #[inline]
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    /// The key of a field with a number up to 15, and the length of the message it has.
    #[inline]
    pub(crate) fn message(&mut self, number: u32, len: usize) {
        self.push(key(number, BYTES) as u8);
        self.varint(len as u64);
    }

    /// A double in a field with a number up to 15.
    #[inline]
    pub(crate) fn double(&mut self, number: u32, value: f64) {
        self.push(key(number, FIXED64) as u8);
        if let Some(slots) = self.bytes.get_mut(self.len..self.len + 8) {
            slots.copy_from_slice(&value.to_le_bytes());
            self.len += 8;
        }
    }

    /// A timestamp in a field with a number up to 15.
    #[inline]
    pub(crate) fn timestamp(&mut self, number: u32, timestamp: Timestamp) {
        self.message(number, timestamp_len(timestamp));
        if timestamp.seconds() != 0 {
            self.push(key(1, VARINT) as u8);
            self.varint(timestamp.seconds() as u64);
        }
        if timestamp.subsec_nanos() != 0 {
            self.push(key(2, VARINT) as u8);
            self.varint(timestamp.subsec_nanos().into());
        }
    }
}

/// Up to 16 bytes in a register, appended by one store. (Bytes that are stored one by one and then loaded as a block
/// make the processor wait for the stores.)
#[derive(Clone, Copy, Default)]
pub(crate) struct Block {
    /// The first byte is the lowest.
    bytes: u128,
    len: usize,
}

impl Block {
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Adds what there is room for.
    #[inline]
    pub(crate) fn append(&mut self, other: Self) {
        self.bytes |= other.bytes << (8 * self.len).min(127);
        self.len += other.len;
    }

    /// A copy of known size whose end is dropped is quicker than one of a few bytes of unknown number.
    #[inline]
    pub(crate) fn push_to(self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.truncate(end);
    }

    /// The key of a field with a number up to 15, and the length of the message it has, below 2^35.
    #[inline]
    pub(crate) fn message(number: u32, len: usize) -> Self {
        Self::field(number, BYTES, len as u64)
    }

    /// A number in a field with a number up to 15.
    #[inline]
    pub(crate) fn uint(number: u32, value: u64) -> Self {
        if value < 1 << 35 {
            return Self::field(number, VARINT, value);
        }
        let (spread, _) = short_varint(value & ((1 << 35) - 1));
        let (high, len) = short_varint(value >> 35);
        let key = u128::from(key(number, VARINT));
        let low = u128::from(spread | 0x80_8080_8080);
        Self { bytes: key | low << 8 | u128::from(high) << 48, len: 6 + len }
    }

    /// A double in a field with a number up to 15.
    #[inline]
    pub(crate) fn double(number: u32, value: f64) -> Self {
        Self { bytes: u128::from(key(number, FIXED64)) | u128::from(value.to_bits()) << 8, len: 9 }
    }

    /// The bytes, and zeros behind their end.
    #[inline]
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.bytes.to_le_bytes()
    }

    /// A key with a number up to 15 and a varint below 2^35.
    #[inline]
    fn field(number: u32, kind: u32, value: u64) -> Self {
        let (spread, len) = short_varint(value);
        Self { bytes: u128::from(spread << 8 | u64::from(key(number, kind))), len: 1 + len }
    }
}

/// A timestamp below 2^35 seconds, in a field with a number up to 15; zeros left out.
#[inline]
pub(crate) fn short_timestamp(number: u32, seconds: u64, nanos: u32) -> Block {
    let mut body = Block::default();
    for (number, value) in [(1, seconds), (2, u64::from(nanos))] {
        if value != 0 {
            body.append(Block::field(number, VARINT, value));
        }
    }
    let mut field = Block::message(number, body.len);
    field.append(body);
    field
}

/// The bytes of a number below 2^35, the first one lowest, and how many they are: at most five.
#[inline]
fn short_varint(value: u64) -> (u64, usize) {
    let len = varint_len(value);
    let spread = value & 0x7f
        | (value & 0x3f80) << 1
        | (value & 0x1f_c000) << 2
        | (value & 0x0fe0_0000) << 3
        | (value & 0x7_f000_0000) << 4;
    let all_but_last = (1_u64 << (8 * (len - 1))) - 1;
    (spread | 0x80_8080_8080 & all_but_last, len)
}

/// How many bytes a timestamp takes, without its key and length: at most 17.
#[inline]
pub(crate) fn timestamp_len(timestamp: Timestamp) -> usize {
    let field = |number: u64| if number == 0 { 0 } else { 1 + varint_len(number) };
    field(timestamp.seconds() as u64) + field(timestamp.subsec_nanos().into())
}

/// The key and length of a message whose length is known before.
#[inline]
pub(crate) fn fixed_message(number: u32, len: usize, out: &mut Vec<u8>) {
    put_key(number, BYTES, out);
    varint(len as u64, out);
}

/// A length that is put in when what follows it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Where the body begins; the length goes before it.
    body: usize,
    /// The room left for the length.
    room: usize,
}

impl Frame {
    /// Leaves `room` bytes for a length, as many as it will probably need.
    #[inline]
    pub(crate) fn open(room: usize, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice([0; 10].get(..room).unwrap_or_default());
        Self { body: out.len(), room }
    }

    /// A message written before, at the end of the output: its body begins here and its length has this room.
    pub(crate) fn reopen(body: usize, room: usize) -> Self {
        Self { body, room }
    }

    /// Where the body begins, until [`widen`](Frame::widen) or [`close`](Frame::close) move it.
    pub(crate) fn body(&self) -> usize {
        self.body
    }

    /// The room left for the length.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Makes more room as soon as the length needs it. Called while a large body grows, this moves 16 KiB and 2 MiB
    /// once instead of everything at the end.
    #[inline]
    pub(crate) fn widen(&mut self, out: &mut Vec<u8>) {
        let needed = varint_len((out.len() - self.body) as u64);
        if needed > self.room {
            self.fit(needed, out);
        }
    }

    /// Writes the length, and says how many bytes it took.
    #[inline]
    pub(crate) fn close(mut self, out: &mut Vec<u8>) -> usize {
        let len = (out.len() - self.body) as u64;
        let needed = varint_len(len);
        if needed != self.room {
            self.fit(needed, out);
        }
        let mut number = len;
        for slot in out.get_mut(self.body - needed..self.body).unwrap_or_default() {
            *slot = number as u8 | 0x80;
            number >>= 7;
        }
        if let Some(last) = out.get_mut(self.body - 1) {
            *last &= 0x7f;
        }
        needed
    }

    fn fit(&mut self, needed: usize, out: &mut Vec<u8>) {
        let end = out.len();
        let moved = self.body - self.room + needed;
        if needed > self.room {
            out.resize(end + needed - self.room, 0);
        }
        out.copy_within(self.body..end, moved);
        if needed < self.room {
            out.truncate(end - (self.room - needed));
        }
        (self.body, self.room) = (moved, needed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Message, zigzag};
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        for room in [1, 2, 3] {
            for len in [0, 1, 127, 128, 16_383, 16_384, 100_000] {
                let mut out = b"before".to_vec();
                let mut frame = Frame::open(room, &mut out);
                for at in 0..len {
                    out.push(at as u8);
                    frame.widen(&mut out);
                }
                frame.close(&mut out);
                let mut expected = b"before".to_vec();
                varint(len, &mut expected);
                expected.extend((0..len).map(|at| at as u8));
                assert_eq!(out, expected, "{len} bytes, room for {room}");
            }
        }
    }

    #[test]
    fn short_timestamps_are_those_of_any_length() {
        for seconds in [0, 1, 127, 128, 16_384, 1_520_430_000, (1 << 35) - 1] {
            for nanos in [0, 1, 127, 128, 20_000, 999_999_999] {
                let mut expected = Short::default();
                expected.timestamp(3, Timestamp::new(seconds, nanos).unwrap());
                let mut out = vec![1];
                short_timestamp(3, seconds as u64, nanos).push_to(&mut out);
                assert_eq!(out.get(1..), Some(expected.as_bytes()), "{seconds} {nanos}");
                let mut block = Block::message(3, 300);
                block.append(short_timestamp(2, 1, 0));
                block.push_to(&mut out);
                let mut expected = Short::default();
                expected.message(3, 300);
                expected.timestamp(2, Timestamp::from_seconds(1));
                assert!(out.ends_with(expected.as_bytes()));
            }
        }
    }

    quickcheck! {
        fn blocks_are_what_is_written_field_by_field(value: u64, shift: u8, float: f64) -> bool {
            let value = value >> (shift % 64);
            let (mut blocks, mut expected) = (Vec::new(), Vec::new());
            Block::uint(2, value).push_to(&mut blocks);
            Block::double(1, float).push_to(&mut blocks);
            uint(2, value, &mut expected);
            double(1, float, &mut expected);
            blocks == expected
        }

        fn numbers_come_back(unsigned: u64, signed: i64, float: f64, text: String) -> bool {
            let mut out = Vec::new();
            uint(1, unsigned, &mut out);
            sint(16, signed, &mut out);
            int(3, signed, &mut out);
            double(4, float, &mut out);
            string(2047, &text, &mut out);
            let mut message = Message::new(&out);
            let mut keys = Vec::new();
            let mut next = |message: &mut Message<'_>| keys.push(message.key().unwrap().unwrap());
            next(&mut message);
            let same_unsigned = message.varint() == Ok(unsigned);
            next(&mut message);
            let same_signed = message.varint().map(zigzag) == Ok(signed);
            next(&mut message);
            let same_int = message.varint() == Ok(signed as u64);
            next(&mut message);
            let same_float = message.double().map(f64::to_bits) == Ok(float.to_bits());
            next(&mut message);
            let same_text = message.string() == Ok(&text);
            same_unsigned && same_signed && same_int && same_float && same_text
                && keys == [8, 16 << 3, 3 << 3, 4 << 3 | 1, 2047 << 3 | 2] && message.is_empty()
        }
    }
}
