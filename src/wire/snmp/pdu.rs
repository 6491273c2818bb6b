//! Values, varbinds and PDUs (RFC 3416 section 3; RFC 1157 for v1, whose PDUs have the same shape but for the trap).
//!
//! Never here: what a value means. A PDU is read whole or not at all: a varbind that is not understood makes an error,
//! never a shorter list.

use super::ber::{self, DecodeError, Reader, Writer};
use snmp2::snmp;

/// More than a datagram of use holds; keeps a list of empty varbinds from costing more than the datagram.
const MAX_VARBINDS: usize = 4_096;

/// What a PDU asks or says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PduKind {
    /// GetRequest.
    Get,
    /// GetNextRequest.
    GetNext,
    /// Response.
    Response,
    /// SetRequest (never sent).
    Set,
    /// GetBulkRequest.
    GetBulk,
    /// InformRequest.
    Inform,
    /// SNMPv2-Trap.
    Trap,
    /// Report.
    Report,
}

impl PduKind {
    fn tag(self) -> u8 {
        match self {
            PduKind::Get => snmp::MSG_GET,
            PduKind::GetNext => snmp::MSG_GET_NEXT,
            PduKind::Response => snmp::MSG_RESPONSE,
            PduKind::Set => snmp::MSG_SET,
            PduKind::GetBulk => snmp::MSG_GET_BULK,
            PduKind::Inform => snmp::MSG_INFORM,
            PduKind::Trap => snmp::MSG_TRAP,
            PduKind::Report => snmp::MSG_REPORT,
        }
    }

    fn of(tag: u8) -> Option<PduKind> {
        Some(match tag {
            snmp::MSG_GET => PduKind::Get,
            snmp::MSG_GET_NEXT => PduKind::GetNext,
            snmp::MSG_RESPONSE => PduKind::Response,
            snmp::MSG_SET => PduKind::Set,
            snmp::MSG_GET_BULK => PduKind::GetBulk,
            snmp::MSG_INFORM => PduKind::Inform,
            snmp::MSG_TRAP => PduKind::Trap,
            snmp::MSG_REPORT => PduKind::Report,
            _ => return None,
        })
    }
}

/// The value of a varbind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No value (requests).
    Null,
    /// INTEGER, Integer32.
    Integer(i64),
    /// OCTET STRING.
    OctetString(Vec<u8>),
    /// OBJECT IDENTIFIER.
    Oid(Vec<u32>),
    /// IpAddress.
    IpAddress([u8; 4]),
    /// Counter32.
    Counter32(u32),
    /// Gauge32, Unsigned32.
    Gauge32(u32),
    /// TimeTicks, 1/100 s.
    TimeTicks(u32),
    /// Opaque (net-snmp wraps floating point numbers in it).
    Opaque(Vec<u8>),
    /// Counter64.
    Counter64(u64),
    /// The agent has no such object.
    NoSuchObject,
    /// The agent has the object but not this instance.
    NoSuchInstance,
    /// The walk has passed the last object.
    EndOfMibView,
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarBind {
    /// The instance.
    pub oid: Vec<u32>,
    /// Its value.
    pub value: Value,
}

/// One PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// What it is.
    pub kind: PduKind,
    /// request-id.
    pub request_id: i32,
    /// error-status; non-repeaters in a GetBulk.
    pub error_status: u32,
    /// error-index, from 1; max-repetitions in a GetBulk.
    pub error_index: u32,
    /// The list.
    pub varbinds: Vec<VarBind>,
}

impl Pdu {
    /// A request for these instances.
    pub fn request(kind: PduKind, request_id: i32, oids: &[Vec<u32>]) -> Pdu {
        let varbinds = oids.iter().map(|oid| VarBind {
            oid: oid.clone(),
            value: Value::Null,
        });
        Pdu {
            kind,
            request_id,
            error_status: 0,
            error_index: 0,
            varbinds: varbinds.collect(),
        }
    }

    /// Writes the PDU.
    pub fn write(&self, w: &mut Writer) {
        let whole = w.mark();
        for varbind in self.varbinds.iter().rev() {
            let mark = w.mark();
            varbind.value.write(w);
            w.oid(&varbind.oid);
            w.header(ber::SEQUENCE, mark);
        }
        w.header(ber::SEQUENCE, whole);
        w.signed(ber::INTEGER, i64::from(self.error_index));
        w.signed(ber::INTEGER, i64::from(self.error_status));
        w.signed(ber::INTEGER, i64::from(self.request_id));
        w.header(self.kind.tag(), whole);
    }

    /// Reads the PDU that stands next.
    ///
    /// # Errors
    /// When anything of it is not as RFC 3416 has it. (The v1 trap has another shape and is refused by its tag.)
    pub fn read(r: &mut Reader<'_>) -> Result<Pdu, DecodeError> {
        let tag = r.peek()?;
        let kind = PduKind::of(tag).ok_or(DecodeError::Tag { found: tag })?;
        let mut r = r.constructed(tag)?;
        let id = r.integer(i64::from(i32::MIN), i64::from(i32::MAX))?;
        let error_status = r.unsigned31()?;
        let error_index = r.unsigned31()?;
        let mut list = r.constructed(ber::SEQUENCE)?;
        r.end()?;
        let mut varbinds = Vec::new();
        while list.left() > 0 {
            if varbinds.len() == MAX_VARBINDS {
                return Err(DecodeError::Count);
            }
            let mut entry = list.constructed(ber::SEQUENCE)?;
            let oid = ber::oid(entry.contents(ber::OBJECT_IDENTIFIER)?)?;
            let value = Value::read(&mut entry)?;
            entry.end()?;
            varbinds.push(VarBind { oid, value });
        }
        Ok(Pdu {
            kind,
            request_id: i32::try_from(id).map_err(|_| DecodeError::Range)?,
            error_status,
            error_index,
            varbinds,
        })
    }
}

impl Value {
    /// Says that there is no value (v2 exceptions and NULL).
    pub fn is_absent(&self) -> bool {
        matches!(
            self,
            Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView
        )
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Value::Null => w.primitive(ber::NULL, &[]),
            Value::Integer(v) => w.signed(ber::INTEGER, *v),
            Value::OctetString(v) => w.primitive(ber::OCTET_STRING, v),
            Value::Oid(v) => w.oid(v),
            Value::IpAddress(v) => w.primitive(snmp::TYPE_IPADDRESS, v),
            Value::Counter32(v) => w.unsigned(snmp::TYPE_COUNTER32, u64::from(*v)),
            Value::Gauge32(v) => w.unsigned(snmp::TYPE_GAUGE32, u64::from(*v)),
            Value::TimeTicks(v) => w.unsigned(snmp::TYPE_TIMETICKS, u64::from(*v)),
            Value::Opaque(v) => w.primitive(snmp::TYPE_OPAQUE, v),
            Value::Counter64(v) => w.unsigned(snmp::TYPE_COUNTER64, *v),
            Value::NoSuchObject => w.primitive(snmp::SNMP_NOSUCHOBJECT, &[]),
            Value::NoSuchInstance => w.primitive(snmp::SNMP_NOSUCHINSTANCE, &[]),
            Value::EndOfMibView => w.primitive(snmp::SNMP_ENDOFMIBVIEW, &[]),
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Value, DecodeError> {
        let tag = r.peek()?;
        let contents = r.contents(tag)?;
        let unsigned32 = || ber::unsigned(contents, 4).and_then(|v| u32::try_from(v).map_err(|_| DecodeError::Range));
        let empty = |value| contents.is_empty().then_some(value).ok_or(DecodeError::Range);
        match tag {
            ber::NULL => empty(Value::Null),
            ber::INTEGER => ber::signed(contents).map(Value::Integer),
            ber::OCTET_STRING => Ok(Value::OctetString(contents.to_vec())),
            ber::OBJECT_IDENTIFIER => ber::oid(contents).map(Value::Oid),
            snmp::TYPE_IPADDRESS => contents
                .try_into()
                .map(Value::IpAddress)
                .map_err(|_| DecodeError::Range),
            snmp::TYPE_COUNTER32 => unsigned32().map(Value::Counter32),
            snmp::TYPE_GAUGE32 => unsigned32().map(Value::Gauge32),
            snmp::TYPE_TIMETICKS => unsigned32().map(Value::TimeTicks),
            snmp::TYPE_OPAQUE => Ok(Value::Opaque(contents.to_vec())),
            snmp::TYPE_COUNTER64 => ber::unsigned(contents, 8).map(Value::Counter64),
            snmp::SNMP_NOSUCHOBJECT => empty(Value::NoSuchObject),
            snmp::SNMP_NOSUCHINSTANCE => empty(Value::NoSuchInstance),
            snmp::SNMP_ENDOFMIBVIEW => empty(Value::EndOfMibView),
            found => Err(DecodeError::Tag { found }),
        }
    }
}
