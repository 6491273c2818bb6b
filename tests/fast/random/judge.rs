//! What must hold at the end of a run, asked of the mails, the ledger and the picture, against the truth.

use super::truth::{Fault, Truth, What};
use crate::world::World;
use hinomi::incident::{Book, Event, EventBody};
use hinomi::model::{FindingKind, Name, Owner, Part, ReachState, Verdict, Wall};
use hinomi::rules::FindingChange;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Wall time at the start of a world.
const START: Wall = Wall(1_794_000_000_000);
/// Waiting for a parent, one more look, a round that was due anyway, a batch at the ledger.
const MARGIN: Duration = Duration::from_secs(60);
/// Wake-ups an hour that a small site may cost: ticks of 10 ms are 360,000.
const WAKES_AN_HOUR: u64 = 120_000;

fn at(wall: Wall) -> Duration {
    wall.since(START)
}

/// Everything that is wrong, one sentence each.
pub(super) fn judge(truth: &Truth, world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let (book, problems) = Book::restore(&world.events);
    wrong.extend(problems.iter().map(|p| format!("the ledger does not fold: {p}")));
    wrong.extend(hinomi::incident::lint(&book).iter().map(|p| format!("lint: {p}")));
    let events: Vec<Event> = world.events.iter().filter_map(|e| Event::from_json(e).ok()).collect();
    at_the_end(world, &mut wrong);
    nobody_accused(truth, &events, &mut wrong);
    everybody_told(truth, world, &events, &mut wrong);
    every_recovery_told(world, &book, &mut wrong);
    nothing_twice(truth, world, &mut wrong);
    wrong
}

fn at_the_end(world: &World, wrong: &mut Vec<String>) {
    let snapshot = world.snapshot();
    for incident in snapshot.incidents.iter().filter(|i| i.recovered.is_none()) {
        wrong.push(format!("#{} {} is still open", incident.id, incident.root));
    }
    for device in snapshot.devices.iter().filter(|d| d.reach != ReachState::Up) {
        wrong.push(format!("{} is {:?} at the end", device.name, device.reach));
    }
    for device in &snapshot.devices {
        for finding in &device.findings {
            wrong.push(format!("{} holds {} at the end", device.name, finding.key));
        }
    }
    if !snapshot.outbox_pending.is_empty() {
        wrong.push(format!("the outbox holds {:?}", snapshot.outbox_pending));
    }
    if snapshot.blind || snapshot.ledger_error.is_some() {
        wrong.push("blind or without a ledger at the end".to_owned());
    }
    let hours = world.elapsed().as_secs() / 3600 + 1;
    if world.wakes > WAKES_AN_HOUR * hours {
        wrong.push(format!("{} wake-ups in {hours} h", world.wakes));
    }
}

fn opening(event: &Event) -> Option<&FindingChange> {
    match &event.body {
        EventBody::Opened { change } | EventBody::Reopened { change } => Some(change),
        _ => None,
    }
}

/// Every incident is about something that was broken, and its verdict names no wrong party.
fn nobody_accused(truth: &Truth, events: &[Event], wrong: &mut Vec<String>) {
    for event in events {
        let change = match &event.body {
            EventBody::Changed { change } => Some(change),
            _ => opening(event),
        };
        let Some(change) = change.filter(|c| c.to > hinomi::model::Level::Ok) else {
            continue;
        };
        let (since, decided) = (at(change.since), at(change.at));
        let during = |f: &&Fault| f.overlaps(since.saturating_sub(Duration::from_secs(2)), decided);
        let mut faults = truth.faults.iter().filter(during);
        if !faults.any(|f| explains(truth, change, f)) && !uplinks_silent(truth, change) {
            let (since, decided) = (since.as_secs_f64(), decided.as_secs_f64());
            wrong.push(format!(
                "{} since {since:.1} s, decided {decided:.1} s: not broken",
                change.key
            ));
        }
        wrong_party(truth, change, wrong);
    }
}

fn uplinks_silent(truth: &Truth, change: &FindingChange) -> bool {
    let host = change.key.device.is_none() && change.key.kind != FindingKind::RouteNotReady;
    host && truth
        .faults
        .iter()
        .any(|f| truth.blind(f.from) && f.from <= at(change.at))
}

fn explains(truth: &Truth, change: &FindingChange, fault: &Fault) -> bool {
    let key = &change.key;
    let device = key.device.as_deref().unwrap_or_default();
    match (key.kind, &fault.what) {
        // A confirm of 2 s leaves three GETs: a lossy way may lose them all.
        (FindingKind::DeviceDown | FindingKind::PlatformDown | FindingKind::CircuitSilent, What::Loss(_))
            if truth.town.dev(device).liveness == hinomi::model::Liveness::Snmp =>
        {
            true
        }
        (FindingKind::DeviceDown | FindingKind::PlatformDown | FindingKind::CircuitSilent, what) => {
            truth.broken(device, what)
        }
        (FindingKind::ControlPlaneSilent, What::Mute(d)) => d == device,
        // Agents that never come back up look silent too.
        (FindingKind::ControlPlaneSilent, what) => truth.broken(device, what),
        (FindingKind::InterfaceDown, What::PortDown(d, p)) => {
            d == device && matches!(&key.part, Part::Interface(name) if **name == **p)
        }
        (FindingKind::AgentSilent, What::AgentStopped(d)) => d == device,
        (FindingKind::Threshold, What::Cpu(d, percent)) => d == device && *percent >= 70 && key.part == Part::Device,
        (FindingKind::RouteNotReady | FindingKind::LastRouteLost, What::RelayDead(_) | What::Cut) => true,
        (FindingKind::RouteNotReady | FindingKind::LastRouteLost, what) => {
            truth.town.crosses.as_ref().is_some_and(|c| {
                truth.broken(c, what) || truth.town.dev(c).parents.iter().any(|p| truth.broken(p, what))
            })
        }
        (FindingKind::Blind, What::Cut) | (FindingKind::LedgerFailed, What::LedgerFull) => true,
        _ => false,
    }
}

fn wrong_party(truth: &Truth, change: &FindingChange, wrong: &mut Vec<String>) {
    let (Some(isolation), Some(device)) = (&change.isolation, change.key.device.as_deref()) else {
        return;
    };
    let (since, decided) = (at(change.since), at(change.at));
    let dev = truth.town.dev(device);
    let link_down = truth.faults.iter().any(|f| {
        f.overlaps(since, decided)
            && matches!(&f.what, What::PortDown(d, p) if change.key.part == Part::Interface(Name::from(p.as_str())) && d == device
                || dev.demarcation.as_ref().is_some_and(|(e, q)| e == d && q == p))
    });
    let itself = truth
        .faults
        .iter()
        .any(|f| f.overlaps(since, decided) && matches!(&f.what, What::Dead(d) | What::Mute(d) if d == device));
    let other = truth.faults.iter().any(|f| {
        let platform = |d: &String| d != device && truth.town.dev(d).owner == Owner::Platform;
        f.overlaps(since, decided) && matches!(&f.what, What::Dead(d) | What::Mute(d) if platform(d))
    });
    let fits = match isolation.verdict {
        Verdict::OwnNetwork => dev.owner == Owner::Own,
        Verdict::Platform => dev.owner == Owner::Platform && (itself || other),
        Verdict::DemarcationLink => link_down,
        Verdict::PlatformOrDemarcation => dev.owner == Owner::Platform,
        Verdict::Undetermined => dev.owner == Owner::Institution || change.key.kind == FindingKind::InterfaceDown,
        Verdict::Blind | Verdict::AccessCarrier | Verdict::InstitutionSide => false,
    };
    if !fits {
        let decided = decided.as_secs_f64();
        wrong.push(format!(
            "{} at {decided:.1} s: verdict {}",
            change.key,
            isolation.verdict.key()
        ));
    }
}

/// Every outage that lasted long enough and could be seen was told to everybody it concerns.
fn everybody_told(truth: &Truth, world: &World, events: &[Event], wrong: &mut Vec<String>) {
    for fault in &truth.faults {
        for dev in truth
            .town
            .devices
            .iter()
            .filter(|d| d.role == hinomi::model::Role::Managed)
        {
            if !truth.broken(&dev.name, &fault.what) {
                continue;
            }
            // An agent that is its device's liveness and stops leaves a device that forwards.
            let mute = matches!(fault.what, What::Mute(_) | What::AgentStopped(_));
            let delay = Duration::from_secs(match (mute, dev.owner) {
                (true, _) | (_, Owner::Institution) => 300,
                (_, Owner::Platform) => 30,
                _ => 0,
            });
            let needs = dev.poll.detection() + delay + truth.town.slowest() * 2 + MARGIN;
            let Some(seen) = clear_view(truth, &dev.name, fault, needs) else {
                continue;
            };
            let contacts: &[&str] = match dev.owner {
                Owner::Platform => &["noc", "desk"],
                Owner::Institution => &["noc"],
                _ if mute => &["noc"],
                _ => &["noc", "chief"],
            };
            let about = |e: &&Event| {
                let kinds = [dev.owner.down_kind(), FindingKind::ControlPlaneSilent];
                opening(e).is_some_and(|c| {
                    c.key.device.as_deref() == Some(&dev.name) && kinds.contains(&c.key.kind) && at(c.at) <= seen
                }) && e.incident.is_some()
            };
            // The incident that stood open at that moment.
            let incident = events.iter().rfind(about).and_then(|e| e.incident);
            for contact in contacts {
                let told = incident.is_some_and(|id| mails_of(world, id, contact).next().is_some());
                if !told {
                    wrong.push(format!(
                        "{} was broken from {:.1} to {:.1} s ({:?}), visibly until {:.1} s: {contact} was never told (incident {incident:?})",
                        dev.name,
                        fault.from.as_secs_f64(),
                        fault.to.as_secs_f64(),
                        fault.what,
                        seen.as_secs_f64()
                    ));
                }
            }
        }
    }
}

/// The end of a time within the fault, at least this long, in which nothing stood between the daemon and it.
fn clear_view(truth: &Truth, name: &str, fault: &Fault, needs: Duration) -> Option<Duration> {
    let mut clear_since = None;
    let step = Duration::from_millis(500);
    let mut now = fault.from;
    while now < fault.to {
        let clear = !truth.blind(now) && !truth.hidden(name, now) && truth.watched(name, now);
        // A reload or a restart begins anew; a view that opens does too.
        let begun = truth
            .faults
            .iter()
            .any(|f| matches!(f.what, What::Killed) && f.to > now.saturating_sub(step) && f.to <= now);
        if !clear || begun {
            clear_since = None;
        } else if now - *clear_since.get_or_insert(now) >= needs {
            return Some(now);
        }
        now += step;
    }
    None
}

fn mails_of<'a>(world: &'a World, incident: u64, contact: &str) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
    let address = format!("{contact}@example.net");
    let number = incident.to_string();
    world.taken.iter().filter_map(move |t| {
        let mail = &t.delivery.mail;
        let ours = mail
            .headers
            .iter()
            .any(|(k, v)| k == "X-Hinomi-Incident" && *v == number);
        (ours && mail.to == address).then_some(mail.subject.as_str())
    })
}

/// Whoever was told of an incident was told of its end, and that came last.
fn every_recovery_told(world: &World, book: &Book, wrong: &mut Vec<String>) {
    for incident in book.state().incidents.iter().filter(|i| i.folded_into.is_none()) {
        for contact in incident.told.keys() {
            let last = mails_of(world, incident.id, contact).next_back();
            if !last.is_some_and(|s| s.contains("RECOVERED") || s.contains("FLAPPING") || s.contains("OK")) {
                wrong.push(format!(
                    "{contact} heard last of #{} {}: {}",
                    incident.id,
                    incident.root,
                    last.unwrap_or("nothing")
                ));
            }
        }
    }
}

/// No mail twice, unless the daemon was killed while it did not know.
fn nothing_twice(truth: &Truth, world: &World, wrong: &mut Vec<String>) {
    let mut seen: BTreeMap<&str, Duration> = BTreeMap::new();
    for taken in &world.taken {
        let mail = &taken.delivery.mail;
        if let Some(first) = seen.insert(&mail.message_id, taken.at) {
            let killed = truth
                .faults
                .iter()
                .any(|f| f.what == What::Killed && f.from <= taken.at && first <= f.to);
            if !killed {
                wrong.push(format!("{} went out twice: {}", mail.message_id, mail.subject));
            }
        }
    }
}

/// The mails and the openings, for people.
pub(super) fn story(world: &World) -> String {
    let mut out = String::new();
    for taken in &world.taken {
        let mail = &taken.delivery.mail;
        let first = mail.body.lines().next().unwrap_or_default();
        let _ = writeln!(
            out,
            "  {:8.1} mail {} -> {}: {} | {first}",
            taken.at.as_secs_f64(),
            taken.delivery.route,
            mail.to,
            mail.subject
        );
    }
    for event in world.events.iter().filter_map(|e| Event::from_json(e).ok()) {
        let number = event.incident.unwrap_or_default();
        let what = match &event.body {
            EventBody::Opened { change } => format!("opened {}", change.key),
            EventBody::Reopened { change } => format!("reopened {}", change.key),
            EventBody::Changed { change } => format!("changed {:?} -> {:?}", change.from, change.to),
            EventBody::RootGood { .. } => "root good".to_owned(),
            EventBody::Recovered { change } => format!("recovered {:?}", change.cause),
            EventBody::AffectedAdded { device } => format!("+ {device}"),
            EventBody::AffectedRemoved { device } => format!("- {device}"),
            EventBody::Noticed { contact, notice, .. } => format!("notice {} to {contact}", notice.key()),
            EventBody::Damage { what } => format!("damage {what}"),
            EventBody::Folded { .. } => "folded".to_owned(),
            _ => continue,
        };
        let _ = writeln!(out, "  {:8.1} #{number} {what}", at(event.at).as_secs_f64());
    }
    out
}
