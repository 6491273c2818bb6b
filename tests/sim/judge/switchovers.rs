//! Switchovers in the judgement of a story: each that happened is told once and in time, each that is told happened, and one is over when
//! the right side has been active for long enough.
//!
//! Never here: other findings of a group (`groups`).

use super::groups::{Of, s};
use super::history::{Handover, Tells, Time, none, ready};
use super::redundancy::{Spell, Telling};
use super::*;

/// A switchover is over when the right side has been active for so long.
const OVER: At = 300 * SECOND;
/// Where nobody is preferred, the new side is the right one after this.
const SETTLED: At = 1_800 * SECOND;

impl Of<'_> {
    fn own(&self) -> Vec<Telling> {
        let own = |t: &&Telling| t.group == self.ring.name;
        self.sayings.tellings.iter().filter(own).cloned().collect()
    }

    /// Each one told is one that happened, and none is told twice.
    pub(super) fn tellings_are_true(&mut self) {
        let mut used: BTreeSet<(usize, usize, At)> = BTreeSet::new();
        for telling in self.own() {
            let (Some(i), Some(from), Some(to)) = (
                self.instance(&telling.instance),
                self.ring.seat(&telling.from),
                self.ring.seat(&telling.to),
            ) else {
                self.wrong(format!("told of something that does not exist: {telling:?}"));
                continue;
            };
            let since = self.nobody_since(i, self.back_to(telling.at.saturating_sub(self.walk)));
            // Where the new one stays active it has lost the role to the other one meanwhile.
            let taker = if telling.counted && !telling.back { from } else { to };
            let takes = self.history.takes(self.g, i, taker);
            let in_time = |at: At| since <= at && at <= telling.at;
            // What is told by a counter is that the other one took the role, whether or not the first one gave it up for that time.
            // Whether one that cannot be read gave it up nobody can know.
            let unread = |m: usize| self.sayings.unread(self.ring.seats[m].device);
            let silent = |m: usize| unread(m).iter().any(|(a, b)| *a <= telling.at && *b >= since);
            let gives = self.history.gives(self.g, i, from);
            let elected = !self.ring.counted();
            let took = |h: &Handover| takes.iter().copied().rfind(|at| *at <= h.at).unwrap_or(h.at);
            let took = |h: &Handover| if elected { took(h) } else { h.at };
            let mut happened: Vec<At> = match (telling.counted || silent(from)) && elected {
                true => takes.iter().copied().filter(|at| in_time(*at)).collect(),
                false => {
                    // That the preferred one is back is what its counter counts.
                    let counted = |h: &Handover| telling.counted && in_time(h.until);
                    let fits = |h: &&Handover| h.from == from && h.to == to && (in_time(h.at) || counted(h));
                    self.history
                        .handovers(self.g, i)
                        .iter()
                        .filter(fits)
                        .map(took)
                        .collect()
                }
            };
            // Nor can anybody know when one that cannot be read took it.
            // One whose agent has no table tells nothing either, and the counter of the other one tells that it took the role again.
            let untold = self.history.when(self.g, i, |t| t[to] == Tells::Nothing);
            let untold = |at: At| telling.counted && untold.iter().any(|(a, b)| *a <= at && at < *b);
            let unseen = gives.into_iter();
            let unseen = unseen.filter(|at| elected && in_time(*at) && (silent(to) || untold(*at)));
            happened.extend(unseen);
            match happened.iter().find(|at| !used.contains(&(i, taker, **at))) {
                Some(at) => drop(used.insert((i, taker, *at))),
                None => {
                    let twice = !happened.is_empty();
                    let what = if twice { "is told twice" } else { "did not happen" };
                    self.wrong(format!(
                        "at {:.1} s #{}: the switchover from {} to {} ({:?}{}) {what}",
                        s(telling.at),
                        telling.incident,
                        telling.from,
                        telling.to,
                        telling.instance,
                        if telling.counted { ", by counters" } else { "" },
                    ));
                }
            }
        }
    }

    /// Who is right in an instance, as long as nothing else is told.
    fn is_right(&self, i: usize, to: usize, before: &[Handover]) -> bool {
        match self.ring.preferred[i] {
            Some(m) => m == to,
            // Nobody is preferred: back to where the last one came from.
            None => before.iter().next_back().is_some_and(|h| h.from == to),
        }
    }

    /// Each one that happened is told, unless it brought back what is right.
    pub(super) fn switchovers_are_told(&mut self) {
        let tellings = self.own();
        for i in 0..self.ring.instances.len() {
            let all = self.history.handovers(self.g, i);
            for (n, h) in all.iter().enumerate() {
                if self.is_right(i, h.to, &all[..n]) {
                    continue;
                }
                let device = self.ring.seats[h.from].device;
                let dead = self
                    .history
                    .steps(self.g, i)
                    .iter()
                    .any(|step| step.from <= h.at && h.at < step.to && step.tells[h.from] == Tells::Dead);
                let reboots = |(at, d): &(At, usize)| {
                    self.ring.seats.iter().any(|s| s.device == *d) && h.at < at + self.read && *at < h.until + self.read
                };
                let back = self.is_back(i, h) && !self.history.reboots.iter().any(reboots);
                let counts = self.ring.table.counts() && back && self.all_tell(i, h);
                // Who was active before was read, too.
                let stays = h.until - h.at > self.read && h.at - h.since > self.read;
                // Members that are good each for itself: the other one does not tell that this one is gone.
                let stays = stays && (!dead || !self.ring.counted() || h.until - h.at > self.read + self.gone);
                // Of members that are good each for itself only the counter of the one that is back tells of a short absence.
                let shows = if counts && !stays && self.ring.counted() {
                    h.until
                } else {
                    h.at
                };
                let by = shows + self.read + if dead { self.gone } else { 0 };
                let by = self.hinted(i, h).filter(|_| !dead).unwrap_or(by);
                let seen = if dead {
                    self.clear_but_for(device, h.at, by)
                } else {
                    self.clear(h.at.saturating_sub(self.read), by)
                };
                if !(counts || stays) || !seen {
                    continue;
                }
                let (from, to) = (&self.ring.seats[h.from].label, &self.ring.seats[h.to].label);
                let told = |t: &Telling| {
                    let there = t.from == *from && t.to == *to;
                    // There and back is both.
                    let back = t.counted && t.from == *to && t.to == *from;
                    t.instance == self.ring.instances[i] && (there || back) && h.at <= t.at && t.at <= by
                };
                if !tellings.iter().any(told) {
                    self.wrong(format!(
                        "the switchover from {from} to {to} ({:?}) at {:.1} s, until {:.1} s, was not told by {:.1} s",
                        self.ring.instances[i],
                        s(h.at),
                        s(h.until),
                        s(by)
                    ));
                }
            }
        }
    }

    /// By when a trap of the new one makes it told.
    fn hinted(&self, i: usize, h: &Handover) -> Option<At> {
        let (hint, device) = (self.hint?, self.ring.seats[h.to].device);
        let stays = h.until > h.at + 2 * hint && h.at > h.since + self.read;
        // Both may be active for a moment: then the first look is too early. A trap of something else before that shows nothing.
        let took = self.history.takes(self.g, i, h.to).into_iter().rfind(|at| *at <= h.at);
        let took = took.unwrap_or(h.at).max(h.at.saturating_sub(SECOND));
        let trap = self.history.trap(device, took, h.at + SECOND)?;
        let early = if trap < h.at { SECOND } else { 0 };
        (stays && !self.ring.counted()).then_some(trap.max(h.at) + hint + early)
    }

    /// It was there and back, as counters can tell: of members that are good or not each for itself, the other one has to be good all the
    /// time.
    fn is_back(&self, i: usize, h: &Handover) -> bool {
        let active = |t: &[Tells]| self.history.active(self.g, i, t);
        let mut after = self.history.steps(self.g, i).iter().filter(|s| s.from >= h.until);
        let back = after.find_map(|s| Some((s.from, active(&s.tells)?)));
        let good = |t: &[Tells]| ready(self.ring, t[h.to]);
        let (from, to) = (h.at.saturating_sub(self.read), h.until + self.read);
        let stays = self
            .history
            .when(self.g, i, good)
            .iter()
            .any(|(a, b)| *a <= from && to <= *b);
        // One of two that were active at once has taken nothing when the other one gives up.
        let takes = self.history.takes(self.g, i, h.to);
        let took = takes.iter().any(|at| *at <= h.at && h.at <= at + SECOND);
        let proven = if self.ring.counted() { stays } else { took };
        // Nothing is said to be back before it was read; that nobody has it is told instead.
        let nobody = self.history.when(self.g, i, |t| none(self.ring, t));
        let lost = |(a, b): &Time| h.until <= *a && *a <= h.until + self.read && b - a > self.read;
        back.is_some_and(|(at, who)| who == h.from && at <= h.until + SECOND) && proven && !nobody.iter().any(lost)
    }

    /// No table of roles was gone before or after.
    fn all_tell(&self, i: usize, h: &Handover) -> bool {
        let gone = self.history.when(self.g, i, |t| t.contains(&Tells::Nothing));
        !gone
            .iter()
            .any(|(a, b)| *a < h.until + self.read && h.at < b + self.read)
    }

    /// The same, whatever this device does.
    fn clear_but_for(&self, device: usize, from: At, to: At) -> bool {
        let others = self.ring.seats.iter().filter(|s| s.device != device);
        let unread = others.flat_map(|s| self.sayings.unread(s.device));
        let lag = self.gone + 120 * SECOND;
        // It was seen before.
        let own = self
            .sayings
            .unread(device)
            .into_iter()
            .filter(|(a, _)| *a + 10 * SECOND < from);
        let mut all = unread.chain(own).map(|(a, b)| (a, b + lag));
        from > 60 * SECOND && to <= self.ends && !all.any(|(a, b)| a < to && from < b)
    }

    /// While nobody is the one that is active, nobody has taken over for good.
    fn nobody_since(&self, i: usize, at: At) -> At {
        let nobody = self
            .history
            .when(self.g, i, |t| self.history.active(self.g, i, t).is_none());
        let around = nobody.iter().find(|(from, to)| *from <= at + self.read && at <= *to);
        around.map_or(at, |(from, _)| at.min(from.saturating_sub(self.read)))
    }

    /// A switchover ends when the right side has been active for five minutes; where nobody is preferred, after half an hour.
    pub(super) fn switched_back(&mut self) {
        for spell in self.spells(FindingKind::SwitchedOver) {
            let (Some(at), Some(Cause::SwitchedBack { moved })) = (spell.to, &spell.causes[1]) else {
                continue;
            };
            for m in moved.iter().filter(|m| m.group == self.ring.name) {
                let (Some(from), since) = (self.ring.seat(&m.from), at.saturating_sub(OVER)) else {
                    continue;
                };
                for name in &m.instances {
                    let Some(i) = self.instance(name) else { continue };
                    let right = self.ring.preferred[i].unwrap_or(from);
                    let active = |t: &[Tells]| self.history.active(self.g, i, t);
                    let away = self.history.when(self.g, i, |t| active(t).is_some_and(|a| a != right));
                    let seen = |(a, b): &&Time| {
                        b - a > self.read && *b > since + self.read && *a < at.saturating_sub(self.read)
                    };
                    if let Some((a, b)) = away.iter().find(seen).filter(|_| self.clear(since, at)) {
                        self.wrong(format!(
                            "at {:.1} s #{} is said to have switched back for five minutes ({name:?}), but the other side was active from {:.1} to {:.1} s",
                            s(at),
                            spell.incident,
                            s(*a),
                            s(*b)
                        ));
                    }
                }
            }
        }
        let settled = |spell: &Spell| match (&spell.causes[1], spell.to) {
            (Some(Cause::SwitchoverSettled { .. }), Some(to)) => to < spell.from + SETTLED.saturating_sub(self.read),
            _ => false,
        };
        if let Some(early) = self.spells(FindingKind::SwitchedOver).iter().find(|s| settled(s)) {
            self.wrong(format!(
                "#{} is said to have settled after less than half an hour",
                early.incident
            ));
        }
    }
}
