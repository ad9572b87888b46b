//! Hardware sensors, from `/sys/class/hwmon/hwmonN/`: files called `TYPE NUMBER _ PROPERTY`, such as `temp1_input` or
//! `fan2_alarm`, with a number each, and `name`. Older drivers have them in the folder `device` within.
//!
//! A chip is named after its device, since the numbers of `hwmonN` change from boot to boot.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use openmetrics::model::{Descriptor, Labels, MetricType};

use super::{NodeCollector, Setup, Spec};
use crate::families::{self, gauge};
use crate::flags::{Filter, Flag};
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

const CHIP_INCLUDE: Flag =
    Flag::text("collector.hwmon.chip-include", "", "Regular expression of chips to tell, and no others");
const CHIP_EXCLUDE: Flag =
    Flag::text("collector.hwmon.chip-exclude", "", "Regular expression of chips to leave out");
const SENSOR_INCLUDE: Flag = Flag::text(
    "collector.hwmon.sensor-include",
    "",
    "Regular expression of sensors to tell, and no others, as CHIP;SENSOR",
);
const SENSOR_EXCLUDE: Flag = Flag::text(
    "collector.hwmon.sensor-exclude",
    "",
    "Regular expression of sensors to leave out, as CHIP;SENSOR",
);

pub(super) static SPEC: Spec = Spec {
    name: "hwmon",
    enabled: true,
    about: "temperatures, fans, voltages and other sensors",
    flags: &[CHIP_INCLUDE, CHIP_EXCLUDE, SENSOR_INCLUDE, SENSOR_EXCLUDE],
    build: |setup| Ok(Box::new(Hwmon::new(setup)?)),
};

static CHIP_NAMES: Descriptor = gauge("node_hwmon_chip_names", "What chips are called by their drivers.");
static SENSOR_LABELS: Descriptor = gauge("node_hwmon_sensor_label", "What sensors are called by their drivers.");

/// Files of other types are no sensors.
const TYPES: [&str; 14] = [
    "vrm", "beep_enable", "update_interval", "in", "cpu", "fan", "pwm", "temp", "curr", "power", "energy",
    "humidity", "intrusion", "freq",
];

struct Hwmon {
    folder: PathBuf,
    chip_filter: Filter,
    sensor_filter: Filter,
    chips: Vec<Chip>,
    readings: BTreeMap<String, Readings>,
    labels: Vec<(String, String, String)>,
}

/// A folder `hwmonN`.
struct Chip {
    folder: PathBuf,
    /// Where the link to the folder leads; a number may be given to another chip.
    target: Option<PathBuf>,
    /// The name made from the device, which several chips may share.
    base_name: String,
    /// What `name` says.
    driver_name: String,
    /// The name that tells it apart from the others.
    name: String,
    shown: bool,
    files: BTreeMap<(bool, String), KeptFile>,
}

/// A family and what the chips say of it: chip, sensor, value.
struct Readings {
    family: Option<Descriptor>,
    rows: Vec<(String, String, f64)>,
}

impl Hwmon {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self {
            folder: setup.host.sys("class/hwmon"),
            chip_filter: Filter::new(setup.options, &CHIP_EXCLUDE, &CHIP_INCLUDE)?,
            sensor_filter: Filter::new(setup.options, &SENSOR_EXCLUDE, &SENSOR_INCLUDE)?,
            chips: Vec::new(),
            readings: BTreeMap::new(),
            labels: Vec::new(),
        })
    }

    /// Looks for chips, and names them.
    fn update_chips(&mut self, host: &mut Host) -> Result<(), Error> {
        let names = host.list(&self.folder).map_err(|e| e.or_no_data("there are no hardware sensors"))?;
        let mut before = std::mem::take(&mut self.chips);
        for name in names {
            let folder = self.folder.join(&name);
            let target = std::fs::read_link(&folder).ok();
            let known = before.iter().position(|chip| chip.folder == folder && chip.target == target);
            let mut chip = match known {
                Some(at) => before.swap_remove(at),
                None if folder.is_dir() => Chip::new(folder, target),
                None => continue,
            };
            // Without a link there is no telling whether it is the same chip.
            if chip.target.is_none() || chip.base_name.is_empty() {
                chip.base_name = base_name(host, &chip.folder).unwrap_or_default();
            }
            chip.driver_name = host.line(&chip.folder.join("name")).unwrap_or_default();
            if !chip.base_name.is_empty() {
                self.chips.push(chip);
            }
        }
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut pairs: HashMap<(String, String), usize> = HashMap::new();
        for chip in &self.chips {
            *counts.entry(chip.base_name.clone()).or_default() += 1;
            *pairs.entry((chip.base_name.clone(), chip.driver_name.clone())).or_default() += 1;
        }
        for chip in &mut self.chips {
            let shared = counts.get(&chip.base_name).is_some_and(|count| *count > 1);
            chip.name.clone_from(&chip.base_name);
            if shared {
                let pair = (chip.base_name.clone(), chip.driver_name.clone());
                let unique = pairs.get(&pair).is_some_and(|count| *count == 1);
                let by_driver = Some(clean(&chip.driver_name)).filter(|name| unique && !name.is_empty());
                let number = || clean(&chip.folder.file_name().unwrap_or_default().to_string_lossy());
                chip.name = format!("{}_{}", chip.base_name, by_driver.unwrap_or_else(number));
            }
            chip.shown = self.chip_filter.keeps(&chip.name);
        }
        Ok(())
    }

    fn take(&mut self, at: usize, sensors: &Sensors) {
        let Self { chips, sensor_filter, readings, labels, .. } = self;
        let Some(chip) = chips.get(at) else { return };
        for (sensor, properties) in sensors {
            if !sensor_filter.keeps(&format!("{};{sensor}", chip.name)) {
                continue;
            }
            let label = properties.get("label");
            if let Some(label) = label {
                labels.push((chip.name.clone(), sensor.clone(), label.clone()));
            }
            let Some((kind, _, _)) = explode(sensor) else { continue };
            for (property, value) in properties {
                let Some(reading) = convert(kind, property, value, properties.contains_key("")) else { continue };
                let sensor = match (kind, property.as_str(), label) {
                    ("freq", "input", Some(label)) => clean(label),
                    ("freq", "input", None) => continue,
                    _ => sensor.clone(),
                };
                let readings = readings.entry(reading.name).or_insert_with_key(|name| Readings {
                    family: families::named(name, reading.metric_type, describe(kind, property)),
                    rows: Vec::new(),
                });
                readings.rows.push((chip.name.clone(), sensor, reading.value));
            }
        }
    }
}

/// What files said, by sensor (`temp1`) and property (`input`).
type Sensors = BTreeMap<String, BTreeMap<String, String>>;

impl Chip {
    fn new(folder: PathBuf, target: Option<PathBuf>) -> Self {
        Self {
            folder,
            target,
            base_name: String::new(),
            driver_name: String::new(),
            name: String::new(),
            shown: false,
            files: BTreeMap::new(),
        }
    }

    fn read(&mut self, host: &Host) -> Result<Sensors, Error> {
        let mut sensors = Sensors::new();
        let mut listed = Vec::new();
        for (in_device, folder) in [(false, self.folder.clone()), (true, self.folder.join("device"))] {
            let names = match host.list(&folder) {
                Err(error) if in_device && error.is_not_found() => continue,
                other => other?,
            };
            let sensors = names.into_iter().filter(|name| {
                explode(name).is_some_and(|(kind, _, _)| TYPES.contains(&kind))
            });
            listed.extend(sensors.map(|name| (in_device, name)));
        }
        self.files.retain(|key, _| listed.contains(key));
        for key in listed {
            let Some((kind, number, property)) = explode(&key.1) else { continue };
            let (sensor, property) = (format!("{kind}{number}"), property.to_owned());
            let folder = if key.0 { self.folder.join("device") } else { self.folder.clone() };
            let path = folder.join(&key.1);
            let file = self.files.entry(key).or_insert_with(|| KeptFile::new(path));
            // Sensors that are off, or that the driver cannot reach, are passed over.
            if let Ok(text) = file.text() {
                sensors.entry(sensor).or_default().insert(property, text.trim_matches('\n').to_owned());
            }
        }
        Ok(sensors)
    }
}

impl NodeCollector for Hwmon {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.labels.clear();
        for readings in self.readings.values_mut() {
            readings.rows.clear();
        }
        self.update_chips(host)?;
        for at in 0..self.chips.len() {
            let Some(chip) = self.chips.get_mut(at).filter(|chip| chip.shown) else { continue };
            match chip.read(host) {
                Ok(sensors) => self.take(at, &sensors),
                Err(error) => {
                    chip.shown = false;
                    host.note(error);
                }
            }
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let mut family = out.family(&CHIP_NAMES);
        for chip in self.chips.iter().filter(|chip| chip.shown) {
            let driver = clean(&chip.driver_name);
            if !driver.is_empty() {
                family.point(Labels::new(&[("chip", &chip.name), ("chip_name", &driver)]), 1_u64);
            }
        }
        let mut family = out.family(&SENSOR_LABELS);
        for (chip, sensor, label) in &self.labels {
            family.point(Labels::new(&[("chip", chip), ("sensor", sensor), ("label", label)]), 1_u64);
        }
        for Readings { family, rows } in self.readings.values() {
            let Some(family) = family else { continue };
            let mut family = out.family(family);
            for (chip, sensor, value) in rows {
                family.point(Labels::new(&[("chip", chip), ("sensor", sensor)]), *value);
            }
        }
    }
}

/// A name from where the device is, from the driver, or from the folder; the first that there is.
fn base_name(host: &mut Host, folder: &Path) -> Option<String> {
    let last = |path: Option<&Path>| {
        clean(&path.and_then(Path::file_name).unwrap_or_default().to_string_lossy())
    };
    if let Ok(device) = folder.join("device").canonicalize() {
        let (bus, device) = (last(device.parent()), last(Some(&device)));
        if !device.is_empty() {
            return Some(if bus.is_empty() { device } else { format!("{bus}_{device}") });
        }
    }
    let driver = host.line(&folder.join("name")).map(|name| clean(&name)).unwrap_or_default();
    if !driver.is_empty() {
        return Some(driver);
    }
    let folder = folder.canonicalize().ok()?;
    Some(last(Some(&folder))).filter(|name| !name.is_empty())
}

/// In lower case, with underscores for whatever a metric name cannot have, and none at the ends.
fn clean(name: &str) -> String {
    let kept = |c: char| matches!(c, 'a'..='z' | '0'..='9' | ':' | '_');
    let lower = name.trim_end_matches('\n').to_lowercase();
    lower.chars().map(|c| if kept(c) { c } else { '_' }).collect::<String>().trim_matches('_').to_owned()
}

/// Type, number and property of a file's name: `temp1_crit_alarm`, `vrm`, `fan2`.
fn explode(name: &str) -> Option<(&str, u32, &str)> {
    let Some(digits) = name.find(|c: char| c.is_ascii_digit()) else {
        return (!name.is_empty()).then_some((name, 0, ""));
    };
    let (kind, rest) = name.split_at(digits);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, property) = rest.split_at(end);
    let property = if property.is_empty() { "" } else { property.strip_prefix('_').filter(|p| !p.is_empty())? };
    if kind.is_empty() { None } else { Some((kind, number.parse().ok()?, property)) }
}

/// A family's name, its type, and a value in its unit.
#[derive(Debug, PartialEq)]
struct Reading {
    name: String,
    metric_type: MetricType,
    value: f64,
}

/// What a property of a sensor is told as; `None` if it is no number or nothing to tell. `has_plain` says whether the
/// sensor has a file without a property, which then has the plain name.
fn convert(kind: &str, property: &str, value: &str, has_plain: bool) -> Option<Reading> {
    let gauge = |name: String, value: f64| Some(Reading { name, metric_type: MetricType::Gauge, value });
    match (kind, property) {
        ("beep_enable", "") => {
            return gauge("node_hwmon_beep_enabled".into(), f64::from(u8::from(value == "1")));
        }
        ("vrm", "") => return gauge("node_hwmon_voltage_regulator_version".into(), text::float(value)?),
        ("update_interval", "") => {
            return gauge("node_hwmon_update_interval_seconds".into(), text::float(value)? * 0.001);
        }
        (_, "label") | ("beep_enable" | "vrm" | "update_interval", _) => return None,
        _ => {}
    }
    let value = text::float(value)?;
    let name = match property {
        "" => format!("node_hwmon_{kind}"),
        "input" if !has_plain => format!("node_hwmon_{kind}"),
        property => format!("node_hwmon_{kind}_{}", clean(property)),
    };
    match (kind, property) {
        (_, "fault" | "alarm") => gauge(name, value),
        (_, "beep") => gauge(name + "_enabled", value),
        ("in" | "cpu", _) => gauge(name + "_volts", value * 0.001),
        ("temp", property) if property != "type" => gauge(name + "_celsius", value * 0.001),
        ("curr", _) => gauge(name + "_amps", value * 0.001),
        ("energy", _) => {
            Some(Reading { name: name + "_joule_total", metric_type: MetricType::Counter, value: value / 1_000_000.0 })
        }
        ("power", "accuracy") | ("humidity", _) => gauge(name, value / 1_000_000.0),
        ("power", "average_interval" | "average_interval_min" | "average_interval_max") => {
            gauge(name + "_seconds", value * 0.001)
        }
        ("power", _) => gauge(name + "_watt", value / 1_000_000.0),
        ("fan", "input" | "min" | "max" | "target") => gauge(name + "_rpm", value),
        ("freq", "input") => gauge(name + "_freq_mhz", value / 1_000_000.0),
        _ => gauge(name, value),
    }
}

fn describe(kind: &str, property: &str) -> String {
    let property = if property.is_empty() { "its value" } else { property };
    format!("Hardware sensors of type {kind}: {property}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        assert_eq!(explode("temp1_crit_alarm"), Some(("temp", 1, "crit_alarm")));
        assert_eq!(explode("vrm"), Some(("vrm", 0, "")));
        assert_eq!(explode("fan2"), Some(("fan", 2, "")));
        assert_eq!(explode("beep_enable"), Some(("beep_enable", 0, "")));
        assert_eq!(explode("pwm1_auto_point1_pwm"), Some(("pwm", 1, "auto_point1_pwm")));
        for bad in ["", "1abc", "fan1x", "fan1_", "temp99999999999_input"] {
            assert_eq!(explode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn values_get_units() {
        let told = |kind, property, value| convert(kind, property, value, false).map(|r| (r.name, r.value));
        assert_eq!(told("temp", "input", "52000"), Some(("node_hwmon_temp_celsius".into(), 52.0)));
        assert_eq!(told("temp", "type", "2"), Some(("node_hwmon_temp_type".into(), 2.0)));
        assert_eq!(told("in", "max", "792"), Some(("node_hwmon_in_max_volts".into(), 0.792)));
        assert_eq!(told("fan", "input", "1098"), Some(("node_hwmon_fan_rpm".into(), 1098.0)));
        assert_eq!(told("fan", "pulses", "2"), Some(("node_hwmon_fan_pulses".into(), 2.0)));
        assert_eq!(told("power", "average_interval", "500"), Some(("node_hwmon_power_average_interval_seconds".into(), 0.5)));
        assert_eq!(told("intrusion", "beep", "1"), Some(("node_hwmon_intrusion_beep_enabled".into(), 1.0)));
        assert_eq!(told("energy", "input", "7000000"), Some(("node_hwmon_energy_joule_total".into(), 7.0)));
        assert_eq!(told("beep_enable", "", "1"), Some(("node_hwmon_beep_enabled".into(), 1.0)));
        assert_eq!(told("temp", "input", "hot"), None);
        assert_eq!(told("temp", "label", "1"), None);
        assert_eq!(convert("fan", "input", "1", true).unwrap().name, "node_hwmon_fan_input_rpm");
    }

    #[test]
    fn names_are_cleaned() {
        assert_eq!(clean("coretemp.0"), "coretemp_0");
        assert_eq!(clean("_ASUS WMI_\n"), "asus_wmi");
        assert_eq!(clean("é"), "");
    }
}
