//! Interfaces of one device: which names are wanted, in which rows they stand, what a row's answer means.
//!
//! A name is the identity, a row (ifIndex) only where it was found last. Each answer carries the name beside the counters, so a
//! renumbered row is noticed in the answer itself and never feeds the wrong port.
//!
//! Never here: a request, a rate, a judgement.

mod recall;
mod twins;

use super::oids::Col;
use super::share::Shared;
use super::text;
use super::wanted::{Patterns, fits_alias};
use crate::model::snmp::TextEncoding;
use crate::model::{Mono, Name};
use crate::poll::{Counter, InterfaceReading, Ports};
use crate::wire::snmp::ValueView;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::Duration;
use twins::Twin;

/// While a wanted name is missing, look for it again this often (agents without ifTableLastChange do not tell).
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// And this often while the agent is young.
const YOUNG_AGAIN: Duration = Duration::from_secs(10);
/// Look through the names again this often even if nothing seems to have changed.
const REFRESH: Duration = Duration::from_secs(3_600);

/// A row of ifTable that bears a wanted name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) index: u32,
    pub(super) name: Name,
    /// The `alias:` or `session:` of the configuration that it was found by.
    pub(super) found_by: Option<Name>,
    /// The agent gives it no ifName: its name is ifDescr, which no other row bears.
    pub(super) by_descr: bool,
    /// Ask for the 64-bit counters; false once the row has shown to have none.
    pub(super) wide: bool,
    /// Its octets, where they are not those of `name`.
    raw_name: Option<Box<[u8]>>,
    /// ifAlias as last read.
    alias: Option<Name>,
    /// Its octets, where they are not those of `alias`.
    raw_alias: Option<Box<[u8]>>,
    /// It is wanted by its name.
    named: bool,
    /// Others bear its name or its alias: what tells them apart.
    twin: Option<Box<Twin>>,
}

impl Row {
    fn new(index: u32, name: Name) -> Row {
        Row {
            index,
            name,
            found_by: None,
            by_descr: false,
            wide: true,
            raw_name: None,
            alias: None,
            raw_alias: None,
            named: false,
            twin: None,
        }
    }

    /// Other rows bear its name, or the alias that it was found by.
    pub(super) fn has_twins(&self) -> bool {
        self.twin.is_some()
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
    /// The ifNames of an agent that gives some rows none, while its ifDescr is being walked.
    half: Option<Vec<(u32, Name)>>,
    /// Several rows bear one name, or the alias that they are wanted by.
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
    /// What the table has, where it lacks something that is wanted by name.
    ports: Option<Box<Ports>>,
    /// ifNumber and ifTableLastChange when the names were resolved.
    version: (Option<i64>, Option<u32>),
    /// The row preferred among several of one name or alias.
    preferred: Vec<(Name, u32)>,
}

/// What one answer said about one row.
#[derive(Clone, Debug)]
pub(super) struct RowAnswer {
    pub(super) reading: InterfaceReading,
    /// The 64-bit octet counters were asked for and are not there.
    pub(super) narrow: bool,
    /// ifType, where it was asked.
    kind: Option<u32>,
    /// ifAlias is still the one that it was found by.
    right_alias: bool,
}

/// Names shown to whoever wrote one that is not there.
const SHOWN: usize = 8;

fn ports(found: &[(u32, Name)]) -> Ports {
    Ports {
        first: found.iter().take(SHOWN).map(|(_, name)| Name::clone(name)).collect(),
        count: u32::try_from(found.len()).unwrap_or(u32::MAX),
    }
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
    pub(super) fn stale(&self, version: (Option<i64>, Option<u32>), young: bool, now: Mono) -> bool {
        if self.rows.is_none() {
            return true;
        }
        let age = now.since(self.resolved_at);
        let again = if young { YOUNG_AGAIN } else { LOOK_AGAIN };
        let missing = age >= again && !self.missing.is_empty();
        // Where sessions come and go the table changes all the time: walk a tenth of the time at most. A row that bears another name is
        // noticed without a walk.
        let changed = version != self.version && age >= self.cost * 10;
        changed || missing || age >= REFRESH
    }

    /// A walk over ifName has found these names, and `rows` rows in all: do some rows lack one that may be wanted?
    pub(super) fn lacks_names(&self, found: &[(u32, Name)], rows: usize, patterns: &Patterns) -> bool {
        let wanted = |literal: &&Name| !found.iter().any(|(_, name)| name == *literal);
        rows > found.len() && (patterns.has_globs() || patterns.literal.iter().any(|literal| wanted(&literal)))
    }

    /// Keeps these names until ifDescr was walked, too.
    pub(super) fn keep_half(&mut self, found: Vec<(u32, Name)>) {
        self.half = Some(found);
    }

    /// Takes ifDescr as found by a walk. Where ifName was walked before, a row without one is called by its ifDescr if that is the name
    /// of no other row.
    pub(super) fn resolve_descr(
        &mut self,
        found: Vec<(u32, Name)>,
        whole: bool,
        patterns: (&Patterns, usize),
        now: Mono,
    ) -> Option<usize> {
        let Some(mut named) = self.half.take() else {
            self.by_descr = true;
            return self.resolve(found, whole, patterns, now);
        };
        self.by_descr = false;
        let have: BTreeSet<u32> = named.iter().map(|(index, _)| *index).collect();
        let mut bearers: BTreeMap<&Name, usize> = BTreeMap::new();
        let names = named
            .iter()
            .chain(found.iter().filter(|(index, _)| !have.contains(index)));
        names.for_each(|(_, name)| *bearers.entry(name).or_default() += 1);
        let alone = |(index, name): &&(u32, Name)| !have.contains(index) && bearers.get(name) == Some(&1);
        let more: Vec<(u32, Name)> = found.iter().filter(alone).cloned().collect();
        named.extend(more.iter().cloned());
        named.sort_by_key(|(index, _)| *index);
        let taken = self.resolve(named, whole, patterns, now);
        for row in self.rows.iter_mut().flatten() {
            row.by_descr = more.binary_search_by_key(&row.index, |(index, _)| *index).is_ok();
        }
        taken
    }

    /// Takes the names found by a walk. `whole`: the walk came to its end; if not, nothing is said about what it did not find. Of more than
    /// `most` rows those that the configuration spells out are taken first, then the lowest indices: gives how many were taken then.
    pub(super) fn resolve(
        &mut self,
        found: Vec<(u32, Name)>,
        whole: bool,
        (patterns, most): (&Patterns, usize),
        now: Mono,
    ) -> Option<usize> {
        let old: BTreeMap<u32, Row> = self.rows.take().into_iter().flatten().map(|r| (r.index, r)).collect();
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        let mut wanted: Vec<&(u32, Name)> = found.iter().filter(|(_, name)| patterns.by_name(name)).collect();
        let cut = wanted.len() > most;
        if cut {
            wanted.sort_by_key(|(index, name)| (patterns.literal.binary_search(name).is_err(), *index));
            wanted.truncate(most);
        }
        for (index, name) in wanted {
            see(&mut self.seen, name);
            let known = old.get(index).filter(|r| r.name == *name && !r.by_alias()).cloned();
            // 64-bit counters are tried again: they may have been away while the agent started.
            let row = known.unwrap_or_else(|| Row::new(*index, Name::clone(name)));
            let row = Row {
                wide: true,
                named: true,
                by_descr: false,
                ..row
            };
            rows.insert(*index, row);
        }
        let ports = ports(&found);
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
        // Aliases are found, or not, by the walk that follows.
        let lacks = patterns.has_aliases() || self.never_found().next().is_some();
        self.ports = lacks.then(|| Box::new(ports));
        self.resolved_at = now;
        cut.then_some(most)
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
        let mut rows: Vec<Row> = rows.into_values().collect();
        self.twice = twins::find(&mut rows);
        let mut present: Vec<&Name> = rows.iter().map(|r| &r.name).collect();
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

    /// What the table has instead of what was never found.
    pub(super) fn ports(&self) -> Option<Box<Ports>> {
        self.never_found().next()?;
        self.ports.clone()
    }

    /// The readings of a round, one a name, in the order of names. `answers` are sorted by index.
    pub(super) fn readings(&mut self, answers: &mut Vec<(u32, RowAnswer)>, out: &mut Vec<InterfaceReading>) {
        let Some(rows) = self.rows.as_mut() else {
            return;
        };
        out.reserve_exact(answers.len());
        for (index, answer) in answers.drain(..) {
            let Ok(at) = rows.binary_search_by_key(&index, |r| r.index) else {
                continue;
            };
            let row = &mut rows[at];
            if !as_expected(Some(row), Some(&answer)) {
                continue;
            }
            if let Some(twin) = &mut row.twin {
                twin.take(&answer);
            }
            out.push(answer.reading);
        }
        // The sort is stable: of one name, the higher index comes last.
        out.sort_by(|a, b| a.name.cmp(&b.name));
        if self.twice {
            twins::one_a_port(rows, &mut self.preferred, out);
        }
    }
}

fn see(seen: &mut Vec<Name>, name: &Name) {
    if let Err(at) = seen.binary_search(name) {
        seen.insert(at, Name::clone(name));
    }
}

/// What is asked of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// There is no ifXTable: the name is ifDescr.
    pub(super) by_descr: bool,
    /// The name of this row is ifDescr.
    pub(super) called_by_descr: bool,
    /// 64-bit counters.
    pub(super) wide: bool,
    /// Errors, discards, and the packets that they are a share of.
    pub(super) faults: bool,
    /// ifAlias.
    pub(super) alias: bool,
    /// ifType: other rows bear the same name.
    pub(super) kind: bool,
}

#[cfg(test)]
impl Wish {
    /// The longest row.
    pub(super) const EVERYTHING: Wish = Wish {
        by_descr: false,
        called_by_descr: false,
        wide: true,
        faults: true,
        alias: true,
        kind: true,
    };
}

/// The columns asked of a row.
pub(super) fn columns(wish: Wish) -> Vec<Col> {
    let mut cols = vec![
        if wish.by_descr || wish.called_by_descr {
            Col::Descr
        } else {
            Col::Name
        },
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
    if wish.kind {
        cols.push(Col::Type);
    }
    if wish.wide {
        // Some agents leave ifHighSpeed at 0, or give it in another unit: ifSpeed is its witness.
        cols.push(Col::Speed);
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

    /// There is a value, and it is no counter.
    fn mistyped(&self, col: Col) -> bool {
        self.get(col).is_some_and(|v| !v.is_absent()) && self.counter(col).is_none()
    }

    /// One of the states of RFC 2863, which end at `last`. Another number says nothing.
    fn status(&self, col: Col, last: u8) -> Option<u8> {
        match self.get(col)? {
            ValueView::Integer(v) => u8::try_from(v).ok().filter(|v| (1..=last).contains(v)),
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

/// Reads a row's answer; `None` if the row has no name (it is gone). Without `uptime` its counters are worth nothing: its state remains.
/// `row` is what is known of it: a name that is still the same is not made anew.
pub(super) fn read_row<'a>(
    index: u32,
    cells: impl Iterator<Item = (Col, ValueView<'a>)>,
    row: Option<&mut Row>,
    (uptime, at): (Option<u32>, Mono),
    encoding: TextEncoding,
) -> Option<RowAnswer> {
    let cells = Cells::of(cells);
    let mut row = row;
    let name = cells.get(Col::Name).or(cells.get(Col::Descr))?;
    let name = read_name(name, row.as_deref_mut(), encoding)?;
    // Absent, not merely unreadable: one damaged answer must not change what is asked from now on.
    let absent = |col| cells.get(col).is_some_and(ValueView::is_absent);
    let found_by = row.as_ref().and_then(|r| r.found_by.clone());
    let alias = read_alias(cells.get(Col::Alias), row, encoding);
    let right_alias = found_by
        .as_deref()
        .is_none_or(|pattern| alias.as_deref().is_some_and(|a| fits_alias(pattern, a, &name)));
    let octets = [Col::HcInOctets, Col::HcOutOctets, Col::InOctets, Col::OutOctets];
    let (speed_bps, other_speed_bps) = speeds(cells.get(Col::HighSpeed), cells.get(Col::Speed));
    let with_time = |counter: Option<Counter>| counter.filter(|_| uptime.is_some());
    let reading = InterfaceReading {
        name,
        found_by,
        index,
        alias,
        admin: cells.status(Col::Admin, 3),
        oper: cells.status(Col::Oper, 7),
        speed_bps,
        other_speed_bps,
        in_octets: with_time(cells.counter(Col::HcInOctets).or(cells.counter(Col::InOctets))),
        out_octets: with_time(cells.counter(Col::HcOutOctets).or(cells.counter(Col::OutOctets))),
        octets_mistyped: octets.into_iter().any(|col| cells.mistyped(col)),
        packets: with_time(cells.packets()),
        errors: with_time(cells.both(Col::InErrors, Col::OutErrors)),
        discards: with_time(cells.both(Col::InDiscards, Col::OutDiscards)),
        discontinuity: match cells.get(Col::Discontinuity) {
            Some(ValueView::TimeTicks(v)) => Some(v),
            _ => None,
        },
        uptime: uptime.unwrap_or(0),
        untimed: uptime.is_none(),
        at,
        ambiguous: false,
        twins: 0,
    };
    let narrow = absent(Col::HcInOctets) && absent(Col::HcOutOctets);
    let kind = match cells.get(Col::Type) {
        Some(ValueView::Integer(v)) => u32::try_from(v).ok(),
        _ => None,
    };
    Some(RowAnswer {
        reading,
        narrow,
        kind,
        right_alias,
    })
}

/// The octets are those of a text that is known.
fn is_same(octets: &[u8], text: &str, raw: Option<&[u8]>) -> bool {
    raw.map_or(octets == text.as_bytes(), |raw| octets == raw)
}

/// What has to be kept beside a text to know it again.
fn raw_of(value: ValueView<'_>, text: &str) -> Option<Box<[u8]>> {
    match value {
        ValueView::OctetString(octets) if octets != text.as_bytes() => Some(octets.into()),
        _ => None,
    }
}

/// The name; one that is still the same is not made anew.
fn read_name(value: ValueView<'_>, row: Option<&mut Row>, encoding: TextEncoding) -> Option<Name> {
    if let (ValueView::OctetString(octets), Some(row)) = (value, &row)
        && is_same(octets, &row.name, row.raw_name.as_deref())
    {
        return Some(Name::clone(&row.name));
    }
    let name = text::name(value, encoding)?;
    match row.filter(|row| row.name == name) {
        Some(row) => {
            row.raw_name = raw_of(value, &name);
            Some(Name::clone(&row.name))
        }
        None => Some(name),
    }
}

/// The alias; one that is still the same is not made anew.
fn read_alias(value: Option<ValueView<'_>>, row: Option<&mut Row>, encoding: TextEncoding) -> Option<Name> {
    let value = value?;
    let known = row
        .as_ref()
        .and_then(|row| Some((row.alias.as_ref()?, row.raw_alias.as_deref())));
    if let (ValueView::OctetString(octets), Some((known, raw))) = (value, known)
        && is_same(octets, known, raw)
    {
        return Some(Name::clone(known));
    }
    let alias = text::name(value, encoding);
    if let Some(row) = row {
        row.raw_alias = alias.as_deref().and_then(|alias| raw_of(value, alias));
        row.alias.clone_from(&alias);
    }
    alias
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

/// What an ifSpeed at its end says is only "more" (RFC 2863); some agents round the end down.
const SPEED_FULL: u32 = 4_290_000_000;
/// Mbit/s: no port is faster. An ifHighSpeed in bit/s is, from 100 Mbit/s on.
const HIGH_SPEED_MOST: u32 = 100_000_000;
/// Mbit/s: faster ones are believed only if ifSpeed is at its end. 10 Mbit/s in bit/s are so many.
const HIGH_SPEED_ALONE: u32 = 10_000_000;

/// The speed by ifHighSpeed (Mbit/s) and ifSpeed (bit/s), and the other one if the two contradict each other: the smaller comes first.
fn speeds(high: Option<ValueView<'_>>, low: Option<ValueView<'_>>) -> (Option<u64>, Option<u64>) {
    let number = |value: Option<ValueView<'_>>| match value {
        Some(ValueView::Gauge32(v)) => Some(v).filter(|v| *v > 0),
        Some(ValueView::Integer(v)) => u32::try_from(v).ok().filter(|v| *v > 0),
        _ => None,
    };
    let (high, low) = (number(high).filter(|h| *h <= HIGH_SPEED_MOST), number(low));
    let full = low.is_some_and(|l| l >= SPEED_FULL);
    let low = low.filter(|_| !full).map(u64::from);
    let high = high
        .filter(|h| full || *h < HIGH_SPEED_ALONE)
        .map(|h| u64::from(h) * 1_000_000);
    let (Some(h), Some(l)) = (high, low) else {
        return (high.or(low), None);
    };
    // ifHighSpeed is ifSpeed rounded to Mbit/s. An ifSpeed without an end is what is left of the speed by 32 bits.
    let near = |a: u64, b: u64| a.abs_diff(b) <= 1_000_000.max(b / 50);
    if near(h, l) || near(h % (1 << 32), l) {
        return (high, None);
    }
    (Some(h.min(l)), Some(h.max(l)))
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
        let one = |high, low| speeds(high, low);
        assert_eq!(
            one(Some(gauge(10_000)), Some(gauge(u32::MAX))),
            (Some(10_000_000_000), None)
        );
        assert_eq!(one(Some(gauge(0)), Some(gauge(64_000))), (Some(64_000), None));
        assert_eq!(
            one(None, Some(gauge(u32::MAX))),
            (None, None),
            "that only says: more than 4.29 Gbit/s"
        );
        assert_eq!(one(Some(gauge(0)), None), (None, None));
        assert_eq!(one(Some(gauge(800_000)), None), (Some(800_000_000_000), None));
        assert_eq!(
            one(Some(gauge(2)), Some(gauge(1_544_000))),
            (Some(2_000_000), None),
            "rounded"
        );
    }

    #[test]
    fn a_speed_in_another_unit_or_without_an_end_is_noticed() {
        let (gauge, giga) = (ValueView::Gauge32, 1_000_000_000);
        let one = |high: u32, low: u32| speeds(Some(gauge(high)), Some(gauge(low)));
        assert_eq!(one(giga, giga), (Some(u64::from(giga)), None), "ifHighSpeed in bit/s");
        assert_eq!(one(100_000_000, 100_000_000), (Some(100_000_000), None));
        assert_eq!(one(10_000_000, 10_000_000), (Some(10_000_000), None));
        assert_eq!(
            one(1_410_065_408, u32::MAX),
            (None, None),
            "10 Gbit/s in bit/s, of which 32 bits are left"
        );
        assert_eq!(one(u32::MAX, u32::MAX), (None, None));
        assert_eq!(one(u32::MAX, giga), (Some(u64::from(giga)), None));
        assert_eq!(
            one(10_000, 1_410_065_408),
            (Some(10_000_000_000), None),
            "an ifSpeed that went round"
        );
        assert_eq!(one(10, giga), (Some(10_000_000), Some(u64::from(giga))));
        assert_eq!(one(1_000, 10_000_000), (Some(10_000_000), Some(u64::from(giga))));
        assert_eq!(speeds(Some(gauge(giga)), None), (None, None));
        let integer = ValueView::Integer(i64::from(giga));
        assert_eq!(
            speeds(None, Some(integer)),
            (Some(u64::from(giga)), None),
            "not a Gauge32, and a number"
        );
    }
}
