//! Open files, from `/proc/sys/fs/file-nr`: allocated, always zero, and the most there may be.
//!
//! ```text
//! 1024    0    1631329
//! ```

use openmetrics::model::{Descriptor, Number};

use super::{NodeCollector, Setup, Spec};
use crate::families::gauge;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "filefd",
    enabled: true,
    about: "open files and their limit",
    flags: &[],
    build: |setup| Ok(Box::new(Filefd::new(setup))),
};

static ALLOCATED: Descriptor = gauge("node_filefd_allocated", "File handles that are open.");
static MAXIMUM: Descriptor = gauge("node_filefd_maximum", "File handles that may be open.");

struct Filefd {
    file: KeptFile,
    found: Option<(Number, Number)>,
}

impl Filefd {
    fn new(setup: &Setup<'_>) -> Self {
        Self { file: KeptFile::single(setup.host.proc("sys/fs/file-nr")), found: None }
    }
}

impl NodeCollector for Filefd {
    fn update(&mut self, _: &mut Host) -> Result<(), Error> {
        self.found = None;
        let found = parse(self.file.text()?);
        self.found =
            Some(found.ok_or_else(|| Error::failed(self.file.path(), "expected three numbers with tabs between"))?);
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        if let Some((allocated, maximum)) = self.found {
            out.value(&ALLOCATED, allocated);
            out.value(&MAXIMUM, maximum);
        }
    }
}

fn parse(text: &str) -> Option<(Number, Number)> {
    let mut parts = text.trim().split('\t');
    let allocated = text::number(parts.next()?)?;
    let maximum = text::number(parts.nth(1)?)?;
    Some((allocated, maximum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers() {
        assert_eq!(parse("1024\t0\t1631329\n"), Some((1024_u64.into(), 1_631_329_u64.into())));
        assert_eq!(parse("1024\t0"), None);
        assert_eq!(parse("1024 0 7"), None);
    }
}
