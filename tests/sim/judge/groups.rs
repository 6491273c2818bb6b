//! The end of a story with redundancy groups: was every switchover told, once, in time, and nothing that did not happen?
//!
//! Written from the design (section 4) and the words of the task: "every switchover, including one that flips back between two polls where
//! the agent has a transition counter, is reported once; redundancy lost and regained alternate".
//!
//! Never here: the product's state.

use super::super::town::groups::Ring;
use super::super::world::World;
use super::history::{History, Tells, Time, behind, both, merged, none, ready};
use super::redundancy::{Sayings, Spell};
use super::*;

/// What is asked of a device is here, and said.
const SLACK: At = 5 * SECOND;
/// Loss of redundancy is told after this; of sessions, the loss of the service.
const LOST: At = 60 * SECOND;
const SESSIONS: At = 90 * SECOND;
/// Two reads that agree.
const APART: At = 5 * SECOND;
/// The preferred side may take so long.
const BEHIND: At = 300 * SECOND;
/// Notices of one incident of a group, to all contacts together.
const NOTICES: u32 = 30;

/// Everything about one group.
pub(super) struct Of<'a> {
    pub(super) g: usize,
    pub(super) ring: &'a Ring,
    pub(super) history: &'a History,
    pub(super) sayings: &'a Sayings,
    /// Between two readings, and until the second is here.
    pub(super) read: At,
    /// How much longer two rounds take that look for all tables anew, one after the other: some sixty round trips.
    pub(super) walk: At,
    /// From a trap until what it made hinomi look at is told; none if traps may be lost.
    pub(super) hint: Option<At>,
    /// How long its device may be taken for dead.
    pub(super) gone: At,
    /// When something could not be seen.
    pub(super) hidden: Vec<Time>,
    pub(super) devices: &'a [hinomi::model::Device],
    pub(super) ends: At,
    pub(super) wrongs: Vec<String>,
}

/// Judges all groups.
pub(super) fn judge(world: &mut World) {
    let plot = &world.plot;
    if plot.town.rings.is_empty() {
        return;
    }
    let history = History::of(plot);
    let lossy = plot
        .acts
        .iter()
        .any(|(_, a)| matches!(a, super::super::plot::Act::Loss(p) | super::super::plot::Act::LossOn(_, p) if *p > 0));
    let devices = &plot.town.site.devices;
    let mut wrongs = Vec::new();
    for (g, ring) in history.rings.iter().enumerate() {
        let of =
            |f: fn(&hinomi::model::Device) -> At| ring.seats.iter().map(|s| f(&devices[s.device])).max().unwrap_or(0);
        let interval = of(|d| micros(d.poll.interval));
        // What every make tells in its own way is looked for once a minute while no table of it is there.
        let tables = plot
            .acts
            .iter()
            .any(|(_, a)| matches!(a, super::super::plot::Act::Tables(..)));
        let patient = ring.kind == hinomi::model::RedundancyKind::Ha && tables;
        let mut judged = Of {
            g,
            ring,
            history: &history,
            sayings: &world.judge.sayings,
            read: interval
                + SLACK
                + if lossy { interval + 15 * SECOND } else { 0 }
                + if patient { 95 * SECOND } else { 0 },
            walk: (60 * plot.latency).saturating_sub(SLACK),
            // Rows that have moved are walked first: more round trips.
            hint: (!lossy && plot.latency < 100_000 && !plot.mixed).then_some(2 * SECOND + 12 * plot.latency),
            gone: of(|d| micros(d.poll.detection())) + 20 * SECOND,
            hidden: world.judge.hidden(ring, None),
            devices,
            ends: plot.ends,
            wrongs: Vec::new(),
        };
        judged.tellings_are_true();
        judged.switchovers_are_told();
        judged.findings_are_true();
        judged.findings_are_told(&world.judge);
        judged.ends_are_right();
        wrongs.append(&mut judged.wrongs);
    }
    for (id, case) in &world.judge.cases {
        if case.root.kind.is_of_redundancy() && case.notices > NOTICES {
            wrongs.push(format!("#{id} {} made {} notices", case.root, case.notices));
        }
    }
    wrongs.into_iter().for_each(|w| world.judge.wrong(w));
}

/// Seconds, for people.
pub(super) fn s(at: At) -> f64 {
    at as f64 / 1e6
}

impl Judge {
    /// When something of a group could not be seen, and until it is believed again. `except`: whatever this device does.
    fn hidden(&self, ring: &Ring, except: Option<usize>) -> Vec<Time> {
        let devices: BTreeSet<usize> = ring.seats.iter().map(|s| s.device).collect();
        let of = |d: &usize| {
            let lag = self.lag[*d];
            self.sayings
                .unread(*d)
                .into_iter()
                .map(move |(from, to)| (from, to + lag))
                .collect::<Vec<Time>>()
        };
        merged(devices.iter().filter(|d| Some(**d) != except).flat_map(of).collect(), 0)
    }
}

impl Of<'_> {
    pub(super) fn wrong(&mut self, what: String) {
        self.wrongs.push(format!("{}: {what}", self.ring.name));
    }

    /// Everything could be seen all the time.
    pub(super) fn clear(&self, from: At, to: At) -> bool {
        from > 60 * SECOND && to <= self.ends && !self.hidden.iter().any(|(a, b)| *a < to && from < *b)
    }

    /// What is told at `at` may rest on what has been since then.
    pub(super) fn back_to(&self, at: At) -> At {
        let mut from = at.saturating_sub(self.read);
        for (a, b) in self.hidden.iter().rev() {
            if *a < at && from < *b {
                from = from.min(a.saturating_sub(self.read));
            }
        }
        from
    }

    pub(super) fn instance(&self, name: &str) -> Option<usize> {
        self.ring.instances.iter().position(|i| **i == *name)
    }

    pub(super) fn spells(&self, kind: FindingKind) -> Vec<Spell> {
        self.sayings
            .spells
            .get(&(self.ring.name.clone(), kind))
            .cloned()
            .unwrap_or_default()
    }

    fn each(&self, holds: impl Fn(usize, &[Tells]) -> bool) -> Vec<Vec<Time>> {
        let instances = 0..self.ring.instances.len();
        instances
            .map(|i| self.history.when(self.g, i, |t| holds(i, t)))
            .collect()
    }

    /// When each kind of finding is true, for any instance, and after how long it is told.
    fn truths(&self) -> Vec<(FindingKind, Vec<Vec<Time>>, At)> {
        let ring = self.ring;
        let lost = self.each(|_, t| t.iter().any(|t| !ready(ring, *t)));
        let nobody = match ring.kind {
            hinomi::model::RedundancyKind::Bgp => SESSIONS,
            hinomi::model::RedundancyKind::Lag => 0,
            _ => APART,
        };
        vec![
            (FindingKind::RedundancyLost, lost, LOST),
            (FindingKind::BothActive, self.each(|_, t| both(ring, t)), APART),
            (FindingKind::NoneActive, self.each(|_, t| none(ring, t)), nobody),
            (
                FindingKind::PreferredInactive,
                self.each(|i, t| behind(ring, i, t)),
                BEHIND,
            ),
        ]
    }

    /// Whatever is said was true for as long as it must be.
    fn findings_are_true(&mut self) {
        for (kind, each, least) in self.truths() {
            // What lasts over a reading seems to last; a contradiction must be one.
            let gap = if matches!(kind, FindingKind::BothActive) {
                0
            } else {
                self.read
            };
            let certain = merged(each.into_iter().flatten().collect(), gap);
            // While a member does not tell, what was begun goes on.
            let open = self.history.ever(self.g, |_, t| t.contains(&Tells::Nothing));
            let mut all = merged(certain.iter().copied().chain(open).collect(), gap);
            all.retain(|(from, to)| certain.iter().any(|(a, b)| from <= a && b <= to));
            for spell in self.spells(kind) {
                let since = self.back_to(spell.from);
                let clear = self.clear(spell.from.saturating_sub(least + self.read), spell.from);
                let fits = |(from, to): &Time| match clear {
                    true => from + least <= spell.from + SECOND / 5 && *to >= since,
                    false => *from <= spell.from && *to >= since.saturating_sub(least),
                };
                if !all.iter().any(fits) {
                    let near = all.iter().rfind(|(from, _)| *from <= spell.from);
                    self.wrong(format!(
                        "at {:.1} s #{} says {kind:?}, which was true {:?} last",
                        s(spell.from),
                        spell.incident,
                        near.map(|(a, b)| (s(*a), s(*b)))
                    ));
                }
            }
        }
        self.missing_are_missing();
    }

    /// Members that are named are those that are not ready.
    fn missing_are_missing(&mut self) {
        for spell in self.spells(FindingKind::RedundancyLost) {
            let Some(Cause::RedundancyLost { missing, .. }) = &spell.causes[0] else {
                continue;
            };
            let since = self.back_to(spell.from).saturating_sub(LOST);
            for one in missing {
                let Some(m) = self.ring.seat(&one.member) else {
                    self.wrong(format!("{} is missing and no member", one.member));
                    continue;
                };
                let all = self.history.ever(self.g, |_, t| !ready(self.ring, t[m]));
                // What is cut off does not answer, whatever it is.
                let unread = self.sayings.unread(self.ring.seats[m].device);
                let mut missing = all.iter().chain(&unread);
                if !missing.any(|(from, to)| *from <= spell.from && *to >= since) {
                    self.wrong(format!(
                        "at {:.1} s {} is said to be missing and is ready",
                        s(spell.from),
                        one.member
                    ));
                }
            }
        }
    }

    /// Whatever has been true for long enough is said.
    fn findings_are_told(&mut self, judge: &Judge) {
        for (kind, each, least) in self.truths() {
            let each = match kind {
                // Where the service is lost, that is said.
                FindingKind::RedundancyLost => {
                    self.each(|_, t| t.iter().any(|t| !ready(self.ring, *t)) && !none(self.ring, t))
                }
                _ => each,
            };
            // Nobody reads that it was well for a moment.
            let seen = merged(each.iter().flatten().copied().collect(), self.read);
            let since = |all: &[Time], at: At| all.iter().find(|(a, b)| *a <= at && at < *b).map_or(at, |(a, _)| *a);
            // What was listed for a fault stays listed while nobody at all is active.
            let away = merged(
                self.each(|_, t| t.iter().any(|t| !ready(self.ring, *t))).concat(),
                self.read,
            );
            for (from, to) in each.into_iter().flatten() {
                let by = from + least + self.read + if least == APART { 10 * SECOND } else { 0 };
                if to > by && self.clear(from, by) && !self.is_said(kind, since(&seen, from), since(&away, from), by) {
                    self.wrong(format!(
                        "{kind:?} from {:.1} to {:.1} s was not told by {:.1} s",
                        s(from),
                        s(to),
                        s(by)
                    ));
                }
            }
        }
        self.dead_are_missing(judge);
    }

    fn holds(&self, kind: FindingKind, from: At, by: At) -> bool {
        self.spells(kind)
            .iter()
            .any(|s| s.from <= by && s.to.is_none_or(|to| to >= by.min(s.from.max(from))))
    }

    /// Told since `from`, or listed since `away`.
    fn is_said(&self, kind: FindingKind, from: At, away: At, by: At) -> bool {
        let listed = |(group, at, _): &(Name, At, u64)| *group == self.ring.name && away <= *at && *at <= by;
        let lost = kind == FindingKind::RedundancyLost;
        self.holds(kind, from, by)
            || lost && (self.sayings.noted.iter().any(listed) || self.holds(FindingKind::NoneActive, from, by))
    }

    /// A member whose device is dead is missing: said in the device's case, or by itself.
    fn dead_are_missing(&mut self, judge: &Judge) {
        for m in 0..self.ring.seats.len() {
            let device = self.ring.seats[m].device;
            let hidden = judge.hidden(self.ring, Some(device));
            for (from, to) in self.history.ever(self.g, |_, t| t[m] == Tells::Dead) {
                let by = from + self.gone + LOST + self.read;
                let clear = from > 120 * SECOND && !hidden.iter().any(|(a, b)| *a < by && from < *b);
                let alone = self.ring.seats.iter().all(|s| s.device == device);
                let answers = self.devices[device].liveness == hinomi::model::Liveness::Echo;
                // It may have been cut off before, and be listed for that.
                let cut = self.sayings.unread(device);
                let cut = cut
                    .iter()
                    .find(|(a, b)| *a <= from && from < *b)
                    .map_or(from, |(a, _)| *a);
                let seen = cut.saturating_sub(200 * SECOND);
                // Of a device that was back too briefly to be believed the case has gone on, and what it lists is still listed.
                let lasts = |id: &u64, at: At| judge.cases.get(id).is_some_and(|c| c.lasts(at, from));
                let noted = |(group, at, id): &(Name, At, u64)| {
                    *group == self.ring.name && *at <= by && (seen <= *at || lasts(id, *at))
                };
                if to > by
                    && clear
                    && answers
                    && !alone
                    && !self.sayings.noted.iter().any(noted)
                    && !self.holds(FindingKind::RedundancyLost, seen, by)
                    && !self.holds(FindingKind::NoneActive, seen, by)
                {
                    self.wrong(format!(
                        "{} is dead from {:.1} s, and redundancy is not said to be lost by {:.1} s",
                        self.ring.seats[m].label,
                        s(from),
                        s(by)
                    ));
                }
            }
        }
    }

    /// What is over is said to be over, in time and not before.
    fn ends_are_right(&mut self) {
        for (kind, each, _) in self.truths() {
            // Of two members that are lost one after the other each is read in its time: the one that is back, and not yet the next one.
            let of_one: Vec<Time> = match kind {
                FindingKind::RedundancyLost => (0..self.ring.seats.len())
                    .flat_map(|m| self.each(|_, t| !ready(self.ring, t[m])).concat())
                    .collect(),
                _ => each.iter().flatten().copied().collect(),
            };
            let all = merged(each.into_iter().flatten().collect(), 0);
            let open = self.history.ever(self.g, |_, t| t.contains(&Tells::Nothing));
            // Roles that change hands right after that: each was read as active in its own time, and so it seems to go on.
            let swaps = (0..self.ring.instances.len()).flat_map(|i| self.history.handovers(self.g, i));
            let swaps: Vec<At> = swaps
                .map(|h| h.at)
                .filter(|_| kind == FindingKind::BothActive)
                .collect();
            let swapped = |to: At| {
                swaps
                    .iter()
                    .copied()
                    .filter(|at| to < *at && *at <= to + self.read)
                    .max()
            };
            let goes_on = all.iter().filter_map(|(_, to)| Some((*to, swapped(*to)?)));
            let maybe = merged(all.iter().copied().chain(open).chain(goes_on).collect(), self.read);
            for spell in self.spells(kind) {
                let Some(at) = spell.to else { continue };
                let since = at.saturating_sub(self.read);
                if self.clear(since, at) && of_one.iter().any(|(from, to)| *from < since && *to > at) {
                    self.wrong(format!(
                        "at {:.1} s #{} {kind:?} ended, and is true",
                        s(at),
                        spell.incident
                    ));
                }
                // The time that it is not true any more, and stays so.
                let over = maybe
                    .iter()
                    .filter(|(from, _)| *from <= at)
                    .map(|(_, to)| *to)
                    .max()
                    .unwrap_or(0)
                    .max(spell.from);
                if at > over + self.read && self.clear(over, over + self.read) {
                    self.wrong(format!(
                        "#{} {kind:?} was over at {:.1} s and ended at {:.1} s",
                        spell.incident,
                        s(over),
                        s(at)
                    ));
                }
            }
        }
        self.switched_back();
    }
}
