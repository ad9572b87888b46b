//! What is where: the paths of an exporter and their answers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Method, StatusCode};
use openmetrics::http::gate::Gate;
use openmetrics::http::{
    Gatherer, Parameters, Plan, Rendering, Request, Response, Scrape, Service, Source, reply,
};

use crate::form::Form;
use crate::landing::{CollectorState, Landing, Link};
use crate::{query, views};

/// A path with metrics.
///
/// The main one gathers for one scrape at a time, which concurrent ones share. One with targets, such as
/// `/snmp?target=10.0.0.1`, gathers for several at once; requests for the same target share.
pub struct Endpoint {
    pub(crate) path: String,
    pub(crate) about: String,
    /// A query to show as an example, without the question mark.
    pub(crate) example: Option<String>,
    pub(crate) gatherer: Gatherer,
}

impl Endpoint {
    /// An endpoint at `path`, such as `/snmp`; `about` says in a few words what is there.
    pub fn new(path: impl Into<String>, about: impl Into<String>, source: impl Source) -> Self {
        Self { path: path.into(), about: about.into(), example: None, gatherer: Gatherer::new(source) }
    }

    /// One that gathers for up to `turns` requests with different parameters at once.
    pub fn with_targets(
        path: impl Into<String>,
        about: impl Into<String>,
        turns: usize,
        source: impl Source,
    ) -> Self {
        let gatherer = Gatherer::with_turns(source, turns);
        Self { path: path.into(), about: about.into(), example: None, gatherer }
    }

    /// The same with a query for its link, such as `target=192.0.2.1`.
    #[must_use]
    pub fn example(mut self, query: impl Into<String>) -> Self {
        self.example = Some(query.into());
        self
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A path that answers for itself, such as one that reloads the configuration or asks a device.
pub struct Route {
    pub(crate) path: String,
    pub(crate) about: String,
    pub(crate) example: Option<String>,
    pub(crate) form: Option<Box<dyn Fn() -> Form + Send + Sync>>,
    pub(crate) answer: Answer,
}

type Answer = Box<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

/// A request to a [`Route`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call {
    /// GET, HEAD, POST or PUT.
    pub method: Method,
    /// The query parameters.
    pub parameters: Parameters,
    /// The format, coding and time that the request asks for.
    pub scrape: Scrape,
}

impl Route {
    /// A route at `path`, such as `/-/reload`; `about` says in a few words what is there.
    pub fn new<A>(
        path: impl Into<String>,
        about: impl Into<String>,
        answer: impl Fn(Call) -> A + Send + Sync + 'static,
    ) -> Self
    where
        A: Future<Output = Response> + Send + 'static,
    {
        let answer: Answer = Box::new(move |call| Box::pin(answer(call)));
        Self { path: path.into(), about: about.into(), example: None, form: None, answer }
    }

    /// The same with a query for its link, such as `target=192.0.2.1`.
    #[must_use]
    pub fn example(mut self, query: impl Into<String>) -> Self {
        self.example = Some(query.into());
        self
    }

    /// The same with a form on the page at `/`, made whenever the page is shown.
    #[must_use]
    pub fn form(mut self, form: impl Fn() -> Form + Send + Sync + 'static) -> Self {
        self.form = Some(Box::new(form));
        self
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("path", &self.path).finish_non_exhaustive()
    }
}

pub(crate) type States = Arc<dyn Fn() -> Vec<CollectorState> + Send + Sync>;

/// Everything that is served.
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) about: String,
    /// The first one is the main one.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) routes: Vec<Route>,
    pub(crate) states: Option<States>,
    pub(crate) gate: Gate,
}

impl Service for Site {
    fn takes(&self, method: &Method) -> bool {
        matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
            || (!self.routes.is_empty() && changes(method))
    }

    async fn call(&self, request: Request) -> Response {
        let head = &request.head;
        let path = head.uri.path();
        if let Some(endpoint) = self.endpoints.iter().find(|endpoint| endpoint.path == path) {
            let mut scrape = match Plan::new(&head.method, &head.headers, self.gate.limits()) {
                Plan::Scrape(scrape) => scrape,
                Plan::Answer(response) => return response,
            };
            let mut parameters = query::parse(head.uri.query().unwrap_or_default());
            let asked = parameters.iter().find(|(name, _)| name == "format").map(|(_, value)| value.clone());
            if let Some(name) = asked {
                let Some(rendering) = views::by_name(&name) else {
                    return reply::text(
                        StatusCode::BAD_REQUEST,
                        &format!("there is no such format; there are {}", views::names()),
                    );
                };
                scrape.rendering = rendering;
                parameters.retain(|(name, _)| name != "format");
            }
            let mut response = endpoint.gatherer.answer(&scrape, parameters).await;
            if scrape.rendering == Rendering::View(views::HTML) && response.status() == StatusCode::OK {
                for_people(&mut response, &views::policy(), "'none'");
            }
            return response;
        }
        if let Some(route) = self.routes.iter().find(|route| route.path == path) {
            if head.method == Method::OPTIONS {
                return reply::options();
            }
            let scrape = Scrape::new(&head.headers, self.gate.limits());
            let parameters = query::parse(head.uri.query().unwrap_or_default());
            return (route.answer)(Call { method: head.method.clone(), parameters, scrape }).await;
        }
        if changes(&head.method) {
            return reply::method_not_allowed();
        }
        let response = match path {
            "/" => self.landing(),
            "/-/healthy" => reply::text(StatusCode::OK, "healthy"),
            "/-/ready" if self.gate.is_draining() => reply::text(StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            "/-/ready" => reply::text(StatusCode::OK, "ready"),
            "*" => return reply::options(),
            _ => return reply::not_found(self.endpoints.first().map_or("/metrics", |main| &main.path)),
        };
        if head.method == Method::OPTIONS { reply::options() } else { response }
    }
}

/// The methods that only routes have a use for.
fn changes(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT)
}

impl Site {
    fn landing(&self) -> Response {
        let endpoints = self.endpoints.iter().map(|e| (&e.path, &e.example, &e.about));
        let routes = self.routes.iter().map(|r| (&r.path, &r.example, &r.about));
        let paths: Vec<(String, &str)> = endpoints
            .chain(routes)
            .map(|(path, example, about)| {
                let query = example.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
                (format!("{path}{query}"), about.as_str())
            })
            .collect();
        let mut links: Vec<Link<'_>> = paths.iter().map(|(path, about)| Link { path, about }).collect();
        let shown =
            self.endpoints.first().map(|main| format!("{}?format=html", main.path)).unwrap_or_default();
        links.push(Link {
            path: &shown,
            about: "the same to look through; other formats: text, openmetrics, protobuf-text, json",
        });
        links.push(Link { path: "/-/healthy", about: "answers while the process lives" });
        links.push(Link { path: "/-/ready", about: "answers 503 once it is told to stop" });
        let collectors = self.states.as_ref().map(|states| states()).unwrap_or_default();
        let with_forms = self.routes.iter().filter_map(|route| Some((route, route.form.as_ref()?)));
        let forms: Vec<String> =
            with_forms.map(|(route, form)| form().html(&route.path, &route.about)).collect();
        let page = Landing {
            name: &self.name,
            version: &self.version,
            about: &self.about,
            links: &links,
            forms: &forms,
            collectors: &collectors,
        };
        let forms_to = if forms.is_empty() { "'none'" } else { "'self'" };
        html(&page.html(), forms_to)
    }
}

/// A page for people without scripts.
fn html(page: &str, forms_to: &str) -> Response {
    let mut response = Response::new(Bytes::copy_from_slice(page.as_bytes()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for_people(&mut response, "default-src 'none'; style-src 'unsafe-inline'", forms_to);
    response
}

/// The headers of a page for people: nothing from elsewhere, in no frame, forms to `forms_to` alone.
fn for_people(response: &mut Response, policy: &str, forms_to: &str) {
    let policy = format!("{policy}; base-uri 'none'; form-action {forms_to}; frame-ancestors 'none'");
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).ok()),
        (X_CONTENT_TYPE_OPTIONS, Some(HeaderValue::from_static("nosniff"))),
        (X_FRAME_OPTIONS, Some(HeaderValue::from_static("deny"))),
        (REFERRER_POLICY, Some(HeaderValue::from_static("no-referrer"))),
    ] {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
}
