//! What a trap does: it makes hinomi look at the device now, and it is kept on the timeline of what is open about that device.
//!
//! Never here: a level, a finding, a notice. The rules are not told that there was a trap.

use super::Core;
use super::recent::Recent;
use crate::incident::{Event, EventBody};
use crate::model::{DeviceId, FindingKey, FindingKind, Mono, Name, Now, Part, Wall};
use crate::poll::PollInput;
use crate::poll::trap::TrapSeen;
use std::collections::BTreeSet;
use std::time::Duration;

/// Traps remembered of one device.
const OF_DEVICE: usize = 16;
/// Traps remembered of all devices together.
const OF_ALL: usize = 16_384;
/// An incident that opens within this time after a trap gets it on its timeline.
const BEFORE: Duration = Duration::from_secs(5 * 60);

/// A trap and the wall time it came at.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) seen: Wall,
    pub(super) trap: TrapSeen,
}

impl Kept {
    fn event(&self, device: &Name) -> EventBody {
        EventBody::Trap {
            device: device.clone(),
            seen: self.seen,
            kind: self.trap.kind,
            oid: self.trap.oid.clone(),
            details: self.trap.details.clone(),
        }
    }
}

/// The last traps of devices.
pub(super) type Traps = Recent<Kept>;

/// Nothing came yet.
pub(super) fn none() -> Traps {
    Recent::new(OF_DEVICE, OF_ALL)
}

impl Core {
    /// A trap came in. Its device is asked at once, by liveness and by SNMP, once a second at most.
    pub(super) fn trap(&mut self, trap: TrapSeen, now: Now) {
        let Some(device) = self.site.devices.get(trap.device.index()) else {
            return;
        };
        let name = device.name.clone();
        self.feed.take(PollInput::ProbeNow(trap.device), now);
        self.feed.take(PollInput::ProbeAgent(trap.device), now);
        let kept = Kept {
            seen: now.wall_at(trap.at),
            trap,
        };
        let groups = self.site.redundancy.iter();
        let of_groups = groups.filter(|group| group.members.iter().any(|m| m.device == kept.trap.device));
        let of_groups = of_groups.flat_map(|group| self.book.open_about_group(&group.name));
        let open: Vec<u64> = self.book.open_about(&name).chain(of_groups).map(|i| i.id).collect();
        for id in open {
            self.book.trap(id, kept.event(&name), now);
        }
        self.traps.keep(&name, kept);
    }

    /// What a device said in the minutes before an incident about it, or about a redundancy group that it is in, was opened belongs to its
    /// timeline.
    pub(super) fn traps_before(&mut self, events: &[Event], now: Now) {
        for opened in events {
            let (Some(id), EventBody::Opened { change } | EventBody::Reopened { change }) =
                (opened.incident, &opened.body)
            else {
                continue;
            };
            let mut before: Vec<(Mono, EventBody)> = Vec::new();
            for device in self.about(&change.key) {
                let late = self.traps.of(&device).filter(|k| k.trap.at >= now.mono - BEFORE);
                before.extend(late.map(|kept| (kept.trap.at, kept.event(&device))));
            }
            before.sort_by_key(|(at, _)| *at);
            for (_, trap) in before {
                self.book.trap(id, trap, now);
            }
        }
    }

    /// The device that a finding is about, or those that carry the group that it is about, or the uplinks.
    pub(super) fn about(&self, key: &FindingKey) -> BTreeSet<Name> {
        match (&key.device, &key.part) {
            (Some(device), _) => BTreeSet::from([device.clone()]),
            (None, Part::Redundancy(group)) => {
                let groups = self.site.redundancy.iter().filter(|g| g.name == *group);
                let devices = groups.flat_map(|g| &g.members).map(|m| m.device);
                devices.map(|id| self.site.device(id).name.clone()).collect()
            }
            // Whoever is cut off has heard nothing of these.
            (None, Part::Host) if key.kind == FindingKind::Blind => {
                let uplinks = self.site.uplinks.iter();
                uplinks.map(|id| self.site.device(*id).name.clone()).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// The device of a name in the site in force.
    pub fn find(&self, name: &str) -> Option<DeviceId> {
        self.rules.find(name)
    }
}
