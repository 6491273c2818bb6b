//! Planned work: what it touches, whose it is, when.
//!
//! Never here: what follows from it (that is `notify::mute`), a clock.

use super::{Device, DeviceId, Hours, LocalMinute, Name, Wall};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// By whom the work was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The operator.
    Own,
    /// The interconnection platform.
    Platform,
    /// An access carrier.
    Carrier,
}

impl By {
    /// The words of the configuration.
    pub const ALL: [(&'static str, By); 3] = [("own", By::Own), ("platform", By::Platform), ("carrier", By::Carrier)];

    /// Its word.
    pub fn key(self) -> &'static str {
        match self {
            By::Own => "own",
            By::Platform => "platform",
            By::Carrier => "carrier",
        }
    }
}

/// A window is at most so long: a year. What is longer is a slip, and would keep everybody quiet for good.
pub const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// After the end of a window things get so long to come back before what is still bad is told.
pub const SETTLING: Duration = Duration::from_secs(600);

/// How a window stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum WindowStage {
    /// It is still to come; one of every week comes again.
    Planned,
    /// The work goes on: what it names keeps quiet.
    InForce {
        /// When it ends; `None` for one of every week that does not end within two days.
        until: Option<Wall>,
    },
    /// It has ended: what began inside it is given [`SETTLING`] to come back.
    Settling {
        /// When it ended.
        ended: Wall,
        /// When what is still bad is told.
        until: Wall,
    },
    /// It is over, settling included.
    Over,
}

impl WindowStage {
    /// Of a window that comes once. One that was taken back before it began has no length and is over.
    pub fn of_span(start: Wall, end: Wall, now: Wall) -> WindowStage {
        let until = end.after(SETTLING);
        match now {
            _ if start >= end => WindowStage::Over,
            now if now < start => WindowStage::Planned,
            now if now < end => WindowStage::InForce { until: Some(end) },
            now if now < until => WindowStage::Settling { ended: end, until },
            _ => WindowStage::Over,
        }
    }

    /// Does it keep anything quiet?
    pub fn is_active(self) -> bool {
        matches!(self, WindowStage::InForce { .. } | WindowStage::Settling { .. })
    }
}

const MINUTE: Duration = Duration::from_secs(60);
/// The end of a window of every week is looked for so far ahead, in minutes.
const LOOK_AHEAD: u32 = 2 * 24 * 60;

/// When.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Once.
    Once {
        /// From.
        start: Wall,
        /// Until; later than `start`.
        end: Wall,
    },
    /// Every week at these hours, in the operator's time zone.
    Weekly(Hours),
}

impl When {
    /// How it stands. `local`: the operator's time at a moment.
    pub fn stage(&self, now: Wall, local: impl Fn(Wall) -> LocalMinute) -> WindowStage {
        let hours = match self {
            When::Once { start, end } => return WindowStage::of_span(*start, *end, now),
            When::Weekly(hours) => hours,
        };
        let open = |at: Wall| hours.open(local(at));
        // Hours begin and end on whole minutes.
        let minute = Wall(now.0 - now.0.rem_euclid(60_000));
        if open(minute) {
            let ends = (1..=LOOK_AHEAD).map(|m| minute.after(MINUTE * m));
            let until = ends.into_iter().find(|at| !open(*at));
            return WindowStage::InForce { until };
        }
        let settling = u32::try_from(SETTLING.as_secs() / 60).unwrap_or_default();
        let ended = (1..=settling).find(|m| open(minute.before(MINUTE * *m)));
        let ended = ended.map(|m| minute.before(MINUTE * (m - 1)));
        ended.map_or(WindowStage::Planned, |ended| WindowStage::Settling {
            ended,
            until: ended.after(SETTLING),
        })
    }
}

/// A window of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Unique.
    pub name: Name,
    /// Subjects as written; each is one of a site (see [`subject`]).
    pub what: Vec<Name>,
    /// Whose.
    pub by: By,
    /// When.
    pub when: When,
}

/// A window that somebody has set on the command line; kept in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Unique among those in force.
    pub name: Name,
    /// Subjects as written.
    pub what: Vec<Name>,
    /// Whose.
    pub by: By,
    /// From.
    pub start: Wall,
    /// Until; later than `start`.
    pub end: Wall,
    /// Who set it.
    pub set_by: String,
    /// A remark for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What one word of `what` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A device or a circuit.
    Device(DeviceId),
    /// A port of a device: `edge-a/xe-0/0/1`.
    Interface(DeviceId, Name),
    /// `site:NAME`.
    Site(Name),
    /// `group:NAME`.
    Group(Name),
    /// `carrier:NAME`.
    Carrier(Name),
    /// `institution:ID`.
    Institution(Name),
}

/// Reads one word of `what`; `None` if the devices know nothing of it.
pub fn subject(devices: &[Device], word: &str) -> Option<Subject> {
    let id = |i: usize| DeviceId(u32::try_from(i).unwrap_or(u32::MAX));
    if let Some((kind, name)) = word.split_once(':') {
        let some = |have: fn(&Device) -> Option<&Name>| devices.iter().any(|d| have(d).is_some_and(|n| **n == *name));
        let found = match kind {
            "site" => some(|d| d.site.as_ref()).then(|| Subject::Site(name.into())),
            "group" => some(|d| d.group.as_ref()).then(|| Subject::Group(name.into())),
            "carrier" => some(|d| d.circuit.as_ref()?.carrier.as_ref()).then(|| Subject::Carrier(name.into())),
            "institution" => {
                some(|d| Some(&d.circuit.as_ref()?.institution_id)).then(|| Subject::Institution(name.into()))
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    if let Some(at) = devices.iter().position(|d| *d.name == *word) {
        return Some(Subject::Device(id(at)));
    }
    // Names of ports have slashes, too: the first device that fits has it.
    word.match_indices('/').find_map(|(at, _)| {
        let (device, port) = (&word[..at], &word[at + 1..]);
        let found = devices.iter().position(|d| *d.name == *device)?;
        (!port.is_empty()).then(|| Subject::Interface(id(found), port.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// 1970-01-05 was a Monday.
    fn utc(at: Wall) -> LocalMinute {
        let minutes = (at.0 / 60_000 - 4 * 1_440).rem_euclid(10_080);
        LocalMinute {
            of_week: u16::try_from(minutes).expect("minutes of a week"),
            holiday: false,
        }
    }

    #[test]
    fn a_window_is_planned_in_force_settling_and_over() {
        let (start, end) = (Wall(HOUR), Wall(2 * HOUR));
        let stage = |now: i64| WindowStage::of_span(start, end, Wall(now));
        let until = end.after(SETTLING);
        assert_eq!(stage(HOUR - 1), WindowStage::Planned);
        assert_eq!(stage(HOUR), WindowStage::InForce { until: Some(end) });
        assert_eq!(stage(2 * HOUR - 1), WindowStage::InForce { until: Some(end) });
        assert_eq!(stage(2 * HOUR), WindowStage::Settling { ended: end, until });
        assert_eq!(stage(until.0 - 1), WindowStage::Settling { ended: end, until });
        assert_eq!(stage(until.0), WindowStage::Over);
        let taken_back = WindowStage::of_span(start, start, start);
        assert_eq!(
            taken_back,
            WindowStage::Over,
            "it never began, so nothing has to settle"
        );
    }

    #[test]
    fn a_window_of_every_week_ends_on_the_minute_and_comes_again() {
        // Monday 02:00-04:00.
        let hours = Hours::new(vec![(120, 240)], true).expect("hours");
        let when = When::Weekly(hours);
        let monday = 4 * 24 * HOUR;
        let stage = |at: i64| when.stage(Wall(monday + at), utc);
        let end = Wall(monday + 4 * HOUR);
        let until = end.after(SETTLING);
        assert_eq!(stage(2 * HOUR - 1), WindowStage::Planned);
        assert_eq!(stage(2 * HOUR), WindowStage::InForce { until: Some(end) });
        assert_eq!(stage(4 * HOUR - 1), WindowStage::InForce { until: Some(end) });
        assert_eq!(stage(4 * HOUR), WindowStage::Settling { ended: end, until });
        assert_eq!(
            stage(4 * HOUR + 9 * 60_000 + 59_999),
            WindowStage::Settling { ended: end, until }
        );
        assert_eq!(stage(4 * HOUR + 10 * 60_000), WindowStage::Planned, "next week again");
        let always = When::Weekly(Hours::new(vec![(0, 10_080)], true).expect("hours"));
        assert_eq!(always.stage(Wall(monday), utc), WindowStage::InForce { until: None });
    }
}
