//! Any octets as a message with a community: every variable is read, and every value as every text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openmetrics_snmp_bridge::ber;
use openmetrics_snmp_bridge::config::TextType;
use openmetrics_snmp_bridge::message::{Message, Pdu};
use openmetrics_snmp_bridge::value;

fuzz_target!(|octets: &[u8]| {
    let Ok(Message::Community { mut pdu, .. }) = Message::read(octets) else { return };
    let Ok(pdu) = Pdu::read(&mut pdu) else { return };
    let mut arcs = Vec::new();
    for (name, value) in pdu.variables().flatten() {
        arcs.clear();
        let _ = ber::arcs(name, &mut arcs);
        for text_type in [TextType::OctetString, TextType::DisplayString, TextType::InetAddress, TextType::LldpPortId] {
            let _ = value::text(&value, Some(&text_type), Some("*1x:/2d-"));
        }
        let _ = value::number(&value, true);
    }
});
