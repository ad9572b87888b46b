//! Notifications by the octet, and floods of them.

use openmetrics::format::{Format, encode};

use super::*;
use crate::secret::Secret;
use crate::usm::{self, AuthProtocol, Keys, PrivProtocol};

const CONFIG: &str = "auths: {public_v2: {version: 2}, other: {version: 1, community: 'inner circle'}, \
    safe: {version: 3, username: u, security_level: authPriv, auth_protocol: SHA, password: long enough, \
    priv_protocol: AES, priv_password: also long enough}}";

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// A version 1 linkDown as net-snmp's `snmptrap -v1 -c public HOST 1.3.6.1.4.1.8072 192.0.2.1 2 0 5` sends it.
const LINK_DOWN: [u8; 41] = [
    0x30, 39, 2, 1, 0, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa4, 26, 6, 7, 0x2b, 6, 1, 4, 1, 0xbf, 8,
    0x40, 4, 192, 0, 2, 1, 2, 1, 2, 2, 1, 0, 0x43, 1, 5, 0x30, 0,
];

/// The variables of a coldStart: `sysUpTime.0` and `snmpTrapOID.0`.
const COLD_START: [u8; 41] = [
    0x30, 14, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 0x43, 2, 1, 0, 0x30, 23, 6, 10, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1,
    0, 6, 9, 0x2b, 6, 1, 6, 3, 1, 1, 5, 1,
];
const COLD_START_COUNTED: &str =
    r#"snmp_traps_received_total{trap="1.3.6.1.6.3.1.1.5.1",source="192.0.2.7",name="coldStart"} 1"#;

/// A notification, which has the shape of an answer.
fn cold_start(kind: PduKind) -> Answer<'static> {
    Answer { kind, id: 9, status: ErrorStatus::NO_ERROR, index: 0, variables: &COLD_START }
}

struct Told {
    receiver: Receiver,
    config: Config,
}

impl Told {
    fn new(series: usize) -> Self {
        let config = Config::parse(CONFIG).unwrap();
        Self { receiver: Receiver::new(series, AllowList::default()), config }
    }

    fn take(&self, octets: &[u8], seconds: u64) -> Option<Vec<u8>> {
        self.receiver.take(octets, SOURCE, &self.config, Duration::from_secs(seconds))
    }

    /// The counts, without help and types.
    fn counts(&self) -> Vec<String> {
        let mut page = Vec::new();
        encode(&self.receiver, Format::TEXT_0_0_4, &mut page);
        let page = String::from_utf8(page).unwrap();
        let lines = page.lines().filter(|line| !line.starts_with('#') && !line.contains("timestamp"));
        lines.map(str::to_owned).collect()
    }
}

#[test]
fn a_version_1_trap_has_the_name_of_later_versions() {
    let told = Told::new(10);
    assert_eq!(told.take(&LINK_DOWN, 0), None);
    let mut own = LINK_DOWN;
    (own[32], own[35]) = (6, 42);
    told.take(&own, 0);
    assert_eq!(
        told.counts(),
        [
            r#"snmp_traps_received_total{trap="1.3.6.1.4.1.8072.0.42",source="192.0.2.7",name="enterpriseSpecific"} 1"#,
            r#"snmp_traps_received_total{trap="1.3.6.1.6.3.1.1.5.3",source="192.0.2.7",name="linkDown"} 1"#,
        ]
    );
}

#[test]
fn informs_are_answered_with_themselves_and_traps_are_not() {
    let told = Told::new(10);
    let inform = cold_start(PduKind::Inform).with_community(Version::V2c, b"public");
    let answer = cold_start(PduKind::Response).with_community(Version::V2c, b"public");
    assert_eq!(told.take(&inform, 0), Some(answer));
    assert_eq!(told.counts(), [COLD_START_COUNTED]);
    let trap = cold_start(PduKind::Trap).with_community(Version::V2c, b"inner circle");
    assert_eq!(told.take(&trap, 0), None);
    assert_eq!(told.counts(), [COLD_START_COUNTED.replace("} 1", "} 2")]);
}

#[test]
fn what_is_none_of_our_notifications_is_dropped_with_a_reason() {
    let told = Told::new(10);
    let nameless = Answer { variables: COLD_START.get(..16).unwrap(), ..cold_start(PduKind::Inform) };
    for (octets, reason) in [
        (b"GET / HTTP/1.0".to_vec(), "malformed"),
        (LINK_DOWN.get(..40).unwrap().to_vec(), "malformed"),
        (nameless.with_community(Version::V2c, b"public"), "malformed"),
        (cold_start(PduKind::Trap).with_community(Version::V2c, b"private"), "community"),
        (cold_start(PduKind::Inform).with_community(Version::V2c, b""), "community"),
        (cold_start(PduKind::Get).with_community(Version::V2c, b"public"), "no_notification"),
    ] {
        let told_before = told.counts();
        assert_eq!(told.take(&octets, 0), None);
        assert!(
            told.counts().iter().any(|line| line.contains(reason) && !told_before.contains(line)),
            "{reason}"
        );
    }
    assert!(told.counts().iter().all(|line| line.starts_with("snmp_traps_dropped_total")));
    let elsewhere: crate::access::Allowed = "10.0.0.0/8".parse().unwrap();
    let strict = Told { receiver: Receiver::new(10, [elsewhere].into_iter().collect()), ..told };
    strict.take(&LINK_DOWN, 0);
    assert_eq!(strict.counts(), [r#"snmp_traps_dropped_total{reason="source"} 1"#]);
}

#[test]
fn a_flood_of_different_notifications_takes_no_more_room_than_was_set() {
    let told = Told::new(3);
    let mut trap = LINK_DOWN;
    trap[32] = 6;
    for specific in 0..100 {
        trap[35] = specific;
        told.take(&trap, 0);
    }
    let counts = told.counts();
    assert_eq!(counts.len(), 4);
    assert_eq!(
        counts.last().unwrap(),
        r#"snmp_traps_received_total{trap="other",source="other",name="other"} 97"#
    );
}

fn secrets() -> (Secret, Secret) {
    (Secret::new("long enough"), Secret::new("also long enough"))
}

/// A sealed notification of the user `u` for this engine at this time.
fn sealed(kind: PduKind, engine: &[u8], boots: i32, time: i32) -> Vec<u8> {
    let (auth, privacy) = secrets();
    let (auth, privacy) = ((AuthProtocol::Sha1, &auth), (PrivProtocol::Aes128, &privacy));
    let keys = User::new("u", Some(auth), Some(privacy)).keys(engine);
    let to = Parameters::new(engine, boots, time, b"u");
    usm::seal(&cold_start(kind), 5, b"", None, &to, &keys, 77)
}

#[test]
fn traps_of_version_3_are_under_the_senders_keys_and_clock() {
    let told = Told::new(10);
    let engine = b"\x80\0\x1f\x88\x04sender";
    assert_eq!(told.take(&sealed(PduKind::Trap, engine, 2, 1000), 0), None);
    assert_eq!(told.counts(), [COLD_START_COUNTED]);
    // Later by the same time on both clocks; then with one that is late, and one from an earlier start.
    told.take(&sealed(PduKind::Trap, engine, 2, 1600), 600);
    for (boots, time) in [(2, 1449), (1, 5000)] {
        told.take(&sealed(PduKind::Trap, engine, boots, time), 600);
    }
    told.take(&sealed(PduKind::Trap, engine, 3, 0), 700);
    let mut changed = sealed(PduKind::Trap, engine, 3, 10);
    *changed.last_mut().unwrap() ^= 1;
    told.take(&changed, 700);
    let stranger = usm::seal(
        &cold_start(PduKind::Trap),
        5,
        b"",
        None,
        &Parameters::new(engine, 3, 10, b"stranger"),
        &Keys::default(),
        1,
    );
    told.take(&stranger, 700);
    assert_eq!(
        told.counts(),
        [
            &*COLD_START_COUNTED.replace("} 1", "} 3"),
            r#"snmp_traps_dropped_total{reason="not_in_time"} 2"#,
            r#"snmp_traps_dropped_total{reason="unknown_user"} 1"#,
            r#"snmp_traps_dropped_total{reason="wrong_digest"} 1"#,
        ]
    );
}

#[test]
fn informs_of_version_3_are_under_our_keys_and_clock() {
    let told = Told::new(10);
    // Who wants to inform asks for our engine's name first, and then for its clock.
    let report = told.take(&sealed(PduKind::Inform, b"", 0, 0), 1000).unwrap();
    let Ok(Message::V3(report)) = Message::read(&report) else { panic!("a report") };
    let engine = Parameters::read(report.security).unwrap().engine.to_vec();
    assert_eq!(told.counts(), [""; 0], "asking is no fault");
    let report = told.take(&sealed(PduKind::Inform, &engine, 0, 0), 1000).unwrap();
    let Ok(Message::V3(report)) = Message::read(&report) else { panic!("a report") };
    let clock = Parameters::read(report.security).unwrap();
    assert_eq!((report.flags, clock.time), (V3::AUTH, 1000));
    let octets = told.take(&sealed(PduKind::Inform, &engine, clock.boots, clock.time), 1002).unwrap();
    let Ok(Message::V3(answer)) = Message::read(&octets) else { panic!("an answer") };
    let (auth, privacy) = secrets();
    let user = User::new("u", Some((AuthProtocol::Sha1, &auth)), Some((PrivProtocol::Aes128, &privacy)));
    let (from, mut plain) = (Parameters::read(answer.security).unwrap(), Vec::new());
    let scoped = usm::open(&octets, &answer, &from, &user.keys(&engine), &mut plain).unwrap();
    assert_eq!(
        (scoped.pdu.kind, scoped.pdu.id, scoped.pdu.encoded_variables()),
        (PduKind::Response, 9, &COLD_START[..])
    );
    assert_eq!(told.counts(), [COLD_START_COUNTED, r#"snmp_traps_dropped_total{reason="not_in_time"} 1"#]);
}

quickcheck::quickcheck! {
    fn any_octets_are_counted_or_dropped(octets: Vec<u8>) -> bool {
        let told = Told::new(3);
        let answer = told.take(&octets, 0);
        answer.is_none() && told.counts().len() == 1
    }
}
