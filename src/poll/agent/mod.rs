//! The SNMP client for all devices of a site: one state machine, datagrams in, datagrams out.
//!
//! A round reads what the configuration needs of a device, with retries, SNMPv3 discovery and resynchronisation, and name
//! resolution inside; a liveness probe is one GET of sysUpTime. A device has one request of its round out at a time; probes go out
//! at once beside it, because a probe that waited behind a slow round would break the promised detection time.
//!
//! An answer is believed only with the version, source address and port, number, community (or engine, user, HMAC, time), kind and
//! objects that were asked for. Everything else is counted by kind and dropped, and the request goes on waiting.
//!
//! Never here: a schedule, a socket, a clock, a judgement.

mod device;
mod flight;
mod get;
mod learn;
pub mod memory;
mod oids;
mod receive;
mod roles;
mod round;
pub(in crate::poll) mod session;
mod share;
mod table;
mod template;
mod text;
mod topology;
mod walk;
mod wanted;

use crate::model::{DeviceId, Mono, Name, Now, Profiles, Site};
use crate::poll::disbelief::{Disbelief, Rejected};
use crate::poll::unread::{BrokenOff, NotRead};
use crate::poll::{AgentFailure, AgentReading, AgentRound, Channel, DropReason, UDP_SOCKETS};
use crate::wire::snmp::{DecodeError, Names, PduKind, Version, decode, number_of};
use device::Agent;
use flight::{Flight, Flights, Owner, Stage};
use memory::{Memories, Memory, Since};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use round::Spare;
use session::{KeyRing, Question, Session};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use template::Library;
use wanted::{Also, Wanted};

pub use wanted::fits_alias;

/// Tries of one request in a round: the first and two more.
const TRIES: u8 = 3;
/// Discoveries and resynchronisations within one round or probe: enough for an engine that was replaced (discover, then set the
/// clock) after its old identity was tried, few enough that forged Reports cannot keep a round busy.
const DETOURS: u8 = 3;

/// Requests of a round that may be lost after the agent has answered something: silence to one object is found out within that.
const LOST_MAX: u8 = 12;

/// What the state machine wants done or has learned.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// Send this datagram.
    Send {
        /// Socket.
        channel: Channel,
        /// To whom.
        to: SocketAddr,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// A round ended.
    Round(AgentRound),
    /// A liveness probe ended.
    Liveness {
        /// Whom.
        device: DeviceId,
        /// From [`Agents::start_liveness`].
        token: u64,
        /// Round-trip time of the GET.
        result: Result<Duration, AgentFailure>,
        /// First datagram sent.
        started: Mono,
        /// Answer in, or given up.
        ended: Mono,
    },
}

/// All SNMP-speaking devices of a site. Input methods take `now`; effects wait in [`Agents::events`].
#[derive(Debug)]
pub struct Agents {
    /// By [`DeviceId`]; `None` without SNMP.
    agents: Vec<Option<Box<Agent>>>,
    /// Sorted.
    by_target: Vec<(SocketAddr, u32)>,
    flights: Flights,
    /// Liveness probes that are out: device, slot.
    probes: BTreeSet<(u32, u32)>,
    library: Library,
    profiles: Arc<Profiles>,
    /// Of their contents, made when it is asked for: they are long.
    profiles_mark: OnceLock<u32>,
    uptime: UpTime,
    keys: KeyRing,
    random: StdRng,
    /// Never the same twice for one key (RFC 3826 section 3.1.1.1).
    salt: u64,
    events: Vec<AgentEvent>,
    dropped: BTreeMap<DropReason, u64>,
    spare: Spare,
}

/// What everything but a round asks: sysUpTime.
#[derive(Debug)]
struct UpTime(Arc<Names>);

impl UpTime {
    /// What a request that is out asks.
    fn asked<'a>(&'a self, flight: &Flight, agent: &'a Agent) -> Option<&'a Names> {
        if flight.owner != Owner::Round || flight.stage == Stage::Diagnosis {
            return Some(&self.0);
        }
        match agent.question() {
            device::Question::Ask(_, names) => Some(names),
            device::Question::Complete => None,
        }
    }
}

impl Agents {
    /// A state machine that has spoken to nobody yet. `seed` makes request numbers hard to guess; take it from the system.
    pub fn new(site: Arc<Site>, seed: [u8; 32]) -> Agents {
        let mut random = StdRng::from_seed(seed);
        let mut agents = Agents {
            agents: Vec::new(),
            by_target: Vec::new(),
            flights: Flights::default(),
            probes: BTreeSet::new(),
            library: Library::default(),
            profiles: Arc::clone(&site.profiles),
            profiles_mark: OnceLock::new(),
            uptime: UpTime(Arc::new(Names::new(std::iter::once(oids::SYS_UP_TIME)))),
            keys: KeyRing::default(),
            salt: random.next_u64(),
            random,
            events: Vec::new(),
            dropped: BTreeMap::new(),
            spare: Spare::default(),
        };
        agents.adopt(&site);
        agents
    }

    /// Takes a new site. A device keeps its state by name; with another address, port, credential or profile it starts afresh. Rounds
    /// and probes of devices that are gone or start afresh end without an event.
    pub fn reload(&mut self, site: Arc<Site>, _now: Now) {
        self.keys.clear();
        self.adopt(&site);
    }

    fn adopt(&mut self, site: &Site) {
        let old = std::mem::take(&mut self.agents);
        let mut old: HashMap<Name, (u32, Box<Agent>)> = (0u32..)
            .zip(old)
            .filter_map(|(i, a)| a.map(|a| (Name::clone(&a.name), (i, a))))
            .collect();
        // The same profiles read anew are no reason to ask everybody who it is.
        let other_profiles = self.profiles != site.profiles;
        if other_profiles {
            self.profiles = Arc::clone(&site.profiles);
            self.profiles_mark = OnceLock::new();
        }
        let (also, nothing) = (Also::of(site), Also::default());
        let mut moved: HashMap<u32, u32> = HashMap::new();
        let mut shared: HashMap<Wanted, Arc<Wanted>> = HashMap::new();
        self.by_target.clear();
        self.agents.reserve_exact(site.devices.len());
        for (id, device) in site.iter() {
            let agent = device.snmp.as_ref().map(|access| {
                let wanted = Wanted::of(device, also.get(&id).unwrap_or(&nothing));
                let wanted = match shared.get(&wanted) {
                    Some(known) => Arc::clone(known),
                    None => Arc::clone(shared.entry(wanted.clone()).or_insert(Arc::new(wanted))),
                };
                let same = |a: &Agent| {
                    a.access == *access
                        && a.target == device.at_port(access.port)
                        && a.wanted.profile == wanted.profile
                        && (!other_profiles || a.is_named_alike(&self.profiles))
                };
                match old.remove(&device.name) {
                    Some((from, mut agent)) if same(&agent) => {
                        agent.rewant(wanted, device.poll.timeout);
                        if other_profiles {
                            agent.reprofile(&self.profiles);
                        }
                        moved.insert(from, id.0);
                        agent
                    }
                    _ => {
                        let channel = channel_of(&device.name);
                        Box::new(Agent::new(device, access, wanted, &self.profiles, channel))
                    }
                }
            });
            if let Some(agent) = &agent {
                self.by_target.push((agent.target, id.0));
            }
            self.agents.push(agent);
        }
        self.by_target.sort_unstable();
        for slot in self.flights.slots() {
            let Some(flight) = self.flights.get_mut(slot) else {
                continue;
            };
            match moved.get(&flight.device) {
                Some(to) => flight.device = *to,
                None => drop(self.flights.land(slot)),
            }
        }
        let probe = |slot: u32| {
            let flight = self.flights.get(slot)?;
            (flight.owner != Owner::Round).then_some((flight.device, slot))
        };
        self.probes = self.flights.slots().into_iter().filter_map(probe).collect();
    }

    /// Stands for the profiles in use.
    pub fn profiles_mark(&self) -> u32 {
        *self.profiles_mark.get_or_init(|| {
            let all: Vec<String> = self.profiles.iter().map(|p| format!("{p:?}")).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            memory::short(&all)
        })
    }

    /// What was learned of some of the devices, by [`DeviceId`]. Nothing is said of one that was not spoken to yet.
    pub fn remember(&self, range: Range<usize>, now: Now) -> Vec<Memory> {
        let some = self.agents.get(range.start..range.end.min(self.agents.len()));
        let agents = some.into_iter().flatten().flatten();
        agents.filter_map(|agent| agent.memory(now.mono)).collect()
    }

    /// Takes up what an earlier process learned, before the first round. What does not fit the configuration any more is dropped.
    pub fn recall(&mut self, mut memories: Memories, now: Now) {
        let since = Since {
            elapsed: now.wall.since(memories.at),
            now: now.mono,
        };
        let same_profiles = memories.profiles == self.profiles_mark();
        for agent in self.agents.iter_mut().flatten() {
            if let Some(memory) = memories.devices.remove(&agent.name) {
                agent.recall(memory, same_profiles, &self.profiles, &mut self.keys, since);
                agent.share(&mut self.library);
            }
        }
    }

    /// The devices of a target (a misconfigured site may have several).
    fn at(&self, target: SocketAddr) -> Vec<u32> {
        let from = self.by_target.partition_point(|(t, _)| *t < target);
        let here = self.by_target[from..].iter().take_while(|(t, _)| *t == target);
        here.map(|(_, device)| *device).collect()
    }

    /// Takes a request out.
    fn land(&mut self, slot: u32) -> Option<Flight> {
        let flight = self.flights.land(slot)?;
        if flight.owner != Owner::Round {
            self.probes.remove(&(flight.device, slot));
        }
        Some(flight)
    }

    /// Starts a round. Nothing happens if one is under way ([`Agents::busy`]) or the device speaks no SNMP.
    pub fn start_round(&mut self, device: DeviceId, now: Now) {
        let agent = self.agents.get_mut(device.index()).and_then(Option::as_deref_mut);
        if let Some(agent) = agent.filter(|a| a.round.is_none()) {
            agent.begin_round(&mut self.library, &mut self.spare, now.mono);
            self.go_on(device.0, now);
        }
    }

    /// Starts a liveness probe: one GET of sysUpTime without retry, its answer waited for `poll.timeout`. SNMPv3 discovery, where it is
    /// needed, comes before it and is waited for as long again. Ends in one [`AgentEvent::Liveness`]; a device
    /// that speaks no SNMP gives none. `token`: no other probe that is out has it.
    pub fn start_liveness(&mut self, device: DeviceId, token: u64, now: Now) {
        if self.agent(device.0).is_some() {
            let owner = Owner::Liveness {
                token,
                started: now.mono,
                detours: 0,
            };
            self.probe(device.0, owner, now);
        }
    }

    /// A round of this device is under way.
    pub fn busy(&self, device: DeviceId) -> bool {
        self.agents
            .get(device.index())
            .and_then(Option::as_ref)
            .is_some_and(|a| a.round.is_some())
    }

    /// When [`Agents::wake`] is needed next.
    pub fn next_wakeup(&self) -> Mono {
        self.flights.next_deadline()
    }

    /// Gives up what has waited long enough: tries again or ends.
    pub fn wake(&mut self, now: Now) {
        while let Some(slot) = self.flights.overdue(now.mono) {
            if let Some(flight) = self.land(slot) {
                self.unanswered(flight, now);
            }
        }
    }

    /// Effects since the last call, in order.
    pub fn events(&mut self) -> Vec<AgentEvent> {
        std::mem::take(&mut self.events)
    }

    /// Datagrams that were not believed, by kind, since the start.
    pub fn dropped(&self) -> &BTreeMap<DropReason, u64> {
        &self.dropped
    }

    /// The operating system refused to send. Probes to that address end at once as unanswered; a round waits for its deadline, so that
    /// its tries stay apart.
    pub fn send_failed(&mut self, channel: Channel, to: SocketAddr, _error: &str, now: Now) {
        for device in self.at(to) {
            let ours = self.agent(device).is_some_and(|a| Channel::Udp(a.channel) == channel);
            let probes: Vec<u32> = self
                .probes
                .range((device, 0)..=(device, u32::MAX))
                .map(|p| p.1)
                .collect();
            for slot in probes.into_iter().filter(|_| ours) {
                if let Some(flight) = self.land(slot) {
                    self.unanswered(flight, now);
                }
            }
        }
    }

    /// The device that a datagram seems to answer for.
    pub fn seems_from(&self, bytes: &[u8]) -> Option<DeviceId> {
        let slot = self.flights.find(number_of(bytes)?)?;
        self.flights.get(slot).map(|flight| id_of(flight.device))
    }

    /// Looks at what is kept of a device (see `core::warm`).
    pub fn warm(&self, device: DeviceId) {
        if let Some(Some(agent)) = self.agents.get(device.index()) {
            agent.warm();
        }
    }

    /// Takes a datagram that came in on `channel` at `at`.
    pub fn take(&mut self, channel: Channel, from: SocketAddr, at: Mono, bytes: &[u8], now: Now) {
        let reason = match decode(bytes) {
            Err(error) => {
                self.suspect((channel, from), at, &error, number_of(bytes));
                Some(match error {
                    DecodeError::TrailingBytes => DropReason::TrailingBytes,
                    _ => DropReason::Malformed,
                })
            }
            Ok(message) => self.received(channel, from, at, bytes, message, now),
        };
        if let Some(reason) = reason {
            *self.dropped.entry(reason).or_default() += 1;
        }
    }

    /// The last answer of a device that was not believed and that no round has told of yet.
    pub fn rejected(&self, device: DeviceId) -> Option<&Rejected> {
        self.agents.get(device.index())?.as_ref()?.rejected.as_deref()
    }

    /// Remembers an answer that is not believed, for whoever wonders at the silence.
    fn reject(&mut self, device: u32, why: Disbelief, from: SocketAddr, at: Mono) {
        if let Some(agent) = self.agent(device) {
            agent.rejected = Some(Box::new(Rejected { why, from, at }));
        }
    }

    fn unanswered(&mut self, flight: Flight, now: Now) {
        if let Some(agent) = self.agent(flight.device) {
            agent.session.doubt();
            agent.given_up = Some((flight.id, flight.sent));
        }
        if self.is_out_still(&flight) {
            return;
        }
        if let Owner::Liveness { token, started, .. } = flight.owner {
            self.events.push(AgentEvent::Liveness {
                device: id_of(flight.device),
                token,
                result: Err(flight.hint.unwrap_or(AgentFailure::Timeout)),
                started,
                ended: now.mono,
            });
            return;
        }
        let Some(agent) = self.agent(flight.device) else {
            return;
        };
        let Some(round) = &mut agent.round else { return };
        if flight.stage == Stage::Diagnosis {
            return self.end(flight.device, Some(AgentFailure::Timeout), now);
        }
        round.hint = flight.hint.or(round.hint.take());
        agent.lost(now.mono);
        let Some(round) = self.agent(flight.device).and_then(|a| a.round.as_mut()) else {
            return;
        };
        let why = match round.hint {
            Some(AgentFailure::Malformed) => NotRead::Malformed,
            _ => NotRead::Silence,
        };
        let patient = round.lost <= LOST_MAX;
        let again = patient && round.tries < TRIES;
        if again || patient && self.agent(flight.device).is_some_and(|a| a.go_without(why, now.mono)) {
            return self.go_on(flight.device, now);
        }
        let Some(round) = self.agent(flight.device).and_then(|a| a.round.as_mut()) else {
            return;
        };
        let failure = round.hint.take().unwrap_or(AgentFailure::Timeout);
        if failure == AgentFailure::Timeout && round.last_answer.is_none() && self.diagnose(flight.device, now) {
            return;
        }
        self.end(flight.device, Some(failure), now);
    }

    /// The question of a request that has just landed is out in another one, too.
    fn is_out_still(&mut self, flight: &Flight) -> bool {
        let slot = flight.slot();
        match flight.owner {
            Owner::Liveness { .. } => !self.siblings(flight).is_empty(),
            Owner::Round => {
                let Some(round) = self.agent(flight.device).and_then(|a| a.round.as_mut()) else {
                    return false;
                };
                round.beside.retain(|s| *s != slot);
                if round.slot == Some(slot) {
                    round.slot = round.beside.pop();
                }
                if round.slot.is_some() {
                    round.hint = flight.hint.clone().or(round.hint.take());
                }
                round.slot.is_some()
            }
        }
    }

    /// Slots of requests that ask the same for the same owner.
    fn siblings(&mut self, flight: &Flight) -> Vec<u32> {
        match flight.owner {
            Owner::Round => {
                let round = self.agent(flight.device).and_then(|a| a.round.as_mut());
                round.map_or(Vec::new(), |r| r.beside.drain(..).chain(r.slot.take()).collect())
            }
            Owner::Liveness { token, .. } => {
                let same = |f: &Flight| matches!(f.owner, Owner::Liveness { token: t, .. } if t == token);
                let probes = self.probes.range((flight.device, 0)..=(flight.device, u32::MAX));
                let mut slots: Vec<u32> = probes.map(|p| p.1).collect();
                slots.retain(|s| self.flights.get(*s).is_some_and(same));
                slots
            }
        }
    }

    /// Agents that cannot decrypt a request may keep silent (net-snmp does, and RFC 3414 lets them): the operator would be told "agent
    /// silent" for a wrong privacy password. So one signed, unencrypted GET of sysUpTime asks whether everything but
    /// privacy fits; its answer is used for nothing else. False if there is nothing to find out.
    fn diagnose(&mut self, device: u32, now: Now) -> bool {
        let private = self.agent(device).is_some_and(|a| a.session.is_private());
        let slot = if private {
            self.launch(device, (Owner::Round, Stage::Diagnosis), now)
        } else {
            None
        };
        if let Some(round) = self.agent(device).and_then(|a| a.round.as_mut()) {
            round.slot = slot;
        }
        slot.is_some()
    }

    /// The round's request is no longer out: ask (again).
    fn go_on_after(&mut self, device: u32, now: Now) {
        if let Some(round) = self.agent(device).and_then(|a| a.round.as_mut()) {
            round.slot = None;
        }
        self.go_on(device, now);
    }

    fn go_on(&mut self, device: u32, now: Now) {
        let Some(agent) = self.agents.get_mut(device as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        if !agent.next(&self.profiles, now.mono) {
            return self.end(device, None, now);
        }
        let slot = self.launch(device, (Owner::Round, Stage::Question), now);
        match (slot, self.agent(device).and_then(|a| a.round.as_mut())) {
            (Some(slot), Some(round)) => round.slot = Some(slot),
            _ => self.end(device, Some(AgentFailure::Timeout), now),
        }
    }

    /// Ends the round, because all is read or because of a failure.
    fn end(&mut self, device: u32, failure: Option<AgentFailure>, now: Now) {
        let Some(agent) = self.agents.get_mut(device as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        // Nobody waits for them any more.
        let round = agent.round.as_mut();
        let open = round.map_or(Vec::new(), |r| r.beside.drain(..).chain(r.slot.take()).collect());
        open.into_iter().for_each(|slot: u32| drop(self.flights.land(slot)));
        let place = agent.place().filter(|_| failure.is_some());
        let (library, spare) = (&mut self.library, &mut self.spare);
        let Some((round, mut reading)) = agent.end_round(failure.is_none(), library, spare, now.mono) else {
            return;
        };
        if failure.is_some() && round.last_answer.is_none() {
            agent.session.start_afresh();
        }
        reading.broken_off = match (&failure, place) {
            (Some(how), Some(at)) => Some(Box::new(BrokenOff { at, how: how.clone() })),
            // Everything was answered but that without which counters are worth nothing.
            (None, _) if round.uptime.is_none() && round.last_answer.is_some() && agent.has_rows() => {
                Some(Box::new(BrokenOff {
                    at: oids::SYS_UP_TIME.into(),
                    how: AgentFailure::Malformed,
                }))
            }
            _ => None,
        };
        let rejected = agent.rejected.take();
        // Something answered: that is another fault than silence.
        let failure = match (failure, &rejected) {
            (Some(AgentFailure::Timeout), Some(rejected)) => Some(AgentFailure::NotBelieved(rejected.clone())),
            (failure, _) => failure,
        };
        // A round that has read something has not failed; that it broke off is told with it.
        let refused = round
            .refused
            .map(AgentFailure::ErrorStatus)
            .filter(|_| round.uptime.is_none());
        let outcome = match failure.filter(|_| round.uptime.is_none()).or(refused) {
            Some(failure) => Err(failure),
            None => Ok(reading),
        };
        self.events.push(AgentEvent::Round(AgentRound {
            device: id_of(device),
            started: round.started,
            ended: round.last_answer.filter(|_| outcome.is_ok()).unwrap_or(now.mono),
            outcome,
            rejected,
        }));
        self.spare.take_round(round);
    }

    /// Takes a reading that nobody needs any more, for its memory.
    pub fn recycle(&mut self, reading: Box<AgentReading>) {
        self.spare.take_reading(reading);
    }

    fn probe(&mut self, device: u32, owner: Owner, now: Now) {
        let slot = self.launch(device, (owner, Stage::Question), now);
        match (slot, owner) {
            (Some(slot), _) => drop(self.probes.insert((device, slot))),
            (None, Owner::Liveness { token, started, .. }) => self.events.push(AgentEvent::Liveness {
                device: id_of(device),
                token,
                result: Err(AgentFailure::Timeout),
                started,
                ended: now.mono,
            }),
            (None, Owner::Round) => {}
        }
    }

    /// Sends a request, or the discovery that has to come before it. `None` if no number is free.
    fn launch(&mut self, device: u32, (owner, stage): (Owner, Stage), now: Now) -> Option<u32> {
        let (slot, id) = self.flights.reserve(self.random.next_u32())?;
        self.salt = self.salt.wrapping_add(1);
        let agent = self.agents.get(device as usize)?.as_ref()?;
        let v3 = agent.session.version() == Version::V3;
        let request_id = if v3 {
            (self.random.next_u32() >> 1).cast_signed()
        } else {
            id
        };
        let asks_round = owner == Owner::Round && stage == Stage::Question;
        let (kind, names) = match agent.question() {
            device::Question::Ask(kind, names) if asks_round => (kind, names),
            _ => (PduKind::Get, &*self.uptime.0),
        };
        let stage = if agent.session.needs_discovery() {
            Stage::Discovery
        } else {
            stage
        };
        let bytes = if stage == Stage::Discovery {
            Session::discovery(id, request_id)
        } else {
            let question = Question {
                id,
                request_id,
                kind,
                repetitions: agent.repetitions(),
                names,
                plain: stage == Stage::Diagnosis,
            };
            agent.session.ask(&question, self.salt, now.mono)
        };
        let flight = Flight {
            device,
            owner,
            stage,
            id,
            request_id,
            kind,
            sent: now.mono,
            deadline: now.mono + agent.timeout,
            hint: None,
            engines: Vec::new(),
        };
        self.events.push(AgentEvent::Send {
            channel: Channel::Udp(agent.channel),
            to: agent.target,
            bytes,
        });
        self.flights.launch(slot, flight);
        Some(slot)
    }

    fn agent(&mut self, device: u32) -> Option<&mut Agent> {
        self.agents.get_mut(device as usize)?.as_deref_mut()
    }
}

fn id_of(device: u32) -> DeviceId {
    DeviceId(device)
}

/// FNV-1a of the name: the same socket after every reload and restart.
fn channel_of(name: &str) -> u8 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    u8::try_from(hash % u64::from(UDP_SOCKETS)).unwrap_or(0)
}
