//! What polling learned about a device, before anybody judges it. Missing is missing, never zero.

use super::disbelief::Rejected;
use super::unread::{BrokenOff, Cut, Unread};
use crate::model::service::{Answer, Failure};
use crate::model::{DeviceId, Limits, Mono, Name, Place, Profile, Subnet, Wall};
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
    /// The last answer since the round before that was not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Box<Rejected>>,
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
    /// The last answer since the round before that was not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Box<Rejected>>,
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
    /// Answered, but each round ends at this place.
    BrokenOff(Box<BrokenOff>),
    /// snmpUnknownContexts (RFC 3413): the agent has no such context.
    UnknownContext,
    /// snmpEngineBoots stands at its maximum: the engine answers nobody until it is given a new identity (RFC 3414 section 2.2.1).
    BootsExhausted,
    /// Something answered and was rightly not believed.
    NotBelieved(Box<Rejected>),
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
    /// Of a component, what it is and its index: by this it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Name>,
    /// What its value is multiplied with (ENTITY-SENSOR-MIB's scale and precision, an allocation unit; else 1); below zero where the
    /// row is taken off the others.
    pub factor: f64,
    /// The device's own limits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Where it measures.
    #[serde(default, skip_serializing_if = "Place::is_air")]
    pub place: Place,
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
        // A factor is a product of whole numbers and powers of ten, never NaN: equal ones have equal bits.
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
    /// ifHighSpeed × 10⁶, or ifSpeed; where the two contradict each other, the smaller.
    pub speed_bps: Option<u64>,
    /// The larger of two speeds that contradict each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_speed_bps: Option<u64>,
    /// ifHCInOctets or ifInOctets.
    pub in_octets: Option<Counter>,
    /// ifHCOutOctets or ifOutOctets.
    pub out_octets: Option<Counter>,
    /// Where the octets should stand the agent gives a value that is no counter (Gauge32, INTEGER).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub octets_mistyped: bool,
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
    /// The answer has no sysUpTime. Counters are worth nothing without it and are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untimed: bool,
    /// When that answer arrived.
    pub at: Mono,
    /// The name, or the alias that it was found by, stands in several rows; this is the one that is taken for the port.
    pub ambiguous: bool,
    /// How many others there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub twins: u16,
}

fn is_zero(n: &u16) -> bool {
    *n == 0
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

/// What a device tells of its cables and its addresses (LLDP-MIB, CISCO-CDP-MIB, IP-MIB); read as rarely as names are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Its own chassis identifier, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chassis: Option<Name>,
    /// Its own name (lldpLocSysName).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// At the far ends of its ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<Neighbour>,
    /// Its own addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<PortAddress>,
}

impl Topology {
    /// Takes what was told later. A port of which nothing is told keeps its neighbour: one that is down is told of no more.
    pub fn merge(&mut self, newer: Topology) {
        self.chassis = newer.chassis.or(self.chassis.take());
        self.name = newer.name.or(self.name.take());
        if !newer.addresses.is_empty() {
            self.addresses = newer.addresses;
        }
        for heard in newer.neighbours {
            // The same port of the same neighbour on another port: the cable was moved.
            let moved = |known: &Neighbour| {
                let same = known.chassis == heard.chassis && known.name == heard.name;
                known.port == heard.port || same && !heard.far_ports.is_empty() && known.far_ports == heard.far_ports
            };
            self.neighbours.retain(|known| !moved(known));
            self.neighbours.push(heard);
        }
    }
}

/// What is at the far end of a port, as it says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The port it was heard on, by ifName.
    pub port: Name,
    /// Its chassis identifier, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chassis: Option<Name>,
    /// Its name (lldpRemSysName, cdpCacheDeviceId).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Addresses for management.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// What its port may be called: the identifier, the description.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub far_ports: Vec<Name>,
}

/// An address of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortAddress {
    /// Its port, by ifName, if that is one that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Name>,
    /// The address and the length of its prefix.
    pub subnet: Subnet,
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
    /// Where it fell silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_off: Option<Box<BrokenOff>>,
    /// Objects that were asked for and could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// Columns that were not walked to their end when they were last walked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Cut>,
    /// GETBULK is not answered: tables are walked by GETNEXT.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub step_by_step: bool,
    /// Interfaces that match the configuration.
    pub interfaces: Vec<InterfaceReading>,
    /// Names once matched (by a glob or by name) that the agent no longer has. A configured literal name that never existed
    /// is listed too.
    pub missing: Vec<Name>,
    /// Those of `missing` that were never found: whether there is such a port is a question about the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_found: Vec<Name>,
    /// Where something was never found: what the interface table has instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Box<Ports>>,
    /// Cables and addresses, in rounds that have looked them up anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<Box<Topology>>,
}

/// What an interface table holds, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// The first names, in the order of their index: eight at most.
    pub first: Vec<Name>,
    /// How many rows have a name.
    pub count: u32,
}

impl Ports {
    /// Nothing is known of the table.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
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
