//! Messages as bytes: how a call is written, and how an answer is read.

use super::{Call, Refusal};

pub(super) const METHOD_CALL: u8 = 1;
pub(super) const METHOD_RETURN: u8 = 2;
pub(super) const ERROR: u8 = 3;
/// Fields of a message's head.
pub(super) mod field {
    pub(in crate::dbus) const PATH: u8 = 1;
    pub(in crate::dbus) const INTERFACE: u8 = 2;
    pub(in crate::dbus) const MEMBER: u8 = 3;
    pub(in crate::dbus) const ERROR_NAME: u8 = 4;
    pub(in crate::dbus) const REPLY_SERIAL: u8 = 5;
    pub(in crate::dbus) const DESTINATION: u8 = 6;
    pub(in crate::dbus) const SIGNATURE: u8 = 8;
}

/// One message of a call, little endian.
pub(super) fn encode(call: &Call<'_>, serial: u32, out: &mut Vec<u8>) {
    fn pad(bytes: &mut Vec<u8>, to: usize) {
        bytes.resize(bytes.len().next_multiple_of(to), 0);
    }
    fn string(bytes: &mut Vec<u8>, text: &str) {
        pad(bytes, 4);
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    let mut body = Vec::new();
    call.arguments.iter().for_each(|argument| string(&mut body, argument));
    let mut fields = Vec::new();
    let texts = [
        (field::PATH, "o", call.path),
        (field::INTERFACE, "s", call.interface),
        (field::MEMBER, "s", call.member),
        (field::DESTINATION, "s", call.destination),
    ];
    for (code, kind, text) in texts {
        pad(&mut fields, 8);
        fields.extend([code, 1]);
        fields.extend(kind.as_bytes());
        fields.push(0);
        string(&mut fields, text);
    }
    if !call.arguments.is_empty() {
        pad(&mut fields, 8);
        let signature = "s".repeat(call.arguments.len());
        fields.extend([field::SIGNATURE, 1, b'g', 0, signature.len() as u8]);
        fields.extend(signature.as_bytes());
        fields.push(0);
    }
    let mut message = vec![b'l', METHOD_CALL, 0, 1];
    message.extend((body.len() as u32).to_le_bytes());
    message.extend(serial.to_le_bytes());
    message.extend((fields.len() as u32).to_le_bytes());
    message.extend(fields);
    pad(&mut message, 8);
    message.extend(body);
    out.extend(message);
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) reply_to: Option<u32>,
    pub(super) error: String,
    pub(super) reply: Reply,
}

/// A message's head; the body stays bytes. `fields_end` and `begin` are where the fields end and the body begins.
pub(super) fn decode(bytes: Vec<u8>, little: bool, fields_end: usize, begin: usize) -> Option<Message> {
    let kind = *bytes.get(1)?;
    let (mut reply_to, mut error, mut signature) = (None, String::new(), String::new());
    let mut fields = Reader::new(bytes.get(..fields_end)?, little).at(16);
    while !fields.is_empty() {
        fields.align(8)?;
        let code = fields.u8()?;
        match fields.signature()? {
            "u" => {
                let value = fields.u32()?;
                if code == field::REPLY_SERIAL {
                    reply_to = Some(value);
                }
            }
            "s" | "o" => {
                let value = fields.string()?;
                if code == field::ERROR_NAME {
                    value.clone_into(&mut error);
                }
            }
            "g" => {
                let value = fields.signature()?;
                if code == field::SIGNATURE {
                    value.clone_into(&mut signature);
                }
            }
            _ => return None,
        }
    }
    Some(Message { kind, reply_to, error, reply: Reply { bytes, begin, little, signature } })
}

/// What a call gave.
#[derive(Debug)]
pub struct Reply {
    pub(super) bytes: Vec<u8>,
    /// Where the body begins.
    pub(super) begin: usize,
    little: bool,
    signature: String,
}

impl Reply {
    /// Reads the body, if it has this signature.
    pub fn read(&self, signature: &str) -> Result<Reader<'_>, Refusal> {
        if self.signature == signature {
            // Alignment counts from the body's start, which is aligned itself.
            Ok(Reader::new(self.bytes.get(self.begin..).unwrap_or_default(), self.little))
        } else {
            Err(Refusal(format!("expected an answer of type {signature}, found {:?}", self.signature)))
        }
    }

    /// The property that was asked for.
    pub fn property(&self) -> Result<Property<'_>, Refusal> {
        let mut body = self.read("v")?;
        let value = match body.signature() {
            Some("s" | "o") => body.string().map(Property::Text),
            Some("u") => body.u32().map(|value| Property::Number(u64::from(value))),
            Some("b") => body.u32().map(|value| Property::Switch(value != 0)),
            Some("t") => body.u64().map(Property::Number),
            _ => None,
        };
        value.ok_or_else(|| Refusal("a property of an unknown type".into()))
    }
}

/// The value of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property<'a> {
    /// A string.
    Text(&'a str),
    /// An unsigned integer.
    Number(u64),
    /// True or false.
    Switch(bool),
}

impl<'a> Property<'a> {
    /// The text, if it is one.
    pub fn text(self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub fn number(self) -> Option<u64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }
}

/// Reads values one after the other; `None` where the bytes end before their time or are not what they should be.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], little: bool) -> Self {
        Self { bytes, at: 0, little }
    }

    pub(super) fn at(mut self, at: usize) -> Self {
        self.at = at;
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Moves on to the next multiple of `to`, where structures (8) and arrays (4) begin.
    pub fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.next_multiple_of(to);
        (self.at <= self.bytes.len()).then_some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = *self.take(4)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.align(8)?;
        let bytes = *self.take(8)?.first_chunk()?;
        Some(if self.little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }

    /// A string or the path of an object.
    pub fn string(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.u8()?; // the zero at its end
        Some(text)
    }

    pub(super) fn signature(&mut self) -> Option<&'a str> {
        let length = usize::from(self.u8()?);
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.u8()?;
        Some(text)
    }

    /// An array of structures, each read by `item`.
    pub fn structures<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.u32()? as usize;
        self.align(8)?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let mut all = Vec::new();
        while self.at < end {
            self.align(8)?;
            all.push(item(self)?);
        }
        (self.at == end).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_messages_are_no_answers() {
        let mut call = Vec::new();
        encode(&Call::property("org.example", "/org/x", &["a", "b"]), 7, &mut call);
        let fields = u32::from_le_bytes(call[12..16].try_into().unwrap()) as usize;
        let whole = decode(call.clone(), true, 16 + fields, (16 + fields).next_multiple_of(8)).unwrap();
        assert_eq!((whole.kind, whole.reply.signature.as_str()), (METHOD_CALL, "ss"));
        let mut body = whole.reply.read("ss").unwrap();
        assert_eq!((body.string(), body.string(), body.string()), (Some("a"), Some("b"), None));
        // Lengths that are lies, at each place.
        for at in 0..call.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut broken = call.clone();
                broken[at] = byte;
                if let Some(message) = decode(broken, true, 16 + fields, (16 + fields).next_multiple_of(8)) {
                    if let Ok(mut body) = message.reply.read("ss") {
                        while body.string().is_some() {}
                    }
                    let _ = message.reply.property();
                    assert!(message.reply.read("a(s)").is_err());
                }
            }
        }
    }
}
