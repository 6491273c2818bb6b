//! A pocket world for the core: hosts that answer, links to cut, relays that accept or not, and a clock to push.
//!
//! The truth of the world (who is up, what a counter says) is here and nowhere else; the core sees only datagrams.

use hinomi::core::player::{Player, Said};
use hinomi::core::tape::{Beginning, Line, Wants};
use hinomi::core::{Core, Effect, Input, MaintenanceOrder};
use hinomi::incident::{Batch, Head, Restored, RowChange};
use hinomi::model::maintenance::By;
use hinomi::model::service::{Answer, Failure};
use hinomi::model::{Mono, Now, Site, Wall, Window};
use hinomi::notify::{Delivery, Outcome, RouteTest, Stage};
use hinomi::poll::agent::memory::Memories;
use hinomi::poll::{Channel, PollInput};
use hinomi::wire::snmp::{Message, Pdu, PduKind, Value, VarBind, Version, decode, encode_community};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// One way through the world takes this long.
const LATENCY: Duration = Duration::from_millis(3);
/// A relay takes a mail in this time.
const RELAY: Duration = Duration::from_millis(200);

/// A mail a relay has taken.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) at: Duration,
    pub(super) delivery: Delivery,
}

/// A port of a simulated device.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) up: bool,
    pub(super) admin_up: bool,
    pub(super) speed_mbps: u32,
    pub(super) in_bps: u64,
    pub(super) out_bps: u64,
    pub(super) in_octets: f64,
    pub(super) out_octets: f64,
    pub(super) index: u32,
}

/// A simulated SNMP agent (v2c).
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) community: Vec<u8>,
    pub(super) running: bool,
    pub(super) cpu: Option<i64>,
    pub(super) ports: Vec<Port>,
    /// When it last started; `None`: long before the story.
    pub(super) booted: Option<Duration>,
    pub(super) values: BTreeMap<Vec<u32>, Value>,
    /// Where it does not tell the truth: the start of identifiers, how, and what stood there when it began to.
    lies: Vec<(Vec<u32>, Lie, Objects)>,
}

/// Values by identifier.
type Objects = BTreeMap<Vec<u32>, Value>;

/// How an agent may be wrong about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// It has none.
    Lacks,
    /// Its value stands.
    Freezes,
    /// It has another type.
    Retypes,
    /// It is 0.
    Zero,
}

struct Host {
    up: bool,
    /// Forwards, but does not answer itself.
    mute: bool,
    agent: Option<Agent>,
}

/// The world.
pub(super) struct World {
    pub(super) core: Core,
    pub(super) site: Arc<Site>,
    pub(super) taken: Vec<Taken>,
    pub(super) relays_down: BTreeSet<String>,
    pub(super) uplink_up: bool,
    /// Addresses that this host cannot send to.
    pub(super) unsendable: BTreeSet<IpAddr>,
    /// Who says of an address that it cannot be reached.
    pub(super) says_unreachable: BTreeMap<IpAddr, IpAddr>,
    pub(super) loss_percent: u32,
    pub(super) commit_fails: bool,
    /// What watched services answer, by the watch's name, and how long that takes.
    pub(super) answers: BTreeMap<String, (Duration, Result<Answer, Failure>)>,
    /// How often the core was woken or given something.
    pub(super) wakes: u64,
    /// What the ledger holds.
    pub(super) events: Vec<String>,
    rows: BTreeMap<u64, RowChange>,
    unwritten: Vec<Batch>,
    hosts: BTreeMap<IpAddr, Host>,
    now: Duration,
    start: Now,
    queue: BTreeMap<(Duration, u64), Input>,
    order: u64,
    random: u64,
    moved: Duration,
    /// Of each life of the core: what it took in, as JSON lines.
    records: Option<Vec<Vec<String>>>,
    /// Configurations that were ever in force.
    sites: Vec<Arc<Site>>,
}

impl World {
    /// As [`World::new`], and everything is recorded, to be played again by [`World::play_again`].
    pub(super) fn recording(site: Site) -> World {
        World::with(site, true)
    }

    /// A world in which everything in the site is well.
    pub(super) fn new(site: Site) -> World {
        World::with(site, false)
    }

    fn with(site: Site, recording: bool) -> World {
        let start = Now {
            mono: Mono(1_000_000_000),
            wall: Wall(1_794_000_000_000),
        };
        let site = Arc::new(site);
        let restored = Restored {
            ledger_id: "testledger".to_owned(),
            ..Restored::default()
        };
        let began = Beginning::of_start(&restored, &site, true, start);
        let core = Core::new(site.clone(), restored, [7; 32], start);
        let mut world = World {
            core,
            sites: vec![site.clone()],
            records: recording.then(Vec::new),
            site,
            taken: Vec::new(),
            relays_down: BTreeSet::new(),
            uplink_up: true,
            unsendable: BTreeSet::new(),
            says_unreachable: BTreeMap::new(),
            loss_percent: 0,
            commit_fails: false,
            answers: BTreeMap::new(),
            wakes: 0,
            events: Vec::new(),
            rows: BTreeMap::new(),
            unwritten: Vec::new(),
            hosts: BTreeMap::new(),
            now: Duration::ZERO,
            start,
            queue: BTreeMap::new(),
            order: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            moved: Duration::ZERO,
        };
        world.people_hosts();
        world.record(began);
        world.carry();
        world
    }

    fn record(&mut self, began: Beginning) {
        if let Some(records) = &mut self.records {
            let wants = Wants {
                all: true,
                ..Wants::default()
            };
            self.core.record_from_start(wants);
            let first = serde_json::to_string(&Line::Began(Box::new(began))).expect("a record is JSON");
            records.push(vec![first]);
        }
    }

    /// Plays what was recorded through cores of its own and says where it was told otherwise.
    pub(super) fn play_again(&self) -> Result<(), String> {
        for record in self.records.iter().flatten() {
            let lines = record
                .iter()
                .map(|l| serde_json::from_str::<Line>(l).map_err(|e| format!("{e}: {l}")));
            let lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
            let by_fingerprint = |f: &str| self.sites.iter().find(|s| s.fingerprint == f).cloned();
            let Some(Line::Began(began)) = lines.first() else {
                return Err("no beginning".to_owned());
            };
            let site = by_fingerprint(&began.fingerprint).ok_or("its site is not known")?;
            let mut player = Player::new(&lines[0], site).map_err(|e| e.to_string())?;
            let mut said = Vec::new();
            for line in &lines {
                player
                    .line(line.clone(), by_fingerprint, &mut said)
                    .map_err(|e| e.to_string())?;
            }
            let wanted = lines.iter().filter_map(|l| match l {
                Line::Mail(mail) => Some(mail.as_ref().clone()),
                _ => None,
            });
            let played = said.into_iter().filter_map(|s| match s {
                Said::Mail(mail) => Some(*mail),
                Said::Event(_) => None,
            });
            let (wanted, played): (Vec<Delivery>, Vec<Delivery>) = (wanted.collect(), played.collect());
            if !player.is_exact() || wanted != played {
                let at = wanted.iter().zip(&played).take_while(|(a, b)| a == b).count();
                return Err(format!(
                    "{} mails then, {} played, the first other one is number {at}:\n{:#?}\n{:#?}",
                    wanted.len(),
                    played.len(),
                    wanted.get(at),
                    played.get(at)
                ));
            }
        }
        Ok(())
    }

    fn people_hosts(&mut self) {
        for device in &self.site.devices {
            let agent = device.snmp.as_ref().map(|access| Agent {
                community: match &access.credentials {
                    hinomi::model::snmp::Credentials::V1 { community }
                    | hinomi::model::snmp::Credentials::V2c { community } => community.expose().to_vec(),
                    hinomi::model::snmp::Credentials::V3(_) => Vec::new(),
                },
                running: true,
                cpu: Some(10),
                ports: device
                    .interfaces
                    .iter()
                    // What is found by another text than its name is made by the story.
                    .filter(|wanted| !wanted.pattern.contains(':'))
                    .enumerate()
                    .map(|(i, wanted)| Port {
                        name: wanted.pattern.replace('*', "0"),
                        alias: "port".to_owned(),
                        up: true,
                        admin_up: true,
                        speed_mbps: 1000,
                        in_bps: 0,
                        out_bps: 0,
                        in_octets: 1e6,
                        out_octets: 1e6,
                        index: 501 + i as u32,
                    })
                    .collect(),
                booted: None,
                values: BTreeMap::new(),
                lies: Vec::new(),
            });
            self.hosts.entry(device.address).or_insert(Host {
                up: true,
                mute: false,
                agent,
            });
        }
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.now
    }

    pub(super) fn clock(&self) -> Now {
        Now {
            mono: self.start.mono + self.now,
            wall: self.start.wall.after(self.now),
        }
    }

    /// Runs to this time.
    pub(super) fn run_to(&mut self, until: Duration) {
        loop {
            let wake = self.core.next_wakeup();
            let wake = if wake == Mono::NEVER {
                until
            } else {
                wake.since(self.start.mono)
            };
            // The daemon's tick.
            let wake = Duration::from_millis((wake.as_micros() as u64).div_ceil(10_000) * 10);
            let arrives = self.queue.keys().next().map_or(until, |k| k.0);
            let next = wake.min(arrives).max(self.now);
            if next >= until {
                self.advance(until);
                return;
            }
            self.advance(next);
            let mut moved = false;
            self.wakes += 1;
            while let Some(key) = self.queue.keys().next().copied().filter(|k| k.0 <= self.now) {
                moved = true;
                let input = self.queue.remove(&key).expect("the key was just read");
                self.core.take(self.stamp(input), self.clock());
                self.carry();
            }
            if wake <= self.now || !moved {
                self.core.wake(self.clock());
                self.carry();
                // A wake-up that asks to be woken at once again must not stop the world's clock.
                if self.core.next_wakeup() <= self.clock().mono
                    && self.queue.keys().next().is_none_or(|k| k.0 > self.now)
                {
                    self.now += Duration::from_millis(10);
                }
            }
        }
    }

    /// Hands an input in now.
    pub(super) fn give(&mut self, input: Input) {
        self.core.take(input, self.clock());
        self.carry();
    }

    fn stamp(&self, input: Input) -> Input {
        match input {
            Input::Poll(PollInput::Datagram {
                channel, from, bytes, ..
            }) => Input::Poll(PollInput::Datagram {
                channel,
                from,
                at: self.clock().mono,
                bytes,
            }),
            other => other,
        }
    }

    fn advance(&mut self, to: Duration) {
        let seconds = to.saturating_sub(self.moved).as_secs_f64();
        for host in self.hosts.values_mut() {
            for port in host.agent.iter_mut().flat_map(|a| &mut a.ports) {
                port.in_octets += port.in_bps as f64 / 8.0 * seconds;
                // Our own echo requests, at the least.
                port.out_octets += port.out_bps.max(400) as f64 / 8.0 * seconds;
            }
        }
        self.moved = self.moved.max(to);
        self.now = self.now.max(to);
    }

    fn push(&mut self, after: Duration, input: Input) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), input);
    }

    fn carry(&mut self) {
        if let Some(record) = self.records.as_mut().and_then(|r| r.last_mut()) {
            let lines = self.core.recorded();
            record.extend(
                lines
                    .iter()
                    .map(|l| serde_json::to_string(l).expect("a record is JSON")),
            );
        }
        for effect in self.core.effects() {
            match effect {
                Effect::Send { channel, to, bytes } => self.send(channel, to, &bytes),
                Effect::TcpConnect { token, to, .. } => {
                    let result = match self.reachable(to.ip()) {
                        true => Ok(LATENCY),
                        false => Err("timed out".to_owned()),
                    };
                    self.push(LATENCY, Input::Poll(PollInput::TcpEnded { token, result }));
                }
                Effect::Ask(job) => {
                    let unscripted = || {
                        let why = "the story says nothing of it".to_owned();
                        (LATENCY, Err(Failure::NotKnown(why)))
                    };
                    let (took, result) = self.answers.get(&*job.watch).cloned().unwrap_or_else(unscripted);
                    let token = job.token;
                    self.push(took, Input::Poll(PollInput::Asked { token, took, result }));
                }
                Effect::Commit(batch) => {
                    // As the real ledger does: what could not be written is written before the next batch.
                    self.unwritten.push(batch.clone());
                    let result = match self.commit_fails {
                        true => Err("No space left on device".to_owned()),
                        false => {
                            for batch in std::mem::take(&mut self.unwritten) {
                                self.events.extend(batch.events);
                                self.rows.extend(batch.rows.into_iter().map(|r| (r.id, r)));
                            }
                            Ok(Head {
                                seq: self.events.len() as u64,
                                hash: "0".repeat(64),
                            })
                        }
                    };
                    self.push(
                        Duration::from_millis(2),
                        Input::Committed {
                            batch: batch.id,
                            result,
                        },
                    );
                }
                Effect::Deliver(delivery) => self.deliver(delivery),
                Effect::TestRoute { route, with_auth } => {
                    let result = match self.route_works(&route) {
                        true => Ok(format!("{route} relay")),
                        false => Err((Stage::Connect, "Connection timed out".to_owned())),
                    };
                    let test = RouteTest {
                        route,
                        with_auth,
                        transcript: Vec::new(),
                        result,
                    };
                    self.push(RELAY, Input::RouteTested(test));
                }
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        let attempt = delivery.attempt;
        let outcome = match self.route_works(&delivery.route) {
            true => {
                self.taken.push(Taken {
                    at: self.now + RELAY,
                    delivery,
                });
                Outcome::Accepted {
                    relay: "relay:25".to_owned(),
                    reply: "250 queued".to_owned(),
                }
            }
            false => Outcome::Failed {
                stage: Stage::Connect,
                error: "Connection timed out".to_owned(),
            },
        };
        self.push(RELAY, Input::Delivered { attempt, outcome });
    }

    fn route_works(&self, name: &str) -> bool {
        let Some(route) = self.site.routes.iter().find(|r| &*r.name == name) else {
            return false;
        };
        let up = |id: &hinomi::model::DeviceId| self.reachable(self.site.device(*id).address);
        let crossed = route.crosses.iter().all(|c| match c {
            hinomi::model::Crossing::Device(id) => up(id),
            hinomi::model::Crossing::Any(ids) => ids.iter().any(up),
        });
        !self.relays_down.contains(name) && crossed && (self.uplink_up || route.out_of_band)
    }

    /// Whether packets come back from an address: the host is up, and one way to it is.
    pub(super) fn reachable(&self, address: IpAddr) -> bool {
        self.forwards(address) && self.hosts.get(&address).is_some_and(|h| !h.mute)
    }

    fn forwards(&self, address: IpAddr) -> bool {
        if !self.uplink_up || !self.hosts.get(&address).is_some_and(|h| h.up) {
            return false;
        }
        let Some(device) = self.site.devices.iter().find(|d| d.address == address) else {
            return true;
        };
        device.parents.is_empty()
            || device
                .parents
                .iter()
                .any(|p| self.forwards(self.site.device(*p).address))
    }

    fn lost(&mut self) -> bool {
        // xorshift64: the world's own dice, the same in every run.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 33) % 100 < u64::from(self.loss_percent)
    }

    fn send(&mut self, channel: Channel, to: SocketAddr, bytes: &[u8]) {
        if self.unsendable.contains(&to.ip()) {
            let error = "Network is unreachable (os error 101)".to_owned();
            let failed = PollInput::SendFailed { channel, to, error };
            return self.push(Duration::ZERO, Input::Poll(failed));
        }
        let router = self.says_unreachable.get(&to.ip()).copied();
        if let Some(router) =
            router.filter(|r| channel == Channel::Icmp && self.reachable(*r) && !self.reachable(to.ip()))
        {
            let datagram = PollInput::Datagram {
                channel,
                from: SocketAddr::new(router, 0),
                at: Mono(0),
                bytes: unreachable(router, to.ip(), bytes),
            };
            return self.push(LATENCY, Input::Poll(datagram));
        }
        // Lost on the way there, or on the way back.
        if !self.reachable(to.ip()) || self.lost() || self.lost() {
            return;
        }
        let answer = match channel {
            Channel::Icmp => Some(echo_reply(to.ip(), bytes)),
            Channel::Udp(_) => {
                let uptime = self.now;
                self.hosts
                    .get(&to.ip())
                    .and_then(|h| h.agent.as_ref())
                    .and_then(|a| a.answer(bytes, uptime))
            }
        };
        if let Some(bytes) = answer {
            self.push(
                LATENCY,
                Input::Poll(PollInput::Datagram {
                    channel,
                    from: to,
                    at: Mono(0),
                    bytes,
                }),
            );
        }
    }

    /// The address of a device.
    pub(super) fn address(&self, device: &str) -> IpAddr {
        let id = self
            .site
            .find(device)
            .unwrap_or_else(|| panic!("no device `{device}` in the story's site"));
        self.site.device(id).address
    }

    /// Takes a host down or up.
    pub(super) fn host(&mut self, device: &str, up: bool) {
        let address = self.address(device);
        self.hosts.get_mut(&address).expect("every device is a host").up = up;
    }

    /// The device goes on forwarding but answers nothing itself, or answers again.
    pub(super) fn mute(&mut self, device: &str, mute: bool) {
        let address = self.address(device);
        self.hosts.get_mut(&address).expect("every device is a host").mute = mute;
    }

    /// The agent of a device.
    pub(super) fn agent(&mut self, device: &str) -> &mut Agent {
        let address = self.address(device);
        let host = self.hosts.get_mut(&address).expect("every device is a host");
        host.agent
            .as_mut()
            .unwrap_or_else(|| panic!("`{device}` has no snmp in the story's site"))
    }

    /// From now on the agent of a device lies about the objects that begin with this.
    pub(super) fn lie(&mut self, device: &str, object: &[u32], lie: Lie) {
        let now = self.now;
        let agent = self.agent(device);
        let stood = agent.table(now).into_iter().filter(|(oid, _)| oid.starts_with(object));
        let stood = stood.collect();
        agent.lies.push((object.to_vec(), lie, stood));
    }

    /// The daemon is killed and starts again `down_for` later, with what the ledger holds.
    pub(super) fn restart(&mut self, down_for: Duration) {
        self.queue.clear();
        let at = self.now + down_for;
        self.advance(at);
        let restored = Restored {
            ledger_id: "testledger".to_owned(),
            events: self.events.clone(),
            rows: self.rows.values().cloned().collect(),
            head: None,
            last_row: self.rows.keys().max().copied().unwrap_or(0),
            ..Restored::default()
        };
        let began = Beginning::of_start(&restored, &self.site, true, self.clock());
        self.core = Core::new(self.site.clone(), restored, [9; 32], self.clock());
        self.record(began);
        self.carry();
    }

    /// As [`World::restart`], and what was learned of agents was kept, as the daemon keeps it.
    pub(super) fn restart_with_memory(&mut self, down_for: Duration) {
        let memories = Memories {
            at: self.clock().wall,
            profiles: self.core.profiles_mark(),
            devices: self
                .core
                .remember(0..usize::MAX, self.clock())
                .into_iter()
                .map(|m| (m.name().clone(), m))
                .collect(),
        };
        self.restart(down_for);
        self.core.recall(memories, self.clock());
    }

    /// Another configuration.
    pub(super) fn reload(&mut self, site: Site) {
        self.site = Arc::new(site);
        self.sites.push(self.site.clone());
        self.people_hosts();
        self.core.take(Input::Reload(self.site.clone()), self.clock());
        self.carry();
    }

    /// An operator takes an incident in hand.
    pub(super) fn acknowledge(&mut self, incident: u64, by: &str) -> Result<(), String> {
        let result = self.core.acknowledge(incident, by, self.clock());
        self.carry();
        result
    }

    /// Work is announced on the command line, from now on.
    pub(super) fn maintain(&mut self, name: &str, length: Duration, what: &[&str]) {
        let now = self.clock();
        let window = Window {
            name: name.into(),
            what: what.iter().map(|w| (*w).into()).collect(),
            by: By::Own,
            start: now.wall,
            end: now.wall.after(length),
            set_by: "noc".to_owned(),
            note: None,
        };
        self.core
            .maintain(MaintenanceOrder::Set(window), now)
            .expect("a window");
        self.carry();
    }

    /// And ended before its time.
    pub(super) fn maintain_end(&mut self, name: &str) {
        let end = MaintenanceOrder::End {
            name: name.into(),
            by: "noc".to_owned(),
        };
        self.core.maintain(end, self.clock()).expect("a window in force");
        self.carry();
    }

    /// A picture of the core.
    pub(super) fn snapshot(&self) -> hinomi::core::Snapshot {
        self.core.snapshot(self.clock())
    }
}

/// The headers of an IPv4 packet with ICMP inside.
fn ipv4(from: IpAddr, to: IpAddr, length: usize) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
    packet[2..4].copy_from_slice(&((20 + length) as u16).to_be_bytes());
    for address in [from, to] {
        let IpAddr::V4(v4) = address else {
            panic!("{address} is not IPv4")
        };
        packet.extend(v4.octets());
    }
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// A router has no route: net unreachable, with the echo that it is about.
fn unreachable(router: IpAddr, target: IpAddr, request: &[u8]) -> Vec<u8> {
    let us: IpAddr = [192, 0, 2, 250].into();
    let mut icmp = vec![3, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(ipv4(us, target, request.len()));
    icmp.extend(request);
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = ipv4(router, us, icmp.len());
    packet.extend(icmp);
    packet
}

fn echo_reply(from: IpAddr, request: &[u8]) -> Vec<u8> {
    let mut icmp = request.to_vec();
    icmp[0] = if from.is_ipv4() { 0 } else { 129 };
    (icmp[2], icmp[3]) = (0, 0);
    if let IpAddr::V4(from) = from {
        let sum = checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut packet = ipv4(from.into(), [192, 0, 2, 250].into(), icmp.len());
        packet.extend(icmp);
        return packet;
    }
    icmp
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|c| u32::from(c[0]) << 8 | u32::from(*c.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

impl Lie {
    /// What it makes of a value.
    fn of(self, value: &Value) -> Value {
        let zero = self == Lie::Zero;
        match value {
            Value::Counter64(_) if zero => Value::Counter64(0),
            Value::Counter32(_) if zero => Value::Counter32(0),
            Value::Gauge32(_) if zero => Value::Gauge32(0),
            Value::TimeTicks(_) if zero => Value::TimeTicks(0),
            Value::Integer(_) if zero => Value::Integer(0),
            _ if zero => Value::OctetString(Vec::new()),
            Value::Counter64(v) => Value::Gauge32(*v as u32),
            Value::OctetString(_) => Value::Integer(7),
            _ => Value::OctetString(b"unreadable".to_vec()),
        }
    }
}

impl Agent {
    fn table(&self, now: Duration) -> BTreeMap<Vec<u32>, Value> {
        let up = match self.booted {
            Some(at) => now.saturating_sub(at),
            None => now + Duration::from_secs(86_400),
        };
        let ticks = (up.as_millis() / 10) as u32;
        let mut all = self.values.clone();
        let mut put = |oid: &[u32], index: Option<u32>, value: Value| {
            all.insert(oid.iter().copied().chain(index).collect(), value);
        };
        put(
            &[1, 3, 6, 1, 2, 1, 1, 2, 0],
            None,
            Value::Oid(vec![1, 3, 6, 1, 4, 1, 8072, 3, 2, 10]),
        );
        put(&[1, 3, 6, 1, 2, 1, 1, 3, 0], None, Value::TimeTicks(ticks));
        put(
            &[1, 3, 6, 1, 2, 1, 2, 1, 0],
            None,
            Value::Integer(self.ports.len() as i64),
        );
        if let Some(cpu) = self.cpu {
            put(&[1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2], Some(196_608), Value::Integer(cpu));
        }
        for port in &self.ports {
            let status = |up: bool| Value::Integer(if up { 1 } else { 2 });
            let name = Value::OctetString(port.name.clone().into_bytes());
            let table = |c: u32| [1, 3, 6, 1, 2, 1, 2, 2, 1, c];
            let wide = |c: u32| [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, c];
            let index = Some(port.index);
            put(&table(7), index, status(port.admin_up));
            put(&table(8), index, status(port.up && port.admin_up));
            for column in [13, 14, 19, 20] {
                put(&table(column), index, Value::Counter32(0));
            }
            put(&wide(1), index, name);
            put(&wide(6), index, Value::Counter64(port.in_octets as u64));
            put(&wide(10), index, Value::Counter64(port.out_octets as u64));
            for (column, octets) in [(7, port.in_octets), (11, port.out_octets)] {
                put(&wide(column), index, Value::Counter64((octets / 500.0) as u64));
            }
            for column in [8, 9, 12, 13] {
                put(&wide(column), index, Value::Counter64(0));
            }
            put(&wide(15), index, Value::Gauge32(port.speed_mbps));
            put(&wide(18), index, Value::OctetString(port.alias.clone().into_bytes()));
            put(&wide(19), index, Value::TimeTicks(0));
        }
        for (object, lie, stood) in &self.lies {
            let lied: Vec<Vec<u32>> = all.keys().filter(|oid| oid.starts_with(object)).cloned().collect();
            for oid in lied {
                match (lie, all.get(&oid)) {
                    (Lie::Lacks, _) => drop(all.remove(&oid)),
                    (Lie::Freezes, _) => drop(stood.get(&oid).map(|value| all.insert(oid, value.clone()))),
                    (Lie::Retypes | Lie::Zero, Some(value)) => {
                        let other = lie.of(value);
                        all.insert(oid, other);
                    }
                    (_, None) => {}
                }
            }
        }
        let broken = self
            .values
            .iter()
            .filter(|(_, v)| matches!(v, Value::Unreadable { .. }));
        all.extend(broken.map(|(oid, value)| (oid.clone(), value.clone())));
        all
    }

    /// A value of its own, an INTEGER.
    pub(super) fn set(&mut self, oid: &[u32], value: i64) {
        self.values.insert(oid.to_vec(), Value::Integer(value));
    }

    /// A value of its own, a Gauge32.
    pub(super) fn set_gauge(&mut self, oid: &[u32], value: u32) {
        self.values.insert(oid.to_vec(), Value::Gauge32(value));
    }

    fn answer(&self, bytes: &[u8], now: Duration) -> Option<Vec<u8>> {
        let Ok(Message::Community {
            version: Version::V2c,
            community,
            pdu,
        }) = decode(bytes)
        else {
            return None;
        };
        if !self.running || community != self.community {
            return None;
        }
        let pdu = pdu.to_pdu();
        let table = self.table(now);
        let next = |oid: &Vec<u32>| {
            use std::ops::Bound::{Excluded, Unbounded};
            match table.range((Excluded(oid.clone()), Unbounded)).next() {
                Some((oid, value)) => VarBind {
                    oid: oid.clone(),
                    value: value.clone(),
                },
                None => VarBind {
                    oid: oid.clone(),
                    value: Value::EndOfMibView,
                },
            }
        };
        let varbinds = match pdu.kind {
            PduKind::Get => {
                let get = |v: &VarBind| table.get(&v.oid).cloned().unwrap_or(Value::NoSuchInstance);
                pdu.varbinds
                    .iter()
                    .map(|v| VarBind {
                        oid: v.oid.clone(),
                        value: get(v),
                    })
                    .collect()
            }
            PduKind::GetNext => pdu.varbinds.iter().map(|v| next(&v.oid)).collect(),
            PduKind::GetBulk => {
                let mut out: Vec<VarBind> = Vec::new();
                let mut last: Vec<Vec<u32>> = pdu.varbinds.iter().map(|v| v.oid.clone()).collect();
                for _ in 0..pdu.error_index.min(20) {
                    for oid in &mut last {
                        let found = next(oid);
                        oid.clone_from(&found.oid);
                        out.push(found);
                    }
                }
                out
            }
            _ => return None,
        };
        let answer = Pdu {
            kind: PduKind::Response,
            error_status: 0,
            error_index: 0,
            varbinds,
            ..pdu
        };
        Some(encode_community(Version::V2c, community, &answer))
    }
}
