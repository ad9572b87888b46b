//! Temperatures and cooling, from `/sys/class/thermal/`: `thermal_zoneN/{type,temp}`, in thousandths of a degree, and
//! `cooling_deviceN/{type,cur_state,max_state}`, where a state may be -1.

use std::path::{Path, PathBuf};

use openmetrics::model::{Descriptor, Labels};
use rustix::io::Errno;

use super::{NodeCollector, Setup, Spec};
use crate::families::gauge;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "thermal_zone",
    enabled: true,
    about: "temperatures and states of cooling devices",
    flags: &[],
    build: |setup| Ok(Box::new(ThermalZone::new(setup))),
};

static TEMPERATURE: Descriptor = gauge("node_thermal_zone_temp", "Temperature of the zone in degrees Celsius.");
static STATE: Descriptor = gauge("node_cooling_device_cur_state", "How much the device cools, or slows down.");
static MAXIMUM: Descriptor = gauge("node_cooling_device_max_state", "How much it can cool, or slow down, at most.");

struct ThermalZone {
    folder: PathBuf,
    zones: Vec<Zone>,
    coolers: Vec<Cooler>,
}

/// The files of a zone, and what they said.
struct Zone {
    number: String,
    files: [KeptFile; 2],
    kind: String,
    millidegrees: i64,
}

/// The files of a cooling device, and what they said.
struct Cooler {
    number: String,
    files: [KeptFile; 3],
    kind: String,
    /// Now and at most; `None` if it does not tell.
    states: Option<(i64, i64)>,
}

fn files<const N: usize>(folder: &Path, names: [&str; N]) -> [KeptFile; N] {
    names.map(|name| KeptFile::new(folder.join(name)))
}

fn signed(file: &mut KeptFile) -> Result<i64, Error> {
    let path = file.path().to_owned();
    let text = file.text()?.trim();
    text::signed(text).ok_or_else(|| Error::parse(&path, "an integer", text))
}

impl ThermalZone {
    fn new(setup: &Setup<'_>) -> Self {
        Self { folder: setup.host.sys("class/thermal"), zones: Vec::new(), coolers: Vec::new() }
    }

    /// Keeps the files of what is still there and adds those of what is new.
    fn update_list(&mut self, names: &[String]) {
        let numbered = |prefix: &str| -> Vec<String> {
            let numbers = names.iter().filter_map(|name| name.strip_prefix(prefix));
            numbers.filter(|n| n.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned).collect()
        };
        let zones = numbered("thermal_zone");
        if !self.zones.iter().map(|zone| &zone.number).eq(&zones) {
            let zone = |number: String| {
                let files = files(&self.folder.join(format!("thermal_zone{number}")), ["type", "temp"]);
                Zone { number, files, kind: String::new(), millidegrees: 0 }
            };
            self.zones = zones.into_iter().map(zone).collect();
        }
        let coolers = numbered("cooling_device");
        if !self.coolers.iter().map(|cooler| &cooler.number).eq(&coolers) {
            let cooler = |number: String| {
                let folder = self.folder.join(format!("cooling_device{number}"));
                let files = files(&folder, ["type", "cur_state", "max_state"]);
                Cooler { number, files, kind: String::new(), states: None }
            };
            self.coolers = coolers.into_iter().map(cooler).collect();
        }
    }
}

impl Zone {
    /// What cannot be read is empty or zero, as node_exporter has it: many sensors refuse while they are off.
    fn update(&mut self) {
        let [kind, temperature] = &mut self.files;
        kind.text().map_or("", str::trim).clone_into(&mut self.kind);
        self.millidegrees = signed(temperature).unwrap_or_default();
    }
}

impl Cooler {
    fn update(&mut self) -> Result<(), Error> {
        self.states = None;
        let [kind, now, maximum] = &mut self.files;
        kind.text()?.trim().clone_into(&mut self.kind);
        let maximum = signed(maximum)?;
        self.states = Some((signed(now)?, maximum));
        Ok(())
    }
}

/// Some drivers refuse to tell, and always will.
fn may_fail(error: &Error) -> bool {
    [Errno::NOENT, Errno::ACCESS, Errno::PERM, Errno::INVAL, Errno::OPNOTSUPP].iter().any(|e| error.is_errno(*e))
}

impl NodeCollector for ThermalZone {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        let names = match host.list(&self.folder) {
            Err(error) if error.is_not_found() => Vec::new(),
            other => other?,
        };
        self.update_list(&names);
        self.zones.iter_mut().for_each(Zone::update);
        for cooler in &mut self.coolers {
            if let Err(error) = cooler.update()
                && !may_fail(&error)
            {
                host.note(error);
            }
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let mut family = out.family(&TEMPERATURE);
        for zone in &self.zones {
            let labels = [("zone", zone.number.as_str()), ("type", &zone.kind)];
            family.point(Labels::new(&labels), zone.millidegrees as f64 / 1000.0);
        }
        for (family, maximum) in [(&STATE, false), (&MAXIMUM, true)] {
            let mut family = out.family(family);
            for cooler in &self.coolers {
                if let Some((now, most)) = cooler.states {
                    let labels = [("name", cooler.number.as_str()), ("type", &cooler.kind)];
                    family.point(Labels::new(&labels), if maximum { most } else { now });
                }
            }
        }
    }
}
