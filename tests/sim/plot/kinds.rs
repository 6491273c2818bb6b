//! What happens in each kind of story of `stories.toml`.

use super::life::{evening, holidays, morning, night};
use super::{Act, Mood, Plot, Slip, What, hours_from_wednesday, redundancy};
use crate::agent::Lie;
use crate::dice::Dice;
use crate::kinds::{Kind, kind as named};
use crate::town::{Scene, Tier};
use crate::truth::{At, SECOND};

/// Nothing begins before everybody has been heard of twice.
pub(super) const WARM: At = 160;

/// Sets the scene that the kind needs.
pub(super) fn set(kind: &Kind, scene: &mut Scene, dice: &mut Dice) {
    redundancy::set(kind, scene);
    match kind.name.as_str() {
        "platform-dead" | "demarcation-link-down" => {
            scene.witness = true;
            scene.platform = scene.platform.max(1);
        }
        "platform-dead-unwitnessed" => (scene.witness, scene.platform) = (false, 1),
        "demarcation-link-unread" => (scene.witness, scene.unread, scene.platform) = (false, true, 1),
        "platform-all-dead" => scene.platform = 2,
        "platform-mute" | "platform-host-dead" => scene.platform = scene.platform.max(1),
        "link-cut" | "link-end-down" | "linked-device-dead" => scene.links = true,
        "own-port-down" | "cpu-levels" | "cpu-hovers" | "port-busy" => scene.witness = true,
        "counters-lie" => (scene.witness, scene.strict) = (true, true),
        "router-dead-line-up" | "line-down" => (scene.lines, scene.circuits) = (true, scene.circuits.max(24)),
        "routers-dead-scattered" => {
            // Few of any group that they have in common.
            (scene.circuits, scene.carriers) = (scene.circuits.max(30 * scene.aggregations), 1);
        }
        "town-dark" | "town-returns-late" => scene.circuits = scene.circuits.max(12 * scene.aggregations),
        "town-dark-at-night" => {
            scene.circuits = scene.circuits.max(20 * scene.aggregations);
            scene.start_ms = hours_from_wednesday(13.0);
        }
        "carrier-out" => {
            (scene.carriers, scene.aggregations) = (3, scene.aggregations.max(4));
            scene.circuits = scene.circuits.max(15 * scene.aggregations);
        }
        "evening" => scene.start_ms = hours_from_wednesday(7.8),
        "morning" => scene.start_ms = hours_from_wednesday(-2.2),
        "holidays" => scene.start_ms = hours_from_wednesday(24.0 * if dice.chance(50) { 37.0 } else { -104.0 }),
        _ => {}
    }
    if scene.circuits > 1_000 && matches!(kind.name.as_str(), "flapping" | "town-returns-late") {
        scene.circuits = 200;
    }
}

/// Tells the story.
pub(super) fn tell(plot: &mut Plot, dice: &mut Dice) {
    match plot.kind.name.as_str() {
        "quiet" => plot.ends = dice.range(400, 1_200) * SECOND,
        "loss-healthy" => loss(plot, dice.range(1, 20) as u32, dice),
        "loss-heavy" => loss(plot, 30, dice),
        "blink" => blink(plot, dice),
        "flapping" => flapping(plot, dice),
        "evening" => evening(plot, dice),
        "morning" => morning(plot, dice),
        "holidays" => holidays(plot, dice),
        "town-dark-at-night" => night(plot, dice),
        "counters-lie" => counters(plot, dice),
        "cpu-levels" => cpu(plot, dice, &[75, 95, 97, 80, 75, 40, 92, 20]),
        "cpu-hovers" => cpu(plot, dice, &[69, 75, 66, 74, 67, 69, 30]),
        "port-busy" => busy(plot, dice),
        "relay-out" => relays(plot, dice),
        "ledger-slips" => ledger(plot, dice),
        "restart" => restart(plot, dice),
        "clock-step" => steps(plot, dice),
        "mixed" => mixed(plot, dice),
        _ if plot.scene.groups => redundancy::tell(plot, dice),
        name => {
            let from = start(dice);
            broken(plot, named(name), from, dice);
            spice(plot, dice);
        }
    }
}

/// When the first fault begins.
pub(super) fn start(dice: &mut Dice) -> At {
    dice.range(WARM * 1_000, (WARM + 90) * 1_000) * 1_000
}

/// One plain fault of this kind.
pub(super) fn broken(plot: &mut Plot, kind: &'static Kind, from: At, dice: &mut Dice) {
    let short = dice.range(60, 600) * SECOND;
    let long = dice.range(420, 700) * SECOND;
    match kind.name.as_str() {
        "own-device-dead" => {
            let tier = *dice.pick(&[Tier::Edge, Tier::Aggregation, Tier::Aggregation, Tier::Core]);
            let target = plot.one_of(tier, dice).or_else(|| plot.one_of(Tier::Aggregation, dice));
            plot.fault(
                kind,
                from,
                short,
                What::Dead(target.expect("every town has aggregation")),
            );
        }
        "linked-device-dead" => {
            let tier = *dice.pick(&[Tier::Edge, Tier::Aggregation, Tier::Aggregation]);
            let target = plot.one_of(tier, dice).expect("every town has edges and aggregation");
            plot.fault(kind, from, short, What::Dead(target));
        }
        "link-cut" => {
            let cable = *dice.pick(&plot.town.cables);
            plot.fault(kind, from, short.max(200 * SECOND), What::Cable(cable));
        }
        "link-end-down" => {
            let (device, port) = dice.pick(&plot.town.cables)[dice.below(2) as usize];
            plot.fault(kind, from, short.max(200 * SECOND), What::Port(device, port));
        }
        "own-device-mute" => {
            let target = plot
                .one_of(Tier::Aggregation, dice)
                .expect("every town has aggregation");
            plot.fault(kind, from, long, What::Mute(target));
        }
        "host-cut" => plot.fault(kind, from, short, What::Host),
        "platform-dead" | "platform-dead-unwitnessed" => {
            if let Some(target) = plot.one_of(Tier::PlatformRouter, dice) {
                plot.fault(kind, from, short.max(150 * SECOND), What::Dead(target));
            }
        }
        "platform-all-dead" => {
            for target in plot.town.of(Tier::PlatformRouter) {
                plot.fault(
                    kind,
                    from + dice.below(3) * SECOND,
                    short.max(150 * SECOND),
                    What::Dead(target),
                );
            }
        }
        "platform-mute" => {
            if let Some(target) = plot.one_of(Tier::PlatformRouter, dice) {
                plot.fault(kind, from, long, What::Mute(target));
            }
        }
        "platform-host-dead" => {
            let host = plot.one_of(Tier::PlatformHost, dice);
            if let Some(target) = host.or_else(|| plot.one_of(Tier::PlatformRouter, dice)) {
                plot.fault(kind, from, short, What::Dead(target));
            }
        }
        "demarcation-link-down" | "demarcation-link-unread" => {
            let routers = plot.town.of(Tier::PlatformRouter);
            let link = routers.first().and_then(|r| plot.town.device(*r).demarcation.clone());
            let edge = link.expect("this scene has a platform").device.index();
            plot.fault(kind, from, short.max(90 * SECOND), What::Port(edge, 0));
        }
        "own-port-down" => {
            let edge = plot
                .one_of(Tier::Edge, dice)
                .filter(|e| !plot.town.ports[*e].is_empty());
            if let Some(edge) = edge {
                plot.fault(kind, from, short, What::Port(edge, 2));
            }
        }
        "agent-stopped" => {
            let speaks = |i: &usize| plot.town.device(*i).snmp.is_some();
            let all: Vec<usize> = (0..plot.town.tiers.len()).filter(speaks).collect();
            if !all.is_empty() {
                plot.fault(kind, from, long, What::Agent(*dice.pick(&all)));
            }
        }
        "router-dead-line-up" | "router-dead" => {
            let lined = kind.name == "router-dead-line-up";
            if let Some(target) = circuit(plot, lined, dice) {
                plot.fault(kind, from, long + 60 * SECOND, What::Dead(target));
            }
        }
        "line-down" => {
            if let Some((device, port)) = circuit(plot, true, dice).and_then(|c| line_of(plot, c)) {
                plot.fault(kind, from, long + 60 * SECOND, What::Port(device, port));
            }
        }
        "routers-dead-scattered" => {
            let aggregation = plot
                .one_of(Tier::Aggregation, dice)
                .expect("every town has aggregation");
            let all = plot.town.behind(aggregation);
            for i in all.iter().step_by(4).take(dice.range(5, 7) as usize) {
                plot.fault(kind, from + dice.below(30) * SECOND, long + 60 * SECOND, What::Dead(*i));
            }
        }
        "town-dark" | "town-returns-late" => dark(plot, kind, from, dice),
        "carrier-out" => {
            let of = |i: &usize| {
                let circuit = plot.town.device(*i).circuit.as_ref();
                circuit.is_some_and(|c| c.carrier.as_deref() == Some("carrier-1"))
            };
            let all = (0..plot.town.tiers.len()).filter(of).collect();
            many(plot, kind, all, from, (long, 60), dice);
        }
        name => panic!("no plot for the kind `{name}` of stories.toml"),
    }
}

/// A circuit by day: with a line that is read and a router that is asked, or with neither.
fn circuit(plot: &Plot, lined: bool, dice: &mut Dice) -> Option<usize> {
    use hinomi::model::{Liveness, Measure};
    let fits = |i: &usize| {
        let device = plot.town.device(*i);
        let line = device
            .circuit
            .as_ref()
            .is_some_and(|c| matches!(c.measure, Measure::Line(_)));
        device.liveness == Liveness::Echo && line == lined
    };
    let all: Vec<usize> = plot.town.of(Tier::Circuit).into_iter().filter(fits).collect();
    (!all.is_empty()).then(|| *dice.pick(&all))
}

fn line_of(plot: &Plot, circuit: usize) -> Option<(usize, usize)> {
    let hinomi::model::Measure::Line(line) = &plot.town.device(circuit).circuit.as_ref()?.measure else {
        return None;
    };
    let device = line.device.index();
    let port = plot.town.ports[device].iter().position(|p| **p == *line.port)?;
    Some((device, port))
}

/// Circuits that go together within seconds and come back over `spread` seconds.
pub(super) fn many(
    plot: &mut Plot,
    kind: &'static Kind,
    all: Vec<usize>,
    from: At,
    (lasts, spread): (At, u64),
    dice: &mut Dice,
) {
    let mut to = from + lasts;
    for i in &all {
        plot.act(from + dice.below(2_000_000), Act::Dead(*i, true));
        // Whoever never switches off has somebody who sees to it: what is still gone half an hour after the others is told by itself.
        let spread = if plot.town.always_on(*i) {
            spread.min(600)
        } else {
            spread
        };
        let back = from + lasts + dice.below(spread * 1_000_000);
        plot.act(back, Act::Dead(*i, false));
        to = to.max(back);
    }
    plot.fault(kind, from, to - from, What::Many(all));
}

/// A power failure: routers need minutes to come back, some of them hours.
fn dark(plot: &mut Plot, kind: &'static Kind, from: At, dice: &mut Dice) {
    let aggregation = plot
        .one_of(Tier::Aggregation, dice)
        .expect("every town has aggregation");
    let all = plot.town.behind(aggregation);
    let lasts = dice.range(300, 800) * SECOND;
    let spread = if kind.name == "town-dark" {
        dice.range(20, 400)
    } else {
        dice.range(1_500, 5_400)
    };
    many(plot, kind, all, from, (lasts, spread), dice);
}

/// What may happen beside any fault, and changes nothing about it.
pub(super) fn spice(plot: &mut Plot, dice: &mut Dice) {
    let at = start(dice) + dice.below(200) * SECOND;
    match dice.below(12) {
        0 => plot.act(at, Act::ClockStep(clock_step(dice))),
        1 => plot.fault(named("relay-out"), at, 300 * SECOND, What::Relay(0)),
        2 => {
            plot.act(60 * SECOND, Act::Loss(dice.range(1, 4) as u32));
            // A lost echo begins the count of good rounds anew, sometimes three times in ten rounds of a minute.
            plot.ends += 600 * SECOND;
        }
        3 => plot.act(at, Act::Ledger(Slip::Slow(dice.range(1, 4_000) * 1_000))),
        4 => plot.act(100 * SECOND, Act::Restart(dice.range(1, 20) * SECOND)),
        _ => return,
    }
    if let Some(f) = plot.faults.iter().rfind(|f| matches!(f.what, What::Relay(_))) {
        let (from, to) = (f.from, f.to);
        let mood = *dice.pick(&[Mood::Refuses, Mood::Hangs, Mood::Busy, Mood::Swallows]);
        plot.act(from, Act::Relay(0, mood));
        plot.act(to, Act::Relay(0, Mood::Works));
    }
}

fn clock_step(dice: &mut Dice) -> i64 {
    // Institutions that are open stay open: their hours are by the wall clock, right or wrong.
    let hours = *dice.pick(&[-24, -1, 1, 3, 24]);
    hours * 3_600_000 + dice.below(1_000_000) as i64
}

fn loss(plot: &mut Plot, percent: u32, dice: &mut Dice) {
    plot.ends = 1_500 * SECOND;
    if percent <= 20 {
        // One has it worse than the others.
        let i = dice.below(plot.town.tiers.len() as u64) as usize;
        plot.act(10 * SECOND, Act::LossOn(i, 20));
        plot.act(plot.ends - 400 * SECOND, Act::LossOn(i, 0));
    }
    plot.fault(plot.kind, 30 * SECOND, plot.ends - 430 * SECOND, What::Loss(percent));
}

/// Gone for less than it takes to be sure.
fn blink(plot: &mut Plot, dice: &mut Dice) {
    let kind = plot.kind;
    let mut at = start(dice);
    for _ in 0..dice.range(2, 8) {
        let i = dice.below(plot.town.tiers.len() as u64) as usize;
        let over = plot.town.device(i).poll.confirm.over.as_millis() as u64;
        if plot.town.tiers[i] != Tier::Gateway {
            plot.fault(kind, at, dice.range(over / 4, over * 9 / 10) * 1_000, What::Dead(i));
        }
        at += dice.range(100, 200) * SECOND;
    }
}

fn flapping(plot: &mut Plot, dice: &mut Dice) {
    let target = plot
        .one_of(Tier::Aggregation, dice)
        .expect("every town has aggregation");
    let (kind, mut at) = (plot.kind, start(dice));
    for _ in 0..dice.range(3, 5) {
        let lasts = dice.range(90, 140) * SECOND;
        plot.fault(kind, at, lasts, What::Dead(target));
        at += lasts + dice.range(160, 240) * SECOND;
    }
    plot.ends = at + 2_400 * SECOND;
}

fn counters(plot: &mut Plot, dice: &mut Dice) {
    let edge = plot.one_of(Tier::Edge, dice).expect("every town has edges");
    let port = dice.range(0, 2) as usize;
    let mut at = start(dice);
    plot.act(1, Act::Traffic(edge, port, dice.range(1, 50)));
    for _ in 0..dice.range(2, 8) {
        match dice.below(5) {
            0 => plot.act(at, Act::Lie(edge, port, Lie::Reset)),
            1 => plot.act(at, Act::Lie(edge, port, Lie::Leap)),
            2 => plot.act(at, Act::Lie(edge, port, Lie::Back)),
            3 => plot.act(at, Act::Reboot(edge)),
            _ => {
                plot.act(at, Act::Lie(edge, port, Lie::Freeze(true)));
                plot.act(at + dice.below(60) * SECOND, Act::Lie(edge, port, Lie::Freeze(false)));
            }
        }
        at += dice.range(5, 90) * SECOND;
    }
    plot.ends = at + 300 * SECOND;
}

fn cpu(plot: &mut Plot, dice: &mut Dice, values: &[i64]) {
    let edge = plot.one_of(Tier::Edge, dice).expect("every town has edges");
    let (from, kind) = (start(dice), plot.kind);
    let mut at = from;
    for value in values {
        plot.act(at, Act::Cpu(edge, *value));
        at += dice.range(25, 200) * SECOND;
    }
    plot.act(at, Act::Cpu(edge, 20));
    plot.fault(kind, from, at - from, What::Cpu(edge));
}

fn busy(plot: &mut Plot, dice: &mut Dice) {
    let edge = plot.one_of(Tier::Edge, dice).expect("every town has edges");
    let (from, kind, port) = (start(dice), plot.kind, 1);
    let lasts = dice.range(200, 600) * SECOND;
    plot.act(1, Act::Traffic(edge, port, dice.range(1, 50)));
    plot.act(from, Act::Traffic(edge, port, *dice.pick(&[75, 80, 95])));
    plot.act(from + lasts, Act::Traffic(edge, port, 30));
    plot.fault(kind, from, lasts, What::Traffic(edge, port));
}

/// Ways for mail fail, one or all, while something else is broken.
fn relays(plot: &mut Plot, dice: &mut Dice) {
    let from = start(dice);
    broken(plot, named("own-device-dead"), from, dice);
    let all = dice.chance(60);
    for route in 0..if all { 2 } else { 1 } {
        let begins = from.saturating_sub(dice.below(120) * SECOND);
        let ends = from + dice.range(100, 900) * SECOND;
        let mood = *dice.pick(&[Mood::Refuses, Mood::Hangs, Mood::Busy, Mood::Swallows]);
        plot.act(begins, Act::Relay(route, mood));
        plot.act(ends, Act::Relay(route, Mood::Works));
        let kind = plot.kind;
        plot.fault(kind, begins, ends - begins, What::Relay(route));
    }
    plot.ends += 400 * SECOND;
}

fn ledger(plot: &mut Plot, dice: &mut Dice) {
    let from = start(dice);
    broken(plot, named("own-device-dead"), from, dice);
    let begins = from.saturating_sub(dice.below(60) * SECOND);
    let lasts = dice.range(20, 400) * SECOND;
    let slip = if dice.chance(60) {
        Slip::Fails
    } else {
        Slip::Slow(dice.range(1, 45) * SECOND)
    };
    plot.act(begins, Act::Ledger(slip));
    plot.act(begins + lasts, Act::Ledger(Slip::Works));
    let kind = plot.kind;
    plot.fault(kind, begins, lasts, What::Ledger);
}

/// The daemon is killed before, in or after a fault.
fn restart(plot: &mut Plot, dice: &mut Dice) {
    let from = start(dice);
    let name = *dice.pick(&[
        "own-device-dead",
        "own-device-dead",
        "agent-stopped",
        "host-cut",
        "router-dead",
    ]);
    broken(plot, named(name), from, dice);
    // Often the fault ends while nobody looks.
    let ends = plot.faults.last().map_or(from, |f| f.to);
    let at = match dice.chance(40) {
        true => ends - dice.range(1, 20) * SECOND,
        false => from + dice.range(0, 500) * SECOND,
    };
    plot.act(at, Act::Restart(dice.range(1, 90) * SECOND));
    plot.mixed = true;
    plot.ends += 200 * SECOND;
}

fn steps(plot: &mut Plot, dice: &mut Dice) {
    let from = start(dice);
    let name = *dice.pick(&["own-device-dead", "agent-stopped", "host-cut", "own-device-mute"]);
    broken(plot, named(name), from, dice);
    for _ in 0..dice.range(1, 3) {
        plot.act(from + dice.below(400) * SECOND, Act::ClockStep(clock_step(dice)));
    }
}

/// Two or three faults at once.
fn mixed(plot: &mut Plot, dice: &mut Dice) {
    const PARTS: &[&str] = &[
        "own-device-dead",
        "own-device-dead",
        "own-device-mute",
        "platform-dead-unwitnessed",
        "platform-mute",
        "own-port-down",
        "agent-stopped",
        "router-dead",
        "host-cut",
        "demarcation-link-down",
    ];
    for _ in 0..dice.range(2, 3) {
        let name = *dice.pick(PARTS);
        if name == "demarcation-link-down" && plot.scene.platform == 0 {
            continue;
        }
        let from = start(dice) + dice.below(400) * SECOND;
        broken(plot, named(name), from, dice);
    }
    plot.mixed = true;
    plot.ends += 300 * SECOND;
    spice(plot, dice);
}
