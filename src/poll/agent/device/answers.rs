//! What becomes of an answer: readings of the round, what is learned for the next ones, and smaller requests where it was refused.
//!
//! Never here: what is asked next (that is `asking`).

use super::super::get::{Get, Halved, Taken};
use super::super::learn::Learned;
use super::super::oids::Col;
use super::super::roles;
use super::super::round::Ask;
use super::super::table;
use super::super::template::{Item, Library};
use super::super::text;
use super::super::walk::{Purpose, Walk};
use super::{ANSWER, Agent, NO_MORE_WALKS, SMALLEST, Step, TROUBLES_MAX};
use crate::model::{Mono, Name};
use crate::poll::unread::{Cut, CutBy, NotRead, UNREAD_MAX, Unread};
use crate::poll::{AgentFailure, RoleCell, ScalarReading};
use crate::wire::snmp::{PduView, ValueView, Version, ber};
use std::collections::BTreeSet;
use std::sync::Arc;

/// tooBig
const TOO_BIG: u32 = 1;
/// noSuchName
const NO_SUCH_NAME: u32 = 2;
/// Rounds in a row in which an agent kept silent to an object, until it is left out.
const SILENT_ROUNDS: u8 = 3;
/// Rounds in a row in which an agent refused an object, until it is left out.
const REFUSED_ROUNDS: u8 = 2;
/// Rounds in a row in which an agent answered only smaller requests, until that is remembered.
const LIMITED_ROUNDS: u8 = 2;
/// Refusals of one round, at most.
const REFUSALS_MAX: u16 = 64;

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
        round.hint = None;
        let step = match round.ask.take() {
            None => Step::Continue,
            Some(Ask::Walk(walk)) => self.walked(walk, pdu, now),
            Some(Ask::Get(get)) if pdu.error_status == 0 => {
                self.answered(get, pdu, (at, now));
                Step::Continue
            }
            Some(Ask::Get(get)) => self.refused(get, pdu, (at, now)),
        };
        self.share(library);
        step
    }

    fn answered(&mut self, mut get: Get, pdu: &PduView<'_>, (at, now): (Mono, Mono)) {
        let Some(round) = &mut self.round else { return };
        (round.tries, round.lost) = (0, round.lost.saturating_sub(1));
        if !get.in_pieces() {
            self.got(&get, pdu, at);
            return self.learn_troubles(&get, now);
        }
        // Also if the rest never comes: a round that has read something has not failed altogether.
        if get.asks_uptime() {
            round.uptime = round.uptime.or(pdu.varbinds.first().and_then(|v| ticks(v.value)));
        }
        match get.take(&pdu.varbinds) {
            Taken::More => round.ask = Some(Ask::Get(get)),
            Taken::Done => self.done(&get, pdu, (at, now)),
        }
    }

    /// All pieces are there, or are done without.
    fn done(&mut self, get: &Get, pdu: &PduView<'_>, (at, now): (Mono, Mono)) {
        let nothing = PduView {
            varbinds: Vec::new(),
            error_status: 0,
            ..pdu.clone()
        };
        self.got(get, &nothing, at);
        self.learn_troubles(get, now);
        if let Some((objects, octets)) = get.limits() {
            self.learn_limits((objects, octets), get.is_told(), now);
        }
    }

    /// Remembers what the agent has trouble with.
    fn learn_troubles(&mut self, get: &Get, now: Mono) {
        if get.whole() {
            return;
        }
        let status = self.round.as_ref().and_then(|r| r.refused).unwrap_or_default();
        let pointed = get.pointed().map(|name| (name, NotRead::Refused(status)));
        self.suspected.retain(|_, s| self.rounds.wrapping_sub(s.round) < 2);
        for (name, why) in pointed.chain(get.culprits()) {
            // A refusal is the agent's own word, or a damaged datagram; silence may be the network's.
            let enough = if matches!(why, NotRead::Refused(_)) {
                REFUSED_ROUNDS
            } else {
                SILENT_ROUNDS
            };
            let certain = self.suspected.entry(name.clone()).or_default().again(self.rounds) >= enough;
            if !certain {
                // In this round it was not read all the same.
                let oid = ber::oid(&name).unwrap_or_default().into();
                if let Some(round) = &mut self.round {
                    round.unread.push(Unread { oid, why });
                }
                continue;
            }
            if self.troubles.len() < TROUBLES_MAX
                && self.troubles.insert(name, why).is_none()
                && self.retry.at == Mono::NEVER
            {
                self.retry.given_up(now);
            }
        }
    }

    /// Asks for no more at once than was answered when more was not.
    /// `told`: by the agent itself; else what seemed too large may have been lost.
    fn learn_limits(&mut self, (objects, octets): (usize, usize), told: bool, now: Mono) {
        let before = (self.room, self.most);
        if told || self.limited.again(self.rounds) >= LIMITED_ROUNDS {
            self.tentative = None;
        } else if self.tentative.is_none() {
            self.tentative = Some(before);
        }
        let room = u16::try_from(octets + self.session.overhead()).unwrap_or(ANSWER);
        let smallest = SMALLEST + u16::try_from(self.session.overhead()).unwrap_or(0);
        self.room = self.room.min(room).max(smallest);
        self.most = self.most.min(u16::try_from(objects).unwrap_or(u16::MAX)).max(1);
        self.larger.given_up(now);
        self.plan = None;
        let Some(round) = &mut self.round else { return };
        // The rest of the plan is asked in new pieces.
        while let Some(template) = round.next_of_plan() {
            round.todo.extend(template.items.iter().cloned());
        }
    }

    /// The agent refuses a request: the object of it that is the reason is found and left out.
    fn refused(&mut self, mut get: Get, pdu: &PduView<'_>, (at, now): (Mono, Mono)) -> Step {
        let Some(round) = &mut self.round else {
            return Step::Continue;
        };
        let status = pdu.error_status;
        round.tries = 0;
        round.refused = Some(status);
        round.refusals += 1;
        if round.refusals > REFUSALS_MAX {
            return Step::Fail(AgentFailure::ErrorStatus(status));
        }
        let not_there = self.session.version() == Version::V1 && status == NO_SUCH_NAME;
        let pointed = match status {
            TOO_BIG => None,
            _ => get.refuse(pdu.error_index, not_there),
        };
        if let Some(name) = pointed {
            if not_there {
                self.absent.insert(name);
            }
        } else if !get.halve(if status == TOO_BIG {
            Halved::TooBig
        } else {
            Halved::Refused
        }) {
            // An agent that refuses even sysUpTime, and gave nothing else, refuses everything.
            if get.asks_uptime() && round.scalars.is_empty() && round.rows.is_empty() && !get.has_values() {
                return Step::Fail(AgentFailure::ErrorStatus(status));
            }
            if not_there {
                self.absent.extend(get.names().get(0).map(Box::from));
            }
            get.give_up(NotRead::Refused(status));
        }
        if get.names().is_empty() {
            self.done(&get, pdu, (at, now));
        } else {
            round.ask = Some(Ask::Get(get));
        }
        Step::Continue
    }

    fn walked(&mut self, mut walk: Walk, pdu: &PduView<'_>, now: Mono) -> Step {
        let steps = self.steps();
        let Some(round) = &mut self.round else {
            return Step::Continue;
        };
        round.tries = 0;
        let v1 = self.session.version() == Version::V1;
        match pdu.error_status {
            0 => walk.take(&pdu.varbinds, now),
            TOO_BIG if self.repetitions > 1 && !v1 => {
                self.repetitions /= 2;
                self.larger.given_up(now);
            }
            // v1 says so at the end of everything.
            NO_SUCH_NAME if v1 => walk.finish(),
            status => {
                round.refusals += 1;
                match round.refusals > REFUSALS_MAX {
                    true => walk.end(CutBy::Refused(status)),
                    false => {
                        // GETBULK is refused before it gave anything: its table is walked by GETNEXT.
                        if !steps && walk.rows.is_empty() && !walk.is_one_by_one() {
                            self.repetitions = 0;
                        } else {
                            walk.refused(status, if steps { 0 } else { self.repetitions });
                        }
                    }
                }
            }
        }
        if walk.ended {
            self.walk_ended(walk, now);
        } else {
            round.ask = Some(Ask::Walk(walk));
        }
        Step::Continue
    }

    pub(super) fn walk_ended(&mut self, walk: Walk, now: Mono) {
        let Some(round) = &mut self.round else { return };
        note_cut(&mut self.cuts, &walk);
        match walk.purpose {
            Purpose::Profile => {
                round.found.insert(walk.base, walk.rows);
                round.columns_cut |= walk.cut.is_some();
                self.drop_needless_walks();
                let Some(round) = &mut self.round else { return };
                let left = round.walks.iter().filter(|(p, _)| *p == Purpose::Profile).count();
                let cut = left > 0 && now.since(round.started) >= NO_MORE_WALKS;
                if cut {
                    round.walks.retain(|(p, _)| *p != Purpose::Profile);
                }
                if left == 0 || cut {
                    let cut = cut || round.columns_cut;
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
    }

    /// The walks over the profile's columns are done: what is meant of what they found is read in this round already.
    /// `cut`: not all of the columns were walked.
    pub(super) fn learn(&mut self, cut: bool, now: Mono) {
        let Some(round) = &mut self.round else {
            return;
        };
        let profile = self.profile.as_deref();
        let learned = Learned::of(profile, (&round.found, self.access.text), cut, round.deep);
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
        self.learned_young = self.young;
        (self.plan, self.unshared) = (None, true);
    }

    /// Of a table that has no rows nothing else is walked.
    fn drop_needless_walks(&mut self) {
        let (Some(round), Some(profile)) = (&mut self.round, &self.profile) else {
            return;
        };
        let empty = |base: &[u32]| round.found.get(base).is_some_and(Vec::is_empty);
        let deep = round.deep;
        let needed = profile.columns_of(|part| deep || !profile.is_fallback(part), empty);
        round
            .walks
            .retain(|(purpose, base)| *purpose != Purpose::Profile || needed.iter().any(|n| **n == **base));
    }

    /// A walk over names has ended; when it was the last, rows are known again.
    fn names_found(&mut self, walk: Walk, now: Mono) {
        let Some(round) = &mut self.round else {
            return;
        };
        let encoding = self.access.text;
        let rows = walk.rows.iter().filter_map(|(suffix, value)| match suffix.as_slice() {
            [index] => Some((*index, text::name_of(value, encoding)?)),
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
            let most = usize::try_from(self.access.interfaces_max).unwrap_or(usize::MAX);
            let patterns = (&self.wanted.patterns, most);
            let rows = usize::try_from(round.if_number.unwrap_or(0))
                .unwrap_or(0)
                .max(walk.rows.len());
            let taken = if walk.purpose == Purpose::IfDescr {
                self.table.resolve_descr(found, walk.whole, patterns, now)
            } else if walk.whole && self.table.lacks_names(&found, rows, patterns.0) {
                self.table.keep_half(found);
                round.walks.push_front((Purpose::IfDescr, Col::Descr.oid()));
                return;
            } else {
                self.table.by_descr = false;
                self.table.resolve(found, walk.whole, patterns, now)
            };
            if let Some(rows) = taken {
                self.cuts.retain(|c| *c.column != *walk.base);
                self.cuts.push(Cut {
                    column: walk.base.as_slice().into(),
                    rows,
                    by: CutBy::Rows,
                });
            }
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
        let uptime = value(0).and_then(ticks);
        round.uptime = round.uptime.or(uptime);
        for (i, varbind) in (0..get.template.len()).filter_map(|i| Some((i, value(i)?))) {
            if let ValueView::Unreadable { tag, contents, why } = varbind
                && round.unread.len() < UNREAD_MAX
            {
                let oid = get.template.names.get(i).and_then(|name| ber::oid(name).ok());
                round.unread.push(Unread {
                    oid: oid.unwrap_or_default().into(),
                    why: NotRead::Value {
                        tag,
                        octets: contents.len(),
                        why: why.to_string(),
                    },
                });
            }
        }
        let mut again = BTreeSet::new();
        for (item, range) in get.template.each() {
            match (item, value(range.start).unwrap_or(ValueView::Null)) {
                (Item::ObjectId, ValueView::Oid(contents)) => {
                    round.object_id = ber::oid(contents).ok().map(Arc::from);
                }
                (Item::Descr, value) => round.sys_descr = text::name(value, self.access.text),
                (Item::IfNumber, ValueView::Integer(v)) => round.if_number = Some(v),
                (Item::IfTableLastChange, value) => round.if_last_change = ticks(value).or(round.if_last_change),
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
                    let answer = table::read_row(*index, cells, row.as_deref_mut(), (uptime, at), self.access.text);
                    round.row_moved |= !table::as_expected(row.as_deref(), answer.as_ref());
                    match (answer, row) {
                        (Some(answer), Some(row)) if answer.narrow && row.wide => {
                            row.wide = false;
                            self.plan = None;
                            again.insert(*index);
                        }
                        (Some(answer), _) => round.rows.push((*index, answer)),
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

/// A time in TimeTicks. There are agents that give it as another kind of number; which object it is says what is meant.
fn ticks(value: ValueView<'_>) -> Option<u32> {
    match value {
        ValueView::TimeTicks(v) | ValueView::Gauge32(v) | ValueView::Counter32(v) => Some(v),
        ValueView::Integer(v) => u32::try_from(v).ok(),
        _ => None,
    }
}

/// Remembers whether a column was walked to its end.
fn note_cut(cuts: &mut Vec<Cut>, walk: &Walk) {
    cuts.retain(|c| *c.column != *walk.base);
    if let Some(by) = walk.cut {
        cuts.push(Cut {
            column: walk.base.as_slice().into(),
            rows: walk.rows.len(),
            by,
        });
    }
}
