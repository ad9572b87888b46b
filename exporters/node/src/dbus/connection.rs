//! A connection: who is at its other end, and calls that are under way on it.

use std::io::{self, Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

use super::message::{ERROR, METHOD_RETURN, Message, Reader, decode, encode};
use super::{Call, Refusal, Reply};

/// Calls under way at once: as many as fit into a socket's buffer, so that neither side waits for the other.
const UNDER_WAY: usize = 64;
/// No answer is longer: a unit takes some 300 bytes.
const LONGEST_MESSAGE: usize = 32 << 20;
const BUS: &str = "org.freedesktop.DBus";

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: UnixStream,
    pub(super) serial: u32,
    /// When all that is asked has to be answered.
    pub(super) deadline: Instant,
    /// What was received and not read yet.
    pub(super) received: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: &str, by_broker: bool, deadline: Instant) -> io::Result<Self> {
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
    pub(super) fn is_quiet(&mut self) -> bool {
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

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
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
    pub(super) fn line(&mut self) -> io::Result<String> {
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
    pub(super) fn exchange(
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
    pub(super) fn message(&mut self) -> io::Result<Message> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_the_environment_has_them() {
        assert_eq!(unescape("/a%20b%2"), b"/a b%2");
        for bad in ["", "tcp:host=localhost", "unix:", "unix:path=/nowhere/at/all"] {
            assert!(connect(bad).is_err(), "{bad}");
        }
    }
}
