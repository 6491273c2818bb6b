//! Notifications: the v1 Trap-PDU (RFC 1157 section 4.1.6), SNMPv2-Trap and InformRequest (RFC 3416 section 4.2.6 and 4.2.7), and the
//! messages that go back: the Response to an inform, the Report of an engine (RFC 3414 section 3.2).
//!
//! A v1 trap is mapped to the notification it would be in v2 (RFC 3584 section 3.1).
//!
//! Never here: whether a notification is believed, or what it means.

use super::ber::{self, DecodeError, Reader};
use super::message::{self, V3Message};
use super::pdu::{Pdu, PduKind, PduView, Value, ValueView, VarBind, VarBindView};
use super::{Message, Version};
use snmp2::snmp;

/// sysUpTime.0, the contents of its object identifier: the first varbind of every v2 notification.
const SYS_UP_TIME: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 3, 0];
/// snmpTrapOID.0: the second.
const SNMP_TRAP_OID: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// snmpTraps: coldStart is .1, the others follow in the order of the generic traps of v1.
const SNMP_TRAPS: [u32; 9] = [1, 3, 6, 1, 6, 3, 1, 1, 5];
/// Generic traps of v1 end here; this one means "see the specific trap of the enterprise".
const ENTERPRISE_SPECIFIC: u32 = 6;

/// A notification where it stands in the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// As which version it came.
    pub version: Version,
    /// sysUpTime of the sender, TimeTicks (1/100 s).
    pub uptime: u32,
    /// snmpTrapOID; of a v1 trap, what RFC 3584 maps it to.
    pub oid: Vec<u32>,
    /// agent-addr of a v1 trap: whatever the sender wrote there.
    pub agent_address: Option<[u8; 4]>,
    /// What comes with it, without sysUpTime and snmpTrapOID.
    pub varbinds: Vec<VarBindView<'a>>,
    /// request-id; 0 in a v1 trap, which has none.
    pub request_id: i32,
    /// The sender waits for a Response.
    pub confirmed: bool,
}

/// What stands in a datagram to the port for notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// v1 or v2c: readable by anybody who knows no secret but the community.
    Community {
        /// As received.
        community: &'a [u8],
        /// The notification.
        notification: Notification<'a>,
        /// The PDU of an inform, for [`response`].
        inform: Option<PduView<'a>>,
    },
    /// v3: its PDU is read by [`of_pdu`] after it has been authenticated and decrypted.
    V3(V3Message<'a>),
}

/// Reads one datagram.
///
/// # Errors
/// When it is not exactly one message, or no notification.
pub fn decode(bytes: &[u8]) -> Result<Received<'_>, DecodeError> {
    if let Some((community, notification)) = v1(bytes)? {
        return Ok(Received::Community {
            community,
            notification,
            inform: None,
        });
    }
    match message::decode(bytes)? {
        Message::V3(message) => Ok(Received::V3(message)),
        Message::Community {
            version,
            community,
            pdu,
        } => {
            // RFC 1157 knows neither of the PDUs of v2.
            let Version::V2c = version else {
                return Err(DecodeError::Version(version.number()));
            };
            let notification = of_pdu(&pdu, version)?;
            let inform = notification.confirmed.then_some(pdu);
            Ok(Received::Community {
                community,
                notification,
                inform,
            })
        }
    }
}

/// A message of v1 that holds a Trap-PDU: its community and the trap. `None`: it is something else.
fn v1(bytes: &[u8]) -> Result<Option<(&[u8], Notification<'_>)>, DecodeError> {
    let mut outer = Reader::new(bytes);
    let mut r = outer.constructed(ber::SEQUENCE)?;
    outer.end()?;
    if r.integer(i64::MIN, i64::MAX)? != Version::V1.number() {
        return Ok(None);
    }
    let community = r.contents(ber::OCTET_STRING)?;
    let found = r.peek()?;
    if found != snmp::MSG_TRAP_V1 {
        return Err(DecodeError::Tag { found });
    }
    let mut trap = r.constructed(snmp::MSG_TRAP_V1)?;
    r.end()?;
    let enterprise = ber::oid(trap.contents(ber::OBJECT_IDENTIFIER)?)?;
    let agent = trap.contents(snmp::TYPE_IPADDRESS)?;
    let agent: [u8; 4] = agent.try_into().map_err(|_| DecodeError::Range)?;
    let generic = trap.integer(0, i64::from(ENTERPRISE_SPECIFIC))?;
    let specific = trap.unsigned31()?;
    let uptime = ber::unsigned(trap.contents(snmp::TYPE_TIMETICKS)?, 4)?;
    let varbinds = super::pdu::read_varbinds(trap.constructed(ber::SEQUENCE)?)?;
    trap.end()?;
    let notification = Notification {
        version: Version::V1,
        uptime: u32::try_from(uptime).map_err(|_| DecodeError::Range)?,
        oid: mapped(
            enterprise,
            u32::try_from(generic).unwrap_or(ENTERPRISE_SPECIFIC),
            specific,
        ),
        agent_address: Some(agent),
        varbinds,
        request_id: 0,
        confirmed: false,
    };
    Ok(Some((community, notification)))
}

/// RFC 3584 section 3.1 (2) and (3).
fn mapped(mut enterprise: Vec<u32>, generic: u32, specific: u32) -> Vec<u32> {
    if generic == ENTERPRISE_SPECIFIC {
        enterprise.extend([0, specific]);
        return enterprise;
    }
    SNMP_TRAPS.into_iter().chain([generic + 1]).collect()
}

/// The notification of a v2 PDU.
///
/// # Errors
/// When it is another kind of PDU, or does not begin with sysUpTime.0 and snmpTrapOID.0 (RFC 3416 section 4.2.6).
pub fn of_pdu<'a>(pdu: &PduView<'a>, version: Version) -> Result<Notification<'a>, DecodeError> {
    let confirmed = match pdu.kind {
        PduKind::Trap => false,
        PduKind::Inform => true,
        _ => return Err(DecodeError::NoNotification),
    };
    let [first, second, rest @ ..] = pdu.varbinds.as_slice() else {
        return Err(DecodeError::NoNotification);
    };
    let (ValueView::TimeTicks(uptime), ValueView::Oid(oid)) = (first.value, second.value) else {
        return Err(DecodeError::NoNotification);
    };
    if first.name != SYS_UP_TIME || second.name != SNMP_TRAP_OID {
        return Err(DecodeError::NoNotification);
    }
    Ok(Notification {
        version,
        uptime,
        oid: ber::oid(oid)?,
        agent_address: None,
        varbinds: rest.to_vec(),
        request_id: pdu.request_id,
        confirmed,
    })
}

/// The Response to an inform: the same request-id and varbinds, no error (RFC 3416 section 4.2.7).
pub fn response(inform: &PduView<'_>) -> Pdu {
    Pdu {
        kind: PduKind::Response,
        error_status: 0,
        error_index: 0,
        ..inform.to_pdu()
    }
}

/// The Report that a message of v3 earned: one counter of usmStats and its value.
pub fn report(request_id: i32, counter: &[u32], value: u32) -> Pdu {
    Pdu {
        kind: PduKind::Report,
        request_id,
        error_status: 0,
        error_index: 0,
        varbinds: vec![VarBind {
            oid: counter.to_vec(),
            value: Value::Counter32(value),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_names_are_what_they_say() {
        assert_eq!(ber::oid(SYS_UP_TIME).unwrap(), [1, 3, 6, 1, 2, 1, 1, 3, 0]);
        assert_eq!(ber::oid(SNMP_TRAP_OID).unwrap(), [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0]);
    }

    #[test]
    fn generic_traps_become_snmp_traps_and_specific_ones_belong_to_their_enterprise() {
        let linkdown = mapped(vec![1, 3, 6, 1, 4, 1, 9], 2, 77);
        assert_eq!(linkdown, [1, 3, 6, 1, 6, 3, 1, 1, 5, 3]);
        let apc = mapped(vec![1, 3, 6, 1, 4, 1, 318], 6, 5);
        assert_eq!(apc, [1, 3, 6, 1, 4, 1, 318, 0, 5]);
    }
}
