//! Echo loss and round-trip time over a window: 5 minutes, and longer where that is fewer than 20 echoes.

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

/// Rounds of the last 5 minutes, or of the last 20 echoes where these took longer.
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
        let mut sent: u32 = self.rounds.iter().map(|(_, sent, _)| sent).sum();
        while let Some((at, of_it, _)) = self.rounds.front().copied() {
            // One echo a minute makes 20 of them in 20 minutes: without those nothing could ever be said.
            let old = at < oldest && sent - of_it >= ECHOES_MIN;
            if !old && self.rounds.len() <= ROUNDS_MAX {
                break;
            }
            self.rounds.pop_front();
            sent -= of_it;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeviceId;

    fn round(minute: u64, received: u32) -> ReachRound {
        let at = Mono(minute * 60_000_000);
        ReachRound {
            device: DeviceId(0),
            kind: RoundKind::Regular,
            started: at,
            ended: at,
            sent: 1,
            received,
            rtts: Vec::new(),
            errors: Vec::new(),
            send_error: None,
        }
    }

    #[test]
    fn one_echo_a_minute_is_judged_over_twenty_minutes() {
        let mut window = LossWindow::default();
        for minute in 0..19 {
            window.push(&round(minute, u32::from(minute != 5)));
            assert_eq!(window.percent(), None, "minute {minute}");
        }
        window.push(&round(19, 1));
        assert_eq!(window.percent(), Some(5.0));
        for minute in 20..26 {
            window.push(&round(minute, 1));
        }
        assert_eq!(
            window.percent(),
            Some(0.0),
            "what was lost at minute 5 is out of the window"
        );
    }
}
