//! What is kept of reachability over a reload and over a restart.
//!
//! Never here: a new accusation.

use super::common::Commons;
use super::{Context, Node, Reach, RuleEffect, down_key, watched};
use crate::model::{DeviceId, Mono, Name, ReachState, Site};
use crate::rules::Affected;
use std::collections::HashMap;

impl Reach {
    /// Takes a new configuration: devices of the same name and address keep their state.
    pub(in crate::rules) fn reload(&mut self, old: &Site, context: &mut Context<'_>) {
        let ids: HashMap<Name, DeviceId> = context.site.iter().map(|(id, d)| (d.name.clone(), id)).collect();
        let before = std::mem::take(&mut self.nodes);
        self.nodes = context
            .site
            .devices
            .iter()
            .map(|d| Node::new(watched(d), context.now))
            .collect();
        self.link(context.site);
        let commons = std::mem::replace(&mut self.commons, Commons::new(context.site));
        for ((id, was), mut node) in old.iter().zip(before) {
            let new = ids.get(&was.name).copied().filter(|new| {
                let device = context.site.device(*new);
                was.host() == device.host() && watched(was) == watched(device) && was.owner == device.owner
            });
            let root = node.root.map(|root| old.device(root));
            let kept = root.and_then(|root| ids.get(&root.name).copied());
            node.root = kept.filter(|root| new.is_some_and(|new| self.lies_below(new, *root, context.site)));
            if let (Some(root), None, true) = (root, node.root, node.listed) {
                // The root is gone, or the device hangs elsewhere now: it is not behind that any more.
                node.listed = false;
                context.out.push(RuleEffect::Affected(Affected {
                    root: down_key(root),
                    device: old.device(id).name.clone(),
                    unreachable: false,
                    at: context.now.wall,
                }));
            }
            if node.root.is_none() && node.common.is_none() && node.state == ReachState::Unreachable {
                node.forget(context.now);
            }
            if let Some(new) = new {
                self.nodes[new.index()] = node;
            }
        }
        self.reload_commons(commons, context);
        for node in &mut self.nodes {
            if node.root.is_none() && node.common.is_none() && node.state == ReachState::Unreachable {
                node.forget(context.now);
            }
        }
        self.begin_again(context);
    }

    fn begin_again(&mut self, context: &mut Context<'_>) {
        self.waiting.clear();
        self.fallen.clear();
        for (id, _) in context.site.iter() {
            let node = &self.nodes[id.index()];
            if node.state == ReachState::Suspect {
                self.waiting.insert(id, context.now.mono);
            }
            self.fallen.extend(node.first_miss.map(|first| (first, id)));
            let little = matches!(
                node.state,
                ReachState::Down | ReachState::Unreachable | ReachState::Off | ReachState::Blind
            );
            context.out.push(RuleEffect::Silent(id, little));
        }
    }

    /// Is this one on a way to the device?
    fn lies_below(&self, device: DeviceId, root: DeviceId, site: &Site) -> bool {
        let mut look = vec![device];
        while let Some(next) = look.pop() {
            let parents = &site.device(next).parents;
            if parents.contains(&root) {
                return true;
            }
            look.extend(parents);
        }
        false
    }

    /// A "does not answer" finding that was open when the daemon stopped.
    pub(in crate::rules) fn restore_down(
        &mut self,
        id: DeviceId,
        since: Mono,
        control_plane: bool,
        context: &mut Context<'_>,
    ) {
        let node = &mut self.nodes[id.index()];
        node.state = ReachState::Down;
        node.control_plane = control_plane;
        node.first_miss = Some(since);
        node.confirmed_at = Some(since);
        node.since = context.now.wall_at(since);
        context.out.push(RuleEffect::Silent(id, true));
    }

    /// A device that was listed below a root when the daemon stopped. It is unreachable only while that root is down.
    pub(in crate::rules) fn restore_hanging(&mut self, id: DeviceId, root: DeviceId, context: &mut Context<'_>) {
        let above = &self.nodes[root.index()];
        let down = above.state == ReachState::Down && !above.control_plane;
        if !self.lies_below(id, root, context.site) {
            context.out.push(RuleEffect::Affected(Affected {
                root: down_key(context.site.device(root)),
                device: context.site.device(id).name.clone(),
                unreachable: false,
                at: context.now.wall,
            }));
            return;
        }
        let node = &mut self.nodes[id.index()];
        (node.root, node.listed) = (Some(root), true);
        if down && node.state == ReachState::Unknown {
            node.state = ReachState::Unreachable;
            context.out.push(RuleEffect::Silent(id, true));
        }
    }

    /// This host was cut off when the daemon stopped.
    pub(in crate::rules) fn restore_blind(&mut self, since: Mono, context: &mut Context<'_>) {
        self.blind_since = Some(since);
        for uplink in context.site.uplinks.clone() {
            if self.nodes[uplink.index()].state == ReachState::Unknown {
                self.hide(uplink, context);
            }
        }
    }
}
