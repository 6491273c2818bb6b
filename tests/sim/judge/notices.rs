//! Who must be told, exactly once for each change, and whether the mail got out in time.

use super::*;
use hinomi::model::{Owner, Procedure};

/// A notice that must be planned in the batch of its cause.
pub(super) struct Due {
    pub(super) incident: u64,
    kind: NoticeKind,
    contact: Name,
    /// A window of work that kept it quiet ends just now: told if it is said to be over.
    pub(super) perhaps: bool,
}

/// Level changes within [`WINDOW`] that make an incident flapping.
const FLAPS: usize = 4;
const WINDOW: At = 1_800 * SECOND;
/// "Accepted" is not "received": repeated after this.
const REPEAT: At = 900 * SECOND;
/// While one way works all the time: both may be tried, each for its deadline of 30 s, and a lesser row may wait for a place.
pub(super) const OUT: At = 100 * SECOND;
/// After all ways were lost: until the next test finds the one that is back, and as before.
pub(super) const OUT_AFTER: At = 230 * SECOND;

fn fits(procedure: &Procedure, case: &Case, owner: Option<Owner>) -> bool {
    let m = &procedure.matches;
    m.level.is_none_or(|l| l == case.level)
        && m.verdict.is_none_or(|v| Some(v) == case.verdict)
        && m.owner.is_none_or(|o| Some(o) == owner)
        && m.kind.is_none_or(|k| k == case.root.kind)
}

impl Judge {
    /// Whom the procedure in force names.
    fn recipients(&self, case: &Case, plot: &Plot) -> BTreeSet<Name> {
        let device = case.target.map(|i| plot.town.device(i));
        let owner = device.map(|d| d.owner);
        let procedure = plot.town.site.procedures.iter().find(|p| fits(p, case, owner));
        let of_circuit = device.and_then(|d| d.circuit.as_ref()).and_then(|c| c.contact.clone());
        let tell = procedure.map(|p| p.tell.clone()).unwrap_or_default();
        tell.into_iter()
            .filter_map(|name| match &*name {
                "circuit.contact" => of_circuit.clone(),
                _ => Some(name),
            })
            .collect()
    }

    fn owe(&mut self, incident: u64, kind: NoticeKind, contacts: BTreeSet<Name>, plot: &Plot) {
        let muted = self.cases.get(&incident).is_some_and(|c| c.muted);
        let perhaps = muted && self.quiet(incident, self.at, plot).is_none();
        let due = |contact| Due {
            incident,
            kind,
            contact,
            perhaps,
        };
        self.due.extend(contacts.into_iter().map(due));
    }

    /// An incident was opened, reopened or ended.
    pub(super) fn expect(&mut self, id: u64, kind: NoticeKind, plot: &Plot) {
        let Some(case) = self.cases.get(&id) else { return };
        let rise = kind == NoticeKind::Reopened && case.level == Level::Critical;
        let quiet = kind != NoticeKind::Recovered && self.quiet(id, self.at, plot) == Some(true);
        if case.flapping && !rise || quiet {
            return;
        }
        let mut contacts = case.told.clone();
        match kind {
            NoticeKind::Recovered => {
                let inside = self.cases.values().filter(|c| c.folded_into == Some(id));
                contacts.extend(inside.flat_map(|c| c.told.iter().cloned()));
                // Those who are told of it at this very moment hear of its end, too.
                contacts.extend(self.due.iter().filter(|d| d.incident == id).map(|d| d.contact.clone()));
            }
            _ => contacts.extend(self.recipients(case, plot)),
        }
        self.owe(id, kind, contacts, plot);
    }

    /// It stays open with another level, or another verdict.
    pub(super) fn expect_change(&mut self, (at, id): (At, u64), before: Level, to: Level, relapse: bool, plot: &Plot) {
        let Some(case) = self.cases.get(&id) else { return };
        let rise = to == Level::Critical && before < Level::Critical;
        if case.flapping && !rise || self.quiet(id, at, plot) == Some(true) {
            return;
        }
        let mut contacts = case.told.clone();
        // What is planned together with this is told, too.
        let told_level = match self.due.iter().any(|d| d.incident == id) {
            true => before,
            false => case.told_level,
        };
        let kind = if to > told_level || to == Level::Critical && before == Level::Warning {
            NoticeKind::Worse
        } else if to < told_level {
            NoticeKind::Better
        } else if case.root.kind == FindingKind::SwitchedOver && before == to && !relapse {
            NoticeKind::More
        } else if (before == to || relapse)
            && case.verdict.is_some()
            && case.verdict != case.told_verdict
            && !contacts.is_empty()
        {
            NoticeKind::Verdict
        } else {
            return;
        };
        if kind != NoticeKind::Better {
            contacts.extend(self.recipients(case, plot));
        }
        self.owe(id, kind, contacts, plot);
    }

    /// Four changes within half an hour: one notice that says so, unless the last of them is a rise to critical, which is told itself.
    pub(super) fn flapping_began(&mut self, id: u64, plot: &Plot) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let newest = case.changes.last().copied().unwrap_or(0);
        let count = case.changes.iter().filter(|at| **at + WINDOW > newest).count();
        case.flapping = true;
        if count < FLAPS {
            self.wrong(format!("#{id} is said to flap after {count} changes"));
        }
        let Some(case) = self.cases.get(&id) else { return };
        // Good news is told, whatever is planned.
        let quiet = case.level > Level::Ok && self.quiet(id, self.at, plot) == Some(true);
        if case.level == Level::Critical || quiet {
            return;
        }
        let mut contacts = case.told.clone();
        if case.level > Level::Ok {
            contacts.extend(self.recipients(case, plot));
        }
        self.due.retain(|d| d.incident != id);
        self.owe(id, NoticeKind::FlappingBegan, contacts, plot);
    }

    pub(super) fn flapping_ended(&mut self, at: At, id: u64, plot: &Plot) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        case.flapping = false;
        let quiet = at.saturating_sub(case.changes.last().copied().unwrap_or(0));
        if quiet + SECOND < WINDOW {
            self.wrong(format!(
                "#{id} flapped {:.0} s ago and is said to have ended",
                quiet as f64 / 1e6
            ));
        }
        let Some(case) = self.cases.get(&id) else { return };
        if self.quiet(id, at, plot) == Some(true) {
            return;
        }
        let mut contacts = case.told.clone();
        if case.level > Level::Ok {
            contacts.extend(self.recipients(case, plot));
        }
        self.owe(id, NoticeKind::FlappingEnded, contacts, plot);
    }

    /// What the notifier did.
    pub(super) fn of_mail(&mut self, now: At, id: u64, event: &Event) {
        match &event.body {
            EventBody::Noticed {
                row,
                message_id,
                contact,
                notice,
                level,
                ..
            } => {
                self.say(now, id, &format!("row {row}: {} to {contact}", notice.key()));
                let planned = Row {
                    planned: now,
                    incident: id,
                    contact: contact.clone(),
                    message: message_id.clone(),
                    kind: *notice,
                    into: None,
                    said_accepted: false,
                };
                self.noticed(id, &planned);
                self.rows.insert(*row, planned);
                if let Some(case) = self.cases.get_mut(&id) {
                    case.told.insert(contact.clone());
                    (case.told_level, case.told_verdict) = (*level, case.verdict);
                }
            }
            EventBody::NobodyTold { .. } => {
                self.wrong(format!("nobody is told of #{id}, though a procedure fits everything"))
            }
            EventBody::Delivered { row, .. } => {
                self.say(now, id, &format!("row {row} accepted"));
                if let Some(row) = self.rows.get_mut(row) {
                    row.said_accepted = true;
                }
            }
            EventBody::Collapsed { rows, into, .. } => {
                self.say(now, id, &format!("rows {rows:?} go with {into}"));
                for row in rows {
                    if let Some(row) = self.rows.get_mut(row) {
                        row.into = Some(*into);
                    }
                }
            }
            EventBody::Damage { what } => self.wrong(format!("damage: {what}")),
            EventBody::AddressRefused { .. } => {
                self.wrong(format!("#{id}: an address was refused that no relay refused"))
            }
            EventBody::NotLedgered { .. } if !self.ledger_trouble => {
                self.wrong("rows left before they were in the ledger, which works".to_owned());
            }
            _ => {}
        }
    }

    fn noticed(&mut self, id: u64, planned: &Row) {
        self.findings.notices += 1;
        if let Some(case) = self.cases.get_mut(&id) {
            case.notices += 1;
        }
        let owed = self
            .due
            .iter()
            .position(|d| d.incident == id && d.kind == planned.kind && d.contact == planned.contact);
        if let Some(owed) = owed {
            self.due.swap_remove(owed);
            return;
        }
        let accepted = |r: &Row| {
            let at = self.taken.get(&r.message).map(|(at, ..)| *at);
            r.incident == id
                && r.contact == planned.contact
                && at.is_some_and(|at| at + REPEAT <= planned.planned + SECOND)
        };
        let repeated = planned.kind == NoticeKind::Repeat
            && self
                .cases
                .get(&id)
                .is_some_and(|c| c.open && c.level == Level::Critical)
            && self.rows.values().any(accepted);
        // The book's clock goes on with the wall clock when the daemon starts again.
        let leapt = planned.kind == NoticeKind::Repeat && self.restarted && self.stepped;
        if !repeated && !leapt {
            let kind = planned.kind.key();
            self.wrong(format!(
                "at {:.1} s {} is told \"{kind}\" of #{id}, which nothing asks for",
                planned.planned as f64 / 1e6,
                planned.contact
            ));
        }
    }

    /// At the end of a batch nothing may be owed.
    pub(super) fn nothing_due(&mut self, now: At) {
        // The book's clock goes on with the wall clock when the daemon starts again.
        let leapt = self.restarted && self.stepped;
        let flaps = |c: &Case| {
            let newest = c.changes.last().copied().unwrap_or(0);
            !leapt
                && !c.flapping
                && newest == now
                && c.changes.iter().filter(|at| **at + WINDOW > newest).count() >= FLAPS
        };
        if let Some((id, _)) = self.cases.iter().find(|(_, c)| flaps(c)) {
            let id = *id;
            self.wrong(format!(
                "at {:.1} s #{id} has changed {FLAPS} times in half an hour and is not said to flap",
                now as f64 / 1e6
            ));
        }
        for due in std::mem::take(&mut self.due).into_iter().filter(|d| !d.perhaps) {
            self.wrong(format!(
                "at {:.1} s {} is not told \"{}\" of #{}",
                now as f64 / 1e6,
                due.contact,
                due.kind.key(),
                due.incident
            ));
        }
    }

    /// A mail leaves over a route; whether it is taken is the model's affair.
    pub(crate) fn mail(&mut self, now: At, delivery: &Delivery, route: usize, taken: bool, mood: Mood, plot: &Plot) {
        let mail = &delivery.mail;
        let found = self.rows.iter().find(|(_, r)| r.message == mail.message_id);
        let Some((number, incident, contact)) = found.map(|(n, r)| (*n, r.incident, r.contact.clone())) else {
            // While the ledger does not answer, notices leave before their batch does.
            if !self.ledger_trouble {
                self.wrong(format!("a mail leaves that was never planned: {}", mail.subject));
            } else if taken {
                self.taken
                    .entry(mail.message_id.clone())
                    .or_insert((now, 1, mail.body.clone()));
            }
            return;
        };
        if mail.to != format!("{contact}@example.net") {
            self.wrong(format!("row {number} is for {contact} and goes to {}", mail.to));
        }
        self.say(
            now,
            incident,
            &format!("row {number} over {}: {mood:?}", delivery.route),
        );
        self.way_chosen(now, incident, route, &delivery.route, plot);
        if !taken {
            return;
        }
        let entry = self
            .taken
            .entry(mail.message_id.clone())
            .or_insert((now, 0, String::new()));
        entry.1 += 1;
        entry.2.clone_from(&mail.body);
        let doubtful =
            self.restarted || mood == Mood::Swallows || plot.faults.iter().any(|f| matches!(f.what, What::Relay(_)));
        if entry.1 > 1 && !doubtful {
            self.wrong(format!("row {number} goes out twice: {}", mail.subject));
        }
    }

    /// A notice about what lies across a route does not go over that route while another one has worked all the time.
    fn way_chosen(&mut self, now: At, incident: u64, route: usize, name: &Name, plot: &Plot) {
        let Some(case) = self.cases.get(&incident).filter(|c| c.level > Level::Ok) else {
            return;
        };
        let relays = plot.faults.iter().any(|f| matches!(f.what, What::Relay(_)));
        let crosses = &plot.town.site.routes[route].crosses;
        let crosses = crosses
            .iter()
            .any(|c| matches!(c, hinomi::model::Crossing::Device(id) if Some(id.index()) == case.target));
        let down = matches!(case.root.kind, FindingKind::PlatformDown) && crosses;
        let blind = case.root.kind == FindingKind::Blind && !plot.town.site.routes[route].out_of_band;
        if (down || blind) && !relays && !plot.mixed {
            let root = case.root.clone();
            self.wrong(format!(
                "at {:.1} s the notice of {root} goes over {name}, which it says is cut",
                now as f64 / 1e6
            ));
        }
    }
}
