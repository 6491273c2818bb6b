//! The plot of a story: a town, what goes wrong in it and when, all from the seed and the kind.
//!
//! Never here: what the product should make of it (`judge`).

mod election;
mod hints;
mod kinds;
mod life;
mod redundancy;

use super::agent::Lie;
use super::dice::Dice;
use super::kinds::{self as table, Kind};
use super::town::{Cable, Scene, Tier, Town};
use super::truth::{At, SECOND};
use hinomi::model::redundancy::Role;
use hinomi::poll::trap::TrapKind;

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Loses power, or has it again.
    Dead(usize, bool),
    /// Forwards but answers nothing itself.
    Mute(usize, bool),
    /// The link to it is cut.
    Cut(usize, bool),
    /// Switched off by its owner.
    Off(usize, bool),
    /// A port of a device goes down, and with it what hangs on it.
    Port(usize, usize, bool),
    /// The agent runs, or does not.
    Agent(usize, bool),
    /// The agent starts again.
    Reboot(usize),
    /// What a member of a group is in an instance from then on: group, instance, member. Only the election writes it, but for
    /// what LACP says of a port.
    Role(usize, usize, usize, Role),
    /// The engineer (or a track of the protocol) gives the role to this member: group, instance, member.
    Hand(usize, usize, usize),
    /// The protocol of a member stops and says so: group, member.
    Stopped(usize, usize, bool),
    /// The members do not hear each other.
    Deaf(usize, bool),
    /// A session is shut: group, member.
    Shut(usize, usize, bool),
    /// The agent of a device has its tables of roles.
    Tables(usize, bool),
    /// An operator announces work on these devices, for so long from now.
    Work(Vec<usize>, At),
    /// A device sends a trap, true or not.
    Trap(usize, TrapKind),
    /// Percent.
    Cpu(usize, i64),
    /// Percent of a port's speed, into it.
    Traffic(usize, usize, u64),
    /// A counter lies.
    Lie(usize, usize, Lie),
    /// Percent of all round trips that are lost.
    Loss(u32),
    /// The same for one device and what is asked of it.
    LossOn(usize, u32),
    /// A mail route behaves so.
    Relay(usize, Mood),
    /// The ledger behaves so.
    Ledger(Slip),
    /// The daemon is killed and starts again so much later.
    Restart(At),
    /// The wall clock leaps, milliseconds.
    ClockStep(i64),
}

/// How a relay behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Works,
    /// Nothing listens.
    Refuses,
    /// Takes the connection and says nothing until the deadline.
    Hangs,
    /// 4xx.
    Busy,
    /// Takes the mail, and its answer is lost.
    Swallows,
}

/// How the ledger behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
    Works,
    /// Cannot write.
    Fails,
    /// Writes, but answers so much later.
    Slow(At),
}

/// What is wrong.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Dead(usize),
    Mute(usize),
    /// A port of a device.
    Port(usize, usize),
    /// A cable is cut: both ends fall.
    Cable(Cable),
    Agent(usize),
    /// This host is cut off.
    Host,
    /// Circuits that lose power, or their lines, together; sorted.
    Many(Vec<usize>),
    /// CPU of a device.
    Cpu(usize),
    /// A port carries more than it should.
    Traffic(usize, usize),
    /// A mail route.
    Relay(usize),
    Ledger,
    /// A redundancy group. (Which one, for people.)
    Group(#[allow(dead_code)] usize),
    /// Percent; more than 20 is not healthy.
    Loss(u32),
}

/// A fault with its time.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The row of the table that says what the verdict may be.
    pub(crate) kind: &'static Kind,
    pub(crate) from: At,
    pub(crate) to: At,
    pub(crate) what: What,
}

impl Fault {
    /// Is this device what is broken?
    pub(crate) fn hits(&self, target: usize) -> bool {
        match &self.what {
            What::Dead(i) | What::Mute(i) | What::Agent(i) => *i == target,
            What::Many(all) => all.binary_search(&target).is_ok(),
            _ => false,
        }
    }
}

/// A story, before it is told.
pub(crate) struct Plot {
    pub(crate) kind: &'static Kind,
    pub(crate) scene: Scene,
    pub(crate) town: Town,
    /// In the order of time.
    pub(crate) acts: Vec<(At, Act)>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) ends: At,
    /// Several faults, which may hide each other.
    pub(crate) mixed: bool,
    /// An answer takes so long.
    pub(crate) latency: At,
    /// Other dice for the run itself: loss, what a relay does.
    pub(crate) dice: Dice,
}

/// Wednesday 2026-11-25, 10:00 in Tokyo.
const WEDNESDAY: i64 = 1_795_568_400_000;
const HOUR_MS: i64 = 3_600_000;

fn scene(dice: &mut Dice) -> Scene {
    let circuits = match dice.below(1_000) {
        0..7 => dice.range(2_000, 3_200),
        7..70 => dice.range(110, 260),
        _ => dice.range(18, 66),
    };
    let aggregations = (circuits / 25).clamp(1, 6).max(1 + dice.below(2)) as usize;
    Scene {
        start_ms: WEDNESDAY,
        circuits: circuits as usize,
        aggregations,
        carriers: dice.range(1, 3) as usize,
        platform: dice.below(3) as usize,
        witness: dice.chance(20),
        unread: false,
        lines: dice.chance(15),
        always_on: 15,
        fast: dice.chance(3),
        strict: false,
        groups: false,
        links: false,
    }
}

/// Writes the story of a seed; of this kind, if one is asked for.
pub(crate) fn write(seed: u64, only: Option<&'static Kind>) -> Plot {
    let mut dice = Dice::new(seed);
    let drawn = table::draw(&mut dice);
    let kind = only.unwrap_or(drawn);
    let mut scene = scene(&mut dice);
    kinds::set(kind, &mut scene, &mut dice);
    let town = Town::build(&scene, &mut dice);
    let mut plot = Plot {
        kind,
        town,
        acts: Vec::new(),
        faults: Vec::new(),
        ends: 900 * SECOND,
        mixed: false,
        latency: *dice.pick(&[1_000, 8_000, 40_000, 150_000]),
        dice: Dice::new(seed ^ 0x5eed),
        scene,
    };
    kinds::tell(&mut plot, &mut dice);
    plot.acts.sort_by_key(|(at, _)| *at);
    election::hold(&mut plot, &mut dice);
    hints::send(&mut plot, &mut dice);
    plot
}

impl Plot {
    /// The faults a fault's verdict may be left open by.
    pub(crate) fn open_is_right(&self, fault: &Fault) -> bool {
        self.mixed || fault.kind.undetermined
    }

    fn act(&mut self, at: At, act: Act) {
        self.acts.push((at, act));
    }

    /// Something is broken from then on for so long.
    fn fault(&mut self, kind: &'static Kind, from: At, lasts: At, what: What) {
        let to = from + lasts;
        for (at, on) in [(from, true), (to, false)] {
            match &what {
                What::Dead(i) => {
                    self.act(at, Act::Dead(*i, on));
                    // What has no power gives no light: the other ends of its cables fall with it.
                    for (device, port) in self.far_ends(*i) {
                        self.act(at, Act::Port(device, port, on));
                    }
                }
                What::Cable(ends) => {
                    for (device, port) in ends {
                        self.act(at, Act::Port(*device, *port, on));
                    }
                }
                What::Mute(i) => self.act(at, Act::Mute(*i, on)),
                What::Port(i, port) => self.act(at, Act::Port(*i, *port, on)),
                What::Agent(i) => self.act(at, Act::Agent(*i, !on)),
                What::Host => self.act(at, Act::Cut(0, on)),
                What::Loss(percent) => self.act(at, Act::Loss(if on { *percent } else { 0 })),
                What::Many(_) | What::Cpu(_) | What::Traffic(..) | What::Relay(_) | What::Ledger | What::Group(_) => {}
            }
        }
        // An agent starts with its device.
        if let What::Dead(i) = what {
            self.act(to, Act::Reboot(i));
        }
        self.faults.push(Fault { kind, from, to, what });
        self.ends = self.ends.max(to + 330 * SECOND);
    }

    fn far_ends(&self, device: usize) -> Vec<(usize, usize)> {
        let cables = self.town.cables.iter();
        let far = |cable: &Cable| match cable {
            [own, far] | [far, own] if own.0 == device => Some(*far),
            _ => None,
        };
        cables.filter_map(far).collect()
    }

    fn one_of(&self, tier: Tier, dice: &mut Dice) -> Option<usize> {
        let all = self.town.of(tier);
        (!all.is_empty()).then(|| *dice.pick(&all))
    }

    /// History of the plot, for people.
    pub(crate) fn story(&self) -> String {
        use std::fmt::Write as _;
        let name = |i: usize| self.town.device(i).name.to_string();
        let mut out = format!("{} targets, {:?}\n", self.town.tiers.len(), self.scene);
        for (i, tier) in self.town.tiers.iter().enumerate().filter(|(_, t)| **t != Tier::Circuit) {
            let d = self.town.device(i);
            let parents: Vec<String> = d.parents.iter().map(|p| name(p.index())).collect();
            let _ = writeln!(
                out,
                "  {i} {} {tier:?} {:?} below {parents:?} really {:?}, every {:?}, snmp {}",
                d.name,
                d.role,
                self.town.ways[i],
                d.poll.interval,
                d.snmp.is_some()
            );
        }
        for f in &self.faults {
            let text = format!("{:?}", f.what);
            let text: String = text.chars().take(200).collect();
            let _ = writeln!(
                out,
                "  {:8.1} .. {:8.1}  {text} ({})",
                f.from as f64 / 1e6,
                f.to as f64 / 1e6,
                f.kind.name
            );
        }
        for ring in &self.town.rings {
            let _ = writeln!(out, "  {ring:?}");
        }
        for (at, act) in self.acts.iter().take(200) {
            let _ = writeln!(out, "  {:8.1} act {act:?}", *at as f64 / 1e6);
        }
        out
    }
}

/// Wall time at a start, hours from Wednesday ten o'clock.
fn hours_from_wednesday(hours: f64) -> i64 {
    WEDNESDAY + (hours * HOUR_MS as f64) as i64
}
