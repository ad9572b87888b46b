//! Packets in words, for whoever wants to see what is sent and received (`--snmp.debug-packets`).
//!
//! Secrets stay where they are: communities are not shown, nor digests, nor what is encrypted. Of octets that are no
//! message only the number is told, since nobody knows what is among them.

use std::fmt;
use std::net::Ipv4Addr;

use crate::ber;
use crate::index::{hexadecimal, lossy};
use crate::message::{ErrorStatus, Message, Pdu, PduKind, Scoped, V3, Value, Version};
use crate::oid::Dotted;
use crate::usm::Parameters;

/// The octets of a message, shown as what they say.
pub(crate) struct Packet<'p>(pub(crate) &'p [u8]);

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Message::read(self.0) {
            Ok(Message::Community { version, mut pdu, .. }) => {
                let number = if version == Version::V1 { "1" } else { "2c" };
                write!(f, "version {number}, community <secret>, ")?;
                match Pdu::read(&mut pdu) {
                    Ok(pdu) => data_unit(f, &pdu),
                    Err(error) => write!(f, "no data unit: {error}"),
                }
            }
            Ok(Message::V3(message)) => version_3(f, &message),
            Err(error) => write!(f, "{} octets that are no message: {error}", self.0.len()),
        }
    }
}

fn version_3(f: &mut fmt::Formatter<'_>, message: &V3<'_>) -> fmt::Result {
    let level = match (message.flags & V3::AUTH != 0, message.flags & V3::PRIV != 0) {
        (false, false) => "noAuthNoPriv",
        (true, false) => "authNoPriv",
        (true, true) => "authPriv",
        (false, true) => "encrypted and not authenticated",
    };
    write!(f, "version 3, message {}, {level}, ", message.id)?;
    match Parameters::read(message.security) {
        Ok(Parameters { engine, boots, time, user, .. }) => {
            write!(f, "engine {} boots {boots} time {time}, user {:?}, ", hexadecimal(engine), lossy(user))?;
        }
        Err(error) => write!(f, "no user-based security: {error}, ")?,
    }
    if message.flags & V3::PRIV != 0 {
        return write!(f, "{} encrypted octets", message.data.rest().len());
    }
    match Scoped::read(&mut { message.data }) {
        Ok(Scoped { context, pdu, .. }) => {
            if !context.is_empty() {
                write!(f, "context {:?}, ", lossy(context))?;
            }
            data_unit(f, &pdu)
        }
        Err(error) => write!(f, "no data unit: {error}"),
    }
}

fn data_unit(f: &mut fmt::Formatter<'_>, pdu: &Pdu<'_>) -> fmt::Result {
    write!(f, "{:?} {}", pdu.kind, pdu.id)?;
    if pdu.kind == PduKind::GetBulk {
        // What is the error status of others is how many names are not repeated.
        write!(f, " once {} else {} times", pdu.status.0, pdu.index)?;
    } else if pdu.status != ErrorStatus::NO_ERROR {
        write!(f, " {} at {}", pdu.status, pdu.index)?;
    }
    let mut arcs = Vec::new();
    for (at, variable) in pdu.variables().enumerate() {
        f.write_str(if at == 0 { ": " } else { ", " })?;
        match variable {
            Ok((name, value)) => {
                oid(f, name, &mut arcs)?;
                show(f, &value, &mut arcs)?;
            }
            Err(error) => write!(f, "{error}")?,
        }
    }
    Ok(())
}

fn oid(f: &mut fmt::Formatter<'_>, content: &[u8], arcs: &mut Vec<u32>) -> fmt::Result {
    arcs.clear();
    match ber::arcs(content, arcs) {
        Some(()) => write!(f, "{}", Dotted(arcs)),
        None => f.write_str("no object identifier"),
    }
}

fn show(f: &mut fmt::Formatter<'_>, value: &Value<'_>, arcs: &mut Vec<u32>) -> fmt::Result {
    match *value {
        Value::Integer(v) => write!(f, " = {v}"),
        Value::Unsigned(v) | Value::Counter64(v) => write!(f, " = {v}"),
        Value::Float(v) => write!(f, " = {v}"),
        Value::Double(v) => write!(f, " = {v}"),
        Value::IpAddress(address) => write!(f, " = {}", Ipv4Addr::from(address)),
        Value::Oid(content) => {
            f.write_str(" = ")?;
            oid(f, content, arcs)
        }
        Value::Octets(octets) if octets.iter().all(|octet| matches!(octet, b' '..=b'~')) => {
            write!(f, " = {:?}", lossy(octets))
        }
        Value::Octets(octets) => write!(f, " = {}", hexadecimal(octets)),
        Value::Null => Ok(()), // names that are asked for have no value
        Value::NoSuchObject => f.write_str(" noSuchObject"),
        Value::NoSuchInstance => f.write_str(" noSuchInstance"),
        Value::EndOfMibView => f.write_str(" endOfMibView"),
        Value::Malformed(tag) => write!(f, " malformed, of tag 0x{tag:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ber::Writer;
    use crate::message::{Answer, Request, Unit as _};
    use crate::secret::Secret;
    use crate::usm::{self, AuthProtocol, Keys, PrivProtocol, User};

    const SYS_NAME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 5, 0];

    fn get_bulk() -> Request<'static> {
        Request { kind: PduKind::GetBulk, id: 7, repetitions: 25, names: &[&[1, 3, 6, 1, 2], &[1, 3, 7]] }
    }

    #[test]
    fn requests_and_responses() {
        let packet = get_bulk().with_community(Version::V2c, b"hunter2");
        assert_eq!(
            Packet(&packet).to_string(),
            "version 2c, community <secret>, GetBulk 7 once 0 else 25 times: 1.3.6.1.2, 1.3.7"
        );
        let mut variables = Writer::new();
        for (tag, content) in
            [(0x41, &[200][..]), (0x82, &[]), (ber::OCTET_STRING, &[0, 1]), (ber::OCTET_STRING, b"core\"1")]
        {
            variables.within(ber::SEQUENCE, |out| {
                out.value(tag, content);
                out.oid(&SYS_NAME);
            });
        }
        let (status, variables) = (ErrorStatus::NO_ERROR, variables.finish());
        let mut answer = Answer { kind: PduKind::Response, id: 7, status, index: 0, variables: &variables };
        assert_eq!(
            Packet(&answer.with_community(Version::V1, b"hunter2")).to_string(),
            "version 1, community <secret>, Response 7: 1.3.6.1.2.1.1.5.0 = \"core\\\"1\", 1.3.6.1.2.1.1.5.0 = 0x0001, \
             1.3.6.1.2.1.1.5.0 endOfMibView, 1.3.6.1.2.1.1.5.0 = 200"
        );
        (answer.status, answer.index, answer.variables) = (ErrorStatus::TOO_BIG, 2, &[]);
        let packet = answer.with_community(Version::V2c, b"hunter2");
        assert_eq!(Packet(&packet).to_string(), "version 2c, community <secret>, Response 7 tooBig at 2");
    }

    #[test]
    fn version_3_is_shown_as_far_as_it_is_no_secret() {
        let (password, privacy) = (Secret::new("authentic"), Secret::new("confidential"));
        let with = |keys: &Keys| {
            let to = Parameters::new(&[0x80, 0, 1], 3, 99, b"monitor");
            usm::seal(&get_bulk(), 7, b"blue", None, &to, keys, 1)
        };
        let head = "engine 0x800001 boots 3 time 99, user \"monitor\", ";
        let unit = "context \"blue\", GetBulk 7 once 0 else 25 times: 1.3.6.1.2, 1.3.7";
        let plain = with(&Keys::default());
        assert_eq!(Packet(&plain).to_string(), format!("version 3, message 7, noAuthNoPriv, {head}{unit}"));
        let user = User::new(
            "monitor",
            Some((AuthProtocol::Sha256, &password)),
            Some((PrivProtocol::Aes128, &privacy)),
        );
        let keys = user.keys(&[0x80, 0, 1]);
        let signed = with(&keys.without_privacy());
        assert_eq!(Packet(&signed).to_string(), format!("version 3, message 7, authNoPriv, {head}{unit}"));
        let sealed = Packet(&with(&keys)).to_string();
        let rest = sealed.strip_prefix(&format!("version 3, message 7, authPriv, {head}"));
        let octets = rest.and_then(|rest| rest.strip_suffix(" encrypted octets")).map(str::parse::<u16>);
        assert!(matches!(octets, Some(Ok(40..=80))), "{sealed}");
    }

    quickcheck::quickcheck! {
        /// Whatever a message is cut to or changed into, a community in it is not shown.
        fn communities_are_not_shown(cut: u8, at: u8, octet: u8) -> bool {
            let mut packet = get_bulk().with_community(Version::V2c, b"hunter2-hunter2");
            let at = usize::from(at) % packet.len();
            packet[at] = octet;
            packet.truncate(packet.len() - usize::from(cut) % 16);
            !Packet(&packet).to_string().contains("hunter2")
        }
    }
}
