//! One device's liveness: what was heard last, and how far a suspicion has come.

use crate::model::ReachState;
use crate::model::{DeviceId, Mono, Now, Recover, Wall};
use crate::poll::ReachRound;
use crate::poll::disbelief::Rejected;
use std::net::IpAddr;

/// Liveness of one device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// As judged.
    pub state: ReachState,
    /// In this state since.
    pub since: Wall,
    /// Start of the last round that was answered.
    pub last_answer: Option<Mono>,
    /// Start of the last round of which nothing was answered.
    pub last_miss: Option<Mono>,
    /// Start of the first round missed in this silence.
    pub first_miss: Option<Mono>,
    /// End of the confirm burst of this silence.
    pub confirmed_at: Option<Mono>,
    /// Echoes sent in this silence.
    pub sent: u32,
    /// Start of the first round missed since it last answered, however often that was judged anew, and what was sent since then.
    pub unheard: Option<(Mono, u32)>,
    /// A round missed after this moment is wanted before anyone is accused (many fell silent at once).
    pub fresh_after: Option<Mono>,
    /// Waiting for a parent's result since.
    pub asked_at: Option<Mono>,
    /// When it, or what lies behind it, last answered again after a silence, however short.
    pub back_at: Option<Mono>,
    /// When it last came back after a silence that was more than a suspicion.
    pub away_until: Option<Mono>,
    /// Good rounds in a row while down.
    pub good_rounds: u32,
    /// Start of the first of them.
    pub good_since: Option<Mono>,
    /// The root it hangs below.
    pub root: Option<DeviceId>,
    /// The failed common part it is behind: a number of `common`.
    pub common: Option<u32>,
    /// The incident of that root lists it.
    pub listed: bool,
    /// Down, but what is behind it answers.
    pub control_plane: bool,
    /// While it is down: something that can be reached only through it answered a round started then.
    pub child_answered: Option<(DeviceId, Mono)>,
    /// Routers that said it cannot be reached, in this silence, with the ICMP type and code.
    pub said_unreachable: Vec<(IpAddr, u8, u8)>,
    /// This host could not even send.
    pub send_error: Option<String>,
    /// The last answer in this silence that was not believed.
    pub rejected: Option<Box<Rejected>>,
    /// Loss over the window.
    pub loss_percent: Option<f64>,
    /// Mean of the last round, seconds.
    pub rtt_seconds: Option<f64>,
}

impl Node {
    pub(super) fn new(watched: bool, now: Now) -> Node {
        let state = if watched {
            ReachState::Unknown
        } else {
            ReachState::NotWatched
        };
        Node {
            state,
            since: now.wall,
            ..Node::default()
        }
    }

    pub(super) fn note_answer(&mut self, round: &ReachRound) {
        self.last_answer = self.last_answer.max(Some(round.started));
        self.send_error = None;
        self.child_answered = None;
        self.unheard = None;
        if !round.rtts.is_empty() {
            self.rtt_seconds = Some(round.rtts.iter().map(|r| r.as_secs_f64()).sum::<f64>() / round.rtts.len() as f64);
        }
    }

    pub(super) fn note_miss(&mut self, round: &ReachRound) {
        self.last_miss = self.last_miss.max(Some(round.started));
        self.sent = self.sent.saturating_add(round.sent);
        let (_, sent) = self.unheard.get_or_insert((round.started, 0));
        *sent = sent.saturating_add(round.sent);
        self.send_error = round.send_error.clone();
        if round.rejected.is_some() {
            self.rejected.clone_from(&round.rejected);
        }
        self.good_rounds = 0;
        self.good_since = None;
        self.rtt_seconds = None;
        for said in &round.errors {
            if !self.said_unreachable.contains(said) && self.said_unreachable.len() < 4 {
                self.said_unreachable.push(*said);
            }
        }
    }

    pub(super) fn suspect(&mut self, round: &ReachRound, now: Now) {
        self.state = ReachState::Suspect;
        self.since = now.wall_at(round.started);
        self.first_miss = Some(round.started);
        self.confirmed_at = None;
        self.fresh_after = None;
        self.asked_at = None;
        self.sent = round.sent;
    }

    /// It, or what lies behind it, answers again.
    pub(super) fn back(&mut self, now: Mono) {
        self.back_at = Some(now);
        if self.state != ReachState::Suspect || self.confirmed_at.is_some() {
            self.away_until = Some(now);
        }
    }

    pub(super) fn up(&mut self, state: ReachState, now: Now) {
        if self.state != state {
            self.since = now.wall;
        }
        self.state = state;
        self.end_of_silence();
    }

    /// Back to not judged: only a newer result counts.
    pub(super) fn forget(&mut self, now: Now) {
        self.state = ReachState::Unknown;
        self.since = now.wall;
        self.end_of_silence();
        self.last_answer = None;
        self.last_miss = None;
        self.loss_percent = None;
    }

    fn end_of_silence(&mut self) {
        self.first_miss = None;
        self.confirmed_at = None;
        self.fresh_after = None;
        self.asked_at = None;
        self.sent = 0;
        self.good_rounds = 0;
        self.good_since = None;
        self.control_plane = false;
        self.child_answered = None;
        self.said_unreachable.clear();
        self.rejected = None;
    }

    /// Counts a good round; true when "up" is to be believed again.
    pub(super) fn recovers(&mut self, round: &ReachRound, recover: &Recover) -> bool {
        self.good_rounds += 1;
        let since = *self.good_since.get_or_insert(round.started);
        self.good_rounds >= recover.rounds && round.ended.since(since) >= recover.over
    }
}
