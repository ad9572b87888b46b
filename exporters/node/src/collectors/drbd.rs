//! DRBD, from `/proc/drbd`:
//!
//! ```text
//! version: 8.4.3 (api:1/proto:86-101)
//!  0: cs:Connected ro:Primary/Primary ds:UpToDate/UpToDate C r-----
//!     ns:17324442 nr:10961 dw:6403 dr:220 al:0 bm:1 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:0
//! ```

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{counter, gauge};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFile};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "drbd",
    enabled: false,
    about: "DRBD: connections, disks, traffic",
    flags: &[],
    build: |setup| {
        let mut file = KeptFile::new(setup.host.proc("drbd"));
        Ok(Reader::boxed(move |host, out| read(host, &mut file, out)))
    },
};

/// Keys, how many bytes a unit is, families.
static NUMBERS: [(&str, f64, Descriptor); 12] = [
    ("ns", 1024.0, counter("node_drbd_network_sent_bytes_total", "Bytes sent to the other node.")),
    // As the peer has it, although this is in KiB too.
    ("nr", 1.0, counter("node_drbd_network_received_bytes_total", "KiB received from the other node, in spite of the name.")),
    ("dw", 1024.0, counter("node_drbd_disk_written_bytes_total", "Bytes written to the disk.")),
    ("dr", 1024.0, counter("node_drbd_disk_read_bytes_total", "Bytes read from the disk.")),
    ("al", 1.0, counter("node_drbd_activitylog_writes_total", "Updates of the log of activity.")),
    ("bm", 1.0, counter("node_drbd_bitmap_writes_total", "Updates of the bitmap.")),
    ("lo", 1.0, gauge("node_drbd_local_pending", "Requests that the disk has not answered.")),
    ("pe", 1.0, gauge("node_drbd_remote_pending", "Requests that the other node has not answered.")),
    ("ua", 1.0, gauge("node_drbd_remote_unacknowledged", "Requests of the other node that were not answered.")),
    ("ap", 1.0, gauge("node_drbd_application_pending", "Requests of programs that were not answered.")),
    ("ep", 1.0, gauge("node_drbd_epochs", "Groups of writes between barriers.")),
    ("oos", 1024.0, gauge("node_drbd_out_of_sync_bytes", "Bytes that are not the same on both nodes.")),
];
/// Keys of what the two nodes are, what they should be, families.
static PAIRS: [(&str, &str, Descriptor); 2] = [
    ("ro", "Primary", gauge("node_drbd_node_role_is_primary", "Whether the node is primary.")),
    ("ds", "UpToDate", gauge("node_drbd_disk_state_is_up_to_date", "Whether the node's disk is up to date.")),
];
static CONNECTED: Descriptor = gauge("node_drbd_connected", "Whether there is a connection to the other node.");

fn read(host: &mut Host, file: &mut KeptFile, out: &mut Gathered) -> Result<(), Error> {
    let path = file.path().to_owned();
    let text = file.text().map_err(|error| error.or_no_data("there is no DRBD"))?;
    parse(text, out, |word| host.note(Error::parse(&path, "a number or a pair of states", word)));
    Ok(())
}

fn parse<'t>(text: &'t str, out: &mut Gathered, mut bad: impl FnMut(&'t str)) {
    let mut device = "unknown".to_owned();
    for word in text::words(text) {
        let Some((key, value)) = word.split_once(':').filter(|(_, value)| !value.contains(':')) else { continue };
        if value.is_empty() {
            if let Some(number) = text::unsigned(key).filter(|_| !key.is_empty()) {
                device = format!("drbd{number}");
            }
            continue;
        }
        let by_device = ("device", device.as_str());
        if let Some((_, unit, family)) = NUMBERS.iter().find(|(known, ..)| *known == key) {
            match text::float(value) {
                Some(number) => out.point(family, &[by_device], number * unit),
                None => bad(word),
            }
        } else if let Some((_, good, family)) = PAIRS.iter().find(|(known, ..)| *known == key) {
            match value.split_once('/') {
                Some((local, remote)) => {
                    out.point(family, &[by_device, ("node", "local")], u64::from(local == *good));
                    out.point(family, &[by_device, ("node", "remote")], u64::from(remote == *good));
                }
                None => bad(word),
            }
        } else if key == "cs" {
            out.point(&CONNECTED, &[by_device], u64::from(value == "Connected"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_device() {
        let mut out = Gathered::default();
        let mut bad = Vec::new();
        let text = "version: 8.4.3 (api:1/proto:86-101)\nsrcversion: 1A9F\n\n \
            1: cs:Connected ro:Primary/Secondary ds:UpToDate C r-----\n    ns:2 nr:3 dw:x al:0 wo:f oos:1\n";
        parse(text, &mut out, |word| bad.push(word));
        assert_eq!(bad, ["ds:UpToDate", "dw:x"]);
        assert_eq!(out.told(), [
            r#"node_drbd_connected{device="drbd1"} 1"#,
            r#"node_drbd_node_role_is_primary{device="drbd1",node="local"} 1"#,
            r#"node_drbd_node_role_is_primary{device="drbd1",node="remote"} 0"#,
            r#"node_drbd_network_sent_bytes{device="drbd1"} 2048"#,
            r#"node_drbd_network_received_bytes{device="drbd1"} 3"#,
            r#"node_drbd_activitylog_writes{device="drbd1"} 0"#,
            r#"node_drbd_out_of_sync_bytes{device="drbd1"} 1024"#,
        ]);
    }
}
