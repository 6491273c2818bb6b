//! `hinomi probe`: polls one device or circuit now, with a core of its own, and prints everything read and how it was judged.

use super::{Failure, explain, status};
use crate::core::{Core, DeviceStatus, ReachState};
use crate::daemon::{self, once};
use crate::model::{Device, DeviceId, InterfaceWanted, Measure, Name, Service, Site, Status, Watch, WatchKind};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Probes a device or a circuit of a configuration.
pub(super) fn probe(name: &str, config: &Path, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let site = daemon::load(config).map_err(|e| Failure::new(2, e))?;
    let Some(id) = site.find(name) else {
        return Err(explain::unknown(name, site.devices.iter().map(|d| &*d.name)));
    };
    let alone = alone(&site, id);
    let patience = patience(&alone);
    // Of a circuit that is a line on a device, that device's agent tells.
    let agent_of = alone.devices.last().map(|d| (d.name.clone(), d.snmp.is_some()));
    let services: Vec<Name> = services(&alone.devices[0]).map(|(name, _)| name.clone()).collect();
    let seen = |d: &DeviceStatus, agent: bool| {
        let answered = services
            .iter()
            .all(|name| d.readings.iter().any(|(of, _)| *of == **name));
        d.reach != ReachState::Unknown && (agent && answered || d.reach == ReachState::Suspect)
    };
    let told = |core: &Core| {
        agent_of.as_ref().is_none_or(|(of, asks)| {
            let device = core.device(of);
            !asks || device.is_some_and(|d| d.agent_error.is_some() || d.uptime_ticks.is_some())
        })
    };
    let seen = |core: &Core| core.device(name).is_some_and(|d| seen(&d, told(core)));
    let core = once::watch(&alone, patience, |core, _, _| seen(core)).map_err(|e| Failure::new(1, e.to_string()))?;
    let line_error = agent_of
        .as_ref()
        .filter(|(of, _)| **of != *name)
        .and_then(|(of, _)| core.device(of)?.agent_error.map(|why| format!("{of}: {why}")));
    let Some(mut device) = core.device(name) else {
        return Err(Failure::new(
            1,
            "nothing was polled: a mistake in hinomi, please report it",
        ));
    };
    // The probe asks at once; the daemon will keep to the interval as configured.
    device.detection_seconds = site.device(id).poll.detection().as_secs_f64();
    device.agent_error = device.agent_error.or(line_error);
    if json {
        writeln!(out, "{}", status::json(&device)?)?;
    } else {
        explain::print_device(&device, out)?;
        writeln!(
            out,
            "\n(one round; rates need two readings at least 30 s apart: hinomi explain {name})"
        )?;
    }
    let answers = matches!(
        device.reach,
        ReachState::Up | ReachState::Lossy | ReachState::NotWatched
    );
    Ok(u8::from(!answers || device.agent_error.is_some()))
}

/// A site of this device alone, polled at once: nobody is told, nothing is inferred from others. A circuit that is a line on a device
/// has that device behind it.
fn alone(site: &Site, id: DeviceId) -> Arc<Site> {
    let mut device = quick(site.device(id));
    let mut devices = Vec::new();
    if let Some(circuit) = &mut device.circuit
        && let Measure::Line(line) = &mut circuit.measure
    {
        let mut carries = quick(site.device(line.device));
        carries.interfaces = [InterfaceWanted {
            pattern: line.port.clone(),
            rate_bps: None,
            expect_up: false,
            backup: false,
            to: None,
        }]
        .into();
        carries.thresholds = Arc::default();
        carries.watches = Arc::default();
        line.device = DeviceId(1);
        devices.push(carries);
    }
    devices.insert(0, device);
    Arc::new(Site {
        devices,
        uplinks: Vec::new(),
        redundancy: Vec::new(),
        contacts: Vec::new(),
        procedures: Vec::new(),
        routes: Vec::new(),
        maintenance: Vec::new(),
        heartbeat: None,
        traps: None,
        ..site.clone()
    })
}

/// The device as it is asked at once.
fn quick(device: &Device) -> Device {
    let mut device = device.clone();
    device.parents.clear();
    device.demarcation = None;
    device.status = Status::Active;
    device.poll.interval = device.poll.timeout + Duration::from_secs(1);
    device.watches = device.watches.iter().map(at_once).collect();
    device
}

/// The same watch, asked within a second.
fn at_once(watch: &Watch) -> Watch {
    let kind = match &watch.kind {
        WatchKind::Service(service) => WatchKind::Service(Arc::new(Service {
            interval: Duration::from_secs(1),
            ..Service::clone(service)
        })),
        other => other.clone(),
    };
    Watch { kind, ..watch.clone() }
}

/// Watched services by name.
fn services(device: &Device) -> impl Iterator<Item = (&Name, &Arc<Service>)> {
    device.watches.iter().filter_map(|watch| match &watch.kind {
        WatchKind::Service(service) => Some((&watch.name, service)),
        WatchKind::Oid { .. } | WatchKind::Tcp { .. } => None,
    })
}

/// The round starts within one interval; an agent may need names to be found, and retries; each service has its own deadline.
fn patience(site: &Site) -> Duration {
    let device = &site.devices[0];
    let slowest = services(device).map(|(_, s)| s.timeout).max().unwrap_or_default();
    let timeout = site.devices.iter().map(|d| d.poll.timeout).max().unwrap_or_default();
    device.poll.interval + (timeout * 4).max(slowest) + Duration::from_secs(10)
}
