//! What is written for each row of a picture: devices, circuits, ports, numbers, findings.
//!
//! Labels come from the configuration; of what a device tells, only ports of the operator's own devices carry text.

use super::once;
use super::text::{Writer, key, truth};
use crate::core::Picture;
use crate::core::picture::{Port, Row};
use crate::model::{Circuit, CircuitRole, Device, DeviceId, Measure, Metric, Name, Part, ReachState, Role};
use std::borrow::Cow;

pub(super) fn all(p: &Picture) -> usize {
    p.rows.len()
}

pub(super) fn managed(p: &Picture) -> usize {
    p.managed.len()
}

/// Ports of devices, then ports of circuits.
pub(super) fn ports(p: &Picture) -> usize {
    p.ports.len() + p.circuit_ports.len()
}

pub(super) fn numbers(p: &Picture) -> usize {
    p.numbers.len()
}

pub(super) fn findings(p: &Picture) -> usize {
    p.findings.len()
}

pub(super) fn services(p: &Picture) -> usize {
    p.services.len()
}

pub(super) fn perfdata(p: &Picture) -> usize {
    p.perfdata.len()
}

fn name(p: &Picture, device: DeviceId) -> &str {
    &p.site.device(device).name
}

pub(super) fn device_info(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.managed[i];
    let d = p.site.device(row.device);
    w.sample(
        &[
            &d.name,
            &d.host().to_string(),
            d.owner.key(),
            d.site.as_deref().unwrap_or_default(),
            d.group.as_deref().unwrap_or_default(),
            row.profile.as_deref().unwrap_or_default(),
        ],
        1,
    );
}

pub(super) fn loss(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.managed[i];
    if let Some(ratio) = row.loss_ratio {
        w.sample(&[name(p, row.device)], ratio);
    }
}

pub(super) fn round_trip(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.managed[i];
    if let Some(all) = row.round_trip {
        let device = name(p, row.device);
        w.sample(&[device, "min"], all.min_seconds);
        w.sample(&[device, "max"], all.max_seconds);
        w.sample(&[device, "deviation"], all.deviation_seconds);
    }
}

pub(super) fn uptime(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.managed[i];
    if let Some(ticks) = row.uptime_ticks {
        w.sample(&[name(p, row.device)], u64::from(ticks));
    }
}

/// A row that stands in every list: not an address that only feeds the blind guard, not a circuit out of service.
fn shown(p: &Picture, i: usize) -> Option<&Row> {
    let shown = |row: &&Row| match row.role {
        Role::Managed => true,
        Role::Circuit => row.state != ReachState::NotWatched,
        Role::UplinkOnly => false,
    };
    p.rows.get(i).filter(shown)
}

pub(super) fn device_level(p: &Picture, i: usize, w: &mut Writer) {
    if let Some(row) = shown(p, i) {
        w.sample(&[&p.site.devices[i].name], row.level as u64);
    }
}

pub(super) fn device_maintenance(p: &Picture, i: usize, w: &mut Writer) {
    if shown(p, i).is_some_and(|row| row.maintenance) {
        w.sample(&[&p.site.devices[i].name], 1_u64);
    }
}

pub(super) fn probe_success(p: &Picture, i: usize, w: &mut Writer) {
    let Some(row) = shown(p, i) else { return };
    let value: u64 = match row.state {
        ReachState::Up | ReachState::Lossy => 1,
        ReachState::Suspect | ReachState::Down | ReachState::Unreachable | ReachState::Off => 0,
        // Silence of the monitor is not silence of the device.
        ReachState::Unknown | ReachState::Blind | ReachState::NotWatched => return,
    };
    let device = &p.site.devices[i];
    w.sample(&[&device.name, device.owner.key()], value);
}

pub(super) fn rtt(p: &Picture, i: usize, w: &mut Writer) {
    if let Some(row) = shown(p, i).filter(|r| !r.rtt_seconds.is_nan()) {
        w.sample(&[&p.site.devices[i].name, "rtt"], row.rtt_seconds);
    }
}

fn of_circuit(p: &Picture, i: usize) -> Option<(&Row, &Device, &Circuit)> {
    let row = p.rows.get(i).filter(|r| r.role == Role::Circuit)?;
    let device = &p.site.devices[i];
    Some((row, device, device.circuit.as_deref()?))
}

pub(super) fn circuit_info(p: &Picture, i: usize, w: &mut Writer) {
    let Some((_, device, circuit)) = of_circuit(p, i) else {
        return;
    };
    let (line_device, port) = place(p, circuit);
    let role = match circuit.role {
        CircuitRole::Main => "main",
        CircuitRole::Backup => "backup",
        CircuitRole::Shared => "shared",
    };
    w.sample(
        &[
            &device.name,
            &circuit.institution_id,
            &circuit.institution,
            device.class.as_deref().unwrap_or_default(),
            circuit.carrier.as_deref().unwrap_or_default(),
            role,
            line_device.unwrap_or_default(),
            port.unwrap_or_default(),
        ],
        1,
    );
}

/// The operator's device on which a circuit is measured, and the port, as the configuration names them.
fn place<'a>(p: &'a Picture, circuit: &'a Circuit) -> (Option<&'a str>, Option<&'a str>) {
    match &circuit.measure {
        Measure::Line(line) => (Some(name(p, line.device)), Some(&line.port)),
        Measure::Cpe(port) => (None, Some(port)),
        Measure::Nothing => (None, None),
    }
}

pub(super) fn circuit_state(p: &Picture, i: usize, w: &mut Writer) {
    if let Some((row, device, circuit)) = of_circuit(p, i) {
        let number = once::number(row.state) as u64;
        w.sample(&[&device.name, &circuit.institution_id], number);
    }
}

pub(super) fn circuit_utilization(p: &Picture, i: usize, w: &mut Writer) {
    let Some((row, device, circuit)) = of_circuit(p, i) else {
        return;
    };
    for (direction, ratio) in [("down", row.down_ratio), ("up", row.up_ratio)] {
        if !ratio.is_nan() {
            w.sample(&[&device.name, &circuit.institution_id, direction], ratio);
        }
    }
}

fn port(p: &Picture, i: usize, w: &mut Writer, value: impl Fn(&Port) -> Option<u64>) {
    if let Some(row) = p.ports.get(i) {
        if let Some(v) = value(&row.port) {
            let alias = row.alias.as_deref().unwrap_or_default();
            w.sample(&[name(p, row.device), &row.index.to_string(), &row.name, alias, ""], v);
        }
        return;
    }
    let Some(row) = i.checked_sub(p.ports.len()).and_then(|i| p.circuit_ports.get(i)) else {
        return;
    };
    let device = p.site.device(row.circuit);
    let (Some(v), Some(circuit)) = (value(&row.port), device.circuit.as_deref()) else {
        return;
    };
    let (line_device, port) = place(p, circuit);
    let on = line_device.unwrap_or(&device.name);
    w.sample(&[on, "", port.unwrap_or_default(), "", &device.name], v);
}

pub(super) fn in_octets(p: &Picture, i: usize, w: &mut Writer) {
    port(p, i, w, |port| port.in_octets);
}

pub(super) fn out_octets(p: &Picture, i: usize, w: &mut Writer) {
    port(p, i, w, |port| port.out_octets);
}

pub(super) fn oper(p: &Picture, i: usize, w: &mut Writer) {
    port(p, i, w, |port| port.oper.map(u64::from));
}

pub(super) fn admin(p: &Picture, i: usize, w: &mut Writer) {
    // Of a line only its state is of interest.
    if i < p.ports.len() {
        port(p, i, w, |port| port.admin.map(u64::from));
    }
}

pub(super) fn speed(p: &Picture, i: usize, w: &mut Writer) {
    let Some(row) = p.ports.get(i) else { return };
    if let Some(bps) = row.port.speed_bps {
        let alias = row.alias.as_deref().unwrap_or_default();
        let index = row.index.to_string();
        w.sample(&[name(p, row.device), &index, &row.name, alias, ""], bps as f64 / 1e6);
    }
}

pub(super) fn watch_success(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.services[i];
    // What is not known is neither good nor bad.
    if let Some(good) = row.good {
        w.sample(&[name(p, row.device), &row.watch, row.kind], truth(good));
    }
}

pub(super) fn watch_perfdata(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.perfdata[i];
    let labels = [name(p, row.device), &row.watch, &row.perf.label, &row.perf.unit];
    w.sample(&labels, row.perf.value);
}

/// The unit in a word; that of a watch is its own.
fn unit(device: &Device, part: Option<&Name>, metric: Metric) -> Cow<'static, str> {
    let part = part.map_or(Part::Device, |name| Part::Watch(name.clone()));
    match crate::rules::number::unit(device, &part, metric) {
        own if metric == Metric::Watch => Cow::Owned(own),
        fixed => Cow::Borrowed(match &*fixed {
            "%" => "percent",
            "C" => "celsius",
            "s" => "seconds",
            "d" => "days",
            _ => "",
        }),
    }
}

pub(super) fn metric(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.numbers[i];
    // A number that is not known has no sample: absent, never zero.
    if let Some(value) = row.value {
        let part = row.part.as_deref().unwrap_or_default();
        let unit = unit(p.site.device(row.device), row.part.as_ref(), row.metric);
        w.sample(&[name(p, row.device), &key(&row.metric), part, &unit], value);
    }
}

pub(super) fn metric_level(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.numbers[i];
    // Nor has its level: what is not known is not "ok".
    if let Some(level) = row.level {
        let part = row.part.as_deref().unwrap_or_default();
        w.sample(&[name(p, row.device), &key(&row.metric), part], level as u64);
    }
}

pub(super) fn finding_level(p: &Picture, i: usize, w: &mut Writer) {
    let row = &p.findings[i];
    let part = match &row.part {
        Part::Device | Part::Host => "",
        Part::Component(name) => &name.label,
        Part::Interface(name)
        | Part::Watch(name)
        | Part::Route(name)
        | Part::Contact(name)
        | Part::Common(name)
        | Part::Redundancy(name) => name,
    };
    let metric = row.metric.map(|m| key(&m)).unwrap_or_default();
    w.sample(&[name(p, row.device), part, row.kind.key(), &metric], row.level as u64);
}
