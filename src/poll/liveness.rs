//! How a liveness round goes: attempts, answers, the miss, the confirm burst that follows it.
//!
//! A regular round that ends without any answer is told, and turns into its confirm burst at once. The burst is spread over what
//! is left of `confirm.over`, counted from the first attempt of the missed round; so "down" is certain at the latest
//! interval + over + timeout after the fault. One answer ends the burst.
//!
//! Never here: what silence means (the rules know), which round is due (the schedule knows).

use super::echo::ECHO_GAP;
use super::engine::{Poll, Timer, TokenUse};
use super::inflight::{Attempt, AttemptState, RoundKey};
use super::timers::Awake;
use super::{Observation, RoundKind};
use crate::model::{DeviceId, Liveness, Mono, Now, Owner, PollSettings, Status};
use rand::Rng;
use std::time::Duration;

/// Between the echoes of a confirm burst, at least, where the time allows.
const BURST_GAP: Duration = Duration::from_millis(20);

/// Between the attempts of a confirm burst over SNMP or TCP, at least.
const CONNECT_GAP: Duration = Duration::from_millis(500);

/// Thousandths of an echo a second, of all confirm bursts together, that devices of institutions without anything behind them may cause. When
/// half a nation falls silent at once, bursts must end rather than all begin.
const BURSTS: u32 = 2_000_000;

/// Between two rounds of a device on request.
pub(super) const PROBE_GAP: Duration = Duration::from_secs(1);

/// A GET may wait behind a whole SNMP round of its device.
const GET_GUARD: Duration = Duration::from_secs(60);

impl Poll {
    /// A regular round is due, or asked for. If the running one has no answer yet it decides (its miss turns into a confirm
    /// burst); the round that is due starts as soon as an answer shows that it will not.
    pub(super) fn liveness_due(&mut self, device: DeviceId, due: Option<Mono>, now: Now) {
        let state = self.states[device.index()];
        let running = state.current.and_then(|key| self.rounds.get(key));
        match running {
            Some(round) if round.kind == RoundKind::Confirm => {}
            Some(round) if round.received() == 0 => {
                self.states[device.index()].owed = true;
                self.overrun += u64::from(due.is_some());
            }
            _ => self.start_regular(device, due, now),
        }
    }

    /// The rules want a fresh round. When a thousand children fail at once each asks for its parent: once a second is enough, and
    /// more would meet the rate limit of the parent's control plane.
    pub(super) fn probe_now(&mut self, device: DeviceId, now: Now) {
        let asked = |d: &crate::model::Device| !matches!(d.liveness, Liveness::None | Liveness::Line);
        let watched = |d: &crate::model::Device| d.status == Status::Active && asked(d);
        if !self.site.devices.get(device.index()).is_some_and(watched) {
            return;
        }
        let awake = self.clock.awake();
        let state = &mut self.states[device.index()];
        if awake >= state.next_probe {
            state.next_probe = awake + PROBE_GAP;
            self.liveness_due(device, None, now);
        } else if !state.probe_waits {
            state.probe_waits = true;
            self.timers.at(state.next_probe, Timer::Probe(device));
        }
    }

    /// The second is over. (After a reload the number may be another device's: that one has not waited.)
    pub(super) fn waiting_probe(&mut self, device: DeviceId, now: Now) {
        let waits = self
            .states
            .get_mut(device.index())
            .map(|s| std::mem::take(&mut s.probe_waits));
        if waits == Some(true) {
            self.probe_now(device, now);
        }
    }

    fn start_regular(&mut self, device: DeviceId, due: Option<Mono>, now: Now) {
        let state = self.states[device.index()];
        let settings = self.site.device(device);
        let one = state.silent && !state.answering || settings.liveness != Liveness::Echo;
        let planned = if one {
            1
        } else {
            settings.poll.echoes.clamp(1, 1000) as usize
        };
        let key = self.rounds.insert(device, due, planned, self.rng.next_u64());
        let state = &mut self.states[device.index()];
        (state.current, state.owed) = (Some(key), false);
        self.attempt(key, now);
    }

    /// The next attempt of a round: queued for the socket (echo) or begun.
    fn attempt(&mut self, key: RoundKey, now: Now) {
        let Some(round) = self.rounds.get(key) else { return };
        let (device, confirm) = (self.site.device(round.device), round.kind == RoundKind::Confirm);
        match device.liveness {
            Liveness::Echo => self.pacer.echo(key, confirm),
            Liveness::Snmp => {
                let id = round.device;
                let token = self.token(TokenUse::Liveness(key), device.poll.timeout + GET_GUARD);
                self.begin_attempt(key, Some(token), now);
                self.agents.start_liveness(id, token, now);
            }
            Liveness::Tcp(port) => {
                let (to, timeout) = (device.at_port(port), device.poll.timeout);
                let token = self.connect(TokenUse::Liveness(key), to, timeout);
                self.begin_attempt(key, Some(token), now);
            }
            Liveness::Line | Liveness::None => {
                self.rounds.remove(key);
            }
        }
    }

    /// Notes that an attempt leaves now; returns its index.
    pub(super) fn begin_attempt(&mut self, key: RoundKey, token: Option<u64>, now: Now) -> usize {
        let awake = self.clock.awake();
        let Some(round) = self.rounds.get_mut(key) else {
            return 0;
        };
        if round.attempts.is_empty() {
            round.begun = awake;
            if let Some(due) = round.due {
                self.lateness.record(due, now.mono);
            }
        }
        round.token = token;
        round.attempts.push(Attempt {
            sent: now.mono,
            sent_awake: awake,
            state: AttemptState::Waiting,
        });
        round.attempts.len() - 1
    }

    /// Where `over` is hardly longer than a round of echoes, waiting for the last echo of the round would leave no time for the
    /// burst within the promised detection time.
    pub(super) fn plan_cut(&mut self, key: RoundKey, begun: Awake, settings: &PollSettings) {
        let Some(round) = self.rounds.get(key) else { return };
        let echoes = u32::try_from(round.planned).unwrap_or(u32::MAX);
        let whole = ECHO_GAP.saturating_mul(echoes.saturating_sub(1)) + settings.timeout;
        let reserve = (settings.confirm.over / 2).min(BURST_GAP.saturating_mul(settings.confirm.echoes));
        let latest = settings.confirm.over.saturating_sub(reserve);
        if whole > latest {
            self.timers.at(begun + latest, Timer::Cut(key));
        }
    }

    /// The time of the next attempt has come.
    pub(super) fn step(&mut self, key: RoundKey, confirm: bool, now: Now) {
        let more = |r: &super::inflight::Round| r.attempts.len() < r.planned;
        if self
            .rounds
            .get(key)
            .is_some_and(|r| (r.kind == RoundKind::Confirm) == confirm && more(r))
        {
            self.attempt(key, now);
        }
    }

    /// The last echo has had its time.
    pub(super) fn expire(&mut self, key: RoundKey, confirm: bool, now: Now) {
        if self
            .rounds
            .get(key)
            .is_some_and(|r| (r.kind == RoundKind::Confirm) == confirm)
        {
            self.end(key, now);
        }
    }

    /// The burst must begin now.
    pub(super) fn cut(&mut self, key: RoundKey, now: Now) {
        let Some(round) = self.rounds.get_mut(key) else { return };
        if round.kind == RoundKind::Regular && round.received() == 0 {
            round.planned = round.attempts.len();
            self.end(key, now);
        }
    }

    pub(super) fn answered(&mut self, key: RoundKey, now: Now) {
        let Some(round) = self.rounds.get(key) else { return };
        let device = round.device;
        let owed = self.states[device.index()].owed && self.states[device.index()].current == Some(key);
        if round.kind == RoundKind::Confirm || round.complete() {
            self.end(key, now);
        } else if owed {
            self.start_regular(device, None, now);
        }
    }

    /// A GET or a connection ended; `None` is no answer.
    pub(super) fn attempt_ended(&mut self, key: RoundKey, token: u64, rtt: Option<Duration>, now: Now) {
        let awake = self.clock.awake();
        let Some(round) = self.rounds.get_mut(key).filter(|r| r.token == Some(token)) else {
            return;
        };
        round.token = None;
        let Some(attempt) = round.attempts.last_mut() else {
            return;
        };
        let sent = attempt.sent_awake;
        if let Some(rtt) = rtt {
            attempt.state = AttemptState::Answered;
            round.rtts.push(rtt);
            return self.end(key, now);
        }
        // Not `Failed`: that this host could not send is another matter.
        let settings = self.site.device(round.device).poll;
        let promised = round.begun + settings.confirm.over;
        let next = match round.kind {
            // One retry at once, if that leaves time for one attempt of the burst.
            RoundKind::Regular if round.attempts.len() == 1 && awake + settings.timeout <= promised => Some(awake),
            RoundKind::Regular => None,
            RoundKind::Confirm => Some(awake.max(sent + round.burst.1)).filter(|at| *at <= promised),
        };
        let retry = !(self.states[round.device.index()].silent && round.kind == RoundKind::Regular);
        match next.filter(|_| retry) {
            Some(at) => {
                round.planned += 1;
                let confirm = round.kind == RoundKind::Confirm;
                if at > awake {
                    self.timers.at(at, Timer::Step(key, confirm));
                } else {
                    self.attempt(key, now);
                }
            }
            None => self.end(key, now),
        }
    }

    /// A round is over: tell it; a regular one without any answer becomes a confirm burst.
    pub(super) fn end(&mut self, key: RoundKey, now: Now) {
        let Some(round) = self.rounds.get_mut(key) else { return };
        let mut report = round.report(now.mono);
        let (device, lost) = (round.device, report.received == 0);
        let sent = round.attempts.last().map(|a| a.sent);
        if let Some(sent) = sent.filter(|_| lost) {
            self.given_up.insert(device, (key, sent));
        } else if !self.given_up.is_empty() {
            self.given_up.remove(&device);
        }
        report.rejected = match self.site.device(device).liveness {
            Liveness::Snmp => self.agents.rejected(device).filter(|_| lost).cloned().map(Box::new),
            _ if self.rejected.is_empty() => None,
            _ => self.rejected.remove(&device),
        };
        let state = &mut self.states[device.index()];
        let current = state.current == Some(key);
        if state.silent && current {
            state.answering = !lost;
        }
        let confirm = lost && current && !state.silent && report.kind == RoundKind::Regular;
        let kind = match (report.kind, self.site.device(device).liveness) {
            (RoundKind::Confirm, _) => "confirm",
            (_, Liveness::Snmp) => "snmp-liveness",
            (_, Liveness::Tcp(_)) => "tcp-liveness",
            (_, Liveness::Echo | Liveness::Line | Liveness::None) => "echo",
        };
        self.count(kind, if lost { "lost" } else { "ok" });
        self.observed(Observation::Reach(report));
        if confirm && self.admit(device, key) {
            return self.begin_burst(key, now);
        }
        self.rounds.remove(key);
        let state = &mut self.states[device.index()];
        if current {
            state.current = None;
            if std::mem::take(&mut state.owed) {
                self.start_regular(device, None, now);
            }
        }
    }

    /// May the burst begin? If too many run already, the next regular round asks again.
    fn admit(&mut self, id: DeviceId, key: RoundKey) -> bool {
        let device = self.site.device(id);
        if device.liveness != Liveness::Echo {
            return true;
        }
        let plan = device.poll.confirm;
        let load = (f64::from(plan.echoes) * 1e3 / plan.over.as_secs_f64().max(0.1)).ceil() as u32;
        let may_wait = device.owner == Owner::Institution && !self.states[id.index()].parent;
        if may_wait && self.rounds.burst_load().saturating_add(load) > BURSTS {
            self.postponed += 1;
            return false;
        }
        self.rounds.load(key, load);
        true
    }

    /// Its silence is known, or explained by another fault: what is left of its burst would tell nothing.
    pub(super) fn cancel_burst(&mut self, device: DeviceId, current: Option<RoundKey>) {
        let burst = current.filter(|key| self.rounds.get(*key).is_some_and(|r| r.kind == RoundKind::Confirm));
        if let Some(key) = burst {
            self.rounds.remove(key);
            self.states[device.index()].current = None;
            self.count("confirm", "cancelled");
        }
    }

    fn begin_burst(&mut self, key: RoundKey, now: Now) {
        let awake = self.clock.awake();
        let Some(round) = self.rounds.get_mut(key) else { return };
        let device = self.site.device(round.device);
        let plan = device.poll.confirm;
        let echoes = plan.echoes.clamp(1, 1000);
        let left = (round.begun + plan.over).since(awake);
        let (planned, gap) = match device.liveness {
            Liveness::Echo => (echoes as usize, left / echoes.saturating_sub(1).max(1)),
            _ => (1, (plan.over / echoes).max(CONNECT_GAP)),
        };
        round.kind = RoundKind::Confirm;
        round.first = round.attempts.len();
        round.planned = round.first + planned;
        round.burst = (awake, gap);
        let promised = round.begun + plan.over;
        let last = round.attempts.last().map_or(awake, |a| a.sent_awake);
        // A port that refuses at once is not asked again at once.
        let first = if device.liveness == Liveness::Echo {
            awake
        } else {
            (last + gap).min(promised).max(awake)
        };
        self.states[round.device.index()].owed = false;
        if first > awake {
            self.timers.at(first, Timer::Step(key, true));
        } else {
            self.attempt(key, now);
        }
    }
}
