//! Redundancy judged: who is active, how many are ready, who moved.
//!
//! Every judgement rests on the members' own views. A member that is silent is unknown, never "not active"; what two members
//! say at different times is not believed to contradict itself until two reads of both agree. The first reading after a start
//! says nothing by itself; what the ledger knew is remembered.
//!
//! Never here: how a role is read (that is `sample::roles`), words for people.

mod account;
mod judge;
mod moves;
mod pairing;
mod passing;
mod reload;
mod state;
mod status;
mod tally;
#[cfg(test)]
mod tests;

pub use status::{GroupStatus, InstanceStatus, MemberStatus};

use super::condition::Conditions;
use super::interface::interface_key;
use super::reach::{Reach, down_key};
use super::{Absence, Cause, Missing, RuleEffect};
use crate::model::device::glob;
use crate::model::{
    Device, DeviceId, FindingKey, FindingKind, Level, MemberPart, Mono, Name, Now, Part, ReachState, Redundancy, Site,
};
use crate::sample::roles::MemberView;
use moves::Move;
use state::{Gap, Group, Slot, Standing};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// While this host is cut off, look again after this.
const BLIND_AGAIN: Duration = Duration::from_secs(10);

/// What judging needs from outside at each step.
pub(super) struct Context<'a> {
    pub(super) site: &'a Site,
    pub(super) reach: &'a Reach,
    pub(super) conditions: &'a mut Conditions,
    pub(super) out: &'a mut Vec<RuleEffect>,
    pub(super) now: Now,
}

impl Context<'_> {
    /// The finding that explains why a device says nothing, if it is told to anybody.
    fn explained_by(&self, device: DeviceId) -> Option<FindingKey> {
        let node = self.reach.node(device);
        let root = match node.state {
            ReachState::Down => device,
            ReachState::Unreachable => node.root?,
            _ => return None,
        };
        let key = down_key(self.site.device(root));
        let told = self.conditions.get(&key).is_some_and(|c| c.level > Level::Ok);
        told.then_some(key)
    }
}

impl Context<'_> {
    /// The finding that explains why a member is not ready, if it is told to anybody: its device, its neighbour's, or its own
    /// port. That an agent does not tell of a session is not its neighbour's doing.
    fn explained(&self, of: &Redundancy, slot: &Slot, why: Absence, gap: Gap) -> Option<FindingKey> {
        let by_port = || {
            let Some(MemberPart::Interface(name)) = of.members.get(slot.member).map(|m| &m.part) else {
                return None;
            };
            let device = self.site.device(slot.device);
            let mut keys = [FindingKind::InterfaceDown, FindingKind::InterfaceMissing]
                .map(|k| interface_key(device, name, k))
                .into_iter();
            keys.find(|key| self.conditions.get(key).is_some_and(|c| c.level > Level::Ok))
        };
        // A member whose session was lost before its own device fell silent is missing for the sake of its neighbour still.
        let other = slot
            .other
            .filter(|_| matches!(why, Absence::Failed | Absence::DeviceDown));
        let by_other = || other.and_then(|other| self.explained_by(other));
        // A fault that was found so long after the loss, although it is looked for all the time, came later.
        let in_time = |key: &FindingKey| {
            let device = key
                .device
                .as_ref()
                .and_then(|name| self.site.iter().find(|(_, d)| d.name == *name));
            let slack = device.map_or(Duration::ZERO, |(_, d)| d.poll.detection());
            self.conditions.get(key).is_some_and(|c| c.since <= gap.since + slack)
        };
        let by_device = self.explained_by(slot.device);
        // A device that fell silent again before its role was read is the reason still.
        if by_device.is_some() && gap.began == Absence::DeviceDown && why == Absence::DeviceDown {
            return by_device;
        }
        let all = [by_device, by_other(), by_port()];
        all.into_iter().flatten().find(in_time)
    }
}

/// All groups of a site.
#[derive(Default)]
pub struct Redundancies {
    /// Parallel to [`Site::redundancy`].
    groups: Vec<Group>,
    of_device: HashMap<DeviceId, Vec<usize>>,
    /// Device and interface of members that are ports.
    ports: BTreeSet<(Name, Name)>,
    /// Switchovers that are not over.
    moves: Vec<Move>,
    /// Groups of which something may have changed.
    stirred: BTreeSet<usize>,
    /// When a group wants to be judged by time alone.
    due: BTreeMap<usize, Mono>,
}

impl Redundancies {
    /// Nothing read yet.
    pub(super) fn new(site: &Site) -> Redundancies {
        let mut of_device: HashMap<DeviceId, Vec<usize>> = HashMap::new();
        let mut ports = BTreeSet::new();
        for (g, group) in site.redundancy.iter().enumerate() {
            for member in &group.members {
                if let MemberPart::Interface(name) = &member.part {
                    ports.insert((Name::clone(&site.device(member.device).name), Name::clone(name)));
                }
                let groups = of_device.entry(member.device).or_default();
                if !groups.contains(&g) {
                    groups.push(g);
                }
            }
        }
        let hosts = match site.redundancy.is_empty() {
            true => HashMap::new(),
            false => {
                let own = site.iter().map(|(id, d)| (d.address, id));
                // A neighbour that is written as the platform's is the platform.
                let beside = site.iter().flat_map(|(id, d)| {
                    let peers = d.demarcation.iter().flat_map(|link| &link.peers);
                    peers.map(move |peer| (*peer, id))
                });
                beside.chain(own).collect()
            }
        };
        Redundancies {
            groups: site.redundancy.iter().map(|of| Group::new(of, &hosts)).collect(),
            of_device,
            ports,
            ..Redundancies::default()
        }
    }

    /// What the ledger knew: who was active, and which switchovers are open.
    pub(super) fn recall(
        &mut self,
        site: &Site,
        active: &BTreeMap<Name, BTreeMap<Name, Name>>,
        open: &[(FindingKey, Cause)],
        now: Now,
    ) {
        for (g, of) in site.redundancy.iter().enumerate() {
            let group = &mut self.groups[g];
            for (instance, label) in active.get(&of.name).into_iter().flatten() {
                if of.members.iter().any(|m| m.is_called(label)) {
                    group.instances.entry(Name::clone(instance)).or_default().active = Some(Name::clone(label));
                    group.told.insert(Name::clone(instance), Name::clone(label));
                }
            }
        }
        for (key, cause) in open {
            self.recall_move(site, key, cause, now);
            self.recall_loss(site, key, cause);
        }
    }

    /// A loss of redundancy that was open: who is missing had a part in it.
    fn recall_loss(&mut self, site: &Site, key: &FindingKey, cause: &Cause) {
        let (Part::Redundancy(name), Cause::RedundancyLost { instances, missing, .. }) = (&key.part, cause) else {
            return;
        };
        let Some(g) = site.redundancy.iter().position(|of| of.name == *name) else {
            return;
        };
        let (of, group) = (&site.redundancy[g], &mut self.groups[g]);
        for instance in instances {
            group.instances.entry(Name::clone(instance)).or_default().of_all = true;
        }
        for (m, member) in of.members.iter().enumerate().filter(|_| of.members.len() == 1) {
            let unit = |missing: &Missing| {
                let unit = missing.member.strip_prefix(&*member.label)?.strip_prefix(' ')?;
                Some(Name::from(unit))
            };
            for unit in missing.iter().filter_map(unit) {
                group.unit(of, m, &unit);
            }
        }
    }

    /// A port that no line of its device's `interfaces` asks for, and a group does.
    pub(super) fn alone_watches(&self, device: &Device, port: &Name) -> bool {
        let wanted = |w: &crate::model::InterfaceWanted| glob(&w.pattern, port);
        !self.ports.is_empty()
            && self.ports.contains(&(Name::clone(&device.name), Name::clone(port)))
            && !device.interfaces.iter().any(wanted)
    }

    /// Takes what members say of themselves.
    pub(super) fn take(&mut self, views: &[MemberView], site: &Site) {
        for view in views {
            if let (Some(group), Some(of)) = (self.groups.get_mut(view.group), site.redundancy.get(view.group)) {
                group.take(of, view);
                self.stirred.insert(view.group);
                for (from, to) in std::mem::take(&mut group.renamed) {
                    self.moves.iter_mut().for_each(|m| m.rename(&of.name, &from, &to));
                }
            }
        }
    }

    /// The agent of a device gave nothing.
    pub(super) fn fell_silent(&mut self, device: DeviceId) {
        for g in self.of_device.get(&device).into_iter().flatten() {
            self.groups[*g].fell_silent(device);
            self.stirred.insert(*g);
        }
    }

    /// Something about a device may have changed.
    pub(super) fn stir(&mut self, device: DeviceId) {
        self.stirred.extend(self.of_device.get(&device).into_iter().flatten());
    }

    /// Is nothing here to be judged?
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// When a group wants to be judged again.
    pub(super) fn next_wakeup(&self) -> Mono {
        let moves = self.moves.iter().map(|m| m.due).min().unwrap_or(Mono::NEVER);
        self.due.values().copied().min().unwrap_or(Mono::NEVER).min(moves)
    }

    /// Judges what was stirred or is due.
    pub(super) fn judge(&mut self, context: &mut Context<'_>) {
        let now = context.now.mono;
        if context.reach.blind() {
            return self.wait_for_sight(now);
        }
        self.stirred
            .extend(self.due.iter().filter(|(_, at)| **at <= now).map(|(g, _)| *g));
        if self.stirred.is_empty() && self.moves.iter().all(|m| m.due > now) {
            return;
        }
        for g in std::mem::take(&mut self.stirred) {
            self.judge_group(g, context);
        }
        self.advance(context);
    }

    /// Whoever is cut off accuses nobody: everything waits.
    fn wait_for_sight(&mut self, now: Mono) {
        let due = self.due.values_mut().chain(self.moves.iter_mut().map(|m| &mut m.due));
        for at in due.filter(|at| **at <= now) {
            *at = now + BLIND_AGAIN;
        }
    }

    /// BGP sessions that were read after `since`. Witnesses for or against a silence of the platform.
    pub(super) fn sessions(&self, since: Mono, context: (&Site, &Reach, Mono)) -> Vec<Session> {
        let (site, reach, now) = context;
        let groups = site.redundancy.iter().zip(&self.groups);
        let groups = groups.filter(|(of, _)| of.kind == crate::model::RedundancyKind::Bgp);
        let session = |of: &Redundancy, group: &Group, at: usize, slot: &Slot| {
            let MemberPart::Peer(peer) = of.members.get(slot.member)?.part else {
                return None;
            };
            let standing = |i: &state::Instance| match group.standing(at, i, site, reach, now) {
                Standing::Is(role) => Some(role == crate::model::redundancy::Role::Failed),
                _ => None,
            };
            let read = slot.asked.is_some_and(|asked| asked >= since);
            let down = group.instances.values().find_map(standing).filter(|_| read)?;
            Some(Session {
                device: slot.device,
                peer,
                down,
            })
        };
        groups
            .flat_map(|(of, group)| {
                let slots = group.slots.iter().enumerate();
                slots.filter_map(move |(at, slot)| session(of, group, at, slot))
            })
            .collect()
    }
}

/// A BGP session as one of its ends tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Session {
    /// Who tells it.
    pub(super) device: DeviceId,
    /// The neighbour.
    pub(super) peer: IpAddr,
    /// Not established.
    pub(super) down: bool,
}
