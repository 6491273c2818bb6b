//! Days and nights of institutions: when routers are switched off and on, and nobody is to blame.
//!
//! Never here: a fault of a single device.

use super::kinds::{WARM, many, start};
use super::{Act, Plot};
use crate::dice::Dice;
use crate::town::Tier;
use crate::truth::SECOND;

/// Closing time: everybody switches off, spread over an hour and a half.
pub(super) fn evening(plot: &mut Plot, dice: &mut Dice) {
    // 18:00 is 12 min after the start.
    for i in plot.town.of(Tier::Circuit) {
        if !plot.town.always_on(i) && dice.chance(90) {
            plot.act(
                (725 + dice.below(5_400)) * SECOND + dice.below(1_000_000),
                Act::Off(i, true),
            );
        }
    }
    plot.ends = (725 + 5_400 + 600) * SECOND;
}

/// Opening time: they come back over an hour, some after half past eight.
pub(super) fn morning(plot: &mut Plot, dice: &mut Dice) {
    for i in plot.town.of(Tier::Circuit) {
        if !plot.town.always_on(i) {
            plot.act(0, Act::Off(i, true));
            if dice.chance(95) {
                plot.act((300 + dice.below(3_900)) * SECOND, Act::Off(i, false));
            }
        }
    }
    plot.ends = 5_000 * SECOND;
}

pub(super) fn holidays(plot: &mut Plot, dice: &mut Dice) {
    for i in plot.town.of(Tier::Circuit) {
        if !plot.town.always_on(i) {
            let at = if dice.chance(70) {
                0
            } else {
                (WARM + dice.below(600)) * SECOND
            };
            plot.act(at, Act::Off(i, true));
        }
    }
    plot.ends = 1_300 * SECOND;
}

/// Most are off already when the town loses its power.
pub(super) fn night(plot: &mut Plot, dice: &mut Dice) {
    let aggregation = plot
        .one_of(Tier::Aggregation, dice)
        .expect("every town has aggregation");
    for i in plot.town.of(Tier::Circuit) {
        if !plot.town.always_on(i) && dice.chance(85) {
            plot.act(0, Act::Off(i, true));
        }
    }
    let (kind, from) = (plot.kind, start(dice));
    let all = plot.town.behind(aggregation);
    many(plot, kind, all, from, (600 * SECOND, 200), dice);
}
