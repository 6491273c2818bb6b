//! Findings: what can be wrong with a part of the network, and how bad it is.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A name from the configuration (device, interface, route …), shared instead of copied.
pub type Name = Arc<str>;

/// How bad. The order is the order of severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nothing wrong.
    #[default]
    Ok,
    /// 注意: needs attention.
    Warning,
    /// 警告: needs a warning to others.
    Critical,
}

/// What is wrong. The kebab-case name is the key in `[findings]` and in every output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// An own device does not answer.
    DeviceDown,
    /// A platform device, past the demarcation point, does not answer.
    PlatformDown,
    /// A device of a connected institution does not answer.
    CircuitSilent,
    /// Many circuits with something in common fell silent together: the common part has failed.
    CircuitsLost,
    /// An interface that should be up is down.
    InterfaceDown,
    /// A name that was once matched is gone.
    InterfaceMissing,
    /// A fan, a power supply, a battery or a sensor says that it is not well.
    ComponentFailed,
    /// The device answers liveness, its SNMP agent does not.
    AgentSilent,
    /// A threshold has had no data for three intervals.
    NoData,
    /// A watched service gives a wrong answer or none.
    WatchFailed,
    /// The device is silent but what is behind it answers.
    ControlPlaneSilent,
    /// Some echoes are lost; shown, no notice.
    Lossy,
    /// This host is cut off: it accuses nobody.
    Blind,
    /// A mail route does not work.
    RouteNotReady,
    /// No mail route works.
    LastRouteLost,
    /// The ledger cannot be written, or was found damaged.
    LedgerFailed,
    /// Another member of a redundancy group is active.
    SwitchedOver,
    /// Fewer members of a redundancy group are ready than there are.
    RedundancyLost,
    /// Several members are active where one should be.
    BothActive,
    /// No member carries the service.
    NoneActive,
    /// The preferred member is ready and not active.
    PreferredInactive,
    /// A number is above its threshold.
    Threshold,
}

impl FindingKind {
    /// Every kind, in the order they are documented.
    pub const ALL: [FindingKind; 22] = [
        FindingKind::DeviceDown,
        FindingKind::PlatformDown,
        FindingKind::CircuitSilent,
        FindingKind::CircuitsLost,
        FindingKind::InterfaceDown,
        FindingKind::InterfaceMissing,
        FindingKind::ComponentFailed,
        FindingKind::AgentSilent,
        FindingKind::NoData,
        FindingKind::WatchFailed,
        FindingKind::ControlPlaneSilent,
        FindingKind::Lossy,
        FindingKind::Blind,
        FindingKind::RouteNotReady,
        FindingKind::LastRouteLost,
        FindingKind::LedgerFailed,
        FindingKind::SwitchedOver,
        FindingKind::RedundancyLost,
        FindingKind::BothActive,
        FindingKind::NoneActive,
        FindingKind::PreferredInactive,
        FindingKind::Threshold,
    ];

    /// The key in `[findings]`, in metrics and in `--json`.
    pub fn key(self) -> &'static str {
        match self {
            FindingKind::DeviceDown => "device-down",
            FindingKind::PlatformDown => "platform-down",
            FindingKind::CircuitSilent => "circuit-silent",
            FindingKind::CircuitsLost => "circuits-lost",
            FindingKind::InterfaceDown => "interface-down",
            FindingKind::InterfaceMissing => "interface-missing",
            FindingKind::ComponentFailed => "component-failed",
            FindingKind::AgentSilent => "agent-silent",
            FindingKind::NoData => "no-data",
            FindingKind::WatchFailed => "watch-failed",
            FindingKind::ControlPlaneSilent => "control-plane-silent",
            FindingKind::Lossy => "lossy",
            FindingKind::Blind => "blind",
            FindingKind::RouteNotReady => "route-not-ready",
            FindingKind::LastRouteLost => "last-route-lost",
            FindingKind::LedgerFailed => "ledger-failed",
            FindingKind::SwitchedOver => "switched-over",
            FindingKind::RedundancyLost => "redundancy-lost",
            FindingKind::BothActive => "both-active",
            FindingKind::NoneActive => "none-active",
            FindingKind::PreferredInactive => "preferred-inactive",
            FindingKind::Threshold => "threshold",
        }
    }

    /// Level and delay where `[findings]` says nothing (design section 4).
    pub fn default_rule(self) -> FindingRule {
        let (level, seconds) = match self {
            FindingKind::DeviceDown => (Level::Critical, 0),
            FindingKind::PlatformDown => (Level::Critical, 30),
            FindingKind::CircuitSilent => (Level::Warning, 300),
            FindingKind::CircuitsLost => (Level::Critical, 0),
            FindingKind::InterfaceDown | FindingKind::InterfaceMissing | FindingKind::ComponentFailed => {
                (Level::Warning, 30)
            }
            FindingKind::AgentSilent | FindingKind::NoData | FindingKind::ControlPlaneSilent => (Level::Warning, 300),
            FindingKind::WatchFailed => (Level::Warning, 60),
            FindingKind::Lossy => (Level::Ok, 0),
            FindingKind::Blind => (Level::Critical, 0),
            FindingKind::RouteNotReady => (Level::Warning, 600),
            FindingKind::LastRouteLost => (Level::Critical, 0),
            FindingKind::LedgerFailed => (Level::Critical, 60),
            FindingKind::SwitchedOver => (Level::Warning, 0),
            FindingKind::RedundancyLost => (Level::Warning, 60),
            FindingKind::BothActive | FindingKind::NoneActive => (Level::Critical, 0),
            // After the group's preempt delay.
            FindingKind::PreferredInactive => (Level::Warning, 300),
            FindingKind::Threshold => (Level::Warning, 0),
        };
        FindingRule {
            level,
            after: Duration::from_secs(seconds),
        }
    }
}

/// One line of `[findings]`: how bad a kind is, and how long it must last before anyone is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingRule {
    /// `Level::Ok` means: shown, no notice.
    pub level: Level,
    /// From the moment it is confirmed.
    pub after: Duration,
}

/// Which part of a device (or of hinomi itself) a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The device as a whole.
    Device,
    /// An interface, by ifName.
    Interface(Name),
    /// A `watch`, by its name.
    Watch(Name),
    /// A fan, a power supply and the like, by its name.
    Component(Name),
    /// A mail route, by its name.
    Route(Name),
    /// What circuits have in common: `carrier access-carrier-1`, `site tokyo`, `device agg-3`, `card agg-3 ge-0/0`.
    Common(Name),
    /// This monitoring host.
    Host,
    /// A redundancy group, by its name.
    Redundancy(Name),
}

/// The identity of a finding. It survives restarts and reloads: it is made of names, never of numbers given at run time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FindingKey {
    /// The device; `None` for what concerns hinomi itself (blind, routes).
    pub device: Option<Name>,
    /// Which part.
    pub part: Part,
    /// What is wrong.
    pub kind: FindingKind,
    /// Which number, for `Threshold` and `NoData`.
    pub metric: Option<super::Metric>,
}

impl FindingKind {
    /// It is about a redundancy group, not about a device.
    pub fn is_of_redundancy(self) -> bool {
        matches!(
            self,
            FindingKind::SwitchedOver
                | FindingKind::RedundancyLost
                | FindingKind::BothActive
                | FindingKind::NoneActive
                | FindingKind::PreferredInactive
        )
    }
}

impl FindingKey {
    /// The finding of a redundancy group.
    pub fn of_redundancy(group: &Name, kind: FindingKind) -> FindingKey {
        FindingKey {
            device: None,
            part: Part::Redundancy(Name::clone(group)),
            kind,
            metric: None,
        }
    }
}

impl std::fmt::Display for FindingKey {
    /// `edge-a/xe-0/0/0 threshold utilization-in`: for logs and tests; mails use `notify::text`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.device.as_deref().unwrap_or("hinomi"))?;
        match &self.part {
            Part::Device | Part::Host => {}
            Part::Interface(n)
            | Part::Watch(n)
            | Part::Component(n)
            | Part::Route(n)
            | Part::Common(n)
            | Part::Redundancy(n) => {
                write!(f, "/{n}")?;
            }
        }
        write!(f, " {}", self.kind.key())?;
        if let Some(metric) = self.metric {
            let name = serde_json::to_string(&metric).unwrap_or_default();
            write!(f, " {}", name.trim_matches('"'))?;
        }
        Ok(())
    }
}
