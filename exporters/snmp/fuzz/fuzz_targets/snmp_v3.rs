//! Any octets as a version 3 message, opened with keys.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use openmetrics_snmp_bridge::message::Message;
use openmetrics_snmp_bridge::secret::Secret;
use openmetrics_snmp_bridge::usm::{AuthProtocol, Keys, Parameters, PrivProtocol, User, open};

static KEYS: LazyLock<[Keys; 2]> = LazyLock::new(|| {
    let secret = Secret::new("maplesyrup");
    let auth = Some((AuthProtocol::Md5, &secret));
    [PrivProtocol::Des, PrivProtocol::Aes128].map(|cipher| User::new("u", auth, Some((cipher, &secret))).keys(b"engine"))
});

fuzz_target!(|octets: &[u8]| {
    let Ok(Message::V3(message)) = Message::read(octets) else { return };
    let Ok(from) = Parameters::read(message.security) else { return };
    for keys in &*KEYS {
        let _ = open(octets, &message, &from, keys, &mut Vec::new());
    }
});
