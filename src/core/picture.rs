//! A compact picture of all devices for `/metrics`: rows of numbers by [`DeviceId`], made in slices.
//!
//! What is said of one device belongs together; two devices may have been looked at some ticks apart. Names, addresses and the
//! labels of circuits are not copied: they come from the site that the picture holds.
//!
//! Never here: text of a device for a circuit (a nation's series must not depend on what a device says), a clock.

use super::{Core, Snapshot, view};
use crate::model::service::{Answer, Failure, Perf};
use crate::model::{
    Device, DeviceId, FindingKind, Level, Measure, Metric, Name, Now, Part, ReachState, Role, Site, Status,
};
use crate::poll::InterfaceReading;
use crate::rules::service::fault;
use crate::sample::Spread;
use std::ops::Range;
use std::sync::Arc;

/// One device. Numbers that are not known are NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Why it is in the inventory.
    pub role: Role,
    /// Reachability.
    pub state: ReachState,
    /// Worst level of its findings.
    pub level: Level,
    /// Planned work covers it now: in force, or settling.
    pub maintenance: bool,
    /// Mean round-trip time of the last round, seconds.
    pub rtt_seconds: f32,
    /// Of a circuit: octets toward the institution, share of the contracted rate (1 is all of it).
    pub down_ratio: f32,
    /// Of a circuit: octets from the institution, share of the contracted rate.
    pub up_ratio: f32,
}

/// What only a device written as `[[device]]` has.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedRow {
    /// Which.
    pub device: DeviceId,
    /// Share of echoes lost over the window.
    pub loss_ratio: Option<f64>,
    /// Least, most and standard deviation of the round-trip times of the last minutes.
    pub round_trip: Option<Spread>,
    /// sysUpTime, TimeTicks.
    pub uptime_ticks: Option<u32>,
    /// The profile in use.
    pub profile: Option<Name>,
}

/// State and counters of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Port {
    /// Octets in.
    pub in_octets: Option<u64>,
    /// Octets out.
    pub out_octets: Option<u64>,
    /// ifOperStatus.
    pub oper: Option<u8>,
    /// ifAdminStatus.
    pub admin: Option<u8>,
    /// Speed, bit/s.
    pub speed_bps: Option<u64>,
}

/// A port of an operator's device that is no circuit's line.
#[derive(Clone, Debug, PartialEq)]
pub struct PortRow {
    /// Whose.
    pub device: DeviceId,
    /// ifIndex.
    pub index: u32,
    /// ifName.
    pub name: Name,
    /// ifAlias.
    pub alias: Option<Name>,
    /// Its numbers.
    pub port: Port,
}

/// The port at which a circuit is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircuitPort {
    /// Which circuit.
    pub circuit: DeviceId,
    /// Its numbers.
    pub port: Port,
}

/// A judged number of an operator's device.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberRow {
    /// Whose.
    pub device: DeviceId,
    /// Which.
    pub metric: Metric,
    /// Watch or interface; `None` for the device.
    pub part: Option<Name>,
    /// In the unit of its threshold, if it is known.
    pub value: Option<f64>,
    /// Level in force; none while there is no value and no level holds.
    pub level: Option<Level>,
}

/// An open finding.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingRow {
    /// Whose.
    pub device: DeviceId,
    /// Of which part.
    pub part: Part,
    /// What.
    pub kind: FindingKind,
    /// Of which number.
    pub metric: Option<Metric>,
    /// How bad.
    pub level: Level,
}

/// A watched service, as it answered last.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRow {
    /// Of which device.
    pub device: DeviceId,
    /// The watch's name.
    pub watch: Name,
    /// What is asked: `tls`, `http` …
    pub kind: &'static str,
    /// The answer was the right one; `None`: not known.
    pub good: Option<bool>,
}

/// A number of a plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct PerfRow {
    /// Of which device.
    pub device: DeviceId,
    /// The watch's name.
    pub watch: Name,
    /// Its label, its value, its unit.
    pub perf: Perf,
}

/// All devices.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The site that the ids belong to.
    pub site: Arc<Site>,
    /// What is said once; its lists are empty.
    pub head: Snapshot,
    /// Datagrams that the kernel dropped, by kind of socket; filled in by the shell.
    pub kernel_dropped: Vec<(&'static str, u64)>,
    /// By [`DeviceId`].
    pub rows: Vec<Row>,
    /// In the order of ids.
    pub managed: Vec<ManagedRow>,
    /// In the order of ids.
    pub ports: Vec<PortRow>,
    /// In the order of the devices that told of them.
    pub circuit_ports: Vec<CircuitPort>,
    /// In the order of ids.
    pub numbers: Vec<NumberRow>,
    /// In the order of ids.
    pub findings: Vec<FindingRow>,
    /// In the order of ids.
    pub services: Vec<ServiceRow>,
    /// In the order of ids.
    pub perfdata: Vec<PerfRow>,
}

impl Picture {
    /// A picture of a site without a row. Room for a row a device is reserved, not used: the kernel gives memory when it is written.
    pub fn new(site: Arc<Site>, head: Snapshot) -> Picture {
        let devices = site.devices.len();
        Picture {
            site,
            head,
            kernel_dropped: Vec::new(),
            rows: Vec::with_capacity(devices),
            managed: Vec::new(),
            ports: Vec::new(),
            circuit_ports: Vec::with_capacity(devices),
            numbers: Vec::new(),
            findings: Vec::new(),
            services: Vec::new(),
            perfdata: Vec::new(),
        }
    }
}

impl Core {
    /// Begins a picture: what is said once, and no device yet.
    pub fn begin_picture(&self, now: Now) -> Picture {
        Picture::new(self.site.clone(), view::head(self, now))
    }

    /// Adds devices to a picture that was begun with this site: `range` of ids goes on where the last one ended.
    pub fn picture(&self, range: Range<usize>, picture: &mut Picture) {
        for index in range.start..range.end.min(self.site.devices.len()) {
            let id = DeviceId(u32::try_from(index).unwrap_or(u32::MAX));
            let device = &self.site.devices[index];
            let row = match device.role {
                Role::Managed => managed(self, id, device, picture),
                Role::Circuit => circuit(self, id, device, picture),
                Role::UplinkOnly => row(self, id, device, Level::Ok),
            };
            picture.rows.push(row);
        }
    }
}

fn row(core: &Core, id: DeviceId, device: &Device, level: Level) -> Row {
    let node = core.rules.reach().node(id);
    Row {
        role: device.role,
        state: node.state,
        level,
        maintenance: core.notifier.maintenance_of(id).is_some(),
        rtt_seconds: node.rtt_seconds.map_or(f32::NAN, |s| s as f32),
        down_ratio: f32::NAN,
        up_ratio: f32::NAN,
    }
}

fn managed(core: &Core, id: DeviceId, device: &Device, picture: &mut Picture) -> Row {
    let reading = core.last[id.index()].reading.as_deref();
    picture.managed.push(ManagedRow {
        device: id,
        loss_ratio: core.sampler.loss(id).map(|percent| percent / 100.0),
        round_trip: core.sampler.round_trip(id),
        uptime_ticks: reading.and_then(|r| r.uptime),
        profile: reading.and_then(|r| r.profile.as_ref().map(|p| p.name.clone())),
    });
    for reading in reading.into_iter().flat_map(|r| &r.interfaces) {
        match core.sampler.lines().circuit(&core.site, id, reading) {
            Some((circuit, _)) => picture.circuit_ports.push(CircuitPort {
                circuit,
                port: port(reading),
            }),
            None => picture.ports.push(PortRow {
                device: id,
                index: reading.index,
                name: reading.name.clone(),
                alias: reading.alias.clone(),
                port: port(reading),
            }),
        }
    }
    numbers(core, id, device, &mut picture.numbers);
    services(core, id, device, picture);
    let findings = view::findings(core, &device.name);
    let level = findings.iter().map(|f| f.level).max().unwrap_or_default();
    picture.findings.extend(findings.into_iter().map(|f| FindingRow {
        device: id,
        part: f.key.part,
        kind: f.key.kind,
        metric: f.key.metric,
        level: f.level,
    }));
    row(core, id, device, level)
}

fn numbers(core: &Core, id: DeviceId, device: &Device, rows: &mut Vec<NumberRow>) {
    let judged = core.rules.numbers().of(id).map(|(part, metric, number)| NumberRow {
        device: id,
        metric,
        part: view::part_name(part),
        value: number.last.ok(),
        level: view::known_level(number.state.level(), number.last.is_ok()),
    });
    rows.extend(judged);
    rows.extend(core.sampler.unjudged(id).map(|(metric, value)| NumberRow {
        device: id,
        metric,
        part: None,
        level: view::known_level(Level::Ok, value.is_ok()),
        value: value.ok(),
    }));
    let Some(tcp) = core.last[id.index()].tcp.as_deref() else {
        return;
    };
    // One that the configuration no longer has is passed over.
    let watched = tcp
        .iter()
        .filter(|(name, _)| device.watches.iter().any(|w| w.name == **name));
    rows.extend(watched.map(|(name, result)| NumberRow {
        device: id,
        metric: Metric::Watch,
        part: Some(name.clone()),
        value: result.as_ref().ok().map(std::time::Duration::as_secs_f64),
        level: view::known_level(Level::Ok, result.is_ok()),
    }));
}

fn services(core: &Core, id: DeviceId, device: &Device, picture: &mut Picture) {
    let Some(seen) = core.last[id.index()].services.as_deref() else {
        return;
    };
    // One that the configuration no longer has is passed over.
    for (watch, (wall, result)) in seen {
        let Some(service) = device.service(watch) else { continue };
        let good = match result {
            Ok(answer) => Some(fault(service, answer, *wall).is_none()),
            Err(Failure::NotKnown(_)) => None,
            Err(Failure::NoAnswer(_) | Failure::Malformed(_)) => Some(false),
        };
        picture.services.push(ServiceRow {
            device: id,
            watch: watch.clone(),
            kind: service.ask.key(),
            good,
        });
        if let Ok(Answer::Command { perfdata, .. }) = result {
            picture.perfdata.extend(perfdata.iter().map(|perf| PerfRow {
                device: id,
                watch: watch.clone(),
                perf: perf.clone(),
            }));
        }
    }
}

fn circuit(core: &Core, id: DeviceId, device: &Device, picture: &mut Picture) -> Row {
    let reading = core.last[id.index()].reading.as_deref();
    if let (Some(reading), Some(Measure::Cpe(name))) = (reading, device.circuit.as_ref().map(|c| &c.measure)) {
        let at = |i: &&InterfaceReading| i.name == *name || i.found_by.as_ref() == Some(name);
        picture
            .circuit_ports
            .extend(reading.interfaces.iter().find(at).map(|i| CircuitPort {
                circuit: id,
                port: port(i),
            }));
    }
    let before = picture.findings.len();
    let level = circuit_findings(core, id, device, |finding| picture.findings.push(finding));
    debug_assert_eq!(level == Level::Ok, picture.findings.len() == before);
    let mut row = row(core, id, device, level);
    for (_, metric, number) in core.rules.numbers().of(id) {
        let ratio = number.last.map_or(f32::NAN, |percent| (percent / 100.0) as f32);
        match metric {
            Metric::UtilizationDown => row.down_ratio = ratio,
            Metric::UtilizationUp => row.up_ratio = ratio,
            _ => {}
        }
    }
    row
}

/// The findings of a circuit that are open at a level; returns the worst.
pub(super) fn circuit_findings(core: &Core, id: DeviceId, device: &Device, mut each: impl FnMut(FindingRow)) -> Level {
    if device.status != Status::Active {
        return Level::Ok;
    }
    let mut worst = Level::Ok;
    let mut take = |part: &Part, kind, metric, level: Level| {
        if level > Level::Ok {
            worst = worst.max(level);
            let part = part.clone();
            each(FindingRow {
                device: id,
                part,
                kind,
                metric,
                level,
            });
        }
    };
    let conditions = core.rules.conditions();
    if !conditions.is_empty() {
        for (key, condition) in conditions.of(&device.name).filter(|(_, c)| c.raised) {
            take(&key.part, key.kind, key.metric, condition.level);
        }
    }
    let told = device.circuit.as_ref().is_none_or(|c| c.tells_utilization);
    for (part, metric, number) in core.rules.numbers().of(id) {
        if told || !matches!(metric, Metric::UtilizationDown | Metric::UtilizationUp) {
            take(part, FindingKind::Threshold, Some(metric), number.state.level());
        }
    }
    worst
}

fn port(reading: &InterfaceReading) -> Port {
    Port {
        in_octets: reading.in_octets.map(view::wide),
        out_octets: reading.out_octets.map(view::wide),
        oper: reading.oper,
        admin: reading.admin,
        speed_bps: reading.speed_bps,
    }
}
