//! The random pool, from `/proc/sys/kernel/random/entropy_avail` and `poolsize`, in bits.

use openmetrics::model::Descriptor;

use super::{NodeCollector, Spec};
use crate::families::gauge;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;

pub(super) static SPEC: Spec = Spec {
    name: "entropy",
    enabled: true,
    about: "fill and size of the random pool",
    flags: &[],
    build: |setup| {
        let file = |name: &str| KeptFile::single(setup.host.proc("sys/kernel/random").join(name));
        Ok(Box::new(Entropy { files: [file("entropy_avail"), file("poolsize")], bits: [None; 2] }))
    },
};

static FAMILIES: [Descriptor; 2] = [
    gauge("node_entropy_available_bits", "Entropy in the random pool, in bits."),
    gauge("node_entropy_pool_size_bits", "Size of the random pool, in bits."),
];

struct Entropy {
    files: [KeptFile; 2],
    /// In the order of `FAMILIES`.
    bits: [Option<u64>; 2],
}

impl NodeCollector for Entropy {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        for (file, bits) in self.files.iter_mut().zip(&mut self.bits) {
            *bits = file.unsigned().map_err(|error| host.note(error)).ok();
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for (family, bits) in FAMILIES.iter().zip(self.bits) {
            if let Some(bits) = bits {
                out.value(family, bits);
            }
        }
    }
}
