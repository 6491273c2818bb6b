//! A random small site: a gateway, edges, platform routers behind demarcation links, aggregation devices, institutions.

use super::truth::{Fault, What};
use hinomi::model::snmp::{Credentials, SnmpAccess};
use hinomi::model::*;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// The seed's dice (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// A device of the town.
#[derive(Clone, Debug)]
pub(super) struct Dev {
    pub(super) name: String,
    pub(super) owner: Owner,
    pub(super) role: Role,
    pub(super) number: u8,
    pub(super) parents: Vec<String>,
    pub(super) snmp: bool,
    pub(super) liveness: Liveness,
    pub(super) poll: PollSettings,
    pub(super) ports: Vec<String>,
    /// Edge and port.
    pub(super) demarcation: Option<(String, String)>,
    pub(super) tcp: bool,
}

/// The whole town. Devices come and go with [`What::Added`] and [`What::Removed`].
#[derive(Clone, Debug)]
pub(super) struct Town {
    pub(super) devices: Vec<Dev>,
    pub(super) uplinks: Vec<String>,
    /// The first route crosses this platform router.
    pub(super) crosses: Option<String>,
}

const SECOND: Duration = Duration::from_secs(1);

fn poll(dice: &mut Dice) -> PollSettings {
    let interval = SECOND * *dice.pick(&[2, 5, 10, 10, 30, 60]);
    let over = SECOND * *dice.pick(&[2, 5, 10, 30]);
    PollSettings {
        interval,
        timeout: SECOND,
        echoes: *dice.pick(&[1, 3]),
        confirm: Confirm {
            echoes: *dice.pick(&[5, 15]),
            over: over.min(interval * 3),
        },
        recover: Recover {
            rounds: *dice.pick(&[1, 3]),
            over: SECOND * *dice.pick(&[0, 10, 60]),
        },
    }
}

impl Town {
    pub(super) fn build(dice: &mut Dice) -> Town {
        let mut town = Town {
            devices: Vec::new(),
            uplinks: vec!["gw".to_owned()],
            crosses: None,
        };
        let role = if dice.chance(50) {
            Role::UplinkOnly
        } else {
            Role::Managed
        };
        town.add("gw", Owner::Own, &[], dice).role = role;
        let edges: &[&str] = if dice.chance(60) {
            &["edge-a", "edge-b"]
        } else {
            &["edge-a"]
        };
        for edge in edges {
            let device = town.add(edge, Owner::Own, &[], dice);
            device.snmp = true;
            device.ports = vec!["xe-0".to_owned(), "xe-1".to_owned(), "xe-2".to_owned()];
        }
        town.uplinks
            .extend(edges.iter().take(dice.below(3) as usize).map(|e| (*e).to_owned()));
        for i in 0..dice.below(3) as usize {
            let (name, edge) = (format!("pe-{}", i + 1), edges[i % edges.len()]);
            let port = format!("xe-{}", i / edges.len());
            let device = town.add(&name, Owner::Platform, &[edge], dice);
            device.demarcation = Some((edge.to_owned(), port));
            device.liveness = Liveness::Echo;
            if i == 0 && dice.chance(50) {
                town.crosses = Some(name);
            }
        }
        for i in 0..1 + dice.below(3) {
            let both = edges.len() > 1 && dice.chance(40);
            let parents: Vec<&str> = if both { edges.to_vec() } else { vec![*dice.pick(edges)] };
            let agg = format!("agg-{}", i + 1);
            town.add(&agg, Owner::Own, &parents, dice);
            for j in 0..dice.below(4) {
                let double = i > 0 && dice.chance(20);
                let parents: Vec<&str> = if double { vec![&agg, "agg-1"] } else { vec![&agg] };
                town.add(
                    &format!("clinic-{}{}", i + 1, j + 1),
                    Owner::Institution,
                    &parents,
                    dice,
                );
            }
        }
        town
    }

    fn add(&mut self, name: &str, owner: Owner, parents: &[&str], dice: &mut Dice) -> &mut Dev {
        let snmp = dice.chance(if owner == Owner::Own { 50 } else { 10 }) && name != "gw";
        let liveness = match dice.below(10) {
            0 if snmp => Liveness::Snmp,
            1 if name != "gw" => Liveness::Tcp(22),
            _ => Liveness::Echo,
        };
        self.devices.push(Dev {
            name: name.to_owned(),
            owner,
            role: Role::Managed,
            number: self.devices.len() as u8 + 1,
            parents: parents.iter().map(|p| (*p).to_owned()).collect(),
            snmp,
            liveness,
            poll: poll(dice),
            ports: if snmp { vec!["ge-0".to_owned()] } else { Vec::new() },
            demarcation: None,
            tcp: dice.chance(10),
        });
        self.devices.last_mut().expect("just pushed")
    }

    pub(super) fn dev(&self, name: &str) -> &Dev {
        self.devices
            .iter()
            .find(|d| d.name == name)
            .expect("a device of the town")
    }

    pub(super) fn is_leaf(&self, name: &str) -> bool {
        self.devices.iter().all(|d| d.parents.iter().all(|p| p != name)) && !self.uplinks.iter().any(|u| u == name)
    }

    /// The longest time from a fault to "down" of any device.
    pub(super) fn slowest(&self) -> Duration {
        self.devices
            .iter()
            .map(|d| d.poll.detection())
            .max()
            .unwrap_or_default()
    }

    /// The site as it is configured at a moment.
    pub(super) fn site(&self, at: Duration, faults: &[Fault]) -> Site {
        let there = |d: &&Dev| {
            faults.iter().all(|f| match &f.what {
                What::Added(name) => *name != d.name || at >= f.from,
                What::Removed(name) => *name != d.name || at < f.from,
                _ => true,
            })
        };
        let devs: Vec<&Dev> = self.devices.iter().filter(there).collect();
        let id = |name: &String| {
            let i = devs
                .iter()
                .position(|d| d.name == *name)
                .expect("only leaves come and go");
            DeviceId(i as u32)
        };
        let crosses = self.crosses.iter().filter(|c| devs.iter().any(|d| d.name == **c));
        Site {
            operator: Operator {
                name: "Example".into(),
                phone: None,
                language: Language::English,
                timezone: "UTC".into(),
                holidays: [].into(),
            },
            daemon: DaemonSettings {
                state: "/nonexistent".into(),
                listen: ([127, 0, 0, 1], 0).into(),
                metrics: None,
            },
            uplinks: self.uplinks.iter().map(id).collect(),
            devices: devs.iter().map(|d| device(d, &id)).collect(),
            accesses: Vec::new(),
            profiles: hinomi::config::builtin_profiles(),
            findings: BTreeMap::new(),
            redundancy: Vec::new(),
            contacts: ["noc", "chief", "desk"].map(contact).to_vec(),
            procedures: procedures(),
            routes: vec![
                route("office", false, crosses.map(|c| Crossing::Device(id(c))).collect()),
                route("lte", true, Vec::new()),
            ],
            maintenance: Vec::new(),
            heartbeat: None,
            traps: None,
            plugins: Default::default(),
            fingerprint: String::new(),
        }
    }
}

fn device(dev: &Dev, id: &dyn Fn(&String) -> DeviceId) -> Device {
    let wanted = |port: &String| InterfaceWanted {
        pattern: port.as_str().into(),
        rate_bps: None,
        expect_up: true,
        backup: false,
        to: None,
    };
    let cpu = Threshold::new(Bound::new(70.0, 65.0), Bound::new(90.0, 85.0), SECOND * 60, SECOND * 60);
    let tcp = Watch {
        name: "ssh".into(),
        kind: WatchKind::Tcp { port: 22 },
    };
    Device {
        name: dev.name.as_str().into(),
        role: dev.role,
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, dev.number)),
        zone: None,
        owner: dev.owner,
        group: None,
        site: None,
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: dev.liveness,
        poll: dev.poll,
        snmp: dev.snmp.then(|| {
            Arc::new(SnmpAccess {
                text: Default::default(),
                interfaces_max: SnmpAccess::INTERFACES_MAX,
                name: "core".into(),
                port: 161,
                credentials: Credentials::V2c {
                    community: Secret::new("public"),
                },
            })
        }),
        profile: None,
        interfaces: dev.ports.iter().map(wanted).collect(),
        watches: dev.tcp.then_some(tcp).into_iter().collect(),
        thresholds: Arc::new(cpu.map(|t| (ThresholdKind::Cpu, t)).into_iter().collect()),
        findings: Default::default(),
        circuit: None,
        parents: dev.parents.iter().map(id).collect(),
        demarcation: dev.demarcation.as_ref().map(|(edge, port)| Demarcation {
            device: id(edge),
            interface: port.as_str().into(),
            peers: Vec::new(),
            subnet: None,
        }),
    }
}

fn contact(name: &str) -> Contact {
    Contact {
        name: name.into(),
        party: Party::Own,
        role: None,
        mail: vec![Address {
            mail: format!("{name}@example.net"),
            crosses: Vec::new(),
            when: Default::default(),
        }],
        phone: None,
        language: None,
        carrier: None,
    }
}

fn procedures() -> Vec<Procedure> {
    let procedure = |name: &str, matches: Match, tell: &[&str]| Procedure {
        name: name.into(),
        matches,
        tell: tell.iter().map(|t| (*t).into()).collect(),
        escalate: Vec::new(),
        remind: None,
    };
    let platform = Match {
        owner: Some(Owner::Platform),
        ..Match::default()
    };
    let critical = Match {
        level: Some(Level::Critical),
        ..Match::default()
    };
    vec![
        procedure("platform", platform, &["noc", "desk"]),
        procedure("critical", critical, &["noc", "chief"]),
        procedure("warning", Match::default(), &["noc"]),
    ]
}

fn route(name: &str, out_of_band: bool, crosses: Vec<Crossing>) -> Route {
    Route {
        name: name.into(),
        out_of_band,
        relays: vec![Relay {
            host: "relay".into(),
            port: 25,
            tls: Tls::None,
        }],
        tls_name: None,
        tls_ca: None,
        bind: None,
        auth: None,
        from: "hinomi@example.net".into(),
        helo: None,
        crosses,
    }
}
