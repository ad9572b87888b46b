//! A program under test that serves HTTP on a port of its own choice, and the smallest client for it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take until it says where it listens.
const START: Duration = Duration::from_secs(30);
/// How long it may take to answer a request, and to end when told to.
const ANSWER: Duration = Duration::from_secs(10);

/// A running program that serves HTTP; it is ended when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    address: String,
    /// What it prints after its first URL.
    printed: Mutex<mpsc::Receiver<String>>,
}

impl Program {
    /// Starts a program and waits until it prints a line with the URL it listens at.
    ///
    /// # Panics
    ///
    /// When it does not start, or ends or stays silent instead. What it printed is in the message.
    pub fn start(path: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{} did not start: {e}", path.display()));
        let (lines, printed) = mpsc::channel();
        // Both pipes are read to their ends, so that the program never waits for us.
        if let Some(stdout) = child.stdout.take() {
            forward(stdout, lines.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            forward(stderr, lines);
        }
        match next_address(&printed) {
            Ok(address) => Self { child, address, printed: Mutex::new(printed) },
            Err(seen) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{} printed no URL:\n{seen}", path.display());
            }
        }
    }

    /// The address in the next URL that it prints, when it listens at several.
    ///
    /// # Panics
    ///
    /// When it prints none.
    pub fn next_address(&self) -> String {
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        next_address(&printed).unwrap_or_else(|seen| panic!("there is no other URL:\n{seen}"))
    }

    /// Host and port where it listens, such as `127.0.0.1:40123`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it for a path, see [`get`].
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        get(&self.address, path, headers).unwrap_or_else(|e| panic!("http://{}{path}: {e}", self.address))
    }

    /// Ends it as an operator does, with SIGTERM, and says whether it ended well.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    pub fn stop(mut self) -> bool {
        terminate(&self.child);
        let status = wait(&mut self.child, ANSWER);
        status.unwrap_or_else(|| panic!("the program at {} did not end when told to", self.address)).success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as it came.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is no UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body is UTF-8")
    }
}

/// One GET request over a connection of its own. HTTP/1.0, so the body ends with the connection and is never chunked.
pub fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let socket =
        address.to_socket_addrs()?.next().ok_or_else(|| invalid("the address has no socket address"))?;
    let mut stream = TcpStream::connect_timeout(&socket, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let mut request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n");
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;

    let end =
        answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(|| invalid("the head does not end"))?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    Ok(Response {
        status: status.ok_or_else(|| invalid("there is no status line"))?,
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body,
    })
}

/// Sends SIGTERM.
pub(super) fn terminate(child: &Child) {
    // A child that has ended is a child still, until somebody waits for it, so its number is nobody else's.
    let _ =
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM);
}

/// Waits for the end, but not longer than this.
pub(super) fn wait(child: &mut Child, at_most: Duration) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + at_most;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            _ => return None,
        }
    }
}

/// Waits for a line with a URL; without one, what was printed instead.
fn next_address(printed: &mpsc::Receiver<String>) -> Result<String, String> {
    let end = Instant::now() + START;
    let mut seen = String::new();
    while let Ok(line) = printed.recv_timeout(end.saturating_duration_since(Instant::now())) {
        if let Some(address) = address_in(&line) {
            return Ok(address);
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    Err(seen)
}

fn forward(pipe: impl Read + Send + 'static, lines: mpsc::Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = lines.send(line); // nobody listens any more once the program is dropped
        }
    });
}

/// `Listening on http://127.0.0.1:9100/metrics, press Ctrl-C to stop` has `127.0.0.1:9100`.
fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "[]:.-".contains(c))).unwrap_or(rest.len());
    let address = rest.get(..end)?.trim_end_matches(['.', ':']);
    address.contains(':').then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_what_people_read() {
        let line = "Listening on http://127.0.0.1:9100/metrics, press Ctrl-C to stop";
        assert_eq!(address_in(line).as_deref(), Some("127.0.0.1:9100"));
        assert_eq!(address_in("see http://[::1]:9100.").as_deref(), Some("[::1]:9100"));
        assert_eq!(address_in("see http://example.org/docs"), None);
        assert_eq!(address_in("nothing here"), None);
    }
}
