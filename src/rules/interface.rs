//! Interfaces: admin down never alarms; oper down is a finding if it is expected up or was once seen up; dormant, and down of
//! a backup line, is healthy; a name that vanished is a finding.

use super::condition::Conditions;
use super::{Cause, RuleEffect};
use crate::model::{Device, DeviceId, FindingKey, FindingKind, Mono, Name, Now, Part};
use crate::poll::InterfaceReading;
use std::collections::BTreeMap;

/// RFC 2863: up.
const UP: u8 = 1;
/// RFC 2863: waiting for some external event; healthy for a line dialled on demand.
const DORMANT: u8 = 5;

/// Operational states as last read.
#[derive(Default)]
pub struct Interfaces {
    seen: BTreeMap<(Name, Name), Seen>,
    ids: BTreeMap<DeviceId, Name>,
}

struct Seen {
    once_up: bool,
    up: bool,
    at: Mono,
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
    /// Operationally up, and when that was read.
    pub fn oper_up(&self, device: DeviceId, interface: &Name) -> Option<(bool, Mono)> {
        let name = self.ids.get(&device)?;
        self.seen.get(&(name.clone(), interface.clone())).map(|s| (s.up, s.at))
    }

    /// Ids change with a reload; names do not.
    pub(super) fn reload(&mut self) {
        self.ids.clear();
    }

    /// Takes a reading.
    pub(super) fn take(
        &mut self,
        id: DeviceId,
        device: &Device,
        reading: &InterfaceReading,
        conditions: &mut Conditions,
        out: &mut Vec<RuleEffect>,
        now: Now,
    ) {
        self.ids.entry(id).or_insert_with(|| device.name.clone());
        let missing = interface_key(device, &reading.name, FindingKind::InterfaceMissing);
        out.extend(
            conditions
                .end(&missing, Cause::NameReturned, now)
                .map(RuleEffect::Finding),
        );
        let Some(oper) = reading.oper else { return };
        let up = oper == UP;
        let seen = self
            .seen
            .entry((device.name.clone(), reading.name.clone()))
            .or_insert(Seen {
                once_up: false,
                up,
                at: reading.at,
            });
        seen.once_up |= up;
        (seen.up, seen.at) = (up, reading.at);
        let wanted = device
            .interfaces
            .iter()
            .find(|w| crate::model::device::glob(&w.pattern, &reading.name));
        let admin_down = reading.admin.is_some_and(|a| a != UP);
        let backup = wanted.is_some_and(|w| w.backup);
        let expected = seen.once_up || wanted.is_some_and(|w| w.expect_up);
        let key = interface_key(device, &reading.name, FindingKind::InterfaceDown);
        if up || admin_down || oper == DORMANT || backup {
            let cause = Cause::OperHealthy {
                oper: Some(oper),
                admin_down,
            };
            out.extend(conditions.end(&key, cause, now).map(RuleEffect::Finding));
        } else if expected {
            let rule = device.rule(FindingKind::InterfaceDown);
            conditions.hold(key, rule, Cause::OperDown { oper }, reading.at, reading.at, now);
        }
    }

    /// Names the agent no longer has.
    pub(super) fn vanished(
        &mut self,
        device: &Device,
        names: &[Name],
        at: Mono,
        conditions: &mut Conditions,
        now: Now,
    ) {
        for name in names {
            let key = interface_key(device, name, FindingKind::InterfaceMissing);
            let rule = device.rule(FindingKind::InterfaceMissing);
            conditions.hold(key, rule, Cause::NameVanished, at, at, now);
        }
    }
}
