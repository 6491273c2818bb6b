//! What agents say of redundancy becomes one view a member: its role in each instance, and how often it took it.
//!
//! A table that is not there (a daemon stopped, and its subagent with it) gives no row: the role is unknown, never standby and
//! never failed.
//!
//! Never here: a judgement; another member's view.

use crate::model::redundancy::{InstanceId, Role, RoleObject};
use crate::model::role_source::{
    Addresses, DEFAULT_ROUTES, Field, Meaning, Pairing, ROLE_SOURCES, RoleSource, RowIs, UnitIs, Whose, address_of,
    fields, is_next_hop,
};
use crate::model::snmp::TextEncoding;
use crate::model::{DeviceId, Member, MemberPart, Mono, Name, Redundancy, RedundancyKind, Site};
use crate::poll::{self, AgentReading, RoleCell, RoleValue};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

/// RFC 2863: up.
const UP: u8 = 1;
/// IF-MIB: ifName, and ifDescr for agents without it.
const INTERFACE_NAMES: [&[u32]; 2] = [&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1], &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2]];

/// One instance as a member sees itself.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleRow {
    /// As the member calls it.
    pub instance: InstanceId,
    /// The unit of the device that it is about, where a device tells of several.
    pub unit: Option<Name>,
    /// `None`: the value is none that is known.
    pub role: Option<Role>,
    /// How often it became active, if the agent counts it.
    pub transitions: Option<i64>,
}

/// Hundredths of a second: so long after a start of a device its ports may still be on their way.
const STARTING: u32 = 5 * 60 * 100;

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

/// Which members a device tells of, and what of their sources has to be remembered.
#[derive(Debug, Default)]
pub(super) struct Roles {
    members: HashMap<DeviceId, Vec<(usize, usize)>>,
    /// Of a device whose units are the members: which set of units they are. A smaller set never takes the place of a larger one.
    units: HashMap<(usize, usize), UnitSet>,
    /// Ports that LACP has put out of their aggregate: that it says nothing any more does not make them good.
    lacp: BTreeSet<(usize, usize)>,
}

/// A set of units that an agent tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UnitSet {
    /// The source's state.
    state: &'static [u32],
    /// Which kind of units, of a source that tells several.
    kind: u32,
    /// The most units that it had.
    most: usize,
}

impl Roles {
    pub(super) fn new(site: &Site) -> Roles {
        let mut members: HashMap<DeviceId, Vec<(usize, usize)>> = HashMap::new();
        for (g, group) in site.redundancy.iter().enumerate() {
            for (m, member) in group.members.iter().enumerate() {
                members.entry(member.device).or_default().push((g, m));
            }
        }
        Roles {
            members,
            ..Roles::default()
        }
    }

    /// Another configuration: what is remembered of members that stayed what they are is kept.
    pub(super) fn reload(&mut self, old: &Site, new: &Site) {
        let fresh = Roles::new(new);
        let place = |(g, m): (usize, usize)| {
            let (group, member) = (old.redundancy.get(g)?, old.redundancy.get(g)?.members.get(m)?);
            let to = new
                .redundancy
                .iter()
                .position(|n| n.name == group.name && n.kind == group.kind)?;
            let here = new.redundancy[to]
                .members
                .iter()
                .position(|n| n.label == member.label)?;
            Some((to, here))
        };
        let units = std::mem::take(&mut self.units).into_iter();
        let lacp = std::mem::take(&mut self.lacp).into_iter();
        *self = Roles {
            units: units.filter_map(|(at, set)| Some((place(at)?, set))).collect(),
            lacp: lacp.filter_map(place).collect(),
            ..fresh
        };
    }

    /// The views of the members that a device tells of.
    pub(super) fn views(
        &mut self,
        site: &Site,
        device: DeviceId,
        asked: Mono,
        reading: &AgentReading,
    ) -> Vec<MemberView> {
        let Some(members) = self.members.get(&device) else {
            return Vec::new();
        };
        let mut views = Vec::new();
        for (group, member) in members.iter().copied() {
            let of = site.redundancy.get(group);
            let Some((of, one)) = of.and_then(|of| Some((of, of.members.get(member)?))) else {
                continue;
            };
            let mut memory = Memory {
                at: (group, member),
                units: &mut self.units,
                lacp: &mut self.lacp,
            };
            let rows = rows(of, one, reading, &mut memory);
            // That nothing was read of it does not mean that it tells nothing.
            if !reading.partial || !rows.is_empty() {
                views.push(MemberView {
                    group,
                    member,
                    asked,
                    uptime: reading.uptime,
                    partial: reading.partial,
                    rows,
                });
            }
        }
        views
    }
}

/// What is remembered, for one member.
struct Memory<'m> {
    at: (usize, usize),
    units: &'m mut HashMap<(usize, usize), UnitSet>,
    lacp: &'m mut BTreeSet<(usize, usize)>,
}

/// The rows of one member.
fn rows(group: &Redundancy, member: &Member, reading: &AgentReading, memory: &mut Memory<'_>) -> Vec<RoleRow> {
    match (&member.part, group.kind) {
        (MemberPart::Interface(name), RedundancyKind::Lag) => port(name, reading, memory).into_iter().collect(),
        (MemberPart::Interface(name), _) => link(name, reading).into_iter().collect(),
        (MemberPart::NextHop(hop), _) => route(*hop, reading).into_iter().collect(),
        (MemberPart::Peer(peer), _) => session(group.kind, *peer, reading).into_iter().collect(),
        (MemberPart::Whole, _) => match &group.object {
            Some(object) => of_object(object, reading),
            None if group.kind == RedundancyKind::Ha && group.members.len() == 1 => units(reading, memory),
            None => first_that_answers(group.kind, reading),
        },
    }
}

/// A row of a source as it stands, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Where it was read.
    pub source: &'static RoleSource,
    /// The row's index; empty of one object.
    pub index: Box<[u32]>,
    /// As the device calls the instance.
    pub instance: InstanceId,
    /// The neighbour that it is about.
    pub peer: Option<IpAddr>,
    /// The unit that it is about.
    pub unit: Option<Name>,
    /// The word of the MIB, or what the device wrote.
    pub word: String,
    /// What that means.
    pub role: Option<Role>,
}

/// Everything that a reading tells of redundancy, in the order of the table of sources.
pub fn told(reading: &AgentReading) -> Vec<Told> {
    ROLE_SOURCES
        .iter()
        .flat_map(|source| told_by(source, reading))
        .collect()
}

fn told_by(source: &'static RoleSource, reading: &AgentReading) -> Vec<Told> {
    let units: Vec<RoleRow> = match source.serves(1) {
        true => units_of(source, reading).into_iter().map(|(_, row)| row).collect(),
        false => Vec::new(),
    };
    if !units.is_empty() {
        let word = |row: &RoleRow| row.role.map_or("unknown", Role::key).to_owned();
        let one = |row: RoleRow| Told {
            source,
            index: [].into(),
            peer: None,
            word: word(&row),
            role: row.role,
            instance: row.instance,
            unit: row.unit,
        };
        return units.into_iter().map(one).collect();
    }
    let whole = (source.row == RowIs::Whole)
        .then(|| at(source.state, &[], reading))
        .flatten();
    let rows = below(source.state, reading).filter(|_| source.row != RowIs::Whole);
    let one = |(index, value): (&[u32], &RoleValue)| {
        let (instance, peer) = match source.row {
            RowIs::Virtual { family } => (called(source, index, virtual_number(index, family)?, reading), None),
            RowIs::Called(column) => {
                let number = number(at(column, index, reading)?)?;
                (called(source, index, number.to_string(), reading), None)
            }
            RowIs::Neighbour(parts) => (
                InstanceId::default(),
                fields(parts, index)?
                    .into_iter()
                    .flatten()
                    .filter_map(Field::address)
                    .next_back(),
            ),
            RowIs::Unit(_) => return None,
            RowIs::Whole | RowIs::Port => (InstanceId::default(), None),
            RowIs::Instance => (InstanceId::numbered(dotted(index)), None),
        };
        Some(Told {
            source,
            index: index.into(),
            instance,
            peer,
            unit: None,
            word: state_word(source.meaning, value),
            role: role(source.meaning, value),
        })
    };
    whole
        .into_iter()
        .map(|v| (&[][..], v))
        .chain(rows)
        .filter_map(one)
        .collect()
}

fn state_word(meaning: Meaning, value: &RoleValue) -> String {
    let code = |codes: &[(i64, &str, Option<Role>)], n: i64| {
        let known = codes.iter().find(|(code, ..)| *code == n);
        known.map_or_else(|| n.to_string(), |(_, word, _)| (*word).to_owned())
    };
    match (meaning, value) {
        (Meaning::Codes(codes), RoleValue::Number(n)) => code(codes, *n),
        (Meaning::Bits(_), value) => match role(meaning, value) {
            Some(Role::Active) => "collecting and distributing".to_owned(),
            _ => "not in use".to_owned(),
        },
        (_, RoleValue::Number(n)) => n.to_string(),
        (_, RoleValue::Octets(bytes)) => word(bytes),
    }
}

/// What is alone: an instance without a name.
fn single(role: Option<Role>, transitions: Option<i64>) -> RoleRow {
    RoleRow {
        instance: InstanceId::default(),
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
        (Meaning::Codes(codes), RoleValue::Number(n)) => codes.iter().find(|(code, ..)| code == n)?.2,
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
    poll::text::name(bytes, TextEncoding::Auto).unwrap_or_default()
}

/// The first table of a kind that the member answers, of those that tell roles of devices.
fn first_that_answers(kind: RedundancyKind, reading: &AgentReading) -> Vec<RoleRow> {
    let sources = ROLE_SOURCES
        .iter()
        .filter(|s| s.kind == kind && s.whose != Whose::Units);
    let mut all = sources.map(|s| of_source(s, reading));
    all.find(|rows| !rows.is_empty()).unwrap_or_default()
}

/// What a device says of itself among others.
fn of_source(source: &RoleSource, reading: &AgentReading) -> Vec<RoleRow> {
    let counted = |index: &[u32]| source.transitions.and_then(|c| number(at(c, index, reading)?));
    if source.row == RowIs::Whole {
        let value = at(source.state, &[], reading);
        return value
            .map(|v| single(role(source.meaning, v), counted(&[])))
            .into_iter()
            .collect();
    }
    if let Some(own) = source.own_row {
        let mut rows = below(source.state, reading);
        let row = rows.find(|(index, _)| is_own(own, index, reading));
        return row
            .map(|(_, value)| single(own_role(source.meaning, value), None))
            .into_iter()
            .collect();
    }
    let row = |(index, value): (&[u32], &RoleValue)| {
        let number = match source.row {
            RowIs::Virtual { family } => virtual_number(index, family)?,
            RowIs::Called(column) => number(at(column, index, reading)?)?.to_string(),
            _ => dotted(index),
        };
        Some(RoleRow {
            instance: called(source, index, number, reading),
            unit: None,
            role: role(source.meaning, value),
            transitions: counted(index),
        })
    };
    below(source.state, reading).filter_map(row).collect()
}

fn is_own((column, words): (&[u32], &str), index: &[u32], reading: &AgentReading) -> bool {
    match at(column, index, reading) {
        Some(RoleValue::Octets(bytes)) => word(bytes).to_lowercase().contains(words),
        _ => false,
    }
}

/// A device that answers cannot be down: its partnership is switched off.
fn own_role(meaning: Meaning, value: &RoleValue) -> Option<Role> {
    let down = |(code, word, _): &&(i64, &str, Option<Role>)| *word == "down" && number(value) == Some(*code);
    match meaning {
        Meaning::Codes(codes) if codes.iter().any(|c| down(&c)) => Some(Role::Alone),
        _ => role(meaning, value),
    }
}

/// The units of a device: of all sets that it tells the largest.
fn units(reading: &AgentReading, memory: &mut Memory<'_>) -> Vec<RoleRow> {
    let mut sets: Vec<(UnitSet, Vec<RoleRow>)> = Vec::new();
    for source in ROLE_SOURCES
        .iter()
        .filter(|s| s.kind == RedundancyKind::Ha && s.serves(1))
    {
        let mut by_kind: BTreeMap<u32, Vec<RoleRow>> = BTreeMap::new();
        for (kind, row) in units_of(source, reading) {
            by_kind.entry(kind).or_default().push(row);
        }
        let set = |(kind, rows): (u32, Vec<RoleRow>)| {
            let (state, most) = (source.state, rows.len());
            (UnitSet { state, kind, most }, rows)
        };
        sets.extend(by_kind.into_iter().map(set));
    }
    let largest = sets.iter().map(|(set, _)| set.most).max().unwrap_or(0);
    let is = |known: &UnitSet, set: &UnitSet| (known.state, known.kind) == (set.state, set.kind);
    // The one that was read before goes on until there is a larger one: units that are gone must be missed.
    let known = memory.units.get(&memory.at).copied();
    let at = match known {
        Some(known) if known.most >= largest => sets
            .iter()
            .position(|(set, _)| is(&known, set))
            .or_else(|| sets.iter().position(|(set, _)| set.most == known.most)),
        _ => sets.iter().position(|(set, _)| set.most == largest),
    };
    let Some((set, rows)) = at.map(|at| sets.swap_remove(at)) else {
        return Vec::new();
    };
    let most = known
        .filter(|known| is(known, &set))
        .map_or(0, |known| known.most)
        .max(set.most);
    memory.units.insert(memory.at, UnitSet { most, ..set });
    rows
}

/// The units that a source tells, each with its kind.
fn units_of(source: &RoleSource, reading: &AgentReading) -> Vec<(u32, RoleRow)> {
    let unit = |name: String, role: Option<Role>, index: &[u32]| RoleRow {
        unit: Some(name.into()),
        ..single(role, source.transitions.and_then(|c| number(at(c, index, reading)?)))
    };
    if source.row == RowIs::Whole {
        let objects = [(Some(source.state), "own unit"), (source.second, "peer unit")];
        let read = |(oid, name): (Option<&[u32]>, &str)| {
            let value = at(oid?, &[], reading)?;
            Some((0, unit(name.to_owned(), role(source.meaning, value), &[])))
        };
        let both: Vec<(u32, RoleRow)> = objects.into_iter().map_while(read).collect();
        return both;
    }
    let RowIs::Unit(is) = source.row else {
        return Vec::new();
    };
    let primary = (source.meaning == Meaning::Serial).then(|| Primary::of(source, reading));
    let row = |(at_row, (index, value)): (usize, (&[u32], &RoleValue))| {
        let (kind, name) = match is {
            UnitIs::Index => (0, format!("unit {}", dotted(index))),
            UnitIs::Kind => (*index.first()?, format!("unit {}", dotted(index))),
            UnitIs::Rows(rows) => (0, rows.iter().find(|(row, _)| [*row] == *index)?.1.to_owned()),
            UnitIs::Value(column) => (0, format!("unit {}", text(at(column, index, reading)?)?)),
        };
        let own = source.own_row.is_some_and(|own| is_own(own, index, reading));
        let role = match &primary {
            Some(primary) => Some(primary.role(at_row, index, reading)),
            None if own => own_role(source.meaning, value),
            None => role(source.meaning, value),
        };
        Some((kind, unit(name, role, index)))
    };
    below(source.state, reading).enumerate().filter_map(row).collect()
}

/// The serial number of the unit that is active.
struct Primary {
    column: Option<&'static [u32]>,
    /// Empty where no unit that is listed is said to be it.
    serial: String,
}

impl Primary {
    fn of(source: &RoleSource, reading: &AgentReading) -> Primary {
        let column = match source.row {
            RowIs::Unit(UnitIs::Value(column)) => Some(column),
            _ => None,
        };
        let own = column.map(|c| {
            below(c, reading)
                .filter_map(|(_, v)| text(v))
                .collect::<BTreeSet<String>>()
        });
        let said = below(source.state, reading).filter_map(|(_, value)| text(value));
        let mut listed = said.filter(|serial| own.as_ref().is_some_and(|own| own.contains(serial)));
        Primary {
            column,
            serial: listed.next().unwrap_or_default(),
        }
    }

    fn role(&self, row: usize, index: &[u32], reading: &AgentReading) -> Role {
        let own = self.column.and_then(|c| text(at(c, index, reading)?));
        let active = match self.serial.is_empty() {
            true => row == 0,
            false => own.as_deref() == Some(&self.serial),
        };
        if active { Role::Active } else { Role::Standby }
    }
}

fn text(value: &RoleValue) -> Option<String> {
    match value {
        RoleValue::Octets(bytes) => Some(word(bytes)).filter(|text| !text.is_empty()),
        RoleValue::Number(_) => None,
    }
}

fn dotted(index: &[u32]) -> String {
    let numbers: Vec<String> = index.iter().map(u32::to_string).collect();
    numbers.join(".")
}

/// `51`, or `51/ipv6`.
fn virtual_number(index: &[u32], family: bool) -> Option<String> {
    let id = index.get(1)?;
    let v6 = family && index.get(2) == Some(&2);
    Some(if v6 { format!("{id}/ipv6") } else { id.to_string() })
}

/// What tells that another member means the same instance.
fn called(source: &RoleSource, index: &[u32], number: String, reading: &AgentReading) -> InstanceId {
    let Pairing::Virtual { addresses, interface } = source.pairing else {
        return InstanceId::numbered(number);
    };
    let name = |column: &[u32], index: &[u32]| text(at(column, index, reading)?);
    let interface = match interface {
        Some(column) => name(column, index),
        None => index
            .get(..1)
            .and_then(|index| INTERFACE_NAMES.iter().find_map(|column| name(column, index))),
    };
    InstanceId {
        number: number.into(),
        addresses: virtual_addresses(addresses, index, reading),
        interface: interface.map(Name::from),
    }
}

/// Addresses that only this instance has: link-local ones are the same on every interface.
fn virtual_addresses(addresses: Addresses, index: &[u32], reading: &AgentReading) -> BTreeSet<IpAddr> {
    let value = |value: &RoleValue| match value {
        RoleValue::Octets(bytes) => address_of(bytes),
        RoleValue::Number(_) => None,
    };
    let all: Vec<IpAddr> = match addresses {
        Addresses::Column(column) => at(column, index, reading).and_then(value).into_iter().collect(),
        Addresses::Values(column) => {
            let own = below(column, reading).filter(|(row, _)| row.starts_with(index));
            own.filter_map(|(_, v)| value(v)).collect()
        }
        Addresses::Indices(column, part) => {
            let own = below(column, reading).filter(|(row, _)| row.starts_with(index));
            // ifIndex and VRID; where the address family is a number of the index, it is part of the address.
            own.filter_map(|(row, _)| fields(&[part], row.get(2..)?)?[0]?.address())
                .collect()
        }
    };
    let usable = |a: &IpAddr| match a {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_unicast_link_local(),
    };
    all.into_iter().filter(usable).collect()
}

/// A session with a neighbour: the first table that has it.
fn session(kind: RedundancyKind, peer: IpAddr, reading: &AgentReading) -> Option<RoleRow> {
    let sources = || ROLE_SOURCES.iter().filter(|s| s.kind == kind);
    let mut rows = sources().filter_map(|source| {
        let (index, value) = below(source.state, reading).find(|(index, _)| source.is_about(index, peer))?;
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
        // A port that never was, or is not there yet because its device has just started, has not failed: nothing is known of it.
        let starts = reading.uptime.is_some_and(|ticks| ticks < STARTING);
        let failed = !starts && !reading.never_found.contains(name);
        return Some(single(failed.then_some(Role::Failed), None));
    }
    let oper = reading.interfaces.iter().find(|i| i.name == *name)?.oper?;
    let role = if oper == UP { Role::Active } else { Role::Failed };
    Some(single(Some(role), None))
}

/// A member of an aggregate: what LACP says of it, else its state. One that LACP has put out is not good because LACP fell silent.
fn port(name: &Name, reading: &AgentReading, memory: &mut Memory<'_>) -> Option<RoleRow> {
    let up = link(name, reading)?;
    let index = reading.interfaces.iter().find(|i| i.name == *name).map(|i| i.index);
    let mut sources = ROLE_SOURCES.iter().filter(|s| s.kind == RedundancyKind::Lag);
    let lacp = index.and_then(|index| sources.find_map(|s| role(s.meaning, at(s.state, &[index], reading)?)));
    match lacp {
        Some(Role::Active) => drop(memory.lacp.remove(&memory.at)),
        Some(_) => drop(memory.lacp.insert(memory.at)),
        None => {}
    }
    match lacp {
        _ if up.role != Some(Role::Active) => Some(up),
        Some(role) => Some(single(Some(role), None)),
        // What LACP says of it was not read, or the agent does not tell it any more.
        None if reading.partial || memory.lacp.contains(&memory.at) => None,
        None => Some(up),
    }
}

/// The default route by a next hop: active while it is in the table. A table without any default route at all tells that there is
/// none; no table tells nothing, and an agent cannot be told to have one without a default route.
fn route(hop: IpAddr, reading: &AgentReading) -> Option<RoleRow> {
    let (mut any, mut here) = (false, false);
    for (_, base, rest) in DEFAULT_ROUTES {
        for (index, value) in below(base, reading) {
            any = true;
            here |= match value {
                RoleValue::Octets(bytes) => address_of(bytes) == Some(hop),
                RoleValue::Number(_) => is_next_hop(rest, index, hop),
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
        instance: InstanceId::numbered(dotted(index)),
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
        rows.iter()
            .map(|r| (&*r.instance.number, r.role, r.transitions))
            .collect()
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
                ("51", Some(Role::Failed), None)
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
        let (_, base, _) = DEFAULT_ROUTES[0];
        let mut routes = reading(&[cell(base, &[2, 0, 0, 1, 4, 198, 51, 100, 1], 1)]);
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
        let chassis = reading(&[cell(&rf(2), &[], 14), cell(&rf(4), &[], 9)]);
        assert_eq!(ha(&chassis), [], "supervisors are no roles of devices");
        assert_eq!(
            unit_names(&chassis, &mut Kept::default()),
            ["own unit Active", "peer unit Standby"]
        );
    }

    #[derive(Default)]
    struct Kept {
        units: HashMap<(usize, usize), UnitSet>,
        lacp: BTreeSet<(usize, usize)>,
    }

    fn unit_names(all: &AgentReading, kept: &mut Kept) -> Vec<String> {
        let mut memory = Memory {
            at: (0, 0),
            units: &mut kept.units,
            lacp: &mut kept.lacp,
        };
        let rows = units(all, &mut memory);
        let name = |r: &RoleRow| format!("{} {:?}", r.unit.as_deref().unwrap_or("-"), r.role.unwrap());
        rows.iter().map(name).collect()
    }

    #[test]
    fn the_largest_set_of_units_is_read_and_goes_on_when_units_are_gone() {
        let rf = |n: u32| [1, 3, 6, 1, 4, 1, 9, 9, 176, 1, 1, n, 0];
        let stack: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 500, 1, 2, 1, 1, 3];
        let pair = [cell(&rf(2), &[], 14), cell(&rf(4), &[], 9)];
        let with = |units: &[(u32, i64)]| {
            let rows = units.iter().map(|(unit, role)| cell(stack, &[*unit], *role));
            reading(&rows.chain(pair.clone()).collect::<Vec<_>>())
        };
        let mut kept = Kept::default();
        let three = unit_names(&with(&[(1000, 2), (2000, 1), (3000, 4)]), &mut kept);
        assert_eq!(three, ["unit 1000 Standby", "unit 2000 Active", "unit 3000 Standby"]);
        assert_eq!(unit_names(&with(&[(2000, 1)]), &mut kept), ["unit 2000 Active"]);
        assert_eq!(
            unit_names(&with(&[]), &mut kept),
            [""; 0],
            "two supervisors are not the three members"
        );
        assert_eq!(unit_names(&with(&[]), &mut Kept::default()).len(), 2);
    }

    #[test]
    fn rows_that_are_no_units_are_not_counted() {
        let asa: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 147, 1, 2, 1, 1, 1];
        let status = |row: u32, n: i64| cell(&[asa, &[3]].concat(), &[row], n);
        let who = |row: u32, text: &str| {
            let oid: &'static [u32] = Box::leak([asa, &[2, row]].concat().into_boxed_slice());
            (oid, RoleValue::Octets(text.as_bytes().into()))
        };
        let rows = [status(4, 2), status(6, 9), status(7, 10)];
        let names = unit_names(&reading(&rows), &mut Kept::default());
        assert_eq!(names, ["primary unit Active", "secondary unit Standby"]);
        // Of a pair of devices each tells of both units: its own row counts.
        let own = [who(6, "Primary unit"), who(7, "Secondary unit (this device)")];
        let second = reading(&[&rows[..], &own].concat());
        assert_eq!(
            seen(&first_that_answers(RedundancyKind::Ha, &second)),
            [("", Some(Role::Standby), None)]
        );
        assert_eq!(
            first_that_answers(RedundancyKind::Ha, &reading(&rows)),
            [],
            "nothing says which it is"
        );
        // Failover switched off: the unit that answers is not down.
        let off = [status(6, 3), status(7, 3), who(6, "Primary unit (this device)")];
        assert_eq!(
            seen(&first_that_answers(RedundancyKind::Ha, &reading(&off))),
            [("", Some(Role::Alone), None)]
        );
        // Routing engines and control boards are rows of one table.
        let jnx: &[u32] = &[1, 3, 6, 1, 4, 1, 2636, 3, 1, 14, 1, 7];
        let all = [(9, 1, 2), (9, 2, 3), (12, 1, 2), (12, 2, 3), (12, 3, 3)]
            .map(|(kind, n, role)| cell(jnx, &[kind, n, 0, 0], role));
        let names = unit_names(&reading(&all), &mut Kept::default());
        assert_eq!(names.iter().filter(|n| n.ends_with("Active")).count(), 1, "{names:?}");
    }

    #[test]
    fn units_of_a_cluster_are_known_by_their_serial_numbers() {
        let forti: &[u32] = &[1, 3, 6, 1, 4, 1, 12356, 101, 13, 2, 1, 1];
        let text = |column: u32, row: u32, text: &str| {
            let oid: &'static [u32] = Box::leak([forti, &[column, row]].concat().into_boxed_slice());
            (oid, RoleValue::Octets(text.as_bytes().into()))
        };
        let unit = |row: u32, serial: &str, primary: &str| [text(2, row, serial), text(16, row, primary)];
        let names =
            |units: &[[(&'static [u32], RoleValue); 2]]| unit_names(&reading(&units.concat()), &mut Kept::default());
        let two = names(&[unit(1, "FGX1", "FGX2"), unit(2, "FGX2", "FGX2")]);
        assert_eq!(two, ["unit FGX1 Standby", "unit FGX2 Active"]);
        // The primary names nobody, or one that has left: the first is the one that answers.
        assert_eq!(
            names(&[unit(1, "FGX1", ""), unit(2, "FGX2", "FGX1")]),
            ["unit FGX1 Active", "unit FGX2 Standby"]
        );
        assert_eq!(names(&[unit(1, "FGX2", "FGX1")]), ["unit FGX2 Active"]);
    }

    #[test]
    fn instances_are_marked_by_address_and_interface() {
        let hsrp: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 106, 1, 2, 1, 1];
        let octets = |column: &[u32], index: &[u32], bytes: &[u8]| {
            let oid: &'static [u32] = Box::leak([column, index].concat().into_boxed_slice());
            (oid, RoleValue::Octets(bytes.into()))
        };
        let all = reading(&[
            cell(&[hsrp, &[15]].concat(), &[10, 1], 6),
            cell(&[hsrp, &[15]].concat(), &[20, 1], 5),
            octets(&[hsrp, &[11]].concat(), &[10, 1], &[192, 0, 2, 1]),
            octets(&[hsrp, &[11]].concat(), &[20, 1], &[0, 0, 0, 0]),
            octets(INTERFACE_NAMES[0], &[10], b"Vl10"),
            octets(INTERFACE_NAMES[1], &[20], b"Vlan20"),
        ]);
        let rows = first_that_answers(RedundancyKind::Hsrp, &all);
        let mark = |r: &RoleRow| {
            (
                r.instance.addresses.iter().next().copied(),
                r.instance.interface.clone(),
            )
        };
        assert_eq!(
            mark(&rows[0]),
            (Some("192.0.2.1".parse().unwrap()), Some("Vl10".into()))
        );
        assert_eq!(mark(&rows[1]), (None, Some("Vlan20".into())));
        // VRRPv3: the family is a number of the row's index, and link-local addresses tell nothing apart.
        let addresses: &[u32] = &[1, 3, 6, 1, 2, 1, 207, 1, 1, 2, 1, 2];
        let v6 = |first: u32, second: u32| [7, 51, 2, 16, first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let all = reading(&[
            cell(V3, &[7, 51, 1], 3),
            cell(V3, &[7, 51, 2], 3),
            cell(addresses, &[7, 51, 1, 4, 192, 0, 2, 1], 1),
            cell(addresses, &v6(0xfe, 0x80), 1),
            cell(addresses, &v6(0x20, 0x01), 1),
        ]);
        let rows = first_that_answers(RedundancyKind::Vrrp, &all);
        let all: Vec<Vec<IpAddr>> = rows
            .iter()
            .map(|r| r.instance.addresses.iter().copied().collect())
            .collect();
        assert_eq!(all[0], ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(all[1], ["2001::1".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn a_next_hop_with_a_zone_is_found_and_an_ipv4_one_is_no_end_of_another() {
        let (_, v6, _) = DEFAULT_ROUTES[1];
        let local = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1];
        let row = [&[2, 0, 0, 4, 20][..], &local, &[0, 0, 0, 3]].concat();
        let all = reading(&[cell(v6, &row, 3)]);
        let here = |hop: &str| route(hop.parse().unwrap(), &all).and_then(|r| r.role);
        assert_eq!(here("fe80::c000:201"), Some(Role::Active));
        assert_eq!(here("192.0.2.1"), Some(Role::Standby));
    }

    #[test]
    fn a_port_that_lacp_put_out_is_not_good_because_lacp_fell_silent() {
        let lag: &[u32] = &[1, 2, 840, 10006, 300, 43, 1, 2, 1, 1, 21];
        let mut all = reading(&[]);
        all.interfaces.push(crate::poll::InterfaceReading {
            name: "ge-0".into(),
            found_by: None,
            index: 3,
            alias: None,
            admin: Some(1),
            oper: Some(1),
            speed_bps: None,
            other_speed_bps: None,
            in_octets: None,
            out_octets: None,
            octets_mistyped: false,
            packets: None,
            errors: None,
            discards: None,
            discontinuity: None,
            uptime: 0,
            untimed: false,
            at: Mono::default(),
            ambiguous: false,
            twins: 0,
        });
        let mut kept = Kept::default();
        let mut says = |state: Option<u8>| {
            let oid: Vec<u32> = [lag, &[3]].concat();
            all.roles = state
                .map(|octet| RoleCell {
                    oid: oid.into(),
                    value: Some(RoleValue::Octets([octet].into())),
                })
                .into_iter()
                .collect();
            let mut memory = Memory {
                at: (0, 0),
                units: &mut kept.units,
                lacp: &mut kept.lacp,
            };
            port(&"ge-0".into(), &all, &mut memory).map(|r| r.role)
        };
        assert_eq!(says(None), Some(Some(Role::Active)), "no LACP at all");
        assert_eq!(says(Some(0x3d)), Some(Some(Role::Active)));
        assert_eq!(says(None), Some(Some(Role::Active)));
        assert_eq!(says(Some(0x05)), Some(Some(Role::Failed)));
        assert_eq!(says(None), None);
        assert_eq!(says(Some(0x3d)), Some(Some(Role::Active)));
    }
}
