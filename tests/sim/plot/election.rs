//! Elections: what the protocols of redundancy groups make of what happens, as the standards say and as nobody but the plot can know.
//!
//! Takes the acts of a plot and adds who is what from when on. A silent master is missed after three advertisements and a bit
//! (RFC 5798: 3 to 4 s), one that goes in good order within a second; whoever is preferred takes its role back some seconds after it is
//! there again, if the group preempts.
//!
//! Never here: what is read of it (`truth`), or what should be told (`judge`).

use super::{Act, Plot};
use crate::dice::Dice;
use crate::town::groups::Ring;
use crate::truth::At;
use hinomi::model::RedundancyKind;
use hinomi::model::redundancy::Role;
use std::collections::{BTreeMap, BTreeSet};

/// Something is due.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// An act of the plot.
    Act(usize),
    /// A member's protocol runs again.
    Ready(usize, usize),
    /// An instance elects.
    Elect(usize, usize),
    /// A member hears that another one is active.
    StepDown(usize, usize, usize),
    /// A session is established or ends.
    Session(usize, usize),
}

struct Election<'a> {
    rings: Vec<Ring>,
    dice: &'a mut Dice,
    queue: BTreeMap<(At, u64), Due>,
    order: u64,
    dead: BTreeSet<usize>,
    /// Member's protocol runs: by group and member.
    up: Vec<Vec<bool>>,
    stopped: BTreeSet<(usize, usize)>,
    shut: BTreeSet<(usize, usize)>,
    ports_down: BTreeSet<(usize, usize)>,
    deaf: BTreeSet<usize>,
    favour: BTreeMap<(usize, usize), usize>,
    role: Vec<Vec<Vec<Role>>>,
    out: Vec<(At, Act)>,
}

/// Adds who is what.
pub(super) fn hold(plot: &mut Plot, dice: &mut Dice) {
    if plot.town.rings.is_empty() {
        return;
    }
    let rings = plot.town.rings.clone();
    let of = |ring: &Ring| {
        let role = |i: usize, m: usize| match ring.counted() || ring.first(i) == m {
            true => Role::Active,
            false => Role::Standby,
        };
        let instance = |i| (0..ring.seats.len()).map(|m| role(i, m)).collect::<Vec<Role>>();
        (0..ring.instances.len()).map(instance).collect()
    };
    let mut election = Election {
        role: rings.iter().map(of).collect(),
        up: rings.iter().map(|r| vec![true; r.seats.len()]).collect(),
        rings,
        dice,
        queue: BTreeMap::new(),
        order: 0,
        dead: BTreeSet::new(),
        stopped: BTreeSet::new(),
        shut: BTreeSet::new(),
        ports_down: BTreeSet::new(),
        deaf: BTreeSet::new(),
        favour: BTreeMap::new(),
        out: Vec::new(),
    };
    for (n, (at, _)) in plot.acts.iter().enumerate() {
        election.push(*at, Due::Act(n));
    }
    while let Some(((at, _), due)) = election.queue.pop_first() {
        match due {
            Due::Act(n) => election.act(at, &plot.acts[n].1),
            Due::Ready(g, m) => election.ready(at, g, m),
            Due::Elect(g, i) => election.elect(at, g, i),
            Due::StepDown(g, i, m) => election.step_down(at, g, i, m),
            Due::Session(g, m) => election.session(at, g, m),
        }
    }
    plot.acts.extend(election.out);
    plot.acts.sort_by_key(|(at, _)| *at);
}

impl Election<'_> {
    fn push(&mut self, at: At, due: Due) {
        self.order += 1;
        self.queue.insert((at, self.order), due);
    }

    /// Some time from `low` to `high` milliseconds from now.
    fn soon(&mut self, at: At, low: u64, high: u64) -> At {
        at + self.dice.range(low, high) * 1_000
    }

    fn set(&mut self, at: At, g: usize, i: usize, m: usize, role: Role) {
        let now = &mut self.role[g][i][m];
        if *now != role {
            *now = role;
            self.out.push((at, Act::Role(g, i, m, role)));
        }
    }

    fn act(&mut self, at: At, act: &Act) {
        match *act {
            Act::Dead(device, on) => {
                if on {
                    self.dead.insert(device);
                } else {
                    self.dead.remove(&device);
                }
                self.power(at, device, on);
                self.look_at_sessions(at, |_| true);
            }
            Act::Hand(g, i, m) => {
                self.favour.insert((g, i), m);
                let soon = self.soon(at, 0, 300);
                self.push(soon, Due::Elect(g, i));
            }
            Act::Stopped(g, m, true) => {
                self.stopped.insert((g, m));
                self.down(at, g, m, (100, 900));
            }
            Act::Stopped(g, m, false) => {
                self.stopped.remove(&(g, m));
                let soon = self.soon(at, 100, 900);
                self.push(soon, Due::Ready(g, m));
            }
            Act::Deaf(g, on) => {
                if on {
                    self.deaf.insert(g);
                } else {
                    self.deaf.remove(&g);
                }
                let soon = if on {
                    self.soon(at, 3_000, 4_000)
                } else {
                    self.soon(at, 0, 1_000)
                };
                (0..self.rings[g].instances.len()).for_each(|i| self.push(soon, Due::Elect(g, i)));
            }
            Act::Shut(g, m, on) => {
                if on {
                    self.shut.insert((g, m));
                } else {
                    self.shut.remove(&(g, m));
                }
                let soon = if on { at } else { self.soon(at, 0, 900) };
                self.push(soon, Due::Session(g, m));
            }
            Act::Port(device, port, down) => {
                if down {
                    self.ports_down.insert((device, port));
                } else {
                    self.ports_down.remove(&(device, port));
                }
                self.look_at_sessions(at, |seat_device| seat_device == device);
            }
            _ => {}
        }
    }

    /// A device loses its power, or has it again.
    fn power(&mut self, at: At, device: usize, dead: bool) {
        for g in 0..self.rings.len() {
            if self.rings[g].counted() {
                continue;
            }
            let seats = self.rings[g].seats.iter();
            let Some(m) = seats.clone().position(|s| s.device == device) else {
                continue;
            };
            if dead {
                self.down(at, g, m, (3_000, 3_900));
            } else {
                let boots = self.soon(at, 2_000, 8_000);
                self.push(boots, Due::Ready(g, m));
            }
        }
    }

    fn down(&mut self, at: At, g: usize, m: usize, missed: (u64, u64)) {
        self.up[g][m] = false;
        for i in 0..self.rings[g].instances.len() {
            if self.favour.get(&(g, i)) == Some(&m) {
                self.favour.remove(&(g, i));
            }
            if self.role[g][i][m] == Role::Active {
                let soon = self.soon(at, missed.0, missed.1);
                self.push(soon, Due::Elect(g, i));
            }
            self.set(at, g, i, m, Role::Failed);
        }
    }

    fn ready(&mut self, at: At, g: usize, m: usize) {
        if self.dead.contains(&self.rings[g].seats[m].device) || self.stopped.contains(&(g, m)) || self.up[g][m] {
            return;
        }
        self.up[g][m] = true;
        for i in 0..self.rings[g].instances.len() {
            self.set(at, g, i, m, Role::Standby);
            let alone = !self.role[g][i].contains(&Role::Active);
            let soon = if alone {
                self.soon(at, 3_000, 4_000)
            } else {
                self.soon(at, 1_000, 30_000)
            };
            self.push(soon, Due::Elect(g, i));
        }
    }

    /// Who should be active of those that are up.
    fn winner(&self, g: usize, i: usize) -> Option<usize> {
        let (ring, up) = (&self.rings[g], &self.up[g]);
        let is_up = |m: &usize| up[*m];
        let active: Vec<usize> = (0..up.len())
            .filter(|m| up[*m] && self.role[g][i][*m] == Role::Active)
            .collect();
        let preferred = ring.preferred[i].filter(is_up);
        let favour = self.favour.get(&(g, i)).copied().filter(is_up);
        let stays = match active[..] {
            [one] => Some(one),
            _ => None,
        };
        favour
            .or(preferred.filter(|_| ring.preempts || stays.is_none()))
            .or(stays)
            .or_else(|| active.first().copied())
            .or_else(|| (0..up.len()).find(is_up))
    }

    fn elect(&mut self, at: At, g: usize, i: usize) {
        let Some(winner) = self.winner(g, i) else { return };
        let deaf = self.deaf.contains(&g);
        for m in 0..self.rings[g].seats.len() {
            if m == winner || deaf && self.up[g][m] {
                self.set(at, g, i, m, Role::Active);
            } else if self.role[g][i][m] == Role::Active {
                let soon = if self.dice.chance(60) {
                    at
                } else {
                    self.soon(at, 1, 400)
                };
                self.push(soon, Due::StepDown(g, i, m));
            }
        }
    }

    fn step_down(&mut self, at: At, g: usize, i: usize, m: usize) {
        if self.up[g][m] && self.winner(g, i) != Some(m) && !self.deaf.contains(&g) {
            self.set(at, g, i, m, Role::Standby);
        }
    }

    fn look_at_sessions(&mut self, at: At, touched: impl Fn(usize) -> bool) {
        for g in 0..self.rings.len() {
            if self.rings[g].kind != RedundancyKind::Bgp {
                continue;
            }
            for m in 0..self.rings[g].seats.len() {
                let seat = &self.rings[g].seats[m];
                let (device, peer) = (seat.device, seat.peer.unwrap_or(seat.device));
                if !touched(device) {
                    continue;
                }
                let soon = match self.carries(g, m) {
                    true => self.soon(at, 5_000, 40_000),
                    false if self.dead.contains(&device) => at,
                    // Nobody says that it is gone: the hold time.
                    false if self.dead.contains(&peer) => self.soon(at, 9_000, 30_000),
                    false => self.soon(at, 0, 900),
                };
                self.push(soon, Due::Session(g, m));
            }
        }
    }

    /// Nothing stands in the way of a session.
    fn carries(&self, g: usize, m: usize) -> bool {
        let seat = &self.rings[g].seats[m];
        let peer = seat.peer.unwrap_or(seat.device);
        !self.dead.contains(&seat.device)
            && !self.dead.contains(&peer)
            && !self.ports_down.contains(&(seat.device, 0))
            && !self.shut.contains(&(g, m))
    }

    fn session(&mut self, at: At, g: usize, m: usize) {
        let role = if self.carries(g, m) { Role::Active } else { Role::Failed };
        self.set(at, g, 0, m, role);
    }
}
