//! What the instances of a group say together: who is good, who is ready, who is missing.
//!
//! Every question has three answers: yes, no, and open.
//!
//! Never here: what is made of the answers (that is `judge`).

use super::Context;
use super::judge::ActiveNow;
use super::state::{Gap, Group, Standing};
use crate::model::redundancy::Role;
use crate::model::{DeviceId, FindingKey, Name, ReachState, Redundancy, RedundancyKind};
use crate::rules::{Absence, Missing};
use std::collections::BTreeSet;

/// One question asked of all instances: those that say yes, and whether any is open.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) yes: Vec<Name>,
    pub(super) open: bool,
}

/// What the instances of a group say together.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) both: Answer,
    pub(super) members: BTreeSet<Name>,
    pub(super) none: Answer,
    /// The fewest good members, and what the others say.
    pub(super) good: Option<u32>,
    pub(super) silent: BTreeSet<Missing>,
    pub(super) lost: Answer,
    /// In some instance nobody carries the service: that is the finding then, not a loss of redundancy.
    pub(super) outage: bool,
    pub(super) ready: Option<u32>,
    /// The fewest that may be ready, those included of which nothing is known.
    pub(super) possible: Option<u32>,
    pub(super) missing: BTreeSet<Missing>,
    /// Findings that explain missing members.
    pub(super) roots: BTreeSet<FindingKey>,
    /// Some are missing themselves: others are only cut off.
    pub(super) themselves: bool,
    /// Some are explained by nothing else.
    pub(super) unexplained: bool,
    pub(super) inactive: Answer,
    /// Preferred, and who is active instead.
    pub(super) instead: Option<(Name, Name)>,
}

/// The names of instances for people: none where there is only one without a name.
pub(super) fn named(answer: &Answer) -> Vec<Name> {
    answer.yes.iter().filter(|name| !name.is_empty()).cloned().collect()
}

pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Group {
    /// Counts who is good and who is ready.
    pub(super) fn count(
        &self,
        of: &Redundancy,
        name: &Name,
        standings: &[Standing],
        context: &Context<'_>,
        tally: &mut Tally,
    ) {
        let Some(instance) = self.instances.get(name) else {
            return;
        };
        let is = |role: Role| standings.iter().filter(|s| **s == Standing::Is(role)).count();
        let (good, known_bad) = (is(Role::Active), is(Role::Standby) + is(Role::Failed));
        let none = match of.kind.counts() {
            true if count(standings.len() - known_bad) < of.need => Some(true),
            true => (count(good) >= of.need).then_some(false),
            false if good > 0 || is(Role::Alone) > 0 => Some(false),
            false => instance.none.filter(|d| d.sure).map(|_| true),
        };
        match none {
            Some(true) => {
                tally.none.yes.push(Name::clone(name));
                tally.good = Some(tally.good.unwrap_or(u32::MAX).min(count(good)));
                for (slot, standing) in self.slots.iter().zip(standings) {
                    tally.silent.extend(absence(*standing, true).map(|why| Missing {
                        member: Name::clone(&slot.label),
                        why,
                    }));
                }
            }
            Some(false) => {}
            None => tally.none.open = true,
        }
        self.count_ready(of, name, standings, none == Some(true), context, tally);
    }

    fn count_ready(
        &self,
        of: &Redundancy,
        name: &Name,
        standings: &[Standing],
        nobody: bool,
        context: &Context<'_>,
        tally: &mut Tally,
    ) {
        if !of.kind.tells_standby() {
            return;
        }
        let mut missing = Vec::new();
        let part = |at: usize| self.instances.get(name).is_some_and(|i| self.has_part(at, i));
        for (at, (slot, standing)) in self.slots.iter().zip(standings).enumerate() {
            if *standing == Standing::NotTold && !part(at) {
                continue;
            }
            missing.extend(absence(*standing, false).map(|why| match why {
                Absence::NotTold if slot.unit.is_some() => (at, slot, Absence::Gone),
                why => (at, slot, why),
            }));
        }
        let unknown = standings.contains(&Standing::Unknown);
        if missing.is_empty() || nobody {
            tally.lost.open |= unknown || nobody;
            tally.outage |= nobody;
            return;
        }
        let ready = standings
            .iter()
            .filter(|s| matches!(s, Standing::Is(Role::Active | Role::Standby)));
        let ready = match of.kind.counts() {
            true => standings.iter().filter(|s| **s == Standing::Is(Role::Active)).count(),
            false => ready.count(),
        };
        tally.lost.yes.push(Name::clone(name));
        tally.ready = Some(tally.ready.unwrap_or(u32::MAX).min(count(ready)));
        // One that is in no cluster carries the service by itself.
        let may_carry = |s: &&Standing| matches!(s, Standing::Unknown | Standing::Is(Role::Alone));
        let possible = ready + standings.iter().filter(may_carry).count();
        tally.possible = Some(tally.possible.unwrap_or(u32::MAX).min(count(possible)));
        for (at, slot, why) in missing {
            tally.themselves |= context.reach.node(slot.device).state != ReachState::Unreachable;
            let since = context.now.mono;
            let gap = self.missing_since.get(&at).copied();
            let gap = gap.unwrap_or(Gap { since, began: why });
            match context.explained(of, slot, why, gap) {
                Some(root) => drop(tally.roots.insert(root)),
                None => tally.unexplained = true,
            }
            tally.missing.insert(Missing {
                member: Name::clone(&slot.label),
                why,
            });
        }
    }

    /// Several active, and the preferred one not among them.
    pub(super) fn compare(
        &self,
        of: &Redundancy,
        name: &Name,
        standings: &[Standing],
        now: &ActiveNow,
        context: &Context<'_>,
        tally: &mut Tally,
    ) {
        let Some(instance) = self.instances.get(name) else {
            return;
        };
        match (now, &instance.both) {
            (ActiveNow::Several(who), Some(doubt)) if doubt.sure => {
                tally.both.yes.push(Name::clone(name));
                tally
                    .members
                    .extend(who.iter().map(|at| Name::clone(&self.slots[*at].label)));
            }
            (ActiveNow::Several(_), _) => tally.both.open = true,
            // A member that cannot be read may still be active.
            _ => tally.both.open |= standings.contains(&Standing::Unknown),
        }
        let preferred = of.preferred(name).filter(|_| !of.kind.counts());
        let Some(at) = preferred.and_then(|m| self.slots.iter().position(|s| s.member == m)) else {
            return;
        };
        let label = &self.slots[at].label;
        match (standings[at], now) {
            (Standing::Is(Role::Standby), ActiveNow::One(other)) if *other != at && is_up(of, at, self, context) => {
                tally.inactive.yes.push(Name::clone(name));
                tally.instead = Some((Name::clone(label), Name::clone(&self.slots[*other].label)));
            }
            (Standing::Is(Role::Active | Role::Failed | Role::Alone), _) | (Standing::DeviceDown, _) => {}
            _ => tally.inactive.open = true,
        }
    }
}

/// Why a member counts as missing, if it does. `idle`: one that waits counts, too.
pub(super) fn absence(standing: Standing, idle: bool) -> Option<Absence> {
    match standing {
        Standing::DeviceDown => Some(Absence::DeviceDown),
        Standing::NotTold => Some(Absence::NotTold),
        Standing::Is(Role::Failed) => Some(Absence::Failed),
        Standing::Is(Role::Alone) => Some(Absence::Alone),
        Standing::Is(Role::Standby) if idle => Some(Absence::Standby),
        Standing::Is(_) | Standing::Unknown => None,
    }
}

/// A route that is not in the table does not tell whether it could be: its next hop has to be known and up.
fn is_up(of: &Redundancy, at: usize, group: &Group, context: &Context<'_>) -> bool {
    let other = group.slots.get(at).and_then(|s| s.other);
    let up = |id: DeviceId| matches!(context.reach.node(id).state, ReachState::Up | ReachState::Lossy);
    of.kind != RedundancyKind::Route || other.is_some_and(up)
}
