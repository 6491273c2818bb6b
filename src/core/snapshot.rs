//! A picture of the state for those who only read: `status`, `explain`, `/metrics`, `/readyz`.

use crate::model::maintenance::{By, WindowStage};
use crate::model::redundancy::Role;
use crate::model::{CircuitRole, FindingKey, FindingKind, Isolation, Level, Metric, Name, Owner, RedundancyKind, Wall};
use crate::notify::Covering;
use crate::poll::DropReason;
use crate::poll::trap::TrapKind;
use crate::rules::Cause;
use crate::sample::{PartReading, Spread};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use crate::model::ReachState;

/// A number as last judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricStatus {
    /// Which number.
    pub metric: Metric,
    /// Watch or interface name; `None` for the device.
    pub part: Option<Name>,
    /// The row of a table that it is from, where one decides: the hottest sensor.
    #[serde(default)]
    pub which: Option<Name>,
    /// Last value, in the metric's unit, or why there is none.
    pub value: Result<f64, String>,
    /// Level in force; none while there is no value and no level holds: what is not known is not "ok".
    pub level: Option<Level>,
    /// Thresholds in force, for people: `warning 70, critical 90, for 3m`; empty if none.
    pub judged_by: String,
}

/// An interface as last read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// ifName.
    pub name: Name,
    /// ifAlias.
    pub alias: Option<String>,
    /// The `alias:` or `session:` of the configuration by which it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_by: Option<Name>,
    /// ifIndex at the last reading.
    pub index: u32,
    /// RFC 2863.
    pub admin: Option<u8>,
    /// RFC 2863.
    pub oper: Option<u8>,
    /// Port speed, bit/s.
    pub speed_bps: Option<u64>,
    /// Bits per second in, or why unknown.
    pub in_bps: Result<f64, String>,
    /// Bits per second out, or why unknown.
    pub out_bps: Result<f64, String>,
    /// Raw counters for `/metrics` (ifHCInOctets, ifHCOutOctets).
    pub in_octets: Option<u64>,
    /// Raw counter.
    pub out_octets: Option<u64>,
}

/// A device that was down and answers again: it counts as up when it has answered for long enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovering {
    /// Good rounds in a row.
    pub good_rounds: u32,
    /// So many are wanted.
    pub rounds: u32,
    /// The first good answer.
    pub first_answer: Wall,
    /// The last one.
    pub last_answer: Wall,
    /// They have to span so many seconds.
    pub over_seconds: f64,
}

/// What a device that cannot be reached lies behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// The finding that explains it.
    pub root: FindingKey,
    /// Its incident, once there is one.
    pub incident: Option<u64>,
}

/// Planned work that covers something now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// The maintenance window.
    pub window: Name,
    /// Whose work it is; `None` where only the ledger was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// In force, or settling after its end; `None` where only the ledger was read.
    #[serde(flatten)]
    pub stage: Option<WindowStage>,
}

impl Covered {
    /// A window of which nothing but its name is known.
    pub(super) fn by_name(window: Name) -> Covered {
        Covered {
            window,
            by: None,
            stage: None,
        }
    }
}

impl From<Covering> for Covered {
    fn from(covering: Covering) -> Covered {
        Covered {
            window: covering.window,
            by: Some(covering.by),
            stage: Some(covering.stage),
        }
    }
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// Name.
    pub name: Name,
    /// Literal address.
    pub address: String,
    /// Owner.
    pub owner: Owner,
    /// Site.
    pub site: Option<Name>,
    /// Group.
    pub group: Option<Name>,
    /// Reachability.
    pub reach: ReachState,
    /// While it is down: it answers again, and that is being confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovering: Option<Recovering>,
    /// While it is unreachable: what it lies behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Behind>,
    /// The planned work that covers it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Covered>,
    /// Since when.
    pub since: Wall,
    /// Mean round-trip time of the last round, seconds.
    pub rtt_seconds: Option<f64>,
    /// Least, most and standard deviation of the round-trip times of the last 5 to 10 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_spread: Option<Spread>,
    /// Loss over the last 5 minutes (at least 20 echoes), percent.
    pub loss_percent: Option<f64>,
    /// Worst level of its findings.
    pub level: Level,
    /// Findings open now: level, since, cause, verdict.
    pub findings: Vec<FindingStatus>,
    /// Of one that is silent: whose fault that is, by what is known at this moment; for one that is asked for by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Numbers.
    pub metrics: Vec<MetricStatus>,
    /// Interfaces.
    pub interfaces: Vec<InterfaceStatus>,
    /// Profile in use.
    pub profile: Option<String>,
    /// The agent's last failure, for people; `None` while it answers or is not asked.
    pub agent_error: Option<String>,
    /// The last answers that were not believed, to liveness and to the agent's requests: when, and why, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<(Wall, String)>,
    /// Longest time from a fault to "down", seconds.
    pub detection_seconds: f64,
    /// sysUpTime, TimeTicks.
    pub uptime_ticks: Option<u32>,
    /// When the agent was last read: as old are the numbers, interfaces and readings.
    #[serde(default)]
    pub read: Option<Wall>,
    /// Time between two rounds, seconds.
    #[serde(default)]
    pub interval_seconds: f64,
    /// What only an access circuit has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitStatus>,
    /// The last traps and informs, oldest first; for `explain` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traps: Vec<TrapLine>,
    /// What was asked for and not read, what of the answers is not used as it is, and what of the configuration meets nothing on the
    /// device: for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Fans, power supplies, sensors and processors, healthy ones too; for `explain` and `probe` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartReading>,
    /// Raw values read by profile and watches, for `probe`: OID in dotted form and value.
    pub readings: Vec<(String, String)>,
}

/// A trap or an inform of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapLine {
    /// When it came in.
    pub seen: Wall,
    /// What it says.
    pub kind: TrapKind,
    /// Its object identifier in dotted form.
    pub oid: String,
    /// Its varbinds for people.
    pub details: String,
}

/// What only an access circuit has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CircuitStatus {
    /// Key of the institution.
    pub institution_id: Name,
    /// Its name.
    pub institution: Name,
    /// The access carrier.
    pub carrier: Option<Name>,
    /// Main, backup or shared.
    pub role: CircuitRole,
    /// The device on which it is measured; `None`: on the institution's router, or nowhere.
    pub line_device: Option<Name>,
    /// The port at which it is measured, as the configuration names it.
    pub port: Option<Name>,
    /// Contracted rate toward the institution, bit/s.
    pub down_bps: Option<u64>,
    /// Contracted rate from the institution, bit/s.
    pub up_bps: Option<u64>,
    /// Opening hours; `None`: silence is a fault at any time.
    pub hours: Option<String>,
}

/// A circuit in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CircuitLine {
    /// Its id.
    pub circuit: Name,
    /// Key of the institution.
    pub institution_id: Name,
    /// Its name.
    pub institution: Name,
    /// The access carrier.
    pub carrier: Option<Name>,
    /// Reachability.
    pub reach: ReachState,
    /// While it is down: it answers again, and that is being confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovering: Option<Recovering>,
    /// While it is unreachable: what it lies behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Behind>,
    /// The planned work that covers it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Covered>,
    /// Since when.
    pub since: Wall,
    /// Worst level of its findings.
    pub level: Level,
    /// What is wrong.
    pub findings: Vec<FindingKind>,
}

/// Access circuits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Circuits {
    /// How many there are in each state.
    pub states: BTreeMap<ReachState, u64>,
    /// Silent, or with a finding: the worst first, 200 at most.
    pub listed: Vec<CircuitLine>,
    /// How many there are of these.
    pub listed_count: u64,
    /// Still off 30 minutes after opening, for the help desk: 200 at most.
    pub still_off: Vec<CircuitLine>,
    /// How many there are of these.
    pub still_off_count: u64,
}

/// A finding that is open, or pending its delay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingStatus {
    /// Which.
    pub key: FindingKey,
    /// Its level.
    pub level: Level,
    /// Since.
    pub since: Wall,
    /// Why.
    pub cause: Cause,
    /// Whose fault.
    pub isolation: Option<Isolation>,
    /// The open incident about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
    /// It has not lasted as long as its rule asks: when it will be told, if it still holds then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_from: Option<Wall>,
    /// The finding in whose incident it is listed instead of having one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<FindingKey>,
}

/// A member of a redundancy group in one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedundancyMember {
    /// The device, with its peer, interface, next hop or unit behind it.
    pub member: Name,
    /// What it says that it is (of a group that counts: active is good); `None`: not known now.
    pub role: Option<Role>,
    /// Why it is not known, or what is wrong.
    pub why: Option<String>,
}

/// One instance of a redundancy group: a VRID, a virtual domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedundancyInstance {
    /// Its name; empty where the group is one instance.
    pub instance: Name,
    /// Who is active, as last known.
    pub active: Option<Name>,
    /// Who should be.
    pub preferred: Option<Name>,
    /// All members.
    pub members: Vec<RedundancyMember>,
}

/// How many of what is watched are in which state: a line for the service manager, which does not need a picture of every device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// This host is cut off.
    pub blind: bool,
    /// Devices.
    pub devices: BTreeMap<ReachState, u64>,
    /// Access circuits.
    pub circuits: BTreeMap<ReachState, u64>,
    /// Open incidents.
    pub incidents_open: BTreeMap<Level, u64>,
    /// Rows of the outbox.
    pub mails_waiting: u64,
}

/// A redundancy group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedundancyStatus {
    /// Name.
    pub name: Name,
    /// What makes the members stand in for each other.
    pub kind: RedundancyKind,
    /// Ready members in the worst instance; `None` before anything was read, or where the kind does not tell.
    pub ready: Option<u32>,
    /// Members.
    pub configured: u32,
    /// Good members that carry the service, of a group that counts.
    pub need: Option<u32>,
    /// Times that another member became active, since the start.
    pub switchovers: u64,
    /// Worst level of its findings.
    pub level: Level,
    /// Findings open now, or pending their delay.
    pub findings: Vec<FindingStatus>,
    /// By name.
    pub instances: Vec<RedundancyInstance>,
}

/// A mail route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Name.
    pub name: Name,
    /// The last test worked; `None` before the first.
    pub ready: Option<bool>,
    /// When it was last tested.
    pub tested: Option<Wall>,
    /// Words of the last failure.
    pub error: Option<String>,
    /// It is chosen last now because something it crosses is down.
    pub crossed_out: bool,
}

/// An incident in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentSummary {
    /// Number.
    pub id: u64,
    /// Root finding.
    pub root: FindingKey,
    /// Level now (`Ok` when recovered).
    pub level: Level,
    /// Opened.
    pub opened: Wall,
    /// Opened again after it had recovered: when last.
    #[serde(default)]
    pub reopened: Option<Wall>,
    /// Recovered, if it is.
    pub recovered: Option<Wall>,
    /// Acknowledged by, if it is in force.
    pub acknowledged_by: Option<String>,
    /// Who acknowledged it last, in force or not; it stays after the end.
    #[serde(default)]
    pub last_acknowledged_by: Option<String>,
    /// When that was.
    #[serde(default)]
    pub last_acknowledged_at: Option<Wall>,
    /// The remark given with it.
    #[serde(default)]
    pub acknowledge_note: Option<String>,
    /// The planned work that keeps it quiet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<Covered>,
    /// Whose fault.
    pub isolation: Option<Isolation>,
    /// Devices and circuits behind it: 200 names at most.
    pub affected: Vec<Name>,
    /// How many are behind it.
    pub affected_count: usize,
    /// Last cause.
    pub cause: Cause,
    /// Timeline for `incidents show`: when, and what in English.
    pub timeline: Vec<(Wall, String)>,
}

/// A maintenance window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceStatus {
    /// Its name.
    pub name: Name,
    /// Subjects as written.
    pub what: Vec<Name>,
    /// `own`, `platform` or `carrier`.
    pub by: String,
    /// From and until, where it is once.
    pub once: Option<(Wall, Wall)>,
    /// Hours of the week, where it comes every week.
    pub weekly: Option<String>,
    /// Who set it; `None` if it stands in the configuration.
    pub set_by: Option<String>,
    /// The remark given with it.
    #[serde(default)]
    pub note: Option<String>,
    /// How it stands now.
    #[serde(flatten)]
    pub stage: WindowStage,
}

/// Everything, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Wall,
    /// The configuration's fingerprint.
    pub fingerprint: String,
    /// Devices written as such, in the order of the configuration. Ports that are lines of circuits are left out.
    pub devices: Vec<DeviceStatus>,
    /// Access circuits: counts, and those that somebody may have to look at.
    pub circuits: Circuits,
    /// Redundancy groups, in the order of the configuration.
    #[serde(default)]
    pub redundancy: Vec<RedundancyStatus>,
    /// Open incidents, and those recovered within the last 24 h; newest first, 500 of each at most.
    pub incidents: Vec<IncidentSummary>,
    /// How many are open, by level.
    pub incidents_open: BTreeMap<Level, u64>,
    /// Maintenance windows: those of the configuration, and those set by hand that are not long over.
    #[serde(default)]
    pub maintenance: Vec<MaintenanceStatus>,
    /// Routes, in order.
    pub routes: Vec<RouteStatus>,
    /// This host is cut off.
    pub blind: bool,
    /// Mails not accepted yet, by level.
    pub outbox_pending: BTreeMap<Level, u64>,
    /// Age of the oldest, seconds.
    pub outbox_oldest_seconds: f64,
    /// Pending for more than an hour.
    pub outbox_stuck: u64,
    /// Rounds ended, by kind (`echo`, `snmp`, `tcp`) and result (`ok`, `lost`, `timeout`, `unknown-user` …).
    #[serde(with = "pairs")]
    pub polls: BTreeMap<(String, String), u64>,
    /// Datagrams not believed.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Unknown intervals by reason.
    pub unknown: BTreeMap<String, u64>,
    /// Mails by route and result (`accepted`, `transient`, `permanent`, `failed`).
    #[serde(with = "pairs")]
    pub notices: BTreeMap<(String, String), u64>,
    /// How late rounds started: count of rounds by upper bound in seconds (cumulative, last bound is infinite).
    #[serde(with = "bounds")]
    pub lateness: Vec<(f64, u64)>,
    /// Sum of lateness, seconds.
    pub lateness_sum: f64,
    /// Head of the ledger's chain: sequence and hash.
    pub ledger_head: Option<(u64, String)>,
    /// Words of the last failed commit; `None` while the ledger works.
    pub ledger_error: Option<String>,
}

/// JSON has no maps keyed by pairs: they are written as a list of (first, second, count).
mod pairs {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<(String, String), u64>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(map.iter().map(|((a, b), count)| (a, b, count)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<(String, String), u64>, D::Error> {
        let list = Vec::<(String, String, u64)>::deserialize(d)?;
        Ok(list.into_iter().map(|(a, b, count)| ((a, b), count)).collect())
    }
}

/// JSON has no infinity: the last bound is written as null.
mod bounds {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(list: &[(f64, u64)], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(
            list.iter()
                .map(|(bound, count)| (bound.is_finite().then_some(*bound), count)),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<(f64, u64)>, D::Error> {
        let list = Vec::<(Option<f64>, u64)>::deserialize(d)?;
        Ok(list
            .into_iter()
            .map(|(bound, count)| (bound.unwrap_or(f64::INFINITY), count))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_survives_json() {
        let snapshot = Snapshot {
            polls: [(("echo".to_owned(), "ok".to_owned()), 3)].into(),
            outbox_pending: [(Level::Critical, 2)].into(),
            dropped: [(DropReason::LateEcho, 1)].into(),
            lateness: vec![(0.5, 7), (f64::INFINITY, 9)],
            ..Snapshot::default()
        };
        let json = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot);
    }
}
