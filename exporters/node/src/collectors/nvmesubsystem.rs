//! NVMe over fabrics, from `/sys/class/nvme-subsystem/nvme-subsys0/`: words about the subsystem, a folder for each path
//! to it (`nvme0`, with `state` and `transport`), and its namespaces (`nvme0n1`).

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};

pub(super) static SPEC: Spec = Spec {
    name: "nvmesubsystem",
    enabled: false,
    about: "NVMe over fabrics: subsystems and the paths to them",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static FACTS: Descriptor = info("node_nvmesubsystem_info", "What a subsystem says of itself.");
static NAMESPACE: Descriptor = info("node_nvmesubsystem_namespace_info", "Namespaces and their subsystems.");
static PATHS: Descriptor = gauge("node_nvmesubsystem_paths", "Paths to the subsystem.");
static LIVE: Descriptor = gauge("node_nvmesubsystem_paths_live", "Paths to the subsystem that work.");
static STATE: Descriptor =
    gauge("node_nvmesubsystem_path_state", "Whether a path is in this state; one of them is 1.");

/// Labels and their files.
const WORDS: [(&str, &str); 4] =
    [("nqn", "subsysnqn"), ("model", "model"), ("serial", "serial"), ("iopolicy", "iopolicy")];
const STATES: [&str; 7] = ["connecting", "dead", "deleting", "live", "new", "resetting", "unknown"];

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("class/nvme-subsystem");
    let subsystems = match host.list(&all) {
        Ok(subsystems) => subsystems,
        Err(error) if error.is_denied() => return Err(Error::no_data(error.to_string())),
        Err(error) => return Err(error.or_no_data("there is no NVMe over fabrics")),
    };
    for subsystem in subsystems.iter().filter(|name| name.starts_with("nvme-subsys")) {
        let folder = all.join(subsystem);
        let mut word = |host: &mut Host, file: &str| {
            files.line(&folder.join(file)).unwrap_or_else(|error| {
                host.note(error);
                String::new()
            })
        };
        let by_subsystem = ("subsystem", subsystem.as_str());
        let words = WORDS.map(|(label, file)| (label, word(host, file)));
        let labels: Vec<_> =
            std::iter::once(by_subsystem).chain(words.iter().map(|(label, word)| (*label, word.as_str()))).collect();
        out.point(&FACTS, &labels, 1_u64);
        let (mut paths, mut live) = (0_u64, 0_u64);
        for name in host.list(&folder).unwrap_or_default() {
            match kind(&name) {
                Some(Entry::Namespace) => out.point(&NAMESPACE, &[by_subsystem, ("device", &name)], 1_u64),
                Some(Entry::Path) => {
                    let state = state(&word(host, &format!("{name}/state")));
                    let transport = word(host, &format!("{name}/transport"));
                    paths += 1;
                    live += u64::from(state == "live");
                    for each in STATES {
                        let labels =
                            [by_subsystem, ("controller", &*name), ("transport", &*transport), ("state", each)];
                        out.point(&STATE, &labels, u64::from(each == state));
                    }
                }
                None => {}
            }
        }
        out.point(&PATHS, &[by_subsystem], paths);
        out.point(&LIVE, &[by_subsystem], live);
    }
    Ok(())
}

/// What stands in a subsystem's folder.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Path,
    Namespace,
}

/// `nvme0` is a path, `nvme0n1` a namespace.
fn kind(name: &str) -> Option<Entry> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let rest = name.strip_prefix("nvme")?;
    match rest.split_once('n') {
        None => digits(rest).then_some(Entry::Path),
        Some((controller, namespace)) => {
            (digits(controller) && digits(namespace)).then_some(Entry::Namespace)
        }
    }
}

fn state(word: &str) -> &'static str {
    if word == "deleting (no IO)" {
        return "deleting";
    }
    STATES.into_iter().find(|state| *state == word).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn paths_and_namespaces() {
        let base = "sys/class/nvme-subsystem/nvme-subsys0";
        let files: Vec<(String, &str)> = [
            ("subsysnqn", "nqn.x\n"),
            ("model", "M 1\n"),
            ("serial", "S\n"),
            ("iopolicy", "numa\n"),
            ("nvme0/state", "live\n"),
            ("nvme0/transport", "tcp\n"),
            ("nvme1/state", "deleting (no IO)\n"),
            ("nvme1/transport", "tcp\n"),
            ("nvme0n1/size", "1\n"),
            ("power/control", "auto\n"),
        ]
        .map(|(path, text)| (format!("{base}/{path}"), text))
        .into();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let tree = Tree::new("nvmesubsystem", &files);
        let mut kept = KeptFiles::default();
        let (told, problems) = tree.read(|host, out| read(host, &mut kept, out));
        assert_eq!(problems, [""; 0]);
        let one = |part: &str| told.iter().filter(|line| line.contains(part)).cloned().collect::<Vec<_>>();
        assert_eq!(
            one("node_nvmesubsystem{"),
            [r#"node_nvmesubsystem{subsystem="nvme-subsys0",nqn="nqn.x",model="M 1",serial="S",iopolicy="numa"} 1"#]
        );
        assert_eq!(
            one("_path_state").iter().filter(|line| line.ends_with(" 1")).cloned().collect::<Vec<_>>(),
            [
                r#"node_nvmesubsystem_path_state{subsystem="nvme-subsys0",controller="nvme0",transport="tcp",state="live"} 1"#,
                r#"node_nvmesubsystem_path_state{subsystem="nvme-subsys0",controller="nvme1",transport="tcp",state="deleting"} 1"#,
            ]
        );
        assert_eq!(one("_path_state").len(), 14);
        assert_eq!(one("_paths"), [
            r#"node_nvmesubsystem_paths{subsystem="nvme-subsys0"} 2"#,
            r#"node_nvmesubsystem_paths_live{subsystem="nvme-subsys0"} 1"#,
        ]);
        assert_eq!(one("namespace").len(), 1);
    }

    #[test]
    fn names_in_the_folder() {
        assert_eq!((kind("nvme10"), kind("nvme0n1")), (Some(Entry::Path), Some(Entry::Namespace)));
        assert_eq!(["nvme", "nvme0c0n1", "nvmen1", "model", "nvme0n"].map(kind), [None, None, None, None, None]);
    }
}
