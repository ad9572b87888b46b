//! Bytes that wait in UDP sockets, from `/proc/net/udp` and `/proc/net/udp6`, one line a socket after the names:
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
//!    0: 00000000:0016 00000000:0000 0A 00000015:00000000 00:00000000 00000000     0        0 2740 1 ffff88003d3af3c0 100
//! ```
//!
//! For these two the kernel walks its table of UDP sockets, which has thousands of places also where there is no socket.
//! How many there are it knows without: where `/proc/net/sockstat` or `/proc/net/sockstat6` says that none is in use,
//! there is nothing in the table either.

use openmetrics::model::{Descriptor, Labels};

use super::{NodeCollector, Spec};
use crate::families::gauge;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "udp_queues",
    enabled: true,
    about: "bytes that wait in UDP sockets",
    flags: &[],
    build: |setup| {
        let file = |name: &str| KeptFile::of_records(setup.host.proc("net").join(name), 256);
        let counts = |name: &str| KeptFile::single(setup.host.proc("net").join(name));
        Ok(Box::new(UdpQueues {
            files: [("v4", file("udp")), ("v6", file("udp6"))],
            counts: [("UDP: ", counts("sockstat")), ("UDP6: ", counts("sockstat6"))],
            sums: [None; 2],
        }))
    },
};

static QUEUES: Descriptor = gauge("node_udp_queues", "Bytes that wait in UDP sockets, to be sent or read.");

struct UdpQueues {
    files: [(&'static str, KeptFile); 2],
    /// How many sockets there are, and how the line that says so begins.
    counts: [(&'static str, KeptFile); 2],
    /// Of both IPs, what waits to be sent and what waits to be read.
    sums: [Option<(u64, u64)>; 2],
}

impl NodeCollector for UdpQueues {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.sums = [None; 2];
        let mut absent = 0;
        for (((_, file), (protocol, count)), sum) in
            self.files.iter_mut().zip(&mut self.counts).zip(&mut self.sums)
        {
            // Once it is known that the kernel tells of this IP at all.
            if file.is_open_in_procfs() && count.text().is_ok_and(|text| none_in_use(text, protocol)) {
                *sum = Some((0, 0));
                continue;
            }
            let path = file.path().to_owned();
            match file.text() {
                Ok(text) => {
                    let (mut tx, mut rx) = (0_u64, 0_u64);
                    for line in text.lines().skip(1) {
                        match parse(line) {
                            Some((t, r)) => (tx, rx) = (tx.wrapping_add(t), rx.wrapping_add(r)),
                            None => host.note(Error::parse(&path, "a UDP socket", line)),
                        }
                    }
                    *sum = Some((tx, rx));
                }
                Err(error) if error.is_not_found() => absent += 1, // this IP is off
                Err(error) => host.note(error),
            }
        }
        if absent == self.files.len() { Err(Error::no_data("neither kind of UDP is there")) } else { Ok(()) }
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let mut family = out.family(&QUEUES);
        for ((ip, _), sum) in self.files.iter().zip(self.sums) {
            if let Some((tx, rx)) = sum {
                family.point(Labels::new(&[("queue", "tx"), ("ip", ip)]), tx);
                family.point(Labels::new(&[("queue", "rx"), ("ip", ip)]), rx);
            }
        }
    }
}

/// Whether `text` has a line such as `UDP: inuse 0 mem 0`.
fn none_in_use(text: &str, protocol: &str) -> bool {
    let line = text.lines().find_map(|line| line.strip_prefix(protocol));
    line.is_some_and(|line| line.split(' ').take(2).eq(["inuse", "0"]))
}

/// The bytes to be sent and to be read.
fn parse(line: &str) -> Option<(u64, u64)> {
    let [number, _, _, _, queues, ..] = text::first_words::<10>(line)?;
    number.strip_suffix(':').and_then(text::unsigned)?;
    let (tx, rx) = queues.split_once(':')?;
    Some((text::hex(tx)?, text::hex(rx)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sockets() {
        let text = |udp: &str| format!("sockets: used 9\nUDPLITE: inuse 0\n{udp}\nRAW: inuse 0\n");
        assert!(none_in_use(&text("UDP: inuse 0 mem 3"), "UDP: ") && none_in_use(&text("UDP6: inuse 0"), "UDP6: "));
        for other in ["UDP: inuse 1 mem 0", "UDP: inuse 00", "UDP: mem 0", "UDP:", "UDP6: inuse 0"] {
            assert!(!none_in_use(&text(other), "UDP: "), "{other:?}");
        }
    }

    #[test]
    fn a_socket() {
        let line = "   0: 00000000:0016 00000000:0000 0A 00000015:000000ff 00:00000000 00000000     0        0 2740 1 ffff88003d3af3c0 100";
        assert_eq!(parse(line), Some((21, 255)));
        for bad in ["", "0: a b c 1:2", "0 a b c 1:2 d e f g h", "0: a b c 1 d e f g h", "0: a b c 1:x d e f g h"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
