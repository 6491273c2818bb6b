//! What is really broken, and when: the faults of a seed, carried out in the world, and asked afterwards.

use super::TROUBLE;
use super::town::{Dice, Town};
use crate::world::World;
use hinomi::model::{Liveness, Owner};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// Something that goes wrong, or is done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Off.
    Dead(String),
    /// Forwards, answers nothing.
    Mute(String),
    /// The SNMP agent is stopped.
    AgentStopped(String),
    /// A port is down; what lies behind a demarcation port is cut.
    PortDown(String, String),
    /// The monitoring host is cut off.
    Cut,
    /// Percent, each way.
    Loss(u32),
    /// Percent.
    Cpu(String, i64),
    /// A relay takes nothing.
    RelayDead(&'static str),
    /// The ledger takes nothing.
    LedgerFull,
    /// The daemon is killed, and started at the end of it.
    Killed,
    /// An operator takes everything that is open in hand.
    Acknowledged,
    /// Not configured before.
    Added(String),
    /// Not configured afterwards.
    Removed(String),
}

/// A fault with its time.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) what: What,
}

impl Fault {
    pub(super) fn overlaps(&self, from: Duration, to: Duration) -> bool {
        self.from <= to && from <= self.to
    }
}

/// The town and everything that happens to it.
pub(super) struct Truth {
    pub(super) town: Town,
    pub(super) faults: Vec<Fault>,
}

/// The faults of a seed.
pub(super) fn faults(town: &Town, dice: &mut Dice) -> Vec<Fault> {
    let mut all: Vec<Fault> = Vec::new();
    for _ in 0..1 + dice.below(6) {
        let from = Duration::from_millis(200_000 + dice.below(4_000_000));
        let lasts = *dice.pick(&[3, 20, 60, 120, 300, 600, 900, 1500]);
        let lasts = Duration::from_millis(lasts * 1000 + dice.below(20_000));
        let what = what(town, dice);
        let to = match what {
            What::Killed => from + Duration::from_secs(5 + dice.below(120)),
            What::Added(_) | What::Removed(_) => TROUBLE,
            _ => (from + lasts).min(TROUBLE),
        };
        // What the ledger never got is lost with a kill, and a device comes and goes once.
        let clash = |f: &Fault| match (&f.what, &what) {
            (What::Killed, What::LedgerFull) | (What::LedgerFull, What::Killed) | (What::Killed, What::Killed) => f
                .overlaps(
                    from.saturating_sub(Duration::from_secs(30)),
                    to + Duration::from_secs(30),
                ),
            (What::Added(_) | What::Removed(_), What::Added(_) | What::Removed(_)) => true,
            _ => false,
        };
        if !all.iter().any(clash) {
            all.push(Fault { from, to, what });
        }
        // Another one just after it, now and then.
        if dice.chance(30) {
            let from = from + Duration::from_millis(dice.below(40_000));
            let device = dice.pick(&town.devices).name.clone();
            if device != "gw" {
                let (to, what) = ((from + lasts).min(TROUBLE), What::Dead(device));
                all.push(Fault { from, to, what });
            }
        }
    }
    all.sort_by_key(|f| f.from);
    all
}

fn what(town: &Town, dice: &mut Dice) -> What {
    let device = dice.pick(&town.devices);
    let name = device.name.clone();
    let leaf = town.is_leaf(&name) && device.owner == Owner::Institution;
    match dice.below(100) {
        0..36 if name != "gw" => What::Dead(name),
        36..46 => What::Mute(name),
        46..52 if device.snmp => What::AgentStopped(name),
        52..60 if !device.ports.is_empty() => What::PortDown(name, dice.pick(&device.ports).clone()),
        60..66 => What::Cut,
        66..72 => What::Loss(dice.below(12) as u32),
        72..77 if device.snmp => What::Cpu(name, *dice.pick(&[50, 80, 97])),
        77..82 => What::RelayDead(if dice.chance(70) { "office" } else { "lte" }),
        82..85 => What::LedgerFull,
        85..90 => What::Killed,
        90 => What::Acknowledged,
        91..94 if leaf => What::Added(name),
        94..98 if leaf => What::Removed(name),
        _ => {
            let edges: Vec<&str> = town
                .devices
                .iter()
                .map(|d| d.name.as_str())
                .filter(|n| *n != "gw")
                .collect();
            What::Dead((*dice.pick(&edges)).to_owned())
        }
    }
}

impl Truth {
    pub(super) fn new(town: Town, faults: Vec<Fault>) -> Truth {
        Truth { town, faults }
    }

    /// When something begins or ends.
    pub(super) fn moments(&self) -> BTreeSet<Duration> {
        self.faults.iter().flat_map(|f| [f.from, f.to]).collect()
    }

    fn holds(&self, at: Duration, what: impl Fn(&What) -> bool) -> bool {
        self.faults.iter().any(|f| f.from <= at && at < f.to && what(&f.what))
    }

    /// Makes the world what it should be at this moment.
    pub(super) fn apply(&self, world: &mut World, at: Duration) {
        let configured = |f: &Fault| matches!(f.what, What::Added(_) | What::Removed(_)) && f.from == at;
        if self.faults.iter().any(configured) {
            world.reload(self.town.site(at, &self.faults));
        }
        world.uplink_up = !self.holds(at, |w| *w == What::Cut);
        world.commit_fails = self.holds(at, |w| *w == What::LedgerFull);
        world.relays_down = ["office", "lte"]
            .into_iter()
            .filter(|r| self.holds(at, |w| *w == What::RelayDead(r)))
            .map(str::to_owned)
            .collect();
        let loss = |f: &&Fault| f.from <= at && at < f.to;
        let loss = self.faults.iter().filter(loss).filter_map(|f| match f.what {
            What::Loss(percent) => Some(percent),
            _ => None,
        });
        world.loss_percent = loss.max().unwrap_or(0);
        for dev in &self.town.devices {
            if world.site.find(&dev.name).is_some() {
                self.apply_to(world, &dev.name, at);
            }
        }
        if self.faults.iter().any(|f| f.what == What::Acknowledged && f.from == at) {
            for incident in world.snapshot().incidents.iter().filter(|i| i.recovered.is_none()) {
                // One whose root is good already may refuse.
                let _ = world.acknowledge(incident.id, "duty");
            }
        }
        let killed = self.faults.iter().find(|f| f.what == What::Killed && f.from == at);
        if let Some(killed) = killed {
            world.restart(killed.to - killed.from);
        }
    }

    fn apply_to(&self, world: &mut World, name: &str, at: Duration) {
        let dev = self.town.dev(name);
        let cut = dev.demarcation.as_ref().is_some_and(|(edge, port)| {
            self.holds(at, |w| matches!(w, What::PortDown(d, p) if d == edge && p == port))
        });
        let dead = self.holds(at, |w| matches!(w, What::Dead(d) if d == name));
        world.host(name, !dead && !cut);
        world.mute(name, self.holds(at, |w| matches!(w, What::Mute(d) if d == name)));
        if !dev.snmp {
            return;
        }
        let flows: Vec<bool> = dev.ports.iter().map(|port| self.flows(name, port, at)).collect();
        let agent = world.agent(name);
        agent.running = !self.holds(at, |w| matches!(w, What::AgentStopped(d) if d == name));
        let cpu = self
            .faults
            .iter()
            .filter(|f| f.from <= at && at < f.to)
            .filter_map(|f| match &f.what {
                What::Cpu(d, percent) if d == name => Some(*percent),
                _ => None,
            });
        agent.cpu = Some(cpu.max().unwrap_or(10));
        for (port, flows) in agent.ports.iter_mut().zip(flows) {
            port.up = !self.holds(
                at,
                |w| matches!(w, What::PortDown(d, p) if d == name && *p == port.name),
            );
            (port.in_bps, port.out_bps) = if flows { (8_000_000, 8_000_000) } else { (0, 0) };
        }
    }

    fn flows(&self, edge: &str, port: &str, at: Duration) -> bool {
        let down = self.holds(at, |w| matches!(w, What::PortDown(d, p) if d == edge && p == port));
        let behind = self
            .town
            .devices
            .iter()
            .find(|d| d.demarcation.as_ref().is_some_and(|(e, p)| e == edge && p == port));
        let dead = behind.is_some_and(|d| self.holds(at, |w| matches!(w, What::Dead(n) if *n == d.name)));
        !down && !dead
    }

    /// Does the device itself not answer, by its own fault?
    pub(super) fn broken(&self, name: &str, what: &What) -> bool {
        let dev = self.town.dev(name);
        match what {
            What::Dead(d) | What::Mute(d) => d == name,
            What::AgentStopped(d) => d == name && dev.liveness == Liveness::Snmp,
            What::PortDown(d, p) => dev.demarcation.as_ref().is_some_and(|(e, q)| e == d && q == p),
            _ => false,
        }
    }

    /// Would it answer if the way to it were open?
    pub(super) fn well(&self, name: &str, at: Duration) -> bool {
        !self.holds(at, |w| self.broken(name, w))
    }

    /// Is the monitoring host cut off, or may it believe so?
    pub(super) fn blind(&self, at: Duration) -> bool {
        self.holds(at, |w| *w == What::Cut) || self.town.uplinks.iter().all(|u| !self.well(u, at))
    }

    /// Is every way to it cut, or does it look so?
    pub(super) fn hidden(&self, name: &str, at: Duration) -> bool {
        let parents = &self.town.dev(name).parents;
        !parents.is_empty() && parents.iter().all(|p| !self.well(p, at) || self.hidden(p, at))
    }

    /// Is the device configured, and the daemon alive?
    pub(super) fn watched(&self, name: &str, at: Duration) -> bool {
        !self.faults.iter().any(|f| match &f.what {
            What::Added(d) => d == name && at < f.from,
            What::Removed(d) => d == name && at >= f.from,
            What::Killed => f.from <= at && at < f.to,
            _ => false,
        })
    }

    pub(super) fn story(&self) -> String {
        let mut out = format!(
            "uplinks {:?}, office crosses {:?}\n",
            self.town.uplinks, self.town.crosses
        );
        for d in &self.town.devices {
            let p = &d.poll;
            let _ = writeln!(
                out,
                "  {} ({:?}) below {:?}, {:?}, snmp {}, every {:?} x{}, confirm {}/{:?}, recover {}/{:?}",
                d.name,
                d.role,
                d.parents,
                d.liveness,
                d.snmp,
                p.interval,
                p.echoes,
                p.confirm.echoes,
                p.confirm.over,
                p.recover.rounds,
                p.recover.over
            );
        }
        for f in &self.faults {
            let (from, to) = (f.from.as_secs_f64(), f.to.as_secs_f64());
            let _ = writeln!(out, "  {from:8.1} .. {to:8.1}  {:?}", f.what);
        }
        out
    }
}
