//! A device's own clock, sysUpTime, with ours as its witness.
//!
//! Rates are divided by the time between two readings as the device counts it, because an answer may be under way for a while. That is
//! right only where sysUpTime counts seconds: agents are known whose sysUpTime stands still, or runs many times too fast.
//!
//! Never here: our clock (readings carry it), a rate.

use super::Unknown;
use crate::model::Mono;
use std::time::Duration;

/// A clock is judged over at least this long.
const JUDGED_OVER: Duration = Duration::from_secs(30);
/// The longest time it is judged over is twice this.
const HALF: Duration = Duration::from_secs(150);
/// Share of our time by which it may run off.
const MAY_DIFFER: f64 = 0.05;
/// Seconds that an answer may be under way longer than another one.
const UNDER_WAY: f64 = 2.0;
/// A clock that was wrong is believed again when it runs twice as well as it has to.
const AGAIN: f64 = 0.5;

/// One reading of a device's clock: ours, and its sysUpTime in 1/100 s.
type Reading = (Mono, u32);

/// What is known of a device's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeviceClock {
    /// It is judged since here.
    from: Option<Reading>,
    /// It will be judged since here.
    then: Option<Reading>,
    last: Option<Reading>,
    /// It is no clock.
    wrong: bool,
}

/// Seconds between two readings by the device's own clock. sysUpTime counts 1/100 s modulo 2³²: after 497 days it begins anew.
pub(super) fn seconds(old: u32, new: u32) -> f64 {
    f64::from(new.wrapping_sub(old)) / 100.0
}

impl DeviceClock {
    /// Takes a reading; an error says that the device's time cannot be used now.
    pub(super) fn take(&mut self, at: Mono, uptime: u32) -> Result<(), Unknown> {
        let now = (at, uptime);
        // All rows of one answer have one reading, and those of an earlier answer may come after it.
        if self.last.is_some_and(|(last, _)| at <= last) {
            return self.verdict();
        }
        match self.last.replace(now) {
            Some(last) if began_anew(last, now) => (self.from, self.then) = (Some(now), None),
            _ => {}
        }
        let from = *self.from.get_or_insert(now);
        let ours = at.since(from.0);
        if ours < JUDGED_OVER {
            return self.verdict();
        }
        let may_differ = ours.as_secs_f64() * MAY_DIFFER + UNDER_WAY;
        let off = (seconds(from.1, uptime) - ours.as_secs_f64()).abs();
        self.wrong = off > may_differ * if self.wrong { AGAIN } else { 1.0 };
        if self.wrong {
            (self.from, self.then) = (Some(now), None);
        } else if ours >= HALF {
            let then = *self.then.get_or_insert(now);
            if at.since(then.0) >= HALF {
                (self.from, self.then) = (Some(then), Some(now));
            }
        }
        self.verdict()
    }

    /// Can it be used?
    pub(super) fn verdict(self) -> Result<(), Unknown> {
        if self.wrong { Err(Unknown::DeviceClock) } else { Ok(()) }
    }
}

/// The device restarted between two readings: its clock fell, and not because it was full; or it is younger than the time between.
fn began_anew(last: Reading, now: Reading) -> bool {
    let ours = now.0.since(last.0).as_secs_f64();
    let full = now.1 < last.1 && (seconds(last.1, now.1) - ours).abs() <= ours * MAY_DIFFER + UNDER_WAY;
    let younger = now.1 != last.1 && f64::from(now.1) / 100.0 + UNDER_WAY < ours;
    now.1 < last.1 && !full || younger
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads every `step` seconds a clock that counts `rate` a second from `uptime`; gives what was said, by reading.
    fn said(clock: &mut DeviceClock, (from, to, step): (u64, u64, u64), uptime: u32, rate: f64) -> Vec<bool> {
        let at = |s: u64| (Mono(s * 1_000_000), uptime.wrapping_add((s as f64 * rate) as u32));
        let all = (from..=to).step_by(step as usize).map(at);
        all.map(|(at, uptime)| clock.take(at, uptime).is_ok()).collect()
    }

    #[test]
    fn a_clock_that_counts_seconds_is_believed_also_when_it_is_full() {
        for uptime in [0, 5_000_000, u32::MAX - 20_000] {
            for rate in [97.0, 100.0, 103.0] {
                let all = said(&mut DeviceClock::default(), (0, 3_600, 5), uptime, rate);
                assert!(all.iter().all(|ok| *ok), "{uptime} at {rate}");
            }
        }
    }

    #[test]
    fn a_clock_that_stands_still_or_runs_off_is_none() {
        for rate in [0.0, 10.0, 50.0, 90.0, 110.0, 200.0, 1_000.0, 100_000.0] {
            for step in [2, 5, 60, 300] {
                let all = said(&mut DeviceClock::default(), (0, 3_600, step), 5_000_000, rate);
                let first = all.iter().position(|ok| !ok).expect("it is noticed");
                let most = if (50.0..=200.0).contains(&rate) { 60 } else { 30 };
                assert!(
                    first as u64 * step <= most.max(step) + step,
                    "{rate} every {step} s: {first}"
                );
                assert!(all[first..].iter().all(|ok| !ok), "{rate} every {step} s: and stays so");
            }
        }
        let slightly = said(&mut DeviceClock::default(), (0, 600, 5), 5_000_000, 107.0);
        assert!(slightly.contains(&false), "7 % is noticed over a longer time");
    }

    #[test]
    fn a_clock_that_is_right_again_is_believed_again() {
        let mut clock = DeviceClock::default();
        assert_eq!(said(&mut clock, (0, 60, 5), 5_000_000, 0.0).last(), Some(&false));
        let again = said(&mut clock, (65, 200, 5), 5_000_000, 100.0);
        assert!(!again[0] && again[12..].iter().all(|ok| *ok), "{again:?}");
    }

    #[test]
    fn rows_of_several_answers_may_come_in_any_order() {
        let mut clock = DeviceClock::default();
        let mut all = Vec::new();
        for s in (0..120u64).step_by(5) {
            // The second answer of a round first; the clock runs at twice the speed.
            for millis in [s * 1_000 + 300, s * 1_000] {
                all.push(clock.take(Mono(millis * 1_000), 5_000_000 + millis as u32 / 5).is_ok());
            }
        }
        assert_eq!(all.last(), Some(&false));
    }

    #[test]
    fn a_restart_is_no_wrong_clock() {
        let mut clock = DeviceClock::default();
        said(&mut clock, (0, 60, 5), 5_000_000, 100.0);
        let after = |s: u64| ((s - 60) * 100) as u32;
        assert!(
            (65..300)
                .step_by(5)
                .all(|s| clock.take(Mono(s * 1_000_000), after(s)).is_ok())
        );
    }
}
