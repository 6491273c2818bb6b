//! The core while it is recorded, and a core that plays a record.
//!
//! Never here: what a line of a record holds (that is `tape`), files.

use super::feed::{Feed, Played};
use super::tape::{Beginning, Line, Tape, Took, Turn, Wants};
use super::{Core, Input};
use crate::incident::Restored;
use crate::model::{Now, Site};
use crate::poll::trap::TrapSeen;
use std::sync::Arc;

impl Core {
    /// From now on keeps what is taken in, for [`Core::recorded`]; the beginning of the record.
    pub fn record(&mut self, wants: Wants, now: Now) -> Beginning {
        let complete = wants.all;
        self.tape = Some(Box::new(Tape::new(wants)));
        let restored = Restored {
            ledger_id: self.notifier.ledger_id().to_owned(),
            events: vec![self.book.checkpoint(now).to_json()],
            rows: Vec::new(),
            head: self.head.clone(),
            last_row: self.notifier.last_row(),
            ..Restored::default()
        };
        Beginning {
            midway: true,
            ..Beginning::of_start(&restored, &self.site, complete, now)
        }
    }

    /// As [`Core::record`], for a core that has just been made: its beginning is what it was made from.
    pub fn record_from_start(&mut self, wants: Wants) {
        self.tape = Some(Box::new(Tape::new(wants)));
    }

    /// Ends the record.
    pub fn record_no_more(&mut self) {
        self.tape = None;
    }

    /// Takes out the lines of the record since the last call.
    pub fn recorded(&mut self) -> Vec<Line> {
        self.tape.as_mut().map(|tape| tape.lines()).unwrap_or_default()
    }

    /// A core that plays a record: it polls nobody.
    pub(super) fn play(site: Arc<Site>, began: &Beginning) -> Core {
        let feed = Feed::Tape(Played::new(&site));
        Core::with(site, feed, &began.restored(), began.now)
    }

    /// Plays one turn. `site` gives the configuration of a fingerprint, for a reload; false if it cannot.
    pub(super) fn play_turn(&mut self, turn: Turn, site: impl FnOnce(&str) -> Option<Arc<Site>>) -> bool {
        if let Feed::Tape(played) = &mut self.feed {
            played.load(turn.passes);
        }
        let now = turn.now;
        let input = match turn.took {
            Took::Polled => {
                self.take_polled(&mut Vec::new(), now);
                return true;
            }
            Took::Time => {
                self.wake(now);
                return true;
            }
            Took::Trap { device, trap } => match self.rules.find(&device) {
                Some(device) => Input::Trap(TrapSeen { device, ..trap }),
                None => return true,
            },
            Took::Incident { incident, order } => Input::Incident { incident, order },
            Took::Maintenance(order) => Input::Maintenance(order),
            Took::Committed { batch, result } => Input::Committed { batch, result },
            Took::CommitLate { batch, error } => Input::CommitLate { batch, error },
            Took::Ledger(news) => Input::Ledger(news),
            Took::Delivered { attempt, outcome } => Input::Delivered { attempt, outcome },
            Took::RouteTested(test) => Input::RouteTested(test),
            Took::Reload { fingerprint } => match site(&fingerprint) {
                Some(site) => Input::Reload(site),
                None => return false,
            },
        };
        self.take(input, now);
        true
    }

    /// Observations that were played of devices which this configuration does not have.
    pub(super) fn strangers(&self) -> u64 {
        match &self.feed {
            Feed::Tape(played) => played.strangers,
            Feed::Live(_) => 0,
        }
    }

    pub(super) fn turned(&mut self, took: Option<Took>, due: bool, now: Now) {
        if let (Some(tape), Some(took)) = (&mut self.tape, took) {
            tape.turned(took, due, now);
        }
    }
}
