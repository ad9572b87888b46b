//! `omtool serve`: an endpoint that replays expositions, to try scrapers and dashboards with.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use openmetrics::format::{self, Coding, negotiate, negotiate_coding};
use openmetrics::model::MetricSet;

use super::input::{Reader, decode, format_of};
use crate::cli::{Failure, Outcome};
use crate::client::ConnectArguments;
use crate::subject::{Spec, Subject};

/// What to replay.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files; each scrape gets the next one, and those after the last one get it again.
    #[arg(required = true)]
    inputs: Vec<String>,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9999", value_name = "ADDRESS")]
    listen: String,
    /// The format of the files; found out if not given.
    #[arg(long)]
    spec: Option<Spec>,
    /// Send the files byte for byte, whatever is asked for and however broken they are.
    #[arg(long)]
    raw: bool,
    /// Begin again with the first file after the last.
    #[arg(long = "loop")]
    repeat: bool,
    #[command(flatten)]
    connect: ConnectArguments,
}

/// Connections at the same time; more wait.
const MAX_CONNECTIONS: usize = 64;
/// The largest head of a request.
const MAX_HEAD: usize = 16 << 10;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// The pages, and which of them is next.
struct Replay {
    pages: Vec<Page>,
    next: AtomicUsize,
    repeat: bool,
}

enum Page {
    /// Written anew in the format that is asked for.
    Set(MetricSet),
    /// As it is.
    Raw(Vec<u8>, String),
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let reader = Reader::new(&arguments.connect)?;
    let mut pages = Vec::new();
    for input in &arguments.inputs {
        let subject = reader.subject(input, arguments.spec)?;
        pages.push(page(subject, arguments.raw)?);
    }
    let listener = TcpListener::bind(&arguments.listen)
        .map_err(|error| Failure::new(format!("{}: {error}", arguments.listen)))?;
    eprintln!("omtool: http://{}/metrics replays {} expositions", listener.local_addr()?, pages.len());
    let replay = Arc::new(Replay { pages, next: AtomicUsize::new(0), repeat: arguments.repeat });
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        if open.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            open.fetch_sub(1, Ordering::Relaxed);
            continue; // closed
        }
        let (replay, open) = (Arc::clone(&replay), Arc::clone(&open));
        std::thread::spawn(move || {
            let _ = connection(&stream, &replay);
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(Outcome::Clean)
}

fn page(subject: Subject, raw: bool) -> Result<Page, Failure> {
    if raw {
        let content_type = format_of(subject.spec).content_type();
        return Ok(Page::Raw(subject.bytes, content_type));
    }
    match decode(&subject) {
        Ok(set) => Ok(Page::Set(set)),
        Err(error) => {
            let message = format!("{}: {error}; --raw sends it as it is", subject.name);
            Err(Failure::unreadable(message))
        }
    }
}

/// Answers requests on one connection until it ends.
fn connection(mut stream: &TcpStream, replay: &Replay) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if buffer.len() > MAX_HEAD {
                return stream.write_all(&answer(431, "", &[], None, true));
            }
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk)?;
            if read == 0 {
                return Ok(());
            }
            buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
        };
        let head = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).into_owned();
        buffer.drain(..end);
        let (response, close) = respond(&head, replay);
        stream.write_all(&response)?;
        if close {
            return Ok(());
        }
    }
}

/// The answer to a request, and whether the connection ends with it.
fn respond(head: &str, replay: &Replay) -> (Vec<u8>, bool) {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, path, version) = (words.next(), words.next().unwrap_or_default(), words.next());
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |wanted: &str| {
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let asks_to_close = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    // A body is not read, so what follows it is no request.
    let has_body =
        header("content-length").is_some_and(|n| n != "0") || header("transfer-encoding").is_some();
    let close = asks_to_close || version != Some("HTTP/1.1") || has_body;
    if !matches!(method, Some("GET" | "HEAD")) {
        return (answer(405, "allow: GET, HEAD\r\n", &[], None, close), close);
    }
    if path.split('?').next() != Some("/metrics") {
        return (answer(404, "content-type: text/plain\r\n", b"try /metrics\n", None, close), close);
    }
    let at = if method == Some("HEAD") {
        replay.next.load(Ordering::Relaxed)
    } else {
        replay.next.fetch_add(1, Ordering::Relaxed)
    };
    let count = replay.pages.len().max(1);
    let at = if replay.repeat { at % count } else { at.min(count - 1) };
    let Some(page) = replay.pages.get(at) else { return (answer(500, "", &[], None, true), true) };
    let (body, content_type) = match page {
        Page::Raw(bytes, content_type) => (bytes.clone(), content_type.clone()),
        Page::Set(set) => {
            let format = negotiate(header("accept"));
            let mut body = Vec::new();
            format::encode(set, format, &mut body);
            (body, format.content_type())
        }
    };
    let mut more = format!("content-type: {content_type}\r\n");
    let mut body = body;
    if negotiate_coding(header("accept-encoding")) == Coding::Gzip {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        if let Ok(packed) = encoder.write_all(&body).and_then(|()| encoder.finish()) {
            body = packed;
            more.push_str("content-encoding: gzip\r\n");
        }
    }
    let sent: &[u8] = if method == Some("HEAD") { &[] } else { &body };
    (answer(200, &more, sent, Some(body.len()), close), close)
}

/// Status line, headers, body. `length` is that of the body a GET gets.
fn answer(status: u16, headers: &str, body: &[u8], length: Option<usize>, close: bool) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Internal Server Error",
    };
    let length = length.unwrap_or(body.len());
    let close = if close { "connection: close\r\n" } else { "" };
    let head = format!("HTTP/1.1 {status} {reason}\r\n{headers}content-length: {length}\r\n{close}\r\n");
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(texts: &[&str], repeat: bool) -> Replay {
        let page = |text: &&str| {
            page(Subject::new("", text.as_bytes().to_vec(), Some(Spec::OpenMetrics1)).unwrap(), false)
                .unwrap()
        };
        Replay { pages: texts.iter().map(page).collect(), next: AtomicUsize::new(0), repeat }
    }

    fn ask(replay: &Replay, head: &str) -> String {
        String::from_utf8(respond(head, replay).0).unwrap()
    }

    #[test]
    fn each_scrape_gets_the_next_page_in_the_format_it_asks_for() {
        let two = ["# TYPE a counter\na_total 1\n# EOF\n", "# TYPE a counter\na_total 2\n# EOF\n"];
        let once = replay(&two, false);
        let get = "GET /metrics HTTP/1.1\r\nhost: x\r\n";
        assert_eq!(
            ask(&once, &format!("{get}\r\n")),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: 33\r\n\r\n\
             # TYPE a_total counter\na_total 1\n"
        );
        let om = format!("{get}accept: application/openmetrics-text\r\n\r\n");
        assert!(ask(&once, &om).ends_with("a_total 2\n# EOF\n"));
        assert!(ask(&once, &om).ends_with("a_total 2\n# EOF\n"), "the last one stays");
        let again = replay(&two, true);
        let pages: Vec<bool> = (0..3).map(|_| ask(&again, &om).contains("a_total 1")).collect();
        assert_eq!(pages, [true, false, true]);
    }

    #[test]
    fn other_requests() {
        let replay = replay(&["# EOF\n"], false);
        assert!(
            ask(&replay, "POST /metrics HTTP/1.1\r\ncontent-length: 5\r\n\r\n").starts_with("HTTP/1.1 405")
        );
        assert!(ask(&replay, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(ask(&replay, "HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
        assert!(ask(&replay, "nonsense\r\n\r\n").contains("connection: close"));
        let packed = respond("GET /metrics HTTP/1.1\r\naccept-encoding: gzip\r\n\r\n", &replay).0;
        assert!(String::from_utf8_lossy(&packed).contains("content-encoding: gzip"));
    }
}
