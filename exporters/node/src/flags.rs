//! Flags as data: every collector declares its own, and what was given is looked up by the same constant.

use std::collections::HashMap;
use std::time::Duration;

use regex_lite::Regex;

/// One flag, spelled as node_exporter spells it.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// The name without the dashes, such as `collector.cpu.guest`.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is for, in a line.
    pub help: &'static str,
    /// Not in the help: a deprecated spelling or a thing for tests.
    pub hidden: bool,
    /// Older spellings, taken as this one.
    pub formerly: &'static [&'static str],
}

/// What a flag takes, and what holds if it is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `--name` and `--no-name`.
    Switch(bool),
    /// One value.
    Text(&'static str),
    /// Values; the flag may be given many times.
    Texts,
    /// A duration such as `5s` or `250ms`.
    Duration(Duration),
    /// A number from 0 up.
    Number(u64),
}

impl Flag {
    /// A flag that is on or off.
    pub const fn switch(name: &'static str, default: bool, help: &'static str) -> Self {
        Self { name, kind: Kind::Switch(default), help, hidden: false, formerly: &[] }
    }

    /// A flag with a value.
    pub const fn text(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Text(default), help, hidden: false, formerly: &[] }
    }

    /// A flag that may be given many times.
    pub const fn texts(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Texts, help, hidden: false, formerly: &[] }
    }

    /// A flag with a duration.
    pub const fn duration(name: &'static str, default: Duration, help: &'static str) -> Self {
        Self { name, kind: Kind::Duration(default), help, hidden: false, formerly: &[] }
    }

    /// A flag with a number.
    pub const fn number(name: &'static str, default: u64, help: &'static str) -> Self {
        Self { name, kind: Kind::Number(default), help, hidden: false, formerly: &[] }
    }

    /// Left out of the help.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// With older spellings.
    #[must_use]
    pub const fn formerly(mut self, names: &'static [&'static str]) -> Self {
        self.formerly = names;
        self
    }
}

/// What was given on the command line or in the config file; defaults stand in the flags themselves.
#[derive(Debug, Default)]
pub struct Options {
    given: HashMap<String, Vec<String>>,
}

impl Options {
    /// Notes values of the flag called `name`. A switch has the value `true` or `false`.
    pub fn set(&mut self, name: &str, values: Vec<String>) {
        self.given.insert(name.to_owned(), values);
    }

    /// What was asked for of a collector itself, by `--collector.NAME` or `--no-collector.NAME`.
    pub fn collector(&self, name: &str) -> Option<bool> {
        let values = self.given.get(&format!("collector.{name}"))?;
        values.last().map(|value| value == "true")
    }

    /// Whether the flag was given at all.
    pub fn given(&self, flag: &Flag) -> bool {
        self.given.contains_key(flag.name)
    }

    /// Whether a switch is on.
    pub fn switch(&self, flag: &Flag) -> bool {
        match (self.last(flag), flag.kind) {
            (Some(value), _) => value == "true",
            (None, Kind::Switch(default)) => default,
            (None, _) => false,
        }
    }

    /// The value of a flag that takes one.
    pub fn text<'a>(&'a self, flag: &'a Flag) -> &'a str {
        match (self.last(flag), flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Text(default)) => default,
            (None, _) => "",
        }
    }

    /// The values of a flag that may be given many times.
    pub fn texts(&self, flag: &Flag) -> &[String] {
        self.given.get(flag.name).map_or(&[], Vec::as_slice)
    }

    /// The duration that a flag gives.
    pub fn duration(&self, flag: &Flag) -> Result<Duration, String> {
        match (self.last(flag), flag.kind) {
            (Some(value), _) => {
                parse_duration(value).ok_or_else(|| invalid(flag, value, "a duration such as 5s or 250ms"))
            }
            (None, Kind::Duration(default)) => Ok(default),
            (None, _) => Ok(Duration::ZERO),
        }
    }

    /// The number that a flag gives.
    pub fn number(&self, flag: &Flag) -> Result<u64, String> {
        match (self.last(flag), flag.kind) {
            (Some(value), _) => {
                crate::text::unsigned(value).ok_or_else(|| invalid(flag, value, "a number from 0 up"))
            }
            (None, Kind::Number(default)) => Ok(default),
            (None, _) => Ok(0),
        }
    }

    /// The regular expression that a flag gives; `None` if it is empty.
    pub fn regex(&self, flag: &Flag) -> Result<Option<Regex>, String> {
        match self.text(flag) {
            "" => Ok(None),
            pattern => compile(flag, pattern).map(Some),
        }
    }

    fn last(&self, flag: &Flag) -> Option<&str> {
        self.given.get(flag.name)?.last().map(String::as_str)
    }
}

fn invalid(flag: &Flag, value: &str, expected: &str) -> String {
    format!("--{}={value}: expected {expected}", flag.name)
}

fn compile(flag: &Flag, pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|e| format!("--{}={pattern}: not a regular expression: {e}", flag.name))
}

/// A duration as Go writes it: numbers with units, one after the other (`1m30s`, `1.5h`).
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * scale;
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Decides by name what to keep: a pattern to exclude and one to include, of which only one may be given.
///
/// Verdicts are remembered: the names on a host are few, and matching costs more than looking up.
#[derive(Debug, Default)]
pub struct Filter {
    exclude: Option<Regex>,
    include: Option<Regex>,
    verdicts: HashMap<Box<str>, bool>,
}

/// How many verdicts are remembered; containers bring new interface names without end.
const VERDICTS_KEPT: usize = 4096;

impl Filter {
    /// The filter of two flags that exclude each other. Including sets an excluding default aside.
    pub fn new(options: &Options, exclude: &Flag, include: &Flag) -> Result<Self, String> {
        let included = options.regex(include)?;
        let excluded = match &included {
            Some(_) if !options.given(exclude) => None,
            Some(_) if !options.text(exclude).is_empty() => {
                return Err(format!(
                    "--{} and --{} exclude each other; give one",
                    exclude.name, include.name
                ));
            }
            _ => options.regex(exclude)?,
        };
        Ok(Self { exclude: excluded, include: included, verdicts: HashMap::new() })
    }

    /// The filter of one flag whose matches are kept.
    pub fn including(options: &Options, include: &Flag) -> Result<Self, String> {
        Ok(Self { include: options.regex(include)?, ..Self::default() })
    }

    /// The filter of one flag whose matches are left out.
    pub fn excluding(options: &Options, exclude: &Flag) -> Result<Self, String> {
        Ok(Self { exclude: options.regex(exclude)?, ..Self::default() })
    }

    /// A filter by two patterns of which both have to agree.
    pub fn from_patterns(exclude: Option<Regex>, include: Option<Regex>) -> Self {
        Self { exclude, include, verdicts: HashMap::new() }
    }

    /// Whether things called `name` are kept.
    pub fn keeps(&mut self, name: &str) -> bool {
        if self.exclude.is_none() && self.include.is_none() {
            return true;
        }
        if let Some(&kept) = self.verdicts.get(name) {
            return kept;
        }
        let kept = self.exclude.as_ref().is_none_or(|e| !e.is_match(name))
            && self.include.as_ref().is_none_or(|i| i.is_match(name));
        if self.verdicts.len() >= VERDICTS_KEPT {
            self.verdicts.clear();
        }
        self.verdicts.insert(name.into(), kept);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCLUDE: Flag = Flag::text("x.device-exclude", "^lo$", "");
    const INCLUDE: Flag = Flag::text("x.device-include", "", "");

    #[test]
    fn including_sets_the_default_exclusion_aside() {
        let mut options = Options::default();
        let mut filter = Filter::new(&options, &EXCLUDE, &INCLUDE).unwrap();
        assert_eq!((filter.keeps("lo"), filter.keeps("lo0"), filter.keeps("lo")), (false, true, false));
        options.set(INCLUDE.name, vec!["l".into()]);
        let mut filter = Filter::new(&options, &EXCLUDE, &INCLUDE).unwrap();
        assert_eq!((filter.keeps("lo"), filter.keeps("eth0")), (true, false));
        options.set(EXCLUDE.name, vec!["e".into()]);
        assert_eq!(
            Filter::new(&options, &EXCLUDE, &INCLUDE).unwrap_err(),
            "--x.device-exclude and --x.device-include exclude each other; give one"
        );
    }

    #[test]
    fn bad_values_are_named() {
        let mut options = Options::default();
        options.set(INCLUDE.name, vec!["(".into()]);
        let error = Filter::including(&options, &INCLUDE).unwrap_err();
        assert!(error.starts_with("--x.device-include=(: not a regular expression: "), "{error}");
    }

    #[test]
    fn durations_as_go_writes_them() {
        assert_eq!(parse_duration("5s"), Some(Duration::from_secs(5)));
        assert_eq!(parse_duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        for bad in ["", "5", "s", "-1s", "5 s", "5d"] {
            assert_eq!(parse_duration(bad), None, "{bad:?}");
        }
    }
}
