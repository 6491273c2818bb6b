//! Which port of the operator's devices is the line of which access circuit.
//!
//! Never here: whether the line is up.

use crate::model::{Circuit, DeviceId, Measure, Name, Site, Status};
use crate::poll::InterfaceReading;
use std::collections::HashMap;

/// Circuits by the port they are measured on.
#[derive(Debug, Default)]
pub struct Lines(HashMap<(DeviceId, Name), DeviceId>);

impl Lines {
    /// The active circuits of a site. The key is the port as the configuration names it.
    pub fn new(site: &Site) -> Lines {
        let line = |(id, device): (DeviceId, &crate::model::Device)| {
            let circuit = device.circuit.as_deref().filter(|_| device.status == Status::Active)?;
            match &circuit.measure {
                Measure::Line(line) => Some(((line.device, line.port.clone()), id)),
                Measure::Cpe(_) | Measure::Nothing => None,
            }
        };
        Lines(site.iter().filter_map(line).collect())
    }

    /// The circuit of a port.
    pub fn at(&self, device: DeviceId, port: &Name) -> Option<DeviceId> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(device, port.clone())).copied()
    }

    /// The circuit that a reading of a port is about.
    pub fn circuit<'s>(
        &self,
        site: &'s Site,
        device: DeviceId,
        reading: &InterfaceReading,
    ) -> Option<(DeviceId, &'s Circuit)> {
        let by_alias = reading.found_by.as_ref().and_then(|port| self.at(device, port));
        let id = by_alias.or_else(|| self.at(device, &reading.name))?;
        site.device(id).circuit.as_deref().map(|circuit| (id, circuit))
    }
}
