//! The two clocks every rule is given: one that never steps, and one that people read.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Microseconds on a clock that never steps (the shell uses `CLOCK_BOOTTIME`; its zero is arbitrary).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(pub u64);

/// Milliseconds since 1970-01-01T00:00:00Z. May step; only for people, mails and the ledger, never for deadlines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(pub i64);

/// One reading of both clocks, taken at the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// For deadlines and differences.
    pub mono: Mono,
    /// For people.
    pub wall: Wall,
}

impl Mono {
    /// Later than everything: "no wake-up needed".
    pub const NEVER: Mono = Mono(u64::MAX);

    /// Time since `earlier`; zero if `earlier` is in the future.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, d: Duration) -> Mono {
        Mono(self.0.saturating_sub(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Wall {
    /// The wall time `d` before this one.
    pub fn before(self, d: Duration) -> Wall {
        Wall(self.0.saturating_sub(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The wall time `d` after this one.
    pub fn after(self, d: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Time since `earlier`; zero if `earlier` is in the future (the clock may have stepped).
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Now {
    /// The wall time that belonged to an earlier `mono`, by today's offset between the two clocks.
    pub fn wall_at(&self, mono: Mono) -> Wall {
        self.wall.before(self.mono.since(mono))
    }
}
