//! The outbox: every notice becomes a row, every row ends accepted by a relay, however long that takes.
//!
//! Pure: outcomes and time come in, attempts go out. Duplicates are allowed, silence is not. Never here: a socket, a clock, words.

mod attempts;
mod mailboxes;
mod refresh;

use super::mail::{Delivery, Outcome, RouteTest, Stage};
use super::mute::{Covering, Mutes};
use super::plan::{Planned, Planner, Wanted};
use super::retry::{Failing, Fault, Routes, next_slot};
use super::row::{Ended, Group, Row, Stored, mailboxes};
use super::text;
use crate::incident::{Book, Event, EventBody, Head, Restored, RowChange};
use crate::model::maintenance::{When, WindowStage};
use crate::model::{DeviceId, Level, Mono, Name, Now, Site, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Open attempts in all; a second way beside a slow critical attempt may go beyond.
const OPEN: usize = 8;
/// Open attempts of one route for rows that are not critical: a silent relay must not eat all of [`OPEN`].
const OPEN_PER_ROUTE: usize = 2;
/// A critical attempt still open after this gets a second one beside it.
const BESIDE: Duration = Duration::from_secs(20);
/// The shell holds a deadline of 30 s; an outcome that never came is a failure after this.
const LOST: Duration = Duration::from_secs(120);
/// A ledger that does not answer for this long does not hold back a notice.
const LEDGER_PATIENCE: Duration = Duration::from_secs(30);
/// A row that waits longer is stuck, and shown everywhere.
pub const STUCK: Duration = Duration::from_secs(3600);

/// What the notifier wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum NotifyEffect {
    /// Send; answer with [`Notifier::delivered`].
    Deliver(Delivery),
    /// Test; answer with [`Notifier::route_tested`].
    TestRoute {
        /// Which.
        route: Name,
        /// AUTH too.
        with_auth: bool,
    },
    /// For the rules (`contact-refused`).
    ContactState {
        /// Whom.
        contact: Name,
        /// The last refusal, if every way refuses all its addresses; `None`: a relay took a mail.
        refused: Option<String>,
    },
    /// For the rules (`route-not-ready`, `last-route-lost`).
    RouteState {
        /// Which.
        route: Name,
        /// The last test or delivery worked.
        ready: bool,
        /// Stage and words of the failure.
        error: Option<String>,
    },
}

/// Figures for the snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifierStats {
    /// Rows not accepted yet, by level.
    pub pending: BTreeMap<Level, u64>,
    /// Age of the oldest.
    pub oldest: Duration,
    /// Pending for more than an hour.
    pub stuck: u64,
    /// Mails by route and result (`accepted`, `transient`, `permanent`, `failed`).
    pub notices: BTreeMap<(String, String), u64>,
    /// Routes, in order.
    pub routes: Vec<RouteView>,
}

/// A route, for the snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteView {
    /// Name.
    pub name: Name,
    /// The last test or delivery worked; `None` before the first.
    pub ready: Option<bool>,
    /// When it was last tested.
    pub tested: Option<Wall>,
    /// Words of the last failure.
    pub error: Option<String>,
    /// Chosen last now because something it crosses is down.
    pub crossed_out: bool,
}

#[derive(Debug)]
struct Attempt {
    row: u64,
    route: Name,
    address: String,
    critical: bool,
    started: Mono,
}

/// Plans, keeps and drives all notices.
#[derive(Debug)]
pub struct Notifier {
    site: Arc<Site>,
    ledger_id: String,
    head: Option<Head>,
    planner: Planner,
    mutes: Mutes,
    plan_next: Mono,
    /// Incidents that have changed since the rows that speak of them were last brought up to date.
    stale: BTreeSet<u64>,
    /// Not before this.
    refresh_from: Mono,
    routes: Routes,
    /// Addresses of contacts as they were last found: the last refusal where every way refuses one, nothing where a relay took a mail.
    mailboxes: BTreeMap<(Name, String), Option<String>>,
    /// Names of devices that are down, for addresses with `crosses`.
    down: BTreeSet<Name>,
    rows: BTreeMap<u64, Row>,
    /// Rows of one incident for one address: those that may become one mail.
    together: BTreeMap<Group, BTreeSet<u64>>,
    last_row: u64,
    attempts: BTreeMap<u64, Attempt>,
    last_attempt: u64,
    /// When a critical attempt last failed to reach a relay.
    critical_failed: Option<Mono>,
    /// Rows whose stored form changed.
    changed: BTreeSet<u64>,
    /// What happened, for the book.
    said: Vec<(Option<u64>, EventBody)>,
    effects: Vec<NotifyEffect>,
    counts: BTreeMap<(String, String), u64>,
    next: Mono,
}

impl Notifier {
    /// A notifier with the rows that the ledger gave back. Rows that were being attempted are attempted again.
    pub fn new(site: Arc<Site>, restored: &Restored, now: Now) -> Notifier {
        let mut notifier = Notifier {
            planner: Planner::new(&site),
            mutes: Mutes::new(&site),
            plan_next: now.mono,
            stale: BTreeSet::new(),
            refresh_from: now.mono,
            routes: Routes::new(&site, now.mono),
            site,
            ledger_id: restored.ledger_id.clone(),
            head: restored.head.clone(),
            mailboxes: BTreeMap::new(),
            down: BTreeSet::new(),
            rows: BTreeMap::new(),
            together: BTreeMap::new(),
            last_row: restored.last_row,
            attempts: BTreeMap::new(),
            last_attempt: 0,
            critical_failed: None,
            changed: BTreeSet::new(),
            said: Vec::new(),
            effects: Vec::new(),
            counts: BTreeMap::new(),
            next: now.mono,
        };
        for change in &restored.rows {
            notifier.restore_row(change, now);
        }
        notifier
    }

    fn restore_row(&mut self, change: &RowChange, now: Now) {
        self.last_row = self.last_row.max(change.id);
        if !change.pending {
            return;
        }
        match serde_json::from_str::<Stored>(&change.json) {
            Ok(stored) => {
                let mut row = Row::new(change.id, stored, now.mono);
                row.take_party(&self.site);
                self.stale.insert(row.stored.notice.incident);
                row.age_before = now.wall.since(row.stored.notice.at);
                row.released = true;
                self.insert(row);
            }
            Err(why) => {
                let what = format!("outbox row {} cannot be read and is not delivered: {why}", change.id);
                self.said.push((None, EventBody::Damage { what }));
            }
        }
    }

    /// A new configuration. Rows use the routes there are, and the addresses that their contacts have now; those of contacts that are gone
    /// keep theirs.
    pub fn reload(&mut self, site: Arc<Site>, now: Now) {
        self.routes.reload(&self.site, &site, now.mono);
        self.planner = Planner::new(&site);
        self.mutes = Mutes::new(&site);
        self.plan_next = now.mono;
        for row in self.rows.values_mut().filter(|r| r.is_pending()) {
            row.take_party(&site);
            self.stale.insert(row.stored.notice.incident);
            if row.readdress(&site) {
                self.changed.insert(row.id);
                row.due = now.mono;
            }
        }
        self.forget_mailboxes(&site);
        self.site = site;
        self.down.clear();
        self.hurry(now.mono);
        self.run(now);
    }

    /// Turns events that the book has taken into rows, and writes what the notifier itself did into the book. To be called after
    /// every input and every wake-up, with the events drained from the book just before; drain the book again afterwards. The
    /// rows belong into the same batch as both lots of events.
    pub fn plan(&mut self, events: &[Event], book: &mut Book, now: Now) -> Vec<RowChange> {
        let mut touched: BTreeSet<u64> = events.iter().filter_map(|e| e.incident).collect();
        let changed = touched.clone();
        for (incident, body) in std::mem::take(&mut self.said) {
            touched.extend(incident);
            book.record(incident, body, now);
        }
        let site = self.site.clone();
        let set_by_hand = |e: &Event| {
            matches!(
                e.body,
                EventBody::MaintenanceSet { .. } | EventBody::MaintenanceEnded { .. }
            )
        };
        if events.iter().any(set_by_hand) {
            self.mutes.look_now();
        }
        let windows_changed = self.mutes.refresh(&site, &book.state().windows, now);
        for event in events {
            let mut planned = Planned::default();
            self.planner.on_event(event, &site, book, &self.mutes, &mut planned);
            self.add_all(planned, book, now);
        }
        if windows_changed {
            touched.extend(self.windows_changed(book, now));
        }
        for id in touched {
            self.planner.reschedule(id, &site, book, None);
        }
        let tick = book.tick(now);
        if self.planner.is_new() || self.planner.next().is_some_and(|t| t <= tick) {
            let mut planned = Planned::default();
            self.planner.on_time(&site, book, tick, now.wall, &mut planned);
            let again: BTreeSet<u64> = planned.wanted.iter().map(|w| w.notice.incident).collect();
            self.add_all(planned, book, now);
            for id in again {
                self.planner.reschedule(id, &site, book, Some(tick));
            }
        }
        self.refresh_some(&changed, book, now);
        self.plan_next = self.planner.next().map_or(Mono::NEVER, |t| book.mono_at(t));
        if let Some(at) = self.mutes.next(&site, &book.state().windows) {
            self.plan_next = self.plan_next.min(now.mono + at.since(now.wall));
        }
        self.reckon();
        self.row_changes()
    }

    /// Windows have begun or ended; the incidents that this concerns.
    fn windows_changed(&mut self, book: &mut Book, now: Now) -> BTreeSet<u64> {
        let site = self.site.clone();
        let mut planned = Planned::default();
        self.planner.mute(&self.mutes, &site, book, now.wall, &mut planned);
        let touched = planned
            .muted
            .iter()
            .chain(&planned.unmuted)
            .map(|(id, _)| *id)
            .collect();
        self.add_all(planned, book, now);
        touched
    }

    fn row_changes(&mut self) -> Vec<RowChange> {
        let changed = std::mem::take(&mut self.changed);
        let changes = changed
            .iter()
            .filter_map(|id| Some(self.rows.get(id)?.change()))
            .collect();
        for id in changed {
            self.forget_if_done(id);
        }
        changes
    }

    /// The ledger has no row any more: all that wait are written with the next batch.
    pub fn write_again(&mut self) {
        let pending = self.rows.values().filter(|r| r.is_pending());
        self.changed.extend(pending.map(|r| r.id));
    }

    fn forget_if_done(&mut self, id: u64) {
        let done = self
            .rows
            .get(&id)
            .is_some_and(|r| !r.is_pending() && r.in_flight.is_empty());
        if done && !self.changed.contains(&id) {
            self.remove(id);
        }
    }

    fn insert(&mut self, row: Row) {
        self.together.entry(row.group()).or_default().insert(row.id);
        self.rows.insert(row.id, row);
    }

    fn remove(&mut self, id: u64) {
        let Some(row) = self.rows.remove(&id) else { return };
        let group = row.group();
        if let Some(ids) = self.together.get_mut(&group) {
            ids.remove(&id);
            if ids.is_empty() {
                self.together.remove(&group);
            }
        }
    }

    fn add_all(&mut self, planned: Planned, book: &mut Book, now: Now) {
        for (id, window) in planned.unmuted {
            book.record(Some(id), EventBody::Unmuted { window }, now);
        }
        for (id, window) in planned.muted {
            book.record(Some(id), EventBody::Muted { window }, now);
        }
        for (id, notice, level) in planned.nobody {
            book.record(Some(id), EventBody::NobodyTold { notice, level }, now);
        }
        for wanted in planned.wanted {
            self.add(wanted, book, now);
        }
    }

    fn add(&mut self, wanted: Wanted, book: &mut Book, now: Now) {
        let site = self.site.clone();
        // A contact that was removed by a reload is not told of anything new.
        let Some(contact) = site.contacts.iter().find(|c| c.name == wanted.contact) else {
            return;
        };
        let told = book
            .get(wanted.notice.incident)
            .and_then(|i| i.told.get(&wanted.contact));
        let thread = told.map(|t| t.first_message.clone());
        let mailboxes = mailboxes(contact, &wanted.notice, told.is_some_and(|t| t.unanswered));
        let id = self.last_row + 1;
        let from = site.routes.first().map_or("hinomi@localhost", |r| &r.from);
        let domain = from.rsplit('@').next().unwrap_or("localhost");
        // All addresses of a contact get the same mail: one Message-ID, one thread.
        let message_id = format!("{id}.{}.{}@{domain}", now.wall.0, self.ledger_id);
        for mailbox in mailboxes {
            self.last_row += 1;
            let id = self.last_row;
            let notice = wanted.notice.clone();
            let incident = notice.incident;
            let noticed = EventBody::Noticed {
                row: id,
                message_id: message_id.clone(),
                contact: wanted.contact.clone(),
                notice: notice.kind,
                level: notice.level,
                procedure: notice.procedure.clone(),
                step: notice.step,
            };
            let stored = Stored::new((contact, &mailbox), &site, notice, message_id.clone(), thread.clone());
            book.record(Some(incident), noticed, now);
            self.insert(Row::new(id, stored, now.mono));
            self.changed.insert(id);
        }
    }

    /// The batch of these rows was committed (with the new head), or could not be (`None`): they may leave now. Rows that were
    /// released before are left alone, so that all rows of a batch can be named.
    pub fn released(&mut self, rows: &[u64], head: Option<&Head>, now: Now) {
        if let Some(head) = head {
            self.head = Some(head.clone());
        }
        self.release(rows, head.is_some(), now);
        self.run(now);
    }

    fn release(&mut self, rows: &[u64], ledgered: bool, now: Now) {
        let mut unwritten = Vec::new();
        for id in rows {
            let Some(row) = self.rows.get_mut(id).filter(|r| !r.released) else {
                continue;
            };
            row.released = true;
            row.not_ledgered = !ledgered;
            row.started = now.mono;
            row.due = now.mono;
            if !ledgered {
                unwritten.push(*id);
            }
        }
        if !unwritten.is_empty() {
            self.said.push((None, EventBody::NotLedgered { rows: unwritten }));
        }
    }

    /// What the verdicts say is down. `blind`: every route that is not out of band counts as cut.
    pub fn set_paths(&mut self, down: &BTreeSet<DeviceId>, blind: bool, now: Now) {
        let devices = &self.site.devices;
        let names = down
            .iter()
            .filter_map(|id| devices.get(id.index()))
            .map(|d| d.name.clone());
        let names: BTreeSet<Name> = names.collect();
        let changed = self.routes.set_paths(down, blind) || names != self.down;
        self.down = names;
        if changed {
            self.hurry(now.mono);
            self.run(now);
        }
    }

    /// Every row that waits for its slot tries again now: a way may be open. At most once a minute, whatever flaps. One with an attempt
    /// under way, which may hang until its deadline, is called when that has failed.
    fn hurry(&mut self, now: Mono) {
        for row in self.rows.values_mut().filter(|r| r.is_pending()) {
            match row.in_flight.is_empty() {
                true => row.hurry(now),
                false => row.called = true,
            }
        }
    }

    /// The outcome of an attempt.
    pub fn delivered(&mut self, attempt: u64, outcome: Outcome, now: Now) {
        self.settle(attempt, outcome, now);
        self.run(now);
    }

    fn settle(&mut self, number: u64, outcome: Outcome, now: Now) {
        let Some(attempt) = self.attempts.remove(&number) else {
            return;
        };
        let key = (attempt.route.to_string(), result_word(&outcome).to_owned());
        *self.counts.entry(key).or_default() += 1;
        if let Some(row) = self.rows.get_mut(&attempt.row) {
            row.in_flight.retain(|(n, _, _)| *n != number);
            row.unreached = matches!(
                outcome,
                Outcome::Failed { stage, .. } | Outcome::Transient { stage, .. } if stage < Stage::MailFrom
            );
            if row.unreached && attempt.critical {
                self.critical_failed = Some(now.mono);
            }
        }
        match outcome {
            Outcome::Accepted { relay, reply } => self.accepted(&attempt, relay, reply, now),
            Outcome::Transient { stage, reply } => self.transient(&attempt, stage, &reply, now.mono),
            Outcome::Permanent {
                stage: Stage::Recipient,
                reply,
            } => self.address_refused(&attempt, reply, now.mono),
            Outcome::Permanent { stage, reply } => {
                // A refused text is this mail's misfortune, not the route's.
                if !matches!(stage, Stage::Data | Stage::FinalDot) {
                    self.routes
                        .failed(&attempt.route, stage, Fault::Refused, &reply, now.mono);
                }
                self.next_route(&attempt, now.mono);
            }
            Outcome::Failed { stage, error } => {
                self.routes
                    .failed(&attempt.route, stage, Fault::Broken, &error, now.mono);
                if let Some(row) = self.rows.get_mut(&attempt.row) {
                    row.ambiguous |= stage == Stage::FinalDot;
                }
                self.next_route(&attempt, now.mono);
            }
        }
        let missed = |r: &&mut Row| r.called && r.is_pending() && r.in_flight.is_empty();
        if let Some(row) = self.rows.get_mut(&attempt.row).filter(missed) {
            row.called = false;
            row.hurry(now.mono);
        }
        self.forget_if_done(attempt.row);
    }

    fn accepted(&mut self, attempt: &Attempt, relay: String, reply: String, now: Now) {
        if self.routes.worked(&attempt.route) {
            self.hurry(now.mono);
        }
        for row in self.rows.values_mut().filter(|r| r.waits_for_a_relay()) {
            row.due = now.mono;
            row.tried.clear();
        }
        self.found(attempt.row, None);
        let Some(row) = self.rows.get_mut(&attempt.row) else {
            return;
        };
        let duplicate = !row.is_pending();
        let notice = &row.stored.notice;
        let body = EventBody::Delivered {
            row: row.id,
            contact: row.stored.contact.clone(),
            address: attempt.address.clone(),
            route: attempt.route.clone(),
            relay: relay.clone(),
            reply: text::clean(&reply),
            critical_call: notice.kind.is_call() && notice.level == Level::Critical,
            duplicate,
        };
        self.said.push((Some(notice.incident), body));
        if !duplicate {
            row.stored.ended = Some(Ended::Accepted {
                at: now.wall,
                route: attempt.route.clone(),
                relay,
                address: attempt.address.clone(),
                reply: text::clean(&reply),
            });
            self.changed.insert(attempt.row);
        }
    }

    /// 4xx: stays on schedule, until it was twice or for 60 s; then the next route.
    fn transient(&mut self, attempt: &Attempt, stage: Stage, reply: &str, now: Mono) {
        if stage != Stage::Recipient {
            self.routes.failed(&attempt.route, stage, Fault::Deferred, reply, now);
        }
        let Some(row) = self.rows.get_mut(&attempt.row).filter(|r| r.is_pending()) else {
            return;
        };
        let failing = row.failing.entry(attempt.route.clone());
        let failing = failing.or_insert(Failing { times: 0, since: now });
        failing.times = failing.times.saturating_add(1);
        if failing.is_enough(now) {
            self.next_route(attempt, now);
        } else {
            row.tried.clear();
            row.due = next_slot(row.started, now);
        }
    }

    fn address_refused(&mut self, attempt: &Attempt, reply: String, now: Mono) {
        let Some(row) = self.rows.get_mut(&attempt.row) else {
            return;
        };
        let body = EventBody::AddressRefused {
            row: row.id,
            contact: row.stored.contact.clone(),
            address: attempt.address.clone(),
            route: attempt.route.clone(),
            reply: text::clean(&reply),
        };
        self.said.push((Some(row.stored.notice.incident), body));
        row.last_refusal = Some(format!(
            "{} over {}: {}",
            attempt.address,
            attempt.route,
            text::clean(&reply)
        ));
        row.refused.insert((attempt.route.clone(), attempt.address.clone()));
        row.due = now;
    }

    fn next_route(&mut self, attempt: &Attempt, now: Mono) {
        if let Some(row) = self.rows.get_mut(&attempt.row).filter(|r| r.is_pending()) {
            row.tried.insert(attempt.route.clone());
            row.due = now;
        }
    }

    /// The result of a route test.
    pub fn route_tested(&mut self, test: RouteTest, now: Now) {
        if self.routes.tested(&test, now) {
            self.hurry(now.mono);
        }
        self.run(now);
    }

    /// The last failure, if every route failed last.
    pub fn no_route_works(&self) -> Option<&str> {
        let errors = self.routes.list.iter().filter_map(|r| r.error.as_deref());
        self.routes
            .none_works()
            .then(|| { errors }.next_back().unwrap_or_default())
    }

    /// How a maintenance window of the configuration stands.
    pub fn stage(&self, when: &When, now: Wall) -> WindowStage {
        self.mutes.stage(when, now)
    }

    /// The window of this name, if it is in force or settling.
    pub fn maintenance_named(&self, window: &str) -> Option<Covering> {
        self.mutes.named(window)
    }

    /// The maintenance window that covers a device as a whole: in force, or settling.
    pub fn maintenance_of(&self, device: DeviceId) -> Option<Covering> {
        self.mutes.of_device(device)
    }

    /// The ledger's identity, part of every Message-ID.
    pub fn ledger_id(&self) -> &str {
        &self.ledger_id
    }

    /// The highest number of a row so far.
    pub fn last_row(&self) -> u64 {
        self.last_row
    }

    /// When [`Notifier::wake`] wants to be called (and `plan` after it).
    pub fn next_wakeup(&self) -> Mono {
        self.next
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Now) {
        self.run(now);
    }

    /// Takes out what is to be done since the last call.
    pub fn effects(&mut self) -> Vec<NotifyEffect> {
        std::mem::take(&mut self.effects)
    }

    fn run(&mut self, now: Now) {
        let lost: Vec<u64> = self
            .attempts
            .iter()
            .filter(|(_, a)| now.mono.since(a.started) >= LOST)
            .map(|(n, _)| *n)
            .collect();
        for number in lost {
            let error = "the attempt never ended".to_owned();
            let stage = Stage::FinalDot;
            self.settle(number, Outcome::Failed { stage, error }, now);
        }
        let held: Vec<u64> = self
            .rows
            .values()
            .filter(|r| !r.released && now.mono.since(r.created) >= LEDGER_PATIENCE)
            .map(|r| r.id)
            .collect();
        self.release(&held, false, now);
        self.start_attempts(now);
        for (route, with_auth) in self.routes.due_tests(now.mono) {
            self.effects.push(NotifyEffect::TestRoute { route, with_auth });
        }
        for (route, ready, error) in std::mem::take(&mut self.routes.news) {
            self.effects.push(NotifyEffect::RouteState { route, ready, error });
        }
        self.reckon();
    }

    /// Works out the next wake-up.
    fn reckon(&mut self) {
        let mut next = self.plan_next.min(self.routes.next_test());
        if !self.said.is_empty() || !self.changed.is_empty() {
            // Something waits to be handed out by `plan`.
            next = Mono(0);
        }
        for row in self.rows.values() {
            if !row.is_pending() || row.blocked {
                continue;
            }
            let due = match row.in_flight.iter().map(|(_, _, started)| *started).max() {
                _ if !row.released => row.created + LEDGER_PATIENCE,
                None => row.due,
                Some(last) if row.is_critical() && row.in_flight.len() < self.routes.list.len() => last + BESIDE,
                Some(_) => continue,
            };
            next = next.min(due);
        }
        for attempt in self.attempts.values() {
            next = next.min(attempt.started + LOST);
        }
        self.next = next;
    }

    /// Figures for the snapshot.
    pub fn stats(&self, now: Now) -> NotifierStats {
        let mut stats = NotifierStats {
            notices: self.counts.clone(),
            ..NotifierStats::default()
        };
        for row in self.rows.values().filter(|r| r.is_pending()) {
            *stats.pending.entry(row.stored.priority).or_default() += 1;
            stats.oldest = stats.oldest.max(row.age(now.mono));
            stats.stuck += u64::from(row.age(now.mono) >= STUCK);
        }
        let view = |r: &super::retry::RouteState| RouteView {
            name: r.name.clone(),
            ready: r.ready,
            tested: r.tested,
            error: r.error.clone(),
            crossed_out: r.is_crossed_out(),
        };
        stats.routes = self.routes.list.iter().map(view).collect();
        stats
    }
}

fn result_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Transient { .. } => "transient",
        Outcome::Permanent { .. } => "permanent",
        Outcome::Failed { .. } => "failed",
    }
}
