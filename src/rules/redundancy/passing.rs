//! A role that changed hands and came back between two readings: only counters of transitions tell of it.
//!
//! The counter of the member that took the role and gave it back is the proof. The counter of the one that was known to be active
//! tells that it took the role again; that alone may be a protocol that was started anew. Where both count, one change is told once,
//! whichever of the two is read first; and nothing is said to be back before the one that should have it again was read.
//!
//! Never here: a switchover that a reading shows (that is `judge`), what becomes of one that is told (that is `moves`).

use super::state::{Group, Instance, View};
use crate::model::redundancy::Role;
use crate::model::{Mono, Redundancy};

/// What is known of a change that no reading shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Passing {
    /// A member became active while another was known to be.
    took: Option<Took>,
    /// The one that was known to be active became it again.
    again: Option<Again>,
}

#[derive(Clone, Debug, PartialEq)]
struct Again {
    asked: Mono,
    /// It was read as not active in between.
    seen: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Took {
    slot: usize,
    asked: Mono,
    /// It was read as active.
    seen: bool,
}

impl Passing {
    /// The slot that took the role more often than its readings show.
    pub(super) fn proven(&self) -> Option<usize> {
        self.took.as_ref().filter(|t| !t.seen).map(|t| t.slot)
    }
}

/// What a change in passing comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    Nothing,
    /// From the one that is active to this slot, and back.
    To(usize),
    /// These have to be read first.
    Wants(Vec<usize>),
}

/// Times that a member became active between two readings, and how many of them its roles show.
fn taken(before: &View, next: &View) -> Option<(i64, i64)> {
    if before.restarted(next) {
        return None;
    }
    let (from, to) = (before.transitions?, next.transitions?);
    let seen = i64::from(before.role? != Role::Active && next.role? == Role::Active);
    // A counter that fell began anew: nothing is said about what was before.
    Some(((to - from - i64::from(before.owed)).max(0), seen))
}

impl Group {
    /// Takes what a member's next reading tells beyond its role.
    pub(super) fn note_passing(&mut self, slot: usize, name: &str, before: &View, next: &View) {
        let label = &self.slots[slot].label;
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        let (times, seen) = taken(before, next).unwrap_or_default();
        let unseen = times > seen;
        if unseen || before.role != next.role && instance.none.is_some_and(|d| d.sure) {
            // Somebody had the role meanwhile, or may have it soon: that nobody has it has to be seen anew.
            instance.none = None;
        }
        let Some(active) = &instance.active else { return };
        let became = before.role.is_some_and(|r| r != Role::Active) && next.role == Some(Role::Active);
        let asked = next.asked;
        if active == label {
            let passing = &mut instance.passing;
            if times > 0 || became {
                let seen = !unseen;
                passing.again = Some(Again { asked, seen });
            }
            return;
        }
        let took = &mut instance.passing.took;
        if let Some(known) = took.as_mut().filter(|t| t.slot == slot && !t.seen && next.owed) {
            // Its counter told of it before its role did.
            known.seen = true;
            if let Some(view) = instance.views.get_mut(&slot) {
                view.owed = false;
            }
            return;
        }
        // The proof of a change that nobody saw is worth more than one that was seen.
        let better = took.as_ref().is_none_or(|t| t.seen && unseen);
        if better && (times > 0 || became) {
            let seen = !unseen;
            *took = Some(Took { slot, asked, seen });
        }
    }

    /// Another member (`to`) is active than before: was it there and back once more meanwhile?
    pub(super) fn more_than_seen(&self, of: &Redundancy, name: &str, instance: &Instance, to: usize) -> bool {
        let Passing { took, again } = &instance.passing;
        let again = again.as_ref().is_some_and(|a| !a.seen);
        let took = took.as_ref().filter(|t| t.slot == to);
        match of.kind.counts() {
            // The one that was left had the role again: only it can tell.
            false => again,
            // The preferred one came and went; or it was the one that was left, and the other one was good all the time.
            true if of.preferred(name) == Some(self.slots[to].member) => took.is_some_and(|t| !t.seen),
            true => again && took.is_none(),
        }
    }

    /// The member of `slot` was active before and is now: did another one have the role in between?
    pub(super) fn passed(&self, of: &Redundancy, name: &str, instance: &Instance, slot: usize) -> Passed {
        let Passing { took, again } = &instance.passing;
        let others = || (0..self.slots.len()).filter(|other| *other != slot);
        let role = |at: usize| instance.views.get(&at).and_then(|v| v.role);
        let read = |at: usize, since: Mono| instance.views.get(&at).is_some_and(|v| v.asked >= since);
        let since = |at: usize| instance.views.get(&at).map(|v| v.since);
        let lost_by = |at: usize| since(at).unwrap_or_default();
        let counts = |at: usize| instance.views.get(&at).is_some_and(|v| v.transitions.is_some());
        match (took, again) {
            (None, None) => Passed::Nothing,
            // Of members that are good each for itself its next reading is soon enough. Where both were read as active at once, only a reading
            // after the other one was seen to have lost the role tells whether this one ever gave it up.
            (Some(took), None) if !read(slot, took.asked) || took.seen && !read(slot, lost_by(took.slot)) => {
                match of.kind.counts() {
                    true => Passed::Wants(Vec::new()),
                    false => Passed::Wants(vec![slot]),
                }
            }
            // Of members that are good or not, each for itself, only the preferred one takes anything from the others.
            (Some(took), None) if of.kind.counts() => {
                let preferred = of.preferred(name) == Some(self.slots[took.slot].member);
                match preferred && !took.seen && role(slot) == Some(Role::Active) {
                    true => Passed::To(took.slot),
                    false => Passed::Nothing,
                }
            }
            (took, Some(again)) if of.kind.counts() => {
                // Another one stood in if it was good all the time, as its own reading since then says.
                let good = |other: &usize| role(*other) == Some(Role::Active);
                let gone = |other: &usize| took.as_ref().is_some_and(|t| t.slot == *other);
                match others().find(|other| good(other) && !gone(other)) {
                    Some(other) if !read(other, again.asked) => Passed::Wants(vec![other]),
                    Some(other) if since(other) <= Some(again.asked) => Passed::To(other),
                    _ => Passed::Nothing,
                }
            }
            (Some(took), Some(_)) => Passed::To(took.slot),
            // Read as active at once with the other one, which never gave it up.
            (Some(took), None) if took.seen => Passed::Nothing,
            (Some(took), None) => Passed::To(took.slot),
            (None, Some(again)) => {
                let mut unread: Vec<usize> = others().filter(|at| counts(*at) && !read(*at, again.asked)).collect();
                match (unread.is_empty(), others().any(counts)) {
                    (false, _) => {
                        // One that cannot be read now is waited for, not asked again and again.
                        unread.retain(|at| !self.slots[*at].silent);
                        Passed::Wants(unread)
                    }
                    (true, true) => Passed::Nothing,
                    (true, false) if again.seen => Passed::Nothing,
                    // Nobody else counts.
                    (true, false) => others().next().map_or(Passed::Nothing, Passed::To),
                }
            }
        }
    }
}
