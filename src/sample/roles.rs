//! What agents say of redundancy becomes one view a member: its role in each instance, and how often it took it.
//!
//! A table that is not there (a daemon stopped, and its subagent with it) gives no row: the role is unknown, never standby and
//! never failed.
//!
//! Never here: a judgement; another member's view.

use crate::model::redundancy::{Role, RoleObject};
use crate::model::role_source::{DEFAULT_ROUTES, Meaning, ROLE_SOURCES, RoleSource, RowIs};
use crate::model::{DeviceId, Member, MemberPart, Mono, Name, Redundancy, RedundancyKind, Site};
use crate::poll::{AgentReading, RoleCell, RoleValue};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// RFC 2863: up.
const UP: u8 = 1;

/// One instance as a member sees itself.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleRow {
    /// VRID, virtual domain …; empty where the group is one instance.
    pub instance: Name,
    /// The unit of the device that it is about, where a device tells of several.
    pub unit: Option<Name>,
    /// `None`: the value is none that is known.
    pub role: Option<Role>,
    /// How often it became active, if the agent counts it.
    pub transitions: Option<i64>,
}

/// What one reading says of one member.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberView {
    /// Position in [`Site::redundancy`].
    pub group: usize,
    /// Position in [`Redundancy::members`].
    pub member: usize,
    /// The values were read after this.
    pub asked: Mono,
    /// sysUpTime then: counters begin anew with it.
    pub uptime: Option<u32>,
    /// Not all was read: what is missing here may be there.
    pub partial: bool,
    /// All instances that it tells of; one that is missing here is unknown.
    pub rows: Vec<RoleRow>,
}

/// Which members a device tells of.
#[derive(Debug, Default)]
pub(super) struct Roles {
    members: HashMap<DeviceId, Vec<(usize, usize)>>,
}

impl Roles {
    pub(super) fn new(site: &Site) -> Roles {
        let mut members: HashMap<DeviceId, Vec<(usize, usize)>> = HashMap::new();
        for (g, group) in site.redundancy.iter().enumerate() {
            for (m, member) in group.members.iter().enumerate() {
                members.entry(member.device).or_default().push((g, m));
            }
        }
        Roles { members }
    }

    /// The views of the members that a device tells of.
    pub(super) fn views(&self, site: &Site, device: DeviceId, asked: Mono, reading: &AgentReading) -> Vec<MemberView> {
        let members = self.members.get(&device).into_iter().flatten();
        let view = |(group, member): &(usize, usize)| {
            let of = site.redundancy.get(*group)?;
            let configured = of.members.get(*member)?;
            // A port that was never found is a question about the configuration: of the member nothing is known.
            if let MemberPart::Interface(name) = &configured.part
                && reading.never_found.contains(name)
            {
                return None;
            }
            let rows = rows(of, configured, reading);
            // That nothing was read of it does not mean that it tells nothing.
            let told = !reading.partial || !rows.is_empty();
            told.then_some(MemberView {
                group: *group,
                member: *member,
                asked,
                uptime: reading.uptime,
                partial: reading.partial,
                rows,
            })
        };
        members.filter_map(view).collect()
    }
}

/// The rows of one member.
fn rows(group: &Redundancy, member: &Member, reading: &AgentReading) -> Vec<RoleRow> {
    match (&member.part, group.kind) {
        (MemberPart::Interface(name), RedundancyKind::Lag) => port(name, reading).into_iter().collect(),
        (MemberPart::Interface(name), _) => link(name, reading).into_iter().collect(),
        (MemberPart::NextHop(hop), _) => route(*hop, reading).into_iter().collect(),
        (MemberPart::Peer(peer), _) => session(group.kind, *peer, reading).into_iter().collect(),
        (MemberPart::Whole, _) => match &group.object {
            Some(object) => of_object(object, reading),
            None => first_that_answers(group.kind, reading),
        },
    }
}

/// What is alone: an instance without a name.
fn single(role: Option<Role>, transitions: Option<i64>) -> RoleRow {
    RoleRow {
        instance: Name::from(""),
        unit: None,
        role,
        transitions,
    }
}

/// The rows below a column: what remains of the identifier, and the value. `reading.roles` is sorted.
fn below<'r>(column: &'r [u32], reading: &'r AgentReading) -> impl Iterator<Item = (&'r [u32], &'r RoleValue)> {
    let from = reading.roles.partition_point(|c| *c.oid < *column);
    let cells = reading.roles[from..]
        .iter()
        .map_while(move |c: &RoleCell| Some((c.oid.strip_prefix(column)?, &c.value)));
    cells.filter_map(|(index, value)| Some((index, value.as_ref()?)))
}

fn at<'r>(column: &[u32], index: &[u32], reading: &'r AgentReading) -> Option<&'r RoleValue> {
    let wanted = || column.iter().chain(index);
    let at = reading.roles.binary_search_by(|c| c.oid.iter().cmp(wanted())).ok()?;
    reading.roles.get(at)?.value.as_ref()
}

fn number(value: &RoleValue) -> Option<i64> {
    match value {
        RoleValue::Number(n) => Some(*n),
        RoleValue::Octets(_) => None,
    }
}

fn role(meaning: Meaning, value: &RoleValue) -> Option<Role> {
    match (meaning, value) {
        (Meaning::Codes(codes), RoleValue::Number(n)) => codes.iter().find(|(code, _)| code == n).map(|(_, r)| *r),
        (Meaning::Words(words), RoleValue::Octets(bytes)) => {
            let text = word(bytes).to_lowercase();
            words.iter().find(|(word, _)| *word == text).map(|(_, r)| *r)
        }
        (Meaning::Bits(mask), RoleValue::Octets(bytes)) => match bytes.first() {
            Some(first) if first & mask == mask => Some(Role::Active),
            Some(_) => Some(Role::Failed),
            None => None,
        },
        _ => None,
    }
}

fn word(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_end_matches('\0').trim().to_owned()
}

/// The first table of a kind that the member answers.
fn first_that_answers(kind: RedundancyKind, reading: &AgentReading) -> Vec<RoleRow> {
    let mut all = ROLE_SOURCES
        .iter()
        .filter(|s| s.kind == kind)
        .map(|s| of_source(s, reading));
    all.find(|rows| !rows.is_empty()).unwrap_or_default()
}

fn of_source(source: &RoleSource, reading: &AgentReading) -> Vec<RoleRow> {
    let counted = |index: &[u32]| source.transitions.and_then(|c| number(at(c, index, reading)?));
    if source.row == RowIs::Whole {
        let unit = |oid: &[u32], name: &str| {
            let value = at(oid, &[], reading)?;
            Some(RoleRow {
                unit: source.second.map(|_| Name::from(name)),
                ..single(role(source.meaning, value), counted(&[]))
            })
        };
        let first = unit(source.state, "own unit");
        let second = first.as_ref().and(source.second).and_then(|oid| unit(oid, "peer unit"));
        return first.into_iter().chain(second).collect();
    }
    let mut named = Names::default();
    let row = |(index, value): (&[u32], &RoleValue)| {
        let dotted = || Name::from(dotted(index));
        let (instance, unit) = match source.row {
            RowIs::Unit => (Name::from(""), Some(Name::from(format!("unit {}", dotted())))),
            RowIs::Virtual { family } => (named.of(virtual_name(index, family)?), None),
            RowIs::Called(column) => (named.of(number(at(column, index, reading)?)?.to_string()), None),
            _ => (dotted(), None),
        };
        Some(RoleRow {
            instance,
            unit,
            role: role(source.meaning, value),
            transitions: counted(index),
        })
    };
    below(source.state, reading).filter_map(row).collect()
}

fn dotted(index: &[u32]) -> String {
    let numbers: Vec<String> = index.iter().map(u32::to_string).collect();
    numbers.join(".")
}

/// `51`, or `51/ipv6`.
fn virtual_name(index: &[u32], family: bool) -> Option<String> {
    let id = index.get(1)?;
    let v6 = family && index.get(2) == Some(&2);
    Some(if v6 { format!("{id}/ipv6") } else { id.to_string() })
}

/// The same VRID on several interfaces gets an ordinal, in the order of ifIndex: `51`, `51#2`.
#[derive(Default)]
struct Names(BTreeMap<String, u32>);

impl Names {
    fn of(&mut self, name: String) -> Name {
        let count = self.0.entry(name.clone()).or_default();
        *count += 1;
        match *count {
            1 => name.into(),
            n => format!("{name}#{n}").into(),
        }
    }
}

/// A session with a neighbour: the first table that has it.
fn session(kind: RedundancyKind, peer: IpAddr, reading: &AgentReading) -> Option<RoleRow> {
    let sources = || ROLE_SOURCES.iter().filter(|s| s.kind == kind);
    let mut rows = sources().filter_map(|source| {
        let (index, value) = below(source.state, reading).find(|(index, _)| source.row.is_about(index, peer))?;
        let transitions = source.transitions.and_then(|c| number(at(c, index, reading)?));
        Some(single(role(source.meaning, value), transitions))
    });
    // The protocol runs and does not know the neighbour: that is no silence, if the neighbours were read.
    let runs = |s: &RoleSource| !reading.partial && s.alive.is_some_and(|oid| at(oid, &[], reading).is_some());
    let gone = || sources().any(runs).then(|| single(Some(Role::Failed), None));
    rows.next().or_else(gone)
}

/// An interface is good while it is up; one that the agent has no more is not.
fn link(name: &Name, reading: &AgentReading) -> Option<RoleRow> {
    if reading.missing.contains(name) {
        return Some(single(Some(Role::Failed), None));
    }
    let oper = reading.interfaces.iter().find(|i| i.name == *name)?.oper?;
    let role = if oper == UP { Role::Active } else { Role::Failed };
    Some(single(Some(role), None))
}

/// A member of an aggregate: what LACP says of it, else its state.
fn port(name: &Name, reading: &AgentReading) -> Option<RoleRow> {
    let up = link(name, reading)?;
    let index = reading.interfaces.iter().find(|i| i.name == *name).map(|i| i.index);
    let mut sources = ROLE_SOURCES.iter().filter(|s| s.kind == RedundancyKind::Lag);
    let lacp = index.and_then(|index| sources.find_map(|s| role(s.meaning, at(s.state, &[index], reading)?)));
    match lacp {
        Some(role) if up.role == Some(Role::Active) => Some(single(Some(role), None)),
        // What LACP says of it was not read.
        None if reading.partial && up.role == Some(Role::Active) => None,
        _ => Some(up),
    }
}

/// The default route by a next hop: active while it is in the table. A table without any default route at all tells that there is
/// none; no table tells nothing, and an agent cannot be told to have one without a default route.
fn route(hop: IpAddr, reading: &AgentReading) -> Option<RoleRow> {
    let octets: Vec<u8> = match hop {
        IpAddr::V4(v4) => v4.octets().into(),
        IpAddr::V6(v6) => v6.octets().into(),
    };
    let numbers: Vec<u32> = octets.iter().copied().map(u32::from).collect();
    let (mut any, mut here) = (false, false);
    for (_, base) in DEFAULT_ROUTES {
        for (index, value) in below(base, reading) {
            any = true;
            here |= match value {
                RoleValue::Octets(bytes) => **bytes == *octets,
                RoleValue::Number(_) => index.ends_with(&numbers),
            };
        }
    }
    // Its own row may be among what was not read.
    let all = any && (here || !reading.partial);
    all.then(|| single(Some(if here { Role::Active } else { Role::Standby }), None))
}

/// An object that the configuration names.
fn of_object(object: &RoleObject, reading: &AgentReading) -> Vec<RoleRow> {
    let meant = |value: &RoleValue| {
        let text = match value {
            RoleValue::Number(n) => n.to_string(),
            RoleValue::Octets(bytes) => word(bytes),
        };
        object.values.get(&text).copied()
    };
    let row = |(index, value): (&[u32], &RoleValue)| RoleRow {
        instance: dotted(index).into(),
        ..single(meant(value), None)
    };
    below(&object.oid, reading).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(cells: &[(&[u32], RoleValue)]) -> AgentReading {
        let mut roles: Vec<RoleCell> = cells
            .iter()
            .map(|(oid, value)| RoleCell {
                oid: (*oid).into(),
                value: Some(value.clone()),
            })
            .collect();
        roles.sort_by(|a, b| a.oid.cmp(&b.oid));
        AgentReading {
            roles,
            ..AgentReading::default()
        }
    }

    fn cell(column: &[u32], index: &[u32], n: i64) -> (&'static [u32], RoleValue) {
        (
            Box::leak([column, index].concat().into_boxed_slice()),
            RoleValue::Number(n),
        )
    }

    const V3: &[u32] = &[1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 6];
    const V3_COUNT: &[u32] = &[1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 1];
    const V2: &[u32] = &[1, 3, 6, 1, 2, 1, 68, 1, 3, 1, 3];
    const KEEPALIVED: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1];

    fn seen(rows: &[RoleRow]) -> Vec<(&str, Option<Role>, Option<i64>)> {
        rows.iter().map(|r| (&*r.instance, r.role, r.transitions)).collect()
    }

    #[test]
    fn the_better_table_wins_and_instances_are_called_by_their_vrid() {
        let all = reading(&[
            cell(V2, &[7, 51], 2),
            cell(V3, &[7, 51, 1], 3),
            cell(V3, &[7, 51, 2], 2),
            cell(V3, &[9, 51, 1], 1),
            cell(V3_COUNT, &[7, 51, 1], 4),
        ]);
        let rows = first_that_answers(RedundancyKind::Vrrp, &all);
        assert_eq!(
            seen(&rows),
            [
                ("51", Some(Role::Active), Some(4)),
                ("51/ipv6", Some(Role::Standby), None),
                ("51#2", Some(Role::Failed), None)
            ]
        );
        let old = reading(&[cell(V2, &[7, 51], 2)]);
        assert_eq!(
            seen(&first_that_answers(RedundancyKind::Vrrp, &old)),
            [("51", Some(Role::Standby), None)]
        );
        assert_eq!(first_that_answers(RedundancyKind::Vrrp, &reading(&[])), []);
    }

    #[test]
    fn what_a_partial_reading_does_not_have_is_not_known() {
        let peer = "198.51.100.1".parse().unwrap();
        let alive = ROLE_SOURCES
            .iter()
            .find(|s| s.kind == RedundancyKind::Ospf && s.alive.is_some());
        let alive = alive.and_then(|s| s.alive).unwrap();
        let mut runs = reading(&[cell(alive, &[], 1)]);
        assert_eq!(
            session(RedundancyKind::Ospf, peer, &runs).unwrap().role,
            Some(Role::Failed)
        );
        runs.partial = true;
        assert_eq!(session(RedundancyKind::Ospf, peer, &runs), None);
        let hop = "198.51.100.9".parse().unwrap();
        let (_, base) = DEFAULT_ROUTES[0];
        let mut routes = reading(&[cell(base, &[198, 51, 100, 1], 1)]);
        assert_eq!(route(hop, &routes).unwrap().role, Some(Role::Standby));
        routes.partial = true;
        assert_eq!(route(hop, &routes), None);
    }

    #[test]
    fn keepalived_names_its_instances_by_a_column() {
        let column = |n: u32| [KEEPALIVED, &[n]].concat();
        let all = reading(&[
            cell(&column(4), &[1], 2),
            cell(&column(3), &[1], 51),
            cell(&column(4), &[2], 4),
        ]);
        let rows = first_that_answers(RedundancyKind::Vrrp, &all);
        assert_eq!(seen(&rows), [("51", Some(Role::Active), None)]);
    }

    #[test]
    fn a_neighbour_without_a_row_is_gone_while_its_protocol_runs() {
        let peer = "198.51.100.2".parse().unwrap();
        let state: &[u32] = &[1, 3, 6, 1, 2, 1, 14, 10, 1, 6];
        let of = |all: &AgentReading| session(RedundancyKind::Ospf, peer, all).map(|r| r.role);
        let router_id = || {
            let address: RoleValue = RoleValue::Octets([192, 0, 2, 1].into());
            (&[1, 3, 6, 1, 2, 1, 14, 1, 1, 0][..], address)
        };
        assert_eq!(of(&reading(&[])), None, "no ospfd, no word");
        assert_eq!(of(&reading(&[router_id()])), Some(Some(Role::Failed)));
        let full = cell(state, &[198, 51, 100, 2, 0], 8);
        assert_eq!(of(&reading(&[router_id(), full])), Some(Some(Role::Active)));
        // A BGP speaker keeps the rows of its neighbours: one that is not there is not told.
        assert_eq!(session(RedundancyKind::Bgp, peer, &reading(&[router_id()])), None);
    }

    #[test]
    fn words_bits_routes_and_pairs() {
        let pan: &[u32] = &[1, 3, 6, 1, 4, 1, 25461, 2, 1, 2, 1, 11, 0];
        let text = |s: &str| RoleValue::Octets(s.as_bytes().into());
        let ha = |all: &AgentReading| first_that_answers(RedundancyKind::Ha, all);
        assert_eq!(ha(&reading(&[(pan, text("Passive"))]))[0].role, Some(Role::Standby));
        assert_eq!(ha(&reading(&[(pan, text("booting"))]))[0].role, None);
        let bits = Meaning::Bits(0x1c);
        assert_eq!(role(bits, &RoleValue::Octets([0x3d].into())), Some(Role::Active));
        assert_eq!(role(bits, &RoleValue::Octets([0x0d].into())), Some(Role::Failed));
        let (v4, base) = ("192.0.2.1".parse().unwrap(), DEFAULT_ROUTES[2].1);
        let one = reading(&[cell(base, &[0, 192, 0, 2, 1], 7)]);
        assert_eq!(route(v4, &one).and_then(|r| r.role), Some(Role::Active));
        assert_eq!(
            route("192.0.2.2".parse().unwrap(), &one).and_then(|r| r.role),
            Some(Role::Standby)
        );
        assert_eq!(route(v4, &reading(&[])), None);
        let rf = |n: u32| [1, 3, 6, 1, 4, 1, 9, 9, 176, 1, 1, n, 0];
        let pair = ha(&reading(&[cell(&rf(2), &[], 14), cell(&rf(4), &[], 9)]));
        assert_eq!(pair.len(), 2);
        assert_eq!(pair[1].role, Some(Role::Standby));
    }
}
