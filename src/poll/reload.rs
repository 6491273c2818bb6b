//! Another configuration under running rounds: what did not change goes on, under its new id.
//!
//! Never here: whether a configuration is good; its difference told to people.

use super::echo::Addresses;
use super::engine::{Poll, TokenUse, fresh_states};
use super::schedule::Due;
use super::{Observation, PollEffect};
use crate::model::{Device, DeviceId, Liveness, Now, Site, Status};
use std::collections::HashMap;
use std::sync::Arc;

impl Poll {
    /// Another configuration. Phase, silence and rounds in flight of what did not change go on; a device whose address or way of
    /// liveness changed begins afresh. Effects not yet taken out are told with the new ids, or dropped with their device.
    pub fn reload(&mut self, site: Arc<Site>, now: Now) {
        self.clock.enter(now);
        self.pump(now);
        let old = std::mem::replace(&mut self.site, site.clone());
        let by_name: HashMap<&str, DeviceId> = site.iter().map(|(id, d)| (&*d.name, id)).collect();
        let moved: Vec<Option<DeviceId>> = old.devices.iter().map(|d| by_name.get(&*d.name).copied()).collect();
        self.move_states(&old, &moved);
        self.move_rounds(&old, &moved);
        self.move_tokens(&old, &moved);
        self.agent_probes.clear();
        // Numbers of devices have changed: a trace may not become another one's.
        self.rejected.clear();
        self.given_up.clear();
        self.asked_again.clear();
        for due in self.pacer.forget_starts() {
            let device = moved.get(due.device.index()).copied().flatten();
            if let Some(device) = device.filter(|d| self.states[d.index()].agent_queued) {
                self.pacer.start(Due { device, ..due });
            }
        }
        self.effects.retain_mut(|effect| match effect {
            PollEffect::Observed(o) => rename(o, &moved),
            PollEffect::Send { .. } | PollEffect::TcpConnect { .. } | PollEffect::Ask(_) => true,
        });
        self.addresses = Addresses::new(&site);
        self.schedule.reload(&site);
        self.agents.reload(site, now);
        self.pump(now);
    }

    fn move_states(&mut self, old: &Site, moved: &[Option<DeviceId>]) {
        let before = std::mem::replace(&mut self.states, fresh_states(&self.site));
        for (i, state) in before.into_iter().enumerate() {
            let Some(new) = moved[i] else { continue };
            let (a, b) = (&old.devices[i], self.site.device(new));
            let mut state = state;
            state.probe_waits = false;
            state.agent_running &= same_agent(a, b);
            if !same_target(a, b) {
                (state.current, state.owed) = (None, false);
                (state.silent, state.answering) = (false, false);
            }
            if b.status == Status::Active {
                state.parent = self.states[new.index()].parent;
                self.states[new.index()] = state;
            }
        }
    }

    fn move_rounds(&mut self, old: &Site, moved: &[Option<DeviceId>]) {
        for key in self.rounds.keys() {
            let Some(round) = self.rounds.get_mut(key) else {
                continue;
            };
            let was = round.device;
            match moved[was.index()] {
                Some(new) if same_target(old.device(was), self.site.device(new)) => round.device = new,
                _ => {
                    self.rounds.remove(key);
                }
            }
        }
    }

    fn move_tokens(&mut self, old: &Site, moved: &[Option<DeviceId>]) {
        let (rounds, site) = (&self.rounds, &self.site);
        self.tokens.retain(|_, usage| match usage {
            TokenUse::Liveness(key) => rounds.get(*key).is_some(),
            TokenUse::Watch(device, index) | TokenUse::Service(device, index) => {
                let found = moved[device.index()].filter(|new| {
                    let (a, b) = (old.device(*device), site.device(*new));
                    let i = usize::from(*index);
                    a.host() == b.host() && b.status == Status::Active && a.watches.get(i) == b.watches.get(i)
                });
                *device = found.unwrap_or(*device);
                found.is_some()
            }
        });
        let watch = |u: &TokenUse| {
            if let TokenUse::Watch(d, i) | TokenUse::Service(d, i) = u {
                Some((*d, *i))
            } else {
                None
            }
        };
        self.watches_running = self.tokens.values().filter_map(watch).collect();
    }
}

/// Does liveness ask the same thing of the same address?
fn same_target(a: &Device, b: &Device) -> bool {
    let credentials = a.liveness != Liveness::Snmp || same_agent(a, b);
    a.host() == b.host() && a.liveness == b.liveness && b.status == Status::Active && credentials
}

fn same_agent(a: &Device, b: &Device) -> bool {
    a.host() == b.host() && a.snmp == b.snmp && a.profile == b.profile && b.status == Status::Active
}

/// Gives an observation the new id of its device; `false` if the device is gone.
fn rename(observation: &mut Observation, moved: &[Option<DeviceId>]) -> bool {
    match moved.get(observation.device().index()).copied().flatten() {
        Some(new) => {
            observation.renumber(new);
            true
        }
        None => false,
    }
}
