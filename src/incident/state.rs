//! What the book holds, and how one event changes it: a pure fold, the same live and at restore.
//!
//! Never here: a decision about what event comes next (that is `book`).

use super::event::{AcknowledgeEnd, Event, EventBody, NoticeKind, Tick};
use crate::model::{FindingKey, FindingKind, Isolation, Level, Name, Verdict, Wall, Window};
use crate::rules::{Cause, FindingChange};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Recovered incidents stay in the book this long (they are in the ledger for good).
const KEEP: Duration = Duration::from_secs(48 * 3600);

/// Window of the flapping rule (design section 4).
pub(super) const FLAP_WINDOW: Duration = Duration::from_secs(30 * 60);

/// Events of a timeline beyond this are kept in the ledger only.
const TIMELINE: usize = 400;

/// Events of all timelines together beyond which an incident gets only [`FEW`]: a night in which everything flaps must not eat the host's
/// memory, nor make a checkpoint of it.
pub const TIMELINES: usize = 30_000;

/// So many events an incident's timeline has in any case: how it began.
pub const FEW: usize = 12;

/// Incidents in the book from which on those that ended before `LATELY` are put away before their 48 hours.
pub const INCIDENTS: usize = 5_000;

/// What ended within this time may still be reopened.
const LATELY: Duration = Duration::from_secs(3600);

/// It is looked at each time so many more are in the book.
const TRIM_EVERY: usize = 500;

/// Notes of an incident beyond this are kept in the ledger only.
const NOTES: usize = 200;

/// Where an incident is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The root finding has a level.
    Open,
    /// The root is good; what was behind it is coming back.
    Recovering,
    /// Over.
    Recovered,
    /// Goes on inside another incident.
    Folded,
}

/// A device behind the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hanging {
    /// Since when.
    pub since: Wall,
    /// When it came back; `None` while it is unreachable.
    pub back: Option<Wall>,
}

/// Somebody has it in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: Wall,
    /// Until when it holds.
    pub until: Tick,
    /// A remark for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Planned work that kept an incident quiet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The maintenance window.
    pub window: Name,
    /// Since when.
    pub from: Wall,
}

/// What a contact was told about an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The row whose mail the others thread under.
    pub first_row: u64,
    /// Its Message-ID.
    pub first_message: String,
    /// First acceptance of a critical call since the incident last became critical: tick, route, address.
    pub accepted: Option<(Tick, Name, String)>,
    /// That call was repeated another way.
    pub repeated: bool,
    /// The contact was told again because nobody had acknowledged: addresses for that case are in use.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
}

/// One incident: one root finding, from its opening to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: u64,
    /// The root finding.
    pub root: FindingKey,
    /// Where in its life.
    pub phase: Phase,
    /// Level of the root now.
    pub level: Level,
    /// Worst level since it opened.
    pub worst: Level,
    /// When it was first opened.
    pub opened: Wall,
    /// When what the present spell rests on began (`FindingChange::since` of the opening or reopening).
    pub since: Wall,
    /// When the root became good.
    pub recovered: Option<Wall>,
    /// Tick of the end, for the reopening window.
    pub ended: Option<Tick>,
    /// Tick at which the root became good, while recovering.
    pub good: Option<Tick>,
    /// The last change of the root.
    pub last: FindingChange,
    /// Devices behind it, those that came back included.
    pub affected: BTreeMap<Name, Hanging>,
    /// How many of them are unreachable now.
    pub missing: usize,
    /// In force.
    pub acknowledged: Option<Acknowledgement>,
    /// The last one, which stays after the end for those who look back; one that was taken back does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_acknowledged: Option<Acknowledgement>,
    /// The incident it is folded into, once known.
    pub folded_into: Option<u64>,
    /// Going up and down; changes are not told one by one.
    pub flapping: bool,
    /// The maintenance window that keeps it quiet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<Name>,
    /// The window that last kept the present spell quiet, also after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Ticks of the last level changes, at most 30 minutes back, the opening not counted.
    pub changes: Vec<Tick>,
    /// Who was told.
    pub told: BTreeMap<Name, Told>,
    /// The procedure followed, and since when (escalation counts from there).
    pub procedure: Option<(Name, Tick)>,
    /// Steps of `escalate` done under that procedure.
    pub escalated: BTreeSet<u32>,
    /// Level of the last notice.
    pub told_level: Level,
    /// Verdict at the last notice.
    pub told_verdict: Option<Verdict>,
    /// Tick of the last call, reminder included.
    pub called: Option<Tick>,
    /// Ticks of the present spell's beginning.
    pub spell: Tick,
    /// Traps on its timeline.
    #[serde(default)]
    pub traps: u32,
    /// The first events, for `incidents show`.
    pub timeline: Vec<Event>,
    /// What is listed here instead of having an incident of its own, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<(FindingKey, Cause)>,
}

impl Incident {
    /// Open or recovering.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Recovering)
    }

    /// Whose fault, by the last change that said so.
    pub fn isolation(&self) -> Option<&Isolation> {
        self.last.isolation.as_ref()
    }

    /// When it was last opened again after it had recovered. Of one that did so for days the timeline keeps the first times only; then it
    /// is when the present spell began.
    pub fn reopened(&self) -> Option<Wall> {
        let again = |e: &&Event| matches!(e.body, EventBody::Reopened { .. });
        let last = self.timeline.iter().rev().find(again)?;
        Some(if last.tick == self.spell { last.at } else { self.since })
    }

    /// Devices unreachable now.
    pub fn unreachable(&self) -> impl Iterator<Item = &Name> {
        self.affected
            .iter()
            .filter(|(_, h)| h.back.is_none())
            .map(|(name, _)| name)
    }

    /// Devices that were unreachable and are back.
    pub fn back(&self) -> impl Iterator<Item = &Name> {
        self.affected
            .iter()
            .filter(|(_, h)| h.back.is_some())
            .map(|(name, _)| name)
    }

    pub(super) fn new(id: u64, event: &Event, change: &FindingChange) -> Incident {
        Incident {
            id,
            root: change.key.clone(),
            phase: Phase::Open,
            level: change.to,
            worst: change.to,
            opened: event.at,
            since: change.since,
            recovered: None,
            ended: None,
            good: None,
            last: change.clone(),
            affected: BTreeMap::new(),
            missing: 0,
            acknowledged: None,
            last_acknowledged: None,
            folded_into: None,
            flapping: false,
            muted: None,
            held: None,
            changes: Vec::new(),
            told: BTreeMap::new(),
            procedure: None,
            escalated: BTreeSet::new(),
            told_level: Level::Ok,
            told_verdict: None,
            called: None,
            spell: event.tick,
            traps: 0,
            timeline: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A change of the root that leaves the incident open.
    fn set_level(&mut self, change: &FindingChange, tick: Tick) {
        // Another switchover while one is open is a change, too.
        if change.to != self.level || change.key.kind == FindingKind::SwitchedOver {
            self.note_change(tick);
        }
        self.level = change.to;
        self.worst = self.worst.max(change.to);
        self.keep_last(change);
    }

    /// Keeps the last change; a change without a verdict keeps the one before.
    fn keep_last(&mut self, change: &FindingChange) {
        let before = self.last.isolation.take();
        self.last = change.clone();
        if self.last.isolation.is_none() {
            self.last.isolation = before;
        }
    }

    fn end(&mut self, phase: Phase, change: &FindingChange, event: &Event) {
        if self.level != Level::Ok && phase == Phase::Recovered {
            self.note_change(event.tick);
        }
        self.phase = phase;
        self.level = Level::Ok;
        self.recovered = Some(self.recovered.unwrap_or(event.at));
        self.ended = Some(event.tick);
        self.good = None;
        self.acknowledged = None;
        self.muted = None;
        self.keep_last(change);
    }

    fn reopen(&mut self, change: &FindingChange, event: &Event) {
        self.note_change(event.tick);
        self.phase = Phase::Open;
        self.level = change.to;
        self.worst = self.worst.max(change.to);
        self.since = change.since;
        self.recovered = None;
        self.ended = None;
        self.good = None;
        self.folded_into = None;
        self.held = None;
        self.spell = event.tick;
        self.procedure = None;
        self.escalated.clear();
        self.affected.retain(|_, h| h.back.is_none());
        self.notes.clear();
        self.expect_acceptance_anew();
        self.last = change.clone();
    }

    fn note_change(&mut self, tick: Tick) {
        self.changes.push(tick);
        let from = tick.before(FLAP_WINDOW);
        self.changes.retain(|t| *t > from);
    }

    fn expect_acceptance_anew(&mut self) {
        for told in self.told.values_mut() {
            told.accepted = None;
            told.repeated = false;
            told.unanswered = false;
        }
    }

    /// As it was when an event made it worse, if it has changed since, in the same turn.
    pub fn when(&self, body: &EventBody) -> Option<Incident> {
        let (EventBody::Opened { change } | EventBody::Reopened { change } | EventBody::Changed { change }) = body
        else {
            return None;
        };
        (self.last != *change).then(|| Incident {
            phase: Phase::Open,
            level: change.to,
            last: change.clone(),
            recovered: None,
            ended: None,
            good: None,
            ..self.clone()
        })
    }

    /// Why the incident is as it is, by its last change.
    pub fn cause(&self) -> &Cause {
        &self.last.cause
    }
}

/// Outbox rows that wait for delivery by the events alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered(pub BTreeSet<u64>);

impl Undelivered {
    /// Folds an event in.
    pub fn apply(&mut self, body: &EventBody) {
        let done: &[u64] = match body {
            EventBody::Noticed { row, .. } => {
                self.0.insert(*row);
                return;
            }
            EventBody::Delivered { row, .. } => std::slice::from_ref(row),
            EventBody::Collapsed { rows, .. } => rows,
            EventBody::OutboxMended { lost, ended } => {
                ended.iter().for_each(|row| _ = self.0.remove(row));
                lost
            }
            _ => return,
        };
        done.iter().for_each(|row| _ = self.0.remove(row));
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Everything the fold holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Incidents of the last 48 hours and all open ones, by number.
    pub incidents: Vec<Incident>,
    /// Highest number ever given.
    pub last_id: u64,
    /// Tick of the last event: the book's clock goes on from here.
    pub tick: Tick,
    /// Events since the last checkpoint.
    pub since_checkpoint: u64,
    /// Maintenance windows set by hand, until two days after their end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Who is active in each instance of each redundancy group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub active: BTreeMap<Name, BTreeMap<Name, Name>>,
    /// Notices that were not delivered yet.
    #[serde(default, skip_serializing_if = "Undelivered::is_empty")]
    pub undelivered: Undelivered,
    /// Hour in which old incidents were last put away.
    pub swept_hour: i64,
    /// Weight of all timelines together; counted, not kept.
    #[serde(skip)]
    timelines: usize,
}

/// What an event takes of a timeline's room.
fn weight(event: &Event) -> usize {
    match &event.body {
        EventBody::Readings { readings, .. } => 1 + readings.len(),
        _ => 1,
    }
}

impl State {
    /// An incident by number.
    pub fn get(&self, id: u64) -> Option<&Incident> {
        let i = self.incidents.binary_search_by_key(&id, |x| x.id).ok()?;
        self.incidents.get(i)
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut Incident> {
        let i = self.incidents.binary_search_by_key(&id, |x| x.id).ok()?;
        self.incidents.get_mut(i)
    }

    /// Folds one event in. An impossible one changes nothing and is explained.
    pub fn apply(&mut self, event: &Event) -> Result<(), String> {
        self.tick = self.tick.max(event.tick);
        self.since_checkpoint += 1;
        self.undelivered.apply(&event.body);
        self.sweep(event.tick);
        match &event.body {
            EventBody::Checkpoint { book } => {
                let tick = self.tick;
                *self = (**book).clone();
                self.tick = self.tick.max(tick);
                self.since_checkpoint = 0;
                self.weigh();
                return Ok(());
            }
            EventBody::Opened { change } => self.open(event, change)?,
            EventBody::MaintenanceSet { window } => {
                self.windows.retain(|w| w.name != window.name);
                self.windows.push(window.clone());
            }
            EventBody::MaintenanceEnded { window, .. } => {
                for w in self.windows.iter_mut().filter(|w| w.name == *window) {
                    w.end = w.end.min(event.at);
                    w.start = w.start.min(w.end);
                }
            }
            EventBody::ActiveMembers { group, instances } => {
                self.active.insert(group.clone(), instances.clone());
            }
            _ => {}
        }
        let Some(id) = event.incident else { return Ok(()) };
        let room = if self.timelines < TIMELINES { TIMELINE } else { FEW };
        let Some(incident) = self.get_mut(id) else {
            if is_afterthought(&event.body) {
                return Ok(());
            }
            return Err(format!(
                "an event speaks of incident #{id}, which the book does not know"
            ));
        };
        apply_to(incident, event)?;
        if incident.timeline.len() < room && belongs_in_timeline(&event.body) {
            incident.timeline.push(event.clone());
            self.timelines += weight(event);
        }
        Ok(())
    }

    fn weigh(&mut self) {
        self.timelines = self.incidents.iter().flat_map(|i| &i.timeline).map(weight).sum();
    }

    /// Weight of all timelines together, for the test that it stays bounded.
    pub fn timelines(&self) -> usize {
        self.timelines
    }

    fn open(&mut self, event: &Event, change: &FindingChange) -> Result<(), String> {
        let Some(id) = event.incident else {
            return Err(format!("an incident was opened for {} without a number", change.key));
        };
        if id <= self.last_id {
            return Err(format!(
                "incident #{id} was opened after #{} had been given",
                self.last_id
            ));
        }
        self.last_id = id;
        if self.incidents.len() >= INCIDENTS && self.incidents.len().is_multiple_of(TRIM_EVERY) {
            self.trim(event.tick);
        }
        self.incidents.push(Incident::new(id, event, change));
        Ok(())
    }

    /// Puts away what ended, the oldest first, but nothing that is open or ended lately.
    fn trim(&mut self, tick: Tick) {
        let mut too_many = (self.incidents.len() + TRIM_EVERY).saturating_sub(INCIDENTS);
        let before = tick.before(LATELY);
        self.incidents.retain(|i| {
            let may_go = !i.is_open() && !i.flapping && i.ended.is_some_and(|t| t <= before);
            let goes = may_go && too_many > 0;
            too_many -= usize::from(goes);
            !goes
        });
        self.weigh();
    }

    /// Puts away what ended long ago; once an hour, by the events' own time, so that the fold stays a fold.
    fn sweep(&mut self, tick: Tick) {
        let hour = tick.0.div_euclid(3_600_000);
        if hour <= self.swept_hour {
            return;
        }
        self.swept_hour = hour;
        let before = tick.before(KEEP);
        self.windows.retain(|w| w.end.0 > before.0);
        self.incidents
            .retain(|i| i.is_open() || i.flapping || i.ended.is_none_or(|t| t > before));
        self.weigh();
    }
}

fn belongs_in_timeline(body: &EventBody) -> bool {
    !matches!(
        body,
        EventBody::AffectedAdded { .. } | EventBody::AffectedRemoved { .. }
    )
}

/// What may still come for an incident that was put away long ago: late mail, a device that returns after days.
fn is_afterthought(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::AffectedRemoved { .. }
            | EventBody::Noted { .. }
            | EventBody::Noticed { .. }
            | EventBody::NobodyTold { .. }
            | EventBody::Delivered { .. }
            | EventBody::AddressRefused { .. }
            | EventBody::Collapsed { .. }
            | EventBody::NotLedgered { .. }
            | EventBody::Unmuted { .. }
    )
}

pub(super) fn apply_to(incident: &mut Incident, event: &Event) -> Result<(), String> {
    let id = incident.id;
    let wrong = |what: &str, phase: Phase| Err(format!("incident #{id} {what} while {phase:?}"));
    match &event.body {
        EventBody::Changed { change } => {
            if !incident.is_open() {
                return wrong("changed its level", incident.phase);
            }
            if change.to == Level::Ok {
                return Err(format!("incident #{id} changed to ok without being ended"));
            }
            // Back before anybody was told that it was good: the call already made still stands.
            let relapse = incident.phase == Phase::Recovering;
            if relapse {
                incident.phase = Phase::Open;
                incident.good = None;
                incident.recovered = None;
            } else if change.to == Level::Critical && incident.level < Level::Critical {
                incident.expect_acceptance_anew();
            }
            incident.set_level(change, event.tick);
        }
        EventBody::RootGood { change } => {
            if incident.phase != Phase::Open {
                return wrong("had its root good", incident.phase);
            }
            incident.note_change(event.tick);
            incident.phase = Phase::Recovering;
            incident.level = Level::Ok;
            incident.good = Some(event.tick);
            incident.recovered = Some(event.at);
            incident.keep_last(change);
        }
        EventBody::Recovered { change } => {
            if !incident.is_open() {
                return wrong("recovered", incident.phase);
            }
            incident.end(Phase::Recovered, change, event);
        }
        EventBody::Folded { change, into } => {
            if !(incident.is_open() || incident.phase == Phase::Folded) {
                return wrong("was folded", incident.phase);
            }
            if *into == Some(id) {
                return Err(format!("incident #{id} was folded into itself"));
            }
            incident.end(Phase::Folded, change, event);
            incident.folded_into = *into;
        }
        EventBody::Reopened { change } => {
            if incident.is_open() {
                return wrong("was reopened", incident.phase);
            }
            incident.reopen(change, event);
        }
        EventBody::AffectedAdded { device } => {
            let hanging = Hanging {
                since: event.at,
                back: None,
            };
            let before = incident.affected.insert(device.clone(), hanging);
            if before.is_none_or(|h| h.back.is_some()) {
                incident.missing += 1;
            }
        }
        EventBody::AffectedRemoved { device } => match incident.affected.get_mut(device) {
            Some(hanging) => {
                if hanging.back.is_none() {
                    incident.missing -= 1;
                }
                hanging.back = Some(event.at);
            }
            None => {
                return Err(format!(
                    "{device} came back from incident #{id}, but never hung below it"
                ));
            }
        },
        EventBody::Noted { key, cause } => {
            if incident.notes.len() < NOTES {
                incident.notes.push((key.clone(), cause.clone()));
            }
        }
        EventBody::Acknowledged { by, until, note, .. } => {
            if !incident.is_open() {
                return wrong("was acknowledged", incident.phase);
            }
            incident.acknowledged = Some(Acknowledgement {
                by: by.clone(),
                at: event.at,
                until: *until,
                note: note.clone(),
            });
            incident.last_acknowledged.clone_from(&incident.acknowledged);
            // Somebody has it: that the call arrived needs no second way any more.
            incident.told.values_mut().for_each(|told| told.repeated = true);
        }
        EventBody::AcknowledgeEnded { why, .. } => {
            incident.acknowledged = None;
            if *why == AcknowledgeEnd::TakenBack {
                incident.last_acknowledged = None;
            }
        }
        EventBody::Muted { window } => {
            incident.muted = Some(window.clone());
            incident.held = Some(Held {
                window: window.clone(),
                from: event.at,
            });
        }
        EventBody::Unmuted { .. } => incident.muted = None,
        EventBody::Trap { .. } => incident.traps = incident.traps.saturating_add(1),
        EventBody::FlappingBegan => incident.flapping = true,
        EventBody::FlappingEnded => incident.flapping = false,
        _ => apply_notice(incident, event),
    }
    Ok(())
}

/// What the notifier did.
fn apply_notice(incident: &mut Incident, event: &Event) {
    match &event.body {
        EventBody::Noticed {
            row,
            message_id,
            contact,
            notice,
            level,
            procedure,
            step,
        } => {
            let told = incident.told.entry(contact.clone()).or_insert_with(|| Told {
                first_row: *row,
                first_message: message_id.clone(),
                accepted: None,
                repeated: false,
                unanswered: false,
            });
            if *notice == NoticeKind::Repeat {
                told.repeated = true;
            }
            told.unanswered |= notice.is_unanswered();
            if let Some(name) = procedure
                && incident.procedure.as_ref().is_none_or(|(n, _)| n != name)
            {
                incident.procedure = Some((name.clone(), event.tick));
                incident.escalated.clear();
            }
            incident.escalated.extend(step.iter());
            incident.told_level = *level;
            incident.told_verdict = incident.isolation().map(|i| i.verdict);
            if notice.is_call() || *notice == NoticeKind::Reminder {
                incident.called = Some(event.tick);
            }
        }
        EventBody::Delivered {
            contact,
            route,
            address,
            critical_call: true,
            ..
        } => {
            if let Some(told) = incident.told.get_mut(contact)
                && told.accepted.is_none()
            {
                told.accepted = Some((event.tick, route.clone(), address.clone()));
            }
        }
        EventBody::Collapsed {
            rows,
            into,
            message_id,
            contact,
        } => {
            if let Some(told) = incident.told.get_mut(contact)
                && rows.contains(&told.first_row)
            {
                told.first_row = *into;
                told.first_message = message_id.clone();
            }
        }
        _ => {}
    }
}
