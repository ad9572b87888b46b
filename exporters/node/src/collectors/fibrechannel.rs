//! Fibre Channel hosts, from `/sys/class/fc_host/HOST/`: a word in each file, and under `statistics/` a number, in
//! hexadecimal, all ones if the hardware does not count it.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{counter, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "fibrechannel",
    enabled: true,
    about: "Fibre Channel: frames, errors, links",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static FACTS: Descriptor = info("node_fibrechannel_info", "What the host says of itself.");
/// Files that are labels of the same name, and whether they begin with `0x`, which is taken off.
const WORDS: [(&str, bool); 10] = [
    ("speed", false),
    ("port_state", false),
    ("port_type", false),
    ("port_id", true),
    ("port_name", true),
    ("fabric_name", true),
    ("symbolic_name", false),
    ("supported_classes", false),
    ("supported_speeds", false),
    ("dev_loss_tmo", false),
];
static COUNTS: [(&str, Descriptor); 14] = [
    ("dumped_frames", counter("node_fibrechannel_dumped_frames_total", "Frames dumped.")),
    ("error_frames", counter("node_fibrechannel_error_frames_total", "Frames with errors.")),
    ("invalid_crc_count", counter("node_fibrechannel_invalid_crc_total", "Frames with a wrong checksum.")),
    ("rx_frames", counter("node_fibrechannel_rx_frames_total", "Frames received.")),
    ("rx_words", counter("node_fibrechannel_rx_words_total", "Words received.")),
    ("tx_frames", counter("node_fibrechannel_tx_frames_total", "Frames sent.")),
    ("tx_words", counter("node_fibrechannel_tx_words_total", "Words sent.")),
    (
        "seconds_since_last_reset",
        counter("node_fibrechannel_seconds_since_last_reset_total", "Seconds since the counts began."),
    ),
    ("invalid_tx_word_count", counter("node_fibrechannel_invalid_tx_words_total", "Words sent that were not valid.")),
    ("link_failure_count", counter("node_fibrechannel_link_failure_total", "Failures of the link.")),
    ("loss_of_sync_count", counter("node_fibrechannel_loss_of_sync_total", "Losses of synchronisation.")),
    ("loss_of_signal_count", counter("node_fibrechannel_loss_of_signal_total", "Losses of the signal.")),
    ("nos_count", counter("node_fibrechannel_nos_total", "Sequences that say a port does not work.")),
    ("fcp_packet_aborts", counter("node_fibrechannel_fcp_packet_aborts_total", "Packets given up.")),
];

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("class/fc_host");
    let names = host.list(&all).map_err(|error| error.or_no_data("there is no Fibre Channel"))?;
    for name in names {
        let folder = all.join(&name);
        let mut words = Vec::with_capacity(WORDS.len());
        for (file, is_hex) in WORDS {
            // Drivers do not tell everything.
            let word = match files.line(&folder.join(file)) {
                Ok(word) => word,
                Err(error) => {
                    if !error.is_not_found() {
                        host.note(error);
                    }
                    String::new()
                }
            };
            let short = if is_hex { word.get(2..).filter(|rest| !rest.is_empty()) } else { None };
            words.push((file, short.map_or_else(|| word.clone(), str::to_owned)));
        }
        let by_host = ("fc_host", name.as_str());
        let labels: Vec<_> =
            std::iter::once(by_host).chain(words.iter().map(|(file, word)| (*file, word.as_str()))).collect();
        out.point(&FACTS, &labels, 1_u64);
        // A host that is switched off has no statistics.
        let off = words.iter().any(|(file, word)| *file == "port_state" && (word.is_empty() || word == "Unknown"));
        for (file, family) in &COUNTS {
            let path = folder.join("statistics").join(file);
            match files.line(&path) {
                Ok(line) => match count(&line) {
                    Some(u64::MAX) => {}
                    Some(value) => out.point(family, &[by_host], value),
                    None => host.note(Error::parse(&path, "a number", &line)),
                },
                Err(error) if error.is_not_found() && off => out.point(family, &[by_host], 0_u64),
                Err(error) if error.is_not_found() => {}
                Err(error) => host.note(error),
            }
        }
    }
    Ok(())
}

fn count(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => text::hex(digits),
        None => text::unsigned(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn hosts_tell_what_they_have() {
        let tree = Tree::new("fibrechannel", &[
            ("sys/class/fc_host/host0/port_state", "Online\n"),
            ("sys/class/fc_host/host0/port_id", "0x000002\n"),
            ("sys/class/fc_host/host0/statistics/rx_frames", "0x30\n"),
            ("sys/class/fc_host/host0/statistics/tx_frames", "0xffffffffffffffff\n"),
            ("sys/class/fc_host/host0/statistics/nos_count", "x\n"),
            ("sys/class/fc_host/host1/port_state", "Unknown\n"),
        ]);
        let mut files = KeptFiles::default();
        let (told, problems) = tree.read(|host, out| read(host, &mut files, out));
        assert_eq!(problems.len(), 1);
        assert!(told.iter().any(|line| line.contains(r#"port_id="000002""#)), "{told:?}");
        let of_host0 = told.iter().filter(|line| line.contains("host0")).count();
        assert_eq!(of_host0, 2, "what is not counted or makes no sense is left out: {told:?}");
        assert!(told.contains(&r#"node_fibrechannel_rx_frames{fc_host="host1"} 0"#.to_owned()));
    }
}
