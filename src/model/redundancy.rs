//! Redundancy groups: who stands in for whom, who should be active, and how many are needed.
//!
//! Two families. Of an active/standby group exactly one member is active in each instance (a VRID, a virtual domain). Of a group
//! that counts, members are good or not, and `need` of them carry the service; where one is preferred, the first good one in the
//! order of preference is "active", so that a backup line which comes up is a switchover.
//!
//! Never here: where a make tells its role (that is `role_source`), what was read.

use super::{DeviceId, FindingKind, FindingRule, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// What makes the members stand in for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedundancyKind {
    /// Virtual routers (RFC 5798).
    Vrrp,
    /// Cisco's Hot Standby Router Protocol.
    Hsrp,
    /// BGP sessions.
    Bgp,
    /// OSPF neighbours.
    Ospf,
    /// Members of a link aggregate.
    Lag,
    /// Units of a make's own cluster or stack.
    Ha,
    /// Interfaces that stand in for each other.
    Link,
    /// Next hops of the default route.
    Route,
    /// Any object whose value tells the role.
    Role,
}

impl RedundancyKind {
    /// Every kind, in the order they are documented.
    pub const ALL: [RedundancyKind; 9] = [
        RedundancyKind::Vrrp,
        RedundancyKind::Hsrp,
        RedundancyKind::Bgp,
        RedundancyKind::Ospf,
        RedundancyKind::Lag,
        RedundancyKind::Ha,
        RedundancyKind::Link,
        RedundancyKind::Route,
        RedundancyKind::Role,
    ];

    /// The word in `kind = …`.
    pub fn key(self) -> &'static str {
        match self {
            RedundancyKind::Vrrp => "vrrp",
            RedundancyKind::Hsrp => "hsrp",
            RedundancyKind::Bgp => "bgp",
            RedundancyKind::Ospf => "ospf",
            RedundancyKind::Lag => "lag",
            RedundancyKind::Ha => "ha",
            RedundancyKind::Link => "link",
            RedundancyKind::Route => "route",
            RedundancyKind::Role => "role",
        }
    }

    /// Members are good or not, and `need` of them carry the service; else exactly one is active in each instance.
    pub fn counts(self) -> bool {
        matches!(
            self,
            RedundancyKind::Bgp | RedundancyKind::Ospf | RedundancyKind::Lag | RedundancyKind::Link
        )
    }

    /// One that is not active says whether it is ready. A route that is not in the table says nothing, and two next hops
    /// at once share the load.
    pub fn tells_standby(self) -> bool {
        self != RedundancyKind::Route
    }
}

/// What a member is in an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Carries the service (of a group that counts: good).
    Active,
    /// Ready to take over.
    Standby,
    /// Cannot take over.
    Failed,
    /// In no cluster: it works by itself, and nobody stands in for it.
    #[serde(rename = "standalone")]
    Alone,
}

impl Role {
    /// The word in the configuration, metrics and `--json`.
    pub fn key(self) -> &'static str {
        match self {
            Role::Active => "active",
            Role::Standby => "standby",
            Role::Failed => "failed",
            Role::Alone => "standalone",
        }
    }

    /// Every role.
    pub const ALL: [Role; 4] = [Role::Active, Role::Standby, Role::Failed, Role::Alone];
}

/// An instance as a member calls it, and what tells that another member means the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceId {
    /// VRID, group, virtual domain …; empty where the group is one instance.
    pub number: Name,
    /// Its virtual addresses, as far as the agent tells them.
    pub addresses: BTreeSet<IpAddr>,
    /// The name of the interface that it is on.
    pub interface: Option<Name>,
}

impl InstanceId {
    /// An instance that its number alone tells apart.
    pub fn numbered(number: impl Into<Name>) -> InstanceId {
        InstanceId {
            number: number.into(),
            ..InstanceId::default()
        }
    }

    /// Nothing but its number is known.
    pub fn is_bare(&self) -> bool {
        self.addresses.is_empty() && self.interface.is_none()
    }

    /// Its names where the number is used more than once: `1 192.0.2.1`, `1 Vl10`; the one that other members would give it, too, first.
    pub fn full_names(&self) -> impl Iterator<Item = Name> {
        let addresses = self.addresses.iter().map(|a| format!("{} {a}", self.number));
        let interface = self.interface.iter().map(|i| format!("{} {i}", self.number));
        addresses.chain(interface).map(Name::from)
    }
}

/// What of a device is the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberPart {
    /// The device.
    Whole,
    /// Its session with this neighbour.
    Peer(IpAddr),
    /// Its interface, by ifName.
    Interface(Name),
    /// Its default route by this next hop.
    NextHop(IpAddr),
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The device that tells of it.
    pub device: DeviceId,
    /// How it is called: the device's name, with the peer, interface or next hop behind it. Unique within the group.
    pub label: Name,
    /// What of the device.
    pub part: MemberPart,
}

impl Member {
    /// Is this the name of the member, or of a unit of it?
    pub fn is_called(&self, name: &str) -> bool {
        let rest = name.strip_prefix(&*self.label);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }
}

/// Which member should be active. Members by their position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Preferred {
    /// None: whoever is active is right.
    #[default]
    Nobody,
    /// One, in every instance.
    One(usize),
    /// By instance; in one that is not listed whoever is active is right.
    ByInstance(BTreeMap<Name, usize>),
}

/// An object of `kind = "role"`, and what its values mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleObject {
    /// The instance, or the column: then each row is an instance of the group.
    pub oid: Vec<u32>,
    /// Value (a number in decimal, or a text) to role.
    pub values: BTreeMap<String, Role>,
}

/// The right side has been active again for so long, unless it is written: a switchover is over.
pub const SWITCHED_BACK: Duration = Duration::from_secs(300);

/// One `[[redundancy]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Redundancy {
    /// Unique, the identity across reloads.
    pub name: Name,
    /// What makes the members stand in for each other.
    pub kind: RedundancyKind,
    /// In the order of the configuration: two at least, or one device whose units are the members (`ha`).
    pub members: Vec<Member>,
    /// Who should be active.
    pub preferred: Preferred,
    /// How many good members carry the service; 1 of a group that does not count.
    pub need: u32,
    /// How long the preferred side may take until it is active again.
    pub preempt_delay: Duration,
    /// Of BGP: how long forwarding goes on without a session; zero where it is not known.
    pub graceful_restart: Duration,
    /// Of `role`.
    pub object: Option<RoleObject>,
    /// A switchover is over when the right side has been active again for so long.
    pub switched_back: Duration,
    /// `[findings]` in force for this group, where they differ from the kind's default.
    pub findings: BTreeMap<FindingKind, FindingRule>,
}

impl Redundancy {
    /// Level and delay of a finding of this group.
    pub fn rule(&self, kind: FindingKind) -> FindingRule {
        self.findings.get(&kind).copied().unwrap_or_else(|| kind.default_rule())
    }

    /// The preferred member of an instance. What is written for `51` holds for `51/ipv6` and `51 192.0.2.1` as well, unless these are
    /// written themselves.
    pub fn preferred(&self, instance: &str) -> Option<usize> {
        match &self.preferred {
            Preferred::Nobody => None,
            Preferred::One(member) => Some(*member),
            Preferred::ByInstance(by) => {
                let plain = instance.split(['/', ' ']).next();
                by.get(instance).or_else(|| by.get(plain?)).copied()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_side_may_differ_by_instance() {
        let mut group = Redundancy {
            name: "g".into(),
            kind: RedundancyKind::Vrrp,
            members: Vec::new(),
            preferred: Preferred::One(1),
            need: 1,
            preempt_delay: Duration::ZERO,
            graceful_restart: Duration::ZERO,
            object: None,
            switched_back: SWITCHED_BACK,
            findings: BTreeMap::new(),
        };
        assert_eq!(group.preferred("51"), Some(1));
        group.preferred = Preferred::ByInstance([("51".into(), 0)].into());
        assert_eq!((group.preferred("51"), group.preferred("52")), (Some(0), None));
        assert_eq!((group.preferred("51/ipv6"), group.preferred("5")), (Some(0), None));
        assert_eq!(
            group.preferred("51 192.0.2.1"),
            Some(0),
            "one of several of this number"
        );
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<&str> = RedundancyKind::ALL.iter().map(|k| k.key()).collect();
        assert_eq!(words.len(), RedundancyKind::ALL.len());
    }
}
