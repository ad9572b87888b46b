//! Energy that packages and their parts used, from `/sys/class/powercap/ZONE/{name,energy_uj}`, in millionths of a joule.
//! Only root may read the counts.

use std::collections::HashMap;

use openmetrics::model::{Descriptor, MetricType};

use super::Spec;
use crate::families::{counter, sanitize};
use crate::flags::Flag;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

const ZONE_LABEL: Flag = Flag::switch(
    "collector.rapl.enable-zone-label",
    false,
    "One family for all zones, the zone being a label",
);

pub(super) static SPEC: Spec = Spec {
    name: "rapl",
    enabled: true,
    about: "energy used by CPUs and memory",
    flags: &[ZONE_LABEL],
    build: |setup| {
        let mut rapl = Rapl { with_label: setup.options.switch(&ZONE_LABEL), files: KeptFiles::default() };
        Ok(Reader::boxed(move |host, out| rapl.read(host, out)))
    },
};

static JOULES: Descriptor = counter("node_rapl_joules_total", "Energy used, by zone.");

struct Rapl {
    with_label: bool,
    files: KeptFiles,
}

impl Rapl {
    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        self.files.begin();
        let all = host.sys("class/powercap");
        let names = host.list(&all).map_err(|error| error.or_no_data("the CPUs do not tell what they use"))?;
        let mut used: HashMap<String, i64> = HashMap::new();
        for zone in names {
            let folder = all.join(&zone);
            // What has no name is no zone.
            let Ok(name) = self.files.line(&folder.join("name")) else { continue };
            let (index, name) = index_and_name(&name, &used);
            used.insert(name.clone(), index.wrapping_add(1));
            let energy = match self.files.unsigned(&folder.join("energy_uj")) {
                Ok(energy) => energy,
                Err(error) if error.is_denied() => {
                    return Err(Error::no_data("only root may read what the CPUs use"));
                }
                Err(error) => {
                    host.note(error);
                    continue;
                }
            };
            let joules = energy as f64 / 1_000_000.0;
            let (index, path) = (index.to_string(), folder.to_string_lossy().into_owned());
            if self.with_label {
                out.point(&JOULES, &[("index", &index), ("path", &path), ("rapl_zone", &name)], joules);
            } else {
                let family = format!("node_rapl_{}_joules_total", sanitize(&name));
                let help = || format!("Energy used by {name}.");
                out.named(&family, MetricType::Counter, help, &[("index", &index), ("path", &path)], joules);
            }
        }
        Ok(())
    }
}

/// `package-0` is number 0 of the packages; names without a number are counted.
fn index_and_name(name: &str, used: &HashMap<String, i64>) -> (i64, String) {
    match name.split_once('-').map(|(name, index)| (name, text::signed(index))) {
        Some((name, Some(index))) => (index, name.to_owned()),
        _ => (used.get(name).copied().unwrap_or_default(), name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_numbered() {
        let used = HashMap::from([("dram".to_owned(), 1)]);
        assert_eq!(index_and_name("package-10", &used), (10, "package".into()));
        assert_eq!(index_and_name("dram", &used), (1, "dram".into()));
        assert_eq!(index_and_name("core", &used), (0, "core".into()));
        assert_eq!(index_and_name("a-b-1", &used), (0, "a-b-1".into()));
    }
}
