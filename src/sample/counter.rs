//! Counters become rates, by the device's own time between two answers and over at least 30 s.
//!
//! A restart, a discontinuity, a fall or a rate that the port cannot carry makes that interval unknown, with its reason; the
//! next one starts afresh (guideline 3.2.1(7): figures that say how much of them was measured).

use super::Unknown;
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
}

/// Readings of one interface since the series last broke.
pub struct InterfaceCounters {
    points: VecDeque<Point>,
    rates: Rates,
}

impl Default for InterfaceCounters {
    fn default() -> InterfaceCounters {
        InterfaceCounters {
            points: VecDeque::new(),
            rates: Rates::all(Unknown::WarmingUp),
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

    /// Takes a reading.
    pub fn push(&mut self, reading: &InterfaceReading) {
        let point = Point::of(reading);
        let Some(previous) = self.points.back() else {
            self.points.push_back(point);
            return;
        };
        if let Err(reason) = continues(previous, &point, reading.speed_bps) {
            self.points.clear();
            self.points.push_back(point);
            self.rates = Rates::all(reason);
            return;
        }
        self.points.push_back(point);
        self.forget_old();
        self.rates = self.compute(reading.speed_bps);
        if [&self.rates.in_bps, &self.rates.out_bps]
            .iter()
            .any(|r| matches!(r, Err(Unknown::AboveLinkSpeed)))
        {
            let last = self.points.pop_back();
            self.points.clear();
            self.points.extend(last);
        }
    }

    fn forget_old(&mut self) {
        let Some((newest, faults)) = self.points.back().map(|p| (p.at, p.faults.is_some())) else {
            return;
        };
        // Rates are taken by the device's clock, which may differ a little from ours.
        let over = if faults {
            ERRORS_OVER
        } else {
            RATE_OVER + RATE_OVER / 10
        };
        while self.points.len() > READINGS_MAX
            || self.points.get(1).is_some_and(|second| newest.since(second.at) >= over)
        {
            self.points.pop_front();
        }
    }

    fn compute(&self, speed_bps: Option<u64>) -> Rates {
        let Some(newest) = self.points.back() else {
            return Rates::all(Unknown::WarmingUp);
        };
        let base = |over: Duration| {
            self.points
                .iter()
                .rev()
                .find(|p| device_time(p, newest) >= over.as_secs_f64())
        };
        let mut rates = Rates::all(Unknown::WarmingUp);
        if let Some(old) = base(RATE_OVER) {
            rates.in_bps = bps(old, newest, |p| p.in_octets, speed_bps);
            rates.out_bps = bps(old, newest, |p| p.out_octets, speed_bps);
        }
        // The window of shares may be shorter than 5 min while it fills: packets decide whether it says anything.
        if let Some(old) = self
            .points
            .front()
            .filter(|p| device_time(p, newest) >= RATE_OVER.as_secs_f64())
        {
            rates.errors_percent = share(old, newest, |f| f.errors);
            rates.discards_percent = share(old, newest, |f| f.discards);
        }
        rates
    }
}

/// Seconds between two readings by the device's own clock. sysUpTime counts 1/100 s modulo 2³².
fn device_time(old: &Point, new: &Point) -> f64 {
    f64::from(new.uptime.wrapping_sub(old.uptime)) / 100.0
}

/// Whether `new` continues the series that `old` is the last point of.
fn continues(old: &Point, new: &Point, speed_bps: Option<u64>) -> Result<(), Unknown> {
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
            octets(a, b, seconds, speed_bps)?;
        }
    }
    match (old.packets(), new.packets()) {
        (Some(Counter::C64(a)), Some(Counter::C64(b))) if b < a => Err(Unknown::Decreased),
        _ => Ok(()),
    }
}

/// Octets between two readings of one counter.
fn octets(old: Counter, new: Counter, seconds: f64, speed_bps: Option<u64>) -> Result<u64, Unknown> {
    match (old, new) {
        (Counter::C64(a), Counter::C64(b)) => b.checked_sub(a).ok_or(Unknown::Decreased),
        (Counter::C32(a), Counter::C32(b)) => {
            let most = speed_bps.map(|s| s as f64 / 8.0 * seconds * SPEED_TOLERANCE);
            let delta = b.wrapping_sub(a);
            match most {
                // The port cannot fill the counter once in this time: a wrap, if any, was one, and is believable only
                // if the port can carry what it says.
                Some(most) if most < f64::from(u32::MAX) => {
                    if f64::from(delta) <= most {
                        Ok(u64::from(delta))
                    } else {
                        Err(Unknown::WrapAmbiguous)
                    }
                }
                _ => Err(Unknown::WrapAmbiguous),
            }
        }
        // The agent changed the width it offers: another series.
        _ => Err(Unknown::Discontinuity),
    }
}

fn bps(
    old: &Point,
    new: &Point,
    get: impl Fn(&Point) -> Option<Counter>,
    speed_bps: Option<u64>,
) -> Result<f64, Unknown> {
    let (Some(a), Some(b)) = (get(old), get(new)) else {
        return Err(Unknown::Missing);
    };
    let seconds = device_time(old, new);
    let rate = octets(a, b, seconds, speed_bps)? as f64 * 8.0 / seconds;
    match speed_bps.filter(|s| *s > 0) {
        Some(speed) if rate > speed as f64 * SPEED_TOLERANCE => Err(Unknown::AboveLinkSpeed),
        _ => Ok(rate),
    }
}

fn share(old: &Point, new: &Point, get: impl Fn(&Faults) -> Option<Counter>) -> Result<f64, Unknown> {
    let (Some(old), Some(new)) = (&old.faults, &new.faults) else {
        return Err(Unknown::Missing);
    };
    let delta = |a: Option<Counter>, b: Option<Counter>| match (a, b) {
        (Some(Counter::C64(a)), Some(Counter::C64(b))) => b.checked_sub(a).ok_or(Unknown::Decreased),
        (Some(Counter::C32(a)), Some(Counter::C32(b))) => Ok(u64::from(b.wrapping_sub(a))),
        _ => Err(Unknown::Missing),
    };
    let packets = delta(old.packets, new.packets)?;
    let bad = delta(get(old), get(new))?;
    if packets < PACKETS_MIN {
        return Err(Unknown::TooFewPackets);
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
