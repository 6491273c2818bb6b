//! What happens to redundancy groups in each kind of story that has them.
//!
//! Never here: who becomes active (`election`), or what should be told of it.

use super::kinds::{WARM, broken, spice, start};
use super::{Act, Fault, Plot, What};
use crate::dice::Dice;
use crate::kinds::{Kind, kind as named};
use crate::town::Scene;
use crate::town::groups::{Ring, Seat, Table};
use crate::truth::{At, SECOND};
use hinomi::model::RedundancyKind;
use hinomi::model::redundancy::Role;

const KINDS: &[&str] = &[
    "switchover",
    "switchover-between-polls",
    "roles-flap",
    "split-brain",
    "nobody-active",
    "member-lost",
    "master-dead",
    "sessions-reset",
    "member-agent-reboots",
    "traps-lie",
    "work-on-a-member",
    "redundancy-mixed",
];

/// After everything is right again: five minutes until a switchover is over, and until that is read and told.
const AFTER: At = 400 * SECOND;

/// The scene of a town with groups.
pub(super) fn set(kind: &Kind, scene: &mut Scene) {
    if !KINDS.contains(&kind.name.as_str()) {
        return;
    }
    scene.groups = true;
    scene.platform = 2;
    scene.unread = false;
    scene.aggregations = scene.aggregations.max(2);
    scene.circuits = scene.circuits.min(120);
}

/// Tells the story.
pub(super) fn tell(plot: &mut Plot, dice: &mut Dice) {
    let kind = plot.kind;
    match kind.name.as_str() {
        "redundancy-mixed" => mixed(plot, dice),
        // Nothing happens but that devices say so.
        "traps-lie" => {}
        "work-on-a-member" => work(plot, dice),
        name => {
            let from = start(dice);
            part(plot, name, from, dice);
            if dice.chance(30) {
                spice(plot, dice);
            }
        }
    }
    put_right(plot, dice);
}

/// In the end everybody is told to be what he was in the beginning.
fn put_right(plot: &mut Plot, dice: &mut Dice) {
    let last = plot.acts.iter().map(|(at, _)| *at).max().unwrap_or(0);
    let at = last.max(plot.faults.iter().map(|f| f.to).max().unwrap_or(0)) + dice.range(45, 90) * SECOND;
    for (g, ring) in plot.town.rings.clone().iter().enumerate().filter(|(_, r)| !r.counted()) {
        (0..ring.instances.len()).for_each(|i| plot.act(at, Act::Hand(g, i, ring.first(i))));
    }
    plot.ends = plot.ends.max(at + AFTER);
    // What was listed in another case is forgotten by a restart; where nobody is preferred the new side is right after half an hour.
    let restarts = plot.acts.iter().any(|(_, a)| matches!(a, Act::Restart(_))) && plot.mixed;
    let settles = plot.faults.iter().any(|f| f.to - f.from > 1_500 * SECOND);
    if restarts || settles {
        plot.ends = plot.ends.max(at + 2_000 * SECOND);
    }
}

/// A group of members of which exactly one is active.
fn elected(plot: &Plot, dice: &mut Dice) -> (usize, Ring) {
    one(plot, |r| !r.counted(), dice)
}

fn one(plot: &Plot, fits: impl Fn(&Ring) -> bool, dice: &mut Dice) -> (usize, Ring) {
    let all: Vec<(usize, &Ring)> = plot.town.rings.iter().enumerate().filter(|(_, r)| fits(r)).collect();
    let (g, ring) = *dice.pick(&all);
    (g, ring.clone())
}

/// One of its instances, or all of them.
fn instances(ring: &Ring, dice: &mut Dice) -> Vec<usize> {
    match dice.chance(50) {
        true => (0..ring.instances.len()).collect(),
        false => vec![dice.below(ring.instances.len() as u64) as usize],
    }
}

/// One thing happens. When it is over.
fn part(plot: &mut Plot, name: &str, from: At, dice: &mut Dice) {
    match name {
        "switchover" => switchover(plot, from, dice),
        "switchover-between-polls" => between(plot, from, dice),
        "roles-flap" => flaps(plot, from, dice),
        "split-brain" => split(plot, from, dice),
        "nobody-active" => nobody(plot, from, dice),
        "member-lost" => lost(plot, from, dice),
        "master-dead" => dead(plot, from, dice),
        "sessions-reset" => resets(plot, from, dice),
        "member-agent-reboots" => reboots(plot, from, dice),
        name => broken(plot, named(name), from, dice),
    }
}

fn fault(plot: &mut Plot, g: usize, from: At, to: At) {
    let kind = plot.kind;
    plot.fault(kind, from, to - from, What::Group(g));
}

fn switchover(plot: &mut Plot, from: At, dice: &mut Dice) {
    let (g, ring) = elected(plot, dice);
    let mut to = from;
    for i in instances(&ring, dice) {
        let begins = from + if dice.chance(60) { 0 } else { dice.below(20) * SECOND };
        let lasts = if dice.chance(25) {
            dice.range(420, 600)
        } else {
            dice.range(40, 400)
        };
        let other = 1 - ring.first(i);
        plot.act(begins, Act::Hand(g, i, other));
        plot.act(begins + lasts * SECOND, Act::Hand(g, i, ring.first(i)));
        to = to.max(begins + lasts * SECOND);
        if dice.chance(30) {
            // Once more, before the first one is over.
            let again = begins + (lasts + dice.range(40, 280)) * SECOND;
            plot.act(again, Act::Hand(g, i, other));
            to = to.max(again + dice.range(40, 200) * SECOND);
            plot.act(to, Act::Hand(g, i, ring.first(i)));
        }
    }
    fault(plot, g, from, to);
}

/// There and back before anybody reads it, perhaps.
fn between(plot: &mut Plot, from: At, dice: &mut Dice) {
    let counts = dice.chance(80);
    let any = plot.town.rings.iter().any(|r| !r.counted() && r.table.counts());
    let (g, ring) = one(plot, |r| !r.counted() && (r.table.counts() || !counts || !any), dice);
    let all = instances(&ring, dice);
    let mut at = from;
    for _ in 0..dice.range(1, 4) {
        let back = at + dice.range(1_000, 6_000) * 1_000;
        for i in &all {
            plot.act(at, Act::Hand(g, *i, 1 - ring.first(*i)));
            plot.act(back, Act::Hand(g, *i, ring.first(*i)));
        }
        at = back + dice.range(40, 420) * SECOND;
    }
    fault(plot, g, from, at);
}

fn flaps(plot: &mut Plot, from: At, dice: &mut Dice) {
    let (g, ring) = elected(plot, dice);
    let all = instances(&ring, dice);
    let until = from + dice.range(60, 900) * SECOND;
    let (mut at, mut there) = (from, true);
    while at < until || !there {
        for i in &all {
            let first = ring.first(*i);
            plot.act(at, Act::Hand(g, *i, if there { 1 - first } else { first }));
        }
        there = !there;
        at += dice.range(6_000, 18_000) * 1_000;
    }
    fault(plot, g, from, at);
    // An incident that flaps says so half an hour later.
    plot.ends = at + 2_400 * SECOND;
}

fn split(plot: &mut Plot, from: At, dice: &mut Dice) {
    let (g, _) = elected(plot, dice);
    let mut at = from;
    for _ in 0..dice.range(1, 2) {
        let most = if dice.chance(40) { 15_000 } else { 300_000 };
        let to = at + dice.range(2_000, most) * 1_000;
        plot.act(at, Act::Deaf(g, true));
        plot.act(to, Act::Deaf(g, false));
        at = to + dice.range(30, 200) * SECOND;
    }
    fault(plot, g, from, at);
}

fn nobody(plot: &mut Plot, from: At, dice: &mut Dice) {
    let (g, ring) = one(plot, |_| true, dice);
    let short = dice.chance(40);
    let to = from + dice.range(2, if short { 20 } else { 300 }) * SECOND;
    for (m, seat) in ring.seats.iter().enumerate() {
        let begins = from + dice.below(4_000) * 1_000;
        let ends = to.max(begins + SECOND) + dice.below(8_000) * 1_000;
        match (ring.kind, seat.port) {
            (RedundancyKind::Bgp, _) => {
                plot.act(begins, Act::Shut(g, m, true));
                plot.act(ends, Act::Shut(g, m, false));
            }
            (_, Some(_)) => port_down(plot, seat, begins, ends),
            _ => {
                plot.act(begins, Act::Stopped(g, m, true));
                plot.act(ends, Act::Stopped(g, m, false));
            }
        }
    }
    fault(plot, g, from, to + 14 * SECOND);
}

/// A port that the edge's own lines of the configuration watch, too, is a fault of its own.
fn port_down(plot: &mut Plot, seat: &Seat, from: At, to: At) {
    let (device, port) = (seat.device, seat.port.unwrap_or(0));
    plot.act(from, Act::Port(device, port, true));
    plot.act(to, Act::Port(device, port, false));
    let name = &plot.town.ports[device][port];
    if plot.town.device(device).interfaces.iter().any(|w| *w.pattern == **name) {
        let (kind, what) = (named("own-port-down"), What::Port(device, port));
        plot.faults.push(Fault { kind, from, to, what });
    }
}

fn lost(plot: &mut Plot, from: At, dice: &mut Dice) {
    let (g, ring) = one(plot, |_| true, dice);
    let m = dice.below(ring.seats.len() as u64) as usize;
    let seat = ring.seats[m].clone();
    let mut at = from;
    for _ in 0..dice.range(1, 3) {
        let most = if dice.chance(30) { 50 } else { 400 };
        let to = at + dice.range(4, most) * SECOND;
        let tables = seat.port.is_none() && dice.chance(25);
        match ring.table {
            _ if tables => {
                plot.act(at, Act::Tables(seat.device, false));
                plot.act(to, Act::Tables(seat.device, true));
            }
            Table::Bgp4 => {
                plot.act(at, Act::Shut(g, m, true));
                plot.act(to, Act::Shut(g, m, false));
            }
            Table::Ports { lacp: true } if dice.chance(60) => {
                plot.act(at, Act::Role(g, 0, m, Role::Failed));
                plot.act(to, Act::Role(g, 0, m, Role::Active));
            }
            Table::Ports { .. } => port_down(plot, &seat, at, to),
            _ => {
                plot.act(at, Act::Stopped(g, m, true));
                plot.act(to, Act::Stopped(g, m, false));
            }
        }
        at = to + dice.range(20, 200) * SECOND;
    }
    fault(plot, g, from, at);
}

fn dead(plot: &mut Plot, from: At, dice: &mut Dice) {
    let (_, ring) = elected(plot, dice);
    let target = ring.seats[ring.first(0)].device;
    let kind = named("master-dead");
    // Sometimes it only starts again, faster than anybody can be sure that it is down.
    let lasts = if dice.chance(25) {
        dice.range(4, 12)
    } else {
        dice.range(60, 500)
    };
    plot.fault(kind, from, lasts * SECOND, What::Dead(target));
}

fn resets(plot: &mut Plot, from: At, dice: &mut Dice) {
    let (g, ring) = one(plot, |r| r.kind == RedundancyKind::Bgp, dice);
    let mut at = from;
    for _ in 0..dice.range(1, 4) {
        let m = dice.below(ring.seats.len() as u64) as usize;
        let back = at + dice.range(500, 5_000) * 1_000;
        plot.act(at, Act::Shut(g, m, true));
        plot.act(back, Act::Shut(g, m, false));
        at = back + dice.range(5, 200) * SECOND;
    }
    fault(plot, g, from, at);
}

fn reboots(plot: &mut Plot, from: At, dice: &mut Dice) {
    let (g, ring) = elected(plot, dice);
    let mut at = from;
    for _ in 0..dice.range(1, 3) {
        let seat = dice.pick(&ring.seats).device;
        plot.act(at, Act::Reboot(seat));
        if dice.chance(40) {
            for i in instances(&ring, dice) {
                let begins = at + dice.range(25, 60) * SECOND;
                plot.act(begins, Act::Hand(g, i, 1 - ring.first(i)));
                plot.act(begins + dice.range(40, 120) * SECOND, Act::Hand(g, i, ring.first(i)));
            }
        }
        at += dice.range(200, 400) * SECOND;
    }
    fault(plot, g, from, at);
}

/// Work on one edge, or on an aggregation device: it is dead for a while, and something else happens beside it.
fn work(plot: &mut Plot, dice: &mut Dice) {
    let (_, ring) = elected(plot, dice);
    let device = ring.seats[dice.below(2) as usize].device;
    let minute = 60 * SECOND;
    let from = (start(dice) / minute + 1) * minute;
    let lasts = dice.range(5, 15) * minute;
    plot.act(from, Act::Work(vec![device], lasts));
    // Sometimes it is still dead when the window and its time of settling are over.
    let late = dice.chance(30);
    let begins = from + dice.range(70, 120) * SECOND;
    let dead = if late {
        lasts + 900 * SECOND
    } else {
        dice.range(60, 240) * SECOND
    };
    plot.fault(named("master-dead"), begins, dead, What::Dead(device));
    if dice.chance(60) {
        let name = *dice.pick(&[
            "switchover",
            "member-lost",
            "own-port-down",
            "split-brain",
            "agent-stopped",
        ]);
        part(plot, name, from + dice.range(80, 300) * SECOND, dice);
        plot.mixed = true;
    }
    plot.ends = plot.ends.max(from + lasts + 900 * SECOND);
}

/// Several at once, some of them faults of other kinds.
fn mixed(plot: &mut Plot, dice: &mut Dice) {
    const BESIDE: &[&str] = &[
        "own-device-dead",
        "own-device-mute",
        "host-cut",
        "agent-stopped",
        "platform-dead-unwitnessed",
        "demarcation-link-down",
        "own-port-down",
    ];
    for _ in 0..dice.range(2, 3) {
        let from = start(dice) + dice.below(500) * SECOND;
        let name = *dice.pick(&KINDS[..KINDS.len() - 1]);
        let name = if matches!(name, "roles-flap" | "traps-lie" | "work-on-a-member") {
            "switchover"
        } else {
            name
        };
        part(plot, name, from, dice);
    }
    if dice.chance(70) {
        let from = start(dice) + dice.below(500) * SECOND;
        let name = *dice.pick(BESIDE);
        part(plot, name, from, dice);
    }
    if dice.chance(15) {
        let at = (WARM + dice.below(700)) * SECOND;
        plot.act(at, Act::Restart(dice.range(1, 60) * SECOND));
    }
    plot.mixed = true;
    plot.ends += 300 * SECOND;
    spice(plot, dice);
}
