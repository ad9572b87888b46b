//! Requests to endpoints: the one place with sockets.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use ureq::http::Request;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::cli::Failure;
use crate::exchange::{Answer, Ask, Transport};
use crate::subject::{MAX_INPUT, Spec, Subject};

/// What is asked for when no format was chosen: the preference of a scraper that knows the text formats.
const ANY: &str = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// What to accept for one format.
pub(crate) const fn accept(spec: Option<Spec>) -> &'static str {
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
    let starts = |scheme: &str| input.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// How endpoints are reached. Secrets come from files, so that no list of processes and no history shows them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArguments {
    /// Seconds that a request may take in all.
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
    pub(crate) timeout: f64,
    /// The user of basic authentication; the password comes from --password-file.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    username: Option<String>,
    /// A file with the password of basic authentication.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// A file with a bearer token.
    #[arg(long, value_name = "FILE", conflicts_with = "username")]
    bearer_file: Option<PathBuf>,
    /// A file with the certificates to trust, in PEM; those of Mozilla if not given.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long)]
    insecure: bool,
}

/// Sends requests to endpoints, with the authentication that was asked for.
pub(crate) struct Client {
    agent: ureq::Agent,
    authorization: Option<String>,
}

impl Client {
    pub(crate) fn new(arguments: &ConnectArguments) -> Result<Self, Failure> {
        let timeout = Duration::try_from_secs_f64(arguments.timeout)
            .ok()
            .filter(|timeout| !timeout.is_zero())
            .ok_or_else(|| Failure::new("--timeout: seconds above zero, such as 10 or 0.5"))?;
        let mut tls = TlsConfig::builder().disable_verification(arguments.insecure);
        if let Some(path) = &arguments.ca_file {
            let pem = read(path)?;
            let certificates: Vec<_> = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err(Failure::new(format!("{}: no certificate in PEM is in it", path.display())));
            }
            tls = tls.root_certs(RootCerts::from(certificates));
        }
        let authorization = match (&arguments.username, &arguments.password_file, &arguments.bearer_file) {
            (Some(user), Some(path), _) => {
                let password = secret(path)?;
                let pair = format!("{user}:{password}");
                Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
            }
            (_, _, Some(path)) => Some(format!("Bearer {}", secret(path)?)),
            _ => None,
        };
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .accept("")
            .accept_encoding("")
            .user_agent(concat!("omtool/", env!("CARGO_PKG_VERSION")))
            .allow_non_standard_methods(true)
            .tls_config(tls.build())
            .build();
        Ok(Self { agent: ureq::Agent::new_with_config(config), authorization })
    }

    /// Asks an endpoint once for an exposition. The format is what its `Content-Type` says, unless `spec` does.
    pub(crate) fn subject(&self, address: &str, spec: Option<Spec>) -> io::Result<Subject> {
        let ask = Ask::get("one scrape").accepting(accept(spec)).coding("gzip");
        let answer = self.at(address).send(&ask).map_err(io::Error::other)?;
        if answer.status != 200 {
            return Err(io::Error::other(format!("the answer is status {}", answer.status)));
        }
        let found = answer.header("content-type").and_then(Spec::from_content_type);
        Subject::new(address, answer.body, spec.or(found))
    }

    /// Requests to one address.
    pub(crate) fn at<'c>(&'c self, address: &'c str) -> impl Transport + 'c {
        move |ask: &Ask| self.send(address, ask)
    }

    fn send(&self, address: &str, ask: &Ask) -> Result<Answer, String> {
        let mut request = Request::builder().method(ask.method).uri(address);
        let authorization = self.authorization.as_deref();
        for (name, value) in [
            ("accept", ask.accept.as_deref()),
            ("accept-encoding", ask.coding),
            ("authorization", authorization),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let request = request.body(()).map_err(|error| error.to_string())?;
        let start = Instant::now();
        let mut response = self.agent.run(request).map_err(|error| error.to_string())?;
        let body = if ask.method == "HEAD" {
            Vec::new()
        } else {
            let body = response.body_mut().with_config().limit(MAX_INPUT).read_to_vec();
            body.map_err(|error| format!("the body: {error}"))?
        };
        let took = start.elapsed();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        Ok(Answer {
            status: response.status().as_u16(),
            old_http: response.version() < ureq::http::Version::HTTP_11,
            headers,
            body,
            took,
        })
    }
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// A secret from a file, without the line end after it.
fn secret(path: &std::path::Path) -> Result<String, Failure> {
    let bytes = read(path)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::new(format!("{}: it is not UTF-8", path.display())))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.chars().any(char::is_control) {
        let message = "it is empty or has control characters; one line is wanted";
        return Err(Failure::new(format!("{}: {message}", path.display())));
    }
    Ok(text.to_owned())
}
