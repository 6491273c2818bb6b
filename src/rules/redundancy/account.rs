//! What is said of a switchover: what moved alike, who saw it, and what explains it.
//!
//! Never here: when it is said (that is `moves`), words for people.

use super::Context;
use super::moves::{Item, Move, Shift, TOGETHER};
use super::state::Group;
use crate::model::redundancy::Role;
use crate::model::{DeviceId, FindingKey, FindingKind, Mono, Name, Wall};
use crate::rules::{Cause, Moved};
use std::collections::BTreeSet;
use std::time::Duration;

/// A fault of the left side that began so long before explains the switchover.
const BEFORE: Duration = Duration::from_secs(120);

/// VRIDs in the order of their numbers: 2 before 10.
fn leading_number(name: &str) -> u64 {
    let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    name[..end].parse().unwrap_or(u64::MAX)
}

/// Members whose own view agrees with a change.
pub(super) fn views_of(group: &Group, shift: &Shift) -> BTreeSet<Name> {
    let Some(instance) = group.instances.get(&shift.instance) else {
        return BTreeSet::new();
    };
    let says = |at: usize| instance.views.get(&at).and_then(|v| v.role);
    let slots = group.slots.iter().enumerate();
    let agrees = slots.filter(|(at, slot)| match says(*at) {
        Some(Role::Active) => slot.label == shift.to,
        Some(_) => slot.label == shift.from,
        None => false,
    });
    agrees.map(|(_, slot)| Name::clone(&slot.label)).collect()
}

impl Move {
    /// What moved alike, together. `times`: one that moved again later is another switchover.
    pub(super) fn told(&self, times: bool) -> Vec<Moved> {
        // Each with the time of the last that is in it.
        let mut parts: Vec<(Moved, Wall)> = Vec::new();
        for ((group, instance), item) in &self.items {
            let back = item.back.is_some();
            let alike = |(m, last): &&mut (Moved, Wall)| {
                let apart = item.at.max(*last).since(item.at.min(m.at));
                m.group == *group
                    && m.from == item.from
                    && m.to == item.to
                    && m.counted == item.counted
                    && m.back == back
                    && (!times || apart <= TOGETHER)
            };
            match parts.iter_mut().find(alike) {
                Some((known, last)) => {
                    known.instances.push(Name::clone(instance));
                    (known.at, *last) = (known.at.min(item.at), (*last).max(item.at));
                    let more: Vec<Name> = item.by.iter().filter(|n| !known.by.contains(n)).cloned().collect();
                    known.by.extend(more);
                }
                None => parts.push((
                    Moved {
                        group: Name::clone(group),
                        instances: vec![Name::clone(instance)],
                        from: Name::clone(&item.from),
                        to: Name::clone(&item.to),
                        at: item.at,
                        by: item.by.iter().cloned().collect(),
                        counted: item.counted,
                        back,
                    },
                    item.at,
                )),
            }
        }
        let mut all: Vec<Moved> = parts.into_iter().map(|(moved, _)| moved).collect();
        for moved in &mut all {
            moved
                .instances
                .sort_by_cached_key(|name| (leading_number(name), Name::clone(name)));
        }
        all
    }

    pub(super) fn cause(&self, groups: &[Group], context: &Context<'_>) -> Cause {
        Cause::SwitchedOver {
            moved: self.told(true),
            because: self.because(groups, context),
        }
    }

    /// A fault of the left side's device that began shortly before, or with it.
    fn because(&self, groups: &[Group], context: &Context<'_>) -> Option<FindingKey> {
        let of = |name: &Name| context.site.redundancy.iter().position(|g| g.name == *name);
        let left = |((name, _), item): (&(Name, Name), &Item)| {
            let group = groups.get(of(name)?)?;
            let slot = group.find(&item.from)?;
            Some([Some(slot.device), slot.other])
        };
        let devices: BTreeSet<DeviceId> = self.items.iter().filter_map(left).flatten().flatten().collect();
        let explains = |key: &FindingKey, since: Mono| {
            let kind = matches!(
                key.kind,
                FindingKind::DeviceDown
                    | FindingKind::PlatformDown
                    | FindingKind::InterfaceDown
                    | FindingKind::InterfaceMissing
                    | FindingKind::ComponentFailed
            );
            kind && since + BEFORE >= self.began
        };
        devices.iter().find_map(|device| {
            let mut held = context.conditions.of(&context.site.device(*device).name);
            held.find(|(key, c)| explains(key, c.since)).map(|(key, _)| key.clone())
        })
    }
}
