//! A walk over one column: names of interfaces, instances of a profile's column.
//!
//! Never here: what the rows mean.

use super::text;
use crate::model::Mono;
use crate::wire::snmp::{Names, Value, ValueView, VarBindView, ber};
use std::time::Duration;

/// Rows of a walk, at most.
const WALK_ROWS: usize = 100_000;
/// Rows of one column of a profile, at most; few of them are read each round (see `learn`).
const COLUMN_ROWS: usize = 2_048;
/// Time of a walk, at most.
const WALK_TIME: Duration = Duration::from_secs(30);

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
    /// It came to the end of the column.
    pub(super) whole: bool,
    pub(super) ended: bool,
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
            whole: false,
            ended: false,
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
        self.rows.iter().all(|(_, value)| text::name_of(value).is_none())
    }

    /// Takes one answer. Ends the walk at the end of the column, or where going on makes no sense: an object that does not
    /// come after the one before (such agents go round in circles), too many rows, too much time.
    pub(super) fn take(&mut self, varbinds: &[VarBindView<'_>], now: Mono) {
        let most = match self.purpose {
            Purpose::Profile | Purpose::Role | Purpose::Topology => COLUMN_ROWS,
            Purpose::IfName | Purpose::IfDescr | Purpose::IfAlias => WALK_ROWS,
        };
        self.ended |= varbinds.is_empty();
        for varbind in varbinds {
            let oid = ber::oid(varbind.name).unwrap_or_default();
            let suffix = oid.strip_prefix(self.base.as_slice());
            let (Some(suffix), false) = (suffix, varbind.value == ValueView::EndOfMibView) else {
                // The first object after the column; one before it would be a circle.
                self.whole = oid > self.last || varbind.value == ValueView::EndOfMibView;
                self.ended = true;
                return;
            };
            if oid <= self.last || self.rows.len() >= most {
                self.ended = true;
                return;
            }
            self.rows.push((suffix.to_vec(), varbind.value.to_value()));
            self.last = oid;
        }
        self.names = one(&self.last);
        self.ended |= now.since(self.started.unwrap_or(now)) >= WALK_TIME;
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
}
