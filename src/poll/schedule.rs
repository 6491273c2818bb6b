//! What is due when: every stream of rounds has a fixed phase within its interval, taken from a stable hash of its name.
//!
//! One ring per interval: the streams sorted by phase, and a cursor. No timer and no task per target. Since the phase depends
//! on the name alone, a reload (and a restart of the process) keeps it.
//!
//! Never here: what a round is; whether it may start (the engine decides).

use crate::model::{DeviceId, Liveness, Mono, Site, Status, WatchKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// Phases are multiples of this.
pub(super) const TICK_US: u64 = 10_000;

/// A stream of rounds of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stream {
    /// Does it answer?
    Liveness,
    /// What does its agent say?
    Agent,
    /// A TCP watch: its index in [`crate::model::Device::watches`].
    Tcp(u16),
    /// A watched service: the same.
    Service(u16),
}

/// A round is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// When it should have started.
    pub(super) at: Mono,
    /// Whose.
    pub(super) device: DeviceId,
    /// Which.
    pub(super) stream: Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    phase_us: u64,
    device: DeviceId,
    stream: Stream,
}

/// All streams of one interval. The cursor stands on the next entry that is due, in the turn that begins at `turn_us`.
#[derive(Debug)]
struct Ring {
    period_us: u64,
    turn_us: u64,
    cursor: usize,
    entries: Vec<Entry>,
}

impl Ring {
    /// A ring whose next entry is the first after `done` (entries due at `done` itself have been started).
    fn new(period_us: u64, mut entries: Vec<Entry>, done: Mono) -> Ring {
        entries.sort_unstable();
        let mut ring = Ring {
            period_us,
            turn_us: 0,
            cursor: 0,
            entries,
        };
        ring.seek(done);
        ring
    }

    fn seek(&mut self, done: Mono) {
        let into = done.0 % self.period_us;
        self.turn_us = done.0 - into;
        self.cursor = self.entries.partition_point(|e| e.phase_us <= into);
        self.wrap();
    }

    fn wrap(&mut self) {
        if self.cursor == self.entries.len() {
            self.cursor = 0;
            self.turn_us = self.turn_us.saturating_add(self.period_us);
        }
    }

    fn next(&self) -> Mono {
        match self.entries.get(self.cursor) {
            Some(e) => Mono(self.turn_us.saturating_add(e.phase_us)),
            None => Mono::NEVER,
        }
    }

    /// Hands out what is due. After a gap longer than the interval nothing is caught up; returns how many rounds that skipped.
    fn advance(&mut self, now: Mono, out: &mut Vec<Due>) -> u64 {
        let gap = now.0.saturating_sub(self.next().0);
        if gap > self.period_us && !self.entries.is_empty() {
            self.seek(now);
            return (gap / self.period_us).saturating_mul(self.entries.len() as u64);
        }
        while self.next() <= now {
            let Some(e) = self.entries.get(self.cursor) else { break };
            out.push(Due {
                at: self.next(),
                device: e.device,
                stream: e.stream,
            });
            self.cursor += 1;
            self.wrap();
        }
        0
    }
}

/// All rings of a site.
#[derive(Debug)]
pub(super) struct Schedule {
    rings: Vec<Ring>,
    done: Mono,
}

impl Schedule {
    /// The schedule of a site, beginning after `done`.
    pub(super) fn new(site: &Site, done: Mono) -> Schedule {
        let mut by_period: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
        for (id, device) in site.iter().filter(|(_, d)| d.status == Status::Active) {
            let mut add_every = |interval, stream, word: &str| {
                let period = period_us(interval);
                let ticks = (period / TICK_US).max(1);
                let phase_us = stable_hash(&[&device.name, word]) % ticks * TICK_US;
                by_period.entry(period).or_default().push(Entry {
                    phase_us,
                    device: id,
                    stream,
                });
            };
            let mut add = |stream, word: &str| add_every(device.poll.interval, stream, word);
            if !matches!(device.liveness, Liveness::None | Liveness::Line) {
                add(Stream::Liveness, "liveness");
            }
            if device.snmp.is_some() {
                add(Stream::Agent, "agent");
            }
            for (i, watch) in device.watches.iter().enumerate() {
                let Ok(i) = u16::try_from(i) else { break };
                match &watch.kind {
                    WatchKind::Tcp { .. } => add_every(device.poll.interval, Stream::Tcp(i), &watch.name),
                    WatchKind::Service(service) => add_every(service.interval, Stream::Service(i), &watch.name),
                    WatchKind::Oid { .. } => {}
                }
            }
        }
        let rings = by_period.into_iter().map(|(p, e)| Ring::new(p, e, done)).collect();
        Schedule { rings, done }
    }

    /// The schedule of another site; what is in both goes on in its phase.
    pub(super) fn reload(&mut self, site: &Site) {
        *self = Schedule::new(site, self.done);
    }

    /// When the next round is due.
    pub(super) fn next(&self) -> Mono {
        self.rings.iter().map(Ring::next).min().unwrap_or(Mono::NEVER)
    }

    /// Adds to `out` what is due, oldest first; returns how many rounds were skipped because the process stood still for longer
    /// than their interval.
    pub(super) fn advance(&mut self, now: Mono, out: &mut Vec<Due>) -> u64 {
        let skipped = self.rings.iter_mut().map(|r| r.advance(now, out)).sum();
        out.sort_by_key(|d| (d.at, d.device, d.stream));
        self.done = self.done.max(now);
        skipped
    }
}

fn period_us(interval: Duration) -> u64 {
    u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(TICK_US)
}

/// The same for the same words, in every build and on every machine: FNV-1a, then a finaliser that spreads to the low bits.
pub(super) fn stable_hash(words: &[&str]) -> u64 {
    let mut h: u64 = 0xcbf2_9ce4_8422_2325;
    for word in words {
        for byte in word.bytes().chain([0xff]) {
            h = (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(period_us: u64, phases: &[u64], done: u64) -> Ring {
        let entry = |(i, p): (usize, &u64)| Entry {
            phase_us: *p,
            device: DeviceId(i as u32),
            stream: Stream::Liveness,
        };
        Ring::new(period_us, phases.iter().enumerate().map(entry).collect(), Mono(done))
    }

    fn due(ring: &mut Ring, now: u64) -> Vec<(u64, u32)> {
        let mut out = Vec::new();
        ring.advance(Mono(now), &mut out);
        out.iter().map(|d| (d.at.0, d.device.0)).collect()
    }

    #[test]
    fn each_entry_comes_once_a_turn_at_its_phase() {
        let mut r = ring(100, &[70, 0, 30], 1000);
        assert_eq!(r.next(), Mono(1030));
        assert_eq!(due(&mut r, 1029), []);
        assert_eq!(due(&mut r, 1075), [(1030, 2), (1070, 0)]);
        assert_eq!(due(&mut r, 1100), [(1100, 1)]);
        assert_eq!(due(&mut r, 1199), [(1130, 2), (1170, 0)]);
    }

    #[test]
    fn a_gap_longer_than_the_interval_is_skipped_a_shorter_one_is_made_up() {
        let mut r = ring(100, &[0, 50], 0);
        assert_eq!(due(&mut r, 140), [(50, 1), (100, 0)]);
        let mut out = Vec::new();
        assert_eq!(r.advance(Mono(1020), &mut out), 16);
        assert_eq!(out, []);
        assert_eq!(r.next(), Mono(1050));
    }

    #[test]
    fn an_empty_ring_never_wakes() {
        let mut r = ring(100, &[], 0);
        assert_eq!(r.next(), Mono::NEVER);
        assert_eq!(due(&mut r, 5_000), []);
    }

    #[test]
    fn the_hash_is_the_same_on_every_machine_and_spreads_names_that_differ_by_a_digit() {
        assert_eq!(
            stable_hash(&["edge-a", "liveness"]),
            stable_hash(&["edge-a", "liveness"])
        );
        assert_ne!(stable_hash(&["ab", "c"]), stable_hash(&["a", "bc"]));
        let mut bins = [0u32; 100];
        for i in 0..10_000 {
            bins[(stable_hash(&[&format!("N-{i:07}"), "liveness"]) % 100) as usize] += 1;
        }
        // Poisson with mean 100: six sigma is 60.
        assert!(bins.iter().all(|b| (40..160).contains(b)), "{bins:?}");
    }
}
