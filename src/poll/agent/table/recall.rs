//! A table's memory: which rows bore which names.
//!
//! Never here: a name believed without being read again.

use super::super::memory::{Since, TableMemory};
use super::{Patterns, REFRESH, Row, Table, see};
use crate::model::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

impl Table {
    /// Rows, if names were resolved; and the names once seen that stand in none.
    pub(in crate::poll::agent) fn memory(&self) -> (Option<TableMemory>, Vec<Name>) {
        let Some(rows) = &self.rows else {
            return (None, self.seen.clone());
        };
        let lost = self.seen.iter().filter(|n| self.missing.binary_search(n).is_ok());
        let found_by = rows.iter().filter_map(|r| Some((r.index, r.found_by.clone()?)));
        let table = TableMemory {
            rows: rows.iter().map(|r| (r.index, r.name.clone())).collect(),
            found_by: found_by.collect(),
            narrow: rows.iter().filter(|r| !r.wide).map(|r| r.index).collect(),
            by_descr: self.by_descr,
            called_by_descr: rows.iter().filter(|r| r.by_descr).map(|r| r.index).collect(),
            version: self.version,
            cost_ms: u32::try_from(self.cost.as_millis()).unwrap_or(u32::MAX),
        };
        (Some(table), lost.cloned().collect())
    }

    /// Takes up what was known. While a wanted name is missing it may be there again by now: then names are looked up as if
    /// nothing were known, so that nothing is called missing that was not looked for.
    pub(in crate::poll::agent) fn recall(
        &mut self,
        memory: Option<TableMemory>,
        seen: Vec<Name>,
        patterns: &Patterns,
        (device, since): (&str, Since),
    ) {
        for name in seen.iter().filter(|n| patterns.wants(n) && is_whole(n)) {
            see(&mut self.seen, name);
        }
        let Some(memory) = memory else { return };
        let aliases: BTreeMap<u32, Name> = memory.found_by.into_iter().collect();
        let narrow: BTreeSet<u32> = memory.narrow.into_iter().collect();
        let by_descr: BTreeSet<u32> = memory.called_by_descr.into_iter().collect();
        let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
        for (index, name) in memory.rows.into_iter().filter(|(_, name)| is_whole(name)) {
            // A name that the configuration spells out is kept once.
            let literal = patterns.literal.binary_search(&name).ok();
            let name = literal.and_then(|at| patterns.literal.get(at).cloned()).unwrap_or(name);
            let found_by = aliases.get(&index).and_then(|p| patterns.aliases.binary_search(p).ok());
            let found_by = found_by.and_then(|at| patterns.aliases.get(at).cloned());
            if patterns.by_name(&name) {
                see(&mut self.seen, &name);
            } else if found_by.is_none() {
                continue;
            }
            if let Some(pattern) = &found_by {
                see(&mut self.seen, pattern);
            }
            let row = Row {
                found_by,
                named: patterns.by_name(&name),
                wide: !narrow.contains(&index),
                by_descr: by_descr.contains(&index),
                ..Row::new(index, name)
            };
            rows.insert(index, row);
        }
        self.set_rows(rows, patterns);
        self.by_descr = memory.by_descr;
        self.version = memory.version;
        self.cost = Duration::from_millis(memory.cost_ms.into());
        self.resolved_at = since.looked_up(device, REFRESH);
        if !self.missing.is_empty() {
            self.rows = None;
        }
    }
}

/// What could not be read was once written down as U+FFFD: no port is called so any more.
fn is_whole(name: &str) -> bool {
    !name.contains('\u{fffd}')
}
