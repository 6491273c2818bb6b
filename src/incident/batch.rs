//! What is written to the ledger in one transaction, and what comes back from it at start.

use serde::{Deserialize, Serialize};

/// Written in one transaction: events and the outbox rows they cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Given by the core; comes back in `Input::Committed`.
    pub id: u64,
    /// Serialised events, in order (the ledger numbers and chains them).
    pub events: Vec<String>,
    /// Outbox rows, new or changed.
    pub rows: Vec<RowChange>,
}

/// One outbox row as it is to stand in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// The row's number, given by the core.
    pub id: u64,
    /// Still to be delivered?
    pub pending: bool,
    /// The row itself, as the notifier serialised it.
    pub json: String,
}

/// Head of the hash chain after a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Sequence number of the last event.
    pub seq: u64,
    /// SHA-256 of it and everything before it, hexadecimal.
    pub hash: String,
}

/// What the ledger gives back at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// Random identity of this ledger, made when it was created; part of every Message-ID.
    pub ledger_id: String,
    /// All events since the last checkpoint, the checkpoint first.
    pub events: Vec<String>,
    /// Rows that are pending.
    pub rows: Vec<RowChange>,
    /// The head.
    pub head: Option<Head>,
    /// Highest row number ever used.
    pub last_row: u64,
    /// Highest number of an incident ever given, recorded or not.
    pub last_incident: u64,
    /// An operator said that the ledger is as it is on purpose: it was not compared with where it stood before.
    pub accepted: bool,
    /// The store was damaged: what was found, what was done about it, what may be missing. In words for people.
    pub damage: Option<String>,
}
