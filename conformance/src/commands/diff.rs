//! `omtool diff`: what differs between two expositions, whatever their formats.

use std::collections::BTreeMap;
use std::io::{self, Write};

use openmetrics::model::{Descriptor, MetricFamily, MetricSet, Number};

use super::input::{Form, Reader};
use crate::cli::{Failure, Outcome};
use crate::client::ConnectArguments;
use crate::flat;
use crate::render::printable;

/// What to compare, and how closely.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file, `-` for standard input, or an address.
    before: String,
    /// Another one.
    after: String,
    /// How far numbers may be apart, as a part of the larger one: 0.01 is one in a hundred.
    #[arg(long, default_value_t = 0.0, value_name = "PART")]
    tolerance: f64,
    /// Compare what is there, not its values.
    #[arg(long)]
    series_only: bool,
    /// The format of both; found out for each if not given.
    #[arg(long, value_name = "FORMAT")]
    from: Option<Form>,
    #[command(flatten)]
    connect: ConnectArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    if !(0.0..=1.0).contains(&arguments.tolerance) {
        return Err(Failure::new("--tolerance: a part of the larger number, from 0 to 1"));
    }
    let reader = Reader::new(&arguments.connect)?;
    let before = reader.set(&arguments.before, arguments.from)?;
    let after = reader.set(&arguments.after, arguments.from)?;
    let tolerance = (!arguments.series_only).then_some(arguments.tolerance);
    let lines = differences(&before, &after, tolerance);
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in &lines {
        writeln!(out, "{}", printable(line))?;
    }
    out.flush()?;
    Ok(if lines.is_empty() { Outcome::Clean } else { Outcome::Findings })
}

/// One line for each difference: `-` for what is gone, `+` for what is new, `~` for what changed. Values count only with
/// a tolerance.
fn differences(before: &MetricSet, after: &MetricSet, tolerance: Option<f64>) -> Vec<String> {
    let mut lines = Vec::new();
    let (was, mut is) = (families(before), families(after));
    for (name, family) in &was {
        let kind = family.descriptor.metric_type();
        match is.remove(name) {
            None => lines.push(format!("- {name} ({kind}, {} metrics)", family.metrics.len())),
            Some(now) => {
                metadata(name, &family.descriptor, &now.descriptor, &mut lines);
                samples(family, now, tolerance, &mut lines);
            }
        }
    }
    for (name, family) in is {
        let kind = family.descriptor.metric_type();
        lines.push(format!("+ {name} ({kind}, {} metrics)", family.metrics.len()));
    }
    lines
}

fn families(set: &MetricSet) -> BTreeMap<&str, &MetricFamily> {
    set.families.iter().map(|family| (family.descriptor.name().as_str(), family)).collect()
}

fn metadata(name: &str, was: &Descriptor, is: &Descriptor, lines: &mut Vec<String>) {
    if was.metric_type() != is.metric_type() {
        lines.push(format!("~ {name}: type {} -> {}", was.metric_type(), is.metric_type()));
    }
    let unit = |descriptor: &Descriptor| descriptor.unit().map_or(String::new(), ToString::to_string);
    for (what, was, is) in [("unit", unit(was), unit(is)), ("help", was.help().into(), is.help().into())] {
        if was != is {
            lines.push(format!("~ {name}: {what} {was:?} -> {is:?}"));
        }
    }
}

fn samples(was: &MetricFamily, is: &MetricFamily, tolerance: Option<f64>, lines: &mut Vec<String>) {
    let list = |family: &MetricFamily| -> BTreeMap<String, Number> {
        flat::of_family(family).into_iter().map(|sample| (sample.series, sample.value)).collect()
    };
    let (was, mut is) = (list(was), list(is));
    for (series, value) in was {
        match (is.remove(&series), tolerance) {
            (None, _) => lines.push(format!("- {series} {}", value.as_f64())),
            (Some(now), Some(tolerance)) if !near(value, now, tolerance) => {
                lines.push(format!("~ {series} {} -> {}", value.as_f64(), now.as_f64()));
            }
            _ => {}
        }
    }
    lines.extend(is.into_iter().map(|(series, value)| format!("+ {series} {}", value.as_f64())));
}

fn near(a: Number, b: Number, tolerance: f64) -> bool {
    if a.same_value(b) {
        return true;
    }
    let (a, b) = (a.as_f64(), b.as_f64());
    (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmetrics::format::{Format, decode};

    fn om1(text: &str) -> MetricSet {
        decode(text.as_bytes(), Format::OPENMETRICS_1_0).unwrap()
    }

    #[test]
    fn differences_are_about_meaning() {
        let before = om1(
            "# TYPE a gauge\n# HELP a One.\na{x=\"1\",y=\"2\"} 100\n# TYPE gone gauge\ngone 1\n# TYPE h histogram\n\
            h_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\n# EOF\n",
        );
        let same = om1(
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n# TYPE gone gauge\ngone 1.0\n\
            # TYPE a gauge\n# HELP a One.\na{y=\"2\",x=\"1\"} 1e2\n# EOF\n",
        );
        assert_eq!(differences(&before, &same, Some(0.0)), [""; 0]);
        let other =
            om1("# TYPE a unknown\na{x=\"1\",y=\"2\"} 101\na{x=\"2\",y=\"2\"} 1\n# TYPE new gauge\nnew 1\n\
            # TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 3\n# EOF\n");
        assert_eq!(
            differences(&before, &other, Some(0.005)),
            [
                "~ a: type gauge -> unknown",
                "~ a: help \"One.\" -> \"\"",
                "~ a{x=\"1\",y=\"2\"} 100 -> 101",
                "+ a{x=\"2\",y=\"2\"} 1",
                "- gone (gauge, 1 metrics)",
                "~ h_count 2 -> 3",
                "+ new (gauge, 1 metrics)",
            ]
        );
        assert!(!differences(&before, &other, Some(0.02)).iter().any(|line| line.contains("101")));
        assert!(!differences(&before, &other, None).iter().any(|line| line.contains(" -> 3")));
    }
}
