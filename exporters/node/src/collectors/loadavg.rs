//! Load averages, from `/proc/loadavg`:
//!
//! ```text
//! 0.21 0.37 0.39 1/719 19737
//! ```

use openmetrics::model::Descriptor;

use super::{NodeCollector, Setup, Spec};
use crate::families::gauge;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "loadavg",
    enabled: true,
    about: "load averages over 1, 5 and 15 minutes",
    flags: &[],
    build: |setup| Ok(Box::new(Loadavg::new(setup))),
};

static FAMILIES: [Descriptor; 3] = [
    gauge("node_load1", "Runnable and waiting tasks, averaged over a minute."),
    gauge("node_load5", "Runnable and waiting tasks, averaged over five minutes."),
    gauge("node_load15", "Runnable and waiting tasks, averaged over fifteen minutes."),
];

struct Loadavg {
    file: KeptFile,
    loads: Option<[f64; 3]>,
}

impl Loadavg {
    fn new(setup: &Setup<'_>) -> Self {
        Self { file: KeptFile::single(setup.host.proc("loadavg")), loads: None }
    }
}

impl NodeCollector for Loadavg {
    fn update(&mut self, _: &mut Host) -> Result<(), Error> {
        self.loads = None;
        let found = parse(self.file.text()?);
        self.loads = Some(found.ok_or_else(|| Error::failed(self.file.path(), "expected three numbers"))?);
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for (family, load) in FAMILIES.iter().zip(self.loads.iter().flatten()) {
            out.value(family, *load);
        }
    }
}

fn parse(text: &str) -> Option<[f64; 3]> {
    let [one, five, fifteen] = text::first_words(text)?;
    Some([text::float(one)?, text::float(five)?, text::float(fifteen)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_loads_or_none() {
        assert_eq!(parse("0.21 0.37 0.39 1/719 19737\n"), Some([0.21, 0.37, 0.39]));
        assert_eq!(parse("0.21 0.37"), None);
        assert_eq!(parse("0.21 x 0.39"), None);
    }
}
