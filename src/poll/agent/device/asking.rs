//! What a round asks next: what is read each time, then whatever has to be looked up now.
//!
//! Never here: what becomes of an answer (that is `answers`).

use super::super::TRIES;
use super::super::get::{Get, Halved};
use super::super::learn::Learned;
use super::super::oids::Col;
use super::super::round::Ask;
use super::super::table::{self, Wish};
use super::super::template::{Item, Template};
use super::super::topology::{self, Stage};
use super::super::walk::{Purpose, Walk};
use super::super::wanted::ProfileWish;
use super::{Agent, COLUMNS_AGAIN, COLUMNS_REFRESH, NO_MORE_WALKS, Question, YOUNG_AGAIN};
use crate::model::{Mono, Profile, Profiles};
use crate::poll::unread::{CutBy, NotRead};
use crate::poll::{YOUNG, is_young};
use crate::wire::snmp::{PduKind, Version};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// After so many tries without an answer a large request is halved: what is lost may be what does not fit the path.
const TRIES_BEFORE_HALVING: u8 = 1;

/// Walks that may end in silence before the round does.
const WALKS_LOST: u8 = 2;

impl Agent {
    /// What every round reads. An agent is asked who it is in its first round and after a restart.
    pub(super) fn settled_items(&self) -> VecDeque<Item> {
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
            called_by_descr: row.by_descr,
            wide: row.wide && !v1 && !by_descr,
            faults: self.wanted.faults,
            alias: self.wanted.alias || row.by_alias(),
            kind: row.has_twins(),
        }
    }

    pub(super) fn want_rows(&mut self, indices: &BTreeSet<u32>) {
        let mut columns = RowColumns::default();
        let rows = self.table.rows.iter().flatten().filter(|r| indices.contains(&r.index));
        let items: Vec<Item> = rows.map(|row| columns.item(row, self.wish(row))).collect();
        if let Some(round) = &mut self.round {
            round.todo.extend(items);
        }
    }

    pub(super) fn room(&self) -> usize {
        usize::from(self.room).saturating_sub(self.session.overhead())
    }

    pub(super) fn most(&self) -> usize {
        usize::from(self.most)
    }

    /// Sees to it that the round has something to ask; false when it is complete.
    pub(in crate::poll::agent) fn next(&mut self, profiles: &Profiles, now: Mono) -> bool {
        loop {
            let (room, most) = (self.room(), self.most());
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
            if let Some(template) = template.or_else(|| Template::pack(&mut round.todo, room, most).map(Arc::new)) {
                let mut get = Get::new(template);
                if !self.absent.is_empty() || !self.troubles.is_empty() {
                    get.leave_out(|name| self.absent.contains(name) || self.troubles.contains_key(name));
                }
                get.keep_within(most, room);
                round.ask = Some(Ask::Get(get));
            } else if let Some((purpose, base)) = round.walks.pop_front() {
                round.ask = Some(Ask::Walk(Walk::new(purpose, base)));
            } else if !self.plan_more(profiles, now) {
                return false;
            }
        }
    }

    /// What [`Agent::next`] has prepared.
    pub(in crate::poll::agent) fn question(&self) -> Question<'_> {
        match self.round.as_ref().and_then(|r| r.ask.as_ref()) {
            Some(Ask::Get(get)) => Question::Ask(PduKind::Get, get.names()),
            Some(Ask::Walk(walk)) => {
                let one = self.steps() || walk.is_one_by_one();
                let kind = if one { PduKind::GetNext } else { PduKind::GetBulk };
                Question::Ask(kind, &walk.names)
            }
            None => Question::Complete,
        }
    }

    /// Tables are walked by GETNEXT: v1 has no GETBULK, and some agents of v2c do not answer it.
    pub(super) fn steps(&self) -> bool {
        self.repetitions == 0 || self.session.version() == Version::V1
    }

    /// max-repetitions of the next GETBULK; 0 where GETNEXT is asked instead.
    pub(in crate::poll::agent) fn repetitions(&self) -> u32 {
        u32::from(self.repetitions)
    }

    /// The present request had no answer. What is lost may be what is too large for the agent or for the path: it is asked for in halves. An
    /// agent that has not answered at all in this round is asked for sysUpTime alone, on the last try.
    pub(in crate::poll::agent) fn lost(&mut self, now: Mono) {
        let Some(round) = &mut self.round else { return };
        round.tries += 1;
        let heard = round.last_answer.is_some();
        round.lost = round.lost.saturating_add(u8::from(heard));
        match &mut round.ask {
            Some(Ask::Get(get)) if !heard && round.tries + 1 == TRIES => get.first_alone(),
            Some(Ask::Get(get)) if heard => {
                let patience = if get.in_pieces() { 0 } else { TRIES_BEFORE_HALVING };
                if round.tries > patience && get.halve(Halved::TooLarge) {
                    round.tries = 0;
                }
            }
            Some(Ask::Walk(_)) if heard && round.tries > TRIES_BEFORE_HALVING && self.repetitions > 0 => {
                // After 1 comes GETNEXT.
                self.repetitions /= 2;
                round.tries = TRIES_BEFORE_HALVING;
                self.larger.given_up(now);
            }
            _ => {}
        }
    }

    /// The present request was tried often enough, and others were answered in this round: goes on without what it asks for. False if
    /// there is nothing to go on with, or the agent seems to be gone.
    pub(in crate::poll::agent) fn go_without(&mut self, why: NotRead, now: Mono) -> bool {
        let Some(round) = self.round.as_mut().filter(|r| r.last_answer.is_some()) else {
            return false;
        };
        match round.ask.take() {
            Some(Ask::Get(mut get)) => {
                let more = get.doubt(why);
                round.ask = Some(Ask::Get(get));
                round.tries = 0;
                more
            }
            Some(Ask::Walk(mut walk)) if round.walks_lost < WALKS_LOST => {
                round.walks_lost += 1;
                walk.end(CutBy::Silence);
                self.walk_ended(walk, now);
                true
            }
            ask => {
                round.ask = ask;
                false
            }
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
            self.troubles.clear();
            self.begun = Some(now);
        }
        let begun = *self.begun.get_or_insert(now);
        self.young = is_young(round.uptime) && now.since(begun) < YOUNG;
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
        let young = self.young;
        // A metric without an object may get one later (a card comes up, an agent module is loaded); after a start soon.
        let lacks = |l: &Learned| l.is_lacking() || young && l.is_bare();
        let lacking = round.instance_gone || self.learned.as_ref().is_some_and(lacks);
        let gone = lacking && age >= if young { YOUNG_AGAIN } else { COLUMNS_AGAIN };
        let grown_up = self.learned_young && !young;
        if !round.columns_walked && (self.learned.is_none() || restarted || gone || grown_up || age >= COLUMNS_REFRESH)
        {
            round.columns_walked = true;
            if young || grown_up {
                // Of an agent of v1 what it did not have then is left out of the requests.
                self.absent.clear();
            }
            let columns = self.profile.iter().flat_map(|p| p.columns());
            round
                .walks
                .extend(columns.map(|base| (Purpose::Profile, base.into_vec())));
            if round.walks.is_empty() {
                self.learn(false, now);
            }
            return true;
        }
        if self.look_deeper(now) {
            return true;
        }
        let Some(round) = &mut self.round else {
            return false;
        };
        let version = (round.if_number, round.if_last_change);
        let wanted = !self.wanted.patterns.is_empty() && !round.names_walked;
        if wanted && (restarted || round.row_moved || self.table.stale(version, young, now)) {
            round.names_walked = true;
            self.absent.clear();
            round.walks.push_back((Purpose::IfName, Col::Name.oid()));
            if self.wanted.patterns.has_aliases() {
                round.walks.push_back((Purpose::IfAlias, Col::Alias.oid()));
            }
            return true;
        }
        self.look_for_cables(restarted, now)
    }

    /// Cables and addresses, when everything else has been read. True while there is something to ask.
    fn look_for_cables(&mut self, restarted: bool, now: Mono) -> bool {
        let Some(round) = self.round.as_mut().filter(|_| self.wanted.cables) else {
            return false;
        };
        let walks = match round.topology {
            Stage::Nothing => {
                let late = now.since(round.started) >= NO_MORE_WALKS;
                if late || !self.cables.due(restarted, round.names_walked, now) {
                    return false;
                }
                self.cables.begin(now);
                round.topology = Stage::First;
                topology::first(self.wanted.addresses)
            }
            Stage::First => {
                round.topology = Stage::All;
                topology::rest(&round.cables, self.wanted.addresses)
            }
            Stage::All | Stage::Done => Vec::new(),
        };
        if !walks.is_empty() {
            round
                .walks
                .extend(walks.into_iter().map(|base| (Purpose::Topology, base)));
            return true;
        }
        if round.topology == Stage::All {
            round.topology = Stage::Done;
            let rows = self.table.rows.iter().flatten();
            let ports = rows.map(|row| (row.index, row.name.clone())).collect();
            self.cables
                .take(&std::mem::take(&mut round.cables), &ports, self.access.text);
        }
        false
    }

    /// What was learned of the make's own in this round gives nothing for some metric: what any make may answer is looked for. True
    /// while there is something to ask.
    fn look_deeper(&mut self, now: Mono) -> bool {
        let (Some(round), Some(learned), Some(profile)) = (&mut self.round, &self.learned, &self.profile) else {
            return false;
        };
        if !round.columns_walked || round.deep || now.since(round.started) >= NO_MORE_WALKS {
            return false;
        }
        let mut read = round.scalars.clone();
        read.sort_by(|a, b| a.oid.cmp(&b.oid));
        let Some(columns) = learned.deeper(profile, &read) else {
            return false;
        };
        round.deep = true;
        round
            .walks
            .extend(columns.into_iter().map(|base| (Purpose::Profile, base.into_vec())));
        if round.walks.is_empty() {
            self.learn(false, now);
        }
        true
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

    /// Who it is, where that chooses the profile: asked in the first round and after a restart. Of profiles that share a sysObjectID
    /// the device is asked, likewise, what tells them apart. True while there is something to ask.
    fn identify(&mut self, restarted: bool, profiles: &Profiles) -> bool {
        let auto = self.wanted.profile == ProfileWish::Auto;
        let Some(round) = self.round.as_mut().filter(|_| auto) else {
            return false;
        };
        if !round.identity_asked && (restarted || self.object_id.is_none()) {
            round.identity_asked = true;
            round.todo.extend([Item::ObjectId, Item::Descr]);
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
        let by_words = round.sys_descr.as_deref().and_then(|words| candidates.by_words(words));
        if !std::mem::replace(&mut round.told_apart, true)
            && by_words.is_none()
            && candidates.questions().next().is_some()
        {
            let questions = candidates.questions().map(|oid| Item::Scalar(oid[..].into()));
            round.todo.extend(questions);
            return true;
        }
        round.identified = true;
        let answered = |oid: &[u32]| round.scalars.iter().any(|s| *s.oid == *oid && s.value.is_some());
        // After a restart the module that would tell may not be up yet: silence is no reason to take it for another line.
        if by_words.is_some() || !known || candidates.questions().any(|oid| answered(oid)) {
            let chosen = by_words.or_else(|| candidates.pick(answered)).cloned();
            self.set_profile(chosen);
        }
        self.object_id = Some(id);
        false
    }

    pub(super) fn set_profile(&mut self, profile: Option<Arc<Profile>>) {
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
