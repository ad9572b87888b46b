//! `omtool watch`: an endpoint's numbers, as they change.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::input::Reader;
use crate::cli::{Failure, Outcome};
use crate::client::ConnectArguments;
use crate::flat::{self, Sample};
use crate::judge;
use crate::render::printable;

/// What to watch.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The address of the endpoint.
    #[arg(value_name = "URL")]
    address: String,
    /// Seconds between scrapes.
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
    interval: f64,
    /// Only series with this text in name or labels.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How many series are shown.
    #[arg(long, default_value_t = 30, value_name = "N")]
    top: usize,
    /// Stop after this many scrapes.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    connect: ConnectArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let interval = Duration::try_from_secs_f64(arguments.interval)
        .map_err(|_| Failure::new("--interval: seconds, such as 2 or 0.5"))?;
    let reader = Reader::new(&arguments.connect)?;
    let is_terminal = io::stdout().is_terminal();
    let mut before: Option<(Instant, HashMap<String, f64>)> = None;
    let mut number = 0_u64;
    loop {
        number += 1;
        let start = Instant::now();
        let subject = reader.subject(&arguments.address, None)?;
        let took = start.elapsed();
        let samples = flat::samples(&judge::read(&subject.bytes, subject.spec));
        let wanted = |sample: &&Sample| {
            !sample.series.contains(" start")
                && arguments.filter.as_deref().is_none_or(|text| sample.series.contains(text))
        };
        let samples: Vec<&Sample> = samples.iter().filter(wanted).collect();
        let mut rows = rows(&samples, before.as_ref().map(|(at, values)| (start - *at, values)));
        let changing = rows.iter().filter(|row| row.rate != 0.0).count();
        rows.truncate(arguments.top);
        let mut out = io::BufWriter::new(io::stdout().lock());
        if is_terminal {
            // Top left, and clear the screen.
            write!(out, "\x1b[H\x1b[2J")?;
        }
        writeln!(
            out,
            "{}: scrape {number}, {} bytes in {} ms, {} series, {changing} changing",
            printable(&arguments.address),
            subject.bytes.len(),
            took.as_millis(),
            samples.len()
        )?;
        writeln!(out, "{:>16} {:>14}  series", "value", "per second")?;
        for row in rows {
            let rate = if row.known { short(row.rate) } else { String::new() };
            writeln!(out, "{:>16} {rate:>14}  {}", short(row.value), printable(row.series))?;
        }
        out.flush()?;
        if arguments.count.is_some_and(|count| number >= count) {
            return Ok(Outcome::Clean);
        }
        before = Some((
            start,
            samples.iter().map(|sample| (sample.series.clone(), sample.value.as_f64())).collect(),
        ));
        std::thread::sleep(interval.saturating_sub(start.elapsed()));
    }
}

struct Row<'a> {
    series: &'a str,
    value: f64,
    /// Change per second; of a counter that fell, what it has counted since.
    rate: f64,
    known: bool,
}

/// What changes most comes first, what does not change last, both in the order of the exposition.
fn rows<'a>(samples: &[&'a Sample], before: Option<(Duration, &HashMap<String, f64>)>) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = samples
        .iter()
        .map(|sample| {
            let value = sample.value.as_f64();
            let was = before.and_then(|(time, values)| Some((time, *values.get(&sample.series)?)));
            let rate = was.map(|(time, was)| {
                let change = if sample.is_counter && value < was { value } else { value - was };
                change / time.as_secs_f64().max(1e-9)
            });
            Row { series: &sample.series, value, rate: rate.unwrap_or(0.0), known: rate.is_some() }
        })
        .collect();
    rows.sort_by(|a, b| b.rate.abs().total_cmp(&a.rate.abs()));
    rows
}

/// Whole numbers as they are, others with three digits after the point.
fn short(number: f64) -> String {
    if number == number.trunc() && number.abs() < 1e15 {
        return format!("{number}");
    }
    let exponent = number.abs().log10();
    if (-4.0..15.0).contains(&exponent) { format!("{number:.3}") } else { format!("{number:.3e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmetrics::model::Number;

    #[test]
    fn rates_and_resets() {
        let sample = |series: &str, value: u64, is_counter| Sample {
            series: series.to_owned(),
            value: Number::from(value),
            is_counter,
        };
        let now = [
            sample("same", 5, true),
            sample("rises", 30, true),
            sample("reset", 4, true),
            sample("falls", 4, false),
        ];
        let before = [("same", 5.0), ("rises", 10.0), ("reset", 100.0), ("falls", 24.0)];
        let before = before.into_iter().map(|(series, value)| (series.to_owned(), value)).collect();
        let rows = rows(&now.iter().collect::<Vec<_>>(), Some((Duration::from_secs(2), &before)));
        let shown: Vec<_> = rows.iter().map(|row| (row.series, row.rate)).collect();
        assert_eq!(shown, [("rises", 10.0), ("falls", -10.0), ("reset", 2.0), ("same", 0.0)]);
        assert_eq!(short(1.0), "1");
        assert_eq!(short(0.123_456), "0.123");
        assert_eq!(short(1e-9), "1.000e-9");
        assert_eq!(short(f64::NAN), "NaN");
    }
}
