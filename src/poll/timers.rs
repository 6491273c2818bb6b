//! When something in flight must be looked at again, on a clock that stands still while the process does.
//!
//! Equal delays leave in the order they came, so each distinct timeout needs one queue only; a heap holds the few that follow a
//! plan of their own. A timer whose round is over is not searched for: it is dropped when it reaches the front.
//!
//! Never here: what a timer means.

use crate::model::{Mono, Now};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

/// Waking later than this after the time asked for counts as a stall. The shell's tick is 10 ms.
const TOLERANCE_US: u64 = 100_000;

/// Microseconds that this process was awake for: [`Mono`] less all stalls (starved of CPU, stopped, suspended). Answers that
/// waited in a socket buffer meanwhile were not late, so no deadline may pass during a stall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Awake(pub(super) u64);

impl Awake {
    /// Time since `earlier`.
    pub(super) fn since(self, earlier: Awake) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Awake {
    type Output = Awake;
    fn add(self, d: Duration) -> Awake {
        Awake(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Tells [`Awake`] from [`Mono`].
#[derive(Debug)]
pub(super) struct StallClock {
    wanted: Mono,
    last: Mono,
    stalled_us: u64,
}

impl StallClock {
    /// Begins at `now`.
    pub(super) fn new(now: Now) -> StallClock {
        StallClock {
            wanted: Mono::NEVER,
            last: now.mono,
            stalled_us: 0,
        }
    }

    /// To be called first whenever the engine is entered. Returns the awake time, which never runs backwards.
    pub(super) fn enter(&mut self, now: Now) -> Awake {
        self.last = self.last.max(now.mono);
        let late = self.last.0.saturating_sub(self.wanted.0);
        if late > TOLERANCE_US {
            self.stalled_us = self.stalled_us.saturating_add(late);
        }
        self.wanted = self.wanted.max(self.last);
        self.awake()
    }

    /// To be called last in `wake`: when the engine asked to be woken next.
    pub(super) fn leave(&mut self, wanted: Mono) {
        self.wanted = wanted.max(self.last);
    }

    /// The awake time of the present call.
    pub(super) fn awake(&self) -> Awake {
        Awake(self.last.0.saturating_sub(self.stalled_us))
    }

    /// When that awake time will be, if nothing stalls until then.
    pub(super) fn mono(&self, at: Awake) -> Mono {
        Mono(at.0.saturating_add(self.stalled_us))
    }

    /// All stalls together.
    pub(super) fn stalled(&self) -> Duration {
        Duration::from_micros(self.stalled_us)
    }
}

/// Timers that carry a `T`.
#[derive(Debug)]
pub(super) struct Timers<T> {
    queues: BTreeMap<Duration, VecDeque<(Awake, T)>>,
    plan: BinaryHeap<Reverse<(Awake, u64, T)>>,
    counter: u64,
}

impl<T: Copy + Ord> Timers<T> {
    /// None yet.
    pub(super) fn new() -> Timers<T> {
        Timers {
            queues: BTreeMap::new(),
            plan: BinaryHeap::new(),
            counter: 0,
        }
    }

    /// Fires `delay` after `now`. For delays that many share.
    pub(super) fn after(&mut self, now: Awake, delay: Duration, what: T) {
        self.queues.entry(delay).or_default().push_back((now + delay, what));
    }

    /// Fires at `due`. For the few.
    pub(super) fn at(&mut self, due: Awake, what: T) {
        self.counter += 1;
        self.plan.push(Reverse((due, self.counter, what)));
    }

    /// Takes out one that is due.
    pub(super) fn pop(&mut self, now: Awake) -> Option<T> {
        if let Some(Reverse((due, _, _))) = self.plan.peek()
            && *due <= now
        {
            return self.plan.pop().map(|Reverse((_, _, what))| what);
        }
        self.queues
            .values_mut()
            .find(|q| q.front().is_some_and(|(due, _)| *due <= now))?
            .pop_front()
            .map(|(_, what)| what)
    }

    /// Drops what has become meaningless from the fronts, so that [`Timers::next`] is a time at which something is to be done.
    pub(super) fn prune(&mut self, alive: impl Fn(&T) -> bool) {
        while self.plan.peek().is_some_and(|Reverse((_, _, what))| !alive(what)) {
            self.plan.pop();
        }
        self.queues.retain(|_, q| {
            while q.front().is_some_and(|(_, what)| !alive(what)) {
                q.pop_front();
            }
            !q.is_empty()
        });
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<Awake> {
        let queued = self
            .queues
            .values()
            .filter_map(|q| q.front().map(|(due, _)| *due))
            .min();
        let planned = self.plan.peek().map(|Reverse((due, _, _))| *due);
        [queued, planned].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(us: u64) -> Now {
        Now {
            mono: Mono(us),
            ..Now::default()
        }
    }

    #[test]
    fn timers_come_when_due_and_dead_ones_do_not_wake_anybody() {
        let mut t = Timers::new();
        t.after(Awake(0), Duration::from_micros(50), 1);
        t.after(Awake(10), Duration::from_micros(50), 2);
        t.at(Awake(55), 3);
        assert_eq!(t.next(), Some(Awake(50)));
        t.prune(|x| *x != 1);
        assert_eq!(t.next(), Some(Awake(55)));
        assert_eq!(
            (t.pop(Awake(54)), t.pop(Awake(60)), t.pop(Awake(60)), t.pop(Awake(60))),
            (None, Some(3), Some(2), None)
        );
        assert_eq!(t.next(), None);
    }

    #[test]
    fn a_stall_stops_the_clock_once_and_small_lateness_does_not() {
        let mut c = StallClock::new(now(0));
        c.leave(Mono(1_000_000));
        assert_eq!(c.enter(now(1_010_000)), Awake(1_010_000));
        c.leave(Mono(2_000_000));
        // Woken three seconds late, then a second datagram of the same batch.
        assert_eq!(c.enter(now(5_000_000)), Awake(2_000_000));
        assert_eq!(c.enter(now(5_000_100)), Awake(2_000_100));
        assert_eq!(c.mono(Awake(2_500_000)), Mono(5_500_000));
        assert_eq!(c.stalled(), Duration::from_secs(3));
    }

    #[test]
    fn a_clock_that_runs_backwards_is_held() {
        let mut c = StallClock::new(now(1_000));
        assert_eq!(c.enter(now(500)), Awake(1_000));
    }
}
