//! Two levels with hysteresis on one number (guideline 3.2.1(5)).
//!
//! A level begins when the value has stayed at or above `raise` for `for`, and ends when it has stayed at or below `clear` for
//! `clear_for`. Going up or down a level is a change of the same finding. No data holds the state.

use crate::model::{Level, Mono, Threshold};
use std::time::Duration;

/// Samples do not arrive to the millisecond: a hold time counts as passed this much early.
const SLACK: Duration = Duration::from_millis(150);

/// State of one threshold on one number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThresholdState {
    level: Level,
    above_since: [Option<Mono>; 2],
    below_since: [Option<Mono>; 2],
}

/// A level change, with the value of the bound that decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Before.
    pub from: Level,
    /// After.
    pub to: Level,
    /// `raise` of the new level when going up; `clear` of the level that ended last when going down.
    pub bound: f64,
    /// When the value first crossed that bound, this time.
    pub since: Mono,
}

const LEVELS: [Level; 2] = [Level::Warning, Level::Critical];

impl ThresholdState {
    /// A state restored from the ledger: the level holds, pending times start afresh.
    pub fn restored(level: Level) -> ThresholdState {
        ThresholdState {
            level,
            ..ThresholdState::default()
        }
    }

    /// Level in force.
    pub fn level(&self) -> Level {
        self.level
    }

    /// A level is in force, or may soon be.
    pub fn is_suspect(&self) -> bool {
        self.level > Level::Ok || self.above_since.iter().any(Option::is_some)
    }

    /// Forgets pending times, as after a gap in the data; the level holds.
    pub fn gap(&mut self) {
        self.above_since = [None; 2];
        self.below_since = [None; 2];
    }

    /// Takes a value.
    pub fn take(&mut self, value: f64, threshold: &Threshold, at: Mono) -> Option<Step> {
        for (i, level) in LEVELS.into_iter().enumerate() {
            let bound = threshold.bound(level);
            track(&mut self.above_since[i], bound.is_some_and(|b| value >= b.raise()), at);
            track(&mut self.below_since[i], bound.is_none_or(|b| value <= b.clear()), at);
        }
        let step = self.rise(threshold, at).or_else(|| self.fall(threshold, at))?;
        self.level = step.to;
        Some(step)
    }

    fn rise(&self, threshold: &Threshold, at: Mono) -> Option<Step> {
        LEVELS.into_iter().enumerate().rev().find_map(|(i, to)| {
            let since = self.above_since[i].filter(|s| passed(*s, at, threshold.hold))?;
            let bound = threshold.bound(to)?.raise();
            (to > self.level).then_some(Step {
                from: self.level,
                to,
                bound,
                since,
            })
        })
    }

    fn fall(&self, threshold: &Threshold, at: Mono) -> Option<Step> {
        let ended = |i: usize| self.below_since[i].filter(|s| passed(*s, at, threshold.clear_hold));
        let from = self.level;
        let (to, last, since) = match from {
            Level::Ok => return None,
            Level::Warning => (Level::Ok, Level::Warning, ended(0)?),
            Level::Critical => {
                let since = ended(1)?;
                // Without a warning level, or with the value already below its clear for long enough, nothing remains.
                match (threshold.bound(Level::Warning), ended(0)) {
                    (None, _) => (Level::Ok, Level::Critical, since),
                    (Some(_), Some(since)) => (Level::Ok, Level::Warning, since),
                    (Some(_), None) => (Level::Warning, Level::Critical, since),
                }
            }
        };
        let bound = threshold.bound(last).map_or(f64::NAN, |b| b.clear());
        Some(Step { from, to, bound, since })
    }
}

fn track(since: &mut Option<Mono>, holds: bool, at: Mono) {
    match holds {
        true => {
            since.get_or_insert(at);
        }
        false => *since = None,
    }
}

fn passed(since: Mono, at: Mono, hold: Duration) -> bool {
    at.since(since) + SLACK.min(hold / 4) >= hold
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bound;

    fn cpu() -> Threshold {
        let bound = |raise, clear| Bound::new(raise, clear);
        Threshold::new(
            bound(70.0, 65.0),
            bound(90.0, 85.0),
            Duration::from_secs(6),
            Duration::from_secs(6),
        )
        .unwrap()
    }

    /// Feeds each value every 2 s for 10 s and returns the changes as (value fed, new level).
    fn changes(values: &[f64]) -> Vec<(f64, Level)> {
        let (mut state, mut at, mut out) = (ThresholdState::default(), Mono(0), Vec::new());
        for value in values {
            for _ in 0..5 {
                out.extend(state.take(*value, &cpu(), at).map(|s| (*value, s.to)));
                at = at + Duration::from_secs(2);
            }
        }
        out
    }

    #[test]
    fn the_whole_way_up_and_down_gives_four_changes() {
        use Level::{Critical, Ok, Warning};
        let seen = changes(&[65.0, 75.0, 95.0, 87.0, 84.0, 68.0, 62.0]);
        assert_eq!(seen, [(75.0, Warning), (95.0, Critical), (84.0, Warning), (62.0, Ok)]);
    }

    #[test]
    fn a_fall_to_nothing_skips_the_warning() {
        assert_eq!(changes(&[95.0, 10.0]), [(95.0, Level::Critical), (10.0, Level::Ok)]);
    }

    #[test]
    fn the_way_down_names_the_limit_that_ended_last() {
        let down = |values: &[f64]| {
            let mut state = ThresholdState::restored(Level::Critical);
            let steps = (0u64..)
                .zip(values)
                .filter_map(|(i, value)| state.take(*value, &cpu(), Mono(i * 60_000_000)));
            steps.map(|step| (step.to, step.bound)).collect::<Vec<_>>()
        };
        let (warning, critical) = (
            cpu().bound(Level::Warning).unwrap().clear(),
            cpu().bound(Level::Critical).unwrap().clear(),
        );
        let nothing = [0.0; 20];
        assert_eq!(
            down(&nothing),
            [(Level::Ok, warning)],
            "straight from critical to nothing"
        );
        let between = [(warning + critical) / 2.0; 20];
        assert_eq!(
            down(&[&between[..], &nothing].concat()),
            [(Level::Warning, critical), (Level::Ok, warning)]
        );
    }

    #[test]
    fn a_short_peak_is_no_finding() {
        let mut state = ThresholdState::default();
        for (t, v) in [(0, 95.0), (2, 95.0), (4, 60.0), (6, 95.0), (8, 95.0), (10, 95.0)] {
            assert_eq!(state.take(v, &cpu(), Mono(t * 1_000_000)), None);
        }
    }

    #[test]
    fn a_gap_holds_the_level_and_starts_pending_times_afresh() {
        let mut state = ThresholdState::restored(Level::Warning);
        assert_eq!(state.take(60.0, &cpu(), Mono(0)), None);
        state.gap();
        assert_eq!(
            state.take(60.0, &cpu(), Mono(60_000_000)),
            None,
            "one value after a gap ends nothing"
        );
        assert_eq!(
            state.take(60.0, &cpu(), Mono(66_000_000)).map(|s| s.to),
            Some(Level::Ok)
        );
    }

    #[test]
    fn a_critical_without_warning_ends_in_ok() {
        let only = Threshold::new(None, Bound::new(90.0, 85.0), Duration::ZERO, Duration::ZERO).unwrap();
        let mut state = ThresholdState::default();
        assert_eq!(state.take(95.0, &only, Mono(1)).map(|s| s.to), Some(Level::Critical));
        assert_eq!(state.take(86.0, &only, Mono(2)), None);
        assert_eq!(state.take(85.0, &only, Mono(3)).map(|s| s.to), Some(Level::Ok));
    }
}
