//! The redundancy groups of a town: who stands in for whom, what their agents tell of it, and how they elect.
//!
//! Never here: who is active at a moment (`truth`), or what happens to them (`plot`).

use super::{Builder, Tier};
use hinomi::model::redundancy::{Role, RoleObject, SWITCHED_BACK};
use hinomi::model::{
    DeviceId, FindingKind, FindingRule, Level, Member, MemberPart, Name, Preferred, Redundancy, RedundancyKind,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// What of an agent tells the roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// VRRP-MIB (RFC 2787), with a counter. The index of a row may move at every change.
    Vrrp2 { moves: bool },
    /// VRRPV3-MIB (RFC 6527), with a counter.
    Vrrp3,
    /// KEEPALIVED-MIB: no counter.
    Keepalived,
    /// BGP4-MIB, with a counter.
    Bgp4,
    /// The ports, and what LACP says of them.
    Ports { lacp: bool },
    /// An object of the site's own: a column, or one value. No counter.
    Object { column: bool },
    /// F5-BIGIP-SYSTEM-MIB: no counter.
    F5,
}

impl Table {
    /// A change and back between two polls shows in a counter.
    pub(crate) fn counts(self) -> bool {
        matches!(self, Table::Vrrp2 { .. } | Table::Vrrp3 | Table::Bgp4)
    }
}

/// One member.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Who tells of it.
    pub(crate) device: usize,
    pub(crate) label: Name,
    /// The port that it is, if it is one.
    pub(crate) port: Option<usize>,
    /// The other end of its session.
    pub(crate) peer: Option<usize>,
}

/// One group.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    pub(crate) name: Name,
    pub(crate) kind: RedundancyKind,
    pub(crate) seats: Vec<Seat>,
    pub(crate) instances: Vec<Name>,
    /// Who should be active in each instance.
    pub(crate) preferred: Vec<Option<usize>>,
    /// The preferred one takes its role back by itself.
    pub(crate) preempts: bool,
    pub(crate) table: Table,
    /// So many good members carry the service.
    pub(crate) need: usize,
}

impl Ring {
    /// Members are good or not.
    pub(crate) fn counted(&self) -> bool {
        matches!(self.kind, RedundancyKind::Bgp | RedundancyKind::Lag)
    }

    /// Who is active in the beginning.
    pub(crate) fn first(&self, instance: usize) -> usize {
        self.preferred[instance].unwrap_or(0)
    }

    /// The member of a label.
    pub(crate) fn seat(&self, label: &str) -> Option<usize> {
        self.seats.iter().position(|s| *s.label == *label)
    }
}

/// The group of an aggregate: its members are these ports of the first edge.
pub(super) const AGGREGATE: [&str; 3] = ["ge-1", "ge-2", "ge-3"];

/// The object of the site's own: a column, or one value.
pub(crate) const OWN_COLUMN: [u32; 11] = [1, 3, 6, 1, 4, 1, 99_999, 2, 2, 1, 3];
pub(crate) const OWN_VALUE: [u32; 10] = [1, 3, 6, 1, 4, 1, 99_999, 2, 1, 0];

impl Builder<'_> {
    /// All groups of a town that has them.
    pub(super) fn groups(&mut self) -> Vec<Ring> {
        if !self.scene.groups {
            return Vec::new();
        }
        let all = |tier| {
            (0..self.tiers.len())
                .filter(|i| self.tiers[*i] == tier)
                .collect::<Vec<usize>>()
        };
        let (edges, routers, aggregations) = (all(Tier::Edge), all(Tier::PlatformRouter), all(Tier::Aggregation));
        let mut rings = vec![
            self.gateway(&edges),
            self.sessions(&edges, &routers),
            self.aggregate(edges[0]),
        ];
        rings.push(self.ring(&aggregations));
        if self.dice.chance(30) {
            rings.push(self.firewalls(&edges));
        }
        rings
    }

    fn whole(&self, devices: &[usize]) -> Vec<Seat> {
        let seat = |i: &usize| Seat {
            device: *i,
            label: self.devices[*i].name.clone(),
            port: None,
            peer: None,
        };
        devices.iter().take(2).map(seat).collect()
    }

    /// Who should be active: one, nobody, or one for each instance.
    fn prefer(&mut self, instances: usize) -> Vec<Option<usize>> {
        match self.dice.below(3) {
            0 => vec![None; instances],
            1 => vec![Some(0); instances],
            _ => (0..instances).map(|i| Some(i % 2)).collect(),
        }
    }

    fn gateway(&mut self, edges: &[usize]) -> Ring {
        let instances: Vec<Name> = (51..51 + self.dice.range(1, 3)).map(|n| n.to_string().into()).collect();
        let table = match self.dice.below(10) {
            0..6 => Table::Vrrp2 {
                moves: self.dice.chance(30),
            },
            6..8 => Table::Vrrp3,
            _ => Table::Keepalived,
        };
        Ring {
            name: "edge gateway".into(),
            kind: RedundancyKind::Vrrp,
            seats: self.whole(edges),
            preferred: self.prefer(instances.len()),
            instances,
            preempts: self.dice.chance(60),
            table,
            need: 1,
        }
    }

    fn sessions(&mut self, edges: &[usize], routers: &[usize]) -> Ring {
        let seat = |(edge, router): (&usize, &usize)| Seat {
            device: *edge,
            label: format!("{} {}", self.devices[*edge].name, self.devices[*router].address).into(),
            port: None,
            peer: Some(*router),
        };
        Ring {
            name: "platform sessions".into(),
            kind: RedundancyKind::Bgp,
            seats: edges.iter().zip(routers).map(seat).collect(),
            instances: vec!["".into()],
            preferred: vec![self.dice.chance(50).then_some(0)],
            preempts: true,
            table: Table::Bgp4,
            need: 1,
        }
    }

    fn aggregate(&mut self, edge: usize) -> Ring {
        let seat = |name: &&str| Seat {
            device: edge,
            label: format!("{} {name}", self.devices[edge].name).into(),
            port: self.ports[edge].iter().position(|p| p == name),
            peer: None,
        };
        Ring {
            name: "aggregate".into(),
            kind: RedundancyKind::Lag,
            seats: AGGREGATE.iter().map(seat).collect(),
            instances: vec!["".into()],
            preferred: vec![None],
            preempts: true,
            table: Table::Ports {
                lacp: self.dice.chance(60),
            },
            need: 2,
        }
    }

    fn ring(&mut self, aggregations: &[usize]) -> Ring {
        let column = self.dice.chance(50);
        let instances: Vec<Name> = match column {
            true => vec!["1".into(), "2".into()],
            false => vec!["".into()],
        };
        Ring {
            name: "ring".into(),
            kind: RedundancyKind::Role,
            seats: self.whole(aggregations),
            preferred: self.prefer(instances.len()),
            instances,
            preempts: self.dice.chance(50),
            table: Table::Object { column },
            need: 1,
        }
    }

    fn firewalls(&mut self, edges: &[usize]) -> Ring {
        Ring {
            name: "firewalls".into(),
            kind: RedundancyKind::Ha,
            seats: self.whole(edges),
            instances: vec!["".into()],
            preferred: self.prefer(1),
            preempts: self.dice.chance(50),
            table: Table::F5,
            need: 1,
        }
    }
}

/// The same as the configuration says it.
pub(super) fn configured(
    ring: &Ring,
    address: impl Fn(usize) -> std::net::IpAddr,
    port: impl Fn(&Seat) -> Name,
) -> Redundancy {
    let member = |seat: &Seat| Member {
        device: DeviceId(seat.device as u32),
        label: seat.label.clone(),
        part: match (seat.peer, seat.port) {
            (Some(peer), _) => MemberPart::Peer(address(peer)),
            (_, Some(_)) => MemberPart::Interface(port(seat)),
            _ => MemberPart::Whole,
        },
    };
    let by: BTreeMap<Name, usize> = ring
        .instances
        .iter()
        .zip(&ring.preferred)
        .filter_map(|(name, who)| Some((name.clone(), (*who)?)))
        .collect();
    let preferred = match ring.preferred[0] {
        _ if by.is_empty() => Preferred::Nobody,
        Some(one) if ring.preferred.iter().all(|p| *p == Some(one)) => Preferred::One(one),
        _ => Preferred::ByInstance(by),
    };
    let mut findings = BTreeMap::new();
    if ring.kind == RedundancyKind::Bgp {
        let rule = FindingRule {
            level: Level::Critical,
            after: Duration::from_secs(90),
        };
        findings.insert(FindingKind::NoneActive, rule);
    }
    let values = [("1", Role::Active), ("2", Role::Standby), ("3", Role::Failed)];
    let oid = match ring.table {
        Table::Object { column: true } => OWN_COLUMN.to_vec(),
        _ => OWN_VALUE.to_vec(),
    };
    Redundancy {
        name: ring.name.clone(),
        kind: ring.kind,
        members: ring.seats.iter().map(member).collect(),
        preferred,
        need: ring.need as u32,
        preempt_delay: Duration::ZERO,
        graceful_restart: Duration::ZERO,
        object: matches!(ring.table, Table::Object { .. }).then(|| RoleObject {
            oid,
            values: values.map(|(v, r)| (v.to_owned(), r)).into(),
        }),
        switched_back: SWITCHED_BACK,
        findings,
    }
}
