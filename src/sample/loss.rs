//! Echo loss and round-trip time over a window: 5 minutes, and longer where that is fewer than 20 echoes.

use crate::model::{Mono, PollSettings};
use crate::poll::{ReachRound, RoundKind};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

/// How far back the window reaches (design section 3).
pub const WINDOW: Duration = Duration::from_secs(300);
/// Fewer echoes than this say nothing about loss.
pub const ECHOES_MIN: u32 = 20;
/// A window never holds more rounds than this, whatever the interval.
const ROUNDS_MAX: usize = 300;

/// Rounds of the last 5 minutes, or of the last 20 echoes where these took longer.
pub struct LossWindow {
    rounds: Rounds,
    rtt_mean_seconds: Option<f32>,
}

enum Rounds {
    /// All of the window, one by one.
    Many(Many),
    /// One echo a round, so seldom that the window is the last 20 of them whatever the time: a bit an echo, the newest lowest.
    /// A nation of circuits is polled like this.
    Single { answered: u32, count: u8 },
}

/// Rounds with their sums, which a round changes by its own part only.
#[derive(Default)]
struct Many {
    /// When, sent, answered.
    rounds: VecDeque<(Mono, u32, u32)>,
    sent: u32,
    received: u32,
}

impl LossWindow {
    /// Nothing sent yet.
    pub fn new(settings: &PollSettings) -> LossWindow {
        let single = settings.echoes == 1 && settings.interval * ECHOES_MIN >= WINDOW;
        LossWindow {
            rounds: match single {
                true => Rounds::Single { answered: 0, count: 0 },
                false => Rounds::Many(Many::default()),
            },
            rtt_mean_seconds: None,
        }
    }

    /// Looks at what the next round is added to.
    pub(super) fn warm(&self) {
        match &self.rounds {
            Rounds::Many(many) => drop(black_box((many.rounds.front().copied(), many.rounds.back().copied()))),
            Rounds::Single { count, .. } => drop(black_box(*count)),
        }
    }

    /// Takes a round. A confirm burst is left out: it is sent because something was lost and would count that loss twice.
    pub fn push(&mut self, round: &ReachRound) {
        let mean = || round.rtts.iter().sum::<Duration>().as_secs_f32() / round.rtts.len() as f32;
        self.rtt_mean_seconds = (!round.rtts.is_empty()).then(mean);
        if round.kind == RoundKind::Confirm || round.sent == 0 {
            return;
        }
        let received = round.received.min(round.sent);
        match &mut self.rounds {
            Rounds::Many(many) => many.push(round.ended, round.sent, received),
            Rounds::Single { answered, count } => {
                *answered = *answered << 1 | u32::from(received > 0);
                *count = (*count + 1).min(ECHOES_MIN as u8);
            }
        }
    }

    /// Percent lost, if at least [`ECHOES_MIN`] echoes were sent.
    pub fn percent(&self) -> Option<f64> {
        let (sent, received) = match &self.rounds {
            Rounds::Many(many) => (many.sent, many.received),
            Rounds::Single { answered, count } => {
                let window = (1u32 << ECHOES_MIN) - 1;
                (u32::from(*count), (answered & window).count_ones())
            }
        };
        (sent >= ECHOES_MIN).then(|| f64::from(sent - received) / f64::from(sent) * 100.0)
    }

    /// A round was taken.
    pub fn has_rounds(&self) -> bool {
        match &self.rounds {
            Rounds::Many(many) => !many.rounds.is_empty(),
            Rounds::Single { count, .. } => *count > 0,
        }
    }

    /// Mean round-trip time of the last round, seconds.
    pub fn mean_rtt(&self) -> Option<f64> {
        self.rtt_mean_seconds.map(f64::from)
    }
}

impl Many {
    fn push(&mut self, ended: Mono, sent: u32, received: u32) {
        self.rounds.push_back((ended, sent, received));
        (self.sent, self.received) = (self.sent + sent, self.received + received);
        let oldest = ended - WINDOW;
        while let Some((at, of_it, answered)) = self.rounds.front().copied() {
            // One echo a minute makes 20 of them in 20 minutes: without those nothing could ever be said.
            let old = at < oldest && self.sent - of_it >= ECHOES_MIN;
            if !old && self.rounds.len() <= ROUNDS_MAX {
                break;
            }
            self.rounds.pop_front();
            (self.sent, self.received) = (self.sent - of_it, self.received - answered);
        }
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
            rejected: None,
        }
    }

    #[test]
    fn one_echo_a_minute_is_judged_over_twenty_minutes() {
        for echoes in [1, 3] {
            let settings = PollSettings {
                echoes,
                interval: Duration::from_secs(60),
                timeout: Duration::from_secs(2),
                confirm: crate::model::Confirm {
                    echoes: 15,
                    over: Duration::from_secs(30),
                },
                recover: crate::model::Recover {
                    rounds: 3,
                    over: Duration::from_secs(60),
                },
            };
            let window = LossWindow::new(&settings);
            assert_eq!(matches!(window.rounds, Rounds::Single { .. }), echoes == 1);
            over_twenty_minutes(window);
        }
    }

    fn over_twenty_minutes(mut window: LossWindow) {
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
