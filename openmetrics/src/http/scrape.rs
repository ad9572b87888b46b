//! A scrape without input or output: what a request asks for, and the page that answers it.

use std::borrow::Cow;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method};

use super::gather::Parameters;
use super::{Limits, Response, reply};
use crate::format::gzip::{self, Compressor};
use crate::format::negotiate::{Coding, negotiate, negotiate_coding};
#[cfg(feature = "zstd")]
use crate::format::zstd;
use crate::format::{self, Format};
use crate::model::{Collector, Report};
use crate::sync::Mutex;

/// What a page is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendering {
    /// A format of expositions.
    Format(Format),
    /// Something else, such as a page for people.
    View(View),
}

impl Rendering {
    fn content_type(self) -> Cow<'static, str> {
        match self {
            Self::Format(format) => format.content_type().into(),
            Self::View(view) => view.content_type.into(),
        }
    }

    pub(super) fn render(self, collector: &dyn Collector, options: format::Options) -> (Vec<u8>, Report) {
        match self {
            Self::Format(format) => {
                let mut out = Vec::new();
                let report = format::encode_with(collector, format, options, &mut out);
                (out, report)
            }
            Self::View(view) => (view.render)(collector),
        }
    }
}

/// A way to show metrics that is no format of expositions. Two of the same name are the same.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// What `Content-Type` says of it.
    pub content_type: &'static str,
    /// Makes the body, and says what did not get into it.
    pub render: fn(&dyn Collector) -> (Vec<u8>, Report),
}

impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for View {}

/// What a scrape asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scrape {
    /// What the page is made into: a format, by `Accept`, unless a server offers other ways to ask.
    pub rendering: Rendering,
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
            rendering: Rendering::Format(negotiate(accept.as_deref())),
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
    /// What the bytes are.
    pub rendering: Rendering,
    /// How they are coded.
    pub coding: Coding,
    /// The body.
    pub body: Bytes,
}

/// Below this a page fits in one packet anyway.
const SMALLEST_PACKED: usize = 1 << 10;

impl Page {
    /// The page in `coding`; a small one stays as it is.
    pub fn new(rendering: Rendering, body: Bytes, coding: Coding) -> Self {
        match coding {
            Coding::Gzip if body.len() >= SMALLEST_PACKED => {
                let mut zipped = Vec::with_capacity(body.len() / 8);
                gzip::compress_once(&body, &mut zipped);
                Self { rendering, coding, body: zipped.into() }
            }
            #[cfg(feature = "zstd")]
            Coding::Zstd if body.len() >= SMALLEST_PACKED => {
                let mut packed = Vec::new();
                zstd::compress(&body, &mut packed);
                Self { rendering, coding, body: packed.into() }
            }
            _ => Self { rendering, coding: Coding::Identity, body },
        }
    }

    /// The same, compressed by what is known of the pages before it.
    pub(super) fn with_compressors(
        compressors: &Compressors,
        parameters: &Parameters,
        rendering: Rendering,
        body: Bytes,
        coding: Coding,
    ) -> Self {
        match coding {
            Coding::Gzip if body.len() >= SMALLEST_PACKED => {
                Self { rendering, coding, body: compressors.compress(parameters, rendering, &body) }
            }
            _ => Self::new(rendering, body, coding),
        }
    }

    /// The answer that carries the page.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(self.body);
        let headers = response.headers_mut();
        let content_type = HeaderValue::from_str(&self.rendering.content_type());
        headers.insert(CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("text/plain")));
        if let Some(coding) = self.coding.content_encoding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
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
    rendering: Rendering,
    /// `None` while it is at work.
    compressor: Option<Compressor>,
}

/// How many pages are remembered: a format or two for each of a few scrapers.
const MOST_KNOWN: usize = 6;

impl Compressors {
    fn compress(&self, parameters: &Parameters, rendering: Rendering, body: &[u8]) -> Bytes {
        let mut zipped = Vec::with_capacity(body.len() / 8);
        match self.take(parameters, rendering) {
            Some(mut compressor) => {
                compressor.compress(body, &mut zipped);
                self.give_back(parameters, rendering, compressor);
            }
            None => gzip::compress_once(body, &mut zipped),
        }
        zipped.into()
    }

    /// The page's compressor, if it is known and not at work. The page is the latest one then.
    fn take(&self, parameters: &Parameters, rendering: Rendering) -> Option<Compressor> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|k| k.rendering == rendering && k.parameters == *parameters);
        let Some(at) = at else {
            if known.len() >= MOST_KNOWN {
                known.remove(0);
            }
            let compressor = Some(Compressor::new());
            known.push(Known { parameters: parameters.clone(), rendering, compressor });
            return None;
        };
        let mut latest = known.remove(at);
        let compressor = latest.compressor.take();
        known.push(latest);
        compressor
    }

    fn give_back(&self, parameters: &Parameters, rendering: Rendering, compressor: Compressor) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(k) = known.iter_mut().find(|k| k.rendering == rendering && k.parameters == *parameters) {
            k.compressor = Some(compressor);
        }
    }
}

/// Makes the page of `collector`, and says what did not get on it.
pub fn render(collector: &dyn Collector, rendering: Rendering, coding: Coding) -> (Page, Report) {
    let (body, report) = rendering.render(collector, format::Options::default());
    (Page::new(rendering, body.into(), coding), report)
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
        Plan::Scrape(scrape) => render(collector, scrape.rendering, scrape.coding).0.into_response(),
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
            for format in [Format::TEXT_0_0_4, Format::OPENMETRICS_1_0].map(Rendering::Format) {
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

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_for_who_prefers_it() {
        let mut headers = HeaderMap::new();
        headers.insert("accept-encoding", HeaderValue::from_static("gzip;q=0.5, zstd"));
        let scrape = Scrape::new(&headers, &Limits::default());
        let body = page(1);
        let packed = Page::new(scrape.rendering, body.clone(), scrape.coding).into_response();
        assert_eq!(packed.headers().get("content-encoding").unwrap(), "zstd");
        assert_eq!(packed.headers().get("vary").unwrap(), "Accept, Accept-Encoding");
        assert_eq!(::zstd::bulk::decompress(packed.body(), body.len()).unwrap(), body);
        let small = Page::new(scrape.rendering, Bytes::from_static(b"a 1\n"), scrape.coding);
        assert_eq!(small.coding, Coding::Identity);
    }

    #[test]
    fn of_many_pages_few_are_remembered() {
        let compressors = Compressors::default();
        for target in 0..20 {
            let parameters = vec![("target".to_owned(), target.to_string())];
            let _ = compressors.compress(&parameters, Rendering::Format(Format::TEXT_0_0_4), &page(1));
        }
        let known = compressors.0.lock().unwrap();
        assert_eq!(known.len(), MOST_KNOWN);
        assert_eq!(known.last().unwrap().parameters[0].1, "19");
    }
}
