//! What redundancy groups need of a device: which tables of roles, and which rows they have now.
//!
//! Rows are found by walking, never remembered as right: indices move after a failover. A row that is gone, or a kind of which
//! no table has a row, is walked again in the same round; everything now and then.
//!
//! Never here: what a value means for a group (that is `sample::roles`).

use super::text;
use crate::model::redundancy::RoleObject;
use crate::model::role_source::{DEFAULT_ROUTES, ROLE_SOURCES, RowIs};
use crate::model::{Member, MemberPart, Mono, Redundancy, RedundancyKind};
use crate::poll::{RoleCell, RoleValue};
use crate::wire::snmp::{Value, ValueView};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Walk all tables again this often without any reason.
const AGAIN: Duration = Duration::from_secs(300);
/// Rows of one table that are read each round, at most.
const MOST_ROWS: usize = 512;
/// A table that has nothing for the group is walked in every round if it is not longer than this.
const SMALL: usize = 256;
/// A kind that has more tables than this is looked for less often while none of them answers.
const MANY: usize = 6;
/// So often.
const MANY_AGAIN: Duration = Duration::from_secs(60);

/// One table (or object) that is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoleTable {
    kind: RedundancyKind,
    /// What is walked; an instance if `whole`.
    state: Vec<u32>,
    whole: bool,
    /// Read by the same index.
    beside: Vec<Vec<u32>>,
    /// Read by the index's first number, an ifIndex.
    of_interface: &'static [&'static [u32]],
    /// Only rows about these neighbours, if any are named.
    peers: Vec<IpAddr>,
    /// What a row is.
    row: RowIs,
    /// It tells no role: that the protocol runs, or which addresses its instances have.
    aside: bool,
}

/// IF-MIB: ifName, and ifDescr for agents without it.
const INTERFACE_NAMES: &[&[u32]] = &[&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1], &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2]];

impl RoleTable {
    fn new(kind: RedundancyKind, state: &[u32], whole: bool) -> RoleTable {
        RoleTable {
            kind,
            state: state.to_vec(),
            whole,
            beside: Vec::new(),
            of_interface: &[],
            peers: Vec::new(),
            row: RowIs::Instance,
            aside: false,
        }
    }

    fn aside(kind: RedundancyKind, state: &[u32], whole: bool) -> RoleTable {
        RoleTable {
            aside: true,
            ..RoleTable::new(kind, state, whole)
        }
    }

    fn keeps(&self, index: &[u32]) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|peer| self.row.is_about(index, *peer))
    }
}

/// Adds what a member of a group needs.
pub(super) fn want(tables: &mut Vec<RoleTable>, group: &Redundancy, member: &Member) {
    let members = group.members.len();
    for source in ROLE_SOURCES
        .iter()
        .filter(|s| s.kind == group.kind && s.serves(members))
    {
        let mut table = RoleTable::new(group.kind, source.state, source.row == RowIs::Whole);
        table.row = source.row;
        table.beside.extend(source.beside().map(<[u32]>::to_vec));
        if source.by_if_index() {
            table.of_interface = INTERFACE_NAMES;
        }
        if let MemberPart::Peer(peer) = member.part {
            table.peers.push(peer);
        }
        add(tables, table);
        if let Some(second) = source.second.filter(|_| members == 1) {
            add(tables, RoleTable::new(group.kind, second, true));
        }
        if let Some(column) = source.addresses() {
            add(tables, RoleTable::aside(group.kind, column, false));
        }
        if let Some(oid) = source.alive {
            add(tables, RoleTable::aside(group.kind, oid, true));
        }
    }
    if group.kind == RedundancyKind::Route {
        for (_, base, _) in DEFAULT_ROUTES {
            // The oldest table has no row for a next hop: the value tells it.
            add(tables, RoleTable::new(group.kind, base, base.get(8) == Some(&21)));
        }
    }
    if let Some(RoleObject { oid, .. }) = &group.object {
        // An instance is read, a column is walked; which of the two it is the agent tells.
        add(tables, RoleTable::new(group.kind, oid, true));
        add(tables, RoleTable::new(group.kind, oid, false));
    }
}

/// Several groups may need one table.
fn add(tables: &mut Vec<RoleTable>, table: RoleTable) {
    match tables
        .iter_mut()
        .find(|t| t.state == table.state && t.whole == table.whole)
    {
        Some(known) => {
            if table.peers.is_empty() {
                known.peers.clear();
            } else if !known.peers.is_empty() {
                known.peers.extend(
                    table
                        .peers
                        .iter()
                        .filter(|p| !known.peers.contains(p))
                        .copied()
                        .collect::<Vec<_>>(),
                );
            }
        }
        None => tables.push(table),
    }
}

/// Which rows the tables have, as walked last; parallel to the wanted tables.
#[derive(Debug, Default)]
pub(super) struct Rows {
    tables: Vec<Table>,
}

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Box<[u32]>>,
    /// How many the walk passed, those of others included.
    passed: usize,
    /// Walked once to its end.
    known: bool,
    /// Each for itself: one that is walked in every round must not put off the others.
    walked_at: Mono,
}

impl Rows {
    /// Nothing is known.
    pub(super) fn forget(&mut self) {
        self.tables.clear();
    }

    /// Everything that is read in a round.
    pub(super) fn asked(&self, wanted: &[RoleTable]) -> Vec<Arc<[u32]>> {
        let mut all = Vec::new();
        for (i, table) in wanted.iter().enumerate() {
            if table.whole {
                all.push(Arc::from(table.state.as_slice()));
            }
            for index in self.tables.get(i).iter().flat_map(|t| &t.rows) {
                for column in std::iter::once(&table.state).chain(&table.beside) {
                    all.push(Arc::from([column.as_slice(), index].concat()));
                }
                let interface = index.get(..1).unwrap_or_default();
                all.extend(
                    table
                        .of_interface
                        .iter()
                        .map(|column| Arc::from([column, interface].concat())),
                );
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The columns to be walked now, given what this round has read.
    pub(super) fn due(&self, wanted: &[RoleTable], read: &[RoleCell], restarted: bool, now: Mono) -> Vec<Vec<u32>> {
        let fresh =
            self.tables.len() != wanted.len() || self.tables.iter().zip(wanted).any(|(t, w)| !w.whole && !t.known);
        let age = |i: usize| self.tables.get(i).map_or(AGAIN, |t| now.since(t.walked_at));
        let all = |i: usize| fresh || restarted || age(i) >= AGAIN;
        let gone = |w: &RoleTable| {
            let row = |c: &&RoleCell| c.oid.len() > w.state.len() && c.oid.starts_with(&w.state);
            read.iter().filter(row).any(|c| c.value.is_none())
        };
        // Any table of a kind will do; objects that the configuration names do not stand in for each other.
        let alike =
            |a: &RoleTable, b: &RoleTable| a.kind == b.kind && (a.kind != RedundancyKind::Role || a.state == b.state);
        let answered = |w: &RoleTable| {
            let whole = |w: &RoleTable| w.whole && read.iter().any(|c| c.value.is_some() && *c.oid == *w.state);
            let mut others = wanted
                .iter()
                .enumerate()
                .filter(|(_, other)| alike(w, other) && !other.aside);
            others.any(|(i, w)| whole(w) || self.tables.get(i).is_some_and(|t| !t.rows.is_empty()))
        };
        // A neighbour that no table has: its row may be back.
        let lacks = |w: &RoleTable| {
            let told = |peer: &IpAddr| {
                let mut others = wanted
                    .iter()
                    .zip(&self.tables)
                    .filter(|(other, _)| alike(w, other) && !other.aside);
                others.any(|(o, t)| t.rows.iter().any(|index| o.row.is_about(index, *peer)))
            };
            !w.peers.iter().all(told)
        };
        let small = |i: usize| self.tables.get(i).is_none_or(|t| t.passed <= SMALL);
        // Of a kind that every make tells in its own way all these tables are not asked for in every round.
        let tables = |w: &RoleTable| wanted.iter().filter(|o| !o.whole && !o.aside && alike(w, o)).count();
        let patient = |i: usize, w: &RoleTable| tables(w) > MANY && age(i) < MANY_AGAIN;
        let unseen = |i: usize, w: &RoleTable| (!answered(w) || lacks(w)) && small(i) && !patient(i, w);
        let due = |(i, w): &(usize, &RoleTable)| !w.whole && (all(*i) || gone(w) || unseen(*i, w));
        let due = wanted.iter().enumerate().filter(due);
        due.map(|(_, w)| w.state.clone()).collect()
    }

    /// A walk over a table has ended. `whole`: it came to the end.
    pub(super) fn found(&mut self, wanted: &[RoleTable], base: &[u32], rows: Vec<Vec<u32>>, whole: bool, now: Mono) {
        self.tables.resize_with(wanted.len(), Table::default);
        let Some(at) = wanted.iter().position(|w| w.state == base && !w.whole) else {
            return;
        };
        let passed = rows.len();
        let kept = rows.into_iter().filter(|index| wanted[at].keeps(index));
        let kept: Vec<Box<[u32]>> = kept.take(MOST_ROWS).map(Vec::into_boxed_slice).collect();
        let table = &mut self.tables[at];
        (table.known, table.passed, table.walked_at) = (true, passed, now);
        if whole {
            table.rows = kept;
        } else {
            // It broke off: nothing is said about what it did not find.
            table.rows.extend(kept);
            table.rows.sort_unstable();
            table.rows.dedup();
            table.rows.truncate(MOST_ROWS);
        }
    }
}

/// A value as a walk gave it.
pub(super) fn walked(value: &Value) -> Option<RoleValue> {
    match value {
        Value::OctetString(bytes) | Value::Opaque(bytes) => Some(RoleValue::Octets(bytes.as_slice().into())),
        Value::IpAddress(octets) => Some(RoleValue::Octets(octets.as_slice().into())),
        Value::Integer(n) => Some(RoleValue::Number(*n)),
        Value::Counter32(n) | Value::Gauge32(n) | Value::TimeTicks(n) => Some(RoleValue::Number(i64::from(*n))),
        Value::Counter64(n) => i64::try_from(*n).ok().map(RoleValue::Number),
        _ => None,
    }
}

/// A value as it was given.
pub(super) fn value(value: ValueView<'_>) -> Option<RoleValue> {
    match value {
        ValueView::OctetString(bytes) | ValueView::Opaque(bytes) => Some(RoleValue::Octets(bytes.into())),
        ValueView::IpAddress(octets) => Some(RoleValue::Octets(octets.as_slice().into())),
        value => {
            let number = text::number(value)?.as_f64()?;
            #[allow(clippy::cast_possible_truncation)] // saturates; no code and no counter of 32 bits comes near
            Some(RoleValue::Number(number as i64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role_source::IndexPart;

    fn cell(oid: &[u32], value: Option<i64>) -> RoleCell {
        RoleCell {
            oid: oid.into(),
            value: value.map(RoleValue::Number),
        }
    }

    #[test]
    fn a_row_that_is_gone_is_looked_for_at_once_and_everything_now_and_then() {
        let wanted = [
            RoleTable::new(RedundancyKind::Vrrp, &[1, 3, 1], false),
            RoleTable::new(RedundancyKind::Vrrp, &[1, 3, 2], false),
        ];
        let mut rows = Rows::default();
        let all = vec![vec![1, 3, 1], vec![1, 3, 2]];
        assert_eq!(rows.due(&wanted, &[], false, Mono(0)), all);
        rows.found(&wanted, &[1, 3, 1], vec![vec![7, 51]], true, Mono(0));
        rows.found(&wanted, &[1, 3, 2], Vec::new(), true, Mono(0));
        assert_eq!(rows.asked(&wanted), [Arc::from([1u32, 3, 1, 7, 51])]);
        let good = [cell(&[1, 3, 1, 7, 51], Some(3))];
        assert_eq!(
            rows.due(&wanted, &good, false, Mono(60_000_000)),
            Vec::<Vec<u32>>::new()
        );
        assert_eq!(rows.due(&wanted, &good, false, Mono(300_000_000)), all);
        assert_eq!(rows.due(&wanted, &good, true, Mono(0)), all, "after a restart");
        let gone = [cell(&[1, 3, 1, 7, 51], None)];
        assert_eq!(rows.due(&wanted, &gone, false, Mono(0)), [vec![1, 3, 1]]);
        rows.found(&wanted, &[1, 3, 1], Vec::new(), true, Mono(0));
        assert_eq!(
            rows.due(&wanted, &[], false, Mono(0)),
            all,
            "no table of the kind has a row"
        );
    }

    #[test]
    fn a_table_that_is_walked_in_every_round_does_not_put_off_the_others() {
        let ha = |n: u32| RoleTable::new(RedundancyKind::Ha, &[1, 4, n], false);
        let mut wanted: Vec<RoleTable> = (0..8).map(ha).collect();
        wanted.push(RoleTable::new(RedundancyKind::Lag, &[1, 5], false));
        let mut rows = Rows::default();
        for table in &wanted {
            rows.found(&wanted, &table.state, Vec::new(), true, Mono(0));
        }
        for second in [10, 20, 30, 40, 50] {
            let now = Mono(second * 1_000_000);
            assert_eq!(rows.due(&wanted, &[], false, now), [vec![1, 5]]);
            rows.found(&wanted, &[1, 5], Vec::new(), true, now);
        }
        assert_eq!(rows.due(&wanted, &[], false, Mono(60_000_000)).len(), 9);
    }

    #[test]
    fn of_many_neighbours_only_those_of_the_group_are_read() {
        let mut table = RoleTable::new(RedundancyKind::Bgp, &[1, 3], false);
        table.row = RowIs::Neighbour(&[IndexPart::Ipv4]);
        table.peers.push("198.51.100.1".parse().unwrap());
        let wanted = [table];
        let mut rows = Rows::default();
        let found = vec![vec![198, 51, 100, 1], vec![198, 51, 100, 2]];
        rows.found(&wanted, &[1, 3], found, true, Mono(0));
        assert_eq!(rows.asked(&wanted).len(), 1);
    }

    #[test]
    fn a_neighbour_whose_row_is_not_there_is_looked_for_in_every_round() {
        let mut table = RoleTable::new(RedundancyKind::Ospf, &[1, 3], false);
        table.row = RowIs::Neighbour(&[IndexPart::Ipv4, IndexPart::Number]);
        table
            .peers
            .extend(["198.51.100.1", "198.51.100.5"].map(|p| p.parse::<IpAddr>().unwrap()));
        let runs = RoleTable::aside(RedundancyKind::Ospf, &[1, 4, 0], true);
        let wanted = [table, runs];
        let read = [cell(&[1, 3, 198, 51, 100, 1, 0], Some(8)), cell(&[1, 4, 0], Some(1))];
        let mut rows = Rows::default();
        rows.found(&wanted, &[1, 3], vec![vec![198, 51, 100, 1, 0]], true, Mono(0));
        assert_eq!(rows.due(&wanted, &read, false, Mono(0)), [vec![1, 3]]);
        let both = vec![vec![198, 51, 100, 1, 0], vec![198, 51, 100, 5, 0]];
        rows.found(&wanted, &[1, 3], both, true, Mono(0));
        assert_eq!(rows.due(&wanted, &read, false, Mono(0)), Vec::<Vec<u32>>::new());
        // None is there: that the protocol runs is not enough.
        rows.found(&wanted, &[1, 3], Vec::new(), true, Mono(0));
        assert_eq!(rows.due(&wanted, &read[1..], false, Mono(0)), [vec![1, 3]]);
    }
}
