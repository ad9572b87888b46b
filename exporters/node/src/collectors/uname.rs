//! The kernel's and the host's names, from the system call `uname`.

use openmetrics::model::{Descriptor, Labels};

use super::{NodeCollector, Spec};
use crate::families::{INFO, info};
use crate::host::{Error, Host};
use crate::page::Page;

pub(super) static SPEC: Spec = Spec {
    name: "uname",
    enabled: true,
    about: "kernel release, machine and host name",
    flags: &[],
    build: |_| Ok(Box::new(Uname { facts: None })),
};

static UNAME: Descriptor = info("node_uname_info", "What uname(2) says of kernel, machine and host.");

const LABELS: [&str; 6] = ["sysname", "release", "version", "machine", "nodename", "domainname"];

struct Uname {
    facts: Option<[String; 6]>,
}

impl NodeCollector for Uname {
    fn update(&mut self, _: &mut Host) -> Result<(), Error> {
        let uname = rustix::system::uname();
        let facts = [
            uname.sysname(),
            uname.release(),
            uname.version(),
            uname.machine(),
            uname.nodename(),
            uname.domainname(),
        ];
        self.facts = Some(facts.map(|fact| fact.to_string_lossy().into_owned()));
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let Some(facts) = &self.facts else { return };
        let labels: [(&str, &str); 6] = std::array::from_fn(|i| {
            (LABELS.get(i).copied().unwrap_or_default(), facts.get(i).map_or("", String::as_str))
        });
        out.family(&UNAME).point(Labels::new(&labels), INFO);
    }
}
