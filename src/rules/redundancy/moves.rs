//! The life of a switchover: seen, looked at from all sides, told, and over when the right side has been active for a while.
//!
//! What moves together is told together: instances of a group, and groups between the same devices, within ten seconds. A
//! switchover away from a device that is down is listed in that device's case instead of having one of its own.
//!
//! Never here: who is active (that is `judge`).

use super::account::views_of;
use super::state::Group;
use super::{Context, Redundancies};
use crate::model::redundancy::SWITCHED_BACK;
use crate::model::{DeviceId, FindingKey, FindingKind, Mono, Name, Now, Part, ReachState, Site, Wall};
use crate::rules::{Cause, Note, RuleEffect};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What moves within this time is one switchover.
pub(super) const TOGETHER: Duration = Duration::from_secs(10);
/// Nobody is preferred: after this the new side is the right one.
const SETTLED: Duration = Duration::from_secs(1_800);
/// Beyond its detection time, until what was asked of a device is here.
const GRACE: Duration = Duration::from_secs(5);

/// An instance whose active member changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) instance: Name,
    pub(super) from: Name,
    pub(super) to: Name,
    /// Only counters tell of it, and it is back already.
    pub(super) counted: bool,
}

/// Where a switchover is in its life.
#[derive(Clone, Debug, PartialEq)]
enum Stage {
    /// Fresh views of all members are waited for, and whether the left side is alive.
    Gathering,
    /// A finding of its own.
    Told,
    /// Listed in the case of this finding; whether that is told already.
    Noted(FindingKey, bool),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) from: Name,
    pub(super) to: Name,
    pub(super) counted: bool,
    pub(super) at: Wall,
    pub(super) by: BTreeSet<Name>,
    /// Back on the right side since.
    pub(super) back: Option<Mono>,
    /// Its last change.
    pub(super) last: Mono,
}

/// A switchover that is not over.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Move {
    /// The group whose finding it is.
    root: Name,
    devices: BTreeSet<DeviceId>,
    /// When the newest of the views that told of it was asked.
    pub(super) began: Mono,
    stage: Stage,
    /// By group and instance.
    pub(super) items: BTreeMap<(Name, Name), Item>,
    pub(super) due: Mono,
}

fn key(group: &Name) -> FindingKey {
    FindingKey::of_redundancy(group, FindingKind::SwitchedOver)
}

/// When the newest of the views was asked that tell of a switchover. Members that were read before that are read again.
fn newest_reading(group: &Group, context: &mut Context<'_>) -> Mono {
    let newest = group.slots.iter().filter_map(|s| s.asked).max();
    let began = newest.unwrap_or(context.now.mono);
    let old = group.slots.iter().filter(|s| s.asked.is_none_or(|a| a < began));
    let old: BTreeSet<DeviceId> = old.map(|s| s.device).collect();
    context.out.extend(old.into_iter().map(RuleEffect::ProbeAgent));
    began
}

impl Redundancies {
    /// Instances of a group have moved.
    pub(super) fn moved(&mut self, g: usize, shifts: Vec<Shift>, context: &mut Context<'_>) {
        let Some(of) = context.site.redundancy.get(g).filter(|_| !shifts.is_empty()) else {
            return;
        };
        let mut more = false;
        for shift in shifts {
            let at = (Name::clone(&of.name), Name::clone(&shift.instance));
            let right = of
                .preferred(&shift.instance)
                .and_then(|m| self.groups[g].label(m))
                .cloned();
            if let Some(known) = self.moves.iter_mut().find(|m| m.items.contains_key(&at)) {
                let again = known
                    .items
                    .get_mut(&at)
                    .is_some_and(|item| item.moves_on(&shift, right.as_ref(), context.now));
                known.due = context.now.mono;
                if again {
                    more |= known.more(&self.groups[g], context);
                    // Whether the left side is alive decides where it is told.
                    let left = self.groups[g]
                        .find(&shift.from)
                        .filter(|_| known.stage == Stage::Gathering);
                    context.out.extend(left.map(|left| RuleEffect::Probe(left.device)));
                }
                continue;
            }
            // To the right side, without a switchover before: good news, and no finding.
            if right.as_ref() != Some(&shift.to) {
                more |= self.begin(g, at, shift, context);
            }
        }
        if more {
            self.tell_again(&of.name, context);
        }
    }

    /// A switchover begins, or more of one that has begun. True if that one was told already.
    fn begin(&mut self, g: usize, at: (Name, Name), shift: Shift, context: &mut Context<'_>) -> bool {
        let group = &self.groups[g];
        let devices: BTreeSet<DeviceId> = group.slots.iter().map(|s| s.device).collect();
        let now = context.now.mono;
        let item = Item {
            back: shift.counted.then_some(now),
            by: views_of(group, &shift),
            from: shift.from,
            to: shift.to,
            counted: shift.counted,
            at: context.now.wall,
            last: now,
        };
        if let Some(left) = group.find(&item.from) {
            context.out.push(RuleEffect::Probe(left.device));
        }
        let together = |m: &&mut Move| {
            let gathering = m.stage == Stage::Gathering && m.devices == devices && now.since(m.began) <= TOGETHER;
            m.root == at.0 || gathering
        };
        if let Some(known) = self.moves.iter_mut().find(together) {
            known.items.insert(at, item);
            return known.more(group, context);
        }
        let began = newest_reading(group, context);
        self.moves.push(Move {
            root: Name::clone(&at.0),
            devices,
            began,
            stage: Stage::Gathering,
            items: BTreeMap::from([(at, item)]),
            due: now,
        });
        false
    }

    /// A told switchover has more to tell.
    fn tell_again(&mut self, group: &Name, context: &mut Context<'_>) {
        let told = self
            .moves
            .iter()
            .find(|m| m.stage == Stage::Told && m.items.keys().any(|(g, _)| g == group));
        if let Some(told) = told {
            let cause = told.cause(&self.groups, context);
            let change = context.conditions.tell_again(&key(&told.root), cause, context.now);
            context.out.extend(change.map(RuleEffect::Finding));
        }
    }

    /// Takes every switchover as far as it has come.
    pub(super) fn advance(&mut self, context: &mut Context<'_>) {
        for mut one in std::mem::take(&mut self.moves) {
            if one.stage == Stage::Gathering {
                one.gather(&self.groups, context);
            }
            one.stands_alone(&self.groups, context);
            if one.stage == Stage::Gathering || !one.is_over(context) {
                self.moves.push(one);
            }
        }
    }

    /// A switchover that was open when the daemon stopped.
    pub(super) fn recall_move(&mut self, site: &Site, found: &FindingKey, cause: &Cause, now: Now) {
        let (Part::Redundancy(root), FindingKind::SwitchedOver) = (&found.part, found.kind) else {
            return;
        };
        // A finding of which it is not known what moved ends by itself.
        let moved = match cause {
            Cause::SwitchedOver { moved, .. } => moved.as_slice(),
            _ => &[],
        };
        let mut items = BTreeMap::new();
        for part in moved {
            for instance in &part.instances {
                // That the right side is active again is in the ledger, but not in the cause that was told.
                let back = part.back || self.is_right(site, &part.group, instance, &part.from);
                let item = Item {
                    from: Name::clone(&part.from),
                    to: Name::clone(&part.to),
                    counted: part.counted,
                    at: part.at,
                    by: part.by.iter().cloned().collect(),
                    back: back.then_some(now.mono),
                    last: now.mono,
                };
                items.insert((Name::clone(&part.group), Name::clone(instance)), item);
            }
        }
        let devices = site
            .redundancy
            .iter()
            .filter(|g| g.name == *root)
            .flat_map(|g| &g.members);
        self.moves.push(Move {
            root: Name::clone(root),
            devices: devices.map(|m| m.device).collect(),
            began: now.mono,
            stage: Stage::Told,
            items,
            due: now.mono,
        });
    }

    /// Is the side active that should be? Where nobody is preferred that is the one that was left.
    fn is_right(&self, site: &Site, group: &Name, instance: &Name, from: &Name) -> bool {
        let at = site.redundancy.iter().position(|g| g.name == *group);
        let right = |at: usize| {
            let preferred = site.redundancy[at].preferred(instance);
            preferred.and_then(|m| self.groups[at].label(m)).unwrap_or(from)
        };
        let active = |at: usize| self.groups[at].instances.get(instance).and_then(|i| i.active.as_ref());
        at.is_some_and(|at| active(at) == Some(right(at)))
    }

    /// Another configuration: what is not in it any more is over. The finding itself ends with its group.
    pub(super) fn keep_moves(&mut self, site: &Site) {
        let there = |name: &Name| site.redundancy.iter().find(|g| g.name == *name);
        self.moves.retain_mut(|m| {
            m.items.retain(|(group, _), _| there(group).is_some());
            let Some(root) = there(&m.root) else { return false };
            m.devices = root.members.iter().map(|x| x.device).collect();
            true
        });
    }
}

impl Item {
    /// The instance moved again, or back. True if that is worth a word.
    fn moves_on(&mut self, shift: &Shift, right: Option<&Name>, now: Now) -> bool {
        self.last = now.mono;
        let right = Name::clone(right.unwrap_or(&self.from));
        if shift.counted {
            // There and back is another switchover, like one that is seen. Where the wrong side is active, it has lost the role to the
            // other one and taken it again.
            let back = shift.from == right;
            self.back = back.then_some(now.mono);
            let (from, to) = if back {
                (&shift.from, &shift.to)
            } else {
                (&shift.to, &shift.from)
            };
            (self.from, self.to) = (Name::clone(from), Name::clone(to));
            (self.counted, self.at) = (true, now.wall);
            return true;
        }
        if shift.to == right {
            self.counted &= self.back.is_some();
            self.back = Some(now.mono);
            return false;
        }
        let again = self.back.take().is_some() || self.to != shift.to;
        (self.to, self.counted) = (Name::clone(&shift.to), false);
        if again {
            (self.from, self.at) = (Name::clone(&shift.from), now.wall);
        }
        again
    }

    /// When it is over, if nothing changes. `switched_back`: how long the right side must be active again.
    fn over_at(&self, preferred: bool, switched_back: Duration) -> Mono {
        match self.back {
            Some(at) => at + switched_back,
            None if preferred => Mono::NEVER,
            None => self.last + SETTLED,
        }
    }
}

impl Move {
    /// An instance of a group has another name now.
    pub(super) fn rename(&mut self, group: &Name, from: &Name, to: &Name) {
        if let Some(item) = self.items.remove(&(Name::clone(group), Name::clone(from))) {
            self.items.insert((Name::clone(group), Name::clone(to)), item);
        }
    }

    /// More has moved. True if it has to be told again; what is only listed somewhere is looked at anew: what explained the first one need
    /// not explain this one.
    fn more(&mut self, group: &Group, context: &mut Context<'_>) -> bool {
        self.due = context.now.mono;
        if matches!(self.stage, Stage::Noted(..)) {
            (self.stage, self.began) = (Stage::Gathering, newest_reading(group, context));
        }
        self.stage == Stage::Told
    }

    /// Fresh views of all members, and whether the left side is alive, decide where it is told.
    fn gather(&mut self, groups: &[Group], context: &mut Context<'_>) {
        let now = context.now.mono;
        for ((name, instance), item) in &mut self.items {
            let at = context.site.redundancy.iter().position(|g| g.name == *name);
            if let Some(group) = at.and_then(|g| groups.get(g)) {
                let (from, to) = (Name::clone(&item.from), Name::clone(&item.to));
                let (instance, counted) = (Name::clone(instance), item.counted);
                item.by.extend(views_of(
                    group,
                    &Shift {
                        instance,
                        from,
                        to,
                        counted,
                    },
                ));
            }
        }
        let left = self.left(groups, context.site);
        let silent = |d: &DeviceId| matches!(context.reach.node(*d).state, ReachState::Down | ReachState::Unreachable);
        let slots = || groups.iter().flat_map(|g| &g.slots);
        let read = |d: &DeviceId| slots().any(|s| s.device == *d && !s.silent && s.asked >= Some(self.began));
        let alive = |d: &DeviceId| {
            let node = context.reach.node(*d);
            node.state == ReachState::NotWatched || node.last_answer.is_some_and(|a| a >= self.began) || read(d)
        };
        let fresh = self.all_read(groups, context) || now >= self.began + TOGETHER;
        let patience = left
            .iter()
            .map(|d| context.site.device(*d).poll.detection() + GRACE)
            .max();
        let until = self.began + patience.unwrap_or(TOGETHER).max(TOGETHER);
        let settled = left.iter().all(|d| silent(d) || alive(d)) || now >= until;
        if !(fresh && settled) {
            let next = if fresh { until } else { self.began + TOGETHER };
            self.due = if next > now { next } else { now + Duration::from_secs(1) };
            return;
        }
        let cause = self.cause(groups, context);
        let roots: Option<Vec<FindingKey>> = left.iter().map(|d| context.explained_by(*d)).collect();
        if let Some(root) = roots.and_then(|roots| roots.into_iter().next()) {
            self.stage = Stage::Noted(root.clone(), false);
            let key = key(&self.root);
            return context.out.push(RuleEffect::Note(Note { root, key, cause }));
        }
        self.tell(groups, context);
    }

    /// It is a finding of its own.
    fn tell(&mut self, groups: &[Group], context: &mut Context<'_>) {
        let (cause, now) = (self.cause(groups, context), context.now.mono);
        self.stage = Stage::Told;
        let rule = context.site.redundancy.iter().find(|g| g.name == self.root);
        let rule = rule.map_or_else(
            || FindingKind::SwitchedOver.default_rule(),
            |g| g.rule(FindingKind::SwitchedOver),
        );
        let conditions = &mut context.conditions;
        conditions.hold(key(&self.root), rule, cause, self.began, now, context.now);
    }

    /// The finding in whose case it was listed has ended before anybody was told of it: it is told itself.
    fn stands_alone(&mut self, groups: &[Group], context: &mut Context<'_>) {
        if let Stage::Noted(root, told) = &mut self.stage {
            *told |= context.conditions.raised(root);
            if !*told && context.conditions.get(root).is_none() {
                self.tell(groups, context);
            }
        }
    }

    /// The devices of the members that were active before.
    fn left(&self, groups: &[Group], site: &Site) -> BTreeSet<DeviceId> {
        let of = |name: &Name| {
            site.redundancy
                .iter()
                .position(|g| g.name == *name)
                .and_then(|g| groups.get(g))
        };
        let items = self.items.iter();
        items
            .filter_map(|((group, _), item)| Some(of(group)?.find(&item.from)?.device))
            .collect()
    }

    fn all_read(&self, groups: &[Group], context: &Context<'_>) -> bool {
        let named = |(of, _): &(&crate::model::Redundancy, &Group)| self.items.keys().any(|(name, _)| *name == of.name);
        let mut slots = context
            .site
            .redundancy
            .iter()
            .zip(groups)
            .filter(named)
            .flat_map(|(_, g)| &g.slots);
        slots.all(|slot| {
            let state = context.reach.node(slot.device).state;
            let gone = matches!(state, ReachState::Down | ReachState::Unreachable);
            gone || slot.silent || slot.asked.is_some_and(|asked| asked >= self.began)
        })
    }

    /// Ends it if all of it is over; else says when that may be.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let site = context.site;
        let over = |((group, instance), item): (&(Name, Name), &Item)| {
            let of = site.redundancy.iter().find(|g| g.name == *group);
            let preferred = of.is_some_and(|g| g.preferred(instance).is_some());
            item.over_at(preferred, of.map_or(SWITCHED_BACK, |g| g.switched_back))
        };
        let over = self.items.iter().map(over).max();
        let over = over.unwrap_or(context.now.mono);
        if over > context.now.mono {
            // Until what explains it is told, it is looked at again.
            let waits = matches!(self.stage, Stage::Noted(_, false));
            self.due = if waits {
                context.now.mono + Duration::from_secs(1)
            } else {
                over
            };
            return false;
        }
        let moved = self.told(false);
        let cause = match self.items.values().all(|i| i.back.is_some()) {
            true => Cause::SwitchedBack { moved },
            false => Cause::SwitchoverSettled { moved },
        };
        let key = key(&self.root);
        match &self.stage {
            Stage::Noted(root, _) => {
                let root = root.clone();
                context.out.push(RuleEffect::Note(Note { root, key, cause }));
            }
            _ => context.end(&key, cause),
        }
        true
    }
}
