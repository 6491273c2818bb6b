//! Who is told: which procedure applies, whom it names, and what is due by time alone (reminders, escalation, repeats).
//!
//! Pure. Never here: over which way a mail goes, or its words.

use super::mute::Mutes;
use super::reader::{Apart, Behind, Desk, Lines, Readers};
use crate::incident::{Book, Event, EventBody, Held, Incident, NoticeKind, Phase, Tell, Tick};
use crate::model::contact::CIRCUIT_CONTACT;
use crate::model::{
    DeviceId, FindingKey, FindingKind, Isolation, Level, Match, Name, Owner, Part, Party, Procedure, Site, Wall, When,
};
use crate::rules::Cause;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A critical call that was accepted but not acknowledged is repeated another way after this.
pub const REPEAT: Duration = Duration::from_secs(15 * 60);
/// Names listed in a mail; the rest is a number.
pub const NAMES: usize = 40;

/// What a mail speaks of: the incident as it stood when the notice was planned. Kept in the outbox row, so that the mail can be
/// written whatever happens to the book or the configuration later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Why somebody is told.
    pub kind: NoticeKind,
    /// Number.
    pub incident: u64,
    /// Root finding.
    pub root: FindingKey,
    /// Level before the last change.
    pub before: Level,
    /// Level now.
    pub level: Level,
    /// Worst level of the incident.
    pub worst: Level,
    /// Why, with the numbers.
    pub cause: Cause,
    /// Whose fault.
    pub isolation: Option<Isolation>,
    /// Whose device.
    pub owner: Option<Owner>,
    /// Its address.
    pub address: Option<String>,
    /// Its site.
    pub site: Option<Name>,
    /// Of an access circuit: the institution.
    #[serde(default)]
    pub institution: Option<Name>,
    /// When the incident was opened.
    pub opened: Wall,
    /// When what it rests on began.
    pub since: Wall,
    /// When the last change was decided.
    pub decided: Wall,
    /// When the root became good.
    pub recovered: Option<Wall>,
    /// Devices behind it, not back: at most [`NAMES`] of them.
    pub unreachable: Vec<Name>,
    /// How many in all.
    pub unreachable_count: usize,
    /// Devices that were behind it and are back: at most [`NAMES`] of them.
    pub back: Vec<Name>,
    /// How many in all.
    pub back_count: usize,
    /// What is listed in this incident instead of having one of its own, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<(FindingKey, Cause)>,
    /// Contacts that get this notice.
    pub told: Vec<Name>,
    /// The procedure followed.
    pub procedure: Option<Name>,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// The remark that they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge_note: Option<String>,
    /// Changes are not told one by one.
    pub flapping: bool,
    /// Planned work kept it quiet until this notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Step of `escalate`, from 0.
    pub step: Option<u32>,
    /// For a repeat: route and address over which the first call was accepted.
    pub accepted: Option<(Name, String)>,
    /// When the notice was planned.
    pub at: Wall,
    /// Whose contact reads it: a party outside gets a text of its own.
    #[serde(default)]
    pub reader: Party,
    /// Of a contact of an institution: which one, if its circuits are all of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addressee: Option<Name>,
    /// The circuits that the incident itself is about; for a party outside: those of theirs that it touches.
    #[serde(default)]
    pub lines: Lines,
    /// Whom our own people phone next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk: Option<Desk>,
    /// How many of `unreachable` are circuits.
    #[serde(default)]
    pub unreachable_circuits: usize,
    /// How many of `back` are circuits.
    #[serde(default)]
    pub back_circuits: usize,
    /// What was behind it and has an incident of its own now: at most [`NAMES`] of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<Apart>,
    /// When the incident ended: the root was confirmed to be good, and what was behind it was back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
    /// Of a reminder or an escalation: how long nobody had acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited: Option<Duration>,
}

/// One mail that should exist.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) contact: Name,
    pub(crate) notice: Notice,
}

/// What a round of planning gave.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) wanted: Vec<Wanted>,
    /// Incidents of which nobody is told.
    pub(crate) nobody: Vec<(u64, NoticeKind, Level)>,
    /// Incidents that planned work keeps quiet from now on: number and window.
    pub(crate) muted: Vec<(u64, Name)>,
    /// Incidents that are told again: number, and the window that kept them quiet.
    pub(crate) unmuted: Vec<(u64, Name)>,
}

/// The planner: the site's procedures, and what is due when.
#[derive(Debug)]
pub(crate) struct Planner {
    devices: BTreeMap<Name, DeviceId>,
    due: BTreeSet<(Tick, u64)>,
    due_of: BTreeMap<u64, Tick>,
    /// The book was looked through once.
    started: bool,
}

impl Planner {
    pub(crate) fn new(site: &Site) -> Planner {
        Planner {
            devices: site.iter().map(|(id, d)| (d.name.clone(), id)).collect(),
            due: BTreeSet::new(),
            due_of: BTreeMap::new(),
            started: false,
        }
    }

    /// When something is due by time alone.
    pub(crate) fn next(&self) -> Option<Tick> {
        self.due.first().map(|(tick, _)| *tick)
    }

    /// Not looked through the book yet: wants to be called at once.
    pub(crate) fn is_new(&self) -> bool {
        !self.started
    }

    /// What an event asks for. The book has already taken the event.
    pub(crate) fn on_event(&self, event: &Event, site: &Site, book: &Book, mutes: &Mutes, planned: &mut Planned) {
        let Some(incident) = event.incident.and_then(|id| book.get(id)) else {
            return;
        };
        // What it says may be over by now: it is told to those whom it was for.
        let then = incident.when(&event.body);
        let incident = then.as_ref().unwrap_or(incident);
        let Some(kind) = kind_of(&event.body, incident) else {
            return;
        };
        // Good news goes to those who were told of the bad ones, whatever is planned.
        let good = incident.level == Level::Ok && matches!(kind, NoticeKind::Recovered | NoticeKind::FlappingBegan);
        if !good && let Some(window) = mutes.window(site, book, incident) {
            if incident.muted.is_none() {
                planned.muted.push((incident.id, window.clone()));
            }
            return;
        }
        // The window is over, or something that it does not explain has been added.
        planned
            .unmuted
            .extend(incident.muted.clone().map(|window| (incident.id, window)));
        self.tell(kind, incident, site, book, event.at, planned);
    }

    /// A window has begun or ended: what of the open incidents is kept quiet now, and what is told after all.
    pub(crate) fn mute(&self, mutes: &Mutes, site: &Site, book: &Book, at: Wall, planned: &mut Planned) {
        for incident in book.open() {
            match (&incident.muted, mutes.window(site, book, incident)) {
                (None, Some(window)) => planned.muted.push((incident.id, window.clone())),
                (Some(window), None) => {
                    planned.unmuted.push((incident.id, window.clone()));
                    if let Some(kind) = after_silence(incident) {
                        self.tell(kind, incident, site, book, at, planned);
                    }
                }
                _ => {}
            }
        }
    }

    fn tell(&self, kind: NoticeKind, incident: &Incident, site: &Site, book: &Book, at: Wall, planned: &mut Planned) {
        let procedure = self.procedure(site, incident);
        let mut contacts: BTreeSet<Name> = incident.told.keys().cloned().collect();
        match kind {
            NoticeKind::Better => {}
            // Who works on it is the business of the operator's own people.
            NoticeKind::Acknowledged => contacts.retain(|name| is_own(site, name)),
            NoticeKind::Recovered => {
                // Those told of an earlier spell heard of its end. Of one that planned work kept quiet they know nothing.
                if incident.told_level == Level::Ok {
                    contacts.clear();
                }
                contacts.extend(told_of_folded(book, incident));
            }
            NoticeKind::FlappingBegan | NoticeKind::FlappingEnded if incident.level == Level::Ok => {}
            _ => contacts.extend(procedure.iter().flat_map(|p| self.recipients(&p.tell, site, incident))),
        }
        if let Some(refused) = refused_contact(incident) {
            // Whom no relay takes cannot be told that no relay takes it: somebody else hears of it. One of several addresses may
            // be refused: then the others of the contact are told, too.
            let has_others = site.contacts.iter().any(|c| c.name == *refused && c.mail.len() > 1);
            let was_named = contacts.remove(refused);
            if contacts.is_empty() && kind.is_call() {
                contacts.extend(own_contacts(site, refused));
            }
            if was_named && has_others {
                contacts.insert(refused.clone());
            }
        }
        if (procedure.is_none() || contacts.is_empty()) && kind.is_call() {
            planned.nobody.push((incident.id, kind, incident.level));
        }
        let notice = self.notice(kind, incident, site, procedure, at);
        self.push_all(contacts, notice, (incident, site, book), planned);
    }

    /// What is due by time.
    pub(crate) fn on_time(&mut self, site: &Site, book: &Book, tick: Tick, at: Wall, planned: &mut Planned) {
        if !self.started {
            self.started = true;
            for incident in book.open() {
                self.reschedule(incident.id, site, book, None);
            }
        }
        let due: Vec<u64> = self
            .due
            .iter()
            .take_while(|(t, _)| *t <= tick)
            .map(|(_, id)| *id)
            .collect();
        for id in due {
            if let Some(incident) = book.get(id) {
                self.time_of(incident, (site, book), tick, at, planned);
            }
            // Whatever could not be done about it now is not asked for again: never spin.
            self.reschedule(id, site, book, Some(tick));
        }
    }

    fn time_of(&self, incident: &Incident, (site, book): (&Site, &Book), tick: Tick, at: Wall, planned: &mut Planned) {
        let procedure = self.procedure(site, incident);
        for due in dues(incident, site, procedure) {
            if due.at > tick {
                continue;
            }
            let mut notice = self.notice(due.kind, incident, site, procedure, at);
            notice.step = due.step;
            notice.accepted = due.accepted;
            // Planned work may have held it: told is how long it was.
            let more = Duration::from_millis(u64::try_from(tick.0.saturating_sub(due.at.0)).unwrap_or(0));
            notice.waited = due.waited.map(|waited| waited + more);
            let contacts = self.recipients(&due.contacts, site, incident).collect();
            self.push_all(contacts, notice, (incident, site, book), planned);
        }
    }

    /// The contacts of a `tell`: whoever is the circuit's is put in by name, nobody if the incident is about no circuit.
    fn recipients<'a>(
        &self,
        tell: &'a [Name],
        site: &'a Site,
        incident: &Incident,
    ) -> impl Iterator<Item = Name> + use<'a> {
        let circuit = self.device(site, incident).and_then(|d| d.circuit.as_ref());
        let of_circuit = circuit.and_then(|c| c.contact.clone());
        let refused = refused_contact(incident).cloned();
        let named = tell.iter().filter_map(move |name| match &**name {
            CIRCUIT_CONTACT => of_circuit.clone(),
            _ => Some(name.clone()),
        });
        named.filter(move |name| Some(name) != refused.as_ref())
    }

    /// Looks anew at when the incident wants something by time, later than `floor`. To be called after every event of it.
    pub(crate) fn reschedule(&mut self, id: u64, site: &Site, book: &Book, floor: Option<Tick>) {
        if let Some(old) = self.due_of.remove(&id) {
            self.due.remove(&(old, id));
        }
        let Some(incident) = book.get(id) else { return };
        let dues = dues(incident, site, self.procedure(site, incident));
        let next = dues
            .into_iter()
            .map(|d| d.at)
            .filter(|t| floor.is_none_or(|f| *t > f))
            .min();
        if let Some(tick) = next {
            self.due.insert((tick, id));
            self.due_of.insert(id, tick);
        }
    }

    /// The first procedure that matches.
    pub(crate) fn procedure<'a>(&self, site: &'a Site, incident: &Incident) -> Option<&'a Procedure> {
        let device = self.device(site, incident);
        site.procedures.iter().find(|p| matches(&p.matches, incident, device))
    }

    /// One notice a contact, each with what its reader must know.
    fn push_all(
        &self,
        contacts: BTreeSet<Name>,
        mut notice: Notice,
        (incident, site, book): (&Incident, &Site, &Book),
        planned: &mut Planned,
    ) {
        notice.told = contacts.iter().cloned().collect();
        let readers = Readers {
            site,
            devices: &self.devices,
        };
        let behind = Behind::of(incident, book);
        notice.state_of(&behind, &readers);
        let reads = |name: &Name| site.contacts.iter().find(|c| c.name == *name);
        planned.wanted.extend(contacts.into_iter().filter_map(|name| {
            let contact = reads(&name)?;
            let outside = contact.party.is_outside();
            // "Sent again another way", because nobody has acknowledged, is an affair of our own people.
            (!outside || notice.kind != NoticeKind::Repeat).then(|| Wanted {
                contact: name,
                notice: Notice {
                    reader: contact.party,
                    addressee: readers.addressee(contact),
                    lines: readers.lines(contact, incident, &behind, notice.level),
                    desk: readers.desk(incident).filter(|_| !outside),
                    ..notice.clone()
                },
            })
        }));
    }

    /// Brings a notice that waits up to date: who has acknowledged, what is back meanwhile.
    pub(crate) fn refresh(
        &self,
        notice: &mut Notice,
        contact: &Name,
        (incident, behind): (&Incident, &Behind),
        site: &Site,
    ) {
        let readers = Readers {
            site,
            devices: &self.devices,
        };
        notice.state_of(behind, &readers);
        notice.acknowledged_by = incident.acknowledged.as_ref().map(|a| a.by.clone());
        notice.flapping = incident.flapping;
        if let Some(contact) = site.contacts.iter().find(|c| c.name == *contact) {
            notice.reader = contact.party;
            notice.lines = readers.lines(contact, incident, behind, notice.level);
        }
    }

    fn device<'a>(&self, site: &'a Site, incident: &Incident) -> Option<&'a crate::model::Device> {
        if let Part::Redundancy(name) = &incident.root.part {
            // A group is whose its first member is.
            let group = site.redundancy.iter().find(|g| g.name == *name)?;
            return group.members.first().map(|m| site.device(m.device));
        }
        if let Part::Common(label) = &incident.root.part {
            // An institution is whose its first circuit is.
            let is = |c: &crate::model::Circuit| label.contains(&*c.institution_id) && c.institution_label() == *label;
            let of = |d: &&crate::model::Device| d.circuit.as_deref().is_some_and(is);
            return site.devices.iter().find(of);
        }
        let id = self.devices.get(incident.root.device.as_ref()?)?;
        site.devices.get(id.index())
    }

    fn notice(
        &self,
        kind: NoticeKind,
        incident: &Incident,
        site: &Site,
        procedure: Option<&Procedure>,
        at: Wall,
    ) -> Notice {
        let device = self.device(site, incident);
        Notice {
            kind,
            incident: incident.id,
            root: incident.root.clone(),
            before: incident.last.from,
            level: incident.level,
            worst: incident.worst,
            cause: incident.cause().clone(),
            isolation: incident.isolation().cloned(),
            owner: device.map(|d| d.owner),
            address: device.map(|d| d.host().to_string()),
            site: device.and_then(|d| d.site.clone()),
            institution: device.and_then(|d| d.circuit.as_ref()).map(|c| c.institution.clone()),
            opened: incident.opened,
            since: incident.since,
            decided: incident.last.at,
            recovered: incident.recovered,
            unreachable: Vec::new(),
            unreachable_count: 0,
            back: Vec::new(),
            back_count: 0,
            notes: incident.notes.iter().take(NAMES).cloned().collect(),
            told: Vec::new(),
            procedure: followed(incident, procedure),
            acknowledged_by: incident.acknowledged.as_ref().map(|a| a.by.clone()),
            acknowledge_note: incident.acknowledged.as_ref().and_then(|a| a.note.clone()),
            flapping: incident.flapping,
            // A notice is planned before the book takes word that the window is over.
            held: incident.held.clone().filter(|_| incident.muted.is_some()),
            step: None,
            accepted: None,
            at,
            reader: Party::Own,
            addressee: None,
            lines: Lines::default(),
            desk: None,
            unreachable_circuits: 0,
            back_circuits: 0,
            apart: Vec::new(),
            ended: (incident.phase == Phase::Recovered).then_some(at),
            waited: None,
        }
    }
}

impl Notice {
    /// Fills in what is behind the incident now.
    fn state_of(&mut self, behind: &Behind, readers: &Readers<'_>) {
        let some = |names: &BTreeSet<Name>| names.iter().take(NAMES).cloned().collect();
        self.unreachable = some(&behind.unreachable);
        self.unreachable_count = behind.unreachable.len();
        self.unreachable_circuits = readers.circuits(&behind.unreachable);
        self.back = some(&behind.back);
        self.back_count = behind.back.len();
        self.back_circuits = readers.circuits(&behind.back);
        self.apart = behind.apart.iter().take(NAMES).cloned().collect();
    }
}

/// The procedure that a mail names: of what is over, the one that was followed.
fn followed(incident: &Incident, procedure: Option<&Procedure>) -> Option<Name> {
    let followed = incident.procedure.as_ref().map(|(name, _)| name.clone());
    match incident.level {
        Level::Ok => followed.or_else(|| procedure.map(|p| p.name.clone())),
        _ => procedure.map(|p| p.name.clone()),
    }
}

/// The contact that an incident says cannot be told.
fn refused_contact(incident: &Incident) -> Option<&Name> {
    match (&incident.root.part, incident.root.kind) {
        (Part::Contact(name), FindingKind::ContactRefused) => Some(name),
        _ => None,
    }
}

/// Is this one of the operator's own people?
fn is_own(site: &Site, name: &Name) -> bool {
    let mut contacts = site.contacts.iter();
    contacts.any(|c| c.name == *name && c.party == Party::Own)
}

/// The operator's own people but one; if there are none, everybody but that one.
fn own_contacts(site: &Site, but: &Name) -> Vec<Name> {
    let others = || site.contacts.iter().filter(|c| c.name != *but);
    let own: Vec<Name> = others()
        .filter(|c| c.party == Party::Own)
        .map(|c| c.name.clone())
        .collect();
    match own.is_empty() {
        true => others().map(|c| c.name.clone()).collect(),
        false => own,
    }
}

/// Those told of incidents that now go on inside this one hear of its end too.
fn told_of_folded(book: &Book, root: &Incident) -> Vec<Name> {
    let folded = book.state().incidents.iter().filter(|i| i.folded_into == Some(root.id));
    folded.flat_map(|i| i.told.keys().cloned()).collect()
}

/// What is still to be told of an open incident when its window is over: as good as it was told before, or nothing.
fn after_silence(incident: &Incident) -> Option<NoticeKind> {
    match (incident.told.is_empty(), incident.level.cmp(&incident.told_level)) {
        _ if incident.level == Level::Ok => None,
        (true, _) => Some(NoticeKind::Opened),
        (false, std::cmp::Ordering::Greater) => Some(NoticeKind::Worse),
        (false, std::cmp::Ordering::Less) => Some(NoticeKind::Better),
        (false, std::cmp::Ordering::Equal) => None,
    }
}

/// Which notice an event is, if any. Flapping mutes everything but its own beginning and end and a rise to critical.
fn kind_of(body: &EventBody, incident: &Incident) -> Option<NoticeKind> {
    // Whoever was told of nothing yet reads of a new fault, whatever it has been through since (planned work kept it quiet, or no procedure
    // was for it).
    let first = incident.told.is_empty();
    let kind = match body {
        EventBody::Opened { .. } => NoticeKind::Opened,
        EventBody::Reopened { .. } if first => NoticeKind::Opened,
        EventBody::Reopened { .. } => NoticeKind::Reopened,
        EventBody::Recovered { .. } => NoticeKind::Recovered,
        EventBody::FlappingBegan => return (!is_critical_now(incident)).then_some(NoticeKind::FlappingBegan),
        EventBody::FlappingEnded => return Some(NoticeKind::FlappingEnded),
        EventBody::Acknowledged { tell: Tell::Others, .. } => return Some(NoticeKind::Acknowledged),
        EventBody::Changed { change } => {
            let told = incident.told_level;
            let relapse = change.from == Level::Ok;
            if first && change.to != change.from {
                NoticeKind::Opened
            } else if change.to > told || (change.to == Level::Critical && change.from == Level::Warning) {
                NoticeKind::Worse
            } else if change.to < told {
                NoticeKind::Better
            } else if change.from == change.to || relapse {
                if change.key.kind == FindingKind::SwitchedOver && !relapse {
                    let kind = if first { NoticeKind::Opened } else { NoticeKind::More };
                    return (!incident.flapping).then_some(kind);
                }
                let verdict = change.isolation.as_ref().map(|i| i.verdict);
                if verdict.is_none() || verdict == incident.told_verdict || incident.told.is_empty() {
                    return None;
                }
                NoticeKind::Verdict
            } else {
                return None;
            }
        }
        _ => return None,
    };
    let rise = matches!(body, EventBody::Opened { change } | EventBody::Reopened { change } | EventBody::Changed { change }
        if change.to == Level::Critical && change.from < Level::Critical);
    (!incident.flapping || rise).then_some(kind)
}

/// The change that made it flap was a rise to critical, which is told as such (and says that it flaps).
fn is_critical_now(incident: &Incident) -> bool {
    incident.level == Level::Critical && incident.last.from < Level::Critical
}

/// Something due by time alone.
struct Due {
    at: Tick,
    kind: NoticeKind,
    contacts: Vec<Name>,
    step: Option<u32>,
    accepted: Option<(Name, String)>,
    waited: Option<Duration>,
}

fn dues(incident: &Incident, site: &Site, procedure: Option<&Procedure>) -> Vec<Due> {
    if incident.phase != Phase::Open || incident.acknowledged.is_some() || incident.muted.is_some() {
        return Vec::new();
    }
    let mut dues = Vec::new();
    if let Some(procedure) = procedure {
        escalations(incident, procedure, &mut dues);
        if let (Some(remind), Some(called)) = (procedure.remind, incident.called) {
            dues.push(Due {
                at: called.after(remind.max(Duration::from_secs(60))),
                kind: NoticeKind::Reminder,
                contacts: procedure.tell.clone(),
                step: None,
                accepted: None,
                waited: Some(remind),
            });
        }
    }
    if incident.level == Level::Critical {
        repeats(incident, site, &mut dues);
    }
    dues
}

fn escalations(incident: &Incident, procedure: &Procedure, dues: &mut Vec<Due>) {
    // Under another procedure than the last notice's (a reload), time counts from the spell's beginning.
    let (from, done) = match &incident.procedure {
        Some((name, tick)) if *name == procedure.name => (*tick, Some(&incident.escalated)),
        _ => (incident.spell, None),
    };
    for (i, escalation) in procedure.escalate.iter().enumerate() {
        let step = u32::try_from(i).unwrap_or(u32::MAX);
        if done.is_some_and(|d| d.contains(&step)) || escalation.tell.is_empty() {
            continue;
        }
        dues.push(Due {
            at: from.after(escalation.after),
            kind: NoticeKind::Escalation,
            contacts: escalation.tell.clone(),
            step: Some(step),
            accepted: None,
            waited: Some(escalation.after),
        });
    }
}

/// "Accepted" is not "received": a critical call without acknowledgement goes out once more, another way to another address.
fn repeats(incident: &Incident, site: &Site, dues: &mut Vec<Due>) {
    for (name, told) in &incident.told {
        let Some((accepted, route, address)) = &told.accepted else {
            continue;
        };
        let another_route = site.routes.iter().any(|r| r.name != *route);
        let contact = site.contacts.iter().find(|c| c.name == *name);
        let stands_in = |a: &crate::model::Address| a.when == When::Unanswered && a.mail != *address;
        let another_address = contact.is_some_and(|c| c.mail.iter().any(stands_in));
        // That nobody has acknowledged is an affair of our own people.
        let is_outside = contact.is_some_and(|c| c.party.is_outside());
        if told.repeated || is_outside || !(another_route || another_address) {
            continue;
        }
        dues.push(Due {
            at: accepted.after(REPEAT),
            kind: NoticeKind::Repeat,
            contacts: vec![name.clone()],
            step: None,
            accepted: Some((route.clone(), address.clone())),
            waited: Some(REPEAT),
        });
    }
}

/// Do all given conditions hold?
fn matches(m: &Match, incident: &Incident, device: Option<&crate::model::Device>) -> bool {
    let named = |wanted: &Option<Name>, have: Option<&Name>| wanted.as_ref().is_none_or(|w| Some(w) == have);
    let affected = incident.missing + 1;
    m.level.is_none_or(|l| l == incident.level)
        && m.verdict
            .is_none_or(|v| incident.isolation().is_some_and(|i| i.verdict == v))
        && m.owner.is_none_or(|o| device.is_some_and(|d| d.owner == o))
        && m.kind.is_none_or(|k| k == incident.root.kind)
        && named(&m.class, device.and_then(|d| d.class.as_ref()))
        && named(&m.group, device.and_then(|d| d.group.as_ref()))
        && named(&m.site, device.and_then(|d| d.site.as_ref()))
        && named(&m.device, incident.root.device.as_ref())
        && m.affected_at_least.is_none_or(|n| affected >= n as usize)
}
