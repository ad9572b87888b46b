//! One connection of HTTP/1, from its first byte to its last.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{HeaderValue, Method, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::gate::Slot;
use super::head::{Head, Reader};
use super::reply::{method_not_allowed, overloaded, text};
use super::{CivilTime, Request, Response, Service};

/// What a connection's buffer begins with: the head of a scraper's request.
const FIRST_READ: usize = 1 << 10;
/// How long a connection that waits for a request still may send one when the server stops: what a scraper has
/// written already is on its way, and is answered.
const LAST_CALL: Duration = Duration::from_millis(250);
/// After so long without taking a byte of its answer, a client may be cut for a newcomer.
const STALLS: Duration = Duration::from_secs(5);
/// How long, and how many bytes, a client's rest is read after an answer that closes. Closing with unread bytes
/// would reset the connection, and the client would lose the answer.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 << 10;

/// A connection's transport. Open, for TLS and for transports that tokio does not have.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes closing a reset instead of an orderly end. The kernel would go on trying to deliver what a client that
    /// takes nothing has not taken; and the client would never learn that it was cut.
    fn reset_on_close(&self);
}

impl Stream for tokio::net::TcpStream {
    fn reset_on_close(&self) {
        // Where it fails, closing is just slower.
        #[cfg(unix)]
        let _ = rustix::net::sockopt::set_socket_linger(self, Some(Duration::ZERO));
    }
}

#[cfg(unix)]
impl Stream for tokio::net::UnixStream {
    fn reset_on_close(&self) {}
}

/// Answers the requests that come over `io`, one after the other, within the limits of `slot`.
pub async fn serve<Io, S>(mut io: Io, peer: Option<IpAddr>, service: &S, slot: &Slot)
where
    Io: Stream,
    S: Service + ?Sized,
{
    let limits = slot.limits();
    let mut reader = Reader::default();
    let mut deadline = Instant::now() + limits.head;
    loop {
        let head = match next_head(&mut io, &mut reader, deadline, slot).await {
            Next::Head(head) => head,
            Next::End => return,
            Next::Answer(mut response) => {
                response.headers_mut().insert(CONNECTION, CLOSE);
                // Errors are not looked at: the connection ends either way.
                let _ = write(&mut io, response, false, slot).await;
                linger(&mut io).await;
                return;
            }
        };
        slot.busy();
        let Head { request, keep_alive, body } = *head;
        let headless = request.method == Method::HEAD;
        let version = request.version;
        let mut response = if !service.takes(&request.method) {
            method_not_allowed()
        } else if body {
            text(StatusCode::PAYLOAD_TOO_LARGE, "requests here have no body")
        } else if let Some(_place) = slot.begin() {
            service.call(Request { head: request, peer }).await
        } else {
            overloaded("too many requests are being answered")
        };
        let keep_alive = keep_alive && !slot.is_draining();
        if !keep_alive {
            response.headers_mut().insert(CONNECTION, CLOSE);
        } else if version == Version::HTTP_10 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        }
        let Ok(stalled) = write(&mut io, response, headless, slot).await else { return };
        // Who took nothing for a while gets no further answer: pipelined requests would each begin a new allowance.
        if !keep_alive || stalled {
            if body || !reader.is_empty() {
                linger(&mut io).await;
            } else {
                let _ = timeout(LINGER, io.shutdown()).await;
            }
            return;
        }
        slot.waits();
        deadline = Instant::now() + limits.idle;
    }
}

const CLOSE: HeaderValue = HeaderValue::from_static("close");

enum Next {
    Head(Box<Head>),
    /// The connection ends without a word.
    End,
    /// The connection ends with this answer.
    Answer(Response),
}

async fn next_head<Io: Stream>(io: &mut Io, reader: &mut Reader, mut deadline: Instant, slot: &Slot) -> Next {
    let limits = slot.limits();
    let mut quiet = reader.is_empty();
    let mut draining = false;
    loop {
        match reader.advance(limits) {
            Ok(Some(head)) => return Next::Head(Box::new(head)),
            Ok(None) => {}
            Err(refused) => return Next::Answer(text(refused.status, refused.reason)),
        }
        let buffer = reader.buffer();
        buffer.reserve(FIRST_READ.max(buffer.len()));
        tokio::select! {
            biased;
            () = slot.cut() => return Next::End,
            read = io.read_buf(buffer) => match read {
                Ok(0) | Err(_) => return Next::End,
                Ok(_) => {
                    if std::mem::take(&mut quiet) {
                        deadline = deadline.min(Instant::now() + limits.head);
                    }
                }
            },
            () = sleep_until(deadline) => {
                return if quiet || draining {
                    Next::End
                } else {
                    Next::Answer(text(StatusCode::REQUEST_TIMEOUT, "the request's head took too long"))
                };
            }
            () = slot.draining(), if !draining => {
                draining = true;
                deadline = deadline.min(Instant::now() + LAST_CALL);
            }
        }
    }
}

/// Tells a client for which there is no slot, and ends the connection.
pub(crate) async fn turn_away<Io: Stream>(mut io: Io) {
    let mut response = overloaded("too many connections");
    response.headers_mut().insert(CONNECTION, CLOSE);
    let mut answer = encode_head(&response, SystemTime::now());
    answer.extend_from_slice(response.body());
    if let Ok(Ok(())) = timeout(LINGER, io.write_all(&answer)).await {
        linger(&mut io).await;
    }
}

/// Says that nothing more comes, and reads what the client has sent already.
async fn linger<Io: Stream>(io: &mut Io) {
    let rest = async {
        let mut left = LINGER_BYTES;
        let mut scratch = [0; 1 << 10];
        io.shutdown().await?;
        while left > 0 {
            match io.read(&mut scratch).await? {
                0 => break,
                n => left = left.saturating_sub(n),
            }
        }
        io::Result::Ok(())
    };
    let _ = timeout(LINGER, Box::pin(rest)).await;
}

/// Writes an answer within the limits on time, and says whether the client stalled. One that does may be cut for a
/// newcomer.
async fn write<Io: Stream>(io: &mut Io, response: Response, headless: bool, slot: &Slot) -> io::Result<bool> {
    let limits = slot.limits();
    let end = Instant::now() + limits.write;
    let head = encode_head(&response, SystemTime::now());
    let body = if headless { Bytes::new() } else { response.into_body() };
    let (mut head, mut body) = (head.as_slice(), body.as_ref());
    let mut progress = Instant::now();
    let (mut stalls, mut stalled) = (false, false);
    loop {
        let until =
            if stalls { progress + limits.write_stall } else { progress + STALLS.min(limits.write_stall) };
        let step = async {
            if head.is_empty() && body.is_empty() {
                io.flush().await.map(|()| None)
            } else {
                io.write_vectored(&[io::IoSlice::new(head), io::IoSlice::new(body)]).await.map(Some)
            }
        };
        let written = tokio::select! {
            biased;
            written = step => written?,
            () = sleep_until(end.min(until)) => {
                let now = Instant::now();
                if now >= end || now >= progress + limits.write_stall {
                    io.reset_on_close();
                    return Err(io::ErrorKind::TimedOut.into());
                }
                (stalls, stalled) = (true, true);
                slot.stalls();
                continue;
            }
            () = slot.cut(), if stalls => {
                io.reset_on_close();
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        };
        progress = Instant::now();
        if std::mem::take(&mut stalls) {
            slot.busy();
        }
        match written {
            None => return Ok(stalled),
            Some(0) => return Err(io::ErrorKind::WriteZero.into()),
            Some(written) => {
                let of_head = written.min(head.len());
                head = head.get(of_head..).unwrap_or_default();
                body = body.get(written - of_head..).unwrap_or_default();
            }
        }
    }
}

/// The status line and the header lines of an answer.
fn encode_head(response: &Response, now: SystemTime) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let status = response.status();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    let mut line = |name: &str, value: &[u8]| {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
    };
    for (name, value) in response.headers() {
        line(name.as_str(), value.as_bytes());
    }
    let headers = response.headers();
    if !headers.contains_key(CONTENT_LENGTH) && status != StatusCode::NO_CONTENT {
        line(CONTENT_LENGTH.as_str(), response.body().len().to_string().as_bytes());
    }
    if !headers.contains_key(DATE) {
        line(DATE.as_str(), CivilTime::from(now).http_date().as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn heads_are_written_with_length_and_date() {
        let response = text(StatusCode::NOT_FOUND, "no");
        let head = String::from_utf8(encode_head(&response, UNIX_EPOCH)).unwrap();
        assert_eq!(
            head,
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain; charset=utf-8\r\nx-content-type-options: nosniff\r\n\
             content-length: 3\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
        );
    }
}
