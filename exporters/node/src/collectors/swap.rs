//! Swap by device, from `/proc/swaps`, sizes in units of 1024 bytes:
//!
//! ```text
//! Filename                Type        Size        Used        Priority
//! /dev/zram0              partition   8388604     76          100
//! ```

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "swap",
    enabled: false,
    about: "swap by device",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static SIZE: Descriptor = gauge("node_swap_size_bytes", "Size of the swap device.");
static USED: Descriptor = gauge("node_swap_used_bytes", "Used part of the swap device.");
static PRIORITY: Descriptor = gauge("node_swap_priority", "Priority of the swap device.");

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("swaps");
    for line in host.text(&path)?.lines().skip(1) {
        let Some((device, kind, [size, used, priority])) = parse(line) else {
            host.note(Error::parse(&path, "a swap device", line));
            continue;
        };
        let labels = [("device", device), ("swap_type", kind)];
        out.point(&SIZE, &labels, size.wrapping_mul(1024));
        out.point(&USED, &labels, used.wrapping_mul(1024));
        out.point(&PRIORITY, &labels, priority);
    }
    Ok(())
}

fn parse(line: &str) -> Option<(&str, &str, [i64; 3])> {
    let [device, kind, size, used, priority] = text::first_words(line)?;
    Some((device, kind, [text::signed(size)?, text::signed(used)?, text::signed(priority)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device() {
        assert_eq!(parse("/dev/zram0 partition 8388604 76 -2"), Some(("/dev/zram0", "partition", [8_388_604, 76, -2])));
        assert_eq!(parse("/dev/zram0 partition 8388604"), None);
    }
}
