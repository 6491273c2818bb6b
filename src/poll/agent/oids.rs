//! The objects that every device is asked for: SNMPv2-MIB (RFC 3418), IF-MIB (RFC 2863), and the Report counters of
//! SNMP-USER-BASED-SM-MIB (RFC 3414 section 5).
//!
//! Never here: what a vendor's objects mean (that is `model::profile`).

/// sysDescr.0
pub(super) const SYS_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];
/// sysObjectID.0
pub(super) const SYS_OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2, 0];
/// sysUpTime.0
pub(super) const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
/// ifNumber.0
pub(super) const IF_NUMBER: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 1, 0];
/// ifTableLastChange.0
pub(super) const IF_TABLE_LAST_CHANGE: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 5, 0];
/// usmStats; the counter and its instance follow.
pub(super) const USM_STATS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1];

/// snmpUnavailableContexts.0 and snmpUnknownContexts.0 (SNMP-TARGET-MIB, RFC 3413 section 4.1.1).
pub(super) const UNKNOWN_CONTEXTS: [&[u32]; 2] = [&[1, 3, 6, 1, 6, 3, 12, 1, 4, 0], &[1, 3, 6, 1, 6, 3, 12, 1, 5, 0]];

const IF_ENTRY: [u32; 9] = [1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_X_ENTRY: [u32; 10] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1];

/// A column of ifTable or ifXTable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Col {
    Name,
    Descr,
    Alias,
    Admin,
    Oper,
    Type,
    Speed,
    HighSpeed,
    InOctets,
    OutOctets,
    InUcast,
    OutUcast,
    HcInOctets,
    HcOutOctets,
    HcInUcast,
    HcInMulticast,
    HcInBroadcast,
    HcOutUcast,
    HcOutMulticast,
    HcOutBroadcast,
    InDiscards,
    InErrors,
    OutDiscards,
    OutErrors,
    Discontinuity,
}

impl Col {
    /// How many there are.
    pub(super) const COUNT: usize = Col::Discontinuity as usize + 1;

    /// The column's object identifier.
    pub(super) fn oid(self) -> Vec<u32> {
        let (extended, number) = match self {
            Col::Descr => (false, 2),
            Col::Type => (false, 3),
            Col::Speed => (false, 5),
            Col::Admin => (false, 7),
            Col::Oper => (false, 8),
            Col::InOctets => (false, 10),
            Col::InUcast => (false, 11),
            Col::InDiscards => (false, 13),
            Col::InErrors => (false, 14),
            Col::OutOctets => (false, 16),
            Col::OutUcast => (false, 17),
            Col::OutDiscards => (false, 19),
            Col::OutErrors => (false, 20),
            Col::Name => (true, 1),
            Col::HcInOctets => (true, 6),
            Col::HcInUcast => (true, 7),
            Col::HcInMulticast => (true, 8),
            Col::HcInBroadcast => (true, 9),
            Col::HcOutOctets => (true, 10),
            Col::HcOutUcast => (true, 11),
            Col::HcOutMulticast => (true, 12),
            Col::HcOutBroadcast => (true, 13),
            Col::HighSpeed => (true, 15),
            Col::Alias => (true, 18),
            Col::Discontinuity => (true, 19),
        };
        // One allocation: the index is pushed by the caller.
        let mut oid = Vec::with_capacity(IF_X_ENTRY.len() + 2);
        oid.extend_from_slice(if extended { &IF_X_ENTRY } else { &IF_ENTRY });
        oid.push(number);
        oid
    }

    /// The column's instance of a row.
    pub(super) fn instance(self, index: u32) -> Vec<u32> {
        let mut oid = self.oid();
        oid.push(index);
        oid
    }

    /// The most octets its value is expected to take, without tag and length.
    pub(super) fn size(self) -> usize {
        match self {
            Col::Name | Col::Descr => 24,
            Col::Alias => 64,
            Col::Admin | Col::Oper => 1,
            Col::HcInOctets
            | Col::HcOutOctets
            | Col::HcInUcast
            | Col::HcInMulticast
            | Col::HcInBroadcast
            | Col::HcOutUcast
            | Col::HcOutMulticast
            | Col::HcOutBroadcast => 9,
            _ => 5,
        }
    }
}
