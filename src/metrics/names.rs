//! Every metric family: name, type, help, labels, and who writes it. Tests walk this table.
//!
//! hinomi's own names begin with `hinomi_`. Names that dashboards already know keep their spelling: `probe_*` as of
//! blackbox_exporter, `ifHCInOctets` and its kin as of snmp_exporter's IF-MIB module, `process_*` as of every exporter.

use super::text::Writer;
use crate::core::Picture;

/// Type of a family in the exposition format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts at zero with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

impl Kind {
    /// The word in the `# TYPE` line.
    pub fn key(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Who writes the samples of a family.
#[derive(Clone, Copy, Debug)]
pub enum Emit {
    /// The registry of the `prometheus` crate ([`super::Own`]).
    Registry,
    /// Once a scrape.
    Once(fn(&Picture, &mut Writer)),
    /// For each row of a list of the picture: its length, and the writer of the row at a place.
    Each(fn(&Picture) -> usize, fn(&Picture, usize, &mut Writer)),
}

/// One metric family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// With unit suffix.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    /// Label names (without a histogram's `le`).
    pub labels: &'static [&'static str],
    /// Writer.
    pub emit: Emit,
}

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    emit: Emit,
    help: &'static str,
) -> Family {
    Family {
        name,
        kind,
        help,
        labels,
        emit,
    }
}

use super::{once, rows};
use Emit::{Each, Once, Registry};
use Kind::{Counter, Gauge, Histogram};

pub(super) const BUILD_INFO: &str = "hinomi_build_info";
pub(super) const RELOAD_OK: &str = "hinomi_config_last_reload_successful";
pub(super) const RELOAD_TIME: &str = "hinomi_config_last_reload_success_timestamp_seconds";
pub(super) const COMMIT_SECONDS: &str = "hinomi_ledger_commit_seconds";
pub(super) const PROGRESS_AGE: &str = "hinomi_progress_age_seconds";
pub(super) const WATCHDOG_FEEDS: &str = "hinomi_watchdog_feeds_total";
pub(super) const HEARTBEATS: &str = "hinomi_heartbeats_total";
pub(super) const TRAPS: &str = "hinomi_traps_total";
pub(super) const TRAPS_DROPPED: &str = "hinomi_traps_dropped_total";
pub(super) const CPU_SECONDS: &str = "process_cpu_seconds_total";
pub(super) const RSS_BYTES: &str = "process_resident_memory_bytes";
pub(super) const OPEN_FDS: &str = "process_open_fds";
pub(super) const START_TIME: &str = "process_start_time_seconds";

/// Labels of an interface's series, as snmp_exporter's IF-MIB module has them. Those of a circuit have `circuit` instead of what the
/// device tells (`ifIndex`, `ifAlias`), and of the name what the configuration says: they do not change when a device renumbers.
const INTERFACE: &[&str] = &["device", "ifIndex", "ifName", "ifAlias", "circuit"];
const DEVICE: &[&str] = &["device"];
const CIRCUIT: &[&str] = &["circuit", "institution_id"];

/// All families, in the order of `/metrics`.
pub const FAMILIES: &[Family] = &[
    family(BUILD_INFO, Gauge, &["version"], Registry, "Version that runs, value 1."),
    family(
        RELOAD_OK,
        Gauge,
        &[],
        Registry,
        "Whether the last reload took the configuration (1) or refused it (0).",
    ),
    family(
        RELOAD_TIME,
        Gauge,
        &[],
        Registry,
        "When the configuration in force was taken.",
    ),
    family(
        COMMIT_SECONDS,
        Histogram,
        &[],
        Registry,
        "Time of one ledger transaction.",
    ),
    family(
        PROGRESS_AGE,
        Gauge,
        &["part"],
        Registry,
        "Time since a part of hinomi last made progress.",
    ),
    family(
        WATCHDOG_FEEDS,
        Counter,
        &[],
        Registry,
        "Times the systemd watchdog was fed.",
    ),
    family(
        HEARTBEATS,
        Counter,
        &["result"],
        Registry,
        "Beats sent to the heartbeat URL by result.",
    ),
    family(
        TRAPS,
        Counter,
        &["result"],
        Registry,
        "Datagrams to the port for traps and informs by what became of them.",
    ),
    family(
        TRAPS_DROPPED,
        Counter,
        &[],
        Registry,
        "Datagrams to the port for traps and informs that the kernel dropped because its buffer was full.",
    ),
    family(
        CPU_SECONDS,
        Counter,
        &[],
        Registry,
        "User and system CPU time of the process.",
    ),
    family(RSS_BYTES, Gauge, &[], Registry, "Resident memory of the process."),
    family(OPEN_FDS, Gauge, &[], Registry, "Open file descriptors of the process."),
    family(
        START_TIME,
        Gauge,
        &[],
        Registry,
        "Start of the process since the epoch.",
    ),
    family(
        "hinomi_config_info",
        Gauge,
        &["fingerprint"],
        Once(once::config_info),
        "Configuration in force, value 1.",
    ),
    family(
        "hinomi_blind",
        Gauge,
        &[],
        Once(once::blind),
        "Whether this host is cut off and accuses nobody.",
    ),
    family(
        "hinomi_targets",
        Gauge,
        &["state"],
        Once(once::targets),
        "Devices by reachability, without access circuits.",
    ),
    family(
        "hinomi_circuits",
        Gauge,
        &["state"],
        Once(once::circuits),
        "Access circuits by reachability.",
    ),
    family(
        "hinomi_polls_total",
        Counter,
        &["kind", "result"],
        Once(once::polls),
        "Rounds ended by kind and result.",
    ),
    family(
        "hinomi_poll_lag_seconds",
        Histogram,
        &[],
        Once(once::lag),
        "How late rounds started.",
    ),
    family(
        "hinomi_dropped_total",
        Counter,
        &["reason"],
        Once(once::dropped),
        "Datagrams not believed by reason.",
    ),
    family(
        "hinomi_kernel_dropped_total",
        Counter,
        &["socket"],
        Once(once::kernel_dropped),
        "Datagrams to hinomi that the kernel dropped because a buffer was full by kind of socket.",
    ),
    family(
        "hinomi_unknown_intervals_total",
        Counter,
        &["reason"],
        Once(once::unknown),
        "Intervals of a counter that gave no rate by reason.",
    ),
    family(
        "hinomi_incidents",
        Gauge,
        &["level"],
        Once(once::incidents),
        "Open incidents by level; one that waits for what is behind it counts as a warning.",
    ),
    family(
        "hinomi_redundancy_role",
        Gauge,
        &["group", "member", "instance", "role"],
        Once(once::redundancy_role),
        "Whether a member of a redundancy group says that it has this role in an instance.",
    ),
    family(
        "hinomi_redundancy_ready",
        Gauge,
        &["group"],
        Once(once::redundancy_ready),
        "Members of a redundancy group that are ready in the worst instance.",
    ),
    family(
        "hinomi_redundancy_configured",
        Gauge,
        &["group"],
        Once(once::redundancy_configured),
        "Members of a redundancy group.",
    ),
    family(
        "hinomi_redundancy_level",
        Gauge,
        &["group"],
        Once(once::redundancy_level),
        "Worst level of a redundancy group's findings: 0 ok, 1 warning, 2 critical.",
    ),
    family(
        "hinomi_switchovers_total",
        Counter,
        &["group"],
        Once(once::switchovers),
        "Times that another member of a redundancy group became active.",
    ),
    family(
        "hinomi_notices_total",
        Counter,
        &["route", "result"],
        Once(once::notices),
        "Mail attempts by route and result.",
    ),
    family(
        "hinomi_outbox_pending",
        Gauge,
        &["level"],
        Once(once::pending),
        "Mails not accepted by a relay yet.",
    ),
    family(
        "hinomi_outbox_oldest_seconds",
        Gauge,
        &[],
        Once(once::oldest),
        "Age of the oldest mail not accepted yet.",
    ),
    family(
        "hinomi_outbox_stuck",
        Gauge,
        &[],
        Once(once::stuck),
        "Mails not accepted for more than an hour.",
    ),
    family(
        "hinomi_route_ready",
        Gauge,
        &["route"],
        Once(once::route_ready),
        "Whether the last test and the last delivery over a mail route worked.",
    ),
    family(
        "hinomi_maintenance_active",
        Gauge,
        &["window", "by", "stage"],
        Once(once::maintenance),
        "A maintenance window in force, or settling after its end, value 1; absent otherwise.",
    ),
    family(
        "hinomi_ledger_working",
        Gauge,
        &[],
        Once(once::ledger_working),
        "Whether the last commit to the ledger worked.",
    ),
    family(
        "hinomi_ledger_sequence",
        Gauge,
        &[],
        Once(once::ledger_sequence),
        "Sequence number of the ledger's last event.",
    ),
    family(
        "hinomi_ledger_head_info",
        Gauge,
        &["hash"],
        Once(once::ledger_head),
        "Hash of the ledger's last event, value 1.",
    ),
    family(
        "hinomi_device_info",
        Gauge,
        &["device", "address", "owner", "site", "group", "profile"],
        Each(rows::managed, rows::device_info),
        "What the configuration says of a device, value 1.",
    ),
    family(
        "hinomi_device_level",
        Gauge,
        DEVICE,
        Each(rows::all, rows::device_level),
        "Worst level of a device's findings: 0 ok, 1 warning, 2 critical.",
    ),
    family(
        "hinomi_device_maintenance",
        Gauge,
        DEVICE,
        Each(rows::all, rows::device_maintenance),
        "Planned work covers this device or circuit now, value 1; absent otherwise.",
    ),
    family(
        "hinomi_finding_level",
        Gauge,
        &["device", "part", "kind", "metric"],
        Each(rows::findings, rows::finding_level),
        "Level of an open finding: 0 shown only, 1 warning, 2 critical.",
    ),
    family(
        "hinomi_metric",
        Gauge,
        &["device", "metric", "part", "unit"],
        Each(rows::numbers, rows::metric),
        "A judged number in the unit of the label: percent, celsius, seconds, days, none for a count, or a watch's own.",
    ),
    family(
        "hinomi_metric_level",
        Gauge,
        &["device", "metric", "part"],
        Each(rows::numbers, rows::metric_level),
        "Level of a judged number: 0 ok, 1 warning, 2 critical; absent while there is no value.",
    ),
    family(
        "hinomi_watch_success",
        Gauge,
        &["device", "watch", "kind"],
        Each(rows::services, rows::watch_success),
        "Whether a watched service gave the right answer.",
    ),
    family(
        "hinomi_watch_perfdata",
        Gauge,
        &["device", "watch", "label", "unit"],
        Each(rows::perfdata, rows::watch_perfdata),
        "A number that a plugin gave beside its answer, in its own unit.",
    ),
    family(
        "hinomi_circuit_info",
        Gauge,
        &[
            "circuit",
            "institution_id",
            "institution",
            "class",
            "carrier",
            "role",
            "line_device",
            "port",
        ],
        Each(rows::all, rows::circuit_info),
        "What the configuration says of an access circuit, value 1.",
    ),
    family(
        "hinomi_circuit_state",
        Gauge,
        CIRCUIT,
        Each(rows::all, rows::circuit_state),
        "Reachability: 0 unknown, 1 up, 2 lossy, 3 suspect, 4 down, 5 unreachable, 6 off, 7 blind, 8 not watched.",
    ),
    family(
        "hinomi_circuit_utilization_ratio",
        Gauge,
        &["circuit", "institution_id", "direction"],
        Each(rows::all, rows::circuit_utilization),
        "Share of the contracted rate in use toward (down) and from (up) the institution.",
    ),
    family(
        "hinomi_loss_ratio",
        Gauge,
        DEVICE,
        Each(rows::managed, rows::loss),
        "Share of echoes lost in the last five minutes.",
    ),
    family(
        "hinomi_rtt_seconds",
        Gauge,
        &["device", "of"],
        Each(rows::managed, rows::round_trip),
        "Least (min), most (max) and standard deviation of the round-trip times of the last 5 to 10 minutes.",
    ),
    family(
        "probe_success",
        Gauge,
        &["device", "owner"],
        Each(rows::all, rows::probe_success),
        "Whether the device answers.",
    ),
    family(
        "probe_icmp_duration_seconds",
        Gauge,
        &["device", "phase"],
        Each(rows::all, rows::rtt),
        "Mean round-trip time of the last round.",
    ),
    family(
        "sysUpTime",
        Gauge,
        DEVICE,
        Each(rows::managed, rows::uptime),
        "Time since the agent restarted in hundredths of a second.",
    ),
    family(
        "ifHCInOctets",
        Counter,
        INTERFACE,
        Each(rows::ports, rows::in_octets),
        "Octets received on the interface.",
    ),
    family(
        "ifHCOutOctets",
        Counter,
        INTERFACE,
        Each(rows::ports, rows::out_octets),
        "Octets sent out of the interface.",
    ),
    family(
        "ifOperStatus",
        Gauge,
        INTERFACE,
        Each(rows::ports, rows::oper),
        "Operational state by RFC 2863: 1 is up.",
    ),
    family(
        "ifAdminStatus",
        Gauge,
        INTERFACE,
        Each(rows::ports, rows::admin),
        "Desired state by RFC 2863: 1 is up.",
    ),
    family(
        "ifHighSpeed",
        Gauge,
        INTERFACE,
        Each(rows::ports, rows::speed),
        "Speed of the interface in units of 1,000,000 bit/s.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Names that dashboards know and that do not follow the convention for units and `_total`.
    const COMPATIBLE: &[&str] = &[
        "sysUpTime",
        "ifHCInOctets",
        "ifHCOutOctets",
        "ifOperStatus",
        "ifAdminStatus",
        "ifHighSpeed",
    ];

    #[test]
    fn names_are_unique_and_well_formed() {
        let mut seen = BTreeSet::new();
        for f in FAMILIES {
            assert!(seen.insert(f.name), "{} stands twice", f.name);
            assert!(
                f.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{}",
                f.name
            );
            for label in f.labels {
                assert!(
                    label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                    "{} {label}",
                    f.name
                );
                assert!(*label != "le" && !label.starts_with("__"), "{} {label}", f.name);
            }
        }
    }

    #[test]
    fn counters_end_in_total_and_nothing_else_does() {
        for f in FAMILIES.iter().filter(|f| !COMPATIBLE.contains(&f.name)) {
            assert_eq!(f.name.ends_with("_total"), f.kind == Kind::Counter, "{}", f.name);
        }
    }

    #[test]
    fn units_are_base_units() {
        for f in FAMILIES {
            for wrong in ["_ms", "_milliseconds", "_minutes", "_kilobytes", "_percent", "_bits"] {
                assert!(!f.name.contains(wrong), "{} is not in a base unit", f.name);
            }
            if f.kind == Kind::Histogram {
                assert!(f.name.ends_with("_seconds"), "{} has no unit", f.name);
            }
        }
    }

    #[test]
    fn every_help_is_one_sentence() {
        for f in FAMILIES {
            assert!(f.help.ends_with('.') && f.help.len() > 15, "{}", f.name);
            assert!(f.help.starts_with(|c: char| c.is_uppercase()), "{}", f.name);
        }
    }
}
