//! One group: who is active in each instance, what is lost, and what of it is a finding.
//!
//! Every question has three answers: yes, no, and open. What is open neither begins a finding nor ends one.
//!
//! Never here: the life of a switchover (that is `moves`).

use super::moves::Shift;
use super::passing::{Passed, Passing};
use super::state::{Doubt, Gap, Group, Instance, Standing, Sure};
use super::tally::{Answer, Tally, absence, count, named};
use super::{Context, Redundancies};
use crate::model::redundancy::Role;
use crate::model::{DeviceId, FindingKey, FindingKind, FindingRule, Level, Mono, Name, Redundancy, RedundancyKind};
use crate::rules::{Cause, Note, RuleEffect};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Two reads that agree are at least this far apart.
const APART: Duration = Duration::from_secs(5);
/// Most contradictions are a change that is under way: after so long another look tells.
const SOON: Duration = Duration::from_secs(1);
/// Members that were asked for a read and did not give it are asked again after this.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Who is active in an instance now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ActiveNow {
    One(usize),
    Several(Vec<usize>),
    /// All say that they are not.
    Nobody,
    Unknown,
}

impl Redundancies {
    pub(super) fn judge_group(&mut self, g: usize, context: &mut Context<'_>) {
        let Some(of) = context.site.redundancy.get(g) else {
            return;
        };
        let group = &mut self.groups[g];
        group.forget_removed();
        let names: Vec<Name> = group.instances.keys().cloned().collect();
        group.note_missing(&names, context);
        let mut tally = Tally::default();
        let mut shifts = Vec::new();
        let mut asked: BTreeSet<DeviceId> = BTreeSet::new();
        let mut due = Mono::NEVER;
        for name in &names {
            let standings = group.standings(name, context);
            let now = active_now(of, group, name, &standings, context);
            group.doubt(of, name, &standings, &now, context, &mut asked, &mut due);
            group.count(of, name, &standings, context, &mut tally);
            group.compare(of, name, &standings, &now, context, &mut tally);
            shifts.append(&mut group.settle_active(of, name, &now, &standings, &mut asked));
        }
        for shift in &shifts {
            group.switchovers += if shift.counted { 2 } else { 1 };
        }
        group.tell_active(of, context);
        context.out.extend(asked.into_iter().map(RuleEffect::ProbeAgent));
        self.due.insert(g, due);
        self.findings(g, &tally, context);
        self.moved(g, shifts, context);
    }

    fn findings(&mut self, g: usize, tally: &Tally, context: &mut Context<'_>) {
        let Some(of) = context.site.redundancy.get(g) else {
            return;
        };
        let members: Vec<Name> = tally.members.iter().cloned().collect();
        let both = Cause::BothActive {
            instances: named(&tally.both),
            members,
        };
        context.decide(of, FindingKind::BothActive, &tally.both, both, Cause::OneActive);
        let none = Cause::NoneActive {
            good: tally.good.unwrap_or_default(),
            need: of.need,
            instances: named(&tally.none),
            missing: tally.silent.iter().cloned().collect(),
        };
        context.decide(of, FindingKind::NoneActive, &tally.none, none, Cause::ActiveAgain);
        let (preferred, active) = tally
            .instead
            .clone()
            .unwrap_or_else(|| (Name::from(""), Name::from("")));
        let inactive = Cause::PreferredInactive {
            preferred,
            active,
            instances: named(&tally.inactive),
        };
        context.decide(
            of,
            FindingKind::PreferredInactive,
            &tally.inactive,
            inactive,
            Cause::PreferredAgain,
        );
        self.redundancy_lost(g, tally, context);
    }

    /// A loss that another finding explains as a whole is listed in that finding's case: one fault, one page.
    fn redundancy_lost(&mut self, g: usize, tally: &Tally, context: &mut Context<'_>) {
        let Some(of) = context.site.redundancy.get(g) else {
            return;
        };
        let group = &mut self.groups[g];
        let configured = count(group.slots.len());
        let ready = tally.ready.unwrap_or(configured);
        let cause = Cause::RedundancyLost {
            ready,
            configured,
            instances: named(&tally.lost),
            missing: tally.missing.iter().cloned().collect(),
        };
        let key = FindingKey::of_redundancy(&of.name, FindingKind::RedundancyLost);
        if tally.lost.yes.is_empty() && !tally.lost.open {
            for root in std::mem::take(&mut group.noted).into_keys() {
                let change = context.conditions.speak_for_itself(&root, context.now);
                context.out.extend(change.map(RuleEffect::Finding));
            }
        }
        if tally.outage && tally.lost.yes.is_empty() && !context.conditions.raised(&key) {
            return context.end(&key, Cause::Unreachable);
        }
        let explained = !tally.roots.is_empty() && !tally.unexplained && !tally.lost.yes.is_empty();
        // That nobody is left is more than each of several faults says; of one fault it is what that fault says. Members that are all cut off
        // may be well: that they cannot be reached is what those faults say.
        let more = tally.possible == Some(0) && tally.roots.len() > 1 && tally.themselves;
        if explained && !context.conditions.raised(&key) && !more {
            context.end(&key, Cause::Unreachable);
            // What explains it neither lowers nor delays it.
            let rule = of.rule(FindingKind::RedundancyLost);
            let since = group.missing_since.values().map(|gap| gap.since).min();
            let since = since.unwrap_or(context.now.mono);
            let due = since + rule.after;
            if due > context.now.mono {
                let at = self.due.entry(g).or_insert(due);
                *at = (*at).min(due);
            }
            for root in tally.roots.clone() {
                if due <= context.now.mono {
                    let change = context.conditions.speak_for(&root, rule.level, context.now);
                    context.out.extend(change.map(RuleEffect::Finding));
                }
                // One that ended and holds again is another case, or a case that begins anew: it lists nothing yet.
                let since = context.conditions.get(&root).map_or(context.now.mono, |c| c.since);
                if group.noted.insert(root.clone(), since) != Some(since) {
                    let (key, cause) = (key.clone(), cause.clone());
                    context.out.push(RuleEffect::Note(Note { root, key, cause }));
                }
            }
            return;
        }
        let back = Cause::RedundancyBack { configured };
        context.decide(of, FindingKind::RedundancyLost, &tally.lost, cause, back);
        // Nobody can be expected to carry the service: worse than a loss of redundancy, though not proven to be an outage.
        let possible = tally.possible.unwrap_or(configured);
        let rule = of.rule(FindingKind::RedundancyLost);
        let level = match possible < of.need && rule.level > Level::Ok && !tally.lost.yes.is_empty() {
            true => Level::Critical,
            false => rule.level,
        };
        if !tally.lost.yes.is_empty() {
            let change = context.conditions.set_level(&key, level, context.now);
            context.out.extend(change.map(RuleEffect::Finding));
        }
    }
}

impl Context<'_> {
    pub(super) fn end(&mut self, key: &FindingKey, cause: Cause) {
        let change = self.conditions.end(key, cause, self.now);
        self.out.extend(change.map(RuleEffect::Finding));
    }

    /// Begins, goes on with or ends a finding of a group.
    fn decide(&mut self, of: &Redundancy, kind: FindingKind, answer: &Answer, cause: Cause, over: Cause) {
        let key = FindingKey::of_redundancy(&of.name, kind);
        if !answer.yes.is_empty() {
            let rule = of.rule(kind);
            let more = match kind {
                FindingKind::PreferredInactive => of.preempt_delay,
                _ => Duration::ZERO,
            };
            let rule = FindingRule {
                after: rule.after + more,
                ..rule
            };
            let at = self.now.mono;
            self.conditions.hold(key, rule, cause, at, at, self.now);
        } else if answer.open {
            self.conditions.pause(&key);
        } else {
            self.end(&key, over);
        }
    }
}

impl Group {
    /// Since when members are missing: what began long after that is not why.
    fn note_missing(&mut self, names: &[Name], context: &Context<'_>) {
        let mut missing = BTreeMap::new();
        let mut open = BTreeSet::new();
        for name in names {
            let standings = self.standings(name, context).into_iter().enumerate();
            for (at, standing) in standings {
                if standing == Standing::Unknown {
                    open.insert(at);
                } else if let Some(why) = absence(standing, false) {
                    missing.entry(at).or_insert(why);
                }
            }
        }
        self.missing_since
            .retain(|at, _| missing.contains_key(at) || open.contains(at));
        for (at, began) in missing {
            let since = context.now.mono;
            self.missing_since.entry(at).or_insert(Gap { since, began });
        }
    }

    fn standings(&self, name: &Name, context: &Context<'_>) -> Vec<Standing> {
        let Some(instance) = self.instances.get(name) else {
            return Vec::new();
        };
        let standing = |at| self.standing(at, instance, context.site, context.reach, context.now.mono);
        (0..self.slots.len()).map(standing).collect()
    }

    /// Looks at contradictions (several active, nobody active) until two reads of all members agree.
    #[allow(clippy::too_many_arguments)] // two outputs of a loop over instances
    fn doubt(
        &mut self,
        of: &Redundancy,
        name: &Name,
        standings: &[Standing],
        now: &ActiveNow,
        context: &Context<'_>,
        ask: &mut BTreeSet<DeviceId>,
        due: &mut Mono,
    ) {
        let slots = &self.slots;
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        let all: Vec<usize> = (0..slots.len()).collect();
        let several = match now {
            ActiveNow::Several(who) => Some(who.clone()),
            _ => None,
        };
        let nobody = (*now == ActiveNow::Nobody && !of.kind.counts()).then_some(all);
        // While a member cannot be read, what was seen stays in doubt.
        let open = standings.contains(&Standing::Unknown);
        let mut parted = None;
        for (doubt, who) in [(&mut instance.both, several), (&mut instance.none, nobody)] {
            let Some(who) = who else {
                if !open && doubt.take().is_some_and(|d| d.sure) && matches!(now, ActiveNow::One(_)) {
                    let asked = instance.views.values().map(|v| v.asked);
                    parted = asked.max();
                }
                continue;
            };
            let asked = || who.iter().filter_map(|at| instance.views.get(at)).map(|v| v.asked);
            let (oldest, newest) = (asked().min().unwrap_or_default(), asked().max().unwrap_or_default());
            let at = context.now.mono;
            let doubt = doubt.get_or_insert(Doubt {
                began: newest,
                once: None,
                ask_at: at,
                sure: false,
            });
            if doubt.once.is_none() && oldest >= doubt.began {
                (doubt.once, doubt.ask_at) = (Some(newest), newest + SOON);
            }
            if doubt.sure {
                continue;
            }
            doubt.sure = doubt.once.is_some_and(|once| oldest >= once + APART);
            if doubt.sure {
                // Both active: they do not see each other, nobody gave up his role to the other one. What counters tell later counts.
                // What counters have told before that is told.
                if matches!(now, ActiveNow::Several(_)) {
                    instance.passed_before = std::mem::take(&mut instance.passing);
                }
                continue;
            }
            if doubt.ask_at <= at {
                let second = doubt.once.map(|once| once + APART).filter(|second| *second > at);
                doubt.ask_at = second.unwrap_or(at + ASK_AGAIN);
                let wanted = doubt.once.map_or(doubt.began, |once| once + APART);
                let old = |at: &&usize| instance.views.get(at).is_none_or(|v| v.asked < wanted);
                ask.extend(who.iter().filter(old).map(|at| slots[*at].device));
            }
            *due = (*due).min(doubt.ask_at);
        }
        instance.parted = parted.or(instance.parted);
    }

    /// Remembers who is active; what has changed. `ask`: who has to be read before that can be said.
    fn settle_active(
        &mut self,
        of: &Redundancy,
        name: &Name,
        now: &ActiveNow,
        standings: &[Standing],
        ask: &mut BTreeSet<DeviceId>,
    ) -> Vec<Shift> {
        let before_both = self
            .instances
            .get_mut(name)
            .map(|i| std::mem::take(&mut i.passed_before));
        let (ActiveNow::One(at), Some(instance)) = (now, self.instances.get(name)) else {
            return before_both
                .and_then(|p| self.passed_before(name, &p))
                .into_iter()
                .collect();
        };
        let label = Name::clone(&self.slots[*at].label);
        let shift = |from: &Name, to: &Name, counted| Shift {
            instance: Name::clone(name),
            from: Name::clone(from),
            to: Name::clone(to),
            counted,
        };
        let before = instance.active.clone();
        let mut shifts = Vec::new();
        match before.filter(|before| *before != label) {
            Some(before) => {
                // Of members that are good each for itself the preferred one stands first, whatever the others are.
                let first = of.kind.counts() && of.preferred(name) == Some(self.slots[*at].member);
                let left = self.slots.iter().position(|s| s.label == before).filter(|_| !first);
                let sure = left.map_or(Sure::Yes, |left| instance.sure(of, (left, standings.get(left)), *at));
                // Both were active: that one of them was read as not active once does not make the other one the only one.
                let asked = left.and_then(|left| instance.views.get(&left)).map(|v| v.asked);
                let again = left.filter(|_| instance.parted.is_some_and(|parted| asked <= Some(parted)));
                let sure = match (sure, again) {
                    (Sure::Yes, Some(left)) if !self.slots[left].silent => Sure::Ask(left),
                    (sure, _) => sure,
                };
                match sure {
                    Sure::Yes => {}
                    Sure::Ask(slot) => {
                        ask.insert(self.slots[slot].device);
                        return shifts;
                    }
                    Sure::No => return shifts,
                }
                shifts.push(shift(&before, &label, false));
                if self.more_than_seen(of, name, instance, *at) {
                    shifts.push(shift(&label, &before, true));
                }
            }
            None => match self.passed(of, name, instance, *at) {
                Passed::Wants(slots) => {
                    ask.extend(slots.iter().map(|at| self.slots[*at].device));
                    return shifts;
                }
                Passed::To(other) => shifts.push(shift(&label, &self.slots[other].label, true)),
                Passed::Nothing => {}
            },
        }
        if let Some(instance) = self.instances.get_mut(name) {
            (instance.active, instance.passing) = (Some(label), Passing::default());
            instance.parted = None;
        }
        shifts
    }

    /// A change and back that a counter proves, before several became active: it is told although they are.
    fn passed_before(&self, name: &Name, passing: &Passing) -> Option<Shift> {
        let active = self.instances.get(name)?.active.as_ref()?;
        let to = &self.slots.get(passing.proven()?)?.label;
        (to != active).then(|| Shift {
            instance: Name::clone(name),
            from: Name::clone(active),
            to: Name::clone(to),
            counted: true,
        })
    }

    /// What the ledger does not know yet of who is active.
    fn tell_active(&mut self, of: &Redundancy, context: &mut Context<'_>) {
        let active = self.instances.iter();
        let active = active
            .filter_map(|(name, i)| Some((Name::clone(name), i.active.clone()?)))
            .collect();
        if active != self.told {
            context
                .out
                .push(RuleEffect::Active(Name::clone(&of.name), Clone::clone(&active)));
            self.told = active;
        }
    }
}

fn active_now(of: &Redundancy, group: &Group, name: &Name, standings: &[Standing], context: &Context<'_>) -> ActiveNow {
    if of.kind.counts() {
        return first_good(of, group, name, standings, context);
    }
    let active: Vec<usize> = (0..standings.len())
        .filter(|at| standings[*at] == Standing::Is(Role::Active))
        .collect();
    match active[..] {
        [] => {
            // One that is in no cluster carries what is its own.
            let known = |s: &Standing| matches!(s, Standing::Is(Role::Active | Role::Standby | Role::Failed));
            let part = |at: usize| group.instances.get(name).is_some_and(|i| group.has_part(at, i));
            let all = !standings.is_empty() && (0..standings.len()).all(|at| known(&standings[at]) || !part(at));
            if all { ActiveNow::Nobody } else { ActiveNow::Unknown }
        }
        [one] => ActiveNow::One(one),
        [first, ..] if of.kind == RedundancyKind::Route => {
            // Two next hops at once share the load.
            let is = |label: Option<&Name>| active.iter().copied().find(|at| Some(&group.slots[*at].label) == label);
            let preferred = of.preferred(name).and_then(|m| group.label(m));
            let before = group.instances.get(name).and_then(|i: &Instance| i.active.as_ref());
            ActiveNow::One(is(preferred).or_else(|| is(before)).unwrap_or(first))
        }
        _ => ActiveNow::Several(active),
    }
}

/// Of a group that counts, the first good member in the order of preference, once all before it are known not to be good.
fn first_good(of: &Redundancy, group: &Group, name: &Name, standings: &[Standing], context: &Context<'_>) -> ActiveNow {
    let Some(preferred) = of.preferred(name) else {
        return ActiveNow::Unknown;
    };
    let mut order: Vec<usize> = (0..group.slots.len()).collect();
    order.sort_by_key(|at| group.slots[*at].member != preferred);
    for at in order {
        match standings[at] {
            Standing::Is(Role::Active) => return ActiveNow::One(at),
            // One that answers again, and is not believed to be back yet, may be good again.
            Standing::DeviceDown if context.reach.node(group.slots[at].device).good_rounds > 0 => {
                return ActiveNow::Unknown;
            }
            Standing::Is(_) | Standing::DeviceDown => {}
            Standing::NotTold | Standing::Unknown => return ActiveNow::Unknown,
        }
    }
    ActiveNow::Nobody
}
