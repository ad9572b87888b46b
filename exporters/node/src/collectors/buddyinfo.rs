//! Free blocks of memory by size, from `/proc/buddyinfo`:
//!
//! ```text
//! Node 0, zone      DMA      1      0      1      0
//! ```

use openmetrics::model::{Descriptor, Number};

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "buddyinfo",
    enabled: false,
    about: "free blocks of memory by size",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static BLOCKS: Descriptor = gauge("node_buddyinfo_blocks", "Free blocks of 2^size pages.");

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("buddyinfo");
    for line in host.text(&path)?.lines() {
        let Some((node, zone, blocks)) = parse(line) else {
            host.note(Error::parse(&path, "a node, a zone and numbers", line));
            continue;
        };
        for (size, blocks) in blocks.into_iter().enumerate() {
            out.point(&BLOCKS, &[("node", node), ("zone", zone), ("size", &size.to_string())], blocks);
        }
    }
    Ok(())
}

fn parse(line: &str) -> Option<(&str, &str, Vec<Number>)> {
    let mut words = text::words(line);
    let node = words.nth(1)?.trim_end_matches(',');
    let zone = words.nth(1)?.trim_end_matches(',');
    let blocks: Option<Vec<Number>> = words.map(text::number).collect();
    Some((node, zone, blocks?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone() {
        let (node, zone, blocks) = parse("Node 0, zone      DMA      1      0").unwrap();
        assert_eq!((node, zone, blocks), ("0", "DMA", vec![1_u64.into(), 0_u64.into()]));
        assert_eq!(parse("Node 0, zone"), None);
        assert_eq!(parse("Node 0, zone DMA x"), None);
    }
}
