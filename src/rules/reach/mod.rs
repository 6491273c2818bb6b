//! Liveness judged: suspect, confirmed, held for the parents, and only then down, unreachable or blind.
//!
//! The order of the questions is the order of the harm a wrong answer does: is this host cut off (accuse nobody); did half the
//! town fall silent at once (look once more); is something on the path down (the device is listed below it); only then is
//! the device itself accused.

mod blind;
mod common;
mod judge;
mod node;
mod path;
mod reload;
mod waiting;

pub use node::Node;

pub(super) use common::{CommonKind, common_key};

use super::condition::Conditions;
use super::{Affected, Cause, RuleEffect};
use crate::model::ReachState;
use crate::model::{
    Device, DeviceId, FindingKey, FindingKind, Liveness, LocalMinute, Mono, Now, Part, Role, Site, Status,
};
use crate::poll::{ReachRound, RoundKind};
use common::Commons;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;
use waiting::Waiting;

/// How long a child waits for a result of a parent that is not itself being confirmed (design section 4).
pub const PARENT_HOLD: Duration = Duration::from_secs(15);

/// What reach needs from outside at each step.
pub(super) struct Context<'a> {
    pub(super) site: &'a Site,
    pub(super) conditions: &'a mut Conditions,
    pub(super) out: &'a mut Vec<RuleEffect>,
    pub(super) now: Now,
    /// `now`, as opening hours see it.
    pub(super) local: LocalMinute,
}

/// Reachability of all devices.
pub struct Reach {
    pub(super) nodes: Vec<Node>,
    pub(super) children: Vec<Vec<DeviceId>>,
    pub(super) blind_since: Option<Mono>,
    /// Nodes that wait for a parent or an uplink.
    waiting: Waiting,
    /// What circuits have in common.
    commons: Commons,
    /// First misses of those that are silent now: how many fell silent at once.
    fallen: BTreeSet<(Mono, DeviceId)>,
    /// How many are watched.
    targets: usize,
    /// The longest time from a fault to "down" of any device.
    slowest: Duration,
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
            waiting: Waiting::default(),
            commons: Commons::new(site),
            fallen: BTreeSet::new(),
            targets: 0,
            slowest: Duration::ZERO,
        };
        reach.link(site);
        reach
    }

    fn link(&mut self, site: &Site) {
        self.children = vec![Vec::new(); site.devices.len()];
        let all = || site.devices.iter().filter(|d| watched(d));
        self.targets = all().count();
        self.slowest = all().map(|d| d.poll.detection()).max().unwrap_or(Duration::ZERO);
        for (id, device) in site.iter() {
            for parent in &device.parents {
                self.children[parent.index()].push(id);
            }
        }
    }

    /// The state of a device.
    pub fn node(&self, id: DeviceId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Looks at what is kept of a device.
    pub(super) fn warm(&self, id: DeviceId) {
        black_box(self.children.get(id.index()).map(Vec::len));
        if let Some(node) = self.nodes.get(id.index()) {
            black_box((node.sent, node.last_answer, node.listed));
            black_box((node.said_unreachable.len(), node.loss_percent));
        }
    }

    /// This host is cut off.
    pub fn blind(&self) -> bool {
        self.blind_since.is_some()
    }

    /// When a node that waits wants to be looked at again.
    pub fn next_wakeup(&self) -> Mono {
        self.waiting.next().min(self.commons.next())
    }

    /// Looks again at nodes whose waiting time is over.
    pub(super) fn wake(&mut self, context: &mut Context<'_>) {
        while let Some(id) = self.waiting.over(context.now.mono) {
            self.judge(id, context);
        }
        self.wake_commons(context);
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
            for other in self.waiting.for_uplinks() {
                self.judge(other, context);
            }
        }
        self.children_again(id, context);
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
        if device.role == Role::Circuit {
            self.circuit_found(id, context);
        }
        // Its answer, repeated as `recover` asks, says that this host sees the network again.
        let witness = self.blind_since.is_some() && self.is_witness(id, context);
        // One answer ends nothing while most of the others cannot even be sent to.
        let witness = witness && (context.site.uplinks.contains(&id) || !self.cannot_send_to_most());
        let node = &mut self.nodes[id.index()];
        match node.state {
            ReachState::NotWatched => {}
            ReachState::Down => {
                if node.recovers(round, &device.poll.recover) {
                    self.recovered(id, context);
                    if witness {
                        self.connected(context);
                    }
                }
            }
            _ if witness => {
                if node.recovers(round, &device.poll.recover) {
                    self.connected(context);
                }
            }
            _ => {
                let lossy = round.kind == RoundKind::Confirm || node.loss_percent.is_some_and(|l| l > 0.0);
                let was_asked_little = matches!(
                    node.state,
                    ReachState::Unreachable | ReachState::Blind | ReachState::Off
                );
                self.no_longer_fallen(id);
                let node = &mut self.nodes[id.index()];
                if !matches!(node.state, ReachState::Up | ReachState::Lossy) {
                    node.back(context.now.mono);
                }
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
                _ => self.still_silent(id, context),
            },
            ReachState::NotWatched | ReachState::Down | ReachState::Unreachable | ReachState::Off => {}
            _ if self.blind_since.is_some() => self.hide(id, context),
            ReachState::Suspect => {
                if round.kind == RoundKind::Confirm {
                    self.nodes[id.index()].confirmed_at.get_or_insert(context.now.mono);
                }
                self.circuit_lost(id, context);
                self.judge(id, context);
            }
            ReachState::Unknown | ReachState::Up | ReachState::Lossy | ReachState::Blind => {
                node.suspect(round, context.now);
                self.fallen.insert((round.started, id));
                let node = &mut self.nodes[id.index()];
                if round.kind == RoundKind::Confirm {
                    node.confirmed_at = Some(context.now.mono);
                    self.circuit_lost(id, context);
                }
                self.ask_around(id, round.started, context);
                if round.send_error.is_some() {
                    // Whether this host sees anybody else is to be known by the end of the confirm burst.
                    self.ask_others(id, context);
                }
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
        self.no_longer_fallen(id);
        let node = &mut self.nodes[id.index()];
        node.back(context.now.mono);
        node.up(ReachState::Up, context.now);
        node.loss_percent = None;
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
        for child in self.hanging_below(id) {
            if self.nodes[child.index()].state == ReachState::Unreachable {
                self.forget(child, context);
            }
        }
    }

    /// Nothing is known of the line that a circuit is judged by: nor of the circuit, unless it is told as silent already.
    pub(super) fn line_unknown(&mut self, id: DeviceId, context: &mut Context<'_>) {
        let key = down_key(context.site.device(id));
        let state = self.nodes[id.index()].state;
        let judged = !matches!(
            state,
            ReachState::NotWatched | ReachState::Unknown | ReachState::Unreachable
        );
        if !judged || context.conditions.raised(&key) {
            return;
        }
        let ended = context.conditions.end(&key, Cause::Removed, context.now);
        context.out.extend(ended.map(RuleEffect::Finding));
        self.waiting.remove(&id);
        self.circuit_found(id, context);
        self.forget(id, context);
    }

    /// Back to not judged: only a newer result counts.
    pub(super) fn forget(&mut self, id: DeviceId, context: &mut Context<'_>) {
        self.no_longer_fallen(id);
        self.nodes[id.index()].forget(context.now);
        context.out.push(RuleEffect::Silent(id, false));
        context.out.push(RuleEffect::Probe(id));
    }

    /// To be called before a node's `first_miss` changes.
    pub(super) fn no_longer_fallen(&mut self, id: DeviceId) {
        if let Some(first) = self.nodes[id.index()].first_miss {
            self.fallen.remove(&(first, id));
            self.not_lost(id);
        }
    }

    /// Everything whose root this is. Between them may lie devices that are back already.
    fn hanging_below(&self, root: DeviceId) -> Vec<DeviceId> {
        let (mut seen, mut look) = (BTreeSet::new(), vec![root]);
        while let Some(next) = look.pop() {
            let children = self.children[next.index()].iter();
            look.extend(children.filter(|child| seen.insert(**child)));
        }
        seen.retain(|id| self.nodes[id.index()].root == Some(root));
        seen.into_iter().collect()
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
        for id in self.hanging_below(root) {
            self.list(id, root, context);
        }
    }

    /// Lists a device in the incident of its root.
    fn list(&mut self, id: DeviceId, root: DeviceId, context: &mut Context<'_>) {
        let device = context.site.device(id);
        let node = &mut self.nodes[id.index()];
        if !node.listed && device.role != Role::UplinkOnly {
            node.listed = true;
            context.out.push(RuleEffect::Affected(Affected {
                root: down_key(context.site.device(root)),
                device: device.name.clone(),
                unreachable: true,
                at: context.now.wall,
            }));
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
