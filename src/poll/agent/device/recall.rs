//! A device's memory: written down, and taken up again by the next process.
//!
//! Never here: how what was taken up is proven or dropped; that is what any round does.

use super::super::memory::{Identity, Memory, Since, Sizes};
use super::super::session::KeyRing;
use super::{ANSWER, Agent, COLUMNS_AGAIN, COLUMNS_REFRESH, Learned, REPETITIONS, SMALLEST};
use crate::model::{Mono, Profiles};
use crate::poll::agent::wanted::ProfileWish;
use std::sync::Arc;

impl Agent {
    /// What was learned; `None` if nothing was.
    pub(in crate::poll::agent) fn memory(&self, now: Mono) -> Option<Memory> {
        let engine = self.session.memory(now);
        if self.uptime.is_none() && engine.is_none() {
            return None;
        }
        let (table, seen) = self.table.memory();
        let sizes = Sizes {
            room: self.room,
            repetitions: self.repetitions,
            most: self.most,
        };
        let usual = (ANSWER, REPETITIONS, u16::MAX);
        let identity = |(id, profile): (&Arc<[u32]>, &Arc<_>)| {
            let profile: &Arc<crate::model::Profile> = profile;
            Box::new(Identity {
                object_id: Arc::clone(id),
                profile: profile.name.clone(),
            })
        };
        Some(Memory {
            name: self.name.clone(),
            mark: self.mark(),
            uptime: self.uptime,
            table: table.map(Box::new),
            seen,
            identity: self.object_id.as_ref().zip(self.profile.as_ref()).map(identity),
            learned: self.learned.clone().map(Box::new),
            sizes: Some(sizes).filter(|s| (s.room, s.repetitions, s.most) != usual),
            engine: engine.map(Box::new),
            numbers: Vec::new(),
            cables: self.cables.memory().map(Box::new),
        })
    }

    /// Takes up what an earlier process learned of this device, as far as it still can be true. `same_profiles`: those of the site have
    /// not changed since.
    pub(in crate::poll::agent) fn recall(
        &mut self,
        memory: Memory,
        same_profiles: bool,
        profiles: &Profiles,
        keys: &mut KeyRing,
        since: Since,
    ) {
        if memory.mark != self.mark() {
            return;
        }
        self.uptime = memory.uptime.and_then(|then| since.uptime(then));
        if let Some(engine) = &memory.engine {
            self.session.recall(engine, since, keys);
        }
        if let Some(sizes) = memory.sizes {
            self.room = sizes.room.clamp(SMALLEST, ANSWER);
            self.repetitions = sizes.repetitions.min(REPETITIONS);
            self.most = sizes.most.max(1);
            self.larger.given_up(since.now);
        }
        self.table.recall(
            memory.table.map(|t| *t),
            memory.seen,
            &self.wanted.patterns,
            (&self.name, since),
        );
        if let Some(cables) = memory.cables {
            self.cables.recall(*cables, (&self.name, since));
        }
        if same_profiles {
            let chosen = memory.identity.filter(|_| self.wanted.profile == ProfileWish::Auto);
            if let Some(identity) = chosen {
                self.profile = profiles.by_name(&identity.profile).cloned();
                self.object_id = self.profile.is_some().then_some(identity.object_id);
            }
            // Without a profile there is nothing to be learned of one: that is known, too.
            let known = self.wanted.profile != ProfileWish::Auto || self.profile.is_some();
            self.learned = memory.learned.filter(|_| known).map(|l| *l);
            let lacking = self.learned.as_ref().is_some_and(Learned::is_lacking);
            let again = if lacking { COLUMNS_AGAIN } else { COLUMNS_REFRESH };
            self.learned_at = since.looked_up(&self.name, again);
        }
        (self.plan, self.unshared) = (None, true);
    }
}
