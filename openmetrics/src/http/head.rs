//! The strict reader of HTTP/1 request heads: bytes to a request or a refusal, nothing else.
//!
//! Only what a scraper, a browser or `curl` sends is taken
//! ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112)). Where that document lets a server be lenient - bare line
//! feeds, folded lines, spaces around names - this reader refuses, because two readers that are lenient in different
//! ways are how requests get smuggled. Bodies are not read at all: no request here has a use for one.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::Limits;

/// A request without a body.
#[derive(Debug)]
pub struct Head {
    /// Method, target, version and headers.
    pub request: http::request::Parts,
    /// Whether the connection stays open after the answer, as far as the client is concerned.
    pub keep_alive: bool,
    /// Whether the client announced a body; it is refused, and the connection closed.
    pub body: bool,
}

/// Why a head is not answered as it asks; the connection is closed after saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The answer's status.
    pub status: StatusCode,
    /// The reason in words, for the answer's body.
    pub reason: &'static str,
}

const fn bad(reason: &'static str) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, reason }
}

/// Gathers the bytes of one head and says when it is complete. Looks at every byte once, however they arrive.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    /// Up to here line ends were looked for.
    scanned: usize,
    /// Where the line begins that is not complete yet.
    line: usize,
    /// Where the header lines begin, once the request line is complete.
    headers: Option<usize>,
    header_lines: usize,
    /// Whether an empty line before the request was skipped.
    skipped: bool,
}

impl Reader {
    /// The buffer to append received bytes to, before [`advance`](Reader::advance).
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether no byte of a request is here.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next head, if it is complete. What follows it stays for the next call.
    pub fn advance(&mut self, limits: &Limits) -> Result<Option<Head>, Refused> {
        // An empty line before a request is skipped, as RFC 9112 section 2.2 asks for; one, not any number.
        if !self.skipped && self.bytes.starts_with(b"\r\n") {
            self.bytes.drain(..2);
            self.skipped = true;
            self.scanned = 0;
        }
        match self.bytes.as_slice() {
            [] => return Ok(None),
            [b'\r'] if !self.skipped => return Ok(None),
            [0x16, ..] => return Err(bad("this port speaks HTTP, not HTTPS")),
            [first, ..] if !is_token_byte(*first) => return Err(bad("a request begins with a method")),
            _ => {}
        }
        while let Some(found) = memchr::memchr(b'\n', self.bytes.get(self.scanned..).unwrap_or_default()) {
            let end = self.scanned + found;
            self.scanned = end + 1;
            let line = self.bytes.get(self.line..end).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(bad("a line ends in a line feed without a carriage return"));
            };
            let empty = line.is_empty();
            self.check_sizes(end, limits)?;
            self.line = end + 1;
            let Some(headers) = self.headers else {
                self.headers = Some(end + 1);
                continue;
            };
            if empty {
                let head = parse(&self.bytes, headers, end - 1);
                self.bytes.drain(..=end);
                if self.bytes.is_empty() {
                    self.bytes = Vec::new();
                }
                *self = Self { bytes: std::mem::take(&mut self.bytes), ..Self::default() };
                return head.map(Some);
            }
            self.header_lines += 1;
            if self.header_lines > limits.headers {
                return Err(too_large("there are too many header lines"));
            }
        }
        self.scanned = self.bytes.len();
        self.check_sizes(self.scanned, limits)?;
        Ok(None)
    }

    /// Refuses a head that is too long when its lines reach to `end`.
    fn check_sizes(&self, end: usize, limits: &Limits) -> Result<(), Refused> {
        match self.headers {
            None if end > limits.request_line + 1 => {
                Err(Refused { status: StatusCode::URI_TOO_LONG, reason: "the request line is too long" })
            }
            Some(headers) if end > headers + limits.header_bytes + 1 => {
                Err(too_large("the header lines are too long"))
            }
            _ => Ok(()),
        }
    }
}

const fn too_large(reason: &'static str) -> Refused {
    Refused { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason }
}

/// Reads a complete head: its request line ends before `headers`, its last header line before `end`.
fn parse(bytes: &[u8], headers: usize, end: usize) -> Result<Head, Refused> {
    let request_line = bytes.get(..headers.saturating_sub(2)).unwrap_or_default();
    let header_lines = bytes.get(headers..end).unwrap_or_default();
    let (method, uri, version) = parse_request_line(request_line)?;
    let headers = parse_headers(header_lines)?;
    check_host(&headers, version)?;
    let body = announces_body(&headers, version)?;

    let mut request = http::Request::new(()).into_parts().0;
    let options = headers.get_all(CONNECTION);
    let has = |option: &str| {
        let mut tokens = options.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
        tokens.any(|token| token.trim().eq_ignore_ascii_case(option))
    };
    let keep_alive = !body && !has("close") && (version == Version::HTTP_11 || has("keep-alive"));
    request.method = method;
    request.uri = uri;
    request.version = version;
    request.headers = headers;
    Ok(Head { request, keep_alive, body })
}

/// `GET /metrics?collect[]=cpu HTTP/1.1`
fn parse_request_line(line: &[u8]) -> Result<(Method, Uri, Version), Refused> {
    let mut words = line.split(|&b| b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad("a request line is a method, a target and a version with one space between"));
    };
    if !method.iter().copied().all(is_token_byte) {
        return Err(bad("the method has characters that no method has"));
    }
    let method = Method::from_bytes(method).map_err(|_| bad("the method is not one"))?;
    let version = match version {
        b"HTTP/1.0" => Version::HTTP_10,
        // A later minor version is answered as 1.1, the highest that is spoken here.
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Version::HTTP_11,
        [b'H', b'T', b'T', b'P', b'/', b'0' | b'2'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Refused {
                status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                reason: "only HTTP/1.0 and HTTP/1.1 are spoken here",
            });
        }
        _ => return Err(bad("the version is not one of HTTP")),
    };
    Ok((method.clone(), parse_target(target, &method)?, version))
}

fn parse_target(target: &[u8], method: &Method) -> Result<Uri, Refused> {
    if target.iter().any(|&b| !b.is_ascii_graphic() || b == b'#') {
        return Err(bad("the target has characters that no target has"));
    }
    let mut rest = target;
    while let Some(at) = memchr::memchr(b'%', rest) {
        rest = rest.get(at + 1..).unwrap_or_default();
        if !matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()) {
            return Err(bad("the target has a percent sign without two hexadecimal digits"));
        }
    }
    let uri = Uri::try_from(target).map_err(|_| bad("the target is not one"))?;
    // Origin form; absolute form, as to a proxy; `*` for OPTIONS. CONNECT's authority form gets its 405 later.
    let fits = match target {
        [b'/', ..] => true,
        b"*" => method == Method::OPTIONS,
        _ if method == Method::CONNECT => true,
        _ => {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|authority| is_host(authority.as_str().as_bytes()))
        }
    };
    if fits { Ok(uri) } else { Err(bad("the target is neither a path nor an address of http")) }
}

fn parse_headers(lines: &[u8]) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    for line in lines.split(|&b| b == b'\n') {
        // `Reader` saw that every line ends in both bytes.
        let Some(line) = line.strip_suffix(b"\r") else { continue };
        let colon = memchr::memchr(b':', line).ok_or(bad("a header line has no colon"))?;
        let (name, value) = line.split_at(colon);
        let name =
            HeaderName::from_bytes(name).map_err(|_| bad("a header name has characters that none has"))?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let value =
            HeaderValue::from_bytes(value).map_err(|_| bad("a header value has control characters"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Exactly one `Host`, and a valid one; HTTP/1.0 may leave it out.
fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Refused> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(bad("there is no Host header")),
        (Some(_), Some(_)) => Err(bad("there is more than one Host header")),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err(bad("the Host header is not a host with or without a port")),
    }
}

/// `example.org`, `example.org:9100`, `[::1]:9100`
fn is_host(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (valid, port) = if let Some((address, port)) = text.strip_prefix('[').and_then(|t| t.split_once(']'))
    {
        (address.parse::<std::net::Ipv6Addr>().is_ok(), port)
    } else {
        let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        let in_name = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&b);
        (!name.is_empty() && name.bytes().all(in_name), port)
    };
    valid
        && match port.strip_prefix(':') {
            None => port.is_empty(),
            Some("") => true,
            Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        }
}

/// Whether a body follows; an error where two readers could disagree on how long it is.
fn announces_body(headers: &HeaderMap, version: Version) -> Result<bool, Refused> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let body = match (lengths.next(), codings.next()) {
        (None, None) => false,
        (Some(_), Some(_)) => return Err(bad("there are a Content-Length and a Transfer-Encoding")),
        (Some(length), None) => {
            let digits = length.as_bytes();
            if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
                return Err(bad("the Content-Length is not a number"));
            }
            digits.iter().any(|&d| d != b'0')
        }
        (None, Some(_)) if version == Version::HTTP_10 => {
            return Err(bad("HTTP/1.0 has no Transfer-Encoding"));
        }
        (None, Some(coding)) => {
            if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(bad("the Transfer-Encoding is not chunked"));
            }
            true
        }
    };
    if lengths.next().is_some() {
        return Err(bad("there is more than one Content-Length"));
    }
    if codings.next().is_some() {
        return Err(bad("there is more than one Transfer-Encoding"));
    }
    Ok(body)
}

/// The characters of methods and header names (RFC 9110 section 5.6.2).
const fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text`, as a whole and byte by byte, which has to come to the same.
    fn read(text: &[u8]) -> Result<Option<Head>, Refused> {
        let limits = Limits::default();
        let mut reader = Reader::default();
        reader.buffer().extend_from_slice(text);
        let whole = reader.advance(&limits);
        let mut slow = Reader::default();
        let mut last = Ok(None);
        for &byte in text {
            slow.buffer().push(byte);
            last = slow.advance(&limits);
            if !matches!(last, Ok(None)) {
                break;
            }
        }
        let key = |r: &Result<Option<Head>, Refused>| match r {
            Ok(head) => Ok(head.as_ref().map(|h| h.request.uri.to_string())),
            Err(refused) => Err(refused.status),
        };
        assert_eq!(key(&whole), key(&last), "{:?}", String::from_utf8_lossy(text));
        whole
    }

    fn get(headers: &str) -> String {
        format!("GET /metrics HTTP/1.1\r\n{headers}\r\n")
    }

    #[test]
    fn a_scrapers_head_is_read() {
        let text = get("Host: [::1]:9100\r\nAccept: text/plain;q=0.5,*/*;q=0.1\r\nX-Empty:\r\n");
        let head = read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(head.request.method, Method::GET);
        assert_eq!(head.request.uri.path(), "/metrics");
        assert_eq!(head.request.headers.get("accept").unwrap(), "text/plain;q=0.5,*/*;q=0.1");
        assert_eq!(head.request.headers.get("x-empty").unwrap(), "");
        assert!(head.keep_alive && !head.body);
    }

    #[test]
    fn the_connection_stays_open_as_the_versions_and_headers_say() {
        for (text, keep_alive) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
            ("GET / HTTP/1.3\r\nHost: a\r\n\r\n", true),
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", false),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap().unwrap().keep_alive, keep_alive, "{text:?}");
        }
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for (text, status) in [
            ("GET /metrics\r\n\r\n", 400),
            ("GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /metrics HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
            ("GET\t/metrics HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /a\u{0} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET metrics HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            ("GET / HTTP/1.1\nHost: a\n\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nN\u{e4}me: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n", 400),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                400,
            ),
            ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("\u{16}\u{3}\u{1}\u{0}", 400),
        ] {
            let refused = read(text.as_bytes()).err().map(|refused| refused.status.as_u16());
            assert_eq!(refused, Some(status), "{text:?}");
        }
    }

    #[test]
    fn a_body_is_announced_by_a_length_or_exactly_chunked() {
        for (header, body) in [
            ("Content-Length: 0\r\n", false),
            ("Content-Length: 12\r\n", true),
            ("Transfer-Encoding: Chunked\r\n", true),
        ] {
            assert_eq!(read(get(&format!("Host: a\r\n{header}")).as_bytes()).unwrap().unwrap().body, body);
        }
    }

    #[test]
    fn sizes_have_limits() {
        let limits = Limits::default();
        let line = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(n - 14));
        assert!(read(line(limits.request_line).as_bytes()).unwrap().is_some());
        let status = |text: String| read(text.as_bytes()).unwrap_err().status.as_u16();
        assert_eq!(status(line(limits.request_line + 1)), 414);
        assert_eq!(status("G".repeat(limits.request_line + 2)), 414);
        let filler = |n: usize| get(&format!("Host: a\r\nX: {}\r\n", "a".repeat(n - 14)));
        assert!(read(filler(limits.header_bytes).as_bytes()).unwrap().is_some());
        assert_eq!(status(filler(limits.header_bytes + 1)), 431);
        let many = |n: usize| get(&format!("Host: a\r\n{}", "X: y\r\n".repeat(n - 1)));
        assert!(read(many(limits.headers).as_bytes()).unwrap().is_some());
        assert_eq!(status(many(limits.headers + 1)), 431);
    }

    #[test]
    fn pipelined_heads_come_one_by_one() {
        let limits = Limits::default();
        let mut reader = Reader::default();
        let text = get("Host: a\r\n");
        reader.buffer().extend_from_slice(text.repeat(2).as_bytes());
        reader.buffer().extend_from_slice(b"GET /ne");
        for _ in 0..2 {
            assert_eq!(reader.advance(&limits).unwrap().unwrap().request.uri, "/metrics");
        }
        assert!(reader.advance(&limits).unwrap().is_none());
        reader.buffer().extend_from_slice(b"xt HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(reader.advance(&limits).unwrap().unwrap().request.uri, "/next");
        assert!(reader.is_empty());
    }

    quickcheck::quickcheck! {
        fn no_bytes_panic(bytes: Vec<u8>) -> bool {
            let _ = read(&bytes);
            let mut text = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
            text.extend(bytes);
            text.extend(b"\r\n\r\n");
            let _ = read(&text);
            true
        }
    }
}
