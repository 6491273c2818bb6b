//! One SNMP round: what is still to be asked, what is being asked, what came.
//!
//! Never here: datagrams, deadlines, and what is remembered from round to round (that is `device`).

use super::get::Get;
use super::table::RowAnswer;
use super::template::{Item, Plan, Template};
use super::walk::{Purpose, Walk};
use crate::model::{Mono, Name};
use crate::poll::unread::Unread;
use crate::poll::{AgentFailure, AgentReading, RoleCell, ScalarReading};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// What is being asked.
#[derive(Debug)]
pub(super) enum Ask {
    Get(Get),
    Walk(Walk),
}

/// A round under way.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) started: Mono,
    pub(super) last_answer: Option<Mono>,
    pub(super) ask: Option<Ask>,
    /// The device's plan when the round began.
    pub(super) plan: Option<Plan>,
    /// Requests of it that were begun.
    pub(super) planned: usize,
    /// What is to be read beyond the plan.
    pub(super) todo: VecDeque<Item>,
    pub(super) walks: VecDeque<(Purpose, Vec<u32>)>,
    /// Slot of the request that is out.
    pub(super) slot: Option<u32>,
    /// v3: slots of the same question, asked again of another engine or before the engine was known.
    pub(super) beside: Vec<u32>,
    /// Tries of the present request so far.
    pub(super) tries: u8,
    /// Requests that were not answered since something was.
    pub(super) lost: u8,
    /// Requests that were refused.
    pub(super) refusals: u16,
    /// Walks that were given up because the agent fell silent.
    pub(super) walks_lost: u8,
    /// Objects whose values could not be read.
    pub(super) unread: Vec<Unread>,
    /// Discoveries and resynchronisations so far.
    pub(super) detours: u8,
    pub(super) hint: Option<AgentFailure>,
    /// error-status of the last refusal.
    pub(super) refused: Option<u32>,
    pub(super) rtt: Option<Duration>,
    pub(super) uptime: Option<u32>,
    pub(super) object_id: Option<Arc<[u32]>>,
    pub(super) sys_descr: Option<Name>,
    pub(super) if_number: Option<i64>,
    pub(super) if_last_change: Option<u32>,
    pub(super) scalars: Vec<ScalarReading>,
    pub(super) roles: Vec<RoleCell>,
    /// Tables of roles were walked in this round.
    pub(super) roles_walked: bool,
    /// By ifIndex.
    pub(super) rows: Vec<(u32, RowAnswer)>,
    /// A row bore another name than expected, or none.
    pub(super) row_moved: bool,
    /// An instance of a profile's column is gone.
    pub(super) instance_gone: bool,
    /// Cables and addresses: how far, and what walks found.
    pub(super) topology: super::topology::Stage,
    pub(super) cables: super::learn::Found,
    pub(super) identity_asked: bool,
    pub(super) names_walked: bool,
    pub(super) columns_walked: bool,
    /// One of these walks did not come to its end.
    pub(super) columns_cut: bool,
    /// What any make may answer was walked, as something of the make's own is lacking.
    pub(super) deep: bool,
    /// What walks over the profile's columns found.
    pub(super) found: super::learn::Found,
    /// What tells profiles of one sysObjectID apart has been asked.
    pub(super) told_apart: bool,
    /// The profile was chosen by what this round was told.
    pub(super) identified: bool,
}

impl Round {
    /// The next request of the plan.
    pub(super) fn next_of_plan(&mut self) -> Option<Arc<Template>> {
        let template = self.plan.as_ref()?.get(self.planned)?;
        self.planned += 1;
        Some(Arc::clone(template))
    }

    /// Sorts what was read; of an object or a row that was read twice the last reading counts.
    pub(super) fn settle(&mut self) {
        last_of_each(&mut self.rows, |(index, _)| *index);
        last_of_each(&mut self.scalars, |s| Arc::clone(&s.oid));
        last_of_each(&mut self.roles, |r| Arc::clone(&r.oid));
    }
}

/// Rounds and readings kept for their memory.
const SPARE_MAX: usize = 1_024;
/// Entries of a list kept for its memory.
const LIST_MAX: usize = 64;

/// Memory of what is over, for what begins: at rest a round allocates next to nothing, and what it uses was used a moment ago.
#[derive(Debug, Default)]
pub(super) struct Spare {
    /// Boxes, because that is how a device keeps its round.
    #[allow(clippy::vec_box, reason = "a round moves from here to its device and back as it is")]
    rounds: Vec<Box<Round>>,
    #[allow(
        clippy::vec_box,
        reason = "a reading moves from here to whoever keeps it and back as it is"
    )]
    readings: Vec<Box<AgentReading>>,
}

impl Spare {
    /// A round that begins.
    pub(super) fn round(&mut self, plan: Option<Plan>, now: Mono) -> Box<Round> {
        let mut round = self.rounds.pop().unwrap_or_default();
        (round.started, round.plan) = (now, plan);
        round
    }

    /// A reading of nothing.
    pub(super) fn reading(&mut self) -> Box<AgentReading> {
        self.readings.pop().unwrap_or_default()
    }

    /// Takes a round that is over.
    pub(super) fn take_round(&mut self, mut round: Box<Round>) {
        if self.rounds.len() < SPARE_MAX {
            empty(&mut round.scalars);
            empty(&mut round.roles);
            empty(&mut round.rows);
            *round = Round {
                scalars: std::mem::take(&mut round.scalars),
                roles: std::mem::take(&mut round.roles),
                rows: std::mem::take(&mut round.rows),
                ..Round::default()
            };
            self.rounds.push(round);
        }
    }

    /// Takes a reading that nobody needs any more.
    pub(super) fn take_reading(&mut self, mut reading: Box<AgentReading>) {
        if self.readings.len() < SPARE_MAX {
            empty(&mut reading.scalars);
            empty(&mut reading.roles);
            empty(&mut reading.interfaces);
            empty(&mut reading.missing);
            empty(&mut reading.never_found);
            *reading = AgentReading {
                scalars: std::mem::take(&mut reading.scalars),
                roles: std::mem::take(&mut reading.roles),
                interfaces: std::mem::take(&mut reading.interfaces),
                missing: std::mem::take(&mut reading.missing),
                never_found: std::mem::take(&mut reading.never_found),
                ..AgentReading::default()
            };
            self.readings.push(reading);
        }
    }
}

/// Gives back what a list does not need. A reading is kept until the next one, a nation has hundreds of thousands of them, and the memory
/// it is made in may be that of a device with many more ports.
pub(super) fn fit<T>(list: &mut Vec<T>) {
    if list.capacity() > list.len() * 2 {
        list.shrink_to_fit();
    }
}

/// Empties a list and keeps its memory, unless that is much.
fn empty<T>(list: &mut Vec<T>) {
    list.clear();
    list.shrink_to(LIST_MAX);
}

fn last_of_each<T, K: Ord>(list: &mut Vec<T>, key: impl Fn(&T) -> K) {
    if list.windows(2).all(|w| key(&w[0]) < key(&w[1])) {
        return;
    }
    // The sort keeps the order of equals, and `dedup_by` keeps the first of a run: so the last comes first.
    list.reverse();
    list.sort_by_key(&key);
    list.dedup_by(|a, b| key(a) == key(b));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a round or a reading held, the next one begins with nothing of it.
    #[test]
    fn memory_that_is_used_again_holds_nothing_of_what_it_held() {
        let mut spare = Spare::default();
        let scalar = || ScalarReading {
            oid: [1, 3].into(),
            value: None,
        };
        let mut round = spare.round(None, Mono(5));
        (round.tries, round.row_moved, round.uptime) = (2, true, Some(9));
        round.scalars.push(scalar());
        round.walks.push_back((Purpose::IfName, vec![1]));
        spare.take_round(round);
        let fresh = Round {
            started: Mono(7),
            ..Round::default()
        };
        assert_eq!(format!("{:?}", spare.round(None, Mono(7))), format!("{fresh:?}"));

        let mut reading = spare.reading();
        (reading.uptime, reading.scalars) = (Some(1), vec![scalar()]);
        spare.take_reading(reading);
        assert_eq!(*spare.reading(), AgentReading::default());
    }

    #[test]
    fn a_small_device_does_not_keep_the_memory_of_a_large_one() {
        let mut list = Vec::with_capacity(48);
        list.push(1);
        fit(&mut list);
        assert!(list.capacity() <= 2, "{}", list.capacity());
        let mut empty: Vec<u8> = Vec::with_capacity(4);
        fit(&mut empty);
        assert_eq!(empty.capacity(), 0);
        let mut full: Vec<u8> = Vec::with_capacity(5);
        full.extend([1, 2, 3]);
        fit(&mut full);
        assert_eq!(full.capacity(), 5, "moved only where it is worth it");
    }

    #[test]
    fn the_last_reading_counts() {
        let mut list = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (3, 'e')];
        last_of_each(&mut list, |(k, _)| *k);
        assert_eq!(list, [(1, 'd'), (2, 'c'), (3, 'e')]);
    }
}
