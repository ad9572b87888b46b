//! Virtual memory events, from `/proc/vmstat`:
//!
//! ```text
//! pgfault 2320168809
//! oom_kill 0
//! ```

use openmetrics::model::MetricType;

use super::{NodeCollector, Setup, Spec};
use crate::families::{self, NamedLines, Singles};
use crate::flags::{Filter, Flag};
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

const FIELDS: Flag = Flag::text(
    "collector.vmstat.fields",
    "^(oom_kill|pgpg|pswp|pg.*fault).*",
    "Regular expression of the fields to tell",
);

pub(super) static SPEC: Spec = Spec {
    name: "vmstat",
    enabled: true,
    about: "page faults, paging, swapping, OOM kills",
    flags: &[FIELDS],
    build: |setup| Ok(Box::new(Vmstat::new(setup)?)),
};

struct Vmstat {
    file: KeptFile,
    filter: Filter,
    names: NamedLines,
    values: Singles,
}

impl Vmstat {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self {
            file: KeptFile::of_records(setup.host.proc("vmstat"), 128),
            filter: Filter::including(setup.options, &FIELDS)?,
            names: NamedLines::default(),
            values: Singles::default(),
        })
    }
}

/// Where the value of `name` goes, if it is told.
fn place(name: &str, filter: &mut Filter, values: &mut Singles) -> Option<usize> {
    filter.keeps(name).then(|| {
        values.place(name, |name| {
            let help = format!("Field {name} of /proc/vmstat.");
            families::named(&format!("node_vmstat_{name}"), MetricType::Unknown, help)
        })
    })
}

/// Reads the lines; hands on those that do not fit.
fn read<'t>(
    text: &'t str,
    names: &mut NamedLines,
    filter: &mut Filter,
    values: &mut Singles,
    mut bad: impl FnMut(&'t str),
) {
    values.begin();
    for (at, line) in text::lines(text).enumerate() {
        let known = names.split(at, line, values, |name, values| place(name, filter, values));
        let Some((place, value)) = known else {
            bad(line);
            continue;
        };
        let Some(place) = place else { continue };
        match text::words(value).next().and_then(text::number) {
            Some(value) => values.set(place, value),
            None => bad(line),
        }
    }
}

impl NodeCollector for Vmstat {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        let Self { file, filter, names, values } = self;
        values.begin(); // nothing is told of before if reading fails
        let path = file.path().to_owned();
        read(file.text()?, names, filter, values, |line| {
            host.note(Error::parse(&path, "a name and a number", line));
        });
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        self.values.emit(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Options;

    #[test]
    fn fields_are_told_wherever_they_stand() {
        let mut filter = Filter::including(&Options::default(), &FIELDS).unwrap();
        let (mut names, mut values) = (NamedLines::default(), Singles::default());
        for (text, expected, wrong) in [
            ("nr_free 1\npgfault 2\noom_kill 0\n", vec!["node_vmstat_pgfault 2", "node_vmstat_oom_kill 0"], vec![]),
            ("nr_free 1\npgfault 3\noom_kill 1\n", vec!["node_vmstat_pgfault 3", "node_vmstat_oom_kill 1"], vec![]),
            ("pgfault 4\nnr_free 1\noom_kill x\npgpgin", vec!["node_vmstat_pgfault 4"], vec!["oom_kill x", "pgpgin"]),
        ] {
            let mut bad = Vec::new();
            read(text, &mut names, &mut filter, &mut values, |line| bad.push(line));
            assert_eq!((values.told(), bad), (expected.into_iter().map(str::to_owned).collect(), wrong));
        }
    }
}
