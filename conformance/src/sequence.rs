//! Two expositions of one target, one after the other.

use std::collections::{BTreeSet, HashMap};

use openmetrics::model::{
    LabelSet, MetricFamily, MetricPoint, MetricSet, MetricType, MetricValue, Number, SideRef, Timestamp,
};

use crate::finding::Finding;
use crate::rules;
use crate::subject::Spec;

/// What is wrong with `after`, given `before`.
pub(crate) fn compare(spec: Spec, before: &MetricSet, after: &MetricSet) -> Vec<Finding> {
    let mut pair = Pair { spec, findings: Vec::new() };
    let mut families: HashMap<Key<'_>, &MetricFamily> = HashMap::new();
    for family in &after.families {
        families.insert((family.descriptor.name().as_str(), None), family);
    }
    for family in &after.families {
        families.insert(key(family), family);
    }
    let mut gone: Vec<String> = Vec::new();
    for family in &before.families {
        let name = family.descriptor.name().as_str();
        // One of the same name and another type only where there is none of the same type.
        match families.get(&key(family)).or_else(|| families.get(&(name, None))) {
            None => gone.push(name.to_owned()),
            Some(now) => pair.family(family, now, &mut gone),
        }
    }
    pair.gone(&gone);
    pair.findings
}

/// Name and type: a counter `a_total` and a gauge `a` may stand in one exposition, and both are called `a`.
type Key<'a> = (&'a str, Option<MetricType>);

fn key(family: &MetricFamily) -> Key<'_> {
    (family.descriptor.name().as_str(), Some(family.descriptor.metric_type()))
}

/// What is wrong with the order of labels: series that are written otherwise than before, with the same labels.
pub(crate) fn label_order(before: &[String], after: &[String]) -> Option<Finding> {
    let known: BTreeSet<&str> = before.iter().map(String::as_str).collect();
    let sorted = |series: &str| -> Vec<u8> {
        let mut letters = series.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    // Labels in another order are the same letters in another order; that is enough to suspect it.
    let missing: Vec<&String> =
        after.iter().filter(|series| !known.contains(series.as_str())).take(100).collect();
    let now: BTreeSet<&str> = after.iter().map(String::as_str).collect();
    let gone: BTreeSet<Vec<u8>> = before
        .iter()
        .filter(|series| !now.contains(series.as_str()))
        .take(10_000)
        .map(|series| sorted(series))
        .collect();
    let moved = missing.into_iter().find(|series| gone.contains(&sorted(series)))?;
    let name = moved.split('{').next().unwrap_or_default();
    Some(
        Finding::new(
            rules::find("OM1-LAB-08")?,
            format!("the labels of {moved} came in another order before"),
        )
        .of(name),
    )
}

/// Which of two series has changed its place; Prometheus text alone asks for a stable order.
pub(crate) fn order(before: &[String], after: &[String]) -> Option<Finding> {
    let places: HashMap<&str, usize> =
        after.iter().enumerate().map(|(place, series)| (series.as_str(), place)).collect();
    let mut last: Option<(usize, &str)> = None;
    for series in before {
        let Some(&place) = places.get(series.as_str()) else { continue };
        if let Some((_, first)) = last.filter(|(last, _)| *last > place) {
            let message = format!("{first} came before {series} and comes after it now");
            let name = first.split('{').next().unwrap_or_default();
            return Some(Finding::new(rules::find("P4-28")?, message).of(name));
        }
        last = Some((place, series));
    }
    None
}

/// The last point of every series, by family and labels.
fn points(set: &MetricSet) -> HashMap<(&str, &LabelSet), &MetricPoint> {
    let families = set.families.iter().map(|family| (family.descriptor.name().as_str(), &family.metrics));
    let metrics = families.flat_map(|(name, metrics)| metrics.iter().map(move |metric| (name, metric)));
    metrics.filter_map(|(name, metric)| Some(((name, &metric.labels), metric.points.last()?))).collect()
}

/// A series that was there, was not, and is there again as it was: it was left out since nothing changed.
pub(crate) fn left_out(first: &MetricSet, second: &MetricSet, third: &MetricSet) -> Option<Finding> {
    let (between, again) = (points(second), points(third));
    let same = |point: &MetricPoint, again: &MetricPoint| {
        point.value == again.value && point.start == again.start && point.timestamp == again.timestamp
    };
    let left_out = |family: &&MetricFamily| {
        let name = family.descriptor.name().as_str();
        family.metrics.iter().any(|metric| {
            let key = (name, &metric.labels);
            let back = again.get(&key).filter(|_| !between.contains_key(&key));
            back.zip(metric.points.last()).is_some_and(|(again, point)| same(point, again))
        })
    };
    let family = first.families.iter().find(left_out)?;
    let name = family.descriptor.name().as_str();
    let message = format!("a series of `{name}` was left out of one scrape and came back unchanged");
    Some(Finding::new(rules::find("OM1-HTTP-10")?, message).of(name))
}

/// Timestamps that all stayed where they were: what is served was made before the earlier scrape.
pub(crate) fn stale(before: &MetricSet, after: &MetricSet) -> Option<Finding> {
    let before = points(before);
    let mut timed = 0_usize;
    for (key, point) in points(after).into_iter().filter(|(_, point)| point.timestamp.is_some()) {
        let was = before.get(&key)?;
        if was.timestamp != point.timestamp || was.value != point.value {
            return None;
        }
        timed += 1;
    }
    let message = format!("no timestamp moved since the scrape before, of {timed}");
    (timed > 0).then(|| rules::find("OM1-HTTP-13").map(|rule| Finding::new(rule, message)))?
}

struct Pair {
    spec: Spec,
    findings: Vec<Finding>,
}

impl Pair {
    fn push(&mut self, id: &str, metric: &str, message: String) {
        if let Some(rule) = rules::find(id) {
            self.findings.push(Finding::new(rule, message).of(metric));
        }
    }

    /// The id for this specification.
    fn id(&self, om1: &'static str, om2: &'static str) -> &'static str {
        if self.spec == Spec::OpenMetrics2 { om2 } else { om1 }
    }

    fn family(&mut self, before: &MetricFamily, after: &MetricFamily, gone: &mut Vec<String>) {
        let name = before.descriptor.name().as_str();
        let (was, is) = (before.descriptor.metric_type(), after.descriptor.metric_type());
        if was != is {
            self.push("OM1-HTTP-15", name, format!("`{name}` was a {was} and is a {is}"));
            return;
        }
        let label_names = |family: &MetricFamily| -> BTreeSet<String> {
            family.metrics.iter().flat_map(|m| m.labels.iter()).map(|l| l.name.to_string()).collect()
        };
        let (had, has) = (label_names(before), label_names(after));
        if had != has && !before.metrics.is_empty() && !after.metrics.is_empty() {
            let list =
                |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            self.push(
                "OM1-HTTP-15",
                name,
                format!("`{name}` had labels ({}) and has ({})", list(&had), list(&has)),
            );
        }
        let now: HashMap<&LabelSet, &MetricPoint> =
            after.metrics.iter().filter_map(|metric| Some((&metric.labels, metric.points.last()?))).collect();
        for metric in &before.metrics {
            let Some(earlier) = metric.points.last() else { continue };
            let series = format!("{name}{}", metric.labels);
            match now.get(&metric.labels) {
                Some(later) => self.point(is, name, &series, earlier, later),
                None if is == MetricType::Info => {
                    self.push("OM1-INF-05", name, format!("{series} is gone or has other labels now"));
                }
                None => gone.push(series),
            }
        }
    }

    fn point(
        &mut self,
        kind: MetricType,
        family: &str,
        series: &str,
        before: &MetricPoint,
        after: &MetricPoint,
    ) {
        let fell = match (&before.value, &after.value) {
            (MetricValue::Number(was), MetricValue::Number(is)) if kind == MetricType::Counter => {
                fell(*was, *is)
            }
            (MetricValue::Histogram(was), MetricValue::Histogram(is)) if kind == MetricType::Histogram => {
                self.layout(family, series, was.classic.as_deref(), is.classic.as_deref());
                // A reset is judged by count and buckets, not by the sum, which falls with negative observations.
                let native = was.native.as_ref().zip(is.native.as_ref()).is_some_and(|(was, is)| {
                    was.schema == is.schema
                        && was.zero_threshold == is.zero_threshold
                        && (fell(was.zero_count, is.zero_count)
                            || side_fell(was.positive.borrow(), is.positive.borrow())
                            || side_fell(was.negative.borrow(), is.negative.borrow()))
                });
                let classic = was.classic.iter().flatten().zip(is.classic.iter().flatten());
                let classic = classic
                    .filter(|(a, b)| a.upper_bound == b.upper_bound)
                    .any(|(a, b)| fell(a.count, b.count));
                fell(was.count, is.count) || classic || native
            }
            (MetricValue::Summary(was), MetricValue::Summary(is)) if kind == MetricType::Summary => {
                let fell = |was: Option<Number>, is: Option<Number>| {
                    was.zip(is).is_some_and(|(was, is)| fell(was, is))
                };
                fell(was.count, is.count) || fell(was.sum, is.sum)
            }
            _ => return,
        };
        let native = matches!(&after.value, MetricValue::Histogram(h) if h.native.is_some());
        let start = |point: &MetricPoint| point.start;
        match (fell, start(before), start(after)) {
            (true, Some(was), Some(is)) if is > was => {}
            (true, Some(was), Some(is)) if is < was => {
                let id = self.id("OM1-CNT-06", "OM2-CNT-03");
                self.push(
                    id,
                    family,
                    format!("{series} was reset, but its start went back from {was} to {is}"),
                );
            }
            (true, Some(was), Some(is)) if !native && self.spec != Spec::OpenMetrics2 => {
                // Both rules are broken: the start says that there was no reset, or it should have moved.
                let message =
                    format!("{series} fell{}{}", values(before, after), starts(Some(was), Some(is)));
                self.push("OM1-CNT-06", family, message.clone());
                self.push("OM1-CNT-05", family, message);
            }
            (true, was, is) => {
                let id = if native { "NH-30" } else { self.id("OM1-CNT-05", "OM2-CNT-03") };
                self.push(id, family, format!("{series} fell{}{}", values(before, after), starts(was, is)));
            }
            (false, Some(was), Some(is)) if is < was => {
                let id = self.id("OM1-CNT-06", "OM2-CNT-03");
                self.push(id, family, format!("the start of {series} went back from {was} to {is}"));
            }
            _ => {}
        }
    }

    fn layout(
        &mut self,
        family: &str,
        series: &str,
        before: Option<&[openmetrics::model::ClassicBucket]>,
        after: Option<&[openmetrics::model::ClassicBucket]>,
    ) {
        let (Some(before), Some(after)) = (before, after) else { return };
        if !before.iter().map(|b| b.upper_bound).eq(after.iter().map(|b| b.upper_bound)) {
            let id = self.id("OM1-HIS-18", "OM2-HIS-09");
            self.push(id, family, format!("{series} has other thresholds now"));
        }
    }

    fn gone(&mut self, gone: &[String]) {
        let Some(first) = gone.first() else { return };
        let message = match gone.len() {
            1 => format!("{first} is gone"),
            n => format!("{first} and {} more are gone", n - 1),
        };
        self.push("OM1-HTTP-11", first.split('{').next().unwrap_or_default(), message);
    }
}

fn fell(was: Number, is: Number) -> bool {
    match (was.as_u64(), is.as_u64()) {
        (Some(was), Some(is)) => is < was,
        _ => is.as_f64() < was.as_f64(),
    }
}

/// Whether a bucket that was there has fewer observations now, or none.
fn side_fell(was: SideRef<'_>, is: SideRef<'_>) -> bool {
    let now: HashMap<i32, Number> = is.buckets().collect();
    was.buckets().any(|(index, count)| fell(count, now.get(&index).copied().unwrap_or_default()))
}

fn values(before: &MetricPoint, after: &MetricPoint) -> String {
    match (&before.value, &after.value) {
        (MetricValue::Number(was), MetricValue::Number(is)) => {
            format!(" from {} to {}", was.as_f64(), is.as_f64())
        }
        (MetricValue::Histogram(was), MetricValue::Histogram(is)) if fell(was.count, is.count) => {
            format!(": its count from {} to {}", was.count.as_f64(), is.count.as_f64())
        }
        (MetricValue::Histogram(_), _) => " in one of its buckets".to_owned(),
        _ => String::new(),
    }
}

fn starts(was: Option<Timestamp>, is: Option<Timestamp>) -> String {
    match (was, is) {
        (Some(was), Some(is)) if was == is => format!(", and its start is still {is}"),
        (None, _) | (_, None) => ", and no start timestamp says that it was reset".to_owned(),
        _ => String::new(),
    }
}
