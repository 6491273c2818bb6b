//! Who waits for whom: a confirmed silence that nobody is accused of yet.

use crate::model::{DeviceId, Mono};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes that wait for a result of a parent or an uplink, with the time to look again at the latest.
#[derive(Default)]
pub(super) struct Waiting {
    until: BTreeMap<DeviceId, Mono>,
    due: BTreeSet<(Mono, DeviceId)>,
    for_uplinks: BTreeSet<DeviceId>,
}

impl Waiting {
    pub(super) fn insert(&mut self, id: DeviceId, until: Mono) {
        self.remove(&id);
        self.until.insert(id, until);
        self.due.insert((until, id));
    }

    /// Waits for an uplink: a result of any of them is news for it.
    pub(super) fn insert_for_uplinks(&mut self, id: DeviceId, until: Mono) {
        self.insert(id, until);
        self.for_uplinks.insert(id);
    }

    pub(super) fn remove(&mut self, id: &DeviceId) {
        if let Some(until) = self.until.remove(id) {
            self.due.remove(&(until, *id));
            self.for_uplinks.remove(id);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Waiting::default();
    }

    pub(super) fn contains(&self, id: &DeviceId) -> bool {
        self.until.contains_key(id)
    }

    pub(super) fn for_uplinks(&self) -> Vec<DeviceId> {
        self.for_uplinks.iter().copied().collect()
    }

    /// When the first waiting time is over.
    pub(super) fn next(&self) -> Mono {
        self.due.first().map_or(Mono::NEVER, |(at, _)| *at)
    }

    /// Takes out the next one whose waiting time is over.
    pub(super) fn over(&mut self, now: Mono) -> Option<DeviceId> {
        let (_, id) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.remove(&id);
        Some(id)
    }
}
