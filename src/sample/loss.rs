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

/// Least, most and spread of round-trip times, seconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spread {
    /// Least.
    pub min_seconds: f64,
    /// Most.
    pub max_seconds: f64,
    /// Standard deviation.
    pub deviation_seconds: f64,
}

/// Round-trip times of the last 5 to 10 minutes, summed up: no single one is kept.
#[derive(Debug, Default)]
pub struct RoundTrip {
    present: Sums,
    before: Sums,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    began: Mono,
    count: u32,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of squares of the distances from the mean (Welford).
    squares: f64,
}

impl Sums {
    fn add(&mut self, seconds: f64) {
        (self.min, self.max) = match self.count {
            0 => (seconds, seconds),
            _ => (self.min.min(seconds), self.max.max(seconds)),
        };
        self.count += 1;
        let off = seconds - self.mean;
        self.mean += off / f64::from(self.count);
        self.squares += off * (seconds - self.mean);
    }

    /// Both together (Chan, Golub and LeVeque).
    fn and(self, other: Sums) -> Sums {
        if other.count == 0 || self.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let (a, b) = (f64::from(self.count), f64::from(other.count));
        let apart = other.mean - self.mean;
        Sums {
            began: self.began,
            count: self.count + other.count,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            mean: self.mean + apart * b / (a + b),
            squares: self.squares + other.squares + apart * apart * a * b / (a + b),
        }
    }
}

impl RoundTrip {
    /// Takes a round.
    pub fn push(&mut self, round: &ReachRound) {
        if round.ended.since(self.present.began) >= WINDOW {
            let fresh = Sums {
                began: round.ended,
                ..Sums::default()
            };
            self.before = std::mem::replace(&mut self.present, fresh);
            if round.ended.since(self.before.began) >= WINDOW * 2 {
                self.before = Sums::default();
            }
        }
        round.rtts.iter().for_each(|rtt| self.present.add(rtt.as_secs_f64()));
    }

    /// What they were; nothing before the first.
    pub fn spread(&self) -> Option<Spread> {
        let all = self.present.and(self.before);
        (all.count > 0).then(|| Spread {
            min_seconds: all.min,
            max_seconds: all.max,
            deviation_seconds: (all.squares / f64::from(all.count)).sqrt(),
        })
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
    fn round_trips_have_least_most_and_spread_of_the_last_minutes() {
        let mut all = RoundTrip::default();
        assert_eq!(all.spread(), None);
        let took = |minute, millis: &[u64]| ReachRound {
            rtts: millis.iter().map(|ms| Duration::from_millis(*ms)).collect(),
            ..round(minute, 1)
        };
        all.push(&took(0, &[10, 20]));
        all.push(&took(6, &[30, 40]));
        let spread = all.spread().expect("four answers");
        assert_eq!((spread.min_seconds, spread.max_seconds), (0.01, 0.04));
        // Of 10, 20, 30 and 40 the mean is 25 and the variance 125.
        assert!((spread.deviation_seconds - 125e-6f64.sqrt()).abs() < 1e-6, "{spread:?}");
        all.push(&took(12, &[50]));
        all.push(&took(18, &[]));
        let spread = all.spread().expect("one answer of late");
        assert_eq!(
            (spread.min_seconds, spread.max_seconds, spread.deviation_seconds),
            (0.05, 0.05, 0.0)
        );
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
