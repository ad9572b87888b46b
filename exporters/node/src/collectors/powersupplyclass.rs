//! Batteries and mains, from `/sys/class/power_supply/SUPPLY/`: a number or a word in each file.

use openmetrics::model::{Descriptor, MetricType, Number};
use rustix::io::Errno;

use super::{Setup, Spec};
use crate::families::info;
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

const IGNORED: Flag = Flag::text(
    "collector.powersupply.ignored-supplies",
    "^$",
    "Regular expression of power supplies to leave out",
);

pub(super) static SPEC: Spec = Spec {
    name: "powersupplyclass",
    enabled: true,
    about: "batteries and mains",
    flags: &[IGNORED],
    build: |setup| {
        let mut supplies = Supplies::new(setup)?;
        Ok(Reader::boxed(move |host, out| supplies.read(host, out)))
    },
};

static FACTS: Descriptor = info("node_power_supply_info", "What the power supply says of itself.");

/// How a file's number becomes a value.
#[derive(Clone, Copy)]
enum Scale {
    Plain,
    Millionths,
    Tenths,
}
use Scale::{Millionths, Plain, Tenths};

impl Scale {
    fn apply(self, number: i64) -> Number {
        match self {
            Plain => number.into(),
            Millionths => (number as f64 / 1e6).into(),
            Tenths => (number as f64 / 10.0).into(),
        }
    }
}

/// Files with a number, the ends of their families' names, and how they count.
const NUMBERS: [(&str, &str, Scale); 49] = [
    ("authentic", "authentic", Plain),
    ("calibrate", "calibrate", Plain),
    ("capacity", "capacity", Plain),
    ("capacity_alert_max", "capacity_alert_max", Plain),
    ("capacity_alert_min", "capacity_alert_min", Plain),
    ("cycle_count", "cyclecount", Plain),
    ("online", "online", Plain),
    ("present", "present", Plain),
    ("time_to_empty_now", "time_to_empty_seconds", Plain),
    ("time_to_full_now", "time_to_full_seconds", Plain),
    ("current_boot", "current_boot", Millionths),
    ("current_max", "current_max", Millionths),
    ("current_now", "current_ampere", Millionths),
    ("energy_empty", "energy_empty", Millionths),
    ("energy_empty_design", "energy_empty_design", Millionths),
    ("energy_full", "energy_full", Millionths),
    ("energy_full_design", "energy_full_design", Millionths),
    ("energy_now", "energy_watthour", Millionths),
    ("voltage_boot", "voltage_boot", Millionths),
    ("voltage_max", "voltage_max", Millionths),
    ("voltage_max_design", "voltage_max_design", Millionths),
    ("voltage_min", "voltage_min", Millionths),
    ("voltage_min_design", "voltage_min_design", Millionths),
    ("voltage_now", "voltage_volt", Millionths),
    ("voltage_ocv", "voltage_ocv", Millionths),
    ("charge_control_limit", "charge_control_limit", Millionths),
    ("charge_control_limit_max", "charge_control_limit_max", Millionths),
    ("charge_counter", "charge_counter", Millionths),
    ("charge_empty", "charge_empty", Millionths),
    ("charge_empty_design", "charge_empty_design", Millionths),
    ("charge_full", "charge_full", Millionths),
    ("charge_full_design", "charge_full_design", Millionths),
    ("charge_now", "charge_ampere", Millionths),
    ("charge_term_current", "charge_term_current", Millionths),
    ("constant_charge_current", "constant_charge_current", Millionths),
    ("constant_charge_current_max", "constant_charge_current_max", Millionths),
    ("constant_charge_voltage", "constant_charge_voltage", Millionths),
    ("constant_charge_voltage_max", "constant_charge_voltage_max", Millionths),
    ("precharge_current", "precharge_current", Millionths),
    ("input_current_limit", "input_current_limit", Millionths),
    ("power_now", "power_watt", Millionths),
    ("temp", "temp_celsius", Tenths),
    ("temp_alert_max", "temp_alert_max_celsius", Tenths),
    ("temp_alert_min", "temp_alert_min_celsius", Tenths),
    ("temp_ambient", "temp_ambient_celsius", Tenths),
    ("temp_ambient_max", "temp_ambient_max_celsius", Tenths),
    ("temp_ambient_min", "temp_ambient_min_celsius", Tenths),
    ("temp_max", "temp_max_celsius", Tenths),
    ("temp_min", "temp_min_celsius", Tenths),
];

/// Files with a word, which are labels of the same name.
const WORDS: [&str; 11] = [
    "capacity_level", "charge_type", "health", "manufacturer", "model_name", "serial_number", "status", "technology",
    "type", "usb_type", "scope",
];

struct Supplies {
    filter: Filter,
    files: KeptFiles,
}

impl Supplies {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self { filter: Filter::excluding(setup.options, &IGNORED)?, files: KeptFiles::default() })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        self.files.begin();
        let all = host.sys("class/power_supply");
        let names = host.list(&all).map_err(|error| error.or_no_data("there are no power supplies"))?;
        for name in names {
            if !self.filter.keeps(&name) {
                continue;
            }
            let folder = all.join(&name);
            let present = host.list(&folder).unwrap_or_default();
            let mut labels = vec![("power_supply", name.clone())];
            for file in present {
                let number = NUMBERS.iter().find(|(known, _, _)| *known == file);
                let word = WORDS.iter().find(|known| **known == file);
                if number.is_none() && word.is_none() {
                    continue;
                }
                let path = folder.join(&file);
                let line = match self.files.line(&path) {
                    Ok(line) => line,
                    Err(error) => {
                        // A supply refuses what makes no sense at the moment.
                        let refused = [Errno::NOENT, Errno::OPNOTSUPP, Errno::NODEV, Errno::INVAL];
                        if !refused.iter().any(|errno| error.is_errno(*errno)) {
                            host.note(error);
                        }
                        continue;
                    }
                };
                if let Some((_, family, scale)) = number {
                    match text::based(&line) {
                        Some(number) => {
                            let family = format!("node_power_supply_{family}");
                            let help = || format!("What the power supply tells in {file}.");
                            let labels = [("power_supply", name.as_str())];
                            out.named(&family, MetricType::Gauge, help, &labels, scale.apply(number));
                        }
                        None => host.note(Error::parse(&path, "an integer", &line)),
                    }
                }
                if let Some(word) = word.filter(|_| !line.is_empty()) {
                    labels.push((word, line));
                }
            }
            let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            out.point(&FACTS, &labels, 1_u64);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn a_battery() {
        let bat = "sys/class/power_supply/BAT0";
        let files = [("energy_now", "36580000\n"), ("temp", "-15"), ("capacity", "x"), ("type", "Battery"), ("health", "")];
        let files: Vec<(String, &str)> = files.iter().map(|(file, text)| (format!("{bat}/{file}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), *text)).collect();
        let mut supplies = Supplies { filter: Filter::default(), files: KeptFiles::default() };
        let (told, problems) = Tree::new("power", &files).read(|host, out| supplies.read(host, out));
        assert_eq!(
            told,
            [
                r#"node_power_supply_energy_watthour{power_supply="BAT0"} 36.58"#,
                r#"node_power_supply_temp_celsius{power_supply="BAT0"} -1.5"#,
                r#"node_power_supply{power_supply="BAT0",type="Battery"} 1"#,
            ]
        );
        assert_eq!(problems.len(), 1);
    }
}
