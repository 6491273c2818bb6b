//! A network of a few lines on a virtual clock: each address behaves in one way until told otherwise.

use hinomi::model::snmp::{Credentials, SnmpAccess};
use hinomi::model::{
    Confirm, DaemonSettings, Device, DeviceId, Language, Liveness, Mono, Now, Operator, Owner, PollSettings, Recover,
    Role, Secret, Site, Status, Wall,
};
use hinomi::poll::{Channel, Observation, Poll, PollEffect, PollInput, ReachRound};
use hinomi::wire::snmp::{Message, PduKind, Value, decode, encode_community};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Interval 10 s, three echoes, timeout 2 s, confirm 15 over 10 s.
pub(super) fn device(name: &str, address: &str) -> Device {
    Device {
        name: name.into(),
        role: Role::Managed,
        address: address.parse().unwrap(),
        zone: None,
        owner: Owner::Own,
        group: None,
        site: None,
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: Liveness::Echo,
        poll: PollSettings {
            interval: secs(10),
            timeout: secs(2),
            echoes: 3,
            confirm: Confirm {
                echoes: 15,
                over: secs(10),
            },
            recover: Recover {
                rounds: 3,
                over: secs(60),
            },
        },
        snmp: None,
        profile: None,
        interfaces: [].into(),
        watches: [].into(),
        thresholds: Default::default(),
        findings: Default::default(),
        circuit: None,
        parents: Vec::new(),
        demarcation: None,
    }
}

pub(super) fn access() -> Option<Arc<SnmpAccess>> {
    let credentials = Credentials::V2c {
        community: Secret::new(*b"lab"),
    };
    Some(Arc::new(SnmpAccess {
        text: Default::default(),
        interfaces_max: SnmpAccess::INTERFACES_MAX,
        name: "core".to_owned(),
        port: 161,
        credentials,
    }))
}

pub(super) fn site(devices: Vec<Device>) -> Arc<Site> {
    Arc::new(Site {
        operator: Operator {
            name: "Example".to_owned(),
            phone: None,
            language: Language::English,
            timezone: "UTC".to_owned(),
            holidays: [].into(),
        },
        daemon: DaemonSettings {
            state: "/nonexistent".into(),
            listen: "127.0.0.1:0".parse().unwrap(),
            metrics: None,
        },
        uplinks: Vec::new(),
        devices,
        accesses: Vec::new(),
        profiles: hinomi::config::builtin_profiles(),
        findings: BTreeMap::new(),
        redundancy: Vec::new(),
        contacts: Vec::new(),
        procedures: Vec::new(),
        routes: Vec::new(),
        maintenance: Vec::new(),
        heartbeat: None,
        traps: None,
        plugins: Default::default(),
        fingerprint: String::new(),
    })
}

/// How an address behaves.
#[derive(Clone)]
pub(super) enum Behaviour {
    Answer(Duration),
    Twice(Duration),
    Silent,
    /// Percent lost.
    Lossy(u32, Duration),
    /// Another packet comes in place of the reply: its source and ICMP message.
    Forged(fn(&[u8]) -> (&'static str, Vec<u8>)),
    /// This router says "host unreachable" and quotes so many octets of the ICMP message.
    Unreachable(&'static str, usize),
    CannotSend(&'static str),
    /// TCP only.
    Refused,
    /// TCP only: the shell never tells.
    Forgotten,
}

pub(super) struct Net {
    pub(super) poll: Poll,
    pub(super) now: Mono,
    pub(super) seen: Vec<(Mono, Observation)>,
    pub(super) sent: Vec<(Mono, SocketAddr)>,
    pub(super) connects: Vec<Mono>,
    /// Watched services that were to be asked.
    pub(super) asks: Vec<(Mono, hinomi::poll::AskJob)>,
    behaviours: BTreeMap<IpAddr, Behaviour>,
    waiting: BTreeMap<(Mono, u64), PollInput>,
    count: u64,
    rng: StdRng,
}

impl Net {
    pub(super) fn new(site: Arc<Site>) -> Net {
        let now = Mono(1_000_000_000);
        let poll = Poll::new(
            site,
            [7; 32],
            Now {
                mono: now,
                wall: Wall(0),
            },
        );
        Net {
            poll,
            now,
            seen: Vec::new(),
            sent: Vec::new(),
            connects: Vec::new(),
            asks: Vec::new(),
            behaviours: BTreeMap::new(),
            waiting: BTreeMap::new(),
            count: 0,
            rng: StdRng::from_seed([1; 32]),
        }
    }

    pub(super) fn planned(name: &str, address: &str) -> Device {
        Device {
            status: Status::Planned,
            ..device(name, address)
        }
    }

    pub(super) fn clock(&self) -> Now {
        Now {
            mono: self.now,
            wall: Wall((self.now.0 / 1000) as i64),
        }
    }

    pub(super) fn set(&mut self, address: &str, behaviour: Behaviour) {
        self.behaviours.insert(address.parse().unwrap(), behaviour);
    }

    pub(super) fn reach(&self, id: DeviceId) -> impl Iterator<Item = (Mono, &ReachRound)> {
        self.seen.iter().filter_map(move |(at, o)| match o {
            Observation::Reach(r) if r.device == id => Some((*at, r)),
            _ => None,
        })
    }

    pub(super) fn input(&mut self, input: PollInput) {
        self.poll.take(input, self.clock());
        self.carry_out();
    }

    pub(super) fn icmp_in(&mut self, from: &str, bytes: Vec<u8>) {
        let from = SocketAddr::new(from.parse().unwrap(), 0);
        self.input(PollInput::Datagram {
            channel: Channel::Icmp,
            from,
            at: self.now,
            bytes,
        });
    }

    pub(super) fn reload(&mut self, site: Arc<Site>) {
        self.poll.reload(site, self.clock());
        self.carry_out();
    }

    /// Wakes exactly when asked.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.waiting.keys().next().map_or(Mono::NEVER, |k| k.0);
            let wakeup = self.poll.next_wakeup();
            if arrival.min(wakeup) > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(arrival.min(wakeup));
            if arrival <= wakeup {
                let (_, input) = self.waiting.pop_first().unwrap();
                self.input(input);
            } else {
                self.poll.wake(self.clock());
                self.carry_out();
            }
        }
    }

    /// The process stands still; what arrives meanwhile is read, with the time of reading, when it goes on.
    pub(super) fn stall(&mut self, time: Duration) {
        self.now = self.now + time;
        for ((_, _), mut input) in std::mem::take(&mut self.waiting) {
            if let PollInput::Datagram { at, .. } = &mut input {
                *at = self.now;
            }
            self.input(input);
        }
        self.poll.wake(self.clock());
        self.carry_out();
    }

    fn later(&mut self, after: Duration, input: PollInput) {
        self.count += 1;
        self.waiting.insert((self.now + after, self.count), input);
    }

    fn carry_out(&mut self) {
        for effect in self.poll.effects() {
            match effect {
                PollEffect::Observed(o) => self.seen.push((self.now, o)),
                PollEffect::Send { channel, to, bytes } => self.deliver(channel, to, &bytes),
                PollEffect::TcpConnect { token, to, timeout } => self.connect(token, to, timeout),
                PollEffect::Ask(job) => self.asks.push((self.now, job)),
            }
        }
    }

    fn behaviour(&self, to: SocketAddr) -> Behaviour {
        self.behaviours
            .get(&to.ip())
            .cloned()
            .unwrap_or(Behaviour::Answer(ms(5)))
    }

    fn connect(&mut self, token: u64, to: SocketAddr, timeout: Duration) {
        self.connects.push(self.now);
        let (after, result) = match self.behaviour(to) {
            Behaviour::Answer(rtt) => (rtt, Ok(rtt)),
            Behaviour::Refused => (ms(1), Err("Connection refused".to_owned())),
            Behaviour::Forgotten => return,
            _ => (timeout, Err("timed out".to_owned())),
        };
        self.later(after, PollInput::TcpEnded { token, result });
    }

    fn deliver(&mut self, channel: Channel, to: SocketAddr, bytes: &[u8]) {
        self.sent.push((self.now, to));
        let address = to.ip().to_string();
        let copies = match self.behaviour(to) {
            Behaviour::Answer(rtt) => vec![rtt],
            Behaviour::Twice(rtt) => vec![rtt, rtt + ms(1)],
            Behaviour::Lossy(percent, rtt) if self.rng.next_u32() % 100 >= percent => vec![rtt],
            Behaviour::CannotSend(error) => {
                return self.later(
                    Duration::ZERO,
                    PollInput::SendFailed {
                        channel,
                        to,
                        error: error.to_owned(),
                    },
                );
            }
            Behaviour::Forged(forge) if channel == Channel::Icmp => {
                let (from, message) = forge(&reply(bytes, to.is_ipv6()));
                return self.arrive(
                    ms(5),
                    channel,
                    SocketAddr::new(from.parse().unwrap(), 0),
                    packet(from, message),
                );
            }
            Behaviour::Unreachable(router, quote) if channel == Channel::Icmp => {
                let error = icmp_error(&address, &bytes[..quote.min(bytes.len())]);
                return self.arrive(ms(5), channel, SocketAddr::new(router.parse().unwrap(), 0), error);
            }
            _ => Vec::new(),
        };
        for rtt in copies {
            let answer = match channel {
                Channel::Icmp => packet(&address, reply(bytes, to.is_ipv6())),
                Channel::Udp(_) => agent_answer(bytes, self.now),
            };
            self.arrive(rtt, channel, to, answer);
        }
    }

    fn arrive(&mut self, after: Duration, channel: Channel, from: SocketAddr, bytes: Vec<u8>) {
        let at = self.now + after;
        self.later(
            after,
            PollInput::Datagram {
                channel,
                from,
                at,
                bytes,
            },
        );
    }
}

/// The answer of an agent that has a sysUpTime and nothing else.
fn agent_answer(request: &[u8], now: Mono) -> Vec<u8> {
    let Ok(Message::Community {
        version,
        community,
        pdu,
    }) = decode(request)
    else {
        panic!("not a v2c request")
    };
    let mut pdu = pdu.to_pdu();
    for v in &mut pdu.varbinds {
        v.value = match pdu.kind {
            PduKind::Get if v.oid == [1, 3, 6, 1, 2, 1, 1, 3, 0] => Value::TimeTicks((now.0 / 10_000) as u32),
            PduKind::Get => Value::NoSuchObject,
            _ => Value::EndOfMibView,
        };
    }
    (pdu.kind, pdu.error_status, pdu.error_index) = (PduKind::Response, 0, 0);
    encode_community(version, community, &pdu)
}

/// The reply of an honest host to an echo request.
fn reply(request: &[u8], v6: bool) -> Vec<u8> {
    let mut message = request.to_vec();
    message[0] = if v6 { 129 } else { 0 };
    message
}

/// The same message with one bit flipped.
pub(super) fn flip(message: &[u8], at: usize) -> Vec<u8> {
    let mut message = message.to_vec();
    message[at] ^= 1;
    message
}

/// An ICMP message as a RAW socket gives it, with a fitting checksum: IPv4 with its header, ICMPv6 without.
pub(super) fn packet(from: &str, mut message: Vec<u8>) -> Vec<u8> {
    let IpAddr::V4(from) = from.parse().unwrap() else {
        return message;
    };
    if message.len() >= 4 {
        message[2..4].fill(0);
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let mut out = header(from.octets(), [192, 0, 2, 200], message.len());
    out.extend(message);
    out
}

/// "Host unreachable" about an echo request to `target`.
pub(super) fn icmp_error(target: &str, quoted: &[u8]) -> Vec<u8> {
    let IpAddr::V4(target) = target.parse().unwrap() else {
        panic!("IPv4 only")
    };
    let mut message = vec![3, 1, 0, 0, 0, 0, 0, 0];
    message.extend(header([192, 0, 2, 200], target.octets(), quoted.len()));
    message.extend(quoted);
    packet("198.51.100.7", message)
}

fn header(from: [u8; 4], to: [u8; 4], payload: usize) -> Vec<u8> {
    let mut h = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
    h[2..4].copy_from_slice(&u16::try_from(20 + payload).unwrap().to_be_bytes());
    h.extend(from);
    h.extend(to);
    h
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
