//! `--snmp.debug-packets` shows what is sent and received, and no secret.

use std::net::UdpSocket;
use std::process::{Command, Stdio};

use openmetrics_snmp_bridge::agent::{self, Agent, Datum, Variables};
use openmetrics_snmp_bridge::asked::Asked;
use openmetrics_snmp_bridge::secret::Secret;
use openmetrics_snmp_bridge::usm::{AuthProtocol, PrivProtocol, User};

const CONFIG: &str = "
auths:
  v2: {version: 2, community: hunter2}
  signed: {version: 3, username: signed, security_level: authNoPriv, auth_protocol: SHA, password: hunter2-auth}
  sealed: {version: 3, username: sealed, security_level: authPriv, auth_protocol: SHA, password: hunter2-auth,
    priv_protocol: AES, priv_password: hunter2-priv}
modules:
  system:
    get: [1.3.6.1.2.1.1.5.0]
    metrics:
    - {name: sysName, oid: 1.3.6.1.2.1.1.5, type: DisplayString}
";

/// A device that plays until the test ends, and where it is.
fn device() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let (password, privacy) = (Secret::new("hunter2-auth"), Secret::new("hunter2-priv"));
    let auth = Some((AuthProtocol::Sha1, &password));
    let users = vec![
        User::new("signed", auth, None),
        User::new("sealed", auth, Some((PrivProtocol::Aes128, &privacy))),
    ];
    let agent = Agent { community: "hunter2".into(), users, ..Agent::default() };
    let name = Datum::Octets(b"core-switch".to_vec());
    let variables = Variables::from([("1.3.6.1.2.1.1.5.0".parse().unwrap(), name)]);
    std::thread::spawn(move || agent::serve(&agent, &socket, |_| variables.clone()));
    address
}

/// What `snmp-bridge try` writes to standard error.
fn logged(device: &str, auth: &str, flags: &[&str]) -> String {
    let port = device.rsplit(':').next().unwrap();
    let name = format!("snmp-bridge-packets-{}-{port}-{auth}.yml", std::process::id());
    let config = std::env::temp_dir().join(name);
    std::fs::write(&config, CONFIG).unwrap();
    let tried = Command::new(env!("CARGO_BIN_EXE_snmp-bridge"))
        .arg(format!("--config.file={}", config.display()))
        .args(flags)
        .args(["try", "--module=system", "--auth", auth, device])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    std::fs::remove_file(&config).unwrap();
    let page = String::from_utf8(tried.stdout).unwrap();
    assert!(page.contains("sysName{sysName=\"core-switch\"} 1"), "{page}");
    String::from_utf8(tried.stderr).unwrap()
}

#[test]
fn packets_are_shown_without_secrets() {
    let device = device();
    for (auth, sent, received) in [
        ("v2", "version 2c, community <secret>, Get ", " = \\\"core-switch\\\""),
        ("signed", "authNoPriv, engine 0x80", " = \\\"core-switch\\\""),
        ("sealed", "authPriv, engine 0x80", " encrypted octets"),
    ] {
        let log = logged(&device, auth, &["--snmp.debug-packets"]);
        let says = |direction: &str, words: &str| {
            log.lines().any(|line| line.contains(direction) && line.contains(words) && line.contains(&device))
        };
        assert!(says("msg=\"sent\"", sent) && says("msg=\"received\"", received), "{auth}: {log}");
        assert!(!log.contains("hunter2"), "{auth}: {log}");
        assert!(auth != "sealed" || !log.contains("core-switch"), "{log}");
    }
}

#[test]
fn nothing_but_the_flag_shows_packets() {
    let log = logged(&device(), "v2", &["--log.level=debug"]);
    assert!(!log.contains("packet="), "{log}");
    let asked = |parameters: &[(&str, &str)]| {
        let parameters: Vec<_> = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Asked::new(&parameters).unwrap()
    };
    let target = ("target", "192.0.2.1");
    assert_eq!(asked(&[target, ("snmp_debug_packets", "true")]), asked(&[target]));
}
