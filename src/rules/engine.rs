//! All rules together: one input at a time, in the order they came.

use super::calendar::Calendar;
use super::condition::Conditions;
use super::institution::Institutions;
use super::interface::Interfaces;
use super::isolation::Crossings;
use super::judged::{is_tcp, judged};
use super::lines::{LineStates, is_gone_session};
use super::links::Links;
use super::number::{Answer, Numbers};
use super::reach::{Context, Reach, common_key, down_key};
use super::redundancy::{self, Redundancies};
use super::service::Services;
use super::{Cause, FindingChange, RuleEffect, component};
use crate::model::{
    Device, DeviceId, FindingKey, FindingKind, FindingRule, Level, LocalMinute, Metric, Mono, Name, Now, Part, Power,
    ReachState, Site, Wall,
};
use crate::poll::agent::memory::NumberMemory;
use crate::poll::unread::BrokenOff;
use crate::poll::{AgentFailure, AgentReading, AgentRound, Observation, TcpReading, YOUNG};
use crate::sample::Samples;
use crate::sample::roles::MemberView;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// So many rounds in a row that end at one place are no chance.
const BROKEN_OFF: u32 = 2;

/// The rules and their state.
pub struct Rules {
    pub(super) site: Arc<Site>,
    ids: HashMap<Name, DeviceId>,
    pub(super) reach: Reach,
    pub(super) conditions: Conditions,
    pub(super) interfaces: Interfaces,
    pub(super) crossings: Crossings,
    pub(super) lines: LineStates,
    pub(super) links: Links,
    calendar: Calendar,
    numbers: Numbers,
    pub(super) redundancy: Redundancies,
    pub(super) institutions: Institutions,
    pub(super) agents: BTreeMap<Name, AgentState>,
    /// Ports that do not take connections: since when, and when last.
    pub(super) tcp_failing: BTreeMap<(Name, Name), (Mono, Mono)>,
    pub(super) services: Services,
    pub(super) routes: BTreeMap<Name, RouteSeen>,
    /// Raised findings whose verdict later readings may settle.
    pub(super) unsettled: BTreeSet<FindingKey>,
    pub(super) out: Vec<RuleEffect>,
}

/// What is known of a mail route since the start, or since the reload that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouteSeen {
    /// Its first test failed: the relay may be starting as we are.
    NotYet,
    /// The last test or delivery worked.
    Works,
    /// It failed after it had worked, or twice.
    Fails,
}

impl RouteSeen {
    /// After a test or a delivery.
    fn after(before: Option<RouteSeen>, ready: bool) -> RouteSeen {
        match (before, ready) {
            (_, true) => RouteSeen::Works,
            (None, false) => RouteSeen::NotYet,
            (Some(_), false) => RouteSeen::Fails,
        }
    }
}

/// How a device's agent behaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentState {
    /// Since when it gives nothing.
    pub failing_since: Option<Mono>,
    /// When it last gave nothing.
    pub failed_at: Option<Mono>,
    /// How it failed last.
    pub failure: Option<AgentFailure>,
    /// Rounds in a row that ended at one place.
    pub broken_off: u32,
}

pub(super) fn reachable(state: ReachState) -> bool {
    matches!(state, ReachState::Up | ReachState::Lossy | ReachState::NotWatched)
}

impl Rules {
    /// Rules for a site, with the findings that were open when the daemon stopped, and the devices that hung below a root.
    pub fn new(site: Arc<Site>, open: &[(FindingKey, Level, Wall)], hanging: &[(FindingKey, Name)], now: Now) -> Rules {
        let mut rules = Rules {
            reach: Reach::new(&site, now),
            ids: ids(&site),
            conditions: Conditions::default(),
            interfaces: Interfaces::new(&site),
            crossings: Crossings::default(),
            lines: LineStates::new(&site),
            links: Links::new(&site),
            calendar: Calendar::new(&site.operator),
            numbers: Numbers::new(&site, now.mono),
            redundancy: Redundancies::new(&site),
            institutions: Institutions::new(&site),
            site,
            agents: BTreeMap::new(),
            tcp_failing: BTreeMap::new(),
            services: Services::new(),
            routes: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            out: Vec::new(),
        };
        for (key, level, since) in open {
            rules.restore(key, *level, *since, now);
        }
        for (root, device) in hanging {
            if let (Part::Common(label), Some(device)) = (&root.part, rules.find(device)) {
                if rules.institutions.knows(label) {
                    rules.institutions.restore(device);
                    continue;
                }
                rules.with_reach(now, |reach, c| reach.restore_behind(device, label, c));
                continue;
            }
            let root = root.device.as_ref().and_then(|name| rules.find(name));
            if let (Some(root), Some(device)) = (root, rules.find(device)) {
                rules.with_reach(now, |reach, c| reach.restore_hanging(device, root, c));
            }
        }
        rules
    }

    /// What the ledger knew of redundancy groups: who was active in each instance, and the causes of what is open.
    pub fn recall(&mut self, active: &BTreeMap<Name, BTreeMap<Name, Name>>, open: &[(FindingKey, Cause)], now: Now) {
        let open: Vec<_> = open
            .iter()
            .filter(|(key, _)| self.conditions.raised(key))
            .cloned()
            .collect();
        self.redundancy.recall(&self.site, active, &open, now);
    }

    /// Takes out what was said since the last call.
    pub fn effects(&mut self) -> Vec<RuleEffect> {
        let mut effects = std::mem::take(&mut self.out);
        // What is listed in the case of a port that is itself a part of another case is listed there.
        for effect in &mut effects {
            if let RuleEffect::Note(note) = effect
                && let Some(root) = self.told_root(&note.root)
            {
                note.root = root;
            }
        }
        effects
    }

    /// When [`Rules::wake`] wants to be called.
    pub fn next_wakeup(&self) -> Mono {
        self.conditions
            .next_due()
            .min(self.reach.next_wakeup())
            .min(self.redundancy.next_wakeup())
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

    /// Numbers of a device that the next process has to wait for beyond what is written by name.
    pub fn waited_for(&self, device: DeviceId) -> Vec<NumberMemory> {
        self.numbers.waited_for(device, self.site.device(device))
    }

    /// Takes up what an earlier process waited for.
    pub fn wait_for(&mut self, device: &Name, numbers: &[NumberMemory], now: Now) {
        if let Some(id) = self.find(device) {
            let site = self.site.clone();
            self.numbers.wait_for(id, site.device(id), numbers, now.mono);
        }
    }

    /// Redundancy groups, parallel to those of the site.
    pub fn redundancy(&self, now: Mono) -> Vec<redundancy::GroupStatus> {
        self.redundancy.status(&self.site, &self.reach, now)
    }

    fn judge_redundancy(&mut self, now: Now) {
        let mut context = redundancy::Context {
            site: &self.site,
            reach: &self.reach,
            conditions: &mut self.conditions,
            out: &mut self.out,
            now,
        };
        self.redundancy.judge(&mut context);
    }

    /// Members of redundancy groups whose device was heard, fell silent, or is cut off.
    fn stir_redundancy(&mut self, observation: &Observation, from: usize) {
        if self.redundancy.is_empty() {
            return;
        }
        match observation {
            Observation::Reach(round) => self.redundancy.stir(round.device),
            Observation::Agent(round) if round.outcome.is_err() => self.redundancy.fell_silent(round.device),
            Observation::Agent(_) | Observation::Tcp(_) | Observation::Service(_) => {}
        }
        for effect in self.out.get(from..).unwrap_or_default() {
            if let RuleEffect::Silent(device, _) = effect {
                self.redundancy.stir(*device);
            }
        }
    }

    /// Local time of the operator.
    pub fn local(&self, wall: Wall) -> LocalMinute {
        self.calendar.at(wall)
    }

    /// How a device's agent behaves.
    pub fn agent(&self, device: &Name) -> Option<&AgentState> {
        self.agents.get(device)
    }

    pub(super) fn with_reach<R>(&mut self, now: Now, run: impl FnOnce(&mut Reach, &mut Context<'_>) -> R) -> R {
        let local = self.calendar.local(now.wall);
        let (conditions, out) = (&mut self.conditions, &mut self.out);
        run(
            &mut self.reach,
            &mut Context {
                site: &self.site,
                conditions,
                out,
                now,
                local,
            },
        )
    }

    /// The device of a name.
    pub fn find(&self, device: &str) -> Option<DeviceId> {
        self.ids.get(device).copied()
    }

    fn restore(&mut self, key: &FindingKey, level: Level, since: Wall, now: Now) {
        let site = self.site.clone();
        let id = key.device.as_ref().and_then(|name| self.find(name));
        let device = id.map(|id| site.device(id));
        let gone = matches!(&key.part, Part::Common(label) if !self.knows_common(label));
        if gone || !judged(&site, device, key) {
            self.out.push(RuleEffect::Finding(removed(key, level, since, now)));
            return;
        }
        if let (FindingKind::Threshold, Some(device), Some(metric)) = (key.kind, device, key.metric)
            && !is_tcp(device, &key.part)
        {
            let id = id.unwrap_or_default();
            return self.numbers.restore(id, &key.part, metric, level, now);
        }
        self.conditions.restore(key.clone(), level, since, Cause::Removed, now);
        let since = now.mono - now.wall.since(since);
        match (key.kind, id) {
            (FindingKind::Blind, _) => self.with_reach(now, |reach, c| reach.restore_blind(since, c)),
            (FindingKind::DeviceDown | FindingKind::PlatformDown | FindingKind::CircuitSilent, Some(id)) => {
                self.with_reach(now, |reach, c| reach.restore_down(id, since, false, c));
            }
            (FindingKind::ControlPlaneSilent, Some(id)) => {
                self.with_reach(now, |reach, c| reach.restore_down(id, since, true, c));
            }
            _ => {}
        }
    }

    fn knows_common(&self, label: &Name) -> bool {
        self.reach.common_kind(label).is_some() || self.institutions.knows(label)
    }

    /// Institutions with a circuit that fell silent or was heard.
    fn judge_institutions(&mut self, now: Now) {
        if self.institutions.is_empty() {
            return;
        }
        for effect in &self.out {
            if let RuleEffect::Silent(id, _) = effect {
                self.institutions.stir(*id);
            }
        }
        let told = self
            .institutions
            .judge(&self.site, &self.reach, &mut self.conditions, now);
        self.out.extend(told);
    }

    /// Looks at what is kept of a device (see `core::warm`).
    pub fn warm(&self, device: DeviceId) {
        self.reach.warm(device);
        self.numbers.warm(device);
        self.interfaces.warm(device);
    }

    /// Takes an observation with the numbers made from it.
    pub fn take(&mut self, observation: &Observation, samples: &Samples, now: Now) {
        let site = self.site.clone();
        let from = self.out.len();
        self.redundancy.take(&samples.members, &site);
        for octets in &samples.octets {
            self.crossings.take(octets, site.device(octets.device));
        }
        match observation {
            Observation::Reach(round) => {
                self.with_reach(now, |reach, context| reach.round(round, context));
                if let Some(percent) = samples.loss {
                    self.reach.loss(round.device, percent, now);
                    self.lossy(round.device, percent, round.ended, now);
                }
                if reachable(self.reach.node(round.device).state) {
                    self.judge_numbers(samples, now);
                }
            }
            Observation::Agent(round) => self.agent_round(round, samples, now),
            Observation::Tcp(reading) => self.tcp(reading, now),
            Observation::Service(reading) => {
                self.judge_numbers(samples, now);
                self.service(reading, now);
            }
        }
        self.stir_redundancy(observation, from);
        self.isolate_again(now);
        self.wake(now);
    }

    /// A mail route was tested or used.
    pub fn route(&mut self, route: &Name, ready: bool, error: &str, now: Now) {
        let before = self.routes.get(route).copied();
        self.routes.insert(route.clone(), RouteSeen::after(before, ready));
        let key = |part, kind| FindingKey {
            device: None,
            part,
            kind,
            metric: None,
        };
        let one = key(Part::Route(route.clone()), FindingKind::RouteNotReady);
        let all = key(Part::Host, FindingKind::LastRouteLost);
        let states = || self.site.routes.iter().map(|r| self.routes.get(&r.name));
        let lost = self.all_routes_lost();
        // After a start nothing is known of the others yet: that ends nothing.
        let known = lost || states().any(|seen| seen == Some(&RouteSeen::Works));
        for (key, holds) in [(one, !ready), (all, lost)].into_iter().take(if known { 2 } else { 1 }) {
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

    /// No relay takes mails for a contact (with the words of the last refusal), or one does again.
    pub fn contact(&mut self, contact: &Name, refused: Option<&str>, now: Now) {
        let key = FindingKey {
            device: None,
            part: Part::Contact(contact.clone()),
            kind: FindingKind::ContactRefused,
            metric: None,
        };
        match refused {
            // One that a reload has taken away is nobody's loss any more.
            Some(error) if judged(&self.site, None, &key) => {
                let cause = Cause::ContactRefused {
                    error: error.to_owned(),
                };
                let rule = self.site.rule(key.kind);
                self.conditions.hold(key, rule, cause, now.mono, now.mono, now);
            }
            _ => self.end(&key, Cause::ContactTold, now),
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
                    rule.after = Duration::ZERO;
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
        let from = self.out.len();
        self.with_reach(now, |reach, context| reach.wake(context));
        if !self.redundancy.is_empty() {
            let silent = |e: &RuleEffect| {
                if let RuleEffect::Silent(id, _) = e {
                    Some(*id)
                } else {
                    None
                }
            };
            let silent: Vec<DeviceId> = self.out[from..].iter().filter_map(silent).collect();
            silent.into_iter().for_each(|id| self.redundancy.stir(id));
            self.judge_redundancy(now);
        }
        self.judge_institutions(now);
        while let Some(key) = self.conditions.ripe(now) {
            self.ripe(&key, now);
        }
    }

    pub(super) fn end(&mut self, key: &FindingKey, cause: Cause, now: Now) {
        self.out
            .extend(self.conditions.end(key, cause, now).map(RuleEffect::Finding));
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

    fn judge_numbers(&mut self, samples: &Samples, now: Now) {
        for sample in &samples.numbers {
            self.numbers.take(
                self.site.device(sample.device),
                sample,
                &mut self.conditions,
                &mut self.out,
                now,
            );
        }
    }

    /// Circuits whose lines end on this device.
    fn lines(&mut self, round: &AgentRound, reading: &AgentReading, now: Now) {
        let site = self.site.clone();
        let device = site.device(round.device);
        let (rounds, unknown) = self.lines.take(round.device, device, reading, round.ended, &site);
        for of_line in rounds {
            self.with_reach(now, |reach, context| reach.round(&of_line, context));
        }
        for circuit in unknown {
            self.with_reach(now, |reach, context| reach.line_unknown(circuit, context));
        }
    }

    /// Ports that the device does not have.
    fn vanished(&mut self, round: &AgentRound, reading: &AgentReading, now: Now) {
        let site = self.site.clone();
        let device = site.device(round.device);
        let local = self.calendar.local(now.wall);
        for name in &reading.missing {
            let never = reading.never_found.contains(name);
            let line = self.lines.named(round.device, name).map(|id| site.device(id));
            let cause = match line {
                // A session that is gone is a line that is down, and one of an institution that is closed is not missed.
                Some(_) if is_gone_session(name, reading) => continue,
                Some(line) if name.starts_with("session:") && may_be_closed(line, local) => continue,
                Some(line) => Cause::NameNotFound {
                    circuit: Some(line.name.clone()),
                    ports: reading.ports.as_deref().cloned().unwrap_or_default(),
                },
                // A port that only a group watches is the group's, if there ever was one.
                None if !never && self.redundancy.alone_watches(device, name) => continue,
                None if never => Cause::NameNotFound {
                    circuit: None,
                    ports: reading.ports.as_deref().cloned().unwrap_or_default(),
                },
                None => Cause::NameVanished,
            };
            // A card comes up some minutes after the agent that tells of it.
            let up = reading.uptime.map(|ticks| Duration::from_millis(u64::from(ticks) * 10));
            let still = up.map_or(Duration::ZERO, |up| YOUNG.saturating_sub(up));
            let times = (round.ended, round.ended + still);
            self.interfaces
                .vanished(device, (name, cause), times, &mut self.conditions, now);
        }
    }

    fn agent_round(&mut self, round: &AgentRound, samples: &Samples, now: Now) {
        let site = self.site.clone();
        let device = site.device(round.device);
        let key = FindingKey {
            kind: FindingKind::AgentSilent,
            ..down_key(device)
        };
        match &round.outcome {
            Err(failure) => {
                self.numbers.unanswered(round.device, now.mono);
                let agent = self.agents.entry(device.name.clone()).or_default();
                agent.failure = Some(failure.clone());
                agent.failed_at = Some(round.started);
                if reachable(self.reach.node(round.device).state) {
                    let since = *agent.failing_since.get_or_insert(round.started);
                    let rule = device.rule(FindingKind::AgentSilent);
                    let cause = Cause::AgentSilent {
                        failure: failure.clone(),
                    };
                    self.conditions.hold(key, rule, cause, since, since, now);
                } else {
                    // A device that does not answer says nothing about its agent: that time counts from its return.
                    agent.failing_since = None;
                }
            }
            Ok(reading) => {
                // A finding that was open when the daemon stopped has no failures to remember.
                if let Some(broken) = &reading.broken_off {
                    self.broke_off(round, device, key, broken, now);
                } else if self.agents.remove(&device.name).is_some() || !self.conditions.is_empty() {
                    self.end(&key, Cause::AgentBack, now);
                }
                if let Some(topology) = &reading.topology {
                    self.links.learn(&device.name, topology);
                }
                self.lines(round, reading, now);
                for interface in &reading.interfaces {
                    if self.conditions.has_any_of(&device.name) {
                        let (conditions, out) = (&mut self.conditions, &mut self.out);
                        Interfaces::returned(device, interface, conditions, out, now);
                    }
                    // A line is the circuit's affair, and a port that only a group watches is the group's.
                    let of_circuit = self.lines.circuit(round.device, interface).is_some();
                    if of_circuit || self.redundancy.alone_watches(device, &interface.name) {
                        continue;
                    }
                    let (conditions, out) = (&mut self.conditions, &mut self.out);
                    let fell = self
                        .interfaces
                        .take(round.device, device, interface, conditions, out, now);
                    if fell {
                        self.ask_far_end(round.device, &interface.name, interface.at);
                    }
                }
                self.vanished(round, reading, now);
                let (conditions, out) = (&mut self.conditions, &mut self.out);
                component::take(device, &samples.parts, round.ended, conditions, out, now);
                self.judge_numbers(samples, now);
                self.overdue(round, reading, &samples.members, now);
            }
        }
    }

    /// A round gave something and ended early. Once is chance; at the same place each time it is a fault that nobody would see otherwise.
    fn broke_off(&mut self, round: &AgentRound, device: &Device, key: FindingKey, broken: &BrokenOff, now: Now) {
        let agent = self.agents.entry(device.name.clone()).or_default();
        let failure = AgentFailure::BrokenOff(Box::new(broken.clone()));
        let same = matches!(&agent.failure, Some(AgentFailure::BrokenOff(before)) if before.at == broken.at);
        agent.failed_at = Some(round.started);
        agent.failure = Some(failure.clone());
        if !same {
            (agent.broken_off, agent.failing_since) = (1, Some(round.started));
            // What it gave of the rest is enough to end whatever was there before.
            return self.end(&key, Cause::AgentBack, now);
        }
        agent.broken_off += 1;
        let since = *agent.failing_since.get_or_insert(round.started);
        if agent.broken_off >= BROKEN_OFF && reachable(self.reach.node(round.device).state) {
            let rule = device.rule(FindingKind::AgentSilent);
            self.conditions
                .hold(key, rule, Cause::AgentSilent { failure }, since, since, now);
        }
    }

    /// What was wanted and did not come.
    fn overdue(&mut self, round: &AgentRound, reading: &AgentReading, members: &[MemberView], now: Now) {
        let (site, id) = (self.site.clone(), round.device);
        let interval = site.device(id).poll.interval;
        let (step, young) = self.numbers.answered(id, interval, reading.uptime, now.mono);
        let answer = Answer {
            began: round.started,
            reading,
            members,
            interval,
            step,
            young,
            now,
        };
        let (conditions, out) = (&mut self.conditions, &mut self.out);
        self.numbers.overdue(id, site.device(id), answer, conditions, out);
        for circuit in self.lines.judged_on(id) {
            self.numbers
                .overdue_line(*circuit, site.device(*circuit), answer, conditions);
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
                let failing = self.tcp_failing.entry(id).or_insert((reading.at, reading.at));
                failing.1 = reading.at;
                let since = failing.0;
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
        self.ids = ids(&site);
        let devices: BTreeMap<Name, &Device> = site.devices.iter().map(|d| (d.name.clone(), d)).collect();
        self.calendar = Calendar::new(&site.operator);
        self.lines.reload(&site);
        self.links.reload(&site);
        self.with_reach(now, |reach, context| reach.reload(&old, context));
        self.interfaces.reload(&old, &site, &self.ids);
        self.redundancy.reload(&old, &site);
        self.institutions.reload(&old, &site);
        self.numbers.reload(&old, &site, &self.ids, &mut self.out, now);
        self.agents
            .retain(|name, _| devices.get(name).is_some_and(|d| d.snmp.is_some()));
        self.tcp_failing.retain(|(name, watch), _| {
            let part = Part::Watch(watch.clone());
            devices.get(name).is_some_and(|d| is_tcp(d, &part))
        });
        self.services
            .retain(|(name, watch), _| devices.get(name).is_some_and(|d| d.service(watch).is_some()));
        self.routes
            .retain(|name, _| site.routes.iter().any(|r| r.name == *name));
        let gone: Vec<FindingKey> = self
            .conditions
            .iter()
            .map(|(k, _)| k)
            .filter(|k| !self.still_judged(k))
            .cloned()
            .collect();
        for key in gone {
            self.end(&key, Cause::Removed, now);
        }
    }

    fn still_judged(&self, key: &FindingKey) -> bool {
        if let Part::Common(label) = &key.part {
            return self.knows_common(label) && *key == common_key(label);
        }
        let id = key.device.as_ref().and_then(|name| self.find(name));
        let silence = matches!(
            key.kind,
            FindingKind::DeviceDown
                | FindingKind::PlatformDown
                | FindingKind::CircuitSilent
                | FindingKind::ControlPlaneSilent
        );
        // An address that changed starts afresh: the silence of the old one ends with it.
        let lasts = !silence || id.is_some_and(|id| self.reach.node(id).state == ReachState::Down);
        lasts && judged(&self.site, id.map(|id| self.site.device(id)), key)
    }
}

/// The institution of a circuit may have switched off by now.
fn may_be_closed(device: &Device, local: LocalMinute) -> bool {
    let circuit = device.circuit.as_deref();
    circuit.is_some_and(|c| c.power == Power::MayBeOff && !c.hours.open(local))
}

fn ids(site: &Site) -> HashMap<Name, DeviceId> {
    site.iter().map(|(id, d)| (d.name.clone(), id)).collect()
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
