//! `hinomi probe`: polls one device now, with a core of its own, and prints everything read and how it was judged.

use super::{Failure, explain, status};
use crate::core::{Core, DeviceStatus, ReachState};
use crate::daemon::{self, once};
use crate::model::{Device, DeviceId, Name, Service, Site, Status, Watch, WatchKind};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Probes a device of a configuration.
pub(super) fn probe(name: &str, config: &Path, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let site = daemon::load(config).map_err(|e| Failure::new(2, e))?;
    let Some(id) = site.find(name) else {
        return Err(explain::unknown(name, site.devices.iter().map(|d| &*d.name)));
    };
    let alone = alone(&site, id);
    let patience = patience(&alone);
    let asks_agent = alone.devices[0].snmp.is_some();
    let services: Vec<Name> = services(&alone.devices[0]).map(|(name, _)| name.clone()).collect();
    let seen = |d: &DeviceStatus| {
        let agent = !asks_agent || d.agent_error.is_some() || d.uptime_ticks.is_some();
        let answered = services
            .iter()
            .all(|name| d.readings.iter().any(|(of, _)| *of == **name));
        d.reach != ReachState::Unknown && (agent && answered || d.reach == ReachState::Suspect)
    };
    let seen = |core: &Core| core.device(name).filter(seen).is_some();
    let core = once::watch(&alone, patience, |core, _, _| seen(core)).map_err(|e| Failure::new(1, e.to_string()))?;
    let Some(mut device) = core.device(name) else {
        return Err(Failure::new(
            1,
            "nothing was polled: a mistake in hinomi, please report it",
        ));
    };
    // The probe asks at once; the daemon will keep to the interval as configured.
    device.detection_seconds = site.device(id).poll.detection().as_secs_f64();
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

/// A site of this device alone, polled at once: nobody is told, nothing is inferred from others.
fn alone(site: &Site, id: DeviceId) -> Arc<Site> {
    let mut device = site.device(id).clone();
    device.parents.clear();
    device.demarcation = None;
    device.status = Status::Active;
    device.poll.interval = device.poll.timeout + Duration::from_secs(1);
    device.watches = device.watches.iter().map(at_once).collect();
    Arc::new(Site {
        devices: vec![device],
        uplinks: Vec::new(),
        redundancy: Vec::new(),
        contacts: Vec::new(),
        procedures: Vec::new(),
        routes: Vec::new(),
        heartbeat: None,
        traps: None,
        ..site.clone()
    })
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
    device.poll.interval + (device.poll.timeout * 4).max(slowest) + Duration::from_secs(10)
}
