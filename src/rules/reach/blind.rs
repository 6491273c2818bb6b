//! The blind guard: when this host itself is cut off it accuses nobody and says so once.

use super::{Context, PARENT_HOLD, Reach, RuleEffect};
use crate::model::ReachState;
use crate::model::{DeviceId, Evidence, FindingKey, FindingKind, Isolation, Mono, Part, Site, Verdict};
use crate::rules::Cause;
use std::time::Duration;

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

/// What can be said of this host when it cannot send to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Somebody answers, and no more than half of the targets cannot be sent to.
    Sees,
    /// Others are being asked; look again then.
    Asking(Mono),
    /// Nobody at all answers, or more than half cannot be sent to.
    Blind,
}

/// Others that are asked whether this host sees anything.
const ASKED_MAX: usize = 5;
/// Between two looks at whether one of them has answered.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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

    /// No uplink can even be sent to.
    pub(super) fn cannot_send_to_uplinks(&self, context: &Context<'_>) -> bool {
        let cannot = |id: &DeviceId| self.nodes[id.index()].send_error.is_some();
        context.site.uplinks.iter().all(cannot)
    }

    /// More than half of all targets cannot be sent to.
    pub(super) fn cannot_send_to_most(&self) -> bool {
        let cannot = self.nodes.iter().filter(|n| n.send_error.is_some()).count();
        cannot * 2 > self.targets
    }

    /// This host cannot send to a device that is silent since then: does it see anybody else?
    pub(super) fn sight(&self, id: DeviceId, (since, asked_at): (Mono, Mono), context: &mut Context<'_>) -> Sight {
        if self.cannot_send_to_most() {
            return Sight::Blind;
        }
        if !self.all_silent_since(since) {
            return Sight::Sees;
        }
        let (now, until) = (context.now.mono, asked_at + PARENT_HOLD);
        match self.ask_others(id, context) && now < until {
            true => Sight::Asking(until.min(now + LOOK_AGAIN)),
            false => Sight::Blind,
        }
    }

    /// Asks some that answered last, if there are any, whether they still do.
    pub(super) fn ask_others(&self, id: DeviceId, context: &mut Context<'_>) -> bool {
        let asks = |node: &super::Node| {
            let state = matches!(node.state, ReachState::Up | ReachState::Lossy | ReachState::Unknown);
            state && node.send_error.is_none()
        };
        let others = context.site.iter().map(|(other, _)| other);
        let others: Vec<DeviceId> = others
            .filter(|other| *other != id && asks(&self.nodes[other.index()]))
            .take(ASKED_MAX)
            .collect();
        let any = !others.is_empty();
        context.out.extend(others.into_iter().map(RuleEffect::Probe));
        any
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
        // That this host cannot send is the cause itself.
        let silent = Evidence::UplinksSilent {
            uplinks: u32::try_from(uplinks.len()).unwrap_or(u32::MAX),
            own_gateway: uplinks
                .first()
                .is_some_and(|g| self.nodes[g.index()].state == ReachState::Blind),
        };
        Isolation {
            verdict: Verdict::Blind,
            evidence: (!uplinks.is_empty()).then_some(silent).into_iter().collect(),
        }
    }
}
