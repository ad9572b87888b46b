//! Expositions from endpoints.

use std::io;
use std::time::Duration;

use crate::subject::{MAX_INPUT, Spec, Subject};

/// How long an endpoint may take in all.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What is asked for when no format was chosen: the preference of a scraper that knows them all.
const ANY: &str = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// What to accept for one format.
const fn accept(spec: Option<Spec>) -> &'static str {
    match spec {
        None => ANY,
        Some(Spec::OpenMetrics1) => "application/openmetrics-text;version=1.0.0",
        Some(Spec::OpenMetrics2) => "application/openmetrics-text;version=2.0.0;escaping=allow-utf-8",
        Some(Spec::Prometheus) => "text/plain;version=0.0.4",
        Some(Spec::PrometheusProtobuf) => {
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
        }
        Some(Spec::OpenMetricsProtobuf) => "application/openmetrics-protobuf;version=1.0.0",
    }
}

/// Whether an input is an address and not a file.
pub(crate) fn is_address(input: &str) -> bool {
    input.starts_with("http://") || input.starts_with("https://")
}

/// Asks an endpoint once. The format is what its `Content-Type` says, unless `spec` does.
pub(crate) fn fetch(address: &str, spec: Option<Spec>) -> io::Result<Subject> {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build(),
    );
    let mut answer = agent.get(address).header("accept", accept(spec)).call().map_err(io::Error::other)?;
    if answer.status() != 200 {
        return Err(io::Error::other(format!("the answer is {}", answer.status())));
    }
    let content_type =
        answer.headers().get("content-type").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = answer.body_mut().with_config().limit(MAX_INPUT).read_to_vec().map_err(io::Error::other)?;
    Subject::new(address, bytes, spec.or_else(|| Spec::from_content_type(content_type.as_deref()?)))
}
