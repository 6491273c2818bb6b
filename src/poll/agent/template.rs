//! Requests ready to be sent: what a GET asks, encoded once. A device asks the same in every round, and devices of one make ask
//! the same as each other, so a template is shared; a request only adds its number.
//!
//! Never here: what was answered; a device's state.

use super::oids::{Col, IF_NUMBER, IF_TABLE_LAST_CHANGE, SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME};
use super::share::Shared;
use crate::poll::TableRow;
use crate::wire::snmp::{Names, ber};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Something to be read by GET. The parts of an item are always in one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    ObjectId,
    Descr,
    IfNumber,
    IfTableLastChange,
    Scalar(Arc<[u32]>),
    /// What a redundancy group needs.
    Role(Arc<[u32]>),
    /// All columns of a row.
    Row {
        index: u32,
        columns: Arc<[Col]>,
    },
}

impl Item {
    fn objects(&self) -> Vec<(Option<Col>, Vec<u32>)> {
        match self {
            Item::ObjectId => vec![(None, SYS_OBJECT_ID.to_vec())],
            Item::Descr => vec![(None, SYS_DESCR.to_vec())],
            Item::IfNumber => vec![(None, IF_NUMBER.to_vec())],
            Item::IfTableLastChange => vec![(None, IF_TABLE_LAST_CHANGE.to_vec())],
            Item::Scalar(oid) | Item::Role(oid) => vec![(None, oid.to_vec())],
            Item::Row { index, columns } => columns.iter().map(|c| (Some(*c), c.instance(*index))).collect(),
        }
    }
}

/// Octets of a varbind in an answer.
fn size(column: Option<Col>, oid: &[u32]) -> usize {
    6 + ber::oid_size(oid) + column.map_or(16, Col::size)
}

/// A GET of some items, sysUpTime before them.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) items: Box<[Item]>,
    pub(super) names: Names,
    /// The column of each varbind, for rows.
    columns: Box<[Option<Col>]>,
    /// Where each item's varbinds end; sysUpTime is varbind 0.
    ends: Box<[u16]>,
    /// Octets that the varbinds of the answer are expected to take.
    pub(super) size: usize,
}

impl Template {
    /// Packs as many of the items as fit into `room` octets of answer and `most` objects (one at least).
    pub(super) fn pack(todo: &mut VecDeque<Item>, room: usize, most: usize) -> Option<Template> {
        let mut oids = vec![SYS_UP_TIME.to_vec()];
        let (mut columns, mut items, mut ends) = (vec![None], Vec::new(), Vec::new());
        let mut whole = size(None, SYS_UP_TIME);
        while let Some(item) = todo.front() {
            let objects = item.objects();
            let more: usize = objects.iter().map(|(column, oid)| size(*column, oid)).sum();
            if !items.is_empty() && (whole + more > room || oids.len() + objects.len() > most) {
                break;
            }
            whole += more;
            for (column, oid) in objects {
                columns.push(column);
                oids.push(oid);
            }
            ends.push(u16::try_from(oids.len()).unwrap_or(u16::MAX));
            items.extend(todo.pop_front());
        }
        (!items.is_empty()).then(|| Template {
            names: Names::new(oids.iter().map(Vec::as_slice)),
            items: items.into(),
            columns: columns.into(),
            ends: ends.into(),
            size: whole,
        })
    }

    /// Octets that one varbind of the answer is expected to take.
    pub(super) fn size_at(&self, position: usize) -> usize {
        let oid = self.names.get(position).and_then(|name| ber::oid(name).ok());
        size(self.column(position), &oid.unwrap_or_default())
    }

    /// Number of varbinds.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The varbinds of each item in turn: positions and, for rows, columns.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Item, std::ops::Range<usize>)> {
        let mut from = 1;
        self.items.iter().zip(&self.ends).map(move |(item, end)| {
            let range = from..usize::from(*end);
            from = range.end;
            (item, range)
        })
    }

    /// The column of a varbind of a row.
    pub(super) fn column(&self, position: usize) -> Option<Col> {
        self.columns.get(position).copied().flatten()
    }
}

/// The requests of a round, in their order.
pub(super) type Plan = Arc<[Arc<Template>]>;

/// Templates by what they ask, so that devices which ask the same share one; and what else many devices have in common.
#[derive(Debug, Default)]
pub(super) struct Library {
    /// Names of ports.
    pub(super) names: Shared<str>,
    /// Rows of a profile's tables.
    pub(super) rows: Shared<[TableRow]>,
    templates: HashMap<Box<[Item]>, Arc<Template>>,
    /// Plans by the addresses of their templates.
    plans: HashMap<Box<[usize]>, Plan>,
    /// Look for unused ones when there are so many.
    clean_at: usize,
}

impl Library {
    /// The requests that read these items.
    pub(super) fn plan(&mut self, items: VecDeque<Item>, room: usize, most: usize) -> Plan {
        let mut items = items;
        let mut plan = Vec::new();
        while let Some(template) = Template::pack(&mut items, room, most) {
            plan.push(self.share(template));
        }
        let key = plan.iter().map(|t: &Arc<Template>| Arc::as_ptr(t) as usize).collect();
        Arc::clone(self.plans.entry(key).or_insert_with(|| plan.into()))
    }

    fn share(&mut self, template: Template) -> Arc<Template> {
        if let Some(known) = self.templates.get(&template.items) {
            return Arc::clone(known);
        }
        if self.templates.len() >= self.clean_at {
            self.plans.retain(|_, plan| Arc::strong_count(plan) > 1);
            self.templates.retain(|_, t| Arc::strong_count(t) > 1);
            self.clean_at = (self.templates.len() * 2).max(1_024);
        }
        let shared = Arc::new(template);
        self.templates.insert(shared.items.clone(), Arc::clone(&shared));
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_sized_by_their_answer() {
        let columns: Arc<[Col]> = super::super::table::columns(super::super::table::Wish::EVERYTHING).into();
        let row = |index| Item::Row {
            index,
            columns: columns.clone(),
        };
        let mut todo: VecDeque<Item> = (1..=7).map(row).collect();
        let mut sizes = Vec::new();
        while let Some(t) = Template::pack(&mut todo, 1_400, usize::MAX) {
            assert!(t.size <= 1_400);
            assert_eq!(t.names.get(0).map(ber::oid), Some(Ok(SYS_UP_TIME.to_vec())));
            sizes.push(t.items.len());
        }
        assert_eq!(sizes, [2, 2, 2, 1]);
        // One that does not fit goes alone.
        let mut todo = VecDeque::from([row(1), row(2)]);
        assert_eq!(
            Template::pack(&mut todo, 10, usize::MAX).map(|t| t.items.len()),
            Some(1)
        );
    }

    #[test]
    fn who_asks_the_same_shares_it_and_what_nobody_asks_is_forgotten() {
        let mut library = Library::default();
        let items = |i| VecDeque::from([Item::Scalar(vec![1, 3, i].into())]);
        let (a, b) = (library.plan(items(7), 1_400, 99), library.plan(items(7), 1_400, 99));
        assert!(Arc::ptr_eq(&a[0], &b[0]));
        (0..5_000).for_each(|i| drop(library.plan(items(100 + i), 1_400, 99)));
        assert!(library.templates.len() <= 1_025, "{}", library.templates.len());
        assert!(Arc::ptr_eq(&a[0], &library.plan(items(7), 1_400, 99)[0]));
    }
}
