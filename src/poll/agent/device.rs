//! One SNMP-speaking device: what is remembered from round to round, and how a round goes on.
//!
//! Never here: datagrams, request numbers, deadlines (that is the parent module).

use super::learn::Learned;
use super::oids::Col;
use super::round::{Ask, Get, Item, Purpose, Round, Walk};
use super::session::Session;
use super::table::{self, Table};
use super::text;
use super::wanted::Wanted;
use crate::model::snmp::SnmpAccess;
use crate::model::{Device, Mono, Name, Profile};
use crate::poll::{AgentFailure, AgentReading, ScalarReading};
use crate::wire::snmp::{Pdu, PduKind, Value, Version};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Octets of a whole answer that fits one unfragmented datagram on any path of use.
const ANSWER: usize = 1_400;
/// Below this, halving a request makes no sense.
const SMALLEST: usize = 160;
/// Rows asked of a GETBULK.
const REPETITIONS: u32 = 16;
/// tooBig
const TOO_BIG: u32 = 1;
/// noSuchName
const NO_SUCH_NAME: u32 = 2;
/// Look for the instances of a profile's columns again at most this often because one of them is gone, or a column has none.
const COLUMNS_AGAIN: Duration = Duration::from_secs(300);
/// And this often without any reason.
const COLUMNS_REFRESH: Duration = Duration::from_secs(3_600);
/// A round that has lasted so long begins no further walk over a profile's column.
const NO_MORE_WALKS: Duration = Duration::from_secs(20);

/// Everything remembered of a device.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: Name,
    pub(super) access: Arc<SnmpAccess>,
    pub(super) target: SocketAddr,
    pub(super) channel: u8,
    pub(super) timeout: Duration,
    pub(super) wanted: Wanted,
    pub(super) session: Session,
    pub(super) round: Option<Box<Round>>,
    profile: Option<Arc<Profile>>,
    object_id: Option<Vec<u32>>,
    /// What the device has of its profile; `None` until it was looked up.
    learned: Option<Learned>,
    learned_at: Mono,
    table: Table,
    uptime: Option<u32>,
    /// Octets of answer a request may cause; halved by tooBig.
    room: usize,
    repetitions: u32,
    slim: bool,
    /// v1: objects whose mention makes the agent refuse the whole request.
    absent: BTreeSet<Vec<u32>>,
}

/// How a round goes on after an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Continue,
    Fail(AgentFailure),
}

impl Agent {
    pub(super) fn new(device: &Device, access: &Arc<SnmpAccess>, wanted: Wanted, channel: u8) -> Agent {
        Agent {
            name: Name::clone(&device.name),
            access: Arc::clone(access),
            target: SocketAddr::new(device.address, access.port),
            channel,
            timeout: device.poll.timeout,
            session: Session::new(access),
            profile: wanted.profile.clone(),
            wanted,
            round: None,
            object_id: None,
            learned: None,
            learned_at: Mono::default(),
            table: Table::default(),
            uptime: None,
            room: ANSWER,
            repetitions: REPETITIONS,
            slim: false,
            absent: BTreeSet::new(),
        }
    }

    /// The configuration changed, but not whom we speak to and how: keep what was learned.
    pub(super) fn rewant(&mut self, wanted: Wanted, timeout: Duration) {
        self.timeout = timeout;
        if self.wanted.patterns != wanted.patterns {
            self.table.rewanted(&wanted.patterns);
        }
        if !Arc::ptr_eq(&self.wanted.profiles, &wanted.profiles) {
            // Chosen anew by the next round; the same profile keeps what was learned.
            self.object_id = None;
        }
        self.wanted = wanted;
    }

    /// Begins a round; the caller has made sure that none is under way.
    pub(super) fn begin_round(&mut self, now: Mono) {
        let mut round = Round {
            started: now,
            ..Round::default()
        };
        round.todo.push_back(Item::ObjectId);
        if !self.wanted.patterns.is_empty() {
            round.todo.extend([Item::IfNumber, Item::IfTableLastChange]);
        }
        round.todo.extend(self.wanted.scalars.iter().cloned().map(Item::Scalar));
        if let Some(learned) = &self.learned {
            round
                .todo
                .extend(learned.asked(self.profile.as_deref()).map(Item::Scalar));
        }
        let rows = self.table.rows.iter().flatten().map(|r| r.index).collect();
        self.round = Some(Box::new(round));
        self.want_rows(&rows);
    }

    fn want_rows(&mut self, indices: &BTreeSet<u32>) {
        let rows = self.table.rows.iter().flatten();
        let v1 = self.session.version() == Version::V1;
        let (by_descr, slim) = (self.table.by_descr, self.slim);
        let items = rows.filter(|r| indices.contains(&r.index)).map(|row| Item::Row {
            index: row.index,
            columns: table::columns(by_descr, row.wide && !v1 && !by_descr, slim),
        });
        if let Some(round) = &mut self.round {
            round.todo.extend(items);
        }
    }

    /// What to ask next; `None` when the round is complete.
    pub(super) fn question(&mut self, now: Mono) -> Option<(PduKind, Vec<Vec<u32>>)> {
        loop {
            let round = self.round.as_mut()?;
            match &mut round.ask {
                Some(Ask::Get(get)) => return Some((PduKind::Get, get.oids())),
                Some(Ask::Walk(walk)) => {
                    walk.begin(now);
                    let v1 = self.session.version() == Version::V1;
                    let kind = if v1 { PduKind::GetNext } else { PduKind::GetBulk };
                    return Some((kind, vec![walk.last.clone()]));
                }
                None => {}
            }
            round.tries = 0;
            let room = self.room.saturating_sub(self.session.overhead());
            if let Some(mut get) = Get::pack(&mut round.todo, room) {
                get.leave_out(|oid| self.absent.contains(oid));
                round.ask = Some(Ask::Get(get));
            } else if let Some((purpose, base)) = round.walks.pop_front() {
                round.ask = Some(Ask::Walk(Walk::new(purpose, base)));
            } else if !self.plan_more(now) {
                return None;
            }
        }
    }

    /// max-repetitions of the next GETBULK.
    pub(super) fn repetitions(&self) -> u32 {
        self.repetitions
    }

    /// Everything planned was read: does something have to be looked up now? Each kind of walk is made once in a round.
    fn plan_more(&mut self, now: Mono) -> bool {
        let Some(round) = &mut self.round else {
            return false;
        };
        let restarted = matches!((round.uptime, self.uptime), (Some(new), Some(old)) if new < old);
        if restarted {
            self.absent.clear();
        }
        if self.choose_profile() {
            return true;
        }
        let Some(round) = &mut self.round else {
            return false;
        };
        let age = now.since(self.learned_at);
        // A metric without an object may get one later (a card comes up, an agent module is loaded).
        let lacking = self.learned.as_ref().is_some_and(Learned::is_lacking);
        let gone = age >= COLUMNS_AGAIN && (round.instance_gone || lacking);
        if !round.columns_walked && (self.learned.is_none() || restarted || gone || age >= COLUMNS_REFRESH) {
            round.columns_walked = true;
            let columns = self.profile.iter().flat_map(|p| p.columns());
            round
                .walks
                .extend(columns.map(|base| (Purpose::Profile, base.into_vec())));
            if round.walks.is_empty() {
                self.learn(false, now);
            }
            return true;
        }
        let version = (round.if_number, round.if_last_change);
        let wanted = !self.wanted.patterns.is_empty() && !round.names_walked;
        if wanted && (restarted || round.row_moved || self.table.stale(version, &self.wanted.patterns, now)) {
            round.names_walked = true;
            self.absent.clear();
            round.walks.push_back((Purpose::IfName, Col::Name.oid()));
            return true;
        }
        false
    }

    /// Chooses the profile by sysObjectID. Where several share it, the device is asked once what tells them apart: true then.
    fn choose_profile(&mut self) -> bool {
        let Some(round) = &mut self.round else {
            return false;
        };
        let Some(id) = round
            .object_id
            .as_ref()
            .filter(|id| self.object_id.as_ref() != Some(*id))
        else {
            return false;
        };
        if self.wanted.profile.is_some() {
            return false;
        }
        let candidates = self.wanted.profiles.candidates(id);
        if !std::mem::replace(&mut round.told_apart, true) {
            let unread = candidates.questions().filter(|q| !round.scalars.contains_key(&***q));
            let before = round.todo.len();
            round.todo.extend(unread.map(|q| Item::Scalar(q.to_vec())));
            if round.todo.len() > before {
                return true;
            }
        }
        let answered = |oid: &[u32]| round.scalars.get(oid).is_some_and(|r| r.value.is_some());
        let chosen = candidates.pick(answered).cloned();
        if chosen != self.profile {
            self.learned = None;
        }
        self.profile = chosen;
        self.object_id = Some(id.clone());
        false
    }

    /// Takes a true answer to the present question.
    pub(super) fn answer(&mut self, pdu: &Pdu, at: Mono, now: Mono) -> Step {
        let Some(round) = &mut self.round else {
            return Step::Continue;
        };
        round.last_answer = Some(at);
        match round.ask.take() {
            None => Step::Continue,
            Some(Ask::Walk(walk)) => self.walked(walk, pdu, now),
            Some(Ask::Get(get)) if pdu.error_status == 0 => {
                self.got(get, pdu, at);
                Step::Continue
            }
            Some(Ask::Get(get)) => self.refused(get, pdu, at),
        }
    }

    fn refused(&mut self, mut get: Get, pdu: &Pdu, at: Mono) -> Step {
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
        let Some(oid) = get.refuse(pdu.error_index) else {
            return Step::Fail(AgentFailure::ErrorStatus(pdu.error_status));
        };
        if self.session.version() == Version::V1 && pdu.error_status == NO_SUCH_NAME {
            self.absent.insert(oid);
        }
        if get.oids().is_empty() {
            self.got(get, pdu, at);
        } else {
            round.ask = Some(Ask::Get(get));
        }
        Step::Continue
    }

    /// tooBig: half as much from now on; a row alone is cut to what health needs; what is too big even so is done without.
    fn shrink(&mut self, get: Get) {
        let overhead = self.session.overhead();
        self.room = self.room.min(get.size / 2 + overhead).max(SMALLEST + overhead);
        let alone = get.items.len() == 1;
        let mut rows = BTreeSet::new();
        let Some(round) = &mut self.round else {
            return;
        };
        for item in get.items.into_iter().rev() {
            match item {
                Item::Row { index, columns } if alone && columns.len() > table::SLIM_COLUMNS => {
                    rows.insert(index);
                }
                item if !alone => round.todo.push_front(item),
                _ => {}
            }
        }
        self.slim |= !rows.is_empty();
        self.want_rows(&rows);
    }

    fn walked(&mut self, mut walk: Walk, pdu: &Pdu, now: Mono) -> Step {
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
            Purpose::IfName if walk.whole && walk.is_nameless() && !self.table.has_names() => {
                round.walks.push_front((Purpose::IfDescr, Col::Descr.oid()));
            }
            Purpose::IfName | Purpose::IfDescr => self.set_names(walk, now),
        }
        Step::Continue
    }

    /// The walks over the profile's columns are done: what is meant of what they found is read in this round already.
    /// `cut`: not all of the columns were walked.
    fn learn(&mut self, cut: bool, now: Mono) {
        let Some(round) = &mut self.round else {
            return;
        };
        let profile = self.profile.as_deref();
        let learned = Learned::of(profile, &std::mem::take(&mut round.found), cut);
        let asked: BTreeSet<Vec<u32>> = learned.asked(profile).collect();
        // What was read of instances that are gone is not handed on.
        round
            .scalars
            .retain(|oid, _| asked.contains(oid) || self.wanted.scalars.contains(oid));
        let unread = asked.into_iter().filter(|oid| !round.scalars.contains_key(oid));
        round.todo.extend(unread.map(Item::Scalar));
        self.learned = Some(learned);
        self.learned_at = now;
    }

    fn set_names(&mut self, walk: Walk, now: Mono) {
        let Some(round) = &self.round else {
            return;
        };
        let found = walk.rows.iter().filter_map(|(suffix, value)| match suffix.as_slice() {
            [index] => Some((*index, text::name(value)?)),
            _ => None,
        });
        let found: Vec<(u32, Name)> = found.collect();
        // No interface at all: the part of the agent that knows them is away. That says nothing about the interfaces.
        if found.is_empty() {
            return;
        }
        self.table.by_descr = walk.purpose == Purpose::IfDescr;
        self.table.resolve(found, walk.whole, &self.wanted.patterns, now);
        self.table
            .set_version((round.if_number, round.if_last_change), walk.took(now));
        // A row that was read under the name it has now needs no second reading.
        let unread: BTreeSet<u32> = self
            .table
            .rows
            .iter()
            .flatten()
            .filter(|row| round.rows.get(&row.index).is_none_or(|a| a.reading.name != row.name))
            .map(|row| row.index)
            .collect();
        self.want_rows(&unread);
    }

    /// Sorts the values of a complete answer into the round.
    fn got(&mut self, mut get: Get, pdu: &Pdu, at: Mono) {
        let Some(round) = &mut self.round else {
            return;
        };
        if pdu.error_status == 0 {
            get.fill(&pdu.varbinds);
        }
        let uptime = get.uptime();
        round.uptime = round.uptime.or(uptime);
        let mut again = BTreeSet::new();
        for (i, item) in get.items.iter().enumerate() {
            let value = get.single(i);
            match (item, value) {
                (Item::ObjectId, Some(Value::Oid(oid))) => round.object_id = Some(oid.clone()),
                (Item::IfNumber, Some(Value::Integer(v))) => round.if_number = Some(*v),
                (Item::IfTableLastChange, Some(Value::TimeTicks(v))) => round.if_last_change = Some(*v),
                (Item::Scalar(oid), value) => {
                    let value = value.and_then(text::number);
                    let known = |l: &Learned| l.answered_before(self.profile.as_deref(), oid);
                    round.instance_gone |= value.is_none() && self.learned.as_ref().is_some_and(known);
                    let reading = ScalarReading {
                        oid: oid.clone(),
                        value,
                    };
                    round.scalars.insert(oid.clone(), reading);
                }
                (Item::Row { index, .. }, _) => {
                    let answer = table::read_row(*index, &get.row(i), uptime, at);
                    let row = self.table.row(*index);
                    round.row_moved |= row.as_ref().map(|r| &r.name) != answer.as_ref().map(|a| &a.reading.name);
                    match (answer, row) {
                        (Some(answer), Some(row)) if answer.narrow && row.wide => {
                            row.wide = false;
                            again.insert(*index);
                        }
                        // Without sysUpTime beside them counters are worth nothing.
                        (Some(answer), _) if uptime.is_some() => drop(round.rows.insert(*index, answer)),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        self.want_rows(&again);
    }

    /// Ends the round: what was read, for the caller to hand out.
    pub(super) fn end_round(&mut self, complete: bool, now: Mono) -> Option<(Round, AgentReading)> {
        let mut round = *self.round.take()?;
        if complete {
            // After a round that broke off, a restart is still to be noticed by the next one.
            self.uptime = round.uptime.or(self.uptime);
            if let Some(learned) = &mut self.learned {
                learned.settle(self.profile.as_deref(), &round.scalars);
            }
        }
        let reading = AgentReading {
            uptime: round.uptime,
            engine: self.session.engine(now),
            rtt: round.rtt,
            profile: self.profile.as_ref().map(|p| p.name.to_string()),
            rows: self
                .learned
                .as_ref()
                .map_or_else(Default::default, |l| Arc::clone(&l.rows)),
            scalars: std::mem::take(&mut round.scalars).into_values().collect(),
            interfaces: self.table.readings(&round.rows),
            missing: self.table.missing_names(&self.wanted.patterns),
        };
        Some((round, reading))
    }
}
