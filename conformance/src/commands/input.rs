//! Inputs of the commands that work with whole expositions.

use std::io::{self, Write};

use openmetrics::format::{self, Escaping, Format, json};
use openmetrics::model::MetricSet;

use crate::cli::Failure;
use crate::client::{Client, ConnectArguments, is_address};
use crate::subject::{Spec, Subject};

/// A format to read or write, and JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// OpenMetrics 1.0 text.
    #[value(name = "om1", alias = "openmetrics")]
    OpenMetrics1,
    /// OpenMetrics 2.0-rc0 text.
    #[value(name = "om2")]
    OpenMetrics2,
    /// Prometheus text 0.0.4.
    #[value(name = "prom", alias = "prometheus")]
    Prometheus,
    /// Prometheus text 1.0.0, with names in quotes.
    #[value(name = "prom1")]
    Prometheus1,
    /// Prometheus protobuf.
    #[value(name = "prom-protobuf")]
    PrometheusProtobuf,
    /// OpenMetrics 1.0 protobuf.
    #[value(name = "om-protobuf")]
    OpenMetricsProtobuf,
    /// The model as JSON.
    #[value(name = "json")]
    Json,
}

impl Form {
    /// The format of the library; none for JSON.
    pub(crate) const fn format(self) -> Option<Format> {
        Some(match self {
            Self::OpenMetrics1 => Format::OPENMETRICS_1_0,
            Self::OpenMetrics2 => Format::OPENMETRICS_2_0,
            Self::Prometheus => Format::TEXT_0_0_4,
            Self::Prometheus1 => Format::TEXT_1_0_0,
            Self::PrometheusProtobuf => Format::PROMETHEUS_PROTOBUF,
            Self::OpenMetricsProtobuf => Format::OPENMETRICS_PROTOBUF,
            Self::Json => return None,
        })
    }

    const fn spec(self) -> Option<Spec> {
        Some(match self {
            Self::OpenMetrics1 => Spec::OpenMetrics1,
            Self::OpenMetrics2 => Spec::OpenMetrics2,
            Self::Prometheus | Self::Prometheus1 => Spec::Prometheus,
            Self::PrometheusProtobuf => Spec::PrometheusProtobuf,
            Self::OpenMetricsProtobuf => Spec::OpenMetricsProtobuf,
            Self::Json => return None,
        })
    }
}

/// Reads inputs: files, standard input, addresses.
pub(crate) struct Reader {
    client: Client,
}

impl Reader {
    pub(crate) fn new(connect: &ConnectArguments) -> Result<Self, Failure> {
        Ok(Self { client: Client::new(connect)? })
    }

    /// Bytes and the format they are in.
    pub(crate) fn subject(&self, input: &str, spec: Option<Spec>) -> Result<Subject, Failure> {
        let subject =
            if is_address(input) { self.client.subject(input, spec) } else { Subject::read(input, spec) };
        subject.map_err(|error| Failure::new(format!("{input}: {error}")))
    }

    /// A whole exposition; the first broken rule is an error. JSON is known by its name, or by `form`.
    pub(crate) fn set(&self, input: &str, form: Option<Form>) -> Result<MetricSet, Failure> {
        let is_json = input.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("json"));
        let form = form.or(is_json.then_some(Form::Json));
        let subject = self.subject(input, form.and_then(Form::spec))?;
        let set = if form == Some(Form::Json) { json::from_slice(&subject.bytes) } else { decode(&subject) };
        set.map_err(|error| {
            Failure::unreadable(format!("{input}: {error}; `omtool check` tells all that is wrong"))
        })
    }
}

/// Reads strictly, names in quotes included.
pub(crate) fn decode(subject: &Subject) -> Result<MetricSet, openmetrics::Error> {
    format::decode(&subject.bytes, format_of(subject.spec).with_escaping(Escaping::AllowUtf8))
}

/// The format of the library that a specification is about.
pub(crate) const fn format_of(spec: Spec) -> Format {
    match spec {
        Spec::OpenMetrics1 => Format::OPENMETRICS_1_0,
        Spec::OpenMetrics2 => Format::OPENMETRICS_2_0,
        Spec::Prometheus => Format::TEXT_1_0_0,
        Spec::PrometheusProtobuf => Format::PROMETHEUS_PROTOBUF,
        Spec::OpenMetricsProtobuf => Format::OPENMETRICS_PROTOBUF,
    }
}

/// Writes to standard output.
pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
