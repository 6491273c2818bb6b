//! A small world: a site, a book, a notifier, a store in memory and scripted relays, on an explicit clock. Drives the parts the
//! way the core does.

use hinomi::incident::{Book, Event, EventBody, Head, Restored, RowChange, lint};
use hinomi::model::{
    Address, Contact, Crossing, DaemonSettings, Device, DeviceId, Escalation, Evidence, FindingKey, FindingKind,
    Isolation, Language, Level, Liveness, Match, Metric, Mono, Name, Now, Operator, Owner, Part, Party, PollSettings,
    Procedure, Recover, Role, Route, Site, Status, Verdict, Wall, When,
};
use hinomi::notify::{Mail, Notifier, NotifyEffect, Outcome, RouteTest, Stage};
use hinomi::rules::{Affected, Cause, FindingChange};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) const MIN: u64 = 60;

fn name(text: &str) -> Name {
    Name::from(text)
}

pub(crate) fn device(text: &str, owner: Owner, parents: &[u32]) -> Device {
    Device {
        name: name(text),
        role: Role::Managed,
        address: "192.0.2.1".parse().unwrap(),
        zone: None,
        owner,
        group: None,
        site: Some(name("tokyo")),
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: Liveness::Echo,
        poll: PollSettings {
            interval: s(60),
            timeout: s(2),
            echoes: 3,
            confirm: hinomi::model::Confirm {
                echoes: 15,
                over: s(30),
            },
            recover: Recover { rounds: 3, over: s(60) },
        },
        snmp: None,
        profile: None,
        interfaces: [].into(),
        watches: [].into(),
        thresholds: Default::default(),
        findings: Default::default(),
        circuit: None,
        parents: parents.iter().map(|p| DeviceId(*p)).collect(),
        demarcation: None,
    }
}

fn route(text: &str, out_of_band: bool, crosses: Vec<Crossing>) -> Route {
    Route {
        name: name(text),
        out_of_band,
        relays: Vec::new(),
        tls_name: None,
        tls_ca: None,
        bind: None,
        auth: None,
        from: "hinomi@noc.example".to_owned(),
        helo: None,
        crosses,
    }
}

fn contact(text: &str, language: Option<Language>, mail: &[(&str, &[u32])]) -> Contact {
    let address = |(mail, crosses): &(&str, &[u32])| Address {
        mail: (*mail).to_owned(),
        crosses: crosses.iter().map(|d| Crossing::Device(DeviceId(*d))).collect(),
        // The second stands in for the first.
        when: if mail.starts_with("oncall") {
            When::Unanswered
        } else {
            When::Always
        },
    };
    Contact {
        name: name(text),
        party: Party::Own,
        role: None,
        mail: mail.iter().map(address).collect(),
        phone: None,
        language,
        carrier: None,
    }
}

fn procedure(text: &str, level: Level, tell: &[&str]) -> Procedure {
    Procedure {
        name: name(text),
        matches: Match {
            level: Some(level),
            ..Match::default()
        },
        tell: tell.iter().map(|n| name(n)).collect(),
        escalate: Vec::new(),
        remind: None,
    }
}

/// edge-a (0), platform-pe-1 (1), agg (2), clinic-1 … clinic-30 (3 …); routes office (crosses the platform) and lte; noc with two
/// addresses (the first behind edge-a), manager in English.
pub(crate) fn site() -> Site {
    let mut devices = vec![
        device("edge-a", Owner::Own, &[]),
        device("platform-pe-1", Owner::Platform, &[0]),
        device("agg", Owner::Own, &[0]),
    ];
    devices.extend((1..=30).map(|i| device(&format!("clinic-{i}"), Owner::Institution, &[2])));
    let mut critical = procedure("critical", Level::Critical, &["noc", "manager"]);
    critical.escalate = vec![Escalation {
        after: s(15 * MIN),
        tell: vec![name("boss")],
    }];
    critical.remind = Some(s(4 * 60 * MIN));
    Site {
        operator: Operator {
            name: "Example Medical Network K.K.".to_owned(),
            phone: None,
            language: Language::Japanese,
            timezone: "Asia/Tokyo".to_owned(),
            holidays: [].into(),
        },
        daemon: DaemonSettings {
            state: "state".into(),
            listen: "127.0.0.1:0".parse().unwrap(),
            metrics: None,
        },
        uplinks: Vec::new(),
        devices,
        accesses: Vec::new(),
        profiles: hinomi::config::builtin_profiles(),
        findings: BTreeMap::new(),
        redundancy: Vec::new(),
        contacts: vec![
            contact(
                "noc",
                None,
                &[("noc@noc.example", &[0]), ("oncall@mobile.example", &[])],
            ),
            contact("manager", Some(Language::English), &[("manager@noc.example", &[])]),
            contact("boss", None, &[("boss@noc.example", &[])]),
        ],
        procedures: vec![critical, procedure("warning", Level::Warning, &["noc"])],
        routes: vec![
            route("office", false, vec![Crossing::Device(DeviceId(1))]),
            route("lte", true, Vec::new()),
        ],
        maintenance: Vec::new(),
        heartbeat: None,
        traps: None,
        plugins: Default::default(),
        fingerprint: "0".repeat(64),
    }
}

/// How a relay behaves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Relay {
    Works,
    /// Connection refused.
    Dead,
    /// 451 to everything.
    Later,
    /// 452 at MAIL FROM.
    Full,
    /// 550 at RCPT for these.
    Rejects(Vec<String>),
    /// 550 after DATA.
    RejectsText,
    /// 535.
    WrongPassword,
    /// Says nothing until the shell's deadline of 30 s.
    Silent,
    /// Accepts after so long.
    Slow(Duration),
    /// Takes the mail and cuts the line before the 250.
    CutsAfterDot,
}

#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) at: Wall,
    pub(crate) route: Name,
    pub(crate) mail: Mail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Works,
    Full,
    Hangs,
}

pub(crate) struct World {
    pub(crate) site: Arc<Site>,
    pub(crate) book: Book,
    pub(crate) notifier: Notifier,
    pub(crate) now: Now,
    pub(crate) relays: BTreeMap<Name, Relay>,
    pub(crate) disk: Disk,
    /// What the relays took.
    pub(crate) arrived: Vec<Arrived>,
    /// Every attempt: when, route, to.
    pub(crate) attempts: Vec<(Wall, Name, String)>,
    pub(crate) events: Vec<Event>,
    pub(crate) lines: Vec<String>,
    pub(crate) rows: BTreeMap<u64, RowChange>,
    pub(crate) states: Vec<(Name, bool)>,
    /// Contacts whom every way refuses, or no longer.
    pub(crate) refused: Vec<(Name, Option<String>)>,
    pub(crate) tests: Vec<(Wall, Name, bool)>,
    under_way: Vec<(Mono, u64, Outcome)>,
}

pub(crate) const START: i64 = 1_793_000_000_000;

impl World {
    pub(crate) fn new() -> World {
        World::of(site())
    }

    pub(crate) fn of(site: Site) -> World {
        let site = Arc::new(site);
        let now = Now {
            mono: Mono(1_000_000_000),
            wall: Wall(START),
        };
        let restored = Restored {
            ledger_id: "0123456789abcdef".to_owned(),
            ..Restored::default()
        };
        let relays = site.routes.iter().map(|r| (r.name.clone(), Relay::Works)).collect();
        World {
            book: Book::default(),
            notifier: Notifier::new(site.clone(), &restored, now),
            site,
            now,
            relays,
            disk: Disk::Works,
            arrived: Vec::new(),
            attempts: Vec::new(),
            events: Vec::new(),
            lines: Vec::new(),
            rows: BTreeMap::new(),
            states: Vec::new(),
            refused: Vec::new(),
            tests: Vec::new(),
            under_way: Vec::new(),
        }
    }

    /// Killed and started again with what was committed; attempts under way are lost.
    pub(crate) fn restart(&mut self) {
        let (book, problems) = Book::restore(&self.lines);
        assert_eq!(problems, Vec::<String>::new());
        self.now.mono = Mono(5_000_000);
        self.under_way.clear();
        self.book = book;
        let restored = Restored {
            ledger_id: "0123456789abcdef".to_owned(),
            rows: self.rows.values().filter(|r| r.pending).cloned().collect(),
            last_row: self.rows.keys().next_back().copied().unwrap_or_default(),
            ..Restored::default()
        };
        self.notifier = Notifier::new(self.site.clone(), &restored, self.now);
        self.pump();
    }

    pub(crate) fn relay(&mut self, route: &str, relay: Relay) {
        self.relays.insert(name(route), relay);
    }

    pub(crate) fn take(&mut self, change: &FindingChange) {
        self.book.take(change, self.now);
        self.pump();
    }

    pub(crate) fn behind(&mut self, root: &FindingKey, device: &str, unreachable: bool) {
        let affected = Affected {
            root: root.clone(),
            device: name(device),
            unreachable,
            at: self.now.wall,
        };
        self.book.affected(&affected, self.now);
        self.pump();
    }

    pub(crate) fn down(&mut self, devices: &[u32], blind: bool) {
        let down: BTreeSet<DeviceId> = devices.iter().map(|d| DeviceId(*d)).collect();
        self.notifier.set_paths(&down, blind, self.now);
        self.pump();
    }

    /// What the core does after every input.
    pub(crate) fn pump(&mut self) {
        for _ in 0..100 {
            let mut events = self.book.events();
            let rows = self.notifier.plan(&events, &mut self.book, self.now);
            events.extend(self.book.events());
            if !events.is_empty() || !rows.is_empty() {
                self.commit(events, rows);
            }
            let effects = self.notifier.effects();
            if effects.is_empty() && self.notifier.next_wakeup() > Mono(0) {
                if self.book.state().incidents.len() < 100 {
                    assert_eq!(lint(&self.book), Vec::<String>::new());
                }
                return;
            }
            for effect in effects {
                self.effect(effect);
            }
        }
        panic!("the notifier never comes to rest");
    }

    fn commit(&mut self, events: Vec<Event>, rows: Vec<RowChange>) {
        self.lines.extend(events.iter().map(Event::to_json));
        self.events.extend(events);
        let ids: Vec<u64> = rows.iter().map(|r| r.id).collect();
        for row in rows {
            self.rows.insert(row.id, row);
        }
        let head = Head {
            seq: self.lines.len() as u64,
            hash: "ab".repeat(32),
        };
        match self.disk {
            Disk::Works => self.notifier.released(&ids, Some(&head), self.now),
            Disk::Full => self.notifier.released(&ids, None, self.now),
            Disk::Hangs => {}
        }
    }

    fn effect(&mut self, effect: NotifyEffect) {
        match effect {
            NotifyEffect::Deliver(delivery) => {
                self.attempts
                    .push((self.now.wall, delivery.route.clone(), delivery.mail.to.clone()));
                let relay = self.relays[&delivery.route].clone();
                let (after, outcome, taken) = speak(&relay, &delivery.mail);
                if taken {
                    self.arrived.push(Arrived {
                        at: self.now.wall.after(after),
                        route: delivery.route,
                        mail: delivery.mail,
                    });
                }
                self.under_way.push((self.now.mono + after, delivery.attempt, outcome));
            }
            NotifyEffect::TestRoute { route, with_auth } => {
                self.tests.push((self.now.wall, route.clone(), with_auth));
                let result = match &self.relays[&route] {
                    Relay::Dead | Relay::Silent => Err((Stage::Connect, "connection refused".to_owned())),
                    Relay::WrongPassword if with_auth => Err((Stage::Auth, "535 no".to_owned())),
                    _ => Ok("relay:25".to_owned()),
                };
                let test = RouteTest {
                    route,
                    with_auth,
                    transcript: Vec::new(),
                    result,
                };
                self.notifier.route_tested(test, self.now);
            }
            NotifyEffect::RouteState { route, ready, .. } => self.states.push((route, ready)),
            NotifyEffect::ContactState { contact, refused } => self.refused.push((contact, refused)),
        }
    }

    /// Lets time pass, doing what becomes due.
    pub(crate) fn pass(&mut self, d: Duration) {
        let end = self.now.mono + d;
        let mut still = 0;
        self.pump();
        loop {
            let outcomes = self.under_way.iter().map(|(at, _, _)| *at).min().unwrap_or(Mono::NEVER);
            let next = self.book.next_wakeup().min(self.notifier.next_wakeup()).min(outcomes);
            if next > end {
                break;
            }
            still = if next > self.now.mono { 0 } else { still + 1 };
            assert!(
                still < 500,
                "it spins: {:?} {:?}",
                self.book.next_wakeup(),
                self.notifier.next_wakeup()
            );
            self.go_to(next);
            if let Some(i) = self.under_way.iter().position(|(at, _, _)| *at <= self.now.mono) {
                let (_, attempt, outcome) = self.under_way.remove(i);
                self.notifier.delivered(attempt, outcome, self.now);
            }
            self.book.wake(self.now);
            self.notifier.wake(self.now);
            self.pump();
        }
        self.go_to(end);
    }

    fn go_to(&mut self, mono: Mono) {
        if mono > self.now.mono {
            self.now.wall = self.now.wall.after(mono.since(self.now.mono));
            self.now.mono = mono;
        }
    }

    pub(crate) fn acknowledge(&mut self, id: u64, by: &str) -> Result<(), String> {
        let result = self.book.acknowledge(id, by, self.now);
        self.pump();
        result
    }

    /// Subjects that arrived at an address, in order.
    pub(crate) fn subjects(&self, to: &str) -> Vec<&str> {
        let of = self.arrived.iter().filter(|a| a.mail.to == to);
        of.map(|a| a.mail.subject.as_str()).collect()
    }

    /// Seconds since the start at which mails arrived at an address, with their route.
    pub(crate) fn times(&self, to: &str) -> Vec<(i64, &str)> {
        let of = self.arrived.iter().filter(|a| a.mail.to == to);
        of.map(|a| ((a.at.0 - START) / 1000, &*a.route)).collect()
    }

    pub(crate) fn recorded(&self, which: impl Fn(&EventBody) -> bool) -> usize {
        self.events.iter().filter(|e| which(&e.body)).count()
    }

    pub(crate) fn pending(&self) -> usize {
        self.rows.values().filter(|r| r.pending).count()
    }

    pub(crate) fn change(&self, key: &FindingKey, to: Level, cause: Cause) -> FindingChange {
        FindingChange {
            key: key.clone(),
            from: Level::Ok,
            to,
            since: self.now.wall.before(s(10)),
            at: self.now.wall,
            cause,
            isolation: None,
        }
    }
}

fn speak(relay: &Relay, mail: &Mail) -> (Duration, Outcome, bool) {
    let accepted = Outcome::Accepted {
        relay: "relay:25".to_owned(),
        reply: "250 2.0.0 Ok: queued as 4XYZ".to_owned(),
    };
    let permanent = |stage, reply: &str| Outcome::Permanent {
        stage,
        reply: reply.to_owned(),
    };
    let failed = |stage, error: &str| Outcome::Failed {
        stage,
        error: error.to_owned(),
    };
    let soon = Duration::from_millis(100);
    match relay {
        Relay::Works => (soon, accepted, true),
        Relay::Dead => (soon, failed(Stage::Connect, "connection refused"), false),
        Relay::Later => {
            let reply = "451 4.7.1 Greylisted".to_owned();
            let stage = Stage::Recipient;
            (soon, Outcome::Transient { stage, reply }, false)
        }
        Relay::Full => {
            let reply = "452 4.3.1 Insufficient system storage".to_owned();
            let stage = Stage::MailFrom;
            (soon, Outcome::Transient { stage, reply }, false)
        }
        Relay::Rejects(who) if who.contains(&mail.to) => {
            (soon, permanent(Stage::Recipient, "550 5.1.1 no such user"), false)
        }
        Relay::Rejects(_) => (soon, accepted, true),
        Relay::RejectsText => (soon, permanent(Stage::FinalDot, "554 5.7.1 spam"), false),
        Relay::WrongPassword => (soon, permanent(Stage::Auth, "535 5.7.8 bad credentials"), false),
        Relay::Silent => (s(30), failed(Stage::Greeting, "no answer within 30 s"), false),
        Relay::Slow(d) => (*d, accepted, true),
        Relay::CutsAfterDot => (soon, failed(Stage::FinalDot, "connection lost"), true),
    }
}

pub(crate) fn key(device: Option<&str>, part: Part, kind: FindingKind) -> FindingKey {
    FindingKey {
        device: device.map(name),
        part,
        kind,
        metric: None,
    }
}

pub(crate) fn cpu(device: &str) -> FindingKey {
    FindingKey {
        metric: Some(Metric::Cpu),
        ..key(Some(device), Part::Device, FindingKind::Threshold)
    }
}

pub(crate) fn down(device: &str) -> FindingKey {
    let kind = match device {
        d if d.starts_with("platform") => FindingKind::PlatformDown,
        d if d.starts_with("clinic") => FindingKind::CircuitSilent,
        _ => FindingKind::DeviceDown,
    };
    key(Some(device), Part::Device, kind)
}

pub(crate) fn above(value: f64, bound: f64) -> Cause {
    Cause::Above {
        which: None,
        value,
        bound,
        unit: "%".to_owned(),
    }
}

pub(crate) fn below(value: f64, bound: f64) -> Cause {
    Cause::Below {
        value,
        bound,
        unit: "%".to_owned(),
    }
}

pub(crate) fn no_answer() -> Cause {
    Cause::NoAnswer {
        sent: 15,
        seconds: 10.2,
        rejected: None,
    }
}

pub(crate) fn answers() -> Cause {
    Cause::Answers { silent_seconds: 250.0 }
}

pub(crate) fn platform_fault(at: Wall) -> Isolation {
    Isolation {
        verdict: Verdict::Platform,
        evidence: vec![
            Evidence::DeviceSilent {
                device: name("platform-pe-1"),
                since: at.before(s(40)),
            },
            Evidence::DeviceUp {
                device: name("edge-a"),
                at: at.before(s(2)),
            },
            Evidence::InterfaceOper {
                device: name("edge-a"),
                interface: name("xe-0/0/0"),
                up: true,
            },
            Evidence::OctetsInStopped {
                device: name("edge-a"),
                interface: name("xe-0/0/0"),
                before_bps: 123_400_000.0,
                after_bps: 0.0,
            },
        ],
    }
}
