//! SELinux, from `/sys/fs/selinux/enforce` and `/etc/selinux/config`.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "selinux",
    enabled: true,
    about: "whether SELinux is on and enforces",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static ENABLED: Descriptor = gauge("node_selinux_enabled", "Whether SELinux is on.");
static CONFIGURED: Descriptor =
    gauge("node_selinux_config_mode", "What is configured: 1 enforces, 0 only warns, -1 is off.");
static CURRENT: Descriptor = gauge("node_selinux_current_mode", "What holds: 1 enforces, 0 only warns, -1 is off.");

const SELINUX_MAGIC: u32 = 0xf97c_ff8c;

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let folder = host.sys("fs/selinux");
    let mounted = host.has_folder(&folder)
        && rustix::fs::statfs(&folder).is_ok_and(|fs| fs.f_type as u32 == SELINUX_MAGIC);
    // Without a policy everything runs as the kernel does.
    let enabled = mounted && host.line(&host.proc("self/attr/current")).is_ok_and(|context| context != "kernel");
    out.point(&ENABLED, &[], enabled);
    if enabled {
        let config = host.text(&host.rootfs("etc/selinux/config")).unwrap_or_default();
        out.point(&CONFIGURED, &[], configured(&config));
        let current = host.line(&folder.join("enforce")).ok().and_then(|line| text::signed(&line));
        out.point(&CURRENT, &[], current.unwrap_or(-1));
    }
    Ok(())
}

/// The mode in lines such as `SELINUX=enforcing`.
fn configured(config: &str) -> i64 {
    let mode = config.lines().rev().find_map(|line| line.trim().strip_prefix("SELINUX="));
    match mode.map(|mode| mode.trim().trim_matches('"')) {
        Some("enforcing") => 1,
        Some("permissive") => 0,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn off_where_it_is_not_mounted() {
        let (told, problems) = Tree::new("selinux", &[("sys/fs/selinux/enforce", "1")]).read(read);
        assert_eq!((told, problems), (vec!["node_selinux_enabled 0".to_owned()], vec![]));
    }

    #[test]
    fn modes() {
        assert_eq!(configured("# SELINUX=permissive\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"), 1);
        assert_eq!(configured("SELINUX=permissive"), 0);
        assert_eq!(configured(""), -1);
    }
}
