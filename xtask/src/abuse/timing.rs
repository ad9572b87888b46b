//! Whether the time of an answer tells which users there are.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::subject::Subject;
use super::{Kind, Scale, Verdict};
use crate::Folder;

/// Of a password that nobody types; at cost 10, as `htpasswd -B` and people make them.
const CONFIG: &str =
    "basic_auth_users:\n  alice: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n";
const PAIRS: usize = 60;
/// So many tries come from one address, well below what is slowed down.
const TRIES: usize = 40;

pub(super) fn run(subject: &Subject, scale: Scale) -> Verdict {
    match subject.kind {
        Kind::Node | Kind::Snmp => Some(measure(subject, scale)),
        Kind::Application | Kind::Churn => None,
    }
}

fn measure(subject: &Subject, scale: Scale) -> Result<String, String> {
    let folder = Folder::new("timing");
    let config = format!("--web.config.file={}", folder.write("web.yml", CONFIG).display());
    let running = subject.start_with(&[&config]);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let mut connection = None;
    for number in 0..2 * scale.of(PAIRS, 5) {
        if number % TRIES == 0 {
            let source = Ipv4Addr::new(127, 0, 0, 10 + (number / TRIES) as u8);
            connection = Some(Connection::open_from(running.address(), source).map_err(|e| e.to_string())?);
        }
        let Some(connection) = &mut connection else { continue };
        // In turn, and the first of a pair in turn as well.
        let (user, times) =
            if (number + number / 2) % 2 == 0 { ("alice", &mut known) } else { ("mallo", &mut unknown) };
        times.push(try_password(connection, user, number).map_err(|e| e.to_string())?);
    }
    let (known, unknown) = (typical(&mut known), typical(&mut unknown));
    let apart = (known.as_secs_f64() / unknown.as_secs_f64() - 1.0).abs() * 100.0;
    let figures = format!("{known:.1?} for a known user, {unknown:.1?} for another, {apart:.1} % apart");
    if apart <= scale.of(5.0, 100.0) { Ok(figures) } else { Err(figures) }
}

fn try_password(connection: &mut Connection, user: &str, number: usize) -> io::Result<Duration> {
    let credentials = base64(format!("{user}:guess-{number:04}").as_bytes());
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\r\n");
    let start = Instant::now();
    connection.send(request.as_bytes())?;
    let status = connection.answer(false)?.status;
    let took = start.elapsed();
    if status == 401 { Ok(took) } else { Err(io::Error::other(format!("status {status} instead of 401"))) }
}

/// The lower quartile: what the work takes, whatever else the machine does meanwhile.
fn typical(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 4).copied().unwrap_or_default()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let part = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        for at in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * at) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if at > chunk.len() { '=' } else { letter.into() });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn credentials_as_browsers_send_them() {
        assert_eq!(base64(b"alice:correct horse"), "YWxpY2U6Y29ycmVjdCBob3JzZQ==");
        assert_eq!(base64(b"a:bc"), "YTpiYw==");
        assert_eq!(base64(b"a:bcd"), "YTpiY2Q=");
        assert_eq!(base64(b"a:bcde"), "YTpiY2Rl");
    }
}
