//! Interfaces: admin down never alarms; oper down is a finding if it is expected up or was once seen up; dormant, and down of
//! a backup line, is healthy; a name that vanished is a finding.

use super::condition::Conditions;
use super::{Cause, RuleEffect};
use crate::model::{Device, DeviceId, FindingKey, FindingKind, Mono, Name, Now, Part, Site};
use crate::poll::InterfaceReading;
use std::collections::HashMap;
use std::hint::black_box;

/// RFC 2863: up.
const UP: u8 = 1;
/// RFC 2863: waiting for some external event; healthy for a line dialled on demand.
const DORMANT: u8 = 5;

/// Operational states as last read.
pub struct Interfaces {
    /// By [`DeviceId`]; each list is sorted by name.
    seen: Vec<Vec<(Name, Seen)>>,
}

#[derive(Clone)]
struct Seen {
    once_up: bool,
    up: bool,
    at: Mono,
    /// It was read as up for the first time after it had been read as down; zero if it never was.
    came_up: Mono,
}

/// The finding about an interface.
pub(super) fn interface_key(device: &Device, interface: &Name, kind: FindingKind) -> FindingKey {
    FindingKey {
        device: Some(device.name.clone()),
        part: Part::Interface(interface.clone()),
        kind,
        metric: None,
    }
}

impl Interfaces {
    /// Nothing read yet.
    pub(super) fn new(site: &Site) -> Interfaces {
        Interfaces {
            seen: vec![Vec::new(); site.devices.len()],
        }
    }

    /// Operationally up, and when that was read.
    pub fn oper_up(&self, device: DeviceId, interface: &Name) -> Option<(bool, Mono)> {
        self.of(device, interface).map(|s| (s.up, s.at))
    }

    /// When it was read as up first after it had been down.
    pub(super) fn came_up(&self, device: DeviceId, interface: &Name) -> Mono {
        self.of(device, interface).map(|s| s.came_up).unwrap_or_default()
    }

    fn of(&self, device: DeviceId, interface: &Name) -> Option<&Seen> {
        let list = self.seen.get(device.index())?;
        let at = list.binary_search_by(|(name, _)| name.cmp(interface)).ok()?;
        list.get(at).map(|(_, seen)| seen)
    }

    /// Ids change with a reload; names do not.
    pub(super) fn reload(&mut self, old: &Site, new: &Site, ids: &HashMap<Name, DeviceId>) {
        let before = std::mem::replace(&mut self.seen, vec![Vec::new(); new.devices.len()]);
        for (device, seen) in old.devices.iter().zip(before) {
            if let Some(place) = ids.get(&device.name).and_then(|id| self.seen.get_mut(id.index())) {
                *place = seen;
            }
        }
    }

    /// Looks at the ports of a device.
    pub(super) fn warm(&self, device: DeviceId) {
        let first = self.seen.get(device.index()).and_then(|list| list.first());
        black_box(first.map(|(_, seen)| seen.at));
    }

    fn seen(&mut self, device: DeviceId, reading: &InterfaceReading, up: bool) -> Option<&mut Seen> {
        let list = self.seen.get_mut(device.index())?;
        let at = match list.binary_search_by(|(name, _)| name.cmp(&reading.name)) {
            Ok(at) => at,
            Err(at) => {
                let fresh = Seen {
                    once_up: false,
                    up,
                    at: reading.at,
                    came_up: Mono::default(),
                };
                list.reserve_exact(1);
                list.insert(at, (reading.name.clone(), fresh));
                at
            }
        };
        list.get_mut(at).map(|(_, seen)| seen)
    }

    /// A name, alias or session that was missing is there.
    pub(super) fn returned(
        device: &Device,
        reading: &InterfaceReading,
        conditions: &mut Conditions,
        out: &mut Vec<RuleEffect>,
        now: Now,
    ) {
        for name in std::iter::once(&reading.name).chain(&reading.found_by) {
            let missing = interface_key(device, name, FindingKind::InterfaceMissing);
            let ended = conditions.end(&missing, Cause::NameReturned, now);
            out.extend(ended.map(RuleEffect::Finding));
        }
    }

    /// The names of a device's ports that were read, in order.
    pub(super) fn names(&self, device: DeviceId) -> impl Iterator<Item = &Name> {
        self.seen
            .get(device.index())
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
    }

    /// Takes a reading. True if the port was found down just now.
    pub(super) fn take(
        &mut self,
        id: DeviceId,
        device: &Device,
        reading: &InterfaceReading,
        conditions: &mut Conditions,
        out: &mut Vec<RuleEffect>,
        now: Now,
    ) -> bool {
        let Some(oper) = reading.oper else { return false };
        let up = oper == UP;
        let Some(seen) = self.seen(id, reading, up) else {
            return false;
        };
        if up && !seen.up {
            seen.came_up = reading.at;
        }
        seen.once_up |= up;
        (seen.up, seen.at) = (up, reading.at);
        if up && conditions.is_empty() {
            return false;
        }
        let once_up = seen.once_up;
        let wanted = device
            .interfaces
            .iter()
            .find(|w| crate::model::device::glob(&w.pattern, &reading.name));
        let admin_down = reading.admin.is_some_and(|a| a != UP);
        let backup = wanted.is_some_and(|w| w.backup);
        let expected = once_up || wanted.is_some_and(|w| w.expect_up);
        let key = interface_key(device, &reading.name, FindingKind::InterfaceDown);
        if up || admin_down || oper == DORMANT || backup {
            let cause = Cause::OperHealthy {
                oper: Some(oper),
                admin_down,
            };
            out.extend(conditions.end(&key, cause, now).map(RuleEffect::Finding));
        } else if expected {
            let rule = device.rule(FindingKind::InterfaceDown);
            let fell = conditions.get(&key).is_none();
            conditions.hold(key, rule, Cause::OperDown { oper }, reading.at, reading.at, now);
            return fell;
        }
        false
    }

    /// A name that the agent does not have.
    pub(super) fn vanished(
        &mut self,
        device: &Device,
        (name, cause): (&Name, Cause),
        (at, counted_from): (Mono, Mono),
        conditions: &mut Conditions,
        now: Now,
    ) {
        let key = interface_key(device, name, FindingKind::InterfaceMissing);
        let rule = device.rule(FindingKind::InterfaceMissing);
        conditions.hold(key, rule, cause, at, counted_from, now);
    }
}
