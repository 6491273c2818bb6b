//! The judge: holds what the core says against what is true, after every step and at the end.
//!
//! It knows the rules of the house (who is told, when an incident may open and must close) by its own words, not by the product's code.
//! Never here: a repair, or a second opinion asked of the product.

mod accuse;
pub(crate) mod end;
mod groups;
mod history;
mod notices;
mod redundancy;
mod switchovers;
mod want;
mod works;

use super::plot::{Fault, Mood, Plot, What};
use super::town::Tier;
use super::truth::{At, SECOND, Span, Truth};
use hinomi::incident::{Event, EventBody, NoticeKind};
use hinomi::model::{FindingKey, FindingKind, Level, Measure, Name, Part, Site, Verdict};
use hinomi::notify::Delivery;
use hinomi::rules::{Cause, FindingChange};
use notices::Due;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use want::Want;

/// An incident that ended no longer ago than this is reopened.
const REOPEN: At = 1_800 * SECOND;

/// An incident as the judge follows it.
pub(crate) struct Case {
    pub(crate) root: FindingKey,
    pub(crate) target: Option<usize>,
    pub(crate) level: Level,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) first_verdict: Option<Verdict>,
    pub(crate) open: bool,
    /// Its root is good; what was behind it is coming back.
    recovering: bool,
    flapping: bool,
    changes: Vec<At>,
    told: BTreeSet<Name>,
    told_level: Level,
    told_verdict: Option<Verdict>,
    folded_into: Option<u64>,
    /// Opened and reopened.
    pub(crate) spells: Vec<At>,
    /// Ended, or went on inside another one.
    ends: Vec<At>,
    /// What it is about.
    pub(crate) fault: Option<usize>,
    notices: u32,
    /// Why it is as it is.
    cause: Cause,
    /// Planned work keeps it quiet.
    muted: bool,
}

/// One row of the outbox.
struct Row {
    planned: At,
    incident: u64,
    contact: Name,
    message: String,
    kind: NoticeKind,
    into: Option<u64>,
    said_accepted: bool,
}

/// What was learned of one story beside what was wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Findings {
    /// Verdicts where the evidence tells.
    pub(crate) verdicts: u32,
    /// Of these, left open at the end.
    pub(crate) open: u32,
    /// Of these, left open in the first notice.
    pub(crate) open_first: u32,
    /// Alarms about healthy devices under heavy loss.
    pub(crate) false_alarms: u32,
    /// What the binomial distribution expects of them.
    pub(crate) expected_false: f64,
    pub(crate) notices: u32,
    pub(crate) incidents: u32,
}

/// The judge of one story.
pub(crate) struct Judge {
    wrongs: Vec<String>,
    pub(crate) history: Vec<String>,
    /// Lines of it.
    pub(crate) history_max: usize,
    pub(crate) cases: BTreeMap<u64, Case>,
    rows: BTreeMap<u64, Row>,
    /// When a mail was first taken, how often, and its text, by Message-ID.
    taken: BTreeMap<String, (At, u32, String)>,
    due: Vec<Due>,
    wants: Vec<Want>,
    /// When each answered.
    heard: Vec<Vec<At>>,
    faults: Vec<Fault>,
    site: Arc<Site>,
    ports: Vec<Vec<String>>,
    /// The port that a device hangs on.
    hangs_on: Vec<Option<(usize, usize)>>,
    /// How long after its end a fault of each device may still be spoken of.
    lag: Vec<At>,
    strict: bool,
    /// Each route: works.
    routes: [Vec<(At, At)>; 2],
    working: [Option<At>; 2],
    no_way: Span,
    blind: Span,
    ledger_trouble: bool,
    restarted: bool,
    stepped: bool,
    mixed: bool,
    /// Something has it as its only way, so that its silence alone can be told from its death.
    only_way: Vec<bool>,
    tick_base: Option<i64>,
    first_circuit: usize,
    sayings: redundancy::Sayings,
    works: Vec<works::Work>,
    /// When what is looked at happened.
    at: At,
    pub(crate) findings: Findings,
}

impl Judge {
    /// Knows the plot.
    pub(crate) fn new(plot: &Plot) -> Judge {
        let n = plot.town.tiers.len();
        Judge {
            wrongs: Vec::new(),
            history: Vec::new(),
            history_max: 400,
            cases: BTreeMap::new(),
            rows: BTreeMap::new(),
            taken: BTreeMap::new(),
            due: Vec::new(),
            wants: want::all(plot),
            heard: vec![Vec::new(); n],
            faults: plot.faults.clone(),
            site: plot.town.site.clone(),
            ports: plot.town.ports.clone(),
            hangs_on: hangs_on(plot),
            lag: accuse::lags(plot),
            strict: plot.scene.strict,
            routes: [Vec::new(), Vec::new()],
            working: [None; 2],
            no_way: Span::default(),
            blind: Span::default(),
            ledger_trouble: plot.acts.iter().any(|(_, a)| matches!(a, super::plot::Act::Ledger(_))),
            restarted: plot.acts.iter().any(|(_, a)| matches!(a, super::plot::Act::Restart(_))),
            stepped: plot
                .acts
                .iter()
                .any(|(_, a)| matches!(a, super::plot::Act::ClockStep(_))),
            mixed: plot.mixed,
            only_way: (0..n)
                .map(|i| plot.town.ways.iter().any(|w| *w == [i as u32]))
                .collect(),
            tick_base: None,
            first_circuit: plot.town.tiers.iter().position(|t| *t == Tier::Circuit).unwrap_or(n),
            sayings: redundancy::Sayings::default(),
            works: works::all(plot),
            at: 0,
            findings: Findings::default(),
        }
    }

    /// Something is not as it must be.
    pub(crate) fn wrong(&mut self, what: String) {
        if self.wrongs.len() < 20 {
            self.wrongs.push(what);
        }
    }

    /// Everything that was wrong.
    pub(crate) fn wrongs(&self) -> &[String] {
        &self.wrongs
    }

    /// An answer of a device reaches the daemon.
    pub(crate) fn heard(&mut self, target: usize, now: At) {
        self.heard[target].push(now);
    }

    /// What is true from now on.
    pub(crate) fn look(&mut self, now: At, truth: &Truth, plot: &Plot, alive: bool) {
        self.blind.set(!truth.answers(0) && !truth.answers(1), now);
        self.sayings.look(now, truth, plot, alive);
        for want in &mut self.wants {
            want.look(now, truth, plot, alive);
        }
    }

    /// Which ways for mail work from now on, and whether none takes anything.
    pub(crate) fn routes(&mut self, now: At, works: [bool; 2], lost: bool) {
        for ((works, since), times) in works.iter().zip(&mut self.working).zip(&mut self.routes) {
            match (works, *since) {
                (true, None) => *since = Some(now),
                (false, Some(from)) => {
                    *since = None;
                    times.push((from, now));
                }
                _ => {}
            }
        }
        self.no_way.set(lost, now);
    }

    /// Something is about to happen: what should have been seen by now?
    pub(crate) fn before(&mut self, now: At, truth: &Truth, plot: &Plot) {
        for want in &mut self.wants {
            want.pass(now);
        }
        self.numbers(now, truth, plot);
        self.told_after_work(now, plot);
    }

    /// A batch of events leaves for the ledger.
    pub(crate) fn batch(&mut self, now: At, events: &[String], truth: &Truth, plot: &Plot) {
        for line in events {
            match Event::from_json(line) {
                Ok(event) => self.event(now, &event, truth, plot),
                Err(why) => self.wrong(format!("an event does not read: {why}: {line}")),
            }
        }
        self.nothing_due(now);
    }

    /// The device of a name.
    fn target(&self, name: &str, plot: &Plot) -> Option<usize> {
        if let Some(number) = name.strip_prefix("N-") {
            return number.parse::<usize>().ok().map(|n| self.first_circuit + n);
        }
        let own = &plot.town.site.devices[..self.first_circuit];
        own.iter().position(|d| &*d.name == name)
    }

    fn say(&mut self, at: At, id: u64, what: &str) {
        if self.history.len() < self.history_max {
            self.history.push(format!("  {:8.1} #{id} {what}", at as f64 / 1e6));
        }
    }

    fn event(&mut self, now: At, event: &Event, truth: &Truth, plot: &Plot) {
        if matches!(event.body, EventBody::Started { .. }) {
            self.tick_base = Some(event.tick.0 - (now / 1_000) as i64);
        }
        let base = self.tick_base.unwrap_or(event.tick.0);
        let at = ((event.tick.0 - base).max(0) as At * 1_000).min(now);
        let id = event.incident.unwrap_or(0);
        self.at = at;
        self.sayings.take((at, event.at), id, &event.body);
        match &event.body {
            EventBody::Opened { change } => {
                let target = change.key.device.as_deref().and_then(|d| self.target(d, plot));
                self.say(
                    at,
                    id,
                    &format!("opened {} {:?} {}", change.key, change.to, verdict_word(change)),
                );
                self.findings.incidents += 1;
                self.is_new(at, id, change);
                self.of_its_own(at, id, change, truth, plot);
                self.cases.insert(id, Case::new(change, target, at));
                self.risen(at, id, change, truth, plot);
                self.expect(id, NoticeKind::Opened, plot);
            }
            EventBody::Reopened { change } => {
                self.say(at, id, &format!("reopened {} {}", change.key, verdict_word(change)));
                self.of_its_own(at, id, change, truth, plot);
                self.reopened(at, id, change, truth, plot);
            }
            EventBody::Changed { change } => {
                self.say(
                    at,
                    id,
                    &format!("changed {:?} -> {:?} {}", change.from, change.to, verdict_word(change)),
                );
                self.changed(at, id, change, truth, plot);
            }
            EventBody::RootGood { change } => {
                self.say(at, id, &format!("root good {:?}", change.cause));
                self.good(at, id, change, truth, plot);
                if let Some(case) = self.cases.get_mut(&id) {
                    case.recovering = true;
                }
            }
            EventBody::Recovered { change } => {
                self.say(at, id, &format!("recovered {:?}", change.cause));
                if self.cases.get(&id).is_some_and(|c| !c.recovering) {
                    self.good(at, id, change, truth, plot);
                }
                if let Some(case) = self.cases.get_mut(&id) {
                    (case.open, case.recovering, case.muted) = (false, false, false);
                    case.ends.push(at);
                }
                self.expect(id, NoticeKind::Recovered, plot);
            }
            EventBody::Folded { into, .. } => {
                self.say(at, id, &format!("folded into {into:?}"));
                self.folded(at, id, *into, truth, plot);
            }
            EventBody::FlappingBegan => {
                self.say(at, id, "flapping began");
                self.flapping_began(id, plot);
            }
            EventBody::FlappingEnded => {
                self.say(at, id, "flapping ended");
                self.flapping_ended(at, id, plot);
            }
            EventBody::Muted { window } => {
                self.say(at, id, &format!("quiet by {window}"));
                self.muted(at, id, plot);
            }
            EventBody::Unmuted { .. } => {
                self.say(at, id, "not quiet any more");
                self.unmuted(at, id, plot);
            }
            EventBody::Noted { key, cause } => {
                self.say(at, id, &format!("lists {key}: {cause:?}"));
                self.listed_where_seen(at, id, key, cause);
            }
            EventBody::AffectedAdded { device } => self.listed(at, id, device, truth, plot),
            _ => self.of_mail(now, id, event),
        }
    }

    /// The same root within half an hour goes on under its number.
    fn is_new(&mut self, at: At, id: u64, change: &FindingChange) {
        let before = self.cases.iter().rfind(|(_, c)| c.root == change.key);
        let Some((other, case)) = before else { return };
        let ended = case.ends.last().copied().unwrap_or(0);
        // The book's clock goes on with the wall clock when the daemon starts again.
        if case.open || ended + REOPEN > at + 5 * SECOND && !(self.restarted && self.stepped) {
            let (root, other) = (&change.key, *other);
            self.wrong(format!(
                "#{id} {root} is new, but #{other} of the same root ended {:.0} s ago",
                (at - ended) as f64 / 1e6
            ));
        }
    }

    fn reopened(&mut self, at: At, id: u64, change: &FindingChange, truth: &Truth, plot: &Plot) {
        let Some(case) = self.cases.get_mut(&id) else {
            return self.wrong(format!("#{id} was reopened and never opened"));
        };
        if case.open {
            self.wrong(format!("#{id} was reopened while open"));
        }
        let Some(case) = self.cases.get_mut(&id) else { return };
        (case.open, case.recovering, case.folded_into) = (true, false, None);
        case.cause = change.cause.clone();
        case.changes.push(at);
        case.level = change.to;
        case.spells.push(at);
        case.verdict = change.isolation.as_ref().map(|i| i.verdict);
        self.risen(at, id, change, truth, plot);
        self.expect(id, NoticeKind::Reopened, plot);
    }

    fn changed(&mut self, at: At, id: u64, change: &FindingChange, truth: &Truth, plot: &Plot) {
        let Some(case) = self.cases.get_mut(&id) else {
            return self.wrong(format!("#{id} changed and was never opened"));
        };
        let before = case.level;
        // Another switchover while one is open is a change, too.
        if change.to != case.level || case.root.kind == FindingKind::SwitchedOver {
            case.changes.push(at);
        }
        let relapse = std::mem::take(&mut case.recovering);
        if relapse {
            case.ends.push(at);
            case.spells.push(at);
        }
        case.level = change.to;
        case.cause = change.cause.clone();
        case.take_verdict(change);
        if change.to > before {
            self.risen(at, id, change, truth, plot);
        } else if change.to < before {
            self.fallen(at, id, before, truth, plot);
        } else {
            self.verdict(at, id, plot);
        }
        self.expect_change((at, id), before, change.to, relapse, plot);
    }

    fn folded(&mut self, at: At, id: u64, into: Option<u64>, truth: &Truth, plot: &Plot) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        (case.open, case.recovering, case.folded_into) = (false, false, into);
        case.level = Level::Ok;
        case.ends.push(at);
        let Some(target) = case.target else { return };
        let root = case.root.clone();
        // A port goes on in the case of what is at the other end of its cable.
        let far = self
            .port(&root, target)
            .and_then(|port| accuse::far_end(plot, (target, port)));
        let hidden = far.is_some_and(|(device, _)| truth.silent[device].recent(at, 300 * SECOND).is_some())
            || !truth.way_open(target)
            || truth.silent[target].recent(at, 300 * SECOND).is_some();
        let switched_off = truth.is_off(target) || plot.mixed;
        if !hidden && !switched_off {
            self.wrong(format!(
                "#{id} {root} went on inside another one, but the way to it was open"
            ));
        }
    }

    fn listed(&mut self, at: At, id: u64, device: &Name, truth: &Truth, plot: &Plot) {
        let Some(target) = self.target(device, plot) else {
            return self.wrong(format!("#{id} lists {device}, which does not exist"));
        };
        // Whatever stands before it may be silent and forward: then it seems cut off until it answers.
        let parents = &plot.town.device(target).parents;
        let seems_cut = !parents.is_empty()
            && parents
                .iter()
                .all(|p| truth.silent[p.index()].recent(at, 240 * SECOND).is_some());
        if truth.silent[target].recent(at, 240 * SECOND).is_none() && !seems_cut {
            self.wrong(format!("#{id} lists {device}, which answers all the time"));
        }
    }
}

impl Case {
    fn new(change: &FindingChange, target: Option<usize>, at: At) -> Case {
        let verdict = change.isolation.as_ref().map(|i| i.verdict);
        Case {
            root: change.key.clone(),
            target,
            level: change.to,
            verdict,
            first_verdict: verdict,
            open: true,
            recovering: false,
            flapping: false,
            changes: Vec::new(),
            told: BTreeSet::new(),
            told_level: Level::Ok,
            told_verdict: None,
            folded_into: None,
            spells: vec![at],
            ends: Vec::new(),
            fault: None,
            notices: 0,
            cause: change.cause.clone(),
            muted: false,
        }
    }

    fn take_verdict(&mut self, change: &FindingChange) {
        self.verdict = change.isolation.as_ref().map(|i| i.verdict).or(self.verdict);
    }
}

fn verdict_word(change: &FindingChange) -> String {
    let verdict = change.isolation.as_ref().map_or("", |i| i.verdict.key());
    let evidence = change.isolation.as_ref().map(|i| &i.evidence);
    format!("{verdict} ({:?}, since {}, {evidence:?})", change.cause, change.since.0)
}

fn micros(duration: std::time::Duration) -> At {
    duration.as_micros() as At
}

/// The port that each device hangs on, if it is known by one.
fn hangs_on(plot: &Plot) -> Vec<Option<(usize, usize)>> {
    let devices = plot.town.site.devices.iter();
    devices
        .map(|d| {
            if let Some(link) = &d.demarcation {
                return Some((link.device.index(), 0));
            }
            let Some(Measure::Line(line)) = d.circuit.as_ref().map(|c| &c.measure) else {
                return None;
            };
            let at = line.device.index();
            plot.town.ports[at]
                .iter()
                .position(|p| **p == *line.port)
                .map(|port| (at, port))
        })
        .collect()
}
