//! One SNMP-speaking device: what is remembered from round to round, and how a round goes on.
//!
//! Never here: datagrams, request numbers, deadlines (that is the parent module).

mod recall;

use super::learn::Learned;
use super::oids::Col;
use super::roles;
use super::round::{Ask, Round, Spare, fit};
use super::session::Session;
use super::table::{self, Table, Wish};
use super::template::{Get, Item, Library, Plan, Template};
use super::text;
use super::walk::{Purpose, Walk};
use super::wanted::{ProfileWish, Wanted};
use crate::model::snmp::SnmpAccess;
use crate::model::{Device, Mono, Name, Profile, Profiles};
use crate::poll::{AgentFailure, AgentReading, RoleCell, ScalarReading};
use crate::wire::snmp::{Names, PduKind, PduView, ValueView, Version, ber};
use std::collections::{BTreeSet, VecDeque};
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Octets of a whole answer that fits one unfragmented datagram on any path of use.
const ANSWER: u16 = 1_400;
/// Below this, halving a request makes no sense.
const SMALLEST: u16 = 160;
/// Rows asked of a GETBULK.
const REPETITIONS: u8 = 16;
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

/// After so many tries without an answer a large request is halved: what is lost may be what does not fit the path.
const TRIES_BEFORE_HALVING: u8 = 1;

/// Everything remembered of a device.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: Name,
    pub(super) access: Arc<SnmpAccess>,
    pub(super) target: SocketAddr,
    pub(super) channel: u8,
    pub(super) timeout: Duration,
    pub(super) wanted: Arc<Wanted>,
    pub(super) session: Session,
    pub(super) round: Option<Box<Round>>,
    profile: Option<Arc<Profile>>,
    object_id: Option<Arc<[u32]>>,
    /// What the device has of its profile; `None` until it was looked up.
    learned: Option<Learned>,
    learned_at: Mono,
    table: Table,
    /// Rows of the tables that tell roles.
    roles: roles::Rows,
    uptime: Option<u32>,
    /// The requests of a round in which nothing has to be looked up; `None` when that has changed.
    plan: Option<Plan>,
    /// Octets of answer a request may cause; halved by tooBig and by loss.
    room: u16,
    repetitions: u8,
    slim: bool,
    /// v1: objects whose mention makes the agent refuse the whole request.
    absent: BTreeSet<Box<[u8]>>,
    /// Names or rows were learned that other devices may have too.
    unshared: bool,
}

/// How a round goes on after an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Continue,
    Fail(AgentFailure),
}

/// What to ask next.
pub(super) enum Question<'a> {
    /// A GET, or a walk's next step.
    Ask(PduKind, &'a Names),
    /// The round is complete.
    Complete,
}

impl Agent {
    pub(super) fn new(
        device: &Device,
        access: &Arc<SnmpAccess>,
        wanted: Arc<Wanted>,
        profiles: &Profiles,
        channel: u8,
    ) -> Agent {
        Agent {
            name: Name::clone(&device.name),
            access: Arc::clone(access),
            target: SocketAddr::new(device.address, access.port),
            channel,
            timeout: device.poll.timeout,
            session: Session::new(access),
            profile: named(&wanted, profiles),
            wanted,
            round: None,
            object_id: None,
            learned: None,
            learned_at: Mono::default(),
            table: Table::default(),
            roles: roles::Rows::default(),
            uptime: None,
            plan: None,
            room: ANSWER,
            repetitions: REPETITIONS,
            slim: false,
            absent: BTreeSet::new(),
            unshared: false,
        }
    }

    /// What was learned and other devices have too is kept once.
    pub(super) fn share(&mut self, library: &mut Library) {
        if std::mem::take(&mut self.unshared) {
            self.table.share(&mut library.names);
            if let Some(learned) = &mut self.learned {
                learned.rows = library.rows.one(&learned.rows);
            }
        }
    }

    /// The configuration changed, but not whom we speak to and how: keep what was learned.
    pub(super) fn rewant(&mut self, wanted: Arc<Wanted>, timeout: Duration) {
        self.timeout = timeout;
        if self.wanted.patterns != wanted.patterns {
            self.table.rewanted(&wanted.patterns);
        }
        if self.wanted.roles != wanted.roles {
            self.roles.forget();
        }
        if self.wanted != wanted {
            self.plan = None;
        }
        self.wanted = wanted;
    }

    /// The profile that the configuration names says what it said before.
    pub(super) fn is_named_alike(&self, profiles: &Profiles) -> bool {
        !matches!(self.wanted.profile, ProfileWish::Named(_)) || self.profile == named(&self.wanted, profiles)
    }

    /// Profiles have changed. One that is chosen by sysObjectID is chosen anew by the next round; what was learned of a profile
    /// that is still the same is kept.
    pub(super) fn reprofile(&mut self, profiles: &Profiles) {
        match self.wanted.profile {
            ProfileWish::Named(_) => self.profile = named(&self.wanted, profiles),
            ProfileWish::Auto => self.object_id = None,
            ProfileWish::None => {}
        }
    }

    /// Looks at what a round needs, so that it lies in the cache (see `core::warm`).
    pub(super) fn warm(&self) {
        black_box(self.round.as_ref().map(|r| (r.planned, r.told_apart)));
        black_box((self.room, self.target.port(), self.unshared, self.timeout));
        black_box((self.learned_at, self.uptime, self.plan.as_ref().map(|plan| plan.len())));
        self.table.warm();
    }

    /// Begins a round; the caller has made sure that none is under way.
    pub(super) fn begin_round(&mut self, library: &mut Library, spare: &mut Spare, now: Mono) {
        if self.plan.is_none() {
            let items = self.settled_items();
            self.plan = Some(library.plan(items, self.room()));
        }
        self.round = Some(spare.round(self.plan.clone(), now));
    }

    /// What every round reads. An agent is asked who it is in its first round and after a restart.
    fn settled_items(&self) -> VecDeque<Item> {
        let mut items = VecDeque::new();
        if !self.wanted.patterns.is_empty() {
            items.extend([Item::IfNumber, Item::IfTableLastChange]);
        }
        // In order, so that what is read need not be sorted in every round.
        let mut scalars: BTreeSet<Arc<[u32]>> = self.wanted.scalars.iter().cloned().collect();
        if let Some(learned) = &self.learned {
            scalars.extend(learned.asked(self.profile.as_deref()).map(Arc::from));
        }
        items.extend(scalars.into_iter().map(Item::Scalar));
        items.extend(self.roles.asked(&self.wanted.roles).into_iter().map(Item::Role));
        let mut columns = RowColumns::default();
        let rows = self.table.rows.iter().flatten();
        items.extend(rows.map(|row| columns.item(row, self.wish(row))));
        if items.is_empty() {
            // Nothing else is asked: whether it answers at all is told by who it is.
            items.push_back(Item::ObjectId);
        }
        items
    }

    fn wish(&self, row: &table::Row) -> Wish {
        let v1 = self.session.version() == Version::V1;
        let by_descr = self.table.by_descr;
        Wish {
            by_descr,
            wide: row.wide && !v1 && !by_descr,
            slim: self.slim,
            faults: self.wanted.faults,
            alias: self.wanted.alias && !self.slim || row.by_alias(),
        }
    }

    fn want_rows(&mut self, indices: &BTreeSet<u32>) {
        let mut columns = RowColumns::default();
        let rows = self.table.rows.iter().flatten().filter(|r| indices.contains(&r.index));
        let items: Vec<Item> = rows.map(|row| columns.item(row, self.wish(row))).collect();
        if let Some(round) = &mut self.round {
            round.todo.extend(items);
        }
    }

    fn room(&self) -> usize {
        usize::from(self.room).saturating_sub(self.session.overhead())
    }

    /// Sees to it that the round has something to ask; false when it is complete.
    pub(super) fn next(&mut self, profiles: &Profiles, now: Mono) -> bool {
        loop {
            let room = self.room();
            let Some(round) = self.round.as_mut() else {
                return false;
            };
            match &mut round.ask {
                Some(Ask::Get(_)) => return true,
                Some(Ask::Walk(walk)) => {
                    walk.begin(now);
                    return true;
                }
                None => {}
            }
            round.tries = 0;
            let template = round.next_of_plan();
            if let Some(template) = template.or_else(|| Template::pack(&mut round.todo, room).map(Arc::new)) {
                let mut get = Get::new(template);
                if !self.absent.is_empty() {
                    get.leave_out(|name| self.absent.contains(name));
                }
                round.ask = Some(Ask::Get(get));
            } else if let Some((purpose, base)) = round.walks.pop_front() {
                round.ask = Some(Ask::Walk(Walk::new(purpose, base)));
            } else if !self.plan_more(profiles, now) {
                return false;
            }
        }
    }

    /// What [`Agent::next`] has prepared.
    pub(super) fn question(&self) -> Question<'_> {
        match self.round.as_ref().and_then(|r| r.ask.as_ref()) {
            Some(Ask::Get(get)) => Question::Ask(PduKind::Get, get.names()),
            Some(Ask::Walk(walk)) => {
                let v1 = self.session.version() == Version::V1;
                let kind = if v1 { PduKind::GetNext } else { PduKind::GetBulk };
                Question::Ask(kind, &walk.names)
            }
            None => Question::Complete,
        }
    }

    /// max-repetitions of the next GETBULK.
    pub(super) fn repetitions(&self) -> u32 {
        u32::from(self.repetitions)
    }

    /// The present request had no answer: a large one is asked for in halves, if the agent has answered something in this round.
    pub(super) fn lost(&mut self) {
        let Some(round) = &mut self.round else { return };
        round.tries += 1;
        if round.tries <= TRIES_BEFORE_HALVING || round.last_answer.is_none() {
            return;
        }
        match round.ask.take() {
            Some(Ask::Get(get)) if get.template.items.len() > 1 && get.template.size > usize::from(SMALLEST) => {
                let tries = round.tries;
                self.shrink(get);
                if let Some(round) = &mut self.round {
                    round.tries = tries;
                }
            }
            Some(Ask::Walk(walk)) => {
                self.repetitions = (self.repetitions / 2).max(1);
                round.ask = Some(Ask::Walk(walk));
            }
            ask => round.ask = ask,
        }
    }

    /// Everything planned was read: does something have to be looked up now? Each kind of walk is made once in a round.
    fn plan_more(&mut self, profiles: &Profiles, now: Mono) -> bool {
        let Some(round) = &mut self.round else {
            return false;
        };
        let restarted = matches!((round.uptime, self.uptime), (Some(new), Some(old)) if new < old);
        if restarted {
            self.absent.clear();
        }
        if self.identify(restarted, profiles) {
            return true;
        }
        if self.look_for_roles(restarted, now) {
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
        if wanted && (restarted || round.row_moved || self.table.stale(version, now)) {
            round.names_walked = true;
            self.absent.clear();
            round.walks.push_back((Purpose::IfName, Col::Name.oid()));
            if self.wanted.patterns.has_aliases() {
                round.walks.push_back((Purpose::IfAlias, Col::Alias.oid()));
            }
            return true;
        }
        false
    }

    /// Tables of roles whose rows are not known, or have moved. True while there is something to ask.
    fn look_for_roles(&mut self, restarted: bool, now: Mono) -> bool {
        let Some(round) = self.round.as_mut().filter(|r| !r.roles_walked) else {
            return false;
        };
        round.roles_walked = true;
        let due = self.roles.due(&self.wanted.roles, &round.roles, restarted, now);
        if !due.is_empty() {
            self.absent.clear();
        }
        round.walks.extend(due.into_iter().map(|base| (Purpose::Role, base)));
        !round.walks.is_empty()
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

    /// Who it is, where that chooses the profile: asked in the first round and after a restart. Of profiles that share a sysObjectID
    /// the device is asked, likewise, what tells them apart. True while there is something to ask.
    fn identify(&mut self, restarted: bool, profiles: &Profiles) -> bool {
        let auto = self.wanted.profile == ProfileWish::Auto;
        let Some(round) = self.round.as_mut().filter(|_| auto) else {
            return false;
        };
        if !round.identity_asked && (restarted || self.object_id.is_none()) {
            round.identity_asked = true;
            round.todo.push_back(Item::ObjectId);
            return true;
        }
        let known = self.object_id == round.object_id;
        let Some(id) = round.object_id.clone().filter(|_| restarted || !known) else {
            return false;
        };
        if round.identified {
            return false;
        }
        let candidates = profiles.candidates(&id);
        if !std::mem::replace(&mut round.told_apart, true) && candidates.questions().next().is_some() {
            let questions = candidates.questions().map(|oid| Item::Scalar(oid[..].into()));
            round.todo.extend(questions);
            return true;
        }
        round.identified = true;
        let answered = |oid: &[u32]| round.scalars.iter().any(|s| *s.oid == *oid && s.value.is_some());
        // After a restart the module that would tell may not be up yet: silence is no reason to take it for another line.
        if !known || candidates.questions().any(|oid| answered(oid)) {
            let chosen = candidates.pick(answered).cloned();
            self.set_profile(chosen);
        }
        self.object_id = Some(id);
        false
    }

    fn set_profile(&mut self, profile: Option<Arc<Profile>>) {
        let same = match (&self.profile, &profile) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old == new,
            (old, new) => old.is_none() && new.is_none(),
        };
        if !same {
            self.learned = None;
            self.plan = None;
        }
        self.profile = profile;
    }

    /// Takes a true answer to the present question.
    pub(super) fn answer(&mut self, pdu: &PduView<'_>, library: &mut Library, at: Mono, now: Mono) -> Step {
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
    fn shrink(&mut self, get: Get) {
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
            Purpose::IfName if walk.whole && walk.is_nameless() && !self.table.has_names() => {
                round.walks.push_front((Purpose::IfDescr, Col::Descr.oid()));
            }
            Purpose::IfName | Purpose::IfDescr | Purpose::IfAlias => self.names_found(walk, now),
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

    /// Ends the round: what was read, for the caller to hand out.
    pub(super) fn end_round(
        &mut self,
        complete: bool,
        library: &mut Library,
        spare: &mut Spare,
        now: Mono,
    ) -> Option<(Box<Round>, Box<AgentReading>)> {
        let mut round = self.round.take()?;
        if complete {
            // After a round that broke off, a restart is still to be noticed by the next one.
            self.uptime = round.uptime.or(self.uptime);
        }
        round.settle();
        if complete
            && let Some(learned) = &mut self.learned
            && learned.settle(self.profile.as_deref(), &round.scalars)
        {
            (self.plan, self.unshared) = (None, true);
            self.share(library);
        }
        let mut reading = spare.reading();
        reading.partial = !complete;
        reading.uptime = round.uptime;
        reading.engine = self.session.engine(now);
        reading.rtt = round.rtt;
        reading.profile.clone_from(&self.profile);
        reading.rows = match &self.learned {
            Some(learned) => Arc::clone(&learned.rows),
            None => Arc::default(),
        };
        std::mem::swap(&mut reading.scalars, &mut round.scalars);
        std::mem::swap(&mut reading.roles, &mut round.roles);
        self.table.readings(&mut round.rows, &mut reading.interfaces);
        reading.missing.extend_from_slice(self.table.missing_names());
        fit(&mut reading.scalars);
        fit(&mut reading.roles);
        fit(&mut reading.interfaces);
        fit(&mut reading.missing);
        Some((round, reading))
    }
}

/// The profile that the configuration names.
fn named(wanted: &Wanted, profiles: &Profiles) -> Option<Arc<Profile>> {
    match &wanted.profile {
        ProfileWish::Named(name) => profiles.by_name(name).cloned(),
        ProfileWish::Auto | ProfileWish::None => None,
    }
}

/// The columns of rows that are read alike are shared.
#[derive(Default)]
struct RowColumns(Vec<(Wish, Arc<[Col]>)>);

impl RowColumns {
    fn item(&mut self, row: &table::Row, wish: Wish) -> Item {
        let columns = match self.0.iter().find(|(w, _)| *w == wish) {
            Some((_, columns)) => Arc::clone(columns),
            None => {
                let columns: Arc<[Col]> = table::columns(wish).into();
                self.0.push((wish, Arc::clone(&columns)));
                columns
            }
        };
        Item::Row {
            index: row.index,
            columns,
        }
    }
}
