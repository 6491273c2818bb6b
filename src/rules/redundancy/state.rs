//! What is known of a redundancy group: each member's own view of each instance, and who was active last.
//!
//! Never here: a judgement.

use super::passing::Passing;
use crate::model::redundancy::{InstanceId, Role};
use crate::model::{DeviceId, MemberPart, Mono, Name, ReachState, Redundancy, Site};
use crate::rules::Absence;
use crate::rules::reach::Reach;
use crate::sample::roles::{MemberView, RoleRow};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// One member (or one unit of a device that tells of several).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    /// Position in the configuration.
    pub(super) member: usize,
    /// The unit, where a device tells of several.
    pub(super) unit: Option<Name>,
    pub(super) label: Name,
    pub(super) device: DeviceId,
    /// The device at the other end (a neighbour, a next hop), if it is one of the site.
    pub(super) other: Option<DeviceId>,
    /// When what its agent said last was asked.
    pub(super) asked: Option<Mono>,
    /// The last round of its agent gave nothing.
    pub(super) silent: bool,
}

/// What a member said of itself in an instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    pub(super) role: Option<Role>,
    pub(super) asked: Mono,
    pub(super) transitions: Option<i64>,
    pub(super) uptime: Option<u32>,
    /// When the first of the readings was asked that all said the same.
    pub(super) since: Mono,
    /// It was read as active for the first time, and its counter (read a moment before) did not tell of it yet.
    pub(super) owed: bool,
}

/// Of two readings so near to each other, of members of which one is active, one asked for the other.
const MOMENT: Duration = Duration::from_secs(2);
/// Between our own time and that of an agent, seconds.
const CLOCKS: u64 = 3;

fn restarted(before: (Option<u32>, Mono), after: (Option<u32>, Mono)) -> bool {
    let (Some(old), Some(new)) = (before.0, after.0) else {
        return false;
    };
    new < old || u64::from(new / 100) + CLOCKS < after.1.since(before.1).as_secs()
}

impl View {
    /// The agent was started anew after this reading, and before that one.
    pub(super) fn restarted(&self, next: &View) -> bool {
        restarted((self.uptime, self.asked), (next.uptime, next.asked))
    }

    /// A role that is new beside a counter that is not: the two are not read at one moment.
    fn is_behind(&self, role: Option<Role>, transitions: Option<i64>) -> bool {
        let became = self.role.is_some_and(|r| r != Role::Active) && role == Some(Role::Active);
        became && transitions.is_some() && transitions == self.transitions
    }
}

/// A reading that may be an accident of two members read at different times: it counts when two reads of all of them, five seconds
/// apart, agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Doubt {
    /// When the newest of the views that made it was asked.
    pub(super) began: Mono,
    /// When all had been read once since.
    pub(super) once: Option<Mono>,
    /// When all are asked (again).
    pub(super) ask_at: Mono,
    /// Two reads agree.
    pub(super) sure: bool,
}

/// One instance of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Instance {
    /// How each member that ever told of it calls it, by slot.
    pub(super) ids: BTreeMap<usize, InstanceId>,
    /// Every member has a part in it, whether it told so since the start or not: the ledger knows.
    pub(super) of_all: bool,
    /// By slot.
    pub(super) views: BTreeMap<usize, View>,
    /// Who was active last, by label.
    pub(super) active: Option<Name>,
    /// Several are active.
    pub(super) both: Option<Doubt>,
    /// Nobody is.
    pub(super) none: Option<Doubt>,
    /// A change and back that only counters tell of.
    pub(super) passing: Passing,
    /// The same, from before several were active at once.
    pub(super) passed_before: Passing,
    /// The reading that ended the time when several were active.
    pub(super) parted: Option<Mono>,
}

/// Is another member active than before?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    Yes,
    /// This slot has to be read first.
    Ask(usize),
    /// Nothing says so.
    No,
}

impl Instance {
    /// Two readings of different times need not have been true together: can it be said that `to` is active instead of `from`?
    pub(super) fn sure(&self, of: &Redundancy, from: (usize, Option<&Standing>), to: usize) -> Sure {
        let (Some(left), Some(right)) = (self.views.get(&from.0), self.views.get(&to)) else {
            return Sure::Yes;
        };
        match from.1 {
            Some(Standing::Is(_)) => {}
            // Both were active when it was last heard of: that it is silent now is no sign that it is not active any more.
            Some(Standing::Unknown) if left.role == Some(Role::Active) && right.since <= left.asked => return Sure::No,
            _ => return Sure::Yes,
        }
        let counts = of.kind.counts();
        let apart = if counts { Duration::ZERO } else { MOMENT };
        if left.asked > right.asked + apart {
            // Since it was read as active the other one has said that it is not: it may have lost the role as well.
            return Sure::Ask(to);
        }
        // The one that was left may be good again by now, or have the role as well: after a time without anybody both take it.
        match right.since > left.asked + apart {
            true => Sure::Ask(from.0),
            false => Sure::Yes,
        }
    }
}

/// Since when a member is missing, and why it was then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    pub(super) since: Mono,
    pub(super) began: Absence,
}

/// One group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) slots: Vec<Slot>,
    pub(super) instances: BTreeMap<Name, Instance>,
    /// Times that another member became active, since the start.
    pub(super) switchovers: u64,
    /// What the ledger knows of who is active.
    pub(super) told: BTreeMap<Name, Name>,
    /// Instances that got another name since the moves were last told of it.
    pub(super) renamed: Vec<(Name, Name)>,
    /// Since when each slot is missing.
    pub(super) missing_since: BTreeMap<usize, Gap>,
    /// Findings of devices in whose cases the loss of redundancy was listed, and since when each of them holds.
    pub(super) noted: BTreeMap<crate::model::FindingKey, Mono>,
}

/// How a member stands in an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It says so.
    Is(Role),
    /// Its agent answers and does not say.
    NotTold,
    /// Its device is down or cut off.
    DeviceDown,
    /// Its agent is silent, its device is being looked at, or it has not been read yet.
    Unknown,
}

impl Group {
    /// `hosts`: devices by address.
    pub(super) fn new(of: &Redundancy, hosts: &HashMap<IpAddr, DeviceId>) -> Group {
        let other = |part: &MemberPart| match part {
            MemberPart::Peer(address) | MemberPart::NextHop(address) => hosts.get(address).copied(),
            MemberPart::Whole | MemberPart::Interface(_) => None,
        };
        let slot = |(member, m): (usize, &crate::model::Member)| Slot {
            member,
            unit: None,
            label: Name::clone(&m.label),
            device: m.device,
            other: other(&m.part),
            asked: None,
            silent: false,
        };
        Group {
            slots: of.members.iter().enumerate().map(slot).collect(),
            ..Group::default()
        }
    }

    /// The slot of a label.
    pub(super) fn find(&self, label: &str) -> Option<&Slot> {
        self.slots.iter().find(|s| &*s.label == label)
    }

    /// The label of a member; of one that has units there is none.
    pub(super) fn label(&self, member: usize) -> Option<&Name> {
        let mut slots = self.slots.iter().filter(|s| s.member == member && s.unit.is_none());
        slots.next().map(|s| &s.label)
    }

    /// The agent of a device gave nothing.
    pub(super) fn fell_silent(&mut self, device: DeviceId) {
        for slot in self.slots.iter_mut().filter(|s| s.device == device) {
            slot.silent = true;
        }
    }

    /// The slot of a unit. Once a device tells of its units it is no member itself any more.
    pub(super) fn unit(&mut self, of: &Redundancy, member: usize, unit: &Name) -> Option<usize> {
        let known = |s: &Slot| s.member == member && s.unit.as_ref() == Some(unit);
        if let Some(at) = self.slots.iter().position(known) {
            return Some(at);
        }
        let configured = of.members.get(member)?;
        let slot = Slot {
            member,
            unit: Some(Name::clone(unit)),
            label: format!("{} {unit}", configured.label).into(),
            device: configured.device,
            other: None,
            asked: None,
            silent: false,
        };
        match self.slots.iter().position(|s| s.member == member && s.unit.is_none()) {
            Some(at) => {
                self.slots[at] = slot;
                for instance in self.instances.values_mut() {
                    instance.views.remove(&at);
                    instance.ids.remove(&at);
                }
                Some(at)
            }
            None => {
                self.slots.push(slot);
                Some(self.slots.len() - 1)
            }
        }
    }

    /// Takes what a member says. Instances that it does not tell of any more have no role.
    pub(super) fn take(&mut self, of: &Redundancy, view: &MemberView) {
        let mut told: Vec<(usize, Name)> = Vec::new();
        for row in &view.rows {
            let alike = |r: &&RoleRow| r.unit == row.unit && r.instance.number == row.instance.number;
            let several = view.rows.iter().filter(alike).nth(1).is_some();
            let whole = || {
                self.slots
                    .iter()
                    .position(|s| s.member == view.member && s.unit.is_none())
            };
            let slot = match &row.unit {
                Some(unit) => self.unit(of, view.member, unit),
                None => whole(),
            };
            let Some(slot) = slot else { continue };
            let Some(name) = self.place(slot, &row.instance, several, &told) else {
                continue;
            };
            let instance = self.instances.entry(Name::clone(&name)).or_default();
            let before = instance.views.get(&slot);
            let anew = |v: &View| restarted((v.uptime, v.asked), (view.uptime, view.asked));
            // A row that moved while it was read gives its role and no counter: what was counted before is counted on.
            let counted = || before.filter(|v| !anew(v)).and_then(|v| v.transitions);
            let transitions = row.transitions.or_else(counted);
            let same = |v: &&View| v.role == row.role && v.transitions == transitions && !anew(v);
            let next = View {
                role: row.role,
                asked: view.asked,
                transitions,
                uptime: view.uptime,
                since: before.filter(same).map_or(view.asked, |v| v.since),
                owed: before.is_some_and(|v| v.is_behind(row.role, transitions)),
            };
            let before = instance.views.insert(slot, next);
            if let Some(before) = before {
                self.note_passing(slot, &name, &before, &next);
            }
            told.push((slot, name));
        }
        for (at, slot) in self
            .slots
            .iter_mut()
            .enumerate()
            .filter(|(_, s)| s.member == view.member)
        {
            slot.asked = Some(view.asked);
            slot.silent = false;
            if view.partial {
                continue;
            }
            for (name, instance) in &mut self.instances {
                if !told.iter().any(|(slot, told)| *slot == at && told == name) {
                    let silent = View {
                        role: None,
                        asked: view.asked,
                        transitions: None,
                        uptime: view.uptime,
                        since: view.asked,
                        owed: false,
                    };
                    instance.views.insert(at, silent);
                }
            }
        }
        if of.kind.counts() || of.members.iter().any(|m| m.part != MemberPart::Whole) {
            self.instances.entry(Name::from("")).or_default();
        }
    }

    /// An instance that no member has any more, while each of them tells of others, was taken out of service.
    pub(super) fn forget_removed(&mut self) {
        let tells = |at: usize| {
            let has = |i: &Instance| i.views.get(&at).is_some_and(|v| v.role.is_some());
            self.instances.values().any(has)
        };
        let all_tell = (0..self.slots.len()).all(tells);
        if all_tell && self.slots.iter().all(|s| !s.silent && s.asked.is_some()) {
            let gone = |i: &Instance| !i.views.is_empty() && i.views.values().all(|v| v.role.is_none());
            self.instances.retain(|_, i| !gone(i));
        }
    }

    /// How a member stands in an instance.
    pub(super) fn standing(&self, at: usize, instance: &Instance, site: &Site, reach: &Reach, now: Mono) -> Standing {
        let slot = &self.slots[at];
        let node = reach.node(slot.device);
        match node.state {
            ReachState::Down if node.control_plane => return Standing::Unknown,
            ReachState::Down | ReachState::Unreachable => return Standing::DeviceDown,
            ReachState::Up | ReachState::Lossy | ReachState::NotWatched => {}
            ReachState::Suspect | ReachState::Unknown | ReachState::Off | ReachState::Blind => {
                return Standing::Unknown;
            }
        }
        let poll = site.device(slot.device).poll;
        let old = |asked: Mono| now.since(asked) > poll.interval * 3 + poll.timeout + Duration::from_secs(1);
        match (slot.asked, instance.views.get(&at)) {
            (None, _) => Standing::Unknown,
            (Some(asked), _) if slot.silent || old(asked) => Standing::Unknown,
            // What was not read with the rest of late.
            (_, Some(view)) if old(view.asked) => Standing::Unknown,
            // The only unit that its device tells of.
            (_, Some(v)) if v.role == Some(Role::Active) && slot.unit.is_some() && self.slots.len() == 1 => {
                Standing::Is(Role::Alone)
            }
            (_, Some(View { role: Some(role), .. })) => Standing::Is(*role),
            _ => Standing::NotTold,
        }
    }
}
