//! The names of notifications.

use super::Dropped;
use crate::ber;
use crate::message::{Pdu, PduKind, TrapV1, Value};
use crate::oid::Oid;

/// `snmpTraps`, which the usual notifications are beneath (RFC 3418).
const USUAL: [u32; 9] = [1, 3, 6, 1, 6, 3, 1, 1, 5];
/// Their names, by arc from 1.
const USUAL_NAMES: [&str; 6] =
    ["coldStart", "warmStart", "linkDown", "linkUp", "authenticationFailure", "egpNeighborLoss"];
/// `snmpTrapOID.0`, the variable that says which notification it is.
const TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// What a version 1 notification is called in later versions (RFC 3584, section 3.1).
pub(super) fn of_version_1(trap: &TrapV1<'_>) -> Result<Oid, Dropped> {
    match u32::try_from(trap.generic) {
        Ok(generic @ 0..6) => Ok([&USUAL[..], &[generic + 1]].concat()[..].into()),
        Ok(6) => {
            let mut arcs = Vec::new();
            ber::arcs(trap.enterprise, &mut arcs).ok_or(Dropped::Malformed)?;
            arcs.extend([0, u32::try_from(trap.specific).map_err(|_| Dropped::Malformed)?]);
            Ok(arcs[..].into())
        }
        _ => Err(Dropped::Malformed),
    }
}

/// What a notification is called.
pub(super) fn of(pdu: &Pdu<'_>) -> Result<Oid, Dropped> {
    if !matches!(pdu.kind, PduKind::Trap | PduKind::Inform) {
        return Err(Dropped::NoNotification);
    }
    for variable in pdu.variables() {
        let (name, value) = variable.map_err(|_| Dropped::Malformed)?;
        let mut arcs = Vec::new();
        if ber::arcs(name, &mut arcs).is_none() || arcs != TRAP_OID {
            continue;
        }
        let Value::Oid(oid) = value else { break };
        arcs.clear();
        ber::arcs(oid, &mut arcs).ok_or(Dropped::Malformed)?;
        return Ok(arcs[..].into());
    }
    Err(Dropped::Malformed)
}

/// The word for a notification: one of the usual ones, or that it is none (RFC 1157, section 4.1.6).
pub(super) fn name(oid: &Oid) -> &'static str {
    let usual = match oid.strip_prefix(&USUAL[..]) {
        Some([arc]) => USUAL_NAMES.iter().zip(1..).find(|(_, usual)| usual == arc),
        _ => None,
    };
    usual.map_or("enterpriseSpecific", |(name, _)| name)
}
