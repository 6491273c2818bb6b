//! A picture of the state for those who only read: `status`, `explain`, `/metrics`, `/readyz`.

use crate::model::{FindingKey, Isolation, Level, Metric, Name, Owner, Wall};
use crate::poll::DropReason;
use crate::rules::Cause;
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
    /// Level in force.
    pub level: Level,
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
    /// Since when.
    pub since: Wall,
    /// Mean round-trip time of the last round, seconds.
    pub rtt_seconds: Option<f64>,
    /// Loss over the last 5 minutes (at least 20 echoes), percent.
    pub loss_percent: Option<f64>,
    /// Worst level of its findings.
    pub level: Level,
    /// Findings open now: level, since, cause, verdict.
    pub findings: Vec<FindingStatus>,
    /// Numbers.
    pub metrics: Vec<MetricStatus>,
    /// Interfaces.
    pub interfaces: Vec<InterfaceStatus>,
    /// Profile in use.
    pub profile: Option<String>,
    /// The agent's last failure, for people; `None` while it answers or is not asked.
    pub agent_error: Option<String>,
    /// Longest time from a fault to "down", seconds.
    pub detection_seconds: f64,
    /// sysUpTime, TimeTicks.
    pub uptime_ticks: Option<u32>,
    /// Raw values read by profile and watches, for `probe`: OID in dotted form and value.
    pub readings: Vec<(String, String)>,
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
    /// Recovered, if it is.
    pub recovered: Option<Wall>,
    /// Acknowledged by, if it is in force.
    pub acknowledged_by: Option<String>,
    /// Whose fault.
    pub isolation: Option<Isolation>,
    /// Devices behind it.
    pub affected: Vec<Name>,
    /// Last cause.
    pub cause: Cause,
    /// Timeline for `incidents show`: when, and what in English.
    pub timeline: Vec<(Wall, String)>,
}

/// Everything, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Wall,
    /// The configuration's fingerprint.
    pub fingerprint: String,
    /// Devices, in the order of the configuration.
    pub devices: Vec<DeviceStatus>,
    /// Open incidents, and those recovered within the last 24 h; newest first.
    pub incidents: Vec<IncidentSummary>,
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
