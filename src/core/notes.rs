//! What of a device's answers is not used as it is, and what of the configuration meets nothing on it. No finding: people look at it
//! where they look at the device, and it is logged once.
//!
//! Never here: a level.

use super::Core;
use crate::model::device::glob;
use crate::model::{Device, DeviceId, Name, Role};
use crate::notify::text;
use crate::poll::{AgentReading, InterfaceReading};
use crate::sample::Unknown;
use std::ops::Range;

/// Notes of one kind about one device; of more only the number is said.
const MOST: usize = 8;

/// What is to be noted of a device.
pub(super) fn notes(core: &Core, id: DeviceId, device: &Device) -> Vec<String> {
    let Some(reading) = core.last[id.index()].reading.as_deref() else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    unread(reading, &mut notes);
    of_agent(core, id, reading, &mut notes);
    list(reading.interfaces.iter().filter_map(twins), &mut notes);
    list(
        reading.interfaces.iter().filter_map(|i| speeds(core, id, i)),
        &mut notes,
    );
    list(reading.interfaces.iter().filter_map(types), &mut notes);
    let unmet = device.interfaces.iter().filter(|w| !w.is_named());
    let meets = |pattern: &Name| reading.interfaces.iter().any(|i| glob(pattern, &i.name));
    let unmet = unmet.filter(|w| !meets(&w.pattern));
    list(
        unmet.map(|w| format!("no port fits the pattern {}", w.pattern)),
        &mut notes,
    );
    notes
}

/// What was asked for and not read.
fn unread(reading: &AgentReading, notes: &mut Vec<String>) {
    notes.extend(reading.broken_off.iter().map(|b| text::end_in_english(b)));
    notes.extend(reading.cuts.iter().map(text::cut_in_english));
    notes.extend(reading.unread.iter().map(text::unread_in_english));
}

fn of_agent(core: &Core, id: DeviceId, reading: &AgentReading, notes: &mut Vec<String>) {
    if reading.step_by_step {
        notes.push("GETBULK is not answered: tables are walked row by row, by GETNEXT".to_owned());
    }
    match reading.interfaces.first() {
        None => {}
        Some(first) if first.untimed => {
            notes.push("the agent gives no sysUpTime: nothing can be counted".to_owned());
        }
        Some(_) if core.sampler.clock(id) == Err(Unknown::DeviceClock) => notes.push(
            "sysUpTime stands still or runs more than 5 % off the clock of this host: nothing can be counted"
                .to_owned(),
        ),
        Some(_) => {}
    }
}

fn twins(i: &InterfaceReading) -> Option<String> {
    let (name, index) = (&i.name, i.index);
    let rows = usize::from(i.twins) + 1;
    (i.twins > 0).then(|| match &i.found_by {
        Some(alias) => format!("{rows} rows fit {alias}, or are called {name}: the one of ifIndex {index} is read"),
        None => format!("{rows} rows are called {name}: the one of ifIndex {index} is read"),
    })
}

fn speeds(core: &Core, id: DeviceId, i: &InterfaceReading) -> Option<String> {
    let (less, more) = i.speed_bps.zip(i.other_speed_bps)?;
    let used = core.sampler.speed(id, &i.name).unwrap_or(less);
    Some(format!(
        "{}: ifSpeed and ifHighSpeed contradict each other ({less} and {more} bit/s), {used} is used",
        i.name
    ))
}

fn types(i: &InterfaceReading) -> Option<String> {
    let note = || {
        format!(
            "{}: where octet counters should stand are values of another type",
            i.name
        )
    };
    i.octets_mistyped.then(note)
}

fn list(mut some: impl Iterator<Item = String>, notes: &mut Vec<String>) {
    notes.extend(some.by_ref().take(MOST));
    match some.count() {
        0 => {}
        more => notes.push(format!("and {more} more of the kind")),
    }
}

impl Core {
    /// What is to be noted of devices of the operator's own, for the log: device and note.
    pub fn notes(&self, range: Range<usize>) -> Vec<(Name, String)> {
        let mut all = Vec::new();
        for index in range.start..range.end.min(self.site.devices.len()) {
            let device = &self.site.devices[index];
            if device.role == Role::Managed {
                let id = DeviceId(u32::try_from(index).unwrap_or(u32::MAX));
                let of_device = notes(self, id, device).into_iter();
                all.extend(of_device.map(|note| (Name::clone(&device.name), note)));
            }
        }
        all
    }
}
