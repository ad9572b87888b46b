//! Virtual memory events, from `/proc/vmstat`:
//!
//! ```text
//! pgfault 2320168809
//! oom_kill 0
//! ```

use std::collections::HashMap;

use openmetrics::model::{Descriptor, MetricType, Number};

use super::{NodeCollector, Setup, Spec};
use crate::families;
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
    families: HashMap<String, Option<Descriptor>>,
    values: Vec<(String, Number)>,
}

impl Vmstat {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self {
            file: KeptFile::new(setup.host.proc("vmstat")),
            filter: Filter::including(setup.options, &FIELDS)?,
            families: HashMap::new(),
            values: Vec::new(),
        })
    }
}

impl NodeCollector for Vmstat {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.values.clear();
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
            if !self.families.contains_key(name) {
                let help = format!("Field {name} of /proc/vmstat.");
                let family = families::named(&format!("node_vmstat_{name}"), MetricType::Unknown, help);
                self.families.insert(name.to_owned(), family);
            }
            self.values.push((name.to_owned(), value));
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for (name, value) in &self.values {
            if let Some(Some(family)) = self.families.get(name) {
                out.value(family, *value);
            }
        }
    }
}
