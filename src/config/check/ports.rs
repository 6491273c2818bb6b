//! Ports that circuits are measured on: added to what their devices are asked for, once for each device.

use super::devices::Inventory;
use crate::config::names::{NameMap, NameSet};
use crate::config::report::Ctx;
use crate::model::circuit::CircuitRole;
use crate::model::device::glob;
use crate::model::{DeviceId, InterfaceWanted, Name};

/// A port that a circuit is measured on.
pub(super) struct Wanted {
    pub(super) device: DeviceId,
    pub(super) port: Name,
    pub(super) role: CircuitRole,
    /// Index of the circuit among the devices.
    pub(super) circuit: usize,
}

/// Adds the ports that no pattern of their device covers. Two circuits on one port are doubted.
pub(super) fn add(ctx: &Ctx<'_>, inventory: &mut Inventory, mut wanted: Vec<Wanted>) {
    // Stable: the ports of a device stay in the order of the file.
    wanted.sort_by_key(|w| w.device);
    for of_device in wanted.chunk_by(|a, b| a.device == b.device) {
        doubles(ctx, inventory, of_device);
        let device = &mut inventory.devices[of_device[0].device.index()];
        let new = uncovered(&device.interfaces, of_device);
        if !new.is_empty() {
            device.interfaces = device.interfaces.iter().cloned().chain(new).collect();
        }
    }
}

/// What must be asked for besides the patterns that are there.
fn uncovered(there: &[InterfaceWanted], wanted: &[Wanted]) -> Vec<InterfaceWanted> {
    let mut exact: NameSet<&str> = there.iter().map(|w| &*w.pattern).collect();
    let globs: Vec<&str> = there
        .iter()
        .map(|w| &*w.pattern)
        .filter(|p| p.contains(['*', '?']))
        .collect();
    // An ifAlias or a session is another name space than the ifNames that patterns are for.
    let by_name = |port: &str| !(port.starts_with("alias:") || port.starts_with("session:"));
    let mut new = Vec::new();
    for want in wanted {
        let covered = exact.contains(&*want.port) || (by_name(&want.port) && globs.iter().any(|g| fits(g, &want.port)));
        if !covered {
            exact.insert(&want.port);
            new.push(InterfaceWanted {
                pattern: want.port.clone(),
                rate_bps: None,
                expect_up: false,
                backup: want.role == CircuitRole::Backup,
                to: None,
            });
        }
    }
    new
}

/// [`glob`], asked only where the text before the first wildcard fits.
fn fits(pattern: &str, port: &str) -> bool {
    let fixed = pattern.find(['*', '?']).unwrap_or(pattern.len());
    port.starts_with(&pattern[..fixed]) && glob(pattern, port)
}

fn doubles(ctx: &Ctx<'_>, inventory: &Inventory, wanted: &[Wanted]) {
    let mut seen: NameMap<&str, &Wanted> = NameMap::default();
    for want in wanted {
        let Some(first) = seen.insert(&want.port, want) else {
            continue;
        };
        if first.role == CircuitRole::Shared && want.role == CircuitRole::Shared {
            continue;
        }
        let name = |w: &Wanted| inventory.devices[w.circuit].name.clone();
        let what = format!(
            "circuit `{}` is measured on the same port as `{}`: {}",
            name(want),
            name(first),
            want.port
        );
        ctx.warn(
            inventory.places[want.circuit],
            what,
            "both get the traffic of the two; if that is so, write role = \"shared\" for both",
        );
    }
}
