//! `omtool convert`: from any format to any other.

use openmetrics::format::{self, Format, Lost, Options, json, losses};
use openmetrics::model::MetricSet;

use super::input::{Form, Reader, print};
use crate::cli::{Failure, Outcome};
use crate::client::ConnectArguments;
use crate::render::printable;

/// What to convert into what.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file, `-` for standard input, or an address.
    input: String,
    /// The format to write.
    #[arg(long, value_name = "FORMAT")]
    to: Form,
    /// The format of the input; found out if not given.
    #[arg(long, value_name = "FORMAT")]
    from: Option<Form>,
    /// End with status 1 if anything is lost.
    #[arg(long)]
    lossless: bool,
    #[command(flatten)]
    connect: ConnectArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let set = Reader::new(&arguments.connect)?.set(&arguments.input, arguments.from)?;
    let Some(format) = arguments.to.format() else {
        let mut text = json::to_string(&set);
        text.push('\n');
        print(text.as_bytes())?;
        return Ok(Outcome::Clean);
    };
    let lost = losses(&set, format).map_err(|error| Failure::new(error.to_string()))?;
    print(&write(&set, format))?;
    // Start timestamps are not lost where they are samples.
    let lost = lost
        .iter()
        .filter(|loss| !(matches!(loss.what, Lost::Starts(_)) && format == Format::OPENMETRICS_1_0));
    let mut count = 0;
    for loss in lost {
        eprintln!("omtool: lost: {}", printable(&loss.to_string()));
        count += 1;
    }
    Ok(if arguments.lossless && count > 0 { Outcome::Findings } else { Outcome::Clean })
}

/// A set in a format, start timestamps included where OpenMetrics 1.0 has samples for them.
pub(crate) fn write(set: &MetricSet, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    let options = Options::default().with_created_samples(format == Format::OPENMETRICS_1_0);
    format::encode_with(set, format, options, &mut out);
    out
}
