//! All rules together: one input at a time, in the order they came.

use super::condition::Conditions;
use super::interface::Interfaces;
use super::isolation::{Crossings, Scene};
use super::number::Numbers;
use super::reach::{Context, Reach, control_plane_key, down_key};
use super::{Cause, FindingChange, RuleEffect};
use crate::model::{
    Crossing, Device, DeviceId, FindingKey, FindingKind, FindingRule, Level, Metric, Mono, Name, Now, Part, ReachState,
    Site, Wall,
};
use crate::poll::{AgentFailure, AgentRound, Observation, TcpReading};
use crate::sample::Samples;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules and their state.
pub struct Rules {
    site: Arc<Site>,
    reach: Reach,
    conditions: Conditions,
    interfaces: Interfaces,
    crossings: Crossings,
    numbers: Numbers,
    agents: BTreeMap<Name, AgentState>,
    tcp_failing: BTreeMap<(Name, Name), Mono>,
    routes: BTreeMap<Name, bool>,
    out: Vec<RuleEffect>,
}

/// How a device's agent behaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentState {
    /// Since when it gives nothing.
    pub failing_since: Option<Mono>,
    /// How it failed last.
    pub failure: Option<AgentFailure>,
}

fn reachable(state: ReachState) -> bool {
    matches!(state, ReachState::Up | ReachState::Lossy | ReachState::NotWatched)
}

impl Rules {
    /// Rules for a site, with the findings that were open when the daemon stopped, and the devices that hung below a root.
    pub fn new(site: Arc<Site>, open: &[(FindingKey, Level, Wall)], hanging: &[(FindingKey, Name)], now: Now) -> Rules {
        let mut rules = Rules {
            reach: Reach::new(&site, now),
            site,
            conditions: Conditions::default(),
            interfaces: Interfaces::default(),
            crossings: Crossings::default(),
            numbers: Numbers::default(),
            agents: BTreeMap::new(),
            tcp_failing: BTreeMap::new(),
            routes: BTreeMap::new(),
            out: Vec::new(),
        };
        for (key, level, since) in open {
            rules.restore(key, *level, *since, now);
        }
        for (root, device) in hanging {
            let root = root.device.as_deref().and_then(|name| rules.site.find(name));
            if let (Some(root), Some(device)) = (root, rules.site.find(device)) {
                rules.with_reach(now, |reach, c| reach.restore_hanging(device, root, c));
            }
        }
        rules
    }

    /// Takes out what was said since the last call.
    pub fn effects(&mut self) -> Vec<RuleEffect> {
        std::mem::take(&mut self.out)
    }

    /// When [`Rules::wake`] wants to be called.
    pub fn next_wakeup(&self) -> Mono {
        self.conditions.next_due().min(self.reach.next_wakeup())
    }

    /// Reachability, for snapshots and route choice.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Conditions that hold, raised or pending.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Numbers as last judged.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// How a device's agent behaves.
    pub fn agent(&self, device: &Name) -> Option<&AgentState> {
        self.agents.get(device)
    }

    fn with_reach<R>(&mut self, now: Now, run: impl FnOnce(&mut Reach, &mut Context<'_>) -> R) -> R {
        let site = self.site.clone();
        let (conditions, out) = (&mut self.conditions, &mut self.out);
        run(
            &mut self.reach,
            &mut Context {
                site: &site,
                conditions,
                out,
                now,
            },
        )
    }

    fn restore(&mut self, key: &FindingKey, level: Level, since: Wall, now: Now) {
        let id = key.device.as_deref().map(|name| self.site.find(name));
        if id == Some(None) {
            self.out.push(RuleEffect::Finding(removed(key, level, since, now)));
            return;
        }
        match (key.kind, id.flatten(), key.metric) {
            (FindingKind::Threshold, Some(_), Some(metric)) if metric != Metric::Watch => {
                let device = key.device.clone().unwrap_or_else(|| "".into());
                self.numbers.restore((device, key.part.clone(), metric), level, now);
            }
            (kind, Some(id), _) => {
                let control_plane = kind == FindingKind::ControlPlaneSilent;
                let since_mono = now.mono - now.wall.since(since);
                if control_plane || kind == self.site.device(id).owner.down_kind() {
                    self.with_reach(now, |reach, c| reach.restore_down(id, since_mono, control_plane, c));
                }
                self.conditions.restore(key.clone(), level, since, Cause::Removed, now);
            }
            (FindingKind::Blind, ..) => {
                self.conditions.restore(key.clone(), level, since, Cause::Removed, now);
                let since = now.mono - now.wall.since(since);
                self.with_reach(now, |reach, c| reach.restore_blind(since, c));
            }
            _ => self.conditions.restore(key.clone(), level, since, Cause::Removed, now),
        }
    }

    /// Takes an observation with the numbers made from it.
    pub fn take(&mut self, observation: &Observation, samples: &Samples, now: Now) {
        let site = self.site.clone();
        for octets in &samples.octets {
            self.crossings.take(octets, site.device(octets.device));
        }
        match observation {
            Observation::Reach(round) => {
                let loss = samples
                    .numbers
                    .iter()
                    .find(|s| s.metric == Metric::Loss)
                    .and_then(|s| s.value.ok());
                self.with_reach(now, |reach, context| reach.round(round, context));
                if let Some(percent) = loss {
                    self.reach.loss(round.device, percent, now);
                    self.lossy(round.device, percent, round.ended, now);
                }
                if reachable(self.reach.node(round.device).state) {
                    self.judge_numbers(site.device(round.device), samples, now);
                }
            }
            Observation::Agent(round) => self.agent_round(round, samples, now),
            Observation::Tcp(reading) => self.tcp(reading, now),
        }
        self.isolate_again(now);
        self.wake(now);
    }

    /// A mail route was tested or used.
    pub fn route(&mut self, route: &Name, ready: bool, error: &str, now: Now) {
        self.routes.insert(route.clone(), ready);
        let key = |part, kind| FindingKey {
            device: None,
            part,
            kind,
            metric: None,
        };
        let one = key(Part::Route(route.clone()), FindingKind::RouteNotReady);
        let all = key(Part::Host, FindingKind::LastRouteLost);
        let lost = self
            .site
            .routes
            .iter()
            .all(|r| self.routes.get(&r.name) == Some(&false));
        for (key, holds) in [(one, !ready), (all, lost)] {
            let cause = Cause::RouteFailed {
                error: error.to_owned(),
            };
            let rule = self.site.rule(key.kind);
            match holds {
                true => self.conditions.hold(key, rule, cause, now.mono, now.mono, now),
                false => self.end(&key, Cause::RouteWorks, now),
            }
        }
        self.wake(now);
    }

    /// The ledger was written, or could not be; `damaged` at start is told at once.
    pub fn ledger(&mut self, result: Result<(), &str>, damaged: bool, now: Now) {
        let key = FindingKey {
            device: None,
            part: Part::Host,
            kind: FindingKind::LedgerFailed,
            metric: None,
        };
        match result {
            Ok(()) => self.end(&key, Cause::LedgerWorks, now),
            Err(error) => {
                let mut rule = self.site.rule(FindingKind::LedgerFailed);
                if damaged {
                    rule.after = std::time::Duration::ZERO;
                }
                let cause = Cause::LedgerFailed {
                    error: error.to_owned(),
                };
                self.conditions.hold(key, rule, cause, now.mono, now.mono, now);
            }
        }
        self.wake(now);
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Now) {
        self.with_reach(now, |reach, context| reach.wake(context));
        while let Some(key) = self.conditions.ripe(now) {
            self.ripe(&key, now);
        }
    }

    fn end(&mut self, key: &FindingKey, cause: Cause, now: Now) {
        self.out
            .extend(self.conditions.end(key, cause, now).map(RuleEffect::Finding));
    }

    /// A condition has lasted its delay: it becomes a finding, unless what it rests on is not known any more.
    fn ripe(&mut self, key: &FindingKey, now: Now) {
        let id = key.device.as_deref().and_then(|name| self.site.find(name));
        let site = self.site.clone();
        let scene = Scene {
            site: &site,
            reach: &self.reach,
            interfaces: &self.interfaces,
            crossings: &self.crossings,
            now,
        };
        let state = id.map(|id| self.reach.node(id).state);
        let isolation = match (key.kind, id, &key.part) {
            (FindingKind::DeviceDown | FindingKind::PlatformDown | FindingKind::CircuitSilent, Some(id), _) => {
                Some(scene.silent(id))
            }
            (FindingKind::InterfaceDown, Some(id), Part::Interface(name)) => {
                // A platform that is silent over this very link is the finding; the link is its evidence.
                if !state.is_some_and(reachable) || self.platform_silent_over(id, name) {
                    return self.end(key, Cause::Unreachable, now);
                }
                Some(scene.interface_down(id, name))
            }
            (FindingKind::AgentSilent | FindingKind::NoData | FindingKind::InterfaceMissing, Some(_), _) => {
                if !state.is_some_and(reachable) {
                    return self.end(key, Cause::Unreachable, now);
                }
                None
            }
            (FindingKind::RouteNotReady, None, Part::Route(name)) => {
                // What it crosses is down and told already, or no way is left and that is told: this one is not the fault.
                if self.crossed_out(name) || self.all_routes_lost() {
                    return self.end(key, Cause::RouteWorks, now);
                }
                None
            }
            (FindingKind::Blind, ..) => {
                let (conditions, out) = (&mut Conditions::default(), &mut Vec::new());
                Some(self.reach.blind_isolation(&Context {
                    site: &site,
                    conditions,
                    out,
                    now,
                }))
            }
            _ => None,
        };
        self.out
            .extend(self.conditions.raise(key, isolation, now).map(RuleEffect::Finding));
        if let Some(id) = id.filter(|id| down_key(site.device(*id)) == *key) {
            self.with_reach(now, |reach, context| reach.list_below(id, context));
        }
    }

    fn all_routes_lost(&self) -> bool {
        let failed = |name: &Name| self.routes.get(name) == Some(&false);
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

    /// A verdict that was left open may be settled by readings that came later.
    fn isolate_again(&mut self, now: Now) {
        use crate::model::Verdict::PlatformOrDemarcation;
        let open: Vec<FindingKey> = self
            .conditions
            .iter()
            .filter(|(k, c)| {
                k.kind == FindingKind::PlatformDown
                    && c.raised
                    && c.isolation.as_ref().is_some_and(|i| i.verdict == PlatformOrDemarcation)
            })
            .map(|(k, _)| k.clone())
            .collect();
        for key in open {
            let Some(id) = key.device.as_deref().and_then(|name| self.site.find(name)) else {
                continue;
            };
            if self.reach.node(id).good_rounds > 0 {
                continue;
            }
            let scene = Scene {
                site: &self.site,
                reach: &self.reach,
                interfaces: &self.interfaces,
                crossings: &self.crossings,
                now,
            };
            let isolation = scene.silent(id);
            let change = self.conditions.isolate_again(&key, isolation, now);
            self.out.extend(change.map(RuleEffect::Finding));
        }
    }

    fn lossy(&mut self, id: DeviceId, percent: f64, at: Mono, now: Now) {
        let site = self.site.clone();
        let device = site.device(id);
        let key = FindingKey {
            kind: FindingKind::Lossy,
            ..down_key(device)
        };
        let cause = Cause::Loss { percent };
        match self.reach.node(id).state {
            ReachState::Lossy => self
                .conditions
                .hold(key, device.rule(FindingKind::Lossy), cause, at, at, now),
            _ => self.end(&key, cause, now),
        }
    }

    fn judge_numbers(&mut self, device: &Device, samples: &Samples, now: Now) {
        for sample in &samples.numbers {
            self.numbers
                .take(device, sample, &mut self.conditions, &mut self.out, now);
        }
    }

    fn agent_round(&mut self, round: &AgentRound, samples: &Samples, now: Now) {
        let site = self.site.clone();
        let device = site.device(round.device);
        let key = FindingKey {
            kind: FindingKind::AgentSilent,
            ..down_key(device)
        };
        let agent = self.agents.entry(device.name.clone()).or_default();
        match &round.outcome {
            Err(failure) => {
                agent.failure = Some(failure.clone());
                let since = *agent.failing_since.get_or_insert(round.started);
                if reachable(self.reach.node(round.device).state) {
                    let rule = device.rule(FindingKind::AgentSilent);
                    let cause = Cause::AgentSilent {
                        failure: failure.clone(),
                    };
                    self.conditions.hold(key, rule, cause, since, since, now);
                }
            }
            Ok(reading) => {
                *agent = AgentState::default();
                self.end(&key, Cause::AgentBack, now);
                for interface in &reading.interfaces {
                    let (conditions, out) = (&mut self.conditions, &mut self.out);
                    self.interfaces
                        .take(round.device, device, interface, conditions, out, now);
                }
                self.interfaces
                    .vanished(device, &reading.missing, round.ended, &mut self.conditions, now);
                self.judge_numbers(device, samples, now);
                self.numbers.overdue(device, &mut self.conditions, now);
            }
        }
    }

    fn tcp(&mut self, reading: &TcpReading, now: Now) {
        let site = self.site.clone();
        let device = site.device(reading.device);
        let part = Part::Watch(reading.watch.clone());
        let key = FindingKey {
            part,
            kind: FindingKind::Threshold,
            metric: Some(Metric::Watch),
            ..down_key(device)
        };
        let id = (device.name.clone(), reading.watch.clone());
        match &reading.result {
            Ok(_) => {
                self.tcp_failing.remove(&id);
                self.end(&key, Cause::TcpWorks, now);
            }
            Err(error) if reachable(self.reach.node(reading.device).state) => {
                let since = *self.tcp_failing.entry(id).or_insert(reading.at);
                let rule = FindingRule {
                    level: Level::Warning,
                    after: device.poll.confirm.over,
                };
                self.conditions
                    .hold(key, rule, Cause::TcpFailed { error: error.clone() }, since, since, now);
            }
            Err(_) => {}
        }
    }

    /// Takes a new configuration: what did not change keeps its state; findings of what is gone end.
    pub fn reload(&mut self, site: Arc<Site>, now: Now) {
        let old = std::mem::replace(&mut self.site, site.clone());
        let devices: BTreeMap<Name, &Device> = site.devices.iter().map(|d| (d.name.clone(), d)).collect();
        self.with_reach(now, |reach, context| reach.reload(&old, context));
        self.interfaces.reload();
        self.numbers.reload(&devices, &mut self.out, now);
        self.agents.retain(|name, _| devices.contains_key(name));
        self.tcp_failing.retain(|(name, _), _| devices.contains_key(name));
        self.routes
            .retain(|name, _| site.routes.iter().any(|r| r.name == *name));
        let gone: Vec<FindingKey> = self
            .conditions
            .iter()
            .map(|(k, _)| k)
            .filter(|k| !self.still_judged(k, &devices))
            .cloned()
            .collect();
        for key in gone {
            self.end(&key, Cause::Removed, now);
        }
    }

    fn still_judged(&self, key: &FindingKey, devices: &BTreeMap<Name, &Device>) -> bool {
        let device = match &key.device {
            Some(name) => match devices.get(name) {
                Some(device) => device,
                None => return false,
            },
            None => {
                return match &key.part {
                    Part::Route(name) => self.site.routes.iter().any(|r| r.name == *name),
                    _ => true,
                };
            }
        };
        let down = *key == down_key(device) || *key == control_plane_key(device);
        match &key.part {
            Part::Interface(name) => device
                .interfaces
                .iter()
                .any(|w| crate::model::device::glob(&w.pattern, name)),
            Part::Watch(name) => device.watches.iter().any(|w| w.name == *name),
            // An address that changed starts afresh: the silence of the old one ends with it.
            _ if down => self
                .site
                .find(&device.name)
                .is_some_and(|id| self.reach.node(id).state == ReachState::Down),
            _ => true,
        }
    }
}

fn removed(key: &FindingKey, level: Level, since: Wall, now: Now) -> FindingChange {
    let (from, to) = (level, Level::Ok);
    FindingChange {
        key: key.clone(),
        from,
        to,
        since,
        at: now.wall,
        cause: Cause::Removed,
        isolation: None,
    }
}
