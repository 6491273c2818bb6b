//! Liveness judged: suspect, confirmed, held for the parents, and only then down, unreachable or blind.
//!
//! The order of the questions is the order of the harm a wrong answer does: is this host cut off (accuse nobody); did half the
//! town fall silent at once (look once more); is something on the path down (the device is listed below it); only then is
//! the device itself accused.

mod blind;
mod judge;
mod node;
mod path;

pub use node::Node;

use super::condition::Conditions;
use super::{Affected, Cause, RuleEffect};
use crate::model::ReachState;
use crate::model::{Device, DeviceId, FindingKey, FindingKind, Liveness, Mono, Now, Part, Role, Site, Status};
use crate::poll::{ReachRound, RoundKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a child waits for a result of a parent that is not itself being confirmed (design section 4).
pub const PARENT_HOLD: Duration = Duration::from_secs(15);

/// What reach needs from outside at each step.
pub(super) struct Context<'a> {
    pub(super) site: &'a Site,
    pub(super) conditions: &'a mut Conditions,
    pub(super) out: &'a mut Vec<RuleEffect>,
    pub(super) now: Now,
}

/// Reachability of all devices.
pub struct Reach {
    pub(super) nodes: Vec<Node>,
    pub(super) children: Vec<Vec<DeviceId>>,
    pub(super) blind_since: Option<Mono>,
    /// Nodes that wait for a parent or an uplink, with the time to look again at the latest.
    pub(super) waiting: BTreeMap<DeviceId, Mono>,
}

/// The finding that says this device does not answer.
pub fn down_key(device: &Device) -> FindingKey {
    FindingKey {
        device: Some(device.name.clone()),
        part: Part::Device,
        kind: device.owner.down_kind(),
        metric: None,
    }
}

/// The finding that says the device is silent although what is behind it answers.
pub fn control_plane_key(device: &Device) -> FindingKey {
    FindingKey {
        kind: FindingKind::ControlPlaneSilent,
        ..down_key(device)
    }
}

fn watched(device: &Device) -> bool {
    device.status == Status::Active && device.liveness != Liveness::None
}

impl Reach {
    /// All unknown.
    pub fn new(site: &Site, now: Now) -> Reach {
        let mut reach = Reach {
            nodes: site.devices.iter().map(|d| Node::new(watched(d), now)).collect(),
            children: Vec::new(),
            blind_since: None,
            waiting: BTreeMap::new(),
        };
        reach.link(site);
        reach
    }

    fn link(&mut self, site: &Site) {
        self.children = vec![Vec::new(); site.devices.len()];
        for (id, device) in site.iter() {
            for parent in &device.parents {
                self.children[parent.index()].push(id);
            }
        }
    }

    /// Takes a new configuration: devices of the same name and address keep their state.
    pub(super) fn reload(&mut self, old: &Site, context: &mut Context<'_>) {
        let mut before: BTreeMap<_, _> = BTreeMap::new();
        let roots: Vec<_> = self
            .nodes
            .iter()
            .map(|n| n.root.map(|r| old.device(r).name.clone()))
            .collect();
        for ((id, device), node) in old.iter().zip(std::mem::take(&mut self.nodes)) {
            before.insert(device.name.clone(), (id, node));
        }
        for (_, device) in context.site.iter() {
            let kept = before.remove(&device.name).filter(|(id, _)| {
                let was = old.device(*id);
                was.address == device.address && watched(was) == watched(device) && was.owner == device.owner
            });
            let node = match kept {
                Some((id, mut node)) => {
                    node.root = roots[id.index()].as_deref().and_then(|name| context.site.find(name));
                    if node.root.is_none() && node.state == ReachState::Unreachable {
                        node.state = ReachState::Unknown;
                    }
                    node
                }
                None => Node::new(watched(device), context.now),
            };
            self.nodes.push(node);
        }
        self.waiting.clear();
        self.link(context.site);
        for (id, _) in context.site.iter() {
            let state = self.nodes[id.index()].state;
            if state == ReachState::Suspect {
                self.waiting.insert(id, context.now.mono);
            }
            let little = matches!(state, ReachState::Down | ReachState::Unreachable | ReachState::Blind);
            context.out.push(RuleEffect::Silent(id, little));
        }
    }

    /// A "does not answer" finding that was open when the daemon stopped.
    pub(super) fn restore_down(&mut self, id: DeviceId, since: Mono, control_plane: bool, context: &mut Context<'_>) {
        let node = &mut self.nodes[id.index()];
        node.state = ReachState::Down;
        node.control_plane = control_plane;
        node.first_miss = Some(since);
        node.confirmed_at = Some(since);
        node.since = context.now.wall_at(since);
        context.out.push(RuleEffect::Silent(id, true));
    }

    /// A device that hung below a root when the daemon stopped.
    pub(super) fn restore_hanging(&mut self, id: DeviceId, root: DeviceId, context: &mut Context<'_>) {
        let node = &mut self.nodes[id.index()];
        if node.state == ReachState::Unknown {
            node.state = ReachState::Unreachable;
            (node.root, node.listed) = (Some(root), true);
            context.out.push(RuleEffect::Silent(id, true));
        }
    }

    /// The state of a device.
    pub fn node(&self, id: DeviceId) -> &Node {
        &self.nodes[id.index()]
    }

    /// This host is cut off.
    pub fn blind(&self) -> bool {
        self.blind_since.is_some()
    }

    /// When a node that waits wants to be looked at again.
    pub fn next_wakeup(&self) -> Mono {
        self.waiting.values().min().copied().unwrap_or(Mono::NEVER)
    }

    /// Looks again at nodes whose waiting time is over.
    pub(super) fn wake(&mut self, context: &mut Context<'_>) {
        let over: Vec<DeviceId> = self
            .waiting
            .iter()
            .filter(|(_, at)| **at <= context.now.mono)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.waiting.remove(&id);
            self.judge(id, context);
        }
    }

    /// Takes a round.
    pub(super) fn round(&mut self, round: &ReachRound, context: &mut Context<'_>) {
        let id = round.device;
        if self
            .nodes
            .get(id.index())
            .is_none_or(|n| n.state == ReachState::NotWatched)
        {
            return;
        }
        if round.received > 0 {
            self.answered(round, context);
        } else {
            self.missed(round, context);
        }
        // A fresh result of this device may be what others wait for.
        if context.site.uplinks.contains(&id) {
            for other in self.waiting.keys().copied().collect::<Vec<_>>() {
                self.judge(other, context);
            }
        } else {
            self.children_again(id, context);
        }
    }

    /// What hangs below a device, looking through those that are not watched themselves.
    pub(super) fn below(&self, id: DeviceId) -> Vec<DeviceId> {
        let (mut found, mut look) = (Vec::new(), vec![id]);
        while let Some(next) = look.pop() {
            for child in &self.children[next.index()] {
                match self.nodes[child.index()].state {
                    ReachState::NotWatched => look.push(*child),
                    _ => found.push(*child),
                }
            }
        }
        found
    }

    fn answered(&mut self, round: &ReachRound, context: &mut Context<'_>) {
        let id = round.device;
        let device = context.site.device(id);
        self.nodes[id.index()].note_answer(round);
        self.waiting.remove(&id);
        let node = &mut self.nodes[id.index()];
        match node.state {
            ReachState::NotWatched => {}
            ReachState::Down => {
                if node.recovers(round, &device.poll.recover) {
                    self.recovered(id, context);
                    if context.site.uplinks.contains(&id) {
                        self.connected(context);
                    }
                }
            }
            ReachState::Blind if context.site.uplinks.contains(&id) && self.blind_since.is_some() => {
                if node.recovers(round, &device.poll.recover) {
                    self.connected(context);
                }
            }
            _ => {
                let lossy = round.kind == RoundKind::Confirm || node.loss_percent.is_some_and(|l| l > 0.0);
                let was_asked_little = matches!(node.state, ReachState::Unreachable | ReachState::Blind);
                node.up(if lossy { ReachState::Lossy } else { ReachState::Up }, context.now);
                if was_asked_little {
                    context.out.push(RuleEffect::Silent(id, false));
                }
                self.unlist(id, context);
            }
        }
        self.parents_forward(id, round.started, context);
    }

    fn missed(&mut self, round: &ReachRound, context: &mut Context<'_>) {
        let id = round.device;
        let node = &mut self.nodes[id.index()];
        node.note_miss(round);
        match node.state {
            ReachState::Down if !node.control_plane => match node.child_answered {
                Some((child, at)) if round.started > at => self.control_plane_silent(id, child, context),
                _ => {}
            },
            ReachState::NotWatched | ReachState::Down | ReachState::Unreachable => {}
            _ if self.blind_since.is_some() => self.hide(id, context),
            ReachState::Suspect => {
                if round.kind == RoundKind::Confirm {
                    self.nodes[id.index()].confirmed_at.get_or_insert(context.now.mono);
                }
                self.judge(id, context);
            }
            ReachState::Unknown | ReachState::Up | ReachState::Lossy | ReachState::Blind => {
                node.suspect(round, context.now);
                if round.kind == RoundKind::Confirm {
                    node.confirmed_at = Some(context.now.mono);
                }
                self.ask_around(id, round.started, context);
                self.judge(id, context);
            }
        }
    }

    /// Asks at once whoever can say whose fault this silence is.
    fn ask_around(&self, id: DeviceId, since: Mono, context: &mut Context<'_>) {
        let only_way = self.children[id.index()]
            .iter()
            .filter(|c| context.site.device(**c).parents == [id])
            .take(5);
        for other in context
            .site
            .device(id)
            .parents
            .iter()
            .chain(&context.site.uplinks)
            .chain(only_way)
        {
            let node = &self.nodes[other.index()];
            let asks = matches!(node.state, ReachState::Up | ReachState::Lossy | ReachState::Unknown);
            if *other != id && asks && node.last_answer.is_none_or(|a| a < since) {
                context.out.push(RuleEffect::Probe(*other));
            }
        }
    }

    /// The device answers again and is believed.
    fn recovered(&mut self, id: DeviceId, context: &mut Context<'_>) {
        let device = context.site.device(id);
        let node = &mut self.nodes[id.index()];
        let silent_seconds = node
            .first_miss
            .map_or(0.0, |f| node.good_since.unwrap_or(f).since(f).as_secs_f64());
        node.up(ReachState::Up, context.now);
        context.out.push(RuleEffect::Silent(id, false));
        for key in [down_key(device), control_plane_key(device)] {
            let cause = Cause::Answers { silent_seconds };
            context.out.extend(
                context
                    .conditions
                    .end(&key, cause, context.now)
                    .map(RuleEffect::Finding),
            );
        }
        self.unlist(id, context);
        // What hung below it is judged only on results newer than this moment.
        for (child, _) in context.site.iter() {
            if self.nodes[child.index()].root == Some(id) && self.nodes[child.index()].state == ReachState::Unreachable
            {
                self.nodes[child.index()].forget(context.now);
                context.out.push(RuleEffect::Silent(child, false));
                context.out.push(RuleEffect::Probe(child));
            }
        }
    }

    /// Takes the device off the list of whatever root it hung below.
    fn unlist(&mut self, id: DeviceId, context: &mut Context<'_>) {
        let node = &mut self.nodes[id.index()];
        let Some(root) = node.root.take() else { return };
        if std::mem::take(&mut node.listed) {
            context.out.push(RuleEffect::Affected(Affected {
                root: down_key(context.site.device(root)),
                device: context.site.device(id).name.clone(),
                unreachable: false,
                at: context.now.wall,
            }));
        }
    }

    /// Lists everything that hangs below a root which has just become a finding.
    pub(super) fn list_below(&mut self, root: DeviceId, context: &mut Context<'_>) {
        for (id, device) in context.site.iter() {
            let node = &mut self.nodes[id.index()];
            if node.root == Some(root) && !node.listed && device.role == Role::Managed {
                node.listed = true;
                context.out.push(RuleEffect::Affected(Affected {
                    root: down_key(context.site.device(root)),
                    device: device.name.clone(),
                    unreachable: true,
                    at: context.now.wall,
                }));
            }
        }
    }

    /// The sampler's loss over the window: any loss makes an answering device "lossy".
    pub(super) fn loss(&mut self, id: DeviceId, percent: f64, now: Now) {
        let Some(node) = self.nodes.get_mut(id.index()) else {
            return;
        };
        node.loss_percent = Some(percent);
        let state = if percent > 0.0 {
            ReachState::Lossy
        } else {
            ReachState::Up
        };
        if matches!(node.state, ReachState::Up | ReachState::Lossy) && node.state != state {
            node.state = state;
            node.since = now.wall;
        }
    }
}
