//! What the product said of redundancy groups, kept until the end of the story: switchovers told, findings with their times, what was
//! listed in the cases of others.
//!
//! Never here: whether it was right (`groups`).

use super::history::Time;
use super::*;
use hinomi::model::Wall;
use hinomi::rules::Moved;

/// What moves within so many milliseconds is told as one.
const TOGETHER: u64 = 10_000;

/// A switchover as it was told, once.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    pub(super) at: At,
    pub(super) incident: u64,
    pub(super) group: Name,
    pub(super) instance: Name,
    pub(super) from: Name,
    pub(super) to: Name,
    pub(super) counted: bool,
    /// The one that was left is active again.
    pub(super) back: bool,
}

/// A finding of a group, from when to when.
#[derive(Clone, Debug)]
pub(super) struct Spell {
    pub(super) incident: u64,
    pub(super) from: At,
    pub(super) to: Option<At>,
    /// As it was when it began, and when it ended.
    pub(super) causes: [Option<Cause>; 2],
}

/// Group, instance, from, to.
type Move = (Name, Name, Name, Name);
/// A switchover that was told.
#[derive(Clone, Copy)]
struct Seen {
    /// When it was seen.
    seen: Wall,
    /// When it was told first: what was seen later than that is another one.
    told: Wall,
    together: bool,
    counted: bool,
}

/// Everything said of groups.
#[derive(Default)]
pub(super) struct Sayings {
    pub(super) tellings: Vec<Telling>,
    known: BTreeMap<Move, Vec<Seen>>,
    pub(super) spells: BTreeMap<(Name, FindingKind), Vec<Spell>>,
    /// Losses of redundancy listed in the cases of others: group, when, and in which.
    pub(super) noted: Vec<(Name, At, u64)>,
    /// When each device could not be read.
    unread: Vec<Vec<Time>>,
    since: Vec<Option<At>>,
}

impl Sayings {
    /// Which devices the daemon can read from now on.
    pub(super) fn look(&mut self, now: At, truth: &Truth, plot: &Plot, alive: bool) {
        if plot.town.rings.is_empty() {
            return;
        }
        let n = plot.town.tiers.len();
        self.unread.resize_with(n, Vec::new);
        self.since.resize(n, None);
        for seat in plot.town.rings.iter().flat_map(|r| &r.seats) {
            let d = seat.device;
            let read = alive && truth.answers(d) && !truth.mum[d].holds();
            match (read, self.since[d]) {
                (false, None) => self.since[d] = Some(now),
                (true, Some(from)) => {
                    self.since[d] = None;
                    self.unread[d].push((from, now));
                }
                _ => {}
            }
        }
    }

    /// When a device could not be read; the last one may not be over.
    pub(super) fn unread(&self, device: usize) -> Vec<Time> {
        let mut all = self.unread.get(device).cloned().unwrap_or_default();
        all.extend(
            self.since
                .get(device)
                .copied()
                .flatten()
                .map(|from| (from, At::MAX / 2)),
        );
        all
    }

    fn moved(&mut self, (at, wall): (At, Wall), incident: u64, moved: &[Moved]) {
        for m in moved {
            for instance in &m.instances {
                let (group, from, to) = (m.group.clone(), m.from.clone(), m.to.clone());
                let key = (group.clone(), instance.clone(), from.clone(), to.clone());
                let known = self.known.entry(key).or_default();
                // What moved together bears the time of the first.
                let together = m.instances.len() > 1;
                let same = |k: &Seen| {
                    let near = k.seen.0.abs_diff(m.at.0) <= TOGETHER && k.counted == m.counted && m.at <= k.told;
                    k.seen == m.at || (k.together || together) && near
                };
                if !known.iter().any(same) {
                    known.push(Seen {
                        seen: m.at,
                        told: wall,
                        together,
                        counted: m.counted,
                    });
                    self.tellings.push(Telling {
                        at,
                        incident,
                        group,
                        instance: instance.clone(),
                        from,
                        to,
                        counted: m.counted,
                        back: m.back,
                    });
                }
            }
        }
    }

    /// Takes an event about a group, or one that lists something of a group.
    pub(super) fn take(&mut self, (at, wall): (At, Wall), incident: u64, body: &EventBody) {
        let change = match body {
            EventBody::Noted { key, cause } => {
                if let Cause::SwitchedOver { moved, .. } = cause {
                    self.moved((at, wall), incident, moved);
                }
                if let (FindingKind::RedundancyLost, Part::Redundancy(group)) = (key.kind, &key.part) {
                    self.noted.push((group.clone(), at, incident));
                }
                return;
            }
            EventBody::Opened { change }
            | EventBody::Changed { change }
            | EventBody::Reopened { change }
            | EventBody::Recovered { change }
            | EventBody::Folded { change, .. } => change,
            _ => return,
        };
        let Part::Redundancy(group) = &change.key.part else {
            return;
        };
        if let Cause::SwitchedOver { moved, .. } = &change.cause {
            self.moved((at, wall), incident, moved);
        }
        let spells = self.spells.entry((group.clone(), change.key.kind)).or_default();
        match (body, spells.last_mut().filter(|s| s.to.is_none())) {
            (EventBody::Opened { .. } | EventBody::Reopened { .. }, None) => spells.push(Spell {
                incident,
                from: at,
                to: None,
                causes: [Some(change.cause.clone()), None],
            }),
            (EventBody::Recovered { .. } | EventBody::Folded { .. }, Some(spell)) => {
                (spell.to, spell.causes[1]) = (Some(at), Some(change.cause.clone()));
            }
            _ => {}
        }
    }
}

impl Judge {
    /// What is listed in a case that is over is told to nobody; only that a switchover is over may come after it.
    pub(super) fn listed_where_seen(&mut self, at: At, id: u64, key: &FindingKey, cause: &Cause) {
        let bad = matches!(cause, Cause::RedundancyLost { .. } | Cause::SwitchedOver { .. });
        if bad && !self.cases.get(&id).is_some_and(|c| c.open) {
            self.wrong(format!(
                "at {:.1} s {key} is listed in #{id}, which is over",
                at as f64 / 1e6
            ));
        }
    }

    /// What follows from a device that is known to be down is listed there: no incident of its own.
    pub(super) fn of_its_own(&mut self, at: At, id: u64, change: &FindingChange, truth: &Truth, plot: &Plot) {
        let Part::Redundancy(group) = &change.key.part else {
            return;
        };
        let Some(ring) = plot.town.rings.iter().find(|r| r.name == *group) else {
            return self.wrong(format!("#{id} is about {group}, which is no group"));
        };
        let labels: Vec<&Name> = match &change.cause {
            // What came back is told by itself.
            Cause::SwitchedOver { moved, .. } if moved.iter().all(|m| m.group == *group && !m.back) => {
                moved.iter().map(|m| &m.from).collect()
            }
            Cause::RedundancyLost { missing, ready, .. } if *ready > 0 => missing.iter().map(|m| &m.member).collect(),
            _ => return,
        };
        let down = |label: &&Name| {
            let Some(device) = ring.seat(label).map(|m| ring.seats[m].device) else {
                return false;
            };
            let told = |c: &Case| {
                let before = c.spells.last().is_some_and(|s| s + SECOND < at);
                c.open && !c.recovering && c.target == Some(device) && c.root.kind == FindingKind::DeviceDown && before
            };
            truth.roles.is_dead(device) && self.cases.values().any(told)
        };
        if !labels.is_empty() && labels.iter().all(down) {
            let root = &change.key;
            self.wrong(format!(
                "at {:.1} s #{id} {root} is an incident of its own, but its device is known to be down",
                at as f64 / 1e6
            ));
        }
    }
}
