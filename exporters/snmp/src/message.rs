//! SNMP messages: what is asked and what is answered, in versions 1 and 2c whole and in version 3 without its
//! security ([`usm`](crate::usm) has that).
//!
//! See RFC 1157 section 4, RFC 3416 section 3 and RFC 3412 section 6.

use std::fmt;

use crate::ber::{self, Malformed, Reader, Writer};

/// The SNMP version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// Version 1, RFC 1157.
    V1,
    /// Version 2c, RFC 1901.
    V2c,
    /// Version 3, RFC 3412.
    V3,
}

impl Version {
    /// The number that stands in the message.
    pub const fn number(self) -> i64 {
        match self {
            Self::V1 => 0,
            Self::V2c => 1,
            Self::V3 => 3,
        }
    }
}

/// What kind of protocol data unit it is, by its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PduKind {
    /// Asks for these variables.
    Get = 0xa0,
    /// Asks for the variables after these.
    GetNext = 0xa1,
    /// Answers any request.
    Response = 0xa2,
    /// A version 1 notification; of another shape than the rest.
    TrapV1 = 0xa4,
    /// Asks for several variables after each of these.
    GetBulk = 0xa5,
    /// A notification that wants an answer.
    Inform = 0xa6,
    /// A notification.
    Trap = 0xa7,
    /// What an engine says of a message that it could not take.
    Report = 0xa8,
}

impl PduKind {
    /// Whether who sends it waits for an answer (RFC 3411, section 2.8: the confirmed class).
    pub const fn wants_answer(self) -> bool {
        matches!(self, Self::Get | Self::GetNext | Self::GetBulk | Self::Inform)
    }

    fn from_tag(tag: u8) -> Option<Self> {
        use PduKind::{Get, GetBulk, GetNext, Inform, Report, Response, Trap, TrapV1};
        [Get, GetNext, Response, TrapV1, GetBulk, Inform, Trap, Report]
            .into_iter()
            .find(|kind| *kind as u8 == tag)
    }
}

/// A data unit about to be sent: a request, or what answers one.
pub trait Unit {
    /// What kind it is.
    fn kind(&self) -> PduKind;

    /// Writes it.
    fn write(&self, out: &mut Writer);

    /// The whole message with a community, for versions 1 and 2c.
    fn with_community(&self, version: Version, community: &[u8]) -> Vec<u8> {
        let mut out = Writer::new();
        out.within(ber::SEQUENCE, |out| {
            self.write(out);
            out.octets(community);
            out.integer(version.number());
        });
        out.finish()
    }
}

/// A request about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// GET, GETNEXT or GETBULK.
    pub kind: PduKind,
    /// What tells its response from others.
    pub id: i32,
    /// How often each name is repeated in the response; only of a GETBULK.
    pub repetitions: u32,
    /// The names asked for.
    pub names: &'a [&'a [u32]],
}

impl Unit for Request<'_> {
    fn kind(&self) -> PduKind {
        self.kind
    }

    fn write(&self, out: &mut Writer) {
        out.within(self.kind as u8, |out| {
            out.within(ber::SEQUENCE, |out| {
                for name in self.names.iter().rev() {
                    out.within(ber::SEQUENCE, |out| {
                        out.value(ber::NULL, &[]);
                        out.oid(name);
                    });
                }
            });
            let repetitions = if self.kind == PduKind::GetBulk { self.repetitions } else { 0 };
            out.integer(i64::from(repetitions.min(i32::MAX as u32)));
            out.integer(0); // the error status, of a GETBULK the number of names that are not repeated
            out.integer(i64::from(self.id));
        });
    }
}

/// What answers a request or a notification, about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// RESPONSE or REPORT.
    pub kind: PduKind,
    /// The id of the request.
    pub id: i32,
    /// Whether and how the request failed.
    pub status: ErrorStatus,
    /// Which variable is to blame, counted from 1.
    pub index: u32,
    /// The variables as they are encoded.
    pub variables: &'a [u8],
}

impl Unit for Answer<'_> {
    fn kind(&self) -> PduKind {
        self.kind
    }

    fn write(&self, out: &mut Writer) {
        out.within(self.kind as u8, |out| {
            out.value(ber::SEQUENCE, self.variables);
            out.integer(i64::from(self.index));
            out.integer(i64::from(self.status.0));
            out.integer(i64::from(self.id));
        });
    }
}

/// A data unit that has been received. Its variables are read when they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Pdu<'a> {
    /// What kind it is.
    pub kind: PduKind,
    /// The id of the request it answers.
    pub id: i32,
    /// Whether and how the request failed.
    pub status: ErrorStatus,
    /// Which variable is to blame, counted from 1.
    pub index: u32,
    variables: Reader<'a>,
}

impl<'a> Pdu<'a> {
    /// Reads a data unit of any kind but a version 1 trap.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let wrong = reader.expected("protocol data unit");
        let (tag, mut content) = reader.any()?;
        let kind = PduKind::from_tag(tag).filter(|kind| *kind != PduKind::TrapV1).ok_or(wrong)?;
        let id = content.integer32("request id")?;
        let status = ErrorStatus(content.integer32("error status")?);
        let index = u32::try_from(content.integer32("error index")?).unwrap_or(0);
        let variables = content.value(ber::SEQUENCE, "list of variables")?;
        Ok(Self { kind, id, status, index, variables })
    }

    /// The variables in order. One whose value cannot be understood comes as [`Value::Malformed`]; octets
    /// between which no variables can be told end the list with an error.
    pub fn variables(&self) -> Variables<'a> {
        Variables { rest: self.variables }
    }

    /// The variables as they are encoded, to be sent back as they came.
    pub const fn encoded_variables(&self) -> &'a [u8] {
        self.variables.rest()
    }
}

/// A version 1 notification, received (RFC 1157, section 4.1.6).
#[derive(Clone, Copy, Debug)]
pub struct TrapV1<'a> {
    /// The content of an object identifier, see [`ber::arcs`]: whose notification it is.
    pub enterprise: &'a [u8],
    /// Which of the usual ones it is; 6 for one of the enterprise's own.
    pub generic: i32,
    /// Which of the enterprise's own it is.
    pub specific: i32,
}

impl<'a> TrapV1<'a> {
    /// Reads a version 1 notification.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut content = reader.value(PduKind::TrapV1 as u8, "version 1 trap")?;
        let enterprise = content.value(ber::OBJECT_IDENTIFIER, "enterprise")?.rest();
        content.any()?; // the address that the agent thinks it has
        let generic = content.integer32("generic trap")?;
        let specific = content.integer32("specific trap")?;
        content.any()?; // when
        content.value(ber::SEQUENCE, "list of variables")?;
        Ok(Self { enterprise, generic, specific })
    }
}

/// Iterator over the variables of a data unit.
#[derive(Clone, Debug)]
pub struct Variables<'a> {
    rest: Reader<'a>,
}

/// A variable: the content of its name, see [`ber::arcs`], and its value.
pub type Variable<'a> = (&'a [u8], Value<'a>);

impl<'a> Iterator for Variables<'a> {
    type Item = Result<Variable<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let variable = self.read();
        if variable.is_err() {
            self.rest = Reader::new(&[]);
        }
        Some(variable)
    }
}

impl<'a> Variables<'a> {
    #[inline]
    fn read(&mut self) -> Result<Variable<'a>, Malformed> {
        let mut content = self.rest.value(ber::SEQUENCE, "variable")?;
        let name = content.value(ber::OBJECT_IDENTIFIER, "variable's name")?;
        let (tag, value) = content.any()?;
        Ok((name.rest(), Value::read(tag, value.rest())))
    }
}

/// The value of a variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// INTEGER.
    Integer(i64),
    /// Text or octets; also BITS and the address of an NSAP.
    Octets(&'a [u8]),
    /// The content of an object identifier, see [`ber::arcs`].
    Oid(&'a [u8]),
    /// An IPv4 address.
    IpAddress([u8; 4]),
    /// `Counter32`, `Gauge32`, `TimeTicks` or `Unsigned32`.
    Unsigned(u64),
    /// Counter64.
    Counter64(u64),
    /// A float within an Opaque.
    Float(f32),
    /// A double within an Opaque.
    Double(f64),
    /// No value.
    Null,
    /// There is no such kind of object.
    NoSuchObject,
    /// There is no such row.
    NoSuchInstance,
    /// There is nothing after the name.
    EndOfMibView,
    /// Octets that are no value of their tag, or a tag that SNMP does not have.
    Malformed(u8),
}

impl<'a> Value<'a> {
    /// The value with this tag and content.
    #[inline]
    pub fn read(tag: u8, content: &'a [u8]) -> Self {
        let value = match tag {
            ber::INTEGER => ber::integer(content).map(Self::Integer),
            ber::OCTET_STRING | ber::BIT_STRING | 0x45 => Some(Self::Octets(content)),
            ber::NULL => Some(Self::Null),
            ber::OBJECT_IDENTIFIER => Some(Self::Oid(content)),
            0x40 => match content.first_chunk() {
                Some(address) if content.len() == 4 => Some(Self::IpAddress(*address)),
                None if content.is_empty() => Some(Self::Null), // some agents have no address to tell
                _ => None,
            },
            0x41..=0x43 | 0x47 => ber::unsigned(content).map(Self::Unsigned),
            0x44 => Some(opaque(content)),
            0x46 => ber::unsigned(content).map(Self::Counter64),
            0x80 => Some(Self::NoSuchObject),
            0x81 => Some(Self::NoSuchInstance),
            0x82 => Some(Self::EndOfMibView),
            _ => None,
        };
        value.unwrap_or(Self::Malformed(tag))
    }

    /// Whether it says that there is no variable.
    pub const fn is_exception(&self) -> bool {
        matches!(self, Self::NoSuchObject | Self::NoSuchInstance | Self::EndOfMibView)
    }
}

/// `9f 78 04 ....` is a float and `9f 79 08 ........` a double; anything else stays octets.
fn opaque(content: &[u8]) -> Value<'_> {
    match content {
        [0x9f, 0x78, 4, float @ ..] => match float.first_chunk() {
            Some(float) => return Value::Float(f32::from_be_bytes(*float)),
            None => return Value::Malformed(0x44),
        },
        [0x9f, 0x79, 8, double @ ..] => match double.first_chunk() {
            Some(double) => return Value::Double(f64::from_be_bytes(*double)),
            None => return Value::Malformed(0x44),
        },
        _ => {}
    }
    Value::Octets(content)
}

/// The error status of a response (RFC 3416, section 3). Numbers unknown here are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorStatus(pub i32);

impl ErrorStatus {
    /// All is well.
    pub const NO_ERROR: Self = Self(0);
    /// The response would have been too large.
    pub const TOO_BIG: Self = Self(1);
    /// There is no such variable; in version 1 also the end of all variables.
    pub const NO_SUCH_NAME: Self = Self(2);
    /// The agent failed.
    pub const GEN_ERR: Self = Self(5);
}

impl fmt::Display for ErrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 19] = [
            "noError",
            "tooBig",
            "noSuchName",
            "badValue",
            "readOnly",
            "genErr",
            "noAccess",
            "wrongType",
            "wrongLength",
            "wrongEncoding",
            "wrongValue",
            "noCreation",
            "inconsistentValue",
            "resourceUnavailable",
            "commitFailed",
            "undoFailed",
            "authorizationError",
            "notWritable",
            "inconsistentName",
        ];
        match usize::try_from(self.0).ok().and_then(|at| NAMES.get(at)) {
            Some(name) => f.write_str(name),
            None => write!(f, "error status {}", self.0),
        }
    }
}

/// A message as it came, its security not looked at yet.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// A message with a community.
    Community {
        /// 1 or 2c.
        version: Version,
        /// The community.
        community: &'a [u8],
        /// A reader of the data unit.
        pdu: Reader<'a>,
    },
    /// A version 3 message.
    V3(V3<'a>),
}

/// A version 3 message (RFC 3412, section 6).
#[derive(Clone, Copy, Debug)]
pub struct V3<'a> {
    /// What tells its answer from others.
    pub id: i32,
    /// Whether it is authenticated, encrypted, and wants a report: [`V3::AUTH`], [`V3::PRIV`], [`V3::REPORTABLE`].
    pub flags: u8,
    /// The security model; 3 is the user-based one.
    pub model: i32,
    /// The parameters of the security model.
    pub security: Reader<'a>,
    /// The scoped data unit, in plain or encrypted.
    pub data: Reader<'a>,
}

impl V3<'_> {
    /// The flag of an authenticated message.
    pub const AUTH: u8 = 1;
    /// The flag of an encrypted message.
    pub const PRIV: u8 = 2;
    /// The flag of a message that wants a report if it cannot be taken.
    pub const REPORTABLE: u8 = 4;
}

impl<'a> Message<'a> {
    /// Reads the outside of a message. Octets after it are ignored, as some agents pad.
    pub fn read(octets: &'a [u8]) -> Result<Self, Malformed> {
        let mut content = Reader::new(octets).value(ber::SEQUENCE, "message")?;
        let wrong = content.expected("version 1, 2c or 3");
        match content.integer("version")? {
            0 => Self::community(Version::V1, content),
            1 => Self::community(Version::V2c, content),
            3 => {
                let mut header = content.value(ber::SEQUENCE, "header")?;
                let id = header.integer32("message id")?;
                header.integer32("largest message size")?;
                let flags = header.octets("flags")?.first().copied().unwrap_or(0);
                let model = header.integer32("security model")?;
                let security = content.value(ber::OCTET_STRING, "security parameters")?;
                Ok(Self::V3(V3 { id, flags, model, security, data: content }))
            }
            _ => Err(wrong),
        }
    }

    fn community(version: Version, mut content: Reader<'a>) -> Result<Self, Malformed> {
        let community = content.octets("community")?;
        Ok(Self::Community { version, community, pdu: content })
    }
}

/// The inside of a version 3 message: whose variables, and the data unit.
#[derive(Clone, Copy, Debug)]
pub struct Scoped<'a> {
    /// The engine that has the variables.
    pub engine: &'a [u8],
    /// The context within that engine.
    pub context: &'a [u8],
    /// The data unit.
    pub pdu: Pdu<'a>,
}

impl<'a> Scoped<'a> {
    /// Reads a scoped data unit; octets after it, a cipher's padding, are ignored.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut content = reader.value(ber::SEQUENCE, "scoped data unit")?;
        let engine = content.octets("context engine id")?;
        let context = content.octets("context name")?;
        Ok(Self { engine, context, pdu: Pdu::read(&mut content)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A GETBULK of ifInOctets.3 as net-snmp's snmpbulkget -v2c -c public -Cr10 sends it.
    const BULK: [u8; 43] = [
        0x30, 0x29, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa5, 0x1c, 2, 4, 0x12, 0x34, 0x56,
        0x78, 2, 1, 0, 2, 1, 10, 0x30, 0x0e, 0x30, 0x0c, 6, 8, 0x2b, 6, 1, 2, 1, 2, 2, 1, 5, 0,
    ];

    #[test]
    fn a_request_is_written_as_others_write_it() {
        let names: [&[u32]; 1] = [&[1, 3, 6, 1, 2, 1, 2, 2, 1]];
        let request = Request { kind: PduKind::GetBulk, id: 0x1234_5678, repetitions: 10, names: &names };
        assert_eq!(request.with_community(Version::V2c, b"public"), BULK);
    }

    #[test]
    fn a_message_is_read_with_its_variables() {
        let Ok(Message::Community { version, community, mut pdu }) = Message::read(&BULK) else {
            panic!("no message")
        };
        assert_eq!((version, community), (Version::V2c, &b"public"[..]));
        let pdu = Pdu::read(&mut pdu).unwrap();
        assert_eq!((pdu.kind, pdu.id, pdu.index), (PduKind::GetBulk, 0x1234_5678, 10));
        let variables: Vec<_> = pdu.variables().map(Result::unwrap).collect();
        assert_eq!(variables, [(&[0x2b, 6, 1, 2, 1, 2, 2, 1][..], Value::Null)]);
    }

    #[test]
    fn what_is_cut_short_is_an_error_with_its_place() {
        for end in 0..BULK.len() {
            assert!(Message::read(BULK.get(..end).unwrap()).is_err(), "{end}");
        }
        let mut wrong = BULK;
        wrong[4] = 2;
        assert_eq!(Message::read(&wrong).unwrap_err().to_string(), "no version 1, 2c or 3 at octet 2");
        let mut inner = BULK;
        inner[28] = 0x0d; // the list of variables ends within a variable
        inner[30] = 0x0b;
        let Ok(Message::Community { mut pdu, .. }) = Message::read(&inner) else { panic!("no message") };
        let pdu = Pdu::read(&mut pdu).unwrap();
        assert!(pdu.variables().any(|variable| variable.is_err()));
        assert_eq!(pdu.variables().count(), 1, "an error is the last item");
    }

    #[test]
    fn values_of_every_kind() {
        for (tag, content, value) in [
            (2, &[0xff][..], Value::Integer(-1)),
            (2, &[], Value::Malformed(2)),
            (4, b"abc", Value::Octets(b"abc")),
            (3, &[0, 1], Value::Octets(&[0, 1])),
            (5, &[], Value::Null),
            (6, &[0x2b], Value::Oid(&[0x2b])),
            (0x40, &[192, 0, 2, 1], Value::IpAddress([192, 0, 2, 1])),
            (0x40, &[], Value::Null),
            (0x40, &[1, 2, 3], Value::Malformed(0x40)),
            (0x41, &[0, 255, 255, 255, 255], Value::Unsigned(u64::from(u32::MAX))),
            (0x43, &[1], Value::Unsigned(1)),
            (0x46, &[255; 8], Value::Counter64(u64::MAX)),
            (0x44, &[0x9f, 0x78, 4, 0x3f, 0xc0, 0, 0], Value::Float(1.5)),
            (0x44, &[0x9f, 0x79, 8, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Value::Double(1.5)),
            (0x44, &[0x9f, 0x78, 4, 0x3f], Value::Malformed(0x44)),
            (0x44, &[1, 2], Value::Octets(&[1, 2])),
            (0x80, &[], Value::NoSuchObject),
            (0x81, &[], Value::NoSuchInstance),
            (0x82, &[], Value::EndOfMibView),
            (0x49, &[1], Value::Malformed(0x49)),
        ] {
            assert_eq!(Value::read(tag, content), value, "tag {tag:#x}");
        }
    }

    #[test]
    fn statuses_have_names() {
        assert_eq!(ErrorStatus::TOO_BIG.to_string(), "tooBig");
        assert_eq!(ErrorStatus(16).to_string(), "authorizationError");
        assert_eq!(ErrorStatus(99).to_string(), "error status 99");
        assert_eq!(ErrorStatus(-1).to_string(), "error status -1");
    }
}
