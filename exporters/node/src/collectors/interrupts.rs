//! Interrupts by source and CPU, from `/proc/interrupts`:
//!
//! ```text
//!            CPU0       CPU1
//!   0:         18          0   IO-APIC-edge      timer
//! NMI:         47       5031   Non-maskable interrupts
//! ERR:          0
//! ```

use openmetrics::model::{Descriptor, Number};

use super::{Setup, Spec};
use crate::families::counter;
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

const INCLUDE: Flag = Flag::text(
    "collector.interrupts.name-include",
    "",
    "Regular expression of interrupts to tell, and no others, as NAME;INFO;DEVICES",
);
const EXCLUDE: Flag = Flag::text(
    "collector.interrupts.name-exclude",
    "",
    "Regular expression of interrupts to leave out, as NAME;INFO;DEVICES",
);
const ZEROS: Flag =
    Flag::switch("collector.interrupts.include-zeros", true, "Tell interrupts that never happened");

pub(super) static SPEC: Spec = Spec {
    name: "interrupts",
    enabled: false,
    about: "interrupts by source and CPU",
    flags: &[INCLUDE, EXCLUDE, ZEROS],
    build: |setup| {
        let mut reader = Interrupts::new(setup)?;
        Ok(Reader::boxed(move |host, out| reader.read(host, out)))
    },
};

static INTERRUPTS: Descriptor = counter("node_interrupts_total", "Interrupts since boot.");

struct Interrupts {
    filter: Filter,
    with_zeros: bool,
}

impl Interrupts {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let filter = Filter::new(setup.options, &EXCLUDE, &INCLUDE)?;
        Ok(Self { filter, with_zeros: setup.options.switch(&ZEROS) })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        let path = host.proc("interrupts");
        let text = host.text(&path)?;
        let mut lines = text.lines();
        let header = lines.next().ok_or_else(|| Error::failed(&path, "is empty"))?;
        let cpus = text::words(header).count();
        for line in lines {
            // Counters of errors have one number and no name; they are no interrupts.
            let Some(row) = parse(line, cpus) else { continue };
            if !self.filter.keeps(&format!("{};{};{}", row.name, row.info, row.devices)) {
                continue;
            }
            for (cpu, value) in row.values.iter().enumerate() {
                let Some(value) = value else {
                    host.note(Error::parse(&path, "numbers", line));
                    continue;
                };
                if self.with_zeros || value.as_f64() != 0.0 {
                    let labels = [
                        ("cpu", cpu.to_string()),
                        ("type", row.name.to_owned()),
                        ("info", row.info.clone()),
                        ("devices", row.devices.clone()),
                    ];
                    let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (*n, v.as_str())).collect();
                    out.point(&INTERRUPTS, &labels, *value);
                }
            }
        }
        Ok(())
    }
}

struct Row<'t> {
    name: &'t str,
    info: String,
    devices: String,
    values: Vec<Option<Number>>,
}

/// A line with more than a number for each CPU. Numbered interrupts have a controller and devices, others a name.
fn parse(line: &str, cpus: usize) -> Option<Row<'_>> {
    let (name, rest) = line.split_once(':')?;
    let name = name.trim_start_matches(' ');
    let words: Vec<&str> = text::words(rest).collect();
    let (values, more) = words.split_at_checked(cpus)?;
    let (first, others) = more.split_first()?;
    let (info, devices) = match text::signed(name) {
        Some(_) => ((*first).to_owned(), others.join(" ")),
        None => (more.join(" "), String::new()),
    };
    Some(Row { name, info, devices, values: values.iter().map(|word| text::number(word)).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_and_named_interrupts() {
        let row = parse(" 40:     510968          0   PCI-MSI-edge      0000:00:1f.2 ahci", 2).unwrap();
        assert_eq!((row.name, row.info.as_str(), row.devices.as_str()), ("40", "PCI-MSI-edge", "0000:00:1f.2 ahci"));
        let row = parse("NMI:         47       5031   Non-maskable interrupts", 2).unwrap();
        assert_eq!((row.name, row.info.as_str(), row.devices.as_str()), ("NMI", "Non-maskable interrupts", ""));
        assert!(parse("ERR:          0", 2).is_none());
        assert!(parse("MIS:          0", 1).is_none());
        assert_eq!(parse("IPI0:1 x IPI", 2).unwrap().values, [Some(1_u64.into()), None]);
    }
}
