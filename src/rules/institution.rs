//! Institutions with more than one circuit: the circuits stand in for each other, without anybody writing a group.
//!
//! One of them lost is a loss of redundancy, told in the case of that circuit. All of them lost is one case: the institution is out. A
//! circuit that is off tells nothing, as its institution is closed; circuits that are planned or ended, or that nobody watches, do not
//! count; institutions whose circuits an operator has written as a group are judged as that.
//!
//! Never here: whether a circuit is lost (that is `reach`), who is told.

use super::condition::Conditions;
use super::reach::{Reach, common_key, down_key};
use super::{Absence, Affected, Cause, Missing, Note, RuleEffect};
use crate::model::{
    Circuit, Device, DeviceId, FindingKey, FindingKind, Liveness, Measure, MemberPart, Mono, Name, Now, ReachState,
    Role, Site, Status,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// While the institution is out, its circuits are looked at again after this.
pub(super) const AGAIN: Duration = Duration::from_secs(10);

/// All institutions with several circuits.
#[derive(Default)]
pub(super) struct Institutions {
    all: Vec<Institution>,
    of: HashMap<DeviceId, usize>,
    stirred: BTreeSet<usize>,
}

struct Institution {
    label: Name,
    members: Vec<DeviceId>,
    /// Listed in the case of the institution.
    listed: BTreeSet<DeviceId>,
}

impl Institutions {
    pub(super) fn new(site: &Site) -> Institutions {
        let mut by_id: BTreeMap<&Name, Vec<DeviceId>> = BTreeMap::new();
        for (id, device) in site.iter().filter(|(_, d)| counts(d)) {
            if let Some(circuit) = &device.circuit {
                by_id.entry(&circuit.institution_id).or_default().push(id);
            }
        }
        let mut found = Institutions::default();
        for members in by_id.into_values().filter(|m| m.len() > 1 && !is_written(site, m)) {
            let circuit = members.first().and_then(|id| site.device(*id).circuit.as_deref());
            let Some(label) = circuit.map(Circuit::institution_label) else {
                continue;
            };
            let place = found.all.len();
            found.of.extend(members.iter().map(|id| (*id, place)));
            found.stirred.insert(place);
            found.all.push(Institution {
                label,
                members,
                listed: BTreeSet::new(),
            });
        }
        found
    }

    /// Another configuration: what is listed stays listed.
    pub(super) fn reload(&mut self, old: &Site, new: &Site) {
        let before = std::mem::replace(self, Institutions::new(new));
        for was in before.all {
            let Some(now) = self.all.iter_mut().find(|i| i.label == was.label) else {
                continue;
            };
            let name = |id: &DeviceId| &old.device(*id).name;
            let names: BTreeSet<&Name> = was.listed.iter().map(name).collect();
            let here = now.members.iter().copied();
            now.listed = here.filter(|id| names.contains(&new.device(*id).name)).collect();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Is this the label of one of them?
    pub(super) fn knows(&self, label: &str) -> bool {
        self.all.iter().any(|i| *i.label == *label)
    }

    /// A circuit was listed in the case of its institution when the daemon stopped.
    pub(super) fn restore(&mut self, id: DeviceId) {
        if let Some(institution) = self.of.get(&id).and_then(|at| self.all.get_mut(*at)) {
            institution.listed.insert(id);
        }
    }

    /// Something about a device may have changed.
    pub(super) fn stir(&mut self, id: DeviceId) {
        self.stirred.extend(self.of.get(&id));
    }

    /// The institution of a circuit is out, or about to be told so: its circuits are not told one by one.
    pub(super) fn speaks_for(&self, id: DeviceId, conditions: &Conditions) -> bool {
        let institution = self.of.get(&id).and_then(|at| self.all.get(*at));
        institution.is_some_and(|i| conditions.get(&common_key(&i.label)).is_some())
    }

    /// A circuit is told as lost while another one carries the institution: redundancy is lost.
    pub(super) fn redundancy_lost(&self, id: DeviceId, site: &Site, reach: &Reach) -> Option<Note> {
        let institution = self.all.get(*self.of.get(&id)?)?;
        let state = |id: &DeviceId| reach.node(*id).state;
        let ready = institution.members.iter().filter(|m| is_good(state(m))).count();
        let lost = institution.members.iter().filter(|m| state(m) == ReachState::Down);
        let missing = |id: &DeviceId| Missing {
            member: Name::clone(&site.device(*id).name),
            why: Absence::DeviceDown,
        };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (ready > 0).then(|| Note {
            root: down_key(site.device(id)),
            key: FindingKey::of_redundancy(&institution.label, FindingKind::RedundancyLost),
            cause: Cause::RedundancyLost {
                ready: count(ready),
                configured: count(institution.members.len()),
                instances: Vec::new(),
                missing: lost.map(missing).collect(),
            },
        })
    }

    /// Judges what was stirred.
    pub(super) fn judge(
        &mut self,
        site: &Site,
        reach: &Reach,
        conditions: &mut Conditions,
        now: Now,
    ) -> Vec<RuleEffect> {
        let mut out = Vec::new();
        if reach.blind() {
            return out;
        }
        for at in std::mem::take(&mut self.stirred) {
            if let Some(institution) = self.all.get_mut(at) {
                institution.judge(site, reach, conditions, now, &mut out);
            }
        }
        out
    }
}

/// Does silence of this circuit say anything?
fn counts(device: &Device) -> bool {
    device.role == Role::Circuit && device.status == Status::Active && device.liveness != Liveness::None
}

fn is_good(state: ReachState) -> bool {
    matches!(state, ReachState::Up | ReachState::Lossy)
}

/// Has the operator written these circuits, or their lines, as one group?
fn is_written(site: &Site, members: &[DeviceId]) -> bool {
    let is = |id: DeviceId, member: &crate::model::Member| {
        let device = site.device(id);
        let line = device.circuit.as_ref().and_then(|c| match &c.measure {
            Measure::Line(line) => Some(line),
            _ => None,
        });
        match &member.part {
            MemberPart::Interface(port) => line.is_some_and(|l| l.device == member.device && l.port == *port),
            MemberPart::Peer(address) | MemberPart::NextHop(address) => *address == device.address,
            MemberPart::Whole => member.device == id,
        }
    };
    let mut groups = site.redundancy.iter();
    groups.any(|g| members.iter().all(|id| g.members.iter().any(|m| is(*id, m))))
}

impl Institution {
    fn judge(&mut self, site: &Site, reach: &Reach, conditions: &mut Conditions, now: Now, out: &mut Vec<RuleEffect>) {
        let key = common_key(&self.label);
        let state = |id: &DeviceId| reach.node(*id).state;
        let down: Vec<DeviceId> = self
            .members
            .iter()
            .copied()
            .filter(|id| state(id) == ReachState::Down)
            .collect();
        // One that is cut off by a fault of ours carries nothing either; that fault alone is told elsewhere.
        let lost = |id: &DeviceId| matches!(state(id), ReachState::Down | ReachState::Unreachable);
        if !down.is_empty() && self.members.iter().all(lost) {
            self.out(&key, &down, site, conditions, now);
            for id in down
                .iter()
                .filter(|id| !conditions.raised(&down_key(site.device(**id))))
            {
                if self.listed.insert(*id) {
                    out.push(listed(&key, site, *id, true, now));
                }
            }
            return;
        }
        // What is being looked at again may still be lost.
        let open = |id: &DeviceId| matches!(state(id), ReachState::Suspect | ReachState::Unknown | ReachState::Blind);
        let back = self.members.iter().filter(|id| is_good(state(id))).count();
        if back == 0 && self.members.iter().any(open) {
            return;
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let cause = Cause::CircuitsBack {
            back: count(back),
            of: count(self.members.len()),
        };
        out.extend(conditions.end(&key, cause, now).map(RuleEffect::Finding));
        for id in std::mem::take(&mut self.listed) {
            out.push(listed(&key, site, id, false, now));
        }
    }

    /// All are lost. It is told when the first of its circuits would be.
    fn out(&self, key: &FindingKey, down: &[DeviceId], site: &Site, conditions: &mut Conditions, now: Now) {
        let of_circuit = |id: &DeviceId| conditions.get(&down_key(site.device(*id)));
        let pending = down.iter().filter_map(of_circuit).filter(|c| !c.raised);
        let due: Option<Mono> = pending.map(|c| c.due).min();
        let since = down.iter().filter_map(of_circuit).map(|c| c.since).max();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let cause = Cause::CircuitsLost {
            lost: count(self.members.len()),
            of: count(self.members.len()),
        };
        let rule = site.rule(FindingKind::CircuitsLost);
        let counted_from = due.unwrap_or(now.mono).max(now.mono);
        conditions.hold(key.clone(), rule, cause, since.unwrap_or(now.mono), counted_from, now);
    }
}

fn listed(key: &FindingKey, site: &Site, id: DeviceId, unreachable: bool, now: Now) -> RuleEffect {
    RuleEffect::Affected(Affected {
        root: key.clone(),
        device: Name::clone(&site.device(id).name),
        unreachable,
        at: now.wall,
    })
}
