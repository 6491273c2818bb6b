//! What a trap does: it makes hinomi look at the device now, and it is kept on the timeline of what is open about that device.
//!
//! Never here: a level, a finding, a notice. The rules are not told that there was a trap.

use super::Core;
use crate::incident::{Event, EventBody};
use crate::model::{DeviceId, FindingKey, Mono, Name, Now, Part, Wall};
use crate::poll::PollInput;
use crate::poll::trap::TrapSeen;
use std::collections::{BTreeSet, HashMap, VecDeque};
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

/// The last traps of devices, by name: a reload does not lose them.
#[derive(Debug, Default)]
pub(super) struct Recent {
    of: HashMap<Name, VecDeque<Kept>>,
    /// Who sent, oldest first, so that all together stay bounded.
    order: VecDeque<Name>,
}

impl Recent {
    fn keep(&mut self, device: &Name, trap: Kept) {
        if self.order.len() >= OF_ALL
            && let Some(oldest) = self.order.pop_front()
        {
            self.drop_one(&oldest);
        }
        let own = self.of.entry(device.clone()).or_default();
        if own.len() >= OF_DEVICE {
            own.pop_front();
        }
        own.push_back(trap);
        self.order.push_back(device.clone());
    }

    fn drop_one(&mut self, device: &Name) {
        // A device that sent more than is kept of it has fewer traps here than places in the order.
        if let Some(own) = self.of.get_mut(device) {
            own.pop_front();
            if own.is_empty() {
                self.of.remove(device);
            }
        }
    }

    /// What is remembered of a device, oldest first.
    pub(super) fn of(&self, device: &Name) -> impl Iterator<Item = &Kept> {
        self.of.get(device).into_iter().flatten()
    }

    /// Those since `from`, as events, with the times they came at.
    fn since(&self, device: &Name, from: Mono) -> Vec<(Mono, EventBody)> {
        let late = self.of(device).filter(|kept| kept.trap.at >= from);
        late.map(|kept| (kept.trap.at, kept.event(device))).collect()
    }
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
                before.extend(self.traps.since(&device, now.mono - BEFORE));
            }
            before.sort_by_key(|(at, _)| *at);
            for (_, trap) in before {
                self.book.trap(id, trap, now);
            }
        }
    }

    /// The device that a finding is about, or those that carry the group that it is about.
    fn about(&self, key: &FindingKey) -> BTreeSet<Name> {
        match (&key.device, &key.part) {
            (Some(device), _) => BTreeSet::from([device.clone()]),
            (None, Part::Redundancy(group)) => {
                let groups = self.site.redundancy.iter().filter(|g| g.name == *group);
                let devices = groups.flat_map(|g| &g.members).map(|m| m.device);
                devices.map(|id| self.site.device(id).name.clone()).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// The device of a name in the site in force.
    pub fn find(&self, name: &str) -> Option<DeviceId> {
        self.rules.find(name)
    }
}
