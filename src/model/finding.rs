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

impl Level {
    /// The word in `--json`, CSV and metrics.
    pub fn key(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Critical => "critical",
        }
    }
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
    /// What the operator wrote by name, or what once gave a value, has given none for three intervals.
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
    /// No mail route takes a mail for a contact: its addresses are refused, or cannot be written to.
    ContactRefused,
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
    pub const ALL: [FindingKind; 23] = [
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
        FindingKind::ContactRefused,
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
            FindingKind::ContactRefused => "contact-refused",
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
            FindingKind::LastRouteLost | FindingKind::ContactRefused => (Level::Critical, 0),
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
    /// A fan, a power supply and the like, by its row.
    Component(ComponentName),
    /// A mail route, by its name.
    Route(Name),
    /// A contact, by its name.
    Contact(Name),
    /// What circuits have in common: `carrier access-carrier-1`, `site tokyo`, `device agg-3`, `card agg-3 ge-0/0`.
    Common(Name),
    /// This monitoring host.
    Host,
    /// A redundancy group, by its name.
    Redundancy(Name),
}

/// A part of a device that has a row of its own in one of the device's tables. Its identity is the row; what the device calls it is
/// for people, and may change while the part stays the same (there are makes that write the state into the name).
#[derive(Clone, Debug)]
pub struct ComponentName {
    /// What it is and the index of its row: `power supply 1016`.
    pub id: Name,
    /// How it is called.
    pub label: Name,
}

impl PartialEq for ComponentName {
    fn eq(&self, other: &ComponentName) -> bool {
        self.id == other.id
    }
}

impl Eq for ComponentName {}

impl PartialOrd for ComponentName {
    fn partial_cmp(&self, other: &ComponentName) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ComponentName {
    fn cmp(&self, other: &ComponentName) -> std::cmp::Ordering {
        self.id.cmp(&other.id)
    }
}

impl std::hash::Hash for ComponentName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// How it stands in the ledger: one text where both are the same, as in ledgers from before rows were the identity.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    One(Name),
    Both { id: Name, label: Name },
}

impl Serialize for ComponentName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (id, label) = (Name::clone(&self.id), Name::clone(&self.label));
        let written = match id == label {
            true => Written::One(id),
            false => Written::Both { id, label },
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ComponentName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ComponentName, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::One(name) => ComponentName {
                id: Name::clone(&name),
                label: name,
            },
            Written::Both { id, label } => ComponentName { id, label },
        })
    }
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
    /// Which number, for `Threshold` and `NoData`; a `NoData` without one is about the state of a port, or of all ports of a device.
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

impl FindingKey {
    /// `edge-a/xe-0/0/0`: what it is about.
    pub fn target(&self) -> String {
        let device = self.device.as_deref().unwrap_or("hinomi");
        match &self.part {
            Part::Device | Part::Host => device.to_owned(),
            Part::Component(n) => format!("{device}/{}", n.label),
            Part::Interface(n)
            | Part::Watch(n)
            | Part::Route(n)
            | Part::Contact(n)
            | Part::Common(n)
            | Part::Redundancy(n) => format!("{device}/{n}"),
        }
    }

    /// The redundancy group, or what circuits have in common, that it is about, if it is about one and about no device.
    pub fn group(&self) -> Option<&str> {
        match (&self.device, &self.part) {
            (None, Part::Redundancy(name) | Part::Common(name)) => Some(name),
            _ => None,
        }
    }

    /// `threshold utilization-in`: what is wrong there.
    pub fn finding(&self) -> String {
        let name = self
            .metric
            .map(|metric| serde_json::to_string(&metric).unwrap_or_default());
        match name {
            None => self.kind.key().to_owned(),
            Some(name) => format!("{} {}", self.kind.key(), name.trim_matches('"')),
        }
    }
}

impl std::fmt::Display for FindingKey {
    /// `edge-a/xe-0/0/0 threshold utilization-in`: for logs and tests; mails use `notify::text`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.target(), self.finding())
    }
}
