//! What the machine is, from `/sys/class/dmi/id/`: a word in each file. It is read once; only root may read some.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::info;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};

pub(super) static SPEC: Spec = Spec {
    name: "dmi",
    enabled: true,
    about: "maker and model of machine, board and BIOS",
    flags: &[],
    build: |_| {
        let mut facts = None;
        Ok(Reader::boxed(move |host, out| read(host, &mut facts, out)))
    },
};

static MACHINE: Descriptor = info("node_dmi_info", "What the machine, its board and its BIOS say of themselves.");

/// Files, which are labels of the same name but for the last.
const FILES: [(&str, &str); 20] = [
    ("bios_date", "bios_date"),
    ("bios_release", "bios_release"),
    ("bios_vendor", "bios_vendor"),
    ("bios_version", "bios_version"),
    ("board_asset_tag", "board_asset_tag"),
    ("board_name", "board_name"),
    ("board_serial", "board_serial"),
    ("board_vendor", "board_vendor"),
    ("board_version", "board_version"),
    ("chassis_asset_tag", "chassis_asset_tag"),
    ("chassis_serial", "chassis_serial"),
    ("chassis_vendor", "chassis_vendor"),
    ("chassis_version", "chassis_version"),
    ("product_family", "product_family"),
    ("product_name", "product_name"),
    ("product_serial", "product_serial"),
    ("product_sku", "product_sku"),
    ("product_uuid", "product_uuid"),
    ("product_version", "product_version"),
    ("sys_vendor", "system_vendor"),
];

type Facts = Vec<(&'static str, String)>;

fn read(host: &mut Host, known: &mut Option<Facts>, out: &mut Gathered) -> Result<(), Error> {
    let facts = known.get_or_insert_with(|| {
        let folder = host.sys("class/dmi/id");
        let file = |(file, label): &(&str, &'static str)| Some((*label, host.line(&folder.join(file)).ok()?));
        FILES.iter().filter_map(file).collect()
    });
    if facts.is_empty() {
        return Err(Error::no_data("the machine says nothing of itself"));
    }
    let labels: Vec<(&str, &str)> = facts.iter().map(|(label, fact)| (*label, fact.as_str())).collect();
    out.point(&MACHINE, &labels, 1_u64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn facts_that_are_there() {
        let tree = Tree::new("dmi", &[("sys/class/dmi/id/sys_vendor", "Dell Inc.\n"), ("sys/class/dmi/id/uevent", "x")]);
        let (told, _) = tree.read(|host, out| read(host, &mut None, out));
        assert_eq!(told, [r#"node_dmi{system_vendor="Dell Inc."} 1"#]);
    }
}
