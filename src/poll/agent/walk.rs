//! A walk over one column: names of interfaces, instances of a profile's column.
//!
//! Never here: what the rows mean.

use super::text;
use crate::model::Mono;
use crate::poll::unread::CutBy;
use crate::wire::snmp::{Names, Value, ValueView, VarBindView, ber};
use std::time::Duration;

/// Rows of a walk, at most.
const WALK_ROWS: usize = 100_000;
/// Rows of one column of a profile, at most; few of them are read each round (see `learn`).
const COLUMN_ROWS: usize = 2_048;
/// Time of a walk, at most.
const WALK_TIME: Duration = Duration::from_secs(30);

/// Rows of one column that are passed over, at most.
const SKIPPED_MAX: u8 = 16;

/// Why a walk is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    IfName,
    IfDescr,
    IfAlias,
    Profile,
    Role,
    Topology,
}

/// A walk over one column.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) purpose: Purpose,
    pub(super) base: Vec<u32>,
    last: Vec<u32>,
    /// `last`, as it is asked.
    pub(super) names: Names,
    pub(super) rows: Vec<(Vec<u32>, Value)>,
    started: Option<Mono>,
    /// Rows to be asked for one by one, because the agent refused more at once.
    one_by_one: u8,
    /// Rows that were passed over because the agent refuses to go on there.
    skipped: u8,
    /// It came to the end of the column, and has all of its rows.
    pub(super) whole: bool,
    pub(super) ended: bool,
    /// Why it is not whole.
    pub(super) cut: Option<CutBy>,
}

impl Walk {
    pub(super) fn new(purpose: Purpose, base: Vec<u32>) -> Walk {
        Walk {
            purpose,
            names: one(&base),
            last: base.clone(),
            base,
            rows: Vec::new(),
            started: None,
            one_by_one: 0,
            skipped: 0,
            whole: false,
            ended: false,
            cut: None,
        }
    }

    /// Remembers when the first request went out.
    pub(super) fn begin(&mut self, now: Mono) {
        self.started.get_or_insert(now);
    }

    /// Time since the first request.
    pub(super) fn took(&self, now: Mono) -> Duration {
        self.started.map_or(Duration::ZERO, |at| now.since(at))
    }

    /// No row bears a name: there is no such column, or the agent leaves it empty.
    pub(super) fn is_nameless(&self) -> bool {
        self.rows.iter().all(|(_, value)| text::is_empty(value))
    }

    /// Takes one answer. Ends the walk at the end of the column, or where going on makes no sense: an object that does not
    /// come after the one before (such agents go round in circles), too many rows, too much time.
    pub(super) fn take(&mut self, varbinds: &[VarBindView<'_>], now: Mono) {
        let most = match self.purpose {
            Purpose::Profile | Purpose::Role | Purpose::Topology => COLUMN_ROWS,
            Purpose::IfName | Purpose::IfDescr | Purpose::IfAlias => WALK_ROWS,
        };
        self.one_by_one = self.one_by_one.saturating_sub(1);
        if varbinds.is_empty() {
            self.end(CutBy::Circle);
        }
        for varbind in varbinds {
            let oid = ber::oid(varbind.name).unwrap_or_default();
            let suffix = oid.strip_prefix(self.base.as_slice());
            let (Some(suffix), false) = (suffix, varbind.value == ValueView::EndOfMibView) else {
                // The first object after the column; one before it would be a circle.
                match oid > self.last || varbind.value == ValueView::EndOfMibView {
                    true => self.finish(),
                    false => self.end(CutBy::Circle),
                }
                return;
            };
            if oid <= self.last {
                return self.end(CutBy::Circle);
            }
            if self.rows.len() >= most {
                return self.end(CutBy::Rows);
            }
            self.rows.push((suffix.to_vec(), varbind.value.to_value()));
            self.last = oid;
        }
        self.names = one(&self.last);
        if !self.ended && now.since(self.started.unwrap_or(now)) >= WALK_TIME {
            self.end(CutBy::Time);
        }
    }

    /// The column has no more rows.
    pub(super) fn finish(&mut self) {
        self.ended = true;
        // Rows that were passed over may be there.
        self.whole = self.skipped == 0;
    }

    /// Going on makes no sense.
    pub(super) fn end(&mut self, by: CutBy) {
        (self.ended, self.whole) = (true, false);
        self.cut = Some(by);
    }

    /// The agent refused the present request with this error-status: more rows at once are asked for one by one, and a row at which it
    /// refuses even that is passed over.
    pub(super) fn refused(&mut self, status: u32, repetitions: u8) {
        if self.one_by_one == 0 && repetitions > 0 {
            self.one_by_one = repetitions;
            return;
        }
        if self.skipped >= SKIPPED_MAX {
            return self.end(CutBy::Refused(status));
        }
        self.skipped += 1;
        self.cut = Some(CutBy::Refused(status));
        // Nobody tells the index of the row: it is most likely the next number.
        match self.last.len() > self.base.len() {
            true => self.last.last_mut().into_iter().for_each(|n| *n = n.saturating_add(1)),
            false => self.last.push(0),
        }
        self.names = one(&self.last);
    }

    /// Only the next row is asked for.
    pub(super) fn is_one_by_one(&self) -> bool {
        self.one_by_one > 0
    }
}

fn one(oid: &[u32]) -> Names {
    Names::new(std::iter::once(oid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::snmp::ber::Writer;

    fn contents(oid: &[u32]) -> Vec<u8> {
        let mut w = Writer::new();
        w.oid_contents(oid);
        w.finish()
    }

    fn take(walk: &mut Walk, oids: &[&[u32]], now: Mono) {
        let names: Vec<Vec<u8>> = oids.iter().map(|o| contents(o)).collect();
        let varbind = |name| VarBindView {
            name,
            value: ValueView::Integer(1),
        };
        let varbinds: Vec<_> = names.iter().map(|n| varbind(n.as_slice())).collect();
        walk.take(&varbinds, now);
    }

    #[test]
    fn a_walk_ends_at_the_column_or_at_nonsense() {
        let now = Mono(0);
        let walk = || Walk::new(Purpose::IfName, vec![1, 3, 1]);
        let mut good = walk();
        take(&mut good, &[&[1, 3, 1, 1], &[1, 3, 1, 2]], now);
        assert!(!good.ended);
        assert_eq!(good.names.get(0), Some(contents(&[1, 3, 1, 2]).as_slice()));
        take(&mut good, &[&[1, 3, 2, 1]], now);
        assert!(good.ended && good.whole && good.rows.len() == 2);
        for bad in [&[1, 3, 1, 5][..], &[1, 3, 1, 4], &[1, 2], &[1, 3, 1]] {
            let mut circle = walk();
            take(&mut circle, &[&[1, 3, 1, 5], bad], now);
            assert!(circle.ended && !circle.whole && circle.rows.len() == 1, "{bad:?}");
        }
        let mut slow = walk();
        slow.begin(Mono(0));
        take(&mut slow, &[&[1, 3, 1, 1]], Mono(30_000_000));
        assert!(slow.ended && !slow.whole);
        let mut silent = walk();
        silent.take(&[], now);
        assert!(silent.ended && !silent.whole);
    }

    /// Row 3 of 5 is one that the agent refuses to pass, for whatever reason.
    #[test]
    fn a_row_at_which_the_agent_refuses_to_go_on_is_passed_over() {
        for repetitions in [0, 16] {
            let mut walk = Walk::new(Purpose::IfName, vec![1, 3, 1]);
            let mut requests = 0;
            while !walk.ended {
                requests += 1;
                assert!(requests < 30, "{walk:?}");
                let last = walk.last.get(3).copied().unwrap_or(0);
                let at_once = if repetitions > 0 && !walk.is_one_by_one() {
                    16
                } else {
                    1
                };
                let next: Vec<u32> = (last + 1..=last + at_once).collect();
                if next.contains(&3) {
                    walk.refused(5, repetitions);
                    continue;
                }
                let row = |i: &u32| if *i <= 5 { vec![1, 3, 1, *i] } else { vec![1, 3, 2] };
                let rows: Vec<Vec<u32>> = next.iter().map(row).collect();
                let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
                take(&mut walk, &rows, Mono(0));
            }
            let indices: Vec<u32> = walk.rows.iter().map(|(i, _)| i[0]).collect();
            assert_eq!(
                (indices, walk.whole, walk.cut),
                (vec![1, 2, 4, 5], false, Some(CutBy::Refused(5)))
            );
        }
    }

    #[test]
    fn an_agent_that_refuses_everything_ends_the_walk() {
        let mut walk = Walk::new(Purpose::Profile, vec![1, 3, 1]);
        let mut requests = 0;
        while !walk.ended {
            walk.refused(16, 16);
            requests += 1;
        }
        assert_eq!((requests, walk.cut), (18, Some(CutBy::Refused(16))));
    }
}
