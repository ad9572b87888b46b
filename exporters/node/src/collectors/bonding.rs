//! Bonded interfaces, from `/sys/class/net/bonding_masters` and `MASTER/{bonding/slaves,lower_SLAVE/bonding_slave/mii_status}`.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "bonding",
    enabled: true,
    about: "bonded interfaces and their parts that are up",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static PARTS: Descriptor = gauge("node_bonding_slaves", "Interfaces that are bonded.");
static ACTIVE: Descriptor = gauge("node_bonding_active", "Interfaces that are bonded and up.");

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("class/net");
    let absent = |error: Error| error.or_no_data("no interfaces are bonded");
    let masters = files.line(&all.join("bonding_masters")).map_err(absent)?;
    for master in text::words(&masters) {
        let folder = all.join(master);
        let parts = match files.line(&folder.join("bonding/slaves")) {
            Ok(parts) => parts,
            Err(error) => {
                host.note(error);
                continue;
            }
        };
        let (mut count, mut active) = (0_u64, 0_u64);
        for part in text::words(&parts) {
            let state = files.line(&folder.join(format!("lower_{part}/bonding_slave/mii_status")));
            // Old kernels have another name for it.
            let state = match state {
                Err(error) if error.is_not_found() => {
                    files.line(&folder.join(format!("slave_{part}/bonding_slave/mii_status")))
                }
                state => state,
            };
            match state {
                Ok(state) => {
                    count += 1;
                    active += u64::from(state == "up");
                }
                Err(error) => host.note(error),
            }
        }
        out.point(&PARTS, &[("master", master)], count);
        out.point(&ACTIVE, &[("master", master)], active);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn bonds_and_their_parts() {
        let tree = Tree::new("bonding", &[
            ("sys/class/net/bonding_masters", "bond0 bond1\n"),
            ("sys/class/net/bond0/bonding/slaves", "eth0 eth1\n"),
            ("sys/class/net/bond0/lower_eth0/bonding_slave/mii_status", "up\n"),
            ("sys/class/net/bond0/slave_eth1/bonding_slave/mii_status", "down\n"),
        ]);
        let mut files = KeptFiles::default();
        let (told, problems) = tree.read(|host, out| read(host, &mut files, out));
        assert_eq!(told, [r#"node_bonding_slaves{master="bond0"} 2"#, r#"node_bonding_active{master="bond0"} 1"#]);
        assert_eq!(problems.len(), 1);
    }
}
