//! On which path a device lies: parents, the demarcation link, the uplinks of this host. Circles are named whole.

use super::devices::{Inventory, Written};
use super::layer::{Layer, first};
use super::operator::Daemon;
use crate::config::raw::At;
use crate::config::report::Ctx;
use crate::model::{Confirm, Demarcation, Device, DeviceId, HostAddress, Liveness, Owner, PollSettings, Role, Status};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Fills in parents and demarcation links.
pub(super) fn connect(ctx: &Ctx<'_>, inventory: &mut Inventory, written: &[Written], groups: &BTreeMap<String, Layer>) {
    for group in groups.values() {
        for name in &group.links {
            inventory.resolve(ctx, name);
        }
    }
    for (i, device) in written.iter().enumerate() {
        let group = inventory.devices[i].group.as_deref().and_then(|g| groups.get(g));
        let names = first(&device.layer, group, |l| l.parents.as_ref());
        let mut parents: Vec<DeviceId> = Vec::new();
        for name in names.map_or(&[][..], |n| &n.value) {
            if name.value == device.name.value {
                ctx.error(
                    name.at,
                    format!("`{}` is its own parent", name.value),
                    "parents are what this device is reached through",
                );
            } else if let Some(id) = inventory.resolve(ctx, name)
                && !parents.contains(&id)
            {
                parents.push(id);
            }
        }
        inventory.devices[i].parents = parents;
        links(ctx, inventory, device);
        demarcation(ctx, inventory, i, device);
    }
    circles(ctx, inventory, written);
}

/// Every far end of a link is a device, and another one.
fn links(ctx: &Ctx<'_>, inventory: &Inventory, written: &Written) {
    for name in &written.layer.links {
        if name.value == written.name.value {
            let what = format!("a link of `{}` to itself", name.value);
            ctx.error(name.at, what, "`to` names the device at the other end of the cable");
        } else {
            inventory.resolve(ctx, name);
        }
    }
}

fn demarcation(ctx: &Ctx<'_>, inventory: &mut Inventory, i: usize, written: &Written) {
    let Some(crossing) = &written.demarcation else {
        return;
    };
    let (edge, interface) = (&crossing.device, &crossing.interface);
    let owner = inventory.devices[i].owner;
    if owner != Owner::Platform {
        let what = format!("`demarcation` on a device with owner = \"{}\"", owner.key());
        ctx.error(
            edge.at,
            what,
            "it belongs to the platform's device past the demarcation point: owner = \"platform\"",
        );
    }
    let Some(id) = inventory.resolve(ctx, edge) else { return };
    if id.index() == i || inventory.devices[id.index()].owner != Owner::Own {
        let what = format!("`demarcation.device` is `{}`, which is no own device", edge.value);
        ctx.error(
            edge.at,
            what,
            "name your own edge device that the link to the platform ends on",
        );
        return;
    }
    let reads = &inventory.devices[id.index()].interfaces;
    if !reads
        .iter()
        .any(|w| crate::model::device::glob(&w.pattern, &interface.value))
    {
        let what = format!("`{}` is not among the interfaces of `{}`", interface.value, edge.value);
        let hint = format!(
            "without its state no fault can be laid on the platform or the link: add \"{}\" to `interfaces` of `{}`",
            interface.value, edge.value
        );
        ctx.warn(interface.at, what, hint);
    }
    let device = &mut inventory.devices[i];
    device.parents.retain(|p| *p != id);
    device.parents.insert(0, id);
    device.demarcation = Some(Demarcation {
        device: id,
        interface: Arc::from(interface.value.as_str()),
        peers: crossing.peers.clone(),
        subnet: crossing.subnet,
    });
}

/// Reports every circle of parents once, with all its members.
fn circles(ctx: &Ctx<'_>, inventory: &Inventory, written: &[Written]) {
    let devices = &inventory.devices;
    // Take away what has no parents left until nothing changes; what remains leads into a circle.
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); devices.len()];
    let mut open: Vec<usize> = devices.iter().map(|d| d.parents.len()).collect();
    for (i, device) in devices.iter().enumerate() {
        device.parents.iter().for_each(|p| children[p.index()].push(i));
    }
    let mut free: Vec<usize> = (0..devices.len()).filter(|i| open[*i] == 0).collect();
    while let Some(i) = free.pop() {
        for &child in &children[i] {
            open[child] -= 1;
            if open[child] == 0 {
                free.push(child);
            }
        }
    }
    let mut told = vec![false; devices.len()];
    for start in (0..devices.len()).filter(|i| open[*i] > 0) {
        let mut path: Vec<usize> = Vec::new();
        let mut at = start;
        while !path.contains(&at) && !told[at] {
            path.push(at);
            // Every device left has a parent that is left.
            let Some(next) = devices[at].parents.iter().map(|p| p.index()).find(|p| open[*p] > 0) else {
                break;
            };
            at = next;
        }
        path.iter().for_each(|i| told[*i] = true);
        if let Some(begin) = path.iter().position(|i| *i == at) {
            let names: Vec<&str> = path[begin..].iter().chain([&at]).map(|i| &*devices[*i].name).collect();
            let place = written[at].layer.parents.as_ref().map_or(written[at].name.at, |p| p.at);
            let what = format!("parents go in a circle: {}", names.join(" -> "));
            ctx.error(
                place,
                what,
                "a parent is nearer to this host than its children; remove one of these",
            );
        }
    }
}

/// `daemon.uplinks`: devices of those addresses, or devices made for the purpose.
pub(super) fn uplinks(ctx: &Ctx<'_>, inventory: &mut Inventory, daemon: &Daemon, top: &PollSettings) {
    let poll = uplink_poll(&inventory.devices, top);
    for uplink in &daemon.uplinks {
        let device = inventory.devices.iter().position(|d| d.host() == uplink.value);
        let id = device.unwrap_or(inventory.devices.len());
        let id = DeviceId(u32::try_from(id).unwrap_or(u32::MAX));
        if inventory.uplinks.contains(&id) {
            ctx.error(
                uplink.at,
                format!("the uplink {} is listed twice", uplink.value),
                "remove one of the two",
            );
            continue;
        }
        match device.map(|i| &inventory.devices[i]) {
            None => make(ctx, inventory, uplink, poll),
            Some(d) if d.status != Status::Active || d.liveness == Liveness::None => {
                let what = format!(
                    "the uplink {} is the device `{}`, whose liveness is not watched",
                    uplink.value, d.name
                );
                ctx.error(
                    uplink.at,
                    what,
                    "an uplink tells whether this host is cut off: it must be active and answer",
                );
            }
            Some(_) => {}
        }
        inventory.uplinks.push(id);
    }
}

fn make(ctx: &Ctx<'_>, inventory: &mut Inventory, uplink: &At<HostAddress>, poll: PollSettings) {
    let name = format!("uplink {}", uplink.value);
    if inventory.ids.contains_key(name.as_str()) {
        ctx.error(
            uplink.at,
            format!("a device is already called `{name}`"),
            "give that device another name",
        );
    }
    inventory.places.push(uplink.at);
    inventory.devices.push(Device {
        name: Arc::from(name),
        role: Role::UplinkOnly,
        address: uplink.value.ip,
        zone: uplink.value.zone.clone(),
        owner: Owner::Own,
        group: None,
        site: None,
        class: None,
        tags: [].into(),
        status: Status::Active,
        liveness: Liveness::Echo,
        poll,
        snmp: None,
        profile: None,
        interfaces: [].into(),
        watches: [].into(),
        thresholds: Arc::default(),
        findings: Arc::default(),
        circuit: None,
        parents: Vec::new(),
        demarcation: None,
    });
}

/// 5 s, confirmed over 10 s; quicker where a device is, since a blind host must know before it accuses anybody.
fn uplink_poll(devices: &[Device], top: &PollSettings) -> PollSettings {
    let quickest = |times: &mut dyn Iterator<Item = Duration>, most: u64| {
        times.min().unwrap_or(Duration::MAX).min(Duration::from_secs(most))
    };
    let interval = quickest(&mut devices.iter().map(|d| d.poll.interval), 5);
    let over = quickest(&mut devices.iter().map(|d| d.poll.confirm.over), 10);
    PollSettings {
        interval,
        timeout: top.timeout.min(interval),
        // A second holds three of them, 200 ms apart.
        echoes: top.echoes.min(3),
        confirm: Confirm { echoes: 15, over },
        recover: top.recover,
    }
}
