//! Disks with many paths, from `/sys/block/dm-N/`: `dm/uuid`, which begins with `mpath-`, `dm/name`, `dm/suspended`,
//! `size`, and under `slaves/` the paths, whose state is in `/sys/block/PATH/device/state`.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};

pub(super) static SPEC: Spec = Spec {
    name: "dmmultipath",
    enabled: true,
    about: "disks with many paths, and how the paths are",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static FACTS: Descriptor = info("node_dmmultipath_device_info", "What is known of a disk with many paths.");
static ACTIVE: Descriptor = gauge("node_dmmultipath_device_active", "Whether the disk is not suspended.");
static SIZE: Descriptor = gauge("node_dmmultipath_device_size_bytes", "Size of the disk.");
static PATHS: Descriptor = gauge("node_dmmultipath_device_paths", "Paths to the disk.");
static PATHS_ACTIVE: Descriptor = gauge("node_dmmultipath_device_paths_active", "Paths that work.");
static PATHS_FAILED: Descriptor = gauge("node_dmmultipath_device_paths_failed", "Paths that do not work.");
static STATE: Descriptor = gauge("node_dmmultipath_path_state", "1 for the state that a path is in.");

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("block");
    let devices = host.list(&all).map_err(|error| error.or_no_data("there are no disks"))?;
    for device in devices.iter().filter(|name| name.starts_with("dm-")) {
        let folder = all.join(device);
        let uuid = match files.line(&folder.join("dm/uuid")) {
            Ok(uuid) => uuid,
            Err(error) => {
                if !error.is_not_found() {
                    host.note(error);
                }
                continue;
            }
        };
        if !uuid.starts_with("mpath-") {
            continue;
        }
        let known = files.line(&folder.join("dm/name")).and_then(|name| {
            let suspended = files.unsigned(&folder.join("dm/suspended"))?;
            Ok((name, suspended == 1, files.unsigned(&folder.join("size"))?))
        });
        let (name, suspended, sectors) = match known {
            Ok(known) => known,
            Err(error) => {
                host.note(error);
                continue;
            }
        };
        let labels = [("device", name.as_str()), ("sysfs_name", device.as_str())];
        out.point(&FACTS, &[labels[0], labels[1], ("uuid", &uuid)], 1_u64);
        out.point(&ACTIVE, &labels, u64::from(!suspended));
        out.point(&SIZE, &labels, sectors.wrapping_mul(512));
        let (mut active, mut failed) = (0_u64, 0_u64);
        for path in host.list(&folder.join("slaves")).unwrap_or_default() {
            match files.line(&all.join(&path).join("device/state")) {
                Ok(state) => {
                    let works = matches!(state.as_str(), "running" | "live");
                    *if works { &mut active } else { &mut failed } += 1;
                    out.point(&STATE, &[labels[0], ("path", &path), ("state", &state)], 1_u64);
                }
                Err(error) => host.note(error),
            }
        }
        out.point(&PATHS, &labels, active + failed);
        out.point(&PATHS_ACTIVE, &labels, active);
        out.point(&PATHS_FAILED, &labels, failed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn paths_are_counted() {
        let tree = Tree::new("dmmultipath", &[
            ("sys/block/dm-5/dm/uuid", "mpath-36\n"),
            ("sys/block/dm-5/dm/name", "mpathA\n"),
            ("sys/block/dm-5/dm/suspended", "0\n"),
            ("sys/block/dm-5/size", "4\n"),
            ("sys/block/dm-5/slaves/sda/x", ""),
            ("sys/block/dm-5/slaves/sdb/x", ""),
            ("sys/block/sda/device/state", "running\n"),
            ("sys/block/sdb/device/state", "offline\n"),
            ("sys/block/dm-6/dm/uuid", "LVM-1\n"),
        ]);
        let mut files = KeptFiles::default();
        let (told, problems) = tree.read(|host, out| read(host, &mut files, out));
        assert_eq!(problems.len(), 0);
        assert_eq!(told.len(), 8, "{told:?}");
        for line in [
            r#"node_dmmultipath_device_size_bytes{device="mpathA",sysfs_name="dm-5"} 2048"#,
            r#"node_dmmultipath_device_paths{device="mpathA",sysfs_name="dm-5"} 2"#,
            r#"node_dmmultipath_device_paths_failed{device="mpathA",sysfs_name="dm-5"} 1"#,
        ] {
            assert!(told.iter().any(|told| told == line), "{line}");
        }
    }
}
