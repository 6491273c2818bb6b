//! From a confirmed silence to a state: blind, unreachable, control plane silent, or down.

use super::blind::{Sight, Uplinks};
use super::path::Way;
use super::{Context, PARENT_HOLD, Reach, RuleEffect, control_plane_key, down_key};
use crate::model::ReachState;
use crate::model::{Device, DeviceId, FindingKind, FindingRule, Level, Liveness, Mono, Role, Site};
use crate::rules::Cause;
use std::time::Duration;

impl Reach {
    /// Asks the four questions about a confirmed silence, or waits for what is missing.
    pub(super) fn judge(&mut self, id: DeviceId, context: &mut Context<'_>) {
        let node = &self.nodes[id.index()];
        let (Some(since), Some(confirmed)) = (node.first_miss, node.confirmed_at) else {
            return;
        };
        if node.state != ReachState::Suspect || self.blind_since.is_some() {
            return;
        }
        let asked_at = *self.nodes[id.index()].asked_at.get_or_insert(context.now.mono);
        match self.uplinks(since, asked_at, context) {
            Uplinks::Silent if !self.cannot_send_to_uplinks(context) => return self.cut_off(since, context),
            Uplinks::None if self.nodes[id.index()].send_error.is_none() => {}
            // That this host cannot send to one target, or to its uplinks, says nothing of the other targets.
            Uplinks::Silent | Uplinks::None => match self.sight(id, (since, asked_at), context) {
                Sight::Sees => {}
                Sight::Asking(until) => return self.wait(id, until),
                Sight::Blind => return self.cut_off(since, context),
            },
            Uplinks::Asking(until) => return self.waiting.insert_for_uplinks(id, until),
            Uplinks::Answer => {}
        }
        if !self.looked_once_more(id, context) {
            return;
        }
        // Without uplinks to ask: half the town silent and nobody else heard since, that is this host.
        let alone = context.site.uplinks.is_empty() && self.many_fell_silent(context);
        if alone && self.all_silent_since(since) {
            return self.cut_off(since, context);
        }
        if let Some(until) = self.forwards_no_more(id, since, asked_at, context) {
            return self.wait(id, until);
        }
        if self.nodes[id.index()].state != ReachState::Suspect {
            return;
        }
        match self.ways(id, since, asked_at, context) {
            Way::Asking(until) => self.wait(id, until),
            Way::Cut(root) => self.unreachable(id, root, context),
            Way::Open if self.missed_before_the_way_was_back(id, context) => {
                context.out.push(RuleEffect::Probe(id));
                self.wait(id, Mono::NEVER);
            }
            Way::Open if super::common::closed(context.site.device(id), context) => self.off(id, context),
            Way::Open => match self.child_that_answers(id, confirmed, context) {
                Some(child) => self.control_plane_silent(id, child, context),
                None => self.down(id, since, confirmed, context),
            },
        }
    }

    pub(super) fn wait(&mut self, id: DeviceId, until: Mono) {
        self.waiting.insert(id, until);
    }

    /// When more than half fell silent at once, one more round is wanted of each before anybody is accused.
    fn looked_once_more(&mut self, id: DeviceId, context: &mut Context<'_>) -> bool {
        let many = self.nodes[id.index()].fresh_after.is_none() && self.many_fell_silent(context);
        let node = &mut self.nodes[id.index()];
        if many {
            node.fresh_after = Some(context.now.mono);
            context.out.push(RuleEffect::Probe(id));
        }
        let fresh = node
            .fresh_after
            .is_none_or(|after| node.last_miss.is_some_and(|m| m >= after));
        if !fresh {
            self.wait(id, Mono::NEVER);
        }
        fresh
    }

    /// Something on the way, or an uplink, was silent for a moment too: what was missed until then says nothing about the device.
    fn missed_before_the_way_was_back(&self, id: DeviceId, context: &Context<'_>) -> bool {
        let missed = self.nodes[id.index()].last_miss;
        missed.is_some_and(|missed| self.way_back_at(id, context.site).is_some_and(|back| back >= missed))
    }

    /// When anything on the way to a device, or an uplink, last came back.
    pub(in crate::rules) fn way_back_at(&self, id: DeviceId, site: &Site) -> Option<Mono> {
        let mut newest = None;
        let mut look: Vec<DeviceId> = site.uplinks.clone();
        look.extend(&site.device(id).parents);
        while let Some(next) = look.pop() {
            if next != id {
                newest = newest.max(self.nodes[next.index()].back_at);
            }
            look.extend(&site.device(next).parents);
        }
        newest
    }

    /// A device that can be reached only through this one and has answered since its silence was confirmed, or during it.
    fn child_that_answers(&self, id: DeviceId, _confirmed: Mono, context: &Context<'_>) -> Option<DeviceId> {
        let since = self.nodes[id.index()].first_miss?;
        // One timeout later than the first miss: an answer already under way when the parent died proves nothing.
        let after = since + context.site.device(id).poll.timeout;
        self.children[id.index()].iter().copied().find(|child| {
            let node = &self.nodes[child.index()];
            context.site.device(*child).parents == [id]
                && matches!(node.state, ReachState::Up | ReachState::Lossy)
                && node.last_answer.is_some_and(|a| a > after)
        })
    }

    fn down(&mut self, id: DeviceId, since: Mono, confirmed: Mono, context: &mut Context<'_>) {
        let device = context.site.device(id);
        let node = &mut self.nodes[id.index()];
        node.state = ReachState::Down;
        node.since = context.now.wall_at(since);
        self.waiting.remove(&id);
        context.out.push(RuleEffect::Silent(id, true));
        self.unlist(id, context);
        if device.role != Role::UplinkOnly {
            let cause = match device.liveness {
                Liveness::Line => Cause::LineDown,
                _ => self.no_answer(id, since, context.now.mono),
            };
            let rule = circuit_rule(device);
            context
                .conditions
                .hold(down_key(device), rule, cause, since, confirmed, context.now);
        }
        self.children_again(id, context);
        self.spread(id, since, context);
    }

    /// Down, and asked in vain again: what waits for its delay is told with the tries until then.
    pub(super) fn still_silent(&mut self, id: DeviceId, context: &mut Context<'_>) {
        let device = context.site.device(id);
        if let (Some(since), true) = (self.nodes[id.index()].first_miss, device.liveness != Liveness::Line) {
            let cause = self.no_answer(id, since, context.now.mono);
            context.conditions.restate(&down_key(device), cause);
        }
    }

    /// How long it was asked in vain, and how often: since the first miss, also where other parts of the way were at fault in between.
    fn no_answer(&self, id: DeviceId, since: Mono, now: Mono) -> Cause {
        let node = &self.nodes[id.index()];
        let (first, sent) = node.unheard.unwrap_or((since, node.sent));
        Cause::NoAnswer {
            sent,
            seconds: now.since(first.min(since)).as_secs_f64(),
            rejected: node.rejected.clone(),
        }
    }

    /// Everything that has no other way and has not answered since is unreachable, asked or not.
    fn spread(&mut self, id: DeviceId, since: Mono, context: &mut Context<'_>) {
        let mut look = self.below(id);
        while let Some(child) = look.pop() {
            let node = &self.nodes[child.index()];
            let open = matches!(
                node.state,
                ReachState::Up | ReachState::Lossy | ReachState::Unknown | ReachState::Suspect
            );
            if !open || node.last_answer.is_some_and(|a| a >= since) {
                continue;
            }
            if let Way::Cut(root) = self.ways(child, since, context.now.mono, context) {
                self.unreachable(child, root, context);
                look.extend(self.below(child));
            }
        }
    }

    fn unreachable(&mut self, id: DeviceId, root: DeviceId, context: &mut Context<'_>) {
        let node = &mut self.nodes[id.index()];
        node.state = ReachState::Unreachable;
        node.since = context.now.wall;
        let moved = node.root != Some(root);
        self.waiting.remove(&id);
        self.circuit_found(id, context);
        if moved {
            self.unlist(id, context);
        }
        self.nodes[id.index()].root = Some(root);
        context.out.push(RuleEffect::Silent(id, true));
        if context.conditions.raised(&down_key(context.site.device(root))) {
            self.list(id, root, context);
        }
        self.children_again(id, context);
    }

    /// The device is silent but forwards: a warning of its own, not "down".
    pub(super) fn control_plane_silent(&mut self, id: DeviceId, child: DeviceId, context: &mut Context<'_>) {
        let device = context.site.device(id);
        let node = &mut self.nodes[id.index()];
        let since = node.first_miss.unwrap_or(context.now.mono);
        node.state = ReachState::Down;
        node.control_plane = true;
        // It may have been away altogether until this moment.
        node.back(context.now.mono);
        node.since = context.now.wall_at(since);
        self.waiting.remove(&id);
        context.out.push(RuleEffect::Silent(id, true));
        let child = context.site.device(child).name.clone();
        let cause = Cause::ChildrenAnswer { child };
        let ended = context.conditions.end(&down_key(device), cause.clone(), context.now);
        context.out.extend(ended.map(RuleEffect::Finding));
        if device.role != Role::UplinkOnly {
            let rule = device.rule(FindingKind::ControlPlaneSilent);
            let key = control_plane_key(device);
            context
                .conditions
                .hold(key, rule, cause, since, context.now.mono, context.now);
        }
        self.children_again(id, context);
    }

    pub(super) fn children_again(&mut self, id: DeviceId, context: &mut Context<'_>) {
        for child in self.below(id) {
            if self.waiting.contains(&child) {
                self.judge(child, context);
            }
        }
    }

    /// A parent that was silent but forwarded: if nothing behind it has answered since, it does not forward any more. Gives the
    /// time until which the others behind it are asked.
    fn forwards_no_more(
        &mut self,
        id: DeviceId,
        since: Mono,
        asked_at: Mono,
        context: &mut Context<'_>,
    ) -> Option<Mono> {
        for parent in context.site.device(id).parents.clone() {
            let node = &self.nodes[parent.index()];
            if node.state != ReachState::Down || !node.control_plane {
                continue;
            }
            let answers = |c: &DeviceId| {
                context.site.device(*c).parents == [parent]
                    && self.nodes[c.index()].last_answer.is_some_and(|a| a >= since)
            };
            if self.children[parent.index()].iter().any(answers) {
                continue;
            }
            let until = asked_at + PARENT_HOLD;
            let not_asked = |c: &&DeviceId| {
                **c != id
                    && context.site.device(**c).parents == [parent]
                    && matches!(self.nodes[c.index()].state, ReachState::Up | ReachState::Lossy)
            };
            let others: Vec<DeviceId> = self.children[parent.index()]
                .iter()
                .filter(not_asked)
                .take(5)
                .copied()
                .collect();
            if !others.is_empty() && context.now.mono < until {
                context.out.extend(others.into_iter().map(RuleEffect::Probe));
                return Some(until);
            }
            // Answers from behind it that came before prove nothing any more.
            let above = &mut self.nodes[parent.index()];
            (above.control_plane, above.child_answered) = (false, None);
            let key = control_plane_key(context.site.device(parent));
            let cause = self.no_answer(parent, since, context.now.mono);
            context.out.extend(
                context
                    .conditions
                    .end(&key, cause, context.now)
                    .map(RuleEffect::Finding),
            );
            self.down(parent, since, context.now.mono, context);
        }
        None
    }
}

/// Level and delay of a device that does not answer. A circuit of a service provider, of which a higher level of service is asked
/// (guideline 2.1), is critical after a minute where nothing else is configured.
fn circuit_rule(device: &Device) -> FindingRule {
    let kind = device.owner.down_kind();
    let provider = device.circuit.is_some() && device.class.as_deref() == Some("service-provider");
    if provider && !device.findings.contains_key(&kind) {
        return FindingRule {
            level: Level::Critical,
            after: Duration::from_secs(60),
        };
    }
    device.rule(kind)
}
