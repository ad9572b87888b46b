//! A client that can misbehave: it sends any bytes, and reads answers as HTTP/1.1 has them.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};

/// How long anything may take unless a case says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// A well-formed scrape of a connection that stays open.
pub(super) const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// An error unless it is a whole page.
    pub(super) fn expect_page(self) -> Result<Self, String> {
        if self.status == 200 && !self.body.is_empty() {
            Ok(self)
        } else {
            Err(format!("status {} with {} bytes", self.status, self.body.len()))
        }
    }
}

/// One connection.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: &str) -> io::Result<Self> {
        let address: SocketAddr = address.parse().map_err(io::Error::other)?;
        Self::over(TcpStream::connect_timeout(&address, PATIENCE)?)
    }

    /// The same from an address of this machine of one's own choice.
    pub(super) fn open_from(address: &str, source: Ipv4Addr) -> io::Result<Self> {
        let address: SocketAddr = address.parse().map_err(io::Error::other)?;
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
        rustix::net::connect(&socket, &address)?;
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads one answer; to a HEAD request there is no body.
    pub(super) fn answer(&mut self, to_head: bool) -> io::Result<Answer> {
        let end = Instant::now() + PATIENCE;
        let head = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                let rest = self.buffer.split_off(at + 4);
                break std::mem::replace(&mut self.buffer, rest);
            }
            self.fill(end)?;
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status: u16 = status.ok_or_else(|| invalid("there is no status line"))?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if to_head || status == 204 || status == 304 || (100..200).contains(&status) {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let line = self.line(end)?;
                let size =
                    usize::from_str_radix(line.trim(), 16).map_err(|_| invalid("a chunk has no size"))?;
                let chunk = self.exactly(size, end)?;
                self.exactly(2, end)?;
                if size == 0 {
                    return Ok(answer);
                }
                answer.body.extend(chunk);
            }
        }
        match answer.header("content-length").map(str::parse::<usize>) {
            Some(Ok(length)) => answer.body = self.exactly(length, end)?,
            Some(Err(_)) => return Err(invalid("the content length is no number")),
            None => {
                while self.fill(end).is_ok() {}
                answer.body = std::mem::take(&mut self.buffer);
            }
        }
        Ok(answer)
    }

    /// Waits until the other side ends the connection; whether it does so in time.
    pub(super) fn is_cut_within(&mut self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        loop {
            match self.fill(end) {
                Ok(()) => self.buffer.clear(),
                Err(e) => return !is_timeout(&e),
            }
        }
    }

    fn line(&mut self, end: Instant) -> io::Result<String> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let rest = self.buffer.split_off(at + 2);
                let line = std::mem::replace(&mut self.buffer, rest);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.fill(end)?;
        }
    }

    fn exactly(&mut self, length: usize, end: Instant) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill(end)?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn fill(&mut self, end: Instant) -> io::Result<()> {
        let left = end.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut part = [0; 16 * 1024];
        match self.stream.read(&mut part)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.buffer.extend(part.iter().take(read));
                Ok(())
            }
        }
    }
}

/// One whole page over a connection of its own.
pub(super) fn scrape(address: &str) -> Result<Answer, String> {
    let ask = || {
        let mut connection = Connection::open(address)?;
        connection.send(SCRAPE.as_bytes())?;
        connection.answer(false)
    };
    ask().map_err(|e: io::Error| format!("a scrape failed: {e}"))?.expect_page()
}

pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}
