//! Virtual memory events, from `/proc/vmstat`:
//!
//! ```text
//! pgfault 2320168809
//! oom_kill 0
//! ```

use openmetrics::model::MetricType;

use super::{NodeCollector, Setup, Spec};
use crate::families::{self, Singles};
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
    values: Singles,
}

impl Vmstat {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self {
            file: KeptFile::new(setup.host.proc("vmstat")),
            filter: Filter::including(setup.options, &FIELDS)?,
            values: Singles::default(),
        })
    }
}

impl NodeCollector for Vmstat {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.values.begin();
        let path = self.file.path().to_owned();
        for line in self.file.text()?.lines() {
            let Some([name, value]) = text::first_words(line) else {
                host.note(Error::parse(&path, "a name and a number", line));
                continue;
            };
            if !self.filter.keeps(name) {
                continue;
            }
            let Some(value) = text::number(value) else {
                host.note(Error::parse(&path, "a number", line));
                continue;
            };
            let place = self.values.place(name, |name| {
                let help = format!("Field {name} of /proc/vmstat.");
                families::named(&format!("node_vmstat_{name}"), MetricType::Unknown, help)
            });
            self.values.set(place, value);
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        self.values.emit(out);
    }
}
