//! Protobuf's wire: what both formats are made of
//! ([encoding](https://protobuf.dev/programming-guides/encoding/)).
//!
//! A message is a row of fields; a field is a key and a value; a key is a field number and the kind of value.
//! Keys are written as one number here, `number << 3 | kind`, so that a reader can match on constants made with
//! [`key`].

mod read;
mod write;

pub(crate) use read::{Fault, Message, zigzag};
pub(crate) use write::{
    Block, Frame, Short, double, fixed_message, int, message, short_timestamp, sint, string, timestamp,
    timestamp_len, uint,
};

/// The kind of a value that is a varint.
pub(crate) const VARINT: u32 = 0;
/// The kind of a value of eight bytes, such as a double.
pub(crate) const FIXED64: u32 = 1;
/// The kind of a value with a length before it: text, a message, packed numbers.
pub(crate) const BYTES: u32 = 2;
/// The kind of key that opens a group, a form long given up.
pub(crate) const GROUP: u32 = 3;
/// The kind of key that closes a group.
pub(crate) const GROUP_END: u32 = 4;
/// The kind of a value of four bytes.
pub(crate) const FIXED32: u32 = 5;

/// The key of field `number` with this kind of value.
pub(crate) const fn key(number: u32, kind: u32) -> u32 {
    number << 3 | kind
}

/// A module for each message with the numbers of its fields, and `KNOWN`, all of them as bits.
macro_rules! fields {
    ($($(#[$doc:meta])* $message:ident { $($field:ident = $number:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        pub(super) mod $message {
            $(pub(in super::super) const $field: u32 = $number;)*
            pub(in super::super) const KNOWN: u32 = 0 $(| 1 << $number)*;
        }
    )*};
}
pub(crate) use fields;
