//! Pressure stall information, from `/proc/pressure/{cpu,io,memory,irq}`:
//!
//! ```text
//! some avg10=0.00 avg60=0.00 avg300=0.00 total=14036781
//! full avg10=0.00 avg60=0.00 avg300=0.00 total=0
//! ```

use openmetrics::model::Descriptor;
use rustix::io::Errno;

use super::{NodeCollector, Setup, Spec};
use crate::families::counter;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "pressure",
    enabled: true,
    about: "time lost waiting for CPU, memory and IO (PSI)",
    flags: &[],
    build: |setup| Ok(Box::new(Pressure::new(setup))),
};

/// A resource, and what its two lines are called; a line without a family is not told.
struct Resource {
    name: &'static str,
    some: Option<Descriptor>,
    full: Option<Descriptor>,
}

static RESOURCES: [Resource; 4] = [
    Resource {
        name: "cpu",
        some: Some(counter(
            "node_pressure_cpu_waiting_seconds_total",
            "Time in which at least one task waited for a CPU.",
        )),
        full: None,
    },
    Resource {
        name: "io",
        some: Some(counter(
            "node_pressure_io_waiting_seconds_total",
            "Time in which at least one task waited for IO.",
        )),
        full: Some(counter(
            "node_pressure_io_stalled_seconds_total",
            "Time in which all tasks that were not idle waited for IO.",
        )),
    },
    Resource {
        name: "memory",
        some: Some(counter(
            "node_pressure_memory_waiting_seconds_total",
            "Time in which at least one task waited for memory.",
        )),
        full: Some(counter(
            "node_pressure_memory_stalled_seconds_total",
            "Time in which all tasks that were not idle waited for memory.",
        )),
    },
    Resource {
        name: "irq",
        some: None,
        full: Some(counter(
            "node_pressure_irq_stalled_seconds_total",
            "Time in which all tasks that were not idle waited for interrupts to be handled.",
        )),
    },
];

struct Pressure {
    files: Vec<KeptFile>,
    /// In the order of `RESOURCES`.
    stalls: Vec<Stalls>,
}

/// Microseconds in which some tasks, or all of them, were stalled.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Stalls {
    some: Option<u64>,
    full: Option<u64>,
}

impl Pressure {
    fn new(setup: &Setup<'_>) -> Self {
        let file = |r: &Resource| KeptFile::single(setup.host.proc("pressure").join(r.name));
        Self { files: RESOURCES.iter().map(file).collect(), stalls: Vec::new() }
    }
}

impl NodeCollector for Pressure {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.stalls.clear();
        self.stalls.resize(RESOURCES.len(), Stalls::default());
        let mut found = false;
        for ((resource, file), stalls) in RESOURCES.iter().zip(&mut self.files).zip(&mut self.stalls) {
            let path = file.path().to_owned();
            match file.text() {
                Ok(text) => match parse(text) {
                    Ok(read) => {
                        let complete = (resource.some.is_none() || read.some.is_some())
                            && (resource.full.is_none() || read.full.is_some());
                        if !complete {
                            host.note(Error::failed(&path, "a line is missing"));
                        }
                        *stalls = read;
                        found = true;
                    }
                    Err(line) => host.note(Error::parse(&path, "avg10, avg60, avg300 and total", line)),
                },
                Err(error) if error.is_not_found() => {}
                Err(error) if error.is_errno(Errno::OPNOTSUPP) => {
                    return Err(Error::no_data("pressure accounting is off; boot with psi=1 to have it"));
                }
                Err(error) => host.note(error),
            }
        }
        if found {
            Ok(())
        } else {
            Err(Error::no_data("no pressure information; it takes Linux 4.20 with CONFIG_PSI"))
        }
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for (resource, stalls) in RESOURCES.iter().zip(&self.stalls) {
            for (family, micros) in [(&resource.some, stalls.some), (&resource.full, stalls.full)] {
                if let (Some(family), Some(micros)) = (family, micros) {
                    out.value(family, micros as f64 / 1000.0 / 1000.0);
                }
            }
        }
    }
}

/// The totals of both lines; an error is the line that could not be read.
fn parse(text: &str) -> Result<Stalls, &str> {
    let mut stalls = Stalls::default();
    for line in text.lines() {
        let total = || {
            let [_, _, _, _, total] = text::first_words(line)?;
            text::unsigned(total.strip_prefix("total=")?)
        };
        match text::words(line).next() {
            Some("some") => stalls.some = Some(total().ok_or(line)?),
            Some("full") => stalls.full = Some(total().ok_or(line)?),
            _ => {}
        }
    }
    Ok(stalls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_or_one() {
        let text = "some avg10=0.00 avg60=0.00 avg300=0.00 total=14036781\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(parse(text), Ok(Stalls { some: Some(14_036_781), full: Some(7) }));
        assert_eq!(
            parse("full avg10=0.00 avg60=0.00 avg300=0.00 total=7"),
            Ok(Stalls { some: None, full: Some(7) })
        );
        assert_eq!(parse("other a b c\n"), Ok(Stalls::default()));
        assert_eq!(parse("some avg10=0.00 avg60"), Err("some avg10=0.00 avg60"));
    }
}
