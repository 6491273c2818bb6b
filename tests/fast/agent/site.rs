//! Sites for tests: no files, no configuration text.

use hinomi::model::snmp::{Credentials, SnmpAccess};
use hinomi::model::*;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// A device named `name` on 127.0.0.1 that speaks SNMP on `port`.
pub(crate) fn device(name: &str, port: u16, credentials: Credentials, interfaces: &[&str]) -> Device {
    let wanted = |pattern: &&str| InterfaceWanted {
        pattern: Name::from(*pattern),
        rate_bps: None,
        expect_up: false,
        backup: false,
        to: None,
    };
    // Judged, so that errors, discards and packets are asked for.
    let minute = Duration::from_secs(60);
    let errors = Threshold::new(Bound::new(1.0, 0.9), None, minute, minute);
    Device {
        name: Name::from(name),
        role: Role::Managed,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        zone: None,
        owner: Owner::Own,
        group: None,
        site: None,
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: Liveness::Snmp,
        poll: PollSettings {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            echoes: 3,
            confirm: Confirm {
                echoes: 15,
                over: Duration::from_secs(10),
            },
            recover: Recover {
                rounds: 3,
                over: Duration::from_secs(60),
            },
        },
        snmp: Some(Arc::new(SnmpAccess {
            text: Default::default(),
            interfaces_max: SnmpAccess::INTERFACES_MAX,
            name: "test".into(),
            port,
            credentials,
        })),
        profile: None,
        interfaces: interfaces.iter().map(wanted).collect(),
        watches: [].into(),
        thresholds: Arc::new(errors.map(|t| (ThresholdKind::Errors, t)).into_iter().collect()),
        findings: Default::default(),
        circuit: None,
        parents: Vec::new(),
        demarcation: None,
    }
}

/// A site of these devices.
pub(crate) fn site(devices: Vec<Device>) -> Arc<Site> {
    Arc::new(Site {
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
