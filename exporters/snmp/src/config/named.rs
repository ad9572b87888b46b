//! Modules that name what they want, for MIBs to say where it is.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer};

use openmetrics::model::Unit;

use super::module::{Extract, Filter, Metric, Module, Naming, duration, unit};
use super::or_default;
use crate::oid::Oid;

/// What a module names.
#[derive(Debug, Default)]
pub struct Named {
    /// Subtrees: names such as `ifTable` or `IF-MIB::ifTable`, or object identifiers.
    pub walk: Vec<Box<str>>,
    /// Labels from other columns.
    pub lookups: Vec<NamedLookup>,
    /// What is said about metrics by hand, by their names.
    pub overrides: BTreeMap<Box<str>, Override>,
    /// Rows to keep.
    pub filters: Filters,
}

impl Named {
    /// All names of objects in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let targets = self.filters.fixed.iter().flat_map(|filter| &filter.targets);
        let lookups = self.lookups.iter().map(|lookup| &lookup.lookup);
        self.walk.iter().chain(lookups).chain(targets).map(|name| &**name)
    }

    /// The first thing that has to be looked up in MIBs, if there is one.
    pub fn needs(&self) -> Option<&str> {
        let name = self.walk.iter().find(|target| target.parse::<Oid>().is_err());
        let lookup = self.lookups.first().map(|lookup| &lookup.lookup);
        let target = self.filters.fixed.iter().flat_map(|filter| &filter.targets).next();
        let named = name.or(lookup).or_else(|| self.overrides.keys().next()).or(target);
        named.map(|name| &**name)
    }
}

/// A label from another column, by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedLookup {
    /// The indexes that lead there.
    #[serde(default, deserialize_with = "or_default")]
    pub source_indexes: Vec<Box<str>>,
    /// The column.
    pub lookup: Box<str>,
    /// Whether the indexes are no labels any more.
    #[serde(default)]
    pub drop_source_indexes: bool,
    /// How octets are written; `@mib` is as the MIB says.
    #[serde(default)]
    pub display_hint: Option<Box<str>>,
}

/// What is said about a metric by hand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Leave it out.
    #[serde(default)]
    pub ignore: bool,
    /// Metrics within texts, by the end of their names.
    #[serde(default, deserialize_with = "or_default")]
    pub regex_extracts: BTreeMap<String, Vec<Extract>>,
    /// How a date is written, as `strptime` has it.
    #[serde(default)]
    pub datetime_pattern: Option<Box<str>>,
    /// What is added to values, after scaling.
    #[serde(default)]
    pub offset: f64,
    /// What values are multiplied with; 0 is 1.
    #[serde(default)]
    pub scale: f64,
    /// Its type.
    #[serde(default, rename = "type", deserialize_with = "metric_type")]
    pub metric_type: Option<Box<str>>,
    /// Its help.
    #[serde(default)]
    pub help: Option<String>,
    /// Another name.
    #[serde(default)]
    pub name: Option<String>,
    /// How octets are written; `@mib` is as the MIB says.
    #[serde(default)]
    pub display_hint: Option<Box<str>>,
    /// What its numbers are counts of, after scaling.
    #[serde(default, deserialize_with = "unit")]
    pub unit: Option<Unit>,
}

/// The types that an override may give.
const TYPES: [&str; 17] = [
    "gauge",
    "counter",
    "OctetString",
    "DisplayString",
    "PhysAddress48",
    "Float",
    "Double",
    "InetAddress",
    "InetAddressMissingSize",
    "InetAddressIPv4",
    "InetAddressIPv6",
    "DateAndTime",
    "ParseDateAndTime",
    "NTPTimeStamp",
    "EnumAsInfo",
    "EnumAsStateSet",
    "LldpPortId",
];

fn metric_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<str>>, D::Error> {
    let Some(name) = Option::<Box<str>>::deserialize(deserializer)?.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    if TYPES.contains(&&*name) {
        return Ok(Some(name));
    }
    Err(serde::de::Error::custom(format!("{name:?} is no type of a metric; there are {}", TYPES.join(", "))))
}

/// Rows to keep. In a file, a list is of those that other columns choose.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// Those named here.
    pub fixed: Vec<StaticFilter>,
    /// Those that other columns choose at each scrape.
    pub dynamic: Vec<Filter>,
}

impl<'de> Deserialize<'de> for Filters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kinds;
        impl<'de> Visitor<'de> for Kinds {
            type Value = Filters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of filters, or static: and dynamic: ones")
            }

            fn visit_unit<E>(self) -> Result<Filters, E> {
                Ok(Filters::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Filters, A::Error> {
                let dynamic = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(Filters { dynamic, ..Filters::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Filters, A::Error> {
                let FilterKinds { fixed, dynamic } =
                    FilterKinds::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Filters { fixed, dynamic })
            }
        }
        deserializer.deserialize_any(Kinds)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterKinds {
    #[serde(default, rename = "static", deserialize_with = "or_default")]
    fixed: Vec<StaticFilter>,
    #[serde(default, deserialize_with = "or_default")]
    dynamic: Vec<Filter>,
}

/// Rows of these columns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticFilter {
    /// The columns.
    #[serde(default, deserialize_with = "or_default")]
    pub targets: Vec<Box<str>>,
    /// The rows.
    #[serde(default, deserialize_with = "indices")]
    pub indices: Vec<Box<str>>,
}

fn indices<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Box<str>>, D::Error> {
    let indices: Vec<Box<str>> = or_default(deserializer)?;
    match indices.iter().find(|index| index.parse::<u32>().is_err()) {
        Some(index) => {
            Err(serde::de::Error::custom(format!("{index:?} is no index of a row, which is a number")))
        }
        None => Ok(indices),
    }
}

/// A module as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default, deserialize_with = "or_default")]
    walk: Vec<Target>,
    #[serde(default, deserialize_with = "or_default")]
    get: Vec<Oid>,
    #[serde(default, deserialize_with = "or_default")]
    metrics: Vec<Metric>,
    max_repetitions: Option<u32>,
    retries: Option<u32>,
    #[serde(default, deserialize_with = "duration")]
    timeout: Option<std::time::Duration>,
    #[serde(default)]
    use_unconnected_udp_socket: bool,
    #[serde(default)]
    allow_nonincreasing_oids: bool,
    #[serde(default)]
    filters: Filters,
    naming: Option<Naming>,
    #[serde(default, deserialize_with = "or_default")]
    lookups: Vec<NamedLookup>,
    #[serde(default, deserialize_with = "or_default")]
    overrides: BTreeMap<Box<str>, Override>,
}

/// What is walked: an identifier, or a name.
enum Target {
    Oid(Oid, Box<str>),
    Name(Box<str>),
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<str>::deserialize(deserializer)?;
        let error = match text.parse() {
            Ok(oid) => return Ok(Self::Oid(oid, text)),
            Err(error) => error,
        };
        let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'));
        if is_name { Ok(Self::Name(text)) } else { Err(serde::de::Error::custom(error)) }
    }
}

impl From<Written> for Module {
    fn from(written: Written) -> Self {
        let Written { walk, lookups, overrides, filters, metrics, .. } = written;
        let mut oids = Vec::new();
        let mut names = Vec::new();
        for target in walk {
            match target {
                Target::Oid(oid, text) => {
                    oids.push(oid);
                    names.push(text);
                }
                Target::Name(text) => names.push(text),
            }
        }
        let plain = oids.len() == names.len()
            && lookups.is_empty()
            && overrides.is_empty()
            && filters.fixed.is_empty()
            && (!metrics.is_empty() || oids.is_empty());
        let (named, filters) = if plain {
            (None, filters.dynamic)
        } else {
            let dynamic = filters.dynamic.clone();
            (Some(Box::new(Named { walk: names, lookups, overrides, filters })), dynamic)
        };
        Self {
            walk: oids,
            get: written.get,
            metrics,
            max_repetitions: written.max_repetitions,
            retries: written.retries,
            timeout: written.timeout,
            use_unconnected_udp_socket: written.use_unconnected_udp_socket,
            allow_nonincreasing_oids: written.allow_nonincreasing_oids,
            filters,
            naming: written.naming,
            named,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn named(module: &str) -> Option<String> {
        let config = Config::parse(&format!("modules:\n  m: {module}\n")).unwrap();
        Some(config.modules.into_values().next()?.named?.needs().unwrap_or("nothing").to_owned())
    }

    #[test]
    fn a_module_names_things_or_is_complete() {
        assert_eq!(named("{walk: [IF-MIB::ifTable]}").as_deref(), Some("IF-MIB::ifTable"));
        assert_eq!(named("{walk: [1.3.6, sysDescr]}").as_deref(), Some("sysDescr"));
        assert_eq!(named("{walk: [1.3], lookups: [{source_indexes: [a], lookup: b}]}").as_deref(), Some("b"));
        assert_eq!(named("{walk: [1.3], overrides: {c: {ignore: true}}}").as_deref(), Some("c"));
        assert_eq!(
            named("{walk: [1.3], filters: {static: [{targets: [d], indices: ['2']}]}}").as_deref(),
            Some("d")
        );
        // What is beneath an identifier can be looked up as well, and need not.
        assert_eq!(named("{walk: [1.3.6]}").as_deref(), Some("nothing"));
        assert_eq!(named("{walk: [1.3], metrics: [{name: n, oid: 1.3.6, type: gauge}]}"), None);
        assert_eq!(named("{get: [1.3.6]}"), None);
    }

    #[test]
    fn mistakes_are_told() {
        for (module, words) in [
            ("{walk: ['if Table']}", "no object identifier"),
            ("{overrides: {a: {type: Gauge}}}", "\"Gauge\" is no type of a metric"),
            ("{filters: {static: [{targets: [a], indices: [x]}]}}", "\"x\" is no index"),
            ("{filters: {dynamik: []}}", "dynamik"),
            ("{lookups: [{source_indexes: [a]}]}", "lookup"),
        ] {
            let error = Config::parse(&format!("modules:\n  m: {module}\n")).unwrap_err().to_string();
            assert!(error.contains(words) && error.starts_with("2:"), "{module}: {error}");
        }
    }
}
