//! Traps: what devices say by themselves of what has just happened, what gets lost of it, and what they say for no reason.
//!
//! Never here: a datagram (they come to the core decoded and believed), or what should be made of them.

use super::{Act, Plot};
use crate::dice::Dice;
use crate::truth::SECOND;
use hinomi::model::RedundancyKind;
use hinomi::model::redundancy::Role;
use hinomi::poll::trap::TrapKind;

/// Adds traps to what happens.
pub(super) fn send(plot: &mut Plot, dice: &mut Dice) {
    if plot.town.rings.is_empty() {
        return;
    }
    // Some networks send none, some of the others lose half of them.
    let percent = *dice.pick(&[0, 0, 50, 100]);
    let mut traps = Vec::new();
    for (at, act) in &plot.acts {
        let Some((device, kind)) = said_of(plot, act).filter(|_| dice.chance(percent)) else {
            continue;
        };
        let boots = if kind == TrapKind::ColdStart { 2 * SECOND } else { 0 };
        let at = at + boots + dice.range(5, 300) * 1_000;
        traps.push((at, Act::Trap(device, kind)));
        if dice.chance(5) {
            // A stale one: sent again much later.
            traps.push((at + dice.range(20, 300) * SECOND, Act::Trap(device, kind)));
        }
    }
    let lies = plot.kind.name == "traps-lie";
    if lies || dice.chance(30) {
        let most = if lies { 60 } else { 8 };
        for _ in 0..dice.range(1, most) {
            let device = dice.pick(&plot.town.rings).seats[0].device;
            let at = dice.range(100, plot.ends / SECOND) * SECOND + dice.below(1_000_000);
            traps.push((at, Act::Trap(device, *dice.pick(&LIES))));
        }
    }
    plot.acts.extend(traps);
    plot.acts.sort_by_key(|(at, _)| *at);
}

const LIES: [TrapKind; 8] = [
    TrapKind::VrrpNewMaster,
    TrapKind::BgpBackward,
    TrapKind::BgpEstablished,
    TrapKind::LinkDown,
    TrapKind::LinkUp,
    TrapKind::ColdStart,
    TrapKind::HighAvailability,
    TrapKind::Other,
];

/// What a device says of this, if it says anything.
fn said_of(plot: &Plot, act: &Act) -> Option<(usize, TrapKind)> {
    match act {
        Act::Role(g, _, m, role) => {
            let ring = &plot.town.rings[*g];
            let kind = match (ring.kind, role) {
                (RedundancyKind::Vrrp, Role::Active) => TrapKind::VrrpNewMaster,
                (RedundancyKind::Bgp, Role::Active) => TrapKind::BgpEstablished,
                (RedundancyKind::Bgp, _) => TrapKind::BgpBackward,
                (RedundancyKind::Lag, _) => TrapKind::Aggregate,
                (RedundancyKind::Ha, Role::Active) => TrapKind::HighAvailability,
                (RedundancyKind::Role, Role::Active) => TrapKind::Other,
                _ => return None,
            };
            Some((ring.seats[*m].device, kind))
        }
        Act::Port(device, _, down) => {
            let kind = if *down { TrapKind::LinkDown } else { TrapKind::LinkUp };
            Some((*device, kind))
        }
        Act::Reboot(device) => Some((*device, TrapKind::ColdStart)),
        _ => None,
    }
}
