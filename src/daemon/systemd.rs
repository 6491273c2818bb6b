//! What systemd is told: ready, reloading, stopping, a status line, and the watchdog's food. Without systemd all of it is silent.

use super::health::Part;
use super::words::Word;
use super::{Shared, clock};
use crate::core::{Counts, ReachState};
use crate::model::{Level, Mono};
use sd_notify::NotifyState;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often the status line is renewed.
const STATUS: Duration = Duration::from_secs(10);
/// With more devices than this it is renewed less often: a picture of them all costs the engine time.
const MANY: usize = 10_000;

fn tell(states: &[NotifyState<'_>]) {
    // Not run by systemd, or it went away: nothing to be done.
    let _ = sd_notify::notify(states);
}

pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(stamp) => tell(&[NotifyState::Reloading, stamp]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

pub(super) fn ready_again() {
    tell(&[NotifyState::Ready]);
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Which parts made progress since the last feed.
#[derive(Debug, Default)]
struct Feeder {
    seen: [Mono; 3],
}

impl Feeder {
    /// `None`: all did, feed. Otherwise the first that did not; then what is seen now still counts from the last feed.
    fn look(&mut self, marks: [Mono; 3]) -> Option<Part> {
        let still = Part::ALL
            .into_iter()
            .find(|part| marks[*part as usize] <= self.seen[*part as usize]);
        if still.is_none() {
            self.seen = marks;
        }
        still
    }
}

/// Leaves tokio's mark and feeds the watchdog while every part has made progress since the last feed.
pub(super) async fn watchdog(shared: Arc<Shared>) {
    let period = sd_notify::watchdog_enabled();
    let every = period.map_or(Duration::from_secs(1), |p| (p / 3).min(Duration::from_secs(10)));
    let mut feeder = Feeder::default();
    let mut told = false;
    loop {
        tokio::time::sleep(every).await;
        shared.health.mark(Part::Tokio);
        let Some(part) = feeder.look(Part::ALL.map(|part| shared.health.last(part))) else {
            told = false;
            if period.is_some() {
                tell(&[NotifyState::Watchdog]);
                shared.own.watchdog_fed();
            }
            continue;
        };
        let age = shared.health.age(part);
        // Idle parts leave a mark twice a second: five seconds without one are a hang, not a hiccup.
        if !told && age > Duration::from_secs(5) {
            Word::Stuck { part: part.key(), age }.log();
            told = true;
        }
    }
}

/// Renews the status line.
pub(super) async fn status(shared: Arc<Shared>) {
    loop {
        if let Some(counts) = shared.counts().await {
            tell(&[NotifyState::Status(&line(&counts))]);
        }
        let many = shared.site().devices.len() > MANY;
        tokio::time::sleep(if many { STATUS * 6 } else { STATUS }).await;
    }
}

/// One line for `systemctl status`.
fn line(c: &Counts) -> String {
    if c.blind {
        return "BLIND: this host is cut off; nobody is accused".to_owned();
    }
    let of = |all: &BTreeMap<ReachState, u64>, state| all.get(&state).copied().unwrap_or(0);
    let up = |all| of(all, ReachState::Up) + of(all, ReachState::Lossy);
    let open = |level| c.incidents_open.get(&level).copied().unwrap_or(0);
    let circuits = match c.circuits.values().sum::<u64>() {
        0 => String::new(),
        all => format!(
            "; {all} circuits, {} up, {} off, {} down",
            up(&c.circuits),
            of(&c.circuits, ReachState::Off),
            of(&c.circuits, ReachState::Down)
        ),
    };
    format!(
        "{} devices, {} up, {} down, {} unreachable{circuits}; {} critical, {} warning; {} mails waiting",
        c.devices.values().sum::<u64>(),
        up(&c.devices),
        of(&c.devices, ReachState::Down),
        of(&c.devices, ReachState::Unreachable),
        open(Level::Critical),
        open(Level::Warning),
        c.mails_waiting
    )
}

/// What the system says about this process, from /proc; zero where it cannot be read.
pub(super) fn process(started: f64) -> crate::metrics::Process {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib: u64 = resident
        .and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0);
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(cpu.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(cpu.tv_nsec).unwrap_or(0);
    crate::metrics::Process {
        cpu: Duration::new(seconds, nanos),
        resident_bytes: kib * 1024,
        open_fds: std::fs::read_dir("/proc/self/fd").map_or(0, |d| d.count() as u64),
        started,
    }
}

/// Seconds since 1970, for the metric of the start.
pub(super) fn started() -> f64 {
    clock::now().wall.0 as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_without_progress_stops_the_food_and_is_named() {
        let mut feeder = Feeder::default();
        assert_eq!(feeder.look([Mono(1), Mono(1), Mono(1)]), None);
        assert_eq!(feeder.look([Mono(2), Mono(1), Mono(2)]), Some(Part::Ledger));
        assert_eq!(feeder.look([Mono(3), Mono(1), Mono(3)]), Some(Part::Ledger));
        assert_eq!(
            feeder.look([Mono(3), Mono(4), Mono(3)]),
            None,
            "all moved since the last feed"
        );
        assert_eq!(feeder.look([Mono(3), Mono(5), Mono(4)]), Some(Part::Engine));
    }
}
