//! What polling itself costs at national size: 240,000 circuits, one echo a minute, on a virtual clock and without sockets.
//!
//! `cargo bench --bench scale [-- CIRCUITS]`. Prints CPU per echo (schedule, encode, match, report), memory per circuit, lateness;
//! then a step in which half of all circuits fall silent at once; then the night, with 85 % known to be silent.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use hinomi::model::{
    Confirm, DaemonSettings, Device, DeviceId, Language, Liveness, Mono, Now, Operator, Owner, PollSettings, Recover,
    Role, Site, Status, Wall,
};
use hinomi::poll::{Channel, Observation, Poll, PollEffect, PollInput, RoundKind};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);

/// A network in which circuits below `silent` do not answer; the others do in the next tick.
struct Bench {
    poll: Poll,
    now: Mono,
    silent: u32,
    answers: VecDeque<PollInput>,
    spent: Duration,
    echoes: u64,
    lost: Vec<DeviceId>,
    down: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let circuits = arguments
        .first()
        .map_or(240_000, |a| a.parse().expect("a number of circuits"));
    let site = site(circuits);
    let (before, begun) = (resident(), Instant::now());
    let mut bench = Bench::new(site);
    println!("scale: {circuits} circuits, one echo each 60 s, virtual clock, no sockets");
    println!("start            {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
    bench.run("first minute", 60);
    bench.run("second minute", 60);
    println!(
        "memory           {} octets a circuit",
        (resident() - before) * 1024 / u64::from(circuits)
    );
    bench.silent = circuits / 2;
    bench.run("half silent", 120);
    bench.silent = circuits * 85 / 100;
    (0..bench.silent).for_each(|i| bench.poll.take(PollInput::Silent(DeviceId(i), true), bench.clock()));
    bench.run("into the night", 60);
    bench.run("night", 60);
}

impl Bench {
    fn new(site: Arc<Site>) -> Bench {
        let now = Mono(1_000_000);
        let poll = Poll::new(
            site,
            [3; 32],
            Now {
                mono: now,
                wall: Wall(0),
            },
        );
        let (answers, lost) = (VecDeque::new(), Vec::new());
        Bench {
            poll,
            now,
            silent: 0,
            answers,
            spent: Duration::ZERO,
            echoes: 0,
            lost,
            down: 0,
        }
    }

    fn clock(&self) -> Now {
        Now {
            mono: self.now,
            wall: Wall(0),
        }
    }

    fn run(&mut self, name: &str, seconds: u32) {
        let before = self.poll.counters();
        (self.spent, self.echoes, self.down) = (Duration::ZERO, 0, 0);
        for _ in 0..seconds * 100 {
            self.tick();
        }
        let after = self.poll.counters();
        let late = after
            .lateness
            .iter()
            .zip(&before.lateness)
            .map(|(a, b)| (a.0, a.1 - b.1))
            .collect::<Vec<_>>();
        let total = late.last().map_or(0, |l| l.1);
        let p99 = late
            .iter()
            .find(|l| l.1 as f64 >= total as f64 * 0.99)
            .map_or(f64::NAN, |l| l.0);
        println!(
            "{name:16} {} echoes, {:.2} µs of CPU each, {:.1} % of a core; {total} rounds, p99 at most {p99} s late; {} found down",
            self.echoes,
            self.spent.as_secs_f64() * 1e6 / self.echoes.max(1) as f64,
            self.spent.as_secs_f64() / f64::from(seconds) * 100.0,
            self.down,
        );
    }

    fn tick(&mut self) {
        self.now = self.now + TICK;
        let now = self.clock();
        let answers = std::mem::take(&mut self.answers);
        let silenced = std::mem::take(&mut self.lost);
        let begun = Instant::now();
        answers.into_iter().for_each(|a| self.poll.take(a, now));
        silenced
            .into_iter()
            .for_each(|d| self.poll.take(PollInput::Silent(d, true), now));
        if self.poll.next_wakeup() <= self.now {
            self.poll.wake(now);
        }
        let effects = self.poll.effects();
        self.spent += begun.elapsed();
        for effect in effects {
            match effect {
                PollEffect::Send { to, bytes, .. } => self.sent(to, bytes),
                PollEffect::Observed(Observation::Reach(r)) if r.kind == RoundKind::Confirm && r.received == 0 => {
                    self.down += 1;
                    self.lost.push(r.device);
                }
                _ => {}
            }
        }
    }

    fn sent(&mut self, to: SocketAddr, echo: Vec<u8>) {
        self.echoes += 1;
        let IpAddr::V4(address) = to.ip() else { return };
        if u32::from(address) - BASE < self.silent {
            return;
        }
        let mut bytes = vec![0x45, 0, 0, 20 + echo.len() as u8, 0, 0, 0, 0, 64, 1, 0, 0];
        bytes.extend(address.octets());
        bytes.extend([192, 0, 2, 1]);
        bytes.extend(&echo);
        // Type 8 becomes 0: the checksum grows by 8 in its upper octet, in ones' complement.
        let sum = u32::from(u16::from_be_bytes([echo[2], echo[3]])) + 0x0800;
        let sum = ((sum & 0xffff) + (sum >> 16)) as u16;
        bytes[20] = 0;
        bytes[22..24].copy_from_slice(&sum.to_be_bytes());
        let at = self.now + Duration::from_millis(5);
        self.answers.push_back(PollInput::Datagram {
            channel: Channel::Icmp,
            from: to,
            at,
            bytes,
        });
    }
}

const BASE: u32 = 0x0a00_0001;

fn site(circuits: u32) -> Arc<Site> {
    let device = |i: u32| Device {
        name: format!("N-{i:07}").into(),
        role: Role::Managed,
        address: Ipv4Addr::from(BASE + i).into(),
        owner: Owner::Institution,
        group: None,
        site: None,
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: Liveness::Echo,
        poll: PollSettings {
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(2),
            echoes: 1,
            confirm: Confirm {
                echoes: 15,
                over: Duration::from_secs(30),
            },
            recover: Recover {
                rounds: 3,
                over: Duration::from_secs(60),
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
    };
    Arc::new(Site {
        operator: Operator {
            name: "Scale".to_owned(),
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
        devices: (0..circuits).map(device).collect(),
        accesses: Vec::new(),
        profiles: hinomi::config::builtin_profiles(),
        findings: BTreeMap::new(),
        contacts: Vec::new(),
        procedures: Vec::new(),
        routes: Vec::new(),
        heartbeat: None,
        fingerprint: String::new(),
    })
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:").map(str::to_owned));
    line.and_then(|l| l.split_whitespace().next().and_then(|n| n.parse().ok()))
        .unwrap_or(0)
}
