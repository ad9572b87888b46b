//! TCP connections by state, asked of the kernel over netlink, which lists them all.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::netlink::{Route, u32_at};

pub(super) static SPEC: Spec = Spec {
    name: "tcpstat",
    enabled: false,
    about: "TCP connections by state, which is costly if there are many",
    flags: &[],
    build: |_| {
        let mut sockets = Route::of_sockets();
        Ok(Reader::boxed(move |host, out| read(host, &mut sockets, out)))
    },
};

static CONNECTIONS: Descriptor =
    gauge("node_tcp_connection_states", "Connections by state, and bytes that wait in them.");

/// In the order of the kernel's numbers, from 1.
const STATES: [&str; 11] = [
    "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close", "close_wait", "last_ack",
    "listen", "closing",
];

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const IPPROTO_TCP: u8 = 6;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// A bit for each state that is asked for.
const ALL_STATES: u32 = 0xfff;
/// `struct inet_diag_req_v2`.
const REQUEST: usize = 56;

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    by_state: [u64; STATES.len()],
    received: u64,
    to_send: u64,
}

fn read(host: &mut Host, sockets: &mut Route, out: &mut Gathered) -> Result<(), Error> {
    let mut counts = Counts::default();
    for family in [AF_INET, AF_INET6] {
        if family == AF_INET6 && !host.proc("net/tcp6").exists() {
            continue;
        }
        let mut request = [0; REQUEST];
        request[0] = family;
        request[1] = IPPROTO_TCP;
        request[4..8].copy_from_slice(&ALL_STATES.to_ne_bytes());
        sockets.dump(SOCK_DIAG_BY_FAMILY, &request, |_, message| counts.add(message))?;
    }
    for (state, count) in STATES.iter().zip(counts.by_state) {
        if count > 0 {
            out.point(&CONNECTIONS, &[("state", state)], count);
        }
    }
    out.point(&CONNECTIONS, &[("state", "rx_queued_bytes")], counts.received);
    out.point(&CONNECTIONS, &[("state", "tx_queued_bytes")], counts.to_send);
    Ok(())
}

impl Counts {
    /// Counts the socket that a message (`struct inet_diag_msg`) tells of.
    fn add(&mut self, message: &[u8]) {
        let state = message.get(1).and_then(|state| usize::from(*state).checked_sub(1));
        if let Some(count) = state.and_then(|state| self.by_state.get_mut(state)) {
            *count += 1;
        }
        self.received += u64::from(u32_at(message, 56).unwrap_or_default());
        self.to_send += u64::from(u32_at(message, 60).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_counted() {
        let mut message = [0_u8; 72];
        message[1] = 10;
        message[56..60].copy_from_slice(&3_u32.to_ne_bytes());
        message[60..64].copy_from_slice(&4_u32.to_ne_bytes());
        let mut counts = Counts::default();
        counts.add(&message);
        message[1] = 99;
        counts.add(&message);
        counts.add(&[]);
        assert_eq!((counts.by_state[9], counts.received, counts.to_send), (1, 6, 8));
        assert_eq!(counts.by_state.iter().sum::<u64>(), 1);
    }
}
