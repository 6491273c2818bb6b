//! The lines of access circuits, as the operator's own devices tell of them: a port is the line, its state is the line's.
//!
//! A circuit whose router has no address is judged by its line alone; of one that has, the line tells the carrier's fault from the
//! institution's.
//!
//! A name that the device does not have says nothing about the line: the port may be renamed, or the configuration wrong. Only a session
//! that was there before and is gone is a line that is down, because sessions come and go with the line.
//!
//! Never here: a finding about a port that is a line; the circuit is what people know.

use super::number;
use crate::model::{Device, DeviceId, Liveness, Measure, Metric, Mono, Name, Part, Site};
use crate::poll::{AgentReading, InterfaceReading, ReachRound, RoundKind};
use crate::sample::lines::Lines;
use std::collections::HashMap;

/// RFC 2863: up.
const UP: u8 = 1;
/// RFC 2863: waiting for some external event; healthy for a line dialled on demand.
const DORMANT: u8 = 5;

/// States of lines as last read.
pub(super) struct LineStates {
    lines: Lines,
    /// Up, and when that was read.
    states: HashMap<DeviceId, (bool, Mono)>,
    /// Circuits whose numbers are judged, by the device that they are measured on.
    judged: HashMap<DeviceId, Vec<DeviceId>>,
}

impl LineStates {
    pub(super) fn new(site: &Site) -> LineStates {
        let mut judged: HashMap<DeviceId, Vec<DeviceId>> = HashMap::new();
        for (id, device) in site.iter() {
            if let Some(Measure::Line(line)) = device.circuit.as_ref().map(|c| &c.measure)
                && [Metric::UtilizationDown, Metric::Errors, Metric::Discards]
                    .iter()
                    .any(|metric| number::awaited(device, &Part::Device, *metric))
            {
                judged.entry(line.device).or_default().push(id);
            }
        }
        LineStates {
            lines: Lines::new(site),
            states: HashMap::new(),
            judged,
        }
    }

    /// Circuits that are measured on a device, and whose numbers are judged.
    pub(super) fn judged_on(&self, device: DeviceId) -> &[DeviceId] {
        self.judged.get(&device).map_or(&[], Vec::as_slice)
    }

    /// States are read anew within one interval.
    pub(super) fn reload(&mut self, site: &Site) {
        *self = LineStates::new(site);
    }

    /// Is the line up, and when was that read?
    pub(super) fn state(&self, circuit: DeviceId) -> Option<(bool, Mono)> {
        self.states.get(&circuit).copied()
    }

    /// The circuit whose line this port is.
    pub(super) fn circuit(&self, device: DeviceId, reading: &InterfaceReading) -> Option<DeviceId> {
        let by_alias = reading.found_by.as_ref().and_then(|port| self.lines.at(device, port));
        by_alias.or_else(|| self.lines.at(device, &reading.name))
    }

    /// The circuit whose line this name of a port, or `alias:`, or `session:`, is.
    pub(super) fn named(&self, device: DeviceId, port: &Name) -> Option<DeviceId> {
        self.lines.at(device, port)
    }

    /// Takes what a device read; gives the rounds of the circuits that are judged by their line, and the circuits of whose line nothing
    /// is known now.
    pub(super) fn take(
        &mut self,
        id: DeviceId,
        device: &Device,
        reading: &AgentReading,
        at: Mono,
        site: &Site,
    ) -> (Vec<ReachRound>, Vec<DeviceId>) {
        let (mut rounds, mut unknown) = (Vec::new(), Vec::new());
        if self.lines.is_empty() || device.circuit.is_some() {
            return (rounds, unknown);
        }
        let gone = |name: &Name| is_gone_session(name, reading);
        for name in reading.missing.iter().filter(|name| !gone(name)) {
            if let Some(circuit) = self.lines.at(id, name) {
                self.states.remove(&circuit);
                if site.device(circuit).liveness == Liveness::Line {
                    unknown.push(circuit);
                }
            }
        }
        let mut line = |circuit: DeviceId, up: bool, at: Mono| {
            self.states.insert(circuit, (up, at));
            if site.device(circuit).liveness == Liveness::Line {
                rounds.push(round(circuit, up, at));
            }
        };
        for port in &reading.interfaces {
            let by_alias = port.found_by.as_ref().and_then(|name| self.lines.at(id, name));
            let circuit = by_alias.or_else(|| self.lines.at(id, &port.name));
            if let (Some(circuit), Some(oper)) = (circuit, port.oper) {
                line(circuit, matches!(oper, UP | DORMANT), port.at);
            }
        }
        for name in reading.missing.iter().filter(|name| gone(name)) {
            if let Some(circuit) = self.lines.at(id, name) {
                line(circuit, false, at);
            }
        }
        (rounds, unknown)
    }
}

/// A session that was there before and is not any more: its line is down.
pub(super) fn is_gone_session(name: &Name, reading: &AgentReading) -> bool {
    name.starts_with("session:") && !reading.never_found.contains(name)
}

/// A line that is down needs no burst: the device itself says so.
fn round(circuit: DeviceId, up: bool, at: Mono) -> ReachRound {
    ReachRound {
        device: circuit,
        kind: if up { RoundKind::Regular } else { RoundKind::Confirm },
        started: at,
        ended: at,
        sent: 1,
        received: u32::from(up),
        rtts: Vec::new(),
        errors: Vec::new(),
        send_error: None,
        rejected: None,
    }
}
