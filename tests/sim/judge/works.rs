//! Planned work: what a window keeps quiet, and what is told after it.
//!
//! Written from the design: a window mutes what it names and what has every path through it; redundancy lost by a named member is expected;
//! service lost, both active, blind and a fault of the surviving member always notify. After its end ten minutes of settling, then what
//! is still bad is told.
//!
//! Never here: who would be told (`notices`).

use super::super::plot::Act;
use super::super::town::Town;
use super::super::town::groups::Ring;
use super::*;
use hinomi::rules::Moved;

/// After the end of a window things get so long to come back.
const SETTLING: At = 600 * SECOND;
/// Windows begin and end on whole minutes.
const MINUTE: At = 60 * SECOND;

/// One window, with what it covers.
#[derive(Clone, Debug)]
pub(super) struct Work {
    from: At,
    /// With the time of settling.
    to: At,
    devices: BTreeSet<usize>,
}

/// All windows of a plot.
pub(super) fn all(plot: &Plot) -> Vec<Work> {
    let works = plot.acts.iter().filter_map(|(at, act)| match act {
        Act::Work(named, lasts) => Some((*at, named, *lasts)),
        _ => None,
    });
    works
        .map(|(at, named, lasts)| Work {
            from: at,
            to: at + lasts + SETTLING,
            devices: covered(&plot.town, named),
        })
        .collect()
}

/// What is named, and what has every path through it.
fn covered(town: &Town, named: &[usize]) -> BTreeSet<usize> {
    let mut all: BTreeSet<usize> = named.iter().copied().collect();
    loop {
        let behind = |i: &usize| {
            let parents = &town.device(*i).parents;
            !all.contains(i) && !parents.is_empty() && parents.iter().all(|p| all.contains(&p.index()))
        };
        let more: Vec<usize> = (0..town.tiers.len()).filter(behind).collect();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

impl Judge {
    /// Is an incident kept quiet by planned work at this time? `None`: a window begins or ends just now.
    pub(super) fn quiet(&self, id: u64, at: At, plot: &Plot) -> Option<bool> {
        let Some(case) = self.cases.get(&id) else {
            return Some(false);
        };
        let told = matches!(
            case.root.kind,
            FindingKind::Blind
                | FindingKind::RouteNotReady
                | FindingKind::LastRouteLost
                | FindingKind::LedgerFailed
                | FindingKind::NoneActive
                | FindingKind::BothActive
        );
        let mut quiet = false;
        for work in self.works.iter().filter(|w| !told && self.explains(w, case, plot)) {
            let near = |edge: At| at.abs_diff(edge) <= MINUTE;
            if near(work.from) || near(work.to) {
                return None;
            }
            quiet |= work.from <= at && at < work.to;
        }
        Some(quiet)
    }

    fn explains(&self, work: &Work, case: &Case, plot: &Plot) -> bool {
        let Part::Redundancy(group) = &case.root.part else {
            return case.target.is_some_and(|i| work.devices.contains(&i));
        };
        let Some(ring) = plot.town.rings.iter().find(|r| r.name == *group) else {
            return false;
        };
        let worked_on_in = |ring: &Ring, label: &Name| {
            ring.seat(label)
                .is_some_and(|m| work.devices.contains(&ring.seats[m].device))
        };
        let worked_on = |label: &Name| worked_on_in(ring, label);
        // Groups that moved together are told together.
        let by_work = |m: &Moved| {
            let of = plot.town.rings.iter().find(|r| r.name == m.group);
            of.is_some_and(|r| worked_on_in(r, &m.from) || worked_on_in(r, &m.to))
        };
        match &case.cause {
            Cause::RedundancyLost { missing, .. } => missing.iter().all(|m| worked_on(&m.member)),
            Cause::SwitchedOver { moved, .. } => moved.iter().all(by_work),
            _ => ring.seats.iter().any(|s| work.devices.contains(&s.device)),
        }
    }

    /// Planned work keeps it quiet from now on.
    pub(super) fn muted(&mut self, at: At, id: u64, plot: &Plot) {
        if self.quiet(id, at, plot) == Some(false) {
            let root = self.cases.get(&id).map(|c| c.root.to_string()).unwrap_or_default();
            self.wrong(format!(
                "at {:.1} s #{id} {root} is kept quiet by work that does not explain it",
                at as f64 / 1e6
            ));
        }
        self.due.retain(|d| d.incident != id);
        if let Some(case) = self.cases.get_mut(&id) {
            case.muted = true;
        }
    }

    /// The window is over: what is still bad is told.
    pub(super) fn unmuted(&mut self, at: At, id: u64, plot: &Plot) {
        if self.quiet(id, at, plot) == Some(true) {
            self.wrong(format!(
                "at {:.1} s #{id} is told, though the work goes on",
                at as f64 / 1e6
            ));
        }
        let Some(case) = self.cases.get_mut(&id) else { return };
        case.muted = false;
        let due = self.due.iter_mut().filter(|d| d.incident == id);
        due.for_each(|d| d.perhaps = false);
        let kind = match (case.told.is_empty(), case.level.cmp(&case.told_level)) {
            _ if case.level == Level::Ok || self.due.iter().any(|d| d.incident == id) => return,
            (true, _) => NoticeKind::Opened,
            (false, std::cmp::Ordering::Greater) => NoticeKind::Worse,
            (false, std::cmp::Ordering::Less) => NoticeKind::Better,
            (false, std::cmp::Ordering::Equal) => return,
        };
        self.expect(id, kind, plot);
    }

    /// Whatever is still bad after a window has been told of by now.
    pub(super) fn told_after_work(&mut self, now: At, plot: &Plot) {
        let late = |id: &u64| {
            let case = &self.cases[id];
            let past = self
                .works
                .iter()
                .any(|w| w.to + 2 * MINUTE < now && self.explains(w, case, plot));
            let over = !self.works.iter().any(|w| w.from <= now && now <= w.to + 2 * MINUTE);
            case.open && case.muted && past && over
        };
        if let Some(id) = self.cases.keys().copied().find(|id| late(id)) {
            self.wrong(format!(
                "at {:.1} s #{id} is still kept quiet, and the work is over",
                now as f64 / 1e6
            ));
        }
    }
}
