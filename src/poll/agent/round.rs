//! One SNMP round: what is still to be asked, what is being asked, what came.
//!
//! Never here: datagrams, deadlines, and what is remembered from round to round (that is `device`).

use super::oids::{Col, IF_NUMBER, IF_TABLE_LAST_CHANGE, SYS_OBJECT_ID, SYS_UP_TIME};
use super::table::RowAnswer;
use super::text;
use crate::model::Mono;
use crate::poll::{AgentFailure, ScalarReading};
use crate::wire::snmp::{Value, VarBind, ber};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Rows of a walk, at most.
const WALK_ROWS: usize = 100_000;
/// Rows of one column of a profile, at most; few of them are read each round (see `learn`).
const COLUMN_ROWS: usize = 2_048;
/// Time of a walk, at most.
const WALK_TIME: Duration = Duration::from_secs(30);

/// Something to be read by GET. The parts of an item are always in one request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    ObjectId,
    IfNumber,
    IfTableLastChange,
    Scalar(Vec<u32>),
    /// All columns of a row.
    Row {
        index: u32,
        columns: Vec<Col>,
    },
}

/// One varbind of a GET.
#[derive(Clone, Debug)]
struct Cell {
    /// Index into the items; `None` for the sysUpTime that stands first in each request.
    item: Option<usize>,
    column: Option<Col>,
    oid: Vec<u32>,
    /// What came, or that nothing will come.
    value: Option<Value>,
}

/// A GET of some items.
#[derive(Debug)]
pub(super) struct Get {
    pub(super) items: Vec<Item>,
    cells: Vec<Cell>,
    /// Octets that the varbinds of the answer are expected to take.
    pub(super) size: usize,
}

/// Why a walk is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    IfName,
    IfDescr,
    Profile,
}

/// A walk over one column.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) purpose: Purpose,
    pub(super) base: Vec<u32>,
    pub(super) last: Vec<u32>,
    pub(super) rows: Vec<(Vec<u32>, Value)>,
    started: Option<Mono>,
    /// It came to the end of the column.
    pub(super) whole: bool,
    pub(super) ended: bool,
}

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
    pub(super) todo: VecDeque<Item>,
    pub(super) walks: VecDeque<(Purpose, Vec<u32>)>,
    /// Slot of the request that is out.
    pub(super) slot: Option<usize>,
    /// Tries of the present request so far.
    pub(super) tries: u32,
    /// Discoveries and resynchronisations so far.
    pub(super) detours: u8,
    pub(super) hint: Option<AgentFailure>,
    /// error-status of the last refusal.
    pub(super) refused: Option<u32>,
    pub(super) rtt: Option<Duration>,
    pub(super) uptime: Option<u32>,
    pub(super) object_id: Option<Vec<u32>>,
    pub(super) if_number: Option<i64>,
    pub(super) if_last_change: Option<u32>,
    pub(super) scalars: BTreeMap<Vec<u32>, ScalarReading>,
    pub(super) rows: BTreeMap<u32, RowAnswer>,
    /// A row bore another name than expected, or none.
    pub(super) row_moved: bool,
    /// An instance of a profile's column is gone.
    pub(super) instance_gone: bool,
    pub(super) names_walked: bool,
    pub(super) columns_walked: bool,
    /// What walks over the profile's columns found.
    pub(super) found: super::learn::Found,
    /// What tells profiles of one sysObjectID apart has been asked.
    pub(super) told_apart: bool,
}

impl Item {
    fn cells(&self, item: usize) -> Vec<Cell> {
        let cell = |oid: Vec<u32>, column| Cell {
            item: Some(item),
            column,
            oid,
            value: None,
        };
        match self {
            Item::ObjectId => vec![cell(SYS_OBJECT_ID.to_vec(), None)],
            Item::IfNumber => vec![cell(IF_NUMBER.to_vec(), None)],
            Item::IfTableLastChange => vec![cell(IF_TABLE_LAST_CHANGE.to_vec(), None)],
            Item::Scalar(oid) => vec![cell(oid.clone(), None)],
            Item::Row { index, columns } => columns
                .iter()
                .map(|col| cell(col.instance(*index), Some(*col)))
                .collect(),
        }
    }
}

impl Cell {
    /// Octets of its varbind in an answer.
    fn size(&self) -> usize {
        let value = match self.column {
            Some(col) => col.size(),
            None => 16,
        };
        6 + ber::oid_size(&self.oid) + value
    }
}

impl Get {
    /// Packs as many of the items as fit into `room` octets of answer (one at least), sysUpTime before them.
    pub(super) fn pack(todo: &mut VecDeque<Item>, room: usize) -> Option<Get> {
        let uptime = Cell {
            item: None,
            column: None,
            oid: SYS_UP_TIME.to_vec(),
            value: None,
        };
        let mut get = Get {
            items: Vec::new(),
            size: uptime.size(),
            cells: vec![uptime],
        };
        while let Some(item) = todo.front() {
            let cells = item.cells(get.items.len());
            let size: usize = cells.iter().map(Cell::size).sum();
            if !get.items.is_empty() && get.size + size > room {
                break;
            }
            get.size += size;
            get.cells.extend(cells);
            get.items.extend(todo.pop_front());
        }
        (!get.items.is_empty()).then_some(get)
    }

    /// What is still to be asked.
    pub(super) fn oids(&self) -> Vec<Vec<u32>> {
        self.open().map(|c| c.oid.clone()).collect()
    }

    fn open(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|c| c.value.is_none())
    }

    /// Marks objects that the agent is known not to have; asking would cost a refusal of the whole request (v1).
    pub(super) fn leave_out(&mut self, absent: impl Fn(&[u32]) -> bool) {
        for cell in &mut self.cells {
            if cell.item.is_some() && absent(&cell.oid) {
                cell.value = Some(Value::NoSuchInstance);
            }
        }
    }

    /// The agent refuses the varbind of this error-index: gives its object, and asks no more for it. `None` if there is none such.
    pub(super) fn refuse(&mut self, error_index: u32) -> Option<Vec<u32>> {
        let position = usize::try_from(error_index).ok()?.checked_sub(1)?;
        let cell = self.cells.iter_mut().filter(|c| c.value.is_none()).nth(position)?;
        cell.value = Some(Value::NoSuchInstance);
        Some(cell.oid.clone())
    }

    /// Takes the values; their names have been compared with what was asked.
    pub(super) fn fill(&mut self, varbinds: &[VarBind]) {
        let open = self.cells.iter_mut().filter(|c| c.value.is_none());
        for (cell, varbind) in open.zip(varbinds) {
            cell.value = Some(varbind.value.clone());
        }
    }

    /// sysUpTime of this answer.
    pub(super) fn uptime(&self) -> Option<u32> {
        match self.cells.first()?.value {
            Some(Value::TimeTicks(v)) => Some(v),
            _ => None,
        }
    }

    /// The value of an item of one object.
    pub(super) fn single(&self, item: usize) -> Option<&Value> {
        self.cells.iter().find(|c| c.item == Some(item))?.value.as_ref()
    }

    /// The values of a row, by column; absent ones left out.
    pub(super) fn row(&self, item: usize) -> Vec<(Col, &Value)> {
        let cells = self.cells.iter().filter(|c| c.item == Some(item));
        cells.filter_map(|c| Some((c.column?, c.value.as_ref()?))).collect()
    }
}

impl Walk {
    pub(super) fn new(purpose: Purpose, base: Vec<u32>) -> Walk {
        Walk {
            purpose,
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
        self.rows.iter().all(|(_, value)| text::name(value).is_none())
    }

    /// Takes one answer. Ends the walk at the end of the column, or where going on makes no sense: an object that does not
    /// come after the one before (such agents go round in circles), too many rows, too much time.
    pub(super) fn take(&mut self, varbinds: &[VarBind], now: Mono) {
        let most = match self.purpose {
            Purpose::Profile => COLUMN_ROWS,
            Purpose::IfName | Purpose::IfDescr => WALK_ROWS,
        };
        self.ended |= varbinds.is_empty();
        for varbind in varbinds {
            let suffix = varbind.oid.strip_prefix(self.base.as_slice());
            let (Some(suffix), false) = (suffix, varbind.value == Value::EndOfMibView) else {
                // The first object after the column; one before it would be a circle.
                self.whole = varbind.oid > self.last || varbind.value == Value::EndOfMibView;
                self.ended = true;
                return;
            };
            if varbind.oid <= self.last || self.rows.len() >= most {
                self.ended = true;
                return;
            }
            self.rows.push((suffix.to_vec(), varbind.value.clone()));
            self.last.clone_from(&varbind.oid);
        }
        self.ended |= now.since(self.started.unwrap_or(now)) >= WALK_TIME;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vb(oid: &[u32], value: i64) -> VarBind {
        VarBind {
            oid: oid.to_vec(),
            value: Value::Integer(value),
        }
    }

    #[test]
    fn requests_are_sized_by_their_answer() {
        let columns = super::super::table::columns(false, true, false);
        let row = |index| Item::Row {
            index,
            columns: columns.clone(),
        };
        let mut todo: VecDeque<Item> = (1..=7).map(row).collect();
        let mut sizes = Vec::new();
        while let Some(get) = Get::pack(&mut todo, 1_400) {
            assert!(get.size <= 1_400);
            assert_eq!(get.oids()[0], SYS_UP_TIME);
            sizes.push(get.items.len());
        }
        assert_eq!(sizes, [2, 2, 2, 1]);
        // One that does not fit goes alone.
        let mut todo = VecDeque::from([row(1), row(2)]);
        assert_eq!(Get::pack(&mut todo, 10).map(|g| g.items.len()), Some(1));
    }

    #[test]
    fn a_refused_object_is_not_asked_again() {
        let mut todo = VecDeque::from([Item::IfNumber, Item::IfTableLastChange]);
        let mut get = Get::pack(&mut todo, 1_400).unwrap();
        assert_eq!(get.refuse(2).as_deref(), Some(IF_NUMBER));
        assert_eq!(get.oids(), [SYS_UP_TIME.to_vec(), IF_TABLE_LAST_CHANGE.to_vec()]);
        assert_eq!(get.refuse(3), None);
        assert_eq!(get.refuse(0), None);
        get.fill(&[vb(SYS_UP_TIME, 1), vb(IF_TABLE_LAST_CHANGE, 9)]);
        assert_eq!(get.single(0), Some(&Value::NoSuchInstance));
        assert_eq!(get.single(1), Some(&Value::Integer(9)));
    }

    #[test]
    fn a_walk_ends_at_the_column_or_at_nonsense() {
        let now = Mono(0);
        let walk = || Walk::new(Purpose::IfName, vec![1, 3, 1]);
        let mut good = walk();
        good.take(&[vb(&[1, 3, 1, 1], 1), vb(&[1, 3, 1, 2], 2)], now);
        assert!(!good.ended);
        good.take(&[vb(&[1, 3, 2, 1], 1)], now);
        assert!(good.ended && good.whole && good.rows.len() == 2);
        for bad in [&[1, 3, 1, 5][..], &[1, 3, 1, 4], &[1, 2], &[1, 3, 1]] {
            let mut circle = walk();
            circle.take(&[vb(&[1, 3, 1, 5], 1), vb(bad, 2)], now);
            assert!(circle.ended && !circle.whole && circle.rows.len() == 1, "{bad:?}");
        }
        let mut slow = walk();
        slow.begin(Mono(0));
        slow.take(&[vb(&[1, 3, 1, 1], 1)], Mono(30_000_000));
        assert!(slow.ended && !slow.whole);
        let mut silent = walk();
        silent.take(&[], now);
        assert!(silent.ended && !silent.whole);
    }
}
