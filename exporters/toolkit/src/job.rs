//! What Prometheus' configuration needs to know about an exporter.

use std::fmt;

/// A job of Prometheus: an exporter that is scraped, or one that is asked about targets, with the relabelling that
/// this takes. Displayed, it is an entry of `scrape_configs`.
///
/// ```
/// use openmetrics_exporter_toolkit::Job;
///
/// let job = Job::new("probe", "/probe").param("module", ["http"]).targets(["example.org"]).through("127.0.0.1:9115");
/// assert_eq!(
///     job.to_string(),
///     r#"  - job_name: probe
///     metrics_path: /probe
///     params:
///       module: ["http"]
///     static_configs:
///       - targets: ["example.org"]
///     relabel_configs:
///       - source_labels: [__address__]
///         target_label: __param_target
///       - source_labels: [__param_target]
///         target_label: instance
///       - target_label: __address__
///         replacement: "127.0.0.1:9115"
/// "#
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Job {
    name: String,
    path: String,
    params: Vec<(String, Vec<String>)>,
    targets: Vec<String>,
    through: Option<String>,
    has_tls: bool,
    has_auth: bool,
}

impl Job {
    /// A job without targets yet, at this path of an exporter.
    pub fn new(name: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            params: Vec::new(),
            targets: Vec::new(),
            through: None,
            has_tls: false,
            has_auth: false,
        }
    }

    /// With a parameter of the query.
    #[must_use]
    pub fn param(mut self, name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.params.push((name.to_owned(), values.into_iter().map(Into::into).collect()));
        self
    }

    /// With these targets.
    #[must_use]
    pub fn targets(mut self, targets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.targets.extend(targets.into_iter().map(Into::into));
        self
    }

    /// Through the exporter at this address, which is told the target.
    #[must_use]
    pub fn through(mut self, exporter: impl Into<String>) -> Self {
        self.through = Some(exporter.into());
        self
    }

    /// With what it takes to reach the exporter.
    pub(crate) fn reached(self, has_tls: bool, has_auth: bool) -> Self {
        Self { has_tls, has_auth, ..self }
    }
}

/// A list on one line, every entry in quotes.
struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0) // Rust quotes as YAML does
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, path, params, targets, through, has_tls, has_auth } = self;
        writeln!(f, "  - job_name: {name}")?;
        if path != "/metrics" {
            writeln!(f, "    metrics_path: {path}")?;
        }
        if *has_tls {
            writeln!(f, "    scheme: https")?;
        }
        if *has_auth {
            writeln!(f, "    basic_auth: {{ username: USER, password_file: FILE }}")?;
        }
        if !params.is_empty() {
            writeln!(f, "    params:")?;
        }
        for (name, values) in params {
            writeln!(f, "      {name}: {}", List(values))?;
        }
        writeln!(f, "    static_configs:\n      - targets: {}", List(targets))?;
        let Some(exporter) = through else { return Ok(()) };
        writeln!(
            f,
            "    relabel_configs:\n      \
             - source_labels: [__address__]\n        target_label: __param_target\n      \
             - source_labels: [__param_target]\n        target_label: instance\n      \
             - target_label: __address__\n        replacement: {exporter:?}"
        )
    }
}
