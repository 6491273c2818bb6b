//! What waits is brought up to date: a mail is written from the state at the moment of writing.
//!
//! Never here: a new notice.

use super::Notifier;
use crate::incident::Book;
use crate::model::{Name, Now};
use crate::notify::reader::Behind;
use std::collections::BTreeSet;
use std::time::Duration;

/// Rows that wait are brought up to date at most this often.
const REFRESH: Duration = Duration::from_secs(1);
/// … but where many devices are behind an incident, looking them all up takes its time.
const REFRESH_LARGE: Duration = Duration::from_secs(30);
/// See [`REFRESH_LARGE`].
const LARGE: usize = 1_000;

impl Notifier {
    /// What changes ten thousand times in a second is looked at once in that second.
    pub(super) fn refresh_some(&mut self, changed: &BTreeSet<u64>, book: &Book, now: Now) {
        self.stale.extend(changed.iter().filter(|_| !self.rows.is_empty()));
        if self.stale.is_empty() || now.mono < self.refresh_from {
            return;
        }
        let is_large = |id: &u64| book.get(*id).is_some_and(|i| i.affected.len() > LARGE);
        self.refresh_from = match self.stale.iter().any(is_large) {
            true => now.mono + REFRESH_LARGE,
            false => now.mono + REFRESH,
        };
        let stale = std::mem::take(&mut self.stale);
        self.refresh(&stale, book);
    }

    /// Brings what waits up to date where its incident has changed.
    fn refresh(&mut self, incidents: &BTreeSet<u64>, book: &Book) {
        let site = self.site.clone();
        let first = |id: u64| (id, Name::from(""), String::new());
        for id in incidents {
            let of = self.together.range(first(*id)..first(id.saturating_add(1)));
            let ids: Vec<u64> = of.flat_map(|(_, ids)| ids.iter().copied()).collect();
            let Some(incident) = book.get(*id).filter(|_| !ids.is_empty()) else {
                continue;
            };
            let behind = Behind::of(incident, book);
            for id in ids {
                let Some(row) = self.rows.get_mut(&id).filter(|r| r.is_pending()) else {
                    continue;
                };
                let mut notice = row.stored.notice.clone();
                let contact = &row.stored.contact;
                self.planner.refresh(&mut notice, contact, (incident, &behind), &site);
                if notice != row.stored.notice {
                    row.stored.notice = notice;
                    self.changed.insert(id);
                }
            }
        }
    }
}
