//! Tape drives, from `/sys/class/scsi_tape/stN/stats/`, a number in each file.

use openmetrics::model::Descriptor;

use super::{Setup, Spec};
use crate::families::{counter, gauge};
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};

const IGNORED: Flag =
    Flag::text("collector.tapestats.ignored-devices", "^$", "Regular expression of tape drives to leave out");

pub(super) static SPEC: Spec = Spec {
    name: "tapestats",
    enabled: true,
    about: "tape drives: reads, writes, time",
    flags: &[IGNORED],
    build: |setup| {
        let mut tapes = Tapes::new(setup)?;
        Ok(Reader::boxed(move |host, out| tapes.read(host, out)))
    },
};

/// Files, whether they count nanoseconds, and their families.
static FILES: [(&str, bool, Descriptor); 10] = [
    ("in_flight", false, gauge("node_tape_io_now", "Requests that are under way.")),
    ("io_ns", true, counter("node_tape_io_time_seconds_total", "Time spent on requests of all kinds.")),
    ("other_cnt", false, counter("node_tape_io_others_total", "Requests that neither read nor write.")),
    ("read_byte_cnt", false, counter("node_tape_read_bytes_total", "Bytes read.")),
    ("read_cnt", false, counter("node_tape_reads_completed_total", "Reads.")),
    ("read_ns", true, counter("node_tape_read_time_seconds_total", "Time spent on reads.")),
    ("resid_cnt", false, counter("node_tape_residual_total", "Reads and writes that moved less than was asked for.")),
    ("write_byte_cnt", false, counter("node_tape_written_bytes_total", "Bytes written.")),
    ("write_cnt", false, counter("node_tape_writes_completed_total", "Writes.")),
    ("write_ns", true, counter("node_tape_write_time_seconds_total", "Time spent on writes.")),
];

struct Tapes {
    filter: Filter,
    files: KeptFiles,
}

impl Tapes {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self { filter: Filter::excluding(setup.options, &IGNORED)?, files: KeptFiles::default() })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        self.files.begin();
        let all = host.sys("class/scsi_tape");
        let names = host.list(&all).map_err(|error| error.or_no_data("there are no tape drives"))?;
        for name in names {
            // The same drive is there under other names too, such as `st0a` and `nst0`.
            let is_drive = name
                .strip_prefix("st")
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
            if !is_drive || !self.filter.keeps(&name) {
                continue;
            }
            let labels = [("device", name.as_str())];
            for (file, is_nanos, family) in &FILES {
                match self.files.unsigned(&all.join(&name).join("stats").join(file)) {
                    Ok(nanos) if *is_nanos => out.point(family, &labels, nanos as f64 * 0.000_000_001),
                    Ok(value) => out.point(family, &labels, value),
                    Err(error) if error.is_not_found() => out.point(family, &labels, 0_u64),
                    Err(error) => host.note(error),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn one_name_of_a_drive() {
        let tree = Tree::new("tapestats", &[
            ("sys/class/scsi_tape/st0/stats/read_ns", "2000000000\n"),
            ("sys/class/scsi_tape/st0/stats/read_cnt", "x\n"),
            ("sys/class/scsi_tape/st0a/stats/read_ns", "1\n"),
            ("sys/class/scsi_tape/nst0/stats/read_ns", "1\n"),
        ]);
        let mut tapes = Tapes { filter: Filter::from_patterns(None, None), files: KeptFiles::default() };
        let (told, problems) = tree.read(|host, out| tapes.read(host, out));
        assert_eq!((told.len(), problems.len()), (9, 1), "{told:?}");
        assert!(told.contains(&r#"node_tape_read_time_seconds{device="st0"} 2"#.to_owned()), "{told:?}");
    }
}
