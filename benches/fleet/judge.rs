//! What the fleet says: which rounds were asked, which were missed, how regular they were.

use super::agent::Log;
use std::time::Duration;

/// Figures of one run.
pub(crate) struct Verdict {
    liveness: Stream,
    rounds: Stream,
    requests: u64,
    garbage: u64,
    columns: usize,
}

#[derive(Default)]
struct Stream {
    asked: u64,
    missed: u64,
    /// Distance of each from its phase, milliseconds.
    off: Vec<f64>,
}

/// Judges what was asked between `from` and `to`. A gap of one and a half intervals is one missed round.
pub(crate) fn judge(logs: &[Log], from: Duration, to: Duration, interval: Duration) -> Verdict {
    let mut v = Verdict {
        liveness: Stream::default(),
        rounds: Stream::default(),
        requests: 0,
        garbage: 0,
        columns: 0,
    };
    for log in logs {
        v.liveness.add(&log.liveness, from, to, interval);
        v.rounds.add(&log.rounds, from, to, interval);
        v.requests += log.requests;
        v.garbage += log.garbage;
        v.columns = v.columns.max(log.columns);
    }
    v
}

impl Stream {
    fn add(&mut self, times: &[Duration], from: Duration, to: Duration, interval: Duration) {
        let mut last = from;
        let mut first = None;
        for t in times.iter().filter(|t| **t >= from && **t < to) {
            if first.is_some() && *t - last < interval / 2 {
                continue; // a retry
            }
            self.missed += missed(*t - last, interval, first.is_none());
            let first = *first.get_or_insert(*t);
            let into = (*t - first).as_secs_f64() % interval.as_secs_f64();
            self.off.push(into.min(interval.as_secs_f64() - into) * 1_000.0);
            self.asked += 1;
            last = *t;
        }
        self.missed += missed(to - last, interval, true);
    }

    fn off_p99(&mut self) -> f64 {
        self.off.sort_by(f64::total_cmp);
        self.off.get(self.off.len() * 99 / 100).copied().unwrap_or(f64::NAN)
    }

    fn line(&mut self, name: &str) {
        let (asked, missed, p99) = (self.asked, self.missed, self.off_p99());
        println!("{name:16} {asked} asked, {missed} missed, p99 {p99:.1} ms off its phase (by the fleet)");
    }
}

/// Rounds that should have been in a gap. At the edges of the window a gap is shorter than an interval.
fn missed(gap: Duration, interval: Duration, edge: bool) -> u64 {
    let turns = gap.as_secs_f64() / interval.as_secs_f64();
    let slack = if edge { 0.1 } else { 0.5 };
    (turns - 1.0 + (1.0 - slack)).floor().max(0.0) as u64
}

impl Verdict {
    pub(crate) fn missed(&self) -> u64 {
        self.liveness.missed + self.rounds.missed
    }

    pub(crate) fn print(&self, cpu: Duration, window: Duration, memory: u64, kernel: f64) -> f64 {
        let Verdict { liveness, rounds, .. } = self;
        let copy = |s: &Stream| Stream {
            off: s.off.clone(),
            ..*s
        };
        copy(liveness).line("liveness GETs");
        copy(rounds).line("SNMP rounds");
        let polls = (liveness.asked + rounds.asked).max(1);
        println!(
            "requests         {} in all, {} not understood, {} columns a round",
            self.requests, self.garbage, self.columns
        );
        println!(
            "CPU              {:.2} % of a core, {:.1} µs a request (liveness and rounds alike), {:.0} % of it in the kernel",
            cpu.as_secs_f64() / window.as_secs_f64() * 100.0,
            cpu.as_secs_f64() * 1e6 / polls as f64,
            kernel * 100.0
        );
        println!("memory           {} MiB resident", memory / 1024);
        cpu.as_secs_f64() * 1e6 / polls as f64
    }
}
