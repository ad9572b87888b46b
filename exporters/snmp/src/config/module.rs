//! What is asked of a device, and how answers become metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use openmetrics::model::{Text, Unit};
use regex_lite::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::named::{Named, Written};
use super::or_default;
use crate::oid::Oid;

/// What is walked and got of a device, and the metrics in it.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(from = "Written")]
pub struct Module {
    /// Subtrees to walk.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub walk: Vec<Oid>,
    /// Variables to get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub get: Vec<Oid>,
    /// The metrics.
    pub metrics: Vec<Metric>,
    /// How often a name is repeated in a response at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_repetitions: Option<u32>,
    /// How often a request is sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// How long a response is waited for before that.
    #[serde(serialize_with = "write_duration", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Take responses from addresses other than that of the device.
    #[serde(skip_serializing_if = "is_false")]
    pub use_unconnected_udp_socket: bool,
    /// Go on when a device does not tell its rows in order.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_nonincreasing_oids: bool,
    /// Rows to leave out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// What its metrics are called, if not as the configuration says for all modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,
    /// What it names, for MIBs to say where it is; nothing once they have.
    #[serde(skip)]
    pub named: Option<Box<Named>>,
}

/// How a module's devices are asked, with the defaults put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkParams {
    /// How often a name is repeated in a response at most.
    pub max_repetitions: u32,
    /// How often a request is sent again.
    pub retries: u32,
    /// How long a response is waited for before that.
    pub timeout: Duration,
    /// Take responses from addresses other than that of the device.
    pub any_source: bool,
    /// Go on when a device does not tell its rows in order.
    pub any_order: bool,
}

impl WalkParams {
    /// How long one answer is waited for, with all that is sent again: at most a day.
    pub fn patience(&self) -> Duration {
        const DAY: Duration = Duration::from_secs(86_400);
        self.timeout.saturating_mul(self.retries.saturating_add(1)).min(DAY)
    }
}

impl Module {
    /// How its devices are asked.
    pub fn params(&self) -> WalkParams {
        WalkParams {
            max_repetitions: self.max_repetitions.unwrap_or(25).max(1),
            retries: self.retries.unwrap_or(3),
            timeout: self.timeout.unwrap_or(Duration::from_secs(5)).max(Duration::from_millis(1)),
            any_source: self.use_unconnected_udp_socket,
            any_order: self.allow_nonincreasing_oids,
        }
    }
}

/// What metrics are called, and what is told of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// As with `snmp_exporter`, whatever format a page is written in.
    #[default]
    SnmpExporter,
    /// As OpenMetrics has it: `_total` after counters, units, statesets, infos, and counters exact to the last digit.
    #[serde(rename = "openmetrics")]
    OpenMetrics,
}

/// A metric: where its values are, and what becomes of them.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The name.
    #[serde(serialize_with = "write_text", deserialize_with = "text")]
    pub name: Text,
    /// The column or scalar.
    pub oid: Oid,
    /// How values are read.
    #[serde(rename = "type")]
    pub metric_type: MetricType,
    /// The help.
    #[serde(default = "no_text", serialize_with = "write_text", deserialize_with = "text")]
    pub help: Text,
    /// How the rest of a name becomes labels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Labels from other columns.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Lookup>,
    /// Metrics within texts, by the end of their names.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub regex_extracts: BTreeMap<String, Vec<Extract>>,
    /// How a date is written, as `strptime` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datetime_pattern: Option<Box<str>>,
    /// What numbers, or bits, mean.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "no_meanings")]
    pub enum_values: EnumValues,
    /// What is added to values, after scaling.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: f64,
    /// What values are multiplied with; 0 is 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub scale: f64,
    /// How octets are written, as RFC 2579 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_hint: Option<Box<str>>,
    /// What numbers are counts of, after scaling; names that are OpenMetrics' end in it.
    #[serde(
        default,
        serialize_with = "write_unit",
        deserialize_with = "unit",
        skip_serializing_if = "Option::is_none"
    )]
    pub unit: Option<Unit>,
}

/// What numbers mean. Clones share it: thousands of columns can be of one type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnumValues(Option<Arc<BTreeMap<i64, Box<str>>>>);

impl EnumValues {
    /// Nothing has a meaning.
    pub const fn new() -> Self {
        Self(None)
    }
}

impl From<Arc<BTreeMap<i64, Box<str>>>> for EnumValues {
    fn from(meanings: Arc<BTreeMap<i64, Box<str>>>) -> Self {
        Self(Some(meanings).filter(|meanings| !meanings.is_empty()))
    }
}

impl Deref for EnumValues {
    type Target = BTreeMap<i64, Box<str>>;

    fn deref(&self) -> &Self::Target {
        static NONE: BTreeMap<i64, Box<str>> = BTreeMap::new();
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl<'de> Deserialize<'de> for EnumValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Arc::new(BTreeMap::deserialize(deserializer)?).into())
    }
}

impl Serialize for EnumValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

/// A part of a row's index, as a label.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The label.
    pub labelname: Box<str>,
    /// How its arcs are read.
    #[serde(rename = "type")]
    pub index_type: IndexType,
    /// How many arcs it takes; 0 if they tell.
    #[serde(default, skip_serializing_if = "is_none")]
    pub fixed_size: u32,
    /// Whether it takes all the rest.
    #[serde(default, skip_serializing_if = "is_false")]
    pub implied: bool,
    /// What numbers mean.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "no_meanings")]
    pub enum_values: EnumValues,
}

/// A label from another column.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The labels whose arcs are the row's index there; none at all takes the label away.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<Box<str>>,
    /// The label.
    pub labelname: Box<str>,
    /// The column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<Oid>,
    /// How octets there are written.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub text_type: Option<TextType>,
    /// How octets are written, as RFC 2579 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_hint: Option<Box<str>>,
    /// What numbers mean.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "no_meanings")]
    pub enum_values: EnumValues,
}

impl Lookup {
    /// What takes a label away.
    pub(crate) fn without(labelname: Box<str>) -> Self {
        Self {
            labels: Vec::new(),
            labelname,
            oid: None,
            text_type: None,
            display_hint: None,
            enum_values: EnumValues::new(),
        }
    }
}

/// Rows to keep: those of `targets` whose value in another column fits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The column whose values decide.
    pub oid: Oid,
    /// The columns of which rows are kept.
    #[serde(default, deserialize_with = "or_default")]
    pub targets: Vec<Oid>,
    /// Patterns, of which one has to be found in the value.
    #[serde(default, deserialize_with = "or_default")]
    pub values: Vec<Pattern>,
}

/// A number within a text.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// The number, made of the groups of the pattern.
    #[serde(default = "first_group")]
    pub value: String,
    /// What the whole text has to be.
    pub regex: WholePattern,
}

fn first_group() -> String {
    "$1".into()
}

/// A regular expression that is looked for.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Whether it is found.
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let regex =
            Regex::new(&text).map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}")))?;
        Ok(Self { text, regex })
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// A regular expression that the whole text has to be.
#[derive(Clone, Debug)]
pub struct WholePattern {
    text: String,
    regex: Regex,
}

impl WholePattern {
    /// What `template` says of a text that fits.
    pub fn extract(&self, text: &str, template: &str) -> Option<String> {
        let groups = self.regex.captures(text)?;
        let mut out = String::new();
        groups.expand(template, &mut out);
        Some(out)
    }
}

impl<'de> Deserialize<'de> for WholePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let regex = Regex::new(&format!("^(?:{text})$"))
            .map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}")))?;
        Ok(Self { text, regex })
    }
}

impl Serialize for WholePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// A type with a fixed set of names; some also keep others.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $variant:ident = $($name:literal)|+,)* } $($other:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$about])* $variant,)*
            $(
                /// Another name, which says nothing here.
                $other(Box<str>),
            )?
        }

        impl $type {
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($($name)|+ => Some(Self::$variant),)*
                    $(_ => Some(Self::$other(name.into())),)?
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => [$($name),+][0],)*
                    $(Self::$other(name) => name,)?
                })
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                Self::from_name(&name).ok_or_else(|| {
                    let known: &[&str] = &[$($($name),+),*];
                    serde::de::Error::custom(format!("{name:?} is no type here; there are {}", known.join(", ")))
                })
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

names! {
    /// How arcs of an index are read.
    IndexType {
        /// One arc, a number.
        Integer = "gauge" | "Integer32" | "Integer",
        /// The same, of an object that counts.
        Counter = "counter",
        /// Six arcs, octets of an address.
        PhysAddress48 = "PhysAddress48",
        /// Octets, written in hexadecimal.
        OctetString = "OctetString",
        /// Octets of a date, written in hexadecimal.
        DateAndTime = "DateAndTime",
        /// Octets of bits, written in hexadecimal.
        Bits = "Bits",
        /// Octets of a text.
        DisplayString = "DisplayString",
        /// Four arcs.
        InetAddressIPv4 = "InetAddressIPv4",
        /// Sixteen arcs.
        InetAddressIPv6 = "InetAddressIPv6",
        /// A kind of address, its length, and it.
        InetAddress = "InetAddress",
        /// A kind of address, and it.
        InetAddressMissingSize = "InetAddressMissingSize",
        /// A kind of port name, its length, and it.
        LldpPortId = "LldpPortId",
        /// One arc, a number that means something.
        EnumAsInfo = "EnumAsInfo",
    }
}

names! {
    /// How octets become text.
    TextType {
        /// The first octet, as a number.
        Integer = "gauge" | "Integer32" | "Integer" | "counter",
        /// Six octets of an address.
        PhysAddress48 = "PhysAddress48",
        /// Hexadecimal, or as the display hint says.
        OctetString = "OctetString",
        /// Text.
        DisplayString = "DisplayString",
        /// Four octets.
        InetAddressIPv4 = "InetAddressIPv4",
        /// Sixteen octets.
        InetAddressIPv6 = "InetAddressIPv6",
        /// As the column before says.
        InetAddress = "InetAddress",
        /// As the column before says.
        InetAddressMissingSize = "InetAddressMissingSize",
        /// As the column before says.
        LldpPortId = "LldpPortId",
        /// A number that means something.
        EnumAsInfo = "EnumAsInfo",
    } Other
}

names! {
    /// How values of a metric are read.
    MetricType {
        /// A number that goes up and down.
        Gauge = "gauge",
        /// A number that only rises.
        Counter = "counter",
        /// A float within an Opaque.
        Float = "Float",
        /// A double within an Opaque.
        Double = "Double",
        /// Eight or eleven octets.
        DateAndTime = "DateAndTime",
        /// A text, read as `datetime_pattern` says.
        ParseDateAndTime = "ParseDateAndTime",
        /// Eight octets, seconds since 1900.
        NtpTimeStamp = "NTPTimeStamp",
        /// A number that means something, as a label.
        EnumAsInfo = "EnumAsInfo",
        /// The same as a metric for each meaning.
        EnumAsStateSet = "EnumAsStateSet",
        /// A metric for each bit.
        Bits = "Bits",
    } Text
}

impl MetricType {
    /// How its octets become text.
    pub fn text_type(&self) -> TextType {
        match self {
            Self::Text(name) => TextType::from_name(name).unwrap_or(TextType::OctetString),
            _ => TextType::OctetString,
        }
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map_or_else(no_text, Text::from))
}

fn write_text<S: Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// `seconds`.
pub(super) fn unit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Unit>, D::Error> {
    let unit = Option::<String>::deserialize(deserializer)?.filter(|unit| !unit.is_empty());
    unit.map(Unit::new).transpose().map_err(serde::de::Error::custom)
}

#[allow(clippy::ref_option)] // serde hands a reference to the field
fn write_unit<S: Serializer>(unit: &Option<Unit>, serializer: S) -> Result<S::Ok, S::Error> {
    unit.as_ref().map(Unit::as_str).serialize(serializer)
}

const fn no_text() -> Text {
    Text::from_static("")
}

fn no_meanings(values: &EnumValues) -> bool {
    values.is_empty()
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands references to these
const fn is_false(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_none(value: &u32) -> bool {
    *value == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// `1m1.5s`, or a number of nanoseconds.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    parse_duration(&text).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!("{text:?} is no duration; one looks like 5s, 1m30s or 500ms"))
    })
}

const UNITS: [(&str, f64); 7] =
    [("h", 3600.0), ("ms", 1e-3), ("m", 60.0), ("s", 1.0), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9)];

fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(nanoseconds) = text.parse() {
        return Some(Duration::from_nanos(nanoseconds));
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let (unit, factor) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = after.strip_prefix(unit)?;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

#[allow(clippy::ref_option)] // serde hands a reference to the field
fn write_duration<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let seconds = value.unwrap_or_default().as_secs_f64();
    let minutes = (seconds / 60.0).floor();
    if minutes >= 1.0 {
        serializer.collect_str(&format_args!("{minutes}m{}s", seconds - minutes * 60.0))
    } else {
        serializer.collect_str(&format_args!("{seconds}s"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("5s", 5000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1h", 3_600_000),
            ("1.5s", 1500),
            ("2000000", 2),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "5x", "s", "-1s", "1s1", "1e999h", "99999999999999999999999h"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_extract_is_about_the_whole_text() {
        let extract: Extract = serde_saphyr::from_str("{regex: 'load ([0-9.]+)%?'}").unwrap();
        assert_eq!(extract.regex.extract("load 1.5%", &extract.value).as_deref(), Some("1.5"));
        assert_eq!(extract.regex.extract("a load 1.5", &extract.value), None);
        assert!(serde_saphyr::from_str::<Extract>("{regex: '('}").is_err());
    }

    #[test]
    fn types_have_names() {
        assert_eq!(IndexType::from_name("Integer32"), Some(IndexType::Integer));
        assert_eq!(IndexType::from_name("Float"), None);
        assert_eq!(IndexType::from_name("counter").unwrap().to_string(), "counter");
        assert_eq!(MetricType::from_name("PhysAddress48").unwrap().text_type(), TextType::PhysAddress48);
        assert_eq!(MetricType::from_name("Foo").unwrap().to_string(), "Foo");
    }
}
