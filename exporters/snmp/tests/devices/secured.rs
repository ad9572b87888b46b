//! Devices of version 3 that forge, lie about who they are and what time it is, or never come to the point.

use std::sync::LazyLock;

use openmetrics_snmp_bridge::ber::{self, COUNTER32, Reader, Writer};
use openmetrics_snmp_bridge::message::{Answer, ErrorStatus, Message, PduKind, V3};
use openmetrics_snmp_bridge::secret::Secret;
use openmetrics_snmp_bridge::usm::{self, AuthProtocol, Keys, Parameters, PrivProtocol, User};

use super::agent::{Agent, Asked, Table};
use super::cases::{Case, Outcome, judge};

const ENGINE: &[u8] = b"an engine";
const OTHER: &[u8] = b"another engine";
/// How often the device started, and how long ago.
const CLOCK: (i32, i32) = (7, 1_000);

fn user(password: &str, priv_password: Option<&str>) -> User {
    let privacy = priv_password.map(Secret::new);
    let privacy = privacy.as_ref().map(|secret| (PrivProtocol::Aes128, secret));
    User::new("u", Some((AuthProtocol::Sha1, &Secret::new(password))), privacy)
}

/// The users of the auths "signed" and "hidden", and some with other passwords. Hashing passwords takes long.
static SIGNED: LazyLock<User> = LazyLock::new(|| user("hunter2hunter2", None));
static HIDDEN: LazyLock<User> = LazyLock::new(|| user("hunter2hunter2", Some("hunter2-hunter2")));
static STRANGER: LazyLock<User> = LazyLock::new(|| user("another password", None));
static OTHER_CIPHER: LazyLock<User> = LazyLock::new(|| user("hunter2hunter2", Some("another password")));

/// What a device makes an answer of.
#[derive(Clone)]
struct Sealed {
    kind: PduKind,
    message_id: i32,
    id: i32,
    engine: Vec<u8>,
    clock: (i32, i32),
    name: Vec<u8>,
    keys: Keys,
    variables: Vec<u8>,
}

impl Sealed {
    fn seal(&self) -> Vec<u8> {
        let Self { kind, id, variables, .. } = self;
        let answer = Answer { kind: *kind, id: *id, status: ErrorStatus::NO_ERROR, index: 0, variables };
        let from = Parameters::new(&self.engine, self.clock.0, self.clock.1, &self.name);
        usm::seal(&answer, self.message_id, b"", None, &from, &self.keys, 99)
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut changed = self.clone();
        change(&mut changed);
        changed.seal()
    }

    /// A report of this counter below `usmStats`.
    fn report(&self, counter: u32, change: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut variables = Writer::new();
        variables.within(ber::SEQUENCE, |out| {
            out.value(COUNTER32, &[1]);
            out.oid(&[1, 3, 6, 1, 6, 3, 15, 1, 1, counter, 0]);
        });
        self.with(|report| {
            report.kind = PduKind::Report;
            report.variables = variables.finish();
            report.keys = Keys::default();
            change(report);
        })
    }
}

/// One request and the answer that a sound device would give.
struct Turn {
    /// How many requests there were before, apart from questions for the engine.
    count: usize,
    asks_engine: bool,
    answer: Sealed,
}

impl Turn {
    fn sound(&self) -> Vec<u8> {
        if self.asks_engine { self.answer.report(4, |_| {}) } else { self.answer.seal() }
    }
}

/// Whose requests a device takes: its engine and its clock. Both may change.
struct Identity {
    engine: &'static [u8],
    clock: (i32, i32),
}

/// A device with 30 rows that takes this user; `answer` makes messages of the sound answer.
fn device(
    user: &'static LazyLock<User>,
    mut answer: impl FnMut(&mut Identity, &Turn) -> Vec<Vec<u8>> + Send + 'static,
) -> Agent {
    let table = Table::new(2, 30);
    let mut me = Identity { engine: ENGINE, clock: CLOCK };
    let mut count = 0;
    Agent::new(move |octets| {
        let Ok(Message::V3(message)) = Message::read(octets) else { panic!("a request of version 3") };
        let from = Parameters::read(message.security).unwrap();
        let keys = user.keys(from.engine);
        let mut plain = Vec::new();
        let asks_engine = from.engine != me.engine;
        let is_sealed = message.flags & V3::AUTH != 0;
        let opened = usm::open(octets, &message, &from, if is_sealed { &keys } else { &NO_KEYS }, &mut plain);
        let pdu = opened.unwrap().pdu;
        let asked = asked(&pdu);
        let mut variables = Writer::new();
        for (name, (tag, content)) in table.variables(&asked, 12).iter().rev() {
            variables.within(ber::SEQUENCE, |out| {
                out.value(*tag, content);
                out.oid(name);
            });
        }
        let sealed = Sealed {
            kind: PduKind::Response,
            message_id: message.id,
            id: pdu.id,
            engine: me.engine.to_vec(),
            clock: me.clock,
            name: user.name().to_vec(),
            keys: user.keys(me.engine),
            variables: variables.finish(),
        };
        let is_in_time = (from.boots, from.time / 100) == (me.clock.0, me.clock.1 / 100);
        if !asks_engine && !is_in_time {
            return vec![sealed.report(2, |report| report.keys = keys.without_privacy())];
        }
        let turn = Turn { count, asks_engine, answer: sealed };
        count += usize::from(!asks_engine);
        answer(&mut me, &turn)
    })
}

static NO_KEYS: LazyLock<Keys> = LazyLock::new(Keys::default);

fn asked(pdu: &openmetrics_snmp_bridge::message::Pdu<'_>) -> Asked {
    let arcs = |name: &[u8]| {
        let mut arcs = Vec::new();
        ber::arcs(name, &mut arcs).unwrap();
        arcs
    };
    Asked {
        version: 3,
        community: Vec::new(),
        kind: pdu.kind as u8,
        id: pdu.id.into(),
        repetitions: pdu.index.into(),
        names: pdu.variables().map(|variable| arcs(variable.unwrap().0)).collect(),
    }
}

/// The parts of a message that are neither sealed nor part of what is.
struct Parts {
    id: i64,
    flags: Vec<u8>,
    model: i64,
    digest: Vec<u8>,
    salt: Vec<u8>,
}

/// A message with parts that are changed after it was sealed.
fn edited(octets: &[u8], change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut message = Reader::new(octets).value(ber::SEQUENCE, "a message").unwrap();
    message.integer("a version").unwrap();
    let mut header = message.value(ber::SEQUENCE, "a header").unwrap();
    let id = header.integer("an id").unwrap();
    let size = header.integer("a size").unwrap();
    let flags = header.octets("flags").unwrap().to_vec();
    let model = header.integer("a model").unwrap();
    let mut security = message.value(ber::OCTET_STRING, "security").unwrap();
    let mut security = security.value(ber::SEQUENCE, "security").unwrap();
    let engine = security.octets("an engine").unwrap();
    let boots = security.integer("boots").unwrap();
    let time = security.integer("a time").unwrap();
    let name = security.octets("a user").unwrap();
    let digest = security.octets("a digest").unwrap().to_vec();
    let salt = security.octets("a salt").unwrap().to_vec();
    let mut parts = Parts { id, flags, model, digest, salt };
    change(&mut parts);
    let mut out = Writer::new();
    out.within(ber::SEQUENCE, |out| {
        out.raw(message.rest());
        out.within(ber::OCTET_STRING, |out| {
            out.within(ber::SEQUENCE, |out| {
                out.octets(&parts.salt);
                out.octets(&parts.digest);
                out.octets(name);
                out.integer(time);
                out.integer(boots);
                out.octets(engine);
            });
        });
        out.within(ber::SEQUENCE, |out| {
            out.integer(parts.model);
            out.octets(&parts.flags);
            out.integer(size);
            out.integer(parts.id);
        });
        out.integer(3);
    });
    out.finish()
}

/// What is no answer, and what a message of it looks like.
type Forged = (&'static str, fn(&Turn) -> Vec<u8>);

#[test]
fn what_is_forged_is_dropped() {
    const SIGNED_ONES: [Forged; 20] = [
        ("another engine", |turn| {
            turn.answer.with(|a| (a.engine, a.keys) = (OTHER.into(), SIGNED.keys(OTHER)))
        }),
        ("another engine's name", |turn| turn.answer.with(|a| a.engine = OTHER.into())),
        ("an earlier start", |turn| turn.answer.with(|a| a.clock.0 -= 1)),
        ("an earlier time", |turn| turn.answer.with(|a| a.clock.1 -= 200)),
        ("a negative clock", |turn| turn.answer.with(|a| a.clock = (i32::MIN, i32::MIN))),
        ("another password", |turn| turn.answer.with(|a| a.keys = STRANGER.keys(ENGINE))),
        ("another user", |turn| turn.answer.with(|a| a.name = b"v".to_vec())),
        ("no signature", |turn| turn.answer.with(|a| a.keys = Keys::default())),
        ("another request", |turn| turn.answer.with(|a| a.id ^= 1 << 20)),
        ("another message", |turn| turn.answer.with(|a| a.message_id ^= 1 << 20)),
        ("an answer to another message", |turn| edited(&turn.answer.seal(), |parts| parts.id ^= 1 << 20)),
        ("a shorter digest", |turn| edited(&turn.answer.seal(), |parts| parts.digest.truncate(11))),
        ("a longer digest", |turn| edited(&turn.answer.seal(), |parts| parts.digest.push(0))),
        ("no digest", |turn| edited(&turn.answer.seal(), |parts| parts.digest.clear())),
        ("zeros as digest", |turn| edited(&turn.answer.seal(), |parts| parts.digest.fill(0))),
        ("flags without the signature", |turn| edited(&turn.answer.seal(), |parts| parts.flags = vec![0])),
        ("no flags", |turn| edited(&turn.answer.seal(), |parts| parts.flags.clear())),
        ("flags of privacy", |turn| {
            edited(&turn.answer.seal(), |parts| parts.flags = vec![V3::AUTH | V3::PRIV])
        }),
        ("another model", |turn| edited(&turn.answer.seal(), |parts| parts.model = 1)),
        ("an id of 64 bits", |turn| edited(&turn.answer.seal(), |parts| parts.id += 1 << 40)),
    ];
    const HIDDEN_ONES: [Forged; 7] = [
        ("another cipher key", |turn| turn.answer.with(|a| a.keys = OTHER_CIPHER.keys(ENGINE))),
        ("plain text", |turn| turn.answer.with(|a| a.keys = a.keys.without_privacy())),
        ("no signature", |turn| edited(&turn.answer.seal(), |parts| parts.flags = vec![V3::PRIV])),
        ("plain text said to be hidden", |turn| {
            let plain = turn.answer.with(|a| a.keys = a.keys.without_privacy());
            edited(&plain, |parts| parts.flags = vec![V3::AUTH | V3::PRIV])
        }),
        ("a shorter salt", |turn| edited(&turn.answer.seal(), |parts| parts.salt.truncate(7))),
        ("a longer salt", |turn| edited(&turn.answer.seal(), |parts| parts.salt.push(0))),
        ("no salt", |turn| edited(&turn.answer.seal(), |parts| parts.salt.clear())),
    ];
    const REPORTS: [Forged; 5] = [
        ("a report of an unsigned clock", |turn| turn.answer.report(2, |_| {})),
        ("a report of a clock signed by another", |turn| {
            turn.answer.report(2, |report| report.keys = STRANGER.keys(ENGINE))
        }),
        ("a report of the same engine", |turn| turn.answer.report(4, |_| {})),
        ("a report of no engine", |turn| turn.answer.report(4, |report| report.engine.clear())),
        ("a report without variables", |turn| turn.answer.report(1, |report| report.variables.clear())),
    ];
    let mut cases = Vec::new();
    let kinds = [
        ("signed", &SIGNED, &SIGNED_ONES[..]),
        ("hidden", &HIDDEN, &HIDDEN_ONES),
        ("signed", &SIGNED, &REPORTS),
    ];
    for (auth, user, forged) in kinds {
        for &(name, forge) in forged {
            let alone =
                device(user, move |_, turn| vec![if turn.asks_engine { turn.sound() } else { forge(turn) }]);
            let silent = Outcome::Silent("messages came that were none");
            cases.push(Case { auth, ..Case::udp(name, alone, silent) });
            // In front of the right answer it changes nothing.
            let both = device(user, move |_, turn| {
                if turn.asks_engine { vec![turn.sound()] } else { vec![forge(turn), turn.sound()] }
            });
            cases.push(Case { auth, ..Case::udp(name, both, Outcome::Told(60)) });
        }
    }
    judge(&cases);
}

#[test]
fn reports_are_told_in_words() {
    let cases: [(&'static str, u32, &'static str); 5] = [
        ("the level", 1, "unsupportedSecLevels"),
        ("the user", 3, "unknownUserNames"),
        ("the digest", 5, "wrongDigests"),
        ("the cipher", 6, "decryptionErrors"),
        ("something else", 99, "cannot take our messages"),
    ];
    let cases = cases.map(|(name, counter, words)| {
        // In the middle of a walk.
        let agent = device(&SIGNED, move |_, turn| {
            vec![if turn.count < 2 { turn.sound() } else { turn.answer.report(counter, |_| {}) }]
        });
        Case { auth: "signed", ..Case::udp(name, agent, Outcome::Fails(words)) }
    });
    judge(&cases);
}

/// What a device does with its identity before an answer, in place of it, or to it.
type Answering = fn(&mut Identity, &Turn) -> Vec<Vec<u8>>;

#[test]
fn another_engine_or_clock_is_learned_and_no_more_often_than_makes_sense() {
    use Outcome::{Fails, Silent, Told};
    const ENGINES: [&[u8]; 2] = [ENGINE, OTHER];
    let cases: [(&'static str, Answering, Outcome); 11] = [
        ("sound", |_, turn| vec![turn.sound()], Told(60)),
        (
            "another engine answers from now on",
            |me, turn| {
                let before = turn.sound();
                me.engine = if turn.count >= 2 { OTHER } else { ENGINE };
                vec![before]
            },
            Told(60),
        ),
        (
            "started again",
            |me, turn| {
                if turn.count == 2 {
                    me.clock = (CLOCK.0 + 1, 0);
                }
                vec![turn.sound()]
            },
            Told(60),
        ),
        (
            "the clock jumps ahead once",
            |me, turn| {
                if turn.count == 2 {
                    me.clock.1 += 1_000_000;
                }
                vec![turn.sound()]
            },
            Told(60),
        ),
        (
            "the last clock there is",
            |me, turn| {
                me.clock = (i32::MAX, i32::MAX);
                vec![turn.answer.with(|answer| answer.clock = me.clock)]
            },
            Told(60),
        ),
        (
            "the clock jumps with every answer",
            |me, turn| {
                me.clock.1 += 10_000;
                vec![turn.sound()]
            },
            Fails("another name or clock"),
        ),
        (
            "another engine with every message",
            |me, turn| {
                me.engine = ENGINES[usize::from(me.engine == ENGINE)];
                vec![turn.answer.report(4, |report| report.engine = me.engine.to_vec())]
            },
            Fails("another name or clock"),
        ),
        (
            "a forged engine first",
            |_, turn| {
                let forged = turn.answer.report(4, |report| report.engine = OTHER.into());
                if turn.asks_engine && turn.count == 0 {
                    vec![forged, turn.sound()]
                } else {
                    vec![turn.sound()]
                }
            },
            Told(60),
        ),
        (
            "an engine without a name",
            |_, turn| vec![turn.answer.report(4, |a| a.engine.clear())],
            Silent("its engine"),
        ),
        (
            "an engine of 4 octets",
            |_, turn| vec![turn.answer.report(4, |a| a.engine.truncate(4))],
            Silent("its engine"),
        ),
        (
            "an engine of 33 octets",
            |_, turn| vec![turn.answer.report(4, |a| a.engine = vec![1; 33])],
            Silent("its engine"),
        ),
    ];
    judge(&cases.map(|(name, answer, outcome)| Case {
        auth: "signed",
        ..Case::udp(name, device(&SIGNED, answer), outcome)
    }));
}

#[test]
fn an_answer_of_before_is_no_answer() {
    let mut before: Vec<Vec<u8>> = Vec::new();
    let agent = device(&SIGNED, move |_, turn| {
        if turn.asks_engine {
            return vec![turn.sound()];
        }
        before.push(turn.sound());
        // The first answer again and again, once there is one.
        before.first().cloned().into_iter().collect()
    });
    let outcome = Outcome::Silent("messages came that were none");
    judge(&[Case { auth: "signed", ..Case::udp("a replay", agent, outcome) }]);
}
