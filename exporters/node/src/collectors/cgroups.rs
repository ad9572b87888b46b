//! Controllers of cgroups, from `/proc/cgroups`:
//!
//! ```text
//! #subsys_name    hierarchy       num_cgroups     enabled
//! cpuset  5       47      1
//! ```

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "cgroups",
    enabled: false,
    about: "number of cgroups by controller",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static CGROUPS: Descriptor = gauge("node_cgroups_cgroups", "Groups that the controller has.");
static ENABLED: Descriptor = gauge("node_cgroups_enabled", "Whether the controller is on.");

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("cgroups");
    for line in host.text(&path)?.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, groups, enabled)) = parse(line) else {
            host.note(Error::parse(&path, "a controller and three numbers", line));
            continue;
        };
        out.point(&CGROUPS, &[("subsys_name", name)], groups);
        out.point(&ENABLED, &[("subsys_name", name)], enabled);
    }
    Ok(())
}

fn parse(line: &str) -> Option<(&str, i64, i64)> {
    let [name, hierarchy, groups, enabled] = text::first_words(line)?;
    text::signed(hierarchy)?;
    Some((name, text::signed(groups)?, text::signed(enabled)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller() {
        assert_eq!(parse("cpuset\t5\t47\t1"), Some(("cpuset", 47, 1)));
        assert_eq!(parse("cpuset\t5\t47"), None);
        assert_eq!(parse("cpuset\tx\t47\t1"), None);
    }
}
