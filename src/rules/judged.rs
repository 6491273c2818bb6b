//! Whether a configuration still judges what a finding is about. What it does not judge any more can never end by itself: such a
//! finding ends with the reload, or with the start, that took its ground away.
//!
//! Never here: state of the network.

use super::number;
use super::reach::{control_plane_key, down_key};
use crate::model::device::glob;
use crate::model::{Device, FindingKey, FindingKind, Liveness, Part, Role, Site, Status, WatchKind};

/// Does this configuration judge the finding? `device` is the one the key names, if it is still there.
pub(super) fn judged(site: &Site, device: Option<&Device>, key: &FindingKey) -> bool {
    if key.device.is_none() {
        return match &key.part {
            Part::Contact(name) => site.contacts.iter().any(|c| c.name == *name),
            Part::Route(name) => site.routes.iter().any(|r| r.name == *name),
            Part::Redundancy(name) => site.redundancy.iter().any(|g| g.name == *name),
            _ => key.kind != FindingKind::LastRouteLost || !site.routes.is_empty(),
        };
    }
    let Some(device) = device.filter(|d| d.status == Status::Active && d.role != Role::UplinkOnly) else {
        return false;
    };
    let by_snmp = device.snmp.is_some();
    let alive = device.liveness != Liveness::None;
    match (key.kind, &key.part) {
        (FindingKind::DeviceDown | FindingKind::PlatformDown | FindingKind::CircuitSilent, _) => {
            alive && *key == down_key(device)
        }
        (FindingKind::ControlPlaneSilent, _) => alive && *key == control_plane_key(device),
        (FindingKind::Lossy, _) => alive,
        (FindingKind::AgentSilent | FindingKind::ComponentFailed, _) => by_snmp,
        (FindingKind::InterfaceDown | FindingKind::InterfaceMissing, Part::Interface(name)) => {
            by_snmp && device.interfaces.iter().any(|w| glob(&w.pattern, name))
        }
        (FindingKind::WatchFailed, part) => is_service(device, part),
        (FindingKind::NoData, part) if is_service(device, part) => true,
        (FindingKind::NoData, part) => match key.metric {
            None => by_snmp && number::still_named(site, device, part),
            Some(metric) => number::awaited(device, part, metric),
        },
        (FindingKind::Threshold, part) => {
            is_tcp(device, part) || key.metric.is_some_and(|m| number::judged(device, part, m))
        }
        _ => true,
    }
}

/// Is the part a port that should take connections? It has no number: it works or it does not.
pub(super) fn is_tcp(device: &Device, part: &Part) -> bool {
    let Part::Watch(name) = part else { return false };
    let watch = device.watches.iter().find(|w| w.name == *name);
    watch.is_some_and(|w| matches!(w.kind, WatchKind::Tcp { .. }))
}

/// Is the part a watched service?
pub(super) fn is_service(device: &Device, part: &Part) -> bool {
    matches!(part, Part::Watch(name) if device.service(name).is_some())
}
