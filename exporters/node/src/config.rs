//! The config file: the flags of the command line by their names, in YAML.
//!
//! ```yaml
//! path.rootfs: /host
//! collector.systemd: true
//! collector.timex: false
//! collector.systemd.unit-include: (ssh|docker).*
//! collector.sysctl.include: [fs.file-nr, kernel.threads-max]
//! ```
//!
//! What the command line gives as well counts instead of what the file says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// The largest file that is read; all flags take a few kilobytes.
const LARGEST: u64 = 1 << 20;

/// One flag of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The flag's name, without dashes and without a leading `no-`.
    pub name: String,
    /// What is given.
    pub value: Given,
}

/// What a flag of the file is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// `true` or `false`: a flag that is on or off.
    Switch(bool),
    /// Values, one or more.
    Values(Vec<String>),
}

impl Setting {
    /// The same as arguments of a command line.
    pub fn arguments(&self) -> Vec<String> {
        match &self.value {
            Given::Switch(true) => vec![format!("--{}", self.name)],
            Given::Switch(false) => vec![format!("--no-{}", self.name)],
            Given::Values(values) => values.iter().map(|value| format!("--{}={value}", self.name)).collect(),
        }
    }
}

/// Reads a config file; an error begins with its path and has the line.
pub fn read(path: &Path) -> Result<Vec<Setting>, String> {
    let what = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
    let about = std::fs::metadata(path).map_err(|error| what(&error))?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(what(&"expected a plain file of at most 1 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| what(&error))?;
    parse(&text).map_err(|error| what(&error))
}

/// The settings in a config file's text.
pub fn parse(text: &str) -> Result<Vec<Setting>, String> {
    let all = serde_saphyr::from_str::<Option<BTreeMap<String, Value>>>(text).map_err(|error| {
        // The place is enough; the excerpt that may follow is for terminals.
        error.to_string().lines().next().unwrap_or_default().to_owned()
    })?;
    let setting = |(name, Value(value)): (String, Value)| match value {
        Given::Switch(on) => match name.strip_prefix("no-").map(str::to_owned) {
            Some(name) => Setting { name, value: Given::Switch(!on) },
            None => Setting { name, value },
        },
        Given::Values(_) => Setting { name, value },
    };
    Ok(all.unwrap_or_default().into_iter().map(setting).collect())
}

struct Value(Given);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, a value, or a list of values")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Value, E> {
        Ok(Value(Given::Switch(on)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(one(&number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(one(&number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(one(&number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(one(&text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Value(value)) = list.next_element()? {
            match value {
                Given::Switch(on) => values.push(on.to_string()),
                Given::Values(mut one) if one.len() == 1 => values.append(&mut one),
                Given::Values(_) => {
                    return Err(A::Error::custom("expected a list of values, found a list of lists"));
                }
            }
        }
        Ok(Value(Given::Values(values)))
    }
}

fn one(value: &dyn fmt::Display) -> Value {
    Value(Given::Values(vec![value.to_string()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Result<Vec<String>, String> {
        parse(text).map(|settings| settings.iter().flat_map(Setting::arguments).collect())
    }

    #[test]
    fn flags_by_their_names() {
        let text = "# hosts\npath.rootfs: /host\ncollector.systemd: true\ncollector.timex: false\nno-collector.cpu: true\n\
                    collector.perf.cpus: 3\ncollector.sysctl.include: [fs.file-nr, 'kernel.threads-max']\n";
        assert_eq!(
            arguments(text).unwrap(),
            [
                "--collector.perf.cpus=3",
                "--collector.sysctl.include=fs.file-nr",
                "--collector.sysctl.include=kernel.threads-max",
                "--collector.systemd",
                "--no-collector.timex",
                "--no-collector.cpu",
                "--path.rootfs=/host",
            ]
        );
        assert_eq!(arguments("").unwrap(), [""; 0]);
    }

    #[test]
    fn mistakes_have_their_line() {
        for (bad, why) in [
            ("collector.cpu", ""),
            ("a: {b: c}", "a list of values"),
            ("a: [[b, c]]", "list of lists"),
            ("path.rootfs: /a\npath.rootfs: /b\n", "line 2"),
        ] {
            let error = arguments(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
        let error = read(Path::new("/nowhere/node.yml")).unwrap_err();
        assert_eq!(error, "/nowhere/node.yml: No such file or directory (os error 2)");
        assert!(read(Path::new("/dev/null")).unwrap_err().contains("plain file"));
    }
}
