//! How long tasks ran and waited, from `/proc/schedstat`:
//!
//! ```text
//! cpu0 498494191 0 3533438552 2553969831 3853684107 2465731542 2045936778163039 343796328169361 4767485306
//! ```
//!
//! of which the last three count: nanoseconds of running and of waiting, and time slices.

use openmetrics::model::{Descriptor, Labels};

use super::{NodeCollector, Setup, Spec};
use crate::families::counter;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "schedstat",
    enabled: true,
    about: "how long tasks ran and waited, by CPU",
    flags: &[],
    build: |setup| Ok(Box::new(Schedstat::new(setup))),
};

static RUNNING: Descriptor = counter("node_schedstat_running_seconds_total", "Time that tasks ran.");
static WAITING: Descriptor = counter("node_schedstat_waiting_seconds_total", "Time that tasks waited for the CPU.");
static TIMESLICES: Descriptor = counter("node_schedstat_timeslices_total", "Time slices that tasks got.");

struct Schedstat {
    file: KeptFile,
    cpus: Vec<Row>,
}

#[derive(Debug, PartialEq)]
struct Row {
    cpu: String,
    running: u64,
    waiting: u64,
    timeslices: u64,
}

impl Schedstat {
    fn new(setup: &Setup<'_>) -> Self {
        Self { file: KeptFile::new(setup.host.proc("schedstat")), cpus: Vec::new() }
    }
}

impl NodeCollector for Schedstat {
    fn update(&mut self, _: &mut Host) -> Result<(), Error> {
        self.cpus.clear();
        let text = self.file.text().map_err(|error| error.or_no_data("the kernel counts no scheduling"))?;
        self.cpus.extend(text.lines().filter_map(parse));
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        type Value = fn(&Row) -> f64;
        let families: [(_, Value); 3] = [
            (&RUNNING, |row| row.running as f64 / 1e9),
            (&WAITING, |row| row.waiting as f64 / 1e9),
            (&TIMESLICES, |row| row.timeslices as f64),
        ];
        for (family, value) in families {
            let mut family = out.family(family);
            for row in &self.cpus {
                family.point(Labels::new(&[("cpu", &row.cpu)]), value(row));
            }
        }
    }
}

/// Lines of CPUs; there are others, about domains.
fn parse(line: &str) -> Option<Row> {
    let [cpu, _, _, _, _, _, _, running, waiting, timeslices] = text::first_words(line)?;
    let cpu = cpu.strip_prefix("cpu").filter(|number| text::unsigned(number).is_some())?;
    Some(Row {
        cpu: cpu.to_owned(),
        running: text::unsigned(running)?,
        waiting: text::unsigned(waiting)?,
        timeslices: text::unsigned(timeslices)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cpus() {
        let row = parse("cpu12 1 2 3 4 5 6 7 8 9").unwrap();
        assert_eq!(row, Row { cpu: "12".into(), running: 7, waiting: 8, timeslices: 9 });
        assert_eq!(parse("domain0 00000003 1 2 3 4 5 6 7 8"), None);
        assert_eq!(parse("cpu12 1 2 3"), None);
    }
}
