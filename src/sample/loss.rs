//! Echo loss and round-trip time over a window: at least 20 echoes, up to 5 minutes.

use crate::model::Mono;
use crate::poll::{ReachRound, RoundKind};
use std::collections::VecDeque;
use std::time::Duration;

/// How far back the window reaches (design section 3).
pub const WINDOW: Duration = Duration::from_secs(300);
/// Fewer echoes than this say nothing about loss.
pub const ECHOES_MIN: u32 = 20;
/// A window never holds more rounds than this, whatever the interval.
const ROUNDS_MAX: usize = 300;

/// Rounds of the last 5 minutes.
#[derive(Default)]
pub struct LossWindow {
    rounds: VecDeque<(Mono, u32, u32)>,
    rtt_mean_seconds: Option<f64>,
}

impl LossWindow {
    /// Takes a round. A confirm burst is left out: it is sent because something was lost and would count that loss twice.
    pub fn push(&mut self, round: &ReachRound) {
        if !round.rtts.is_empty() {
            let sum: Duration = round.rtts.iter().sum();
            self.rtt_mean_seconds = Some(sum.as_secs_f64() / round.rtts.len() as f64);
        } else {
            self.rtt_mean_seconds = None;
        }
        if round.kind == RoundKind::Confirm || round.sent == 0 {
            return;
        }
        self.rounds
            .push_back((round.ended, round.sent, round.received.min(round.sent)));
        let oldest = round.ended - WINDOW;
        while self.rounds.front().is_some_and(|(at, ..)| *at < oldest) || self.rounds.len() > ROUNDS_MAX {
            self.rounds.pop_front();
        }
    }

    /// Percent lost, if at least [`ECHOES_MIN`] echoes were sent.
    pub fn percent(&self) -> Option<f64> {
        let (sent, received) = self.rounds.iter().fold((0u32, 0u32), |(s, r), x| (s + x.1, r + x.2));
        (sent >= ECHOES_MIN).then(|| f64::from(sent - received) / f64::from(sent) * 100.0)
    }

    /// Mean round-trip time of the last round, seconds.
    pub fn mean_rtt(&self) -> Option<f64> {
        self.rtt_mean_seconds
    }
}
