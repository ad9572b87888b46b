//! Notifications that devices send by themselves: what they are, whether they are from who they say, and how many
//! there were, as metrics.
//!
//! [`Receiver::take`] is octets in, an answer out; [`listen`] is the one place with a socket. Whoever can send packets
//! can pretend to be any address in versions 1 and 2c, so what is kept is bounded: after some thousand different
//! notifications, further ones are counted together.

mod count;
mod listen;
mod notification;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::access::AllowList;
use crate::ber::Reader;
use crate::config::{Auth, Config};
use crate::engine::{self, Engine, Refusal, TIME_WINDOW};
use crate::message::{Answer, ErrorStatus, Message, Pdu, PduKind, TrapV1, Unit, V3, Version};
use crate::oid::Oid;
use crate::usm::{Parameters, User};
use count::Counts;

pub use listen::listen;

/// How many senders of version 3 have their clocks remembered.
const MAX_SENDERS: usize = 10_000;

/// Why a packet was not counted as a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// It is from an address that may not be asked either.
    Source,
    /// It is no message, or its notification has no name.
    Malformed,
    /// No auth has the community.
    Community,
    /// It is a request, or an answer.
    NoNotification,
    /// What version 3 says against it.
    Refused(Refusal),
}

impl Dropped {
    const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Malformed | Self::Refused(Refusal::Malformed) => "malformed",
            Self::Community => "community",
            Self::NoNotification => "no_notification",
            Self::Refused(Refusal::SecurityLevel) => "security_level",
            Self::Refused(Refusal::NotInTime) => "not_in_time",
            Self::Refused(Refusal::UnknownUser) => "unknown_user",
            Self::Refused(Refusal::UnknownEngine) => "unknown_engine",
            Self::Refused(Refusal::WrongDigest) => "wrong_digest",
            Self::Refused(Refusal::Undecipherable) => "undecipherable",
        }
    }
}

/// Takes notifications and counts them.
#[derive(Debug)]
pub struct Receiver {
    engine: Engine,
    allowed: AllowList,
    counts: Mutex<Counts>,
    /// By the name of an engine, how its clock stood at last.
    clocks: Mutex<HashMap<Vec<u8>, Clock>>,
}

/// A sender's clock: how often it started, the seconds since, and when that was, counted from our own start.
#[derive(Clone, Copy, Debug)]
struct Clock {
    boots: i32,
    time: i32,
    at: Duration,
}

impl Receiver {
    /// One that counts up to `series` different notifications each by itself, from senders in this list.
    pub fn new(series: usize, allowed: AllowList) -> Self {
        Self {
            engine: Engine::default(),
            allowed,
            counts: Mutex::new(Counts::new(series)),
            clocks: Mutex::default(),
        }
    }

    /// Takes a packet, `now` after the receiver started, and tells what to send back, if anything.
    ///
    /// Who may notify is who could be asked: communities and users are those of the configuration.
    pub fn take(&self, octets: &[u8], source: IpAddr, config: &Config, now: Duration) -> Option<Vec<u8>> {
        let source = source.to_canonical();
        let (taken, answer) = if self.allowed.allows("", source) {
            self.read(octets, config, now)
        } else {
            (Err(Dropped::Source), None)
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match taken {
            Ok(notification) => counts.count(notification, source, SystemTime::now()),
            // An engine's name is asked for before every inform: that is no fault.
            Err(Dropped::Refused(Refusal::UnknownEngine)) if answer.is_some() => {}
            Err(why) => counts.dropped(why.word()),
        }
        answer
    }

    fn read(&self, octets: &[u8], config: &Config, now: Duration) -> (Result<Oid, Dropped>, Option<Vec<u8>>) {
        match Message::read(octets) {
            Ok(Message::Community { version, community, pdu }) => {
                let read = with_community(config, version, community, pdu);
                read.map_or_else(|why| (Err(why), None), |(oid, answer)| (Ok(oid), answer))
            }
            Ok(Message::V3(message)) => self.with_user(octets, &message, config, now),
            Err(_) => (Err(Dropped::Malformed), None),
        }
    }

    fn with_user(
        &self,
        octets: &[u8],
        message: &V3<'_>,
        config: &Config,
        now: Duration,
    ) -> (Result<Oid, Dropped>, Option<Vec<u8>>) {
        let Ok(from) = Parameters::read(message.security) else { return (Err(Dropped::Malformed), None) };
        let auths = config.auths.values().filter(|auth| auth.version() == Version::V3);
        let users: Vec<&User> =
            auths.filter(|auth| auth.username.as_bytes() == from.user).map(Auth::user).collect();
        let mut plain = Vec::new();
        let seconds = i32::try_from(now.as_secs()).unwrap_or(i32::MAX);
        // What wants an answer is made for our clock and keys, everything else for the sender's own.
        if message.flags & V3::REPORTABLE != 0 || from.engine == self.engine.id() {
            return match self.engine.take(octets, message, &users, seconds, &mut plain) {
                Ok(accepted) => {
                    let pdu = accepted.scoped.pdu;
                    let answer = answer(&pdu).map(|to| self.engine.answer(&to, message, &accepted, seconds));
                    let oid = notification::of(&pdu);
                    let answer = answer.filter(|_| oid.is_ok());
                    (oid, answer)
                }
                Err((why, report)) => (Err(Dropped::Refused(why)), report),
            };
        }
        let opened = engine::open(octets, message, &from, &users, &mut plain);
        let read = opened.map_err(Dropped::Refused).and_then(|accepted| {
            if message.flags & V3::AUTH != 0 && !self.is_in_time(&from, now) {
                return Err(Dropped::Refused(Refusal::NotInTime));
            }
            notification::of(&accepted.scoped.pdu)
        });
        (read, None)
    }

    /// Whether an authentic message is as new as those before (RFC 3414, section 3.2, 7b).
    fn is_in_time(&self, from: &Parameters<'_>, now: Duration) -> bool {
        let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Clock { boots, time, at }) = clocks.get(from.engine).copied() {
            let passed = i32::try_from(now.saturating_sub(at).as_secs()).unwrap_or(i32::MAX);
            let time = time.saturating_add(passed);
            if from.boots < boots || (from.boots == boots && from.time < time.saturating_sub(TIME_WINDOW)) {
                return false;
            }
            if from.boots == boots && from.time <= time {
                return true;
            }
        } else if clocks.len() >= MAX_SENDERS {
            return true;
        }
        clocks.insert(from.engine.to_vec(), Clock { boots: from.boots, time: from.time, at: now });
        true
    }
}

/// A message of version 1 or 2c, and the answer to it.
fn with_community(
    config: &Config,
    version: Version,
    community: &[u8],
    mut pdu: Reader<'_>,
) -> Result<(Oid, Option<Vec<u8>>), Dropped> {
    let mut auths = config.auths.values().filter(|auth| auth.version() != Version::V3);
    if !auths.any(|auth| auth.community.expose().as_bytes() == community) {
        return Err(Dropped::Community);
    }
    if version == Version::V1 {
        let trap = TrapV1::read(&mut pdu).map_err(|_| Dropped::Malformed)?;
        return Ok((notification::of_version_1(&trap)?, None));
    }
    let pdu = Pdu::read(&mut pdu).map_err(|_| Dropped::Malformed)?;
    let oid = notification::of(&pdu)?;
    Ok((oid, answer(&pdu).map(|answer| answer.with_community(version, community))))
}

/// What an inform is answered with: itself.
fn answer<'a>(pdu: &Pdu<'a>) -> Option<Answer<'a>> {
    (pdu.kind == PduKind::Inform).then(|| Answer {
        kind: PduKind::Response,
        id: pdu.id,
        status: ErrorStatus::NO_ERROR,
        index: 0,
        variables: pdu.encoded_variables(),
    })
}

#[cfg(test)]
mod tests;
