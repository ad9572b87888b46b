//! Faults of IPsec, from `/proc/net/xfrm_stat`:
//!
//! ```text
//! XfrmInError                     4
//! ```

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::counter;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "xfrm",
    enabled: false,
    about: "faults of IPsec",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

/// Lines and families; a line that is not there counts as zero.
static FAMILIES: [(&str, Descriptor); 28] = [
    ("XfrmInError", counter("node_xfrm_in_error_packets_total", "All other faults of packets received.")),
    ("XfrmInBufferError", counter("node_xfrm_in_buffer_error_packets_total", "There was no buffer.")),
    ("XfrmInHdrError", counter("node_xfrm_in_hdr_error_packets_total", "The header was broken.")),
    ("XfrmInNoStates", counter("node_xfrm_in_no_states_packets_total", "No security association was found.")),
    ("XfrmInStateProtoError", counter("node_xfrm_in_state_proto_error_packets_total", "The protocol failed, such as by a wrong key.")),
    ("XfrmInStateModeError", counter("node_xfrm_in_state_mode_error_packets_total", "The mode failed.")),
    ("XfrmInStateSeqError", counter("node_xfrm_in_state_seq_error_packets_total", "The sequence number was out of the window.")),
    ("XfrmInStateExpired", counter("node_xfrm_in_state_expired_packets_total", "The association had expired.")),
    ("XfrmInStateMismatch", counter("node_xfrm_in_state_mismatch_packets_total", "The association had another encapsulation.")),
    ("XfrmInStateInvalid", counter("node_xfrm_in_state_invalid_packets_total", "The association was not valid.")),
    ("XfrmInTmplMismatch", counter("node_xfrm_in_tmpl_mismatch_packets_total", "No template of the policy fitted.")),
    ("XfrmInNoPols", counter("node_xfrm_in_no_pols_packets_total", "No policy was found.")),
    ("XfrmInPolBlock", counter("node_xfrm_in_pol_block_packets_total", "The policy blocked it.")),
    ("XfrmInPolError", counter("node_xfrm_in_pol_error_packets_total", "The policy failed.")),
    ("XfrmOutError", counter("node_xfrm_out_error_packets_total", "All other faults of packets to be sent.")),
    ("XfrmOutBundleGenError", counter("node_xfrm_out_bundle_gen_error_packets_total", "No bundle could be made.")),
    ("XfrmOutBundleCheckError", counter("node_xfrm_out_bundle_check_error_packets_total", "The bundle was not good any more.")),
    ("XfrmOutNoStates", counter("node_xfrm_out_no_states_packets_total", "No security association was found on the way out.")),
    ("XfrmOutStateProtoError", counter("node_xfrm_out_state_proto_error_packets_total", "The protocol failed on the way out.")),
    ("XfrmOutStateModeError", counter("node_xfrm_out_state_mode_error_packets_total", "The mode failed on the way out.")),
    ("XfrmOutStateSeqError", counter("node_xfrm_out_state_seq_error_packets_total", "The sequence number overflowed.")),
    ("XfrmOutStateExpired", counter("node_xfrm_out_state_expired_packets_total", "The association had expired on the way out.")),
    ("XfrmOutPolBlock", counter("node_xfrm_out_pol_block_packets_total", "The policy blocked it on the way out.")),
    ("XfrmOutPolDead", counter("node_xfrm_out_pol_dead_packets_total", "The policy was dead.")),
    ("XfrmOutPolError", counter("node_xfrm_out_pol_error_packets_total", "The policy failed on the way out.")),
    ("XfrmFwdHdrError", counter("node_xfrm_fwd_hdr_error_packets_total", "The packet may not be forwarded.")),
    ("XfrmOutStateInvalid", counter("node_xfrm_out_state_invalid_packets_total", "The association was not valid on the way out.")),
    ("XfrmAcquireError", counter("node_xfrm_acquire_error_packets_total", "The association was not there yet.")),
];

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("net/xfrm_stat");
    let text = host.text(&path)?;
    let mut values = [0; FAMILIES.len()];
    for line in text.lines() {
        let words: Vec<&str> = text::words(line).collect();
        let [name, value] = words.as_slice() else {
            host.note(Error::parse(&path, "a name and a number", line));
            continue;
        };
        let Some(value) = text::signed(value) else {
            host.note(Error::parse(&path, "a name and a number", line));
            continue;
        };
        if let Some((_, slot)) = FAMILIES.iter().zip(&mut values).find(|((known, _), _)| known == name) {
            *slot = value;
        }
    }
    for ((_, family), value) in FAMILIES.iter().zip(values) {
        out.point(family, &[], value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn known_lines_count() {
        let text = "XfrmInError                     4\nXfrmNew 1\nXfrmInHdrError x\n";
        let (told, problems) = Tree::new("xfrm", &[("proc/net/xfrm_stat", text)]).read(read);
        assert_eq!(told.first().map(String::as_str), Some("node_xfrm_in_error_packets 4"));
        assert_eq!((told.len(), problems.len()), (28, 1));
    }
}
