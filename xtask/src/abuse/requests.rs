//! Requests that are wrong, or just right: smuggling forms, huge heads, rules of Host, methods.

use std::time::Duration;

use super::client::{Connection, SCRAPE, is_timeout};
use super::subject::Subject;

/// A request and the answers that are right.
struct Request {
    name: &'static str,
    bytes: Vec<u8>,
    statuses: &'static [u16],
    /// Whether the connection has to end, since nobody knows where the next request begins.
    ends: bool,
}

/// Refused: the framing is a lie or the grammar is broken, so the connection ends.
const BAD: &[u16] = &[400, 501, 505];
const TOO_LARGE: &[u16] = &[414, 431];

pub(super) fn run(subject: &Subject) -> Result<String, String> {
    let running = subject.start();
    let requests = requests();
    let mut wrong = Vec::new();
    for request in &requests {
        if let Err(why) = ask(running.address(), request) {
            wrong.push(format!("{}: {why}", request.name));
        }
        if let Err(why) = running.scrape() {
            return Err(format!("after {:?}: {why}", request.name));
        }
    }
    if wrong.is_empty() {
        Ok(format!("{} of {} right", requests.len(), requests.len()))
    } else {
        Err(format!("{} of {} wrong: {}", wrong.len(), requests.len(), wrong.join("; ")))
    }
}

fn ask(address: &str, request: &Request) -> Result<(), String> {
    let Request { bytes, statuses, ends, .. } = request;
    let mut connection = Connection::open(address).map_err(|e| format!("no connection: {e}"))?;
    if let Err(e) = connection.send(bytes) {
        // Cut while we were still sending: that is an answer, if a refusal is what was due.
        return if *ends { Ok(()) } else { Err(format!("cut while sending: {e}")) };
    }
    match connection.answer(bytes.starts_with(b"HEAD ")) {
        Ok(answer) if !statuses.contains(&answer.status) => {
            return Err(format!("status {}, not one of {statuses:?}", answer.status));
        }
        Ok(answer) if answer.status == 405 && answer.header("allow").is_none() => {
            return Err("status 405 without Allow".to_owned());
        }
        Ok(_) => {}
        Err(e) if is_timeout(&e) => return Err("no answer".to_owned()),
        Err(_) if *ends => return Ok(()), // cut without a word
        Err(e) => return Err(format!("no answer: {e}")),
    }
    if *ends && !connection.is_cut_within(Duration::from_secs(5)) {
        return Err("the connection stays open".to_owned());
    }
    if !*ends && statuses == &[200] {
        connection.send(SCRAPE.as_bytes()).map_err(|e| format!("the next request: {e}"))?;
        let next = connection.answer(false).map_err(|e| format!("the answer to the next request: {e}"))?;
        next.expect_page().map_err(|e| format!("the next request: {e}"))?;
    }
    Ok(())
}

fn requests() -> Vec<Request> {
    let request = |name, bytes: &str, statuses, ends| Request {
        name,
        bytes: bytes.as_bytes().to_vec(),
        statuses,
        ends,
    };
    let get = |headers: &str| format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    let method = |method: &str| format!("{method} /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut requests = vec![
        request("a scrape", &get(""), &[200], false),
        request("HEAD", &method("HEAD"), &[200], false),
        request("OPTIONS", &method("OPTIONS"), &[204], false),
        request("POST", &method("POST"), &[405], false),
        request("PUT", &method("PUT"), &[405], false),
        request("DELETE", &method("DELETE"), &[405], false),
        request("PATCH", &method("PATCH"), &[405], false),
        request("TRACE", &method("TRACE"), &[405], false),
        request(
            "CONNECT",
            "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
            &[400, 404, 405],
            false,
        ),
        request("an unknown method", &method("BREW"), &[405, 501], false),
        request("a method in lower case", &method("get"), &[400, 405, 501], false),
        request("a method that is no token", &method("G@T{}"), BAD, true),
        request("an unknown path", "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", &[404], false),
        request(
            "a path upwards",
            "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[400, 404],
            false,
        ),
        request("a path with %00", "GET /metrics%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400, 404], false),
        request(
            "an absolute target",
            "GET http://localhost/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[200],
            false,
        ),
        request("no Host", "GET /metrics HTTP/1.1\r\n\r\n", &[400], true),
        request("two Hosts", &get("Host: elsewhere\r\n"), &[400], true),
        request("a Host with a space", "GET /metrics HTTP/1.1\r\nHost: a b\r\n\r\n", &[400], true),
        request("a Host with a path", "GET /metrics HTTP/1.1\r\nHost: a/b\r\n\r\n", &[400], true),
        request("a Host with a user", "GET /metrics HTTP/1.1\r\nHost: me@localhost\r\n\r\n", &[400], true),
        request("HTTP/1.0 without Host", "GET /metrics HTTP/1.0\r\n\r\n", &[200], true),
        request("HTTP/0.9", "GET /metrics\r\n\r\n", BAD, true),
        request("HTTP/9.9", "GET /metrics HTTP/9.9\r\nHost: localhost\r\n\r\n", BAD, true),
        request("HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD, true),
        request("a TLS client", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{3}\u{3}", BAD, true),
        request(
            "Content-Length and Transfer-Encoding",
            &get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            BAD,
            true,
        ),
        request("two Content-Lengths", &get("Content-Length: 5\r\nContent-Length: 6\r\n"), BAD, true),
        request(
            "the same Content-Length twice",
            &get("Content-Length: 0\r\nContent-Length: 0\r\n"),
            BAD,
            true,
        ),
        request("a list of Content-Lengths", &get("Content-Length: 0, 0\r\n"), BAD, true),
        request("Content-Length with a plus", &get("Content-Length: +5\r\n"), BAD, true),
        request("Content-Length below zero", &get("Content-Length: -1\r\n"), BAD, true),
        request("Content-Length in hexadecimal", &get("Content-Length: 0x5\r\n"), BAD, true),
        request(
            "Content-Length beyond 64 bits",
            &get("Content-Length: 99999999999999999999\r\n"),
            &[400, 413],
            true,
        ),
        request("Transfer-Encoding gzip, chunked", &get("Transfer-Encoding: gzip, chunked\r\n"), BAD, true),
        request(
            "Transfer-Encoding chunked twice",
            &get("Transfer-Encoding: chunked, chunked\r\n"),
            BAD,
            true,
        ),
        request("Transfer-Encoding not quite chunked", &get("Transfer-Encoding: xchunked\r\n"), BAD, true),
        request("Transfer-Encoding identity", &get("Transfer-Encoding: identity\r\n"), BAD, true),
        request("a scrape with a body", &get("Content-Length: 5\r\n"), &[400, 413], true),
        request("a scrape with an empty body", &get("Content-Length: 0\r\n"), &[200], false),
        request("a folded header", &get("X-Folded: a\r\n b\r\n"), BAD, true),
        request("a space before the colon", &get("X-Space : a\r\n"), BAD, true),
        request("a header without a name", &get(": a\r\n"), BAD, true),
        request("a header without a colon", &get("nonsense\r\n"), BAD, true),
        request("a NUL in a value", &get("X-Nul: a\0b\r\n"), BAD, true),
        request("a lone CR in a value", &get("X-Cr: a\rb\r\n"), BAD, true),
        request(
            "nothing but line ends",
            "\r\n\r\n\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[200, 400],
            false,
        ),
        request(
            "a long target",
            &format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(9000)),
            TOO_LARGE,
            true,
        ),
        request("a long header", &get(&format!("X-Long: {}\r\n", "a".repeat(33 * 1024))), &[431], true),
        request("many headers", &get(&"X-Many: a\r\n".repeat(65)), &[431], true),
        request(
            "an endless head",
            &get(&"X-Many: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(50_000)),
            &[431],
            true,
        ),
    ];
    // Two in one packet: both have to be answered, in order.
    requests.push(request("two scrapes at once", &format!("{SCRAPE}{SCRAPE}"), &[200], false));
    requests.push(Request {
        name: "a target that is no ASCII",
        bytes: b"GET /metrics\xff HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        statuses: &[400, 404],
        ends: false,
    });
    requests
}
