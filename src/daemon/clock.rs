//! The only reader of time. Everything else is given `now`.
//!
//! Deadlines use CLOCK_BOOTTIME: it never steps and goes on while the host is suspended.

use crate::model::{Mono, Now, Wall};
use crate::net::Reading;
use rustix::time::{ClockId, clock_gettime};

/// Both clocks, read one after the other.
pub fn now() -> Now {
    Now {
        mono: mono(),
        wall: Wall(i64::try_from(real_ns() / 1_000_000).unwrap_or(0)),
    }
}

/// The clock of deadlines alone.
pub fn mono() -> Mono {
    let t = clock_gettime(ClockId::Boottime);
    let micros = i128::from(t.tv_sec) * 1_000_000 + i128::from(t.tv_nsec) / 1_000;
    Mono(u64::try_from(micros).unwrap_or(0))
}

/// For dating datagrams.
pub fn reading() -> Reading {
    Reading {
        mono: mono(),
        real_ns: real_ns(),
    }
}

fn real_ns() -> i128 {
    let t = clock_gettime(ClockId::Realtime);
    i128::from(t.tv_sec) * 1_000_000_000 + i128::from(t.tv_nsec)
}
