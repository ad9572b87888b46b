//! A small client of D-Bus: calls that ask and change nothing, over one connection that is kept.
//!
//! Written for what systemd and logind are asked here: arguments are strings, many calls are under way at once, and
//! answers are read by the signature that they must have. A peer that is silent is given up on, and its connection with
//! it. The protocol is that of the D-Bus specification, "Message Protocol" and "Authentication Protocol".

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::host::Error;

/// Where the system's bus is, unless `DBUS_SYSTEM_BUS_ADDRESS` says otherwise.
const SYSTEM_BUS: &str = "unix:path=/var/run/dbus/system_bus_socket";
/// Where systemd answers root without a bus.
const SYSTEMD: &str = "unix:path=/run/systemd/private";
/// How long a peer may take for all that is asked in one scrape.
const PATIENCE: Duration = Duration::from_secs(4);
/// Calls under way at once: as many as fit into a socket's buffer, so that neither side waits for the other.
const UNDER_WAY: usize = 64;
/// No answer is longer: a unit takes some 300 bytes.
const LONGEST_MESSAGE: usize = 32 << 20;
const BUS: &str = "org.freedesktop.DBus";

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
/// Fields of a message's head.
mod field {
    pub(super) const PATH: u8 = 1;
    pub(super) const INTERFACE: u8 = 2;
    pub(super) const MEMBER: u8 = 3;
    pub(super) const ERROR_NAME: u8 = 4;
    pub(super) const REPLY_SERIAL: u8 = 5;
    pub(super) const DESTINATION: u8 = 6;
    pub(super) const SIGNATURE: u8 = 8;
}

/// A connection, made when it is first needed, kept, and made anew after it broke.
#[derive(Debug)]
pub struct Bus {
    address: String,
    /// Whether there is a bus between us and who answers.
    by_broker: bool,
    patience: Duration,
    open: Option<Connection>,
}

/// A method of an object, and arguments, which are strings.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Who is asked, such as `org.freedesktop.systemd1`.
    pub destination: &'a str,
    /// The object.
    pub path: &'a str,
    /// The interface of the method.
    pub interface: &'a str,
    /// The method.
    pub member: &'a str,
    /// What it is given.
    pub arguments: &'a [&'a str],
}

impl<'a> Call<'a> {
    /// Asks for one property; `[interface, name]`.
    pub fn property(destination: &'a str, path: &'a str, interface_and_name: &'a [&'a str; 2]) -> Self {
        let interface = "org.freedesktop.DBus.Properties";
        Self { destination, path, interface, member: "Get", arguments: interface_and_name }
    }
}

impl Bus {
    /// The system's bus.
    pub fn system() -> Self {
        let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").ok().filter(|address| !address.is_empty());
        Self::at(address.as_deref().unwrap_or(SYSTEM_BUS))
    }

    /// A bus at an address such as `unix:path=/run/bus`.
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned(), by_broker: true, patience: PATIENCE, open: None }
    }

    /// systemd itself, which answers only to root.
    pub fn of_systemd() -> Self {
        Self { by_broker: false, ..Self::at(SYSTEMD) }
    }

    /// Begins what is asked in one scrape; all of it together has to be answered in a few seconds.
    pub fn talk(&mut self) -> Result<Talk<'_>, Error> {
        let deadline = Instant::now() + self.patience;
        if let Some(connection) = &mut self.open {
            // The peer may have gone since; a new connection finds out whether it is back.
            if connection.is_quiet() {
                connection.deadline = deadline;
            } else {
                self.open = None;
            }
        }
        if self.open.is_none() {
            let connection = Connection::open(&self.address, self.by_broker, deadline);
            self.open =
                Some(connection.map_err(|error| Error::io(Path::new(&self.address), readable(error)))?);
        }
        Ok(Talk(self))
    }
}

/// "Resource temporarily unavailable" is what a timeout looks like.
fn readable(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
        _ => error,
    }
}

/// A conversation over an open connection.
#[derive(Debug)]
pub struct Talk<'b>(&'b mut Bus);

impl Talk<'_> {
    /// One call. The inner error is the peer's answer to this call; after the outer one there is no connection.
    pub fn call(&mut self, call: Call<'_>) -> Result<Result<Reply, Refusal>, Error> {
        let mut answer = Err(Refusal("no answer".into()));
        self.calls(&[call], |_, reply| answer = reply)?;
        Ok(answer)
    }

    /// Many calls, of which many are under way at once. `each` has the answer of each one, with its place.
    pub fn calls(
        &mut self,
        calls: &[Call<'_>],
        mut each: impl FnMut(usize, Result<Reply, Refusal>),
    ) -> Result<(), Error> {
        let Some(connection) = &mut self.0.open else {
            return Err(Error::failed(Path::new(&self.0.address), "the connection is lost"));
        };
        let result = connection.exchange(calls, &mut each);
        if result.is_err() {
            self.0.open = None; // late answers must not be taken for answers to the next calls
        }
        result.map_err(|error| Error::io(Path::new(&self.0.address), readable(error)))
    }
}

/// Why a call had no result: the peer's words, or an answer that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    serial: u32,
    deadline: Instant,
    /// What was received and not read yet.
    received: Vec<u8>,
}

impl Connection {
    fn open(address: &str, by_broker: bool, deadline: Instant) -> io::Result<Self> {
        let mut connection = Self { stream: connect(address)?, serial: 0, deadline, received: Vec::new() };
        let id: String = rustix::process::getuid().as_raw().to_string();
        let id = id.bytes().fold(String::new(), |hex, digit| hex + &format!("{digit:02x}"));
        connection.send(format!("\0AUTH EXTERNAL {id}\r\n").as_bytes())?;
        let answer = connection.line()?;
        if !answer.starts_with("OK ") {
            return Err(invalid(format!("the peer does not let us in: {answer:?}")));
        }
        connection.send(b"BEGIN\r\n")?;
        if by_broker {
            let hello = Call {
                destination: BUS,
                path: "/org/freedesktop/DBus",
                interface: BUS,
                member: "Hello",
                arguments: &[],
            };
            let mut refused = None;
            connection.exchange(&[hello], &mut |_, reply| refused = reply.err())?;
            if let Some(Refusal(why)) = refused {
                return Err(invalid(why));
            }
        }
        Ok(connection)
    }

    /// Whether nothing has come that nobody asked for; a connection that was closed is not quiet.
    fn is_quiet(&mut self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let mut signals = [0; 4096];
        // Signals may come at any time; they are read here and left out in `exchange`.
        let quiet = loop {
            match self.stream.read(&mut signals) {
                Ok(0) => break false,
                Ok(read) => self.received.extend(signals.get(..read).unwrap_or_default()),
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
            if self.received.len() > LONGEST_MESSAGE {
                break false;
            }
        };
        quiet && self.stream.set_nonblocking(false).is_ok()
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(left) }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write_all(bytes)
    }

    /// Receives more.
    fn receive(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        let mut piece = [0; 16 << 10];
        let read = self.stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed the connection"));
        }
        self.received.extend(piece.get(..read).unwrap_or_default());
        Ok(())
    }

    /// A line of the authentication.
    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.received.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.received.len() > 4096 {
                return Err(invalid("a line without end"));
            }
            self.receive()?;
        }
    }

    /// Makes calls and hands on their answers until all have come.
    fn exchange(
        &mut self,
        calls: &[Call<'_>],
        each: &mut dyn FnMut(usize, Result<Reply, Refusal>),
    ) -> io::Result<()> {
        for (nth, some) in calls.chunks(UNDER_WAY).enumerate() {
            let first = self.serial.wrapping_add(1);
            let mut bytes = Vec::new();
            for call in some {
                self.serial = self.serial.wrapping_add(1).max(1); // 0 is no serial
                encode(call, self.serial, &mut bytes);
            }
            self.send(&bytes)?;
            let mut missing = some.len();
            while missing > 0 {
                let message = self.message()?;
                let place = message.reply_to.map(|serial| serial.wrapping_sub(first) as usize);
                let Some(place) = place.filter(|place| *place < some.len()) else { continue };
                let answer = match message.kind {
                    METHOD_RETURN => Ok(message.reply),
                    ERROR => Err(Refusal(message.error)),
                    _ => continue,
                };
                missing -= 1;
                each(nth * UNDER_WAY + place, answer);
            }
        }
        Ok(())
    }

    /// The next message, whatever it is.
    fn message(&mut self) -> io::Result<Message> {
        const FIXED: usize = 16;
        loop {
            let sizes = self.received.get(..FIXED).map(|fixed| {
                let little = fixed.first() == Some(&b'l');
                let word = |at| Reader::new(fixed, little).at(at).u32().unwrap_or(u32::MAX) as usize;
                (little, word(4), word(12))
            });
            if let Some((little, body, fields)) = sizes {
                if body.max(fields) > LONGEST_MESSAGE {
                    return Err(invalid("a message of more than 32 MiB"));
                }
                let begin = (FIXED + fields).next_multiple_of(8);
                let total = begin + body;
                if self.received.len() >= total {
                    let bytes: Vec<u8> = self.received.drain(..total).collect();
                    return decode(bytes, little, FIXED + fields, begin)
                        .ok_or_else(|| invalid("a broken message"));
                }
            }
            self.receive()?;
        }
    }
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Connects to the first of the addresses, separated by `;`, that somebody listens at.
fn connect(addresses: &str) -> io::Result<UnixStream> {
    let mut last = invalid("expected an address such as unix:path=/run/dbus/system_bus_socket");
    for address in addresses.split(';') {
        let Some(settings) = address.strip_prefix("unix:") else { continue };
        for (key, value) in settings.split(',').filter_map(|setting| setting.split_once('=')) {
            let value = unescape(value);
            let to = match key {
                "path" => SocketAddr::from_pathname(String::from_utf8_lossy(&value).as_ref()),
                "abstract" => SocketAddr::from_abstract_name(&value),
                _ => continue,
            };
            match to.and_then(|to| UnixStream::connect_addr(&to)) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

/// `%20` and the like, as addresses have them.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

/// One message of a call, little endian.
fn encode(call: &Call<'_>, serial: u32, out: &mut Vec<u8>) {
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
struct Message {
    kind: u8,
    reply_to: Option<u32>,
    error: String,
    reply: Reply,
}

/// A message's head; the body stays bytes. `fields_end` and `begin` are where the fields end and the body begins.
fn decode(bytes: Vec<u8>, little: bool, fields_end: usize, begin: usize) -> Option<Message> {
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
    bytes: Vec<u8>,
    begin: usize,
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
    fn new(bytes: &'a [u8], little: bool) -> Self {
        Self { bytes, at: 0, little }
    }

    fn at(mut self, at: usize) -> Self {
        self.at = at;
        self
    }

    fn is_empty(&self) -> bool {
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

    fn u8(&mut self) -> Option<u8> {
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

    fn signature(&mut self) -> Option<&'a str> {
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
pub(crate) mod for_tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A value as `(signature, how it is written)`; enough to play a peer.
    pub(crate) enum Value<'a> {
        U32(u32),
        U64(u64),
        Bool(bool),
        Text(&'a str),
        /// An array of structures.
        Array(&'a str, Vec<Vec<Value<'a>>>),
        Variant(Box<Value<'a>>),
    }

    impl Value<'_> {
        fn signature(&self) -> String {
            match self {
                Value::U32(_) => "u".into(),
                Value::U64(_) => "t".into(),
                Value::Bool(_) => "b".into(),
                Value::Text(text) if text.starts_with("/org/") => "o".into(),
                Value::Text(_) => "s".into(),
                Value::Array(of, _) => format!("a({of})"),
                Value::Variant(_) => "v".into(),
            }
        }

        fn write(&self, out: &mut Vec<u8>) {
            fn pad(out: &mut Vec<u8>, to: usize) {
                out.resize(out.len().next_multiple_of(to), 0);
            }
            match self {
                Value::U32(value) => {
                    pad(out, 4);
                    out.extend(value.to_le_bytes());
                }
                Value::Bool(value) => Value::U32(u32::from(*value)).write(out),
                Value::U64(value) => {
                    pad(out, 8);
                    out.extend(value.to_le_bytes());
                }
                Value::Text(text) => {
                    Value::U32(text.len() as u32).write(out);
                    out.extend(text.as_bytes());
                    out.push(0);
                }
                Value::Array(_, items) => {
                    pad(out, 4);
                    let at = out.len();
                    out.extend([0; 4]);
                    pad(out, 8);
                    let begin = out.len();
                    for item in items {
                        pad(out, 8);
                        for value in item {
                            value.write(out);
                        }
                    }
                    let length = ((out.len() - begin) as u32).to_le_bytes();
                    out[at..at + 4].copy_from_slice(&length);
                }
                Value::Variant(value) => {
                    let signature = value.signature();
                    out.push(signature.len() as u8);
                    out.extend(signature.as_bytes());
                    out.push(0);
                    value.write(out);
                }
            }
        }
    }

    /// The address of a bus that answers by `answer`, which has path, member and arguments; `None` is an error to the
    /// caller. It plays one connection after the other until the test ends.
    pub(crate) fn play(
        name: &str,
        answer: impl Fn(&str, &str, &[String]) -> Option<Value<'static>> + Send + 'static,
    ) -> String {
        let path = format!("node-exporter-{name}-{}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&path).unwrap()).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let _ = serve(&mut stream, &answer); // it ends when the client has gone
            }
        });
        format!("unix:abstract={path}")
    }

    fn serve(
        stream: &mut UnixStream,
        answer: &impl Fn(&str, &str, &[String]) -> Option<Value<'static>>,
    ) -> io::Result<()> {
        let far = Instant::now() + Duration::from_secs(600);
        let mut peer =
            Connection { stream: stream.try_clone()?, serial: 0, deadline: far, received: Vec::new() };
        assert!(peer.line()?.starts_with("\0AUTH EXTERNAL "));
        peer.send(b"OK 0123456789abcdef\r\n")?;
        assert_eq!(peer.line()?, "BEGIN");
        loop {
            let message = peer.message()?;
            let bytes = &message.reply.bytes;
            let serial = Reader::new(bytes, true).at(8).u32().unwrap();
            let fields_end = 16 + Reader::new(bytes, true).at(12).u32().unwrap() as usize;
            let mut fields = Reader::new(&bytes[..fields_end], true).at(16);
            let (mut path, mut member) = (String::new(), String::new());
            while !fields.is_empty() {
                fields.align(8).unwrap();
                let code = fields.u8().unwrap();
                let kind = fields.signature().unwrap().to_owned();
                let text = if kind == "g" { fields.signature() } else { fields.string() }.unwrap();
                match code {
                    field::PATH => path = text.to_owned(),
                    field::MEMBER => member = text.to_owned(),
                    _ => {}
                }
            }
            let mut body = Reader::new(&bytes[message.reply.begin..], true);
            let mut arguments = Vec::new();
            while !body.is_empty() {
                arguments.push(body.string().unwrap().to_owned());
            }
            let found = if member == "Hello" {
                Some(Value::Text(":1.1"))
            } else {
                answer(&path, &member, &arguments)
            };
            peer.serial += 1;
            let (kind, mut fields, value) = match found {
                Some(value) => (METHOD_RETURN, vec![], value),
                None => (ERROR, vec![field::ERROR_NAME, 1, b's', 0], Value::Text("none")),
            };
            if kind == ERROR {
                Value::Text("org.example.NotThere").write(&mut fields);
                fields.resize(fields.len().next_multiple_of(8), 0);
            }
            fields.extend([field::REPLY_SERIAL, 1, b'u', 0]);
            Value::U32(serial).write(&mut fields);
            let signature = value.signature();
            fields.resize(fields.len().next_multiple_of(8), 0);
            fields.extend([field::SIGNATURE, 1, b'g', 0, signature.len() as u8]);
            fields.extend(signature.as_bytes());
            fields.push(0);
            let mut body = Vec::new();
            value.write(&mut body);
            let mut answer = vec![b'l', kind, 1, 1];
            for word in [body.len() as u32, peer.serial, fields.len() as u32] {
                answer.extend(word.to_le_bytes());
            }
            answer.extend(fields);
            answer.resize(answer.len().next_multiple_of(8), 0);
            answer.extend(body);
            // A signal before each answer, as a busy bus has them.
            let mut signal = vec![b'l', 4, 1, 1];
            for word in [0_u32, 1000, 0] {
                signal.extend(word.to_le_bytes());
            }
            peer.send(&signal)?;
            peer.send(&answer)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::for_tests::{Value, play};
    use super::*;
    use std::os::unix::net::UnixListener;

    fn get<'a>(path: &'a str, what: &'a [&'a str; 2]) -> Call<'a> {
        Call::property("org.example", path, what)
    }

    #[test]
    fn many_calls_at_once_have_their_own_answers() {
        let address = play("calls", |path, member, arguments| match (path, member) {
            ("/org/none", _) => None,
            (path, "Get") => {
                assert_eq!(arguments, ["org.example.I", "P"]);
                Some(Value::Variant(Box::new(Value::U64(path.len() as u64))))
            }
            _ => Some(Value::Array(
                "su",
                vec![vec![Value::Text("a"), Value::U32(1)], vec![Value::Text(""), Value::U32(2)]],
            )),
        });
        let mut bus = Bus::at(&address);
        for _ in 0..2 {
            let mut talk = bus.talk().unwrap();
            let paths: Vec<String> = (0..200).map(|n| format!("/org/{}", "x".repeat(n))).collect();
            let mut calls: Vec<Call<'_>> =
                paths.iter().map(|path| get(path, &["org.example.I", "P"])).collect();
            calls.push(get("/org/none", &["org.example.I", "P"]));
            let mut found = vec![None; calls.len()];
            talk.calls(&calls, |place, reply| {
                found[place] = Some(reply.map(|reply| reply.property().unwrap().number().unwrap()));
            })
            .unwrap();
            let refused = found.pop().unwrap();
            assert_eq!(refused, Some(Err(Refusal("org.example.NotThere".into()))));
            assert!(found.iter().enumerate().all(|(n, value)| *value == Some(Ok(n as u64 + 5))), "{found:?}");
            let list = Call { member: "List", arguments: &[], ..get("/org/list", &["", ""]) };
            let reply = talk.call(list).unwrap().unwrap();
            let read = reply
                .read("a(su)")
                .unwrap()
                .structures(|item| Some((item.string()?.to_owned(), item.u32()?)));
            assert_eq!(read, Some(vec![("a".to_owned(), 1), (String::new(), 2)]));
            assert!(reply.read("a(so)").is_err(), "another type");
        }
    }

    #[test]
    fn a_silent_peer_is_given_up_on_and_a_new_connection_made() {
        let name = format!("node-exporter-silent-{}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let mut bus = Bus::at(&format!("unix:abstract={name}"));
        bus.patience = Duration::from_millis(100);
        let error = bus.talk().unwrap_err().to_string();
        assert!(error.ends_with("no answer in time"), "{error}");
        drop(listener);
        assert!(bus.talk().unwrap_err().to_string().contains("refused"));
    }

    #[test]
    fn addresses_as_the_environment_has_them() {
        assert_eq!(unescape("/a%20b%2"), b"/a b%2");
        for bad in ["", "tcp:host=localhost", "unix:", "unix:path=/nowhere/at/all"] {
            assert!(connect(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn broken_messages_are_no_answers() {
        let mut call = Vec::new();
        encode(&get("/org/x", &["a", "b"]), 7, &mut call);
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
