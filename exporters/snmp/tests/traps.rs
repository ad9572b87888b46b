//! net-snmp's `snmptrap` and `snmpinform` as the devices (Debian's package `snmp`). An inform is sent last: once it is
//! answered, everything before it has been counted.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::sync::Arc;

use openmetrics::format::{Format, encode};
use openmetrics_snmp_bridge::access::AllowList;
use openmetrics_snmp_bridge::bridge::{Bridge, Options};
use openmetrics_snmp_bridge::config::Config;
use openmetrics_snmp_bridge::traps::{Receiver, listen};
use xtask::Folder;

const CONFIG: &str = "auths: {public_v2: {version: 2}, \
    signed: {version: 3, username: signer, security_level: authNoPriv, auth_protocol: SHA256, password: long enough}, \
    safe: {version: 3, username: keeper, security_level: authPriv, auth_protocol: SHA, password: long enough, \
    priv_protocol: AES, priv_password: also long enough}}";

const LINK_UP: &str = "1.3.6.1.6.3.1.1.5.4";
const SIGNED: [&str; 9] = ["-v3", "-u", "signer", "-l", "authNoPriv", "-a", "SHA-256", "-A", "long enough"];
const SAFE: [&str; 13] = [
    "-v3",
    "-u",
    "keeper",
    "-l",
    "authPriv",
    "-a",
    "SHA",
    "-A",
    "long enough",
    "-x",
    "AES",
    "-X",
    "also long enough",
];

/// Sends with net-snmp; false if it is not there. Its own state stays in a folder of the test.
fn send(folder: &Folder, program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program)
        .args(["-t", "20", "-r", "2"])
        .args(arguments)
        .env("SNMPCONFPATH", folder.path())
        .env("SNMP_PERSISTENT_DIR", folder.path())
        .env("MIBS", "")
        .output();
    match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {arguments:?}: {said}");
            true
        }
        Err(error) => {
            println!("left out: {program}: {error}; Debian's package snmp has it");
            false
        }
    }
}

#[test]
fn traps_and_informs_of_net_snmp() {
    let folder = Folder::new("traps");
    let config = Config::parse(CONFIG).unwrap();
    let options = Options { wrap: true, ..Options::default() };
    let bridge = Bridge::new(config, options);
    let receiver = Arc::new(Receiver::new(100, AllowList::default()));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = socket.local_addr().unwrap().to_string();
    let counting = receiver.clone();
    std::thread::spawn(move || listen(&counting, &socket, &bridge));

    let version_1 = ["-v1", "-c", "public", &at, "1.3.6.1.4.1.8072.2.3", "192.0.2.1", "6", "17", "1"];
    if !send(&folder, "snmptrap", &version_1) {
        return;
    }
    send(&folder, "snmptrap", &["-v2c", "-c", "public", &at, "", LINK_UP]);
    send(&folder, "snmptrap", &["-v2c", "-c", "wrong", &at, "", LINK_UP]);
    let with =
        |user: &[&'static str], more: &[&'static str]| [user, more, &[at.as_str(), "", LINK_UP]].concat();
    send(&folder, "snmptrap", &with(&SAFE, &["-e", "0x8000000001020304"]));
    send(&folder, "snmptrap", &with(&SIGNED, &["-e", "0x8000000001020305"]));
    send(&folder, "snmpinform", &["-v2c", "-c", "public", &at, "", LINK_UP]);
    send(&folder, "snmpinform", &with(&SAFE, &[]));

    let mut page = Vec::new();
    encode(&*receiver, Format::TEXT_0_0_4, &mut page);
    let page = String::from_utf8(page).unwrap();
    for line in [
        r#"snmp_traps_received_total{trap="1.3.6.1.4.1.8072.2.3.0.17",source="127.0.0.1",name="enterpriseSpecific"} 1"#,
        r#"snmp_traps_received_total{trap="1.3.6.1.6.3.1.1.5.4",source="127.0.0.1",name="linkUp"} 5"#,
        r#"snmp_traps_dropped_total{reason="community"} 1"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}
