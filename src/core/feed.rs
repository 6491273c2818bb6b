//! Where observations come from: from polling, or from a tape.
//!
//! Never here: a judgement. What plays a tape sends nothing and waits for nobody.

use super::tape::Seen;
use crate::model::{DeviceId, Mono, Name, Now, Site};
use crate::poll::agent::memory::Memories;
use crate::poll::{AgentReading, Poll, PollCounters, PollEffect, PollInput};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The source of observations.
pub(super) enum Feed {
    /// The network.
    Live(Box<Poll>),
    /// A tape.
    Tape(Played),
}

/// What a tape still has for the present turn.
#[derive(Default)]
pub(super) struct Played {
    ids: HashMap<Name, DeviceId>,
    passes: VecDeque<Vec<Seen>>,
    /// Observations of devices that this configuration does not have.
    pub(super) strangers: u64,
}

impl Played {
    pub(super) fn new(site: &Site) -> Played {
        Played {
            ids: ids(site),
            ..Played::default()
        }
    }

    /// The passes of the next turn; what an earlier one has left is given up.
    pub(super) fn load(&mut self, passes: Vec<Vec<Seen>>) {
        self.passes = passes.into();
    }
}

fn ids(site: &Site) -> HashMap<Name, DeviceId> {
    site.iter().map(|(id, d)| (d.name.clone(), id)).collect()
}

impl Feed {
    pub(super) fn take(&mut self, input: PollInput, now: Now) {
        if let Feed::Live(poll) = self {
            poll.take(input, now);
        }
    }

    /// Polling, unless a tape is played.
    pub(super) fn live(&self) -> Option<&Poll> {
        match self {
            Feed::Live(poll) => Some(poll),
            Feed::Tape(_) => None,
        }
    }

    /// Who some inputs seem to come from.
    pub(super) fn seem_from(&self, inputs: &[PollInput]) -> Vec<DeviceId> {
        self.live().map_or_else(Vec::new, |poll| poll.seem_from(inputs))
    }

    /// Takes a reading that nobody needs any more, for its memory.
    pub(super) fn recycle(&mut self, reading: Box<AgentReading>) {
        if let Feed::Live(poll) = self {
            poll.recycle(reading);
        }
    }

    pub(super) fn recall(&mut self, memories: Memories, now: Now) {
        if let Feed::Live(poll) = self {
            poll.recall(memories, now);
        }
    }

    pub(super) fn take_all(&mut self, inputs: impl IntoIterator<Item = PollInput>, now: Now) {
        if let Feed::Live(poll) = self {
            poll.take_all(inputs, now);
        }
    }

    pub(super) fn wake(&mut self, now: Now) {
        if let Feed::Live(poll) = self {
            poll.wake(now);
        }
    }

    pub(super) fn next_wakeup(&self) -> Mono {
        match self {
            Feed::Live(poll) => poll.next_wakeup(),
            Feed::Tape(_) => Mono::NEVER,
        }
    }

    pub(super) fn effects(&mut self, site: &Site) -> Vec<PollEffect> {
        match self {
            Feed::Live(poll) => poll.effects(),
            Feed::Tape(played) => {
                let pass = played.passes.pop_front().unwrap_or_default();
                let mut effects = Vec::with_capacity(pass.len());
                for seen in pass {
                    match played.ids.get(&seen.device) {
                        Some(id) => effects.push(PollEffect::Observed(seen.observation(site, *id))),
                        None => played.strangers += 1,
                    }
                }
                effects
            }
        }
    }

    pub(super) fn reload(&mut self, site: Arc<Site>, now: Now) {
        match self {
            Feed::Live(poll) => poll.reload(site, now),
            Feed::Tape(played) => played.ids = ids(&site),
        }
    }

    pub(super) fn counters(&self) -> PollCounters {
        match self {
            Feed::Live(poll) => poll.counters(),
            Feed::Tape(_) => PollCounters::default(),
        }
    }
}
