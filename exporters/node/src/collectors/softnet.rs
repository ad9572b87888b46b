//! How each CPU keeps up with packets, from `/proc/net/softnet_stat`, one line a CPU, in hexadecimal:
//!
//! ```text
//! 00049279 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
//! ```
//!
//! of which count the columns 0 to 2 and 8 to 12. Kernels before 5.14 have eleven columns or fewer; there the line is
//! the CPU.

use openmetrics::model::{Descriptor, Labels};

use super::{NodeCollector, Setup, Spec};
use crate::families::{counter, gauge};
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "softnet",
    enabled: true,
    about: "packets processed, dropped and delayed by CPU",
    flags: &[],
    build: |setup| Ok(Box::new(Softnet::new(setup))),
};

/// Families and their columns.
static FAMILIES: [(usize, Descriptor); 7] = [
    (0, counter("node_softnet_processed_total", "Packets processed.")),
    (1, counter("node_softnet_dropped_total", "Packets dropped because the queue was full.")),
    (2, counter("node_softnet_times_squeezed_total", "How often packets were left over when the budget was used up.")),
    (8, counter("node_softnet_cpu_collision_total", "How often a device's lock was taken when it was to send.")),
    (9, counter("node_softnet_received_rps_total", "How often the CPU was woken by another to process packets.")),
    (10, counter("node_softnet_flow_limit_count_total", "How often the limit of a flow was reached.")),
    (BACKLOG, gauge("node_softnet_backlog_len", "Packets that wait to be processed.")),
];
const BACKLOG: usize = 11;
const CPU: usize = 12;
const FEWEST_COLUMNS: usize = 9;

struct Softnet {
    file: KeptFile,
    cpus: Vec<Row>,
}

/// The columns of a line; those it does not have are zero.
#[derive(Debug, PartialEq)]
struct Row {
    cpu: String,
    columns: [u32; 13],
}

impl Softnet {
    fn new(setup: &Setup<'_>) -> Self {
        Self { file: KeptFile::of_records(setup.host.proc("net/softnet_stat"), 256), cpus: Vec::new() }
    }
}

impl NodeCollector for Softnet {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.cpus.clear();
        let path = self.file.path().to_owned();
        for (number, line) in self.file.text()?.lines().enumerate() {
            match parse(number, line) {
                Some(row) => self.cpus.push(row),
                None => host.note(Error::parse(&path, "at least nine hexadecimal numbers", line)),
            }
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for (column, family) in &FAMILIES {
            let mut family = out.family(family);
            for Row { cpu, columns } in &self.cpus {
                let value = columns.get(*column).copied().unwrap_or_default();
                family.point(Labels::new(&[("cpu", cpu)]), value);
            }
        }
    }
}

fn parse(number: usize, line: &str) -> Option<Row> {
    let width = text::words(line).count();
    let mut columns = [0; 13];
    for (column, word) in columns.iter_mut().zip(text::words(line)) {
        *column = u32::try_from(text::hex(word)?).ok()?;
    }
    let cpu = match columns.get_mut(BACKLOG..) {
        Some([_, cpu]) if width > CPU => cpu.to_string(),
        Some([backlog, _]) => {
            *backlog = 0; // a twelfth column alone was something else
            number.to_string()
        }
        _ => return None,
    };
    (width >= FEWEST_COLUMNS).then_some(Row { cpu, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_kernels() {
        let row = parse(3, "1 2 3 0 0 0 0 0 4 5 6 7 a").unwrap();
        assert_eq!((row.cpu.as_str(), row.columns[0], row.columns[10], row.columns[11]), ("10", 1, 6, 7));
        let row = parse(3, "00049279 0 1 0 0 0 0 0 ff").unwrap();
        assert_eq!((row.cpu.as_str(), row.columns[8], row.columns[9]), ("3", 255, 0));
        assert_eq!(parse(0, "1 2 3"), None);
        assert_eq!(parse(0, "1 2 3 0 0 0 0 0 x"), None);
        assert_eq!(parse(0, "100000000 2 3 0 0 0 0 0 1"), None);
    }
}
