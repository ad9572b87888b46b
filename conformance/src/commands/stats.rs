//! `omtool stats`: where the series and the bytes are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};

use openmetrics::format::{self, Format};
use openmetrics::model::{MetricFamily, MetricSet};

use super::input::{Reader, format_of};
use crate::cli::{Failure, Outcome};
use crate::client::ConnectArguments;
use crate::flat;
use crate::judge;
use crate::render::printable;
use crate::subject::Spec;

/// What to count.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files, `-` for standard input, or addresses.
    #[arg(required = true)]
    inputs: Vec<String>,
    /// The format; found out if not given.
    #[arg(long)]
    spec: Option<Spec>,
    /// How many lines each table has.
    #[arg(long, default_value_t = 15, value_name = "N")]
    top: usize,
    /// As JSON, with everything.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArguments,
}

/// What is counted of one exposition.
#[derive(Debug, serde::Serialize)]
struct Stats {
    input: String,
    bytes: usize,
    metrics: usize,
    samples: usize,
    exemplars: usize,
    families: Vec<FamilyStats>,
    labels: Vec<LabelStats>,
}

#[derive(Debug, serde::Serialize)]
struct FamilyStats {
    name: String,
    #[serde(rename = "type")]
    metric_type: &'static str,
    metrics: usize,
    samples: usize,
    /// As the format has it, written by us.
    bytes: usize,
}

#[derive(Debug, serde::Serialize)]
struct LabelStats {
    name: String,
    values: usize,
    metrics: usize,
    bytes: usize,
    families: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let reader = Reader::new(&arguments.connect)?;
    let mut all = Vec::new();
    for input in &arguments.inputs {
        let subject = reader.subject(input, arguments.spec)?;
        let set = judge::read(&subject.bytes, subject.spec);
        all.push(count(input, subject.bytes.len(), &set, format_of(subject.spec)));
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &all).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        for (at, stats) in all.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            show(stats, arguments.top, &mut out)?;
        }
    }
    out.flush()?;
    Ok(Outcome::Clean)
}

/// Counts; the largest come first.
fn count(input: &str, bytes: usize, set: &MetricSet, format: Format) -> Stats {
    let mut families: Vec<FamilyStats> =
        set.families.iter().map(|family| of_family(family, format)).collect();
    families.sort_by(|a, b| (b.samples, b.bytes, &a.name).cmp(&(a.samples, a.bytes, &b.name)));
    let exemplars = set
        .families
        .iter()
        .flat_map(|family| &family.metrics)
        .flat_map(|metric| &metric.points)
        .map(|point| point.exemplars.len());
    Stats {
        input: input.to_owned(),
        bytes,
        metrics: families.iter().map(|family| family.metrics).sum(),
        samples: families.iter().map(|family| family.samples).sum(),
        exemplars: exemplars.sum(),
        labels: labels(set),
        families,
    }
}

fn of_family(family: &MetricFamily, format: Format) -> FamilyStats {
    let alone = MetricSet { families: vec![family.clone()] };
    let mut written = Vec::new();
    format::encode(&alone, format, &mut written);
    let mut nothing = Vec::new();
    format::encode(&MetricSet::default(), format, &mut nothing);
    FamilyStats {
        name: family.descriptor.name().to_string(),
        metric_type: family.descriptor.metric_type().as_str(),
        metrics: family.metrics.len(),
        samples: flat::of_family(family).len(),
        bytes: written.len().saturating_sub(nothing.len()),
    }
}

fn labels(set: &MetricSet) -> Vec<LabelStats> {
    #[derive(Default)]
    struct Seen<'a> {
        values: HashSet<&'a str>,
        families: HashSet<&'a str>,
        metrics: usize,
        bytes: usize,
    }
    let mut seen: BTreeMap<&str, Seen<'_>> = BTreeMap::new();
    for family in &set.families {
        for label in family.metrics.iter().flat_map(|metric| metric.labels.iter()) {
            let seen = seen.entry(label.name.as_str()).or_default();
            seen.values.insert(label.value.as_str());
            seen.families.insert(family.descriptor.name().as_str());
            seen.metrics += 1;
            seen.bytes += label.name.as_str().len() + label.value.as_str().len() + "=\"\",".len();
        }
    }
    let mut all: Vec<LabelStats> = seen
        .into_iter()
        .map(|(name, seen)| LabelStats {
            name: name.to_owned(),
            values: seen.values.len(),
            metrics: seen.metrics,
            bytes: seen.bytes,
            families: seen.families.len(),
        })
        .collect();
    all.sort_by_key(|label| std::cmp::Reverse((label.values, label.metrics)));
    all
}

fn show(stats: &Stats, top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}: {} families, {} metrics, {} samples, {} exemplars, {} bytes",
        printable(&stats.input),
        stats.families.len(),
        stats.metrics,
        stats.samples,
        stats.exemplars,
        stats.bytes
    )?;
    let mut by_type: HashMap<&str, usize> = HashMap::new();
    for family in &stats.families {
        *by_type.entry(family.metric_type).or_default() += 1;
    }
    let mut by_type: Vec<_> = by_type.into_iter().collect();
    by_type.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
    let by_type: Vec<String> = by_type.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    writeln!(out, "types: {}", by_type.join(", "))?;
    writeln!(out, "\n{:>8} {:>8} {:>10}  {:14} family", "samples", "metrics", "bytes", "type")?;
    for family in stats.families.iter().take(top) {
        let FamilyStats { name, metric_type, metrics, samples, bytes } = family;
        writeln!(out, "{samples:>8} {metrics:>8} {bytes:>10}  {metric_type:14} {}", printable(name))?;
    }
    more(stats.families.len(), top, out)?;
    if stats.labels.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:>8} {:>8} {:>10}  {:>8}  label", "values", "metrics", "bytes", "families")?;
    for label in stats.labels.iter().take(top) {
        let LabelStats { name, values, metrics, bytes, families } = label;
        writeln!(out, "{values:>8} {metrics:>8} {bytes:>10}  {families:>8}  {}", printable(name))?;
    }
    more(stats.labels.len(), top, out)
}

fn more(of: usize, top: usize, out: &mut dyn Write) -> io::Result<()> {
    if of > top { writeln!(out, "{:>8} and {} more; --top {of} shows all", "", of - top) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first() {
        let text = b"# TYPE a gauge\na 1\n# TYPE b histogram\nb_bucket{x=\"1\",le=\"1\"} 1\nb_bucket{x=\"1\",le=\"+Inf\"} 2\n\
            b_count{x=\"1\"} 2\nb_sum{x=\"1\"} 2\n# TYPE c gauge\nc{x=\"2\",y=\"3\"} 1\nc{x=\"3\",y=\"3\"} 1\n";
        let set = judge::read(text, Spec::Prometheus);
        let stats = count("file", text.len(), &set, Format::TEXT_0_0_4);
        let families: Vec<_> =
            stats.families.iter().map(|f| (f.name.as_str(), f.metrics, f.samples)).collect();
        assert_eq!(families, [("b", 1, 3), ("c", 2, 2), ("a", 1, 1)]);
        let labels: Vec<_> = stats.labels.iter().map(|l| (l.name.as_str(), l.values, l.metrics)).collect();
        assert_eq!(labels, [("x", 3, 3), ("y", 1, 2)]);
        assert_eq!(stats.families.iter().map(|family| family.bytes).sum::<usize>(), text.len());
    }
}
