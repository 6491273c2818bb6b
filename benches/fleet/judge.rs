//! The verdict: intervals of the window in which an address was not asked, and how regular those were in which it was.

use super::count::Entry;
use std::fmt;

/// Figures of one kind of probe in one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    /// Addresses judged.
    pub(crate) targets: u64,
    /// Rounds that began in the window.
    pub(crate) rounds: u64,
    /// Of these, rounds in which all ports were asked for.
    pub(crate) complete: u64,
    /// Intervals without a round.
    pub(crate) missed: u64,
    /// Addresses with at least one of those.
    pub(crate) missing_targets: u64,
    /// Milliseconds after the phase of the address: half, 99 % and all of the rounds are no later.
    pub(crate) late_ms: [u32; 3],
    /// Largest time between two rounds, milliseconds.
    pub(crate) gap_ms: u32,
}

/// The measured window, milliseconds since the fleet began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) interval: u32,
}

/// Judges those of `targets` that are `wanted`.
pub(crate) fn judge(log: &[Entry], targets: u32, window: Window, wanted: impl Fn(u32) -> bool) -> Verdict {
    let mut times: Vec<(u32, u32)> = log.iter().map(|e| (e.who, e.ms)).collect();
    times.sort_unstable();
    let mut verdict = Verdict::default();
    let mut late = Vec::with_capacity(times.len());
    let mut rest = times.as_slice();
    for who in 0..targets {
        let (own, others) = rest.split_at(rest.partition_point(|(w, _)| *w == who));
        rest = others;
        if wanted(who) {
            verdict.add(own, window, &mut late);
        }
    }
    verdict.complete = log.iter().filter(|e| e.complete && wanted(e.who)).count() as u64;
    late.sort_unstable();
    let at = |share: f64| {
        late.get(((late.len() as f64 * share).ceil() as usize).saturating_sub(1))
            .copied()
    };
    verdict.late_ms = [0.5, 0.99, 1.0].map(|share| at(share).unwrap_or(0));
    verdict
}

impl Verdict {
    fn add(&mut self, own: &[(u32, u32)], window: Window, late: &mut Vec<u32>) {
        let (missed, lateness) = on_time(own, window);
        self.targets += 1;
        self.rounds += own.len() as u64;
        self.missed += u64::from(missed);
        self.missing_targets += u64::from(missed > 0);
        let gap = own.windows(2).map(|pair| pair[1].1 - pair[0].1).max();
        self.gap_ms = self.gap_ms.max(gap.unwrap_or(0));
        late.extend(lateness);
    }
}

/// Missed intervals, and the lateness of each round, against the phase that fits best. More rounds than intervals are those of an
/// address that was asked for other reasons too (a confirmation): then each round is tried as the phase.
fn on_time(own: &[(u32, u32)], window: Window) -> (u32, Vec<u32>) {
    let length = window.to - window.from;
    let tries = if own.len() as u32 <= length / window.interval + 1 {
        1
    } else {
        own.len()
    };
    let against = |anchor: u32| {
        let offset = |ms: u32| {
            let into = (i64::from(ms) - i64::from(anchor)).rem_euclid(i64::from(window.interval));
            if into > i64::from(window.interval) / 2 {
                into - i64::from(window.interval)
            } else {
                into
            }
        };
        let phase = own.iter().map(|(_, ms)| offset(*ms)).min().unwrap_or(0);
        let lateness: Vec<u32> = own.iter().map(|(_, ms)| (offset(*ms) - phase) as u32).collect();
        (slots_without(own, window, i64::from(anchor) + phase), lateness)
    };
    let all = own.iter().take(tries).map(|(_, ms)| against(*ms));
    let best = all.min_by_key(|(missed, lateness)| (*missed, lateness.iter().map(|l| u64::from(*l)).sum::<u64>()));
    best.unwrap_or((length / window.interval, Vec::new()))
}

/// Times `phase + k × interval` that no round is within half an interval of. Near the edges nothing is judged: what came just
/// before the window, or is late just behind it, has not been seen.
fn slots_without(own: &[(u32, u32)], window: Window, phase: i64) -> u32 {
    let interval = i64::from(window.interval);
    let begin = i64::from(window.from) + interval / 10;
    let first = begin + (phase - begin).rem_euclid(interval);
    let mut missed = 0;
    let mut slot = first;
    while slot + interval / 2 <= i64::from(window.to) {
        let hit = own
            .iter()
            .any(|(_, ms)| (i64::from(*ms) - slot) * 2 < interval && (slot - i64::from(*ms)) * 2 <= interval);
        missed += u32::from(!hit);
        slot += interval;
    }
    missed
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = self.late_ms;
        write!(
            f,
            "targets={} rounds={} complete={} missed={} missing_targets={} late_p50={p50} late_p99={p99} late_max={max} gap={}",
            self.targets, self.rounds, self.complete, self.missed, self.missing_targets, self.gap_ms
        )
    }
}

impl Verdict {
    /// Reads back what [`fmt::Display`] wrote.
    pub(crate) fn read(line: &str) -> Option<Verdict> {
        let field = |name: &str| -> Option<u64> {
            let mut words = line.split_whitespace();
            words
                .find_map(|w| w.strip_prefix(name)?.strip_prefix('='))?
                .parse()
                .ok()
        };
        let ms = |name: &str| field(name).map(|n| n as u32);
        Some(Verdict {
            targets: field("targets")?,
            rounds: field("rounds")?,
            complete: field("complete")?,
            missed: field("missed")?,
            missing_targets: field("missing_targets")?,
            late_ms: [ms("late_p50")?, ms("late_p99")?, ms("late_max")?],
            gap_ms: ms("gap")?,
        })
    }
}

/// Proves at start that the judge can say "missed": a bench has no test harness.
pub(crate) fn self_check() {
    let window = Window {
        from: 10_000,
        to: 70_000,
        interval: 10_000,
    };
    let at = |ms: &[u32]| -> Vec<Entry> {
        let entry = |ms: &u32| Entry {
            who: 1,
            ms: *ms,
            complete: true,
        };
        ms.iter().map(entry).collect()
    };
    let verdict = |ms: &[u32]| judge(&at(ms), 2, window, |who| who == 1);
    let good = verdict(&[13_000, 23_010, 33_000, 43_900, 53_000, 63_000]);
    assert_eq!((good.missed, good.rounds, good.late_ms[2]), (0, 6, 900));
    assert_eq!(verdict(&[13_000, 23_000, 43_000, 53_000, 63_000]).missed, 1, "one gap");
    assert_eq!(
        verdict(&[33_000, 43_000, 53_000]).missed,
        3,
        "two at the beginning, one at the end"
    );
    assert_eq!(verdict(&[]).missed, 6, "never asked");
    let confirming = verdict(&[
        13_000, 15_000, 17_000, 19_500, 22_000, 23_000, 33_000, 43_000, 53_000, 63_000,
    ]);
    assert_eq!(confirming.missed, 0, "other requests beside the rounds");
    assert_eq!(
        Verdict::read(&good.to_string()),
        Some(good),
        "the verdict is read as it was written"
    );
}
