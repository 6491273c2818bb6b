//! Access circuits of connected institutions (guideline 3.2.1(7), 2.1): whose they are, where they are measured, and when silence
//! means nothing.
//!
//! A circuit is polled as a [`super::Device`] of its own whose name is the circuit's id; what only circuits have is here.

use super::{DeviceId, Name};
use std::fmt;
use std::sync::Arc;

/// What the circuit is to its institution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CircuitRole {
    /// Carries the traffic.
    #[default]
    Main,
    /// Stands by.
    Backup,
    /// Carries the traffic of several institutions, or shares the load.
    Shared,
}

/// Where a circuit's octets are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// On the operator's own device: this port or session is the line. Its state says whether the line is there.
    Line(Line),
    /// On the router at the institution: ifName (or `alias:`) of its port toward the network.
    Cpe(Name),
    /// Nowhere: liveness only.
    Nothing,
}

/// The operator's end of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The operator's device; also the circuit's parent.
    pub device: DeviceId,
    /// `ge-0/0/17` (ifName), `alias:TEXT` (ifAlias) or `session:USER` (an interface that comes and goes with a session).
    pub port: Name,
}

/// Does silence mean anything?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Clinics switch off: silence outside of the opening hours is "off", not a fault.
    MayBeOff,
    /// Silence is always a fault.
    Always,
}

/// Minutes of a week.
pub const WEEK_MINUTES: u16 = 7 * 24 * 60;

/// Weekly opening hours in the operator's time zone. Holidays are closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hours {
    /// From and to in minutes since Monday 00:00, `from < to`, sorted, without overlap. "22:00-02:00" of Sunday is cut in two.
    spans: Vec<(u16, u16)>,
    /// Open on holidays as on other days (hospitals).
    pub on_holidays: bool,
}

/// A moment as opening hours see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalMinute {
    /// Minutes since Monday 00:00, local time.
    pub of_week: u16,
    /// The day is a holiday of the operator's list.
    pub holiday: bool,
}

impl Hours {
    /// `None` if a span is empty or lies outside of the week. Spans may touch and overlap; they are joined.
    pub fn new(mut spans: Vec<(u16, u16)>, on_holidays: bool) -> Option<Hours> {
        if spans.iter().any(|(from, to)| from >= to || *to > WEEK_MINUTES) {
            return None;
        }
        spans.sort_unstable();
        let mut joined: Vec<(u16, u16)> = Vec::with_capacity(spans.len());
        for (from, to) in spans {
            match joined.last_mut() {
                Some(last) if last.1 >= from => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Some(Hours {
            spans: joined,
            on_holidays,
        })
    }

    /// Is the institution open?
    pub fn open(&self, at: LocalMinute) -> bool {
        self.open_for(at).is_some()
    }

    /// Minutes since it opened; `None` while it is closed.
    pub fn open_for(&self, at: LocalMinute) -> Option<u16> {
        if at.holiday && !self.on_holidays {
            return None;
        }
        let span = self.spans.iter().find(|(from, to)| (*from..*to).contains(&at.of_week));
        span.map(|(from, _)| at.of_week - from)
    }

    /// The hours alone, without a word on holidays: "Sun 02:00-04:00".
    pub fn without_holidays(&self) -> String {
        let plain = Hours {
            spans: self.spans.clone(),
            on_holidays: false,
        };
        plain.to_string()
    }

    /// The longest time in a row outside of them, in minutes.
    pub fn longest_break(&self) -> u16 {
        let (Some(first), Some(last)) = (self.spans.first(), self.spans.last()) else {
            return WEEK_MINUTES;
        };
        let within = self.spans.windows(2).map(|pair| pair[1].0 - pair[0].1);
        within.max().unwrap_or(0).max(first.0 + (WEEK_MINUTES - last.1))
    }

    /// Spans in minutes since Monday 00:00.
    pub fn spans(&self) -> &[(u16, u16)] {
        &self.spans
    }
}

impl fmt::Display for Hours {
    /// As they are written in the configuration: "Mon-Fri 08:30-18:00, Sat 08:30-12:30".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        if self.on_holidays && self.spans == [(0, WEEK_MINUTES)] {
            return f.write_str("always");
        }
        let mut runs: Vec<(&str, &str, String)> = Vec::new();
        for (day, name) in (0..).zip(DAYS) {
            let times = self.times_of_day(day);
            match runs.last_mut() {
                Some(run) if run.2 == times => run.1 = name,
                _ => runs.push((name, name, times)),
            }
        }
        let open = runs.iter().filter(|(_, _, times)| !times.is_empty());
        let run = |(from, to, times): &(&str, &str, String)| match from == to {
            true => format!("{from} {times}"),
            false => format!("{from}-{to} {times}"),
        };
        let mut words: Vec<String> = open.map(run).collect();
        if self.on_holidays {
            words.push("holidays".to_string());
        }
        f.write_str(&words.join(", "))
    }
}

impl Hours {
    /// "08:30-12:00 14:00-18:00" of a day, from Monday = 0; empty if it is closed.
    fn times_of_day(&self, day: u16) -> String {
        let (start, end) = (day * 24 * 60, (day + 1) * 24 * 60);
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let clipped = self.spans.iter().map(|(from, to)| ((*from).max(start), (*to).min(end)));
        let times = clipped
            .filter(|(from, to)| from < to)
            .map(|(from, to)| format!("{}-{}", clock(from - start), clock(to - start)));
        times.collect::<Vec<_>>().join(" ")
    }
}

/// What only an access circuit has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// Key of the institution (names repeat).
    pub institution_id: Name,
    /// For people.
    pub institution: Name,
    /// The access carrier.
    pub carrier: Option<Name>,
    /// Main, backup or shared.
    pub role: CircuitRole,
    /// Where it is measured.
    pub measure: Measure,
    /// Contracted rate toward the institution, bit/s.
    pub down_bps: Option<u64>,
    /// Contracted rate from the institution, bit/s.
    pub up_bps: Option<u64>,
    /// Does silence mean anything?
    pub power: Power,
    /// For [`Power::MayBeOff`].
    pub hours: Arc<Hours>,
    /// The institution's responsible person, told by `circuit.contact`.
    pub contact: Option<Name>,
    /// Whether an exceeded utilisation is told, or only shown (the default for class `user`).
    pub tells_utilization: bool,
}

impl Circuit {
    /// What is said of all circuits of an institution together: `institution Example Clinic (1312345)`.
    pub fn institution_label(&self) -> Name {
        match self.institution == self.institution_id {
            true => format!("institution {}", self.institution_id),
            false => format!("institution {} ({})", self.institution, self.institution_id),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(day: u16, hour: u16, minute: u16, holiday: bool) -> LocalMinute {
        LocalMinute {
            of_week: (day * 24 + hour) * 60 + minute,
            holiday,
        }
    }

    #[test]
    fn open_from_its_first_minute_to_the_last_before_closing_and_not_on_holidays() {
        let day = |d: u16| (d * 1440 + 510, d * 1440 + 1080);
        let clinic = Hours::new((0..5).map(day).collect(), false).unwrap();
        assert_eq!(clinic.open_for(at(0, 8, 29, false)), None);
        assert_eq!(clinic.open_for(at(0, 8, 30, false)), Some(0));
        assert_eq!(clinic.open_for(at(4, 17, 59, false)), Some(569));
        assert_eq!(clinic.open_for(at(4, 18, 0, false)), None);
        assert!(!clinic.open(at(5, 10, 0, false)) && !clinic.open(at(1, 10, 0, true)));
    }

    #[test]
    fn spans_are_joined_and_impossible_ones_refused() {
        let joined = Hours::new(vec![(60, 120), (0, 60), (100, 130)], true).unwrap();
        assert_eq!(joined.spans(), [(0, 130)]);
        assert!(joined.open(LocalMinute {
            of_week: 129,
            holiday: true
        }));
        assert_eq!(Hours::new(vec![(5, 5)], false), None);
        assert_eq!(Hours::new(vec![(0, WEEK_MINUTES + 1)], false), None);
    }
}
