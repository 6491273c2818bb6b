//! What is true at a moment: who is up, what answers, what a counter says. The product sees of it only datagrams.
//!
//! Never here: what the product believes.

pub(crate) mod roles;

use super::agent::{Agent, Port};
use super::plot::Act;
use super::town::{Tier, Town};
use roles::Roles;
use std::collections::BTreeMap;

/// Microseconds since the story began.
pub(crate) type At = u64;
/// A second.
pub(crate) const SECOND: At = 1_000_000;

/// Since when something holds, and when it last held.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    from: Option<At>,
    last: Option<(At, At)>,
}

impl Span {
    /// It holds from now on, or does not.
    pub(crate) fn set(&mut self, holds: bool, now: At) {
        match (holds, self.from) {
            (true, None) => {
                // What begins again the moment it ended never ended.
                let again = self.last.take_if(|(_, to)| *to == now);
                self.from = Some(again.map_or(now, |(from, _)| from));
            }
            (false, Some(from)) => {
                self.from = None;
                self.last = Some((from, now));
            }
            _ => {}
        }
    }

    /// It holds.
    pub(crate) fn holds(&self) -> bool {
        self.from.is_some()
    }

    /// The latest time that it held or holds, if that ended no longer than `lag` ago.
    pub(crate) fn recent(&self, now: At, lag: At) -> Option<(At, At)> {
        match self.from {
            Some(from) => Some((from, now)),
            None => self.last.filter(|(_, to)| to + lag >= now),
        }
    }

    /// For how long it held then.
    pub(crate) fn lasted(&self, now: At, lag: At) -> At {
        self.recent(now, lag).map_or(0, |(from, to)| to - from)
    }

    /// Since when it does not hold; the beginning if it never did.
    pub(crate) fn over_since(&self) -> Option<At> {
        match self.from {
            Some(_) => None,
            None => Some(self.last.map_or(0, |(_, to)| to)),
        }
    }
}

/// A number against two levels.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauge {
    /// At or above `raise` of warning, of critical.
    pub(crate) above: [Span; 2],
    /// At or below `clear` of warning, of critical.
    pub(crate) below: [Span; 2],
}

impl Gauge {
    fn set(&mut self, value: f64, raise: [f64; 2], clear: [f64; 2], now: At) {
        for i in 0..2 {
            self.above[i].set(value >= raise[i], now);
            self.below[i].set(value <= clear[i], now);
        }
    }
}

/// The truth about a town.
pub(crate) struct Truth {
    dead: Vec<u8>,
    mute: Vec<u8>,
    cut: Vec<u8>,
    off: Vec<bool>,
    forwards: Vec<bool>,
    answers: Vec<bool>,
    /// Does not answer, whatever the reason.
    pub(crate) silent: Vec<Span>,
    /// Does not answer by its own fault, or by that of the link that belongs to it.
    pub(crate) own: Vec<Span>,
    pub(crate) agents: Vec<Option<Box<Agent>>>,
    /// The agent gives nothing though it should.
    pub(crate) mum: Vec<Span>,
    /// Percent of round trips lost, everywhere.
    pub(crate) loss: u32,
    loss_on: Vec<u8>,
    ways: Vec<Vec<u32>>,
    leaf: Vec<bool>,
    /// What hangs on a port: device and port to the index behind it.
    behind_port: BTreeMap<(usize, usize), usize>,
    /// Demarcation links: edge, port, router.
    links: Vec<(usize, usize, usize)>,
    link_bps: u64,
    port_down: BTreeMap<(usize, usize), Span>,
    pub(crate) cpu: BTreeMap<usize, Gauge>,
    pub(crate) traffic: BTreeMap<(usize, usize), Gauge>,
    pub(crate) roles: Roles,
}

impl Truth {
    /// All is well, except for those that are switched off.
    pub(crate) fn new(town: &Town, witness: bool) -> Truth {
        let n = town.tiers.len();
        let mut truth = Truth {
            dead: vec![0; n],
            mute: vec![0; n],
            cut: vec![0; n],
            off: vec![false; n],
            forwards: vec![true; n],
            answers: vec![true; n],
            silent: vec![Span::default(); n],
            own: vec![Span::default(); n],
            agents: (0..n).map(|_| None).collect(),
            mum: vec![Span::default(); n],
            loss: 0,
            loss_on: vec![0; n],
            ways: town.ways.clone(),
            leaf: vec![true; n],
            behind_port: BTreeMap::new(),
            links: Vec::new(),
            link_bps: if witness { 8_000_000 } else { 200 },
            port_down: BTreeMap::new(),
            cpu: BTreeMap::new(),
            traffic: BTreeMap::new(),
            roles: Roles::new(town),
        };
        for way in town.ways.iter().flatten() {
            truth.leaf[*way as usize] = false;
        }
        for (i, device) in town.site.devices.iter().enumerate() {
            if device.snmp.is_some() {
                truth.agents[i] = Some(Box::new(Agent::new(&town.ports[i])));
            }
            if let Some(link) = &device.demarcation {
                truth.behind_port.insert((link.device.index(), 0), i);
                truth.links.push((link.device.index(), 0, i));
            }
            if let Some(hinomi::model::Measure::Line(line)) = device.circuit.as_ref().map(|c| &c.measure) {
                let at = line.device.index();
                if let Some(port) = town.ports[at].iter().position(|p| **p == *line.port) {
                    truth.behind_port.insert((at, port), i);
                }
            }
        }
        for i in town.of(Tier::Edge) {
            truth.set_cpu(i, 20, 0);
        }
        truth.links_carry(0);
        for i in town.rings.iter().flat_map(|ring| &ring.seats).map(|seat| seat.device) {
            truth.publish(i);
        }
        truth
    }

    /// The agent of a device tells what is true of its roles.
    fn publish(&mut self, i: usize) {
        let rows = self.roles.rows(i);
        if let Some(agent) = &mut self.agents[i] {
            agent.roles = rows;
        }
    }

    /// Does it answer what it is asked?
    pub(crate) fn answers(&self, i: usize) -> bool {
        self.answers[i]
    }

    /// Do packets pass it?
    pub(crate) fn forwards(&self, i: usize) -> bool {
        self.forwards[i]
    }

    /// Switched off by its owner.
    pub(crate) fn is_off(&self, i: usize) -> bool {
        self.off[i]
    }

    /// Percent of the round trips to it that are lost.
    pub(crate) fn loss_to(&self, i: usize) -> u32 {
        self.loss.max(u32::from(self.loss_on[i]))
    }

    /// Is any way to it open?
    pub(crate) fn way_open(&self, i: usize) -> bool {
        let ways = &self.ways[i];
        ways.is_empty() || ways.iter().any(|w| self.forwards[*w as usize])
    }

    /// What of its port: down since when, or when last.
    pub(crate) fn port_down(&self, device: usize, port: usize) -> Span {
        self.port_down.get(&(device, port)).copied().unwrap_or_default()
    }

    /// What hangs on a port.
    pub(crate) fn behind_port(&self, device: usize, port: usize) -> Option<usize> {
        self.behind_port.get(&(device, port)).copied()
    }

    /// Something happens to the network.
    pub(crate) fn apply(&mut self, act: &Act, now: At) {
        for i in self.roles.apply(act) {
            self.publish(i);
        }
        let step = |n: &mut u8, on: bool| *n = if on { n.saturating_add(1) } else { n.saturating_sub(1) };
        match act {
            Act::Dead(i, on) => {
                step(&mut self.dead[*i], *on);
                self.changed(*i, now);
            }
            Act::Mute(i, on) => {
                step(&mut self.mute[*i], *on);
                self.changed(*i, now);
            }
            Act::Cut(i, on) => {
                step(&mut self.cut[*i], *on);
                self.changed(*i, now);
            }
            Act::Off(i, on) => {
                self.off[*i] = *on;
                self.changed(*i, now);
            }
            Act::Port(device, port, down) => self.port(*device, *port, *down, now),
            Act::Agent(i, running) => {
                if let Some(agent) = &mut self.agents[*i] {
                    agent.running = *running;
                }
                self.mum[*i].set(!running, now);
            }
            Act::Reboot(i) => {
                if let Some(agent) = &mut self.agents[*i] {
                    agent.reboot(now);
                }
            }
            Act::Cpu(i, percent) => self.set_cpu(*i, *percent, now),
            Act::Traffic(i, port, percent) => self.set_traffic(*i, *port, *percent, now),
            Act::Lie(i, port, lie) => {
                if let Some(port) = self.port_mut(*i, *port) {
                    port.lie(*lie, now);
                }
            }
            Act::Loss(percent) => self.loss = *percent,
            Act::LossOn(i, percent) => self.loss_on[*i] = *percent as u8,
            _ => {}
        }
    }

    fn port_mut(&mut self, device: usize, port: usize) -> Option<&mut Port> {
        self.agents[device].as_mut()?.ports.get_mut(port)
    }

    fn port(&mut self, device: usize, port: usize, down: bool, now: At) {
        self.port_down.entry((device, port)).or_default().set(down, now);
        if let Some(port) = self.port_mut(device, port) {
            port.up = !down;
        }
        if let Some(target) = self.behind_port(device, port) {
            let n = &mut self.cut[target];
            *n = if down { n.saturating_add(1) } else { n.saturating_sub(1) };
            self.changed(target, now);
        }
    }

    fn set_cpu(&mut self, i: usize, percent: i64, now: At) {
        if let Some(agent) = &mut self.agents[i] {
            agent.cpu = percent;
            self.cpu
                .entry(i)
                .or_default()
                .set(percent as f64, [70.0, 90.0], [65.0, 85.0], now);
        }
    }

    fn set_traffic(&mut self, i: usize, port: usize, percent: u64, now: At) {
        if let Some(p) = self.port_mut(i, port) {
            p.set_bps(percent * 10_000_000, 1_000_000, now);
            let gauge = self.traffic.entry((i, port)).or_default();
            gauge.set(percent as f64, [70.0, 90.0], [63.0, 81.0], now);
        }
    }

    /// Works out who answers after something changed at `i`.
    fn changed(&mut self, i: usize, now: At) {
        if self.leaf[i] {
            self.look_at(i, now);
            if self.links.iter().any(|(_, _, router)| *router == i) {
                self.links_carry(now);
            }
            return;
        }
        for i in 0..self.dead.len() {
            self.look_at(i, now);
        }
        self.links_carry(now);
    }

    fn look_at(&mut self, i: usize, now: At) {
        let open = self.way_open(i);
        let stands = self.dead[i] == 0 && self.cut[i] == 0;
        self.forwards[i] = open && stands && !self.off[i];
        self.answers[i] = self.forwards[i] && self.mute[i] == 0;
        self.silent[i].set(!self.answers[i], now);
        self.own[i].set(!stands || self.mute[i] > 0, now);
    }

    /// Traffic of the demarcation links comes from what stands behind them.
    fn links_carry(&mut self, now: At) {
        for (edge, port, router) in self.links.clone() {
            let bps = if self.forwards[router] { self.link_bps } else { 0 };
            if let Some(port) = self.port_mut(edge, port) {
                port.set_bps(bps, bps.max(2_000), now);
            }
        }
    }
}
