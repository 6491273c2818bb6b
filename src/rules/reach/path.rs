//! The path to a device: is any parent known to be up, is one still being asked, or are all of them down?

use super::{Context, PARENT_HOLD, Reach, RuleEffect};
use crate::model::ReachState;
use crate::model::{DeviceId, Mono};

/// What is known of one way, or of all ways together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Known to be up by a result newer than the silence.
    Open,
    /// All of it is down, below this root.
    Cut(DeviceId),
    /// Being found out; look again when a result comes, and not later than this.
    Asking(Mono),
}

impl Reach {
    /// All parents of a device together: one open way suffices.
    pub(super) fn ways(&self, id: DeviceId, since: Mono, asked_at: Mono, context: &mut Context<'_>) -> Way {
        let parents = &context.site.device(id).parents;
        let (mut root, mut asking) = (None, None);
        for parent in parents {
            match self.way(*parent, since, asked_at, context) {
                Way::Open => return Way::Open,
                Way::Cut(below) => root = root.or(Some(below)),
                Way::Asking(until) => asking = Some(asking.map_or(until, |a: Mono| a.max(until))),
            }
        }
        match (asking, root) {
            (Some(until), _) => Way::Asking(until),
            (None, Some(root)) => Way::Cut(root),
            (None, None) => Way::Open,
        }
    }

    fn way(&self, parent: DeviceId, since: Mono, asked_at: Mono, context: &mut Context<'_>) -> Way {
        let node = &self.nodes[parent.index()];
        match node.state {
            // Not watched itself: as good as what it hangs on.
            ReachState::NotWatched => self.ways(parent, since, asked_at, context),
            ReachState::Down if node.control_plane => Way::Open,
            // It is coming back: the child is judged after that, on a newer result.
            ReachState::Down if node.good_rounds > 0 => Way::Asking(Mono::NEVER),
            ReachState::Down => Way::Cut(parent),
            // A router that is switched off forwards nothing; nobody hangs a device behind one.
            ReachState::Off => Way::Cut(parent),
            ReachState::Unreachable => Way::Cut(node.root.unwrap_or(parent)),
            // Its own confirm or its own parents decide; both end by themselves.
            ReachState::Suspect | ReachState::Blind => Way::Asking(Mono::NEVER),
            ReachState::Up | ReachState::Lossy | ReachState::Unknown => {
                if node.last_answer.is_some_and(|a| a >= since) {
                    return Way::Open;
                }
                let until = asked_at + PARENT_HOLD;
                if until <= context.now.mono {
                    return Way::Open;
                }
                context.out.push(RuleEffect::Probe(parent));
                Way::Asking(until)
            }
        }
    }

    /// A device answers: its only way, silent as it is, either comes back or forwards without answering. Which of the two, a
    /// round of it started after this answer will tell.
    pub(super) fn parents_forward(&mut self, id: DeviceId, answered_at: Mono, context: &mut Context<'_>) {
        let [parent] = context.site.device(id).parents[..] else {
            return;
        };
        let node = &mut self.nodes[parent.index()];
        let silent = node.state == ReachState::Down && !node.control_plane && node.good_rounds == 0;
        // Newer than the end of the confirm: an answer that was under way when the parent died proves nothing.
        let newer = node.confirmed_at.is_some_and(|at| answered_at > at);
        if silent && newer && node.child_answered.is_none() {
            node.child_answered = Some((id, answered_at));
            context.out.push(RuleEffect::Probe(parent));
        }
    }
}
