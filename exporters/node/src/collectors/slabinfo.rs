//! Caches of kernel objects, from `/proc/slabinfo`, which only root may read:
//!
//! ```text
//! # name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables ...
//! tw_sock_TCP          704    864    256   32    2 : tunables    0    0    0 : slabdata     27     27      0
//! ```

use openmetrics::model::Descriptor;

use super::{Setup, Spec};
use crate::families::gauge;
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

const INCLUDE: Flag = Flag::text("collector.slabinfo.slabs-include", ".*", "Regular expression of caches to tell");
const EXCLUDE: Flag = Flag::text("collector.slabinfo.slabs-exclude", "", "Regular expression of caches to leave out");

pub(super) static SPEC: Spec = Spec {
    name: "slabinfo",
    enabled: false,
    about: "caches of kernel objects",
    flags: &[INCLUDE, EXCLUDE],
    build: |setup| {
        let mut filter = filter(setup)?;
        Ok(Reader::boxed(move |host, out| read(host, &mut filter, out)))
    },
};

/// The columns after the name.
static COLUMNS: [Descriptor; 5] = [
    gauge("node_slabinfo_active_objects", "Objects in use."),
    gauge("node_slabinfo_objects", "Objects there is memory for."),
    gauge("node_slabinfo_object_size_bytes", "Size of an object."),
    gauge("node_slabinfo_objects_per_slab", "Objects in a slab."),
    gauge("node_slabinfo_pages_per_slab", "Pages of a slab."),
];

fn filter(setup: &Setup<'_>) -> Result<Filter, String> {
    Ok(Filter::from_patterns(setup.options.regex(&EXCLUDE)?, setup.options.regex(&INCLUDE)?))
}

fn read(host: &mut Host, filter: &mut Filter, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("slabinfo");
    let text = host.text(&path)?;
    for line in text.lines().filter(|line| !line.starts_with("slabinfo - version") && !line.starts_with('#')) {
        let Some((name, values)) = parse(line) else {
            host.note(Error::parse(&path, "a cache of kernel objects", line));
            continue;
        };
        if filter.keeps(name) {
            for (family, value) in COLUMNS.iter().zip(values) {
                out.point(family, &[("slab", name)], value);
            }
        }
    }
    Ok(())
}

fn parse(line: &str) -> Option<(&str, [i64; 5])> {
    let words: Vec<&str> = text::words(line).collect();
    let (name, numbers) = words.split_first()?;
    let mut values = [0; 5];
    for (value, word) in values.iter_mut().zip(numbers) {
        *value = text::signed(word)?;
    }
    (words.len() == 16).then_some((*name, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache() {
        let line = "tw_sock_TCP 704 864 256 32 2 : tunables 0 0 0 : slabdata 27 27 0";
        assert_eq!(parse(line), Some(("tw_sock_TCP", [704, 864, 256, 32, 2])));
        assert_eq!(parse("tw_sock_TCP 704 864 256 32 2 :"), None);
        assert_eq!(parse("tw_sock_TCP x 864 256 32 2 : tunables 0 0 0 : slabdata 27 27 0"), None);
    }
}
