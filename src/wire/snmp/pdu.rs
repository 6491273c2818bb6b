//! Values, varbinds and PDUs (RFC 3416 section 3; RFC 1157 for v1, whose PDUs have the same shape but for the trap).
//!
//! Never here: what a value means. The list is read whole or not at all: names, lengths and the number of varbinds are exact, or there is
//! no list. A value that is not as its type has it costs that value alone: it is [`ValueView::Unreadable`], never a guess.

use super::ber::{self, DecodeError, Reader, Writer};
use snmp2::snmp;

/// More than a datagram of use holds; keeps a list of empty varbinds from costing more than the datagram.
const MAX_VARBINDS: usize = 4_096;

/// UInteger32 of SNMPv2 as it was first (RFC 1442), which Gauge32 took the place of; there are agents that still write it.
const UINTEGER32: u8 = 0x47;
/// The low bits of a tag that goes on in the next octet.
const HIGH_TAG: u8 = 0x1f;
/// Contents of the object identifier 0.0.
const ZERO_DOT_ZERO: &[u8] = &[0];

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
    /// Not as its type has it, or of a type that SNMP does not have.
    Unreadable {
        /// As received.
        tag: u8,
        /// As received.
        contents: Vec<u8>,
        /// What is wrong with it.
        why: DecodeError,
    },
}

/// A value where it stands in the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueView<'a> {
    /// No value (requests).
    Null,
    /// INTEGER, Integer32.
    Integer(i64),
    /// OCTET STRING.
    OctetString(&'a [u8]),
    /// OBJECT IDENTIFIER: its contents, which are well-formed.
    Oid(&'a [u8]),
    /// IpAddress.
    IpAddress([u8; 4]),
    /// Counter32.
    Counter32(u32),
    /// Gauge32, Unsigned32.
    Gauge32(u32),
    /// TimeTicks, 1/100 s.
    TimeTicks(u32),
    /// Opaque (net-snmp wraps floating point numbers in it).
    Opaque(&'a [u8]),
    /// Counter64.
    Counter64(u64),
    /// The agent has no such object.
    NoSuchObject,
    /// The agent has the object but not this instance.
    NoSuchInstance,
    /// The walk has passed the last object.
    EndOfMibView,
    /// Not as its type has it, or of a type that SNMP does not have.
    Unreadable {
        /// As received.
        tag: u8,
        /// As received.
        contents: &'a [u8],
        /// What is wrong with it.
        why: DecodeError,
    },
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarBind {
    /// The instance.
    pub oid: Vec<u32>,
    /// Its value.
    pub value: Value,
}

/// A name and its value where they stand in the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarBindView<'a> {
    /// The contents of the instance's object identifier, which are well-formed.
    pub name: &'a [u8],
    /// Its value.
    pub value: ValueView<'a>,
}

impl VarBindView<'_> {
    /// The instance as sub-identifiers.
    pub fn oid(&self) -> Vec<u32> {
        ber::oid(self.name).unwrap_or_default()
    }
}

/// One PDU where it stands in the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PduView<'a> {
    /// What it is.
    pub kind: PduKind,
    /// request-id.
    pub request_id: i32,
    /// error-status; non-repeaters in a GetBulk.
    pub error_status: u32,
    /// error-index, from 1; max-repetitions in a GetBulk.
    pub error_index: u32,
    /// The list.
    pub varbinds: Vec<VarBindView<'a>>,
}

/// The varbind list of a request, encoded once: names and no values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Names {
    /// The whole list, tag and length included.
    list: Box<[u8]>,
    /// Where the contents of each name stand in it.
    spans: Box<[(u16, u16)]>,
}

impl Names {
    /// The list of these instances.
    pub fn new<'o>(oids: impl DoubleEndedIterator<Item = &'o [u32]>) -> Names {
        let mut w = Writer::new();
        let mut from_end = Vec::new();
        for oid in oids.rev() {
            let mark = w.mark();
            w.primitive(ber::NULL, &[]);
            let name = w.mark();
            w.oid_contents(oid);
            from_end.push((w.mark(), name));
            w.header(ber::OBJECT_IDENTIFIER, name);
            w.header(ber::SEQUENCE, mark);
        }
        w.header(ber::SEQUENCE, 0);
        let list = w.finish().into_boxed_slice();
        let place = |end: usize| u16::try_from(list.len() - end).unwrap_or(u16::MAX);
        let spans = from_end
            .iter()
            .rev()
            .map(|(begin, end)| (place(*begin), place(*end)))
            .collect();
        Names { list, spans }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The contents of a name.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let (from, to) = self.spans.get(index)?;
        self.list.get(usize::from(*from)..usize::from(*to))
    }

    /// The same names in the same order?
    pub fn same(&self, varbinds: &[VarBindView<'_>]) -> bool {
        varbinds.len() == self.len() && varbinds.iter().enumerate().all(|(i, v)| self.get(i) == Some(v.name))
    }
}

/// A request as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is asked.
    pub kind: PduKind,
    /// request-id.
    pub request_id: i32,
    /// max-repetitions of a GetBulk; else 0.
    pub repetitions: u32,
    /// Of what.
    pub names: &'a Names,
}

/// What stands in a message that is written.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Any PDU.
    Pdu(&'a Pdu),
    /// A request whose list is encoded already.
    Request(Request<'a>),
}

impl<'a> From<&'a Pdu> for Body<'a> {
    fn from(pdu: &'a Pdu) -> Body<'a> {
        Body::Pdu(pdu)
    }
}

impl<'a> From<Request<'a>> for Body<'a> {
    fn from(request: Request<'a>) -> Body<'a> {
        Body::Request(request)
    }
}

impl Body<'_> {
    /// Writes the PDU.
    pub fn write(&self, w: &mut Writer) {
        match self {
            Body::Pdu(pdu) => pdu.write(w),
            Body::Request(request) => {
                let whole = w.mark();
                w.raw(&request.names.list);
                w.signed(ber::INTEGER, i64::from(request.repetitions));
                w.signed(ber::INTEGER, 0);
                w.signed(ber::INTEGER, i64::from(request.request_id));
                w.header(request.kind.tag(), whole);
            }
        }
    }
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
}

/// Reads the contents of a list of varbinds to its end.
pub(super) fn read_varbinds<'a>(mut list: Reader<'a>) -> Result<Vec<VarBindView<'a>>, DecodeError> {
    // A varbind of a counter takes some 20 octets.
    let mut varbinds = Vec::with_capacity((list.left() / 16).min(MAX_VARBINDS));
    while list.left() > 0 {
        if varbinds.len() == MAX_VARBINDS {
            return Err(DecodeError::Count);
        }
        let mut entry = list.constructed(ber::SEQUENCE)?;
        let name = entry.contents(ber::OBJECT_IDENTIFIER)?;
        ber::check_oid(name)?;
        let value = ValueView::read(&mut entry)?;
        entry.end()?;
        varbinds.push(VarBindView { name, value });
    }
    Ok(varbinds)
}

impl<'a> PduView<'a> {
    /// Reads the PDU that stands next.
    ///
    /// # Errors
    /// When anything of it but a value is not as RFC 3416 has it. (The v1 trap has another shape and is refused by its tag.)
    pub fn read(r: &mut Reader<'a>) -> Result<PduView<'a>, DecodeError> {
        let tag = r.peek()?;
        let kind = PduKind::of(tag).ok_or(DecodeError::Tag { found: tag })?;
        let mut r = r.constructed(tag)?;
        let id = r.integer(i64::from(i32::MIN), i64::from(i32::MAX))?;
        let error_status = r.unsigned31()?;
        // It only points at what was refused: a negative one points nowhere.
        let error_index = r.integer(i64::from(i32::MIN), i64::from(i32::MAX))?;
        let error_index = u32::try_from(error_index).unwrap_or(0);
        let list = r.constructed(ber::SEQUENCE)?;
        r.end()?;
        let varbinds = read_varbinds(list)?;
        Ok(PduView {
            kind,
            request_id: i32::try_from(id).map_err(|_| DecodeError::Range)?,
            error_status,
            error_index,
            varbinds,
        })
    }

    /// A copy that outlives the datagram.
    pub fn to_pdu(&self) -> Pdu {
        let varbind = |v: &VarBindView<'_>| VarBind {
            oid: v.oid(),
            value: v.value.to_value(),
        };
        Pdu {
            kind: self.kind,
            request_id: self.request_id,
            error_status: self.error_status,
            error_index: self.error_index,
            varbinds: self.varbinds.iter().map(varbind).collect(),
        }
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
            Value::Unreadable { tag, contents, .. } => w.primitive(*tag, contents),
        }
    }
}

impl<'a> ValueView<'a> {
    /// Says that there is no value (v2 exceptions and NULL).
    pub fn is_absent(self) -> bool {
        matches!(
            self,
            ValueView::Null | ValueView::NoSuchObject | ValueView::NoSuchInstance | ValueView::EndOfMibView
        )
    }

    /// A copy that outlives the datagram.
    pub fn to_value(self) -> Value {
        match self {
            ValueView::Null => Value::Null,
            ValueView::Integer(v) => Value::Integer(v),
            ValueView::OctetString(v) => Value::OctetString(v.to_vec()),
            ValueView::Oid(v) => Value::Oid(ber::oid(v).unwrap_or_default()),
            ValueView::IpAddress(v) => Value::IpAddress(v),
            ValueView::Counter32(v) => Value::Counter32(v),
            ValueView::Gauge32(v) => Value::Gauge32(v),
            ValueView::TimeTicks(v) => Value::TimeTicks(v),
            ValueView::Opaque(v) => Value::Opaque(v.to_vec()),
            ValueView::Counter64(v) => Value::Counter64(v),
            ValueView::NoSuchObject => Value::NoSuchObject,
            ValueView::NoSuchInstance => Value::NoSuchInstance,
            ValueView::EndOfMibView => Value::EndOfMibView,
            ValueView::Unreadable { tag, contents, why } => Value::Unreadable {
                tag,
                contents: contents.to_vec(),
                why,
            },
        }
    }

    /// # Errors
    /// When tag and length are none: then nobody knows where the next value begins.
    fn read(r: &mut Reader<'a>) -> Result<ValueView<'a>, DecodeError> {
        let tag = r.peek()?;
        if tag & HIGH_TAG == HIGH_TAG {
            return Err(DecodeError::Tag { found: tag });
        }
        let contents = r.contents(tag)?;
        let value = ValueView::of(tag, contents);
        Ok(value.unwrap_or_else(|why| ValueView::Unreadable { tag, contents, why }))
    }

    fn of(tag: u8, contents: &'a [u8]) -> Result<ValueView<'a>, DecodeError> {
        let unsigned32 = || ber::unsigned(contents, 4).and_then(|v| u32::try_from(v).map_err(|_| DecodeError::Range));
        let empty = |value| contents.is_empty().then_some(value).ok_or(DecodeError::Length);
        match tag {
            ber::NULL => empty(ValueView::Null),
            ber::INTEGER => ber::signed(contents).map(ValueView::Integer),
            ber::OCTET_STRING => Ok(ValueView::OctetString(contents)),
            // Agents write 0.0, "none", in no octets at all; net-snmp reads it so, too.
            ber::OBJECT_IDENTIFIER if contents.is_empty() => Ok(ValueView::Oid(ZERO_DOT_ZERO)),
            ber::OBJECT_IDENTIFIER => ber::check_oid(contents).map(|()| ValueView::Oid(contents)),
            snmp::TYPE_IPADDRESS => contents
                .try_into()
                .map(ValueView::IpAddress)
                .map_err(|_| DecodeError::Length),
            snmp::TYPE_COUNTER32 => unsigned32().map(ValueView::Counter32),
            snmp::TYPE_GAUGE32 | UINTEGER32 => unsigned32().map(ValueView::Gauge32),
            snmp::TYPE_TIMETICKS => unsigned32().map(ValueView::TimeTicks),
            snmp::TYPE_OPAQUE => Ok(ValueView::Opaque(contents)),
            snmp::TYPE_COUNTER64 => ber::unsigned(contents, 8).map(ValueView::Counter64),
            snmp::SNMP_NOSUCHOBJECT => empty(ValueView::NoSuchObject),
            snmp::SNMP_NOSUCHINSTANCE => empty(ValueView::NoSuchInstance),
            snmp::SNMP_ENDOFMIBVIEW => empty(ValueView::EndOfMibView),
            found => Err(DecodeError::Tag { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of two varbinds, the second of which says 42.
    fn read(value: &[u8]) -> Result<Vec<ValueView<'_>>, DecodeError> {
        let entry = |value: &[u8]| {
            let mut w = Writer::new();
            w.raw(value);
            w.oid(&[1, 3, 6, 1]);
            w.header(ber::SEQUENCE, 0);
            w.finish()
        };
        let list = [entry(value), entry(&[2, 1, 42])].concat().leak();
        let varbinds = read_varbinds(Reader::new(list))?;
        Ok(varbinds.into_iter().map(|v| v.value).collect())
    }

    #[test]
    fn a_value_that_cannot_be_read_costs_itself_alone() {
        use DecodeError::{Length, Oid, Range, Tag};
        for (bytes, why) in [
            (&[0x02, 0][..], Range),
            (&[0x02, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1], Range),
            (&[0x42, 1, 0xff], Range),
            (&[0x41, 0], Range),
            (&[0x43, 5, 1, 0, 0, 0, 0], Range),
            (&[0x46, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], Range),
            (&[0x40, 0], Length),
            (&[0x40, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], Length),
            (&[0x05, 1, 0], Length),
            (&[0x80, 1, 0], Length),
            (&[0x06, 2, 0x2b, 0x81], Oid),
            (&[0x45, 1, 7], Tag { found: 0x45 }),
            (&[0x30, 2, 5, 0], Tag { found: 0x30 }),
        ] {
            let values = read(bytes).unwrap();
            let (tag, contents) = (bytes[0], &bytes[2..]);
            let unreadable = ValueView::Unreadable { tag, contents, why };
            assert_eq!(values, [unreadable, ValueView::Integer(42)], "{bytes:x?}");
            assert!(!values[0].is_absent());
            // An inform is answered with what it brought.
            let mut w = Writer::new();
            values[0].to_value().write(&mut w);
            assert_eq!(w.finish(), bytes);
        }
    }

    #[test]
    fn what_can_only_mean_one_thing_is_read() {
        assert_eq!(read(&[0x47, 1, 5]).unwrap()[0], ValueView::Gauge32(5));
        let none = read(&[0x06, 0]).unwrap()[0];
        assert_eq!(none.to_value(), Value::Oid(vec![0, 0]));
        assert_eq!(read(&[0x02, 5, 0, 0, 0, 0, 7]).unwrap()[0], ValueView::Integer(7));
    }

    #[test]
    fn lengths_and_names_stay_exact() {
        // The value is longer than its varbind, or shorter.
        let list = |name: &[u8], value: &[u8]| [&[0x30, (name.len() + value.len()) as u8], name, value].concat();
        let name = [6, 3, 0x2b, 6, 1];
        assert!(read_varbinds(Reader::new(&list(&name, &[2, 1, 42]))).is_ok());
        for (name, value) in [
            (&name[..], &[2, 2, 42][..]),
            (&name, &[2, 0, 42]),
            (&name, &[0x5f, 0x21, 1, 42]),
            (&name, &[]),
            (&[6, 0], &[2, 1, 42]),
            (&[6, 1, 0x81], &[2, 1, 42]),
            (&[4, 1, 7], &[2, 1, 42]),
        ] {
            assert!(
                read_varbinds(Reader::new(&list(name, value))).is_err(),
                "{name:x?} {value:x?}"
            );
        }
    }
}
