//! The answer of a watched service becomes numbers: days that a certificate has left, the offset of a clock, the time of the answer.
//!
//! Never here: whether the answer is the right one (that is no number; the rules know).

use super::{Sample, Unknown};
use crate::model::service::{Answer, Ask, Clock};
use crate::model::{Device, Metric, Part, Wall};
use crate::poll::ServiceReading;

/// From this stratum on a clock is not synchronised (RFC 5905).
const UNSYNCHRONISED: u8 = 16;
/// Leap indicator of a clock that is not synchronised.
const ALARM: u8 = 3;

/// The clock says of itself that it is set by something.
pub fn is_synchronised(clock: &Clock) -> bool {
    clock.kiss.is_none() && (1..UNSYNCHRONISED).contains(&clock.stratum) && clock.leap != ALARM
}

/// Days until `end`; below zero after it.
pub fn days_until(end: Wall, now: Wall) -> f64 {
    const DAY_MS: f64 = 86_400_000.0;
    #[allow(clippy::cast_precision_loss)] // milliseconds of thousands of years are exact
    let ms = end.0.saturating_sub(now.0) as f64;
    ms / DAY_MS
}

/// The number that the answer carries, where its kind has one.
fn carried(answer: &Answer, now: Wall) -> Option<(Metric, Result<f64, Unknown>)> {
    match answer {
        Answer::Tls(certificate) => Some((Metric::CertificateDays, Ok(days_until(certificate.not_after, now)))),
        Answer::Ntp(clock) => {
            #[allow(clippy::cast_precision_loss)] // centuries of microseconds are exact
            let offset = clock.offset_us.unsigned_abs() as f64 / 1e6;
            let value = is_synchronised(clock).then_some(offset);
            Some((Metric::ClockOffset, value.ok_or(Unknown::Missing)))
        }
        Answer::Http { .. } | Answer::Dns { .. } | Answer::Command { .. } => None,
    }
}

/// The number that answers to this question carry.
fn carries(ask: &Ask) -> Option<Metric> {
    match ask {
        Ask::Tls { .. } => Some(Metric::CertificateDays),
        Ask::Ntp { .. } => Some(Metric::ClockOffset),
        Ask::Http(_) | Ask::Dns { .. } | Ask::Command { .. } => None,
    }
}

/// All numbers of a round. Without an answer they are not known.
pub(super) fn numbers(device: &Device, reading: &ServiceReading, out: &mut Vec<Sample>) {
    let Some(service) = device.service(&reading.watch) else {
        return;
    };
    let mut number = |(metric, value)| {
        out.push(Sample {
            device: reading.device,
            part: Part::Watch(reading.watch.clone()),
            metric,
            value,
            which: None,
            limits: None,
            at: reading.at,
        });
    };
    let answer = reading.result.as_ref().ok();
    let took = answer.map(|_| reading.took.as_secs_f64());
    number((Metric::AnswerTime, took.ok_or(Unknown::NoAnswer)));
    if let Some(metric) = carries(&service.ask) {
        let found = answer.and_then(|answer| carried(answer, reading.wall));
        // An answer of another kind comes from a tape that was made with another configuration.
        let value = found.filter(|(of, _)| *of == metric).map(|(_, value)| value);
        number((metric, value.unwrap_or(Err(Unknown::NoAnswer))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_ended_has_days_below_zero() {
        assert_eq!(days_until(Wall(86_400_000 * 30), Wall(0)), 30.0);
        assert_eq!(days_until(Wall(0), Wall(86_400_000 / 2)), -0.5);
        assert!(days_until(Wall(i64::MIN), Wall(i64::MAX)) < 0.0);
    }

    #[test]
    fn a_clock_that_is_not_set_has_no_offset() {
        let clock = |stratum, leap, kiss: Option<&str>| Clock {
            offset_us: -250_000,
            delay_us: 1_000,
            stratum,
            leap,
            dispersion_us: 0,
            kiss: kiss.map(str::to_owned),
        };
        let value = |clock| carried(&Answer::Ntp(clock), Wall(0)).map(|(_, value)| value);
        assert_eq!(value(clock(2, 0, None)), Some(Ok(0.25)));
        assert_eq!(value(clock(16, 0, None)), Some(Err(Unknown::Missing)));
        assert_eq!(value(clock(2, 3, None)), Some(Err(Unknown::Missing)));
        assert_eq!(value(clock(0, 0, Some("RATE"))), Some(Err(Unknown::Missing)));
    }
}
