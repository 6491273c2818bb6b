//! What polling counts about itself, for `/metrics`.

use super::{AgentFailure, DropReason};
use crate::model::Mono;
use std::collections::BTreeMap;
use std::time::Duration;

/// Upper bounds of the lateness histogram, in seconds.
pub const LATENESS_BOUNDS: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, f64::INFINITY];

/// A reading of the counters of [`super::Poll`]; all only grow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollCounters {
    /// Rounds ended, by kind (`echo`, `snmp-liveness`, `tcp-liveness`, `confirm`, `snmp`, `tcp`, `tls`, `http`, `dns`, `ntp`,
    /// `command`) and result (`ok`, `lost`, `malformed`, `not-known`, `timeout`, `unknown-user`, `refused` …).
    pub rounds: BTreeMap<(&'static str, &'static str), u64>,
    /// Datagrams not believed.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Rounds by how late they started: (upper bound in seconds, count), cumulative, the last bound infinite.
    pub lateness: Vec<(f64, u64)>,
    /// Sum of lateness, seconds.
    pub lateness_sum: f64,
    /// Rounds not started because this process stood still for longer than their interval.
    pub skipped: u64,
    /// Rounds not started because the one before was still running.
    pub overrun: u64,
    /// Confirm bursts put off to the next miss because too many were running.
    pub postponed: u64,
    /// How often a datagram or the start of a round had to wait for another tick of 10 ms.
    pub paced: u64,
    /// All the time that this process stood still (starved, stopped, suspended); no deadline passed meanwhile.
    pub stalled: Duration,
}

/// Counts how late rounds start.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    bins: [u64; LATENESS_BOUNDS.len()],
    sum: f64,
}

impl Lateness {
    /// A round due at `due` started at `started`.
    pub(super) fn record(&mut self, due: Mono, started: Mono) {
        let late = started.since(due).as_secs_f64();
        let bin = LATENESS_BOUNDS
            .partition_point(|b| *b < late)
            .min(LATENESS_BOUNDS.len() - 1);
        self.bins[bin] += 1;
        self.sum += late;
    }

    /// Cumulative counts, and the sum in seconds.
    pub(super) fn read(&self) -> (Vec<(f64, u64)>, f64) {
        let mut total = 0;
        let cumulative = LATENESS_BOUNDS.iter().zip(self.bins).map(|(bound, n)| {
            total += n;
            (*bound, total)
        });
        (cumulative.collect(), self.sum)
    }
}

/// The word for a failed SNMP round.
pub(super) fn failure_word(failure: &AgentFailure) -> &'static str {
    match failure {
        AgentFailure::Timeout => "timeout",
        AgentFailure::UnknownUser => "unknown-user",
        AgentFailure::WrongKey => "wrong-key",
        AgentFailure::WrongPrivacy => "wrong-privacy",
        AgentFailure::UnsupportedLevel => "unsupported-level",
        AgentFailure::NotInTimeWindow => "not-in-time-window",
        AgentFailure::Malformed => "malformed",
        AgentFailure::ErrorStatus(_) => "error-status",
        AgentFailure::BrokenOff(_) => "broken-off",
        AgentFailure::UnknownContext => "unknown-context",
        AgentFailure::BootsExhausted => "boots-exhausted",
        AgentFailure::NotBelieved(_) => "not-believed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_cumulative_and_its_last_bound_takes_all() {
        let mut l = Lateness::default();
        for late_us in [0, 10_000, 10_001, 700_000, 60_000_000] {
            l.record(Mono(1_000), Mono(1_000 + late_us));
        }
        let (bins, sum) = l.read();
        assert_eq!(
            bins.iter().map(|b| b.1).collect::<Vec<_>>(),
            [2, 3, 3, 3, 3, 4, 4, 4, 5]
        );
        assert!((sum - 60.720_001).abs() < 1e-9);
    }
}
