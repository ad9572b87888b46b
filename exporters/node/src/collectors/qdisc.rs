//! Queues of network interfaces, asked of the kernel over netlink: only those at the root, which have the sums.

use std::collections::HashMap;
use std::path::PathBuf;

use openmetrics::model::Descriptor;

use super::{Setup, Spec};
use crate::families::{counter, gauge};
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::netlink::{Route, attributes, ifla, links, text, u32_at, u64_at};

const EXCLUDE: Flag = Flag::text(
    "collector.qdisc.device-exclude",
    "",
    "Regular expression of interfaces whose queues to leave out; not with the next",
)
.formerly(&["collector.qdisk.device-exclude"]);
const INCLUDE: Flag = Flag::text(
    "collector.qdisc.device-include",
    "",
    "Regular expression of interfaces whose queues to tell, and no others",
)
.formerly(&["collector.qdisk.device-include"]);
const FIXTURES: Flag = Flag::text(
    "collector.qdisc.fixtures",
    "",
    "A folder with a results.json to take for the kernel's answer, for tests",
)
.hidden();

pub(super) static SPEC: Spec = Spec {
    name: "qdisc",
    enabled: false,
    about: "queues of network interfaces: sent, dropped, waiting",
    flags: &[EXCLUDE, INCLUDE, FIXTURES],
    build: |setup| {
        let mut queues = Queues::new(setup)?;
        Ok(Reader::boxed(move |host, out| queues.read(host, out)))
    },
};

static FAMILIES: [Descriptor; 7] = [
    counter("node_qdisc_bytes_total", "Bytes sent."),
    counter("node_qdisc_packets_total", "Packets sent."),
    counter("node_qdisc_drops_total", "Packets dropped."),
    counter("node_qdisc_requeues_total", "Packets put back because they could not be sent."),
    counter("node_qdisc_overlimits_total", "Packets that had to wait for a limit."),
    gauge("node_qdisc_current_queue_length", "Packets that wait."),
    gauge("node_qdisc_backlog", "Bytes that wait."),
];
/// The fields of the file for tests, in the same order.
const FIELDS: [&str; 7] = ["Bytes", "Packets", "Drops", "Requeues", "Overlimits", "Qlen", "Backlog"];

const RTM_GETQDISC: u16 = 38;
const RTM_NEWQDISC: u16 = 36;
const TCMSG: usize = 20;
const TC_H_ROOT: u32 = u32::MAX;
const TCA_KIND: u16 = 1;
const TCA_STATS2: u16 = 7;
const TCA_STATS_BASIC: u16 = 1;
const TCA_STATS_QUEUE: u16 = 3;

#[derive(Debug, Default, PartialEq, Eq)]
struct Queue {
    interface: u32,
    kind: String,
    values: [u64; 7],
}

struct Queues {
    filter: Filter,
    route: Route,
    fixtures: Option<PathBuf>,
}

impl Queues {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let fixtures = setup.options.text(&FIXTURES);
        Ok(Self {
            filter: Filter::new(setup.options, &EXCLUDE, &INCLUDE)?,
            route: Route::default(),
            fixtures: (!fixtures.is_empty()).then(|| PathBuf::from(fixtures).join("results.json")),
        })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        if let Some(path) = &self.fixtures {
            let text = host.text(path)?;
            for (device, kind, values) in from_json(&text) {
                self.tell(device, kind, values, out);
            }
            return Ok(());
        }
        let mut names = HashMap::new();
        links(&mut self.route, |head, attrs| {
            if let Some((_, name)) = attributes(attrs).find(|(kind, _)| *kind == ifla::IFNAME) {
                names.insert(head.index as u32, text(name));
            }
        })?;
        let mut queues = Vec::new();
        self.route.dump(RTM_GETQDISC, &[0; TCMSG], |kind, message| {
            if kind == RTM_NEWQDISC {
                queues.extend(parse(message));
            }
        })?;
        for Queue { interface, kind, values } in &queues {
            if let Some(device) = names.get(interface) {
                self.tell(device, kind, *values, out);
            }
        }
        Ok(())
    }

    fn tell(&mut self, device: &str, kind: &str, values: [u64; 7], out: &mut Gathered) {
        if self.filter.keeps(device) {
            for (family, value) in FAMILIES.iter().zip(values) {
                out.point(family, &[("device", device), ("kind", kind)], value);
            }
        }
    }
}

/// A queue at the root of an interface (`struct tcmsg` and attributes).
fn parse(message: &[u8]) -> Option<Queue> {
    let parent = u32_at(message, 12)?;
    if parent != TC_H_ROOT && parent != 0 {
        return None;
    }
    let mut queue = Queue { interface: u32_at(message, 4)?, ..Queue::default() };
    for (kind, value) in attributes(message.get(TCMSG..)?) {
        match kind {
            TCA_KIND => queue.kind = text(value),
            TCA_STATS2 => {
                for (kind, value) in attributes(value) {
                    let number = |at| u32_at(value, at).map(u64::from).unwrap_or_default();
                    let [bytes, packets, drops, requeues, overlimits, length, backlog] = &mut queue.values;
                    match kind {
                        TCA_STATS_BASIC => {
                            *bytes = u64_at(value, 0).unwrap_or_default();
                            *packets = number(8);
                        }
                        TCA_STATS_QUEUE => {
                            (*length, *backlog) = (number(0), number(4));
                            (*drops, *requeues, *overlimits) = (number(8), number(12), number(16));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(queue)
}

/// Flat objects with words and whole numbers, which is all that the file for tests has.
fn from_json(text: &str) -> impl Iterator<Item = (&str, &str, [u64; 7])> {
    text.split('{').skip(1).filter_map(|object| {
        let (object, _) = object.split_once('}')?;
        let field = |name: &str| {
            object.split(',').find_map(|pair| {
                let (key, value) = pair.split_once(':')?;
                (key.trim().trim_matches('"') == name).then(|| value.trim().trim_matches('"'))
            })
        };
        let is_root = field("Parent").is_none_or(|parent| parent == "0");
        let number = |name: &str| field(name).and_then(crate::text::unsigned).unwrap_or_default();
        is_root.then(|| Some((field("IfaceName")?, field("Kind").unwrap_or_default(), FIELDS.map(number))))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::for_tests::attribute;

    #[test]
    fn a_message_of_a_queue() {
        let words = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<u8>>();
        let mut basic = 5_000_000_000_u64.to_ne_bytes().to_vec();
        basic.extend(words(&[7, 0]));
        let stats =
            [attribute(TCA_STATS_BASIC, &basic), attribute(TCA_STATS_QUEUE, &words(&[1, 2, 3, 4, 5]))].concat();
        let mut message = words(&[0, 2, 0, TC_H_ROOT, 0]);
        message.extend(attribute(TCA_KIND, b"fq\0"));
        message.extend(attribute(TCA_STATS2, &stats));
        let queue = parse(&message).expect("a queue");
        assert_eq!((queue.interface, queue.kind.as_str()), (2, "fq"));
        assert_eq!(queue.values, [5_000_000_000, 7, 3, 4, 5, 1, 2]);
        message[12..16].copy_from_slice(&words(&[0x8001_0000]));
        assert_eq!(parse(&message), None, "not at the root");
        assert_eq!(parse(&[]), None);
    }

    #[test]
    fn the_file_for_tests() {
        let text = r#"[ { "IfaceName": "wlan0", "Bytes": 42, "Kind": "fq" }, {"IfaceName": "x", "Parent": 3} ]"#;
        let all: Vec<_> = from_json(text).collect();
        assert_eq!(all, [("wlan0", "fq", [42, 0, 0, 0, 0, 0, 0])]);
    }
}
