//! Interfaces of one device: which names are wanted, in which rows they stand, what a row's answer means.
//!
//! A name is the identity, a row (ifIndex) only where it was found last. Each answer carries the name beside the counters, so a
//! renumbered row is noticed in the answer itself and never feeds the wrong port.
//!
//! Never here: a request, a rate, a judgement.

use super::oids::Col;
use super::text;
use crate::model::{Mono, Name};
use crate::poll::{Counter, InterfaceReading};
use crate::wire::snmp::Value;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Ask for the 64-bit counters; false once the row has shown to have none.
    pub(super) wide: bool,
    /// Octets in and out at the last reading, to see which of two rows of one name moves.
    octets: Option<(u64, u64)>,
}

/// What is known about a device's interfaces.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order of their index; `None` until names were resolved.
    pub(super) rows: Option<Vec<Row>>,
    /// Names come from ifDescr: the agent has no ifXTable.
    pub(super) by_descr: bool,
    resolved_at: Mono,
    /// How long the last walk over the names took.
    cost: Duration,
    /// Every name that was ever matched; what is not in `rows` is missing.
    seen: BTreeSet<Name>,
    /// ifNumber and ifTableLastChange when the names were resolved.
    version: (Option<i64>, Option<u32>),
    /// The row preferred among several of one name.
    preferred: BTreeMap<Name, u32>,
}

/// What one answer said about one row.
#[derive(Clone, Debug)]
pub(super) struct RowAnswer {
    pub(super) reading: InterfaceReading,
    /// The 64-bit octet counters were asked for and are not there.
    pub(super) narrow: bool,
}

impl Table {
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
    pub(super) fn stale(&self, version: (Option<i64>, Option<u32>), patterns: &[Name], now: Mono) -> bool {
        let Some(rows) = &self.rows else {
            return true;
        };
        let age = now.since(self.resolved_at);
        let missing = age >= LOOK_AGAIN && !self.missing(patterns, rows).is_empty();
        // Where sessions come and go the table changes all the time: walk a tenth of the time at most. A row that bears another name is
        // noticed without a walk.
        let changed = version != self.version && age >= self.cost * 10;
        changed || missing || age >= REFRESH
    }

    /// Takes the names found by a walk. `whole`: the walk came to its end; if not, nothing is said about what it did not find.
    pub(super) fn resolve(&mut self, found: Vec<(u32, Name)>, whole: bool, patterns: &[Name], now: Mono) {
        let old: BTreeMap<u32, Row> = self.rows.take().into_iter().flatten().map(|r| (r.index, r)).collect();
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        for (index, name) in found {
            if !patterns.iter().any(|p| matches(p, &name)) {
                continue;
            }
            self.seen.insert(Name::clone(&name));
            let known = old.get(&index).filter(|r| r.name == name).cloned();
            let fresh = Row {
                index,
                name,
                wide: true,
                octets: None,
            };
            // 64-bit counters are tried again: they may have been away while the agent started.
            rows.insert(index, known.map_or(fresh, |row| Row { wide: true, ..row }));
        }
        if !whole {
            let present: BTreeSet<Name> = rows.values().map(|r| Name::clone(&r.name)).collect();
            for (index, row) in old {
                if !present.contains(&row.name) {
                    rows.entry(index).or_insert(row);
                }
            }
        }
        self.preferred.retain(|_, index| rows.contains_key(index));
        self.rows = Some(rows.into_values().collect());
        self.resolved_at = now;
    }

    /// Remembers what the table looked like when its names were right, and how long it took to read them.
    pub(super) fn set_version(&mut self, version: (Option<i64>, Option<u32>), cost: Duration) {
        self.version = version;
        self.cost = cost;
    }

    /// The configuration wants other names: look them up again, keep what was seen of those still wanted.
    pub(super) fn rewanted(&mut self, patterns: &[Name]) {
        self.rows = None;
        self.seen.retain(|name| patterns.iter().any(|p| matches(p, name)));
    }

    /// Names wanted or once seen that stand in no row. Empty until names were resolved.
    pub(super) fn missing_names(&self, patterns: &[Name]) -> Vec<Name> {
        self.rows
            .as_ref()
            .map(|rows| self.missing(patterns, rows))
            .unwrap_or_default()
    }

    fn missing(&self, patterns: &[Name], rows: &[Row]) -> Vec<Name> {
        let literal = patterns.iter().filter(|p| !p.contains(['*', '?']));
        let all: BTreeSet<&Name> = self.seen.iter().chain(literal).collect();
        let present: BTreeSet<&Name> = rows.iter().map(|r| &r.name).collect();
        all.difference(&present).map(|n| Name::clone(n)).collect()
    }

    /// The readings of a round, one a name, in the order of names. Of two rows with one name the one that moves is taken.
    pub(super) fn readings(&mut self, answers: &BTreeMap<u32, RowAnswer>) -> Vec<InterfaceReading> {
        let Table {
            rows: Some(rows),
            preferred,
            ..
        } = self
        else {
            return Vec::new();
        };
        let mut by_name: BTreeMap<Name, Vec<(InterfaceReading, bool)>> = BTreeMap::new();
        let mut count: BTreeMap<Name, usize> = BTreeMap::new();
        for row in rows.iter_mut() {
            *count.entry(Name::clone(&row.name)).or_default() += 1;
            let Some(answer) = answers.get(&row.index).filter(|a| a.reading.name == row.name) else {
                continue;
            };
            let octets = both(answer.reading.in_octets, answer.reading.out_octets);
            let moved = row.octets.is_some() && octets.is_some() && row.octets != octets;
            row.octets = octets.or(row.octets);
            let entry = by_name.entry(Name::clone(&row.name)).or_default();
            entry.push((answer.reading.clone(), moved));
        }
        let mut out = Vec::with_capacity(by_name.len());
        for (name, mut candidates) in by_name {
            let twice = count.get(&name).is_some_and(|n| *n > 1);
            // The newer row has the higher index as a rule; that decides until one of them moves.
            let mut movers = candidates.iter().filter(|(_, moved)| *moved);
            let pick = match (movers.next(), movers.next()) {
                (Some((only, _)), None) => only.index,
                _ => match preferred.get(&name) {
                    Some(index) if candidates.iter().any(|(r, _)| r.index == *index) => *index,
                    _ => candidates.last().map_or(0, |(r, _)| r.index),
                },
            };
            if twice {
                preferred.insert(name, pick);
            }
            candidates.retain(|(r, _)| r.index == pick);
            out.extend(
                candidates
                    .pop()
                    .map(|(r, _)| InterfaceReading { ambiguous: twice, ..r }),
            );
        }
        out
    }
}

/// The most columns of a slim row.
pub(super) const SLIM_COLUMNS: usize = 7;

/// The columns asked of a row. `slim`: only what health needs, for agents whose answers must be short.
pub(super) fn columns(by_descr: bool, wide: bool, slim: bool) -> Vec<Col> {
    let mut cols = vec![if by_descr { Col::Descr } else { Col::Name }, Col::Admin, Col::Oper];
    if wide {
        cols.extend([Col::HcInOctets, Col::HcOutOctets, Col::HighSpeed]);
    } else {
        cols.extend([Col::InOctets, Col::OutOctets, Col::Speed]);
        if !by_descr {
            cols.push(Col::HighSpeed);
        }
    }
    if slim {
        return cols;
    }
    cols.extend([Col::InErrors, Col::OutErrors, Col::InDiscards, Col::OutDiscards]);
    if wide {
        cols.extend([Col::HcInUcast, Col::HcInMulticast, Col::HcInBroadcast]);
        cols.extend([Col::HcOutUcast, Col::HcOutMulticast, Col::HcOutBroadcast]);
    } else {
        cols.extend([Col::InUcast, Col::OutUcast]);
    }
    if !by_descr {
        cols.extend([Col::Alias, Col::Discontinuity]);
    }
    cols
}

/// Reads a row's answer; `None` if the row has no name (it is gone). Without `uptime` the caller throws the counters away.
pub(super) fn read_row(index: u32, cells: &[(Col, &Value)], uptime: Option<u32>, at: Mono) -> Option<RowAnswer> {
    let cell = |col: Col| cells.iter().find(|(c, _)| *c == col).map(|(_, v)| *v);
    let name = cell(Col::Name).or(cell(Col::Descr)).and_then(text::name)?;
    let counter = |col| cell(col).and_then(counter);
    let status = |col| match cell(col) {
        Some(Value::Integer(v)) => u8::try_from(*v).ok(),
        _ => None,
    };
    // Absent, not merely unreadable: one damaged answer must not change what is asked from now on.
    let absent = |col| cell(col).is_some_and(Value::is_absent);
    let in_octets = counter(Col::HcInOctets).or(counter(Col::InOctets));
    let out_octets = counter(Col::HcOutOctets).or(counter(Col::OutOctets));
    let packets = [Col::HcInUcast, Col::HcInMulticast, Col::HcInBroadcast];
    let packets = packets
        .into_iter()
        .chain([Col::HcOutUcast, Col::HcOutMulticast, Col::HcOutBroadcast]);
    let all: Option<Vec<Counter>> = packets.map(counter).collect();
    let unicast = || {
        let pair = |a, b| sum(&[counter(a)?, counter(b)?]);
        pair(Col::HcInUcast, Col::HcOutUcast).or(pair(Col::InUcast, Col::OutUcast))
    };
    let reading = InterfaceReading {
        name,
        index,
        alias: cell(Col::Alias).and_then(text::label),
        admin: status(Col::Admin),
        oper: status(Col::Oper),
        speed_bps: speed(cell(Col::HighSpeed), cell(Col::Speed)),
        in_octets,
        out_octets,
        packets: all.and_then(|c| sum(&c)).or_else(unicast),
        errors: sum_of(counter(Col::InErrors), counter(Col::OutErrors)),
        discards: sum_of(counter(Col::InDiscards), counter(Col::OutDiscards)),
        discontinuity: match cell(Col::Discontinuity) {
            Some(Value::TimeTicks(v)) => Some(*v),
            _ => None,
        },
        uptime: uptime.unwrap_or(0),
        at,
        ambiguous: false,
    };
    let narrow = absent(Col::HcInOctets) && absent(Col::HcOutOctets);
    Some(RowAnswer { reading, narrow })
}

fn counter(value: &Value) -> Option<Counter> {
    match value {
        Value::Counter32(v) => Some(Counter::C32(*v)),
        Value::Counter64(v) => Some(Counter::C64(*v)),
        _ => None,
    }
}

fn sum_of(a: Option<Counter>, b: Option<Counter>) -> Option<Counter> {
    sum(&[a?, b?])
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
fn speed(high: Option<&Value>, low: Option<&Value>) -> Option<u64> {
    let number = |value: Option<&Value>| match value {
        Some(Value::Gauge32(v)) if *v > 0 => Some(*v),
        _ => None,
    };
    let low = number(low).filter(|v| *v != u32::MAX).map(u64::from);
    number(high).map(|v| u64::from(v) * 1_000_000).or(low)
}

/// Does a name fit a pattern of `*` (any number of characters) and `?` (one)? Takes at most pattern × name steps.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut i, mut j) = (0, 0);
    // The last star and where the name stood then: on a mismatch the star takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while j < n.len() {
        if p.get(i) == Some(&'*') {
            star = Some((i, j));
            i += 1;
        } else if p.get(i).is_some_and(|c| *c == '?' || *c == n[j]) {
            i += 1;
            j += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            i = at + 1;
            j = from + 1;
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_names() {
        for (pattern, name) in [
            ("xe-0/0/1", "xe-0/0/1"),
            ("xe-0/0/*", "xe-0/0/17"),
            ("*", ""),
            ("*", "anything"),
            ("ge-?/0", "ge-7/0"),
            ("a*b*c", "a-b-b-c"),
            ("*-uplink", "tokyo-uplink"),
            ("回線*", "回線1"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("xe-0/0/1", "xe-0/0/11"),
            ("xe-0/0/?", "xe-0/0/"),
            ("a*b", "a-b-c"),
            ("", "a"),
            ("XE*", "xe-0"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        // The naive way takes 2^40 steps for this.
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
    }

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
        let gauge = Value::Gauge32;
        assert_eq!(
            speed(Some(&gauge(10_000)), Some(&gauge(u32::MAX))),
            Some(10_000_000_000)
        );
        assert_eq!(speed(Some(&gauge(0)), Some(&gauge(64_000))), Some(64_000));
        assert_eq!(
            speed(None, Some(&gauge(u32::MAX))),
            None,
            "that only says: more than 4.29 Gbit/s"
        );
        assert_eq!(speed(Some(&gauge(0)), None), None);
    }

    #[test]
    fn the_slim_row_is_as_small_as_it_says() {
        for (by_descr, wide) in [(false, true), (false, false), (true, false)] {
            assert!(columns(by_descr, wide, true).len() <= SLIM_COLUMNS);
            assert!(columns(by_descr, wide, false).len() > SLIM_COLUMNS);
        }
    }
}
