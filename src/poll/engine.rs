//! The four verbs of polling: take an input, say the next wake-up, wake, hand out effects. Joins the schedule, the liveness
//! rounds, the SNMP client and the TCP watches.
//!
//! Never here: how a liveness round goes (`liveness`), what an agent is asked (`agent`), a judgement about health.

use super::agent::memory::{Memories, Memory};
use super::agent::{AgentEvent, Agents};
use super::counters::{Lateness, PollCounters, failure_word};
use super::disbelief::Rejected;
use super::echo::Addresses;
use super::inflight::{RoundKey, Rounds};
use super::liveness::PROBE_GAP;
use super::pace::Pacer;
use super::schedule::{Due, Schedule, Stream};
use super::timers::{Awake, StallClock, Timers};
use super::{AgentReading, Channel, DropReason, Observation, PollEffect, PollInput, RoundKind, TcpReading};
use crate::model::service::Failure;
use crate::model::{DeviceId, Mono, Now, Site, Status, WatchKind};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// What polling keeps of a device between rounds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeviceState {
    /// The liveness round that decides; older ones that were answered in part may still run beside it.
    pub(super) current: Option<RoundKey>,
    /// An SNMP round is waiting for its tick.
    pub(super) agent_queued: bool,
    /// An SNMP round was begun and has not ended.
    pub(super) agent_running: bool,
    /// The rules know it to be silent.
    pub(super) silent: bool,
    /// Silent by the rules, but its last round was answered.
    pub(super) answering: bool,
    /// A round was due while one without an answer was running; it starts as soon as that one gets an answer.
    pub(super) owed: bool,
    /// Something lies behind it.
    pub(super) parent: bool,
    /// Before this no round is started on request; a request until then waits.
    pub(super) next_probe: Awake,
    /// One waits.
    pub(super) probe_waits: bool,
}

/// The states of a site's devices before anything is known of them.
pub(super) fn fresh_states(site: &Site) -> Vec<DeviceState> {
    let mut states = vec![DeviceState::default(); site.devices.len()];
    for parent in site.devices.iter().flat_map(|d| &d.parents) {
        states[parent.index()].parent = true;
    }
    states
}

/// What a token of [`PollEffect::TcpConnect`] or of a liveness GET stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenUse {
    /// The open attempt of a liveness round.
    Liveness(RoundKey),
    /// A TCP watch: device, index.
    Watch(DeviceId, u16),
    /// A watched service: device, index.
    Service(DeviceId, u16),
}

/// Something in flight is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The next attempt of a round (regular, or confirm if true).
    Step(RoundKey, bool),
    /// The last attempt of a round has had its time.
    Expire(RoundKey, bool),
    /// A regular round without any answer must give way to its confirm burst now, or detection would be late.
    Cut(RoundKey),
    /// A device was asked for too soon after the last time: now it may.
    Probe(DeviceId),
    /// The agent of a device was asked for out of turn a second ago: now it may be again.
    AgentProbe(DeviceId),
    /// A service that failed is asked again: device, index.
    AskAgain(DeviceId, u16),
    /// Whoever should have told the end of this token has not.
    Guard(u64),
}

/// The whole of polling (design section 3).
pub struct Poll {
    pub(super) site: Arc<Site>,
    pub(super) agents: Agents,
    pub(super) schedule: Schedule,
    pub(super) clock: StallClock,
    pub(super) timers: Timers<Timer>,
    pub(super) rounds: Rounds,
    pub(super) states: Vec<DeviceState>,
    pub(super) pacer: Pacer,
    pub(super) addresses: Addresses,
    /// By device: the last reply that was not believed and that no round has told of yet.
    pub(super) rejected: BTreeMap<DeviceId, Box<Rejected>>,
    /// By device: its last round, if that is over without an answer, and when its last echo was sent.
    pub(super) given_up: BTreeMap<DeviceId, (RoundKey, Mono)>,
    pub(super) ident: u16,
    pub(super) rng: StdRng,
    pub(super) tokens: BTreeMap<u64, TokenUse>,
    next_token: u64,
    pub(super) watches_running: BTreeSet<(DeviceId, u16)>,
    /// Services that are asked again before their next round.
    pub(super) asked_again: BTreeSet<(DeviceId, u16)>,
    /// Devices whose agent was asked for out of turn within the last second, and whether it was asked for again since.
    pub(super) agent_probes: BTreeMap<DeviceId, bool>,
    pub(super) lateness: Lateness,
    counted: BTreeMap<(&'static str, &'static str), u64>,
    dropped: BTreeMap<DropReason, u64>,
    skipped: u64,
    pub(super) overrun: u64,
    pub(super) postponed: u64,
    pub(super) effects: Vec<PollEffect>,
}

impl Poll {
    /// Polling of a site. First rounds start within one interval, each in its phase. `seed` must be random: what an attacker
    /// would have to guess to forge an answer comes from it.
    pub fn new(site: Arc<Site>, seed: [u8; 32], now: Now) -> Poll {
        let mut rng = StdRng::from_seed(seed);
        let mut agents_seed = [0; 32];
        rng.fill_bytes(&mut agents_seed);
        Poll {
            agents: Agents::new(site.clone(), agents_seed),
            schedule: Schedule::new(&site, now.mono),
            clock: StallClock::new(now),
            timers: Timers::new(),
            rounds: Rounds::default(),
            states: fresh_states(&site),
            pacer: Pacer::new(),
            addresses: Addresses::new(&site),
            rejected: BTreeMap::new(),
            given_up: BTreeMap::new(),
            ident: (rng.next_u32() >> 16) as u16,
            rng,
            tokens: BTreeMap::new(),
            next_token: 0,
            watches_running: BTreeSet::new(),
            asked_again: BTreeSet::new(),
            agent_probes: BTreeMap::new(),
            lateness: Lateness::default(),
            counted: BTreeMap::new(),
            dropped: BTreeMap::new(),
            skipped: 0,
            overrun: 0,
            postponed: 0,
            effects: Vec::new(),
            site,
        }
    }

    /// Takes one input.
    pub fn take(&mut self, input: PollInput, now: Now) {
        self.take_all([input], now);
    }

    /// Takes inputs in their order.
    pub fn take_all(&mut self, inputs: impl IntoIterator<Item = PollInput>, now: Now) {
        self.clock.enter(now);
        self.pacer.enter(now.mono);
        for input in inputs {
            self.absorb(input, now);
        }
        self.pump(now);
    }

    /// Who some inputs seem to come from.
    pub fn seem_from(&self, inputs: &[PollInput]) -> Vec<DeviceId> {
        let from = |input: &PollInput| match input {
            PollInput::Datagram {
                channel: Channel::Icmp,
                from,
                bytes,
                ..
            } => self.echo_seems_from(from.is_ipv6(), bytes),
            PollInput::Datagram { bytes, .. } => self.agents.seems_from(bytes),
            _ => None,
        };
        inputs.iter().filter_map(from).collect()
    }

    /// Takes a reading that nobody needs any more, for its memory.
    pub fn recycle(&mut self, reading: Box<AgentReading>) {
        self.agents.recycle(reading);
    }

    /// Looks at what is kept of a device (see `core::warm`).
    pub fn warm(&self, device: DeviceId) {
        black_box(self.states.get(device.index()).map(|s| s.silent));
        if let Some(device) = self.site.devices.get(device.index()) {
            device.warm();
        }
        self.agents.warm(device);
    }

    fn absorb(&mut self, input: PollInput, now: Now) {
        match input {
            PollInput::Datagram {
                channel: Channel::Icmp,
                from,
                at,
                bytes,
            } => self.icmp(from, at, &bytes, now),
            PollInput::Datagram {
                channel,
                from,
                at,
                bytes,
            } => self.agents.take(channel, from, at, &bytes, now),
            PollInput::SendFailed {
                channel: Channel::Icmp,
                to,
                error,
            } => self.echo_not_sent(to, &error, now),
            PollInput::SendFailed { channel, to, error } => self.agents.send_failed(channel, to, &error, now),
            PollInput::TcpEnded { token, result } => self.token_ended(token, result, now),
            PollInput::Asked { token, took, result } => self.asked(token, took, result, now),
            PollInput::AskAgain(device, watch) => self.ask_again(device, &watch),
            PollInput::ProbeNow(device) => self.probe_now(device, now),
            PollInput::ProbeAgent(device) => self.probe_agent(device, now),
            PollInput::Silent(device, silent) => {
                if let Some(state) = self.states.get_mut(device.index()) {
                    (state.silent, state.answering) = (silent, false);
                    let current = state.current.filter(|_| silent);
                    self.cancel_burst(device, current);
                }
            }
        }
    }

    /// When [`Poll::wake`] wants to be called. The shell may round up to its tick of 10 ms.
    pub fn next_wakeup(&self) -> Mono {
        let timer = self.timers.next().map_or(Mono::NEVER, |at| self.clock.mono(at));
        self.schedule
            .next()
            .min(timer)
            .min(self.agents.next_wakeup())
            .min(self.pacer.next())
    }

    /// Does what is due. What the sockets hold must have been handed in before, or answers that are there count as missing.
    pub fn wake(&mut self, now: Now) {
        let awake = self.clock.enter(now);
        self.pacer.enter(now.mono);
        while let Some(timer) = self.timers.pop(awake) {
            self.fire(timer, now);
        }
        self.agents.wake(now);
        let mut due = Vec::new();
        self.skipped += self.schedule.advance(now.mono, &mut due);
        due.iter().for_each(|d| self.warm(d.device));
        for d in due {
            self.start(d, now);
        }
        self.pump(now);
        let (rounds, tokens) = (&self.rounds, &self.tokens);
        self.timers.prune(|timer| match timer {
            Timer::Step(key, confirm) | Timer::Expire(key, confirm) => rounds
                .get(*key)
                .is_some_and(|r| (r.kind == RoundKind::Confirm) == *confirm),
            Timer::Cut(key) => rounds
                .get(*key)
                .is_some_and(|r| r.kind == RoundKind::Regular && r.received() == 0),
            Timer::Guard(token) => tokens.contains_key(token),
            Timer::Probe(_) | Timer::AgentProbe(_) | Timer::AskAgain(..) => true,
        });
        self.clock.leave(self.next_wakeup());
    }

    /// Takes out the effects since the last call, in order.
    pub fn effects(&mut self) -> Vec<PollEffect> {
        std::mem::take(&mut self.effects)
    }

    /// Stands for the profiles in use, beside what [`Poll::remember`] gives.
    pub fn profiles_mark(&self) -> u32 {
        self.agents.profiles_mark()
    }

    /// What was learned from the agents of some devices, by [`DeviceId`], for [`Poll::recall`] of another process.
    pub fn remember(&self, range: Range<usize>, now: Now) -> Vec<Memory> {
        self.agents.remember(range, now)
    }

    /// Takes up what an earlier process learned, before anything is polled.
    pub fn recall(&mut self, memories: Memories, now: Now) {
        self.agents.recall(memories, now);
    }

    /// What was counted so far.
    pub fn counters(&self) -> PollCounters {
        let mut dropped = self.dropped.clone();
        for (reason, n) in self.agents.dropped() {
            *dropped.entry(*reason).or_default() += n;
        }
        let (lateness, lateness_sum) = self.lateness.read();
        PollCounters {
            rounds: self.counted.clone(),
            dropped,
            lateness,
            lateness_sum,
            skipped: self.skipped,
            overrun: self.overrun,
            postponed: self.postponed,
            paced: self.pacer.delayed(),
            stalled: self.clock.stalled(),
        }
    }

    /// A round is due.
    fn start(&mut self, due: Due, now: Now) {
        let state = &mut self.states[due.device.index()];
        match due.stream {
            Stream::Liveness => self.liveness_due(due.device, Some(due.at), now),
            Stream::Agent | Stream::Tcp(_) if state.silent => {}
            Stream::Service(index) => self.start_service(due, index, now),
            // Busy is asked too, so that a round which a reload ended in silence blocks nothing.
            Stream::Agent if state.agent_queued || state.agent_running && self.agents.busy(due.device) => {
                self.overrun += 1
            }
            Stream::Agent => {
                state.agent_queued = true;
                self.pacer.start(due);
            }
            Stream::Tcp(index) => self.start_watch(due, index, now),
        }
    }

    /// Starts an SNMP round of this device now, out of turn: something is said to have changed there. Once a second at most; what is asked
    /// for sooner, or while a round is under way (which may have read the old state), starts when it may.
    fn probe_agent(&mut self, device: DeviceId, now: Now) {
        let Some(target) = self.site.devices.get(device.index()) else {
            return;
        };
        let state = self.states[device.index()];
        // The agent of a silent device is not asked: the liveness round that goes with this one finds out whether it is back.
        if target.status != Status::Active || target.snmp.is_none() || state.silent {
            return;
        }
        if let Some(waits) = self.agent_probes.get_mut(&device) {
            *waits = true;
            return;
        }
        let running = state.agent_running && self.agents.busy(device);
        self.agent_probes.insert(device, running);
        self.timers
            .after(self.clock.awake(), PROBE_GAP, Timer::AgentProbe(device));
        // One that waits for its tick has read nothing yet.
        if !running && !state.agent_queued {
            self.states[device.index()].agent_queued = true;
            self.pacer.start(Due {
                at: now.mono,
                device,
                stream: Stream::Agent,
            });
        }
    }

    /// The second is over. (After a reload the number may be another device's: that one is asked a little early, once.)
    fn waiting_agent_probe(&mut self, device: DeviceId, now: Now) {
        if self.agent_probes.remove(&device) == Some(true) {
            self.probe_agent(device, now);
        }
    }

    fn start_watch(&mut self, due: Due, index: u16, now: Now) {
        let device = self.site.device(due.device);
        let Some(WatchKind::Tcp { port }) = device.watches.get(usize::from(index)).map(|w| &w.kind) else {
            return;
        };
        if !self.watches_running.insert((due.device, index)) {
            self.overrun += 1;
            return;
        }
        let (to, timeout) = (device.at_port(*port), device.poll.timeout);
        self.lateness.record(due.at, now.mono);
        self.connect(TokenUse::Watch(due.device, index), to, timeout);
    }

    /// Asks the shell for a TCP connection.
    pub(super) fn connect(&mut self, usage: TokenUse, to: SocketAddr, timeout: Duration) -> u64 {
        let token = self.token(usage, timeout + Duration::from_secs(2));
        self.effects.push(PollEffect::TcpConnect { token, to, timeout });
        token
    }

    /// A token whose end is told within `guard`, or is taken as failed then.
    pub(super) fn token(&mut self, usage: TokenUse, guard: Duration) -> u64 {
        self.next_token += 1;
        self.tokens.insert(self.next_token, usage);
        self.timers
            .after(self.clock.awake(), guard, Timer::Guard(self.next_token));
        self.next_token
    }

    /// A TCP connection or a liveness GET ended.
    pub(super) fn token_ended(&mut self, token: u64, result: Result<Duration, String>, now: Now) {
        match self.tokens.remove(&token) {
            None => {}
            Some(TokenUse::Liveness(key)) => self.attempt_ended(key, token, result.ok(), now),
            // A guard: the shell holds the deadline itself, so that its silence says nothing about the service.
            Some(TokenUse::Service(device, index)) => {
                let silent = Failure::NotKnown("hinomi itself gave no answer in time".to_owned());
                self.service_ended((device, index), Duration::ZERO, Err(silent), now);
            }
            Some(TokenUse::Watch(device, index)) => {
                self.watches_running.remove(&(device, index));
                let Some(watch) = self.site.device(device).watches.get(usize::from(index)) else {
                    return;
                };
                let watch = watch.name.clone();
                self.count("tcp", if result.is_ok() { "ok" } else { "lost" });
                self.observed(Observation::Tcp(TcpReading {
                    device,
                    watch,
                    at: now.mono,
                    result,
                }));
            }
        }
    }

    fn fire(&mut self, timer: Timer, now: Now) {
        match timer {
            Timer::Step(key, confirm) => self.step(key, confirm, now),
            Timer::Expire(key, confirm) => self.expire(key, confirm, now),
            Timer::Cut(key) => self.cut(key, now),
            Timer::Probe(device) => self.waiting_probe(device, now),
            Timer::AgentProbe(device) => self.waiting_agent_probe(device, now),
            Timer::AskAgain(device, index) => self.again_due((device, index)),
            Timer::Guard(token) => self.token_ended(token, Err("timed out".to_owned()), now),
        }
    }

    /// Moves on what can move without waiting: answers of the SNMP client, rounds that may begin, datagrams that may leave.
    pub(super) fn pump(&mut self, now: Now) {
        self.send_echoes(now);
        while let Some(due) = self.pacer.next_start() {
            let Some(state) = self.states.get_mut(due.device.index()) else {
                continue;
            };
            state.agent_queued = false;
            if state.silent || self.site.device(due.device).snmp.is_none() {
                continue;
            }
            state.agent_running = true;
            self.lateness.record(due.at, now.mono);
            self.agents.start_round(due.device, now);
        }
        loop {
            let events = self.agents.events();
            if events.is_empty() {
                break;
            }
            events.into_iter().for_each(|event| self.agent_event(event, now));
        }
        self.pacer.release(&mut self.effects);
    }

    fn agent_event(&mut self, event: AgentEvent, now: Now) {
        match event {
            AgentEvent::Send {
                channel: Channel::Udp(socket),
                to,
                bytes,
            } => self.pacer.datagram(socket, to, bytes),
            AgentEvent::Send { channel, to, bytes } => self.effects.push(PollEffect::Send { channel, to, bytes }),
            AgentEvent::Round(round) => {
                let Some(state) = self.states.get_mut(round.device.index()) else {
                    return;
                };
                state.agent_running = false;
                if self.site.device(round.device).status != Status::Active {
                    return; // taken out of service while its round was running
                }
                self.count("snmp", round.outcome.as_ref().map_or_else(failure_word, |_| "ok"));
                self.observed(Observation::Agent(round));
            }
            AgentEvent::Liveness { token, result, .. } => {
                self.token_ended(token, result.map_err(|f| failure_word(&f).to_owned()), now);
            }
        }
    }

    pub(super) fn effect(&mut self, effect: PollEffect) {
        self.effects.push(effect);
    }

    pub(super) fn observed(&mut self, observation: Observation) {
        self.effects.push(PollEffect::Observed(observation));
    }

    pub(super) fn count(&mut self, kind: &'static str, result: &'static str) {
        *self.counted.entry((kind, result)).or_default() += 1;
    }

    pub(super) fn drop_datagram(&mut self, reason: DropReason) {
        *self.dropped.entry(reason).or_default() += 1;
    }
}
