//! PCI devices, from `/sys/bus/pci/devices/SEGMENT:BUS:DEVICE.FUNCTION/`, a number or a word in each file; the entry
//! is a link, and the folder above the one that it leads to is what the device is attached to. Names are in `pci.ids`, with tabs
//! in front:
//!
//! ```text
//! 8086  Intel Corporation
//!     1521  I350 Gigabit Network Connection
//!         8086 00a3  Ethernet Network Adapter I350-T4
//! C 01  Mass storage controller
//!     08  Non-Volatile memory controller
//!         02  NVM Express
//! ```

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use openmetrics::model::{Descriptor, Number};

use super::{Setup, Spec};
use crate::families::{gauge, info};
use crate::flags::Flag;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

const NAMES: Flag = Flag::switch("collector.pcidevice.names", false, "Tell names of devices, from pci.ids");
const IDS: Flag = Flag::text("collector.pcidevice.idsfile", "", "The pci.ids to take, instead of the system's");

pub(super) static SPEC: Spec = Spec {
    name: "pcidevice",
    enabled: false,
    about: "PCI devices: what they are, links, power",
    flags: &[NAMES, IDS],
    build: |setup| {
        let mut devices = Devices::new(setup);
        Ok(Reader::boxed(move |host, out| devices.read(host, out)))
    },
};

const SYSTEM_IDS: [&str; 2] = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"];

static FACTS: Descriptor = info("node_pcidevice_info", "What the device is and what it is attached to.");
static POWER: Descriptor = gauge("node_pcidevice_power_state", "1 for the power state that the device is in.");
const POWER_STATES: [&str; 7] = ["D0", "D1", "D2", "D3hot", "D3cold", "unknown", "error"];
static SPEEDS: [(&str, Descriptor); 2] = [
    ("max_link_speed", gauge("node_pcidevice_max_link_transfers_per_second", "Transfers a second that the link can do.")),
    ("current_link_speed", gauge("node_pcidevice_current_link_transfers_per_second", "Transfers a second that the link does.")),
];
static WIDTHS: [(&str, Descriptor); 2] = [
    ("max_link_width", gauge("node_pcidevice_max_link_width", "Lanes that the link can have.")),
    ("current_link_width", gauge("node_pcidevice_current_link_width", "Lanes that the link has.")),
];
/// Zero if not there; whether only zero or not counts.
static COUNTS: [(&str, bool, Descriptor); 5] = [
    ("d3cold_allowed", true, gauge("node_pcidevice_d3cold_allowed", "Whether the device may be switched off.")),
    ("sriov_drivers_autoprobe", true, gauge("node_pcidevice_sriov_drivers_autoprobe", "Whether drivers are loaded for new virtual functions.")),
    ("sriov_numvfs", false, gauge("node_pcidevice_sriov_numvfs", "Virtual functions.")),
    ("sriov_totalvfs", false, gauge("node_pcidevice_sriov_totalvfs", "Virtual functions that there can be.")),
    ("sriov_vf_total_msix", false, gauge("node_pcidevice_sriov_vf_total_msix", "Interrupt vectors for virtual functions.")),
];
static NODE: Descriptor = gauge("node_pcidevice_numa_node", "The memory node that the device is near to.");
/// Files with hexadecimal numbers, how many digits they are told with, and labels.
const IDENTITY: [(&str, usize, &str); 6] = [
    ("class", 6, "class_id"),
    ("vendor", 4, "vendor_id"),
    ("device", 4, "device_id"),
    ("subsystem_vendor", 4, "subsystem_vendor_id"),
    ("subsystem_device", 4, "subsystem_device_id"),
    ("revision", 2, "revision"),
];

struct Devices {
    names: Option<Names>,
    files: KeptFiles,
}

impl Devices {
    fn new(setup: &Setup<'_>) -> Self {
        let names = setup.options.switch(&NAMES).then(|| {
            let given = setup.options.text(&IDS);
            let mut paths: Vec<PathBuf> = if given.is_empty() {
                SYSTEM_IDS.iter().map(PathBuf::from).collect()
            } else {
                vec![PathBuf::from(given)]
            };
            paths.retain(|path| path.is_file());
            let bytes = paths.first().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
            Names::parse(&text::valid(&bytes))
        });
        Self { names, files: KeptFiles::default() }
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        self.files.begin();
        let all = host.sys("bus/pci/devices");
        let entries = host.list(&all).map_err(|error| error.or_no_data("there are no PCI devices"))?;
        for entry in entries {
            if let Err(error) = self.read_device(host, &all.join(entry), out) {
                host.note(error);
            }
        }
        Ok(())
    }

    fn read_device(&mut self, host: &mut Host, path: &Path, out: &mut Gathered) -> Result<(), Error> {
        let target = std::fs::read_link(path).map_err(|error| Error::io(path, error))?;
        let place = |name: Option<&OsStr>| {
            let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            location(&name).ok_or_else(|| Error::parse(path, "a link to SEGMENT:BUS:DEVICE.FUNCTION", &name))
        };
        let own = place(target.file_name())?;
        let above = target.parent().and_then(Path::file_name);
        let parent = if above.is_some_and(|name| !name.to_string_lossy().starts_with("pci")) {
            place(above)?
        } else {
            ["*"; 4].map(str::to_owned)
        };
        let at = labels(["segment", "bus", "device", "function"], &own);
        let mut facts = at.to_vec();
        facts.extend(labels(["parent_segment", "parent_bus", "parent_device", "parent_function"], &parent));
        let mut ids = Vec::with_capacity(IDENTITY.len());
        for (file, digits, _) in IDENTITY {
            let path = path.join(file);
            let line = self.files.line(&path)?;
            let number = text::based(&line).and_then(|number| u32::try_from(number).ok());
            let number = number.ok_or_else(|| Error::parse(&path, "a hexadecimal number", &line))?;
            ids.push(format!("0x{number:0digits$x}"));
        }
        facts.extend(IDENTITY.iter().zip(&ids).map(|((_, _, label), id)| (*label, id.as_str())));
        let names = self.names.as_ref().map(|names| names.of(&ids));
        if let Some(names) = &names {
            const LABELS: [&str; 5] =
                ["vendor_name", "device_name", "subsystem_vendor_name", "subsystem_device_name", "class_name"];
            facts.extend(LABELS.into_iter().zip(names).map(|(label, name)| (label, name.as_str())));
        }
        out.point(&FACTS, &facts, 1_u64);
        for (file, family) in &SPEEDS {
            let speed = self.optional(host, path, file, |line| {
                let (number, unit) = line.split_once(' ')?;
                (unit == "GT/s PCIe").then(|| text::float(number))?
            });
            out.point(family, &at, speed.map_or(-1.0, |speed| speed * 1e9));
        }
        for (file, family) in &WIDTHS {
            out.point(family, &at, self.optional(host, path, file, text::signed).unwrap_or(-1));
        }
        for (file, is_switch, family) in &COUNTS {
            let value = self.optional(host, path, file, text::unsigned).unwrap_or_default();
            out.point(family, &at, if *is_switch { u64::from(value != 0) } else { value });
        }
        if let Some(state) = self.optional(host, path, "power_state", |line| Some(line.to_owned())) {
            for known in POWER_STATES {
                let mut labels = at.to_vec();
                labels.push(("state", known));
                out.point(&POWER, &labels, u64::from(known == state));
            }
        }
        if let Some(node) = self.optional(host, path, "numa_node", text::signed).filter(|node| *node != -1) {
            out.point(&NODE, &at, Number::from(node));
        }
        Ok(())
    }

    /// What a file has, if it is there, is not empty and is not `Unknown`.
    fn optional<T>(
        &mut self,
        host: &mut Host,
        folder: &Path,
        file: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let path = folder.join(file);
        match self.files.line(&path) {
            Ok(line) if line.is_empty() || line.starts_with("Unknown") => None,
            Ok(line) => {
                let value = parse(&line);
                if value.is_none() {
                    host.note(Error::parse(&path, "a number", &line));
                }
                value
            }
            Err(error) => {
                if !error.is_not_found() {
                    host.note(error);
                }
                None
            }
        }
    }
}

fn labels<'a, const N: usize>(names: [&'static str; N], values: &'a [String; N]) -> [(&'static str, &'a str); N] {
    std::array::from_fn(|i| {
        (names.get(i).copied().unwrap_or_default(), values.get(i).map(String::as_str).unwrap_or_default())
    })
}

/// The four parts of `0000:01:00.0`, written alike whatever zeros they had.
fn location(name: &str) -> Option<[String; 4]> {
    let (segment, rest) = name.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let [segment, bus, device, function] = [segment, bus, device, function].map(text::hex);
    Some([
        format!("{:04x}", segment?),
        format!("{:02x}", bus?),
        format!("{:02x}", device?),
        format!("{:x}", function?),
    ])
}

/// Names from `pci.ids`, by identifiers in a row: `8086`, `8086 1521`, `8086 1521 8086 00a3`, `C 01`, `C 01 08`.
#[derive(Debug, Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn parse(text: &str) -> Self {
        let mut all = HashMap::new();
        let mut above = [String::new(), String::new()];
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let depth = line.len() - line.trim_start_matches('\t').len();
            let Some((id, name)) = line.trim_start_matches('\t').split_once("  ") else { continue };
            let key = match depth {
                0 => id.trim().to_owned(),
                1 => format!("{} {}", above[0], id.trim()),
                2 => format!("{} {}", above[1], id.trim()),
                _ => continue,
            };
            if let Some(slot) = above.get_mut(depth) {
                slot.clone_from(&key);
            }
            all.insert(key, name.trim().to_owned());
        }
        Self(all)
    }

    /// Of vendor, device, vendor and device of the subsystem, and class; the identifier if there is no name.
    fn of(&self, ids: &[String]) -> [String; 5] {
        let bare = |i: usize| ids.get(i).and_then(|id| id.strip_prefix("0x")).unwrap_or_default();
        let [class, vendor, device, sub_vendor, sub_device] = [bare(0), bare(1), bare(2), bare(3), bare(4)];
        let name = |key: String| self.0.get(&key).cloned();
        let part = |from: usize| class.get(from..from + 2).unwrap_or_default();
        let (base, sub, interface) = (part(0), part(2), part(4));
        [
            name(vendor.to_owned()).unwrap_or_else(|| vendor.to_owned()),
            name(format!("{vendor} {device}")).unwrap_or_else(|| device.to_owned()),
            name(sub_vendor.to_owned()).unwrap_or_else(|| sub_vendor.to_owned()),
            name(format!("{vendor} {device} {sub_vendor} {sub_device}")).unwrap_or_else(|| sub_device.to_owned()),
            name(format!("C {base} {sub} {interface}"))
                .or_else(|| name(format!("C {base} {sub}")))
                .or_else(|| name(format!("C {base}")))
                .unwrap_or_else(|| format!("Unknown class ({class})")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        assert_eq!(location("0000:01:00.0"), Some(["0000", "01", "00", "0"].map(str::to_owned)));
        assert_eq!([location("pci0000:00"), location("0000:01:00"), location("x:y:z.0")], [None, None, None]);
    }

    #[test]
    fn names_of_all_depths() {
        let ids = "# comment\n\n8086  Intel\n\t1521  I350\n\t\t8086 00a3  I350-T4\nC 01  Mass storage\n\t08  NVM\n\t\t02  NVM Express\n";
        let names = Names::parse(ids);
        let ids = ["0x010802", "0x8086", "0x1521", "0x8086", "0x00a3", "0x01"].map(str::to_owned);
        assert_eq!(names.of(&ids), ["Intel", "I350", "Intel", "I350-T4", "NVM Express"]);
        let ids = ["0x020000", "0x1234", "0x5678", "0x1234", "0x0001", "0x01"].map(str::to_owned);
        assert_eq!(names.of(&ids), ["1234", "5678", "1234", "0001", "Unknown class (020000)"]);
    }
}
