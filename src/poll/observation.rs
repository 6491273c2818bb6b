//! What polling learned about a device, before anybody judges it. Missing is missing, never zero.

use crate::model::service::{Answer, Failure};
use crate::model::{DeviceId, Mono, Name, Profile, Wall};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Something was learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Observation {
    /// A liveness round ended.
    Reach(ReachRound),
    /// An SNMP round ended.
    Agent(AgentRound),
    /// A TCP `watch` ended.
    Tcp(TcpReading),
    /// A round of a watched service ended.
    Service(Box<ServiceReading>),
}

impl Observation {
    /// Whose.
    pub fn device(&self) -> DeviceId {
        match self {
            Observation::Reach(round) => round.device,
            Observation::Agent(round) => round.device,
            Observation::Tcp(reading) => reading.device,
            Observation::Service(reading) => reading.device,
        }
    }

    /// The same, of the device that has this number.
    pub fn renumber(&mut self, device: DeviceId) {
        match self {
            Observation::Reach(round) => round.device = device,
            Observation::Agent(round) => round.device = device,
            Observation::Tcp(reading) => reading.device = device,
            Observation::Service(reading) => reading.device = device,
        }
    }
}

/// Why a liveness round was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoundKind {
    /// On schedule, or asked for by the rules.
    Regular,
    /// After a regular round of which all was lost: `confirm.echoes` over `confirm.over`, ended early by any answer.
    Confirm,
}

/// One liveness round (echo, SNMP GET of sysUpTime, or TCP connect; "echo" below stands for any of them).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReachRound {
    /// Whom.
    pub device: DeviceId,
    /// Why.
    pub kind: RoundKind,
    /// First echo sent.
    pub started: Mono,
    /// Last answer in, or the timeout of the last echo.
    pub ended: Mono,
    /// Echoes sent.
    pub sent: u32,
    /// Answered by the target itself.
    pub received: u32,
    /// Round-trip times of the answered ones.
    pub rtts: Vec<Duration>,
    /// ICMP errors about the target: who said it, and the ICMP type and code.
    pub errors: Vec<(IpAddr, u8, u8)>,
    /// Set if this host itself could not send: the system's words.
    pub send_error: Option<String>,
}

/// One SNMP round: all requests of the interval, with retries, resynchronisation and name resolution inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentRound {
    /// Whom.
    pub device: DeviceId,
    /// First request sent.
    pub started: Mono,
    /// Last answer in, or given up.
    pub ended: Mono,
    /// What came.
    pub outcome: Result<Box<AgentReading>, AgentFailure>,
}

/// Why an agent gave nothing. Each has its own message to the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentFailure {
    /// No answer to any try (agent stopped, port filtered, or a wrong v1/v2c community: agents keep silent then).
    Timeout,
    /// usmStatsUnknownUserNames.
    UnknownUser,
    /// usmStatsWrongDigests: wrong authentication password or protocol.
    WrongKey,
    /// usmStatsDecryptionErrors, or our side could not decrypt: wrong privacy password or protocol.
    WrongPrivacy,
    /// usmStatsUnsupportedSecLevels: the user has no such level.
    UnsupportedLevel,
    /// usmStatsNotInTimeWindows again after resynchronising.
    NotInTimeWindow,
    /// Answered, but with something that is not a valid answer.
    Malformed,
    /// An error-status other than those handled (tooBig is): the number of RFC 3416.
    ErrorStatus(u32),
}

/// A counter with its width: a 32-bit one may wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counter {
    /// Counter64.
    C64(u64),
    /// Counter32.
    C32(u32),
}

/// One object of the profile or of a `watch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalarReading {
    /// The instance that was read.
    pub oid: Arc<[u32]>,
    /// `None`: noSuchObject, noSuchInstance, endOfMibView, or not a number.
    pub value: Option<Number>,
}

/// A row of a profile's table that is read: found by a walk, named and picked then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// Which measure of the profile, or, counted on, which component.
    pub part: u16,
    /// The row's index.
    pub index: Box<[u32]>,
    /// How the row is called; a component always has a name.
    pub label: Option<Name>,
    /// What its value is multiplied with (ENTITY-SENSOR-MIB's scale and precision; else 1).
    pub factor: f64,
}

/// A number or an OID as read (hrStorageType is an OID).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Number {
    /// INTEGER.
    Signed(i64),
    /// Counter32, Gauge32, TimeTicks, Counter64.
    Unsigned(u64),
    /// OBJECT IDENTIFIER.
    Oid(Vec<u32>),
    /// An OCTET STRING that reads as a decimal number (UCD's laLoad, many vendors' temperatures).
    Text(f64),
}

impl Eq for TableRow {}

impl std::hash::Hash for TableRow {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.part, &self.index, &self.label).hash(state);
        // A factor is a power of ten, never NaN: equal ones have equal bits.
        self.factor.to_bits().hash(state);
    }
}

impl Number {
    /// As a number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Number::Signed(v) => Some(*v as f64),
            Number::Unsigned(v) => Some(*v as f64),
            Number::Text(v) => Some(*v),
            Number::Oid(_) => None,
        }
    }
}

/// One interface, all of it from one answer (so that the name belongs to the counters).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceReading {
    /// ifName as re-read beside the counters.
    pub name: Name,
    /// The `alias:…` or `session:…` of the configuration that it was found by.
    pub found_by: Option<Name>,
    /// ifIndex it was read under; for people only.
    pub index: u32,
    /// ifAlias; not every configuration needs it.
    pub alias: Option<Name>,
    /// ifAdminStatus: 1 up, 2 down, 3 testing.
    pub admin: Option<u8>,
    /// ifOperStatus: 1 up … 5 dormant, 6 notPresent, 7 lowerLayerDown.
    pub oper: Option<u8>,
    /// ifHighSpeed × 10⁶, or ifSpeed.
    pub speed_bps: Option<u64>,
    /// ifHCInOctets or ifInOctets.
    pub in_octets: Option<Counter>,
    /// ifHCOutOctets or ifOutOctets.
    pub out_octets: Option<Counter>,
    /// Sum of unicast, multicast and broadcast packets in and out, where 64-bit counters exist; else unicast in and out.
    pub packets: Option<Counter>,
    /// ifInErrors + ifOutErrors (32-bit each, so wrapping 32-bit sum).
    pub errors: Option<Counter>,
    /// ifInDiscards + ifOutDiscards.
    pub discards: Option<Counter>,
    /// ifCounterDiscontinuityTime, TimeTicks.
    pub discontinuity: Option<u32>,
    /// sysUpTime of the same answer, TimeTicks (1/100 s, wraps after 497 days).
    pub uptime: u32,
    /// When that answer arrived.
    pub at: Mono,
    /// The name stood in two rows; this is the one that moves.
    pub ambiguous: bool,
}

/// A value that tells a role, or belongs to one that does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleValue {
    /// Any number.
    Number(i64),
    /// OCTET STRING or IpAddress: a word, bits, an address.
    Octets(Box<[u8]>),
}

/// One object read for a redundancy group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleCell {
    /// The instance.
    pub oid: Arc<[u32]>,
    /// `None`: the agent has no such object (any more).
    pub value: Option<RoleValue>,
}

/// What an agent gave in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentReading {
    /// sysUpTime, TimeTicks.
    pub uptime: Option<u32>,
    /// snmpEngineBoots and snmpEngineTime, if known (v3): tells a wrap of sysUpTime from a restart.
    pub engine: Option<(u32, u32)>,
    /// Time between request and answer of the first request.
    pub rtt: Option<Duration>,
    /// The profile in use; `rows` belong to it.
    #[serde(skip)]
    pub profile: Option<Arc<Profile>>,
    /// Objects of the profile and of OID watches, in the order of their identifiers.
    pub scalars: Vec<ScalarReading>,
    /// Which of them are rows of the profile's tables.
    #[serde(default)]
    pub rows: Arc<[TableRow]>,
    /// What redundancy groups need, in the order of the identifiers. Rows of tables were found by walking; a table that is not
    /// there gives none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleCell>,
    /// The round had no answer to something: what is not here was not read, which says nothing about whether it is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Interfaces that match the configuration.
    pub interfaces: Vec<InterfaceReading>,
    /// Names once matched (by a glob or by name) that the agent no longer has. A configured literal name that never existed
    /// is listed too.
    pub missing: Vec<Name>,
}

/// A TCP `watch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TcpReading {
    /// Whom.
    pub device: DeviceId,
    /// The watch's name.
    pub watch: Name,
    /// When it ended.
    pub at: Mono,
    /// Time to connect, or the system's words.
    pub result: Result<Duration, String>,
}

/// A round of a watched service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceReading {
    /// Whom.
    pub device: DeviceId,
    /// The watch's name.
    pub watch: Name,
    /// When it ended.
    pub at: Mono,
    /// The same by the calendar, which certificates are held against.
    pub wall: Wall,
    /// From the first octet sent, or the first try to connect, to the end of the answer.
    pub took: Duration,
    /// What came back.
    pub result: Result<Answer, Failure>,
}
