//! Rows that bear one name, or the alias that one port is wanted by: which of them is the port.
//!
//! A port and the layers above it may share a name (Cisco's MPLS layer has the name of its port), and a row that is left over beside the
//! one that replaced it as well. The port is the row of the lowest layer by ifType; among equals it is the one that carries more, which
//! is the worse number, as each layer counts what the one above it counts. That there are several is told with the reading.
//!
//! Never here: what an operator is told of it.

use super::{Row, RowAnswer};
use crate::model::Name;
use crate::poll::{Counter, InterfaceReading};

/// So many octets more make a row the one that carries more.
const CLEARLY: u64 = 100_000;

/// What tells a row from others of its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Twin {
    /// ifType.
    kind: Option<u32>,
    /// Octets in and out at the last reading, together.
    octets: Option<u64>,
    /// Octets that passed since it was watched.
    moved: u64,
}

impl Twin {
    pub(super) fn take(&mut self, answer: &RowAnswer) {
        self.kind = answer.kind.or(self.kind);
        let number = |counter| match counter {
            Counter::C64(v) => v,
            Counter::C32(v) => u64::from(v),
        };
        let reading = &answer.reading;
        if let (Some(a), Some(b)) = (reading.in_octets, reading.out_octets) {
            let octets = number(a).wrapping_add(number(b));
            // A counter that was set back, or a 32-bit one that went round, has moved: how far is not known.
            let passed = self.octets.map_or(0, |before| octets.checked_sub(before).unwrap_or(1));
            self.moved = self.moved.saturating_add(passed);
            self.octets = Some(octets);
        }
    }

    /// How far below it lies, by IANAifType-MIB: lower is nearer to the wire.
    fn layer(&self) -> u8 {
        match self.kind {
            // ethernetCsmacd, fastEther, fastEtherFX, gigabitEthernet, ieee8023adLag
            Some(6 | 62 | 69 | 117 | 161) => 0,
            // other, softwareLoopback, propVirtual, tunnel, l2vlan, l3ipvlan, mplsTunnel, mpls, bridge, ifPwType, ciscoISLvlan
            Some(1 | 24 | 53 | 131 | 135 | 136 | 150 | 166 | 209 | 246 | 222) => 2,
            _ => 1,
        }
    }
}

/// Marks the rows that share a name, or an alias that is wanted. True if there are any.
pub(super) fn find(rows: &mut [Row]) -> bool {
    let mut names: Vec<&Name> = rows.iter().map(|r| &r.name).collect();
    let mut aliases: Vec<&Name> = rows.iter().filter_map(|r| r.found_by.as_ref()).collect();
    let shared = |all: &mut Vec<&Name>| -> Vec<Name> {
        all.sort_unstable();
        let pairs = all.windows(2).filter(|w| w[0] == w[1]);
        pairs.map(|w| Name::clone(w[0])).collect()
    };
    let (names, aliases) = (shared(&mut names), shared(&mut aliases));
    for row in rows {
        let of_alias = row
            .found_by
            .as_ref()
            .is_some_and(|alias| aliases.binary_search(alias).is_ok());
        match of_alias || names.binary_search(&row.name).is_ok() {
            true => drop(row.twin.get_or_insert_default()),
            false => row.twin = None,
        }
    }
    !names.is_empty() || !aliases.is_empty()
}

/// Keeps one reading of each name, then one of each alias. `readings` are in the order of their names.
pub(super) fn one_a_port(rows: &[Row], preferred: &mut Vec<(Name, u32)>, readings: &mut Vec<InterfaceReading>) {
    let row = |index: u32| {
        let at = rows.binary_search_by_key(&index, |r| r.index).ok()?;
        rows.get(at)
    };
    let twins: Vec<&Row> = rows.iter().filter(|r| r.twin.is_some()).collect();
    let mut names: Vec<&Name> = twins.iter().map(|r| &r.name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let all: Vec<u32> = twins.iter().filter(|r| r.name == *name).map(|r| r.index).collect();
        let read: Vec<&Row> = readings
            .iter()
            .filter(|r| r.name == *name)
            .filter_map(|r| row(r.index))
            .collect();
        if let (true, Some(port)) = (all.len() > 1, pick(name, &read, preferred)) {
            readings.retain(|r| r.name != *name || r.index == port);
            mark(readings, port, all.len());
        }
    }
    let mut aliases: Vec<&Name> = twins.iter().filter_map(|r| r.found_by.as_ref()).collect();
    aliases.sort_unstable();
    aliases.dedup();
    for alias in aliases {
        let bears = |r: &&InterfaceReading| r.found_by.as_ref() == Some(alias);
        let read: Vec<&Row> = readings.iter().filter(bears).filter_map(|r| row(r.index)).collect();
        let count = twins.iter().filter(|r| r.found_by.as_ref() == Some(alias)).count();
        if let (true, Some(port)) = (count > 1, pick(alias, &read, preferred)) {
            // One that is wanted by its name as well is read by that.
            readings.retain_mut(|r| {
                let other = r.found_by.as_ref() == Some(alias) && r.index != port;
                if other {
                    r.found_by = None;
                }
                !other || row(r.index).is_some_and(|row| row.named)
            });
            mark(readings, port, count);
        }
    }
}

fn mark(readings: &mut [InterfaceReading], port: u32, rows: usize) {
    for reading in readings.iter_mut().filter(|r| r.index == port) {
        reading.ambiguous = true;
        reading.twins = reading.twins.max(u16::try_from(rows - 1).unwrap_or(u16::MAX));
    }
}

/// The row that is the port. `rows` are those that were read, in the order of their indices as far as they have one name.
fn pick(name: &Name, rows: &[&Row], preferred: &mut Vec<(Name, u32)>) -> Option<u32> {
    let known = preferred.iter_mut().find(|(n, _)| n == name);
    let twin = |row: &Row| row.twin.as_deref().cloned().unwrap_or_default();
    // A row that stands still while another one carries something is left over, whatever it is.
    let moves = rows.iter().any(|row| twin(row).moved > 0);
    let alive = |row: &&&Row| !moves || twin(row).moved > 0;
    let layer = rows.iter().filter(alive).map(|row| twin(row).layer()).min()?;
    let candidates = || rows.iter().filter(alive).filter(|row| twin(row).layer() == layer);
    let most = candidates().max_by_key(|row| (twin(row).moved, row.index))?;
    let kept = known
        .as_ref()
        .and_then(|(_, index)| candidates().find(|row| row.index == *index));
    let pick = match kept {
        // Another one has to carry clearly more: rates need one series.
        Some(kept) if twin(most).moved / 2 <= twin(kept).moved.saturating_add(CLEARLY) => kept.index,
        _ => most.index,
    };
    match known {
        Some((_, index)) => *index = pick,
        None => preferred.push((Name::clone(name), pick)),
    }
    Some(pick)
}
