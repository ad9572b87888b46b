//! A scrape without input or output: what a request asks for, and the page that answers it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method};

use super::gather::Parameters;
use super::{Limits, Response, reply};
use crate::format::gzip::{self, Compressor};
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
            Coding::Gzip if body.len() >= SMALLEST_GZIP => {
                let mut zipped = Vec::with_capacity(body.len() / 8);
                gzip::compress_once(&body, &mut zipped);
                Self { format, coding, body: zipped.into() }
            }
            _ => Self { format, coding: Coding::Identity, body },
        }
    }

    /// The same, compressed by what is known of the pages before it.
    pub(super) fn with_compressors(
        compressors: &Compressors,
        parameters: &Parameters,
        format: Format,
        body: Bytes,
        coding: Coding,
    ) -> Self {
        match coding {
            Coding::Gzip if body.len() >= SMALLEST_GZIP => {
                Self { format, coding, body: compressors.compress(parameters, format, &body) }
            }
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

/// Compressors for the pages that are asked for again and again, each kept from one scrape to the next.
///
/// A page's first time is like any other's once; its compressor begins with the second, while the page is still among
/// the last few. So a bridge with thousands of targets keeps nothing, and an endpoint keeps one for each format.
#[derive(Default)]
pub(super) struct Compressors(Mutex<Vec<Known>>);

struct Known {
    parameters: Parameters,
    format: Format,
    /// `None` while it is at work.
    compressor: Option<Compressor>,
}

/// How many pages are remembered: a format or two for each of a few scrapers.
const MOST_KNOWN: usize = 6;

impl Compressors {
    fn compress(&self, parameters: &Parameters, format: Format, body: &[u8]) -> Bytes {
        let mut zipped = Vec::with_capacity(body.len() / 8);
        match self.take(parameters, format) {
            Some(mut compressor) => {
                compressor.compress(body, &mut zipped);
                self.give_back(parameters, format, compressor);
            }
            None => gzip::compress_once(body, &mut zipped),
        }
        zipped.into()
    }

    /// The page's compressor, if it is known and not at work. The page is the latest one then.
    fn take(&self, parameters: &Parameters, format: Format) -> Option<Compressor> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|k| k.format == format && k.parameters == *parameters);
        let Some(at) = at else {
            if known.len() >= MOST_KNOWN {
                known.remove(0);
            }
            let compressor = Some(Compressor::new());
            known.push(Known { parameters: parameters.clone(), format, compressor });
            return None;
        };
        let mut latest = known.remove(at);
        let compressor = latest.compressor.take();
        known.push(latest);
        compressor
    }

    fn give_back(&self, parameters: &Parameters, format: Format, compressor: Compressor) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(k) = known.iter_mut().find(|k| k.format == format && k.parameters == *parameters) {
            k.compressor = Some(compressor);
        }
    }
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn page(value: u64) -> Bytes {
        let mut page = String::new();
        for i in 0..2000 {
            page +=
                &["http_requests_total{path=\"/", &i.to_string(), "\"} ", &value.to_string(), "\n"].concat();
        }
        page.into()
    }

    #[test]
    fn a_page_asked_for_again_is_compressed_by_what_is_known_of_it() {
        let compressors = Compressors::default();
        let mut sizes = Vec::new();
        for scrape in 0..3 {
            for format in [Format::TEXT_0_0_4, Format::OPENMETRICS_1_0] {
                let body = page(scrape);
                let zipped =
                    Page::with_compressors(&compressors, &Vec::new(), format, body.clone(), Coding::Gzip);
                let mut again = Vec::new();
                flate2::read::GzDecoder::new(&zipped.body[..]).read_to_end(&mut again).unwrap();
                assert_eq!(again, body);
                sizes.push(zipped.body.len());
            }
        }
        assert!(sizes[2] < sizes[0] && sizes[3] < sizes[1], "the second time it is smaller: {sizes:?}");
    }

    #[test]
    fn of_many_pages_few_are_remembered() {
        let compressors = Compressors::default();
        for target in 0..20 {
            let parameters = vec![("target".to_owned(), target.to_string())];
            let _ = compressors.compress(&parameters, Format::TEXT_0_0_4, &page(1));
        }
        let known = compressors.0.lock().unwrap();
        assert_eq!(known.len(), MOST_KNOWN);
        assert_eq!(known.last().unwrap().parameters[0].1, "19");
    }
}
