//! A scrape without input or output: what a request asks for, and the page that answers it.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method};

use super::{Limits, Response, reply};
use crate::format::negotiate::{Coding, negotiate, negotiate_coding};
use crate::format::{self, Format};
use crate::model::{Collector, Report};

/// What a scrape asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scrape {
    /// The format, by `Accept`.
    pub format: Format,
    /// The coding of the body, by `Accept-Encoding`.
    pub coding: Coding,
    /// How long it may take.
    pub time: Duration,
}

/// What becomes of a request to the metrics endpoint.
#[derive(Debug)]
pub enum Plan {
    /// A page is to be made.
    Scrape(Scrape),
    /// The answer needs no metrics.
    Answer(Response),
}

impl Plan {
    /// What a request with this method and these headers is after.
    pub fn new(method: &Method, headers: &HeaderMap, limits: &Limits) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Scrape(Scrape::new(headers, limits)),
            Method::OPTIONS => Self::Answer(reply::options()),
            _ => Self::Answer(reply::method_not_allowed()),
        }
    }
}

impl Scrape {
    /// What these headers ask for.
    pub fn new(headers: &HeaderMap, limits: &Limits) -> Self {
        let accept = joined(headers, &ACCEPT);
        let accept_encoding = joined(headers, &ACCEPT_ENCODING);
        let timeout =
            headers.get("x-prometheus-scrape-timeout-seconds").and_then(|value| value.to_str().ok());
        Self {
            format: negotiate(accept.as_deref()),
            coding: negotiate_coding(accept_encoding.as_deref()),
            time: limits.scrape_time(timeout),
        }
    }
}

/// All values of a list header as one list; values that are no text are left out.
fn joined(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// A page in one format and coding. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Page {
    /// The format of the bytes.
    pub format: Format,
    /// How they are coded.
    pub coding: Coding,
    /// The body.
    pub body: Bytes,
}

/// Below this a page fits in one packet anyway.
const SMALLEST_GZIP: usize = 1 << 10;

impl Page {
    /// The page in `coding`; a small one stays as it is.
    pub fn new(format: Format, body: Bytes, coding: Coding) -> Self {
        match coding {
            Coding::Gzip if body.len() >= SMALLEST_GZIP => Self { format, coding, body: gzip(&body) },
            _ => Self { format, coding: Coding::Identity, body },
        }
    }

    /// The answer that carries the page.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(self.body);
        let headers = response.headers_mut();
        let content_type = HeaderValue::from_str(self.format.content_type().as_ref());
        headers.insert(CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("text/plain")));
        if self.coding == Coding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// Level 1: a page has so many repetitions that higher levels gain little for several times the work.
fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

/// Makes the page of `collector`, and says what did not get on it.
pub fn render(collector: &dyn Collector, format: Format, coding: Coding) -> (Page, Report) {
    let mut out = Vec::new();
    let report = format::encode(collector, format, &mut out);
    (Page::new(format, out.into(), coding), report)
}

/// Answers a request to the metrics endpoint on this thread, without any of a server's guards.
///
/// This is all that an endpoint does as a pure function: negotiation, encoding, compression and headers.
///
/// ```
/// use http::{HeaderMap, Method};
/// use openmetrics::model::MetricSet;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("accept", "application/openmetrics-text; version=1.0.0".parse().unwrap());
/// let response = openmetrics::http::respond(&Method::GET, &headers, &MetricSet::default());
/// assert_eq!(response.body(), "# EOF\n");
/// assert_eq!(openmetrics::http::respond(&Method::PUT, &headers, &MetricSet::default()).status(), 405);
/// ```
pub fn respond(method: &Method, headers: &HeaderMap, collector: &dyn Collector) -> Response {
    match Plan::new(method, headers, &Limits::default()) {
        Plan::Scrape(scrape) => render(collector, scrape.format, scrape.coding).0.into_response(),
        Plan::Answer(response) => response,
    }
}
