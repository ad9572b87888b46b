//! The only input and output: one socket to one device, requests out, responses in, and what does not belong dropped.

mod device;
mod error;
mod figures;
mod socket;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use device::Devices;
pub use error::{SessionError, Unanswered};
pub use figures::Figures;
pub use socket::Transport;

use self::device::{Device, Engine, lock, next_limit};
use self::socket::{LARGEST_MESSAGE, Socket};
use crate::config::{Auth, WalkParams};
use crate::dump::Packet;
use crate::message::{Message, Pdu, PduKind, Request, Unit as _, V3, Value, Version};
use crate::rows::Column;
use crate::usm::{self, Keys, Parameters};
use crate::walk::{Ask, Style, Target, Walk};

/// How long an answer is waited for before anything is known about a device.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The least that an answer is waited for: below it, schedulers decide.
const LEAST_WAIT: Duration = Duration::from_millis(40);
/// How many requests are on their way to one device.
const WINDOW: usize = 4;
/// The most names in a request.
const MOST_NAMES: u32 = 60;

/// How much one device may cost, so that none can take all there is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Packets of one scrape.
    pub packets: u64,
    /// Rows of one module.
    pub rows: usize,
    /// Octets of memory that the rows of one module take.
    pub octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { packets: 400_000, rows: 3_000_000, octets: 256 << 20 }
    }
}

/// The way to a device.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Its address.
    pub address: SocketAddr,
    /// How it is reached.
    pub transport: Transport,
    /// Whether replies from other addresses are taken.
    pub any_source: bool,
    /// Where packets come from.
    pub source: Option<SocketAddr>,
    /// How much it may cost.
    pub limits: Limits,
    /// Whether packets are logged.
    pub dump: bool,
}

/// How one module is walked.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How the module is asked.
    pub params: WalkParams,
    /// The end of the scrape.
    pub deadline: Instant,
}

/// What one walk took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    /// Packets sent.
    pub packets: u64,
    /// Of these, sent again.
    pub retries: u64,
}

/// A conversation with one device.
pub struct Session<'a> {
    socket: Socket,
    auth: &'a Auth,
    context: String,
    /// The engine given by the request, in place of the one the device tells.
    engine: Option<Vec<u8>>,
    device: Arc<Mutex<Device>>,
    figures: &'a Figures,
    buffer: Vec<u8>,
    plain: Vec<u8>,
    salt: u64,
    last_id: i32,
    /// What was sent and taken for the current walk.
    effort: Effort,
    sent_in_all: u64,
    limits: Limits,
    /// Messages that were no answers.
    foreign: u64,
    /// The device, if packets are logged.
    dumped: Option<SocketAddr>,
}

/// A request on its way.
struct Sent {
    key: u32,
    /// Each time it was sent: the id, and when. Ids differ, so an answer tells which of them it answers, and what the
    /// round trip was, even if the request was sent again.
    tries: Vec<(i32, Instant)>,
    due: Instant,
    wait: Duration,
}

impl Sent {
    fn times(&self) -> u32 {
        u32::try_from(self.tries.len()).unwrap_or(u32::MAX)
    }

    fn first(&self) -> Option<Instant> {
        self.tries.first().map(|(_, at)| *at)
    }

    /// When the message with this id was sent, if it was.
    fn sent_at(&self, id: i32) -> Option<Instant> {
        self.tries.iter().find(|(known, _)| *known == id).map(|(_, at)| *at)
    }
}

/// What came in.
enum Came {
    Response(u32),
    /// The engine's clock or name was wrong and is known now; everything has to be sent again.
    Resync,
    Nothing,
}

impl<'a> Session<'a> {
    /// Opens a socket to a device.
    pub async fn open(
        way: Way,
        auth: &'a Auth,
        devices: &Devices,
        figures: &'a Figures,
        deadline: Instant,
    ) -> Result<Self, SessionError> {
        let Way { address, transport, any_source, source, limits, dump } = way;
        let socket = Socket::open(transport, address, any_source, source, deadline).await?;
        let seed = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), address);
        Ok(Self {
            socket,
            auth,
            context: auth.context_name.clone(),
            engine: None,
            device: devices.device(address, transport),
            figures,
            buffer: vec![0; LARGEST_MESSAGE],
            plain: Vec::new(),
            salt: seed,
            last_id: (seed >> 33) as i32,
            effort: Effort::default(),
            sent_in_all: 0,
            limits,
            foreign: 0,
            dumped: dump.then_some(address),
        })
    }

    /// Asks for a context and an engine other than those of the configuration.
    #[must_use]
    pub fn within(mut self, context: Option<&str>, engine: Option<Vec<u8>>) -> Self {
        if let Some(context) = context {
            context.clone_into(&mut self.context);
        }
        self.engine = engine;
        self
    }

    /// Walks and gets these targets.
    pub async fn walk(
        &mut self,
        targets: Vec<Target>,
        manner: &Manner,
    ) -> (Result<Vec<Column>, SessionError>, Effort) {
        self.effort = Effort::default();
        let result = self.run(targets, manner).await;
        (result, self.effort)
    }

    async fn run(&mut self, targets: Vec<Target>, manner: &Manner) -> Result<Vec<Column>, SessionError> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        if self.auth.version() == Version::V3 {
            self.discover(manner).await?;
        }
        let (repetitions, names) = lock(&self.device).limits;
        let configured = manner.params.max_repetitions;
        let style = Style {
            version: self.auth.version(),
            max_repetitions: repetitions.map_or(configured, |repetitions| repetitions.min(configured)),
            max_names: names.unwrap_or(MOST_NAMES) as usize,
            window: WINDOW,
            any_order: manner.params.any_order,
            max_rows: self.limits.rows,
            max_octets: self.limits.octets,
        };
        let mut walk = Walk::new(targets, style);
        let mut flying: Vec<Sent> = Vec::with_capacity(WINDOW);
        let mut window = if lock(&self.device).trip.is_some() { WINDOW } else { 1 };
        let mut resyncs = 0;
        let patience = manner.params.patience();
        let mut heard = Instant::now();
        loop {
            while flying.len() < window {
                let Some(ask) = walk.next_ask() else { break };
                flying.push(self.send(&ask, manner.params.timeout).await?);
            }
            let Some(due) = flying.iter().map(|sent| sent.due).min() else { break };
            if self.sent_in_all > self.limits.packets {
                return Err(SessionError::TooManyPackets);
            }
            let came =
                tokio::time::timeout_at(due.min(manner.deadline).into(), self.receive(&flying, &mut walk))
                    .await;
            match came {
                Ok(Ok(Came::Response(key))) => {
                    flying.retain(|sent| sent.key != key);
                    heard = Instant::now();
                    window = (window + 1).min(WINDOW);
                }
                Ok(Ok(Came::Resync)) => {
                    resyncs += 1;
                    if resyncs > 3 {
                        return Err(SessionError::Report(
                            "the device takes another name or clock with every message",
                        ));
                    }
                    for sent in &mut flying {
                        if let Some((kind, repetitions, names)) = walk.request(sent.key) {
                            let ask = Ask { key: sent.key, kind, repetitions, names };
                            *sent = self.send(&ask, manner.params.timeout).await?;
                        }
                    }
                }
                Ok(Err(error)) => return Err(error),
                Ok(Ok(Came::Nothing)) | Err(_) => {}
            }
            let now = Instant::now();
            if now >= manner.deadline {
                let subject = flying.first().map(|sent| walk.subject(sent.key)).unwrap_or_default();
                return Err(SessionError::Late(subject, walk.rows()));
            }
            let mut at = 0;
            while let Some(sent) = flying.get_mut(at) {
                if now < sent.due {
                    at += 1;
                    continue;
                }
                window = 1;
                // A device that answers others of our requests is slow, not silent.
                let silent = sent.first().map_or(heard, |first| first.max(heard)) + patience;
                if now >= silent {
                    return Err(SessionError::Silent(Unanswered {
                        subject: walk.subject(sent.key),
                        rows: walk.rows(),
                        times: sent.times(),
                        foreign: self.foreign,
                    }));
                }
                let again = walk.request(sent.key).filter(|_| !walk.give_up(sent.key, sent.times()));
                let Some((kind, repetitions, names)) = again else {
                    flying.swap_remove(at);
                    continue;
                };
                sent.wait = (sent.wait * 2).min(manner.params.timeout.max(LEAST_WAIT));
                sent.due = (now + sent.wait).min(silent);
                let ask = Ask { key: sent.key, kind, repetitions, names };
                sent.tries.push(self.transmit_request(&ask).await?);
                self.effort.retries += 1;
                self.figures.retries.fetch_add(1, Ordering::Relaxed);
                at += 1;
            }
        }
        let ended = walk.style();
        lock(&self.device).limits = (
            next_limit(style.max_repetitions, ended.max_repetitions, configured),
            next_limit(style.max_names as u32, ended.max_names as u32, MOST_NAMES),
        );
        Ok(walk.finish())
    }

    /// How long an answer is waited for at first (RFC 6298, section 2).
    fn wait(&self, timeout: Duration) -> Duration {
        let trip = lock(&self.device).trip;
        let wait = trip.map_or(FIRST_WAIT, |(smooth, variation)| smooth * 2 + variation * 4);
        wait.min(timeout).max(LEAST_WAIT)
    }

    async fn send(&mut self, ask: &Ask, timeout: Duration) -> Result<Sent, SessionError> {
        let sent = self.transmit_request(ask).await?;
        let wait = self.wait(timeout);
        Ok(Sent { key: ask.key, tries: vec![sent], due: sent.1 + wait, wait })
    }

    /// The id of another message: none comes twice in 2^31, and none can be told from the one before as easily as by
    /// adding one, which devices do that answer something else.
    fn new_id(&mut self) -> i32 {
        self.last_id = self.last_id.wrapping_mul(1_103_515_245).wrapping_add(12_345) & i32::MAX;
        self.last_id
    }

    /// Sends a request in a message of its own, and tells its id and when that was.
    async fn transmit_request(&mut self, ask: &Ask) -> Result<(i32, Instant), SessionError> {
        let names: Vec<&[u32]> = ask.names.iter().map(|name| &name[..]).collect();
        let id = self.new_id();
        let request = Request { kind: ask.kind, id, repetitions: ask.repetitions, names: &names };
        let octets = match self.auth.version() {
            Version::V3 => self.seal(&request),
            version => request.with_community(version, self.auth.community.expose().as_bytes()),
        };
        self.transmit(&octets).await?;
        Ok((id, Instant::now()))
    }

    fn seal(&mut self, request: &Request<'_>) -> Vec<u8> {
        self.salt = self.salt.wrapping_add(1);
        let (engine, boots, time, keys) = self.engine_now();
        let to = Parameters::new(&engine, boots, time, self.auth.user().name());
        let id = request.id;
        usm::seal(request, id, self.context.as_bytes(), self.engine.as_deref(), &to, &keys, self.salt)
    }

    /// The engine to be asked, its clock, and the user's keys there.
    fn engine_now(&self) -> (Vec<u8>, i32, i32, Keys) {
        let mut device = lock(&self.device);
        let Some(engine) = &mut device.engine else { return (Vec::new(), 0, 0, Keys::default()) };
        let user = self.auth.user();
        let keys = engine.keys.entry(self.auth.identity()).or_insert_with(|| user.keys(&engine.id)).clone();
        (engine.id.clone(), engine.boots, engine.time_now(), keys)
    }

    async fn transmit(&mut self, octets: &[u8]) -> Result<(), SessionError> {
        self.effort.packets += 1;
        self.sent_in_all += 1;
        self.figures.packets.fetch_add(1, Ordering::Relaxed);
        if let Some(device) = self.dumped {
            tracing::info!(%device, packet = %Packet(octets), "sent");
        }
        self.socket.send(octets).await
    }

    fn drop_foreign(&mut self) {
        if let Some(device) = self.dumped {
            tracing::info!(%device, "dropped: it answers nothing that was asked");
        }
        self.foreign += 1;
        self.figures.foreign.fetch_add(1, Ordering::Relaxed);
    }

    /// Receives one message into the buffer, and says how long it is.
    async fn message(&mut self) -> Result<usize, SessionError> {
        let length = loop {
            match self.socket.receive(&mut self.buffer).await? {
                Some(length) => break length,
                None => self.drop_foreign(),
            }
        };
        if let Some(device) = self.dumped {
            let octets = self.buffer.get(..length).unwrap_or_default();
            tracing::info!(%device, packet = %Packet(octets), "received");
        }
        Ok(length)
    }

    /// Waits for a message and gives it to the walk, if it belongs to one of these requests.
    async fn receive(&mut self, flying: &[Sent], walk: &mut Walk) -> Result<Came, SessionError> {
        let length = self.message().await?;
        let buffer = std::mem::take(&mut self.buffer);
        let mut plain = std::mem::take(&mut self.plain);
        let came = self.take(buffer.get(..length).unwrap_or_default(), &mut plain, flying, walk);
        self.buffer = buffer;
        self.plain = plain;
        if matches!(came, Ok(Came::Nothing)) {
            self.drop_foreign();
        }
        came
    }

    fn take(
        &mut self,
        octets: &[u8],
        plain: &mut Vec<u8>,
        flying: &[Sent],
        walk: &mut Walk,
    ) -> Result<Came, SessionError> {
        let Ok(message) = Message::read(octets) else { return Ok(Came::Nothing) };
        let pdu = match message {
            Message::Community { version, community, mut pdu } => {
                let ours =
                    version == self.auth.version() && community == self.auth.community.expose().as_bytes();
                match Pdu::read(&mut pdu) {
                    Ok(pdu) if ours => pdu,
                    _ => return Ok(Came::Nothing),
                }
            }
            Message::V3(message) => match self.open_v3(octets, &message, plain, flying)? {
                Opened::Pdu(pdu) => pdu,
                Opened::Resync => return Ok(Came::Resync),
                Opened::Foreign => return Ok(Came::Nothing),
            },
        };
        let answered = flying.iter().find_map(|sent| Some((sent.key, sent.sent_at(pdu.id)?)));
        let Some((key, sent_at)) = answered.filter(|_| pdu.kind == PduKind::Response) else {
            return Ok(Came::Nothing);
        };
        let variables: Result<Vec<(&[u8], Value<'_>)>, _> = pdu.variables().collect();
        let Ok(variables) = variables else { return Ok(Came::Nothing) };
        let trip = sent_at.elapsed();
        self.figures.trip(trip);
        lock(&self.device).add(trip);
        walk.answer(key, &pdu, &variables, octets.len()).map_err(SessionError::Fault)?;
        Ok(Came::Response(key))
    }

    fn open_v3<'m>(
        &mut self,
        octets: &[u8],
        message: &V3<'m>,
        plain: &'m mut Vec<u8>,
        flying: &[Sent],
    ) -> Result<Opened<'m>, SessionError> {
        let Ok(from) = Parameters::read(message.security) else { return Ok(Opened::Foreign) };
        let (engine, boots, time, keys) = self.engine_now();
        // A message's id is its request's, which nobody can guess who does not see our messages.
        if message.model != 3 || !flying.iter().any(|sent| sent.sent_at(message.id).is_some()) {
            return Ok(Opened::Foreign);
        }
        let signed = message.flags & V3::AUTH != 0;
        let Ok(scoped) = usm::open(octets, message, &from, &keys, plain) else { return Ok(Opened::Foreign) };
        if scoped.pdu.kind == PduKind::Report {
            let Some(report) = report(&scoped.pdu) else { return Ok(Opened::Foreign) };
            return match report {
                // The engine's name is not a secret, and its clock is believed from a signed message only.
                NOT_IN_TIME if signed && from.engine == engine => {
                    self.set_clock(from.boots, from.time);
                    Ok(Opened::Resync)
                }
                UNKNOWN_ENGINE if !from.engine.is_empty() && from.engine != engine => {
                    self.set_engine(&from);
                    Ok(Opened::Resync)
                }
                UNKNOWN_ENGINE | NOT_IN_TIME => Ok(Opened::Foreign),
                other => Err(SessionError::Report(other)),
            };
        }
        let level = V3::AUTH | V3::PRIV;
        if from.engine != engine
            || from.user != self.auth.user().name()
            || message.flags & level != keys.flags()
        {
            return Ok(Opened::Foreign);
        }
        // RFC 3414, section 3.2, 7b: what is older than 150 seconds is a replay; what is newer is the clock.
        if signed {
            if from.boots < boots || (from.boots == boots && from.time < time.saturating_sub(150)) {
                return Ok(Opened::Foreign);
            }
            if from.boots > boots || from.time > time {
                self.set_clock(from.boots, from.time);
            }
        }
        Ok(Opened::Pdu(scoped.pdu))
    }

    fn set_clock(&self, boots: i32, time: i32) {
        if let Some(engine) = &mut lock(&self.device).engine {
            (engine.boots, engine.time, engine.at) = (boots, time, Instant::now());
        }
    }

    fn set_engine(&self, from: &Parameters<'_>) {
        lock(&self.device).engine = Some(Engine {
            id: from.engine.to_vec(),
            boots: from.boots,
            time: from.time,
            at: Instant::now(),
            keys: HashMap::new(),
        });
    }

    /// Asks a device for the name of its engine, which keys are made for.
    async fn discover(&mut self, manner: &Manner) -> Result<(), SessionError> {
        if lock(&self.device).engine.is_some() {
            return Ok(());
        }
        let begin = Instant::now();
        let patience = begin + manner.params.patience();
        let mut wait = FIRST_WAIT.min(manner.params.timeout);
        let mut times = 0;
        loop {
            let id = self.new_id();
            let request = Request { kind: PduKind::Get, id, repetitions: 0, names: &[] };
            let to = Parameters::new(&[], 0, 0, &[]);
            let octets = usm::seal(&request, id, b"", None, &to, &Keys::default(), 0);
            self.transmit(&octets).await?;
            times += 1;
            let until = (Instant::now() + wait).min(patience).min(manner.deadline);
            while let Ok(length) = tokio::time::timeout_at(until.into(), self.message()).await {
                let octets = self.buffer.get(..length?).unwrap_or_default();
                if let Ok(Message::V3(message)) = Message::read(octets)
                    && message.id == id
                    && let Ok(from) = Parameters::read(message.security)
                    && (5..=32).contains(&from.engine.len())
                {
                    self.set_engine(&from);
                    return Ok(());
                }
                self.drop_foreign();
            }
            if Instant::now() >= patience.min(manner.deadline) {
                let (subject, foreign) = ("its engine".into(), self.foreign);
                return Err(SessionError::Silent(Unanswered { subject, rows: 0, times, foreign }));
            }
            self.effort.retries += 1;
            self.figures.retries.fetch_add(1, Ordering::Relaxed);
            wait = (wait * 2).min(manner.params.timeout);
        }
    }
}

enum Opened<'m> {
    Pdu(Pdu<'m>),
    Resync,
    Foreign,
}

const NOT_IN_TIME: &str = "the device says that our clock is wrong";
const UNKNOWN_ENGINE: &str = "the device says that it is another engine";

/// What a report says (RFC 3414, section 5, and RFC 3412, section 5).
fn report(pdu: &Pdu<'_>) -> Option<&'static str> {
    let (name, _) = pdu.variables().next()?.ok()?;
    let mut arcs = Vec::new();
    crate::ber::arcs(name, &mut arcs)?;
    Some(match arcs.strip_prefix(&[1, 3, 6, 1, 6, 3, 15, 1, 1][..]) {
        Some([1, ..]) => {
            "the device does not take this security level (unsupportedSecLevels): check security_level"
        }
        Some([2, ..]) => NOT_IN_TIME,
        Some([3, ..]) => "the device does not know the user (unknownUserNames): check username",
        Some([4, ..]) => UNKNOWN_ENGINE,
        Some([5, ..]) => "the device finds the digest wrong (wrongDigests): check password and auth_protocol",
        Some([6, ..]) => {
            "the device cannot decrypt (decryptionErrors): check priv_password and priv_protocol"
        }
        _ => "the device reports that it cannot take our messages: check context and engine id",
    })
}
