//! Every incident that a ledger ever held, folded from all of its events: for those who look back further than the book does.
//!
//! Pure. Never here: reading the ledger.

use super::event::{Event, EventBody};
use super::state::{Incident, apply_to};
use std::collections::BTreeMap;

/// How much of each incident is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Only its summary: there may be hundreds of thousands.
    Summary,
    /// All events of this one, and nothing of the others.
    Timeline(u64),
}

/// The fold.
#[derive(Debug)]
pub struct History {
    keep: Keep,
    incidents: BTreeMap<u64, Incident>,
    /// Events that could not have happened.
    refused: u64,
}

impl History {
    /// Nothing yet.
    pub fn new(keep: Keep) -> History {
        History {
            keep,
            incidents: BTreeMap::new(),
            refused: 0,
        }
    }

    /// Folds one event in, in the ledger's order.
    pub fn apply(&mut self, event: Event) {
        if let EventBody::Checkpoint { book } = event.body {
            // Events before it may be missing: a ledger that was damaged begins with a checkpoint.
            for incident in book.incidents {
                self.checkpointed(incident);
            }
            return;
        }
        let Some(id) = event.incident else { return };
        if matches!(self.keep, Keep::Timeline(only) if only != id) {
            return;
        }
        if let EventBody::Opened { change } = &event.body {
            self.incidents.insert(id, Incident::new(id, &event, change));
        }
        let Some(incident) = self.incidents.get_mut(&id) else {
            return;
        };
        if apply_to(incident, &event).is_err() {
            self.refused += 1;
            return;
        }
        match self.keep {
            Keep::Timeline(_) => incident.timeline.push(event),
            // The summary says when it was last opened again, and reads that from the timeline.
            Keep::Summary if matches!(event.body, EventBody::Reopened { .. }) => incident.timeline = vec![event],
            Keep::Summary => {}
        }
    }

    fn checkpointed(&mut self, mut incident: Incident) {
        match self.keep {
            Keep::Timeline(only) if only != incident.id => return,
            Keep::Timeline(_) => {}
            Keep::Summary => incident.timeline.clear(),
        }
        self.incidents.entry(incident.id).or_insert(incident);
    }

    /// Events that could not have happened and were left out.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// All of them, by number.
    pub fn incidents(&self) -> impl DoubleEndedIterator<Item = &Incident> {
        self.incidents.values()
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<&Incident> {
        self.incidents.get(&id)
    }
}
