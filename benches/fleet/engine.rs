//! `poll` alone: one thread, 8 UDP sockets, the tick loop of the daemon without anything behind it.

use super::agent;
use super::options::Options;
use hinomi::model::snmp::{Credentials, SnmpAccess};
use hinomi::model::{
    Confirm, DaemonSettings, Device, InterfaceWanted, Language, Liveness, Mono, Now, Operator, Owner, PollSettings,
    Recover, Role, Secret, Site, Status, Wall,
};
use hinomi::poll::{Channel, Observation, Poll, PollEffect, PollInput, UDP_SOCKETS};
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);

/// Polls the fleet, then prints what it counted.
pub(crate) fn run(options: &Options) {
    let begun = Instant::now();
    let clock = || Now {
        mono: Mono(begun.elapsed().as_micros() as u64),
        wall: Wall::default(),
    };
    let sockets: Vec<_> = (0..UDP_SOCKETS)
        .map(|_| UdpSocket::bind("0.0.0.0:0").unwrap())
        .collect();
    sockets.iter().for_each(|s| s.set_nonblocking(true).unwrap());
    let mut poll = Poll::new(site(options), rand::random(), clock());
    let (mut ok, mut lost) = (0u64, 0u64);
    let mut buffer = [0u8; 65_536];
    while begun.elapsed() < Duration::from_secs(options.seconds) + Duration::from_millis(300) {
        for (channel, socket) in (0..).zip(&sockets) {
            while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                let now = clock();
                let bytes = buffer[..n].to_vec();
                poll.take(
                    PollInput::Datagram {
                        channel: Channel::Udp(channel),
                        from,
                        at: now.mono,
                        bytes,
                    },
                    now,
                );
            }
        }
        if poll.next_wakeup() <= clock().mono {
            poll.wake(clock());
        }
        for effect in poll.effects() {
            match effect {
                PollEffect::Send {
                    channel: Channel::Udp(i),
                    to,
                    bytes,
                } => {
                    if let Err(e) = sockets[usize::from(i)].send_to(&bytes, to) {
                        let error = e.to_string();
                        poll.take(
                            PollInput::SendFailed {
                                channel: Channel::Udp(i),
                                to,
                                error,
                            },
                            clock(),
                        );
                    }
                }
                PollEffect::Observed(Observation::Reach(r)) => *if r.received > 0 { &mut ok } else { &mut lost } += 1,
                PollEffect::Observed(Observation::Agent(a)) => {
                    *if a.outcome.is_ok() { &mut ok } else { &mut lost } += 1
                }
                _ => {}
            }
        }
        let into = Duration::from_micros(begun.elapsed().as_micros() as u64 % TICK.as_micros() as u64);
        std::thread::sleep(TICK - into);
    }
    let counters = poll.counters();
    println!(
        "engine           {ok} rounds good, {lost} lost, dropped {:?}, paced {}",
        counters.dropped, counters.paced
    );
    let buckets: Vec<_> = counters
        .lateness
        .iter()
        .map(|(bound, n)| format!("{bound}:{n}"))
        .collect();
    println!("lateness         {}", buckets.join(" "));
}

/// Reads the lateness that [`run`] printed.
pub(crate) fn lateness_from(words: &str) -> Option<(f64, u64)> {
    let line = words.lines().find_map(|l| l.strip_prefix("lateness "))?;
    let bucket = |word: &str| {
        let (bound, n) = word.split_once(':')?;
        Some((bound.parse().ok()?, n.parse().ok()?))
    };
    super::program::p99(&line.split_whitespace().filter_map(bucket).collect::<Vec<_>>())
}

fn site(options: &Options) -> Arc<Site> {
    let credentials = Credentials::V2c {
        community: Secret::new(*b"fleet"),
    };
    let access = Arc::new(SnmpAccess {
        name: "fleet".to_owned(),
        port: agent::PORT,
        credentials,
    });
    let device = |i: u32| Device {
        name: format!("agent-{i}").into(),
        role: Role::Managed,
        address: agent::address(i).into(),
        owner: Owner::Own,
        group: None,
        site: None,
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: Liveness::Snmp,
        poll: PollSettings {
            interval: Duration::from_secs(options.interval),
            timeout: Duration::from_secs(2),
            echoes: 3,
            confirm: Confirm {
                echoes: 15,
                over: Duration::from_secs(30),
            },
            recover: Recover {
                rounds: 3,
                over: Duration::from_secs(60),
            },
        },
        snmp: Some(access.clone()),
        profile: None,
        interfaces: [InterfaceWanted {
            pattern: "eth0".into(),
            rate_bps: None,
            expect_up: false,
            backup: false,
        }]
        .into(),
        watches: [].into(),
        thresholds: Default::default(),
        findings: Default::default(),
        circuit: None,
        parents: Vec::new(),
        demarcation: None,
    };
    Arc::new(Site {
        operator: Operator {
            name: "Fleet".to_owned(),
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
        devices: (0..options.devices).map(device).collect(),
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
