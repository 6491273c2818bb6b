//! Counters become rates, by the device's own time between two answers and over at least 30 s of ours.
//!
//! A device's clock and a port's speed are used only with a witness: its clock with ours (`sample::clock`), its speed with what the
//! port was seen to carry. A restart, a discontinuity, a fall or a rate that the port cannot carry makes that interval unknown, with its reason; the
//! next one starts afresh (guideline 3.2.1(7): figures that say how much of them was measured).

use super::Unknown;
use super::clock::seconds;
use crate::model::Mono;
use crate::poll::{Counter, InterfaceReading};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

/// Rates are taken over at least this long: some devices refresh their counters only every 10 to 30 s.
pub const RATE_OVER: Duration = Duration::from_secs(30);
/// Errors and discards are shares of packets over this long.
pub const ERRORS_OVER: Duration = Duration::from_secs(300);
/// Fewer packets in the window say nothing about a share.
pub const PACKETS_MIN: u64 = 10_000;
/// Fewer errors in the window are no rate.
pub const ERRORS_MIN: u64 = 10;
/// A counter that is refreshed on a timer can seem faster than the port by this factor over one window.
const SPEED_TOLERANCE: f64 = 1.1;
/// No more readings than this are kept, whatever the interval.
const READINGS_MAX: usize = 400;
/// A contracted rate is no limit of the port: where nothing else is known of it, twice as much is believed.
const CONTRACT_TOLERANCE: f64 = 2.0;
/// Counters that move less often than this are those of an idle port, not of an agent that refreshes them seldom.
const REFRESH_MAX: Duration = Duration::from_secs(120);
/// A port that is up for this long and has never counted anything is not measured.
const ZERO_AT_MOST: Duration = Duration::from_secs(300);
/// Octets of the largest packet in use: so many octets were at least one packet.
const LARGEST_PACKET: u64 = 9_216;
/// RFC 2863: up.
const UP: u8 = 1;

/// What is known of a port beside its reading.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Contracted rate, bit/s.
    pub contracted_bps: Option<u64>,
    /// Can the device's clock be used?
    pub clock: Result<(), Unknown>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            contracted_bps: None,
            clock: Ok(()),
        }
    }
}

/// Rates as last computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Bit/s into the device's port.
    pub in_bps: Result<f64, Unknown>,
    /// Bit/s out of the device's port.
    pub out_bps: Result<f64, Unknown>,
    /// Errors, percent of packets.
    pub errors_percent: Result<f64, Unknown>,
    /// Discards, percent of packets.
    pub discards_percent: Result<f64, Unknown>,
}

impl Rates {
    fn all(reason: Unknown) -> Rates {
        Rates {
            in_bps: Err(reason),
            out_bps: Err(reason),
            errors_percent: Err(reason),
            discards_percent: Err(reason),
        }
    }
}

#[derive(Clone)]
struct Point {
    at: Mono,
    uptime: u32,
    discontinuity: Option<u32>,
    in_octets: Option<Counter>,
    out_octets: Option<Counter>,
    /// Where they are asked for.
    faults: Option<Box<Faults>>,
}

#[derive(Clone)]
struct Faults {
    packets: Option<Counter>,
    errors: Option<Counter>,
    discards: Option<Counter>,
}

impl Point {
    fn of(reading: &InterfaceReading) -> Point {
        let asked = reading.packets.is_some() || reading.errors.is_some() || reading.discards.is_some();
        let faults = || {
            Box::new(Faults {
                packets: reading.packets,
                errors: reading.errors,
                discards: reading.discards,
            })
        };
        Point {
            at: reading.at,
            uptime: reading.uptime,
            discontinuity: reading.discontinuity,
            in_octets: reading.in_octets,
            out_octets: reading.out_octets,
            faults: asked.then(faults),
        }
    }

    fn packets(&self) -> Option<Counter> {
        self.faults.as_ref()?.packets
    }

    fn octets(&self) -> (Option<Counter>, Option<Counter>) {
        (self.in_octets, self.out_octets)
    }
}

/// Readings of one interface since the series last broke.
pub struct InterfaceCounters {
    points: VecDeque<Point>,
    rates: Rates,
    /// ifIndex of the last reading.
    index: u32,
    /// The port is up, and both counters have stood at zero since.
    zero_since: Option<Mono>,
    /// The most that it was seen to carry while its two speeds contradict each other, bit/s.
    carried_bps: u64,
    /// The speed that can be used, bit/s.
    speed_bps: Option<u64>,
}

impl Default for InterfaceCounters {
    fn default() -> InterfaceCounters {
        InterfaceCounters {
            points: VecDeque::new(),
            rates: Rates::all(Unknown::WarmingUp),
            index: 0,
            zero_since: None,
            carried_bps: 0,
            speed_bps: None,
        }
    }
}

impl InterfaceCounters {
    /// Rates after the last reading.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// The octet counters of the last reading, in and out, if they are 64 bits wide and the series did not just break.
    pub fn octets(&self) -> Option<(u64, u64)> {
        if matches!(self.rates.in_bps, Err(reason) if !reason.neutral()) {
            return None;
        }
        let last = self.points.back()?;
        match (last.in_octets?, last.out_octets?) {
            (Counter::C64(inward), Counter::C64(outward)) => Some((inward, outward)),
            _ => None,
        }
    }

    /// Looks at what the next reading is compared with.
    pub(super) fn warm(&self) {
        let at = |point: Option<&Point>| point.map(|p| p.at);
        black_box((
            at(self.points.front()),
            at(self.points.back()),
            self.rates.in_bps.is_ok(),
        ));
    }

    /// The port's speed, as far as it can be true. Of two that contradict each other it is the smaller one, which makes the worse number,
    /// until the port was seen to carry more.
    pub fn speed_bps(&self) -> Option<u64> {
        self.speed_bps
    }

    /// Takes a reading.
    pub fn push(&mut self, reading: &InterfaceReading, terms: Terms) {
        self.settle_speed(reading);
        let point = Point::of(reading);
        let limits = Limits::of(reading, terms.contracted_bps);
        if let Err(reason) = self.goes_on(&point, reading, &limits, terms.clock) {
            self.points.clear();
            // Without a time of the device it is no point of any series.
            let timed = !matches!(reason, Unknown::NoUptime | Unknown::DeviceClock);
            self.points.extend(Some(point).filter(|_| timed));
            self.rates = Rates::all(reason);
            return;
        }
        self.points.push_back(point);
        self.forget_old();
        self.rates = self.compute(&limits);
        let octets = [&mut self.rates.in_bps, &mut self.rates.out_bps];
        if reading.octets_mistyped {
            let missing = octets.into_iter().filter(|r| **r == Err(Unknown::Missing));
            missing.for_each(|r| *r = Err(Unknown::WrongType));
        } else if octets.iter().any(|r| matches!(r, Err(Unknown::AboveLinkSpeed))) {
            let last = self.points.pop_back();
            self.points.clear();
            self.points.extend(last);
        }
        if reading.other_speed_bps.is_some() {
            let most = [&self.rates.in_bps, &self.rates.out_bps].into_iter().flatten();
            // A rate is positive and far below 2^63.
            let most = most.fold(0.0, |a: f64, b| a.max(*b)) as u64;
            self.carried_bps = self.carried_bps.max(most);
            self.settle_speed(reading);
        }
    }

    /// Whether a reading continues the series.
    fn goes_on(
        &mut self,
        point: &Point,
        reading: &InterfaceReading,
        limits: &Limits,
        clock: Result<(), Unknown>,
    ) -> Result<(), Unknown> {
        let other_row = std::mem::replace(&mut self.index, reading.index) != reading.index;
        if reading.untimed {
            return Err(Unknown::NoUptime);
        }
        clock?;
        self.counts(point, reading)?;
        let Some(previous) = self.points.back() else {
            return Err(Unknown::WarmingUp);
        };
        if reading.ambiguous && other_row {
            return Err(Unknown::Discontinuity);
        }
        continues(previous, point, limits)
    }

    /// A port that is up and has never counted an octet is one whose agent gives zero for all. A session may be new and idle.
    fn counts(&mut self, point: &Point, reading: &InterfaceReading) -> Result<(), Unknown> {
        let zero = |c: Option<Counter>| matches!(c, Some(Counter::C64(0) | Counter::C32(0)));
        let lasting = reading.found_by.is_none();
        let nothing = lasting && reading.oper == Some(UP) && zero(point.in_octets) && zero(point.out_octets);
        let since = match nothing {
            true => *self.zero_since.get_or_insert(point.at),
            false => {
                self.zero_since = None;
                return Ok(());
            }
        };
        match point.at.since(since) < ZERO_AT_MOST {
            true => Ok(()),
            false => Err(Unknown::NeverCounted),
        }
    }

    fn settle_speed(&mut self, reading: &InterfaceReading) {
        self.speed_bps = match (reading.speed_bps, reading.other_speed_bps) {
            (Some(less), Some(more)) if self.carried_bps as f64 > less as f64 * SPEED_TOLERANCE => Some(more),
            (speed, other) => {
                if other.is_none() {
                    self.carried_bps = 0;
                }
                speed
            }
        };
    }

    fn forget_old(&mut self) {
        let Some((newest, faults)) = self.points.back().map(|p| (p.at, p.faults.is_some())) else {
            return;
        };
        // Readings are not the interval apart to the millisecond.
        let over = if faults {
            ERRORS_OVER
        } else {
            RATE_OVER + RATE_OVER / 10
        };
        // The oldest one is kept as long as the counters stand where it found them: it tells since when.
        let moved = |points: &VecDeque<Point>| {
            let pair = points.front().zip(points.get(1));
            pair.is_some_and(|(a, b)| a.octets() != b.octets() || newest.since(a.at) >= over + REFRESH_MAX)
        };
        while self.points.len() > READINGS_MAX
            || self.points.get(1).is_some_and(|second| newest.since(second.at) >= over) && moved(&self.points)
        {
            self.points.pop_front();
        }
    }

    fn compute(&self, limits: &Limits) -> Rates {
        let Some(newest) = self.points.back() else {
            return Rates::all(Unknown::WarmingUp);
        };
        let mut rates = Rates::all(Unknown::WarmingUp);
        match self.window(newest) {
            Window::Between(old, new) => {
                rates.in_bps = bps(old, new, |p| p.in_octets, limits);
                rates.out_bps = bps(old, new, |p| p.out_octets, limits);
            }
            Window::NotRefreshed => (rates.in_bps, rates.out_bps) = (self.rates.in_bps, self.rates.out_bps),
            Window::TooShort => {}
        }
        // The window of shares may be shorter than 5 min while it fills: packets decide whether it says anything.
        if let Some(old) = self.points.front().filter(|p| newest.at.since(p.at) >= RATE_OVER) {
            rates.errors_percent = share(old, newest, |f| f.errors);
            rates.discards_percent = share(old, newest, |f| f.discards);
        }
        rates
    }

    /// The two readings that the rate is taken between. Of counters that are refreshed seldom these are two at which they had just
    /// moved: between any others there is a refresh too many or too few.
    fn window<'p>(&'p self, newest: &'p Point) -> Window<'p> {
        let all = &self.points;
        let last = all.len() - 1;
        // Where the counters came to stand where they stand at `at`.
        let came = |at: usize| {
            let stays = |i: &usize| all[*i].octets() == all[at].octets();
            (0..=at).rev().take_while(stays).last().unwrap_or(at)
        };
        let old_enough = |p: &Point, new: &Point| new.at.since(p.at) >= RATE_OVER;
        let plain = || {
            let base = all.iter().rev().find(|p| old_enough(p, newest));
            base.map_or(Window::TooShort, |old| Window::Between(old, newest))
        };
        let moved = came(last);
        let before = moved.checked_sub(1).map(came);
        let stood = before
            .filter(|from| from + 1 < moved)
            .map(|from| all[moved].at.since(all[from].at));
        let seldom = stood.is_some_and(|stood| stood <= REFRESH_MAX);
        if !seldom {
            return plain();
        }
        let stands = newest.at.since(all[moved].at);
        if !stands.is_zero() && stood.is_some_and(|stood| stands > stood + stood / 2) {
            // It stands for longer than ever: nothing passes.
            return plain();
        }
        if !stands.is_zero() {
            return Window::NotRefreshed;
        }
        let new = &all[moved];
        let mut at = before;
        while let Some(from) = at {
            // Since when the first reading's value had stood is not known.
            let seen_to_move = from > 0 || from + 1 >= all.len() || all[from + 1].octets() != all[from].octets();
            if old_enough(&all[from], new) && seen_to_move {
                return Window::Between(&all[from], new);
            }
            at = from.checked_sub(1).map(came);
        }
        Window::TooShort
    }
}

/// What a rate is taken from.
enum Window<'p> {
    Between(&'p Point, &'p Point),
    /// The agent has not refreshed the counters since they last moved: the rate is the one before.
    NotRefreshed,
    TooShort,
}

/// How much a port can carry, bit/s.
struct Limits {
    /// A higher rate is none.
    most: Option<f64>,
    /// What no 32-bit counter of it exceeds, the largest first: the largest that cannot fill the counter once is used.
    narrow: [Option<f64>; 2],
}

impl Limits {
    fn of(reading: &InterfaceReading, contracted_bps: Option<u64>) -> Limits {
        let speed = reading.speed_bps.max(reading.other_speed_bps);
        let contracted = contracted_bps.map(|rate| rate as f64);
        // Whoever sells more than the port says it has knows better.
        let most = speed.map(|speed| (speed as f64).max(contracted.unwrap_or_default()) * SPEED_TOLERANCE);
        let narrow = match most {
            Some(most) => [Some(most), None],
            None => [
                contracted.map(|rate| rate * CONTRACT_TOLERANCE),
                contracted.map(|rate| rate * SPEED_TOLERANCE),
            ],
        };
        Limits { most, narrow }
    }
}

/// Seconds between two readings by the device's own clock.
fn device_time(old: &Point, new: &Point) -> f64 {
    seconds(old.uptime, new.uptime)
}

/// Whether `new` continues the series that `old` is the last point of.
fn continues(old: &Point, new: &Point, limits: &Limits) -> Result<(), Unknown> {
    let ours = new.at.since(old.at).as_secs_f64();
    let theirs = device_time(old, new);
    // A restart inside the interval leaves an uptime no longer than our own time since then. Anything else that goes
    // backwards is the wrap after 497 days, which `wrapping_sub` has already undone.
    let off = (theirs - ours).abs() > 3.0 + ours * 0.02;
    if off && (new.uptime < old.uptime || f64::from(new.uptime) / 100.0 <= ours + 3.0) {
        return Err(Unknown::Restarted);
    }
    if old.discontinuity != new.discontinuity {
        return Err(Unknown::Discontinuity);
    }
    let seconds = theirs.max(ours);
    for get in [|p: &Point| p.in_octets, |p: &Point| p.out_octets] {
        if let (Some(a), Some(b)) = (get(old), get(new)) {
            octets(a, b, seconds, limits)?;
        }
    }
    match (old.packets(), new.packets()) {
        (Some(Counter::C64(a)), Some(Counter::C64(b))) if b < a => Err(Unknown::Decreased),
        _ => Ok(()),
    }
}

/// Octets between two readings of one counter.
fn octets(old: Counter, new: Counter, seconds: f64, limits: &Limits) -> Result<u64, Unknown> {
    match (old, new) {
        (Counter::C64(a), Counter::C64(b)) => b.checked_sub(a).ok_or(Unknown::Decreased),
        (Counter::C32(a), Counter::C32(b)) => {
            let delta = b.wrapping_sub(a);
            // The port cannot fill the counter once in this time: a wrap, if any, was one, and is believable only if the port can carry
            // what it says.
            let octets = limits.narrow.iter().flatten().map(|most| most / 8.0 * seconds);
            match octets.into_iter().find(|most| *most < f64::from(u32::MAX)) {
                Some(most) if f64::from(delta) <= most => Ok(u64::from(delta)),
                _ => Err(Unknown::WrapAmbiguous),
            }
        }
        // The agent changed the width it offers: another series.
        _ => Err(Unknown::Discontinuity),
    }
}

fn bps(old: &Point, new: &Point, get: impl Fn(&Point) -> Option<Counter>, limits: &Limits) -> Result<f64, Unknown> {
    let (Some(a), Some(b)) = (get(old), get(new)) else {
        return Err(Unknown::Missing);
    };
    let seconds = device_time(old, new);
    if seconds < new.at.since(old.at).as_secs_f64() / 2.0 {
        return Err(Unknown::DeviceClock);
    }
    let rate = octets(a, b, seconds, limits)? as f64 * 8.0 / seconds;
    match limits.most {
        Some(most) if rate > most => Err(Unknown::AboveLinkSpeed),
        _ => Ok(rate),
    }
}

fn share(old: &Point, new: &Point, get: impl Fn(&Faults) -> Option<Counter>) -> Result<f64, Unknown> {
    let (Some(before), Some(after)) = (&old.faults, &new.faults) else {
        return Err(Unknown::Missing);
    };
    let delta = |a: Option<Counter>, b: Option<Counter>| match (a, b) {
        (Some(Counter::C64(a)), Some(Counter::C64(b))) => b.checked_sub(a).ok_or(Unknown::Decreased),
        (Some(Counter::C32(a)), Some(Counter::C32(b))) => Ok(u64::from(b.wrapping_sub(a))),
        _ => Err(Unknown::Missing),
    };
    let packets = delta(before.packets, after.packets)?;
    let bad = delta(get(before), get(after))?;
    if packets < PACKETS_MIN {
        let octets = [
            delta(old.in_octets, new.in_octets),
            delta(old.out_octets, new.out_octets),
        ];
        let least = octets.into_iter().flatten().max().unwrap_or(0) / LARGEST_PACKET;
        return Err(match least >= PACKETS_MIN {
            true => Unknown::Contradicted,
            false => Unknown::TooFewPackets,
        });
    }
    // A 32-bit difference of nearly 2³² is a counter that was set back, not four billion errors.
    if bad > packets.max(u64::from(u32::MAX) / 2) {
        return Err(Unknown::Decreased);
    }
    if bad < ERRORS_MIN {
        return Ok(0.0);
    }
    Ok(bad as f64 / (packets as f64 + bad as f64) * 100.0)
}

#[cfg(test)]
mod tests;
