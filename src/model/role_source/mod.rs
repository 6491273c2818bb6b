//! Where agents tell the role of a redundancy member: for each source what its rows are, whose roles they tell, and how the rows of
//! several members are paired. The daemon reads by this table and `hinomi discover` prints by it; there is no other.
//!
//! Never here: what was read.

mod index;
mod table;

pub use index::{Field, Fields, IndexPart, address_of, fields};
pub use table::{DEFAULT_ROUTES, ROLE_SOURCES};

use super::RedundancyKind;
use super::redundancy::Role;
use std::net::IpAddr;

/// What the index of a state's row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowIs {
    /// No row: one object for the whole device.
    Whole,
    /// {ifIndex, VRID or group, …}: the instance is called by the second number. `family`: the third is the address family (IPv4 1, IPv6 2).
    Virtual {
        /// The third number is the address family.
        family: bool,
    },
    /// The instance is called by the value of this column (a VRID).
    Called(&'static [u32]),
    /// The instance is called by its index, which is the same on every member (a domain, a failover group).
    Instance,
    /// A unit of this device.
    Unit(UnitIs),
    /// A session with the neighbour whose address stands in the index.
    Neighbour(&'static [IndexPart]),
    /// A port: ifIndex.
    Port,
}

/// What names a unit. A unit keeps its name while it is there, whatever its state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitIs {
    /// Its index.
    Index,
    /// Its index, whose first number tells what kind of unit it is: units of different kinds do not stand in for each other.
    Kind,
    /// These rows only, each called so. Other rows are no units.
    Rows(&'static [(u32, &'static str)]),
    /// The value of this column: rows may change places.
    Value(&'static [u32]),
}

/// Whose roles a source tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// This device's own, among the devices of a group.
    Device,
    /// This device's own and its partner's: of a group of devices its own counts, of a group of this device alone both.
    Partners,
    /// Units inside one chassis, stack or cluster of one address: never the role of one of several devices.
    Units,
    /// A session of this device with a neighbour.
    Session,
    /// A port of this device.
    Port,
}

/// How it is known that rows of two members are about the same thing. Never by their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// There is one role only, or the group's member names the row (a neighbour, a port, a unit).
    Named,
    /// By the number of the row, which the protocol gives every member alike.
    Number,
    /// By a virtual address, else by ifName and number: one number is used on many interfaces.
    Virtual {
        /// Where the virtual addresses stand.
        addresses: Addresses,
        /// The column with the interface's name; `None`: the index begins with its ifIndex.
        interface: Option<&'static [u32]>,
    },
}

/// Where the virtual addresses of an instance stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// A column of the same row.
    Column(&'static [u32]),
    /// The indices of another table: the row's own index, then an address. The column is walked.
    Indices(&'static [u32], IndexPart),
    /// The values of another table, whose indices begin with the row's own. The column is walked.
    Values(&'static [u32]),
}

/// A code of a MIB: number, word, and what it means for redundancy.
pub type Code = (i64, &'static str, Option<Role>);

/// What the value of a state tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A number each; one that is not listed tells nothing.
    Codes(&'static [Code]),
    /// A word each, in small letters.
    Words(&'static [(&'static str, Role)]),
    /// LACP's state octet: active if all of `mask` is set.
    Bits(u8),
    /// The serial number of the unit that is active. Where none of the units has it, the first row is the unit that answers, and active.
    Serial,
}

/// One table (or object) that tells roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleSource {
    /// Of groups of this kind.
    pub kind: RedundancyKind,
    /// For people, with its MIB.
    pub title: &'static str,
    /// The column; with [`RowIs::Whole`] the instance.
    pub state: &'static [u32],
    /// What a row is.
    pub row: RowIs,
    /// Whose roles the rows tell.
    pub whose: Whose,
    /// How rows of several members are paired.
    pub pairing: Pairing,
    /// What the value means.
    pub meaning: Meaning,
    /// Counts how often the member became active (of BGP: established), by the same index.
    pub transitions: Option<&'static [u32]>,
    /// A pair of objects that tell two units: this one is the second.
    pub second: Option<&'static [u32]>,
    /// The column whose text holds these words in the row of the answering device itself.
    pub own_row: Option<(&'static [u32], &'static str)>,
    /// An instance that is there while the protocol runs, of a table that drops the row of a neighbour that is gone: then a neighbour
    /// without a row is known to be gone.
    pub alive: Option<&'static [u32]>,
}

impl RoleSource {
    /// Does it tell roles of a group of so many members?
    pub fn serves(&self, members: usize) -> bool {
        match self.whose {
            Whose::Units => members == 1,
            // A cluster of one address speaks with one voice: what it says of itself tells nothing of its partner.
            Whose::Device => members > 1 || self.kind != RedundancyKind::Ha,
            Whose::Partners | Whose::Session | Whose::Port => true,
        }
    }

    /// Is the row of this index about this neighbour?
    pub fn is_about(&self, index: &[u32], peer: IpAddr) -> bool {
        self.row.is_about(index, peer)
    }

    /// Columns and objects beside the state, by the same index.
    pub fn beside(&self) -> impl Iterator<Item = &'static [u32]> {
        let called = match self.row {
            RowIs::Called(column) | RowIs::Unit(UnitIs::Value(column)) => Some(column),
            _ => None,
        };
        let (address, interface) = match self.pairing {
            Pairing::Virtual { addresses, interface } => match addresses {
                Addresses::Column(column) => (Some(column), interface),
                Addresses::Indices(..) | Addresses::Values(_) => (None, interface),
            },
            Pairing::Named | Pairing::Number => (None, None),
        };
        let own = self.own_row.map(|(column, _)| column);
        [self.transitions, called, address, interface, own]
            .into_iter()
            .flatten()
    }

    /// The table whose rows tell virtual addresses, if it is another one.
    pub fn addresses(&self) -> Option<&'static [u32]> {
        match self.pairing {
            Pairing::Virtual {
                addresses: Addresses::Indices(column, _) | Addresses::Values(column),
                ..
            } => Some(column),
            _ => None,
        }
    }

    /// The name of the row's interface has to be read by its ifIndex.
    pub fn by_if_index(&self) -> bool {
        matches!(self.pairing, Pairing::Virtual { interface: None, .. })
    }
}

impl RowIs {
    /// Is the row of this index about this neighbour?
    pub fn is_about(self, index: &[u32], peer: IpAddr) -> bool {
        let RowIs::Neighbour(parts) = self else {
            return false;
        };
        is_next_hop(parts, index, peer)
    }
}

/// Is this the last address of an index? Where one's own address stands in it, the neighbour's or the next hop comes after it.
pub fn is_next_hop(parts: &[IndexPart], index: &[u32], address: IpAddr) -> bool {
    let last = fields(parts, index).and_then(|all| all.into_iter().flatten().filter_map(Field::address).next_back());
    last == Some(address)
}
