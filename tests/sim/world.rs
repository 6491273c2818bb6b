//! The virtual world around the core: its clock, the wire, the ledger, the relays. It drives the core as the daemon does: in ticks of
//! 10 ms, all that has arrived together, then what is due.
//!
//! Never here: a real clock, a socket, a file; what is right or wrong (`judge`).

use super::judge::Judge;
use super::plot::{Act, Mood, Plot, Slip};
use super::town::index_of;
use super::truth::{At, SECOND, Truth};
use hinomi::core::tape::{Beginning, Line, Wants};
use hinomi::core::{Core, Effect, Input, MaintenanceOrder};
use hinomi::incident::{Batch, Head, Restored, RowChange};
use hinomi::model::maintenance::{By, Window};
use hinomi::model::{DeviceId, Mono, Now, Wall};
use hinomi::notify::{Delivery, Outcome, RouteTest, Stage};
use hinomi::poll::trap::{TrapKind, TrapSeen};
use hinomi::poll::{Channel, PollInput};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// The daemon's tick.
const TICK: At = 10_000;
/// The core's clock at the start of a story.
const MONO: u64 = 1_000_000_000;
/// A relay takes a mail in this time.
const RELAY: At = 200_000;
/// The shell's deadline around a delivery.
const DEADLINE: At = 30 * SECOND;
/// The shell's patience with the ledger.
const LATE: At = 10 * SECOND;

/// A core that wants to be woken again and again so often is given up.
const SPINS: u32 = 100;

/// What a story cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) datagrams: u64,
    pub(crate) turns: u64,
    pub(crate) events: u64,
    pub(crate) mails: u64,
}

/// The world of one story.
pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) plot: Plot,
    pub(crate) truth: Truth,
    pub(crate) judge: Judge,
    pub(crate) now: At,
    pub(crate) counts: Counts,
    /// Everything that was written, in order.
    pub(crate) ledger: Vec<String>,
    /// The record of all lives of the core, if it is kept.
    pub(crate) record: Option<Vec<Line>>,
    /// Mails and events as they left, if a record is kept.
    pub(crate) said: Vec<String>,
    stepped_ms: i64,
    wire: VecDeque<(At, PollInput)>,
    later: BTreeMap<(At, u64), Input>,
    order: u64,
    rows: BTreeMap<u64, RowChange>,
    unwritten: Vec<Batch>,
    moods: [Mood; 2],
    slip: Slip,
    /// The daemon is dead until then.
    back_at: Option<At>,
    /// How often the core wanted to be woken again and again.
    spins: u32,
    /// One story is told with all that was read and believed of groups.
    tell: bool,
    believed: Vec<String>,
}

impl World {
    /// The beginning of a story.
    pub(crate) fn new(plot: Plot, record: bool) -> World {
        let truth = Truth::new(&plot.town, plot.scene.witness);
        let judge = Judge::new(&plot);
        let restored = Restored {
            ledger_id: "simulation".to_owned(),
            ..Restored::default()
        };
        let clock = clock(0, plot.scene.start_ms);
        let core = Core::new(plot.town.site.clone(), restored.clone(), [7; 32], clock);
        let mut world = World {
            core,
            truth,
            judge,
            now: 0,
            counts: Counts::default(),
            ledger: Vec::new(),
            record: record.then(Vec::new),
            said: Vec::new(),
            stepped_ms: 0,
            wire: VecDeque::new(),
            later: BTreeMap::new(),
            order: 0,
            rows: BTreeMap::new(),
            unwritten: Vec::new(),
            moods: [Mood::Works; 2],
            slip: Slip::Works,
            back_at: None,
            spins: 0,
            tell: false,
            believed: Vec::new(),
            plot,
        };
        world.keep(&restored);
        world.look_around();
        world.carry();
        world
    }

    /// From now on, what was read and believed of groups is in the history.
    pub(crate) fn tell_all(&mut self) {
        (self.tell, self.judge.history_max) = (true, usize::MAX);
    }

    /// Tells the whole story.
    pub(crate) fn run(&mut self) {
        let acts = std::mem::take(&mut self.plot.acts);
        for (at, act) in &acts {
            self.run_to(*at);
            self.judge.before(self.now, &self.truth, &self.plot);
            self.act(act);
            self.look_around();
            if self.record.is_some() {
                self.tell_states();
            }
        }
        self.plot.acts = acts;
        self.run_to(self.plot.ends);
        self.judge.before(self.now, &self.truth, &self.plot);
    }

    pub(crate) fn clock(&self) -> Now {
        clock(self.now, self.plot.scene.start_ms + self.stepped_ms)
    }

    /// What the core believes of all but circuits, for the history.
    fn tell_states(&mut self) {
        let snapshot = self.core.snapshot(self.clock());
        let states = snapshot.devices.iter().map(|d| format!("{} {:?}", d.name, d.reach));
        let line = format!(
            "  {:8.1}    {}",
            self.now as f64 / 1e6,
            states.collect::<Vec<_>>().join(", ")
        );
        if self.judge.history.last() != Some(&line) && self.judge.history.len() < self.judge.history_max {
            self.judge.history.push(line);
        }
    }

    /// What the core believes of redundancy groups, for the history.
    fn tell_groups(&mut self) {
        if self.plot.town.rings.is_empty() || !self.tell {
            return;
        }
        let snapshot = self.core.snapshot(self.clock());
        let mut told: Vec<String> = Vec::new();
        for group in &snapshot.redundancy {
            for instance in &group.instances {
                let members = instance.members.iter().map(|m| format!("{} {:?}", m.member, m.role));
                told.push(format!(
                    "{} {:?}: active {:?}; {}",
                    group.name,
                    instance.instance,
                    instance.active,
                    members.collect::<Vec<_>>().join(", ")
                ));
            }
        }
        let now = self.now as f64 / 1e6;
        let new = told.iter().filter(|t| !self.believed.contains(t));
        self.judge
            .history
            .extend(new.map(|t| format!("  {now:8.1}        {t}")));
        self.believed = told;
    }

    /// What an agent tells of roles, for the history.
    fn tell_agent(&mut self, i: usize) {
        let rings = self.plot.town.rings.iter().enumerate();
        let mut told = Vec::new();
        for (g, ring) in rings {
            for (m, _) in ring.seats.iter().enumerate().filter(|(_, s)| s.device == i) {
                let roles = (0..ring.instances.len()).map(|n| self.truth.roles.tally(g, n, m));
                told.push(format!("{} {}", ring.name, roles.collect::<Vec<_>>().join(" ")));
            }
        }
        if !told.is_empty() {
            let (now, name) = (self.now as f64 / 1e6, &self.plot.town.device(i).name);
            let line = format!("  {now:8.1}          {name} tells {}", told.join(", "));
            self.judge.history.push(line);
        }
    }

    /// The judge sees what is true now.
    fn look_around(&mut self) {
        let alive = self.back_at.is_none();
        // A relay whose answers are lost takes mail, but nobody can know: that is no way that works.
        let works = [0, 1].map(|r| alive && self.way(r) && self.moods[r] == Mood::Works);
        let lost = [0, 1]
            .into_iter()
            .all(|r| !alive || !self.way(r) || !takes(self.moods[r]));
        self.judge.routes(self.now, works, lost);
        self.judge.look(self.now, &self.truth, &self.plot, alive);
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Relay(route, mood) => self.moods[*route] = *mood,
            Act::Ledger(slip) => self.slip = *slip,
            Act::ClockStep(ms) => self.stepped_ms += ms,
            Act::Restart(down) => {
                self.wire.clear();
                self.later.clear();
                self.back_at = Some(self.now + down);
            }
            Act::Work(named, lasts) => self.work(named, *lasts),
            Act::Trap(device, kind) => self.trap(*device, *kind),
            act => self.truth.apply(act, self.now),
        }
    }

    /// An operator sets a maintenance window.
    fn work(&mut self, named: &[usize], lasts: At) {
        let start = self.clock().wall;
        let window = Window {
            name: format!("work {}", start.0).into(),
            what: named.iter().map(|i| self.plot.town.device(*i).name.clone()).collect(),
            by: By::Own,
            start,
            end: start.after(std::time::Duration::from_micros(lasts)),
            set_by: "operator".to_owned(),
            note: None,
        };
        if self.back_at.is_none() {
            self.push(TICK, Input::Maintenance(MaintenanceOrder::Set(window)));
        }
    }

    /// A trap reaches the daemon, if its way is open and nothing is lost.
    fn trap(&mut self, i: usize, kind: TrapKind) {
        let loss = u64::from(self.truth.loss_to(i));
        let lost = loss > 0 && self.plot.dice.chance(loss);
        if self.back_at.is_some() || !self.truth.forwards(i) || lost {
            return;
        }
        let at = self.plot.latency / 2;
        let trap = TrapSeen {
            device: DeviceId(i as u32),
            kind,
            oid: "1.3.6.1.6.3.1.1.5".to_owned(),
            details: String::new(),
            at: Mono(MONO + self.now + at),
        };
        self.push(at, Input::Trap(trap));
    }

    fn start_again(&mut self) {
        let restored = Restored {
            ledger_id: "simulation".to_owned(),
            events: self.ledger.clone(),
            rows: self.rows.values().cloned().collect(),
            head: None,
            last_row: self.rows.keys().max().copied().unwrap_or(0),
            ..Restored::default()
        };
        self.core = Core::new(self.plot.town.site.clone(), restored.clone(), [9; 32], self.clock());
        self.keep(&restored);
        self.back_at = None;
        self.look_around();
        self.carry();
    }

    /// What the core takes in is kept from its start, as `hinomi run --record` does.
    fn keep(&mut self, restored: &Restored) {
        let began = Beginning::of_start(restored, &self.plot.town.site, true, self.clock());
        if let Some(record) = &mut self.record {
            record.push(Line::Began(Box::new(began)));
            let all = true;
            self.core.record_from_start(Wants {
                all,
                ..Wants::default()
            });
        }
    }

    fn run_to(&mut self, until: At) {
        if let Some(back) = self.back_at {
            self.now = until.min(back).max(self.now);
            if self.now < back {
                return;
            }
            self.start_again();
        }
        let mut still = 0;
        loop {
            let due = self.core.next_wakeup();
            let due = if due == Mono::NEVER {
                At::MAX
            } else {
                due.0.saturating_sub(MONO)
            };
            let arrives = self.wire.front().map_or(At::MAX, |(at, _)| *at);
            let other = self.later.first_key_value().map_or(At::MAX, |((at, _), _)| *at);
            let next = due.min(arrives).min(other);
            if next >= until {
                self.now = self.now.max(until);
                return;
            }
            let next = (next.div_ceil(TICK) * TICK).max(self.now);
            still = if next == self.now { still + 1 } else { 0 };
            if still > 50 {
                self.judge.wrong(format!(
                    "at {:.1} s the core wants to be woken again and again",
                    self.now as f64 / 1e6
                ));
                still = 0;
                self.now += TICK;
                self.spins += 1;
                if self.spins > SPINS {
                    // The story cannot be told to its end; that much is known.
                    self.now = self.now.max(until);
                    return;
                }
                continue;
            }
            self.now = next;
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.counts.turns += 1;
        let now = self.clock();
        let mut arrived = Vec::new();
        while self.wire.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, input)) = self.wire.pop_front() else { break };
            if let PollInput::Datagram {
                channel: Channel::Icmp,
                from,
                ..
            } = &input
                && let Some(i) = index_of(from.ip())
            {
                self.judge.heard(i, self.now);
            }
            arrived.push(input);
        }
        if !arrived.is_empty() {
            self.core.take_polled(&mut arrived, now);
        }
        while let Some(entry) = self.later.first_entry().filter(|e| e.key().0 <= self.now) {
            let input = entry.remove();
            if self.record.is_some() && matches!(input, Input::Delivered { .. } | Input::RouteTested(_)) {
                let text = format!("  {:8.1}    {input:?}", self.now as f64 / 1e6);
                self.judge.history.push(text);
            }
            self.core.take(input, now);
        }
        if self.core.next_wakeup() <= now.mono {
            self.core.wake(now);
        }
        self.carry();
        self.tell_groups();
    }

    fn push(&mut self, after: At, input: Input) {
        self.order += 1;
        self.later.insert((self.now + after, self.order), input);
    }

    fn carry(&mut self) {
        if let Some(record) = &mut self.record {
            record.extend(self.core.recorded());
        }
        for effect in self.core.effects() {
            match effect {
                Effect::Send { channel, to, bytes } => self.send(channel, to, bytes),
                Effect::TcpConnect { token, timeout, .. } => {
                    let result = Err("timed out".to_owned());
                    let after = timeout.as_micros() as At;
                    self.push(after, Input::Poll(PollInput::TcpEnded { token, result }));
                }
                Effect::Ask(_) => {}
                Effect::Commit(batch) => self.commit(batch),
                Effect::Deliver(delivery) => self.deliver(delivery),
                Effect::TestRoute { route, with_auth } => {
                    let number = self.route(&route);
                    let (after, result) = match (self.way(number), self.moods[number]) {
                        (false, _) | (_, Mood::Hangs) => (DEADLINE, Err((Stage::Connect, "timed out".to_owned()))),
                        (_, Mood::Refuses) => (TICK, Err((Stage::Connect, "Connection refused".to_owned()))),
                        (_, Mood::Busy) => (RELAY, Err((Stage::Greeting, "421 too busy".to_owned()))),
                        (_, Mood::Works | Mood::Swallows) => (RELAY, Ok("relay:25".to_owned())),
                    };
                    let test = RouteTest {
                        route,
                        with_auth,
                        transcript: Vec::new(),
                        result,
                    };
                    self.push(after, Input::RouteTested(test));
                }
            }
        }
    }

    fn send(&mut self, channel: Channel, to: SocketAddr, bytes: Vec<u8>) {
        self.counts.datagrams += 1;
        let Some(i) = index_of(to.ip()).filter(|i| self.truth.answers(*i)) else {
            return;
        };
        let loss = self.truth.loss_to(i);
        if loss > 0 && self.plot.dice.chance(u64::from(loss)) {
            return;
        }
        let answer = match channel {
            Channel::Icmp => Some(echo_reply(to, &bytes)),
            Channel::Udp(_) => self.truth.agents[i].as_mut().and_then(|a| a.answer(&bytes, self.now)),
        };
        let Some(bytes) = answer else { return };
        if self.tell && matches!(channel, Channel::Udp(_)) {
            self.tell_agent(i);
        }
        let at = self.now + self.plot.latency;
        let input = PollInput::Datagram {
            channel,
            from: to,
            at: Mono(MONO + at),
            bytes,
        };
        self.wire.push_back((at, input));
    }

    fn commit(&mut self, batch: Batch) {
        self.counts.events += batch.events.len() as u64;
        if self.record.is_some() {
            self.said.extend(batch.events.iter().cloned());
        }
        self.judge.batch(self.now, &batch.events, &self.truth, &self.plot);
        let id = batch.id;
        self.unwritten.push(batch);
        if self.slip == Slip::Fails {
            let result = Err("No space left on device".to_owned());
            return self.push(2_000, Input::Committed { batch: id, result });
        }
        // As the real ledger does: what could not be written is written before the next batch.
        for batch in std::mem::take(&mut self.unwritten) {
            self.ledger.extend(batch.events);
            self.rows.extend(batch.rows.into_iter().map(|r| (r.id, r)));
        }
        let after = match self.slip {
            Slip::Slow(after) => after,
            _ => 2_000,
        };
        if after > LATE {
            let error = "the ledger has not answered for 10 s".to_owned();
            self.push(LATE, Input::CommitLate { batch: id, error });
        }
        let head = Head {
            seq: self.ledger.len() as u64,
            hash: "0".repeat(64),
        };
        self.push(
            after,
            Input::Committed {
                batch: id,
                result: Ok(head),
            },
        );
    }

    fn route(&self, name: &str) -> usize {
        self.plot
            .town
            .site
            .routes
            .iter()
            .position(|r| &*r.name == name)
            .expect("a route of the site")
    }

    /// Do packets reach the relay of a route?
    fn way(&self, route: usize) -> bool {
        let route = &self.plot.town.site.routes[route];
        let crosses = route.crosses.iter().all(|c| match c {
            hinomi::model::Crossing::Device(id) => self.truth.forwards(id.index()),
            hinomi::model::Crossing::Any(ids) => ids.iter().any(|id| self.truth.forwards(id.index())),
        });
        crosses && (route.out_of_band || self.truth.forwards(0))
    }

    fn deliver(&mut self, delivery: Delivery) {
        let number = self.route(&delivery.route);
        let mood = self.moods[number];
        let failed = |stage, error: &str| Outcome::Failed {
            stage,
            error: error.to_owned(),
        };
        let (after, outcome) = match (self.way(number), mood) {
            (false, _) | (_, Mood::Hangs) => (DEADLINE, failed(Stage::Connect, "timed out")),
            (_, Mood::Refuses) => (TICK, failed(Stage::Connect, "Connection refused")),
            (_, Mood::Busy) => {
                let (stage, reply) = (Stage::MailFrom, "451 try again".to_owned());
                (RELAY, Outcome::Transient { stage, reply })
            }
            (_, Mood::Swallows) => (DEADLINE, failed(Stage::FinalDot, "the line was cut")),
            (_, Mood::Works) => {
                let (relay, reply) = ("relay:25".to_owned(), "250 queued".to_owned());
                (RELAY, Outcome::Accepted { relay, reply })
            }
        };
        if self.record.is_some() {
            self.said.push(format!("{delivery:?}"));
        }
        let taken = self.way(number) && takes(mood);
        self.counts.mails += u64::from(taken);
        self.judge.mail(self.now, &delivery, number, taken, mood, &self.plot);
        let attempt = delivery.attempt;
        self.push(after, Input::Delivered { attempt, outcome });
    }
}

/// Does a mail get out this way, whatever is said about it?
fn takes(mood: Mood) -> bool {
    matches!(mood, Mood::Works | Mood::Swallows)
}

fn clock(now: At, start_ms: i64) -> Now {
    Now {
        mono: Mono(MONO + now),
        wall: Wall(start_ms + (now / 1_000) as i64),
    }
}

/// The reply to an echo request: type 8 becomes 0, which the checksum feels in its upper octet.
fn echo_reply(to: SocketAddr, echo: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + echo.len());
    bytes.extend([0x45, 0, 0, 20 + echo.len() as u8, 0, 0, 0, 0, 64, 1, 0, 0]);
    if let std::net::IpAddr::V4(v4) = to.ip() {
        bytes.extend(v4.octets());
    }
    bytes.extend([192, 0, 2, 1]);
    bytes.extend_from_slice(echo);
    let sum = u32::from(u16::from_be_bytes([echo[2], echo[3]])) + 0x0800;
    let sum = ((sum & 0xffff) + (sum >> 16)) as u16;
    bytes[20] = 0;
    bytes[22..24].copy_from_slice(&sum.to_be_bytes());
    bytes
}
