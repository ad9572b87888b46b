//! The model as JSON, for tools: everything it holds, nothing lost, both ways. A feature, `json`.
//!
//! [`encode`](super::encode), [`decode`](super::decode) and [`convert`](super::convert()) take it as
//! [`Format::JSON`](super::Format::JSON). No scraper reads this, so it is never negotiated. [`MetricSet`] implements serde's `Serialize` and `Deserialize`, in this shape, which stays as it is:
//!
//! ```json
//! {"families": [
//!   {"name": "http_requests", "type": "counter", "help": "Requests served.", "unit": "requests", "verbatim": true,
//!    "metrics": [
//!      {"labels": {"code": "200"},
//!       "points": [
//!         {"value": {"number": 17}, "timestamp": "1520879607.789", "start": "1520430000.123000001",
//!          "exemplars": [{"labels": {"trace_id": "1"}, "value": 0.67, "timestamp": "1520879606.1"}]}]}]}]}
//! ```
//!
//! | part | written as |
//! |---|---|
//! | a number | whole ones without, others with a decimal point or exponent; `"NaN"`, `"+Inf"`, `"-Inf"` as text |
//! | a time | text, seconds since the epoch with up to nine decimals |
//! | a value | `{"number": 1}`, `{"states": [["on", true]]}`, `{"info": {"version": "1"}}`, `{"histogram": {"count": 2, "sum": 1.5, "classic": [[0.5, 1]], "native": {...}}}`, `{"summary": {"count": 2, "sum": 1.5, "quantiles": [[0.5, 1.0]]}}` |
//! | native buckets | `{"schema": 3, "zero_threshold": 0.0, "zero_count": 0, "positive": {"spans": [[-1, 2]], "counts": [1, 2]}, "negative": {...}, "custom_bounds": []}`; counts are per bucket, all whole or all with a decimal point |
//!
//! An empty list of counts that are not whole has `"float": true` beside it. Help, unit, `verbatim` (of names that are not to get a suffix), times, exemplars, sum, `classic`, `native`, empty
//! sides and custom bounds may be left out, and are when there is nothing to say. What is not known is an error.
//!
//! ```
//! use openmetrics::format::json;
//!
//! let text = r#"{"families":[{"name":"up","type":"gauge","metrics":[{"labels":{},"points":[{"value":{"number":1}}]}]}]}"#;
//! let set = json::from_slice(text.as_bytes())?;
//! assert_eq!(set.families[0].descriptor.name(), &"up");
//! assert_eq!(json::to_string(&set), text);
//! # Ok::<(), openmetrics::Error>(())
//! ```

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind};
use crate::model::{
    self, ClassicBucket, CountsBuf, Descriptor, LabelName, LabelSet, MetricName, MetricSet, MetricType,
    MetricValue, Naming, NativeBuckets, Number, Quantile, Schema, Span, Text, Timestamp, Unit,
};

/// The set as a line of JSON.
pub fn to_string(set: &MetricSet) -> String {
    // Only maps whose keys are no text could fail, and there are none.
    serde_json::to_string(set).unwrap_or_default()
}

/// Appends the set as a line of JSON.
pub(super) fn append(set: &MetricSet, out: &mut Vec<u8>) {
    // Only maps whose keys are no text could fail, and there are none.
    let _ = serde_json::to_writer(out, set);
}

/// The set that a JSON text holds. Errors have the line and column; names, units and schemas are checked, and label
/// names that repeat; the rules of formats are not.
pub fn from_slice(json: &[u8]) -> Result<MetricSet, Error> {
    serde_json::from_slice(json).map_err(|error| Error::new(Kind::Json { message: error.to_string() }))
}

impl Serialize for MetricSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Set { families: self.families.iter().map(Family::from).collect() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MetricSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let set = Set::deserialize(deserializer)?;
        let families: Result<_, Error> = set.families.into_iter().map(TryInto::try_into).collect();
        Ok(Self { families: families.map_err(D::Error::custom)? })
    }
}

// ---- the shape

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    families: Vec<Family>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    name: String,
    #[serde(rename = "type")]
    metric_type: Type,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    help: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    verbatim: bool,
    metrics: Vec<Metric>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metric {
    labels: Labels,
    points: Vec<Point>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Time>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exemplars: Vec<Exemplar>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Value {
    Number(Numeral),
    States(Vec<(String, bool)>),
    Info(Labels),
    Histogram(Histogram),
    Summary(Summary),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exemplar {
    labels: Labels,
    value: Numeral,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<Time>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Histogram {
    count: Numeral,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sum: Option<Numeral>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classic: Option<Vec<(Double, Numeral)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    native: Option<Native>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Native {
    schema: i32,
    zero_threshold: Double,
    zero_count: Numeral,
    #[serde(default, skip_serializing_if = "Side::is_empty")]
    positive: Side,
    #[serde(default, skip_serializing_if = "Side::is_empty")]
    negative: Side,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    custom_bounds: Vec<Double>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Side {
    spans: Vec<(i32, u32)>,
    counts: Vec<Numeral>,
    /// Whether an empty list of counts is one of doubles.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    float: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<Numeral>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sum: Option<Numeral>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    quantiles: Vec<(Double, Numeral)>,
}

/// A number as it is held.
struct Numeral(Number);
/// A number that is always a double.
struct Double(f64);
struct Time(Timestamp);
struct Type(MetricType);
struct Labels(LabelSet);

impl Serialize for Numeral {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Number::Unsigned(v) => serializer.serialize_u64(v),
            Number::Signed(v) => serializer.serialize_i64(v),
            Number::Float(v) if v.is_finite() => serializer.serialize_f64(v),
            Number::Float(v) if v.is_nan() => serializer.serialize_str("NaN"),
            Number::Float(v) => serializer.serialize_str(if v > 0.0 { "+Inf" } else { "-Inf" }),
        }
    }
}

impl<'de> Deserialize<'de> for Numeral {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfNumber;
        impl Visitor<'_> for OfNumber {
            type Value = Numeral;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"NaN\", \"+Inf\" or \"-Inf\"")
            }
            fn visit_u64<E>(self, v: u64) -> Result<Numeral, E> {
                Ok(Numeral(v.into()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Numeral, E> {
                Ok(Numeral(v.into()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Numeral, E> {
                Ok(Numeral(v.into()))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Numeral, E> {
                let value = match text {
                    "NaN" => f64::NAN,
                    "+Inf" => f64::INFINITY,
                    "-Inf" => f64::NEG_INFINITY,
                    _ => return Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                };
                Ok(Numeral(value.into()))
            }
        }
        deserializer.deserialize_any(OfNumber)
    }
}

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Numeral(self.0.into()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Numeral::deserialize(deserializer)?.0.as_f64()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        time(&text).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is not a time: seconds with at most nine decimals are expected"
            ))
        })
    }
}

/// `-0.5`, `1520879607.789`: what the time's `Display` writes.
fn time(text: &str) -> Option<Timestamp> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse::<i128>().ok()?;
    let total = whole.parse::<u64>().ok().map(|whole| i128::from(whole) * NANOS + nanos)?;
    let total = if negative { -total } else { total };
    let seconds = i64::try_from(total.div_euclid(NANOS)).ok()?;
    Timestamp::new(seconds, u32::try_from(total.rem_euclid(NANOS)).ok()?)
}

const NANOS: i128 = 1_000_000_000;

impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<str>::deserialize(deserializer)?;
        MetricType::from_word(&word)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{word:?} is not a metric type")))
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for label in &self.0 {
            map.serialize_entry(label.name.as_str(), label.value.as_str())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfLabels;
        impl<'de> Visitor<'de> for OfLabels {
            type Value = Labels;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of label names and values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    let name = LabelName::utf8(name).map_err(A::Error::custom)?;
                    labels.push(model::Label::new(name, value));
                }
                LabelSet::new(labels).map(Labels).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_map(OfLabels)
    }
}

// ---- from the model to the shape and back

impl From<&model::MetricFamily> for Family {
    fn from(family: &model::MetricFamily) -> Self {
        let descriptor = &family.descriptor;
        let metric = |metric: &model::Metric| Metric {
            labels: Labels(metric.labels.clone()),
            points: metric.points.iter().map(Point::from).collect(),
        };
        Self {
            name: descriptor.name().to_string(),
            metric_type: Type(descriptor.metric_type()),
            help: descriptor.help().to_owned(),
            unit: descriptor.unit().map(ToString::to_string),
            verbatim: descriptor.naming() == Naming::Verbatim,
            metrics: family.metrics.iter().map(metric).collect(),
        }
    }
}

impl TryFrom<Family> for model::MetricFamily {
    type Error = Error;
    fn try_from(family: Family) -> Result<Self, Error> {
        let mut descriptor = Descriptor::new(MetricName::utf8(family.name)?, family.metric_type.0);
        if !family.help.is_empty() {
            descriptor = descriptor.with_help(family.help);
        }
        if let Some(unit) = family.unit {
            descriptor = descriptor.with_unit(Unit::new(unit)?);
        }
        if family.verbatim {
            descriptor = descriptor.with_naming(Naming::Verbatim);
        }
        let metric = |metric: Metric| {
            let points: Result<_, Error> = metric.points.into_iter().map(TryInto::try_into).collect();
            Ok(model::Metric { labels: metric.labels.0, points: points? })
        };
        let metrics: Result<_, Error> = family.metrics.into_iter().map(metric).collect();
        Ok(Self { descriptor, metrics: metrics? })
    }
}

impl From<&model::MetricPoint> for Point {
    fn from(point: &model::MetricPoint) -> Self {
        let value = match &point.value {
            MetricValue::Number(number) => Value::Number(Numeral(*number)),
            MetricValue::StateSet(states) => {
                Value::States(states.iter().map(|(name, on)| (name.to_string(), *on)).collect())
            }
            MetricValue::Info(facts) => Value::Info(Labels(facts.clone())),
            MetricValue::Histogram(h) => Value::Histogram(Histogram {
                count: Numeral(h.count),
                sum: h.sum.map(Numeral),
                classic: h.classic.as_ref().map(|buckets| {
                    buckets.iter().map(|b| (Double(b.upper_bound), Numeral(b.count))).collect()
                }),
                native: h.native.as_ref().map(Native::from),
            }),
            MetricValue::Summary(s) => Value::Summary(Summary {
                count: s.count.map(Numeral),
                sum: s.sum.map(Numeral),
                quantiles: s.quantiles.iter().map(|q| (Double(q.quantile), Numeral(q.value))).collect(),
            }),
        };
        let exemplar = |exemplar: &model::Exemplar| Exemplar {
            labels: Labels(exemplar.labels.clone()),
            value: Numeral(exemplar.value),
            timestamp: exemplar.timestamp.map(Time),
        };
        Self {
            value,
            timestamp: point.timestamp.map(Time),
            start: point.start.map(Time),
            exemplars: point.exemplars.iter().map(exemplar).collect(),
        }
    }
}

impl TryFrom<Point> for model::MetricPoint {
    type Error = Error;
    fn try_from(point: Point) -> Result<Self, Error> {
        let value = match point.value {
            Value::Number(Numeral(number)) => MetricValue::Number(number),
            Value::States(states) => {
                MetricValue::StateSet(states.into_iter().map(|(name, on)| (Text::from(name), on)).collect())
            }
            Value::Info(Labels(facts)) => MetricValue::Info(facts),
            Value::Histogram(h) => MetricValue::Histogram(Box::new(model::Histogram {
                count: h.count.0,
                sum: h.sum.map(|sum| sum.0),
                classic: h.classic.map(|buckets| {
                    let bucket = |(Double(upper_bound), Numeral(count))| ClassicBucket { upper_bound, count };
                    buckets.into_iter().map(bucket).collect()
                }),
                native: h.native.map(TryInto::try_into).transpose()?,
            })),
            Value::Summary(s) => {
                let quantile = |(Double(quantile), Numeral(value))| Quantile { quantile, value };
                MetricValue::Summary(model::Summary {
                    count: s.count.map(|count| count.0),
                    sum: s.sum.map(|sum| sum.0),
                    quantiles: s.quantiles.into_iter().map(quantile).collect(),
                })
            }
        };
        let exemplar = |exemplar: Exemplar| model::Exemplar {
            labels: exemplar.labels.0,
            value: exemplar.value.0,
            timestamp: exemplar.timestamp.map(|time| time.0),
        };
        let mut owned = Self::new(value);
        owned.timestamp = point.timestamp.map(|time| time.0);
        owned.start = point.start.map(|time| time.0);
        owned.exemplars = point.exemplars.into_iter().map(exemplar).collect();
        Ok(owned)
    }
}

impl From<&NativeBuckets> for Native {
    fn from(native: &NativeBuckets) -> Self {
        Self {
            schema: native.schema.number(),
            zero_threshold: Double(native.zero_threshold),
            zero_count: Numeral(native.zero_count),
            positive: (&native.positive).into(),
            negative: (&native.negative).into(),
            custom_bounds: native.custom_bounds.iter().copied().map(Double).collect(),
        }
    }
}

impl TryFrom<Native> for NativeBuckets {
    type Error = Error;
    fn try_from(native: Native) -> Result<Self, Error> {
        Ok(Self {
            schema: Schema::from_number(native.schema)?,
            zero_threshold: native.zero_threshold.0,
            zero_count: native.zero_count.0,
            positive: native.positive.into(),
            negative: native.negative.into(),
            custom_bounds: native.custom_bounds.into_iter().map(|bound| bound.0).collect(),
        })
    }
}

impl Side {
    fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.counts.is_empty() && !self.float
    }
}

impl From<&model::Side> for Side {
    fn from(side: &model::Side) -> Self {
        let (counts, float): (Vec<_>, _) = match &side.counts {
            CountsBuf::Integer(counts) => {
                (counts.iter().map(|&count| Numeral(count.into())).collect(), false)
            }
            CountsBuf::Float(counts) => {
                (counts.iter().map(|&count| Numeral(count.into())).collect(), counts.is_empty())
            }
        };
        Self { spans: side.spans.iter().map(|span| (span.offset, span.length)).collect(), counts, float }
    }
}

impl From<Side> for model::Side {
    fn from(side: Side) -> Self {
        let whole = |numeral: &Numeral| match numeral.0 {
            Number::Unsigned(count) => Some(count),
            _ => None,
        };
        let integers: Option<Vec<u64>> =
            if side.float { None } else { side.counts.iter().map(whole).collect() };
        let counts = integers.map_or_else(
            || CountsBuf::Float(side.counts.iter().map(|count| count.0.as_f64()).collect()),
            CountsBuf::Integer,
        );
        let spans = side.spans.into_iter().map(|(offset, length)| Span { offset, length }).collect();
        Self { spans, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::arbitrary::ValidSet;
    use quickcheck::quickcheck;

    const ALL_OF_IT: &str = concat!(
        r#"{"families":[{"name":"a.b","type":"counter","help":"Help.","unit":"seconds","verbatim":true,"metrics":["#,
        r#"{"labels":{"code":"200","é":"\n"},"points":[{"value":{"number":18446744073709551615},"#,
        r#""timestamp":"-0.5","start":"1520430000.123000001","#,
        r#""exemplars":[{"labels":{"trace_id":"1"},"value":0.67,"timestamp":"1520879606.1"}]}]}]},"#,
        r#"{"name":"g","type":"gauge","metrics":[{"labels":{},"points":["#,
        r#"{"value":{"number":"NaN"}},{"value":{"number":"-Inf"}},{"value":{"number":-0.0}},{"value":{"number":-3}},"#,
        r#"{"value":{"number":5.0}},{"value":{"number":5e-324}}]}]},"#,
        r#"{"name":"s","type":"stateset","metrics":[{"labels":{},"points":[{"value":{"states":[["on",true],["off",false]]}}]}]},"#,
        r#"{"name":"i","type":"info","metrics":[{"labels":{},"points":[{"value":{"info":{"version":"1"}}}]}]},"#,
        r#"{"name":"h","type":"histogram","metrics":[{"labels":{},"points":[{"value":{"histogram":"#,
        r#"{"count":3,"sum":1.5,"classic":[[0.5,1]],"native":{"schema":3,"zero_threshold":0.001,"zero_count":0,"#,
        r#""positive":{"spans":[[-1,2]],"counts":[1,2]}}}}}]}]},"#,
        r#"{"name":"u","type":"summary","metrics":[{"labels":{},"points":[{"value":{"summary":"#,
        r#"{"count":2,"sum":1.5,"quantiles":[[0.5,"NaN"]]}}}]}]}]}"#,
    );

    #[test]
    fn the_shape_stays() {
        let set = from_slice(ALL_OF_IT.as_bytes()).unwrap();
        assert_eq!(to_string(&set), ALL_OF_IT);
        let point = &set.families[0].metrics[0].points[0];
        assert_eq!(point.value, MetricValue::Number(u64::MAX.into()));
        assert_eq!(point.start, Timestamp::new(1_520_430_000, 123_000_001));
        assert_eq!(point.timestamp, Timestamp::new(-1, 500_000_000));
    }

    #[test]
    fn mistakes_have_their_place() {
        for (json, message) in [
            (r#"{"families":[{"name":""#, "EOF while parsing a string at line 1 column 22"),
            (r#"{"families":[],"more":1}"#, "unknown field `more`, expected `families` at line 1 column 21"),
            (
                "{\"families\":[\n{\"name\":\"a\",\"type\":\"untyped\",\"metrics\":[]}]}",
                "\"untyped\" is not a metric type at line 2 column 28",
            ),
        ] {
            assert_eq!(from_slice(json.as_bytes()).unwrap_err().to_string(), message);
        }
        let labels = r#"{"families":[{"name":"a","type":"info","metrics":[{"labels":{"a":"1","a":"2"},"points":[]}]}]}"#;
        let error = from_slice(labels.as_bytes()).unwrap_err().to_string();
        assert!(
            error.starts_with(r#"label "a" is given twice in one label set [OM1-LAB-02] at line 1"#),
            "{error}"
        );
    }

    #[test]
    fn times_are_exact_or_refused() {
        for text in ["0", "-0.5", "1.000000001", "-9223372036854775808", "9223372036854775807.999999999"] {
            assert_eq!(time(text).unwrap().to_string(), text);
        }
        for text in ["", ".5", "1.", "1e3", "+1", "1.0000000001", "9223372036854775808", "--1", "NaN"] {
            assert_eq!(time(text), None, "{text:?}");
        }
    }

    quickcheck! {
        fn nothing_is_lost(set: ValidSet) -> bool {
            from_slice(to_string(&set.0).as_bytes()).unwrap() == set.0
        }
    }
}
