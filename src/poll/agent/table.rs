//! Interfaces of one device: which names are wanted, in which rows they stand, what a row's answer means.
//!
//! A name is the identity, a row (ifIndex) only where it was found last. Each answer carries the name beside the counters, so a
//! renumbered row is noticed in the answer itself and never feeds the wrong port.
//!
//! Never here: a request, a rate, a judgement.

mod recall;

use super::oids::Col;
use super::share::Shared;
use super::text;
use super::wanted::{Patterns, fits_alias};
use crate::model::{Mono, Name};
use crate::poll::{Counter, InterfaceReading};
use crate::wire::snmp::ValueView;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::Duration;

/// While a wanted name is missing, look for it again this often (agents without ifTableLastChange do not tell).
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// Look through the names again this often even if nothing seems to have changed.
const REFRESH: Duration = Duration::from_secs(3_600);

/// A row of ifTable that bears a wanted name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) index: u32,
    pub(super) name: Name,
    /// The `alias:` or `session:` of the configuration that it was found by.
    pub(super) found_by: Option<Name>,
    /// Ask for the 64-bit counters; false once the row has shown to have none.
    pub(super) wide: bool,
    /// ifAlias as last read.
    alias: Option<Name>,
    /// Octets in and out at the last reading, to see which of two rows of one name moves.
    octets: Option<(u64, u64)>,
}

impl Row {
    fn new(index: u32, name: Name) -> Row {
        Row {
            index,
            name,
            found_by: None,
            wide: true,
            alias: None,
            octets: None,
        }
    }

    /// Its ifAlias decides whether it is the right one.
    pub(super) fn by_alias(&self) -> bool {
        self.found_by.is_some()
    }
}

/// What is known about a device's interfaces.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order of their index; `None` until names were resolved.
    pub(super) rows: Option<Vec<Row>>,
    /// Names come from ifDescr: the agent has no ifXTable.
    pub(super) by_descr: bool,
    /// Several rows bear one name.
    twice: bool,
    resolved_at: Mono,
    /// How long the last walk over the names took.
    cost: Duration,
    /// Every name that was ever matched by a pattern, and every `alias:` and `session:` that was ever found, sorted.
    seen: Vec<Name>,
    /// What was seen or is wanted and stands in no row, since names were resolved.
    missing: Vec<Name>,
    /// All names of the table, while its aliases are being walked.
    names: Vec<(u32, Name)>,
    /// ifNumber and ifTableLastChange when the names were resolved.
    version: (Option<i64>, Option<u32>),
    /// The row preferred among several of one name.
    preferred: Vec<(Name, u32)>,
}

/// What one answer said about one row.
#[derive(Clone, Debug)]
pub(super) struct RowAnswer {
    pub(super) reading: InterfaceReading,
    /// The 64-bit octet counters were asked for and are not there.
    pub(super) narrow: bool,
    /// ifAlias is still the one that it was found by.
    right_alias: bool,
}

/// Is the answer of a row from the interface that was expected there?
pub(super) fn as_expected(row: Option<&Row>, answer: Option<&RowAnswer>) -> bool {
    match (row, answer) {
        (Some(row), Some(answer)) => row.name == answer.reading.name && answer.right_alias,
        (None, None) => true,
        _ => false,
    }
}

impl Table {
    /// Looks at what a round needs.
    pub(super) fn warm(&self) {
        let row = self.rows.as_ref().and_then(|rows| rows.first());
        let letter = |text: &Name| text.as_bytes().first().copied();
        black_box(row.map(|row| (row.index, letter(&row.name), row.alias.as_ref().map(letter))));
        black_box((self.resolved_at, self.version, self.missing.len(), self.preferred.len()));
    }

    /// The row of an index.
    pub(super) fn row(&mut self, index: u32) -> Option<&mut Row> {
        let rows = self.rows.as_mut()?;
        let at = rows.binary_search_by_key(&index, |r| r.index).ok()?;
        rows.get_mut(at)
    }

    /// Names are known, and from ifName.
    pub(super) fn has_names(&self) -> bool {
        !self.by_descr && self.rows.as_ref().is_some_and(|rows| !rows.is_empty())
    }

    /// Do the names have to be looked up, given what this round has read?
    pub(super) fn stale(&self, version: (Option<i64>, Option<u32>), now: Mono) -> bool {
        if self.rows.is_none() {
            return true;
        }
        let age = now.since(self.resolved_at);
        let missing = age >= LOOK_AGAIN && !self.missing.is_empty();
        // Where sessions come and go the table changes all the time: walk a tenth of the time at most. A row that bears another name is
        // noticed without a walk.
        let changed = version != self.version && age >= self.cost * 10;
        changed || missing || age >= REFRESH
    }

    /// Takes the names found by a walk. `whole`: the walk came to its end; if not, nothing is said about what it did not find.
    pub(super) fn resolve(&mut self, found: Vec<(u32, Name)>, whole: bool, patterns: &Patterns, now: Mono) {
        let old: BTreeMap<u32, Row> = self.rows.take().into_iter().flatten().map(|r| (r.index, r)).collect();
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        for (index, name) in &found {
            if !patterns.by_name(name) {
                continue;
            }
            see(&mut self.seen, name);
            let known = old.get(index).filter(|r| r.name == *name && !r.by_alias()).cloned();
            // 64-bit counters are tried again: they may have been away while the agent started.
            let row = known.unwrap_or_else(|| Row::new(*index, Name::clone(name)));
            rows.insert(*index, Row { wide: true, ..row });
        }
        let present: BTreeSet<Name> = rows.values().map(|r| Name::clone(&r.name)).collect();
        for (index, row) in old {
            // Rows found by alias stay until the aliases have been walked, too.
            if row.by_alias() || !whole && !present.contains(&row.name) {
                rows.entry(index).or_insert(row);
            }
        }
        if patterns.has_aliases() {
            self.names = found;
        }
        self.set_rows(rows, patterns);
        self.resolved_at = now;
    }

    /// Takes the aliases found by a walk, after the names.
    pub(super) fn resolve_aliases(&mut self, found: Vec<(u32, Name)>, whole: bool, patterns: &Patterns) {
        let names = std::mem::take(&mut self.names);
        let name_of = |index: u32| {
            let at = names.binary_search_by_key(&index, |(i, _)| *i).ok()?;
            names.get(at).map(|(_, name)| Name::clone(name))
        };
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        let mut aliases: Vec<Name> = Vec::new();
        for row in self.rows.take().into_iter().flatten() {
            if row.by_alias() && !whole {
                aliases.extend(row.found_by.clone());
                rows.insert(row.index, row);
            } else if !row.by_alias() {
                rows.insert(row.index, row);
            }
        }
        for (index, alias) in found {
            let name = name_of(index);
            let (Some(pattern), Some(name)) = (patterns.by_alias(&alias, name.as_deref()), name) else {
                continue;
            };
            see(&mut self.seen, &pattern);
            // A row that is wanted by its name as well is read once; the alias goes with it.
            let row = rows.entry(index).or_insert_with(|| Row::new(index, name));
            row.found_by = Some(pattern);
        }
        self.set_rows(rows, patterns);
    }

    fn set_rows(&mut self, rows: BTreeMap<u32, Row>, patterns: &Patterns) {
        self.preferred.retain(|(_, index)| rows.contains_key(index));
        let rows: Vec<Row> = rows.into_values().collect();
        let mut present: Vec<&Name> = rows.iter().map(|r| &r.name).collect();
        present.sort_unstable();
        self.twice = present.windows(2).any(|w| w[0] == w[1]);
        present.extend(rows.iter().filter_map(|r| r.found_by.as_ref()));
        present.sort_unstable();
        let wanted = self
            .seen
            .iter()
            .chain(patterns.literal.iter())
            .chain(patterns.aliases.iter());
        let mut missing: Vec<Name> = wanted.filter(|n| present.binary_search(n).is_err()).cloned().collect();
        missing.sort_unstable();
        missing.dedup();
        missing.shrink_to_fit();
        self.missing = missing;
        self.rows = Some(rows);
    }

    /// Names that other devices have too are kept once.
    pub(super) fn share(&mut self, names: &mut Shared<str>) {
        let rows = self.rows.iter_mut().flatten().map(|row| &mut row.name);
        let all = rows.chain(&mut self.seen).chain(&mut self.missing);
        all.for_each(|name| *name = names.one(name));
    }

    /// Remembers what the table looked like when its names were right, and how long it took to read them.
    pub(super) fn set_version(&mut self, version: (Option<i64>, Option<u32>), cost: Duration) {
        self.version = version;
        self.cost = cost;
    }

    /// The configuration wants other names: look them up again, keep what was seen of those still wanted.
    pub(super) fn rewanted(&mut self, patterns: &Patterns) {
        self.rows = None;
        self.missing = Vec::new();
        self.seen.retain(|name| patterns.wants(name));
    }

    /// Names wanted or once seen that stand in no row, sorted. Empty until names were resolved.
    pub(super) fn missing_names(&self) -> &[Name] {
        if self.rows.is_some() { &self.missing } else { &[] }
    }

    /// Those of them that were never found.
    pub(super) fn never_found(&self) -> impl Iterator<Item = &Name> {
        let never = |name: &&Name| self.seen.binary_search(name).is_err();
        self.missing_names().iter().filter(never)
    }

    /// The readings of a round, one a name, in the order of names. Of two rows with one name the one that moves is taken.
    /// `answers` are sorted by index.
    pub(super) fn readings(&mut self, answers: &mut Vec<(u32, RowAnswer)>, out: &mut Vec<InterfaceReading>) {
        let Some(rows) = self.rows.as_mut() else {
            return;
        };
        let mut moving: Vec<u32> = Vec::new();
        out.reserve_exact(answers.len());
        for (index, answer) in answers.drain(..) {
            let Ok(at) = rows.binary_search_by_key(&index, |r| r.index) else {
                continue;
            };
            let row = &mut rows[at];
            if !as_expected(Some(row), Some(&answer)) {
                continue;
            }
            let octets = both(answer.reading.in_octets, answer.reading.out_octets);
            // Which one moves matters only where several bear one name.
            if self.twice && row.octets.is_some() && octets.is_some() && row.octets != octets {
                moving.push(index);
            }
            row.octets = octets.or(row.octets);
            out.push(answer.reading);
        }
        // The sort is stable: of one name, the higher index comes last.
        out.sort_by(|a, b| a.name.cmp(&b.name));
        if self.twice {
            let all = std::mem::take(out).into_iter();
            let all = all.map(|r| {
                let moved = moving.contains(&r.index);
                (r, moved)
            });
            let picked = self.one_a_name(all.collect());
            out.extend(picked.into_iter().map(|(reading, _)| reading));
        }
    }

    fn one_a_name(&mut self, all: Vec<(InterfaceReading, bool)>) -> Vec<(InterfaceReading, bool)> {
        let rows = self.rows.as_deref().unwrap_or_default();
        let mut out: Vec<(InterfaceReading, bool)> = Vec::with_capacity(all.len());
        let mut rest = all.into_iter().peekable();
        while let Some(first) = rest.next() {
            let name = Name::clone(&first.0.name);
            let mut candidates = vec![first];
            while let Some(next) = rest.next_if(|(r, _)| r.name == name) {
                candidates.push(next);
            }
            if rows.iter().filter(|r| r.name == name).count() < 2 {
                out.append(&mut candidates);
                continue;
            }
            // The newer row has the higher index as a rule; that decides until one of them moves.
            let mut movers = candidates.iter().filter(|(_, moved)| *moved);
            let known = self.preferred.iter_mut().find(|(n, _)| *n == name);
            let pick = match (movers.next(), movers.next()) {
                (Some((only, _)), None) => only.index,
                _ => match &known {
                    Some((_, index)) if candidates.iter().any(|(r, _)| r.index == *index) => *index,
                    _ => candidates.last().map_or(0, |(r, _)| r.index),
                },
            };
            match known {
                Some((_, index)) => *index = pick,
                None => self.preferred.push((name, pick)),
            }
            candidates.retain(|(r, _)| r.index == pick);
            let ambiguous = |(r, moved)| (InterfaceReading { ambiguous: true, ..r }, moved);
            out.extend(candidates.pop().map(ambiguous));
        }
        out
    }
}

fn see(seen: &mut Vec<Name>, name: &Name) {
    if let Err(at) = seen.binary_search(name) {
        seen.insert(at, Name::clone(name));
    }
}

/// The most columns of a slim row.
pub(super) const SLIM_COLUMNS: usize = 8;

/// What is asked of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// The name is ifDescr.
    pub(super) by_descr: bool,
    /// 64-bit counters.
    pub(super) wide: bool,
    /// Only what health needs, for agents whose answers must be short.
    pub(super) slim: bool,
    /// Errors, discards, and the packets that they are a share of.
    pub(super) faults: bool,
    /// ifAlias.
    pub(super) alias: bool,
}

#[cfg(test)]
impl Wish {
    /// The longest row.
    pub(super) const EVERYTHING: Wish = Wish {
        by_descr: false,
        wide: true,
        slim: false,
        faults: true,
        alias: true,
    };
}

/// The columns asked of a row.
pub(super) fn columns(wish: Wish) -> Vec<Col> {
    let mut cols = vec![
        if wish.by_descr { Col::Descr } else { Col::Name },
        Col::Admin,
        Col::Oper,
    ];
    if wish.wide {
        cols.extend([Col::HcInOctets, Col::HcOutOctets, Col::HighSpeed]);
    } else {
        cols.extend([Col::InOctets, Col::OutOctets, Col::Speed]);
        if !wish.by_descr {
            cols.push(Col::HighSpeed);
        }
    }
    if !wish.by_descr && wish.alias {
        cols.push(Col::Alias);
    }
    if wish.slim {
        return cols;
    }
    if wish.faults {
        cols.extend([Col::InErrors, Col::OutErrors, Col::InDiscards, Col::OutDiscards]);
        if wish.wide {
            cols.extend([Col::HcInUcast, Col::HcInMulticast, Col::HcInBroadcast]);
            cols.extend([Col::HcOutUcast, Col::HcOutMulticast, Col::HcOutBroadcast]);
        } else {
            cols.extend([Col::InUcast, Col::OutUcast]);
        }
    }
    if !wish.by_descr {
        cols.push(Col::Discontinuity);
    }
    cols
}

/// The values of a row by column.
struct Cells<'a>([Option<ValueView<'a>>; Col::COUNT]);

impl<'a> Cells<'a> {
    fn of(cells: impl Iterator<Item = (Col, ValueView<'a>)>) -> Cells<'a> {
        let mut all = [None; Col::COUNT];
        cells.for_each(|(col, value)| all[col as usize] = Some(value));
        Cells(all)
    }

    fn get(&self, col: Col) -> Option<ValueView<'a>> {
        self.0[col as usize]
    }

    fn counter(&self, col: Col) -> Option<Counter> {
        match self.get(col)? {
            ValueView::Counter32(v) => Some(Counter::C32(v)),
            ValueView::Counter64(v) => Some(Counter::C64(v)),
            _ => None,
        }
    }

    fn status(&self, col: Col) -> Option<u8> {
        match self.get(col)? {
            ValueView::Integer(v) => u8::try_from(v).ok(),
            _ => None,
        }
    }

    /// All packets, where 64-bit counters exist; else unicast.
    fn packets(&self) -> Option<Counter> {
        let wide = [
            Col::HcInUcast,
            Col::HcInMulticast,
            Col::HcInBroadcast,
            Col::HcOutUcast,
            Col::HcOutMulticast,
            Col::HcOutBroadcast,
        ];
        let all = match wide.map(|c| self.counter(c)) {
            [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)] => sum(&[a, b, c, d, e, f]),
            _ => None,
        };
        let pair = |a, b| sum(&[self.counter(a)?, self.counter(b)?]);
        all.or_else(|| pair(Col::HcInUcast, Col::HcOutUcast))
            .or_else(|| pair(Col::InUcast, Col::OutUcast))
    }

    fn both(&self, a: Col, b: Col) -> Option<Counter> {
        sum(&[self.counter(a)?, self.counter(b)?])
    }
}

/// Reads a row's answer; `None` if the row has no name (it is gone). Without `uptime` the caller throws the counters away.
/// `row` is what is known of it: a name that is still the same is not made anew.
pub(super) fn read_row<'a>(
    index: u32,
    cells: impl Iterator<Item = (Col, ValueView<'a>)>,
    row: Option<&mut Row>,
    uptime: Option<u32>,
    at: Mono,
) -> Option<RowAnswer> {
    let cells = Cells::of(cells);
    let name = cells.get(Col::Name).or(cells.get(Col::Descr))?;
    let known = row.as_ref().map(|r| &r.name);
    let known = known.filter(|known| matches!(name, ValueView::OctetString(bytes) if bytes == known.as_bytes()));
    let name = match known {
        Some(known) => Name::clone(known),
        None => text::name(name)?,
    };
    // Absent, not merely unreadable: one damaged answer must not change what is asked from now on.
    let absent = |col| cells.get(col).is_some_and(ValueView::is_absent);
    let found_by = row.as_ref().and_then(|r| r.found_by.clone());
    let alias = read_alias(cells.get(Col::Alias), row);
    let right_alias = found_by
        .as_deref()
        .is_none_or(|pattern| alias.as_deref().is_some_and(|a| fits_alias(pattern, a, &name)));
    let reading = InterfaceReading {
        name,
        found_by,
        index,
        alias,
        admin: cells.status(Col::Admin),
        oper: cells.status(Col::Oper),
        speed_bps: speed(cells.get(Col::HighSpeed), cells.get(Col::Speed)),
        in_octets: cells.counter(Col::HcInOctets).or(cells.counter(Col::InOctets)),
        out_octets: cells.counter(Col::HcOutOctets).or(cells.counter(Col::OutOctets)),
        packets: cells.packets(),
        errors: cells.both(Col::InErrors, Col::OutErrors),
        discards: cells.both(Col::InDiscards, Col::OutDiscards),
        discontinuity: match cells.get(Col::Discontinuity) {
            Some(ValueView::TimeTicks(v)) => Some(v),
            _ => None,
        },
        uptime: uptime.unwrap_or(0),
        at,
        ambiguous: false,
    };
    let narrow = absent(Col::HcInOctets) && absent(Col::HcOutOctets);
    Some(RowAnswer {
        reading,
        narrow,
        right_alias,
    })
}

/// The alias; one that is still the same is not made anew.
fn read_alias(value: Option<ValueView<'_>>, row: Option<&mut Row>) -> Option<Name> {
    let known = row.as_ref().and_then(|row| row.alias.as_ref());
    match (value?, known) {
        (ValueView::OctetString(bytes), Some(known)) if bytes == known.as_bytes() => Some(Name::clone(known)),
        (value, _) => {
            let alias = text::name(value);
            if let Some(row) = row {
                row.alias.clone_from(&alias);
            }
            alias
        }
    }
}

/// The wrapping sum of counters of one width; a sum over mixed widths has no wrap and is refused.
fn sum(counters: &[Counter]) -> Option<Counter> {
    let (first, rest) = counters.split_first()?;
    rest.iter().try_fold(*first, |sum, next| match (sum, next) {
        (Counter::C64(a), Counter::C64(b)) => Some(Counter::C64(a.wrapping_add(*b))),
        (Counter::C32(a), Counter::C32(b)) => Some(Counter::C32(a.wrapping_add(*b))),
        _ => None,
    })
}

fn both(a: Option<Counter>, b: Option<Counter>) -> Option<(u64, u64)> {
    let number = |c| match c {
        Counter::C64(v) => v,
        Counter::C32(v) => u64::from(v),
    };
    Some((number(a?), number(b?)))
}

/// ifHighSpeed in Mbit/s; below that, or without it, ifSpeed (whose largest value only says "more").
fn speed(high: Option<ValueView<'_>>, low: Option<ValueView<'_>>) -> Option<u64> {
    let number = |value: Option<ValueView<'_>>| match value {
        Some(ValueView::Gauge32(v)) if v > 0 => Some(v),
        _ => None,
    };
    let low = number(low).filter(|v| *v != u32::MAX).map(u64::from);
    number(high).map(|v| u64::from(v) * 1_000_000).or(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_their_width() {
        let (c32, c64) = (Counter::C32(u32::MAX), Counter::C64(5));
        assert_eq!(
            sum(&[c32, Counter::C32(3)]),
            Some(Counter::C32(2)),
            "it wraps like a counter"
        );
        assert_eq!(sum(&[c64, c64]), Some(Counter::C64(10)));
        assert_eq!(sum(&[c32, c64]), None);
        assert_eq!(sum(&[]), None);
    }

    #[test]
    fn speed_below_and_above() {
        let gauge = ValueView::Gauge32;
        assert_eq!(speed(Some(gauge(10_000)), Some(gauge(u32::MAX))), Some(10_000_000_000));
        assert_eq!(speed(Some(gauge(0)), Some(gauge(64_000))), Some(64_000));
        assert_eq!(
            speed(None, Some(gauge(u32::MAX))),
            None,
            "that only says: more than 4.29 Gbit/s"
        );
        assert_eq!(speed(Some(gauge(0)), None), None);
    }

    #[test]
    fn the_slim_row_is_as_small_as_it_says() {
        for (by_descr, wide) in [(false, true), (false, false), (true, false)] {
            let wish = |slim| Wish {
                by_descr,
                wide,
                slim,
                ..Wish::EVERYTHING
            };
            assert!(columns(wish(true)).len() <= SLIM_COLUMNS);
            assert!(columns(wish(false)).len() > SLIM_COLUMNS);
        }
    }
}
