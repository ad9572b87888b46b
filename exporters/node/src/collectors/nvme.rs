//! NVMe, from `/sys/class/nvme/DEVICE/`: words about the controller, and of each namespace, in folders such as
//! `nvme0n1` or `nvme0c0n1`, numbers of blocks.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "nvme",
    enabled: true,
    about: "NVMe: controllers and the sizes of namespaces",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static FACTS: Descriptor = info("node_nvme_info", "What the controller says of itself.");
static NAMESPACE: Descriptor = info("node_nvme_namespace_info", "What is known of a namespace.");
static CAPACITY: Descriptor = gauge("node_nvme_namespace_capacity_bytes", "Size of the namespace.");
static SIZE: Descriptor = gauge("node_nvme_namespace_size_bytes", "Size of the namespace.");
static USED: Descriptor = gauge("node_nvme_namespace_used_bytes", "What of the namespace is used.");
static BLOCK: Descriptor = gauge("node_nvme_namespace_logical_block_size_bytes", "Size of a block.");
/// Labels and their files.
const WORDS: [(&str, &str); 5] = [
    ("firmware_revision", "firmware_rev"),
    ("model", "model"),
    ("serial", "serial"),
    ("state", "state"),
    ("cntlid", "cntlid"),
];

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("class/nvme");
    let devices = host.list(&all).map_err(|error| error.or_no_data("there is no NVMe"))?;
    for device in devices {
        let folder = all.join(&device);
        let mut words = Vec::with_capacity(WORDS.len());
        for (label, file) in WORDS {
            let word = files.line(&folder.join(file)).unwrap_or_else(|error| {
                host.note(error);
                String::new()
            });
            words.push((label, word));
        }
        let by_device = ("device", device.as_str());
        let labels: Vec<_> =
            std::iter::once(by_device).chain(words.iter().map(|(label, word)| (*label, word.as_str()))).collect();
        out.point(&FACTS, &labels, 1_u64);
        for name in host.list(&folder).unwrap_or_default() {
            let Some(id) = namespace(&name) else { continue };
            let folder = folder.join(&name);
            let sizes = ["nuse", "size", "queue/logical_block_size"].map(|file| {
                let path = folder.join(file);
                let number = files.line(&path).and_then(|line| {
                    text::unsigned(&line).ok_or_else(|| Error::parse(&path, "a number", &line))
                });
                number.map_err(|error| host.note(error)).ok()
            });
            let [used, size, block] = sizes;
            let state = files.line(&folder.join("ana_state")).unwrap_or_else(|_| "unknown".to_owned());
            let labels = [by_device, ("nsid", id)];
            out.point(&NAMESPACE, &[by_device, ("nsid", id), ("ana_state", &state)], 1_u64);
            let Some(block) = block else { continue };
            if let Some(size) = size {
                out.point(&CAPACITY, &labels, size.wrapping_mul(block));
                out.point(&SIZE, &labels, size.wrapping_mul(block));
            }
            if let Some(used) = used {
                out.point(&USED, &labels, used.wrapping_mul(block));
            }
            out.point(&BLOCK, &labels, block);
        }
    }
    Ok(())
}

/// The number of the namespace in `nvme0n1`.
fn namespace(name: &str) -> Option<&str> {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (_, rest) = name.split_once("nvme")?;
    let controller = digits(rest);
    let rest = rest.get(controller..)?.strip_prefix('n')?;
    let id = rest.get(..digits(rest))?;
    (controller > 0 && !id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn namespaces_by_name() {
        let found = ["nvme0n1", "nvme10n12", "nvme0c0n1", "ng0n1", "nvme0", "nvmen1"].map(namespace);
        assert_eq!(found, [Some("1"), Some("12"), None, None, None, None]);
    }

    #[test]
    fn sizes_are_in_blocks() {
        let tree = Tree::new("nvme", &[
            ("sys/class/nvme/nvme0/model", "Drive 1\n"),
            ("sys/class/nvme/nvme0/nvme0n1/nuse", "2\n"),
            ("sys/class/nvme/nvme0/nvme0n1/size", "3\n"),
            ("sys/class/nvme/nvme0/nvme0n1/queue/logical_block_size", "4096\n"),
            ("sys/class/nvme/nvme0/nvme0n2/nuse", "many\n"),
            ("sys/class/nvme/nvme0/nvme0n2/size", "2\n"),
            ("sys/class/nvme/nvme0/nvme0n2/queue/logical_block_size", "512\n"),
        ]);
        let mut files = KeptFiles::default();
        let (told, problems) = tree.read(|host, out| read(host, &mut files, out));
        assert_eq!(problems.len(), 4 + 1, "four words and what is used are missing");
        assert!(told.contains(&r#"node_nvme_namespace_size_bytes{device="nvme0",nsid="1"} 12288"#.to_owned()), "{told:?}");
        assert!(told.contains(&r#"node_nvme_namespace_size_bytes{device="nvme0",nsid="2"} 1024"#.to_owned()), "{told:?}");
        assert_eq!(told.len(), 1 + 5 + 4);
    }
}
