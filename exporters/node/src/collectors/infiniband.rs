//! InfiniBand, from `/sys/class/infiniband/DEVICE/`: files about the device, and about each port under `ports/PORT/`:
//! `state` (`4: ACTIVE`), `rate` (`40 Gb/sec (4X QDR)`), and counts in `counters/`, `counters_ext/` (before Linux 4.5)
//! and `hw_counters/`, one number in each file.

use std::path::Path;

use openmetrics::model::Descriptor;
use rustix::io::Errno;

use super::{Setup, Spec};
use crate::families::{counter, gauge, info};
use crate::flags::{Filter, Flag};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

const EXCLUDE: Flag = Flag::text(
    "collector.infiniband.device-exclude",
    "",
    "Regular expression of InfiniBand devices to leave out; not with the next",
);
const INCLUDE: Flag = Flag::text(
    "collector.infiniband.device-include",
    "",
    "Regular expression of InfiniBand devices to tell, and no others",
);

pub(super) static SPEC: Spec = Spec {
    name: "infiniband",
    enabled: true,
    about: "InfiniBand: data, packets, errors of ports",
    flags: &[EXCLUDE, INCLUDE],
    build: |setup| {
        let mut devices = Devices::new(setup)?;
        Ok(Reader::boxed(move |host, out| devices.read(host, out)))
    },
};

static FACTS: Descriptor = info("node_infiniband_info", "What the device says of itself.");
static STATE: Descriptor =
    gauge("node_infiniband_state_id", "State of the port: 1 down, 2 init, 3 armed, 4 active, 5 deferred.");
static PHYSICAL: Descriptor = gauge(
    "node_infiniband_physical_state_id",
    "State of the link: 1 sleeps, 2 polls, 3 disabled, 4 trains, 5 up, 6 recovers from errors, 7 is tested.",
);
static RATE: Descriptor = gauge("node_infiniband_rate_bytes_per_second", "What the link can carry.");
static LIFESPAN: Descriptor =
    gauge("node_infiniband_lifespan_seconds", "For how long the counts stay as they are, at most.");

/// Folder, file, how many bytes each unit is, family. Data is counted in words of four bytes.
static COUNTS: [(&str, &str, u64, Descriptor); 59] = [
    (EXT, "port_multicast_rcv_packets", 1, counter("node_infiniband_legacy_multicast_packets_received_total", "Multicast packets received, as older kernels count them.")),
    (EXT, "port_multicast_xmit_packets", 1, counter("node_infiniband_legacy_multicast_packets_transmitted_total", "Multicast packets sent, as older kernels count them.")),
    (EXT, "port_rcv_data_64", 4, counter("node_infiniband_legacy_data_received_bytes_total", "Bytes received, as older kernels count them.")),
    (EXT, "port_rcv_packets_64", 1, counter("node_infiniband_legacy_packets_received_total", "Packets received, as older kernels count them.")),
    (EXT, "port_unicast_rcv_packets", 1, counter("node_infiniband_legacy_unicast_packets_received_total", "Unicast packets received, as older kernels count them.")),
    (EXT, "port_unicast_xmit_packets", 1, counter("node_infiniband_legacy_unicast_packets_transmitted_total", "Unicast packets sent, as older kernels count them.")),
    (EXT, "port_xmit_data_64", 4, counter("node_infiniband_legacy_data_transmitted_bytes_total", "Bytes sent, as older kernels count them.")),
    (EXT, "port_xmit_packets_64", 1, counter("node_infiniband_legacy_packets_transmitted_total", "Packets sent, as older kernels count them.")),
    (PORT, "excessive_buffer_overrun_errors", 1, counter("node_infiniband_excessive_buffer_overrun_errors_total", "Buffers that ran over for too long.")),
    (PORT, "link_downed", 1, counter("node_infiniband_link_downed_total", "Links that went down after an error.")),
    (PORT, "link_error_recovery", 1, counter("node_infiniband_link_error_recovery_total", "Links that recovered from an error.")),
    (PORT, "local_link_integrity_errors", 1, counter("node_infiniband_local_link_integrity_errors_total", "Times that there were too many errors of the local link.")),
    (PORT, "multicast_rcv_packets", 1, counter("node_infiniband_multicast_packets_received_total", "Multicast packets received.")),
    (PORT, "multicast_xmit_packets", 1, counter("node_infiniband_multicast_packets_transmitted_total", "Multicast packets sent.")),
    (PORT, "port_rcv_constraint_errors", 1, counter("node_infiniband_port_constraint_errors_received_total", "Packets that the port of a switch did not let in.")),
    (PORT, "port_xmit_constraint_errors", 1, counter("node_infiniband_port_constraint_errors_transmitted_total", "Packets that the port of a switch did not let out.")),
    (PORT, "port_rcv_data", 4, counter("node_infiniband_port_data_received_bytes_total", "Bytes received.")),
    (PORT, "port_xmit_data", 4, counter("node_infiniband_port_data_transmitted_bytes_total", "Bytes sent.")),
    (PORT, "port_rcv_discards", 1, counter("node_infiniband_port_discards_received_total", "Packets received that were dropped.")),
    (PORT, "port_xmit_discards", 1, counter("node_infiniband_port_discards_transmitted_total", "Packets to send that were dropped.")),
    (PORT, "port_rcv_errors", 1, counter("node_infiniband_port_errors_received_total", "Packets received with errors.")),
    (PORT, "port_rcv_packets", 1, counter("node_infiniband_port_packets_received_total", "Packets received.")),
    (PORT, "port_xmit_packets", 1, counter("node_infiniband_port_packets_transmitted_total", "Packets sent.")),
    (PORT, "port_xmit_wait", 1, counter("node_infiniband_port_transmit_wait_total", "Ticks in which there was something to send and nothing was sent.")),
    (PORT, "unicast_rcv_packets", 1, counter("node_infiniband_unicast_packets_received_total", "Unicast packets received.")),
    (PORT, "unicast_xmit_packets", 1, counter("node_infiniband_unicast_packets_transmitted_total", "Unicast packets sent.")),
    (PORT, "port_rcv_remote_physical_errors", 1, counter("node_infiniband_port_receive_remote_physical_errors_total", "Packets received that were marked as bad.")),
    (PORT, "port_rcv_switch_relay_errors", 1, counter("node_infiniband_port_receive_switch_relay_errors_total", "Packets that a switch could not pass on.")),
    (PORT, "symbol_error", 1, counter("node_infiniband_symbol_error_total", "Minor errors of the link.")),
    (PORT, "VL15_dropped", 1, counter("node_infiniband_vl15_dropped_total", "Management packets dropped.")),
    (HARDWARE, "duplicate_request", 1, counter("node_infiniband_duplicate_requests_packets_total", "Requests that were received before.")),
    (HARDWARE, "implied_nak_seq_err", 1, counter("node_infiniband_implied_nak_seq_errors_total", "Acknowledgements further on than what was expected.")),
    (HARDWARE, "local_ack_timeout_err", 1, counter("node_infiniband_local_ack_timeout_errors_total", "Acknowledgements that did not come in time.")),
    (HARDWARE, "np_cnp_sent", 1, counter("node_infiniband_np_cnp_packets_sent_total", "Notices of congestion sent.")),
    (HARDWARE, "np_ecn_marked_roce_packets", 1, counter("node_infiniband_np_ecn_marked_roce_packets_received_total", "Packets received that were marked for congestion.")),
    (HARDWARE, "out_of_buffer", 1, counter("node_infiniband_out_of_buffer_drops_total", "Packets dropped for want of work requests.")),
    (HARDWARE, "out_of_sequence", 1, counter("node_infiniband_out_of_sequence_packets_received_total", "Packets received out of order.")),
    (HARDWARE, "packet_seq_err", 1, counter("node_infiniband_packet_sequence_errors_total", "Refusals received because of the order.")),
    (HARDWARE, "req_cqe_error", 1, counter("node_infiniband_req_cqes_errors_total", "Requests completed with errors.")),
    (HARDWARE, "req_cqe_flush_error", 1, counter("node_infiniband_req_cqes_flush_errors_total", "Requests completed because their queue was flushed.")),
    (HARDWARE, "req_remote_access_errors", 1, counter("node_infiniband_req_remote_access_errors_total", "Requests that the other side did not permit.")),
    (HARDWARE, "req_remote_invalid_request", 1, counter("node_infiniband_req_remote_invalid_request_errors_total", "Requests that the other side found invalid.")),
    (HARDWARE, "resp_cqe_error", 1, counter("node_infiniband_resp_cqes_errors_total", "Responses completed with errors.")),
    (HARDWARE, "resp_cqe_flush_error", 1, counter("node_infiniband_resp_cqes_flush_errors_total", "Responses completed because their queue was flushed.")),
    (HARDWARE, "resp_local_length_error", 1, counter("node_infiniband_resp_local_length_errors_total", "Responses of a wrong length.")),
    (HARDWARE, "resp_remote_access_errors", 1, counter("node_infiniband_resp_remote_access_errors_total", "Requests of the other side that were not permitted.")),
    (HARDWARE, "rnr_nak_retry_err", 1, counter("node_infiniband_rnr_nak_retry_packets_received_total", "Refusals received because the other side was not ready.")),
    (HARDWARE, "roce_adp_retrans", 1, counter("node_infiniband_roce_adp_retransmits_total", "Adaptive retransmissions.")),
    (HARDWARE, "roce_adp_retrans_to", 1, counter("node_infiniband_roce_adp_retransmits_timeout_total", "Adaptive retransmissions that came to a time-out.")),
    (HARDWARE, "roce_slow_restart", 1, counter("node_infiniband_roce_slow_restart_used_total", "Slow restarts used.")),
    (HARDWARE, "roce_slow_restart_cnps", 1, counter("node_infiniband_roce_slow_restart_cnps_total", "Notices of congestion because of a slow restart.")),
    (HARDWARE, "roce_slow_restart_trans", 1, counter("node_infiniband_roce_slow_restart_total", "Changes to slow restart.")),
    (HARDWARE, "rp_cnp_handled", 1, counter("node_infiniband_rp_cnp_packets_handled_total", "Notices of congestion heeded.")),
    (HARDWARE, "rp_cnp_ignored", 1, counter("node_infiniband_rp_cnp_ignored_packets_received_total", "Notices of congestion not heeded.")),
    (HARDWARE, "rx_atomic_requests", 1, counter("node_infiniband_rx_atomic_requests_total", "Atomic requests received.")),
    (HARDWARE, "rx_dct_connect", 1, counter("node_infiniband_rx_dct_connect_requests_total", "Requests to connect received.")),
    (HARDWARE, "rx_read_requests", 1, counter("node_infiniband_rx_read_requests_total", "Requests to read received.")),
    (HARDWARE, "rx_write_requests", 1, counter("node_infiniband_rx_write_requests_total", "Requests to write received.")),
    (HARDWARE, "rx_icrc_encapsulated", 1, counter("node_infiniband_rx_icrc_encapsulated_errors_total", "Packets with a wrong checksum.")),
];
const PORT: &str = "counters";
const EXT: &str = "counters_ext";
const HARDWARE: &str = "hw_counters";

struct Devices {
    filter: Filter,
    files: KeptFiles,
}

impl Devices {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self { filter: Filter::new(setup.options, &EXCLUDE, &INCLUDE)?, files: KeptFiles::default() })
    }

    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        self.files.begin();
        let all = host.sys("class/infiniband");
        let names = host.list(&all).map_err(|error| error.or_no_data("there is no InfiniBand"))?;
        for name in names {
            if !self.filter.keeps(&name) {
                continue;
            }
            let folder = all.join(&name);
            let [board, firmware, kind] = ["board_id", "fw_ver", "hca_type"].map(|file| {
                self.files.line(&folder.join(file)).unwrap_or_else(|error| {
                    if !error.is_not_found() {
                        host.note(error);
                    }
                    String::new()
                })
            });
            let facts =
                [("device", name.as_str()), ("board_id", &board), ("firmware_version", &firmware), ("hca_type", &kind)];
            out.point(&FACTS, &facts, 1_u64);
            match host.list(&folder.join("ports")) {
                Ok(ports) => {
                    for port in ports {
                        let labels = [("device", name.as_str()), ("port", port.as_str())];
                        self.read_port(host, &folder.join("ports").join(&port), &labels, out);
                    }
                }
                Err(error) => host.note(error),
            }
        }
        Ok(())
    }

    fn read_port(&mut self, host: &mut Host, folder: &Path, labels: &[(&'static str, &str)], out: &mut Gathered) {
        for (file, family) in [("state", &STATE), ("phys_state", &PHYSICAL), ("rate", &RATE)] {
            let path = folder.join(file);
            match self.files.line(&path) {
                Ok(line) => match if file == "rate" { rate(&line) } else { state(&line) } {
                    Some(value) => out.point(family, labels, value),
                    None => host.note(Error::parse(&path, "a state or a rate", &line)),
                },
                Err(error) => host.note(error),
            }
        }
        for name in [PORT, EXT, HARDWARE] {
            let folder = folder.join(name);
            let Ok(present) = host.list(&folder) else { continue };
            for (_, file, unit, family) in COUNTS.iter().filter(|(folder, ..)| *folder == name) {
                if !present.iter().any(|known| known == file) {
                    continue;
                }
                if let Some(value) = self.count(host, &folder.join(file)) {
                    out.point(family, labels, value.wrapping_mul(*unit));
                }
            }
            if name == HARDWARE
                && present.iter().any(|file| file == "lifespan")
                && let Some(millis) = self.count(host, &folder.join("lifespan"))
            {
                out.point(&LIFESPAN, labels, millis / 1000);
            }
        }
    }

    fn count(&mut self, host: &mut Host, path: &Path) -> Option<u64> {
        match self.files.line(path) {
            Ok(line) if line.contains("N/A (no PMA)") => None,
            Ok(line) => {
                let value = line.strip_prefix("0x").map_or_else(|| text::unsigned(&line), text::hex);
                if value.is_none() {
                    host.note(Error::parse(path, "a number", &line));
                }
                value
            }
            Err(error) => {
                let not_there = [Errno::INVAL, Errno::OPNOTSUPP].into_iter().any(|errno| error.is_errno(errno));
                if !not_there && !error.is_not_found() && !error.is_denied() {
                    host.note(error);
                }
                None
            }
        }
    }
}

/// The number before `: ACTIVE`.
fn state(text: &str) -> Option<u64> {
    let (number, name) = text.split_once(':')?;
    if name.contains(':') { None } else { text::unsigned(number.trim()) }
}

/// Bytes a second from `40 Gb/sec (4X QDR)`.
fn rate(text: &str) -> Option<u64> {
    let (number, _) = text.split_once(' ')?;
    // The peer reads the number with the precision of 32 bits.
    let gigabits: f32 = number.parse().ok().filter(|value: &f32| value.is_finite())?;
    Some((f64::from(gigabits) * 125_000_000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn states_and_rates() {
        assert_eq!([state("4: ACTIVE"), state("ACTIVE"), state("x: y")], [Some(4), None, None]);
        assert_eq!([rate("40 Gb/sec (4X QDR)"), rate("2.5 Gb/sec"), rate("fast")], [Some(5_000_000_000), Some(312_500_000), None]);
    }

    #[test]
    fn a_device_with_a_port() {
        let tree = Tree::new("infiniband", &[
            ("sys/class/infiniband/mlx4_0/board_id", "SM_1\n"),
            ("sys/class/infiniband/mlx4_0/ports/1/state", "4: ACTIVE\n"),
            ("sys/class/infiniband/mlx4_0/ports/1/phys_state", "5: LinkUp\n"),
            ("sys/class/infiniband/mlx4_0/ports/1/rate", "slow\n"),
            ("sys/class/infiniband/mlx4_0/ports/1/counters/port_rcv_data", "10\n"),
            ("sys/class/infiniband/mlx4_0/ports/1/counters/symbol_error", "N/A (no PMA)\n"),
            ("sys/class/infiniband/mlx4_0/ports/1/hw_counters/lifespan", "2500\n"),
        ]);
        let filter = Filter::from_patterns(None, None);
        let mut devices = Devices { filter, files: KeptFiles::default() };
        let (told, problems) = tree.read(|host, out| devices.read(host, out));
        assert_eq!(problems.len(), 1, "the rate");
        assert!(told.contains(&r#"node_infiniband_port_data_received_bytes{device="mlx4_0",port="1"} 40"#.to_owned()), "{told:?}");
        assert!(told.contains(&r#"node_infiniband_lifespan_seconds{device="mlx4_0",port="1"} 2"#.to_owned()));
        assert_eq!(told.len(), 5);
    }
}
