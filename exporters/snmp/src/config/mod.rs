//! The configuration: who may ask (auths) and what is asked (modules), in the form of `snmp_exporter`'s `snmp.yml`.
//!
//! Keys that `snmp_exporter` does not have are told in [`Auth`], and are `naming` for all modules or in one, and the
//! `unit` of a metric; all others mean what they mean there.
//! Reading is strict: an unknown key, a key given twice or a value that cannot be is an error with its place.

mod auth;
mod files;
mod module;
mod named;
mod parts;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

pub use auth::Auth;
pub use module::{
    EnumValues, Extract, Filter, Index, IndexType, Lookup, Metric, MetricType, Module, Naming, Pattern,
    TextType, WalkParams,
};
pub use named::{Filters, Named, NamedLookup, Override, StaticFilter};

/// A whole configuration.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the metrics of modules are called that do not say so themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,
    /// By name, how devices are asked.
    #[serde(default, deserialize_with = "or_default")]
    pub auths: BTreeMap<String, Auth>,
    /// By name, what is asked.
    #[serde(default, deserialize_with = "or_default")]
    pub modules: BTreeMap<String, Module>,
    /// The version of the file's form, which its generator writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// The auth of requests that name none and whose target no auth lists.
pub const DEFAULT_AUTH: &str = "public_v2";

/// How much a configuration may hold. The shipped `snmp.yml` has 2 MB; these are limits against mistakes.
const MAX_FILE_BYTES: u64 = 256 << 20;

impl Config {
    /// Reads the files that these patterns name, later ones over earlier ones, and says which patterns named none.
    ///
    /// With `expand`, `$NAME` and `${NAME}` in user names and passwords stand for variables of the environment.
    pub fn load(patterns: &[String], expand: bool) -> Result<(Self, Vec<String>), ConfigError> {
        let mut config = Self::default();
        let mut without = Vec::new();
        for pattern in patterns {
            let found = files::matching(pattern);
            if found.is_empty() {
                without.push(pattern.clone());
            }
            for file in found {
                config.read_file(&file)?;
            }
        }
        for (name, auth) in &mut config.auths {
            let complete = auth.complete(expand, |variable| std::env::var(variable).ok());
            complete.map_err(|message| ConfigError::whole(format!("auth {name:?}: {message}")))?;
        }
        Ok((config, without))
    }

    fn read_file(&mut self, file: &Path) -> Result<(), ConfigError> {
        let error = |error: std::io::Error| ConfigError::new(file, error.to_string());
        if std::fs::metadata(file).map_err(error)?.len() > MAX_FILE_BYTES {
            return Err(ConfigError::new(file, format!("is larger than {} MiB", MAX_FILE_BYTES >> 20)));
        }
        let text = std::fs::read_to_string(file).map_err(error)?;
        let Self { naming, auths, modules, version } =
            Self::parse(&text).map_err(|error| ConfigError { file: Some(file.to_owned()), ..error })?;
        self.auths.extend(auths);
        self.modules.extend(modules);
        self.naming = naming.or(self.naming);
        self.version = version.or(self.version);
        Ok(())
    }

    /// Reads the text of one file. Auths are not [complete](Auth::complete) yet.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.bytes().all(|byte| byte.is_ascii_whitespace()) {
            return Ok(Self::default());
        }
        parts::parse(text).map_or_else(|| Self::parse_whole(text), Ok)
    }

    fn parse_whole(text: &str) -> Result<Self, ConfigError> {
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
            let place = error.location().map(|place| (place.line(), place.column()));
            ConfigError { file: None, place, message: message(&error) }
        })
    }

    /// The auth for a host and its address: the one of this name if it may be sent there, or where a request names
    /// none, of those that list it the one that does so most closely, or `public_v2`.
    pub fn auth_for(&self, name: &str, host: &str, address: IpAddr) -> Option<&Auth> {
        let by_name = |name| self.auths.get(name).filter(|auth| auth.targets.allows(host, address));
        if !name.is_empty() {
            return by_name(name);
        }
        let fits = self.auths.values().filter_map(|auth| Some((auth.targets.fit(host, address)?, auth)));
        fits.max_by_key(|(fit, _)| *fit).map(|(_, auth)| auth).or_else(|| by_name(DEFAULT_AUTH))
    }

    /// What a module's metrics are called.
    pub fn naming_of(&self, module: &Module) -> Naming {
        module.naming.or(self.naming).unwrap_or_default()
    }

    /// Whether auths have lists of what they may be sent to.
    pub fn has_target_lists(&self) -> bool {
        self.auths.values().any(|auth| !auth.targets.is_empty())
    }

    /// The configuration as a file, secrets hidden.
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

/// Large files are fine; what grows out of small ones (anchors and aliases) is not.
fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    if let Some(budget) = options.budget.as_mut() {
        budget.max_events = 20_000_000;
        budget.max_nodes = 10_000_000;
        budget.max_total_scalar_bytes = MAX_FILE_BYTES as usize;
        budget.max_depth = 32;
    }
    options
}

/// The words of an error in one line, without the place that is told beside them.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    match text.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, words)) => words.to_owned(),
        None => text.to_owned(),
    }
}

/// Why a configuration could not be read.
#[derive(Debug)]
pub struct ConfigError {
    file: Option<PathBuf>,
    place: Option<(u64, u64)>,
    message: String,
}

impl ConfigError {
    fn new(file: &Path, message: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), place: None, message: message.into() }
    }

    fn whole(message: String) -> Self {
        Self { file: None, place: None, message }
    }

    /// Line and column, from 1.
    pub fn place(&self) -> Option<(u64, u64)> {
        self.place
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
        }
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if self.file.is_some() || self.place.is_some() {
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}
impl std::error::Error for ConfigError {}

/// A value, or the default where a file says `null` or nothing after a key.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        Config::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_small_file() {
        let config = Config::parse(
            "auths:\n  public_v2:\n    community: public\n    version: 2\nmodules:\n  system:\n    walk: [1.3.6.1.2.1.1]\n    \
             metrics:\n    - name: sysUpTime\n      oid: 1.3.6.1.2.1.1.3\n      type: gauge\n      help: Up time.\n",
        )
        .unwrap();
        let system = &config.modules["system"];
        assert_eq!(system.walk[0].to_string(), "1.3.6.1.2.1.1");
        assert_eq!(system.metrics[0].metric_type, MetricType::Gauge);
        assert_eq!(config.auths["public_v2"].community.expose(), "public");
    }

    #[test]
    fn nothing_is_a_configuration_of_nothing() {
        for text in ["", "\n", "auths:\nmodules:\n", "# nothing\n"] {
            let config = Config::parse(text).unwrap();
            assert!(config.auths.is_empty() && config.modules.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert_eq!(fails("auths:\n  a:\n    comunity: x\n").split(": ").next(), Some("3:5"));
        assert!(fails("auths:\n  a:\n    comunity: x\n").contains("comunity"));
        let twice = "modules:\n  m:\n    walk: [if Table]\n";
        assert!(
            fails(twice).starts_with("3:") && fails(twice).contains("\"if Table\" is no object identifier")
        );
        assert!(fails("modules:\n  m: {}\n  m: {}\n").contains("duplicate"));
        assert!(fails("a: [").starts_with("1:"));
    }

    #[test]
    fn secrets_are_hidden_when_written() {
        let config = Config::parse(
            "auths:\n  a:\n    community: hunter2\n  b: {version: 3, username: u, password: hunter2}\n",
        );
        let yaml = config.unwrap().to_yaml();
        assert!(!yaml.contains("hunter2") && yaml.contains("<secret>"), "{yaml}");
    }

    #[test]
    fn a_target_has_its_auth() {
        let config = Config::parse(
            "auths:\n  wide: {community: w, targets: [10.0.0.0/8]}\n  narrow: {community: n, targets: [10.1.0.0/16, '2001:db8::/32']}\n  \
             named: {community: m, targets: ['*.example']}\n  any: {community: a}\n  public_v2: {community: p}\n",
        )
        .unwrap();
        let auth = |name: &str, host: &str, address: &str| {
            config.auth_for(name, host, address.parse().unwrap()).map(|auth| auth.community.expose())
        };
        assert_eq!(auth("", "10.2.0.1", "10.2.0.1"), Some("w"));
        assert_eq!(auth("", "10.1.0.1", "10.1.0.1"), Some("n"));
        assert_eq!(auth("", "2001:db8::1", "2001:db8::1"), Some("n"));
        assert_eq!(auth("", "sw.example", "10.1.0.1"), Some("m"));
        assert_eq!(auth("", "192.0.2.1", "192.0.2.1"), Some("p"));
        assert_eq!(auth("any", "10.1.0.1", "10.1.0.1"), Some("a"));
        assert_eq!(auth("wide", "10.1.0.1", "10.1.0.1"), Some("w"));
        assert_eq!(auth("narrow", "10.2.0.1", "10.2.0.1"), None);
        assert_eq!(auth("none", "10.2.0.1", "10.2.0.1"), None);
        assert!(config.has_target_lists() && config.to_yaml().contains("10.1.0.0/16"));
        let wrong = Config::parse("auths:\n  a: {targets: [10.0.0.0/33]}\n").unwrap_err().to_string();
        assert!(wrong.contains("\"10.0.0.0/33\" is no network"), "{wrong}");
    }

    #[test]
    fn names_are_upstreams_unless_a_file_says_otherwise() {
        let naming = |text: &str| {
            let config = Config::parse(text).unwrap();
            config.modules.values().map(|module| config.naming_of(module)).collect::<Vec<_>>()
        };
        let (upstream, own) = (Naming::SnmpExporter, Naming::OpenMetrics);
        assert_eq!(naming("modules: {a: {}}\n"), [upstream]);
        assert_eq!(
            naming("naming: openmetrics\nmodules: {a: {}, b: {naming: snmp_exporter}}\n"),
            [own, upstream]
        );
        assert_eq!(naming("modules: {a: {}, b: {naming: openmetrics}}\n"), [upstream, own]);
        let wrong = fails("naming: prometheus\n");
        assert!(wrong.starts_with("1:9: ") && wrong.contains("snmp_exporter"), "{wrong}");
        let unit = fails("modules:\n  m:\n    metrics:\n    - {name: n, oid: 1.3, type: gauge, unit: m/s}\n");
        assert!(unit.starts_with("4:") && unit.contains("m/s"), "{unit}");
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let text = "naming: openmetrics\nauths: {a: {version: 1}}\nmodules:\n  m:\n    naming: snmp_exporter\n    walk: [1.3.6.1]\n    get: [1.3.6.1.2.0]\n    retries: 0\n    \
            timeout: 1m1.5s\n    metrics:\n    - {name: n, oid: 1.3.6, type: Bits, enum_values: {0: 'on', -1: b}, \
            indexes: [{labelname: i, type: OctetString, fixed_size: 6}], lookups: [{labels: [i], labelname: l, oid: 1.3.7, \
            type: PhysAddress48}], scale: 0.1, offset: -1, unit: volts, regex_extracts: {X: [{regex: '(.)'}]}}\n    \
            filters: [{oid: 1.3.6.5, targets: [1.3.6.6], values: ['^x']}]\n";
        let yaml = Config::parse(text).unwrap().to_yaml();
        assert_eq!(Config::parse(&yaml).unwrap().to_yaml(), yaml, "{yaml}");
        assert!(yaml.contains("timeout: 1m1.5s") && yaml.contains("unit: volts"), "{yaml}");
    }
}
