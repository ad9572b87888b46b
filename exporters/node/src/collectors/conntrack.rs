//! Connection tracking, from `/proc/sys/net/netfilter/nf_conntrack_{count,max}` and `/proc/net/stat/nf_conntrack`,
//! which has a line for each CPU, in hexadecimal, under names:
//!
//! ```text
//! entries searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error expect_new expect_create expect_delete search_restart
//! 00000021 00000000 00000000 00000000 00000003 0000588a 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
//! ```

use openmetrics::model::Descriptor;

use super::{NodeCollector, Setup, Spec};
use crate::families::gauge;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "conntrack",
    enabled: true,
    about: "tracked connections, their limit, failures",
    flags: &[],
    build: |setup| Ok(Box::new(Conntrack::new(setup))),
};

static ENTRIES: Descriptor = gauge("node_nf_conntrack_entries", "Connections that are tracked.");
static LIMIT: Descriptor = gauge("node_nf_conntrack_entries_limit", "Connections that can be tracked.");
/// Families and their columns, which are summed up over CPUs.
static SUMS: [(usize, Descriptor); 8] = [
    (2, gauge("node_nf_conntrack_stat_found", "Look-ups that found a connection.")),
    (4, gauge("node_nf_conntrack_stat_invalid", "Packets that cannot be tracked.")),
    (5, gauge("node_nf_conntrack_stat_ignore", "Packets of connections that were known already.")),
    (8, gauge("node_nf_conntrack_stat_insert", "Connections added.")),
    (9, gauge("node_nf_conntrack_stat_insert_failed", "Connections that could not be added.")),
    (10, gauge("node_nf_conntrack_stat_drop", "Packets dropped because they could not be tracked.")),
    (11, gauge("node_nf_conntrack_stat_early_drop", "Connections dropped to make room for others.")),
    (16, gauge("node_nf_conntrack_stat_search_restart", "Look-ups begun anew because the table was resized.")),
];
/// The last column came with Linux 2.6.35.
const COLUMNS: usize = 17;

struct Conntrack {
    count: KeptFile,
    max: KeptFile,
    file: KeptFile,
    entries: Option<u64>,
    limit: Option<u64>,
    sums: Option<[u64; COLUMNS]>,
}

impl Conntrack {
    fn new(setup: &Setup<'_>) -> Self {
        let file = |path: &str| KeptFile::single(setup.host.proc(path));
        Self {
            count: file("sys/net/netfilter/nf_conntrack_count"),
            max: file("sys/net/netfilter/nf_conntrack_max"),
            file: KeptFile::of_records(setup.host.proc("net/stat/nf_conntrack"), 256),
            entries: None,
            limit: None,
            sums: None,
        }
    }
}

impl NodeCollector for Conntrack {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        (self.entries, self.limit, self.sums) = (None, None, None);
        let absent = |error: Error| error.or_no_data("connection tracking is not loaded");
        for (file, found) in [(&mut self.count, &mut self.entries), (&mut self.max, &mut self.limit)] {
            match file.unsigned() {
                Ok(number) => *found = Some(number),
                Err(error) if error.is_not_found() => return Err(absent(error)),
                Err(error) => host.note(error),
            }
        }
        let path = self.file.path().to_owned();
        let text = self.file.text().map_err(absent)?;
        let mut sums = [0_u64; COLUMNS];
        for line in text.lines().skip(1) {
            match parse(line) {
                Some(columns) => {
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = sum.wrapping_add(column);
                    }
                }
                None => host.note(Error::parse(&path, "16 or 17 hexadecimal numbers", line)),
            }
        }
        self.sums = Some(sums);
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        if let Some(entries) = self.entries {
            out.value(&ENTRIES, entries);
        }
        if let Some(limit) = self.limit {
            out.value(&LIMIT, limit);
        }
        let Some(sums) = &self.sums else { return };
        for (column, family) in &SUMS {
            out.value(family, sums.get(*column).copied().unwrap_or_default());
        }
    }
}

fn parse(line: &str) -> Option<[u64; COLUMNS]> {
    let width = text::words(line).count();
    let mut columns = [0; COLUMNS];
    for (column, word) in columns.iter_mut().zip(text::words(line)) {
        *column = text::hex(word)?;
    }
    (COLUMNS - 1..=COLUMNS).contains(&width).then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_the_last_column() {
        let columns = parse("21 0 0 0 3 588a 0 0 0 0 0 0 0 0 0 0 4").unwrap();
        assert_eq!((columns[4], columns[5], columns[16]), (3, 0x588a, 4));
        assert_eq!(parse("21 0 0 0 3 588a 0 0 0 0 0 0 0 0 0 0").unwrap()[16], 0);
        assert_eq!(parse("21 0 0"), None);
        assert_eq!(parse("21 0 0 0 3 588a 0 0 0 0 0 0 0 0 0 0 4 5"), None);
        assert_eq!(parse("x 0 0 0 3 588a 0 0 0 0 0 0 0 0 0 0"), None);
    }
}
