//! Measuring an HTTP service that is built with tower, such as one of axum: one layer around it.
//!
//! | metric | type | labels |
//! |---|---|---|
//! | `http_server_requests_in_flight` | gauge | |
//! | `http_server_request_duration_seconds` | histogram | `method`, `route`, `status` |
//! | `http_server_request_size_bytes` | histogram | `method`, `route` |
//! | `http_server_response_size_bytes` | histogram | `method`, `route` |
//!
//! Nothing that a stranger sends becomes a label value: routes are those that the application has, requests of no
//! route are [`UNMATCHED`], methods are the nine of HTTP or `other`, statuses are those of HTTP's registry or a class
//! such as `5xx`. (Labels from paths or methods as they come let anybody fill a server's memory, see CVE-2022-21698.)
//!
//! A request is measured until its answer's body has been sent, or has been given up: so the duration is what the client
//! waited, and the size is what was sent. Histograms take the current span as their exemplar, see
//! [`SpanContext`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Buf as _;
use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::Error;
use crate::instrument::{
    Family, Gauge, Histogram, InFlight, LabelSet, LabelWriter, SpanContext, exponential_buckets,
};
use crate::model::Unit;
use crate::registry::Registry;

/// The value of `route` for requests that no route of the application matches.
pub const UNMATCHED: &str = "unmatched";
/// The value of `status` for a request whose answer nobody waited for.
pub const CANCELLED: &str = "cancelled";
/// The value of `status` for a request that the service failed to answer.
pub const FAILED: &str = "failed";

/// How many series a histogram may have: more than an application has routes. Beyond, [`OVERFLOW`](crate::instrument::OVERFLOW).
const MAX_SERIES: usize = 4096;

/// Measures requests; a layer for [tower](https://docs.rs/tower) services. Clones share the metrics.
///
/// `route` finds the route that matched in the extensions of a request. It has to answer with one out of a few, as
/// routers do; for axum it is `|extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str)`:
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use openmetrics::{Registry, tower::HttpMetrics};
/// use tower_layer::Layer;
/// use tower_service::Service;
/// # use std::{convert::Infallible, future::{ready, Ready}, task::{Context, Poll}};
/// # #[derive(Clone)] struct App;
/// # impl Service<Request<Empty<bytes::Bytes>>> for App {
/// #     type Response = Response<Empty<bytes::Bytes>>; type Error = Infallible; type Future = Ready<Result<Self::Response, Infallible>>;
/// #     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> { Poll::Ready(Ok(())) }
/// #     fn call(&mut self, _: Request<Empty<bytes::Bytes>>) -> Self::Future { ready(Ok(Response::default())) }
/// # }
/// /// What the router puts into the extensions of a request.
/// #[derive(Clone)]
/// struct Matched(&'static str);
///
/// let registry = Registry::new();
/// let metrics = HttpMetrics::register(&registry, |extensions| extensions.get::<Matched>().map(|m| m.0))?;
/// let mut app = metrics.layer(App);
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let request = Request::get("/users/7").extension(Matched("/users/{id}")).body(Empty::new()).unwrap();
/// let response = app.call(request).await.unwrap();
/// # });
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[derive(Clone)]
pub struct HttpMetrics<R> {
    shared: Arc<Shared>,
    route: R,
    traceparent: bool,
}

struct Shared {
    in_flight: Gauge,
    duration: Family<Answered<'static>, Histogram>,
    request_size: Family<Matched<'static>, Histogram>,
    response_size: Family<Matched<'static>, Histogram>,
}

impl<R> HttpMetrics<R>
where
    R: for<'e> Fn(&'e Extensions) -> Option<&'e str>,
{
    /// Registers the metrics.
    ///
    /// # Errors
    ///
    /// When the registry, or its scope, has metrics of these names already.
    pub fn register(registry: &Registry, route: R) -> Result<Self, Error> {
        let sizes = |name: &'static str, help: &'static str| {
            let sizes = registry.metric(name, help).unit(Unit::BYTES).max_series(MAX_SERIES);
            sizes.buckets(exponential_buckets(256.0, 4.0, 9)).exemplars(true).register()
        };
        let shared = Shared {
            in_flight: registry
                .gauge("http_server_requests_in_flight", "Requests that are being answered.")?,
            duration: registry
                .metric(
                    "http_server_request_duration_seconds",
                    "Time from a request to the end of its answer.",
                )
                .unit(Unit::SECONDS)
                .max_series(MAX_SERIES)
                .exemplars(true)
                .register()?,
            request_size: sizes("http_server_request_size_bytes", "Bodies of requests, as announced.")?,
            response_size: sizes(
                "http_server_response_size_bytes",
                "Bodies of answers, as far as they were sent.",
            )?,
        };
        Ok(Self { shared: Arc::new(shared), route, traceparent: false })
    }

    /// Where there is no current span, takes the one that the client names in `traceparent`
    /// ([trace context](https://www.w3.org/TR/trace-context/)) as the exemplar; for services whose clients are known.
    #[must_use]
    pub fn trust_traceparent(mut self) -> Self {
        self.traceparent = true;
        self
    }
}

impl<R> fmt::Debug for HttpMetrics<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpMetrics").field("in_flight", &self.shared.in_flight.get()).finish_non_exhaustive()
    }
}

impl<S, R: Clone> Layer<S> for HttpMetrics<R> {
    type Service = Measured<S, R>;

    fn layer(&self, inner: S) -> Measured<S, R> {
        Measured { inner, metrics: self.clone() }
    }
}

/// A service that is measured; made by [`HttpMetrics`].
#[derive(Clone, Debug)]
pub struct Measured<S, R> {
    inner: S,
    metrics: HttpMetrics<R>,
}

impl<S, R, B, A> Service<Request<B>> for Measured<S, R>
where
    S: Service<Request<B>, Response = Response<A>>,
    R: for<'e> Fn(&'e Extensions) -> Option<&'e str>,
    B: Body,
{
    type Response = Response<MeasuredBody<A>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let HttpMetrics { shared, route, traceparent } = &self.metrics;
        let span = SpanContext::current();
        let measuring = Measuring {
            began: Instant::now(),
            method: method(request.method()),
            route: route(request.extensions()).map(Box::from),
            status: CANCELLED,
            request_size: request.body().size_hint().exact(),
            sent: 0,
            span: span.or_else(|| traceparent.then(|| traceparent_of(request.headers()))?),
            _in_flight: shared.in_flight.in_flight(),
            shared: Arc::clone(shared),
        };
        MeasuredFuture { inner: self.inner.call(request), measuring: Some(measuring) }
    }
}

/// One request on its way. It is counted when it is dropped, however that comes about.
struct Measuring {
    began: Instant,
    method: &'static str,
    route: Option<Box<str>>,
    status: &'static str,
    /// What the request's body announced, if it did.
    request_size: Option<u64>,
    sent: u64,
    span: Option<SpanContext>,
    _in_flight: InFlight,
    shared: Arc<Shared>,
}

impl Drop for Measuring {
    fn drop(&mut self) {
        let _entered = self.span.map(SpanContext::enter);
        let Shared { duration, request_size, response_size, .. } = &*self.shared;
        let matched = Matched { method: self.method, route: self.route.as_deref().unwrap_or(UNMATCHED) };
        duration.with(Answered { matched, status: self.status }).observe_duration(self.began.elapsed());
        if let Some(size) = self.request_size {
            request_size.with(matched).observe(size as f64);
        }
        if self.status != CANCELLED && self.status != FAILED {
            response_size.with(matched).observe(self.sent as f64);
        }
    }
}

pin_project! {
    /// The answer of a service that is measured.
    pub struct MeasuredFuture<F> {
        #[pin]
        inner: F,
        measuring: Option<Measuring>,
    }
}

impl<F, A, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<A>, E>>,
{
    type Output = Result<Response<MeasuredBody<A>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        let mut measuring = this.measuring.take();
        if let Some(measuring) = &mut measuring {
            measuring.status = answer.as_ref().map_or(FAILED, |response| status(response.status()));
        }
        Poll::Ready(answer.map(|response| response.map(|inner| MeasuredBody { inner, measuring })))
    }
}

impl<F> fmt::Debug for MeasuredFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of an answer, counted as it is sent.
    pub struct MeasuredBody<A> {
        #[pin]
        inner: A,
        measuring: Option<Measuring>,
    }
}

impl<A: Body> Body for MeasuredBody<A> {
    type Data = A::Data;
    type Error = A::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<A::Data>, A::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        match (&frame, &mut *this.measuring) {
            (Some(Ok(frame)), Some(measuring)) => {
                measuring.sent += frame.data_ref().map_or(0, |data| data.remaining() as u64);
            }
            _ => *this.measuring = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<A: Default> Default for MeasuredBody<A> {
    /// A body that nobody measures.
    fn default() -> Self {
        Self { inner: A::default(), measuring: None }
    }
}

impl<A> fmt::Debug for MeasuredBody<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredBody").finish_non_exhaustive()
    }
}

/// Labels of sizes.
#[derive(Clone, Copy)]
struct Matched<'a> {
    method: &'static str,
    route: &'a str,
}

impl LabelSet for Matched<'_> {
    type Owner = Matched<'static>;
    const NAMES: &'static [&'static str] = &["method", "route"];

    fn write(&self, to: &mut LabelWriter) {
        to.text(self.method);
        to.text(self.route);
    }
}

/// Labels of durations.
struct Answered<'a> {
    matched: Matched<'a>,
    status: &'static str,
}

impl LabelSet for Answered<'_> {
    type Owner = Answered<'static>;
    const NAMES: &'static [&'static str] = &["method", "route", "status"];

    fn write(&self, to: &mut LabelWriter) {
        self.matched.write(to);
        to.text(self.status);
    }
}

/// The methods of HTTP ([RFC 9110, 9](https://www.rfc-editor.org/rfc/rfc9110#section-9)) and PATCH; all others are one.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// The statuses of HTTP's registry by number; of the others the class is told.
fn status(status: StatusCode) -> &'static str {
    macro_rules! known {
        ($($code:literal)*) => {
            match status.as_u16() {
                $($code => stringify!($code),)*
                100..=199 => "1xx",
                200..=299 => "2xx",
                300..=399 => "3xx",
                400..=499 => "4xx",
                500..=599 => "5xx",
                _ => "other",
            }
        };
    }
    known!(
        100 101 102 103 200 201 202 203 204 205 206 207 208 226 300 301 302 303 304 305 307 308 400 401 402 403 404 405
        406 407 408 409 410 411 412 413 414 415 416 417 418 421 422 423 424 425 426 428 429 431 451 500 501 502 503 504
        505 506 507 508 510 511
    )
}

/// `traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`, exactly one.
fn traceparent_of(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all("traceparent").iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let mut fields = value.to_str().ok()?.split('-');
    match (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()) {
        ("00", trace, span, _, None) => SpanContext::from_hex(trace, span),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{self, poll_fn};

    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full};

    use super::*;
    use crate::format::{Format, encode};

    #[derive(Clone)]
    struct Route(&'static str);

    /// Answers with the status in the path, five bytes and what it was sent; `/never` and `/failed` not at all.
    struct App;

    impl Service<Request<Full<Bytes>>> for App {
        type Response = Response<Full<Bytes>>;
        type Error = &'static str;
        type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
            Box::pin(async move {
                match request.uri().path() {
                    "/never" => future::pending().await,
                    "/failed" => Err("failed"),
                    path => {
                        let mut response = Response::new(Full::from("hello"));
                        *response.status_mut() = path.trim_start_matches('/').parse().unwrap();
                        Ok(response)
                    }
                }
            })
        }
    }

    type Router = fn(&Extensions) -> Option<&str>;

    fn measured(registry: &Registry) -> Measured<App, Router> {
        let route: Router = |extensions| extensions.get::<Route>().map(|route| route.0);
        HttpMetrics::register(registry, route).unwrap().trust_traceparent().layer(App)
    }

    fn request(method: &str, path: &str) -> Request<Full<Bytes>> {
        Request::builder().method(method).uri(path).body(Full::from("to it")).unwrap()
    }

    fn page(registry: &Registry) -> String {
        let mut page = Vec::new();
        encode(registry, Format::OPENMETRICS_1_0, &mut page);
        String::from_utf8(page).unwrap()
    }

    /// The labels and counts of the durations.
    fn counts(registry: &Registry) -> Vec<String> {
        let page = page(registry);
        let counts =
            page.lines().filter_map(|l| l.strip_prefix("http_server_request_duration_seconds_count"));
        counts.map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn labels_are_of_closed_sets_whatever_comes() {
        let registry = Registry::new();
        let mut app = measured(&registry);
        for (method, path, route) in [
            ("GET", "/200", Some(Route("/a/{id}"))),
            ("GET", "/200", Some(Route("/a/{id}"))),
            ("BREW", "/404", None),
            ("get", "/404", None),
            ("POST", "/599", None),
            ("DELETE", "/999", None),
        ] {
            let mut request = request(method, path);
            route.map(|route| request.extensions_mut().insert(route));
            let body = app.call(request).await.unwrap().into_body();
            assert_eq!(body.size_hint().exact(), Some(5));
            assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
        }
        assert_eq!(
            counts(&registry),
            [
                r#"{method="GET",route="/a/{id}",status="200"} 2"#,
                r#"{method="other",route="unmatched",status="404"} 2"#,
                r#"{method="POST",route="unmatched",status="5xx"} 1"#,
                r#"{method="DELETE",route="unmatched",status="other"} 1"#,
            ]
        );
        let page = page(&registry);
        for sum in ["request_size_bytes", "response_size_bytes"] {
            let line = format!("\nhttp_server_{sum}_sum{{method=\"GET\",route=\"/a/{{id}}\"}} 10.0\n");
            assert!(page.contains(&line), "{page}");
        }
    }

    #[tokio::test]
    async fn a_request_is_in_flight_until_its_answer_is_sent_or_given_up() {
        let registry = Registry::new();
        let mut app = measured(&registry);
        let in_flight = app.metrics.shared.in_flight.clone();
        let response = app.call(request("GET", "/200")).await.unwrap();
        assert_eq!(in_flight.get(), 1, "its body is not sent yet");
        drop(response);
        assert_eq!(in_flight.get(), 0);

        let mut waiting = Box::pin(app.call(request("GET", "/never")));
        assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
        assert_eq!(in_flight.get(), 1);
        drop(waiting);
        assert_eq!(in_flight.get(), 0);
        assert!(app.call(request("GET", "/failed")).await.is_err());
        assert_eq!(
            counts(&registry),
            [
                r#"{method="GET",route="unmatched",status="200"} 1"#,
                r#"{method="GET",route="unmatched",status="cancelled"} 1"#,
                r#"{method="GET",route="unmatched",status="failed"} 1"#,
            ]
        );
    }

    #[tokio::test]
    async fn exemplars_are_the_span_that_was_current_or_else_the_clients() -> Result<(), Infallible> {
        const OURS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        const THEIRS: &str = "0af7651916cd43dd8448eb211c80319c";
        for (own, named, expected) in [
            (true, format!("00-{THEIRS}-00f067aa0ba902b7-01"), Some(OURS)),
            (false, format!("00-{THEIRS}-00f067aa0ba902b7-01"), Some(THEIRS)),
            (false, format!("01-{THEIRS}-00f067aa0ba902b7-01"), None),
            (false, "\"} evil".to_owned(), None),
        ] {
            let registry = Registry::new();
            let mut app = measured(&registry);
            let mut request = request("GET", "/200");
            request.headers_mut().insert("traceparent", named.parse().unwrap());
            let answer = {
                let _entered = own.then(|| SpanContext::from_hex(OURS, "00f067aa0ba902b7").unwrap().enter());
                app.call(request)
            };
            drop(answer.await.unwrap());
            let page = page(&registry);
            let exemplar = page.split_once("# {trace_id=\"").and_then(|(_, rest)| rest.get(..32));
            assert_eq!(exemplar, expected, "{page}");
        }
        Ok(())
    }

    #[test]
    fn every_status_is_told_by_number_or_class() {
        for code in 100..1000 {
            let code = StatusCode::from_u16(code).unwrap();
            let told = status(code);
            let known = code.canonical_reason().is_some();
            assert!(told == code.as_str() || (!known && told.len() <= 5), "{code}: {told}");
        }
    }
}
