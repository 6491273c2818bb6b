//! Starting attempts: which rows are due, which of them become one mail, over which route and to which address.

use super::{Attempt, BESIDE, Notifier, NotifyEffect, OPEN, OPEN_PER_ROUTE};
use crate::incident::EventBody;
use crate::model::{Level, Mono, Name, Now};
use crate::notify::mail::{Delivery, Mail};
use crate::notify::plan::Notice;
use crate::notify::retry::next_slot;
use crate::notify::row::{Ended, Row};
use crate::notify::text;
use std::collections::BTreeSet;

/// A critical attempt that failed this short a time ago speaks for the lesser rows, too.
const JUST: std::time::Duration = std::time::Duration::from_secs(1);

enum Choice {
    Go(Name, String),
    /// Something must end first.
    Wait,
    /// Every route was tried in this round.
    RoundOver,
}

impl Notifier {
    /// Starts what is due: critical first, then the oldest.
    pub(super) fn start_attempts(&mut self, now: Now) {
        for row in self.rows.values_mut() {
            row.blocked = false;
        }
        if self.due(now.mono).iter().any(|(level, _)| level.0 < Level::Critical) {
            self.critical_goes_first(now.mono);
        }
        for (level, id) in self.due(now.mono) {
            let is_full = self.attempts.len() >= OPEN || level.0 < Level::Critical && self.critical_under_way(now.mono);
            let Some(row) = self.rows.get_mut(&id) else { continue };
            if is_full && row.in_flight.is_empty() {
                row.blocked = true;
                continue;
            }
            // A row before it may have been collapsed into it and have started it.
            if self
                .rows
                .get(&id)
                .is_some_and(|r| r.is_pending() && self.wants_attempt(r, now.mono))
            {
                self.try_row(id, now);
            }
        }
    }

    fn due(&self, now: Mono) -> Vec<(std::cmp::Reverse<Level>, u64)> {
        let mut due: Vec<_> = self
            .rows
            .values()
            .filter(|r| r.released && r.is_pending() && self.wants_attempt(r, now))
            .map(|r| (std::cmp::Reverse(r.stored.priority), r.id))
            .collect();
        due.sort();
        due
    }

    /// The slot of a lesser row is taken by a critical one that no relay has been reached for: after an outage of mail it is a
    /// critical one that finds the relay well. When that has just failed too, the lesser one goes.
    fn critical_goes_first(&mut self, now: Mono) {
        let just_failed = self.critical_failed.is_some_and(|at| now.since(at) < JUST);
        if just_failed || self.critical_under_way(now) {
            return;
        }
        if let Some(row) = self.rows.values_mut().find(|r| r.waits_for_a_relay()) {
            row.due = now;
            row.tried.clear();
        }
    }

    /// After an outage a critical attempt holds back lesser ones, but not for longer than it may take to be given company.
    fn critical_under_way(&self, now: Mono) -> bool {
        let after_outage = |a: &Attempt| self.rows.get(&a.row).is_some_and(|r| r.unreached);
        self.attempts
            .values()
            .any(|a| a.critical && now < a.started + BESIDE && after_outage(a))
    }

    fn wants_attempt(&self, row: &Row, now: Mono) -> bool {
        match row.in_flight.iter().map(|(_, _, started)| *started).max() {
            None => row.due <= now,
            Some(last) => row.is_critical() && row.in_flight.len() < self.routes.list.len() && now >= last + BESIDE,
        }
    }

    fn try_row(&mut self, id: u64, now: Now) {
        let id = self.collapse(id, now);
        let Some(id) = id else { return };
        let choice = self.choose(id, now.mono);
        let Some(row) = self.rows.get_mut(&id) else { return };
        match choice {
            Choice::Go(route, address) => self.attempt(id, route, address, now),
            Choice::Wait => row.blocked = true,
            Choice::RoundOver if row.in_flight.is_empty() => {
                self.refused_everywhere(id);
                let Some(row) = self.rows.get_mut(&id) else { return };
                row.tried.clear();
                row.refused.clear();
                row.due = next_slot(row.started, now.mono);
            }
            Choice::RoundOver => row.blocked = true,
        }
    }

    /// Rows of one incident for one contact that wait together become one mail. Gives the row whose mail that is, or nothing if
    /// there is nothing to be sent now.
    fn collapse(&mut self, id: u64, now: Now) -> Option<u64> {
        let row = self.rows.get(&id)?;
        if !row.is_pending() || !row.in_flight.is_empty() {
            return row.is_pending().then_some(id);
        }
        let ids = self.together.get(&row.group())?;
        let group: Vec<(u64, bool)> = ids
            .iter()
            .filter_map(|id| self.rows.get(id))
            .filter(|r| r.released && r.is_pending())
            .map(|r| (r.id, r.in_flight.is_empty()))
            .collect();
        let is_urgent = row.stored.notice.kind.is_call() && row.is_critical();
        let overtakes = group.iter().any(|(other, waits)| !waits && *other < id);
        if overtakes && !is_urgent {
            if let Some(row) = self.rows.get_mut(&id) {
                row.blocked = true;
            }
            return None;
        }
        let waiting: Vec<u64> = group.iter().filter(|(_, waits)| *waits).map(|(id, _)| *id).collect();
        let newest = *waiting.last()?;
        if waiting.len() > 1 {
            self.merge(&waiting, newest, now);
        }
        Some(newest)
    }

    fn merge(&mut self, group: &[u64], newest: u64, now: Now) {
        let older: Vec<u64> = group.iter().copied().filter(|id| *id != newest).collect();
        let mut earlier: Vec<Notice> = Vec::new();
        let mut messages = BTreeSet::new();
        let mut thread = None;
        let mut priority = Level::Ok;
        let mut ambiguous = false;
        for id in &older {
            let Some(row) = self.rows.get_mut(id) else { continue };
            earlier.append(&mut row.stored.earlier);
            earlier.push(row.stored.notice.clone());
            messages.insert(row.stored.message_id.clone());
            thread = thread.or_else(|| row.stored.thread.clone());
            priority = priority.max(row.stored.priority);
            ambiguous |= row.ambiguous;
            row.stored.ended = Some(Ended::Collapsed { into: newest });
            self.changed.insert(*id);
        }
        let Some(row) = self.rows.get_mut(&newest) else { return };
        earlier.append(&mut row.stored.earlier);
        earlier.sort_by_key(|n| n.at);
        row.stored.earlier = earlier;
        row.stored.priority = row.stored.priority.max(priority);
        // A mail cannot answer one that was never sent; one that may have been sent is a thread to hold on to.
        if row.stored.thread.as_ref().is_some_and(|t| messages.contains(t)) && !ambiguous {
            row.stored.thread = thread.filter(|t| !messages.contains(t));
        }
        row.due = row.due.min(now.mono);
        let body = EventBody::Collapsed {
            rows: older,
            into: newest,
            message_id: row.stored.message_id.clone(),
            contact: row.stored.contact.clone(),
        };
        self.said.push((Some(row.stored.notice.incident), body));
        self.changed.insert(newest);
    }

    fn choose(&self, id: u64, now: Mono) -> Choice {
        let Some(row) = self.rows.get(&id) else {
            return Choice::RoundOver;
        };
        let used = row.stored.notice.accepted.as_ref().map(|(route, _)| route);
        let order = self.routes.order(
            |r| {
                let fails = row.failing.get(&r.name).is_some_and(|f| f.is_enough(now));
                u8::from(fails) + 4 * u8::from(used == Some(&r.name))
            },
            now,
        );
        let addresses = row.addresses(&self.down);
        for route in order {
            if row.tried.contains(&route) || row.in_flight.iter().any(|(_, r, _)| *r == route) {
                continue;
            }
            let open = |a: &&String| !row.refused.contains(&(route.clone(), (*a).clone()));
            let Some(address) = addresses.iter().find(open) else {
                continue;
            };
            return match self.is_full(row, &route) {
                true => Choice::Wait,
                false => Choice::Go(route, address.clone()),
            };
        }
        Choice::RoundOver
    }

    fn is_full(&self, row: &Row, route: &str) -> bool {
        let beside = !row.in_flight.is_empty();
        let of_route = self
            .attempts
            .values()
            .filter(|a| !a.critical && *a.route == *route)
            .count();
        let route_full = !row.is_critical() && of_route >= OPEN_PER_ROUTE;
        route_full || (!beside && self.attempts.len() >= OPEN)
    }

    fn attempt(&mut self, id: u64, route: Name, address: String, now: Now) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        self.last_attempt += 1;
        let number = self.last_attempt;
        let letter = text::render(&text::Facts {
            notice: &row.stored.notice,
            earlier: &row.stored.earlier,
            language: row.stored.language,
            operator: &self.site.operator,
            head: self.head.as_ref(),
            not_ledgered: row.not_ledgered,
            possible_duplicate: row.ambiguous,
            now: now.wall,
        });
        row.in_flight.push((number, route.clone(), now.mono));
        let critical = row.is_critical();
        let mail = Mail {
            to: address.clone(),
            message_id: row.stored.message_id.clone(),
            in_reply_to: row.stored.thread.clone(),
            subject: letter.subject,
            body: letter.body,
            headers: letter.headers,
            date: now.wall,
        };
        self.attempts.insert(
            number,
            Attempt {
                row: id,
                route: route.clone(),
                address,
                critical,
                started: now.mono,
            },
        );
        self.effects.push(NotifyEffect::Deliver(Delivery {
            attempt: number,
            route,
            mail,
        }));
    }
}
