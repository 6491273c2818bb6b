//! The one composition of poll, sample, rules, incident and notify. The daemon, the demo and the tests all drive this.
//!
//! Takes input with `now`, says when it wants to be woken, wakes, hands out effects. A commit is an effect with an answer: only
//! `Committed` releases the deliveries of its batch; a failed commit releases them marked "not ledgered".
//!
//! Never here: I/O, a clock, randomness (the seed is an argument).

mod circuits;
mod commits;
mod feed;
mod groups;
mod inputs;
mod maintenance;
mod notes;
pub mod picture;
pub mod player;
mod recent;
pub mod snapshot;
mod standing;
pub mod tape;
mod taping;
mod traps;
mod view;
mod warm;

pub use maintenance::MaintenanceOrder;
pub use picture::Picture;
pub use snapshot::{
    Behind, CircuitLine, CircuitStatus, Circuits, Counts, Covered, DeviceStatus, FindingStatus, InterfaceStatus,
    MaintenanceStatus, MetricStatus, ReachState, Recovering, RedundancyInstance, RedundancyMember, RedundancyStatus,
    RouteStatus, Snapshot,
};
pub use view::{incident, incidents};

use commits::{Commits, Ordered};
use feed::Feed;
use tape::{Tape, Took};

use crate::incident::{Batch, Book, EventBody, Head, IncidentOrder, Renewed, Restored, Tell};
use crate::model::service::{Answer, Failure};
use crate::model::{Crossing, DeviceId, FindingKind, Level, Mono, Name, Now, Site, Wall};
use crate::notify::text::{cause_in_english, clean};
use crate::notify::{Delivery, Notifier, NotifyEffect, Outcome, RouteTest};
use crate::poll::agent::memory::{Memories, Memory};
use crate::poll::disbelief::Rejected;
use crate::poll::trap::TrapSeen;
use crate::poll::{AgentReading, AskJob, Observation, Poll, PollEffect, PollInput};
use crate::rules::{RuleEffect, Rules};
use crate::sample::Sampler;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// What comes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram, a failed send, the end of a TCP connection.
    Poll(PollInput),
    /// A device sent a trap or an inform that was believed.
    Trap(TrapSeen),
    /// An operator acknowledges an incident or takes that back; what cannot be done changes nothing.
    Incident {
        /// The incident's number.
        incident: u64,
        /// What is ordered.
        order: IncidentOrder,
    },
    /// An operator sets or ends a maintenance window; what cannot be done changes nothing.
    Maintenance(MaintenanceOrder),
    /// The ledger's answer to [`Effect::Commit`].
    Committed {
        /// [`Batch::id`].
        batch: u64,
        /// The new head of the chain, or the store's words.
        result: Result<Head, String>,
    },
    /// The ledger has not answered yet and seems to hang: notices leave unrecorded. Its answer still counts when it comes.
    CommitLate {
        /// [`Batch::id`].
        batch: u64,
        /// What is known, for people.
        error: String,
    },
    /// The ledger's place, beside any batch.
    Ledger(LedgerNews),
    /// The outcome of [`Effect::Deliver`].
    Delivered {
        /// [`Delivery::attempt`].
        attempt: u64,
        /// What the relay said.
        outcome: Outcome,
    },
    /// The outcome of [`Effect::TestRoute`].
    RouteTested(RouteTest),
    /// A new configuration, already checked.
    Reload(Arc<Site>),
}

/// What the ledger has to say by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerNews {
    /// It is not where it was, and cannot be begun anew.
    Lost {
        /// Why, for people.
        why: String,
    },
    /// It was begun anew.
    Renewed(Renewed),
}

/// What goes out.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send a datagram.
    Send {
        /// Which socket.
        channel: crate::poll::Channel,
        /// To whom.
        to: SocketAddr,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// Connect by TCP, close, tell.
    TcpConnect {
        /// To be returned in `PollInput::TcpEnded`.
        token: u64,
        /// Where.
        to: SocketAddr,
        /// Give up after.
        timeout: Duration,
    },
    /// Ask a watched service; answer with `PollInput::Asked`. The shell holds the deadline.
    Ask(AskJob),
    /// Write to the ledger; answer with [`Input::Committed`].
    Commit(Batch),
    /// Send a mail; answer with [`Input::Delivered`]. The shell holds a deadline of 30 s around it.
    Deliver(Delivery),
    /// Test a route; answer with [`Input::RouteTested`].
    TestRoute {
        /// Its name.
        route: Name,
        /// AUTH too.
        with_auth: bool,
    },
}

/// The core.
pub struct Core {
    site: Arc<Site>,
    /// Devices that some way for mail depends on.
    crossed: BTreeSet<DeviceId>,
    feed: Feed,
    sampler: Sampler,
    rules: Rules,
    book: Book,
    notifier: Notifier,
    last: Vec<LastSeen>,
    traps: traps::Traps,
    inputs: inputs::Inputs,
    commits: Commits,
    head: Option<Head>,
    ledger_error: Option<String>,
    tape: Option<Box<Tape>>,
    out: Vec<Effect>,
}

/// What snapshots show of the last rounds of a device.
#[derive(Default)]
struct LastSeen {
    reading: Option<Box<AgentReading>>,
    /// When that was read.
    read: Option<Wall>,
    tcp: Option<Box<TcpSeen>>,
    /// The last answers that were not believed: to liveness, to the agent's requests.
    rejected: [Option<Box<(Wall, Rejected)>>; 2],
    services: Option<Box<ServicesSeen>>,
}

/// Watched services by name: what came back last, and when.
type ServicesSeen = BTreeMap<Name, (Wall, Result<Answer, Failure>)>;

/// TCP watches by name: time to connect, or the system's words.
type TcpSeen = BTreeMap<Name, Result<Duration, String>>;

impl Core {
    /// A core for a site, with what the ledger gave back. `seed` must be random.
    pub fn new(site: Arc<Site>, restored: Restored, seed: [u8; 32], now: Now) -> Core {
        let poll = Poll::new(site.clone(), seed, now);
        Core::with(site, Feed::Live(Box::new(poll)), &restored, now)
    }

    fn with(site: Arc<Site>, feed: Feed, restored: &Restored, now: Now) -> Core {
        let (mut book, problems) = Book::restore(&restored.events);
        book.go_on_after(restored.last_incident);
        let open = book.levels();
        let hanging = book.hanging();
        book.record(
            None,
            EventBody::Started {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                fingerprint: site.fingerprint.clone(),
            },
            now,
        );
        if restored.accepted {
            let what = "the ledger was accepted as an operator had put it there (ledger.accept)".to_owned();
            book.record(None, EventBody::Damage { what }, now);
        }
        for what in restored.damage.iter().chain(&problems) {
            book.record(None, EventBody::Damage { what: what.clone() }, now);
        }
        let mut core = Core {
            feed,
            sampler: Sampler::new(site.clone()),
            rules: Rules::new(site.clone(), &open, &hanging, now),
            notifier: Notifier::new(site.clone(), restored, now),
            book,
            last: site.devices.iter().map(|_| LastSeen::default()).collect(),
            traps: traps::none(),
            inputs: inputs::Inputs::new(),
            commits: Commits::default(),
            head: restored.head.clone(),
            ledger_error: None,
            tape: None,
            out: Vec::new(),
            crossed: crossed(&site),
            site,
        };
        core.rules.recall(&core.book.state().active, &core.book.causes(), now);
        core.rules.recall_told(core.book.told());
        if let Some(damage) = &restored.damage {
            core.rules.ledger(Err(damage), true, now);
        }
        core.turn(now);
        core
    }

    /// Takes one input.
    pub fn take(&mut self, input: Input, now: Now) {
        let took = self.tape.as_ref().map(|_| Took::of(&input, &self.site));
        let due = self.is_due(now);
        match input {
            Input::Poll(input) => self.feed.take(input, now),
            Input::Trap(trap) => self.trap(trap, now),
            Input::Incident { incident, order } => {
                // Whoever asked by `order` was answered; from a tape, what was refused then is refused now.
                let _ = self.book.order(incident, &order, now);
            }
            Input::Maintenance(order) => {
                // Whoever asked by `maintain` was answered; from a tape, what was refused then is refused now.
                let _ = self.ordered(order, now);
            }
            Input::Committed { batch, result } => self.committed(batch, result, now),
            Input::CommitLate { batch, error } => {
                self.rules.ledger(Err(&error), false, now);
                self.ledger_error = Some(error);
                self.notifier.released(&self.commits.late(batch), None, now);
            }
            Input::Ledger(news) => self.ledger_news(news, now),
            Input::Delivered { attempt, outcome } => self.notifier.delivered(attempt, outcome, now),
            Input::RouteTested(test) => self.notifier.route_tested(test, now),
            Input::Reload(site) => self.reload(site, now),
        }
        self.turn(now);
        self.turned(took, due, now);
    }

    /// Acknowledges an incident, or says why not.
    pub fn acknowledge(&mut self, incident: u64, by: &str, now: Now) -> Result<(), String> {
        let order = IncidentOrder::Acknowledge {
            by: by.to_owned(),
            note: None,
            tell: Tell::Nobody,
        };
        self.order(incident, order, now)
    }

    /// Does what an operator orders about an incident, or says why not.
    pub fn order(&mut self, incident: u64, order: IncidentOrder, now: Now) -> Result<(), String> {
        let due = self.is_due(now);
        let result = self.book.order(incident, &order, now);
        let took = self.tape.as_ref().map(|_| Took::Incident { incident, order });
        self.turn(now);
        if result.is_ok() {
            self.commits.ordered(Ordered::Incident(incident));
        }
        self.turned(took, due, now);
        result
    }

    /// The batch that holds what was taken last. An order is done when the ledger has that batch, and not before.
    pub fn latest_batch(&self) -> u64 {
        self.commits.latest()
    }

    /// Takes all datagrams of a tick, and what became of those sent: judged together, in their order.
    pub fn take_polled(&mut self, inputs: &mut Vec<PollInput>, now: Now) {
        let due = self.is_due(now);
        self.warm(inputs);
        self.feed.take_all(inputs.drain(..), now);
        self.turn(now);
        self.turned(Some(Took::Polled), due, now);
    }

    /// When [`Core::wake`] wants to be called; [`Mono::NEVER`] if only an input can change anything.
    pub fn next_wakeup(&self) -> Mono {
        self.feed.next_wakeup().min(self.next_due())
    }

    /// When anything behind polling wants to be woken.
    fn next_due(&self) -> Mono {
        self.rules
            .next_wakeup()
            .min(self.book.next_wakeup())
            .min(self.notifier.next_wakeup())
            .min(self.commits.next_wakeup())
    }

    /// A turn at this moment does something for the time alone; asked only while a tape runs.
    fn is_due(&self, now: Now) -> bool {
        self.tape.is_some() && self.next_due() <= now.mono
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Now) {
        let due = self.is_due(now);
        self.feed.wake(now);
        self.rules.wake(now);
        self.book.wake(now);
        self.notifier.wake(now);
        self.turn(now);
        self.turned(Some(Took::Time), due, now);
    }

    /// Takes out the effects since the last call, in order.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.out)
    }

    /// A picture of everything for `status` and `explain`, in one piece.
    pub fn snapshot(&self, now: Now) -> Snapshot {
        let mut snapshot = self.begin_snapshot(now);
        self.snapshot_slice(0..self.site.devices.len(), &mut snapshot);
        snapshot
    }

    /// Begins a count: everything but the devices.
    pub fn begin_counts(&self, now: Now) -> Counts {
        view::counts(self, now)
    }

    /// Counts devices, as [`Core::snapshot_slice`] takes them.
    pub fn counts_slice(&self, range: Range<usize>, counts: &mut Counts) {
        view::count(self, range, counts);
    }

    /// Begins a picture for people: everything but the devices.
    pub fn begin_snapshot(&self, now: Now) -> Snapshot {
        Snapshot {
            incidents: view::marked(self, incidents(&self.book, now.wall)),
            ..view::head(self, now)
        }
    }

    /// Adds devices to a picture for people that was begun with this site: `range` of ids goes on where the last one ended.
    /// Of circuits it takes counts and short lists, never all.
    pub fn snapshot_slice(&self, range: Range<usize>, snapshot: &mut Snapshot) {
        view::slice(self, range, snapshot);
    }

    /// The site in force.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// What was learned from the agents of some devices, for [`Core::recall`] of another process.
    pub fn remember(&self, range: Range<usize>, now: Now) -> Vec<Memory> {
        let mut all = self.feed.live().map_or_else(Vec::new, |poll| poll.remember(range, now));
        for memory in &mut all {
            memory.numbers = self
                .rules
                .find(memory.name())
                .map_or_else(Vec::new, |id| self.rules.waited_for(id));
        }
        all
    }

    /// Stands for the profiles in use, beside what [`Core::remember`] gives.
    pub fn profiles_mark(&self) -> u32 {
        self.feed.live().map_or(0, Poll::profiles_mark)
    }

    /// Takes up what an earlier process learned, before the first wake-up.
    pub fn recall(&mut self, memories: Memories, now: Now) {
        for memory in memories.devices.values() {
            self.rules.wait_for(memory.name(), &memory.numbers, now);
        }
        self.feed.recall(memories, now);
    }

    /// How many devices there are, of all roles.
    pub fn devices(&self) -> usize {
        self.site.devices.len()
    }

    /// An incident by number, however many there are.
    pub fn incident(&self, id: u64) -> Option<snapshot::IncidentSummary> {
        let of_book = self.book.get(id).map(incident);
        view::marked(self, of_book.into_iter().collect()).pop()
    }

    /// What is critical about hinomi itself: no way for mail, no ledger. In words for people.
    pub fn own_troubles(&self) -> Vec<String> {
        // A host that is cut off is told by its finding; hinomi itself does all it can do then.
        let own = self.book.open_about_host();
        let own = own.filter(|i| i.level == Level::Critical && i.root.kind != FindingKind::Blind);
        let mut troubles: Vec<String> = own.map(|i| cause_in_english(&i.root, i.level, i.cause())).collect();
        // Deliveries say so before the next test makes it a finding.
        let told = self
            .book
            .open_about_host()
            .any(|i| i.root.kind == FindingKind::LastRouteLost);
        let lost = self.notifier.no_route_works().filter(|_| !told);
        troubles.extend(lost.map(|error| format!("no mail route works: {}", clean(error))));
        troubles
    }

    /// What the agent of a device gave last.
    pub fn last_reading(&self, device: DeviceId) -> Option<&AgentReading> {
        self.last.get(device.index())?.reading.as_deref()
    }

    /// One device or circuit in full.
    pub fn device(&self, name: &str) -> Option<DeviceStatus> {
        let id = self.rules.find(name)?;
        Some(view::device(self, id, self.site.device(id), true))
    }

    /// The same, and of one that is silent whose fault that is by what is known at this moment.
    pub fn device_now(&self, name: &str, now: Now) -> Option<DeviceStatus> {
        let mut device = self.device(name)?;
        device.isolation = self.rules.verdict(self.rules.find(name)?, now);
        Some(device)
    }

    fn reload(&mut self, site: Arc<Site>, now: Now) {
        // What was observed under the old ids is judged before they change.
        self.settle(now);
        let mut before: HashMap<Name, LastSeen> = self
            .site
            .devices
            .iter()
            .map(|d| d.name.clone())
            .zip(std::mem::take(&mut self.last))
            .collect();
        self.last = site
            .devices
            .iter()
            .map(|d| before.remove(&d.name).unwrap_or_default())
            .collect();
        self.feed.reload(site.clone(), now);
        self.sampler.reload(site.clone());
        self.rules.reload(site.clone(), now);
        self.inputs.reload();
        self.notifier.reload(site.clone(), now);
        self.book.record(
            None,
            EventBody::Reloaded {
                fingerprint: site.fingerprint.clone(),
            },
            now,
        );
        self.crossed = crossed(&site);
        self.site = site;
        self.tell_paths(now);
    }

    fn committed(&mut self, batch: u64, result: Result<Head, String>, now: Now) {
        let ledgered = result.is_ok();
        match result {
            Ok(head) => {
                self.rules.ledger(Ok(()), false, now);
                self.head = Some(head);
                self.ledger_error = None;
            }
            Err(error) => {
                self.rules.ledger(Err(&error), false, now);
                self.ledger_error = Some(error);
            }
        }
        let rows = self.commits.ended(batch, ledgered, now);
        self.notifier
            .released(&rows, self.head.as_ref().filter(|_| ledgered), now);
    }

    fn ledger_news(&mut self, news: LedgerNews, now: Now) {
        match news {
            LedgerNews::Lost { why } => {
                self.rules.ledger(Err(&why), true, now);
                self.ledger_error = Some(why);
            }
            LedgerNews::Renewed(Renewed { what, is_whole }) => {
                if !is_whole {
                    self.book.checkpoint_next();
                    self.notifier.write_again();
                }
                self.rules.ledger(Err(&what), true, now);
                self.book.record(None, EventBody::Damage { what }, now);
            }
        }
    }

    /// Carries everything forward, stage by stage, until nothing moves.
    fn turn(&mut self, now: Now) {
        // Each pass hands something on; what comes back (a probe, a route's state) ends after a few.
        for _ in 0..16 {
            let moved = self.settle(now) | self.tell(now);
            if !moved {
                break;
            }
        }
    }

    /// Poll → samples → rules → book, and what the rules ask of poll.
    fn settle(&mut self, now: Now) -> bool {
        let mut moved = false;
        if let Some(tape) = &mut self.tape {
            tape.pass();
        }
        for effect in self.feed.effects(&self.site) {
            match effect {
                PollEffect::Send { channel, to, bytes } => self.out.push(Effect::Send { channel, to, bytes }),
                PollEffect::TcpConnect { token, to, timeout } => {
                    self.out.push(Effect::TcpConnect { token, to, timeout });
                }
                PollEffect::Ask(job) => self.out.push(Effect::Ask(job)),
                PollEffect::Observed(observation) => {
                    moved = true;
                    if let Some(tape) = &mut self.tape {
                        tape.observed(&observation, &self.site, &self.rules);
                    }
                    let samples = self.sampler.take(&observation);
                    self.rules.take(&observation, &samples, now);
                    self.inputs.take(&observation, &samples, &self.rules, &self.site);
                    self.keep_last(observation, now);
                }
            }
        }
        let mut paths = false;
        for effect in self.rules.effects() {
            moved = true;
            match effect {
                RuleEffect::Finding(change) => self.book.take(&change, now),
                RuleEffect::Affected(affected) => self.book.affected(&affected, now),
                RuleEffect::Suspect(sample) => self.inputs.number(&sample, &self.site),
                RuleEffect::Note(note) => self.book.note(&note, now),
                RuleEffect::Active(group, instances) => {
                    self.book
                        .record(None, EventBody::ActiveMembers { group, instances }, now);
                }
                RuleEffect::ProbeAgent(device) => self.feed.take(PollInput::ProbeAgent(device), now),
                RuleEffect::AskAgain(device, watch) => self.feed.take(PollInput::AskAgain(device, watch), now),
                RuleEffect::Probe(device) => self.feed.take(PollInput::ProbeNow(device), now),
                RuleEffect::Silent(device, silent) => {
                    paths = true;
                    self.sampler.silence(device, silent);
                    self.feed.take(PollInput::Silent(device, silent), now);
                }
            }
        }
        if paths {
            self.tell_paths(now);
        }
        moved
    }

    /// Contacts whom no route takes mail for, with the last refusal.
    pub fn refused_contacts(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.notifier.refused_contacts()
    }

    /// Which ways are cut, for the choice of routes.
    fn tell_paths(&mut self, now: Now) {
        let reach = self.rules.reach();
        let cut = |id: &DeviceId| {
            let node = reach.node(*id);
            matches!(node.state, ReachState::Down | ReachState::Unreachable) && !node.control_plane
        };
        let down: BTreeSet<DeviceId> = self.crossed.iter().copied().filter(cut).collect();
        self.notifier.set_paths(&down, reach.blind(), now);
    }

    /// Book → notices → ledger and routes.
    fn tell(&mut self, now: Now) -> bool {
        let mut events = self.book.events();
        self.traps_before(&events, now);
        self.readings_of(&events, now);
        let rows = self.notifier.plan(&events, &mut self.book, now);
        events.extend(self.book.events());
        let mut moved = !events.is_empty() || !rows.is_empty();
        self.commits.add(&events, rows);
        self.out.extend(self.commits.next(now).map(Effect::Commit));
        for effect in self.notifier.effects() {
            moved = true;
            match effect {
                NotifyEffect::Deliver(delivery) => {
                    if let Some(tape) = &mut self.tape {
                        tape.mail(&delivery);
                    }
                    self.out.push(Effect::Deliver(delivery));
                }
                NotifyEffect::TestRoute { route, with_auth } => self.out.push(Effect::TestRoute { route, with_auth }),
                NotifyEffect::ContactState { contact, refused } => {
                    self.rules.contact(&contact, refused.as_deref(), now);
                }
                NotifyEffect::RouteState { route, ready, error } => {
                    self.rules
                        .route(&route, ready, error.as_deref().unwrap_or_default(), now);
                }
            }
        }
        moved
    }

    fn keep_last(&mut self, observation: Observation, now: Now) {
        match observation {
            Observation::Agent(round) => {
                let last = self.last.get_mut(round.device.index());
                if let (Some(last), Some(rejected)) = (last, round.rejected) {
                    last.rejected[1] = Some(Box::new((now.wall_at(rejected.at), *rejected)));
                }
                if let (Some(last), Ok(reading)) = (self.last.get_mut(round.device.index()), round.outcome) {
                    last.read = Some(now.wall_at(round.ended));
                    if let Some(before) = last.reading.replace(reading) {
                        self.feed.recycle(before);
                    }
                }
            }
            Observation::Tcp(reading) => {
                if let Some(last) = self.last.get_mut(reading.device.index()) {
                    last.tcp.get_or_insert_default().insert(reading.watch, reading.result);
                }
            }
            Observation::Service(reading) => {
                if let Some(last) = self.last.get_mut(reading.device.index()) {
                    let seen = (reading.wall, reading.result);
                    last.services.get_or_insert_default().insert(reading.watch, seen);
                }
            }
            Observation::Reach(round) => {
                let last = self.last.get_mut(round.device.index());
                if let (Some(last), Some(rejected)) = (last, round.rejected) {
                    last.rejected[0] = Some(Box::new((now.wall_at(rejected.at), *rejected)));
                }
            }
        }
    }
}

/// Devices that some route, or some address of a contact, depends on: only these matter to the choice of ways.
fn crossed(site: &Site) -> BTreeSet<DeviceId> {
    let routes = site.routes.iter().flat_map(|r| &r.crosses);
    let addresses = site.contacts.iter().flat_map(|c| &c.mail).flat_map(|a| &a.crosses);
    let devices = |crossing: &Crossing| match crossing {
        Crossing::Device(id) => vec![*id],
        Crossing::Any(ids) => ids.clone(),
    };
    routes.chain(addresses).flat_map(devices).collect()
}
