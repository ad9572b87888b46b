//! An agent in memory: variables and who may ask for them. It plays devices in the demo and in tests.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::ops::Bound;
use std::time::{Duration, Instant};

use crate::ber::{self, Writer};
use crate::engine::Engine;
use crate::message::{Answer, ErrorStatus, Message, Pdu, PduKind, Unit, Version};
use crate::oid::Oid;
use crate::usm::User;

/// Variables in the order of their names.
pub type Variables = BTreeMap<Oid, Datum>;

/// The value of a variable.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// INTEGER.
    Integer(i64),
    /// Text or octets.
    Octets(Vec<u8>),
    /// An object identifier.
    Oid(Oid),
    /// A counter of 32 bits, which begins again after the largest number.
    Counter32(u32),
    /// A gauge.
    Gauge32(u32),
    /// Hundredths of a second.
    TimeTicks(u32),
    /// A counter of 64 bits.
    Counter64(u64),
}

impl Datum {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Integer(value) => out.integer(*value),
            Self::Octets(octets) => out.octets(octets),
            Self::Oid(arcs) => out.oid(arcs),
            Self::Counter32(value) => out.unsigned(ber::COUNTER32, (*value).into()),
            Self::Gauge32(value) => out.unsigned(ber::GAUGE32, (*value).into()),
            Self::TimeTicks(value) => out.unsigned(ber::TIME_TICKS, (*value).into()),
            Self::Counter64(value) => out.unsigned(ber::COUNTER64, *value),
        }
    }
}

/// The octets of variables in one reply: it fits into an Ethernet frame, as replies of most devices.
const ROOM: usize = 1400;

/// Somebody to ask.
#[derive(Debug, Default)]
pub struct Agent {
    /// The community of versions 1 and 2c; an empty one is nobody's.
    pub community: String,
    /// The users of version 3.
    pub users: Vec<User>,
    /// The engine of version 3.
    pub engine: Engine,
}

impl Agent {
    /// The answer to a message, `now` seconds after the agent started; none if agents are silent about it.
    pub fn answer(&self, octets: &[u8], variables: &Variables, now: i32) -> Option<Vec<u8>> {
        match Message::read(octets).ok()? {
            Message::Community { version, community, mut pdu } => {
                let known = !self.community.is_empty() && community == self.community.as_bytes();
                let pdu = Pdu::read(&mut pdu).ok().filter(|_| known)?;
                let found = found(&pdu, version, variables)?;
                Some(found.answer(&pdu).with_community(version, community))
            }
            Message::V3(message) => {
                let mut plain = Vec::new();
                let users: Vec<&User> = self.users.iter().collect();
                match self.engine.take(octets, &message, &users, now, &mut plain) {
                    Ok(accepted) => {
                        let pdu = accepted.scoped.pdu;
                        let found = found(&pdu, Version::V3, variables)?;
                        Some(self.engine.answer(&found.answer(&pdu), &message, &accepted, now))
                    }
                    Err((_, report)) => report,
                }
            }
        }
    }
}

/// Answers whoever asks at this socket, until it fails; `variables` tells what there is that long after the start.
pub fn serve(
    agent: &Agent,
    socket: &UdpSocket,
    variables: impl Fn(Duration) -> Variables,
) -> std::io::Result<()> {
    let begin = Instant::now();
    let mut octets = vec![0; 65_535];
    loop {
        let (length, from) = socket.recv_from(&mut octets)?;
        let passed = begin.elapsed();
        let now = i32::try_from(passed.as_secs()).unwrap_or(i32::MAX);
        let message = octets.get(..length).unwrap_or_default();
        if let Some(answer) = agent.answer(message, &variables(passed), now) {
            // Who asked may be gone; that is not the agent's end.
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// What a request finds.
struct Found {
    status: ErrorStatus,
    index: usize,
    variables: Vec<u8>,
}

impl Found {
    fn answer<'a>(&'a self, to: &Pdu<'_>) -> Answer<'a> {
        Answer {
            kind: PduKind::Response,
            id: to.id,
            status: self.status,
            index: u32::try_from(self.index).unwrap_or(0),
            variables: &self.variables,
        }
    }

    /// Adds the variable after this name, and says whether there is one.
    fn add_next(&mut self, name: &mut Vec<u32>, variables: &Variables) -> bool {
        let next = variables.range::<[u32], _>((Bound::Excluded(&name[..]), Bound::Unbounded)).next();
        if let Some((next, datum)) = next {
            self.add(next, Ok(datum));
            *name = next.to_vec();
        } else {
            self.add(name, Err(END_OF_MIB_VIEW));
        }
        next.is_some()
    }

    fn add(&mut self, name: &[u32], value: Result<&Datum, u8>) {
        let mut out = Writer::new();
        out.within(ber::SEQUENCE, |out| {
            match value {
                Ok(datum) => datum.write(out),
                Err(exception) => out.value(exception, &[]),
            }
            out.oid(name);
        });
        self.variables.extend(out.finish());
    }
}

const NO_SUCH_INSTANCE: u8 = 0x81;
const END_OF_MIB_VIEW: u8 = 0x82;

fn found(pdu: &Pdu<'_>, version: Version, variables: &Variables) -> Option<Found> {
    let mut names = Vec::new();
    for variable in pdu.variables() {
        let mut name = Vec::new();
        ber::arcs(variable.ok()?.0, &mut name)?;
        names.push(name);
    }
    let mut found = Found { status: ErrorStatus::NO_ERROR, index: 0, variables: Vec::new() };
    match pdu.kind {
        PduKind::Get | PduKind::GetNext => {
            for (at, name) in names.iter_mut().enumerate() {
                let there = if pdu.kind == PduKind::GetNext {
                    found.add_next(name, variables)
                } else {
                    let datum = variables.get(&name[..]);
                    found.add(name, datum.ok_or(NO_SUCH_INSTANCE));
                    datum.is_some()
                };
                // In version 1, one name that is nothing makes all of the reply an error.
                if !there && version == Version::V1 {
                    let variables = pdu.encoded_variables().to_vec();
                    return Some(Found { status: ErrorStatus::NO_SUCH_NAME, index: at + 1, variables });
                }
            }
        }
        PduKind::GetBulk if version != Version::V1 => {
            // What is the error status of others is here how many names are not repeated, and the index is how
            // often the rest is.
            let once = usize::try_from(pdu.status.0).unwrap_or(0).min(names.len());
            let (once, repeated) = names.split_at_mut(once);
            for name in once {
                found.add_next(name, variables);
            }
            for _ in 0..pdu.index {
                let mut goes_on = false;
                for cursor in &mut *repeated {
                    if found.variables.len() >= ROOM {
                        return Some(found);
                    }
                    goes_on |= found.add_next(cursor, variables);
                }
                if !goes_on {
                    break;
                }
            }
        }
        _ => return None,
    }
    Some(found)
}
