//! The blind guard: when this host itself is cut off it accuses nobody and says so once.

use super::{Context, Reach, RuleEffect};
use crate::model::ReachState;
use crate::model::{DeviceId, Evidence, FindingKey, FindingKind, Isolation, Mono, Part, Site, Verdict};
use crate::rules::Cause;

/// With fewer targets "more than half" says nothing.
const MASS_TARGETS_MIN: usize = 4;

/// What the uplinks say about a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uplinks {
    /// None is configured.
    None,
    /// One answered a round newer than the silence.
    Answer,
    /// All are confirmed silent.
    Silent,
    /// Being found out.
    Asking(Mono),
}

/// The finding "this host is cut off".
pub(super) fn blind_key() -> FindingKey {
    FindingKey {
        device: None,
        part: Part::Host,
        kind: FindingKind::Blind,
        metric: None,
    }
}

impl Reach {
    pub(super) fn uplinks(&self, since: Mono, asked_at: Mono, context: &mut Context<'_>) -> Uplinks {
        let mut asking = None;
        let mut any = false;
        for uplink in &context.site.uplinks {
            let node = &self.nodes[uplink.index()];
            any |= node.state != ReachState::NotWatched;
            match node.state {
                _ if node.last_answer.is_some_and(|a| a >= since) => return Uplinks::Answer,
                ReachState::NotWatched
                | ReachState::Down
                | ReachState::Unreachable
                | ReachState::Off
                | ReachState::Blind => {}
                ReachState::Suspect if node.confirmed_at.is_some() => {}
                ReachState::Suspect => asking = Some(Mono::NEVER),
                ReachState::Up | ReachState::Lossy | ReachState::Unknown => {
                    let until = asked_at + super::PARENT_HOLD;
                    if until <= context.now.mono {
                        continue;
                    }
                    context.out.push(RuleEffect::Probe(*uplink));
                    asking = Some(asking.map_or(until, |a: Mono| a.max(until)));
                }
            }
        }
        match asking {
            _ if !any => Uplinks::None,
            Some(until) => Uplinks::Asking(until),
            None => Uplinks::Silent,
        }
    }

    /// Does an answer of this device say that this host is not cut off? Without uplinks any device does.
    pub(super) fn is_witness(&self, id: DeviceId, context: &Context<'_>) -> bool {
        let uplinks = &context.site.uplinks;
        let watched = |u: &DeviceId| self.nodes[u.index()].state != ReachState::NotWatched;
        uplinks.contains(&id) || !uplinks.iter().any(watched)
    }

    /// More than half of all targets fell silent within one round.
    pub(super) fn many_fell_silent(&mut self, context: &Context<'_>) -> bool {
        let oldest = context.now.mono - self.slowest;
        while self.fallen.first().is_some_and(|(at, _)| *at < oldest) {
            self.fallen.pop_first();
        }
        self.targets >= MASS_TARGETS_MIN && self.fallen.len() * 2 > self.targets
    }

    /// Has nobody at all answered a round begun since then?
    pub(super) fn all_silent_since(&self, since: Mono) -> bool {
        self.nodes.iter().all(|n| n.last_answer.is_none_or(|a| a < since))
    }

    /// This host is cut off: hold every accusation, say so once.
    pub(super) fn cut_off(&mut self, since: Mono, context: &mut Context<'_>) {
        self.blind_since = Some(since);
        let send_error = self.nodes.iter().find_map(|n| n.send_error.clone());
        let uplinks = u32::try_from(context.site.uplinks.len()).unwrap_or(u32::MAX);
        let cause = Cause::CutOff { uplinks, send_error };
        let rule = context.site.rule(FindingKind::Blind);
        context
            .conditions
            .hold(blind_key(), rule, cause, since, context.now.mono, context.now);
        for (id, _) in context.site.iter() {
            if self.nodes[id.index()].state == ReachState::Suspect {
                self.hide(id, context);
            }
        }
        self.waiting.clear();
    }

    /// While blind, what falls silent is nobody's fault.
    pub(super) fn hide(&mut self, id: DeviceId, context: &mut Context<'_>) {
        self.no_longer_fallen(id);
        let node = &mut self.nodes[id.index()];
        if node.state != ReachState::Blind {
            node.state = ReachState::Blind;
            node.since = context.now.wall;
            node.first_miss = None;
            // What this host could not ask is no silence of the device.
            node.unheard = None;
            node.confirmed_at = None;
            context.out.push(RuleEffect::Silent(id, true));
        }
        self.waiting.remove(&id);
    }

    /// An uplink is back: everything that was hidden is judged only on results newer than this.
    pub(super) fn connected(&mut self, context: &mut Context<'_>) {
        let Some(since) = self.blind_since.take() else { return };
        let cause = Cause::Connected {
            blind_seconds: context.now.mono.since(since).as_secs_f64(),
        };
        context.out.extend(
            context
                .conditions
                .end(&blind_key(), cause, context.now)
                .map(RuleEffect::Finding),
        );
        for (id, _) in context.site.iter() {
            if self.nodes[id.index()].state == ReachState::Blind {
                self.forget(id, context);
            }
        }
    }

    pub(in crate::rules) fn blind_isolation(&self, site: &Site) -> Isolation {
        let uplinks = &site.uplinks;
        let mut evidence = vec![Evidence::UplinksSilent {
            uplinks: u32::try_from(uplinks.len()).unwrap_or(u32::MAX),
            own_gateway: uplinks
                .first()
                .is_some_and(|g| self.nodes[g.index()].state == ReachState::Blind),
        }];
        evidence.extend(
            self.nodes
                .iter()
                .find_map(|n| n.send_error.clone())
                .map(|error| Evidence::SendFailed { error }),
        );
        Isolation {
            verdict: Verdict::Blind,
            evidence,
        }
    }
}
