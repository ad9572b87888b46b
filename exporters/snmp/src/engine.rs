//! This program as an engine of version 3 itself: whose clock and keys others use when they ask it something or
//! want an answer (RFC 3414, section 3.2). An agent is one, and so is whoever takes informs.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ber::{self, Writer};
use crate::message::{Answer, ErrorStatus, PduKind, Scoped, V3};
use crate::usm::{self, Keys, Parameters, Refused, User};

/// How far the clock in a message may be off, in seconds.
pub const TIME_WINDOW: i32 = 150;

/// Security levels are these flags.
const LEVEL: u8 = V3::AUTH | V3::PRIV;

/// Why a version 3 message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It is not what a message should be.
    Malformed,
    /// The user does not speak at this level.
    SecurityLevel,
    /// It is too old, or a copy of an old one.
    NotInTime,
    /// Nobody has this name.
    UnknownUser,
    /// It is for another engine.
    UnknownEngine,
    /// The digest is not the user's.
    WrongDigest,
    /// It cannot be decrypted.
    Undecipherable,
}

impl Refusal {
    /// The last arc but one of the counter that a report names (RFC 3414, section 5: `usmStats`).
    const fn counter(self) -> Option<u32> {
        Some(match self {
            Self::Malformed => return None,
            Self::SecurityLevel => 1,
            Self::NotInTime => 2,
            Self::UnknownUser => 3,
            Self::UnknownEngine => 4,
            Self::WrongDigest => 5,
            Self::Undecipherable => 6,
        })
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed(_) => Self::Malformed,
            Refused::NoKey => Self::SecurityLevel,
            Refused::WrongDigest => Self::WrongDigest,
            Refused::WrongCipherKey => Self::Undecipherable,
        }
    }
}

/// A message that a user has sent, and the keys to answer it with.
#[derive(Debug)]
pub struct Accepted<'m> {
    /// What is in it.
    pub scoped: Scoped<'m>,
    /// The user's keys for the engine that the message names.
    pub keys: Keys,
}

/// Opens a message of one of these users, whatever engine it names.
pub fn open<'m>(
    octets: &[u8],
    message: &V3<'m>,
    from: &Parameters<'_>,
    users: &[&User],
    plain: &'m mut Vec<u8>,
) -> Result<Accepted<'m>, Refusal> {
    let mut refusal = Refusal::UnknownUser;
    for user in users.iter().filter(|user| user.name() == from.user) {
        if user.flags() != message.flags & LEVEL {
            refusal = Refusal::SecurityLevel;
            continue;
        }
        match user.keys_of(octets, message, from) {
            Ok(keys) => {
                let scoped = usm::open(octets, message, from, &keys, plain)?;
                return Ok(Accepted { scoped, keys });
            }
            Err(refused) => refusal = refused.into(),
        }
    }
    Err(refusal)
}

/// An engine of our own.
#[derive(Debug)]
pub struct Engine {
    id: Vec<u8>,
    boots: i32,
    salt: AtomicU64,
}

impl Default for Engine {
    /// An engine that was never there before. Its name is new, so how often it started need not be remembered:
    /// whoever knows an earlier one learns this one by asking, as for any engine.
    fn default() -> Self {
        let random = || RandomState::new().hash_one(0_u8);
        // RFC 3411, section 5: an enterprise number, here that of examples (32473, RFC 5612), and octets of one's own.
        let mut id = vec![0x80, 0, 0x7e, 0xd9, 5];
        id.extend(random().to_be_bytes());
        Self { id, boots: 1, salt: AtomicU64::new(random()) }
    }
}

impl Engine {
    /// Its name.
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// Takes a message that was made for this engine, `now` seconds after it started; or says why not, with a report
    /// to send back if the sender wants one.
    pub fn take<'m>(
        &self,
        octets: &[u8],
        message: &V3<'m>,
        users: &[&User],
        now: i32,
        plain: &'m mut Vec<u8>,
    ) -> Result<Accepted<'m>, (Refusal, Option<Vec<u8>>)> {
        let Ok(from) = Parameters::read(message.security) else { return Err((Refusal::Malformed, None)) };
        let report =
            |refusal, keys: &Keys, id| (refusal, self.report(refusal, message, &from, keys, now, id));
        if message.model != 3 {
            return Err((Refusal::Malformed, None));
        }
        if from.engine != self.id {
            // Nothing in it is secret when somebody asks for the engine's name, and the request is known.
            let id = Scoped::read(&mut { message.data }).map_or(0, |scoped| scoped.pdu.id);
            return Err(report(Refusal::UnknownEngine, &Keys::default(), id));
        }
        let accepted = open(octets, message, &from, users, plain)
            .map_err(|refusal| report(refusal, &Keys::default(), 0))?;
        let in_time = from.boots == self.boots && from.time.abs_diff(now) <= TIME_WINDOW.unsigned_abs();
        if message.flags & V3::AUTH != 0 && !in_time {
            let id = accepted.scoped.pdu.id;
            return Err(report(Refusal::NotInTime, &accepted.keys, id));
        }
        Ok(accepted)
    }

    /// The whole message that answers an accepted one.
    pub fn answer(&self, answer: &Answer<'_>, to: &V3<'_>, accepted: &Accepted<'_>, now: i32) -> Vec<u8> {
        let user = Parameters::read(to.security).map_or(&b""[..], |from| from.user);
        let parameters = Parameters::new(&self.id, self.boots, now, user);
        let Accepted { scoped, keys } = accepted;
        let salt = self.salt.fetch_add(1, Ordering::Relaxed);
        usm::seal(answer, to.id, scoped.context, Some(scoped.engine), &parameters, keys, salt)
    }

    /// What tells a sender why its message was not taken, if it wants to know.
    fn report(
        &self,
        refusal: Refusal,
        message: &V3<'_>,
        from: &Parameters<'_>,
        keys: &Keys,
        now: i32,
        id: i32,
    ) -> Option<Vec<u8>> {
        if message.flags & V3::REPORTABLE == 0 {
            return None;
        }
        let counter = refusal.counter()?;
        let mut variables = Writer::new();
        variables.within(ber::SEQUENCE, |out| {
            out.value(ber::COUNTER32, &[1]);
            out.oid(&[1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0]);
        });
        let variables = variables.finish();
        let report = Answer {
            kind: PduKind::Report,
            id,
            status: ErrorStatus::NO_ERROR,
            index: 0,
            variables: &variables,
        };
        let parameters = Parameters::new(&self.id, self.boots, now, from.user);
        Some(usm::seal(&report, message.id, b"", None, &parameters, &keys.without_privacy(), 0))
    }
}
