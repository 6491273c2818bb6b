//! Many circuits silent at once point to what they have in common: a device of the operator, a card of it, a site, a carrier.
//!
//! A common part is taken to have failed when at least five, and at least half, of its circuits that answered before are lost within two
//! rounds (design section 4); circuits that are off do not count. Their own silence is then listed inside its incident. The part itself need not
//! be watched; where it is, and is down, its circuits are unreachable behind it and never come here.
//!
//! Never here: a fault that fewer than five circuits tell of.

use super::{Context, Reach, RuleEffect, down_key};
use crate::model::{
    CircuitRole, Device, DeviceId, FindingKey, FindingKind, Measure, Mono, Name, Part, Power, ReachState, Role, Site,
    Status,
};
use crate::rules::{Affected, Cause};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Fewer lost circuits than this point to nothing.
const LOST_MIN: usize = 5;
/// Between two looks at a part whose circuits are being lost.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Circuits put behind a part in one go.
const AT_A_TIME: usize = 1_000;
/// When there are more.
const SOON: Duration = Duration::from_millis(20);
/// What has not come back so long after its common part has is no longer expected: a list for the help desk.
const REMAINDER: Duration = Duration::from_secs(30 * 60);

/// What circuits may have in common, the part that an engineer would name first of two that explain as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::rules) enum CommonKind {
    /// A device of the operator.
    Device,
    /// A card or module of it: the ports that share everything before the last number.
    Card,
    /// The site of that device.
    Site,
    /// The access carrier.
    Carrier,
}

/// A common part and its circuits.
struct Group {
    kind: CommonKind,
    /// `carrier access-carrier-1`.
    label: Name,
    members: Vec<DeviceId>,
    /// Members that are lost and not yet explained: since when.
    lost: BTreeSet<(Mono, DeviceId)>,
    /// The next look, if one is due.
    look_at: Option<Mono>,
    failing: Option<Failing>,
    /// When what has not come back is given up.
    remainder_at: Option<Mono>,
}

struct Failing {
    /// Circuits that were put behind it.
    lost: usize,
    /// Of these, back.
    back: usize,
}

/// All common parts of a site.
#[derive(Default)]
pub(super) struct Commons {
    groups: Vec<Group>,
    /// By device: the groups of a circuit, [`NONE`] where there is none.
    of: Vec<[u32; 4]>,
    due: BTreeSet<(Mono, u32)>,
}

const NONE: u32 = u32::MAX;

/// The finding about a common part.
pub(in crate::rules) fn common_key(label: &Name) -> FindingKey {
    FindingKey {
        device: None,
        part: Part::Common(label.clone()),
        kind: FindingKind::CircuitsLost,
        metric: None,
    }
}

/// `ge-0/0/17` is on `ge-0/0`; a port without a slash is on no card that its name tells.
fn card(port: &str) -> Option<&str> {
    let name = !port.starts_with("alias:") && !port.starts_with("session:");
    port.rsplit_once('/').map(|(card, _)| card).filter(|_| name)
}

/// The common parts that a circuit belongs to.
fn parts(site: &Site, device: &Device) -> Vec<(CommonKind, String)> {
    let Some(circuit) = device.circuit.as_deref() else {
        return Vec::new();
    };
    let mut parts = Vec::with_capacity(4);
    if let [parent] = device.parents[..] {
        let parent = site.device(parent);
        parts.push((CommonKind::Device, format!("device {}", parent.name)));
        if let Measure::Line(line) = &circuit.measure
            && let Some(card) = card(&line.port)
        {
            parts.push((CommonKind::Card, format!("card {} {card}", parent.name)));
        }
        if let Some(site) = &parent.site {
            parts.push((CommonKind::Site, format!("site {site}")));
        }
    } else if let Some(site) = &device.site {
        parts.push((CommonKind::Site, format!("site {site}")));
    }
    if let Some(carrier) = &circuit.carrier {
        parts.push((CommonKind::Carrier, format!("carrier {carrier}")));
    }
    parts
}

impl Commons {
    /// The parts of a site's active circuits.
    pub(super) fn new(site: &Site) -> Commons {
        let mut commons = Commons {
            of: vec![[NONE; 4]; site.devices.len()],
            ..Commons::default()
        };
        let mut by_label: HashMap<(CommonKind, String), u32> = HashMap::new();
        let active = |d: &Device| d.role == Role::Circuit && d.status == Status::Active;
        for (id, device) in site.iter().filter(|(_, d)| active(d)) {
            for (place, part) in parts(site, device).into_iter().enumerate() {
                let next = u32::try_from(commons.groups.len()).unwrap_or(NONE);
                let index = *by_label.entry(part.clone()).or_insert(next);
                if index == next {
                    commons.groups.push(Group::new(part.0, part.1.into()));
                }
                if let (Some(group), Some(slot)) = (
                    commons.groups.get_mut(index as usize),
                    commons.of[id.index()].get_mut(place),
                ) {
                    group.members.push(id);
                    *slot = index;
                }
            }
        }
        commons
    }

    fn groups_of(&self, id: DeviceId) -> impl Iterator<Item = u32> + use<> {
        let of = self.of.get(id.index()).copied().unwrap_or([NONE; 4]);
        of.into_iter().filter(|g| *g != NONE)
    }

    /// When a part wants to be looked at.
    pub(super) fn next(&self) -> Mono {
        self.due.first().map_or(Mono::NEVER, |(at, _)| *at)
    }

    fn schedule(&mut self, group: u32, at: Mono) {
        self.due.insert((at, group));
    }

    /// The label of a part.
    pub(super) fn label(&self, group: u32) -> Option<&Name> {
        self.groups.get(group as usize).map(|g| &g.label)
    }

    /// The part of a label.
    pub(super) fn find(&self, label: &str) -> Option<u32> {
        let at = self.groups.iter().position(|g| *g.label == *label)?;
        u32::try_from(at).ok()
    }

    /// What kind of part it is.
    pub(super) fn kind(&self, label: &str) -> Option<CommonKind> {
        let group = self.find(label)?;
        self.groups.get(group as usize).map(|g| g.kind)
    }
}

impl Group {
    fn new(kind: CommonKind, label: Name) -> Group {
        Group {
            kind,
            label,
            members: Vec::new(),
            lost: BTreeSet::new(),
            look_at: None,
            failing: None,
            remainder_at: None,
        }
    }

    /// Members lost within two rounds of the newest loss, if they are enough to point to this part: how many, and of how many.
    fn judge(&self, reach: &Reach, window: Duration) -> Option<(usize, usize)> {
        let newest = self.lost.last()?.0;
        let lost = self.lost.range((newest - window, DeviceId(0))..).count();
        if lost < LOST_MIN {
            return None;
        }
        let answers = |id: &&DeviceId| matches!(reach.nodes[id.index()].state, ReachState::Up | ReachState::Lossy);
        let of = lost + self.members.iter().filter(answers).count();
        (lost * 2 >= of).then_some((lost, of))
    }
}

/// Switched off rather than lost: the institution is closed.
pub(super) fn closed(device: &Device, context: &Context<'_>) -> bool {
    let circuit = device.circuit.as_deref();
    circuit.is_some_and(|c| c.power == Power::MayBeOff && !c.hours.open(context.local))
}

impl Reach {
    /// A circuit has missed two rounds or its confirm burst: one more that its common parts have lost.
    pub(super) fn circuit_lost(&mut self, id: DeviceId, context: &mut Context<'_>) {
        let node = &self.nodes[id.index()];
        let (Some(since), None) = (node.first_miss, node.common) else {
            return;
        };
        let device = context.site.device(id);
        // A line in reserve is not missed.
        let reserve = device.circuit.as_ref().is_none_or(|c| c.role == CircuitRole::Backup);
        if self.commons.of.is_empty() || reserve || closed(device, context) {
            return;
        }
        let settle = device.poll.interval + device.poll.timeout;
        for index in self.commons.groups_of(id) {
            let Some(group) = self.commons.groups.get_mut(index as usize) else {
                continue;
            };
            if group.failing.is_some() {
                return self.put_behind(id, index, context);
            }
            group.lost.insert((since, id));
            if group.lost.len() >= LOST_MIN && group.look_at.is_none() {
                // The others have their round within one interval.
                let at = context.now.mono + settle;
                group.look_at = Some(at);
                self.commons.schedule(index, at);
            }
        }
    }

    /// A circuit answers, is off, or is judged by itself: no common part has lost it.
    pub(super) fn circuit_found(&mut self, id: DeviceId, context: &mut Context<'_>) {
        self.not_lost(id);
        if let Some(index) = self.nodes[id.index()].common.take() {
            self.unlist_common(id, index, context);
            if let Some(failing) = self
                .commons
                .groups
                .get_mut(index as usize)
                .and_then(|g| g.failing.as_mut())
            {
                failing.back += 1;
            }
            self.common_good(index, context);
        }
    }

    fn unlist_common(&mut self, id: DeviceId, index: u32, context: &mut Context<'_>) {
        if std::mem::take(&mut self.nodes[id.index()].listed)
            && let Some(label) = self.commons.label(index)
        {
            context.out.push(RuleEffect::Affected(Affected {
                root: common_key(label),
                device: context.site.device(id).name.clone(),
                unreachable: false,
                at: context.now.wall,
            }));
        }
    }

    /// Looks at the parts whose time has come.
    pub(super) fn wake_commons(&mut self, context: &mut Context<'_>) {
        while let Some((at, index)) = self
            .commons
            .due
            .first()
            .copied()
            .filter(|(at, _)| *at <= context.now.mono)
        {
            self.commons.due.remove(&(at, index));
            let Some(group) = self.commons.groups.get_mut(index as usize) else {
                continue;
            };
            if group.look_at == Some(at) {
                group.look_at = None;
                self.look_at_common(index, context);
            }
            let group = &mut self.commons.groups[index as usize];
            if group.remainder_at.is_some_and(|r| r <= at) {
                group.remainder_at = None;
                self.give_up_remainder(index, context);
            }
        }
    }

    fn look_at_common(&mut self, index: u32, context: &mut Context<'_>) {
        let group = &self.commons.groups[index as usize];
        if group.failing.is_some() {
            self.put_some_behind(index, context);
            return self.common_good_by_hours(index, context);
        }
        if self.blind_since.is_some() {
            return;
        }
        let Some((_, witness)) = group.lost.last().copied() else {
            return;
        };
        let window = context.site.device(witness).poll.interval * 2;
        let judged = |index: u32| {
            let group = self.commons.groups.get(index as usize)?;
            let (lost, of) = group.judge(self, window)?;
            Some((lost, std::cmp::Reverse(group.kind), of, index))
        };
        // Of all that this circuit belongs to, the part that explains most.
        match self.commons.groups_of(witness).filter_map(judged).max() {
            Some((lost, _, of, index)) => self.common_failed(index, (lost, of), window, context),
            None => {
                let at = context.now.mono + LOOK_AGAIN;
                let group = &mut self.commons.groups[index as usize];
                if group.lost.len() >= LOST_MIN {
                    group.look_at = Some(at);
                    self.commons.schedule(index, at);
                }
            }
        }
    }

    fn common_failed(&mut self, index: u32, (lost, of): (usize, usize), window: Duration, context: &mut Context<'_>) {
        let group = &mut self.commons.groups[index as usize];
        let Some(newest) = group.lost.last().map(|(at, _)| *at) else {
            return;
        };
        let since = group.lost.range((newest - window, DeviceId(0))..).next();
        let since = since.map_or(context.now.mono, |(at, _)| *at);
        // Older losses have another reason.
        group.lost.retain(|(at, _)| *at >= since);
        group.failing = Some(Failing { lost: 0, back: 0 });
        group.remainder_at = None;
        let key = common_key(&group.label);
        let rule = context.site.rule(FindingKind::CircuitsLost);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let cause = Cause::CircuitsLost {
            lost: count(lost),
            of: count(of),
        };
        context
            .conditions
            .hold(key, rule, cause, since, context.now.mono, context.now);
        self.put_some_behind(index, context);
    }

    /// Some thousand circuits at a time, so that a lost site does not hold up the polls of the others.
    fn put_some_behind(&mut self, index: u32, context: &mut Context<'_>) {
        let lost = self.commons.groups[index as usize].lost.iter();
        let members: Vec<DeviceId> = lost.take(AT_A_TIME).map(|(_, id)| *id).collect();
        let more = members.len() == AT_A_TIME;
        for id in members {
            self.put_behind(id, index, context);
        }
        let at = context.now.mono + if more { SOON } else { LOOK_AGAIN };
        // The notice lists what is behind it: it waits for all of them.
        let key = common_key(&self.commons.groups[index as usize].label);
        if more && context.conditions.get(&key).is_some_and(|c| c.due <= at) {
            context.conditions.put_off(&key, at + SOON);
        }
        self.commons.groups[index as usize].look_at = Some(at);
        self.commons.schedule(index, at);
    }

    /// The circuit's silence is explained by a common part: nobody is accused of it any more.
    fn put_behind(&mut self, id: DeviceId, index: u32, context: &mut Context<'_>) {
        let device = context.site.device(id);
        let key = down_key(device);
        self.not_lost(id);
        // What was told already goes on as its own incident.
        if context.conditions.raised(&key) {
            return;
        }
        let ended = context.conditions.end(&key, Cause::Unreachable, context.now);
        context.out.extend(ended.map(RuleEffect::Finding));
        self.waiting.remove(&id);
        let node = &mut self.nodes[id.index()];
        node.state = ReachState::Unreachable;
        node.since = context.now.wall;
        node.common = Some(index);
        context.out.push(RuleEffect::Silent(id, true));
        let Some(group) = self.commons.groups.get_mut(index as usize) else {
            return;
        };
        if let Some(failing) = &mut group.failing {
            failing.lost += 1;
        }
        if !std::mem::replace(&mut node.listed, true) {
            context.out.push(RuleEffect::Affected(Affected {
                root: common_key(&group.label),
                device: device.name.clone(),
                unreachable: true,
                at: context.now.wall,
            }));
        }
    }

    /// Ends the finding when half of what was lost is back: the common part carries again.
    fn common_good(&mut self, index: u32, context: &mut Context<'_>) {
        let failing = self.commons.groups.get(index as usize).and_then(|g| g.failing.as_ref());
        if failing.is_some_and(|f| f.back * 2 >= f.lost) {
            self.common_ended(index, context);
        }
    }

    /// Some of what was lost is closed by now and will not come back tonight: half of the others is enough.
    fn common_good_by_hours(&mut self, index: u32, context: &mut Context<'_>) {
        let group = &self.commons.groups[index as usize];
        let back = group.failing.as_ref().map_or(0, |f| f.back);
        let silent = |id: &&DeviceId| self.nodes[id.index()].common == Some(index);
        let open = |id: &&DeviceId| !closed(context.site.device(**id), context);
        if back >= LOST_MIN && back >= group.members.iter().filter(silent).filter(open).count() {
            self.common_ended(index, context);
        }
    }

    fn common_ended(&mut self, index: u32, context: &mut Context<'_>) {
        let group = &self.commons.groups[index as usize];
        let (lost, back) = group.failing.as_ref().map_or((0, 0), |f| (f.lost, f.back));
        let key = common_key(&group.label);
        let cause = Cause::CircuitsBack {
            back: u32::try_from(back).unwrap_or(u32::MAX),
            of: u32::try_from(lost).unwrap_or(u32::MAX),
        };
        let ended = context.conditions.end(&key, cause, context.now);
        context.out.extend(ended.map(RuleEffect::Finding));
        let at = context.now.mono + REMAINDER;
        let group = &mut self.commons.groups[index as usize];
        (group.failing, group.remainder_at, group.look_at) = (None, Some(at), None);
        self.commons.schedule(index, at);
    }

    /// Those that have not come back: clinics that did not switch on again are off, the others are judged by themselves.
    fn give_up_remainder(&mut self, index: u32, context: &mut Context<'_>) {
        let group = &self.commons.groups[index as usize];
        let left = group.members.iter().copied();
        let left: Vec<DeviceId> = left.filter(|id| self.nodes[id.index()].common == Some(index)).collect();
        for id in left {
            self.nodes[id.index()].common = None;
            self.unlist_common(id, index, context);
            let may_be_off = context
                .site
                .device(id)
                .circuit
                .as_ref()
                .is_some_and(|c| c.power == Power::MayBeOff);
            if may_be_off {
                self.nodes[id.index()].state = ReachState::Off;
                self.nodes[id.index()].since = context.now.wall;
            } else {
                self.forget(id, context);
            }
        }
    }

    /// Silent while the institution is closed.
    pub(super) fn off(&mut self, id: DeviceId, context: &mut Context<'_>) {
        self.no_longer_fallen(id);
        self.circuit_found(id, context);
        self.unlist(id, context);
        self.waiting.remove(&id);
        let node = &mut self.nodes[id.index()];
        node.state = ReachState::Off;
        node.since = node.first_miss.map_or(context.now.wall, |at| context.now.wall_at(at));
        context.out.push(RuleEffect::Silent(id, true));
    }

    /// Puts a circuit that fell silent before its institution closed to "off", if it is closed now.
    pub(in crate::rules) fn now_off(&mut self, id: DeviceId, context: &mut Context<'_>) -> bool {
        let off = closed(context.site.device(id), context);
        if off {
            self.off(id, context);
        }
        off
    }

    /// Is a common part of this circuit about to be looked at? Then nobody is told of the circuit before. Losses count together for two
    /// rounds, and the look comes one round later: a circuit that has been silent for longer is no longer waited with, however many others are
    /// lost beside it.
    pub(in crate::rules) fn common_pending(&self, id: DeviceId, device: &Device, now: Mono) -> Option<Mono> {
        let patience = device.poll.interval * 3 + device.poll.timeout + LOOK_AGAIN;
        if self.nodes[id.index()]
            .first_miss
            .is_none_or(|since| now.since(since) > patience)
        {
            return None;
        }
        let looks = self
            .commons
            .groups_of(id)
            .filter_map(|g| self.commons.groups.get(g as usize)?.look_at);
        looks.min()
    }

    /// What kind of part a label names.
    pub(in crate::rules) fn common_kind(&self, label: &str) -> Option<CommonKind> {
        self.commons.kind(label)
    }

    /// A common part had failed when the daemon stopped, and this circuit was behind it.
    pub(in crate::rules) fn restore_behind(&mut self, id: DeviceId, label: &Name, context: &mut Context<'_>) {
        let Some(index) = self.commons.find(label) else {
            context.out.push(RuleEffect::Affected(Affected {
                root: common_key(label),
                device: context.site.device(id).name.clone(),
                unreachable: false,
                at: context.now.wall,
            }));
            return;
        };
        if context.conditions.raised(&common_key(label)) {
            let group = &mut self.commons.groups[index as usize];
            group.failing.get_or_insert(Failing { lost: 0, back: 0 }).lost += 1;
        }
        let node = &mut self.nodes[id.index()];
        if node.state == ReachState::Unknown {
            (node.state, node.common, node.listed) = (ReachState::Unreachable, Some(index), true);
            context.out.push(RuleEffect::Silent(id, true));
        }
    }

    /// Another configuration: what had failed and still exists is still failed, with the circuits that are still behind it.
    pub(super) fn reload_commons(&mut self, old: Commons, context: &mut Context<'_>) {
        let new: HashMap<Name, u32> = (0u32..)
            .zip(&self.commons.groups)
            .map(|(i, g)| (g.label.clone(), i))
            .collect();
        let moved: Vec<Option<u32>> = old.groups.iter().map(|g| new.get(&g.label).copied()).collect();
        for id in (0u32..).map(DeviceId).take(self.nodes.len()) {
            let node = &mut self.nodes[id.index()];
            let Some(was) = node.common else { continue };
            let now = moved.get(was as usize).copied().flatten();
            let behind = now.filter(|g| self.commons.groups_of(id).any(|of| of == *g));
            node.common = behind;
            if behind.is_none() && std::mem::take(&mut node.listed) {
                context.out.extend(old.label(was).map(|label| {
                    RuleEffect::Affected(Affected {
                        root: common_key(label),
                        device: context.site.device(id).name.clone(),
                        unreachable: false,
                        at: context.now.wall,
                    })
                }));
            }
        }
        for (group, moved) in old.groups.into_iter().zip(moved) {
            let Some(place) = moved.and_then(|g| self.commons.groups.get_mut(g as usize)) else {
                continue;
            };
            (place.failing, place.remainder_at) = (group.failing, group.remainder_at);
            if let (Some(at), Some(index)) = (group.remainder_at, moved) {
                self.commons.schedule(index, at);
            }
        }
    }

    /// Its silence has another explanation, or is over.
    pub(super) fn not_lost(&mut self, id: DeviceId) {
        let Some(first) = self.nodes[id.index()].first_miss else {
            return;
        };
        for index in self.commons.groups_of(id) {
            if let Some(group) = self.commons.groups.get_mut(index as usize) {
                group.lost.remove(&(first, id));
            }
        }
    }
}
