//! Memory by NUMA node, from `/sys/devices/system/node/nodeN/meminfo` and `numastat`:
//!
//! ```text
//! Node 0 MemTotal:       134182340 kB
//! Node 0 Active(anon):     2157104 kB
//! ```

use openmetrics::model::{MetricType, Number};

use super::Spec;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "meminfo_numa",
    enabled: false,
    about: "memory by NUMA node",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let folder = host.sys("devices/system/node");
    for name in host.list(&folder).unwrap_or_default() {
        let Some(node) = name.strip_prefix("node").filter(|n| n.starts_with(|c: char| c.is_ascii_digit())) else {
            continue;
        };
        let path = folder.join(&name).join("meminfo");
        for line in host.text(&path)?.lines().filter(|line| !line.trim().is_empty()) {
            match parse(line) {
                Some((node, field, value)) => {
                    let family = format!("node_memory_numa_{field}");
                    let help = || format!("Memory of the node: {field}.");
                    out.named(&family, MetricType::Gauge, help, &[("node", node)], value);
                }
                None => host.note(Error::parse(&path, "a node, a name and a number", line)),
            }
        }
        let path = folder.join(&name).join("numastat");
        for line in host.text(&path)?.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<&str> = text::words(line).collect();
            match words.as_slice() {
                [field, value] if text::number(value).is_some() => {
                    let value = text::number(value).unwrap_or_default();
                    let family = format!("node_memory_numa_{field}_total");
                    let help = || format!("Allocations of the node: {field}.");
                    out.named(&family, MetricType::Counter, help, &[("node", node)], value);
                }
                _ => host.note(Error::parse(&path, "a name and a number", line)),
            }
        }
    }
    Ok(())
}

/// `Node 0 Active(anon):     2157104 kB`: the node, the field with underscores, the value in bytes.
fn parse(line: &str) -> Option<(&str, String, Number)> {
    let words: Vec<&str> = text::words(line).collect();
    let (node, field, value, unit) = match words.as_slice() {
        [_, node, field, value] => (*node, *field, *value, 1.0),
        [_, node, field, value, "kB"] => (*node, *field, *value, 1024.0),
        _ => return None,
    };
    let field = field.trim_end_matches(':');
    let field = match field.split_once('(').and_then(|(before, rest)| Some((before, rest.rsplit_once(')')?))) {
        Some((before, (inside, after))) => format!("{before}_{inside}{after}"),
        None => field.to_owned(),
    };
    Some((node, field, (text::float(value)? * unit).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_node() {
        assert_eq!(parse("Node 0 MemTotal: 2 kB"), Some(("0", "MemTotal".into(), 2048.0.into())));
        assert_eq!(parse("Node 1 Active(anon):     3"), Some(("1", "Active_anon".into(), 3.0.into())));
        assert_eq!(parse("Node 1 MemFree: 3 MB"), None);
        assert_eq!(parse("Node 1 MemFree:"), None);
    }
}
