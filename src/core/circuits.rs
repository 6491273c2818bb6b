//! Access circuits for people: counts by state, short lists of those that somebody may have to look at, one in full by name.
//!
//! Never here: anything whose size grows with the number of circuits.

use super::{CircuitLine, CircuitStatus, Circuits, Core, picture, standing};
use crate::model::{Circuit, Device, DeviceId, Level, LocalMinute, Measure, Power, ReachState};

/// The lists are no longer than this; the counts say how many there are.
const LISTED: usize = 200;
/// A circuit that is off for so long after its institution has opened is worth a call (design section 6).
const OPEN_MINUTES: u16 = 30;

/// Counts one circuit, and lists it if it is silent, has a finding, or is still off.
pub(super) fn count(core: &Core, id: DeviceId, device: &Device, local: LocalMinute, circuits: &mut Circuits) {
    let node = core.rules.reach().node(id);
    *circuits.states.entry(node.state).or_default() += 1;
    let Some(circuit) = device.circuit.as_deref() else {
        return;
    };
    let mut findings = Vec::new();
    let level = picture::circuit_findings(core, id, device, |f| findings.push(f.kind));
    let line = || CircuitLine {
        circuit: device.name.clone(),
        institution_id: circuit.institution_id.clone(),
        institution: circuit.institution.clone(),
        carrier: circuit.carrier.clone(),
        reach: node.state,
        recovering: standing::recovering(node, device),
        behind: standing::behind(core, id, device),
        maintenance: standing::maintenance(core, id),
        since: node.since,
        level,
        findings: findings.clone(),
    };
    if level > Level::Ok || matches!(node.state, ReachState::Down | ReachState::Unreachable) {
        circuits.listed_count += 1;
        // A worse one further on takes the place of a lesser one: see `cut`.
        if circuits.listed.len() < LISTED || level > Level::Ok {
            circuits.listed.push(line());
        }
        if circuits.listed.len() >= 2 * LISTED {
            cut(circuits);
        }
    }
    if node.state == ReachState::Off && opened_long_ago(circuit, local) {
        circuits.still_off_count += 1;
        if circuits.still_off.len() < LISTED {
            circuits.still_off.push(line());
        }
    }
}

/// Keeps the worst of the listed, in the order of the configuration where they are alike.
pub(super) fn cut(circuits: &mut Circuits) {
    circuits.listed.sort_by_key(|c| std::cmp::Reverse(c.level));
    circuits.listed.truncate(LISTED);
}

fn opened_long_ago(circuit: &Circuit, local: LocalMinute) -> bool {
    circuit.power == Power::MayBeOff && circuit.hours.open_for(local).is_some_and(|m| m >= OPEN_MINUTES)
}

/// What only a circuit has.
pub(super) fn status(core: &Core, circuit: &Circuit) -> CircuitStatus {
    let (line_device, port) = match &circuit.measure {
        Measure::Line(line) => {
            let device = core.site.device(line.device).name.clone();
            (Some(device), Some(line.port.clone()))
        }
        Measure::Cpe(port) => (None, Some(port.clone())),
        Measure::Nothing => (None, None),
    };
    CircuitStatus {
        institution_id: circuit.institution_id.clone(),
        institution: circuit.institution.clone(),
        carrier: circuit.carrier.clone(),
        role: circuit.role,
        line_device,
        port,
        down_bps: circuit.down_bps,
        up_bps: circuit.up_bps,
        // Where it is always open it may never be off.
        hours: (circuit.power == Power::MayBeOff && circuit.hours.longest_break() > 0)
            .then(|| circuit.hours.to_string()),
    }
}
