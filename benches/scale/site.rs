//! The site of the bench: aggregation devices, carriers, and circuits of clinics with opening hours.

use super::Shape;
use hinomi::model::snmp::{Credentials, SnmpAccess};
use hinomi::model::{
    Bound, Circuit, CircuitRole, Confirm, Contact, DaemonSettings, Device, DeviceId, Hours, InterfaceWanted, Language,
    Level, Line, Liveness, Match, Measure, Name, Operator, Owner, Party, PollSettings, Power, Procedure, Recover, Role,
    Secret, Site, Status, Threshold, ThresholdKind,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// Circuits of one aggregation device.
pub(crate) const PER_DEVICE: u32 = 48;
/// Circuits (cpe) behind one aggregation device: few devices, many circuits.
pub(crate) const BEHIND: u32 = 1_000;

/// Aggregation devices of one site.
pub(crate) const SITE: u32 = 50;

/// The first circuit's address.
pub(crate) const CIRCUITS: u32 = 0x0a00_0000;
/// The first device's address.
pub(crate) const DEVICES: u32 = 0x0b00_0000;

/// How many devices of the operator stand before the circuits in [`Site::devices`].
pub(crate) fn devices(shape: Shape, circuits: u32) -> u32 {
    match shape {
        Shape::Cpe => circuits.div_ceil(BEHIND),
        Shape::Device => circuits.div_ceil(PER_DEVICE),
    }
}

struct Shared {
    access: Arc<SnmpAccess>,
    hours: Arc<Hours>,
    wan: Arc<[InterfaceWanted]>,
    nothing: Arc<[InterfaceWanted]>,
    ports: Arc<[InterfaceWanted]>,
    thresholds: Arc<BTreeMap<ThresholdKind, Threshold>>,
    none: Arc<BTreeMap<ThresholdKind, Threshold>>,
    carriers: Vec<Name>,
    class: Name,
}

/// A site with so many circuits. `watched`: the aggregation devices are polled themselves.
pub(crate) fn site(shape: Shape, circuits: u32, watched: bool) -> Arc<Site> {
    let wanted = |pattern: String| InterfaceWanted {
        pattern: pattern.into(),
        rate_bps: None,
        expect_up: false,
        backup: false,
        to: None,
    };
    let bound = |raise, clear| Bound::new(raise, clear);
    let utilization = Threshold::new(
        bound(70.0, 60.0),
        bound(90.0, 80.0),
        Duration::from_secs(300),
        Duration::from_secs(300),
    );
    let day = |d: u16| (d * 1440 + 510, d * 1440 + 1080);
    let shared = Shared {
        access: Arc::new(SnmpAccess {
            text: Default::default(),
            interfaces_max: SnmpAccess::INTERFACES_MAX,
            name: "cpe".into(),
            port: 161,
            credentials: Credentials::V2c {
                community: Secret::new("public"),
            },
        }),
        hours: Arc::new(Hours::new((0..5).map(day).collect(), false).unwrap()),
        wan: [wanted("wan0".to_owned())].into(),
        nothing: [].into(),
        ports: (0..PER_DEVICE).map(|i| wanted(format!("ge-0/0/{i}"))).collect(),
        thresholds: Arc::new(
            utilization
                .map(|t| (ThresholdKind::Utilization, t))
                .into_iter()
                .collect(),
        ),
        none: Arc::default(),
        carriers: (0..4).map(|i| Name::from(format!("carrier-{i}"))).collect(),
        class: "user".into(),
    };
    let count = devices(shape, circuits);
    let mut all: Vec<Device> = (0..count).map(|i| aggregation(&shared, shape, i, watched)).collect();
    all.extend((0..circuits).map(|i| circuit(&shared, shape, i)));
    Arc::new(around(all))
}

fn settings(echoes: u32) -> PollSettings {
    PollSettings {
        interval: Duration::from_secs(60),
        timeout: Duration::from_secs(2),
        echoes,
        confirm: Confirm {
            echoes: 15,
            over: Duration::from_secs(30),
        },
        recover: Recover {
            rounds: 3,
            over: Duration::from_secs(60),
        },
    }
}

fn aggregation(shared: &Shared, shape: Shape, i: u32, watched: bool) -> Device {
    let by_snmp = shape == Shape::Device;
    Device {
        name: format!("agg-{i}").into(),
        role: Role::Managed,
        address: IpAddr::V4(Ipv4Addr::from(DEVICES + i)),
        zone: None,
        owner: Owner::Own,
        group: None,
        site: Some(format!("site-{}", i / SITE).into()),
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: if watched { Liveness::Echo } else { Liveness::None },
        poll: settings(3),
        circuit: None,
        snmp: by_snmp.then(|| shared.access.clone()),
        profile: None,
        interfaces: if by_snmp {
            shared.ports.clone()
        } else {
            shared.nothing.clone()
        },
        watches: [].into(),
        thresholds: shared.none.clone(),
        findings: Arc::default(),
        parents: Vec::new(),
        demarcation: None,
    }
}

fn circuit(shared: &Shared, shape: Shape, i: u32) -> Device {
    let cpe = shape == Shape::Cpe;
    let parent = DeviceId(if cpe { i / BEHIND } else { i / PER_DEVICE });
    let measure = if cpe {
        Measure::Cpe("wan0".into())
    } else {
        Measure::Line(Line {
            device: parent,
            port: format!("ge-0/0/{}", i % PER_DEVICE).into(),
        })
    };
    Device {
        name: format!("N-{i:07}").into(),
        role: Role::Circuit,
        address: IpAddr::V4(Ipv4Addr::from(if cpe {
            CIRCUITS + i
        } else {
            DEVICES + i / PER_DEVICE
        })),
        zone: None,
        owner: Owner::Institution,
        group: None,
        site: None,
        class: Some(shared.class.clone()),
        tags: [].into(),
        status: Status::Active,
        liveness: if cpe { Liveness::Echo } else { Liveness::Line },
        poll: settings(1),
        circuit: Some(Box::new(Circuit {
            institution_id: format!("13{i:06}").into(),
            institution: format!("Clinic {i}").into(),
            carrier: Some(shared.carriers[i as usize % 4].clone()),
            role: CircuitRole::Main,
            measure,
            down_bps: Some(100_000_000),
            up_bps: Some(100_000_000),
            power: Power::MayBeOff,
            hours: shared.hours.clone(),
            contact: None,
            tells_utilization: false,
        })),
        snmp: cpe.then(|| shared.access.clone()),
        profile: Some("host-resources".into()),
        interfaces: if cpe {
            shared.wan.clone()
        } else {
            shared.nothing.clone()
        },
        watches: [].into(),
        thresholds: shared.thresholds.clone(),
        findings: Arc::default(),
        parents: vec![parent],
        demarcation: None,
    }
}

fn around(devices: Vec<Device>) -> Site {
    Site {
        operator: Operator {
            name: "Scale".to_owned(),
            phone: None,
            language: Language::English,
            timezone: "Asia/Tokyo".to_owned(),
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
        contacts: vec![Contact {
            name: "noc".into(),
            party: Party::Own,
            role: None,
            mail: vec![hinomi::model::Address {
                mail: "noc@example.net".to_owned(),
                crosses: Vec::new(),
                when: Default::default(),
            }],
            phone: None,
            language: None,
            carrier: None,
        }],
        procedures: vec![Procedure {
            name: "all".into(),
            matches: Match {
                level: Some(Level::Critical),
                ..Match::default()
            },
            tell: vec!["noc".into()],
            escalate: Vec::new(),
            remind: None,
        }],
        routes: Vec::new(),
        maintenance: Vec::new(),
        heartbeat: None,
        traps: None,
        plugins: Default::default(),
        fingerprint: String::new(),
    }
}
