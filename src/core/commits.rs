//! One batch at a time goes to the ledger, in order. A batch that could not be written stays with the ledger, which writes it before
//! the next one; here it is only seen to that a next one comes soon.

use crate::incident::{Batch, Event, RowChange};
use crate::model::{Mono, Name, Now};
use std::time::Duration;

/// A ledger that refused is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);

/// What an operator's order is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ordered {
    /// An incident was acknowledged.
    Incident(u64),
    /// A maintenance window was set or ended.
    Window(Name),
}

/// Events and rows on their way to the ledger.
#[derive(Default)]
pub(super) struct Commits {
    events: Vec<String>,
    rows: Vec<RowChange>,
    under_way: Option<Batch>,
    last_id: u64,
    again_at: Option<Mono>,
    /// Orders in force that the ledger does not hold yet, with the batch that brings them there.
    unrecorded: Vec<(u64, Ordered)>,
}

impl Commits {
    /// Adds what happened.
    pub(super) fn add(&mut self, events: &[Event], rows: Vec<RowChange>) {
        self.events.extend(events.iter().map(Event::to_json));
        self.rows.extend(rows);
    }

    /// The next batch to write, if none is under way and there is something to write; an empty one asks a ledger that refused to
    /// try again.
    pub(super) fn next(&mut self, now: Now) -> Option<Batch> {
        let again = self.again_at.is_some_and(|at| at <= now.mono);
        let nothing = self.events.is_empty() && self.rows.is_empty();
        if self.under_way.is_some() || nothing && !again {
            return None;
        }
        self.again_at = None;
        self.last_id += 1;
        let (events, rows) = (std::mem::take(&mut self.events), std::mem::take(&mut self.rows));
        let batch = Batch {
            id: self.last_id,
            events,
            rows,
        };
        self.under_way = Some(batch.clone());
        Some(batch)
    }

    /// The batch that holds what was added last: one that is still to come, while another is under way.
    pub(super) fn latest(&self) -> u64 {
        let waits = !self.events.is_empty() || !self.rows.is_empty();
        self.last_id + u64::from(waits)
    }

    /// An order was added just now.
    pub(super) fn ordered(&mut self, what: Ordered) {
        let batch = self.latest();
        self.unrecorded.push((batch, what));
    }

    /// An order about this is in force, and a crash would undo it.
    pub(super) fn is_unrecorded(&self, what: &Ordered) -> bool {
        self.unrecorded.iter().any(|(_, of)| of == what)
    }

    /// The ledger's answer: the rows that may leave now.
    pub(super) fn ended(&mut self, id: u64, written: bool, now: Now) -> Vec<u64> {
        let Some(batch) = self.under_way.take_if(|b| b.id == id) else {
            return Vec::new();
        };
        let rows = batch.rows.iter().map(|r| r.id).collect();
        match written {
            // What could not be written before is written first.
            true => self.unrecorded.retain(|(batch, _)| *batch > id),
            false => self.again_at = Some(now.mono + AGAIN),
        }
        rows
    }

    /// The ledger has not answered for long: rows that must not wait for it. The batch may still be written.
    pub(super) fn late(&self, id: u64) -> Vec<u64> {
        let batch = self.under_way.as_ref().filter(|b| b.id == id);
        batch.map(|b| b.rows.iter().map(|r| r.id).collect()).unwrap_or_default()
    }

    /// When to try again.
    pub(super) fn next_wakeup(&self) -> Mono {
        self.again_at
            .filter(|_| self.under_way.is_none())
            .unwrap_or(Mono::NEVER)
    }
}
