//! From any format to any other, with a list of what the target could not say.
//!
//! What is lost is found by doing it: the set is written, read again and compared. So the list needs no table of
//! what each format can say, and is as right as writer and reader are.

use std::collections::HashMap;
use std::fmt;

use super::{Escaping, Format, decode, encode};
use crate::error::Error;
use crate::model::{
    Collector, Histogram, MetricFamily, MetricPoint, MetricSet, MetricType, MetricValue, Number, Summary,
};

/// Reads an exposition, strictly, and appends it to `out` in another format; says what was lost on the way.
///
/// ```
/// use openmetrics::format::{Format, convert};
///
/// let page = b"# TYPE build info\nbuild_info{version=\"1.0\"} 1\n# EOF\n";
/// let mut out = Vec::new();
/// let losses = convert(page, Format::OPENMETRICS_1_0, Format::TEXT_0_0_4, &mut out)?;
/// assert_eq!(out, b"# TYPE build_info gauge\nbuild_info{version=\"1.0\"} 1\n");
/// assert_eq!(losses[0].to_string(), "build: the type info becomes gauge");
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub fn convert(bytes: &[u8], from: Format, to: Format, out: &mut Vec<u8>) -> Result<Vec<Loss>, Error> {
    let set = decode(bytes, from)?;
    let start = out.len();
    let found = write_and_compare(&set, to, out);
    if found.is_err() {
        out.truncate(start);
    }
    found
}

/// What would be lost of a set in a format. An error says that the format's own reader does not take what its writer
/// made of the set, which a set that breaks no rule does not lead to.
pub fn losses(set: &MetricSet, format: Format) -> Result<Vec<Loss>, Error> {
    write_and_compare(set, format, &mut Vec::new())
}

/// One thing that a format could not say of a family.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Loss {
    /// The family's name.
    pub family: String,
    /// What it is.
    pub what: Lost,
}

/// What can be lost. Numbers are how many points, or exemplars, it happened to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Lost {
    /// The family, or points of it, were refused: by this rule, for this reason.
    Refused {
        /// The id of the rule.
        rule: &'static str,
        /// The reason in words.
        message: String,
    },
    /// The type is another one.
    Type {
        /// The type it had.
        from: MetricType,
        /// The type it has now.
        to: MetricType,
    },
    /// The name is another one.
    Name(String),
    /// The help text is gone or changed.
    Help,
    /// The unit is gone.
    Unit,
    /// Points that are not there any more.
    Points(u64),
    /// Exemplars that are not there any more, or are without their timestamp.
    Exemplars(u64),
    /// Points without the start timestamp they had.
    Starts(u64),
    /// Points whose timestamp was rounded.
    Timestamps(u64),
    /// Points with a number that was rounded.
    Values(u64),
    /// Points without the sum or count they had.
    Sums(u64),
    /// Points without the native buckets they had.
    NativeBuckets(u64),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.family)?;
        let many = |n: u64, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
        match &self.what {
            Lost::Refused { rule, message } => write!(f, "{message} [{rule}]"),
            Lost::Type { from, to } => write!(f, "the type {from} becomes {to}"),
            Lost::Name(name) => write!(f, "the name becomes {name}"),
            Lost::Help => f.write_str("the help text is not said"),
            Lost::Unit => f.write_str("the unit is not said"),
            Lost::Points(n) => write!(f, "{} left out", many(*n, "point")),
            Lost::Exemplars(n) => write!(f, "{} left out", many(*n, "exemplar")),
            Lost::Starts(n) => write!(f, "{} without start timestamp", many(*n, "point")),
            Lost::Timestamps(n) => write!(f, "{} with a timestamp rounded", many(*n, "point")),
            Lost::Values(n) => write!(f, "{} with a number rounded", many(*n, "point")),
            Lost::Sums(n) => write!(f, "{} without sum or count", many(*n, "point")),
            Lost::NativeBuckets(n) => write!(f, "{} without native buckets", many(*n, "point")),
        }
    }
}

fn write_and_compare(set: &MetricSet, format: Format, out: &mut Vec<u8>) -> Result<Vec<Loss>, Error> {
    let start = out.len();
    let collector: &dyn Collector = set;
    let report = encode(collector, format, out);
    let refused = report.refusals().iter().map(|refusal| Loss {
        family: refusal.family().to_owned(),
        what: Lost::Refused { rule: refusal.rule(), message: refusal.message().to_owned() },
    });
    let mut losses: Vec<_> = refused.collect();
    let written = decode(out.get(start..).unwrap_or_default(), format)?;
    let by_name: HashMap<&str, &MetricFamily> =
        written.families.iter().map(|family| (family.descriptor.name().as_str(), family)).collect();
    for family in &set.families {
        let name = family.descriptor.name().as_str();
        // Where the type is lost, so is the knowledge that this was a suffix.
        let names = ["", "_total", "_info"].map(|suffix| format!("{name}{suffix}"));
        let found = names.iter().find_map(|name| {
            let escaped = format.escaping().metric_name(name);
            by_name.get(&*escaped).filter(|found| fits(family, found))
        });
        if let Some(found) = found {
            let mut add = |what| losses.push(Loss { family: name.to_owned(), what });
            compare(family, found, format.escaping(), &mut add);
        }
    }
    Ok(losses)
}

/// Whether one family can be what became of another: a counter's `a_total` is not the gauge of that name.
fn fits(family: &MetricFamily, written: &MetricFamily) -> bool {
    use MetricType::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Unknown};
    let (was, is) = (family.descriptor.metric_type(), written.descriptor.metric_type());
    was == is
        || is == Unknown
        || matches!(
            (was, is),
            (Info | StateSet | Unknown, Gauge) | (GaugeHistogram, Histogram) | (Unknown, Counter)
        )
}

fn compare(family: &MetricFamily, written: &MetricFamily, escaping: Escaping, add: &mut impl FnMut(Lost)) {
    let (was, is) = (&family.descriptor, &written.descriptor);
    if was.metric_type() != is.metric_type() {
        add(Lost::Type { from: was.metric_type(), to: is.metric_type() });
    }
    if *escaping.metric_name(was.name().as_str()) != *was.name().as_str() {
        add(Lost::Name(is.name().to_string()));
    }
    if was.help() != is.help() {
        add(Lost::Help);
    }
    if was.unit() != is.unit() {
        add(Lost::Unit);
    }
    let points =
        |family: &MetricFamily| family.metrics.iter().map(|metric| metric.points.len() as u64).sum::<u64>();
    // A stateset's states are a point each where that type is lost, so they cannot be set side by side.
    if was.metric_type() == MetricType::StateSet && is.metric_type() != MetricType::StateSet {
        return;
    }
    let missing = points(family).saturating_sub(points(written));
    if missing > 0 {
        add(Lost::Points(missing));
        return;
    }
    let mut lost = Lost64::default();
    let all = |family: &'_ MetricFamily| {
        family.metrics.iter().flat_map(|metric| metric.points.clone()).collect::<Vec<_>>()
    };
    for (was, is) in all(family).iter().zip(&all(written)) {
        lost.compare(was, is);
    }
    for (count, what) in [
        (lost.exemplars, Lost::Exemplars as fn(u64) -> Lost),
        (lost.starts, Lost::Starts),
        (lost.timestamps, Lost::Timestamps),
        (lost.values, Lost::Values),
        (lost.sums, Lost::Sums),
        (lost.native, Lost::NativeBuckets),
    ] {
        if count > 0 {
            add(what(count));
        }
    }
}

/// What was lost of points, counted.
#[derive(Default)]
struct Lost64 {
    exemplars: u64,
    starts: u64,
    timestamps: u64,
    values: u64,
    sums: u64,
    native: u64,
}

impl Lost64 {
    fn compare(&mut self, was: &MetricPoint, is: &MetricPoint) {
        let kept = was.exemplars.iter().filter(|exemplar| {
            is.exemplars
                .iter()
                .any(|other| other.value.same_value(exemplar.value) && other.timestamp == exemplar.timestamp)
        });
        self.exemplars += (was.exemplars.len() - kept.count()) as u64;
        self.starts += u64::from(was.start.is_some() && was.start != is.start);
        self.timestamps += u64::from(was.timestamp != is.timestamp);
        let (rounded, sums) = match (&was.value, &is.value) {
            (MetricValue::Number(was), MetricValue::Number(is)) => (!was.same_value(*is), false),
            (MetricValue::Histogram(was), MetricValue::Histogram(is)) => {
                self.native += u64::from(was.native.is_some() && is.native.is_none());
                (histogram_is_rounded(was, is), was.sum.is_some() && is.sum.is_none())
            }
            (MetricValue::Summary(was), MetricValue::Summary(is)) => {
                (summary_is_rounded(was, is), was.sum.is_some() && is.sum.is_none())
            }
            _ => (false, false),
        };
        self.values += u64::from(rounded);
        self.sums += u64::from(sums);
    }
}

/// Whether both are there and differ.
fn differ(was: Option<Number>, is: Option<Number>) -> bool {
    matches!((was, is), (Some(was), Some(is)) if !was.same_value(is))
}

fn histogram_is_rounded(was: &Histogram, is: &Histogram) -> bool {
    let classic = |(was, is): (&Vec<_>, &Vec<_>)| {
        let pair = |(was, is): (&crate::model::ClassicBucket, &crate::model::ClassicBucket)| {
            was.upper_bound != is.upper_bound || !was.count.same_value(is.count)
        };
        was.len() != is.len() || was.iter().zip(is).any(pair)
    };
    !was.count.same_value(is.count)
        || differ(was.sum, is.sum)
        || was.classic.as_ref().zip(is.classic.as_ref()).is_some_and(classic)
}

fn summary_is_rounded(was: &Summary, is: &Summary) -> bool {
    differ(was.count, is.count)
        || differ(was.sum, is.sum)
        || was.quantiles.len() != is.quantiles.len()
        || was.quantiles.iter().zip(&is.quantiles).any(|(was, is)| !was.value.same_value(is.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::arbitrary::ValidSet;
    use quickcheck::quickcheck;

    fn formats() -> impl Iterator<Item = Format> {
        let json: &[Format] = &[
            #[cfg(feature = "json")]
            Format::JSON,
        ];
        Format::SERVED.into_iter().chain(json.iter().copied())
    }

    /// One point a metric: text tells the points of a histogram apart by their timestamps only.
    fn single(mut set: MetricSet) -> MetricSet {
        for metric in set.families.iter_mut().flat_map(|family| &mut family.metrics) {
            metric.points.truncate(1);
        }
        set
    }

    fn written(set: &MetricSet, format: Format) -> Vec<u8> {
        let mut out = Vec::new();
        encode(set, format, &mut out);
        out
    }

    quickcheck! {
        fn every_reader_takes_what_its_writer_makes(set: ValidSet) -> bool {
            let set = single(set.0);
            formats().all(|format| match losses(&set, format) {
                Ok(_) => true,
                Err(error) => panic!("{format}: {error}\n{}", String::from_utf8_lossy(&written(&set, format))),
            })
        }

        fn what_was_read_is_written_and_read_again(set: ValidSet) -> bool {
            let set = single(set.0);
            formats().all(|format| {
                let once = decode(&written(&set, format), format).unwrap();
                let twice = decode(&written(&once, format), format).unwrap();
                assert_eq!(once, twice, "{format}");
                true
            })
        }
    }

    #[test]
    fn what_is_lost_is_said() {
        let page = concat!(
            "# TYPE requests counter\n",
            "# HELP requests Served.\n",
            "requests_total 9007199254740993 # {trace_id=\"1\"} 0.5\n",
            "requests_created 1520430000.123\n",
            "# TYPE build info\n",
            "build_info{version=\"1\"} 1\n",
            "# TYPE light stateset\n",
            "light{light=\"on\"} 1\n",
            "light{light=\"off\"} 0\n",
            "# TYPE wait_seconds gauge\n",
            "# UNIT wait_seconds seconds\n",
            "wait_seconds 0.5 1520879607.7890001\n",
            "# EOF\n",
        );
        let lost = |to: Format| {
            let losses = convert(page.as_bytes(), Format::OPENMETRICS_1_0, to, &mut Vec::new()).unwrap();
            losses.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            lost(Format::TEXT_0_0_4),
            [
                "requests: 1 exemplar left out",
                "requests: 1 point without start timestamp",
                "build: the type info becomes gauge",
                "light: the type stateset becomes gauge",
                "wait_seconds: the unit is not said",
                "wait_seconds: 1 point with a timestamp rounded",
            ]
        );
        assert_eq!(
            lost(Format::PROMETHEUS_PROTOBUF),
            [
                "requests: 1 point with a number rounded",
                "build: the type info becomes gauge",
                "light: the type stateset becomes gauge",
                "wait_seconds: 1 point with a timestamp rounded",
            ]
        );
        assert_eq!(lost(Format::OPENMETRICS_PROTOBUF), [""; 0]);
        #[cfg(feature = "json")]
        assert_eq!(lost(Format::JSON), [""; 0]);
    }
}
