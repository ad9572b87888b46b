//! Groups of metrics: a struct whose fields are registered together.

use super::Registry;
use crate::error::Error;

/// A struct of metrics that are registered together; derived.
///
/// Each field is a metric or a [`Family`](crate::instrument::Family) of them; its doc comment is the help text, its
/// name the metric's. A call site borrows what its labels borrow, whatever the field's type says.
///
#[cfg_attr(feature = "derive", doc = "```")]
#[cfg_attr(not(feature = "derive"), doc = "```ignore")]
/// use openmetrics::{Counter, Family, Gauge, Histogram, LabelSet, LabelValue, Metrics, Registry};
///
/// #[derive(Clone, Copy, LabelValue)]
/// #[label(rename_all = "UPPERCASE")]
/// enum Method { Get, Put }
///
/// #[derive(LabelSet)]
/// struct Request<'a> { method: Method, path: &'a str, status: u16 }
///
/// #[derive(Metrics)]
/// #[metrics(prefix = "app")]
/// struct Http {
///     /// Requests served.
///     requests: Family<Request<'static>, Counter>,
///     /// Time to first byte.
///     #[metric(unit = "seconds", buckets = [0.01, 0.1, 1])]
///     latency: Family<Request<'static>, Histogram>,
///     /// Requests in flight.
///     in_flight: Gauge,
///     #[metrics(flatten, prefix = "db")]
///     db: Db,
/// }
///
/// #[derive(Metrics)]
/// struct Db {
///     /// Queries sent.
///     queries: Counter,
/// }
///
/// let registry = Registry::new();
/// let http = Http::register(&registry)?;
/// let path = String::from("/index.html");
/// http.requests.with(Request { method: Method::Get, path: &path, status: 200 }).inc();
/// http.db.queries.inc();
///
/// let mut page = Vec::new();
/// openmetrics::format::encode(&registry, openmetrics::format::Format::OPENMETRICS_1_0, &mut page);
/// let page = String::from_utf8_lossy(&page);
/// assert!(page.contains("app_requests_total{method=\"GET\",path=\"/index.html\",status=\"200\"} 1\n"));
/// assert!(page.contains("# UNIT app_latency_seconds seconds\n"));
/// assert!(page.contains("app_db_queries_total 1\n"));
/// # Ok::<(), openmetrics::Error>(())
/// ```
///
/// # Attributes
///
/// On the struct, `#[metrics(..)]`:
///
/// * `prefix = "app"`: before every name, with an underscore between;
/// * `labels(zone = "eu")`: on every metric;
/// * `crate = path`: where this library is, for whoever re-exports it.
///
/// On a field, `#[metric(..)]`:
///
/// * `name = "requests"` instead of the field's name, `help = ".."` instead of its doc comment;
/// * `unit = "seconds"`: the UNIT, and the end of the name unless it is that already;
/// * `buckets = [0.1, 1, 10]`, or an expression that gives them: the upper bounds of a histogram;
/// * `native(factor = 1.1, max_buckets = 160, zero_threshold = 1e-9, max_zero_threshold = 1e-3, min_reset = "1h")`, any of them:
///   how its native buckets are made, see [`Native`](crate::instrument::Native); `native = false` for none;
/// * `labels = ["method", "path"]`: the names of a family's labels, where those are an array, `Family<[&'static str; 2], _>`;
/// * `max_series = 1000`, `idle_expiry = "15m"`: how many series a family may have, and how long idle ones stay;
/// * `exemplars`: events refer to the current span;
/// * `compact`: a family of very many series takes little memory, see [`Options::compact`](crate::instrument::Options::compact);
/// * `thread_owned = false`, or `true`: see [`Options::thread_owned`](crate::instrument::Options::thread_owned).
///
/// Times are text such as `"250ms"`, `"15m"` or `"1d"`, or an expression that is a [`Duration`](std::time::Duration).
///
/// On a field that is itself such a struct, `#[metrics(flatten)]`, with `prefix = "db"` if its names should have one; on
/// a field that is no metric but has a default, `#[metrics(skip)]`.
///
/// What can be known at compile time is checked there, and every mistake says what to write instead: names, units,
/// reserved labels and suffixes, bounds that do not rise, settings that make no sense for a type, names and labels given twice.
pub trait Metrics: Sized {
    /// Registers every metric of the group.
    ///
    /// # Errors
    ///
    /// Those of [`Definition::register`](super::Definition::register). The metrics before the one that failed stay
    /// registered.
    fn register(registry: &Registry) -> Result<Self, Error>;
}
