//! A random network: own gateway, core and edges, demarcation links, the platform, aggregation devices, access circuits.
//!
//! Never here: what goes wrong in it (`plot`), or what is true at a moment (`truth`).

mod around;
pub(crate) mod groups;

use super::dice::Dice;
use around::{contact, procedures, route};
use groups::{AGGREGATE, Ring};
use hinomi::model::snmp::{Credentials, SnmpAccess};
use hinomi::model::*;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// What the plot needs of the network.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Wall time at the start, milliseconds since 1970.
    pub(crate) start_ms: i64,
    /// Access circuits.
    pub(crate) circuits: usize,
    /// Aggregation devices.
    pub(crate) aggregations: usize,
    /// Access carriers.
    pub(crate) carriers: usize,
    /// Platform routers behind demarcation links, 0 to 2.
    pub(crate) platform: usize,
    /// The demarcation links carry traffic, and the edges are read often enough to see it stop.
    pub(crate) witness: bool,
    /// No edge is read by SNMP.
    pub(crate) unread: bool,
    /// Some circuits are measured at the operator's port.
    pub(crate) lines: bool,
    /// Percent of the circuits that never switch off.
    pub(crate) always_on: u64,
    /// The own core is promised to be told within 5 s.
    pub(crate) fast: bool,
    /// Use of ports is judged without delay.
    pub(crate) strict: bool,
    /// There are redundancy groups.
    pub(crate) groups: bool,
    /// Aggregation devices hang on both edges by cables whose ends are read.
    pub(crate) links: bool,
}

/// What a device is in the town.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Gateway,
    Beyond,
    Core,
    Edge,
    PlatformRouter,
    PlatformHost,
    Aggregation,
    Circuit,
}

/// A network.
pub(crate) struct Town {
    pub(crate) site: Arc<Site>,
    pub(crate) tiers: Vec<Tier>,
    /// What packets really pass on their way, by index: one of these suffices.
    pub(crate) ways: Vec<Vec<u32>>,
    /// Names of the ports of each device that has an agent, by index.
    pub(crate) ports: Vec<Vec<String>>,
    /// Redundancy groups, parallel to those of the site.
    pub(crate) rings: Vec<Ring>,
    /// Cables whose ends are read.
    pub(crate) cables: Vec<Cable>,
}

/// A cable: device and port at each end.
pub(crate) type Cable = [(usize, usize); 2];

const SECOND: Duration = Duration::from_secs(1);
/// The first device's address.
const FIRST: u32 = 0x0a00_0000;
/// What `[[watch]]` reads of edges and aggregation devices.
pub(crate) const CPU: [u32; 10] = [1, 3, 6, 1, 4, 1, 99_999, 1, 1, 0];

static PROFILES: LazyLock<Arc<Profiles>> = LazyLock::new(hinomi::config::builtin_profiles);
static ACCESS: LazyLock<Arc<SnmpAccess>> = LazyLock::new(|| {
    Arc::new(SnmpAccess {
        text: Default::default(),
        interfaces_max: SnmpAccess::INTERFACES_MAX,
        name: "all".into(),
        port: 161,
        credentials: Credentials::V2c {
            community: Secret::new("public"),
        },
    })
});

/// The index of an address.
pub(crate) fn index_of(address: IpAddr) -> Option<usize> {
    let IpAddr::V4(v4) = address else { return None };
    u32::from(v4).checked_sub(FIRST).map(|i| i as usize)
}

fn poll(interval: u64, echoes: u32, over: u64, timeout: u64) -> PollSettings {
    PollSettings {
        interval: SECOND * interval as u32,
        timeout: SECOND * timeout as u32,
        echoes,
        confirm: Confirm {
            echoes: 15,
            over: SECOND * over as u32,
        },
        recover: Recover {
            rounds: 3,
            over: SECOND * 60,
        },
    }
}

/// The threshold of the CPU watch: warning at 70, critical at 90.
pub(crate) fn cpu_threshold() -> Threshold {
    let bound = |raise, clear| Bound::new(raise, clear);
    Threshold::new(bound(70.0, 65.0), bound(90.0, 85.0), SECOND * 60, SECOND * 60).expect("two levels in order")
}

fn utilization(hold: Duration) -> Threshold {
    let bound = |raise, clear| Bound::new(raise, clear);
    Threshold::new(bound(70.0, 63.0), bound(90.0, 81.0), hold, hold).expect("two levels in order")
}

struct Builder<'a> {
    scene: &'a Scene,
    dice: &'a mut Dice,
    devices: Vec<Device>,
    tiers: Vec<Tier>,
    ways: Vec<Vec<u32>>,
    ports: Vec<Vec<String>>,
    cables: Vec<Cable>,
    user_hours: Arc<Hours>,
    always: Arc<Hours>,
    of_circuits: Arc<BTreeMap<ThresholdKind, Threshold>>,
    of_ports: Arc<BTreeMap<ThresholdKind, Threshold>>,
    cpu: Arc<[Watch]>,
}

impl Town {
    /// A town that fits the scene.
    pub(crate) fn build(scene: &Scene, dice: &mut Dice) -> Town {
        let day = |d: u16| (d * 1440 + 510, d * 1440 + 1080);
        let hold = if scene.strict { Duration::ZERO } else { SECOND * 60 };
        let of_ports = BTreeMap::from([(ThresholdKind::Utilization, utilization(hold))]);
        let watch = Watch {
            name: "cpu".into(),
            kind: WatchKind::Oid {
                oid: CPU.to_vec(),
                scale: 1.0,
                unit: "%".to_owned(),
                threshold: Some(cpu_threshold()),
            },
        };
        let mut builder = Builder {
            scene,
            dice,
            devices: Vec::new(),
            tiers: Vec::new(),
            ways: Vec::new(),
            ports: Vec::new(),
            cables: Vec::new(),
            user_hours: Arc::new(Hours::new((0..5).map(day).collect(), false).expect("spans within a week")),
            always: Arc::new(Hours::new(vec![(0, 7 * 1440)], true).expect("a week")),
            of_circuits: Arc::default(),
            of_ports: Arc::new(of_ports),
            cpu: [watch].into(),
        };
        builder.own();
        builder.platform();
        builder.access();
        builder.finish()
    }

    /// The indices of a tier.
    pub(crate) fn of(&self, tier: Tier) -> Vec<usize> {
        (0..self.tiers.len()).filter(|i| self.tiers[*i] == tier).collect()
    }

    /// The circuits of which a device is the only way.
    pub(crate) fn behind(&self, device: usize) -> Vec<usize> {
        let only = |i: &usize| self.tiers[*i] == Tier::Circuit && self.ways[*i] == [device as u32];
        (0..self.tiers.len()).filter(only).collect()
    }

    /// A device.
    pub(crate) fn device(&self, i: usize) -> &Device {
        &self.site.devices[i]
    }

    /// Silence of this circuit is a fault at any time.
    pub(crate) fn always_on(&self, i: usize) -> bool {
        self.device(i)
            .circuit
            .as_ref()
            .is_some_and(|c| c.power == Power::Always)
    }
}

impl Builder<'_> {
    fn add(
        &mut self,
        name: String,
        tier: Tier,
        owner: Owner,
        ways: Vec<u32>,
        told: bool,
        poll: PollSettings,
    ) -> &mut Device {
        let index = self.devices.len() as u32;
        self.tiers.push(tier);
        self.ports.push(Vec::new());
        let parents = if told {
            ways.iter().map(|w| DeviceId(*w)).collect()
        } else {
            Vec::new()
        };
        self.ways.push(ways);
        self.devices.push(Device {
            name: name.into(),
            role: Role::Managed,
            address: IpAddr::V4(Ipv4Addr::from(FIRST + index)),
            zone: None,
            owner,
            group: None,
            site: None,
            class: None,
            tags: [].into(),
            status: Status::Active,
            liveness: Liveness::Echo,
            poll,
            circuit: None,
            snmp: None,
            profile: None,
            interfaces: [].into(),
            watches: [].into(),
            thresholds: Arc::default(),
            findings: Arc::default(),
            parents,
            demarcation: None,
        });
        self.devices.last_mut().expect("just pushed")
    }

    fn own(&mut self) {
        let role = if self.dice.chance(50) {
            Role::UplinkOnly
        } else {
            Role::Managed
        };
        self.add(
            "gw".into(),
            Tier::Gateway,
            Owner::Own,
            vec![],
            false,
            poll(30, 3, 10, 1),
        )
        .role = role;
        self.add(
            "beyond".into(),
            Tier::Beyond,
            Owner::Own,
            vec![0],
            false,
            poll(30, 3, 10, 1),
        )
        .role = Role::UplinkOnly;
        let told = self.dice.chance(40) && role == Role::Managed;
        if self.scene.fast {
            self.add("core".into(), Tier::Core, Owner::Own, vec![0], told, poll(1, 1, 2, 1));
        }
        for name in ["edge-a", "edge-b"] {
            let witness = self.scene.witness;
            let interval = if witness { 10 } else { *self.dice.pick(&[10, 30, 30]) };
            let groups = self.scene.groups;
            let snmp = witness || groups || self.scene.links || self.dice.chance(70) && !self.scene.unread;
            let mut ports: Vec<String> = ["xe-0", "xe-1", "xe-2"].map(str::to_owned).to_vec();
            let listed = ports.len();
            if groups && name == "edge-a" {
                ports.extend(AGGREGATE.map(str::to_owned));
            }
            // Members of an aggregate may be watched by their group alone.
            let listed = if groups && self.dice.chance(50) {
                ports.len()
            } else {
                listed
            };
            let (thresholds, cpu) = (self.of_ports.clone(), self.cpu.clone());
            let device = self.add(
                name.into(),
                Tier::Edge,
                Owner::Own,
                vec![0],
                told,
                poll(interval, 3, 10, 1),
            );
            if snmp {
                speak(device, &ports[..listed], thresholds, cpu);
                *self.ports.last_mut().expect("just pushed") = ports;
            }
        }
    }

    fn first(&self, tier: Tier) -> usize {
        self.tiers
            .iter()
            .position(|t| *t == tier)
            .expect("every town has edges")
    }

    fn platform(&mut self) {
        let edge = self.first(Tier::Edge);
        let routers: Vec<u32> = (0..self.scene.platform)
            .map(|i| {
                let over = (edge + i) as u32;
                let interval = *self.dice.pick(&[10, 30]);
                let device = self.add(
                    format!("pe-{}", i + 1),
                    Tier::PlatformRouter,
                    Owner::Platform,
                    vec![over],
                    true,
                    poll(interval, 3, 10, 1),
                );
                device.demarcation = Some(Demarcation {
                    device: DeviceId(over),
                    interface: "xe-0".into(),
                    peers: Vec::new(),
                    subnet: None,
                });
                self.devices.len() as u32 - 1
            })
            .collect();
        if !routers.is_empty() && self.dice.chance(40) {
            self.add(
                "pf-host".into(),
                Tier::PlatformHost,
                Owner::Platform,
                routers,
                true,
                poll(30, 3, 10, 1),
            );
        }
    }

    fn access(&mut self) {
        let edge = self.first(Tier::Edge) as u32;
        let first = self.devices.len() as u32;
        for i in 0..self.scene.aggregations {
            let single = self.dice.chance(30);
            let ways = if single && !self.scene.links {
                vec![edge + i as u32 % 2]
            } else {
                vec![edge, edge + 1]
            };
            let interval = *self.dice.pick(&[30, 30, 60]);
            let speaks = self.scene.lines || self.scene.links || self.scene.groups && i < 2;
            let device = self.add(
                format!("agg-{}", i + 1),
                Tier::Aggregation,
                Owner::Own,
                ways,
                true,
                poll(interval, 3, 10, 1),
            );
            device.site = Some(format!("site-{}", i / 2 + 1).into());
            if speaks {
                device.snmp = Some(ACCESS.clone());
            }
        }
        for i in 0..self.scene.circuits {
            let aggregation = first + (i % self.scene.aggregations) as u32;
            self.circuit(i, aggregation);
        }
        if self.scene.links {
            self.cables(edge as usize, first as usize);
        }
        for i in first as usize..first as usize + self.scene.aggregations {
            let wanted: Vec<InterfaceWanted> = self.ports[i].iter().map(|p| wanted(p, false)).collect();
            self.devices[i].interfaces = wanted.into();
        }
        self.write_cables();
    }

    /// Each aggregation device hangs on both edges.
    fn cables(&mut self, edge: usize, first: usize) {
        for i in 0..self.scene.aggregations {
            for side in 0..2 {
                let (above, below) = (edge + side, first + i);
                let ends = [(above, format!("agg-{}", i + 1)), (below, format!("up-{side}"))];
                self.cables.push(ends.map(|(device, port)| {
                    self.ports[device].push(port);
                    (device, self.ports[device].len() - 1)
                }));
            }
        }
    }

    /// Where the cables end is written at both ends, at one, or nowhere; what is not written is guessed.
    fn write_cables(&mut self) {
        for cable in self.cables.clone() {
            let (both, one) = (self.dice.chance(40), self.dice.chance(50));
            for (end, (device, port)) in cable.into_iter().enumerate() {
                let (other, other_port) = cable[1 - end];
                let to = LinkEnd {
                    device: self.devices[other].name.clone(),
                    interface: self
                        .dice
                        .chance(50)
                        .then(|| self.ports[other][other_port].as_str().into()),
                };
                let name = self.ports[device][port].clone();
                let written = both || one && end == 0;
                let entry = InterfaceWanted {
                    to: written.then_some(to),
                    ..wanted(&name, true)
                };
                let mut all = self.devices[device].interfaces.to_vec();
                all.retain(|w| *w.pattern != *name);
                all.push(entry);
                self.devices[device].interfaces = all.into();
            }
        }
    }

    fn circuit(&mut self, i: usize, aggregation: u32) {
        let provider = self.dice.chance(self.scene.always_on);
        let lines_of = self.ports[aggregation as usize].len();
        let line = self.scene.lines && lines_of < 12 && self.dice.chance(50);
        let port = format!("ge-0/{}/{}", lines_of / 6, lines_of % 6);
        let measure = match line {
            true => Measure::Line(Line {
                device: DeviceId(aggregation),
                port: port.as_str().into(),
            }),
            false => Measure::Nothing,
        };
        let by_line = line && self.dice.chance(30);
        let circuit = Circuit {
            institution_id: format!("13{i:06}").into(),
            institution: format!("Clinic {i}").into(),
            carrier: Some(format!("carrier-{}", self.dice.below(self.scene.carriers as u64) + 1).into()),
            role: CircuitRole::Main,
            measure,
            down_bps: Some(100_000_000),
            up_bps: Some(100_000_000),
            power: if provider { Power::Always } else { Power::MayBeOff },
            hours: if provider {
                self.always.clone()
            } else {
                self.user_hours.clone()
            },
            contact: self.dice.chance(20).then(|| "clinic".into()),
            tells_utilization: false,
        };
        if line {
            self.ports[aggregation as usize].push(port);
        }
        let thresholds = self.of_circuits.clone();
        let name = format!("N-{i:05}");
        let device = self.add(
            name,
            Tier::Circuit,
            Owner::Institution,
            vec![aggregation],
            true,
            poll(60, 1, 30, 2),
        );
        device.role = Role::Circuit;
        device.class = Some(if provider { "service-provider" } else { "user" }.into());
        device.liveness = if by_line { Liveness::Line } else { Liveness::Echo };
        device.thresholds = thresholds;
        device.circuit = Some(Box::new(circuit));
    }

    fn finish(mut self) -> Town {
        let rings = self.groups();
        let redundancy = rings.iter().map(|ring| self.configured(ring)).collect();
        let crosses = self.tiers.iter().position(|t| *t == Tier::PlatformRouter);
        let crosses: Vec<Crossing> = crosses
            .map(|i| Crossing::Device(DeviceId(i as u32)))
            .into_iter()
            .collect();
        let crosses = if self.dice.chance(60) { crosses } else { Vec::new() };
        // Holidays: New Year 2026-12-29 to 2027-01-03, Bon 2026-08-13 to 2026-08-16.
        let holidays: Vec<i32> = (20_678..=20_681).chain(20_816..=20_821).collect();
        let site = Site {
            operator: Operator {
                name: "Example".into(),
                phone: None,
                language: Language::English,
                timezone: "Asia/Tokyo".into(),
                holidays: holidays.into(),
            },
            daemon: DaemonSettings {
                state: "/nonexistent".into(),
                listen: ([127, 0, 0, 1], 0).into(),
                metrics: None,
            },
            uplinks: vec![DeviceId(0), DeviceId(1)],
            devices: self.devices,
            accesses: Vec::new(),
            profiles: PROFILES.clone(),
            findings: BTreeMap::new(),
            contacts: ["noc", "chief", "desk", "clinic"].map(contact).to_vec(),
            procedures: procedures(self.dice.below(3)),
            routes: vec![route("office", false, crosses), route("lte", true, Vec::new())],
            redundancy,
            maintenance: Vec::new(),
            traps: None,
            plugins: Default::default(),
            heartbeat: None,
            fingerprint: String::new(),
        };
        Town {
            site: Arc::new(site),
            tiers: self.tiers,
            ways: self.ways,
            ports: self.ports,
            rings,
            cables: self.cables,
        }
    }

    fn configured(&self, ring: &Ring) -> Redundancy {
        let port = |seat: &groups::Seat| Name::from(self.ports[seat.device][seat.port.unwrap_or(0)].as_str());
        groups::configured(ring, |i| self.devices[i].address, port)
    }
}

fn wanted(port: &str, expect_up: bool) -> InterfaceWanted {
    InterfaceWanted {
        pattern: port.into(),
        rate_bps: None,
        expect_up,
        backup: false,
        to: None,
    }
}

fn speak(
    device: &mut Device,
    ports: &[String],
    thresholds: Arc<BTreeMap<ThresholdKind, Threshold>>,
    cpu: Arc<[Watch]>,
) {
    device.snmp = Some(ACCESS.clone());
    device.interfaces = ports.iter().map(|p| wanted(p, true)).collect();
    device.thresholds = thresholds;
    device.watches = cpu;
}
