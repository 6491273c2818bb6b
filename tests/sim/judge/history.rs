//! What happened to the redundancy groups, from the plot alone: who told what when, who was active, who handed over to whom.
//!
//! Never here: what the product said.

use super::super::plot::{Act, Plot};
use super::super::town::groups::Ring;
use super::super::truth::At;
use super::super::truth::roles::Roles;
use hinomi::model::RedundancyKind;
use hinomi::model::redundancy::Role;

/// What a member tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    Role(Role),
    /// Its device has no power.
    Dead,
    /// Its agent answers and has no such table.
    Nothing,
}

/// From when to when all members of an instance told the same.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) from: At,
    pub(super) to: At,
    pub(super) tells: Vec<Tells>,
}

/// Another member became the active one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handover {
    pub(super) at: At,
    pub(super) from: usize,
    pub(super) to: usize,
    /// The other one had been the one that is active since then.
    pub(super) since: At,
    /// It was alone the active one until then.
    pub(super) until: At,
}

/// A time.
pub(super) type Time = (At, At);

/// The whole story of all groups.
pub(super) struct History {
    pub(super) rings: Vec<Ring>,
    /// By group and instance.
    steps: Vec<Vec<Vec<Step>>>,
    /// Counters of a device began anew.
    pub(super) reboots: Vec<(At, usize)>,
    /// A device sent a trap.
    traps: Vec<(At, usize)>,
}

impl History {
    pub(super) fn of(plot: &Plot) -> History {
        let rings = plot.town.rings.clone();
        let mut roles = Roles::new(&plot.town);
        let empty = |r: &Ring| r.instances.iter().map(|_| Vec::new()).collect();
        let mut history = History {
            steps: rings.iter().map(empty).collect(),
            rings,
            reboots: Vec::new(),
            traps: Vec::new(),
        };
        history.look(0, &roles);
        for (at, act) in &plot.acts {
            match act {
                Act::Reboot(device) => history.reboots.push((*at, *device)),
                Act::Trap(device, _) => history.traps.push((*at, *device)),
                _ => {}
            }
            roles.apply(act);
            history.look(*at, &roles);
        }
        for steps in history.steps.iter_mut().flatten() {
            if let Some(last) = steps.last_mut() {
                last.to = plot.ends;
            }
        }
        history
    }

    fn look(&mut self, at: At, roles: &Roles) {
        for (g, ring) in self.rings.iter().enumerate() {
            for i in 0..ring.instances.len() {
                let tells: Vec<Tells> = (0..ring.seats.len())
                    .map(|m| match roles.told(g, i, m) {
                        Some(role) => Tells::Role(role),
                        None if roles.is_dead(ring.seats[m].device) => Tells::Dead,
                        None => Tells::Nothing,
                    })
                    .collect();
                let steps = &mut self.steps[g][i];
                match steps.last_mut() {
                    Some(last) if last.tells == tells => {}
                    Some(last) if last.from == at => last.tells = tells,
                    last => {
                        if let Some(last) = last {
                            last.to = at;
                        }
                        let (from, to) = (at, at);
                        steps.push(Step { from, to, tells });
                    }
                }
            }
        }
    }

    /// The first trap of a device in a time.
    pub(super) fn trap(&self, device: usize, from: At, to: At) -> Option<At> {
        let all = self
            .traps
            .iter()
            .filter(|(at, d)| *d == device && from <= *at && *at <= to);
        all.map(|(at, _)| *at).min()
    }

    pub(super) fn steps(&self, g: usize, i: usize) -> &[Step] {
        &self.steps[g][i]
    }

    /// When something held in an instance.
    pub(super) fn when(&self, g: usize, i: usize, holds: impl Fn(&[Tells]) -> bool) -> Vec<Time> {
        let all = self.steps[g][i]
            .iter()
            .filter(|s| holds(&s.tells))
            .map(|s| (s.from, s.to));
        merged(all.collect(), 0)
    }

    /// When something held in any instance of a group.
    pub(super) fn ever(&self, g: usize, holds: impl Fn(usize, &[Tells]) -> bool) -> Vec<Time> {
        let instances = 0..self.rings[g].instances.len();
        merged(instances.flat_map(|i| self.when(g, i, |t| holds(i, t))).collect(), 0)
    }

    /// The one that is active, if that is one. Of a group that counts and prefers one, the first good one in that order.
    pub(super) fn active(&self, g: usize, i: usize, tells: &[Tells]) -> Option<usize> {
        let ring = &self.rings[g];
        let good = |m: &usize| tells[*m] == Tells::Role(Role::Active);
        if ring.counted() {
            let first = ring.preferred[i]?;
            let mut order: Vec<usize> = (0..tells.len()).collect();
            order.sort_by_key(|m| *m != first);
            return order
                .into_iter()
                .find(|m| good(m) || tells[*m] == Tells::Nothing)
                .filter(good);
        }
        let all: Vec<usize> = (0..tells.len()).filter(good).collect();
        match all[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    /// When a member became active, alone or not: what its counter counts.
    pub(super) fn takes(&self, g: usize, i: usize, m: usize) -> Vec<At> {
        self.turns(g, i, m, true)
    }

    /// When it was active no more.
    pub(super) fn gives(&self, g: usize, i: usize, m: usize) -> Vec<At> {
        self.turns(g, i, m, false)
    }

    fn turns(&self, g: usize, i: usize, m: usize, to: bool) -> Vec<At> {
        let active = |t: &[Tells]| t[m] == Tells::Role(Role::Active);
        let steps = self.steps[g][i].windows(2);
        steps
            .filter(|w| active(&w[0].tells) != to && active(&w[1].tells) == to)
            .map(|w| w[1].from)
            .collect()
    }

    /// Everybody who became active instead of another one.
    pub(super) fn handovers(&self, g: usize, i: usize) -> Vec<Handover> {
        let (mut all, mut last, mut since) = (Vec::<Handover>::new(), None, 0);
        for step in &self.steps[g][i] {
            let now = self.active(g, i, &step.tells);
            if let Some(newest) = all.last_mut().filter(|h| h.until == step.from)
                && now == Some(newest.to)
            {
                newest.until = step.to;
            }
            if let (Some(from), Some(to)) = (last, now)
                && from != to
            {
                all.push(Handover {
                    at: step.from,
                    from,
                    to,
                    since,
                    until: step.to,
                });
            }
            if now.is_some() && now != last {
                since = step.from;
            }
            last = now.or(last);
        }
        all
    }
}

/// Times in order, those that touch (or are no more than `gap` apart) as one.
pub(super) fn merged(mut all: Vec<Time>, gap: At) -> Vec<Time> {
    all.sort_unstable();
    let mut out: Vec<Time> = Vec::new();
    for (from, to) in all.into_iter().filter(|(from, to)| to > from) {
        match out.last_mut() {
            Some(last) if from <= last.1 + gap => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

/// A member is ready to carry the service.
pub(super) fn ready(ring: &Ring, tells: Tells) -> bool {
    match tells {
        Tells::Role(Role::Active) => true,
        Tells::Role(Role::Standby) => !ring.counted(),
        _ => false,
    }
}

/// Several are active where one should be.
pub(super) fn both(ring: &Ring, tells: &[Tells]) -> bool {
    let active = tells.iter().filter(|t| **t == Tells::Role(Role::Active)).count();
    !ring.counted() && active > 1
}

/// The service is lost, as far as members tell: one that does not tell is unknown, never "not active".
pub(super) fn none(ring: &Ring, tells: &[Tells]) -> bool {
    let is = |t: &&Tells| matches!(t, Tells::Role(_));
    let active = |t: &&Tells| **t == Tells::Role(Role::Active);
    match ring.counted() {
        true => tells.iter().filter(is).filter(|t| !active(t)).count() + ring.need > tells.len(),
        false => tells.iter().all(|t| is(&t)) && !tells.iter().any(|t| active(&t)),
    }
}

/// The preferred one is ready and another one is active.
pub(super) fn behind(ring: &Ring, i: usize, tells: &[Tells]) -> bool {
    let standby = |m: usize| tells[m] == Tells::Role(Role::Standby);
    let others = |m: usize| {
        tells
            .iter()
            .enumerate()
            .filter(|(o, t)| *o != m && **t == Tells::Role(Role::Active))
            .count()
    };
    ring.kind != RedundancyKind::Lag && ring.preferred[i].is_some_and(|m| standby(m) && others(m) == 1)
}
