//! What was read, as it stands on the timeline of an incident: the inputs beside the decisions that they led to.
//!
//! Never here: a judgement of it; what is kept, and for how long (that is `core::inputs`).

use crate::model::redundancy::Role;
use crate::model::service::{Answer, Failure};
use crate::model::{ComponentName, FindingKey, FindingKind, Metric, Name, Part, Wall};
use crate::poll::AgentFailure;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "read", rename_all = "kebab-case")]
pub enum Reading {
    /// A liveness round ended.
    Liveness {
        /// Made because all of a round was lost.
        confirm: bool,
        /// Echoes (or whatever liveness asks) sent.
        sent: u32,
        /// Answered by the device itself.
        received: u32,
        /// Mean round trip of the answered ones, milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rtt_ms: Option<f64>,
        /// Who else answered about it: address, ICMP type and code.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<(IpAddr, u8, u8)>,
        /// This host could not send: the system's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        send_error: Option<String>,
    },
    /// The agent gave nothing.
    AgentFailed {
        /// How.
        failure: AgentFailure,
    },
    /// The agent answered.
    AgentAnswered {
        /// It fell silent before all was read.
        partial: bool,
    },
    /// A number was measured.
    Number {
        /// Of which part.
        part: Part,
        /// Which, in its own unit.
        metric: Metric,
        /// Of the value.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        unit: String,
        /// `None`: unknown.
        value: Option<f64>,
        /// Why it is unknown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unknown: Option<Name>,
    },
    /// The state of a port was read.
    Port {
        /// ifName.
        name: Name,
        /// ifAdminStatus.
        admin: Option<u8>,
        /// ifOperStatus.
        oper: Option<u8>,
    },
    /// The agent has no port of this name.
    PortMissing {
        /// ifName.
        name: Name,
    },
    /// The state of a fan, a power supply and the like was read.
    Component {
        /// Which.
        name: ComponentName,
        /// As read.
        code: i64,
        /// What that means, if the profile says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<Name>,
    },
    /// A TCP `watch` was tried.
    Tcp {
        /// Its name.
        watch: Name,
        /// Milliseconds to connect, or the system's words.
        result: Result<f64, String>,
    },
    /// A watched service was asked.
    Service {
        /// The watch's name.
        watch: Name,
        /// Milliseconds until the answer was there, or it was given up.
        took_ms: f64,
        /// What came back.
        result: Result<Answer, Failure>,
    },
    /// A member of a redundancy group said something else than before.
    Role {
        /// The group.
        group: Name,
        /// VRID, virtual domain …; empty where there is only one.
        instance: Name,
        /// Who says it of itself.
        member: Name,
        /// `None`: the value is none that is known. A row that is gone is no reading.
        role: Option<Role>,
        /// How often it became active, if it counts that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transitions: Option<i64>,
    },
}

/// A reading and when it was there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadAt {
    /// When.
    pub at: Wall,
    /// Read so often, each time the same…
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
    /// … the last time then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
    /// What.
    #[serde(flatten)]
    pub reading: Reading,
}

fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_once(times: &u32) -> bool {
    *times == 1
}

impl Reading {
    /// Both are readings of one thing.
    pub fn is_of_kind(&self, other: &Reading) -> bool {
        use Reading as R;
        match (self, other) {
            (R::Number { part: a, metric: m, .. }, R::Number { part: b, metric: n, .. }) => (a, m) == (b, n),
            (
                R::Port { name: a, .. } | R::PortMissing { name: a },
                R::Port { name: b, .. } | R::PortMissing { name: b },
            )
            | (R::Tcp { watch: a, .. }, R::Tcp { watch: b, .. })
            | (R::Service { watch: a, .. }, R::Service { watch: b, .. }) => a == b,
            (R::Component { name: a, .. }, R::Component { name: b, .. }) => a == b,
            (R::AgentFailed { .. } | R::AgentAnswered { .. }, R::AgentFailed { .. } | R::AgentAnswered { .. })
            | (R::Liveness { .. }, R::Liveness { .. }) => true,
            // Each change of a role is a reading of its own.
            _ => false,
        }
    }

    /// They differ in the times of round trips only.
    pub fn says_the_same(&self, other: &Reading) -> bool {
        match (self, other) {
            (Reading::Liveness { .. }, Reading::Liveness { .. }) => self.without_time() == other.without_time(),
            (Reading::Tcp { result: Ok(_), .. }, Reading::Tcp { result: Ok(_), .. }) => self.is_of_kind(other),
            (Reading::Service { result: a, .. }, Reading::Service { result: b, .. }) => {
                self.is_of_kind(other) && a == b
            }
            _ => self == other,
        }
    }

    fn without_time(&self) -> Reading {
        let mut reading = self.clone();
        if let Reading::Liveness { rtt_ms, .. } = &mut reading {
            *rtt_ms = None;
        }
        reading
    }

    /// Can a finding rest on it, or end because of it?
    pub fn concerns(&self, key: &FindingKey) -> bool {
        use FindingKind as F;
        match self {
            Reading::Liveness { .. } => {
                let lossy = key.kind == F::Threshold && matches!(key.metric, Some(Metric::Loss | Metric::Rtt));
                let silent = matches!(
                    key.kind,
                    F::DeviceDown | F::PlatformDown | F::CircuitSilent | F::ControlPlaneSilent | F::Blind | F::Lossy
                );
                silent || lossy || key.kind.is_of_redundancy()
            }
            Reading::AgentFailed { .. } | Reading::AgentAnswered { .. } => {
                let silent = matches!(key.kind, F::AgentSilent | F::NoData);
                silent && !matches!(key.part, Part::Watch(_)) || key.kind.is_of_redundancy()
            }
            Reading::Number { part, metric, .. } => key.metric == Some(*metric) && key.part == *part,
            Reading::Port { name, .. } | Reading::PortMissing { name } => {
                let of_port = matches!(key.kind, F::InterfaceDown | F::InterfaceMissing | F::NoData);
                of_port && matches!(&key.part, Part::Interface(port) if port == name)
            }
            Reading::Component { name, .. } => matches!(&key.part, Part::Component(part) if part == name),
            Reading::Tcp { watch, .. } | Reading::Service { watch, .. } => {
                matches!(&key.part, Part::Watch(part) if part == watch)
            }
            Reading::Role { group, .. } => matches!(&key.part, Part::Redundancy(part) if part == group),
        }
    }
}
