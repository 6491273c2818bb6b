//! The case book: findings come in, events go out, the state of every case is the fold of the events.
//!
//! One incident per root finding. Pure: time is an argument. Never here: who is told (that is `notify`), a word of a mail, I/O.

pub use super::state::{
    Acknowledgement, FEW, Hanging, Held, INCIDENTS, Incident, Phase, State, TIMELINES, Told, Undelivered,
};

use super::event::{AcknowledgeEnd, Event, EventBody, IncidentOrder, Tell, Tick};
use super::state::FLAP_WINDOW;
use crate::model::text::{remark, signature};
use crate::model::{FindingKey, FindingKind, Isolation, Level, Mono, Name, Now, Part, Wall};
use crate::rules::{Affected, Cause, FindingChange, Note};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The same root within this time goes on under the same number (design section 5).
pub const REOPEN: Duration = Duration::from_secs(30 * 60);
/// An acknowledgement holds this long.
pub const ACKNOWLEDGED: Duration = Duration::from_secs(8 * 3600);
/// After the root is good, how long what was behind it is waited for before the incident ends with a list of who is missing (design
/// section 5). Those that stay silent become cases of their own long before.
pub const COMING_BACK: Duration = Duration::from_secs(30 * 60);
/// Level changes in [`FLAP_WINDOW`] that make an incident flapping.
const FLAPS: usize = 4;
/// Traps that an incident keeps one by one.
const TRAPS: u32 = 50;
/// Notes that wait for one root's incident.
const WAITING_NOTES: usize = 200;
/// They belong to a fault that is about to be told: later than this it is another one.
const NOTE_WAITS: Duration = Duration::from_secs(15 * 60);
/// A checkpoint bounds what a start has to read.
const CHECKPOINT_EVERY: u64 = 100_000;

/// The book.
#[derive(Debug, Default)]
pub struct Book {
    state: State,
    /// Latest incident of each root.
    by_root: BTreeMap<FindingKey, u64>,
    /// The incident a device hangs below.
    hangs: BTreeMap<Name, u64>,
    /// Devices behind a root whose incident is not open yet (its delay runs).
    waiting: BTreeMap<FindingKey, BTreeSet<Name>>,
    /// Traps of open incidents beyond [`TRAPS`], not told yet.
    more_traps: BTreeMap<u64, u64>,
    /// Notes for a root whose incident is not open yet.
    waiting_notes: BTreeMap<FindingKey, Vec<(Tick, FindingKey, Cause)>>,
    /// Next deadline of each incident that has one.
    deadlines: BTreeSet<(Tick, u64)>,
    deadline_of: BTreeMap<u64, Tick>,
    /// Where the book's clock stands: tick at a mono. `None` until the first `now`.
    anchor: Option<(Tick, Mono)>,
    out: Vec<Event>,
}

impl Book {
    /// Folds the lines of a ledger, the last checkpoint first. What cannot be read or cannot have happened is left out and
    /// explained; the rest stands.
    pub fn restore(lines: &[String]) -> (Book, Vec<String>) {
        let mut book = Book::default();
        let mut problems = Vec::new();
        for (i, line) in lines.iter().enumerate() {
            let result = Event::from_json(line).and_then(|event| book.state.apply(&event));
            if let Err(why) = result {
                problems.push(format!(
                    "event {} of {} since the last checkpoint: {why}",
                    i + 1,
                    lines.len()
                ));
            }
        }
        book.index();
        problems.extend(super::audit::lint(&book));
        (book, problems)
    }

    /// Takes a change of a finding.
    pub fn take(&mut self, change: &FindingChange, now: Now) {
        let tick = self.tick(now);
        let mut change = finite(change.clone());
        let known = self.by_root.get(&change.key).copied();
        let incident = known.and_then(|id| self.state.get(id));
        change.from = incident.map_or(Level::Ok, |i| i.level);
        match incident {
            Some(i) if i.is_open() => {
                let id = i.id;
                let phase = i.phase;
                if change.to == Level::Ok {
                    self.root_good(id, phase, change, now);
                } else {
                    self.changed(id, change, now);
                }
            }
            _ if change.to == Level::Ok => {}
            Some(i) if self.may_reopen(i, tick) => {
                let id = i.id;
                self.push(Some(id), EventBody::Reopened { change: change.clone() }, now);
                self.claim_waiting(id, &change.key, now);
                self.check_flapping(id, now);
            }
            _ => {
                let id = self.state.last_id + 1;
                let key = change.key.clone();
                self.push(Some(id), EventBody::Opened { change }, now);
                self.claim_waiting(id, &key, now);
            }
        }
    }

    fn changed(&mut self, id: u64, change: FindingChange, now: Now) {
        let Some(incident) = self.state.get(id) else { return };
        let rises = change.to == Level::Critical && incident.level < Level::Critical;
        let more = change.key.kind == FindingKind::SwitchedOver && change.cause != incident.last.cause;
        let same = !more
            && change.to == incident.level
            && (change.isolation.is_none() || change.isolation == incident.last.isolation);
        if same {
            return;
        }
        if rises && incident.acknowledged.is_some() {
            let why = AcknowledgeEnd::Worse;
            self.push(Some(id), EventBody::AcknowledgeEnded { why, by: None }, now);
        }
        self.push(Some(id), EventBody::Changed { change }, now);
        self.check_flapping(id, now);
    }

    fn root_good(&mut self, id: u64, phase: Phase, change: FindingChange, now: Now) {
        if phase == Phase::Recovering {
            return;
        }
        let Some(incident) = self.state.get(id) else { return };
        if change.cause == Cause::Unreachable {
            let below = change.key.device.as_ref().and_then(|d| self.hangs.get(d).copied());
            // Only an open one: so that no circle can come about.
            let into = below.filter(|root| *root != id && self.state.get(*root).is_some_and(Incident::is_open));
            self.push(Some(id), EventBody::Folded { change, into }, now);
            return;
        }
        if let Cause::PartOf { root } = &change.cause {
            let into = self.open_of(root).filter(|into| *into != id);
            let notes = incident.notes.clone();
            self.push(Some(id), EventBody::Folded { change, into }, now);
            // What was listed in its case goes with it.
            for (key, cause) in notes {
                self.list_once(into, key, cause, now);
            }
            return;
        }
        if incident.missing > 0 && change.cause != Cause::Removed {
            self.push(Some(id), EventBody::RootGood { change }, now);
            self.check_all_back(id, now);
        } else {
            self.push(Some(id), EventBody::Recovered { change }, now);
        }
        self.check_flapping(id, now);
    }

    /// Takes a trap of a device that an open incident is about. Beyond a number they are counted, and the count is told when the
    /// incident ends.
    pub fn trap(&mut self, id: u64, trap: EventBody, now: Now) {
        let Some(incident) = self.state.get(id).filter(|i| i.is_open()) else {
            return;
        };
        // One that was there before the incident ended may be handed in again when it is reopened.
        if incident.timeline.iter().any(|event| event.body == trap) {
            return;
        }
        if incident.traps < TRAPS {
            self.push(Some(id), trap, now);
        } else {
            *self.more_traps.entry(id).or_default() += 1;
        }
    }

    /// Takes a device behind a root, or back from behind it.
    pub fn affected(&mut self, affected: &Affected, now: Now) {
        if affected.root.device.as_ref() == Some(&affected.device) {
            return;
        }
        if !affected.unreachable {
            return self.came_back(affected, now);
        }
        let open = self.open_of(&affected.root);
        let Some(id) = open else {
            let waiting = self.waiting.entry(affected.root.clone()).or_default();
            waiting.insert(affected.device.clone());
            return;
        };
        self.hang(id, &affected.device, now);
    }

    /// Lists something in the incident of a root: now, or as soon as there is one.
    pub fn note(&mut self, note: &Note, now: Now) {
        let (key, cause) = (note.key.clone(), note.cause.clone());
        let known = self.by_root.get(&note.root).copied();
        let tick = self.tick(now);
        // What is wrong belongs to a fault that is about to be told: what a case listed is forgotten when it begins anew.
        let over = matches!(cause, Cause::SwitchedBack { .. } | Cause::SwitchoverSettled { .. });
        let takes = |i: &Incident| i.is_open() || over && self.may_reopen(i, tick);
        match known.filter(|id| self.state.get(*id).is_some_and(takes)) {
            Some(id) => {
                self.list_once(Some(id), key, cause, now);
                // What waits for the case of this one, which is to have none.
                for (at, key, cause) in self.waiting_notes.remove(&note.key).unwrap_or_default() {
                    if at.after(NOTE_WAITS) >= tick {
                        self.list_once(Some(id), key, cause, now);
                    }
                }
            }
            None => {
                let waiting = self.waiting_notes.entry(note.root.clone()).or_default();
                waiting.retain(|(at, k, c)| at.after(NOTE_WAITS) >= tick && (k, c) != (&key, &cause));
                if waiting.len() < WAITING_NOTES {
                    waiting.push((tick, key, cause));
                }
            }
        }
    }

    /// Lists a part in a case; one that is listed already, word by word, is not listed again (after a restart it is told anew).
    fn list_once(&mut self, into: Option<u64>, key: FindingKey, cause: Cause, now: Now) {
        let Some(incident) = into.and_then(|id| self.state.get(id)) else {
            return;
        };
        let part = key.kind == FindingKind::InterfaceDown;
        if !part || !incident.notes.iter().any(|(k, c)| *k == key && *c == cause) {
            self.push(into, EventBody::Noted { key, cause }, now);
        }
    }

    fn came_back(&mut self, affected: &Affected, now: Now) {
        if let Some(waiting) = self.waiting.get_mut(&affected.root) {
            waiting.remove(&affected.device);
            if waiting.is_empty() {
                self.waiting.remove(&affected.root);
            }
        }
        let Some(id) = self.hangs.get(&affected.device).copied() else {
            return;
        };
        let is_its_root = self.state.get(id).is_some_and(|i| i.root == affected.root);
        if is_its_root {
            let device = affected.device.clone();
            self.push(Some(id), EventBody::AffectedRemoved { device }, now);
            self.check_all_back(id, now);
        }
    }

    fn hang(&mut self, id: u64, device: &Name, now: Now) {
        if let Some(other) = self.hangs.get(device).copied() {
            if other == id {
                return;
            }
            let device = device.clone();
            self.push(Some(other), EventBody::AffectedRemoved { device }, now);
            self.check_all_back(other, now);
        }
        let device = device.clone();
        self.push(Some(id), EventBody::AffectedAdded { device: device.clone() }, now);
        self.adopt(id, &device, now);
    }

    /// Incidents of a device that were folded before the book knew below which root: now it knows.
    fn adopt(&mut self, root: u64, device: &Name, now: Now) {
        let orphans: Vec<(u64, FindingChange)> = self
            .by_root
            .range(first_key_of(device)..)
            .take_while(|(key, _)| key.device.as_ref() == Some(device))
            .filter_map(|(_, id)| self.state.get(*id))
            .filter(|i| i.phase == Phase::Folded && i.folded_into.is_none() && i.id != root)
            .map(|i| (i.id, i.last.clone()))
            .collect();
        for (id, change) in orphans {
            let into = Some(root);
            self.push(Some(id), EventBody::Folded { change, into }, now);
        }
    }

    fn claim_waiting(&mut self, id: u64, root: &FindingKey, now: Now) {
        for device in self.waiting.remove(root).unwrap_or_default() {
            self.hang(id, &device, now);
        }
        let tick = self.tick(now);
        let waiting = self.waiting_notes.remove(root).unwrap_or_default().into_iter();
        for (_, key, cause) in waiting.filter(|(at, ..)| at.after(NOTE_WAITS) >= tick) {
            self.push(Some(id), EventBody::Noted { key, cause }, now);
        }
    }

    /// Ends a recovering incident when 95 % of what was behind it is back.
    fn check_all_back(&mut self, id: u64, now: Now) {
        let Some(incident) = self.state.get(id) else { return };
        if incident.phase != Phase::Recovering {
            return;
        }
        if incident.missing * 20 <= incident.affected.len() {
            let change = incident.last.clone();
            self.push(Some(id), EventBody::Recovered { change }, now);
        }
    }

    fn check_flapping(&mut self, id: u64, now: Now) {
        let flaps = self
            .state
            .get(id)
            .is_some_and(|i| !i.flapping && i.changes.len() >= FLAPS);
        if flaps {
            self.push(Some(id), EventBody::FlappingBegan, now);
        }
    }

    /// Somebody works on an open incident: escalation and reminders stop for 8 hours.
    pub fn acknowledge(&mut self, id: u64, by: &str, now: Now) -> Result<(), String> {
        let order = IncidentOrder::Acknowledge {
            by: by.to_owned(),
            note: None,
            tell: Tell::Nobody,
        };
        self.order(id, &order, now)
    }

    /// Does what an operator orders about an incident, or says why not.
    pub fn order(&mut self, id: u64, order: &IncidentOrder, now: Now) -> Result<(), String> {
        let Some(incident) = self.state.get(id) else {
            return Err(format!(
                "there is no incident #{id} in the book; `hinomi incidents` lists those of the last 48 hours"
            ));
        };
        if !incident.is_open() {
            return Err(format!("incident #{id} is already over; nothing to acknowledge"));
        }
        let body = match order {
            IncidentOrder::Acknowledge { by, note, tell } => EventBody::Acknowledged {
                by: signature(by),
                until: self.tick(now).after(ACKNOWLEDGED),
                note: note.as_deref().map(remark).filter(|note| !note.is_empty()),
                tell: *tell,
            },
            IncidentOrder::TakeBack { .. } if incident.acknowledged.is_none() => {
                return Err(format!("incident #{id} is not acknowledged; nothing to take back"));
            }
            IncidentOrder::TakeBack { by } => EventBody::AcknowledgeEnded {
                why: AcknowledgeEnd::TakenBack,
                by: Some(signature(by)),
            },
        };
        self.push(Some(id), body, now);
        Ok(())
    }

    /// Writes down something that others decided (start, reload, what the notifier did).
    pub fn record(&mut self, incident: Option<u64>, body: EventBody, now: Now) {
        self.push(incident, body, now);
    }

    /// When [`Book::wake`] wants to be called; [`Mono::NEVER`] if nothing is due by time alone.
    pub fn next_wakeup(&self) -> Mono {
        match (self.deadlines.first(), self.anchor) {
            (None, _) => Mono::NEVER,
            (Some(_), None) => Mono(0),
            (Some((tick, _)), Some(_)) => self.mono_at(*tick),
        }
    }

    /// Ends what ends by time: acknowledgements, waiting for those behind a root, flapping.
    pub fn wake(&mut self, now: Now) {
        let tick = self.tick(now);
        while let Some((due, id)) = self.deadlines.first().copied()
            && due <= tick
        {
            self.expire(id, tick, now);
            self.reschedule(id);
            if self.deadline_of.get(&id) == Some(&due) {
                // Nothing was done about it: never spin.
                self.forget_deadline(id);
            }
        }
    }

    fn expire(&mut self, id: u64, tick: Tick, now: Now) {
        let Some(incident) = self.state.get(id).cloned() else {
            return;
        };
        if incident.acknowledged.as_ref().is_some_and(|a| a.until <= tick) {
            let why = AcknowledgeEnd::Expired;
            self.push(Some(id), EventBody::AcknowledgeEnded { why, by: None }, now);
        }
        if incident.good.is_some_and(|t| t.after(COMING_BACK) <= tick) {
            let change = incident.last.clone();
            self.push(Some(id), EventBody::Recovered { change }, now);
        }
        if quiet_at(&incident).is_some_and(|t| t <= tick) {
            self.push(Some(id), EventBody::FlappingEnded, now);
        }
    }

    /// The whole book as one event, from which a book can be made again.
    pub fn checkpoint(&mut self, now: Now) -> Event {
        let tick = self.tick(now);
        self.checkpoint_at(now.wall, tick)
    }

    fn checkpoint_at(&self, at: Wall, tick: Tick) -> Event {
        Event {
            at,
            tick,
            incident: None,
            body: EventBody::Checkpoint {
                book: Box::new(self.state.clone()),
            },
        }
    }

    /// Takes out the events since the last call, in order; to be committed.
    pub fn events(&mut self) -> Vec<Event> {
        if self.state.since_checkpoint >= CHECKPOINT_EVERY
            && let Some(last) = self.out.last()
        {
            let event = self.checkpoint_at(last.at, last.tick);
            self.state.since_checkpoint = 0;
            self.out.push(event);
        }
        std::mem::take(&mut self.out)
    }

    /// The ledger has nothing of what was before: the next events end with a checkpoint.
    pub fn checkpoint_next(&mut self) {
        self.state.since_checkpoint = CHECKPOINT_EVERY;
    }

    /// Numbers up to this one were given, whether or not the ledger knows of them.
    pub fn go_on_after(&mut self, incident: u64) {
        self.state.last_id = self.state.last_id.max(incident);
    }

    /// Open incidents, by number.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.state.incidents.iter().filter(|i| i.is_open())
    }

    /// Open incidents about a device.
    pub fn open_about<'a>(&'a self, device: &'a Name) -> impl Iterator<Item = &'a Incident> {
        self.by_root
            .range(first_key_of(device)..)
            .take_while(move |(key, _)| key.device.as_ref() == Some(device))
            .filter_map(|(_, id)| self.state.get(*id))
            .filter(|i| i.is_open())
    }

    /// Open incidents about this host itself.
    pub fn open_about_host(&self) -> impl Iterator<Item = &Incident> {
        self.by_root
            .iter()
            .take_while(|(key, _)| key.device.is_none())
            .filter(|(key, _)| key.part == Part::Host)
            .filter_map(|(_, id)| self.state.get(*id))
            .filter(|i| i.is_open())
    }

    /// Open incidents about a redundancy group.
    pub fn open_about_group<'a>(&'a self, group: &'a Name) -> impl Iterator<Item = &'a Incident> {
        // What is about no device comes first, and there is little of it.
        self.by_root
            .iter()
            .take_while(|(key, _)| key.device.is_none())
            .filter(move |(key, _)| matches!(&key.part, Part::Redundancy(name) if name == group))
            .filter_map(|(_, id)| self.state.get(*id))
            .filter(|i| i.is_open())
    }

    /// Causes and verdicts of open incidents, for restoring the rules.
    pub fn told(&self) -> Vec<(FindingKey, Cause, Option<Isolation>)> {
        let open = self.open().filter(|i| i.level > Level::Ok);
        open.map(|i| (i.root.clone(), i.cause().clone(), i.isolation().cloned()))
            .collect()
    }

    /// The open incident that a device hangs below.
    pub fn above(&self, device: &Name) -> Option<&Incident> {
        self.state.get(*self.hangs.get(device)?).filter(|i| i.is_open())
    }

    /// The latest incident of a root finding, open or over.
    pub fn latest(&self, root: &FindingKey) -> Option<&Incident> {
        self.state.get(*self.by_root.get(root)?)
    }

    /// An incident by number.
    pub fn get(&self, id: u64) -> Option<&Incident> {
        self.state.get(id)
    }

    /// Open incidents and those that ended at or after `since`, newest first.
    pub fn recent(&self, since: Wall) -> impl Iterator<Item = &Incident> {
        self.state
            .incidents
            .iter()
            .rev()
            .filter(move |i| i.is_open() || i.recovered.is_some_and(|t| t >= since))
    }

    /// Levels in force, for restoring the rules: finding, level, since.
    pub fn levels(&self) -> Vec<(FindingKey, Level, Wall)> {
        self.open()
            .filter(|i| i.level > Level::Ok)
            .map(|i| (i.root.clone(), i.level, i.since))
            .collect()
    }

    /// Why the open incidents of redundancy groups are as they are, for restoring the rules.
    pub fn causes(&self) -> Vec<(FindingKey, Cause)> {
        let of_groups = self.open().filter(|i| i.root.kind.is_of_redundancy());
        of_groups.map(|i| (i.root.clone(), i.cause().clone())).collect()
    }

    /// Devices that hang below a root, as last known: root finding and device.
    pub fn hanging(&self) -> Vec<(FindingKey, Name)> {
        let below = |(device, id): (&Name, &u64)| Some((self.state.get(*id)?.root.clone(), device.clone()));
        self.hangs.iter().filter_map(below).collect()
    }

    /// The fold itself.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The book's clock at `now` (see [`Tick`]); anchors it at the first call.
    pub fn tick(&mut self, now: Now) -> Tick {
        let (tick, mono) = *self
            .anchor
            .get_or_insert((Tick(now.wall.0).max(self.state.tick), now.mono));
        tick.after(now.mono.since(mono))
    }

    /// The mono time of a tick; `Mono(0)` before the clock is anchored.
    pub fn mono_at(&self, tick: Tick) -> Mono {
        let Some((at, mono)) = self.anchor else { return Mono(0) };
        let ms = tick.0.saturating_sub(at.0);
        match u64::try_from(ms) {
            Ok(ms) => mono + Duration::from_millis(ms),
            Err(_) => mono - Duration::from_millis(ms.unsigned_abs()),
        }
    }

    fn open_of(&self, root: &FindingKey) -> Option<u64> {
        let id = *self.by_root.get(root)?;
        self.state.get(id).filter(|i| i.is_open()).map(|i| i.id)
    }

    /// A folded incident may be reopened for as long as its root's could.
    fn may_reopen(&self, incident: &Incident, tick: Tick) -> bool {
        let recent = |ended: Option<Tick>| ended.is_some_and(|t| t.after(REOPEN) >= tick);
        let root = incident.folded_into.and_then(|id| self.state.get(id));
        recent(incident.ended) || root.is_some_and(|r| r.is_open() || recent(r.ended))
    }

    fn push(&mut self, incident: Option<u64>, body: EventBody, now: Now) {
        let ends = matches!(body, EventBody::Recovered { .. } | EventBody::Folded { .. });
        let more = incident.filter(|_| ends).and_then(|id| self.more_traps.remove(&id));
        if let Some(count) = more {
            self.push(incident, EventBody::MoreTraps { count }, now);
        }
        let event = Event {
            at: now.wall,
            tick: self.tick(now),
            incident,
            body,
        };
        let swept = self.state.swept_hour;
        let before = self.state.incidents.len();
        let applied = self.state.apply(&event);
        debug_assert!(applied.is_ok(), "the book made an impossible event: {applied:?}");
        if applied.is_err() {
            return;
        }
        if self.state.swept_hour != swept || self.state.incidents.len() < before {
            self.index();
        }
        if let Some(id) = incident {
            self.index_one(id, &event.body);
            self.reschedule(id);
        }
        self.out.push(event);
    }

    fn index(&mut self) {
        self.by_root = self.state.incidents.iter().map(|i| (i.root.clone(), i.id)).collect();
        self.hangs.clear();
        for incident in &self.state.incidents {
            for device in incident.unreachable() {
                self.hangs.insert(device.clone(), incident.id);
            }
        }
        self.deadlines.clear();
        self.deadline_of.clear();
        let ids: Vec<u64> = self.state.incidents.iter().map(|i| i.id).collect();
        for id in ids {
            self.reschedule(id);
        }
    }

    fn index_one(&mut self, id: u64, body: &EventBody) {
        match body {
            EventBody::Opened { change } => {
                self.by_root.insert(change.key.clone(), id);
            }
            EventBody::AffectedAdded { device } => {
                self.hangs.insert(device.clone(), id);
            }
            EventBody::AffectedRemoved { device } => {
                self.hangs.remove(device);
            }
            _ => {}
        }
    }

    fn forget_deadline(&mut self, id: u64) {
        if let Some(old) = self.deadline_of.remove(&id) {
            self.deadlines.remove(&(old, id));
        }
    }

    fn reschedule(&mut self, id: u64) {
        self.forget_deadline(id);
        let Some(incident) = self.state.get(id) else { return };
        let acknowledged = incident.acknowledged.as_ref().map(|a| a.until);
        let good = incident.good.map(|t| t.after(COMING_BACK));
        let next = [acknowledged, good, quiet_at(incident)].into_iter().flatten().min();
        if let Some(tick) = next {
            self.deadlines.insert((tick, id));
            self.deadline_of.insert(id, tick);
        }
    }
}

/// When a flapping incident has been quiet long enough.
fn quiet_at(incident: &Incident) -> Option<Tick> {
    if !incident.flapping {
        return None;
    }
    Some(incident.changes.last().copied().unwrap_or_default().after(FLAP_WINDOW))
}

/// The least finding key of a device, for ranges.
fn first_key_of(device: &Name) -> FindingKey {
    FindingKey {
        device: Some(device.clone()),
        part: Part::Device,
        kind: crate::model::FindingKind::DeviceDown,
        metric: None,
    }
}

/// JSON knows no infinity: a number that is none becomes the largest there is, rather than a line that cannot be read back.
fn finite(mut change: FindingChange) -> FindingChange {
    let fix = |v: &mut f64| {
        if !v.is_finite() {
            *v = f64::MAX;
        }
    };
    match &mut change.cause {
        Cause::Above { value, bound, .. } | Cause::Below { value, bound, .. } => {
            fix(value);
            fix(bound);
        }
        Cause::NoAnswer { seconds: v, .. }
        | Cause::Answers { silent_seconds: v }
        | Cause::NoData { seconds: v, .. }
        | Cause::Connected { blind_seconds: v }
        | Cause::Loss { percent: v } => fix(v),
        _ => {}
    }
    for evidence in change.isolation.iter_mut().flat_map(|i| &mut i.evidence) {
        use crate::model::Evidence;
        match evidence {
            Evidence::OctetsInStopped {
                before_bps, after_bps, ..
            } => {
                fix(before_bps);
                fix(after_bps);
            }
            Evidence::OctetsInFlowing { after_bps, .. } => fix(after_bps),
            _ => {}
        }
    }
    change
}
