//! What becomes of an answer: readings of the round, what is learned for the next ones, and smaller requests where it was refused.
//!
//! Never here: what is asked next (that is `asking`).

use super::super::learn::Learned;
use super::super::oids::Col;
use super::super::roles;
use super::super::round::Ask;
use super::super::table;
use super::super::template::{Get, Item, Library};
use super::super::text;
use super::super::walk::{Purpose, Walk};
use super::{ANSWER, Agent, NO_MORE_WALKS, SMALLEST, Step};
use crate::model::{Mono, Name};
use crate::poll::{AgentFailure, RoleCell, ScalarReading};
use crate::wire::snmp::{PduView, ValueView, Version, ber};
use std::collections::BTreeSet;
use std::sync::Arc;

/// tooBig
const TOO_BIG: u32 = 1;
/// noSuchName
const NO_SUCH_NAME: u32 = 2;

impl Agent {
    /// Takes a true answer to the present question.
    pub(in crate::poll::agent) fn answer(
        &mut self,
        pdu: &PduView<'_>,
        library: &mut Library,
        at: Mono,
        now: Mono,
    ) -> Step {
        let Some(round) = &mut self.round else {
            return Step::Continue;
        };
        round.last_answer = Some(at);
        let step = match round.ask.take() {
            None => Step::Continue,
            Some(Ask::Walk(walk)) => self.walked(walk, pdu, now),
            Some(Ask::Get(get)) if pdu.error_status == 0 => {
                self.got(&get, pdu, at);
                Step::Continue
            }
            Some(Ask::Get(get)) => self.refused(get, pdu, at),
        };
        self.share(library);
        step
    }

    fn refused(&mut self, mut get: Get, pdu: &PduView<'_>, at: Mono) -> Step {
        let Some(round) = &mut self.round else {
            return Step::Continue;
        };
        round.tries = 0;
        if pdu.error_status == TOO_BIG {
            round.refused = Some(TOO_BIG);
            self.shrink(get);
            return Step::Continue;
        }
        round.refused = Some(pdu.error_status);
        let Some(name) = get.refuse(pdu.error_index) else {
            return Step::Fail(AgentFailure::ErrorStatus(pdu.error_status));
        };
        if self.session.version() == Version::V1 && pdu.error_status == NO_SUCH_NAME {
            self.absent.insert(name);
        }
        if get.names().is_empty() {
            let nothing = PduView {
                varbinds: Vec::new(),
                error_status: 0,
                ..pdu.clone()
            };
            self.got(&get, &nothing, at);
        } else {
            round.ask = Some(Ask::Get(get));
        }
        Step::Continue
    }

    /// Half as much from now on; a row alone is cut to what health needs; what is too big even so is done without.
    pub(super) fn shrink(&mut self, get: Get) {
        let overhead = self.session.overhead();
        let half = u16::try_from(get.template.size / 2 + overhead).unwrap_or(ANSWER);
        let smallest = SMALLEST + u16::try_from(overhead).unwrap_or(0);
        self.room = self.room.min(half).max(smallest);
        self.plan = None;
        let items = &get.template.items;
        let alone = items.len() == 1;
        let mut rows = BTreeSet::new();
        let Some(round) = &mut self.round else {
            return;
        };
        // The rest of the plan is asked in new pieces.
        while let Some(template) = round.next_of_plan() {
            round.todo.extend(template.items.iter().cloned());
        }
        for item in items.iter().rev() {
            match item {
                Item::Row { index, columns } if alone && columns.len() > table::SLIM_COLUMNS => {
                    rows.insert(*index);
                }
                item if !alone => round.todo.push_front(item.clone()),
                _ => {}
            }
        }
        self.slim |= !rows.is_empty();
        self.want_rows(&rows);
    }

    fn walked(&mut self, mut walk: Walk, pdu: &PduView<'_>, now: Mono) -> Step {
        let Some(round) = &mut self.round else {
            return Step::Continue;
        };
        round.tries = 0;
        match pdu.error_status {
            0 => walk.take(&pdu.varbinds, now),
            TOO_BIG if self.repetitions > 1 => self.repetitions /= 2,
            // v1 says so at the end of everything.
            NO_SUCH_NAME if self.session.version() == Version::V1 => (walk.ended, walk.whole) = (true, true),
            _ => walk.ended = true,
        }
        if !walk.ended {
            round.ask = Some(Ask::Walk(walk));
            return Step::Continue;
        }
        match walk.purpose {
            Purpose::Profile => {
                round.found.insert(walk.base, walk.rows);
                let left = round.walks.iter().filter(|(p, _)| *p == Purpose::Profile).count();
                let cut = left > 0 && now.since(round.started) >= NO_MORE_WALKS;
                if cut {
                    round.walks.retain(|(p, _)| *p != Purpose::Profile);
                }
                if left == 0 || cut {
                    self.learn(cut, now);
                }
            }
            Purpose::Role => self.roles_found(walk, now),
            Purpose::Topology => drop(round.cables.insert(walk.base, walk.rows)),
            Purpose::IfName if walk.whole && walk.is_nameless() && !self.table.has_names() => {
                round.walks.push_front((Purpose::IfDescr, Col::Descr.oid()));
            }
            Purpose::IfName | Purpose::IfDescr | Purpose::IfAlias => self.names_found(walk, now),
        }
        Step::Continue
    }

    /// The walks over the profile's columns are done: what is meant of what they found is read in this round already.
    /// `cut`: not all of the columns were walked.
    pub(super) fn learn(&mut self, cut: bool, now: Mono) {
        let Some(round) = &mut self.round else {
            return;
        };
        let profile = self.profile.as_deref();
        let learned = Learned::of(profile, &std::mem::take(&mut round.found), cut);
        let asked: BTreeSet<Vec<u32>> = learned.asked(profile).collect();
        let read: BTreeSet<&[u32]> = round.scalars.iter().map(|s| &*s.oid).collect();
        let unread = asked.iter().filter(|oid| !read.contains(oid.as_slice()));
        round.todo.extend(unread.map(|oid| Item::Scalar(oid.as_slice().into())));
        // What was read of instances that are gone is not handed on.
        round
            .scalars
            .retain(|s| asked.contains(&*s.oid) || self.wanted.scalars.contains(&s.oid));
        self.learned = Some(learned);
        self.learned_at = now;
        (self.plan, self.unshared) = (None, true);
    }

    /// A walk over names has ended; when it was the last, rows are known again.
    fn names_found(&mut self, walk: Walk, now: Mono) {
        let Some(round) = &mut self.round else {
            return;
        };
        let rows = walk.rows.iter().filter_map(|(suffix, value)| match suffix.as_slice() {
            [index] => Some((*index, text::name_of(value)?)),
            _ => None,
        });
        if walk.purpose == Purpose::IfAlias {
            self.table
                .resolve_aliases(rows.collect(), walk.whole, &self.wanted.patterns);
        } else {
            let found: Vec<(u32, Name)> = rows.collect();
            // No interface at all: the part of the agent that knows them is away. That says nothing about the interfaces.
            if found.is_empty() {
                round.walks.retain(|(p, _)| *p != Purpose::IfAlias);
                return;
            }
            self.table.by_descr = walk.purpose == Purpose::IfDescr;
            self.table.resolve(found, walk.whole, &self.wanted.patterns, now);
            let version = (round.if_number, round.if_last_change);
            self.table.set_version(version, walk.took(now));
        }
        if round.walks.iter().any(|(p, _)| *p == Purpose::IfAlias) {
            return;
        }
        (self.plan, self.unshared) = (None, true);
        // A row that was read under the name it has now needs no second reading.
        let read = |index: u32, name: &Name| {
            let last = round.rows.iter().rev().find(|(i, _)| *i == index);
            last.is_some_and(|(_, a)| a.reading.name == *name)
        };
        let rows = self.table.rows.iter().flatten();
        let unread: BTreeSet<u32> = rows
            .filter(|row| row.by_alias() || !read(row.index, &row.name))
            .map(|row| row.index)
            .collect();
        self.want_rows(&unread);
    }

    /// A table of roles was walked: after the last one, what is new is read in this round already, and what is gone is not told.
    fn roles_found(&mut self, walk: Walk, now: Mono) {
        let Some(round) = &mut self.round else { return };
        // What the walk has read is not asked again: there are agents that give a row to a walk only, and deny it when it is asked for
        // by name (keepalived 2.2.7, RFC 2787).
        round.roles.extend(walk.rows.iter().map(|(index, value)| RoleCell {
            oid: [walk.base.as_slice(), index].concat().into(),
            value: roles::walked(value),
        }));
        let rows = walk.rows.into_iter().map(|(index, _)| index).collect();
        let wanted = &self.wanted.roles;
        self.roles.found(wanted, &walk.base, rows, walk.whole, now);
        if round.walks.iter().any(|(p, _)| *p == Purpose::Role) {
            return;
        }
        let asked = self.roles.asked(wanted);
        round.roles.retain(|cell| asked.binary_search(&cell.oid).is_ok());
        let read: BTreeSet<Arc<[u32]>> = round.roles.iter().map(|cell| Arc::clone(&cell.oid)).collect();
        let unread = asked.into_iter().filter(|oid| !read.contains(oid));
        round.todo.extend(unread.map(Item::Role));
        self.plan = None;
    }

    fn got(&mut self, get: &Get, pdu: &PduView<'_>, at: Mono) {
        let Some(round) = &mut self.round else {
            return;
        };
        let filled = (!get.whole()).then(|| get.values(&pdu.varbinds));
        let value = |i: usize| match &filled {
            Some(values) => values.get(i).copied(),
            None => pdu.varbinds.get(i).map(|v| v.value),
        };
        let uptime = match value(0) {
            Some(ValueView::TimeTicks(v)) => Some(v),
            _ => None,
        };
        round.uptime = round.uptime.or(uptime);
        let mut again = BTreeSet::new();
        for (item, range) in get.template.each() {
            match (item, value(range.start).unwrap_or(ValueView::Null)) {
                (Item::ObjectId, ValueView::Oid(contents)) => {
                    round.object_id = ber::oid(contents).ok().map(Arc::from);
                }
                (Item::IfNumber, ValueView::Integer(v)) => round.if_number = Some(v),
                (Item::IfTableLastChange, ValueView::TimeTicks(v)) => round.if_last_change = Some(v),
                (Item::Scalar(oid), value) => {
                    let number = text::number(value);
                    let known = |l: &Learned| l.answered_before(self.profile.as_deref(), oid);
                    round.instance_gone |= number.is_none() && self.learned.as_ref().is_some_and(known);
                    round.scalars.push(ScalarReading {
                        oid: Arc::clone(oid),
                        value: number,
                    });
                }
                (Item::Role(oid), value) => round.roles.push(RoleCell {
                    oid: Arc::clone(oid),
                    value: roles::value(value),
                }),
                (Item::Row { index, .. }, _) => {
                    let cells = range.filter_map(|i| Some((get.template.column(i)?, value(i)?)));
                    let mut row = self.table.row(*index);
                    let answer = table::read_row(*index, cells, row.as_deref_mut(), uptime, at);
                    round.row_moved |= !table::as_expected(row.as_deref(), answer.as_ref());
                    match (answer, row) {
                        (Some(answer), Some(row)) if answer.narrow && row.wide => {
                            row.wide = false;
                            self.plan = None;
                            again.insert(*index);
                        }
                        // Without sysUpTime beside them counters are worth nothing.
                        (Some(answer), _) if uptime.is_some() => round.rows.push((*index, answer)),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        if !again.is_empty() {
            self.want_rows(&again);
        }
    }
}
