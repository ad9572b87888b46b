//! The metrics endpoint of an application that has an HTTP server already.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::Full;
use tokio::sync::Semaphore;

use super::gather::Gatherer;
use super::reply::overloaded;
use super::scrape::Plan;
use super::{Limits, Response, Source};
use crate::format::Options;

/// Answers scrapes inside somebody else's server: a service for hyper, and with the feature `tower` for tower
/// and axum.
///
/// It has what [`serve`](crate::serve) has apart from the connection: negotiation, gzip, one shared gathering with a
/// deadline, and a limit on what is answered at once. Gathering happens on tokio's threads for blocking work, never on
/// those that run the application's tasks. Times for heads, idling and writing are the business of the server around.
///
/// ```
/// use openmetrics::{http::Handler, model::MetricSet};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let metrics = Handler::new(MetricSet::default()); // a registry, as a rule; cheap to clone
/// let request = http::Request::get("/metrics").body(()).unwrap();
/// let response = metrics.handle(&request).await;
/// assert_eq!(response.status(), 200);
/// # });
/// ```
#[derive(Clone)]
pub struct Handler(Arc<Inner>);

struct Inner {
    gatherer: Gatherer,
    limits: Limits,
    in_flight: Semaphore,
}

impl Handler {
    /// A handler with the default limits.
    pub fn new(source: impl Source) -> Self {
        Self::with_limits(source, Limits::default())
    }

    /// A handler with limits of one's own; of these it uses `in_flight`, `scrape` and `scrape_max`.
    pub fn with_limits(source: impl Source, limits: Limits) -> Self {
        Self::with_options(source, limits, Options::default())
    }

    /// The same, with pages that are written by these options, such as `x_created` samples in text:
    ///
    /// ```
    /// use openmetrics::http::{Handler, Limits};
    /// use openmetrics::{format::Options, registry::Registry};
    ///
    /// let options = Options::default().with_created_samples(true);
    /// let metrics = Handler::with_options(Registry::new(), Limits::default(), options);
    /// ```
    pub fn with_options(source: impl Source, limits: Limits, options: Options) -> Self {
        let in_flight = Semaphore::new(limits.in_flight.min(Semaphore::MAX_PERMITS));
        let gatherer = Gatherer::with_options(source, 1, options);
        Self(Arc::new(Inner { gatherer, limits, in_flight }))
    }

    /// Answers a request, whatever its body, which is not read. The path is the router's business.
    ///
    /// Has to be called within a tokio runtime.
    pub async fn handle<B>(&self, request: &http::Request<B>) -> http::Response<Full<Bytes>> {
        // Taken apart here so that no future of ours holds the body.
        self.respond(request.method(), request.headers()).await.map(Full::new)
    }

    /// The same from the parts that matter.
    pub async fn respond(&self, method: &Method, headers: &HeaderMap) -> Response {
        let scrape = match Plan::new(method, headers, &self.0.limits) {
            Plan::Scrape(scrape) => scrape,
            Plan::Answer(response) => return response,
        };
        let Ok(_place) = self.0.in_flight.try_acquire() else {
            return overloaded("too many scrapes are being answered");
        };
        // Parameters mean nothing here; left out, they cannot keep scrapes from sharing a gathering.
        self.0.gatherer.answer(&scrape, Vec::new()).await
    }
}

impl Handler {
    /// Answers in a future that holds nothing of the request's body.
    fn answer<B>(&self, request: http::Request<B>) -> Answering {
        let (handler, (head, _)) = (self.clone(), request.into_parts());
        Box::pin(async move {
            let response = handler.respond(&head.method, &head.headers).await;
            // A server may be told to send what it is given, so an answer to HEAD has its body taken away here.
            Ok(response.map(|body| Full::new(if head.method == Method::HEAD { Bytes::new() } else { body })))
        })
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<http::Response<Full<Bytes>>, Infallible>> + Send>>;

impl<B> hyper::service::Service<http::Request<B>> for Handler {
    type Response = http::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: http::Request<B>) -> Answering {
        self.answer(request)
    }
}

/// For routers of tower services, such as axum's: `router.route_service("/metrics", handler)`.
#[cfg(feature = "tower")]
impl<B> tower_service::Service<http::Request<B>> for Handler {
    type Response = http::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(())) // a crowd is turned away with an answer
    }

    fn call(&mut self, request: http::Request<B>) -> Answering {
        self.answer(request)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("gatherer", &self.0.gatherer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::Counter;
    use crate::registry::Registry;

    #[tokio::test]
    async fn created_samples_are_for_who_wants_them() {
        let registry = Registry::new();
        let _jobs: Counter = registry.counter("jobs", "").unwrap();
        let options = Options::default().with_created_samples(true);
        for (handler, lines) in [
            (Handler::new(registry.clone()), 0),
            (Handler::with_options(registry.clone(), Limits::default(), options), 1),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("accept", "application/openmetrics-text".parse().unwrap());
            let page = handler.respond(&Method::GET, &headers).await.into_body();
            let page = std::str::from_utf8(&page).unwrap();
            assert_eq!(
                page.lines().filter(|line| line.starts_with("jobs_created ")).count(),
                lines,
                "{page}"
            );
        }
    }
}
