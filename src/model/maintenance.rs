//! Planned work: what it touches, whose it is, when.
//!
//! Never here: what follows from it (that is `notify::mute`), a clock.

use super::{Device, DeviceId, Hours, Name, Wall};
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
