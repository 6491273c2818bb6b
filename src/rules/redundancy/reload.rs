//! Another configuration: groups keep what is known of them by their names, members by their labels.

use super::Redundancies;
use super::state::{Group, Instance, View};
use crate::model::{Name, Redundancy, Site};
use std::collections::BTreeMap;

impl Redundancies {
    /// Takes a new site. `old` is the one before.
    pub(in crate::rules) fn reload(&mut self, old: &Site, new: &Site) {
        let mut fresh = Redundancies::new(new);
        let before = std::mem::take(&mut self.groups);
        let mut known: BTreeMap<Name, (usize, Group)> = old
            .redundancy
            .iter()
            .zip(before.into_iter().enumerate())
            .map(|(of, state)| (Name::clone(&of.name), state))
            .collect();
        for (of, group) in new.redundancy.iter().zip(&mut fresh.groups) {
            let Some((at, kept)) = known.remove(&of.name) else {
                continue;
            };
            if old
                .redundancy
                .get(at)
                .is_some_and(|was| was.kind == of.kind && was.object == of.object)
            {
                let was = &old.redundancy[at];
                carry_units(group, of, &kept, was);
                carry(group, kept);
            }
        }
        fresh.moves = std::mem::take(&mut self.moves);
        fresh.keep_moves(new);
        fresh.stirred = (0..fresh.groups.len()).collect();
        *self = fresh;
    }
}

/// Units that a device has told of; in a group that was written anew they are learned anew.
fn carry_units(group: &mut Group, of: &Redundancy, kept: &Group, was: &Redundancy) {
    if of.members.len() != was.members.len() {
        return;
    }
    for slot in &kept.slots {
        let member = was.members.get(slot.member).map(|m| &m.label);
        let here = of.members.iter().position(|m| Some(&m.label) == member);
        if let (Some(here), Some(unit)) = (here, &slot.unit) {
            group.unit(of, here, unit);
        }
    }
}

/// What was known goes on under the new positions.
fn carry(group: &mut Group, kept: Group) {
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for (from, slot) in kept.slots.iter().enumerate() {
        let place = group.slots.iter().position(|s| s.label == slot.label);
        if let Some(to) = place {
            places.insert(from, to);
            let new = &mut group.slots[to];
            (new.asked, new.silent) = (slot.asked, slot.silent);
        }
    }
    for (name, instance) in kept.instances {
        let views: BTreeMap<usize, View> = instance
            .views
            .iter()
            .filter_map(|(at, v)| Some((*places.get(at)?, *v)))
            .collect();
        let ids = instance.ids.into_iter();
        let ids = ids.filter_map(|(at, id)| Some((*places.get(&at)?, id))).collect();
        let there = |label: &Name| group.slots.iter().any(|s| s.label == *label);
        let active = instance.active.filter(there);
        if !views.is_empty() || active.is_some() {
            group.instances.insert(
                name,
                Instance {
                    ids,
                    of_all: instance.of_all,
                    views,
                    active,
                    ..Instance::default()
                },
            );
        }
    }
    group.switchovers = kept.switchovers;
    group.told = kept.told;
    group.noted = kept.noted;
}
