//! The moment a condition has lasted its delay: told, dropped because what it rests on is gone, or put off until that is known.
//!
//! Never here: how a condition begins.

use super::engine::{RouteSeen, Rules, reachable};
use super::isolation::Scene;
use super::reach::down_key;
use super::{Cause, RuleEffect, institution};
use crate::model::{
    Crossing, DeviceId, Evidence, FarEnd, FindingKey, FindingKind, Isolation, Measure, Name, Now, Part, ReachState,
    Role, Verdict,
};
use std::time::Duration;

/// Beyond a device's timeout, until a round that was asked for has been taken.
const ASKED: Duration = Duration::from_secs(1);
/// While this host is cut off.
const BLIND_AGAIN: Duration = Duration::from_secs(10);

impl Rules {
    /// A condition has lasted its delay: it becomes a finding, unless what it rests on is not known any more.
    pub(super) fn ripe(&mut self, key: &FindingKey, now: Now) {
        let id = key.device.as_ref().and_then(|name| self.find(name));
        if self.rests_on_nothing(key, id, now) {
            return;
        }
        let mut far_end = None;
        if let (FindingKind::InterfaceDown, Some(id)) = (key.kind, id) {
            match self.port_by_itself(key, id, now) {
                Ok(known) => far_end = known,
                Err(()) => return,
            }
        }
        let mut isolation = self.isolate(key, id, now);
        if let (Some(isolation), Some(to)) = (&mut isolation, far_end) {
            self.name_far_end(key, to, isolation, now);
        }
        if isolation.as_ref().is_some_and(|i| self.is_open(key, id, i.verdict)) {
            self.unsettled.insert(key.clone());
        }
        self.out
            .extend(self.conditions.raise(key, isolation, now).map(RuleEffect::Finding));
        let site = self.site.clone();
        if let Some(id) = id.filter(|_| key.kind == FindingKind::CircuitSilent) {
            let lost = self.institutions.redundancy_lost(id, &site, &self.reach);
            self.out.extend(lost.map(RuleEffect::Note));
        }
        if let Some(id) = id.filter(|id| down_key(site.device(*id)) == *key) {
            self.with_reach(now, |reach, context| reach.list_below(id, context));
            if site.device(id).role == Role::Managed {
                self.list_ports_toward_silent(now);
            }
        }
    }

    /// Both ends of a link are named.
    fn name_far_end(&self, key: &FindingKey, to: FarEnd, isolation: &mut Isolation, now: Now) {
        let (Some(device), Part::Interface(interface)) = (&key.device, &key.part) else {
            return;
        };
        let far = self.find(&to.device);
        isolation.evidence.push(Evidence::LinkToward {
            device: device.clone(),
            interface: interface.clone(),
            to,
        });
        isolation
            .evidence
            .extend(far.and_then(|far| self.scene(now).answers(far)));
    }

    /// A witness that comes later may settle the verdict.
    fn is_open(&self, key: &FindingKey, id: Option<DeviceId>, verdict: Verdict) -> bool {
        let line = |id: DeviceId| {
            let circuit = self.site.device(id).circuit.as_deref();
            circuit.is_some_and(|c| matches!(c.measure, Measure::Line(_)))
        };
        match verdict {
            Verdict::PlatformOrDemarcation => true,
            Verdict::Undetermined => match key.kind {
                FindingKind::PlatformDown => true,
                FindingKind::CircuitSilent => id.is_some_and(line),
                _ => false,
            },
            _ => false,
        }
    }

    /// What a ripe condition rests on may be gone (it ends untold), or being found out (it is put off).
    fn rests_on_nothing(&mut self, key: &FindingKey, id: Option<DeviceId>, now: Now) -> bool {
        let gone = match (key.kind, &key.part) {
            // A platform that is silent over this very link is the finding; the link is its evidence.
            (FindingKind::InterfaceDown, Part::Interface(name)) => {
                let silent = id.is_some_and(|id| self.platform_silent_over(id, name));
                silent || !self.answers(id)
            }
            (FindingKind::NoData, Part::Interface(name)) => {
                let missing = FindingKey {
                    kind: FindingKind::InterfaceMissing,
                    part: Part::Interface(name.clone()),
                    metric: None,
                    device: key.device.clone(),
                };
                !self.answers(id) || self.conditions.get(&missing).is_some()
            }
            // The silence of the device explains nothing of what stands elsewhere.
            (FindingKind::NoData, Part::Watch(watch)) if self.is_elsewhere(id, watch) => false,
            (FindingKind::NoData | FindingKind::InterfaceMissing | FindingKind::ComponentFailed, _) => {
                !self.answers(id)
            }
            (FindingKind::WatchFailed, Part::Watch(watch)) if self.is_elsewhere(id, watch) => {
                if self.reach.blind() {
                    self.conditions.put_off(key, now.mono + BLIND_AGAIN);
                }
                return self.reach.blind();
            }
            (FindingKind::AgentSilent | FindingKind::Threshold | FindingKind::WatchFailed, _) => match id {
                Some(id) if !self.answers(Some(id)) || !self.answered_since(key, id) => {
                    return self.ask_whether_alive(key, id, now);
                }
                Some(id) => return self.failed_before_it_was_back(key, id, now),
                _ => false,
            },
            (FindingKind::CircuitSilent, _) => return id.is_some_and(|id| self.off_or_many(key, id, now)),
            // Whoever is cut off accuses nobody; afterwards it is looked at again.
            (kind, _) if kind.is_of_redundancy() => {
                if self.reach.blind() {
                    self.conditions.put_off(key, now.mono + BLIND_AGAIN);
                }
                return self.reach.blind();
            }
            // What it crosses is down and told already, or no way is left and that is told: this one is not the fault.
            (FindingKind::RouteNotReady, Part::Route(name)) => {
                if self.crossed_out(name) || self.all_routes_lost() {
                    self.end(key, Cause::RouteWorks, now);
                    return true;
                }
                false
            }
            _ => false,
        };
        if gone {
            self.end(key, Cause::Unreachable, now);
        }
        gone
    }

    /// The institution has closed since its circuit fell silent, or many circuits are being looked at together.
    fn off_or_many(&mut self, key: &FindingKey, id: DeviceId, now: Now) -> bool {
        if self.with_reach(now, |reach, context| reach.now_off(id, context)) {
            self.end(key, Cause::Unreachable, now);
            return true;
        }
        if self.institutions.speaks_for(id, &self.conditions) {
            self.conditions.put_off(key, now.mono + institution::AGAIN);
            return true;
        }
        let pending = self.reach.common_pending(id, self.site.device(id), now.mono);
        if let Some(at) = pending {
            self.conditions.put_off(key, at + ASKED);
        }
        pending.is_some()
    }

    /// A service whose silence that of its device does not explain.
    fn is_elsewhere(&self, id: Option<DeviceId>, watch: &Name) -> bool {
        let device = id.map(|id| self.site.device(id));
        device.is_some_and(|d| d.service(watch).is_some_and(|s| !s.is_on(d.address)))
    }

    fn answers(&self, id: Option<DeviceId>) -> bool {
        id.is_some_and(|id| reachable(self.reach.node(id).state))
    }

    /// Has the device itself answered since its agent or port fell silent?
    fn answered_since(&self, key: &FindingKey, id: DeviceId) -> bool {
        let node = self.reach.node(id);
        let since = self.conditions.get(key).map(|c| c.since);
        node.state == ReachState::NotWatched || since.is_none_or(|since| node.last_answer.is_some_and(|a| a >= since))
    }

    /// The last failure is older than the return of the device, or of something before it: waits for a newer one. If failures began before
    /// the device itself was away, their time counts from its return: what was not answered in between says nothing about an agent or a port.
    fn failed_before_it_was_back(&mut self, key: &FindingKey, id: DeviceId, now: Now) -> bool {
        let site = self.site.clone();
        let device = site.device(id);
        let (failed, after) = match &key.part {
            Part::Watch(watch) if key.kind == FindingKind::WatchFailed => {
                let state = self.services.get(&(device.name.clone(), watch.clone()));
                let failed = state.and_then(|s| s.failing).map(|(_, last)| last);
                (failed, device.rule(key.kind).after)
            }
            Part::Watch(watch) => {
                let failing = self.tcp_failing.get(&(device.name.clone(), watch.clone()));
                (failing.map(|(_, last)| *last), device.poll.confirm.over)
            }
            _ => {
                let agent = self.agents.get(&device.name);
                (agent.and_then(|a| a.failed_at), device.rule(key.kind).after)
            }
        };
        let node = self.reach.node(id);
        let Some(back) = node.back_at.max(self.reach.way_back_at(id, &site)) else {
            return false;
        };
        let stale = failed.is_none_or(|failed| failed <= back + device.poll.timeout);
        let began = self.conditions.get(key).map(|c| c.since);
        // A round that was lost, and no more, is not an absence.
        let early = node
            .away_until
            .filter(|back| began.is_some_and(|began| began < *back) && now.mono < *back + after);
        let newer = stale.then_some(now.mono + device.poll.interval + device.poll.timeout + ASKED);
        let until = newer.max(early.map(|back| back + after));
        if let Some(until) = until {
            self.conditions.put_off(key, until);
        }
        until.is_some()
    }

    /// A silent agent or port may be a silent device that was not looked at yet: looks, and decides later. True always.
    fn ask_whether_alive(&mut self, key: &FindingKey, id: DeviceId, now: Now) -> bool {
        match self.reach.node(id).state {
            ReachState::Up | ReachState::Lossy => {
                self.out.push(RuleEffect::Probe(id));
                self.conditions
                    .put_off(key, now.mono + self.site.device(id).poll.timeout + ASKED);
            }
            ReachState::Suspect | ReachState::Unknown => {
                self.conditions
                    .put_off(key, now.mono + self.site.device(id).poll.timeout + ASKED);
            }
            _ => {
                // Once the device is back, the time of its agent and its ports counts anew.
                let name = self.site.device(id).name.clone();
                if let Some(agent) = self.agents.get_mut(&name) {
                    agent.failing_since = None;
                }
                self.tcp_failing.retain(|(device, _), _| *device != name);
                for (_, state) in self.services.iter_mut().filter(|((device, _), _)| *device == name) {
                    state.failing = None;
                }
                self.end(key, Cause::Unreachable, now);
            }
        }
        true
    }

    fn scene(&self, now: Now) -> Scene<'_> {
        Scene {
            lines: &self.lines,
            links: &self.links,
            site: &self.site,
            reach: &self.reach,
            interfaces: &self.interfaces,
            crossings: &self.crossings,
            redundancy: &self.redundancy,
            now,
        }
    }

    /// Whose fault the silence of a device is, by what is known now; `None` for one that answers, or that lies behind another fault.
    pub fn verdict(&self, id: DeviceId, now: Now) -> Option<Isolation> {
        let node = self.reach.node(id);
        let silent = matches!(node.state, ReachState::Suspect | ReachState::Down) && !node.control_plane;
        (silent && node.common.is_none()).then(|| self.scene(now).silent(id))
    }

    fn isolate(&self, key: &FindingKey, id: Option<DeviceId>, now: Now) -> Option<Isolation> {
        let scene = self.scene(now);
        match (key.kind, id, &key.part) {
            (FindingKind::DeviceDown | FindingKind::PlatformDown | FindingKind::CircuitSilent, Some(id), _) => {
                Some(scene.silent(id))
            }
            (FindingKind::InterfaceDown, Some(id), Part::Interface(name)) => Some(scene.interface_down(id, name)),
            (FindingKind::CircuitsLost, _, Part::Common(label)) => Some(scene.common(label)),
            (FindingKind::Blind, ..) => Some(self.reach.blind_isolation(&self.site)),
            _ => None,
        }
    }

    pub(super) fn all_routes_lost(&self) -> bool {
        let failed = |name: &Name| self.routes.get(name) == Some(&RouteSeen::Fails);
        self.site.routes.iter().all(|r| failed(&r.name))
    }

    fn crossed_out(&self, route: &Name) -> bool {
        let down = |id: &DeviceId| {
            let node = self.reach.node(*id);
            matches!(
                node.state,
                ReachState::Suspect | ReachState::Down | ReachState::Unreachable
            ) && !node.control_plane
        };
        self.site.routes.iter().filter(|r| r.name == *route).any(|route| {
            let blind = self.reach.blind() && !route.out_of_band;
            blind
                || route.crosses.iter().any(|c| match c {
                    Crossing::Device(id) => down(id),
                    Crossing::Any(ids) => ids.iter().all(down),
                })
        })
    }

    fn platform_silent_over(&self, edge: DeviceId, interface: &Name) -> bool {
        self.site.iter().any(|(id, device)| {
            let over = device
                .demarcation
                .as_ref()
                .is_some_and(|x| x.device == edge && x.interface == *interface);
            over && matches!(self.reach.node(id).state, ReachState::Suspect | ReachState::Down)
        })
    }

    /// What was told when the daemon stopped: the causes stand until something newer is known, and verdicts that were left open are taken up
    /// again when a witness speaks.
    pub fn recall_told(&mut self, open: Vec<(FindingKey, Cause, Option<Isolation>)>) {
        for (key, cause, isolation) in open {
            let id = key.device.as_ref().and_then(|name| self.find(name));
            let verdict = isolation.as_ref().map(|i| i.verdict);
            if self.conditions.raised(&key) && verdict.is_some_and(|v| self.is_open(&key, id, v)) {
                self.unsettled.insert(key.clone());
            }
            self.conditions.recall_told(&key, cause, isolation);
        }
    }

    /// A verdict that was left open may be settled by readings that came later.
    pub(super) fn isolate_again(&mut self, now: Now) {
        for key in self.unsettled.clone() {
            let id = key.device.as_ref().and_then(|name| self.find(name));
            let Some(id) = id.filter(|_| self.conditions.raised(&key)) else {
                self.unsettled.remove(&key);
                continue;
            };
            if self.reach.node(id).good_rounds > 0 {
                continue;
            }
            if let Some(isolation) = self.isolate(&key, Some(id), now)
                && !self.is_open(&key, Some(id), isolation.verdict)
                && let Some(change) = self.conditions.isolate_again(&key, isolation, now)
            {
                self.unsettled.remove(&key);
                self.out.push(RuleEffect::Finding(change));
            }
        }
    }
}
